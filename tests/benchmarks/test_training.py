"""What a training step costs: real ``dp train`` of tiny nets, and the log of a real training."""

import json

import pytest

from helpers.benchmarks import record
from helpers.benchmarks import training as training_cost
from helpers.potentials import deepmd, training

LOG = """
[2026-11-22 17:19:51,486] DEEPMD INFO    Batch       0: trn: rmse = 2.67e+01, lr = 1.00e-03
[2026-11-22 17:20:09,348] DEEPMD INFO    Batch     200: total wall time = 18.33 s, eta = 0:30:14
[2026-11-22 17:20:26,229] DEEPMD INFO    Batch     400: total wall time = 16.88 s, eta = 0:27:34
[2026-11-22 17:20:43,584] DEEPMD INFO    Batch     600: total wall time = 17.36 s, eta = 0:28:03
"""


def test_the_first_interval_does_not_count():
    found = training_cost.seconds_per_step(LOG, 200)
    assert found["seconds_per_step"] == pytest.approx((16.88 + 17.36) / 400)
    assert found["spread"] == pytest.approx((17.36 - 16.88) / 2**0.5 / 200)
    assert found["intervals"] == 2
    with pytest.raises(ValueError, match="2 intervals, three are needed"):
        training_cost.seconds_per_step(LOG.rsplit("[", 1)[0], 200)


def test_settings_are_recipes_that_differ_in_cost_only():
    names = set()
    for setting in training_cost.settings():
        recipe = training.Recipe(sets=("any",), steps=1, **setting.recipe)
        changed = {k for k, v in vars(recipe).items()
                   if v != getattr(training.Recipe(sets=("any",), steps=1), k)}  # fmt: skip
        assert changed == set(setting.recipe) <= {"sel", "precision", "type_one_side", "batch"}
        names.add((setting.name, setting.threads))
    assert len(names) == len(training_cost.settings()) == 14


def test_a_real_training_is_timed_and_a_broken_measurement_goes_on(tmp_path, capsys):
    tiny = {"neuron": (2, 4), "axis_neuron": 2, "fitting": (4,)}
    chosen = [training_cost.Setting("tiny", tiny),
              training_cost.Setting("kept", tiny, keep_memory=True)]  # fmt: skip
    options = {"set_name": "abw_0300_1500", "steps": 30, "display_every": 10}
    file = training_cost.measure(tmp_path / "training.json", chosen=chosen[:1], **options)
    row = json.loads(file.read_text())["rows"][0]
    assert 0 < row["seconds_per_step"] < 60 and row["intervals"] == 2
    training_cost.measure(file, chosen=chosen, **options)
    assert "[reused]" in capsys.readouterr().out
    assert json.loads(file.read_text())["rows"][0] == row
    table = record.training_table(record.read("training", file))
    assert table["setting"].tolist() == ["tiny", "kept"] and table["speed"].iloc[0] == 1
    assert list(tmp_path.iterdir()) == [file], "what was trained is thrown away"


def test_numbers_of_another_machine_are_kept_aside(tmp_path, capsys):
    file = tmp_path / "training.json"
    file.write_text(json.dumps({"hardware": "another", "rows": [1]}))
    assert training_cost._rows_of(file, {"hardware": "this one"}) == []
    assert "another machine" in capsys.readouterr().out
    assert len(list(tmp_path.glob("training-*.json"))) == 1


def test_when_dp_dies_its_last_lines_are_in_the_error(tmp_path):
    wrong = training_cost.Setting("no such set.000", {"batch": "mixed:2"})
    with pytest.raises(deepmd.DPFailed, match="dp train died at 'no such set.000'"):
        training_cost._train(wrong, "abw_0300_1500", 30, 10, tmp_path / "work")


def test_no_measurement_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="make bench-train"):
        record.read("training", tmp_path / "training.json")
    with pytest.raises(ValueError, match="fewer than three intervals"):
        training_cost.measure(tmp_path / "training.json", steps=20, display_every=10)
