"""The network of metal atoms linked by ligands: its components, connections and rings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from helpers.observables import neighbors
from helpers.observables.ligand_exchange import Bonds


@dataclass(frozen=True)
class Network:
    """A periodic graph: nodes are metal atoms, edges are ligands that link two of them.

    Attributes
    ----------
    n_nodes : int
        Number of metal atoms.
    i : (M,) array of int
        First node of each edge, 0 ... ``n_nodes - 1``.
    j : (M,) array of int
        Second node of each edge.
    shift : (M, 3) array of int
        Cell vectors from the image of i to that of j.
    bridging : int
        Ligands bound to two metal atoms or more.
    dangling : int
        Ligands bound to one metal atom.
    free : int
        Ligands bound to none.
    """

    n_nodes: int
    i: np.ndarray
    j: np.ndarray
    shift: np.ndarray
    bridging: int
    dangling: int
    free: int

    @property
    def degree(self) -> np.ndarray:
        """Number of ligands that link each metal atom to another one, (n_nodes,)."""
        return np.bincount(np.concatenate([self.i, self.j]), minlength=self.n_nodes)

    @property
    def pieces(self) -> int:
        """Number of connected components."""
        size = (self.n_nodes, self.n_nodes)
        return int(
            connected_components(
                coo_array((np.ones(len(self.i)), (self.i, self.j)), shape=size), directed=False
            )[0]
        )


def of_frame(bonds: Bonds, frame: int) -> Network:
    """The network in one frame of a trajectory.

    Parameters
    ----------
    bonds : ligand_exchange.Bonds
        The bonds along the trajectory.
    frame : int
        Index of the frame.

    Returns
    -------
    Network
        The network.
    """
    ends = pd.DataFrame(bonds.image[frame], columns=["x", "y", "z"])
    ends["node"] = np.searchsorted(bonds.metal, bonds.zn[frame])
    ends["ligand"], ends["atom"] = bonds.ligand, bonds.nitrogen
    ends = ends[bonds.zn[frame] >= 0].drop_duplicates(["ligand", "node", "x", "y", "z"])
    joined = ends.merge(ends, on="ligand")
    joined = joined[joined["atom_x"] < joined["atom_y"]]
    shift = np.stack([joined[f"{axis}_y"] - joined[f"{axis}_x"] for axis in "xyz"], axis=1)
    held = ends.groupby("ligand").size()
    return Network(
        n_nodes=len(bonds.metal),
        i=joined["node_x"].to_numpy(),
        j=joined["node_y"].to_numpy(),
        shift=shift,
        bridging=int((held > 1).sum()),
        dangling=int((held == 1).sum()),
        free=bonds.n_ligands - len(held),
    )


def rings(network: Network, largest: int = 12) -> np.ndarray:
    """Shortest-path rings in a cell, counted by the number of metal atoms in them.

    A ring counts if no path through the network between two of its nodes is shorter than the one
    along the ring (Franzblau, Phys. Rev. B 44, 4925 (1991); primitive rings of Yuan & Cormack,
    Comput. Mater. Sci. 24, 343 (2002)). Paths are followed in the infinite periodic net, so that
    the size of the cell does not matter. Two ligands between the same two metal atoms make a ring
    of two.

    Parameters
    ----------
    network : Network
        The network.
    largest : int
        Largest ring to look for, in metal atoms.

    Returns
    -------
    (largest + 1,) array of int
        Number of rings of each size.
    """
    count = np.zeros(largest + 1, np.int64)
    if not len(network.i):
        return count
    both = np.concatenate(
        [
            np.column_stack([network.i, network.j, network.shift]),
            np.column_stack([network.j, network.i, -network.shift]),
        ]
    ).astype(np.int64)
    edges, times = np.unique(both, axis=0, return_counts=True)
    if largest >= 2:
        count[2] = (times * (times - 1) // 2).sum() // 2
    start = np.searchsorted(edges[:, 0], np.arange(network.n_nodes + 1))
    depth = largest // 2
    reach = (depth + 1) * int(np.abs(edges[:, 2:]).max()) + 1
    for kernel in (_shells, _count_rings):
        neighbors.announce_compilation(kernel)
    first, code, far = _shells(start, edges, depth, reach)
    seen = _count_rings(start, edges, first, code, far, depth, reach, largest)
    sizes = np.arange(3, largest + 1)
    count[3:] = seen[3:] // sizes  # each ring was met from each of its nodes
    return count


@njit(cache=True)
def _encode(w, x, y, z, reach):
    if max(abs(x), abs(y), abs(z)) > reach:
        return -1
    side = 2 * reach + 1
    return ((w * side + x + reach) * side + y + reach) * side + z + reach


@njit(cache=True)
def _decode(code, reach):
    side = 2 * reach + 1
    code, z = divmod(code, side)
    code, y = divmod(code, side)
    w, x = divmod(code, side)
    return w, x - reach, y - reach, z - reach


@njit(cache=True)
def _distance(root, w, x, y, z, first, code, far, reach):
    """Steps from node ``root`` in the home cell, or -1 beyond the tabled depth."""
    wanted = _encode(w, x, y, z, reach)
    low, high = first[root], first[root + 1]
    at = low + np.searchsorted(code[low:high], wanted)
    if wanted < 0 or at == high or code[at] != wanted:
        return -1
    return far[at]


@njit(cache=True)
def _shells(start, edges, depth, reach):
    """All nodes within ``depth`` steps of each node of the home cell, sorted by code."""
    n = len(start) - 1
    first = np.zeros(n + 1, np.int64)
    codes, fars = [], []
    for root in range(n):
        inner = np.array([_encode(root, 0, 0, 0, reach)])
        outer = np.empty(0, np.int64)  # the shell before the last
        found, steps = [inner], [np.zeros(1, np.int64)]
        for step in range(1, depth + 1):
            new = []
            for c in inner:
                w, x, y, z = _decode(c, reach)
                for e in range(start[w], start[w + 1]):
                    new.append(
                        _encode(
                            edges[e, 1], x + edges[e, 2], y + edges[e, 3], z + edges[e, 4], reach
                        )
                    )
            shell = np.unique(np.array(new, dtype=np.int64))
            keep = np.ones(len(shell), np.bool_)
            for k in range(len(shell)):
                for old in (outer, inner):
                    at = np.searchsorted(old, shell[k])
                    if at < len(old) and old[at] == shell[k]:
                        keep[k] = False
            outer, inner = inner, shell[keep]
            if len(inner) == 0:
                break
            found.append(inner)
            steps.append(np.full(len(inner), step))
        size = 0
        for part in found:
            size += len(part)
        flat, flat_steps = np.empty(size, np.int64), np.empty(size, np.int64)
        at = 0
        for k in range(len(found)):
            flat[at : at + len(found[k])] = found[k]
            flat_steps[at : at + len(found[k])] = steps[k]
            at += len(found[k])
        order = np.argsort(flat)
        codes.append(flat[order])
        fars.append(flat_steps[order])
        first[root + 1] = first[root] + size
    code, far = np.empty(first[n], np.int64), np.empty(first[n], np.int64)
    for root in range(n):
        code[first[root] : first[root + 1]] = codes[root]
        far[first[root] : first[root + 1]] = fars[root]
    return first, code, far


@njit(cache=True)
def _ways(root, end, length, start, edges, first, code, far, reach):
    """All shortest ways from ``root`` to ``end``: (ways, length), nodes 1 ... length."""
    ways = np.empty((1, length), np.int64)
    ways[0, length - 1] = end
    for step in range(length - 2, -1, -1):
        longer = np.empty((len(ways) * 8 + 8, length), np.int64)
        n = 0
        for way in ways:
            w, x, y, z = _decode(way[step + 1], reach)
            for e in range(start[w], start[w + 1]):
                v = edges[e, 1]
                a, b, c = x + edges[e, 2], y + edges[e, 3], z + edges[e, 4]
                if _distance(root, v, a, b, c, first, code, far, reach) != step + 1:
                    continue
                if n == len(longer):
                    more = np.empty((2 * n, length), np.int64)
                    more[:n] = longer
                    longer = more
                longer[n] = way
                longer[n, step] = _encode(v, a, b, c, reach)
                n += 1
        ways = longer[:n]
    return ways


@njit(cache=True)
def _is_ring(one, other, root, half, odd, first, code, far, reach):
    """Whether two ways from ``root`` close to a ring without a short cut."""
    size = 2 * half + odd
    ring = np.empty(size, np.int64)
    ring[0] = _encode(root, 0, 0, 0, reach)
    for k in range(half):
        if one[k] == other[k] and (odd or k < half - 1):
            return False
        ring[k + 1] = one[k]
    for k in range(half - 1 + odd):
        ring[size - 1 - k] = other[k]
    for k in range(size if odd else half):
        w, x, y, z = _decode(ring[k], reach)
        v, a, b, c = _decode(ring[(k + half) % size], reach)
        if _distance(w, v, a - x, b - y, c - z, first, code, far, reach) != half:
            return False
    return True


@njit(cache=True)
def _count_rings(start, edges, first, code, far, depth, reach, largest):
    count = np.zeros(largest + 1, np.int64)
    for root in range(len(start) - 1):
        for at in range(first[root], first[root + 1]):
            half, end = far[at], code[at]
            if half == 0:
                continue
            ways = _ways(root, end, half, start, edges, first, code, far, reach)
            if 2 * half <= largest:
                for p in range(len(ways)):
                    for q in range(p):
                        if _is_ring(ways[p], ways[q], root, half, 0, first, code, far, reach):
                            count[2 * half] += 1
            if 2 * half + 1 > largest:
                continue
            w, x, y, z = _decode(end, reach)
            for e in range(start[w], start[w + 1]):
                v = edges[e, 1]
                a, b, c = x + edges[e, 2], y + edges[e, 3], z + edges[e, 4]
                beside = _encode(v, a, b, c, reach)
                if beside <= end or _distance(root, v, a, b, c, first, code, far, reach) != half:
                    continue
                others = _ways(root, beside, half, start, edges, first, code, far, reach)
                for p in range(len(ways)):
                    for q in range(len(others)):
                        if _is_ring(ways[p], others[q], root, half, 1, first, code, far, reach):
                            count[2 * half + 1] += 1
    return count
