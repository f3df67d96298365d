"""Whether a cell that may change its shape does so before its density falls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import Unfit

START_K = 100.0  # of the ramp: what is compared with
SHORTEST_PS = 5.0  # of a window, else 100 K
_SURE = 3.0  # scatters
_ROUNDING = 1e-6
NAMES = ("a/c", "b/c", "α", "β", "γ")


@dataclass(frozen=True)
class Departure:
    """The first window in which the shape differs from that at the start.

    Attributes
    ----------
    temperature_K : float
        Mean temperature of the window, K; NaN if there is none.
    what : str
        Which of `NAMES` differs most there; empty if there is none.
    change : float
        Its change, as a fraction of the start for ratios, in degrees for angles.
    largest : float
        Largest change of any window in units of the scatter at the start.
    """

    temperature_K: float
    what: str
    change: float
    largest: float

    def __bool__(self) -> bool:
        return bool(np.isfinite(self.temperature_K))


def departs(temperature_K, time_ps, lengths_A, angles_deg, before_K: float = np.inf) -> Departure:
    """Compare the ratios of the lengths and the angles of a ramp with those of its first 100 K.

    Means over windows of 100 K, or of 5 ps where 100 K pass faster, that end below ``before_K``,
    differ if they are apart from the mean at the start by more than three standard deviations of
    the rows there.

    Parameters
    ----------
    temperature_K : (M,) array
        Target temperatures of the ramp, rising, K.
    time_ps : (M,) array
        Times, ps.
    lengths_A : (M, 3) array
        Lengths a, b, c, A.
    angles_deg : (M, 3) array
        Angles, degrees.
    before_K : float
        Temperature at which the density begins to fall, K.

    Returns
    -------
    Departure
        The first such window.

    Raises
    ------
    Unfit
        The arrays do not fit together, or fewer than two rows lie in the first 100 K.
    """
    T, t, lengths, angles = (
        np.asarray(x, float) for x in (temperature_K, time_ps, lengths_A, angles_deg)
    )
    if not (len(T) == len(t) == len(lengths) == len(angles)):
        raise Unfit("temperatures, times, lengths and angles must have the same number of rows")
    shape = np.column_stack([lengths[:, :2] / lengths[:, 2:], angles])
    first = T <= T[0] + START_K if len(T) else np.zeros(0, bool)
    if first.sum() < 2:
        raise Unfit(f"{first.sum()} rows in the first {START_K:g} K do not show the shape there")
    start, scatter = shape[first].mean(axis=0), shape[first].std(axis=0, ddof=1)
    relative = np.array([*start[:2], 1, 1, 1])
    scatter = np.maximum(scatter, _ROUNDING * np.abs(start))  # of a cell that cannot change
    rate = (T[-1] - T[0]) / max(t[-1] - t[0], 1e-9)
    width = max(START_K, SHORTEST_PS * rate)
    largest, low = 0.0, T[first].max()
    while low + width <= min(T[-1], before_K) + 1e-9:
        inside = (T > low) & (T <= low + width)
        off = shape[inside].mean(axis=0) - start
        pulls = np.abs(off) / scatter
        most = int(np.argmax(pulls))
        largest = max(largest, float(pulls[most]))
        if pulls[most] > _SURE:
            change = float(off[most] / relative[most])
            return Departure(float(T[inside].mean()), NAMES[most], change, largest)
        low += width
    return Departure(np.nan, "", np.nan, largest)
