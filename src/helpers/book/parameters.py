"""The one ``parameters`` cell of a chapter: what may be set, its type, unit and allowed values.

One entry a line (grammar in CONTRIBUTING.md)::

    name: type = default  # [unit] allowed | description

where ``allowed`` is ``low..high`` (inclusive, either end may be empty), a comma-separated list of
values, or ``any``. Nothing of the notebook is executed to read it.
"""

from __future__ import annotations

import ast
import functools
import io
import math
import re
import tokenize
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import paths
from helpers.book import names
from helpers.errors import UserError, nearest

if TYPE_CHECKING:
    from nbformat import NotebookNode

TAG = "parameters"
TYPES = {"int": int, "float": float, "str": str, "bool": bool}
_COMMENT = re.compile(r"#\s*\[(?P<unit>[^\]]*)\]\s*(?P<allowed>[^|]*?)\s*\|\s*(?P<text>.*\S)\s*$")
_RANGE = re.compile(r"(?P<low>[^,]*?)\.\.(?P<high>[^,]*)")
_INTEGER = re.compile(r"[+-]?\d+(_\d+)*")


class ParameterError(UserError, ValueError):
    """A parameter is unknown, of the wrong type or not allowed, or its cell is ill-written.

    Parameters
    ----------
    message : str
        What is wrong.
    name : str
        Name of the parameter that was given; empty if none was.
    source : str
        Who gave it: ``profile`` or ``command line``; empty if nobody did.
    """

    def __init__(self, message: str, name: str = "", source: str = ""):
        super().__init__(message)
        self.name, self.source = name, source


@dataclass(frozen=True)
class Parameter:
    """One entry of a ``parameters`` cell.

    Of a list, the bounds and the choices hold for every element.

    Attributes
    ----------
    name : str
        Name.
    type : str
        ``int``, ``float``, ``str``, ``bool``, or a list of one of the first three, such as
        ``list[int]``.
    default : object
        Value in the notebook, of this type.
    unit : str
        Unit, as written between the brackets.
    allowed : str
        The allowed values, as written.
    description : str
        Meaning of the parameter.
    low : float or None
        Smallest allowed number; None if there is no lower bound.
    high : float or None
        Largest allowed number; None if there is no upper bound.
    choices : tuple or None
        The allowed values; None if they are not listed.
    """

    name: str
    type: str
    default: object
    unit: str
    allowed: str
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple | None = None

    @property
    def is_list(self) -> bool:
        """Whether the value is a list."""
        return self.type.startswith("list[")

    def parse(self, value):
        """Convert a value to the type of this parameter, and check it.

        Parameters
        ----------
        value : object
            Python object from YAML, or text.

        Returns
        -------
        object
            The value; nothing is rounded.

        Raises
        ------
        ParameterError
            The value is of another type, or outside the allowed values.
        """
        if not self.is_list:
            return self._checked(_scalar(self._element, value, self))
        if isinstance(value, str):
            value = _split(value)
        if not isinstance(value, (list, tuple)):
            raise ParameterError(f"{self.name}: {value!r} is not a {self.type}; write [a, b, ...]")
        found = [self._checked(_scalar(self._element, item, self)) for item in value]
        if self._element == "str" and (twice := [x for x in found if found.count(x) > 1]):
            # a set that is named twice would count twice in a training
            raise ParameterError(f"{self.name}: {twice[0]!r} is there twice; name it once")
        return found

    @property
    def _element(self) -> str:
        return self.type[5:-1] if self.is_list else self.type

    def _checked(self, value):
        if self.choices is not None and value not in self.choices:
            near = nearest(str(value), map(str, self.choices))
            raise ParameterError(f"{self.name}: {value!r} is not one of {self.allowed}{near}")
        too_low = self.low is not None and value < self.low
        if too_low or (self.high is not None and value > self.high):
            raise ParameterError(f"{self.name}: {value!r} is outside {self.allowed} [{self.unit}]")
        return value


