"""Energies of the reference less those of a potential, on saved frames of a run.

Units: meV/atom, bar, ps.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import provenance, units
from helpers.errors import Unfit
from helpers.frames import correction, reference
from helpers.md import heating, thermo, trajectory
from helpers.potentials import store
from helpers.recipes import catalogue
from helpers.validation import calculators, row_by_row

APART_PS = 5.0  # shorter times are correlated; shipped runs keep such frames
_COLUMNS = ("difference_meV_per_atom", "pressure_difference_bar")


def of_run(run: Path | str, potential: str, equilibration_ps: float) -> pd.DataFrame:
    """Energy and pressure of the reference, as published, less those of a potential.

    One frame takes some five seconds for 272 atoms. Kept by the content of run and potential:
    found if finished, continued after its last frame if interrupted.

    Parameters
    ----------
    run : Path or str
        Directory of a finished run.
    potential : str
        The potential.
    equilibration_ps : float
        Time before the first frame, ps.

    Returns
    -------
    DataFrame
        A row for each frame, `APART_PS` apart: time_ps, difference_meV_per_atom (energy) and
        pressure_difference_bar, of the configuration, without its kinetic part.

    Raises
    ------
    ReferenceUnavailable
        There is no kept result, and the reference is not on this machine.
    Unfit
        The run has saved fewer than two such frames.
    NoProvenance
        The run is unfinished.
    NotThere
        The run has no table or no trajectory.
    BadPotential
        As `store.check_potential`.
    """
    run = Path(run)
    provenance.read(run)
    model = store.load(potential).sha256
    # A shipped run has fewer frames, but the table is that of the run it was thinned from.
    recipe = {
        "check": "energy_differences",
        "run": hashlib.sha256(thermo.content(run)).hexdigest(),
        "model": model,
        "reference": reference.SHA256,
        "from_ps": equilibration_ps,
        "apart_ps": APART_PS,
    }

    def plan():
        some = _apart(trajectory.read(run), equilibration_ps, run.name)
        elements = frozenset(some.symbols)
        sides = [_opened(name, elements) for name in (calculators.REFERENCE, potential)]
        labels = [{"time_ps": f"{time:.7g}"} for time in some.times_ps]

        def measure(i: int) -> dict[str, float]:
            energies, pressures = [], []
            for calculator in sides:
                atoms = Atoms(some.symbols, some.positions[i], cell=some.cells[i], pbc=True)
                atoms.wrap()
                atoms.calc = calculator
                energies.append(atoms.get_potential_energy())
                stress = atoms.get_stress(voigt=False)
                pressures.append(-np.trace(stress) / 3 * units.EV_PER_A3_IN_BAR)
            values = 1e3 * (energies[0] - energies[1]) / len(atoms), pressures[0] - pressures[1]
            return dict(zip(_COLUMNS, map(float, values), strict=True))

        return labels, measure

    return row_by_row.kept(
        f"energies-{run.name}",
        recipe,
        plan,
        _COLUMNS,
        f"energies of the reference less those of {Path(potential).name} on frames of {run.name}",
        {"run": recipe["run"], "model": model, "reference": reference.SHA256},
    )


def of_runs(table: pd.DataFrame, structure: str, potential: str) -> tuple[pd.DataFrame, str]:
    """Energies of the reference less those of the potential on frames of the runs.

    The reference is corrected like the labels of the potential (`helpers.frames.correction`).

    Parameters
    ----------
    table : DataFrame
        Result of ``recipes.volumes.points``; of the smallest cell, the runs that are not refused.
    structure : str
        Name of the structure, by which the correction is found.
    potential : str
        Name of the potential.

    Returns
    -------
    frames : DataFrame
        A row for each frame: name, temperature_K, volume_A3 (of an atom) and
        difference_meV_per_atom. Empty if those of a run are not there.
    missing : str
        Why it is empty.
    """
    columns = ["name", "temperature_K", "volume_A3", "difference_meV_per_atom"]
    nothing = pd.DataFrame(columns=columns)
    law = (correction.of(store.load(potential).directory) or {}).get(structure)
    if law is None:
        return nothing, "the labels of this potential were not corrected"
    used = table[(table["refused"] == "") & (table["n_atoms"] == table["n_atoms"].min())]
    rows = []
    for one in used.itertuples():
        plan = catalogue.run_recipe(one.name)
        if (run := heating.find(plan)) is None:
            return nothing, f"the run {one.name} is not here"
        try:
            frames = of_run(run.directory, potential, plan.equilibration_ps)
        except (reference.ReferenceUnavailable, Unfit) as error:
            return nothing, f"{one.name}: {error}"
        energy = frames["difference_meV_per_atom"] + law.energy(one.volume_A3)
        row = {"name": one.name, "temperature_K": one.temperature_K, "volume_A3": one.volume_A3}
        rows.append(pd.DataFrame(row | {"difference_meV_per_atom": energy}))
    return pd.concat(rows, ignore_index=True) if rows else nothing, ""


# Opening the reference takes as long as several frames, and a chapter asks for many runs.
_opened = functools.cache(calculators.calculator)


def _apart(every: trajectory.Trajectory, start_ps: float, name: str) -> trajectory.Trajectory:
    """Frames `APART_PS` apart, from the first that is as late as ``start_ps``."""
    chosen, due = [], start_ps - 1e-6
    for i, time in enumerate(every.times_ps):
        if time >= due:
            chosen.append(i)
            due = time + APART_PS - 1e-6
    if len(chosen) < 2:
        raise Unfit(
            f"{name} has {len(chosen)} frames that are {APART_PS:g} ps apart; a mean and a scatter "
            "need two"
        )
    return every[chosen]
