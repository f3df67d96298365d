"""Figures carry units, distinct colours and the right numbers."""

import itertools
import os
import subprocess
import sys
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers import structures
from helpers.errors import Unfit
from helpers.observables import pmf, rdf
from helpers.potentials import store
from helpers.report import (
    paper,
    plots,
    plots_of_bonds,
    plots_of_phase,
    plots_of_potentials,
    style,
    tables,
    tables_of_potentials,
)

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def luminance(colour) -> float:
    """Relative luminance, WCAG 2: linearised sRGB weighted 0.2126, 0.7152, 0.0722."""
    c = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def deuteranope(colour) -> np.ndarray:
    """What a deuteranope sees of a colour (Viénot, Brettel & Mollon 1999), linear RGB."""
    c = np.array(mpl.colors.to_rgb(colour))
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    seen = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    return seen @ linear


@pytest.mark.parametrize("pair", [*itertools.combinations(style.ELEMENT_COLOURS, 2)])
def test_element_colours_differ_for_a_deuteranope(pair):
    one, other = (deuteranope(style.element_colour(symbol)) for symbol in pair)
    assert np.linalg.norm(one - other) > 0.08


def test_an_element_without_a_colour_is_named():
    with pytest.raises(Unfit, match="Cu.*Zn"):
        style.element_colour("Cu")


def test_hot_is_lighter_than_cold():
    assert luminance(style.temperature_colour(2000)) > luminance(style.temperature_colour(300))


def test_axes_say_quantity_and_unit():
    _, ax = style.axes(("r", "A"), ("g(r)", "-"))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("r (Å)", "g(r)")
    _, panels = style.axes(("T", "K"), ("density", "g/cm3"), nrows=2, sharex=True)
    assert [p.get_xlabel() for p in panels] == ["", "T (K)"]
    assert panels[1].get_ylabel() == "density (g/cm³)"


def test_the_style_stays_inside_the_figure():
    before = dict(mpl.rcParams)
    style.axes(("r", "A"), ("g(r)", "-"))
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("ncols", [1, 2, 3])
def test_labels_keep_their_size_when_a_page_shrinks_the_figure(ncols):
    """On a column of some 740 pixels, ten points are twelve pixels or more, in any figure."""
    figure, panels = style.axes(("r", "A"), ("g(r)", "-"), ncols=ncols, width=5.2)
    pixels = figure.get_figwidth() * figure.dpi
    assert pixels == pytest.approx(5.2 * ncols * 110)
    size = np.atleast_1d(panels)[0].xaxis.label.get_fontsize() / 72 * figure.dpi
    assert size * min(1, 740 / pixels) > 12


def test_parity_prints_the_rmse_of_all_points():
    """A constant offset d has RMSE d, however many points are drawn."""
    x = np.linspace(-3, 3, 45_000).reshape(-1, 3)
    ax = plots_of_potentials.parity(x, x + 0.25, "force", "eV/A")
    assert "RMSE 0.25\neV/Å" in ax.texts[0].get_text()
    assert "45\u00a0000 points" in ax.texts[0].get_text()
    assert sum(len(line.get_xdata()) for line in ax.lines[:-1]) == 20_000
    ax = plots_of_potentials.parity(x, x + 0.25, "energy", "eV/atom")
    assert "RMSE 250\nmeV/atom" in ax.texts[0].get_text()


def test_parity_colours_elements_by_their_colour():
    x = np.arange(6.0)
    ax = plots_of_potentials.parity(x, x, "force", "eV/A", groups=["Zn", "N", "N", "C", "H", "H"])
    drawn = {line.get_label(): line.get_color() for line in ax.lines[:-1]}
    assert drawn == style.ELEMENT_COLOURS
    assert sorted(len(line.get_xdata()) for line in ax.lines[:-1]) == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("reference", "predicted", "groups", "message"),
    [
        ([1.0, 2.0], [1.0], None, "shape"),
        ([], [], None, "no points"),
        ([1.0, np.nan], [1.0, 1.0], None, "finite"),
        ([1.0, 2.0], [1.0, 2.0], ["Zn"], "labels"),
    ],
)
def test_parity_refuses(reference, predicted, groups, message):
    with pytest.raises(ValueError, match=message):
        plots_of_potentials.parity(reference, predicted, "energy", "eV/atom", groups=groups)


