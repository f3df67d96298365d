"""Ranks and threads for a run, chosen by measurement; what a step of LAMMPS costs.

A cost is given in core-microseconds per atom and step, wall time x ranks x threads / (steps x
atoms), so that sizes and layouts compare; beside it stands the processor time that was really
used, which is less where the machine had other work, or where threads waited.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ase import Atoms
from tqdm import tqdm

from helpers import paths, provenance
from helpers.md import kernels, lammps

_WORTH_S = 600.0  # a run that is guessed to be shorter is not tried
GUESS_S = 1e-4  # per atom and step, where nothing was measured
_TRIAL_S = 6


def layouts(cores: int, atoms: int) -> list[tuple[int, int]]:
    """(ranks, threads) to try: one core, and all cores shared out in every whole way.

    No rank gets fewer than 30 atoms: what it computes for its neighbours' sake is more by then.
    """
    split = [(r, cores // r) for r in range(1, cores + 1) if not cores % r and atoms >= 30 * r]
    return list(dict.fromkeys([(1, 1), *split]))


def choose(
    atoms: Atoms,
    force: list[str],
    potential: str,
    steps: int,
    ranks: int | None = None,
    threads: int | None = None,
    atom_style: str = "atomic",
    fused: tuple[Path, Path] | None = None,
) -> tuple[int, int]:
    """(ranks, threads) for a run: as given, or the fastest of a short trial on this machine.

    force: input lines of the potential, and ``potential`` the sha256 of its file. fused: see
    `lammps.environment`. The trial is made once for a cell size, potential and machine; it is kept
    in ``build/bench/layouts`` and used again. A run of minutes is not worth it and gets one core.

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
    recipe = {
        "atoms": len(atoms),
        "potential": potential,
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "native_kernels": kernels.library() is not None,
    } | ({"fused": True} if fused else {})
    file = paths.BUILD / "bench" / "layouts" / f"{provenance.key(recipe)}.json"
    reused = file.is_file()
    if not reused:
        tried, died = {}, None
        for r, t in tqdm(layouts(cores, len(atoms)), desc="ranks x threads", unit="trial"):
            try:
                tried[f"{r} x {t}"] = lammps.time_lammps(
                    atoms, force, r, t, _TRIAL_S, atom_style, fused=fused
                )
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
        "reused" if reused else "made",
        file,
        f"{best} threads is fastest of "
        + ", ".join(
            f"{name} ({1e3 * row['s_per_step']:.3g} ms a step)" for name, row in tried.items()
        ),
    )
    r, _, t = best.split()
    return int(r), int(t)
