import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.neighborlist import build_neighbor_list, natural_cutoffs
from scipy.sparse.csgraph import connected_components

from helpers import structures
from helpers.frames import dataset
from helpers.observables import molecules


@pytest.fixture
def crystal():
    return structures.load("ZIF-4")


def census(*atoms):
    return molecules.census(
        [a.positions for a in atoms], [a.cell.array for a in atoms], list(atoms[0].symbols)
    )


@pytest.fixture
def ring(crystal):
    """Atoms of one imidazolate of the crystal: its C, its N and the H on each C."""
    found = molecules.find(crystal.positions, crystal.cell.array, list(crystal.symbols))
    return np.flatnonzero(found.label == 0)


def test_zif4_has_32_imidazolates_and_so_has_any_supercell(crystal):
    found = census(crystal)
    assert found.intact.tolist() == [32] and found.possible == 32 and found.broken.tolist() == [0]
    assert found.hydrogen.tolist() == found.clusters.tolist() == [0] and not found.others[0]
    big = structures.supercell(crystal, (2, 1, 1))
    assert census(big).intact.tolist() == [64]


def test_molecules_are_made_whole(crystal):
    label = molecules.find(crystal.positions, crystal.cell.array, list(crystal.symbols)).label
    crystal.wrap()
    whole = molecules.unbroken(crystal)
    for one in range(32):
        mine = whole.positions[label == one]
        assert np.linalg.norm(mine - mine.mean(axis=0), axis=1).max() < 2.6
    moved = (whole.positions - crystal.positions) @ np.linalg.inv(crystal.cell.array)
    np.testing.assert_allclose(moved, moved.round(), atol=1e-9)
    assert moved.round().any()  # the crystal has rings across the faces


def test_ring_that_opens_is_broken(crystal, ring):
    found = census(crystal, opened(crystal, ring))
    assert found.intact.tolist() == [32, 31] and found.broken.tolist() == [0, 1]
    assert found.hydrogen[1] == 0 and found.others[1]


def opened(atoms, ring):
    """A copy with one C of the ring, and its H, pulled out."""
    atoms = atoms.copy()
    symbols = np.array(atoms.symbols)
    carbon = ring[symbols[ring] == "C"][0]
    hydrogen = min(
        ring[symbols[ring] == "H"], key=lambda h: atoms.get_distance(carbon, h, mic=True)
    )
    away = atoms.get_distances(carbon, ring[symbols[ring] == "N"], mic=True, vector=True).mean(
        axis=0
    )
    atoms.positions[[carbon, hydrogen]] -= 1.5 * away / np.linalg.norm(away)
    return atoms


def test_a_broken_ligand_is_followed_in_time(crystal, ring):
    """Broken in frames 1, 4, 5, 6 and 9 (the last): only the run of three may last."""
    broken = opened(crystal, ring)
    found = census(*[broken if f in (1, 4, 5, 6, 9) else crystal for f in range(10)])
    assert found.ligand_broken.shape == (10, 32)
    assert found.ligand_broken.sum(axis=1).tolist() == found.broken.tolist()
    assert found.ligand_broken.any(axis=0).sum() == 1
    times = 0.3 * np.arange(10)
    spells = molecules.spells(found.ligand_broken, times)
    assert spells[["start", "end", "frames"]].values.tolist() == [[1, 2, 1], [4, 7, 3], [9, 10, 1]]
    np.testing.assert_allclose(spells["lasted_ps"], [0, 0.6, 0], atol=1e-12)
    assert spells["open"].tolist() == [False, False, True]
    assert spells["lasting"].tolist() == [False, True, False]
    assert molecules.still_broken(spells, 10).tolist() == [0] * 4 + [1] * 3 + [0] * 3
    assert not molecules.spells(found.ligand_broken, times / 2)["lasting"].any()  # 0.3 ps


