"""Means and errors of correlated series: bins of temperature, blocks, resampling."""

from __future__ import annotations

import numpy as np
import pandas as pd


def block_means(values: np.ndarray, blocks: int) -> np.ndarray:
    """Means over ``blocks`` equal parts; the first values, if some are left over, do not count."""
    size = len(values) // blocks
    return np.asarray(values)[len(values) - size * blocks :].reshape(blocks, size).mean(axis=1)


def bins(temperature_K, width_K: float, close_end: bool = False) -> np.ndarray:
    """Lower edge (K) of the bin of each temperature (M,); bins start at multiples of ``width_K``.

    close_end: the highest temperature, where it is itself such an edge, belongs to the bin below:
    the last frame of a run makes no bin of its own.
    """
    T = np.asarray(temperature_K, float)
    low = np.floor(T / width_K) * width_K
    if close_end and len(T):
        low[(T == T.max()) & (T == low) & (T > T.min())] -= width_K
    return low


def bin_by_temperature(temperature_K, values, width_K: float = 20.0) -> pd.DataFrame:
    """Means of ``values`` in bins of temperature: temperature_K, mean, error, n.

    temperature_K, values: (M,) in order of time. Bins start at multiples of ``width_K``, empty
    ones are left out; temperature_K is the mean inside the bin. error is the standard error of
    the mean, widened by the root of the ``statistical_inefficiency`` of all values about the
    means of their bins (what fluctuates more slowly than a bin lasts is not in it); NaN for one
    sample.
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


def fluctuation(temperature_K, values, width_K: float = 100.0) -> float:
    r"""Standard deviation of ``values`` about the straight lines through each bin of temperature.

    .. math:: \sigma^2 = \frac{1}{M - 2B} \sum_b \sum_{i \in b} (x_i - a_b - c_b T_i)^2

    temperature_K, values: (M,); B bins start at multiples of ``width_K``, those of fewer than four
    samples are left out. In equilibrium the density of N atoms fluctuates as :math:`1/\sqrt{N}`
    (Landau and Lifshitz, Statistical Physics, section 112). NaN where no bin is left.
    """
    T, x = np.asarray(temperature_K, float), np.asarray(values, float)
    squares = freedom = 0
    low = bins(T, width_K)
    for b in np.unique(low):
        if (inside := low == b).sum() >= 4:
            centred = T[inside] - T[inside].mean()
            rest = x[inside] - np.polyval(np.polyfit(centred, x[inside], 1), centred)
            squares, freedom = squares + rest @ rest, freedom + inside.sum() - 2
    return float(np.sqrt(squares / freedom)) if freedom else float("nan")


def statistical_inefficiency(fluctuations) -> float:
    r"""How many samples in a row say as much as one independent one, ``g >= 1``.

    .. math:: g = 1 + 2 \sum_{t=1}^{t_0 - 1} (1 - t/M) \, \rho(t)

    rho: autocorrelation of the fluctuations, (M,), mean zero; t_0: where it is first negative
    (Chodera et al., J. Chem. Theory Comput. 3, 26 (2007)).
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
    """Residuals drawn again in blocks of neighbours, which keeps their correlation."""
    start = rng.integers(0, len(residual) - size + 1, size=-(-len(residual) // size))
    return residual[(start[:, None] + np.arange(size)).ravel()[: len(residual)]]
