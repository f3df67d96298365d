"""What is shipped in data/: small enough, whole, and able to say where it came from."""

import json
import re

import pytest

from helpers import paths, provenance
from helpers.frames import checks, dataset
from helpers.recipes import catalogue, potentials
from helpers.validation import accuracy

LIMIT_MB = 130
SHIPPED = [
    path.parent
    for kind in paths.KINDS
    for path in sorted(paths.shipped(kind).glob(f"*/{provenance.FILE}"))
]


def test_data_is_small():
    size = sum(file.lstat().st_size for file in paths.DATA.rglob("*") if file.is_file())
    assert size <= LIMIT_MB * 1e6


def test_every_result_has_its_provenance():
    for kind in paths.KINDS:
        folders = [path for path in paths.shipped(kind).iterdir() if path.is_dir()]
        assert folders, f"nothing is shipped in data/{kind}"
        for folder in folders:
            record = provenance.read(folder)
            assert record["key"] == provenance.key(record["recipe"])
            assert record["description"] and record["made"] and record["versions"]


def test_every_structure_is_accounted_for():
    known = json.loads((paths.STRUCTURES / provenance.FILE).read_text())["structures"]
    files = {file.name for file in paths.STRUCTURES.iterdir()} - {provenance.FILE}
    assert files == set(known)


@pytest.mark.parametrize("name", dataset.names())
def test_shipped_frames_pass_the_checks(name):
    checks.check(dataset.load(name), laws=True)
    record = provenance.read(dataset.locate(name))
    assert record["level_of_theory"] and record["source"] and record["sampling"]["method"]


@pytest.mark.parametrize(
    "name", [file.parent.name for file in paths.shipped("potentials").glob(f"*/{provenance.FILE}")]
)
def test_shipped_potentials_are_those_of_their_recipes(name):
    """What `make potential` would make is what is shipped: nobody changed a recipe behind it."""
    if name != "split-random":  # its sets are drawn when they are needed
        assert potentials.shipped_as_written(name)
    errors = accuracy.metrics(name)
    there = set(catalogue.test_sets()) & set(dataset.names())
    if name == "split-random":  # its own sets are drawn here first: judged on tests of its time
        there &= set(errors)
    assert {n for n, e in errors.items() if e.get("role") == "test"} == there


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_name_of_a_machine_is_shipped(folder):
    for file in folder.rglob("*"):
        if file.suffix in {".json", ".out", ".yaml", ".csv", ".log"}:
            # a folder by its absolute path; DeePMD-kit logs where its own wheel was built
            pattern = (
                r"(?<![\w.:/*\])}-])/(?!tmp/(?:tmp\w+/wheel|build-env-\w+)/)"
                r"(?:[a-z][\w.-]*/)+[\w.-]*"
            )
            found = re.search(pattern, file.read_text())
            assert not found, f"{file}: {found[0]}"
