"""Outputs of CP2K: single points, and the files of a molecular dynamics run.

CP2K writes hartree, hartree/bohr and A; its stress is positive under compression, W = V * stress,
in a unit that it names.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

import dpdata
import numpy as np
from ase import units as ase_units
from ase.data import atomic_masses, atomic_numbers, chemical_symbols

from helpers import paths, structures
from helpers.errors import Unfit, UserError
from helpers.frames import files, label_units
from helpers.frames.dataset import BadFrames
from helpers.frames.vasp import Unconverged

_NUMBER = r"[-+]?\d*\.?\d+(?:[eEdD][-+]?\d+)?"
_THREE = rf"({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})"
_FORCE = ase_units.Hartree / ase_units.Bohr
_HEADER = "CP2K| version string:"
_ENERGY = re.compile(rf"^ *ENERGY\| Total FORCE_EVAL.*energy.*?\s({_NUMBER})\s*$", re.M)
# Since 2023 units of print keys may be chosen, and are named.
_ENERGY_UNIT = re.compile(r"^ *ENERGY\| Total FORCE_EVAL.*energy [\[(](.+?)[\])]", re.M)
_FORCE_UNIT = re.compile(r"^ *(?:FORCES\| Atomic forces|ATOMIC FORCES in) \[(.+?)\]", re.M)
_UNCONVERGED = re.compile(r"SCF run NOT converged|outer SCF loop FAILED to converge")
_SYMMETRIC = 0.02  # of the largest component
_STRESS = re.compile(
    r"^ *STRESS\|.*tensor *(?:\[(.*?)\])?.*\n.*\n *STRESS\| +x +(.*)\n *STRESS\| +y +(.*)\n"
    r" *STRESS\| +z +(.*)$", re.M
)  # fmt: skip


def _in_words(read: Callable) -> Callable:
    """What a damaged line makes a reader stumble over, as a refusal that names the file."""

    @functools.wraps(read)
    def reader(path: Path, **options):
        try:
            return read(path, **options)
        except UserError:
            raise
        except (ValueError, IndexError, KeyError) as error:
            raise BadFrames(
                f"{paths.relative(Path(path))} has a line that is not as CP2K writes it ({error}): "
                f"it was damaged, run it again or leave it out"
            ) from error

    return reader


# ---------------------------------------------------------------- single points


@_in_words
def read_point(path: Path) -> dpdata.LabeledSystem:
    """Cell, atoms, energy, forces and, where it is printed, virial of a single point.

    Of a job that was started again into one file the last start counts, if the others came to
    nothing. Kinds of atoms (``&KIND N1``) are read as the element that CP2K prints beside them.

    Parameters
    ----------
    path : Path
        Output of CP2K, compressed or not.

    Returns
    -------
    dpdata.LabeledSystem
        One frame; A, eV, eV/A, virial in eV.

    Raises
    ------
    BadFrames
        CP2K did not come to its end, there are several steps, something is not printed, or a unit
        is unknown.
    Unconverged
        The electrons did not converge.
    Unreadable
        As `files.text`.
    """
    name, text = paths.relative(path), files.text(path)
    text = _last_start(text, name)
    _inspect(text, name)
    _refuse_not_periodic(text, name)
    table = re.search(
        r"ATOMIC COORDINATES IN.*?\n\s*\n?.*Element.*\n((?:\s*\d+ .*\n)+)", text, re.I
    )
    if not table:
        raise BadFrames(
            f"{name} holds no coordinates; run CP2K with PRINT_LEVEL MEDIUM and FORCES ON"
        )
    rows = [line.split() for line in table[1].splitlines()]
    whole = all(len(row) == 9 for row in rows)  # up to the mass
    if not whole or [int(row[0]) for row in rows] != list(range(1, len(rows) + 1)):
        raise BadFrames(f"{name} lacks coordinates of an atom: it was damaged, run it again")
    if ghosts := [row[0] for row in rows if float(row[7]) == 0]:
        raise BadFrames(
            f"{name} has a basis without an atom (a ghost) at number {ghosts[0]}, on which no "
            f"force acts; compute the atoms alone"
        )
    length = label_units.factor(
        "position", table[0].splitlines()[0].split()[3], f"{name}: ATOMIC COORDINATES"
    )
    symbols = [chemical_symbols[int(row[3])] for row in rows]
    coords = np.array([row[4:7] for row in rows], dtype=float)
    cell = _cell(text, name)
    forces = _forces(text, len(rows))
    if forces is None:
        raise BadFrames(f"{name} holds no forces of all atoms; run CP2K with &FORCES ON")
    energy = [files.number(value) for value in _ENERGY.findall(text)]
    if not energy:
        raise BadFrames(f"{name} holds no energy; run CP2K with RUN_TYPE ENERGY_FORCE")
    stress = _stress(text, name)
    return _system(
        symbols, cell[None], coords[None] * length,
        np.array(energy[-1:]) * _unit(text, _ENERGY_UNIT, "energy", name, ase_units.Hartree),
        forces[None] * _unit(text, _FORCE_UNIT, "force", name, _FORCE),
        None if stress is None else stress[None],
    )  # fmt: skip


def _last_start(text: str, name: str) -> str:
    """The part of the last start of CP2K; what earlier ones came to would be lost with them."""
    *earlier, last = text.split(_HEADER)
    for part in earlier:
        if "PROGRAM ENDED AT" in part and _ENERGY.search(part) and not _UNCONVERGED.search(part):
            raise BadFrames(
                f"{name} holds {len(earlier)} starts of CP2K, and not only the last came to its "
                f"end; give each run a file of its own"
            )
    return last


def _inspect(text: str, name: str) -> None:
    if "PROGRAM ENDED AT" not in text:
        raise BadFrames(f"{name}: CP2K did not come to its end; run it again")
    if _UNCONVERGED.search(text):
        raise Unconverged(
            f"{name}: the SCF run of CP2K did not converge; raise MAX_SCF or change the mixing and "
            f"run it again, or leave the file out (zif4 import --drop)"
        )
    if len(kinds := sorted(set(re.findall(r"FORCE_EVAL \( *(\w+) *\) energy", text)))) > 1:
        raise BadFrames(
            f"{name} holds energies of several force evaluations ({', '.join(kinds)}) and does not "
            f"say which is the label; compute one alone"
        )
    if (steps := len(_ENERGY.findall(text))) > 1:
        raise BadFrames(
            f"{name} holds {steps} steps, here single points are read (RUN_TYPE ENERGY_FORCE). Of "
            f"molecular dynamics give the folder, with *-pos-*.xyz and *-frc-*.xyz in it, and "
            f"--format cp2k/md"
        )


def _refuse_not_periodic(text: str, name: str) -> None:
    for along in re.findall(r"(?m)^ *CELL\| Periodicity +(\w+) *$", text):
        if along.upper() != "XYZ":
            raise BadFrames(
                f"{name} is periodic along {along} only, here all frames are in all directions; "
                f"compute it with PERIODIC XYZ, a molecule in a box wide enough"
            )


def _unit(text: str, named: re.Pattern, of: str, name: str, usual: float) -> float:
    """What the unit that the output names last is in ours; ``usual`` where it names none."""
    found = named.findall(text)
    if not found or found[-1] == "a.u.":
        return usual
    plain = re.sub(r"\*(\w+)\^-1", r"/\1", found[-1]).replace("kcalmol", "kcal/mol")
    return label_units.factor(of, plain, f"{name}: {of}")


def _cell(text: str, name: str) -> np.ndarray:
    """(3, 3) in A, by the last table of CELL| lines."""
    rows = re.findall(rf"CELL\| Vector ([abc]) \[(\w+)\]:\s+{_THREE}", text)
    if [row[0] for row in rows[-3:]] != ["a", "b", "c"]:
        raise BadFrames(f"{name} holds no cell; run CP2K with PRINT_LEVEL MEDIUM")
    scale = [label_units.factor("cell", row[1], f"{name}: CELL|") for row in rows[-3:]]
    return np.array([row[2:] for row in rows[-3:]], dtype=float) * np.array(scale)[:, None]


def _forces(text: str, n: int) -> np.ndarray | None:
    """(n, 3) in hartree/bohr, as CP2K prints them up to 2024, or since."""
    older = text.rfind("ATOMIC FORCES in")
    found = re.findall(rf"^ *FORCES\|\s+(\d+)\s+{_THREE}", text, re.M)
    if older >= 0:
        block = text[older:].split("SUM OF ATOMIC FORCES")[0]
        found = re.findall(rf"^\s*(\d+)\s+\d+\s+\S+\s+{_THREE}\s*$", block, re.M)
    starts = [k for k, row in enumerate(found) if row[0] == "1"]
    last = found[starts[-1] :] if starts else []
    if [int(row[0]) for row in last] != list(range(1, n + 1)):  # or others' forces were taken
        return None
    return np.array([row[1:] for row in last], dtype=float)


def cp2k_stress(path: Path) -> np.ndarray | None:
    """Stress in an output of CP2K; of several the last.

    Parameters
    ----------
    path : Path
        Output of CP2K, compressed or not.

    Returns
    -------
    (3, 3) array or None
        Stress, eV/A^3, positive for compression; None if it is not printed.

    Raises
    ------
    BadFrames
        Its unit, which depends on the version of CP2K, is missing or not known here.
    Unreadable
        As `files.text`.
    """
    text = files.text(path)
    return _stress(text, paths.relative(path))


def _stress(text: str, name: str) -> np.ndarray | None:
    found = list(_STRESS.finditer(text)) or _older_stress(text)
    return _tensor(found[-1], name) if found else None


def _older_stress(text: str) -> list[re.Match]:
    """Before version 8: `STRESS TENSOR [GPa]`, rows X, Y, Z."""
    row = r" *{} +(.*)\n"
    return list(re.finditer(
        r"STRESS TENSOR \[(.*?)\]\s*\n(?: *\n)* +X +Y +Z *\n"
        + row.format("X") + row.format("Y") + r" *Z +(.*)", text
    ))  # fmt: skip


def _tensor(found: re.Match, name: str) -> np.ndarray:
    """(3, 3) in eV/A^3 of a printed stress tensor."""
    if not found[1]:
        raise BadFrames(f"{name}: the stress is in no named unit; run CP2K with STRESS_UNIT GPa")
    try:
        scale = label_units.factor("stress", found[1], name)
    except BadFrames as error:
        raise BadFrames(
            f"{name}: the stress is in {found[1]}, known are GPa, MPa, kbar, bar, Pa; run CP2K "
            f"with STRESS_UNIT GPa"
        ) from error
    tensor = np.array([found[i].split()[:3] for i in (2, 3, 4)], dtype=float)
    if np.abs(tensor - tensor.T).max() > _SYMMETRIC * np.abs(tensor).max():
        raise BadFrames(f"{name}: a stress is not symmetric, a line of it is damaged; run it again")
    return tensor * scale


def _system(symbols, cells, coords, energies, forces, stress) -> dpdata.LabeledSystem:
    names = list(dict.fromkeys(symbols))
    data = {
        "atom_names": names,
        "atom_numbs": [symbols.count(name) for name in names],
        "atom_types": np.array([names.index(symbol) for symbol in symbols]),
        "orig": np.zeros(3),
        "cells": cells,
        "coords": coords,
        "energies": energies,
        "forces": forces,
    }
    if stress is not None:
        data["virials"] = np.abs(np.linalg.det(cells))[:, None, None] * stress
    return dpdata.LabeledSystem(data=data)


# ---------------------------------------------------------------- molecular dynamics


@_in_words
def read_md(path: Path, *, virial: bool, notes: list[str]) -> dpdata.LabeledSystem:
    """The steps of a molecular dynamics run, by the files that CP2K writes beside its output.

    ``*-pos-*.xyz`` (A, energies in hartree) and ``*-frc-*.xyz`` (hartree/bohr) have to be there;
    cells are those of ``*.cell`` or, where none is written and the ensemble keeps it, of the
    output. The stress is that printed in the output (``&FORCE_EVAL &PRINT &STRESS_TENSOR``). That
    of ``*.stress`` holds the kinetic part sum_i m_i v_i v_i / V, which no potential has: it is
    taken away by ``*-vel-*.xyz``.

    Parameters
    ----------
    path : Path
        Folder of the run, or its output file.
    virial : bool
        Whether to look for the stress.
    notes : list of str
        Notes on steps that were left out and on the kinetic part are appended.

    Returns
    -------
    dpdata.LabeledSystem
        The steps that have positions and forces; A, eV, eV/A, virial in eV, if there is a stress.

    Raises
    ------
    BadFrames
        A file is missing, cut off, or there twice; there is no cell; steps do not belong together;
        a unit is unknown.
    Unconverged
        The electrons of some steps did not converge.
    Unreadable
        As `files.text`.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    name = paths.relative(folder)
    positions = _xyz(_only(folder, "*-pos-*.xyz", "positions (&MOTION &PRINT &TRAJECTORY)"))
    forces = _xyz(_only(folder, "*-frc-*.xyz", "forces (&MOTION &PRINT &FORCES ON)"))
    steps = [step for step in positions if step in forces]
    if not steps:
        raise BadFrames(f"{name}: positions and forces are of other steps; print both at each step")
    if len(steps) < max(len(positions), len(forces)):
        notes.append(f"{len(steps)} steps have positions and forces, of {len(positions)} and "
                     f"{len(forces)} that are there")  # fmt: skip
    labels = positions[steps[0]][0]
    if any(positions[s][0] != labels or forces[s][0] != labels for s in steps):
        raise BadFrames(f"{name}: atoms of positions and forces differ; the files are of two runs")
    energies = np.array([positions[s][1] for s in steps])
    if np.isnan(energies).any():
        raise BadFrames(f"{name}: the position file holds no energies (E = ...); write format XYZ")
    try:
        symbols = structures.elements(labels).tolist()
    except Unfit as error:
        raise BadFrames(f"{name}: {error}") from error
    outputs = [path] if path.is_file() else _outputs(folder)
    if len(outputs) > 1:
        raise BadFrames(
            f"{name} holds {len(outputs)} outputs of CP2K ({', '.join(f.name for f in outputs[:3])}"
            f" ...); give the one of the run as file"
        )
    text = files.text(outputs[0]) if outputs else ""
    if _UNCONVERGED.search(text):
        raise Unconverged(
            f"{name}: the SCF run of some steps did not converge; raise MAX_SCF and run it again, "
            f"or leave the run out (zif4 import --drop)"
        )
    printed = [files.number(value) for value in _ENERGY.findall(text)]
    if printed and _unit(text, _ENERGY_UNIT, "energy", name, 1.0) == 1 and not np.isclose(
        np.array(printed)[:, None], energies, rtol=0, atol=1e-6
    ).any():  # fmt: skip
        raise BadFrames(
            f"{outputs[0].name} in {name} holds none of the energies of the positions: it is of "
            f"another run; give each run a folder"
        )
    _refuse_not_periodic(text, name)
    cells = _md_cells(folder, steps, text, name)
    stress = None
    if virial:
        stress = _printed_stress(text, energies, name)
        if stress is None:
            stress = _written_stress(folder, steps, symbols, cells, name, notes)
    return _system(
        symbols, cells, np.array([positions[s][2] for s in steps]), energies * ase_units.Hartree,
        np.array([forces[s][2] for s in steps]) * _FORCE, stress,
    )  # fmt: skip


