"""Where things are. Every path of the project is built here.

``ROOT``, ``DATA``, ``BUILD`` and the files below them follow the settings that hold when they are
asked for (`helpers.settings`), so that ``paths.BUILD`` is correct also where a test builds
elsewhere.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

from helpers import settings
from helpers.errors import Unfit

KINDS = ("frames", "potentials", "runs", "validation")
#: what is made for this machine in a minute, and never shipped: forms of a potential, compiled code
FORMS = ("compressed", "double", "backends", "fused", "kernels")

_IN_ROOT = {"NOTEBOOKS": "notebooks"}
_IN_DATA = {
    "PROFILES": "profiles",
    "STRUCTURES": "structures",
    "EXPERIMENTS": "experiments",
    "PAPER": "paper.yaml",
    "SETS": "sets.yaml",
    "DFT": "dft",
    "DFT_FRAMES": "dft.yaml",
    "CORRECTION": "correction.yaml",
    "POTENTIALS": "potentials.yaml",
    "RUNS": "runs.yaml",
}


def __getattr__(name: str) -> Path:
    if name in ("ROOT", "DATA", "BUILD"):
        return getattr(settings.current(), name.lower())
    if name in _IN_ROOT:
        return settings.current().root / _IN_ROOT[name]
    if name in _IN_DATA:
        return settings.current().data / _IN_DATA[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Paths(ModuleType):
    """The module itself: what follows the settings is not set here, where it would stay behind."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("ROOT", "DATA", "BUILD", *_IN_ROOT, *_IN_DATA):
            raise AttributeError(f"paths.{name} follows the settings: use settings.use(build=...)")
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Paths


def shipped(kind: str, name: str = "") -> Path:
    """``data/<kind>/<name>``: results that come with the repository.

    Parameters
    ----------
    kind : str
        Kind of result, one of ``KINDS`` or ``FORMS``.
    name : str
        Name of the result.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    Unfit
        The kind is unknown.
    """
    return settings.current().data / _known(kind) / name


def made(kind: str, name: str = "") -> Path:
    """``build/<kind>/<name>``: results made on this machine.

    Parameters
    ----------
    kind : str
        Kind of result, one of ``KINDS`` or ``FORMS``.
    name : str
        Name of the result.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    Unfit
        The kind is unknown.
    """
    return settings.current().build / _known(kind) / name


def downloads(name: str) -> Path:
    """``build/downloads/<name>``: published data, as downloaded.

    Parameters
    ----------
    name : str
        Name of the file.

    Returns
    -------
    Path
        The file.
    """
    return settings.current().build / "downloads" / name


def executed(profile: str, chapter: str = "") -> Path:
    """``build/<profile>/notebooks/<chapter>``: executed copies of the notebooks.

    Parameters
    ----------
    profile : str
        Name of the profile.
    chapter : str
        Name of the file; empty for the directory.

    Returns
    -------
    Path
        The file or directory.
    """
    return settings.current().build / profile / "notebooks" / chapter


def relative(path: os.PathLike[str] | str) -> str:
    """A path relative to the project's root, for messages and provenance.

    Parameters
    ----------
    path : path-like or str
        The path.

    Returns
    -------
    str
        The relative path; unchanged if it lies outside.
    """
    try:
        return str(Path(path).resolve().relative_to(settings.current().root))
    except ValueError:
        return str(Path(path))


def _known(kind: str) -> str:
    if kind not in (*KINDS, *FORMS):
        raise Unfit(f"unknown kind of result {kind!r}; known: {', '.join((*KINDS, *FORMS))}")
    return kind
