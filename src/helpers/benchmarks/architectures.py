"""Networks compared: error on test trajectories, by phase, against the cost of an MD step.

Each setting differs in few parameters from the first one and is trained on the same frames for the
same number of steps, from its own random weights; the paper's networks are among them, and two
settings are trained again with other seeds, which tells what chance does. ``make bench-nets``
trains (or reuses) one after the other as potentials ``arch-<name>`` and writes
``build/bench/architectures.json``; after an interruption it continues. ``make bench-nets
ARGS=--cost`` then times an MD step of each on one core, all in turn: on a machine that computes
nothing else. The shipped record is in ``data/bench``.

Units: A, eV/A, meV/atom; core-us per atom and step.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
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

JUDGED = 8  # frames of each test set
#: labelled when some nets were trained already: all are judged by the same frames
TOO_LATE = "glass, as published"
STEPS = 3000
SEED = 31
#: the paper's embedding and fitting nets are the defaults of `training.Recipe`; it does not say
#: axis_neuron. Neighbours in the densest frames: 27/27/21/6 within 6 A, 42/42/31/8 within 7 A,
#: 62/60/41/13 within 8 A.
PAPER = {"axis_neuron": 16}
# three layers of a multiple of 48: other nets are evaluated by TensorFlow, and slower for it
NARROW = {"neuron": (16, 32, 64), "axis_neuron": 8, "fitting": (144, 144, 144)}
COLD = "paper, 300 K alone"  # other frames, not other nets: what DPMD-Test is trained on
SETTINGS: dict[str, dict[str, Any]] = {
    "paper": PAPER,
    "narrow": NARROW,
    "axis 8": {"axis_neuron": 8},
    "axis 4": {"axis_neuron": 4},
    "narrow, 7 A": NARROW | {"rcut": 7.0, "sel": (48, 48, 36, 10)},
    "narrow, 8 A": NARROW | {"rcut": 8.0, "sel": (70, 70, 48, 15)},
    "narrower": NARROW | {"neuron": (8, 16, 32), "fitting": (96, 96, 96)},
    "paper, 7 A": PAPER | {"rcut": 7.0, "sel": (48, 48, 36, 10)},
    "narrow, seed 32": NARROW | {"seed": 32},
    "paper, seed 32": PAPER | {"seed": 32},
    "narrow, seed 33": NARROW | {"seed": 33},
    COLD: PAPER | {"sets": "long_at_300_K"},
}


def recipe(name: str, steps: int = STEPS) -> training.Recipe:
    """The training of a setting, with corrected labels; on frames of all temperatures, but `COLD`.

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
    changes: dict[str, Any] = {"seed": SEED, "sets": "compared"} | SETTINGS[name]
    changes["sets"] = tuple(catalogue.group(changes["sets"]))
    return training.Recipe(
        steps=steps, corrected=True,
        learning_rate=(2e-3, 1e-5), prefactor_energy=(0.1, 50), prefactor_force=(1000, 20),
        prefactor_virial=(0.02, 4), **changes,
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
        if group == TOO_LATE:
            continue
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
    names: Sequence[str] = tuple(SETTINGS), steps: int = STEPS, file: Path | None = None
) -> Path:
    """Train and judge the settings that the record does not have yet.

    Parameters
    ----------
    names : sequence of str
        Settings.
    steps : int
        Training steps.
    file : Path, optional
        JSON file; by default in ``build/bench``.

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
    """
    file = Path(file or record.made("architectures"))
    for name in names:
        plan = recipe(name, steps)
        rows = _kept(file)["rows"]
        key = provenance.key(plan.as_dict())
        if any(row["key"] == key for row in rows):
            print(f"[reused] {paths.relative(file)}: {name}", flush=True)
            continue
        made = training.train(plan, _potential(name), threads=1)
        row = {
            "name": name,
            "key": key,
            "steps": steps,
            "changes": SETTINGS[name],
            "training_seconds": made.provenance["seconds"],
            "errors": errors(made),
        }
        _keep(file, {"rows": [r for r in rows if (r["name"], r["steps"]) != (name, steps)] + [row]})
    return file


