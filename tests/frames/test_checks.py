"""Checks: sound frames pass; broken, unphysical, copied ones and wrong units are refused."""

import ase.io
import dpdata
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import find_mic

from helpers.frames import checks, dataset, formats, laws

HARTREE, BOHR = 27.211386, 0.529177


def test_sound_frames_pass(system):
    assert checks.check(system) is system


@pytest.mark.parametrize("label", ["coords", "forces", "energies", "virials", "cells"])
def test_nan_is_refused(system, label):
    system.data[label][(4,) + (0,) * (system.data[label].ndim - 1)] = np.nan
    with pytest.raises(dataset.BadFrames, match=rf"NaN or infinite {label}.*index 4"):
        checks.check(system)


def test_wrong_number_of_atoms_is_refused(images, tmp_path):
    atoms = images[0][:-1]
    atoms.calc = SinglePointCalculator(
        atoms, energy=0.0, forces=np.zeros((67, 3)), stress=np.zeros(6)
    )
    ase.io.write(tmp_path / "x.extxyz", atoms)
    with pytest.raises(dataset.BadFrames, match="wrong number of atoms"):
        checks.check(formats.from_extxyz(tmp_path / "x.extxyz"))


def test_another_element_is_refused(images, tmp_path):
    atoms = images[0].copy()
    atoms.symbols[0] = "Co"
    atoms.calc = SinglePointCalculator(atoms, **images[0].calc.results)
    ase.io.write(tmp_path / "x.extxyz", atoms)
    with pytest.raises(dataset.BadFrames, match="Co is outside the type map"):
        formats.from_extxyz(tmp_path / "x.extxyz")


def test_a_huge_force_is_refused(system):
    system.data["forces"][2, 11:13, 1] = -45.0, 45.0
    system.data["forces"][2, 0] -= system["forces"][2].sum(axis=0)
    with pytest.raises(dataset.BadFrames, match=r"45.0 eV/A, above the bound.*index 2"):
        checks.check(system)
    checks.check(system, force_bound=50.0)


def test_forces_that_do_not_sum_to_zero_are_refused(system):
    system.data["forces"][5, :3] = 0  # frozen atoms
    with pytest.raises(dataset.BadFrames, match=r"do not sum to zero but to .* eV/A.*index 5"):
        checks.check(system)
    checks.check(system, net_force_bound=1e3)


def test_forces_without_one_component_are_refused_but_not_those_of_a_flat_molecule(near):
    near.data["forces"][3:5, :, 2] = 0
    with pytest.raises(dataset.BadFrames, match=r"no component along one axis.*index 3, 4"):
        checks.check(near)
    lengths = 1.0 + 0.02 * np.arange(6)
    data = {  # hydrogen cyanide stretched along x: by symmetry no other component
        "atom_names": ["C", "H", "N"], "atom_numbs": [1, 1, 1], "atom_types": np.arange(3),
        "orig": np.zeros(3), "cells": np.tile(9.0 * np.eye(3), (6, 1, 1)),
        "coords": np.array([[[4.0, 4, 4], [4 - x, 4, 4], [5.15, 4, 4]] for x in lengths]),
        "energies": 15 * (lengths - 1.07) ** 2,
        "forces": np.array([30 * (x - 1.07) * np.array([[-1, 0, 0], [1, 0, 0], [0, 0, 0]])
                            for x in lengths]),
    }  # fmt: skip
    checks.check(dpdata.LabeledSystem(data=data), stoichiometry="any", virial=False)


@pytest.mark.parametrize(
    "label, digits, message",
    [("energies", 1, "energies that are multiples of 0.1 eV"),
     ("coords", 2, "coords that are multiples of 0.01 A"),
     ("forces", 1, "forces that are multiples of 0.1 eV/A")],
)  # fmt: skip
def test_digits_that_were_cut_off_are_refused(near, label, digits, message):
    near.data[label] = np.round(near[label], digits)
    with pytest.raises(dataset.BadFrames, match=message):
        checks.check(near)


