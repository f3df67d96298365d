"""Runs held at one temperature: their sampled frames, and what moved in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.md.run import Run
from helpers.md.trajectory import Trajectory
from helpers.observables import ligand_exchange, melt, neighbors
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
    """

    run: Run
    frames: Trajectory
    bonds: Bonds | None
    close_share: float
    refused: str

    @property
    def temperature_K(self) -> float:
        """Its temperature, K."""
        return self.run.recipe.temperature_end_K


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
    nearest = neighbors.closest(*everything, "Zn", melt.FARTHEST_A)
    close = float((nearest < melt.CLOSE_A).mean())
    refused = run.exploded
    if not refused and close > melt.CLOSE_SHARE:
        refused = f"two Zn are nearer than {melt.CLOSE_A:g} Å in {100 * close:.0f} % of its frames"
    return Plateau(run, frames, bonds, close, refused)


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
