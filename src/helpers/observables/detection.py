"""Whether a run could have shown a fall of the density, from falls planted in its own noise.

"No fall was found" is informative only where a fall would have been found. The smooth course of a
run is subtracted, its noise is resampled and added to the line of its crystal, and falls of known
size are planted; it is then counted how often the detector of the book finds them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from helpers import statistics
from helpers.errors import Unfit
from helpers.observables import density_stages, transition

DROPS = (0.05, 0.10, 0.13)  # relative to the line of the crystal
FALL_K = 100.0  # from where a fall begins to where it ends
NEAR_K = 150.0  # a fall that is found farther from where it was put is another one
BLOCK_PS = 2.0  # about a swing of the barostat
PIECE_PS = 10.0  # of the smooth course at least: shorter ones would follow the barostat's swings
PLACES = (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6)  # of the range
ENOUGH = 0.8  # probability from which on "not found" means "not there"
_BOOTSTRAPS = 4  # of the error of a single Tf: it only has to be known roughly here


def power(
    temperature_K, density, time_ps, drops: Sequence[float] = DROPS, fall_K: float = FALL_K,
    trials: int = 12, seed: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """How often the detector finds a fall that was planted in the noise of a run.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures of a ramp in order of time, K.
    density : (M,) array
        Density, any unit.
    time_ps : (M,) array
        Times, evenly spaced, ps.
    drops : sequence of float
        Relative sizes of the falls; each is planted at all ``PLACES`` of the range.
    fall_K : float
        Range of temperature over which the density falls, K.
    trials : int
        Number of trials for each drop and place.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    DataFrame
        A row for each drop and place: drop, place_K (where the fall begins), trials, found. A drop
        of 0 is noise alone (place NaN, as many trials as all places of a drop together); what is
        found there is a false alarm.

    Raises
    ------
    Unfit
        The arrays do not fit together or hold no finite number.
    """
    T, rho, t = (np.asarray(a, float) for a in (temperature_K, density, time_ps))
    if T.shape != rho.shape or T.shape != t.shape or T.ndim != 1 or len(T) < 3:
        raise Unfit(
            f"temperatures {T.shape}, densities {rho.shape} and times {t.shape} do not fit: three "
            "arrays of one length are needed"
        )
    course, line = _course(T, rho, t)
    rest = rho - course
    rest, size, crystal = rest - rest.mean(), _block(rest, t), np.polyval(line, T)
    rng, low, span = np.random.default_rng(seed), T.min(), np.ptp(T)

    def found(drop: float, place: float) -> bool:
        fallen = 1 - drop * np.clip((T - place) / fall_K, 0, 1) if drop else 1.0
        noisy = crystal * fallen + statistics.resample_blocks(rng, rest, size)
        seen = transition.by_methods(T, noisy, n_bootstrap=_BOOTSTRAPS)
        return seen.found and (not drop or abs(seen.Tf - place) <= NEAR_K)

    rows = [
        {
            "drop": 0.0,
            "place_K": np.nan,
            "trials": trials * len(PLACES),
            "found": sum(found(0.0, np.nan) for _ in range(trials * len(PLACES))),
        }
    ]
    rows += [
        {
            "drop": drop,
            "place_K": low + share * span,
            "trials": trials,
            "found": sum(found(drop, low + share * span) for _ in range(trials)),
        }
        for drop in drops
        for share in PLACES
    ]
    return pd.DataFrame(rows)


def rates(found: pd.DataFrame, by: Sequence[str] = ("drop",)) -> pd.DataFrame:
    """Rates of detection (for a drop of 0, of false alarm) with 95 % limits (Clopper and Pearson).

    Parameters
    ----------
    found : DataFrame
        Rows of `power`, possibly of several runs with further columns such as the heating rate.
    by : sequence of str
        Columns by which to group.

    Returns
    -------
    DataFrame
        A row for each group.
    """
    rows = []
    for _, group in found.groupby(list(by)):
        n, k = int(group["trials"].sum()), int(group["found"].sum())
        limits = binomtest(k, n).proportion_ci()
        rows.append(
            {column: group[column].iloc[0] for column in by}
            | {"trials": n, "rate": k / n, "low": limits.low, "high": limits.high}
        )
    return pd.DataFrame(rows)


def seen_up_to_K(found: pd.DataFrame, drop: float = 0.10, enough: float = ENOUGH) -> float:
    """Temperature up to which a fall of a given size would have been found.

    The highest place up to which all places have a sufficient rate of detection. For a run without
    a fall, the transition is known to lie above it.

    Parameters
    ----------
    found : DataFrame
        Rows of `power`.
    drop : float
        Relative size of the fall.
    enough : float
        Sufficient rate of detection.

    Returns
    -------
    float
        Temperature, K; NaN if there is none.
    """
    rows = found[found["drop"] == drop].sort_values("place_K")
    good = (rows["found"] >= enough * rows["trials"]).to_numpy()
    n = len(good) if good.all() else int(np.argmin(good))
    return float(rows["place_K"].iloc[n - 1]) if n else np.nan


def _course(T, rho, time_ps):
    """Straight pieces, as many as there is time for at ``PIECE_PS`` each.

    In a run too short for two pieces, all that deviates from one line counts as noise.
    """
    lasts = float(np.max(time_ps) - np.min(time_ps))
    return density_stages.course(T, rho, most=int(np.clip(lasts / PIECE_PS, 1, 6)))


def _block(rest: np.ndarray, time_ps) -> int:
    every = float(np.median(np.abs(np.diff(time_ps))))
    size = max(BLOCK_PS / every, 2 * statistics.statistical_inefficiency(rest - rest.mean()))
    return int(np.clip(np.ceil(size), 1, max(len(rest) // 2, 1)))
