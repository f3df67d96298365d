"""CP2K beside the reference: its input, its output, and the shipped frames."""

import re
import shutil
from pathlib import Path

import ase.units
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from helpers import paths, provenance, structures
from helpers.frames import cp2k, formats
from helpers.potentials import evaluation
from helpers.validation import accuracy


def test_the_input_holds_the_cell_and_every_atom():
    atoms = structures.load("Znim2-ABW")
    text = cp2k.cp2k_input(atoms, cutoff=450)
    cell = _numbers(text, "CELL")
    np.testing.assert_allclose(cell, atoms.cell.array, atol=1e-9)
    np.testing.assert_allclose(_numbers(text, "COORD"), atoms.positions, atol=1e-9)
    assert "CUTOFF 450" in text and "GTH-PBE-q12" in text and "DFTD3" in text
    assert text.count("&KIND") == 4


def _numbers(text, section):
    lines = text.split(f"&{section}\n")[1].split(f"&END {section}")[0].strip().splitlines()
    return np.array([line.split()[1:] for line in lines], dtype=float)


def test_the_stress_has_the_sign_of_ase_and_a_known_unit(tmp_path):
    text = (Path(__file__).parents[1] / "data/cp2k/hcn.out").read_text()
    (tmp_path / "cp2k.out").write_text(text)
    assert cp2k._stress(tmp_path / "cp2k.out")[0, 0] == pytest.approx(1.5143214624 * ase.units.GPa)
    (tmp_path / "cp2k.out").write_text(text.replace("[GPa]", "[furlong]"))
    with pytest.raises(cp2k.DFTFailed, match="furlong"):
        cp2k._stress(tmp_path / "cp2k.out")


def test_an_element_without_a_basis_is_refused():
    with pytest.raises(ValueError, match="O"):
        cp2k.cp2k_input(Atoms("OZn", positions=[[0, 0, 0], [0, 0, 2]], cell=[5, 5, 5], pbc=True))


@pytest.fixture
def hydrogen_cyanide():
    atoms = molecule("HCN", cell=[5.0, 5.5, 6.0], pbc=True)
    atoms.center()
    return atoms[np.argsort([structures.TYPE_MAP.index(s) for s in atoms.symbols])]


def test_without_the_program_it_says_how_to_get_it(monkeypatch, tmp_path, hydrogen_cyanide):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(cp2k.DFTFailed, match="apt-get install cp2k"):
        cp2k.label([hydrogen_cyanide], tmp_path)


@pytest.mark.skipif(not shutil.which(cp2k.PROGRAM), reason=f"{cp2k.PROGRAM} is not installed")
def test_cp2k_labels_a_molecule_and_goes_on_after_a_kill(tmp_path, hydrogen_cyanide):
    moved = hydrogen_cyanide.copy()
    step = 0.01
    moved.positions[0, 2] += step
    first, second = cp2k.label([hydrogen_cyanide, moved], tmp_path, cutoff=200)
    mean_force = (first.get_forces()[0, 2] + second.get_forces()[0, 2]) / 2
    slope = (second.get_potential_energy() - first.get_potential_energy()) / step
    assert -slope == pytest.approx(mean_force, abs=0.1)  # a coarse grid: the egg-box of 200 Ry
    strained = hydrogen_cyanide.copy()
    strained.set_cell(strained.cell.array * 0.8)  # molecules closer: they push, ASE's sign is minus
    squeezed = cp2k.label([strained], tmp_path, cutoff=200)[0]
    assert np.trace(squeezed.get_stress(voigt=False)) < np.trace(first.get_stress(voigt=False))
    # a directory without provenance is unfinished and done again; finished ones are read
    keys = sorted(tmp_path.glob(f"*/{provenance.FILE}"))
    keys[0].unlink()
    times = {file: file.stat().st_mtime_ns for file in keys[1:]}
    again = cp2k.label([hydrogen_cyanide, moved, strained], tmp_path, cutoff=200)
    assert again[1].get_potential_energy() == second.get_potential_energy()
    assert {file: file.stat().st_mtime_ns for file in keys[1:]} == times