def test_learning_curves_show_energy_in_meV_and_force_as_it_is():
    table = pd.DataFrame(
        {
            "step": [0, 100],
            "rmse_e_trn": [1.0, 0.1],
            "rmse_e_val": [1.1, 0.2],
            "rmse_f_trn": [2.0, 0.5],
        }
    )
    energy, force = plots_of_potentials.learning_curves(table).axes
    assert energy.get_ylabel() == "energy RMSE (meV/atom)"
    np.testing.assert_allclose(energy.lines[0].get_ydata(), [1000, 100])
    np.testing.assert_allclose(force.lines[0].get_ydata(), [2.0, 0.5])
    with pytest.raises(ValueError, match="rmse_e_trn"):
        plots_of_potentials.learning_curves(table[["step"]])


def test_running_mean_of_a_ramp_is_the_ramp():
    ramp = np.arange(50.0)
    mean = style.running_mean(ramp, 7)
    np.testing.assert_allclose(mean[3:-3], ramp[3:-3])
    assert np.isnan(mean[:3]).all() and np.isnan(mean[-3:]).all()
    for window in (0, 51):
        with pytest.raises(ValueError, match="1..50"):
            style.running_mean(ramp, window)


def test_running_mean_narrows_noise_by_the_root_of_the_window():
    noise = np.random.default_rng(1).normal(size=20_000)
    mean = style.running_mean(noise, 25)
    assert np.nanstd(mean) == pytest.approx(1 / 5, rel=0.1)


def test_against_temperature_shows_samples_and_mean():
    temperature = np.linspace(300, 1300, 101)
    ax = style.against_temperature(
        temperature, temperature / 1000, "density", "g/cm3", window=5, name="run"
    )
    samples, mean = ax.lines
    assert len(samples.get_xdata()) == 101
    inside = ~np.isnan(mean.get_xdata())
    np.testing.assert_allclose(mean.get_ydata()[inside], mean.get_xdata()[inside] / 1000)
    assert ax.get_ylabel() == "density (g/cm³)"


def test_the_paper_s_line_stands_where_the_paper_says():
    _, ax = style.axes(("temperature", "K"), ("density", "g/cm3"))
    value = paper.value("transition.DPMD-1K_Tf_K")
    style.paper_line(ax, value, axis="x")
    assert set(ax.lines[0].get_xdata()) == {1432}
    assert "Fig. 6b" in ax.get_legend().get_texts()[0].get_text()
    with pytest.raises(ValueError, match="'x' or 'y'"):
        style.paper_line(ax, value, axis="z")


def test_every_figure_of_a_notebook_is_shown(tmp_path):
    """Also the second one: a style set around the first figure must not switch the backend off."""
    script = tmp_path / "notebook.py"
    script.write_text(
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "from IPython.utils.capture import capture_output\n"
        "shell = InteractiveShell.instance()\n"
        "for _ in range(2):\n"
        "    with capture_output() as captured:\n"
        "        shell.run_cell('from helpers.report import style\\n'\n"
        '                       \'style.axes(("r", "A"), ("g", "-"))[1].plot([0, 1]);\')\n'
        "    print(sum('image/png' in output.data for output in captured.outputs))\n"
    )
    shown = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    )
    assert shown.stdout.split() == ["1", "1"]


def test_no_event_is_an_upper_limit_and_no_point():
    table = pd.DataFrame(
        {
            "temperature_K": [500.0, 1000.0],
            "break_per_ns": [0, 4.0],
            "break_low": [0, 1.0],
            "break_high": [3.0, 9.0],
            "exchange_per_ns": [0, 0],
            "exchange_low": [0, 0],
            "exchange_high": [3.0, 3.0],
        }
    )
    ax = plots_of_phase.event_rates(table, {})
    arrows = {
        line.get_label(): line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "v"
    }
    assert arrows == {
        "break: none seen, at most": [3.0],
        "exchange: none seen, at most": [3.0, 3.0],
    }
    assert ax.get_yscale() == "log"


def test_maps_of_all_stages_share_their_colours_and_have_their_true_size():
    maps = {"cold": np.full((3, 4), 0.1), "hot": np.full((3, 4), 0.2)}
    figure = plots.density_maps(maps, [5.0, 4.5, 6.0])
    images = [panel.images[0] for panel in figure.axes if panel.images]
    assert [image.get_clim() for image in images] == [(0.1, 0.2)] * 2
    assert images[0].get_extent() == [0, 15, 0, 18]


