"""Diffusion coefficients in windows of temperature, or their upper limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from helpers import units
from helpers.observables import displacement

SHORTEST = 16  # frames; a shorter window says nothing of diffusion
RATTLES_A2 = 1.0  # A^2; less is half a Zn-N bond, which an atom may do in its place
GROWS = 0.5  # exponent of MSD(t), half way between atoms that rattle (0) and that diffuse (1)


def displacements(windows: Mapping[float, Any]) -> dict[float, tuple]:
    """Mean squared displacements in the windows that are long enough and evenly spaced.

    Parameters
    ----------
    windows : mapping of float to Trajectory
        Temperature (K) -> frames.

    Returns
    -------
    dict of float to tuple
        Temperature -> (lags (ps), element -> MSD (A^2) from ``displacement.msd``).
    """
    found = {}
    for T, frames in windows.items():
        last = np.diff(frames.times_ps[-3:])  # a thinned trajectory keeps its last frame, whenever
        frames = frames[:-1] if len(last) == 2 and not np.isclose(*last, rtol=0.01) else frames
        lag = frames.times_ps - frames.times_ps[0]
        if len(lag) >= SHORTEST and np.allclose(np.diff(lag), lag[1], rtol=0.01):
            found[T] = lag, displacement.msd(frames.positions, frames.symbols, frames.cells)
    return found


def table(moved: Mapping[float, tuple], elements: Sequence[str]) -> pd.DataFrame:
    r"""Diffusion coefficients, a row for each temperature and element.

    If the atoms have moved by less than `RATTLES_A2`, if the MSD grows more slowly than with the
    power `GROWS` of time, or if D is below twice its error, only an upper limit is given, the value
    that D would have if all of the motion were diffusion,

    .. math:: D \le \mathrm{MSD}(t) / 6t.

    Parameters
    ----------
    moved : mapping of float to tuple
        Result of `displacements`.
    elements : sequence of str
        Elements to include.

    Returns
    -------
    DataFrame
        temperature_K, element, D and its error (A^2/ps, which is 1e-4 cm2/s; NaN for a limit),
        limited, exponent of MSD(t), until_ps and the msd_A2 then.
    """
    rows = []
    for T, (lag, squared_of) in moved.items():
        for element in elements:
            found = displacement.diffusion_coefficient(lag, squared_of[element])
            then = float(np.interp(found.to_ps, lag, squared_of[element]))
            moves = then >= RATTLES_A2 and found.exponent >= GROWS
            limited = bool(not moves or found.D < 2 * found.error)
            rows.append({
                "temperature_K": T, "element": element,
                "D": then / (6 * found.to_ps) if limited else found.D,
                "error": np.nan if limited else found.error, "limited": limited,
                "exponent": found.exponent, "until_ps": found.to_ps, "msd_A2": then,
            })  # fmt: skip
    columns = ["temperature_K", "element", "D", "error", "limited", "exponent", "until_ps"]
    return pd.DataFrame(rows, columns=[*columns, "msd_A2"])


def arrhenius(found: pd.DataFrame, element: str) -> tuple[float, float]:
    r"""Activation energy of diffusion from the temperatures at which an element diffuses.

    .. math:: \ln D = \ln D_0 - E / R T,

    by least squares weighted by the errors of ln D.

    Parameters
    ----------
    found : DataFrame
        Result of `table`; rows without an error are left out.
    element : str
        The element.

    Returns
    -------
    E_kJ_mol : float
        Activation energy, kJ/mol; NaN where D and its error are known at fewer than three
        temperatures.
    error_kJ_mol : float
        Its standard error, the larger of that from the errors and from the scatter about the line,
        kJ/mol.
    """
    rows = found[(found["element"] == element) & ~found["limited"].astype(bool)]
    rows = rows.dropna(subset="error")
    if rows["temperature_K"].nunique() < 3:
        return np.nan, np.nan
    T, D, error = (rows[name].to_numpy(float) for name in ("temperature_K", "D", "error"))
    x, y = 1 / (units.GAS_CONSTANT_KJ_PER_MOL_K * T), np.log(D)
    weight = D / np.maximum(error, 1e-3 * D)
    design = np.stack([np.ones_like(x), -x], axis=1) * weight[:, None]
    covariance = np.linalg.inv(design.T @ design)
    at = covariance @ design.T @ (y * weight)
    chi2 = float((((design @ at) - y * weight) ** 2).sum() / (len(T) - 2))
    return float(at[1]), float(np.sqrt(covariance[1, 1] * max(chi2, 1.0)))
