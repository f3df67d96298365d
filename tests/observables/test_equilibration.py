"""Series whose equilibrium is known: correlated noise, drifts, swings that die away."""

import numpy as np
import pytest

from helpers.observables import equilibration

TIME = np.arange(0, 20, 0.1)


def noise(rng, correlation=0.8):
    """First-order autoregression of unit variance."""
    x = np.empty(len(TIME))
    x[0] = rng.normal()
    for i in range(1, len(TIME)):
        x[i] = correlation * x[i - 1] + np.sqrt(1 - correlation**2) * rng.normal()
    return x


def share(make, n=100, **how):
    found = [
        equilibration.judge(TIME, make(np.random.default_rng(seed)), **how).ok for seed in range(n)
    ]
    return np.mean(found)


def test_equilibrium_is_seldom_denied():
    assert share(noise) > 0.85
    assert share(lambda rng: 5 + noise(rng), target=5.0) > 0.8


@pytest.mark.parametrize(
    "make, how",
    [
        (lambda rng: noise(rng) + 0.5 * TIME, {}),
        (lambda rng: noise(rng, 0.3) + 12 * np.exp(-TIME / 8) * np.cos(2 * np.pi * TIME / 2.2), {}),
        (lambda rng: noise(rng) + 3, {"target": 0.0}),
    ],
    ids=["drift", "swing of a barostat that dies away", "wrong mean"],
)
def test_what_is_no_equilibrium(make, how):
    assert share(make, 50, **how) < 0.1


def test_a_random_walk_has_no_equilibrium():
    """Now and then it turns back and looks like one; mostly it does not."""
    assert share(lambda rng: np.cumsum(rng.normal(size=len(TIME))), 50) < 0.4


def test_a_start_that_is_left_out():
    """Behind a short transient the mean and its error are those of what follows."""
    found = equilibration.judge(
        TIME, noise(np.random.default_rng(2)) + 30 * np.exp(-TIME / 0.5), target=0.0
    )
    assert found.ok and 0.5 < found.from_ps < 6 and abs(found.mean) < 3 * found.error


def test_samples_agree_with_pymbar():
    """Where it begins is a matter of noise, as long as as many samples are left."""
    timeseries = pytest.importorskip("pymbar.timeseries")
    for seed in range(5, 10):
        x = noise(np.random.default_rng(seed)) + 10 * np.exp(-TIME / 2)
        theirs = timeseries.detect_equilibration(x, fast=False)[2]
        assert equilibration.judge(TIME, x).samples == pytest.approx(theirs, rel=0.35)


def test_too_little_and_wrong():
    assert "too few" in str(equilibration.judge(TIME[:5], np.ones(5)))
    with pytest.raises(ValueError, match="finite"):
        equilibration.judge(TIME, np.full(len(TIME), np.nan))
