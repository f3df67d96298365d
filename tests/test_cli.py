"""The command line: what the user sees of an error, and of a result that lacks something."""

import pytest
import yaml

from helpers import cli, paths
from helpers.frames import dataset
from helpers.validation import accuracy


def _said(capsys, *arguments):
    """The one line with which a command ends."""
    assert cli.main(list(arguments)) == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def test_an_error_of_ours_is_one_line_and_a_bug_has_its_traceback(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    assert "nowhere does not exist" in _said(capsys, "import", "mine", "nowhere")
    assert "letters, digits" in _said(capsys, "import", "a set", "nowhere")
    (tmp_path / "OUTCAR").touch()
    assert "shipped set" in _said(capsys, "import", "crystal_0300", str(tmp_path / "OUTCAR"))
    table = yaml.safe_load(paths.POTENTIALS.read_text())
    table["potentials"]["split-block"]["steps"] += 1
    (tmp_path / "potentials.yaml").write_text(yaml.safe_dump(table))
    monkeypatch.setattr(paths, "POTENTIALS", tmp_path / "potentials.yaml")
    assert "shipped potential of another recipe" in _said(capsys, "potential", "split-block")
    monkeypatch.setattr(dataset, "names", list)
    assert "no set of frames 'crystal_0300-random'" in _said(capsys, "evaluate", "split-random")
    monkeypatch.setattr(accuracy, "evaluate", lambda name: {}["a bug"])
    with pytest.raises(KeyError):
        cli.main(["evaluate", "split-random"])


def test_an_evaluation_on_a_set_without_virials_is_printed(monkeypatch, capsys):
    errors = {"role": "unseen", "n_frames": 7, "energy_rmse_meV_per_atom": 1.0,
              "force_rmse_eV_per_A": 0.1, "virial_rmse_meV_per_atom": None}  # fmt: skip
    monkeypatch.setattr(accuracy, "evaluate", lambda name: {"mine": errors})
    assert cli.main(["evaluate", "atp"]) == 0
    assert capsys.readouterr().out.split()[-2:] == ["-", "meV/atom"]
