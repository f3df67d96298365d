"""The command line: what the user sees of an error, and of a result that lacks something."""

import errno
import os
import re
import shlex
import signal
import subprocess
import sys

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


def test_an_error_of_ours_is_one_line_and_a_bug_has_its_traceback(
    monkeypatch, own_data, build, capsys
):
    assert "nowhere does not exist" in _said(capsys, "import", "mine", "nowhere")
    assert "letters, digits" in _said(capsys, "import", "a set", "nowhere")
    (build / "OUTCAR").touch()
    assert "shipped set" in _said(capsys, "import", "crystal_0300", str(build / "OUTCAR"))
    table = yaml.safe_load(paths.POTENTIALS.read_text())
    table["potentials"]["split-block"]["steps"] += 1
    own_data("potentials.yaml", table)
    assert "shipped potential of another recipe" in _said(capsys, "potential", "split-block")
    monkeypatch.setattr(dataset, "names", lambda **_: [])
    assert "no set of frames 'crystal_0300-random'" in _said(capsys, "evaluate", "split-random")
    monkeypatch.setattr(accuracy, "evaluate", lambda name: {}["a bug"])
    with pytest.raises(KeyError):
        cli.main(["evaluate", "split-random"])


def test_ctrl_c_says_that_the_same_command_goes_on(monkeypatch, capsys):
    def stop(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(accuracy, "evaluate", stop)
    assert cli.main(["evaluate", "atp"]) == 130
    assert "same command goes on" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error(tmp_path):
    """As in `zif4 parameters 04_heating_rates | head -1`."""
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run([sys.executable, "-m", "helpers", "settings"], stdout=writes,
                          stderr=subprocess.PIPE, text=True)  # fmt: skip
    os.close(writes)
    assert done.returncode == 1 and not done.stderr


def test_ctrl_c_in_snakemake_is_no_failure_of_a_chapter(monkeypatch):
    from snakemake import cli as snakemake

    def interrupted(arguments):  # as its own main does: any exception is exit code 1
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise SystemExit(1) from None

    monkeypatch.setattr(snakemake, "main", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        cli._snakemake()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_is_one_line(number, monkeypatch, capsys):
    def refuse(name):
        raise OSError(number, os.strerror(number), "build/x")

    monkeypatch.setattr(accuracy, "evaluate", refuse)
    line = _said(capsys, "evaluate", "atp")
    assert line.startswith("build/x: ") and "give the same command again" in line


def test_a_profile_that_is_none_makes_and_removes_nothing(build, capsys):
    (build / "x").mkdir()
    for command in (["html"], ["check"], ["book"], ["chapter", "01_data"], ["runs"]):
        assert "no profile '../x'" in _said(capsys, *command, "--profile", "../x")
    assert "did you mean 'small'" in _said(capsys, "book", "--profile", "smal")
    assert [f.name for f in build.iterdir()] == ["x"]


@pytest.mark.parametrize("command", [
    "run atp-20Kps --ranks -1", "run atp-20Kps --threads 0", "book --jobs -1", "book --jobs all",
    "bench-train --steps 1.5", "bench-md --seconds nan", "ship-run atp-20Kps --megabytes 0",
])  # fmt: skip
def test_a_number_out_of_its_range_is_refused(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(command.split())
    assert end.value.code == 2
    assert re.search("is not a (whole number from 1 up|positive number)", capsys.readouterr().err)


def test_an_evaluation_on_a_set_without_virials_is_printed(monkeypatch, capsys):
    errors = {"role": "unseen", "n_frames": 7, "energy_rmse_meV_per_atom": 1.0,
              "force_rmse_eV_per_A": 0.1, "virial_rmse_meV_per_atom": None}  # fmt: skip
    monkeypatch.setattr(accuracy, "evaluate", lambda name: {"mine": errors})
    assert cli.main(["evaluate", "atp"]) == 0
    assert capsys.readouterr().out.split()[-2:] == ["-", "meV/atom"]


@pytest.mark.parametrize("target, variable, place", [
    ("run", "RUN", -1), ("book", "PROFILE", 3), ("book", "JOBS", -1), ("chapter", "CHAPTER", -1),
    ("import", "NAME", -1), ("frames", "SET", -1), ("evaluate", "POTENTIAL", -1),
    ("runs", "EXECUTOR", 5),
])  # fmt: skip
def test_a_variable_of_make_is_one_word_of_the_shell(target, variable, place):
    hostile = "x' || touch pwned; '$(shell touch pwned) `touch pwned`"
    command = ["make", "-n", "-o", "build/env/.synced", target, f"{variable}={hostile}"]
    # not as a part of the make that runs the tests, which would say where it is
    alone = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    said = subprocess.run(
        command, cwd=paths.ROOT, env=alone, capture_output=True, text=True, check=True
    )
    words = shlex.split(said.stdout.splitlines()[-1])
    assert words[place] == hostile and words[1] == target
    assert not (paths.ROOT / "pwned").exists()


def test_runs_are_listed_though_the_potential_of_one_is_not_here(capsys):
    assert cli.main(["runs", "--list"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"atp-100Kps .* steps  data/runs/atp-100Kps\n", said)
    assert "steps  not finished here: no potential 'round-2'\n" in said


def test_a_page_of_its_own_has_no_roles_of_the_book(tmp_path):
    import nbformat

    cell = nbformat.v4.new_markdown_cell("The {term}`PMF` of {cite:p}`keen2001`, *again*.")
    file = tmp_path / "01_mine.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), file)
    text = cli._standalone(file).read_text()
    assert "The PMF of [keen2001], <em>again</em>." in text and "{term}" not in text
    assert "<title>01_mine</title>" in text
