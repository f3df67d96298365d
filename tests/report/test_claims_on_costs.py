"""What the chapter on costs concludes from made-up measurements."""

import pandas as pd

from helpers.report import claims_on_costs as claims

STEPS = pd.DataFrame(
    {
        "setting": ["as shipped", "sel of the paper, float64, nets of pairs"],
        "threads": 1,
        "days for 10⁶ steps": [0.8, 4.0],
    }
)
SPEEDS = pd.DataFrame(
    {
        "engine": ["native", "native", "CP2K", "native"],
        "atoms": [272, 272, 272, 2176],  # the last is no size of CP2K's
        "core_us_per_atom_step": [50.0, 40.0, 2e6, 20.0],
        "ranks": [1, 2, 2, 1],
        "threads": 1,
    }
)


def test_days_of_training():
    found = claims.home_computer(STEPS, "a card")
    assert found.here.endswith("was trained on: a card.")
    assert found.verdict.startswith("agrees") and "0.8 days" in found.here and "4.0" in found.here
    slow = STEPS.assign(**{"days for 10⁶ steps": [10.0, 40.0]})
    assert claims.home_computer(slow, "a card").verdict == "a million steps take more than a month"


def test_speed_is_the_least_core_time_of_each_engine():
    found = claims.speed_up(SPEEDS)
    assert found.verdict.startswith("at most 50\u00a0000 times") and "on 2 cores from" in found.here
    assert claims.speed_up(SPEEDS.iloc[:2]).verdict == "not measured here"


def test_goals():
    outlook = pd.DataFrame(
        {
            "group": ["300 K", "300 K", "melt"],
            "error": ["energy_rmse", "force_rmse", "virial_rmse"],
            "reached": [True, False, True],
            "earlier": [False, False, True],
        }
    )
    found = claims.goals(outlook)
    assert found.verdict == "1 of 2 are reached, of older and wider ones 1 of 1"
    assert found.here == "missed are force (300 K)."
    assert claims.goals(outlook.iloc[:1]).here == "none is missed."
