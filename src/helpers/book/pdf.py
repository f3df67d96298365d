"""The whole book as one PDF: its pages one after the other, printed by Chromium.

What can be turned is its still image, code and what is folded beside the text stay out, and long
tables are whole. Links between pages lead to their place in the same file.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import tempfile
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from bs4 import BeautifulSoup

from helpers import paths, processes
from helpers.book import render
from helpers.book.chapters import BookError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_LEFT_OUT = (
    ".headerlink",
    ".prev-next-area",
    "details.above-input",
    ".zif4-view",
    ".figure-data",
    "noscript",
    ".zif4-form",
    "details.sd-dropdown",
)


def write(profile: str) -> Path:
    """Print the rendered book.

    Parameters
    ----------
    profile : str
        Name of the profile.

    Returns
    -------
    Path
        ``build/<profile>/book.pdf``.

    Raises
    ------
    BookError
        The book is not rendered, there is no Chromium, or it printed nothing.
    DirectoryBusy
        As `render.alone`.
    """
    folder = render.html(profile)
    absent = [name for name in render.pages_of(folder) if not (folder / f"{name}.html").is_file()]
    if absent:
        raise BookError(
            f"the book of profile {profile} is not rendered, or lacks {', '.join(absent[:3])}; "
            f"run make book PROFILE={profile} first"
        )
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise BookError("no Chromium to print with; install it (Debian: apt-get install chromium)")
    with render.alone(profile):  # a rendering would take the pages away
        return _printed(browser, folder, paths.BUILD / profile / "book.pdf")


def _printed(browser: str, folder: Path, result: Path) -> Path:
    printed = result.with_name(".book.pdf")  # whoever is killed leaves the last book as it was
    printed.unlink(missing_ok=True)
    whole = folder / render.PRINTED  # beside the pages: pictures and scripts are found from there
    try:
        whole.write_text(one_page(folder), encoding="utf-8")
        with tempfile.TemporaryDirectory(prefix="zif4-print-") as home:
            done = subprocess.run(
                [
                    browser,
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    f"--user-data-dir={home}",
                    "--no-pdf-header-footer",
                    "--generate-pdf-document-outline",
                    "--virtual-time-budget=120000",  # until all formulas are set
                    f"--print-to-pdf={printed}",
                    whole.as_uri(),
                ],
                capture_output=True,
                text=True,
                timeout=900,
                preexec_fn=processes.die_with_parent,
            )
    except subprocess.TimeoutExpired as error:
        raise BookError(
            "Chromium has printed nothing in 15 minutes; try it again when the machine is less busy"
        ) from error
    finally:
        whole.unlink(missing_ok=True)
    if done.returncode or not printed.is_file():
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BookError(f"Chromium printed no PDF: {last}")
    return printed.replace(result)


def one_page(folder: Path) -> str:
    """The text of all pages in the order of _toc.yml as one page.

    Parameters
    ----------
    folder : Path
        Folder of the rendered book, in which the page is to lie.

    Returns
    -------
    str
        HTML.
    """
    names = render.pages_of(folder)
    parts, contents = [], []
    for name in names:
        tree = BeautifulSoup((folder / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        article = tree.select_one("article") or tree
        for selector in _LEFT_OUT:
            for element in article.select(selector):
                element.decompose()
        for fold in article.select("details"):
            fold["open"] = ""
        heading = html.escape((article.h1 or article).get_text().strip().removesuffix("#"))
        contents.append(f'<li><a href="#{_anchor(name)}">{heading}</a></li>')
        for element in article.find_all(id=True):
            element["id"] = _anchor(name, str(element["id"]))
        for tag, attribute in (("img", "src"), ("a", "href")):
            for element in article.find_all(tag, attrs={attribute: True}):
                element[attribute] = _moved(str(element[attribute]), name, folder, names, tag)
        body = "".join(str(child) for child in article.children)
        parts.append(f'<section class="page" id="{_anchor(name)}">{body}</section>')
    # behind the landing page
    parts.insert(1, f'<nav class="page"><h1>Contents</h1><ol>{"".join(contents)}</ol></nav>')
    first = BeautifulSoup((folder / f"{names[0]}.html").read_text(encoding="utf-8"), "html.parser")
    title = html.escape((first.h1 or first).get_text().removesuffix("#"))
    scripts = [
        str(tag).replace('src="../', 'src="')
        for tag in first.find_all("script")
        if "mathjax" in str(tag).lower()
    ]
    style = (
        "@page { size: A4; margin: 18mm 16mm; @bottom-center { content: counter(page); } }"
        " html { font-size: 10.5pt; } nav.page { break-before: page; } nav li { margin: 0.3em 0; }"
        " body { font-family: sans-serif; line-height: 1.4; }"
        " section.page { break-before: page; } section.page:first-of-type { break-before: auto; }"
        " img, svg { max-width: 100%; height: auto; } figure, tr { break-inside: avoid; }"
        " table { border-collapse: collapse; font-size: 80%; }"
        " td, th { text-align: left; vertical-align: top; padding: 0.15em 0.6em 0.15em 0;"
        " border-top: 0.5pt solid #bbb; } td code { overflow-wrap: anywhere; }"
        " table:has(tr > :nth-child(8)) { font-size: 66%; }"
        " .admonition { border: 0.5pt solid #bbb; padding: 0 0.8em; margin: 1em 0; }"
        " .admonition-title { font-weight: bold; }"
        " pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f4f4f4;"
        " padding: 0.5em; font-size: 80%; } figcaption { font-size: 92%; margin: 0.4em 0 1em; }"
        " .caption-number { font-weight: bold; } summary { display: none; }"
        " h1, h2, h3 { break-after: avoid; }"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style>{''.join(scripts)}</head><body>"
        f"<p>Printed {date.today().isoformat()}.</p>{''.join(parts)}</body></html>"
    )


def _anchor(page: str, name: str = "") -> str:
    return f"{page.replace('/', '-')}--{name}" if name else page.replace("/", "-")


def _moved(address: str, page: str, folder: Path, names: list[str], tag: str) -> str:
    """An address of one page as it reads from the one page of all."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return address
    here = (folder / page).parent
    place = (here / parts.path).resolve() if parts.path else folder / f"{page}.html"
    inside = place.relative_to(folder) if place.is_relative_to(folder) else place
    name = str(inside).removesuffix(".html")
    if tag == "a" and name in names:
        return f"#{_anchor(name, parts.fragment)}"
    return str(inside)
