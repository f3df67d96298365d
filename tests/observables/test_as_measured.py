"""A model seen as a measurement: parts, floors, and its agreement with a curve of its own."""

from dataclasses import replace

import numpy as np
import pytest

from helpers import structures
from helpers.observables import as_measured, scattering
from helpers.observables.pair_distribution import Transform

Q = np.arange(0.5, 24, 0.05)
r = np.arange(0.5, 12, 0.02)
OPTICS = Transform(23.0, "top hat", 0.1)


@pytest.fixture(scope="module")
def crystal():
    atoms = structures.load("Znim2-ABW")
    atoms.rattle(0.05, seed=1)
    frames = [(atoms.positions, atoms.cell.array)]
    symbols = atoms.get_chemical_symbols()
    return as_measured.seen(frames, symbols, Q, r, OPTICS, "mean square"), atoms


def test_parts_add_up_and_floors_are_the_density(crystal):
    one, atoms = crystal
    np.testing.assert_allclose(sum(one.parts.values()), one.D)
    assert one.density == pytest.approx(len(atoms) / atoms.get_volume())
    assert (one.n_atoms, one.n_frames) == (68, 1)
    # the parts of electrons add up to (sum c Z)^2 / (sum c Z^2)
    Z = atoms.numbers.astype(float)
    share = Z.mean() ** 2 / (Z**2).mean()
    assert sum(one.floors.values()) == pytest.approx(4 * np.pi * one.density * share, rel=0.01)
    # where no pair is, a part is its floor, ripples aside: no two Zn are nearer than 5 A
    near = one.r < 3.5
    slope = (one.r[near] @ one.parts["Zn", "Zn"][near]) / (one.r[near] @ one.r[near])
    assert slope == pytest.approx(-one.floors["Zn", "Zn"], rel=0.3)


def test_peaks_stand_where_the_bonds_are(crystal):
    one, atoms = crystal
    windows = {"Zn-N": (1.8, 2.3), "ligand": (1.1, 1.7)}
    shares = as_measured.peak_shares(one, windows).set_index("peak")
    distances = atoms.get_all_distances(mic=True)[atoms.symbols == "Zn"][:, atoms.symbols == "N"]
    bonds = distances[distances < 2.4]
    assert shares.loc["Zn-N", "position_A"] == pytest.approx(bonds.mean(), abs=0.03)
    assert shares.loc["Zn-N", "made of"].startswith("Zn–N")
    assert shares.loc["ligand", "made of"].startswith("N–C")


def test_a_model_agrees_with_itself_at_any_scale(crystal):
    one, _ = crystal
    table = as_measured.agreements({"itself": one}, 0.6 * one.D).iloc[0]
    assert table["Rw 1-10 A"] == pytest.approx(0, abs=1e-9)
    assert table["scale"] == pytest.approx(0.6)
    assert table["stretch"] == pytest.approx(1, abs=1e-4)
    assert np.isnan(table["Rw 4 A to half cell"])  # half the cell is no more than 4 A
    shorter = as_measured.agreements({"it": one}, np.interp(r * 1.02, r, one.D)).iloc[0]
    assert shorter["stretch"] == pytest.approx(1 / 1.02, abs=1e-3)
    assert shorter["Rw stretched"] < 0.05 < shorter["Rw 1-10 A"]


def test_a_long_range_with_images_is_the_same_as_a_supercell(crystal):
    """The images of a small cell are the atoms of a larger one."""
    one, atoms = crystal
    big = atoms.repeat((2, 2, 3))
    other = as_measured.seen(
        [(big.positions, big.cell.array)],
        big.get_chemical_symbols(),
        Q,
        r,
        OPTICS,
        "mean square",
    )
    np.testing.assert_allclose(other.D, one.D, atol=1e-9)
    np.testing.assert_allclose(other.F, one.F, atol=1e-9)
    assert other.half_cell_A > one.half_cell_A


def test_neutrons_and_ions_see_something_else(crystal):
    one, atoms = crystal
    given = [(atoms.positions, atoms.cell.array)], atoms.get_chemical_symbols(), Q, r, OPTICS
    neutrons = as_measured.seen(*given, "mean square", kind="neutron")
    assert neutrons.parts["C", "H"].min() < -0.5  # hydrogen's length is negative
    ions = as_measured.seen(*given, "mean square", charges={"Zn": 2})
    assert 0.001 < np.abs(ions.D - one.D).max() < 0.2


def test_F_has_no_ripples_of_the_end_of_g(crystal):
    """F is of g(r) with a Lorch window; a step at 20 A would ring with a period of 0.31 1/A."""
    one, _ = crystal
    assert scattering.WINDOWS == ("step", "lorch")
    assert np.abs(np.diff(one.F, 2)[Q[1:-1] > 8]).max() < 0.05


def test_error_of_samples_is_the_jackknife_of_their_mean(crystal):
    one, _ = crystal
    rng = np.random.default_rng(1)
    noisy = [replace(one, D=one.D + rng.normal(0, 0.3, len(r))) for _ in range(8)]
    mean = as_measured.together(noisy)
    np.testing.assert_allclose(mean.D, np.mean([sample.D for sample in noisy], axis=0))
    assert mean.n_frames == 8 and mean.half_cell_A == one.half_cell_A
    found = as_measured.errors({"many": noisy, "alone": [one]}, one.D).set_index("model")
    table = as_measured.agreements({"many": mean}, one.D).iloc[0]
    assert found.loc["many", "Rw"] == pytest.approx(table["Rw 1-10 A"])
    # the mean of eight is nearer than any of them, and its error is not that of one
    single = as_measured.agreements({str(k): s for k, s in enumerate(noisy)}, one.D)["Rw 1-10 A"]
    assert 0 < found.loc["many", "Rw error"] < found.loc["many", "Rw"] < single.min()
    assert found.loc["alone", "samples"] == 1 and np.isnan(found.loc["alone", "Rw error"])
    extremes = found.loc["many", ["Rw lowest", "Rw highest"]].astype(float)
    np.testing.assert_allclose(extremes, [single.min(), single.max()])
