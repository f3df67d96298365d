"""Tables of heating runs: how they were made, their results, and the paper's Table 3.

A run is any object with the attributes of `helpers.md.run.Run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from helpers import statistics
from helpers.observables import boltzmann, censored, run_table
from helpers.observables.detection import ENOUGH
from helpers.report import claims_on_rates, paper, rate_laws, tables
from helpers.report.tables import Table

_TOLD_APART = ("run", "rate (K/ps)", "seed")  # columns by which a reader finds a run


def made(runs) -> tuple[pd.DataFrame, str]:
    """The runs of a page: size, steps, how they ended, when and on what machine they were made.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    table : DataFrame
        A row for each run, as text.
    same : str
        What is the same for all of them, and not in the table.
    """
    rows = [
        {
            "run": run.name,
            "rate (K/ps)": f"{run.rate:g}",
            "seed": run.seed,
            "potential": run.potential,
            "atoms": run.atoms,
            "steps": run.steps,
            "ended": "exploded" if run.exploded else "whole",
            "made": run.provenance["made"][:10],
            "time (min)": f"{run.provenance['seconds'] / 60:.1f}",
            "ranks × threads": f"{run.provenance['ranks']} × {run.provenance['threads']}",
            "processor": tables.machine(run.provenance),
        }
        for run in runs
    ]
    return tables.in_common(pd.DataFrame(rows), _TOLD_APART)


def held(runs) -> str:
    """How runs that heat in segments are heated and sampled.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    str
        A sentence with a blank behind it; empty if all heat in one ramp.
    """
    for run in runs:
        if run.recipe.segment_K:
            return (
                f"They heat by {run.recipe.segment_K:g} K at a time, wait for "
                f"{run.recipe.hold_ps:g} ps and are sampled for {run.recipe.sample_ps:g} ps; "
                "figures show the means of these samples. "
            )
    return ""


def thermostat(runs) -> Table:
    """Whether the temperature follows its target, compared with the expected fluctuation.

    A finite system fluctuates by T sqrt(2 / 3N) about its mean.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    Table
        A row for each run.
    """
    rows = []
    for run in runs:
        off = (run.ramp["temperature_K"] - run.ramp["target_temperature_K"]).to_numpy()
        alike = statistics.statistical_inefficiency(off - off.mean())
        error = float(off.std(ddof=1) * (alike / len(off)) ** 0.5)
        expected = run.recipe.temperature_end_K * (2 / 3 / run.atoms) ** 0.5
        rows.append(
            {
                "run": run.label,
                "rows": len(run.ramp),
                "mean T − target (K)": f"{off.mean():.1f} ± {error:.1f}",
                "expected fluctuation at the end (K)": f"{expected:.0f}",
            }
        )
    return tables.headed(pd.DataFrame(rows))


def kinetic_energies(runs) -> Table:
    """Kinetic energies of runs beside Boltzmann's distribution at the target temperature.

    Parameters
    ----------
    runs : iterable of Run
        The runs, held at one temperature or heated.

    Returns
    -------
    Table
        A row for each run: the number of independent samples, and mean and standard deviation of
        the kinetic energy over those of the distribution.
    """
    rows = []
    for run in runs:
        rows_of = run.sampled
        target = rows_of["target_temperature_K"]
        found = boltzmann.kinetic(rows_of["kinetic_energy_eV"], target, run.atoms)
        rows.append(
            {
                "run": run.name,
                "T (K)": tables.span(target),
                "independent samples": f"{found.samples:.0f}",
                "mean": tables.number(found.mean, found.mean_error),
                "width": tables.number(found.width, found.width_error),
                "as it should be": _yes(found.ok),
            }
        )
    return tables.headed(pd.DataFrame(rows))


def ensembles(runs) -> Table:
    """Runs two by two against the ratio that Boltzmann's distribution gives them.

    Two runs at one pressure are compared by their enthalpies, two at one temperature by their
    volumes.

    Parameters
    ----------
    runs : sequence of Run
        First, second; third, fourth; and so on. Each is held at one temperature.

    Returns
    -------
    Table
        A row for each pair.
    """
    rows = []
    for one, two in zip(runs[::2], runs[1::2], strict=True):
        T = [run.recipe.temperature_end_K for run in (one, two)]
        p = [run.recipe.pressure_bar for run in (one, two)]
        if T[0] == T[1]:
            volumes = [run.sampled["volume_A3"] for run in (one, two)]
            found, of = boltzmann.pair_of_pressures(volumes, p, T[0]), "volume, 1/Å³"
        else:
            enthalpies = [run.sampled["enthalpy_eV"] for run in (one, two)]
            found, of = boltzmann.pair_of_temperatures(enthalpies, T), "enthalpy, 1/eV"
        rows.append(
            {
                "runs": f"{one.name}, {two.name}",
                "slope of": of,
                "found": tables.number(found.slope, found.error),
                "Boltzmann": f"{found.expected:.3g}",
                "overlap (%)": f"{100 * found.overlap:.0f}",
                "as it should be": _yes(found.ok),
            }
        )
    return tables.headed(pd.DataFrame(rows))


def _yes(so: bool) -> str:
    return "yes" if so else "no"


def heat_capacities(capacity: Mapping[Any, pd.DataFrame]) -> Table:
    """Mean heat capacity of each run with its standard error.

    Parameters
    ----------
    capacity : mapping of Run to DataFrame
        Run -> result of ``enthalpy.heat_capacity``.

    Returns
    -------
    Table
        A row for each run: the mean over its windows, in k_B per atom.
    """
    rows = []
    for run, windows in capacity.items():
        error = float((windows["error_kB"] ** 2).sum() ** 0.5 / max(len(windows), 1))
        mean = tables.number(float(windows["cp_kB"].mean()), error)
        rows.append({"run": run.label, "heat capacity (kB/atom)": mean})
    return tables.headed(pd.DataFrame(rows))


def outcomes(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The one table of all runs: what each showed and what it could have shown.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs``.

    Returns
    -------
    table : DataFrame
        A row for each run, as text.
    same : str
        What is the same for all of them, and not in the table.
    """
    shown = run_table.shown(table)
    shown.insert(list(shown).index("atoms") + 1, "shape", table["coupling"].to_numpy())
    return tables.in_common(shown, _TOLD_APART)


