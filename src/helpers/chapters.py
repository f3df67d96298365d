"""Chapters: which there are, what each depends on, and their strict execution by papermill.

A chapter names the data it reads in the header of its notebook, with its parameters in braces::

    # jupyter:
    #   zif4:
    #     data: ['data/structures/{structure}.extxyz', 'data/runs/{run}']

A parameter that is empty drops the entry, a list gives one entry each. Frames, potentials and runs
that are declared but not shipped are taken as made by an earlier chapter.
"""

from __future__ import annotations

import ast
import itertools
import json
import logging
import os
import shutil
import string
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import yaml

from helpers import parameters, paths, provenance
from helpers.errors import nearest
from helpers.parameters import Setting

# Beside the chapters' sections a profile may have three more entries.
SHARED = "shared"  # values for every chapter that has such a parameter
LIVE = "live"  # true: chapters make what later chapters read, so they wait for each other
RUNS = "runs"  # heating runs to make on a cluster, and what their jobs ask for (helpers.jobs)
HEADER_TAG = "how-made"


class ChapterError(RuntimeError):
    """A chapter, profile or declared file is missing, or a cell of the chapter failed."""


def names() -> list[str]:
    """The chapters, in their order."""
    return sorted(file.stem for file in paths.NOTEBOOKS.glob("[0-9]*.py"))


def notebook(chapter: str) -> Path:
    """The text source of a chapter; ``ChapterError`` when there is none of this name."""
    if chapter not in names():
        raise ChapterError(_unknown("chapter", chapter, names()))
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
            raise ChapterError(_unknown(f"shared parameter of profile {profile!r}", name, every))
    own = everything.get(chapter) or {}
    named = {"profile": profile} if "profile" in known[chapter] else {}
    return named | {n: v for n, v in shared.items() if n in known[chapter]} | own


def live(profile: str) -> bool:
    """Whether chapters of this profile make what later ones read (``live: true`` in its file)."""
    return bool(_profile(profile).get(LIVE))


def runs(profile: str) -> dict:
    """The section ``runs`` of a profile, as written (see `helpers.jobs`)."""
    return _profile(profile).get(RUNS) or {}


def settings(chapter: str, profile: str, overrides: Mapping | None = None) -> list[Setting]:
    """Every parameter of a chapter with its value and source; refuses what is not allowed."""
    return parameters.settings(notebook(chapter), section(profile, chapter), overrides)


def values(chapter: str, profile: str, overrides: Mapping | None = None) -> dict:
    """name -> value of every parameter of a chapter."""
    return {s.parameter.name: s.value for s in settings(chapter, profile, overrides)}


def modules(source: Path) -> list[Path]:
    """The files of ``helpers`` that a notebook imports, directly or through another of them.

    Imports inside functions count. Only the text is read.
    """
    import jupytext

    package = paths.ROOT / "src" / "helpers"
    cells = [c.source for c in jupytext.read(source).cells if c.cell_type == "code"]
    waiting = [name for text in cells for name in _imported(_without_magics(text))]
    found: set[Path] = set()
    while waiting:
        file = package / f"{waiting.pop()}.py"
        if file.is_file() and file not in found:
            found.add(file)
            waiting += _imported(file.read_text())
    return sorted(found)


def data(chapter: str, profile: str) -> list[Path]:
    """The shipped files that a chapter reads under a profile, from the header of its notebook.

    Raises
    ------
    ChapterError
        a declared file is not there, or a pattern names an unknown parameter.
    """
    places = [paths.ROOT / place for place in _declared(chapter, profile)]
    files = (f for p in places if p.exists() for f in ([p] if p.is_file() else p.rglob("*")))
    return sorted({f for f in files if f.is_file() and not f.name.startswith(".")})


def _profile(name: str) -> dict:
    """The file of a profile; every entry must be a chapter or one of the three more."""
    if name not in profiles():
        raise ChapterError(_unknown("profile", name, profiles()))
    everything = yaml.safe_load((paths.PROFILES / f"{name}.yaml").read_text()) or {}
    for entry in everything:
        if entry not in (SHARED, LIVE, RUNS, *names()):
            raise ChapterError(_unknown(f"section of profile {name!r}", entry, names()))
    return everything


