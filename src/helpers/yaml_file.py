"""YAML files that a user may write: read strictly, judged by a model, with the line of a fault.

The data stay as they are written. A model only judges them: keys are hashes of recipes, in which
200 and 200.0 differ, so that nothing is converted on the way.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Union

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    conlist,
    create_model,
)

from helpers import paths
from helpers.errors import Unfit, UserError, nearest

#: a name that is part of a path, of a command and of a job: letters and digits, and . _ + - behind
NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"
Name = Annotated[str, Field(pattern=NAME)]
#: of a run of a set: '-5' is one, too
RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-][A-Za-z0-9._+-]*$")]
#: a whole or a decimal number; neither text that looks like one, nor NaN
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_MERGE = "tag:yaml.org,2002:merge"
#: YAML 1.1 reads 010 as 8 and 1:40 as 100
_BY_EIGHT, _BY_SIXTIES = re.compile(r"[-+]?0[0-7_]+"), re.compile(r"[-+]?[\d_]+(:[0-5]?\d)+[.\d_]*")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_LARGEST = 100_000  # parts of a file, aliases counted as often as they stand
_BRANCHES = ("int", "float", "str", "constrained-str", "[key]")  # pydantic's, of no file
_PLAIN = {int: StrictInt, float: Number, str: StrictStr, bool: StrictBool, dict: dict}


class Model(BaseModel):
    """What a part of a file may hold: these fields and no other."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", protected_namespaces=())


def read(file: Path, error: type[UserError] = Unfit, *, numbered: bool = False) -> Document:
    """A file of YAML, read once for as long as the file stays as it is.

    Parameters
    ----------
    file : Path
        The file.
    error : type of UserError
        Class of the errors about the file.
    numbered : bool
        Whether keys may be whole numbers, too.

    Returns
    -------
    Document
        The file's content and the line of each part.

    Raises
    ------
    UserError
        As `Document`, of the class ``error``.
    """
    try:
        state = (file.stat().st_mtime_ns, file.stat().st_size)
    except OSError:
        state = ()
    return _read(file, error, state, numbered)


@lru_cache(maxsize=16)
def _read(file: Path, error: type[UserError], state: tuple, numbered: bool) -> Document:
    return Document(file, error, numbered)


