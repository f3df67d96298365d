"""Errors that a user can cause: what is wrong, why, and what to do about it, on one line.

Every one derives from `UserError`, and from the error of Python's own that fits, for whoever
catches that. ``zif4`` prints a `UserError` without its traceback; any other is a bug and keeps it.
"""

import difflib
import errno
import os
import re
from collections.abc import Iterable


class UserError(Exception):
    """Something that the user can put right; the message says how."""

    def __str__(self) -> str:  # KeyError's own would put the message between quotes
        return " ".join(map(str, self.args))


class NotThere(UserError, FileNotFoundError):
    """Something that is asked for by name or path is missing."""


class AlreadyThere(UserError, FileExistsError):
    """Something else has this name already."""


class Unfit(UserError, ValueError):
    """A value, a recipe or a file that cannot be used."""


class NotFinite(UserError, FloatingPointError):
    """A potential gave NaN or infinity."""


class Unreachable(UserError, ConnectionError):
    """Something in the network cannot be had."""


class NoRoom(UserError, OSError):
    """The disk is full, read-only, or not ours to write to."""


def of_disk(error: OSError) -> NoRoom | None:
    """The error to show for a file that cannot be written.

    >>> print(of_disk(OSError(errno.ENOSPC, "No space left on device", "build/x")))
    build/x: No space left on device; make room and give the same command again, it goes on
    >>> print(of_disk(OSError("72 requested and 0 written")))  # of numpy
    No space left on device; make room and give the same command again, it goes on
    >>> of_disk(OSError(errno.EBADF, "Bad file descriptor")) is None
    True

    Parameters
    ----------
    error : OSError
        What was raised.

    Returns
    -------
    NoRoom or None
        The error with its remedy; None if it is of another kind.
    """
    remedies = {
        errno.ENOSPC: "make room",
        errno.EDQUOT: "make room",
        errno.EFBIG: "make room",
        errno.EROFS: "name a folder that can be written to by $ZIF4_BUILD",
        errno.EACCES: "get leave to use it, or name another folder by $ZIF4_BUILD",
        errno.EPERM: "get leave to use it, or name another folder by $ZIF4_BUILD",
        errno.ENAMETOOLONG: "choose a shorter name",
        errno.ENOTDIR: "name a folder by $ZIF4_BUILD",
    }
    number = error.errno
    if number is None and _NUMPY_WROTE_LESS.search(str(error)):
        number = errno.ENOSPC
    if number not in remedies:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return NoRoom(
        f"{where}{error.strerror or os.strerror(number)}; {remedies[number]} and give the same "
        f"command again, it goes on"
    )


def refuse_outside(one: object, **ranges: tuple[float, float]) -> None:
    """Refuse a field whose numbers lie outside of what makes sense.

    >>> class Ramp:
    ...     steps, strain, seed = 0, (0.0, 0.1), None
    >>> refuse_outside(Ramp, strain=(-0.5, 0.5), seed=(1, 9))
    >>> refuse_outside(Ramp, steps=(1, 1e8))
    Traceback (most recent call last):
    helpers.errors.Unfit: steps is 0, wanted: from 1 to 1e+08

    Parameters
    ----------
    one : object
        Has the fields: numbers, tuples of numbers, text (which is passed over) or None (likewise).
    **ranges : (float, float)
        Field -> lowest and highest number, both allowed.

    Raises
    ------
    Unfit
        A number is outside; the message has the range.
    """
    for name, (low, high) in ranges.items():
        value = getattr(one, name)
        for number in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(number, (int, float)) and not low <= number <= high:
                raise Unfit(f"{name} is {value}, wanted: from {low:g} to {high:g}")


# An array that did not fit on the disk; numpy says so without a number of the error.
_NUMPY_WROTE_LESS = re.compile(r"\d+ requested and \d+ written")


def nearest(name: str, known: Iterable[str]) -> str:
    """A suggestion for a misspelt name, to be appended to an error message.

    Parameters
    ----------
    name : str
        The name that is not known.
    known : iterable of str
        The known names.

    Returns
    -------
    str
        ``; did you mean ...?`` with the closest name; empty if none is close.
    """
    names = {str(k).lower(): k for k in known}
    found = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    return f"; did you mean {names[found[0]]!r}?" if found else ""
