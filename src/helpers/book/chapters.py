"""Chapters: which there are, what each depends on, and their strict execution by papermill.

A chapter names the data it reads in the header of its notebook, with its parameters in braces::

    # jupyter:
    #   zif4:
    #     data: ['data/structures/{structure}.extxyz', 'data/runs/{run}']

A parameter that is empty drops the entry, a list gives one entry each. Frames, potentials and runs
that are declared but not shipped are taken as made by an earlier chapter.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import yaml

from helpers import paths
from helpers.book import parameters
from helpers.book.parameters import Setting
from helpers.errors import UserError, nearest

# Beside the chapters' sections a profile may have three more entries.
SHARED = "shared"  # values for every chapter that has such a parameter
LIVE = "live"  # true: chapters make what later chapters read, so they wait for each other
RUNS = "runs"  # heating runs to make on a cluster, and what their jobs ask for (helpers.book.jobs)


class ChapterError(UserError, RuntimeError):
    """A chapter, profile or declared file is missing, or a cell of the chapter failed."""


class BookError(UserError, RuntimeError):
    """The book does not build, or what was built is not fit to read."""


def names() -> list[str]:
    """The chapters, in their order."""
    return sorted(file.stem for file in paths.NOTEBOOKS.glob("[0-9]*.py"))


def notebook(chapter: str) -> Path:
    """The text source of a chapter; ``ChapterError`` when there is none of this name."""
    if chapter not in names():
        raise ChapterError(unknown("chapter", chapter, names()))
    return paths.NOTEBOOKS / f"{chapter}.py"


def profiles() -> list[str]:
    """Names of the profiles in data/profiles."""
    return sorted(file.stem for file in paths.PROFILES.glob("*.yaml"))


def section(profile: str, chapter: str) -> dict:
    """The values that a profile gives to one chapter: its own, and the shared ones it knows.

    A chapter with a parameter ``profile`` gets the profile's name in it.

    Raises
    ------
    ChapterError
        there is no such profile, or it has a section that no chapter, or a shared value that no
        chapter's parameter, answers to.
    """
    everything = _profile(profile)
    known = {c: [p.name for p in parameters.read(notebook(c))] for c in names()}
    shared = everything.get(SHARED) or {}
    for name in shared:
        if not any(name in declared for declared in known.values()):
            every = sorted(set(itertools.chain(*known.values())))
            raise ChapterError(unknown(f"shared parameter of profile {profile!r}", name, every))
    own = everything.get(chapter) or {}
    named = {"profile": profile} if "profile" in known[chapter] else {}
    return named | {n: v for n, v in shared.items() if n in known[chapter]} | own


def live(profile: str) -> bool:
    """Whether chapters of this profile make what later ones read (``live: true`` in its file)."""
    return bool(_profile(profile).get(LIVE))


def runs(profile: str) -> dict:
    """The section ``runs`` of a profile, as written (see `helpers.book.jobs`)."""
    return _profile(profile).get(RUNS) or {}


def settings(chapter: str, profile: str, overrides: Mapping | None = None) -> list[Setting]:
    """Every parameter of a chapter with its value and source; refuses what is not allowed."""
    return parameters.settings(notebook(chapter), section(profile, chapter), overrides)


def values(chapter: str, profile: str, overrides: Mapping | None = None) -> dict:
    """name -> value of every parameter of a chapter."""
    return {s.parameter.name: s.value for s in settings(chapter, profile, overrides)}


def known_profile(name: str) -> str:
    """The name of a profile, which is also that of a folder in ``build/``.

    Raises
    ------
    ChapterError
        there is none of this name.
    """
    if name not in profiles():
        raise ChapterError(unknown("profile", name, profiles()))
    return name


def _profile(name: str) -> dict:
    """The file of a profile; every entry must be a chapter or one of the three more."""
    known_profile(name)
    everything = yaml.safe_load((paths.PROFILES / f"{name}.yaml").read_text()) or {}
    for entry in everything:
        if entry not in (SHARED, LIVE, RUNS, *names()):
            raise ChapterError(unknown(f"section of profile {name!r}", entry, names()))
    return everything


def unknown(what: str, name: str, known) -> str:
    return f"no {what} {name!r}{nearest(name, known)}; there are: " + ", ".join(known)
