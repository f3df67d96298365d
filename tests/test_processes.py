"""Child processes: none outlives its parent, and the end of a log is told."""

import os
import signal
import subprocess
import sys
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
