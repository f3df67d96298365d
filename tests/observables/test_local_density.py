import numpy as np
import pytest
from ase.build import bulk
from ase.data import vdw_radii
from scipy.stats import binom

from helpers import structures
from helpers.observables import local_density, neighbors, void_fraction

TRICLINIC = np.array([[15.4, 0, 0], [-4.0, 15.4, 0], [2.0, 3.0, 18.4]])


def test_every_atom_is_counted_once_and_the_mean_is_n_over_v():
    rng = np.random.default_rng(0)
    cells = TRICLINIC * np.array([1.0, 1.02, 1.05])[:, None, None]
    positions = rng.normal(0, 40, (3, 272, 3))  # far outside the cell
    found = local_density.local_density(positions, cells)
    assert found.counts.sum(axis=(1, 2, 3)).tolist() == [272] * 3
    np.testing.assert_allclose(found.density.mean(axis=(1, 2, 3)), 272 / np.linalg.det(cells))


def test_true_edge_is_reported():
    found = local_density.local_density(np.zeros((1, 1, 3)), TRICLINIC[None])
    assert found.counts.shape == (1, 3, 3, 4)
    np.testing.assert_allclose(found.edges * [3, 3, 4], np.linalg.norm(TRICLINIC, axis=1))


def test_lattice_fills_all_boxes_alike_and_a_void_shows_in_its_place():
    grid = (np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5) / 8
    cell = np.diag([20.0, 20, 20])
    assert (local_density.local_density([grid @ cell], [cell]).counts == 8).all()
    left = grid[~((grid < 0.25).all(axis=1))]
    counts = local_density.local_density([left @ cell], [cell]).counts[0]
    assert counts[0, 0, 0] == 0 and (np.delete(counts.ravel(), 0) == 8).all()


def test_ideal_gas_is_poisson():
    rng = np.random.default_rng(1)
    positions = rng.random((50, 1000, 3)) @ TRICLINIC
    found = local_density.local_density(positions, np.broadcast_to(TRICLINIC, (50, 3, 3)))
    p = 1 / 36
    assert found.counts.var() == pytest.approx(1000 * p * (1 - p), rel=0.1)
    density, share = found.distribution()
    assert share.sum() == pytest.approx(1)
    np.testing.assert_allclose(share, binom.pmf(np.arange(len(share)), 1000, p), atol=0.02)
    assert (density * share).sum() == pytest.approx(1000 / np.linalg.det(TRICLINIC))


def frames_of(positions, cell):
    return positions, np.broadcast_to(cell, (len(positions), 3, 3))


CUBE = np.eye(3) * 40.0


def planted_wave(n_frames, n_atoms, amplitude, seed=0):
    """A gas whose density is 1 + amplitude sin(2 pi x / L), by rejection."""
    rng = np.random.default_rng(seed)
    positions = []
    for _ in range(n_frames):
        x = rng.random((4 * n_atoms, 3))
        keep = rng.random(len(x)) * (1 + amplitude) < 1 + amplitude * np.sin(2 * np.pi * x[:, 0])
        positions.append(x[keep][:n_atoms] @ CUBE)
    return frames_of(np.array(positions), CUBE)


