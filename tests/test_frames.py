"""Frames: labels keep their meaning on every way in and out, and broken frames are refused."""

import re
from pathlib import Path

import ase.io
import dpdata
import numpy as np
import pytest
import vasp_writer
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import find_mic, get_distances
from ase.stress import full_3x3_to_voigt_6_stress

from helpers import frames, provenance


@pytest.fixture(scope="module")
def images(lennard_jones):
    images = lennard_jones(30)
    for i, atoms in enumerate(images):
        atoms.info = {"temperature_K": 300.0 + 10 * i, "step": i, "strain": 0.0}
    return images


@pytest.fixture(scope="module")
def calculator():
    return LennardJones(sigma=0.96, epsilon=0.5, rc=5.0, smooth=True)


@pytest.fixture
def extxyz(images, tmp_path):
    path = tmp_path / "trajectory.extxyz"
    ase.io.write(path, images)
    return path


@pytest.fixture
def system(extxyz):
    return frames.from_extxyz(extxyz)


@pytest.fixture
def saved(system, tmp_path):
    mask = frames.split_blocks(len(system), 6, 0.2)
    return frames.save(
        system, tmp_path / "lj", mask, description="Lennard-Jones", recipe={"seed": 7}
    )


def test_labels_are_those_of_dpdata_on_its_own_way(images, system):
    """dpdata's converter from ASE objects is the independent road to the same numbers."""
    for i in (0, 17):
        other = dpdata.LabeledSystem(images[i], fmt="ase/structure")
        other.apply_type_map(list(frames.TYPE_MAP))
        other.sort_atom_types()
        assert (other["atom_types"] == system["atom_types"]).all()
        assert np.isclose(other["energies"][0], system["energies"][i], rtol=0, atol=1e-7)
        assert np.allclose(other["forces"][0], system["forces"][i], atol=1e-6)
        assert np.allclose(other["virials"][0], system["virials"][i], atol=1e-5)


def test_virial_is_minus_the_strain_derivative_of_the_energy(images, system, calculator):
    derivative = frames.strain_derivative(images[3], calculator, strain=1e-4)
    assert np.allclose(system["virials"][3], derivative, atol=1e-3 * np.abs(derivative).max())
    frames.check(system, calculator=calculator)
    system.data["virials"] *= -1
    with pytest.raises(frames.BadFrames, match="is -1.00 times minus the strain derivative"):
        frames.check(system, calculator=calculator)


def test_atoms_keep_their_element_position_and_force(images, system):
    order = np.argsort([frames.TYPE_MAP.index(s) for s in images[0].symbols], kind="stable")
    assert list(np.array(frames.TYPE_MAP)[system["atom_types"]]) == list(images[0].symbols[order])
    assert np.allclose(system["coords"][5], images[5].positions[order], atol=1e-7)
    assert np.allclose(system["forces"][5], images[5].get_forces()[order], atol=1e-7)


def test_every_nth_frame(extxyz):
    thinned = frames.from_extxyz(extxyz, keep_every=7, start=2)
    assert thinned["step"].ravel().tolist() == [2, 9, 16, 23]


def test_a_cut_off_trajectory_is_refused(extxyz):
    extxyz.write_text(extxyz.read_text()[:-900])
    with pytest.raises(frames.BadFrames, match="trajectory.extxyz cannot be read to its end"):
        frames.from_extxyz(extxyz)


def test_a_frame_without_stress_is_refused(images, tmp_path):
    atoms = images[0].copy()
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((68, 3)))
    ase.io.write(tmp_path / "x.extxyz", atoms)
    with pytest.raises(frames.BadFrames, match="frame 0 has no stress; label it or .*--no-virial"):
        frames.from_extxyz(tmp_path / "x.extxyz")


# ---------------------------------------------------------------- on disk


