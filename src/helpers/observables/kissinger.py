r"""Dependence of a transition temperature on the heating rate, and its extrapolation.

A structural change that waits for one activated step of energy E is observed, on heating at a rate
q, at the temperature T_f with (Kissinger, Anal. Chem. 29, 1702 (1957))

.. math:: \ln \frac{q}{T_f^2} = C - \frac{E}{R T_f}.

Slower heating gives it more time, and T_f falls with the logarithm of the rate. Thirteen orders of
magnitude lie between a simulation (K/ps) and a calorimeter (K/min), so that an extrapolation rests
entirely on this law.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit
from scipy.special import lambertw
from scipy.stats import f as f_distribution
from scipy.stats import t as student

from helpers import units
from helpers.observables import censored

KNOWN = 0.5  # largest relative error of E with which the law says anything
REFUSED = 0.05  # probability below which the means of the rates do not obey it
HOPPING = 1 / 3  # share of seeds that come back from which on they wait for no single step


class NoLaw(ValueError):
    """The points do not determine Kissinger's law, or do not obey it: none is drawn."""


class TooFewPoints(ValueError):
    """A transition is known at fewer than three rates; the law has two parameters."""


@dataclass(frozen=True)
class RateLaw:
    """Kissinger's law fitted to transition temperatures at several heating rates.

    Attributes
    ----------
    E_kJ_per_mol : float
        Activation energy, kJ/mol.
    error : float
        Its standard error, kJ/mol.
    scatter_K : float
        Root-mean-square distance of the points from the curve, K.
    n : int
        Number of points.
    reference_rate : float
        Heating rate at which the second parameter is taken, K/ps.
    parameters : (2,) array
        ln(E/R) with E/R in K, and T_f at the reference rate, K.
    covariance : (2, 2) array
        Covariance of the parameters.
    """

    E_kJ_per_mol: float
    error: float
    scatter_K: float
    n: int
    reference_rate: float
    parameters: np.ndarray
    covariance: np.ndarray

    def temperature(self, rate_K_per_ps) -> np.ndarray:
        """Transition temperature at a heating rate.

        Parameters
        ----------
        rate_K_per_ps : float or (M,) array
            Heating rate, K/ps.

        Returns
        -------
        (M,) array
            T_f, K.
        """
        return _kissinger(rate_K_per_ps, *self.parameters, self.reference_rate)

    def interval(self, rate_K_per_ps, confidence: float = 0.95, n: int = 2000) -> np.ndarray:
        """Confidence interval of the transition temperature at a heating rate.

        The law is taken as correct. Its parameters are drawn from their covariance, widened by
        Student's t for few points.

        Parameters
        ----------
        rate_K_per_ps : float or (M,) array
            Heating rate, K/ps.
        confidence : float
            Confidence level between 0 and 1.
        n : int
            Number of draws.

        Returns
        -------
        (2, M) array
            Lower and upper limit of T_f, K.
        """
        rng = np.random.default_rng(0)
        freedom = max(self.n - 2, 1)
        wide = student.ppf(0.5 + confidence / 2, freedom) / student.ppf(0.5 + confidence / 2, 1e6)
        drawn = rng.multivariate_normal(self.parameters, self.covariance * wide**2, n)
        curves = [_kissinger(rate_K_per_ps, *p, self.reference_rate) for p in drawn if p[1] > 0]
        return np.percentile(curves, [50 * (1 - confidence), 50 * (1 + confidence)], axis=0)

    def why_not_drawn(self) -> str:
        """Why a curve of this law would say nothing.

        Returns
        -------
        str
            A sentence; empty if the activation energy is known well enough, to `KNOWN` of its
            value.
        """
        if np.isfinite(self.error) and self.error <= KNOWN * self.E_kJ_per_mol:
            return ""
        return (
            f"the points do not determine an activation energy: {self.E_kJ_per_mol:.0f} ± "
            f"{self.error:.0f} kJ/mol; seeds, or slower rates, are needed"
        )

    def __str__(self) -> str:
        return (
            f"E = {self.E_kJ_per_mol:.0f} +- {self.error:.0f} kJ/mol from {self.n} points, "
            f"which lie {self.scatter_K:.0f} K from the curve"
        )


