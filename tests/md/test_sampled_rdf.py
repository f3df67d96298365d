"""A run beside the reference: at a temperature that both have, or with the reason why not."""

import numpy as np
import pandas as pd
import pytest

from helpers.md import sampled_rdf
from helpers.md.trajectory import Trajectory

HOW = sampled_rdf.Sampling(1200.0, 50.0, 20, 6.0, 0.1)


def gas(temperatures, edge=13.0, seed=0):
    n, T = len(temperatures), np.asarray(temperatures, float)
    rng = np.random.default_rng(seed)
    symbols = np.array(["Zn", "N"] * 20)
    where = rng.uniform(0, edge, (n, 40, 3))
    return Trajectory(
        symbols, np.arange(n), 0.1 * np.arange(n), T, np.array([np.eye(3) * edge] * n), where
    )


REFERENCE = gas([1200.0] * 30)


def test_both_are_sampled_alike_at_the_nearest_temperature():
    run = gas(np.linspace(300, 2100, 400), seed=1)
    found = sampled_rdf.compare("run", run, run, REFERENCE, HOW)
    assert found and found.temperature_K == 1200
    assert list(found.curves) == ["run", "reference"]
    assert (found.n_frames, found.n_reference) == (20, 30)
    assert str(found) == "1200 K: 20 snapshots of run, 30 of the reference"
    g = found.curves["reference"][None].g[20:]
    assert g.mean() == pytest.approx(1, abs=0.05)


def test_a_run_that_lost_its_temperature_is_not_compared():
    run = gas([1200.0] * 30, seed=1)
    found = sampled_rdf.compare("run", run, run[:10], REFERENCE, HOW)
    assert not found and "10 of the 30 frames of run" in found.why_not
    assert str(found).startswith("No comparison of run: 10 of the 30")


@pytest.mark.parametrize("used", [gas([300.0] * 5), gas([])])
def test_no_temperature_in_common(used):
    found = sampled_rdf.compare("run", gas([300.0] * 5), used, REFERENCE, HOW)
    assert not found and found.why_not


def test_what_it_went_through_is_named_by_the_temperatures_it_had():
    run = gas([1200.0] * 11)
    table = pd.DataFrame({"time_ps": run.times_ps, "temperature_K": 1200 + 100 * np.arange(11.0)})
    went = sampled_rdf.as_it_went("run", run, table, REFERENCE, HOW)
    assert list(went.curves) == ["run, 1200 to 2200 K", "reference"] and went.n_frames == 11
    assert not sampled_rdf.as_it_went("run", run, table.iloc[:0], REFERENCE, HOW)


def test_constant_volume_is_set_beside_the_same_reference():
    run = gas(np.linspace(300, 2100, 400), seed=1)
    beside = sampled_rdf.compare("run", run, run, REFERENCE, HOW)
    held = sampled_rdf.at_constant_volume("held", gas([1210.0] * 9), beside, HOW)
    assert held.curves["reference"] is beside.curves["reference"] and held.n_frames == 9
    cold = sampled_rdf.at_constant_volume("held", gas([300.0] * 9), beside, HOW)
    assert not cold and "no frame within 50 K" in cold.why_not
    nothing = sampled_rdf.Comparison("run", why_not="reason")
    assert sampled_rdf.at_constant_volume("held", run, nothing, HOW).why_not == "reason"


def test_volume_of_an_atom():
    assert sampled_rdf.volume_per_atom(gas([300.0], edge=10.0)) == pytest.approx(1000 / 40)
