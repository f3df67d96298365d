"""Heating runs by the real LAMMPS with a real, if tiny, deep potential of a Lennard-Jones solid."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import ase.io
import dpdata
import numpy as np
import pytest
from ase import units
from ase.build import bulk, make_supercell
from ase.calculators.lj import LennardJones

from helpers import frames, heating, paper, paths, provenance, thermo, training, trajectory


def lj_crystal(rng=None, displacement=0.0, strain=0.0):
    """32 atoms fcc, the four elements in turn, all the same Lennard-Jones solid (0.2 eV)."""
    atoms = bulk("Zn", "fcc", a=3.85 * (1 + strain), cubic=True)
    atoms.symbols = frames.TYPE_MAP
    atoms = atoms.repeat(2)
    if rng is not None:
        atoms.positions += rng.normal(0, displacement, atoms.positions.shape)
    atoms.calc = LennardJones(sigma=2.5, epsilon=0.2, rc=5.0, smooth=True)
    return atoms


@pytest.fixture(scope="session")
def potential(tmp_path_factory):
    """frozen_model.pb of a small net that was trained for some seconds on the LJ solid."""
    folder = tmp_path_factory.mktemp("lj")
    rng = np.random.default_rng(1)
    made = [lj_crystal(rng, rng.uniform(0.01, 0.12), rng.uniform(-0.05, 0.07)) for _ in range(80)]
    system = dpdata.LabeledSystem(data={
        "atom_names": list(frames.TYPE_MAP), "atom_numbs": [8] * 4,
        "atom_types": np.tile(range(4), 8), "orig": np.zeros(3),
        "cells": np.array([a.cell.array for a in made]),
        "coords": np.array([a.positions for a in made]),
        "energies": np.array([a.get_potential_energy() for a in made]),
        "forces": np.array([a.get_forces() for a in made]),
        "virials": np.array([-a.get_stress(voigt=False) * a.get_volume() for a in made]),
    })
    system.to("deepmd/npy", str(folder / "data"))
    (folder / "input.json").write_text(json.dumps({
        "model": {
            "type_map": list(frames.TYPE_MAP),
            "descriptor": {"type": "se_e2_a", "rcut": 5.0, "rcut_smth": 1.0, "sel": [20] * 4,
                           "neuron": [4, 8], "axis_neuron": 4, "seed": 1, "type_one_side": True},
            "fitting_net": {"neuron": [24, 24], "seed": 1}},
        "learning_rate": {"type": "exp", "start_lr": 0.01, "stop_lr": 1e-4, "decay_steps": 20},
        "loss": {"start_pref_e": 0.1, "limit_pref_e": 1, "start_pref_f": 100, "limit_pref_f": 1,
                 "start_pref_v": 0.1, "limit_pref_v": 1},
        "training": {"training_data": {"systems": ["data"], "batch_size": 4}, "numb_steps": 400,
                     "seed": 1, "disp_freq": 100, "save_freq": 500}}))
    dp = str(Path(sys.executable).with_name("dp"))
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1",
                                "DP_INTRA_OP_PARALLELISM_THREADS": "1",
                                "DP_INTER_OP_PARALLELISM_THREADS": "1"}
    for command in (["train", "--skip-neighbor-stat", "input.json"],
                    ["freeze", "-o", "frozen_model.pb"]):
        done = subprocess.run([dp, *command], cwd=folder, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout[-3000:]
    # the same crystal in a skewed cell: LAMMPS would flip its tilt if it were allowed to
    unit = bulk("Zn", "fcc", a=3.85, cubic=True)
    unit.symbols = frames.TYPE_MAP
    triclinic = make_supercell(unit, [[2, 0, 0], [-2, 2, 0], [0, 1, 2]])
    squeezed = lj_crystal(strain=-0.25)
    for name, atoms in {"crystal": lj_crystal(), "triclinic": triclinic,
                        "squeezed": squeezed}.items():
        atoms.calc = None
        ase.io.write(folder / f"{name}.extxyz", atoms)
    return folder / "frozen_model.pb"


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    return tmp_path


def heating_run(potential, structure="crystal.extxyz", **changes):
    values = dict(
        structure=str(potential.parent / structure), potential=str(potential),
        temperature_start_K=100.0, temperature_end_K=200.0, heating_rate_K_per_ps=200.0,
        equilibration_ps=0.1, thermo_every_ps=0.01, frame_every_ps=0.02)
    return heating.HeatingRun(**(values | changes))


# --- protocol and recipe: no LAMMPS ---------------------------------------------------------


@pytest.mark.parametrize("name, equilibration_ps",
                         [("DPMD-4K", 20), ("DPMD-1K", 20), ("DPMD-0.5K", 10)])
def test_steps_of_the_paper(name, equilibration_ps):
    row = paper.rows("table3")[name]
    run = heating.HeatingRun(
        "ZIF-4", "atp", row["start_K"].number, row["end_K"].number,
        row["heating_rate_K_per_ps"].number, equilibration_ps=equilibration_ps)
    assert run.total_steps == row["steps"].number


def test_stages_follow_each_other():
    run = heating.HeatingRun("ZIF-4", "atp", 300, 1000, 20, segment_K=200, hold_ps=2)
    stages = run.stages()
    assert stages[0] == heating.Stage(0, 10000, 300, 300)
    assert all(a.last == b.first and a.end_K == b.start_K for a, b in pairwise(stages))
    ramps = [s for s in stages if s.end_K > s.start_K]
    assert [s.end_K for s in ramps] == [500, 700, 900, 1000]
    for s in ramps:
        assert (s.end_K - s.start_K) / ((s.last - s.first) * 0.5e-3) == pytest.approx(20)


@pytest.mark.parametrize("change, word", [
    ({"temperature_end_K": 50.0}, "below"), ({"heating_rate_K_per_ps": 0.0}, "positive"),
    ({"timestep_fs": float("nan")}, "positive"), ({"coupling": "cubic"}, "iso, aniso or tri"),
    ({"thermo_every_ps": 1e-5}, "at least one timestep")])
def test_impossible_runs_are_refused(change, word):
    values = dict(structure="ZIF-4", potential="atp", temperature_start_K=300.0,
                  temperature_end_K=400.0, heating_rate_K_per_ps=1.0)
    with pytest.raises(ValueError, match=word):
        heating.HeatingRun(**(values | change))


def test_key_is_made_of_contents(potential, tmp_path):
    def key(**changes):
        return provenance.key(heating_run(potential, **changes).recipe())

    renamed = shutil.copy(potential.parent / "crystal.extxyz", tmp_path / "other.extxyz")
    assert key() == key(structure=str(renamed)) == key(temperature_start_K=100, supercell=[1, 1, 1])
    others = [key(seed=2), key(heating_rate_K_per_ps=201), key(supercell=[1, 1, 2]),
              key(structure="triclinic.extxyz")]
    assert len({key(), *others}) == 5


def test_bad_potential_is_refused_before_lammps(potential, build):
    cut = build / "cut.pb"
    cut.write_bytes(potential.read_bytes()[:-5000])
    with pytest.raises(training.BadPotential, match="truncated"):
        heating.run(replace(heating_run(potential), potential=str(cut)))
    ase.io.write(build / "copper.extxyz", bulk("Cu", cubic=True))
    with pytest.raises(training.BadPotential, match="Cu"):
        heating.run(heating_run(potential, structure=str(build / "copper.extxyz")))
    assert not list(build.glob("runs/*/in.heating"))


# --- runs of LAMMPS -------------------------------------------------------------------------

CALL = """
import sys, json, pathlib
from helpers import heating, paths
paths.BUILD = pathlib.Path(sys.argv[1])
heating.run(heating.HeatingRun(**json.loads(sys.argv[2])), restart_every_ps=0.05, compress=False)
"""


@pytest.fixture(scope="module")
def killed_and_resumed(potential, tmp_path_factory):
    """(run, directory, what happened) of a triclinic run whose Python was killed with -9."""
    folder = tmp_path_factory.mktemp("killed")
    heated = heating_run(potential, "triclinic.extxyz", heating_rate_K_per_ps=100.0,
                         equilibration_ps=0.2)
    facts = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "BUILD", folder)
        process = subprocess.Popen([sys.executable, "-c", CALL, str(folder),
                                    json.dumps(asdict(heated))], stderr=subprocess.DEVNULL)
        directory = provenance.directory("runs", heated.name, heated.recipe())
        try:
            wait_for(lambda: (directory / thermo.FILE).exists()
                     and len((directory / thermo.FILE).read_text()) > 3000, process)
            with pytest.raises(provenance.DirectoryBusy, match=str(process.pid)):
                heating.run(heated, compress=False)
        finally:
            process.kill()
            process.wait()
        facts["rows"] = len((directory / thermo.FILE).read_text().splitlines()) - 2
        facts["finished"] = (directory / provenance.FILE).exists()
        facts["restart"] = heating._restarts(directory)[-1][0]
        found = heating.run(heated, compress=False, restart_every_ps=0.05)
        assert found == directory
    return heated, directory, facts


def wait_for(condition, process, seconds=400):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"the run ended early with code {process.returncode}"
        assert time.monotonic() < deadline, "the run wrote no rows"
        time.sleep(0.02)


def test_a_killed_run_holds_every_sample_once(killed_and_resumed):
    heated, directory, facts = killed_and_resumed
    assert not facts["finished"] and 10 < facts["rows"] < heated.total_steps // 20
    assert provenance.read(directory)["sessions"] == 2
    table, frames_ = thermo.read(directory), trajectory.read(directory)
    assert table["step"].tolist() == list(range(20, heated.total_steps + 1, 20))
    assert frames_.steps.tolist() == list(range(40, heated.total_steps + 1, 40))
    np.testing.assert_allclose(table["time_ps"], table["step"] * 0.5e-3, atol=1e-4)


def test_a_killed_run_stays_on_its_ramp(killed_and_resumed):
    heated, directory, facts = killed_and_resumed
    table = thermo.read(directory)
    expected = 100 + np.clip(table["time_ps"] - 0.2, 0, None) * 100
    np.testing.assert_allclose(table["target_temperature_K"], expected, atol=1e-3)
    np.testing.assert_array_equal(table["stage"], (table["time_ps"] > 0.2001).astype(int))
    # nothing jumps where the run was taken up again
    jumps = table["enthalpy_eV"].diff().abs().to_numpy()
    again = table.index[table["step"] == facts["restart"]][0] + 1
    assert again > 5 and jumps[again] < 3 * jumps[again - 5 : again].max()


def test_thermostat_follows_its_target(killed_and_resumed):
    """Mean of 2 E_kin / 3 (N-1) k_B within five standard errors, correlation time 0.1 ps."""
    heated, directory, _ = killed_and_resumed
    table, n = thermo.read(directory), provenance.read(directory)["atoms"]
    kinetic = 1.5 * (n - 1) * units.kB * table["temperature_K"]
    np.testing.assert_allclose(kinetic, table["kinetic_energy_eV"], rtol=1e-4)
    later = table[table["time_ps"] > 0.2]
    sigma = later["target_temperature_K"].mean() * (2 / 3 / n) ** 0.5
    excess = (later["temperature_K"] - later["target_temperature_K"]).mean()
    assert abs(excess) < 5 * sigma / (1.0 / 0.1) ** 0.5


def test_table_and_trajectory_agree(killed_and_resumed, potential):
    """LAMMPS' energies are those of DeepPot for the same frames: types, cell and units fit."""
    heated, directory, _ = killed_and_resumed
    table, frames_ = thermo.read(directory).set_index("step"), trajectory.read(directory)
    rows = table.loc[frames_.steps]
    volumes = np.abs(np.linalg.det(frames_.cells))
    np.testing.assert_allclose(rows["volume_A3"], volumes, rtol=1e-5)
    angles = table[["cell_alpha_deg", "cell_beta_deg", "cell_gamma_deg"]]
    np.testing.assert_allclose(angles, [heating.structure(heated).cell.angles()] * len(table),
                               atol=1e-3)
    mass = heating.structure(heated).get_masses().sum()
    np.testing.assert_allclose(rows["density_g_cm3"], mass / volumes / units.mol * 1e24, rtol=1e-4)
    np.testing.assert_allclose(rows["enthalpy_eV"],
                               rows["potential_energy_eV"] + rows["kinetic_energy_eV"], atol=1e-5)
    assert frames_.symbols.tolist() == heating.structure(heated).get_chemical_symbols()
    model = training.check_potential(potential)
    types = [frames.TYPE_MAP.index(s) for s in frames_.symbols]
    energy, force, _ = model.eval(frames_.positions.reshape(len(frames_), -1),
                                  frames_.cells.reshape(-1, 9), types)
    largest = np.abs(force).max()  # positions are written to 1e-4 A
    np.testing.assert_allclose(rows["potential_energy_eV"], energy.ravel(),
                               atol=1e-4 * largest * len(types))


