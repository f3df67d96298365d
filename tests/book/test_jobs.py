"""What heating runs ask of a cluster, and what `make runs` makes of it."""

import re
import subprocess
import sys

import pytest

from helpers import cli, paths
from helpers.book import chapters, jobs
from helpers.md import protocol
from helpers.recipes import catalogue, runs

CORE_US = 150e-6  # s per atom and step on one core, measured here on 272 atoms
ATOMS = 7344


@pytest.fixture
def profile(own_data):
    """write(section) -> name of a profile with this section ``runs``."""

    def write(section):
        return own_data("profiles/own.yaml", {"runs": section}).stem

    return write


JOB = {"ranks": 4, "threads": 2, "memory_GB": 2.5, "wall_time_h": 0.51, "submissions": 3}


def test_a_later_entry_goes_over_an_earlier_one(profile):
    found = jobs.of(profile({"paper": JOB, "DPMD-1K": {"gpus": 1, "threads": 1}}))
    assert list(found) == catalogue.run_names("paper")
    assert found["DPMD-4K"] == jobs.Job(**JOB)
    assert found["DPMD-1K"] == jobs.Job(**(JOB | {"gpus": 1, "threads": 1}))


def test_resources_in_the_words_of_the_executor():
    assert jobs.Job(**JOB).resources() == {"runtime": 31, "mem_mb": 2500, "cpus_per_task": 8}
    assert jobs.Job(**JOB, gpus=2).resources()["gpu"] == 2


def test_some_runs_by_name(profile):
    assert list(jobs.of(profile({"paper": JOB}), ["DPMD-1K"])) == ["DPMD-1K"]
    with pytest.raises(jobs.BadJob, match="'atp-20Kps' is not among them.*DPMD-20K"):
        jobs.of("own", ["atp-20Kps"])
    with pytest.raises(catalogue.BadRecipe, match="did you mean 'DPMD-20K'"):
        jobs.of("own", ["DPMD-20"])


@pytest.mark.parametrize("section, error, words", [
    ({"papper": JOB}, catalogue.BadRecipe, "no run 'papper'"),
    ({"paper": JOB | {"rank": 2}}, jobs.BadJob, "DPMD-Test: unknown 'rank'; did you mean 'ranks'"),
    ({"DPMD-1K": {"ranks": 2}}, jobs.BadJob, "DPMD-1K: say threads, memory_GB, wall_time_h, subm"),
    ({"DPMD-1K": JOB | {"ranks": 0}}, jobs.BadJob, "DPMD-1K: ranks = 0 is not a whole number"),
    ({"DPMD-1K": JOB | {"gpus": 0.5}}, jobs.BadJob, "gpus = 0.5 is not a whole number from 0"),
    ({"DPMD-1K": JOB | {"wall_time_h": "1 h"}}, jobs.BadJob, "wall_time_h = '1 h' is not a pos"),
    ({"DPMD-1K": JOB | {"memory_GB": float("nan")}}, jobs.BadJob, "memory_GB = nan is not a pos"),
    (None, jobs.BadJob, "profile 'own', runs: there are none"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(profile, section, error, words):
    with pytest.raises(error, match=words):
        jobs.of(profile(section))


def test_a_profile_has_no_other_sections(profile):
    profile({"paper": JOB})
    (paths.PROFILES / "own.yaml").write_text("run: {}")
    with pytest.raises(chapters.ChapterError, match="no section of profile 'own' 'run'"):
        jobs.of("own")


def test_table_3_fits_into_what_the_full_profile_asks_for():
    """The wall time of all submissions holds the run at the cost measured here, for 7344 atoms."""
    asked = jobs.of("full")
    assert set(catalogue.run_names("paper")) <= set(asked)
    for name in catalogue.run_names("paper"):
        job, run = asked[name], catalogue.run_recipe(name)
        assert len(protocol.structure(run)) == ATOMS
        hours = run.total_steps * ATOMS * CORE_US / (job.ranks * job.threads) / 3600
        assert hours < job.wall_time_h * job.submissions


@pytest.mark.parametrize("python, said", [
    ("/home/me/book/bin/python", "no sbatch here"),
    ("/home/me/my book/bin/python", "has a space in its path, .* move this folder"),
])  # fmt: skip
def test_where_slurm_can_start_nothing(monkeypatch, tmp_path, capsys, python, said):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", python)
    assert cli.main(["runs", "--profile", "full", "--executor", "slurm"]) == 1
    assert re.search(said, capsys.readouterr().err)


def test_table_3_as_slurm_would_get_it():
    """The real Snakefile, dry: one job a run that is not finished, with the profile's resources."""
    done = subprocess.run(
        [sys.executable, "-m", "helpers.cli", "runs", "--profile", "full", "--executor", "slurm",
         "--dry-run"], cwd=paths.ROOT, capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    planned = dict(re.findall(r"^rule (\S+):\n(?:.*\n)*?    resources: (.*)$", said, re.M))
    asked = jobs.of("full")
    assert set(planned) == {name for name in asked if not runs.find(name)}
    for name, resources in planned.items():
        for what, value in asked[name].resources().items():
            assert f"{what}={value}" in resources
