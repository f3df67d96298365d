"""Heating runs by the real LAMMPS with a real, if tiny, deep potential of a Lennard-Jones solid."""

import contextlib
import fcntl
import itertools
import json
import multiprocessing
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import sys
import termios
import threading
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

from helpers import (
    deviation,
    frames,
    heating,
    ladder,
    lammps,
    models,
    paths,
    provenance,
    thermo,
    trajectory,
)


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

    def recipe(seed):
        return {
            "model": {
                "type_map": list(frames.TYPE_MAP),
                "descriptor": {"type": "se_e2_a", "rcut": 5.0, "rcut_smth": 1.0, "sel": [20] * 4,
                               "neuron": [4, 8], "axis_neuron": 4, "seed": seed,
                               "type_one_side": True},
                "fitting_net": {"neuron": [24, 24], "seed": seed}},
            "learning_rate": {"type": "exp", "start_lr": 0.01, "stop_lr": 1e-4,
                              "decay_steps": 20},
            "loss": {"start_pref_e": 0.1, "limit_pref_e": 1, "start_pref_f": 100,
                     "limit_pref_f": 1, "start_pref_v": 0.1, "limit_pref_v": 1},
            "training": {"training_data": {"systems": [str(folder / "data")], "batch_size": 4},
                         "numb_steps": 400, "seed": seed, "disp_freq": 100, "save_freq": 500}}

    dp = str(Path(sys.executable).with_name("dp"))
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1",
                                "DP_INTRA_OP_PARALLELISM_THREADS": "1",
                                "DP_INTER_OP_PARALLELISM_THREADS": "1"}
    other = folder / "other"  # the same net of another seed: an ensemble of two
    for seed, work in ((1, folder), (2, other)):
        work.mkdir(exist_ok=True)
        (work / "input.json").write_text(json.dumps(recipe(seed)))
    for work, command in itertools.product((folder, other), (
            ["train", "--skip-neighbor-stat", "input.json"], ["freeze", "-o", "frozen_model.pb"])):
        done = subprocess.run([dp, *command], cwd=work, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout[-3000:]
    shutil.move(other / "frozen_model.pb", folder / "other.pb")
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


def test_stages_follow_each_other():
    run = heating.HeatingRun("ZIF-4", "atp", 300, 1000, 20, segment_K=200, hold_ps=2)
    stages = run.stages()
    assert stages[0] == heating.Stage(0, 10000, 300, 300, "equilibration")
    assert all(a.last == b.first and a.end_K == b.start_K for a, b in pairwise(stages))
    ramps = [s for s in stages if s.end_K > s.start_K]
    assert [s.end_K for s in ramps] == [500, 700, 900, 1000]
    for s in ramps:
        assert (s.end_K - s.start_K) / ((s.last - s.first) * 0.5e-3) == pytest.approx(20)


def test_heat_hold_sample():
    run = heating.HeatingRun("ZIF-4", "atp", 300, 700, 20, segment_K=200, hold_ps=1, sample_ps=2)
    assert [(s.what, s.end_K, (s.last - s.first) // 2000) for s in run.stages()] == [
        ("equilibration", 300, 5), ("heating", 500, 10), ("hold", 500, 1), ("sample", 500, 2),
        ("heating", 700, 10), ("hold", 700, 1), ("sample", 700, 2)]
    assert run.sample_stages() == [3, 6]
    ramp = replace(run, segment_K=0)  # held and sampled at its end alone
    assert [s.what for s in ramp.stages()] == ["equilibration", "heating", "hold", "sample"]
    constant = heating.HeatingRun("ZIF-4", "atp", 300, 300, 0, equilibration_ps=0, sample_ps=2)
    assert constant.stages() == [heating.Stage(0, 4000, 300, 300, "sample")]
    assert constant.sample_stages() == [1] and constant.name == "ZIF-4-300K"


@pytest.mark.parametrize("change, word", [
    ({"temperature_end_K": 50.0}, "below"), ({"heating_rate_K_per_ps": 0.0}, "positive"),
    ({"timestep_fs": float("nan")}, "positive"), ({"coupling": "cubic"}, "iso, aniso, tri or none"),
    ({"thermo_every_ps": 1e-5}, "at least one timestep"),
    ({"temperature_end_K": 300.0}, "give 0 for a run at one temperature"),
    ({"temperature_end_K": 300.0, "heating_rate_K_per_ps": 0.0, "equilibration_ps": 0.0},
     "no steps"), ({"hold_ps": -1.0}, "hold_ps = -1.0 must not be negative")])
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
              key(structure="triclinic.extxyz"), key(sample_ps=1), key(coupling="none"),
              key(ensemble=[str(potential.parent / "other.pb")])]
    assert len({key(), *others}) == 8
    assert key(deviation_every_ps=0.2) == key()  # nothing is compared with
    with pytest.raises(ValueError, match="names one potential twice"):
        key(ensemble=[str(potential)])


@pytest.mark.parametrize("folder", sorted(paths.shipped("runs").glob("*/")),
                         ids=lambda folder: folder.name)
def test_shipped_runs_keep_their_keys(folder):
    """Fields that younger runs have do not change what older ones are found by."""
    record = provenance.read(folder)
    plain = {k: v for k, v in record["recipe"].items()
             if k in heating.HeatingRun.__dataclass_fields__ and k != "ensemble"}
    plain |= {"structure": record["structure"], "potential": record["potential"]}
    recipe = heating.HeatingRun(**plain).recipe()
    if record["recipe"]["potential"] != recipe["potential"] or record["recipe"].get("ensemble"):
        pytest.skip("made with a potential that is not shipped any more, or with an ensemble")
    assert provenance.key(recipe) == record["key"]


def test_bad_potential_is_refused_before_lammps(potential, build):
    cut = build / "cut.pb"
    cut.write_bytes(potential.read_bytes()[:-5000])
    with pytest.raises(models.BadPotential, match="truncated"):
        heating.run(replace(heating_run(potential), potential=str(cut)))
    ase.io.write(build / "copper.extxyz", bulk("Cu", cubic=True))
    with pytest.raises(models.BadPotential, match="Cu"):
        heating.run(heating_run(potential, structure=str(build / "copper.extxyz")))
    assert not list(build.glob("runs/*/in.heating"))


# --- runs of LAMMPS -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(potential, tmp_path_factory):
    """(run, directory) of a triclinic run."""
    heated = heating_run(potential, "triclinic.extxyz", heating_rate_K_per_ps=100.0,
                         equilibration_ps=0.2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "BUILD", tmp_path_factory.mktemp("whole"))
        return heated, heating.run(heated, compress=False)


def holds_every_sample_once(heated, directory):
    table, frames_ = thermo.read(directory), trajectory.read(directory)
    every, frame_every = heated.steps(heated.thermo_every_ps), heated.steps(heated.frame_every_ps)
    last = heated.total_steps
    assert table["step"].tolist() == list(range(every, last + 1, every))
    assert frames_.steps.tolist() == list(range(frame_every, last + 1, frame_every))
    np.testing.assert_allclose(table["time_ps"], table["step"] * 0.5e-3, atol=1e-4)
    return table, frames_


def test_the_ramp(whole):
    heated, directory = whole
    table, _ = holds_every_sample_once(heated, directory)
    expected = 100 + np.clip(table["time_ps"] - 0.2, 0, None) * 100
    np.testing.assert_allclose(table["target_temperature_K"], expected, atol=1e-3)
    np.testing.assert_array_equal(table["stage"], (table["time_ps"] > 0.2001).astype(int))


def test_thermostat_follows_its_target(whole):
    """Mean of 2 E_kin / 3 (N-1) k_B within five standard errors, correlation time 0.1 ps."""
    heated, directory = whole
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
    np.testing.assert_allclose(angles, [heating.structure(heated).cell.angles()] * len(table),
                               atol=1e-3)
    mass = heating.structure(heated).get_masses().sum()
    np.testing.assert_allclose(rows["density_g_cm3"], mass / volumes / units.mol * 1e24, rtol=1e-4)
    np.testing.assert_allclose(rows["enthalpy_eV"],
                               rows["potential_energy_eV"] + rows["kinetic_energy_eV"], atol=1e-5)
    assert frames_.symbols.tolist() == heating.structure(heated).get_chemical_symbols()
    model = models.check_potential(potential)
    types = [frames.TYPE_MAP.index(s) for s in frames_.symbols]
    energy, force, _ = model.eval(frames_.positions.reshape(len(frames_), -1),
                                  frames_.cells.reshape(-1, 9), types)
    largest = np.abs(force).max()  # positions are written to 1e-4 A
    np.testing.assert_allclose(rows["potential_energy_eV"], energy.ravel(),
                               atol=1e-4 * largest * len(types))


def test_a_finished_run_is_found_and_tidy(whole, monkeypatch, capfd):
    heated, directory = whole
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


def test_ranks_change_nothing(whole, potential, build):
    heated, directory = whole
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


# --- protocols ------------------------------------------------------------------------------


def test_segments_and_a_barostat_of_three_lengths(potential, build):
    heated = heating_run(potential, temperature_end_K=140.0, coupling="aniso", segment_K=20.0,
                         hold_ps=0.05, sample_ps=0.1)
    table, _ = holds_every_sample_once(heated, (directory := heating.run(heated, compress=False)))
    record = provenance.read(directory)
    assert "in segments of 20 K" in record["description"] and "NPT aniso" in record["description"]
    sampled = table[table["stage"].isin(record["sample_stages"])]
    assert sampled["target_temperature_K"].unique().tolist() == [120.0, 140.0]
    assert len(sampled) == 2 * 10
    lengths = table[["cell_a_A", "cell_b_A", "cell_c_A"]].iloc[-1]
    assert len(set(lengths)) == 3 and (table.filter(like="deg") == 90).all(axis=None)


def test_a_hold_at_constant_volume(potential, build):
    heated = heating_run(potential, temperature_end_K=100.0, heating_rate_K_per_ps=0.0,
                         coupling="none", sample_ps=0.2)
    table, _ = holds_every_sample_once(heated, heating.run(heated, compress=False))
    assert table["volume_A3"].nunique() == 1 and set(table["stage"]) == {0, 1}
    assert (table["target_temperature_K"] == 100).all()


# --- an ensemble ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(potential, tmp_path_factory):
    """A run with an ensemble, its LAMMPS killed once."""
    heated = heating_run(potential, ensemble=[str(potential.parent / "other.pb")],
                         deviation_every_ps=0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "BUILD", tmp_path_factory.mktemp("compared"))
        interrupt(heated, rows=25)
        return heated, heating.run(heated, compress=False, restart_every_ps=0.05)


def interrupt(heated, rows):
    """Start a run and kill its LAMMPS with -9 after so many rows; its directory."""
    directory = provenance.directory("runs", heated.name, heated.recipe())

    def kill():
        wait_for(lambda: (directory / ".lammps").exists() and (directory / thermo.FILE).exists()
                 and (directory / thermo.FILE).read_text().count("\n") > rows)
        os.killpg(int((directory / ".lammps").read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(lammps.LammpsDied, match=r"code -9 at step \d+"):
        heating.run(heated, compress=False, restart_every_ps=0.05)
    killer.join()
    assert not (directory / provenance.FILE).exists()
    return directory


def wait_for(condition, seconds=400):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_deviations_are_those_of_the_potentials(compared, potential):
    """The largest and the mean of sqrt(<|F - <F>|^2>) by DeepPot for the frames of the run."""
    heated, directory = compared
    holds_every_sample_once(heated, directory)
    table, frames_ = deviation.read(directory), trajectory.read(directory)
    assert table["step"].tolist() == list(range(0, heated.total_steps + 1, 20))
    types = [frames.TYPE_MAP.index(s) for s in frames_.symbols]
    forces = np.array([
        models.check_potential(p).eval(frames_.positions.reshape(len(frames_), -1),
                                         frames_.cells.reshape(-1, 9), types)[1]
        for p in (potential, potential.parent / "other.pb")])
    spread = np.sqrt(((forces - forces.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0))
    rows = table.set_index("step").loc[frames_.steps]
    np.testing.assert_allclose(rows["max_eV_per_A"], spread.max(axis=1), rtol=2e-3)
    np.testing.assert_allclose(rows["avg_eV_per_A"], spread.mean(axis=1), rtol=2e-3)


def test_an_ensemble_changes_no_force(compared, potential, build):
    heated, directory = compared
    alone = heating.run(replace(heated, ensemble=()), compress=False)
    assert not (alone / deviation.FILE).exists() and alone.name != directory.name
    a, b = thermo.read(alone), thermo.read(directory)
    np.testing.assert_allclose(a["potential_energy_eV"][:5], b["potential_energy_eV"][:5],
                               atol=1e-4)
    assert provenance.read(directory)["ensemble"]


# --- damage ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broken_off(whole, tmp_path_factory):
    """The run ``whole`` once more, its LAMMPS killed after 60 rows; its build folder."""
    folder = tmp_path_factory.mktemp("broken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "BUILD", folder)
        interrupt(whole[0], rows=60)
    return folder


def cut_in_half(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def lose_a_row(directory):
    rows = (directory / thermo.FILE).read_text().splitlines(keepends=True)
    (directory / thermo.FILE).write_text("".join(rows[:10] + rows[11:]))


DAMAGE = {
    "newest restart deleted": (lambda d, r: r[-1].unlink(), "older"),
    "newest restart truncated": (lambda d, r: cut_in_half(r[-1]), "older"),
    "all restarts deleted": (lambda d, r: [file.unlink() for file in r], "anew"),
    "table truncated": (lambda d, r: cut_in_half(d / thermo.FILE), "anew"),
    "table without one row": (lambda d, r: lose_a_row(d), "anew"),
    "trajectory truncated": (lambda d, r: cut_in_half(d / trajectory.FILE), "anew"),
    "progress truncated": (lambda d, r: cut_in_half(d / "progress.json"), "newest"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_said_and_mended(damage, whole, broken_off, build, capfd):
    heated, _ = whole
    shutil.copytree(broken_off / "runs", build / "runs")
    directory = provenance.directory("runs", heated.name, heated.recipe())
    (older, _), (newest, _) = heating._restarts(directory)
    do, outcome = DAMAGE[damage]
    do(directory, [file for _, file in heating._restarts(directory)])
    assert heating._rewind(directory, heated) == {"older": older, "newest": newest, "anew": 0}[
        outcome]
    said = capfd.readouterr().out
    assert ("starts anew" in said) == (outcome == "anew")
    if damage in ("newest restart truncated", "table without one row"):  # two go all the way
        assert heating.run(heated, compress=False) == directory
        holds_every_sample_once(heated, directory)


FULL = """
mount -t tmpfs -o size=1m tmpfs "$1" || exit 77
"$2" -c "$3" "$1" "$4" 2> "$1.first" && exit 1
mount -o remount,size=64m "$1"
"$2" -c "$3" "$1" "$4" 2> "$1.second" || exit 2
cp -r "$1"/runs/* "$5"
"""
CALL = """
import sys, json, pathlib
from helpers import heating, paths
heating._SPARE_BYTES = -10**9  # nothing warns: the disk is written full
paths.BUILD = pathlib.Path(sys.argv[1])
heating.run(heating.HeatingRun(**json.loads(sys.argv[2])), restart_every_ps=0.05, compress=False)
"""


def test_a_full_disk(potential, tmp_path):
    """A file system of 1 MB is written full by the real LAMMPS; with room the run goes on."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare here: a small file system cannot be mounted")
    heated = heating_run(potential, frame_every_ps=0.0005, equilibration_ps=0.0)
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", FULL, "sh", str(disk),
         sys.executable, CALL, json.dumps(asdict(heated)), str(kept)],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode == 77 or "unshare" in done.stdout:
        pytest.skip(f"no small file system can be mounted here: {done.stdout.strip()}")
    first = (tmp_path / "disk.first").read_text()
    assert done.returncode == 0, done.stdout + first[-2000:]
    assert re.search("disk is full|is the disk full", first), first[-2000:]
    holds_every_sample_once(heated, next(kept.iterdir()))


def test_a_nearly_full_disk_stops_the_run(potential, build, monkeypatch):
    usage = shutil.disk_usage(build)._replace(free=1000)
    monkeypatch.setattr(heating.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(heating.DamagedRun, match="disk is full.*make room and call again"):
        heating.run(heating_run(potential), compress=False)


# --- killed ---------------------------------------------------------------------------------

KILLS = 20


def test_killed_at_twenty_random_moments(tmp_path, monkeypatch):
    """ATP, 68 atoms: Python or LAMMPS killed with -9 twenty times, resumed by the same call.

    Counts are exact. Values are those of the uninterrupted run up to the first restart, and then
    drift apart: a restarted LAMMPS sums the same forces in another order, and molecular dynamics
    is chaotic. What must agree are averages.
    """
    seed = int(os.environ.get("ZIF4_KILL_SEED", random.randrange(10**6)))
    print(f"ZIF4_KILL_SEED={seed}")
    rng = random.Random(seed)
    heated = heating.HeatingRun(
        "Znim2-ABW", "atp", 300.0, 400.0, 100.0, equilibration_ps=0.1, thermo_every_ps=0.005,
        frame_every_ps=0.01)
    monkeypatch.setattr(paths, "BUILD", paths.ROOT / "build")
    compressed = models.compress("atp").parents[1]
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compressed").symlink_to(compressed)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "whole")
    whole = heating.run(heated)

    monkeypatch.setattr(paths, "BUILD", tmp_path / "killed")
    monkeypatch.setenv("ZIF4_BUILD", str(tmp_path / "killed"))  # of the server's children
    directory = provenance.directory("runs", heated.name, heated.recipe())
    server = multiprocessing.get_context("forkserver")  # imports TensorFlow once, not 20 times
    server.set_forkserver_preload(["helpers.heating", "deepmd.infer"])
    targets = sorted(rng.uniform(0, 0.95) * heated.total_steps for _ in range(KILLS))
    restarted = []
    for target in targets:
        process = server.Process(target=heating.run, args=(heated,),
                                 kwargs={"restart_every_ps": 0.02})
        process.start()
        fence = directory / ".lammps"
        before = fence.read_text() if fence.exists() else ""
        if rng.random() < 0.25:  # while it starts up
            time.sleep(rng.uniform(0, 4))
        else:
            wait_for(lambda: rows_up_to(directory) >= target and fence.read_text() != before)  # noqa: B023
            time.sleep(rng.uniform(0, 0.05))
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            if rng.random() < 0.3:
                os.killpg(int(fence.read_text()), signal.SIGKILL)
        process.kill()
        process.join()
        assert not (directory / provenance.FILE).exists(), "finished too early: no test"
        restarted.append(max((s for s, _ in heating._restarts(directory)), default=0))
    assert heating.run(heated) == directory

    table, frames_ = holds_every_sample_once(heated, directory)
    expected, whole_frames = holds_every_sample_once(heated, whole)
    assert provenance.read(directory)["sessions"] > KILLS // 4
    first = min(step for step in restarted if step) if any(restarted) else 0
    same = table["step"] <= max(first, 10)
    columns = ["temperature_K", "density_g_cm3", "potential_energy_eV", "cell_a_A"]
    np.testing.assert_allclose(table[same][columns], expected[same][columns], rtol=1e-5)
    np.testing.assert_array_equal(table["target_temperature_K"], expected["target_temperature_K"])
    drift = (table["potential_energy_eV"] - expected["potential_energy_eV"]).abs()
    moved = np.abs(frames_.positions - whole_frames.positions).max(axis=(1, 2))
    print(f"{provenance.read(directory)['sessions']} sessions; restarts at {sorted(set(restarted))}"
          f"; energies differ by up to {drift.max():.1e} eV, positions by {moved.max():.1e} A, the "
          f"first of them at step {table['step'][drift > 1e-4].min()}")
    # of 68 atoms T fluctuates by T sqrt(2/3N) = 10 %; correlated over some 0.05 ps of 1.1 ps
    assert abs(table["temperature_K"].mean() - expected["temperature_K"].mean()) < 0.1 * 350 * 5 / (
        1.1 / 0.1) ** 0.5


def rows_up_to(directory):
    """The last step in the table, or -1."""
    rows = heating._rows(directory / thermo.FILE) if directory.exists() else []
    return int(rows[-1].split(",")[0]) if rows else -1


def test_python_killed_leaves_no_lammps_behind(potential, build):
    heated = heating_run(potential)
    directory = provenance.directory("runs", heated.name, heated.recipe())
    call = CALL.replace("heating._SPARE_BYTES", "_")
    process = subprocess.Popen([sys.executable, "-c", call, str(build), json.dumps(asdict(heated))],
                               stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: rows_up_to(directory) > 0)
        with pytest.raises(provenance.DirectoryBusy, match=str(process.pid)):
            heating.run(heated, compress=False)
    finally:
        process.kill()
        process.wait()
    number = int((directory / ".lammps").read_text())
    wait_for(lambda: not running(number), seconds=20)


def test_a_lock_held_on_another_node_kills_nobody_here(tmp_path, monkeypatch):
    """The number in the file is then that of another process on this machine."""
    other = subprocess.Popen(["sleep", "600"], start_new_session=True)
    ours = subprocess.Popen(["sleep", "600"], start_new_session=True, cwd=tmp_path)
    clock = iter(range(0, 1000, 5))
    monkeypatch.setattr(heating.time, "monotonic", lambda: next(clock))
    try:
        with open(tmp_path / ".lammps", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            for process in (other, ours):
                (tmp_path / ".lammps").write_text(str(process.pid))
                with pytest.raises(provenance.DirectoryBusy, match=f"group {process.pid}"):
                    with heating._no_orphan(tmp_path):
                        pass
        assert other.poll() is None and ours.wait(20) == -signal.SIGKILL
    finally:
        other.kill()
        ours.kill()
        other.wait()


def running(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


# --- progress -------------------------------------------------------------------------------


def test_progress_without_a_terminal_is_a_few_lines(potential, build, monkeypatch, capfd):
    monkeypatch.setattr(heating, "_SAY_S", 0.0)
    heating.run(heating_run(potential), compress=False)
    out, err = capfd.readouterr()
    lines = [line for line in out.splitlines() if "g/cm3" in line]
    assert 1 <= len(lines) <= 21 and "\r" not in out and "step/s" not in err
    assert re.search(r"step \d+ of 1200, T \d+ K, \d\.\d+ g/cm3, \d+\.\d+ ns/day, \d+ min left",
                     lines[0])


def test_progress_in_a_terminal_is_one_line(potential, build):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 140))
    call = CALL.replace("heating._SPARE_BYTES", "_")
    process = subprocess.Popen(
        [sys.executable, "-c", call, str(build), json.dumps(asdict(heating_run(potential)))],
        stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):  # the terminal is closed by the end of the program
        while part := os.read(ours, 4096):
            text += part
    assert process.wait() == 0
    bars = [line for line in text.decode().split("\r") if "1200/1200" in line]
    assert "g/cm3" in bars[-1] and "ns/day" in bars[-1]
    assert text.count(b"\n") < 10


def test_core_time_counts_the_ranks_of_each_session(tmp_path, monkeypatch):
    """10 s on one rank, then, after a kill, 5 s on two: 20 core-seconds in 15 s."""
    recipe = ladder.recipe("atp-20Kps")
    clock, file = [0.0], tmp_path / thermo.FILE
    monkeypatch.setattr(heating.time, "monotonic", lambda: clock[0])
    row = dict.fromkeys(thermo.COLUMNS, 0.0) | {
        "temperature_K": 300.0, "target_temperature_K": 300.0, "volume_A3": 4400.0}
    file.write_text(",".join(thermo.COLUMNS) + "\n")
    step = 0
    for cores, seconds in ((1, 10.0), (2, 5.0)):
        progress = heating._Progress(tmp_path, recipe)
        with progress.bar(step, cores):
            for _ in range(2):
                step += 200
                with open(file, "a") as table:
                    table.write(",".join(map(str, (row | {"step": step}).values())) + "\n")
                progress.update()
                clock[0] += seconds
    assert (progress.md_seconds, progress.core_seconds) == (15.0, 20.0)
    assert progress.md_steps == 400
