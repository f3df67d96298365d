"""What a reader sees of an executed chapter: each rule on a cell of its own."""

import base64
import copy

import pytest

from helpers.book import page
from helpers.errors import Unfit

PNG = {"image/png": "iVBORw0KGgo="}
TABLE = {"text/html": "<table><caption>Rates</caption><tr><th>v (A)</th></tr></table>"}


def code(source, *outputs, tags=()):
    return {
        "cell_type": "code",
        "source": source,
        "id": "one",
        "execution_count": 1,
        "metadata": {"tags": list(tags)},
        "outputs": list(outputs),
    }


def text(source, tags=()):
    return {"cell_type": "markdown", "source": source, "metadata": {"tags": list(tags)}}


def shown(data):
    return {"output_type": "display_data", "data": copy.deepcopy(data), "metadata": {}}


def printed(said, name="stdout"):
    return {"output_type": "stream", "name": name, "text": said}


def of(*cells, tmp_path=None):
    notebook = {"cells": list(cells), "metadata": {}}
    before = copy.deepcopy(notebook)
    result = page.of(notebook, "04_heating", tmp_path)["cells"]
    assert notebook == before  # what was executed stays as it is
    return result


def test_a_chapter_by_another_profile_is_told_apart(tmp_path):
    """Its labels, the references to them and its title; a label of another chapter stays."""
    source = "#| label: fig-density\n#| caption: See {numref}`fig-density-all`.\ndraw()"
    said = shown({"text/markdown": "In {numref}`fig-density` and {numref}`fig-elsewhere`."})
    notebook = {
        "cells": [
            text("# 4 Heating rates: how fast?\n\nMuch."),
            code(source, shown(PNG | {"text/csv": "x\n1\n"})),
            code("#| label: fig-density-all\nmore()", shown(PNG), said),
        ],
        "metadata": {},
    }
    page_of = page.of(notebook, "04_heating", tmp_path, other="full")["cells"]
    first, drawn, link, more, *_ = page_of
    assert first["source"].startswith("# 4 Heating rates: how fast? (at the paper's size)\n")
    assert figure_of(drawn)["name"] == "fig-density-full"
    assert figure_of(drawn)["caption"] == "See {numref}`fig-density-all-full`."
    assert (tmp_path / "fig-density-full.csv").is_file() and "fig-density-full" in link["source"]
    assert figure_of(more)["name"] == "fig-density-all-full"
    outputs = [out["data"] for cell in page_of[3:] for out in cell.get("outputs", [])]
    words = [data["text/markdown"] for data in outputs if "text/markdown" in data]
    assert words == ["In {numref}`fig-density-full` and {numref}`fig-elsewhere`."]


def figure_of(cell):
    return cell["metadata"]["mystnb"]["figure"]


def test_what_a_cell_says_of_its_figure_is_number_caption_and_alternative_text(tmp_path):
    source = (
        "#| label: fig-density\n#| caption: The density falls: first\n#|   slowly, then fast.\n"
        "#| alt: A falling line.\n#| width: 80%\ndraw()"
    )
    (cell,) = of(code(source, shown(PNG)), tmp_path=tmp_path)
    assert cell["source"] == "draw()" and cell["metadata"]["tags"] == ["hide-input"]
    assert figure_of(cell)["name"] == "fig-density"
    assert figure_of(cell)["caption"] == "The density falls: first slowly, then fast."
    assert cell["metadata"]["mystnb"]["image"] == {"alt": "A falling line.", "width": "80%"}


@pytest.mark.parametrize("pixels, name", [(584, None), (716, "wide"), (1464, "widest")])
def test_a_wide_picture_is_marked_for_phones(tmp_path, pixels, name):
    start = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + pixels.to_bytes(4, "big") + bytes(60)
    drawn = {"image/png": base64.b64encode(start).decode()}
    (cell,) = of(code("draw()", shown(drawn)), tmp_path=tmp_path)
    assert cell["metadata"]["mystnb"]["image"].get("classes") == name


