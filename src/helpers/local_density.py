"""Atoms counted in small boxes: the local number density as a map and as a distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LocalDensity:
    """counts: (F,nx,ny,nz) atoms a box. density: (F,nx,ny,nz) atoms/A^3.

    edges: (3,) A, the true edges of a box along the cell vectors, mean over frames: the cell is
    cut into the whole number of boxes that comes nearest to the edge asked for.
    """

    counts: np.ndarray
    density: np.ndarray
    edges: np.ndarray

    def distribution(self) -> tuple[np.ndarray, np.ndarray]:
        """(density in atoms/A^3, share of boxes), one entry for each whole number of atoms.

        Over all boxes and frames; the number of atoms is divided by the mean volume of a box.
        """
        share = np.bincount(self.counts.ravel()) / self.counts.size
        return np.arange(len(share)) * self.density.mean() / self.counts.mean(), share

    def slice(self, axis: int = 2, frames=slice(None)) -> np.ndarray:
        """Density (atoms/A^3) averaged over ``frames`` and along ``axis``: a map to look at."""
        return self.density[frames].mean(axis=(0, axis + 1))


def local_density(positions, cells, edge: float = 5.0) -> LocalDensity:
    """Count the atoms in boxes of about ``edge`` (A) that fill the cell.

    Boxes are parallelepipeds along the cell vectors and breathe with the cell, so that every
    point belongs to one box and the mean over boxes is N/V. Atoms outside the cell are wrapped
    into it.

    positions: (F,N,3) A. cells: (F,3,3) A. Raises ValueError for shapes that do not fit, NaN, or
    an edge that is not positive.
    """
    positions, cells = np.asarray(positions, float), np.asarray(cells, float)
    if positions.ndim != 3 or cells.shape != (len(positions), 3, 3) or not len(positions):
        raise ValueError(
            f"positions {positions.shape} and cells {cells.shape} do not fit: "
            "(frames, atoms, 3) and (frames, 3, 3) are needed, one frame at least"
        )
    if edge <= 0 or not (np.isfinite(positions).all() and np.isfinite(cells).all()):
        raise ValueError("local density needs a positive edge and finite positions and cells")
    length = np.linalg.norm(cells, axis=2).mean(axis=0)
    shape = np.maximum(1, np.rint(length / edge).astype(int))
    fractional = np.einsum("fni,fij->fnj", positions, np.linalg.inv(cells))
    # min: a coordinate of -1e-17 wraps to exactly 1.0
    box = np.minimum((fractional % 1.0 * shape).astype(int), shape - 1)
    flat = np.ravel_multi_index(tuple(np.moveaxis(box, 2, 0)), shape)
    counts = np.stack([np.bincount(f, minlength=shape.prod()) for f in flat])
    volume = np.abs(np.linalg.det(cells)) / shape.prod()
    counts = counts.reshape(-1, *shape)
    return LocalDensity(counts, counts / volume[:, None, None, None], length / shape)
