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
from typing import Any

from pydantic import ConfigDict, StrictBool

from helpers import paths, yaml_file
from helpers.book import parameters
from helpers.book.parameters import ParameterError, Setting
from helpers.errors import UserError, nearest
from helpers.yaml_file import Document

# Besides the chapters' sections a profile may have four more entries.
SHARED = "shared"  # values for every chapter that has such a parameter
LIVE = "live"  # true: chapters make what later chapters read, so they wait for each other
BESIDE = "beside"  # profile -> chapters of it whose pages stand beside this profile's own
RUNS = "runs"  # heating runs to make on a cluster, and what their jobs ask for (helpers.book.jobs)


class ChapterError(UserError, RuntimeError):
    """A chapter, profile or declared file is missing, or a cell of the chapter failed."""


class BookError(UserError, RuntimeError):
    """The book does not build, or what was built is not fit to read."""


def names() -> list[str]:
    """The chapters, in their order.

    Returns
    -------
    list of str
        Names of the notebooks without suffix, such as ``01_data``.
    """
    return sorted(file.stem for file in paths.NOTEBOOKS.glob("[0-9]*.py"))


def notebook(chapter: str) -> Path:
    """The text source of a chapter.

    Parameters
    ----------
    chapter : str
        Name of the chapter.

    Returns
    -------
    Path
        Its py:percent notebook.

    Raises
    ------
    ChapterError
        There is no chapter of this name.
    """
    if chapter not in names():
        raise ChapterError(unknown("chapter", chapter, names()))
    return paths.NOTEBOOKS / f"{chapter}.py"


def profiles() -> list[str]:
    """Names of the profiles in ``data/profiles``.

    Returns
    -------
    list of str
        Sorted names.
    """
    return sorted(file.stem for file in paths.PROFILES.glob("*.yaml"))


def section(profile: str, chapter: str) -> dict:
    """The values that a profile gives to one chapter: its own, and the shared ones it knows.

    A chapter with a parameter ``profile`` gets the profile's name in it.

    Parameters
    ----------
    profile : str
        Name of the profile.
    chapter : str
        Name of the chapter.

    Returns
    -------
    dict of str to object
        Parameter -> value; the chapter's own values take precedence over shared ones.

    Raises
    ------
    ChapterError
        There is no such profile, or it has a section that no chapter, or a shared value that no
        chapter's parameter, answers to.
    ParameterError
        The parameters cell of a chapter is ill-written.
    """
    everything = _profile(profile).content or {}
    known = {c: [p.name for p in parameters.read(notebook(c))] for c in names()}
    shared = everything.get(SHARED) or {}
    for name in shared:
        if not any(name in declared for declared in known.values()):
            every = sorted(set(itertools.chain(*known.values())))
            said = unknown(f"shared parameter of profile {profile!r}", name, every)
            raise ChapterError(f"{_profile(profile).where((SHARED, name))}: {said}")
    own = everything.get(chapter) or {}
    named = {"profile": profile} if "profile" in known[chapter] else {}
    return named | {n: v for n, v in shared.items() if n in known[chapter]} | own


def live(profile: str) -> bool:
    """Whether chapters of this profile make what later ones read (``live: true`` in its file).

    Parameters
    ----------
    profile : str
        Name of the profile.

    Returns
    -------
    bool
        False if the profile does not say.

    Raises
    ------
    ChapterError
        There is no such profile, or its file is ill-written.
    """
    return (_profile(profile).content or {}).get(LIVE, False)


def beside(profile: str) -> list[tuple[str, str]]:
    """Chapters of other profiles that the book of this one shows, too (``beside`` in its file).

    Parameters
    ----------
    profile : str
        Name of the profile.

    Returns
    -------
    list of (str, str)
        Profile and chapter.

    Raises
    ------
    ChapterError
        There is no such profile or chapter, a chapter is there twice, the profile is this one, or
        its file is ill-written.
    """
    found = []
    for other, wanted in ((_profile(profile).content or {}).get(BESIDE) or {}).items():
        for chapter in wanted:
            notebook(chapter)
            one = known_profile(other), chapter
            if one in found or other == profile:
                raise ChapterError(
                    f"{where(profile, BESIDE, other)}: the page of {chapter} is in this book "
                    f"already; name other profiles, and a chapter once"
                )
            found.append(one)
    return found


