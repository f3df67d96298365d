"""All pairs of atoms within a distance, with periodic images, in any triclinic cell.

Cell lists in numba (Allen & Tildesley, *Computer Simulation of Liquids*, 5.3.2): atoms are sorted
into boxes along the cell vectors, and each box is compared with the boxes that can hold an atom
within ``r_max``. The boxes of one column are contiguous in memory, so that the innermost loop runs
over many atoms at once. The kernels are compiled once and cached on disk; a message announces a
compilation.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
from numba import njit

from helpers.errors import Unfit


class Pairs(NamedTuple):
    """Directed pairs, central atom to neighbour, as from ASE's ``neighbor_list("ijdS")``.

    Attributes
    ----------
    i : (M,) array of int
        Indices of the central atoms.
    j : (M,) array of int
        Indices of the neighbours.
    distance : (M,) array
        Distances, A.
    shift : (M, 3) array of int or None
        Cell vectors to add to atom j: the bond vector is ``r_j + shift @ cell - r_i``. None if the
        shifts were not asked for.
    """

    i: np.ndarray
    j: np.ndarray
    distance: np.ndarray
    shift: np.ndarray | None = None

    def chosen(self, which: np.ndarray) -> Pairs:
        """Some of the pairs.

        Parameters
        ----------
        which : (M,) array of bool
            True for those to keep.

        Returns
        -------
        Pairs
            The pairs.
        """
        shift = None if self.shift is None else self.shift[which]
        return Pairs(self.i[which], self.j[which], self.distance[which], shift)


def pairs(positions, cell, centers, neighbors, r_max: float, shifts: bool = False) -> Pairs:
    """Pairs of atoms within a distance, from one group of atoms to another.

    An atom is not paired with itself, but it is paired with its own periodic images: in a cell
    narrower than ``2 r_max`` every image within the distance is counted once.

    Parameters
    ----------
    positions : (N, 3) array
        A, wrapped or not.
    cell : (3, 3) array
        A, rows are the cell vectors.
    centers : (n,) array of int
        Indices of the central atoms.
    neighbors : (m,) array of int
        Indices of the possible neighbours.
    r_max : float
        Distances below this are found, A.
    shifts : bool
        Whether to return the cell vectors of each pair as well.

    Returns
    -------
    Pairs
        All directed pairs.

    Raises
    ------
    Unfit
        Positions or cell hold NaN, the cell has no volume, or ``r_max`` is not positive.
    """
    positions, cell = checked(positions, cell, r_max)
    centers, neighbors = np.asarray(centers, int), np.asarray(neighbors, int)
    box = _boxes(positions, cell, neighbors, r_max, finest=2)
    image = np.floor(positions[centers] @ box.inverse)
    inside = positions[centers] - image @ cell
    announce_compilation(_directed)
    i, j, distance, shift = _directed(
        inside,
        _box_of(inside @ box.inverse, box.shape),
        centers,
        box.xyz,
        box.atom,
        box.start,
        box.shape,
        cell,
        box.reach,
        box.z_low,
        box.z_high,
        float(r_max),
    )
    if shifts:
        whole = np.zeros((len(positions), 3), int)
        whole[neighbors], whole[centers] = box.image, image
        shift = shift + whole[i] - whole[j]
    return Pairs(i, j, distance, shift if shifts else None)


def closest(positions, cells, symbols, element: str, r_max: float = 6.0) -> np.ndarray:
    """Shortest distance between two atoms of one element in each frame.

    Parameters
    ----------
    positions : (F, N, 3) array_like
        A.
    cells : (F, 3, 3) array_like
        A.
    symbols : (N,) sequence of str
        Chemical symbols.
    element : str
        The element.
    r_max : float
        How far is looked, A.

    Returns
    -------
    (F,) array
        A; inf where no two atoms are nearer than ``r_max``.

    Raises
    ------
    Unfit
        As `frames` and `select`.
    """
    positions, cells, symbols = frames(positions, cells, symbols)
    atoms = select(symbols, element)
    found = []
    for frame, cell in zip(positions, cells, strict=True):
        near = pairs(frame, cell, atoms, atoms, r_max).distance
        found.append(near.min() if len(near) else np.inf)
    return np.array(found)


def histogram(positions, cell, kind, n_kinds: int, r_max: float, n_bins: int) -> np.ndarray:
    """Histograms of all distances, separately for every pair of kinds, in one pass.

    Parameters
    ----------
    positions : (N, 3) array
        A, wrapped or not.
    cell : (3, 3) array
        A.
    kind : (N,) array of int
        Kind of each atom (its element, say), 0 ... ``n_kinds - 1``.
    n_kinds : int
        Number of kinds.
    r_max : float
        Upper end of the histograms, A.
    n_bins : int
        Number of bins; bin k holds ``k <= r / (r_max / n_bins) < k + 1``.

    Returns
    -------
    (n_kinds, n_kinds, n_bins) array of int
        Numbers of *directed* pairs from the first kind to the second, so that ``counts[a, b] ==
        counts[b, a]`` and the sum over all kinds counts each pair twice. Images are counted as in
        ``pairs``.

    Raises
    ------
    Unfit
        As ``pairs``.
    """
    positions, cell = checked(positions, cell, r_max)
    box = _boxes(positions, cell, np.arange(len(positions)), r_max, finest=3)
    kind = np.ascontiguousarray(np.asarray(kind)[box.atom], np.int64)
    flat = np.zeros(n_kinds * n_kinds * (n_bins + 1), np.int64)
    announce_compilation(_count)
    _count(
        box.xyz,
        kind,
        box.start,
        box.shape,
        cell,
        box.reach,
        box.z_low,
        box.z_high,
        n_bins / r_max,
        n_kinds,
        n_bins,
        flat,
    )
    counts = flat.reshape(n_kinds, n_kinds, n_bins + 1)[:, :, :n_bins]
    return counts + counts.transpose(1, 0, 2)


def widest_radius(cells) -> float:
    """Largest radius at which a pair of atoms is found in one image only.

    Half the shortest distance between opposite faces of the narrowest cell.

    Parameters
    ----------
    cells : (3, 3) or (F, 3, 3) array
        A.

    Returns
    -------
    float
        Radius, A.
    """
    inverse = np.linalg.inv(np.asarray(cells, float))
    return float(0.5 / np.linalg.norm(inverse, axis=-2).max())


def select(symbols, element: str) -> np.ndarray:
    """Indices of the atoms of one element.

    Parameters
    ----------
    symbols : (N,) sequence of str
        Chemical symbols.
    element : str
        The element.

    Returns
    -------
    (n,) array of int
        Indices, in increasing order.

    Raises
    ------
    Unfit
        There is no such atom.
    """
    symbols = np.asarray(symbols)
    found = np.flatnonzero(symbols == element)
    if not len(found):
        raise Unfit(
            f"no atom of element {element!r} in the structure; it has {sorted(set(symbols))}"
        )
    return found


def frames(positions, cells, symbols) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Convert a trajectory to arrays and check that they fit together.

    Parameters
    ----------
    positions : (F, N, 3) array_like
        A.
    cells : (F, 3, 3) array_like
        A.
    symbols : (N,) sequence of str
        Chemical symbols.

    Returns
    -------
    positions : (F, N, 3) array
        A.
    cells : (F, 3, 3) array
        A.
    symbols : (N,) array
        Chemical symbols.

    Raises
    ------
    Unfit
        The shapes do not fit together, or there is no frame.
    """
    positions, cells = np.asarray(positions, float), np.asarray(cells, float)
    symbols = np.asarray(symbols)
    wanted = (len(positions), len(symbols), 3)
    if positions.shape != wanted or cells.shape != (len(positions), 3, 3):
        raise Unfit(
            f"positions {positions.shape}, cells {cells.shape} and {len(symbols)} symbols do not "
            "fit; they must be (frames, atoms, 3), (frames, 3, 3) and one symbol an atom"
        )
    if not len(positions):
        raise Unfit("no frames: the chosen range of the trajectory is empty")
    order = SameOrder(symbols)
    for frame, cell in zip(positions, cells, strict=True):
        order.check(frame, cell)
    return positions, cells, symbols


