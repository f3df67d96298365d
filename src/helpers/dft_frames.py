"""Which frames CP2K labels beside the reference: from ``data/dft.yaml`` to ``data/dft``.

The list is worked off in its order, one frame after the other, each put into
``data/dft/<system>.extxyz`` as soon as it is finished: stopped at any time, what is there is whole,
and the same call goes on with the next frame.

Units: A, K, eV, eV/A, eV/A^3.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
import yaml
from ase import Atoms

from helpers import (
    dft,
    frames,
    ladder,
    paths,
    provenance,
    reference,
    sets,
    structures,
    trajectory,
)
from helpers.errors import Unfit

PHASES = ("crystal", "opening", "open", "melt", "glass")


@dataclass(frozen=True)
class Frame:
    """An entry of ``data/dft.yaml``.

    phase: one of :data:`PHASES`, as whoever chose the frame sees it. Where it comes from is one of
    ``structure`` (a name that `sets.start_of` knows, with ``strain`` of all lengths), ``set`` (of
    which ``frame`` counts the training part first, then the validation part) and ``run`` (a heating
    run; the frame nearest to ``temperature_K``). A frame of ``data/dft`` that is older than the
    list has none of them. temperature_K: of the thermostat; taken from the set or run, and left out
    where nobody says (the published glasses).
    """

    phase: str
    structure: str = ""
    strain: float = 0.0
    set: str = ""
    frame: int = 0
    run: str = ""
    temperature_K: float | None = None

    def __post_init__(self):
        if self.phase not in PHASES:
            raise Unfit(f"phase is {self.phase!r}, wanted: one of {', '.join(PHASES)}")


def listed() -> dict[str, dict[str, Frame]]:
    """All entries of ``data/dft.yaml``: system -> name -> frame.

    Raises
    ------
    Unfit
        an entry that makes no sense; the message names it.
    """
    table = yaml.safe_load(paths.DFT_FRAMES.read_text())
    found = {}
    for system, entries in table.items():
        found[system] = {}
        for name, entry in entries.items():
            try:
                found[system][name] = Frame(**entry)
            except (TypeError, Unfit) as error:
                where = paths.relative(paths.DFT_FRAMES)
                raise Unfit(f"{where}, {system}, {name}: {error}") from error
    return found


def atoms_of(frame: Frame) -> Atoms:
    """The structure of an entry, its atoms in the order of the type map.

    Its info says ``origin``, ``phase`` and, where it is known, ``temperature_K``.
    """
    if frame.set:
        system = frames.load(frame.set)
        atoms = system.sub_system([frame.frame]).to_ase_structure()[0]
        temperature = float(system["temperature_K"][frame.frame].item())
        origin = f"set {frame.set}, frame {frame.frame}"
    elif frame.run:
        whole = trajectory.read(ladder.run(frame.run))
        nearest = int(np.abs(whole.temperatures_K - frame.temperature_K).argmin())
        atoms, temperature = whole.atoms(nearest), float(whole.temperatures_K[nearest])
        origin = f"run {frame.run}, step {whole.steps[nearest]}"
    elif frame.structure:
        atoms, temperature = sets.start_of(frame.structure), frame.temperature_K
        atoms.set_cell(atoms.cell.array * (1 + frame.strain), scale_atoms=True)
        origin = frame.structure
        if frame.strain:
            origin += f", all lengths {100 * frame.strain:+g} %"
    else:
        raise Unfit("this entry says not where its frame comes from: structure, set or run")
    order = np.argsort([frames.TYPE_MAP.index(s) for s in atoms.symbols], kind="stable")
    atoms = Atoms(atoms.symbols[order], atoms.positions[order], cell=atoms.cell, pbc=True)
    atoms.wrap()
    atoms.info = {"origin": origin, "phase": frame.phase}
    if temperature is not None:
        atoms.info["temperature_K"] = temperature
    return atoms


def waiting(system: str) -> list[str]:
    """Names of the listed frames of a system that are not in ``data/dft``, in their order."""
    have = {a.info["name"] for a in dft.read(system)} if system in dft.systems() else set()
    return [name for name in listed()[system] if name not in have]


def make(system: str) -> Path:
    """Label all frames of a system that wait, and put each into ``data/dft``; the file there.

    The labels of the reference stand beside where it knows all bonds of the system: not where
    there is more than Zn and imidazolate, though the elements are the same.

    Raises
    ------
    dft.DFTFailed, reference.ReferenceUnavailable
    """
    calculator = None
    for name in waiting(system):
        atoms = atoms_of(listed()[system][name])
        atoms.info = {"name": name} | atoms.info
        beside = None
        if _is_zinc_imidazolate(atoms):  # before the minutes of CP2K: it may not be installed
            calculator = calculator or reference.Reference()
            beside = reference.label(atoms, calculator)
        (labelled,) = dft.label([atoms], paths.BUILD / "dft")
        if beside is not None:
            labelled.info["reference_energy"] = beside.get_potential_energy()
            labelled.info["reference_stress"] = beside.get_stress()
            labelled.arrays["reference_forces"] = beside.get_forces()
        _put(system, labelled)
    return paths.DFT / f"{system}.extxyz"


def _is_zinc_imidazolate(atoms: Atoms) -> bool:
    counts = {s: int(np.sum(np.asarray(atoms.symbols) == s)) for s in frames.TYPE_MAP}
    return all(counts[s] == counts["Zn"] * n for s, n in structures.FORMULA_UNIT.items())


def _put(system: str, labelled: Atoms) -> None:
    """Add a frame to the shipped ones, which stay as they are, and to their provenance, last."""
    target = paths.DFT / f"{system}.extxyz"
    part = target.with_suffix(".part")
    ase.io.write(part, labelled, format="extxyz")
    if target.is_file():
        part.write_bytes(target.read_bytes() + part.read_bytes())
    part.replace(target)
    names = sorted(a.info["name"] for a in dft.read(system))
    known = provenance.read(paths.DFT)
    recipe = known["recipe"]
    recipe["frames"] |= {system: names}
    provenance.write(
        paths.DFT, kind="dft", recipe=recipe, description=known["description"],
        inputs=known["inputs"] | {target.name: provenance.sha256(target)},
        level_of_theory=dft.LEVEL, source=known["source"], reference=reference.SOURCE,
    )  # fmt: skip
    provenance.announce("made", target, labelled.info["name"])
