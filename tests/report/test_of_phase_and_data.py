"""Figures and tables of chapters 1, 2, 3, 5 and 7: the right numbers, on the right axes."""

from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers import structures
from helpers.frames.correction import Law
from helpers.observables import void_fraction
from helpers.observables.activation import Activation
from helpers.observables.transition import Transition
from helpers.recipes import peers
from helpers.report import (
    paper,
    plots_of_bonds,
    plots_of_costs,
    plots_of_data,
    plots_of_phase,
    plots_of_potentials,
    tables_of_bonds,
    tables_of_data,
    tables_of_phase,
)

mpl.use("Agg")
FALL = Transition(True, 1067.0, 49.0, 0.14, 2100.0, np.ones(3), "it falls", 1093.0)
NONE = Transition(False, np.nan, np.nan, np.nan, 2100.0, np.full(3, np.nan), "it rises")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


FRAMES = pd.DataFrame(
    {
        "set": ["a", "a", "b", "c"],
        "sampler": ["reference", "reference", "round-1", "round-1"],
        "use": ["training", "validation", "test", "training"],
        "step": [1.0, 20.0, 300.0, np.nan],
        "n_atoms": [272, 272, 272, 68],
        "temperature_K": [300.0, 600.0, 900.0, np.nan],
        "energy_eV_per_atom": [-1.0, -0.9, -0.8, -1.1],
        "density_g_cm3": [1.0, 1.1, 1.2, 1.3],
        "pressure_GPa": [0.0, 1.0, -1.0, 2.0],
    }
)


def test_energies_are_above_the_lowest_frame_and_equipartition_is_a_line():
    ax = plots_of_data.energies(FRAMES)
    first, second, line = ax.get_lines()
    np.testing.assert_allclose(first.get_ydata(), [0.1, 0.2])
    np.testing.assert_allclose(second.get_ydata(), [0.3])  # no temperature, no point
    T, E = line.get_data()
    np.testing.assert_allclose(E, 1.5 * 8.617333e-5 * T, rtol=1e-6)
    (band,) = ax.collections  # energies of 272 classical oscillators in three directions at 900 K
    drawn = np.random.default_rng(0).gamma(1.5 * 272, 8.617333e-5 * 900, 20000) / 272
    edges = band.get_paths()[0].vertices
    width = np.ptp(edges[edges[:, 0] == 900, 1])
    assert width == pytest.approx(4 * drawn.std(), rel=0.03)
    assert legend(ax) == ["reference", "round-1"]
    assert ax.get_legend().get_title().get_text() == "sampled by (dashed: 3/2 $k_B T$)"


def test_frames_by_pressure_split_and_error():
    assert len(plots_of_data.pressures(FRAMES).get_lines()) == 3
    ax = plots_of_data.split(FRAMES, ["training", "validation", "test"])
    assert [len(line.get_xdata()) for line in ax.get_lines()] == [1, 1, 1]
    rounds = pd.DataFrame(
        {"sampler": ["round-0", "round-1", "round-1"], "force_rmse_eV_per_A": [0.5, 0.1, 0.2]}
    )
    assert legend(plots_of_data.errors_of_samplers(rounds)) == [
        "round-0, 1 frames", "round-1, 2 frames",
    ]  # fmt: skip
    rms = pd.DataFrame({"C": [1.0], "Zn": [0.5], "largest component": [9.0]}, index=["reference"])
    theirs = paper.value("table1.ZIF-4_300K.force_rmse_eV_per_A")
    ax = plots_of_data.forces(rms, theirs)
    assert legend(ax)[:2] == ["C", "Zn"] and ax.get_lines()[-1].get_xdata()[0] == theirs.number


