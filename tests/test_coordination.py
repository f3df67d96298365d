import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from helpers import coordination


def test_zinc_blende_is_fourfold_even_in_the_primitive_cell():
    atoms = bulk("ZnS", "zincblende", a=5.41)
    found = coordination.coordination_number(
        [atoms.positions] * 2, [atoms.cell.array] * 2, ["Zn", "N"], cutoff=2.5)
    assert found.tolist() == [[4], [4]]


def test_agrees_with_ase_in_a_triclinic_gas():
    rng = np.random.default_rng(2)
    cell = np.array([[9.0, 0, 0], [-3, 8, 0], [2, -3, 9]])
    atoms = Atoms("Zn12N40", rng.random((52, 3)) @ cell, cell=cell, pbc=True)
    i = neighbor_list("i", atoms, {("Zn", "N"): 3.0})
    found = coordination.coordination_number(
        [atoms.positions], [cell], list(atoms.symbols), cutoff=3.0)
    assert found[0].tolist() == np.bincount(i, minlength=52)[:12].tolist()


def test_histogram_and_undercoordinated_share():
    numbers = np.array([[4, 4, 3, 7], [4, 4, 4, 4]])
    shares = coordination.histogram(numbers, maximum=6)
    np.testing.assert_allclose(shares[0], [0, 0, 0, 0.25, 0.5, 0, 0.25])
    np.testing.assert_allclose(coordination.undercoordinated(numbers), [0.25, 0])


# One imidazolate-like ligand (N-C-N in a row) that walks along a row of Zn.
LIGAND = np.array([[0.0, 0, 0], [1.15, 0.7, 0], [2.3, 0, 0]])
SYMBOLS = ["Zn", "Zn", "Zn", "N", "C", "N"]
ZN = np.array([[0.0, 0, 0], [6.0, 0, 0], [12.0, 0, 0]])  # Zn-N 1.85 at both ends of the ligand


def walk(offsets, length=18.0):
    """Frames with the ligand's first N at x = 1.85 + offset."""
    positions = np.array([np.vstack([ZN, LIGAND + [1.85 + x, 0, 0]]) for x in offsets])
    return positions, np.broadcast_to(np.diag([length, 20.0, 20.0]), (len(offsets), 3, 3))


def test_ligand_is_found_by_its_bonds():
    positions, cells = walk([0])
    label = coordination.ligands(positions[0], cells[0], SYMBOLS)
    assert label.tolist() == [-1, -1, -1, 0, 0, 0]


def test_a_bond_that_opens_and_closes_is_no_exchange():
    assert len(coordination.exchanges(*walk([0, 1.0, 1.2, 1.0, 0]), SYMBOLS)) == 0


def test_a_ligand_that_moves_on_by_one_site():
    found = coordination.exchanges(*walk([0, 2, 4, 6]), SYMBOLS)
    events = found.table()
    assert sorted(zip(events.nitrogen, events.zn_from, events.zn_to, strict=True)) == [
        (3, 0, 1), (5, 1, 2)]
    assert found.moved.all() and found.n_ligands == 1
    assert found.cumulative()[-1] == 2


def test_flip_exchanges_nitrogens_but_not_the_ligand():
    positions, cells = walk([0, 0, 0])
    positions[1:, [3, 5]] = positions[1:, [5, 3]]
    found = coordination.exchanges(positions, cells, SYMBOLS)
    assert len(found) == 2 and not found.moved.any()
    assert found.cumulative(moved=True)[-1] == 0


def test_the_next_image_of_the_same_zinc_is_another_zinc():
    positions, cells = walk([0, 2, 4, 6], length=6.0)
    keep = [0, 3, 4, 5]
    found = coordination.exchanges(positions[:, keep], cells, ["Zn", "N", "C", "N"])
    assert len(found) == 2
    assert found.zn_from.tolist() == found.zn_to.tolist() == [0, 0]


def test_wrapped_positions_are_refused():
    positions, cells = walk([0, 0])
    positions[1, 3:, 0] += 18
    with pytest.raises(ValueError, match="unwrapped"):
        coordination.exchanges(positions, cells, SYMBOLS)
