"""Heating runs: LAMMPS with a deep potential or ReaxFF along a protocol.

A run is found finished, resumed or made. A finished run has been checked: every sample is present
exactly once.
"""

from __future__ import annotations

import errno
import gzip
import json
import math
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms

from helpers import paths, processes, provenance
from helpers.errors import NotThere, Unfit
from helpers.frames import checks
from helpers.md import (
    force_field,
    fused,
    kernels,
    lammps,
    lammps_input,
    parallel,
    protocol,
    resume,
    thermo,
    trajectory,
)
from helpers.md.lammps import LammpsDied
from helpers.md.progress import ExplodedRun, Progress
from helpers.md.protocol import HeatingRun
from helpers.md.resume import DamagedRun
from helpers.md.run import Run
from helpers.observables import neighbors

LOG = "lammps.log"
CARD = "card.json"  # of a run of `helpers.recipes.card_runs`: who gave the forces
_INTEGRATING = "Per MPI rank memory allocation"  # what LAMMPS says where a run begins
_LEFT_PHYSICS = re.compile(
    r"^ERROR(?: on proc \d+)?: (?:Lost atoms|Non-numeric (?:atom coords|box dimensions|pressure)"
    r"|Bond atoms? |Out of range atoms|Too many neighbor bins|Domain too large for neighbor).*",
    re.MULTILINE,
)
_RESTART_S = (
    60.0  # of computing between two restart files, at parallel.GUESS_S; at most a picosecond
)


def run(
    heating: HeatingRun,
    *,
    ranks: int | None = None,
    threads: int | None = None,
    restart_every_ps: float | None = None,
    compress: bool = True,
    keep_exploded: bool = False,
) -> Run:
    """A heating run: found finished (made or shipped), resumed, or made.

    Its directory holds ``start.data``, ``in.heating``, ``thermo.csv`` (see `thermo.read`),
    ``trajectory.lammpstrj.gz`` (see `trajectory.read`), with an ensemble the model deviation (see
    `model_deviation.read`), the log and the provenance. The keyword arguments do not determine the
    result.

    Parameters
    ----------
    heating : HeatingRun
        The run.
    ranks : int, optional
        MPI ranks; by default the fastest in a trial on this machine (`parallel.choose`).
    threads : int, optional
        Threads of each rank; by default as ``ranks``.
    restart_every_ps : float, optional
        Simulated time between restart files, ps.
    compress : bool
        Whether to use the tabulated form of the potential.
    keep_exploded : bool
        Whether to return an exploded run, with its diagnosis printed, instead of raising.

    Returns
    -------
    Run
        The finished run.

    Raises
    ------
    BadPotential
        There is no such potential, it is truncated, or it lacks an element of the structure.
    ExplodedRun
        The dynamics became unphysical. What was computed stays in the directory, which is thereby
        finished: the same call finds it and fails again.
    ReaxFFUnavailable
        The run is one of ReaxFF, it is not here yet, and neither is its force field.
    LammpsDied
        LAMMPS ended with an error.
    DamagedRun
        The disk is full, or a sample is missing; the same call continues from the last restart file
        before that.
    DirectoryBusy
        Another process computes the same run.
    """
    recipe = heating.recipe()
    before = None
    if heating.after and not find(heating):
        before = run(heating.after, ranks=ranks, threads=threads, compress=compress)
    atoms = protocol.structure(heating)

    def make(directory: Path) -> dict:
        every = restart_every_ps or min(
            1.0, _RESTART_S / (parallel.GUESS_S * len(atoms)) * heating.timestep_fs / 1000
        )
        return _made(directory, heating, recipe, atoms, before, ranks, threads, every, compress)

    def look() -> Path | None:
        found = find(heating)
        return found.directory if found else None

    try:
        directory = provenance.kept(
            "runs",
            recipe,
            make,
            name=heating.name,
            description=_description(heating, len(atoms)),
            inputs=_inputs(recipe),
            look=look,
            tidy=lambda directory: _tidy(directory, heating),
            speaks=True,  # it knows from which step it goes on
        )
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise resume.full_disk(provenance.directory("runs", heating.name, recipe)) from error
    return _judged(Run.read(directory, heating), keep_exploded)


