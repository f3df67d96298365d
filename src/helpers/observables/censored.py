r"""Temperatures of which some are only known to lie higher: means, trends and their intervals.

A seed whose density does not fall up to T_c, although a fall would have been detected, shows that
T_f > T_c. With T_f of the other seeds, errors e_i, and the scatter s between seeds,

.. math:: \ln L = \sum_{falls} \ln N(T_i; \mu_i, s^2 + e_i^2)
    + \sum_{censored} \ln P(T > T_{c,i}; \mu_i, s)

(Tobin, Econometrica 26, 24 (1958)). A mean without the censored seeds would be too low, and so
would be one that took T_c for T_f.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.special import log_ndtr
from scipy.stats import chi2, norm
from scipy.stats import t as student

from helpers.errors import Unfit

CONFIDENCE = 0.95
_SMALLEST_K = 1.0  # a scatter below is none
_FAR_K = 5000.0  # no end of an interval is looked for farther away


@dataclass(frozen=True)
class Seeds:
    """Runs, with the temperature at which each falls or up to which it does not.

    Attributes
    ----------
    rate_K_per_ps : (n,) array
        Heating rates, K/ps.
    fell : (n,) array of bool
        Whether the density falls.
    temperature_K : (n,) array
        T_f of the runs that fall, T_c of the others, K.
    error_K : (n,) array
        Standard error of T_f, K; 0 for censored runs.
    """

    rate_K_per_ps: np.ndarray
    fell: np.ndarray
    temperature_K: np.ndarray
    error_K: np.ndarray

    def __len__(self) -> int:
        return len(self.fell)

    def of(self, chosen) -> Seeds:
        """Some of the runs.

        Parameters
        ----------
        chosen : mask or array of int
            The runs.

        Returns
        -------
        Seeds
            These runs.
        """
        return Seeds(
            self.rate_K_per_ps[chosen], self.fell[chosen], self.temperature_K[chosen],
            self.error_K[chosen],
        )  # fmt: skip


def seeds(rate_K_per_ps, Tf_K, error_K, above_K) -> Seeds:
    """Runs from the columns of a table; those without information are left out.

    Parameters
    ----------
    rate_K_per_ps : (n,) array
        Heating rates, K/ps.
    Tf_K : (n,) array
        T_f, K; NaN if no fall was found.
    error_K : (n,) array
        Standard errors of T_f, K.
    above_K : (n,) array
        Temperature up to which a fall would have been found, K; NaN if unknown. Not used where
        there is a T_f.

    Returns
    -------
    Seeds
        The runs.

    Raises
    ------
    Unfit
        The columns differ in length.
    """
    q, T, e, c = (
        np.atleast_1d(np.asarray(x, float)) for x in (rate_K_per_ps, Tf_K, error_K, above_K)
    )
    if not q.shape == T.shape == e.shape == c.shape:
        raise Unfit(
            f"{len(q)} rates, {len(T)} temperatures, {len(e)} errors and {len(c)} limits do not "
            "fit; give one of each a run"
        )
    fell = np.isfinite(T)
    says = fell | np.isfinite(c)
    return Seeds(
        q, fell, np.where(fell, T, c), np.where(fell, np.nan_to_num(e), 0.0)
    ).of(says)  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """Maximum-likelihood fit to runs.

    Attributes
    ----------
    parameters : (k,) array
        Parameters of the mean.
    scatter_K : float
        Standard deviation between seeds, K.
    log_likelihood : float
        Logarithm of the likelihood.
    freedom : int
        Number of seeds that fell minus k.
    """

    parameters: np.ndarray
    scatter_K: float
    log_likelihood: float
    freedom: int


def fit(given: Seeds, mean: Callable[[np.ndarray], np.ndarray], start) -> Fit:
    """Maximum-likelihood parameters of the mean, and the scatter.

    The scatter of maximum likelihood is too small for few seeds; `likely` accounts for this.

    Parameters
    ----------
    given : Seeds
        The runs.
    mean : callable
        Parameters (k,) -> mean of each run (n,), K.
    start : (k,) array
        Where the search begins.

    Returns
    -------
    Fit
        The fit.
    """
    begin = np.append(np.asarray(start, float), np.log(50.0))
    scale = np.append(np.maximum(np.abs(begin[:-1]) * 0.05, 1e-3), 0.5)

    def cost(x):
        return -log_likelihood(given, mean(begin[:-1] + x[:-1] * scale[:-1]),
                                np.exp(begin[-1] + x[-1] * scale[-1]))  # fmt: skip

    best = minimize(cost, np.zeros(len(begin)), method="BFGS")
    if not best.success:  # a scatter that goes to zero: the cost has an edge there
        simplex = minimize(cost, best.x, method="Nelder-Mead", options={"maxfev": 2000})
        best = min(best, simplex, key=lambda result: result.fun)
    found = begin + best.x * scale
    return Fit(
        found[:-1], float(np.exp(found[-1])), -float(best.fun), int(given.fell.sum()) - len(start)
    )


def likely(loss: float, n: int, freedom: int) -> float:
    r"""Probability that a difference of log-likelihoods is this large by chance, for one parameter.

    For n seeds that all fell, :math:`2\,\Delta \ln L = n \ln(1 + t^2 / \nu)` exactly, with
    Student's t of :math:`\nu` degrees of freedom; the same is used if some are censored. Without
    degrees of freedom, chi-squared.

    Parameters
    ----------
    loss : float
        Difference of the log-likelihoods.
    n : int
        Number of seeds.
    freedom : int
        Degrees of freedom.

    Returns
    -------
    float
        Probability.
    """
    loss = max(loss, 0.0)
    if freedom < 1:
        return float(chi2.sf(2 * loss, 1))
    return float(2 * student.sf(np.sqrt(freedom * np.expm1(2 * loss / n)), freedom))


def by_rate(given: Seeds) -> pd.DataFrame:
    """Mean at each rate with its 95 % interval, with a common scatter.

    Parameters
    ----------
    given : Seeds
        The runs.

    Returns
    -------
    DataFrame
        A row for each rate, the slowest first: rate_K_per_ps, mean_K (NaN if every seed is
        censored), low_K, high_K (inf if only a lower limit is known), fell, censored, median_K
        (Kaplan and Meier; NaN for fewer than four seeds, or if half of them do not fall),
        scatter_K. Empty without seeds.
    """
    columns = ["rate_K_per_ps", "mean_K", "low_K", "high_K", "fell", "censored", "median_K",
               "scatter_K"]  # fmt: skip
    rates = np.unique(given.rate_K_per_ps)
    scatter, freedom = pooled_scatter(given)
    rows = []
    for rate in rates:
        here = given.of(given.rate_K_per_ps == rate)
        mean, low, high = _interval(here, scatter, freedom)
        rows.append(
            {
                "rate_K_per_ps": rate,
                "mean_K": mean,
                "low_K": low,
                "high_K": high,
                "fell": int(here.fell.sum()),
                "censored": int((~here.fell).sum()),
                "median_K": kaplan_meier_median(here) if len(here) >= 4 else np.nan,
                "scatter_K": scatter,
            }
        )
    return pd.DataFrame(rows, columns=columns)


def pooled_scatter(given: Seeds) -> tuple[float, int]:
    """Standard deviation between seeds, pooled over rates.

    It is that of maximum likelihood with a free mean for each rate, corrected for the fitted means.

    Parameters
    ----------
    given : Seeds
        The runs.

    Returns
    -------
    scatter_K : float
        K; NaN if no rate has two seeds that fell.
    freedom : int
        Its degrees of freedom; 0 then.
    """
    rates = [
        q for q in np.unique(given.rate_K_per_ps) if given.fell[given.rate_K_per_ps == q].any()
    ]
    used = given.of(np.isin(given.rate_K_per_ps, rates))
    freedom = int(used.fell.sum()) - len(rates)
    if freedom < 1:
        return np.nan, 0
    column = np.searchsorted(rates, used.rate_K_per_ps)
    start = [used.temperature_K[(column == i) & used.fell].mean() for i in range(len(rates))]
    best = fit(used, lambda p: p[column], start)
    return float(best.scatter_K * np.sqrt(used.fell.sum() / freedom)), freedom


@dataclass(frozen=True)
class Trend:
    """Dependence of T_f on the logarithm of the heating rate.

    Attributes
    ----------
    slope_K : float
        Change of T_f for a rate ten times as fast, K.
    low_K : float
        Lower end of its 95 % interval, K.
    high_K : float
        Upper end of its 95 % interval, K.
    probability : float
        Probability of a slope as large if T_f does not depend on the rate.
    n_rates : int
        Number of rates at which a fall was seen.
    """

    slope_K: float
    low_K: float
    high_K: float
    probability: float
    n_rates: int

    def __str__(self) -> str:
        return (
            f"{self.slope_K:+.0f} K for a rate ten times as fast (95 %: {self.low_K:+.0f} "
            f"to {self.high_K:+.0f} K; p = {self.probability:.2g})"
        )


def trend(given: Seeds) -> Trend:
    """Test whether b is zero in T_f = a + b log10(rate).

    Parameters
    ----------
    given : Seeds
        The runs.

    Returns
    -------
    Trend
        Slope, interval and probability.

    Raises
    ------
    Unfit
        There are falls at fewer than three rates, or no more seeds than parameters.
    """
    n_rates = len(np.unique(given.rate_K_per_ps[given.fell]))
    if n_rates < 3 or given.fell.sum() < 4:
        raise Unfit(
            f"{given.fell.sum()} falls at {n_rates} rates: whether the transition moves with the "
            "rate needs four at three rates; add seeds or slower rates"
        )
    x = np.log10(given.rate_K_per_ps)
    x = x - x[given.fell].mean()
    at = given.temperature_K[given.fell].mean()
    free = fit(given, lambda p: p[0] + p[1] * x, [at, 10.0])

    def loss(b):
        return free.log_likelihood - fit(given, lambda p: p[0] + b * x, [at]).log_likelihood

    n, b = len(given), float(free.parameters[1])
    chance = likely(loss(0.0), n, free.freedom)
    low, high = (
        _edge(lambda y: likely(loss(y), n, free.freedom), b, way) for way in (-1, 1)
    )  # fmt: skip
    return Trend(b, low, high, chance, n_rates)


def kaplan_meier_median(given: Seeds) -> float:
    """Temperature by which half of the seeds have fallen.

    Kaplan and Meier, J. Am. Stat. Assoc. 53, 457 (1958): the product of the shares of the remaining
    seeds that pass each fall.

    Parameters
    ----------
    given : Seeds
        The runs.

    Returns
    -------
    float
        Temperature, K; inf if fewer than half fall.
    """
    order = np.lexsort((~given.fell, given.temperature_K))  # a fall before a limit at its place
    left = 1.0
    for i, k in enumerate(order):
        if given.fell[k]:
            left *= 1 - 1 / (len(order) - i)
        if left <= 0.5:
            return float(given.temperature_K[k])
    return np.inf


def log_likelihood(given: Seeds, mean, scatter: float) -> float:
    """Logarithm of the likelihood of the runs.

    Parameters
    ----------
    given : Seeds
        The runs.
    mean : (n,) array
        Expected temperature of each run, K.
    scatter : float
        Standard deviation between seeds, K.

    Returns
    -------
    float
        Logarithm of the likelihood.
    """
    spread = np.hypot(max(scatter, _SMALLEST_K), given.error_K)
    z = (given.temperature_K - mean) / spread
    density = -(z**2) / 2 - np.log(spread) - np.log(2 * np.pi) / 2
    return float(np.where(given.fell, density, log_ndtr(-z)).sum())


def _interval(here: Seeds, scatter: float, freedom: int) -> tuple[float, float, float]:
    """Mean of one rate and its limits, with the scatter of all rates."""
    spread = scatter if np.isfinite(scatter) else _SMALLEST_K
    wide = student.ppf(0.5 + CONFIDENCE / 2, freedom) if freedom else norm.ppf(0.975)

    def value(mean):
        return log_likelihood(here, mean, spread)

    if not here.fell.any():
        # one-sided: means below are unlikely; without a scatter the limits themselves
        if not freedom:
            return np.nan, float(here.temperature_K.max()), np.inf
        worst = np.log(1 - CONFIDENCE)
        top = here.temperature_K.max()
        low = brentq(lambda m: value(m) - worst, top - _FAR_K, top + _FAR_K)
        return np.nan, float(low), np.inf
    # the likelihood of a mean has one maximum (both terms are log-concave)
    around = (here.temperature_K.min() - _FAR_K, here.temperature_K.max() + _FAR_K)
    best = minimize_scalar(lambda m: -value(m), bounds=around, method="bounded").x
    loss = wide**2 / 2
    top = value(best)
    low, high = (
        brentq(lambda m: top - value(m) - loss, *sorted((best, best + way * _FAR_K)))
        for way in (-1, 1)
    )
    return float(best), float(low), float(high)


def _edge(chance: Callable[[float], float], best: float, way: int) -> float:
    """Where ``chance`` has fallen to 5 %, on one side; inf where it does not."""
    reach = 50.0
    while chance(best + way * reach) > 1 - CONFIDENCE:
        reach *= 2
        if reach > _FAR_K:
            return way * np.inf
    return float(
        brentq(
            lambda y: chance(y) - (1 - CONFIDENCE), *sorted((best, best + way * reach)), xtol=0.5
        )
    )
