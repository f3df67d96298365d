"""Whether a part of a run is in equilibrium, judged from its data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_distribution

from helpers import statistics
from helpers.errors import Unfit

SURE = 3.0  # standard errors
CHANCE = 0.01  # of the F-test of the two halves
FEWEST = 8.0  # independent samples
_STARTS = 40


@dataclass(frozen=True)
class Equilibration:
    """Verdict on the equilibrium of a run.

    Attributes
    ----------
    ok : bool
        True if nothing indicates that the run is not in equilibrium.
    from_ps : float
        Start of the part that leaves the most independent samples, ps.
    samples : float
        Number of independent samples in that part.
    mean : float
        Mean of that part, in the unit of the values.
    error : float
        Standard error of the mean, widened for correlation.
    reason : str
        What was found, in a sentence.
    """

    ok: bool
    from_ps: float
    samples: float
    mean: float
    error: float
    reason: str

    def __str__(self) -> str:
        return f"{'equilibrated' if self.ok else 'not equilibrated'}: {self.reason}"


def judge(time_ps, values, target: float | None = None) -> Equilibration:
    """Test a series for drift, for a decaying oscillation, and for a mean off its target.

    The part that leaves the most independent samples, :math:`(M - t_0) / g(t_0)` with the
    statistical inefficiency g, is used (Chodera, J. Chem. Theory Comput. 12, 1799 (2016)). The run
    is not in equilibrium if that part starts in the second half; if it has fewer than ``FEWEST``
    independent samples; if the means of its two halves differ by more than ``SURE`` standard errors
    (Geweke); if the variances of its two halves differ with F-test probability below ``CHANCE``,
    for as many samples as are independent (a barostat whose oscillation is still decaying); or if
    its mean differs from ``target`` by more than ``SURE`` standard errors.

    Parameters
    ----------
    time_ps : (M,) array
        Times, evenly spaced, ps.
    values : (M,) array
        The quantity, any unit.
    target : float, optional
        Expected mean, in the same unit, such as the pressure of the barostat.

    Returns
    -------
    Equilibration
        The verdict.

    Raises
    ------
    Unfit
        The arrays do not fit together, or a value is not finite.
    """
    t, x = np.asarray(time_ps, float), np.asarray(values, float)
    if t.shape != x.shape or t.ndim != 1 or not np.isfinite(x).all():
        raise Unfit(
            f"times {t.shape} and values {x.shape} do not fit: two arrays of the same length with "
            "finite numbers are needed"
        )
    if len(x) < FEWEST:
        return Equilibration(
            False, np.nan, len(x), np.nan, np.nan, f"{len(x)} samples are too few to judge"
        )
    starts = np.unique(np.linspace(0, len(x) - 5, _STARTS).astype(int))
    left = [(len(x) - s) / _inefficiency(x[s:]) for s in starts]
    start = int(starts[int(np.argmax(left))])
    kept, samples = x[start:], float(max(left))
    g = len(kept) / samples
    error = float(kept.std(ddof=1) / np.sqrt(samples))
    mean, since = float(kept.mean()), float(t[start])

    def no(reason):
        return Equilibration(False, since, samples, mean, error, reason)

    if start > len(x) / 2:
        return no(f"it drifts: only what follows {since:.3g} ps looks alike, less than half of it")
    if samples < FEWEST:
        return no(
            f"{samples:.1f} independent samples in {t[-1] - since:.3g} ps, {FEWEST:g} are needed: "
            f"values stay alike for {g * np.diff(t).mean():.2g} ps"
        )
    first, second = np.array_split(kept, 2)
    apart = abs(first.mean() - second.mean())
    unsure = np.sqrt((first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second)) * g)
    if apart > SURE * unsure:
        return no(
            f"the means of its halves differ by {apart:.3g}, {apart / unsure:.1f} standard errors"
        )
    freedom = max(samples / 2 - 1, 1)
    ratio = first.var(ddof=1) / max(second.var(ddof=1), 1e-300)
    chance = 2 * min(
        f_distribution.sf(ratio, freedom, freedom), f_distribution.cdf(ratio, freedom, freedom)
    )
    if chance < CHANCE:
        return no(
            f"it swings {np.sqrt(ratio):.2g} times as widely in its first half as in its second "
            f"(F-test p = {chance:.1g})"
        )
    if target is not None and abs(mean - target) > SURE * error:
        return no(
            f"its mean {mean:.4g} is {abs(mean - target) / error:.1f} standard errors from the "
            f"{target:.4g} asked for"
        )
    return Equilibration(
        True, since, samples, mean, error,
        f"{samples:.0f} independent samples from {since:.3g} ps on",
    )  # fmt: skip


def _inefficiency(x: np.ndarray) -> float:
    return statistics.statistical_inefficiency(x - x.mean())
