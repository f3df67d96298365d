import numpy as np
import pytest
import ruptures

from helpers import statistics
from helpers.observables import density_stages

T = np.linspace(300, 2100, 9000)


def noise(scale, seed, correlation=20):
    white = np.random.default_rng(seed).normal(0, 1, len(T) + correlation)
    return scale * np.convolve(white, np.ones(correlation), "valid")[: len(T)] / correlation**0.5


def paper_like():
    """Expands to 1300 K, falls by 12 % to 1400 K, stays low to 1550 K, dense again from there."""
    rho = 1.2 - 3e-5 * (T - 300)
    rho = rho - 0.14 * np.clip((T - 1300) / 100, 0, 1)
    return np.where(T > 1550, rho + 0.13, rho)


@pytest.mark.parametrize("scale", [0.0, 0.01, 0.02])
def test_planted_stages_are_found(scale):
    for seed in range(3):
        found = density_stages.find(T, paper_like() + noise(scale, seed))
        assert [s.name for s in found] == ["crystal", "pre-melt", "low density", "return"]
        assert max(s.low_error_K for s in found[1:]) < 60
        for stage, low in zip(found[1:], (1300, 1400, 1550), strict=True):
            assert stage.low_K == pytest.approx(low, abs=2 * stage.low_error_K)
        assert found[0].slope_per_K == pytest.approx(-3e-5, abs=1.5e-5)
        assert found[0].low_K == T[0] and found[-1].high_K == T[-1]
        assert found[2].deviation == pytest.approx(-0.14 / 1.165, abs=0.03)


def test_melt_is_given_by_motion_and_cuts_what_the_density_calls_otherwise():
    found = density_stages.find(T, paper_like(), melt_K=1700.0)
    assert [s.name for s in found] == ["crystal", "pre-melt", "low density", "return", "melt"]
    assert found[-1].low_K == 1700 and found[-2].high_K == 1700


@pytest.mark.parametrize("slope", [0.0, -8e-5, 5e-5])
def test_expansion_and_slow_noise_are_one_stage(slope):
    """Also with fluctuations that last 100 K, as those of a small cell heated fast."""
    wrong = 0
    for seed in range(10):
        rho = 1.2 + slope * (T - 300) + noise(0.01, seed) + noise(0.006, seed + 50, 500)
        wrong += [s.name for s in density_stages.find(T, rho, n_bootstrap=5)] != ["crystal"]
    assert wrong <= 1


def test_collapse_is_dense():
    rho = 1.2 + 0.15 / (1 + np.exp(-(T - 900) / 10)) + noise(0.01, 1)
    found = density_stages.find(T, rho)
    assert found[0].name == "crystal" and found[-1].name == "dense"
    assert found[1].low_K == pytest.approx(900, abs=60)


@pytest.mark.parametrize("peak, name", [(0.10, "return"), (0.13, "return"), (0.25, "dense")])
def test_an_excursion_from_the_low_density_is_no_pre_melt(peak, name):
    """Falls by 0.14 at 1080 K; from 1660 to 1740 K it comes back by ``peak``, sloping down."""
    rho = 1.15 - np.where(T > 1080, 0.14, 0)
    inside = (T > 1660) & (T < 1740)
    rho = rho + np.where(inside, peak - 5e-4 * (T - 1700), 0) + noise(0.003, 2)
    names = [s.name for s in density_stages.find(T, rho)]
    assert names == ["crystal", "low density", name, "low density"]


def test_a_small_way_back_is_still_low_density():
    rho = 1.15 - np.where(T > 1080, 0.14, 0) + np.where(T > 1500, 0.05, 0) + noise(0.003, 2)
    assert [s.name for s in density_stages.find(T, rho)] == ["crystal", "low density"]


def vibration():
    """The displacement of harmonic atoms, as the square root of T."""
    return 0.5 * np.sqrt(T / 300)


@pytest.mark.parametrize("at", [700, 1080, 1700])
def test_onset_of_a_planted_jump_is_found_within_its_error(at):
    for seed in range(3):
        found = density_stages.onset(T, vibration() + np.where(T > at, 1.0, 0) + noise(0.05, seed))
        assert found.temperature_K == pytest.approx(at, abs=2 * found.error_K)
        assert found.error_K < 60
        assert found.after - found.before == pytest.approx(1.0, abs=0.3)


def test_a_ramp_that_sets_in_slowly_is_found_not_before_it_begins():
    found = density_stages.onset(T, vibration() + np.clip((T - 1200) / 200, 0, 2) + noise(0.03, 1))
    assert 1150 < found.temperature_K < 1450


def test_vibration_and_slow_swings_have_no_onset():
    for seed in range(5):
        assert (
            density_stages.onset(
                T, vibration() + noise(0.05, seed) + noise(0.05, seed + 9, 500), n_bootstrap=5
            )
            is None
        )
    assert density_stages.onset([300.0], [0.0]) is None
    assert density_stages.onset(T, np.zeros(len(T))) is None
    with pytest.raises(ValueError, match="do not fit"):
        density_stages.onset([300.0, 400.0], [1.0])


def test_short_runs_and_refusals():
    assert [s.name for s in density_stages.find([300.0], [1.2])] == ["crystal"]
    assert len(density_stages.find(np.linspace(300, 340, 9), np.ones(9))) == 1
    with pytest.raises(ValueError, match="do not fit"):
        density_stages.find([300.0, 400.0], [1.0])
    with pytest.raises(ValueError, match="finite"):
        density_stages.find([300.0], [np.nan])


def test_stays_above():
    values = np.array([0, 2, 5, 1, 4, 5, 6.0])
    assert density_stages.stays_above(np.arange(7) * 100.0, values, 3) == 400
    assert density_stages.stays_above(np.arange(7) * 100.0, values, 10) is None
    assert density_stages.stays_above([300.0, 310.0], [4, 4], 3) == 300


@pytest.mark.parametrize("seed", range(3))
def test_pieces_are_those_of_ruptures(seed):
    """The optimal partition into k straight pieces, by an independent dynamic programme."""
    bins = statistics.bin_by_temperature(T, paper_like() + noise(0.02, seed), 30.0)
    t, rho = bins["temperature_K"].to_numpy(), bins["mean"].to_numpy()
    signal = np.column_stack([rho, t - t.mean(), np.ones_like(t)])
    theirs = ruptures.Dynp(model="linear", min_size=3, jump=1).fit(signal)
    for k, mine in enumerate(density_stages._pieces(t, rho, 5)):
        # theirs end with the number of bins, mine begin with 0
        assert mine.tolist() == [0, *theirs.predict(n_bkps=k)[:-1]]