@pytest.mark.skipif(not shutil.which(cp2k.PROGRAM), reason=f"{cp2k.PROGRAM} is not installed")
def test_two_ranks_give_the_energy_of_one(tmp_path, hydrogen_cyanide):
    (one,) = cp2k.label([hydrogen_cyanide], tmp_path / "one", cutoff=200)
    (two,) = cp2k.label([hydrogen_cyanide], tmp_path / "two", cutoff=200, ranks=2)
    assert two.get_potential_energy() == pytest.approx(one.get_potential_energy(), abs=1e-5)
    output = next((tmp_path / "two").glob("*/cp2k.out")).read_text()
    assert re.search(r"Total number of message passing processes\s+2\b", output)


@pytest.mark.skipif(not shutil.which(cp2k.PROGRAM), reason=f"{cp2k.PROGRAM} is not installed")
def test_where_mixing_fails_the_orbitals_are_transformed(
    tmp_path, monkeypatch, hydrogen_cyanide, capsys
):
    (mixed,) = cp2k.label([hydrogen_cyanide], tmp_path / "mixed", cutoff=200)
    assert mixed.info["scf"] == "mixing"
    program, real = tmp_path / "bin" / cp2k.PROGRAM, shutil.which(cp2k.PROGRAM)
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\ngrep -q '&OT' cp2k.inp && exec {real} \"$@\"\n"
        f"echo 'SCF run NOT converged' > cp2k.out\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    (found,) = cp2k.label([hydrogen_cyanide], tmp_path / "found", cutoff=200)
    assert found.info["scf"] == "orbital transformation" and found.info["scf_steps"] > 5
    assert "no ground state by mixing" in capsys.readouterr().out
    assert found.get_potential_energy() == pytest.approx(mixed.get_potential_energy(), abs=1e-3)
    assert np.abs(found.get_forces() - mixed.get_forces()).max() < 0.01
    assert found.get_stress() == pytest.approx(mixed.get_stress(), abs=1e-4)
    # the same frame has the same place, however its ground state was found
    assert [d.name for d in (tmp_path / "found").iterdir()] == [
        d.name for d in (tmp_path / "mixed").iterdir()
    ]


def test_the_launcher_is_that_of_cp2k(tmp_path):
    assert cp2k.launcher("cp2k.psmp", 1) == []
    with pytest.raises(cp2k.DFTFailed, match="no mpirun lies beside .*take one rank"):
        cp2k.launcher(str(tmp_path / "cp2k.psmp"), 2)
    (tmp_path / "mpirun").touch()
    assert cp2k.launcher(str(tmp_path / "cp2k.psmp"), 2) == [str(tmp_path / "mpirun"), "-np", "2"]


def test_a_crashed_program_is_quoted(tmp_path, monkeypatch, hydrogen_cyanide):
    program = tmp_path / cp2k.PROGRAM
    program.write_text("#!/bin/sh\necho 'SCF run NOT converged' > cp2k.out\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(cp2k.DFTFailed, match="NOT converged"):
        cp2k.label([hydrogen_cyanide], tmp_path / "work")


@pytest.mark.parametrize("system", cp2k.systems())
def test_shipped_frames_are_whole_and_accounted_for(system):
    record = provenance.read(paths.DFT)
    assert record["inputs"][f"{system}.extxyz"] == provenance.sha256(paths.DFT / f"{system}.extxyz")
    for atoms in cp2k.read(system):
        forces = atoms.get_forces()
        assert np.isfinite(forces).all() and np.abs(forces.sum(axis=0)).max() < 0.5
        assert atoms.info["origin"] and atoms.info["dft_seconds"] > 0
        order = [structures.TYPE_MAP.index(s) for s in atoms.symbols]
        assert order == sorted(order)


# the labels of CP2K; those of the reference stand beside them
OWN = {label: label for label in ("energy", "forces", "stress")}


def test_comparison_is_the_difference_of_the_labels():
    system = cp2k.systems()[0]
    row = accuracy.compare("atp", [system]).iloc[0]
    images = cp2k.read(system)
    said = evaluation.predict("atp", formats.from_extxyz(paths.DFT / f"{system}.extxyz", keys=OWN))
    force = np.array([a.get_forces() for a in images])
    assert row["potential-CP2K force_eV_per_A"] == pytest.approx(
        np.sqrt(np.mean((said.force - force) ** 2)), rel=1e-5
    )
    if all("reference_forces" in a.arrays for a in images):
        reference = np.array([a.arrays["reference_forces"] for a in images])
        assert row["reference-CP2K force_eV_per_A"] == pytest.approx(
            np.sqrt(np.mean((reference - force) ** 2)), rel=1e-5
        )
    with pytest.raises(FileNotFoundError, match=system):
        cp2k.read("ZIF-0")
