"""The pages in a browser, from disk and without a network: one page that has everything."""

import re

import gallery
import pytest
from browser import NARROW, WIDE, draw, inaccessible, opened, problems
from bs4 import BeautifulSoup
from conftest import use

from helpers.book import execution, page_check, render


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The gallery, executed and rendered."""
    root = gallery.project(tmp_path_factory.mktemp("gallery") / "project")
    with pytest.MonkeyPatch.context() as patch:
        use(root, patch)
        patch.delenv("PYTHONPATH")
        execution.execute(gallery.CHAPTER, "small")
        folder = render.build("small")
        page_check.check(folder)
        yield folder


CHAPTER = f"notebooks/{gallery.CHAPTER}.html"


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_reader_stumbles_over_nothing(book, width, theme):
    with opened() as visit:
        for file in sorted([*book.glob("book/*.html"), book / CHAPTER]):
            page = visit(file, width=width, theme=theme)
            draw(page)
            assert not problems(page), file.name


def test_what_turns_and_what_is_looked_into_is_drawn(book):
    with opened() as visit:
        page = visit(book / CHAPTER)
        assert draw(page) == 7
        assert not page.is_visible("img.zif4-still >> nth=0")
        label = page.locator(".zif4-controls output").first
        assert label.text_content() == "300 K"
        page.locator(".zif4-play").first.click()
        page.wait_for_function("document.querySelector('.zif4-controls output').value != '300 K'")
        page.locator(".zif4-play").first.click()
        assert not page.problems


def test_boxes_switch_single_lines_and_groups_of_them_off(book):
    with opened() as visit:
        page = visit(book / CHAPTER)
        draw(page)
        figure = page.locator("#fig-density")
        figure.locator(".zif4-lines > summary").click()
        boxes = figure.locator(".zif4-lines input")  # 20 K/ps, its two seeds, 100 K/ps, its two
        shown = "plot => plot.data.slice(0, 4).map((line) => line.visible)"

        def lines():
            return [one is True for one in figure.locator(".js-plotly-plot").evaluate(shown)]

        boxes.nth(1).uncheck()
        assert lines() == [False, True, True, True]
        assert boxes.nth(0).evaluate("box => box.indeterminate")
        boxes.nth(3).uncheck()
        assert lines() == [False, True, False, False] and not boxes.nth(5).is_checked()
        page.evaluate("document.documentElement.dataset.theme = 'dark'")  # new colours
        page.wait_for_timeout(1000)
        assert lines() == [False, True, False, False]
        figure.locator(".updatemenu-button").nth(0).click()  # the density again, all of it
        page.wait_for_timeout(1000)
        assert lines() == [True] * 4 and boxes.nth(5).is_checked()
        assert not page.problems


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_of_many_runs_the_means_are_shown_until_a_button_brings_the_runs_in(book, width):
    with opened() as visit:
        page = visit(book / CHAPTER, width=width)
        draw(page)
        figure = page.locator("#fig-means")
        assert figure.locator(".legendtext").all_text_contents() == ["20 K/ps", "100 K/ps"]
        plot, lines = figure.locator(".js-plotly-plot"), "plot => plot.data.map((d) => d.visible)"
        assert plot.evaluate(lines).count(True) == 2
        figure.locator(".zif4-lines > summary").click()
        box = figure.locator(".zif4-lines input").nth(2)  # the rate, its mean, its first run
        assert not box.is_checked()
        figure.locator(".updatemenu-button").nth(1).click()
        page.wait_for_timeout(1000)
        assert plot.evaluate(lines) == [True] * 16 and box.is_checked()
        assert not page.problems


def test_a_figure_of_several_panels_keeps_its_size_on_a_phone_and_scrolls(book):
    with opened() as visit:
        for width, shrinks in ((WIDE, True), (NARROW, False)):
            page = visit(book / CHAPTER, width=width)
            figure, picture = (page.locator(f"#fig-panels{inside}") for inside in ("", " > img"))
            sizes = [one.bounding_box()["width"] for one in (figure, picture)]
            assert (sizes[1] <= sizes[0]) == shrinks and sizes[0] <= width
            assert shrinks or sizes[1] > 800


def test_a_wide_formula_says_that_it_goes_on_and_can_be_read_to_its_end(book):
    with opened() as visit:
        page = visit(book / CHAPTER, width=NARROW)
        formula = page.locator("article div.math.goes-on")
        formula.wait_for()
        inside = page.locator("article div.math mjx-math")
        assert inside.bounding_box()["x"] >= 0  # nothing is lost on the left
        page.evaluate("document.querySelector('div.math').scrollLeft = 9999")
        formula.wait_for(state="detached")
        assert inside.evaluate("e => e.getBoundingClientRect().right") <= NARROW
        page.set_viewport_size({"width": WIDE, "height": 900})
        page.wait_for_timeout(500)
        formula.wait_for(state="detached")  # on a busy machine later than that


def test_a_long_name_breaks_behind_its_dots(book):
    with opened() as visit:
        name = visit(book / CHAPTER, width=NARROW).locator("h3 code")
        assert name.inner_text().split() == ["helpers.observables.coordination_number"]
        lines = name.evaluate(
            """(code) => [...code.querySelectorAll("wbr")].map((b) => b.previousSibling.data)"""
        )
        assert lines == ["helpers.", "observables.", "coordination_"]


def test_a_figure_keeps_its_height_when_the_window_and_the_theme_change(book):
    with opened() as visit:
        page = visit(book / CHAPTER, width=NARROW)
        draw(page)
        plot = page.locator("#fig-density .js-plotly-plot")
        before = plot.bounding_box()["height"]
        page.set_viewport_size({"width": NARROW, "height": 700})
        page.wait_for_timeout(1000)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        page.wait_for_timeout(1000)
        assert plot.bounding_box()["height"] == before > 450


def test_all_code_opens_by_one_button(book):
    with opened() as visit:
        page = visit(book / CHAPTER)
        code = page.locator("details.above-input")
        assert code.count() > 5 and not code.first.evaluate("d => d.open")
        page.click("text=Show all code")
        assert code.evaluate_all("all => all.every((d) => d.open)")


@pytest.mark.parametrize(
    "flags, context",
    [([], {"java_script_enabled": False}), (["--disable-3d-apis", "--disable-gpu"], {})],
    ids=["no JavaScript", "no WebGL"],
)
def test_the_still_image_stays_where_nothing_can_turn(book, flags, context):
    with opened(*flags, **context) as visit:
        page = visit(book / CHAPTER)
        still = page.locator("#fig-cell img.zif4-still")
        still.scroll_into_view_if_needed()
        page.wait_for_timeout(1500)
        assert still.is_visible() and page.locator("#fig-cell canvas").count() == 0


def test_the_search_finds_a_word_of_the_text_and_none_of_the_code(book):
    with opened() as visit:
        for word, found in (("imidazolate", True), ("default_rng", False)):
            page = visit(book / "search.html", query=f"?q={word}")
            page.wait_for_selector(".search-summary, #search-results p", timeout=20_000)
            page.wait_for_timeout(1500)
            assert bool(page.locator("#search-results li").count()) == found, word
            assert not page.problems


def test_the_text_is_accessible(book):
    with opened() as visit:
        for name in (CHAPTER, "book/index.html", "book/form.html", "book/references.html"):
            page = visit(book / name)
            draw(page)
            assert not inaccessible(page), name


def test_the_form_writes_the_command_and_refuses_what_is_not_allowed(book):
    with opened() as visit:
        page = visit(book / "book/form.html")
        command = page.locator(".zif4-form .command")
        assert command.text_content() == f"make chapter CHAPTER={gallery.CHAPTER} PROFILE=small"
        page.fill("#parameter-count", "5")
        page.fill("#parameter-names", "[a, b]")
        assert command.text_content().endswith("ARGS=\"-p count 5 -p names '[a, b]'\"")
        page.fill("#parameter-count", "12")
        assert "not allowed" in command.text_content()
        assert "outside 1..9" in page.locator(".why >> nth=0").text_content()


def test_the_numbers_of_a_figure_can_be_had(book):
    page = (book / CHAPTER).read_text()
    files = re.findall(r'href="(\.\./_static/data/[\w-]+\.csv)"', page)
    assert len(files) == 6  # four to look into, two plain
    text = (book / "notebooks" / files[0]).resolve().read_text()
    assert text.splitlines()[0] == "rate,seed,temperature_K,density_g_cm3,enthalpy_eV_per_atom"


def test_figures_and_tables_are_counted_apart_and_referred_to(book):
    index = (book / "book/index.html").read_text()
    assert re.search(r'href="[^"]*#fig-density"><span class="std std-numref">Figure \d', index)
    assert re.search(r'href="[^"]*#tbl-rates"><span class="std std-numref">Table 1<', index)
    chapter = (book / CHAPTER).read_text()
    tree = BeautifulSoup(chapter, "html.parser")
    text = tree.get_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "density (g/cm³)" in text and "1.2 ± 0.1" in text
    assert "[reused] build/runs/some-run" in tree.select_one("details.how-made").get_text()
    assert not any("[reused]" in out.get_text() for out in tree.select(".cell_output"))
    assert "import numpy" not in chapter and "injected" not in chapter
