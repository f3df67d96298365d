"""Measured costs as pages read them: ``data/bench/<name>.json``, written by ``make bench-...``.

A page needs the measurements and not the programs that made them: this module imports none of them.
Costs are in s per step, ns of simulated time per day, and core-microseconds per atom and step.
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from helpers import paths, provenance
from helpers.errors import NotThere
from helpers.report import tables

#: name of a record -> the target of ``make`` that measures it
MADE_BY = {
    "md": "bench-md",
    "fused": 'bench-md ARGS="--fused"',
    "fidelity": "bench-md",
    "training": "bench-train",
    "analysis": "bench-analysis",
    "architectures": "bench-nets",
    "timestep": "bench-timestep",
}


def made(name: str) -> Path:
    """``build/bench/<name>.json``, measured on this machine.

    Parameters
    ----------
    name : str
        Name of the benchmark.

    Returns
    -------
    Path
        The file.
    """
    return paths.BUILD / "bench" / f"{name}.json"


def shipped(name: str) -> Path:
    """``data/bench/<name>.json``, shown by the pages.

    Parameters
    ----------
    name : str
        Name of the benchmark.

    Returns
    -------
    Path
        The file.
    """
    return paths.DATA / "bench" / f"{name}.json"


def write(file: Path, record: dict) -> Path:
    """Write a record in one step, so that no incomplete file is left.

    Parameters
    ----------
    file : Path
        JSON file.
    record : dict
        The record.

    Returns
    -------
    Path
        The file.
    """
    return provenance.write_text(file, json.dumps(record, indent=1, default=float) + "\n")


def read(name: str, file: Path | None = None) -> dict:
    """A record with its hardware and versions.

    Parameters
    ----------
    name : str
        Name of the benchmark.
    file : Path, optional
        JSON file; by default the shipped one.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    NotThere
        There is no measurement; the message names the command that makes one.
    """
    file = Path(file or shipped(name))
    if not file.is_file():
        raise NotThere(
            f"{paths.relative(file)} is missing: measure with `make {MADE_BY[name]}` on a quiet "
            f"machine and copy {paths.relative(made(name))} there"
        )
    return json.loads(file.read_text())


def md_table(record: dict) -> pd.DataFrame:
    """The rows of the benchmark ``md``.

    Parameters
    ----------
    record : dict
        The record.

    Returns
    -------
    DataFrame
        engine, atoms, ranks, threads, s_per_step, ns_per_day, core_us_per_atom_step,
        cpu_us_per_atom_step (LAMMPS alone), speed_up relative to the first row of the same atoms
        and engine, load.
    """
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


def training_table(record: dict) -> pd.DataFrame:
    """The rows of the benchmark ``training``.

    Parameters
    ----------
    record : dict
        The record.

    Returns
    -------
    DataFrame
        setting, threads, s/step, spread (standard deviation between intervals), speed relative to
        the first row, days for a million steps (the paper's training), load of the machine before.
    """
    rows = pd.DataFrame([
        {"setting": r["setting"]["name"], "threads": r["setting"]["threads"],
         "s/step": r["seconds_per_step"], "spread": r["spread"], "load": r["load"]}
        for r in record["rows"]
    ])  # fmt: skip
    rows.insert(4, "speed", rows["s/step"].iloc[0] / rows["s/step"])
    rows.insert(5, "days for 10⁶ steps", 1e6 * rows["s/step"] / 86400)
    return rows


def fidelity_table(record: dict) -> pd.DataFrame:
    """The rows of the benchmark ``fidelity``.

    Parameters
    ----------
    record : dict
        The record.

    Returns
    -------
    DataFrame
        Model, step of its table, size, number of frames, differences.
    """
    return pd.DataFrame(record["rows"]).rename(columns={"n_frames": "frames"})


def timestep_table(record: dict) -> pd.DataFrame:
    """The rows of the benchmark ``timestep``.

    Parameters
    ----------
    record : dict
        The record.

    Returns
    -------
    DataFrame
        Step (fs), mass of H (u), seed, drift of the total energy with its standard error (meV per
        atom and ns), swing about it (meV per atom), and by how many per mille each element's
        temperature differs from that of all atoms, with its standard error.
    """
    rows = []
    for row in record["rows"]:
        said = {
            "step (fs)": row["timestep_fs"],
            "H (u)": row["hydrogen_mass_u"],
            "seed": row["seed"],
            "drift (meV/atom/ns)": f"{row['drift_meV_per_atom_ns']:.1f} ± {row['drift_error']:.1f}",
            "swing (meV/atom)": round(row["swing_meV_per_atom"], 3),
        }
        for name in row:
            element = name.removeprefix("temperature_")
            if name != element and not name.endswith("_error"):
                off, error = 1000 * (row[name] - 1), 1000 * row[name + "_error"]
                said[f"T of {element} (‰)"] = f"{off:+.0f} ± {error:.0f}"
        rows.append(said)
    return pd.DataFrame(rows)


def timestep_means(record: dict) -> str:
    """What several seeds of one setting say together, in words.

    Parameters
    ----------
    record : dict
        The record.

    Returns
    -------
    str
        A sentence for each setting of two seeds or more: means over seeds and their standard
        errors, which hold what blocks of one run miss.
    """
    rows = pd.DataFrame(record["rows"])
    said = []
    for _, many in rows.groupby(["timestep_fs", "hydrogen_mass_u"]):
        if len(many) < 2:
            continue
        step, mass = many["timestep_fs"].iloc[0], many["hydrogen_mass_u"].iloc[0]
        wanted = ["drift_meV_per_atom_ns", *(f"temperature_{e}" for e in ("C", "H", "N", "Zn"))]
        means = many[wanted].mean()
        errors = many[wanted].std(ddof=1) / len(many) ** 0.5
        drift, *shares = (tables.number(float(means[n]), float(errors[n])) for n in wanted)
        said.append(
            f"{len(many)} seeds of {step:g} fs with H of {mass:g} u: drift {drift} meV/atom/ns; "
            f"temperatures of C, H, N, Zn {', '.join(shares)} of that of all."
        )
    return " ".join(said)


def fastest_others(record: dict, n_atoms: int) -> pd.DataFrame:
    """For each quantity our time and that of the fastest other code whose result is the same.

    Parameters
    ----------
    record : dict
        The record ``analysis``.
    n_atoms : int
        Number of atoms of the frames.

    Returns
    -------
    DataFrame
        quantity, ours (s of processor time), fastest other code, its time (s), factor.
    """
    found = []
    for quantity, rows in pd.DataFrame(record["rows"]).groupby("quantity", sort=False):
        rows = rows[(rows["atoms"] == n_atoms) & rows["agrees"]].set_index("who")
        others = rows.drop(index="this book", errors="ignore")
        if len(others) and "this book" in rows.index:
            best, ours = others["seconds"].idxmin(), rows.loc["this book", "seconds"]
            theirs = others.loc[best, "seconds"]
            found.append({"quantity": quantity, "ours (s)": ours, "fastest other code": best,
                          "its time (s)": theirs, "factor": theirs / ours})  # fmt: skip
    return pd.DataFrame(found)


def analysis_table(record: dict) -> pd.DataFrame:
    """The rows of the benchmark ``analysis``.

    Parameters
    ----------
    record : dict
        The record.

    Returns
    -------
    DataFrame
        atoms, quantity, who, ms of processor time, ratio to ours, and whether the results agree.
    """
    rows = pd.DataFrame(record["rows"])
    rows["ms"] = 1000 * rows["seconds"]
    return rows[["atoms", "quantity", "who", "ms", "ratio", "agrees"]]
