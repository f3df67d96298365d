"""Figures of a potential: parity, errors during training, in use, and of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers import units
from helpers.errors import Unfit
from helpers.report import style, tables

_POINTS_DRAWN = 20_000
_OTHER = "other tests"  # sets that mix phases, or are of another kind


def parity(
    reference,
    predicted,
    quantity: str,
    unit: str,
    *,
    ax: Axes | None = None,
    groups=None,
) -> Axes:
    """Predicted against reference values, with the diagonal and the root-mean-square error.

    The RMSE, ``sqrt(mean((predicted - reference)^2))``, is that of all points; at most 20 000,
    chosen with a fixed seed, are drawn.

    Parameters
    ----------
    reference : array
        Reference values, in ``unit``.
    predicted : array
        Predicted values, of the same shape.
    quantity : str
        Name of the quantity.
    unit : str
        Its unit in ASCII.
    ax : Axes, optional
        Panel to draw into; by default a new figure.
    groups : array of str, optional
        Group of each point (an element or a set), drawn in a colour of its own.

    Returns
    -------
    Axes
        The panel.

    Raises
    ------
    Unfit
        The shapes differ, there are no points, or a value is not finite.
    """
    reference, predicted = np.asarray(reference, float), np.asarray(predicted, float)
    if reference.shape != predicted.shape:
        raise Unfit(
            f"parity of {quantity}: reference has shape {reference.shape}, "
            f"predicted {predicted.shape}"
        )
    reference, predicted = reference.ravel(), predicted.ravel()
    if not reference.size:
        raise Unfit(f"parity of {quantity}: no points")
    if not (np.isfinite(reference).all() and np.isfinite(predicted).all()):
        raise Unfit(f"parity of {quantity}: a value is not finite; find its frame first")
    groups = np.full(reference.size, "") if groups is None else np.asarray(groups).ravel()
    if groups.size != reference.size:
        raise Unfit(f"parity of {quantity}: {groups.size} labels, {reference.size} points")
    if ax is None:
        _, ax = style.axes(
            (f"reference {quantity}", unit), (f"predicted {quantity}", unit), width=4.2, height=4.0
        )

    drawn = np.arange(reference.size)
    if drawn.size > _POINTS_DRAWN:
        drawn = np.sort(np.random.default_rng(0).choice(drawn, _POINTS_DRAWN, replace=False))
    names = list(dict.fromkeys(groups.tolist()))
    many = len(names) > len(style.SERIES_COLOURS)
    series = list(plt.get_cmap("tab20")(range(20))) if many else style.SERIES_COLOURS
    for i, name in enumerate(names):
        chosen = drawn[groups[drawn] == name]
        colour = style.ELEMENT_COLOURS.get(name, series[i % len(series)])
        ax.plot(
            reference[chosen],
            predicted[chosen],
            ".",
            markersize=3,
            alpha=0.35,
            color=colour,
            label=name or None,
            rasterized=True,
        )
    ends = np.array([min(reference.min(), predicted.min()), max(reference.max(), predicted.max())])
    ax.plot(ends, ends, color="black", linewidth=0.8)
    rmse = float(np.sqrt(np.mean((predicted - reference) ** 2)))
    small = unit == "eV/atom"  # an error of it is told in meV
    said = f"{1e3 * rmse:.3g}\nm{unit}" if small else f"{rmse:.3g}\n{units.pretty(unit)}"
    ax.text(
        0.04,
        0.96,
        f"RMSE {said}\n{tables.whole(reference.size)} points",
        transform=ax.transAxes,
        va="top",
    )
    ax.set_aspect("equal", adjustable="datalim")
    if any(groups):
        below: dict[str, Any] = {
            "loc": "upper center",
            "bbox_to_anchor": (0.5, -0.15),
            "ncols": 3,
            "fontsize": 7,
        }
        legend = ax.legend(markerscale=3, **below if many else {"loc": "lower right"})
        for handle in filter(None, legend.legend_handles):
            handle.set_alpha(1)
    return ax


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
        As `parity`.
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
        parity(reference, predicted, quantity, unit, ax=above, groups=groups)
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


def learning_curves(lcurve: pd.DataFrame) -> Figure:
    """Training and validation RMSE against training step, for energy, force and virial.

    Parameters
    ----------
    lcurve : DataFrame
        DeePMD-kit's ``lcurve.out`` with its own column names (``step``, ``rmse_e_val``,
        ``rmse_e_trn``, ``rmse_f_val`` ...), eV/atom and eV/A.

    Returns
    -------
    Figure
        A panel for each quantity in the table.

    Raises
    ------
    Unfit
        There is no column ``step``, or none of RMSE.
    """
    kinds = {
        "e": ("energy RMSE", "meV/atom", 1e3),
        "f": ("force RMSE", "eV/A", 1.0),
        "v": ("virial RMSE", "meV/atom", 1e3),
    }
    kinds = {k: v for k, v in kinds.items() if f"rmse_{k}_trn" in lcurve}
    if "step" not in lcurve or not kinds:
        raise Unfit(
            f"learning curve has columns {', '.join(map(str, lcurve.columns))}; "
            f"needed: step and rmse_e_trn, rmse_f_trn or rmse_v_trn"
        )
    figure, panels = style.axes(
        ("step", "-"), ("", "-"), ncols=len(kinds), width=3.3, height=3.0, squeeze=False
    )
    for panel, (kind, (quantity, unit, factor)) in zip(panels.flat, kinds.items(), strict=True):
        for part, name, colour in (("trn", "training", 0), ("val", "validation", 1)):
            if f"rmse_{kind}_{part}" in lcurve:
                panel.plot(
                    lcurve["step"],
                    lcurve[f"rmse_{kind}_{part}"] * factor,
                    label=name,
                    color=style.SERIES_COLOURS[colour],
                    linewidth=1,
                )
        panel.set_yscale("log")
        panel.set_ylabel(style.label(quantity, unit))
        style.log_ticks(panel.yaxis)
    handles, names = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=2)
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


def beside_cp2k(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Errors of potentials against CP2K with their signs, against the volume.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Potential -> result of ``accuracy.beside_cp2k``.

    Returns
    -------
    Figure
        Energies on the left, pressures on the right, each with a straight line.
    """
    figure, panels = style.axes(("volume", "A^3/atom"), ("", "-"), ncols=2, width=4.6, height=3.4)
    columns = {
        "energy_off_meV_per_atom": style.label("error in energy", "meV/atom"),
        "pressure_off_GPa": style.label("error in pressure", "GPa"),
    }
    for ax, (column, says) in zip(panels, columns.items(), strict=True):
        ax.axhline(0, color="black", lw=0.8)
        ax.set_ylabel(says)
        for name, table in tables.items():
            volume = table["volume_A3_per_atom"]
            (points,) = ax.plot(volume, table[column], "o", markersize=5, label=name)
            if len(table) > 2:
                ends = np.array([volume.min(), volume.max()])
                line = np.polyval(np.polyfit(volume, table[column], 1), ends)
                ax.plot(ends, line, color=points.get_color(), lw=1)
    panels[0].legend()
    return figure


