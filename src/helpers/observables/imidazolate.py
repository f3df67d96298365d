"""Bond lengths and angles of imidazolate rings on zinc in one structure."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
from ase import Atoms
from ase.neighborlist import neighbor_list

from helpers.errors import Unfit

_BONDS = {("Zn", "N"): 2.6, ("C", "N"): 1.65, ("C", "C"): 1.65, ("C", "H"): 1.35}  # A


def geometry(atoms: Atoms) -> pd.DataFrame:
    """Mean bond lengths and angles of imidazolate rings on zinc.

    C2 is the carbon atom between the two nitrogen atoms, C4 each of the other two.

    Parameters
    ----------
    atoms : ase.Atoms
        A structure with whole imidazolate rings.

    Returns
    -------
    DataFrame
        Rows ``C2-N``, ``C4-N``, ``C4-C4``, ``C2-H``, ``C4-H``, ``N-Zn`` and the angles that involve
        no hydrogen (``N-C2-N`` ...); columns ``unit`` (A or deg), ``mean``, ``spread`` (standard
        deviation) and ``number``.

    Raises
    ------
    Unfit
        A carbon atom is bonded to neither one nor two nitrogen atoms, so that the rings are not
        intact imidazolates.
    """
    i, j, bond, distance = neighbor_list("ijDd", atoms, _BONDS)
    kind = np.array(atoms.get_chemical_symbols(), dtype="<U2")
    nitrogens = np.bincount(i[kind[j] == "N"], minlength=len(atoms))
    carbon = np.flatnonzero(kind == "C")
    if wrong := [int(c) for c in carbon if nitrogens[c] not in (1, 2)]:
        raise Unfit(
            f"{len(wrong)} carbon atoms (index {wrong[0]} ...) have neither one nor two nitrogens "
            f"within {_BONDS['C', 'N']} A: broken rings, or no imidazolates"
        )
    kind[carbon] = np.where(nitrogens[carbon] == 2, "C2", "C4")
    found: dict[tuple[str, str], list[float]] = {}
    once = i < j
    for a, b, d in zip(kind[i[once]], kind[j[once]], distance[once], strict=True):
        found.setdefault(("-".join(sorted((a, b))), "A"), []).append(d)
    for center in np.flatnonzero(kind != "H"):
        heavy = np.flatnonzero((i == center) & (kind[j] != "H"))
        for m, n in itertools.combinations(heavy, 2):
            first, last = sorted((kind[j[m]], kind[j[n]]))
            cosine = bond[m] @ bond[n] / distance[m] / distance[n]
            angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
            found.setdefault((f"{first}-{kind[center]}-{last}", "deg"), []).append(angle)
    return pd.DataFrame.from_dict(
        {name: {"unit": unit, "mean": np.mean(v), "spread": np.std(v), "number": len(v)}
         for (name, unit), v in sorted(found.items(), key=lambda item: item[0][::-1])},
        orient="index",
    )  # fmt: skip


def beside(atoms: Atoms, reference: Atoms) -> pd.DataFrame:
    """Geometry of a structure next to that of a reference structure.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    reference : ase.Atoms
        The reference structure.

    Returns
    -------
    DataFrame
        Rows as in ``geometry``; columns ``unit``, ``reference``, ``here`` and ``difference`` (here
        - reference).

    Raises
    ------
    Unfit
        As ``geometry``.
    """
    here, there = geometry(atoms), geometry(reference)
    return pd.DataFrame({"unit": there["unit"], "reference": there["mean"], "here": here["mean"],
                         "difference": here["mean"] - there["mean"]})  # fmt: skip
