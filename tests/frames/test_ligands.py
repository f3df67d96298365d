"""Benzimidazolate in place of imidazolate: counts, bond lengths, room."""

import numpy as np
import pytest

from helpers import structures
from helpers.frames import ligands


@pytest.fixture(scope="module")
def cell():
    return structures.load("Znim2-ABW")


def test_every_ligand_of_a_crystal_is_found(cell):
    rings = ligands.imidazolates(cell)
    assert len(rings) == 8  # two for each of four Zn
    assert sorted(a for r in rings for a in r["N"]) == [
        i for i, s in enumerate(cell.symbols) if s == "N"]  # fmt: skip


def test_an_exchanged_ligand_is_a_benzimidazolate(cell):
    one = ligands.exchange(cell, 1)
    count = {s: one.get_chemical_symbols().count(s) for s in structures.TYPE_MAP}
    assert count == {"C": 28, "H": 26, "N": 16, "Zn": 4}  # C7H5N2 for C3H3N2
    order = [structures.TYPE_MAP.index(s) for s in one.symbols]
    assert order == sorted(order)
    assert len(ligands.imidazolates(one)) == 7  # the new one has no hydrogen on C4 and C5
    carbon, hydrogen = ligands.benzo(cell, ligands.imidazolates(cell)[0])
    np.testing.assert_allclose(np.linalg.norm(np.diff(carbon, axis=0), axis=1), 1.40, atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(hydrogen - carbon, axis=1), 1.09, atol=1e-9)


def test_a_second_one_goes_elsewhere_and_no_ninth_is_made(cell):
    two = ligands.exchange(cell, 2)
    assert len(two) == 80
    closest = two.get_all_distances(mic=True)[np.triu_indices(80, 1)].min()
    assert closest > 0.9
    with pytest.raises(ValueError, match="no imidazolate left"):
        ligands.exchange(cell, 9)
