"""Molecules identified by their bonds: imidazolate rings, their fragments, and clusters of H."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from ase.formula import Formula
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helpers import structures
from helpers.errors import Unfit
from helpers.observables import neighbors

# A C-H bond at 2000 K swings by 0.08 A about 1.08 A and would now and then be longer than 1.2 times
# its radii; the next H of a ring is a full angstrom further away.
_STRETCH, _HYDROGEN_A = 1.2, 0.5
_RING = {"C": 3, "H": 3, "N": 2}
# The slowest vibration of an imidazole ring lasts about 0.05 ps (600 1/cm): what is still broken
# after ten of them has not merely swung out.
LASTING_PS, LASTING_FRAMES = 0.5, 3


@dataclass(frozen=True)
class Molecules:
    """The molecules of one frame, with the metal atoms left out.

    Attributes
    ----------
    label : (N,) array of int
        Number of the molecule that each atom belongs to; -1 for metal.
    formula : (M,) array of str
        Formula of each molecule in Hill notation.
    intact : (M,) array of bool
        True for an imidazolate ring C3H3N2.
    whole : (N, 3) array of int
        Cell vectors to add to each atom so that no molecule crosses a face of the cell.
    """

    label: np.ndarray
    formula: np.ndarray
    intact: np.ndarray
    whole: np.ndarray


def bonds(positions, cell, symbols, metal: str = "Zn") -> neighbors.Pairs:
    """Covalent bonds between all atoms but the metal, in both directions.

    Two atoms are bonded if their distance is below 1.2 times the sum of their covalent radii
    (Cordero et al., Dalton Trans. 2008, as in ASE). If one of them is hydrogen the limit is the sum
    plus 0.5 A: C-H 1.57 A, H-H 1.12 A.

    Parameters
    ----------
    positions : (N, 3) array
        A, wrapped or not.
    cell : (3, 3) array
        A.
    symbols : (N,) sequence of str
        Chemical symbols.
    metal : str
        Element that is left out.

    Returns
    -------
    neighbors.Pairs
        The bonded pairs with their shifts.

    Raises
    ------
    Unfit
        As ``neighbors.pairs``.
    """
    symbols = structures.elements(symbols)
    organic = np.flatnonzero(symbols != metal)
    elements, kind = np.unique(symbols, return_inverse=True)
    radius = covalent_radii[[atomic_numbers[e] for e in elements]]
    reach = radius[:, None] + radius
    hydrogen = elements == "H"
    reach = np.where(hydrogen | hydrogen[:, None], reach + _HYDROGEN_A, reach * _STRETCH)
    used = np.unique(kind[organic])
    farthest = reach[np.ix_(used, used)].max(initial=1.0)
    found = neighbors.pairs(positions, cell, organic, organic, farthest, shifts=True)
    return found.chosen(found.distance < reach[kind[found.i], kind[found.j]])


def find(positions, cell, symbols, metal: str = "Zn") -> Molecules:
    """Molecules as the connected components of the graph of ``bonds``.

    A molecule is an intact imidazolate if it is C3H3N2, each C has one H and two ring neighbours,
    and each N two C and no H: a five-membered ring N-C-N-C-C. A ring that lost or gained an H,
    opened, or joined another molecule is not intact.

    Parameters
    ----------
    positions : (N, 3) array
        A, wrapped or not.
    cell : (3, 3) array
        A.
    symbols : (N,) sequence of str
        Chemical symbols.
    metal : str
        Element that is left out.

    Returns
    -------
    Molecules
        The molecules of the frame.

    Raises
    ------
    Unfit
        As ``neighbors.pairs``.
    """
    symbols = structures.elements(symbols)
    size = len(symbols)
    organic = np.flatnonzero(symbols != metal)
    i, j, _, shift = bonds(positions, cell, symbols, metal)
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(size, size))
    number = connected_components(graph, directed=False)[1]
    label = np.full(size, -1)
    label[organic] = np.unique(number[organic], return_inverse=True)[1]
    n_molecules = label.max(initial=-1) + 1

    elements = np.unique(symbols[organic])
    counts = np.zeros((n_molecules, len(elements)), int)
    np.add.at(counts, (label[organic], np.searchsorted(elements, symbols[organic])), 1)
    rows, which = np.unique(counts, axis=0, return_inverse=True)
    names = [
        Formula.from_dict(dict(zip(elements.tolist(), row.tolist(), strict=True))).format("hill")
        for row in rows
    ]
    wanted = np.array([_RING.get(e, 0) for e in elements])

    degree = {e: np.bincount(i[symbols[j] == e], minlength=size) for e in ("C", "N", "H")}
    fits = np.select(
        [symbols == "C", symbols == "N", symbols == "H"],
        [
            (degree["C"] + degree["N"] == 2) & (degree["H"] == 1),
            (degree["C"] == 2) & (degree["N"] + degree["H"] == 0),
            (degree["C"] == 1) & (degree["N"] + degree["H"] == 0),
        ],
        False,
    )
    bad = np.bincount(label[organic], ~fits[organic], minlength=n_molecules)
    right = (counts == wanted).all(axis=1) & (set(_RING) <= set(elements.tolist()))
    return Molecules(
        label,
        np.array(names, dtype=object)[which.ravel()],
        right & (bad == 0),
        _whole(i, j, shift, label),
    )


def unbroken(atoms: Atoms, metal: str = "Zn") -> Atoms:
    """A copy with all atoms wrapped into the cell, but no molecule cut by its faces.

    Parameters
    ----------
    atoms : ase.Atoms
        A periodic structure.
    metal : str
        Element that belongs to no molecule.

    Returns
    -------
    ase.Atoms
        The copy.
    """
    atoms = atoms.copy()
    atoms.wrap()
    found = find(atoms.positions, atoms.cell.array, atoms.get_chemical_symbols(), metal)
    atoms.positions += found.whole @ atoms.cell.array
    return atoms


def _whole(i, j, shift, label) -> np.ndarray:
    """Walk along the bonds from the first atom of each molecule, all molecules at once."""
    whole, known = np.zeros((len(label), 3), int), label < 0
    known[np.unique(label, return_index=True)[1]] = True
    while (step := known[i] & ~known[j]).any():
        whole[j[step]] = whole[i[step]] + shift[step]
        known[j[step]] = True
    return whole


@dataclass(frozen=True)
class Census:
    """Molecules in every frame of a trajectory.

    Attributes
    ----------
    rings : (F,) array of int
        Intact imidazolates.
    possible : int
        Number of imidazolates that the composition allows.
    hydrogen : (F,) array of int
        H atoms bound to neither C nor N.
    clusters : (F,) array of int
        Molecules of two or more H atoms and nothing else, H2 included.
    largest_cluster : (F,) array of int
        Atoms in the largest of them.
    others : list of Counter
        For each frame, the number of molecules of each formula, intact imidazolates left out.
    ligand_broken : (F, L) array of bool
        For each of the L imidazolates that are intact in the first frame: True where its C and N
        atoms do not form one intact imidazolate. Which H atoms it carries does not matter.
    """

    rings: np.ndarray
    possible: int
    hydrogen: np.ndarray
    clusters: np.ndarray
    largest_cluster: np.ndarray
    others: list[Counter]
    ligand_broken: np.ndarray

    @property
    def broken(self) -> np.ndarray:
        """Number of ligands that are no longer intact, (F,)."""
        return self.possible - self.rings

    def formulas(self) -> pd.DataFrame:
        """Molecules other than imidazolate, the most frequent first.

        Returns
        -------
        DataFrame
            A row for each formula: ``formula``, mean number in ``a frame``, and the number of
            ``frames`` in which it occurs.
        """
        total = sum(self.others, Counter())
        return pd.DataFrame(
            {
                "formula": [name for name, _ in total.most_common()],
                "a frame": [n / len(self.others) for _, n in total.most_common()],
                "frames": [
                    sum(name in one for one in self.others) for name, _ in total.most_common()
                ],
            }
        )


def census(positions, cells, symbols, metal: str = "Zn") -> Census:
    """Count intact ligands, broken ones and clusters of hydrogen along a trajectory.

    The paper reports decomposition and clusters of H above 1700 K, without numbers.

    Parameters
    ----------
    positions : (F, N, 3) array
        A, wrapped or not.
    cells : (F, 3, 3) array
        A.
    symbols : (N,) sequence of str
        Chemical symbols.
    metal : str
        Element that belongs to no molecule.

    Returns
    -------
    Census
        The counts of all frames.

    Raises
    ------
    Unfit
        The arrays do not fit together, there is no frame, or a value is NaN.
    """
    positions, cells, symbols = neighbors.frames(positions, cells, symbols)
    possible = min(int((symbols == e).sum()) // n for e, n in _RING.items())
    rows, others, broken, cores = [], [], [], None
    for frame, cell in zip(positions, cells, strict=True):
        found = find(frame, cell, symbols, metal)
        cores = _cores(found, symbols) if cores is None else cores
        whole = (found.label[cores] == found.label[cores[:, :1]]).all(axis=1)
        broken.append(~(whole & found.intact[found.label[cores[:, 0]]]))
        n_atoms = np.bincount(found.label[found.label >= 0], minlength=len(found.formula))
        pure = np.zeros(len(found.formula), bool)
        pure[found.label[symbols == "H"]] = True
        pure[found.label[(symbols != "H") & (found.label >= 0)]] = False
        cluster = n_atoms[pure & (n_atoms > 1)]
        rows.append((found.intact.sum(), n_atoms[pure].sum(), len(cluster), cluster.max(initial=0)))
        others.append(Counter(found.formula[~found.intact].tolist()))
    rings, hydrogen, clusters, largest = np.array(rows, int).T
    return Census(rings, possible, hydrogen, clusters, largest, others, np.array(broken))


def spells(happens, times_ps) -> pd.DataFrame:
    """Uninterrupted series of frames in which something is the case.

    Parameters
    ----------
    happens : (F,) or (F, L) array of bool
        Whether it is the case in each frame, in a column for each molecule.
    times_ps : (F,) array
        Time of each frame, ps.

    Returns
    -------
    DataFrame
        A row for each series: ``which`` (the column), ``start`` and ``end`` (first frame with and
        first frame without it), the number of ``frames``, ``lasted_ps`` (from the first to the last
        frame with it: a lower bound), ``open`` (still the case in the last frame) and ``lasting``
        (``LASTING_FRAMES`` frames and ``LASTING_PS`` or more).

    Raises
    ------
    Unfit
        Frames and times do not fit together.
    """
    happens, times = np.asarray(happens, bool), np.asarray(times_ps, float)
    happens = happens[:, None] if happens.ndim == 1 else happens
    if times.shape != happens.shape[:1]:
        raise Unfit(f"{len(happens)} frames and {len(times)} times do not fit")
    padded = np.pad(happens.T.astype(int), ((0, 0), (1, 1)))
    which, start = np.nonzero(np.diff(padded) == 1)
    end = np.nonzero(np.diff(padded) == -1)[1]
    lasted = times[end - 1] - times[start]
    return pd.DataFrame(
        {
            "which": which,
            "start": start,
            "end": end,
            "frames": end - start,
            "lasted_ps": lasted,
            "open": end == len(times),
            "lasting": (end - start >= LASTING_FRAMES) & (lasted >= LASTING_PS),
        }
    )


def still_broken(found: pd.DataFrame, n_frames: int) -> np.ndarray:
    """Number of molecules that are in a lasting series of broken frames, for each frame.

    Parameters
    ----------
    found : DataFrame
        Result of ``spells``.
    n_frames : int
        Number of frames of the trajectory.

    Returns
    -------
    (n_frames,) array of int
        Number of molecules.
    """
    lasting = found[found["lasting"]]
    change = np.zeros(n_frames + 1, int)
    np.add.at(change, lasting["start"].to_numpy(int), 1)
    np.add.at(change, lasting["end"].to_numpy(int), -1)
    return change[:-1].cumsum()


def _cores(found: Molecules, symbols) -> np.ndarray:
    """(L,5) C and N of the intact imidazolates."""
    ring = np.isin(symbols, ("C", "N")) & (found.label >= 0)
    ring[ring] = found.intact[found.label[ring]]
    atoms = np.flatnonzero(ring)
    return atoms[np.argsort(found.label[atoms], kind="stable")].reshape(-1, 5)
