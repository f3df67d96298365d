"""The whole path on a tiny book: snakemake, papermill, jupyter-book and the check of the HTML."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from conftest import REPOSITORY, tiny_project, use
from PIL import Image

from helpers import paths, processes, provenance
from helpers.book import chapters, page_check, render
from helpers.book.render import BookError


def zif4(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "helpers.cli", *arguments],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A tiny project whose book has been built; the tests work on copies of it."""
    root = tiny_project(tmp_path_factory.mktemp("first") / "project")
    with pytest.MonkeyPatch.context() as patch:
        use(root, patch)
        done = zif4("book")
    assert done.returncode == 0, done.stderr
    assert "3 pages, 1 figures, all well" in done.stdout
    return root


@pytest.fixture
def built(first, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(first, root)
    use(root, monkeypatch)
    return root


def stale():
    """The chapters that snakemake would execute, and whether it would render."""
    done = zif4("book", "--dry-run")
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    rules = set(re.findall(r"^(?:local)?rule (\w+):", said, re.M))
    if not rules:
        assert "Nothing to be done" in said
    return {r.removeprefix("chapter_") for r in rules if r.startswith("chapter_")}, "html" in rules


def append(file, text):
    with open(file, "a") as stream:
        stream.write(text)


@pytest.mark.parametrize(
    "file, text, chapters_stale",
    [
        ("src/helpers/addition.py", "# changed\n", {"01_first", "02_second"}),
        ("src/helpers/power.py", "# changed\n", {"02_second"}),
        ("src/helpers/deep/down/factor.py", "# three packages down\n", {"02_second"}),
        ("src/helpers/cli.py", "# changed\n", set()),
        ("data/numbers/few.txt", "4\n", {"01_first"}),
        ("notebooks/02_second.py", "# more\n", {"02_second"}),
        ("data/profiles/small.yaml", "# a remark changes no value\n", set()),
    ],
)
def test_a_change_makes_exactly_the_chapters_that_depend_on_it_stale(
    built, file, text, chapters_stale
):
    append(built / file, text)
    renders = bool(chapters_stale) or file.startswith("src/")  # the reference shows docstrings
    assert stale() == (chapters_stale, renders)


def test_only_the_changed_section_of_a_profile_counts(built):
    profile = built / "data/profiles/small.yaml"
    profile.write_text("01_first: {count: 3}\n02_second: {exponent: 3}")
    assert stale() == ({"02_second"}, True)


def test_a_chapter_depends_on_the_one_that_makes_what_it_reads(built):
    """``live: true``; the tiny chapters get the numbers of a maker and its reader."""
    now = time.time()
    for old, new in (("01_first", "02_first"), ("02_second", "04_second")):
        (built / f"notebooks/{old}.py").rename(built / f"notebooks/{new}.py")
        for file in ("_toc.yml", "book/index.md", "data/profiles/small.yaml"):
            text = (built / file).read_text().replace(old, new)
            (built / file).write_text(text)
        executed = paths.executed("small", f"{old}.ipynb")
        executed = executed.rename(executed.with_name(f"{new}.ipynb"))
        os.utime(executed, (now, now))
    append(built / "data/profiles/small.yaml", "live: true\n")
    assert stale()[0] == set()
    append(built / "data/numbers/few.txt", "4\n")
    assert stale() == ({"02_first", "04_second"}, True)


def test_a_chapter_of_another_profile_stands_beside_its_own(built, monkeypatch):
    monkeypatch.setenv("ZIF4_REPOSITORY", "https://github.com/owner/name")
    (built / "data/profiles/large.yaml").write_text("02_second: {exponent: 3}")
    append(built / "data/profiles/small.yaml", "beside: {large: [02_second]}\n")
    done = zif4("book")
    assert done.returncode == 0, done.stderr
    assert "4 pages" in done.stdout
    page = (built / "build/small/html/notebooks/02_second_large.html").read_text()
    assert "(by profile large)" in page and "PROFILE=large" in page
    # its buttons lead to the one file that both are made from
    assert "github.com/owner/name/edit/main/notebooks/02_second.py" in page
    assert "github.com/owner/name/blob/main/notebooks/02_second.py" in page
    assert "lab/tree/notebooks/02_second.py" in page and "02_second_large.ipynb?" not in page
    own = (built / "build/small/html/notebooks/02_second.html").read_text()
    assert "(by profile large)" not in own.split("<article")[1].split("</h1>")[0]
    first = (built / "build/small/html/notebooks/01_first.html").read_text()
    side = first.split('class="bd-links')[1].split("</nav>")[0]
    assert 'href="02_second_large.html">↳ 2 by profile large<' in side  # of every page
    assert stale() == (set(), False)
    (built / "data/profiles/large.yaml").write_text("02_second: {exponent: 4}")
    assert stale() == ({"02_second_large"}, True)


def test_new_dates_of_unchanged_files_make_nothing_stale(built):
    for file in built.rglob("*"):
        if file.is_file() and "build" not in file.parts and ".snakemake" not in file.parts:
            os.utime(file)
    assert stale() == (set(), False)


@pytest.mark.parametrize("file, executed", [
    ("data/numbers/few.txt", {"01_first"}), ("book/index.md", set()),
])  # fmt: skip
def test_a_change_is_seen_though_its_date_is_older_than_the_book(built, file, executed):
    """The clock was set back, or the file was copied with its date."""
    append(built / file, "4\n")
    os.utime(built / file, (0, 0))
    assert stale() == (executed, True)


def test_dates_in_the_future_make_nothing_stale_and_stop_nothing(built):
    """The clock was set back; snakemake would refuse to make anything of these files."""
    tomorrow, rendered = time.time() + 86400, paths.BUILD / "small" / "rendered"
    changed, executed = built / "data/numbers/few.txt", paths.executed("small", "01_first.ipynb")
    for file in (built / "notebooks/02_second.py", executed, rendered):
        os.utime(file, (tomorrow, tomorrow))
    assert stale() == (set(), False)
    append(changed, "4\n")
    os.utime(changed, (tomorrow, tomorrow))
    assert stale() == ({"01_first"}, True)
    assert all(file.stat().st_mtime < time.time() for file in (changed, executed, rendered))


def test_a_changed_page_renders_again_without_executing(built):
    append(built / "book/index.md", "\nMore.\n")
    assert stale() == (set(), True)


def test_a_failing_chapter_fails_the_book_and_says_so_last(first, built):
    append(built / "notebooks/02_second.py", "\n# %%\nraise ValueError('no such ligand')\n")
    done = zif4("book")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "02_second, cell [4], ValueError: no such ligand",
        "the book of profile small was not built",
    ]
    assert "no such ligand" in (built / "build/small/failed/02_second.txt").read_text()
    assert not paths.executed("small", "02_second.ipynb").exists()
    page = built / "build/small/html/notebooks/02_second.html"
    assert page.read_bytes() == (first / page.relative_to(built)).read_bytes()  # the last book
    assert stale() == ({"02_second"}, True)  # the same command tries it again


