"""Runs at constant volume as points of P(V, T), and their isotherms with and without correction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from helpers import statistics
from helpers.errors import NotThere
from helpers.frames import correction
from helpers.md import heating, trajectory
from helpers.md.run import Run
from helpers.observables import equilibration, free_energy, melt
from helpers.observables.free_energy import Equilibrium, Isotherm
from helpers.observables.perturbation import Shift
from helpers.potentials import store
from helpers.recipes import catalogue

BLOCKS = 10
FEWEST = 4  # volumes of an isotherm
BY_REFERENCE = "reference, corrected"
_APART_PS = 2.0  # of the frames by which bonds are followed
_BAR_PER_GPA = 1e4
COLUMNS = (
    "name", "n_atoms", "temperature_K", "volume_A3", "density_g_cm3", "pressure_bar", "error_bar",
    "moved", "refused",
)  # fmt: skip


def points(asked: Iterable[str], structure: str, potential: str) -> tuple[pd.DataFrame, str]:
    """Mean pressures of the finished runs of a structure and a potential.

    Parameters
    ----------
    asked : iterable of str
        As for `catalogue.spelt_out`.
    structure : str
        Name of the structure.
    potential : str
        Name of the potential.

    Returns
    -------
    table : DataFrame
        A row for each run: name, n_atoms, temperature_K, volume_A3 (of an atom), density_g_cm3,
        pressure_bar and error_bar of the sampled part (from `BLOCKS` block means), moved (share of
        the N that are not bound to their first Zn in the end, 0 to 1; NaN without a trajectory) and
        refused, why the point is not used (empty if it is).
    missing : str
        What was asked for and is not there, in a sentence; empty if nothing is.

    Raises
    ------
    BadRecipe
        There is no run and no group of such a name.
    """
    wanted = {name: catalogue.run_recipe(name) for name in catalogue.spelt_out(asked)}
    other = [n for n, p in wanted.items() if (p.structure, p.potential) != (structure, potential)]
    found = {n: heating.find(plan) for n, plan in wanted.items() if n not in other}
    rows = [_point(name, run) for name, run in found.items() if run is not None]
    lacking, said = [name for name, run in found.items() if run is None], []
    if lacking:
        some = ", ".join(lacking[:3]) + (" and so on" if len(lacking) > 3 else "")
        said.append(f"{len(lacking)} of {len(found)} runs are not computed yet ({some})")
    if other:
        said.append(f"{len(other)} are of another structure or potential and left out")
    return pd.DataFrame(rows, columns=list(COLUMNS)), "; ".join(said)


def _point(name: str, run: Run) -> dict:
    rows, refused = run.sampled, run.exploded
    mean = error = np.nan
    if len(rows) >= 2 * BLOCKS:
        pressure = rows["pressure_bar"].to_numpy()
        blocks = statistics.block_means(pressure, BLOCKS)
        mean, error = float(blocks.mean()), float(blocks.std(ddof=1) / BLOCKS**0.5)
        judged = equilibration.judge(rows["time_ps"], pressure)
        refused = refused or ("" if judged.ok else judged.reason)
    elif not refused:
        refused = f"{len(rows)} samples are too few for {BLOCKS} blocks"
    volume = run.recipe.volume_A3_per_atom or run.thermo["volume_A3"].mean() / run.atoms
    temperature = run.recipe.temperature_end_K
    density = float(run.thermo["density_g_cm3"].mean())
    values = (name, run.atoms, temperature, volume, density, mean, error, _moved(run), refused)
    return dict(zip(COLUMNS, values, strict=True))


def _moved(run: Run) -> float:
    every = max(1, round(_APART_PS / run.recipe.frame_every_ps / run.provenance.get("thinned", 1)))
    try:
        path = trajectory.read(run.directory, every=every)
    except NotThere:
        return np.nan
    return melt.judge(path.positions, path.cells, path.symbols).exchanged if len(path) else np.nan


def curves(table: pd.DataFrame) -> dict[int, list[Isotherm]]:
    """Isotherms of each size, of the temperatures that have `FEWEST` usable volumes.

    Parameters
    ----------
    table : DataFrame
        Result of `points`.

    Returns
    -------
    dict of int to list of Isotherm
        Number of atoms -> isotherms, volumes those of an atom; sizes without any are left out.
    """
    used, found = table[table["refused"] == ""], {}
    for n_atoms, rows in used.groupby("n_atoms"):
        volumes = rows.groupby("temperature_K")["volume_A3"].transform("nunique")
        if (volumes >= FEWEST).any():
            found[int(n_atoms)] = free_energy.isotherms(rows[volumes >= FEWEST])
    return found


def by_order(
    curves: Iterable[Isotherm], shift: Shift, n_atoms: int, pressure_bar: float
) -> dict[str, Equilibrium]:
    """The equilibrium by the reference in each order of perturbation.

    Parameters
    ----------
    curves : iterable of Isotherm
        Those of the potential, volumes of an atom.
    shift : Shift
        What the reference adds.
    n_atoms : int
        Number of atoms of the cell.
    pressure_bar : float
        Pressure of the barostat, bar.

    Returns
    -------
    dict of str to Equilibrium
        "first order", "second order" and "third order", that one twice where the skewness may have
        either sign.
    """
    ways = {"first order": (1, 0.0), "second order": (2, 0.0)}
    for skewness in shift.skewnesses:
        ways[f"third order, skewness {skewness:+.2f}"] = (2, skewness)
    found, plain = {}, list(curves)
    for name, (order, skewness) in ways.items():
        moved = [
            c.with_law(shift.pressure_bar(c.volumes_A3, c.temperature_K, order, skewness))
            for c in plain
        ]
        found[name] = free_energy.equilibrium(moved, n_atoms, pressure_bar)
    return found


def second_is_enough(orders: Mapping[str, Equilibrium]) -> bool:
    """Whether the third order leaves the transition within the limits of the second.

    Parameters
    ----------
    orders : mapping of str to Equilibrium
        Result of `by_order`.

    Returns
    -------
    bool
        Whether it does.
    """
    second = orders["second order"]
    third = [one.temperature_K for name, one in orders.items() if name.startswith("third")]
    return all(second.low_K <= at <= second.high_K for at in third)


def variants(
    isotherms: Iterable[Isotherm], structure: str, potential: str, shift: Shift | None = None
) -> dict[str, list[Isotherm]]:
    """The same isotherms by the reference, and with and without its correction.

    The correction is an energy that depends on the volume alone (`helpers.frames.correction`), and
    adds the pressure -D'(V) to that of each volume.

    Parameters
    ----------
    isotherms : iterable of Isotherm
        Those of the runs, volumes of an atom.
    structure : str
        Name of the structure, by which the correction is found.
    potential : str
        Name of the potential: were its labels corrected?
    shift : Shift, optional
        What the corrected reference adds to the potential (`helpers.observables.perturbation`).

    Returns
    -------
    dict of str to list of Isotherm
        `BY_REFERENCE` (where there is a shift), "corrected" and "uncorrected" -> isotherms, the
        potential's own before the other of the last two; "as it is" alone where there is no
        correction of this structure at these volumes.
    """
    plain = list(isotherms)
    own = (correction.of(store.load(potential).directory) or {}).get(structure)
    law = own or correction.laws().get(structure)
    ends = [v for curve in plain for v in curve.volumes_A3[[0, -1]]]
    if law is None or _beyond(law, ends):
        return {"as it is": plain}

    def moved(sign: int) -> Callable[[np.ndarray], np.ndarray]:
        return lambda volumes: sign * _BAR_PER_GPA * law.pressure(volumes)

    if own:
        best = {}
        if shift is not None:
            best[BY_REFERENCE] = [
                c.with_law(shift.pressure_bar(c.volumes_A3, c.temperature_K)) for c in plain
            ]
        return best | {"corrected": plain, "uncorrected": [c.shifted(moved(-1)) for c in plain]}
    return {"uncorrected": plain, "corrected": [c.shifted(moved(1)) for c in plain]}


def _beyond(law: correction.Law, volumes: list[float]) -> bool:
    low, high = law.volumes
    outside = [max(low - v, v - high) for v in volumes]
    return max(outside, default=0) > correction.MARGIN