def is_md(text: str) -> bool:
    """Whether an output of CP2K says that it is of a molecular dynamics run.

    Parameters
    ----------
    text : str
        Its beginning.

    Returns
    -------
    bool
        By the last run type in it: a job may have been started again into one file.
    """
    types = re.findall(r"^ *GLOBAL\| Run type +(\S+)", text, re.M)
    return types[-1:] in (["MD"], ["MOLECULAR_DYNAMICS"])


def _outputs(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.iterdir())
        if file.is_file() and file.suffix in (".out", ".log", ".gz", "") and "CP2K|" in _start(file)
    ]


def _start(file: Path) -> str:
    try:
        return files.head(file)
    except Unfit:
        return ""


def _matching(folder: Path, pattern: str) -> list[Path]:
    return sorted([*folder.glob(pattern), *folder.glob(pattern + ".gz")])


def _if_there(folder: Path, pattern: str, what: str) -> Path | None:
    return _only(folder, pattern, what) if _matching(folder, pattern) else None


def _only(folder: Path, pattern: str, what: str) -> Path:
    found = _matching(folder, pattern)
    if len(found) == 1:
        return found[0]
    said = f"holds no {pattern}" if not found else f"holds {len(found)} files {pattern}"
    raise BadFrames(
        f"{paths.relative(folder)} {said}, one is wanted for the {what} of a molecular dynamics "
        f"run of CP2K; " + ("print it" if not found else "give each run a folder")
    )


