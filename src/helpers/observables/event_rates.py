"""Rates of rare events: confidence limits from a count, and temperature dependence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy
from scipy.stats import chi2

from helpers import units
from helpers.errors import Unfit

CONFIDENCE = 0.95
REFUSED = 0.05  # a law whose counts are less probable than this is none


class ActivationNotDetermined(ValueError):
    """There are fewer than five events, or all of them are at one temperature."""


def poisson_limits(count, confidence: float = CONFIDENCE) -> tuple[np.ndarray, np.ndarray]:
    r"""Exact confidence limits of the mean of a Poisson distribution, given one count n.

    .. math:: \tfrac{1}{2} \chi^2_{a/2}(2n) \le \lambda \le \tfrac{1}{2} \chi^2_{1-a/2}(2n + 2),
        \quad a = 1 - \mathrm{confidence}

    Garwood, Biometrika 28, 437 (1936). If no event was counted, the lower limit is zero and the
    upper one is one-sided, ``-ln(1 - confidence)``: 3.0 events at 95 %.

    Parameters
    ----------
    count : int or array of int
        Number of events.
    confidence : float
        Confidence level between 0 and 1.

    Returns
    -------
    low : array
        Lower limits, events.
    high : array
        Upper limits, events.

    Raises
    ------
    Unfit
        A count is negative.
    """
    count = np.asarray(count)
    if (count < 0).any():
        raise Unfit(f"a number of events is not negative: {count.min()}")
    tail = (1 - confidence) / 2
    low = np.where(count > 0, chi2.ppf(tail, 2 * np.maximum(count, 1)) / 2, 0.0)
    high = np.where(count > 0, chi2.ppf(1 - tail, 2 * count + 2) / 2, -np.log(1 - confidence))
    return low, high


@dataclass(frozen=True)
class Arrhenius:
    """Arrhenius law ``k(T) = A exp(-E_a / RT)`` fitted to counted events.

    Attributes
    ----------
    E_a : float
        Activation energy, kJ/mol.
    error : float
        Its standard error, kJ/mol.
    prefactor : float
        A, events per ns.
    n_events : int
        Number of events that were fitted.
    deviance : float
        Twice the logarithm of the likelihood of the counts themselves over that of the law.
    dof : int
        Number of temperatures less two. Without any the law goes through both points and nothing
        tests it.
    """

    E_a: float
    error: float
    prefactor: float
    n_events: int
    _middle: float
    _log_rate: float
    _covariance: np.ndarray
    deviance: float = 0.0
    dof: int = 0

    @property
    def p(self) -> float:
        """Probability of a deviance at least as large, if the law holds; NaN without ``dof``."""
        return float(chi2.sf(self.deviance, self.dof)) if self.dof else np.nan

    def rate(self, temperature_K) -> tuple[np.ndarray, np.ndarray]:
        """Rate at a temperature.

        Parameters
        ----------
        temperature_K : float or array
            Temperature, K.

        Returns
        -------
        rate : array
            Events per ns.
        error : array
            Standard error of the natural logarithm of the rate.
        """
        x = _inverse(temperature_K) - self._middle
        C = self._covariance
        return (
            np.exp(self._log_rate - self.E_a * x),
            np.sqrt(C[0, 0] - 2 * x * C[0, 1] + x**2 * C[1, 1]),
        )


def arrhenius(temperature_K, events, exposure_ns) -> Arrhenius:
    r"""Maximum-likelihood Arrhenius law of Poisson counts.

    .. math:: n_i \sim \mathrm{Poisson}(t_i A e^{-E_a / R T_i})

    Bins without events are part of the likelihood; a line through the logarithms of the rates would
    have to omit them and would be too flat. Solved by Newton's method; the errors are those of
    Fisher's information, times the square root of deviance over degrees of freedom where that is
    above 1: events that come in clumps scatter by more than Poisson's law (McCullagh & Nelder,
    Generalized Linear Models, 1989, ch. 6.2),

    .. math:: D = 2 \sum_i [n_i \ln(n_i / \mu_i) - (n_i - \mu_i)],
        \quad \mu_i = t_i A e^{-E_a / R T_i}

    Where most bins hold less than one event, D is smaller than its degrees of freedom, and the test
    sees little.

    Parameters
    ----------
    temperature_K : (M,) array
        Mean temperature of each bin, K.
    events : (M,) array
        Number of events n_i in each bin.
    exposure_ns : (M,) array
        Observation time t_i, summed over all bonds, ns. Bins without any are left out.

    Returns
    -------
    Arrhenius
        The fitted law.

    Raises
    ------
    ActivationNotDetermined
        There are fewer than five events, or they are all at one temperature.
    """
    T, n, t = (np.asarray(a, float) for a in (temperature_K, events, exposure_ns))
    used = np.isfinite(T) & (t > 0)
    T, n, t = T[used], n[used], t[used]
    if n.sum() < 5 or (n > 0).sum() < 2:
        raise ActivationNotDetermined(
            f"an activation energy needs five events at two temperatures or more, and there are "
            f"{int(n.sum())} at {(n > 0).sum()}"
        )
    x = _inverse(T)
    middle = (n * x).sum() / n.sum()  # near where the events are the two parameters decouple
    design = np.stack([np.ones_like(x), middle - x], axis=1)
    at = np.array([np.log(n.sum() / t.sum()), 0.0])
    for _ in range(200):
        mean = t * np.exp(np.clip(design @ at, -700, 700))
        information = design.T @ (design * mean[:, None])
        step = np.linalg.solve(information, design.T @ (n - mean))
        limit = np.array([2.0, 1.0 / np.abs(design[:, 1]).max()])
        at += step * min(1.0, (limit / np.maximum(np.abs(step), 1e-300)).min())
        if np.all(np.abs(step) < 1e-10 * (1 + np.abs(at))):
            break
    mean = t * np.exp(np.clip(design @ at, -700, 700))
    deviance, dof = 2 * float((xlogy(n, n / mean) - (n - mean)).sum()), len(n) - 2
    covariance = np.linalg.inv(information) * (max(1.0, deviance / dof) if dof else 1.0)
    return Arrhenius(
        float(at[1]),
        float(np.sqrt(covariance[1, 1])),
        float(np.exp(at[0] + at[1] * middle)),
        int(n.sum()),
        float(middle),
        float(at[0]),
        covariance,
        deviance,
        dof,
    )


def _inverse(temperature_K):
    return 1 / (units.GAS_CONSTANT_KJ_PER_MOL_K * np.asarray(temperature_K, float))
