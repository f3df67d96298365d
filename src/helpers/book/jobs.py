"""What the heating runs of a profile ask of a cluster: its section ``runs``, read by runs.smk.

An entry is a group of ``data/runs.yaml`` or one of its runs; a later entry goes over an earlier
one, field by field::

    runs:
      paper: {ranks: 32, threads: 1, gpus: 0, memory_GB: 64, wall_time_h: 24, submissions: 5}
      DPMD-20K: {wall_time_h: 6}

A job has one node. One that reaches its wall time is submitted again and resumes.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields

from helpers.book import chapters
from helpers.errors import UserError, nearest
from helpers.recipes import catalogue


class BadJob(UserError, ValueError):
    """A profile names no runs, or an unknown one, or asks for something that makes no sense."""


@dataclass(frozen=True)
class Job:
    """What one heating run asks for.

    Attributes
    ----------
    ranks : int
        Number of MPI ranks.
    threads : int
        Threads of each rank.
    memory_GB : float
        Memory of the job, GB.
    wall_time_h : float
        Wall time after which the queue may end the job, h.
    submissions : int
        How often the job may be submitted in all; the run has this number times the wall time.
    gpus : int
        Number of GPUs of the job.

    Raises
    ------
    BadJob
        A number of ranks, threads or submissions is no positive whole number, that of GPUs is no
        whole number from 0 up, or memory or wall time is not positive and finite.
    """

    ranks: int
    threads: int
    memory_GB: float
    wall_time_h: float
    submissions: int
    gpus: int = 0

    def __post_init__(self):
        for name in ("ranks", "threads", "submissions", "gpus"):
            value, least = getattr(self, name), int(name != "gpus")
            if type(value) is not int or value < least:
                raise BadJob(f"{name} = {value!r} is not a whole number from {least} up")
        for name in ("memory_GB", "wall_time_h"):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < math.inf:
                raise BadJob(f"{name} = {value!r} is not a positive number")

    def resources(self) -> dict[str, int]:
        """The resources as snakemake's Slurm executor names them.

        Returns
        -------
        dict of str to int
            ``runtime`` (minutes), ``mem_mb`` (MB), ``cpus_per_task`` (cores on the node), and
            ``gpu`` if any.
        """
        return {
            "runtime": math.ceil(60 * self.wall_time_h), "mem_mb": round(1000 * self.memory_GB),
            "cpus_per_task": self.ranks * self.threads, **({"gpu": self.gpus} if self.gpus else {}),
        }  # fmt: skip


def of(profile: str, names: list[str] | None = None) -> dict[str, Job]:
    """The job of each run of a profile.

    Parameters
    ----------
    profile : str
        Name of the profile.
    names : list of str, optional
        Names of runs; by default all runs of the profile.

    Returns
    -------
    dict of str to Job
        Run -> job.

    Raises
    ------
    BadJob
        The profile has no section ``runs``, an entry of it makes no sense, or a name is none of its
        runs.
    catalogue.BadRecipe
        ``data/runs.yaml`` does not know an entry or a name.
    chapters.ChapterError
        There is no such profile.
    """
    section = chapters.runs(profile)
    if not section:
        raise BadJob(
            f"profile {profile!r}, runs: there are none; say which, and what a job asks for "
            f"(as data/profiles/full.yaml does)"
        )
    asked: dict[str, dict] = {}
    last = {}  # the entry that said most lately what a run asks for
    for entry, own in section.items():
        for name in _runs(entry):
            asked[name], last[name] = asked.get(name, {}) | (own or {}), entry
    for name in names or []:
        catalogue.run_recipe(name)  # refuses an unknown one
        if name not in asked:
            raise BadJob(
                f"profile {profile!r}, runs: {name!r} is not among them; there are: "
                f"{', '.join(asked)}"
            )

    def where(name: str) -> str:
        of = "" if last[name] == name else f", {name}"
        return chapters.where(profile, "runs", last[name]) + of

    return {name: _job(where(name), asked[name]) for name in names or asked}


def _runs(entry: str) -> list[str]:
    """The runs of a group, or the one of this name."""
    if entry in catalogue.run_groups():
        return catalogue.run_names(entry)
    catalogue.run_recipe(entry)  # refuses an unknown one
    return [entry]


def _job(where: str, asked: dict) -> Job:
    known = {f.name: f.default for f in fields(Job)}
    for name in asked:
        if name not in known:
            raise BadJob(
                f"{where}: unknown {name!r}{nearest(name, known)} (there are: {', '.join(known)})"
            )
    if missing := [n for n, default in known.items() if default is MISSING and n not in asked]:
        raise BadJob(f"{where}: say {', '.join(missing)}, too")
    try:
        return Job(**asked)
    except BadJob as error:
        raise BadJob(f"{where}: {error}") from None
