"""How far atoms have moved: root-mean-square displacement from the start, MSD, diffusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import atomic_masses, atomic_numbers

from helpers import structures


def rmsd(positions, symbols, reference: int = 0, cells=None) -> dict[str, np.ndarray]:
    r"""Root-mean-square displacement of each element from a reference frame.

    .. math:: d_\alpha(f) = \sqrt{\frac{1}{N_\alpha} \sum_{i \in \alpha}
        |\mathbf{r}_i(f) - \mathbf{r}_i(f_0)|^2}

    after the drift of the centre of mass is taken off. With ``cells`` (F,3,3) the homogeneous
    swelling of the cell is taken off, too: displacements are those of the fractional
    coordinates, measured in the cell of the frame; without them expansion counts as motion.

    positions: (F,N,3) A, *unwrapped*. symbols: (N,). reference: index of a frame.
    Returns element -> (F,) in A, elements in alphabetical order.

    Raises ValueError when positions and symbols do not fit, there are no frames, or NaN.
    """
    positions, symbols, mass, cells = _checked(positions, symbols, cells)
    inverse = None if cells is None else np.linalg.inv(cells)
    start = positions[reference] if cells is None else positions[reference] @ inverse[reference]
    found = {str(element): np.empty(len(positions)) for element in np.unique(symbols)}
    for f, frame in enumerate(positions):
        moved = frame - start if cells is None else (frame @ inverse[f] - start) @ cells[f]
        square = ((moved - np.average(moved, axis=0, weights=mass)) ** 2).sum(axis=1)
        for element, values in found.items():
            values[f] = np.sqrt(square[symbols == element].mean())
    return found


def msd(positions, symbols, cells=None) -> dict[str, np.ndarray]:
    r"""Mean squared displacement of each element against the lag between frames, A^2.

    .. math:: \mathrm{MSD}_\alpha(m) = \frac{1}{N_\alpha (F-m)} \sum_{i \in \alpha}
        \sum_{f=0}^{F-m-1} |\mathbf{r}_i(f+m) - \mathbf{r}_i(f)|^2

    over all time origins, by fast Fourier transforms (Calandrini et al., Collection SFN 12, 201
    (2011)), drift of the centre of mass taken off. With ``cells`` displacements are those of the
    fractional coordinates in the mean cell, so that its breathing is no motion.

    positions: (F,N,3) A, *unwrapped*, equally far apart in time. symbols: (N,). cells: (F,3,3) A.
    Returns element -> (F,) in A^2, lag 0 first. Raises ValueError as ``rmsd``.
    """
    positions, symbols, mass, cells = _checked(positions, symbols, cells)
    if cells is not None:
        mean = cells.mean(axis=0)
        positions = np.stack(
            [
                frame @ np.linalg.inv(cell) @ mean
                for frame, cell in zip(positions, cells, strict=True)
            ]
        )
    positions = positions - np.average(positions, axis=1, weights=mass)[:, None]
    return {
        str(element): np.mean(
            [_windowed(positions[:, i]) for i in np.flatnonzero(symbols == element)], axis=0
        )
        for element in np.unique(symbols)
    }


def _windowed(path: np.ndarray) -> np.ndarray:
    """MSD of one atom (F,3) over all origins: S1 - 2 S2 with the correlation S2 by FFT."""
    path = path - path.mean(axis=0)  # large coordinates would lose digits in the transform
    size = len(path)
    power = np.abs(np.fft.rfft(path, 2 * size, axis=0)) ** 2
    correlation = np.fft.irfft(power, 2 * size, axis=0)[:size].sum(axis=1)
    square = np.concatenate([[0.0], np.cumsum((path**2).sum(axis=1))])
    lag = np.arange(size)
    both = square[size - lag] + square[size] - square[lag]
    found = (both - 2 * correlation) / (size - lag)
    found[0] = 0
    return np.maximum(found, 0)


@dataclass(frozen=True)
class Diffusion:
    """D and its standard error (A^2/ps; 1 A^2/ps = 1e-4 cm^2/s), and how diffusive it was.

    exponent: of ``MSD ~ t^exponent`` in the fitted window. 1: diffusion; towards 0: atoms rattle
    in a cage, and D is what a longer run would bring down; 2: free flight.
    """

    D: float
    error: float
    exponent: float
    from_ps: float
    to_ps: float


def diffusion_coefficient(times_ps, squared, window=(0.2, 0.5)) -> Diffusion:
    r"""Einstein's ``MSD = 6 D t + c`` fitted to a window of lags.

    times_ps: (F,) lags, ps, first 0. squared: (F,) MSD, A^2. window: shares of the longest lag
    (long lags rest on few origins). error: half the difference of the slopes of the window's two
    halves, the estimate of GROMACS' ``gmx msd`` (deviations of single lags are no measure: they
    share their origins).

    Raises ValueError when the window holds fewer than four lags or the MSD is not finite.
    """
    t, y = np.asarray(times_ps, float), np.asarray(squared, float)
    inside = (t >= window[0] * t[-1]) & (t <= window[1] * t[-1]) & (t > 0)
    t, y = t[inside], y[inside]
    if len(t) < 4 or not (np.isfinite(t).all() and np.isfinite(y).all()):
        raise ValueError(
            f"a diffusion coefficient needs four finite lags or more in the window, got {len(t)}: "
            "take more frames"
        )
    half = len(t) // 2
    slopes = [
        np.polyfit(a, b, 1)[0] for a, b in ((t, y), (t[:half], y[:half]), (t[half:], y[half:]))
    ]
    exponent = np.polyfit(np.log(t), np.log(np.maximum(y, 1e-30)), 1)[0]
    return Diffusion(
        slopes[0] / 6, abs(slopes[1] - slopes[2]) / 12, float(exponent), float(t[0]), float(t[-1])
    )


def _checked(positions, symbols, cells):
    positions, symbols = np.asarray(positions, float), structures.elements(symbols)
    if positions.ndim != 3 or positions.shape[1:] != (len(symbols), 3):
        raise ValueError(
            f"positions {positions.shape} and {len(symbols)} symbols do not fit: "
            "(frames, atoms, 3) is needed"
        )
    if not len(positions):
        raise ValueError("no frames: the chosen range of the trajectory is empty")
    if cells is not None:
        cells = np.asarray(cells, float)
        if cells.shape != (len(positions), 3, 3):
            raise ValueError(
                f"cells {cells.shape} do not fit {len(positions)} frames: (frames, 3, 3) is needed"
            )
    if not (np.isfinite(positions).all() and (cells is None or np.isfinite(cells).all())):
        raise ValueError("positions or cells hold NaN or infinity: look at the run")
    if cells is not None:
        _refuse_wrapped(positions, cells)
    return positions, symbols, atomic_masses[[atomic_numbers[s] for s in symbols]], cells


def _refuse_wrapped(positions, cells) -> None:
    """An atom that leaves a wrapped cell comes back by nearly a whole vector: no motion does that.

    Atoms that truly move that far from frame to frame move by other parts of a cell more often.
    """
    previous = None
    for f, (frame, cell) in enumerate(zip(positions, cells, strict=True)):
        fractional = np.linalg.solve(cell.T, frame.T).T
        if previous is not None:
            step = np.abs(fractional - previous)
            jumps = step > 0.5
            back = jumps & (np.abs(step - np.round(step)) < 0.2)
            if back.sum() > (jumps & ~back).sum():
                raise ValueError(
                    f"{back.any(axis=1).sum()} atoms jump by up to {step.max():.2f} of a cell from "
                    f"frame {f - 1} to frame {f}: positions are wrapped into the cell; unwrap them "
                    f"first (trajectory.of_images(..., unwrap=True), NoJump of MDAnalysis)"
                )
        previous = fractional
