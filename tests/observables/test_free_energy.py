"""Isotherms with known answers: van der Waals' fluid, a double well, a single one."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

from helpers import units
from helpers.observables import free_energy

VOLUMES = np.linspace(18.4, 21.6, 12)
BAR = units.EV_PER_A3_IN_BAR


def van_der_waals(T, V):
    """Reduced equation of state: pressure, volume and temperature in their critical values."""
    return 8 * T / (3 * V - 1) - 3 / V**2


def well(x, tilt):
    """-dG/dV of G = (x^2 - 1)^2 + tilt x at V = 20 + x, in eV/A^3."""
    return -(4 * x * (x**2 - 1) + tilt)


def double_well(temperatures, volumes=VOLUMES, T0=900.0, error=1e-3):
    """Both minima equally deep at T0; the open one deeper above."""
    return pd.DataFrame(
        [
            {
                "temperature_K": T,
                "volume_A3": V,
                "pressure_bar": well(V - 20, -5e-4 * (T - T0)) * BAR,
                "error_bar": error * BAR,
            }
            for T in temperatures
            for V in volumes
        ]
    )


def test_equal_areas_of_van_der_waals():
    """T = 0.9: pressure 0.6470, volumes 0.6034 and 2.3488 (Lekner, Am. J. Phys. 50, 161 (1982))."""
    V = np.concatenate([np.linspace(0.55, 1, 30), np.linspace(1.02, 3, 40)])
    curve = free_energy.Isotherm(0.9, V, van_der_waals(0.9, V), np.full(len(V), 1e-6))
    p = brentq(curve.difference_eV, 0.60, 0.70)
    assert p == pytest.approx(0.6470, abs=2e-4)
    np.testing.assert_allclose(curve.minima_A3(p)[[0, -1]], [0.6034, 2.3488], rtol=1e-3)
    supercritical = free_energy.Isotherm(1.1, V, van_der_waals(1.1, V), np.full(len(V), 1e-6))
    assert np.isnan([supercritical.difference_eV(p) for p in np.linspace(0.1, 2.0, 40)]).all()


def test_free_energy_of_an_ideal_gas():
    """F(V) - F(V0) = -N k T ln(V / V0)."""
    V, kT = np.linspace(10, 20, 15), 0.1
    curve = free_energy.Isotherm(1, V, kT / V * BAR, np.ones(15))
    np.testing.assert_allclose(curve.free_energy_eV(V), -kT * np.log(V / 10), atol=1e-6)


def test_transition_of_a_double_well():
    curves = free_energy.isotherms(double_well([600, 750, 900, 1050, 1200]))
    found = free_energy.coexistence(curves, n_bootstrap=60)
    assert found.temperature_K == pytest.approx(900, abs=3)
    assert 0 < found.error_K < 20
    middle = found.phases.set_index("temperature_K").loc[900]
    assert (middle["dense_A3"], middle["open_A3"]) == pytest.approx((19, 21), abs=0.01)
    assert middle["barrier_eV"] == pytest.approx(1, abs=0.01)
    # under pressure the dense one gains p dV = 2 p, the tilt 2 x 5e-4 eV/K: 0.05 eV/A^3 are 100 K
    pressed = free_energy.coexistence(curves, 0.05 * BAR, n_bootstrap=20)
    assert pressed.temperature_K == pytest.approx(1000, abs=8)


def test_the_error_is_the_scatter_of_what_is_found():
    rng, found, errors = np.random.default_rng(1), [], []
    for _ in range(30):
        table = double_well([700, 900, 1100], error=0.03)
        table["pressure_bar"] += rng.normal(0, table["error_bar"])
        answer = free_energy.coexistence(free_energy.isotherms(table), n_bootstrap=30)
        found.append(answer.temperature_K), errors.append(answer.error_K)
    assert np.mean(found) == pytest.approx(900, abs=3 * np.std(found) / 30**0.5 + 1)
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.35)


def test_one_minimum_is_no_transition():
    V = np.linspace(15, 20, 8)
    table = pd.DataFrame(
        [
            {"temperature_K": T, "volume_A3": v, "pressure_bar": 1e4 * (17 - v), "error_bar": 50.0}
            for T in (300, 900)
            for v in V
        ]
    )
    found = free_energy.coexistence(free_energy.isotherms(table), n_bootstrap=20)
    assert np.isnan(found.temperature_K) and "one minimum" in str(found)
    nowhere = free_energy.coexistence(free_energy.isotherms(double_well([300, 400])), n_bootstrap=9)
    assert np.isnan(nowhere.temperature_K) and "nowhere equally deep" in str(nowhere)


def test_starts_in_both_phases_that_disagree_are_the_error():
    table = double_well([600, 900], volumes=np.linspace(18.5, 21.5, 6))
    other = table.copy()
    other.loc[other["volume_A3"] == 18.5, "pressure_bar"] += 1000.0
    curve = free_energy.isotherms(pd.concat([table, other]))[0]
    np.testing.assert_allclose(curve.errors_bar[0], max(500, 1e-3 * BAR / 2**0.5))
    np.testing.assert_allclose(curve.errors_bar[1:], 1e-3 * BAR / 2**0.5)


def test_what_is_no_table_of_pressures():
    with pytest.raises(ValueError, match="no column error_bar"):
        free_energy.isotherms(double_well([300]).drop(columns="error_bar"))
    with pytest.raises(ValueError, match="3 volumes at 300 K"):
        free_energy.isotherms(double_well([300], volumes=[18, 19, 20]))
    with pytest.raises(ValueError, match="positive error"):
        free_energy.isotherms(double_well([300], error=0))
