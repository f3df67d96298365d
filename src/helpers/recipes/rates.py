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
        all that they share; its own rate and seed do not count.
    rates_K_per_ps : sequence of float
        heating rates.
    seeds : sequence of int
        of the first velocities. Rates that are not in ``seeded_K_per_ps`` take the first only.
    seeded_K_per_ps : sequence of float
        those with every seed; empty: all of them.
    named : sequence of HeatingRun
        further runs; one of the same rate and seed stands in for the one made here.
    """
    found = {}
    for rate in rates_K_per_ps:
        of_rate = seeds if rate in (seeded_K_per_ps or rates_K_per_ps) else seeds[:1]
        for seed in of_rate:
            found[rate, seed] = replace(common, heating_rate_K_per_ps=rate, seed=seed)
    found |= {(plan.heating_rate_K_per_ps, plan.seed): plan for plan in named}
    return list(found.values())
