"""Figures of chapter 5: one heating run, its stages, bonds, molecules and displacements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.observables.density_stages import Onset
from helpers.observables.local_density import LocalDensity
from helpers.report import figure_data, interactive, paper, plots, style

_RED = "#d55e00"


def density_with_stages(table: pd.DataFrame, stages: Sequence, fall, title: str = "") -> Axes:
    """Density against temperature with its stages, if there are several, and the fall.

    Parameters
    ----------
    table : DataFrame
        of ``thermo.read``.
    stages : sequence of Stage
        of ``density_stages.find``.
    fall : Transition
        of the density.
    title : str
        above the panel, and above the names of the stages.

    Returns
    -------
    Axes
        the panel.
    """
    ax = style.against_temperature(
        table["target_temperature_K"],
        table["density_g_cm3"],
        "density",
        "g/cm3",
        window=max(1, len(table) // 50),
    )
    if len(stages) > 1:
        plots.stage_bands(ax, stages)
    ax.set_title(title, pad=28 if len(stages) > 1 else 6)
    if fall.found:
        ax.axvline(fall.Tf, color=_RED, label=f"$T_f$ = {fall.Tf:.0f} ± {fall.error:.0f} K")
        if len(stages) == 1:
            ax.axvspan(fall.Tf, fall.fallen_K, color=_RED, alpha=0.15, label="the density falls")
    style.paper_line(ax, paper.value("stages.density_crystal_g_per_cm3"))
    off_the_curve = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 3}
    ax.legend(**off_the_curve, frameon=False)
    return ax


def pair_rdfs(curves: Mapping[str, Any]) -> Figure:
    """g(r) of all atoms and of Zn with N, Zn and C at the stages of a run (paper, Figs. 4c, d).

    Parameters
    ----------
    curves : mapping of str to RDFs
        Stage -> functions.

    Returns
    -------
    Figure
        A panel for each.
    """
    return plots.rdf_stages(curves, [None, ("Zn", "N"), ("Zn", "Zn"), ("Zn", "C")])


def density_maps(local: Mapping[str, LocalDensity]) -> interactive.Interactive:
    """Maps of the local density, seen along c, one window at a time.

    Parameters
    ----------
    local : mapping of str to LocalDensity
        Window -> density in its boxes.

    Returns
    -------
    Interactive
        The maps on one scale of colours.
    """
    a, b, _ = next(iter(local.values())).edges
    maps = {name: one.slice(axis=2) for name, one in local.items()}
    return interactive.maps(maps, (float(a), float(b)))


def local_densities(local: Mapping[str, LocalDensity], at_random: LocalDensity) -> Axes:
    """Shares of boxes by their density, a line for each window, and for atoms at random.

    Parameters
    ----------
    local : mapping of str to LocalDensity
        window -> its boxes.
    at_random : LocalDensity
        of ``local_density.thrown_at_random``.

    Returns
    -------
    Axes
        the panel.
    """
    _, ax = style.axes(("number density in a box", "1/Å³"), ("share of boxes", "-"))
    for name, one in local.items():
        ax.plot(*one.distribution(), ".-", label=name)
    ax.plot(*at_random.distribution(), "k--", lw=1, label="thrown at random")
    ax.legend(fontsize=8)
    return ax


def cutoffs(by_window: Mapping[str, pd.DataFrame], cutoff_A: float) -> Axes:
    """Undercoordinated Zn (%) against the cutoff (A).

    Parameters
    ----------
    by_window : mapping of str to DataFrame
        name -> of ``coordination.cutoff_sensitivity``.
    cutoff_A : float
        the cutoff of the page.

    Returns
    -------
    Axes
        the panel.
    """
    _, ax = style.axes(("cutoff", "A"), ("undercoordinated Zn", "%"))
    for name, by in by_window.items():
        ax.plot(by["cutoff_A"], 100 * by["undercoordinated"], "o-", ms=3, label=name)
    ax.axvline(cutoff_A, color="black", ls="--", lw=1, label=f"cutoff {cutoff_A:g} Å")
    ax.set(yscale="symlog", ylim=(0, None))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.legend(fontsize=8)
    return ax


def events(bonds, fall) -> Axes:
    """Bonds broken, bonds exchanged and imidazolates moved so far, and where the density falls.

    Parameters
    ----------
    bonds : ligand_exchange.Bonds
        of the run.
    fall : Transition
        of its density.

    Returns
    -------
    Axes
        the panel.
    """
    ended = bonds.episodes[bonds.episodes["outcome"] != "end"]
    series = {
        "bond broken": ended["end"],
        "bond exchanged": bonds.exchanges["bound_again"],
        "imidazolate moved": bonds.moves["frame"],
    }
    _, ax = style.axes(("temperature", "K"), ("events so far", "-"))
    for name, when in series.items():
        ax.step(bonds.temperatures_K, bonds.cumulative(when), where="post", label=name)
    if fall.found:
        ax.axvspan(fall.Tf, fall.fallen_K, color=_RED, alpha=0.3, label="the density falls")
    ax.legend()
    return ax


def shares(binned: Mapping[str, pd.DataFrame], quantity: str) -> Axes:
    """Means in windows of temperature with their standard errors, a line for each.

    Parameters
    ----------
    binned : mapping of str to DataFrame
        name -> of ``statistics.bin_by_temperature``.
    quantity : str
        of the vertical axis, in percent.

    Returns
    -------
    Axes
        the panel.
    """
    _, ax = style.axes(("temperature", "K"), (quantity, "%"))
    for name, mean in binned.items():
        style.banded(ax, mean["temperature_K"], mean["mean"], mean["error"], name=name)
    ax.legend(fontsize=8)
    return ax


def displacements(
    binned: Mapping[str, pd.DataFrame], onsets: Mapping[str, Onset | None], half_way_A: float
) -> Axes:
    """Root-mean-square displacement (A) of each element, and where it sets out (dotted).

    Parameters
    ----------
    binned : mapping of str to DataFrame
        element -> of ``statistics.bin_by_temperature``.
    onsets : mapping of str to Onset or None
        element -> of ``density_stages.onset``.
    half_way_A : float
        half the way to the next Zn.

    Returns
    -------
    Axes
        the panel.
    """
    _, ax = style.axes(("temperature", "K"), ("root-mean-square displacement", "A"))
    for element, mean in binned.items():
        look = {"name": element, "colour": style.element_colour(element)}
        style.banded(ax, mean["temperature_K"], mean["mean"], mean["error"], **look)
        if onset := onsets[element]:
            ax.axvline(onset.temperature_K, color=look["colour"], ls=":", lw=1)
    ax.axhline(half_way_A, color="black", ls="--", lw=1, label="half way to the next Zn")
    ax.legend(fontsize=8, loc="upper left")
    return ax


def peak_widths(widths: pd.DataFrame):
    """Widths of the first peaks with the ranges of the paper (Fig. 6a).

    Parameters
    ----------
    widths : DataFrame
        of ``peaks.track``.

    Returns
    -------
    Figure
        the panels.
    """
    ends = ("plateau_start", "plateau_end", "equal_up_to")
    *plateau, alike = (paper.value(f"observables.fwhm_{end}_K").number for end in ends)
    return plots.peak_widths(widths, plateau, alike)


def range_edges(coldest_K: float) -> list[tuple[float, float]]:
    """The paper's three ranges of temperature for the widths of the peaks.

    Parameters
    ----------
    coldest_K : float
        where the first range begins.

    Returns
    -------
    list of (float, float)
        K: both peaks alike, Zn-N faster, plateau.
    """
    ends = ("equal_up_to", "plateau_start", "plateau_end")
    alike, low, high = (float(paper.value(f"observables.fwhm_{end}_K").number) for end in ends)
    return [(min(float(np.floor(coldest_K)), alike), alike), (alike, low), (low, high)]


def coordination_shares(temperature_K, shares: pd.DataFrame) -> Axes:
    """Shares of Zn with 0, 1, 2 ... 6 N against temperature, stacked; fourfold Zn is grey.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures, K.
    shares : (M, 7) DataFrame
        Share of Zn with each number of N, columns named by the number.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("temperature", "K"), ("share of Zn with x N", "-"), width=6)
    colours = ("#000000", "#00304d", "#0072b2", "#56b4e9", "#e3e3e3", "#e69f00", "#d55e00")
    ax.stackplot(
        temperature_K, shares.to_numpy().T, colors=colours, labels=[f"x = {x}" for x in shares]
    )
    ax.set_ylim(0, 1)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    numbers = shares.set_axis(np.asarray(temperature_K), axis="index")
    figure_data.bring(ax, numbers.add_prefix("x = "))
    return ax


