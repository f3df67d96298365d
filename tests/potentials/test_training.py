"""Training: real ``dp`` runs of a tiny network on Lennard-Jones frames of the 68-atom cell."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers import paths, provenance
from helpers.frames import dataset
from helpers.potentials import checkpoints, deepmd, evaluation, learning_curves, store, training

KILLED = """
import os, sys
from helpers import settings
from helpers.potentials import training
with settings.use(root={root!r}):
    recipe = training.Recipe(**{recipe!r})
    training.train(recipe, "tiny", threads=1, display_every=10, save_every=20)
"""


@pytest.fixture(scope="module")
def potential(lj_project, lj_recipe):
    """Trained in two goes: killed with -9 behind its first checkpoint, then called again."""
    script = KILLED.format(root=str(lj_project), recipe=vars(lj_recipe))
    victim = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    target = provenance.directory("potentials", "tiny", lj_recipe.as_dict())
    deadline = time.monotonic() + 900
    while not checkpoints.last_checkpoint(target):
        assert victim.poll() is None and time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.02)
    with pytest.raises(provenance.DirectoryBusy, match=str(victim.pid)):
        training.train(lj_recipe, "tiny", threads=1)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    _, killed_at = checkpoints.last_checkpoint(target)
    finished = training.train(lj_recipe, "tiny", threads=1, display_every=10, save_every=20)
    assert finished.name == "tiny"
    return finished.directory, killed_at


def test_a_killed_training_goes_on_and_finishes(potential, lj_recipe, lj_project):
    directory, killed_at = potential
    assert 0 < killed_at < lj_recipe.steps, "the kill came too late to say anything"
    log = (directory / "train.log").read_text()
    assert re.search(rf"restart from model .*model\.ckpt-{killed_at}\n", log)
    curve = learning_curves.read_lcurve(directory)
    assert curve["step"].is_unique and curve["step"].is_monotonic_increasing
    assert curve["step"].iloc[0] <= 10 and curve["step"].iloc[-1] == lj_recipe.steps
    record = provenance.read(directory)
    assert record["inputs"]["lj"] == provenance.sha256(dataset.locate("lj"))
    assert record["results"]["validation"]["lj"]["n_frames"] == 6


def test_the_potential_has_learnt_something(potential):
    directory, _ = potential
    errors = evaluation.evaluate(directory, dataset.load("lj", "validation"))
    assert errors["force_rmse_eV_per_A"] < 0.9 * errors["force_rms_eV_per_A"]
    curve = learning_curves.read_lcurve(directory)
    assert curve["rmse_f_trn"].iloc[-1] < curve["rmse_f_trn"].iloc[0]


def test_the_best_snapshot_is_frozen(lj_project, lj_recipe, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHORT", 0)
    monkeypatch.setattr(checkpoints, "SNAPSHOTS", 3)
    long = replace(lj_recipe, steps=900, seed=5)
    chosen = {}

    def second_is_best(rows, key):
        # the first judgement is that of the code; here another one must be frozen
        chosen["by errors"] = min(rows, key=key)["step"]
        return rows[1]

    monkeypatch.setattr(checkpoints, "min", second_is_best, raising=False)
    made = training.train(
        long, "snapshots", save_every=20, display_every=20, watch=["lj"]
    ).directory
    table = learning_curves.read_learning(made)
    validation = table[table["role"] == "validation"]
    # the first checkpoint of each third that a look every 0.2 s has met
    assert [step // 300 for step in validation["step"]] == [1, 2, 3]
    assert validation["step"].iloc[-1] == 900 and set(table["role"]) == {"validation", "watched"}
    product = validation[list(evaluation.ERRORS)].prod(axis=1)
    assert chosen["by errors"] == validation["step"].iloc[product.argmin()]
    few = dataset.thinned(dataset.load("lj", "validation"), 3)
    assert evaluation.evaluate(made, few)["force_rmse_eV_per_A"] == pytest.approx(
        validation["force_rmse_eV_per_A"].iloc[1], rel=1e-6
    )  # that of the second, not the last
    assert not (made / "snapshots").exists()


def test_the_last_snapshot_is_kept_after_a_kill_between_it_and_the_last_checkpoint(
    tmp_path, lj_recipe, monkeypatch
):
    monkeypatch.setattr(checkpoints, "SHORT", 0)
    for file in ("index", "data-00000-of-00001", "meta"):
        (tmp_path / f"model.ckpt-{lj_recipe.steps}.{file}").touch()
    (tmp_path / "lcurve.out").write_text("# step rmse_trn\n 0 1.0\n")
    training._run_training(tmp_path, lj_recipe, None)
    kept = tmp_path / "snapshots" / str(lj_recipe.steps)
    assert (kept / f"model.ckpt-{lj_recipe.steps}.meta").is_file()


@pytest.mark.parametrize("steps", [4, 300, 6_000, 24_000, 1_000_000])
def test_checkpoints_lie_where_dp_displays_and_not_far_apart(steps):
    display, save = training._intervals(steps)
    assert save % display == 0 and save <= max(1000, display)
    assert training._intervals(steps, 10, 25) == (10, 20)


def test_a_short_training_has_no_snapshots(potential):
    with pytest.raises(FileNotFoundError, match="learning.json is missing"):
        learning_curves.read_learning(potential[0])


def test_the_same_recipe_is_reused_and_a_name_finds_it(potential, lj_recipe, lj_project, capsys):
    directory, _ = potential
    assert training.train(lj_recipe, "other name").directory == directory
    assert "[reused]" in capsys.readouterr().out
    assert store.load("tiny").directory.resolve() == directory
    assert store.load("other name").directory.resolve() == directory
    assert {directory.name, "other name", "tiny"} <= set(store.names())


def test_a_training_goes_on_from_the_weights_of_another(potential, lj_recipe, lj_project):
    """Its first error is the last one of its forerunner, not that of random weights."""
    more = training.continued("tiny", sets=("lj",), steps=10, learning_rate=(1e-6, 1e-7))
    for field in training.NETS:
        assert getattr(more, field) == getattr(lj_recipe, field)
    directory = training.train(more, "more", threads=1).directory
    before = evaluation.evaluate(potential[0], dataset.load("lj", "validation"))
    after = evaluation.evaluate(directory, dataset.load("lj", "validation"))
    for error in ("force_rmse_eV_per_A", "virial_rmse_meV_per_atom"):
        assert after[error] == pytest.approx(before[error], rel=0.02)
    changed = provenance.key(replace(more, initial_potential="").as_dict())
    assert changed != provenance.read(directory)["key"]


def test_the_key_follows_the_frames_not_their_name(lj_project, lj_recipe):
    before = provenance.key(lj_recipe.as_dict())
    shutil.copytree(dataset.locate("lj"), paths.made("frames", "copy"))
    copy = replace(lj_recipe, sets=("copy",))
    assert provenance.key(copy.as_dict()) == before
    energy = paths.made("frames", "copy") / "training" / "set.000" / "energy.npy"
    np.save(energy, np.load(energy) + 1.0)
    assert provenance.key(copy.as_dict()) != before
    assert provenance.key(replace(lj_recipe, seed=2).as_dict()) != before


def test_favoured_sets_are_drawn_more_often_and_forces_judged_by_their_size(lj_project, lj_recipe):
    """Two sets of as many frames, one favoured; what is not asked for leaves the key as it was."""
    if "twin" not in dataset.names():
        shutil.copytree(dataset.locate("lj"), paths.made("frames", "twin"))
    plain = replace(lj_recipe, sets=("lj", "twin"))
    assert "sys_probs" not in plain.input(lj_project, 1, 1)["training"]["training_data"]
    assert not {"favoured", "relative_force"} & set(plain.as_dict())
    chosen = replace(plain, favoured=("twin",), relative_force=0.5)
    made = chosen.input(lj_project, 1, 1)
    assert made["training"]["training_data"]["sys_probs"] == pytest.approx([0.25, 0.75])
    assert made["loss"]["relative_f"] == 0.5
    assert provenance.key(chosen.as_dict()) != provenance.key(plain.as_dict())


@pytest.mark.parametrize(
    "change, message",
    [
        ({"precision": "float31"}, "precision is 'float31'"),
        ({"learning_rate": (1e-3, 0.0)}, "0 < stop <= start"),
        ({"sel": (1, 2, 3)}, "one number for each of"),
        ({"sets": "lj"}, "a tuple of names"),
        ({"relative_force": -1.0}, "0 or more, in eV/A"),
        ({"rcut": "six"}, "rcut is 'six', wanted: numbers"),
        ({"neuron": (4, "x")}, "neuron is .*, wanted: numbers"),
        ({"decay_steps": -5}, "decay_steps is -5, wanted: from 0"),
        ({"favoured": ("sheared",)}, "favoured has sheared, wanted: some of the sets"),
    ],
)
def test_a_wrong_recipe_is_refused_at_once(lj_recipe, change, message):
    with pytest.raises(ValueError, match=message):
        replace(lj_recipe, **change)


@pytest.mark.parametrize("change", [{"seed": 1.5}, {"rcut": 6.0, "decay_steps": 2.5}])
def test_deepmd_refuses_a_wrong_input(lj_project, lj_recipe, tmp_path, change):
    with pytest.raises(ValueError, match="DeePMD-kit refuses this recipe"):
        replace(lj_recipe, **change).input(tmp_path, 1, 1)


def test_nan_in_the_learning_curve_stops_the_training(lj_project, lj_recipe):
    """A learning rate of 1e30 takes the loss of any network out of float32 within a few steps."""
    wild = replace(lj_recipe, steps=5000)
    object.__setattr__(wild, "learning_rate", (1e30, 1e29))  # which a recipe would refuse
    with pytest.raises(deepmd.DPFailed, match="the loss is NaN at step"):
        training.train(wild, "wild", threads=1, display_every=1)
    target = provenance.directory("potentials", "wild", wild.as_dict())
    assert not (target / provenance.FILE).exists()
    assert len(learning_curves.read_lcurve(target)) < 4000


def test_lcurve_of_a_restart_and_a_line_half_written(tmp_path):
    (tmp_path / "lcurve.out").write_text(
        "#  step      rmse_trn    rmse_f_trn         lr\n"
        "      0      9.0e+00     3.0e-01    1.0e-03\n"
        "    100      8.0e+00     2.9e-01    1.0e-03\n"
        "    200      7.0e+00     2.8e-01    1.0e-03\n"
        "#  step      rmse_trn    rmse_f_trn         lr\n"
        "    200      6.5e+00     2.7e-01    1.0e-03\n"
        "    300      6.0e+00     2.6e-"
    )
    curve = learning_curves.read_lcurve(tmp_path)
    assert curve["step"].tolist() == [0, 100, 200]
    assert curve["rmse_trn"].tolist() == [9.0, 8.0, 6.5]


def test_a_checkpoint_that_a_kill_cut_off_is_passed_over(tmp_path):
    """Seen in earnest: killed after TensorFlow named the checkpoint, before its .meta was there."""
    assert checkpoints.last_checkpoint(tmp_path) is None
    for file in ("80.index", "80.data-00000-of-00001", "80.meta", "100.index", "100.meta",
                 "120.index", "120.data-00000-of-00001"):  # fmt: skip
        (tmp_path / f"model.ckpt-{file}").touch()
    assert checkpoints.last_checkpoint(tmp_path) == ("model.ckpt-80", 80)


def test_no_lcurve_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="lcurve.out is missing"):
        learning_curves.read_lcurve(Path(tmp_path))


def test_what_deepmd_was_told_can_be_read_again():
    shipped = store.load(Path(__file__).parents[2] / "data/potentials/round-8")
    said = json.loads(training.told(shipped, "model"))
    assert said["type_map"] == ["C", "H", "N", "Zn"]
    with pytest.raises(store.BadPotential, match="a model file alone"):
        training.told(store.load(shipped.file), "model")
