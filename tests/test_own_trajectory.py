"""The how-to page's code, on a trajectory of other elements in the formats that it names."""

import re

import ase.io
import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from conftest import REPOSITORY


@pytest.fixture(scope="module")
def glass(tmp_path_factory):
    """Ten frames of SiO4 tetrahedra in a breathing triclinic cell, as extxyz, PDB and XTC."""
    folder, rng = tmp_path_factory.mktemp("glass"), np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3), -1).reshape(-1, 3) * 4.6 + 2
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) * 1.62 / np.sqrt(3)
    sites = np.concatenate([grid, (grid[:, None] + corners).reshape(-1, 3)])
    cell = np.array([[13.8, 0, 0], [0.8, 13.8, 0], [0.3, -0.5, 13.8]])
    frames = []
    for n in range(10):
        atoms = Atoms("Si27O108", sites + rng.normal(0, 0.05, sites.shape), cell=cell, pbc=True)
        atoms.set_cell(cell * (1 + 0.004 * np.sin(n)), scale_atoms=True)
        frames.append(atoms)
    ase.io.write(folder / "glass.extxyz", frames)
    ase.io.write(folder / "glass.pdb", frames[0])
    universe = MDAnalysis.Universe(str(folder / "glass.pdb"))
    with MDAnalysis.Writer(str(folder / "glass.xtc"), len(sites)) as file:
        for atoms in frames:
            universe.atoms.positions = atoms.positions
            universe.trajectory.ts.triclinic_dimensions = atoms.cell.array
            file.write(universe.atoms)
    return folder


def test_the_pages_code_runs_and_finds_the_same_in_both_formats(glass, monkeypatch, capsys):
    page = (REPOSITORY / "book" / "own_trajectory.md").read_text()
    monkeypatch.chdir(glass)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, flags=re.S):
        exec(block, names)
    said = capsys.readouterr().out
    assert "O around Si: 4.0" in said
    from_xyz, from_xtc = names["found"]["Si", "O"], names["bond"]
    assert from_xyz.r[from_xyz.g.argmax()] == pytest.approx(1.62, abs=0.05)
    # XTC keeps three digits of a nanometre
    assert np.abs(np.cumsum(from_xyz.counts - from_xtc.counts)).max() < 0.05 * from_xyz.counts.max()
    assert float(re.search(r"FWHM ([\d.]+)", said)[1]) == pytest.approx(
        np.sqrt(8 * np.log(2) * 2) * 0.05, rel=0.15)
