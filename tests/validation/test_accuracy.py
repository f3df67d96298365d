"""Errors by phase, and against CP2K with their signs; whose errors are found first."""

import json

import numpy as np
import pytest

from helpers import paths
from helpers.frames import correction, cp2k
from helpers.potentials import store
from helpers.validation import accuracy


def errors(n_frames, bias, role="test"):
    return {
        "role": role, "n_frames": n_frames, "energy_bias_meV_per_atom": bias,
        "energy_rmse_meV_per_atom": abs(bias), "force_rmse_eV_per_A": 0.1,
        "virial_rmse_meV_per_atom": None,
    }  # fmt: skip


def test_phases_are_means_over_the_frames_of_their_test_sets():
    table = accuracy.by_phase({
        "test_0300": errors(1, 1.0), "reference_0300": errors(3, 2.0),
        "glasses_test": errors(5, -1.0), "another": errors(5, 9.0),
        "test_melt": errors(5, 9.0, role="validation"),
    }).set_index("phase")  # fmt: skip
    assert list(table.index) == ["crystal 300 K", "glass"]
    cold = table.loc["crystal 300 K"]
    assert cold["frames"] == 4
    assert cold["energy_bias_meV_per_atom"] == pytest.approx(1.75)
    assert cold["energy_rmse_meV_per_atom"] == pytest.approx(((1 + 3 * 4) / 4) ** 0.5)
    assert "virial_rmse_meV_per_atom" not in table or table["virial_rmse_meV_per_atom"].isna().all()
    assert accuracy.by_phase({}).empty


def test_kept_errors_count_only_where_the_potential_itself_is_gone(tmp_path, set_to):
    """Weights that are there are judged by their own errors, whatever was kept under their name."""
    shipped = paths.shipped("potentials")
    set_to(data=tmp_path)
    (tmp_path / "potentials").symlink_to(shipped)
    kept = tmp_path / "validation" / "errors-split-block"
    kept.mkdir(parents=True)
    (kept / "metrics.json").write_text(json.dumps({"a": errors(1, 1.0)}))
    assert "crystal_1200" in accuracy.metrics("split-block")
    (tmp_path / "potentials").unlink()
    assert accuracy.metrics("split-block") == {"a": errors(1, 1.0)}
    with pytest.raises(store.BadPotential):  # kept is what has a name, not a folder
        accuracy.metrics(tmp_path / "potentials" / "split-block")


def test_test_sets_of_phases_exist_and_are_tests():
    from helpers.recipes import catalogue

    named = {name for names in accuracy.TEST_SETS.values() for name in names}
    assert named <= set(catalogue.test_sets())


def test_a_potential_of_uncorrected_labels_shows_the_law_against_cp2k():
    """round-5 repeats the reference: against CP2K it is off by what the law says CP2K adds."""
    table = accuracy.beside_cp2k("round-5")
    images = cp2k.read("ZIF-4")
    assert list(table["name"]) == [atoms.info["name"] for atoms in images]
    volume = table["volume_A3_per_atom"]
    np.testing.assert_allclose(volume, [a.get_volume() / len(a) for a in images])
    law = correction.laws()["ZIF-4"]
    crystal = table["phase"] == "crystal"
    pressure = (table["pressure_off_GPa"] + law.pressure(volume))[crystal]
    assert abs(pressure.mean()) < 0.05  # GPa; the law itself is at -0.14
    assert table["pressure_off_GPa"][crystal].mean() > 0.08
    assert 0.02 < table["force_rmse_eV_per_A"].median() < 0.4


def test_the_reference_beside_a_potential_is_the_one_that_it_was_trained_on():
    """Corrected, it is nearer to CP2K in energy and virial; its forces are those as published."""
    alone = accuracy.compare(None, ["ZIF-4"]).iloc[0]
    beside = accuracy.compare("atp", ["ZIF-4"]).iloc[0]
    for label in ("energy_meV_per_atom", "virial_meV_per_atom"):
        assert beside[f"reference-CP2K {label}"] < alone[f"reference-CP2K {label}"] / 2
    force = "reference-CP2K force_eV_per_A"
    assert beside[force] == pytest.approx(alone[force])
    said = accuracy.as_errors(beside)
    mean = np.mean([a.get_potential_energy() / len(a) for a in cp2k.read("ZIF-4")])
    share = 0.1 * said["energy_rmse_meV_per_atom"] / -mean
    assert said["energy_relative_percent"] == pytest.approx(share, rel=1e-6)
    off = accuracy.beside_cp2k("atp")
    assert off["trained"].sum() >= 5 and not off["trained"][off["name"] == "zif4_2000"].any()


def test_a_new_glass_is_what_a_quench_of_no_training_ends_in():
    from helpers.frames import dataset
    from helpers.recipes import catalogue, sets

    for name in accuracy.NEW_GLASSES:
        assert name in catalogue.test_sets()
        mother = {catalogue.run_recipe(run).after for run in sets.taken_from(name)}
        trained = set(dataset.names()) - set(catalogue.test_sets())
        known = {run for one in trained for run in sets.taken_from(one)}
        assert not mother & known
        assert not mother & {catalogue.run_recipe(run).after for run in known}
    found = accuracy.on_new_glasses("atp")
    assert found["frames"] >= 10 and 0.05 < found["force_rmse_eV_per_A"] < 0.2
