"""Continuation of an interrupted heating run, from the newest restart file that can be trusted.

LAMMPS writes restart files in turn. Before it starts again, the tables are cut back to the newest
restart file up to which they are complete. A LAMMPS process that outlived its Python is ended
first.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers import paths, processes, provenance
from helpers.errors import UserError
from helpers.md import model_deviation, thermo, trajectory
from helpers.md.protocol import HeatingRun

_RESTART_MAGIC = b"LammpS RestartT\0"  # at the end of every whole restart file


class DamagedRun(UserError, RuntimeError):
    """A table or trajectory lacks samples, or cannot be written because the disk is full."""


def full_disk(directory: Path) -> DamagedRun:
    """The error of a run that finds no space to write.

    Parameters
    ----------
    directory : Path
        Directory of the run.

    Returns
    -------
    DamagedRun
        The error.
    """
    return DamagedRun(
        f"the disk is full: {paths.relative(directory)} cannot be written; make room and call "
        f"again, the run goes on from its last whole restart file"
    )


def restarts(directory: Path) -> list[tuple[int, Path]]:
    """Complete restart files; a kill may leave an incomplete one.

    Parameters
    ----------
    directory : Path
        Directory of the run.

    Returns
    -------
    list of (int, Path)
        Step and file, oldest first.
    """
    found = []
    for file in directory.glob("restart.*"):
        size = file.stat().st_size
        if file.suffix[1:].isdigit() and size > len(_RESTART_MAGIC):
            with open(file, "rb") as handle:
                handle.seek(size - len(_RESTART_MAGIC))
                if handle.read() == _RESTART_MAGIC:
                    found.append((int(file.suffix[1:]), file))
    return sorted(found)


def rewind(directory: Path, heating: HeatingRun) -> int:
    """Cut the tables back to the newest complete restart file up to which they are complete.

    A restart file whose samples are lost (a full disk, a truncated table) is removed, and the one
    before it is used.

    Parameters
    ----------
    directory : Path
        Directory of the run.
    heating : HeatingRun
        The run.

    Returns
    -------
    int
        Step of that restart file; 0 to start anew.
    """
    steps, *others = written(directory)
    candidates, lost = restarts(directory), ""
    while candidates:
        step, file = candidates.pop()
        if not (lost := lacking(heating, step, steps, *others)):
            break
        print(f"{paths.relative(file)} is of no use: {lost}", flush=True)
        file.unlink()
    else:
        step = 0
        if steps:
            print(
                f"no restart file of {paths.relative(directory)} can be gone on from: it starts "
                f"anew, its {len(steps)} rows up to step {steps[-1]} are dropped",
                flush=True,
            )
    cut(directory, heating, step)
    return step


def cut(directory: Path, heating: HeatingRun, step: int) -> None:
    """Keep the samples up to a step.

    Parameters
    ----------
    directory : Path
        Directory of the run.
    heating : HeatingRun
        The run.
    step : int
        Last step to keep.
    """
    thermo.truncate(directory / thermo.FILE, step)
    if (dump := directory / trajectory.FILE).exists():
        trajectory.truncate(dump, step)
    if heating.ensemble:
        model_deviation.truncate(directory / model_deviation.FILE, step)


def written(directory: Path) -> tuple[list[int], list[int], list[int]]:
    """Steps of the complete samples on disk.

    Parameters
    ----------
    directory : Path
        Directory of the run.

    Returns
    -------
    rows : list of int
        Steps of the thermodynamic table.
    frames : list of int
        Steps of the trajectory.
    compared : list of int
        Steps of the model deviation.
    """
    dump = directory / trajectory.FILE
    return (
        [int(row.split(",", 1)[0]) for row in thermo.whole_rows(directory / thermo.FILE)],
        trajectory.steps(dump) if dump.exists() else [],
        [
            int(row.split()[0])
            for row in model_deviation.whole_rows(directory / model_deviation.FILE)
        ],
    )


def lacking(
    heating: HeatingRun, step: int, rows: list[int], frames: list[int], compared: list[int]
) -> str:
    """The first sample up to a step that is missing or present twice.

    Parameters
    ----------
    heating : HeatingRun
        The run.
    step : int
        Last step to check.
    rows : list of int
        Steps of the thermodynamic table.
    frames : list of int
        Steps of the trajectory.
    compared : list of int
        Steps of the model deviation.

    Returns
    -------
    str
        In words; empty if all samples are present once.
    """
    wanted = [
        ("row", thermo.FILE, heating.thermo_every_ps, 1, rows),
        ("frame", trajectory.FILE, heating.frame_every_ps, 1, frames),
    ]
    if heating.ensemble:  # written at step 0, too, and twice where two segments meet
        wanted.append(
            ("row", model_deviation.FILE, heating.deviation_every_ps, 0, sorted(set(compared)))
        )
    for what, file, every_ps, from_, found in wanted:
        every = heating.steps(every_ps)
        expected = range(from_ * every, step + 1, every)
        found = [s for s in found if s <= step]
        if found != list(expected):
            missing = sorted(set(expected) - set(found))
            return (
                f"{file} has no {what} of step {missing[0]}"
                if missing
                else f"{file} holds a {what} twice"
            )
    return ""


@contextmanager
def no_orphan(directory: Path) -> Iterator[int]:
    """End a LAMMPS process whose Python was killed, and hold a lock that the next one inherits.

    Parameters
    ----------
    directory : Path
        Directory of the run.

    Yields
    ------
    int
        File descriptor of the lock.

    Raises
    ------
    DirectoryBusy
        The process cannot be ended.
    """
    group = directory / ".lammps"
    with open(group, "a+") as fence:
        deadline = time.monotonic() + 15
        while True:
            try:
                fcntl.flock(fence, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # The lock is held by our own child of an earlier call, so the number is its.
                number = group.read_text().strip()
                if number.isdigit() and _works_in(directory, int(number)):
                    processes.kill_group(int(number))
                if time.monotonic() > deadline:
                    raise provenance.DirectoryBusy(
                        f"a LAMMPS process (group {number}) of an earlier call still writes to "
                        f"{paths.relative(directory)}; stop it, then call again"
                    ) from None
                time.sleep(0.2)
        os.set_inheritable(fence.fileno(), True)
        yield fence.fileno()


def _works_in(directory: Path, group: int) -> bool:
    """Whether a process of this group works in ``directory``, on this machine.

    On a cluster the lock may be held on another node; here its number means somebody else.
    """
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group and (process / "cwd").samefile(directory):
                return True
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return False
