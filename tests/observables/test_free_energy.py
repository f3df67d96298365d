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


def harmonic(temperatures, B=0.03, expansion=1e-3, error=0.0003, V0=16.0):
    """P = B (V0 + expansion T - V) in eV/A^3: G is a parabola, V fluctuates by sqrt(kT / N B)."""
    V = np.linspace(14.5, 20.5, 8)
    rows = [
        (T, v, B * (V0 + expansion * T - v) * BAR, error * BAR) for T in temperatures for v in V
    ]
    return pd.DataFrame(rows, columns=["temperature_K", "volume_A3", "pressure_bar", "error_bar"])


def test_a_harmonic_cell_expands_and_opens_without_a_jump():
    """Mean volume 16 + T / 1000, which passes 17.2 at 1200 K."""
    curves = free_energy.isotherms(harmonic([300, 600, 900, 1200, 1500, 1800]))
    found = free_energy.equilibrium(curves, 272, through_A3=17.2, n_bootstrap=200)
    T = found.table["temperature_K"]
    np.testing.assert_allclose(found.table["volume_A3"], 16 + T / 1000, atol=2e-3)
    assert (found.table["minima"] == 1).all() and found.order == "continuous"
    assert found.temperature_K == pytest.approx(1200, abs=3)
    assert found.low_K < 1200 < found.high_K < found.low_K + 100
    assert np.isnan(found.coexistence.temperature_K)
    # an error of 0.3 meV/A^3 in the pressure over a stiffness of 30 meV/A^4
    assert 0.003 < found.table["error_A3"].iloc[2] < 0.012
    pressed = free_energy.equilibrium(curves, 272, 0.03 * 0.5 * BAR, 17.2, n_bootstrap=50)
    assert pressed.temperature_K == pytest.approx(1700, abs=5)
    with pytest.raises(ValueError, match="one temperature at least"):
        free_energy.equilibrium([], 272)


def test_the_limits_of_the_temperature_hold_the_truth():
    rng, inside = np.random.default_rng(5), 0
    for _ in range(40):
        table = harmonic([300, 900, 1500], error=2e-3)
        table["pressure_bar"] += rng.normal(0, table["error_bar"])
        curves = free_energy.isotherms(table)
        found = free_energy.equilibrium(curves, 272, through_A3=16.9, n_bootstrap=100)
        inside += found.low_K <= 900 <= found.high_K
    assert inside >= 34  # 38 are expected of 40


def test_an_ideal_gas_under_pressure_has_its_volume_of_equilibrium():
    """N atoms in one cell: <V> = (N + 1) kT / p, far from the ends of the range."""
    T, n = 1000.0, 272
    kT, V = units.BOLTZMANN_EV_PER_K * T, np.linspace(10, 30, 60)
    curve = free_energy.Isotherm(T, V, kT / V * BAR, np.full(60, 1e-3))
    found = free_energy.equilibrium([curve], n, kT / 20 * BAR, n_bootstrap=20)
    assert found.table["volume_A3"][0] == pytest.approx(20 * (n + 1) / n, rel=1e-4)
    assert found.temperature_K == -np.inf and str(found).endswith("below 1000 K")


def test_a_double_well_is_of_first_order_and_opens_where_both_are_equally_deep():
    table = double_well([600, 750, 900, 1050, 1200])
    curves = free_energy.isotherms(table)
    found = free_energy.equilibrium(curves, 272, through_A3=20, n_bootstrap=60)
    assert found.order == "first-order" and (found.table["two_minima"] == 1).all()
    assert found.coexistence.temperature_K == pytest.approx(900, abs=3)
    assert 750 < found.low_K <= found.temperature_K <= found.high_K < 1050
    middle = found.table.set_index("temperature_K").loc[900]
    kT = units.BOLTZMANN_EV_PER_K * 900
    assert middle["barrier_kT"] == pytest.approx(272 / kT, rel=0.01)
    assert list(found.table["volume_A3"].round(1)) == pytest.approx([19, 19, 20, 21, 21], abs=1)


def test_noise_on_one_minimum_is_not_taken_for_two():
    """A soft crystal: over a third of the range the pressure changes by less than its error."""
    V = np.linspace(14.5, 20.5, 8)
    soft = -3000 * ((V - 17) / 2) ** 3
    rng, orders = np.random.default_rng(3), []
    for _ in range(40):
        curves = [free_energy.Isotherm(T, V, soft + rng.normal(0, 400, 8), np.full(8, 400.0))
                  for T in (600.0, 900.0, 1200.0)]  # fmt: skip
        found = free_energy.equilibrium(curves, 272, n_bootstrap=40)
        orders.append(found.order)
        assert found.table["barrier_below_kT"].ge(0).all()
    assert orders.count("first-order") <= 3


