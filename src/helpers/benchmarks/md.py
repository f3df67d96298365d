"""Cost of a step of molecular dynamics on this machine, and its best distribution over cores.

``make bench-md`` runs every available engine on the same cell and writes ``build/bench/md.json``; a
shipped measurement is in ``data/bench``. Rows that the file already holds for this machine and
these versions are not measured again, so that an interrupted measurement is continued. Any other
work on the machine falsifies a cost; the load is recorded with each row.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ase import Atoms
from ase import units as ase_units

from helpers import paths, provenance, structures, waiting
from helpers.benchmarks import record
from helpers.frames import cp2k as first_principles
from helpers.frames import reference
from helpers.md import force_field, fused, kernels, lammps, parallel, reaxff
from helpers.potentials import conversion, store

STRUCTURE = "ZIF-4"


@dataclass(frozen=True)
class Setting:
    """One row of the measurement.

    Attributes
    ----------
    engine : str
        ReaxFF, NequIP, CP2K, or a DeePMD model: ``uncompressed``, ``compressed`` (the kernels of
        DeePMD-kit's wheel), ``native`` (compressed, `helpers.md.kernels`), ``fused`` (without
        TensorFlow, `helpers.md.fused`), or one of another backend (`conversion.BACKENDS`).
    ranks : int
        MPI ranks.
    threads : int
        Threads of each rank.
    supercell : (int, int, int)
        Repetitions along a, b and c.
    """

    engine: str
    ranks: int = 1
    threads: int = 1
    supercell: tuple[int, int, int] = (1, 1, 1)


# ---------------------------------------------------------------- one row


def _nequip(atoms: Atoms, threads: int, seconds: int) -> dict:
    import torch
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from ase.md.verlet import VelocityVerlet

    torch.set_num_threads(threads)
    atoms.calc = reference.Reference()
    MaxwellBoltzmannDistribution(atoms, temperature_K=600)
    dynamics = VelocityVerlet(atoms, timestep=lammps.TIMESTEP_FS * ase_units.fs)
    dynamics.run(2)  # torch compiles what it runs in the first calls
    steps, load, began = 0, os.getloadavg()[0], time.monotonic()
    while (spent := time.monotonic() - began) < seconds or not steps:
        dynamics.run(1)
        steps += 1
    return lammps.row(len(atoms), steps, time.monotonic() - began, threads, load) if spent else {}


def _cp2k(atoms: Atoms, ranks: int) -> dict:
    """One self-consistent calculation from scratch; in dynamics it would start from the last."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="zif4-md-speed-") as work:
        labelled = first_principles.label([atoms], Path(work), ranks=ranks)[0]
    return lammps.row(len(atoms), 1, labelled.info["dft_seconds"], ranks, load)


def _time(setting: Setting, potential: str, seconds: int) -> dict:
    atoms = structures.supercell(structures.load(STRUCTURE), setting.supercell)
    r, t = setting.ranks, setting.threads
    if setting.engine == "NequIP":
        return _nequip(atoms, t, seconds)
    if setting.engine == "CP2K":
        return _cp2k(atoms, r)
    if setting.engine == "ReaxFF":
        peer = force_field.ReaxFF()
        lines = peer.lines(peer.model())
        return lammps.time_lammps(atoms, lines, r, t, seconds, peer.atom_style)
    whole = None
    if setting.engine == "fused":
        whole = fused.proven(potential, structures.load(STRUCTURE))
        if whole is None:
            raise fused.NotFused(
                f"the fused evaluation does not know {potential}, or is not right on this machine"
            )
    if setting.engine in conversion.BACKENDS:
        model = conversion.convert(potential, setting.engine)
    elif setting.engine == "uncompressed":
        model = store.load(potential).file
    else:
        model = conversion.compress(potential)
    return lammps.time_lammps(
        atoms,
        force_field.deepmd_lines(model),
        r,
        t,
        seconds,
        native=setting.engine == "native",
        fused=whole,
    )


# ---------------------------------------------------------------- the table


#: what the fused evaluation is held against, one after the other
WITHOUT_TENSORFLOW = [
    Setting(engine, 1, 1, cells)
    for cells in ((1, 1, 1), (2, 2, 2))
    for engine in ("native", "fused")
]