def test_a_set_comes_back_as_it_was(system, saved):
    mask = frames.split_blocks(30, 6, 0.2)
    for part, chosen in (("training", ~mask), ("validation", mask)):
        back = frames.load(saved, part)
        assert (back["energies"] == system["energies"][chosen]).all()
        assert (back["virials"] == system["virials"][chosen]).all()
        assert np.allclose(back["coords"], system["coords"][chosen], rtol=0, atol=2e-6)
        assert np.allclose(back["forces"], system["forces"][chosen], rtol=1e-6, atol=2e-6)
        assert (back["temperature_K"] == system["temperature_K"][chosen]).all()
    assert len(frames.load(saved)) == 30
    assert (saved / "training" / "type_map.raw").read_text().split() == list(frames.TYPE_MAP)
    record = provenance.read(saved)
    assert record["frames"] == {"training": 25, "validation": 5}


def test_deepmd_reads_the_same_numbers(system, saved):
    """DeePMD-kit's own reader is the one that counts."""
    from deepmd.utils.data import DeepmdData

    data = DeepmdData(str(saved / "training"), type_map=list(frames.TYPE_MAP))
    data.add("energy", 1, atomic=False, must=True, high_prec=True)
    data.add("force", 3, atomic=True, must=True)
    data.add("virial", 9, atomic=False, must=True)
    batch = data.get_test()
    mask = frames.split_blocks(30, 6, 0.2)
    order = np.lexsort((batch["energy"].ravel(),))
    mine = np.argsort(system["energies"][~mask])
    assert np.allclose(batch["energy"].ravel()[order], system["energies"][~mask][mine])
    assert np.allclose(
        batch["virial"][order], system["virials"][~mask][mine].reshape(-1, 9), atol=1e-4
    )
    assert (batch["type"][0] == system["atom_types"]).all()


def test_save_does_not_overwrite_unasked(system, saved):
    with pytest.raises(FileExistsError, match="overwrite=True"):
        frames.save(system, saved, frames.split_blocks(30), description="", recipe={})


@pytest.mark.parametrize("file", ["force", "energy", "virial", "box", "coord"])
def test_a_truncated_npy_is_named_with_the_remedy(saved, file):
    path = saved / "validation" / "set.000" / f"{file}.npy"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(frames.BadFrames, match=f"{file}.npy is truncated.*git checkout"):
        frames.load(saved)


def test_a_missing_npy_is_named_with_the_remedy(saved):
    (saved / "training" / "set.000" / "force.npy").unlink()
    with pytest.raises(FileNotFoundError, match="force.npy is missing; restore it"):
        frames.load(saved, "training")


def test_a_label_of_another_number_of_atoms_is_named(saved):
    path = saved / "training" / "set.000" / "force.npy"
    np.save(path, np.load(path)[:, :-3])
    with pytest.raises(frames.BadFrames, match="force.npy has shape"):
        frames.load(saved)


def test_an_unknown_set_lists_the_known_ones():
    with pytest.raises(FileNotFoundError, match="no set of frames 'nowhere'; known:"):
        frames.load("nowhere")


# ---------------------------------------------------------------- splits


def test_blocks_are_contiguous_and_have_the_share():
    mask = frames.split_blocks(1000, 20, 0.3)
    assert mask.sum() == 300
    changes = np.count_nonzero(np.diff(mask.astype(int)))
    assert changes <= 2 * 6
    assert not mask[0] or not mask[-1]


@pytest.mark.parametrize("n, blocks, share", [(5, 6, 0.2), (5, 1, 0.2), (50, 5, 0.0), (50, 5, 1.0)])
def test_impossible_splits_are_refused(n, blocks, share):
    with pytest.raises(ValueError):
        frames.split_blocks(n, blocks, share)


# ---------------------------------------------------------------- judging


def test_sound_frames_pass(system):
    assert frames.check(system) is system


@pytest.mark.parametrize("label", ["coords", "forces", "energies", "virials", "cells"])
def test_nan_is_refused(system, label):
    system.data[label][(4,) + (0,) * (system.data[label].ndim - 1)] = np.nan
    with pytest.raises(frames.BadFrames, match=rf"NaN or infinite {label}.*index 4"):
        frames.check(system)


def test_wrong_number_of_atoms_is_refused(images, tmp_path):
    atoms = images[0][:-1]
    atoms.calc = SinglePointCalculator(
        atoms, energy=0.0, forces=np.zeros((67, 3)), stress=np.zeros(6)
    )
    ase.io.write(tmp_path / "x.extxyz", atoms)
    with pytest.raises(frames.BadFrames, match="wrong number of atoms"):
        frames.check(frames.from_extxyz(tmp_path / "x.extxyz"))


