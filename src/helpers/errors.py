"""Errors for the user, whose message says what is wrong and what to do about it.

They are Python's own as well, for whoever catches those. ``zif4`` prints any error of this package
without its traceback, which a bug keeps.
"""

import difflib
from collections.abc import Iterable


class NotThere(FileNotFoundError):
    """Something that is asked for by name or path is missing."""


class AlreadyThere(FileExistsError):
    """Something else has this name already."""


class Unfit(ValueError):
    """A value, a recipe or a file that cannot be used."""


class Unreachable(ConnectionError):
    """Something in the network cannot be had."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean ...?`` with the closest of the known names, or nothing if none is close."""
    names = {str(k).lower(): k for k in known}
    found = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    return f"; did you mean {names[found[0]]!r}?" if found else ""
