"""Frames: labels keep their meaning on every way in and out, and broken frames are refused."""

import os
import subprocess
import sys

import ase.io
import dpdata
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import get_distances
from ase.stress import full_3x3_to_voigt_6_stress

from helpers import frames, provenance, structures


@pytest.fixture(scope="module")
def images():
    """30 rattled and strained cells of 68 atoms with labels of an analytic potential.

    Lennard-Jones between all atoms: not chemistry, but energy, forces and stress that belong
    together, which is what these tests are about.
    """
    rng = np.random.default_rng(7)
    start = structures.load("Znim2-ABW")
    result = []
    for i in range(30):
        atoms = start.copy()
        strain = np.eye(3) + 0.02 * rng.normal(size=(3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.rattle(0.02, rng=rng)
        calculator = LennardJones(sigma=1.0, epsilon=0.05, rc=5.0, smooth=True)
        atoms.calc = calculator
        labels = {k: calculator.get_property(k, atoms) for k in ("energy", "forces", "stress")}
        atoms.calc = SinglePointCalculator(atoms, **labels)
        atoms.info = {"temperature_K": 300.0 + 10 * i, "step": i, "strain": 0.0}
        result.append(atoms)
    return result


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


def test_virial_is_minus_the_strain_derivative_of_the_energy(images, system):
    """W_ab = -dE/d(eps_ab) under homogeneous strain, by central differences."""
    atoms = images[3].copy()
    atoms.calc = LennardJones(sigma=1.0, epsilon=0.05, rc=5.0, smooth=True)
    cell, h = atoms.cell.array, 1e-5
    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2)):
        energy = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * h
            strained = atoms.copy()
            strained.calc = atoms.calc
            strained.set_cell(cell @ strain, scale_atoms=True)
            energy.append(strained.get_potential_energy())
        derivative = (energy[0] - energy[1]) / (2 * h)
        assert system["virials"][3, a, b] == pytest.approx(-derivative, abs=2e-4)


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
    with pytest.raises(frames.BadFrames, match="frame 0 has no stress"):
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
    system.data["forces"][2, 11, 1] = -45.0
    with pytest.raises(frames.BadFrames, match=r"45.0 eV/A, above the bound.*index 2"):
        frames.check(system)
    frames.check(system, force_bound=50.0)


def test_atoms_on_top_of_each_other_are_refused_also_across_the_boundary(system):
    cell = system["cells"][9]
    hydrogen = np.flatnonzero(system["atom_types"] == 1)[:2]
    system.data["coords"][9, hydrogen[0]] = 0.001 * cell[0]
    system.data["coords"][9, hydrogen[1]] = 0.98 * cell[0] + cell[1]
    with pytest.raises(frames.BadFrames, match=r"H-H at 0\.\d\d A, closer than 0.5 A.*index 9"):
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


# ---------------------------------------------------------------- the user's own data

VASPRUN = """<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <incar><i type="int" name="NELM">60</i></incar>
 <parameters><separator name="electronic"><i type="int" name="NELM">60</i></separator></parameters>
 <atominfo>
  <atoms>2</atoms><types>2</types>
  <array name="atoms"><field>element</field><field>atomtype</field>
   <set><rc><c>Zn</c><c>1</c></rc><rc><c>N </c><c>2</c></rc></set></array>
 </atominfo>
 <calculation>
  <scstep><energy><i name="e_0_energy">-7.25</i></energy></scstep>
  <structure><crystal><varray name="basis">
   <v>8 0 0</v><v>0 9 0</v><v>0 0 10</v></varray></crystal>
   <varray name="positions"><v>0 0 0</v><v>0.25 0 0</v></varray></structure>
  <varray name="forces"><v>0.5 0 0</v><v>-0.5 0 0</v></varray>
  <varray name="stress"><v>20 0 0</v><v>0 10 0</v><v>0 0 5</v></varray>
  <energy><i name="e_fr_energy">-7.25</i><i name="e_0_energy">-7.25</i></energy>
 </calculation>
</modeling>
"""


def test_a_vasprun_goes_in_with_its_atoms_in_our_order(tmp_path):
    """VASP prints the stress in kB, positive = pressure of the cell outwards: W = V * stress."""
    (tmp_path / "vasprun.xml").write_text(VASPRUN)
    system = frames.import_labelled(tmp_path / "vasprun.xml")
    assert [frames.TYPE_MAP[t] for t in system["atom_types"]] == ["N", "Zn"]
    assert np.allclose(system["coords"][0], [[2, 0, 0], [0, 0, 0]])
    assert np.allclose(system["forces"][0, :, 0], [-0.5, 0.5])
    assert system["energies"][0] == -7.25
    kilobar = 1e8 / 1.602176634e-19 * 1e-30  # eV/A^3
    assert np.allclose(
        np.diag(system["virials"][0]), 720 * kilobar * np.array([20, 10, 5]), rtol=1e-5
    )


def test_an_element_of_the_user_outside_the_type_map_is_refused(tmp_path):
    (tmp_path / "vasprun.xml").write_text(VASPRUN.replace("N ", "Si"))
    with pytest.raises(frames.BadFrames, match="Si is outside the type map"):
        frames.import_labelled(tmp_path / "vasprun.xml")


def test_an_unreadable_outcar_is_refused(tmp_path):
    (tmp_path / "OUTCAR").write_text("nothing of VASP\n")
    with pytest.raises(frames.BadFrames, match="OUTCAR"):
        frames.import_labelled(tmp_path / "OUTCAR")


def test_an_unguessable_file_asks_for_its_format(tmp_path):
    (tmp_path / "output.log").write_text("")
    with pytest.raises(frames.BadFrames, match="fmt='vasp/outcar'"):
        frames.import_labelled(tmp_path / "output.log")


def test_extxyz_round_trip(system, tmp_path):
    back = frames.import_labelled(frames.to_extxyz(system, tmp_path / "back.extxyz"))
    for label in ("energies", "forces", "virials", "coords", "cells", "temperature_K"):
        assert np.allclose(back[label], system[label], rtol=1e-6, atol=1e-6)


def test_pack_from_the_command_line(extxyz, tmp_path):
    command = [
        sys.executable,
        "-m",
        "helpers.frames",
        "pack",
        extxyz,
        "lj",
        "--description",
        "LJ",
        "--sampling",
        '{"rattle_A": 0.02}',
        "--level-of-theory",
        "LJ",
        "--source",
        "test",
        "--keep-every",
        "2",
        "--n-blocks",
        "5",
    ]
    environment = os.environ | {"ZIF4_ROOT": str(tmp_path)}
    subprocess.run(command, check=True, env=environment, capture_output=True)
    record = provenance.read(tmp_path / "data" / "frames" / "lj")
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
