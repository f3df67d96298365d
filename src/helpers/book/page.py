"""An executed chapter as its readers see it: the story in front, the work behind a click.

A chapter is executed as it is written (`helpers.book.execution`). Here it becomes a page:

- code is folded, cells that show nothing together with the next one; the parameters, the imports
  and cells that only import are left out;
- how the page was made, its parameters, what was reused and the progress bars are one dropdown;
- a cell that begins with comments ``#| label:``, ``#| caption:``, ``#| alt:`` shows a numbered
  figure (``label: fig-...``) or table (``tbl-...``) with caption and alternative text, and a link
  to its numbers where it has any. Another ``#|`` line goes on with the one above it;
- what is long (input of LAMMPS, long tables) is folded, and tables scroll where they are too wide;
- below title and first paragraph stand the figure of the cell that is tagged ``key-figure`` and the
  verdicts of the one tagged ``verdict``, then the story. A line leads from the cell to its figure;
- what a cell without ``print`` prints is an announcement of its helpers, and goes to the dropdown;
- a section whose code shows nothing, since this copy has not computed it, is left out.

Nothing of the results is changed, and the executed notebook stays as it is.
"""

from __future__ import annotations

import ast
import base64
import copy
import html
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from helpers import units
from helpers.book import parameters
from helpers.book.execution import HEADER_TAG
from helpers.errors import Unfit
from helpers.report import interactive, structure_view

IMPORTS = "imports"
KEY_FIGURE = "key-figure"
VERDICT = "verdict"
SOLUTION = "solution"
_NOT_SHOWN = {"remove-cell", "remove_cell"}
_SHOW_INPUT = "show-input"  # of a cell whose code is the point
_FIGURES = ("image/png", "image/svg+xml", "image/jpeg")
_DATA = "text/csv"
_MARKDOWN = "text/markdown"
_LOOKED_INTO = {structure_view.MIME, interactive.MIME}
_LONG_LINES = 25
_MOST_IN_SHORT = 4  # verdicts at the top of a page
_FOUND = re.compile(r"^## What this chapter found$", re.M)
_LONG_ROWS = 16
_OPTION = re.compile(r"#\|\s?(.*)")
_KEY = re.compile(r"(label|caption|alt|width|fold):\s*(.*)")
_LABEL = re.compile(r"(fig|tbl)-[a-z0-9-]+")
_HEADING = re.compile(r"^(#{2,6}) ", re.M)
_DRAWN = "drawn"  # of the line that leads from a cell to its figure at the top
#: lines that say how a result came here rather than what it is
_MADE = re.compile(
    r"^\[(reused|made|resumed|compiled|trained|fetched)\b|\d+%\|.*\||; what it computed is kept;"
)
#: cells of a table that are not to be broken: a name with hyphens, a number with its error
_WHOLE = re.compile(
    r"(<td(?: [^>]*)?)>\s*"
    r"([^<>\s]{2,16}(?:-[^<>\s]*){1,4}"
    r"|[-+>~]? ?[\d., ]+(?: ± [\d.]+)?(?: \([\d.]+(?:–| to )[\d.]+\))?)\s*</t"
)
#: the first cell of a row, where it is a name of a word or two
_NAME = re.compile(r"(<tr[^>]*>\s*<t[dh](?:(?! data-whole)[^>])*)>(?=\s*[^<>\s][^<>]{0,19}</t)")
_POWER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-])0*(\d+)\b")  # 7e-06
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MINUS = re.compile(r"(?<=[>\s(\[])-(?=\d)")  # a hyphen that is one
_UNIT_AT_END = re.compile(r"\((?![\d.]+(?:–| to ))([^()<>]+)\)(?=\s*</t[hd]>)")  # no limits


def name(chapter: str, other: str = "") -> str:
    """The name of a chapter's page.

    Parameters
    ----------
    chapter : str
        Name of the chapter.
    other : str
        Its profile, if that is not the one of the book.

    Returns
    -------
    str
        Name of the file, without suffix.
    """
    return f"{chapter}_{other}" if other else chapter


