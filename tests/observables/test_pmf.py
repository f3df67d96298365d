import numpy as np
import pytest
from scipy.constants import R

from helpers.observables import pmf, rdf

r = np.arange(0.025, 8, 0.05)


def two_wells(barrier_kJ, T, r=r):
    """g(r) whose -kT ln g has wells of depth ``barrier_kJ`` at 2 and 4.2 A (bottom: g = e^3)."""
    w = -np.exp(-30 * (r - 2) ** 2) - np.exp(-8 * (r - 4.2) ** 2)
    return np.exp(3 - barrier_kJ * (1 + w) / (R * T / 1000))


def test_inverts_the_boltzmann_factor():
    w = np.linspace(-5, 40, 50)
    g = np.exp(-w / (R * 1500 / 1000))
    np.testing.assert_allclose(pmf.pmf(np.linspace(1, 5, 50), g, 1500).w, w)


def test_never_visited_is_nan_not_infinite():
    found = pmf.pmf([1.0, 2.0], [0.0, 1.0], 300)
    assert np.isnan(found.w[0]) and found.w[1] == 0


@pytest.mark.parametrize("T, barrier", [(1500, 40.0), (1800, 54.0), (2500, 30.0)])
def test_barrier_of_a_known_potential(T, barrier):
    found = pmf.pmf(r, two_wells(barrier, T), T).activation_free_energy(window=0.05)
    assert found.dF == pytest.approx(barrier, abs=0.3)
    assert found.r_bound == pytest.approx(2.0, abs=0.03)
    fine = np.linspace(2.2, 4.0, 2000)
    top = fine[np.argmin(two_wells(barrier, T, fine))]
    assert found.r_barrier == pytest.approx(top, abs=0.05)
    assert np.isnan(found.error)


def sample(g, n, seed=3):
    ideal = n * r**2
    return np.random.default_rng(seed).poisson(g * ideal) / ideal, ideal


def test_error_covers_the_truth_and_shrinks_with_statistics():
    T, barrier = 1800, 40.0
    found = [
        pmf.pmf(r, *sample(two_wells(barrier, T), n)[:1], T, n * r**2).activation_free_energy()
        for n in (200, 20000)
    ]
    assert found[1].error < found[0].error / 5
    for one in found:
        assert abs(one.dF - barrier) < 3 * one.error + 1.0  # 1: the window's average


def test_unsampled_barrier_is_an_error_with_a_true_lower_bound():
    T, barrier = 500, 120.0
    g, ideal = sample(two_wells(barrier, T), 50)
    with pytest.raises(pmf.BarrierNotSampled, match="not sampled at 500 K: 0 pairs") as caught:
        pmf.pmf(r, g, T, ideal).activation_free_energy()
    assert 5 < caught.value.lower_bound < barrier
    with pytest.raises(pmf.BarrierNotSampled) as caught:
        pmf.pmf(r, g, T).activation_free_energy()
    assert np.isnan(caught.value.lower_bound)


def flat_valley(barrier_kJ, T):
    """g(r) of a bond at 2 A (g = 30), a shell at 4.2 A, and between them a flat valley."""
    w = -np.exp(-(((r - 2) / 0.3) ** 2)) - np.exp(-(((r - 4.2) / 0.3) ** 2))
    g = 30 * np.exp(-barrier_kJ * (1 + w) / (R * T / 1000))
    return np.where(r < 1.5, 0, np.where(r > 4.2, np.maximum(g, 1), g))


def lower_bound(g, ideal, T, **options):
    return pmf.pmf(r, g, T, ideal).lower_bound(**options)


# barrier and statistics: no pair to sixty in the window
@pytest.mark.parametrize("barrier, n", [(150.0, 3), (100.0, 0.5), (80.0, 0.5), (80.0, 3)])
def test_lower_bound_lies_below_the_true_barrier_in_95_of_100_draws(barrier, n):
    T, g = 1800, flat_valley(barrier, 1800)
    ideal, rng = 3 * n * r**2, np.random.default_rng(0)
    bounds = [lower_bound(rng.poisson(g * ideal) / ideal, ideal, T) for _ in range(400)]
    share = np.mean(np.array(bounds) < barrier)
    assert share > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 400)
    if barrier == 80:  # many pairs: no more often than it says, either
        assert share < 0.95 + 3 * np.sqrt(0.95 * 0.05 / 400)


def test_lower_bound_is_the_exact_poisson_limit_and_does_not_follow_empty_bins():
    T, kT, ideal = 1000, R, 100 * r**2
    g = flat_valley(300.0, T)
    valley = (r > 2.8) & (r < 3.5)
    for counts, limit in ((0, 2.9957), (1, 4.7439), (10, 16.962)):  # Garwood's table, 95 %
        for where in (np.flatnonzero(valley)[0], np.flatnonzero(valley)[-1]):
            seen = np.where(valley, 0, g)
            seen[where] = counts / ideal[where]
            expected = kT * np.log(30 * ideal[valley].sum() / limit)
            assert lower_bound(seen, ideal, T) == pytest.approx(expected, abs=0.05 * kT)


