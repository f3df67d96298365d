"""Radial distribution functions g(r) of all pairs of elements, in one pass over the neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import numpy as np
from ase.data import atomic_numbers

from helpers import structures
from helpers.errors import Unfit
from helpers.observables import neighbors

BLOCKS = 16  # a run is kept as at least this many blocks, at most twice as many


@dataclass(frozen=True)
class RDF:
    """A radial distribution function of a trajectory, with its statistics.

    Attributes
    ----------
    pair : (str, str) or None
        The two elements; None for all atoms.
    r : (B,) array
        Bin centres, A.
    g : (B,) array
        Radial distribution function.
    n : (B,) array
        Running coordination number: mean number of neighbours within the *upper edge* of each bin
        (``edges[1:]``).
    n_frames : int
        Number of frames.
    edges : (B + 1,) array
        Bin edges, A.
    counts : (B,) array of int
        Pairs found, from the first element to the second.
    ideal : (B,) array
        Pairs expected in an ideal gas of the same density, so that ``g = counts / ideal``.
    block_counts : (K, B) array or None
        The pairs in each of K blocks of consecutive frames, from which the errors are estimated.
    block_share : (K,) array or None
        Share of each block in ``ideal``.
    """

    pair: tuple[str, str] | None
    r: np.ndarray
    g: np.ndarray
    n: np.ndarray
    n_frames: int
    edges: np.ndarray
    counts: np.ndarray
    ideal: np.ndarray
    block_counts: np.ndarray | None = None
    block_share: np.ndarray | None = None

    @property
    def label(self) -> str:
        """Name of the pair for a legend: ``Zn–N``, or ``total`` for all atoms."""
        return "total" if self.pair is None else "–".join(self.pair)

    @property
    def error(self) -> np.ndarray:
        r"""Standard error of g from the scatter of the blocks, (B,); NaN with a single block.

        .. math:: s^2 = \frac{K}{K-1} \sum_k w_k^2 (g_k - g)^2, \quad \sum_k w_k = 1

        It is correct if a block is longer than the correlation time of the dynamics (Flyvbjerg &
        Petersen, J. Chem. Phys. 91, 461 (1989)) and too small otherwise.
        """
        if self.blocks is None:
            return np.full(len(self.g), np.nan)
        counts, share = self.blocks
        return _scatter(self.g, counts / (self.ideal * share[:, None]), share)

    @property
    def n_error(self) -> np.ndarray:
        """Standard error of n, (B,), estimated as ``error``."""
        if self.blocks is None:
            return np.full(len(self.n), np.nan)
        counts, share = self.blocks
        scale = self.n[-1] / max(self.counts.sum(), 1)
        return _scatter(self.n, scale * np.cumsum(counts, axis=1) / share[:, None], share)

    @property
    def blocks(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Pairs in each block and the shares of the blocks; None if there are fewer than two."""
        if self.block_counts is None or self.block_share is None or len(self.block_share) < 2:
            return None
        return self.block_counts, self.block_share

    def resampled(self, seed: int, n: int) -> Iterator[RDF]:
        """Bootstrap samples of this RDF, made of blocks drawn with replacement.

        Parameters
        ----------
        seed : int
            Seed of the random numbers.
        n : int
            Number of samples.

        Yields
        ------
        RDF
            A sample, without blocks of its own.

        Raises
        ------
        Unfit
            There are fewer than two blocks.
        """
        if self.blocks is None:
            raise Unfit("resampling g(r) needs two frames or more")
        in_block, share = self.blocks
        rng = np.random.default_rng(seed)
        for _ in range(n):
            drawn = rng.integers(len(share), size=len(share))
            counts = in_block[drawn].sum(axis=0)
            ideal = self.ideal * share[drawn].sum()
            yield replace(
                self,
                counts=counts,
                ideal=ideal,
                g=counts / ideal,
                block_counts=None,
                block_share=None,
            )

    def standard_error(
        self, quantity: Callable[[RDF], float], n: int = 100, seed: int = 0
    ) -> float:
        """Bootstrap error of a number derived from g(r), such as the width of a peak.

        Parameters
        ----------
        quantity : callable
            Takes an RDF and returns the number; a sample for which it raises ValueError is left
            out.
        n : int
            Number of bootstrap samples.
        seed : int
            Seed of the random numbers.

        Returns
        -------
        float
            Standard error in the unit of the quantity; NaN with fewer than two blocks, or if half
            of the samples or more are left out.
        """
        if self.blocks is None:
            return np.nan
        values = []
        for sample in self.resampled(seed, n):
            try:
                values.append(quantity(sample))
            except ValueError:
                continue
        return float(np.std(values, ddof=1)) if len(values) > max(1, n / 2) else np.nan