class SameOrder:
    """Check that atoms are in the same order in each frame, so that one list of symbols holds.

    Some programs sort the atoms anew in each frame. Atoms then appear where atoms of another
    element were before: far more of them than by motion (by chance, 5 % come within 0.5 A of the
    place of another atom). If only atoms of one element changed their places with each other, most
    of those that moved stand where another one stood.

    Parameters
    ----------
    symbols : (N,) sequence of str
        Chemical symbols.
    """

    def __init__(self, symbols):
        self.symbols, self._frame, self._seen = np.asarray(symbols), 0, None

    def check(self, positions, cell) -> None:
        """Check one frame against the previous one.

        Parameters
        ----------
        positions : (N, 3) array
            A.
        cell : (3, 3) array
            A.

        Raises
        ------
        Unfit
            The atoms are in another order than in the previous frame.
        """
        if abs(np.linalg.det(cell)) < 1e-6 or not np.isfinite(positions).all():
            return  # said elsewhere
        fractional = positions @ np.linalg.inv(cell)
        before, self._seen = self._seen, fractional
        self._frame += 1
        if before is None or before.shape != fractional.shape or len(fractional) < 20:
            return
        step = fractional - before
        step = (step - np.round(step)) @ cell
        gone = np.flatnonzero((step**2).sum(axis=1) > 1.0)
        if len(gone) < 0.2 * len(step):
            return
        both = np.concatenate([fractional, before]) @ cell
        found = pairs(both, cell, gone, np.arange(len(step), 2 * len(step)), 0.5)
        other = self.symbols[found.i] != self.symbols[found.j - len(step)]
        swapped = np.unique(found.i[found.j - len(step) != found.i])
        if len(swapped) > 0.5 * len(gone):
            other[:] = found.j - len(step) != found.i
        if len(np.unique(found.i[other])) > 0.2 * len(step) or len(swapped) > 0.5 * len(gone):
            raise Unfit(
                f"frame {self._frame - 1} has its atoms in another order than the one before: "
                f"{len(np.unique(found.i[other]))} of {len(step)} stand where another one was; "
                f"sort the atoms alike in all frames (by their ids), or give each frame its symbols"
            )


