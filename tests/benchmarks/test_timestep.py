"""Energy and heat of runs at constant energy: an oscillator by hand, and LAMMPS itself."""

import numpy as np
import pytest

from helpers import structures
from helpers.benchmarks import record, timestep


def test_drift_and_shares_are_those_of_a_made_up_run():
    atoms = structures.load("Znim2-ABW")
    rng = np.random.default_rng(1)
    time = np.arange(0.0, 10.0, 0.01)
    energy = -10.0 + 0.068 * time + rng.normal(0, 1e-3, len(time))  # 68 atoms: 1000 meV/atom/ns
    counts = np.array([atoms.symbols.count(element) for element in timestep.TYPE_MAP])
    kinetic = counts * (1 + rng.normal(0, 0.01, (len(time), 4)))
    kinetic[:, 1] *= 0.9  # hydrogen is too cold
    found = timestep.judged(np.column_stack([time, energy, kinetic]), atoms)
    assert found["drift_meV_per_atom_ns"] == pytest.approx(1000, abs=5 * found["drift_error"])
    assert found["swing_meV_per_atom"] == pytest.approx(1 / 68, rel=0.1)
    others = found["temperature_C"]
    assert found["temperature_H"] / others == pytest.approx(0.9, abs=0.02)  # 68 atoms: C lacks more
    assert found["temperature_H"] < 1 - 3 * found["temperature_H_error"]


def test_elements_in_equilibrium_have_one_temperature_although_the_whole_is_at_rest():
    """Velocities of Maxwell's distribution, the motion of the whole taken out as LAMMPS does."""
    atoms = structures.load("ZIF-4")
    masses = atoms.get_masses()
    masses[atoms.symbols == "H"] = 2.014
    rng = np.random.default_rng(2)
    rows = []
    for step in range(4000):
        velocities = rng.normal(size=(len(atoms), 3)) / np.sqrt(masses)[:, None]
        velocities -= masses @ velocities / masses.sum()
        kinetic = 0.5 * masses * (velocities**2).sum(axis=1)
        each = [kinetic[atoms.symbols == element].sum() for element in timestep.TYPE_MAP]
        rows.append([0.01 * step, rng.normal(), *each])
    found = timestep.judged(np.array(rows), atoms, 2.014)
    for element in timestep.TYPE_MAP:  # Zn by atoms: 0.983
        assert found[f"temperature_{element}"] == pytest.approx(1, abs=0.005)


def test_a_longer_step_swings_more_and_deuterium_less():
    rows = timestep.compare(
        "atp", structures.load("Znim2-ABW"), ps=0.2, temperature_K=300.0,
        settings=((0.25, 1.008), (1.0, 1.008), (1.0, 2.014)),
    )  # fmt: skip
    short, long, heavy = (row["swing_meV_per_atom"] for row in rows)
    assert short < heavy < long
    table = record.timestep_table({"rows": rows})
    assert list(table["step (fs)"]) == [0.25, 1.0, 1.0]
    assert " ± " in table["T of Zn (‰)"][0]
    assert record.timestep_means({"rows": rows}) == ""  # one seed of each


def test_seeds_are_averaged_with_the_error_of_their_mean():
    same = {"timestep_fs": 1.0, "hydrogen_mass_u": 2.014}
    same |= {f"temperature_{element}": 1.0 for element in ("C", "N", "Zn")}
    rows = [
        same | {"seed": seed, "drift_meV_per_atom_ns": drift, "temperature_H": heat}
        for seed, drift, heat in ((1, -8.0, 1.01), (2, -4.0, 0.99))
    ]
    said = record.timestep_means({"rows": rows})
    assert "2 seeds of 1 fs with H of 2.014 u: drift -6.0 ± 2.0" in said
    assert "1 ± 0, 1.000 ± 0.010, 1 ± 0, 1 ± 0" in said
