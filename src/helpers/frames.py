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
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path

import ase.io
import dpdata
import numpy as np
import pandas as pd
from ase.cell import Cell
from ase.data import atomic_masses, atomic_numbers
from dpdata.data_type import Axis, DataType

from helpers import paths, provenance, units

TYPE_MAP = ("C", "H", "N", "Zn")
PARTS = ("training", "validation")
LABELS = ("box", "coord", "energy", "force", "virial")
FRAME_DATA = ("temperature_K", "strain", "step")

# A pair of atoms closer than this (A) is no frame of ZIF-4, hot or strained: about 70 % of the
# shortest equilibrium distance of the pair (C-H 1.08, N-H 1.01, H-H 0.74, C-C 1.36, C-N 1.33,
# N-N 1.25 A, Zn-N 1.98, Zn-H 1.55, Zn-C 1.95, Zn-Zn 2.5 A; CRC Handbook, bonds of molecules).
MINIMUM_DISTANCES = {
    ("C", "C"): 0.95, ("C", "H"): 0.75, ("C", "N"): 0.93, ("C", "Zn"): 1.35,
    ("H", "H"): 0.50, ("H", "N"): 0.70, ("H", "Zn"): 1.05,
    ("N", "N"): 0.87, ("N", "Zn"): 1.40, ("Zn", "Zn"): 1.75,
}  # fmt: skip

dpdata.LabeledSystem.register_data_type(
    *(DataType(name, np.ndarray, (Axis.NFRAMES, 1), required=False) for name in FRAME_DATA)
)


class BadFrames(ValueError):
    """Frames that are incomplete, broken or not physical."""


# ---------------------------------------------------------------- in


def from_extxyz(
    path: Path, keep_every: int = 1, start: int = 0, stop: int | None = None
) -> dpdata.LabeledSystem:
    """Every ``keep_every``-th frame of an ASE extxyz file, atoms sorted by type (stable).

    The file holds energy (eV), forces (eV/A) and stress (eV/A^3); virial W = -V sigma.

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
        missing = {"energy", "forces", "stress"} - set(atoms.calc.results if atoms.calc else ())
        if missing:
            raise BadFrames(
                f"{paths.relative(path)}: frame {i} has no {', '.join(sorted(missing))}; label it"
            )
    volumes = np.array([atoms.get_volume() for atoms in images])
    stress = np.array([atoms.get_stress(voigt=False) for atoms in images])
    data = {
        "atom_names": names,
        "atom_numbs": [symbols.count(name) for name in names],
        "atom_types": np.array([names.index(symbol) for symbol in symbols]),
        "orig": np.zeros(3),
        "cells": np.array([atoms.cell.array for atoms in images]),
        "coords": np.array([atoms.positions for atoms in images]),
        "energies": np.array([atoms.get_potential_energy() for atoms in images]),
        "forces": np.array([atoms.get_forces(apply_constraint=False) for atoms in images]),
        "virials": -volumes[:, None, None] * stress,
    }
    for name in FRAME_DATA:
        if all(name in atoms.info for atoms in images):
            data[name] = np.array([[float(atoms.info[name])] for atoms in images])
    return _typed(dpdata.LabeledSystem(data=data), path)


def import_labelled(path: Path, fmt: str | None = None, **options) -> dpdata.LabeledSystem:
    """Frames of the user's own calculation through dpdata, in this book's type map.

    fmt: ``extxyz`` or any labelled format of dpdata (``vasp/outcar``, ``vasp/xml``,
    ``cp2k/output``, ``cp2k/aimd_output`` ...); guessed from the name of an OUTCAR, vasprun.xml or
    extxyz file. options: passed on to dpdata (e.g. ``begin``, ``step``).

    Raises
    ------
    FileNotFoundError
        no such file.
    BadFrames
        unknown format, nothing readable or no converged frame in it, or an element outside the
        type map.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give the path of an OUTCAR, vasprun.xml …")
    fmt = fmt or _guess(path)
    if fmt == "extxyz":
        return from_extxyz(path, **options)
    try:
        system = dpdata.LabeledSystem(str(path), fmt=fmt, **options)
    except NotImplementedError as error:
        raise BadFrames(f"dpdata knows no labelled format {fmt!r} ({error})") from error
    except Exception as error:  # dpdata's parsers raise whatever the file makes them stumble over
        raise BadFrames(
            f"{path} is not readable as {fmt}: {type(error).__name__}: {error}"
        ) from error
    if not len(system):
        raise BadFrames(f"{path} ({fmt}) holds no converged frame")
    return _typed(system, path)