def test_another_element_is_refused(images, tmp_path):
    atoms = images[0].copy()
    atoms.symbols[0] = "Co"
    atoms.calc = images[0].calc
    atoms.calc.atoms = atoms
    ase.io.write(tmp_path / "x.extxyz", atoms)
    with pytest.raises(frames.BadFrames, match="Co is outside the type map"):
        frames.from_extxyz(tmp_path / "x.extxyz")


def test_a_huge_force_is_refused(system):
    system.data["forces"][2, 11:13, 1] = -45.0, 45.0
    system.data["forces"][2, 0] -= system["forces"][2].sum(axis=0)
    with pytest.raises(frames.BadFrames, match=r"45.0 eV/A, above the bound.*index 2"):
        frames.check(system)
    frames.check(system, force_bound=50.0)


def test_forces_that_do_not_sum_to_zero_are_refused(system):
    system.data["forces"][5, :3] = 0  # frozen atoms
    with pytest.raises(frames.BadFrames, match=r"do not sum to zero but to .* eV/A.*index 5"):
        frames.check(system)
    frames.check(system, net_force_bound=1e3)


def test_atoms_on_top_of_each_other_are_refused_also_across_the_boundary(system):
    cell = system["cells"][9]
    hydrogen = np.flatnonzero(system["atom_types"] == 1)[:2]
    system.data["coords"][9, hydrogen[0]] = 0.001 * cell[0]
    system.data["coords"][9, hydrogen[1]] = 0.98 * cell[0] + cell[1]
    with pytest.raises(frames.BadFrames, match=r"H-H at 0\.\d\d A, closer than 0.5 A.*index 9"):
        frames.check(system)


def test_another_composition_is_refused_unless_asked_for(lennard_jones, tmp_path):
    images = [atoms[:-1] for atoms in lennard_jones(2)]
    for atoms in images:
        zero = {"energy": -1.0, "forces": np.zeros((67, 3)), "stress": np.zeros(6)}
        atoms.calc = SinglePointCalculator(atoms, **zero)
    ase.io.write(tmp_path / "x.extxyz", images)
    system = frames.from_extxyz(tmp_path / "x.extxyz")
    frames.check(system, stoichiometry="any")
    with pytest.raises(frames.BadFrames, match="no whole number of Zn.*stoichiometry='any'"):
        frames.check(system)


def test_a_copied_frame_is_refused(system):
    system.data["coords"][20] = system["coords"][6]
    system.data["cells"][20] = system["cells"][6]
    with pytest.raises(frames.BadFrames, match=r"same coordinates as an earlier.*index 20"):
        frames.check(system)


def test_an_energy_outlier_is_refused(system):
    system.data["energies"][13] += 68 * 5.0
    with pytest.raises(frames.BadFrames, match=r"eV/atom from the median.*index 13"):
        frames.check(system)


def test_all_objections_come_at_once(system):
    system.data["forces"][2, 0, 0] = 99.0
    system.data["energies"][3] += 680
    with pytest.raises(frames.BadFrames) as error:
        frames.check(system)
    assert "99.0 eV/A" in str(error.value) and "from the median" in str(error.value)


def test_closest_distances_agree_with_ase_in_a_skewed_cell(images, system):
    found = frames.closest_distances(system).iloc[8]
    atoms = images[8]
    _, d = get_distances(atoms.positions, cell=atoms.cell, pbc=True)
    np.fill_diagonal(d, np.inf)
    for pair in ("C-H", "N-Zn", "Zn-Zn", "H-H", "C-Zn"):
        a, b = pair.split("-")
        expected = d[np.ix_(atoms.symbols == a, atoms.symbols == b)].min()
        assert found[pair] == pytest.approx(expected, abs=1e-4)


