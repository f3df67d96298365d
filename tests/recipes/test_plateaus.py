"""Runs held at one temperature: shipped ones, one of them outside of what its potential knows."""

import numpy as np
import pytest

from helpers.observables import flow, melt
from helpers.recipes import plateaus, runs
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
    moved = flow.displacements({T: one.frames for T, one in used.items()})
    shown = tables_of_bonds.plateaus(held, flow.table(moved, ["Zn", "N"]), None).frame
    assert list(shown["T (K)"]) == ["300", "1800", "2000"]
    assert shown["bonds broken"][0] == "0" and shown["D of Zn (10⁻⁴ cm²/s)"][0].startswith("<")
    assert shown["D of Zn (10⁻⁴ cm²/s)"][2] == "–" and "two Zn" in shown["not used, since"][2]
