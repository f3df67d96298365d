"""Differences of two Lennard-Jones crystals, whose energies are known; the shipped ones whole."""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from lammps_dump import dump

from helpers import provenance, structures
from helpers.frames import correction
from helpers.md import thermo, trajectory
from helpers.potentials import store
from helpers.recipes import volumes
from helpers.validation import calculators, energy_differences

WEAK, STRONG = 0.01, 0.03  # eV


@pytest.fixture
def run(tmp_path, set_to, monkeypatch):
    """A run of 12.5 ps with a frame every 0.5 ps; the reference binds three times as much."""
    set_to(build=tmp_path / "build")
    steps = np.arange(0, 12501, 500)
    pd.DataFrame({c: np.zeros(len(steps)) for c in thermo.COLUMNS}).assign(
        step=steps, time_ps=steps / 1000, target_temperature_K=300.0
    ).to_csv(tmp_path / thermo.FILE, index=False)
    start = structures.load("Znim2-ABW")
    cell, rng = np.diag(start.cell.lengths()), np.random.default_rng(2)
    xyz = [start.get_scaled_positions() @ cell + rng.normal(0, 0.1, (68, 3)) for _ in steps]
    text = dump([cell] * len(steps), xyz, start.get_chemical_symbols(), steps)
    (tmp_path / trajectory.FILE).write_text(text)
    provenance.write(tmp_path, kind="runs", recipe={"of": "a test"}, description="frames")
    asked = []

    def calculator(name, symbols):
        asked.append(name)
        depth = STRONG if name == calculators.REFERENCE else WEAK
        return LennardJones(sigma=1.5, epsilon=depth, rc=5.0)

    monkeypatch.setattr(energy_differences, "_opened", calculator)
    return tmp_path, asked


def test_frames_apart_and_their_differences(run):
    directory, asked = run
    table = energy_differences.of_run(directory, "atp", 2.2)
    assert table["time_ps"].tolist() == [2.5, 7.5, 12.5]
    every = trajectory.read(directory)
    for row, i in zip(table.itertuples(), (5, 15, 25), strict=True):
        atoms = Atoms(every.symbols, every.positions[i], cell=every.cells[i], pbc=True)
        atoms.calc = LennardJones(sigma=1.5, epsilon=STRONG - WEAK, rc=5.0)
        energy = 1e3 * atoms.get_potential_energy() / len(atoms)
        assert row.difference_meV_per_atom == pytest.approx(energy, rel=1e-5)
        pressure = -atoms.get_stress()[:3].mean() * 1.602176634e6  # eV/A^3 in bar
        assert row.pressure_difference_bar == pytest.approx(pressure, rel=1e-5)
    again = energy_differences.of_run(directory, "atp", 2.2)
    assert again.equals(table) and len(asked) == 2


def test_a_killed_one_goes_on_behind_its_last_whole_row(run):
    directory, _ = run
    table = energy_differences.of_run(directory, "atp", 2.2)
    (kept,) = (directory / "build" / "validation").glob("energies-*")
    file = kept / "rows.csv"
    lines = file.read_text().splitlines(keepends=True)
    (kept / "provenance.json").unlink()
    file.write_text("".join(lines[:2]) + lines[2][:9])
    assert energy_differences.of_run(directory, "atp", 2.2).equals(table)
    assert file.read_text() == "".join(lines)


def test_a_short_run_is_refused(run):
    directory, _ = run
    with pytest.raises(ValueError, match="has 1 frames that are 5 ps apart"):
        energy_differences.of_run(directory, "atp", 11.0)


def test_the_shipped_ones_are_whole_and_corrected():
    """Of the crystal at 300 K the corrected reference and atp agree: that is what it learnt."""
    points, _ = volumes.points(["volumes"], "ZIF-4", "atp")
    frames, absent = energy_differences.of_runs(points, "ZIF-4", "atp")
    used = points[(points["refused"] == "") & (points["n_atoms"] == 272)]
    assert absent == "" and set(frames["name"]) == set(used["name"])
    assert (frames.groupby("name").size() == 5).all()
    assert frames["difference_meV_per_atom"].abs().max() < 15
    law = correction.of(store.load("atp").directory)["ZIF-4"]
    assert abs(law.energy(20.5)[0] - law.energy(14.5)[0]) > 3
    without, absent = energy_differences.of_runs(points, "ZIF-4", "round-5")
    assert without.empty and "not corrected" in absent
