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
from collections.abc import Sequence
from pathlib import Path

import dpdata
import numpy as np
import pandas as pd
from dpdata.data_type import Axis, DataType

from helpers import paths, provenance, structures, units
from helpers.errors import AlreadyThere, NotThere, Unfit, UserError
from helpers.frames import summary

PARTS = ("training", "validation")
LABELS = ("box", "coord", "energy", "force", "virial")
RANDOM = "-random"  # ends the name of a set whose validation frames were drawn one by one
FRAME_DATA = ("temperature_K", "strain", "step")

dpdata.LabeledSystem.register_data_type(
    *(DataType(name, np.ndarray, (Axis.NFRAMES, 1), required=False) for name in FRAME_DATA)
)


class BadFrames(UserError, ValueError):
    """Frames that are incomplete, broken or not physical."""


# ---------------------------------------------------------------- sets on disk


def names(imported: bool = True) -> list[str]:
    """Names of all finished sets, shipped (``data/frames``) or made here (``build/frames``).

    A copy of a set that is split at random (:data:`RANDOM`) is no set of its own.

    Parameters
    ----------
    imported : bool
        Whether to include the sets that users imported; what a chapter does when no set is named
        must not depend on them.

    Returns
    -------
    list of str
        Sorted names.
    """
    found = set()
    for folder in (paths.shipped("frames"), paths.made("frames")):
        for file in folder.glob(f"*/{provenance.FILE}"):
            if imported or "formats" not in provenance.read(file.parent):
                found.add(file.parent.name)
    return sorted(name for name in found if not name.endswith(RANDOM))


def sampler(name: str) -> str:
    """Whose dynamics the frames of a set are from.

    Parameters
    ----------
    name : str
        Name of the set.

    Returns
    -------
    str
        "reference", a potential, or "runs" for heating runs; empty if its provenance does not say.
    """
    return provenance.read(locate(name)).get("sampling", {}).get("sampler", "")


def locate(path_or_name: str | Path) -> Path:
    """Directory of a set: ``data/frames/<name>``, ``build/frames/<name>`` or a path as it is.

    Parameters
    ----------
    path_or_name : str or Path
        Name of the set, or a directory.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    NotThere
        There is no such set.
    """
    name = str(path_or_name)
    candidates = [Path(path_or_name)]
    if os.sep not in name:
        candidates = [paths.shipped("frames", name), paths.made("frames", name), *candidates]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise NotThere(f"no set of frames {name!r}; known: {', '.join(names()) or 'none'}")


