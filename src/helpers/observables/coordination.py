"""Coordination numbers, their distribution, and their sensitivity to the cutoff."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.observables import neighbors


def coordination_number(
    positions, cells, symbols, center: str = "Zn", neighbor: str = "N", cutoff: float = 2.5
) -> np.ndarray:
    """Number of neighbours of one element around each atom of another.

    Parameters
    ----------
    positions : (F, N, 3) array
        A, wrapped or not.
    cells : (F, 3, 3) array
        A, rows are the cell vectors.
    symbols : (N,) sequence of str
        Chemical symbols.
    center : str
        Element of the central atoms.
    neighbor : str
        Element of the neighbours.
    cutoff : float
        A; the paper uses 2.5 A for Zn-N.

    Returns
    -------
    (F, n_center) array of int
        Coordination numbers, central atoms in the order of ``symbols``.

    Raises
    ------
    Unfit
        The arrays do not fit together, hold NaN or no frame, or an element is absent.
    """
    positions, cells, symbols = neighbors.frames(positions, cells, symbols)
    centers = neighbors.select(symbols, center)
    others = neighbors.select(symbols, neighbor)
    return np.array(
        [
            np.bincount(
                neighbors.pairs(frame, cell, centers, others, cutoff).i, minlength=len(symbols)
            )[centers]
            for frame, cell in zip(positions, cells, strict=True)
        ]
    )


def histogram(numbers, maximum: int = 6) -> np.ndarray:
    """Share of central atoms with 0, 1, ... ``maximum`` neighbours in each frame.

    Parameters
    ----------
    numbers : (F, n_center) array
        Coordination numbers.
    maximum : int
        The last column counts atoms with this many neighbours or more.

    Returns
    -------
    (F, maximum + 1) array
        Shares; every row adds up to 1.
    """
    numbers = np.minimum(np.atleast_2d(numbers), maximum)
    return np.stack([(numbers == x).mean(axis=1) for x in range(maximum + 1)], axis=1)


def undercoordinated(numbers, full: int = 4) -> np.ndarray:
    """Share of central atoms that miss at least one neighbour, in each frame.

    Parameters
    ----------
    numbers : (F, n_center) array
        Coordination numbers.
    full : int
        Coordination number of the crystal.

    Returns
    -------
    (F,) array
        Share with fewer than ``full`` neighbours.
    """
    return (np.atleast_2d(numbers) < full).mean(axis=1)


def cutoff_sensitivity(
    positions, cells, symbols, cutoffs, center: str = "Zn", neighbor: str = "N", full: int = 4
) -> pd.DataFrame:
    """Mean coordination number and share of undercoordinated atoms as functions of the cutoff.

    A number that does not depend on the cutoff within the valley of g(r) counts bonds; one that
    grows with it counts atoms that only pass by. The pairs are searched once.

    Parameters
    ----------
    positions : (F, N, 3) array
        A, wrapped or not.
    cells : (F, 3, 3) array
        A.
    symbols : (N,) sequence of str
        Chemical symbols.
    cutoffs : (K,) array
        Cutoffs to compare, A.
    center : str
        Element of the central atoms.
    neighbor : str
        Element of the neighbours.
    full : int
        Coordination number of the crystal.

    Returns
    -------
    DataFrame
        A row for each cutoff: ``cutoff_A``, ``coordination`` and ``undercoordinated`` (means over
        frames and central atoms), and ``scatter``, the standard deviation of the latter over
        frames.

    Raises
    ------
    Unfit
        As ``coordination_number``.
    """
    positions, cells, symbols = neighbors.frames(positions, cells, symbols)
    cutoffs = np.sort(np.asarray(cutoffs, float))
    centers = neighbors.select(symbols, center)
    others = neighbors.select(symbols, neighbor)
    numbers = np.empty((len(positions), len(cutoffs), len(centers)), int)
    for f, (frame, cell) in enumerate(zip(positions, cells, strict=True)):
        i, _, distance, _ = neighbors.pairs(frame, cell, centers, others, cutoffs[-1])
        at = np.searchsorted(cutoffs, distance, side="right")  # the first cutoff that holds it
        counts = np.zeros((len(cutoffs) + 1, len(symbols)), int)
        np.add.at(counts, (at, i), 1)
        numbers[f] = counts[:-1, centers].cumsum(axis=0)
    missing = (numbers < full).mean(axis=2)
    return pd.DataFrame(
        {
            "cutoff_A": cutoffs,
            "coordination": numbers.mean(axis=(0, 2)),
            "undercoordinated": missing.mean(axis=0),
            "scatter": missing.std(axis=0),
        }
    )
