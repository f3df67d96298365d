"""Position, height and width of the first peak of g(r), and its Lindemann ratio.

The width is determined in two ways that fail differently. ``first_peak`` interpolates at half
height: it assumes no shape, but is noisy with few pairs and undefined once the next peak overlaps
above half height. ``fitted_peak`` fits a Gaussian: it uses all bins, and a second Gaussian
represents an overlapping next peak, but a skewed peak is not Gaussian. A difference between the two
indicates a skewed or merging peak.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import curve_fit
from scipy.signal import find_peaks

from helpers.observables.rdf import RDF


class PeakNotResolved(ValueError):
    """g(r) shows no first peak, or one whose width cannot be determined."""


@dataclass(frozen=True)
class Peak:
    """The first peak of g(r).

    Attributes
    ----------
    position : float
        A.
    height : float
        Dimensionless, as g.
    fwhm : float
        Full width at half maximum, A.
    """

    position: float
    height: float
    fwhm: float


def first_maximum(r, g, prominence: float = 0.1) -> tuple[int, float, float]:
    """Bin, position and height of the first maximum of g(r), finer than its bins.

    Position and height are those of the parabola fitted to ln g in all bins above 3/4 of the
    maximum, which is exact for a Gaussian and does not depend on a single noisy bin.

    Parameters
    ----------
    r : (B,) array
        Equidistant bin centres, A.
    g : (B,) array
        Radial distribution function.
    prominence : float
        Least prominence of a peak, as a fraction of the highest value of g.

    Returns
    -------
    index : int
        Bin of the maximum.
    position : float
        A.
    height : float
        Dimensionless, as g.

    Raises
    ------
    PeakNotResolved
        There is no such peak.
    """
    found = find_peaks(g, prominence=prominence * max(g.max(), 1e-30))[0]
    if not len(found):
        raise PeakNotResolved(f"g(r) up to {r[-1]:.1f} A has no peak")
    top = int(found[0])
    left, right = _run(g, top, 0.75 * g[top])
    if right - left < 2:
        left, right = max(top - 1, 0), min(top + 1, len(g) - 1)
    position, height = _parabola(r[left : right + 1], g[left : right + 1])
    if not r[left] <= position <= r[right]:
        position, height = r[top], g[top]
    return top, float(position), float(height)


def first_peak(r, g, smoothing: float = 0.0, prominence: float = 0.1) -> Peak:
    """The first peak of g(r) with its width at half height.

    Position and height are those of ``first_maximum``. The width is the distance between the points
    left and right of the peak at which g, interpolated linearly, crosses half of the height. With
    few snapshots g(r) is ragged and has no clear half height; it is then smoothed with a Gaussian
    of standard deviation s first. What smoothing and bins of width b add to the width of a Gaussian
    peak, ``8 ln 2 (s^2 + b^2/12)`` in fwhm^2 (the second term is Sheppard's correction), is
    subtracted again, and the height is rescaled to the same area.

    Parameters
    ----------
    r : (B,) array
        Equidistant bin centres, A.
    g : (B,) array
        Radial distribution function.
    smoothing : float
        Standard deviation s of the Gaussian, A.
    prominence : float
        Least prominence of a peak, as a fraction of the highest value of g.

    Returns
    -------
    Peak
        Position, height and width.

    Raises
    ------
    PeakNotResolved
        There is no peak, fewer than three bins lie above half height, the peak is narrower than the
        smoothing, or it overlaps with the next one above half height.
    """
    r, g, bin_width = _smoothed(r, g, smoothing)
    top, position, height = first_maximum(r, g, prominence)
    low, high = _run(g, top, height / 2)
    if high - low < 2:
        raise PeakNotResolved(
            f"the peak at {position:.2f} A is narrower than three bins of {bin_width:.3f} A: "
            "use a smaller bin_width"
        )
    if low == 0 or high == len(g) - 1:
        raise PeakNotResolved(
            f"the peak at {position:.2f} A does not fall to half its height before "
            f"{r[low]:.2f} or {r[high]:.2f} A"
        )
    if np.any(find_peaks(g[low : high + 1], prominence=prominence * height)[0] != top - low):
        raise PeakNotResolved(
            f"the peak at {position:.2f} A runs into the next one above half its height"
        )
    lower = np.interp(height / 2, g[[low - 1, low]], r[[low - 1, low]])
    upper = np.interp(height / 2, g[[high + 1, high]], r[[high + 1, high]])
    seen = upper - lower
    square = seen**2 - 8 * np.log(2) * (smoothing**2 + bin_width**2 / 12)
    if square < (seen / 3) ** 2:
        raise PeakNotResolved(
            f"the peak at {position:.2f} A is narrower than the smoothing of {smoothing:.3f} A"
        )
    fwhm = float(np.sqrt(square))
    return Peak(position, height * seen / fwhm, fwhm)


def fitted_peak(r, g, smoothing: float = 0.0, prominence: float = 0.1) -> Peak:
    """The first peak of g(r) as a Gaussian, fitted by least squares.

    The range extends from the left foot of the peak to the lowest g before the next peak. If that
    lies above a quarter of the height, the two peaks overlap: the range then extends to the top of
    the next peak, which is represented by a Gaussian of its own. A ragged g(r) is smoothed first,
    as in ``first_peak``, so that a single spike is not taken for the peak; the widths of smoothing
    and bins are subtracted as there. fwhm = ``sqrt(8 ln 2) sigma``.

    Parameters
    ----------
    r : (B,) array
        Equidistant bin centres, A.
    g : (B,) array
        Radial distribution function.
    smoothing : float
        Standard deviation of the Gaussian, A.
    prominence : float
        Least prominence of a peak, as a fraction of the highest value of g.

    Returns
    -------
    Peak
        Position, height and width.

    Raises
    ------
    PeakNotResolved
        There is no peak, or no Gaussian fits it.
    """
    r, g, bin_width = _smoothed(r, g, smoothing)
    top, position, height = first_maximum(r, g, prominence)
    smooth = gaussian_filter1d(g, max(1.0, 0.05 / bin_width), mode="constant")
    nexts = find_peaks(smooth, prominence=prominence * smooth.max())[0]
    nexts = nexts[r[nexts] > position + 0.2]
    end = int(nexts[0]) if len(nexts) else len(g) - 1
    valley = top + int(np.argmin(smooth[top : end + 1]))
    left, right = _run(g, top, height / 2)
    first = max(0, _run(g, top, 0.02 * height)[0] - 1)
    sigma = max((r[right] - r[left] + bin_width) / 2.355, bin_width / 2)
    guess, low, high = [height, position, sigma], [0, r[first], 0], [np.inf, r[end], np.inf]
    last = valley
    if len(nexts) and smooth[valley] > height / 4:
        last = min(len(g) - 1, end + 1)
        guess += [g[end], r[end], 2 * sigma]
        low, high = low + [0, position, 0], high + [np.inf, r[-1] + 1, np.inf]
        guess[2] = guess[5] = (r[end] - position) / 4
    inside = slice(first, last + 1)
    if last + 1 - first <= len(guess):
        raise PeakNotResolved(
            f"the peak at {position:.2f} A has too few bins of {bin_width:.3f} A "
            "for a fit: use a smaller bin_width"
        )
    try:
        found = curve_fit(_gaussians, r[inside], g[inside], guess, bounds=(low, high))[0]
    except (RuntimeError, ValueError) as error:
        raise PeakNotResolved(f"no Gaussian fits the peak at {position:.2f} A") from error
    seen, square = found[2] ** 2, found[2] ** 2 - smoothing**2 - bin_width**2 / 12
    if (
        square < seen / 9
        or np.sqrt(seen) > (r[last] - r[first])
        or not (r[left] - bin_width <= found[1] <= r[right] + bin_width)
    ):
        raise PeakNotResolved(
            f"the Gaussian fitted to the peak at {position:.2f} A lies at "
            f"{found[1]:.2f} A and is {np.sqrt(seen):.3f} A wide: not this peak"
        )
    return Peak(
        float(found[1]),
        float(found[0] * np.sqrt(seen / square)),
        float(np.sqrt(8 * np.log(2) * square)),
    )


def _gaussians(r, *parameters):
    return sum(
        h * np.exp(-((r - m) ** 2) / (2 * s**2 + 1e-12))
        for h, m, s in zip(*[iter(parameters)] * 3, strict=True)
    )


def lindemann_ratio(peak: Peak) -> float:
    """FWHM of a peak divided by its position, the paper's Lindemann ratio (Fig. 6a).

    Lindemann's own criterion compares the root-mean-square amplitude of an atom with the distance
    to its neighbour; for a Gaussian peak the FWHM is 2.355 standard deviations of the *relative*
    distance.

    Parameters
    ----------
    peak : Peak
        The peak.

    Returns
    -------
    float
        Dimensionless.
    """
    return peak.fwhm / peak.position


def track(
    temperatures_K: Iterable[float], rdfs: Iterable[RDF], smoothing: float = 0.0
) -> pd.DataFrame:
    """First peak of g(r) as a function of temperature.

    Parameters
    ----------
    temperatures_K : iterable of float
        Temperatures, K.
    rdfs : iterable of RDF
        g(r) of one pair of elements at each temperature.
    smoothing : float
        Smoothing of both widths, A.

    Returns
    -------
    DataFrame
        A row for each temperature: ``temperature_K``, ``pair``, ``position_A``, ``height``,
        ``fwhm_A`` (interpolated) and ``fwhm_error_A``, ``fitted_fwhm_A``, ``lindemann`` and
        ``lindemann_error``, ``note``. Errors are from resampled blocks of frames (NaN without
        blocks). If a peak is not resolved, its numbers are NaN and ``note`` gives the reason.
    """
    rows = []
    for temperature, one in zip(temperatures_K, rdfs, strict=True):
        row = (
            {"temperature_K": temperature, "pair": one.label}
            | dict.fromkeys(
                (
                    "position_A",
                    "height",
                    "fwhm_A",
                    "fwhm_error_A",
                    "fitted_fwhm_A",
                    "lindemann",
                    "lindemann_error",
                ),
                np.nan,
            )
            | {"note": ""}
        )
        try:
            row["fitted_fwhm_A"] = fitted_peak(one.r, one.g, smoothing).fwhm
        except PeakNotResolved as error:
            row["note"] = str(error)
        try:
            peak = first_peak(one.r, one.g, smoothing)
        except PeakNotResolved as error:
            rows.append(row | {"note": str(error)})
            continue
        error = one.standard_error(lambda g: first_peak(g.r, g.g, smoothing).fwhm)
        rows.append(
            row
            | {
                "position_A": peak.position,
                "height": peak.height,
                "fwhm_A": peak.fwhm,
                "fwhm_error_A": error,
                "lindemann": lindemann_ratio(peak),
                "lindemann_error": error / peak.position,
            }
        )
    return pd.DataFrame(rows)


def table(widths: pd.DataFrame) -> pd.DataFrame:
    """The widths of several pairs as a table for a page.

    Parameters
    ----------
    widths : DataFrame
        Rows of ``track``, of one or more pairs.

    Returns
    -------
    DataFrame
        A row for each temperature, with the width and its error, the width of the fitted Gaussian
        and the Lindemann ratio of each pair as text; a dash where a value is missing.
    """
    rows = {}
    for one in widths.to_dict("records"):
        rows.setdefault(one["temperature_K"], {}).update(
            {
                f"{one['pair']}: FWHM (Å)": _with_error(one["fwhm_A"], one["fwhm_error_A"]),
                f"{one['pair']}: Gaussian (Å)": _with_error(one["fitted_fwhm_A"], np.nan),
                f"{one['pair']}: Lindemann ratio": _with_error(
                    one["lindemann"], one["lindemann_error"]
                ),
            }
        )
    found = pd.DataFrame([{"temperature (K)": f"{T:.0f}"} | row for T, row in rows.items()])
    return found.fillna("–")


def growth(widths: pd.DataFrame, low_K: float, high_K: float) -> pd.DataFrame:
    r"""Change of the width of each pair between two temperatures.

    A straight line is fitted to the widths between the two, weighted by their errors:

    .. math:: w(T) = w_m + \frac{T - T_m}{T_2 - T_1} \Delta, \qquad
        T_m = \frac{T_1 + T_2}{2}

    If the points scatter by more than their errors, the error of :math:`\Delta` is widened by the
    square root of chi^2 per degree of freedom.

    Parameters
    ----------
    widths : DataFrame
        Rows of ``track``, of one or more pairs.
    low_K : float
        T_1, K, included.
    high_K : float
        T_2, K, included.

    Returns
    -------
    DataFrame
        A row for each pair: ``pair``, ``points``, ``change_A`` and ``error_A`` (:math:`\Delta`, A),
        ``change_percent`` and ``error_percent`` (:math:`\Delta / w_m`); NaN with fewer than two
        points that have an error.
    """
    rows = []
    for pair, one in widths.groupby("pair", sort=False):
        inside = (
            one["temperature_K"].between(low_K, high_K)
            & (one["fwhm_error_A"] > 0)
            & one["fwhm_A"].notna()
        )
        T, w, error = (
            one.loc[inside, c].to_numpy() for c in ("temperature_K", "fwhm_A", "fwhm_error_A")
        )
        row = {"pair": pair, "points": len(T)} | dict.fromkeys(
            ("change_A", "error_A", "change_percent", "error_percent"), np.nan
        )
        if len(np.unique(T)) > 1:
            x = (T - (low_K + high_K) / 2) / (high_K - low_K)
            design = np.stack([np.ones_like(x), x], axis=1) / error[:, None]
            covariance = np.linalg.inv(design.T @ design)
            mean, change = covariance @ design.T @ (w / error)
            if len(T) > 2:
                square = (((w - mean - change * x) / error) ** 2).sum() / (len(T) - 2)
                covariance = covariance * max(1.0, square)
            slope = np.array([-change / mean**2, 1 / mean])  # of change / mean
            row |= {
                "change_A": change,
                "error_A": np.sqrt(covariance[1, 1]),
                "change_percent": 100 * change / mean,
                "error_percent": 100 * np.sqrt(slope @ covariance @ slope),
            }
        rows.append(row)
    return pd.DataFrame(
        rows, columns=["pair", "points", "change_A", "error_A", "change_percent", "error_percent"]
    )


def _with_error(value, error) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{value:.3f} ± {error:.3f}" if np.isfinite(error) else f"{value:.3f}"


def _smoothed(r, g, smoothing: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Bin centres, g(r) smoothed by a Gaussian of this standard deviation, width of a bin; A."""
    r, g = np.asarray(r, float), np.asarray(g, float)
    bin_width = r[1] - r[0]
    if smoothing:
        g = gaussian_filter1d(g, smoothing / bin_width, mode="constant")
    return r, g, bin_width


def _run(g: np.ndarray, top: int, level: float) -> tuple[int, int]:
    """First and last index of the run of bins around ``top`` that lie above ``level``."""
    below = np.flatnonzero(g < level)
    left, right = below[below < top], below[below > top]
    return (left[-1] + 1 if len(left) else 0), (right[0] - 1 if len(right) else len(g) - 1)


def _parabola(r: np.ndarray, g: np.ndarray) -> tuple[float, float]:
    """Apex (position, height) of the parabola through ln g."""
    inside = g > 0
    if inside.sum() < 3:
        return np.nan, np.nan
    center = r.mean()
    a, b, c = np.polyfit(r[inside] - center, np.log(g[inside]), 2, w=np.sqrt(g[inside]))
    if a >= 0:
        return np.nan, np.nan
    return center - b / (2 * a), float(np.exp(c - b**2 / (4 * a)))
