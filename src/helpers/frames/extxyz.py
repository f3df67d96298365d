"""Extended XYZ: frames with labels under the names that their program gave them.

Programs agree on the lines, not on the keys: ``energy`` or ``REF_energy``, ``forces`` or ``force``,
``stress`` or ``virial``, ``Lattice`` or ``lattice``, units in the header or not. What can only mean
one thing is read; for the rest the user says which key it is.

Units: A, eV, eV/A; virial in eV in DeePMD-kit's sign, W = -V sigma with ASE's stress sigma
(positive sigma = tension).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import ase.io
import dpdata
import numpy as np
from ase.data import chemical_symbols

from helpers import paths, structures
from helpers.errors import Unfit
from helpers.frames import dataset, files, label_units
from helpers.frames.dataset import FRAME_DATA, BadFrames
from helpers.frames.vasp import Unconverged

#: what a user may name a key of, and the option that does
KEYS = {"energy": "--energy-key", "forces": "--forces-key",
        "stress": "--stress-key", "virial": "--virial-key"}  # fmt: skip
# Names that mean a label and nothing else, the better one first: forces are derivatives of the
# free energy of electrons that are smeared out, not of the energy extrapolated to zero smearing.
_USUAL = {"energy": ("free_energy", "energy"), "forces": ("forces", "force"),
          "stress": ("stress",), "virial": ("virial", "virials")}  # fmt: skip
_OTHER = "dft|ref|qm|pbe|scf|ks|pred|pot|ml|nn|mlp|mace|nep|gap|dp"
_LIKE = {"energy": re.compile(rf"energ|^e$|^e_?(tot|0|{_OTHER})|_e$|^toten|^({_OTHER})$", re.I),
         "forces": re.compile(rf"forc|^f$|^f_?({_OTHER})$|_f$|^({_OTHER})$", re.I),
         "stress": re.compile("stress|sigma", re.I),
         "virial": re.compile("viri", re.I)}  # fmt: skip
# Beside a label, and no second one.
_NO_LABEL = re.compile(
    r"unit|weight|per_?atom|kinetic|_?kin$|fermi|formation|std|stdev|dev$|var$|uncert|error|rmse"
    r"|shift|max|mean|rms|cut|enthalp", re.I
)  # fmt: skip
_CONVERGED = re.compile(r"(^|[_-])converged$", re.I)
_UNIT_KEY = re.compile(r"(?:(?P<a>.*?)[-_. ]?units?|units?[-_. ](?P<b>.+))", re.I)
_SURELY_ENERGY_EV = 50.0  # another number that is near one as large is an energy, too
_SYMMETRIC = 1e-3  # of the largest component: what the digits of a file leave of a symmetric tensor


@dataclass
class Frame:
    """One frame as the file has it.

    Attributes
    ----------
    info : dict
        Values by the keys of the header line; a key without value is True.
    arrays : dict of str to ((N,) or (N, n) array)
        Columns by the names of ``Properties``, in the units of the file.
    cell : (3, 3) array or None
        Cell vectors as rows, in the unit of the file; None without ``Lattice``.
    """

    info: dict
    arrays: dict[str, np.ndarray]
    cell: np.ndarray | None


def from_extxyz(
    path: Path,
    keep_every: int = 1,
    start: int = 0,
    stop: int | None = None,
    virial: bool = True,
    keys: Mapping[str, str] | None = None,
    notes: list[str] | None = None,
    unconverged: list[int] | None = None,
) -> dpdata.LabeledSystem:
    """Labelled frames of an extended-XYZ file, atoms sorted by type (stable).

    Energy in eV, forces in eV/A, stress in eV/A^3 (W = -V sigma) or virial in eV, unless the header
    or the end of a key names other units.

    Parameters
    ----------
    path : Path
        The file, compressed or not.
    keep_every : int
        Keep every so many-th frame.
    start : int
        Index of the first frame.
    stop : int, optional
        Index behind the last frame; by default the end of the file.
    virial : bool
        Whether virials are required; if not, neither stress nor virial is read.
    keys : mapping of str to str, optional
        For ``energy``, ``forces``, ``stress`` or ``virial`` the key that holds it, where the file
        leaves more than one choice.
    notes : list of str, optional
        Takes notes on what was read otherwise than it is written.
    unconverged : list of int, optional
        Takes the indices of frames that say ``converged=F``, which then are left out; by default
        they are refused.

    Returns
    -------
    dpdata.LabeledSystem
        The frames in right-handed cells; A, eV, eV/A, virial in eV.

    Raises
    ------
    BadFrames
        The file is cut off or holds no frame; a frame has no cell, lacks a label or leaves more
        than one choice; stress and virial disagree; a unit is unknown; frames have other atoms than
        the first, or such outside the type map.
    Unconverged
        Frames say that their electrons did not converge and ``unconverged`` is None, or there is no
        other frame.
    Unreadable
        As `files.text`.
    """
    path = Path(path)
    name, notes = paths.relative(path), [] if notes is None else notes
    frames = [
        frame
        for i, frame in enumerate(read_frames(path))
        if i >= start and (stop is None or i < stop) and (i - start) % keep_every == 0
    ]
    if not frames:
        chosen_ones = (start, stop, keep_every) != (0, None, 1)
        raise BadFrames(
            f"{name} holds no frame"
            + (f" in {start}:{stop}:{keep_every}; choose others" if chosen_ones else
               ", it is empty; name another file")
        )  # fmt: skip
    frames = _converged(frames, unconverged, name)
    symbols = [_symbols(frame, f"{name}: frame {i}", notes) for i, frame in enumerate(frames)]
    wanted = Counter(symbols[0].tolist())
    for i, (frame, mine) in enumerate(zip(frames, symbols, strict=True)):
        if Counter(mine.tolist()) != wanted:
            raise BadFrames(
                f"{name}: frame {i} has other atoms ({_formula(mine)}) than the first "
                f"({_formula(symbols[0])}); one set holds one system, split the file"
            )
        _refuse_no_cell(frame, f"{name}: frame {i}")
    if any((mine != symbols[0]).any() for mine in symbols):
        notes.append("atoms in another order in some frames: sorted by element in each")
    keys = keys or {}
    chosen = _choose(frames, keys, virial, name, notes)
    if rest := _not_read(frames, chosen):
        notes.append(f"not read: {', '.join(rest)}")
    scale = _scales(frames, chosen, name, notes)
    order = [sorted(range(len(s)), key=lambda i, s=s: _rank(s[i])) for s in symbols]
    first = symbols[0][order[0]]
    names = list(dict.fromkeys(first.tolist()))
    data = {
        "atom_names": names,
        "atom_numbs": [int((first == s).sum()) for s in names],
        "atom_types": np.array([names.index(s) for s in first]),
        "orig": np.zeros(3),
        "cells": scale["cell"] * np.array([frame.cell for frame in frames]),
        "coords": scale["position"]
        * np.array([_positions(f, name)[o] for f, o in zip(frames, order, strict=True)]),
        "energies": scale["energy"] * np.array([float(f.info[chosen["energy"]]) for f in frames]),
        "forces": scale["force"]
        * np.array([f.arrays[chosen["forces"]][o] for f, o in zip(frames, order, strict=True)]),
    }
    virials = _virials(frames, chosen, scale, data["cells"], name)
    if virials is not None and not keys.get("stress") and not keys.get("virial"):
        _refuse_other_tensor(frames, chosen, virials, data["cells"], name)
    if virials is not None:
        data["virials"] = virials
    for key in FRAME_DATA:
        if all(isinstance(f.info.get(key), (int, float, np.number)) for f in frames):
            data[key] = np.array([[float(frame.info[key])] for frame in frames])
    system = dpdata.LabeledSystem(data=data)
    dataset.right_handed(system, notes)
    return dataset.typed(system, path)


def to_extxyz(system: dpdata.LabeledSystem, path: Path) -> Path:
    """Write frames as extended XYZ of ASE, with energy, forces and stress = -W / V.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    path : Path
        The file; replaced if it exists.

    Returns
    -------
    Path
        The file.
    """
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.stress import full_3x3_to_voigt_6_stress

    images = structures.images(system)
    for i, atoms in enumerate(images):
        results = {"energy": system["energies"][i], "forces": system["forces"][i]}
        if "virials" in system.data:
            stress = -system["virials"][i] / atoms.get_volume()
            results["stress"] = full_3x3_to_voigt_6_stress(stress)
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info.update({k: float(system[k][i, 0]) for k in FRAME_DATA if k in system.data})
    ase.io.write(path, images, format="extxyz")
    return Path(path)


# ---------------------------------------------------------------- the file


def read_frames(path: Path) -> Iterator[Frame]:
    """The frames of an extended-XYZ file, compressed or not, one after the other.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    Frame
        The frame.

    Raises
    ------
    BadFrames
        A line, named by its number, does not fit, or the last frame is cut off.
    Unreadable
        As `files.text`.
    """
    name = paths.relative(path)
    lines = files.text(path).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    at = 0
    while at < len(lines):
        if not lines[at].strip():  # between two frames
            at += 1
            continue
        if not lines[at].strip().isdigit():
            raise BadFrames(
                f"{name}, line {at + 1}: {lines[at][:40]!r} is no number of atoms; a frame before "
                f"it was cut off or has other columns: repair it there, or finish the run"
            )
        n = int(lines[at])
        if not n or at + 2 + n > len(lines):
            raise BadFrames(
                f"{name} cannot be read to its end: line {at + 1} tells of {n} atoms, "
                f"{max(len(lines) - at - 2, 0)} lines follow; finish the run that writes it or cut "
                f"its last frame off"
            )
        yield _frame(lines[at + 1], lines[at + 2 : at + 2 + n], f"{name}, line {at + 2}")
        at += 2 + n


def _frame(header: str, rows: list[str], where: str) -> Frame:
    info = _header(header, where)
    lower = {key.lower(): key for key in info}
    if twice := [x for x in ("lattice", "properties") if [*map(str.lower, info)].count(x) > 1]:
        raise BadFrames(f"{where}: {twice[0].capitalize()} is there twice; write it once")
    layout = str(info.pop(lower["properties"], "") if "properties" in lower else "")
    cell = info.pop(lower["lattice"], None) if "lattice" in lower else None
    if cell is not None:
        if np.shape(cell) != (9,) or np.asarray(cell).dtype.kind not in "fi":
            raise BadFrames(f'{where}: the cell is not nine numbers (Lattice="...")')
        cell = np.array(cell, dtype=float).reshape(3, 3)
    fields = layout.split(":") if layout else ["species", "S", "1", "pos", "R", "3"]
    if len(fields) % 3 or not all(x.isdigit() for x in fields[2::3]):
        raise BadFrames(f"{where}: Properties={layout} is not name:kind:columns in turn")
    if twice := [x for x, n in Counter(fields[::3]).items() if n > 1]:
        raise BadFrames(f"{where}: Properties tells of {twice[0]} twice; name each column once")
    widths = [int(x) for x in fields[2::3]]
    table = [row.split() for row in rows]
    if bad := [i for i, row in enumerate(table) if len(row) != sum(widths)]:
        found = len(table[bad[0]])
        raise BadFrames(
            f"{where}: atom {bad[0]} has {found} columns, Properties tells of {sum(widths)}; "
            + ("the frame was cut off: finish the run or cut it out" if found < sum(widths) else
               "which column is which is not known: name all of them in Properties")
        )  # fmt: skip
    arrays, column = {}, 0
    for key, kind, width in zip(fields[::3], fields[1::3], widths, strict=True):
        part = [row[column : column + width] for row in table]
        try:
            values = _column(part, kind.upper())
        except (ValueError, OverflowError) as error:
            raise BadFrames(
                f"{where}: {key} of an atom is no number ({error}); mend the line, or cut the "
                f"frame out if the run diverged there"
            ) from error
        arrays[key] = values[:, 0] if width == 1 else values
        column += width
    return Frame(info, arrays, cell)


def _column(part: list[list[str]], kind: str) -> np.ndarray:
    try:
        return np.array(part, dtype={"R": float, "I": int}.get(kind, str))
    except ValueError:
        if kind != "R":
            raise
    return np.array([[files.number(word) for word in row] for row in part])


_PAIR = re.compile(
    r"""\s*(?P<key>"[^"]*"|'[^']*'|[^\s=]+)"""
    r"""(?:\s*=\s*(?P<value>"[^"]*"|'[^']*'|\{[^}]*\}|\[[^=]*\]|[^\s"'{\[][^\s]*))?\s*"""
)


