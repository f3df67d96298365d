"""The labeller. What needs the potential itself is skipped, with the reason, where it is not."""

import numpy as np
import pytest

from helpers import provenance, structures
from helpers.frames import reference


def test_folder_without_the_files_is_named(set_to, tmp_path):
    set_to(reference=tmp_path)
    with pytest.raises(reference.ReferenceUnavailable, match=f"{tmp_path}.*unset it"):
        reference.locate()


@pytest.mark.parametrize("name", [reference._DEPLOYED, reference._WEIGHTS])
def test_another_file_of_the_right_name_is_refused(monkeypatch, set_to, tmp_path, name):
    (tmp_path / name).write_bytes(b"another model")
    set_to(reference=tmp_path)
    found = provenance.sha256(tmp_path / name)
    with pytest.raises(
        reference.ReferenceUnavailable,
        match=f"{tmp_path / name} .*{found}.*{reference._SHA256[name]}",
    ):
        reference.locate()
    monkeypatch.setitem(reference._SHA256, name, found)
    if name == reference._WEIGHTS:  # they are nothing without their architecture
        with pytest.raises(reference.ReferenceUnavailable, match=f"{reference._CONFIG} .*missing"):
            reference.locate()
    else:
        assert reference.locate() == tmp_path / name


def test_failed_download_says_how_to_go_on(monkeypatch, set_to):
    pooch = pytest.importorskip("pooch")
    set_to(reference=None)
    monkeypatch.setattr(reference, "_URL", "https://localhost:1/nothing.pth")
    monkeypatch.setattr(pooch, "get_logger", lambda: __import__("logging").getLogger("quiet"))
    with pytest.raises(reference.ReferenceUnavailable, match="ZIF4_REFERENCE"):
        reference.locate()


@pytest.fixture(scope="module")
def calculator():
    pytest.importorskip("nequip", reason="the 'reference' extra is not installed")
    try:
        return reference.Reference(threads=1)
    except reference.ReferenceUnavailable as error:
        pytest.skip(str(error))


def test_forces_and_stress_are_derivatives_of_the_energy(calculator):
    atoms = structures.load("Znim2-ABW")
    atoms.rattle(0.05, seed=1)
    atoms.calc = calculator
    forces, stress = atoms.get_forces(), atoms.get_stress(voigt=False)
    # float32: a step large enough that the energy difference stands out of its rounding
    step, energies = 0.02, []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[0, 0] += sign * step
        moved.calc = calculator
        energies.append(moved.get_potential_energy())
    assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(forces[0, 0], abs=0.05)
    energies = []
    for sign in (1, -1):
        strained = atoms.copy()
        strained.set_cell(atoms.cell.array @ (np.eye(3) * (1 + sign * 0.003)), scale_atoms=True)
        strained.calc = calculator
        energies.append(strained.get_potential_energy())
    slope = (energies[0] - energies[1]) / 0.006 / atoms.get_volume()
    assert slope == pytest.approx(np.trace(stress), abs=0.1 * abs(slope) + 2e-4)


def test_relaxed_cell_is_a_minimum(calculator):
    atoms = structures.load("Znim2-ABW")
    atoms.calc = calculator
    assert np.sqrt((atoms.get_forces() ** 2).mean()) < 0.02  # eV/A


def test_foreign_element_is_refused(calculator):
    atoms = structures.load("Znim2-ABW")
    atoms.symbols[0] = "O"
    atoms.calc = calculator
    with pytest.raises(ValueError, match="'O'"):
        atoms.get_forces()
