"""The stages of a heating run, from crystal to melt, found in its density; onset of motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import statistics
from helpers.errors import Unfit

NAMES = ("crystal", "pre-melt", "low density", "return", "dense", "melt")
_SHORTEST = 3  # bins; two points are always a line


@dataclass(frozen=True)
class Stage:
    """A stage of a heating run.

    Attributes
    ----------
    name : str
        One of ``NAMES``.
    low_K : float
        Temperature at which it begins, K.
    high_K : float
        Temperature at which it ends, K.
    low_error_K : float
        Standard error of ``low_K``, K; NaN for the first stage and the melt.
    density : float
        Mean density, in the unit of the input.
    slope_per_K : float
        Slope of the density, in that unit per K.
    deviation : float
        Mean relative deviation of the density from the extrapolated line of the crystal.
    """

    name: str
    low_K: float
    high_K: float
    low_error_K: float
    density: float
    slope_per_K: float
    deviation: float


def find(
    temperature_K,
    density,
    melt_K: float | None = None,
    width_K: float = 20.0,
    min_change: float = 0.03,
    most: int = 6,
    n_bootstrap: int = 50,
    seed: int = 0,
) -> list[Stage]:
    r"""Divide a heating run where the course of its density changes, and name the parts.

    The density is averaged in bins of temperature. The best k straight pieces, not required to
    join, are found exactly by dynamic programming (Bellman, Commun. ACM 4, 284 (1961)) for k = 1
    ... ``most``. The number of pieces minimises

    .. math:: \mathrm{BIC} = n_e \ln(S_k / n) + 3 k \ln n_e

    with S_k the sum of squared residuals and n_e the number n of bins divided by the
    ``statistical_inefficiency`` of the residuals. The latter is first taken from the residuals of a
    single line, because the slow fluctuations of a small cell are not stages; if more pieces result
    nevertheless, it is taken from their residuals and the minimisation is repeated. The errors of
    the boundaries are from resampled blocks of residuals.

    The first piece is the crystal, and the others are compared with its extrapolated line. A piece
    that follows the crystal and stays within ``min_change`` plus three standard errors of that line
    is crystal as well, and the line is fitted to both. Every other piece is named by its density:

    - *pre-melt*: follows the crystal and falls from less than ``min_change`` below the line to
      more;
    - *low density*: its mean is lower than the line by ``min_change`` or more;
    - *return*: follows one of these two, and its mean is closer to the line than to the lowest of
      them, or within ``min_change`` of the line: a temporary return, or the end of the low density;
    - *dense*: its mean is higher than the line by ``min_change`` or more.

    Everything above ``melt_K`` is melt.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures in order of time, K.
    density : (M,) array
        Density, any unit.
    melt_K : float, optional
        Temperature of melting, K, known from the motion of the atoms and not from the density.
    width_K : float
        Width of a bin, K.
    min_change : float
        Smallest relative change of the density that makes a new stage.
    most : int
        Largest number of pieces.
    n_bootstrap : int
        Number of resamplings for the errors of the boundaries.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    list of Stage
        The stages in order of temperature; one if the run is too short to be divided.

    Raises
    ------
    Unfit
        The arrays do not fit together or hold no finite number.
    """
    T, rho = _checked(temperature_K, density)
    span = np.nanmin(T), np.nanmax(T)
    T, rho, cut, errors, noise = _cut(T, rho, width_K, most, n_bootstrap, seed)
    return _named(T, rho, cut, errors, noise, melt_K, min_change, span)


def course(
    temperature_K, density, width_K: float = 20.0, most: int = 6
) -> tuple[np.ndarray, np.ndarray]:
    """The smooth course of a run and the line of its crystal.

    The straight pieces of `find`, evaluated at every sample; the difference from them is the noise
    of the run.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures in order of time, K.
    density : (M,) array
        Density, any unit.
    width_K : float
        Width of a bin, K.
    most : int
        Largest number of pieces.

    Returns
    -------
    course : (M,) array
        The pieces.
    line : (2,) array
        Slope and value at 0 K of the line of the crystal.

    Raises
    ------
    Unfit
        As `find`.
    """
    T, rho = _checked(temperature_K, density)
    t, binned, cut, _, _ = _cut(T, rho, width_K, most, 1, 0)
    ends = np.concatenate([[-np.inf], (t[cut[1:] - 1] + t[cut[1:]]) / 2])
    piece = np.searchsorted(ends, T, side="right") - 1
    lines = [(line[0], line[1] - line[0] * t[a:b].mean()) for a, b, line in _lines(t, binned, cut)]
    slope, at_zero = np.array(lines).T
    return slope[piece] * T + at_zero[piece], np.array(lines[0])


@dataclass(frozen=True)
class Onset:
    """The temperature at which a quantity departs from its course.

    Attributes
    ----------
    temperature_K : float
        Temperature, K.
    error_K : float
        Its standard error, K.
    before : float
        Value expected above the onset from the course below it.
    after : float
        Mean value above the onset.
    """

    temperature_K: float
    error_K: float
    before: float
    after: float


def onset(
    temperature_K,
    values,
    rise: float = 0.5,
    width_K: float = 20.0,
    most: int = 6,
    n_bootstrap: int = 50,
    seed: int = 0,
) -> Onset | None:
    r"""Temperature at which a slowly growing quantity begins to grow faster.

    Straight pieces are fitted as in ``find``. The onset is the first boundary above which the mean
    of a piece exceeds the extrapolated line of the previous pieces by ``rise`` and by three
    standard errors of that line. The root-mean-square displacement of vibrating atoms grows as
    :math:`\sqrt{T}`; a rise by half is not explained by vibration and shows that atoms leave their
    sites.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures in order of time, K.
    values : (M,) array
        The quantity, any unit.
    rise : float
        Least relative rise.
    width_K : float
        Width of a bin, K.
    most : int
        Largest number of pieces.
    n_bootstrap : int
        Number of resamplings for the error.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    Onset or None
        The onset; None if there is none or the run is too short to be divided.

    Raises
    ------
    Unfit
        The arrays do not fit together or hold no finite number.
    """
    T, values = _checked(temperature_K, values)
    T, values, cut, errors, noise = _cut(T, values, width_K, most, n_bootstrap, seed)
    for k, (a, b, _) in enumerate(_lines(T, values, cut)):
        if k == 0:
            continue
        expected, unsure = (part.mean() for part in _extended(T, values, a, T[a:b], noise))
        excess = values[a:b].mean() - expected
        if excess > max(rise * expected, 3 * unsure):
            return Onset(
                float((T[a - 1] + T[a]) / 2),
                float(errors[k]),
                float(expected),
                float(values[a:b].mean()),
            )
    return None


def stays_above(temperature_K, values, threshold: float) -> float | None:
    """Temperature above which a quantity stays above a threshold until the end of the run.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures in order of time, K.
    values : (M,) array
        The quantity, any unit.
    threshold : float
        Threshold, in the unit of ``values``.

    Returns
    -------
    float or None
        Temperature, K; None if less than 1 % of the samples follow.
    """
    T, values = np.asarray(temperature_K, float), np.asarray(values, float)
    low = np.flatnonzero(~(values > threshold))
    first = low[-1] + 1 if len(low) else 0
    return float(T[first]) if len(T) - first >= max(1, len(T) / 100) else None


def table(found: list[Stage]) -> pd.DataFrame:
    """Stages as a table for a page.

    Parameters
    ----------
    found : list of Stage
        Result of ``find``, with densities in g/cm3.

    Returns
    -------
    DataFrame
        A row for each stage, numbers as text.
    """
    return pd.DataFrame(
        {
            "stage": [s.name for s in found],
            "from (K)": [
                f"{s.low_K:.0f}" + (f" ± {s.low_error_K:.0f}" if np.isfinite(s.low_error_K) else "")
                for s in found
            ],
            "to (K)": [f"{s.high_K:.0f}" for s in found],
            "density (g/cm³)": [f"{s.density:.3f}" for s in found],
            "against the crystal's line (%)": [f"{100 * s.deviation:+.1f}" for s in found],
        }
    )


def _checked(temperature_K, values):
    T, values = np.asarray(temperature_K, float), np.asarray(values, float)
    if T.shape != values.shape or T.ndim != 1 or not np.isfinite(T + values).any():
        raise Unfit(
            f"temperatures {T.shape} and values {values.shape} do not fit: two arrays "
            "of the same length with finite numbers are needed"
        )
    return T, values


def _cut(T, rho, width_K, most, n_bootstrap, seed):
    """Bins (T, rho), first bins of the pieces granted, errors of the cuts (K), standard error."""
    binned = statistics.bin_by_temperature(T, rho, width_K)
    T, rho = binned["temperature_K"].to_numpy(), binned["mean"].to_numpy()
    cuts = _pieces(T, rho, max(1, min(most, len(T) // _SHORTEST)))
    residual = [rho - _model(T, rho, cut) for cut in cuts]
    best, granted = 0, -1
    while best > granted:
        granted = best
        alike = statistics.statistical_inefficiency(residual[best])
        best = max(granted, _granted(residual, rho, alike))
    errors = _cut_errors(T, rho, cuts[best], residual[best], alike, n_bootstrap, seed)
    return T, rho, cuts[best], errors, np.sqrt((residual[best] ** 2).mean() * alike)


def _pieces(T, rho, most: int) -> list[np.ndarray]:
    """For k = 1 ... ``most`` the first bins of the best k pieces."""
    n = len(T)
    cost = np.full((n + 1, n + 1), np.inf)  # of one line through bins i ... j - 1
    t, y = T - T.mean(), rho - rho.mean()
    sums = [np.concatenate([[0], np.cumsum(a)]) for a in (np.ones(n), t, y, t * t, t * y, y * y)]
    i, j = np.triu_indices(n + 1, min(_SHORTEST, n))
    m, st, sy, stt, sty, syy = (s[j] - s[i] for s in sums)
    vt, cty, vy = stt - st * st / m, sty - st * sy / m, syy - sy * sy / m
    cost[i, j] = np.maximum(vy - cty**2 / np.maximum(vt, 1e-12), 0)
    best, back = cost[0], []
    found = [np.array([0])]
    for _ in range(1, most):
        total = best[:, None] + cost
        back.append(total.argmin(axis=0))
        best = total.min(axis=0)
        if not np.isfinite(best[n]):
            break
        starts, end = [], n
        for step in reversed(back):
            end = int(step[end])
            starts.append(end)
        found.append(np.array([0, *reversed(starts)]))
    return found


def _granted(residual, rho, alike) -> int:
    """Index of the lowest BIC."""
    independent = max(len(rho) / alike, 2.0)
    floor = (1e-9 * np.abs(rho).max()) ** 2 + 1e-300  # a density without noise has S = 0
    return int(
        np.argmin(
            [
                independent * np.log((rest**2).mean() + floor) + 3 * (k + 1) * np.log(independent)
                for k, rest in enumerate(residual)
            ]
        )
    )


def _lines(T, rho, cut):
    """(first bin, behind the last, line) of each piece."""
    for a, b in zip(cut, [*cut[1:], len(T)], strict=True):
        yield a, b, np.polyfit(T[a:b] - T[a:b].mean(), rho[a:b], 1) if b - a > 1 else (0, rho[a])


def _model(T, rho, cut):
    return np.concatenate(
        [np.polyval(line, T[a:b] - T[a:b].mean()) for a, b, line in _lines(T, rho, cut)]
    )


def _cut_errors(T, rho, cut, residual, alike, n_bootstrap, seed) -> np.ndarray:
    if len(cut) == 1:
        return np.array([np.nan])
    rng = np.random.default_rng(seed)
    size = int(np.clip(np.ceil(2 * alike), 3, len(T) // 3))
    model = rho - residual
    tries = [
        _pieces(T, model + statistics.resample_blocks(rng, residual, size), len(cut))[-1]
        for _ in range(n_bootstrap)
    ]
    scatter = np.std([T[t] for t in tries], axis=0)
    spacing = np.median(np.diff(T))  # a jump inside a bin may fall to either side of it
    return np.concatenate([[np.nan], np.hypot(scatter[1:], spacing)])


def _named(T, rho, cut, errors, noise, melt_K, min_change, span) -> list[Stage]:
    solid, lowest, found = 0, 0.0, []  # bins that are crystal so far; lowest mean of a piece
    for k, (a, b, line) in enumerate(_lines(T, rho, cut)):
        solid = solid or b
        expected, unsure = _extended(T, rho, solid, T[a:b], noise)
        piece = np.polyval(line, T[a:b] - T[a:b].mean())
        excess = np.abs(piece / expected - 1) - 3 * unsure / expected
        before, after = (piece / expected - 1)[[0, -1]]
        mean = (rho[a:b] / expected).mean() - 1
        if k == 0 or (solid == a and max(excess[0], excess[-1]) < min_change):
            name, solid = "crystal", b
        elif solid == a and after <= -min_change < before:
            name = "pre-melt"
        elif mean >= min_change:
            name = "dense"
        elif mean <= -min_change and mean <= lowest / 2:
            name = "low density"
        else:
            name = "return"
        lowest = min(lowest, mean) if name in ("pre-melt", "low density") else lowest
        low = span[0] if k == 0 else (T[a - 1] + T[a]) / 2
        high = span[1] if b == len(T) else (T[b - 1] + T[b]) / 2
        found.append(Stage(name, low, high, errors[k], rho[a:b].mean(), line[0], mean))
    return _joined(_melted(found, melt_K))


def _extended(T, rho, solid, at, noise):
    """The line through the first ``solid`` bins at other temperatures, and its error there."""
    t = T[:solid] - T[:solid].mean()
    line = np.polyfit(t, rho[:solid], 1) if solid > 1 else (0.0, rho[0])
    x = at - T[:solid].mean()
    return np.polyval(line, x), noise * np.sqrt(1 / solid + x**2 / max((t**2).sum(), 1e-12))


def _melted(found, melt_K):
    if melt_K is None:
        return found
    parts = []
    for s in found:
        if s.low_K < melt_K:
            parts.append(
                Stage(
                    s.name,
                    s.low_K,
                    min(s.high_K, melt_K),
                    s.low_error_K,
                    s.density,
                    s.slope_per_K,
                    s.deviation,
                )
            )
        if s.high_K > melt_K:
            parts.append(
                Stage(
                    "melt",
                    max(s.low_K, melt_K),
                    s.high_K,
                    np.nan,
                    s.density,
                    s.slope_per_K,
                    s.deviation,
                )
            )
    return parts


def _joined(found):
    """Neighbours of one name as one stage, means weighted by their length."""
    joined = [found[0]]
    for s in found[1:]:
        last = joined[-1]
        if s.name != last.name:
            joined.append(s)
            continue
        share = (s.high_K - s.low_K) / (s.high_K - last.low_K)
        mixed = [
            x + share * (y - x)
            for x, y in (
                (last.density, s.density),
                (last.slope_per_K, s.slope_per_K),
                (last.deviation, s.deviation),
            )
        ]
        joined[-1] = Stage(s.name, last.low_K, s.high_K, last.low_error_K, *mixed)
    return joined