def find(heating: HeatingRun) -> Run | None:
    """The finished run of a recipe, made here or shipped.

    A run with an additional ensemble, which does not affect the forces, is accepted as well.

    Parameters
    ----------
    heating : HeatingRun
        The run.

    Returns
    -------
    Run or None
        The run; None if there is none.
    """
    recipe = heating.recipe()
    wanted, with_ensemble = provenance.key(recipe), None
    for directory, record in provenance.finished("runs"):
        if record.get("key") == wanted:
            return Run.read(directory, heating)
        if with_ensemble is None:
            other = record["recipe"]
            without = {
                k: v for k, v in other.items() if k not in ("ensemble", "deviation_every_ps")
            }
            if without == recipe != other:
                with_ensemble = directory
    return Run.read(with_ensemble, heating) if with_ensemble else None


def _judged(run: Run, keep_exploded: bool) -> Run:
    if run.exploded:
        if not keep_exploded:
            raise ExplodedRun(run.exploded)
        print(f"{run.name}: {run.exploded}", flush=True)
    return run


# --- inputs ---------------------------------------------------------------------------------


def _made(
    directory: Path,
    heating: HeatingRun,
    recipe: dict,
    atoms: Atoms,
    before: Run | None,
    ranks: int | None,
    threads: int | None,
    restart_every_ps: float,
    compress: bool,
) -> dict:
    """Bring the run in ``directory`` to its end from where it was left; what is to be known."""
    model, *others = [
        force_field.of(potential).model(atoms.symbols, tabulated=compress)
        for potential in (heating.potential, *heating.ensemble)
    ]
    if heating.recipe() != recipe:
        raise DamagedRun(
            f"the structure or a potential of {heating.name} was replaced while "
            f"the run was being prepared; call again"
        )
    whole = None
    if compress and not others and heating.force_field.atom_style == "atomic":
        whole = fused.proven(heating.potential, protocol.structure(_unit_cell(heating)))
    ranks, threads = parallel.choose(
        atoms, heating.force_field, model, heating.total_steps, ranks, threads, whole
    )
    with resume.no_orphan(directory) as fence:
        _prepare(directory, heating, atoms, [model, *others], before)
        first = resume.rewind(directory, heating)
        provenance.announce(
            "resumed" if first else "made",
            directory,
            f"step {first} of {heating.total_steps}, {ranks} x {threads} threads",
        )
        progress, exploded = Progress(directory, heating), ""
        if first < heating.total_steps:
            try:
                _lammps(
                    directory,
                    heating,
                    first,
                    restart_every_ps,
                    ranks,
                    threads,
                    fence,
                    progress,
                    whole,
                )
            except ExplodedRun as error:
                exploded = str(error)
        if not exploded and (found := _collapse(directory)):
            progress.step, exploded = found
    _close(directory, heating, progress, exploded)
    facts = _facts(directory, heating, atoms, progress, ranks, threads, exploded)
    if (directory / CARD).is_file():
        facts["forces_by"] = json.loads((directory / CARD).read_text())
    return facts | {"fused": whole is not None}


def _unit_cell(heating: HeatingRun) -> HeatingRun:
    """The same run of one cell: enough to compare forces with."""
    if heating.after:
        return replace(heating, after=None, supercell=(1, 1, 1))
    return replace(heating, supercell=(1, 1, 1))


def _prepare(
    directory: Path,
    heating: HeatingRun,
    atoms: Atoms,
    models: list[Path],
    before: Run | None,
) -> None:
    (directory / "in.heating").write_text(lammps_input.script(heating))
    start = directory / "start.data"
    if before:
        go_on(before.directory, start)
    else:
        style = heating.force_field.atom_style
        lammps.write_data(start, atoms, style, heating.hydrogen_mass_u)
    for name, model in zip(lammps_input.links(heating), models, strict=True):
        link = directory / name
        link.unlink(missing_ok=True)
        link.symlink_to(model.resolve())


