"""Samples of known distributions: a solid at two temperatures, thermostats that are wrong."""

import numpy as np
import physical_validation
import pytest

from helpers import units
from helpers.observables import boltzmann

ATOMS = 40
FREEDOM = 3 * ATOMS - 3


def energies(rng, T, n=2000, freedom=FREEDOM):
    """Of a gamma distribution: kinetic energy, or that of as many harmonic oscillators' halves."""
    return rng.gamma(freedom / 2, units.K_to_eV(T), n)


def test_kinetic_energy():
    rng, T = np.random.default_rng(1), np.linspace(300, 2000, 2000)  # a ramp is judged as well
    right = boltzmann.kinetic(energies(rng, T), T, ATOMS)
    assert right.ok and right.mean == pytest.approx(1, abs=0.01) and right.samples > 1500
    assert not boltzmann.kinetic(energies(rng, 1.02 * T), T, ATOMS).ok
    stiff = (
        FREEDOM / 2 * units.K_to_eV(T) * (1 + 0.3 * np.sqrt(2 / FREEDOM) * rng.normal(size=2000))
    )
    narrow = boltzmann.kinetic(stiff, T, ATOMS)  # such as Berendsen's thermostat makes
    assert not narrow.ok and narrow.width == pytest.approx(0.3, abs=0.03)
    with pytest.raises(ValueError, match="10 of each"):
        boltzmann.kinetic(stiff[:5], T[:5], ATOMS)


def test_pairs_of_temperatures():
    rng = np.random.default_rng(2)
    found = boltzmann.pair_of_temperatures([energies(rng, 300), energies(rng, 330)], (300, 330))
    assert found.ok and found.error < 0.1 * abs(found.expected) and found.expected > 0
    wrong = boltzmann.pair_of_temperatures([energies(rng, 300), energies(rng, 345)], (300, 330))
    assert not wrong.ok
    with pytest.raises(ValueError, match="overlap by"):
        boltzmann.pair_of_temperatures([energies(rng, 300), energies(rng, 2000)], (300, 2000))
    held = []
    for _ in range(60):
        few = [energies(rng, T, 300) for T in (300, 330)]
        held.append(boltzmann.pair_of_temperatures(few, (300, 330)).ok)
    assert np.mean(held) > 0.95


def test_pairs_of_pressures():
    """An ideal gas of 40 atoms: its volume follows a gamma distribution of 41."""
    rng, T, bar = np.random.default_rng(3), 300.0, (1000.0, 1100.0)
    per_bar = units.K_to_eV(T) * units.EV_PER_A3_IN_BAR
    volumes = [rng.gamma(ATOMS + 1, per_bar / p, 3000) for p in bar]
    found = boltzmann.pair_of_pressures(volumes, bar, T)
    assert found.ok and found.expected == pytest.approx(-100 / per_bar)
    assert found.error < 0.1 * abs(found.expected)
    assert not boltzmann.pair_of_pressures(volumes, (1000.0, 1150.0), T).ok
    assert not boltzmann.pair_of_pressures(volumes[::-1], bar, T).ok


def theirs(ensemble, **observables):
    """The same samples as physical_validation takes them."""
    data = physical_validation.data
    return data.SimulationData(
        units=data.UnitData.units("GROMACS"),
        ensemble=ensemble,
        system=data.SystemData(
            natoms=ATOMS, nconstraints=0, ndof_reduction_tra=3, ndof_reduction_rot=0
        ),
        observables=data.ObservableData(**observables),
    )


def canonical(temperature):
    return physical_validation.data.EnsembleData(
        "NVT", ATOMS, 1, volume=1.0, temperature=temperature
    )


@pytest.mark.parametrize("T", [300.0, 306.0])
def test_kinetic_energies_are_judged_as_by_physical_validation(T):
    K = energies(np.random.default_rng(4), T)
    both = theirs(canonical(300), kinetic_energy=K * units.EV_IN_KJ_PER_MOL)
    off_mean, off_width = physical_validation.kinetic_energy.distribution(
        both, bs_repetitions=50, bootstrap_seed=1, verbosity=0, data_is_uncorrelated=True
    )
    ours = boltzmann.kinetic(K, np.full(len(K), 300.0), ATOMS)
    assert abs(ours.mean - 1) / ours.mean_error == pytest.approx(off_mean, rel=0.3, abs=0.3)
    assert abs(ours.width - 1) / ours.width_error == pytest.approx(off_width, rel=0.3, abs=0.5)
    assert ours.ok == (T == 300)


@pytest.mark.parametrize("T", [330.0, 345.0])
def test_pairs_are_judged_as_by_physical_validation(T):
    rng = np.random.default_rng(5)
    first, second = energies(rng, 300), energies(rng, T)
    said = [
        theirs(canonical(at), potential_energy=U * units.EV_IN_KJ_PER_MOL)
        for at, U in ((300, first), (330, second))
    ]
    (off,) = physical_validation.ensemble.check(*said, verbosity=0, data_is_uncorrelated=True)
    ours = boltzmann.pair_of_temperatures([first, second], (300, 330))
    pull = abs(ours.slope - ours.expected) / ours.error
    assert pull == pytest.approx(off, rel=0.2, abs=0.4) and ours.ok == (T == 330)
