"""Figures of chapter 5: one heating run, its stages, bonds, molecules and displacements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from helpers.observables.density_stages import Onset
from helpers.observables.local_density import LocalDensity
from helpers.report import paper, plots, style

_RED = "#d55e00"


def density_with_stages(table: pd.DataFrame, stages: Sequence, fall) -> Axes:
    """Density against temperature with its stages, if there are several, and the fall.

    Parameters
    ----------
    table : DataFrame
        of ``thermo.read``.
    stages : sequence of Stage
        of ``density_stages.find``.
    fall : Transition
        of the density.

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
    if fall.found:
        ax.axvline(fall.Tf, color=_RED, label=f"Tf = {fall.Tf:.0f} ± {fall.error:.0f} K")
        if len(stages) == 1:
            ax.axvspan(fall.Tf, fall.fallen_K, color=_RED, alpha=0.15, label="the density falls")
    return style.paper_line(ax, paper.value("stages.density_crystal_g_per_cm3"))


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
