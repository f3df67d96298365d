"""Rows of shipped runs: found or made by key, and what they say of themselves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import paths
from helpers.md.run import Run
from helpers.observables import run_table
from helpers.recipes import catalogue, outcomes, runs


def test_a_shipped_run_has_its_row(build):
    folder = paths.shipped("runs", "atp-400Kps")
    row = outcomes.of(folder, trials=1)
    assert (row["name"], row["n_atoms"], row["rate_K_per_ps"], row["seed"]) == (
        "atp-400Kps", 272, 400.0, 1,
    )  # fmt: skip
    assert np.isnan(row["Tf_K"]) and np.isnan(row["Tf_above_K"])  # 4.5 ps cannot tell
    assert 1700 < row["first_break_K"] < 2100 and row["first_exchange_above_K"] == 2100
    assert row["end_K"] == 2100
    again = outcomes.of(folder, trials=1)  # from build/validation/outcomes.json
    np.testing.assert_equal(again, row)
    assert outcomes.of(paths.shipped("runs", "nvt-1200K"), trials=1) is None  # it has no ramp


def test_runs_that_are_alike_are_found_and_what_was_before_the_ramp(build):
    run = runs.find("atp-4Kps-seed2")
    table = outcomes.alike(run).set_index("name")
    assert {"atp-400Kps", "atp-20Kps-seed3", "atp-4Kps-seed2"} <= set(table.index)
    assert not {"atp-400Kps-2x2x2", "test-20Kps", "reaxff-400Kps"} & set(table.index)
    assert table.loc["atp-4Kps-seed2", "unsettled"] == ""
    assert "10 samples" not in table.loc["atp-20Kps", "unsettled"]
    assert "independent samples" in table.loc["atp-20Kps", "unsettled"]  # 1 ps is too short
    assert table.loc["atp-4Kps-seed2", "start_density"] == pytest.approx(1.13, abs=0.03)
    every_ps = 0.02 * run.provenance["thinned"]
    assert table.loc["atp-4Kps-seed2", "frame_K"] == pytest.approx(4 * every_ps)
    assert list(outcomes.of_runs([]).columns) == [*outcomes.ABOUT, *run_table.COLUMNS]


def test_cells_of_other_size_are_alike_where_any_cell_is(build):
    run = runs.find("atp-4Kps-seed2")
    names = {one.name for one in outcomes.runs_alike(run, any_cell=True)}
    assert {"atp-400Kps-2x2x2", "atp-400Kps", "atp-4Kps-seed2"} <= names
    assert not {"test-20Kps", "reaxff-400Kps"} & names


def test_the_first_part_of_a_run_is_no_seed_of_its_own():
    names = ("shape-20Kps-to-1600K-seed1", "claims-20Kps-seed1", "claims-20Kps-seed2")
    three = [Run(Path(name), catalogue.run_recipe(name), {}) for name in names]
    assert [one.name for one in outcomes.without_parts(three)] == [*names[1:]]


def test_a_run_that_goes_on_from_another_by_name():
    quench = catalogue.run_recipe("quench-1800K-100Kps-seed2")
    assert quench.after == catalogue.run_recipe("melt-1800K-seed2")
    assert quench.segments()[0].what == "cooling" and quench.after.seed == 2


def test_a_run_that_cools_stands_beside_the_one_it_goes_on_from(build, capsys):
    """A quench of a melt has no ramp before it; a made-up one of a shipped ramp's first part."""
    quench = runs.find("quench-1800K-400Kps-seed1")
    assert outcomes.cooled_back([quench], trials=0).empty  # the melt before it was no ramp
    whole = catalogue.run_recipe("claims-20Kps-seed1")
    part = replace(whole, temperature_end_K=1500.0)
    cooled = Run(quench.directory, replace(quench.recipe, after=part), quench.provenance)
    rows = outcomes.cooled_back([cooled], trials=0)
    assert list(rows["name"]) == ["claims-20Kps-seed1"]  # the same run as far as 1500 K
    last = quench.ramp[quench.ramp["target_temperature_K"] <= 400]["density_g_cm3"].mean()
    assert rows["cooled_first_density"][0] == pytest.approx(last, abs=0.02)
    assert rows["first_density"][0] == pytest.approx(1.2, abs=0.03)
    other = Run(quench.directory, replace(quench.recipe, after=None), quench.provenance)
    assert outcomes.cooled_back([other]).empty
    assert "left out: quench-1800K-400Kps-seed1" in capsys.readouterr().out


def test_cells_whose_shape_is_free_are_looked_at_up_to_their_fall(build):
    """A shipped ramp of an isotropic cell, and the same with one axis that runs away at 900 K."""
    slow = runs.find("atp-20Kps")
    ramp = slow.ramp.copy()
    ramp.loc[ramp["target_temperature_K"] > 900, "cell_b_A"] *= 1.1
    free = Run(slow.directory, replace(slow.recipe, coupling="aniso"), slow.provenance)
    free.__dict__["ramp"] = ramp
    table = pd.DataFrame({"name": [slow.name], "Tf_K": [np.nan]})
    assert outcomes.departures([slow], table) == {}  # isotropic
    for Tf, there in ((np.nan, True), (1500.0, True), (800.0, False)):
        table = pd.DataFrame({"name": [slow.name], "Tf_K": [Tf]})
        found = outcomes.departures([free], table)[slow.name]
        assert bool(found) == there
        assert not there or (found.what == "b/c" and 800 < found.temperature_K < 1050)