def test_lower_bound_of_a_sampled_barrier_and_where_there_is_none():
    T, ideal = 1800, 3000 * r**2
    g = flat_valley(60.0, T)
    one = pmf.pmf(r, g, T, ideal)
    barrier = one.activation_free_energy()
    assert 0.95 * barrier.dF < barrier.lower_bound == one.lower_bound() < barrier.dF
    assert np.isnan(one.lower_bound(valley=(2.8, 4.5)))  # beyond the second peak
    assert np.isnan(pmf.pmf(r, g, T).lower_bound())
    other = one.activation_free_energy(convention="distance")
    assert other.dF - 4 < other.lower_bound < other.dF


def test_pairs_that_come_in_clumps_bound_less():
    T, barrier, clump = 1800, 80.0, 5
    g, rng = flat_valley(barrier, T), np.random.default_rng(1)
    ideal, blocks = 9 * r**2, 25
    valley, share = (r > 2.8) & (r < 3.5), np.full(blocks, 1 / blocks)
    below = []
    for _ in range(300):
        counts = np.tile(g * ideal / blocks, (blocks, 1))
        counts[:, valley] = clump * rng.poisson(counts[:, valley] / clump)
        seen = counts.sum(axis=0) / ideal
        blind, aware = (
            pmf.PMF(r, g, seen, T, ideal, None, *known).lower_bound()
            for known in ((), (counts, share))
        )
        assert aware <= blind
        below.append((blind < barrier, aware < barrier))
    assert np.mean(below, axis=0)[0] < 0.85 and np.mean(below, axis=0)[1] > 0.92


def test_more_frames_raise_the_lower_bound():
    bounds = []
    for n in (50, 5000):
        g, ideal = sample(two_wells(200.0, 500), n)
        table = pmf.activation_free_energies([pmf.pmf(r, g, 500, ideal)])
        assert table["dF_kJ_mol"].isna().all()
        bounds.append(table["lower_bound_kJ_mol"][0])
    assert bounds[1] - bounds[0] == pytest.approx(R * 0.5 * np.log(100), abs=1)


def test_no_second_peak_is_no_barrier():
    with pytest.raises(pmf.NoBarrier, match="no second peak"):
        pmf.pmf(r, 20 * np.exp(-((r - 2) ** 2) / 0.02), 900).activation_free_energy()


def test_line_goes_exactly_through_exact_points():
    T = np.array([1000, 1300, 1600, 1900.0])
    line = pmf.free_energy_line(T, 163.1 - T * 60.7 / 1000, np.full(4, 2.0))
    assert (line.dU, line.dS) == pytest.approx((163.1, 60.7))
    assert line.at(840)[0] == pytest.approx(163.1 - 0.840 * 60.7)
    assert line.at(1450)[1] == pytest.approx(1.0)  # 2/sqrt(4), at the centre of the points
    assert line.at(300)[1] > line.at(1450)[1]


def test_errors_of_the_line_are_those_of_repeated_experiments():
    T, sigma = np.linspace(900, 2100, 7), np.linspace(1, 6, 7)
    rng = np.random.default_rng(0)
    lines = [
        pmf.free_energy_line(T, 150 - 0.05 * T + rng.normal(0, sigma), sigma) for _ in range(400)
    ]
    assert np.std([l.dU for l in lines]) == pytest.approx(
        np.median([l.dU_error for l in lines]), rel=0.2
    )
    pull = [(l.at(840)[0] - 108) / l.at(840)[1] for l in lines]
    assert np.std(pull) == pytest.approx(1, abs=0.2)


def test_weights_matter():
    T, F = [1000, 1500, 2000], [100, 75, 90]
    line = pmf.free_energy_line(T, F, [1, 1, 1000])
    assert line.at(1000)[0] == pytest.approx(100, abs=0.1)


def test_unsampled_temperatures_are_left_out_and_too_few_refused():
    line = pmf.free_energy_line([300, 1000, 2000], [np.nan, 100, 50], [np.nan, 1, 1])
    assert (line.n_points, line.dS) == (2, pytest.approx(50))
    with pytest.raises(pmf.LineNotDetermined, match="two temperatures"):
        pmf.free_energy_line([300, 1000], [np.nan, 100], [np.nan, 1])


