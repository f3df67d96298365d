"""A crystal under pressure: its bulk modulus, and whether it closes."""

from __future__ import annotations

import numpy as np
from scipy.optimize import curve_fit

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


def first_closed(settings, volumes_A3, open_A3: float) -> float | None:
    """The first of several pressures or temperatures at which the crystal is closed.

    Parameters
    ----------
    settings : (n,) array_like
        Pressures or temperatures, in the order in which they close it.
    volumes_A3 : (n,) array_like
        Mean volumes, A^3.
    open_A3 : float
        Volume of the open crystal, A^3.

    Returns
    -------
    float or None
        The first setting with a volume below 0.85 of the open one; None if there is none.
    """
    closed = np.flatnonzero(np.asarray(volumes_A3, float) < CLOSED * open_A3)
    return float(settings[closed[0]]) if len(closed) else None
