"""The paper's numbers by name, each with its unit and the place it comes from (data/paper.yaml)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import yaml

from helpers import paths, units
from helpers.errors import UserError, nearest

_NOT_NUMBERS = ("claims", "contradictions")


class UnknownKey(UserError, KeyError):
    """The paper's data have no entry of this name."""

    def __str__(self) -> str:  # KeyError would show the message in quotes
        return str(self.args[0])


@dataclass(frozen=True)
class Value:
    """The paper's value of one quantity.

    Attributes
    ----------
    content : float, int, str or tuple of float
        The number or numbers, or the paper's word where it gives a word.
    unit : str
        In ASCII ("A" = Angstrom); "-" for a pure number.
    place : str
        Table, figure or section.
    note : str
        Remark of this book.
    """

    content: float | int | str | tuple[float, ...]
    unit: str
    place: str
    note: str = ""

    @property
    def number(self) -> float:
        """The content where it is one number.

        Raises
        ------
        TypeError
            It is several numbers, or a word.
        """
        if isinstance(self.content, (int, float)):
            return self.content
        raise TypeError(f"{self} is not one number")

    @property
    def said(self) -> str:
        """As a sentence quotes it: content, unit with its symbols, and place."""
        return f"{self.content} {units.pretty(self.unit)} ({self.place})"

    def __str__(self) -> str:
        text = str(self.content) if self.unit == "-" else f"{self.content} {self.unit}"
        return f"{text} ({self.place})"


@dataclass(frozen=True)
class Claim:
    """A claim of the paper to be tested, in this book's words.

    Attributes
    ----------
    key : str
        Name in ``data/paper.yaml``.
    says : str
        What the paper says.
    place : str
        Table, figure or section.
    chapter : str
        Chapter that tests it.
    """

    key: str
    says: str
    place: str
    chapter: str


def value(key: str) -> Value:
    """The paper's value of a quantity, ``paper.value("table1.ZIF-4_300K.force_rmse_eV_per_A")``.

    Parameters
    ----------
    key : str
        Full name in ``data/paper.yaml``, levels separated by dots.

    Returns
    -------
    Value
        Number, unit and place.

    Raises
    ------
    UnknownKey
        There is no such entry; the message names the nearest one, or the entries of a group.
    """
    values = _values()
    if key in values:
        return values[key]
    if inside := keys(key):
        raise UnknownKey(f"{key!r} is a group of {paths.relative(paths.PAPER)}: {_some(inside)}")
    raise UnknownKey(f"{key!r} is not in {paths.relative(paths.PAPER)}{nearest(key, values)}")


def keys(group: str = "") -> list[str]:
    """Full names of all values, or of those in a group, in the order of the file.

    Parameters
    ----------
    group : str
        Name of the group; empty for all.

    Returns
    -------
    list of str
        Full names, as for ``value``.
    """
    start = f"{group}." if group else ""
    return [key for key in _values() if key.startswith(start)]


def rows(group: str) -> dict[str, dict[str, Value]]:
    """A table of the paper.

    Parameters
    ----------
    group : str
        Name of the table.

    Returns
    -------
    dict of str to dict of str to Value
        Row name -> column name -> value, in the paper's order.

    Raises
    ------
    UnknownKey
        ``group`` is not a table of rows.
    """
    table: dict[str, dict[str, Value]] = {}
    for name, row in (_data().get(group) or {}).items():
        if isinstance(row, dict) and "value" not in row and group not in _NOT_NUMBERS:
            table[name] = {column: value(f"{group}.{name}.{column}") for column in row}
    if not table:
        raise UnknownKey(f"{group!r} is no table of the paper; there are table1, table2, table3")
    return table


def claims() -> list[Claim]:
    """The paper's conclusions, in order, each with the chapter that tests it.

    Returns
    -------
    list of Claim
        The claims.
    """
    return [Claim(key, **entry) for key, entry in _data()["claims"].items()]


@cache
def _data() -> dict:
    return yaml.safe_load(paths.PAPER.read_text())


@cache
def _values() -> dict[str, Value]:
    return dict(
        found
        for group, entry in _data().items()
        if group not in _NOT_NUMBERS
        for found in _leaves(group, entry, place="")
    )


def _leaves(key: str, entry: dict, place: str) -> Iterator[tuple[str, Value]]:
    place = entry.get("place", place)
    if "value" in entry:
        content = entry["value"]
        content = tuple(content) if isinstance(content, list) else content
        yield key, Value(content, entry["unit"], place, entry.get("note", ""))
        return
    for name, below in entry.items():
        if name != "place":
            yield from _leaves(f"{key}.{name}", below, place)


def _some(names: list[str], limit: int = 6) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
