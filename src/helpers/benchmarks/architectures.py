"""Networks compared: error on test trajectories, by phase, against the cost of an MD step.

Each setting differs in few parameters from the first one and is trained on the same frames for the
same number of steps, from its own random weights; the paper's networks are among them. ``make
bench-nets`` trains (or reuses) one after the other as potentials ``arch-<name>``, times their MD on
one core, and writes ``build/bench/architectures.json``; after an interruption it continues. A
shipped table is in ``data/bench``.

Units: A, eV/A, meV/atom; core-us per atom and step.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import paths, provenance, structures
from helpers.benchmarks import record
from helpers.errors import Unfit, nearest
from helpers.frames import correction, dataset
from helpers.md import force_field, fused, lammps
from helpers.potentials import conversion, evaluation, store, training
from helpers.recipes import catalogue
from helpers.validation import accuracy

COST_SET = "crystal_0300"  # of the two steps that a net needs to be timed
JUDGED = 8  # frames of each test set
STEPS = 8000
#: the paper's embedding and fitting nets are the defaults of `training.Recipe`; it does not say
#: axis_neuron. Neighbours in the densest frames: 27/27/21/6 within 6 A, 42/42/31/8 within 7 A,
#: 62/60/41/13 within 8 A.
PAPER = {"axis_neuron": 16}
# three layers of a multiple of 48: other nets are evaluated by TensorFlow, and slower for it
NARROW = {"neuron": (16, 32, 64), "axis_neuron": 8, "fitting": (144, 144, 144)}
SETTINGS: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    "narrow": NARROW,
    "axis 8": {"axis_neuron": 8},
    "axis 4": {"axis_neuron": 4},
    "narrow, 7 A": NARROW | {"rcut": 7.0, "sel": (48, 48, 36, 10)},
    "narrow, 8 A": NARROW | {"rcut": 8.0, "sel": (70, 70, 48, 15)},
    "narrow, axis 4": NARROW | {"axis_neuron": 4},
    "narrow, axis 16": NARROW | {"axis_neuron": 16},
    "narrower": NARROW | {"neuron": (8, 16, 32), "fitting": (96, 96, 96)},
    "narrow, two layers": NARROW | {"fitting": (128, 128)},
    "paper, 7 A": PAPER | {"rcut": 7.0, "sel": (48, 48, 36, 10)},
}


def recipe(name: str, steps: int = STEPS) -> training.Recipe:
    """The training of a setting, on all sets of the next potential with corrected labels.

    Parameters
    ----------
    name : str
        Name of the setting.
    steps : int
        Training steps.

    Returns
    -------
    training.Recipe
        The recipe.

    Raises
    ------
    Unfit
        There is no such setting.
    """
    if name not in SETTINGS:
        raise Unfit(
            f"no setting {name!r}{nearest(name, SETTINGS)} (there are: {', '.join(SETTINGS)})"
        )
    return training.Recipe(
        sets=tuple(catalogue.group("compared")), steps=steps, corrected=True, seed=31,
        learning_rate=(2e-3, 1e-5), prefactor_energy=(0.1, 50), prefactor_force=(1000, 20),
        prefactor_virial=(0.02, 4), **SETTINGS[name],
    )  # fmt: skip


def errors(potential: str | Path | store.Potential) -> list[dict]:
    """Errors by group against corrected labels; energies with and without their mean error.

    Parameters
    ----------
    potential : str, Path or Potential
        The potential.

    Returns
    -------
    list of dict
        A row for each group.
    """
    laws, found = correction.of(store.load(potential).directory), []
    for group, sets in accuracy.TEST_SETS.items():
        said = [
            evaluation.evaluate(potential, dataset.thinned(correction.load(s, None, laws), JUDGED))
            for s in sets
            if s in dataset.names()
        ]
        if said:
            found.append({"group": group} | evaluation.of_phase(said))
    return found


def cost(potential: str | Path | store.Potential, seconds: int = 20) -> list[dict]:
    """Cost of an MD step on one core, for 272 and 2176 atoms, as a run would make it.

    That is by the fused evaluation where it knows the nets, else by the tabulated potential in
    TensorFlow; ``fused`` of a row says which.

    Parameters
    ----------
    potential : str, Path or Potential
        The potential.
    seconds : int
        Approximate duration of each measurement, s.

    Returns
    -------
    list of dict
        Rows of `lammps.time_lammps`.
    """
    force = force_field.deepmd_lines(conversion.compress(potential))
    cell = structures.load("ZIF-4")
    whole = fused.proven(potential, cell)
    rows = []
    for n in (1, 2):
        atoms = structures.supercell(cell, (n, n, n))
        row = lammps.time_lammps(atoms, force, 1, 1, seconds, fused=whole)
        rows.append(row | {"fused": whole is not None})
    return rows


def measure(
    names: Sequence[str] = tuple(SETTINGS),
    steps: int = STEPS,
    file: Path | None = None,
    *,
    cost_only: bool = False,
) -> Path:
    """Train, evaluate and time the settings that the record does not have yet.

    Parameters
    ----------
    names : sequence of str
        Settings.
    steps : int
        Training steps.
    file : Path, optional
        JSON file; by default in ``build/bench``.
    cost_only : bool
        Two training steps on one set and no errors: what an MD step costs does not depend on the
        weights.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    Unfit
        There is no such setting.
    DPFailed
        A training failed.
    LammpsDied
        LAMMPS does not run.
    """
    file = Path(file or record.made("architectures"))
    for name in names:
        plan = recipe(name, steps)
        if cost_only:
            plan = replace(plan, steps=2, sets=(COST_SET,), corrected=False)
        rows = json.loads(file.read_text())["rows"] if file.is_file() else []
        key = provenance.key(plan.as_dict())
        if any(row["key"] == key for row in rows):
            print(f"[reused] {paths.relative(file)}: {name}", flush=True)
            continue
        made = training.train(plan, "arch-" + name.replace(", ", "-").replace(" ", ""), threads=1)
        rows = [row for row in rows if (row["name"], row["steps"]) != (name, plan.steps)]
        rows.append(
            {
                "name": name,
                "key": key,
                "steps": plan.steps,
                "changes": SETTINGS[name],
                "training_seconds": made.provenance["seconds"],
                "errors": [] if cost_only else errors(made),
                "cost": cost(made),
            }
        )
        made_on = {"hardware": provenance.hardware(), "versions": provenance.versions()}
        record.write(file, made_on | {"rows": rows})
    return file


def read(file: Path | None = None) -> dict:
    """The record of this benchmark.

    Parameters
    ----------
    file : Path, optional
        JSON file; by default the shipped one.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    NotThere
        There is no measurement.
    """
    return record.read("architectures", file)


def table(measured: dict) -> pd.DataFrame:
    """Cost and errors of each setting.

    Parameters
    ----------
    measured : dict
        The record of the benchmark.

    Returns
    -------
    DataFrame
        A row for each setting: name, steps, core_us_272 and core_us_2176 (processor time of LAMMPS
        per atom and step), the errors of `evaluation.ERRORS` over all groups,
        energy_between_phases_meV_per_atom (the largest difference of the mean energy errors of two
        groups), and the force errors of each group in columns of its name.
    """
    result = []
    for row in measured["rows"]:
        said = row["errors"]
        bias = [e["energy_bias_meV_per_atom"] for e in said]
        result.append({
            "name": row["name"], "steps": row["steps"],
            **{f"core_us_{c['atoms']}": c["cpu_us_per_atom_step"] for c in row["cost"]},
            **evaluation.over_all([e | {"n_frames": e["frames"]} for e in said]),
            "energy_between_phases_meV_per_atom": float(np.ptp(bias)) if bias else np.nan,
            **{e["group"]: e["force_rmse_eV_per_A"] for e in said},
        })  # fmt: skip
    return pd.DataFrame(result)