def _scatter(mean, blocks, share):
    """Standard error of a mean over blocks with these shares in it."""
    size = len(blocks)
    square = (share[:, None] * (blocks - mean)) ** 2
    return np.sqrt(size / (size - 1) * square.sum(axis=0))


class Accumulator:
    """All g(r) of a trajectory, accumulated frame by frame in constant memory.

    >>> found = Accumulator(symbols, r_max=10.0)
    >>> for positions, cell in frames:
    ...     found.add(positions, cell)
    >>> found.results()["Zn", "N"].g

    Parameters
    ----------
    symbols : (N,) sequence of str
        Chemical symbols.
    r_max : float
        Upper end of g(r), A; a multiple of ``bin_width``.
    bin_width : float
        A.
    images : bool
        Whether to allow ``r_max`` beyond half the cell and count periodic images there.

    Raises
    ------
    Unfit
        ``r_max`` is no multiple of ``bin_width``.
    """

    def __init__(self, symbols, r_max: float = 10.0, bin_width: float = 0.05, images: bool = False):
        self.symbols = structures.elements(symbols)
        self._order = neighbors.SameOrder(self.symbols)
        self.elements = sorted(set(self.symbols), key=lambda s: -atomic_numbers[s])
        self.edges = _edges(r_max, bin_width)
        self.images = images
        self.n_frames = 0
        self._kind = np.array([self.elements.index(symbol) for symbol in self.symbols], int)
        self._counts, self._density = [], []  # of each block: pairs, and the sum of 1/V
        self._length, self._in_last = 1, 0  # frames of a block, and in the last one so far

    def add(self, positions, cell) -> None:
        """Add one frame.

        Parameters
        ----------
        positions : (N, 3) array
            A, wrapped or not.
        cell : (3, 3) array
            A, rows are the cell vectors.

        Raises
        ------
        Unfit
            The number of atoms differs, a value is NaN, the cell has no volume, or ``r_max`` is
            beyond half the cell (unless ``images``).
        """
        positions, cell = neighbors.checked(positions, cell)
        if positions.shape != (len(self.symbols), 3):
            raise Unfit(
                f"positions {positions.shape} do not fit: ({len(self.symbols)}, 3) "
                "is needed, one row for each symbol"
            )
        self._order.check(positions, cell)
        r_max, legal = self.edges[-1], neighbors.widest_radius(cell)
        if not self.images and r_max > legal * (1 + 1e-9):
            raise Unfit(
                f"r_max {r_max:g} A reaches beyond half the cell (frame {self.n_frames}); the "
                f"largest legal value is {np.floor(legal * 1000) / 1000:.3f} A. With images=True "
                "periodic images are counted there: then g(r) shows the period, too"
            )
        counts = neighbors.histogram(
            positions, cell, self._kind, len(self.elements), r_max, len(self.edges) - 1
        )
        if self._in_last in (0, self._length):
            self._new_block()
        self._counts[-1] += counts
        self._density[-1] += 1 / abs(np.linalg.det(cell))
        self._in_last += 1
        self.n_frames += 1

    def _new_block(self):
        if len(self._counts) == 2 * BLOCKS:
            self._counts = [a + b for a, b in zip(*[iter(self._counts)] * 2, strict=True)]
            self._density = [a + b for a, b in zip(*[iter(self._density)] * 2, strict=True)]
            self._length *= 2
        size = len(self.elements)
        self._counts.append(np.zeros((size, size, len(self.edges) - 1), np.int64))
        self._density.append(0.0)
        self._in_last = 0

    def results(self) -> RDFs:
        """The radial distribution functions of the frames added so far.

        Returns
        -------
        RDFs
            All pairs of elements and the total.

        Raises
        ------
        Unfit
            No frame was added.
        """
        if not self.n_frames:
            raise Unfit("no frames: the chosen range of the trajectory is empty")
        return RDFs(self)


