"""Another backend gives the same forces; what is missing for one is said."""

import numpy as np
import pytest

from helpers import structures
from helpers.md import force_field, lammps
from helpers.potentials import conversion, store


@pytest.mark.parametrize("name", conversion.BACKENDS)
def test_same_forces(name, build):
    if reason := conversion.missing(name):
        pytest.skip(reason)
    atoms = structures.load("Znim2-ABW")
    atoms.rattle(0.05, seed=1)
    expected = lammps.single_point(atoms, force_field.deepmd_lines(store.load("atp").file))
    found = lammps.single_point(atoms, force_field.deepmd_lines(conversion.convert("atp", name)))
    np.testing.assert_allclose(found[1], expected[1], atol=2e-3)
    assert conversion.convert("atp", name).is_relative_to(build)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(conversion, "_there", lambda module: module == "torch")
    assert "no jax in this environment" in conversion.missing("JAX")
    assert conversion.missing("PyTorch").startswith("no nvidia.cuda_runtime in")
    monkeypatch.setattr(conversion, "_there", lambda module: True)
    assert not any(map(conversion.missing, conversion.BACKENDS))


def test_a_module_without_a_parent_is_missing():
    assert not conversion._there("no_such_package.part") and conversion._there("importlib.metadata")
