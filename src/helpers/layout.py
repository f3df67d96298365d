"""Ranks and threads for a run, chosen by measurement; what a step of LAMMPS costs.

A cost is given in core-microseconds per atom and step, wall time x ranks x threads / (steps x
atoms), so that sizes and layouts compare; beside it stands the processor time that was really
used, which is less where the machine had other work, or where threads waited.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from ase import Atoms
from tqdm import tqdm

from helpers import kernels, lammps, paths, processes, provenance
from helpers.frames import TYPE_MAP

TIMESTEP_FS = 0.5  # the paper's
_WORTH_S = 600.0  # a run that is guessed to be shorter is not tried
GUESS_S = 1e-4  # per atom and step, where nothing was measured
_TRIAL_S = 6


def layouts(cores: int, atoms: int) -> list[tuple[int, int]]:
    """(ranks, threads) to try: one core, and all cores shared out in every whole way.

    No rank gets fewer than 30 atoms: what it computes for its neighbours' sake is more by then.
    """
    split = [(r, cores // r) for r in range(1, cores + 1) if not cores % r and atoms >= 30 * r]
    return list(dict.fromkeys([(1, 1), *split]))


def choose(atoms: Atoms, force: list[str], potential: str, steps: int, ranks: int | None = None,
           threads: int | None = None, atom_style: str = "atomic") -> tuple[int, int]:
    """(ranks, threads) for a run: as given, or the fastest of a short trial on this machine.

    force: input lines of the potential, and ``potential`` the sha256 of its file. The trial
    is made once for a cell size, potential and machine; it is kept in ``build/bench/layouts`` and
    used again. A run of minutes is not worth it and gets one core.

    Raises
    ------
    LammpsDied
        no layout worked.
    """
    if ranks or threads:
        return ranks or 1, threads or 1
    cores = len(os.sched_getaffinity(0))
    if cores == 1 or GUESS_S * len(atoms) * steps < _WORTH_S:
        return 1, 1
    recipe = {"atoms": len(atoms), "potential": potential, "hardware": provenance.hardware(),
              "versions": provenance.versions(), "native_kernels": kernels.library() is not None}
    file = paths.BUILD / "bench" / "layouts" / f"{provenance.key(recipe)}.json"
    reused = file.is_file()
    if not reused:
        tried, died = {}, None
        for r, t in tqdm(layouts(cores, len(atoms)), desc="ranks x threads", unit="trial"):
            try:
                tried[f"{r} x {t}"] = time_lammps(
                    atoms, force, r, t, _TRIAL_S, atom_style)
            except lammps.LammpsDied as error:  # an mpirun that refuses, too few cores for it
                print(f"{r} ranks x {t} threads: {error}", flush=True)
                died = error
        if not tried:
            raise died
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(recipe | {"load": os.getloadavg()[0], "tried": tried}, indent=1))
        part.replace(file)
    tried = json.loads(file.read_text())["tried"]
    best = min(tried, key=lambda name: tried[name]["s_per_step"])
    provenance.announce(
        "reused" if reused else "made", file, f"{best} threads is fastest of " + ", ".join(
            f"{name} ({1e3 * row['s_per_step']:.3g} ms a step)" for name, row in tried.items()))
    r, _, t = best.split()
    return int(r), int(t)


def deepmd(model: Path) -> list[str]:
    """Input lines of a deep potential."""
    return [f"pair_style deepmd {model.resolve()}", f"pair_coeff * * {' '.join(TYPE_MAP)}"]


def time_lammps(atoms: Atoms, force: list[str], ranks: int, threads: int, seconds: int,
            atom_style: str = "atomic", native: bool = True) -> dict:
    """Steps at constant energy for about ``seconds``; the first two are left out.

    native: see `lammps.environment`.
    """
    text = "\n".join([
        "units metal", f"atom_style {atom_style}", "boundary p p p", "box tilt large",
        "read_data start.data", *force, "neighbor 1.0 bin",
        "neigh_modify every 5 delay 0 check yes", f"timestep {TIMESTEP_FS / 1000!r}",
        "velocity all create 600.0 1", "fix move all nve", "thermo 1000000", "run 2",
        f"timer timeout {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} every 1",
        "run 1000000"]) + "\n"  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="zif4-md-speed-") as work:
        lammps.write_data(Path(work) / "start.data", atoms, atom_style)
        (Path(work) / "in.speed").write_text(text)
        load = os.getloadavg()[0]
        done = subprocess.run(
            [*lammps.command(ranks), "-in", "in.speed", "-log", "none"], cwd=work,
            env=lammps.environment(threads, native), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=processes.die_with_parent,
        )  # fmt: skip
    loops = re.findall(r"Loop time of (\S+) on \d+ procs for (\d+) steps", done.stdout)
    shares = re.findall(r"([\d.]+)% CPU use", done.stdout)  # of one rank with its threads
    if done.returncode or len(loops) < 2:
        raise lammps.LammpsDied(
            f"LAMMPS ended with code {done.returncode}; {processes.last_lines(done.stdout)}")
    result = row(len(atoms), int(loops[-1][1]), float(loops[-1][0]), ranks * threads, load)
    cpu = float(shares[-1]) / 100 * ranks * result["s_per_step"]
    return result | {"cpu_us_per_atom_step": cpu * 1e6 / len(atoms)}


def row(atoms: int, steps: int, seconds: float, cores: int, load: float) -> dict:
    """s_per_step, core_us_per_atom_step and ns_per_day of so many steps in so many seconds."""
    each = seconds / steps
    return {"atoms": atoms, "steps": steps, "s_per_step": each,
            "core_us_per_atom_step": each * cores * 1e6 / atoms,
            "ns_per_day": TIMESTEP_FS * 1e-6 * 86400 / each, "load": load}