def runs(profile: str) -> dict:
    """The section ``runs`` of a profile, as written (see `helpers.book.jobs`).

    Parameters
    ----------
    profile : str
        Name of the profile.

    Returns
    -------
    dict of str to (dict or None)
        Group or run -> what its jobs ask for; empty if the profile has no such section.

    Raises
    ------
    ChapterError
        There is no such profile, or its file is ill-written.
    """
    return (_profile(profile).content or {}).get(RUNS) or {}


def where(profile: str, *place: str) -> str:
    """The place of a part of a profile, for messages.

    Parameters
    ----------
    profile : str
        Name of the profile.
    *place : str
        Keys that lead to the part.

    Returns
    -------
    str
        ``file, line n, a.b``.

    Raises
    ------
    ChapterError
        There is no such profile, or its file is ill-written.
    """
    return _profile(profile).where(place)


def settings(chapter: str, profile: str, overrides: Mapping | None = None) -> list[Setting]:
    """Every parameter of a chapter with its value and the origin of that value.

    Parameters
    ----------
    chapter : str
        Name of the chapter.
    profile : str
        Name of the profile.
    overrides : mapping of str to object, optional
        Parameter -> value from the command line, which takes precedence over the profile.

    Returns
    -------
    list of Setting
        In the order of the parameters cell.

    Raises
    ------
    ChapterError
        There is no such chapter or profile.
    ParameterError
        A parameter is unknown, of a wrong type or not allowed; for a value of the profile the
        message has its file and line.
    """
    try:
        return parameters.settings(notebook(chapter), section(profile, chapter), overrides)
    except ParameterError as error:
        if error.source != "profile":
            raise
        own = (_profile(profile).content or {}).get(chapter) or {}
        place = (chapter if error.name in own else SHARED, error.name)
        raise ParameterError(f"{where(profile, *place)}: {error}") from None


def values(chapter: str, profile: str, overrides: Mapping | None = None) -> dict:
    """The value of every parameter of a chapter.

    Parameters
    ----------
    chapter : str
        Name of the chapter.
    profile : str
        Name of the profile.
    overrides : mapping of str to object, optional
        As for `settings`.

    Returns
    -------
    dict of str to object
        Parameter -> value.

    Raises
    ------
    ChapterError
        As `settings`.
    ParameterError
        As `settings`.
    """
    return {s.parameter.name: s.value for s in settings(chapter, profile, overrides)}


def known_profile(name: str) -> str:
    """The name of a profile, which is also that of a folder in ``build/``.

    Parameters
    ----------
    name : str
        Name of the profile.

    Returns
    -------
    str
        The same name.

    Raises
    ------
    ChapterError
        There is no profile of this name.
    """
    if name not in profiles():
        raise ChapterError(unknown("profile", name, profiles()))
    return name


def _profile(name: str) -> Document:
    """The file of a profile; every entry must be a chapter or one of the four more."""
    known_profile(name)
    document = yaml_file.read(paths.PROFILES / f"{name}.yaml", ChapterError)
    for entry in document.content if isinstance(document.content, dict) else ():
        if entry not in (SHARED, LIVE, BESIDE, RUNS, *names()):
            said = unknown(f"section of profile {name!r}", entry, names())
            raise ChapterError(f"{document.where((entry,))}: {said}")
    if document.content is not None:
        document.fit(_Profile, document.content)
    return document


class _Profile(yaml_file.Model):
    """What a profile may hold beside a map of parameters for each chapter."""

    model_config = ConfigDict(extra="allow")
    # how pydantic is told what other fields hold
    __pydantic_extra__: dict[str, dict[str, Any] | None]  # ty: ignore[incompatible-mutable-override]
    shared: dict[str, Any] | None = None
    live: StrictBool = False
    beside: dict[str, list[str]] | None = None
    runs: dict[str, dict[str, Any] | None] | None = None


def unknown(what: str, name: str, known) -> str:
    """Message about a name that is not known.

    Parameters
    ----------
    what : str
        Kind of the thing, such as ``chapter``.
    name : str
        The name.
    known : iterable of str
        The known names.

    Returns
    -------
    str
        ``no chapter 'x'; did you mean ...?; there are: ...``.
    """
    return f"no {what} {name!r}{nearest(name, known)}; there are: " + ", ".join(known)
