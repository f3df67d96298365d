import freud
import MDAnalysis
import numpy as np
import pytest
from MDAnalysis.analysis.msd import EinsteinMSD

from helpers.md import snapshots
from helpers.observables import displacement

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


def walk(n_frames, n_atoms, step, seed=0):
    steps = np.random.default_rng(seed).normal(0, step, (n_frames, n_atoms, 3))
    return np.cumsum(steps, axis=0)


def test_random_walk_diffuses_as_einstein_says():
    n_atoms, step, dt = 400, 0.3, 0.02  # A, ps
    positions = walk(300, n_atoms, step)
    found = displacement.msd(positions, ["N"] * n_atoms)["N"]
    lag = np.arange(300)
    # the drift that is taken off carries 1/N of the motion
    np.testing.assert_allclose(found[1:60], 3 * step**2 * lag[1:60] * (1 - 1 / n_atoms), rtol=0.05)
    D = displacement.diffusion_coefficient(lag * dt, found, window=(0.02, 0.2))
    assert D.D == pytest.approx(step**2 / (2 * dt), rel=0.05)
    assert abs(D.D - step**2 / (2 * dt)) < 5 * D.error + 0.01 * D.D
    assert D.exponent == pytest.approx(1, abs=0.05)


def test_caged_and_flying_atoms_do_not_pass_for_diffusing_ones():
    rng = np.random.default_rng(4)
    cage = displacement.msd(rng.normal(0, 0.2, (200, 50, 3)), ["N"] * 50)["N"]
    times = np.arange(200) * 0.02
    assert abs(displacement.diffusion_coefficient(times, cage).exponent) < 0.1
    np.testing.assert_allclose(cage[1:100], 2 * 3 * 0.2**2 * 49 / 50, rtol=0.05)
    flight = np.arange(200)[:, None, None] * rng.normal(size=(1, 50, 3))
    free = displacement.msd(flight, ["N"] * 50)["N"]
    assert displacement.diffusion_coefficient(times, free).exponent == pytest.approx(2, abs=0.01)


def test_breathing_of_the_cell_is_no_motion():
    scale = (1 + 0.05 * np.sin(np.arange(40)))[:, None, None]
    cells = np.array([[10.0, 0, 0], [-3, 9, 0], [1, 2, 8]]) * scale
    positions = (np.random.default_rng(2).random((10, 3)) @ (cells[0] / scale[0]))[None] * scale
    assert displacement.msd(positions, SYMBOLS)["N"][1] > 0.01
    np.testing.assert_allclose(displacement.msd(positions, SYMBOLS, cells)["N"], 0, atol=1e-10)


def test_msd_far_from_the_origin_is_the_direct_sum_over_time_origins():
    steps = np.random.default_rng(8).normal(0, 0.05, (120, 4, 3))
    positions = 500 + np.cumsum(steps - steps.mean(axis=1, keepdims=True), axis=0)
    direct = [
        ((positions[lag:] - positions[: len(positions) - lag]) ** 2).sum(axis=2).mean()
        for lag in range(len(positions))
    ]
    found = displacement.msd(positions, ["N"] * 4)["N"]
    assert found[0] == 0
    np.testing.assert_allclose(found[1:], direct[1:], rtol=1e-4)


def test_msd_of_a_single_frame_is_zero():
    assert displacement.msd(np.ones((1, 10, 3)), SYMBOLS)["Zn"].tolist() == [0]


def test_mdanalysis_finds_the_same_msd_in_a_real_run():
    run = snapshots.of_sets(["crystal_1200"], 272)  # frames 2 fs apart, not wrapped
    zinc = run.positions[:, run.symbols == "Zn"]
    # of Zn alone: the drift that both take off is that of equal masses
    mine = displacement.msd(zinc, ["Zn"] * zinc.shape[1])["Zn"]
    universe = MDAnalysis.Universe.empty(zinc.shape[1], trajectory=True)
    universe.load_new((zinc - zinc.mean(axis=1, keepdims=True)).astype(np.float32))
    theirs = EinsteinMSD(universe, msd_type="xyz", fft=False).run().results.timeseries
    np.testing.assert_allclose(mine, theirs, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("function", [displacement.rmsd, displacement.msd])
def test_refuses_what_does_not_fit(function):
    with pytest.raises(ValueError, match="do not fit"):
        function(np.zeros((2, 3, 3)), SYMBOLS)
    with pytest.raises(ValueError, match="no frames"):
        function(np.zeros((0, 10, 3)), SYMBOLS)
    with pytest.raises(ValueError, match="NaN"):
        function(np.full((2, 10, 3), np.nan), SYMBOLS)
    with pytest.raises(ValueError, match="cells"):
        function(np.zeros((2, 10, 3)), SYMBOLS, cells=np.eye(3))
    with pytest.raises(ValueError, match="four finite lags"):
        displacement.diffusion_coefficient([0, 1, 2], [0, 1, 2])


def test_half_of_the_way_to_the_next_zn_of_the_first_frame():
    """Through the boundary: 1 and 9 of a cell of 10 A are 2 A apart; later frames do not count."""
    positions = np.zeros((2, 3, 3))
    positions[0, :, 0], positions[1, :, 0] = [1, 9, 1.5], [1, 5, 1.5]
    cells = np.array([np.eye(3) * 10.0] * 2)
    assert displacement.half_way(positions, cells, ["Zn", "Zn", "N"]) == pytest.approx(1.0)
