"""Labelled frames: structures with energy, forces and virial, in DeePMD-kit's own layout.

A *set* is a directory ``<name>/{training,validation}/{type.raw, type_map.raw, set.000/*.npy}`` with
a ``provenance.json``. ``dp train`` and ``dp test`` read its parts as they are; ``dpdata`` reads and
writes them. Beside the labels a set may carry one value a frame of ``temperature_K``, ``strain``
and ``step`` of its sampling run, which DeePMD-kit ignores.

Units: A, eV, eV/A; virial in eV in DeePMD-kit's sign, W = -V sigma with ASE's stress sigma
(positive sigma = tension).
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import ase.io
import dpdata
import numpy as np
import pandas as pd
from ase.cell import Cell
from ase.data import atomic_masses, atomic_numbers
from dpdata.data_type import Axis, DataType

from helpers import paths, provenance, structures, units
from helpers.errors import AlreadyThere, NotThere, Unfit

TYPE_MAP = ("C", "H", "N", "Zn")
PARTS = ("training", "validation")
FORMATS = ("vasp/outcar", "vasp/xml", "cp2k/output", "extxyz")
LABELS = ("box", "coord", "energy", "force", "virial")
RANDOM = "-random"  # ends the name of a set whose validation frames were drawn one by one
FRAME_DATA = ("temperature_K", "strain", "step")
#: displacement (A) below which two structures are the same but for the digits of a file
SAME = 1e-4

# A pair of atoms closer than this (A) is no frame of ZIF-4, hot or strained: about 70 % of the
# shortest equilibrium distance of the pair (C-H 1.08, N-H 1.01, H-H 0.74, C-C 1.36, C-N 1.33,
# N-N 1.25 A, Zn-N 1.98, Zn-H 1.55, Zn-C 1.95, Zn-Zn 2.5 A; CRC Handbook, bonds of molecules).
MINIMUM_DISTANCES = {
    ("C", "C"): 0.95, ("C", "H"): 0.75, ("C", "N"): 0.93, ("C", "Zn"): 1.35,
    ("H", "H"): 0.50, ("H", "N"): 0.70, ("H", "Zn"): 1.05,
    ("N", "N"): 0.87, ("N", "Zn"): 1.40, ("Zn", "Zn"): 1.75,
}  # fmt: skip

_CP2K_PRESSURE_IN_GPA = {"GPa": 1.0, "MPa": 1e-3, "kbar": 0.1, "bar": 1e-4, "Pa": 1e-9}

dpdata.LabeledSystem.register_data_type(
    *(DataType(name, np.ndarray, (Axis.NFRAMES, 1), required=False) for name in FRAME_DATA)
)


class BadFrames(ValueError):
    """Frames that are incomplete, broken or not physical."""


class Unconverged(BadFrames):
    """Electrons that did not converge."""


# ---------------------------------------------------------------- in


def from_extxyz(
    path: Path, keep_every: int = 1, start: int = 0, stop: int | None = None, virial: bool = True
) -> dpdata.LabeledSystem:
    """Every ``keep_every``-th frame of an ASE extxyz file, atoms sorted by type (stable).

    The file holds energy (eV), forces (eV/A) and, unless ``virial`` is False, stress (eV/A^3);
    virial W = -V sigma.

    Raises
    ------
    BadFrames
        the file is cut off or holds no frame; a frame lacks a label; frames of different atoms.
    """
    path = Path(path)
    try:
        images = ase.io.read(path, index=slice(start, stop, keep_every), format="extxyz")
    except (ase.io.extxyz.XYZError, ValueError, StopIteration) as error:
        raise BadFrames(
            f"{paths.relative(path)} cannot be read to its end ({error}); "
            f"finish the run that writes it or cut its last frame off"
        ) from error
    if not images:
        raise BadFrames(f"{paths.relative(path)} holds no frame in {start}:{stop}:{keep_every}")
    symbols = images[0].get_chemical_symbols()
    names = list(dict.fromkeys(symbols))
    for i, atoms in enumerate(images):
        if atoms.get_chemical_symbols() != symbols:
            raise BadFrames(
                f"{paths.relative(path)}: frame {i} has other atoms ({atoms.symbols}) than the "
                f"first ({images[0].symbols}); one set holds one system, split the file"
            )
        known = set(atoms.calc.results if atoms.calc else ())
        if missing := {"energy", "forces", *(("stress",) if virial else ())} - known:
            allowed = " or do without (zif4 import --no-virial)" if missing == {"stress"} else ""
            raise BadFrames(
                f"{paths.relative(path)}: frame {i} has no {', '.join(sorted(missing))}; label it"
                + allowed
            )
    data = {
        "atom_names": names,
        "atom_numbs": [symbols.count(name) for name in names],
        "atom_types": np.array([names.index(symbol) for symbol in symbols]),
        "orig": np.zeros(3),
        "cells": np.array([atoms.cell.array for atoms in images]),
        "coords": np.array([atoms.positions for atoms in images]),
        "energies": np.array([atoms.get_potential_energy() for atoms in images]),
        "forces": np.array([atoms.get_forces(apply_constraint=False) for atoms in images]),
    }
    if all("stress" in atoms.calc.results for atoms in images):
        volumes = np.array([atoms.get_volume() for atoms in images])
        stress = np.array([atoms.get_stress(voigt=False) for atoms in images])
        data["virials"] = -volumes[:, None, None] * stress
    for name in FRAME_DATA:
        if all(name in atoms.info for atoms in images):
            data[name] = np.array([[float(atoms.info[name])] for atoms in images])
    return _typed(dpdata.LabeledSystem(data=data), path)


def import_labelled(
    path: Path, fmt: str | None = None, *, virial: bool = True, unconverged: list | None = None,
    **options,
) -> dpdata.LabeledSystem:
    """Frames of the user's own calculation through dpdata, in this book's type map.

    fmt: ``extxyz`` or any labelled format of dpdata (``vasp/outcar``, ``vasp/xml``,
    ``cp2k/output`` ...); guessed from the name of an OUTCAR, vasprun.xml or extxyz file and from
    the first lines of CP2K's output. virial: whether it must be there. unconverged: a list that
    takes the indices of frames whose electrons did not converge, which then are left out; without
    it they are refused. options: passed on to dpdata (e.g. ``begin``, ``step``).

    Raises
    ------
    FileNotFoundError
        no such file.
    BadFrames
        unknown format, a truncated file, nothing readable in it, no virial, frames that did not
        converge, enthalpies instead of energies, or an element outside the type map.
    """
    path = Path(path)
    if not path.exists():
        raise NotThere(f"{path} does not exist; give the path of an OUTCAR, vasprun.xml …")
    fmt = fmt or guess_format(path)
    if fmt == "extxyz":
        return from_extxyz(path, virial=virial, **options)
    if fmt == "cp2k/output":
        _inspect_cp2k(path)
    if fmt == "vasp/xml":
        _inspect_vasprun(path)
    system = _through_dpdata(path, fmt, **options)
    if fmt == "cp2k/output" and len(system) and "virials" not in system.data:
        _add_cp2k_virial(system, path)
    if fmt in ("vasp/xml", "vasp/outcar"):
        # dpdata leaves frames out that took all NELM steps; asked not to, it shows which.
        everything = _through_dpdata(path, fmt, convergence_check=False, **options)
        if bad := _absent(everything, system):
            if unconverged is None:
                raise Unconverged(
                    f"{path}: {len(bad)} of {len(everything)} frames ({_indices(bad)}) took all "
                    f"NELM steps, their electrons did not converge; compute them again, or leave "
                    f"them out (unconverged=[], zif4 import --drop)"
                )
            unconverged += bad
    if not len(system):
        raise Unconverged(f"{path} ({fmt}) holds no converged frame; compute it again")
    if virial and "virials" not in system.data:
        raise BadFrames(
            f"{path} ({fmt}) holds no virial; let the program print the stress (VASP: ISIF = 2, "
            f"CP2K: STRESS_TENSOR ANALYTICAL and its print key), or do without: virial=False, "
            f"zif4 import --no-virial (such a potential is not fit for constant pressure)"
        )
    return _typed(system, path)


def _through_dpdata(path: Path, fmt: str, **options) -> dpdata.LabeledSystem:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            system = dpdata.LabeledSystem(str(path), fmt=fmt, **options)
        except NotImplementedError as error:
            raise BadFrames(f"dpdata knows no labelled format {fmt!r} ({error})") from error
        except Exception as error:  # its parsers raise whatever the file makes them stumble over
            raise BadFrames(
                f"{path} is not readable as {fmt}, it is truncated or of another format: "
                f"{type(error).__name__}: {error}"
            ) from error
    for warning in said:
        text = str(warning.message)
        if warning.category is UserWarning and "were unconverged" not in text:
            raise BadFrames(f"{path}: dpdata says: {text}. Finish the run, or cut off what is left")
    return system


def _absent(everything: dpdata.LabeledSystem, kept: dpdata.LabeledSystem) -> list[int]:
    """Indices of the frames of ``everything`` that are not in ``kept``, which keeps the order."""
    absent, j = [], 0
    for i in range(len(everything)):
        if j < len(kept) and (everything["coords"][i] == kept["coords"][j]).all():
            j += 1
        else:
            absent.append(i)
    return absent


def _inspect_cp2k(path: Path) -> None:
    text = path.read_text(errors="replace")
    if "PROGRAM ENDED AT" not in text:
        raise BadFrames(f"{path}: CP2K did not come to its end; run it again")
    if "SCF run NOT converged" in text:
        raise Unconverged(
            f"{path}: the SCF run of CP2K did not converge; raise MAX_SCF or change the mixing and "
            f"run it again, or leave the file out (zif4 import --drop)"
        )
    if (steps := text.count("ENERGY| Total FORCE_EVAL")) > 1:
        raise BadFrames(
            f"{path} holds {steps} steps; dpdata reads single points (RUN_TYPE ENERGY_FORCE). For "
            f"molecular dynamics install its plugin cp2kdata and give the format cp2kdata/md"
        )
    if "ATOMIC COORDINATES" not in text:
        raise BadFrames(
            f"{path} holds no coordinates; run CP2K with PRINT_LEVEL MEDIUM and FORCES ON"
        )


def _add_cp2k_virial(system: dpdata.LabeledSystem, path: Path) -> None:
    """W = V * stress; dpdata does not see the stress as CP2K prints it since version 8."""
    stress = cp2k_stress(path)
    if stress is not None:
        volume = np.abs(np.linalg.det(system["cells"][0]))
        system.data["virials"] = (volume * stress)[None]


def cp2k_stress(path: Path) -> np.ndarray | None:
    """Stress (3, 3) in eV/A^3 of an output of CP2K, positive for compression; None if it has none.

    Raises
    ------
    BadFrames
        its unit, which depends on the version of CP2K, is missing or not known here.
    """
    text = path.read_text(errors="replace")
    rows = re.findall(r"^ *STRESS\|\s+[xyz]\s+(\S+)\s+(\S+)\s+(\S+)\s*$", text, re.M)
    if len(rows) < 3:
        return None
    unit = re.search(r"^ *STRESS\|.*tensor\s*\[(.*?)\]", text, re.M)
    if not unit or unit[1] not in _CP2K_PRESSURE_IN_GPA:
        raise BadFrames(
            f"{path}: the stress is in {unit[1] if unit else 'no named unit'}, known are "
            f"{', '.join(_CP2K_PRESSURE_IN_GPA)}; run CP2K with STRESS_UNIT GPa"
        )
    stress = np.array(rows[:3], dtype=float) * _CP2K_PRESSURE_IN_GPA[unit[1]]
    return stress / units.EV_PER_A3_IN_GPA


def _inspect_vasprun(path: Path) -> None:
    """With an external pressure ``e_fr_energy`` is E + pV, which has other derivatives."""
    pressure = re.search(r'name="PSTRESS">\s*([-+.\deE]+)', path.read_text(errors="replace"))
    if pressure and float(pressure[1]):
        raise BadFrames(
            f"{path} was made with PSTRESS = {float(pressure[1]):g} kB and holds enthalpies; "
            f"import the OUTCAR of the run, which holds energies"
        )


def guess_format(path: Path) -> str:
    """The member of :data:`FORMATS` that a file is, by its name and first lines.

    Raises
    ------
    BadFrames
        it is none of them.
    """
    name = path.name.lower()
    head = b""
    if path.is_file():
        with open(path, "rb") as file:
            head = file.read(20_000)
    if name.endswith(".extxyz") or (name.endswith(".xyz") and b"Lattice=" in head):
        return "extxyz"
    if "outcar" in name:
        return "vasp/outcar"
    if name.endswith(".xml") and b"<modeling" in head:
        return "vasp/xml"
    if b"CP2K|" in head:
        return "cp2k/output"
    raise BadFrames(
        f"cannot tell the format of {path.name}; name it: fmt={FORMATS} or another of dpdata "
        f"(zif4 import --format)"
    )


def _typed(system: dpdata.LabeledSystem, source) -> dpdata.LabeledSystem:
    """The system in the order of TYPE_MAP: names, types and (stable) atoms."""
    present = {system["atom_names"][i] for i in np.unique(system["atom_types"])}
    unknown = sorted(present - set(TYPE_MAP))
    if unknown:
        raise BadFrames(
            f"{source}: element {', '.join(unknown)} is outside the type map {TYPE_MAP}; "
            f"this book's potential knows no such atom"
        )
    system.apply_type_map(list(TYPE_MAP))
    system.sort_atom_types()
    return system


# ---------------------------------------------------------------- sets on disk


def names() -> list[str]:
    """Names of all finished sets, shipped (``data/frames``) or made here (``build/frames``).

    A copy of a set that is split at random (:data:`RANDOM`) is no set of its own.
    """
    found = set()
    for folder in (paths.shipped("frames"), paths.made("frames")):
        found |= {file.parent.name for file in folder.glob(f"*/{provenance.FILE}")}
    return sorted(name for name in found if not name.endswith(RANDOM))


def locate(path_or_name: str | Path) -> Path:
    """Directory of a set: ``data/frames/<name>``, ``build/frames/<name>`` or a path as it is."""
    name = str(path_or_name)
    candidates = [Path(path_or_name)]
    if os.sep not in name:
        candidates = [paths.shipped("frames", name), paths.made("frames", name), *candidates]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise NotThere(f"no set of frames {name!r}; known: {', '.join(names()) or 'none'}")


def load(path_or_name: str | Path, part: str | None = None) -> dpdata.LabeledSystem:
    """A set, or one part of it (``training`` or ``validation``; None: both, in this order).

    Raises
    ------
    FileNotFoundError
        no such set or part, or a file of it is missing (named, with the remedy).
    BadFrames
        a truncated or inconsistent file (named, with the remedy); other elements.
    """
    directory = locate(path_or_name)
    if part is None and (directory / "type.raw").is_file():
        return _load_system(directory)
    if part not in (None, *PARTS):
        raise Unfit(f"unknown part {part!r} of a set; known: {', '.join(PARTS)}")
    systems = [_load_system(directory / p) for p in (PARTS if part is None else (part,))]
    for other in systems[1:]:
        systems[0].append(other)
    return systems[0]


def _load_system(directory: Path) -> dpdata.LabeledSystem:
    remedy = f"restore it (git checkout -- {paths.relative(directory)}) or make the set again"
    where = paths.relative(directory)
    for file in ("type.raw", "type_map.raw"):
        if not (directory / file).is_file():
            raise NotThere(f"{where} has no {file}; {remedy}")
    sets = sorted(directory.glob("set.*"))
    if not sets:
        raise NotThere(f"{where} has no set.000; {remedy}")
    n_atoms = len(np.loadtxt(directory / "type.raw", dtype=int, ndmin=1))
    width = {"box": 9, "coord": 3 * n_atoms, "energy": 1, "force": 3 * n_atoms, "virial": 9}
    lacking = _lacking(directory.parent)
    for folder in sets:
        frames = {}
        for label in LABELS:
            if label in lacking:
                continue
            file = folder / f"{label}.npy"
            name = paths.relative(file)
            if not file.is_file():
                raise NotThere(f"{name} is missing; {remedy}")
            try:
                array = np.load(file)
            except (ValueError, EOFError, OSError) as error:
                raise BadFrames(f"{name} is truncated or broken ({error}); {remedy}") from error
            frames[label] = len(array)
            if array.size != len(array) * width[label]:
                raise BadFrames(
                    f"{name} has shape {array.shape}, {width[label]} numbers a frame are wanted "
                    f"for the {n_atoms} atoms of type.raw; {remedy}"
                )
        if len(set(frames.values())) > 1:
            raise BadFrames(
                f"{paths.relative(folder)}: numbers of frames differ {frames}; {remedy}"
            )
    system = dpdata.LabeledSystem(str(directory), fmt="deepmd/npy")
    for name, value in system.data.items():
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            system.data[name] = value.astype(np.float64)
    return _typed(system, where)


def _lacking(directory: Path) -> list[str]:
    """Labels that a set was made without, as its provenance says."""
    file = directory / provenance.FILE
    return json.loads(file.read_text()).get("lacks", []) if file.is_file() else []


def split_blocks(n_frames: int, n_blocks: int = 10, validation_share: float = 0.2) -> np.ndarray:
    """Mask (n_frames,) of the validation frames: whole blocks of consecutive frames.

    Consecutive frames of a run are near-copies of each other; drawn at random (as in the paper)
    each validation frame has neighbours in training and the error that is measured is that of
    memory. Validation blocks are spread evenly, at least one, never all.
    """
    if not 0 < validation_share < 1:
        raise Unfit(f"validation_share is {validation_share}, wanted: between 0 and 1")
    if not 2 <= n_blocks <= n_frames:
        raise Unfit(f"{n_frames} frames cannot be split into {n_blocks} blocks (2..n_frames)")
    wanted = min(max(round(validation_share * n_blocks), 1), n_blocks - 1)
    chosen = ((np.arange(wanted) + 0.5) * n_blocks / wanted).astype(int)
    block = np.arange(n_frames) * n_blocks // n_frames
    return np.isin(block, chosen)


def split_random(n_frames: int, validation_share: float = 0.2, seed: int = 1) -> np.ndarray:
    """Mask (n_frames,) of validation frames drawn one by one, as in the paper: to show the leak.

    What the error of such frames is worth, :func:`nearest_training` tells.
    """
    wanted = round(validation_share * n_frames)
    if not 0 < wanted < n_frames:
        raise Unfit(f"validation_share {validation_share} of {n_frames} frames leaves no part")
    mask = np.zeros(n_frames, dtype=bool)
    mask[np.random.default_rng(seed).choice(n_frames, wanted, replace=False)] = True
    return mask


def nearest_training(system: dpdata.LabeledSystem, validation: np.ndarray) -> np.ndarray:
    """Distance (A) of each validation frame to the training frame that is most like it.

    The measure is that of :func:`displacement`. A validation frame that is nearer than atoms move
    between two frames of the run was as good as trained on.
    """
    training = np.flatnonzero(~validation)
    fractional = _fractional(system)
    return np.array([
        displacement(system, i, training, fractional=fractional).min()
        for i in np.flatnonzero(validation)
    ])  # fmt: skip


def save(
    system: dpdata.LabeledSystem,
    directory: Path,
    validation: np.ndarray,
    *,
    description: str,
    recipe: dict,
    overwrite: bool = False,
    **facts,
) -> Path:
    """Write a set: ``training/``, ``validation/`` and ``provenance.json``, all or nothing.

    Energies, boxes and virials are kept in float64, coordinates and forces in float32 (1e-6 A,
    1e-6 eV/A). validation: mask (n_frames,). facts: plain data for the provenance
    (``level_of_theory``, ``source``, ``sampling``, ``inputs`` ...).

    Raises
    ------
    FileExistsError
        a set is there already and ``overwrite`` is not given.
    BadFrames
        the mask does not fit, or a part would be empty.
    """
    directory, validation = Path(directory), np.asarray(validation, dtype=bool)
    if validation.shape != (len(system),) or validation.all() or not validation.any():
        raise BadFrames(
            f"validation mask of shape {validation.shape} with {validation.sum()} frames does not "
            f"split {len(system)} frames into two parts"
        )
    if directory.exists() and not overwrite:
        raise AlreadyThere(
            f"{paths.relative(directory)} exists; remove it or say overwrite=True"
        )
    part_of = directory.with_name(f".{directory.name}.{os.getpid()}")
    for part, mask in zip(PARTS, (~validation, validation), strict=True):
        target = part_of / part
        system.sub_system(np.flatnonzero(mask)).to(
            "deepmd/npy", str(target), prec=np.float64, set_size=len(system)
        )
        for label in ("coord", "force"):
            file = target / "set.000" / f"{label}.npy"
            np.save(file, np.load(file).astype(np.float32))
    provenance.write(
        part_of, kind="frames", recipe=recipe, description=description,
        frames={part: int(n) for part, n in zip(PARTS, (sum(~validation), sum(validation)),
                                                strict=True)},
        results=summary(system), **facts,
    )  # fmt: skip
    provenance.replace(directory, part_of)
    return directory


def joined(systems: list[dpdata.LabeledSystem]) -> dpdata.LabeledSystem:
    """One system of all frames, in this order, with the virials and frame data that all have."""
    for key in ("virials", *FRAME_DATA):
        if not all(key in system.data for system in systems):
            for system in systems:
                system.data.pop(key, None)
    for other in systems[1:]:
        systems[0].append(other)
    return systems[0]


def pack(
    trajectory: Path | Sequence[Path],
    name: str,
    *,
    description: str,
    sampling: dict,
    level_of_theory: str,
    source: str,
    keep_every: int = 1,
    start: int = 0,
    stop: int | None = None,
    n_blocks: int = 10,
    validation_share: float = 0.2,
    directory: Path | None = None,
    overwrite: bool = False,
    **limits,
) -> Path:
    """Trajectories of labelled steps (extxyz) -> the checked set ``data/frames/<name>``.

    Several trajectories of the same atoms are joined in the given order; ``start``, ``stop`` and
    ``keep_every`` hold for each. limits: passed on to :func:`check`. Returns the set's directory.
    """
    files = (
        [Path(trajectory)] if isinstance(trajectory, str | Path) else list(map(Path, trajectory))
    )
    system = joined([from_extxyz(file, keep_every, start, stop) for file in files])
    check(system, **limits)
    inputs = {file.parent.name + "/" + file.name: provenance.sha256(file) for file in files}
    recipe = {
        "trajectories": list(inputs.values()), "keep_every": keep_every, "start": start,
        "stop": stop, "n_blocks": n_blocks, "validation_share": validation_share,
    }  # fmt: skip
    target = save(
        system, directory or paths.shipped("frames", name),
        split_blocks(len(system), min(n_blocks, len(system)), validation_share),
        description=description, recipe=recipe, inputs=inputs, sampling=sampling,
        level_of_theory=level_of_theory, source=source, overwrite=overwrite,
    )  # fmt: skip
    provenance.announce("made", target, f"{len(system)} frames of {system.get_natoms()} atoms")
    return target


# ---------------------------------------------------------------- judging


def check(
    system: dpdata.LabeledSystem,
    *,
    stoichiometry: dict[str, int] | str | None = None,
    force_bound: float = 30.0,
    net_force_bound: float = 0.05,
    minimum_distances: dict[tuple[str, str], float] | None = None,
    energy_outlier: float = 8.0,
    virial: bool = True,
    laws: bool = False,
    calculator=None,
) -> dpdata.LabeledSystem:
    """Refuse frames that are broken or not physical; returns the system if it is sound.

    stoichiometry: wanted atoms per element, or ``any``; default: whole formula units of
    Zn(C3H3N2)2. force_bound: largest allowed force component in eV/A. net_force_bound: largest
    allowed |sum of forces| / sqrt(N) in eV/A (zero without an outer field, but for the grid of a
    plane-wave code, whose errors add up like random numbers). minimum_distances: A per pair,
    added to :data:`MINIMUM_DISTANCES`. energy_outlier: largest |E - median| in units of 1.4826
    times the median absolute deviation (a standard deviation for Gaussian energies), where it also
    exceeds 0.3 eV/atom. virial: whether virials must be there. laws: test units and the virial's
    sign by what binds the labels to each other (:func:`work_balance`, :func:`ch_stiffness`).
    calculator: an ASE calculator, the one of the labels or a potential like it; the virial is held
    to its :func:`strain_derivative`.

    Raises
    ------
    BadFrames
        with the frames' indices and every objection, one a line.
    """
    found = [
        text if bad is None else _object(bad, text)
        for text, bad in objections(
            system, stoichiometry, force_bound, net_force_bound, minimum_distances,
            energy_outlier, virial, laws, calculator,
        )
    ]  # fmt: skip
    if found:
        raise BadFrames(
            f"{system.short_name}, {len(system)} frames, refused; remove or repair:\n  "
            + "\n  ".join(found)
        )
    return system


def objections(
    system, stoichiometry=None, force_bound=30.0, net_force_bound=0.05, minimum_distances=None,
    energy_outlier=8.0, virial=True, laws=False, calculator=None,
) -> Iterator[tuple[str, np.ndarray | None]]:
    """What speaks against a system, and the mask of the frames concerned (None: the whole set).

    Arguments: those of :func:`check`.
    """
    present = {system["atom_names"][i] for i in np.unique(system["atom_types"])}
    if unknown := sorted(present - set(TYPE_MAP)):
        raise BadFrames(f"element {', '.join(unknown)} is outside the type map {TYPE_MAP}")
    if wrong := _wrong_stoichiometry(system, stoichiometry):
        yield wrong, None
    labels = ("cells", "coords", "energies", "forces", *(("virials",) if virial else ()))
    finite = np.ones(len(system), dtype=bool)
    for label in labels:
        if label not in system.data:
            yield f"no {label}: label the frames with them, or check(virial=False)", None
            continue
        good = np.isfinite(system[label].reshape(len(system), -1)).all(axis=1)
        finite &= good
        yield from _found(~good, f"NaN or infinite {label}")
    if not finite.all():
        return
    largest = np.abs(system["forces"]).max(axis=(1, 2))
    yield from _found(
        largest > force_bound,
        f"a force of {largest.max():.1f} eV/A, above the bound of {force_bound:g} eV/A",
    )
    net = np.linalg.norm(system["forces"].sum(axis=1), axis=1)
    yield from _found(
        net > net_force_bound * np.sqrt(system.get_natoms()),
        f"forces that do not sum to zero but to {net.max():.2f} eV/A (an outer field, frozen or "
        f"missing atoms)",
    )
    closest = closest_distances(system)
    for pair, limit in (MINIMUM_DISTANCES | (minimum_distances or {})).items():
        column = "-".join(sorted(pair, key=TYPE_MAP.index))
        if column in closest:
            d = closest[column].to_numpy()
            yield from _found(d < limit, f"{column} at {d.min():.2f} A, closer than {limit:g} A")
    yield from _found(copies(system) >= 0, "the same coordinates as an earlier frame")
    energy = system["energies"] / system.get_natoms()
    distance = np.abs(energy - np.median(energy))
    spread = 1.4826 * np.median(distance)
    yield from _found(
        (distance > energy_outlier * spread) & (distance > 0.3),
        f"an energy {distance.max():.2f} eV/atom from the median",
    )
    if laws:
        yield from _broken_laws(system, closest)
    if calculator is not None and "virials" in system.data:
        yield from _against(system, calculator)


def _wrong_stoichiometry(system: dpdata.LabeledSystem, wanted) -> str:
    counts = {e: n for e, n in zip(system["atom_names"], system["atom_numbs"], strict=True) if n}
    remedy = "check the file, or say stoichiometry='any' (zif4 import --stoichiometry any)"
    if wanted == "any":
        return ""
    if wanted is None:
        zinc = counts.get("Zn", 0)
        wanted = {e: zinc * structures.FORMULA_UNIT[e] for e in TYPE_MAP}
        remedy = f"that is no whole number of Zn(C3H3N2)2; {remedy}"
    if counts and counts == {e: n for e, n in wanted.items() if n}:
        return ""
    return f"wrong number of atoms: {counts}, wanted {wanted}; {remedy}"


def _found(bad: np.ndarray, what: str) -> list[tuple[str, np.ndarray]]:
    return [(what, bad)] if bad.any() else []


def _object(bad: np.ndarray, what: str) -> str:
    return f"{what}: {bad.sum()} of {len(bad)} frames ({_indices(np.flatnonzero(bad))})"


def _indices(where: Sequence[int]) -> str:
    return "index " + ", ".join(map(str, where[:5])) + (" ..." if len(where) > 5 else "")


# ---------------------------------------------------------------- laws that bind the labels


def work_balance(system: dpdata.LabeledSystem, reach: float = 0.3) -> pd.DataFrame:
    r"""How well energies, forces and virials of consecutive frames belong together.

    Between two frames that are a small step apart the energy changes by the work of both labels,

    .. math:: \Delta E = -a \sum_i \overline{F_i \cdot \Delta r_i} - b\, \overline{W : \varepsilon},

    with means over the two frames, Delta r what atoms move against the cell and epsilon the cell's
    strain. Exact for a quadratic energy. ``a`` = ``b`` = 1 if the
    labels share their units and the virial its sign; a virial of the other sign gives ``b`` near
    -1, energies in hartree ``a`` = 1/27.2.

    Pairs of consecutive frames less than ``reach`` (A, root mean square over atoms) apart enter;
    ``b`` only where five of them or more differ in their cells by over 1e-4 and the virial does a
    fifth of the work at least: what heating adds to the energy would drown less. Rows ``force`` and
    ``virial``, columns ``slope``, ``error`` (standard error), ``n_pairs``.
    """
    cells, energy = system["cells"], system["energies"]
    step = np.diff(_fractional(system), axis=0)
    step -= np.round(step)
    growth = np.diff(cells, axis=0)
    ends = (slice(None, -1), slice(1, None))
    moved = [step @ cells[end] for end in ends]
    strain = [np.linalg.solve(cells[end], growth) for end in ends]
    near = np.sqrt((moved[0] ** 2).sum(axis=2).mean(axis=1)) < reach
    strained = near & (np.abs(strain[0]).max(axis=(1, 2)) > 1e-4)

    def mean_work(label, change):
        at_ends = zip(ends, change, strict=True)
        return -sum((system[label][end] * c).sum(axis=(1, 2)) for end, c in at_ends) / 2

    work = {"force": mean_work("forces", moved)}
    if "virials" in system.data and strained.sum() >= 5:
        of_virial = mean_work("virials", strain)
        if of_virial[near].std() > 0.2 * np.diff(energy)[near].std():
            work["virial"] = of_virial
    rows = pd.DataFrame(
        {"slope": np.nan, "error": np.nan, "n_pairs": [int(near.sum()), int(strained.sum())]},
        index=["force", "virial"],
    )
    matrix = np.stack([w[near] for w in work.values()], axis=1)
    if near.sum() >= max(5, 2 * matrix.shape[1]) and np.linalg.matrix_rank(matrix) == len(work):
        change = np.diff(energy)[near]
        slopes = np.linalg.lstsq(matrix, change, rcond=None)[0]
        variance = ((change - matrix @ slopes) ** 2).sum() / (len(change) - len(slopes))
        errors = np.sqrt(variance * np.diag(np.linalg.inv(matrix.T @ matrix)))
        rows.loc[list(work), "slope"], rows.loc[list(work), "error"] = slopes, errors
    return rows


def ch_stiffness(system: dpdata.LabeledSystem) -> float:
    """Force constant (eV/A^2) of C-H bonds as the frames show it; NaN where they show none.

    Minus the slope of the force on H along its bond against the bond's length, over all H within
    1.3 A of a C. A C-H oscillator of 3100 1/cm has 4 pi^2 c^2 nu^2 mu = 33 eV/A^2, which no
    composition or temperature changes by more than a factor of two; forces in another unit do.
    """
    from ase.geometry import find_mic

    carbon, hydrogen = (np.flatnonzero(system["atom_types"] == TYPE_MAP.index(e)) for e in "CH")
    if not len(carbon) or not len(hydrogen):
        return float("nan")
    lengths, pulls = [], []
    for cell, coords, forces in zip(
        system["cells"], system["coords"], system["forces"], strict=True
    ):
        pairs = (coords[hydrogen][:, None] - coords[carbon][None]).reshape(-1, 3)
        vectors, d = find_mic(pairs, cell)
        d = d.reshape(len(hydrogen), len(carbon))
        mine = d.argmin(axis=1)
        rows = np.arange(len(hydrogen))
        bonded = d[rows, mine] < 1.3
        unit = vectors.reshape(*d.shape, 3)[rows, mine] / d[rows, mine][:, None]
        lengths.append(d[rows, mine][bonded])
        pulls.append((forces[hydrogen] * unit).sum(axis=1)[bonded])
    lengths, pulls = np.concatenate(lengths), np.concatenate(pulls)
    if len(lengths) < 10 or lengths.std() < 0.005:
        return float("nan")
    return float(-np.polyfit(lengths, pulls, 1)[0])


def strain_derivative(atoms, calculator, strain: float = 1e-3) -> np.ndarray:
    r"""Virial (3, 3) in eV by finite strain, without any stress of the calculator.

    :math:`W_{ab} = -\partial E / \partial \varepsilon_{ab}` by central differences of the energy
    under homogeneous strain of the cell with its atoms, symmetrised.
    """
    virial = np.zeros((3, 3))
    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
        energy = []
        for sign in (1, -1):
            deformation = np.eye(3)
            deformation[a, b] += sign * strain / 2
            deformation[b, a] += sign * strain / 2
            strained = atoms.copy()
            strained.calc = calculator
            strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
            energy.append(strained.get_potential_energy())
        virial[a, b] = virial[b, a] = -(energy[0] - energy[1]) / (2 * strain)
    return virial


def _broken_laws(system, closest: pd.DataFrame) -> Iterator[tuple[str, None]]:
    if "C-H" in closest and (d := closest["C-H"].median()) > 1.6:
        yield f"no C-H bond, the closest are {d:.2f} A apart: coordinates are not in A", None
    stiffness = ch_stiffness(system)
    if not np.isnan(stiffness) and not 8 < stiffness < 80:
        yield (f"C-H bonds of {stiffness:.3g} eV/A^2 instead of about 30: forces are not in eV/A",
               None)  # fmt: skip
    meaning = {
        "force": "energies are not in eV, or they and the forces are of different calculations",
        "virial": "the virial has the other sign (W = -V sigma) or is not in eV",
    }
    bounds = {"force": (0.67, 1.5), "virial": (0.2, 5.0)}
    for label, row in work_balance(system).iterrows():
        low, high = bounds[label]
        if row.slope + 3 * row.error < low or row.slope - 3 * row.error > high:
            yield (
                f"the energy changes by {row.slope:.3g} +- {row.error:.1g} times the work of the "
                f"{label}s between {row.n_pairs:.0f} pairs of frames: {meaning[label]}",
                None,
            )


def _against(system, calculator) -> Iterator[tuple[str, None]]:
    loudest = int(np.abs(system["virials"]).max(axis=(1, 2)).argmax())
    wanted = strain_derivative(system[loudest].to("ase/structure")[0], calculator)
    slope = float((system["virials"][loudest] * wanted).sum() / (wanted**2).sum())
    if not 0.5 < slope < 2:
        yield (
            f"the virial of frame {loudest} is {slope:.2f} times minus the strain derivative of "
            f"the energy: it has the other sign (W = -V sigma) or is not in eV",
            None,
        )


# ---------------------------------------------------------------- likeness of frames


def _fractional(system: dpdata.LabeledSystem) -> np.ndarray:
    return system["coords"] @ np.linalg.inv(system["cells"])


def displacement(
    system: dpdata.LabeledSystem,
    i: int,
    others: np.ndarray,
    *,
    atoms: np.ndarray | slice = slice(None),
    fractional: np.ndarray | None = None,
) -> np.ndarray:
    """Root mean square displacement (A) per atom between frame ``i`` and each of ``others``.

    sqrt(sum_k |d_k - <d>|^2 / N), d_k the minimum-image difference of fractional coordinates of
    atom k times the mean of both cells: a common shift, and a strain that atoms follow, do not
    count. Like atoms that changed places do. atoms: sums over these only, still over N, which
    bounds the whole from below.
    """
    fractional = _fractional(system) if fractional is None else fractional
    step = fractional[others][:, atoms] - fractional[i][atoms]
    step -= step[:, :1]
    step -= np.round(step)
    step = step @ ((system["cells"][others] + system["cells"][i]) / 2)
    step -= step.mean(axis=1, keepdims=True)
    return np.sqrt((step**2).sum(axis=(1, 2)) / system.get_natoms())


def copies(system: dpdata.LabeledSystem, within: float = SAME) -> np.ndarray:
    """For each frame the index of the earlier frame that it is a copy of, or -1, shape (n_frames,).

    A copy: :func:`displacement` below ``within`` (A) and no component of a cell vector further
    off than that. Frames that are copies themselves are not compared with.
    """
    fractional, cells = _fractional(system), system["cells"]
    few = np.linspace(0, system.get_natoms() - 1, min(16, system.get_natoms())).astype(int)
    result = np.full(len(system), -1)
    kept = np.empty(len(system), dtype=int)
    n = 0
    for i in range(len(system)):
        near = kept[:n][np.abs(cells[kept[:n]] - cells[i]).max(axis=(1, 2)) < within]
        for atoms in (few, slice(None)):  # a few atoms rule out nearly all frames
            if len(near):
                d = displacement(system, i, near, atoms=atoms, fractional=fractional)
                near = near[d < within]
        if len(near):
            result[i] = near[0]
        else:
            kept[n] = i
            n += 1
    return result


def closest_distances(system: dpdata.LabeledSystem) -> pd.DataFrame:
    """Closest distance (A) of each pair of elements in each frame, over periodic images.

    Rows: frames; columns ``C-C``, ``C-H`` ... in the order of TYPE_MAP. An atom and its own image
    are no pair.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from MDAnalysis.lib.distances import self_distance_array

    i, j = np.triu_indices(system.get_natoms(), k=1)
    types = np.sort(np.stack([system["atom_types"][i], system["atom_types"][j]]), axis=0)
    code = types[0] * len(system["atom_names"]) + types[1]
    order = np.argsort(code, kind="stable")
    pairs, begin = np.unique(code[order], return_index=True)
    rows = []
    for cell, coords in zip(system["cells"], system["coords"], strict=True):
        # MDAnalysis wants a along x and b in the xy plane.
        cell = Cell(cell)
        standard, _ = cell.standard_form()
        xyz = (cell.scaled_positions(coords) % 1.0) @ standard.array
        d = self_distance_array(xyz.astype(np.float32), box=cell.cellpar())
        rows.append(np.minimum.reduceat(d[order], begin))
    elements = system["atom_names"]
    columns = [f"{elements[p // len(elements)]}-{elements[p % len(elements)]}" for p in pairs]
    return pd.DataFrame(rows, columns=columns)


