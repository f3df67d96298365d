import subprocess
import sys

import ase
import freud
import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from helpers.observables import neighbors

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
    np.testing.assert_allclose(np.sort(found.distance), np.sort(d[wanted]), atol=1e-9)
    bond = positions[found.j] + found.shift @ cell - positions[found.i]
    np.testing.assert_allclose(np.linalg.norm(bond, axis=1), found.distance, atol=1e-9)


@pytest.mark.parametrize(
    "cell, r_max",
    [
        (np.diag([9.0, 10, 11]), 4.0),
        (TRICLINIC, 9.0),
        (3 * TRICLINIC, 7.0),
        (np.diag([25.0, 4.0, 9.0]), 5.0),
    ],
)
def test_histogram_of_kinds_is_ases_pair_by_pair(cell, r_max):
    rng = np.random.default_rng(2)
    positions = rng.uniform(-1, 2, (90, 3)) @ cell
    kind = rng.integers(3, size=90)
    i, j, d = neighbor_list("ijd", ase.Atoms("X90", positions, cell=cell, pbc=True), r_max)
    found = neighbors.histogram(positions, cell, kind, 3, r_max, 40)
    for a in range(3):
        for b in range(3):
            here = d[(kind[i] == a) & (kind[j] == b)]
            np.testing.assert_array_equal(
                found[a, b], np.histogram(here, np.linspace(0, r_max, 41))[0]
            )


def test_own_images_count_but_not_the_atom_itself():
    found = neighbors.pairs([[0.1, 0.2, 0.3]], np.eye(3) * 3.0, [0], [0], 3.1)
    np.testing.assert_allclose(found.distance, 3.0)
    assert len(found.distance) == 6
    assert neighbors.histogram([[0.1, 0.2, 0.3]], np.eye(3) * 3.0, [0], 1, 3.1, 1).item() == 6


def test_one_atom_and_no_neighbours_are_no_pairs():
    far = neighbors.pairs([[0.0, 0, 0]], np.eye(3) * 9.0, [0], [0], 4.0, shifts=True)
    assert far.i.shape == (0,) and far.shift.shape == (0, 3)
    assert len(neighbors.pairs([[0.0, 0, 0]], np.eye(3) * 9.0, [0], [], 4.0).i) == 0


def test_closest_pair_of_an_element_in_each_frame():
    cell = np.diag([8.0, 9.0, 10.0])
    first = [[0.5, 0, 0], [7.5, 0, 0], [4, 4, 4]]  # Zn-Zn across the face: 1 A
    second = [[0, 0, 0], [4, 4.5, 5], [4, 4, 4]]  # farther than 6 A
    distances = neighbors.closest([first, second], [cell] * 2, ["Zn", "Zn", "N"], "Zn")
    np.testing.assert_allclose(distances, [1.0, np.inf])


def test_widest_radius_is_half_the_narrowest_height():
    assert neighbors.widest_radius(np.diag([9.0, 10, 11])) == 4.5
    box = freud.box.Box.from_matrix(np.linalg.cholesky(TRICLINIC @ TRICLINIC.T).T)
    heights = np.linalg.norm(np.linalg.inv(box.to_matrix()), axis=1)
    found = neighbors.widest_radius(np.stack([TRICLINIC, 2 * TRICLINIC]))
    assert found == pytest.approx(0.5 / heights.max(), rel=1e-5)


def test_refuses_nan_a_flat_cell_and_no_radius():
    with pytest.raises(ValueError, match="NaN"):
        neighbors.pairs([[np.nan, 0, 0]], np.eye(3), [0], [0], 1)
    with pytest.raises(ValueError, match="no volume"):
        neighbors.pairs([[0, 0, 0]], np.diag([1, 1, 0]), [0], [0], 1)
    with pytest.raises(ValueError, match="positive"):
        neighbors.pairs([[0, 0, 0]], np.eye(3), [0], [0], 0.0)


def test_unknown_element_and_empty_range_are_named():
    with pytest.raises(ValueError, match="'Cu'.*N.*Zn"):
        neighbors.select(["Zn", "N"], "Cu")
    with pytest.raises(ValueError, match="no frames"):
        neighbors.frames(np.zeros((0, 2, 3)), np.zeros((0, 3, 3)), ["Zn", "N"])


def test_says_that_it_compiles_once_and_not_again(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    code = (
        "from numba import njit\nfrom helpers.observables import neighbors\n"
        "@njit(cache=True)\ndef _twice(x):\n    return 2 * x\n"
        "for _ in range(2):\n    neighbors.announce_compilation(_twice)\n    _twice(1)\n"
    )
    file = tmp_path / "kernel.py"
    file.write_text(code)
    said = [
        subprocess.run([sys.executable, file], capture_output=True, text=True, check=True).stderr
        for _ in range(2)
    ]
    assert said[0].count("compiling twice, once") == 1
    assert said[1] == ""