def _header(line: str, where: str) -> dict:
    """key -> number, numbers or text of a header line; a key without value is True."""
    info, at = {}, 0
    while at < len(line.rstrip()):
        pair = _PAIR.match(line, at)
        if not pair or "=" in pair["key"] or '"' in pair["key"].strip("\"'"):
            raise BadFrames(
                f"{where}: not a header of extended XYZ at {line[at : at + 30]!r}; write key=value "
                f"pairs, texts with blanks in quotes"
            )
        key, value = pair["key"].strip("\"'"), pair["value"]
        if key in info:
            raise BadFrames(f"{where}: {key} is there twice; write it once")
        info[key] = True if value is None else _value_of(value)
        at = pair.end()
    return info


def _value_of(text: str):
    """A number, several (n,), or the text as it is."""
    inner = text.strip().strip("\"'{}[]").strip()
    inner = inner.removeprefix("_JSON").strip()  # ASE's mark of nested lists
    words = inner.replace("[", " ").replace("]", " ").replace(",", " ").split()
    try:
        numbers = [
            int(word) if re.fullmatch(r"[-+]?\d{1,15}", word)
            else files.number(word)
            for word in words
        ]  # fmt: skip
    except ValueError:
        return inner
    return inner if not numbers else numbers[0] if len(numbers) == 1 else np.array(numbers)


