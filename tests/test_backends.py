"""Another backend gives the same forces; what is missing for one is said."""

import numpy as np
import pytest

from helpers import backends, lammps, layout, models, paths, structures


@pytest.mark.parametrize("name", backends.BACKENDS)
def test_same_forces(name, tmp_path, monkeypatch):
    if reason := backends.missing(name):
        pytest.skip(reason)
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    atoms = structures.load("Znim2-ABW")
    atoms.rattle(0.05, seed=1)
    expected = lammps.single_point(atoms, layout.deepmd(models.model_file("atp")))
    found = lammps.single_point(atoms, layout.deepmd(backends.convert("atp", name)))
    np.testing.assert_allclose(found[1], expected[1], atol=2e-3)
    assert backends.convert("atp", name).is_relative_to(tmp_path)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(backends, "_there", lambda module: module == "torch")
    assert "no jax in this environment" in backends.missing("JAX")
    assert backends.missing("PyTorch").startswith("no nvidia.cuda_runtime in")
    monkeypatch.setattr(backends, "_there", lambda module: True)
    assert not any(map(backends.missing, backends.BACKENDS))


def test_a_module_without_a_parent_is_missing():
    assert not backends._there("no_such_package.part") and backends._there("importlib.metadata")
