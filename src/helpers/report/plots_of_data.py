"""Figures of labelled frames: what they cover, how they are split, how large their forces are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from helpers import units
from helpers.report import style
from helpers.report.paper import Value

_BESIDE = {"loc": "upper left", "bbox_to_anchor": (1, 1)}  # of a legend: right of the panel


def energies(frames: pd.DataFrame) -> Axes:
    r"""Energy of each frame against its temperature, a colour for each sampler.

    The dashed line is equipartition in a classical harmonic solid, :math:`\tfrac32 k_B T` per atom
    above the minimum, here the lowest frame of all.

    Parameters
    ----------
    frames : DataFrame
        From ``dataset.per_frame`` (energies in eV/atom) with a column ``sampler``; frames without a
        temperature are left out.

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
    ax.plot(line, 1.5 * units.K_to_eV(line), "k--", lw=1, label="3/2 $k_B T$")
    ax.legend(**_BESIDE)
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
    ax.legend(**_BESIDE)
    return ax


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
        ("force RMSE of the sampler", "eV/A"), ("share of frames above", "-"), width=6
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
    _, ax = style.axes(("step of the sampling run", "-"), ("", "-"), width=7, height=6)
    for use in uses:
        rows = ordered[ordered["use"] == use]
        ax.plot(rows["step"], rows["set"], "|", markersize=7, label=use)
    ax.set_xscale("symlog", linthresh=100)
    ax.legend(**_BESIDE)
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
    _, ax = style.axes(("RMS force", "eV/A"), ("", "-"), width=6, height=3.6)
    for element in (name for name in style.ELEMENT_COLOURS if name in rms):
        colour = style.element_colour(element)
        ax.plot(rms[element], rms.index, "o", color=colour, label=element)
    style.paper_line(ax, theirs, axis="x")
    ax.legend(**_BESIDE)
    return ax


def _by_sampler(frames: pd.DataFrame, x: tuple, y: tuple) -> Axes:
    """Points, a colour for each sampler. x, y: (column, quantity, unit)."""
    _, ax = style.axes(x[1:], y[1:], width=6)
    for name, rows in frames.groupby("sampler"):
        ax.plot(rows[x[0]], rows[y[0]], ".", ms=3, label=f"sampled by {name}")
    return ax