class Document:
    """A file, read: its content, which nobody changes, and where each part of it stands.

    Parameters
    ----------
    file : Path
        The file.
    error : type of UserError
        Class of the errors about the file.
    numbered : bool
        Whether keys may be whole numbers, too.

    Raises
    ------
    UserError
        The file is missing or no YAML in UTF-8; a key is there twice or is no text; a number is
        written to another base than ten; a part holds itself, or there are more than 100000 parts.
    """

    def __init__(self, file: Path, error: type[UserError] = Unfit, numbered: bool = False):
        self.file, self.error = Path(file), error
        self._keys = [f"tag:yaml.org,2002:{kind}" for kind in ("str", *["int"] * numbered)]
        self.content: Any = None
        self._lines: dict[tuple, int] = {}
        try:
            loader = yaml.SafeLoader(self.file.read_text(encoding="utf-8"))
            root = loader.get_single_node()
            if root is not None:
                self._look(root, (), [])
            self.content = None if root is None else loader.construct_document(root)
        except FileNotFoundError:
            raise error(f"{self.name} is missing; restore it from git") from None
        except RecursionError:
            raise error(f"{self.name} is nested too deep; write it flat") from None
        except UnicodeDecodeError as broken:
            raise error(f"{self.name} is no text in UTF-8 ({broken}); save it as such") from None
        except yaml.YAMLError as broken:
            mark = getattr(broken, "problem_mark", None)
            what = getattr(broken, "problem", None) or str(broken).splitlines()[0]
            if "'\\t'" in what:
                what = "a tab, where YAML wants spaces"
            line = f", line {mark.line + 1}" if mark else ""
            raise error(f"{self.name}{line}: {what}; mend it there") from None

    @property
    def name(self) -> str:
        """The file as seen from the project."""
        return paths.relative(self.file)

    def where(self, place: Sequence = ()) -> str:
        """The place of a part, for messages.

        Parameters
        ----------
        place : sequence of str or int
            Keys and indices that lead to the part.

        Returns
        -------
        str
            ``file, line n, a.b.c``; the line is that of the nearest part around it if it is not in
            the file.
        """
        place = tuple(place)
        line = next(
            (
                self._lines[place[:end]]
                for end in range(len(place), 0, -1)
                if place[:end] in self._lines
            ),
            None,
        )
        parts = [self.name, f"line {line}" if line else "", ".".join(map(str, place))]
        return ", ".join(filter(None, parts))

    def fit(self, model: type[BaseModel], content: Any, place: Sequence = ()) -> None:
        """Judge a part by a model.

        Parameters
        ----------
        model : type of BaseModel
            Fields, types and allowed values.
        content : object
            The part to judge, or one put together of several parts.
        place : sequence of str or int
            Keys that lead to it, for the message.

        Raises
        ------
        UserError
            Something does not fit; the message says of the first fault the file, line, field, and
            what is allowed.
        """
        try:
            model.model_validate(content)
        except ValidationError as found:
            errors: list[Any] = list(found.errors(include_url=False))
            # a field that is misspelt is missing as well: the slip is what helps
            errors.sort(key=lambda error: error["type"] != "extra_forbidden")
            inside = [step for step in errors[0]["loc"] if step not in _BRANCHES]
            said = _said([e for e in errors if _branch_of(e, inside)], model, inside)
            raise self.error(f"{self.where((*place, *inside))}: {said}") from None

    def blame(self, error: Exception, place: Sequence, names: Iterable[str]) -> UserError:
        """An error of ours about a part, with the place of the part.

        Parameters
        ----------
        error : Exception
            The error.
        place : sequence of str or int
            Keys that lead to the part.
        names : iterable of str
            Fields of the part; if the message begins with one of them, the place is that of the
            field.

        Returns
        -------
        UserError
            The error to raise, of the class of this document.
        """
        text = str(error)
        first = text.split(" ", 1)[0].rstrip(":,")
        field = (first,) if first in names and (*place, first) in self._lines else ()
        return self.error(f"{self.where((*place, *field))}: {text}")

    def _look(
        self, node: yaml.Node, place: tuple, above: list[yaml.Node], merged: bool = False
    ) -> None:
        """Write down where each part is; refuse what plain YAML would take without a word.

        merged: the node is one that another takes over (``<<: *name``), whose own fields count.
        """
        if any(node is one for one in above):
            raise self.error(f"{self.where(place)} holds itself (a YAML alias); write it out")
        if len(self._lines) > _LARGEST:
            raise self.error(f"{self.name} has more than {_LARGEST} parts; use fewer aliases")
        if node.tag in _NUMBERS:
            self._refuse_other_base(node.value, place)
        if isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._lines[(*place, index)] = value.start_mark.line + 1
                self._look(value, (*place, index), [*above, node])
        elif isinstance(node, yaml.MappingNode):
            taken = [value for key, value in node.value if key.tag == _MERGE]
            for key, value in node.value:
                if key.tag != _MERGE:
                    self._look_at_field(key, value, place, [*above, node], merged)
            for other in taken:
                self._look(other, place, [*above, node], merged=True)

    def _refuse_other_base(self, text: str, place: tuple) -> None:
        how = "to the base of eight" if _BY_EIGHT.fullmatch(text) else "by sixties"
        if how == "by sixties" and not _BY_SIXTIES.fullmatch(text):
            return
        raise self.error(
            f"{self.where(place)}: YAML reads {text} as {yaml.safe_load(text)}, {how}; write the "
            f"number in decimals and without a leading zero, or text between quotes"
        )

    def _look_at_field(
        self, key: yaml.Node, value: yaml.Node, place: tuple, above: list, merged: bool
    ) -> None:
        line, here = key.start_mark.line + 1, (*place, key.value)
        if not isinstance(key, yaml.ScalarNode) or key.tag not in self._keys:
            raise self.error(
                f"{self.name}, line {line}: the key {key.value!r} is no text; put it between quotes"
            )
        if here in self._lines:
            if merged:
                return
            raise self.error(
                f"{self.name}, line {line}: {'.'.join(map(str, here))} is there twice (first in "
                f"line {self._lines[here]}); leave one out"
            )
        self._lines[here] = line
        self._look(value, here, above)


