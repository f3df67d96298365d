"""Double precision is double, and what is fast stays near it."""

import json

import numpy as np
import pytest

from helpers import paths
from helpers.benchmarks import fidelity, record
from helpers.frames import dataset
from helpers.md import force_field, lammps
from helpers.potentials import conversion, store


@pytest.fixture(scope="module")
def system():
    return dataset.load("abw_0300_1500").sub_system([-1])


def test_double_precision_has_the_gradient_that_single_precision_has_not(system):
    """A step of 1e-4 A changes the energy by less than single precision resolves."""
    step = 1e-4
    moved = {sign: system.sub_system([0]) for sign in (1, -1)}
    for sign, one in moved.items():
        one.data["coords"] = one["coords"].copy()
        one.data["coords"][0, 5, 1] += sign * step
    off = {}
    for name, file in (
        ("single", store.load("atp").file),
        ("double", conversion.double_precision("atp")),
    ):
        up, down = (fidelity._predicted(file, moved[sign])[0][0] for sign in (1, -1))
        force = fidelity._predicted(file, system)[1][0, 5, 1]
        off[name] = abs(force + (up - down) / (2 * step))
    assert off["double"] < 1e-6 < 1e-4 < off["single"]


def test_lammps_says_the_same_of_a_cell_that_lies_askew(system):
    atoms = system.to_ase_structure()[0]
    energy, force = lammps.single_point(atoms, force_field.deepmd_lines(conversion.compress("atp")))
    turned = atoms.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    again, rotated = lammps.single_point(
        turned, force_field.deepmd_lines(conversion.compress("atp"))
    )
    assert again == pytest.approx(energy, abs=1e-5)
    turn = np.linalg.solve(atoms.cell.array, turned.cell.array)
    assert np.abs(rotated - force @ turn).max() < 1e-4 < np.abs(rotated - force).max()


def test_a_model_that_lammps_cannot_read_is_said(system, tmp_path):
    (tmp_path / "broken.pb").write_bytes(b"no model")
    with pytest.raises(lammps.LammpsDied, match="LAMMPS ended with code"):
        lammps.single_point(
            system.to_ase_structure()[0], force_field.deepmd_lines(tmp_path / "broken.pb")
        )


def test_tables_and_loops_change_forces_by_less_than_1e_3(system):
    rows = fidelity.compare("atp", {"abw": system}, steps=(0.01,))
    assert [row["model"] for row in rows][:3] == ["frozen, float32", "table", "table, LAMMPS"]
    for row in rows:
        assert 0 < row["force_rms_eV_per_A"] < row["force_max_eV_per_A"] < 1e-3
        assert row["energy_max_meV_per_atom"] < 0.01 and row["n_frames"] == 1
    assert rows[0]["force_max_eV_per_A"] < 1e-4


def test_the_shipped_record_is_of_the_shipped_potential():
    measured = record.read("fidelity")
    assert measured["potential_sha256"] == store.load(measured["potential"]).sha256
    assert (record.fidelity_table(measured)["force_max_eV_per_A"] < 1e-3).all()


def test_nothing_measured(tmp_path):
    with pytest.raises(FileNotFoundError, match="make bench-md"):
        record.read("fidelity", tmp_path / "none.json")


def test_measured_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(fidelity, "compare", lambda potential: [{"model": potential, "step": 0.1}])
    file = fidelity.measure("atp", tmp_path / "a/fidelity.json")
    assert record.read("fidelity", file)["rows"] == json.loads(file.read_text())["rows"]
    assert "test_0300" in record.read("fidelity", file)["frames"] and paths.relative(file)