def test_accuracy_has_a_panel_for_each_error():
    curve = pd.DataFrame(
        {"step": [1, 2, 1, 2], "role": ["validation"] * 2 + ["watched"] * 2,
         "energy_rmse_meV_per_atom": [4, 2, 5, 3.0], "force_rmse_eV_per_A": [0.4, 0.2, 0.5, 0.3],
         "virial_rmse_meV_per_atom": [9, 8, 9, 8.0]}
    )  # fmt: skip
    names = {"watched": "tests", "validation": "validation"}
    figure = plots_of_potentials.checkpoints(curve, names)
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "energy RMSE (meV/atom)", "force RMSE (eV/Å)", "virial RMSE (meV/atom)",
    ]  # fmt: skip
    assert legend(figure.axes[0]) == ["validation", "tests"]
    volumes = pd.DataFrame({"volume_percent": [5, 0.0], "energy_meV_per_atom": [3.0, 0.0]})
    line = plots_of_potentials.energy_of_volume({"atp": volumes}).get_lines()[0]
    assert line.get_xdata().tolist() == [0, 5]
    points = {q: (np.zeros(2), np.ones(2), np.array(["a", "b"])) for q in ("energy", "force")}
    panels = [("energy", "eV/atom"), ("force", "eV/A")]
    figure = plots_of_potentials.parities(points, panels, {"melt": ["b"]})
    energy, _, energy_error, force_error = figure.axes
    assert force_error.get_xlabel() == "reference force (eV/Å)"
    assert [line.get_label() for line in energy.lines[:-1]] == ["melt", "other tests"]
    assert energy_error.get_ylabel() == "error (meV/atom)"
    assert {float(y) for line in energy_error.lines[:-1] for y in line.get_ydata()} == {1000.0}
    assert {float(y) for line in force_error.lines[:-1] for y in line.get_ydata()} == {1.0}


def test_bonds_show_what_is_allowed_and_what_was_found():
    table = pd.DataFrame(
        {
            "time_ps": [0.0, 1.0, 9.0],
            "temperature_K": [300.0, 320, 400],
            "target_temperature_K": 300.0,
        }
    )
    ax = plots_of_bonds.temperature_held({"ATP": table, "DPMD-Test": table}, 0.05, 2.0)
    assert [len(line.get_xdata()) for line in ax.get_lines()] == [2, 2]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (240, 360)  # 300 ± 4 · 15
    table = pd.DataFrame(
        {"temperature_K": [1500.0, 1800.0], "dF_kJ_mol": [np.nan, 87.0],
         "error_kJ_mol": [np.nan, 8], "lower_bound_kJ_mol": [70.0, 76.0], "note": ""}
    )  # fmt: skip
    found = Activation(table, None)
    assert (
        len([name for name in legend(plots_of_bonds.activation(found)) if "Table 2" in name]) == 3
    )
    rows = tables_of_bonds.barriers(found, {1500.0: 3, 1800.0: 59}).frame
    assert rows.values.tolist() == [
        ["1500", "–", "–", "70.0", "3"],
        ["1800", "87.0", "8.0", "76.0", "59"],
    ]
    flows = pd.DataFrame(
        {"temperature_K": 1800.0, "element": ["Zn", "N"], "D": [0.18, 0.23],
         "error": [np.nan, 0.016], "limited": [True, False], "exponent": 0.3, "until_ps": 2.4,
         "msd_A2": 2.5}
    )  # fmt: skip
    assert tables_of_bonds.flow(flows).frame.iloc[:, 2].tolist() == ["< 0.18", "0.230 ± 0.016"]
    assert tables_of_bonds.flow(flows.iloc[:0]) is None
    counted = tables_of_bonds.frames_by_temperature({"a": {300.0: [1, 2]}, "b": {600.0: [1]}}).frame
    assert counted.values.tolist() == [["300", "2", "0"], ["600", "0", "1"]]


