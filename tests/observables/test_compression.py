"""The modulus of a known law comes back, with an error that is its scatter."""

import numpy as np
import pytest
from ase.eos import EquationOfState

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
    assert compression.first_closed([0, 50, 100], [100, 90, 80], 100) == 100
    assert compression.first_closed([0, 50], [100, 95], 100) is None