def test_a_bad_profile_is_refused_before_anything_runs(built):
    shutil.rmtree(built / "build")
    (built / "data/profiles/small.yaml").write_text("02_second: {exponet: 3}")
    done = zif4("book")
    assert done.returncode == 1 and not (built / "build").exists()
    assert done.stderr == (
        "data/profiles/small.yaml, line 1, 02_second.exponet: 02_second: unknown parameter "
        "'exponet' (profile); did you mean 'exponent'?\n"
    )


def test_a_broken_reference_fails_the_build_and_keeps_the_last_book(built):
    append(built / "book/index.md", "\nSee {doc}`/notebooks/03_third`.\n")
    done = zif4("book")
    assert done.returncode == 1
    assert re.search(r"book/index.md:\d: WARNING: unknown document.*log: build", done.stderr)
    assert page_check.check(render.html("small")) == 1
    assert stale() == (set(), True)  # the same command tries it again


def test_a_book_that_was_removed_is_rendered_again(built):
    shutil.rmtree(render.html("small"))
    assert stale() == (set(), True)


def content(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def working_on(folder):
    """Processes that have the folder in their command."""
    return subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True).stdout


def test_killed_while_it_renders_the_last_book_stays_and_the_next_call_finishes(built):
    html, source = render.html("small"), built / "build/small/book-source"
    before = content(html)
    append(built / "book/index.md", "\nMore.\n")
    shutil.rmtree(source)
    # a part of the pages is written; none is
    for begun in (source / "_build/html/book/index.html", source / "_toc.yml"):
        with subprocess.Popen([sys.executable, "-m", "helpers.cli", "html"], cwd=built) as command:
            for _ in range(1200):
                if begun.is_file():
                    break
                time.sleep(0.05)
            command.kill()
        assert begun.is_file() and content(html) == before
        for _ in range(100):  # jupyter-book ends with it
            if not working_on(source):
                break
            time.sleep(0.05)
        assert not working_on(source)
        shutil.rmtree(source)
    assert zif4("html").returncode == 0
    assert "More." in (html / "book/index.html").read_text()
    assert page_check.check(html) == 1


