"""All pairs of atoms nearer than a distance, periodic images counted, in any triclinic cell."""

from __future__ import annotations

from typing import NamedTuple

import freud
import numpy as np


class Pairs(NamedTuple):
    """Directed pairs centre -> neighbour. Same meaning as ASE's ``neighbor_list("ijdS")``.

    i, j: (M,) indices of the two atoms. distance: (M,) in A.
    shift: (M,3) cell vectors to add to atom j, ``r_j + shift @ cell - r_i`` is the bond; None if
    not asked for.
    """

    i: np.ndarray
    j: np.ndarray
    distance: np.ndarray
    shift: np.ndarray | None = None


def pairs(positions, cell, centers, neighbors, r_max: float, shifts: bool = False) -> Pairs:
    """Pairs (i in ``centers``, j in ``neighbors``) with a distance below ``r_max`` (A).

    positions: (N,3) A, wrapped or not. cell: (3,3) A, rows are the cell vectors.
    centers, neighbors: indices of atoms. A pair of an atom with itself is left out, one with its
    own periodic image is not. freud searches one image of each atom, so a cell narrower than
    ``2 r_max`` is repeated first: every image counts, none twice.

    Raises
    ------
    ValueError
        positions or cell hold NaN, or the cell has no volume.
    """
    positions, cell = np.asarray(positions, float), np.asarray(cell, float)
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise ValueError("positions or cell hold NaN or infinity: look at the frame's source")
    if abs(np.linalg.det(cell)) < 1e-6:
        raise ValueError(f"the cell {cell.tolist()} has no volume: a periodic cell is needed")
    centers, neighbors = np.asarray(centers, int), np.asarray(neighbors, int)

    inverse = np.linalg.inv(cell)
    fractional = positions @ inverse
    repeats = np.floor(2 * r_max * (1 + 1e-5) * np.linalg.norm(inverse, axis=0)).astype(int) + 1
    images = np.array([image for image in np.ndindex(*repeats)])
    # Same lengths and angles, first vector along x: distances do not know the difference.
    lower = np.linalg.cholesky(cell @ cell.T) * repeats[:, None]
    wrapped = fractional - np.floor(fractional)

    def place(atoms, at):
        return (((wrapped[atoms] + at[:, None]) / repeats).reshape(-1, 3) - 0.5) @ lower

    box = freud.box.Box.from_matrix(lower.T)
    query = freud.locality.AABBQuery(box, place(neighbors, images))
    found = query.query(place(centers, images[:1]), {"r_max": r_max}).toNeighborList()
    image, j = np.divmod(found.point_indices, len(neighbors))
    i, j = centers[found.query_point_indices], neighbors[j]
    other = (i != j) | (image != 0)
    shift = None
    if shifts:
        bond = found.vectors[other] @ np.linalg.inv(lower) * repeats  # in units of the cell
        shift = np.rint(bond - (fractional[j] - fractional[i])[other]).astype(int)
    return Pairs(i[other], j[other], found.distances[other].astype(float), shift)


def select(symbols, element: str) -> np.ndarray:
    """Indices of the atoms of ``element``; raises ValueError when there are none."""
    symbols = np.asarray(symbols)
    found = np.flatnonzero(symbols == element)
    if not len(found):
        raise ValueError(
            f"no atom of element {element!r} in the structure; it has {sorted(set(symbols))}"
        )
    return found


def frames(positions, cells, symbols) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The three as arrays (F,N,3), (F,3,3), (N,); raises ValueError when they do not fit."""
    positions, cells = np.asarray(positions, float), np.asarray(cells, float)
    symbols = np.asarray(symbols)
    wanted = (len(positions), len(symbols), 3)
    if positions.shape != wanted or cells.shape != (len(positions), 3, 3):
        raise ValueError(
            f"positions {positions.shape}, cells {cells.shape} and {len(symbols)} symbols do not "
            "fit; they must be (frames, atoms, 3), (frames, 3, 3) and one symbol an atom"
        )
    if not len(positions):
        raise ValueError("no frames: the chosen range of the trajectory is empty")
    return positions, cells, symbols