def model_of(
    kind: type, *, without: Iterable[str] = (), partial: bool = False, **more: Any
) -> type[BaseModel]:
    """A model that judges what a dataclass is made of, as YAML writes it: lists for tuples.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Ramp:
    ...     temperature_K: tuple[float, float]
    ...     steps: int = 10
    >>> {name: one.is_required() for name, one in model_of(Ramp).model_fields.items()}
    {'temperature_K': True, 'steps': False}

    Parameters
    ----------
    kind : type
        A dataclass.
    without : iterable of str
        Fields that a file may not give.
    partial : bool
        Whether a file may leave out any field.
    **more
        Further fields, as `pydantic.create_model` takes them.

    Returns
    -------
    type of BaseModel
        The model; a field without default is required, others are refused.

    Raises
    ------
    TypeError
        ``kind`` is no dataclass.
    """
    if not is_dataclass(kind):
        raise TypeError(f"{kind} is no dataclass")
    hints, given = typing.get_type_hints(kind), {}
    for one in fields(kind):
        if one.name in without:
            continue
        must = one.default is MISSING and one.default_factory is MISSING and not partial
        given[one.name] = (_as_written(hints[one.name]), ... if must else None)
    return create_model(kind.__name__, __base__=Model, **given, **more)


def named(kind: Any, name: Any = Name) -> Any:
    """The type of a map from names to parts of one kind.

    Parameters
    ----------
    kind : type
        Type of the parts.
    name : type
        Type of the names.

    Returns
    -------
    type
        ``dict[name, kind]``, for the annotation of a field.
    """
    return dict.__class_getitem__((name, kind))


def _as_written(hint: Any) -> Any:
    """The type that YAML gives for a type of Python's, without conversion."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and inner[-1] is Ellipsis:
        return list.__class_getitem__(_as_written(inner[0]))
    if origin is tuple:
        (each,) = {_as_written(one) for one in inner}
        return conlist(each, min_length=len(inner), max_length=len(inner))
    if origin in (Union, types.UnionType):
        return Union[tuple(map(_as_written, inner))]  # noqa: UP007
    return _PLAIN.get(hint, hint)


def _branch_of(error: Any, inside: list) -> bool:
    """Whether an error is about the same part: of a union each branch says its own."""
    return [step for step in error["loc"] if step not in _BRANCHES] == inside


def _said(errors: list[Any], model: type[BaseModel], inside: list) -> str:
    """pydantic's errors about one part in words, with what is allowed."""
    kind, value = errors[0]["type"], errors[0]["input"]
    if kind == "extra_forbidden":
        known = _fields_at(model, inside[:-1])
        name = str(inside[-1])
        return f"unknown field {name!r}{nearest(name, known)} (there are: {', '.join(known)})"
    if kind == "missing":
        return "is missing; give it"
    shown = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:57]}..."
    wanted = [_WANTED[error["type"]] for error in errors if error["type"] in _WANTED]
    if not wanted:
        text = errors[0]["msg"]
        return f"{shown}: {text[0].lower()}{text[1:]}"
    hint = ""
    if isinstance(value, str) and kind in ("int_type", "float_type") and _looks_like_number(value):
        hint = "; YAML takes it for text: write 0.001 or 1.0e-3, without quotes"
    return f"{shown} is not {' or '.join(dict.fromkeys(wanted))}{hint}"


_WANTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list, [a, b, ...]",
    "dict_type": "a map, name: value",
    "model_type": "a map, name: value",
    "model_attributes_type": "a map, name: value",
    "string_pattern_mismatch": "a name of letters, digits and . _ + -, a letter or digit first",
}


def _fields_at(model: type[BaseModel], inside: list) -> list[str]:
    """Names of the fields that a part may have."""
    here: Any = model
    for step in inside:
        if isinstance(here, type) and issubclass(here, BaseModel):
            named = {one.alias or name: one for name, one in here.model_fields.items()}
            here = named[step].annotation if step in named else None
        else:  # dict[str, X] or list[X]
            here = (typing.get_args(here) or [None])[-1]
    known = here.model_fields if isinstance(here, type) and issubclass(here, BaseModel) else {}
    return [one.alias or name for name, one in known.items()]


def _looks_like_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