def power(table: pd.DataFrame) -> Table:
    """How often a planted fall is found, by size and rate, with 95 % limits.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs``.

    Returns
    -------
    Table
        A row for each size and rate.
    """
    rows = []
    for row in tables.each_row(run_table.power_by(table)):
        words = {"false_alarms": "found where none was put (%)"}
        words |= {f"seen_{d}": f"found of {d} % (%)" for d in (5, 10, 13)}
        sure = row.seen_10 >= ENOUGH and not row.cannot_tell
        rows.append(
            {
                "atoms": f"{row.n_atoms:.0f}",
                "rate_K_per_ps": f"{row.rate_K_per_ps:g}",
                "runs": row.runs,
                "fell": row.fell,
                "did not fall": row.not_fallen,
                "cannot tell": row.cannot_tell,
            }
            | {
                said: "{:.0f} ({:.0f}–{:.0f})".format(
                    *(100 * getattr(row, f"{column}{end}") for end in ("", "_low", "_high"))
                )
                for column, said in words.items()
            }
            | {"no fall found means": "none of 10 %" if sure else "cannot tell"}
        )
    return tables.headed(pd.DataFrame(rows))


def means(table: pd.DataFrame) -> Table:
    """Mean Tf of each rate with its 95 % interval, from seeds that fall and those that do not.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs`` for cells of one size.

    Returns
    -------
    Table
        A row for each rate; a last column has the same of all runs, also of those that were not in
        equilibrium before their ramp, where there are any.
    """
    everything = "with runs not in equilibrium (K)"
    every = censored.by_rate(run_table.seeds(table))
    counted = _settled_by_rate(table)
    rows = []
    for rate in sorted(table["rate_K_per_ps"].unique()):
        here, all_ = counted.get(rate), every[every["rate_K_per_ps"] == rate]
        rows.append(
            {
                "rate_K_per_ps": f"{rate:g}",
                "runs that fall": here.fell if here else 0,
                "runs that do not": here.censored if here else 0,
                "mean Tf (K), 95 %": claims_on_rates.mean_with_limits(here) if here else "unknown",
                "median (K)": f"{here.median_K:.0f}"
                if here and np.isfinite(here.median_K)
                else "–",
                everything: claims_on_rates.mean_with_limits(next(tables.each_row(all_)))
                if len(all_)
                else "unknown",
            }
        )
    shown = pd.DataFrame(rows)
    if shown[everything].equals(shown["mean Tf (K), 95 %"]):  # all were in equilibrium
        shown = shown.drop(columns=everything)
    return tables.headed(shown)


def pressures(table: pd.DataFrame) -> Table:
    """Density and transition of runs under several pressures.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs``.

    Returns
    -------
    Table
        A row for each run, by pressure, rate and seed.
    """
    shown = run_table.shown(table)
    start = [
        tables.number(row.start_density, row.start_error)
        if np.isfinite(row.start_error)
        else f"{row.first_density:.3f} (first 100 K)"
        for row in tables.each_row(table)
    ]
    shown.insert(0, "density before the ramp (g/cm³)", start)
    shown.insert(0, "from (K)", table["from_K"].map("{:g}".format))
    order = table.sort_values(["potential", "pressure_bar", "rate_K_per_ps", "seed"]).index
    columns = ("potential", "pressure (GPa)", "rate (K/ps)", "seed", "from (K)",
               "density before the ramp (g/cm³)", "Tf (K)", "lowest density (g/cm³)",
               "in equilibrium before")  # fmt: skip
    shown = shown.loc[order, list(columns)]
    if shown["from (K)"].nunique() == 1:
        shown = shown.drop(columns="from (K)")
    return tables.headed(shown)


