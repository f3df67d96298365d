"""A LAMMPS dump as text, written here and not by LAMMPS."""

import numpy as np


def dump(cells, positions, symbols, steps):
    """A LAMMPS dump of rectangular cells."""
    text = []
    for step, cell, xyz in zip(steps, cells, positions, strict=True):
        text += [
            "ITEM: TIMESTEP",
            step,
            "ITEM: NUMBER OF ATOMS",
            len(xyz),
            "ITEM: BOX BOUNDS pp pp pp",
            *(f"0 {x:.12g}" for x in np.diag(cell)),
            "ITEM: ATOMS id type element xu yu zu",
        ]
        text += [
            f"{i} 1 {s} {x:.9f} {y:.9f} {z:.9f}"
            for i, (s, (x, y, z)) in enumerate(zip(symbols, xyz, strict=True), start=1)
        ]
    return "\n".join(map(str, text)) + "\n"