def _xyz(file: Path) -> dict[int, tuple[list[str], float, np.ndarray]]:
    """Labels, energy (hartree, NaN if none) and numbers (N, 3) by step.

    A run that was started again repeats the steps since its last restart file: the last counts.
    """
    name, lines = paths.relative(file), files.text(file).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    frames, at = {}, 0
    while at < len(lines):
        head = lines[at + 1] if at + 1 < len(lines) else ""
        step = re.search(r"\bi\s*=\s*(\d+)", head)
        n = int(lines[at]) if lines[at].strip().isdigit() else 0
        if n and not at and not step:
            raise BadFrames(
                f"{name} has no i = ... in its second line, as CP2K's format XYZ has; print that "
                f"(FORMAT XYZ in &TRAJECTORY, &FORCES and &VELOCITIES)"
            )
        if not n or not step or at + 2 + n > len(lines):
            raise BadFrames(
                f"{name}, line {at + 1}: no whole step of CP2K (atoms, then i = ..., time = ...); "
                f"cut off what is left of the last one"
            )
        if frames and int(step[1]) <= min(frames):
            raise BadFrames(
                f"{name}, line {at + 1}: it goes back to its first step, {step[1]}: it holds two "
                f"runs; give each a folder"
            )
        energy = re.search(rf"\bE\s*=\s*({_NUMBER})", head)
        rows = [line.split() for line in lines[at + 2 : at + 2 + n]]
        try:
            numbers = np.array([row[1:4] for row in rows], dtype=float).reshape(n, 3)
        except ValueError as error:
            raise BadFrames(f"{name}: step {step[1]} holds no three numbers an atom") from error
        frames[int(step[1])] = (
            [row[0] for row in rows], files.number(energy[1]) if energy else np.nan, numbers
        )  # fmt: skip
        at += 2 + n
    return frames