def table3(runs) -> Table:
    """The paper's procedures next to the run of the same rate (its first seed).

    Without such a run only the steps are given, as not computed. DPMD-Test is in chapter 3.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    Table
        A row for each procedure.
    """
    rows = []
    for name in paper.rows("table3"):
        if name == "DPMD-Test":
            continue
        run = _same_rate(runs, name)
        ours = {"steps": ("steps", tables.NOT_COMPUTED)}
        if run:
            ours = {
                "start_K": ("from", run.recipe.temperature_start_K),
                "end_K": ("to", run.recipe.temperature_end_K),
                "steps": ("steps", run.steps),
            }
        entries = {f"table3.{name}.{k}": (f"{name}: {w}", v) for k, (w, v) in ours.items()}
        rows += tables.rows(entries, run.name if run else "")
    return tables.side_by_side(rows)


def transitions(runs, table: pd.DataFrame) -> Table:
    """The paper's transition temperatures next to ours at the same rate.

    Parameters
    ----------
    runs : Runs
        The runs.
    table : DataFrame
        Their rows of ``outcomes.of_runs``.

    Returns
    -------
    Table
        A row for each rate.
    """
    means = _settled_by_rate(table)
    rows = []
    for name in rate_laws.SLOW:
        run, value = _same_rate(runs, name), tables.NOT_COMPUTED
        if run:
            mean = means.get(run.rate)
            value = claims_on_rates.mean_with_limits(mean) if mean else "cannot tell"
        key, words = f"transition.{name}_Tf_K", f"{name}: Tf"
        rows.append(tables.row(key, value, quantity=words, run=run.name if run else ""))
    return tables.side_by_side(rows)


def speed(runs) -> Table:
    """Speed of the runs next to the paper's for the same cost per atom.

    It is taken from the provenance of the runs, without start-up. Time that is simulated in a day
    depends on the time step: theirs is set beside ours at their number of atoms and their step.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    Table
        The table; the paper's number alone if no run was timed.
    """
    keys = ("atoms", "ns_per_day", "core_us_per_atom_step")
    cost = pd.DataFrame([[run.provenance[key] for key in keys] for run in runs], columns=keys)
    cost["step_fs"] = [run.recipe.timestep_fs for run in runs]
    cost = cost.dropna()
    if cost.empty:
        untimed = tables.row("speed.dpmd_ns_per_day", tables.NOT_COMPUTED, quantity="speed")
        return tables.side_by_side([untimed])
    theirs, made_by = paper.value("speed.dpmd_atoms").number, f"median of {len(cost)} runs"
    step_fs = paper.value("heating.timestep_fs").number
    per_day = (cost["ns_per_day"] * cost["atoms"] / cost["step_fs"]).median() * step_fs / theirs
    words = f"speed, {cost['atoms'].iloc[0]} atoms, steps of {cost['step_fs'].iloc[0]:g} fs"
    at_their_size = f"at the same cost of a step and atom, {theirs} atoms, steps of {step_fs:g} fs"
    core_us = cost["core_us_per_atom_step"].median()
    return tables.side_by_side(
        [
            tables.Row(words, "ns/day", None, cost["ns_per_day"].median(), run=made_by),
            tables.row("speed.dpmd_ns_per_day", per_day, quantity=at_their_size, run=made_by),
            tables.Row("cost of a step", "core-us/atom", None, core_us, run=made_by),
        ]
    )


def missing(runs, table: pd.DataFrame) -> list[str]:
    """What the runs of a page lack beside the paper's.

    Parameters
    ----------
    runs : Runs
        The runs.
    table : DataFrame
        Their rows of ``outcomes.of_runs``.

    Returns
    -------
    list of str
        In words.
    """
    settled = run_table.settled(table)
    twice = (settled.groupby("rate_K_per_ps")["Tf_K"].count() > 1).sum()
    absent = [f"{rate:g}" for rate, _ in rate_laws.of_paper() if rate not in runs.rates]
    found = []
    if twice < len(runs.rates):
        found.append(f"A second run that falls: {twice} of {len(runs.rates)} rates have two.")
    if len(settled) < len(table):
        found.append(
            f"Equilibrium before the ramp: {len(table) - len(settled)} of {len(table)} lack it."
        )
    if absent:
        found.append(f"Rates of the paper that are not computed yet: {', '.join(absent)} K/ps.")
    if min(runs.sizes) < paper.value("systems.supercell_atoms").number:
        found.append("The paper's cell at each of these rates: fluctuations are smaller in it.")
    return found


def _settled_by_rate(table: pd.DataFrame) -> dict[float, Any]:
    """Rate (K/ps) -> the row of `censored.by_rate` of the runs that were settled."""
    means = censored.by_rate(run_table.seeds(run_table.settled(table)))
    return {row.rate_K_per_ps: row for row in tables.each_row(means)}


def _same_rate(runs, name: str):
    """The run of the first seed at the rate of the paper's run, or None."""
    return runs.where(rate=paper.value(f"table3.{name}.heating_rate_K_per_ps").number).first
