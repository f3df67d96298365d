"""DeePMD-kit's program ``dp``: how it is called, and what is said when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from helpers import paths, processes
from helpers.errors import UserError

LOG = "train.log"


class DPFailed(UserError, RuntimeError):
    """``dp`` died, the loss became NaN, or a trained model predicts NaN."""


def program(backend: str = "tf") -> list[str]:
    """DeePMD-kit's ``dp`` of this environment."""
    return [sys.executable, "-m", "deepmd", f"--{backend}"]


def threads_of(threads: int | None) -> int:
    """That many, or what ``$OMP_NUM_THREADS`` says, or all usable cores."""
    return int(threads or os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def environment(threads: int | None) -> dict[str, str]:
    """The environment of ``dp`` with so many threads (None: ``$OMP_NUM_THREADS`` or all cores)."""
    n = str(threads_of(threads))
    return os.environ | {
        "OMP_NUM_THREADS": n,
        "DP_INTRA_OP_PARALLELISM_THREADS": n,
        "DP_INTER_OP_PARALLELISM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONUNBUFFERED": "1",
    }


def run(directory: Path, threads: int | None, *command: str, backend: str = "tf") -> str:
    """Run ``dp --<backend> <command>`` in ``directory``; its output, also kept in the log there."""
    done = subprocess.run(
        [*program(backend), *command], cwd=directory, env=environment(threads), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=processes.die_with_parent,
    )  # fmt: skip
    with open(directory / LOG, "a") as log:
        log.write(done.stdout)
    if done.returncode:
        raise died(directory, command[0], done.returncode)
    return done.stdout


def died(directory: Path, command: str, code: int) -> DPFailed:
    """What to raise for a ``dp`` that ended with this code, with the last lines of its log."""
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    end = processes.last_lines((directory / LOG).read_text(errors="replace"))
    return DPFailed(
        f"dp {command} died ({how}) in {paths.relative(directory)}; "
        f"repair the cause and call again to go on. {LOG}, {end}"
    )
