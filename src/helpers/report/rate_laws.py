"""Transition temperature against heating rate: the paper's points, ours, and Kissinger's law."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from helpers import units
from helpers.observables import kissinger
from helpers.observables.transition import Transition
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


def fit(by_rate: Mapping[float, Transition]) -> dict:
    """Kissinger's law through the paper's points (by either rate) and through ours.

    Parameters
    ----------
    by_rate : mapping of float to Transition
        heating rate (K/ps) -> what was found there.

    Returns
    -------
    dict of str to law or str
        name -> ``kissinger`` law, or in words why there is none.
    """
    found = {rate: fall for rate, fall in by_rate.items() if fall.found}
    ours = [(rate, fall.Tf) for rate, fall in found.items()]
    return {
        "paper": _law(of_paper()),
        "paper, slowest at 0.1 K/ps": _law(of_paper_by_steps()),
        "this book": _law(ours, [fall.error for fall in found.values()]),
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
            said.append(f"{name}: no extrapolation, since {law}")
            continue
        (low, _), (high, _) = law.interval(rates)
        said.append(
            f"{name}: {law.temperature(rates)[0]:.0f} K at 10 K/min, between {low:.0f} and "
            f"{high:.0f} K (95 %)"
        )
    return [*said, f"The paper puts the low-density phase of experiments near {experiment} K."]


def plot(laws: Mapping, by_rate: Mapping[float, Transition]) -> Figure:
    """Tf against the heating rate, near the simulations and down to a calorimeter.

    The open squares are the paper's; the arrow leads from its slowest point to the rate that fits
    its steps.

    Parameters
    ----------
    laws : mapping
        of `fit`.
    by_rate : mapping of float to Transition
        ours.

    Returns
    -------
    Figure
        the panels.
    """
    found = {rate: fall for rate, fall in by_rate.items() if fall.found}
    ours = np.array([(rate, fall.Tf, fall.error) for rate, fall in found.items()]).reshape(-1, 3)
    theirs, calorimeter = np.array(of_paper()), calorimeter_K_per_ps()
    figure, (near, far) = style.axes(("heating rate", "K/ps"), ("$T_f$", "K"), ncols=2, width=5)
    for ax, low in ((near, 0.05), (far, calorimeter[0] / 2)):
        grid = np.geomspace(low, max([1.5, *(2 * ours[:, 0])]), 100)
        for name, law in laws.items():
            _draw(ax, name, law, grid)
        ax.plot(*theirs.T, "ks", mfc="none", label="paper, Fig. 6b")
        ax.annotate("", of_paper_by_steps()[-1], theirs[-1], arrowprops={"arrowstyle": "->"})
        if len(ours):
            blue = {"fmt": "o", "color": style.SERIES_COLOURS[1], "label": "this book"}
            ax.errorbar(ours[:, 0], ours[:, 1], ours[:, 2], **blue)
        ax.set(xscale="log", ylim=(0, 2500))
    shown = [*theirs[:, 1], *ours[:, 1]]
    near.set_ylim(min(shown) - 150, max(shown) + 150)
    far.axvspan(*calorimeter, color=style.SERIES_COLOURS[2], alpha=0.5, label="calorimeter")
    far.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _draw(ax, name: str, law, grid) -> None:
    if isinstance(law, str):
        return
    colour = _COLOURS.get(name, style.SERIES_COLOURS[1])
    ax.plot(grid, law.temperature(grid), color=colour, lw=1, label=f"law, {name}")
    ax.fill_between(grid, *law.interval(grid), color=colour, alpha=0.12, lw=0)


def _law(points, errors=None):
    """The law, or in words why there is none."""
    try:
        return kissinger.fit([q for q, _ in points], [Tf for _, Tf in points], errors)
    except kissinger.TooFewPoints as problem:
        return str(problem)
