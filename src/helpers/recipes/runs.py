"""The runs of this book by name (data/runs.yaml): those of the paper's Table 3, and our own."""

from __future__ import annotations

import gzip
import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from helpers import paths, provenance, structures
from helpers.errors import AlreadyThere, NotThere
from helpers.md import heating, protocol, thermo, trajectory
from helpers.md.protocol import HeatingRun
from helpers.md.run import Run, Runs
from helpers.recipes import catalogue

SHIPPED_MB = 4.0  # of a shipped trajectory; a longer one is thinned
_START = "start.data"  # made again from the structure that the recipe names


def run(name: str, changed: Mapping[str, Any] | None = None, **how) -> Run:
    """A run by its name: found, resumed or made.

    A run that leaves physics is a result too; its diagnosis is printed.

    Parameters
    ----------
    name : str
        Name of the run.
    changed : mapping of str to object, optional
        Fields of `HeatingRun` in which it differs from the run of this name.
    **how
        Passed to `heating.run`.

    Returns
    -------
    Run
        The run.

    Raises
    ------
    BadRecipe
        As `catalogue.run_recipe`.
    """
    plan = replace(catalogue.run_recipe(name), **changed or {})
    return heating.run(plan, keep_exploded=True, **how)


def of_page(given: Mapping[str, Any], **changed: Any) -> Run:
    """The run that the parameters of a chapter ask for: found, resumed or made.

    Parameters
    ----------
    given : mapping of str to object
        Parameters of the chapter, as for `protocol.asked`; ``ranks`` is the number of MPI ranks.
    **changed
        Fields of `HeatingRun` that the chapter sets otherwise.

    Returns
    -------
    Run
        The run; one that leaves physics is a result too.

    Raises
    ------
    Unfit
        As `protocol.asked`.
    NotThere
        It is not made yet, and ``make_missing`` is false.
    """
    run = if_made(given, **changed)
    if run is None:
        missing = not_made([protocol.asked(given, **changed)])
        raise NotThere(f"{missing} Or let this page make it: make_missing true")
    return run


def if_made(given: Mapping[str, Any], **changed: Any) -> Run | None:
    """As `of_page`, but None for a run that is not there and that the chapter must not make.

    Parameters
    ----------
    given : mapping of str to object
        Parameters of the chapter, as for `of_page`; ``make_missing`` says whether a run that is
        not there is made.
    **changed
        Fields of `HeatingRun` that the chapter sets otherwise.

    Returns
    -------
    Run or None
        The run; None if it is not made yet, and ``make_missing`` is false.

    Raises
    ------
    Unfit
        As `protocol.asked`.
    """
    plan = protocol.asked(given, **changed)
    if not given["make_missing"]:
        return heating.find(plan)
    return heating.run(plan, ranks=given["ranks"], keep_exploded=True)


def made(plans: Iterable[HeatingRun], ranks: int = 1, make_missing: bool = True) -> Runs:
    """Several runs, each found, resumed or made; those that leave physics are results too.

    Parameters
    ----------
    plans : iterable of HeatingRun
        What is asked for.
    ranks : int
        MPI ranks of those that are made.
    make_missing : bool
        Whether a run that is not there is made; otherwise it is left out (`not_made`).

    Returns
    -------
    Runs
        The runs.
    """
    if make_missing:
        return Runs(heating.run(plan, ranks=ranks, keep_exploded=True) for plan in plans)
    found = [heating.find(plan) for plan in plans]
    return Runs(run for run in found if run is not None)


def not_made(plans: Iterable[HeatingRun]) -> str:
    """Which of several runs are not there, and how each is made, for a reader.

    Parameters
    ----------
    plans : iterable of HeatingRun
        The runs.

    Returns
    -------
    str
        A sentence; empty if all are there.
    """
    lacking = [plan for plan in plans if heating.find(plan) is None]
    if not lacking:
        return ""
    known = {catalogue.run_recipe(name): name for name in catalogue.run_names()}
    names = [known.get(plan, "") for plan in lacking]
    said = [
        f"{name} (`make run RUN={name}`)" if name else plan.name
        for name, plan in zip(names, lacking, strict=True)
    ]
    return f"Not made yet, and missing here: {', '.join(said)}."


def find(name: str) -> Run | None:
    """A finished run by its name, made here or shipped.

    Parameters
    ----------
    name : str
        Name of the run.

    Returns
    -------
    Run or None
        The run; None if it is not finished.

    Raises
    ------
    BadRecipe
        As `catalogue.run_recipe`.
    """
    return heating.find(catalogue.run_recipe(name))


def finished(names: Iterable[str]) -> dict[str, Run]:
    """The finished runs among these names; of the others one line says that they are not there.

    Parameters
    ----------
    names : iterable of str
        of data/runs.yaml. A name that is not in it yet is a run that is not computed yet, too.
        Empty names are passed over.

    Returns
    -------
    dict
        name -> Run, in the order of the names.
    """
    known, wanted = catalogue.run_names(), [name for name in names if name]
    found = {name: find(name) if name in known else None for name in wanted}
    if missing := [name for name, run in found.items() if run is None]:
        print(f"not computed yet: {', '.join(missing)}")
    return {name: run for name, run in found.items() if run is not None}


