import ase
import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from helpers import neighbors

TRICLINIC = np.array([[6.0, 0.5, 0.0], [-2.5, 7.0, 1.0], [1.0, -3.0, 8.0]])


@pytest.mark.parametrize("cell", [np.diag([9.0, 10, 11]), TRICLINIC, TRICLINIC[[1, 0, 2]]])
@pytest.mark.parametrize("r_max", [2.5, 9.0])
def test_same_pairs_as_ase_even_beyond_half_the_cell(cell, r_max):
    rng = np.random.default_rng(1)
    positions = rng.uniform(-1, 2, (30, 3)) @ cell  # not wrapped
    atoms = ase.Atoms("Zn10N20", positions, cell=cell, pbc=True)
    i, j, d, S = neighbor_list("ijdS", atoms, r_max)
    wanted = (i < 10) & (j >= 10)
    found = neighbors.pairs(positions, cell, range(10), range(10, 30), r_max, shifts=True)
    assert len(found.i) == wanted.sum() > 0
    mine = {tuple(row) for row in np.column_stack([found.i, found.j, found.shift])}
    assert mine == {tuple(row) for row in np.column_stack([i, j, S])[wanted]}
    np.testing.assert_allclose(np.sort(found.distance), np.sort(d[wanted]), atol=2e-5)


def test_own_images_count_but_not_the_atom_itself():
    found = neighbors.pairs([[0.1, 0.2, 0.3]], np.eye(3) * 3.0, [0], [0], 3.1)
    np.testing.assert_allclose(found.distance, 3.0, atol=1e-5)
    assert len(found.distance) == 6


def test_refuses_nan_and_a_flat_cell():
    with pytest.raises(ValueError, match="NaN"):
        neighbors.pairs([[np.nan, 0, 0]], np.eye(3), [0], [0], 1)
    with pytest.raises(ValueError, match="no volume"):
        neighbors.pairs([[0, 0, 0]], np.diag([1, 1, 0]), [0], [0], 1)


def test_unknown_element_and_empty_range_are_named():
    with pytest.raises(ValueError, match="'Cu'.*N.*Zn"):
        neighbors.select(["Zn", "N"], "Cu")
    with pytest.raises(ValueError, match="no frames"):
        neighbors.frames(np.zeros((0, 2, 3)), np.zeros((0, 3, 3)), ["Zn", "N"])
