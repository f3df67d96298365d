"""Accessible void fraction: the part of the volume that is outside all atoms."""

from __future__ import annotations

import numpy as np
from ase.data import atomic_numbers, vdw_radii
from numba import njit

from helpers import structures
from helpers.errors import Unfit
from helpers.observables import neighbors


def void_fraction(positions, cell, symbols, probe: float = 1.2, spacing: float = 0.4) -> float:
    """Fraction of the cell's volume that the centre of a spherical probe can occupy.

    A grid point counts as void if it is farther than van der Waals radius plus probe radius from
    every atom (radii: Alvarez, Dalton Trans. 42, 8617 (2013), as in ASE; Bondi's for H, C and N).
    Closed pores are included.

    Parameters
    ----------
    positions : (N, 3) array
        A, wrapped or not.
    cell : (3, 3) array
        A, rows are the cell vectors.
    symbols : (N,) sequence of str
        Chemical symbols.
    probe : float
        Radius of the probe, A; zero gives the volume outside the atoms.
    spacing : float
        Approximate distance between grid points, A.

    Returns
    -------
    float
        Void fraction, between 0 and 1.

    Raises
    ------
    Unfit
        NaN, a cell without volume, a spacing that is not positive, a negative probe radius, or an
        element without a van der Waals radius.
    """
    positions, cell = neighbors.checked(positions, cell)
    if spacing <= 0 or probe < 0:
        raise Unfit(f"spacing {spacing} A must be positive, probe {probe} A not negative")
    numbers = [atomic_numbers[s] for s in structures.elements(symbols)]
    radius = vdw_radii[numbers] + probe
    if np.isnan(radius).any():
        missing = sorted({s for s, r in zip(symbols, radius, strict=True) if np.isnan(r)})
        raise Unfit(f"no van der Waals radius for {', '.join(missing)}")
    shape = np.maximum(1, np.ceil(np.linalg.norm(cell, axis=1) / spacing)).astype(np.int64)
    reach = radius[:, None] * np.linalg.norm(np.linalg.inv(cell), axis=0) * shape
    free = np.ones(tuple(shape), np.bool_)
    neighbors.announce_compilation(_fill_spheres)
    _fill_spheres(
        free, positions @ np.linalg.inv(cell) * shape, cell / shape[:, None], radius, reach
    )
    return float(free.mean())


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_spheres(free, at, step, radius, reach):
    nx, ny, nz = free.shape
    for i in range(len(at)):
        for x in range(int(np.ceil(at[i, 0] - reach[i, 0])), int(at[i, 0] + reach[i, 0]) + 2):
            for y in range(int(np.ceil(at[i, 1] - reach[i, 1])), int(at[i, 1] + reach[i, 1]) + 2):
                u, v = x - at[i, 0], y - at[i, 1]
                px = u * step[0, 0] + v * step[1, 0]
                py = u * step[0, 1] + v * step[1, 1]
                pz = u * step[0, 2] + v * step[1, 2]
                for z in range(
                    int(np.ceil(at[i, 2] - reach[i, 2])), int(at[i, 2] + reach[i, 2]) + 2
                ):
                    w = z - at[i, 2]
                    dx, dy, dz = px + w * step[2, 0], py + w * step[2, 1], pz + w * step[2, 2]
                    if dx * dx + dy * dy + dz * dz < radius[i] * radius[i]:
                        free[x % nx, y % ny, z % nz] = False
