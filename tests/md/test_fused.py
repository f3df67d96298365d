"""The fused evaluation against TensorFlow's: forces, energy, pressure; what it leaves alone."""

import re
import subprocess

import numpy as np
import pytest

from helpers import settings, structures
from helpers.md import force_field, fused, lammps
from helpers.potentials import store

ATP = "atp"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(library, weights) for ATP, proven on 68 atoms, in an empty build/."""
    with settings.use(build=tmp_path_factory.mktemp("build"), kernels="on"):
        found = fused.proven(ATP, structures.load("Znim2-ABW"))
        assert found is not None
        assert fused.proven(ATP, structures.load("Znim2-ABW")) == found  # not compared again
        yield found


def net(rng, neurons=(5, 10, 20, 20)):
    layers, before = [], 1
    for n in neurons:
        w = rng.normal(size=(before, n)) / before**0.5
        layers.append({"@variables": {"w": w, "b": rng.normal(size=n)}})
        before = n
    return {"layers": layers}


def test_the_table_is_the_net():
    """Value and slope between nodes to 1e-8, where neighbouring intervals meet the same."""
    one, low = net(np.random.default_rng(1)), -1.0
    c = fused.table(one, low, 40)
    x = np.random.default_rng(2).uniform(0, fused.STEP, 40)[:, None]
    powers = [x**p for p in range(6)]
    value = sum(c[:, p] * powers[p] for p in range(6))
    slope = sum(p * c[:, p] * powers[p - 1] for p in range(1, 6))
    f, f1, _ = fused._embedding(one, low + fused.STEP * np.arange(40) + x[:, 0])
    np.testing.assert_allclose(value, f, atol=1e-8)
    np.testing.assert_allclose(slope, f1, atol=1e-6)
    end = sum(c[:-1, p] * fused.STEP**p for p in range(6))
    np.testing.assert_allclose(end, c[1:, 0], atol=1e-12)


def test_derivatives_of_the_embedding():
    one, x = net(np.random.default_rng(3)), np.linspace(-1, 2, 7)
    f, f1, f2 = fused._embedding(one, x)
    up, down = (fused._embedding(one, x + h)[0] for h in (1e-4, -1e-4))
    np.testing.assert_allclose((up - down) / 2e-4, f1, atol=1e-6)
    np.testing.assert_allclose((up - 2 * f + down) / 1e-8, f2, atol=1e-5)


def point(atoms, whole):
    """Energy (eV), pressure tensor (bar) and forces of one structure, with or without."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as work:
        lammps.write_data(Path(work) / "start.data", atoms)
        lines = [
            "units metal", "atom_style atomic", "boundary p p p", "box tilt large",
            "read_data start.data", *force_field.deepmd_lines(store.load(ATP).file),
            "thermo_style custom step pe pxx pyy pzz pxy pxz pyz", "run 0",
            "print 'found $(pe:%.8f) $(pxx:%.4f) $(pyy:%.4f) $(pzz:%.4f) $(pxy:%.4f) $(pxz:%.4f) "
            "$(pyz:%.4f)'",
            "write_dump all custom forces fx fy fz modify sort id format float %.8f",
        ]  # fmt: skip
        (Path(work) / "in").write_text(
            "\n".join(lines).replace("custom forces fx", "custom forces id fx") + "\n"
        )
        done = subprocess.run(
            [*lammps.command(), "-in", "in", "-log", "none"], cwd=work, text=True,
            env=lammps.environment(native=False, fused=whole), capture_output=True,
        )  # fmt: skip
        values = re.search(r"^found (.*)$", done.stdout, re.M)
        assert values, done.stdout[-2000:]
        numbers = np.array(values[1].split(), float)
        return numbers[0], numbers[1:], np.loadtxt(Path(work) / "forces", skiprows=9)[:, 1:]


@pytest.mark.parametrize("strain", [1.0, 0.9], ids=["crystal", "more neighbours than sel"])
def test_energy_forces_and_pressure_are_tensorflow_s(whole, strain):
    atoms = structures.load("Znim2-ABW")
    atoms.rattle(0.08, seed=2)
    atoms.set_cell(atoms.cell * strain, scale_atoms=True)
    theirs, ours = point(atoms, None), point(atoms, whole)
    scale = max(1.0, np.abs(theirs[2]).max())
    assert ours[0] == pytest.approx(theirs[0], abs=2e-4)
    np.testing.assert_allclose(ours[2], theirs[2], atol=2e-5 * scale)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-5 * np.abs(theirs[1]).max() + 0.5)


def test_other_models_are_left_to_tensorflow():
    model = {
        "type": "standard", "type_map": ["C"], "@variables": {"out_std": np.ones(1)},
        "descriptor": {"type": "se_e2_a", "type_one_side": False, "activation_function": "tanh"},
        "fitting": {"neuron": [24, 24], "activation_function": "tanh"},
    }  # fmt: skip
    with pytest.raises(fused.NotFused, match="two-sided embedding.*three alike"):
        fused.packed(model)