def measure_cost(
    names: Sequence[str] = tuple(SETTINGS),
    steps: int = STEPS,
    file: Path | None = None,
    rounds: int = 2,
) -> Path:
    """Time an MD step of each setting of other nets, all in turn, as often as there are rounds.

    Parameters
    ----------
    names : sequence of str
        Settings; one that differs from an earlier one by its seed or frames is not timed again.
    steps : int
        Training steps of the potentials that are timed; they are trained where they are not there.
    file : Path, optional
        JSON file; by default in ``build/bench``.
    rounds : int
        How often.

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
    timed = [n for n in names if not {"seed", "sets"} & set(SETTINGS.get(n, {}))]
    ready = {
        name: training.train(recipe(name, steps), _potential(name), threads=1) for name in timed
    }
    found: dict[str, list[dict]] = {name: [] for name in timed}
    for turn in range(rounds):
        for name in timed:
            found[name] += [row | {"round": turn} for row in cost(ready[name])]
            print(f"[timed] {name}, round {turn + 1} of {rounds}", flush=True)
    _keep(file, {"costs": _kept(file)["costs"] | found})
    return file


def _potential(name: str) -> str:
    return "arch-" + name.replace(", ", "-").replace(" ", "")


def _kept(file: Path) -> dict:
    """Rows and costs of a record that may not be there yet."""
    return {"rows": [], "costs": {}} | (json.loads(file.read_text()) if file.is_file() else {})


def _keep(file: Path, new: dict) -> None:
    made_on = {"hardware": provenance.hardware(), "versions": provenance.versions()}
    record.write(file, _kept(file) | made_on | new)


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
        per atom and step, median over the rounds; of the same nets for another seed; NaN: not
        timed), fused, the errors of `evaluation.ERRORS` over all groups,
        energy_between_phases_meV_per_atom (the largest difference of the mean energy errors of two
        groups), and the force errors of each group in columns of its name.
    """
    result = []
    for row in measured["rows"]:
        said = row["errors"]
        bias = [e["energy_bias_meV_per_atom"] for e in said]
        costs = measured["costs"].get(row["name"].split(", seed")[0], [])
        result.append({
            "name": row["name"], "steps": row["steps"],
            **{f"core_us_{n}": _median_cost(costs, n) for n in (272, 2176)},
            "fused": costs[0]["fused"] if costs else None,
            **evaluation.over_all([e | {"n_frames": e["frames"]} for e in said]),
            "energy_between_phases_meV_per_atom": float(np.ptp(bias)) if bias else np.nan,
            **{e["group"]: e["force_rmse_eV_per_A"] for e in said},
        })  # fmt: skip
    return pd.DataFrame(result)


def missing(measured: dict) -> list[str]:
    """Settings that the record does not have.

    Parameters
    ----------
    measured : dict
        The record of the benchmark.

    Returns
    -------
    list of str
        Their names.
    """
    have = {row["name"] for row in measured["rows"]}
    return [name for name in SETTINGS if name not in have]


def _median_cost(costs: Sequence[dict], n_atoms: int) -> float:
    said = [c["cpu_us_per_atom_step"] for c in costs if c["atoms"] == n_atoms]
    return float(np.median(said)) if said else np.nan


@dataclass(frozen=True)
class Choice:
    """Which nets have the best force error for their cost.

    Attributes
    ----------
    best : str
        The setting of the least force error.
    chance_eV_per_A : float
        Standard deviation of the force error over seeds, pooled over the nets that were trained
        with several; NaN where none was.
    alike : tuple of str
        Settings whose error is not above the best by more than twice ``chance * sqrt(2)``.
    cheapest : str
        Of those, the one whose step costs least at 2176 atoms; empty: none was timed.
    """

    best: str
    chance_eV_per_A: float
    alike: tuple[str, ...]
    cheapest: str

    def __str__(self) -> str:
        if np.isnan(self.chance_eV_per_A):
            return f"`{self.best}` has the least force error; what chance does was not tried."
        alike = ", ".join(f"`{name}`" for name in self.alike)
        said = (
            f"`{self.best}` has the least force error. Chance moves an error by "
            f"{self.chance_eV_per_A:.3f} eV/Å (standard deviation over seeds); by that these are "
            f"not told apart from the best: {alike}."
        )
        return said + (f" Of these a step of `{self.cheapest}` costs least." * bool(self.cheapest))


def choice(measured: dict) -> Choice:
    """The nets to take: the cheapest of those that chance does not tell from the best.

    Nets trained with several seeds count with the mean of their errors; `COLD` is left out. The
    rule was fixed before the trainings (``book/estimators.md``).

    Parameters
    ----------
    measured : dict
        The record of the benchmark.

    Returns
    -------
    Choice
        The choice.

    Raises
    ------
    Unfit
        The settings were trained for different numbers of steps.
    """
    rows = table(measured)
    rows = rows[rows["name"] != COLD]
    if rows["steps"].nunique() != 1:
        raise Unfit("settings of different numbers of steps are not compared")
    by_net = rows.assign(net=rows["name"].str.split(", seed").str[0]).groupby("net", sort=False)
    error, seeds = by_net["force_rmse_eV_per_A"].mean(), by_net.size()
    squares = by_net["force_rmse_eV_per_A"].var().mul(seeds - 1)[seeds > 1]
    free = int((seeds[seeds > 1] - 1).sum())
    chance = float(np.sqrt(squares.sum() / free)) if free else float("nan")
    best = str(error.idxmin())
    limit = error[best] + (2 * np.sqrt(2) * chance if free else 0)
    alike = error[error <= limit]
    costs = by_net["core_us_2176"].first()[alike.index].dropna()
    return Choice(best, chance, tuple(alike.index), str(costs.idxmin()) if len(costs) else "")
