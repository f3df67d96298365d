"""Figures of what computing costs."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from helpers.report import paper, style, tables

_LINES = {  # of the paper: value -> (line, name)
    "speed.fpmd_ns_per_day": (":", "paper, FPMD, 300 atoms"),
    "speed.dpmd_ns_per_day": ("--", "paper, DPMD, 8000 atoms"),
}


def speeds(table: pd.DataFrame) -> Axes:
    """Simulated time in a day (ns) by engine, atoms, ranks and threads; lines are the paper's.

    Parameters
    ----------
    table : DataFrame
        of ``record.md_table``.

    Returns
    -------
    Axes
        the panel.
    """
    figure, ax = style.axes(("speed", "ns/day"), ("", "-"), width=5.6, height=0.3 * len(table) + 1)
    names = [f"{row.engine}, {row.atoms}, {row.ranks} × {row.threads}"
             for row in tables.each_row(table)]  # fmt: skip
    ax.barh(names, table["ns_per_day"], color=style.SERIES_COLOURS[0])
    for key, (line, name) in _LINES.items():
        ax.axvline(paper.value(key).number, ls=line, lw=1, color="black", label=name)
    ax.set_xscale("log")
    style.log_ticks(ax.xaxis)
    ax.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=2)
    return ax
