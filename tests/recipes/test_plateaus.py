"""Runs held at one temperature: shipped ones, one of them outside of what its potential knows."""

import numpy as np
import pytest

from helpers.observables import melt
from helpers.recipes import catalogue, plateaus, runs
from helpers.report import tables_of_bonds


@pytest.fixture(scope="module")
def held():
    names = ("melt-1800K-seed1", "npt-300K", "claims-20Kps-seed1", "round-7-melt-2000K")
    return plateaus.of_runs(runs.find(name) for name in names)


def test_runs_at_one_temperature_coldest_first(held):
    assert [one.temperature_K for one in held] == [300, 1800, 2000]  # and none that heats
    cold, hot, bad = held
    assert not cold.refused and not hot.refused and list(plateaus.used(held)) == [300, 1800]
    assert "two Zn are nearer than 4 Å in" in bad.refused
    path = bad.run.trajectory
    behind = path.times_ps > bad.run.recipe.equilibration_ps
    first = int(np.argmax(behind))
    found = melt.judge(path.positions, path.cells, path.symbols, first)
    assert bad.close_share == pytest.approx(found.close_share)
    assert hot.frames.times_ps.min() > 20 and cold.frames.times_ps.min() > 10
    assert hot.frames.times_ps.max() == pytest.approx(120, abs=1)


def test_events_are_those_of_the_sampled_time(held):
    _, hot, _ = held
    table = plateaus.events(plateaus.used(held).values())
    assert list(table["temperature_K"]) == [300, 1800]
    assert table["broken"][0] == 0 and table["broken"][1] > 100
    ended = hot.bonds.episodes["outcome"]
    assert table["exchanged"][1] == (ended == "exchanged").sum()
    span = hot.frames.times_ps[-1] - hot.frames.times_ps[0]
    assert table["exposure_ns"][1] <= span * 64 / 1000  # 64 N in the cell
    assert plateaus.events([]).empty


def test_the_table_of_a_page(held):
    used = plateaus.used(held)
    spread = plateaus.diffusion(held, ["Zn", "N"])
    assert set(spread["run"]) == {one.run.name for one in used.values()}
    shown = tables_of_bonds.plateaus(held, spread, {}).frame
    assert list(shown["T (K)"]) == ["300", "1800", "2000"]
    assert shown["bonds broken"][0].startswith("0")
    assert shown["D of Zn (10⁻⁴ cm²/s)"][0].startswith("<")
    assert shown["D of Zn (10⁻⁴ cm²/s)"][1].endswith("(one run)")
    assert shown["D of Zn (10⁻⁴ cm²/s)"][2] == "–" and "two Zn" in shown["not used, since"][2]
    assert shown["N off their Zn (%)"][0] == "0"


def test_a_crystal_and_a_melt_are_on_no_line(held):
    used = plateaus.used(held)
    together, apart = plateaus.comparable(used)
    assert together == [300] and apart.startswith("at 300 K 0 % of the N have left the Zn")
    assert "at 1800 K 88 %, and no line joins" in apart
    laws, why_not = plateaus.laws(plateaus.events(used.values()), together, apart)
    assert not laws and why_not == {"break": apart, "exchange": apart}
    hot = {T: one for T, one in used.items() if T > 1000}
    assert plateaus.comparable(hot) == ([1800], "")
    assert plateaus.laws(plateaus.events(hot.values()), [1800])[1]["break"].endswith("at 1")


def test_the_error_of_D_is_the_scatter_of_four_melts():
    names = catalogue.with_other_seeds(["melt-1800K-seed2"])
    assert sorted(names) == ["melt-1800K-seed2", "melt-1800K-seed3", "melt-1800K-seed4",
                             "plateau-1800K"]  # fmt: skip
    melts = plateaus.of_runs(runs.find(name) for name in names)
    found = plateaus.diffusion(melts, ["Zn"])
    assert len(found) == 4 and not found["limited"].any()
    assert found["error"].to_numpy() == pytest.approx(found["D"].std())
    assert 0.1 < found["error"].iloc[0] / found["D"].mean() < 0.5