def calibration(table: pd.DataFrame, phases: Mapping[str, Sequence[str]]) -> Figure:
    """True force error against model deviation, a point for each frame, with the diagonal.

    Parameters
    ----------
    table : DataFrame
        Result of ``ensemble.calibrate``.
    phases : mapping of str to sequence of str
        Phase -> its sets, from ``accuracy.TEST_SETS``. Frames have the colour of their phase.

    Returns
    -------
    Figure
        Means over the atoms of a frame on the left, the largest of a frame on the right.
    """
    axes = ("force deviation", "eV/A"), ("true force error", "eV/A")
    figure, panels = style.axes(*axes, ncols=2)
    for what, ax in zip(("avg", "max"), panels, strict=True):
        _calibration(table, phases, what, ax)
    panels[0].legend(fontsize=7)
    return figure


def _calibration(
    table: pd.DataFrame, phases: Mapping[str, Sequence[str]], what: str, ax: Axes
) -> None:
    x, y = f"{what}_eV_per_A", f"{what}_error_eV_per_A"
    of_set = {name: phase for phase, sets in phases.items() for name in sets}
    phase = table["set"].map(of_set).fillna(_OTHER)
    for name in [*phases, _OTHER]:
        rows = table[phase == name]
        if len(rows):
            ax.plot(rows[x], rows[y], "o", ms=3, alpha=0.7, label=name)
    ends = [table[[x, y]].min().min(), table[[x, y]].max().max()]
    ax.plot(ends, ends, color="black", linewidth=0.8)
    ax.set(
        xscale="log",
        yscale="log",
        title={"avg": "mean over atoms", "max": "largest of a frame"}[what],
    )
    for axis in (ax.xaxis, ax.yaxis):
        style.log_ticks(axis)


def nets(table: pd.DataFrame) -> Axes:
    """Force error of nets trained for the same number of steps against the cost of an MD step.

    Parameters
    ----------
    table : DataFrame
        Result of ``architectures.table``; nets that were not timed are left out.

    Returns
    -------
    Axes
        The panel; hollow: evaluated by TensorFlow, as the fused evaluation does not know the nets.
    """
    cost = ("cost of an MD step, 2176 atoms", "core-µs/atom")
    _, ax = style.axes(cost, ("force error", "eV/A"), width=7)
    colour = style.SERIES_COLOURS[0]
    for row in table.dropna(subset="core_us_2176").to_dict("records"):
        at = row["core_us_2176"], row["force_rmse_eV_per_A"]
        ax.plot(*at, "o", color=colour, markerfacecolor=colour if row["fused"] else "none")
        name, _, seed = row["name"].partition(", seed")
        if not seed:  # further seeds lie above and below the first, whose name they share
            ax.annotate(name, at, xytext=(6, 3), textcoords="offset points", fontsize=8)
    ax.margins(x=0.15)
    return ax
