"""Cells of Zn(im)2 by name, and supercells of them.

``ZIF-4-experimental``: 272 atoms, the dry framework of CSD VEJYUF01, hydrogens relaxed by the
reference. ``ZIF-4``: the same cell with all positions relaxed; runs start from it, as the paper's
start from an optimised structure (the unrelaxed one would release 8 eV as heat: see the energies of
the set ``crystal_relaxation``). ``Znim2-ABW``: 68 atoms, a hypothetical polymorph of the same
composition, small enough for tests. ``data/structures/provenance.json`` gives the origin of each.
"""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import ase.io
import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.data import atomic_numbers, covalent_radii
from ase.spacegroup.spacegroup import SpacegroupValueError

from helpers import paths, units
from helpers.errors import NotThere, Unfit, UserError, nearest

if TYPE_CHECKING:
    import dpdata  # its import takes a second

FORMULA_UNIT = {"Zn": 1, "N": 4, "C": 6, "H": 6}
ISOTOPES = {"D": "H", "T": "H"}  # symbols that IUPAC keeps for heavy hydrogen
# Shorter than this share of the sum of covalent radii no bond is, however hot: two atoms in one
# place, a second copy of a molecule, coordinates in another unit.
_OVERLAP = 0.5
_LOOSE = 0.05  # share of H
_NEAR_IN_BOHR = 2.6  # C-H of 1.1 A, written as 2.1 bohr, is nearer than that
_LONGEST_BOND_OF_H = 1.6  # A, to anything but a metal, in hot frames too
_ZN_N_A, _FEWEST_N = 2.6, 2.0  # melts have 3 to 4
_C_N_A, _C_ZN_A = 1.9, 2.4  # A, longest bonds of C
_BENT = -0.87  # cosine of 150 degrees; sp carbon is straight
_LABEL = re.compile(r"\d*([A-Za-z]{1,2})(?:[\d_+\-.*'()].*)?")


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
            f"no structure {name!r} in {paths.relative(paths.STRUCTURES)}, and no such file"
            f"{nearest(name, names())} (there are: {', '.join(names())})"
        )
    return path


def load(name: str) -> Atoms:
    """A shipped unit cell, or that of a file.

    Parameters
    ----------
    name : str
        Name of the cell, or path of a file, which is read by `read`.

    Returns
    -------
    ase.Atoms
        Positions in A, periodic in all directions.

    Raises
    ------
    UnknownStructure
        There is no such cell, or the file holds no crystal.
    """
    if Path(name).is_file():
        return read(Path(name))
    return next(ase.io.iread(file(name), index=-1))


def images(system: dpdata.System) -> list[Atoms]:
    """The frames of a set as ASE's structures, without their labels.

    Parameters
    ----------
    system : dpdata.System
        The frames.

    Returns
    -------
    list of ase.Atoms
        Periodic structures, positions in A.
    """
    symbols = np.asarray(system["atom_names"])[system["atom_types"]]
    frames = zip(system["coords"], system["cells"], strict=True)
    return [Atoms(symbols, positions, cell=cell, pbc=True) for positions, cell in frames]


def element(label: str) -> str:
    """The element of a label of an atom or of a kind of atoms.

    Elements stand for themselves and isotopes (D, T, 2H) for their element: labels of a calculation
    with fixed nuclei do not depend on the mass. Kinds have a suffix (``N1``, ``C_ring``, ``Zn2+``);
    some programs write capitals (``ZN``).

    Parameters
    ----------
    label : str
        The label.

    Returns
    -------
    str
        Chemical symbol.

    Raises
    ------
    Unfit
        There is no such element.
    """
    text = str(label).strip()
    if text in ISOTOPES or (text in atomic_numbers and text != "X"):
        return ISOTOPES.get(text, text)
    match = _LABEL.fullmatch(text)
    for found in (match[1], match[1].capitalize()) if match else ():
        if (found in ISOTOPES and found != "T") or (found in atomic_numbers and found != "X"):
            return ISOTOPES.get(found, found)
    said = f"{label!r} is no element" if text else "an atom has no element"
    raise Unfit(f"{said}; write the symbol (C, H, N, Zn ...) of each atom")


def elements(labels: Iterable[str]) -> np.ndarray:
    """Chemical symbols of the labels of atoms, see `element`.

    Parameters
    ----------
    labels : iterable of str
        The labels.

    Returns
    -------
    (N,) array of str
        Chemical symbols.

    Raises
    ------
    Unfit
        There is no such element.
    """
    labels = [str(label) for label in labels]
    known = {label: element(label) for label in dict.fromkeys(labels)}
    return np.array([known[label] for label in labels])


