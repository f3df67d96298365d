"""The runs of this book by name (data/runs.yaml): Table 3 of the paper, and our ladder."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import yaml

from helpers import heating, paths, protocol, provenance, trajectory
from helpers.errors import AlreadyThere, nearest

SHIPPED_MB = 4.0  # of a shipped trajectory; a longer one is thinned


class BadRecipe(ValueError):
    """A run that ``data/runs.yaml`` does not know, or an entry of it that makes no sense."""


def _table() -> dict[str, dict]:
    """name -> all fields of a run."""
    where = paths.relative(paths.RUNS)
    try:
        content = yaml.safe_load(paths.RUNS.read_text())
    except yaml.YAMLError as error:
        raise BadRecipe(f"{where}: {error}") from error
    table = {}
    for group in content["groups"].values():
        for name, own in group["runs"].items():
            if name in table:
                raise BadRecipe(f"{where} has two runs {name!r}")
            table[name] = content["defaults"] | group["fields"] | own
    return table


def names(group: str = "") -> list[str]:
    """Names of all runs, or of those of one group (``paper``, ``ladder``, ``hold``)."""
    if not group:
        return list(_table())
    return list(yaml.safe_load(paths.RUNS.read_text())["groups"][group]["runs"])


def recipe(name: str) -> protocol.HeatingRun:
    """The run of this name.

    Raises
    ------
    BadRecipe
        no such run (with the nearest name), an unknown field, or a value that makes no sense.
    """
    table, where = _table(), paths.relative(paths.RUNS)
    if name not in table:
        raise BadRecipe(f"{where} has no run {name!r}{nearest(name, table)} "
                        f"(there are: {', '.join(table)})")
    known = [f.name for f in fields(protocol.HeatingRun)]
    for field in table[name]:
        if field not in known:
            raise BadRecipe(f"{where}, {name}: unknown field {field!r}{nearest(field, known)} "
                            f"(there are: {', '.join(known)})")
    try:
        return protocol.HeatingRun(**table[name])
    except (TypeError, ValueError) as error:
        raise BadRecipe(f"{where}, {name}: {error}") from error


def alike(names: Iterable[str], **wanted) -> list[protocol.HeatingRun]:
    """The runs of these names that have the wanted fields; it is said which are left out, and why.

    Raises
    ------
    BadRecipe
        see `recipe`.
    """
    found = []
    for name in names:
        plan = recipe(name)
        other = {k: getattr(plan, k) for k, v in wanted.items() if getattr(plan, k) != v}
        if other:
            print(f"left out: the run {name} has " + ", ".join(
                f"{k} {v}, not {wanted[k]}" for k, v in other.items()))
        else:
            found.append(plan)
    return found


def run(name: str, **how) -> Path:
    """The run ``name``: reused, resumed or made (`heating.run`, which takes ``how``); its folder.

    A run that leaves physics is a result, too: its diagnosis is printed.
    """
    return heating.run(recipe(name), keep_exploded=True, **how)


def find(name: str) -> Path | None:
    """The finished run ``name``, made here or shipped, or None."""
    return heating.find(recipe(name).recipe())


def ship(name: str, megabytes: float = SHIPPED_MB) -> Path:
    """Put the finished run ``name`` into ``data/runs/<name>``, its trajectory thinned.

    Frames are left out evenly until the file has at most ``megabytes``; the provenance then says
    ``thinned`` (every so-manieth frame is there), and the key stays. What was made here moves to
    ``build/unthinned/<name>``: the book reads what is shipped, here as elsewhere.

    Raises
    ------
    BadRecipe
        no such run.
    provenance.NoProvenance
        the run is not finished.
    FileExistsError
        another run is shipped under this name.
    """
    source, target = find(name), paths.shipped("runs", name)
    if source is None:
        raise provenance.NoProvenance(f"the run {name!r} is not finished: make run RUN={name}")
    if source.resolve().parent == target.resolve().parent:  # maybe as a run with an ensemble
        provenance.announce("reused", source, "it is shipped already")
        return source
    if target.exists():
        raise AlreadyThere(f"{paths.relative(target)} is another run of this name; remove it")
    part = target.with_name(f".{name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    record = provenance.read(source)
    for file in source.iterdir():
        if file.name.startswith(".") or file.name == provenance.FILE:
            continue
        size = file.stat().st_size
        if file.name == f"{trajectory.FILE}.gz" and size > megabytes * 1e6:
            record["thinned"] = math.ceil(size / (megabytes * 1e6))
            trajectory.thin(file, part / file.name, record["thinned"])
        else:
            shutil.copy(file, part / file.name)
    (part / provenance.FILE).write_text(json.dumps(record, indent=1) + "\n")
    part.rename(target)
    aside = paths.BUILD / "unthinned" / name
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    source.rename(aside)
    provenance.announce("made", target, f"every frame is kept in {paths.relative(aside)}")
    return target