def go_on(before: Path, start: Path) -> None:
    """Where a run ended, as the start of another.

    Parameters
    ----------
    before : Path
        Directory of the finished run.
    start : Path
        LAMMPS' data file that is written.

    Raises
    ------
    DamagedRun
        The run kept no such end.
    """
    end = before / f"{lammps_input.END}.gz"
    if not end.is_file():
        raise DamagedRun(
            f"{paths.relative(before)} has no {end.name} to go on from (it was made before such "
            "files were written, or shipped without); remove it, and the same call makes it again"
        )
    start.write_bytes(gzip.decompress(end.read_bytes()))


# --- running --------------------------------------------------------------------------------


def _lammps(
    directory: Path,
    heating: HeatingRun,
    first: int,
    restart_every_ps: float,
    ranks: int,
    threads: int,
    fence: int,
    progress: Progress,
    whole: tuple[Path, Path] | None,
) -> None:
    """Run LAMMPS from ``first`` to the end, watching its table."""
    (directory / "in.part").write_text(lammps_input.script(heating, first, restart_every_ps))
    with open(directory / "lammps.out", "wb") as out:
        process = subprocess.Popen(
            [*lammps.command(ranks), "-in", "in.part", "-log", "none"],
            cwd=directory,
            env=lammps.environment(threads, fused=whole),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=(fence,),
            start_new_session=True,
            preexec_fn=processes.die_with_parent,
        )
    (directory / ".lammps").write_text(str(process.pid))
    try:
        with progress.bar(first, ranks * threads):
            while process.poll() is None:
                time.sleep(0.25)
                progress.update()
            progress.update()
    finally:
        processes.kill_group(process.pid)
        process.wait()
        _append(directory / "lammps.out", directory / LOG)
    if process.returncode or progress.step < _last_row(heating):
        log = (directory / "lammps.out").read_text(errors="replace")
        # an error of the input is none of the dynamics, whatever its words
        error = _LEFT_PHYSICS.search(log) if _INTEGRATING in log else None
        if error:
            raise ExplodedRun(progress.diagnosis(error.group(0).strip()))
        raise LammpsDied(
            f"LAMMPS ended with code {process.returncode} at step {progress.step} of "
            f"{paths.relative(directory)}; {processes.last_lines(log)}"
        )


def _last_row(heating: HeatingRun) -> int:
    every = heating.steps(heating.thermo_every_ps)
    return heating.total_steps // every * every


def _append(part: Path, whole: Path) -> None:
    """Add a session's log to that of the run, without the paths of this machine."""
    text = (
        part.read_text(errors="replace").replace(f"{sys.prefix}/", "").replace(f"{paths.ROOT}/", "")
    )
    text = processes.without_noise_of(text)
    with open(whole, "a") as target:
        target.write(text)


# --- finishing ------------------------------------------------------------------------------


def _collapse(directory: Path) -> tuple[int, str] | None:
    """The first saved frame with two atoms nearer than any bond allows: its step, and what it is.

    A potential that lacks a wall between two elements lets them fall into each other and goes on
    without any other sign.
    """
    try:
        frames = trajectory.read(directory)
    except (NotThere, Unfit):  # none was saved
        return None
    symbols, kind = np.unique(frames.symbols, return_inverse=True)
    limits = np.zeros((len(symbols), len(symbols)))
    for (a, b), limit in checks.MINIMUM_DISTANCES.items():
        for one, other in ((a, b), (b, a)):
            limits[np.ix_(symbols == one, symbols == other)] = limit
    everyone = np.arange(len(kind))
    for step, positions, cell in zip(frames.steps, frames.positions, frames.cells, strict=True):
        near = neighbors.pairs(positions, cell, everyone, everyone, limits.max() or 1.0)
        allowed = limits[kind[near.i], kind[near.j]]
        too_near = np.flatnonzero(near.distance < allowed)
        if len(too_near):
            worst = too_near[near.distance[too_near].argmin()]
            pair = "-".join(sorted(symbols[kind[[near.i[worst], near.j[worst]]]]))
            return int(step), (
                f"step {step}: {pair} at {near.distance[worst]:.2f} A, nearer than any bond "
                f"({allowed[worst]:g} A): the potential has left physics"
            )
    return None