def event_rates(table: pd.DataFrame, laws: Mapping[str, Any]) -> Axes:
    """Arrhenius plot of bond breaking and exchange: rates with 95 % limits, upper limits as arrows.

    Parameters
    ----------
    table : DataFrame
        Result of ``ligand_exchange.Bonds.rates``.
    laws : mapping of str to event_rates.Arrhenius
        Fitted laws to draw as lines, for "break" and "exchange".

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("1000 / T", "1/K"), ("rate of one bond", "1/ns"))
    x = 1000 / table["temperature_K"].to_numpy()
    for colour, marker, name in zip(
        style.SERIES_COLOURS, "os", ("break", "exchange"), strict=False
    ):
        rate, low, high = (table[f"{name}_{part}"].to_numpy() for part in ("per_ns", "low", "high"))
        seen = rate > 0
        ax.errorbar(
            x[seen],
            rate[seen],
            np.stack([rate - low, high - rate])[:, seen],
            fmt=marker,
            color=colour,
            markersize=4,
            capsize=2,
            label=name if seen.any() else None,
        )
        ax.plot(  # in the legend where there is one
            x[~seen],
            high[~seen],
            marker="v",
            linestyle="none",
            color=colour,
            markersize=9 if name == "break" else 5,
            markerfacecolor="none",
            label=None if seen.all() else f"{name}: none seen, at most",
        )
        if name in laws:
            line = np.linspace(x.min(), x.max(), 50)
            ax.plot(line, laws[name].rate(1000 / line)[0], color=colour, linewidth=1)
    ax.set_yscale("log")
    ax.legend(fontsize=8)
    return ax


def ring_sizes(counts: Mapping[str, np.ndarray], n_metal: int) -> Axes:
    """Histogram of the ring sizes of the network at several stages.

    Parameters
    ----------
    counts : mapping of str to (S,) array of int
        Number of rings of each size (``network.rings``) in each stage.
    n_metal : int
        Number of metal atoms, by which the counts are divided.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("Zn in a ring", "-"), ("rings for each Zn", "-"))
    sizes = np.arange(2, len(next(iter(counts.values()))))
    width = 0.8 / len(counts)
    for k, (name, count) in enumerate(counts.items()):
        ax.bar(
            sizes + (k - (len(counts) - 1) / 2) * width,
            count[2:] / n_metal,
            width,
            label=name,
            color=style.SERIES_COLOURS[k % len(style.SERIES_COLOURS)],
        )
    ax.set_xticks(sizes)
    ax.legend(fontsize=8)
    return ax


def shapes(runs: Sequence[Any]) -> Axes:
    """Ratios of the lengths of cells against temperature, over those of their first 100 K.

    Parameters
    ----------
    runs : sequence of Run
        Heating runs whose cells may change their shape.

    Returns
    -------
    Axes
        The panel: a/c full and b/c dotted, a colour for each run (running means), which is named
        by what is free and its seed.
    """
    _, ax = style.axes(("temperature", "K"), ("ratio of lengths over that at the start", "-"))
    for colour, run in zip(style.SERIES_COLOURS, runs, strict=False):
        ramp, T = run.ramp, run.ramp["target_temperature_K"]
        free = "angles free, too" if run.recipe.coupling == "tri" else "lengths free"
        for axis, line in (("a", "-"), ("b", ":")):
            ratio = ramp[f"cell_{axis}_A"] / ramp["cell_c_A"]
            ratio /= ratio[T <= T.iloc[0] + 100].mean()
            smooth = style.running_mean(ratio, max(1, len(ratio) // 20))
            ax.plot(T, smooth, line, color=colour, label=f"{axis}/c, {free}, seed {run.seed}")
    ax.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    return ax
