"""A harmonic crystal stays on its line, wherever it is begun, and has a heat capacity of 3 k_B."""

import numpy as np
import pytest

from helpers import units
from helpers.observables import enthalpy

HEATED_K = np.linspace(300, 2000, 8500)


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


def test_heat_capacity_of_a_classical_harmonic_crystal_is_3_kB():
    noise = np.random.default_rng(0).normal(0, 0.05, len(HEATED_K))
    H = 272 * enthalpy.harmonic(HEATED_K, 300.0) + noise
    found = enthalpy.heat_capacity(HEATED_K, H, 272)
    np.testing.assert_allclose(found["cp_kB"], 3, atol=4 * found["error_kB"].max())


def test_latent_heat_shows_as_a_peak_in_its_window():
    H = 0.1 * HEATED_K + 20 / (1 + np.exp(-(HEATED_K - 1250) / 8))
    found = enthalpy.heat_capacity(HEATED_K, H, 272)
    assert found["temperature_K"][found["cp_kB"].idxmax()] == pytest.approx(1250, abs=30)
