"""What travels to a machine with a graphics card, and what is made of what comes back."""

import json

import numpy as np
import pytest

from helpers import settings
from helpers.errors import NotThere, Unfit
from helpers.frames import correction, dataset, reference, sampling
from helpers.potentials import conversion, evaluation, store, training
from helpers.recipes import catalogue, graphics_card, labelling, sets

SET, START = "abw_explored", "split-block"


@pytest.fixture(scope="module")
def model():
    return graphics_card.neutral(store.load(START))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path):
    with settings.use(build=tmp_path / "build"):
        yield


@pytest.fixture
def recipe(monkeypatch):
    """A recipe of two steps on 19 frames of 68 atoms, named "tiny"."""
    small = training.continued(
        START, sets=(SET,), steps=2, batch="auto:136", trainer=training.CARD, favoured=(SET,)
    )
    monkeypatch.setattr(catalogue, "potential_recipe", lambda name: small)
    return small


def result(folder, recipe, model):
    """What comes back of a training that left the weights as they were."""
    arrays, _ = graphics_card.arrays_of(model)
    weights = {n: a for n, a in arrays.items() if n.startswith(("embedding", "fitting"))}
    np.savez(folder / "weights.npz", **weights)
    errors = {"energy": 1.0, "force": 0.1, "virial": 5.0}
    line = {"step": 2, "of": 2, "seconds": 1.0, "learning_rate": 1e-4, "validation": errors}
    (folder / "progress.jsonl").write_text(json.dumps(line | errors) + "\n")
    came = {"steps": 2, "seconds": 1.0, "looks": [], "device": "a card", "torch": "2",
            "origin": graphics_card._origin(recipe)}  # fmt: skip
    (folder / "result.json").write_text(json.dumps(came))
    return came


def test_weights_that_come_back_are_those_that_went(model):
    arrays, shape = graphics_card.arrays_of(model)
    assert shape["sel"] == store.load(START).recipe["sel"]
    other = {n: a + 1 for n, a in arrays.items() if n.startswith(("embedding", "fitting"))}
    graphics_card.put(model, other)
    again, _ = graphics_card.arrays_of(model)
    for name, array in arrays.items():
        moved = name.startswith(("embedding", "fitting"))
        np.testing.assert_array_equal(again[name], array + 1 if moved else array)
    graphics_card.put(model, {n: a for n, a in arrays.items() if n in other})


def test_a_job_holds_every_frame_once(tmp_path, recipe, monkeypatch):
    monkeypatch.setattr(catalogue, "test_sets_here", lambda: ["abw_0300_1500"])
    with np.load(graphics_card.job("tiny", tmp_path / "job.npz")) as packed:
        (group,) = {n.split(".")[0] for n in packed.files if n.endswith(".positions")}
        names, used = packed[f"{group}.names"], packed[f"{group}.training"]
        system = dataset.load(SET, "training")
        assert used.sum() == len(system)
        assert set(names[used]) == {SET} and set(names) == {SET, "abw_0300_1500"}
        np.testing.assert_allclose(packed[f"{group}.energies"][used], system["energies"])
        np.testing.assert_allclose(
            packed[f"{group}.forces"][used], system["forces"].astype(np.float32)
        )
        plan = json.loads(str(packed["plan"]))
        assert plan["weights"] == {SET: training.FAVOUR} and plan["atoms"] == 136


def test_a_potential_of_the_same_weights_is_the_same(tmp_path, recipe, model):
    result(tmp_path, recipe, model)
    made = graphics_card.finish("tiny", tmp_path)
    system = dataset.load(SET, "validation")
    ours, theirs = (evaluation.predict(p, system) for p in (made, START))
    np.testing.assert_allclose(ours.force, theirs.force, atol=1e-5)
    np.testing.assert_allclose(ours.energy, theirs.energy, atol=1e-3)
    assert made.metrics[SET]["n_frames"] == len(system)
    table = conversion.compress(made)  # LAMMPS runs with this: it needs the script of the training
    np.testing.assert_allclose(evaluation.predict(table, system).force, ours.force, atol=1e-3)


