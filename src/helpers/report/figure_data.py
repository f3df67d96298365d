"""The numbers behind a figure, offered by a page as CSV.

``offer`` adds a form ``text/csv`` to every matplotlib figure that a notebook shows from then on;
the page links it below the caption. What is drawn is read: lines, points, bars, images.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

MIME = "text/csv"
_OWN = "zif4_numbers"  # attribute of a figure that brings them along
DIGITS = "%.5g"  # the errors of all that is drawn are larger
MOST_ROWS = 20_000  # of one file; a cloud of more points is no table that anyone reads


def table(figure: Figure) -> pd.DataFrame:
    """The data that a figure draws, a row for each point.

    Axis labels with their units are the names of the panels. Guide lines (``axhline``), bands and
    text are left out. Of each series at most `MOST_ROWS` rows are taken, evenly.

    Parameters
    ----------
    figure : Figure
        The figure.

    Returns
    -------
    DataFrame
        panel, series, x, y (and value, for an image).
    """
    if (own := getattr(figure, _OWN, None)) is not None:
        return own
    rows = [
        {"panel": _panel(ax, k), "x_is": ax.get_xlabel(), "y_is": ax.get_ylabel(), **row}
        for k, ax in enumerate(figure.axes, 1)
        for row in _drawn(ax)
    ]
    frame = pd.DataFrame(rows)
    step = -(-len(frame) // MOST_ROWS) if len(frame) else 1
    return frame.iloc[::step]


def bring(ax: Axes, numbers: pd.DataFrame) -> None:
    """Give a figure its numbers where they cannot be read from what it draws (stacked areas).

    Parameters
    ----------
    ax : Axes
        The only panel of the figure.
    numbers : DataFrame
        Abscissae as index, a column for each series.
    """
    rows = numbers.rename_axis("x").melt(var_name="series", value_name="y", ignore_index=False)
    axes = {"panel": _panel(ax, 1), "x_is": ax.get_xlabel(), "y_is": ax.get_ylabel()}
    table = rows.reset_index().assign(**axes)
    setattr(ax.figure, _OWN, table[[*axes, "series", "x", "y"]])


def csv(figure: Figure) -> str | None:
    """`table` as text with five digits; what the axes are stands in the first row of each panel.

    Parameters
    ----------
    figure : Figure
        The figure.

    Returns
    -------
    str or None
        The text; None if the figure draws no numbers.
    """
    frame = table(figure)
    if len(frame):  # in each of thousands of rows they would be most of the file
        again = frame.duplicated(["panel", "x_is", "y_is"])
        frame = frame.assign(x_is=frame["x_is"].mask(again, ""), y_is=frame["y_is"].mask(again, ""))
    return frame.to_csv(index=False, float_format=DIGITS) if len(frame) else None


def offer() -> None:
    """Give every figure of this kernel its CSV; does nothing outside a notebook."""
    if "IPython" not in sys.modules:
        return
    from IPython import get_ipython
    from IPython.core.formatters import BaseFormatter
    from traitlets import ObjectName, Unicode

    shell = get_ipython()
    if shell is None:
        return

    class CSVFormatter(BaseFormatter):
        format_type = Unicode(MIME)
        print_method = ObjectName("_repr_csv_")
        _return_type = str

    display = shell.display_formatter
    if MIME not in display.formatters:
        display.formatters[MIME] = CSVFormatter(parent=display)
        display.active_types = [*display.active_types, MIME]
    # Each time: the inline backend, when a first figure switches it on, makes all formatters
    # forget figures.
    display.formatters[MIME].for_type(Figure, csv)


def _panel(ax: Axes, number: int) -> str:
    return ax.get_title() or ax.get_title(loc="left") or str(number)


def _drawn(ax: Axes) -> Iterator[dict]:
    for line in ax.get_lines():
        name = str(line.get_label())
        x, y = (np.asarray(a) for a in line.get_data(orig=False))
        if line.get_transform() != ax.transData or (x.size < 3 and name.startswith("_")):
            continue  # axvline, axhline, caps of error bars
        for one, other in zip(np.atleast_1d(x), np.atleast_1d(y), strict=True):
            yield {"series": _named(name), "x": one, "y": other}
    for points in ax.collections:
        if isinstance(points, PathCollection):
            for one, other in np.asarray(points.get_offsets()):
                yield {"series": _named(str(points.get_label())), "x": one, "y": other}
    for bars in ax.containers:
        if isinstance(bars, BarContainer):
            for bar in bars:
                middle = bar.get_x() + bar.get_width() / 2
                flat = bars.orientation == "horizontal"
                x = bar.get_x() + bar.get_width() if flat else middle
                y = bar.get_y() + bar.get_height() / (2 if flat else 1)
                yield {"series": _named(str(bars.get_label())), "x": x, "y": y}
    for image in ax.images:
        values = np.asarray(image.get_array())
        if values.ndim != 2:
            continue
        left, right, bottom, top = image.get_extent()
        if image.origin == "upper":  # the first row is the uppermost
            bottom, top = top, bottom
        x = left + (np.arange(values.shape[1]) + 0.5) * (right - left) / values.shape[1]
        y = bottom + (np.arange(values.shape[0]) + 0.5) * (top - bottom) / values.shape[0]
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                yield {"series": "", "x": x[j], "y": y[i], "value": value}


def _named(label: str) -> str:
    return "" if label.startswith("_") else label
