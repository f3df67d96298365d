"""Which frames CP2K labels beside the reference: from ``data/dft.yaml`` to ``data/dft``.

The list is worked off in its order, one frame after the other, each put into
``data/dft/<system>.extxyz`` as soon as it is finished: stopped at any time, what is there is whole,
and the same call goes on with the next frame.

Units: A, K, eV, eV/A, eV/A^3.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path

import ase.io
import numpy as np
import yaml
from ase import Atoms

from helpers import (
    dft,
    frames,
    ladder,
    ligands,
    paths,
    provenance,
    reference,
    sampling,
    sets,
    structures,
    trajectory,
)
from helpers.errors import Unfit

XTB_FIRST, XTB_EVERY = 240, 40  # steps of 1 fs until the first frame, and between frames
PHASES = ("crystal", "opening", "open", "melt", "glass")


@dataclass(frozen=True)
class Frame:
    """An entry of ``data/dft.yaml``.

    phase: one of :data:`PHASES`, as whoever chose the frame sees it. Where it comes from is one of
    ``structure`` (a name that `sets.start_of` knows, with ``strain`` of all lengths), ``set`` (of
    which ``frame`` counts the training part first, then the validation part), ``run`` (a heating
    run; the frame nearest to ``temperature_K``) and ``bim``: so many imidazolates of ``structure``
    exchanged for benzimidazolates, all lengths strained, and ``frame`` of molecular dynamics at
    ``temperature_K`` by GFN1-xTB, :data:`XTB_EVERY` steps apart. An entry with ``frames`` is that
    many of them, and such entries take turns. A frame of ``data/dft`` that is older than the
    list has none of them. temperature_K: of the thermostat; taken from the set or run, and left out
    where nobody says (the published glasses).
    """

    phase: str
    structure: str = ""
    strain: float = 0.0
    set: str = ""
    frame: int = 0
    run: str = ""
    bim: int = 0
    seed: int = 1
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
    where, found = paths.relative(paths.DFT_FRAMES), {}
    for system, entries in table.items():
        several = []
        found[system] = {}
        for name, entry in entries.items():
            try:
                number = entry.pop("frames", 0)
                made = [Frame(**entry | {"frame": k}) for k in range(number)] or [Frame(**entry)]
            except (TypeError, Unfit) as error:
                raise Unfit(f"{where}, {system}, {name}: {error}") from error
            if number:
                several.append([(f"{name}_{k:02d}", frame) for k, frame in enumerate(made)])
            else:
                found[system][name] = made[0]
        for turn in zip_longest(*several):
            found[system] |= dict(filter(None, turn))
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
    elif frame.bim:
        atoms, temperature = _by_xtb(frame), frame.temperature_K
        origin = (f"{frame.structure} with {frame.bim} benzimidazolate, GFN1-xTB at "
                  f"{temperature:g} K, all lengths {100 * frame.strain:+g} %, seed {frame.seed}, "
                  f"frame {frame.frame}")
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


def _by_xtb(frame: Frame) -> Atoms:
    """The frame of its trajectory below ``build/sampling/xtb``, which is made or goes on as far."""
    try:
        from tblite.ase import TBLite
    except ImportError as error:
        raise dft.DFTFailed(f"{error}; frames with benzimidazolate are sampled by GFN1-xTB: "
                            f"pip install tblite") from error
    plain = asdict(frame) | {"every": XTB_EVERY, "first": XTB_FIRST}
    del plain["frame"], plain["phase"]
    folder = paths.BUILD / "sampling" / "xtb" / provenance.key(plain)
    calculator = TBLite(method="GFN1-xTB", verbosity=0)
    with provenance.lock(folder):
        start = folder / "start.extxyz"
        if not start.is_file():
            atoms = ligands.exchange(sets.start_of(frame.structure), frame.bim)
            atoms.set_cell(atoms.cell.array * (1 + frame.strain), scale_atoms=True)
            part = folder / "start.part"
            relaxed = sampling.relax(atoms, calculator, folder / "relaxation.extxyz", fmax=0.3,
                                     steps=100)  # fmt: skip
            ase.io.write(part, relaxed, format="extxyz")
            part.rename(start)
        atoms = ase.io.read(start)
        atoms.calc = None
        wanted = XTB_FIRST + frame.frame * XTB_EVERY
        ramp = sampling.Ramp(
            steps=wanted + 1, temperature_K=(frame.temperature_K,) * 2, seed=frame.seed,
            friction_per_fs=0.02, keep_every=XTB_EVERY)  # fmt: skip
        file = sampling.run(atoms, ramp, calculator, folder / "trajectory.extxyz")
        return next(a for a in ase.io.read(file, ":") if a.info["step"] == wanted)


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