def _converged(frames: list[Frame], unconverged: list[int] | None, name: str) -> list[Frame]:
    """The frames that do not say ``converged=F``, under any prefix."""
    bad = [
        i for i, frame in enumerate(frames)
        for key, value in frame.info.items()
        if _CONVERGED.search(key) and str(value).strip().lower() in ("f", "false", "0", "no")
    ]  # fmt: skip
    if bad and unconverged is None:
        raise Unconverged(
            f"{name}: {len(bad)} of {len(frames)} frames ({dataset.indices(bad)}) say that their "
            f"electrons did not converge (converged=F); compute them again, or leave them out "
            f"(zif4 import --drop)"
        )
    if len(bad) == len(frames):
        raise Unconverged(f"{name} holds no converged frame; compute it again")
    if unconverged is not None:
        unconverged += bad
    return [frame for i, frame in enumerate(frames) if i not in bad]


def _named(arrays: Mapping, *names: str) -> str | None:
    lower = {key.lower(): key for key in arrays}
    return next((lower[name] for name in names if name in lower), None)


def _positions(frame: Frame, name: str) -> np.ndarray:
    key = _named(frame.arrays, "pos", "positions")
    if key is None or frame.arrays[key].shape[1:] != (3,):
        raise BadFrames(f"{name} has no positions (pos:R:3 in Properties)")
    return frame.arrays[key]


