"""Runs held at one temperature: their sampled frames, and what moved in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.md.run import Run
from helpers.md.trajectory import Trajectory
from helpers.observables import flow, ligand_exchange, melt
from helpers.observables.event_rates import Arrhenius
from helpers.observables.ligand_exchange import Bonds

_FEWEST = 10  # frames


@dataclass(frozen=True)
class Plateau:
    """A run at one temperature.

    Attributes
    ----------
    run : Run
        The run.
    frames : Trajectory
        Its frames behind the equilibration.
    bonds : Bonds or None
        Its Zn-N bonds; None if it has too few frames.
    close_share : float
        Share of these frames in which two Zn are nearer than 4 A, 0 to 1.
    refused : str
        Why it enters no line; empty if it does.
    moved_on : float
        Share of the N that in the last frame are off the Zn of the first frame of the run, before
        the equilibration, 0 to 1; NaN if it has too few frames.
    """

    run: Run
    frames: Trajectory
    bonds: Bonds | None
    close_share: float
    refused: str
    moved_on: float = np.nan

    @property
    def temperature_K(self) -> float:
        """Its temperature, K."""
        return self.run.recipe.temperature_end_K

    @property
    def most_moved_on(self) -> bool:
        """Whether half of the N or more have left their Zn, as in a melt (`melt.HALF`)."""
        return self.moved_on >= melt.HALF


def of_runs(runs: Iterable[Run]) -> list[Plateau]:
    """The runs that are held at one temperature, coldest first.

    Parameters
    ----------
    runs : iterable of Run
        The runs; those that heat are passed over.

    Returns
    -------
    list of Plateau
        One for each of them.
    """
    held = [run for run in runs if not run.rate]
    return [_judged(run) for run in sorted(held, key=lambda run: run.recipe.temperature_end_K)]


def _judged(run: Run) -> Plateau:
    path = run.trajectory
    frames = path[path.times_ps > run.recipe.equilibration_ps + 1e-6]
    if len(frames) < _FEWEST:
        few = run.exploded or f"{len(frames)} frames are too few"
        return Plateau(run, frames, None, np.nan, few)
    everything = frames.positions, frames.cells, frames.symbols
    bonds = ligand_exchange.bonds(*everything, frames.times_ps, frames.temperatures_K)
    judged = melt.judge(path.positions, path.cells, path.symbols, len(path) - len(frames))
    close, refused = judged.close_share, run.exploded
    if not refused and close > melt.CLOSE_SHARE:
        refused = f"two Zn are nearer than {melt.CLOSE_A:g} Å in {100 * close:.0f} % of its frames"
    return Plateau(run, frames, bonds, close, refused, judged.exchanged)


def used(plateaus: Sequence[Plateau]) -> dict[float, Plateau]:
    """Those that enter lines, by temperature.

    Parameters
    ----------
    plateaus : sequence of Plateau
        The runs.

    Returns
    -------
    dict of float to Plateau
        Temperature (K) -> the first of this temperature that is not refused.
    """
    found: dict[float, Plateau] = {}
    for one in plateaus:
        if not one.refused:
            found.setdefault(one.temperature_K, one)
    return found


def comparable(used: Mapping[float, Plateau]) -> tuple[list[float], str]:
    """Temperatures that one line may join: it leads from no crystal to a melt.

    Parameters
    ----------
    used : mapping of float to Plateau
        Result of `used`.

    Returns
    -------
    temperatures_K : list of float
        All, if most N have left the Zn of the crystal in all of the runs, or in none; else
        those of one kind, of which there are more.
    apart : str
        Why not all; empty if all.
    """
    kinds = [[one for one in used.values() if one.most_moved_on is most] for most in (False, True)]
    if not all(kinds):
        return list(used), ""
    few, most = (
        (
            f"at {' and '.join(f'{one.temperature_K:.0f}' for one in kind)} K",
            f"{' and '.join(f'{100 * one.moved_on:.0f}' for one in kind)} %",
        )
        for kind in kinds
    )
    apart = (
        f"{few[0]} {few[1]} of the N have left the Zn that they held in the crystal, {most[0]} "
        f"{most[1]}, and no line joins a crystal and a melt"
    )
    return [one.temperature_K for one in max(kinds, key=len)], apart


def diffusion(plateaus: Iterable[Plateau], elements: Sequence[str]) -> pd.DataFrame:
    """Diffusion coefficients, a row for each run and element, with the scatter between runs.

    One run of 100 ps hardly tells its own error: the slopes of two halves of the lags share their
    atoms and their time origins. The error is the standard deviation of D between the runs of one
    temperature, and is not known where there is one.

    Parameters
    ----------
    plateaus : iterable of Plateau
        Runs; those that are refused are left out.
    elements : sequence of str
        Elements to include.

    Returns
    -------
    DataFrame
        As ``flow.table``, with ``run``, its name; ``error`` is NaN where one run tells D.
    """
    parts = []
    for one in plateaus:
        if not one.refused:
            moved = flow.displacements({one.temperature_K: one.frames})
            parts.append(flow.table(moved, elements).assign(run=one.run.name))
    if not parts:
        return flow.table({}, elements).assign(run="")
    found = pd.concat(parts, ignore_index=True)
    known = found["D"].where(~found["limited"].astype(bool))
    of_one = known.groupby([found["temperature_K"], found["element"]])
    return found.assign(error=of_one.transform("std").where(known.notna()))


def laws(
    events: pd.DataFrame, together: Collection[float], apart: str = ""
) -> tuple[dict[str, Arrhenius], dict[str, str]]:
    """Arrhenius laws of the runs that one line may join.

    Parameters
    ----------
    events : DataFrame
        Result of `events`.
    together : collection of float
        Temperatures (K) of `comparable`.
    apart : str
        Its reason why these are not all.

    Returns
    -------
    laws, why_not : dict
        As ``ligand_exchange.activation``. Where runs are left out, what is left must be tested: by
        three temperatures or more.
    """
    if not apart or events.empty:
        return ligand_exchange.activation(events) if len(events) else ({}, {})
    if len(together) < 3:
        return {}, dict.fromkeys(("break", "exchange"), apart)
    return ligand_exchange.activation(events[events["temperature_K"].round(3).isin(together)])


def events(plateaus: Iterable[Plateau]) -> pd.DataFrame:
    """Breaks and exchanges of the Zn-N bonds, a row for each run.

    Parameters
    ----------
    plateaus : iterable of Plateau
        Runs that are used.

    Returns
    -------
    DataFrame
        As ``Bonds.rates``.
    """
    rows = [
        one.bonds.rates([one.temperature_K - 1, one.temperature_K + 1])
        for one in plateaus
        if one.bonds is not None
    ]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
