"""How many neighbours: coordination numbers, their distribution, and what the cutoff does."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.observables import neighbors


def coordination_number(
    positions, cells, symbols, center: str = "Zn", neighbor: str = "N", cutoff: float = 2.5
) -> np.ndarray:
    """Number of ``neighbor`` atoms nearer than ``cutoff`` (A) to each ``center`` atom.

    positions: (F,N,3) A. cells: (F,3,3) A. Returns (F, n_center) integers, centres in the order
    of ``symbols``. The paper's cutoff for Zn-N is 2.5 A.
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
    """Share of centres with 0, 1, ... ``maximum`` neighbours in each frame, (F, maximum + 1).

    The last column holds ``maximum`` and more; every row sums to 1.
    """
    numbers = np.minimum(np.atleast_2d(numbers), maximum)
    return np.stack([(numbers == x).mean(axis=1) for x in range(maximum + 1)], axis=1)


def undercoordinated(numbers, full: int = 4) -> np.ndarray:
    """Share of centres with fewer than ``full`` neighbours in each frame, (F,)."""
    return (np.atleast_2d(numbers) < full).mean(axis=1)


def cutoff_sensitivity(
    positions, cells, symbols, cutoffs, center: str = "Zn", neighbor: str = "N", full: int = 4
) -> pd.DataFrame:
    """Mean coordination number and undercoordinated share for each cutoff.

    A number that does not depend on the cutoff inside the valley of g(r) is one of bonds; one
    that grows with it counts what passes by. The pairs are searched once.

    positions: (F,N,3) A. cells: (F,3,3) A. cutoffs: (K,) A. Returns cutoff_A, coordination and
    undercoordinated, means over frames and centres, and the standard deviation over frames of
    the latter, scatter.
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