def _symbols(frame: Frame, where: str, notes: list[str]) -> np.ndarray:
    key = _named(frame.arrays, "species", "symbols", "element", "elements")
    if key is not None:
        labels = frame.arrays[key].astype(str)
    elif key := _named(frame.arrays, "z", "numbers"):
        numbers = frame.arrays[key]
        if numbers.dtype.kind != "i" or not ((numbers > 0) & (numbers < 119)).all():
            raise BadFrames(f"{where}: {key} are no atomic numbers")
        labels = np.array(chemical_symbols)[numbers]
    else:
        raise BadFrames(f"{where} has no elements (species:S:1 in Properties)")
    try:
        symbols = structures.elements(labels)
    except Unfit as error:
        raise BadFrames(f"{where}: {error}") from error
    for label, symbol in sorted(set(zip(labels.tolist(), symbols.tolist(), strict=True))):
        if label != symbol and (note := f"atoms {label} are read as {symbol}") not in notes:
            notes.append(note)
    return symbols


def _rank(symbol: str) -> tuple[bool, int, str]:
    known = symbol in structures.TYPE_MAP
    return (not known, structures.TYPE_MAP.index(symbol) if known else 0, symbol)


def _formula(symbols: np.ndarray) -> str:
    return "".join(f"{s}{n}" for s, n in sorted(Counter(symbols.tolist()).items()))


