"""Figures of labelled frames: what they cover, how they are split, how large their forces are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers import units
from helpers.frames.correction import Law
from helpers.report import style
from helpers.report.paper import Value

_PHASES = {"crystal": "o", "opening": "<", "open": "s", "melt": "^", "glass": "D"}  # markers
# not beside it, where a phone would have to scroll to it
_BELOW: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 4}
_WIDTH = 5.6  # inches; a phone shows it whole
_SAMPLERS = (*style.SERIES_COLOURS, "black", "#8b4513")  # colours; there are more than series


def energies(frames: pd.DataFrame) -> Axes:
    r"""Energy of each frame against its temperature, a colour for each sampler.

    The dashed line is equipartition in a classical harmonic solid, :math:`\tfrac32 k_B T` per atom
    above the minimum, here the lowest frame of all. The band is two standard deviations of such a
    solid of N atoms at constant temperature,

    .. math:: \sigma = k_B T \sqrt{3 / (2 N)}

    for each atom, N being that of most frames.

    Parameters
    ----------
    frames : DataFrame
        From ``dataset.per_frame`` (energies in eV/atom, n_atoms) with a column ``sampler``; frames
        without a temperature are left out.

    Returns
    -------
    Axes
        The panel.
    """
    warm = frames.dropna(subset=["temperature_K"])
    lowest = frames["energy_eV_per_atom"].min()
    ax = _by_sampler(
        warm.assign(above=warm["energy_eV_per_atom"] - lowest),
        ("temperature_K", "temperature", "K"),
        ("above", "energy above the lowest frame", "eV/atom"),
    )
    line = np.array([0.0, warm["temperature_K"].max()])
    mean = 1.5 * units.K_to_eV(line)
    swing = 2 * units.K_to_eV(line) * np.sqrt(1.5 / warm["n_atoms"].mode().max())
    ax.plot(line, mean, "k--", lw=1)
    ax.fill_between(line, mean - swing, mean + swing, color="black", alpha=0.25, lw=0)
    ax.legend(**_BELOW, markerscale=4, title="sampled by (dashed: 3/2 $k_B T$)")
    return ax


def pressures(frames: pd.DataFrame) -> Axes:
    """Pressure of the labels, without the kinetic part, against the density.

    Parameters
    ----------
    frames : DataFrame
        From ``dataset.per_frame`` (GPa, g/cm3) with a column ``sampler``, which gives the colour.

    Returns
    -------
    Axes
        The panel.
    """
    ax = _by_sampler(
        frames,
        ("density_g_cm3", "density", "g/cm3"),
        ("pressure_GPa", "pressure of the labels", "GPa"),
    )
    ax.axhline(0, color="black", lw=0.8)
    ax.legend(**_BELOW, markerscale=4, title="sampled by")
    return ax


def correction(residuals: dict[str, pd.DataFrame], laws: dict[str, Law]) -> Figure:
    """CP2K minus the reference against the volume, with the laws; below, what the laws leave.

    Parameters
    ----------
    residuals : dict of str to DataFrame
        Framework -> result of `correction.residuals`. Frames that were labelled after the law was
        fitted are drawn as open symbols.
    laws : dict of str to Law
        Framework -> its law.

    Returns
    -------
    Figure
        Energies on the left, pressures on the right.
    """
    fig, panels = style.axes(
        ("volume", "A^3/atom"), ("", "-"), nrows=2, ncols=2, width=4.6, height=3.2
    )
    columns = [
        ("energy_meV_per_atom", "energy_off_meV_per_atom", "energy", "meV/atom"),
        ("pressure_GPa", "pressure_off_GPa", "pressure", "GPa"),
    ]
    for colour, (framework, table) in zip(style.SERIES_COLOURS, residuals.items(), strict=False):
        law = laws[framework]
        volumes = np.linspace(*law.volumes, 100)
        for (above, below), lines in zip(
            panels.T, (law.energy(volumes), law.pressure(volumes)), strict=True
        ):
            above.plot(volumes, lines, color=colour, lw=1)
            below.axhline(0, color="black", lw=0.8)
        for (before, after, _, _), pair in zip(columns, panels.T, strict=True):
            for phase, rows in table.groupby("phase"):
                for ax, column in zip(pair, (before, after), strict=True):
                    _frames(ax, rows, column, colour, _PHASES.get(phase, "o"))
    for (_, _, quantity, unit), (above, below) in zip(columns, panels.T, strict=True):
        above.set_xlabel("")
        above.set_ylabel(style.label(f"{quantity} − reference", unit))
        below.set_ylabel(style.label(f"{quantity} − law", unit))
    for colour, framework in zip(style.SERIES_COLOURS, residuals, strict=False):
        panels[0, 0].plot([], [], color=colour, label=framework)
    for phase, marker in _PHASES.items():
        if any((table["phase"] == phase).any() for table in residuals.values()):
            panels[0, 0].plot([], [], marker, color="grey", label=phase)
    panels[0, 0].legend(fontsize="small")
    return fig


def residuals(table: pd.DataFrame) -> Figure:
    """What a law of the volume leaves, against what it does not know: temperature, coordination.

    Parameters
    ----------
    table : DataFrame
        Result of `correction.residuals` for one framework. Frames whose temperature is not known
        are left out of the panels on the left.

    Returns
    -------
    Figure
        Energies above, pressures below.
    """
    fig, panels = style.axes(
        ("temperature", "K"), ("", "-"), nrows=2, ncols=2, width=4.6, height=3.2
    )
    columns = [
        ("energy_off_meV_per_atom", "energy − law", "meV/atom"),
        ("pressure_off_GPa", "pressure − law", "GPa"),
    ]
    for (column, quantity, unit), pair in zip(columns, panels, strict=True):
        for ax, x in zip(pair, ("temperature_K", "coordination"), strict=True):
            ax.axhline(0, color="black", lw=0.8)
            ax.set_ylabel(style.label(quantity, unit))
            colours = cycle(style.SERIES_COLOURS)
            for phase, rows in table.groupby("phase", sort=False):
                colour, marker = next(colours), _PHASES.get(phase, "o")
                _frames(ax, rows, column, colour, marker, x)
                ax.plot([], [], marker, color=colour, label=phase)
    for ax in panels[:, 1]:
        ax.set_xlabel("N within 2.5 Å of a Zn")
    panels[0, 0].legend(fontsize="small")
    return fig


def _frames(
    ax: Axes, rows: pd.DataFrame, column: str, colour: str, marker: str,
    against: str = "volume_A3_per_atom",
) -> None:  # fmt: skip
    """Points of one framework and phase, open where the law is older than the frame."""
    for since, some in rows.groupby("since"):
        ax.plot(
            some[against], some[column], marker, color=colour, markersize=5,
            markerfacecolor="none" if since else colour,
        )  # fmt: skip


def errors_of_samplers(rounds: pd.DataFrame) -> Axes:
    """Share of frames whose force error exceeds a value, a curve for each sampler.

    Parameters
    ----------
    rounds : DataFrame
        From ``recipes.sets.rounds``, force errors in eV/A.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(
        ("force RMSE of the sampler", "eV/A"), ("share of frames above", "-"), width=_WIDTH
    )
    for name, rows in rounds.groupby("sampler"):
        ax.ecdf(
            rows["force_rmse_eV_per_A"], complementary=True, label=f"{name}, {len(rows)} frames"
        )
    ax.legend()
    return ax


