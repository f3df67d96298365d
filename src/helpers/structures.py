"""Cells of Zn(im)2 by name, and supercells of them.

``ZIF-4-experimental``: 272 atoms, the dry framework of CSD VEJYUF01, hydrogens relaxed by the
reference. ``ZIF-4``: the same cell with all positions relaxed; runs start from it, as the paper's
start from an optimised structure (the unrelaxed one would release 8 eV as heat: see the energies of
the set ``crystal_relaxation``). ``Znim2-ABW``: 68 atoms, a hypothetical polymorph of the same
composition, small enough for tests. ``data/structures/provenance.json`` gives the origin of each.
"""

from __future__ import annotations

from pathlib import Path

import ase.io
from ase import Atoms
from ase.build import make_supercell

from helpers import paths, units
from helpers.errors import Unfit, UserError, nearest

FORMULA_UNIT = {"Zn": 1, "N": 4, "C": 6, "H": 6}


class UnknownStructure(UserError, ValueError):
    """There is no cell of this name in ``data/structures``."""


def names() -> list[str]:
    """Names of the shipped cells.

    Returns
    -------
    list of str
        Sorted names.
    """
    return sorted(file.stem for file in paths.STRUCTURES.glob("*.extxyz"))


def file(name: str) -> Path:
    """The extended-XYZ file of a shipped cell.

    Parameters
    ----------
    name : str
        Name of the cell.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnknownStructure
        There is no such cell; the message names the nearest one.
    """
    path = paths.STRUCTURES / f"{name}.extxyz"
    if not path.is_file():
        raise UnknownStructure(
            f"no structure {name!r} in {paths.relative(paths.STRUCTURES)}{nearest(name, names())} "
            f"(there are: {', '.join(names())})"
        )
    return path


def load(name: str) -> Atoms:
    """A shipped unit cell.

    Parameters
    ----------
    name : str
        Name of the cell.

    Returns
    -------
    ase.Atoms
        Positions in A, periodic in all directions.

    Raises
    ------
    UnknownStructure
        There is no such cell.
    """
    return ase.io.read(file(name))


def supercell(atoms: Atoms, repetitions: tuple[int, int, int]) -> Atoms:
    """A structure repeated along its cell vectors.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    repetitions : (int, int, int)
        Numbers of repetitions along a, b and c.

    Returns
    -------
    ase.Atoms
        The supercell.

    Raises
    ------
    Unfit
        These are not three integers of at least one.
    """
    if len(repetitions) != 3 or any(int(n) != n or n < 1 for n in repetitions):
        raise Unfit(f"supercell takes three whole numbers >= 1, not {repetitions!r}")
    na, nb, nc = (int(n) for n in repetitions)
    return make_supercell(atoms, [[na, 0, 0], [0, nb, 0], [0, 0, nc]])


def density(atoms: Atoms) -> float:
    """Mass density of a structure.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.

    Returns
    -------
    float
        Density, g/cm3.
    """
    return float(units.density_g_cm3(atoms.get_masses().sum(), atoms.get_volume()))


TYPE_MAP = ("C", "H", "N", "Zn")
