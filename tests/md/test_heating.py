"""Heating runs by the real LAMMPS with a real, if tiny, deep potential of a Lennard-Jones solid."""

from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.neighborlist import neighbor_list
from lj_runs import heating_run, holds_every_sample_once, interrupt

from helpers import paths, provenance, settings, structures
from helpers.frames import checks
from helpers.md import (
    heating,
    lammps,
    lammps_input,
    model_deviation,
    progress,
    protocol,
    thermo,
    trajectory,
)
from helpers.potentials import store


def test_bad_potential_is_refused_before_lammps(potential, build):
    cut = build / "cut.pb"
    cut.write_bytes(potential.read_bytes()[:-5000])
    with pytest.raises(store.BadPotential, match="truncated"):
        heating.run(replace(heating_run(potential), potential=str(cut)))
    ase.io.write(build / "copper.extxyz", bulk("Cu", cubic=True))
    with pytest.raises(store.BadPotential, match="Cu"):
        heating.run(heating_run(potential, structure=str(build / "copper.extxyz")))
    assert not list(build.glob("runs/*/in.heating"))


def test_the_ramp(whole):
    heated, directory = whole
    table, _ = holds_every_sample_once(heated, directory)
    expected = 100 + np.clip(table["time_ps"] - 0.2, 0, None) * 100
    np.testing.assert_allclose(table["target_temperature_K"], expected, atol=1e-3)
    np.testing.assert_array_equal(table["segment"], (table["time_ps"] > 0.2001).astype(int))


def test_thermostat_follows_its_target(whole):
    """Mean of 2 E_kin / 3 (N-1) k_B within five standard errors, correlation time 0.1 ps."""
    _, directory = whole
    table, n = thermo.read(directory), provenance.read(directory)["atoms"]
    kinetic = 1.5 * (n - 1) * units.kB * table["temperature_K"]
    np.testing.assert_allclose(kinetic, table["kinetic_energy_eV"], rtol=1e-4)
    later = table[table["time_ps"] > 0.2]
    sigma = later["target_temperature_K"].mean() * (2 / 3 / n) ** 0.5
    excess = (later["temperature_K"] - later["target_temperature_K"]).mean()
    assert abs(excess) < 5 * sigma / (1.0 / 0.1) ** 0.5


def test_table_and_trajectory_agree(whole, potential):
    """LAMMPS' energies are those of DeepPot for the same frames: types, cell and units fit."""
    heated, directory = whole
    table, frames_ = thermo.read(directory).set_index("step"), trajectory.read(directory)
    rows = table.loc[frames_.steps]
    volumes = np.abs(np.linalg.det(frames_.cells))
    np.testing.assert_allclose(rows["volume_A3"], volumes, rtol=1e-5)
    angles = table[["cell_alpha_deg", "cell_beta_deg", "cell_gamma_deg"]]
    np.testing.assert_allclose(
        angles, [protocol.structure(heated).cell.angles()] * len(table), atol=1e-3
    )
    mass = protocol.structure(heated).get_masses().sum()
    np.testing.assert_allclose(rows["density_g_cm3"], mass / volumes / units.mol * 1e24, rtol=1e-4)
    np.testing.assert_allclose(
        rows["enthalpy_eV"], rows["potential_energy_eV"] + rows["kinetic_energy_eV"], atol=1e-5
    )
    assert frames_.symbols.tolist() == protocol.structure(heated).get_chemical_symbols()
    model = store.check_potential(potential)
    types = [structures.TYPE_MAP.index(s) for s in frames_.symbols]
    energy, force, _ = model.eval(
        frames_.positions.reshape(len(frames_), -1), frames_.cells.reshape(-1, 9), types
    )
    largest = np.abs(force).max()  # positions are written to 1e-4 A
    np.testing.assert_allclose(
        rows["potential_energy_eV"], energy.ravel(), atol=1e-4 * largest * len(types)
    )


def test_a_finished_run_is_found_and_tidy(whole, set_to, capfd):
    heated, directory = whole
    set_to(build=directory.parents[1])
    before = {f: f.stat().st_mtime_ns for f in directory.iterdir()}
    assert heating.run(heated, ranks=2, threads=3).directory == directory
    assert "[reused]" in capfd.readouterr().out
    assert {f: f.stat().st_mtime_ns for f in directory.iterdir()} == before
    assert {f.name for f in directory.iterdir() if not f.name.startswith(".")} == {
        "start.data",
        "in.heating",
        "thermo.csv",
        "trajectory.lammpstrj.gz",
        "lammps.log",
        "end.data.gz",
        "provenance.json",
    }
    assert str(paths.ROOT) not in (directory / "lammps.log").read_text()
    record = provenance.read(directory)
    assert record["ns_per_day"] > 0 and record["core_us_per_atom_step"] > 0
    assert record["final"]["step"] == record["steps"] == heated.total_steps


