"""The page *What is checked, and what it says when it fails*: every check is made to fail.

``zif4 what-is-checked --page`` writes ``book/checks.md``; a test holds the page to what the checks
say today.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np

from helpers import paths, provenance, structures
from helpers.frames import checks, dataset, extxyz, formats
from helpers.md import trajectory

_HEAD = """\
# What is checked, and what it says when it fails

What you bring is looked at before anything is computed with it. This page is written by the checks
themselves: `zif4 what-is-checked` breaks sound frames, files, structures and trajectories in each
way below and puts down what is said. A refusal names the thing, the reason and
what to do.
"""


def _scaled(label: str, factor: float) -> Callable:
    return lambda data: data.update({label: data[label] * factor})


def _first(label: str, change: Callable) -> Callable:
    def broken(data):
        data[label] = data[label].copy()
        change(data[label])

    return broken


def _turned(values) -> None:
    values[8] *= -1


def _other_zinc(data) -> None:
    zinc = np.flatnonzero(data["atom_types"] == 3)
    data["forces"] = data["forces"].copy()
    data["forces"][:, zinc] = data["forces"][:, np.roll(zinc, 1)]


def _hydrogens_meet(data) -> None:
    data["coords"] = data["coords"].copy()
    two = np.flatnonzero(data["atom_types"] == 1)[:2]
    data["coords"][0, two[1]] = data["coords"][0, two[0]] + 0.2


def _twice(data) -> None:
    for label in ("coords", "cells", "forces", "virials", "energies"):
        data[label] = data[label].copy()
        data[label][1] = data[label][0]


def _half_up(data) -> None:
    data["energies"] = data["energies"].copy()
    data["energies"][::2] += 0.5 * data["coords"].shape[1]


# (3, 3) indices: VASP's six numbers taken for Voigt's
_VASP_FOR_VOIGT = ([[0, 0, 1], [0, 1, 0], [1, 0, 2]], [[0, 2, 2], [2, 1, 1], [2, 1, 2]])
#: what is broken in sound frames -> how; dpdata's names of the labels
FRAMES: dict[str, Callable] = {
    "a number that is none": _first("forces", lambda x: x.__setitem__((0, 0, 0), np.nan)),
    "forces beyond any bond": _first("forces", lambda x: x.__setitem__((0, 0), 90.0)),
    "forces without one of three columns": lambda data: data.update(
        forces=data["forces"] * [1, 1, 0]
    ),
    "labels that were not computed": _first("virials", lambda x: x.__setitem__(0, 0.0)),
    "stress of a run that knows the pressure alone": lambda data: data.update(
        virials=np.trace(data["virials"], axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3
    ),
    "atoms on top of each other": _hydrogens_meet,
    "a frame that is there twice": _twice,
    "a left-handed cell": lambda data: data.update(cells=data["cells"][:, [1, 0, 2]]),
    "a cell that is transposed": lambda data: data.update(
        cells=np.ascontiguousarray(data["cells"].transpose(0, 2, 1))
    ),
    "stress in GPa, taken for eV/Å³": _scaled("virials", 160.2),
    "stress of the other sign, at constant volume": _scaled("virials", -1.0),
    "stress in VASP's order xx yy zz xy yz zx": lambda data: data.update(
        virials=data["virials"][:, *_VASP_FOR_VOIGT]
    ),
    "two elements in the place of each other": lambda data: data.update(
        atom_types=np.array([1, 0, 2, 3])[data["atom_types"]]  # as many H as C
    ),
    "forces in hartree/bohr": _scaled("forces", 1 / 51.422),
    "forces of the other sign in one frame": _first("forces", _turned),
    "stress of the other sign in one frame": _first("virials", _turned),
    "stress of another unit in one frame": _first("virials", lambda x: x.__setitem__(8, x[8] / 27)),
    "forces of Zn in another order than their atoms": _other_zinc,
    "energies of two codes": _half_up,
}

#: what is broken in an extended-XYZ file -> (text, other text) that is put in its place
FILES: dict[str, tuple[str, str]] = {
    "an unknown unit": ('pbc="T T T"', 'pbc="T T T" stress-unit=psi'),
    "two sets of labels": ('pbc="T T T"', 'pbc="T T T" dft_energy=-1.0'),
    "labels of another name": (" energy=", " REF_energy="),
    "stress and virial that disagree": ('pbc="T T T"', 'pbc="T T T" virial="1 0 0 0 1 0 0 0 1"'),
    "no stress": (" stress=", " pressure="),
    "no cell": ("Lattice=", "Box="),
    "frames that did not converge": ('pbc="T T T"', 'pbc="T T T" converged=F'),
    "not periodic": ('pbc="T T T"', 'pbc="F F F"'),
    "an unknown element": ("\nZn ", "\nQq "),
    "a kind of atom that is outside the type map": ("\nZn ", "\nCo "),
}


def file() -> Path:
    """The page's file.

    Returns
    -------
    Path
        ``book/checks.md`` of the project.
    """
    return paths.ROOT / "book" / "checks.md"


_TYPED = re.compile(r'(?<![\w`-])(--[a-z][a-z-]*|\w+="[^"]*")')


def page() -> str:
    """The page: each check with its message.

    Returns
    -------
    str
        Markdown with a table for frames, files, structures and trajectories.
    """
    lines = [_HEAD]
    lines += _section("Labelled frames", _of_frames(), by="`make import`, `checks.check`")
    lines += _section("Files of labelled frames", _of_files(), by="`make import`")
    lines += _section("Structures that are heated", _of_structures())
    lines += _section(
        "Trajectories", _of_trajectories(), by="`trajectory.read`, `trajectory.of_images`"
    )
    return "\n".join(lines) + "\n"


def _section(title: str, rows: dict[str, str], by: str = "") -> list[str]:
    head = [f"\n## {title}\n", *([f"Looked at by {by}.\n"] if by else [])]
    table = []
    for what, said in rows.items():
        # options and attributes as they are typed: no dash out of two hyphens, no curly quotes
        typed = _TYPED.sub(r"`\1`", said.replace("|", chr(92) + "|"))
        table.append(f"| {what} | {typed} |")
    return [*head, "| what is wrong | what it says |", "|---|---|", *table]


def _sound():
    """Sixteen frames of one cell, 300 to 1500 K."""
    system = dataset.load("abw_0300_1500")
    return system.sub_system(np.linspace(0, len(system) - 1, 16).round().astype(int))


def _of_frames() -> dict[str, str]:
    said = {}
    for what, broken in FRAMES.items():
        system = _sound()
        broken(system.data)
        found = [text for text, _ in checks.objections(system, laws=True)]
        said[what] = "; ".join(found) or "nothing"
    system = _sound()
    system.data |= {"coords": system["coords"] / 10, "cells": system["cells"] / 10}
    said["positions in nm"] = _refusal(lambda: checks.refuse_other_lengths(system), Path())
    return said


def _refusal(call: Callable, folder: Path) -> str:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            call()
    except ValueError as error:
        return str(error).replace(f"{folder}/", "").replace(paths.relative(folder) + "/", "")
    return "nothing"


def _of_files() -> dict[str, str]:
    said = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound = extxyz.to_extxyz(_sound(), folder / "sound.extxyz").read_text()
        file = folder / "mine.extxyz"
        for what, (old, new) in FILES.items():
            file.write_text(sound.replace(old, new))
            said[what] = _refusal(lambda: formats.import_labelled(file), folder)
        file.write_text(sound[:-2000])
        said["a file that was cut off"] = _refusal(lambda: formats.import_labelled(file), folder)
        other = folder / "OUTCAR.md5"
        other.write_text("0 OUTCAR\n")
        said["a file of another kind"] = _refusal(lambda: formats.import_labelled(other), folder)
    return said


def _of_structures() -> dict[str, str]:
    sound = structures.load("Znim2-ABW")
    molecule, slab, twice, heavy = (sound.copy() for _ in range(4))
    molecule.cell = None
    molecule.pbc = False
    slab.pbc = (True, True, False)
    twice += sound[:5]
    heavy.info["occupancy"] = {"0": {"Zn": 0.5, "Co": 0.5}}
    said = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, atoms in {
            "no cell": molecule, "a slab": slab, "a molecule that is there twice": twice,
        }.items():  # fmt: skip
            ase.io.write(folder / "mine.extxyz", atoms)
            said[what] = _refusal(lambda: structures.read(folder / "mine.extxyz"), folder)
        ase.io.write(folder / "mine.cif", sound)
        text = (folder / "mine.cif").read_text().replace("  1.0000", "  0.5000", 1)
        (folder / "mine.cif").write_text(text)
        said["sites that are occupied in parts"] = _refusal(
            lambda: structures.read(folder / "mine.cif"), folder
        )
        (folder / "mine.txt").write_text("no structure\n")
        said["no structure at all"] = _refusal(lambda: structures.read(folder / "mine.txt"), folder)
    return said


_DUMP = """ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
2
ITEM: BOX BOUNDS pp pp pp
0 10
0 10
0 10
ITEM: ATOMS id element xu yu zu
1 H 0 0 0
2 H 1 1 1
"""


def _of_trajectories() -> dict[str, str]:
    said = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "my.lammpstrj"
        for what, (old, new) in {
            "wrapped positions": ("xu yu zu", "x y z"),
            "no elements": ("element", "type"),
            "an open boundary": ("pp pp pp", "pp pp ff"),
            "an atom twice": ("2 H", "1 H"),
            "a run that exploded": ("1 1 1", "nan 1 1"),
            "reduced units": ("ITEM: TIMESTEP", "ITEM: UNITS\nlj\nITEM: TIMESTEP"),
        }.items():
            file.write_text(_DUMP.replace(old, new))
            said[what] = _refusal(lambda: trajectory.read(file), folder)
        (folder / trajectory.FILE).write_text(_DUMP.replace("TIMESTEP\n0", "TIMESTEP\n200"))
        recipe = {"frame_every_ps": 0.1, "timestep_fs": 0.5}
        provenance.write(folder, kind="runs", recipe=recipe, description="", steps=400)
        said["a finished run that lost a frame"] = _refusal(lambda: trajectory.read(folder), folder)
    sound = structures.load("Znim2-ABW")
    said["atoms in another order in a later frame"] = _refusal(
        lambda: trajectory.of_images([sound, sound[::-1]]), Path()
    )
    return said
