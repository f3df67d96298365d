"""How far something is that takes long: a bar on a terminal, a line now and then in a log file."""

from __future__ import annotations

import os
import sys
import time
from typing import IO

from tqdm import tqdm

#: seconds between two lines, and before the first
EVERY_S = 60.0
#: set by whoever starts a kernel without a reader (`helpers.book.execution`)
UNWATCHED = {"TQDM_MININTERVAL": str(EVERY_S)}
_LINE = "{desc}: {percentage:3.0f}% {n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}{postfix}]"


def duration(seconds: float) -> str:
    """A time for readers.

    Parameters
    ----------
    seconds : float
        The time, s.

    Returns
    -------
    str
        In s below two minutes, else in min.
    """
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


class _Lines:
    """A stream in which what a bar writes over itself comes as lines, each once."""

    def __init__(self, stream: IO[str]):
        self.stream, self.last = stream, ""

    def write(self, text: str) -> None:
        line = text.strip()
        if line and line != self.last:
            self.stream.write(f"{line}\n")
        self.last = line or self.last

    def flush(self) -> None:
        self.stream.flush()


def watched() -> bool:
    """Whether somebody looks: a terminal, or a notebook that is open in a front-end.

    Returns
    -------
    bool
        False for a log file, a pipe, and a kernel that a command runs.
    """
    if "ipykernel" in sys.modules:
        return not set(UNWATCHED) <= set(os.environ)
    return sys.stderr.isatty()


def options() -> dict:
    """Keywords of ``tqdm``, also for those who call it themselves (papermill).

    Returns
    -------
    dict
        Empty where somebody looks; else those of a line every `EVERY_S` seconds, and of none at all
        for what ends sooner.
    """
    if watched():
        return {}
    return {
        "file": _Lines(sys.stderr), "mininterval": EVERY_S, "maxinterval": EVERY_S,
        "delay": EVERY_S, "bar_format": _LINE,
    }  # fmt: skip


class _Bar(tqdm):
    """One whose time runs on when the clock of the day is set.

    By that clock a step back silences a bar until it is made up, and a step forward spoils the ETA.
    """

    monitor_interval = 0  # its thread looks at the clock of the day

    @property
    def _time(self):
        return time.monotonic

    @_time.setter
    def _time(self, clock):
        """Tqdm sets its own."""


def bar(*arguments, **keywords) -> tqdm:
    """A ``tqdm`` for people on a terminal and for log files elsewhere.

    Parameters
    ----------
    *arguments
        Of ``tqdm``.
    **keywords
        Of ``tqdm``.

    Returns
    -------
    tqdm
        The bar.
    """
    # miniters=1: looks at the time at every step, as the thread that would mend it is off
    return _Bar(*arguments, **({"miniters": 1} | keywords | options()))
