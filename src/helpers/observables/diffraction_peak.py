"""The first peak of a structure factor, a measure of order beyond nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import Unfit


@dataclass(frozen=True)
class FirstPeak:
    """The first peak of F(Q).

    Attributes
    ----------
    position : float
        1/A.
    height : float
        Height above its feet, dimensionless.
    fwhm : float
        Full width at half maximum, 1/A.
    """

    position: float
    height: float
    fwhm: float


def first_peak(Q, F, low: float = 0.6, high: float = 1.8) -> FirstPeak:
    """Position, height and width of the first peak of F(Q), above the line between its feet.

    The first peak stands on a slope below zero, so that half of F at its top has no meaning. The
    feet are the lowest points on both sides between ``low`` and ``high``. Position and height are
    those of the parabola through the highest point above the line and its neighbours; the width is
    that at half height, with linear interpolation between points.

    Parameters
    ----------
    Q : (K,) array
        1/A, ascending.
    F : (K,) array
        Structure factor; NaN where it is unknown.
    low : float
        Lower end of the range, 1/A.
    high : float
        Upper end of the range, 1/A.

    Returns
    -------
    FirstPeak
        The peak.

    Raises
    ------
    Unfit
        There are fewer than five points in the range, or no peak with feet on both sides.
    """
    Q, F = np.asarray(Q, float), np.asarray(F, float)
    inside = (Q >= low) & (Q <= high) & np.isfinite(F)
    Q, F = Q[inside], F[inside]
    if len(Q) < 5:
        raise Unfit(f"F(Q) has {len(Q)} points between {low:g} and {high:g} 1/A; a peak needs 5")
    # the top is the point highest above the line between the lowest points beside it
    best = (0.0, 0, 0, 0)
    for k in range(1, len(Q) - 1):
        left, right = int(np.argmin(F[: k + 1])), k + int(np.argmin(F[k:]))
        line = np.interp(Q[k], Q[[left, right]], F[[left, right]])
        best = max(best, (F[k] - line, k, left, right))
    height, k, left, right = best
    if height <= 0 or not left < k < right:
        raise Unfit(f"F(Q) has no peak between {low:g} and {high:g} 1/A")
    above = F - np.interp(Q, Q[[left, right]], F[[left, right]])
    a, b, c = np.polyfit(Q[k - 1 : k + 2] - Q[k], above[k - 1 : k + 2], 2)
    shift = -b / (2 * a) if a < 0 else 0.0
    height = float(c - b * b / (4 * a)) if a < 0 else float(above[k])
    half = height / 2
    below = max(n for n in range(left, k) if above[n] < half)
    beyond = min(n for n in range(k + 1, right + 1) if above[n] < half)
    start = np.interp(half, above[[below, below + 1]], Q[[below, below + 1]])
    end = np.interp(-half, -above[[beyond - 1, beyond]], Q[[beyond - 1, beyond]])
    return FirstPeak(float(Q[k] + shift), height, float(end - start))
