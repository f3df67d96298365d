"""Geometry of the rings: counts, flat pentagons, and ASE's own distances and angles."""

import numpy as np
import pytest

from helpers import structures
from helpers.observables import imidazolate


def test_rings_of_zif4():
    """32 imidazolates on 16 zinc: their numbers, and 540 degrees in a flat pentagon."""
    found = imidazolate.geometry(structures.load("ZIF-4"))
    expected = {"C2-N": 64, "C4-N": 64, "C4-C4": 32, "C2-H": 32, "C4-H": 64, "N-Zn": 64,
                "N-C2-N": 32, "C2-N-C4": 64, "C4-C4-N": 64, "N-Zn-N": 96}  # fmt: skip
    assert found.loc[list(expected), "number"].to_dict() == expected
    inner = found["mean"][["N-C2-N", "C2-N-C4", "C2-N-C4", "C4-C4-N", "C4-C4-N"]].sum()
    assert inner == pytest.approx(540, abs=0.1)
    assert found["mean"]["N-Zn-N"] == pytest.approx(109.5, abs=1)


def test_rings_agree_with_distances_and_angles_of_ase():
    """One ring by hand, by ASE's own minimum-image geometry, in a cell that cuts rings apart."""
    atoms = structures.load("Znim2-ABW")
    atoms.positions += (0.7, 1.3, 2.1)
    atoms.wrap()
    found = imidazolate.geometry(atoms)
    symbols = np.array(atoms.get_chemical_symbols())
    d = atoms.get_all_distances(mic=True)
    near_n = [np.flatnonzero((symbols == "N") & (d[c] < 1.65)) for c in range(len(atoms))]
    c2 = [c for c in np.flatnonzero(symbols == "C") if len(near_n[c]) == 2]
    lengths = [d[c, n] for c in c2 for n in near_n[c]]
    angles = [atoms.get_angle(near_n[c][0], c, near_n[c][1], mic=True) for c in c2]
    assert len(c2) == 8
    assert found.loc["C2-N", "mean"] == pytest.approx(np.mean(lengths), abs=1e-6)
    assert found.loc["C2-N", "spread"] == pytest.approx(np.std(lengths), abs=1e-6)
    assert found.loc["N-C2-N", "mean"] == pytest.approx(np.mean(angles), abs=1e-4)


def test_a_stretched_crystal_beside_itself():
    atoms = structures.load("Znim2-ABW")
    larger = atoms.copy()
    larger.set_cell(1.01 * atoms.cell.array, scale_atoms=True)
    table = imidazolate.beside(larger, atoms)
    lengths = table[table["unit"] == "A"]
    assert len(lengths) == 6
    assert (lengths["difference"] / lengths["reference"]).to_numpy() == pytest.approx(0.01)
    assert table["difference"][table["unit"] == "deg"].abs().max() < 1e-6


def test_a_broken_ring_is_named():
    atoms = structures.load("Znim2-ABW")
    del atoms[[atom.index for atom in atoms if atom.symbol == "N"]]
    with pytest.raises(ValueError, match="24 carbon atoms .* neither one nor two nitrogens"):
        imidazolate.geometry(atoms)
