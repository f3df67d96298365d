"""The runs of this book by name (data/runs.yaml): Table 3 of the paper, and our ladder."""

from __future__ import annotations

import json
import math
import shutil

from helpers import paths, provenance
from helpers.errors import AlreadyThere
from helpers.md import heating, trajectory
from helpers.md.run import Run
from helpers.recipes import catalogue

SHIPPED_MB = 4.0  # of a shipped trajectory; a longer one is thinned


def run(name: str, **how) -> Run:
    """The run ``name``: reused, resumed or made (`heating.run`, which takes ``how``).

    A run that leaves physics is a result, too: its diagnosis is printed.
    """
    return heating.run(catalogue.run_recipe(name), keep_exploded=True, **how)


def find(name: str) -> Run | None:
    """The finished run ``name``, made here or shipped, or None."""
    return heating.find(catalogue.run_recipe(name))


def ship(name: str, megabytes: float = SHIPPED_MB) -> Run:
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
    found, target = find(name), paths.shipped("runs", name)
    if found is None:
        raise provenance.NoProvenance(f"the run {name!r} is not finished: make run RUN={name}")
    source = found.directory
    if source.resolve().parent == target.resolve().parent:  # maybe as a run with an ensemble
        provenance.announce("reused", source, "it is shipped already")
        return found
    if target.exists():
        raise AlreadyThere(f"{paths.relative(target)} is another run of this name; remove it")
    part = target.with_name(f".{name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    record = dict(found.provenance)
    for file in source.iterdir():
        if file.name.startswith(".") or file.name == provenance.FILE:
            continue
        size = file.stat().st_size
        if file.name == f"{trajectory.FILE}.gz" and size > megabytes * 1e6:
            record["thinned"] = math.ceil(size / (megabytes * 1e6))
            trajectory.thin(file, part / file.name, record["thinned"])
        else:
            shutil.copy(file, part / file.name)
    provenance.write_text(part / provenance.FILE, json.dumps(record, indent=1) + "\n")
    part.rename(target)
    aside = paths.BUILD / "unthinned" / name
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    source.rename(aside)
    provenance.announce("made", target, f"every frame is kept in {paths.relative(aside)}")
    return Run.read(target, found.recipe)
