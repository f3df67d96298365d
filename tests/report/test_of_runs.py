"""Tables and figures of heating runs, on shipped ones, and Kissinger's law through their points."""

import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.constants import R

from helpers import paths
from helpers.md import hundred_kelvins
from helpers.md.run import Run, Runs
from helpers.observables import enthalpy
from helpers.observables.transition import Transition
from helpers.report import plots_of_runs, rate_laws, tables_of_runs

mpl.use("Agg")
NAMES = ("atp-400Kps", "atp-400Kps-seed2", "atp-20Kps", "atp-4Kps")
NONE = Transition(False, np.nan, np.nan, np.nan, 2100.0, np.full(3, np.nan), "it rises")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def runs():
    return Runs(Run.read(paths.shipped("runs", name)) for name in NAMES)


@pytest.fixture(scope="module")
def heat(runs):
    return {
        run: enthalpy.above_start(
            run.sampled["target_temperature_K"], run.sampled["enthalpy_eV"], run.atoms, 300.0
        )
        for run in runs
    }


def fall(Tf, error=30.0):
    return Transition(True, Tf, error, 0.14, 2100.0, np.ones(3), "it falls", Tf + 50)


def test_every_run_is_named_once_and_every_rate_has_its_colour(runs, heat):
    assert list(plots_of_runs.colours(runs)) == [400.0, 20.0, 4.0]
    curves = plots_of_runs.curves(runs, heat)
    assert set(zip(curves["rate_K_per_ps"], curves["seed"], strict=True)) == {
        (run.rate, run.seed) for run in runs
    }
    for run in runs:  # a running mean stays inside the samples
        mine = curves.query("rate_K_per_ps == @run.rate and seed == @run.seed")
        assert 10 < len(mine) <= 420
        assert (
            mine["density_g_cm3"].between(*run.sampled["density_g_cm3"].agg(["min", "max"])).all()
        )
    for shown in (plots_of_runs.densities(curves), plots_of_runs.enthalpies(curves, 300.0, 2100.0)):
        assert len(shown.spec["data"]) >= len(runs)
    figure = plots_of_runs.one_run(
        runs,
        runs.slowest,
        heat,
        pd.DataFrame({"temperature_K": [700.0], "cp_kB": [3.0], "error_kB": [0.1]}),
    )
    assert [ax.get_ylabel().split(" (")[0] for ax in figure.axes] == [
        "density", "enthalpy", "heat capacity",
    ]  # fmt: skip
    assert len(plots_of_runs.sizes({400.0: runs.where(rate=400)}).axes[0].get_legend().texts) == 2
    assert len(plots_of_runs.peers(runs[:1]).axes) == 2


def test_tables_of_runs_tell_each_of_them(runs):
    made = tables_of_runs.made(runs).frame
    assert made["run"].tolist() == [run.name for run in runs]
    assert made["steps"].tolist()[0] == f"{runs[0].steps}" and (made["ended"] == "whole").all()
    kept = tables_of_runs.thermostat(runs).frame
    expected = 2100 * np.sqrt(2 / 3 / 272)
    assert float(kept.iloc[0, 3]) == pytest.approx(expected, abs=0.06)
    lowest = tables_of_runs.lowest({run: hundred_kelvins.means(run) for run in runs}, 2.0).frame
    assert lowest["one swing (K)"].tolist() == ["800", "800", "40", "8"]


def test_table_3_beside_the_run_of_the_same_rate(runs):
    rows = tables_of_runs.table3(runs).frame
    ours = rows[rows["made by"] != ""]
    assert set(ours["made by"]) == {"atp-20Kps", "atp-4Kps"}
    assert "not computed yet" in rows[rows["quantity"] == "DPMD-1K: steps"]["this book"].tolist()
    assert not rows["quantity"].str.startswith("DPMD-Test").any()
    falls = {run: fall(1100.0) if run.rate == 20 else NONE for run in runs}
    own = tables_of_runs.own(runs, falls).frame
    assert own["Tf (K)"].tolist() == ["none found", "none found", "1100 ± 30", "none found"]
    assert (tables_of_runs.transitions(runs, {}).frame["this book"] == "not computed yet").all()
    said = tables_of_runs.falls({"a": fall(1100.0), "b": NONE}).frame
    assert said.iloc[:, 1].tolist() == ["1100 ± 30", "none found"]
    speed = tables_of_runs.speed(runs).frame
    assert re.search(r"median of 4 runs", speed["made by"][0])


def kissinger(rate, E=300.0, at=1432.0):
    """Tf (K) of the law through 1432 K at 1 K/ps: ln(q / T^2) = C - E / RT, solved by bisection."""
    C = np.log(1 / at**2) + 1000 * E / (R * at)
    T = np.linspace(500, 3000, 2_000_001)
    return T[np.argmin(np.abs(np.log(rate / T**2) - C + 1000 * E / (R * T)))]


def test_a_known_law_comes_back_from_its_points():
    by_rate = {q: fall(kissinger(q), 5.0) for q in (400.0, 20.0, 1.0)}
    laws = rate_laws.fit(by_rate | {50.0: NONE})
    said = re.search(r"E = (\d+)", str(laws["this book"]))
    assert float(said[1]) == pytest.approx(300, rel=0.02)
    assert "no extrapolation" in rate_laws.extrapolated(rate_laws.fit({1.0: fall(1400.0)}))[2]


def test_the_papers_points_and_the_rate_that_fits_its_steps():
    listed, by_steps = rate_laws.of_paper(), rate_laws.of_paper_by_steps()
    assert listed == [(1.0, 1432), (0.5, 1418), (0.2, 1352)]
    assert by_steps == [(1.0, 1432), (0.5, 1418), (0.1, 1352)]
    np.testing.assert_allclose(rate_laws.calorimeter_K_per_ps() * 6e13, [10, 20])


def test_the_figure_shows_ours_only_where_something_fell():
    for by_rate in ({20.0: NONE}, {20.0: fall(1100.0), 4.0: fall(1050.0), 1.0: fall(1000.0)}):
        near, far = rate_laws.plot(rate_laws.fit(by_rate), by_rate).axes
        labels = [text.get_text() for text in far.get_legend().get_texts()]
        assert ("this book" in labels) == any(one.found for one in by_rate.values())
        assert near.get_xscale() == "log"
