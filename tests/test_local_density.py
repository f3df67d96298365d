import numpy as np
import pytest
from scipy.stats import binom

from helpers import local_density

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


def test_a_coordinate_just_below_zero_stays_inside():
    found = local_density.local_density([[[-1e-17, 0, 0]]], [np.eye(3) * 10])
    assert found.counts.sum() == 1


def test_refuses_bad_input():
    with pytest.raises(ValueError, match="finite"):
        local_density.local_density([[[np.nan, 0, 0]]], [np.eye(3)])
    with pytest.raises(ValueError, match="positive"):
        local_density.local_density([[[0, 0, 0]]], [np.eye(3)], edge=0)
