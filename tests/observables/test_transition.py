import numpy as np
import pytest
import ruptures

from helpers import statistics
from helpers.observables import transition

T = np.linspace(300, 2000, 8500)


def noise(scale, seed, correlation=20):
    """Correlated noise, as thermo output every 0.1 ps has it."""
    white = np.random.default_rng(seed).normal(0, 1, len(T) + correlation)
    return scale * np.convolve(white, np.ones(correlation), "valid")[: len(T)] / correlation**0.5


def fall(Tf, depth, width=150.0):
    """Solid that expands, then falls by ``depth`` within ``width`` and gets denser again."""
    rho = 1.22 - 2e-5 * (T - 300)
    rho = rho - depth * np.clip((T - Tf) / width, 0, 1)
    return rho + 0.1 * np.clip((T - Tf - 2 * width) / 300, 0, 1)


def test_the_last_frame_of_a_run_makes_no_bin_of_its_own():
    T = [300.0, 599.9, 600.0, 899.9, 900.0]
    assert statistics.bins(T, 300).tolist() == [300, 300, 600, 600, 900]
    assert statistics.bins(T, 300, close_end=True).tolist() == [300, 300, 600, 600, 600]
    assert statistics.bins(T[:-1], 300, close_end=True).tolist() == [300, 300, 600, 600]
    assert statistics.bins([300.0, 300.0], 300, close_end=True).tolist() == [300, 300]


@pytest.mark.parametrize("Tf", [700.0, 1432.0])
@pytest.mark.parametrize("scale", [0.0, 0.01])
def test_finds_a_known_bend(Tf, scale):
    found = transition.transition_temperature(T, fall(Tf, 0.15) + noise(scale, 5))
    assert found.found, found.reason
    assert found.Tf == pytest.approx(Tf, abs=max(15, 3 * found.error))
    assert f"{found.Tf:.0f}" in str(found)


def test_a_sudden_fall_into_a_phase_that_lasts():
    """Nine tenths of the run lie behind it, and its noise is a third of the fall."""
    rho = 1.17 - 3e-5 * (T - 300)
    sudden = rho * (1 - 0.14 * np.clip((T - 1070) / 20, 0, 1))
    for seed in range(6):
        found = transition.transition_temperature(T, sudden + noise(0.03, seed, 100))
        assert found.found and abs(found.Tf - 1070) < 3 * found.error + 10, found
        assert abs(found.fallen_K - 1090) < 60 and 0.08 < found.drop < 0.2
        assert not transition.transition_temperature(T, rho + noise(0.03, seed, 100)).found


def test_error_is_the_scatter_of_repeated_runs():
    runs = [
        transition.transition_temperature(T, fall(1200, 0.12) + noise(0.02, s), n_bootstrap=60)
        for s in range(15)
    ]
    assert all(run.found for run in runs)
    scatter = np.std([run.Tf for run in runs])
    assert 0.4 < scatter / np.mean([run.error for run in runs]) < 2.5


@pytest.mark.parametrize("slope", [0.0, -8e-5, 1e-4])
def test_thermal_expansion_is_no_transition(slope):
    for seed in range(10):
        rho = 1.2 + slope * (T - 300) + noise(0.015, seed)
        found = transition.transition_temperature(T, rho, n_bootstrap=20)
        assert not found.found and np.isnan(found.Tf)
        assert str(found).startswith("no transition found: ")


def test_collapse_to_a_denser_phase_is_no_fall():
    rho = 1.2 + 0.2 * np.clip((T - 1000) / 200, 0, 1) + noise(0.01, 1)
    found = transition.transition_temperature(T, rho)
    assert not found.found and "rises" in found.reason


def test_a_short_run_says_so():
    found = transition.transition_temperature(np.linspace(300, 320, 50), np.ones(50))
    assert not found.found and "bins" in found.reason
    assert not transition.transition_temperature([300.0], [1.0]).found


def test_bins():
    found = statistics.bin_by_temperature([301, 305, 315, 341], [1.0, 3.0, 5.0, np.nan], 10)
    assert found["mean"].tolist() == [2, 5] and found["n"].tolist() == [2, 1]
    assert found["error"][0] == pytest.approx(1) and np.isnan(found["error"][1])
    assert found["temperature_K"].tolist() == [303, 315]


def test_refuses_arrays_that_do_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        transition.transition_temperature([300, 400], [1.0])


