"""Ctrl-C is one line, whenever it comes, and no traceback.

Nobody catches a `KeyboardInterrupt` while Python imports a command, and modules written in C make
other errors of it. Imports nothing that takes time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

#: what a command says that is stopped by Ctrl-C
SAID = "stopped; the same command goes on from here: what is finished is kept"
#: its exit code, 128 + SIGINT as shells count
CODE = 130


def leave_at_once() -> None:
    """End this process with a line at Ctrl-C until `noticed` takes over: nothing is begun yet.

    Where Ctrl-C is ignored already (``nohup``, a job in the background) it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def _leave(number, frame) -> None:
    os.write(2, f"{SAID}\n".encode())
    os._exit(CODE)


@contextmanager
def noticed() -> Iterator[list[bool]]:
    """Raise `KeyboardInterrupt` at Ctrl-C as always, and remember it.

    What was interrupted may end with another error than that, or with none.

    Yields
    ------
    list of bool
        Empty until Ctrl-C comes.
    """
    came: list[bool] = []

    def notice(number, frame) -> None:
        came.append(True)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before in (signal.SIG_IGN, None):  # None: set by something that is not Python
        yield came
        return
    signal.signal(signal.SIGINT, notice)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)
