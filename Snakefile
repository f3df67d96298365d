# Which step needs which, nothing else. `zif4 book --profile P` (make book PROFILE=P) calls it.
import sys

from helpers import paths
from helpers.book import chapters, dependencies, render

PYTHON = sys.executable  # quoted in commands (:q), as all that is no fixed word: paths have spaces
PROFILE = config.get("profile", "small")
CHAPTERS = chapters.names()

# Who makes what a chapter reads, where that is not shipped: in `smoke` 02 trains the potential, 04
# heats with it, 03 and 05 read that run. (No edges with `ancient` for mere order: snakemake 9 then
# overlooks that the chapter behind the edge is stale by itself. `priority` gives the order.)
AFTER = {"03": ["04"], "04": ["02"], "05": ["04"]} if chapters.live(PROFILE) else {}


def place(path):
    return paths.relative(path)


def executed(chapter, profile=PROFILE):
    return place(paths.executed(profile, f"{chapter}.ipynb"))


def inputs(chapter, profile):
    notebook = chapters.notebook(chapter)
    return [notebook, *dependencies.modules(notebook), *dependencies.data(chapter, profile)]


OWN = [(PROFILE, chapter) for chapter in CHAPTERS]
BESIDE = chapters.beside(PROFILE)  # of other profiles
INPUTS = {one: inputs(one[1], one[0]) for one in [*OWN, *BESIDE]}
PAGES = [*render.sources(), *sorted((paths.ROOT / "src" / "helpers").rglob("*.py"))]  # book/api.md
MADE = [paths.executed(profile, f"{chapter}.ipynb") for profile, chapter in [*OWN, *BESIDE]]
# Stands for the rendered book: snakemake removes what a step is going to make, and the former book is
# to be there until the new one is.
RENDERED = paths.BUILD / PROFILE / "rendered"
if not render.html(PROFILE).is_dir():
    RENDERED.unlink(missing_ok=True)
dependencies.date_back({*PAGES, *MADE, RENDERED}.union(*INPUTS.values()))


def before(chapter):
    return [executed(c) for c in CHAPTERS if c[:2] in AFTER.get(chapter[:2], [])]


# All of it by name: what is missing between a result and its sources is not missed by snakemake, so
# that a chapter that failed would not be called again.
rule all:
    input:
        place(paths.BUILD / PROFILE / "checked"),
        place(RENDERED),
        [place(file) for file in MADE],


for profile, chapter in [*OWN, *BESIDE]:

    rule:
        name: f"chapter_{chapter}" if profile == PROFILE else f"chapter_{chapter}_{profile}"
        input:
            [place(f) for f in INPUTS[profile, chapter]],
            before=before(chapter) if profile == PROFILE else [],
        output:
            executed(chapter, profile),
        params:
            chapter=chapter,
            profile=profile,
            values=chapters.values(chapter, profile),
            content=dependencies.content(INPUTS[profile, chapter]),  # dates may be older
        priority: len(CHAPTERS) - CHAPTERS.index(chapter)
        shell:
            "{PYTHON:q} -m helpers.cli chapter {params.chapter:q} --profile {params.profile:q}"


rule html:
    input:
        [place(f) for f in PAGES],
        [place(file) for file in MADE],
    output:
        touch(place(RENDERED)),
    params:
        content=dependencies.content(PAGES),
    shell:
        "{PYTHON:q} -m helpers.cli html --profile {PROFILE:q}"


rule check:
    input:
        place(RENDERED),
    output:
        touch(place(paths.BUILD / PROFILE / "checked")),
    shell:
        "{PYTHON:q} -m helpers.cli check --profile {PROFILE:q}"
