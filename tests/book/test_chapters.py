"""Strict execution on tiny notebooks; at the end the smoke profile of the whole book."""

import json
import multiprocessing
import os
import re
import subprocess
import sys

import nbformat
import pytest
import yaml
from browser import NARROW, WIDE, draw, opened, problems

from helpers import paths, provenance
from helpers.book import chapters, dependencies, execution, page_check, render
from helpers.book.chapters import ChapterError
from helpers.book.parameters import ParameterError


def cells(file, kind):
    return [c for c in nbformat.read(file, 4).cells if c.cell_type == kind]


def output(file):
    return "".join(o.text for c in cells(file, "code") for o in c.outputs if "text" in o)


def test_execute_injects_the_profile_and_says_where_each_value_came_from(project):
    file = execution.execute("01_first", "small")
    assert file == paths.executed("small", "01_first.ipynb")
    assert output(file) == "6\n"  # 1 + 2 + 3
    title, made = cells(file, "markdown")[:2]
    assert title.source.startswith("# First")
    assert "| `count` | `3` | - | profile | how many numbers |" in made.source
    assert "| `numbers` | `'few'` | - | default | file of data/numbers |" in made.source
    assert "Profile `small`" in made.source and provenance.hardware()["processor"] in made.source


@pytest.mark.parametrize("value", ["a|b", "`<script>alert(1)</script>`", "``", ["x`", 1]])
def test_values_of_parameters_are_code_and_no_html(value):
    """The fence is longer than any in the value, so that the whole of it is one piece of code."""
    cell = execution._code(value)
    fence = re.match("`+", cell)[0]
    assert cell.endswith(fence) and fence not in cell[len(fence) : -len(fence)]
    inside = cell[len(fence) : -len(fence)].replace("\\|", "|").strip()
    assert inside == repr(value) and re.findall(r"(?<!\\)\|", cell) == []


def test_own_parameters_do_not_enter_the_book(project):
    file = execution.execute("01_first", "small", {"count": "2"})
    assert output(file) == "3\n"  # 1 + 2
    assert file.parent == paths.BUILD / "small" / "own"
    assert "| `count` | `2` | - | command line |" in cells(file, "markdown")[1].source
    assert not paths.executed("small", "01_first.ipynb").exists()


def test_a_progress_bar_is_shown_as_it_ended(project):
    (project / "notebooks/01_first.py").open("a").write(
        "\n# %%\nimport sys, time\nfor i in range(4):\n"
        "    print(f'\\rdone {i} of 3', end='', file=sys.stderr, flush=True)\n    time.sleep(0.3)\n"
        "print(file=sys.stderr)\n"
    )
    last = cells(execution.execute("01_first", "small"), "code")[-1]
    assert [out.text for out in last.outputs] == ["done 3 of 3\n"]


def test_nothing_runs_when_a_parameter_is_refused(project):
    (project / "notebooks/01_first.py").open("a").write("\n# %%\nopen('ran', 'w').close()\n")
    with pytest.raises(ParameterError, match="01_first: unknown parameter 'cuont'.*'count'"):
        execution.execute("01_first", "small", {"cuont": 2})
    assert not (project / "ran").exists() and not (project / "build").exists()


@pytest.mark.parametrize(
    "chapter, profile, message",
    [
        (
            "01_frist",
            "small",
            "no chapter '01_frist'; did you mean '01_first'.*there are: 01_first",
        ),
        ("01_first", "smalll", "no profile 'smalll'; did you mean 'small'.*there are: small"),
        ("01_first", "huge", "no profile 'huge'.*there are: small"),
    ],
)
def test_missing_chapter_and_profile_are_named_with_those_that_exist(
    project, chapter, profile, message
):
    with pytest.raises(ChapterError, match=message):
        execution.execute(chapter, profile)


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "01_frist: {count: 3}",
            "no section of profile 'small' '01_frist'; did you mean '01_first'",
        ),
        (
            "shared: {conut: 3}",
            "no shared parameter of profile 'small' 'conut'; did you mean 'count'",
        ),
    ],
)
def test_a_profile_cannot_speak_to_nobody(project, text, message):
    (project / "data/profiles/small.yaml").write_text(text)
    with pytest.raises(ChapterError, match=message):
        chapters.section("small", "01_first")


def test_shared_values_reach_the_chapters_that_know_them(project):
    (project / "data/profiles/small.yaml").write_text("shared: {count: 3}\n01_first:\n")
    assert chapters.values("01_first", "small")["count"] == 3
    assert chapters.section("small", "02_second") == {}


