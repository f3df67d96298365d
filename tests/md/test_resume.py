"""Damaged, on a full disk, killed: a run says what is lost and goes on, or starts anew."""

import contextlib
import fcntl
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest
from conftest import with_tables
from lj_runs import CALL, heating_run, holds_every_sample_once, interrupt, wait_for

from helpers import provenance, settings
from helpers.md import heating, protocol, resume, thermo, trajectory


@pytest.fixture(scope="module")
def broken_off(whole, tmp_path_factory):
    """The run ``whole`` once more, its LAMMPS killed after 60 rows; its build folder."""
    folder = tmp_path_factory.mktemp("broken")
    with settings.use(build=folder):
        interrupt(whole[0], rows=60)
    return folder


def cut_in_half(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def lose_a_row(directory):
    rows = (directory / thermo.FILE).read_text().splitlines(keepends=True)
    (directory / thermo.FILE).write_text("".join(rows[:10] + rows[11:]))


DAMAGE = {
    "newest restart deleted": (lambda d, r: r[-1].unlink(), "older"),
    "newest restart truncated": (lambda d, r: cut_in_half(r[-1]), "older"),
    "all restarts deleted": (lambda d, r: [file.unlink() for file in r], "anew"),
    "table truncated": (lambda d, r: cut_in_half(d / thermo.FILE), "anew"),
    "table without one row": (lambda d, r: lose_a_row(d), "anew"),
    "trajectory truncated": (lambda d, r: cut_in_half(d / trajectory.FILE), "anew"),
    "progress truncated": (lambda d, r: cut_in_half(d / "progress.json"), "newest"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_said_and_mended(damage, whole, broken_off, build, capfd):
    heated, _ = whole
    shutil.copytree(broken_off / "runs", build / "runs")
    directory = provenance.directory("runs", heated.name, heated.recipe())
    (older, _), (newest, _) = resume.restarts(directory)
    do, outcome = DAMAGE[damage]
    do(directory, [file for _, file in resume.restarts(directory)])
    assert (
        resume.rewind(directory, heated) == {"older": older, "newest": newest, "anew": 0}[outcome]
    )
    said = capfd.readouterr().out
    assert ("starts anew" in said) == (outcome == "anew")
    if damage in ("newest restart truncated", "table without one row"):  # two go all the way
        assert heating.run(heated, compress=False).directory == directory
        holds_every_sample_once(heated, directory)


FULL = """
mount -t tmpfs -o size=1m tmpfs "$1" || exit 77
"$2" -c "$3" "$1" "$4" 2> "$1.first" && exit 1
mount -o remount,size=64m "$1"
"$2" -c "$3" "$1" "$4" 2> "$1.second" || exit 2
cp -r "$1"/runs/* "$5"
"""
FILL = """
from helpers.md import progress
progress._SPARE_BYTES = -10**9  # nothing warns: the disk is written full
"""


def test_a_full_disk(potential, tmp_path):
    """A file system of 1 MB is written full by the real LAMMPS; with room the run goes on."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare here: a small file system cannot be mounted")
    heated = heating_run(potential, frame_every_ps=0.0005, equilibration_ps=0.0)
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--map-root-user",
            "sh",
            "-c",
            FULL,
            "sh",
            str(disk),
            sys.executable,
            FILL + CALL,
            json.dumps(asdict(heated)),
            str(kept),
        ],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode == 77 or "unshare" in done.stdout:
        pytest.skip(f"no small file system can be mounted here: {done.stdout.strip()}")
    first = (tmp_path / "disk.first").read_text()
    assert done.returncode == 0, done.stdout + first[-2000:]
    assert re.search("disk is full|is the disk full", first), first[-2000:]
    holds_every_sample_once(heated, next(kept.iterdir()))


KILLS = 20


def test_killed_at_twenty_random_moments(tmp_path, monkeypatch):
    """ATP, 68 atoms: Python or LAMMPS killed with -9 twenty times, resumed by the same call.

    Counts are exact. Values are those of the uninterrupted run up to the first restart, and then
    drift apart: a restarted LAMMPS sums the same forces in another order, and molecular dynamics
    is chaotic. What must agree are averages.
    """
    seed = int(os.environ.get("ZIF4_KILL_SEED", random.randrange(10**6)))
    print(f"ZIF4_KILL_SEED={seed}")
    rng = random.Random(seed)
    heated = protocol.HeatingRun(
        "Znim2-ABW",
        "atp",
        300.0,
        400.0,
        100.0,
        equilibration_ps=0.1,
        thermo_every_ps=0.005,
        frame_every_ps=0.01,
    )
    for name in ("whole", "killed"):
        with_tables(tmp_path / name)
    with settings.use(build=tmp_path / "whole"):
        whole = heating.run(heated)

    monkeypatch.setenv("ZIF4_BUILD", str(tmp_path / "killed"))  # of the server's children, too
    directory = provenance.directory("runs", heated.name, heated.recipe())
    server = multiprocessing.get_context("forkserver")  # imports TensorFlow once, not 20 times
    server.set_forkserver_preload(["helpers.md.heating", "deepmd.infer"])
    targets = sorted(rng.uniform(0, 0.95) * heated.total_steps for _ in range(KILLS))
    restarted = []
    for target in targets:
        process = server.Process(
            target=heating.run, args=(heated,), kwargs={"restart_every_ps": 0.02}
        )
        process.start()
        fence = directory / ".lammps"
        before = fence.read_text() if fence.exists() else ""
        if rng.random() < 0.25:  # while it starts up
            time.sleep(rng.uniform(0, 4))
        else:
            wait_for(lambda: rows_up_to(directory) >= target and fence.read_text() != before)  # noqa: B023
            time.sleep(rng.uniform(0, 0.05))
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
            if rng.random() < 0.3:
                os.killpg(int(fence.read_text()), signal.SIGKILL)
        process.kill()
        process.join()
        assert not (directory / provenance.FILE).exists(), "finished too early: no test"
        restarted.append(max((s for s, _ in resume.restarts(directory)), default=0))
    assert heating.run(heated).directory == directory

    table, frames_ = holds_every_sample_once(heated, directory)
    expected, whole_frames = holds_every_sample_once(heated, whole)
    assert provenance.read(directory)["sessions"] > KILLS // 4
    first = min(step for step in restarted if step) if any(restarted) else 0
    same = table["step"] <= max(first, 10)
    columns = ["temperature_K", "density_g_cm3", "potential_energy_eV", "cell_a_A"]
    np.testing.assert_allclose(table[same][columns], expected[same][columns], rtol=1e-5)
    np.testing.assert_array_equal(table["target_temperature_K"], expected["target_temperature_K"])
    drift = (table["potential_energy_eV"] - expected["potential_energy_eV"]).abs()
    moved = np.abs(frames_.positions - whole_frames.positions).max(axis=(1, 2))
    print(
        f"{provenance.read(directory)['sessions']} sessions; restarts at {sorted(set(restarted))}"
        f"; energies differ by up to {drift.max():.1e} eV, positions by {moved.max():.1e} A, the "
        f"first of them at step {table['step'][drift > 1e-4].min()}"
    )
    # of 68 atoms T fluctuates by T sqrt(2/3N) = 10 %; correlated over some 0.05 ps of 1.1 ps
    assert (
        abs(table["temperature_K"].mean() - expected["temperature_K"].mean())
        < 0.1 * 350 * 5 / (1.1 / 0.1) ** 0.5
    )


def rows_up_to(directory):
    """The last step in the table, or -1."""
    rows = thermo.whole_rows(directory / thermo.FILE) if directory.exists() else []
    return int(rows[-1].split(",")[0]) if rows else -1


def test_python_killed_leaves_no_lammps_behind(potential, build):
    heated = heating_run(potential)
    directory = provenance.directory("runs", heated.name, heated.recipe())
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, str(build), json.dumps(asdict(heated))],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: rows_up_to(directory) > 0)
        with pytest.raises(provenance.DirectoryBusy, match=str(process.pid)):
            heating.run(heated, compress=False)
    finally:
        process.kill()
        process.wait()
    number = int((directory / ".lammps").read_text())
    wait_for(lambda: not running(number), seconds=20)


def test_a_lock_held_on_another_node_kills_nobody_here(tmp_path, monkeypatch):
    """The number in the file is then that of another process on this machine."""
    other = subprocess.Popen(["sleep", "600"], start_new_session=True)
    ours = subprocess.Popen(["sleep", "600"], start_new_session=True, cwd=tmp_path)
    clock = iter(range(0, 1000, 5))
    monkeypatch.setattr(resume.time, "monotonic", lambda: next(clock))
    try:
        with open(tmp_path / ".lammps", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            for process in (other, ours):
                (tmp_path / ".lammps").write_text(str(process.pid))
                refused = pytest.raises(provenance.DirectoryBusy, match=f"group {process.pid}")
                with refused, resume.no_orphan(tmp_path):
                    pass
        assert other.poll() is None and ours.wait(20) == -signal.SIGKILL
    finally:
        other.kill()
        ours.kill()
        other.wait()


def running(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
