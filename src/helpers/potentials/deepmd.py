"""DeePMD-kit's program ``dp``: its call, its environment, and the error if it fails."""

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
    """``dp`` failed, the loss became NaN, or a trained model predicts NaN."""


def program(backend: str = "tf") -> list[str]:
    """DeePMD-kit's ``dp`` of this environment.

    Parameters
    ----------
    backend : str
        Its backend, "tf" for TensorFlow.

    Returns
    -------
    list of str
        The beginning of a command.
    """
    return [sys.executable, "-m", "deepmd", f"--{backend}"]


def threads_of(threads: int | None) -> int:
    """Number of threads to use.

    Parameters
    ----------
    threads : int or None
        The number, if given.

    Returns
    -------
    int
        The number, or ``$OMP_NUM_THREADS``, or all usable cores.
    """
    return int(threads or os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def environment(threads: int | None) -> dict[str, str]:
    """Environment variables for ``dp``.

    Parameters
    ----------
    threads : int or None
        As for `threads_of`.

    Returns
    -------
    dict of str to str
        The variables.
    """
    n = str(threads_of(threads))
    return os.environ | {
        "OMP_NUM_THREADS": n,
        "DP_INTRA_OP_PARALLELISM_THREADS": n,
        "DP_INTER_OP_PARALLELISM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONUNBUFFERED": "1",
    }


def run(directory: Path, threads: int | None, *command: str, backend: str = "tf") -> str:
    """Run ``dp --<backend> <command>`` in a directory.

    Parameters
    ----------
    directory : Path
        Where to run; the output is also kept in the log there.
    threads : int or None
        As for `threads_of`.
    *command : str
        Command and arguments.
    backend : str
        Backend of DeePMD-kit.

    Returns
    -------
    str
        The output.

    Raises
    ------
    DPFailed
        It failed; its last lines are in the message.
    """
    done = subprocess.run(
        [*program(backend), *command], cwd=directory, env=environment(threads), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=processes.die_with_parent,
    )  # fmt: skip
    with open(directory / LOG, "a") as log:
        log.write(processes.without_noise_of(done.stdout))
    if done.returncode:
        raise died(directory, command[0], done.returncode)
    return done.stdout


def died(directory: Path, command: str, code: int) -> DPFailed:
    """The error to raise for a ``dp`` that failed, with the last lines of its log.

    Parameters
    ----------
    directory : Path
        Where it ran.
    command : str
        Its command.
    code : int
        Its exit code.

    Returns
    -------
    DPFailed
        The error.
    """
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    end = processes.last_lines((directory / LOG).read_text(errors="replace"))
    return DPFailed(
        f"dp {command} died ({how}) in {paths.relative(directory)}; "
        f"repair the cause and call again to go on. {LOG}, {end}"
    )