def test_two_ligands_that_touch_in_turn_do_not_make_one_lasting_break():
    happens = np.zeros((9, 2), bool)
    happens[0:9:2, 0] = happens[1:9:2, 1] = True  # in every frame one of the two
    found = molecules.spells(happens, np.arange(9.0))
    assert len(found) == 9 and not found["lasting"].any()
    assert molecules.spells(happens.any(axis=1), np.arange(9.0))["lasting"].tolist() == [True]
    assert molecules.spells(np.zeros((9, 0), bool), np.arange(9.0)).empty
    assert molecules.still_broken(molecules.spells(np.zeros(9, bool), np.arange(9.0)), 9).sum() == 0
    with pytest.raises(ValueError, match="do not fit"):
        molecules.spells(happens, np.arange(8.0))


def test_ring_without_one_hydrogen_and_the_hydrogen_alone(crystal, ring):
    atoms = crystal.copy()
    hydrogen = ring[np.array(atoms.symbols)[ring] == "H"][0]
    atoms.positions[hydrogen] = hole(atoms)
    found = census(atoms)
    assert found.intact.tolist() == [31]
    assert dict(found.others[0]) == {"C3H2N2": 1, "H": 1}
    assert found.hydrogen.tolist() == [1] and found.clusters.tolist() == [0]


def hole(atoms, seed=0):
    """A point of the cell far from all atoms."""
    rng = np.random.default_rng(seed)
    points = rng.random((2000, 3)) @ atoms.cell.array
    probe = atoms.copy()
    far = [
        (probe + Atoms("H", [p])).get_distances(len(atoms), range(len(atoms)), mic=True).min()
        for p in points[:300]
    ]
    return points[int(np.argmax(far))]


def test_planted_hydrogen_molecule_is_a_cluster(crystal):
    h2 = molecule("H2")
    h2.positions += hole(crystal) - h2.positions.mean(axis=0)
    found = census(crystal + h2)
    assert found.intact.tolist() == [32]
    assert found.hydrogen.tolist() == [2] and found.clusters.tolist() == [1]
    assert found.largest_cluster.tolist() == [2] and dict(found.others[0]) == {"H2": 1}
    table = found.formulas()
    assert table.to_dict("list") == {"formula": ["H2"], "a frame": [1.0], "frames": [1]}


def test_pyrazole_like_ring_is_no_imidazolate():
    """The same formula, another ring: N next to N."""
    angle = 2 * np.pi * np.arange(5) / 5
    heavy = 1.15 * np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    for order, intact in (("NCNCC", True), ("NNCCC", False)):
        carbons = heavy[[s == "C" for s in order]]
        atoms = Atoms(
            list(order) + ["H"] * 3, np.vstack([heavy, carbons * 1.95]), cell=[10, 10, 10], pbc=True
        )
        assert census(atoms).intact[0] == intact


def test_real_hot_frames_agree_with_ase_and_scipy():
    """The same clusters from ASE's neighbour list and scipy."""
    hot = dataset.load("nvt_2500")
    symbols = np.array(hot["atom_names"])[hot["atom_types"]]
    for k in (0, len(hot["coords"]) - 1):
        atoms = Atoms(symbols, hot["coords"][k], cell=hot["cells"][k], pbc=True)
        found = molecules.find(atoms.positions, atoms.cell.array, symbols)
        organic = atoms[symbols != "Zn"]
        listed = build_neighbor_list(
            organic, natural_cutoffs(organic, mult=1.3), bothways=True, self_interaction=False
        )
        n, label = connected_components(listed.get_connectivity_matrix())
        assert n == found.label.max() + 1
        assert (np.unique(label, return_inverse=True)[1] == found.label[symbols != "Zn"]).all()


def test_frames_without_ligands_and_refusals():
    zinc = Atoms("Zn2", [[0, 0, 0], [3, 0, 0]], cell=[9, 9, 9], pbc=True)
    found = census(zinc)
    assert found.intact.tolist() == [0] and found.possible == 0 and found.formulas().empty
    assert found.ligand_broken.shape == (1, 0)
    with pytest.raises(ValueError, match="no frames"):
        molecules.census(np.zeros((0, 2, 3)), np.zeros((0, 3, 3)), ["Zn", "Zn"])
    with pytest.raises(ValueError, match="NaN"):
        molecules.census(np.full((1, 2, 3), np.nan), [np.eye(3) * 9], ["N", "C"])
