"""Figures of scattering: a measured glass, and models as the measurement would see them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.observables import pair_distribution
from helpers.observables.as_measured import Seen
from helpers.observables.pair_distribution import Transform
from helpers.report import style
from helpers.report.experiment import HeatedGlass

_Q, _R = ("Q", "1/A"), ("r", "A")
_F, _D = ("F(Q)", "-"), ("D(r)", "1/A^2")
_MEASURED = {"color": "black", "lw": 1.2}
_PLATE = {"color": "white", "alpha": 0.8, "pad": 1}  # behind a name that stands on curves


def transforms(cold: HeatedGlass, choices: Mapping[str, Transform], r_max: float = 10.0) -> Figure:
    """Measured F(Q) above, and below the published D(r) with the results of other windows.

    Parameters
    ----------
    cold : HeatedGlass
        One temperature, from `HeatedGlass.at`.
    choices : mapping of str to Transform
        Name -> transform; each curve is shifted up from the one before.
    r_max : float
        End of the lower panel, A.

    Returns
    -------
    Figure
        Two panels.
    """
    figure, (top, bottom) = _two_panels(_Q, _F, _R, _D)
    top.plot(cold.Q_per_A, cold.F, **_MEASURED)
    near = cold.r_A < r_max
    step = 0.8 * np.ptp(cold.D[near])
    for n, (name, transform) in enumerate(choices.items()):
        mine = transform(cold.Q_per_A, cold.F, cold.r_A[near])
        bottom.plot(cold.r_A[near], cold.D[near] + n * step, **_MEASURED)
        bottom.plot(cold.r_A[near], mine + n * step, label=name)
    bottom.set_yticks([])
    bottom.legend(fontsize=8, loc="upper right")
    return figure


def on_heating(glass: HeatedGlass, q_max: float = 4.0) -> Axes:
    """F(Q) at every temperature; dark is cold, light is hot.

    Parameters
    ----------
    glass : HeatedGlass
        The measurement.
    q_max : float
        End of the panel, 1/A.

    Returns
    -------
    Axes
        The panel.
    """
    figure, ax = style.axes(_Q, _F, width=6.4)
    low = glass.Q_per_A < q_max
    for temperature, F in zip(glass.temperatures_C, glass.F, strict=True):
        colour = style.temperature_colour(temperature, *glass.temperatures_C[[0, -1]])
        ax.plot(glass.Q_per_A[low], F[low], color=colour, lw=1.2)
    _colour_bar(figure, ax, glass.temperatures_C)
    return ax


def first_peaks(table: pd.DataFrame, ours: pd.DataFrame | None = None) -> Figure:
    """Position, height and width of the first peak against temperature, one above the other.

    Parameters
    ----------
    table : DataFrame
        Result of `experiment.first_peaks`; the height is that relative to the bonds of the ligand
        (``ratio``).
    ours : DataFrame, optional
        The same of runs, to be set beside.

    Returns
    -------
    Figure
        Three panels.
    """
    figure = plt.figure(figsize=(5.6, 6.4), dpi=110, layout="constrained")
    with plt.rc_context(style.STYLE):
        panels = figure.subplots(3, 1, sharex=True)
    shown = {
        "position_per_A": ("position", "1/A"),
        "ratio": ("height (coldest: 1)", "-"),
        "fwhm_per_A": ("width", "1/A"),
    }
    for panel, (column, what) in zip(panels, shown.items(), strict=True):
        panel.plot(table["temperature_C"], table[column], "o-", ms=4, label="measured")
        if ours is not None:
            panel.plot(ours["temperature_C"], ours[column], "s--", ms=4, label="our glass, heated")
        panel.set_ylabel(style.label(*what))
    if ours is not None:
        panels[0].legend(frameon=False)
    panels[-1].set_xlabel(style.label("temperature", "°C"))
    return figure


def structure_factors(cold: HeatedGlass, models: Mapping[str, Seen], q_max: float = 15.0) -> Axes:
    """Q F(Q) of each model in colour over the measured one in black, one above the other.

    Each model is scaled by the factor that fits its D(r) from 1 to 10 A.

    Parameters
    ----------
    cold : HeatedGlass
        One temperature of the measurement.
    models : mapping of str to Seen
        Name -> model.
    q_max : float
        End of the panel, 1/A.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(_Q, ("Q F(Q), shifted", "1/A"), width=6.4, height=1.2 + 1.1 * len(models))
    low = cold.Q_per_A < q_max
    Q = cold.Q_per_A[low]
    step = 1.1 * np.ptp(Q * cold.F[low])
    for n, (name, one) in enumerate(reversed(list(models.items()))):
        scale = pair_distribution.agreement(one.r, one.D, cold.D, 1.0, 10.0).scale
        ax.plot(Q, Q * cold.F[low] + n * step, **_MEASURED)
        colour = style.SERIES_COLOURS[(len(models) - 1 - n) % len(style.SERIES_COLOURS)]
        ax.plot(Q, scale * Q * one.F[low] + n * step, color=colour, lw=1.2)
        ax.text(Q[-1], (n + 0.5) * step, name, ha="right", fontsize=8, color=colour, bbox=_PLATE)
    ax.set_yticks([])
    return ax