def test_a_figure_that_says_nothing_has_the_heading_above_it(tmp_path):
    cells = of(
        text("# 4\n\n## Enthalpy *(Fig. 4a)*"), code("draw()", shown(PNG)), tmp_path=tmp_path
    )
    assert figure_of(cells[1])["name"] == "fig-04-heating-1"
    assert figure_of(cells[1])["caption"] == "Enthalpy (Fig. 4a)."


def test_each_of_several_outputs_is_counted_and_what_is_printed_between_stays(tmp_path):
    cells = of(
        code("print(1)", printed("one\n"), shown(PNG), printed("two\n"), shown(PNG), shown(TABLE)),
        tmp_path=tmp_path,
    )
    outputs = [[o["output_type"] for o in c["outputs"]] for c in cells]
    assert outputs == [["stream"], ["display_data"], ["stream"], ["display_data"], ["display_data"]]
    names = [figure_of(c)["name"] for c in cells if "mystnb" in c["metadata"]]
    assert names == ["fig-04-heating-1", "fig-04-heating-2", "tbl-04-heating-1"]
    assert ["remove-input" in c["metadata"]["tags"] for c in cells] == [
        False,
        True,
        True,
        True,
        True,
    ]


def test_parameters_and_imports_are_not_shown(tmp_path):
    cells = of(
        code("a: int = 1  # [-] any | a", tags=["parameters"]),
        code("a = 2", tags=["injected-parameters"]),
        code("import os\nfrom pathlib import Path"),
        code("import os\nx = 1", tags=["imports"]),
        code("x = 1"),
        text("Words."),
        code("say()", tags=["show-input"]),
        tmp_path=tmp_path,
    )
    tags = [set(c["metadata"]["tags"]) - {"parameters", "injected-parameters"} for c in cells]
    assert tags[:4] == [{"remove-cell"}] * 2 + [{"remove-cell"}, {"imports", "remove-cell"}]
    assert tags[4:] == [{"hide-input"}, set(), {"show-input"}]


def test_cells_that_show_nothing_are_one_fold_with_the_next(tmp_path):
    cells = of(
        code("a = 1"),
        code("b = 2"),
        code("draw()", shown(PNG)),
        code("c = 3"),
        text("Words."),
        code("d = 4"),
        tmp_path=tmp_path,
    )
    assert [c["source"] for c in cells] == ["a = 1\n\nb = 2\n\ndraw()", "c = 3", "Words.", "d = 4"]
    assert figure_of(cells[0])["name"] == "fig-04-heating-1"


def test_how_results_came_here_goes_into_the_dropdown(tmp_path):
    cells = of(
        text("Profile small.", tags=[page.HEADER_TAG]),
        code("print(run())", printed("[reused] build/runs/a\nTf = 1100 K\n 50%|##    | 1/2\n")),
        code("run()", printed("atp: it has left physics\n")),  # not by a print of the page
        code("train()", printed("a warning\n", name="stderr")),
        tmp_path=tmp_path,
    )
    assert cells[1]["outputs"][0]["text"] == "Tf = 1100 K\n"
    assert not any(cell["outputs"] for cell in cells[2:])
    top = cells[0]["source"]
    assert top.startswith("::::{dropdown}") and "Profile small." in top
    assert "[reused] build/runs/a\n 50%|##    | 1/2\natp: it has left physics\na warning" in top
    assert "make chapter CHAPTER=04_heating" in top.rsplit("::::", 1)[1]


def test_a_table_has_units_a_frame_and_its_own_caption_outside(tmp_path):
    (cell,) = of(code("table()", shown(TABLE)), tmp_path=tmp_path)
    html = cell["outputs"][0]["data"]["text/html"]
    assert "v <span data-whole>(Å)</span>" in html and "<caption" not in html
    assert html.startswith('<div class="table-frame')
    assert figure_of(cell) == {
        "name": "tbl-04-heating-1", "caption": "Rates.", "classes": "tbl", "caption_before": True,
    }  # fmt: skip


def test_names_and_numbers_in_a_table_are_not_broken(tmp_path):
    words = ("20 K/ps, seed 1", "claims-20Kps-seed1", "112 000", "1710 ± 25", "35 (21–52)")
    words += ("a long description-like text",)
    rows = "".join(f"<td>{word}</td>" for word in words)
    (cell,) = of(code("t()", shown({"text/html": f"<table><tr>{rows}</table>"})), tmp_path=tmp_path)
    html = cell["outputs"][0]["data"]["text/html"]
    assert [f"<td data-whole>{word}</td>" in html for word in words] == [True] * 5 + [False]


