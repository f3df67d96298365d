"""Means and errors of correlated series: bins of temperature, blocks, resampling."""

from __future__ import annotations

import numpy as np
import pandas as pd


def block_means(values: np.ndarray, blocks: int) -> np.ndarray:
    """Means over consecutive blocks of equal length.

    Parameters
    ----------
    values : (M,) array
        Samples in order of time, any unit.
    blocks : int
        Number of blocks. If M is no multiple of it, the first samples are left out.

    Returns
    -------
    (blocks,) array
        Mean of each block, in the unit of ``values``.
    """
    size = len(values) // blocks
    return np.asarray(values)[len(values) - size * blocks :].reshape(blocks, size).mean(axis=1)


def bins(temperature_K, width_K: float, close_end: bool = False) -> np.ndarray:
    """Lower edge of the temperature bin that each sample falls into.

    Bins start at multiples of ``width_K``.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures, K.
    width_K : float
        Width of a bin, K.
    close_end : bool
        Whether the highest temperature, where it equals the lower edge of a bin, is counted in the
        bin below, so that the last frame of a run does not make a bin of its own.

    Returns
    -------
    (M,) array
        Lower edges, K.
    """
    T = np.asarray(temperature_K, float)
    low = np.floor(T / width_K) * width_K
    if close_end and len(T):
        low[(T == T.max()) & (T == low) & (T > T.min())] -= width_K
    return low


def bin_by_temperature(temperature_K, values, width_K: float = 20.0) -> pd.DataFrame:
    """Mean and standard error of a quantity in bins of temperature.

    The standard error of the mean is widened by the square root of the ``statistical_inefficiency``
    of all samples about the means of their bins. Fluctuations slower than the time spent in one bin
    are not included in it.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures in order of time, K.
    values : (M,) array
        The quantity, any unit; pairs with NaN are left out.
    width_K : float
        Width of a bin, K. Bins start at multiples of it.

    Returns
    -------
    DataFrame
        One row for each bin that holds samples: ``temperature_K`` (mean inside the bin), ``mean``
        and ``error`` (unit of ``values``; the error of a single sample is NaN) and the number of
        samples ``n``.
    """
    data = pd.DataFrame(
        {"temperature_K": np.asarray(temperature_K, float), "value": np.asarray(values, float)}
    ).dropna()
    grouped = data.groupby(bins(data["temperature_K"], width_K))
    rest = data["value"] - grouped["value"].transform("mean")
    return pd.DataFrame(
        {
            "temperature_K": grouped["temperature_K"].mean(),
            "mean": grouped["value"].mean(),
            "error": grouped["value"].sem() * np.sqrt(statistical_inefficiency(rest)),
            "n": grouped["value"].size(),
        }
    ).reset_index(drop=True)


def statistical_inefficiency(fluctuations) -> float:
    r"""Number of consecutive samples that are worth one independent sample.

    .. math:: g = 1 + 2 \sum_{t=1}^{t_0 - 1} (1 - t/M) \, \rho(t)

    Here :math:`\rho` is the normalised autocorrelation and :math:`t_0` the lag at which it first
    becomes negative (Chodera et al., J. Chem. Theory Comput. 3, 26 (2007)). The factor :math:`1 -
    t/M` is part of the estimate of :math:`\rho`, whose sum over M - t products is divided by M.

    Parameters
    ----------
    fluctuations : (M,) array
        Deviations from the mean, any unit, in order of time.

    Returns
    -------
    float
        g, 1 at least.
    """
    x = np.asarray(fluctuations, float)
    square = (x**2).sum()
    if len(x) < 3 or not square > 0:
        return 1.0
    rho = np.fft.irfft(np.abs(np.fft.rfft(x, 2 * len(x))) ** 2)[: len(x)] / square
    below = np.flatnonzero(rho <= 0)
    end = below[0] if len(below) else len(x)
    return float(1 + 2 * rho[1:end].sum())


def resample_blocks(rng, residual, size: int) -> np.ndarray:
    """Bootstrap sample of residuals, drawn in blocks of neighbours to keep their correlation.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of random numbers.
    residual : (M,) array
        Residuals in order of time or temperature, any unit.
    size : int
        Number of residuals in a block, M at most.

    Returns
    -------
    (M,) array
        Residuals drawn with replacement.
    """
    start = rng.integers(0, len(residual) - size + 1, size=-(-len(residual) // size))
    return residual[(start[:, None] + np.arange(size)).ravel()[: len(residual)]]
