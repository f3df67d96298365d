"""The strict execution of a chapter by papermill, and what its page says of how it was made."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from helpers import paths, processes, provenance, settings, waiting
from helpers.book import chapters, names
from helpers.book.parameters import Setting

#: tag of the cell that says how a chapter was made
HEADER_TAG = "how-made"

# As ipykernel_launcher, but it does not outlive the command that runs the chapter.
_KERNEL = """
import sys
del sys.path[0]
from helpers import processes
processes.end_with_leader()
from ipykernel import kernelapp
kernelapp.launch_new_instance()
"""


def target(chapter: str, profile: str, overrides: Mapping | None = None) -> Path:
    """The file of an executed chapter, in the book's folder or in ``own/`` with own parameters.

    Parameters
    ----------
    chapter : str
        Name of the chapter.
    profile : str
        Name of the profile.
    overrides : mapping of str to object, optional
        Parameter -> value from the command line; the name of the file contains a key of all values.

    Returns
    -------
    Path
        The notebook, whether it exists or not.

    Raises
    ------
    ChapterError
        There are overrides, and there is no such chapter or profile.
    ParameterError
        An override is unknown, of a wrong type or not allowed.
    """
    if not overrides:
        return paths.executed(profile, f"{chapter}.ipynb")
    label = provenance.key(chapters.values(chapter, profile, overrides))
    return paths.BUILD / profile / "own" / f"{chapter}-{label}.ipynb"


def execute(chapter: str, profile: str, overrides: Mapping | None = None) -> Path:
    """Run a chapter under a profile.

    The executed notebook appears in its place when every cell has run, never before. With
    ``overrides`` it goes to ``build/<profile>/own/``, so that the book holds the profile's values.

    Parameters
    ----------
    chapter : str
        Name of the chapter.
    profile : str
        Name of the profile.
    overrides : mapping of str to object, optional
        Parameter -> value from the command line.

    Returns
    -------
    Path
        The executed notebook, see `target`.

    Raises
    ------
    ParameterError
        Before anything runs: a parameter is unknown, of a wrong type or not allowed.
    NotThere
        Before anything runs: a parameter names a set, potential, run or file that does not exist.
    ChapterError
        There is no such chapter or profile; or a cell failed: ``chapter, cell [n], ErrorName:
        message``. The broken notebook and its log are then in ``build/<profile>/failed/``.
    DirectoryBusy
        The same chapter is being executed already.
    """
    import jupytext
    import nbformat

    used = chapters.settings(chapter, profile, overrides)
    names.refuse_unknown({s.parameter.name: s.value for s in used if s.source != "default"})
    result = target(chapter, profile, overrides)
    with provenance.lock(paths.BUILD / profile / "running" / result.stem) as work:
        draft, log = work / "notebook.ipynb", work / "log.txt"
        log.write_text(f"{chapter}, profile {profile}: {_as_text(used)}\n")
        jupytext.write(
            jupytext.read(chapters.notebook(chapter)), work / "source.ipynb", fmt="ipynb"
        )
        injected = {s.parameter.name: s.value for s in used if s.source != "default"}
        begin, clock = time.time(), time.monotonic()
        try:
            _papermill(chapter, work / "source.ipynb", draft, injected, log)
        except chapters.ChapterError:
            failed = paths.BUILD / profile / "failed"
            failed.mkdir(parents=True, exist_ok=True)
            for kept in (draft, log):
                if kept.exists():
                    shutil.copy(kept, failed / f"{result.stem}{kept.suffix}")
            raise
        seconds = time.monotonic() - clock  # the clock of the day may be set in between
        executed = _without_progress(nbformat.read(draft, 4))
        executed.cells.insert(
            1,
            nbformat.v4.new_markdown_cell(
                _how_made(chapter, profile, used, begin, seconds),
                metadata={"tags": [HEADER_TAG]},
            ),
        )
        executed.metadata["zif4"] = {  # for the status page
            "profile": profile,
            "begun": datetime.fromtimestamp(begin).isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
            "hardware": provenance.hardware(),
            "parameters": {s.parameter.name: s.value for s in used},
        }
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
                source,
                draft,
                parameters=injected,
                kernel_name="python3",
                cwd=paths.ROOT,
                start_timeout=300,
                log_output=True,
                progress_bar={"desc": chapter} | waiting.options(),
            )
    except papermill.PapermillExecutionError as error:
        log.open("a").write("\n".join(error.traceback) + "\n")
        raise chapters.ChapterError(
            f"{chapter}, cell [{error.exec_count}], {error.ename}: {_first_line(error.evalue)}"
        ) from None
    except (DeadKernelError, NoSuchKernel, RuntimeError) as error:
        log.open("a").write(f"{type(error).__name__}: {error}\n")
        raise chapters.ChapterError(
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
        spec.write_text(
            json.dumps(
                {
                    "argv": [
                        sys.executable,
                        "-c",
                        _KERNEL,
                        "--log-level=ERROR",
                        "-f",
                        "{connection_file}",
                    ],
                    "display_name": "Python 3",
                    "language": "python",
                    # A notebook's figures are inline, also where the user's shell names another
                    # backend.
                    "env": {
                        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
                        "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                    }
                    | waiting.UNWATCHED
                    | processes.led_by_this()
                    | settings.environment(),
                }
            )
        )
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
            if (
                merged
                and out["output_type"] == "stream" == merged[-1]["output_type"]
                and (out["name"] == merged[-1]["name"])
            ):
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


def _how_made(chapter: str, profile: str, used: list[Setting], begin: float, seconds: float) -> str:
    """The cell at the top of an executed chapter: every value, its source, when and on what."""
    machine = provenance.hardware()
    rows = [
        f"| `{s.parameter.name}` | {_code(s.value)} | {_cell(s.parameter.unit)} | {s.source} | "
        f"{_cell(s.parameter.description)} |"
        for s in used
    ]
    when = datetime.fromtimestamp(begin).strftime("%d %B %Y, %H:%M")
    return "\n".join(
        [
            f"Profile `{profile}`, executed on {when} in "
            f"{waiting.duration(seconds)} on {machine['processor']}, {machine['cores']} cores, "
            f"{machine['memory_GiB']:.0f} GiB. Own values: "
            f'`make chapter CHAPTER={chapter} PROFILE={profile} ARGS="-p name value"`.',
            "",
            "| parameter | value | unit | set by | meaning |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def _running_cell(draft: Path) -> str:
    """Number of the last code cell that was begun, when the kernel is gone and cannot say."""
    cells = json.loads(draft.read_text())["cells"] if draft.exists() else []
    code = [c for c in cells if c["cell_type"] == "code"]
    begun = [n for n, c in enumerate(code, 1) if c["metadata"]["papermill"].get("start_time")]
    return str(begun[-1]) if begun else "?"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _as_text(used: list[Setting]) -> str:
    return ", ".join(f"{s.parameter.name}={s.value!r} ({s.source})" for s in used)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(value) -> str:
    """A value as code in a table of Markdown, whatever is in it: a user's text is no HTML."""
    text = _cell(repr(value))
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, blank = "`" * (longest + 1), " " * (longest > 0)
    return f"{fence}{blank}{text}{blank}{fence}"
