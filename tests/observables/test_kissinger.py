"""Kissinger's law: known activation energies found again, limits, and the paper's three points."""

import contextlib

import numpy as np
import pytest

from helpers import units
from helpers.observables import censored, kissinger

R = units.GAS_CONSTANT_KJ_PER_MOL_K


def rate(T, E, C):
    """The law solved for the rate: q = T^2 exp(C - E/RT)."""
    return T**2 * np.exp(C - E / (R * T))


@pytest.mark.parametrize("E, C", [(300.0, 11.0), (120.0, 2.0), (600.0, 30.0)])
def test_activation_energy_is_found_again(E, C):
    T = np.linspace(1000, 1500, 6)
    law = kissinger.fit(rate(T, E, C), T)
    assert law.E_kJ_per_mol == pytest.approx(E, rel=1e-4) and law.scatter_K < 1e-3
    far = np.array([500.0, 700.0])  # fourteen powers of ten away
    np.testing.assert_allclose(law.temperature(rate(far, E, C)), far, rtol=1e-3)


def test_an_activated_transition_obeys_it():
    """A share x of sites with dx/dt = -k(T) x on a ramp is fastest at Kissinger's temperature."""
    E, frequency = 200.0, 1e3  # kJ/mol, 1/ps
    peaks, rates = [], [0.1, 1.0, 10.0, 100.0]
    for q in rates:
        T = np.linspace(300, 6000, 400_000)
        k = frequency * np.exp(-E / (R * T))
        x = np.exp(-np.concatenate([[0], np.cumsum(k[:-1] * np.diff(T) / q)]))
        peaks.append(T[np.argmax(k * x)])
    assert kissinger.fit(rates, peaks).E_kJ_per_mol == pytest.approx(E, rel=2e-3)


def test_errors_cover_the_truth():
    """95 % intervals of extrapolations from noisy points hold the truth in about 95 of 100."""
    rng = np.random.default_rng(1)
    E, C, T = 300.0, 11.0, np.array([1250.0, 1300, 1350, 1400, 1450])
    q, held = rate(T, E, C), 0
    target = rate(900.0, E, C)
    for _ in range(100):
        law = kissinger.fit(q, T + rng.normal(0, 10, 5), np.full(5, 10.0))
        low, high = law.interval(target, n=300)
        held += low <= 900 <= high
    assert held >= 88


def test_scatter_beyond_the_errors_widens_them():
    T = np.array([1300.0, 1350, 1400, 1450])
    q = rate(T, 300.0, 11.0)
    noisy = T + np.array([20, -20, 20, -20])
    small, none = kissinger.fit(q, noisy, np.full(4, 0.1)), kissinger.fit(q, noisy)
    assert small.error == pytest.approx(none.error, rel=1e-2) and none.error > 30


def test_the_paper_s_points():
    """By hand: (1, 1432) and (0.2, 1352) give E/R = 36 300 K or so, and 680 K at 10 K/min."""
    law = kissinger.fit([1, 0.5, 0.2], [1432, 1418, 1352])
    assert 200 < law.E_kJ_per_mol < 400
    slow = units.K_per_min_to_K_per_ps(10)
    low, high = law.interval(slow)
    assert low < law.temperature(slow) < high and high - low > 200


def test_too_few():
    with pytest.raises(kissinger.TooFewPoints, match="found at 2 heating rates"):
        kissinger.fit([1, 1, 2], [1400, 1410, 1450])


def seeds_of_a_law(rng, E=300.0, C=11.0, scatter=25.0, limit=1e9, each=4):
    T = np.repeat([1250.0, 1330, 1410, 1490], each)
    q, T = rate(T, E, C), T + rng.normal(0, scatter, len(T))
    fell = T < limit
    return censored.seeds(q, np.where(fell, T, np.nan), np.zeros(len(T)), np.full(len(T), limit))


def test_the_law_of_seeds_some_of_which_do_not_fall():
    """Those that do not fall count: without them the law would come out too steep."""
    rng, found, naive = np.random.default_rng(2), [], []
    for _ in range(12):
        given = seeds_of_a_law(rng, limit=1480.0)
        with contextlib.suppress(kissinger.NoLaw):  # one in twenty is refused by chance
            found.append(kissinger.of_seeds(given).E_kJ_per_mol)
        fell = given.of(given.fell)
        naive.append(kissinger.fit(fell.rate_K_per_ps, fell.temperature_K).E_kJ_per_mol)
    assert np.mean(found) == pytest.approx(300, abs=4 * np.std(found) / 12**0.5)
    assert len(found) >= 9 and np.mean(naive) > np.mean(found)
    everyone = seeds_of_a_law(np.random.default_rng(9))  # all of these fall: the plain fit is right
    law = kissinger.of_seeds(everyone)
    plain = kissinger.fit(everyone.rate_K_per_ps, everyone.temperature_K)
    assert law.E_kJ_per_mol == pytest.approx(plain.E_kJ_per_mol, abs=plain.error)
    assert law.error == pytest.approx(plain.error, rel=0.5)


def test_a_law_that_says_nothing_is_not_drawn():
    """1224 +- 5489 kJ/mol is no activation energy."""
    rng = np.random.default_rng(4)
    flat = censored.seeds(
        np.repeat([4.0, 20.0, 50.0], 3),
        1200 + rng.normal(0, 80, 9),
        np.zeros(9),
        np.full(9, np.nan),
    )
    with pytest.raises(kissinger.NoLaw, match="do not determine an activation energy"):
        kissinger.of_seeds(flat)
    with pytest.raises(kissinger.NoLaw, match="3 of 9 runs that fall come back"):
        kissinger.of_seeds(flat, [True] * 3 + [False] * 6)
    with pytest.raises(kissinger.TooFewPoints, match="at 2 heating rates"):
        kissinger.of_seeds(flat.of(flat.rate_K_per_ps < 40))
    bent = censored.seeds(
        np.repeat([1.0, 10.0, 100.0], 4),
        np.repeat([1100.0, 1110.0, 1500.0], 4) + rng.normal(0, 5, 12),
        np.zeros(12), np.full(12, np.nan),
    )  # fmt: skip
    with pytest.raises(kissinger.NoLaw, match="do not lie on a curve"):
        kissinger.of_seeds(bent)
