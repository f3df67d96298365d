"""The chapters as prose: short cells that fit the page, no code that a module should hold.

What is shown is described: every figure and every table has a label, a caption, and every figure
words for a reader who cannot see it (``#|`` lines at the top of the cell, as Quarto writes them).
"""

import ast
import itertools
import re

import jupytext
import pytest

from helpers import paths
from helpers.book import chapters

LINES = 12  # of code in a cell, without its #| lines; one of imports may have two more
COLUMNS = 79
NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("[0-9A]*.py"))
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def cells(notebook, kind="code"):
    return [c for c in jupytext.read(notebook).cells if c.cell_type == kind]


def tags(cell):
    return cell.metadata.get("tags", [])


def code(cell):
    return [line for line in cell.source.splitlines() if not line.startswith("#|")]


def options(cell):
    """``label``, ``caption`` and ``alt`` of a cell; a ``#|`` line without a name goes on."""
    found, name = {}, ""
    for line in itertools.takewhile(lambda one: one.startswith("#|"), cell.source.splitlines()):
        named = re.match(r"#\| (label|caption|alt|width|fold): (.*)", line)
        if named:
            name = named[1]
        found[name] = f"{found.get(name, '')} {named[2] if named else line[2:].strip()}".strip()
    return found


SHOWN = [  # code cells that a reader may open, not the parameters
    pytest.param(cell, id=f"{notebook.stem}-{number}")
    for notebook in NOTEBOOKS
    for number, cell in enumerate(cells(notebook), start=1)
    if not {"parameters", "remove-cell"} & set(tags(cell))
]


@pytest.mark.parametrize("cell", SHOWN)
def test_a_cell_fits_the_page_and_the_eye(cell):
    assert max(map(len, code(cell)), default=0) <= COLUMNS
    lines = [line for line in code(cell) if line]
    assert len(lines) <= LINES + 2 * ("imports" in tags(cell)), cell.source


@pytest.mark.parametrize("cell", SHOWN)
def test_a_cell_only_calls(cell):
    """No function, class or walrus, no comprehension in a comprehension, no chain of conditions."""
    for node in ast.walk(ast.parse(cell.source)):
        assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.NamedExpr))
        if isinstance(node, COMPREHENSIONS):
            inside = [n for child in ast.iter_child_nodes(node) for n in ast.walk(child)]
            assert not any(isinstance(n, COMPREHENSIONS) for n in inside)
            assert len(node.generators) == 1
        if isinstance(node, ast.IfExp):
            inside = [n for child in ast.iter_child_nodes(node) for n in ast.walk(child)]
            assert not any(isinstance(n, ast.IfExp) for n in inside)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_imports_stand_in_one_cell(notebook):
    shown = [c for c in cells(notebook) if "remove-cell" not in tags(c)]
    with_imports = [c for c in shown if re.search(r"^(from|import) ", c.source, re.M)]
    assert [tags(c) for c in with_imports] == [["imports"]]


@pytest.mark.parametrize("cell", SHOWN)
def test_what_is_shown_is_described(cell):
    said = options(cell)
    assert "" not in said
    if said:
        assert re.fullmatch(r"(fig|tbl)-[a-z0-9-]+", said["label"])
        assert len(said["caption"]) > 20 and said["caption"].endswith((".", "?", ")"))
    figure = said.get("label", "").startswith("fig-")
    assert figure == ("figure" in tags(cell)) == ("alt" in said)


def test_labels_are_unique():
    labels = [options(c)["label"] for n in NOTEBOOKS for c in cells(n) if "label" in options(c)]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_a_chapter_has_the_parts_that_a_reader_looks_for(notebook):
    text = "\n".join(c.source for c in cells(notebook, "markdown"))
    headings = re.findall(r"^## (.*)", text, re.M)
    assert "**You will learn" in text and "**It needs" in text
    for heading in ("What this chapter found", "To try", "What is still missing"):
        assert heading in headings
    to_try = text[text.index("## To try") :]
    assert len(re.findall(r"^\*\*Exercise \d", to_try, re.M)) == 3


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_three_exercises_have_a_solution_that_runs(notebook):
    assert len([c for c in cells(notebook) if "solution" in tags(c)]) == 3


def test_a_word_of_the_glossary_that_a_chapter_links_to_is_there():
    terms = (paths.ROOT / "book" / "glossary.md").read_text()
    for notebook in NOTEBOOKS:
        for cell in cells(notebook, "markdown"):
            for term in re.findall(r"\{term\}`(?:[^`<]*<)?([^`>]+)>?`", cell.source):
                assert re.search(rf"^{re.escape(term)}$", terms, re.M), (notebook.stem, term)


def test_every_chapter_is_looked_at():
    assert set(chapters.names()) <= {notebook.stem for notebook in NOTEBOOKS}