def test_chapters_of_another_profile_may_stand_beside(project):
    profile = project / "data/profiles/small.yaml"
    assert chapters.beside("small") == []
    (project / "data/profiles/large.yaml").write_text("02_second: {exponent: 3}")
    profile.write_text("beside: {large: [02_second]}")
    assert chapters.beside("small") == [("large", "02_second")]
    profile.write_text("beside: {large: [03_third]}")
    with pytest.raises(ChapterError, match="no chapter '03_third'"):
        chapters.beside("small")
    for twice in ("large: [02_second, 02_second]", "small: [02_second]"):
        profile.write_text(f"beside: {{{twice}}}")
        with pytest.raises(ChapterError, match="line 1, beside.*02_second is in this book already"):
            chapters.beside("small")
    profile.write_text("beside: {larg: [02_second]}")
    with pytest.raises(ChapterError, match="no profile 'larg'; did you mean 'large'"):
        chapters.beside("small")


def test_a_failing_cell_is_one_line_and_its_notebook_is_kept_aside(project):
    execution.execute("01_first", "small")
    before = paths.executed("small", "01_first.ipynb").read_bytes()
    (project / "notebooks/01_first.py").open("a").write("\n# %%\nprint('so far')\n1 / 0\n")
    with pytest.raises(ChapterError) as caught:
        execution.execute("01_first", "small")
    assert re.fullmatch(r"01_first, cell \[\d\], ZeroDivisionError: .*by zero", str(caught.value))
    assert paths.executed("small", "01_first.ipynb").read_bytes() == before  # the last good one
    failed = paths.BUILD / "small" / "failed"
    assert "so far" in output(failed / "01_first.ipynb")
    log = (failed / "01_first.txt").read_text()
    assert "so far" in log and "ZeroDivisionError" in log and "count=3 (profile)" in log


def test_a_chapter_that_never_succeeded_leaves_nothing_in_the_book(project):
    (project / "notebooks/02_second.py").open("a").write("\n# %%\nraise ValueError('a\\nb')\n")
    with pytest.raises(ChapterError, match=r"^02_second, cell \[4\], ValueError: a$"):
        execution.execute("02_second", "small")
    assert not paths.executed("small", "02_second.ipynb").exists()


def test_a_kernel_that_dies_is_reported_with_its_cell(project):
    (project / "notebooks/02_second.py").open("a").write("\n# %%\nimport os\nos._exit(9)\n")
    with pytest.raises(ChapterError, match=r"^02_second, cell \[4\], DeadKernelError: "):
        execution.execute("02_second", "small")


def test_the_kernel_is_this_environment_whatever_the_user_has_installed(project, monkeypatch):
    spec = project / "jupyter/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(project / "jupyter"))
    (project / "notebooks/02_second.py").open("a").write(
        "\n# %%\nimport shutil, sys\nprint(sys.executable, shutil.which('lmp'), sep='\\n')\n"
    )
    *_, interpreter, lmp = output(execution.execute("02_second", "small")).splitlines()
    assert interpreter == sys.executable
    assert lmp.startswith(sys.prefix)


def test_two_executions_of_one_chapter_do_not_meet(project):
    def hold(ready, done):
        with provenance.lock(paths.BUILD / "small" / "running" / "01_first"):
            ready.set()
            done.wait(60)

    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(ready, done))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(provenance.DirectoryBusy, match=f"process {other.pid}"):
            execution.execute("01_first", "small")
    finally:
        done.set()
        other.join()


CLOSURE = """
import sys
from helpers import paths
from helpers.book import chapters, dependencies
for file in dependencies.modules(chapters.notebook(sys.argv[1])):
    print(file.relative_to(paths.ROOT / "src" / "helpers"))
"""


