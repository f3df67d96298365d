"""What a run says while it computes: in a terminal, in a log, its cost; a disk that gets full."""

import contextlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import termios
from dataclasses import asdict

import pytest
from lj_runs import CALL, heating_run

from helpers.md import heating, progress, resume, thermo
from helpers.recipes import catalogue


def test_a_nearly_full_disk_stops_the_run(potential, build, monkeypatch):
    usage = shutil.disk_usage(build)._replace(free=1000)
    monkeypatch.setattr(progress.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(resume.DamagedRun, match="disk is full.*make room and call again"):
        heating.run(heating_run(potential), compress=False)


def test_progress_without_a_terminal_is_a_few_lines(potential, build, monkeypatch, capfd):
    monkeypatch.setattr(progress, "_SAY_S", 0.0)
    heating.run(heating_run(potential), compress=False)
    out, err = capfd.readouterr()
    lines = [line for line in out.splitlines() if "g/cm3" in line]
    assert 1 <= len(lines) <= 21 and "\r" not in out and "step/s" not in err
    assert re.search(
        r"step \d+ of 1200, T \d+ K, \d\.\d+ g/cm3, \d+\.\d+ ns/day, \d+ min left", lines[0]
    )


def test_progress_in_a_terminal_is_one_line(potential, build):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 140))
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, str(build), json.dumps(asdict(heating_run(potential)))],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):  # the terminal is closed by the end of the program
        while part := os.read(ours, 4096):
            text += part
    assert process.wait() == 0
    bars = [line for line in text.decode().split("\r") if "1200/1200" in line]
    assert "g/cm3" in bars[-1] and "ns/day" in bars[-1]
    assert text.count(b"\n") < 10


def test_core_time_counts_the_ranks_of_each_session(tmp_path, monkeypatch):
    """10 s on one rank, then, after a kill, 5 s on two: 20 core-seconds in 15 s."""
    recipe = catalogue.run_recipe("atp-20Kps")
    clock, file = [0.0], tmp_path / thermo.FILE
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    row = dict.fromkeys(thermo.COLUMNS, 0.0) | {
        "temperature_K": 300.0,
        "target_temperature_K": 300.0,
        "volume_A3": 4400.0,
    }
    file.write_text(",".join(thermo.COLUMNS) + "\n")
    step = 0
    for cores, seconds in ((1, 10.0), (2, 5.0)):
        session = progress.Progress(tmp_path, recipe)
        with session.bar(step, cores):
            for _ in range(2):
                step += 200
                with open(file, "a") as table:
                    table.write(",".join(map(str, (row | {"step": step}).values())) + "\n")
                session.update()
                clock[0] += seconds
    assert (session.md_seconds, session.core_seconds) == (15.0, 20.0)
    assert session.md_steps == 400
