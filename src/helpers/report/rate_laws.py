"""Transition temperature against heating rate: the paper's points, ours, and Kissinger's law."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers import units
from helpers.observables import censored, kissinger, run_table
from helpers.report import paper, style

#: the paper's slow runs, of which it gives Tf
SLOW = ("DPMD-1K", "DPMD-0.5K", "DPMD-0.1K")
_COLOURS = {"paper": "black", "paper, slowest at 0.1 K/ps": "grey"}
_STEPS_SAY_K_PER_PS = 0.1  # rate of the paper's slowest run by its steps; its table says 0.2


def of_paper() -> list[tuple[float, float]]:
    """The paper's transition temperatures, the fastest run first.

    Returns
    -------
    list of (float, float)
        (rate K/ps, Tf K).
    """
    return [
        (
            paper.value(f"table3.{name}.heating_rate_K_per_ps").number,
            paper.value(f"transition.{name}_Tf_K").number,
        )
        for name in SLOW
    ]


def of_paper_by_steps() -> list[tuple[float, float]]:
    """The same with the rate of the slowest run that fits its number of steps.

    Returns
    -------
    list of (float, float)
        (rate K/ps, Tf K).
    """
    *others, (_, Tf) = of_paper()
    return [*others, (_STEPS_SAY_K_PER_PS, Tf)]


def surely_lower(table: pd.DataFrame) -> str:
    """At which rates the transition is lower here than in the paper's fastest run, though faster.

    Parameters
    ----------
    table : DataFrame
        As for `fit`.

    Returns
    -------
    str
        Sentences. A mean counts if its 95 % interval lies below the paper's temperature; one seed
        has none.
    """
    rate, Tf = of_paper()[0]
    means = censored.by_rate(run_table.seeds(run_table.settled(table))).dropna(subset="scatter_K")
    lower = means[(means["rate_K_per_ps"] > rate) & (means["high_K"] < Tf)]
    rates = ", ".join(f"{q:g} K/ps" for q in lower["rate_K_per_ps"])
    here = f"Here it is surely lower at {rates}." if rates else "Here no mean is surely lower."
    return f"The paper has {Tf} K at {rate:g} K/ps. {here}"


def fit(table: pd.DataFrame) -> dict:
    """Kissinger's law through the paper's points (by either rate) and through our seeds.

    Parameters
    ----------
    table : DataFrame
        rows of ``outcomes.of_runs`` for cells of one size; only those count that were in
        equilibrium before their ramp.

    Returns
    -------
    dict of str to law or str
        name -> ``kissinger`` law, or in words why none is drawn.
    """
    return {
        "paper": _law(of_paper()),
        "paper, slowest at 0.1 K/ps": _law(of_paper_by_steps()),
        "this book": _of_seeds(run_table.settled(table)),
    }


def calorimeter_K_per_ps() -> np.ndarray:
    """The range of heating rates in a calorimeter, in the unit of a simulation.

    Returns
    -------
    ndarray
        (2,) K/ps.
    """
    ends = [
        paper.value(f"heating.experiment_rate_{end}_K_per_min").number for end in ("low", "high")
    ]
    return units.K_per_min_to_K_per_ps(np.array(ends))


def extrapolated(laws: Mapping) -> list[str]:
    """What each law says of a calorimeter at 10 K/min, or why it says nothing.

    Parameters
    ----------
    laws : mapping
        of `fit`.

    Returns
    -------
    list of str
        a line for each, and what the paper says of experiments.
    """
    rates, said = calorimeter_K_per_ps(), []
    experiment = paper.value("stages.experiment_low_density_K").number
    for name, law in laws.items():
        if isinstance(law, str):
            said.append(f"{name}: no extrapolation without a law")
            continue
        (low, _), (high, _) = law.interval(rates)
        said.append(
            f"{name}: {law.temperature(rates)[0]:.0f} K at 10 K/min, between {low:.0f} and "
            f"{high:.0f} K (95 %)"
        )
    return [*said, f"The paper puts the low-density phase of experiments near {experiment} K."]


def plot(laws: Mapping, table: pd.DataFrame) -> Figure:
    """Tf against the heating rate, near the simulations and down to a calorimeter.

    The open squares are the paper's; the arrow leads from its slowest point to the rate that fits
    its steps. Ours are the seeds (triangles: a fall would have been found up to here; pale: not in
    equilibrium before the ramp) and the means of the rates.

    Parameters
    ----------
    laws : mapping
        of `fit`.
    table : DataFrame
        as for `fit`.

    Returns
    -------
    Figure
        the panels.
    """
    settled = run_table.settled(table)
    means = censored.by_rate(run_table.seeds(settled))
    seeds = {0.45: run_table.seeds(table[table["unsettled"] != ""]), 1.0: run_table.seeds(settled)}
    theirs, calorimeter = np.array(of_paper()), calorimeter_K_per_ps()
    fastest = max([1.5, *(2 * table["rate_K_per_ps"])])
    figure, (near, far) = style.axes(
        ("heating rate", "K/ps"), ("$T_f$", "K"), nrows=2, width=6.2, height=3
    )
    for ax, low in ((near, 0.05), (far, calorimeter[0] / 2)):
        grid = np.geomspace(low, fastest, 100)
        for name, law in laws.items():
            _draw(ax, name, law, grid)
        ax.plot(*theirs.T, "ks", mfc="none", label="paper, Fig. 6b")
        ax.annotate("", of_paper_by_steps()[-1], theirs[-1], arrowprops={"arrowstyle": "->"})
        for alpha, some in seeds.items():
            _points(ax, some, alpha)
        _means(ax, means)
        ax.set(xscale="log", ylim=(0, 2500))
    shown = [*theirs[:, 1], *(T for some in seeds.values() for T in some.temperature_K)]
    near.set_ylim(min(shown) - 150, max(shown) + 150)
    far.axvspan(*calorimeter, color=style.SERIES_COLOURS[2], alpha=0.5, label="calorimeter")
    names = far.get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def _points(ax, seeds: censored.Seeds, alpha: float) -> None:
    """Seeds that fall as dots, those known to fall above as triangles."""
    for fell, marker, words in ((True, "o", "a run"), (False, "^", "a run, higher than")):
        some = seeds.of(seeds.fell == fell)
        if len(some):
            words += ", not in equilibrium before" * (alpha < 1)
            look = {
                "marker": marker,
                "ls": "",
                "alpha": alpha,
                "mfc": "none",
                "ms": 4,
                "label": words,
            }
            ax.plot(some.rate_K_per_ps, some.temperature_K, color=style.SERIES_COLOURS[1], **look)


def _means(ax, means: pd.DataFrame) -> None:
    """Means of the rates with their 95 % intervals, where the scatter of seeds is known."""
    known = means.dropna(subset=["mean_K", "scatter_K"])
    if len(known):
        ends = np.abs(known[["low_K", "high_K"]].to_numpy().T - known["mean_K"].to_numpy())
        blue = {"fmt": "o", "color": style.SERIES_COLOURS[1], "label": "this book, mean, 95 %"}
        ax.errorbar(known["rate_K_per_ps"], known["mean_K"], ends, **blue)


def _draw(ax, name: str, law, grid) -> None:
    if isinstance(law, str):
        return
    colour = _COLOURS.get(name, style.SERIES_COLOURS[1])
    ax.plot(grid, law.temperature(grid), color=colour, lw=1, label=f"law, {name}")
    ax.fill_between(grid, *law.interval(grid), color=colour, alpha=0.12, lw=0)


def _law(points):
    """The law through the paper's points, or in words why none is drawn."""
    law = kissinger.fit([q for q, _ in points], [Tf for _, Tf in points])
    return law.why_not_drawn() or law


def _of_seeds(table: pd.DataFrame):
    """The law of our seeds, or in words why none is drawn."""
    came_back = table.loc[table["Tf_K"].notna(), "returns"] > 0
    try:
        return kissinger.of_seeds(run_table.seeds(table), came_back.tolist())
    except (kissinger.TooFewPoints, kissinger.NoLaw) as reason:
        return str(reason)
