"""Figures of the accuracy of a potential: parity, errors during training, energy of volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.report import plots_of_potentials, style

_OTHER = "other tests"  # sets that mix phases, or are of another kind


def parities(
    points: Mapping[str, tuple],
    quantities: Sequence[tuple[str, str]],
    phases: Mapping[str, Sequence[str]],
) -> Figure:
    """Predicted against reference, a panel for each quantity, and below it what is left.

    Parameters
    ----------
    points : mapping of str to tuple
        Quantity -> (reference, predicted, groups), from ``evaluation.parity``.
    quantities : sequence of (str, str)
        Quantity and unit of each panel.
    phases : mapping of str to sequence of str
        Phase -> its sets, from ``accuracy.TEST_SETS``. Sets have the colour of their phase.

    Returns
    -------
    Figure
        The panels.

    Raises
    ------
    Unfit
        As ``plots_of_potentials.parity``.
    """
    of_set = {name: phase for phase, sets in phases.items() for name in sets}
    figure, panels = style.axes(
        ("", "-"), ("", "-"), nrows=2, ncols=len(quantities), width=3.3, height=3.0, squeeze=False
    )
    for (above, below), (quantity, unit) in zip(panels.T, quantities, strict=True):
        reference, predicted, groups = points[quantity]
        if not set(groups) <= set(style.ELEMENT_COLOURS):
            groups = np.array([of_set.get(name, _OTHER) for name in groups])
            order = [*phases, _OTHER]  # so that a phase has one colour in all panels
            first = np.argsort([order.index(name) for name in groups], kind="stable")
            reference, predicted, groups = reference[first], predicted[first], groups[first]
        plots_of_potentials.parity(reference, predicted, quantity, unit, ax=above, groups=groups)
        small = unit == "eV/atom"  # an error of it is told in meV
        _left(below, above, 1e3 if small else 1.0)
        above.set_ylabel(style.label(f"predicted {quantity}", unit))
        below.set_xlabel(style.label(f"reference {quantity}", unit))
        below.set_ylabel(style.label("error", f"m{unit}" if small else unit))
    first = panels[0, 0].get_legend_handles_labels()
    for ax in panels[0]:  # one legend of the phases, under all panels
        if ax.get_legend() and ax.get_legend_handles_labels()[1] == first[1]:
            ax.get_legend().remove()
    look = {"ncols": 4, "fontsize": 9, "markerscale": 3}
    for handle in figure.legend(*first, loc="outside lower center", **look).legend_handles:
        if handle:
            handle.set_alpha(1)
    return figure


def _left(below: Axes, above: Axes, factor: float) -> None:
    """What a parity plot hides: how far its points are from the diagonal, in units of its own."""
    for line in above.get_lines()[:-1]:  # the last one is the diagonal
        x, y = (np.asarray(one, float) for one in line.get_data())
        below.plot(
            x, factor * (y - x), ".", markersize=3, alpha=0.35, color=line.get_color(),
            label=line.get_label(), rasterized=True,
        )  # fmt: skip
    below.axhline(0, color="black", linewidth=0.8)


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
