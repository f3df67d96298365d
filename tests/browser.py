"""A headless Chromium that opens pages of a rendered book from disk and says what is wrong."""

import io
import os
import shutil
from contextlib import contextmanager

import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

WIDE, NARROW = 1300, 390
_FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
_FLAGS += ["--enable-unsafe-swiftshader"]
# boxes that scroll by themselves hold what is wider than the page
_TOO_WIDE = """() => [...document.querySelectorAll("article *")].filter((e) => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && box.right > innerWidth + 1
        && !e.closest(".table-frame, pre, .pst-scrollable-table-container, mjx-container")
        && !e.closest(".zif4-view")
        && !(e.matches("img") && getComputedStyle(e.parentElement).overflowX === "auto")
}).map((e) => `${e.tagName}.${e.className}`).slice(0, 5)"""
_UNNAMED = """() => {
    const wrong = [];
    for (const figure of document.querySelectorAll("article figure"))
        if (!(figure.querySelector("figcaption")?.textContent || "").trim())
            wrong.push(`figure ${figure.id} has no caption`);
    for (const image of document.querySelectorAll("article img"))
        if (!(image.alt || "").trim()) wrong.push(`${image.src} has no alternative text`);
    for (const image of document.querySelectorAll("article .cell_output img"))
        if (!image.closest("figure")) wrong.push(`${image.src} is no numbered figure`);
    return wrong;
}"""


def chromium() -> str:
    """The browser, from Debian's package ``chromium``; without it a test run by hand is skipped."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if not found and os.environ.get("CI"):
        pytest.fail("no chromium here: .ci/run installs Debian's package `chromium`")
    if not found:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    return found


@contextmanager
def opened(*flags, **context):
    """``with opened() as visit:``; ``visit(file)`` gives the page, its ``problems`` as a list."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=[*_FLAGS, *flags])

        def visit(file, *, width=WIDE, theme="light", query=""):
            for former in browser.contexts:
                former.close()
            one = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=theme, **context
            )
            one.set_default_timeout(120_000)  # a busy machine draws slowly
            page = one.new_page()
            page.problems = []
            note = page.problems.append
            page.on("console", lambda m: note(f"console: {m.text}") if m.type == "error" else None)
            page.on("pageerror", lambda error: note(f"script: {error}"))
            page.on("requestfailed", lambda request: note(f"not there: {request.url}"))
            page.on(
                "request",
                lambda request: (
                    None
                    if request.url.startswith(("file:", "data:", "blob:"))
                    else note(f"asks another host: {request.url}")
                ),
            )
            page.goto(f"file://{file}{query}")
            page.wait_for_load_state("load")
            return page

        yield visit
        browser.close()


def draw(page) -> int:
    """Scroll to every view of a page and wait until it is drawn; their number."""
    views = page.query_selector_all(".zif4-view")
    for view in views:
        view.scroll_into_view_if_needed()
        page.wait_for_function("v => v.dataset.state", arg=view, timeout=60_000)
        if (state := view.get_attribute("data-state")) != "drawn":
            page.problems.append(f"a {view.get_attribute('data-kind')} is {state}, not drawn")
            continue
        for drawn in view.query_selector_all("canvas, svg.main-svg"):
            picture = Image.open(io.BytesIO(drawn.screenshot())).convert("L")
            if len(picture.getcolors(256) or []) < 8:
                page.problems.append(f"a {view.get_attribute('data-kind')} is drawn empty")
            break
    return len(views)


def problems(page) -> list[str]:
    """What a reader would stumble over on a page that is open: width, captions, folds."""
    wrong = list(page.problems)
    width = page.viewport_size["width"]
    if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
        wrong.append(f"the page is {needed} pixels wide, the window {width}")
    wrong += [f"{name} reaches over the edge" for name in page.evaluate(_TOO_WIDE)]
    wrong += page.evaluate(_UNNAMED)
    closed = page.query_selector_all("article details:not([open])")
    for fold in closed[:5]:
        if fold.evaluate("d => d.parentElement.closest('details:not([open])')"):
            continue
        fold.query_selector("summary").click()
        if not fold.evaluate("d => d.open"):
            wrong.append("a fold does not open by a click")
    return wrong


def inaccessible(page) -> list[str]:
    """What axe-core finds wrong with the text of a page (WCAG 2 A and AA)."""
    from axe_playwright_python.sync_playwright import Axe

    rules = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]}}
    found = Axe().run(page, context="article", options=rules).response["violations"]
    return [f"{v['id']}: {v['help']} ({v['nodes'][0]['html'][:150]})" for v in found]