def largest_neighbour_numbers(system: dpdata.LabeledSystem, cutoff: float) -> dict[str, int]:
    """Largest number of neighbours of each element that any atom has within ``cutoff`` (A).

    This, and not the number of atoms in the cell, is what ``sel`` of a descriptor bounds.
    """
    from ase.neighborlist import neighbor_list

    largest = dict.fromkeys(TYPE_MAP, 0)
    for atoms in system.to_ase_structure():
        center, neighbour = neighbor_list("ij", atoms, cutoff)
        symbols = np.asarray(atoms.symbols)
        for element in TYPE_MAP:
            of_element = center[symbols[neighbour] == element]
            largest[element] = max(largest[element], *np.bincount(of_element, minlength=1))
    return {element: int(number) for element, number in largest.items()}


def densities(system: dpdata.LabeledSystem) -> np.ndarray:
    """Mass density (n_frames,) in g/cm3."""
    mass = sum(
        n * atomic_masses[atomic_numbers[e]]
        for e, n in zip(system["atom_names"], system["atom_numbs"], strict=True)
    )
    volume = np.abs(np.linalg.det(system["cells"]))  # A^3
    return units.density_g_cm3(mass, volume)


def force_rms(system: dpdata.LabeledSystem) -> dict[str, float]:
    """Root mean square force component per element, and of ``all``, in eV/A."""
    result = {"all": float(np.sqrt(np.mean(system["forces"] ** 2)))}
    for i, element in enumerate(system["atom_names"]):
        if (chosen := system["atom_types"] == i).any():
            result[element] = float(np.sqrt(np.mean(system["forces"][:, chosen] ** 2)))
    return result


