"""A harmonic crystal stays on its line, wherever it is begun."""

import numpy as np

from helpers import units
from helpers.observables import enthalpy


def test_a_harmonic_crystal_stays_on_the_line():
    T = np.linspace(600, 1600, 11)
    H = -5000 + 272 * 3 * units.K_to_eV(T)
    above = enthalpy.above_start(T, H, 272, 300.0)
    np.testing.assert_allclose(above, enthalpy.harmonic(T, 300.0))
    assert enthalpy.harmonic(300.0, 300.0) == 0


def test_a_step_of_latent_heat_stays_a_step():
    T = np.linspace(300, 1300, 101)
    H = 100 * (3 * units.K_to_eV(T) + np.where(T > 800, 0.05, 0))
    off = enthalpy.above_start(T, H, 100, 300.0) - enthalpy.harmonic(T, 300.0)
    np.testing.assert_allclose(off, np.where(T > 800, 0.05, 0), atol=1e-12)


def test_no_row_is_no_enthalpy():
    assert len(enthalpy.above_start([], [], 272, 300.0)) == 0
