"""The cheap model of the forces: exact where there are nothing but pairs."""

import ase.io
import numpy as np

from helpers.frames import dataset, force_model, formats


def test_virials_of_pairs_are_those_of_their_potential(lennard_jones, tmp_path):
    """A cut Lennard-Jones potential; its stress is ASE's and was not told."""
    ase.io.write(tmp_path / "x.extxyz", lennard_jones(4))
    system = formats.from_extxyz(tmp_path / "x.extxyz")
    wanted = system["virials"] - np.trace(system["virials"], axis1=1, axis2=2)[
        :, None, None
    ] * np.eye(3) / 3  # fmt: skip
    found = force_model.predict(system).virials
    power = np.sqrt((found**2).sum(axis=(1, 2)) * (wanted**2).sum(axis=(1, 2)))
    assert ((found * wanted).sum(axis=(1, 2)) > 0.95 * power).all()


def test_the_frame_of_axes_and_the_cell_vectors_do_not_matter():
    system = dataset.load("abw_0300_1500").sub_system(np.arange(4, 8))
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned = system.copy()
    turned.data["cells"] = np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]]) @ system["cells"] @ axes
    turned.data["coords"], turned.data["forces"] = system["coords"] @ axes, system["forces"] @ axes
    here, there = force_model.predict(system), force_model.predict(turned)
    np.testing.assert_allclose(there.virials, axes.T @ here.virials @ axes, atol=1e-8)
    assert here.virials.shape == (4, 3, 3)


def test_atoms_without_molecules_have_no_part_inside():
    alone = force_model.inside_molecules(
        np.array([[0.0, 0, 0], [3, 3, 3]]), np.eye(3) * 9, np.array(["Zn", "Zn"]), np.ones((2, 3))
    )
    assert (alone == 0).all()
