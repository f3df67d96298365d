"""Windows of temperature of one run: its stages, or given ranges if it has a single stage."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from helpers.md.trajectory import Trajectory


def windows(frames: Trajectory, stages: Sequence, edges_K: Sequence[float]) -> dict:
    """The frames in each window of temperature.

    Parameters
    ----------
    frames : Trajectory
        Frames of the run.
    stages : sequence of Stage
        Result of ``density_stages.find``.
    edges_K : sequence of float
        Increasing temperatures, K, at which a run of a single stage is divided.

    Returns
    -------
    dict of str to Trajectory
        Name -> frames of each window that has any; the whole run if none has.
    """
    limits = [(f"{s.name}, {s.low_K:.0f}–{s.high_K:.0f} K", s.low_K, s.high_K) for s in stages]
    if len(stages) == 1:
        limits = [
            (f"{low:.0f}–{high:.0f} K", low, high) for low, high in itertools.pairwise(edges_K)
        ]
    found = {name: frames.between(low, high) for name, low, high in limits}
    return {name: part for name, part in found.items() if len(part)} or {"whole run": frames}