def test_a_book_is_rendered_by_one_process_at_a_time(tmp_path, set_to):
    """Two would take the sources away from each other."""
    set_to(build=tmp_path)
    with (
        provenance.lock(tmp_path / "small" / "running" / "html"),
        pytest.raises(provenance.DirectoryBusy, match=f"process {os.getpid()}; wait for it"),
    ):
        render.build("small")
    assert not (tmp_path / "small" / "book-source").exists()


def test_two_books_do_not_make_one_chapter(built):
    """Each would take the executed chapter away from the other."""
    (built / "data/profiles/large.yaml").write_text("02_second: {exponent: 3}")
    append(built / "data/profiles/small.yaml", "beside: {large: [02_second]}\n")
    with provenance.lock(paths.BUILD / "large"):
        done = zif4("book")
    assert done.returncode == 1
    assert f"build/large is being written by process {os.getpid()}; wait for it" in done.stderr
    assert not paths.executed("large", "02_second.ipynb").exists()


def test_a_printing_that_dies_keeps_the_last_pdf(built, tmp_path, monkeypatch):
    from helpers.book import pdf

    last = paths.BUILD / "small" / "book.pdf"
    last.write_bytes(b"the last book")
    (tmp_path / "chromium").write_text("#!/bin/sh\necho out of memory >&2; exit 9\n")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(BookError, match="Chromium printed no PDF: out of memory"):
        pdf.write("small")
    assert last.read_bytes() == b"the last book"
    (render.html("small") / render.PRINTED).write_text("<a href='nowhere.html'>cut off</a>")
    page_check.check(render.html("small"))  # what a kill leaves there is no page


def test_the_printed_book_has_contents_that_lead_to_each_page(built):
    from helpers.book import pdf

    tree = BeautifulSoup(pdf.one_page(render.html("small")), "html.parser")
    links = [link["href"] for link in tree.select("nav a")]
    assert links == [f"#{name.replace('/', '-')}" for name in render.pages()]
    assert all(tree.select_one(link) for link in links)


def test_a_book_is_printed_by_one_process_at_a_time_wherever_it_lies(
    project, tmp_path, set_to, monkeypatch
):
    """The browser gets an address, in which a blank, an umlaut and # are escaped."""
    from helpers.book import pdf

    build = set_to(build=tmp_path / "my böok #1").build
    for name in render.pages():
        page = render.html("small") / f"{name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<h1>A page</h1>")
    (tmp_path / "chromium").write_text(
        '#!/bin/sh\nfor word; do case "$word" in --print-to-pdf=*) to=${word#*=};; esac; done\n'
        'printf %s "$word" > "$to"\n'
    )
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    address = urlsplit(pdf.write("small").read_text())
    assert unquote(address.path) == str(build / "small" / "html" / render.PRINTED)
    assert not address.fragment and not Path(unquote(address.path)).exists()
    with render.alone("small"), pytest.raises(provenance.DirectoryBusy, match="wait for it"):
        pdf.write("small")


def test_ctrl_c_ends_the_book_with_a_word_and_nothing_stays_behind(built):
    """As a terminal sends it: to the command and all that it started."""
    running = built / "running"
    append(built / "notebooks/02_second.py",
           f"\n\n# %%\nimport os, pathlib, time\npathlib.Path({str(running)!r})"
           ".write_text(str(os.getpid()))\ntime.sleep(300)\n")  # fmt: skip
    command = subprocess.Popen([sys.executable, "-m", "helpers.cli", "book"], cwd=paths.ROOT,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               start_new_session=True)  # fmt: skip
    try:
        for _ in range(1200):
            if running.exists() and running.read_text():
                break
            time.sleep(0.1)
        os.killpg(command.pid, signal.SIGINT)
        said, _ = command.communicate(timeout=60)
    finally:
        processes.kill_group(command.pid)
    assert command.returncode == 130 and "the same command goes on from here" in said
    # the kernel may write of its own end, with a traceback; nothing of this package may
    assert "/helpers/" not in said
    kernel = Path("/proc", running.read_text())
    for _ in range(100):
        if not kernel.exists():
            break
        time.sleep(0.1)
    assert not kernel.exists()


def test_the_check_passes_on_the_built_book(built):
    assert page_check.check(render.html("small")) == 1


def test_the_notebook_to_download_is_the_chapter_as_written(built):
    there = nbformat.read(render.html("small") / "_sources/notebooks/01_first.ipynb", 4)
    code = [c for c in there.cells if c.cell_type == "code"]
    assert code and not any(c.outputs or c.execution_count for c in code)
    assert not any(c.metadata.get("tags") == ["injected-parameters"] for c in code)


