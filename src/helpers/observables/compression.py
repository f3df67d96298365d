"""A crystal under pressure: its bulk modulus, and whether it closes."""

from __future__ import annotations

import numpy as np
from scipy.optimize import curve_fit

from helpers import statistics, units
from helpers.errors import Unfit

#: of the open volume: measured is a closing to 0.77, and 200 MPa at B = 1.4 GPa alone leave 0.87
CLOSED = 0.85


def bulk_modulus(pressures_GPa, volumes_A3, errors_A3) -> tuple[float, float]:
    r"""Isothermal bulk modulus from mean volumes at several pressures.

    .. math:: \ln V = \ln V_0 - p / B,

    by least squares weighted by the errors: for pressures small against B.

    Parameters
    ----------
    pressures_GPa : (n,) array_like
        Pressures, GPa, two different ones at least.
    volumes_A3 : (n,) array_like
        Mean volumes, A^3.
    errors_A3 : (n,) array_like
        Their standard errors, A^3, above 0.

    Returns
    -------
    modulus : float
        B, GPa.
    error : float
        Its standard error, from those of the volumes, GPa.

    Raises
    ------
    Unfit
        There are fewer than two pressures, a value is not finite, a volume or an error is not
        above 0, or the volume does not fall with the pressure.
    """
    p, volume, error = (np.asarray(x, float) for x in (pressures_GPa, volumes_A3, errors_A3))
    if not (np.isfinite([p, volume, error]).all() and (volume > 0).all() and (error > 0).all()):
        raise Unfit("pressures, volumes and errors must be numbers, the last two above 0")
    if len(np.unique(p)) < 2:
        raise Unfit("a bulk modulus needs two pressures or more")
    (_, slope), spread = curve_fit(
        lambda x, start, slope: start + slope * x,
        p,
        np.log(volume),
        p0=(np.log(volume[0]), -1.0),
        sigma=error / volume,
        absolute_sigma=True,
    )
    if not slope < 0:
        raise Unfit("the volume does not fall with the pressure, so there is no bulk modulus")
    return float(-1 / slope), float(np.sqrt(spread[1, 1]) / slope**2)


def misfit(pressures_GPa, volumes_A3, errors_A3) -> float:
    """How far volumes are from the line that `bulk_modulus` puts through them.

    Parameters
    ----------
    pressures_GPa, volumes_A3, errors_A3 : (n,) array_like
        As for `bulk_modulus`.

    Returns
    -------
    float
        Chi square, of n - 2 degrees of freedom.
    """
    p, volume, error = (np.asarray(x, float) for x in (pressures_GPa, volumes_A3, errors_A3))
    line = np.polyfit(p, np.log(volume), 1, w=volume / error)
    return float((((np.log(volume) - np.polyval(line, p)) * volume / error) ** 2).sum())


def modulus_of_fluctuations(
    volumes_A3, temperature_K: float, blocks: int = 5
) -> tuple[float, float]:
    r"""Isothermal bulk modulus from the volume of one run at constant pressure.

    .. math:: B = k_B T \langle V \rangle / \langle (V - \langle V \rangle)^2 \rangle

    Parameters
    ----------
    volumes_A3 : (n,) array_like
        Volumes, A^3, in order of time; two or more for each block.
    temperature_K : float
        Temperature, K.
    blocks : int
        Number of blocks for the error.

    Returns
    -------
    modulus : float
        B, GPa.
    error : float
        Its standard error, from blocks of the squared deviations from the mean of all, GPa.

    Raises
    ------
    Unfit
        The volumes are too few, or all the same.
    """
    volume = np.asarray(volumes_A3, float)
    if len(volume) < 2 * blocks or not np.ptp(volume) > 0:
        raise Unfit(f"{len(volume)} volumes that change are too few for {blocks} blocks")
    squares = statistics.block_means((volume - volume.mean()) ** 2, blocks)
    kT = units.BOLTZMANN_EV_PER_K * temperature_K
    modulus = kT * volume.mean() / squares.mean() * units.EV_PER_A3_IN_GPA
    return float(modulus), float(modulus * squares.std(ddof=1) / blocks**0.5 / squares.mean())


def closes(settings, last_A3, open_A3: float) -> tuple[float | None, float | None]:
    """Between which of several pressures or temperatures the crystal closes.

    Parameters
    ----------
    settings : (n,) array_like
        Pressures or temperatures, in the order in which they close it.
    last_A3 : (n,) array_like
        Volumes at the end of each run, A^3.
    open_A3 : float
        Volume of the open crystal, A^3.

    Returns
    -------
    still_open : float or None
        The last setting before the first that closes it; None if there is none.
    closed : float or None
        The first with a volume below 0.85 of the open one; None if there is none.
    """
    closed = np.flatnonzero(np.asarray(last_A3, float) < CLOSED * open_A3)
    first = int(closed[0]) if len(closed) else len(settings)
    still_open = float(settings[first - 1]) if first else None
    return still_open, float(settings[first]) if len(closed) else None
