"""What is measured in correlated samples, against pymbar."""

import numpy as np
import pytest
from pymbar import timeseries

from helpers import statistics


def correlated(memory, n=4000, seed=0):
    """x_t = a x_{t-1} + noise, which forgets within ``memory`` samples."""
    rng = np.random.default_rng(seed)
    x = np.zeros(n)
    for t, kick in enumerate(rng.normal(size=n - 1)):
        x[t + 1] = np.exp(-1 / memory) * x[t] + kick
    return x - x.mean()


@pytest.mark.parametrize("memory", [5, 40, 300])
def test_statistical_inefficiency_is_pymbars(memory):
    x = correlated(memory)
    theirs = timeseries.statistical_inefficiency(x)
    assert statistics.statistical_inefficiency(x) == pytest.approx(theirs, rel=1e-9)
    assert theirs > memory / 2


def test_independent_samples_count_fully():
    x = np.random.default_rng(1).normal(size=4000)
    theirs = timeseries.statistical_inefficiency(x)  # it goes on for three lags at least
    assert statistics.statistical_inefficiency(x) == pytest.approx(theirs, abs=0.1)
    assert statistics.statistical_inefficiency(np.zeros(10)) == 1


def test_block_means_leave_out_the_first_samples():
    assert statistics.block_means(np.arange(7.0), 3).tolist() == [1.5, 3.5, 5.5]


def test_resampled_blocks_keep_neighbours():
    drawn = statistics.resample_blocks(np.random.default_rng(0), np.arange(50), 5)
    assert len(drawn) == 50 and (np.diff(drawn.reshape(10, 5), axis=1) == 1).all()
