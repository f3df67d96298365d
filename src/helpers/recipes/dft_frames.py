"""Labelled frames in ``data/dft`` from the list in ``data/dft.yaml``.

The list is processed in its order, one frame after the other, each added to
``data/dft/<system>.extxyz`` as soon as it is finished: after an interruption the file is complete,
and the same call continues with the next frame.

Units: A, K, eV, eV/A, eV/A^3.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

from helpers import paths, provenance, structures
from helpers.errors import Unfit
from helpers.frames import cp2k, dataset, ligands, reference, sampling
from helpers.frames.dft_list import Frame, listed
from helpers.recipes import labelling, runs

XTB_FIRST, XTB_EVERY = 240, 40  # steps of 1 fs until the first frame, and between frames


def atoms_of(frame: Frame) -> Atoms:
    """The structure of an entry, its atoms in the order of the type map.

    Parameters
    ----------
    frame : Frame
        The entry.

    Returns
    -------
    ase.Atoms
        The structure; its info has ``origin``, ``phase`` and, if known, ``temperature_K``.

    Raises
    ------
    Unfit
        The entry does not say where its frame comes from.
    """
    if frame.set:
        system = dataset.load(frame.set)
        atoms = structures.images(system.sub_system([frame.frame]))[0]
        temperature = float(system["temperature_K"][frame.frame].item())
        origin = f"set {frame.set}, frame {frame.frame}"
    elif frame.run:
        whole = runs.run(frame.run).trajectory
        nearest = int(np.abs(whole.temperatures_K - frame.temperature_K).argmin())
        atoms, temperature = whole.atoms(nearest), float(whole.temperatures_K[nearest])
        origin = f"run {frame.run}, step {whole.steps[nearest]}"
    elif frame.bim is not None:
        atoms, temperature = _by_xtb(frame), frame.temperature_K
        exchanged = f" with {frame.bim} benzimidazolate" if frame.bim else ""
        origin = (
            f"{frame.structure}{exchanged}, GFN1-xTB at "
            f"{temperature:g} K, all lengths {100 * frame.strain:+g} %, seed {frame.seed}, "
            f"frame {frame.frame}"
        )
    elif frame.structure:
        atoms, temperature = labelling.start_of(frame.structure), frame.temperature_K
        atoms.set_cell(atoms.cell.array * (1 + frame.strain), scale_atoms=True)
        origin = frame.structure
        if frame.strain:
            origin += f", all lengths {100 * frame.strain:+g} %"
    else:
        raise Unfit("this entry says not where its frame comes from: structure, set or run")
    order = np.argsort([structures.TYPE_MAP.index(s) for s in atoms.symbols], kind="stable")
    atoms = Atoms(atoms.symbols[order], atoms.positions[order], cell=atoms.cell, pbc=True)
    atoms.wrap()
    atoms.info = {"origin": origin, "phase": frame.phase}
    if temperature is not None:
        atoms.info["temperature_K"] = temperature
    return atoms


def _by_xtb(frame: Frame) -> Atoms:
    """The frame of its trajectory below ``build/sampling/xtb``, which is made or goes on as far."""
    try:
        from tblite.ase import TBLite
    except ImportError as error:
        raise cp2k.DFTFailed(
            f"{error}; frames with benzimidazolate are sampled by GFN1-xTB: pip install tblite"
        ) from error
    if (T := frame.temperature_K) is None:
        raise Unfit("a frame sampled by GFN1-xTB needs its temperature_K")
    plain = asdict(frame) | {"every": XTB_EVERY, "first": XTB_FIRST}
    del plain["frame"], plain["phase"]
    folder = paths.BUILD / "sampling" / "xtb" / provenance.key(plain)
    calculator = TBLite(method="GFN1-xTB", verbosity=0)
    with provenance.lock(folder):
        start = folder / "start.extxyz"
        if not start.is_file():
            atoms = labelling.start_of(frame.structure)
            if frame.bim:
                atoms = ligands.exchange(atoms, frame.bim)
            atoms.set_cell(atoms.cell.array * (1 + frame.strain), scale_atoms=True)
            relaxed = sampling.relax(atoms, calculator, folder / "relaxation.extxyz", fmax=0.3,
                                     steps=100)  # fmt: skip
            with provenance.replacing(start) as part:
                ase.io.write(part, relaxed, format="extxyz")
        atoms = next(ase.io.iread(start, index=-1))
        atoms.calc = None
        wanted = XTB_FIRST + frame.frame * XTB_EVERY
        ramp = sampling.Ramp(
            steps=wanted + 1, temperature_K=(T, T), seed=frame.seed,
            friction_per_fs=0.02, keep_every=XTB_EVERY)  # fmt: skip
        file = sampling.run(atoms, ramp, calculator, folder / "trajectory.extxyz")
        return next(a for a in ase.io.read(file, ":") if a.info["step"] == wanted)


def waiting(system: str) -> list[str]:
    """Frames of a system that are listed but not in ``data/dft``.

    Parameters
    ----------
    system : str
        Name of the system.

    Returns
    -------
    list of str
        Their names, in the order of the list.
    """
    have = {a.info["name"] for a in cp2k.read(system)} if system in cp2k.systems() else set()
    return [name for name in listed()[system] if name not in have]


def make(system: str) -> Path:
    """Label all waiting frames of a system and add them to ``data/dft``.

    The labels of the reference are included if it knows all bonds of the system: not if there is
    more than Zn and imidazolate, even though the elements are the same.

    Parameters
    ----------
    system : str
        Name of the system.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DFTFailed
        CP2K is not installed or fails.
    ReferenceUnavailable
        The reference is not installed.
    """
    calculator = None
    for name in waiting(system):
        atoms = atoms_of(listed()[system][name])
        atoms.info = {"name": name} | atoms.info
        beside = None
        if _is_zinc_imidazolate(atoms):  # before the minutes of CP2K: it may not be installed
            calculator = calculator or reference.Reference()
            beside = reference.label(atoms, calculator)
        (labelled,) = cp2k.label([atoms], paths.BUILD / "dft")
        if beside is not None:
            labelled.info["reference_energy"] = beside.get_potential_energy()
            labelled.info["reference_stress"] = beside.get_stress()
            labelled.arrays["reference_forces"] = beside.get_forces()
        _put(system, labelled)
    return paths.DFT / f"{system}.extxyz"


def _is_zinc_imidazolate(atoms: Atoms) -> bool:
    counts = {s: int(np.sum(np.asarray(atoms.symbols) == s)) for s in structures.TYPE_MAP}
    return all(counts[s] == counts["Zn"] * n for s, n in structures.FORMULA_UNIT.items())


def _put(system: str, labelled: Atoms) -> None:
    """Add a frame to the shipped ones, which stay as they are, and to their provenance, last."""
    target = paths.DFT / f"{system}.extxyz"
    with provenance.replacing(target) as part:
        ase.io.write(part, labelled, format="extxyz")
        if target.is_file():
            part.write_bytes(target.read_bytes() + part.read_bytes())
    names = sorted(a.info["name"] for a in cp2k.read(system))
    known = provenance.read(paths.DFT)
    recipe = known["recipe"]
    recipe["frames"] |= {system: names}
    provenance.write(
        paths.DFT, kind="dft", recipe=recipe, description=known["description"],
        inputs=known["inputs"] | {target.name: provenance.sha256(target)},
        level_of_theory=cp2k.LEVEL, source=known["source"], reference=reference.SOURCE,
    )  # fmt: skip
    provenance.announce("made", target, labelled.info["name"])
