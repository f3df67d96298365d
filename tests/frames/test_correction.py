"""What CP2K adds to the reference: a law of the volume, found, judged and applied."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from helpers import paths, units
from helpers.errors import Unfit
from helpers.frames import correction, cp2k, dataset
from helpers.potentials import checkpoints, evaluation, training

LAW = correction.Law(272, 17.0, (1.5, 0.86, -0.05), (14.0, 21.0))


@pytest.fixture(scope="module")
def crystal():
    return dataset.load("test_0300").sub_system([0, 5])


def _table(law, volumes, energy_noise=0.0, pressure_noise=0.0):
    rng = np.random.default_rng(3)
    return pd.DataFrame({
        "name": [f"frame {i}" for i in range(len(volumes))], "phase": "crystal",
        "volume_A3_per_atom": volumes,
        "energy_meV_per_atom": law.energy(volumes) + rng.normal(0, energy_noise, len(volumes)),
        "pressure_GPa": law.pressure(volumes) + rng.normal(0, pressure_noise, len(volumes)),
    })  # fmt: skip


def test_the_fit_finds_a_known_law_and_its_degree():
    table = _table(LAW, np.linspace(14.0, 21.0, 20))
    found = correction.fit(table, 2, 272)
    v = np.linspace(14, 21, 9)
    np.testing.assert_allclose(found.energy(v), LAW.energy(v), atol=1e-9)
    np.testing.assert_allclose(found.pressure(v), LAW.pressure(v), atol=1e-12)
    assert found.volumes == (14.0, 21.0)
    noisy = _table(LAW, np.linspace(14.0, 21.0, 20), 0.2, 0.005)
    degree, scores = correction.choose(noisy)
    assert degree == 2 and scores[1]["over_goals"] > scores[2]["over_goals"]
    assert scores[2]["pressure_GPa"] == pytest.approx(0.005, rel=0.5)
    with pytest.raises(ValueError, match="2 frames cannot fit a law of degree 2"):
        correction.fit(table[:2], 2, 272)


def test_a_phase_with_a_law_of_its_own_is_found():
    table = _table(LAW, np.linspace(14.0, 21.0, 20), 0.1, 0.005)
    table.loc[::4, "phase"] = "glass"
    table.loc[::4, "energy_meV_per_atom"] += 2.0
    phases = correction.by_phase(correction.left_out(table, 2)).set_index("phase")
    assert phases.loc["glass", "beyond"] and phases.loc["glass", "frames"] == 5
    assert phases.loc["glass", "energy_off_meV_per_atom"] > 1


def test_pressure_is_the_slope_of_energy():
    h = 1e-4
    v = np.linspace(15, 20, 6)
    slope = (LAW.energy(v + h) - LAW.energy(v - h)) / (2 * h)
    np.testing.assert_allclose(LAW.slope(v), slope, rtol=1e-7)
    np.testing.assert_allclose(LAW.pressure(v), -slope * 1e-3 * units.EV_PER_A3_IN_GPA, rtol=1e-7)


def test_what_is_added_to_a_virial_is_the_strain_derivative_of_what_is_added_to_the_energy(crystal):
    added = _added(crystal)["virials"]
    h = 1e-5
    for i, j in [(0, 0), (2, 2), (0, 1)]:
        energies = []
        for sign in (1, -1):
            strained = crystal.copy()
            strain = np.eye(3)
            strain[i, j] += sign * h
            strained.data["cells"] = crystal["cells"] @ strain
            energies.append(_added(strained)["energies"])
        slope = (energies[0] - energies[1]) / (2 * h)
        # W = -V sigma = -dE/d(strain)
        np.testing.assert_allclose(added[:, i, j], -slope, atol=1e-4)


def _added(system):
    result = correction.corrected(system, {"ZIF-4": LAW})
    return {name: result[name] - system[name] for name in ("energies", "virials")}


def test_structures_are_corrected_as_sets_are(crystal):
    images = crystal.to_ase_structure()
    found = correction.corrected_images(images, {"ZIF-4": LAW})
    wanted = correction.corrected(crystal, {"ZIF-4": LAW})
    for i, atoms in enumerate(found):
        assert atoms.get_potential_energy() == pytest.approx(wanted["energies"][i], abs=1e-6)
        virial = -atoms.get_volume() * atoms.get_stress(voigt=False)
        np.testing.assert_allclose(virial, wanted["virials"][i], atol=1e-6)
        np.testing.assert_array_equal(atoms.get_forces(), crystal["forces"][i])


def test_forces_and_the_frames_that_are_given_stay_as_they_are(crystal):
    before = {name: crystal[name].copy() for name in ("energies", "forces", "virials")}
    result = correction.corrected(crystal, {"ZIF-4": LAW})
    np.testing.assert_array_equal(result["forces"], before["forces"])
    for name, value in before.items():
        np.testing.assert_array_equal(crystal[name], value)


def test_other_compositions_cells_and_volumes_are_refused(crystal):
    law = {"ZIF-4": LAW}
    with pytest.raises(dataset.BadFrames, match="not Zn.C3H3N2.2"):
        correction.corrected(crystal.pick_atom_idx(range(271)), law, "they")
    with pytest.raises(dataset.BadFrames, match="have 68 atoms a cell.*ZIF-4 272"):
        correction.corrected(dataset.load("abw"), law)
    wide = crystal.copy()
    wide.data["cells"] = crystal["cells"] * 1.10
    with pytest.warns(UserWarning, match="2 of 2 frames .* 21.40 .* it is extrapolated"):
        correction.corrected(wide, law)
    wide.data["cells"] = crystal["cells"] * 1.15
    with pytest.raises(dataset.BadFrames, match="too far; label frames there by CP2K"):
        correction.corrected(wide, law)


def test_the_shipped_law_is_that_of_the_shipped_frames(tmp_path):
    shutil.copy(paths.CORRECTION, tmp_path)
    made = yaml.safe_load(correction.make(tmp_path / "correction.yaml").read_text())
    shipped = yaml.safe_load(paths.CORRECTION.read_text())
    assert list(made) == list(shipped)
    for framework, entry in made.items():
        assert entry["frames"] == shipped[framework]["frames"]
        np.testing.assert_allclose(
            entry["coefficients"], shipped[framework]["coefficients"], rtol=1e-4, atol=1e-4
        )
        assert entry["n_atoms"] == len(cp2k.read(framework)[0])
    laws = correction.laws(tmp_path / "correction.yaml")
    assert correction.key(laws) == correction.key(correction.laws(tmp_path / "correction.yaml"))


def test_frames_labelled_later_judge_the_law_and_do_not_enter_it(tmp_path):
    """Fewer are known, so that there is something later; with refit all of them enter."""
    known = yaml.safe_load(paths.CORRECTION.read_text())
    fitted = [n for n in known["ZIF-4"]["frames"] if n not in ("zif4_glass02", "zif4_melt_2020")]
    known["ZIF-4"]["frames"] = fitted
    file = tmp_path / "less.yaml"
    file.write_text(yaml.safe_dump(known))
    correction.make(file)
    law = correction.laws(file)["ZIF-4"]
    assert correction.laws(correction.make(file))["ZIF-4"] == law
    off = correction.residuals("ZIF-4", file)
    later = off[off["since"]]
    assert {"zif4_glass02", "zif4_melt_2020"} <= set(later["name"])
    assert not set(later["name"]) & set(fitted)
    by_hand = later["energy_meV_per_atom"] - law.energy(later["volume_A3_per_atom"])
    np.testing.assert_allclose(later["energy_off_meV_per_atom"], by_hand)
    left_out = correction.left_out(correction.differences("ZIF-4"), 2).set_index("name")
    assert len(off) == len(left_out) and np.isfinite(off["pressure_off_GPa"]).all()
    correction.make(file, refit=True)
    off = correction.residuals("ZIF-4", file).set_index("name")
    assert not off["since"].any()
    np.testing.assert_allclose(
        off["energy_off_meV_per_atom"], left_out["energy_off_meV_per_atom"], atol=1e-6
    )
    assert correction.laws(file)["ZIF-4"] != law


def test_a_law_that_is_missing_or_broken_says_how_it_is_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="zif4 correction makes it"):
        correction.laws(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("ZIF-4: {n_atoms: 272}")
    with pytest.raises(ValueError, match="broken.yaml, ZIF-4: 'centre'"):
        correction.laws(tmp_path / "broken.yaml")


def test_only_labels_of_the_reference_are_corrected():
    name = "test_0300"
    laws = {"ZIF-4": LAW}
    assert correction.load(name, None, laws)["energies"][0] != dataset.load(name)["energies"][0]
    np.testing.assert_array_equal(
        correction.load(name, None, None)["energies"], dataset.load(name)["energies"]
    )


def test_a_training_on_corrected_labels(tmp_path, set_to):
    """The key follows the law only where it is used; the energies that are learnt are corrected."""
    plain = training.Recipe(sets=("abw",), steps=2)
    recipe = training.Recipe(
        sets=("abw",), steps=2, corrected=True, neuron=(2, 4), axis_neuron=2, fitting=(4,),
        sel=(20, 20, 16, 8),
    )  # fmt: skip
    assert "correction" not in plain.as_dict() and "corrected" not in plain.as_dict()
    assert recipe.as_dict()["correction"] == correction.key(correction.laws())
    set_to(build=tmp_path)
    made = training.train(recipe, "tiny", threads=1)
    laws = correction.of(made.directory)
    assert correction.key(laws) == recipe.as_dict()["correction"]
    assert not (made.directory / "corrected").exists()
    system = correction.load("abw", "validation", laws)
    errors = evaluation.evaluate(made, dataset.thinned(system, checkpoints.EVALUATED))
    said = made.provenance["results"]["validation"]["abw"]
    assert said["energy_bias_meV_per_atom"] == pytest.approx(errors["energy_bias_meV_per_atom"])
    uncorrected = evaluation.evaluate(made, dataset.load("abw", "validation"))
    difference = errors["energy_bias_meV_per_atom"] - uncorrected["energy_bias_meV_per_atom"]
    v = np.abs(np.linalg.det(system["cells"])) / 68
    assert -difference == pytest.approx(laws["Znim2-ABW"].energy(v).mean(), abs=1e-3)
    assert said["force_rmse_eV_per_A"] == pytest.approx(uncorrected["force_rmse_eV_per_A"])


def test_a_slip_in_the_file_of_laws_is_named(tmp_path):
    file = tmp_path / "correction.yaml"
    text = paths.CORRECTION.read_text()
    file.write_text(text.replace("ZIF-4:", "\tZIF-4:", 1))
    with pytest.raises(Unfit, match=r"correction.yaml, line \d+: a tab"):
        correction.laws(file)
    file.write_text(text + text)
    with pytest.raises(Unfit, match="ZIF-4 is there twice"):
        correction.laws(file)
