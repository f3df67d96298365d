"""Labelled frames from what other programs wrote: VASP, CP2K, extended XYZ, all that dpdata reads.

The front of `extxyz`, `vasp` and `cp2k_output`: which of them a file is for, and what every frame
has to have whichever way it came in.

Units: A, eV, eV/A; virial in eV in DeePMD-kit's sign, W = -V sigma with ASE's stress sigma
(positive sigma = tension).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import dpdata
import numpy as np
from dpdata.format import Format

from helpers import structures
from helpers.errors import NotThere, Unfit, UserError, nearest
from helpers.frames import cp2k_output, dataset, files, vasp
from helpers.frames.cp2k_output import cp2k_stress
from helpers.frames.dataset import BadFrames
from helpers.frames.extxyz import from_extxyz, to_extxyz
from helpers.frames.vasp import Unconverged

__all__ = [
    "FORMATS", "Unconverged", "cp2k_stress", "from_extxyz", "guess_format", "import_labelled",
    "to_extxyz",
]  # fmt: skip

FORMATS = ("vasp/outcar", "vasp/xml", "cp2k/output", "extxyz")
#: a folder of one molecular dynamics run of CP2K; the names that dpdata and its plugin have for it
CP2K_MD = ("cp2k/md", "cp2kdata/md", "cp2k/aimd_output")
#: other names of what is read here: the plugin cp2kdata takes `cp2k/output` over once installed
_ALIASES = {
    "outcar": "vasp/outcar", "xml": "vasp/xml", "cp2kdata/e_f": "cp2k/output",
    # dpdata has these names for extended XYZ, and reads its first frame alone
    **dict.fromkeys(("quip/gap/xyz", "quip/gap/xyz_file", "gpumd/xyz", "nequip/xyz", "mace/xyz"),
                    "extxyz"),
}  # fmt: skip


# What other programs print of electrons that did not converge; dpdata does not look for it.
_UNCONVERGED = re.compile(
    rb"convergence NOT achieved|convergence has NOT been achieved|SCF_NOT_CONV"
    rb"|SELF-CONSISTENCY CYCLE DID NOT CONVERGE"
    rb"|SCF NOT CONVERGED|Convergence failure -- run terminated", re.I
)  # fmt: skip
_OPTIONS = {
    "extxyz": {"keep_every", "start", "stop"},
    "vasp/outcar": {"begin", "step"},
    "vasp/xml": {"begin", "step"},
}


def import_labelled(
    path: Path,
    fmt: str | None = None,
    *,
    virial: bool = True,
    unconverged: list | None = None,
    keys: Mapping[str, str] | None = None,
    notes: list[str] | None = None,
    **options,
) -> dpdata.LabeledSystem:
    """Frames of the user's own calculation, in this book's type map and right-handed cells.

    Parameters
    ----------
    path : Path
        The file, compressed or not, or the folder of a run.
    fmt : str, optional
        A member of :data:`FORMATS` or :data:`CP2K_MD`, or any labelled format of dpdata; by default
        guessed from the first lines of the file.
    virial : bool
        Whether virials are required; if not, they are left out.
    unconverged : list of int, optional
        Takes the indices of frames whose electrons did not converge, of VASP or where extended XYZ
        says so, which then are left out; by default they are refused.
    keys : mapping of str to str, optional
        See `extxyz.from_extxyz`.
    notes : list of str, optional
        Takes notes on what was read otherwise than it is written (units, isotopes, left-handed
        cells).
    **options
        Options of the reader or of dpdata (e.g. ``begin``, ``step``).

    Returns
    -------
    dpdata.LabeledSystem
        The frames; A, eV, eV/A, virial in eV.

    Raises
    ------
    NotThere
        There is no such file.
    BadFrames
        The format or an option is unknown, the file is truncated or holds nothing readable, there
        is no virial, energies are enthalpies, or an element is outside the type map.
    Unconverged
        The electrons of some frames did not converge, or there is no converged frame.
    Unreadable
        As `files.text`.
    """
    path = Path(path)
    if not path.exists():
        raise NotThere(f"{path} does not exist; give the path of an OUTCAR, vasprun.xml …")
    notes = [] if notes is None else notes
    fmt = _ALIASES.get(fmt, fmt) or guess_format(path)
    if keys and any(keys.values()) and fmt != "extxyz":
        raise BadFrames(f"{path} ({fmt}): keys of labels are named for extended XYZ only")
    if fmt in (*FORMATS, *CP2K_MD):
        known = _OPTIONS.get(fmt, set())
        if unknown := sorted(set(options) - known):
            raise BadFrames(
                f"{path} ({fmt}): no option {', '.join(unknown)}; there are: "
                f"{', '.join(sorted(known)) or 'none'}"
            )
    if fmt == "extxyz":
        return from_extxyz(
            path, virial=virial, keys=keys, notes=notes, unconverged=unconverged, **options
        )
    if fmt in vasp.FORMATS:
        system = vasp.read(
            path, fmt, virial=virial, unconverged=unconverged, notes=notes, **options
        )
    elif fmt == "cp2k/output":
        system = cp2k_output.read_point(path)
    elif fmt in CP2K_MD:
        system = cp2k_output.read_md(path, virial=virial, notes=notes)
    else:
        system = _through_dpdata(path, fmt, **options)
    _refuse_incomplete(system, path, fmt, virial)
    dataset.right_handed(system, notes)
    _true_elements(system, path, notes)
    return dataset.typed(system, path)


def guess_format(path: Path) -> str:
    """The format of a file by its first lines and its name; compressed files are unpacked for it.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        A member of :data:`FORMATS`, or ``cp2k/md`` for the output of a molecular dynamics run.

    Raises
    ------
    BadFrames
        It is none of them.
    Unreadable
        As `files.head`.
    """
    name = files.plain_name(path).lower()
    head = files.head(path) if path.is_file() else ""
    if name.endswith(".extxyz") or re.match(r"\s*\d+\s*\n[^\n]*\blattice\s*=", head, re.I):
        return "extxyz"
    if vasp.is_outcar(head):
        return "vasp/outcar"
    if "<modeling" in head[:2000]:
        return "vasp/xml"
    if "CP2K|" in head:
        return "cp2k/md" if cp2k_output.is_md(head) else "cp2k/output"
    said = f"{path.name} is no OUTCAR (its first line names no version of VASP); " * (
        "outcar" in name
    )
    raise BadFrames(
        f"{said}cannot tell the format of {path.name}; name it: fmt={FORMATS} or another of dpdata "
        f"(zif4 import --format)"
    )


def _true_elements(system: dpdata.LabeledSystem, path: Path, notes: list[str]) -> None:
    """Kinds and isotopes (``N1``, ``D``) become their elements, kinds of one element one."""
    try:
        true = [structures.element(name) for name in system["atom_names"]]
    except Unfit as error:
        if any(re.fullmatch(r"Type_\d+", name) for name in system["atom_names"]):  # of dpdata
            raise BadFrames(
                f"{path} names no elements; write them into type_map.raw, one a line, in the order "
                f"of the numbers in type.raw"
            ) from error
        raise BadFrames(f"{path}: {error}") from error
    if true == list(system["atom_names"]):
        return
    notes += [f"atoms {label} are read as {symbol}"
              for label, symbol in zip(system["atom_names"], true, strict=True)
              if label != symbol]  # fmt: skip
    names = list(dict.fromkeys(true))
    types = np.array([names.index(true[t]) for t in system["atom_types"]])
    system.data["atom_names"], system.data["atom_types"] = names, types
    system.data["atom_numbs"] = [int((types == i).sum()) for i in range(len(names))]


def _refuse_unconverged(plain: Path, path: Path, fmt: str) -> None:
    if found := _UNCONVERGED.search(plain.read_bytes()):
        raise Unconverged(
            f"{path} ({fmt}) says {found[0].decode()!r}: its electrons did not converge; compute "
            f"it again, or leave the file out (zif4 import --drop)"
        )


def _through_dpdata(path: Path, fmt: str, **options) -> dpdata.LabeledSystem:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            if path.is_dir():
                system = dpdata.LabeledSystem(str(path), fmt=fmt, **options)
            else:
                with files.as_text(path) as plain:
                    _refuse_unconverged(plain, path, fmt)
                    system = dpdata.LabeledSystem(str(plain), fmt=fmt, **options)
        except NotImplementedError as error:
            known = Format.get_formats()
            raise BadFrames(
                f"dpdata reads several systems from {fmt!r}, here a set is one system; let dpdata "
                f"convert each to deepmd/npy (dpdata.MultiSystems)"
                if fmt in known and "doesn't support" in str(error)
                else f"dpdata knows no labelled format {fmt!r}{nearest(fmt, (*known, *CP2K_MD))}; "
                f"a plugin of dpdata may bring it"
            ) from error
        except UserError:
            raise
        except Exception as error:  # its parsers raise whatever the file makes them stumble over
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise BadFrames(
                f"{path} is not readable as {fmt}: {what}; give the right format, what it needs "
                f"(--option NAME=VALUE), or a file that is whole"
            ) from error
    for warning in said:
        if warning.category is UserWarning:
            print(f"[dpdata] {path.name}: {warning.message}", flush=True)
    for label in ("coords", "cells", "energies", "forces", "virials"):
        kind = np.asarray(system.data.get(label, 0.0)).dtype
        if kind.kind not in "fiu" or kind == np.float16:  # which has three digits
            raise BadFrames(
                f"{path} ({fmt}) holds {label} of the type {kind}; write them as real numbers, in "
                f"float32 or float64"
            )
    if system.data.get("nopbc"):
        raise BadFrames(
            f"{path} ({fmt}) says that it is not periodic, here all frames are; compute it in a "
            f"periodic cell, a molecule in a box wide enough"
        )
    left = np.linalg.det(np.reshape(system.data.get("cells", np.eye(3)), (-1, 3, 3))).min() < 0
    if left and not fmt.startswith("deepmd/"):  # which holds virials, not stresses times a volume
        raise BadFrames(
            f"{path} ({fmt}) holds left-handed cells, for which the sign of dpdata's virial is not "
            f"sure; swap two cell vectors and compute again, or bring the frames as extended XYZ"
        )
    return system


def _refuse_incomplete(system, path: Path, fmt: str, virial: bool) -> None:
    if not len(system):
        raise Unconverged(f"{path} ({fmt}) holds no converged frame; compute it again")
    if "forces" not in system.data:
        raise BadFrames(f"{path} ({fmt}) holds no forces; let the program print them")
    if virial and "virials" not in system.data:
        looked = ", neither a stress of each step in its output nor *.stress" * (fmt in CP2K_MD)
        raise BadFrames(
            f"{path} ({fmt}) holds no virial{looked}; let the program print the stress (VASP: ISIF "
            f"= 2, CP2K: STRESS_TENSOR ANALYTICAL and &FORCE_EVAL &PRINT &STRESS_TENSOR ON), or do "
            f"without: virial=False, zif4 import --no-virial (such a potential is not fit for "
            f"constant pressure)"
        )
    if not virial:
        system.data.pop("virials", None)