def test_a_finished_run_is_found_and_tidy(killed_and_resumed, monkeypatch, capfd):
    heated, directory, _ = killed_and_resumed
    monkeypatch.setattr(paths, "BUILD", directory.parents[1])
    before = {f: f.stat().st_mtime_ns for f in directory.iterdir()}
    assert heating.run(heated, ranks=2, threads=3) == directory
    assert "[reused]" in capfd.readouterr().out
    assert {f: f.stat().st_mtime_ns for f in directory.iterdir()} == before
    assert {f.name for f in directory.iterdir() if not f.name.startswith(".")} == {
        "start.data", "in.heating", "thermo.csv", "trajectory.lammpstrj.gz", "lammps.log",
        "provenance.json"}
    assert str(paths.ROOT) not in (directory / "lammps.log").read_text()
    record = provenance.read(directory)
    assert record["ns_per_day"] > 0 and record["core_us_per_atom_step"] > 0
    assert record["final"]["step"] == record["steps"] == heated.total_steps


def test_ranks_change_nothing(killed_and_resumed, potential, build):
    heated, directory, _ = killed_and_resumed
    short = replace(heated, temperature_end_K=102.0, equilibration_ps=0.05)
    two = thermo.read(heating.run(short, ranks=2, compress=False))
    one = thermo.read(directory)
    np.testing.assert_allclose(two["potential_energy_eV"][:3], one["potential_energy_eV"][:3],
                               atol=1e-4)


def test_an_exploded_run_says_so_and_keeps_what_it_has(potential, build, capfd):
    heated = heating_run(potential, "squeezed.extxyz")
    with pytest.raises(heating.ExplodedRun, match=r"step \d+.*T = \d+ K.*is kept") as error:
        heating.run(heated, compress=False)
    assert "\n" not in str(error.value)
    with pytest.raises(heating.ExplodedRun, match="exploded after step"):  # found, not computed
        heating.run(heated, compress=False)
    directory = heating.run(heated, keep_exploded=True)
    assert str(error.value) in capfd.readouterr().out
    record = provenance.read(directory)
    assert record["exploded"] == str(error.value)
    table = thermo.read(directory)  # ends before the row that was no physics
    assert len(table) == 0 or table["step"].iloc[-1] < record["steps"]


def test_last_lines_of_a_dead_lammps(potential, build, monkeypatch):
    good = heating.script
    monkeypatch.setattr(heating, "script", lambda *a: "print last-words\nnonsense 1\n" + good(*a))
    with pytest.raises(heating.LammpsDied, match="(?s)last-words.*Unknown command: nonsense"):
        heating.run(heating_run(potential), compress=False)
