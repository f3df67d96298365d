"""A run as one thing, runs as a collection: what they know, which they choose, what they say."""

import doctest
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from helpers import paths, provenance
from helpers.md import lammps_input, model_deviation, run, thermo, trajectory
from helpers.md.run import Run, Runs
from helpers.recipes import catalogue


@pytest.fixture(scope="module")
def shipped():
    """Every shipped run."""
    return Runs(Run.read(file.parent) for file in paths.shipped("runs").glob("*/provenance.json"))


def test_the_examples_of_the_docstrings():
    assert doctest.testmod(run).failed == 0


def test_every_shipped_run_is_read_by_its_directory(shipped):
    """The recipe that its provenance tells makes the key that it was found by."""
    assert len(shipped) > 20
    for one in shipped:
        if one.name in catalogue.run_names():
            plan = catalogue.run_recipe(one.name)
            assert lammps_input.links(one.recipe) == lammps_input.links(plan)
            assert provenance.key(one.recipe.recipe()) == one.key


def test_a_run_is_a_path_for_who_opens_its_files(shipped):
    one = shipped.where(rate=400, seed=1, atoms=272, potential="round-5").first
    assert Path(one) == one.directory and paths.relative(one) == "data/runs/atp-400Kps"
    pd.testing.assert_frame_equal(thermo.read(one), one.thermo)
    assert one.thermo is one.thermo  # read once
    assert len(one.ramp) < len(one.thermo) and one.sampled is one.ramp
    assert len(trajectory.read(one)) == len(one.trajectory)
    assert one.ensemble == () and one.exploded == ""
    with pytest.raises(FileNotFoundError, match="has no ensemble"):
        _ = one.deviation


def test_one_recipe_asked_for_stands_before_that_of_the_provenance(shipped):
    plan = catalogue.run_recipe("atp-20Kps")
    one = Run.read(paths.shipped("runs", "atp-20Kps"), plan)
    assert one.recipe is plan and one == Run.read(one.directory) and len({one, one}) == 1


def test_labels_tell_runs_apart(shipped):
    assert shipped.where(rate=400, atoms=2176)[0].label == "400 K/ps, seed 1, 2 × 2 × 2 cells"
    assert Run.read(paths.shipped("runs", "nvt-1200K")).label == "1200 K, seed 1"


def test_choosing_among_runs(shipped):
    ours = shipped.where(potential="round-5", supercell=[1, 1, 1], structure="ZIF-4")
    assert {r.potential for r in ours} == {"round-5"} and ours.sizes == (272,)
    assert ours.rates == tuple(sorted(ours.rates, reverse=True)) and 0 not in ours.rates
    assert ours.where(rate=0) and len(ours.where(rate=0, seed=99)) == 0
    assert ours.where(rate=0, seed=99).first is None
    slow = ours.where(rate=ours.rates[-1])
    assert ours.slowest == slow[0] and slow[0].seed == min(slow.seeds) and len(slow.seeds) > 1
    fast, slower = ours.rates[:2]
    assert ours.nearest(10 * fast).rate == fast
    assert ours.nearest(slower) == ours.where(rate=slower)[0]
    assert ours.where(rate=0).nearest(fast) is None
    assert list(ours[:2]) == [ours[0], ours[1]] and len(ours + ours) == len(ours)
    assert "atp-20Kps" in repr(ours)
    with pytest.raises(ValueError, match="none of these runs heats"):
        _ = shipped.where(rate=0).slowest


def test_runs_without_a_ramp_are_said_and_left_out(tmp_path, capsys):
    whole = Run.read(paths.shipped("runs", "atp-400Kps"))
    shutil.copytree(whole.directory, tmp_path / "short")
    table = whole.thermo.query("segment == 0")
    table.to_csv(tmp_path / "short" / thermo.FILE, index=False)
    ended = {"steps": int(table["step"].iloc[-1]) + 1, "exploded": "the run exploded"}
    record = json.dumps(whole.provenance | ended)
    (tmp_path / "short" / provenance.FILE).write_text(record)
    short = Run.read(tmp_path / "short")
    assert list(Runs([short, whole]).heated()) == [whole]
    assert "left out: short ended before its ramp" in capsys.readouterr().out
    with pytest.raises(ValueError, match="none of these runs reached its ramp"):
        Runs([short]).heated()


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no heating run"):
        Run.read(paths.shipped("frames", "crystal_0300"))
    with pytest.raises(provenance.NoProvenance, match="missing or unfinished"):
        Run.read(tmp_path)
    (tmp_path / provenance.FILE).write_text(json.dumps({"kind": "runs"})[:-3])
    with pytest.raises(provenance.NoProvenance, match="broken"):
        Run.read(tmp_path)


def test_the_deviation_of_a_run_with_an_ensemble(tmp_path):
    shutil.copytree(paths.shipped("runs", "atp-400Kps"), tmp_path / "run")
    (tmp_path / "run" / model_deviation.FILE).write_text(
        f"#{' '.join(model_deviation.COLUMNS)}\n200 1 0 .5 2 0 1\n400 1 0 .5 4 0 2\n"
    )
    assert Run.read(tmp_path / "run").deviation["max_eV_per_A"].tolist() == [2, 4]