def _declared(chapter: str, profile: str) -> list[str]:
    import jupytext

    patterns = jupytext.read(notebook(chapter)).metadata.get("zif4", {}).get("data", [])
    known = values(chapter, profile)
    found = [place for pattern in patterns for place in _places(chapter, pattern, known)]
    made = tuple(f"data/{kind}/" for kind in paths.KINDS)
    for place in found:
        if not (paths.ROOT / place).exists() and not f"{place}/".startswith(made):
            raise ChapterError(f"{chapter}: its header declares {place}, which is not there")
    return found


def target(chapter: str, profile: str, overrides: Mapping | None = None) -> Path:
    """Where the executed notebook goes: the book's folder, or ``own/`` with own parameters."""
    if not overrides:
        return paths.executed(profile, f"{chapter}.ipynb")
    label = provenance.key(values(chapter, profile, overrides))
    return paths.BUILD / profile / "own" / f"{chapter}-{label}.ipynb"


def execute(chapter: str, profile: str, overrides: Mapping | None = None) -> Path:
    """Run a chapter under a profile, with overrides from the command line, and return the result.

    The executed notebook appears in its place when every cell has run, never before. With
    ``overrides`` it goes to ``build/<profile>/own/``, so that the book holds the profile's values.

    Raises
    ------
    ParameterError
        before anything runs: a parameter is unknown, of a wrong type or not allowed.
    ChapterError
        no such chapter or profile; or a cell failed: ``chapter, cell [n], ErrorName: message``.
        The broken notebook and its log are then in ``build/<profile>/failed/``.
    DirectoryBusy
        the same chapter is being executed already.
    """
    import jupytext
    import nbformat

    used = settings(chapter, profile, overrides)
    result = target(chapter, profile, overrides)
    with provenance.lock(paths.BUILD / profile / "running" / result.stem) as work:
        draft, log = work / "notebook.ipynb", work / "log.txt"
        log.write_text(f"{chapter}, profile {profile}: {_as_text(used)}\n")
        jupytext.write(jupytext.read(notebook(chapter)), work / "source.ipynb", fmt="ipynb")
        injected = {s.parameter.name: s.value for s in used if s.source != "default"}
        begin = time.time()
        try:
            _papermill(chapter, work / "source.ipynb", draft, injected, log)
        except ChapterError:
            failed = paths.BUILD / profile / "failed"
            failed.mkdir(parents=True, exist_ok=True)
            for kept in (draft, log):
                if kept.exists():
                    shutil.copy(kept, failed / f"{result.stem}{kept.suffix}")
            raise
        executed = _without_progress(nbformat.read(draft, 4))
        executed.cells.insert(1, nbformat.v4.new_markdown_cell(
            _how_made(chapter, profile, used, begin, time.time() - begin),
            metadata={"tags": [HEADER_TAG]},
        ))
        nbformat.write(executed, draft)
        result.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(result)
        for kept in (".ipynb", ".txt"):  # of an earlier failure
            (paths.BUILD / profile / "failed" / f"{result.stem}{kept}").unlink(missing_ok=True)
    return result


def _papermill(chapter: str, source: Path, draft: Path, injected: dict, log: Path) -> None:
    """papermill, with this interpreter as the kernel; every failure as a one-line ChapterError."""
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError

    handler = logging.FileHandler(log)
    logger = logging.getLogger("papermill")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # outputs belong in the log; the terminal has the progress bar
    try:
        with _own_kernel():
            papermill.execute_notebook(
                source, draft, parameters=injected, kernel_name="python3", cwd=paths.ROOT,
                start_timeout=300, log_output=True, progress_bar={"desc": chapter},
            )
    except papermill.PapermillExecutionError as error:
        log.open("a").write("\n".join(error.traceback) + "\n")
        raise ChapterError(
            f"{chapter}, cell [{error.exec_count}], {error.ename}: {_first_line(error.evalue)}"
        ) from None
    except (DeadKernelError, NoSuchKernel, RuntimeError) as error:
        log.open("a").write(f"{type(error).__name__}: {error}\n")
        raise ChapterError(
            f"{chapter}, cell [{_running_cell(draft)}], {type(error).__name__}: "
            f"{_first_line(str(error))}"
        ) from error
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(level)
        logger.propagate = propagate


