"""Tables and figures of heating runs, on shipped ones, and Kissinger's law through their points."""

import re
from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.constants import R

from helpers import paths
from helpers.md.run import Run, Runs
from helpers.observables import enthalpy
from helpers.recipes import outcomes
from helpers.recipes import runs as by_name
from helpers.report import plots_of_runs, rate_laws, tables, tables_of_runs

mpl.use("Agg")
NAMES = ("atp-400Kps", "atp-400Kps-seed2", "atp-20Kps", "atp-4Kps")


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
    density = plots_of_runs.densities(curves)
    lines = {line["name"]: line for line in density.spec["data"]}
    several = [rate for rate in runs.rates if len(runs.where(rate=rate)) > 1]
    means = {f"{rate:g} K/ps, mean" for rate in several}
    assert means and {name for name in lines if name.endswith("mean")} == means
    for rate in several:  # a mean is in front of its seeds, and between them
        seeds = [lines[f"{rate:g} K/ps, seed {run.seed}"] for run in runs.where(rate=rate)]
        mean = lines[f"{rate:g} K/ps, mean"]
        assert all(mean["opacity"] > seed["opacity"] for seed in seeds)
        ends = [f(seed["y"]) for f in (min, max) for seed in seeds]
        assert min(ends) <= min(mean["y"]) and max(mean["y"]) <= max(ends)
    shown = plots_of_runs.enthalpies(curves, 300.0, 2100.0).table
    crystal = shown[shown["run"] == "harmonic crystal"]
    assert crystal["enthalpy_eV_per_atom"].iloc[1] == pytest.approx(3 * 8.617333e-5 * 1800)
    assert crystal["above_meV_per_atom"].tolist() == [0, 0]
    figure = plots_of_runs.one_run(
        runs,
        runs.slowest,
        heat,
        pd.DataFrame({"temperature_K": [700.0], "cp_kB": [3.0], "error_kB": [0.1]}),
    )
    assert [ax.get_ylabel().split(" (")[0] for ax in figure.axes] == [
        "density", "enthalpy", "heat capacity",
    ]  # fmt: skip
    panel = plots_of_runs.sizes({400.0: runs.where(rate=400)}).axes[0]  # two runs of one size
    assert len(panel.lines) == 2 and len(panel.get_legend().texts) == 1
    assert len(plots_of_runs.peers(runs[:1]).axes) == 2


def test_tables_of_runs_tell_each_of_them(runs):
    made, same = tables_of_runs.made(runs)
    assert made["run"].tolist() == [run.name for run in runs]
    assert made["steps"].tolist()[0] == runs[0].steps
    assert "ended" not in made and "ended = whole" in same
    kept = tables_of_runs.thermostat(runs).frame
    expected = 2100 * np.sqrt(2 / 3 / 272)
    assert float(kept.iloc[0, 3]) == pytest.approx(expected, abs=0.06)


def test_table_3_beside_the_run_of_the_same_rate(runs):
    rows = tables_of_runs.table3(runs).frame
    ours = rows[rows["made by"] != ""]
    assert set(ours["made by"]) == {"atp-20Kps", "atp-4Kps"}
    assert "not computed yet" in rows[rows["quantity"] == "DPMD-1K: steps"]["this book"].tolist()
    assert not rows["quantity"].str.startswith("DPMD-Test").any()
    table = outcomes.of_runs(runs)
    ours = tables_of_runs.transitions(runs, table).frame["this book"]
    assert (ours == "not computed yet").all()
    speed = tables_of_runs.speed(runs).frame
    assert re.search(r"median of 4 runs", speed["made by"][0])
    assert tables_of_runs.speed([]).frame["this book"].tolist() == [tables.NOT_COMPUTED]


def kissinger(rate, E=300.0, at=1432.0):
    """Tf (K) of the law through 1432 K at 1 K/ps: ln(q / T^2) = C - E / RT, solved by bisection."""
    C = np.log(1 / at**2) + 1000 * E / (R * at)
    T = np.linspace(500, 3000, 2_000_001)
    return T[np.argmin(np.abs(np.log(rate / T**2) - C + 1000 * E / (R * T)))]


def seeds(*points, unsettled=""):
    """Rows of seeds: (rate, Tf) of one that falls, (rate, None) of one that does not up to 1900."""
    rows = [
        {
            "rate_K_per_ps": rate, "Tf_K": np.nan if Tf is None else Tf, "Tf_error_K": 5.0,
            "Tf_above_K": 1900.0 if Tf is None else np.nan, "returns": 0.0, "unsettled": unsettled,
        }
        for rate, Tf in points
    ]  # fmt: skip
    columns = ["rate_K_per_ps", "Tf_K", "Tf_error_K", "Tf_above_K", "returns", "unsettled"]
    return pd.DataFrame(rows, columns=columns)


LAW = [(q, kissinger(q) + off) for q in (400.0, 20.0, 1.0) for off in (-5.0, 5.0)]


def test_a_known_law_comes_back_from_its_seeds():
    laws = rate_laws.fit(seeds(*LAW))
    said = re.search(r"E = (\d+)", str(laws["this book"]))
    assert float(said[1]) == pytest.approx(300, rel=0.05)
    rough = rate_laws.fit(seeds(*LAW, unsettled="it swings"))  # enter no verdict
    assert "no extrapolation" in rate_laws.extrapolated(rough)[2]


def test_a_law_that_says_nothing_is_not_drawn():
    """Six seeds that differ by chance alone: their energy means nothing."""
    flat = [(q, 1200.0 + off) for q in (50.0, 20.0, 4.0) for off in (-90.0, 90.0)]
    assert "do not determine an activation energy" in rate_laws.fit(seeds(*flat))["this book"]


