"""Censored seeds of known distribution: means, trends, limits; Kaplan-Meier beside statsmodels."""

import numpy as np
import pytest
from scipy.stats import t as student

from helpers.observables import censored

RATES = np.array([4.0, 20.0, 50.0])


def drawn(rng, mean, scatter=60.0, seeds=6, limit=1e9, rates=RATES):
    q = np.repeat(rates, seeds)
    T = rng.normal(mean(q), scatter)
    return censored.seeds(
        q, np.where(T < limit, T, np.nan), np.zeros(len(q)), np.full(len(q), limit)
    )


def test_without_censoring_it_is_the_mean_and_students_interval():
    T = np.array([1010.0, 1100.0, 1050.0, 1120.0, 990.0])
    found = censored.by_rate(
        censored.seeds(np.full(5, 20.0), T, np.zeros(5), np.full(5, np.nan))
    ).iloc[0]
    error = T.std(ddof=1) / 5**0.5
    assert found["mean_K"] == pytest.approx(T.mean(), abs=0.5)
    assert found["scatter_K"] == pytest.approx(T.std(ddof=1), rel=0.01)
    assert found["high_K"] - T.mean() == pytest.approx(student.ppf(0.975, 4) * error, rel=0.02)


def test_censored_seeds_pull_the_mean_up():
    """Half of the seeds do not fall: the mean of the others is too low, this one is not."""
    rng, found, naive = np.random.default_rng(1), [], []
    for _ in range(20):
        given = drawn(rng, lambda q: 1200 + 0 * q, 80, 12, limit=1200, rates=np.array([20.0]))
        found.append(censored.by_rate(given)["mean_K"].iloc[0])
        naive.append(given.temperature_K[given.fell].mean())
    assert np.mean(found) == pytest.approx(1200, abs=4 * np.std(found) / 20**0.5)
    assert np.mean(naive) < 1150


def test_a_rate_at_which_nothing_falls_has_a_lower_limit():
    """The case of 50 K/ps: no number is made of seeds that only say 'above'."""
    given = censored.seeds(
        [20, 20, 20, 50, 50], [1050, 1100, 1080, np.nan, np.nan], [10] * 5,
        [np.nan, np.nan, np.nan, 1500, 1500],
    )  # fmt: skip
    fast = censored.by_rate(given).set_index("rate_K_per_ps").loc[50]
    assert np.isnan(fast["mean_K"]) and 1400 < fast["low_K"] < 1500 and fast["high_K"] == np.inf
    assert (fast["fell"], fast["censored"]) == (0, 2)


def test_seeds_that_cannot_tell_say_nothing():
    given = censored.seeds([20, 20], [1000, np.nan], [5, np.nan], [np.nan, np.nan])
    assert len(given) == 1
    with pytest.raises(ValueError, match="one of each a run"):
        censored.seeds([1, 2], [1000], [1], [np.nan])


def test_coverage_of_the_intervals():
    """95 % intervals hold the truth about that often, with a quarter of the seeds censored."""
    rng, held = np.random.default_rng(3), []
    for _ in range(60):
        given = drawn(rng, lambda q: 1100 + 0 * q, 60, 4, limit=1140)
        rows = censored.by_rate(given)
        held += list((rows["low_K"] <= 1100) & (rows["high_K"] >= 1100))
    assert 0.89 < np.mean(held) <= 1


def test_trend():
    rng = np.random.default_rng(5)
    found = censored.trend(drawn(rng, lambda q: 1000 + 150 * np.log10(q), 30, 5, limit=1240))
    assert found.probability < 0.01 and found.low_K < 150 < found.high_K and found.low_K > 0
    false = [
        censored.trend(drawn(rng, lambda q: 1000 + 0 * q, 50, 3)).probability < 0.05
        for _ in range(40)
    ]
    assert sum(false) <= 6  # 2 expected
    with pytest.raises(ValueError, match="add seeds or slower rates"):
        censored.trend(drawn(rng, lambda q: 1000 + 0 * q, rates=np.array([4.0, 20.0])))


def test_kaplan_meier_beside_statsmodels():
    survival = pytest.importorskip("statsmodels.duration.survfunc")
    for seed in range(8):
        rng = np.random.default_rng(seed)
        given = drawn(rng, lambda q: 1100 + 0 * q, 80, 5, 1150)
        theirs = survival.SurvfuncRight(given.temperature_K, given.fell.astype(int)).quantile(0.5)
        assert censored.kaplan_meier_median(given) == pytest.approx(theirs)
    nothing = censored.seeds([20] * 4, [np.nan] * 4, [0] * 4, [1500] * 4)
    assert censored.kaplan_meier_median(nothing) == np.inf