def test_harmonic_pairs_have_their_potential_as_pmf():
    T, k, r0 = 600, 400.0, 2.0  # K, kJ/mol/A^2, A
    kT = R * T / 1000
    rng = np.random.default_rng(6)
    grid = np.stack(np.meshgrid(*[np.arange(8)] * 3), -1).reshape(-1, 3) * 8.0
    frames = []
    for _ in range(60):
        # p(r) ~ r^2 exp(-U/kT), by rejection from the Gaussian
        length = rng.normal(r0, np.sqrt(kT / k), 4000)
        length = length[rng.random(4000) < (length / 3) ** 2][: len(grid)]
        way = rng.normal(size=(len(grid), 3))
        way *= length[:, None] / np.linalg.norm(way, axis=1)[:, None]
        frames.append((np.concatenate([grid, grid + way]), np.eye(3) * 64.0))
    found = rdf.rdfs(frames, ["Zn"] * 512 + ["N"] * 512, 4.0, 0.02)["Zn", "N"]
    whole = pmf.from_rdf(found, T)
    work = whole.w
    near = np.abs(found.r - r0) < 0.3
    potential = k / 2 * (found.r - r0) ** 2
    difference = (work - potential)[near]
    weight = found.counts[near]
    difference -= np.average(difference, weights=weight)
    assert np.abs(difference / (kT / np.sqrt(weight))).max() < 5  # Poisson errors
    assert np.ptp(potential[near]) > 3 * kT
    ratio = whole.error[near] / (kT / np.sqrt(weight))
    assert np.median(ratio[weight > 50]) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("T", [900, 1800])
def test_conventions_differ_by_the_entropy_of_the_shell(T):
    work = pmf.pmf(r, two_wells(40.0, T), T)
    one = work.activation_free_energy()
    other = work.activation_free_energy(convention="distance")
    assert one.dF - other.dF == pytest.approx(
        2 * R * T / 1000 * np.log(one.r_barrier / one.r_bound)
    )
    with pytest.raises(ValueError, match="'g' or 'distance'"):
        work.activation_free_energy(convention="r")


def sampled_runs(dU, dS, pairs=3000, copies=1, seed=0, blocks=20):
    """T -> RDF with the barrier dU - T dS; every frame comes ``copies`` times, in one block."""
    rng = np.random.default_rng(seed)
    edges = np.append(r - 0.025, r[-1] + 0.025)
    runs = {}
    for T in (1000, 1200, 1400, 1600, 1800):
        ideal = pairs * r**2
        mean = two_wells(dU - T * dS, T) * ideal / blocks
        counts = copies * rng.poisson(mean / copies, (blocks, len(r)))
        total = counts.sum(axis=0)
        runs[T] = rdf.RDF(
            ("Zn", "N"),
            r,
            total / ideal,
            0 * r,
            blocks,
            edges,
            total,
            ideal,
            counts,
            np.full(len(counts), 1 / len(counts)),
        )
    return runs


def test_bootstrapped_line_holds_the_truth_and_its_interval_is_that_of_repetitions():
    found = [pmf.bootstrap(sampled_runs(90.0, 0.02, seed=s), n=60, seed=s)[1] for s in range(12)]
    spread = np.std([line.dU for line in found], ddof=1)
    low, high = np.mean([line.interval()[0] for line in found], axis=0)
    assert (high - low) / 4 == pytest.approx(spread, rel=0.5)
    # the window's average over the barrier's top lowers dF by about as much everywhere
    inside = [line.interval(1400)[0] for line in found]
    assert np.mean([(lo - 2 < 90 - 28 < hi + 2) for lo, hi in inside]) > 0.8


def test_the_lowest_of_noisy_windows_is_put_right():
    T, edges = 1800, np.append(r - 0.025, r[-1] + 0.025)
    g, ideal, rng = flat_valley(80.0, T), 12 * r**2, np.random.default_rng(0)
    truth = pmf.pmf(r, g, T, 1e9 * ideal).activation_free_energy().dF
    raw, mended = [], []
    for seed in range(20):
        counts = {t: rng.poisson(g * ideal / 20, (20, len(r))) for t in (T, T + 1)}
        runs = {
            t: rdf.RDF(
                ("Zn", "N"),
                r,
                c.sum(axis=0) / ideal,
                0 * r,
                20,
                edges,
                c.sum(axis=0),
                ideal,
                c,
                np.full(20, 0.05),
            )
            for t, c in counts.items()
        }
        raw += [pmf.from_rdf(one, T).activation_free_energy().dF - truth for one in runs.values()]
        table, _ = pmf.bootstrap(runs, n=60, seed=seed)
        mended += list((table["dF_kJ_mol"] - truth) / table["error_kJ_mol"])
    assert np.mean(raw) > 2.5  # kJ/mol too high
    assert abs(np.mean(mended)) < 1 and np.mean(np.abs(mended) < 2) >= 0.9


def test_frames_that_repeat_widen_the_interval():
    def width(copies):
        _, line = pmf.bootstrap(sampled_runs(90.0, 0.02, copies=copies), n=100)
        return np.ptp(line.interval()[0])

    assert width(5) > 1.5 * width(1)


def test_line_without_resampling_has_no_interval_and_cold_runs_no_line():
    line = pmf.free_energy_line([1000, 1300, 1600], [100, 85, 70.1], [1, 1, 1])
    with pytest.raises(ValueError, match="bootstrap"):
        line.interval()
    with pytest.raises(pmf.LineNotDetermined):
        pmf.bootstrap(sampled_runs(400.0, 0.0), n=5)
