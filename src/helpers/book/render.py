"""The rendered book: put its sources together, build it with jupyter-book, check the HTML.

jupyter-book only renders here (``execute_notebooks: off``); its exit code is 0 when a page shows
an error, so ``check`` looks at what a reader would see.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from helpers import paths, processes, provenance, settings
from helpers.book import chapters, scripts
from helpers.book.chapters import BookError as BookError
from helpers.errors import Unfit, nearest

if TYPE_CHECKING:
    from helpers.book import front

#: the page that `helpers.book.pdf` prints from; it is left there if that is killed
PRINTED = "print.html"
_NOT_SHOWN = {"remove-cell", "remove_cell"}
TAGS_WITHOUT_INPUT = _NOT_SHOWN | {"remove-input", "remove_input"}
#: a line of a page that gives way to what `helpers.book.front` makes of the executed chapters
_GENERATED = re.compile(r"^% generated: ([a-z_]+)(?: (\S+))?[ \t]*$", re.M)


def html(profile: str) -> Path:
    """The folder of the rendered book.

    Parameters
    ----------
    profile : str
        Name of the profile.

    Returns
    -------
    Path
        ``build/<profile>/html``, whether it exists or not.
    """
    return paths.BUILD / profile / "html"


def log(profile: str) -> Path:
    """The file with the messages of jupyter-book.

    Parameters
    ----------
    profile : str
        Name of the profile.

    Returns
    -------
    Path
        ``build/<profile>/jupyter-book.log``, whether it exists or not.
    """
    return paths.BUILD / profile / "jupyter-book.log"


def pages(source: Path | None = None) -> list[str]:
    """The documents of _toc.yml in reading order.

    Parameters
    ----------
    source : Path, optional
        Folder of ``_toc.yml``: that of a book's sources, where chapters of another profile may
        stand beside the book's own; by default the root of the repository.

    Returns
    -------
    list of str
        Paths from that folder, without suffix.
    """
    toc = yaml.safe_load(((source or paths.ROOT) / "_toc.yml").read_text())

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


def pages_of(folder: Path) -> list[str]:
    """The documents of a rendered book in reading order.

    Parameters
    ----------
    folder : Path
        Folder of the rendered book.

    Returns
    -------
    list of str
        As `pages`, from the sources that it was rendered from, if they are still there.
    """
    source = folder.parent / "book-source"
    return pages(source if (source / "_toc.yml").is_file() else None)


def sources() -> list[Path]:
    """The files of the book that are not executed: its pages, pictures and configuration.

    Returns
    -------
    list of Path
        Sorted files.
    """
    files = [f for f in (paths.ROOT / "book").rglob("*") if f.is_file()]
    more = ("_config.yml", "_toc.yml", "CITATION.cff", "CHANGELOG.md")
    return sorted([*files, *(paths.ROOT / name for name in more if (paths.ROOT / name).exists())])


def assemble(profile: str) -> Path:
    """Put the pages and the executed chapters together in ``build/<profile>/book-source``.

    Chapters are turned into what is read (`helpers.book.page`). A line ``% generated: name`` of a
    page gives way to what `helpers.book.front` makes of the chapters under that name.

    Parameters
    ----------
    profile : str
        Name of the profile.

    Returns
    -------
    Path
        ``build/<profile>/book-source``.

    Raises
    ------
    BookError
        A chapter of _toc.yml has not been executed under this profile, or cannot be shown; a page
        asks for what is not generated; the address of the repository is none.
    """
    from helpers.book import front, page  # these read all that a chapter shows

    folder = paths.BUILD / profile / "book-source"
    shutil.rmtree(folder, ignore_errors=True)
    for file in sources():
        place = folder / file.relative_to(paths.ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    static = folder / "book" / "_static"
    scripts.write(static)
    executed, others = {}, {}
    beside = chapters.beside(profile)
    form = "../book/form.md" if "book/form" in pages() else ""
    for chapter in chapter_notebooks():
        executed[chapter] = _executed(profile, chapter, profile)
        elsewhere = [other for other, one in beside if one == chapter]
        _write_page(folder, executed[chapter], chapter, form, beside=elsewhere)
    for other, chapter in beside:
        others[page.name(chapter, other)] = _executed(other, chapter, profile)
        _write_page(folder, others[page.name(chapter, other)], chapter, form, other)
    _beside_in_contents(folder / "_toc.yml", beside)
    around = front.Front(profile, executed, folder / "book", others)
    for file in (folder / "book").glob("*.md"):
        text = file.read_text()
        file.write_text(_GENERATED.sub(lambda m: _generated(around, file.name, m), text))  # noqa: B023
    _configure(folder / "_config.yml")
    return folder


def _executed(profile: str, chapter: str, book: str) -> dict:
    """The executed notebook of a chapter under a profile, for the book of a profile."""
    file = paths.executed(profile, f"{chapter}.ipynb")
    if not file.exists():
        raise BookError(
            f"{chapter} is not executed under profile {profile}; run make book PROFILE={book}"
        )
    return json.loads(file.read_text())


def _write_page(
    folder: Path, notebook: dict, chapter: str, form: str, other: str = "", beside: Sequence = ()
) -> None:
    """Put an executed chapter among the sources of the book as it is read."""
    from helpers.book import page

    data = folder / "book" / "_static" / "data"
    try:
        shown = page.of(notebook, chapter, data, form, other, beside)
    except Unfit as error:
        raise BookError(str(error)) from None
    (folder / "notebooks").mkdir(exist_ok=True)
    file = folder / "notebooks" / f"{page.name(chapter, other)}.ipynb"
    file.write_text(json.dumps(shown, ensure_ascii=False))


def _beside_in_contents(file: Path, beside: Sequence[tuple[str, str]]) -> None:
    """Name the chapters of other profiles behind their own in ``_toc.yml``.

    They stand on its level: the side bar unfolds none below.
    """
    from helpers.book import page

    toc = yaml.safe_load(file.read_text())
    for part in toc.get("parts", [toc]):
        entries = []
        for entry in part.get("chapters", []):
            chapter = Path(entry.get("file", "")).name
            entries.append(entry)
            for other in [other for other, one in beside if one == chapter]:
                title = f"↳ {int(chapter[:2])} {page.how(other)}"
                entries.append({"file": f"notebooks/{page.name(chapter, other)}", "title": title})
        if entries:
            part["chapters"] = entries
    file.write_text(yaml.safe_dump(toc, sort_keys=False, allow_unicode=True))


def _generated(made: front.Front, name: str, match: re.Match) -> str:
    """What stands in a page for a line ``% generated: ...``."""
    from helpers.book import front

    maker = front.MAKERS.get(match[1])
    if maker is None:
        near = nearest(match[1], front.MAKERS)
        raise BookError(f"{name} asks for {match[0]!r}{near}; there are: {', '.join(front.MAKERS)}")
    given = [match[2]] if match[2] else []
    if len(given) >= len(inspect.signature(maker).parameters):
        raise BookError(f"{name} asks for {match[0]!r}; {match[1]} takes no name behind it")
    return maker(made, *given)


def repository() -> str:
    """The repository's address as the user gave it in the settings.

    Returns
    -------
    str
        ``https://host/owner/name``; empty if none is given.

    Raises
    ------
    BookError
        It is not the address of a repository.
    """
    address = settings.current().repository.strip().rstrip("/").removesuffix(".git")
    if address and not re.fullmatch(r"https://[\w.-]+(/[\w.~-]+){2,}", address):
        raise BookError(
            f"REPOSITORY={address} is no address of a repository; write https://host/owner/name"
        )
    return address


def _configure(file: Path) -> None:
    """Switch on the buttons that need a repository, where one is known."""
    address = repository()
    if not address:
        return
    config = yaml.safe_load(file.read_text())
    config["repository"] = {"url": address, "branch": branch(), "path_to_book": ""}
    config["html"] |= {
        "use_issues_button": True,
        "use_repository_button": True,
        "use_edit_page_button": True,
    }
    # jupyter-book hands this one on only here
    config["sphinx"]["config"]["html_theme_options"]["use_source_button"] = True
    if "github.com" in address:
        config["launch_buttons"] = {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        }
    file.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))


def branch() -> str:
    """The branch of git that is checked out.

    Returns
    -------
    str
        Its name; ``main`` where git cannot say.
    """
    if not shutil.which("git"):
        return "main"
    said = subprocess.run(
        ["git", "branch", "--show-current"], cwd=paths.ROOT, capture_output=True, text=True
    )
    return said.stdout.strip() or "main"


def build(profile: str) -> Path:
    """Render the book of a profile into ``build/<profile>/html``; warnings are errors.

    The former book stays in place until the new one is complete, also if this is killed.

    Parameters
    ----------
    profile : str
        Name of the profile.

    Returns
    -------
    Path
        ``build/<profile>/html``.

    Raises
    ------
    BookError
        As `assemble`; or jupyter-book warned or failed: the first warnings are in the message, all
        are in the log.
    DirectoryBusy
        As `alone`.
    """
    with alone(profile):
        return _build(profile)


def alone(profile: str) -> AbstractContextManager[Path]:
    """Reserve the rendered book of a profile for this process.

    Parameters
    ----------
    profile : str
        Name of the profile.

    Returns
    -------
    context manager
        As `provenance.lock`.

    Raises
    ------
    DirectoryBusy
        On entering: the book of this profile is being rendered or printed already.
    """
    return provenance.lock(paths.BUILD / profile / "running" / "html")


def _build(profile: str) -> Path:
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
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
        preexec_fn=processes.die_with_parent,
    )  # fmt: skip
    log(profile).write_text(done.stdout)
    if done.returncode:
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in done.stdout.splitlines()]
        wrong = [line for line in lines if re.search(r"WARNING|ERROR|Error:|error:", line)]
        shown = "; ".join(line.replace(f"{source}/", "") for line in (wrong or lines[-3:])[:5])
        raise BookError(f"jupyter-book: {shown} (log: {paths.relative(log(profile))})")
    from helpers.book import slimming

    made = source / "_build" / "html"
    slimming.slim(made)
    _sources_as_written(made, chapters.beside(profile))
    result = html(profile)
    provenance.replace(result, made)
    return result


def _sources_as_written(folder: Path, beside: Sequence[tuple[str, str]]) -> None:
    """Put the chapters as they are written behind the button that downloads a notebook.

    Sphinx copies the executed ones there, whose pictures the pages have already.
    """
    import jupytext

    from helpers.book import page

    own = [("", chapter) for chapter in chapter_notebooks()]
    for other, chapter in [*own, *beside]:
        written = jupytext.read(chapters.notebook(chapter))
        name = f"{page.name(chapter, other)}.ipynb"
        jupytext.write(written, folder / "_sources" / "notebooks" / name, fmt="ipynb")


def chapter_notebooks() -> list[str]:
    """The chapters of _toc.yml in reading order, checked against ``notebooks/``.

    Returns
    -------
    list of str
        Names of the chapters.

    Raises
    ------
    BookError
        _toc.yml and ``notebooks/`` do not have the same chapters.
    """
    named = [Path(page).name for page in pages() if page.startswith("notebooks/")]
    if sorted(named) != chapters.names():
        raise BookError(
            f"_toc.yml names the chapters {', '.join(sorted(named))}, notebooks/ holds "
            f"{', '.join(chapters.names())}"
        )
    return named
