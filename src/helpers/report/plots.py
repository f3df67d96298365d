"""Figures of runs and of their observables.

Each function takes numbers as arrays, draws into given or new axes, and returns these.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from helpers.report import style


def stage_bands(ax: Axes, stages) -> Axes:
    """Draw the stages of a run as bands behind a curve, with their names at the top.

    Every second name is set higher, so that the name of a short stage does not overlap the others.

    Parameters
    ----------
    ax : Axes
        Panel with temperature (K) on the horizontal axis.
    stages : list of density_stages.Stage
        The stages.

    Returns
    -------
    Axes
        The panel.
    """
    for k, stage in enumerate(stages):
        if k % 2:
            ax.axvspan(stage.low_K, stage.high_K, color="#e8eef4", zorder=0, linewidth=0)
        ax.text(
            (stage.low_K + stage.high_K) / 2,
            1.01 + 0.05 * (k % 2),
            stage.name,
            ha="center",
            va="bottom",
            transform=ax.get_xaxis_transform(),
            fontsize=8,
        )
    return ax


def rdf_stages(
    curves: Mapping[str, Any],
    pairs,
    *,
    ncols: int = 2,
    half_cell: float | None = None,
    on_top: str = "",
) -> Figure:
    """g(r) of each pair at several stages, with bands of one standard error (paper, Figs. 4c, d).

    Parameters
    ----------
    curves : mapping of str to rdf.RDFs
        The functions of each stage.
    pairs : sequence of (str, str) or None
        Pairs of elements, None for all atoms.
    ncols : int
        Columns of panels.
    half_cell : float, optional
        Half the width of the cell, A; beyond it, where periodic images are counted, the background
        is grey.
    on_top : str
        Stage to draw black, dashed and above the others, so that it remains visible where another
        curve coincides with it.

    Returns
    -------
    Figure
        A panel for each pair.
    """
    nrows = -(-len(pairs) // ncols)
    width = min(4.4, 10 / ncols)
    size = {"width": width, "height": 0.63 * width}
    figure, panels = style.axes(
        ("r", "A"), ("g(r)", "-"), nrows=nrows, ncols=ncols, squeeze=False, **size
    )
    for panel, pair in zip(panels.flat, pairs, strict=False):
        for k, (stage, found) in enumerate(curves.items()):
            one, colour = found[pair], style.SERIES_COLOURS[k % len(style.SERIES_COLOURS)]
            colour = "black" if stage == on_top else colour
            # every second series dashed: two curves that coincide are both seen
            dashed = stage == on_top if on_top else k % 2
            panel.plot(
                one.r,
                one.g,
                color=colour,
                label=stage,
                linewidth=1.2,
                linestyle="--" if dashed else "-",
                zorder=3 if stage == on_top else 2,
            )
            panel.fill_between(
                one.r, one.g - one.error, one.g + one.error, color=colour, alpha=0.3, linewidth=0
            )
        panel.set_title("total" if pair is None else "–".join(pair))
        panel.set_ylim(bottom=0)
        panel.set_xlim(0, one.edges[-1])
        if half_cell is not None and half_cell < one.edges[-1]:
            panel.axvspan(half_cell, one.edges[-1], color="#f0f0f0", linewidth=0, zorder=0)
    for k in range(len(pairs)):  # each column and row says once what its axis is
        if k + ncols < len(pairs):
            panels.flat[k].set_xlabel("")
        if k % ncols:
            panels.flat[k].set_ylabel("")
    if len(pairs) == 1:
        panels.flat[0].legend(fontsize=8)
        return figure
    # where no panel is, or below all: in one of several the curves leave no room
    names = panels.flat[0].get_legend_handles_labels()
    free = list(panels.flat)[len(pairs) :]
    for panel in free[1:]:
        panel.remove()
    if free:
        free[0].axis("off")
        free[0].legend(*names, fontsize=9, loc="center")
    else:
        figure.legend(*names, fontsize=9, loc="outside lower center", ncols=min(len(curves), 4))
    return figure


def density_maps(maps: Mapping[str, np.ndarray], edges) -> Figure:
    """Maps of the local density side by side, on one colour scale (paper, Figs. 5b-d).

    Parameters
    ----------
    maps : mapping of str to (nx, ny) array
        Number density of each stage, 1/A^3.
    edges : (2,) sequence of float
        Edges of a box along the two vectors of the maps, A.

    Returns
    -------
    Figure
        A panel for each stage.
    """
    values = np.concatenate([one.ravel() for one in maps.values()])
    low, high = values.min(), values.max()
    width = max(2.2, 11 / len(maps)) if len(maps) > 3 else 3.2
    figure, panels = style.axes(
        ("along a", "A"),
        ("along b", "A"),
        ncols=len(maps),
        width=width,
        height=3.2,
        squeeze=False,
        sharey=True,
    )
    for panel, (name, one) in zip(panels.flat, maps.items(), strict=True):
        image = panel.imshow(
            one.T,
            origin="lower",
            vmin=low,
            vmax=high,
            cmap="cividis",
            extent=(0, one.shape[0] * edges[0], 0, one.shape[1] * edges[1]),
        )
        panel.set_title(name, fontsize=9)
        panel.grid(False)
    figure.colorbar(image, ax=panels, label=style.label("number density", "1/Å³"))
    return figure


def peak_widths(widths: pd.DataFrame, plateau, equal_up_to: float) -> Figure:
    """FWHM and Lindemann ratio of first peaks against temperature (paper, Fig. 6a).

    Parameters
    ----------
    widths : DataFrame
        Rows of ``peaks.track`` of the pairs; points with errors show the widths at half height,
        crosses those of a fitted Gaussian.
    plateau : (float, float)
        Temperatures between which the paper sees a plateau, K; shaded.
    equal_up_to : float
        Temperature up to which the paper sees equal widths, K; dotted line.

    Returns
    -------
    Figure
        Two panels.
    """
    figure, panels = style.axes(("temperature", "K"), ("FWHM of the first peak", "A"), ncols=2)
    panels[1].set_ylabel("FWHM / position")
    columns = (("fwhm_A", "fwhm_error_A"), ("lindemann", "lindemann_error"))
    for panel, (column, error) in zip(panels, columns, strict=True):
        panel.axvspan(*plateau, color="#ececec", linewidth=0, zorder=0)
        panel.axvline(equal_up_to, color="black", linestyle=":", linewidth=1)
        for colour, (pair, one) in zip(
            style.SERIES_COLOURS, widths.groupby("pair", sort=False), strict=False
        ):
            x = one["temperature_K"]
            panel.errorbar(
                x,
                one[column],
                one[error].fillna(0),
                fmt="o-",
                markersize=4,
                capsize=2,
                color=colour,
                label=pair,
            )
            panel.plot(
                x,
                one["fitted_fwhm_A"] * (one[column] / one["fwhm_A"]),
                "x",
                markersize=5,
                color=colour,
            )
    panels[0].legend()
    return figure


def rdf_temperatures(
    curves: Mapping[float, Any], valley: tuple[float, float] = (2.2, 4.5), sharpest: float = 7.0
) -> Figure:
    """g(r) of one pair at several temperatures, and its valley enlarged (paper, Fig. 3b).

    Parameters
    ----------
    curves : mapping of float to rdf.RDF
        g(r) at each temperature (K), drawn with bands of one standard error.
    valley : (float, float)
        Range of the enlarged panel, A.
    sharpest : float
        Upper end of the other panel, A.

    Returns
    -------
    Figure
        Two panels.
    """
    figure, panels = style.axes(("r", "A"), ("g(r)", "-"), ncols=2, width=4.4)
    top = 0.0
    for temperature, one in curves.items():
        colour = style.temperature_colour(temperature)
        inside = (one.r > valley[0] + 0.5) & (one.r < valley[1] - 1.0)
        top = max(top, np.nanmax(one.g[inside], initial=0))
        for panel in panels:
            panel.plot(one.r, one.g, color=colour, linewidth=1.2, label=f"{temperature:.0f} K")
            panel.fill_between(
                one.r, one.g - one.error, one.g + one.error, color=colour, alpha=0.3, linewidth=0
            )
    name = next(iter(curves.values())).label
    panels[0].set(xlim=(1.5, sharpest), ylim=(0, None), title=name)
    panels[1].set(xlim=valley, ylim=(0, 1.5 * top or 0.1), title=f"{name}, the valley")
    panels[0].legend(fontsize=8)
    return figure


def activation(
    table: pd.DataFrame,
    line,
    others: Mapping[str, tuple[float, float]],
    range_K: tuple[float, float] = (300.0, 2100.0),
) -> Axes:
    """Activation free energies, their line with its 95 % band, and published lines (Fig. 3d).

    Parameters
    ----------
    table : DataFrame
        Table of ``pmf.bootstrap``; a lower bound is drawn as an open triangle.
    line : pmf.FreeEnergyLine or None
        The fitted line.
    others : mapping of str to (float, float)
        dU (kJ/mol) and dS (J/mol/K) of each published line.
    range_K : (float, float)
        Temperatures between which lines are drawn, K.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("temperature", "K"), ("ΔF‡", "kJ/mol"))
    T, blue = np.linspace(*range_K, 50), style.SERIES_COLOURS[0]
    sampled, bounded = (table.dropna(subset=c) for c in ("dF_kJ_mol", "lower_bound_kJ_mol"))
    if len(sampled):
        ax.errorbar(
            sampled["temperature_K"],
            sampled["dF_kJ_mol"],
            sampled["error_kJ_mol"],
            fmt="o",
            capsize=3,
            color=blue,
            label="this book",
        )
    if len(bounded):
        ax.plot(
            bounded["temperature_K"],
            bounded["lower_bound_kJ_mol"],
            "^",
            fillstyle="none",
            color=blue,
            label="this book, at least",
        )
    if line is not None:
        ax.plot(T, line.at(T)[0], color=blue, label="this book, line")
        if line.samples is not None:
            ax.fill_between(T, *line.interval(T).T, color=blue, alpha=0.2, linewidth=0)
    for line, (name, (dU, dS)) in zip(
        (":", "-.", "--", (0, (5, 1, 1, 1, 1, 1))), others.items(), strict=False
    ):
        ax.plot(T, dU - T * dS / 1000, linestyle=line, color="#4d4d4d", linewidth=1.2, label=name)
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=8)
    return ax