def checked(positions, cell, r_max: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Convert one frame to contiguous arrays and check that distances can be computed.

    Parameters
    ----------
    positions : (N, 3) array_like
        A.
    cell : (3, 3) array_like
        A.
    r_max : float
        Radius to be used, A.

    Returns
    -------
    positions : (N, 3) array
        A.
    cell : (3, 3) array
        A.

    Raises
    ------
    Unfit
        NaN or infinity, a cell without volume, or a radius that is not positive.
    """
    positions = np.ascontiguousarray(positions, float)
    cell = np.ascontiguousarray(cell, float)
    if cell.size != 9 or np.isnan(cell).all():
        raise Unfit(
            "the frame has no cell: a periodic one, (3, 3) in A, is needed; write it into the file"
        )
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise Unfit("positions or cell hold NaN or infinity: look at the frame's source")
    if abs(np.linalg.det(cell)) < 1e-6:
        raise Unfit(f"the cell {cell.tolist()} has no volume: a periodic cell is needed")
    if not r_max > 0:
        raise Unfit(f"r_max is {r_max} A; it must be positive")
    return positions, cell


def announce_compilation(kernel) -> None:
    """Report on standard error that a numba kernel is about to be compiled, if it is.

    Parameters
    ----------
    kernel : numba dispatcher
        The kernel; nothing is printed if it is compiled or cached.
    """
    if kernel.signatures:
        return
    try:
        known = kernel._cache._cache_file._load_index()  # numba has no public way to ask
    except (AttributeError, OSError):
        known = {}
    if not known:
        print(
            f"helpers: compiling {kernel.__name__.strip('_')}, once; later runs load it from "
            "the cache",
            file=sys.stderr,
            flush=True,
        )


class _Boxes(NamedTuple):
    """Atoms sorted by box: xyz (3,N) wrapped, atom and image in the order given to ``_boxes``."""

    xyz: np.ndarray
    atom: np.ndarray
    image: np.ndarray
    start: np.ndarray
    shape: np.ndarray
    inverse: np.ndarray
    reach: np.ndarray
    z_low: np.ndarray
    z_high: np.ndarray


def _boxes(positions, cell, atoms, r_max, finest) -> _Boxes:
    inverse = np.linalg.inv(cell)
    height = 1 / np.linalg.norm(inverse, axis=0)
    spacing = (abs(np.linalg.det(cell)) / max(len(atoms), 1)) ** (1 / 3)
    shape = np.maximum(1, np.floor(height / max(r_max / finest, spacing))).astype(np.int64)
    fractional = positions[atoms] @ inverse
    image = np.floor(fractional)
    box = _box_of(fractional - image, shape)
    order = np.argsort(box, kind="stable")
    start = np.searchsorted(box[order], np.arange(shape.prod() + 1))
    reach, low, high = _reach(cell, shape, r_max)
    inside = positions[atoms] - image @ cell
    return _Boxes(
        np.ascontiguousarray(inside[order].T),
        atoms[order],
        image.astype(int),
        start,
        shape,
        inverse,
        reach,
        low,
        high,
    )


def _box_of(fractional, shape) -> np.ndarray:
    # clip: -1e-17 wraps to exactly 1, and a wrapped position may come back as -1e-17
    x, y, z = np.clip((fractional * shape).astype(np.int64), 0, shape - 1).T
    return (x * shape[1] + y) * shape[2] + z


def _reach(cell, shape, r_max):
    """How many boxes to go along a and b, and the range along c for each of these steps.

    In a frame where the cell is lower triangular, the components of the vector between two points
    of boxes d apart lie in intervals; the nearest ends give a bound that no pair falls below.
    """
    step = np.linalg.cholesky(cell @ cell.T) / shape[:, None]
    height = 1 / np.linalg.norm(np.linalg.inv(step), axis=0)
    reach = np.ceil(r_max / height).astype(np.int64)
    d = [np.arange(-n, n + 1) for n in reach]
    grid = np.stack(np.meshgrid(*d, indexing="ij"), axis=-1)
    low = np.zeros(grid.shape[:3])
    for k in range(3):
        middle = grid @ step[:, k]
        low += np.maximum(0, np.abs(middle) - np.abs(step[:, k]).sum()) ** 2
    near = low < r_max**2 * (1 + 1e-9)
    first = np.where(near.any(axis=2), near.argmax(axis=2) - reach[2], 1)
    last = np.where(near.any(axis=2), reach[2] - near[:, :, ::-1].argmax(axis=2), 0)
    return reach, first, last


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _count(xyz, kind, start, shape, cell, reach, z_low, z_high, per_A, n_kinds, n_bins, flat):
    """Each unordered pair once: boxes ahead, and in the own column boxes above."""
    x, y, z = xyz[0], xyz[1], xyz[2]
    nx, ny, nz = shape
    bins = np.empty(len(x), np.int32)
    row = np.empty(n_kinds, np.int64)
    top = float(n_bins)
    for bx in range(nx):
        for by in range(ny):
            for bz in range(nz):
                box = (bx * ny + by) * nz + bz
                if start[box] == start[box + 1]:
                    continue
                for dx in range(reach[0] + 1):
                    ix, tx = divmod(bx + dx, nx)
                    for dy in range(-reach[1] if dx else 0, reach[1] + 1):
                        own = dx == 0 and dy == 0
                        iy, ty = divmod(by + dy, ny)
                        at = bz + (0 if own else z_low[dx + reach[0], dy + reach[1]])
                        end = bz + z_high[dx + reach[0], dy + reach[1]]
                        while at <= end:  # the part of the column inside one image
                            iz, tz = divmod(at, nz)
                            last = min(nz - 1, tz + end - at)
                            column = (tx * ny + ty) * nz
                            j0, j1 = start[column + tz], start[column + last + 1]
                            sx = ix * cell[0, 0] + iy * cell[1, 0] + iz * cell[2, 0]
                            sy = ix * cell[0, 1] + iy * cell[1, 1] + iz * cell[2, 1]
                            sz = ix * cell[0, 2] + iy * cell[1, 2] + iz * cell[2, 2]
                            for i in range(start[box], start[box + 1]):
                                first = i + 1 if own and at == bz else j0
                                if first >= j1:
                                    continue
                                px, py, pz = x[i] - sx, y[i] - sy, z[i] - sz
                                for k in range(first, j1):
                                    ax, ay, az = x[k] - px, y[k] - py, z[k] - pz
                                    far = np.sqrt(ax * ax + ay * ay + az * az) * per_A
                                    bins[k - first] = np.int32(far if far < top else top)  # noqa: FURB136
                                for a in range(n_kinds):
                                    row[a] = (kind[i] * n_kinds + a) * (n_bins + 1)
                                for k in range(first, j1):
                                    flat[row[kind[k]] + bins[k - first]] += 1
                            at += last - tz + 1


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _directed(points, boxes, centers, xyz, atom, start, shape, cell, reach, z_low, z_high, r_max):
    x, y, z = xyz[0], xyz[1], xyz[2]
    nx, ny, nz = shape
    size, n = 8 * len(points) + 64, 0
    out_i, out_j = np.empty(size, np.int64), np.empty(size, np.int64)
    out_d, out_s = np.empty(size), np.empty((size, 3), np.int64)
    for p in range(len(points)):
        bx, rest = divmod(boxes[p], ny * nz)
        by, bz = divmod(rest, nz)
        for dx in range(-reach[0], reach[0] + 1):
            ix, tx = divmod(bx + dx, nx)
            for dy in range(-reach[1], reach[1] + 1):
                iy, ty = divmod(by + dy, ny)
                at = bz + z_low[dx + reach[0], dy + reach[1]]
                end = bz + z_high[dx + reach[0], dy + reach[1]]
                while at <= end:
                    iz, tz = divmod(at, nz)
                    last = min(nz - 1, tz + end - at)
                    column = (tx * ny + ty) * nz
                    px = points[p, 0] - (ix * cell[0, 0] + iy * cell[1, 0] + iz * cell[2, 0])
                    py = points[p, 1] - (ix * cell[0, 1] + iy * cell[1, 1] + iz * cell[2, 1])
                    pz = points[p, 2] - (ix * cell[0, 2] + iy * cell[1, 2] + iz * cell[2, 2])
                    for k in range(start[column + tz], start[column + last + 1]):
                        ax, ay, az = x[k] - px, y[k] - py, z[k] - pz
                        square = ax * ax + ay * ay + az * az
                        if square >= r_max * r_max:
                            continue
                        if atom[k] == centers[p] and ix == 0 and iy == 0 and iz == 0:
                            continue
                        if n == size:
                            size *= 2
                            more_i, more_j = np.empty(size, np.int64), np.empty(size, np.int64)
                            more_d, more_s = np.empty(size), np.empty((size, 3), np.int64)
                            more_i[:n], more_j[:n] = out_i, out_j
                            more_d[:n], more_s[:n] = out_d, out_s
                            out_i, out_j, out_d, out_s = more_i, more_j, more_d, more_s
                        out_i[n], out_j[n], out_d[n] = centers[p], atom[k], np.sqrt(square)
                        out_s[n, 0], out_s[n, 1], out_s[n, 2] = ix, iy, iz
                        n += 1
                    at += last - tz + 1
    return out_i[:n].copy(), out_j[:n].copy(), out_d[:n].copy(), out_s[:n].copy()