@pytest.mark.parametrize("field, value", [("steps", 3), ("origin", {"sets": ["other"]})])
def test_what_was_trained_otherwise_is_refused(tmp_path, recipe, model, field, value):
    came = result(tmp_path, recipe, model)
    (tmp_path / "result.json").write_text(json.dumps(came | {field: value}))
    with pytest.raises(Unfit, match="another training"):
        graphics_card.finish("tiny", tmp_path)


def test_a_recipe_of_dp_train_is_no_job(tmp_path):
    with pytest.raises(Unfit, match="not trained on a graphics card"):
        graphics_card.job(START, tmp_path / "job.npz")


def test_a_recipe_for_a_card_is_not_trained_here(recipe):
    with pytest.raises(Unfit, match="zif4 card job"):
        training.train(recipe, "tiny-of-no-card")


def test_a_batch_of_a_card_counts_atoms():
    with pytest.raises(Unfit, match="auto:N"):
        training.Recipe(sets=(SET,), steps=1, trainer=training.CARD, batch=4)


def test_labels_from_elsewhere_make_the_set(tmp_path):
    """The shipped labels of a set, sent as a card sends them, make the same set again."""
    name = "pressed_test"
    shipped = dataset.load(name)
    assert graphics_card.structures([name], tmp_path / "structures.npz") == len(shipped)
    volume = np.abs(np.linalg.det(shipped["cells"]))[:, None, None]
    found = {
        "energies": shipped["energies"], "forces": shipped["forces"],
        "stresses": -shipped["virials"] / volume,
    }  # fmt: skip
    order = np.argsort(shipped["step"][:, 0])  # validation frames lie behind the others
    found = {key: values[order] for key, values in found.items()}
    with np.load(tmp_path / "structures.npz") as packed:
        found_of = {"first_atoms": packed["positions"][:, 0], "device": "a card"}
    found_of["weights"] = reference.WEIGHTS_SHA256
    # labels of other structures, or by another reference, are not taken
    moved = found_of | {"first_atoms": found_of["first_atoms"][::-1]}
    for wrong, error in ((moved, "other structures"), (found_of | {"weights": "x"}, "weights")):
        np.savez(tmp_path / "wrong.npz", **found, **wrong)
        with pytest.raises(ValueError, match=error):
            graphics_card.take_labels([name], tmp_path / "wrong.npz")
    with pytest.raises(NotThere, match="does not exist"):
        graphics_card.take_labels([name], tmp_path / "none.npz")
    np.savez(tmp_path / "labels.npz", **found, **found_of)
    (written,) = graphics_card.take_labels([name], tmp_path / "labels.npz")
    assert len(sampling.whole_frames(written)) == len(shipped)
    origin = json.loads((written.parent / labelling.ORIGIN).read_text())
    assert origin["labelled_on"] == "a card"
    again = dataset.load(sets.make(name, again=True))
    for key in ("coords", "cells", "energies", "forces", "virials"):
        np.testing.assert_allclose(again[key], shipped[key], atol=2e-4)
    with pytest.raises(catalogue.BadRecipe, match="labels came"):
        labelling.take(name, "round-8-crystal-100MPa", {k: v[1:] for k, v in found.items()}, "x")


def test_corrected_labels_travel_corrected(tmp_path, recipe, monkeypatch):
    plan = training.continued(
        START, sets=(SET,), steps=2, batch="auto:68", trainer=training.CARD, corrected=True
    )
    monkeypatch.setattr(catalogue, "potential_recipe", lambda name: plan)
    monkeypatch.setattr(catalogue, "test_sets_here", list)
    with np.load(graphics_card.job("tiny", tmp_path / "job.npz")) as packed:
        energies = packed["composition0.energies"][packed["composition0.training"]]
    wanted = correction.load(SET, "training", correction.laws())["energies"]
    np.testing.assert_allclose(energies, wanted)
    assert np.abs(wanted - dataset.load(SET, "training")["energies"]).min() > 0.1  # eV a cell


def test_what_came_from_a_card_can_be_trained_on_here(tmp_path):
    copy = tmp_path / "completed.pb"
    assert conversion.trainable("round-7", copy) == store.load("round-7").file and not copy.exists()
    assert conversion.trainable("atp", copy) == copy
    system = dataset.thinned(dataset.load(SET), 3)
    ours, theirs = (evaluation.predict(p, system).force for p in (copy, "atp"))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
