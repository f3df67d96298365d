from dataclasses import replace
from types import SimpleNamespace

import dpdata
import numpy as np
import pandas as pd
import pytest

from helpers import structures
from helpers.frames import dataset
from helpers.md import snapshots
from helpers.md.trajectory import Trajectory


def ramp(temperatures):
    temperatures = np.asarray(temperatures, float)
    size = len(temperatures)
    return Trajectory(
        np.array(["Zn"]),
        np.arange(size),
        np.arange(size) * 0.1,
        temperatures,
        np.tile(np.eye(3) * 10, (size, 1, 1)),
        np.zeros((size, 1, 3)),
    )


def test_near_takes_the_window_and_spreads():
    found = snapshots.near(ramp(range(300, 1300, 2)), 800, width_K=50, n=11)
    assert found.temperatures_K.tolist() == list(range(750, 860, 10))


def test_near_says_what_there_is():
    with pytest.raises(snapshots.NoSnapshots, match="300-398 K"):
        snapshots.near(ramp(range(300, 400, 2)), 1200)


def test_stages_cover_a_ramp_and_skip_gaps():
    found = snapshots.by_temperature(ramp([*range(300, 500, 5), *range(1000, 1101, 5)]), 100)
    assert list(found) == [300, 400, 500, 1000, 1100]
    assert found[400.0].temperatures_K.min() == 350


def test_common_takes_the_references_temperature_that_the_run_reached():
    reference, run = ramp([300, 300, 1030, 1200, 2500]), ramp(range(300, 1000, 10))
    temperature, ours, theirs = snapshots.common(run, reference, 1200, n=5)
    assert temperature == 300 and len(theirs) == 2 and len(ours) == 5
    assert ours.temperatures_K.max() <= 350
    assert snapshots.common(ramp(range(300, 2000, 10)), reference, 1200)[0] == 1200
    with pytest.raises(snapshots.NoSnapshots, match="500-590 K.*300, 1030, 1200, 2500 K"):
        snapshots.common(ramp(range(500, 600, 10)), reference, 1200)


def table(times, temperatures):
    return pd.DataFrame({"time_ps": times, "temperature_K": temperatures})


def test_a_run_that_blows_up_has_the_temperature_of_its_atoms_not_its_thermostat():
    run = replace(ramp([300] * 6), symbols=np.repeat("Zn", 100))  # 0, 0.1 ... 0.5 ps
    rows = table([0.1, 0.2, 0.4], [290, 310, 1510])
    actual = snapshots.actual_temperatures(run, rows)
    np.testing.assert_allclose(actual, [np.nan, 290, 310, 910, 1510, np.nan])
    assert snapshots.at_temperature(run, rows).times_ps.tolist() == pytest.approx([0.1, 0.2])
    assert not len(snapshots.at_temperature(run, table([], [])))


def test_fluctuation_is_that_of_maxwell_and_boltzmann():
    mass = np.tile([65.4, 14.0, 14.0], 7)[:, None]
    velocity = np.random.default_rng(0).normal(size=(4000, len(mass), 3)) / np.sqrt(mass)
    velocity -= (mass * velocity).sum(axis=1, keepdims=True) / mass.sum()
    temperature = 500 * (mass * velocity**2).sum(axis=(1, 2)) / (3 * len(mass) - 3)
    assert temperature.mean() == pytest.approx(500, rel=0.01)
    assert temperature.std() == pytest.approx(snapshots.fluctuation(500, len(mass)), rel=0.04)


def test_spaced_frames_are_that_far_apart():
    run = ramp([300] * 10)
    assert snapshots.spaced(run, 0.25).steps.tolist() == [0, 3, 6, 9]
    assert len(snapshots.spaced(run, 0.1)) == 10
    run.times_ps[:] = np.nan
    assert len(snapshots.spaced(run, 0.25)) == 10


def test_without_frames_there_is_nothing_to_compare():
    none = ramp([300])[:0]
    assert snapshots.by_temperature(none, 100) == {}
    with pytest.raises(snapshots.NoSnapshots, match="there is none"):
        snapshots.near(none, 300)
    with pytest.raises(snapshots.NoSnapshots, match="no frames"):
        snapshots.common(none, ramp([300]), 300)


def labelled(directory, n_atoms, temperatures):
    zinc = n_atoms // 17
    counts = [6 * zinc, 6 * zinc, 4 * zinc, zinc]
    size = len(temperatures)
    rng = np.random.default_rng(0)
    system = dpdata.LabeledSystem(
        data={
            "atom_names": list(structures.TYPE_MAP),
            "atom_numbs": counts,
            "atom_types": np.repeat(range(4), counts),
            "orig": np.zeros(3),
            "cells": np.tile(np.eye(3) * 9.0, (size, 1, 1)),
            "coords": rng.random((size, n_atoms, 3)) * 9,
            "energies": np.zeros(size),
            "forces": np.zeros((size, n_atoms, 3)),
            "virials": np.zeros((size, 3, 3)),
            "temperature_K": np.array(temperatures, float)[:, None],
        }
    )
    dataset.save(system, directory, np.arange(size) < 1, description="test", recipe={})
    return system


def test_who_sampled_a_set():
    table = snapshots.origins(["reference_0300", "nvt_0300"]).set_index("set")
    assert table.loc["reference_0300", "sampled by"] == "reference"
    assert table.loc["nvt_0300", "sampled by"] == "round-2" and table["frames"].min() > 50
    assert "driven by the reference itself" in table.loc["reference_0300", "method"]


def test_sets_become_one_trajectory_of_the_right_atoms(tmp_path):
    one = labelled(tmp_path / "one", 17, [300, 310, 0])
    labelled(tmp_path / "two", 34, [300, 310])
    found = snapshots.of_sets([tmp_path / "one", tmp_path / "two"], 17)
    assert sorted(found.temperatures_K) == [300, 310]  # the one without temperature is left out
    at_310 = found.positions[found.temperatures_K == 310][0]
    np.testing.assert_allclose(at_310, one["coords"][1], atol=1e-5)
    assert found.symbols.tolist() == ["C"] * 6 + ["H"] * 6 + ["N"] * 4 + ["Zn"]
    assert snapshots.fitting([tmp_path / "one", tmp_path / "two"], 17) == [tmp_path / "one"]
    with pytest.raises(snapshots.NoSnapshots, match=r"68 atoms.*one \(17 atoms\)"):
        snapshots.of_sets([tmp_path / "one"], 68)


def stage(name, low, high):
    return SimpleNamespace(name=name, low_K=low, high_K=high)


def test_stages_become_windows_that_share_no_frame():
    run = ramp(np.linspace(300, 1999, 50))
    stages = [stage("crystal", 300, 1000), stage("low density", 1000, 2000)]
    found = snapshots.by_stage(run, stages, [300, 2000])
    assert list(found) == ["crystal, 300–1000 K", "low density, 1000–2000 K"]
    assert sum(map(len, found.values())) == len(run)


def test_one_stage_is_cut_at_the_edges_and_empty_windows_are_left_out():
    run = ramp(np.linspace(300, 1200, 50))
    found = snapshots.by_stage(run, [stage("crystal", 300, 1200)], [300, 1000, 1100, 1300, 2000])
    assert list(found) == ["300–1000 K", "1000–1100 K", "1100–1300 K"]


def test_a_run_outside_all_windows_counts_as_a_whole():
    run = ramp(np.linspace(300, 310, 50))
    found = snapshots.by_stage(run, [stage("crystal", 300, 310)], [500, 600])
    assert found == {"whole run": run}
