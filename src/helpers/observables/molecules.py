"""Molecules recognised by their bonds: imidazolate rings, what broken ones leave, clusters of H."""

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
    """Molecules of one frame with its metal atoms taken out.

    label: (N,) number of the molecule each atom belongs to, -1 for metal. formula: (M,) Hill
    formulas. intact: (M,) True for an imidazolate ring C3H3N2. whole: (N,3) cell vectors to add
    to each atom so that no molecule is cut by the cell's faces.
    """

    label: np.ndarray
    formula: np.ndarray
    intact: np.ndarray
    whole: np.ndarray


def bonds(positions, cell, symbols, metal: str = "Zn") -> neighbors.Pairs:
    """Covalent bonds between all atoms but the metal, both directions, with shifts.

    A pair is bonded below 1.2 times the sum of its covalent radii (Cordero et al., Dalton Trans.
    2008, as in ASE); with hydrogen in it, below the sum plus 0.5 A: C-H 1.57, H-H 1.12 A.

    positions: (N,3) A. cell: (3,3) A.
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
    bonded = found.distance < reach[kind[found.i], kind[found.j]]
    return neighbors.Pairs(*(part[bonded] for part in found))


def find(positions, cell, symbols, metal: str = "Zn") -> Molecules:
    """Connected parts of the graph of ``bonds``, and which of them are imidazolate rings.

    Intact is a molecule C3H3N2 in which each C has one H and two ring neighbours, each N two C
    and no H: a five-membered ring N-C-N-C-C. A ring that lost or gained an H, opened, or joined
    another molecule is not.

    positions: (N,3) A. cell: (3,3) A.
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
    """A copy with all atoms wrapped into the cell but no molecule cut by its faces."""
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
    """Molecules in every frame.

    rings: (F,) intact imidazolates. possible: how many the composition allows.
    hydrogen: (F,) H atoms bound to no C or N. clusters: (F,) groups of two H or more that hold
    nothing else (H2 among them); largest_cluster: (F,) atoms in the largest. others: formula ->
    number of molecules, one Counter a frame, for all that is no intact imidazolate.
    ligand_broken: (F,L) True where the C and N of an imidazolate of the first frame (L of them are
    intact there) are not one intact imidazolate; which H it carries does not matter.
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
        """(F,) ligands that are no longer intact."""
        return self.possible - self.rings

    def formulas(self) -> pd.DataFrame:
        """Mean number a frame of each molecule other than imidazolate, the most frequent first."""
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

    The paper names decomposition and clusters of H above 1700 K, without numbers.

    positions: (F,N,3) A, wrapped or not. cells: (F,3,3) A. Raises ValueError for arrays that do
    not fit, no frame, NaN.
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
    """Runs of consecutive frames in which something happens, one row each.

    happens: (F,) or (F,L) bool, a column for each molecule. times_ps: (F,). Returns which (the
    column), start, end (first frame without it), frames, lasted_ps (between the first and the last
    frame with it: at least so long), open (still so in the last frame), lasting (over
    ``LASTING_FRAMES`` and ``LASTING_PS`` or more). Raises ValueError for arrays that do not fit.
    """
    happens, times = np.asarray(happens, bool), np.asarray(times_ps, float)
    happens = happens[:, None] if happens.ndim == 1 else happens
    if times.shape != happens.shape[:1]:
        raise ValueError(f"{len(happens)} frames and {len(times)} times do not fit")
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
    """How many molecules are in a ``lasting`` spell in each frame, (n_frames,)."""
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