class RDFs:
    """g(r) of all pairs of elements and of all atoms, from one pass over a trajectory.

    ``rdfs["Zn", "N"]`` is g(r) from Zn to N (n(r) counts the N around a Zn), ``rdfs[None]`` the
    total.

    Attributes
    ----------
    pairs : list of (str, str)
        Every pair of elements once, heaviest element first.

    Parameters
    ----------
    found : Accumulator
        The counts of a trajectory.
    """

    def __init__(self, found: Accumulator):
        self._elements, self._edges = found.elements, found.edges
        self._blocks = np.array(found._counts)
        self._density = np.array(found._density)
        self._n_frames = found.n_frames
        self._number = np.bincount(found._kind, minlength=len(found.elements))
        self.pairs = element_pairs(self._elements)

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements there are, heaviest first."""
        return tuple(self._elements)

    @property
    def fractions(self) -> np.ndarray:
        """Share of each of the ``elements`` in all atoms, (E,)."""
        return self._number / self._number.sum()

    @property
    def density(self) -> float:
        """Mean number of atoms per volume, A^-3: that of an ideal gas of as many atoms."""
        return float(self._number.sum() * self._density.sum() / self._n_frames)

    def __getitem__(self, pair: tuple[str, str] | None) -> RDF:
        if pair is None:
            blocks, alpha, beta = self._blocks.sum(axis=(1, 2)), *2 * (self._number.sum(),)
        else:
            a, b = indices_of(pair, self._elements)
            blocks, alpha, beta = self._blocks[:, a, b], self._number[a], self._number[b]
            pair = tuple(pair)
        counts = blocks.sum(axis=0)
        shell = 4 / 3 * np.pi * np.diff(self._edges**3)
        ideal = alpha * beta * shell * self._density.sum()
        return RDF(
            pair=pair,
            r=(self._edges[1:] + self._edges[:-1]) / 2,
            g=counts / ideal,
            n=np.cumsum(counts) / (alpha * self._n_frames),
            n_frames=self._n_frames,
            edges=self._edges,
            counts=counts,
            ideal=ideal,
            block_counts=blocks,
            block_share=self._density / self._density.sum(),
        )


def rdfs(
    frames: Iterable[tuple[np.ndarray, np.ndarray]],
    symbols,
    r_max: float = 10.0,
    bin_width: float = 0.05,
    images: bool = False,
) -> RDFs:
    r"""g(r) of all atoms and of every pair of elements, averaged over frames.

    .. math::
        g_{\alpha\beta}(r) = \frac{\sum_f h_f(r)}{\sum_f N_\alpha \rho_{\beta,f} \, v(r)}, \quad
        \rho_{\beta,f} = N_\beta / V_f, \quad v = \tfrac{4\pi}{3}(r_+^3 - r_-^3)

    Here h is the histogram of distances from :math:`\alpha` to :math:`\beta`, without the pairs of
    an atom with itself, and v the volume of the shell between the edges of the bin. In a cell of N
    like atoms without order, g = 1 - 1/N.

    Parameters
    ----------
    frames : iterable of ((N, 3) array, (3, 3) array)
        Positions and cell of each frame, A; a list or a stream. The cell may change.
    symbols : (N,) sequence of str
        Chemical symbols.
    r_max : float
        Upper end of g(r), A.
    bin_width : float
        A.
    images : bool
        Whether to allow ``r_max`` beyond half the cell and count periodic images there; g(r) then
        shows the periodicity as well.

    Returns
    -------
    RDFs
        All pairs of elements and the total.

    Raises
    ------
    Unfit
        Arrays do not fit together, a value is NaN, there are no frames, ``r_max`` is no multiple of
        ``bin_width`` or beyond half the cell (the message gives the largest allowed value).
    """
    found = Accumulator(symbols, r_max, bin_width, images)
    for positions, cell in frames:
        found.add(positions, cell)
    return found.results()


def deviation_percent(one: RDF, reference: RDF, r_min: float = 0.0, r_max: float = np.inf) -> float:
    r"""Relative deviation of one g(r) from another, in percent.

    .. math:: R = 100 \sqrt{\sum_r r^2 [g(r) - g_{ref}(r)]^2 / \sum_r r^2 g_{ref}(r)^2}

    This is Wright's R_chi of the total correlation function ``T(r) = 4 pi rho r g(r)`` (J.
    Non-Cryst. Solids 159, 264 (1993)) for equal densities. Models of glasses that are considered
    good reach about 5 %.

    Parameters
    ----------
    one : RDF
        The function to judge.
    reference : RDF
        The reference, with the same bins.
    r_min : float
        Lower end of the range, A.
    r_max : float
        Upper end of the range, A.

    Returns
    -------
    float
        R in percent; NaN if the reference is zero in the range.

    Raises
    ------
    Unfit
        The bins differ.
    """
    _same_bins(one, reference)
    return _percent(one.g - reference.g, reference, r_min, r_max)


def noise_percent(one: RDF, reference: RDF, r_min: float = 0.0, r_max: float = np.inf) -> float:
    """The ``deviation_percent`` expected from the standard errors of both g(r) alone.

    Two samples of one and the same system deviate by this much.

    Parameters
    ----------
    one : RDF
        One function.
    reference : RDF
        The other, with the same bins.
    r_min : float
        Lower end of the range, A.
    r_max : float
        Upper end of the range, A.

    Returns
    -------
    float
        R in percent; NaN if an error is unknown.

    Raises
    ------
    Unfit
        The bins differ.
    """
    _same_bins(one, reference)
    return _percent(np.hypot(one.error, reference.error), reference, r_min, r_max)


def _same_bins(one, reference):
    if one.edges.shape != reference.edges.shape or not np.allclose(one.edges, reference.edges):
        raise Unfit("the two g(r) have different bins: compute both with one r_max, bin_width")


def _percent(difference, reference, r_min, r_max):
    inside = (reference.r > r_min) & (reference.r < r_max)
    square = (reference.r * difference)[inside] ** 2
    total = ((reference.r * reference.g)[inside] ** 2).sum()
    return float(100 * np.sqrt(square.sum() / total)) if total else np.nan


def element_pairs(symbols) -> list[tuple[str, str]]:
    """Every pair of elements once, heaviest element first: Zn-Zn, Zn-N, ... H-H.

    Parameters
    ----------
    symbols : sequence of str
        Chemical symbols, in any order and number.

    Returns
    -------
    list of (str, str)
        The pairs.
    """
    elements = sorted(set(structures.elements(symbols).tolist()), key=lambda s: -atomic_numbers[s])
    return list(combinations_with_replacement(elements, 2))


def indices_of(pair: tuple[str, str], elements: Sequence[str]) -> tuple[int, int]:
    """Where the two elements of a pair stand in a list.

    Parameters
    ----------
    pair : (str, str)
        The two elements.
    elements : sequence of str
        The elements of a structure.

    Returns
    -------
    (int, int)
        Their indices.

    Raises
    ------
    Unfit
        An element is absent.
    """
    for element in pair:
        if element not in elements:
            raise Unfit(
                f"no atom of element {element!r} in the structure; it has {sorted(elements)}"
            )
    a, b = pair
    return elements.index(a), elements.index(b)


def _edges(r_max: float, bin_width: float) -> np.ndarray:
    n_bins = round(r_max / bin_width)
    if n_bins < 1 or not np.isclose(n_bins * bin_width, r_max):
        raise Unfit(f"r_max {r_max} A is no multiple of the bin width {bin_width} A")
    return np.linspace(0, r_max, n_bins + 1)
