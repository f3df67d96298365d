"""Radial distribution function g(r), total or of a pair of elements."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from ase.data import atomic_numbers

from helpers import neighbors


@dataclass(frozen=True)
class RDF:
    """A radial distribution function.

    pair: the two elements, or None for all atoms. r: (B,) bin centres, A. g: (B,).
    n: (B,) running coordination number, the mean number of neighbours inside the *upper edge*
    of each bin (``edges[1:]``). counts: (B,) pairs found. ideal: (B,) pairs an ideal gas would
    show, so that ``g = counts / ideal`` and the relative error of a bin is ``1/sqrt(counts)``.
    """

    pair: tuple[str, str] | None
    r: np.ndarray
    g: np.ndarray
    n: np.ndarray
    n_frames: int
    edges: np.ndarray
    counts: np.ndarray
    ideal: np.ndarray

    @property
    def label(self) -> str:
        return "total" if self.pair is None else "–".join(self.pair)


def rdf(
    positions,
    cells,
    symbols,
    pair: tuple[str, str] | None = None,
    r_max: float = 10.0,
    bin_width: float = 0.05,
) -> RDF:
    r"""Radial distribution function of the pair alpha-beta, averaged over frames.

    .. math::
        g_{\alpha\beta}(r) = \frac{\sum_f h_f(r)}{\sum_f N_\alpha \rho_{\beta,f} \, v(r)}, \quad
        \rho_{\beta,f} = N_\beta / V_f, \quad v = \tfrac{4\pi}{3}(r_+^3 - r_-^3)

    with h the histogram of distances from alpha to beta (periodic images counted, an atom and
    itself not) and v the shell between the bin's edges. In a cell of N like atoms without order
    g = 1 - 1/N, not 1. Beyond the shortest cell vector an atom meets its own images: what g(r)
    shows there is the period, too.

    positions: (F,N,3) A. cells: (F,3,3) A, may change from frame to frame. symbols: (N,).
    pair: two elements, None for all atoms. r_max, bin_width: A.

    Raises
    ------
    ValueError
        arrays that do not fit, NaN, an element that is not there, no frames.
    """
    positions, cells, symbols = neighbors.frames(positions, cells, symbols)
    if pair is None:
        alpha = beta = np.arange(len(symbols))
    else:
        alpha, beta = (neighbors.select(symbols, element) for element in pair)
        pair = tuple(pair)
    n_bins = round(r_max / bin_width)
    if n_bins < 1 or not np.isclose(n_bins * bin_width, r_max):
        raise ValueError(f"r_max {r_max} A is no multiple of the bin width {bin_width} A")
    edges = np.linspace(0, r_max, n_bins + 1)
    shell = 4 / 3 * np.pi * np.diff(edges**3)
    counts = np.zeros(n_bins, int)
    for frame, cell in zip(positions, cells, strict=True):
        distance = neighbors.pairs(frame, cell, alpha, beta, r_max).distance
        counts += np.histogram(distance, edges)[0]
    ideal = len(alpha) * len(beta) * shell * np.sum(1 / np.abs(np.linalg.det(cells)))
    return RDF(
        pair=pair,
        r=(edges[1:] + edges[:-1]) / 2,
        g=counts / ideal,
        n=np.cumsum(counts) / (len(alpha) * len(positions)),
        n_frames=len(positions),
        edges=edges,
        counts=counts,
        ideal=ideal,
    )


def deviation_percent(one: RDF, reference: RDF) -> float:
    r"""How far one g(r) is from another, in percent.

    .. math:: R = 100 \sqrt{\sum_r r^2 [g(r) - g_{ref}(r)]^2 / \sum_r r^2 g_{ref}(r)^2}

    Wright's R_chi of the total correlation function ``T(r) = 4 pi rho r g(r)`` (J. Non-Cryst.
    Solids 159, 264 (1993)), densities taken as equal. 0: the same; glasses that are said to be
    well described reach some 5 %. Raises ValueError when the bins differ.
    """
    if one.edges.shape != reference.edges.shape or not np.allclose(one.edges, reference.edges):
        raise ValueError("the two g(r) have different bins: compute both with one r_max, bin_width")
    square = (reference.r * (one.g - reference.g)) ** 2
    return float(100 * np.sqrt(square.sum() / ((reference.r * reference.g) ** 2).sum()))


def element_pairs(symbols) -> list[tuple[str, str]]:
    """Every pair of elements once, heaviest first: Zn-Zn, Zn-N, ... H-H."""
    elements = sorted(set(map(str, symbols)), key=lambda s: -atomic_numbers[s])
    return list(combinations_with_replacement(elements, 2))