def test_gas_is_as_uneven_as_a_gas_and_a_lattice_is_even():
    gas = local_density.thrown_at_random(2000, np.tile(CUBE, (40, 1, 1)))
    assert gas.unevenness() == pytest.approx(1, abs=0.05)
    assert abs(gas.unevenness() - 1) < 4 * gas.unevenness_error()
    near = gas.correlation().iloc[0]
    assert near["correlation"] == pytest.approx(-1 / 511, abs=4 * near["error"])
    grid = np.stack(np.meshgrid(*[np.arange(16)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5
    lattice = local_density.local_density(*frames_of((grid * 2.5)[None], CUBE))
    assert lattice.unevenness() == 0


def test_planted_wave_shows_its_amplitude_its_length_and_that_it_lasts():
    amplitude, n_atoms = 0.6, 4000
    wave = local_density.local_density(*planted_wave(20, n_atoms, amplitude))
    mean = n_atoms / 512
    # counts vary by Poisson plus the wave averaged over boxes an eighth of its length wide
    inside = amplitude * np.sinc(1 / 8)
    assert wave.unevenness() == pytest.approx(1 + mean * inside**2 / 2, rel=0.07)
    seen = wave.correlation()
    assert seen["correlation"].iloc[0] > 10 * seen["error"].iloc[0] > 0
    table = local_density.heterogeneity(
        {"wave": wave, "gas": local_density.thrown_at_random(n_atoms, np.tile(CUBE, (20, 1, 1)))}
    )
    shown = local_density.table(table)
    assert shown["window"].tolist() == ["wave", "gas"] and "±" in shown["unevenness"][0]
    lasting = dict(zip(table["stage"], table["lasting_percent"], strict=True))
    assert lasting["gas"] == pytest.approx(100 / 20, abs=1.5)
    share = mean * inside**2 / 2
    assert lasting["wave"] == pytest.approx(100 * (share + 1 / 20) / (share + 1), abs=5)


def test_correlation_sees_a_wave_change_sign_at_half_its_length():
    cell = np.diag([40.0, 5.0, 5.0])
    rng = np.random.default_rng(3)
    x = rng.random((60, 4000, 3))
    keep = rng.random((60, 4000)) * 2 < 1 + np.sin(2 * np.pi * x[..., 0])
    positions = np.array([a[k][:1500] for a, k in zip(x, keep, strict=True)]) @ cell
    seen = local_density.local_density(*frames_of(positions, cell)).correlation()
    np.testing.assert_allclose(seen["distance_A"], [5, 10, 15, 20])
    np.testing.assert_allclose(seen["correlation"], np.cos(np.arange(1, 5) * np.pi / 4), atol=0.08)


def test_void_of_one_ball_and_of_touching_spheres():
    ball = void_fraction.void_fraction([[0.3, 0.2, 9.9]], np.eye(3) * 10, ["C"], 2.3, 0.1)
    assert 1 - ball == pytest.approx(4 / 3 * np.pi * 4.0**3 / 1000, abs=0.002)  # 1.7 + 2.3 A
    fcc = bulk("C", "fcc", a=2 * np.sqrt(2) * 1.7)
    free = void_fraction.void_fraction(fcc.positions, fcc.cell.array, ["C"], 0, 0.03)
    assert free == pytest.approx(1 - np.pi / np.sqrt(18), abs=0.005)


def test_void_is_what_random_points_find_in_a_real_crystal():
    atoms = structures.load("ZIF-4")
    rng = np.random.default_rng(0)
    points = rng.random((4000, 3)) @ atoms.cell.array
    radius = vdw_radii[atoms.numbers] + 1.2
    i, j, d, _ = neighbors.pairs(
        np.concatenate([points, atoms.positions]),
        atoms.cell.array,
        np.arange(4000),
        4000 + np.arange(len(atoms)),
        radius.max(),
    )
    covered = np.unique(i[d < radius[j - 4000]])
    found = void_fraction.void_fraction(atoms.positions, atoms.cell.array, atoms.symbols)
    p = 1 - len(covered) / 4000
    assert found == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 4000) + 0.003)


def test_void_refuses_bad_input():
    with pytest.raises(ValueError, match="spacing"):
        void_fraction.void_fraction([[0, 0, 0]], np.eye(3) * 5, ["C"], spacing=0)
    with pytest.raises(ValueError, match="NaN"):
        void_fraction.void_fraction([[np.nan, 0, 0]], np.eye(3) * 5, ["C"])


def test_a_coordinate_just_below_zero_stays_inside():
    found = local_density.local_density([[[-1e-17, 0, 0]]], [np.eye(3) * 10])
    assert found.counts.sum() == 1


def test_refuses_bad_input():
    with pytest.raises(ValueError, match="finite"):
        local_density.local_density([[[np.nan, 0, 0]]], [np.eye(3)])
    with pytest.raises(ValueError, match="positive"):
        local_density.local_density([[[0, 0, 0]]], [np.eye(3)], edge=0)
