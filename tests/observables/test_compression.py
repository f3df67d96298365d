"""The modulus of a known law comes back, with an error that is its scatter."""

import numpy as np
import pytest
from ase.eos import EquationOfState

from helpers import units
from helpers.errors import Unfit
from helpers.observables import compression

P = np.array([0.0, 0.05, 0.1, 0.2])


def test_the_modulus_of_a_known_law_with_its_error():
    rng, error = np.random.default_rng(1), 20.0
    exact = 4350 * np.exp(-P / 1.4)
    found = np.array(
        [
            compression.bulk_modulus(P, exact + rng.normal(scale=error, size=4), [error] * 4)
            for _ in range(400)
        ]
    )
    assert found[:, 0].mean() == pytest.approx(1.4, rel=0.02)
    assert found[:, 0].std() == pytest.approx(found[:, 1].mean(), rel=0.1)


def test_it_is_that_of_ase_at_small_strain():
    """Energies of a solid of 2 eV/A^3 around its minimum; pressures are their slope."""
    volume = np.linspace(99.0, 101.0, 9)
    modulus = 2 / 160.21766  # eV/A^3
    fit = EquationOfState(volume, modulus * (volume - 100) ** 2 / 200)
    by_ase = fit.fit(warn=False)[2] * 160.21766
    pressure = -2.0 * (volume - 100) / 100
    mine = compression.bulk_modulus(pressure, volume, np.ones(9))[0]
    assert mine == pytest.approx(by_ase, rel=0.02)


def test_what_has_no_modulus_is_refused():
    for wrong, message in (
        (([0.0, 0.0], [10, 10], [1, 1]), "two pressures"),
        (([0.0, 1.0], [10, 11], [1, 1]), "does not fall"),
        (([0.0, 1.0], [10, 9], [0, 1]), "above 0"),
        (([0.0, np.nan], [10, 9], [1, 1]), "must be numbers"),
    ):
        with pytest.raises(Unfit, match=message):
            compression.bulk_modulus(*wrong)


def test_the_first_setting_that_closes():
    assert compression.closes([0, 50, 100, 200], [100, 90, 80, 95], 100) == (50, 100)
    assert compression.closes([0, 50], [100, 95], 100) == (50, None)
    assert compression.closes([0, 50], [80, 75], 100) == (None, 0)


def test_the_modulus_of_fluctuations_is_that_of_a_harmonic_cell():
    """P(V) = B (V0 - V) / V0: Gaussian volumes of variance kT V0 / B, correlated in time."""
    rng, T, B, V0 = np.random.default_rng(2), 300.0, 3.0, 4400.0
    width = np.sqrt(units.BOLTZMANN_EV_PER_K * T * V0 / (B / units.EV_PER_A3_IN_GPA))
    found = []
    for _ in range(200):
        noise = rng.normal(size=2000)
        for k in range(1, len(noise)):  # an autoregressive process of 20 samples
            noise[k] = 0.95 * noise[k - 1] + np.sqrt(1 - 0.95**2) * noise[k]
        found.append(compression.modulus_of_fluctuations(V0 + width * noise, T))
    found = np.array(found)
    assert found[:, 0].mean() == pytest.approx(B, rel=0.06)
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.25)
    with pytest.raises(Unfit, match="too few for 5 blocks"):
        compression.modulus_of_fluctuations([1.0, 2.0, 3.0], T)


def test_the_misfit_of_a_line_is_its_chi_square():
    rng = np.random.default_rng(4)
    exact, error = 4400 * np.exp(-P / 3), np.array([5.0, 8.0, 4.0, 6.0])
    found = [compression.misfit(P, exact + rng.normal(0, error), error) for _ in range(800)]
    assert np.mean(found) == pytest.approx(2, rel=0.12)