def _refuse_no_cell(frame: Frame, where: str) -> None:
    key = _named(frame.info, "pbc", "periodic")
    told = re.findall(r"[^\s,\[\]\"'.]+", str(frame.info[key]).lower()) if key else []
    periodic = all(word in ("t", "true", "1", "y", "yes", "xyz") for word in told)
    other = [k for k in frame.info if k.lower() in ("cell", "box", "h", "lattice_vectors")
             and np.shape(frame.info[k]) == (9,)]  # fmt: skip
    if frame.cell is None and other:
        raise BadFrames(
            f"{where}: the cell is called {other[0]}; extended XYZ calls it Lattice (vectors one "
            f"after the other): rename it"
        )
    if frame.cell is None or not periodic or _volume(frame.cell) < 1e-6:
        raise BadFrames(
            f'{where} has no periodic cell; write it into the file (Lattice="..." pbc="T T T"), '
            f"a molecule in a box wide enough"
        )


def _volume(cell: np.ndarray) -> float:
    return abs(float(np.linalg.det(cell)))


# ---------------------------------------------------------------- which key is which label


def _has_shape(label: str, frame: Frame, key: str) -> bool:
    if label == "forces":
        array = frame.arrays.get(key)
        return array is not None and array.dtype.kind in "fi" and array.shape[1:] == (3,)
    value = frame.info.get(key)
    if isinstance(value, (str, bool, np.bool_)) or value is None:
        return False
    shape = np.shape(value)
    if np.asarray(value).dtype.kind not in "fi":
        return False
    return shape == () if label == "energy" else shape in ((6,), (9,))


def _candidates(label: str, frame: Frame) -> list[str]:
    place = frame.arrays if label == "forces" else frame.info
    return [
        key for key in place
        if _LIKE[label].search(key) and not _NO_LABEL.search(key) and _has_shape(label, frame, key)
        and (label != "energy" or "energ" in key.lower() or isinstance(place[key], float))
    ]  # fmt: skip