def test_a_low_g_at_the_end_of_the_range_makes_the_mean_a_limit():
    """At 900 K, 0.4 A^3 above the end, G rises by 272 0.03 0.4^2 / 2 eV = 8.4 kT; by 2.1 at 0.2."""
    table = harmonic([300, 900], V0=14)
    below = free_energy.equilibrium(free_energy.isotherms(table), 272, n_bootstrap=20)
    assert list(below.table["limit"]) == ["<", ""] and below.temperature_K == np.inf
    near = free_energy.equilibrium(free_energy.isotherms(harmonic([900], V0=13.8)), 272)
    assert near.table["limit"][0] == "<" and near.table["volume_A3"][0] > 14.7
    flat = free_energy.isotherms(harmonic([900, 1200], B=1e-5, V0=16.4))
    assert list(free_energy.equilibrium(flat, 272).table["limit"]) == ["<>", "<>"]
    # 20.3 A^3 at 1500 K is too near to 20.5: what is passed between is passed at the latest there
    open_ = free_energy.isotherms(harmonic([900, 1500], V0=15.8, expansion=3e-3))
    said = str(free_energy.equilibrium(open_, 272, through_A3=19.5, n_bootstrap=20))
    assert "an atom at 1236 K or below (95 %:" in said
    above = free_energy.equilibrium(
        free_energy.isotherms(harmonic([300, 900], V0=21)), 272, n_bootstrap=20
    )
    assert list(above.table["limit"]) == [">", ">"] and above.temperature_K == -np.inf


def test_pressures_that_scatter_by_more_than_their_errors_widen_these():
    """Of runs whose true scatter is three times what their blocks say, Birge's ratio is 3."""
    rng, found, wide, names = np.random.default_rng(6), [], [], (300, 600, 900, 1200, 1500, 1800)
    for _ in range(60):
        table = harmonic(names)
        table["pressure_bar"] += 3 * rng.normal(0, table["error_bar"])
        curves = free_energy.isotherms(table)
        fit = free_energy.smoothness(curves)
        found.append(fit.chi2)
        wide.append(curves[0].widened(fit.factor).errors_bar[0] / curves[0].errors_bar[0])
    assert fit.freedom == 6 * (8 - 4)
    assert np.mean(found) == pytest.approx(9 * fit.freedom, rel=0.1)
    assert np.mean(wide) == pytest.approx(3, rel=0.1)
    exact = free_energy.smoothness(free_energy.isotherms(harmonic(names)))
    assert exact.factor == 1  # errors are never made smaller
    four = harmonic([300]).iloc[::2]
    assert free_energy.smoothness(free_energy.isotherms(four)) == free_energy.Smoothness(0.0, 0)


def test_a_pressure_added_as_a_function_of_the_volume_moves_the_volume():
    curve = free_energy.isotherms(harmonic([600]))[0]
    moved = curve.shifted(lambda V: 0.03 * (0 * V + 0.4) * BAR)
    np.testing.assert_allclose(moved.minima_A3() - curve.minima_A3(), 0.4, atol=1e-6)
    np.testing.assert_allclose(
        moved.free_energy_eV(20.5) - curve.free_energy_eV(20.5), -0.03 * 0.4 * 6, rtol=1e-9
    )
    p, error, stable = free_energy.pressure_of(curve, 18.6)
    assert p == pytest.approx(0.03 * -2 * BAR) and stable and 0 < error < 2 * curve.errors_bar[0]
    assert np.isfinite(free_energy.pressure_of(curve, 20.52)[0])
    assert np.isnan(free_energy.pressure_of(curve, 22)[0])
    assert not free_energy.pressure_of(free_energy.isotherms(double_well([900]))[0], 20)[2]


def test_two_sizes_are_compared_where_both_have_been():
    small = harmonic([300, 900]).assign(n_atoms=272)
    large = harmonic([900]).iloc[::2].assign(n_atoms=2176)
    large["pressure_bar"] += 100
    both = free_energy.compared(pd.concat([large, small]))
    assert len(both) == 4 and set(both["n_atoms"]) == {2176}
    np.testing.assert_allclose(both["difference_bar"], 100)
    np.testing.assert_allclose(both["error_bar"], 2**0.5 * 0.0003 * BAR)
    assert free_energy.compared(small).empty


def test_an_error_that_all_pressures_share_moves_the_transition_as_a_whole():
    """A well at V0 + T / 600 of stiffness k: a pressure d moves it by d / k at all temperatures."""
    V, k = np.linspace(14.5, 20.5, 8), 2e-3 * units.EV_PER_A3_IN_BAR
    plain = [
        free_energy.Isotherm(T, V, k * (15.5 + T / 600 - V), np.full(8, 1.0))
        for T in (900.0, 1200.0, 1500.0, 1800.0)
    ]
    shared = np.random.default_rng(4).normal(0, 0.2 * k, 400)  # 0.2 A^3, 120 K
    law = np.concatenate([[0.0], shared]) * np.ones((8, 1))
    found = free_energy.equilibrium([c.with_law(law) for c in plain], 272, n_bootstrap=400)
    alone = free_energy.equilibrium(plain, 272, n_bootstrap=400)
    assert alone.high_K - alone.low_K < 20
    assert found.temperature_K == pytest.approx(1500, abs=5)
    assert found.high_K - found.low_K == pytest.approx(4 * 120, rel=0.15)
    assert found.table["error_A3"].to_numpy() == pytest.approx(0.2, rel=0.15)