def summary(system: dpdata.LabeledSystem) -> dict:
    """What a set holds, as plain data (units in the names).

    Keys: n_frames, n_atoms, formula, temperature_K, strain, density_g_cm3,
    energy_eV_per_atom, pressure_GPa (ranges ``[low, high]``; None where unknown),
    energy_spread_meV_per_atom (standard deviation), force_rms_eV_per_A (per element and all),
    force_max_eV_per_A, virial_rms_eV_per_atom, closest_A (per pair, over all frames).
    """
    n_atoms = system.get_natoms()
    energy = system["energies"] / n_atoms
    volume = np.abs(np.linalg.det(system["cells"]))
    virials = system.data.get("virials")
    counts = zip(system["atom_names"], system["atom_numbs"], strict=True)
    return {
        "n_frames": len(system),
        "n_atoms": n_atoms,
        "formula": "".join(f"{e}{n}" for e, n in counts if n),
        "temperature_K": _range(system.data.get("temperature_K")),
        "strain": _range(system.data.get("strain")),
        "density_g_cm3": _range(densities(system)),
        "energy_eV_per_atom": _range(energy),
        "energy_spread_meV_per_atom": float(1e3 * energy.std()),
        "force_rms_eV_per_A": force_rms(system),
        "force_max_eV_per_A": float(np.abs(system["forces"]).max()),
        "virial_rms_eV_per_atom":
            None if virials is None else float(np.sqrt(np.mean(virials**2)) / n_atoms),
        "pressure_GPa": None if virials is None else _range(
            np.trace(virials, axis1=1, axis2=2) / (3 * volume) * units.EV_PER_A3_IN_GPA
        ),
        "closest_A": {k: float(v) for k, v in closest_distances(system).min().items()},
    }  # fmt: skip


