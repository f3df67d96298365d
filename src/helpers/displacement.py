"""How far atoms have moved: root-mean-square displacement per element."""

from __future__ import annotations

import numpy as np
from ase.data import atomic_masses, atomic_numbers


def rmsd(positions, symbols, reference: int = 0, cells=None) -> dict[str, np.ndarray]:
    r"""Root-mean-square displacement of each element from a reference frame.

    .. math:: d_\alpha(f) = \sqrt{\frac{1}{N_\alpha} \sum_{i \in \alpha}
        |\mathbf{r}_i(f) - \mathbf{r}_i(f_0)|^2}

    after the drift of the centre of mass is taken off. With ``cells`` (F,3,3) the homogeneous
    swelling of the cell is taken off, too: displacements are those of the fractional
    coordinates, measured in the cell of the frame; without them expansion counts as motion.

    positions: (F,N,3) A, *unwrapped*. symbols: (N,). reference: index of a frame.
    Returns element -> (F,) in A, elements in alphabetical order.

    Raises ValueError when positions and symbols do not fit.
    """
    positions, symbols = np.asarray(positions, float), np.asarray(symbols)
    if positions.ndim != 3 or positions.shape[1:] != (len(symbols), 3):
        raise ValueError(
            f"positions {positions.shape} and {len(symbols)} symbols do not fit: "
            "(frames, atoms, 3) is needed"
        )
    if cells is None:
        moved = positions - positions[reference]
    else:
        cells = np.asarray(cells, float)
        fractional = np.einsum("fni,fij->fnj", positions, np.linalg.inv(cells))
        moved = np.einsum("fni,fij->fnj", fractional - fractional[reference], cells)
    mass = atomic_masses[[atomic_numbers[s] for s in symbols]]
    moved = moved - np.average(moved, axis=1, weights=mass)[:, None]
    square = (moved**2).sum(axis=2)
    return {
        str(element): np.sqrt(square[:, symbols == element].mean(axis=1))
        for element in np.unique(symbols)
    }
