"""Labelled frames from what other programs wrote, and back: VASP, CP2K, extended XYZ.

dpdata parses; here is what it leaves open: whether a run came to its end, whether its electrons
converged, whether its energies are energies, and the stress of CP2K.

Units: A, eV, eV/A; virial in eV in DeePMD-kit's sign, W = -V sigma with ASE's stress sigma
(positive sigma = tension).
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import ase.io
import dpdata
import numpy as np

from helpers import paths, units
from helpers.errors import NotThere
from helpers.frames import dataset
from helpers.frames.dataset import FRAME_DATA, BadFrames

FORMATS = ("vasp/outcar", "vasp/xml", "cp2k/output", "extxyz")
_CP2K_PRESSURE_IN_GPA = {"GPa": 1.0, "MPa": 1e-3, "kbar": 0.1, "bar": 1e-4, "Pa": 1e-9}


class Unconverged(BadFrames):
    """Electrons that did not converge."""


# ---------------------------------------------------------------- any format


def import_labelled(
    path: Path,
    fmt: str | None = None,
    *,
    virial: bool = True,
    unconverged: list | None = None,
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
                    f"{path}: {len(bad)} of {len(everything)} frames ({dataset.indices(bad)}) took "
                    f"all NELM steps, their electrons did not converge; compute them again, or "
                    f"leave them out (unconverged=[], zif4 import --drop)"
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
    return dataset.typed(system, path)


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


# ---------------------------------------------------------------- extended XYZ


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
        if not (atoms.pbc.all() and atoms.cell.volume > 0):
            raise BadFrames(
                f"{paths.relative(path)}: frame {i} has no periodic cell; write it into the file "
                f'(Lattice="..." pbc="T T T"), a molecule in a box wide enough'
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
    return dataset.typed(dpdata.LabeledSystem(data=data), path)


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


# ---------------------------------------------------------------- VASP and CP2K through dpdata


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


def _inspect_vasprun(path: Path) -> None:
    """With an external pressure ``e_fr_energy`` is E + pV, which has other derivatives."""
    pressure = re.search(r'name="PSTRESS">\s*([-+.\deE]+)', path.read_text(errors="replace"))
    if pressure and float(pressure[1]):
        raise BadFrames(
            f"{path} was made with PSTRESS = {float(pressure[1]):g} kB and holds enthalpies; "
            f"import the OUTCAR of the run, which holds energies"
        )


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
