"""Outputs of VASP: what an OUTCAR and a vasprun.xml say of the run beside its labels.

dpdata parses; here is what it leaves open: whether the stress is one, whether energies are
energies, whether electrons converged, and in words what a run has to be made like instead.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from xml.etree.ElementTree import ParseError

import dpdata
import numpy as np
from dpdata.plugins.vasp import VASPOutcarFormat, VASPXMLFormat

from helpers import paths
from helpers.frames import files
from helpers.frames.dataset import BadFrames, indices

FORMATS = ("vasp/outcar", "vasp/xml")
_READERS = {"vasp/outcar": VASPOutcarFormat, "vasp/xml": VASPXMLFormat}
# What dpdata says of a run that was cut off; its other warnings are about harmless things (the
# title of a POSCAR, steps that did not converge, which are looked for here anyway).
_CUT = ("interrupted", "incomplete labels")


class Unconverged(BadFrames):
    """Electrons that did not converge."""


def is_outcar(head: str) -> bool:
    """Whether a file is an OUTCAR: the version of VASP comes first.

    Parameters
    ----------
    head : str
        First lines of the file.

    Returns
    -------
    bool
        True if it is.
    """
    # what VASP prints on the screen may begin so, too, and names no POTCAR
    return (
        re.match(r"\s*vasp\.\d", head) is not None and re.search("POTCAR|TITEL", head) is not None
    )


def read(
    path: Path,
    fmt: str,
    *,
    virial: bool,
    unconverged: list | None,
    notes: list[str],
    **options,
) -> dpdata.LabeledSystem:
    """Labelled frames of a run; cells are turned to lower triangles, and made right-handed.

    Parameters
    ----------
    path : Path
        OUTCAR or vasprun.xml, compressed or not.
    fmt : str
        A member of `FORMATS`.
    virial : bool
        Whether stress is required; if not, none is read.
    unconverged : list of int, or None
        Takes the indices of frames whose electrons did not converge, which then are left out; None
        refuses them.
    notes : list of str
        A note is appended if a cell was left-handed.
    **options
        Options of dpdata (``begin``, ``step``).

    Returns
    -------
    dpdata.LabeledSystem
        The frames; A, eV, eV/A, virial in eV.

    Raises
    ------
    BadFrames
        The file is not of VASP or cut off; it holds enthalpies (PSTRESS), no stress tensor (ISIF),
        the forces of some steps only (NWRITE), steps of a machine-learned force field, runs of
        other atoms one behind the other, or a cell that has not the volume beside it.
    Unconverged
        Frames took all NELM steps and ``unconverged`` is None, or there is no converged frame.
    Unreadable
        As `files.text`.
    """
    name = paths.relative(path)
    with files.as_text(path) as plain:
        text = plain.read_text()
        if fmt == "vasp/outcar" and not is_outcar(text[:2000]):
            raise BadFrames(
                f"{name} is no OUTCAR of VASP, the version of VASP is not in its first line; name "
                f"another file, or its format (zif4 import --format)"
            )
        if fmt == "vasp/xml" and "<modeling" not in text[:2000]:
            raise BadFrames(f"{name} is no vasprun.xml of VASP; name another file")
        _refuse_enthalpies(text, fmt, name)
        _refuse_learned(text, fmt, name)
        _refuse_few_forces(text, fmt, name)
        _refuse_other_atoms(text, fmt, name)
        _refuse_other_volume(text, name)
        if virial:
            _refuse_no_tensor(text, name)
        read = _labelled(plain, fmt, name, options)
        # dpdata leaves frames out that took all NELM steps; asked not to, it shows which.
        everything = _labelled(plain, fmt, name, options | {"convergence_check": False})
    if bad := _absent(everything, read):
        if unconverged is None:
            raise Unconverged(
                f"{name}: {len(bad)} of {len(everything['coords'])} frames ({indices(bad)}) took "
                f"all NELM steps, their electrons did not converge; compute them again, or "
                f"leave them out (unconverged=[], zif4 import --drop)"
            )
        unconverged += bad
    if not len(read["coords"]):
        raise Unconverged(f"{name} ({fmt}) holds no converged frame; compute it again")
    if not virial:
        read.pop("virials", None)
    if "virials" in read and len(read["virials"]) != len(read["coords"]):
        raise BadFrames(
            f"{name}: {len(read['virials'])} of {len(read['coords'])} frames have a stress; "
            f"compute them all alike (ISIF = 2), or do without (zif4 import --no-virial)"
        )
    _turn_left_handed(read, notes)
    system = dpdata.LabeledSystem(data={"orig": np.zeros(3)} | read)
    system.rot_lower_triangular()
    return system


def same_run(file: Path, fmt: str, other: Path, its: str) -> bool:
    """Whether two outputs have as many steps with forces, and the same last energy.

    Parameters
    ----------
    file : Path
        OUTCAR or vasprun.xml.
    fmt : str
        Its format, a member of `FORMATS`.
    other : Path
        The other output.
    its : str
        Its format.

    Returns
    -------
    bool
        True if the free energies of the last steps agree within 1e-3 eV, too.

    Raises
    ------
    Unreadable
        As `files.text`.
    """
    mine, theirs = _end(file, fmt), _end(other, its)
    return mine[0] == theirs[0] and bool(np.isclose(mine[1], theirs[1], rtol=0, atol=1e-3))


def _end(path: Path, fmt: str) -> tuple[int, float]:
    """Number of ionic steps with forces, and the free energy (eV) of the last one."""
    text = files.text(path)
    if fmt == "vasp/outcar":
        mark, energy = "TOTAL-FORCE (eV/Angst)", r"free  energy   TOTEN\s*=\s*([-+.\d]+)"
    else:
        mark, energy = '<varray name="forces"', r'name="e_fr_energy">\s*([-+.\dEe]+)'
    found = re.findall(energy, text)
    return text.count(mark), float(found[-1]) if found else np.nan


def _labelled(plain: Path, fmt: str, name: str, options: dict) -> dict:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            data = _READERS[fmt]().from_labeled_system(str(plain), **options)
        except ParseError as error:
            raise BadFrames(
                f"{name} is truncated or damaged, no whole XML ({error}); finish the run, or "
                f"import its OUTCAR"
            ) from error
        except Exception as error:  # its parsers raise whatever the file makes them stumble over
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise BadFrames(
                f"{name} is not readable as {fmt} ({what}); a run that was cut off, or with other "
                f"lines than dpdata knows: finish it, or import the "
                f"{'vasprun.xml' if fmt == 'vasp/outcar' else 'OUTCAR'} of the same run"
            ) from error
    for warning in said:
        if any(word in str(warning.message) for word in _CUT):
            raise BadFrames(
                f"{name}: {warning.message}. The run was cut off or a line is damaged: finish it, "
                f"or cut that step out"
            )
    return data


def _absent(everything: dict, kept: dict) -> list[int]:
    """Indices of the frames of ``everything`` that are not in ``kept``, which keeps the order."""
    absent, j = [], 0
    for i, coords in enumerate(everything["coords"]):
        if j < len(kept["coords"]) and (coords == kept["coords"][j]).all():
            j += 1
        else:
            absent.append(i)
    return absent


def _turn_left_handed(data: dict, notes: list[str]) -> None:
    """Swap the last two vectors of left-handed cells, whose virials dpdata gave the wrong sign.

    dpdata multiplies the pressure by the determinant of the cell, which is minus the volume there.
    """
    left = np.linalg.det(data["cells"]) < 0
    if left.any():
        data["cells"][left] = data["cells"][left][:, [0, 2, 1]]
        if "virials" in data:
            data["virials"][left] *= -1
        notes.append(f"left-handed cells of {left.sum()} frames: last two vectors swapped")


def _tags(text: str, tag: str) -> list[float]:
    """All values of an INCAR tag that an OUTCAR or a vasprun.xml tells of."""
    number = r"([-+]?[\d.]+(?:[eEdD][-+]?\d+)?)"
    found = re.findall(rf"(?m)^\s*{tag}\s*=\s*{number}", text)
    found += re.findall(rf'name="{tag}"\s*>\s*{number}\s*<', text)
    return [float(value.lower().replace("d", "e")) for value in found]


def _refuse_enthalpies(text: str, fmt: str, name: str) -> None:
    """With an external pressure ``e_fr_energy`` is E + pV, which has other derivatives."""
    if fmt == "vasp/xml" and any(pressure := _tags(text, "PSTRESS")):
        raise BadFrames(
            f"{name} was made with PSTRESS = {max(pressure, key=abs):g} kB and holds enthalpies; "
            f"import the OUTCAR of the run, which holds energies"
        )


def _refuse_learned(text: str, fmt: str, name: str) -> None:
    """Refuse a vasprun.xml in which steps of VASP's own potential stand among the others."""
    if fmt != "vasp/xml":
        return
    steps = text.split("<calculation>")[1:]
    learned = sum("<scstep>" not in step for step in steps)
    on = re.search(r'name="ML_(LMLFF|FF_LMLFF)"[^>]*>\s*\.?T', text) is not None
    if on or 0 < learned < len(steps):
        raise BadFrames(
            f"{name} is of a run with a machine-learned force field (ML_LMLFF), {learned} of "
            f"{len(steps)} steps have no electrons; import its OUTCAR, which tells the two kinds "
            f"of steps apart, or the ML_AB as extended XYZ"
        )