def split(frames: pd.DataFrame, uses: Sequence[str]) -> Axes:
    """Steps of the sampling runs at which frames were taken, a row for each set.

    Parameters
    ----------
    frames : DataFrame
        From ``dataset.per_frame`` with a column ``use``; sets whose order is unknown are left out.
    uses : sequence of str
        The uses to draw, each in a colour of its own.

    Returns
    -------
    Axes
        The panel.
    """
    ordered = frames.dropna(subset=["step"])
    height = 1 + 0.17 * ordered["set"].nunique()  # names below each other, not over each other
    _, ax = style.axes(("step of the sampling run", "-"), ("", "-"), width=7, height=height)
    for use in uses:
        rows = ordered[ordered["use"] == use]
        ax.plot(rows["step"], rows["set"], "|", markersize=7, label=use)
    ax.set_xscale("symlog", linthresh=100)
    ax.tick_params(axis="y", labelsize=8)
    ax.margins(y=0.02)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(uses))
    return ax


def forces(rms: pd.DataFrame, theirs: Value) -> Axes:
    """RMS force of each element, a row for each sampler, next to a force error of the paper.

    Parameters
    ----------
    rms : DataFrame
        A row for each sampler, a column for each element, eV/A; other columns are not drawn.
    theirs : paper.Value
        The paper's force error, eV/A.

    Returns
    -------
    Axes
        The panel.
    """
    _, ax = style.axes(("RMS force", "eV/A"), ("", "-"), width=_WIDTH, height=4)
    for element in (name for name in style.ELEMENT_COLOURS if name in rms):
        colour = style.element_colour(element)
        ax.plot(rms[element], rms.index, "o", color=colour, label=element)
    style.paper_line(ax, theirs, axis="x")
    ax.legend(**_BELOW | {"ncols": 5})
    return ax


def _by_sampler(frames: pd.DataFrame, x: tuple, y: tuple) -> Axes:
    """Points, a colour for each sampler. x, y: (column, quantity, unit)."""
    _, ax = style.axes(x[1:], y[1:], width=_WIDTH, height=4.2)
    colours = cycle(_SAMPLERS)
    for name, rows in frames.groupby("sampler"):
        look = {"ms": 3, "color": next(colours), "label": name}
        ax.plot(rows[x[0]], rows[y[0]], ".", **look)
    return ax