def _guess(path: Path) -> str:
    name = path.name.lower()
    if name.endswith((".extxyz", ".xyz")):
        return "extxyz"
    if "outcar" in name:
        return "vasp/outcar"
    if name.endswith(".xml"):
        return "vasp/xml"
    raise BadFrames(
        f"cannot tell the format of {path.name}; name it: fmt='vasp/outcar', 'vasp/xml', "
        f"'cp2k/output', 'cp2k/aimd_output' or 'extxyz'"
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
    """Names of all finished sets, shipped (``data/frames``) or made here (``build/frames``)."""
    found = set()
    for folder in (paths.shipped("frames"), paths.made("frames")):
        found |= {file.parent.name for file in folder.glob(f"*/{provenance.FILE}")}
    return sorted(found)


def locate(path_or_name: str | Path) -> Path:
    """Directory of a set: ``data/frames/<name>``, ``build/frames/<name>`` or a path as it is."""
    name = str(path_or_name)
    candidates = [Path(path_or_name)]
    if os.sep not in name:
        candidates = [paths.shipped("frames", name), paths.made("frames", name), *candidates]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"no set of frames {name!r}; known: {', '.join(names()) or 'none'}")


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
        raise ValueError(f"unknown part {part!r} of a set; known: {', '.join(PARTS)}")
    systems = [_load_system(directory / p) for p in (PARTS if part is None else (part,))]
    for other in systems[1:]:
        systems[0].append(other)
    return systems[0]


def _load_system(directory: Path) -> dpdata.LabeledSystem:
    remedy = f"restore it (git checkout -- {paths.relative(directory)}) or make the set again"
    where = paths.relative(directory)
    for file in ("type.raw", "type_map.raw"):
        if not (directory / file).is_file():
            raise FileNotFoundError(f"{where} has no {file}; {remedy}")
    sets = sorted(directory.glob("set.*"))
    if not sets:
        raise FileNotFoundError(f"{where} has no set.000; {remedy}")
    n_atoms = len(np.loadtxt(directory / "type.raw", dtype=int, ndmin=1))
    width = {"box": 9, "coord": 3 * n_atoms, "energy": 1, "force": 3 * n_atoms, "virial": 9}
    for folder in sets:
        frames = {}
        for label in LABELS:
            file = folder / f"{label}.npy"
            name = paths.relative(file)
            if not file.is_file():
                raise FileNotFoundError(f"{name} is missing; {remedy}")
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


def split_blocks(n_frames: int, n_blocks: int = 10, validation_share: float = 0.2) -> np.ndarray:
    """Mask (n_frames,) of the validation frames: whole blocks of consecutive frames.

    Consecutive frames of a run are near-copies of each other; drawn at random (as in the paper)
    each validation frame has neighbours in training and the error that is measured is that of
    memory. Validation blocks are spread evenly, at least one, never all.
    """
    if not 0 < validation_share < 1:
        raise ValueError(f"validation_share is {validation_share}, wanted: between 0 and 1")
    if not 2 <= n_blocks <= n_frames:
        raise ValueError(f"{n_frames} frames cannot be split into {n_blocks} blocks (2..n_frames)")
    wanted = min(max(round(validation_share * n_blocks), 1), n_blocks - 1)
    chosen = ((np.arange(wanted) + 0.5) * n_blocks / wanted).astype(int)
    block = np.arange(n_frames) * n_blocks // n_frames
    return np.isin(block, chosen)


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
        raise FileExistsError(
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
    if directory.exists():
        shutil.rmtree(directory)
    part_of.rename(directory)
    return directory


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
    systems = [from_extxyz(file, keep_every, start, stop) for file in files]
    for other in systems[1:]:
        for key in FRAME_DATA:  # kept only where every trajectory has it
            if (key in systems[0].data) != (key in other.data):
                systems[0].data.pop(key, None), other.data.pop(key, None)
        systems[0].append(other)
    system = systems[0]
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
    stoichiometry: dict[str, int] | None = None,
    force_bound: float = 30.0,
    minimum_distances: dict[tuple[str, str], float] | None = None,
    energy_outlier: float = 8.0,
    virial: bool = True,
) -> dpdata.LabeledSystem:
    """Refuse frames that are broken or not physical; returns the system if it is sound.

    stoichiometry: wanted atoms per element; default: whole formula units of Zn(C3H3N2)2.
    force_bound: largest allowed force component in eV/A. minimum_distances: A per pair, added to
    :data:`MINIMUM_DISTANCES`. energy_outlier: largest |E - median| in units of 1.4826 times the
    median absolute deviation (a standard deviation for Gaussian energies), where it also exceeds
    0.3 eV/atom. virial: whether virials must be there.

    Raises
    ------
    BadFrames
        with the frames' indices and every objection, one a line.
    """
    objections = []
    present = {system["atom_names"][i] for i in np.unique(system["atom_types"])}
    if unknown := sorted(present - set(TYPE_MAP)):
        raise BadFrames(f"element {', '.join(unknown)} is outside the type map {TYPE_MAP}")
    counts = {e: n for e, n in zip(system["atom_names"], system["atom_numbs"], strict=True) if n}
    if stoichiometry is None:
        zinc = counts.get("Zn", 0)
        stoichiometry = {"C": 6 * zinc, "H": 6 * zinc, "N": 4 * zinc, "Zn": zinc}
    if counts != {e: n for e, n in stoichiometry.items() if n} or not counts:
        objections.append(f"wrong number of atoms: {counts}, wanted {stoichiometry}")
    labels = ("cells", "coords", "energies", "forces", *(("virials",) if virial else ()))
    finite = np.ones(len(system), dtype=bool)
    for label in labels:
        if label not in system.data:
            objections.append(f"no {label}: label the frames with them, or check(virial=False)")
            continue
        good = np.isfinite(system[label].reshape(len(system), -1)).all(axis=1)
        finite &= good
        objections += _object(~good, f"NaN or infinite {label}")
    if finite.all():
        largest = np.abs(system["forces"]).max(axis=(1, 2))
        objections += _object(
            largest > force_bound,
            f"a force of {largest.max():.1f} eV/A, above the bound of {force_bound:g} eV/A",
        )
        closest = closest_distances(system)
        for pair, limit in (MINIMUM_DISTANCES | (minimum_distances or {})).items():
            column = "-".join(sorted(pair, key=TYPE_MAP.index))
            if column in closest:
                d = closest[column].to_numpy()
                objections += _object(
                    d < limit, f"{column} at {d.min():.2f} A, closer than {limit:g} A"
                )
        _, first = np.unique(_fingerprints(system), return_index=True)
        copies = np.ones(len(system), dtype=bool)
        copies[first] = False
        objections += _object(copies, "the same coordinates as an earlier frame")
        energy = system["energies"] / system.get_natoms()
        distance = np.abs(energy - np.median(energy))
        spread = 1.4826 * np.median(distance)
        objections += _object(
            (distance > energy_outlier * spread) & (distance > 0.3),
            f"an energy {distance.max():.2f} eV/atom from the median",
        )
    if objections:
        raise BadFrames(
            f"{system.short_name}, {len(system)} frames, refused; remove or repair:\n  "
            + "\n  ".join(objections)
        )
    return system


