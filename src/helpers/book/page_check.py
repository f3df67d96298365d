"""The rendered book looked through: cells that did not run, broken links, empty pictures.

Jupyter Book ends with 0 when a page is broken, so the build has to look for itself.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from helpers.book import render


def check(folder: Path) -> int:
    """Look through a rendered book.

    Every page of _toc.yml is there; every code cell of every chapter has run, is shown and shows no
    error; no internal link or picture is broken; every figure decodes and has more than one colour.

    Parameters
    ----------
    folder : Path
        Folder of the rendered book.

    Returns
    -------
    int
        Number of figures in the book.

    Raises
    ------
    BookError
        Something is wrong; the message has one line for each thing.
    """
    folder = Path(folder).resolve()
    wrong: list[str] = []
    names = render.pages_of(folder)
    for page in names:
        if not (folder / f"{page}.html").is_file():
            wrong.append(f"{page}: not in the book")
    render.chapter_notebooks()  # _toc.yml and notebooks/ agree
    trees = {file: _Page(file) for file in sorted(folder.rglob("*.html")) if _is_page(folder, file)}
    for chapter in [Path(name).name for name in names if name.startswith("notebooks/")]:
        wrong += _check_cells(folder, chapter, trees)
    for file, page in trees.items():
        wrong += [f"{file.relative_to(folder)}: {text}" for text in page.broken(folder, trees)]
    figures = 0
    for name in names:
        page = trees.get(folder / f"{name}.html")
        for picture in page.figures() if page else []:
            figures += 1
            if problem := _blank(picture):
                wrong.append(f"{name}.html: figure {picture.name} {problem}")
    if wrong:
        raise render.BookError("\n".join(wrong))
    return figures


def _check_cells(folder: Path, chapter: str, trees: dict[Path, _Page]) -> list[str]:
    """Complaints about the cells of one chapter: as executed, and as shown."""
    executed = folder.parent / "book-source" / "notebooks" / f"{chapter}.ipynb"
    shown = folder / "notebooks" / f"{chapter}.html"
    if not executed.is_file() or shown not in trees:
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
                wrong.append(
                    f"{chapter}: code cell {number} ends in {out['ename']}: "
                    f"{out['evalue'].splitlines()[0] if out['evalue'] else ''}"
                )
    if not code:
        wrong.append(f"{chapter}: no code cell")
    tags = [set(c["metadata"].get("tags", [])) for c in code]
    tree = trees[shown].tree
    inputs, expected = (
        len(tree.select("div.cell_input")),
        sum(not tag & render.TAGS_WITHOUT_INPUT for tag in tags),
    )
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
        for tag, attribute in (
            ("a", "href"),
            ("img", "src"),
            ("script", "src"),
            ("link", "href"),
            ("source", "src"),
            ("object", "data"),
        ):
            for element in self.tree.find_all(tag, attrs={attribute: True}):
                address = urlsplit(str(element[attribute]))
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
        sources = [urlsplit(str(tag.get("src", ""))) for tag in text.find_all("img")]
        return [
            (self.file.parent / unquote(s.path)).resolve()
            for s in sources
            if s.path and not s.scheme and not s.netloc
        ]


def _is_page(folder: Path, file: Path) -> bool:
    return file.relative_to(folder).parts[0] not in ("_static", "_sources", render.PRINTED)


def _blank(picture: Path) -> str:
    """What is wrong with a picture: ``""`` when it decodes and shows more than one colour."""
    from PIL import Image, UnidentifiedImageError

    if picture.suffix == ".svg":
        drawn = re.search(
            r"<(path|line|rect|circle|use|text|image|polyline)\b",
            picture.read_text(errors="replace") if picture.is_file() else "",
        )
        return "" if drawn else "draws nothing"
    try:
        with Image.open(picture) as image:
            one_colour = image.convert("RGBA").getcolors(maxcolors=1)
    except FileNotFoundError:
        return "is not there"
    except (UnidentifiedImageError, OSError) as error:
        return f"does not decode ({error})"
    return "is of one colour" if one_colour else ""