def _range(values) -> list[float] | None:
    return None if values is None else [float(np.min(values)), float(np.max(values))]


def table(sets: Sequence[str]) -> pd.DataFrame:
    """One row a set and part of it: the flat entries of :func:`summary`, ranges as text."""
    rows = {}
    for name in sets:
        for part in PARTS:
            entries = summary(load(name, part))
            rows[name, part] = {
                key: f"{value[0]:.6g} … {value[1]:.6g}" if isinstance(value, list) else value
                for key, value in entries.items()
                if not isinstance(value, dict) and value is not None
            }
    result = pd.DataFrame.from_dict(rows, orient="index")
    result.index = pd.MultiIndex.from_tuples(result.index, names=["set", "part"])
    return result.fillna("-")


def per_frame(sets: Sequence[str]) -> pd.DataFrame:
    """One row a frame of the given sets.

    Columns: set, part, temperature_K, strain, step (NaN where the set does not know them),
    n_atoms, density_g_cm3, energy_eV_per_atom, force_rms_eV_per_A (over atoms and components),
    pressure_GPa = tr(W) / 3V (without the kinetic part; NaN in a set without virials).
    """
    tables = []
    for name in sets:
        for part in PARTS:
            system = load(name, part)
            volume = np.abs(np.linalg.det(system["cells"]))
            known = {k: system[k].ravel() for k in FRAME_DATA if k in system.data}
            virials = system.data.get("virials", np.full((len(system), 3, 3), np.nan))
            trace = np.trace(virials, axis1=1, axis2=2)
            tables.append(
                pd.DataFrame(
                    dict.fromkeys(FRAME_DATA, np.nan)
                    | known
                    | {
                        "set": name,
                        "part": part,
                        "n_atoms": system.get_natoms(),
                        "density_g_cm3": densities(system),
                        "energy_eV_per_atom": system["energies"] / system.get_natoms(),
                        "force_rms_eV_per_A": np.sqrt(np.mean(system["forces"] ** 2, axis=(1, 2))),
                        "pressure_GPa": trace / (3 * volume) * units.EV_PER_A3_IN_GPA,
                    },
                    index=range(len(system)),
                )
            )
    return pd.concat(tables, ignore_index=True)