def _close(directory: Path, heating: HeatingRun, progress: Progress, exploded: str) -> None:
    """Leave out what is not physics, count what is left, and compress the trajectory."""
    raw, end = directory / trajectory.FILE, directory / lammps_input.END
    last = progress.step - 1 if exploded else heating.total_steps
    resume.cut(directory, heating, last)
    if lost := resume.lacking(heating, last, *resume.written(directory)):
        raise DamagedRun(
            f"{paths.relative(directory)} came to its end, but {lost}; call again, "
            f"it goes on from its last whole restart file"
        )
    raw = directory / trajectory.FILE
    if raw.exists():
        with (
            open(raw, "rb") as source,
            provenance.replacing(raw.with_name(f"{raw.name}.gz")) as part,
            open(part, "wb") as file,
            gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as target,
        ):
            shutil.copyfileobj(source, target)
    if end.is_file() and not exploded:
        packed = gzip.compress(end.read_bytes(), 9, mtime=0)
        (directory / f"{end.name}.gz").write_bytes(packed)


def _facts(
    directory: Path,
    heating: HeatingRun,
    atoms: Atoms,
    progress: Progress,
    ranks: int,
    threads: int,
    exploded: str,
) -> dict:
    """What the provenance of a run tells beside its recipe."""
    table = thermo.read(directory)
    ensemble = [force_field.of(potential).name for potential in heating.ensemble]
    cost = (
        progress.core_seconds * 1e6 / (progress.md_steps * len(atoms))
        if progress.md_steps
        else math.nan
    )
    return {
        "seconds": progress.seconds,
        "structure": Path(heating.structure).stem,
        "potential": heating.force_field.name,
        **({"ensemble": ensemble} if ensemble else {}),
        "steps": progress.step if exploded else heating.total_steps,
        "exploded": exploded,
        "atoms": len(atoms),
        "ranks": ranks,
        "threads": threads,
        "sessions": progress.sessions,
        "native_kernels": kernels.library() is not None,
        "ns_per_day": _rounded(progress.speed_ns_per_day),
        "core_us_per_atom_step": _rounded(cost),
        "final": {k: _rounded(v) for k, v in table.iloc[-1].items()} if len(table) else {},
    }


def _tidy(directory: Path, heating: HeatingRun) -> None:
    """Remove what only a run that is not finished needs."""
    for name in (
        trajectory.FILE,
        lammps_input.END,
        "in.part",
        "lammps.out",
        "progress.json",
        "recipe.json",
        CARD,
        ".lammps",
        *lammps_input.links(heating),
        *(file.name for file in directory.glob("restart.*")),
    ):
        (directory / name).unlink(missing_ok=True)


def _inputs(recipe: dict) -> dict[str, str]:
    """Name -> sha256 of what went into a run."""
    others = enumerate(recipe.get("ensemble", []), start=1)
    return {name: recipe[name] for name in ("structure", "potential")} | {
        f"ensemble {i}": model for i, model in others
    }


def _description(heating: HeatingRun, atoms: int) -> str:
    ensemble = "NVT" if heating.coupling == "none" else f"NPT {heating.coupling}"
    what = f"{heating.temperature_end_K:g} K"
    if heating.heating_rate_K_per_ps:
        what = (
            f"{heating.temperature_start_K:g} to {what} at {heating.heating_rate_K_per_ps:g} K/ps"
        )
    if heating.heating_rate_K_per_ps and heating.segment_K:
        what += (
            f" in segments of {heating.segment_K:g} K, held for {heating.hold_ps:g} ps and "
            f"sampled for {heating.sample_ps:g} ps"
        )
    if heating.pressure_bar:
        what += f", {heating.pressure_bar / 1e4:g} GPa"
    if heating.volume_A3_per_atom:
        what += f", {heating.volume_A3_per_atom:g} A^3 an atom"
    if heating.hydrogen_mass_u != protocol.HYDROGEN_U:
        what += f", H of {heating.hydrogen_mass_u:g} u"
    if heating.after:
        what += f", from the end of: {_description(heating.after, atoms)}"
    return f"{Path(heating.structure).stem}, {atoms} atoms, {ensemble}, {what}"


def _rounded(x: float) -> float | None:
    return float(f"{x:.6g}") if np.isfinite(x) else None