def _md_cells(folder: Path, steps: list[int], text: str, name: str) -> np.ndarray:
    file = _if_there(folder, "*.cell", "cells")
    if file:
        table = _columns(file, 9)
        if missing := [step for step in steps if step not in table]:
            raise BadFrames(f"{paths.relative(file)} has no cell of step {missing[0]}; print both "
                            f"at each step")  # fmt: skip
        unit = re.search(r"Ax \[(.+?)\]", files.text(file).split("\n")[0])
        scale = label_units.factor("cell", unit[1], paths.relative(file)) if unit else 1.0
        return np.array([table[step].reshape(3, 3) for step in steps]) * scale
    if not text:
        raise BadFrames(f"{name} holds neither *.cell nor an output of CP2K; the cell is not known")
    ensemble = re.search(r"Ensemble Type\s+(\S+)", text, re.I)
    if ensemble and ensemble[1].upper().startswith("NP"):
        raise BadFrames(
            f"{name} is a run at constant pressure ({ensemble[1]}) without *.cell; print the cells "
            f"(&MOTION &PRINT &CELL ON)"
        )
    return np.array([_cell(text, name)] * len(steps))


def _columns(file: Path, n: int) -> dict[int, np.ndarray]:
    """n numbers behind step and time, by step."""
    rows = [line.split() for line in files.text(file).splitlines() if line.strip()[:1].isdigit()]
    try:
        return {int(row[0]): np.array(row[2 : 2 + n], dtype=float).reshape(n) for row in rows}
    except ValueError as error:
        raise BadFrames(
            f"{paths.relative(file)} has a row of fewer than {n + 2} numbers; cut it off"
        ) from error