@dataclass(frozen=True)
class Setting:
    """A parameter with the value that it gets.

    Attributes
    ----------
    parameter : Parameter
        The parameter.
    value : object
        Its value.
    source : str
        Origin of the value: ``default``, ``profile`` or ``command line``.
    """

    parameter: Parameter
    value: object
    source: str


def written(notebook: Path) -> NotebookNode:
    """A py:percent notebook as it is written.

    A text is parsed once: every value of a profile is held against the parameters of all chapters.

    Parameters
    ----------
    notebook : Path
        The notebook.

    Returns
    -------
    NotebookNode
        The same object for the same text, to be read and not to be changed.
    """
    return _parsed(Path(notebook).read_text(encoding="utf-8"), Path(notebook).suffix)


@functools.lru_cache(maxsize=32)
def _parsed(text: str, suffix: str) -> NotebookNode:
    import jupytext  # takes longer than most commands

    return jupytext.reads(text, {"extension": suffix})


def read(notebook: Path) -> list[Parameter]:
    """The parameters of a py:percent notebook.

    Parameters
    ----------
    notebook : Path
        The notebook.

    Returns
    -------
    list of Parameter
        In the order of the cell.

    Raises
    ------
    ParameterError
        There are no or several ``parameters`` cells, or a line does not follow the grammar.
    """
    notebook = Path(notebook)
    cells = written(notebook).cells
    tagged = [c for c in cells if c.cell_type == "code" and TAG in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise ParameterError(
            f"{notebook.name}: {len(tagged)} code cells are tagged {TAG!r}; exactly one must be"
        )
    try:
        return _entries(tagged[0].source)
    except ParameterError as error:
        raise ParameterError(f"{notebook.name}: parameters cell, {error}") from None


def settings(
    notebook: Path, profile: Mapping | None = None, overrides: Mapping | None = None
) -> list[Setting]:
    """Every parameter of a notebook with its value and the origin of that value.

    Parameters
    ----------
    notebook : Path
        The notebook.
    profile : mapping of str to object, optional
        Parameter -> value from a profile.
    overrides : mapping of str to object, optional
        Parameter -> value from the command line, which takes precedence.

    Returns
    -------
    list of Setting
        In the order of the cell.

    Raises
    ------
    ParameterError
        A name is unknown (the message has the nearest valid one), a value has a wrong type or is
        not allowed, or the ``parameters`` cell is ill-written.
    """
    known = {p.name: p for p in read(notebook)}
    chapter = Path(notebook).stem
    found = {p.name: Setting(p, p.default, "default") for p in known.values()}
    for source, values in (("profile", profile or {}), ("command line", overrides or {})):
        for name, value in values.items():
            if name not in known:
                raise ParameterError(
                    f"{chapter}: unknown parameter {name!r} ({source})"
                    f"{nearest(str(name), known) or '; known: ' + ', '.join(known)}",
                    str(name),
                    source,
                )
            try:
                found[name] = Setting(known[name], known[name].parse(value), source)
            except ParameterError as error:
                raise ParameterError(f"{chapter}: {error} ({source})", name, source) from None
    return list(found.values())


def accepted(chapter: str, values: Mapping) -> dict:
    """The values of a chapter's parameters, converted and checked, whoever set them.

    papermill without our runner hands a list that was given by ``-p`` over as text and checks
    nothing; a front-end leaves what was typed into the cell. A chapter that calls
    ``globals().update(parameters.accepted("01_data", globals()))`` behind its parameters gets
    lists, numbers in their ranges, known choices and names of what is there, or says which
    parameter is wrong.

    Parameters
    ----------
    chapter : str
        Name of the chapter.
    values : mapping of str to object
        Value of every parameter; other names are ignored.

    Returns
    -------
    dict of str to object
        Parameter -> value.

    Raises
    ------
    ParameterError
        A value has a wrong type or is not allowed; for a list the message says how to hand it on.
    NotThere
        There is no set, potential, run or file of a name that is not the default.
    """
    known = read(paths.NOTEBOOKS / f"{chapter}.py")
    result = {}
    for parameter in known:
        try:
            result[parameter.name] = parameter.parse(values[parameter.name])
        except ParameterError as error:
            hint = f"; by papermill: -y '{parameter.name}: [a, b]'" if parameter.is_list else ""
            raise ParameterError(f"{chapter}: {error}{hint}") from None
    names.refuse_unknown({p.name: result[p.name] for p in known if result[p.name] != p.default})
    return result


def _entries(source: str) -> list[Parameter]:
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    entries: list[Parameter] = []
    for statement in ast.parse(source).body:
        where = f"line {statement.lineno}: "
        if not (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.value
            and statement.lineno == statement.end_lineno
        ):
            raise ParameterError(where + "write `name: type = default  # [unit] allowed | text`")
        name = statement.target.id
        if name in {e.name for e in entries}:
            raise ParameterError(where + f"{name} is there twice")
        kind, comment = ast.unparse(statement.annotation), comments.get(statement.lineno, "")
        entries.append(_entry(name, kind, statement.value, comment, where))
    return entries


def _entry(name: str, kind: str, value: ast.expr, comment: str, where: str) -> Parameter:
    element = kind[5:-1] if kind.startswith("list[") else kind
    if element not in TYPES or kind == "list[bool]":
        raise ParameterError(
            where + f"{name}: type {kind!r} is none of int, float, str, bool or a "
            "list of int, float, str"
        )
    match = _COMMENT.fullmatch(comment)
    if not match:
        raise ParameterError(
            where + f"{name}: the comment must read `# [unit] allowed | description`"
        )
    try:
        default = ast.literal_eval(value)
    except ValueError:
        raise ParameterError(where + f"{name}: the default must be a literal") from None
    draft = Parameter(name, kind, default, match["unit"], match["allowed"], match["text"])
    try:
        entry = replace(draft, **_allowed(draft))
        parsed = entry.parse(default)
        if parsed != default:  # text that would only be understood as the type
            raise ParameterError(f"{name}: default {default!r} is not a {kind}")
    except ParameterError as error:
        raise ParameterError(where + str(error)) from None
    return replace(entry, default=parsed)


def _allowed(draft: Parameter) -> dict:
    """``low``, ``high`` or ``choices`` of the text between unit and bar."""
    text, element = draft.allowed, draft._element
    if text == "any":
        return {}
    if not text:
        raise ParameterError(f"{draft.name}: say what is allowed: low..high, a, b, c or any")
    bounds = _RANGE.fullmatch(text)
    if bounds and element in ("int", "float"):
        low, high = (
            _scalar(element, end.strip(), draft) if end.strip() else None
            for end in (bounds["low"], bounds["high"])
        )
        if low is not None and high is not None and low > high:
            raise ParameterError(f"{draft.name}: the range {text} is empty")
        return {"low": low, "high": high}
    return {"choices": tuple(_scalar(element, item, draft) for item in _split(text))}


def _scalar(kind: str, value, parameter: Parameter):
    """``value`` as ``int``, ``float``, ``str`` or ``bool``; nothing is rounded or guessed."""
    if isinstance(value, str):
        text = value.strip()
        if kind == "str":
            return value
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if kind == "int" and _INTEGER.fullmatch(text):
            return int(text)
        if kind == "float":
            with suppress(ValueError):
                value = float(text)
    if isinstance(value, bool):
        if kind == "bool":
            return value
    elif kind == "int" and isinstance(value, int):
        return value
    elif kind == "float" and isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise ParameterError(
        f"{parameter.name}: {value!r} is not {'an' if kind == 'int' else 'a'} "
        f"{kind} ({parameter.type}, allowed: {parameter.allowed or '?'})"
    )


def _split(text: str) -> list[str]:
    """The items of ``[a, "b", c]`` or ``a, b, c``, without their quotes."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    items = [item.strip() for item in text.split(",")] if text else []
    return [i[1:-1] if len(i) > 1 and i[0] == i[-1] and i[0] in "\"'" else i for i in items]
