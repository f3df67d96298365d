"""Partial structure factors S(Q), by two routes: from distances, and from vectors of the lattice.

Convention of Faber and Ziman (Phil. Mag. 11, 153 (1965); Keen, J. Appl. Cryst. 34, 172 (2001)):
S_ab tends to 1 at large Q, and its sine transform is g_ab(r). In a cell of finite size the two
routes fail differently. ``by_distances`` knows g(r) up to a distance only: peaks get as wide as
that range allows, and a sharp end makes ripples. ``by_vectors`` is exact for the periodic
arrangement, but knows S at the vectors of the reciprocal lattice only, few of them at small Q.
Where g(r) has become 1 inside the cell and a bin of Q holds many vectors, they agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from helpers.errors import Unfit
from helpers.observables import neighbors, rdf

WINDOWS = ("step", "lorch")


@dataclass(frozen=True)
class Partials:
    """Partial structure factors of one structure, or the mean over frames.

    Attributes
    ----------
    elements : tuple of str
        E of them, heaviest first.
    fractions : (E,) array
        share of each element in all atoms.
    density : float
        atoms per A^3.
    Q : (K,) array
        1/A.
    S : (E,E,K) array
        symmetric in the elements.
    vectors : (K,) array, optional
        vectors of the reciprocal lattice behind each Q, all frames together; by vectors alone.
    """

    elements: tuple[str, ...]
    fractions: np.ndarray
    density: float
    Q: np.ndarray
    S: np.ndarray
    vectors: np.ndarray | None = None

    def __getitem__(self, pair: tuple[str, str]) -> np.ndarray:
        """S of a pair of elements.

        Parameters
        ----------
        pair : (str, str)
            The two elements.

        Returns
        -------
        (K,) array
            Partial structure factor.

        Raises
        ------
        Unfit
            An element is absent.
        """
        return self.S[rdf.indices_of(pair, self.elements)]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Every pair of elements once, heaviest first."""
        return rdf.element_pairs(self.elements)


def from_g(r, g, density: float, Q, window: str = "step") -> np.ndarray:
    r"""S(Q) from one or several g(r), known up to a largest distance R.

    .. math:: S(Q) = 1 + 4 \pi \rho \int_0^R r^2 [g(r) - 1] \frac{\sin Qr}{Qr} W(r) \, dr

    Each bin counts as pairs spread evenly over it, which a value at its centre would exaggerate by
    (Q b)^2 / 24 for bins of width b.

    Parameters
    ----------
    r : (B,) array
        centres of equidistant bins from 0 to R, A.
    g : (..., B) array
        radial distribution functions.
    density : float
        of all atoms, per A^3 (not of one element: that is the convention).
    Q : (K,) array
        1/A, positive.
    window : str
        W. "step": 1 up to R, which leaves ripples of period 2 pi / R where g is not 1 there.
        "lorch": sin(pi r / R) / (pi r / R), smooth, but peaks get a width of about 4 / R.

    Returns
    -------
    (..., K) array

    Raises
    ------
    Unfit
        bins that do not begin at 0 or are not equidistant, a Q that is not positive, an unknown
        window.
    """
    r, Q = np.asarray(r, float), np.asarray(Q, float)
    width = 2 * r[0]
    if not np.allclose(np.diff(r), width, rtol=1e-3):
        raise Unfit("r must hold the centres of equidistant bins that begin at r = 0")
    if not (Q > 0).all():
        raise Unfit("Q must be positive: S(0) is no property of a finite cell")
    if window not in WINDOWS:
        raise Unfit(f"no window {window!r}; there are: {', '.join(WINDOWS)}")
    inner, outer = r - width / 2, r + width / 2
    shell = 4 / 3 * np.pi * (outer**3 - inner**3)
    if window == "lorch":
        shell = shell * np.sinc(r / outer[-1])
    wave = np.sinc(np.outer(r, Q) / np.pi) * np.sinc(Q * width / (2 * np.pi))
    return 1 + density * ((np.asarray(g) - 1) * shell) @ wave