def test_summary_of_a_crystal_with_known_numbers(tmp_path):
    """One Zn at each corner of a 4 A cube, 2 x 1 x 1: density, pressure and rms by hand."""
    atoms = Atoms("Zn2", [[0, 0, 0], [4, 0, 0]], cell=[8, 4, 4], pbc=True)
    pressure = 0.01  # eV/A^3
    atoms.calc = SinglePointCalculator(
        atoms,
        energy=-3.0,
        forces=[[1, 0, 0], [-1, 0, 0]],
        stress=full_3x3_to_voigt_6_stress(-pressure * np.eye(3)),
    )
    ase.io.write(tmp_path / "zn.extxyz", atoms)
    s = frames.summary(frames.from_extxyz(tmp_path / "zn.extxyz"))
    assert s["density_g_cm3"][0] == pytest.approx(2 * 65.38 * 1.66053906660 / 128, rel=1e-6)
    assert s["pressure_GPa"][0] == pytest.approx(1.6021766, rel=1e-6)
    assert s["force_rms_eV_per_A"]["Zn"] == pytest.approx(1 / np.sqrt(3))
    assert s["energy_eV_per_atom"] == [-1.5, -1.5]
    assert s["closest_A"] == {"Zn-Zn": pytest.approx(4.0)}
    assert s["formula"] == "Zn2"


# ---------------------------------------------------------------- laws that bind the labels


@pytest.fixture(scope="module")
def near_images(lennard_jones):
    """Frames so near to each other that the energy between them is all but quadratic."""
    return lennard_jones(30, strain=0.0007, rattle=0.006)


@pytest.fixture
def near(near_images, tmp_path):
    ase.io.write(tmp_path / "near.extxyz", near_images)
    return frames.from_extxyz(tmp_path / "near.extxyz")


def test_labels_that_belong_together_obey_the_laws(near):
    system = near
    balance = frames.work_balance(system)
    assert np.allclose(balance["slope"], 1, atol=0.05)
    assert (balance["n_pairs"] == 29).all()
    frames.check(system, laws=True)


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
    system = frames.from_extxyz(tmp_path / "ch.extxyz")
    assert frames.ch_stiffness(system) == pytest.approx(33.0, rel=1e-5)


@pytest.mark.parametrize("name", ["crystal_0300", "crystal_strained", "glass_1500_2500"])
def test_shipped_frames_obey_the_laws(name):
    frames.check(frames.load(name), laws=True)


HARTREE, BOHR = 27.211386, 0.529177


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
    with pytest.raises(frames.BadFrames, match=message):
        frames.check(system, laws=True, force_bound=1e6, energy_outlier=1e6)


# ---------------------------------------------------------------- likeness


def test_displacement_agrees_with_ase_and_knows_no_shift(system):
    a, b = 4, 21
    step = system["coords"][b] - system["coords"][a] @ np.linalg.solve(
        system["cells"][a], system["cells"][b]
    )
    step = find_mic(step, system["cells"][b])[0]
    step -= step.mean(axis=0)
    expected = np.sqrt((step**2).sum(axis=1).mean())
    assert frames.displacement(system, a, np.array([b]))[0] == pytest.approx(expected, rel=0.05)
    system.data["coords"][b] = system["coords"][b] + [1.3, -0.4, 9.0] + system["cells"][b][0]
    assert frames.displacement(system, a, np.array([b]))[0] == pytest.approx(expected, rel=0.05)


def test_copies_are_found_wrapped_shifted_and_nearly(system):
    rng = np.random.default_rng(1)
    for target, source, noise in ((10, 3, 0.0), (20, 3, 0.005), (29, 28, 0.2)):
        cell = system["cells"][source]
        moved = system["coords"][source] + rng.normal(size=(68, 3)) * noise + 0.37
        system.data["coords"][target] = moved - np.floor(moved @ np.linalg.inv(cell)) @ cell
        system.data["cells"][target] = cell
    assert np.flatnonzero(frames.copies(system) >= 0).tolist() == [10]
    near = frames.copies(system, 0.02)
    assert np.flatnonzero(near >= 0).tolist() == [10, 20] and set(near[[10, 20]]) == {3}


