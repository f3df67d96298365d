"""A pair correction for all frameworks: its derivatives are exact, and a known one is found."""

import numpy as np
import pytest

from helpers import structures
from helpers.frames import pair_law


@pytest.fixture(scope="module")
def atoms():
    return structures.load("Znim2-ABW")


@pytest.mark.parametrize("basis", [pair_law.splines, pair_law.tail])
def test_forces_and_stress_are_derivatives_of_the_energy(atoms, basis):
    x = pair_law.rows(atoms, basis)
    rng = np.random.default_rng(1)
    c = rng.normal(size=x.energy.shape[1])

    def energy(a):
        return len(a) * (pair_law.rows(a, basis).energy @ c)[0]

    h = 1e-4
    for atom, axis in [(0, 0), (40, 2)]:
        moved = []
        for sign in (1, -1):
            a = atoms.copy()
            a.positions[atom, axis] += sign * h
            moved.append(energy(a))
        slope = (moved[0] - moved[1]) / (2 * h)
        assert (x.force @ c)[3 * atom + axis] == pytest.approx(-slope, rel=1e-5, abs=1e-6)
    strained = []
    for sign in (1, -1):
        a = atoms.copy()
        strain = np.eye(3)
        strain[0, 0] += sign * h
        a.set_cell(a.cell.array @ strain, scale_atoms=True)
        strained.append(energy(a))
    slope = (strained[0] - strained[1]) / (2 * h * atoms.get_volume())
    assert (x.stress @ c)[0] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_the_splines_end_smoothly_at_the_cutoff():
    ends = np.array([pair_law.CUTOFF - 1e-6, pair_law.CUTOFF])
    value, slope = pair_law.splines(np.zeros(2, int), np.zeros(2, int), ends)
    assert np.abs(value).max() < 1e-12 and np.abs(slope).max() < 1e-9
    inside, _ = pair_law.splines(np.array([0]), np.array([3]), np.array([6.0]))
    assert inside.sum() == pytest.approx(1.0)  # a partition of unity, in one pair's columns


def test_a_known_pair_law_is_found_and_predicts_frames_left_out():
    frames = pair_law.prepare(pair_law.tail, ["Znim2-SOD"])
    true = np.array([1.8, 0.004])
    made = [
        pair_law.Frame(
            f.framework,
            f.phase,
            f.name,
            f.rows,
            (f.rows.energy @ true)[0],
            -(f.rows.stress[:3] @ true).mean(),
            f.matrix,
            f.matrix @ true,
        )
        for f in frames
    ]
    np.testing.assert_allclose(pair_law.solve(made, 0.0), true, rtol=1e-6)
    table = pair_law.left_out(made, 0.0, lambda f: f.name)
    assert np.abs(table["energy_off_meV_per_atom"]).max() < 1e-6
    assert np.abs(table["pressure_off_GPa"]).max() < 1e-8