def _refuse_few_forces(text: str, fmt: str, name: str) -> None:
    steps, tables = text.count("free  energy   TOTEN"), text.count("TOTAL-FORCE (eV/Angst)")
    if fmt == "vasp/outcar" and min(_tags(text, "NWRITE"), default=2) < 2 and tables < steps:
        raise BadFrames(
            f"{name} was written with NWRITE = {min(_tags(text, 'NWRITE')):g}, which prints the "
            f"forces of {tables} of {steps} steps only; import the vasprun.xml of the run, which "
            f"has all of them"
        )


def _refuse_other_atoms(text: str, fmt: str, name: str) -> None:
    """Of runs that were joined dpdata takes the elements of the first for all."""
    if fmt != "vasp/outcar":
        return
    headers = [
        (re.findall(r"TITEL\s*=\s*(.*?)\s*$", run, re.M), found[1].split())
        for run in re.split(r"(?m)^\s*vasp\.\d", text)
        if (found := re.search(r"ions per type =\s*(.*)", run))
    ]
    if other := [header for header in headers if header != headers[0]]:
        told = [f"{' '.join(ions)} of {', '.join(kinds)}" for kinds, ions in (headers[0], other[0])]
        raise BadFrames(
            f"{name} holds runs of other atoms, or in another order, one behind the other "
            f"({told[0]}; {told[1]}): split it into a file a run"
        )