@contextmanager
def _own_kernel() -> Iterator[None]:
    """Make ``python3`` the running interpreter, whatever kernelspecs the user has installed."""
    with tempfile.TemporaryDirectory(prefix="zif4-kernel-") as folder:
        spec = Path(folder) / "kernels" / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        binaries = Path(sys.executable).parent  # lmp and dp live beside the interpreter
        spec.write_text(json.dumps({
            "argv": [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR",
                     "-f", "{connection_file}"],
            "display_name": "Python 3", "language": "python",
            # A notebook's figures are inline, also where the user's shell names another backend.
            "env": {"MPLBACKEND": "module://matplotlib_inline.backend_inline",
                    "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                    "ZIF4_ROOT": str(paths.ROOT), "ZIF4_BUILD": str(paths.BUILD)},
        }))
        before = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = folder + (os.pathsep + before if before else "")
        try:
            yield
        finally:
            if before is None:
                del os.environ["JUPYTER_PATH"]
            else:
                os.environ["JUPYTER_PATH"] = before


def _without_progress(notebook):
    """Show each progress bar once, as it ended: what carriage returns wrote over is left out."""
    for cell in notebook.cells:
        merged: list = []
        for out in cell.get("outputs", []):
            if merged and out["output_type"] == "stream" == merged[-1]["output_type"] and (
                    out["name"] == merged[-1]["name"]):
                merged[-1]["text"] += out["text"]
            else:
                merged.append(out)
        for out in merged:
            if out["output_type"] == "stream":
                lines = out["text"].split("\n")
                out["text"] = "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines)
        if "outputs" in cell:
            cell["outputs"] = merged
    return notebook


def _how_made(
    chapter: str, profile: str, used: list[Setting], begin: float, seconds: float
) -> str:
    """The cell at the top of an executed chapter: every value, its source, when and on what."""
    machine = provenance.hardware()
    rows = [
        f"| `{s.parameter.name}` | `{s.value!r}` | {_cell(s.parameter.unit)} | {s.source} | "
        f"{_cell(s.parameter.description)} |"
        for s in used
    ]
    when = datetime.fromtimestamp(begin).strftime("%d %B %Y, %H:%M")
    return "\n".join([
        f"**How this page was made.** Profile `{profile}`, executed on {when} in "
        f"{_duration(seconds)} on {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_GiB']:.0f} GiB. Own values: "
        f"`make chapter CHAPTER={chapter} PROFILE={profile} ARGS=\"-p name value\"`.",
        "",
        "| parameter | value | unit | set by | meaning |",
        "|---|---|---|---|---|",
        *rows,
    ])


def _imported(text: str) -> list[str]:
    """Names of the modules of ``helpers`` that a Python text imports."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [a.name.split(".")[1] for a in node.names if a.name.startswith("helpers.")]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:  # from . import x, from .x import y
                module = f"helpers.{module}".rstrip(".")
            if module == "helpers":
                found += [alias.name for alias in node.names]
            elif module.startswith("helpers."):
                found.append(module.split(".")[1])
    return found


def _without_magics(text: str) -> str:
    lines = text.splitlines()
    return "\n".join("pass" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def _places(chapter: str, pattern: str, known: Mapping) -> list[str]:
    """A pattern with the parameters put in: one place for each combination of list elements."""
    fields = [field for _, field, _, _ in string.Formatter().parse(pattern) if field]
    for field in fields:
        if field not in known:
            raise ChapterError(
                f"{chapter}: {pattern} in its header, " + _unknown("parameter", field, known)
            )
    choices = [known[f] if isinstance(known[f], list) else [known[f]] for f in fields]
    combinations = itertools.product(*([c for c in choice if c != ""] for choice in choices))
    return [pattern.format(**dict(zip(fields, c, strict=True))) for c in combinations]


def _running_cell(draft: Path) -> str:
    """Number of the last code cell that was begun, when the kernel is gone and cannot say."""
    cells = json.loads(draft.read_text())["cells"] if draft.exists() else []
    code = [c for c in cells if c["cell_type"] == "code"]
    begun = [n for n, c in enumerate(code, 1) if c["metadata"]["papermill"].get("start_time")]
    return str(begun[-1]) if begun else "?"


def _unknown(what: str, name: str, known) -> str:
    return f"no {what} {name!r}{nearest(name, known)}; there are: " + ", ".join(known)


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _as_text(used: list[Setting]) -> str:
    return ", ".join(f"{s.parameter.name}={s.value!r} ({s.source})" for s in used)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
