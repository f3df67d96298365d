"""Position, height and width of the first peak of g(r), and its Lindemann ratio."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from helpers.rdf import RDF


class PeakNotResolved(ValueError):
    """g(r) shows no first peak, or one whose width cannot be read off."""


@dataclass(frozen=True)
class Peak:
    """position (A), height (-), fwhm: full width at half maximum (A)."""

    position: float
    height: float
    fwhm: float


def first_maximum(r, g, prominence: float = 0.1) -> tuple[int, float, float]:
    """Bin index, position (A) and height of the first maximum of g(r), finer than its bins.

    The first local maximum that stands out by ``prominence`` times the highest value of g;
    position and height are those of the parabola through ln g over all bins above 3/4 of it
    (exact for a Gaussian, and no single noisy bin decides). Raises PeakNotResolved if none.
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
    """The first peak of g(r) with its width; position and height as in ``first_maximum``.

    fwhm: between the points left and right where g, joined by straight lines, crosses half of
    the height. Few snapshots give a ragged g(r) with no clear half height; ``smoothing`` (A) is
    the standard deviation s of a Gaussian it is smeared with first. What smearing and bins of
    width b add to a Gaussian peak, ``8 ln 2 (s^2 + b^2/12)`` in fwhm^2 (the second is Sheppard's
    correction), is taken off again, and the height is scaled back to the same area.

    r: (B,) equidistant bin centres, A. g: (B,).

    Raises
    ------
    PeakNotResolved
        no peak, fewer than three bins above half height, a peak narrower than the smoothing, or
        a neighbour peak that swallows the half height.
    """
    r, g = np.asarray(r, float), np.asarray(g, float)
    bin_width = r[1] - r[0]
    if smoothing:
        g = gaussian_filter1d(g, smoothing / bin_width, mode="constant")
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


def lindemann_ratio(peak: Peak) -> float:
    """FWHM of a peak over its position, the paper's Lindemann ratio (Fig. 6a).

    Lindemann's own criterion compares the root-mean-square amplitude of an atom with the
    distance to its neighbour; for a Gaussian peak fwhm = 2.355 standard deviations of the
    *relative* distance.
    """
    return peak.fwhm / peak.position


def track(
    temperatures_K: Iterable[float], rdfs: Iterable[RDF], smoothing: float = 0.0
) -> pd.DataFrame:
    """First peak of each g(r): temperature_K, pair, position_A, height, fwhm_A, lindemann, note.

    Where a peak is not resolved, the numbers are NaN and ``note`` says why.
    """
    rows = []
    for temperature, one in zip(temperatures_K, rdfs, strict=True):
        row = {"temperature_K": temperature, "pair": one.label}
        try:
            peak = first_peak(one.r, one.g, smoothing)
        except PeakNotResolved as error:
            nothing = dict.fromkeys(("position_A", "height", "fwhm_A", "lindemann"), np.nan)
            rows.append(row | nothing | {"note": str(error)})
            continue
        rows.append(
            row
            | {
                "position_A": peak.position,
                "height": peak.height,
                "fwhm_A": peak.fwhm,
                "lindemann": lindemann_ratio(peak),
                "note": "",
            }
        )
    return pd.DataFrame(rows)


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