def test_a_random_split_leaks_and_blocks_do_not(lennard_jones, tmp_path):
    """A walk through configurations: of a random split each validation frame has a twin."""
    system = dpdata.LabeledSystem(lennard_jones(1)[0], fmt="ase/structure")
    system.data = {k: np.repeat(v, 200, axis=0) if np.ndim(v) and len(v) == 1 else v
                   for k, v in system.data.items()}  # fmt: skip
    steps = np.random.default_rng(2).normal(size=(200, 68, 3)) * 0.02
    system.data["coords"] = system["coords"] + np.cumsum(steps, axis=0)
    random = frames.nearest_training(system, frames.split_random(200, 0.2))
    blocks = frames.nearest_training(system, frames.split_blocks(200, 10, 0.2))
    assert len(random) == len(blocks) == 40
    assert np.median(random) == pytest.approx(0.02 * np.sqrt(3), rel=0.1)  # one step of the walk
    assert np.median(blocks) > 2 * np.median(random)


def test_the_random_split_is_its_seed_and_has_the_share():
    mask = frames.split_random(100, 0.3, seed=4)
    assert mask.sum() == 30 and (mask == frames.split_random(100, 0.3, seed=4)).all()
    assert np.count_nonzero(np.diff(mask.astype(int))) > 20
    with pytest.raises(ValueError, match="leaves no part"):
        frames.split_random(3, 0.01)


# ---------------------------------------------------------------- other programs


@pytest.fixture(scope="module")
def by_species(images):
    """As VASP has them: atoms of one species together."""
    result = []
    for atoms in images[:6]:
        order = np.argsort(atoms.symbols, kind="stable")
        labels = dict(atoms.calc.results)
        labels["forces"] = labels["forces"][order]
        atoms = atoms[order]
        atoms.calc = SinglePointCalculator(atoms, **labels)
        result.append(atoms)
    return result


@pytest.mark.parametrize("write, name, ase_format", [
    (vasp_writer.outcar, "OUTCAR", "vasp-out"), (vasp_writer.vasprun, "vasprun.xml", "vasp-xml"),
])  # fmt: skip
def test_vasp_is_read_as_ase_reads_it(by_species, calculator, tmp_path, write, name, ase_format):
    """dpdata and ASE parse on their own: units, order of atoms, sign of the stress."""
    write(by_species, tmp_path / name)
    system = frames.import_labelled(tmp_path / name)
    other = ase.io.read(tmp_path / name, index=":", format=ase_format)
    assert len(system) == len(other) == len(by_species)
    order = np.argsort([frames.TYPE_MAP.index(s) for s in other[0].symbols], kind="stable")
    images = system.to("ase/structure")
    for i, (mine, theirs, put_in) in enumerate(zip(images, other, by_species, strict=True)):
        assert (mine.symbols == theirs.symbols[order]).all()
        assert system["energies"][i] == pytest.approx(
            theirs.get_potential_energy(force_consistent=True), abs=1e-6
        )
        assert system["energies"][i] == pytest.approx(put_in.get_potential_energy(), abs=1e-6)
        # dpdata turns cells to lower triangles: compare what a rotation leaves as it is
        assert np.allclose(mine.get_all_distances(mic=True),
                           theirs[order].get_all_distances(mic=True), atol=2e-4)
        assert np.allclose(np.linalg.norm(system["forces"][i], axis=1),
                           np.linalg.norm(theirs.get_forces()[order], axis=1), atol=1e-4)
        assert np.allclose(
            np.linalg.eigvalsh(system["virials"][i]),
            np.linalg.eigvalsh(-theirs.get_volume() * theirs.get_stress(voigt=False)), rtol=1e-3,
            atol=1e-2,
        )  # fmt: skip
        strain = frames.strain_derivative(mine, calculator)
        assert np.allclose(system["virials"][i], strain, atol=5e-3 * np.abs(strain).max())


@pytest.mark.parametrize("write, name", [
    (vasp_writer.outcar, "OUTCAR"), (vasp_writer.vasprun, "vasprun.xml")])  # fmt: skip
