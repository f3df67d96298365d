"""Heating runs: LAMMPS with a deep potential or ReaxFF, the target as the protocol says.

A run is found finished, resumed or made. A finished run has been counted: every sample is there,
once.
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
from helpers.md import (
    fused,
    kernels,
    lammps,
    lammps_input,
    parallel,
    protocol,
    reaxff,
    resume,
    thermo,
    trajectory,
)
from helpers.md.lammps import LammpsDied
from helpers.md.progress import ExplodedRun, Progress
from helpers.md.protocol import HeatingRun
from helpers.md.resume import DamagedRun
from helpers.potentials import conversion, store

_LOG = "lammps.log"
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
) -> Path:
    """The directory of this run: found finished (made or shipped), resumed, or made.

    It holds ``start.data``, ``in.heating``, ``thermo.csv`` (see `thermo.read`),
    ``trajectory.lammpstrj.gz`` (see `trajectory.read`), with an ensemble the model deviation (see
    `model_deviation.read`), the log and the provenance. How it is computed (ranks, threads,
    restart_every_ps, compress) does not determine the result. ranks, threads: as given, or what a
    trial on this machine found fastest (`parallel.choose`).

    Raises
    ------
    store.BadPotential
        no such potential, a truncated one, or one that does not know the structure's elements.
    progress.ExplodedRun
        the dynamics became unphysical. What was computed so far stays in the directory, which is
        finished by it: the same call finds it and fails again. With ``keep_exploded`` its
        directory is returned instead, the diagnosis printed and in the provenance (``exploded``).
    reaxff.ReaxFFUnavailable
        the run is one of ReaxFF, it is not here yet, and its force field is not either.
    lammps.LammpsDied
        LAMMPS ended with an error.
    resume.DamagedRun
        the disk is full, or a sample is missing where LAMMPS should have written it; the same call
        goes on from the last restart file before that.
    provenance.DirectoryBusy
        another process computes the same run.
    """
    recipe = heating.recipe()
    if found := find(recipe):
        provenance.announce("reused", found)
        return _judged(found, keep_exploded)
    before = heating.after and run(heating.after, ranks=ranks, threads=threads, compress=compress)
    atoms = protocol.structure(heating)
    with provenance.lock(provenance.directory("runs", heating.name, recipe)) as directory:
        if found := find(recipe):  # finished while this process waited
            return _judged(found, keep_exploded)
        model = _model(heating.potential, atoms, compress)
        others = [_model(potential, atoms, compress) for potential in heating.ensemble]
        if heating.recipe() != recipe:
            raise DamagedRun(
                f"the structure or a potential of {heating.name} was replaced while "
                f"the run was being prepared; call again"
            )
        tried = (
            reaxff.lines(model.resolve())
            if heating.potential == reaxff.NAME
            else lammps_input.deepmd(model)
        )
        whole = None
        if compress and heating.potential != reaxff.NAME and not heating.ensemble:
            whole = fused.proven(heating.potential, protocol.structure(_unit_cell(heating)))
        ranks, threads = parallel.choose(
            atoms,
            tried,
            recipe["potential"],
            heating.total_steps,
            ranks,
            threads,
            lammps_input.atom_style(heating),
            whole,
        )
        every = restart_every_ps or min(
            1.0, _RESTART_S / (parallel.GUESS_S * len(atoms)) * heating.timestep_fs / 1000
        )
        try:
            with resume.no_orphan(directory) as fence:
                _prepare(directory, heating, recipe, atoms, [model, *others], before)
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
                            directory, heating, first, every, ranks, threads, fence, progress, whole
                        )
                    except ExplodedRun as error:
                        exploded = str(error)
            _finish(directory, heating, recipe, atoms, progress, ranks, threads, exploded, whole)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise resume.full_disk(directory) from error
    return _judged(directory, keep_exploded)


def find(recipe: dict) -> Path | None:
    """The finished run of this recipe, made here or shipped, or None.

    One that has an ensemble beside it, which changes no force, counts as well.
    """
    if found := provenance.find("runs", recipe):
        return found
    for folder in (paths.made("runs"), paths.shipped("runs")):
        for file in sorted(folder.glob(f"*/{provenance.FILE}")):
            other = json.loads(file.read_text())["recipe"]
            without = {
                k: v for k, v in other.items() if k not in ("ensemble", "deviation_every_ps")
            }
            if without == recipe != other:
                return file.parent
    return None


def _judged(directory: Path, keep_exploded: bool) -> Path:
    if exploded := provenance.read(directory).get("exploded"):
        if not keep_exploded:
            raise ExplodedRun(exploded)
        print(f"{directory.name}: {exploded}", flush=True)
    return directory


# --- inputs ---------------------------------------------------------------------------------


def _model(potential: str, atoms: Atoms, compress: bool) -> Path:
    """The model file for LAMMPS, after potential and structure were found to fit."""
    if potential == reaxff.NAME:
        return reaxff.force_field(atoms.get_chemical_symbols())
    store.check_potential(potential, sorted(set(atoms.get_chemical_symbols())))
    return conversion.compress(potential) if compress else store.model_file(potential)


def _unit_cell(heating: HeatingRun) -> HeatingRun:
    """The same run of one cell: enough to compare forces with."""
    if heating.after:
        return replace(heating, after=None, supercell=(1, 1, 1))
    return replace(heating, supercell=(1, 1, 1))


def _prepare(
    directory: Path,
    heating: HeatingRun,
    recipe: dict,
    atoms: Atoms,
    members: list[Path],
    before: Path | None,
) -> None:
    (directory / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n")
    (directory / "in.heating").write_text(lammps_input.script(heating))
    start = directory / "start.data"
    if before:
        _go_on(before, start)
    else:
        lammps.write_data(start, atoms, lammps_input.atom_style(heating), heating.hydrogen_mass_u)
    for name, model in zip(lammps_input.links(heating), members, strict=True):
        link = directory / name
        link.unlink(missing_ok=True)
        link.symlink_to(model.resolve())


def _go_on(before: Path, start: Path) -> None:
    """Where the run ``before`` ended, as the start of another."""
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
        _append(directory / "lammps.out", directory / _LOG)
    if process.returncode or progress.step < _last_row(heating):
        log = (directory / "lammps.out").read_text(errors="replace")
        if error := re.search(
            r"ERROR.*(Lost atoms|Non-numeric|out of range|Bond atom|nan).*", log, re.IGNORECASE
        ):
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
    with open(whole, "a") as target:
        target.write(text)


# --- finishing ------------------------------------------------------------------------------


def _finish(
    directory: Path,
    heating: HeatingRun,
    recipe: dict,
    atoms: Atoms,
    progress: Progress,
    ranks: int,
    threads: int,
    exploded: str,
    whole: tuple[Path, Path] | None,
) -> None:
    raw, end = directory / trajectory.FILE, directory / lammps_input.END
    last = progress.step - 1 if exploded else heating.total_steps  # without what is not physics
    resume.cut(directory, heating, last)
    if lost := resume.lacking(heating, last, *resume.written(directory)):
        raise DamagedRun(
            f"{paths.relative(directory)} came to its end, but {lost}; call again, "
            f"it goes on from its last whole restart file"
        )
    if raw.exists():
        part = raw.with_suffix(".part")
        with (
            open(raw, "rb") as source,
            open(part, "wb") as file,
            gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as target,
        ):
            shutil.copyfileobj(source, target)
        part.replace(raw.with_name(raw.name + ".gz"))
    if end.is_file() and not exploded:
        packed = gzip.compress(end.read_bytes(), 9, mtime=0)
        (directory / f"{end.name}.gz").write_bytes(packed)
    table = thermo.read(directory)
    inputs = {"structure": recipe["structure"], "potential": recipe["potential"]}
    ensemble = {}
    if heating.ensemble:
        ensemble = {"ensemble": [_potential_name(potential) for potential in heating.ensemble]}
        inputs |= {f"ensemble {i}": model for i, model in enumerate(recipe["ensemble"], start=1)}
    provenance.write(
        directory,
        kind="runs",
        recipe=recipe,
        description=_description(heating, len(atoms)),
        inputs=inputs,
        seconds=progress.seconds,
        structure=Path(heating.structure).stem,
        potential=_potential_name(heating.potential),
        **ensemble,
        steps=progress.step if exploded else heating.total_steps,
        exploded=exploded,
        sample_stages=heating.sample_stages(),
        atoms=len(atoms),
        ranks=ranks,
        threads=threads,
        sessions=progress.sessions,
        native_kernels=kernels.library() is not None,
        fused=whole is not None,
        ns_per_day=_rounded(progress.speed_ns_per_day),
        core_us_per_atom_step=_rounded(
            progress.core_seconds * 1e6 / (progress.md_steps * len(atoms))
            if progress.md_steps
            else math.nan
        ),
        final={k: _rounded(v) for k, v in table.iloc[-1].items()} if len(table) else {},
    )
    for file in [
        raw,
        end,
        directory / "in.part",
        directory / "lammps.out",
        directory / "progress.json",
        directory / "recipe.json",
        directory / ".lammps",
        *(directory / name for name in lammps_input.links(heating)),
        *directory.glob("restart.*"),
    ]:
        file.unlink(missing_ok=True)


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


def _potential_name(potential: str) -> str:
    path = Path(potential)
    return path.parent.name if path.suffix == ".pb" else path.name


def _rounded(x: float) -> float | None:
    return float(f"{x:.6g}") if np.isfinite(x) else None
