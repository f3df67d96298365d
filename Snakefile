# Which step needs which, nothing else. `zif4 book --profile P` (make book PROFILE=P) calls it.
import sys

from helpers import book, chapters, paths

PROFILE = config.get("profile", "small")
CHAPTERS = chapters.names()

# Who makes what a chapter declares and data/ does not ship: in `smoke` 02 trains the potential, 04
# heats with it, 03 and 05 read that run. A chapter that finds all in data/ waits for none. (No
# edges with `ancient`: snakemake 9 then forgets the own reasons of the chapter behind the edge.)
AFTER = {"02": ["01"], "03": ["04"], "04": ["02"], "05": ["04"]}


def place(path):
    return paths.relative(path)


def executed(chapter):
    return place(paths.executed(PROFILE, f"{chapter}.ipynb"))


def before(chapter):
    waits = AFTER.get(chapter[:2], []) if chapters.live(chapter, PROFILE) else []
    return [executed(c) for c in CHAPTERS if c[:2] in waits]


rule all:
    input:
        place(paths.BUILD / PROFILE / "checked"),


for chapter in CHAPTERS:

    rule:
        name: f"chapter_{chapter}"
        input:
            notebook=place(chapters.notebook(chapter)),
            helpers=[place(f) for f in chapters.modules(chapters.notebook(chapter))],
            data=[place(f) for f in chapters.data(chapter, PROFILE)],
            before=before(chapter),
        output:
            executed(chapter),
        params:
            chapter=chapter,
            values=chapters.values(chapter, PROFILE),
        priority: len(CHAPTERS) - CHAPTERS.index(chapter)
        shell:
            "{sys.executable} -m helpers.cli chapter {params.chapter} --profile {PROFILE}"


rule html:
    input:
        [place(f) for f in book.sources()],
        [executed(chapter) for chapter in CHAPTERS],
    output:
        directory(place(book.html(PROFILE))),
    shell:
        "{sys.executable} -m helpers.cli html --profile {PROFILE}"


rule check:
    input:
        place(book.html(PROFILE)),
    output:
        touch(place(paths.BUILD / PROFILE / "checked")),
    shell:
        "{sys.executable} -m helpers.cli check --profile {PROFILE}"
