"""``zif4``: run a chapter, build the book, check what was built."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from helpers import book, chapters, parameters, paths, provenance


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 when done, 1 with one line for each problem when not."""
    options = _parser().parse_args(arguments)
    try:
        return options.do(options)
    except (parameters.ParameterError, chapters.ChapterError, book.BookError,
            provenance.DirectoryBusy) as error:
        print(error, file=sys.stderr, flush=True)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zif4", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name, do, text, *, chapter=False, profile=True):
        sub = commands.add_parser(name, help=text, description=text)
        if chapter:
            sub.add_argument("chapter", help="name of a notebook, e.g. 04_heating_rates")
        if profile:
            sub.add_argument("--profile", default="small", help="a file of data/profiles")
        sub.set_defaults(do=do)
        return sub

    sub = command("book", _book, "bring the book of a profile up to date and check it")
    sub.add_argument("--jobs", default="1", help="chapters at a time; each may use all cores")
    sub.add_argument("-n", "--dry-run", action="store_true", help="only say what is stale")
    sub = command("chapter", _chapter, "execute one chapter, with own parameters", chapter=True)
    sub.add_argument("-p", dest="overrides", nargs=2, action="append", default=[],
                     metavar=("NAME", "VALUE"), help="set a parameter; may be repeated")
    command("parameters", _parameters, "list the parameters of a chapter", chapter=True)
    command("html", _html, "render the executed chapters of a profile")
    command("check", _check, "check the rendered book of a profile")
    return parser


def _book(options) -> int:
    for chapter in chapters.names():  # refuse a bad profile before anything runs
        chapters.settings(chapter, options.profile)
    command = [
        "--snakefile", str(paths.ROOT / "Snakefile"), "--directory", str(paths.ROOT),
        "--config", f"profile={options.profile}", "--cores", options.jobs,
        "--nolock", "--rerun-incomplete", "--keep-going",
        "--rerun-triggers", "mtime", "params", "input", "code",
        "--max-checksum-file-size", "1000000000",  # content decides, not the date of a checkout
    ]
    if options.dry_run:
        return _snakemake(*command, "--dry-run", "--quiet", "host")
    folder = paths.BUILD / options.profile
    # Held by this process and freed with it: snakemake's own lock outlives a `kill -9`.
    with provenance.lock(folder):
        problems = folder / "problems.txt"
        problems.unlink(missing_ok=True)
        code = _snakemake(*command, "--quiet", "host", "reason", "progress", "rules")
        if code and problems.exists():
            print(problems.read_text(), end="", file=sys.stderr)
    if code:
        print(f"the book of profile {options.profile} was not built", file=sys.stderr)
        return 1
    print(f"the book: {paths.relative(book.html(options.profile) / 'index.html')}")
    return 0


def _snakemake(*arguments: str) -> int:
    """snakemake in this process (its imports and ours are half of an unchanged build)."""
    from snakemake.cli import main as snakemake

    try:
        snakemake(list(arguments))
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _chapter(options) -> int:
    try:
        file = chapters.execute(options.chapter, options.profile, dict(options.overrides))
    except chapters.ChapterError as error:
        _note(options.profile, error)
        raise
    print(paths.relative(file if not options.overrides else _standalone(file)))
    return 0


def _standalone(notebook: Path) -> Path:
    """A page to look at beside an executed notebook that is not part of the book."""
    import nbconvert

    page, _ = nbconvert.HTMLExporter().from_filename(str(notebook))
    notebook.with_suffix(".html").write_text(page)
    return notebook.with_suffix(".html")


def _parameters(options) -> int:
    for s in chapters.settings(options.chapter, options.profile):
        p = s.parameter
        print(f"{p.name}: {p.type} = {s.value!r} ({s.source})  [{p.unit}] {p.allowed} | "
              f"{p.description}")
    return 0


def _html(options) -> int:
    try:
        book.build(options.profile)
    except book.BookError as error:
        _note(options.profile, error)
        raise
    return 0


def _check(options) -> int:
    folder = book.html(options.profile)
    try:
        figures = book.check(folder)
    except book.BookError as error:
        _note(options.profile, error)
        raise
    print(f"{paths.relative(folder)}: {len(book.pages())} pages, {figures} figures, all well")
    return 0


def _note(profile: str, error: Exception) -> None:
    """Keep a problem, for the last lines of `zif4 book`: snakemake's report is long."""
    with open(paths.BUILD / profile / "problems.txt", "a") as file:
        file.write(f"{error}\n")


if __name__ == "__main__":
    sys.exit(main())
