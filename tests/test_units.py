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
        (units.GPA_IN_BAR, ase.units.GPa / ase.units.bar),
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
    assert units.eV_to_kJ_per_mol(units.K_to_eV(298.15)) == pytest.approx(2.479, rel=1e-3)


def test_heating_rates_are_fourteen_orders_apart():
    """1 K/ps is 6e13 K/min; the fastest experiment of the paper is 20 K/min."""
    assert units.K_per_ps_to_K_per_min(1.0) == pytest.approx(6e13)
    assert units.K_per_min_to_K_per_ps(20.0) == pytest.approx(20 / 6e13)


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (units.eV_to_kJ_per_mol, units.kJ_per_mol_to_eV),
        (units.K_to_eV, units.eV_to_K),
        (units.K_per_ps_to_K_per_min, units.K_per_min_to_K_per_ps),
    ],
)
def test_round_trips_on_arrays(there, back):
    values = np.array([0.1, 1.0, 1500.0])
    assert not np.allclose(there(values), values)
    np.testing.assert_allclose(back(there(values)), values)


def test_ramp_of_the_paper_in_steps():
    """300 -> 2100 K at 20 K/ps is 90 ps, 180 000 steps of 0.5 fs."""
    duration = units.ramp_duration_ps(300, 2100, 20)
    assert duration == pytest.approx(90)
    assert units.steps(duration, 0.5) == 180_000


def test_a_ramp_needs_a_positive_rate():
    with pytest.raises(ValueError, match="positive"):
        units.ramp_duration_ps(300, 2100, 0)
