"""Tables of heating runs: how they were made, their results, and the paper's Table 3.

A run is any object with the attributes of `helpers.md.run.Run`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from helpers.observables.transition import Transition
from helpers.report import paper, rate_laws, tables
from helpers.report.tables import Table


def made(runs) -> Table:
    """The runs of a page: size, steps, how they ended, when and on what machine they were made.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    Table
        A row for each run.
    """
    rows = [
        {
            "run": run.name,
            "K/ps": f"{run.rate:g}",
            "seed": run.seed,
            "potential": run.potential,
            "atoms": run.atoms,
            "steps": run.steps,
            "ended": "exploded" if run.exploded else "whole",
            "made": run.provenance["made"],
            "time (min)": f"{run.provenance['seconds'] / 60:.1f}",
            "ranks x threads": f"{run.provenance['ranks']} x {run.provenance['threads']}",
            "processor": run.provenance["hardware"]["processor"],
        }
        for run in runs
    ]
    return tables.headed(pd.DataFrame(rows))


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
        off = run.ramp["temperature_K"] - run.ramp["target_temperature_K"]
        expected = run.recipe.temperature_end_K * (2 / 3 / run.atoms) ** 0.5
        rows.append(
            {
                "run": run.label,
                "rows": len(run.ramp),
                "mean T - target (K)": f"{off.mean():.1f}",
                "expected fluctuation at the end (K)": f"{expected:.1f}",
            }
        )
    return tables.headed(pd.DataFrame(rows))


def lowest(means: Mapping, swing_ps: float) -> Table:
    """Density in the first 100 K and in the 100 K where it is lowest.

    Parameters
    ----------
    means : mapping of Run to DataFrame
        Run -> result of ``hundred_kelvins.means``.
    swing_ps : float
        Period of the oscillation of the cell, ps, which is also given in kelvins.

    Returns
    -------
    Table
        A row for each run.
    """
    rows = []
    for run, table in means.items():
        least = table.loc[table["mean"].idxmin()]
        rows.append(
            {
                "run": run.label,
                "one swing (K)": f"{run.rate * swing_ps:.0f}",
                "from (K)": f"{table['temperature_K'].iloc[0]:.0f}",
                "density there (g/cm³)": table["mean"].iloc[0],
                "lowest (g/cm³)": least["mean"],
                "around (K)": f"{least['temperature_K']:.0f}",
            }
        )
    return tables.headed(pd.DataFrame(rows), decimals=3)


def falls(found: Mapping[str, Transition]) -> Table:
    """Transition temperatures, or why there is none.

    Parameters
    ----------
    found : mapping of str to Transition
        Name -> transition.

    Returns
    -------
    Table
        A row for each name.
    """
    rows = [
        {
            "run": name,
            "Tf_K": tables.number(fall.Tf, fall.error) if fall.found else "none found",
            "fallen_K": f"{fall.fallen_K:.0f}" if fall.found else "",
            "why": fall.reason,
        }
        for name, fall in found.items()
    ]
    return tables.headed(pd.DataFrame(rows))


def sizes(found: Mapping[float, tuple[Sequence, pd.DataFrame]]) -> Table:
    """Cells of several sizes over their common range of temperature.

    Parameters
    ----------
    found : mapping of float to (sequence of Run, DataFrame)
        Rate (K/ps) -> runs and the result of ``transition_of_seeds.by_size``.

    Returns
    -------
    Table
        A row for each run.
    """
    rows = []
    for rate, (runs, table) in found.items():
        for run, row in zip(runs, table.itertuples(), strict=True):
            fall = row.transition
            rows.append(
                {
                    "rate (K/ps)": f"{rate:g}",
                    "atoms": row.n_atoms,
                    "seed": run.seed,
                    "range (K)": f"{row.low_K:.0f}–{row.high_K:.0f}",
                    "Tf (K)": tables.number(fall.Tf, fall.error) if fall.found else "none found",
                    "fluctuation (g/cm³)": row.fluctuation,
                    "expected (g/cm³)": row.expected,
                }
            )
    return tables.headed(pd.DataFrame(rows), decimals=4)


def own(runs, falls: Mapping) -> Table:
    """Our runs in the columns of the paper's Table 3, with the Tf of each.

    Parameters
    ----------
    runs : Runs
        The runs.
    falls : mapping of Run to Transition
        Run -> transition.

    Returns
    -------
    Table
        A row for each run.
    """
    rows = [
        {
            "run": run.name,
            "atoms": run.atoms,
            "from (K)": f"{run.recipe.temperature_start_K:g}",
            "to (K)": f"{run.recipe.temperature_end_K:g}",
            "rate (K/ps)": f"{run.rate:g}",
            "seed": run.seed,
            "steps": run.steps,
            "Tf (K)": tables.number(falls[run].Tf, falls[run].error)
            if falls[run].found
            else "none found",
        }
        for run in runs
    ]
    return tables.headed(pd.DataFrame(rows))


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


def transitions(runs, by_rate: Mapping[float, Transition]) -> Table:
    """The paper's transition temperatures next to ours at the same rate.

    Parameters
    ----------
    runs : Runs
        The runs.
    by_rate : mapping of float to Transition
        Rate (K/ps) -> transition.

    Returns
    -------
    Table
        A row for each rate.
    """
    rows = []
    for name in rate_laws.SLOW:
        run = _same_rate(runs, name)
        fall = by_rate[run.rate] if run else None
        value, error = tables.NOT_COMPUTED, None
        if fall and fall.found:
            value, error = fall.Tf, fall.error
        elif fall:
            value = "no transition found"
        key, words = f"transition.{name}_Tf_K", f"{name}: Tf"
        rows.append(
            tables.row(key, value, error=error, quantity=words, run=run.name if run else "")
        )
    return tables.side_by_side(rows)


def speed(runs) -> Table | str:
    """Speed of the runs next to the paper's for the same cost per atom.

    It is taken from the provenance of the runs, without start-up.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    Table or str
        The table; a sentence if no run was timed.
    """
    keys = ("atoms", "ns_per_day", "core_us_per_atom_step")
    cost = pd.DataFrame([[run.provenance[key] for key in keys] for run in runs], columns=keys)
    cost = cost.dropna()
    if cost.empty:
        return "No run of this page was timed."
    theirs, made_by = paper.value("speed.dpmd_atoms").number, f"median of {len(cost)} runs"
    per_day = (cost["ns_per_day"] * cost["atoms"]).median() / theirs
    words = f"speed, {cost['atoms'].iloc[0]} atoms"
    at_their_size = f"at the same cost an atom, {theirs} atoms"
    core_us = cost["core_us_per_atom_step"].median()
    return tables.side_by_side(
        [
            tables.Row(words, "ns/day", None, cost["ns_per_day"].median(), run=made_by),
            tables.row("speed.dpmd_ns_per_day", per_day, quantity=at_their_size, run=made_by),
            tables.Row("cost of a step", "us core/atom", None, core_us, run=made_by),
        ]
    )


def _same_rate(runs, name: str):
    """The run of the first seed at the rate of the paper's run, or None."""
    return runs.where(rate=paper.value(f"table3.{name}.heating_rate_K_per_ps").number).first
