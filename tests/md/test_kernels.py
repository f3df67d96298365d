"""Our inner loops against those of DeePMD-kit's wheel: function by function, and in LAMMPS."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from helpers import structures
from helpers.md import force_field, fused, kernels, lammps
from helpers.potentials import conversion, store

pytestmark = pytest.mark.skipif(not shutil.which("g++"), reason="no g++ to compile kernels with")


@pytest.fixture
def fresh(tmp_path, set_to):
    """A build folder of its own, and no memory of a library found before."""
    set_to(build=tmp_path, kernels="on")
    kernels.library.cache_clear()
    yield tmp_path
    kernels.library.cache_clear()


def test_compiled_once_and_the_same(fresh, capfd):
    made = kernels.library()
    assert kernels.compare(made) < kernels.TOLERANCE
    assert "[made]" in capfd.readouterr().out
    kernels.library.cache_clear()
    assert kernels.library() == made and "[reused]" in capfd.readouterr().out
    preloaded = lammps.environment()["LD_PRELOAD"].split(":")  # before what the launcher wants
    before = lammps.environment(native=False).get("LD_PRELOAD")
    assert preloaded == [str(made), *([before] if before else [])]


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("s1 += g * r1[k]", "s1 += g * r2[k]"),  # a gradient
        ("o3[k] += g * e3", "o3[k] += g * e2"),  # the descriptor
        ("{row, max - (", "{row, x - ("),  # beyond the table
        ("const T times = padding ? nnei - j : 1", "const T times = 1"),  # padding
        ("* rij[ij * 3 + c]", "* rij[ij * 3 + d]"),  # the virial
        ("prod_virial_a_cpu", "prod_virial_b_cpu"),  # a name that is not there
    ],
)
def test_a_wrong_kernel_is_not_used(right, wrong, fresh, monkeypatch, capfd):
    text = kernels.SOURCE.read_text()
    assert right in text
    (fresh / "wrong.cc").write_text(text.replace(right, wrong))
    monkeypatch.setattr(kernels, "SOURCE", fresh / "wrong.cc")
    assert kernels.library() is None
    assert "DeePMD-kit's own kernels are used" in capfd.readouterr().out
    assert lammps.environment() == lammps.environment(native=False)


def test_a_compiler_that_fails_once_is_asked_again(fresh, monkeypatch, capfd):
    """The disk was full, say: what is left behind must not keep the next call from compiling."""
    broken = fresh / "broken"
    broken.write_text(
        '#!/bin/sh\ncase "$*" in *version*) exec g++ --version;; esac\n'
        "echo 'x.cc: fatal error: No space left on device' >&2; exit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    atoms = structures.load("Znim2-ABW")
    assert kernels.library() is None
    assert re.fullmatch(r"DeePMD-kit's own kernels .* No space left on device\)\n",
                        capfd.readouterr().out)  # fmt: skip
    assert fused.proven("atp", atoms) is None
    assert re.fullmatch(r"TensorFlow evaluates .* No space left on device\)\n",
                        capfd.readouterr().out)  # fmt: skip
    monkeypatch.delenv("CXX")
    kernels.library.cache_clear()
    assert kernels.library() is not None


def test_a_library_is_preloaded_from_a_folder_with_a_space(tmp_path, set_to):
    """``LD_PRELOAD`` would take ``my book`` for two libraries, and LAMMPS would run without."""
    set_to(build=tmp_path / "my böok: dir", kernels="on")
    kernels.library.cache_clear()
    try:
        made = kernels.library()
        loaded = subprocess.run(
            ["cat", "/proc/self/maps"], env=lammps.environment(), capture_output=True, text=True
        )
    finally:
        kernels.library.cache_clear()
    assert str(made) in loaded.stdout.replace("\\303\\266", "ö") and not loaded.stderr


def test_switched_off(fresh, set_to):
    set_to(kernels="off")
    assert kernels.library() is None and not list(fresh.iterdir())


def test_forces_are_those_of_the_uncompressed_model(tmp_path, monkeypatch):
    """<= 1e-3 eV/A to DeepPot on the frozen model, for a crystal with displaced atoms."""
    atoms = structures.load("Znim2-ABW")
    atoms.rattle(0.1, seed=1)
    lammps.write_data(tmp_path / "start.data", atoms)
    model = conversion.compress("atp")
    (tmp_path / "in.forces").write_text(
        "\n".join(
            [
                "units metal",
                "atom_style atomic",
                "box tilt large",
                "read_data start.data",
                *force_field.deepmd_lines(model),
                "run 0",
                "print 'virial $(press:%.6f)'",
                "write_dump all custom forces id fx fy fz modify sort id format float %.8f",
            ]
        )
        + "\n"
    )
    forces, pressure = {}, {}
    for native in (True, False):
        done = subprocess.run(
            [*lammps.command(), "-in", "in.forces", "-log", "none"],
            cwd=tmp_path,
            text=True,
            env=lammps.environment(native=native),
            capture_output=True,
        )
        assert done.returncode == 0, done.stdout[-1000:]
        forces[native] = np.loadtxt(tmp_path / "forces", skiprows=9)[:, 1:]
        pressure[native] = float(re.search(r"^virial (\S+)", done.stdout, re.M)[1])
    assert np.abs(forces[True] - forces[False]).max() < 1e-4
    assert pressure[True] == pytest.approx(pressure[False], rel=1e-4)
    types = ["CHNZn".index(s) if s != "Zn" else 3 for s in atoms.get_chemical_symbols()]
    exact = store.check_potential("atp").eval(
        atoms.positions.reshape(1, -1), atoms.cell.array.reshape(1, 9), types
    )[1][0]
    difference = np.abs(forces[True] - exact).max()
    print(f"compressed and native against uncompressed: {difference:.1e} eV/A")
    assert difference < 1e-3 and np.abs(exact).max() > 1
