"""Constants against ASE, and round trips with known answers."""

import ase.units
import numpy as np
import pytest
from ase.build import bulk

from helpers import units


@pytest.mark.parametrize(
    ("ours", "ase_value"),
    [
        (units.BOLTZMANN_EV_PER_K, ase.units.kB),
        (units.EV_IN_KJ_PER_MOL, ase.units.mol / ase.units.kJ),
        (units.EV_PER_A3_IN_GPA, 1 / ase.units.GPa),
        (units.EV_PER_A3_IN_BAR, 1 / ase.units.bar),
        (units.GAS_CONSTANT_KJ_PER_MOL_K, ase.units.kB * ase.units.mol / ase.units.kJ),
    ],
)
def test_constants_agree_with_ase(ours, ase_value):
    assert ours == pytest.approx(ase_value, rel=1e-6)


def test_density_of_copper():
    """Handbook: 8.96 g/cm3 at room temperature; ASE's lattice constant is the measured one."""
    copper = bulk("Cu")
    density = units.density_g_cm3(copper.get_masses().sum(), copper.get_volume())
    assert density == pytest.approx(8.96, rel=0.01)


def test_thermal_energy_at_room_temperature():
    assert units.K_to_eV(298.15) == pytest.approx(0.025693, rel=1e-4)
    molar = units.K_to_eV(298.15) * units.EV_IN_KJ_PER_MOL
    assert molar == pytest.approx(2.479, rel=1e-3)


def test_heating_rates_are_fourteen_orders_apart():
    """1 K/ps is 6e13 K/min; the fastest experiment of the paper is 20 K/min."""
    assert units.K_per_ps_to_K_per_min(1.0) == pytest.approx(6e13)
    assert units.K_per_min_to_K_per_ps(20.0) == pytest.approx(20 / 6e13)


def test_rates_there_and_back_on_arrays():
    values = np.array([0.1, 1.0, 1500.0])
    there = units.K_per_ps_to_K_per_min(values)
    assert not np.allclose(there, values)
    np.testing.assert_allclose(units.K_per_min_to_K_per_ps(there), values)


def test_ramp_of_the_paper_in_steps():
    """300 -> 2100 K at 20 K/ps is 90 ps, 180 000 steps of 0.5 fs."""
    assert units.steps((2100 - 300) / 20, 0.5) == 180_000
