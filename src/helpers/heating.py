"""Heating runs: LAMMPS with a deep potential or ReaxFF, the target as the protocol says.

The target temperature is a function of the step alone; for one continuous ramp

    T(step) = T_start                                  during the equilibration,
    T(step) = T_start + rate * (t - t_equilibration)   up to T_end

so that a run that was killed at any moment goes on along the same ramp: LAMMPS writes restart
files in turn, and before it starts again the tables are cut back to the newest restart up to which
they are whole. A finished run has been counted: every sample is there, once.
The dynamics are Nose-Hoover chains for temperature and pressure (Martyna, Tobias and Klein,
J. Chem. Phys. 101, 4177 (1994); LAMMPS ``fix npt``).
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from tqdm import tqdm

from helpers import (
    deviation,
    kernels,
    lammps,
    layout,
    models,
    paths,
    processes,
    provenance,
    reaxff,
    structures,
    thermo,
    trajectory,
    units,
)
from helpers.errors import Unfit
from helpers.frames import TYPE_MAP
from helpers.lammps import LammpsDied

CLOSEST_A = 0.5  # shorter than any bond: H2 in its strongest vibrations stays above
_PROTOCOL = 1  # counts up when the same HeatingRun would give another run
_RESTART_MAGIC = b"LammpS RestartT\0"  # at the end of every whole restart file
_LOG = "lammps.log"
_RESTART_S = 60.0  # of computing between two restart files, at layout.GUESS_S; at most a picosecond
_SAY_S = 60.0  # between two lines of progress where there is no terminal, at least
_SAY_SHARE = 0.05  # of the run, or ...
_SAY_LATEST_S = 600.0
_SPARE_BYTES = 2**20  # on the disk, beside four restart files


class ExplodedRun(RuntimeError):
    """The dynamics left physics: hot, blown up, atoms on top of each other, lost or NaN."""


class DamagedRun(RuntimeError):
    """A table or trajectory lacks samples that it should hold, or cannot be written (full disk)."""


@dataclass(frozen=True)
class Stage:
    """Steps first ... last with a target temperature linear in the step (K).

    what: equilibration, heating, hold (not sampled: the structure follows the new temperature) or
    sample.
    """

    first: int
    last: int
    start_K: float
    end_K: float
    what: str


COUPLINGS = ("iso", "aniso", "tri", "none")


@dataclass(frozen=True)
class HeatingRun:
    """All that determines a heating run.

    structure: name in data/structures or an ASE-readable file. potential: name, directory or
    frozen ``.pb`` file (see `models.load_potential`), or ``reaxff`` (see `helpers.reaxff`).
    coupling of the barostat: ``iso`` (the paper), ``aniso`` (three lengths on their own), ``tri``
    (angles too) or ``none`` (NVT, the cell stays). segment_K > 0 heats in segments of that many
    kelvin, and after each holds its last temperature for ``hold_ps`` and then samples it for
    ``sample_ps`` (the paper's 20 K/ps runs); 0 is one continuous ramp, held and sampled at its end.
    Where start and end are the same temperature there is no ramp and the rate is 0. thermostat_ps,
    barostat_ps: relaxation times. ensemble: further potentials, of other training seeds; every
    ``deviation_every_ps`` their disagreement is written (`helpers.deviation`), the forces are those
    of ``potential`` alone.
    """

    structure: str
    potential: str
    temperature_start_K: float
    temperature_end_K: float
    heating_rate_K_per_ps: float
    supercell: tuple[int, int, int] = (1, 1, 1)
    equilibration_ps: float = 5.0
    timestep_fs: float = 0.5
    pressure_bar: float = 0.0
    seed: int = 1
    thermo_every_ps: float = 0.1
    frame_every_ps: float = 0.1
    thermostat_ps: float = 0.1
    barostat_ps: float = 1.0
    coupling: str = "iso"
    segment_K: float = 0.0
    hold_ps: float = 0.0
    sample_ps: float = 0.0
    ensemble: tuple[str, ...] = ()
    deviation_every_ps: float = 0.1

    def __post_init__(self):
        for name in ("supercell", "ensemble"):  # a notebook's parameters are lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("temperature_start_K", "timestep_fs", "thermo_every_ps", "frame_every_ps",
                     "thermostat_ps", "barostat_ps", "deviation_every_ps"):
            if not getattr(self, name) > 0:
                raise Unfit(f"{name} = {getattr(self, name)} must be positive")
        for name in ("equilibration_ps", "segment_K", "hold_ps", "sample_ps"):
            if not getattr(self, name) >= 0:
                raise Unfit(f"{name} = {getattr(self, name)} must not be negative")
        if self.temperature_end_K < self.temperature_start_K:
            raise Unfit(
                f"temperature_end_K = {self.temperature_end_K} lies below "
                f"temperature_start_K = {self.temperature_start_K}; this module heats"
            )
        constant = self.temperature_end_K == self.temperature_start_K
        if constant and self.heating_rate_K_per_ps != 0:
            raise Unfit(
                f"heating_rate_K_per_ps = {self.heating_rate_K_per_ps} from and to "
                f"{self.temperature_end_K} K; give 0 for a run at one temperature"
            )
        if not constant and not self.heating_rate_K_per_ps > 0:
            raise Unfit(
                f"heating_rate_K_per_ps = {self.heating_rate_K_per_ps} must be positive"
            )
        if self.coupling not in COUPLINGS:
            raise Unfit(
                f"coupling {self.coupling!r} is unknown; use {', '.join(COUPLINGS[:-1])} or "
                f"{COUPLINGS[-1]}"
            )
        if min(map(self.steps, (self.thermo_every_ps, self.frame_every_ps,
                                self.deviation_every_ps))) < 1:
            raise Unfit("thermo_every_ps, frame_every_ps and deviation_every_ps must be at "
                        "least one timestep")
        if self.ensemble and reaxff.NAME in (self.potential, *self.ensemble):
            raise Unfit(f"an ensemble is one of deep potentials; {reaxff.NAME} has none")
        if not self.stages():
            raise Unfit("the run has no steps: give it a ramp, equilibration_ps, hold_ps or "
                        "sample_ps")

    def steps(self, ps: float) -> int:
        """Number of time steps in ``ps`` picoseconds."""
        return units.steps(ps, self.timestep_fs)

    @property
    def name(self) -> str:
        cell = Path(self.structure).stem + "".join(
            f"x{n}" for n in self.supercell if tuple(self.supercell) != (1, 1, 1))
        if not self.heating_rate_K_per_ps:
            return f"{cell}-{self.temperature_end_K:g}K"
        return f"{cell}-{self.heating_rate_K_per_ps:g}Kps"

    def stages(self) -> list[Stage]:
        """The protocol: equilibration (stage 0), then heat, hold and sample, once or in turn."""
        stages, step, start = [], 0, self.temperature_start_K

        def add(ps: float, to: float, what: str):
            nonlocal step, start
            if n := self.steps(ps):
                stages.append(Stage(step, step + n, start, to, what))
                step, start = step + n, to

        add(self.equilibration_ps, start, "equilibration")
        while True:
            end = min(start + (self.segment_K or math.inf), self.temperature_end_K)
            if end > start:
                add((end - start) / self.heating_rate_K_per_ps, end, "heating")
            start = end
            add(self.hold_ps, end, "hold")
            add(self.sample_ps, end, "sample")
            if end >= self.temperature_end_K:
                return stages

    @property
    def total_steps(self) -> int:
        return self.stages()[-1].last

    def sample_stages(self) -> list[int]:
        """Numbers of the stages that are sampled, as in the table's column ``stage``."""
        first = int(not self.steps(self.equilibration_ps))  # number 0 belongs to equilibration
        return [i for i, s in enumerate(self.stages(), start=first) if s.what == "sample"]

    def recipe(self) -> dict:
        """What the provenance key is made of: every parameter, inputs by content.

        A field that younger runs have is left out at its default: older keys stay what they are.
        """
        plain = {k: float(v) if isinstance(v, (int, float)) and k != "seed" else v
                 for k, v in asdict(self).items()}
        for name in ("sample_ps", "ensemble", "deviation_every_ps"):
            if plain[name] == type(self).__dataclass_fields__[name].default or (
                    name == "deviation_every_ps" and not self.ensemble):
                del plain[name]
        recipe = plain | {
            "protocol": _PROTOCOL,
            "supercell": [int(n) for n in self.supercell],
            "structure": provenance.sha256(_structure_file(self.structure)),
            "potential": _potential_sha256(self.potential),
        }
        if self.ensemble:
            members = [provenance.sha256(models.model_file(p)) for p in self.ensemble]
            if len({recipe["potential"], *members}) <= len(members):
                raise Unfit(
                    f"the ensemble {', '.join(self.ensemble)} beside {self.potential} names one "
                    f"potential twice; potentials that are the same cannot disagree"
                )
            recipe["ensemble"] = sorted(members)
        return recipe


def run(
    heating: HeatingRun, *, ranks: int | None = None, threads: int | None = None,
    restart_every_ps: float | None = None, compress: bool = True, keep_exploded: bool = False,
) -> Path:
    """The directory of this run: found finished (made or shipped), resumed, or made.

    It holds ``start.data``, ``in.heating``, ``thermo.csv`` (see `thermo.read`),
    ``trajectory.lammpstrj.gz`` (see `trajectory.read`), with an ensemble the model deviation (see
    `deviation.read`), the log and the provenance. How it is computed (ranks, threads,
    restart_every_ps, compress) does not determine the result. ranks, threads: as given, or what a
    trial on this machine found fastest (`layout.choose`).

    Raises
    ------
    models.BadPotential
        no such potential, a truncated one, or one that does not know the structure's elements.
    ExplodedRun
        the dynamics became unphysical. What was computed so far stays in the directory, which is
        finished by it: the same call finds it and fails again. With ``keep_exploded`` its
        directory is returned instead, the diagnosis printed and in the provenance (``exploded``).
    reaxff.ReaxFFUnavailable
        the run is one of ReaxFF, it is not here yet, and its force field is not either.
    LammpsDied
        LAMMPS ended with an error.
    DamagedRun
        the disk is full, or a sample is missing where LAMMPS should have written it; the same call
        goes on from the last restart file before that.
    provenance.DirectoryBusy
        another process computes the same run.
    """
    recipe = heating.recipe()
    if found := find(recipe):
        provenance.announce("reused", found)
        return _judged(found, keep_exploded)
    atoms = structure(heating)
    with provenance.lock(provenance.directory("runs", heating.name, recipe)) as directory:
        if found := find(recipe):  # finished while this process waited
            return _judged(found, keep_exploded)
        model = _model(heating.potential, atoms, compress)
        others = [_model(potential, atoms, compress) for potential in heating.ensemble]
        if heating.recipe() != recipe:
            raise DamagedRun(f"the structure or a potential of {heating.name} was replaced while "
                             f"the run was being prepared; call again")
        tried = (reaxff.lines(model.resolve()) if heating.potential == reaxff.NAME
                 else layout.deepmd(model))
        ranks, threads = layout.choose(atoms, tried, recipe["potential"], heating.total_steps,
                                       ranks, threads, _atom_style(heating))
        every = restart_every_ps or min(
            1.0, _RESTART_S / (layout.GUESS_S * len(atoms)) * heating.timestep_fs / 1000)
        try:
            with _no_orphan(directory) as fence:
                _prepare(directory, heating, recipe, atoms, [model, *others])
                first = _rewind(directory, heating)
                provenance.announce(
                    "resumed" if first else "made", directory,
                    f"step {first} of {heating.total_steps}, {ranks} x {threads} threads")
                progress, exploded = _Progress(directory, heating), ""
                if first < heating.total_steps:
                    try:
                        _lammps(directory, heating, first, every, ranks, threads, fence, progress)
                    except ExplodedRun as error:
                        exploded = str(error)
            _finish(directory, heating, recipe, atoms, progress, ranks, threads, exploded)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise _full(directory) from error
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
            without = {k: v for k, v in other.items()
                       if k not in ("ensemble", "deviation_every_ps")}
            if without == recipe != other:
                return file.parent
    return None


def _full(directory: Path) -> DamagedRun:
    return DamagedRun(
        f"the disk is full: {paths.relative(directory)} cannot be written; make room and call "
        f"again, the run goes on from its last whole restart file")


def _judged(directory: Path, keep_exploded: bool) -> Path:
    if exploded := provenance.read(directory).get("exploded"):
        if not keep_exploded:
            raise ExplodedRun(exploded)
        print(f"{directory.name}: {exploded}", flush=True)
    return directory


def structure(heating: HeatingRun) -> Atoms:
    """The start structure of a run, as supercell."""
    return structures.supercell(
        ase.io.read(_structure_file(heating.structure)), tuple(heating.supercell))


def script(heating: HeatingRun, first: int = 0, restart_every_ps: float = 1.0) -> str:
    """The LAMMPS input (metal units) that goes on from ``first``; 0 starts from start.data."""
    r = heating
    p0_v = f"{r.pressure_bar!r}*vol/{units.EV_PER_A3_IN_BAR!r}"
    lines = [
        "units metal",
        f"atom_style {_atom_style(r)}",
        "boundary p p p",
        "box tilt large",
        f"read_restart restart.{first}" if first else "read_data start.data",
        *_force(r),
        "neighbor 1.0 bin",
        "neigh_modify every 5 delay 0 check yes",
        f"timestep {r.timestep_fs / 1000!r}",
    ]
    if not first:
        # Half of the kinetic energy of a start at rest goes into the potential energy.
        lines.append(f"velocity all create {2 * r.temperature_start_K!r} {r.seed} "
                     f"mom yes rot no dist gaussian")
    lines += [
        "fix drift all momentum 200 linear 1 1 1 rescale",
        f"compute near all coord/atom cutoff {CLOSEST_A}",
        "variable near atom c_near>0",
        "compute close all reduce sum v_near",
        # stride() never names the current step: no sample is written twice where parts meet
        f"variable row equal stride(0,1000000000,{r.steps(r.thermo_every_ps)})",
        f"variable frame equal stride(0,1000000000,{r.steps(r.frame_every_ps)})",
        f"variable enthalpy equal etotal+{p0_v}",
        "variable stage equal 0",
        "variable target equal 0",
        'fix table all print v_row "' + ",".join((
            "$(step:%.0f)", f"$(step*{r.timestep_fs / 1000!r}:%.4f)", "$(v_stage:%.0f)",
            "$(v_target:%.3f)", "$(temp:%.4f)", "$(press:%.3f)", "$(vol:%.4f)", "$(density:%.7f)",
            "$(pe:%.6f)", "$(ke:%.6f)", "$(v_enthalpy:%.6f)", "$(cella:%.5f)", "$(cellb:%.5f)",
            "$(cellc:%.5f)", "$(cellalpha:%.5f)", "$(cellbeta:%.5f)", "$(cellgamma:%.5f)",
            "$(c_close:%.0f)")) + f'" append {thermo.FILE} screen no title "#"',
        f"dump frames all custom 1 {trajectory.FILE} id type element xu yu zu",
        f"dump_modify frames every v_frame sort id append yes element {' '.join(TYPE_MAP)} "
        "format float %.4f",
        f"restart {max(r.steps(restart_every_ps), 1)} restart.*",
        "thermo_style custom step temp press vol density pe etotal",
        f"thermo {r.steps(r.thermo_every_ps) * 10}",
    ]
    for i, stage in enumerate(r.stages(), start=int(not r.steps(r.equilibration_ps))):
        if stage.last <= first:
            continue
        a, b, t0, t1 = stage.first, stage.last, stage.start_K, stage.end_K
        lines += [
            f"variable stage equal {i}",
            f"variable target equal {t0!r}+({t1 - t0!r})*(step-{a})/{b - a}",
            f"fix npt all nvt temp {t0!r} {t1!r} {r.thermostat_ps!r}" if r.coupling == "none" else
            f"fix npt all npt temp {t0!r} {t1!r} {r.thermostat_ps!r} "
            f"{r.coupling} {r.pressure_bar!r} {r.pressure_bar!r} {r.barostat_ps!r} "
            "flip no",  # the cell vectors stay those of the structure
            f"run {b} upto start {a} stop {b}",
        ]
    return "\n".join([*lines, "write_restart restart.*"]) + "\n"


# --- inputs ---------------------------------------------------------------------------------


def _structure_file(name: str) -> Path:
    return Path(name) if Path(name).is_file() else structures.file(name)


def _potential_sha256(potential: str) -> str:
    """Of the model file; that of ReaxFF is known, so that its runs are found without it."""
    if potential == reaxff.NAME:
        return reaxff.SHA256
    return provenance.sha256(models.model_file(potential))


def _model(potential: str, atoms: Atoms, compress: bool) -> Path:
    """The model file for LAMMPS, after potential and structure were found to fit."""
    if potential == reaxff.NAME:
        return reaxff.force_field(atoms.get_chemical_symbols())
    models.check_potential(potential, sorted(set(atoms.get_chemical_symbols())))
    return models.compress(potential) if compress else models.model_file(potential)


def _potential_name(potential: str) -> str:
    path = Path(potential)
    return path.parent.name if path.suffix == ".pb" else path.name


def _force(heating: HeatingRun) -> list[str]:
    """The input lines of the potential."""
    if heating.potential == reaxff.NAME:
        return reaxff.lines(*_links(heating))
    compared = ["out_freq", str(heating.steps(heating.deviation_every_ps)),
                "out_file", deviation.FILE] if heating.ensemble else []
    return [" ".join(["pair_style deepmd", *_links(heating), *compared]),
            f"pair_coeff * * {' '.join(TYPE_MAP)}"]


def _atom_style(heating: HeatingRun) -> str:
    return reaxff.ATOM_STYLE if heating.potential == reaxff.NAME else "atomic"


def _links(heating: HeatingRun) -> list[str]:
    """Names of the model files beside the input: it travels, and so does the log."""
    if heating.potential == reaxff.NAME:
        return ["ffield.reaxff"]
    return ["potential.pb", *(f"ensemble{i}.pb" for i in range(1, len(heating.ensemble) + 1))]


def _prepare(directory: Path, heating: HeatingRun, recipe: dict, atoms: Atoms,
             members: list[Path]) -> None:
    (directory / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n")
    (directory / "in.heating").write_text(script(heating))
    lammps.write_data(directory / "start.data", atoms, _atom_style(heating))
    for name, model in zip(_links(heating), members, strict=True):
        link = directory / name
        link.unlink(missing_ok=True)
        link.symlink_to(model.resolve())


# --- restart --------------------------------------------------------------------------------


def _restarts(directory: Path) -> list[tuple[int, Path]]:
    """(step, file) of whole restart files, oldest first; a kill may leave a cut-off one."""
    found = []
    for file in directory.glob("restart.*"):
        size = file.stat().st_size
        if file.suffix[1:].isdigit() and size > len(_RESTART_MAGIC):
            with open(file, "rb") as handle:
                handle.seek(size - len(_RESTART_MAGIC))
                if handle.read() == _RESTART_MAGIC:
                    found.append((int(file.suffix[1:]), file))
    return sorted(found)


def _rewind(directory: Path, heating: HeatingRun) -> int:
    """Cut the tables back to the newest whole restart up to which they are whole, too; its step.

    A restart file whose samples are lost (a full disk, a truncated table) is worth nothing: it is
    removed and the one before it is taken. 0: start anew.
    """
    table, dump = directory / thermo.FILE, directory / trajectory.FILE
    steps, *others = _written(directory)
    candidates, lost = _restarts(directory), ""
    while candidates:
        step, file = candidates.pop()
        if not (lost := _lacking(heating, step, steps, *others)):
            break
        print(f"{paths.relative(file)} is of no use: {lost}", flush=True)
        file.unlink()
    else:
        step = 0
        if steps:
            print(f"no restart file of {paths.relative(directory)} can be gone on from: it starts "
                  f"anew, its {len(steps)} rows up to step {steps[-1]} are dropped", flush=True)
    _trim(table, step)
    if dump.exists():
        trajectory.truncate(dump, step)
    if heating.ensemble:
        deviation.truncate(directory / deviation.FILE, step)
    return step


def _written(directory: Path) -> tuple[list[int], list[int], list[int]]:
    """Steps of the whole rows, frames and deviations that are on the disk."""
    dump = directory / trajectory.FILE
    return ([int(row.split(",", 1)[0]) for row in _rows(directory / thermo.FILE)],
            trajectory.steps(dump) if dump.exists() else [],
            [int(row.split()[0]) for row in deviation.whole_rows(directory / deviation.FILE)])


def _lacking(heating: HeatingRun, step: int, rows: list[int], frames: list[int],
             compared: list[int]) -> str:
    """Which sample up to ``step`` is not there, or is there twice; "" when all are."""
    wanted = [("row", thermo.FILE, heating.thermo_every_ps, 1, rows),
              ("frame", trajectory.FILE, heating.frame_every_ps, 1, frames)]
    if heating.ensemble:  # written at step 0, too, and twice where two stages meet
        wanted.append(("row", deviation.FILE, heating.deviation_every_ps, 0, sorted(set(compared))))
    for what, file, every_ps, from_, found in wanted:
        every = heating.steps(every_ps)
        expected = range(from_ * every, step + 1, every)
        found = [s for s in found if s <= step]
        if found != list(expected):
            missing = sorted(set(expected) - set(found))
            return (f"{file} has no {what} of step {missing[0]}" if missing else
                    f"{file} holds a {what} twice")
    return ""


def _rows(table: Path) -> list[str]:
    """The whole rows of a table; LAMMPS adds a "#" line per session, a kill may cut off the last,
    a full disk may glue two together."""
    lines = table.read_text().splitlines(keepends=True) if table.exists() else []
    return [x for x in lines if x[0].isdigit() and x.endswith("\n")
            and x.count(",") == len(thermo.COLUMNS) - 1]


def _trim(table: Path, step: int) -> None:
    """Keep the header and the whole rows up to ``step``."""
    kept = [row for row in _rows(table) if int(row.split(",", 1)[0]) <= step]
    part = table.with_suffix(".part")
    part.write_text("".join([",".join(thermo.COLUMNS) + "\n", *kept]))
    part.replace(table)


@contextmanager
def _no_orphan(directory: Path) -> Iterator[int]:
    """A lock that LAMMPS inherits; first ends a LAMMPS whose Python was killed with -9."""
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
                        f"{paths.relative(directory)}; stop it, then call again") from None
                time.sleep(0.2)
        os.set_inheritable(fence.fileno(), True)
        yield fence.fileno()


def _works_in(directory: Path, group: int) -> bool:
    """Whether a process of this group works in ``directory``, on this machine.

    On a cluster the lock may be held on another node; here its number means somebody else.
    """
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group and os.path.samefile(
                    process / "cwd", directory):
                return True
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return False


# --- running --------------------------------------------------------------------------------


def _lammps(directory: Path, heating: HeatingRun, first: int, restart_every_ps: float,
            ranks: int, threads: int, fence: int, progress: _Progress) -> None:
    """Run LAMMPS from ``first`` to the end, watching its table."""
    (directory / "in.part").write_text(script(heating, first, restart_every_ps))
    with open(directory / "lammps.out", "wb") as out:
        process = subprocess.Popen(
            [*lammps.command(ranks), "-in", "in.part", "-log", "none"], cwd=directory,
            env=lammps.environment(threads), stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, pass_fds=(fence,), start_new_session=True,
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
        if error := re.search(r"ERROR.*(Lost atoms|Non-numeric|out of range|Bond atom|nan).*", log,
                              re.IGNORECASE):
            raise ExplodedRun(_diagnosis(directory, progress, error.group(0).strip()))
        raise LammpsDied(
            f"LAMMPS ended with code {process.returncode} at step {progress.step} of "
            f"{paths.relative(directory)}; {processes.last_lines(log)}")


def _last_row(heating: HeatingRun) -> int:
    every = heating.steps(heating.thermo_every_ps)
    return heating.total_steps // every * every


class _Progress:
    """Follows thermo.csv: progress bar, guards, wall time. Survives kills in progress.json."""

    def __init__(self, directory: Path, heating: HeatingRun):
        self.directory, self.heating = directory, heating
        self.file = directory / "progress.json"
        try:
            state = json.loads(self.file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):  # the first session, or a full disk
            state = {}
        self.seconds = state.get("seconds", 0.0)  # wall time of LAMMPS, start-up included
        self.md_seconds = state.get("md_seconds", 0.0)  # between the first and last row seen
        # times the ranks, which may change from session to session; unknown in an older state
        self.core_seconds = state.get("core_seconds", math.nan if state else 0.0)
        self.md_steps = state.get("md_steps", 0)
        self.sessions = state.get("sessions", 0)
        self.every = heating.steps(heating.thermo_every_ps)
        self.step, self.row, self.volume0 = 0, None, None

    @contextmanager
    def bar(self, first: int, cores: int):
        self.sessions, self.cores = self.sessions + 1, cores
        self.began = self.tick = time.monotonic()
        self.before = self.seconds
        self.step = self.said = first
        self.mark = None  # (step, time) of the first row of this session
        rows = _rows(self.directory / thermo.FILE)
        self.offset = (self.directory / thermo.FILE).stat().st_size
        volume = thermo.COLUMNS.index("volume_A3")
        self.volume0 = float(rows[0].split(",")[volume]) if rows else None
        self.expected = first // self.every * self.every + self.every
        total = self.heating.total_steps
        with tqdm(total=total, initial=first, desc=self.heating.name, unit="step",
                  disable=not sys.stderr.isatty()) as self.tqdm:
            yield self

    def update(self) -> None:
        with open(self.directory / thermo.FILE, "rb") as file:
            file.seek(self.offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        if not whole:
            return
        self.offset += len(whole)
        now, previous = time.monotonic(), self.step
        for line in whole.decode().splitlines():
            if line.startswith("#"):
                continue
            values = line.split(",")
            if len(values) != len(thermo.COLUMNS) or values[0] != str(self.expected):
                raise DamagedRun(
                    f"{paths.relative(self.directory)}/{thermo.FILE} has {line[:40]!r} where step "
                    f"{self.expected} should be; is the disk full? Call again, the run goes on "
                    f"from its last whole restart file")
            self.expected += self.every
            self.row = dict(zip(thermo.COLUMNS, map(float, values), strict=True))
            self._guard()
        if self.row is None:
            return
        if self.mark is not None:
            self.md_steps += self.step - self.mark[0]
            self.md_seconds += now - self.mark[1]
            self.core_seconds += self.cores * (now - self.mark[1])
        self.mark = (self.step, now)
        self.seconds = self.before + now - self.began
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps({
            "step": self.step, "seconds": self.seconds, "md_seconds": self.md_seconds,
            "core_seconds": self.core_seconds, "md_steps": self.md_steps,
            "sessions": self.sessions}))
        part.replace(self.file)
        restarts = _restarts(self.directory)
        for _, old in restarts[:-2]:
            old.unlink(missing_ok=True)
        need = _SPARE_BYTES + sum(4 * file.stat().st_size for _, file in restarts[-1:])
        if shutil.disk_usage(self.directory).free < need:
            raise _full(self.directory)
        status = (f"T {self.row['temperature_K']:.0f} K, "
                  f"{self.row['density_g_cm3']:.3f} g/cm3, {self.speed_ns_per_day:.3f} ns/day")
        self.tqdm.set_postfix_str(status, refresh=False)
        self.tqdm.update(self.step - previous)
        if self.tqdm.disable and self.md_steps and self._time_to_speak(now):
            self.tick, self.said = now, self.step
            left = (self.heating.total_steps - self.step) * self.md_seconds / self.md_steps
            print(f"  {self.heating.name}: step {self.step} of {self.heating.total_steps}, "
                  f"{status}, {_duration(left)} left", flush=True)

    def _time_to_speak(self, now: float) -> bool:
        """Lines for a page or a log file: a score of them in an hour's run, six an hour later."""
        share = (self.step - self.said) / self.heating.total_steps
        return now - self.tick >= _SAY_S and (
            share >= _SAY_SHARE or now - self.tick >= _SAY_LATEST_S)

    @property
    def speed_ns_per_day(self) -> float:
        if not self.md_seconds:
            return math.nan
        return self.md_steps * self.heating.timestep_fs * 1e-6 / (self.md_seconds / 86400)

    def _guard(self) -> None:
        """Raise when the row at hand is not physics any more."""
        row = self.row
        self.step = int(row["step"])
        self.volume0 = self.volume0 or row["volume_A3"]
        hot = 2 * row["target_temperature_K"] + 1000
        what = None
        if not all(map(math.isfinite, row.values())):
            what = "a value that is not a number"
        elif row["temperature_K"] > hot:
            what = f"temperature above {hot:.0f} K"
        elif not 0.5 < row["volume_A3"] / self.volume0 < 3:
            what = f"volume {row['volume_A3'] / self.volume0:.2f} times that at the start"
        elif row["close_atoms"]:
            what = f"{row['close_atoms']:.0f} atoms closer than {CLOSEST_A} A to another one"
        if what:
            raise ExplodedRun(_diagnosis(self.directory, self, what))


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _diagnosis(directory: Path, progress: _Progress, what: str) -> str:
    row = progress.row or {}
    return (
        f"the run exploded after step {progress.step}: {what} "
        f"(T = {row.get('temperature_K', math.nan):.0f} K, target "
        f"{row.get('target_temperature_K', math.nan):.0f} K, density "
        f"{row.get('density_g_cm3', math.nan):.3f} g/cm3); what it computed is kept; lower "
        f"temperature_end, or train the potential on frames of this temperature")


def _append(part: Path, whole: Path) -> None:
    """Add a session's log to that of the run, without the paths of this machine."""
    text = part.read_text(errors="replace").replace(f"{sys.prefix}/", "").replace(
        f"{paths.ROOT}/", "")
    with open(whole, "a") as target:
        target.write(text)


# --- finishing ------------------------------------------------------------------------------


def _finish(directory: Path, heating: HeatingRun, recipe: dict, atoms: Atoms,
            progress: _Progress, ranks: int, threads: int, exploded: str) -> None:
    raw = directory / trajectory.FILE
    last = progress.step - 1 if exploded else heating.total_steps  # without what is not physics
    _trim(directory / thermo.FILE, last)
    if heating.ensemble:
        deviation.truncate(directory / deviation.FILE, last)
    if raw.exists():
        trajectory.truncate(raw, last)
    if lost := _lacking(heating, last, *_written(directory)):
        raise DamagedRun(f"{paths.relative(directory)} came to its end, but {lost}; call again, "
                         f"it goes on from its last whole restart file")
    if raw.exists():
        part = raw.with_suffix(".part")
        with open(raw, "rb") as source, open(part, "wb") as file, gzip.GzipFile(
                "", "wb", compresslevel=9, fileobj=file, mtime=0) as target:
            shutil.copyfileobj(source, target)
        part.replace(raw.with_name(raw.name + ".gz"))
    table = thermo.read(directory)
    inputs = {"structure": recipe["structure"], "potential": recipe["potential"]}
    ensemble = {}
    if heating.ensemble:
        ensemble = {"ensemble": [_potential_name(potential) for potential in heating.ensemble]}
        inputs |= {f"ensemble {i}": model for i, model in enumerate(recipe["ensemble"], start=1)}
    provenance.write(
        directory, kind="runs", recipe=recipe, description=_description(heating, len(atoms)),
        inputs=inputs, seconds=progress.seconds,
        structure=Path(heating.structure).stem, potential=_potential_name(heating.potential),
        **ensemble,
        steps=progress.step if exploded else heating.total_steps, exploded=exploded,
        sample_stages=heating.sample_stages(),
        atoms=len(atoms), ranks=ranks, threads=threads,
        sessions=progress.sessions, native_kernels=kernels.library() is not None,
        ns_per_day=_rounded(progress.speed_ns_per_day),
        core_us_per_atom_step=_rounded(
            progress.core_seconds * 1e6 / (progress.md_steps * len(atoms))
            if progress.md_steps else math.nan),
        final={k: _rounded(v) for k, v in table.iloc[-1].items()} if len(table) else {},
    )
    for file in [raw, directory / "in.part", directory / "lammps.out", directory / "progress.json",
                 directory / "recipe.json", directory / ".lammps",
                 *(directory / name for name in _links(heating)), *directory.glob("restart.*")]:
        file.unlink(missing_ok=True)


def _description(heating: HeatingRun, atoms: int) -> str:
    ensemble = "NVT" if heating.coupling == "none" else f"NPT {heating.coupling}"
    what = f"{heating.temperature_end_K:g} K"
    if heating.heating_rate_K_per_ps:
        what = (f"{heating.temperature_start_K:g} to {what} at "
                f"{heating.heating_rate_K_per_ps:g} K/ps")
    if heating.heating_rate_K_per_ps and heating.segment_K:
        what += (f" in segments of {heating.segment_K:g} K, held for {heating.hold_ps:g} ps and "
                 f"sampled for {heating.sample_ps:g} ps")
    return f"{Path(heating.structure).stem}, {atoms} atoms, {ensemble}, {what}"


def _rounded(x: float) -> float | None:
    return float(f"{x:.6g}") if np.isfinite(x) else None
