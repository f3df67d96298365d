from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers import structures
from helpers.errors import Unfit
from helpers.recipes import peers, runs


def test_glasses_are_snapshots_of_one_system():
    model = peers.of_structures(["glass01", "glass02"])
    assert len(model.frames) == 2 and len(model.symbols) == 272
    np.testing.assert_array_equal(model.frames[1][0], structures.load("glass02").positions)


def test_what_is_no_snapshot_of_one_system_is_refused():
    with pytest.raises(Unfit, match="Znim2-ABW does not have the atoms of glass01"):
        peers.of_structures(["glass01", "Znim2-ABW"])
    with pytest.raises(Unfit, match="no structure is named"):
        peers.of_structures([])
    with pytest.raises(structures.UnknownStructure, match="did you mean 'glass01'"):
        peers.of_structures(["glas01"])


def test_runs_that_are_there_and_runs_that_are_not(capsys):
    found = runs.finished(["atp-20Kps", "", "quench-of-nothing"])
    assert list(found) == ["atp-20Kps"]
    assert capsys.readouterr().out == "not computed yet: quench-of-nothing\n"
    end = peers.end_of(found["atp-20Kps"], 3)
    frames = found["atp-20Kps"].trajectory
    assert len(end.frames) == 3
    np.testing.assert_array_equal(end.frames[-1][0], frames.positions[-1])
    assert len(peers.end_of(found["atp-20Kps"], 10**6).frames) == len(frames)


def test_seeds_of_a_name_and_how_dense_they_ended(capsys):
    found = peers.seeds(["atp-20Kps", "", "quench-of-nothing"])
    assert [run.seed for run in found["atp-20Kps"]] == [1, 2, 3]
    assert "quench-of-nothing" in capsys.readouterr().out
    ends = peers.ends(found)
    assert list(ends["seed"]) == [1, 2, 3] and set(ends["rate_K_per_ps"]) == {20.0}
    last = found["atp-20Kps"][0].ramp["density_g_cm3"].iloc[-1]
    assert ends["density_g_cm3"][0] == pytest.approx(last)
    assert peers.ends({}).empty
    both = peers.together([peers.of_structures(["glass01"]), peers.of_structures(["glass02"])])
    assert len(both.frames) == 2


def test_melts_are_judged_by_what_became_of_the_crystal(capsys):
    """Melts of 4 to 6 ps at 2300 K, by a potential that lets Zn fall together."""
    judged = peers.melts(["round-5-1400bar-melt"])
    assert len(judged) == 3
    for run, found in judged.values():
        path = run.trajectory
        zinc = path.symbols == "Zn"
        apart = [path.atoms(k)[zinc].get_all_distances(mic=True) for k in range(len(path))]
        nearest = np.array([one[np.triu_indices(zinc.sum(), 1)].min() for one in apart])
        behind = path.times_ps >= run.recipe.equilibration_ps
        assert found.close_share == pytest.approx((nearest[behind] < 4).mean())
        assert found.zn_apart_A == pytest.approx(nearest[0], abs=1e-4)
    assert not any(found.trusted for _, found in judged.values())


def test_a_quench_from_what_is_no_melt_is_in_no_verdict(capsys):
    """The melt of round-8 has two Zn nearer than 4 A in nearly half of its frames."""
    ((_, found),) = peers.melts(["round-7-melt-2000K"]).values()
    assert found.molten and not found.trusted
    quenched = peers.seeds(["quench-1800K-400Kps"])
    judged = peers.melts(["melt-1800K"])
    assert peers.of_melts(quenched, judged) == quenched
    capsys.readouterr()
    as_if = {name: (run, found) for name, (run, _) in judged.items()}
    assert peers.of_melts(quenched, as_if) == {}
    assert "in no verdict" in capsys.readouterr().out


def test_a_melt_that_exploded_is_not_judged(capsys):
    assert peers.melts(["test-20Kps-relaxed"]) == {}
    said = capsys.readouterr().out
    assert "test-20Kps-relaxed is no melt to quench: the run exploded after step 10400" in said


def cooled(bend_K, hot=6e-4, cold=2e-5):
    """A quench to 300 K whose expansion falls from ``hot`` to ``cold`` at a temperature."""
    T = np.linspace(1800, 300, 800)
    of_V = np.where(T > bend_K, hot * (T - bend_K), cold * (T - bend_K))
    of_V += np.random.default_rng(1).normal(0, 2e-3, len(T))
    table = {"target_temperature_K": T, "volume_A3": 4400 * np.exp(of_V)}
    table["density_g_cm3"] = 5300 / table["volume_A3"]
    return SimpleNamespace(ramp=pd.DataFrame(table), seed=1)


def test_where_a_quench_bends():
    bent, straight = peers.bends(
        {"bent": [cooled(1000)], "straight": [cooled(1000, 2e-5)]}
    ).itertuples()
    assert bent.bend_K == pytest.approx(1000, abs=100) and np.isnan(straight.bend_K)
    assert bent.cold_per_K == pytest.approx(2e-5, abs=1e-5) == straight.hot_per_K
    assert bent.hot_per_K == pytest.approx(6e-4, rel=0.05)
    assert peers.bends({}).empty