def of(
    notebook: dict,
    chapter: str,
    data_folder: Path,
    form: str = "",
    other: str = "",
    beside: Sequence[str] = (),
) -> dict:
    """The page of an executed chapter, as a notebook.

    Parameters
    ----------
    notebook : dict
        The executed notebook (nbformat 4); it is not changed.
    chapter : str
        Name of the chapter.
    data_folder : Path
        Folder for the numbers of the figures, as CSV files; made if needed.
    form : str
        Address of the page with the form of parameters; empty if the book has none.
    other : str
        Profile of the chapter, if that is not the one of the book: the name is part of the page's
        title and labels, as the book has a page of the same chapter.
    beside : sequence of str
        Profiles by which the same chapter stands in the book, too.

    Returns
    -------
    dict
        The notebook to be rendered.

    Raises
    ------
    Unfit
        A ``#|`` line cannot be understood, or a label is used twice; the message names the cell or
        the chapter.
    """
    page = copy.deepcopy(notebook)
    if other:
        _tell_apart(page, other)
    title = name(chapter, other)
    made: list[str] = []
    labels: set[str] = set()
    heading, counted = "", {"fig": 0, "tbl": 0}
    cells: list[dict] = []
    key: list[dict] = []
    for number, cell in enumerate(page["cells"], 1):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            found = re.findall(r"^#+\s+(.*)$", text, re.M)
            heading = found[-1] if found else heading
            cells.append(cell)
            continue
        if cell["cell_type"] != "code":
            cells.append(cell)
            continue
        try:
            code, said = options(text)
        except Unfit as error:
            raise Unfit(f"{chapter}, cell {number}: {error}") from None
        cell["source"] = code
        tags = set(cell["metadata"].get("tags", []))
        if parameters.TAG in tags or "injected-parameters" in tags:
            made += _taken_out(cell)
            cell["metadata"]["tags"] = sorted(tags | {"remove-cell"})
            cells.append(cell)
            continue
        made += _taken_out(cell)
        if IMPORTS in tags or _only_imports(code):
            tags |= {"remove-input"} if cell["outputs"] else {"remove-cell"}
        elif _SHOW_INPUT not in tags and code.strip():
            tags |= {"hide-input"}
        if SOLUTION in tags:
            prompts = {"code_prompt_show": "Solution", "code_prompt_hide": "Hide the solution"}
            cell["metadata"].setdefault("mystnb", {}).update(prompts)
        cell["metadata"]["tags"] = sorted(tags)
        shown = _shown(cell, said, title, heading, counted, labels, data_folder)
        if KEY_FIGURE in tags and not key:
            key, shown = _moved_up(shown)
        cells += shown
    cells = _without_empty_sections(cells)
    cells = _with_how_made(_merged(cells), made, _again(page, chapter, form, beside))
    page["cells"] = _opened(cells, [*key, *_in_short(cells, title)])
    return page


def _tell_apart(page: dict, other: str) -> None:
    """Labels, references to them, and the title of a chapter that the book has twice."""
    labels = re.findall(
        r"^#\|\s?label:\s*(\S+)", "\n".join("".join(c["source"]) for c in page["cells"]), re.M
    )
    own = "|".join(map(re.escape, sorted(labels, key=len, reverse=True)))
    used = re.compile(rf"(#\|\s?label:\s*|\{{numref\}}`)({own})\b(?!-)")

    def renamed(text: str | list[str]) -> str:
        return used.sub(rf"\1\2-{other}", "".join(text)) if labels else "".join(text)

    for cell in page["cells"]:
        cell["source"] = renamed(cell["source"])
        for out in cell.get("outputs", []):
            if _MARKDOWN in out.get("data", {}):
                out["data"][_MARKDOWN] = renamed(out["data"][_MARKDOWN])
    first = page["cells"][0]
    first["source"] = re.sub(r"\A(# .*)", rf"\1 ({how(other)})", first["source"])


def how(profile: str) -> str:
    """What a reader is told of a page by another profile than that of the book.

    Parameters
    ----------
    profile : str
        Name of the other profile.

    Returns
    -------
    str
        "at the paper's size" of the profile ``full``, else the name of the profile.
    """
    return "at the paper's size" if profile == "full" else f"by profile {profile}"


def is_table(output: dict) -> bool:
    """Whether an output is shown as an HTML table.

    Parameters
    ----------
    output : dict
        Output of a cell (nbformat 4).

    Returns
    -------
    bool
        True if it is.
    """
    return "<table" in "".join(output.get("data", {}).get("text/html", ""))


def is_figure(output: dict) -> bool:
    """Whether an output is shown as a picture, perhaps one that can be turned or looked into.

    Parameters
    ----------
    output : dict
        Output of a cell (nbformat 4).

    Returns
    -------
    bool
        True if it is.
    """
    return any(kind in output.get("data", {}) for kind in _FIGURES)