@pytest.fixture(scope="module")
def gas():
    rng = np.random.default_rng(0)
    frames = [(rng.random((40, 3)) * 12, np.eye(3) * 12.0) for _ in range(8)]
    return rdf.rdfs(frames, ["Zn"] * 10 + ["N"] * 30, r_max=8.0, bin_width=0.2, images=True)


def test_stages_of_g_are_told_apart_and_images_have_a_grey_ground(gas):
    figure = plots.rdf_stages(
        {"reference": gas, "potential": gas}, [None, ("Zn", "N")], half_cell=6.0
    )
    assert [ax.get_title() for ax in figure.axes] == ["total", "Zn–N"]
    assert not any(ax.get_legend() for ax in figure.axes) and figure.legends  # below the curves
    one, other = figure.axes[1].lines
    np.testing.assert_array_equal(one.get_ydata(), gas["Zn", "N"].g)
    assert one.get_color() != other.get_color() and one.get_linestyle() != other.get_linestyle()
    assert figure.axes[0].patches[0].get_extents().width > 0
    assert not plots.rdf_stages({"all": gas}, [None], half_cell=9.0).axes[0].patches
    under, top, last = (
        plots.rdf_stages({"a": gas, "b": gas, "c": gas}, [None], on_top="b").axes[0].lines
    )
    assert top.get_linestyle() == "--" and top.get_color() == "black"
    assert top.get_zorder() > max(under.get_zorder(), last.get_zorder())
    assert under.get_linestyle() == last.get_linestyle() == "-"


def test_chapters_show_g_of_the_pairs_that_they_speak_of():
    rng = np.random.default_rng(0)
    symbols = ["Zn"] * 6 + ["N"] * 14 + ["C"] * 10
    frames = [(rng.random((30, 3)) * 12, np.eye(3) * 12.0) for _ in range(3)]
    found = rdf.rdfs(frames, symbols, r_max=8.0, bin_width=0.2, images=True)
    shown = plots_of_phase.pair_rdfs({"crystal": found})
    assert [ax.get_title() for ax in shown.axes] == ["total", "Zn–N", "Zn–Zn", "Zn–C"]
    both = {"reference": found, "ATP": found}
    panel, *_ = plots_of_bonds.pair_rdfs(both, [("Zn", "N")], 6.0).axes
    assert [one.get_color() == "black" for one in panel.lines] == [True, False]
    slid = plots_of_bonds.network_by_temperature({300.0: found, 900.0: found})
    assert slid.figure.axes


def test_temperatures_of_g_and_of_its_work(gas):
    curves = {300.0: gas["Zn", "N"], 1500.0: gas["Zn", "N"]}
    figure = plots.rdf_temperatures(curves)
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["300 K", "1500 K"]
    assert figure.axes[1].get_xlim() == (2.2, 4.5)
    ax = plots_of_bonds.mean_force({T: pmf.from_rdf(one, T) for T, one in curves.items()})
    assert ax.get_ylabel() == "F(r) (kJ/mol)" and len(ax.collections) == 2


def test_activation_shows_points_bounds_band_and_the_others():
    table = pd.DataFrame(
        {
            "temperature_K": [1000.0, 1500.0],
            "dF_kJ_mol": [np.nan, 70.0],
            "error_kJ_mol": [np.nan, 3.0],
            "lower_bound_kJ_mol": [60.0, np.nan],
        }
    )
    samples = np.random.default_rng(0).normal([150, 0.05], [5, 0.003], (200, 2))
    line = pmf.FreeEnergyLine(150, 50, 5, 3, np.cov(samples.T), 3, samples)
    ax = plots.activation(table, line, {"Table 2, Shi": (164.3, 44.1)})
    names = [t.get_text() for t in ax.get_legend().get_texts()]
    assert {"this book", "this book, at least", "this book, line", "Table 2, Shi"} == set(names)
    drawn = {one.get_label(): one for one in ax.lines}
    assert drawn["Table 2, Shi"].get_ydata()[0] == pytest.approx(164.3 - 300 * 0.0441)
    assert plots.activation(table.iloc[:1], None, {}).get_legend() is not None


def test_displacements_of_two_elements_against_the_lag():
    lag = np.arange(5) * 0.1
    ax = plots_of_bonds.mean_squared_displacements(
        {900.0: (lag, {"Zn": lag, "N": 2 * lag})}, ("Zn", "N")
    )
    zinc, nitrogen = ax.lines
    np.testing.assert_allclose(nitrogen.get_ydata(), 2 * zinc.get_ydata())
    assert ax.get_xscale() == "log" and "Å" in ax.get_ylabel()


