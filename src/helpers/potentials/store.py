"""Finished potentials: how they are found by name, opened and shipped.

A *potential* is a directory with ``frozen_model.pb``, ``input.json``, ``lcurve.out``,
``metrics.json`` and ``provenance.json``. Chapters refer to it by name, which `load` resolves: a
directory of ``data/potentials`` (shipped), or the one that `training.train` last made or reused
under this name on this machine, to which ``build/potentials/<name>`` points. A frozen model alone
(``.pb``) is accepted as well.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from helpers import paths, processes, provenance
from helpers.errors import Unfit, UserError, nearest
from helpers.structures import TYPE_MAP

processes.without_noise()  # what loads DeePMD-kit loads potentials from here
# TensorFlow would import keras, a quarter of its start, which DeePMD-kit has no use for
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

FROZEN = "frozen_model.pb"
LEARNING = "learning.json"
METRICS = "metrics.json"


class BadPotential(UserError, ValueError):
    """A potential that is missing, truncated, unreadable or made for other elements."""


@dataclass(frozen=True)
class Potential:
    """A finished potential, or a frozen model alone; `load` makes it.

    Attributes
    ----------
    name : str
        what it is called on pages and in the provenance of what is made with it.
    file : Path
        its frozen model.
    sha256 : str
        of that file: by it results are found.
    directory : Path or None
        where the rest of it is; None of a model file alone.
    sets : tuple of str
        names of the sets of frames that it was trained on.
    provenance : dict
        who made it, from what; empty of a model file alone.

    Examples
    --------
    >>> from helpers.potentials import store
    >>> atp = store.load("atp")
    >>> atp.name, atp.sha256[:6], "crystal_0300" in atp.sets, "test_2500" in atp.metrics
    ('atp', 'b9286c', True, True)
    """

    name: str
    file: Path = field(compare=False)
    sha256: str
    directory: Path | None = field(default=None, compare=False)
    sets: tuple[str, ...] = field(default=(), compare=False, repr=False)
    provenance: dict = field(default_factory=dict, compare=False, repr=False)

    def __fspath__(self) -> str:
        return os.fspath(self.directory or self.file)

    def inside(self, name: str) -> Path:
        """A file of its directory.

        Parameters
        ----------
        name : str
            Name of the file, which need not exist.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        BadPotential
            It is a model file alone, without a directory.
        """
        if self.directory is None:
            raise BadPotential(
                f"{paths.relative(self.file)} is a model file alone, without {name}; give the "
                f"directory of a potential, or its name"
            )
        return self.directory / name

    @property
    def recipe(self) -> dict:
        """The recipe by which it was trained, as plain data; errors as for `inside`."""
        self.inside(provenance.FILE)
        return self.provenance["recipe"]

    @property
    def zinc_wall_A(self) -> tuple[float, ...]:
        """Where two Zn repel each other besides, A; () of a model file alone and mostly."""
        return tuple(self.provenance.get("recipe", {}).get("zinc_wall_A", ()))

    @property
    def metrics(self) -> dict:
        """Errors by set, from ``metrics.json`` as it is now; empty if there is none."""
        file = self.directory / METRICS if self.directory else None
        return json.loads(file.read_text()) if file and file.is_file() else {}


# ---------------------------------------------------------------- finding


def point(name: str, target: Path) -> None:
    """Let ``build/potentials/<name>`` point to a potential, which makes it the meaning of the name.

    Parameters
    ----------
    name : str
        The name.
    target : Path
        Directory of the potential.

    Raises
    ------
    Unfit
        A directory has this name already.
    """
    link = paths.made("potentials", name)
    if paths.shipped("potentials", name).resolve() == target or link == target:
        return
    if link.is_dir() and not link.is_symlink():
        raise Unfit(f"{paths.relative(link)} is a directory, not a pointer; choose a new name")
    link.parent.mkdir(parents=True, exist_ok=True)
    part = link.with_name(f".{name}.{os.getpid()}")
    part.symlink_to(os.path.relpath(target, link.parent), target_is_directory=True)
    part.replace(link)


def names() -> list[str]:
    """Names that `load` knows: of shipped potentials, and of those trained here.

    Returns
    -------
    list of str
        Sorted names.
    """
    found = {file.parent.name for file in paths.shipped("potentials").glob(f"*/{provenance.FILE}")}
    found |= {file.parent.name for file in paths.made("potentials").glob(f"*/{provenance.FILE}")}
    return sorted(found)


def load(potential: str | Path | Potential) -> Potential:
    """A finished potential by its name, its directory or its model file.

    A bare name is ``data/potentials/<name>`` (shipped) or ``build/potentials/<name>``: the
    potential that `training.train` last made or reused under this name on this machine, however
    many of other recipes there are. A chapter that trains and the chapters after it therefore agree
    by the name alone.

    Parameters
    ----------
    potential : str, Path or Potential
        Name, directory (also relative to the project) or ``.pb`` file; a Potential is returned
        unchanged.

    Returns
    -------
    Potential
        The potential.

    Raises
    ------
    BadPotential
        There is no such potential (the message has the nearest name and how to get one), there are
        two of this name, it is not finished, or its frozen model is not the one recorded in its
        provenance.
    """
    if isinstance(potential, Potential):
        return potential
    path = Path(potential)
    if path.suffix == ".pb":
        if not path.is_file():
            raise BadPotential(f"{paths.relative(path)} does not exist; train or restore it")
        return Potential(path.absolute().parent.name, path, provenance.sha256(path))
    directory = _directory(str(potential))
    record = provenance.read(directory)
    file, recorded = directory / FROZEN, record.get("frozen_sha256")
    content = provenance.sha256(file)
    if recorded and recorded != content:
        raise BadPotential(
            f"{paths.relative(file)} is truncated or changed (its sha256 is not the one in "
            f"{provenance.FILE}); restore it from git or train it again"
        )
    sets = tuple(record.get("sets", ()))
    return Potential(path.name, file, content, directory, sets, record)


def _directory(text: str) -> Path:
    """The one directory with a frozen model that a name or path means."""
    if os.sep in text or Path(text).is_absolute():
        candidates = [Path(text), paths.ROOT / text]
    else:
        candidates = [paths.shipped("potentials", text), paths.made("potentials", text)]
    found = list({c.resolve(): c for c in candidates if (c / FROZEN).is_file()})
    if not found:
        raise BadPotential(
            f"no potential {text!r}{nearest(text, names())} (there are: "
            f"{', '.join(names()) or 'none'}); chapter 02_training makes one"
        )
    if len(found) > 1:
        raise BadPotential(
            f"two potentials are called {text!r}: "
            f"{', '.join(paths.relative(f) for f in found)}; give the path of one"
        )
    return found[0]


def ship(potential: str | Path | Potential, name: str) -> Potential:
    """Copy a potential trained here to ``data/potentials/<name>``, with what a reader needs of it.

    An older one of this name is kept until all files are copied.

    Parameters
    ----------
    potential : str, Path or Potential
        See `load`.
    name : str
        Name under which it is shipped.

    Returns
    -------
    Potential
        The shipped potential.

    Raises
    ------
    BadPotential
        As `load`.
    """
    trained, target = load(potential), paths.shipped("potentials", name)
    source = trained.inside("")
    part = target.with_name(f".{name}.{os.getpid()}")
    part.mkdir(parents=True)
    for file in (FROZEN, "lcurve.out", METRICS):
        shutil.copy(source / file, part / file)
    for file in (LEARNING, paths.CORRECTION.name):  # not every potential has them
        if (source / file).is_file():
            shutil.copy(source / file, part / file)
    text = json.loads((source / "input.json").read_text())
    for section in ("training", "validation"):
        text["training"][f"{section}_data"]["systems"] = [
            f"../../frames/{Path(s).name}/{section}" for s in trained.sets
        ]
    (part / "input.json").write_text(json.dumps(text, indent=1) + "\n")
    shutil.copy(source / provenance.FILE, part / provenance.FILE)
    provenance.replace(target, part)
    return load(target)


# ---------------------------------------------------------------- opening


def check_potential(potential: str | Path | Potential, symbols: Iterable[str] | None = None):
    """Open a potential as ``deepmd.infer.DeepPot``.

    Parameters
    ----------
    potential : str, Path or Potential
        See `load`.
    symbols : iterable of str, optional
        Elements that it must know, such as ``atoms.get_chemical_symbols()``.

    Returns
    -------
    deepmd.infer.DeepPot
        The opened model.

    Raises
    ------
    BadPotential
        The file is truncated or unreadable, the potential lacks an element, or its type map is not
        that of this book.
    """
    file = load(potential).file
    where = paths.relative(file)
    try:
        model = _opened(str(file), file.stat().st_mtime_ns)
        type_map = tuple(model.get_type_map())
    except Exception as error:  # protobuf, TensorFlow and DeePMD-kit each have their own
        reason = (str(error).strip() or "no reason given").splitlines()[-1]
        raise BadPotential(
            f"{where} is truncated or no deep potential ({type(error).__name__}: {reason}); "
            f"restore it from git or train it again"
        ) from error
    unknown = sorted(set(() if symbols is None else symbols) - set(type_map))
    if unknown:
        raise BadPotential(
            f"{where} knows {', '.join(type_map)}, the structure also has {', '.join(unknown)}; "
            f"use a structure of these elements or another potential"
        )
    if type_map != TYPE_MAP:
        raise BadPotential(
            f"{where} has the type map {type_map}, this book's structures and LAMMPS inputs have "
            f"{TYPE_MAP}; train it with this one"
        )
    return model


@lru_cache(maxsize=2)
def _opened(file: str, changed: int):  # `changed`: a file that was written again is another one
    with quiet():
        from deepmd.infer import DeepPot

        return DeepPot(file)


@contextmanager
def quiet():
    """Suppress what DeePMD-kit and its compiled code print about absent GPUs.

    Yields
    ------
    None
        While stderr of compiled code is discarded.
    """
    logging.getLogger("deepmd").setLevel(logging.ERROR)
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
