"""A run for each rate and seed."""

from dataclasses import replace

from helpers.recipes import catalogue, rates

COMMON = catalogue.run_recipe("atp-20Kps")


def pairs(plans):
    return [(plan.heating_rate_K_per_ps, plan.seed) for plan in plans]


def test_every_rate_with_every_seed():
    assert pairs(rates.plans(COMMON, [400.0, 20.0], [1, 2])) == [
        (400.0, 1), (400.0, 2), (20.0, 1), (20.0, 2),
    ]  # fmt: skip


def test_rates_that_are_not_seeded_take_the_first_seed():
    found = rates.plans(COMMON, [400.0, 20.0], [1, 2], seeded_K_per_ps=[20.0])
    assert pairs(found) == [(400.0, 1), (20.0, 1), (20.0, 2)]


def test_all_else_is_shared_and_a_named_run_stands_in():
    other = replace(COMMON, temperature_end_K=1600.0)
    found = rates.plans(COMMON, [400.0, 20.0], [1], named=[other])
    assert found[1] is other and pairs(found) == [(400.0, 1), (20.0, 1)]
    assert replace(found[0], heating_rate_K_per_ps=20.0) == COMMON
