"""Windows of a run: its stages, or the given edges where it has one stage."""

from types import SimpleNamespace

import numpy as np

from helpers.md.trajectory import Trajectory
from helpers.md.windows import windows


def frames(low, high, n=50):
    T = np.linspace(low, high, n)
    cells, positions = np.array([np.eye(3)] * n), np.zeros((n, 1, 3))
    return Trajectory(np.array(["Zn"]), np.arange(n), T, T, cells, positions)


def stage(name, low, high):
    return SimpleNamespace(name=name, low_K=low, high_K=high)


def test_stages_become_windows_that_share_no_frame():
    run = frames(300, 1999)
    stages = [stage("crystal", 300, 1000), stage("low density", 1000, 2000)]
    found = windows(run, stages, [300, 2000])
    assert list(found) == ["crystal, 300–1000 K", "low density, 1000–2000 K"]
    assert sum(map(len, found.values())) == len(run)


def test_one_stage_is_cut_at_the_edges_and_empty_windows_are_left_out():
    run = frames(300, 1200)
    found = windows(run, [stage("crystal", 300, 1200)], [300, 1000, 1100, 1300, 2000])
    assert list(found) == ["300–1000 K", "1000–1100 K", "1100–1300 K"]


def test_a_run_outside_all_windows_counts_as_a_whole():
    run = frames(300, 310)
    assert windows(run, [stage("crystal", 300, 310)], [500, 600]) == {"whole run": run}
