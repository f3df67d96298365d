"""Errors of a potential: those of DeePMD-kit's own program; forces are gradients."""

import numpy as np
import pytest
from conftest import REPOSITORY

from helpers.frames import dataset
from helpers.potentials import evaluation, store


@pytest.fixture(scope="module")
def potential(lj_project):
    """A shipped one, on frames that it does not know."""
    return store.load(REPOSITORY / "data" / "potentials" / "split-block")


def test_errors_are_those_of_dp_test(potential):
    """Our RMSEs against the ones DeePMD-kit's own program prints."""
    ours = evaluation.evaluate(potential, dataset.load("lj", "validation"))
    theirs = evaluation.dp_test(potential, dataset.locate("lj") / "validation")
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(value, rel=1e-5), name
    counts = {"C": 24, "H": 24, "N": 16, "Zn": 4}
    by_element = ours["force_rmse_by_element_eV_per_A"]
    mean = sum(counts[e] * by_element[e] ** 2 for e in counts) / 68
    assert np.sqrt(mean) == pytest.approx(ours["force_rmse_eV_per_A"], rel=1e-9)


def test_forces_are_minus_the_gradient_of_the_energy(potential):
    system = dataset.load("lj", "validation").sub_system([0, 1, 2])
    h = 1e-3
    for sign, frame in ((1, 1), (-1, 2)):
        for label in ("coords", "cells"):
            system.data[label][frame] = system.data[label][0]
        system.data["coords"][frame, 5, 1] += sign * h
    prediction = evaluation.predict(potential, system)
    slope = (prediction.energy[1] - prediction.energy[2]) / (2 * h)
    assert prediction.force[0, 5, 1] == pytest.approx(-slope, abs=5e-3)
