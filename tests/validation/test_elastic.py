"""Elastic constants of a nearest-neighbour crystal against their closed form; wrong virials."""

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from springs import EPSILON, K_GPA, SIGMA, Springs, crystal

from helpers import structures, units
from helpers.frames import dataset
from helpers.frames.correction import Law
from helpers.report import tables_of_potentials
from helpers.validation import elastic, relaxation


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
    sides = elastic.one_sided(relaxed, step)
    np.testing.assert_allclose(sides, 2 * K_GPA, rtol=0.05)
    np.testing.assert_allclose(sides.mean(axis=1), np.diag(matrix)[:3])


def test_a_jump_on_one_side_is_seen_and_no_ratio_is_given():
    """The shipped strains of atp: along c the crystal jumps where it is compressed."""
    found = elastic.beside_reference("atp", "ZIF-4")
    assert found.loc["C33_stretched", "atp"] > 5 and found.loc["C33_compressed", "atp"] < 0
    said = tables_of_potentials.stiffness(found, "atp")
    assert said.startswith("C33 of `atp` is 6.9 GPa stretched and -2.7 GPa compressed")
    assert "The other diagonal constants of `atp` are 1.0 to 2.8 times" in said
    smooth = found.assign(atp=found["reference"])
    assert tables_of_potentials.stiffness(smooth, "atp") == (
        "The diagonal constants of `atp` are 1.0 to 1.0 times the reference's."
    )


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
        "atp",
        step=2e-3,
    )
    assert table["error_GPa"].abs().max() < 0.02 * table["stress_GPa"].abs().max() + 0.02


def test_a_law_of_the_volume_adds_to_the_bulk_modulus_alone():
    """sigma + D'(v) 1 gives C_ij + v D''(v) for normal strains, and leaves shear as it is."""
    plain = elastic.elastic_constants("reference", "ZIF-4")
    law = Law(272, 16.0, (1.0, 0.8, -0.05), (12.0, 22.0))
    corrected = elastic.elastic_constants("reference", "ZIF-4", laws={"ZIF-4": law})
    added = (corrected - plain).to_numpy()
    v = structures.load("ZIF-4").get_volume() / 272
    expected = 1e-3 * v * -0.05 * units.EV_PER_A3_IN_GPA
    np.testing.assert_allclose(added[:3, :3], expected, rtol=0.02)
    np.testing.assert_allclose(added[3:], 0, atol=1e-3)


def test_constants_beside_those_of_the_reference():
    """Shipped results; the constants of a crystal are positive, and each C_ij is near its C_ji."""
    table = elastic.beside_reference("round-8", "ZIF-4")
    assert list(table) == ["round-8", "reference"]
    assert (table.loc[["C11", "C44", "bulk_voigt", "softest"]] > 0).all().all()
    assert (table.loc["asymmetry"] < 0.5).all()