def _choose(
    frames: list[Frame], keys: Mapping[str, str], virial: bool, name: str, notes: list[str]
) -> dict[str, str]:
    """The key of each label that is read, the same in all frames."""
    keys = {label: key for label, key in keys.items() if key}
    if unknown := set(keys) - set(KEYS):
        raise BadFrames(f"unknown label {', '.join(sorted(unknown))}; known: {', '.join(KEYS)}")
    chosen, missing = {}, {}
    tensors = [label for label in ("stress", "virial") if label in keys] or ["stress", "virial"]
    for label in ("energy", "forces", *(tensors if virial else ())):
        if label in keys:
            for i, frame in enumerate(frames):
                if not _has_shape(label, frame, keys[label]):
                    raise BadFrames(
                        f"{name}: frame {i} has no {label} under the key {keys[label]!r} "
                        f"({KEYS[label]}); there are: {_there(frame)}"
                    )
            chosen[label] = keys[label]
            continue
        found = [_one(label, frame, f"{name}: frame {i}") for i, frame in enumerate(frames)]
        called = sorted({key for key in found if key})
        if all(found) and len(called) == 1:
            chosen[label] = found[0]
        elif all(found):
            raise BadFrames(
                f"{name}: {label} is called {', '.join(called)} in one frame or the "
                f"other; say which it is ({KEYS[label]} KEY), or split the file"
            )
        else:
            missing[label] = found.index(None)
    if virial and not {"stress", "virial"} & set(chosen):
        each = [{label for label in missing if _one(label, frame, name)} & {"stress", "virial"}
                for frame in frames]  # fmt: skip
        if all(each):
            i = next(i for i, labels in enumerate(each) if labels != each[0])
            raise BadFrames(
                f"{name}: frame 0 has {each[0].pop()}, frame {i} {each[i].pop()}; write one of "
                f"both into all frames, or split the file"
            )
        missing["stress"] = max(missing.get("stress", 0), missing.pop("virial", 0))
    else:
        missing.pop("stress", None), missing.pop("virial", None)
    if missing:
        _refuse_missing(frames, missing, name)
    if re.search("per_?atom", chosen["energy"], re.I):
        raise BadFrames(
            f"{name}: {chosen['energy']} is an energy an atom, by its name; write that of the "
            f"whole cell under another key"
        )
    if chosen["energy"] == "free_energy" and any(
        f.info.get("energy", f.info["free_energy"]) != f.info["free_energy"] for f in frames
    ):
        notes.append("free_energy is read, not energy: forces are its derivatives")
    for label, key in chosen.items():
        if key not in _USUAL[label]:
            notes.append(f"{label} is read from {key}")
    return chosen


def _not_read(frames: list[Frame], chosen: Mapping[str, str]) -> list[str]:
    """Keys and columns of the frames that nothing is made of: a second energy may be among them."""
    used = {*chosen.values(), *FRAME_DATA}
    usual = {"pos", "positions", "species", "symbols", "element", "elements", "z", "numbers",
             "pbc", "periodic"}  # fmt: skip
    there = dict.fromkeys(key for frame in frames for key in (*frame.info, *frame.arrays))
    return [
        key for key in there
        if key not in used and key.lower() not in usual and not _UNIT_KEY.fullmatch(key)
    ]  # fmt: skip


def _one(label: str, frame: Frame, where: str) -> str | None:
    """The key of a label if the frame leaves one choice; None if it has none of a usual name."""
    found = _candidates(label, frame)
    usual = [key for want in _USUAL[label] for key in found if key.lower() == want]
    if not usual:
        return None
    values = [_value(label, frame, key) for key in found]
    mine = values[found.index(usual[0])]
    others = [
        key for key, value in zip(found, values, strict=True)
        if key not in usual and not np.array_equal(value, mine)
    ]  # fmt: skip
    others += [
        key for key in usual[1:]
        if (label != "energy" or key.lower() == usual[0].lower())
        and not np.array_equal(_value(label, frame, key), mine)
    ]  # fmt: skip
    others += [key for key in _nearly(label, frame, mine) if key not in found]
    if others:
        raise BadFrames(
            f"{where} has {label} under more than one key: {', '.join([usual[0], *others])}; one "
            f"may be a prediction: say which is the label ({KEYS[label]} KEY)"
        )
    return usual[0]


def _nearly(label: str, frame: Frame, mine: np.ndarray) -> list[str]:
    """Keys of any name whose values are nearly those of a label: of another calculation."""
    place = frame.arrays if label == "forces" else frame.info
    other_tensor = {"stress": "virial", "virial": "stress"}.get(label)
    skip = _candidates(other_tensor, frame) if other_tensor else []
    found = []
    for key in place:
        if key in skip or key.lower() in ("pos", "positions") or _NO_LABEL.search(key):
            continue
        if not _has_shape(label, frame, key):
            continue
        value = _value(label, frame, key)
        if label == "energy":
            near = isinstance(place[key], float) and np.abs(mine) > _SURELY_ENERGY_EV
            if near and 0 < np.abs(value - mine) < 0.05 * np.abs(mine):
                found.append(key)
        elif value.shape == mine.shape and (power := np.sqrt((value**2).sum() * (mine**2).sum())):
            likeness = np.abs((value * mine).sum()) / power  # 1: the same in another unit or sign
            if 0.8 < likeness < 1 - 1e-6:
                found.append(key)
    return found


