"""Windows of temperature of one run: its stages, or given ranges where it has one stage only."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from helpers.md.trajectory import Trajectory


def windows(frames: Trajectory, stages: Sequence, edges_K: Sequence[float]) -> dict:
    """Name -> frames of each window that has any; the whole run where none has.

    Parameters
    ----------
    frames: of the run.
    stages: of ``density_stages.find`` (name, low_K, high_K).
    edges_K: rising temperatures; a run that has one stage only is cut at these instead.
    """
    limits = [(f"{s.name}, {s.low_K:.0f}–{s.high_K:.0f} K", s.low_K, s.high_K) for s in stages]
    if len(stages) == 1:
        limits = [
            (f"{low:.0f}–{high:.0f} K", low, high) for low, high in itertools.pairwise(edges_K)
        ]
    found = {name: frames.between(low, high) for name, low, high in limits}
    return {name: part for name, part in found.items() if len(part)} or {"whole run": frames}