def figure(html):
    (file,) = (html / "_images").glob("*.png")
    return file


def blank(html):
    Image.new("RGB", (64, 48), "white").save(figure(html))


def truncated(html):
    figure(html).write_bytes(figure(html).read_bytes()[:200])


def edit(page, old, new):
    def change(html):
        text = (html / page).read_text()
        assert old in text
        (html / page).write_text(text.replace(old, new))

    return change


def edit_cell(change):
    def edit(html):
        file = html.parent / "book-source/notebooks/01_first.ipynb"
        notebook = nbformat.read(file, 4)
        change([c for c in notebook.cells if c.cell_type == "code"][2])
        nbformat.write(notebook, file)

    return edit


def fail_cell(cell):
    cell.outputs = [nbformat.v4.new_output("error", ename="OSError", evalue="gone", traceback=[])]


@pytest.mark.parametrize(
    "harm, message",
    [
        (
            lambda html: (html / "notebooks/02_second.html").unlink(),
            "notebooks/02_second: not in the",
        ),
        (edit_cell(lambda cell: cell.update(execution_count=None)), "code cell 3 has not run"),
        (edit_cell(fail_cell), "01_first: code cell 3 ends in OSError: gone"),
        (edit("notebooks/01_first.html", 'class="cell_input', 'class="lost'), "0 code cells"),
        (
            edit("book/index.html", "../notebooks/02_second.html", "../notebooks/03.html"),
            "broken a to",
        ),
        (
            edit(
                "book/index.html",
                "../notebooks/02_second.html",
                "../notebooks/02_second.html#nowhere",
            ),
            "no such anchor",
        ),
        (lambda html: figure(html).unlink(), "is not there"),
        (truncated, "does not decode"),
        (blank, r"01_first.html: figure \w+.png is of one colour"),
    ],
)
def test_the_check_finds_what_a_reader_would_stumble_over(built, harm, message):
    html = render.html("small")
    harm(html)
    with pytest.raises(BookError, match=message):
        page_check.check(html)


def test_chapters_and_toc_name_the_same(built):
    (built / "notebooks/03_third.py").write_text("# %%\n")
    with pytest.raises(BookError, match="_toc.yml names .*, notebooks/ holds .*03_third"):
        render.assemble("small")


def test_an_unexecuted_chapter_cannot_be_assembled(built):
    paths.executed("small", "01_first.ipynb").unlink()
    with pytest.raises(BookError, match="01_first is not executed under profile small"):
        render.assemble("small")


def test_a_page_has_what_is_generated_in_place_of_the_line(built):
    page = built / "book/index.md"
    page.write_text(f"{page.read_text()}\n% generated: figure fig-none\n\nEnd.\n")
    text = (render.assemble("small") / "book/index.md").read_text()
    assert "no chapter of this copy of the book has the figure `fig-none`" in text.lower()
    assert "% generated" not in text and text.endswith("`.*\n\nEnd.\n")
    page.write_text("% generated: figures fig-none\n")
    with pytest.raises(BookError, match="index.md asks for .*; figures takes no name"):
        render.assemble("small")
    page.write_text("% generated: figur fig-none\n")
    with pytest.raises(BookError, match="index.md asks for .*; did you mean 'figure'"):
        render.assemble("small")


def test_a_repository_switches_the_buttons_on(built, monkeypatch):
    plain = (render.assemble("small") / "_config.yml").read_text()
    assert plain == (built / "_config.yml").read_text()
    monkeypatch.setenv("ZIF4_REPOSITORY", "https://github.com/owner/name.git")
    settings = yaml.safe_load((render.assemble("small") / "_config.yml").read_text())
    assert settings["repository"]["url"] == "https://github.com/owner/name"
    assert settings["launch_buttons"]["binderhub_url"] == "https://mybinder.org"
    assert settings["html"]["use_edit_page_button"] and settings["html"]["use_issues_button"]
    monkeypatch.setenv("ZIF4_REPOSITORY", "owner/name")
    with pytest.raises(BookError, match="REPOSITORY=owner/name is no address"):
        render.assemble("small")


def test_the_real_toc_names_every_chapter_and_every_page():
    assert [p.removeprefix("notebooks/") for p in render.pages() if p.startswith("notebooks/")] == (
        chapters.names()
    )
    written = {
        f.relative_to(REPOSITORY).with_suffix("").as_posix()
        for f in (REPOSITORY / "book").glob("*.md")
    }
    assert written == {p for p in render.pages() if p.startswith("book/")}


def test_without_git_the_branch_is_main(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert render.branch() == "main"