def test_inefficiency_of_a_known_correlation():
    """x_t = a x_{t-1} + noise has g = (1 + a) / (1 - a)."""
    rng = np.random.default_rng(3)
    assert statistics.statistical_inefficiency(rng.normal(size=20000)) == pytest.approx(1, abs=0.1)
    x = np.zeros(50000)
    for t, kick in enumerate(rng.normal(size=len(x) - 1)):
        x[t + 1] = 0.8 * x[t] + kick
    assert statistics.statistical_inefficiency(x) == pytest.approx(9, rel=0.2)


def test_errors_of_bins_are_those_of_correlated_samples():
    values = [noise(0.01, seed) for seed in range(40)]
    binned = [statistics.bin_by_temperature(T, v, 100.0) for v in values]
    scatter = np.std([b["mean"] for b in binned], axis=0).mean()
    assert np.mean([b["error"].mean() for b in binned]) == pytest.approx(scatter, rel=0.25)


def test_slow_fluctuations_are_no_transition_and_widen_its_error():
    """Noise that lasts over many bins, as the breathing of a small cell that is heated fast."""
    found = [
        transition.transition_temperature(T, 1.2 + noise(0.012, s, 400), n_bootstrap=20)
        for s in range(10)
    ]
    assert sum(one.found for one in found) <= 1
    runs = [
        transition.transition_temperature(T, fall(1200, 0.2) + noise(0.01, s, 200), n_bootstrap=60)
        for s in range(12)
    ]
    assert all(run.found for run in runs)
    inside = [abs(run.Tf - 1200) < 2 * run.error + 10 for run in runs]
    assert np.mean(inside) > 0.7


@pytest.mark.parametrize("seed", range(3))
def test_the_broken_line_breaks_where_ruptures_cuts(seed):
    """Three free pieces, by dynamic programming, begin and end where the broken line bends."""
    rho = 1.22 - 2e-5 * (T - 300) - 0.2 * np.clip((T - 1200) / 300, 0, 1)
    rho = rho + noise(0.004, seed)
    mine = transition.transition_temperature(T, rho)
    bins = statistics.bin_by_temperature(T, rho, 20.0)
    t, mean = bins["temperature_K"].to_numpy(), bins["mean"].to_numpy()
    signal = np.column_stack([mean, t - t.mean(), np.ones_like(t)])
    theirs = ruptures.Dynp(model="linear", min_size=3, jump=1).fit(signal).predict(n_bkps=2)
    begins, ends = ((t[cut - 1] + t[cut]) / 2 for cut in theirs[:-1])
    assert mine.found and mine.Tf == pytest.approx(begins, abs=20 + 2 * mine.error)
    assert mine.fallen_K == pytest.approx(ends, abs=20 + 2 * mine.error)


def test_transition_by_methods():
    rng = np.random.default_rng(0)
    T = np.linspace(300, 2100, 9000)
    noise = rng.normal(0, 0.01, 9000)
    density = 1.2 - 2e-5 * T - 8e-4 * np.clip(T - 1400, 0, 200) + noise
    found = transition.by_methods(T, density)
    assert found.found and abs(found.Tf - 1400) < 5 * found.error + 10
    flat = transition.by_methods(T, 1.2 - 2e-5 * T + noise)
    assert not flat.found and "no transition" in str(flat)


def test_widths_of_bins_that_disagree_by_more_than_a_quarter_of_the_range_are_no_transition(
    monkeypatch,
):
    """As claims-10Kps-seed2, whose bend lay at 764 K or at 1750 K, and which counted as a fall."""
    found = transition.by_methods(T, fall(1200, 0.2) + noise(0.01, 1))
    assert found.found
    monkeypatch.setattr(transition, "VAGUE", found.error / (found.fit_until_K - 300) / 1.01)
    none = transition.by_methods(T, fall(1200, 0.2) + noise(0.01, 1))
    assert not none.found and np.isnan(none.Tf) and "too vague" in str(none)


def slow_noise(seed, scale, n=900, correlation=60):
    """Noise that lasts: what one small cell makes of its density."""
    white = np.random.default_rng(seed).normal(0, scale, n + correlation)
    return np.convolve(white, np.ones(correlation), "valid")[:n] / correlation**0.5


def test_a_cell_that_opens_closes_and_opens_again():
    """The fall that counts is the first; without the way back the whole run shows it."""
    T = np.linspace(600, 1600, 2500)
    open_ = ((T > 1080) & (T < 1220)) | (T > 1290)
    rho = 1.16 - 4e-5 * (T - 600) - 0.15 * open_ + slow_noise(3, 0.02, n=len(T), correlation=40)
    found = transition.by_methods(T, rho)
    assert found.found and found.Tf == pytest.approx(1080, abs=40)
    assert "comes back at 12" in found.reason
