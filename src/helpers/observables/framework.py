"""A framework in numbers, to set a glass beside its crystal: density, bonds, rings, pores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from ase.data import atomic_masses, atomic_numbers

from helpers import units
from helpers.observables import coordination, ligand_exchange, network, void_fraction


def described(
    frames: Sequence[tuple[np.ndarray, np.ndarray]], symbols, cutoff: float = 2.5
) -> dict[str, float]:
    """Means over frames of what tells a glass of Zn(im)2 from a crystal.

    Parameters
    ----------
    frames : sequence of ((N,3) array, (3,3) array)
        positions and cell of each frame, A; each is taken for itself.
    symbols : (N,) array of str
        chemical symbols.
    cutoff : float
        Zn-N pairs nearer than this are bonds, A.

    Returns
    -------
    dict
        density (g/cm3), Zn with fewer than four N (%), N around a Zn, pieces of the network, rings
        of four, five, six, and seven or more Zn for each Zn, void (%).

    Raises
    ------
    Unfit
        see `coordination.coordination_number` and `network.rings`.
    """
    return (
        pd.DataFrame([_one(*frame, np.asarray(symbols), cutoff) for frame in frames])
        .mean()
        .to_dict()
    )


def _one(positions, cell, symbols, cutoff) -> dict[str, float]:
    mass = atomic_masses[[atomic_numbers[symbol] for symbol in symbols]].sum()
    numbers = coordination.coordination_number(
        positions[None], cell[None], symbols, "Zn", "N", cutoff
    )
    bonds = ligand_exchange.bonds(
        positions[None], cell[None], symbols, cutoff=cutoff, release=cutoff
    )
    net = network.of_frame(bonds, 0)
    rings = network.rings(net) / len(bonds.metal)
    return {
        "density (g/cm³)": float(units.density_g_cm3(mass, abs(np.linalg.det(cell)))),
        "N around a Zn": float(numbers.mean()),
        "Zn with fewer than four N (%)": 100 * float(coordination.undercoordinated(numbers)[0]),
        "pieces of the network": float(net.pieces),
        "rings of 4 Zn": float(rings[4]),
        "rings of 5 Zn": float(rings[5]),
        "rings of 6 Zn": float(rings[6]),
        "rings of 7 Zn or more": float(rings[7:].sum()),
        "void (%)": 100 * void_fraction.void_fraction(positions, cell, symbols),
    }
