"""Child processes: ended with their parent; the end of their log for an error message."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
from contextlib import suppress

# What the deepmd plugin says of absent GPUs.
_NOISE = re.compile(r"implib-gen|DeePMD-kit: (Cannot find|Error message: lib)|port\.cc")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, even if the parent is killed.

    To be called in the child, as ``preexec_fn`` of ``subprocess``. Does nothing outside Linux.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def kill_group(number: int) -> None:
    """Send SIGKILL to a process group; no error if it has ended already.

    Parameters
    ----------
    number : int
        Process group number.
    """
    with suppress(ProcessLookupError):
        os.killpg(number, signal.SIGKILL)


def last_lines(text: str, n: int = 15) -> str:
    """The end of a log, indented for an error message.

    Empty lines and the messages of the DeePMD-kit plugin about absent GPUs are left out.

    Parameters
    ----------
    text : str
        The log.
    n : int
        Number of lines to keep.

    Returns
    -------
    str
        The lines under a heading.
    """
    lines = [x for x in text.splitlines() if x.strip() and not _NOISE.search(x)]
    return "its last lines:\n" + "\n".join(f"  | {x}" for x in lines[-n:])