def _printed_stress(text: str, energies: np.ndarray, name: str) -> np.ndarray | None:
    """Stress (n, 3, 3) in eV/A^3 of the steps, found in the output by their energies (hartree)."""
    marks = [(m.start(), files.number(m[1])) for m in _ENERGY.finditer(text)]
    tensors = [(m.start(), _tensor(m, name)) for m in _STRESS.finditer(text)]
    if not tensors:
        return None
    by_energy = {}
    for (at, energy), (end, _) in zip(marks, [*marks[1:], (len(text), 0.0)], strict=True):
        for where, tensor in tensors:
            if at < where < end:
                by_energy[round(energy, 8)] = tensor
    found = [by_energy.get(round(float(e), 8)) for e in energies]
    if any(tensor is None for tensor in found):
        return None
    return np.array(found)


def _written_stress(
    folder: Path, steps: list[int], symbols: list[str], cells: np.ndarray, name: str,
    notes: list[str],
) -> np.ndarray | None:  # fmt: skip
    """Stress (n, 3, 3) in eV/A^3 of ``*.stress`` less its kinetic part."""
    file = _if_there(folder, "*.stress", "stress")
    if not file:
        return None
    speeds = _if_there(folder, "*-vel-*.xyz", "velocities")
    if not speeds:
        raise BadFrames(
            f"{paths.relative(file)} holds the kinetic part of the stress, too, which no potential "
            f"has; print the stress in the output (&FORCE_EVAL &PRINT &STRESS_TENSOR ON) or the "
            f"velocities, or do without (zif4 import --no-virial)"
        )
    unit = set(re.findall(r"\[(\w+)\]", files.text(file).split("\n")[0])) - {"fs"}
    if len(unit) != 1:
        raise BadFrames(f"{paths.relative(file)} names no unit of the stress in its first line")
    scale = label_units.factor("stress", unit.pop(), paths.relative(file))
    table, velocities = _columns(file, 9), _xyz(speeds)
    if missing := [s for s in steps if s not in table or s not in velocities]:
        raise BadFrames(f"{name}: no stress or no velocities of step {missing[0]}; print both at "
                        f"each step")  # fmt: skip
    masses = np.array([atomic_masses[atomic_numbers[s]] for s in symbols])
    # bohr per atomic unit of time -> A per ASE's unit of time, in which u A^2 / t^2 is an eV
    speed = ase_units.Bohr / (ase_units._aut * ase_units.second)
    ener = _if_there(folder, "*.ener", "energies")
    told = _columns(ener, 1) if ener else {}  # kinetic energy, hartree
    where = ener.name if ener else ""
    result = []
    for step, cell in zip(steps, cells, strict=True):
        v = velocities[step][2] * speed
        kinetic = (masses[:, None] * v).T @ v
        if step in told and not np.isclose(
            np.trace(kinetic) / 2, told[step][0] * ase_units.Hartree, rtol=0.02
        ):
            raise BadFrames(
                f"{name}: the velocities of step {step} have not the kinetic energy of "
                f"{where}: other masses (deuterium?); print the stress in the output "
                f"(&FORCE_EVAL &PRINT &STRESS_TENSOR ON), or do without (zif4 import --no-virial)"
            )
        result.append(table[step].reshape(3, 3) * scale - kinetic / abs(np.linalg.det(cell)))
    notes.append("the kinetic part of the stress was taken away by the velocities")
    return np.array(result)