def pair_distributions(cold: HeatedGlass, models: Mapping[str, Seen], r_max: float = 12.0) -> Axes:
    """D(r) of each model in colour over the measured one in black, one above the other.

    Each model has one scale, that of 1 to 10 A. Beyond half its cell, where its own images are
    counted, a curve is dotted.

    Parameters
    ----------
    cold : HeatedGlass
        One temperature of the measurement.
    models : mapping of str to Seen
        Name -> model.
    r_max : float
        End of the panel, A.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(_R, ("D(r), shifted", "1/A^2"), width=6.4, height=1.2 + 1.1 * len(models))
    near = (cold.r_A > 0.9) & (cold.r_A < r_max)
    r = cold.r_A[near]
    step = 1.1 * np.ptp(cold.D[near])
    for n, (name, one) in enumerate(reversed(list(models.items()))):
        found = pair_distribution.agreement(one.r, one.D, cold.D, 1.0, 10.0)
        colour = style.SERIES_COLOURS[(len(models) - 1 - n) % len(style.SERIES_COLOURS)]
        ax.plot(r, cold.D[near] + n * step, **_MEASURED)
        mine = found.scale * one.D[near] + n * step
        inside = r <= one.half_cell_A
        ax.plot(r[inside], mine[inside], color=colour)
        ax.plot(r[~inside], mine[~inside], ":", color=colour, lw=1.2)
        ax.text(
            r[-1], (n + 0.3) * step, f"{name}: $R_w$ = {found.Rw:.2f}", ha="right", fontsize=8,
            color=colour, bbox=_PLATE,
        )  # fmt: skip
    ax.set_yticks([])
    return ax


def parts(one: Seen, cold: HeatedGlass, largest: int = 6, r_max: float = 8.0) -> Figure:
    """What each pair of elements adds to D(r): measured and sum above, the largest parts below.

    Parameters
    ----------
    one : Seen
        The model.
    cold : HeatedGlass
        The measurement at one temperature, from `HeatedGlass.at`.
    largest : int
        Number of pairs shown, those with the highest maximum.
    r_max : float
        Upper end of r, A.

    Returns
    -------
    Figure
        The two panels.
    """
    figure, (top, bottom) = _two_panels(_R, _D, _R, _D)
    near = (one.r > 0.9) & (one.r < r_max)
    scale = pair_distribution.agreement(one.r, one.D, cold.D, 1.0, 10.0).scale
    top.plot(cold.r_A[near], cold.D[near], label="measured", **_MEASURED)
    top.plot(one.r[near], scale * one.D[near], label=f"model, times {scale:.2f}")
    top.legend(fontsize=8)
    raised = {pair: part[near] + one.floors[pair] * one.r[near] for pair, part in one.parts.items()}
    chosen = sorted(raised, key=lambda pair: -raised[pair].max())[:largest]
    colours = cycle(style.SERIES_COLOURS)
    for pair in chosen:
        bottom.plot(one.r[near], raised[pair], color=next(colours), label="–".join(pair))
    bottom.set_ylabel(style.label("D(r) of a pair above its floor", "1/A^2"))
    bottom.legend(fontsize=8, ncols=2)
    return figure


def routes(Q, curves: Mapping[str, np.ndarray], quantity: str) -> Axes:
    """One quantity against Q by several routes; points if the name of a route contains ``vectors``.

    Parameters
    ----------
    Q : (K,) array
        1/A.
    curves : mapping of str to (K,) array
        Name -> values; NaN where unknown.
    quantity : str
        Label of the vertical axis.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(_Q, (quantity, "-"), width=6.4)
    for name, values in curves.items():
        form = {"ls": "none", "marker": ".", "ms": 4} if "vectors" in name else {"lw": 1.3}
        ax.plot(Q, values, label=name, **form)
    ax.legend(fontsize=8)
    return ax


def down_and_up(tables: Mapping[str, pd.DataFrame]) -> Axes:
    """Density against temperature of heating and quenching runs, as running means.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Name of a run -> its thermodynamic table; without any, a text in the panel says so.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("temperature", "K"), ("density", "g/cm3"), width=6.4)
    colours = cycle(style.SERIES_COLOURS)
    for name, table in tables.items():
        style.against_temperature(
            table["target_temperature_K"],
            table["density_g_cm3"],
            "density",
            "g/cm3",
            window=max(1, len(table) // 30),
            name=name,
            colour=next(colours),
            ax=ax,
        )
    if not tables:
        ax.text(0.5, 0.5, "not computed yet", ha="center", transform=ax.transAxes)
    else:  # above: the curves fill the panel
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    return ax


def _two_panels(x: tuple[str, str], y: tuple[str, str], x2: tuple[str, str], y2: tuple[str, str]):
    figure, panels = style.axes(x, y, nrows=2, width=6.4, height=3.2)
    panels[1].set_xlabel(style.label(*x2))
    panels[1].set_ylabel(style.label(*y2))
    return figure, panels


def _colour_bar(figure: Figure, ax: Axes, temperatures) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(temperatures[0], temperatures[-1]), style.temperature_map())
    figure.colorbar(scale, ax=ax, label=style.label("temperature", "°C"))
