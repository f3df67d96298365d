"""The transition temperature of several runs: of one rate, by several methods, by size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from helpers import statistics
from helpers.observables import density_stages, transition

BIN_WIDTHS_K = (10.0, 20.0, 40.0)


def transition_by_methods(temperature_K, density, n_bootstrap: int = 200) -> transition.Transition:
    """Transition temperature with bins of 10, 20 and 40 K, which shows what depends on the method.

    The temperature is the mean of the three of `transition.transition_temperature`; its error
    combines the largest of their errors and the standard deviation between them. If only some of
    them find a transition there is none.

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
    ValueError
        As ``transition.transition_temperature``.
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


def _by_methods(temperature_K, density, n_bootstrap: int) -> transition.Transition:
    tries = [
        transition.transition_temperature(temperature_K, density, width, n_bootstrap=n_bootstrap)
        for width in BIN_WIDTHS_K
    ]
    if not all(t.found for t in tries):
        missed = next(t for t in tries if not t.found)
        if any(t.found for t in tries):
            return replace(missed, reason=f"not with every width of bins: {missed.reason}")
        return tries[1]
    Tf = [t.Tf for t in tries]
    error = float(np.hypot(max(t.error for t in tries), np.std(Tf, ddof=1)))
    return replace(
        tries[1],
        Tf=float(np.mean(Tf)),
        error=error,
        method="line with a fall, block bootstrap, bins of 10, 20 and 40 K",
    )


def transition_of_seeds(
    runs: Sequence[tuple], scatter_K: float | None = None,
    alone: Sequence[transition.Transition] | None = None,
) -> transition.Transition:  # fmt: skip
    """The transition of runs that differ in their seed alone.

    If every seed shows a transition, Tf is the mean of theirs, and its error combines the standard
    error of that mean with the errors of the single ones. (The mean of curves that fall suddenly,
    each at a different temperature, falls slowly from the lowest of them on.) Otherwise the samples
    of all seeds are put into common bins and examined by `transition_by_methods`: the mean curve
    has less noise and may show what a single seed does not. The standard error of the mean over as
    many seeds is then part of the error as well.

    Parameters
    ----------
    runs : sequence of ((M,) array, (M,) array)
        Temperature (K) and density of each run.
    scatter_K : float, optional
        Standard deviation of Tf between seeds, K, if known from more runs than these; by default
        that of the runs that show a transition, if there are two. Two seeds that agree by chance
        would make their mean appear too certain.
    alone : sequence of Transition, optional
        `transition_by_methods` of each run, if known already.

    Returns
    -------
    Transition
        The transition, or why there is none.

    Raises
    ------
    ValueError
        As ``transition.transition_temperature``.
    """
    alone = [t for t in alone or [transition_by_methods(*run) for run in runs] if t.found]
    every = len(alone) == len(runs) > 1
    if not every:
        temperature_K, density = (
            np.concatenate([np.asarray(run[i], float) for run in runs]) for i in (0, 1)
        )
        order = np.argsort(temperature_K, kind="stable")
        pooled = transition_by_methods(temperature_K[order], density[order])
        if not pooled.found:
            return pooled
    Tf = [t.Tf for t in alone]
    if scatter_K is None:
        scatter_K, said = np.std(Tf, ddof=1) if len(Tf) > 1 else 0.0, ""
    else:
        said = f" (its error has the {scatter_K:.0f} K between seeds of one rate)"
    spread = scatter_K / np.sqrt(len(runs))
    if not every:
        return replace(
            pooled,
            error=float(np.hypot(pooled.error, spread)),
            method=pooled.method + f", {len(runs)} seeds" * (len(runs) > 1),
            reason=pooled.reason + said,
        )
    return _mean(
        alone,
        spread,
        f"mean of {' and '.join(f'{t:.0f}' for t in Tf)} K, where the density of each seed falls",
        said,
    )


def _mean(
    found: Sequence[transition.Transition], spread_K: float, how: str, said: str
) -> transition.Transition:
    """One transition from those of seeds; spread_K: the standard error of their mean."""
    Tf, drop, fallen_K = (
        float(np.mean([getattr(t, name) for t in found])) for name in ("Tf", "drop", "fallen_K")
    )
    single = np.sqrt(np.sum([t.error**2 for t in found])) / len(found)
    return replace(
        found[0],
        Tf=Tf,
        error=float(np.hypot(spread_K, single)),
        drop=drop,
        fallen_K=fallen_K,
        method=f"{found[0].method}, mean of {len(found)} seeds",
        reason=f"{how}, by {100 * drop:.1f} % on average{said}",
    )