FOUND = "- **Claim (2), slow: agrees.** Here: 3 +- 1 eV/A.\n- **Motion: none.** Here: x."


def chapter(*before, verdict=FOUND):
    """A chapter with a key figure and a verdict."""
    return [
        text("# 4 Rates\n\nOne paragraph\nof two lines.\n\n**You will learn** more."),
        *before,
        text("## Density"),
        code("#| label: fig-density\n#| caption: It falls.\ndraw()",
             shown(PNG | {"text/csv": "x\n1\n"}), tags=["figure", page.KEY_FIGURE]),
        text("## What this chapter found"),
        code("claims()", shown({"text/markdown": verdict}), tags=[page.VERDICT]),
    ]  # fmt: skip


def test_a_page_opens_with_a_paragraph_the_key_figure_and_the_verdict(tmp_path):
    cells = of(*chapter(text("Profile.", tags=[page.HEADER_TAG])), tmp_path=tmp_path)
    title, figure, numbers, short, learn, how = cells[:6]
    assert title["source"] == "# 4 Rates\n\nOne paragraph\nof two lines."
    assert figure_of(figure)["name"] == "fig-density" and figure["outputs"]
    assert figure["metadata"]["tags"] == ["remove-input"]
    assert "fig-density.csv" in numbers["source"]
    assert "- Claim (2), slow: agrees.\n- Motion: none." in short["source"]
    assert "Here:" not in short["source"] and "<found-04_heating>" in short["source"]
    assert learn["source"].startswith("**You will learn**")
    assert how["source"].startswith("::::{dropdown}")
    where = next(c for c in cells[6:] if c["source"] == "draw()")
    assert not where["outputs"] and "hide-input" in where["metadata"]["tags"]
    after = cells[cells.index(where) + 1]["source"]
    assert "{numref}`fig-density`, at the top of this page" in after
    assert any(c["source"].startswith("(found-04_heating)=\n## What this") for c in cells)
    assert "3 ± 1 eV/Å" in cells[-1]["outputs"][0]["data"]["text/markdown"]
    made = [c["id"] for c in cells if c.get("id", "one") != "one"]
    assert len(made) == len(set(made)) == 5


def test_of_many_verdicts_the_first_stand_at_the_top(tmp_path):
    many = "\n".join(f"- **Claim {k}: yes.** Here: x." for k in range(7))
    short = of(*chapter(verdict=many), tmp_path=tmp_path)[3]["source"]
    assert "- Claim 3: yes." in short and "Claim 4" not in short and "with 3 more" in short


def test_a_key_figure_that_is_not_drawn_leaves_the_page_as_it_is(tmp_path):
    cells = of(text("# 4 Rates\n\nWords.\n\nMore."),
               code("draw()", tags=["figure", page.KEY_FIGURE]), tmp_path=tmp_path)  # fmt: skip
    assert [c["source"] for c in cells] == ["# 4 Rates\n\nWords.\n\nMore.", "draw()"]


def test_a_sentence_that_says_nothing_is_not_shown(tmp_path):
    (cell,) = of(code("say()", shown({"text/markdown": ""})), tmp_path=tmp_path)
    assert not cell["outputs"]


def test_a_section_that_shows_nothing_is_left_out_and_what_is_below_it_stays(tmp_path):
    cells = of(
        text("# 4\n\nIntroduction.\n\n## Empty\n\nWords of what is not there."),
        code("draw()"),
        text("Still of it.\n\n### Deeper\n\nMore.\n\n## Full\n\nWords."),
        code("x = 1"),
        code("print(x)", printed("1\n")),
        text("## Prose\n\nNo code."),
        tmp_path=tmp_path,
    )
    words = " ".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    assert [part in words for part in ("Introduction", "Empty", "Still", "Deeper")] == [True] + [
        False
    ] * 3
    assert "## Full" in words and "## Prose" in words