def of_curves(curves: rdf.RDFs, Q, window: str = "lorch") -> Partials:
    """All partial S(Q) from all g(r) of a structure or of a trajectory.

    Parameters
    ----------
    curves : rdf.RDFs
        Result of ``rdf.rdfs``.
    Q : (K,) array
        1/A, positive.
    window : str
        As for `from_g`.

    Returns
    -------
    Partials
        The partial structure factors.

    Raises
    ------
    Unfit
        As `from_g`.
    """
    size, Q = len(curves.elements), np.asarray(Q, float)
    upper = [(a, b) for a in range(size) for b in range(a, size)]
    g = np.array([curves[curves.elements[a], curves.elements[b]].g for a, b in upper])
    S = np.empty((size, size, len(Q)))
    found = from_g(curves[None].r, g, curves.density, Q, window)
    for (a, b), one in zip(upper, found, strict=True):
        S[a, b] = S[b, a] = one
    return Partials(curves.elements, curves.fractions, curves.density, Q, S)


def by_distances(
    frames: Sequence[tuple[np.ndarray, np.ndarray]],
    symbols,
    Q,
    r_max: float | None = None,
    bin_width: float = 0.02,
    window: str = "lorch",
    images: bool = False,
) -> Partials:
    """All partial S(Q) from the distances of all pairs of atoms: Debye's sum with a cutoff.

    One pass over the pairs of each frame (`rdf.rdfs`) and one transform at the end (`of_curves`).
    The part beyond the cutoff is represented by the uniform density, which is subtracted (g - 1).

    Parameters
    ----------
    frames : sequence of ((N, 3) array, (3, 3) array)
        Positions and cell of each frame, A.
    symbols : (N,) sequence of str
        Chemical symbols.
    Q : (K,) array
        1/A, positive.
    r_max : float, optional
        Cutoff, A, a multiple of ``bin_width``; by default half the narrowest cell.
    bin_width : float
        A.
    window : str
        As for `from_g`.
    images : bool
        Whether to go beyond half the cell. The structure found there repeats the cell, as it does
        in `by_vectors`.

    Returns
    -------
    Partials
        The partial structure factors.

    Raises
    ------
    Unfit
        As `rdf.rdfs` and `from_g`.
    """
    if r_max is None:
        if not len(frames):
            raise Unfit("no frames: the chosen range of the trajectory is empty")
        r_max = bin_width * np.floor(
            neighbors.widest_radius([cell for _, cell in frames]) / bin_width
        )
    return of_curves(rdf.rdfs(frames, symbols, r_max, bin_width, images), Q, window)


