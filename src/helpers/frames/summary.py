"""What is in a set of frames: distances, neighbours, densities, forces. Units: A, g/cm3, eV/A."""

from __future__ import annotations

import warnings

import dpdata
import numpy as np
import pandas as pd
from ase.cell import Cell
from ase.data import atomic_masses, atomic_numbers

from helpers import structures, units

# ---------------------------------------------------------------- what a set holds


def closest_distances(system: dpdata.LabeledSystem) -> pd.DataFrame:
    """Closest distance of each pair of elements in each frame, over periodic images.

    An atom and its own image are no pair.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    DataFrame
        Distances, A; a row for each frame, columns ``C-C``, ``C-H`` ... in the order of TYPE_MAP.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from MDAnalysis.lib.distances import self_distance_array

    i, j = np.triu_indices(system.get_natoms(), k=1)
    types = np.sort(np.stack([system["atom_types"][i], system["atom_types"][j]]), axis=0)
    code = types[0] * len(system["atom_names"]) + types[1]
    order = np.argsort(code, kind="stable")
    pairs, begin = np.unique(code[order], return_index=True)
    rows = []
    for cell, coords in zip(system["cells"], system["coords"], strict=True):
        # MDAnalysis wants a along x and b in the xy plane.
        cell = Cell(cell)
        standard, _ = cell.standard_form()
        xyz = (cell.scaled_positions(coords) % 1.0) @ standard.array
        d = self_distance_array(xyz.astype(np.float32), box=cell.cellpar())
        rows.append(np.minimum.reduceat(d[order], begin))
    elements = system["atom_names"]
    columns = [f"{elements[p // len(elements)]}-{elements[p % len(elements)]}" for p in pairs]
    return pd.DataFrame(rows, columns=columns)


def largest_neighbour_numbers(system: dpdata.LabeledSystem, cutoff: float) -> dict[str, int]:
    """Largest number of neighbours of each element that any atom has within a cutoff.

    This, and not the number of atoms in the cell, is what ``sel`` of a descriptor bounds.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    cutoff : float
        A.

    Returns
    -------
    dict of str to int
        Element -> number, for all elements of TYPE_MAP.
    """
    from ase.neighborlist import neighbor_list

    largest = dict.fromkeys(structures.TYPE_MAP, 0)
    for atoms in structures.images(system):
        center, neighbour = neighbor_list("ij", atoms, cutoff)
        symbols = np.asarray(atoms.symbols)
        for element in structures.TYPE_MAP:
            of_element = center[symbols[neighbour] == element]
            largest[element] = max(largest[element], *np.bincount(of_element, minlength=1))
    return {element: int(number) for element, number in largest.items()}


def densities(system: dpdata.LabeledSystem) -> np.ndarray:
    """Mass density of each frame.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    (F,) array
        Density, g/cm3.
    """
    mass = sum(
        n * atomic_masses[atomic_numbers[e]]
        for e, n in zip(system["atom_names"], system["atom_numbs"], strict=True)
    )
    volume = np.abs(np.linalg.det(system["cells"]))  # A^3
    return units.density_g_cm3(mass, volume)


def force_rms(system: dpdata.LabeledSystem) -> dict[str, float]:
    """Root-mean-square force component, over all atoms and for each element.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    dict of str to float
        ``all`` or element -> component, eV/A.
    """
    result = {"all": float(np.sqrt(np.mean(system["forces"] ** 2)))}
    for i, element in enumerate(system["atom_names"]):
        if (chosen := system["atom_types"] == i).any():
            result[element] = float(np.sqrt(np.mean(system["forces"][:, chosen] ** 2)))
    return result


def summary(system: dpdata.LabeledSystem) -> dict:
    """What a set holds, as plain data (units in the names).

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    dict
        Keys: n_frames, n_atoms, formula, temperature_K, strain, density_g_cm3, energy_eV_per_atom,
        pressure_GPa (ranges ``[low, high]``; None where unknown), energy_spread_meV_per_atom
        (standard deviation), force_rms_eV_per_A (per element and all), force_max_eV_per_A (largest
        component), virial_rms_eV_per_atom (None where unknown), closest_A (per pair, over all
        frames).
    """
    n_atoms = system.get_natoms()
    energy = system["energies"] / n_atoms
    volume = np.abs(np.linalg.det(system["cells"]))
    virials = np.asarray(system["virials"]) if "virials" in system.data else None
    counts = zip(system["atom_names"], system["atom_numbs"], strict=True)
    return {
        "n_frames": len(system),
        "n_atoms": n_atoms,
        "formula": "".join(f"{e}{n}" for e, n in counts if n),
        "temperature_K": _range(system.data.get("temperature_K")),
        "strain": _range(system.data.get("strain")),
        "density_g_cm3": _range(densities(system)),
        "energy_eV_per_atom": _range(energy),
        "energy_spread_meV_per_atom": float(1e3 * energy.std()),
        "force_rms_eV_per_A": force_rms(system),
        "force_max_eV_per_A": float(np.abs(system["forces"]).max()),
        "virial_rms_eV_per_atom":
            None if virials is None else float(np.sqrt(np.mean(virials**2)) / n_atoms),
        "pressure_GPa": None if virials is None else _range(
            np.trace(virials, axis1=1, axis2=2) / (3 * volume) * units.EV_PER_A3_IN_GPA
        ),
        "closest_A": {k: float(v) for k, v in closest_distances(system).min().items()},
    }  # fmt: skip


def _range(values) -> list[float] | None:
    return None if values is None else [float(np.min(values)), float(np.max(values))]
