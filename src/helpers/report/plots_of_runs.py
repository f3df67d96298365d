"""Figures of several heating runs side by side: a colour for each rate, one name for each rate.

A run is anything with rate, seed, atoms, label, sampled and ramp (`helpers.md.run.Run`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.observables import enthalpy
from helpers.report import interactive, paper, style
from helpers.report.interactive import Interactive


def colours(runs) -> dict[float, str]:
    """The colour of each heating rate, the same in all figures of a page.

    Parameters
    ----------
    runs : Runs
        of the page.

    Returns
    -------
    dict of float to str
        rate (K/ps) -> colour.
    """
    return dict(zip(runs.rates, cycle(style.SERIES_COLOURS), strict=False))


def draw(ax: Axes, runs, tables: Mapping, column: str, quantity: str, unit: str) -> Axes:
    """A column of each run's table against temperature, samples pale, the running mean on top.

    Parameters
    ----------
    ax : Axes
        where to draw.
    runs : Runs
        all runs of the page, which give the colours.
    tables : mapping of Run to DataFrame
        the runs that are drawn, with a row for each target_temperature_K.
    column : str
        the column of the values.
    quantity, unit : str
        of the values.

    Returns
    -------
    Axes
        the panel.
    """
    by_rate, named = colours(runs), set()
    for run, table in tables.items():
        style.against_temperature(
            table["target_temperature_K"],
            table[column],
            quantity,
            unit,
            window=max(1, len(table) // 20),
            name="" if run.rate in named else f"{run.rate:g} K/ps",
            colour=by_rate[run.rate],
            ax=ax,
        )
        named.add(run.rate)
    return ax


def curves(runs, enthalpies: Mapping) -> pd.DataFrame:
    """Running means of density and enthalpy over a twentieth of each run, some 200 points of each.

    Of a run that heats in segments they are the means at the temperatures that it samples.

    Parameters
    ----------
    runs : Runs
        of the page.
    enthalpies : mapping of Run to array
        of ``enthalpy.above_start``, eV per atom.

    Returns
    -------
    DataFrame
        rate_K_per_ps, seed, temperature_K (of the target), density_g_cm3, enthalpy_eV_per_atom.
    """
    found = []
    for run in runs:
        table = run.sampled
        columns = {
            "temperature_K": table["target_temperature_K"],
            "density_g_cm3": table["density_g_cm3"],
            "enthalpy_eV_per_atom": enthalpies[run],
        }
        means = pd.DataFrame(columns)
        if run.recipe.segment_K:  # sampled at few temperatures, each held
            means = means.groupby("temperature_K", as_index=False).mean()
        else:
            width = max(1, len(table) // 20)
            means = means.apply(style.running_mean, args=(width,)).dropna()
            means = means.iloc[:: max(1, len(table) // 200)]
        means.insert(0, "rate_K_per_ps", run.rate)
        means.insert(1, "seed", run.seed)
        found.append(means)
    return pd.concat(found, ignore_index=True)


def densities(table: pd.DataFrame) -> Interactive:
    """Density of all runs against temperature; the paper's crystal (dashed) and low density (band).

    The mean of the seeds of a rate is drawn in front, the seeds pale behind it.

    Parameters
    ----------
    table : DataFrame
        of `curves`.

    Returns
    -------
    Interactive
        seeds and rates to be switched on and off.
    """
    theirs = paper.value("stages.density_crystal_g_per_cm3")
    low, high = (paper.value(f"stages.low_density_{end}_K") for end in ("start", "end"))
    columns = ["rate_K_per_ps", "run", "temperature_K", "density_g_cm3"]
    runs = table.assign(run=table["seed"].map("seed {}".format))
    parts, behind = [], set()
    for _, rows in runs.groupby("rate_K_per_ps", sort=False):
        seeds = rows["run"].unique()
        if len(seeds) > 1:
            parts.append(_mean_of_seeds(rows))
            behind |= {(rows["rate_K_per_ps"].iloc[0], seed) for seed in seeds}
        parts.append(rows)
    return interactive.lines(
        pd.concat(parts, ignore_index=True)[columns],
        "temperature_K",
        "density_g_cm3",
        by=["rate_K_per_ps", "run"],
        behind=behind,
        levels={f"paper, {theirs.place}": theirs.number},
        bands={"paper: low density": (low.number, high.number)},
    )


def _mean_of_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """The mean density of the seeds of one rate, where all of them have one."""
    seeds = [one for _, one in rows.groupby("seed")]
    low = max(one["temperature_K"].min() for one in seeds)
    high = min(one["temperature_K"].max() for one in seeds)
    T = np.linspace(low, high, 200)
    each = [np.interp(T, one["temperature_K"], one["density_g_cm3"]) for one in seeds]
    mean = pd.DataFrame({"temperature_K": T, "density_g_cm3": np.mean(each, axis=0)})
    return mean.assign(rate_K_per_ps=rows["rate_K_per_ps"].iloc[0], run="mean")


def enthalpies(table: pd.DataFrame, start_K: float, end_K: float) -> Interactive:
    """Enthalpy of all runs against temperature, and what it is above a harmonic crystal's.

    Parameters
    ----------
    table : DataFrame
        of `curves`.
    start_K, end_K : float
        ends of the line of the harmonic crystal; zero at the first.

    Returns
    -------
    Interactive
        seeds and rates to be switched on and off.
    """
    ends = np.array([start_K, end_K])
    line = {"temperature_K": ends, "enthalpy_eV_per_atom": enthalpy.harmonic(ends, start_K)}
    of = table["rate_K_per_ps"].map("{:g} K/ps".format)
    runs = table.assign(of=of, run=table["seed"].map("seed {}".format))
    crystal = pd.DataFrame(line).assign(of="classical", run="harmonic crystal")
    table = pd.concat([runs, crystal])
    classical = enthalpy.harmonic(table["temperature_K"], start_K)
    table["above_meV_per_atom"] = 1e3 * (table["enthalpy_eV_per_atom"] - classical)
    labels = {
        "enthalpy_eV_per_atom": ("enthalpy", "eV/atom"),
        "above_meV_per_atom": ("above the crystal", "meV/atom"),
    }
    return interactive.lines(table, "temperature_K", list(labels), by=["of", "run"], labels=labels)


def one_run(runs, run, enthalpies: Mapping, capacity: pd.DataFrame) -> Figure:
    """Density, enthalpy and heat capacity of one run, one above the other (Fig. 4b).

    Parameters
    ----------
    runs : Runs
        all runs of the page, which give the colours.
    run : Run
        the one that is shown.
    enthalpies : mapping of Run to array
        eV per atom.
    capacity : DataFrame
        of ``enthalpy.heat_capacity``.

    Returns
    -------
    Figure
        the panels.
    """
    figure, (above, middle, below) = style.axes(
        ("temperature", "K"), ("", "-"), nrows=3, width=7, height=2.3, sharex=True
    )
    table = run.sampled.assign(enthalpy=enthalpies[run])
    look = {"ms": 3, "color": colours(runs)[run.rate]}
    columns = {"density_g_cm3": ("density", "g/cm3"), "enthalpy": ("enthalpy", "eV/atom")}
    for ax, (column, said) in zip((above, middle), columns.items(), strict=True):
        if run.recipe.segment_K:  # sampled at few temperatures, each held
            means = table.groupby("target_temperature_K")[column].mean()
            ax.plot(means.index, means, "o-", **look)
        else:
            draw(ax, runs, {run: table}, column, *said).legend().remove()
    below.axhline(3, color="black", ls="--", lw=1, label="classical harmonic crystal")
    points = (capacity[column] for column in ("temperature_K", "cp_kB", "error_kB"))
    below.errorbar(*points, fmt="o-", **look)
    below.legend(loc="upper left")  # a peak comes later
    above.set_title(run.label.replace(" x ", " × "))
    above.set_ylabel(style.label("density", "g/cm3"))
    middle.set_ylabel(style.label("enthalpy", "eV/atom"))
    below.set_ylabel(style.label("heat capacity", "kB/atom"))
    return figure


def sizes(groups: Mapping[float, Sequence]) -> Figure:
    """Density of cells of several sizes (running means), a panel for each rate, a colour for each.

    Parameters
    ----------
    groups : mapping of float to sequence of Run
        rate (K/ps) -> runs.

    Returns
    -------
    Figure
        the panels.
    """
    figure, panels = style.axes(
        ("temperature", "K"),
        ("density", "g/cm3"),
        nrows=len(groups),
        width=7,
        height=2.6,
        sharex=True,
        squeeze=False,
    )
    atoms = sorted({run.atoms for group in groups.values() for run in group})
    of_size = dict(zip(atoms, cycle(style.SERIES_COLOURS), strict=False))
    for ax, (rate, group) in zip(panels.flat, groups.items(), strict=True):
        ax.set_title(f"{rate:g} K/ps")
        named = set()
        for run in sorted(group, key=lambda run: run.atoms):
            width = max(1, len(run.ramp) // 20)
            names = ("target_temperature_K", "density_g_cm3")
            T, density = (style.running_mean(run.ramp[name], width) for name in names)
            wide = 0.8 + 0.7 * atoms.index(run.atoms)  # small cells are many, and noisy
            name = None if run.atoms in named else f"{run.atoms} atoms"
            ax.plot(T, density, color=of_size[run.atoms], linewidth=wide, label=name)
            named.add(run.atoms)
        ax.legend()
    return figure


def under_pressure(runs: Sequence) -> Interactive:
    """Density against temperature, a colour for each pressure of the barostat and each potential.

    Parameters
    ----------
    runs : sequence of Run
        that differ in their pressure or potential, and maybe in rate and seed.

    Returns
    -------
    Interactive
        pressures and seeds to be switched on and off.
    """
    parts = []
    for run in sorted(runs, key=lambda run: (run.potential, run.recipe.pressure_bar)):
        width = max(1, len(run.ramp) // 20)
        columns = {"temperature_K": "target_temperature_K", "density_g_cm3": "density_g_cm3"}
        part = {name: style.running_mean(run.ramp[c], width) for name, c in columns.items()}
        part = pd.DataFrame(part).dropna().iloc[:: max(1, len(run.ramp) // 200)]
        pressure = f"{run.recipe.pressure_bar / 1e4:g}".replace("-", "−")
        part.insert(0, "under", f"{run.potential}, {pressure} GPa")
        part.insert(1, "run", f"{run.rate:g} K/ps, seed {run.seed}")
        parts.append(part)
    return interactive.lines(
        pd.concat(parts, ignore_index=True), "temperature_K", "density_g_cm3",
        by=["under", "run"],
    )  # fmt: skip


def peers(runs: Sequence) -> Figure:
    """Density and enthalpy (from its first row) of runs of different potentials.

    Parameters
    ----------
    runs : sequence of Run
        named by their potentials and rates.

    Returns
    -------
    Figure
        the panels.
    """
    figure, panels = style.axes(("temperature", "K"), ("", "-"), ncols=2, width=5)
    for run in runs:
        per_atom = run.ramp["enthalpy_eV"] / run.atoms
        values = (run.ramp["density_g_cm3"], per_atom - per_atom.iloc[:1].mean())
        said = (("density", "g/cm3"), ("enthalpy", "eV/atom"))
        for ax, value, (quantity, unit) in zip(panels, values, said, strict=True):
            temperature = run.ramp["target_temperature_K"]
            look = {"window": 3, "name": f"{run.potential}, {run.rate:g} K/ps", "ax": ax}
            style.against_temperature(temperature, value, quantity, unit, **look)
            ax.set_ylabel(style.label(quantity, unit))
    return figure


def deviations(runs, found: Mapping, limit_eV_per_A: float) -> Axes:
    """Largest force deviation of an ensemble against temperature, and the limit.

    Parameters
    ----------
    runs : Runs
        all runs of the page, which give the colours.
    found : mapping of Run to DataFrame
        of ``ensemble.of_frames`` or ``model_deviation.read``.
    limit_eV_per_A : float
        dashed.

    Returns
    -------
    Axes
        the panel.
    """
    _, ax = style.axes(("temperature", "K"), ("largest force deviation", "eV/A"), width=7)
    ax.axhline(limit_eV_per_A, color="black", ls="--", lw=1, label="limit")
    melting = paper.value("stages.melting_K").number
    ax.axvline(melting, color="black", ls=":", lw=1, label="paper: H clusters above")
    return draw(ax, runs, found, "max_eV_per_A", "largest force deviation", "eV/A")