def _value(label: str, frame: Frame, key: str) -> np.ndarray:
    return np.asarray(frame.arrays[key] if label == "forces" else frame.info[key], dtype=float)


def _there(frame: Frame) -> str:
    return ", ".join([*frame.info, *frame.arrays]) or "nothing"


def _refuse_missing(frames: list[Frame], missing: dict[str, int], name: str) -> None:
    said, options = [], []
    for label, i in missing.items():
        like = _candidates(label, frames[i])
        if label == "stress":
            like += _candidates("virial", frames[i])
        said.append(label)
        by_option: dict[str, list[str]] = {}
        for key in like:
            which = "virial" if label == "stress" and _LIKE["virial"].search(key) else label
            by_option.setdefault(KEYS[which], []).append(key)
        options += [f"{option} {' or '.join(found)}" for option, found in by_option.items()]
    i = max(missing.values())
    for label in missing:
        for key in (key for key in frames[i].info if key.lower() in _USUAL[label]):
            wanted = "" if label == "energy" else ", six or nine numbers are wanted"
            said[said.index(label)] += f" ({key} is {str(frames[i].info[key])[:30]!r}{wanted})"
            break
    if options:
        remedy = f"if that is it, say so: {' '.join(options)}"
    else:
        remedy = "label it, or name its key (" + ", ".join(KEYS[label] for label in missing) + ")"
    if set(missing) == {"stress"}:
        remedy += ", or do without (zif4 import --no-virial)"
    raise BadFrames(
        f"{name}: frame {i} has no {', '.join(said)}; {remedy}; there are: {_there(frames[i])}"
    )


# ---------------------------------------------------------------- units, stress and virial


def _scales(frames: list[Frame], chosen: dict, name: str, notes: list[str]) -> dict[str, float]:
    """Factor of each quantity into this book's units, by what header and keys say."""
    scale = dict.fromkeys(label_units.QUANTITIES, 1.0)
    said = {}
    for i, frame in enumerate(frames):
        mine = {
            k: v for k, v in frame.info.items() if isinstance(v, str) and _UNIT_KEY.fullmatch(k)
        }
        if i and mine != said:
            raise BadFrames(
                f"{name}: frame {i} names other units ({mine or 'none'}) than the first "
                f"({said or 'none'}); write all frames in one unit"
            )
        said = mine
    of_key = {"energy": "energy", "force": "forces", "stress": "stress", "virial": "virial"}
    for key, unit in said.items():
        of = _quantity_of(key, frames[0].info)
        if of == "?":
            raise BadFrames(
                f"{name}: the header says {key}={unit} and not of what; write energy-unit, "
                f"force-unit, stress-unit (or virial-unit) and length-unit instead"
            )
        if of and (of not in of_key or of_key[of] in chosen):
            found = label_units.factor(of, unit, f"{name}: {key}={unit}")
            for each in ("position", "cell") if of == "length" else (of,):
                if scale[each] not in (1.0, found):
                    raise BadFrames(f"{name}: the header names two units of {each}; leave one out")
                scale[each] = found
            if found != 1:
                notes.append(f"{of} is converted from {unit}, as {key} says")
    for of, label in of_key.items():
        found = chosen.get(label) and label_units.suffix(chosen[label], of)
        if found:
            if scale[of] not in (1.0, found[1]):
                raise BadFrames(
                    f"{name}: {chosen[label]} and the header name two units; leave one out"
                )
            scale[of] = found[1]
            if found[1] != 1:
                notes.append(f"{of} is converted from {found[0]}, as {chosen[label]} says")
    return scale


