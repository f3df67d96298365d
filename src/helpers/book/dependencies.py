"""What a chapter depends on: the modules of ``helpers`` that it imports, the data that it reads.

A chapter is executed again when one of these files changes.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import itertools
import os
import string
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from helpers import paths, provenance
from helpers.book import chapters, parameters


def modules(source: Path) -> list[Path]:
    """The files of ``helpers`` that a notebook imports, directly or through another of them.

    Imports inside functions count, in any package. Only the text is read (by grimp); a package's
    own ``__init__`` holds a docstring and is left out.

    Parameters
    ----------
    source : Path
        The notebook.

    Returns
    -------
    list of Path
        Sorted files.

    Raises
    ------
    ChapterError
        The notebook imports a module that ``helpers`` does not have.
    """
    import grimp

    graph = grimp.build_graph("helpers", cache_dir=None)
    found: set[str] = set()
    for cell in parameters.written(source).cells:
        if cell.cell_type == "code":
            for module in _imported(cell.source, graph.modules, source.stem):
                found |= {module} | graph.find_upstream_modules(module)
    package = paths.ROOT / "src"
    files = [(package / module.replace(".", "/")).with_suffix(".py") for module in found]
    return sorted(file for file in files if file.is_file())


def data(chapter: str, profile: str) -> list[Path]:
    """The shipped files that a chapter reads under a profile, from the header of its notebook.

    Parameters
    ----------
    chapter : str
        Name of the chapter.
    profile : str
        Name of the profile.

    Returns
    -------
    list of Path
        Sorted files, those inside declared folders included and hidden ones left out.

    Raises
    ------
    ChapterError
        A declared file is not there, a pattern names an unknown parameter, or there is no such
        chapter or profile.
    ParameterError
        As `chapters.values`.
    """
    places = [paths.ROOT / place for place in _declared(chapter, profile)]
    files = (f for p in places if p.exists() for f in ([p] if p.is_file() else p.rglob("*")))
    return sorted({f for f in files if f.is_file() and not f.name.startswith(".")})


def content(files: Iterable[Path]) -> str:
    """One hash of the names and contents of files.

    Dates alone do not tell of a change: a clock is set back, a file comes with its date from
    another place. What is made here (``build/``) is left out, since it changes meanwhile.

    Parameters
    ----------
    files : iterable of Path
        The files; one that is not there is none.

    Returns
    -------
    str
        Hexadecimal digits.
    """
    total = hashlib.sha256()
    for file in files:
        if file.is_file() and not file.is_relative_to(paths.BUILD):
            total.update(f"{paths.relative(file)} {_sha256(file)}\n".encode())
    return total.hexdigest()


def date_back(files: Iterable[Path]) -> None:
    """Give what is dated in the future the present date, and say so.

    snakemake makes nothing of a file that is newer than the result is going to be. The clock was
    set back, or the file comes with its date from a machine whose clock is ahead; the date says
    nothing here, since contents are compared.

    Parameters
    ----------
    files : iterable of Path
        Files and folders; one that is not there, or is somebody else's, stays as it is.
    """
    now, ahead = time.time(), []
    for file in sorted(files):
        with suppress(OSError):
            if file.stat().st_mtime > now:
                os.utime(file)
                ahead.append(paths.relative(file))
    if ahead:
        print(
            f"dated in the future, now of today: {', '.join(ahead[:3])}"
            f"{f' and {len(ahead) - 3} more' if len(ahead) > 3 else ''}",
            flush=True,
        )


_sha256 = functools.cache(provenance.sha256)  # chapters share most of their files


def _declared(chapter: str, profile: str) -> list[str]:
    header = parameters.written(chapters.notebook(chapter)).metadata
    patterns = header.get("zif4", {}).get("data", [])
    known = chapters.values(chapter, profile)
    found = [place for pattern in patterns for place in _places(chapter, pattern, known)]
    made = tuple(f"data/{kind}/" for kind in paths.KINDS)
    for place in found:
        if not (paths.ROOT / place).exists() and not f"{place}/".startswith(made):
            raise chapters.ChapterError(
                f"{chapter}: its header declares {place}, which is not there"
            )
    return found


def _imported(text: str, known: set[str], chapter: str) -> set[str]:
    """The modules of ``helpers`` that the text of a cell imports itself."""
    found = set()
    for node in ast.walk(ast.parse(_without_magics(text))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from helpers.md import heating` names a module, `... import HeatingRun` what is in it
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in names]
        else:
            continue
        ours = {name for name in names if name.split(".")[0] == "helpers"}
        if missing := sorted(ours - known):
            raise chapters.ChapterError(
                f"{chapter} imports {', '.join(missing)}, which src/helpers does not have"
            )
        found |= ours
    return found


def _without_magics(text: str) -> str:
    lines = text.splitlines()
    return "\n".join("pass" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def _places(chapter: str, pattern: str, known: Mapping) -> list[str]:
    """A pattern with the parameters put in: one place for each combination of list elements.

    A parameter that names a file of the user's own stands for that file instead.
    """
    fields = [field for _, field, _, _ in string.Formatter().parse(pattern) if field]
    for field in fields:
        if field not in known:
            raise chapters.ChapterError(
                f"{chapter}: {pattern} in its header, "
                + chapters.unknown("parameter", field, known)
            )
    choices = [known[f] if isinstance(known[f], list) else [known[f]] for f in fields]
    combinations = itertools.product(*([c for c in choice if c != ""] for choice in choices))
    found = []
    for values in combinations:
        own = [value for value in values if Path(str(value)).is_file()]
        found += own or [pattern.format(**dict(zip(fields, values, strict=True)))]
    return found
