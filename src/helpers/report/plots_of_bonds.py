"""Figures of chapter 3: does a run hold its temperature, g(r), the shells of Zn, what flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.observables.rdf import RDF
from helpers.report import interactive, paper, plots, style, tables_of_bonds

_REFERENCE = "reference"  # the name of its curve


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
    figure = plots.rdf_stages(curves, [None], ncols=1, half_cell=half_cell, on_top=_REFERENCE)
    ax = figure.axes[0]
    ax.set_title(title)
    return ax


def pair_rdfs(curves: Mapping[str, Any], pairs: Sequence, half_cell: float) -> Figure:
    """g(r) of each pair of elements, the reference on top.

    Parameters
    ----------
    curves : mapping of str to RDFs
        Name -> functions.
    pairs : sequence of (str, str)
        Pairs of elements.
    half_cell : float
        Half the width of the cell, A.

    Returns
    -------
    Figure
        A panel for each pair.
    """
    return plots.rdf_stages(curves, pairs, ncols=3, half_cell=half_cell, on_top=_REFERENCE)


def network_by_temperature(rdfs: Mapping[float, Any]) -> interactive.Interactive:
    """g(r) of the pairs that carry the network, one temperature at a time.

    Parameters
    ----------
    rdfs : mapping of float to RDFs
        Functions at each temperature (K).

    Returns
    -------
    Interactive
        The figure with its slider.
    """
    table = tables_of_bonds.curves(rdfs, [("Zn", "N"), ("Zn", "Zn"), ("N", "N")])
    labels = {"g": ("g(r)", "-")}
    return interactive.slider(table, "r_A", "g", step="temperature_K", by="pair", labels=labels)


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


def mean_force(works: Mapping[float, Any], title: str = "") -> Axes:
    """Potentials of mean force at several temperatures, with bands of one standard error (Fig. 3c).

    Parameters
    ----------
    works : mapping of float to pmf.PMF
        The potential at each temperature (K), kJ/mol.
    title : str
        Title of the panel.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("r", "A"), ("F(r)", "kJ/mol"))
    for temperature, work in works.items():
        colour = style.temperature_colour(temperature)
        ax.plot(work.r, work.w, color=colour, linewidth=1.2, label=f"{temperature:.0f} K")
        if work.error is not None:
            ax.fill_between(
                work.r,
                work.w - work.error,
                work.w + work.error,
                color=colour,
                alpha=0.25,
                linewidth=0,
            )
    ax.set(xlim=(1.5, 7), title=title)
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def mean_squared_displacements(moved: Mapping[float, tuple], elements: tuple[str, str]) -> Axes:
    """MSD of two elements against the lag, at several temperatures.

    Parameters
    ----------
    moved : mapping of float to ((M,) array, dict of str to (M,) array)
        For each temperature (K) the lags, ps, zero first, and the MSD of each element, A^2.
    elements : (str, str)
        The element drawn as lines and the one drawn as dots.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("time", "ps"), ("mean squared displacement", "A^2"))
    for temperature, (lag, squared) in moved.items():
        for element, line in zip(elements, ("-", ":"), strict=True):
            ax.plot(
                lag[1:],
                squared[element][1:],
                line,
                color=style.temperature_colour(temperature),
                label=f"{temperature:.0f} K" if line == "-" else None,
                linewidth=1.2,
            )
    ax.set(xscale="log", yscale="log", title=f"{elements[0]} (lines) and {elements[1]} (dots)")
    style.log_ticks(ax.xaxis)
    style.log_ticks(ax.yaxis)
    ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return ax