def settings(
    cores: int, atoms: int = 272, cp2k: bool = False, potential: str = "atp"
) -> tuple[list[Setting], dict]:
    """The rows that can be measured on this machine, and why others cannot.

    Strong scaling: distributions of one cell. Weak scaling: as many cells along c as ranks. The
    fastest engines also on eight cells.

    Parameters
    ----------
    cores : int
        Number of cores.
    atoms : int
        Number of atoms in a cell.
    cp2k : bool
        Whether to include CP2K, which takes minutes.
    potential : str
        Name of the potential.

    Returns
    -------
    rows : list of Setting
        The rows.
    absent : dict of str to str
        Engine -> the reason why it is missing.
    """
    rows = [Setting("native", r, t) for r, t in parallel.layouts(cores, atoms)]
    if cores > 1:
        rows += [Setting("native", 1, 1, (1, 1, cores)), Setting("native", cores, 1, (1, 1, cores))]
    absent = {}
    if kernels.library() is None:
        rows = [replace(row, engine="compressed") for row in rows]
        absent["native"] = "no kernels compiled for this machine (helpers.md.kernels)"
    else:
        rows.insert(1, Setting("compressed"))  # beside each other: their ratio is what counts
        rows.append(Setting("native", 1, 1, (2, 2, 2)))
    if kernels.library() and fused.proven(potential, structures.load(STRUCTURE)):
        rows[1:1] = [Setting("fused"), *[Setting("fused", cores)] * (cores > 1)]
        rows.append(Setting("fused", 1, 1, (2, 2, 2)))
    else:
        absent["fused"] = "not right for this potential on this machine (helpers.md.fused)"
    rows.append(Setting("uncompressed"))
    for name in conversion.BACKENDS:
        if reason := conversion.missing(name):
            absent[name] = reason
        else:
            rows.append(Setting(name))
    try:
        force_field.ReaxFF().model()
        rows += [Setting("ReaxFF")] + [Setting("ReaxFF", cores)] * (cores > 1)
    except reaxff.ReaxFFUnavailable as reason:
        absent["ReaxFF"] = str(reason)
    if find_spec("nequip") and find_spec("torch"):
        rows += [Setting("NequIP")] + [Setting("NequIP", 1, cores)] * (cores > 1)
    else:
        absent["NequIP"] = "nequip and torch are not installed (the extra `reference`)"
    if cp2k and shutil.which(first_principles.PROGRAM):
        rows.append(Setting("CP2K", cores))
    else:
        absent["CP2K"] = (f"{first_principles.PROGRAM} is not installed" if cp2k else
                          "not asked for (--cp2k; it takes minutes)")  # fmt: skip
    return rows, absent


def measure(
    file: Path | None = None,
    *,
    potential: str = "atp",
    seconds: float = 240,
    cp2k: bool = False,
    chosen: Sequence[Setting] | None = None,
) -> Path:
    """Measure all rows.

    Parameters
    ----------
    file : Path, optional
        JSON file; by default in ``build/bench``.
    potential : str
        Name of the potential.
    seconds : float
        Time for all rows together, without start-up, s.
    cp2k : bool
        Whether to include CP2K.
    chosen : sequence of Setting, optional
        Rows to measure; by default those of `settings`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    LammpsDied
        LAMMPS does not run.
    BadPotential
        The potential cannot be read.
    DFTFailed
        CP2K does not run.
    ReferenceUnavailable
        The reference network is not installed.
    """
    file = Path(file or record.made("md"))
    if chosen is None:
        rows, absent = settings(len(os.sched_getaffinity(0)), cp2k=cp2k, potential=potential)
    else:
        rows, absent = list(chosen), {}
    same: dict[str, Any] = {
        "hardware": provenance.hardware(), "structure": STRUCTURE, "potential": potential,
        "potential_sha256": store.load(potential).sha256, "timestep_fs": lammps.TIMESTEP_FS,
    }  # fmt: skip
    before: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    if {k: before.get(k) for k in same} != same:
        before = {**same, "rows": []}
    measured = {json.dumps(row["setting"]): row for row in before["rows"]}
    versions = provenance.versions()  # each row has its own: some are of other environments
    file.parent.mkdir(parents=True, exist_ok=True)
    with provenance.lock(file.with_suffix("")):
        for setting in waiting.bar(rows, desc="bench-md", unit="row"):
            plain = json.loads(json.dumps(asdict(setting)))
            if measured.get(json.dumps(plain), {}).get("versions") == versions:
                print(f"[reused] {paths.relative(file)}: {plain}", flush=True)
                continue
            each = max(2, round(seconds / len(rows)))
            measured[json.dumps(plain)] = (
                {"setting": plain} | _time(setting, potential, each) | {"versions": versions}
            )
            engines = {row["setting"]["engine"] for row in measured.values()}
            absent = before.get("absent", {}) | absent
            still_absent = {k: v for k, v in absent.items() if k not in engines}
            record.write(file, same | {"rows": list(measured.values()), "absent": still_absent})
    shutil.rmtree(file.with_suffix(""))
    return file
