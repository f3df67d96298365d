"""Barriers in both conventions: known wells, and what cannot be known from unvisited ones."""

import numpy as np
import pytest
from scipy.constants import R

from helpers.observables import activation, rdf

EDGES = np.arange(0, 8.01, 0.05)
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2


def bond(barrier_kJ, T, pairs, blocks=20):
    """A g(r) with wells of depth ``barrier_kJ`` at 2 and 4.2 A, counted in an ideal gas."""
    w = -np.exp(-30 * (CENTRES - 2) ** 2) - np.exp(-8 * (CENTRES - 4.2) ** 2)
    g = np.exp(3 - barrier_kJ * (1 + w) / (R * T / 1000))
    ideal = pairs * CENTRES**2
    counts = np.random.default_rng(int(T)).poisson(g * ideal / blocks, (blocks, len(g)))
    total = counts.sum(axis=0)
    return rdf.RDF(
        ("Zn", "N"), CENTRES, total / ideal, np.cumsum(total), 50, EDGES, total, ideal,
        counts, np.full(blocks, 1 / blocks),
    )  # fmt: skip


@pytest.fixture(scope="module")
def sampled():
    return activation.by_convention({T: bond(50.0 + 0.0 * T, T, 300) for T in (1500, 1800, 2100)})


def test_a_known_barrier_comes_back_and_its_entropy_is_none(sampled):
    found = sampled["this book, g(r)"]
    assert abs(found.at(1800)["dF_kJ_mol"] - 50) < 3
    assert found.line is not None and abs(found.line.dS) < 4 * found.line.dS_error + 2


def test_the_second_convention_is_lower_by_the_shell(sampled):
    """2 kT ln(r_barrier / r_bound): the bond at 2.0 A, the flat barrier between 2.3 and 3.5 A."""
    one, other = (sampled[name].at(1800)["dF_kJ_mol"] for name in activation.CONVENTIONS)
    nearest, farthest = (2 * R * 1.8 * np.log(r / 2.0) for r in (2.3, 3.5))
    assert nearest < one - other < farthest


def test_a_cold_bond_has_a_bound_and_no_line():
    found = activation.by_convention({T: bond(150.0, T, 3) for T in (300, 500, 700)})
    one = found["this book, g(r)"]
    assert one.line is None and "barriers were sampled at 0 temperatures" in one.why_no_line
    bounds = one.barriers["lower_bound_kJ_mol"]
    assert (bounds > 0).all() and (bounds < 150).all()
    assert np.isnan(one.at(999)["dF_kJ_mol"])
    above = activation.above_line(one.barriers, dU_kJ_mol=20.0, dS_J_mol_K=60.0)
    T = one.barriers["temperature_K"]
    np.testing.assert_array_equal(above, T[bounds > 20 - 0.06 * T])


def test_pairs_in_the_valley_are_counted():
    one = bond(20.0, 1500, 100)
    inside = (one.r > 2.8) & (one.r < 3.5)
    assert activation.pairs_in_valley({1500.0: one}) == {1500.0: one.counts[inside].sum()}
