"""Elastic constants of a nearest-neighbour crystal against their closed form; wrong virials."""

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from springs import EPSILON, K_GPA, SIGMA, Springs, crystal

from helpers.frames import dataset
from helpers.validation import calculators, elastic, relaxation


def test_elastic_constants_of_springs(tmp_path):
    step = 0.002
    relaxed = relaxation.relax_cells(
        crystal(0.02), Springs(), elastic.shear_and_stretch(step), tmp_path / "r.extxyz",
        fmax=1e-5, steps=300,
    )  # fmt: skip
    matrix = elastic.elastic_matrix(relaxed, step)
    c = elastic.elastic_summary(matrix)
    for name, expected in {"C11": 2, "C22": 2, "C33": 2, "C12": 1, "C13": 1, "C23": 1,
                           "C44": 1, "C55": 1, "C66": 1, "bulk_voigt": 4 / 3,
                           "bulk_reuss": 4 / 3, "softest": 1}.items():  # fmt: skip
        assert c[name] == pytest.approx(expected * K_GPA, rel=0.01), name
    assert c["asymmetry"] < 0.005 * K_GPA


def sheared():
    atoms = crystal(0.1)
    strain = [[0.01, 0.02, 0.01], [0, -0.01, 0.01], [0, 0, 0]]
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return atoms


def test_stress_is_the_derivative_of_the_energy():
    smooth = LennardJones(sigma=SIGMA, epsilon=EPSILON, rc=5.0, smooth=True)
    table = elastic.stress_by_differences(sheared(), smooth)
    size = table["stress_GPa"].abs().max()
    assert size > 1 and table["error_GPa"].abs().max() < 1e-3 * size


@pytest.mark.parametrize("wrong", [-1.0, 2.0, [1, 1, 1, 2, 2, 2]])
def test_a_wrong_virial_is_seen(wrong):
    """Sign, a factor, or shear counted twice."""

    class Wrong(LennardJones):
        def calculate(self, *arguments):
            super().calculate(*arguments)
            self.results["stress"] = self.results["stress"] * np.array(wrong)

    smooth = Wrong(sigma=SIGMA, epsilon=EPSILON, rc=5.0, smooth=True)
    table = elastic.stress_by_differences(sheared(), smooth)
    assert table["error_GPa"].abs().max() > 0.02 * table["stress_GPa"].abs().max()


def test_stress_of_a_real_potential():
    table = elastic.stress_by_differences(
        dataset.load("abw_0300_1500", "validation").to_ase_structure()[-1],
        calculators.calculator("atp"),
        step=2e-3,
    )
    assert table["error_GPa"].abs().max() < 0.02 * table["stress_GPa"].abs().max() + 0.02