def test_atoms_on_top_of_each_other_are_refused_also_across_the_boundary(system):
    cell = system["cells"][9]
    hydrogen = np.flatnonzero(system["atom_types"] == 1)[:2]
    system.data["coords"][9, hydrogen[0]] = 0.001 * cell[0]
    system.data["coords"][9, hydrogen[1]] = 0.98 * cell[0] + cell[1]
    with pytest.raises(dataset.BadFrames, match=r"H-H at 0\.\d\d A, closer than 0.5 A.*index 9"):
        checks.check(system)


def test_another_composition_is_refused_unless_asked_for(lennard_jones, tmp_path):
    images = [atoms[:-1] for atoms in lennard_jones(2)]
    for i, atoms in enumerate(images):
        forces = np.random.default_rng(i).normal(size=(67, 3))
        some = {"energy": -1.0, "forces": forces - forces.mean(axis=0),
                "stress": np.arange(6) * 1e-4 * (i + 1)}  # fmt: skip
        atoms.calc = SinglePointCalculator(atoms, **some)
    ase.io.write(tmp_path / "x.extxyz", images)
    system = formats.from_extxyz(tmp_path / "x.extxyz")
    checks.check(system, stoichiometry="any")
    with pytest.raises(dataset.BadFrames, match="no whole number of Zn.*stoichiometry='any'"):
        checks.check(system)


def test_a_copied_frame_is_refused(system):
    system.data["coords"][20] = system["coords"][6]
    system.data["cells"][20] = system["cells"][6]
    with pytest.raises(dataset.BadFrames, match=r"same coordinates as an earlier.*index 20"):
        checks.check(system)


def test_an_energy_outlier_is_refused(system):
    system.data["energies"][13] += 68 * 5.0
    with pytest.raises(dataset.BadFrames, match=r"eV/atom from the median.*index 13"):
        checks.check(system)


def test_all_objections_come_at_once(system):
    system.data["forces"][2, 0, 0] = 99.0
    system.data["energies"][3] += 680
    with pytest.raises(dataset.BadFrames) as error:
        checks.check(system)
    assert "99.0 eV/A" in str(error.value) and "from the median" in str(error.value)


# ---------------------------------------------------------------- laws that bind the labels


@pytest.fixture(scope="module")
def near_images(lennard_jones):
    """Frames so near to each other that the energy between them is all but quadratic."""
    return lennard_jones(30, strain=0.0007, rattle=0.006)


@pytest.fixture
def near(near_images, tmp_path):
    ase.io.write(tmp_path / "near.extxyz", near_images)
    return formats.from_extxyz(tmp_path / "near.extxyz")


def test_labels_that_belong_together_obey_the_laws(near):
    system = near
    balance = laws.work_balance(system)
    assert np.allclose(balance["slope"], 1, atol=0.05)
    assert (balance["n_pairs"] == 29).all()
    checks.check(system, laws=True)


def test_the_stiffness_of_harmonic_bonds_is_their_force_constant(tmp_path):
    rng, images = np.random.default_rng(5), []
    for length in rng.normal(1.09, 0.03, size=40):
        unit = rng.normal(size=3)
        unit /= np.linalg.norm(unit)
        atoms = Atoms("CHC", [[7.9, 0.1, 4], [7.9, 0.1, 4] + length * unit, [3, 4, 7]],
                      cell=[8, 8, 8], pbc=True)  # fmt: skip
        atoms.wrap()
        pull = -33.0 * (length - 1.09) * unit
        labels = {"energy": 0.0, "forces": [-pull, pull, 0 * pull], "stress": np.zeros(6)}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        images.append(atoms)
    ase.io.write(tmp_path / "ch.extxyz", images)
    system = formats.from_extxyz(tmp_path / "ch.extxyz")
    assert laws.ch_stiffness(system) == pytest.approx(33.0, rel=1e-5)


