"""Displacement of atoms: root-mean-square from a reference frame, MSD against lag, diffusion."""

from __future__ import annotations

from dataclasses import dataclass

import freud
import numpy as np
from ase.data import atomic_masses, atomic_numbers

from helpers import structures
from helpers.errors import Unfit
from helpers.observables import neighbors

_NEXT_A = 10.0  # the next atom of an element is looked for up to here


def rmsd(positions, symbols, reference: int = 0, cells=None) -> dict[str, np.ndarray]:
    r"""Root-mean-square displacement of each element from a reference frame.

    .. math:: d_\alpha(f) = \sqrt{\frac{1}{N_\alpha} \sum_{i \in \alpha}
        |\mathbf{r}_i(f) - \mathbf{r}_i(f_0)|^2}

    The drift of the centre of mass is removed first.

    Parameters
    ----------
    positions : (F, N, 3) array
        A, *unwrapped*.
    symbols : (N,) sequence of str
        Chemical symbols.
    reference : int
        Index of the reference frame f_0.
    cells : (F, 3, 3) array, optional
        A. If given, displacements are those of the fractional coordinates, measured in the cell of
        the frame, so that a homogeneous expansion of the cell is not counted as motion.

    Returns
    -------
    dict of str to (F,) array
        Displacement of each element, A, in alphabetical order.

    Raises
    ------
    Unfit
        Positions, symbols and cells do not fit together, there are no frames, or a value is NaN.
    """
    positions, symbols, mass, cells = _checked(positions, symbols, cells)
    inverse = None if cells is None else np.linalg.inv(cells)
    start = positions[reference] if inverse is None else positions[reference] @ inverse[reference]
    found = {str(element): np.empty(len(positions)) for element in np.unique(symbols)}
    for f, frame in enumerate(positions):
        moved = frame - start if inverse is None else (frame @ inverse[f] - start) @ cells[f]
        square = ((moved - np.average(moved, axis=0, weights=mass)) ** 2).sum(axis=1)
        for element, values in found.items():
            values[f] = np.sqrt(square[symbols == element].mean())
    return found


def half_way(positions, cells, symbols, element: str = "Zn") -> float:
    """Half of the way to the next atom of an element, in the first frame.

    Atoms that stay farther from their sites than this no longer belong to them: the melt criterion.

    Parameters
    ----------
    positions : (F, N, 3) array
        A.
    cells : (F, 3, 3) array
        A.
    symbols : (N,) sequence of str
        Chemical symbols.
    element : str
        The element.

    Returns
    -------
    float
        Half of the shortest distance between two of them, A.

    Raises
    ------
    Unfit
        As `neighbors.closest`.
    """
    return float(neighbors.closest(positions[:1], cells[:1], symbols, element, _NEXT_A)[0]) / 2


def msd(positions, symbols, cells=None) -> dict[str, np.ndarray]:
    r"""Mean squared displacement of each element as a function of the lag between frames.

    .. math:: \mathrm{MSD}_\alpha(m) = \frac{1}{N_\alpha (F-m)} \sum_{i \in \alpha}
        \sum_{f=0}^{F-m-1} |\mathbf{r}_i(f+m) - \mathbf{r}_i(f)|^2

    The average over all time origins is that of ``freud.msd.MSD`` (by fast Fourier transforms;
    Calandrini et al., Collection SFN 12, 201 (2011)). The drift of the centre of mass is removed
    first.

    Parameters
    ----------
    positions : (F, N, 3) array
        A, *unwrapped*, at equal intervals of time.
    symbols : (N,) sequence of str
        Chemical symbols.
    cells : (F, 3, 3) array, optional
        A. If given, displacements are those of the fractional coordinates in the mean cell, so that
        the fluctuations of the cell are not counted as motion.

    Returns
    -------
    dict of str to (F,) array
        MSD of each element, A^2, lag zero first.

    Raises
    ------
    Unfit
        As ``rmsd``.
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
        str(element): _windowed(positions[:, symbols == element]) for element in np.unique(symbols)
    }


def _windowed(paths: np.ndarray) -> np.ndarray:
    """MSD (F,) over all time origins, averaged over atoms, of paths (F, n, 3)."""
    # freud computes in single precision: coordinates far from zero would lose digits
    found = freud.msd.MSD(mode="window").compute(paths - paths.mean(axis=0)).msd
    found[0] = 0  # rounding leaves 1e-6 there
    return np.maximum(found, 0)


@dataclass(frozen=True)
class Diffusion:
    """A diffusion coefficient and how diffusive the motion is.

    Attributes
    ----------
    D : float
        Diffusion coefficient, A^2/ps (1 A^2/ps = 1e-4 cm^2/s).
    error : float
        Its standard error, A^2/ps.
    exponent : float
        Exponent a of ``MSD ~ t^a`` in the fitted window: 1 for diffusion, towards 0 for atoms that
        rattle in a cage (a longer run would then give a smaller D), 2 for free flight.
    from_ps : float
        First lag of the fitted window, ps.
    to_ps : float
        Last lag of the fitted window, ps.
    """

    D: float
    error: float
    exponent: float
    from_ps: float
    to_ps: float


def diffusion_coefficient(times_ps, squared, window=(0.2, 0.5)) -> Diffusion:
    """Diffusion coefficient from Einstein's relation, ``MSD = 6 D t + c``, in a window of lags.

    The error is half the difference of the slopes of the two halves of the window, the estimate of
    GROMACS' ``gmx msd``. The scatter of single lags about the line is not a measure of the error,
    because lags share their time origins.

    Parameters
    ----------
    times_ps : (F,) array
        Lags, ps, zero first.
    squared : (F,) array
        MSD, A^2.
    window : (float, float)
        Fitted range as fractions of the longest lag; the long lags are averages over few origins.

    Returns
    -------
    Diffusion
        The coefficient, its error, the exponent and the window.

    Raises
    ------
    Unfit
        The window holds fewer than four lags, or the MSD is not finite.
    """
    t, y = np.asarray(times_ps, float), np.asarray(squared, float)
    inside = (t >= window[0] * t[-1]) & (t <= window[1] * t[-1]) & (t > 0)
    t, y = t[inside], y[inside]
    if len(t) < 4 or not (np.isfinite(t).all() and np.isfinite(y).all()):
        raise Unfit(
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
        raise Unfit(
            f"positions {positions.shape} and {len(symbols)} symbols do not fit: "
            "(frames, atoms, 3) is needed"
        )
    if not len(positions):
        raise Unfit("no frames: the chosen range of the trajectory is empty")
    if cells is not None:
        cells = np.asarray(cells, float)
        if cells.shape != (len(positions), 3, 3):
            raise Unfit(
                f"cells {cells.shape} do not fit {len(positions)} frames: (frames, 3, 3) is needed"
            )
    if not (np.isfinite(positions).all() and (cells is None or np.isfinite(cells).all())):
        raise Unfit("positions or cells hold NaN or infinity: look at the run")
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
                raise Unfit(
                    f"{back.any(axis=1).sum()} atoms jump by up to {step.max():.2f} of a cell from "
                    f"frame {f - 1} to frame {f}: positions are wrapped into the cell; unwrap them "
                    f"first (trajectory.of_images(..., unwrap=True), NoJump of MDAnalysis)"
                )
        previous = fractional
