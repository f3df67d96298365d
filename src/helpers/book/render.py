"""The rendered book: put its sources together, build it with jupyter-book, check the HTML.

jupyter-book only renders here (``execute_notebooks: off``); its exit code is 0 when a page shows
an error, so ``check`` looks at what a reader would see.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from helpers import paths
from helpers.book import chapters
from helpers.errors import UserError

#: stands in a page where `findings` are to come
FINDINGS = "% findings on the claims"
_NOT_SHOWN = {"remove-cell", "remove_cell"}
TAGS_WITHOUT_INPUT = _NOT_SHOWN | {"remove-input", "remove_input"}


class BookError(UserError, RuntimeError):
    """The book does not build, or what was built is not fit to read."""


def html(profile: str) -> Path:
    """``build/<profile>/html``: the rendered book."""
    return paths.BUILD / profile / "html"


def log(profile: str) -> Path:
    """What jupyter-book said."""
    return paths.BUILD / profile / "jupyter-book.log"


def pages() -> list[str]:
    """The documents of _toc.yml in reading order, without suffix."""
    toc = yaml.safe_load((paths.ROOT / "_toc.yml").read_text())

    def walk(node):
        if isinstance(node, list):
            for item in node:
                yield from walk(item)
        elif isinstance(node, dict):
            for name, value in node.items():
                if name in ("root", "file"):
                    yield value
                elif isinstance(value, list):
                    yield from walk(value)

    return [re.sub(r"\.(md|ipynb|py)$", "", page) for page in walk(toc)]


def sources() -> list[Path]:
    """The files of the book that are not executed: its pages, pictures and configuration."""
    files = [f for f in (paths.ROOT / "book").rglob("*") if f.is_file()]
    return sorted([*files, paths.ROOT / "_config.yml", paths.ROOT / "_toc.yml"])


def assemble(profile: str) -> Path:
    """Copy the pages and the executed chapters into ``build/<profile>/book-source``.

    A line `FINDINGS` of a page gives way to what the chapters found.

    Raises
    ------
    BookError
        a chapter of _toc.yml has not been executed under this profile, or none states a finding.
    """
    folder = paths.BUILD / profile / "book-source"
    shutil.rmtree(folder, ignore_errors=True)
    for file in sources():
        place = folder / file.relative_to(paths.ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    for chapter in chapter_notebooks():
        file = paths.executed(profile, f"{chapter}.ipynb")
        if not file.exists():
            raise BookError(
                f"{chapter} is not executed under profile {profile}; "
                f"run make book PROFILE={profile}"
            )
        (folder / "notebooks").mkdir(exist_ok=True)
        shutil.copy(file, folder / "notebooks")
    for page in folder.rglob("*.md"):
        if FINDINGS in (text := page.read_text()):
            page.write_text(text.replace(FINDINGS, findings(folder / "notebooks")))
    return folder


def findings(folder: Path) -> str:
    """What the executed chapters in ``folder`` conclude on the paper's numbered claims, as a list.

    A finding is a line of a cell's Markdown as `claims.Finding` writes it. The list has each
    claim with its verdict, and the chapter that has the numbers.

    Raises
    ------
    BookError
        no chapter states any.
    """
    found = []
    for file in sorted(folder.glob("*.ipynb")):
        cells = json.loads(file.read_text())["cells"]
        outputs = [out for cell in cells for out in cell.get("outputs", [])]
        shown = ["".join(out.get("data", {}).get("text/markdown", "")) for out in outputs]
        where = f"([chapter {int(file.stem[:2])}](/notebooks/{file.name}))"
        found += [
            f"- {claim} {where}"
            for text in shown
            for claim in re.findall(r"^- (\*\*Claim \(.*?\*\*)", text, re.M)
        ]
    if not found:
        raise BookError(
            f"no chapter states a finding on a claim; a page with {FINDINGS!r} wants "
            f"them (helpers.report.claims)"
        )
    return "\n".join(found)


def build(profile: str) -> Path:
    """Render the book of a profile into ``build/<profile>/html``; warnings are errors.

    The former book stays in place until the new one is complete.

    Raises
    ------
    BookError
        jupyter-book warned or failed; the first warnings are in the message, all are in the log.
    """
    source = assemble(profile)
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(source),
        "-W",
        "-n",
        "--keep-going",
        "--all",
    ]
    environment = os.environ | {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    log(profile).write_text(done.stdout)
    if done.returncode:
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in done.stdout.splitlines()]
        wrong = [line for line in lines if re.search(r"WARNING|ERROR|Error:|error:", line)]
        shown = "; ".join(line.replace(f"{source}/", "") for line in (wrong or lines[-3:])[:5])
        raise BookError(f"jupyter-book: {shown} (log: {paths.relative(log(profile))})")
    result = html(profile)
    shutil.rmtree(result, ignore_errors=True)
    (source / "_build" / "html").rename(result)
    return result


def chapter_notebooks() -> list[str]:
    """The chapters in _toc.yml, held to those in notebooks/."""
    named = [Path(page).name for page in pages() if page.startswith("notebooks/")]
    if sorted(named) != chapters.names():
        raise BookError(
            f"_toc.yml names the chapters {', '.join(sorted(named))}, notebooks/ holds "
            f"{', '.join(chapters.names())}"
        )
    return named