def test_ranks_change_nothing(whole, potential, build):
    heated, directory = whole
    short = replace(heated, temperature_end_K=102.0, equilibration_ps=0.05)
    two = thermo.read(heating.run(short, ranks=2, compress=False))
    one = thermo.read(directory)
    np.testing.assert_allclose(
        two["potential_energy_eV"][:3], one["potential_energy_eV"][:3], atol=1e-4
    )


def test_an_exploded_run_says_so_and_keeps_what_it_has(potential, build, capfd):
    volume = 0.75**3 * 3.85**3 / 4  # of the fcc solid with all lengths a quarter shorter
    heated = heating_run(potential, volume_A3_per_atom=volume)
    with pytest.raises(progress.ExplodedRun, match=r"step \d+.*T = \d+ K.*is kept") as error:
        heating.run(heated, compress=False)
    assert "\n" not in str(error.value)
    with pytest.raises(progress.ExplodedRun, match="exploded after step"):  # found, not computed
        heating.run(heated, compress=False)
    directory = heating.run(heated, keep_exploded=True).directory
    assert str(error.value) in capfd.readouterr().out
    record = provenance.read(directory)
    assert record["exploded"] == str(error.value)
    table = thermo.read(directory)  # ends before the row that was no physics
    assert len(table) == 0 or table["step"].iloc[-1] < record["steps"]


def test_atoms_that_fall_into_each_other_end_a_run(monkeypatch):
    folder = paths.shipped("runs", "atp-400Kps")
    assert heating._collapse(folder) is None
    monkeypatch.setattr(checks, "MINIMUM_DISTANCES", {("N", "Zn"): 1.8})
    step, said = heating._collapse(folder)
    frames = trajectory.read(folder)
    assert step in frames.steps and f"step {step}: N-Zn at 1." in said
    assert "(1.8 A): the potential has left physics" in said
    before = frames.positions[frames.steps < step], frames.cells[frames.steps < step]
    for positions, cell in zip(*before, strict=True):
        atoms = Atoms(frames.symbols, positions, cell=cell, pbc=True)
        assert len(neighbor_list("d", atoms, {("N", "Zn"): 1.8})) == 0


def test_last_lines_of_a_dead_lammps(potential, build, monkeypatch):
    good = lammps_input.script
    monkeypatch.setattr(
        lammps_input, "script", lambda *a: "print last-words\nnonsense 1\n" + good(*a)
    )
    with pytest.raises(lammps.LammpsDied, match="(?s)last-words.*Unknown command: nonsense"):
        heating.run(heating_run(potential), compress=False)


@pytest.mark.parametrize("command", [
    "variable nan equal out_of_range\nprint '$(v_nan)'",
    'print "ERROR: Lost atoms"\nerror nan', "pair_style nan",
])  # fmt: skip
def test_an_error_of_the_input_is_no_explosion(command, potential, build, monkeypatch):
    """Whatever its words: nothing was integrated, and nothing is finished by it."""
    good = lammps_input.script
    monkeypatch.setattr(
        lammps_input, "script", lambda *a: good(*a).replace("run ", f"{command}\nrun ", 1)
    )
    heated = heating_run(potential)
    with pytest.raises(lammps.LammpsDied, match="ERROR"):
        heating.run(heated, compress=False)
    assert heating.find(heated) is None


# --- protocols ------------------------------------------------------------------------------


def test_segments_and_a_barostat_of_three_lengths(potential, build):
    heated = heating_run(
        potential,
        temperature_end_K=140.0,
        coupling="aniso",
        segment_K=20.0,
        hold_ps=0.05,
        sample_ps=0.1,
    )
    table, _ = holds_every_sample_once(heated, (directory := heating.run(heated, compress=False)))
    record = provenance.read(directory)
    assert "in segments of 20 K" in record["description"] and "NPT aniso" in record["description"]
    sampled = table[table["segment"].isin(heated.sampled_segments())]
    assert sampled["target_temperature_K"].unique().tolist() == [120.0, 140.0]
    assert len(sampled) == 2 * 10
    lengths = table[["cell_a_A", "cell_b_A", "cell_c_A"]].iloc[-1]
    assert len(set(lengths)) == 3 and (table.filter(like="deg") == 90).all(axis=None)


def test_a_hold_at_constant_volume(potential, build):
    heated = heating_run(
        potential,
        temperature_end_K=100.0,
        heating_rate_K_per_ps=0.0,
        coupling="none",
        sample_ps=0.2,
    )
    table, _ = holds_every_sample_once(heated, heating.run(heated, compress=False))
    assert table["volume_A3"].nunique() == 1 and set(table["segment"]) == {0, 1}
    assert (table["target_temperature_K"] == 100).all()


# --- an ensemble ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(potential, tmp_path_factory):
    """A run with an ensemble, its LAMMPS killed once."""
    heated = heating_run(
        potential, ensemble=[str(potential.parent / "other.pb")], deviation_every_ps=0.01
    )
    with settings.use(build=tmp_path_factory.mktemp("compared")):
        interrupt(heated, rows=25)
        return heated, heating.run(heated, compress=False, restart_every_ps=0.05).directory