def test_a_collapse_is_dated_and_a_melt_that_stays_one_is_a_bound():
    recipe = SimpleNamespace(timestep_fs=0.5, temperature_end_K=2300.0)
    apart, near = [[0, 0, 0], [4, 0, 0]], [[0, 0, 0], [1, 0, 0]]
    steps, cells = np.array([0, 1000, 2000]), np.array([np.eye(3) * 20] * 3)
    runs = [
        SimpleNamespace(
            potential="p", seed=seed, recipe=recipe,
            trajectory=SimpleNamespace(
                positions=np.array(positions, float), cells=cells, symbols=["Zn", "Zn"], steps=steps
            ),
        )
        for seed, positions in enumerate([[apart, near, near], [apart] * 3])
    ]  # fmt: skip
    table = tables_of_potentials.collapses(runs).frame
    assert table["collapse after (ps)"].tolist() == ["0.5", "> 1.0"]
    assert table["shortest Zn–Zn before (Å)"].tolist() == ["4.00", "4.00"]


def test_potentials_beside_cp2k_with_their_slopes():
    table = pd.DataFrame({
        "volume_A3_per_atom": [16.0, 17.0, 18.0, 20.0],
        "energy_off_meV_per_atom": [0.0, -1.0, -2.0, -4.0],
        "pressure_off_GPa": [0.16, 0.16, 0.16, 0.16],
        "phase": ["crystal", "crystal", "glass", "open"],
        "trained": [True, False, False, False],
    })  # fmt: skip
    energy, pressure = plots_of_potentials.beside_cp2k({"atp": table}).axes
    _, points, line = energy.get_lines()
    assert len(points.get_xdata()) == 4
    np.testing.assert_allclose(line.get_ydata(), [0, -4], atol=1e-9)
    assert "Å³/atom" in pressure.get_xlabel() and "GPa" in pressure.get_ylabel()
    said = tables_of_potentials.slopes(table)
    assert (
        "energy -1.75 meV/atom, pressure +0.160 GPa" in said and "slope of the energy -1.00" in said
    )
    assert "slope" not in tables_of_potentials.slopes(table[:2])
    assert "crystal -0.5 (-1.0 to +0.0)" in said and "glass -2.0" in said


def test_errors_of_an_ensemble_beside_its_deviation():
    table = pd.DataFrame(
        {"set": ["a", "b"], "avg_eV_per_A": [0.1, 0.2], "avg_error_eV_per_A": [0.1, 0.3],
         "max_eV_per_A": [1.0, 2.0], "max_error_eV_per_A": [2.0, 4.0]}
    )  # fmt: skip
    mean, largest = plots_of_potentials.calibration(table, {"melt": ["b"], "open": ["c"]}).axes
    assert [line.get_label() for line in mean.get_lines()[:2]] == ["melt", "other tests"]
    assert [line.get_ydata().tolist() for line in largest.get_lines()] == [[4], [2], [1, 4]]
    assert mean.get_xscale() == "log" and mean.get_title() == "mean over atoms"


def test_nets_are_named_once_and_those_that_were_not_timed_left_out():
    table = pd.DataFrame(
        {"name": ["wide", "wide, seed 2", "wide, 300 K alone"], "core_us_2176": [9.0, 9.0, np.nan],
         "fused": [True, True, None], "force_rmse_eV_per_A": [0.3, 0.4, 0.6]}
    )  # fmt: skip
    ax = plots_of_potentials.nets(table)
    assert [line.get_ydata().tolist() for line in ax.get_lines()] == [[0.3], [0.4]]
    assert [text.get_text() for text in ax.texts] == ["wide"]


def test_how_the_potentials_of_a_page_were_made():
    live, shown = store.load("test"), store.load("round-8")
    facts = tables_of_potentials.of_page("small", live, shown).frame
    said = dict(zip(facts.iloc[:, 0], facts.iloc[:, 1], strict=True))
    assert said["trained live"] == "test" and said["examined"] == "data/potentials/round-8"
    longer = tables_of_potentials.missing_steps(shown.provenance, {"before": 1_000_000})
    steps = shown.provenance["recipe"]["steps"] + 1_000_000
    assert f"{tables.whole(steps)} steps here" in longer


def test_bonds_of_the_crystal_itself_do_not_differ():
    table = tables_of_potentials.bonds(structures.load("ZIF-4"), "ZIF-4").frame
    assert len(table) > 5 and set(table["difference"]) == {"0.000", "0.0"}
