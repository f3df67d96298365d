import numpy as np
import pytest

from helpers import structures
from helpers.observables import framework


def of(name):
    atoms = structures.load(name)
    return [(atoms.positions, atoms.cell.array)], atoms.get_chemical_symbols()


def test_crystal_in_numbers():
    """ZIF-4, net cag: four N around each Zn, one ring of four for four Zn."""
    found = framework.described(*of("ZIF-4"))
    assert found["density (g/cm³)"] == pytest.approx(1.21, abs=0.01)
    assert found["N around a Zn"] == 4 and found["Zn with fewer than four N (%)"] == 0
    assert found["pieces of the network"] == 1
    assert found["rings of 4 Zn"] == pytest.approx(0.25)
    assert found["rings of 5 Zn"] == 0
    assert 0 < found["void (%)"] < 20


def test_glass_has_rings_that_the_crystal_lacks_and_means_are_means():
    frames, symbols = of("glass02")
    glass = framework.described(frames, symbols)
    assert glass["rings of 5 Zn"] > 0 and glass["Zn with fewer than four N (%)"] > 0
    other = framework.described(*of("glass01"))
    both = framework.described([*frames, *of("glass01")[0]], symbols)
    for name in glass:
        assert both[name] == pytest.approx((glass[name] + other[name]) / 2)


def test_zinc_alone_has_no_network():
    cell = np.eye(3) * 12
    frames = [(np.array([[1.0, 1, 1], [7, 7, 7], [7.0, 1, 1]]), cell)]
    found = framework.described(frames, ["Zn", "Zn", "N"])
    assert found["N around a Zn"] == 0 and found["Zn with fewer than four N (%)"] == 100
