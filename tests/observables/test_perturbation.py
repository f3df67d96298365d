"""Perturbation theory against harmonic wells whose free energies are known."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from helpers import units
from helpers.observables import perturbation
from helpers.observables.perturbation import T0_K, V0_A3

N = 100
TEMPERATURES, VOLUMES = (300.0, 900.0, 1500.0), np.linspace(14.5, 20.5, 7)


def frames(mean, deviation, n=200, seed=1):
    """Frames of runs whose differences have a mean and a deviation (meV), functions of v and T."""
    rng = np.random.default_rng(seed)
    rows = []
    for T in TEMPERATURES:
        for v in VOLUMES:
            for value in rng.normal(mean(v, T), deviation(v, T), n):
                rows.append((f"{v}-{T}", T, v, value))
    columns = ["name", "temperature_K", "volume_A3", "difference_meV_per_atom"]
    return pd.DataFrame(rows, columns=columns)


def test_tilted_wells_whose_free_energy_is_known():
    """A reference that adds f x to k x^2 / 2 has F lower by f^2 / 2k: exact in second order.

    The difference of the cell is f x, normal with variance f^2 kT / k; of an atom, an Nth of it.
    """
    k = 0.02  # eV/A^2

    def f(v):  # eV/A
        return 0.2 * np.exp(0.05 * (v - V0_A3))

    def deviation(v, T):
        return 1e3 * f(v) * (units.BOLTZMANN_EV_PER_K * T / k) ** 0.5 / N

    law = perturbation.shift(frames(lambda v, T: 0 * v, deviation, 2000), N, 100)
    exact = 2 * 0.05 * f(VOLUMES) ** 2 / (2 * k * N) * units.EV_PER_A3_IN_BAR
    for T in TEMPERATURES:
        found = law.pressure_bar(VOLUMES, T)
        np.testing.assert_allclose(found[:, 0], exact, atol=0.15 * exact.max())
        assert (abs(found[:, 0] - exact) < 4 * found[:, 1:].std(axis=1)).all()
        assert abs(law.pressure_bar(VOLUMES, T, 1)[:, 0]).max() < 0.15 * exact.max()


def test_the_law_of_the_variances_is_that_of_statsmodels():
    rng = np.random.default_rng(3)
    T, v = (grid.ravel() for grid in np.meshgrid(TEMPERATURES, VOLUMES))
    n = rng.integers(3, 9, len(T))
    values = np.exp(0.3 + 1.2 * np.log(T / T0_K)) * rng.chisquare(n - 1) / (n - 1)
    basis = np.column_stack([np.ones(len(T)), np.log(T / T0_K), v - V0_A3])
    link = sm.families.Gamma(sm.families.links.Log())
    theirs = sm.GLM(values, basis, link, var_weights=n - 1).fit().params
    ours = perturbation._spread(values[:, None], n, T, v)[:, 0]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_law_that_the_frames_were_made_by_is_found_and_its_errors_are_right():
    def mean(v, T):
        x, tau = v - V0_A3, (T - T0_K) / T0_K
        return 0.01 * T + (0.3 - 0.2 * tau) * x + (0.05 + 0.02 * tau) * x**2

    def deviation(v, T):
        return np.exp(0.5 * (-1 + np.log(T / T0_K) + 0.1 * (v - V0_A3)))

    pulls = []
    for seed in range(30):
        law = perturbation.shift(frames(mean, deviation, 5, seed), N, 80)
        true = np.array([0.3, -0.2, 0.05, 0.02, -1, 1, 0.1])
        both = np.vstack([law.mean, law.spread])
        pulls.append((both[:, 0] - true) / both[:, 1:].std(axis=1, ddof=1))
        assert law.frames == 105 and law.freedom == 21 - 7
        assert abs(law.skewness) < 5 * law.skewness_error
    size = np.sqrt(np.mean(np.square(pulls), axis=0))
    assert (size > 0.5).all() and (size < 1.8).all(), size


def test_runs_that_differ_by_more_than_their_frames_widen_the_errors():
    table = frames(lambda v, T: 0 * v, lambda v, T: 0.3, 5)
    apart = dict(zip(table["name"].unique(), np.tile([3, -3, 0], 7), strict=True))
    table["difference_meV_per_atom"] += table["name"].map(apart)
    law = perturbation.shift(table, N, 50)
    assert law.factor > 5
    calm = perturbation.shift(frames(lambda v, T: 0 * v, lambda v, T: 0.3, 5), N, 50)
    assert law.mean[0, 1:].std() > 5 * calm.mean[0, 1:].std()


def test_the_third_order_is_that_of_the_cumulants():
    law = perturbation.shift(frames(lambda v, T: v, lambda v, T: 0.5 + 0.05 * v, 20), N, 10)
    v, T, step = np.array([17.0]), 900.0, 1e-3
    beta = 1e-3 * N / (units.BOLTZMANN_EV_PER_K * T)

    def free(v):
        s2 = law.variance(v, T)[:, 0]
        return -beta * s2 / 2 + beta**2 * law.skewness * s2**1.5 / 6

    slope = (free(v + step) - free(v - step)) / (2 * step)
    added = law.pressure_bar(v, T, skewness=law.skewness)[:, 0] - law.pressure_bar(v, T, 1)[:, 0]
    np.testing.assert_allclose(added, -slope * 1e-3 * units.EV_PER_A3_IN_BAR, rtol=1e-4)


def test_what_is_too_little_is_refused():
    table = frames(lambda v, T: v, lambda v, T: 1, 5)
    with pytest.raises(ValueError, match="too few for a law of 5"):
        perturbation.shift(table[table["temperature_K"] == 300], N)
    with pytest.raises(ValueError, match="one frame tells no scatter"):
        perturbation.shift(table.drop_duplicates("name"), N)
