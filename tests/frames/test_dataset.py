"""Sets of frames: what is saved comes back as it was, and a broken file is named."""

import ase.io
import dpdata
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.geometry import get_distances
from ase.stress import full_3x3_to_voigt_6_stress

from helpers import provenance, structures
from helpers.errors import NotThere
from helpers.frames import dataset, formats, summary


@pytest.fixture
def saved(system, tmp_path):
    mask = dataset.split_blocks(len(system), 6, 0.2)
    return dataset.save(
        system, tmp_path / "lj", mask, description="Lennard-Jones", recipe={"seed": 7}
    )


# ---------------------------------------------------------------- on disk


def test_a_set_comes_back_as_it_was(system, saved):
    mask = dataset.split_blocks(30, 6, 0.2)
    for part, chosen in (("training", ~mask), ("validation", mask)):
        back = dataset.load(saved, part)
        assert (back["energies"] == system["energies"][chosen]).all()
        assert (back["virials"] == system["virials"][chosen]).all()
        assert np.allclose(back["coords"], system["coords"][chosen], rtol=0, atol=2e-6)
        assert np.allclose(back["forces"], system["forces"][chosen], rtol=1e-6, atol=2e-6)
        assert (back["temperature_K"] == system["temperature_K"][chosen]).all()
    assert len(dataset.load(saved)) == 30
    assert (saved / "training" / "type_map.raw").read_text().split() == list(structures.TYPE_MAP)
    record = provenance.read(saved)
    assert record["frames"] == {"training": 25, "validation": 5}


def test_deepmd_reads_the_same_numbers(system, saved):
    """DeePMD-kit's own reader is the one that counts."""
    from deepmd.utils.data import DeepmdData

    data = DeepmdData(str(saved / "training"), type_map=list(structures.TYPE_MAP))
    data.add("energy", 1, atomic=False, must=True, high_prec=True)
    data.add("force", 3, atomic=True, must=True)
    data.add("virial", 9, atomic=False, must=True)
    batch = data.get_test()
    mask = dataset.split_blocks(30, 6, 0.2)
    order = np.lexsort((batch["energy"].ravel(),))
    mine = np.argsort(system["energies"][~mask])
    assert np.allclose(batch["energy"].ravel()[order], system["energies"][~mask][mine])
    assert np.allclose(
        batch["virial"][order], system["virials"][~mask][mine].reshape(-1, 9), atol=1e-4
    )
    assert (batch["type"][0] == system["atom_types"]).all()


def test_save_does_not_overwrite_unasked(system, saved):
    with pytest.raises(FileExistsError, match="overwrite=True"):
        dataset.save(system, saved, dataset.split_blocks(30), description="", recipe={})


@pytest.mark.parametrize("file", ["force", "energy", "virial", "box", "coord"])
def test_a_truncated_npy_is_named_with_the_remedy(saved, file):
    path = saved / "validation" / "set.000" / f"{file}.npy"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(dataset.BadFrames, match=f"{file}.npy is truncated.*git checkout"):
        dataset.load(saved)


def test_a_missing_npy_is_named_with_the_remedy(saved):
    (saved / "training" / "set.000" / "force.npy").unlink()
    with pytest.raises(FileNotFoundError, match="force.npy is missing; restore it"):
        dataset.load(saved, "training")


def test_a_label_of_another_number_of_atoms_is_named(saved):
    path = saved / "training" / "set.000" / "force.npy"
    np.save(path, np.load(path)[:, :-3])
    with pytest.raises(dataset.BadFrames, match="force.npy has shape"):
        dataset.load(saved)


def test_an_unknown_set_lists_the_known_ones():
    with pytest.raises(FileNotFoundError, match="no set of frames 'nowhere'; known:"):
        dataset.load("nowhere")


# ---------------------------------------------------------------- parts


def test_blocks_are_contiguous_and_have_the_share():
    mask = dataset.split_blocks(1000, 20, 0.3)
    assert mask.sum() == 300
    changes = np.count_nonzero(np.diff(mask.astype(int)))
    assert changes <= 2 * 6
    assert not mask[0] or not mask[-1]


@pytest.mark.parametrize("n, blocks, share", [(5, 6, 0.2), (5, 1, 0.2), (50, 5, 0.0), (50, 5, 1.0)])
def test_impossible_splits_are_refused(n, blocks, share):
    with pytest.raises(ValueError, match="share|blocks"):
        dataset.split_blocks(n, blocks, share)


def test_the_random_split_is_its_seed_and_has_the_share():
    mask = dataset.split_random(100, 0.3, seed=4)
    assert mask.sum() == 30 and (mask == dataset.split_random(100, 0.3, seed=4)).all()
    assert np.count_nonzero(np.diff(mask.astype(int))) > 20
    with pytest.raises(ValueError, match="leaves no part"):
        dataset.split_random(3, 0.01)


# ---------------------------------------------------------------- what a set holds


def test_closest_distances_agree_with_ase_in_a_skewed_cell(images, system):
    found = summary.closest_distances(system).iloc[8]
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
    s = summary.summary(formats.from_extxyz(tmp_path / "zn.extxyz"))
    assert s["density_g_cm3"][0] == pytest.approx(2 * 65.38 * 1.66053906660 / 128, rel=1e-6)
    assert s["pressure_GPa"][0] == pytest.approx(1.6021766, rel=1e-6)
    assert s["force_rms_eV_per_A"]["Zn"] == pytest.approx(1 / np.sqrt(3))
    assert s["energy_eV_per_atom"] == [-1.5, -1.5]
    assert s["closest_A"] == {"Zn-Zn": pytest.approx(4.0)}
    assert s["formula"] == "Zn2"


def test_neighbour_numbers_of_a_lattice():
    """Rock salt of C and N, a = 4 A: 6 unlike neighbours at a/2, 12 like ones at a/sqrt(2)."""
    from ase.build import bulk
    from ase.calculators.singlepoint import SinglePointCalculator

    atoms = bulk("CN", "rocksalt", a=4.0, cubic=True)
    atoms.calc = SinglePointCalculator(
        atoms, energy=0.0, forces=np.zeros((8, 3)), stress=np.zeros(6)
    )
    system = dpdata.LabeledSystem(atoms, fmt="ase/structure")
    assert summary.largest_neighbour_numbers(system, 2.1) == {"C": 6, "H": 0, "N": 6, "Zn": 0}
    assert summary.largest_neighbour_numbers(system, 2.9) == {"C": 12, "H": 0, "N": 12, "Zn": 0}


def test_whose_dynamics_the_frames_of_a_set_are_from():
    assert dataset.sampler("reference_0300") == "reference"
    assert dataset.sampler("heated_round_8_test") == "runs"
    with pytest.raises(NotThere):
        dataset.sampler("no-such-set")
