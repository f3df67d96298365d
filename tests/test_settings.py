"""What is set from outside: read where it is asked for, refused where it makes no sense."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import cli, paths, settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for variable in settings.VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_the_example():
    assert doctest.testmod(settings).failed == 0


def test_a_variable_holds_when_it_is_asked_for(monkeypatch, tmp_path):
    before = paths.BUILD
    assert before == paths.ROOT / "build" and paths.RUNS == paths.ROOT / "data" / "runs.yaml"
    monkeypatch.setenv("ZIF4_BUILD", "elsewhere")
    assert Path.cwd() / "elsewhere" == paths.BUILD  # absolute: chapters run in another folder
    monkeypatch.setenv("ZIF4_ROOT", str(tmp_path))
    assert tmp_path / "data" / "profiles" == paths.PROFILES
    monkeypatch.setenv("ZIF4_BUILD", "")  # as good as not set
    assert tmp_path / "build" == paths.BUILD


def test_use_goes_over_the_variables_and_ends(monkeypatch, tmp_path):
    monkeypatch.setenv("ZIF4_BUILD", "/by/variable")
    with settings.use(root=tmp_path), settings.use(kernels="off") as inner:
        assert inner.kernels == "off" and paths.made("runs", "x") == tmp_path / "build/runs/x"
        with settings.use(build=tmp_path / "b"):
            assert paths.BUILD == tmp_path / "b" and paths.DATA == tmp_path / "data"
        assert paths.BUILD == tmp_path / "build"
    assert Path("/by/variable") == paths.BUILD and settings.current().kernels == "on"


@pytest.mark.parametrize("values, said", [
    ({"kernel": "off"}, "no setting 'kernel'; did you mean 'kernels'"),
    ({"kernels": "maybe"}, "ZIF4_KERNELS = 'maybe': Input should be 'on' or 'off'"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(values, said):
    with pytest.raises(ValueError, match=said), settings.use(**values):
        pass
    assert not settings._over


def test_a_wrong_variable_is_one_line_of_the_command(monkeypatch, capsys):
    monkeypatch.setenv("ZIF4_KERNELS", "maybe")
    assert cli.main(["settings"]) == 1
    assert "ZIF4_KERNELS = 'maybe'" in capsys.readouterr().err


def test_a_misspelt_variable_is_said(monkeypatch, capsys):
    monkeypatch.setenv("ZIF4_REAXF", "/here")
    assert cli.main(["settings"]) == 0
    out, err = capsys.readouterr()
    assert "$ZIF4_REAXF is no setting; did you mean 'ZIF4_REAXFF'" in err
    assert len(out.splitlines()) == len(settings.VARIABLES)


def test_a_child_has_the_settings_of_its_parent(tmp_path):
    program = "from helpers import paths; print(paths.BUILD, paths.DATA, sep=chr(10))"
    with settings.use(build=tmp_path, kernels="off"):
        child = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | settings.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
    assert child.stdout.splitlines() == [str(tmp_path), str(paths.DATA)]


def test_paths_are_not_set_beside_the_settings(monkeypatch, tmp_path):
    with pytest.raises(AttributeError, match="settings.use"):
        monkeypatch.setattr(paths, "BUILD", tmp_path)
    with pytest.raises(AttributeError, match="no attribute 'BILD'"):
        _ = paths.BILD


def test_the_page_lists_every_setting():
    text = (paths.ROOT / "book" / "settings.md").read_text()
    assert text == settings.as_page(), "write it again: zif4 settings --page"
    assert all(f"`{variable}`" in text for variable in settings.VARIABLES)