def read(path: Path | str) -> Atoms:
    """A structure of the user's own that can be heated: periodic and complete.

    Of several frames the last one is taken, which is reported. Isotopes are replaced by their
    element, because potentials know no others (reported as well, since densities are those of the
    common isotopes).

    Parameters
    ----------
    path : Path or str
        Any file that ASE reads.

    Returns
    -------
    ase.Atoms
        The structure.

    Raises
    ------
    NotThere
        There is no such file.
    Unfit
        It is not readable, has no cell or is not periodic in all directions, contains NaN, or atoms
        of an unknown element, shared between elements, not fully occupied or overlapping.
    """
    path = Path(path)
    name = paths.relative(path)
    if not path.is_file():
        raise NotThere(f"{path} does not exist; give a name of data/structures or a file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frames = _frames(path)
    except KeyError as error:  # its table of elements
        raise Unfit(
            f"{name} has atoms called {error}, no element that ASE knows; write the element's "
            f"symbol (H for deuterium)"
        ) from error
    except Exception as error:  # the readers of ASE raise whatever a file makes them stumble over
        with open(path, "rb") as start:
            marked = start.read(3).startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
        raise Unfit(
            f"{name} is no structure that ASE reads ({type(error).__name__}: {error}); "
            + ("it begins with a byte-order mark: save it as UTF-8 without one" if marked
               else "give an extended XYZ, CIF or POSCAR")
        ) from error  # fmt: skip
    if not frames:
        raise Unfit(f"{name} holds no structure; give an extended XYZ, CIF or POSCAR")
    atoms = frames[-1]
    symbols = set(atoms.symbols)
    if "C" in symbols and "H" not in symbols:
        raise Unfit(
            f"{name} has carbon and no hydrogen: X-rays did not find it; complete the molecules "
            f"(a potential of imidazolates knows no ligands without H)"
        )
    if len(frames) > 1:
        note(f"[taken] {name}: the last of {len(frames)} frames")
    _refuse_unfit(atoms, name)
    _refuse_parts(atoms, name)
    usual = atoms.copy()
    usual.set_masses("defaults")
    own = ~np.isclose(atoms.get_masses(), usual.get_masses(), rtol=0.01)
    if own.any():
        share = usual.get_masses().sum() / atoms.get_masses().sum()
        note(
            f"[masses] {name}: {own.sum()} atoms of another mass than their element's "
            f"({', '.join(sorted({atoms.symbols[i] for i in np.flatnonzero(own)}))}) are heated "
            f"with the usual one; densities are {share:.4f} times those of the file"
        )
    usual.calc = None
    if np.linalg.det(usual.cell.array) < 0:
        usual.set_cell(usual.cell.array[[0, 2, 1]])  # the same lattice; programs want it so
        note(f"[turned] {name}: left-handed cell, its last two vectors are swapped")
    return usual


def _frames(path: Path) -> list[Atoms]:
    """What ASE reads, and what it does not: operations of symmetry whose group has no name.

    Of .gro it takes ``ZN1`` for nitrogen.
    """
    try:
        frames = list(ase.io.iread(path, index=":"))
    except SpacegroupValueError:
        text = path.read_text(encoding="utf-8", errors="replace")
        if not re.search(r"(?m)^\s*_(symmetry_equiv_pos_as|space_group_symop_operation)_xyz", text):
            raise
        # under this number ASE takes the operations that the file lists
        numbered = re.sub(r"(?m)^(data_\S*)", r"\1\n_symmetry_Int_Tables_number 1", text)
        frames = list(ase.io.iread(io.BytesIO(numbered.encode()), index=":", format="cif"))
    for atoms in frames:
        if (labels := atoms.arrays.get("atomtypes")) is not None:
            atoms.symbols = elements(labels)
    return frames


@functools.cache
def note(text: str) -> None:
    """Print what a reader should know of a file, once in a process however often it is read.

    Parameters
    ----------
    text : str
        The line.
    """
    print(text, flush=True)


def _refuse_unfit(atoms: Atoms, name: str) -> None:
    if not len(atoms):
        raise Unfit(f"{name} holds no atoms; give an extended XYZ, CIF or POSCAR")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise Unfit(f"{name} holds NaN or infinity; write finite positions and a finite cell")
    if atoms.cell.rank < 3 or atoms.cell.volume < 1e-3 * len(atoms):
        raise Unfit(
            f"{name} has no periodic cell; write one into the file "
            f'(extended XYZ: Lattice="..." pbc="T T T")'
        )
    if not atoms.pbc.all():
        raise Unfit(
            f"{name} is not periodic in all directions (pbc {atoms.pbc.tolist()}); runs are: make "
            f'it so (pbc="T T T"), a molecule or a slab with vacuum around it'
        )
    for site, share in (atoms.info.get("occupancy") or {}).items():
        if unknown := [x for x in share.values() if not isinstance(x, (int, float))]:
            raise Unfit(
                f"{name}: the occupancy of site {site} is {unknown[0]!r}, no number; write 1 where "
                f"a site is full, or leave the column out"
            )
        if len(share) > 1 or any(abs(x - 1) > 1e-3 for x in share.values()):
            raise Unfit(
                f"{name}: site {site} is occupied in parts ({share}); choose one ordered structure"
            )
    shares = atoms.arrays.get("occupancy")  # of a PDB; all zero where its writer knew none
    if shares is not None and ((shares > 0) & (shares < 0.999)).any():
        i = int(np.flatnonzero((shares > 0) & (shares < 0.999))[0])
        raise Unfit(
            f"{name}: {atoms.symbols[i]} {i} is occupied in parts ({shares[i]:g}); choose one "
            f"ordered structure"
        )
    if (atoms.numbers == 0).any():
        raise Unfit(f"{name} has atoms without an element (X); write the symbol of each atom")
    reach = {
        (a, b): _OVERLAP * (covalent_radii[a] + covalent_radii[b])
        for a in set(atoms.numbers.tolist())
        for b in set(atoms.numbers.tolist())
    }
    i, j, d = _pairs(atoms, "ijd", reach)
    if len(i):
        k = int(d.argmin())
        raise Unfit(
            f"{name}: {len(i) // 2 or 1} pairs of atoms overlap, {atoms.symbols[i[k]]} {i[k]} and "
            f"{atoms.symbols[j[k]]} {j[k]} at {d[k]:.2f} A; remove the second copy, or check the "
            f"unit of the cell"
        )
    hydrogen = np.flatnonzero(atoms.symbols == "H")
    bound = _pairs(atoms, "i", _LONGEST_BOND_OF_H)
    alone = np.setdiff1d(hydrogen, bound)
    # where no H is near anything, not even in bohr, there are no molecules that could be cut
    molecules = np.isin(hydrogen, _pairs(atoms, "i", _NEAR_IN_BOHR)).any()
    if molecules and len(alone) > _LOOSE * len(hydrogen):  # fewer: an atom is missing, the run says
        raise Unfit(
            f"{name}: {len(alone)} of {len(hydrogen)} H have no atom within "
            f"{_LONGEST_BOND_OF_H:g} A (H {alone[0]}): the cell is not that of the atoms, or both "
            f"are not in A; mend it"
        )


def _pairs(atoms: Atoms, what: str, cutoff):
    """Of ASE, in no more bins than atoms: those of a huge cell would fill the memory."""
    from ase.neighborlist import primitive_neighbor_list

    return primitive_neighbor_list(
        what, atoms.pbc, atoms.cell.array, atoms.positions, cutoff, atoms.numbers,
        max_nbins=max(len(atoms), 8),
    )  # fmt: skip


def _refuse_parts(atoms: Atoms, name: str) -> None:
    """Refuse what X-rays did not find, and the asymmetric unit of a crystal for its cell."""
    symbols = np.array(atoms.symbols)
    i, j, distance, arm = _pairs(atoms, "ijdD", max(_ZN_N_A, _C_ZN_A))
    zinc = symbols == "Zn"
    # other frameworks hold Zn by O or halogens; without a C-N bond there are no ligands at all
    ligands = ((symbols[i] == "C") & (symbols[j] == "N") & (distance < _C_N_A)).any()
    if zinc.any() and ligands:
        holds = ~np.isin(symbols[j], ("H", "C", "Zn")) & (distance < _ZN_N_A)
        bound = (zinc[i] & holds).sum() / zinc.sum()
        if bound < _FEWEST_N:
            raise Unfit(
                f"{name}: Zn has {bound:.1f} N around it instead of 4: the file holds a part of "
                f"the crystal (its asymmetric unit, without the operations of symmetry), or its "
                f"cell is not that of the atoms; write all atoms of the cell"
            )
    reach = np.select([symbols == "H", zinc], [_LONGEST_BOND_OF_H, _C_ZN_A], _C_N_A)
    near = (symbols[i] == "C") & (distance < reach[j])
    i, j, arm = i[near], j[near], arm[near] / distance[near, None]
    hydrogen = symbols == "H"
    bare = []
    for c in np.flatnonzero(np.bincount(i, minlength=len(symbols)) == 2):
        one, other = arm[i == c]
        if one @ other > _BENT and not hydrogen[j[i == c]].any():
            bare.append(c)
    # in hot frames an H was torn off, or went to another C
    free = hydrogen.sum() - len(np.unique(i[hydrogen[j]]))
    if len(bare) > free:
        raise Unfit(
            f"{name}: C {bare[0]} has two neighbours at an angle and no H, "
            f"{len(bare) - free} H are missing (X-rays do not find all); complete the molecules"
        )


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
