"""g(r) of a run beside that of the reference, at one temperature that both have reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.md import snapshots
from helpers.md.trajectory import Trajectory
from helpers.observables import rdf
from helpers.observables.rdf import RDFs

REFERENCE = "reference"  # the name of its curve


@dataclass(frozen=True)
class Sampling:
    """How g(r) is sampled: the same way for every run and for the reference.

    temperature_K: where runs are compared. width_K: frames within it of a temperature count.
    n_frames: at most so many of a run, evenly chosen. r_max_A, bin_width_A: bins of g(r).
    """

    temperature_K: float
    width_K: float
    n_frames: int
    r_max_A: float
    bin_width_A: float

    def rdfs(self, frames: Trajectory) -> RDFs:
        """All g(r) of these frames; beyond half the cell periodic images count, too."""
        pairs = zip(frames.positions, frames.cells, strict=True)
        return rdf.rdfs(pairs, frames.symbols, self.r_max_A, self.bin_width_A, images=True)


@dataclass(frozen=True)
class Comparison:
    """A run beside the reference.

    name: of the run. temperature_K: that both have (NaN without a comparison). curves: name ->
    g(r), the reference last; empty without a comparison. why_not: the reason then, in words.
    n_frames: of the run, n_reference: of the reference.
    """

    name: str
    temperature_K: float = np.nan
    curves: Mapping[str, RDFs] | None = None
    why_not: str = ""
    n_frames: int = 0
    n_reference: int = 0

    def __bool__(self) -> bool:
        return bool(self.curves)

    def __str__(self) -> str:
        if not self:
            return f"No comparison of {self.name}: {self.why_not}."
        return (
            f"{self.temperature_K:.0f} K: {self.n_frames} snapshots of {self.name}, "
            f"{self.n_reference} of the reference"
        )


def compare(
    name: str, frames: Trajectory, used: Trajectory, reference: Trajectory, how: Sampling
) -> Comparison:
    """The run at the reference's temperature nearest to the one asked for that it has reached.

    frames: of the run; used: those of them that have the temperature of their thermostat
    (``snapshots.at_temperature``). Where less than half of the frames there have it, the run is not
    in equilibrium, and nothing is compared.
    """
    try:
        T, ours, theirs = snapshots.common(
            used, reference, how.temperature_K, how.width_K, how.n_frames
        )
        there, steady = (len(snapshots.near(part, T, how.width_K)) for part in (frames, used))
    except snapshots.NoSnapshots as reason:
        return Comparison(name, why_not=str(reason))
    if steady < there / 2:
        why = (
            f"{steady} of the {there} frames of {name} with a target of about {T:.0f} K have "
            "that temperature"
        )
        return Comparison(name, why_not=why)
    curves = {name: how.rdfs(ours), REFERENCE: how.rdfs(theirs)}
    return Comparison(name, T, curves, n_frames=len(ours), n_reference=len(theirs))


def at_constant_volume(
    name: str, frames: Trajectory, beside: Comparison, how: Sampling
) -> Comparison:
    """A run that was held at constant volume, at the temperature and beside the reference of
    another comparison."""
    if not beside:
        return Comparison(name, why_not=beside.why_not)
    try:
        ours = snapshots.near(frames, beside.temperature_K, how.width_K, how.n_frames)
    except snapshots.NoSnapshots as reason:
        return Comparison(name, why_not=str(reason))
    curves = {name: how.rdfs(ours), REFERENCE: beside.curves[REFERENCE]}
    return Comparison(name, beside.temperature_K, curves, "", len(ours), beside.n_reference)


def as_it_went(
    name: str, frames: Trajectory, table: pd.DataFrame, reference: Trajectory, how: Sampling
) -> Comparison:
    """All frames of a run that lost its temperature, named by the temperatures that it had.

    Beside the reference where the run began. table: of ``thermo.read``. No equilibrium: to look
    at, not to judge by.
    """
    had = snapshots.actual_temperatures(frames, table)
    known = np.isfinite(had)
    if not known.any():
        return Comparison(name, why_not="the temperature of no frame is known")
    first = frames.temperatures_K[0]
    T = float(min(set(reference.temperatures_K), key=lambda at: abs(at - first)))
    theirs = snapshots.near(reference, T, how.width_K)
    named = f"{name}, {np.nanmin(had):.0f} to {np.nanmax(had):.0f} K"
    curves = {named: how.rdfs(frames[known]), REFERENCE: how.rdfs(theirs)}
    return Comparison(name, T, curves, "", int(known.sum()), len(theirs))


def volume_per_atom(frames: Trajectory) -> float:
    """Mean volume of an atom (A^3) over the frames."""
    return float(np.abs(np.linalg.det(frames.cells)).mean() / len(frames.symbols))