def alike(names: Iterable[str], **wanted) -> Runs:
    """The finished ones of several runs that have the given fields.

    Of those that are left out, because they differ, are not finished or never reached their ramp,
    this is printed. None is made: runs of large cells take days.

    Parameters
    ----------
    names : iterable of str
        Names of runs, or of groups of runs.
    **wanted
        Fields of `HeatingRun` and their values.

    Returns
    -------
    Runs
        The runs; there may be none.

    Raises
    ------
    BadRecipe
        As `catalogue.run_recipe`.
    """
    found, missing = [], []
    for name in catalogue.spelt_out(names):
        for plan in catalogue.runs_alike([name], **wanted):
            run = heating.find(plan)
            found += [run] if run is not None else []
            missing += [name] if run is None else []
    if missing:
        print(f"not computed yet (make run RUN=...): {', '.join(missing)}")
    return Runs(found).heated() if found else Runs()


def whose(potential: str) -> str:
    """Whose potential a page's runs are made with, for a reader.

    Parameters
    ----------
    potential : str
        Name or folder of a potential.

    Returns
    -------
    str
        A sentence; empty where no recipe has this name.
    """
    entry = catalogue.potential_table()["potentials"].get(potential)
    return f"The forces come from the potential `{potential}`: {entry['what']}." if entry else ""


def of_rates(
    common: HeatingRun,
    rates_K_per_ps: Sequence[float],
    seeds: Sequence[int],
    seeded_K_per_ps: Sequence[float] = (),
    named: Sequence[HeatingRun] = (),
) -> list[HeatingRun]:
    """A run for each rate and seed.

    Parameters
    ----------
    common : HeatingRun
        All that they share; its own rate and seed are not used.
    rates_K_per_ps : sequence of float
        Heating rates, K/ps.
    seeds : sequence of int
        Seeds of the initial velocities. Rates that are not in ``seeded_K_per_ps`` take the first
        only.
    seeded_K_per_ps : sequence of float
        Rates with every seed, K/ps; if empty, all of them.
    named : sequence of HeatingRun
        Further runs; one of the same rate and seed replaces the one made here.

    Returns
    -------
    list of HeatingRun
        The runs.
    """
    found = {}
    for rate in rates_K_per_ps:
        of_rate = seeds if rate in (seeded_K_per_ps or rates_K_per_ps) else seeds[:1]
        for seed in of_rate:
            found[rate, seed] = replace(common, heating_rate_K_per_ps=rate, seed=seed)
    found |= {(plan.heating_rate_K_per_ps, plan.seed): plan for plan in named}
    return list(found.values())


def outstanding(groups: Iterable[str], core_us_per_atom_step: float) -> pd.DataFrame:
    """The runs of these groups that are not made yet, and what they would take.

    Parameters
    ----------
    groups : iterable of str
        Groups of data/runs.yaml.
    core_us_per_atom_step : float
        Cost of a step, microseconds of one core for each atom.

    Returns
    -------
    DataFrame
        ``run``, ``atoms``, ``steps`` and ``core_hours`` of each, the cheapest first.

    Raises
    ------
    BadRecipe
        As `catalogue.run_names`.
    """
    rows = []
    for name in (name for group in groups for name in catalogue.run_names(group)):
        plan = catalogue.run_recipe(name)
        if heating.find(plan) is not None:
            continue
        atoms = len(structures.load(plan.structure)) * math.prod(plan.supercell)
        seconds = 1e-6 * core_us_per_atom_step * atoms * plan.total_steps
        row = {"run": name, "atoms": atoms, "steps": plan.total_steps}
        rows.append(row | {"core_hours": seconds / 3600})
    columns = ["run", "atoms", "steps", "core_hours"]
    return pd.DataFrame(rows, columns=columns).sort_values("core_hours", ignore_index=True)


def ship(name: str, megabytes: float = SHIPPED_MB) -> Run:
    """Put a finished run into ``data/runs/<name>``, with a thinned trajectory.

    The start is left out, since the recipe makes it again; table and log are compressed. Frames
    are left out evenly until the file is small enough; the provenance then has ``thinned`` (one
    frame in this many is present), and the key is unchanged. What was made here moves to
    ``build/unthinned/<name>``: the book reads what is shipped, here as elsewhere.

    Parameters
    ----------
    name : str
        Name of the run.
    megabytes : float
        Largest size of the trajectory, MB.

    Returns
    -------
    Run
        The shipped run.

    Raises
    ------
    BadRecipe
        There is no such run.
    NoProvenance
        The run is not finished.
    AlreadyThere
        Another run is shipped under this name.
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
        if file.name.startswith(".") or file.name in (provenance.FILE, _START):
            continue
        size = file.stat().st_size
        if file.name == f"{trajectory.FILE}.gz" and size > megabytes * 1e6:
            record["thinned"] = math.ceil(size / (megabytes * 1e6))
            trajectory.thin(file, part / file.name, record["thinned"])
        elif file.name in (heating.LOG, thermo.FILE):
            (part / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))
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