def test_differences_are_those_of_the_run():
    said = tables_of_bonds.differences("ZIF-4", 7344, 20.0, segments=True)
    assert len(said) == 1 and "another reference" in said[0]
    assert len(tables_of_bonds.differences("Znim2-ABW", 68, 500.0, segments=False)) == 5
    assert tables_of_phase.differences(1.0, 7344, 3.0) == []
    rate, size = tables_of_phase.differences(20.0, 272, 5.8)
    assert (
        rate.startswith("Rate: 20 K/ps") and "5.8 ns" in rate and size.startswith("Size: 272 atoms")
    )


def test_a_run_with_its_stages():
    T = np.linspace(300, 2100, 400)
    table = pd.DataFrame({"target_temperature_K": T, "density_g_cm3": 1.2 - 0.2 * (T > 1100)})
    stages = [SimpleNamespace(name="crystal", low_K=300, high_K=1100)]
    assert any(
        "$T_f$ = 1067 ± 49 K" in x
        for x in legend(plots_of_phase.density_with_stages(table, stages, FALL))
    )
    assert not any(
        "Tf" in x for x in legend(plots_of_phase.density_with_stages(table, stages, NONE))
    )
    stages += [SimpleNamespace(name="melt", low_K=1100, high_K=2100)]
    ax = plots_of_phase.density_with_stages(table, stages, NONE, "a run")
    ax.figure.canvas.draw()
    names = [text.get_window_extent().y1 for text in ax.texts]  # above the panel
    assert len(names) == 2 and ax.title.get_window_extent().y0 >= max(names)
    binned = pd.DataFrame({"temperature_K": [350.0, 450.0], "mean": [0.1, 0.2], "error": 0.01})
    ax = plots_of_phase.displacements(
        {"Zn": binned, "N": binned}, {"Zn": None, "N": SimpleNamespace(temperature_K=400.0)}, 2.85
    )
    assert [line.get_xdata()[0] for line in ax.get_lines() if line.get_ls() == ":"] == [400.0]
    assert legend(plots_of_phase.shares({"one": binned}, "share")) == ["one"]
    sensitive = pd.DataFrame({"cutoff_A": [2.2, 2.5], "undercoordinated": [0.3, 0.1]})
    line = plots_of_phase.cutoffs({"cold": sensitive}, 2.5).get_lines()[0]
    np.testing.assert_allclose(line.get_ydata(), [30, 10])


def test_the_papers_ranges_follow_each_other():
    alike, faster, plateau = plots_of_phase.range_edges(302.7)
    assert alike == (302.0, 700.0) and faster == (700.0, 1200.0) and plateau == (1200.0, 1400.0)
    assert plots_of_phase.range_edges(900.0)[0] == (700.0, 700.0)


def test_engines_are_bars_beside_the_papers_speeds():
    table = pd.DataFrame(
        {
            "engine": ["native", "CP2K"],
            "atoms": 272,
            "ranks": [1, 2],
            "threads": 1,
            "ns_per_day": [4.0, 2e-4],
        }
    )
    ax = plots_of_costs.speeds(table)
    assert [patch.get_width() for patch in ax.patches] == [4.0, 2e-4]
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "native, 272, 1 × 1", "CP2K, 272, 2 × 1",
    ]  # fmt: skip


RESIDUALS = pd.DataFrame(
    {
        "name": ["a", "b", "c", "d"],
        "phase": ["crystal", "crystal", "melt", "melt"],
        "volume_A3_per_atom": [16.0, 17.0, 18.0, 19.0],
        "energy_meV_per_atom": [1.0, 2.0, 3.0, 4.0],
        "pressure_GPa": [-0.1, -0.1, -0.2, -0.2],
        "energy_off_meV_per_atom": [0.3, -0.3, 0.4, 0.4],
        "pressure_off_GPa": [0.01, -0.01, 0.02, 0.0],
        "since": [False, False, True, False],
    }
)


