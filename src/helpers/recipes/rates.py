"""The same heating run at several rates, with several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from helpers.md.protocol import HeatingRun


def plans(
    common: HeatingRun,
    rates_K_per_ps: Sequence[float],
    seeds: Sequence[int],
    seeded_K_per_ps: Sequence[float] = (),
    named: Sequence[HeatingRun] = (),
) -> list[HeatingRun]:
    """A run for each rate and seed.

    Parameters
    ----------
    common : HeatingRun
        All that they share; its own rate and seed are not used.
    rates_K_per_ps : sequence of float
        Heating rates, K/ps.
    seeds : sequence of int
        Seeds of the initial velocities. Rates that are not in ``seeded_K_per_ps`` take the first
        only.
    seeded_K_per_ps : sequence of float
        Rates with every seed, K/ps; if empty, all of them.
    named : sequence of HeatingRun
        Further runs; one of the same rate and seed replaces the one made here.

    Returns
    -------
    list of HeatingRun
        The runs.
    """
    found = {}
    for rate in rates_K_per_ps:
        of_rate = seeds if rate in (seeded_K_per_ps or rates_K_per_ps) else seeds[:1]
        for seed in of_rate:
            found[rate, seed] = replace(common, heating_rate_K_per_ps=rate, seed=seed)
    found |= {(plan.heating_rate_K_per_ps, plan.seed): plan for plan in named}
    return list(found.values())
