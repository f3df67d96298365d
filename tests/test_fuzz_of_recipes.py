"""Every field of every YAML file with something else in it: refused by name, or read as it is."""

import copy
import random

import pytest
import yaml

from helpers import paths, settings
from helpers.book import chapters
from helpers.errors import UserError
from helpers.recipes import catalogue

# What people and bad luck put where a number, a name or a list belongs.
JUNK = [
    None, True, -1, 0, 1e400, float("nan"), 10**12, "", "x", "1\nshell touch /tmp/zif4", "../x",
    " ", [], [[]], [None], {}, {"a": 1}, "200.0", "ünï", "a" * 5000, [1, 2], -0.5,
]  # fmt: skip
EXAMPLES = 12  # a file


def places(value, at=()):
    """The way to every part of a document."""
    if at:
        yield at
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, part in value.items() if isinstance(value, dict) else ():
        yield from places(part, (*at, key))


def broken(document, seed):
    """One part of it exchanged, renamed or taken out."""
    rng = random.Random(seed)
    document = copy.deepcopy(document)
    *way, last = rng.choice(list(places(document)))
    parent = document
    for key in way:
        parent = parent[key]
    what = rng.choice(["junk", "junk", "junk", "out", "name"])
    if what == "junk":
        parent[last] = rng.choice(JUNK)
    elif what == "out" or isinstance(parent, list):
        del parent[last]
    else:
        parent[f"{last}x"] = parent.pop(last)
    return document, (*way, last), what


def concerned(names, place):
    """The entries that the broken part is of, or the first one: each is judged with its file."""
    names = list(names)
    return [name for name in names if name in place] or names[:1]


def read_sets(place=()):
    for name in concerned(catalogue.set_recipes(), place):
        catalogue.set_recipe(name)


def read_potentials(place=()):
    for name in concerned(catalogue.potential_names(), place):
        catalogue.potential_recipe(name)


def read_runs(place=()):
    for name in concerned(catalogue.run_names(), place):
        catalogue.run_recipe(name)


def read_profile(place=()):
    for chapter in chapters.names():
        chapters.settings(chapter, "small")


@pytest.mark.parametrize("file, read", [
    ("sets.yaml", read_sets), ("potentials.yaml", read_potentials), ("runs.yaml", read_runs),
    ("profiles/small.yaml", read_profile),
])  # fmt: skip
def test_a_broken_field_is_refused_by_name_or_read_as_it_stands(file, read, tmp_path):
    original = yaml.safe_load((paths.DATA / file).read_text())
    for part in paths.DATA.iterdir():
        if part.name != file.split("/")[0]:
            (tmp_path / part.name).symlink_to(part)
    target = tmp_path / file
    target.parent.mkdir(exist_ok=True)
    bugs = []
    with settings.use(data=tmp_path):
        for seed in range(EXAMPLES):
            document, place, what = broken(original, seed)
            target.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
            try:
                read(place)
            except UserError as error:
                if len(str(error)) < 15:
                    bugs.append((place, what, str(error)))
            except Exception as error:
                bugs.append((place, what, f"{type(error).__name__}: {error}"[:200]))
    assert not bugs


@pytest.mark.parametrize("text", [
    "a:\n\t- b\n", "- 1\n- 2\n", "a: &x [*x]\n", "", "a: 1\na: 2\n", "{",
    "a: !!python/object:os.x {}\n",
    "\x00", "just words\n", "a: *nothing\n",
])  # fmt: skip
def test_a_file_that_is_no_recipe_is_refused_by_name(text, tmp_path):
    for part in paths.DATA.iterdir():
        (tmp_path / part.name).symlink_to(part)
    for name, read in (
        ("sets.yaml", read_sets), ("potentials.yaml", read_potentials), ("runs.yaml", read_runs),
    ):  # fmt: skip
        (tmp_path / name).unlink()
        (tmp_path / name).write_text(text)
        with settings.use(data=tmp_path), pytest.raises(UserError, match=name):
            read()
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to(paths.DATA / name)