def by_vectors(
    frames: Iterable[tuple[np.ndarray, np.ndarray]], symbols, Q, most: int | None = None
) -> Partials:
    r"""All partial S(Q) from the vectors k of the reciprocal lattice, averaged in bins of Q.

    .. math:: S_{ab}(k) = 1 - \frac{\delta_{ab}}{c_a}
        + \frac{\mathrm{Re}\, \rho_a(k) \rho_b^*(k)}{N c_a c_b}, \quad
        \rho_a(k) = \sum_{i \in a} e^{i k \cdot r_i}

    with c the fractions and N all atoms. Exact for the periodic arrangement, Bragg peaks and all.

    Parameters
    ----------
    frames : iterable of ((N,3) array, (3,3) array)
        positions and cell of each frame, A.
    symbols : (N,) array of str
        chemical symbols.
    Q : (K,) array
        1/A, ascending; the borders of a bin lie half way to the next Q.
    most : int, optional
        vectors in a bin and frame, spread evenly over those there are; without it all. Their
        number grows as Q^2 V, so that a large cell needs a limit; the error of a bin of n vectors
        in something disordered is about S / sqrt(n).

    Returns
    -------
    Partials
        NaN in a bin without a vector.

    Raises
    ------
    Unfit
        Q not ascending or not positive, arrays that do not fit, NaN, no frames.
    """
    Q = np.asarray(Q, float)
    if not ((np.diff(Q) > 0).all() and Q[0] > 0 and len(Q) > 1):
        raise Unfit("Q must be two or more positive values in ascending order")
    symbols = np.asarray(symbols).astype(str)
    elements = rdf.element_pairs(symbols)
    elements = [a for a, b in elements if a == b]
    order = np.argsort([elements.index(s) for s in symbols], kind="stable")
    counts = np.array([(symbols == e).sum() for e in elements])
    start = np.concatenate([[0], np.cumsum(counts)])
    middle = (Q[1:] + Q[:-1]) / 2
    edges = np.concatenate([[max(0.0, 1.5 * Q[0] - Q[1] / 2)], middle, [1.5 * Q[-1] - Q[-2] / 2]])
    total = np.zeros((len(Q), len(elements), len(elements)))
    vectors, per_volume, n = np.zeros(len(Q), np.int64), 0.0, 0
    for positions, cell in frames:
        positions, cell = neighbors.checked(positions, cell)
        if positions.shape != (len(symbols), 3):
            raise Unfit(
                f"positions {positions.shape} do not fit: ({len(symbols)}, 3) is "
                "needed, one row for each symbol"
            )
        inverse = np.linalg.inv(cell)
        hkl, bins = _lattice_vectors(inverse, edges, most or np.iinfo(np.int64).max)
        fractional = np.ascontiguousarray((positions[order] @ inverse).T)
        neighbors.announce_compilation(_density_products)
        _density_products(fractional, hkl, bins, start, total)
        vectors += np.bincount(bins, minlength=len(Q))
        per_volume, n = per_volume + 1 / abs(np.linalg.det(cell)), n + 1
    if not n:
        raise Unfit("no frames: the chosen range of the trajectory is empty")
    fractions = counts / len(symbols)
    with np.errstate(invalid="ignore"):
        mean = total / vectors[:, None, None] / len(symbols)
    S = 1 + (mean - np.diag(fractions)) / np.outer(fractions, fractions)
    return Partials(
        tuple(elements),
        fractions,
        len(symbols) * per_volume / n,
        Q,
        np.ascontiguousarray(S.transpose(1, 2, 0)),
        vectors,
    )


def of_cluster(positions, symbols, Q) -> dict[tuple[str, str], np.ndarray]:
    r"""Debye's sum over a free cluster, the atoms with themselves left out, by pair of elements.

    .. math:: P_{ab}(Q) = \sum_{i \in a} \sum_{j \in b,\, j \neq i} \frac{\sin Q r_{ij}}{Q r_{ij}}

    The intensity is ``sum_a N_a f_a^2 + sum_ab f_a f_b P_ab`` over all ordered pairs of elements
    (Debye, Ann. Phys. 351, 809 (1915)).

    Parameters
    ----------
    positions : (N,3) array
        A.
    symbols : (N,) array of str
        chemical symbols.
    Q : (K,) array
        1/A.

    Returns
    -------
    dict
        pair -> (K,) array, each pair of different elements once, for both orders.
    """
    positions, symbols = np.asarray(positions, float), np.asarray(symbols).astype(str)
    found = {}
    for a, b in rdf.element_pairs(symbols):
        apart = np.linalg.norm(
            positions[symbols == a][:, None] - positions[symbols == b][None], axis=-1
        )
        apart = apart[~np.eye(len(apart), dtype=bool)] if a == b else apart.ravel()
        found[a, b] = (1 if a == b else 2) * np.array(
            [np.sinc(q * apart / np.pi).sum() for q in np.asarray(Q, float)]
        )
    return found


def _lattice_vectors(inverse, edges, most):
    """hkl (M,3) of half of the vectors (k and -k tell the same) and the bin (M,) of each."""
    # |k . a| <= |k| |a| bounds the index along the cell vector a
    reach = np.floor(
        edges[-1] * np.linalg.norm(np.linalg.inv(inverse), axis=1) / (2 * np.pi)
    ).astype(np.int64)
    neighbors.announce_compilation(_chosen)
    available = np.zeros(len(edges) - 1, np.int64)
    _chosen(
        inverse,
        reach,
        edges,
        available,
        np.zeros(0, np.int64),
        np.zeros((0, 3), np.int64),
        np.zeros(0, np.int64),
    )
    wanted = np.minimum(available, most)
    hkl = np.zeros((wanted.sum(), 3), np.int64)
    bins = np.zeros(wanted.sum(), np.int64)
    _chosen(inverse, reach, edges, available, wanted, hkl, bins)
    return hkl, bins