def _quantity_of(key: str, info: Mapping) -> str | None:
    """What ``stress-unit``, ``dft_stress_unit`` or ``stressUnit`` are the unit of.

    Returns a member of `label_units.QUANTITIES`, None for what is no label, or ``?``.
    """
    if not (match := _UNIT_KEY.fullmatch(key)):
        return None
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", match["a"] or match["b"] or "")
    if not words or words[-1].lower() == "system":
        return "?"
    if _NO_LABEL.search("_".join(words)):
        return None
    found = [of for word in words if (of := label_units.quantity(word))]
    if found:
        return found[-1]
    own = {key.lower() for key in info} - {key.lower()}  # dipole_unit beside a dipole, and so on
    return None if words[-1].lower() in own | label_units.NO_LABELS else "?"


def _virials(frames, chosen, scale, cells, name: str) -> np.ndarray | None:
    """W (n_frames, 3, 3) in eV by stress or virial; both, if they agree."""
    by = {}
    for label in ("stress", "virial"):
        if label in chosen:
            by[label] = scale[label] * np.array(
                [_tensor(f.info[chosen[label]], f"{name}: {chosen[label]} of frame {i}")
                 for i, f in enumerate(frames)]
            )  # fmt: skip
    if "stress" in by:
        by["stress"] *= -np.abs(np.linalg.det(cells))[:, None, None]
    if len(by) == 2:
        bad = _differing(by["stress"], by["virial"])
        if len(bad):
            i = int(bad[0])
            square = (by["virial"][i] ** 2).sum()
            ratio = (by["stress"][i] * by["virial"][i]).sum() / square if square else np.inf
            raise BadFrames(
                f"{name}: stress and virial of frame {i} do not belong together: -V stress is "
                f"{ratio:.3g} times the virial (W = -V sigma); say which is right "
                f"({KEYS['stress']} {chosen['stress']} or {KEYS['virial']} {chosen['virial']})"
            )
    return by.get("stress", by.get("virial"))


def _differing(mine: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Indices of frames whose virials (F, 3, 3) differ by more than the digits of a file."""
    off = np.abs(mine - other).max(axis=(1, 2))
    return np.flatnonzero(~(off <= 1e-3 * np.abs(other).max(axis=(1, 2)) + 1e-4))


def _refuse_other_tensor(frames, chosen, virials, cells, name: str) -> None:
    """Refuse a second tensor under an unusual name (stress, REF_virial) that is not the same."""
    for label in {"stress", "virial"} - set(chosen):
        read = next(iter({"stress", "virial"} & set(chosen)))
        for key in dict.fromkeys(key for frame in frames for key in _candidates(label, frame)):
            there = [i for i, frame in enumerate(frames) if _has_shape(label, frame, key)]
            unit = label_units.suffix(key, label) or ("", 1.0)
            other = unit[1] * np.array(
                [_tensor(frames[i].info[key], f"{name}: {key} of frame {i}") for i in there]
            )
            if label == "stress":
                other *= -np.abs(np.linalg.det(cells[there]))[:, None, None]
            if len(bad := _differing(other, virials[there])):
                raise BadFrames(
                    f"{name}: {chosen[read]} and {key} of frame {there[bad[0]]} are not of one "
                    f"calculation (W = -V sigma), one may be a prediction: say which is the label "
                    f"({KEYS[read]} {chosen[read]} or {KEYS[label]} {key})"
                )


def _tensor(value, where: str) -> np.ndarray:
    """(3, 3) of nine numbers, or of six in Voigt's order xx yy zz yz xz xy."""
    numbers = np.asarray(value, dtype=float).ravel()
    if len(numbers) == 6:
        xx, yy, zz, yz, xz, xy = numbers
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    tensor = numbers.reshape(3, 3)
    if np.abs(tensor - tensor.T).max() > _SYMMETRIC * max(np.abs(tensor).max(), 1e-6):
        raise BadFrames(
            f"{where} is not symmetric; write the nine numbers of a symmetric tensor, or six in "
            f"the order xx yy zz yz xz xy"
        )
    return (tensor + tensor.T) / 2
