"""Number of ranks and threads of a run, chosen by measurement; the cost of a step of LAMMPS.

A cost is given in core-microseconds per atom and step, wall time x ranks x threads / (steps x
atoms), so that sizes and layouts can be compared. The processor time actually used is given as
well; it is less if the machine had other work or if threads waited.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ase import Atoms

from helpers import paths, provenance, waiting
from helpers.md import kernels, lammps
from helpers.md.force_field import ForceField

_WORTH_S = 600.0  # a run that is guessed to be shorter is not tried
GUESS_S = 1e-4  # per atom and step, where nothing was measured
_TRIAL_S = 6


def layouts(cores: int, atoms: int) -> list[tuple[int, int]]:
    """Layouts to be tried: one core, and all cores divided in every whole way.

    No rank gets fewer than 30 atoms, below which the work for atoms of neighbouring ranks
    dominates.

    Parameters
    ----------
    cores : int
        Number of cores.
    atoms : int
        Number of atoms.

    Returns
    -------
    list of (int, int)
        Ranks and threads.
    """
    split = [(r, cores // r) for r in range(1, cores + 1) if not cores % r and atoms >= 30 * r]
    return list(dict.fromkeys([(1, 1), *split]))


def choose(
    atoms: Atoms,
    forces: ForceField,
    model: Path,
    steps: int,
    ranks: int | None = None,
    threads: int | None = None,
    fused: tuple[Path, Path] | None = None,
) -> tuple[int, int]:
    """Number of ranks and threads of a run: as given, or the fastest in a trial on this machine.

    The short trial is made once for a cell size, potential and machine, and kept in
    ``build/bench/layouts``. A run of minutes gets one core without a trial.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    forces : ForceField
        The force field.
    model : Path
        Its model file.
    steps : int
        Steps of the run.
    ranks : int, optional
        MPI ranks, if given.
    threads : int, optional
        Threads of each rank, if given.
    fused : (Path, Path), optional
        See `lammps.environment`.

    Returns
    -------
    (int, int)
        Ranks and threads.

    Raises
    ------
    LammpsDied
        LAMMPS failed with every layout.
    """
    if ranks or threads:
        return ranks or 1, threads or 1
    cores = len(os.sched_getaffinity(0))
    if cores == 1 or GUESS_S * len(atoms) * steps < _WORTH_S:
        return 1, 1
    recipe = {
        "atoms": len(atoms),
        "potential": forces.sha256,
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "native_kernels": kernels.library() is not None,
    } | ({"fused": True} if fused else {})
    file = paths.BUILD / "bench" / "layouts" / f"{provenance.key(recipe)}.json"
    reused, lines = file.is_file(), forces.lines(model)
    if not reused:
        tried, died = {}, None
        for r, t in waiting.bar(layouts(cores, len(atoms)), desc="ranks x threads", unit="trial"):
            try:
                tried[f"{r} x {t}"] = lammps.time_lammps(
                    atoms, lines, r, t, _TRIAL_S, forces.atom_style, fused=fused
                )
            except lammps.LammpsDied as error:  # an mpirun that refuses, too few cores for it
                print(f"{r} ranks x {t} threads: {error}", flush=True)
                died = error
        if died and not tried:
            raise died
        measured = recipe | {"load": os.getloadavg()[0], "tried": tried}
        provenance.write_text(file, json.dumps(measured, indent=1))
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
