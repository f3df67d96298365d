"""Argon at constant energy: conserved, resumed, and a drift that is there is found."""

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones

from helpers.frames import sampling
from helpers.validation import energy_conservation

DYNAMICS = {"temperature_K": 300, "equilibration_ps": 0.1, "duration_ps": 0.4, "timestep_fs": 2.0,
            "seed": 4, "save_every": 30}  # fmt: skip


def soft():
    return LennardJones(sigma=3.4, epsilon=0.05, rc=5.5, smooth=True)


def argon():
    return bulk("Ar", "fcc", a=5.25, cubic=True)


def test_verlet_conserves_the_energy_of_argon(tmp_path):
    table = energy_conservation.constant_energy(argon(), soft(), tmp_path, **DYNAMICS)
    drift = energy_conservation.energy_drift(table, 4)
    assert len(table) == 200 and table["time_ps"].iloc[-1] == pytest.approx(0.4)
    assert drift["fluctuation_meV_per_atom"] < 0.2
    slope, error = drift["drift_meV_per_atom_per_ps"], drift["error_meV_per_atom_per_ps"]
    assert abs(slope) < max(0.1, 4 * error)
    kinetic = table["total_energy_eV"] - table["potential_energy_eV"]
    assert kinetic.std() > 20 * table["total_energy_eV"].std(), "nothing moved"


def test_forces_that_are_no_gradient_make_the_energy_drift(tmp_path):
    class Swirl(LennardJones):
        def calculate(self, atoms=None, *arguments):
            super().calculate(atoms, *arguments)
            if atoms.get_momenta().any():  # along the momenta: the force feeds the motion
                self.results["forces"] = self.results["forces"] + 0.01 * atoms.get_velocities()

    wrong = Swirl(sigma=3.4, epsilon=0.05, rc=5.5, smooth=True)
    drift = energy_conservation.energy_drift(
        energy_conservation.constant_energy(argon(), wrong, tmp_path, **DYNAMICS), 4
    )
    slope, error = drift["drift_meV_per_atom_per_ps"], drift["error_meV_per_atom_per_ps"]
    assert slope > 0.5 and slope > 5 * error


def test_dynamics_broken_off_go_on_along_the_same_trajectory(tmp_path):
    class Killed(LennardJones):
        calls = 0

        def calculate(self, *arguments):
            Killed.calls += 1
            if Killed.calls == 110:
                raise KeyboardInterrupt
            super().calculate(*arguments)

    (tmp_path / "whole").mkdir(), (tmp_path / "broken").mkdir()
    whole = energy_conservation.constant_energy(argon(), soft(), tmp_path / "whole", **DYNAMICS)
    killed = Killed(sigma=3.4, epsilon=0.05, rc=5.5, smooth=True)
    with pytest.raises(KeyboardInterrupt):
        energy_conservation.constant_energy(argon(), killed, tmp_path / "broken", **DYNAMICS)
    again = energy_conservation.constant_energy(argon(), soft(), tmp_path / "broken", **DYNAMICS)
    pd.testing.assert_frame_equal(whole, again, atol=1e-9, rtol=1e-9)


def test_a_structure_that_flies_apart_is_said(tmp_path):
    squeezed = bulk("Ar", "fcc", a=3.9, cubic=True)
    squeezed.rattle(0.3, seed=1)
    with pytest.raises(sampling.Unphysical, match="K at step .* of a run meant for 300 K"):
        energy_conservation.constant_energy(squeezed, soft(), tmp_path, **DYNAMICS)


def test_the_drift_of_a_known_line_lies_within_its_error():
    """50 lines of slope 0.3 meV/atom/ps in correlated noise: the error is that of the slopes."""
    rng = np.random.default_rng(5)
    time = np.arange(1, 1601) * 5e-4
    found = []
    for _ in range(50):
        noise = np.convolve(rng.normal(size=1620), np.ones(21) / 21, mode="valid")
        energy = -6e4 + 272e-3 * (0.3 * time + 0.1 * noise)
        table = pd.DataFrame({"time_ps": time, "temperature_K": 1200.0, "total_energy_eV": energy})
        found.append(energy_conservation.energy_drift(table, 272))
    slopes = np.array([f["drift_meV_per_atom_per_ps"] for f in found])
    errors = np.array([f["error_meV_per_atom_per_ps"] for f in found])
    assert slopes.mean() == pytest.approx(0.3, abs=4 * slopes.std() / 7)
    assert errors.mean() == pytest.approx(slopes.std(), rel=0.35)
    with pytest.raises(ValueError, match="20 rows are too few for 16 blocks"):
        energy_conservation.energy_drift(table[:20], 272)
