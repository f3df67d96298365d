"""Samples of known distributions: a solid at two temperatures, thermostats that are wrong."""

import numpy as np
import pytest

from helpers import units
from helpers.validation import boltzmann

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
    with pytest.raises(ValueError, match="ten of each"):
        boltzmann.kinetic(stiff[:5], T[:5], ATOMS)


def test_pairs_of_temperatures():
    rng = np.random.default_rng(2)
    found = boltzmann.pair([energies(rng, 300), energies(rng, 330)], (300, 330))
    assert found.ok and found.error < 0.1 * abs(found.expected) and found.expected > 0
    wrong = boltzmann.pair([energies(rng, 300), energies(rng, 345)], (300, 330))
    assert not wrong.ok
    with pytest.raises(ValueError, match="overlap by"):
        boltzmann.pair([energies(rng, 300), energies(rng, 2000)], (300, 2000))
    held = [
        boltzmann.pair([energies(rng, 300, 300), energies(rng, 330, 300)], (300, 330)).ok
        for _ in range(60)
    ]
    assert np.mean(held) > 0.95


def test_agrees_with_physical_validation():
    physical_validation = pytest.importorskip("physical_validation")
    rng = np.random.default_rng(4)
    theirs = physical_validation.kinetic_energy.distribution  # its distribution test, not strict
    data = physical_validation.data.SimulationData(
        units=physical_validation.data.UnitData.units("GROMACS"),
        ensemble=physical_validation.data.EnsembleData(
            "NVT", ATOMS, 1, volume=1.0, temperature=300
        ),
        system=physical_validation.data.SystemData(
            natoms=ATOMS, nconstraints=0, ndof_reduction_tra=3, ndof_reduction_rot=0
        ),
        observables=physical_validation.data.ObservableData(
            kinetic_energy=energies(rng, 306) * units.EV_IN_KJ_PER_MOL
        ),
    )
    mean, _ = theirs(data, strict=False, bs_repetitions=50, verbosity=0)
    ours = boltzmann.kinetic(
        data.observables.kinetic_energy / units.EV_IN_KJ_PER_MOL, np.full(2000, 300.0), ATOMS
    )
    assert not ours.ok and mean > 3  # both see the 6 K, in standard errors