def options(source: str) -> tuple[str, dict[str, str]]:
    """Separate the leading ``#|`` lines of a cell from its code.

    Parameters
    ----------
    source : str
        Text of the cell.

    Returns
    -------
    code : str
        The text without these lines.
    options : dict of str to str
        What they say: ``label``, ``caption``, ``alt``, ``width`` and ``fold``, as far as given.

    Raises
    ------
    Unfit
        A line is none of these options, or the label does not read ``fig-...`` or ``tbl-...``.
    """
    lines, options, key = source.splitlines(), {}, None
    while lines and (match := _OPTION.match(lines[0])):
        text, goes_on = match[1].strip(), key is not None and match[1].startswith(" ")
        if not goes_on and (found := _KEY.match(text)):
            key = found[1]
            options[key] = found[2]
        elif not goes_on:
            known = "#| label:, #| caption:, #| alt:, #| width:, #| fold:"
            raise Unfit(f"`{lines[0]}` is none of {known}")
        else:
            options[key] += f" {text}"
        lines.pop(0)
    if (label := options.get("label")) is not None and not _LABEL.fullmatch(label):
        raise Unfit(f"the label {label!r} does not read fig-... or tbl-... in small letters")
    return "\n".join(lines).lstrip("\n"), options


def _moved_up(cells: list[dict]) -> tuple[list[dict], list[dict]]:
    """The figure of a cell for the top of the page, and the cell with a line that leads there."""
    figure = next((c for c in cells if "figure" in c["metadata"].get("mystnb", {})), None)
    if figure is None or not is_figure(figure["outputs"][0]):
        return [], cells
    at_top = copy.deepcopy(figure)
    at_top["id"] = f"top-{figure.get('id', 'figure')}"[:64]
    at_top["metadata"]["tags"] = ["remove-input"]
    label = at_top["metadata"]["mystnb"]["figure"]["name"]
    figure["outputs"] = []
    del figure["metadata"]["mystnb"]["figure"]
    text = f"This draws {{numref}}`{label}`, at the top of this page."
    line = _markdown(text, f"{_DRAWN}-{label}")
    links = [c for c in cells if c["cell_type"] == "markdown"]  # to the numbers of the figure
    stay = [c for c in cells if c["cell_type"] != "markdown"]
    return [at_top, *links], [*stay, line]


def _in_short(cells: list[dict], chapter: str) -> list[dict]:
    """The verdicts of a chapter without their grounds, and a link to these."""
    verdict = next((c for c in cells if VERDICT in c["metadata"].get("tags", [])), None)
    said = [
        found
        for out in (verdict or {}).get("outputs", [])
        for found in re.findall(
            r"^- \*\*(.*?)\*\*", "".join(out.get("data", {}).get(_MARKDOWN, "")), re.M
        )
    ]
    heading = next(
        (c for c in cells if c["cell_type"] == "markdown" and _FOUND.search("".join(c["source"]))),
        None,
    )
    if not said or heading is None:
        return []
    target = f"found-{chapter}"
    heading["source"] = _FOUND.sub(rf"({target})=\n\g<0>", "".join(heading["source"]), count=1)
    more = len(said) - _MOST_IN_SHORT
    left = f", with {more} more" if more > 0 else ""
    listed = "\n".join(f"- {one}" for one in said[:_MOST_IN_SHORT])
    text = (
        f":::{{admonition}} In short\n:class: tip in-short\n\n{listed}\n\n"
        f"What the paper says and what was measured: {{ref}}`What this chapter found <{target}>`"
        f"{left}.\n:::"
    )
    return [_markdown(text, f"in-short-{chapter}")]


def _opened(cells: list[dict], top: list[dict]) -> list[dict]:
    """The page with its title, one paragraph, and then what is to be seen first."""
    if not top or not cells or cells[0]["cell_type"] != "markdown":
        return cells
    title, *rest = re.split(r"\n{2,}", "".join(cells[0]["source"]).strip())
    first = cells[0] | {"source": "\n\n".join([title, *rest[:1]])}
    after = [_markdown("\n\n".join(rest[1:]), "after-the-top")] if rest[1:] else []
    return [first, *top, *after, *cells[1:]]


