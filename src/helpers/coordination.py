"""Who is bound to whom: coordination numbers, ligands, and ligand exchange."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase.data import atomic_numbers, covalent_radii
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helpers import neighbors


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
    return np.array([
        np.bincount(neighbors.pairs(frame, cell, centers, others, cutoff).i,
                    minlength=len(symbols))[centers]
        for frame, cell in zip(positions, cells, strict=True)
    ])


def histogram(numbers, maximum: int = 6) -> np.ndarray:
    """Share of centres with 0, 1, ... ``maximum`` neighbours in each frame, (F, maximum + 1).

    The last column holds ``maximum`` and more; every row sums to 1.
    """
    numbers = np.minimum(np.atleast_2d(numbers), maximum)
    return np.stack([(numbers == x).mean(axis=1) for x in range(maximum + 1)], axis=1)


def undercoordinated(numbers, full: int = 4) -> np.ndarray:
    """Share of centres with fewer than ``full`` neighbours in each frame, (F,)."""
    return (np.atleast_2d(numbers) < full).mean(axis=1)


def ligands(positions, cell, symbols, metal: str = "Zn", tolerance: float = 1.2) -> np.ndarray:
    """Number of the molecule each atom belongs to when all metal atoms are taken out, (N,).

    Molecules are the connected parts of the graph of bonds shorter than ``tolerance`` times the
    sum of covalent radii; two H never bond. Metal atoms get -1.

    positions: (N,3) A. cell: (3,3) A.
    """
    symbols = np.asarray(symbols)
    organic = np.flatnonzero(symbols != metal)
    radius = covalent_radii[[atomic_numbers[s] for s in symbols]]
    reach = tolerance * 2 * radius[organic].max()
    i, j, distance, _ = neighbors.pairs(positions, cell, organic, organic, reach)
    bonded = (distance < tolerance * (radius[i] + radius[j])) & ~(
        (symbols[i] == "H") & (symbols[j] == "H"))
    size = len(symbols)
    graph = coo_array((np.ones(bonded.sum()), (i[bonded], j[bonded])), shape=(size, size))
    number = connected_components(graph, directed=False)[1]
    label = np.full(size, -1)
    label[organic] = np.unique(number[organic], return_inverse=True)[1]
    return label


@dataclass(frozen=True)
class Exchanges:
    """Events in which an N binds to another Zn than the one it was bound to last.

    frame, nitrogen, ligand, zn_from, zn_to: (M,) frame index, atom index of N, number of its
    molecule (``ligands``), atom indices of Zn. moved: (M,) True where the molecule as a whole has
    changed a Zn; False where its two N only swapped theirs (a flip).
    n_frames, n_nitrogen, n_ligands: what they were counted in.
    """

    frame: np.ndarray
    nitrogen: np.ndarray
    ligand: np.ndarray
    zn_from: np.ndarray
    zn_to: np.ndarray
    moved: np.ndarray
    n_frames: int
    n_nitrogen: int
    n_ligands: int

    def __len__(self) -> int:
        return len(self.frame)

    def cumulative(self, moved: bool = False) -> np.ndarray:
        """Events up to each frame, (n_frames,); with ``moved`` those of whole ligands only."""
        frame = self.frame[self.moved] if moved else self.frame
        return np.cumsum(np.bincount(frame, minlength=self.n_frames))

    def table(self) -> pd.DataFrame:
        names = ("frame", "nitrogen", "ligand", "zn_from", "zn_to", "moved")
        return pd.DataFrame({name: getattr(self, name) for name in names})


def exchanges(
    positions, cells, symbols, center: str = "Zn", neighbor: str = "N", cutoff: float = 2.5
) -> Exchanges:
    """Exchange events along a trajectory.

    In each frame an N holds the nearest Zn below ``cutoff`` (A); one that holds none still counts
    as belonging to the last it held, so that a bond that opens and closes again is no event. A
    periodic image of the same Zn is another Zn. Ligands are found in the first frame.

    positions: (F,N,3) A, *unwrapped* and in order of time. cells: (F,3,3) A.

    Raises
    ------
    ValueError
        arrays that do not fit; positions that jump by half a cell from one frame to the next
        (wrapped, or not consecutive).
    """
    positions, cells, symbols = neighbors.frames(positions, cells, symbols)
    centers = neighbors.select(symbols, center)
    others = neighbors.select(symbols, neighbor)
    _refuse_jumps(positions[:, np.union1d(centers, others)], cells)
    label = ligands(positions[0], cells[0], symbols, metal=center)[others]
    held = np.stack([
        _holds(frame, cell, centers, others, cutoff)
        for frame, cell in zip(positions, cells, strict=True)
    ])  # (F, n_other, 4): index of the centre and the image it is in; -1 for none
    last = _fill_forward(held)
    changed = (last[1:] != last[:-1]).any(axis=2) & (last[:-1, :, 0] >= 0)
    frame, atom = np.nonzero(changed)
    moved = np.array([_set_changes(last, label, f, a) for f, a in zip(frame, atom, strict=True)],
                     dtype=bool)
    return Exchanges(
        frame=frame + 1,
        nitrogen=others[atom],
        ligand=label[atom],
        zn_from=last[frame, atom, 0],
        zn_to=last[frame + 1, atom, 0],
        moved=moved,
        n_frames=len(positions),
        n_nitrogen=len(others),
        n_ligands=len(set(label)),
    )


def _holds(frame, cell, centers, others, cutoff) -> np.ndarray:
    i, j, distance, shift = neighbors.pairs(frame, cell, others, centers, cutoff, shifts=True)
    found = np.full((len(others), 4), -1)
    order = np.argsort(-distance)  # the nearest is written last and stays
    found[np.searchsorted(others, i[order])] = np.column_stack([j, shift])[order]
    return found


def _fill_forward(held: np.ndarray) -> np.ndarray:
    known = held[:, :, 0] >= 0
    at = np.maximum.accumulate(np.where(known, np.arange(len(held))[:, None], 0), axis=0)
    return held[at, np.arange(held.shape[1])]


def _set_changes(last, label, frame, atom) -> bool:
    """Whether the set of centres that the molecule of ``atom`` holds differs after ``frame``."""
    mates = label == label[atom]
    before, after = (sorted(map(tuple, last[f][mates])) for f in (frame, frame + 1))
    return before != after


def _refuse_jumps(positions, cells):
    if len(positions) < 2:
        return
    fractional = np.einsum("fni,fij->fnj", positions, np.linalg.inv(cells))
    jump = np.abs(np.diff(fractional, axis=0)).max()
    if jump > 0.5:
        raise ValueError(
            f"an atom moves by {jump:.2f} of a cell from one frame to the next: exchange events "
            "need unwrapped positions of consecutive frames (trajectory.read gives them)"
        )
