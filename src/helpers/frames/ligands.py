"""Imidazolates of a cell exchanged for benzimidazolates: from Zn(im)2 towards ZIF-62.

ZIF-62 is Zn(im)_(2-x)(bim)_x in the topology of ZIF-4. In small cells of other topologies the same
bonds are affordable for DFT. The new ring is put on geometrically; a relaxation has to follow.

Units: A.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

from helpers.errors import Unfit
from helpers.structures import TYPE_MAP

_BOND = {("C", "N"): 1.7, ("C", "C"): 1.75, ("C", "H"): 1.35}  # longest, hot ones too
_SIDE, _CH = 1.40, 1.09  # of a benzene ring


def imidazolates(atoms: Atoms) -> list[dict[str, list[int]]]:
    """The five-membered rings C3N2 of a cell, in the order of their atoms C2.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure, periodic.

    Returns
    -------
    list of dict
        Indices of the atoms of each ring: ``N`` (2), ``C2`` (1, between them), ``C45`` (2, bonded
        to each other), ``H45`` (the hydrogens of those).
    """
    i, j = neighbor_list("ij", atoms, _BOND)
    bonded = [[] for _ in atoms]
    for a, b in zip(i, j, strict=True):
        bonded[a].append(int(b))
    symbol = atoms.get_chemical_symbols()

    def of(a: int, element: str) -> list[int]:
        return [b for b in bonded[a] if symbol[b] == element]

    def other_carbon(n: int, c2: int) -> list[int]:
        return [c for c in of(n, "C") if c != c2][:1]

    found = []
    for c2 in (a for a, s in enumerate(symbol) if s == "C" and len(of(a, "N")) == 2):
        n1, n2 = of(c2, "N")
        c45 = [*other_carbon(n1, c2), *other_carbon(n2, c2)]
        if len(c45) < 2 or c45[1] not in of(c45[0], "C") or any(len(of(c, "H")) != 1 for c in c45):
            continue
        found.append({"N": of(c2, "N"), "C2": [c2], "C45": c45,
                      "H45": [of(c, "H")[0] for c in c45]})  # fmt: skip
    return found


def benzo(atoms: Atoms, ring: dict[str, list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """The atoms that make a benzimidazolate of a ring.

    A regular hexagon on the bond C4-C5, in the plane of the ring, away from it.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    ring : dict of str to list of int
        One ring, from `imidazolates`.

    Returns
    -------
    carbon : (4, 3) array
        Positions of the new C, A.
    hydrogen : (4, 3) array
        Positions of the new H, A.
    """
    first = ring["C45"][0]
    p = atoms.positions[first]
    q = p + atoms.get_distance(first, ring["C45"][1], mic=True, vector=True)
    c2 = p + atoms.get_distance(first, ring["C2"][0], mic=True, vector=True)
    along = (q - p) / np.linalg.norm(q - p)
    out = (p + q) / 2 - c2
    out -= along * (out @ along)
    out /= np.linalg.norm(out)
    half, high = _SIDE / 2 * along, _SIDE * np.sqrt(3) / 2 * out
    side_p, side_q = p - half + high, q + half + high
    carbon = np.array([side_p, side_p + half + high, side_q - half + high, side_q])
    centre = (p + q) / 2 + high
    outward = carbon - centre
    return carbon, carbon + _CH * outward / np.linalg.norm(outward, axis=1)[:, None]


def room(atoms: Atoms, ring: dict[str, list[int]]) -> float:
    """Closest distance of the new atoms of `benzo` to any atom but those of the ring itself.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    ring : dict of str to list of int
        One ring, from `imidazolates`.

    Returns
    -------
    float
        Distance, A.
    """
    new = Atoms("C4H4", np.concatenate(benzo(atoms, ring)), cell=atoms.cell, pbc=True)
    others = np.setdiff1d(np.arange(len(atoms)), np.concatenate(list(ring.values())))
    both = new + atoms[others]
    return float(min(both.get_distances(a, range(8, len(both)), mic=True).min() for a in range(8)))


def exchange(atoms: Atoms, n: int) -> Atoms:
    """The cell with some ligands exchanged, one after the other those with most space.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    n : int
        Number of ligands to exchange.

    Returns
    -------
    ase.Atoms
        The structure, its atoms in the order of the type map.

    Raises
    ------
    Unfit
        There are fewer imidazolates than that.
    """
    atoms = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    for _ in range(n):
        rings = imidazolates(atoms)
        if not rings:
            raise Unfit(
                f"{atoms.get_chemical_formula()} has no imidazolate left to exchange; take fewer"
            )
        ring = max(rings, key=lambda r, now=atoms: room(now, r))
        carbon, hydrogen = benzo(atoms, ring)
        atoms += Atoms("C4H4", np.concatenate([carbon, hydrogen]))
        del atoms[ring["H45"]]
    order = np.argsort([TYPE_MAP.index(s) for s in atoms.symbols], kind="stable")
    return atoms[order]
