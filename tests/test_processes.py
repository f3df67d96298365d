"""Child processes: none outlives its parent, and the end of a log is told."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from helpers import processes


def test_a_child_dies_with_its_parent(tmp_path):
    """Else a killed training would go on writing into the directory the next one works in."""
    script = (
        "import subprocess, time; from helpers import processes\n"
        "p = subprocess.Popen(['sleep', '60'], preexec_fn=processes.die_with_parent)\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    for _ in range(100):
        try:
            state = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the child outlived its parent")


def test_a_group_that_is_gone_is_no_error():
    child = subprocess.Popen(["sleep", "60"], start_new_session=True)
    processes.kill_group(child.pid)
    assert child.wait() == -9
    processes.kill_group(child.pid)


def test_last_lines():
    log = "implib-gen: libcudart.so.12\nStep 1\n\nERROR: Lost atoms\nport.cc something\n"
    assert processes.last_lines(log, 1) == "its last lines:\n  | ERROR: Lost atoms"


def _gone(number, seconds=10):
    for _ in range(20 * seconds):
        try:
            if Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    os.kill(number, signal.SIGKILL)
    return False


def test_a_command_ends_with_its_leader_behind_a_shell():
    """As `zif4 book` -> snakemake's shell -> `zif4 chapter` -> kernel: the shell lives on."""
    child = (
        "import os, time; from helpers import processes; processes.end_with_leader(); "
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    leader = (
        "import os, shlex, subprocess, sys; from helpers import processes\n"
        "os.environ |= processes.led_by_this()\n"
        f"""subprocess.run(["bash", "-c", shlex.quote(sys.executable) + " -c '{child}'; true"])"""
    )
    first = subprocess.Popen(
        [sys.executable, "-c", leader], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    number = int(first.stdout.readline())
    time.sleep(1.5)
    assert first.poll() is None and Path(f"/proc/{number}").exists()
    first.kill()
    first.wait()
    assert _gone(number)


def test_nobody_ends_with_a_leader_that_is_itself_or_unknown(monkeypatch):
    for value in ("", "nonsense", *processes.led_by_this().values()):
        monkeypatch.setenv("_ZIF4_LEADER", value)
        before = threading.active_count()
        processes.end_with_leader()
        assert threading.active_count() == before


def test_the_noise_of_absent_gpus_is_filtered_and_nothing_else(tmp_path):
    """Written by destructors behind all of Python, here by a child that keeps the same stderr."""
    script = (
        "import atexit, os, sys\n"
        "late = lambda: os.system('(echo implib-gen: libcudart.so.12: failed; echo trouble) >&2')\n"
        "atexit.register(late)\n"  # registered first, called last
        "from helpers import processes\n"
        "import ctypes, importlib.util, pathlib\n"
        "where = pathlib.Path(importlib.util.find_spec('deepmd').origin).parent / 'lib'\n"
        "ctypes.CDLL(str(where / 'libdeepmd_dyn_cudart.so'))\n"
        "processes.without_noise(); processes.without_noise()\n"
        "sys.exit(3)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 3 and done.stderr.splitlines() == ["trouble"]
    log = "Step 1\nimplib-gen: libcudart.so.12: failed\nERROR\n"
    assert processes.without_noise_of(log) == "Step 1\nERROR\n"


def test_who_has_no_home_gets_one(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    processes.at_home(tmp_path / "spare")
    assert os.environ["HOME"] == str(tmp_path) and not (tmp_path / "spare").exists()
    for none in (str(tmp_path / "none"), str(tmp_path / "no" / "x")):
        monkeypatch.setenv("HOME", none)
        processes.at_home(tmp_path / "spare")
        assert os.environ["HOME"] == str(tmp_path / "spare")
    (tmp_path / "file").write_text("")
    processes.at_home(tmp_path / "spare")
    monkeypatch.setenv("HOME", str(tmp_path / "none"))
    processes.at_home(tmp_path / "file" / "spare")  # cannot be made
    assert Path(os.environ["HOME"]).is_dir()


def test_a_path_that_not_every_program_takes_gets_a_plain_one(tmp_path):
    plain = tmp_path / "a-b_c.pb"
    plain.write_text("x")
    assert processes.plain_path(plain) == plain
    odd = tmp_path / "my böok: dir" / "frozen_model.pb"
    odd.parent.mkdir()
    odd.write_text("weights")
    link = processes.plain_path(odd)
    assert link.read_text() == "weights" and link.name == odd.name
    assert processes.plain_path(odd) == link and processes.plain_path(link) == link