def load(path_or_name: str | Path, part: str | None = None) -> dpdata.LabeledSystem:
    """A set, or one part of it.

    Parameters
    ----------
    path_or_name : str or Path
        Name of the set, its directory, or the directory of a part.
    part : str, optional
        ``training`` or ``validation``; by default both, in this order.

    Returns
    -------
    dpdata.LabeledSystem
        The frames, all numbers in float64.

    Raises
    ------
    NotThere
        There is no such set or part, or a file of it is missing (named, with the remedy).
    Unfit
        ``part`` is no part of a set.
    BadFrames
        A file is truncated or inconsistent (named, with the remedy), or a cell is left-handed;
        there are elements outside the type map.
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
            if array.ndim == 0 or array.dtype.kind not in "fiu":
                raise BadFrames(
                    f"{name} holds {array.dtype} of shape {array.shape}, real numbers are wanted, "
                    f"a row each frame; {remedy}"
                )
            frames[label] = len(array)
            if array.size != len(array) * width[label]:
                raise BadFrames(
                    f"{name} has shape {array.shape}, {width[label]} numbers a frame are wanted "
                    f"for the {n_atoms} atoms of type.raw; {remedy}"
                )
            if bad := np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1)).size:
                raise BadFrames(f"{name} holds NaN or infinity in {bad} frames; {remedy}")
            if label == "box" and (bad := _bad_cells(array)):
                raise BadFrames(f"{name} holds {bad}; {remedy}")
        if len(set(frames.values())) > 1:
            raise BadFrames(
                f"{paths.relative(folder)}: numbers of frames differ {frames}; {remedy}"
            )
    system = dpdata.LabeledSystem(str(directory), fmt="deepmd/npy")
    for name, value in system.data.items():
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            system.data[name] = value.astype(np.float64)
    return typed(system, where)


def _bad_cells(boxes: np.ndarray) -> str:
    """What is wrong with cells (n_frames, 9), A; nothing if they span a right-handed space."""
    volumes = np.linalg.det(boxes.reshape(-1, 3, 3))
    if (volumes < 0).any():
        return (
            f"left-handed cells in {(volumes < 0).sum()} frames, of which DeePMD-kit computes "
            f"wrong energies and forces without a word"
        )
    if (volumes < 1e-3).any():
        return f"cells without volume in {(volumes < 1e-3).sum()} frames"
    return ""


def _lacking(directory: Path) -> list[str]:
    """Labels that a set was made without, as its provenance says."""
    file = directory / provenance.FILE
    return json.loads(file.read_text()).get("lacks", []) if file.is_file() else []


def typed(system: dpdata.LabeledSystem, source) -> dpdata.LabeledSystem:
    """Sort a system into the order of TYPE_MAP: names, types and (stable) atoms.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames; changed in place.
    source : str or Path
        Origin of the frames, for the message.

    Returns
    -------
    dpdata.LabeledSystem
        The same system.

    Raises
    ------
    BadFrames
        An element is outside the type map.
    """
    present = {system["atom_names"][i] for i in np.unique(system["atom_types"])}
    unknown = sorted(present - set(structures.TYPE_MAP))
    if unknown:
        raise BadFrames(
            f"{source}: element {', '.join(unknown)} is outside the type map "
            f"{structures.TYPE_MAP}; this book's potential knows no such atom"
        )
    system.apply_type_map(list(structures.TYPE_MAP))
    system.sort_atom_types()
    return system


def right_handed(system: dpdata.LabeledSystem, notes: list[str]) -> None:
    """Swap the last two vectors of left-handed cells; atoms, forces and virials stay.

    The lattice is the same. DeePMD-kit takes the signed volume of a left-handed cell, loses
    neighbours across its faces and says nothing.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames; changed in place.
    notes : list of str
        A note is appended if a cell was changed.
    """
    left = np.linalg.det(system["cells"]) < 0
    if left.any():
        system.data["cells"][left] = system["cells"][left][:, [0, 2, 1]]
        notes.append(f"left-handed cells of {left.sum()} frames: last two vectors swapped")


def indices(where: Sequence[int] | np.ndarray) -> str:
    """Some frames in the words of a message.

    Parameters
    ----------
    where : sequence of int
        Indices of the frames.

    Returns
    -------
    str
        ``index 0, 1, ...`` with the first five.
    """
    return "index " + ", ".join(map(str, where[:5])) + (" ..." if len(where) > 5 else "")


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

    Energies, cells and virials are kept in float64, coordinates and forces in float32 (1e-6 A, 1e-6
    eV/A).

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    directory : Path
        Directory of the set.
    validation : (F,) array of bool
        Mask of the validation frames.
    description : str
        A sentence on the set, for the provenance.
    recipe : dict
        All that determines the set, for the provenance and its key.
    overwrite : bool
        Whether to replace a set that is there.
    **facts
        Plain data for the provenance (``level_of_theory``, ``source``, ``sampling``, ``inputs``
        ...).

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    AlreadyThere
        The directory exists, and ``overwrite`` is not given.
    BadFrames
        The mask does not fit, or a part would be empty.
    """
    directory, validation = Path(directory), np.asarray(validation, dtype=bool)
    if validation.shape != (len(system),) or validation.all() or not validation.any():
        raise BadFrames(
            f"validation mask of shape {validation.shape} with {validation.sum()} frames does not "
            f"split {len(system)} frames into two parts"
        )
    if directory.exists() and not overwrite:
        raise AlreadyThere(f"{paths.relative(directory)} exists; remove it or say overwrite=True")
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
        results=summary.summary(system), **facts,
    )  # fmt: skip
    provenance.replace(directory, part_of)
    return directory


def joined(systems: list[dpdata.LabeledSystem]) -> dpdata.LabeledSystem:
    """One system of all frames, in this order, with the virials and frame data that all have.

    Parameters
    ----------
    systems : list of dpdata.LabeledSystem
        The systems, of the same atoms; the first one takes the frames of the others.

    Returns
    -------
    dpdata.LabeledSystem
        The first of them.
    """
    for key in ("virials", *FRAME_DATA):
        if not all(key in system.data for system in systems):
            for system in systems:
                system.data.pop(key, None)
    for other in systems[1:]:
        systems[0].append(other)
    return systems[0]


