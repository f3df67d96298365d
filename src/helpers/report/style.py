"""One style for all figures: units in the labels, colours that colour-blind readers can tell apart.

Colours of elements and series: Okabe & Ito (2008), Color Universal Design.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, LogLocator, NullFormatter

from helpers import units
from helpers.errors import Unfit
from helpers.report import figure_data
from helpers.report.paper import Value

#: inches; in a figure as wide as this, 10 points are read well at the width of a page
READ_WIDTH = 8.0
_DPI = 110
ELEMENT_COLOURS = {"C": "#4d4d4d", "H": "#e69f00", "N": "#0072b2", "Zn": "#d55e00"}
SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "axes.prop_cycle": plt.cycler(color=SERIES_COLOURS),
}


def axes(
    x: tuple[str, str],
    y: tuple[str, str],
    *,
    nrows: int = 1,
    ncols: int = 1,
    width: float = 5.2,
    height: float = 3.6,
    **options,
) -> tuple[Figure, Any]:
    """A figure in the book's style, its axes labelled with quantity and unit.

    A page shrinks a wide figure. So that its labels do not shrink with it, one wider than
    `READ_WIDTH` has as many pixels as its panels ask for, but lettering for that width.

    Parameters
    ----------
    x : (str, str)
        Quantity and unit of the horizontal axis; "-" for a pure number.
    y : (str, str)
        Quantity and unit of the vertical axis.
    nrows : int
        Rows of panels.
    ncols : int
        Columns of panels.
    width : float
        Width of one panel, inches.
    height : float
        Height of one panel, inches.
    **options
        Passed to ``Figure.subplots`` (``sharex``, ``sharey`` ...).

    Returns
    -------
    figure : Figure
        The figure.
    panels : Axes or array of Axes
        The single panel, or all panels as ``Figure.subplots`` returns them.
    """
    # Outside of rc_context: the first figure of a notebook switches its backend on, and the
    # context would switch it off again at its end.
    wide = max(1.0, width * ncols / READ_WIDTH)
    size = (width * ncols / wide, height * nrows / wide)
    figure = plt.figure(figsize=size, dpi=_DPI * wide, layout="constrained")
    figure_data.offer()
    with plt.rc_context(STYLE):
        panels = figure.subplots(nrows, ncols, **options)
        for panel in np.atleast_1d(panels).flat:
            panel.set_xlabel(label(*x))
            panel.set_ylabel(label(*y))
            if options.get("sharex") or options.get("sharey"):
                panel.label_outer()
    return figure, panels


def label(quantity: str, unit: str) -> str:
    """Label of an axis: ``label("r", "A")`` gives ``"r (Å)"``.

    Parameters
    ----------
    quantity : str
        The quantity.
    unit : str
        Its unit in ASCII; "-" or empty for a pure number, which gets no brackets.

    Returns
    -------
    str
        The label.
    """
    return f"{quantity} ({units.pretty(unit)})" if unit not in ("-", "") else quantity


def log_ticks(axis: Axis) -> None:
    """Plain numbers at the ticks of a logarithmic axis: at 1, 2 and 5 of each power of ten.

    Over more than two powers of ten they stand at these alone, over more than four written as
    powers. Where less than a factor of five is shown, ticks are evenly spaced. Powers of ten and
    their multiples, as matplotlib writes them, run into each other on a small panel.

    Parameters
    ----------
    axis : Axis
        ``ax.xaxis`` or ``ax.yaxis``, with its data drawn.
    """
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low)
    subs = (1, 2, 5) if decades <= 2 else (1,)
    axis.set_major_locator(LogLocator(subs=subs) if high > 5 * low else AutoLocator())
    if decades <= 4:
        axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def temperature_colour(temperature_K: float, low_K: float = 300.0, high_K: float = 2500.0):
    """Colour of a temperature: dark when cold, light when hot (`temperature_map`).

    Parameters
    ----------
    temperature_K : float
        Temperature, K.
    low_K : float
        Lower end of the scale, K.
    high_K : float
        Upper end of the scale, K.

    Returns
    -------
    (float, float, float, float)
        Red, green, blue and opacity, 0 to 1.
    """
    share = (temperature_K - low_K) / (high_K - low_K)
    return temperature_map()(float(np.clip(share, 0, 1)))


def temperature_map() -> ListedColormap:
    """The colours of temperatures: plasma without its yellow, which is lost on a white page.

    Returns
    -------
    ListedColormap
        From cold, at 0, to hot, at 1.
    """
    return ListedColormap(plt.get_cmap("plasma")(np.linspace(0, 0.8, 256)))


def element_colour(symbol: str) -> str:
    """Colour of an element of the type map.

    Parameters
    ----------
    symbol : str
        Chemical symbol.

    Returns
    -------
    str
        Hexadecimal colour.

    Raises
    ------
    Unfit
        The element has no colour.
    """
    if symbol not in ELEMENT_COLOURS:
        raise Unfit(f"no colour for element {symbol!r}; known: {', '.join(ELEMENT_COLOURS)}")
    return ELEMENT_COLOURS[symbol]


def running_mean(values, window: int) -> np.ndarray:
    """Centred running mean.

    Parameters
    ----------
    values : (M,) array
        Samples, any unit.
    window : int
        Number of samples to average.

    Returns
    -------
    (M,) array
        Means; NaN where the window extends beyond an end.

    Raises
    ------
    Unfit
        The window is below 1 or longer than the series.
    """
    values = np.asarray(values, float)
    if not 1 <= window <= values.size:
        raise Unfit(f"running mean over {window} of {values.size} samples; use 1..{values.size}")
    return pd.Series(values).rolling(window, center=True).mean().to_numpy()


def against_temperature(
    temperature_K,
    values,
    quantity: str,
    unit: str,
    *,
    window: int = 1,
    name: str = "",
    colour=None,
    ax: Axes | None = None,
) -> Axes:
    """A quantity against temperature: all samples in a pale colour, the running mean on top.

    The running mean is taken of both, so that a noisy temperature does not shift the curve.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures in order of time, K.
    values : (M,) array
        The quantity, in ``unit``.
    quantity : str
        Its name.
    unit : str
        Its unit in ASCII.
    window : int
        Number of samples in the running mean.
    name : str
        Name of the curve in the legend; none if empty.
    colour : colour, optional
        By default the next one of the style.
    ax : Axes, optional
        Panel to draw into; by default a new figure.

    Returns
    -------
    Axes
        The panel.

    Raises
    ------
    Unfit
        The window is below 1 or longer than the series.
    """
    if ax is None:
        _, ax = axes(("temperature", "K"), (quantity, unit))
    temperature_K, values = np.asarray(temperature_K, float), np.asarray(values, float)
    # the next of the cycle: two lines share it, and the axes have no public way to it
    colour = colour or ax._get_lines.get_next_color()  # ty: ignore[missing-union-attribute]
    if window > 1:
        ax.plot(temperature_K, values, color=colour, alpha=0.18, linewidth=0.6, rasterized=True)
    ax.plot(
        running_mean(temperature_K, window),
        running_mean(values, window),
        color=colour,
        label=name or None,
        linewidth=1.6,
    )
    if name:
        ax.legend(frameon=False)
    return ax


def paper_line(ax: Axes, value: Value, axis: str = "y") -> Axes:
    """Draw a dashed line at the paper's number, labelled with its place.

    Parameters
    ----------
    ax : Axes
        Panel to draw into.
    value : paper.Value
        The paper's number.
    axis : str
        Axis on which the number is read, "x" or "y".

    Returns
    -------
    Axes
        The panel.

    Raises
    ------
    Unfit
        ``axis`` is neither "x" nor "y".
    """
    if axis not in ("x", "y"):
        raise Unfit(f"axis is {axis!r}; use 'x' or 'y'")
    draw = ax.axvline if axis == "x" else ax.axhline
    draw(value.number, color="black", linestyle="--", linewidth=1, label=f"paper, {value.place}")
    ax.legend(frameon=False)
    return ax


def banded(ax: Axes, x, values, errors, *, name: str = "", colour=None, marker: str = "o") -> Axes:
    """Draw a line through points with a band of one standard error (none where it is NaN).

    Parameters
    ----------
    ax : Axes
        Panel to draw into.
    x : (M,) array
        Abscissae, in the unit of the panel.
    values : (M,) array
        Ordinates, in the unit of the panel.
    errors : (M,) array
        Standard errors of the ordinates.
    name : str
        Name of the curve in the legend; none if empty.
    colour : colour, optional
        By default the next one of the style.
    marker : str
        Marker of matplotlib.

    Returns
    -------
    Axes
        The panel.
    """
    x, values, errors = (np.asarray(a, float) for a in (x, values, errors))
    (line,) = ax.plot(x, values, marker=marker, markersize=3, color=colour, label=name or None)
    ax.fill_between(
        x, values - errors, values + errors, color=line.get_color(), alpha=0.25, linewidth=0
    )
    return ax
