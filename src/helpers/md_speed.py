"""What a step of molecular dynamics costs on this machine, and how to share it out.

``make bench-md`` runs every engine that is at hand on the same cell and writes
``build/bench/md.json``; a measured file that is shipped lies in ``data/bench``. Rows that the file
of the same machine and versions holds are not measured again, so a broken-off measurement goes on.
Anything else that runs on the machine falsifies a cost; the load is written down beside each row.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from ase import Atoms
from ase import units as ase_units
from tqdm import tqdm

from helpers import (
    backends,
    dft,
    fidelity,
    kernels,
    layout,
    models,
    paths,
    provenance,
    reaxff,
    reference,
    structures,
)

STRUCTURE = "ZIF-4"
ENGINES = ("uncompressed", "compressed", "native", *backends.BACKENDS, "ReaxFF", "NequIP", "CP2K")


@dataclass(frozen=True)
class Setting:
    """One row. engine: ReaxFF, NequIP, CP2K, or a DeePMD model: ``uncompressed``, ``compressed``
    (the kernels of DeePMD-kit's wheel), ``native`` (compressed, `helpers.kernels`), or one of
    another backend (`backends.BACKENDS`)."""

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
    dynamics = VelocityVerlet(atoms, timestep=layout.TIMESTEP_FS * ase_units.fs)
    dynamics.run(2)  # torch compiles what it runs in the first calls
    steps, load, began = 0, os.getloadavg()[0], time.monotonic()
    while (spent := time.monotonic() - began) < seconds or not steps:
        dynamics.run(1)
        steps += 1
    return layout.row(len(atoms), steps, time.monotonic() - began, threads, load) if spent else {}


def _cp2k(atoms: Atoms, ranks: int) -> dict:
    """One self-consistent calculation from scratch; in dynamics it would start from the last."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="zif4-md-speed-") as work:
        labelled = dft.label([atoms], Path(work), ranks=ranks)[0]
    return layout.row(len(atoms), 1, labelled.info["dft_seconds"], ranks, load)


def _time(setting: Setting, potential: str, seconds: int) -> dict:
    atoms = structures.supercell(structures.load(STRUCTURE), setting.supercell)
    r, t = setting.ranks, setting.threads
    if setting.engine == "NequIP":
        return _nequip(atoms, t, seconds)
    if setting.engine == "CP2K":
        return _cp2k(atoms, r)
    if setting.engine == "ReaxFF":
        return layout.time_lammps(atoms, reaxff.lines(reaxff.force_field().resolve()), r, t,
                                  seconds, reaxff.ATOM_STYLE)
    if setting.engine in backends.BACKENDS:
        model = backends.convert(potential, setting.engine)
    elif setting.engine == "uncompressed":
        model = models.model_file(potential)
    else:
        model = models.compress(potential)
    return layout.time_lammps(atoms, layout.deepmd(model), r, t, seconds,
                              native=setting.engine == "native")


# ---------------------------------------------------------------- the table


def settings(cores: int, atoms: int = 272, cp2k: bool = False) -> tuple[list[Setting], dict]:
    """The rows that this machine can measure, and why others are absent (engine -> reason).

    Strong scaling: the layouts of one cell. Weak scaling: as many cells along c as ranks.
    """
    rows = [Setting("native", r, t) for r, t in layout.layouts(cores, atoms)]
    if cores > 1:
        rows += [Setting("native", 1, 1, (1, 1, cores)), Setting("native", cores, 1, (1, 1, cores))]
    absent = {}
    if kernels.library() is None:
        rows = [replace(row, engine="compressed") for row in rows]
        absent["native"] = "no kernels compiled for this machine (helpers.kernels)"
    else:
        rows.insert(1, Setting("compressed"))  # beside each other: their ratio is what counts
    rows.append(Setting("uncompressed"))
    for name in backends.BACKENDS:
        if reason := backends.missing(name):
            absent[name] = reason
        else:
            rows.append(Setting(name))
    try:
        reaxff.force_field()
        rows += [Setting("ReaxFF")] + [Setting("ReaxFF", cores)] * (cores > 1)
    except reaxff.ReaxFFUnavailable as reason:
        absent["ReaxFF"] = str(reason)
    if find_spec("nequip") and find_spec("torch"):
        rows += [Setting("NequIP")] + [Setting("NequIP", 1, cores)] * (cores > 1)
    else:
        absent["NequIP"] = "nequip and torch are not installed (the extra `reference`)"
    if cp2k and shutil.which(dft.PROGRAM):
        rows.append(Setting("CP2K", cores))
    else:
        absent["CP2K"] = (f"{dft.PROGRAM} is not installed" if cp2k else
                          "not asked for (--cp2k; it takes minutes)")  # fmt: skip
    return rows, absent


def measure(file: Path | None = None, *, potential: str = "atp", seconds: float = 240,
            cp2k: bool = False, chosen: Sequence[Setting] | None = None) -> Path:
    """Measure every row for its share of ``seconds`` (start-up comes on top); the JSON file.

    Raises
    ------
    LammpsDied, models.BadPotential, dft.DFTFailed, reference.ReferenceUnavailable
        what a row was to be measured with does not work.
    """
    file = Path(file or paths.BUILD / "bench" / "md.json")
    if chosen is None:
        rows, absent = settings(len(os.sched_getaffinity(0)), cp2k=cp2k)
    else:
        rows, absent = list(chosen), {}
    same = {"hardware": provenance.hardware(), "structure": STRUCTURE, "potential": potential,
            "potential_sha256": provenance.sha256(models.model_file(potential)),
            "timestep_fs": layout.TIMESTEP_FS}  # fmt: skip
    record = json.loads(file.read_text()) if file.is_file() else {}
    if {k: record.get(k) for k in same} != same:
        record = same | {"rows": []}
    measured = {json.dumps(row["setting"]): row for row in record["rows"]}
    versions = provenance.versions()  # each row has its own: some are of other environments
    file.parent.mkdir(parents=True, exist_ok=True)
    with provenance.lock(file.with_suffix("")):
        for setting in tqdm(rows, desc="bench-md", unit="row"):
            plain = json.loads(json.dumps(asdict(setting)))
            if measured.get(json.dumps(plain), {}).get("versions") == versions:
                print(f"[reused] {paths.relative(file)}: {plain}", flush=True)
                continue
            each = max(2, round(seconds / len(rows)))
            measured[json.dumps(plain)] = {"setting": plain} | _time(setting, potential, each) | {
                "versions": versions}
            engines = {row["setting"]["engine"] for row in measured.values()}
            absent = record.get("absent", {}) | absent
            part = file.with_suffix(".part")
            part.write_text(json.dumps(same | {
                "rows": list(measured.values()),
                "absent": {k: v for k, v in absent.items() if k not in engines}}, indent=1) + "\n")
            part.replace(file)
    shutil.rmtree(file.with_suffix(""))
    return file


def read(file: Path | None = None) -> dict:
    """All that was measured, with hardware and versions: the given file, or ``data/bench``'s.

    Raises
    ------
    FileNotFoundError
        nothing was measured.
    """
    file = Path(file or paths.DATA / "bench" / "md.json")
    if not file.is_file():
        raise FileNotFoundError(
            f"{paths.relative(file)} is missing: measure with `make bench-md` on a quiet machine "
            f"and copy build/bench/md.json there")
    return json.loads(file.read_text())


def table(record: dict) -> pd.DataFrame:
    """The rows of `read`: engine, atoms, ranks, threads, s_per_step, ns_per_day,
    core_us_per_atom_step, cpu_us_per_atom_step (LAMMPS alone), speed_up over the first row of the
    same atoms and engine, load."""
    rows = pd.DataFrame([
        {"engine": r["setting"]["engine"], "atoms": r["atoms"], "ranks": r["setting"]["ranks"],
         "threads": r["setting"]["threads"], "s_per_step": r["s_per_step"],
         "ns_per_day": r["ns_per_day"], "core_us_per_atom_step": r["core_us_per_atom_step"],
         "cpu_us_per_atom_step": r.get("cpu_us_per_atom_step", float("nan")),
         "load": r["load"]}
        for r in record["rows"]
    ])  # fmt: skip
    first = rows.groupby(["engine", "atoms"])["s_per_step"].transform("first")
    rows.insert(8, "speed_up", first / rows["s_per_step"])
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """``make bench-md``: measure speeds and exactness, print the tables; 0 when done."""
    parser = argparse.ArgumentParser(prog="make bench-md", description=__doc__.split("\n\n")[0])
    parser.add_argument("--potential", default="atp", help="name of a potential")
    parser.add_argument("--seconds", type=float, default=240, help="of measuring, start-up apart")
    parser.add_argument("--cp2k", action="store_true", help="one PBE-D3 step, too (minutes)")
    parser.add_argument("--engines", nargs="+", metavar="ENGINE", choices=ENGINES,
                        help="these alone, beside what is measured (from an environment that has "
                             f"them): {', '.join(ENGINES)}")
    options = parser.parse_args(argv)
    file = measure(potential=options.potential, seconds=options.seconds, cp2k=options.cp2k,
                   chosen=options.engines and [Setting(name) for name in options.engines])
    record = read(file)
    print(table(record).to_string(index=False, float_format="{:.4g}".format))
    for engine, reason in record.get("absent", {}).items():
        print(f"{engine}: {reason}")
    print(paths.relative(file))
    if not options.engines:
        file = fidelity.measure(options.potential)
        print(fidelity.table(fidelity.read(file)).to_string(index=False))
        print(paths.relative(file))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
