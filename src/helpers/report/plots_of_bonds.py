"""Figures of chapter 3: does a run hold its temperature, total g(r), the shells of Zn."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from helpers.observables.rdf import RDF
from helpers.report import paper, plots, style


def temperature_held(tables: Mapping[str, pd.DataFrame], sigma: float, until_ps: float) -> Axes:
    """Temperature of runs in time, and the band in which it has that of the thermostat.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        name -> of ``thermo.read``; the target of the first one is drawn.
    sigma : float
        standard deviation of the temperature over the target.
    until_ps : float
        the time (ps) that is shown.

    Returns
    -------
    Axes
        the panel.
    """
    _, ax = style.axes(("time", "ps"), ("temperature", "K"))
    first, *_ = tables.values()
    first = first[first["time_ps"] <= until_ps]
    target = first["target_temperature_K"]
    width = 4 * sigma * target
    grey = {"color": "#d9d9d9", "label": "target ± 4σ"}
    ax.fill_between(first["time_ps"], target - width, target + width, **grey)
    for (name, table), marker in zip(tables.items(), ("o-", "s--"), strict=False):
        table = table[table["time_ps"] <= until_ps]
        ax.plot(table["time_ps"], table["temperature_K"], marker, markersize=3, label=name)
    ax.set(xlim=(0, None), ylim=(0, None))
    ax.legend()
    return ax


def total_rdf(curves: Mapping[str, object], title: str, half_cell: float) -> Axes:
    """g(r) of all atoms, the reference on top.

    Parameters
    ----------
    curves : mapping of str to RDFs
        name -> all g(r).
    title : str
        above the panel.
    half_cell : float
        A; the ground beyond is grey.

    Returns
    -------
    Axes
        the panel.
    """
    figure = plots.rdf_stages(curves, [None], ncols=1, half_cell=half_cell, on_top="reference")
    ax = figure.axes[0]
    ax.set_title(title)
    return ax


def valley(curves: Mapping[float, RDF]) -> Axes:
    """Zn-N g(r) by temperature and its valley, with the temperature of the paper in the title.

    Parameters
    ----------
    curves : mapping of float to RDF
        temperature (K) -> g(r) of Zn-N.

    Returns
    -------
    Axes
        the panel.
    """
    merging = paper.value("observables.partial_melting_K").number
    ax = plots.rdf_temperatures(curves).axes[1]
    ax.set_title(f"the valley (paper: filled above {merging} K)")
    return ax


def running_coordination(curves: Mapping[float, RDF], title: str) -> Axes:
    """Number of neighbours within r, a curve for each temperature, with its standard error.

    Parameters
    ----------
    curves : mapping of float to RDF
        temperature (K) -> g(r).
    title : str
        above the panel.

    Returns
    -------
    Axes
        the panel.
    """
    _, ax = style.axes(("r", "A"), ("N within r of Zn", "-"))
    for T, one in curves.items():
        look = {"name": f"{T:.0f} K", "colour": style.temperature_colour(T), "marker": ""}
        style.banded(ax, one.edges[1:], one.n, one.n_error, **look)
    ax.set(xlim=(1.5, 5), ylim=(0, 8), title=title)
    ax.legend(fontsize=8)
    return ax


def activation(found, range_K: tuple[float, float] = (300.0, 2100.0)) -> Axes:
    """Activation free energies beside the lines of Table 2 (Fig. 3d).

    Parameters
    ----------
    found : activation.Activation
        barriers and their line.
    range_K : (float, float)
        of the lines.

    Returns
    -------
    Axes
        the panel.
    """
    theirs = {
        f"Table 2, {name}": (row["dU_kJ_per_mol"].number, row["dS_J_per_mol_K"].number)
        for name, row in paper.rows("table2").items()
    }
    return plots.activation(found.barriers, found.line, theirs, range_K)
