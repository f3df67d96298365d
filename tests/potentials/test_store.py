"""Finished potentials: found by name, compressed, shipped; the unfit are refused."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from helpers import provenance
from helpers.frames import dataset
from helpers.potentials import conversion, evaluation, store, training


@pytest.fixture(scope="module")
def potential(lj_project, lj_recipe):
    """A real one, trained for a few seconds."""
    return training.train(replace(lj_recipe, steps=40), "tiny", threads=1)


def test_a_shipped_potential_names_no_machine(potential, lj_project):
    target = store.ship("tiny", "shipped").directory
    (target / "left of an older one").touch()
    assert store.ship("tiny", "shipped").directory == target
    assert not (target / "left of an older one").exists()
    text = (target / "input.json").read_text()
    assert str(lj_project) not in text
    (systems,) = json.loads(text)["training"]["training_data"]["systems"]
    assert (target / systems / "type.raw").is_file()
    shipped = store.load("shipped")
    assert (shipped.directory, shipped.name, shipped.sets) == (target, "shipped", ("lj",))
    assert shipped.sha256 == provenance.sha256(shipped.file) and shipped.recipe["steps"] == 40
    assert set(shipped.metrics) == {"lj"} and store.load(shipped) is shipped
    with pytest.raises(ValueError, match="shipped potential of another recipe"):
        training.train(training.Recipe(sets=("lj",), steps=1, seed=77), "shipped")
    shutil.rmtree(target)


def test_compressed_gives_the_same_forces_and_is_reused(potential, capsys):
    file = conversion.compress(potential)
    assert "[made]" in capsys.readouterr().out
    system = dataset.load("lj", "validation")
    frozen, tabulated = evaluation.predict(potential, system), evaluation.predict(file, system)
    assert np.abs(frozen.force - tabulated.force).max() < 1e-3
    assert np.abs(frozen.energy - tabulated.energy).max() / 68 < 1e-5
    changed = file.stat().st_mtime_ns
    assert conversion.compress("tiny") == file and file.stat().st_mtime_ns == changed
    assert "[reused]" in capsys.readouterr().out
    assert {f.name for f in file.parent.iterdir()} <= {file.name, "provenance.json", ".lock"}


def test_a_truncated_potential_is_refused(potential, tmp_path):
    content = potential.file.read_bytes()
    (tmp_path / "half.pb").write_bytes(content[: len(content) // 2])
    with pytest.raises(store.BadPotential, match="half.pb is truncated or no deep potential"):
        store.check_potential(tmp_path / "half.pb")
    broken = tmp_path / "broken"
    shutil.copytree(potential.directory, broken)
    (broken / store.FROZEN).write_bytes(content[:-1000])
    with pytest.raises(store.BadPotential, match="truncated or changed"):
        store.load(broken)


def test_a_potential_of_other_elements_is_refused(potential):
    with pytest.raises(store.BadPotential, match="knows C, H, N, Zn, the structure also has Co"):
        store.check_potential(potential, ["C", "Co", "N"])


def test_a_missing_potential_names_the_nearest(potential):
    with pytest.raises(store.BadPotential, match="no potential 'tinny'; did you mean 'tiny'"):
        store.load("tinny")


def test_an_unfinished_potential_is_refused(potential, tmp_path):
    shutil.copy(potential.file, tmp_path)
    with pytest.raises(provenance.NoProvenance, match="unfinished"):
        store.load(tmp_path)


def test_a_model_file_alone_has_no_directory(potential, tmp_path):
    shutil.copy(potential.file, tmp_path / "alone.pb")
    alone = store.load(tmp_path / "alone.pb")
    assert alone.sha256 == potential.sha256 and alone.metrics == {} and alone.sets == ()
    for ask in (lambda: alone.recipe, lambda: alone.inside(store.METRICS)):
        with pytest.raises(store.BadPotential, match="a model file alone, .*; give the directory"):
            ask()
    with pytest.raises(store.BadPotential, match="does not exist"):
        store.load(tmp_path / "none.pb")