def thinned(system: dpdata.LabeledSystem, n: int) -> dpdata.LabeledSystem:
    """At most ``n`` frames of a system, evenly chosen, the first and the last among them."""
    if len(system) <= n:
        return system
    return system.sub_system(np.linspace(0, len(system) - 1, n).round().astype(int))


def smallest() -> list[str]:
    """Names of the sets with the fewest atoms a frame: what a live training can afford."""
    size = {n: len((locate(n) / "training" / "type.raw").read_text().split()) for n in names()}
    if not size:
        raise NotThere("there is no set of frames; restore data/frames from git")
    return [name for name, atoms in size.items() if atoms == min(size.values())]


def near_temperature(
    sets: Sequence[str], part: str, temperature_K: float, width_K: float, n_atoms: int
) -> dpdata.LabeledSystem | None:
    """Frames of ``n_atoms`` atoms within ``width_K`` of a temperature; None if there are none.

    Sets without virials count only if no other has such frames.
    """
    found = []
    for name in sets:
        system = load(name, part)
        if system.get_natoms() != n_atoms or "temperature_K" not in system.data:
            continue
        chosen = np.flatnonzero(np.abs(system["temperature_K"].ravel() - temperature_K) <= width_K)
        if not len(chosen):
            continue
        system = system.sub_system(chosen)
        for name in FRAME_DATA:
            system.data.pop(name, None)
        found.append(system)
    found = [system for system in found if "virials" in system.data] or found
    return joined(found) if found else None


def to_extxyz(system: dpdata.LabeledSystem, path: Path) -> Path:
    """Write the frames back as ASE extxyz with energy, forces and stress = -W / V."""
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.stress import full_3x3_to_voigt_6_stress

    images = system.to("ase/structure")
    for i, atoms in enumerate(images):
        results = {"energy": system["energies"][i], "forces": system["forces"][i]}
        if "virials" in system.data:
            stress = -system["virials"][i] / atoms.get_volume()
            results["stress"] = full_3x3_to_voigt_6_stress(stress)
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info.update({k: float(system[k][i, 0]) for k in FRAME_DATA if k in system.data})
    ase.io.write(path, images, format="extxyz")
    return Path(path)
