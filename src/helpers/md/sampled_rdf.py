"""g(r) of a run and of the reference, at one temperature that both have reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from helpers.md import snapshots
from helpers.md.trajectory import Trajectory
from helpers.observables import rdf
from helpers.observables.rdf import RDFs

REFERENCE = "reference"  # the name of its curve


@dataclass(frozen=True)
class Sampling:
    """How g(r) is sampled, equally for every run and for the reference.

    Attributes
    ----------
    temperature_K : float
        Temperature at which runs are compared, K.
    width_K : float
        Frames within this of a temperature are used, K.
    n_frames : int
        Largest number of frames of a run, evenly chosen.
    r_max_A : float
        Upper end of g(r), A.
    bin_width_A : float
        Bin width of g(r), A.
    """

    temperature_K: float
    width_K: float
    n_frames: int
    r_max_A: float
    bin_width_A: float

    def rdfs(self, trajectory: Trajectory) -> RDFs:
        """All g(r) of some frames; beyond half the cell periodic images are counted.

        Parameters
        ----------
        trajectory : Trajectory
            The frames.

        Returns
        -------
        RDFs
            All pairs of elements and the total.
        """
        pairs = zip(trajectory.positions, trajectory.cells, strict=True)
        return rdf.rdfs(pairs, trajectory.symbols, self.r_max_A, self.bin_width_A, images=True)


@dataclass(frozen=True)
class Comparison:
    """Comparison of a run with the reference.

    Attributes
    ----------
    name : str
        Name of the run.
    temperature_K : float
        Common temperature, K; NaN without a comparison.
    curves : mapping of str to RDFs
        Name -> g(r), the reference last; empty without a comparison.
    why_not : str
        Reason why there is no comparison.
    n_frames : int
        Number of frames of the run.
    n_reference : int
        Number of frames of the reference.
    """

    name: str
    temperature_K: float = np.nan
    curves: Mapping[str, RDFs] = field(default_factory=dict)
    why_not: str = ""
    n_frames: int = 0
    n_reference: int = 0

    def __bool__(self) -> bool:
        return bool(self.curves)

    def __str__(self) -> str:
        if not self:
            return f"No comparison of {self.name}: {self.why_not}."
        snapshots = "snapshot" if self.n_frames == 1 else "snapshots"
        return (
            f"{self.temperature_K:.0f} K: {self.n_frames} {snapshots} of {self.name}, "
            f"{self.n_reference} of the reference"
        )


def compare(
    name: str, trajectory: Trajectory, used: Trajectory, reference: Trajectory, how: Sampling
) -> Comparison:
    """Compare a run with the reference at the common temperature nearest to the requested one.

    If less than half of the frames there have the temperature of their thermostat, the run is not
    in equilibrium and is not compared.

    Parameters
    ----------
    name : str
        Name of the run.
    trajectory : Trajectory
        Frames of the run.
    used : Trajectory
        Those that have the temperature of their thermostat (``snapshots.at_temperature``).
    reference : Trajectory
        Frames of the reference.
    how : Sampling
        How g(r) is sampled.

    Returns
    -------
    Comparison
        The comparison, or why there is none.
    """
    try:
        T, ours, theirs = snapshots.common(
            used, reference, how.temperature_K, how.width_K, how.n_frames
        )
        there, steady = (len(snapshots.near(part, T, how.width_K)) for part in (trajectory, used))
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
    name: str, trajectory: Trajectory, beside: Comparison, how: Sampling
) -> Comparison:
    """Add a run at constant volume to a comparison, at the same temperature.

    Parameters
    ----------
    name : str
        Name of the run.
    trajectory : Trajectory
        Frames of the run.
    beside : Comparison
        The comparison whose temperature and reference are used.
    how : Sampling
        How g(r) is sampled.

    Returns
    -------
    Comparison
        The comparison, or why there is none.
    """
    if not beside:
        return Comparison(name, why_not=beside.why_not)
    try:
        ours = snapshots.near(trajectory, beside.temperature_K, how.width_K, how.n_frames)
    except snapshots.NoSnapshots as reason:
        return Comparison(name, why_not=str(reason))
    curves = {name: how.rdfs(ours), REFERENCE: beside.curves[REFERENCE]}
    return Comparison(name, beside.temperature_K, curves, "", len(ours), beside.n_reference)


def as_it_went(
    name: str, trajectory: Trajectory, table: pd.DataFrame, reference: Trajectory, how: Sampling
) -> Comparison:
    """g(r) of all frames of a run that lost its temperature, with the reference at its start.

    There is no equilibrium: this shows what happened and is no basis for a judgement.

    Parameters
    ----------
    name : str
        Name of the run.
    trajectory : Trajectory
        Frames of the run.
    table : DataFrame
        Result of ``thermo.read``.
    reference : Trajectory
        Frames of the reference.
    how : Sampling
        How g(r) is sampled.

    Returns
    -------
    Comparison
        The comparison, named by the temperatures of the frames, or why there is none.
    """
    had = snapshots.actual_temperatures(trajectory, table)
    known = np.isfinite(had)
    if not known.any():
        return Comparison(name, why_not="the temperature of no frame is known")
    first = trajectory.temperatures_K[0]
    T = float(min(set(reference.temperatures_K), key=lambda at: abs(at - first)))
    theirs = snapshots.near(reference, T, how.width_K)
    low, high = (f"{end:.0f}" for end in (np.nanmin(had), np.nanmax(had)))
    named = f"{name}, {low} K" if low == high else f"{name}, {low} to {high} K"
    curves = {named: how.rdfs(trajectory[known]), REFERENCE: how.rdfs(theirs)}
    return Comparison(name, T, curves, "", int(known.sum()), len(theirs))


def volume_per_atom(trajectory: Trajectory) -> float:
    """Mean volume per atom.

    Parameters
    ----------
    trajectory : Trajectory
        The frames.

    Returns
    -------
    float
        A^3.
    """
    return float(np.abs(np.linalg.det(trajectory.cells)).mean() / len(trajectory.symbols))
