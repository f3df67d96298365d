"""Whether two atoms that come too near repel each other as much as the reference says.

Units: A, eV, eV/A.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from helpers.errors import Unfit
from helpers.frames import correction
from helpers.md import force_field, lammps
from helpers.observables import neighbors
from helpers.potentials import evaluation, store
from helpers.potentials.store import Potential

_FARTHEST_A = 9.0  # of two atoms that are looked at
_ALONE_A = 20.0  # of a pair from the next one


def forces_along(
    potential: str | Path | Potential,
    sets: Sequence[str],
    element: str = "Zn",
    part: str | None = None,
) -> pd.DataFrame:
    r"""What drives the two nearest atoms of one element apart, in every frame of some sets.

    With n the unit vector from atom j to atom i,

    .. math:: f = \tfrac12 (\mathbf F_i - \mathbf F_j) \cdot \mathbf n,

    which is positive where they repel each other. It has a part of all the other atoms as well, the
    same in every column.

    Parameters
    ----------
    potential : str, Path or Potential
        See ``store.load``.
    sets : sequence of str
        Sets of labelled frames, of any number of elements.
    element : str
        The element.
    part : str, optional
        ``training`` or ``validation``; by default both.

    Returns
    -------
    DataFrame
        A row for each frame with such a pair within 9 A: set, distance_A; energy_error_eV, of the
        potential against the reference as it was trained on it, for the whole cell; and f in eV/A
        by the reference, by the potential, and by the potential as LAMMPS runs it, with its wall
        (`helpers.md.force_field`): reference, potential, with_wall. Sorted by the distance.

    Raises
    ------
    BadFrames
        There is no such set.
    Unfit
        No frame has such a pair.
    BadPotential
        As ``store.check_potential``.
    """
    known, rows = store.load(potential), []
    for name in sets:
        system = correction.load(name, part, correction.of(known.directory))
        found = evaluation.predict(known, system)
        atoms = np.flatnonzero(found.elements == element)
        for frame in range(len(system)):
            near = neighbors.pairs(
                system["coords"][frame], system["cells"][frame], atoms, atoms, _FARTHEST_A, True
            )
            if not len(near.distance):
                continue
            first = int(np.argmin(near.distance))
            i, j = near.i[first], near.j[first]
            image = np.asarray(near.shift)[first] @ system["cells"][frame]
            apart = system["coords"][frame][i] - system["coords"][frame][j] - image
            n = apart / near.distance[first]
            rows.append({
                "set": name,
                "distance_A": near.distance[first],
                "energy_error_eV": found.energy[frame] - found.energy_reference[frame],
                "reference": _apart(found.force_reference[frame], i, j, n),
                "potential": _apart(found.force[frame], i, j, n),
            })  # fmt: skip
    if not rows:
        raise Unfit(
            f"no two {element} of {', '.join(sets) or 'no set'} are within {_FARTHEST_A:g} A; "
            f"name sets in which there are"
        )
    table = pd.DataFrame(rows).sort_values("distance_A", ignore_index=True)
    added = wall(known.zinc_wall_A, table["distance_A"]) if element == "Zn" else 0.0
    table["with_wall"] = table["potential"] + added
    return table


def error_below(table: pd.DataFrame, nearer_A: float) -> tuple[float, float, int]:
    """Mean error of the energy of frames whose two nearest atoms are near.

    Parameters
    ----------
    table : DataFrame
        Result of `forces_along`.
    nearer_A : float
        Nearer than this, A.

    Returns
    -------
    mean : float
        eV for the whole cell; nan without such a frame.
    error : float
        Its standard error, eV, as if the frames were independent; nan of fewer than two.
    frames : int
        How many there are.
    """
    off = table.loc[table["distance_A"] < nearer_A, "energy_error_eV"]
    return float(off.mean()), float(off.sem()), len(off)


def _apart(forces: np.ndarray, i: int, j: int, n: np.ndarray) -> float:
    return float((forces[i] - forces[j]) @ n / 2)


def wall(zinc_wall_A: Sequence[float], distances_A: Sequence[float]) -> np.ndarray:
    """Force of the wall between two Zn, by LAMMPS itself.

    Parameters
    ----------
    zinc_wall_A : (float, float) or ()
        The wall, A, see `helpers.md.force_field`; () is none.
    distances_A : (n,) sequence of float
        Distances of the two, A.

    Returns
    -------
    (n,) array
        eV/A, positive where they repel each other.

    Raises
    ------
    LammpsDied
        LAMMPS ended with an error.
    """
    distance = np.asarray(distances_A, float)
    forces = np.zeros(len(distance))
    if not zinc_wall_A:
        return forces
    style, nuclei = force_field.zinc_wall(tuple(zinc_wall_A))
    # all pairs in one cell, one above the other, too far apart to feel each other
    near = np.flatnonzero(distance < zinc_wall_A[1])
    if not len(near):
        return forces
    heights = _ALONE_A * np.arange(len(near))
    still = np.column_stack([np.zeros((len(near), 2)), heights])
    moved = still + np.outer(distance[near], [1, 0, 0])
    cell = [_ALONE_A, _ALONE_A, _ALONE_A * len(near)]
    pairs = Atoms(["Zn"] * (2 * len(near)), [*still, *moved], cell=cell, pbc=True)
    found = lammps.single_point(pairs, [f"pair_style {style}", f"pair_coeff * * {nuclei}"])[1]
    forces[near] = found[len(near) :, 0]
    return forces
