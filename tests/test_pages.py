"""The pages that are read, not executed: what they tell a reader to do works."""

import ast
import importlib
import inspect
import re
import shlex

import ase.io
import MDAnalysis
import numpy as np
import pytest
import yaml
from ase.spacegroup import crystal
from dpdata.format import Format

from helpers import paths
from helpers.book import chapters
from helpers.frames import dataset

HELPERS = {
    file.stem: ".".join(file.relative_to(paths.ROOT / "src").with_suffix("").parts)
    for file in sorted((paths.ROOT / "src" / "helpers").rglob("*.py"))
}
PAGES = [*sorted((paths.ROOT / "book").glob("*.md")), paths.ROOT / "README.md"]


def blocks(page, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


def calls(source: str):
    """Calls of a helper (``dataset.save(...)``) in a piece of Python."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in HELPERS
        ):
            yield node


def python_of_pages():
    for page in PAGES:
        inline = re.findall(r"`(\w+\.\w+\([^`]*\))`", page.read_text())
        for source in [*blocks(page, "python"), *inline]:
            if any(calls(source)):
                yield pytest.param(source, id=f"{page.stem}-{source.split(chr(10))[0][:50]}")


@pytest.mark.parametrize("source", [*python_of_pages()])
def test_helpers_that_a_page_calls_exist_and_take_these_arguments(source):
    for node in calls(source):
        helper = importlib.import_module(HELPERS[node.func.value.id])
        function = getattr(helper, node.func.attr)
        keywords = {k.arg: None for k in node.keywords}
        inspect.signature(function).bind(*node.args, **keywords)
        for keyword in node.keywords:
            if keyword.arg == "fmt":
                assert keyword.value.value in Format.get_formats()


def test_own_data_works_as_the_page_says(tmp_path, monkeypatch, set_to, lennard_jones):
    """The code of book/own_data.md, on frames labelled with a Lennard-Jones potential of ASE."""
    images = lennard_jones(20, strain=0.003, rattle=0.015)
    ase.io.write(tmp_path / "run.extxyz", images)
    monkeypatch.chdir(tmp_path)
    set_to(build=tmp_path / "build")

    exec("\n".join(blocks(paths.ROOT / "book" / "own_data.md", "python")), {})

    assert "my-set" in dataset.names()
    training, validation = (dataset.load("my-set", part) for part in dataset.PARTS)
    assert len(training) + len(validation) == 20 and len(validation) < len(training)
    energies = np.sort(np.concatenate([training["energies"], validation["energies"]]))
    np.testing.assert_allclose(energies, np.sort([a.get_potential_energy() for a in images]))


def test_own_trajectory_works_as_the_page_says(tmp_path, monkeypatch):
    """The code of book/own_trajectory.md on cristobalite, wrapped, from extended XYZ and XTC."""
    start = crystal(
        ["Si", "O"],
        [(0, 0, 0), (1 / 8, 1 / 8, 1 / 8)],
        spacegroup=227,
        cellpar=[7.16, 7.16, 7.16, 90, 90, 90],
    ).repeat(2)
    images = []
    for seed in range(6):
        atoms = start.copy()
        atoms.rattle(0.05, seed=seed)
        atoms.translate([0.3 * seed, 0, 0])
        images.append(atoms)
    ase.io.write(tmp_path / "mine.extxyz", images)
    for atoms in images:
        atoms.wrap()
    ase.io.write(tmp_path / "start.pdb", images[0])
    universe = MDAnalysis.Universe(str(tmp_path / "start.pdb"))
    with MDAnalysis.Writer(str(tmp_path / "run.xtc"), len(start)) as file:
        for k, atoms in enumerate(images):
            universe.atoms.positions = atoms.positions
            universe.trajectory.ts.time = 0.5 * k
            file.write(universe.atoms)
    monkeypatch.chdir(tmp_path)
    made = {}
    exec("\n".join(blocks(paths.ROOT / "book" / "own_trajectory.md", "python")), made)
    assert (made["numbers"] == 4).all()
    for pair in made["curves"].pairs:
        np.testing.assert_allclose(made["streamed"][pair].n, made["curves"][pair].n, atol=0.5)
    assert (made["bonds"].episodes["outcome"] == "end").all()
    assert made["bonds"].rates([250, 350])["exposure_ns"].iloc[0] == pytest.approx(128 * 2.5e-3)


def test_every_page_is_in_the_table_of_contents():
    toc = (paths.ROOT / "_toc.yml").read_text()
    assert yaml.safe_load(toc)["root"] == "book/intro"
    listed = re.findall(r"book/(\w+)", toc)
    assert sorted(listed) == sorted(page.stem for page in PAGES if page.parent.name == "book")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_relative_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", page.read_text())
    for link in links:
        target = (page.parent / link).resolve()
        if target.suffix == ".ipynb":  # the source of a chapter is its text form
            target = target.with_suffix(".py")
        assert target.is_file(), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", PAGES[:-1], ids=lambda page: page.stem)  # README is no page
def test_code_on_a_page_is_no_wider_than_the_page(page):
    for language in ("bash", "python", "yaml", "text"):
        long = [line for code in blocks(page, language) for line in code.splitlines()]
        assert not [line for line in long if len(line) > 74]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_make_targets_and_profiles_that_a_page_names_exist(page):
    makefile = (paths.ROOT / "Makefile").read_text()
    commands = "\n".join(blocks(page, "bash"))
    for target in re.findall(r"^make (\w+)", commands, re.M):
        assert re.search(rf"^{target}\s*:", makefile, re.M), f"make {target}"
    for chapter in re.findall(r"\b0\d_\w+", commands):
        assert (paths.NOTEBOOKS / f"{chapter}.py").is_file(), chapter
    for profile in re.findall(r"PROFILE=(\w+)", page.read_text()):
        assert (paths.PROFILES / f"{profile}.yaml").is_file(), profile


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_parameters_that_a_page_sets_are_accepted_by_the_chapter(page):
    for command in "\n".join(blocks(page, "bash")).replace("\\\n", "").splitlines():
        if "CHAPTER=" not in command or "-p " not in command:
            continue
        given = dict(word.split("=", 1) for word in shlex.split(command) if "=" in word)
        chapter, words = given["CHAPTER"], shlex.split(given["ARGS"])
        overrides = dict(zip(words[1::3], words[2::3], strict=True))
        values = chapters.values(chapter, "small", overrides)
        assert overrides.keys() <= values.keys()


def test_no_page_names_a_path_of_the_machine_it_was_written_on():
    for page in PAGES:
        assert not re.search(r"/(work|home|root)/", page.read_text()), page.name