def _object(bad: np.ndarray, what: str) -> list[str]:
    where = np.flatnonzero(bad)
    if not len(where):
        return []
    shown = ", ".join(map(str, where[:5])) + (" ..." if len(where) > 5 else "")
    return [f"{what}: {len(where)} of {len(bad)} frames (index {shown})"]


def _fingerprints(system: dpdata.LabeledSystem) -> np.ndarray:
    rows = np.concatenate(
        [system["cells"].reshape(len(system), -1), system["coords"].reshape(len(system), -1)], 1
    )
    return np.array([row.tobytes() for row in rows.astype(np.float32)], dtype=object)


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
    return mass / volume * units.U_PER_A3_IN_G_PER_CM3


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
    pressure_GPa = tr(W) / 3V (without the kinetic part).
    """
    tables = []
    for name in sets:
        for part in PARTS:
            system = load(name, part)
            volume = np.abs(np.linalg.det(system["cells"]))
            known = {k: system[k].ravel() for k in FRAME_DATA if k in system.data}
            trace = np.trace(system["virials"], axis1=1, axis2=2)
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
        raise FileNotFoundError("there is no set of frames; restore data/frames from git")
    return [name for name, atoms in size.items() if atoms == min(size.values())]


def near_temperature(
    sets: Sequence[str], part: str, temperature_K: float, width_K: float, n_atoms: int
) -> dpdata.LabeledSystem | None:
    """Frames of ``n_atoms`` atoms within ``width_K`` of a temperature; None if there are none."""
    found = None
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
        if found is None:
            found = system
        else:
            found.append(system)
    return found


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


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m helpers.frames pack <trajectory.extxyz> <name> ...``."""
    import argparse

    parser = argparse.ArgumentParser(prog="helpers.frames", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("pack", help="labelled trajectories -> data/frames/<name>")
    p.add_argument("trajectory", nargs="+", type=Path)
    p.add_argument("name")
    p.add_argument("--description", required=True)
    p.add_argument("--sampling", required=True, type=json.loads, help="JSON object")
    p.add_argument("--level-of-theory", required=True)
    p.add_argument("--source", required=True)
    p.add_argument("--keep-every", type=int, default=1)
    p.add_argument("--start", type=int, default=0)
    p.add_argument("--stop", type=int)
    p.add_argument("--n-blocks", type=int, default=10)
    p.add_argument("--validation-share", type=float, default=0.2)
    p.add_argument("--force-bound", type=float, default=30.0)
    p.add_argument("--overwrite", action="store_true")
    options = vars(parser.parse_args(argv))
    options.pop("command")
    pack(options.pop("trajectory"), options.pop("name"), **options)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