def test_deviations_are_those_of_the_potentials(compared, potential):
    """The largest and the mean of sqrt(<|F - <F>|^2>) by DeepPot for the frames of the run."""
    heated, directory = compared
    holds_every_sample_once(heated, directory)
    table, frames_ = model_deviation.read(directory), trajectory.read(directory)
    assert table["step"].tolist() == list(range(0, heated.total_steps + 1, 20))
    types = [structures.TYPE_MAP.index(s) for s in frames_.symbols]
    forces = np.array(
        [
            store.check_potential(p).eval(
                frames_.positions.reshape(len(frames_), -1), frames_.cells.reshape(-1, 9), types
            )[1]
            for p in (potential, potential.parent / "other.pb")
        ]
    )
    spread = np.sqrt(((forces - forces.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0))
    rows = table.set_index("step").loc[frames_.steps]
    np.testing.assert_allclose(rows["max_eV_per_A"], spread.max(axis=1), rtol=2e-3)
    np.testing.assert_allclose(rows["avg_eV_per_A"], spread.mean(axis=1), rtol=2e-3)


def test_an_ensemble_changes_no_force(compared, potential, build):
    heated, directory = compared
    alone = heating.run(replace(heated, ensemble=()), compress=False).directory
    assert not (alone / model_deviation.FILE).exists() and alone.name != directory.name
    a, b = thermo.read(alone), thermo.read(directory)
    np.testing.assert_allclose(
        a["potential_energy_eV"][:5], b["potential_energy_eV"][:5], atol=1e-4
    )
    assert provenance.read(directory)["ensemble"]


def test_quenched_from_the_end_of_another_run(potential, build):
    """The second run starts with positions, velocities and cell of the first one's last step."""
    first = heating_run(
        potential, temperature_end_K=100.0, heating_rate_K_per_ps=0, equilibration_ps=0.2
    )
    quench = replace(
        first, after=first, temperature_start_K=100, temperature_end_K=20,
        heating_rate_K_per_ps=400, equilibration_ps=0.0, thermo_every_ps=0.0005,
    )  # fmt: skip
    directory = heating.run(quench, compress=False)
    holds_every_sample_once(quench, directory)
    before = heating.find(first).directory
    last, next_ = thermo.read(before).iloc[-1], thermo.read(directory).iloc[0]
    for column, error in (("potential_energy_eV", 0.05), ("kinetic_energy_eV", 0.05)):
        assert next_[column] == pytest.approx(last[column], abs=error)
    assert next_["volume_A3"] == pytest.approx(last["volume_A3"], rel=2e-4)
    table = thermo.read(directory)
    np.testing.assert_allclose(
        table["target_temperature_K"], 100 - 400 * table["time_ps"], atol=1e-2
    )
    (before / "end.data.gz").unlink()
    with pytest.raises(heating.DamagedRun, match="no end.data.gz to go on from"):
        heating.run(replace(quench, seed=5), compress=False)


def test_heavy_hydrogen_moves_slower_and_weighs_the_same(potential, build):
    """Equal kinetic energy whatever the mass; the density is that of ordinary hydrogen."""
    heavy = heating_run(potential, hydrogen_mass_u=2.014, temperature_end_K=120.0)
    directory = heating.run(heavy, compress=False)
    row, atoms = thermo.read(directory).iloc[0], protocol.structure(heavy)
    density = atoms.get_masses().sum() / row["volume_A3"] / units.mol * 1e24
    assert row["density_g_cm3"] == pytest.approx(density, rel=1e-5)
    masses = (directory.directory / "start.data").read_text().split("Masses")[1].split("Atoms")[0]
    lines = [line.split() for line in masses.strip().splitlines()]
    assert float(lines[structures.TYPE_MAP.index("H")][1]) == pytest.approx(2.014)


@pytest.mark.parametrize("freedom", ["iso", "tri"])
def test_starts_from_the_relaxed_cell(potential, build, freedom):
    """At the minimum the pressure of a solid at rest is the one asked for."""
    run = heating_run(
        potential, temperature_start_K=0.01, temperature_end_K=0.01, heating_rate_K_per_ps=0.0,
        equilibration_ps=0.01, coupling="none", pressure_bar=5000.0, relaxed=freedom,
    )  # fmt: skip
    directory = heating.run(run, compress=False)
    assert thermo.read(directory)["pressure_bar"].iloc[0] == pytest.approx(5000, abs=100)


def test_stops_where_the_ensemble_no_longer_knows(potential, build):
    run = heating_run(
        potential, ensemble=[str(potential.parent / "other.pb")], deviation_every_ps=0.01,
        stop_at_deviation_eV_per_A=1e-4,
    )  # fmt: skip
    with pytest.raises(heating.ExplodedRun, match="stop_at_deviation_eV_per_A = 0.0001"):
        heating.run(run, compress=False)
    first = model_deviation.whole_rows(heating.find(run).directory / model_deviation.FILE)
    assert [int(row.split()[0]) for row in first] == [0]
