"""Local density: atoms counted in small boxes, their map, distribution and correlation in space.

Counts that differ from box to box are not by themselves a sign of two phases: independently placed
atoms differ more than those of any solid or liquid. The measure is therefore the variance of the
counts relative to that of a random gas of as many atoms (S(k) near zero, Torquato & Stillinger,
Phys. Rev. E 68, 041113 (2003)), and its correlation in space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from ase.data import atomic_masses, atomic_numbers

from helpers import structures, units
from helpers.errors import Unfit


@dataclass(frozen=True)
class LocalDensity:
    """Numbers of atoms in boxes that fill the cell, along a trajectory.

    Attributes
    ----------
    counts : (F, nx, ny, nz) array of int
        Atoms in each box.
    density : (F, nx, ny, nz) array
        Number density, atoms/A^3.
    edges : (3,) array
        Edges of a box along the cell vectors, mean over frames, A. The cell is divided into the
        whole number of boxes that comes nearest to the requested edge.
    mass_density : (F, nx, ny, nz) array or None
        g/cm3; None if the symbols were not given.
    cell : (3, 3) array
        Mean cell, A.
    """

    counts: np.ndarray
    density: np.ndarray
    edges: np.ndarray
    mass_density: np.ndarray | None = None
    cell: np.ndarray | None = None

    def distribution(self) -> tuple[np.ndarray, np.ndarray]:
        """Distribution of the local density over all boxes and frames.

        Returns
        -------
        density : (M,) array
            Density for 0, 1, ... M - 1 atoms in a box of the mean volume, atoms/A^3.
        share : (M,) array
            Share of the boxes.
        """
        share = np.bincount(self.counts.ravel()) / self.counts.size
        return np.arange(len(share)) * self.density.mean() / self.counts.mean(), share

    def slice(self, axis: int = 2, frames=slice(None)) -> np.ndarray:
        """Two-dimensional map of the density.

        Parameters
        ----------
        axis : int
            Cell vector along which to average, 0 to 2.
        frames : slice or array of int
            Frames to average over; all by default.

        Returns
        -------
        (n, m) array
            Density, atoms/A^3.
        """
        return self.density[frames].mean(axis=(0, axis + 1))

    def map(self) -> np.ndarray:
        """Density of each box, averaged over the frames.

        Returns
        -------
        (nx, ny, nz) array
            Density, atoms/A^3.
        """
        return self.density.mean(axis=0)

    def unevenness(self) -> float:
        r"""Variance of the counts relative to that of randomly placed atoms; gas 1, crystal < 1.

        .. math:: I = \langle (n - \bar n)^2 \rangle / [N p (1 - p)], \quad p = 1/M

        over all M boxes and frames. Two coexisting phases, each larger than a box, make it larger
        than in either of them.

        Returns
        -------
        float
            I; NaN for a single box.
        """
        boxes = self.counts[0].size
        atoms = self.counts[0].sum()
        if boxes < 2:
            return np.nan
        return float(self.counts.var(axis=(1, 2, 3)).mean() / (atoms * (boxes - 1) / boxes**2))

    def unevenness_error(self, blocks: int = 5) -> float:
        """Standard error of ``unevenness`` from blocks of consecutive frames.

        Parameters
        ----------
        blocks : int
            Number of blocks.

        Returns
        -------
        float
            Standard error; NaN with fewer frames than blocks.
        """
        if len(self.counts) < blocks:
            return np.nan
        variance = [part.mean() for part in np.array_split(self.counts.var(axis=(1, 2, 3)), blocks)]
        return float(
            self.unevenness() * np.std(variance, ddof=1) / np.sqrt(blocks) / np.mean(variance)
        )

    def correlation(self, width: float | None = None) -> pd.DataFrame:
        r"""Correlation of the densities of two boxes as a function of their distance.

        .. math:: C(d) = \langle \delta n(x)\, \delta n(x + d) \rangle / \langle \delta n^2 \rangle

        In a random gas C = -1/(M-1) at all distances, for M boxes. Regions of different density
        show as C > 0 up to their size.

        Parameters
        ----------
        width : float, optional
            Width of the bins of distance, A; by default the longest edge of a box.

        Returns
        -------
        DataFrame
            A row for each bin, without distance zero, where C = 1: ``distance_A``, ``correlation``,
            ``error`` (standard error over five blocks of frames, NaN with fewer) and the number of
            ``pairs``.
        """
        delta = self.counts - self.counts.mean(axis=(1, 2, 3), keepdims=True)
        power = np.abs(np.fft.fftn(delta, axes=(1, 2, 3))) ** 2
        together = np.fft.ifftn(power, axes=(1, 2, 3)).real / delta[0].size
        shape = delta.shape[1:]
        step = np.stack(np.meshgrid(*[np.fft.fftfreq(n) for n in shape], indexing="ij"), -1)
        images = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3, indexing="ij"), -1).reshape(-1, 3)
        distance = np.min(
            [np.linalg.norm((step + image) @ self.cell, axis=-1) for image in images], axis=0
        )
        bins = np.rint(distance / (width or self.edges.max())).astype(int)
        if delta[0].size > 1:
            bins.flat[1:] = np.maximum(bins.flat[1:], 1)  # only the box and itself is at zero
        variance = together[:, 0, 0, 0]
        blocks = [np.arange(len(delta))]
        if len(delta) >= 5:
            blocks = np.array_split(blocks[0], 5)
        rows = []
        for b in range(1, bins.max() + 1):
            inside = bins == b
            if not inside.any() or not variance.sum():
                continue
            each = [together[f][:, inside].mean() / variance[f].mean() for f in blocks]
            rows.append(
                {
                    "distance_A": distance[inside].mean(),
                    "correlation": together[:, inside].mean() / variance.mean(),
                    "error": np.std(each, ddof=1) / np.sqrt(5) if len(each) == 5 else np.nan,
                    "pairs": int(inside.sum() * delta[0].size // 2),
                }
            )
        return pd.DataFrame(rows, columns=["distance_A", "correlation", "error", "pairs"])


def local_density(positions, cells, edge: float = 5.0, symbols=None) -> LocalDensity:
    """Count the atoms in boxes that fill the cell.

    Boxes are parallelepipeds along the cell vectors and change with the cell, so that every point
    belongs to one box and the mean over boxes is N/V. Atoms outside the cell are wrapped into it.
    An edge that does not divide the cell is changed to the nearest one that does (a cell of 15.4 A
    has three boxes of 5.13 A); cubes of exactly 5 A would leave a strip uncovered or count it
    twice.

    Parameters
    ----------
    positions : (F, N, 3) array
        A, wrapped or not.
    cells : (F, 3, 3) array
        A.
    edge : float
        Requested edge of a box, A.
    symbols : (N,) sequence of str, optional
        Chemical symbols, for the mass density.

    Returns
    -------
    LocalDensity
        Counts and densities.

    Raises
    ------
    Unfit
        The shapes do not fit together, a value is NaN, there are no frames, or the edge is not
        positive.
    """
    positions, cells = np.asarray(positions, float), np.asarray(cells, float)
    if positions.ndim != 3 or cells.shape != (len(positions), 3, 3) or not len(positions):
        raise Unfit(
            f"positions {positions.shape} and cells {cells.shape} do not fit: "
            "(frames, atoms, 3) and (frames, 3, 3) are needed, one frame at least"
        )
    if edge <= 0 or not (np.isfinite(positions).all() and np.isfinite(cells).all()):
        raise Unfit("local density needs a positive edge and finite positions and cells")
    mass = None
    if symbols is not None:
        if len(symbols) != positions.shape[1]:
            raise Unfit(f"{len(symbols)} symbols for {positions.shape[1]} atoms")
        mass = atomic_masses[[atomic_numbers[s] for s in structures.elements(symbols)]]
    length = np.linalg.norm(cells, axis=2).mean(axis=0)
    shape = np.maximum(1, np.rint(length / edge).astype(int))
    size = int(shape.prod())
    counts = np.empty((len(positions), size), int)
    masses = np.empty((len(positions), size)) if mass is not None else None
    for f, (frame, cell) in enumerate(zip(positions, cells, strict=True)):
        fractional = frame @ np.linalg.inv(cell)
        # min: a coordinate of -1e-17 wraps to exactly 1.0
        box = np.minimum((fractional % 1.0 * shape).astype(int), shape - 1)
        flat = np.ravel_multi_index(tuple(box.T), shape)
        counts[f] = np.bincount(flat, minlength=size)
        if masses is not None:
            masses[f] = np.bincount(flat, weights=mass, minlength=size)
    volume = (np.abs(np.linalg.det(cells)) / size)[:, None]
    shape = (-1, *shape)
    return LocalDensity(
        counts.reshape(shape),
        (counts / volume).reshape(shape),
        length / shape[1:],
        None if mass is None else units.density_g_cm3(masses, volume).reshape(shape),
        cells.mean(axis=0),
    )


def thrown_at_random(n_atoms: int, cells, edge: float = 5.0, seed: int = 0) -> LocalDensity:
    """``local_density`` of as many independent atoms in the same cells, as a reference for noise.

    Parameters
    ----------
    n_atoms : int
        Number of atoms.
    cells : (F, 3, 3) array
        A.
    edge : float
        Requested edge of a box, A.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    LocalDensity
        Counts and densities of the random gas.

    Raises
    ------
    Unfit
        As ``local_density``.
    """
    cells = np.asarray(cells, float)
    rng = np.random.default_rng(seed)
    positions = np.einsum("fni,fij->fnj", rng.random((len(cells), n_atoms, 3)), cells)
    return local_density(positions, cells, edge)


def heterogeneity(stages: dict[str, LocalDensity]) -> pd.DataFrame:
    """Whether the density differs between boxes by more than noise, and for how long.

    Parameters
    ----------
    stages : dict of str to LocalDensity
        The local density in each stage of a run.

    Returns
    -------
    DataFrame
        A row for each stage: ``stage``, mean and standard deviation of the density (1/A^3),
        ``unevenness`` and its error, ``lasting_percent`` (the share of the variance between boxes
        that remains in the mean over the frames: 100 % in a frozen structure, 100/F % if the F
        frames are independent), ``neighbour_correlation`` (``correlation`` of adjacent boxes) and
        its error, ``empty_percent``.
    """
    rows = []
    for name, one in stages.items():
        near = one.correlation().iloc[:1]
        variance = one.counts.var(axis=(1, 2, 3)).mean()
        rows.append(
            {
                "stage": name,
                "mean_per_A3": one.density.mean(),
                "deviation_per_A3": one.density.std(),
                "unevenness": one.unevenness(),
                "unevenness_error": one.unevenness_error(),
                "lasting_percent": 100 * one.counts.mean(axis=0).var() / variance
                if variance
                else np.nan,
                "neighbour_correlation": near["correlation"].sum() if len(near) else np.nan,
                "neighbour_error": near["error"].iloc[0] if len(near) else np.nan,
                "empty_percent": 100 * (one.counts == 0).mean(),
            }
        )
    return pd.DataFrame(rows)


def table(uneven: pd.DataFrame) -> pd.DataFrame:
    """``heterogeneity`` as a table for a page.

    Parameters
    ----------
    uneven : DataFrame
        Result of ``heterogeneity``.

    Returns
    -------
    DataFrame
        The main columns as text.
    """
    return pd.DataFrame(
        {
            "window": uneven["stage"],
            "mean density (1/Å³)": uneven["mean_per_A3"].map("{:.4f}".format),
            "unevenness": [
                f"{u:.2f} ± {e:.2f}" if np.isfinite(e) else f"{u:.2f}"
                for u, e in zip(uneven["unevenness"], uneven["unevenness_error"], strict=True)
            ],
            "lasting (%)": uneven["lasting_percent"].map("{:.1f}".format),
            "empty boxes (%)": uneven["empty_percent"].map("{:.1f}".format),
        }
    )