def test_what_the_correction_leaves_is_drawn_and_tabled():
    law = Law(272, 17.0, (2.0, 1.0), (16.0, 19.0))
    figure = plots_of_data.correction({"ZIF-4": RESIDUALS}, {"ZIF-4": law})
    energy, pressure, below, _ = figure.axes
    np.testing.assert_allclose(energy.get_lines()[0].get_ydata()[[0, -1]], [1.0, 4.0])
    np.testing.assert_allclose(pressure.get_lines()[0].get_ydata(), -0.1602, atol=1e-4)
    points = [
        line for line in below.get_lines() if len(line.get_xdata()) and line.get_marker() in "o^"
    ]
    assert sum(len(line.get_xdata()) for line in points) == 4
    assert [line.get_markerfacecolor() for line in points].count("none") == 1
    assert "ZIF-4" in legend(energy) and "melt" in legend(energy) and "glass" not in legend(energy)
    table = tables_of_data.correction({"ZIF-4": RESIDUALS}).set_index("phase")
    assert table.loc["crystal", "energy, mean (meV/atom)"] == pytest.approx(0)
    assert table.loc["crystal", "energy, RMS (meV/atom)"] == pytest.approx(0.3)
    assert table.loc["melt", "labelled since"] == 1
    assert tables_of_data.left(RESIDUALS[:0]) == "no frame"
    assert "4 frames, 0.35 meV/atom" in tables_of_data.left(RESIDUALS)
    assert "from +1.00 to" in tables_of_data.left(RESIDUALS)


def test_what_goes_with_temperature_or_coordination_is_told():
    """The energy rises with the temperature throughout; one frame has none."""
    temperature, energy = [300, 600, 900, 1200, None], [0.0, 0.1, 0.2, 0.3, 9.0]
    table = pd.DataFrame({
        "phase": ["crystal"] * 4 + ["glass"], "temperature_K": temperature,
        "coordination": [4.0, 4.0, 3.9, 3.9, 3.8], "energy_off_meV_per_atom": energy,
        "pressure_off_GPa": [0.1, -0.1, -0.1, 0.1, 0.0], "since": [False] * 4 + [True],
    })  # fmt: skip
    first, second = tables_of_data.depends(table).split("\n")
    assert first.startswith("- with temperature, 4 frames: energy +1.00 (p = 0.00), pressure +0.00")
    assert second.startswith("- with coordination, 5 frames: energy -0.95 (p = 0.01)")
    energies, coordination, *_ = plots_of_data.residuals(table).axes
    (crystal,) = [x for x in energies.get_lines() if len(x.get_xdata()) == 4]
    np.testing.assert_allclose(crystal.get_xdata(), temperature[:4])
    (glass,) = [x for x in coordination.get_lines() if list(x.get_xdata()) == [3.8]]
    assert glass.get_markerfacecolor() == "none" and legend(energies) == ["crystal", "glass"]


def test_how_much_there_is_beside_the_paper():
    n_of = pd.Series({"training": 60, "validation": 20, "test": 5})
    frame = tables_of_data.amounts(n_of, n_sets=3).frame
    shown = frame.set_index(frame.columns[0])["this book"]
    assert shown["labelled frames"] == "85" and shown["sets"] == "3"
    assert shown["training share"] == "0.75" and shown["validation share"] == "0.25"
    assert shown["frames of tests"] == "5"


def test_activation_energies_in_words():
    laws = {"break": SimpleNamespace(E_a=101.2, error=9.0, n_events=46)}
    said = tables_of_phase.activation_energies(laws, {"exchange": "0 events"})
    assert said.splitlines() == [
        "- break: 101.2 ± 9.0 kJ/mol, from 46 events.",
        "- exchange: 0 events.",
    ]


