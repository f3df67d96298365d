"""CONTRIBUTING.md is short, and its table of floors is the one that `make lint` holds."""

import re
import tomllib

from conftest import REPOSITORY

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text()


def test_it_is_read_in_five_minutes():
    assert len(TEXT.split()) < 1200


def test_the_table_of_floors_is_that_of_the_imports():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    (contract,) = project["tool"]["importlinter"]["contracts"]
    held = {room for floor in contract["layers"] for room in floor.split(" : ")}
    rows = re.findall(r"^\| (?:top|ground|) *\| (.*?) \|", TEXT, re.M)
    shown = [room for row in rows for room in re.findall(r"`(\w+)`", row)]
    assert sorted(shown) == sorted(held)
    floor = {room: k for k, row in enumerate(contract["layers"]) for room in row.split(" : ")}
    assert [floor[room] for room in shown] == sorted(floor.values())
