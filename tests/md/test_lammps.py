"""LAMMPS as a program."""

import subprocess

import ase.io
import numpy as np
import pytest

from helpers import structures
from helpers.md import lammps
from helpers.structures import TYPE_MAP


def test_the_program_knows_deepmd_and_reaxff():
    done = subprocess.run(
        [*lammps.command(), "-log", "none"], env=lammps.environment(), text=True,
        input="info styles pair\n", capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0 and "reaxff" in done.stdout and "deepmd" in done.stdout


def test_environment_is_that_of_the_child_alone(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert lammps.environment(3)["OMP_NUM_THREADS"] == "3"
    assert lammps.environment()["DP_INTRA_OP_PARALLELISM_THREADS"] == "1"


@pytest.mark.parametrize("name", ["ZIF-4", "Znim2-ABW"])
def test_data_file(tmp_path, name):
    """Types follow the type map whatever the structure's order; positions as ASE reads them."""
    atoms = structures.load(name)
    lammps.write_data(tmp_path / "data", atoms)
    read = ase.io.read(
        tmp_path / "data",
        format="lammps-data",
        units="metal",
        Z_of_type=dict(enumerate([structures.Atoms(s).numbers[0] for s in TYPE_MAP], start=1)),
    )
    assert read.get_chemical_symbols() == atoms.get_chemical_symbols()
    np.testing.assert_allclose(
        read.get_all_distances(mic=True)[0], atoms.get_all_distances(mic=True)[0], atol=1e-6
    )