def closure(chapter):
    """What a chapter depends on, found by a process to which ``helpers`` is the tiny project's."""
    done = subprocess.run([sys.executable, "-c", CLOSURE, chapter], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout.split()


def test_import_closure_follows_helpers_through_functions_and_packages(project):
    assert closure("01_first") == ["addition.py", "errors.py", "paths.py", "settings.py"]
    assert closure("02_second") == ["addition.py", "deep/down/factor.py", "power.py"]


def test_an_import_of_what_is_not_there_is_refused():
    with pytest.raises(ChapterError, match="06_none imports helpers.rfd, which"):
        dependencies._imported("from helpers.rfd import g", {"helpers", "helpers.rdf"}, "06_none")


def test_declared_data_follows_the_parameters(project):
    assert dependencies.data("01_first", "small") == [project / "data/numbers/few.txt"]
    (project / "data/numbers/few.txt").unlink()
    with pytest.raises(ChapterError, match="declares data/numbers/few.txt, which is not there"):
        dependencies.data("01_first", "small")


def test_a_declared_directory_is_all_its_files_and_an_unknown_name_is_refused(project):
    file = project / "notebooks/01_first.py"
    text = file.read_text()
    file.write_text(text.replace("data/numbers/{numbers}.txt", "data/numbers"))
    assert dependencies.data("01_first", "small") == [project / "data/numbers/few.txt"]
    file.write_text(text.replace("{numbers}", "{number}"))
    with pytest.raises(ChapterError, match="no parameter 'number'; did you mean 'numbers'"):
        dependencies.data("01_first", "small")


def test_a_file_of_the_users_own_stands_for_a_name(project, tmp_path):
    own = tmp_path / "mine.cif"
    own.write_text("")
    (project / "data/profiles/small.yaml").write_text(f"01_first: {{numbers: '{own}'}}\n")
    notebook = project / "notebooks/01_first.py"
    notebook.write_text(notebook.read_text().replace("[-] few |", "[-] any |"))
    assert dependencies.data("01_first", "small") == [own]


def test_potentials_and_runs_that_are_not_shipped_may_be_made_here(project):
    file = project / "notebooks/01_first.py"
    file.write_text(file.read_text().replace("data/numbers/{numbers}.txt", "data/runs/{numbers}"))
    assert dependencies.data("01_first", "small") == []
    (project / "data/runs/few").mkdir(parents=True)
    (project / "data/runs/few/thermo.csv").write_text("time_ps\n")
    assert dependencies.data("01_first", "small") == [project / "data/runs/few/thermo.csv"]


REAL = [pytest.param(p, c, id=f"{p}-{c}") for p in chapters.profiles() for c in chapters.names()]


def test_there_are_seven_chapters_and_three_profiles():
    assert [name[:2] for name in chapters.names()] == ["01", "02", "03", "04", "05", "06", "07"]
    assert chapters.profiles() == ["full", "small", "smoke"]


@pytest.mark.parametrize("profile, chapter", REAL)
def test_every_profile_answers_to_every_chapter(profile, chapter):
    used = chapters.settings(chapter, profile)
    assert dependencies.modules(chapters.notebook(chapter))
    dependencies.data(chapter, profile)
    given = yaml.safe_load((paths.PROFILES / f"{profile}.yaml").read_text())
    from_profile = {s.parameter.name for s in used if s.source == "profile"}
    assert set(given.get(chapter) or {}) <= from_profile


def test_smoke_is_live_and_small_is_shipped():
    assert chapters.live("smoke") and not chapters.live("small")


@pytest.mark.parametrize("chapter", chapters.names())
def test_a_chapter_opens_with_its_title_and_has_no_outputs(chapter):
    text = chapters.notebook(chapter).read_text()
    first = re.search(r"^# %% ?(.*)\n# (.*)", text, re.M)
    assert "[markdown]" in first[1] and first[2].startswith("# ")  # the page's title
    assert not [f for f in paths.NOTEBOOKS.iterdir() if f.suffix == ".ipynb"]


@pytest.mark.chapters
@pytest.mark.timeout(1200)
def test_the_smoke_book_is_made_live_and_is_fit_to_read(tmp_path):
    """Train, freeze, compress, heat, analyse, render; nothing made before is at hand."""
    environment = os.environ | {"ZIF4_BUILD": str(tmp_path)}
    command = [sys.executable, "-m", "helpers.cli", "book", "--profile", "smoke"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    html = tmp_path / "smoke" / "html"
    figures = re.search(r"(\d+) figures, all well", done.stdout)  # it was checked already
    assert figures and int(figures[1]) >= len(chapters.names())
    for chapter in chapters.names():
        assert (html / "notebooks" / f"{chapter}.html").is_file()
        notebook = tmp_path / "smoke" / "notebooks" / f"{chapter}.ipynb"
        assert "Profile `smoke`" in cells(notebook, "markdown")[1].source
    assert list((tmp_path / "potentials").glob("*/frozen_model.pb"))
    assert list((tmp_path / "runs").glob("*/thermo.csv"))
    assert megabytes(html.rglob("*")) <= 30
    for chapter in chapters.names():
        page = html / "notebooks" / f"{chapter}.html"
        assert megabytes([page, *page_check._Page(page).figures()]) <= 3, chapter
    stumbled = []
    with opened() as visit:
        for name in render.pages():
            for width, theme in ((WIDE, "light"), (NARROW, "dark")):
                page = visit(html / f"{name}.html", width=width, theme=theme)
                draw(page)
                stumbled += [f"{name}, {width} pixels: {text}" for text in problems(page)]
    assert not stumbled, "\n".join(stumbled)


def megabytes(files):
    return sum(file.stat().st_size for file in set(files) if file.is_file()) / 1e6