def _markdown(text: str, name: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": text, "id": name[:64]}


def _without_empty_sections(cells: list[dict]) -> list[dict]:
    """The page without sections that have code but show nothing of it.

    A section goes from its heading to the next one of its level, or of a higher one.
    """
    pieces: list[dict] = []
    for cell in cells:
        text = "".join(cell["source"])
        starts = [m.start() for m in _HEADING.finditer(text)]
        if cell["cell_type"] != "markdown" or "```" in text or not any(starts):
            pieces.append(cell)
            continue
        bounds = [*dict.fromkeys([0, *starts]), len(text)]
        for number, (start, end) in enumerate(pairwise(bounds)):
            name = f"{cell.get('id', 'text')[:50]}-{number}"
            pieces.append(cell | {"source": text[start:end].strip(), "id": name})
    levels = [_level(cell) for cell in pieces]
    left_out: set[int] = set()
    for first, level in enumerate(levels):
        if not level:
            continue
        after = range(first + 1, len(pieces))
        end = next((k for k in after if 0 < levels[k] <= level), len(pieces))
        inside = pieces[first:end]
        code = [c for c in inside if c["cell_type"] == "code" and not _hidden(c)]
        led = any(c.get("id", "").startswith(_DRAWN) for c in inside)
        if code and not led and not any(c["outputs"] for c in code):
            left_out |= set(range(first, end))
    return [cell for k, cell in enumerate(pieces) if k not in left_out] if left_out else cells


def _level(cell: dict) -> int:
    """Of the heading a cell begins with: 2 for ``##``; 0 without one."""
    found = _HEADING.match("".join(cell["source"])) if cell["cell_type"] == "markdown" else None
    return len(found[1]) if found else 0


def _hidden(cell: dict) -> bool:
    return bool(_NOT_SHOWN & set(cell["metadata"].get("tags", [])))


def _only_imports(code: str) -> bool:
    """Whether a cell does nothing but import."""
    try:
        body = ast.parse(code).body
    except SyntaxError:  # a magic
        return False
    return bool(body) and all(isinstance(s, (ast.Import, ast.ImportFrom)) for s in body)


def _taken_out(cell: dict) -> list[str]:
    """Take what a cell printed about how its results came here out of it, line by line.

    What a cell without `print` prints, its helpers announce.
    """
    announced = "print(" not in "".join(cell["source"])
    said, kept = [], []
    for out in cell["outputs"]:
        if out["output_type"] != "stream":
            kept.append(out)
            continue
        lines = "".join(out["text"]).splitlines()
        log = announced or out["name"] == "stderr"
        told = lines if log else [x for x in lines if _MADE.search(x)]
        said += [line.rstrip() for line in told if line.strip()]
        rest = "\n".join(line for line in lines if line not in told)
        if rest.strip():
            kept.append(out | {"text": rest + "\n"})
    cell["outputs"] = kept
    return said


def _shown(
    cell: dict,
    options: dict[str, str],
    chapter: str,
    heading: str,
    counted: dict[str, int],
    labels: set[str],
    data_folder: Path,
) -> list[dict]:
    """A cell as one or more, each with at most one figure or table, numbered and captioned."""
    outputs = [out for out in cell["outputs"] if not _is_nothing(out)]
    for out in outputs:
        if is_table(out):
            fold = options.get("fold") != "no"
            out["data"]["text/html"] = _readable(out["data"]["text/html"], fold=fold)
        if _MARKDOWN in out.get("data", {}):
            out["data"][_MARKDOWN] = _in_words("".join(out["data"][_MARKDOWN]))
    pieces: list[list[dict]] = [[]]
    for out in outputs:
        if is_figure(out) or is_table(out):
            pieces += [[out], []] if pieces[-1] else [[]]
            if not pieces[-2]:
                pieces[-2].append(out)
        else:
            pieces[-1].append(out)
    pieces = [piece for piece in pieces if piece] or [[]]
    made, first = [], True
    for piece in pieces:
        one = copy.deepcopy(cell) if not first else cell
        one["outputs"] = piece
        if not first:
            one["metadata"]["tags"] = sorted({*one["metadata"]["tags"], "remove-input"})
            one["id"] = f"{cell.get('id', 'cell')[:50]}-{len(made)}"
        kind = next(
            (
                k
                for k, is_one in (("fig", is_figure), ("tbl", is_table))
                if piece and is_one(piece[0])
            ),
            None,
        )
        links: list[dict] = []
        if kind:
            counted[kind] += 1
            links = _caption(
                one, piece[0], kind, options, chapter, heading, counted[kind], labels, data_folder
            )
        elif sum("".join(o.get("text", "")).count("\n") for o in piece) > _LONG_LINES:
            one["metadata"]["tags"] = sorted({*one["metadata"]["tags"], "hide-output"})
            one["metadata"].setdefault("mystnb", {})["code_prompt_show"] = "Show the {type}"
        made += [one, *links]
        first = False
    return made


def _caption(cell, out, kind, options, chapter, heading, number, labels, data_folder) -> list[dict]:
    """Write label, caption and alternative text where myst-nb reads them; the link to the numbers.

    What a cell says of itself holds for its first figure or table of that kind; any other has
    the heading above it for a caption.
    """
    label = options.get("label", "")
    own = bool(options) and not options.get("used") and (not label or label.startswith(kind))
    label = label if own and label else f"{kind}-{chapter.replace('_', '-')}-{number}"
    if label in labels:
        raise Unfit(f"{chapter}: the label {label!r} is there twice")
    labels.add(label)
    caption = options.get("caption", "") if own else ""
    inside = ""
    if kind == "tbl":
        out["data"]["text/html"], inside = _without_caption(out["data"]["text/html"])
    caption = caption or inside or f"{_plain(heading)}."
    alt = (options.get("alt", "") if own else "") or caption
    if own:
        options["used"] = "yes"
    settings = cell["metadata"].setdefault("mystnb", {})
    settings["figure"] = {"name": label, "caption": caption, "classes": kind}
    if kind == "tbl":
        settings["figure"]["caption_before"] = True
        return []
    settings["image"] = {"alt": _plain(alt)}
    if across := width_class(out["data"]):
        settings["image"]["classes"] = across
    if width := options.get("width") if own else None:
        settings["image"]["width"] = width
    text = "".join(out["data"].pop(_DATA, ""))
    if not text:
        return []
    data_folder.mkdir(parents=True, exist_ok=True)
    (data_folder / f"{label}.csv").write_text(text, encoding="utf-8")
    link = (
        f'<p class="figure-data"><a href="../_static/data/{label}.csv" download>'
        f"Numbers of this figure (CSV)</a></p>"
    )
    return [_markdown(link, f"data-{label}")]


def width_class(data: dict) -> str:
    """How wide a picture is, as a class by which a phone scrolls it instead of shrinking it.

    Parameters
    ----------
    data : dict
        MIME bundle of the picture.

    Returns
    -------
    str
        ``wide``, ``wider`` or ``widest``; empty for a small one, and for what a script draws anew.
    """
    if "image/png" not in data or set(data) & _LOOKED_INTO:
        return ""
    start = base64.b64decode("".join(data["image/png"])[:64])
    pixels = int.from_bytes(start[16:20], "big")  # of a PNG's first block
    steps = ((1200, "widest"), (900, "wider"), (640, "wide"))
    return next((name for least, name in steps if pixels >= least), "")


def _is_nothing(out: dict) -> bool:
    """Outputs that say nothing: the repr of an Axes, of None."""
    data = out.get("data", {})
    if _MARKDOWN in data:
        return not "".join(data[_MARKDOWN]).strip()
    text = "".join(data.get("text/plain", ""))
    return set(data) == {"text/plain"} and bool(
        re.match(
            r"^(<(Axes|Figure|matplotlib|Text|Legend)|\[<matplotlib|\(<Figure|None$|Text\()", text
        )
    )


def _in_words(text: str) -> str:
    """A sentence of a helper with the signs and units that a reader knows."""
    for plain, read in ((" +- ", " ± "), ("eV/A^3", "eV/Å³"), ("eV/A", "eV/Å"), ("g/cm3", "g/cm³")):
        text = text.replace(plain, read)
    pieces = text.split("`")  # every other one is code
    words = [piece if k % 2 else _MINUS.sub("−", _powers(piece)) for k, piece in enumerate(pieces)]
    return "`".join(words)


def _powers(text: str) -> str:
    """Powers of ten as they are written by hand.

    >>> _powers("a drift of 7.5e-06, of 2.4e+14")
    'a drift of 7.5 · 10⁻⁶, of 2.4 · 10¹⁴'
    """
    return _POWER.sub(
        lambda m: f"{m[1]} · 10{(m[2] + m[3]).lstrip('+').translate(_SUPERSCRIPT)}", text
    )


def _readable(table: str | Sequence[str], *, fold: bool = True) -> str:
    """A table in a frame that scrolls; units in brackets as read; folded when it is long."""
    text = _powers("".join(table))
    text = _UNIT_AT_END.sub(lambda m: f"<span data-whole>({units.pretty(m[1])})</span>", text)
    text = text.replace(" +/- ", " ± ").replace(" +- ", " ± ")
    text = re.sub(r"(?<=\d) A(?= to |\s*</th>)", " Å", text)
    text = _WHOLE.sub(r"\1 data-whole>\2</t", text)
    text = _NAME.sub(r"\1 data-whole>", text)
    text = _MINUS.sub("−", text)
    text = re.sub(r"<th(?![^>]*scope)([^>]*class=\"[^\"]*col_heading)", r'<th scope="col"\1', text)
    framed = (
        '<div class="table-frame" tabindex="0" role="region" aria-label="table, scrolls sideways">'
        f"{text}</div>"
    )
    rows = text.count("<tr")
    if rows <= _LONG_ROWS or not fold:
        return framed
    return (
        f'<details class="long-table"><summary>Show the table ({rows - 1} rows)</summary>'
        f"{framed}</details>"
    )


def _without_caption(table: str) -> tuple[str, str]:
    """A table without the caption in it, and that caption as plain text."""
    match = re.search(r"<caption>(.*?)</caption>", table, re.S)
    if not match:
        return table, ""
    words = html.unescape(re.sub(r"<[^>]+>", "", match[1])).strip()
    return table.replace(match[0], "", 1), f"{words.rstrip('.')}." if words else ""


def _plain(text: str) -> str:
    """Markdown as words, for an alternative text."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\{\w+\}`([^`<]*?)(?:\s*<[^>]*>)?`", r"\1", text)
    return re.sub(r"[*_`$\\{}]", "", text).strip()


def _merged(cells: list[dict]) -> list[dict]:
    """Cells with folded code joined with the one after them where they show nothing themselves.

    Between two pieces of text there is then one fold, not one a cell.
    """
    kept: list[dict] = []
    for cell in cells:
        before = kept[-1] if kept else {}
        folded = [
            one.get("cell_type") == "code" and set(one["metadata"]["tags"]) & {"hide-input"}
            for one in (before, cell)
        ]
        if all(folded) and not before["outputs"]:
            cell = copy.copy(cell)
            cell["source"] = f"{before['source']}\n\n{cell['source']}"
            cell["metadata"] = copy.deepcopy(cell["metadata"])
            kept.pop()
        kept.append(cell)
    return kept


def _again(notebook: dict, chapter: str, form: str, beside: Sequence[str]) -> str:
    """The line by which a reader executes this chapter with another value."""
    profile = notebook["metadata"].get("zif4", {}).get("profile", "small")
    pick = f"; [pick values in a form]({form})" if form else ""
    written = f'<a href="../_sources/notebooks/{chapter}.ipynb" download>as a notebook</a>'
    return (
        f'Run it yourself: `make chapter CHAPTER={chapter} PROFILE={profile} ARGS="-p name value"`'
        f"{pick}. This chapter {written}."
        + "".join(f" [The same {how(x)}]({name(chapter, x)}.ipynb)." for x in beside)
    )


def _with_how_made(cells: list[dict], made: list[str], again: str) -> list[dict]:
    """The cell that says how the page was made, as one dropdown with all that was printed of it."""
    for cell in cells:
        if HEADER_TAG in cell["metadata"].get("tags", []):
            text = "".join(cell["source"])
            log = "\n".join(dict.fromkeys(made))
            log = f"\n\nWhat was made and what was reused:\n\n```text\n{log}\n```" if log else ""
            cell["source"] = (
                f"::::{{dropdown}} How this page was made, and its parameters\n:class-container: "
                f"how-made\n\n{text}{log}\n::::\n\n{again}"
            )
    return cells


_ROLE = re.compile(r"\{([a-z:]+)\}`([^`<]*?)\s*(?:<([^`>]*)>)?`")


def without_roles(text: str) -> str:
    """Markdown without what only the book's renderer understands, for a page of its own.

    >>> without_roles("the {term}`PMF` by {cite:p}`keen2001`, see {term}`rings <ring>`")
    'the PMF by [keen2001], see rings'

    Parameters
    ----------
    text : str
        Markdown of a chapter.

    Returns
    -------
    str
        The same; a role is what it shows, or what it refers to.
    """

    def plain(role: re.Match) -> str:
        shown = role[2] or role[3] or ""
        return f"[{shown}]" if role[1].startswith("cite") else shown

    return _ROLE.sub(plain, text)
