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
from urllib.parse import unquote, urlsplit

import yaml

from helpers import chapters, paths

#: stands in a page where `findings` are to come
FINDINGS = "% findings on the claims"
_NOT_SHOWN = {"remove-cell", "remove_cell"}
_TAGS_WITHOUT_INPUT = _NOT_SHOWN | {"remove-input", "remove_input"}


class BookError(RuntimeError):
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
    for chapter in _chapters():
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

    A finding is a line of a cell's Markdown as `verdicts.Finding` writes it. The list has each
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
        found += [f"- {claim} {where}" for text in shown
                  for claim in re.findall(r"^- (\*\*Claim \(.*?\*\*)", text, re.M)]
    if not found:
        raise BookError(f"no chapter states a finding on a claim; a page with {FINDINGS!r} wants "
                        f"them (helpers.verdicts)")
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
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()",
               "build", str(source), "-W", "-n", "--keep-going", "--all"]
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


def check(folder: Path) -> int:
    """Look through a rendered book and return the number of figures in it.

    Every page of _toc.yml is there; every code cell of every chapter has run, is shown and shows
    no error; no internal link or picture is broken; every figure decodes and has more than one
    colour.

    Raises
    ------
    BookError
        with one line for each thing that is wrong.
    """
    folder = Path(folder).resolve()
    wrong: list[str] = []
    for page in pages():
        if not (folder / f"{page}.html").is_file():
            wrong.append(f"{page}: not in the book")
    for chapter in _chapters():
        wrong += _check_cells(folder, chapter)
    trees = {file: _Page(file) for file in sorted(folder.rglob("*.html")) if _is_page(folder, file)}
    for file, page in trees.items():
        wrong += [f"{file.relative_to(folder)}: {text}" for text in page.broken(folder, trees)]
    figures = 0
    for name in pages():
        page = trees.get(folder / f"{name}.html")
        for picture in page.figures() if page else []:
            figures += 1
            if problem := _blank(picture):
                wrong.append(f"{name}.html: figure {picture.name} {problem}")
    if wrong:
        raise BookError("\n".join(wrong))
    return figures


def _chapters() -> list[str]:
    """The chapters in _toc.yml, held to those in notebooks/."""
    named = [Path(page).name for page in pages() if page.startswith("notebooks/")]
    if sorted(named) != chapters.names():
        raise BookError(
            f"_toc.yml names the chapters {', '.join(sorted(named))}, notebooks/ holds "
            f"{', '.join(chapters.names())}"
        )
    return named


def _check_cells(folder: Path, chapter: str) -> list[str]:
    """Complaints about the cells of one chapter: as executed, and as shown."""
    executed = folder / "_sources" / "notebooks" / f"{chapter}.ipynb"
    shown = folder / "notebooks" / f"{chapter}.html"
    if not executed.is_file() or not shown.is_file():
        return [f"{chapter}: its executed notebook or its page is missing"]
    wrong = []
    cells = json.loads(executed.read_text())["cells"]
    code = [c for c in cells if c["cell_type"] == "code" and "".join(c["source"]).strip()]
    for number, cell in enumerate(code, start=1):
        if not cell.get("execution_count"):
            first = "".join(cell["source"]).splitlines()[0]
            wrong.append(f"{chapter}: code cell {number} has not run: {first}")
        for out in cell.get("outputs", []):
            if out["output_type"] == "error":
                wrong.append(f"{chapter}: code cell {number} ends in {out['ename']}: "
                             f"{out['evalue'].splitlines()[0] if out['evalue'] else ''}")
    if not code:
        wrong.append(f"{chapter}: no code cell")
    tags = [set(c["metadata"].get("tags", [])) for c in code]
    tree = _Page(shown).tree
    inputs, expected = len(tree.select("div.cell_input")), sum(
        not tag & _TAGS_WITHOUT_INPUT for tag in tags)
    if inputs != expected:
        wrong.append(f"{chapter}: {inputs} code cells are shown, {expected} should be")
    if tree.select("div.output.traceback"):
        wrong.append(f"{chapter}: an error is shown")
    return wrong


class _Page:
    """A page of the book: its anchors, links and pictures."""

    def __init__(self, file: Path):
        from bs4 import BeautifulSoup

        self.file = file
        self.tree = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
        self.anchors = {tag["id"] for tag in self.tree.find_all(id=True)}
        self.anchors |= {tag["name"] for tag in self.tree.find_all("a", attrs={"name": True})}

    def broken(self, folder: Path, pages: dict[Path, _Page]) -> list[str]:
        """Internal links and pictures that lead nowhere."""
        wrong = []
        for tag, attribute in (("a", "href"), ("img", "src"), ("script", "src"), ("link", "href"),
                               ("source", "src"), ("object", "data")):
            for element in self.tree.find_all(tag, attrs={attribute: True}):
                address = urlsplit(element[attribute])
                if address.scheme or address.netloc or element[attribute] == "#":
                    continue
                place = (self.file.parent / unquote(address.path)).resolve()
                place = self.file if not address.path else place
                place = place / "index.html" if place.is_dir() else place
                anchor = unquote(address.fragment)
                if not place.is_relative_to(folder) or not place.is_file():
                    wrong.append(f"broken {tag} to {element[attribute]}")
                elif anchor and place in pages and anchor not in pages[place].anchors:
                    wrong.append(f"broken link to {element[attribute]}: no such anchor")
        return wrong

    def figures(self) -> list[Path]:
        """The pictures in the text of the page that lie in the book."""
        text = self.tree.select_one("article") or self.tree
        sources = [urlsplit(tag.get("src", "")) for tag in text.find_all("img")]
        return [(self.file.parent / unquote(s.path)).resolve()
                for s in sources if s.path and not s.scheme and not s.netloc]


def _is_page(folder: Path, file: Path) -> bool:
    return file.relative_to(folder).parts[0] not in ("_static", "_sources")


def _blank(picture: Path) -> str:
    """What is wrong with a picture: ``""`` when it decodes and shows more than one colour."""
    from PIL import Image, UnidentifiedImageError

    if picture.suffix == ".svg":
        drawn = re.search(r"<(path|line|rect|circle|use|text|image|polyline)\b",
                          picture.read_text(errors="replace") if picture.is_file() else "")
        return "" if drawn else "draws nothing"
    try:
        with Image.open(picture) as image:
            extrema = image.convert("RGBA").getextrema()
    except FileNotFoundError:
        return "is not there"
    except (UnidentifiedImageError, OSError) as error:
        return f"does not decode ({error})"
    return "" if any(low != high for low, high in extrema) else "is of one colour"