@pytest.mark.parametrize("name", ["crystal_0300", "crystal_strained", "glass_1500_2500"])
def test_shipped_frames_obey_the_laws(name):
    checks.check(dataset.load(name), laws=True)


@pytest.mark.parametrize("factors, message", [
    ({"energies": 1 / HARTREE}, "energies are not in eV"),
    ({"energies": 23.06}, "energies are not in eV"),  # kcal/mol
    ({"energies": 2.0, "virials": 2.0}, "energies are not in eV"),  # hartree taken for rydberg
    ({"forces": BOHR / HARTREE}, "forces are not in eV/A"),
    ({"energies": 23.06, "forces": 23.06, "virials": 23.06}, "forces are not in eV/A"),
    ({"coords": 1 / BOHR, "cells": 1 / BOHR}, "coordinates are not in A"),
    ({"virials": -1.0}, "the virial has the other sign"),
    ({"virials": 160.2}, "the virial has the other sign .* or is not in eV"),
])  # fmt: skip
def test_labels_in_other_units_are_refused(near, factors, message):
    system = near
    for label, factor in factors.items():
        system.data[label] *= factor
    with pytest.raises(dataset.BadFrames, match=message):
        checks.check(system, laws=True, force_bound=1e6, energy_outlier=1e6)


# ---------------------------------------------------------------- likeness


def test_displacement_agrees_with_ase_and_knows_no_shift(system):
    a, b = 4, 21
    step = system["coords"][b] - system["coords"][a] @ np.linalg.solve(
        system["cells"][a], system["cells"][b]
    )
    step = find_mic(step, system["cells"][b])[0]
    step -= step.mean(axis=0)
    expected = np.sqrt((step**2).sum(axis=1).mean())
    (found,) = checks.displacement(system, a, np.array([b]))
    assert found == pytest.approx(expected, rel=0.05)
    system.data["coords"][b] = system["coords"][b] + [1.3, -0.4, 9.0] + system["cells"][b][0]
    (found,) = checks.displacement(system, a, np.array([b]))
    assert found == pytest.approx(expected, rel=0.05)


def test_copies_are_found_wrapped_shifted_and_nearly(system):
    rng = np.random.default_rng(1)
    for target, source, noise in ((10, 3, 0.0), (20, 3, 0.005), (29, 28, 0.2)):
        cell = system["cells"][source]
        moved = system["coords"][source] + rng.normal(size=(68, 3)) * noise + 0.37
        system.data["coords"][target] = moved - np.floor(moved @ np.linalg.inv(cell)) @ cell
        system.data["cells"][target] = cell
    assert np.flatnonzero(checks.copies(system) >= 0).tolist() == [10]
    near = checks.copies(system, 0.02)
    assert np.flatnonzero(near >= 0).tolist() == [10, 20] and set(near[[10, 20]]) == {3}


def test_a_random_split_leaks_and_blocks_do_not(lennard_jones, tmp_path):
    """A walk through configurations: of a random split each validation frame has a twin."""
    system = dpdata.LabeledSystem(lennard_jones(1)[0], fmt="ase/structure")
    system.data = {k: np.repeat(v, 200, axis=0) if np.ndim(v) and len(v) == 1 else v
                   for k, v in system.data.items()}  # fmt: skip
    steps = np.random.default_rng(2).normal(size=(200, 68, 3)) * 0.02
    system.data["coords"] = system["coords"] + np.cumsum(steps, axis=0)
    random = checks.nearest_training(system, dataset.split_random(200, 0.2))
    blocks = checks.nearest_training(system, dataset.split_blocks(200, 10, 0.2))
    assert len(random) == len(blocks) == 40
    assert np.median(random) == pytest.approx(0.02 * np.sqrt(3), rel=0.1)  # one step of the walk
    assert np.median(blocks) > 2 * np.median(random)
