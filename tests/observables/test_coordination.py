import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.neighborlist import neighbor_list

from helpers import structures
from helpers.observables import coordination


def test_zinc_blende_is_fourfold_even_in_the_primitive_cell():
    atoms = bulk("ZnS", "zincblende", a=5.41)
    found = coordination.coordination_number(
        [atoms.positions] * 2, [atoms.cell.array] * 2, ["Zn", "N"], cutoff=2.5
    )
    assert found.tolist() == [[4], [4]]


def test_agrees_with_ase_in_a_triclinic_gas():
    rng = np.random.default_rng(2)
    cell = np.array([[9.0, 0, 0], [-3, 8, 0], [2, -3, 9]])
    atoms = Atoms("Zn12N40", rng.random((52, 3)) @ cell, cell=cell, pbc=True)
    i = neighbor_list("i", atoms, {("Zn", "N"): 3.0})
    found = coordination.coordination_number(
        [atoms.positions], [cell], list(atoms.symbols), cutoff=3.0
    )
    assert found[0].tolist() == np.bincount(i, minlength=52)[:12].tolist()


def test_histogram_and_undercoordinated_share():
    numbers = np.array([[4, 4, 3, 7], [4, 4, 4, 4]])
    shares = coordination.histogram(numbers, maximum=6)
    np.testing.assert_allclose(shares[0], [0, 0, 0, 0.25, 0.5, 0, 0.25])
    np.testing.assert_allclose(coordination.undercoordinated(numbers), [0.25, 0])


def test_zif4_has_four_nitrogens_on_each_zinc_at_any_cutoff_in_the_valley():
    atoms = structures.load("ZIF-4")
    frames = [atoms.positions], [atoms.cell.array], list(atoms.symbols)
    assert (coordination.coordination_number(*frames) == 4).all()
    table = coordination.cutoff_sensitivity(*frames, [2.2, 2.5, 2.8, 1.5])
    assert table["cutoff_A"].tolist() == [1.5, 2.2, 2.5, 2.8]
    assert table["coordination"].tolist() == [0, 4, 4, 4]
    assert table["undercoordinated"].tolist() == [1, 0, 0, 0]


def test_sensitivity_is_the_coordination_number_at_each_cutoff():
    rng = np.random.default_rng(5)
    positions, cells = rng.random((3, 30, 3)) * 8, np.broadcast_to(np.eye(3) * 8, (3, 3, 3))
    symbols = ["Zn"] * 10 + ["N"] * 20
    table = coordination.cutoff_sensitivity(positions, cells, symbols, [2.0, 3.0, 4.5])
    for cutoff, mean, share in zip(
        table["cutoff_A"], table["coordination"], table["undercoordinated"], strict=True
    ):
        numbers = coordination.coordination_number(positions, cells, symbols, cutoff=cutoff)
        assert mean == pytest.approx(numbers.mean())
        assert share == pytest.approx(coordination.undercoordinated(numbers).mean())


def test_zinc_without_nitrogen_is_named():
    with pytest.raises(ValueError, match="'N'"):
        coordination.coordination_number(np.zeros((1, 1, 3)), [np.eye(3)], ["Zn"])
