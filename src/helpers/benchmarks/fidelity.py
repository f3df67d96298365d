"""Effect of what makes a potential fast on its forces.

Between the trained networks and the forces of a run are single precision, the tables that ``dp
compress`` makes of the embedding networks, and the inner loops of `helpers.md.kernels`. The tables
hold fifth-order polynomials, one for each ``step`` of the switched inverse distance in units of its
standard deviation (Lu et al., J. Chem. Theory Comput. 18, 5559 (2022)). The reference is the same
weights in double precision, without tables.

Units: eV/A; energies in meV per atom; step is dimensionless.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import dpdata
import numpy as np

from helpers import provenance, structures
from helpers.benchmarks import record
from helpers.frames import dataset
from helpers.md import force_field, kernels, lammps
from helpers.potentials import conversion, store
from helpers.recipes import catalogue

STEPS = (0.01, 0.02, 0.05, 0.1)


def compare(
    potential: str | Path,
    systems: Mapping[str, dpdata.LabeledSystem] | None = None,
    steps: Sequence[float] = STEPS,
) -> list[dict]:
    """Forces and energies of the fast versions of a potential against its double precision.

    Parameters
    ----------
    potential : str or Path
        The potential.
    systems : mapping of str to dpdata.LabeledSystem, optional
        Name -> frames; by default the last frame of every test set.
    steps : sequence of float
        Steps of the tables.

    Returns
    -------
    list of dict
        A row for the frozen model as it is, for its table with each step, and for the first of
        these in LAMMPS with the loops of DeePMD-kit's wheel and with those compiled here. Keys:
        model, step, size_MiB, n_frames, force_max_eV_per_A (largest difference of a component),
        force_rms_eV_per_A, energy_max_meV_per_atom.

    Raises
    ------
    BadPotential
        The potential cannot be read.
    DPFailed
        A version cannot be made.
    LammpsDied
        LAMMPS does not run with it.
    """
    if systems is None:
        systems = {name: dataset.load(name).sub_system([-1]) for name in catalogue.test_sets_here()}
    exact = [
        _predicted(conversion.double_precision(potential), system) for system in systems.values()
    ]
    frozen, tables = (
        store.load(potential).file,
        {s: conversion.compress(potential, s) for s in steps},
    )
    versions = [("frozen, float32", None, frozen, None)]
    versions += [("table", step, file, None) for step, file in tables.items()]
    versions.append(("table, LAMMPS", steps[0], tables[steps[0]], False))
    if kernels.library() is not None:
        versions.append(("table, LAMMPS, native", steps[0], tables[steps[0]], True))
    rows = []
    for name, step, file, native in versions:
        said = [
            _predicted(file, system) if native is None else _in_lammps(file, system, native)
            for system in systems.values()
        ]
        force = np.concatenate(
            [(mine[1] - true[1]).ravel() for mine, true in zip(said, exact, strict=True)]
        )
        energy = [
            np.abs(mine[0] - true[0]).max() / true[1].shape[1]
            for mine, true in zip(said, exact, strict=True)
        ]
        rows.append(
            {
                "model": name,
                "step": step,
                "size_MiB": file.stat().st_size / 2**20,
                "n_frames": sum(len(mine[0]) for mine in said),
                "force_max_eV_per_A": float(np.abs(force).max()),
                "force_rms_eV_per_A": float(np.sqrt(np.mean(force**2))),
                "energy_max_meV_per_atom": float(1e3 * max(energy)),
            }
        )
    return rows


def _predicted(file: Path, system: dpdata.LabeledSystem) -> tuple[np.ndarray, np.ndarray]:
    """Energies (F,) and forces (F, N, 3)."""
    with store.quiet():
        energy, force, _ = store.check_potential(file).eval(
            system["coords"].reshape(len(system), -1),
            system["cells"].reshape(len(system), -1),
            system["atom_types"],
        )
    return energy.ravel(), force.reshape(len(system), -1, 3)


def _in_lammps(
    file: Path, system: dpdata.LabeledSystem, native: bool
) -> tuple[np.ndarray, np.ndarray]:
    said = [
        lammps.single_point(atoms, force_field.deepmd_lines(file), native=native)
        for atoms in structures.images(system)
    ]
    return np.array([energy for energy, _ in said]), np.array([force for _, force in said])


def measure(potential: str = "atp", file: Path | None = None) -> Path:
    """Run `compare` on the last frame of every test set and write the record.

    Parameters
    ----------
    potential : str
        Name of the potential.
    file : Path, optional
        JSON file; by default in ``build/bench``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    BadPotential
        As `compare`.
    DPFailed
        As `compare`.
    LammpsDied
        As `compare`.
    """
    return record.write(
        file or record.made("fidelity"),
        {
            "potential": potential,
            "potential_sha256": store.load(potential).sha256,
            "frames": f"the last frame of {', '.join(catalogue.test_sets_here())}",
            "hardware": provenance.hardware(),
            "versions": provenance.versions(),
            "rows": compare(potential),
        },
    )
