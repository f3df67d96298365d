"""The temperature at which the density of a heated crystal begins to fall."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import f as f_distribution

from helpers import statistics
from helpers.errors import Unfit
from helpers.observables import density_stages

BIN_WIDTHS_K = (10.0, 20.0, 40.0)
VAGUE = 0.25  # of the fitted range: a larger error of Tf is no transition


@dataclass(frozen=True)
class Transition:
    """The temperature at which the density begins to fall, or the reason why there is none.

    ``str()`` gives a sentence to print.

    Attributes
    ----------
    found : bool
        Whether there is a transition.
    Tf : float
        Temperature at which the fall begins, K; NaN if there is none.
    error : float
        Its standard error, K; NaN if there is none.
    drop : float
        Relative difference between the density and the extrapolated line of the solid at
        ``fit_until_K``.
    fit_until_K : float
        Upper end of the fit, K.
    lines : (3,) array
        a, b, c of ``a + b T + c min(max(0, T - Tf), fallen_K - Tf)``.
    reason : str
        What was found, in a sentence.
    fallen_K : float
        Temperature at which the fall ends, K; NaN if there is none.
    method : str
        How it was determined.
    """

    found: bool
    Tf: float
    error: float
    drop: float
    fit_until_K: float
    lines: np.ndarray
    reason: str
    fallen_K: float = np.nan
    method: str = "line with a fall, block bootstrap"

    def __str__(self) -> str:
        if not self.found:
            return f"no transition found: {self.reason}"
        return f"Tf = {self.Tf:.0f} +- {self.error:.0f} K: {self.reason}"


def transition_temperature(
    temperature_K,
    density,
    width_K: float = 20.0,
    min_drop: float = 0.03,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> Transition:
    r"""Temperature Tf at which the density of a heated crystal begins to fall significantly.

    The density is averaged in bins of temperature. The fit covers the run up to the lowest density
    (running mean of three bins), so that what follows, a collapse into a denser liquid, does not
    affect it. There

    .. math:: \rho(T) = a + bT + c \min\{\max(0, T - T_f),\ T_1 - T_f\}

    is fitted by least squares: the solid expands, its density falls from Tf to T1 and then
    continues parallel to the line of the solid, as in a phase of low density; if there is none, T1
    is the end of the fit. The error of Tf is the standard deviation over resamplings of the
    residuals, in blocks of three bins or of twice their ``statistical_inefficiency`` if that is
    more.

    A transition is found if, at the end of the fit, the density lies at least ``min_drop``
    (relative) below the extrapolated line of the solid and as far below its value at Tf; if the
    fall reduces the residual of a straight line with F-test probability below 0.1 % (for as many
    bins as are independent); if the line of the solid has three bins or more; and if the error of
    Tf is below a quarter of the fitted range. The paper reads Tf off by eye (Fig. 6b). A run
    without a transition, however short, is no error.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures in order of time, K.
    density : (M,) array
        Density, any unit.
    width_K : float
        Width of a bin, K.
    min_drop : float
        Least relative fall of the density.
    n_bootstrap : int
        Number of resamplings for the error.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    Transition
        The transition, or why there is none.

    Raises
    ------
    Unfit
        There is no sample, or the arrays do not fit together.
    """
    temperature_K, density = np.asarray(temperature_K, float), np.asarray(density, float)
    if temperature_K.shape != density.shape or temperature_K.ndim != 1 or not len(density):
        raise Unfit(
            f"temperatures {temperature_K.shape} and densities {density.shape} do not fit: two "
            "arrays of the same length, one sample at least, are needed"
        )
    binned = statistics.bin_by_temperature(temperature_K, density, width_K)
    T, rho = binned["temperature_K"].to_numpy(), binned["mean"].to_numpy()

    def none(reason, until=T[-1], lines=(np.nan,) * 3, drop=np.nan):
        return Transition(False, np.nan, np.nan, drop, float(until), np.array(lines), reason)

    if len(T) < 10:
        return none(
            f"the run covers {T[0]:.0f}-{T[-1]:.0f} K, {len(T)} bins of {width_K:.0f} K; "
            "10 are needed"
        )
    smooth = pd.Series(rho).rolling(3, center=True, min_periods=1).mean().to_numpy()
    end = int(np.argmin(smooth))
    if end + 1 < 8:
        end = len(T) - 1
    T, rho = T[: end + 1], rho[: end + 1]

    Tf, T1, lines, square = _fall(T, rho)
    model = _model(T, Tf, T1, lines)
    drop = float(-lines[2] * (T1 - Tf) / (lines[0] + lines[1] * T[-1]))
    straight = np.polyval(np.polyfit(T, rho, 1), T)
    alike = statistics.statistical_inefficiency(rho - model)
    independent = max(1.0, len(T) / alike - 5)
    F = ((rho - straight) ** 2).sum() - square
    F = F / (3 * alike) / max(square / (len(T) - 5), 1e-30)
    chance = f_distribution.sf(F, 3, independent)
    fall = float(-(lines[1] + lines[2]) * (T1 - Tf) / (lines[0] + lines[1] * Tf))
    if min(drop, fall) < min_drop:
        way = "rises" if rho[-3:].mean() > rho[:3].mean() else "falls too little"
        return none(
            f"up to {T[-1]:.0f} K the density {way} (by {100 * fall:.1f} % from the "
            f"bend on, {100 * drop:.1f} % below the line of the solid; "
            f"{100 * min_drop:.0f} % are needed)",
            T[-1],
            lines,
            drop,
        )
    if chance > 1e-3:
        return none(
            f"a fall is not significantly better than a straight line (F-test p = "
            f"{chance:.2g}; 0.001 or less is asked for)",
            T[-1],
            lines,
            drop,
        )
    rng = np.random.default_rng(seed)
    size = int(np.clip(np.ceil(2 * alike), 3, len(T) // 3))
    tries = [
        _fall(T, model + statistics.resample_blocks(rng, rho - model, size))[0]
        for _ in range(n_bootstrap)
    ]
    error = float(np.std(tries))
    if error > VAGUE * (T[-1] - T[0]) or Tf <= T[2] + 0.25 * width_K:
        return none(f"the fall from {Tf:.0f} +- {error:.0f} K on is too vague", T[-1], lines, drop)
    return Transition(
        True,
        float(Tf),
        error,
        drop,
        float(T[-1]),
        lines,
        f"density falls by {100 * drop:.1f} % below the line of the solid up to {T1:.0f} K",
        float(T1),
    )


def by_methods(temperature_K, density, n_bootstrap: int = 200) -> Transition:
    """Transition temperature with bins of 10, 20 and 40 K, which shows what depends on the method.

    The temperature is the mean of the three of `transition_temperature`; its error
    combines the largest of their errors and the standard deviation between them. If only some of
    them find a transition, or if that error is a quarter of the fitted range or more, there is
    none.

    A run that falls, returns and falls again is not described by a single fall. If the whole run
    shows no transition, but `density_stages.find` a low density that ends in a denser stage, the
    part up to that end is examined in the same way: Tf is then where the density falls first.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures in order of time, K.
    density : (M,) array
        Density, any unit.
    n_bootstrap : int
        Number of resamplings for each error.

    Returns
    -------
    Transition
        The transition, or why there is none.

    Raises
    ------
    Unfit
        As ``transition_temperature``.
    """
    whole = _by_methods(temperature_K, density, n_bootstrap)
    back = None if whole.found else _comes_back(temperature_K, density)
    if back is None:
        return whole
    until = np.asarray(temperature_K) < back
    first = _by_methods(np.asarray(temperature_K)[until], np.asarray(density)[until], n_bootstrap)
    return (
        replace(first, reason=f"{first.reason}; it comes back at {back:.0f} K")
        if first.found
        else whole
    )


def _comes_back(temperature_K, density) -> float | None:
    """Where a first stage of low density ends in a denser one, K."""
    found = density_stages.find(temperature_K, density, n_bootstrap=2)
    low = next((i for i, stage in enumerate(found) if stage.name == "low density"), len(found))
    return next(
        (later.low_K for later in found[low + 1 :] if later.name in ("return", "dense")), None
    )


def _by_methods(temperature_K, density, n_bootstrap: int) -> Transition:
    tries = [
        transition_temperature(temperature_K, density, width, n_bootstrap=n_bootstrap)
        for width in BIN_WIDTHS_K
    ]
    if not all(t.found for t in tries):
        missed = next(t for t in tries if not t.found)
        if any(t.found for t in tries):
            return replace(missed, reason=f"not with every width of bins: {missed.reason}")
        return tries[1]
    Tf = [t.Tf for t in tries]
    error = float(np.hypot(max(t.error for t in tries), np.std(Tf, ddof=1)))
    if error > VAGUE * (tries[1].fit_until_K - np.min(temperature_K)):
        reason = f"the fall from {np.mean(Tf):.0f} +- {error:.0f} K on is too vague"
        found = replace(tries[1], found=False, Tf=np.nan, error=np.nan, fallen_K=np.nan)
        return replace(found, reason=f"{reason}, since widths of bins differ")
    return replace(
        tries[1],
        Tf=float(np.mean(Tf)),
        error=error,
        method="line with a fall, block bootstrap, bins of 10, 20 and 40 K",
    )


def _model(T, Tf: float, T1: float, lines: np.ndarray) -> np.ndarray:
    return lines[0] + lines[1] * T + lines[2] * np.clip(T - Tf, 0, T1 - Tf)


def _fall(T, rho, coarse: int = 40, refined: int = 3) -> tuple[float, float, np.ndarray, float]:
    """Best Tf and T1, coefficients (a, b, c) and sum of squares of `_model`.

    All pairs of ``coarse`` temperatures are tried, then ``refined`` times the neighbourhood of the
    best pair on a grid four times as fine; the fall may begin at the third bin at the earliest.
    """
    first, last = T[2], T[-1]
    grid = np.linspace(first, last, coarse)
    step = grid[1] - grid[0]
    begin, stop = (grid[i] for i in np.triu_indices(coarse, 1))
    for _ in range(refined + 1):
        best = _least_squares(T, rho, begin, stop)
        step /= 4
        near = step * np.arange(-4, 5)
        begin, stop = (x.ravel() for x in np.meshgrid(best[0] + near, best[1] + near))
        begin, stop = begin.clip(first, T[-3]), stop.clip(first, last)
        apart = stop - begin > 0.5 * (last - first) / len(T)
        begin, stop = begin[apart], stop[apart]
    return best


def _least_squares(T, rho, begin, stop) -> tuple[float, float, np.ndarray, float]:
    """The best of the pairs ``begin``, ``stop`` (K,), as `_fall` returns it."""
    step = np.clip(T[None], begin[:, None], stop[:, None]) - begin[:, None]
    ones = np.ones_like(step)
    matrix = np.stack([ones, ones * (T - T.mean()), step], axis=2)  # (pairs, bins, 3)
    normal = np.swapaxes(matrix, 1, 2) @ matrix
    normal += 1e-12 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    right = np.swapaxes(matrix, 1, 2) @ rho
    found = np.linalg.solve(normal, right[..., None])[..., 0]
    square = ((rho - (matrix @ found[..., None])[..., 0]) ** 2).sum(axis=1)
    falls = found[:, 2] < 0  # where nothing falls the least wrong of all is as good
    best = int(np.argmin(np.where(falls, square, np.inf) if falls.any() else square))
    a, b, c = found[best]
    return (
        float(begin[best]),
        float(stop[best]),
        np.array([a - b * T.mean(), b, c]),
        float(square[best]),
    )