def of_rates(
    runs: Mapping[tuple[float, int], tuple],
    alone: Mapping[tuple[float, int], transition.Transition],
) -> dict[float, transition.Transition]:
    """The transition at each heating rate, with a common scatter of seeds.

    Two or three seeds give a poor estimate of their scatter, and one gives none. The standard
    deviation between seeds is therefore pooled over the rates at which two or more show a
    transition; divided by the square root of the number of seeds it is part of the error at each
    rate. If no rate has two, the errors are those of single runs.

    Parameters
    ----------
    runs : mapping of (float, int) to ((M,) array, (M,) array)
        (rate in K/ps, seed) -> temperature (K) and density.
    alone : mapping of (float, int) to Transition
        (rate, seed) -> `transition_by_methods` of the run.

    Returns
    -------
    dict of float to Transition
        Rate -> `transition_of_seeds`.
    """
    scatter = scatter_of_seeds({key: alone[key] for key in runs})
    seeds = {
        rate: [key for key in runs if key[0] == rate]
        for rate in dict.fromkeys(rate for rate, _ in runs)
    }
    return {
        rate: transition_of_seeds(
            [runs[key] for key in keys], scatter, [alone[key] for key in keys]
        )
        for rate, keys in seeds.items()
    }


def scatter_of_seeds(alone: Mapping[tuple[float, int], transition.Transition]) -> float | None:
    """Standard deviation of Tf between seeds, pooled over the rates.

    Parameters
    ----------
    alone : mapping of (float, int) to Transition
        As for `of_rates`.

    Returns
    -------
    float or None
        K; None if no rate has two seeds that show a transition.
    """
    Tf = [
        [t.Tf for key, t in alone.items() if key[0] == rate and t.found]
        for rate in {rate for rate, _ in alone}
    ]
    Tf = [temperatures for temperatures in Tf if len(temperatures) > 1]
    freedom = sum(len(T) - 1 for T in Tf)
    return (
        float(np.sqrt(sum(np.var(T, ddof=1) * (len(T) - 1) for T in Tf) / freedom)) if Tf else None
    )


def of_found(
    alone: Mapping[tuple[float, int], transition.Transition],
) -> dict[float, transition.Transition]:
    """The mean over those seeds of a rate that show a transition, an alternative to `of_rates`.

    Seeds without a transition are left out, whatever they may hide.

    Parameters
    ----------
    alone : mapping of (float, int) to Transition
        As for `of_rates`.

    Returns
    -------
    dict of float to Transition
        Rate -> mean; a rate at which no seed shows a transition is absent.
    """
    scatter, means = scatter_of_seeds(alone) or 0.0, {}
    for rate in dict.fromkeys(rate for rate, _ in alone):
        seeds = [t for key, t in alone.items() if key[0] == rate]
        if found := [t for t in seeds if t.found]:
            means[rate] = _mean(
                found,
                scatter / np.sqrt(len(found)),
                f"mean of the {len(found)} of {len(seeds)} seeds that fall",
                "",
            )
    return means


def by_size(ramps: Sequence[tuple], n_atoms: Sequence[int]) -> pd.DataFrame:
    r"""Ramps that differ in their number of atoms N, over their common range of temperature.

    Parameters
    ----------
    ramps : sequence of ((M,) array, (M,) array)
        Temperature (K) and density of each ramp.
    n_atoms : sequence of int
        Number of atoms of each.

    Returns
    -------
    DataFrame
        A row for each ramp: ``n_atoms``, ``low_K``, ``high_K``, ``transition``
        (`transition_by_methods`), ``fluctuation`` of the density (`statistics.fluctuation` about
        lines through 100 K or ten samples) and the value ``expected`` from the first row,
        :math:`\sigma_0 \sqrt{N_0 / N}`.

    Raises
    ------
    ValueError
        The ramps have no temperature in common.
    """
    ramps = [(np.asarray(T, float), np.asarray(density, float)) for T, density in ramps]
    low, high = max(T.min() for T, _ in ramps), min(T.max() for T, _ in ramps)
    if low >= high:
        raise ValueError(
            "no temperature is in all ramps: "
            + ", ".join(f"{T.min():.0f}–{T.max():.0f} K" for T, _ in ramps)
        )
    rows = []
    for (T, density), atoms in zip(ramps, n_atoms, strict=True):
        shared = (low <= T) & (high >= T)
        T, density = T[shared], density[shared]
        rows.append(
            {
                "n_atoms": atoms,
                "low_K": low,
                "high_K": high,
                "transition": transition_by_methods(T, density),
                "fluctuation": statistics.fluctuation(
                    T, density, max(100, 10 * np.median(np.diff(T)))
                ),
            }
        )
    table = pd.DataFrame(rows)
    table["expected"] = table["fluctuation"][0] * (table["n_atoms"][0] / table["n_atoms"]) ** 0.5
    return table
