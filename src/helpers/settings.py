"""What can be set from outside, by variables ``ZIF4_...`` of the environment: one object.

`current` is what holds now: the variables, and over them what `use` was told. Nothing of it enters
a key: where a result lies, and by which loops it was computed, is not what it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from helpers.errors import Unfit, nearest

PREFIX = "ZIF4_"
_REPOSITORY = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """The variables, by their names in small letters and without their prefix.

    Examples
    --------
    >>> Settings(root="/somewhere").build.as_posix()
    '/somewhere/build'
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    root: Path = Field(_REPOSITORY, description="folder of the project: chapters, pages, `data/`")
    data: Path = Field(
        default_factory=lambda known: known["root"] / "data",
        description="what comes with the project; without it `data/` of the project",
    )
    build: Path = Field(
        default_factory=lambda known: known["root"] / "build",
        description="where all that is made goes; without it `build/` of the project",
    )
    reference: Path | None = Field(
        None, description="folder with the deployed reference potential, or its weights"
    )
    structures: Path | None = Field(
        None, description="folder with published structures that are not shipped"
    )
    reaxff: Path | None = Field(None, description="folder with the ReaxFF force field")
    kernels: Literal["on", "off"] = Field(
        "on", description="off: LAMMPS uses DeePMD-kit's own inner loops"
    )

    @field_validator("root", "data", "build")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        """A chapter runs in another folder than the command that starts it."""
        return folder.absolute()


def variable(name: str) -> str:
    """The variable of a setting: ``ZIF4_BUILD`` of ``build``."""
    return PREFIX + name.upper()


#: every variable that there is
VARIABLES = tuple(map(variable, Settings.model_fields))

_over: list[dict] = []  # what `use` was told, the innermost last


def current() -> Settings:
    """The settings that hold now.

    Raises
    ------
    Unfit
        a variable has a value that is not allowed.
    """
    told = {name: value for layer in _over for name, value in layer.items()}
    return _read(tuple(map(os.environ.get, VARIABLES)), tuple(told.items()))


@contextmanager
def use(**values) -> Iterator[Settings]:
    """Other settings for a while, in this process: ``with settings.use(build=folder): ...``.

    Parameters
    ----------
    values
        fields of `Settings`. A ``root`` brings its own ``data/`` and ``build/`` along.

    Raises
    ------
    Unfit
        there is no such setting, or the value is not allowed.
    """
    for name in values:
        if name not in Settings.model_fields:
            raise Unfit(
                f"no setting {name!r}{nearest(name, Settings.model_fields)} (there are: "
                f"{', '.join(Settings.model_fields)})"
            )
    if "root" in values:
        root = Path(values["root"])
        values = {"data": root / "data", "build": root / "build"} | values
    _over.append(values)
    try:
        yield current()
    finally:
        _over.remove(values)


def environment() -> dict[str, str]:
    """The variables with which a child process has the settings of this one."""
    return {
        variable(name): str(value)
        for name, value in current().model_dump().items()
        if value is not None
    }


def misspelt() -> list[str]:
    """One line for each variable of the environment that looks like a setting and is none."""
    return [
        f"${name} is no setting{nearest(name, VARIABLES)}; see `zif4 settings`"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in VARIABLES
    ]


def as_page() -> str:
    """The page of the book that lists the settings, in Markdown (``zif4 settings --page``)."""
    rows = [
        f"| `{variable(name)}` | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            "# What can be set from outside",
            "",
            "All numbers of a chapter are parameters. What is computed where, and with which files",
            "of others, is set by variables of the environment. Each may be left out;",
            "`zif4 settings` prints the values that hold.",
            "",
            "| variable | meaning |",
            "|---|---|",
            *rows,
            "",
            "`OMP_NUM_THREADS` bounds the threads of a training, `CXX` names the compiler of the",
            "inner loops of LAMMPS. No setting enters the key of a result: where it lies, and by",
            "which loops it was computed, is not what it is.",
            "",
        ]
    )


@lru_cache(maxsize=8)
def _read(variables: tuple, told: tuple) -> Settings:
    try:
        return Settings(**dict(told))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise Unfit(
            f"${variable(name)} = {first['input']!r}: {first['msg']} "
            f"({Settings.model_fields[name].description})"
        ) from None