@njit(cache=True, nogil=True)
def _chosen(inverse, reach, edges, available, wanted, hkl, bins):
    """Without ``wanted``: count the vectors of each bin. With it: an even choice of as many."""
    squares = (edges / (2 * np.pi)) ** 2
    seen = np.zeros(len(available), np.int64)
    n, b = 0, 0
    for h in range(reach[0] + 1):
        for k in range(-reach[1] if h else 0, reach[1] + 1):
            x = inverse[0, 0] * h + inverse[0, 1] * k
            y = inverse[1, 0] * h + inverse[1, 1] * k
            z = inverse[2, 0] * h + inverse[2, 1] * k
            for m in range(-reach[2] if h or k else 1, reach[2] + 1):
                square = (
                    (x + inverse[0, 2] * m) ** 2
                    + (y + inverse[1, 2] * m) ** 2
                    + (z + inverse[2, 2] * m) ** 2
                )
                if square < squares[0] or square >= squares[-1]:
                    continue
                while square < squares[b]:  # the next vector is about as long as the last
                    b -= 1
                while square >= squares[b + 1]:
                    b += 1
                if len(wanted) == 0:
                    available[b] += 1
                    continue
                i = seen[b]
                seen[b] += 1
                if (i + 1) * wanted[b] // available[b] > i * wanted[b] // available[b]:
                    hkl[n, 0], hkl[n, 1], hkl[n, 2], bins[n] = h, k, m, b
                    n += 1


def _even_polynomial(function) -> tuple[float, ...]:
    """Coefficients in f^2, up to f^16, of an even function of f on [-1/2, 1/2], to 1e-11."""
    square = (np.polynomial.chebyshev.chebpts1(64) + 1) / 8  # 0 ... 1/4
    fitted = np.polynomial.Chebyshev.fit(square, function(np.sqrt(square)), 8)
    return tuple(float(c) for c in fitted.convert(kind=np.polynomial.Polynomial).coef)


# cos(2 pi f) and sin(2 pi f) / f: with polynomials the loop over atoms is one of vector
# instructions, which calls of cos and sin are not
_COS = _even_polynomial(lambda f: np.cos(2 * np.pi * f))
_SIN = _even_polynomial(lambda f: np.sin(2 * np.pi * f) / f)


@njit(cache=True, nogil=True, fastmath=True)
def _horner(u, c):
    return (
        ((((((c[8] * u + c[7]) * u + c[6]) * u + c[5]) * u + c[4]) * u + c[3]) * u + c[2]) * u
        + c[1]
    ) * u + c[0]


@njit(cache=True, nogil=True, fastmath=True)
def _density_products(fractional, hkl, bins, start, total):
    """Add Re rho_a rho_b* of every vector to its bin: total (K,E,E)."""
    n_elements = len(start) - 1
    x, y, z = fractional[0], fractional[1], fractional[2]
    real, imaginary = np.zeros(n_elements), np.zeros(n_elements)
    for v in range(len(bins)):
        h, k, m = float(hkl[v, 0]), float(hkl[v, 1]), float(hkl[v, 2])
        for a in range(n_elements):
            re, im = 0.0, 0.0
            for i in range(start[a], start[a + 1]):
                turns = h * x[i] + k * y[i] + m * z[i]
                f = turns - np.floor(turns + 0.5)
                re += _horner(f * f, _COS)
                im += f * _horner(f * f, _SIN)
            real[a], imaginary[a] = re, im
        for a in range(n_elements):
            for b in range(n_elements):
                total[bins[v], a, b] += real[a] * real[b] + imaginary[a] * imaginary[b]