def test_unconverged_frames_are_refused_or_left_out(by_species, tmp_path, write, name):
    write(by_species, tmp_path / name, unconverged=(1, 4))
    with pytest.raises(frames.Unconverged, match=r"2 of 6 frames \(index 1, 4\).*--drop"):
        frames.import_labelled(tmp_path / name)
    left_out = []
    system = frames.import_labelled(tmp_path / name, unconverged=left_out)
    assert len(system) == 4 and left_out == [1, 4]


@pytest.mark.parametrize("write, name", [
    (vasp_writer.outcar, "OUTCAR"), (vasp_writer.vasprun, "vasprun.xml")])  # fmt: skip
def test_a_run_that_was_cut_off_is_refused(by_species, tmp_path, write, name):
    write(by_species, tmp_path / name)
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text[: int(0.9 * len(text))])
    with pytest.raises(frames.BadFrames, match="truncated|interrupted|incomplete"):
        frames.import_labelled(tmp_path / name)


@pytest.mark.parametrize("write, name", [
    (vasp_writer.outcar, "OUTCAR"), (vasp_writer.vasprun, "vasprun.xml")])  # fmt: skip
def test_a_missing_virial_is_refused_unless_allowed(by_species, tmp_path, write, name):
    write(by_species, tmp_path / name, stress=False)
    with pytest.raises(frames.BadFrames, match="holds no virial; .* ISIF = 2.*--no-virial"):
        frames.import_labelled(tmp_path / name)
    assert "virials" not in frames.import_labelled(tmp_path / name, virial=False).data


def test_enthalpies_are_refused(by_species, tmp_path):
    vasp_writer.vasprun(by_species, tmp_path / "vasprun.xml", pressure_kB=10.0)
    with pytest.raises(frames.BadFrames, match="PSTRESS = 10 kB and holds enthalpies"):
        frames.import_labelled(tmp_path / "vasprun.xml")


def test_an_element_of_the_user_outside_the_type_map_is_refused(by_species, tmp_path):
    vasp_writer.vasprun(by_species, tmp_path / "vasprun.xml")
    text = (tmp_path / "vasprun.xml").read_text()
    (tmp_path / "vasprun.xml").write_text(text.replace("<c>Zn</c>", "<c>Si</c>"))
    with pytest.raises(frames.BadFrames, match="Si is outside the type map"):
        frames.import_labelled(tmp_path / "vasprun.xml")


def test_an_unreadable_outcar_is_refused(tmp_path):
    (tmp_path / "OUTCAR").write_text("nothing of VASP\n")
    with pytest.raises(frames.BadFrames, match="OUTCAR is not readable as vasp/outcar"):
        frames.import_labelled(tmp_path / "OUTCAR")


def test_an_unguessable_file_asks_for_its_format(tmp_path):
    (tmp_path / "output.log").write_text("")
    with pytest.raises(frames.BadFrames, match="fmt=.*'vasp/outcar'"):
        frames.import_labelled(tmp_path / "output.log")


# HCN in a box of 6 A, stretched by -1, 0 and +1 % along x: outputs of CP2K 2023.1 (GTH-PBE, DZVP,
# 400 Ry, PRINT_LEVEL MEDIUM, FORCES and STRESS_TENSOR ON), of which lines that no parser wants
# were cut out. hcn_unconverged: the same with MAX_SCF 3.
CP2K = Path(__file__).parent / "data" / "cp2k"


def test_cp2k_is_read_with_its_units(tmp_path):
    system = frames.import_labelled(CP2K / "hcn.out")
    assert [frames.TYPE_MAP[t] for t in system["atom_types"]] == ["C", "H", "N"]
    assert np.allclose(system["coords"][0, 2], [0.6, 0.72, 0.66])
    assert system["energies"][0] == pytest.approx(-16.167596777947093 * HARTREE, abs=1e-4)
    assert system["forces"][0, 1, 0] == pytest.approx(-0.00872333 * HARTREE / BOHR, rel=1e-5)
    assert frames.ch_stiffness(system) != frames.ch_stiffness(system)  # one bond shows no slope
    frames.check(system, stoichiometry="any")


def test_the_virial_of_cp2k_is_minus_the_strain_derivative_of_its_energy():
    minus, zero, plus = (
        frames.import_labelled(CP2K / f"hcn{name}.out") for name in ("_minus", "", "_plus")
    )
    derivative = (plus["energies"][0] - minus["energies"][0]) / 0.02
    assert zero["virials"][0, 0, 0] == pytest.approx(-derivative, rel=0.02)