def flow_chart(
    boxes: Sequence[tuple[str, str]], back: tuple[int, int, str] | None = None, ncols: int = 3
) -> bytes:
    """Image of boxes joined by arrows, row by row.

    Parameters
    ----------
    boxes : sequence of (str, str)
        Title and text of each box.
    back : (int, int, str), optional
        One more arrow that leads back within a row: index of the box where it begins and where it
        ends, and its text.
    ncols : int
        Number of boxes in a row.

    Returns
    -------
    bytes
        PNG.
    """
    nrows = -(-len(boxes) // ncols)
    figure = Figure(figsize=(8.6, 1.75 * nrows), dpi=150)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, ncols), ylim=(-nrows, 0.0))
    ax.axis("off")
    middle = [(k % ncols + 0.5, -(k // ncols) - 0.5) for k in range(len(boxes))]
    arrow = {"arrowstyle": "-|>", "color": "#4d4d4d", "linewidth": 1.4}
    for (x, y), (title, text) in zip(middle, boxes, strict=True):
        ax.add_patch(
            FancyBboxPatch(
                (x - 0.38, y - 0.28), 0.76, 0.5, boxstyle="round,pad=0.02", facecolor="#eef3f8",
                edgecolor=style.SERIES_COLOURS[0],
            )
        )  # fmt: skip
        ax.text(x, y + 0.12, title, ha="center", va="center", fontsize=12, weight="bold")
        ax.text(x, y - 0.11, text, ha="center", va="center", fontsize=9)
    for (x, y), (u, v) in itertools.pairwise(middle):
        if y == v:
            ends = (x + 0.4, y), (u - 0.4, v)
            ax.annotate("", xy=ends[1], xytext=ends[0], arrowprops=arrow)
        else:  # to the next row: down, along, down
            turn = y - 0.39
            ax.plot([x, x, u, u], [y - 0.3, turn, turn, v + 0.3], color="#4d4d4d", linewidth=1.4)
            ax.annotate("", xy=(u, v + 0.24), xytext=(u, v + 0.32), arrowprops=arrow)
    if back:
        (x, y), (u, _), text = middle[back[0]], middle[back[1]], back[2]
        bow = arrow | {"connectionstyle": "arc3,rad=0.25", "linestyle": "--"}
        ax.annotate("", xy=(u + 0.15, y + 0.24), xytext=(x - 0.15, y + 0.24), arrowprops=bow)
        ax.text((x + u) / 2, y + 0.44, text, ha="center", fontsize=8.5, color="#4d4d4d")
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()
