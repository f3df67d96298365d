"""Figures to look into: values under the pointer, series switched on and off, a slider.

Each is made twice from one table: as plotly's JSON, which the page draws by the script that all
pages share, and as a still image by matplotlib, which is there without JavaScript and on paper.
The table itself comes along as CSV. No function here computes anything::

    interactive.lines(table, "temperature_K", "density_g_cm3", by=["rate_K_per_ps", "seed"],
                      levels={"paper": 0.95})
    interactive.slider(table, "r_A", "g", step="temperature_K", by="pair")
    interactive.maps({"300 K": map_300, "1200 K": map_1200}, edges)
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from helpers import units
from helpers.errors import Unfit, nearest
from helpers.report import figure_data, plots, style, tables

MIME = "application/vnd.plotly.v1+json"
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_MATPLOTLIB_DASHES = ("-", "--", ":", "-.", (0, (8, 3)))
_PALE = 0.5  # opacity of a line behind the others
_PALER = 0.3  # of many, in a still image, where no button leaves them out
_MOST_NAMED = 12  # lines that a legend names one by one; of more it names the groups
_MOST_POINTS = 1500  # a line; more cannot be told apart at the width of a page


class Interactive:
    """A figure to be displayed by Jupyter and used by the reader of a page.

    Parameters
    ----------
    spec : dict
        Plotly's figure: ``data`` and ``layout``.
    figure : Figure
        The still image.
    table : DataFrame
        The numbers of both.
    """

    def __init__(self, spec: dict, figure: Figure, table: pd.DataFrame):
        self.spec = spec
        self.figure = figure
        self.table = table

    def png(self) -> bytes:
        """The still image.

        Returns
        -------
        bytes
            PNG.
        """
        target = io.BytesIO()
        self.figure.savefig(target, format="png", dpi=110)
        return target.getvalue()

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {
            MIME: self.spec,
            "image/png": base64.b64encode(self.png()).decode(),
            figure_data.MIME: self.table.to_csv(index=False, float_format=figure_data.DIGITS),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        return f"Interactive({len(self.spec['data'])} series, {len(self.table)} rows)"


def lines(
    table: pd.DataFrame,
    x: str,
    y: str | Sequence[str],
    *,
    by: str | Sequence[str] = (),
    error: str | None = None,
    levels: Mapping[str, float] | None = None,
    bands: Mapping[str, tuple[float, float]] | None = None,
    labels: Mapping[str, tuple[str, str]] | None = None,
    markers: bool = False,
    behind: Collection[tuple] = (),
    title: str = "",
) -> Interactive:
    """Lines of columns of a table, one for each value of ``by``; a click in the legend hides one.

    Parameters
    ----------
    table : DataFrame
        A row for each point, in the order of each line.
    x : str
        Column of the horizontal axis.
    y : str or sequence of str
        Column of the vertical axis; of several, the reader selects one by a button (in the still
        image they are one above the other).
    by : str or sequence of str
        One or two columns; the first gives the colour, the second the dashes, and a click on the
        title of the legend hides all of a colour. Of more than a dozen lines the legend names the
        colours only, all are solid, the pointer tells which is which, and a page has a box for
        each line below the figure.
    error : str, optional
        Column of standard errors of the first ``y``, in its unit.
    levels : mapping of str to float, optional
        Name -> dashed horizontal line, in the unit of the first ``y``.
    bands : mapping of str to (float, float), optional
        Name -> shaded range of ``x``.
    labels : mapping of str to (str, str), optional
        Column -> quantity and unit, if the name of the column does not give them (``density_g_cm3``
        does).
    markers : bool
        Whether to draw points on the lines.
    behind : collection of tuple
        Values of both columns of ``by`` whose lines are drawn thin and pale, behind the others; of
        many lines they are left out until a button brings them in, and very pale in the still
        image.
    title : str
        Title of the figure.

    Returns
    -------
    Interactive
        The figure.

    Raises
    ------
    Unfit
        A column is missing, the table is empty, or ``by`` has more than two columns.
    """
    ys, by = _several(y), _several(by)
    _check(table, [x, *ys, *by, *_several(error)])
    if len(by) > 2:
        raise Unfit(f"by has {len(by)} columns; one for the colour and one for the dashes do")
    names = {c: _axis(c, labels) for c in (x, *ys, *by)}
    data, first = [], len(ys)
    groups = list(_groups(table, by, names))
    many = len(by) == 2 and len(groups) > _MOST_NAMED
    back = [_is_behind(rows, by, behind) for *_, rows in groups]
    named = _named(groups, back, many)
    hidden = many and any(back) and first == 1  # with buttons to bring the pale ones in
    for k, column in enumerate(ys):
        for pale, entry, (name, head, colour, dash, rows) in zip(back, named, groups, strict=True):
            line = {
                "type": "scatter",
                "mode": "lines+markers" if markers else "lines",
                "name": entry or name,
                "showlegend": bool(entry) or not by,
                "x": _thin(rows[x]),
                "y": _thin(rows[column]),
                "line": {
                    "color": to_hex(colour),
                    "dash": "solid" if many else _DASHES[dash % len(_DASHES)],
                    "width": 1 if pale else 2 + bool(behind),
                },
                "opacity": _PALE if pale else 1,
                "visible": "legendonly" if hidden and pale else k == 0,
                "hovertemplate": f"%{{x:.4~g}}, %{{y:.4~g}}<extra>{name}</extra>",
            }
            if len(by) == 2:
                line["legendgroup"] = head
                line["meta"] = {"line": name}  # for the boxes below the figure
                if not many:
                    line["legendgrouptitle"] = {"text": head}
            if error and k == 0:
                line["error_y"] = {"array": _thin(rows[error]), "thickness": 1, "width": 2}
            data.append(line)
    layout = _layout(style.label(*names[x]), style.label(*names[ys[0]]), title)
    if many:
        layout["legend"]["groupclick"] = "togglegroup"
    layout["shapes"] = [
        {
            "type": "rect", "xref": "x", "yref": "paper", "x0": low, "x1": high, "y0": 0, "y1": 1,
            "fillcolor": "#8899aa", "opacity": 0.15, "line": {"width": 0}, "layer": "below",
            "label": {"text": name, "textposition": "top center", "font": {"size": 11}},
        }
        for name, (low, high) in (bands or {}).items()
    ]  # fmt: skip
    ends = [float(table[x].min()), float(table[x].max())]
    for name, level in (levels or {}).items():
        data.append(
            {
                "type": "scatter", "mode": "lines", "name": name, "x": ends, "y": [level] * 2,
                "line": {"color": "#888888", "dash": "dash", "width": 1.5},
                "hovertemplate": f"%{{y:.4~g}}<extra>{name}</extra>",
            }
        )  # fmt: skip
    if first > 1:
        shown = len(groups)
        layout["updatemenus"] = [
            _buttons(
                [
                    (
                        names[column][0],
                        [
                            {
                                "visible": [k == j for j in range(first) for _ in range(shown)]
                                + [k == 0] * len(levels or {})
                            },
                            {"yaxis.title.text": style.label(*names[column])},
                        ],
                    )
                    for k, column in enumerate(ys)
                ]
            )
        ]
    elif hidden:
        front = ["legendonly" if pale else True for pale in back] + [True] * len(levels or {})
        layout["updatemenus"] = [
            _buttons(
                [
                    ("means", [{"visible": front}]),
                    ("means and single lines", [{"visible": [True] * len(front)}]),
                ]
            )
        ]
    still = _still_lines(
        groups, x, ys, error, names, levels or {}, bands or {}, markers, title, back, named,
        _PALER if hidden else _PALE,
    )  # fmt: skip
    kept = list(dict.fromkeys([*by, x, *ys, *_several(error)]))
    return Interactive({"data": data, "layout": layout}, still, table[kept])


def slider(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    step: str,
    by: str | Sequence[str] = (),
    labels: Mapping[str, tuple[str, str]] | None = None,
    title: str = "",
) -> Interactive:
    """Lines for one value of ``step`` at a time (a temperature), selected by a slider.

    The still image shows up to six of the steps at once, for the first ``by`` only.

    Parameters
    ----------
    table : DataFrame
        A row for each point, in the order of each line.
    x : str
        Column of the horizontal axis.
    y : str
        Column of the vertical axis.
    step : str
        Column of the slider.
    by : str or sequence of str
        At most one column, which gives the colour.
    labels : mapping of str to (str, str), optional
        As for `lines`.
    title : str
        Title of the figure.

    Returns
    -------
    Interactive
        The figure.

    Raises
    ------
    Unfit
        As `lines`, or ``by`` has more than one column.
    """
    by = _several(by)
    _check(table, [x, y, step, *by])
    if len(by) > 1:
        raise Unfit(f"by has {len(by)} columns; a slider shows lines of one")
    names = {c: _axis(c, labels) for c in (x, y, step, *by)}
    stops = sorted(table[step].unique().tolist())  # as JSON can hold them
    data, owners = [], []
    for stop in stops:
        for name, _, colour, _, rows in _groups(table[table[step] == stop], by, names, table):
            data.append(
                {
                    "type": "scatter", "mode": "lines", "name": name or _value(step, stop, names),
                    "x": _thin(rows[x]), "y": _thin(rows[y]), "visible": stop == stops[0],
                    "line": {"color": to_hex(colour), "width": 2},
                    "hovertemplate": f"%{{x:.4~g}}, %{{y:.4~g}}<extra>{name}</extra>",
                }
            )  # fmt: skip
            owners.append(stop)
    layout = _layout(style.label(*names[x]), style.label(*names[y]), title)
    top = float(np.nanmax(table[y]))
    layout["yaxis"]["range"] = [min(0.0, float(np.nanmin(table[y]))), 1.05 * top]
    layout["sliders"] = [
        _slider(
            [
                (_value(step, stop, names), [{"visible": [o == stop for o in owners]}])
                for stop in stops
            ]
        )
    ]
    figure, ax = style.axes(names[x], names[y], width=7)
    shown = (
        stops if len(stops) <= 6 else [stops[round(i)] for i in np.linspace(0, len(stops) - 1, 6)]
    )
    only = table if not by else table[table[by[0]] == table[by[0]].iloc[0]]
    for k, stop in enumerate(shown):
        rows = only[only[step] == stop]
        colour = (
            style.temperature_colour(float(stop), float(stops[0]), float(stops[-1]))
            if isinstance(stop, (int, float, np.number)) and len(stops) > 1
            else style.SERIES_COLOURS[k % len(style.SERIES_COLOURS)]
        )
        ax.plot(rows[x], rows[y], color=colour, linewidth=1.2, label=_value(step, stop, names))
    ax.legend(fontsize=8, title=None if not by else str(only[by[0]].iloc[0]))
    ax.set_title(title)
    _close(figure)
    return Interactive(
        {"data": data, "layout": layout}, figure, table[list(dict.fromkeys([step, *by, x, y]))]
    )


def maps(
    values: Mapping[str, np.ndarray], edges: tuple[float, float], *, title: str = ""
) -> Interactive:
    """Maps of a local density, one at a time, selected by a slider, on one colour scale.

    The still image has up to five of the maps side by side (`plots.density_maps`).

    Parameters
    ----------
    values : mapping of str to (nx, ny) array
        Name -> density, 1/A^3.
    edges : (float, float)
        Edges of a box along the two vectors of the maps, A.
    title : str
        Title of the figure.

    Returns
    -------
    Interactive
        The figure.

    Raises
    ------
    Unfit
        There is no map.
    """
    if not values:
        raise Unfit("there is no map to show; give at least one as name -> (nx, ny)")
    everything = np.concatenate([np.ravel(one) for one in values.values()])
    data = []
    for k, one in enumerate(values.values()):
        x, y = ((np.arange(n) + 0.5) * e for n, e in zip(one.shape, edges, strict=True))
        data.append(
            {
                "type": "heatmap", "x": x.round(3).tolist(), "y": y.round(3).tolist(),
                "z": np.asarray(one).T.round(5).tolist(), "visible": k == 0,
                "colorscale": "Cividis",
                "zmin": float(everything.min()), "zmax": float(everything.max()),
                "colorbar": {"title": {"text": style.label("density", "1/Å³")}},
                "hovertemplate": "%{x:.1f}, %{y:.1f} Å: %{z:.3f} 1/Å³<extra></extra>",
            }
        )  # fmt: skip
    layout = _layout("along a (Å)", "along b (Å)", title)
    layout["yaxis"]["scaleanchor"] = "x"
    names = list(values)
    layout["sliders"] = [
        _slider([(n, [{"visible": [n == other for other in names]}]) for n in names])
    ]
    few = names if len(names) <= 5 else [names[round(i)] for i in np.linspace(0, len(names) - 1, 5)]
    figure = plots.density_maps({n: values[n] for n in few}, edges)
    _close(figure)
    table = pd.concat(
        pd.DataFrame(
            {
                "map": name,
                "a_A": np.repeat((np.arange(one.shape[0]) + 0.5) * edges[0], one.shape[1]),
                "b_A": np.tile((np.arange(one.shape[1]) + 0.5) * edges[1], one.shape[0]),
                "density_per_A3": np.ravel(one),
            }
        )
        for name, one in values.items()
    )
    return Interactive({"data": data, "layout": layout}, figure, table)


def _is_behind(rows: pd.DataFrame, by: list[str], behind: Collection[tuple]) -> bool:
    return bool(behind) and tuple(rows[by].iloc[0]) in behind


def _named(groups: list[tuple], back: list[bool], many: bool) -> list[str]:
    """What the legend says of each line; nothing of a line of many but the first in front."""
    if not many:
        return [name for name, *_ in groups]
    firsts = {head: k for k, (_, head, *_) in reversed(list(enumerate(groups)))}
    firsts |= {head: k for k, (_, head, *_) in reversed(list(enumerate(groups))) if not back[k]}
    return [head if firsts[head] == k else "" for k, (_, head, *_) in enumerate(groups)]


def _still_lines(
    groups, x, ys, error, names, levels, bands, markers, title, pale, named, opacity
) -> Figure:
    """`lines` by matplotlib, one panel a y."""
    figure, panels = style.axes(
        names[x], ("", "-"), nrows=len(ys), width=7, height=3.6 if len(ys) == 1 else 2.6,
        squeeze=False, sharex=True,
    )  # fmt: skip
    for k, (ax, column) in enumerate(zip(panels.flat, ys, strict=True)):
        ax.set_ylabel(style.label(*names[column]))
        for (name, _, colour, dash, rows), thin, entry in zip(groups, pale, named, strict=True):
            dash = dash if entry == name else 0  # a legend of groups tells no dashes
            line = {
                "color": colour,
                "linestyle": _MATPLOTLIB_DASHES[dash % len(_MATPLOTLIB_DASHES)],
                "linewidth": 0.6 if thin else 1.4 + 0.8 * any(pale),
                "alpha": opacity if thin else 1,
                "label": entry or None,
                "marker": "o" if markers else "",
                "markersize": 4,
            }
            if error and k == 0:
                ax.errorbar(rows[x], rows[column], rows[error], capsize=2, **line)
            else:
                ax.plot(rows[x], rows[column], **line)
        for name, (low, high) in bands.items():
            ax.axvspan(low, high, color="#8899aa", alpha=0.15, linewidth=0, zorder=0)
            if k == 0:
                ax.text((low + high) / 2, 1.01, name, ha="center", fontsize=8,
                        transform=ax.get_xaxis_transform())  # fmt: skip
        if k == 0:
            for name, level in levels.items():
                ax.axhline(level, color="#888888", linestyle="--", linewidth=1, label=name)
    if any(name for name, *_ in groups) or levels:
        many = len([entry for entry in named if entry]) + len(levels) > 6
        panels.flat[0].legend(
            fontsize=8, **({"loc": "center left", "bbox_to_anchor": (1, 0.5)} if many else {})
        )
    if title:
        panels.flat[0].set_title(title, pad=16 if bands else None)
    _close(figure)
    return figure


def _groups(table, by, names, whole=None) -> Iterator[tuple]:
    """(name, name of its colour, colour, number of its dashes, rows) of each line."""
    if not by:
        yield "", "", style.SERIES_COLOURS[0], 0, table
        return
    heads = list(dict.fromkeys((table if whole is None else whole)[by[0]]))
    tails = list(dict.fromkeys(table[by[1]])) if len(by) == 2 else [None]
    for i, head in enumerate(heads):
        for j, tail in enumerate(tails):
            rows = table[table[by[0]] == head]
            rows = rows if tail is None else rows[rows[by[1]] == tail]
            if len(rows):
                first = _value(by[0], head, names)
                name = first if tail is None else f"{first}, {_value(by[1], tail, names)}"
                yield name, first, style.SERIES_COLOURS[i % len(style.SERIES_COLOURS)], j, rows


def _axis(column: str, labels) -> tuple[str, str]:
    """(quantity, unit) of a column: as given, or as its name says (`tables.headed`)."""
    if column in (labels or {}):
        return labels[column]
    (header,) = tables.headed(pd.DataFrame(columns=[column])).frame.columns
    match = re.fullmatch(r"(.*) \((.*)\)", header)
    return (match[1], match[2]) if match else (header, "-")


def _value(column: str, value, names) -> str:
    """``20 K/ps`` or ``seed 1`` or a plain word."""
    quantity, unit = names[column]
    if isinstance(value, str):
        return value
    return f"{value:g} {units.pretty(unit)}" if unit not in ("-", "") else f"{quantity} {value:g}"


def _layout(x: str, y: str, title: str) -> dict:
    return {
        "title": {"text": title},
        "xaxis": {"title": {"text": x}},
        "yaxis": {"title": {"text": y}},
        "hovermode": "closest",
        "margin": {"l": 60, "r": 15, "t": 50 if title else 25, "b": 50},
        "legend": {"groupclick": "toggleitem"},
    }


def _buttons(choices) -> dict:
    return {
        "type": "buttons", "direction": "right", "x": 0, "xanchor": "left", "y": 1.02,
        "yanchor": "bottom", "showactive": True,
        "buttons": [{"label": n, "method": "update", "args": args} for n, args in choices],
    }  # fmt: skip


def _slider(stops) -> dict:
    return {
        "pad": {"t": 45}, "currentvalue": {"prefix": ""},
        "steps": [{"label": n, "method": "update", "args": args} for n, args in stops],
    }  # fmt: skip


def _thin(values: pd.Series) -> list:
    """Every n-th value with five digits, so that a page stays small; None where there is none."""
    step = -(-len(values) // _MOST_POINTS) if len(values) else 1
    return [None if pd.isna(v) else float(f"{v:.5g}") for v in values.to_numpy(float)[::step]]


def _check(table: pd.DataFrame, columns: Sequence[str]) -> None:
    if not len(table):
        raise Unfit("the table has no rows to draw")
    for column in columns:
        if column not in table:
            near = nearest(column, map(str, table.columns))
            raise Unfit(
                f"the table has no column {column!r}{near}; there are: "
                + ", ".join(map(str, table.columns))
            )


def _several(value) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _close(figure: Figure) -> None:
    """Keep the inline backend from showing the still image a second time."""
    import matplotlib.pyplot as plt

    plt.close(figure)
