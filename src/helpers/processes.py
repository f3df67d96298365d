"""Child processes: ended with their parent; the end of their log for an error message."""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

# What the deepmd plugin says of absent GPUs.
_NOISE = re.compile(r"implib-gen|DeePMD-kit: (Cannot find|Error message: lib)|port\.cc")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, even if the parent is killed.

    To be called in the child, as ``preexec_fn`` of ``subprocess``. Does nothing outside Linux.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def at_home(spare: Path) -> None:
    """Give this process and its children a home if the user has none that can be written to.

    numba, matplotlib, Jupyter and snakemake keep files there and end with a traceback if they
    cannot: users of containers and of clusters often have none.

    Parameters
    ----------
    spare : Path
        Folder to take instead; made if it is needed. Where it cannot be made, a temporary one.
    """
    home = Path(os.environ.get("HOME") or "/nonexistent")
    if home.is_dir() and os.access(home, os.W_OK):
        return
    try:
        spare.mkdir(parents=True, exist_ok=True)
    except OSError:  # whoever writes there next says so
        spare = Path(tempfile.mkdtemp(prefix="zif4-home-"))
        atexit.register(shutil.rmtree, spare, ignore_errors=True)
    os.environ["HOME"] = str(spare)


_LEADER = "_ZIF4_LEADER"  # number and start of the process that others end with


def led_by_this() -> dict[str, str]:
    """Variables for a process that is to end with this one (`end_with_leader`).

    Between the two may be processes of others (a shell, Jupyter's), which know of no such thing.

    Returns
    -------
    dict of str to str
        To be added to the environment of the other, or of all children.
    """
    return {_LEADER: f"{os.getpid()} {_started(os.getpid())}"}


def led() -> bool:
    """Whether this process belongs to another one, so that nobody is there who could call again.

    Returns
    -------
    bool
        Whether there is a leader other than this process.
    """
    number = os.environ.get(_LEADER, "").partition(" ")[0]
    return number.isdecimal() and int(number) != os.getpid()


def end_with_leader() -> None:
    """End this process as soon as its leader (`led_by_this`) has ended, even if it was killed.

    A second later at most; children that were started with `die_with_parent` end too. Does nothing
    in a process that was started otherwise.
    """
    number, _, started = os.environ.get(_LEADER, "").partition(" ")
    if not number.isdecimal() or int(number) == os.getpid():
        return

    def watch() -> None:
        while _started(int(number)) == started:
            time.sleep(1)
        print("the command that this was a part of has ended: so does this", file=sys.stderr)
        sys.stderr.flush()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _started(number: int) -> str:
    """When a process was started, in ticks since boot; empty if there is none (or no /proc)."""
    try:
        text = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return ""
    fields = text.rsplit(")", 1)[1].split()
    return "" if fields[0] in "ZX" else fields[19]


def without_noise() -> None:
    """Keep off the terminal what DeePMD-kit's library says of an absent GPU when Python ends.

    Its destructors write two lines (``implib-gen: libcudart ...``) after all of Python is gone. All
    else that is written then still arrives.
    """
    atexit.unregister(_filter_stderr)
    atexit.register(_filter_stderr)


def _filter_stderr() -> None:
    try:
        if "libdeepmd_dyn_cudart" not in Path("/proc/self/maps").read_text():
            return
        sys.stderr.flush()
        child = subprocess.Popen(["grep", "-v", "^implib-gen: libcudart"],
                                 stdin=subprocess.PIPE, stdout=2)  # fmt: skip
    except (OSError, ValueError, AttributeError):
        return  # no /proc, no grep, no stderr
    assert child.stdin is not None
    os.dup2(child.stdin.fileno(), 2)
    child.returncode = 0  # it ends when this process does, nobody waits for it


def without_noise_of(log: str) -> str:
    """A log without what DeePMD-kit says of absent GPUs.

    Parameters
    ----------
    log : str
        The log.

    Returns
    -------
    str
        Its other lines.
    """
    return "".join(line for line in log.splitlines(keepends=True) if not _NOISE.search(line))


@functools.cache
def plain_path(file: Path) -> Path:
    """The file under a path that every program can be given.

    ``LD_PRELOAD`` takes spaces and colons for commas, and LAMMPS' input takes no spaces and not
    every letter. In a folder like ``my böok dir`` the path is that of a link in a folder of its
    own, which is there as long as this process.

    Parameters
    ----------
    file : Path
        The file.

    Returns
    -------
    Path
        The file itself, if its path has none but plain characters; else the link.
    """
    if re.fullmatch(r"[\w./+@%~=-]*", str(file), re.ASCII):
        return file
    folder = tempfile.mkdtemp(prefix="zif4-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = Path(folder) / file.name
    link.symlink_to(file.resolve())
    return link


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