def test_the_void_of_a_crystal_in_each_window():
    atoms = structures.load("ZIF-4")
    frames = SimpleNamespace(
        positions=atoms.positions[None], cells=np.asarray(atoms.cell)[None],
        symbols=atoms.get_chemical_symbols(),
    )  # fmt: skip
    table = tables_of_phase.voids({"crystal": frames}).frame
    assert table["window"].tolist() == ["crystal"]
    share = void_fraction.void_fraction(atoms.positions, np.asarray(atoms.cell), frames.symbols)
    assert float(table["void (% of the volume)"][0]) == pytest.approx(100 * share, rel=1e-3)
    wider = SimpleNamespace(
        positions=np.stack([atoms.positions, 1.1 * atoms.positions]),
        cells=np.stack([np.asarray(atoms.cell), 1.1 * np.asarray(atoms.cell)]),
        symbols=frames.symbols,
    )
    both = tables_of_phase.voids({"two": wider}).frame["void (% of the volume)"][0]
    mean, error = map(float, both.split(" ± "))
    assert mean - error == pytest.approx(100 * share, rel=0.05)  # half their gap


def test_ratios_of_lengths_are_those_over_the_start():
    T = np.linspace(300.0, 500.0, 201)
    ramp = pd.DataFrame({
        "target_temperature_K": T, "cell_a_A": 15 * (1 + 1e-4 * (T - 300)),
        "cell_b_A": 15.0 + (T > 400), "cell_c_A": 18 * (1 + 1e-4 * (T - 300)),
    })  # fmt: skip
    run = SimpleNamespace(seed=1, ramp=ramp, recipe=SimpleNamespace(coupling="aniso"))
    ax = plots_of_phase.shapes([run])
    a, b = ax.get_lines()
    seen = np.isfinite(a.get_ydata())  # a running mean has no value at the ends
    np.testing.assert_allclose(a.get_ydata()[seen], 1)
    assert seen.mean() > 0.9
    assert b.get_ydata()[-5] == pytest.approx(16 / 15, rel=0.02)
    assert legend(ax) == ["a/c, lengths free, seed 1", "b/c, lengths free, seed 1"]


def test_formulas_have_low_digits_and_may_be_none():
    found = pd.DataFrame({"formula": ["C3H3N2"], "a frame": [0.25], "frames": [1]})
    assert tables_of_phase.formulas(found).frame["formula"].tolist() == ["C₃H₃N₂"]
    none = pd.DataFrame({"formula": [], "a frame": [], "frames": []})  # of a run that broke nothing
    assert tables_of_phase.formulas(none).frame.empty


def test_a_melt_of_a_force_field_is_asked_for_no_training_data():
    """ReaxFF's Zn come near each other, which says nothing of what it was trained on."""
    table = tables_of_phase.melts(peers.melts(["melt-1800K-seed1", "reaxff-melt-1800K-nvt"])).frame
    assert table["a melt"].tolist() == ["yes", "yes"]
    assert table["known to the potential"].tolist() == ["yes", "–"]
    wall = tables_of_phase.melts(peers.melts(["round-5-1400bar-melt"])).frame
    assert set(wall["known to the potential"]) == {"no"}


def test_a_law_of_pairs_has_to_be_a_tenth_better():
    rows = [("volume", "frame", "ZIF-4", 0.3, 0.01), ("volume", "phase", "ZIF-4", 0.4, 0.02),
            ("splines", "frame", "ZIF-4", 0.26, 0.01), ("tail", "frame", "ZIF-4", 0.29, 0.005),
            ("tail", "framework", "Znim2-ABW", 0.9, 0.03)]  # fmt: skip
    columns = ["law", "left_out", "judged_on", "energy_meV_per_atom", "pressure_GPa"]
    tried = pd.DataFrame(rows, columns=columns)
    said = tables_of_data.laws_judged(tried, "ZIF-4")
    assert "`splines` leaves 0.87 times the energy and 1.00 times the pressure" in said
    assert said.count(": better.") == 1 and said.endswith("it does not take its place.")
    table = tables_of_data.laws_tried(tried).frame
    assert table["left out"].tolist() == ["frame", "phase", "frame", "frame", "framework"]
    assert table["Znim2-ABW (meV/atom, GPa)"].tolist()[-2:] == ["–", "0.90, 0.030"]
