import freud
import numpy as np
import pytest

from helpers import displacement

SYMBOLS = ["Zn"] * 4 + ["N"] * 6


def test_known_walk_of_one_element():
    positions = np.random.default_rng(0).random((1, 10, 3)).repeat(5, 0)
    positions[:, 4:7, 0] += np.arange(5)[:, None]  # three N go right,
    positions[:, 7:, 0] -= np.arange(5)[:, None]  # three go left: no drift
    found = displacement.rmsd(positions, SYMBOLS)
    np.testing.assert_allclose(found["N"], np.arange(5))
    np.testing.assert_allclose(found["Zn"], 0, atol=1e-12)
    np.testing.assert_allclose(displacement.rmsd(positions, SYMBOLS, reference=-1)["N"][0], 4)


def test_drift_of_the_whole_is_no_displacement():
    positions = np.random.default_rng(1).random((1, 10, 3)) + np.arange(4)[:, None, None] * 3.0
    for values in displacement.rmsd(positions, SYMBOLS).values():
        np.testing.assert_allclose(values, 0, atol=1e-12)


def test_swelling_of_the_cell_is_taken_off_with_cells_only():
    scale = np.array([1.0, 1.1, 1.2])[:, None, None]
    cells = np.array([[10.0, 0, 0], [-3, 9, 0], [1, 2, 8]]) * scale
    positions = (np.random.default_rng(2).random((10, 3)) @ cells[0])[None] * scale
    assert displacement.rmsd(positions, SYMBOLS)["N"][-1] > 0.1
    for values in displacement.rmsd(positions, SYMBOLS, cells=cells).values():
        np.testing.assert_allclose(values, 0, atol=1e-12)


def test_square_is_freuds_mean_squared_displacement():
    steps = np.random.default_rng(3).normal(size=(20, 10, 3))
    positions = np.cumsum(steps - steps.mean(axis=1, keepdims=True), axis=0)
    theirs = freud.msd.MSD(mode="direct").compute(positions)
    # freud averages over atoms of one kind: all atoms here, equal masses, no drift
    mine = displacement.rmsd(positions, ["N"] * 10)["N"]
    np.testing.assert_allclose(mine**2, theirs.msd, rtol=1e-5)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        displacement.rmsd(np.zeros((2, 3, 3)), SYMBOLS)
