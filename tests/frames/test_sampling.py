"""Sampling MD on a real calculator: thermostat, ramp, and a run that is killed."""

import ase.io
import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from helpers.frames import sampling
from helpers.frames.sampling import Ramp


@pytest.fixture
def copper():
    return bulk("Cu", cubic=True) * (2, 2, 2)


def test_ramp_reaches_its_ends():
    ramp = Ramp(steps=10, temperature_K=(300, 500), strain=(0, 0.1))
    assert ramp.at(0) == (300, 0)
    assert ramp.at(5) == (400, pytest.approx(0.05))
    assert ramp.at(10) == (500, pytest.approx(0.1))


def test_every_step_is_a_labelled_frame(copper, tmp_path):
    ramp = Ramp(steps=6, temperature_K=(300, 300), strain=(0, 0.03), timestep_fs=2)
    path = sampling.run(copper, ramp, EMT(), tmp_path / "run" / "t.extxyz")
    frames = ase.io.read(path, index=":")
    assert [frame.info["step"] for frame in frames] == list(range(6))
    for frame in frames:
        again = frame.copy()
        again.calc = EMT()
        assert frame.get_potential_energy() == pytest.approx(again.get_potential_energy(), abs=1e-5)
        np.testing.assert_allclose(frame.get_forces(), again.get_forces(), atol=1e-5)
        np.testing.assert_allclose(frame.get_stress(), again.get_stress(), atol=1e-6)
    ratio = frames[5].cell.lengths() / copper.cell.lengths()
    np.testing.assert_allclose(ratio, 1 + 0.03 * 5 / 6)


def test_thermostat_holds_the_temperature(copper, tmp_path):
    ramp = Ramp(steps=400, temperature_K=(600, 600), timestep_fs=4, friction_per_fs=0.02)
    frames = ase.io.read(sampling.run(copper, ramp, EMT(), tmp_path / "t.extxyz"), index="150:")
    mean = np.mean([frame.get_temperature() for frame in frames])
    assert mean == pytest.approx(600, rel=0.12)  # 32 atoms: 3 sigma of a correlated mean


class Wells(Calculator):
    """Every atom in a harmonic well of its own, k |x - x0|^2 / 2."""

    implemented_properties = ("energy", "forces", "stress")
    k = 20.0  # eV/A^2: with 10 fs steps and the mass of Cu (omega dt)^2 is 0.3

    def calculate(self, atoms, properties=("energy",), changes=all_changes):
        super().calculate(atoms, properties, changes)
        if "home" not in vars(self):
            self.home = atoms.positions.copy()
        moved = atoms.positions - self.home
        self.results = {
            "energy": self.k * (moved**2).sum() / 2,
            "forces": -self.k * moved,
            "stress": np.zeros(6),
        }


def test_baoab_fills_harmonic_wells_as_boltzmann_says(copper, tmp_path):
    """<x^2> = kT/k at any step; plain Verlet makes it kT/k / (1 - (omega dt)^2 / 4), 8 % more."""
    ramp = Ramp(1500, (600, 600), timestep_fs=10, friction_per_fs=0.01, thermostat="baoab")
    wells = Wells()
    frames = ase.io.read(sampling.run(copper, ramp, wells, tmp_path / "t.extxyz"), index="200:")
    square = np.mean([(frame.positions - wells.home) ** 2 for frame in frames])
    assert square * Wells.k / (units.kB * 600) == pytest.approx(1, rel=0.03)


def test_a_thermostat_that_cannot_follow_the_cell_is_refused():
    with pytest.raises(ValueError, match="constant strain only"):
        Ramp(10, (300, 300), strain=(0, 0.1), thermostat="baoab")
    with pytest.raises(ValueError, match="wanted: langevin or baoab"):
        Ramp(10, (300, 300), thermostat="nose")


@pytest.mark.parametrize("cut", [0, 1, 700])
@pytest.mark.parametrize("thermostat", ["langevin", "baoab"])
def test_killed_run_goes_on_without_lost_or_doubled_frames(copper, tmp_path, cut, thermostat):
    ramp = Ramp(8, (300, 900), seed=3, thermostat=thermostat)
    whole = sampling.run(copper, ramp, EMT(), tmp_path / "a.extxyz")
    text = whole.read_text()
    half = len("".join(text.splitlines(keepends=True)[: 5 * (len(copper) + 2)]))
    broken = tmp_path / "b.extxyz"
    broken.write_text(text[: half + cut])  # five whole frames, and a piece of the sixth
    sampling.run(copper, ramp, EMT(), broken)
    first, second = (ase.io.read(path, index=":") for path in (whole, broken))
    assert [frame.info["step"] for frame in second] == list(range(8))
    for a, b in zip(first, second, strict=True):  # the file keeps 8 decimals
        np.testing.assert_allclose(a.positions, b.positions, atol=1e-5)


@pytest.mark.parametrize("cut", [0, 1, 700])
def test_whole_frames_stay_as_they_are_and_a_cut_off_one_goes(copper, tmp_path, cut):
    """A file of other digits than ours: writing it again would change it."""
    whole = sampling.run(copper, Ramp(3, (300, 300)), EMT(), tmp_path / "w.extxyz").read_text()
    whole = whole.replace("e-0", "E-0").replace("  ", "   ")
    broken = tmp_path / "b.extxyz"
    broken.write_text(whole + whole[:cut])
    written = broken.stat().st_mtime_ns
    assert len(sampling.whole_frames(broken)) == 3
    assert broken.read_text() == whole
    assert cut or broken.stat().st_mtime_ns == written
    broken.write_text(whole[:-1])  # no newline: the last number may lack digits
    assert len(sampling.whole_frames(broken)) == 2 and whole.startswith(broken.read_text())
    assert sampling.whole_frames(tmp_path / "none.extxyz") == []


def test_keep_every(copper, tmp_path):
    path = sampling.run(copper, Ramp(7, (300, 300), keep_every=3), EMT(), tmp_path / "t.extxyz")
    assert [frame.info["step"] for frame in ase.io.read(path, index=":")] == [0, 3, 6]


def test_relax_moves_only_what_it_may(tmp_path):
    from ase import Atoms

    pair = Atoms("CuAu", [[0, 0, 0], [0, 0, 2.0]], cell=[8, 8, 8], pbc=True)
    last = sampling.relax(pair, EMT(), tmp_path / "r.extxyz", fmax=0.01, steps=50, only="Au")
    assert np.allclose(last.positions[0], 0)
    assert abs(last.get_forces()[1]).max() < 0.01
    assert last.positions[1, 2] > 2.2


def test_guard_stops_the_run_and_keeps_what_it_has(copper, tmp_path):
    def guard(atoms):
        return "too far" if len(kept) == 3 else kept.append(atoms)

    kept = []
    with pytest.raises(sampling.Unphysical, match="step 3: too far"):
        sampling.run(copper, Ramp(9, (300, 300)), EMT(), tmp_path / "t.extxyz", guard=guard)
    assert len(ase.io.read(tmp_path / "t.extxyz", index=":")) == 3
