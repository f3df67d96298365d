"""What every finished run showed and could have shown: the rows of `observables.run_table`.

A row is found or made by the key of its run: shipped in ``data/validation/outcomes.json``, made
here in ``build/validation/outcomes.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import paths, provenance, waiting
from helpers.errors import Unfit
from helpers.md import thermo, trajectory
from helpers.observables import (
    density_stages,
    displacement,
    ligand_exchange,
    neighbors,
    run_table,
)
from helpers.recipes import runs

FILE = "outcomes.json"
_ESTIMATORS = 1  # counts up when the same run would give another row
TRIALS = 4  # falls put at each of five places, see `detection.power`: the seeds of a rate add up
_ABOUT = {  # columns that say which run it is
    "n_atoms": "atoms",
    "rate_K_per_ps": "heating_rate_K_per_ps",
    "seed": "seed",
    "coupling": "coupling",
    "pressure_bar": "pressure_bar",
    "from_K": "temperature_start_K",
    "to_K": "temperature_end_K",
}


def table(names: Iterable[str], trials: int = TRIALS) -> pd.DataFrame:
    """One row for each of these runs that is finished; of the others it is said that they are not.

    Columns: name, potential, those of ``_ABOUT``, those of `run_table.COLUMNS`.

    Raises
    ------
    recipes.catalogue.BadRecipe
        no such run.
    Unfit
        none of them is finished.
    """
    folders = {name: runs.find(name) for name in names}
    if missing := [name for name, folder in folders.items() if folder is None]:
        print(f"not finished, so not in the table: {', '.join(missing)}")
    found = [
        row
        for name, folder in waiting.bar(folders.items(), desc="outcomes of runs", unit="run")
        if folder is not None and (row := of(folder, trials)) is not None
    ]
    if not found:
        raise Unfit("none of these runs is finished and has a ramp: make run RUN=name")
    return pd.DataFrame(found)


def of(folder: Path, trials: int = TRIALS) -> dict | None:
    """The row of a finished run's folder, found or made; None where it ended before its ramp."""
    record = provenance.read(folder)
    key = provenance.key({"run": record["key"], "estimators": _ESTIMATORS, "trials": trials})
    kept = _kept()
    if key not in kept:
        row = _made(folder, trials)
        _keep(key, row)
    else:
        row = kept[key]
    if row is None:
        return None
    recipe = record["recipe"] | {"atoms": record["atoms"]}
    about = {column: recipe[field] for column, field in _ABOUT.items()}
    numbers = {k: np.nan if v is None else v for k, v in row.items()}
    return {"name": folder.name, "potential": record["potential"]} | about | numbers


def motion(folder: Path) -> run_table.Motion:
    """Bonds and melt criterion of a run's trajectory, from its ramp alone.

    A shipped trajectory is thinned: an event is known to a frame.
    """
    path = trajectory.read(folder)
    ramp = thermo.read(folder, equilibration=False)
    path = path[path.times_ps >= ramp["time_ps"].iloc[0] - 1e-6]
    if len(path) < 10:
        return run_table.Motion()
    bonds = ligand_exchange.bonds(
        path.positions, path.cells, path.symbols, path.times_ps, path.temperatures_K
    )
    zinc = neighbors.select(path.symbols, "Zn")
    apart = neighbors.pairs(path.positions[0], path.cells[0], zinc, zinc, 10.0).distance.min()
    moved = displacement.rmsd(path.positions, path.symbols, cells=path.cells)["Zn"]
    melt = density_stages.stays_above(path.temperatures_K, moved, apart / 2)
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
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(file.read_text()) if file.is_file() else {}
    part = file.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(kept | {key: row}, indent=1) + "\n")
    part.replace(file)
