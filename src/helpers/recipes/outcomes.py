"""What every finished run showed and could have shown: the rows of `observables.run_table`.

A row is found or made by the key of its run: shipped in ``data/validation/outcomes.json``, made
here in ``build/validation/outcomes.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import paths, provenance, waiting
from helpers.md import heating, thermo, trajectory
from helpers.md.protocol import HeatingRun
from helpers.md.run import Run, Runs
from helpers.observables import (
    cell_shape,
    density_stages,
    displacement,
    equilibration,
    ligand_exchange,
    run_table,
)
from helpers.recipes import catalogue

FILE = "outcomes.json"
_ESTIMATORS = 2  # counts up when the same run would give another row
TRIALS = 4  # falls put at each of five places, see `detection.power`: the seeds of a rate add up
ABOUT = (
    "name", "key", "potential", "n_atoms", "rate_K_per_ps", "seed", "coupling", "pressure_bar",
    "from_K", "to_K", "frame_K", "unsettled", "start_density", "start_error", "middle_density",
)  # fmt: skip


def of_runs(finished: Iterable[Run], trials: int = TRIALS) -> pd.DataFrame:
    """One row for each of these runs; those that ended before their ramp have none.

    Parameters
    ----------
    finished : iterable of Run
        The runs.
    trials : int
        As for `run_table.row`.

    Returns
    -------
    DataFrame
        The columns of ``ABOUT``, then those of `run_table.COLUMNS`: name and key of the run,
        potential, structure and conditions; frame_K, the change of temperature between two frames;
        unsettled, why it was not in equilibrium before its ramp (empty if it was); start_density
        and start_error, the mean density there and its standard error, g/cm3; middle_density, the
        mean density of the ramp in `run_table.MIDDLE_K`, g/cm3, NaN if it does not cover that.
    """
    found = waiting.bar(list(finished), desc="outcomes of runs", unit="run", leave=False)
    rows = [row for run in found if (row := of(run, trials)) is not None]
    return pd.DataFrame(rows, columns=[*ABOUT, *run_table.COLUMNS])


def alike(run: Run, trials: int = TRIALS, *, any_cell: bool = False) -> pd.DataFrame:
    """The rows of a run and of all finished ones of data/runs.yaml that are alike.

    They heat the same cell by the same potential under the same pressure, at any rate and with any
    seed. A run that is the first part of another one of them (same cell, rate and seed, but it
    ends earlier) is no seed of its own and is left out.

    Parameters
    ----------
    run : Run
        The run.
    trials : int
        As for `run_table.row`.
    any_cell : bool
        Whether cells of the same structure that differ in size or shape (supercell, coupling of
        the barostat) count as alike, too.

    Returns
    -------
    DataFrame
        As `of_runs`.
    """
    return of_runs(runs_alike(run, any_cell=any_cell), trials)


def runs_alike(run: Run, *, any_cell: bool = False) -> Runs:
    """The runs of which `alike` has the rows.

    Parameters
    ----------
    run : Run
        The run.
    any_cell : bool
        As for `alike`.

    Returns
    -------
    Runs
        The run itself and the others.
    """
    mine = _conditions(run.recipe, any_cell)
    found = [run]
    for name in catalogue.run_names():
        plan = catalogue.run_recipe(name)
        heats = plan.heating_rate_K_per_ps and plan.temperature_end_K > plan.temperature_start_K
        if heats and plan.after is None and _conditions(plan, any_cell) == mine:
            found += [other for other in [heating.find(plan)] if other is not None]
    return Runs(without_parts(found))


def cooled_back(finished: Iterable[Run], trials: int = TRIALS) -> pd.DataFrame:
    """Runs that cool beside those that they go on from.

    Parameters
    ----------
    finished : iterable of Run
        Runs that cool, each from where a heating run ended.
    trials : int
        As for `run_table.row`.

    Returns
    -------
    DataFrame
        The row of each heating run as in `of_runs`, under its name, and those of the run that
        cools (in which temperature is reversed) with ``cooled_`` before the columns of
        `run_table.COLUMNS`. A heating run that is not here is replaced by one that is the same as
        far as it goes; without one, a line says so.
    """
    rows = []
    for run in finished:
        plan = run.recipe.after
        heated = None if plan is None else heating.find(plan) or _longer(plan)
        if heated is None:
            print(f"left out: {run.name}, since the run that it goes on from is not here")
            continue
        up, down = of(heated, trials), of(run, trials)
        if up is not None and down is not None:
            rows.append(up | {f"cooled_{name}": down[name] for name in run_table.COLUMNS})
    columns = [*ABOUT, *run_table.COLUMNS, *(f"cooled_{name}" for name in run_table.COLUMNS)]
    return pd.DataFrame(rows, columns=columns)


def departures(finished: Iterable[Run], table: pd.DataFrame) -> dict[str, cell_shape.Departure]:
    """Whether cells that may change their shape do so before their density falls.

    Parameters
    ----------
    finished : iterable of Run
        The runs; isotropic ones and those at constant volume are passed over.
    table : DataFrame
        Their rows of `of_runs`.

    Returns
    -------
    dict of str to Departure
        Name of the run -> result of `cell_shape.departs`.
    """
    falls, found = table.set_index("name")["Tf_K"], {}
    for run in finished:
        if run.recipe.coupling not in ("aniso", "tri") or run.name not in falls:
            continue
        ramp, before = run.ramp, falls[run.name]
        found[run.name] = cell_shape.departs(
            ramp["target_temperature_K"], ramp["time_ps"],
            ramp[["cell_a_A", "cell_b_A", "cell_c_A"]],
            ramp[["cell_alpha_deg", "cell_beta_deg", "cell_gamma_deg"]],
            before if np.isfinite(before) else np.inf,
        )  # fmt: skip
    return found


def _longer(plan: HeatingRun) -> Run | None:
    """A finished run of which this one is the first part."""
    for name in catalogue.run_names():
        other = catalogue.run_recipe(name)
        same = (*_conditions(plan), *_path(plan)) == (*_conditions(other), *_path(other))
        if same and other.after is None and other.temperature_end_K > plan.temperature_end_K:
            found = heating.find(other)
            if found is not None:
                return found
    return None


def without_parts(finished: Iterable[Run]) -> list[Run]:
    """These runs without those that are the first part of another one of them.

    A run is that if it differs from the other in nothing but that it ends at a lower temperature.

    Parameters
    ----------
    finished : iterable of Run
        The runs.

    Returns
    -------
    list of Run
        Of each such group the run that goes farthest.
    """
    whole: dict[tuple, Run] = {}
    for run in finished:
        path = (*_conditions(run.recipe), *_path(run.recipe))
        longest = whole.setdefault(path, run)
        if run.recipe.temperature_end_K > longest.recipe.temperature_end_K:
            whole[path] = run
    return list(whole.values())


def of(folder: Run | Path, trials: int = TRIALS) -> dict | None:
    """The row of a finished run, found or made.

    Parameters
    ----------
    folder : Run or Path
        The run, or its folder.
    trials : int
        As for `run_table.row`.

    Returns
    -------
    dict or None
        Column -> value, as `of_runs`; None if the run ended before its ramp.
    """
    run = folder if isinstance(folder, Run) else Run.read(folder)
    key = provenance.key({"run": run.key, "estimators": _ESTIMATORS, "trials": trials})
    kept = _kept()
    if key not in kept:
        row = _made(run.directory, trials)
        _keep(key, row)
    else:
        row = kept[key]
    if row is None:
        return None
    numbers = {k: np.nan if v is None else v for k, v in row.items()}
    return _about(run) | numbers


def _about(run: Run) -> dict:
    every_ps = run.recipe.frame_every_ps * run.provenance.get("thinned", 1)
    values = (
        run.name, run.key, run.potential, run.atoms, run.rate, run.seed, run.recipe.coupling,
        run.recipe.pressure_bar, run.recipe.temperature_start_K, run.recipe.temperature_end_K,
        run.rate * every_ps, *_before(run), _middle(run),
    )  # fmt: skip
    return dict(zip(ABOUT, values, strict=True))


def _middle(run: Run) -> float:
    T, (low, high) = run.ramp["target_temperature_K"], run_table.MIDDLE_K
    if T.min() > low or T.max() < high - 1:  # the last row may lie a step before the end
        return np.nan
    return float(run.ramp["density_g_cm3"][T.between(low, high)].mean())


def _before(run: Run) -> tuple[str, float, float]:
    """Why a run was not in equilibrium before its ramp ("" if it was), its density, the error."""
    rows = run.thermo[run.thermo["time_ps"] < run.ramp["time_ps"].iloc[0] - 1e-6]
    if rows.empty:
        return ("" if run.recipe.after else "it was not equilibrated"), np.nan, np.nan
    time = rows["time_ps"]
    density = equilibration.judge(time, rows["density_g_cm3"])
    pressure = equilibration.judge(time, rows["pressure_bar"], run.recipe.pressure_bar)
    judged = {"density": density, "pressure": pressure}
    reasons = [f"{what}: {verdict.reason}" for what, verdict in judged.items() if not verdict.ok]
    return "; ".join(reasons), density.mean, density.error


def _conditions(plan: HeatingRun, any_cell: bool = False) -> tuple:
    """All that runs share that differ in their rate, range, seed and beginning alone."""
    cell = () if any_cell else (tuple(plan.supercell), plan.coupling)
    return (
        plan.structure, *cell, plan.potential, plan.pressure_bar,
        plan.hydrogen_mass_u, plan.segment_K, plan.volume_A3_per_atom,
    )  # fmt: skip


def _path(plan: HeatingRun) -> tuple:
    """What two runs have in common that are the same up to the end of the shorter one."""
    return (
        plan.heating_rate_K_per_ps, plan.seed, plan.temperature_start_K, plan.equilibration_ps,
        plan.relaxed, plan.timestep_fs, plan.frame_every_ps,
    )  # fmt: skip


def motion(folder: Path) -> run_table.Motion:
    """Bonds and melt criterion of a run's trajectory, from its ramp alone.

    The melt criterion is met from the temperature on at which the root-mean-square displacement of
    Zn stays above half of the shortest Zn-Zn distance of the first frame. A shipped trajectory is
    thinned: the time of an event is known to the distance of two frames.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Returns
    -------
    run_table.Motion
        Bonds, temperature of the criterion and highest temperature of the frames, K; empty with
        fewer than ten frames.
    """
    path = trajectory.read(folder)
    ramp = thermo.read(folder, equilibration=False)
    path = path[path.times_ps >= ramp["time_ps"].iloc[0] - 1e-6]
    if len(path) < 10:
        return run_table.Motion()
    bonds = ligand_exchange.bonds(
        path.positions, path.cells, path.symbols, path.times_ps, path.temperatures_K
    )
    half_A = displacement.half_way(path.positions, path.cells, path.symbols)
    moved = displacement.rmsd(path.positions, path.symbols, cells=path.cells)["Zn"]
    melt = density_stages.stays_above(path.temperatures_K, moved, half_A)
    return run_table.Motion(bonds, melt, float(path.temperatures_K.max()))


def _made(folder: Path, trials: int) -> dict | None:
    ramp = thermo.read(folder, equilibration=False)
    if len(ramp) < 3 or ramp["target_temperature_K"].nunique() < 3:
        return None
    seen = run_table.row(
        ramp["target_temperature_K"], ramp["density_g_cm3"], ramp["time_ps"], motion(folder), trials
    )
    return {k: float(v) if np.isfinite(v) else None for k, v in seen.items()}


def _kept() -> dict:
    found = {}
    for file in (paths.shipped("validation", FILE), paths.made("validation", FILE)):
        if file.is_file():
            found |= json.loads(file.read_text())
    return found


def _keep(key: str, row: dict | None) -> None:
    file = paths.made("validation", FILE)
    kept = json.loads(file.read_text()) if file.is_file() else {}
    provenance.write_text(file, json.dumps(kept | {key: row}, indent=1) + "\n")