def fit(
    rates_K_per_ps: Sequence[float], Tf_K: Sequence[float], errors_K: Sequence[float] | None = None
) -> RateLaw:
    """Fit Kissinger's law to transition temperatures by least squares.

    The points are weighted by their errors. If they scatter about the curve by more than their
    errors, the errors are increased accordingly.

    Parameters
    ----------
    rates_K_per_ps : (M,) sequence of float
        Heating rates, K/ps.
    Tf_K : (M,) sequence of float
        Transition temperatures, K.
    errors_K : (M,) sequence of float, optional
        Their standard errors, K; by default all points have the same weight.

    Returns
    -------
    RateLaw
        The fitted law.

    Raises
    ------
    TooFewPoints
        There are fewer than three different rates.
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


def of_seeds(given: censored.Seeds, returned: Sequence[bool] = ()) -> RateLaw:
    """The most likely law of seeds some of which show no transition (`censored.fit`).

    Parameters
    ----------
    given : censored.Seeds
        Seeds of one size of cell.
    returned : sequence of bool
        For each seed that fell, whether its density came back: such a cell is in equilibrium
        between two states. Empty if it is not known.

    Returns
    -------
    RateLaw
        The law.

    Raises
    ------
    TooFewPoints
        There are falls at fewer than three rates, or fewer than four in all.
    NoLaw
        A third of the seeds that fell, or more, come back; the relative error of E is above
        `KNOWN`; or the means of the rates contradict the law (F-test, p < 0.05).
    """
    fell = given.of(given.fell)
    n_rates = len(np.unique(fell.rate_K_per_ps))
    if n_rates < 3 or len(fell) < 4:
        raise TooFewPoints(
            f"{len(fell)} falls at {n_rates} heating rates; a law of two parameters and a scatter "
            "needs four falls at three rates"
        )
    if len(returned) and np.mean(returned) >= HOPPING:
        raise NoLaw(
            f"{int(np.sum(returned))} of {len(returned)} runs that fall come back to the crystal's "
            "density: cells that open and close wait for no single activated step, which is what "
            "the law is about"
        )
    middle = float(np.exp(np.log(fell.rate_K_per_ps).mean()))
    start = [np.log(3e4), fell.temperature_K.mean()]

    def curve(p):
        return _kissinger(given.rate_K_per_ps, p[0], p[1], middle)

    best = censored.fit(given, curve, start)
    law = _as_law(given, best, curve, middle)
    if reason := law.why_not_drawn():
        raise NoLaw(reason)
    rates = np.unique(fell.rate_K_per_ps)
    used = given.of(np.isin(given.rate_K_per_ps, rates))
    column = np.searchsorted(rates, used.rate_K_per_ps)
    means = [used.temperature_K[(column == i) & used.fell].mean() for i in range(n_rates)]
    free = censored.fit(used, lambda p: p[column], means)
    bound = censored.fit(
        used, lambda p: _kissinger(used.rate_K_per_ps, p[0], p[1], middle), best.parameters
    )
    gain = 2 * max(free.log_likelihood - bound.log_likelihood, 0.0)
    # as an F-test, which the likelihood ratio is where every seed falls: chi-squared would refuse
    # too often for a few seeds
    F = np.expm1(gain / len(used)) * max(free.freedom, 1) / (n_rates - 2)
    chance = float(f_distribution.sf(F, n_rates - 2, max(free.freedom, 1)))
    if chance < REFUSED:
        raise NoLaw(
            f"the means of the {n_rates} rates do not lie on a curve of the law "
            f"(F-test, p = {chance:.2g})"
        )
    return law


def _as_law(given: censored.Seeds, best: censored.Fit, curve, middle: float) -> RateLaw:
    """With the covariance from the curvature of the likelihood, corrected for few seeds."""
    steps = np.array([0.02, 2.0])

    def cost(p):
        return -censored.log_likelihood(given, curve(p), best.scatter_K)

    at, H = best.parameters, np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            a, b = np.eye(2)[i] * steps[i], np.eye(2)[j] * steps[j]
            H[i, j] = (
                cost(at + a + b) - cost(at + a - b) - cost(at - a + b) + cost(at - a - b)
            ) / (4 * steps[i] * steps[j])
    n = int(given.fell.sum())
    covariance = np.full((2, 2), np.nan)
    if np.linalg.det(H) > 0 and H[0, 0] > 0:
        covariance = np.linalg.inv(H) * n / max(n - 2, 1)
    E = float(np.exp(at[0]) * units.GAS_CONSTANT_KJ_PER_MOL_K)
    rest = (given.temperature_K - curve(at))[given.fell]
    return RateLaw(
        E, E * float(np.sqrt(covariance[0, 0])), float(np.sqrt((rest**2).mean())), n, middle, at,
        covariance,
    )  # fmt: skip


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