# ---------------------------------------------------------------- parts


def split_blocks(n_frames: int, n_blocks: int = 10, validation_share: float = 0.2) -> np.ndarray:
    """Validation frames as whole blocks of consecutive frames.

    Consecutive frames of a run are near-copies of each other: if validation frames are drawn at
    random (as in the paper), each has neighbours in training, and the error measures memory.
    Validation blocks are spread evenly, at least one, never all.

    Parameters
    ----------
    n_frames : int
        Number of frames.
    n_blocks : int
        Number of blocks.
    validation_share : float
        Share of the blocks that are for validation.

    Returns
    -------
    (n_frames,) array of bool
        Mask of the validation frames.

    Raises
    ------
    Unfit
        The share is not between 0 and 1, or there are fewer than two blocks or more blocks than
        frames.
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
    """Validation frames drawn one by one, as in the paper: to show the leak.

    What the error of such frames is worth, `checks.nearest_training` tells.

    Parameters
    ----------
    n_frames : int
        Number of frames.
    validation_share : float
        Share of the frames that are for validation.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    (n_frames,) array of bool
        Mask of the validation frames.

    Raises
    ------
    Unfit
        A part would be empty.
    """
    wanted = round(validation_share * n_frames)
    if not 0 < wanted < n_frames:
        raise Unfit(f"validation_share {validation_share} of {n_frames} frames leaves no part")
    mask = np.zeros(n_frames, dtype=bool)
    mask[np.random.default_rng(seed).choice(n_frames, wanted, replace=False)] = True
    return mask


def per_frame(sets: Sequence[str]) -> pd.DataFrame:
    """Labels and conditions of all frames of some sets.

    Parameters
    ----------
    sets : sequence of str
        Names of sets.

    Returns
    -------
    DataFrame
        A row for each frame. Columns: set, part, temperature_K, strain, step (NaN where the set
        does not know them), n_atoms, density_g_cm3, energy_eV_per_atom, force_rms_eV_per_A (over
        atoms and components), pressure_GPa = tr(W) / 3V (without the kinetic part; NaN in a set
        without virials).

    Raises
    ------
    NotThere
        As `load`.
    BadFrames
        As `load`.
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
                        "density_g_cm3": summary.densities(system),
                        "energy_eV_per_atom": system["energies"] / system.get_natoms(),
                        "force_rms_eV_per_A": np.sqrt(np.mean(system["forces"] ** 2, axis=(1, 2))),
                        "pressure_GPa": trace / (3 * volume) * units.EV_PER_A3_IN_GPA,
                    },
                    index=range(len(system)),
                )
            )
    return pd.concat(tables, ignore_index=True)


def thinned(system: dpdata.LabeledSystem, n: int) -> dpdata.LabeledSystem:
    """A system with a limited number of frames, evenly chosen, the first and the last among them.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    n : int
        Largest number of frames.

    Returns
    -------
    dpdata.LabeledSystem
        At most ``n`` frames; the system itself if it has no more.
    """
    if len(system) <= n:
        return system
    return system.sub_system(np.linspace(0, len(system) - 1, n).round().astype(int))


def smallest() -> list[str]:
    """Names of the sets with the fewest atoms per frame: what a live training can afford.

    Sets that users imported are none of them: they are trained on when they are named.

    Returns
    -------
    list of str
        Sorted names.

    Raises
    ------
    NotThere
        There is no set at all.
    """
    size = {
        name: len((locate(name) / "training" / "type.raw").read_text().split())
        for name in names(imported=False)
    }
    if not size:
        raise NotThere("there is no set of frames; restore data/frames from git")
    return [name for name, atoms in size.items() if atoms == min(size.values())]


def near_temperature(
    sets: Sequence[str], part: str | None, temperature_K: float, width_K: float, n_atoms: int
) -> dpdata.LabeledSystem | None:
    """Frames of one number of atoms near a temperature.

    Sets without virials count only if no other has such frames.

    Parameters
    ----------
    sets : sequence of str
        Names of sets.
    part : str or None
        ``training`` or ``validation``; None for both.
    temperature_K : float
        Temperature, K.
    width_K : float
        Largest distance of a frame from it, K.
    n_atoms : int
        Number of atoms of a frame.

    Returns
    -------
    dpdata.LabeledSystem or None
        The frames; None if there are none.

    Raises
    ------
    NotThere
        As `load`.
    BadFrames
        As `load`.
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