_BASIS = (
    re.compile(
        r"volume of cell\s*:\s*(?P<volume>[\d.]+)\s*\n[^\n]*direct lattice vectors[^\n]*\n"
        r"(?P<rows>(?:[^\n]*\n){3})"
    ),
    re.compile(
        r'<varray name="basis"\s*>(?P<rows>.*?)</varray>\s*<i name="volume">\s*(?P<volume>[\d.]+)',
        re.S,
    ),
)  # of OUTCAR and vasprun.xml


def _refuse_other_volume(text: str, name: str) -> None:
    """Refuse a cell that has not the volume that VASP prints beside it."""
    for printed in _BASIS:
        for step, found in enumerate(printed.finditer(text)):
            rows = [re.findall(r"[-+]?\d+\.\d+", row)[:3] for row in
                    re.split(r"\n|</v>", found["rows"].strip())]  # fmt: skip
            rows = [row for row in rows if row]
            if np.shape(rows) != (3, 3):
                continue  # run together; dpdata will not read it either
            volume = abs(np.linalg.det(np.array(rows, dtype=float)))
            if abs(volume - float(found["volume"])) > 0.02 + 1e-4 * volume:
                raise BadFrames(
                    f"{name}: the {step + 1}. cell in it has a volume of {volume:.2f} A^3 and "
                    f"{found['volume']} beside it; the file was changed or damaged: take the "
                    f"original, or run VASP again"
                )


def _refuse_no_tensor(text: str, name: str) -> None:
    isif = _tags(text, "ISIF")
    if isif and min(isif) < 2:
        what = "only the trace of the stress is" if min(isif) == 1 else "no stress is"
        raise BadFrames(
            f"{name} was made with ISIF = {min(isif):g}, {what} computed; run it again with "
            f"ISIF = 2 or more, or do without stress (zif4 import --no-virial; such a potential is "
            f"not fit for constant pressure)"
        )
