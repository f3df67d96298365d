"""Settings from outside, by variables ``ZIF4_...`` of the environment, as one object.

`current` gives the settings that hold now: the variables, overridden by those given to `use`. No
setting enters a key: where a result is kept, and by which loops it was computed, is not part of it.
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
    """The settings, named as the variables in small letters and without their prefix.

    >>> Settings(root="/somewhere").build.as_posix()
    '/somewhere/build'

    Attributes
    ----------
    root : Path
        Directory of the project: chapters, pages, ``data/``.
    data : Path
        What comes with the project; by default ``data/`` of the project.
    build : Path
        Where all results are written; by default ``build/`` of the project.
    reference : Path or None
        Directory with the deployed reference potential, or its weights.
    structures : Path or None
        Directory with published structures that are not shipped.
    reaxff : Path or None
        Directory with the ReaxFF force field.
    kernels : str
        "off": LAMMPS uses DeePMD-kit's own inner loops.
    repository : str
        Address of the repository; switches on the buttons of the pages.
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

    repository: str = Field(
        "", description="address of the repository: switches on the buttons of the pages"
    )

    @field_validator("root", "data", "build")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        """A chapter runs in another folder than the command that starts it."""
        return folder.absolute()


def variable(name: str) -> str:
    """The environment variable of a setting: ``ZIF4_BUILD`` for ``build``.

    Parameters
    ----------
    name : str
        Name of the setting.

    Returns
    -------
    str
        Name of the variable.
    """
    return PREFIX + name.upper()


#: every variable that there is
VARIABLES = tuple(map(variable, Settings.model_fields))

_over: list[dict] = []  # what `use` was told, the innermost last


def current() -> Settings:
    """The settings that hold now.

    Returns
    -------
    Settings
        The settings.

    Raises
    ------
    Unfit
        A variable has a value that is not allowed.
    """
    told = {name: value for layer in _over for name, value in layer.items()}
    return _read(tuple(map(os.environ.get, VARIABLES)), tuple(told.items()))


@contextmanager
def use(**values) -> Iterator[Settings]:
    """Other settings for a while, in this process: ``with settings.use(build=folder): ...``.

    Parameters
    ----------
    **values
        Fields of `Settings`. A ``root`` brings its own ``data/`` and ``build/``.

    Yields
    ------
    Settings
        The settings in use.

    Raises
    ------
    Unfit
        There is no such setting, or a value is not allowed.
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
    """The variables that give a child process the settings of this one.

    Returns
    -------
    dict of str to str
        Variable -> value.
    """
    return {
        variable(name): str(value)
        for name, value in current().model_dump().items()
        if value is not None
    }


def misspelt() -> list[str]:
    """Variables of the environment that look like settings and are none.

    Returns
    -------
    list of str
        A line for each.
    """
    return [
        f"${name} is no setting{nearest(name, VARIABLES)}; see `zif4 settings`"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in VARIABLES
    ]


def as_page() -> str:
    """The page of the book that lists the settings (``zif4 settings --page``).

    Returns
    -------
    str
        Markdown.
    """
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