def test_the_papers_points_and_the_rate_that_fits_its_steps():
    listed, by_steps = rate_laws.of_paper(), rate_laws.of_paper_by_steps()
    assert listed == [(1.0, 1432), (0.5, 1418), (0.2, 1352)]
    assert by_steps == [(1.0, 1432), (0.5, 1418), (0.1, 1352)]
    np.testing.assert_allclose(rate_laws.calorimeter_K_per_ps() * 6e13, [10, 20])


def test_a_run_in_segments_has_a_point_for_each_temperature_that_it_samples():
    run = by_name.find("DPMD-20K")
    heat = {run: np.asarray(run.sampled["enthalpy_eV"])}
    shown = plots_of_runs.curves(Runs([run]), heat)
    assert shown["temperature_K"].tolist() == [500.0 + 200 * k for k in range(9)]
    at_500 = run.sampled.loc[run.sampled["target_temperature_K"] == 500, "density_g_cm3"]
    assert shown["density_g_cm3"][0] == pytest.approx(at_500.mean())


def test_the_figure_shows_ours_only_where_something_fell():
    for table in (seeds(), seeds((20.0, None)), seeds(*LAW, (20.0, None))):
        figure = rate_laws.plot(rate_laws.fit(table), table)
        near, _ = figure.axes
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert ("this book, mean, 95 %" in labels) == table["Tf_K"].notna().any()
        assert ("a run, higher than" in labels) == table["Tf_above_K"].notna().any()
        assert near.get_xscale() == "log"


def test_the_one_table_and_what_is_made_of_it(runs):
    table = outcomes.of_runs(runs)
    shown, same = tables_of_runs.outcomes(table)
    assert shown["run"].tolist() == [run.name for run in runs]
    assert not {"potential", "shape", "pressure (GPa)"} & set(shown)
    assert "shape = iso" in same
    pressed = table.assign(pressure_bar=np.where(table["seed"] == 1, 0.0, 1400.0))
    pressed.loc[0, ["coupling", "pressure_bar"]] = "aniso", -1400.0
    differ, _ = tables_of_runs.outcomes(pressed)
    assert differ["shape"].tolist() == ["aniso", *["iso"] * (len(table) - 1)]
    assert differ.loc[0, "pressure (GPa)"] == "-0.14" and "potential" not in differ
    power = tables_of_runs.power(table).frame.set_index("rate (K/ps)")
    assert power.loc["400", "no fall found means"] == "cannot tell"
    assert power.loc["4", "no fall found means"] == "none of 10 %"
    assert power.loc["4", "found of 10 % (%)"].startswith("100 (83")  # 20 of 20, Clopper-Pearson
    means = tables_of_runs.means(table.assign(unsettled="")).frame.set_index("rate (K/ps)")
    assert means.loc["4", "mean Tf (K), 95 %"].startswith("1065 (scatter")  # one seed of each rate
    assert means.loc["400", "mean Tf (K), 95 %"] == "unknown"
    swinging = tables_of_runs.means(table.assign(unsettled="it swings")).frame
    assert swinging.iloc[0, 3] == "unknown" and swinging.iloc[0, 5].startswith("1065 (")


def test_a_pressure_beside_another(runs):
    other = Run(runs[3].directory, replace(runs[3].recipe, pressure_bar=-1400.0),
                runs[3].provenance)  # fmt: skip
    scan = [runs[2], other]
    figure = plots_of_runs.under_pressure(scan)
    assert set(figure.table["under"]) == {"round-5, −0.14 GPa", "round-5, 0 GPa"}
    shown = tables_of_runs.pressures(outcomes.of_runs(scan)).frame
    assert shown["pressure (GPa)"].tolist() == ["-0.14", "0"]
    assert shown["density before the ramp (g/cm³)"][0] == "1.1519 ± 0.0090"


def test_a_mean_is_lower_than_the_papers_if_its_interval_is():
    """The paper has 1432 K at 1 K/ps; runs that are heated faster should fall later."""
    low = [(20.0, 1000.0 + off) for off in (-10.0, 0.0, 10.0)]
    assert rate_laws.surely_lower(seeds(*low)).endswith("Here it is surely lower at 20 K/ps.")
    for other in (low[:1], [(q, Tf + 800) for q, Tf in low], [(0.5, Tf) for _, Tf in low]):
        assert rate_laws.surely_lower(seeds(*other)).endswith("Here no mean is surely lower.")


def test_what_the_runs_of_a_page_lack(runs):
    table = outcomes.of_runs(runs)
    twice, *_, absent, size = tables_of_runs.missing(runs, table)
    assert "of 3 rates have two" in twice
    assert "1, 0.5, 0.2 K/ps" in absent and "The paper's cell" in size


def test_runs_sample_what_they_should():
    held = list(by_name.finished(["plateau-1400K", "plateau-1600K"]).values())
    row = tables_of_runs.kinetic_energies(held[:1]).frame.iloc[0]
    assert row["T (K)"] == "1400" and row["as it should be"] == "yes"
    row = tables_of_runs.ensembles(held).frame.iloc[0]
    assert row["slope of"] == "enthalpy, 1/eV" and row["as it should be"] == "yes"
    assert float(row["Boltzmann"]) == pytest.approx(1.04, abs=0.005)
    pressed = list(by_name.finished(["crystal-200MPa", "crystal-100MPa"]).values())
    row = tables_of_runs.ensembles(pressed).frame.iloc[0]
    assert row["slope of"] == "volume, 1/Å³" and float(row["Boltzmann"]) > 0
    with pytest.raises(ValueError, match="zip"):
        tables_of_runs.ensembles(held[:1])
