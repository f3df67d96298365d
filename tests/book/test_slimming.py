"""A smaller book shows the same: the pictures, the icons that are used."""

import io
import re
from pathlib import Path

import numpy as np
import pydata_sphinx_theme
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from helpers.book import slimming


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), int)


def test_a_chart_of_few_colours_gets_a_palette_and_is_the_same():
    chart = np.full((200, 300, 4), 255)
    chart[50:60, :, :3] = (0, 114, 178)
    chart[100, ::7, :3] = (213, 94, 0)
    packed = slimming.repacked(png(chart))
    assert Image.open(io.BytesIO(packed)).mode == "P"
    assert (pixels(packed) == chart[..., :3]).all()


def test_a_picture_of_many_colours_keeps_them_all():
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3))
    packed = slimming.repacked(png(noise))
    assert (pixels(packed) == noise).all()


def test_what_is_transparent_stays_as_it_was():
    clear = png(np.full((10, 10, 4), 128))
    assert slimming.repacked(clear) == clear


@pytest.fixture
def icons(tmp_path):
    """Font Awesome of the installed theme, beside a page that names two icons."""
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme"
    source = next(theme.rglob("static/scripts/fontawesome.js"))
    place = tmp_path / "_static" / "scripts" / "fontawesome.js"
    place.parent.mkdir(parents=True)
    place.write_text(source.read_text())
    (tmp_path / "page.html").write_text('<i class="fa-solid fa-bars"></i><i class="fa-times">')
    return tmp_path, place


def test_icons_that_no_page_names_are_left_out(icons):
    folder, script = icons
    before = script.stat().st_size
    slimming.slim(folder)
    text = script.read_text()
    assert script.stat().st_size < before / 10
    # one by its name, one by another of its names; another is gone
    assert re.search(r"\bbars:\[448", text) and '"times"' in text and "monero" not in text


def test_a_page_reads_the_same_without_its_indentation():
    page = (
        '<main>\n\n\n    <!-- a\n note -->\n <p>one \n  <code><span class="pre">two'
        '</span> <span class="pre">three</span></code></p>\n  <pre>\n  a\n\n  b</pre>'
        '\n<script>let a = "<!--";\n\n   let b;</script>\n</main>'
    )
    packed = slimming.short(page)
    assert len(packed) < 0.75 * len(page)
    before, after = (BeautifulSoup(text, "html.parser") for text in (page, packed))
    assert before.main.get_text(" ").split() == after.main.get_text(" ").split()
    for kept in ("pre", "script"):
        assert str(before.find(kept)) == str(after.find(kept))