def test_a_section_whose_figure_stands_at_the_top_stays(tmp_path):
    cells = of(
        text("# 4\n\nIntroduction.\n\n## The runs\n\nWords."),
        code("#| label: fig-key\n#| caption: c\ndraw()", shown(PNG), tags=["key-figure"]),
        tmp_path=tmp_path,
    )
    assert any("## The runs" in cell["source"] for cell in cells)


def test_what_is_long_is_folded(tmp_path):
    rows = "<table>" + "<tr><td>1</td></tr>" * 30 + "</table>"
    table, lines = of(
        code("table()", shown({"text/html": rows})),
        code("print(lines)", printed("line\n" * 40)),
        tmp_path=tmp_path,
    )
    assert "Show the table (29 rows)" in table["outputs"][0]["data"]["text/html"]
    assert "hide-output" in lines["metadata"]["tags"]
    option = "#| label: tbl-a\n#| caption: It.\n#| fold: no\n"
    (shown_whole,) = of(code(f"{option}table()", shown({"text/html": rows})), tmp_path=tmp_path)
    assert "Show the table" not in shown_whole["outputs"][0]["data"]["text/html"]


def test_the_numbers_of_a_figure_are_a_file_and_a_link(tmp_path):
    cells = of(code("draw()", shown(PNG | {"text/csv": "x,y\n1,2\n"})), tmp_path=tmp_path)
    assert (tmp_path / "fig-04-heating-1.csv").read_text() == "x,y\n1,2\n"
    assert '_static/data/fig-04-heating-1.csv" download' in cells[1]["source"]


def test_what_draws_nothing_is_not_shown(tmp_path):
    (cell,) = of(code("plot()", shown({"text/plain": "<Axes: xlabel='x'>"})), tmp_path=tmp_path)
    assert not cell["outputs"]


@pytest.mark.parametrize(
    "source, message",
    [
        ("#| lable: fig-a\ndraw()", "cell 1: `#| lable: fig-a` is none of"),
        ("#| label: density\ndraw()", "the label 'density' does not read fig-... or tbl-"),
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path, source, message):
    with pytest.raises(Unfit, match=message):
        of(code(source, shown(PNG)), tmp_path=tmp_path)


def test_a_label_twice_is_refused(tmp_path):
    one = code("#| label: fig-a\ndraw()", shown(PNG))
    with pytest.raises(Unfit, match="label 'fig-a' is there twice"):
        of(one, copy.deepcopy(one), tmp_path=tmp_path)


def test_a_power_of_ten_is_written_as_by_hand_but_not_in_code():
    table = shown({"text/html": "<table><tr><td>1.068e-06</td><td>p = 7e+14</td></tr></table>"})
    words = shown({"text/markdown": "By 2.4e+14 K per minute; `7e-06`, 5e27b1e-04c."})
    found = of(text("# T"), code("f()", table), code("g()", words))
    html = "".join(found[1]["outputs"][0]["data"]["text/html"])
    assert "1.068 · 10⁻⁶<" in html and "p = 7 · 10¹⁴<" in html
    said = found[2]["outputs"][0]["data"]["text/markdown"]
    assert said == "By 2.4 · 10¹⁴ K per minute; `7e-06`, 5e27b1e-04c."


def test_a_hyphen_before_a_number_is_a_minus_sign_but_not_in_code_or_a_date():
    cells = "<tr><td>-1.5 ± 0.2</td><td>2026-11-27</td><td>-1 to -3</td><td>q-100</td></tr>"
    table = shown({"text/html": f"<table><tr><th>E (meV)</th></tr>{cells}</table>"})
    sentence = 'Between -3 and 4 eV (-2 of all), run `make x ARGS="-p n -3"` of 2026-11-27.'
    words = shown({"text/markdown": sentence})
    found = of(text("# T"), code("f()", table), code("g()", words))
    html = "".join(found[1]["outputs"][0]["data"]["text/html"])
    assert ">−1.5 ± 0.2<" in html and ">−1 to −3<" in html
    assert "2026-11-27" in html and "q-100" in html
    said = found[2]["outputs"][0]["data"]["text/markdown"]
    assert said.startswith("Between −3 and 4 eV (−2 of all)") and "-p n -3" in said
