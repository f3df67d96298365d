"""Child processes: ended with the Python that started them; the end of what they said."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys

# What the deepmd plugin says of absent GPUs.
_NOISE = re.compile(r"implib-gen|DeePMD-kit: (Cannot find|Error message: lib)|port\.cc")


def die_with_parent() -> None:
    """In the child (``preexec_fn``), on Linux: be killed when the parent ends, even by -9."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def kill_group(number: int) -> None:
    """SIGKILL to a process group that may be gone already."""
    try:
        os.killpg(number, signal.SIGKILL)
    except ProcessLookupError:
        pass


def last_lines(text: str, n: int = 15) -> str:
    """The end of a log, for an error: without empty lines and what is said of absent GPUs."""
    lines = [x for x in text.splitlines() if x.strip() and not _NOISE.search(x)]
    return "its last lines:\n" + "\n".join(f"  | {x}" for x in lines[-n:])
