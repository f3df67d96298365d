"""A model through the optics of a measurement: the same radiation, range of Q and window.

A cell of a few hundred atoms is narrower than the range of r that is compared. What lies beyond
half of it is counted with its periodic images: the model is then the crystal of that cell, which
is what was computed, and its order at long distances is that of the repetition, not of the glass.
`agreements` therefore also gives R_w up to half the cell alone, where that does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from helpers.observables import neighbors, pair_distribution, radiation, rdf, scattering
from helpers.observables.pair_distribution import Transform

Pair = tuple[str, str]
RANGES_A = ((1.0, 4.0), (4.0, 10.0), (1.0, 10.0))  # bonds and ligands, beyond, both


@dataclass(frozen=True)
class Seen:
    """F(Q) and D(r) of a model as a measurement would show them, and what each pair adds to D.

    Attributes
    ----------
    Q : (K,) array
        1/A.
    F : (K,) array
        of g(r) with a Lorch window in r, so that its end makes no ripples.
    r : (R,) array
        A.
    D : (R,) array
        1/A^2, of g(r) as it is.
    parts : dict
        pair of elements -> (R,) array; they add up to D.
    floors : dict
        pair of elements -> 4 pi rho w, 1/A^3: a part is at least -floor r, where there is no such
        pair, ripples aside (w: the weight of the pair at small Q).
    density : float
        atoms per A^3, mean over the frames.
    half_cell_A : float
        half of the narrowest cell: what lies beyond repeats.
    n_atoms, n_frames : int
        in a frame; frames.
    """

    Q: np.ndarray
    F: np.ndarray
    r: np.ndarray
    D: np.ndarray
    parts: dict[Pair, np.ndarray]
    floors: dict[Pair, float]
    density: float
    half_cell_A: float
    n_atoms: int
    n_frames: int


def seen(
    frames: Sequence[tuple[np.ndarray, np.ndarray]],
    symbols,
    Q,
    r,
    transform: Transform,
    normalisation: str,
    kind: str = "x-ray",
    charges: Mapping[str, int] | None = None,
    r_max: float = 20.0,
    bin_width: float = 0.01,
) -> Seen:
    """What a measurement would show of these frames.

    Parameters
    ----------
    frames : sequence of ((N, 3) array, (3, 3) array)
        Positions and cell of each frame, A.
    symbols : (N,) sequence of str
        Chemical symbols.
    Q : (K,) array
        Points of the measurement, 1/A.
    r : (R,) array
        Points of the measurement, A.
    transform : Transform
        How the measurement made its D(r).
    normalisation : str
        See `radiation.weights`.
    kind : str
        The radiation, "x-ray" or "neutron".
    charges : dict of str to int, optional
        See `radiation.amplitudes`.
    r_max : float
        End of g(r), A, a multiple of ``bin_width``: twice the range to be compared, so that its end
        disturbs nothing there.
    bin_width : float
        Bin width of g(r), A.

    Returns
    -------
    Seen
        F(Q) and D(r) of the model.

    Raises
    ------
    Unfit
        As `rdf.rdfs`, `scattering.from_g`, `radiation.weights` and `Transform`.
    """
    curves = rdf.rdfs(frames, symbols, r_max, bin_width, images=True)
    as_is = radiation.contributions(
        scattering.of_curves(curves, Q, "step"), kind, normalisation, charges
    )
    smooth = scattering.of_curves(curves, Q, "lorch")
    forward = radiation.weights(
        curves.elements, curves.fractions, [0.0], kind, normalisation, charges
    )
    parts = dict(zip(as_is, transform(Q, np.array(list(as_is.values())), r), strict=True))
    return Seen(
        Q=np.asarray(Q, float),
        F=radiation.total(smooth, kind, normalisation, charges),
        r=np.asarray(r, float),
        D=sum(parts.values()),
        parts=parts,
        floors={pair: float(4 * np.pi * curves.density * w[0]) for pair, w in forward.items()},
        density=curves.density,
        half_cell_A=neighbors.widest_radius([cell for _, cell in frames]),
        n_atoms=len(symbols),
        n_frames=len(frames),
    )


def agreements(models: Mapping[str, Seen], measured, ranges=RANGES_A) -> pd.DataFrame:
    """How well each model agrees with the measured D(r), by R_w with one free scale.

    Parameters
    ----------
    models : dict
        name -> Seen, all on the points of the measurement.
    measured : (R,) array
        D(r).
    ranges : sequence of (low, high)
        A; the last one is the whole.

    Returns
    -------
    DataFrame
        model, atoms, frames, half cell (A), Rw of each range (``Rw 1-4 A`` and so on), Rw from the
        first low end of the second range up to half the cell (``Rw 4 A to half cell``), the scale
        of the whole, and of the whole once more with all distances of the model stretched by the
        factor that fits best: that factor and its Rw.
    """
    rows = []
    for name, one in models.items():
        row = {
            "model": name,
            "atoms": one.n_atoms,
            "frames": one.n_frames,
            "half_cell_A": one.half_cell_A,
        }
        for low, high in ranges:
            found = pair_distribution.agreement(one.r, one.D, measured, low, high)
            row[f"Rw {low:g}-{high:g} A"] = found.Rw
        low = ranges[1][0]
        inside = one.half_cell_A > low + 1
        row[f"Rw {low:g} A to half cell"] = (
            pair_distribution.agreement(
                one.r, one.D, measured, low, min(one.half_cell_A, ranges[-1][1])
            ).Rw
            if inside
            else np.nan
        )
        row["scale"] = found.scale
        factor, stretched = pair_distribution.stretched(one.r, one.D, measured, *ranges[-1])
        rows.append(row | {"stretch": factor, "Rw stretched": stretched.Rw})
    return pd.DataFrame(rows)


def together(samples: Sequence[Seen]) -> Seen:
    """What a measurement shows of several samples of one material in its beam: their mean.

    Parameters
    ----------
    samples : sequence of Seen
        The samples, one at least, all on the points of the measurement.

    Returns
    -------
    Seen
        The mean of all curves; half of the narrowest cell, and the frames of all.
    """
    first = samples[0]
    return replace(
        first,
        F=np.mean([one.F for one in samples], axis=0),
        D=np.mean([one.D for one in samples], axis=0),
        parts={p: np.mean([one.parts[p] for one in samples], axis=0) for p in first.parts},
        floors={p: float(np.mean([one.floors[p] for one in samples])) for p in first.floors},
        density=float(np.mean([one.density for one in samples])),
        half_cell_A=min(one.half_cell_A for one in samples),
        n_frames=sum(one.n_frames for one in samples),
    )


def errors(models: Mapping[str, Sequence[Seen]], measured, low=1.0, high=10.0) -> pd.DataFrame:
    """R_w of models of several independent samples, with its standard error by the jackknife.

    The mean curve of the samples is compared, as in `agreements`, and once more without each of
    them in turn: R_w of one sample alone would count its own noise as misfit.

    Parameters
    ----------
    models : mapping of str to sequence of Seen
        Name -> samples.
    measured : (R,) array
        D(r), 1/A^2.
    low, high : float
        Range, A.

    Returns
    -------
    DataFrame
        model, samples, Rw and Rw error, Rw stretched and its error (as in `agreements`); errors
        are NaN of a single sample. Rw lowest and Rw highest are those of one sample by itself.
    """
    rows = []
    for name, samples in models.items():
        r, D = samples[0].r, np.array([one.D for one in samples])
        n = len(D)
        parts = [D.mean(axis=0)]
        parts += [np.delete(D, k, axis=0).mean(axis=0) for k in range(n) if n > 1]
        row: dict[str, object] = {"model": name, "samples": n}
        for which, found in {
            "Rw": [pair_distribution.agreement(r, d, measured, low, high).Rw for d in parts],
            "Rw stretched": [
                pair_distribution.stretched(r, d, measured, low, high)[1].Rw for d in parts
            ],
        }.items():
            without = np.array(found[1:])
            row[which] = found[0]
            row[f"{which} error"] = np.sqrt((n - 1) * without.var()) if n > 1 else np.nan
        alone = [pair_distribution.agreement(r, d, measured, low, high).Rw for d in D]
        row |= {"Rw lowest": min(alone), "Rw highest": max(alone)}
        rows.append(row)
    return pd.DataFrame(rows)


def peak_shares(one: Seen, windows: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Which pairs of elements make a peak of D(r).

    Parameters
    ----------
    one : Seen
        a model.
    windows : dict
        name of a peak -> (low, high), A.

    Returns
    -------
    DataFrame
        peak, position (A) of the highest point of D there, and what it is made of: the part of each
        pair at that point, above its floor, in percent of all. Shares below 3 % are one, ``other``;
        ripples can make it negative.
    """
    rows = []
    for name, (low, high) in windows.items():
        inside = np.flatnonzero((one.r >= low) & (one.r <= high))
        top = inside[np.argmax(one.D[inside])]
        raised = {
            pair: part[top] + one.floors[pair] * one.r[top] for pair, part in one.parts.items()
        }
        total = sum(raised.values())
        shares = {pair: 100 * value / total for pair, value in raised.items()}
        large = {p: s for p, s in sorted(shares.items(), key=lambda e: -e[1]) if s >= 3}
        rows.append(
            {
                "peak": name,
                "position_A": float(one.r[top]),
                "made of": ", ".join(f"{a}–{b} {s:.0f} %" for (a, b), s in large.items())
                + f", other {100 - sum(large.values()):.0f} %",
            }
        )
    return pd.DataFrame(rows)
