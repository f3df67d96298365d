"""Figures of the accuracy of a potential: parity, errors during training, energy of volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.report import plots_of_potentials, style


def parities(points: Mapping[str, tuple], quantities: Sequence[tuple[str, str]]) -> Figure:
    """Predicted against reference values, a panel for each quantity.

    Parameters
    ----------
    points : mapping of str to tuple
        Quantity -> (reference, predicted, groups), from ``evaluation.parity``.
    quantities : sequence of (str, str)
        Quantity and unit of each panel.

    Returns
    -------
    Figure
        The panels.

    Raises
    ------
    Unfit
        As ``plots_of_potentials.parity``.
    """
    figure, panels = style.axes(("", "-"), ("", "-"), ncols=len(quantities), width=3.3, height=3.4)
    for ax, (quantity, unit) in zip(panels, quantities, strict=True):
        reference, predicted, groups = points[quantity]
        plots_of_potentials.parity(reference, predicted, quantity, unit, ax=ax, groups=groups)
        ax.set_xlabel(style.label(f"reference {quantity}", unit))
        ax.set_ylabel(style.label(f"predicted {quantity}", unit))
    first = panels[0].get_legend_handles_labels()
    for ax in panels:  # one legend of the sets, under all panels
        if ax.get_legend() and ax.get_legend_handles_labels()[1] == first[1]:
            ax.get_legend().remove()
    look = {"ncols": 5, "fontsize": 8, "markerscale": 3}
    for handle in figure.legend(*first, loc="outside lower center", **look).legend_handles:
        if handle:
            handle.set_alpha(1)
    return figure


def checkpoints(curve: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Errors of the checkpoints of one training against the training step, a panel for each error.

    Parameters
    ----------
    curve : DataFrame
        From ``learning_curves.read_learning``: step, role, RMSE of energy (meV/atom), force (eV/A)
        and virial (meV/atom).
    names : mapping of str to str
        Role -> its name in the legend.

    Returns
    -------
    Figure
        Three panels.
    """
    errors = {
        "energy_rmse_meV_per_atom": ("energy RMSE", "meV/atom"),
        "force_rmse_eV_per_A": ("force RMSE", "eV/A"),
        "virial_rmse_meV_per_atom": ("virial RMSE", "meV/atom"),
    }
    figure, panels = style.axes(("steps", "-"), ("", "-"), ncols=3, width=3.3, height=3.0)
    for ax, (column, said) in zip(panels, errors.items(), strict=True):
        for role, rows in curve.groupby("role"):
            ax.semilogy(rows["step"], rows[column], "o-", label=names[str(role)])
        ax.yaxis.set_major_formatter("{x:.3g}")
        ax.yaxis.set_minor_formatter("{x:.3g}")
        ax.set_ylabel(style.label(*said))
        ax.locator_params(axis="x", nbins=4)
    panels[0].legend()
    return figure


def energy_of_volume(curves: Mapping[str, pd.DataFrame]) -> Axes:
    """Energy against the change of volume, a line for each potential.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Potential -> result of ``equation_of_state.volume_curves`` (percent, meV/atom).

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("volume change", "%"), ("energy", "meV/atom"))
    for name, curve in curves.items():
        curve = curve.sort_values("volume_percent")
        ax.plot(curve["volume_percent"], curve["energy_meV_per_atom"], "o-", label=name)
    ax.legend()
    return ax


def energies_of_near_pairs(tables: dict[str, pd.DataFrame]) -> Axes:
    """Error of the energy of each frame, against the shortest distance between two Zn in it.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Potential -> result of ``close_pairs.forces_along`` (A, eV).

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("shortest Zn–Zn distance", "A"), ("error of the cell's energy", "eV"))
    ax.axhline(0, color="0.6", lw=0.8)
    for marker, (name, table) in zip("xo^sv", tables.items(), strict=False):
        ax.plot(table["distance_A"], table["energy_error_eV"], marker, mfc="none", label=name)
    ax.legend()
    return ax


def forces_between(table: pd.DataFrame) -> Axes:
    """Force that drives the two nearest Zn of each frame apart, against their distance.

    Parameters
    ----------
    table : DataFrame
        Result of ``close_pairs.forces_along`` (A, eV/A).

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("Zn–Zn distance", "A"), ("force between the two", "eV/A"))
    ax.axhline(0, color="0.6", lw=0.8)
    ax.plot(table["distance_A"], table["reference"], "o", mfc="none", label="reference")
    ax.plot(table["distance_A"], table["potential"], "x", label="potential")
    ax.plot(table["distance_A"], table["with_wall"], "+", label="potential and wall")
    ax.legend()
    return ax
