r"""How the temperature of a transition depends on the heating rate, and where that leads.

A change of structure that waits for one activated step of energy E is seen, on heating at a rate
q, at the temperature T_f with (Kissinger, Anal. Chem. 29, 1702 (1957))

.. math:: \ln \frac{q}{T_f^2} = C - \frac{E}{R T_f}.

Slow heating leaves it time: T_f falls with the logarithm of the rate. Between a simulation (K/ps)
and a calorimeter (K/min) lie thirteen powers of ten, so that the law is all that such an
extrapolation stands on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit
from scipy.special import lambertw
from scipy.stats import t as student

from helpers import units


class TooFewPoints(ValueError):
    """The law has two parameters: three rates at which a transition was found are needed."""


@dataclass(frozen=True)
class RateLaw:
    """Kissinger's law fitted to (rate, T_f).

    E_kJ_per_mol, error: activation energy. scatter_K: root mean square distance of the points from
    the curve. n: number of points. parameters, covariance: of (ln(E/R), T_f at reference_rate).
    """

    E_kJ_per_mol: float
    error: float
    scatter_K: float
    n: int
    reference_rate: float
    parameters: np.ndarray
    covariance: np.ndarray

    def temperature(self, rate_K_per_ps) -> np.ndarray:
        """T_f (K) at these rates."""
        return _kissinger(rate_K_per_ps, *self.parameters, self.reference_rate)

    def interval(self, rate_K_per_ps, confidence: float = 0.95, n: int = 2000) -> np.ndarray:
        """(low, high) of T_f at these rates, (2, M): the law taken as true, its parameters not.

        Parameters are drawn from their covariance, widened by Student's t for few points.
        """
        rng = np.random.default_rng(0)
        freedom = max(self.n - 2, 1)
        wide = student.ppf(0.5 + confidence / 2, freedom) / student.ppf(0.5 + confidence / 2, 1e6)
        drawn = rng.multivariate_normal(self.parameters, self.covariance * wide**2, n)
        curves = [_kissinger(rate_K_per_ps, *p, self.reference_rate) for p in drawn if p[1] > 0]
        return np.percentile(curves, [50 * (1 - confidence), 50 * (1 + confidence)], axis=0)

    def __str__(self) -> str:
        return (
            f"E = {self.E_kJ_per_mol:.0f} +- {self.error:.0f} kJ/mol from {self.n} points, "
            f"which lie {self.scatter_K:.0f} K from the curve"
        )


def fit(
    rates_K_per_ps: Sequence[float], Tf_K: Sequence[float], errors_K: Sequence[float] | None = None
) -> RateLaw:
    """Least squares in T_f, each weighted by its error; without errors, all alike.

    Where points lie farther from the curve than their errors say, the errors are taken to be that
    much larger.

    Raises
    ------
    TooFewPoints
        fewer than three different rates.
    """
    q, T = np.asarray(rates_K_per_ps, float), np.asarray(Tf_K, float)
    if len(np.unique(q)) < 3:
        raise TooFewPoints(
            f"a transition was found at {len(np.unique(q))} heating rates; a law of "
            f"two parameters needs three"
        )
    middle = float(np.exp(np.log(q).mean()))
    sigma = np.ones_like(T) if errors_K is None else np.maximum(np.asarray(errors_K, float), 1e-3)

    def curve(rate, log_theta, at_middle):
        return _kissinger(rate, log_theta, at_middle, middle)

    parameters, covariance = curve_fit(
        curve, q, T, p0=[np.log(3e4), T.mean()], sigma=sigma, absolute_sigma=True, maxfev=20000
    )
    rest = T - curve(q, *parameters)
    chi2 = float((rest**2 / sigma**2).sum() / max(len(T) - 2, 1))
    covariance = covariance * (chi2 if errors_K is None else max(chi2, 1.0))
    E = float(np.exp(parameters[0]) * units.GAS_CONSTANT_KJ_PER_MOL_K)
    return RateLaw(
        E,
        E * float(np.sqrt(covariance[0, 0])),
        float(np.sqrt((rest**2).mean())),
        len(T),
        middle,
        parameters,
        covariance,
    )


def _kissinger(rate, log_theta, at_reference, reference) -> np.ndarray:
    """T(q) = theta / 2W(theta exp(C/2) / 2 sqrt(q)), theta = E/R, W: Lambert's function."""
    theta = np.exp(log_theta)
    C = np.log(reference) - 2 * np.log(at_reference) + theta / at_reference
    exponent = np.log(theta / 2) + C / 2 - np.log(np.asarray(rate, float)) / 2
    return theta / 2 / _lambert_of_exp(exponent)


def _lambert_of_exp(x) -> np.ndarray:
    """W(exp(x)), also where exp(x) overflows: three Newton steps for w + ln w = x."""
    x = np.asarray(x, float)
    w = np.where(x < 500, lambertw(np.exp(np.minimum(x, 500))).real, x - np.log(np.maximum(x, 1)))
    for _ in range(3):
        w = w - (w + np.log(w) - x) / (1 + 1 / w)
    return w
