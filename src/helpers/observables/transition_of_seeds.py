"""The transition temperature of one run by several methods; `censored` joins those of seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

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
    Unfit
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