@pytest.mark.parametrize("unit, per_GPa", [("bar", 1e4), ("kbar", 10), ("MPa", 1e3), ("Pa", 1e9)])
def test_the_stress_of_cp2k_is_read_in_the_unit_that_it_names(tmp_path, unit, per_GPa):
    """Newer versions print bar, older ones GPa."""
    text = (CP2K / "hcn.out").read_text().replace("tensor [GPa]", f"tensor [{unit}]")
    (tmp_path / "cp2k.out").write_text(re.sub(
        r"(?m)^( STRESS\| +[xyz]) +(\S+) +(\S+) +(\S+)$",
        lambda row: " ".join([row[1], *(f"{float(x) * per_GPa:.11E}" for x in row.groups()[1:])]),
        text,
    ))  # fmt: skip
    here, there = (frames.import_labelled(f) for f in (tmp_path / "cp2k.out", CP2K / "hcn.out"))
    np.testing.assert_allclose(here["virials"], there["virials"], rtol=1e-9)


@pytest.mark.parametrize("change, message", [
    (lambda text: text[:3000], "CP2K did not come to its end"),
    (lambda text: text.replace("[GPa]", "[atm]"), "stress is in atm, known are GPa, .*STRESS_UNIT"),
    (lambda text: text.replace("[GPa]", ""), "stress is in no named unit"),
    (lambda text: text + text, "holds 2 steps; .* cp2kdata/md"),
    (lambda text: text.replace("STRESS|", ""), "holds no virial; .*STRESS_TENSOR ANALYTICAL"),
    (lambda text: text.replace("ATOMIC COORDINATES", ""), "no coordinates; .*PRINT_LEVEL MEDIUM"),
])  # fmt: skip
def test_an_unfit_output_of_cp2k_is_refused_with_the_remedy(tmp_path, change, message):
    (tmp_path / "cp2k.out").write_text(change((CP2K / "hcn.out").read_text()))
    with pytest.raises(frames.BadFrames, match=message):
        frames.import_labelled(tmp_path / "cp2k.out")


def test_an_unconverged_cp2k_run_is_refused():
    with pytest.raises(frames.Unconverged, match="did not converge; raise MAX_SCF"):
        frames.import_labelled(CP2K / "hcn_unconverged.out")


def test_extxyz_round_trip(system, tmp_path):
    back = frames.import_labelled(frames.to_extxyz(system, tmp_path / "back.extxyz"))
    for label in ("energies", "forces", "virials", "coords", "cells", "temperature_K"):
        assert np.allclose(back[label], system[label], rtol=1e-6, atol=1e-6)


def test_pack_thins_splits_and_says_so(extxyz, tmp_path):
    packed = frames.pack(extxyz, "lj", directory=tmp_path / "lj", description="LJ", source="test",
                         sampling={"rattle_A": 0.02}, level_of_theory="LJ", keep_every=2,
                         n_blocks=5)  # fmt: skip
    record = provenance.read(packed)
    assert record["sampling"] == {"rattle_A": 0.02}
    assert record["frames"] == {"training": 12, "validation": 3}
    assert len(record["recipe"]["trajectories"]) == 1


def test_neighbour_numbers_of_a_lattice():
    """Rock salt of C and N, a = 4 A: 6 unlike neighbours at a/2, 12 like ones at a/sqrt(2)."""
    from ase.build import bulk
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = bulk("CN", "rocksalt", a=4.0, cubic=True)
    atoms.calc = SinglePointCalculator(
        atoms, energy=0.0, forces=np.zeros((8, 3)), stress=np.zeros(6))
    system = dpdata.LabeledSystem(atoms, fmt="ase/structure")
    assert frames.largest_neighbour_numbers(system, 2.1) == {"C": 6, "H": 0, "N": 6, "Zn": 0}
    assert frames.largest_neighbour_numbers(system, 2.9) == {"C": 12, "H": 0, "N": 12, "Zn": 0}
