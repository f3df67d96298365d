"""Weights of the partials: one element alone, sums, and other people's form factors."""

import numpy as np
import pytest
from ase.data import atomic_numbers

from helpers.errors import Unfit
from helpers.observables import radiation, scattering

Q = np.arange(0.5, 24, 0.5)
ZIF4 = ("Zn", "N", "C", "H"), np.array([1, 4, 6, 6]) / 17


@pytest.mark.parametrize("normalisation", radiation.NORMALISATIONS)
@pytest.mark.parametrize("kind", radiation.RADIATIONS)
def test_one_element_alone_has_the_weight_one(kind, normalisation):
    found = radiation.weights(["Zn"], [1.0], Q, kind, normalisation)
    np.testing.assert_allclose(found["Zn", "Zn"], 1)


def test_sums_of_the_weights():
    f = radiation.amplitudes(ZIF4[0], Q)
    mean = sum(c * f[e] for e, c in zip(*ZIF4, strict=True))
    square = sum(c * f[e] ** 2 for e, c in zip(*ZIF4, strict=True))
    for normalisation, expected in (("square of mean", 1), ("mean square", mean**2 / square)):
        found = radiation.weights(*ZIF4, Q, "x-ray", normalisation)
        assert len(found) == 10
        np.testing.assert_allclose(sum(found.values()), expected * np.ones(len(Q)))
    # neutrons: hydrogen takes away from what the others add
    lengths = radiation.weights(*ZIF4, Q, "neutron")
    assert lengths["C", "H"][0] < 0 < lengths["H", "H"][0]


def test_an_atom_scatters_by_its_electrons_forward():
    found = radiation.amplitudes(ZIF4[0], [0.0])
    for element in ZIF4[0]:
        assert found[element][0] == pytest.approx(atomic_numbers[element], rel=2e-3)
    ion = radiation.amplitudes(["Zn"], [0.0], charges=radiation.IONS)
    assert ion["Zn"][0] == pytest.approx(28, rel=2e-3)


def test_form_factors_are_those_that_ase_has():
    """Waasmaier and Kirfel's table a second time, as ASE carries it."""
    from ase import Atoms
    from ase.utils.xrdebye import XrDebye

    theirs = XrDebye(Atoms("C"), wavelength=1.0)
    ours = radiation.amplitudes(["C", "N", "Zn"], Q)
    for element in ("C", "N", "Zn"):
        # there s = sin(theta) / lambda = Q / 4 pi
        expected = [theirs.get_waasmaier(element, q / (4 * np.pi)) for q in Q]
        if np.any(expected):  # ASE has no table of every element
            np.testing.assert_allclose(ours[element], expected, rtol=0.02)
    assert theirs.get_waasmaier("C", 0.1)


def test_neutron_lengths_are_the_known_ones():
    """Sears, Neutron News 3, 26 (1992)."""
    found = radiation.amplitudes(ZIF4[0], Q, "neutron")
    for element, fm in {"H": -3.739, "C": 6.646, "N": 9.36, "Zn": 5.680}.items():
        np.testing.assert_allclose(found[element], fm, rtol=2e-3)


def test_contributions_add_up_to_the_total():
    rng, cell = np.random.default_rng(0), np.eye(3) * 12
    found = scattering.by_distances(
        [(rng.random((170, 3)) @ cell, cell)],
        ["Zn"] * 10 + ["N"] * 40 + ["C"] * 60 + ["H"] * 60,
        Q,
    )
    for kind in radiation.RADIATIONS:
        parts = radiation.contributions(found, kind)
        np.testing.assert_allclose(sum(parts.values()), radiation.total(found, kind))
    np.testing.assert_allclose(
        radiation.contributions(found)["Zn", "Zn"],
        radiation.weights(found.elements, found.fractions, Q)["Zn", "Zn"] * (found["Zn", "Zn"] - 1),
    )


def test_what_is_unknown_is_refused():
    with pytest.raises(Unfit, match="no radiation 'xray'; did you mean 'x-ray'"):
        radiation.amplitudes(["C"], Q, "xray")
    with pytest.raises(Unfit, match="no x-ray amplitude of 'Zn' with charge"):
        radiation.amplitudes(["Zn"], Q, charges={"Zn": 7})
    with pytest.raises(Unfit, match="no x-ray amplitude of 'Xx'"):
        radiation.amplitudes(["Xx"], Q)
    with pytest.raises(Unfit, match="no neutron amplitude of 'Po'"):
        radiation.amplitudes(["Po"], Q, "neutron")
    with pytest.raises(Unfit, match="no normalisation 'mean squared'; did you mean"):
        radiation.weights(["C"], [1.0], Q, "x-ray", "mean squared")
