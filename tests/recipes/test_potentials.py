"""Potentials by recipe: groups, starts, tests kept apart, and errors on every set."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from helpers import paths, provenance
from helpers.frames import dataset
from helpers.potentials import evaluation, store
from helpers.recipes import catalogue, potentials, runs, sets
from helpers.validation import accuracy


def test_groups_are_spelt_out_and_no_test_is_trained_on():
    first, second = catalogue.potential_recipe("round-0"), catalogue.potential_recipe("round-1")
    assert set(first.sets) < set(second.sets)
    everything = catalogue.potential_recipe("ensemble-1")
    assert len(everything.sets) == len(set(everything.sets)) and "all" not in everything.sets


def test_a_shipped_potential_is_reused_without_its_start_until_its_recipe_changes(
    own_data, set_to, tmp_path, capsys
):
    set_to(build=tmp_path / "build")  # no start of ATP was trained here
    assert potentials.make("atp").directory == paths.shipped("potentials", "atp")
    assert "[reused] data/potentials/atp" in capsys.readouterr().out
    table = yaml.safe_load(paths.POTENTIALS.read_text())
    table["potentials"]["atp"]["steps"] += 1
    own_data("potentials.yaml", table)
    assert not potentials.shipped_as_written("atp")


@pytest.fixture
def recipes(own_data):
    def write(**entry):
        table = {"groups": {"g": ["abw_0300_1500"]}, "potentials": {"p": entry}}
        own_data("potentials.yaml", table)

    return write


def test_an_unknown_name_a_wrong_field_and_a_test_set_are_refused(recipes):
    recipes(sets=["g"], steps=2)
    assert catalogue.potential_recipe("p").sets == ("abw_0300_1500",)
    with pytest.raises(catalogue.BadRecipe, match="did you mean 'p'"):
        catalogue.potential_recipe("pp")
    recipes(sets=["g"], step=2)
    with pytest.raises(catalogue.BadRecipe, match="step"):
        catalogue.potential_recipe("p")
    recipes(sets=["g", "crystal_1200"], steps=2)
    for split in ("block", "random"):
        recipes(sets=["g", "crystal_1200"], steps=2, split=split)
        with pytest.raises(catalogue.BadRecipe, match="trained on its test: crystal_1200"):
            catalogue.potential_recipe("p")


def test_a_set_split_at_random_is_judged_by_its_own_validation_frames_alone(
    monkeypatch, set_to, tmp_path
):
    set_to(build=tmp_path / "build")
    copy = shutil.copytree(paths.shipped("potentials", "split-random"), tmp_path / "p")
    made = provenance.read(copy) | {"sets": ["abw_0300_1500-random"]}
    (copy / provenance.FILE).write_text(json.dumps(made))
    potentials._drawn_at_random("abw_0300_1500-random")
    monkeypatch.setattr(dataset, "names", lambda **_: ["abw_0300_1500", "crystal_1200", "npt"])
    roles = {name: errors["role"] for name, errors in accuracy.evaluate(copy, 2).items()}
    assert roles == {"crystal_1200": "test", "npt": "unseen", "abw_0300_1500-random": "validation"}


def test_a_set_without_virials_counts_in_the_table_but_not_in_its_virial(monkeypatch):
    errors = {"energy_rmse_meV_per_atom": 1.0, "force_rmse_eV_per_A": 0.1, "role": "test"}
    monkeypatch.setattr(
        accuracy,
        "metrics",
        lambda name: {
            "a": errors | {"n_frames": 10, "virial_rmse_meV_per_atom": 3.0},
            "b": errors | {"n_frames": 90, "virial_rmse_meV_per_atom": None},
        },
    )
    test, none = (accuracy.table(["atp"], [role]).iloc[0] for role in ("test", "validation"))
    assert test["frames"] == 100 and test["force_rmse_eV_per_A"] == pytest.approx(0.1)
    assert test["virial_rmse_meV_per_atom"] == pytest.approx(3.0)
    assert none["frames"] == 0 and np.isnan(none["virial_rmse_meV_per_atom"])


def test_a_recipe_is_trained_evaluated_on_every_set_and_shipped(recipes, set_to, tmp_path):
    recipes(sets=["g"], steps=4, neuron=[4, 8], axis_neuron=2, fitting=[8])
    set_to(build=tmp_path / "build")
    made = potentials.make("p", threads=1).directory
    assert accuracy.evaluated(["p", "atp", "atp", "q"]) == ["atp"]
    (made / "metrics.json").unlink()  # as a potential from elsewhere has none
    assert accuracy.evaluated(["p"]) == []
    errors = accuracy.evaluate("p", 2)
    assert set(errors) == set(dataset.names()) and errors == accuracy.metrics("p")
    assert errors["abw_0300_1500"]["role"] == "validation"
    assert errors["crystal_1200"]["role"] == "test"
    assert errors["crystal_0300"]["role"] == "unseen"
    own = evaluation.evaluate(made, dataset.thinned(dataset.load("abw_0300_1500", "validation"), 2))
    assert errors["abw_0300_1500"] == {"role": "validation", **own}
    set_to(data=tmp_path / "data")
    (tmp_path / "data/potentials").mkdir(parents=True)
    shipped = potentials.ship("p").directory
    assert provenance.read(shipped)["frozen_sha256"] == provenance.sha256(store.load("p").file)


def test_errors_by_temperature_are_those_of_the_frames_there():
    table = accuracy.by_temperature("round-5", "heated_atp", 600)
    assert table["frames"].sum() == len(dataset.load("heated_atp")) and len(table) == 4
    whole = evaluation.evaluate("round-5", dataset.load("heated_atp"))
    for key in evaluation.ERRORS:
        square = (table["frames"] * table[key] ** 2).sum() / table["frames"].sum()
        assert square**0.5 == pytest.approx(whole[key], rel=1e-6)
    assert (
        table["energy_bias_meV_per_atom"].abs() <= table["energy_rmse_meV_per_atom"] + 1e-9
    ).all()
    assert table["pressure_bias_GPa"].abs().max() < 0.1
    hottest = dataset.load("heated_atp").data["temperature_K"].max()
    ending = accuracy.by_temperature("round-5", "heated_atp", hottest / 2)
    assert ending["to_K"].max() == hottest  # the last frame is in the range that it ends
    with pytest.raises(ValueError, match="crystal_relaxation carry no temperature"):
        accuracy.by_temperature("round-5", "crystal_relaxation")


def test_a_bias_between_two_sides_of_a_transition():
    judged = pd.DataFrame(
        {
            "from_K": [300, 600, 900, 1200, 1500],
            "to_K": [600, 900, 1200, 1500, 1800],
            "frames": [3, 1, 5, 2, 2],
            "energy_bias_meV_per_atom": [0.0, 4.0, 50.0, 2.0, 4.0],
        }
    )
    assert accuracy.bias_between(judged, 1000, 1100) == pytest.approx(3 - 1)
    assert np.isnan(accuracy.bias_between(judged, 500, 1100))


def test_a_page_says_whose_forces_it_shows():
    assert runs.whose("round-8").startswith("The forces come from the potential `round-8`")
    assert runs.whose("atp") != runs.whose("round-8")
    assert runs.whose("build/mine") == ""


def test_the_bias_from_the_crystal_to_the_low_density_by_all_that_was_labelled():
    errors = accuracy.metrics("atp")
    known = {row["phase"]: row for row in accuracy.by_phase(errors).to_dict("records")}
    apart = (
        known["open"]["energy_bias_meV_per_atom"]
        - known["crystal 600–1500 K"]["energy_bias_meV_per_atom"]
    )
    (name, key), *_ = sets.taken_from("heated_round_10_test").items()
    row = {"name": name, "key": key, "Tf_K": 1560.0, "fallen_K": 1749.0}
    found = accuracy.crystal_to_open("atp", pd.DataFrame([row]))
    judged = accuracy.by_temperature("atp", "heated_round_10_test")
    assert found == {
        "the test sets": apart,
        f"frames of {name}": accuracy.bias_between(judged, 1560.0, 1749.0),
    }
    other = accuracy.crystal_to_open("atp", pd.DataFrame([row | {"key": "made anew"}]))
    assert list(other) == ["the test sets"]


def test_what_is_said_of_the_bias_over_the_fall_of_a_labelled_run():
    judged = pd.DataFrame(
        {"from_K": [300, 1200], "to_K": [900, 1800], "frames": [3, 2],
         "energy_bias_meV_per_atom": [1.0, 3.5]}
    )  # fmt: skip
    key = sets.taken_from("heated_round_8_test")["round-8-20Kps-seed2"]
    row = {"name": "round-8-20Kps-seed2", "Tf_K": 1000.0, "fallen_K": 1100.0}
    said = accuracy.over_falls(judged, "heated_round_8_test", pd.DataFrame([row | {"key": key}]))
    assert "Frames of `heated_round_8_test`, from round-8-50Kps-seed3, round-8-20Kps-seed2" in said
    assert "the bias changes by +2.5 meV/atom" in said
    for other in ({"key": "made anew"}, {"key": key, "Tf_K": np.nan}):
        said = accuracy.over_falls(judged, "heated_round_8_test", pd.DataFrame([row | other]))
        assert said.endswith("None of them is from a run of this page that falls.")
