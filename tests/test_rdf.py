import dataclasses

import MDAnalysis
import numpy as np
import pytest
from ase.build import bulk
from MDAnalysis.analysis.rdf import InterRDF

from helpers import rdf

TRICLINIC = np.array([[14.0, 0, 0], [-5.0, 13.0, 0], [3.0, -4.0, 15.0]])


def gas(n_frames, n_atoms, cell, seed=0):
    rng = np.random.default_rng(seed)
    cells = np.stack([cell * (1 + 0.1 * np.sin(f)) for f in range(n_frames)])
    return np.einsum("fni,fij->fnj", rng.random((n_frames, n_atoms, 3)), cells), cells


@pytest.mark.parametrize("r_max", [5.0, 12.0])
def test_ideal_gas_in_a_breathing_triclinic_cell(r_max):
    positions, cells = gas(40, 150, TRICLINIC)
    symbols = ["Zn"] * 50 + ["N"] * 100
    found = rdf.rdf(positions, cells, symbols, ("Zn", "N"), r_max=r_max, bin_width=0.25)
    # within the Poisson error of every bin, and overall
    pull = (found.counts - found.ideal) / np.sqrt(found.ideal)
    assert np.abs(pull[4:]).max() < 6  # pairs share atoms: somewhat wider than Poisson
    assert found.counts.sum() == pytest.approx(found.ideal.sum(), rel=0.02)


def test_like_atoms_have_one_partner_less():
    positions, cells = gas(400, 10, np.eye(3) * 10)
    found = rdf.rdf(positions, cells, ["N"] * 10, r_max=4.0, bin_width=4.0)
    assert found.g[0] == pytest.approx(0.9, abs=0.03)


def test_fcc_shells_far_beyond_half_the_cell():
    atoms = bulk("Cu", "fcc", a=4.003)  # primitive: one atom, triclinic, 2.3 A wide
    found = rdf.rdf([atoms.positions], [atoms.cell.array], list(atoms.symbols), r_max=6.5,
                    bin_width=0.01)
    shells = found.counts[found.counts > 0]
    assert shells.tolist() == [12, 6, 24, 12, 24]
    np.testing.assert_allclose(found.r[found.counts > 0],
                               4.003 * np.sqrt(np.array([2, 4, 6, 8, 10]) / 4), atol=0.0051)
    assert found.n[-1] == 12 + 6 + 24 + 12 + 24


def test_running_number_is_the_integral_of_g():
    positions, cells = gas(3, 60, np.eye(3) * 11)
    found = rdf.rdf(positions, cells[:1].repeat(3, 0), ["Zn"] * 20 + ["N"] * 40, ("Zn", "N"))
    shell = 4 / 3 * np.pi * np.diff(found.edges**3)
    rho = 40 / np.linalg.det(cells[0])
    np.testing.assert_allclose(found.n, np.cumsum(found.g * rho * shell))


def test_asymmetric_pairs_share_g_but_not_n():
    positions, cells = gas(5, 60, TRICLINIC)
    symbols = ["Zn"] * 20 + ["N"] * 40
    a = rdf.rdf(positions, cells, symbols, ("Zn", "N"), r_max=6.0)
    b = rdf.rdf(positions, cells, symbols, ("N", "Zn"), r_max=6.0)
    np.testing.assert_allclose(a.g, b.g)
    np.testing.assert_allclose(a.n, 2 * b.n)


def test_total_is_the_mean_of_the_pairs_weighted_by_concentration():
    positions, cells = gas(5, 60, TRICLINIC)
    symbols = ["Zn"] * 20 + ["N"] * 40
    parts = [(a, b) for a in ("Zn", "N") for b in ("Zn", "N")]
    share = {"Zn": 1 / 3, "N": 2 / 3}
    total = rdf.rdf(positions, cells, symbols, r_max=7.0)
    mixed = sum(share[a] * share[b] * rdf.rdf(positions, cells, symbols, (a, b), r_max=7.0).g
                for a, b in parts)
    np.testing.assert_allclose(total.g, mixed, atol=1e-12)


def test_agrees_with_mdanalysis_inside_half_the_cell():
    positions, cells = gas(6, 90, TRICLINIC)
    universe = MDAnalysis.Universe.empty(90, trajectory=True)
    boxes = np.array([MDAnalysis.lib.mdamath.triclinic_box(*c) for c in cells])
    universe.load_new(positions.astype(np.float32), dimensions=boxes)
    zn, n = universe.atoms[:30], universe.atoms[30:]
    theirs = InterRDF(zn, n, nbins=50, range=(0, 5), norm="none").run().results
    mine = rdf.rdf(positions, cells, ["Zn"] * 30 + ["N"] * 60, ("Zn", "N"), r_max=5.0,
                   bin_width=0.1)
    assert np.abs(theirs.count - mine.counts).sum() <= 4  # float32 at a bin's edge


def test_refuses_a_bin_width_that_does_not_fit():
    with pytest.raises(ValueError, match="multiple"):
        rdf.rdf(np.zeros((1, 1, 3)), np.eye(3)[None], ["N"], r_max=1.0, bin_width=0.3)


def test_deviation_is_zero_for_itself_and_known_for_a_scaled_one():
    positions, cells = gas(3, 60, TRICLINIC)
    one = rdf.rdf(positions, cells, ["N"] * 60, r_max=6.0)
    half = dataclasses.replace(one, g=one.g / 2)
    assert rdf.deviation_percent(one, one) == 0
    assert rdf.deviation_percent(half, one) == pytest.approx(50)
    with pytest.raises(ValueError, match="different bins"):
        rdf.deviation_percent(one, rdf.rdf(positions, cells, ["N"] * 60, r_max=5.0))


def test_ten_pairs_of_four_elements():
    pairs = rdf.element_pairs(["C", "H", "N", "Zn", "H"])
    assert len(pairs) == 10 and pairs[0] == ("Zn", "Zn") and pairs[1] == ("Zn", "N")
