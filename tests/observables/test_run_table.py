"""A table of runs whose falls, bonds and power are known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.observables import detection, ligand_exchange, run_table
from helpers.recipes import runs


def ramp(rate=20.0, drop=0.0, at=1100.0, noise=0.008, seed=1, back=None):
    """(T, density, time) of a crystal that falls within 60 K, with slow noise, from 300 K on."""
    time = np.arange(0.1, 1800 / rate, 0.1)
    T, rng = 300 + rate * time, np.random.default_rng(seed)
    rough = np.convolve(rng.normal(size=len(T) + 9), np.ones(10) / 10, "valid") * 10**0.5
    rho = 1.2 - 4e-5 * (T - 300)
    fallen = drop * np.clip((T - at) / 60, 0, 1)
    if back:
        fallen[T > back] = 0
    return T, rho * (1 - fallen) + noise * rough, time


def test_power_is_that_of_the_noise():
    """In quiet noise every fall is found and nothing else, in loud noise hardly any."""
    quiet = detection.power(*ramp(noise=0.002), trials=4)
    rates = detection.rates(quiet).set_index("drop")
    assert rates.loc[0.0, "rate"] == 0 and (rates.loc[[0.1, 0.13], "rate"] > 0.9).all()
    assert rates.loc[0.13, "high"] == 1 and 0.7 < rates.loc[0.13, "low"] < 1
    assert detection.seen_up_to_K(quiet) == pytest.approx(300 + 1800 * 5 / 6, abs=5)
    loud = detection.power(*ramp(noise=0.08), trials=4)
    assert detection.rates(loud).set_index("drop").loc[0.05, "rate"] < 0.3
    assert np.isnan(detection.seen_up_to_K(loud))


def test_a_fall_that_was_and_one_that_would_have_been():
    fell = run_table.row(*ramp(drop=0.13), trials=2)
    assert fell["Tf_K"] == pytest.approx(1100, abs=30) and fell["drop"] == pytest.approx(
        0.13, abs=0.02
    )
    assert np.isnan(fell["Tf_above_K"]) and fell["returns"] == 0
    assert fell["lowest_density"] == pytest.approx(1.128 * 0.87, abs=0.02)
    flat = run_table.row(*ramp(noise=0.004), trials=4)
    assert np.isnan(flat["Tf_K"]) and flat["Tf_above_K"] > 1300
    fast = run_table.row(*ramp(rate=400, noise=0.03), trials=2)
    assert np.isnan(fast["Tf_K"]) and np.isnan(fast["Tf_above_K"])  # it cannot tell
    assert np.isnan(fast["lowest_density"])  # 5 ps are more than half of it
    assert run_table.row(*ramp(drop=0.13, back=1500.0), trials=0)["returns"] == 1


def test_a_slow_descent_is_neither_a_fall_nor_the_absence_of_one():
    """A large cell that leaves the crystal's line over hundreds of kelvins (DPMD-20K)."""
    crystal = SimpleNamespace(name="crystal", low_K=300)
    left = [crystal, SimpleNamespace(name="pre-melt", low_K=1439)]
    assert np.isnan(run_table.without_a_fall_K(1800.0, left))
    assert run_table.without_a_fall_K(1400.0, left) == 1400.0  # it begins later
    dense = [crystal, SimpleNamespace(name="dense", low_K=1300)]
    assert run_table.without_a_fall_K(1800.0, dense) == 1800.0
    run = runs.find("DPMD-20K")
    T, rho, t = (run.ramp[c] for c in ("target_temperature_K", "density_g_cm3", "time_ps"))
    found = run_table.row(T, rho, t, trials=2)
    assert np.isnan(found["Tf_K"]) and np.isnan(found["Tf_above_K"]) and found["seen_10"] == 1


def test_a_ramp_that_cools_is_turned_round():
    T, rho, time = ramp(drop=0.13)
    cooled = run_table.row(T[::-1], rho[::-1], time, trials=0)
    assert cooled["Tf_K"] == pytest.approx(run_table.row(T, rho, time, trials=0)["Tf_K"], abs=1)


def bonds(path):
    """One Zn at the origin, one 5 A off, one N whose x is given frame by frame (A)."""
    frames = np.array([[[0, 0, 0], [5, 0, 0], [x, 0, 0]] for x in path], float)
    cells = np.repeat(np.eye(3)[None] * 30, len(path), axis=0)
    T = np.linspace(300, 2000, len(path))
    return ligand_exchange.bonds(frames, cells, ["Zn", "Zn", "N"], T / 20, T)


def test_first_break_and_first_exchange():
    moved = bonds([2, 2, 2, 2, 3, 3, 3, 3])  # goes over to the Zn at 5
    found = run_table.row(*ramp(), run_table.Motion(moved, None, 2000.0), trials=0)
    assert found["first_exchange_K"] == found["first_break_K"] == pytest.approx(300 + 1700 * 4 / 7)
    still = run_table.row(*ramp(), run_table.Motion(bonds([2.0] * 8), 1500.0, 2000.0), trials=0)
    assert np.isnan(still["first_break_K"]) and still["first_break_above_K"] == 2000
    assert still["melt_K"] == 1500 and np.isnan(still["melt_above_K"])


def test_share_of_N_that_have_left_their_zn_when_the_fall_has_ended():
    T, rho, time = ramp(drop=0.13)
    for path, share in (([2] * 8, 0.0), ([2, 2, 3, 3, 3, 3, 3, 3], 1.0), ([2] * 7 + [3], 0.0)):
        found = run_table.row(T, rho, time, run_table.Motion(bonds(path), None, 2000.0), trials=0)
        assert found["moved_at_fall"] == share and found["moved_at_end"] == float(path[-1] == 3)
    flat = run_table.row(*ramp(), run_table.Motion(bonds([2.0] * 8), None, 2000.0), trials=0)
    assert np.isnan(flat["moved_at_fall"]) and flat["moved_at_end"] == 0


def rows():
    base = {"n_atoms": 272, "rate_K_per_ps": 20.0, "seen_10": 0.9, "melt_K": np.nan,
            "melt_above_K": 2100.0, "returns": 0.0, "lowest_density": 0.95, "frame_K": 2.0,
            "potential": "atp", "pressure_bar": 1400.0, "unsettled": ""}  # fmt: skip
    changes = [
        {"Tf_K": 1067.0, "Tf_error_K": 20.0, "fallen_K": 1093.0, "first_break_K": 1400.0},
        {"Tf_K": 1283.0, "Tf_error_K": 73.0, "fallen_K": 1350.0, "first_break_K": 1274.0},
        {"Tf_K": 1200.0, "Tf_error_K": 20.0, "fallen_K": 1250.0, "first_break_above_K": 2100.0},
        {"Tf_above_K": 1500.0, "first_break_K": 1000.0},
        {"rate_K_per_ps": 100.0, "seen_10": 0.0, "first_break_K": 1900.0},
    ]
    table = pd.DataFrame([base | c | {"seed": i} for i, c in enumerate(changes, 1)])
    table["name"] = [f"run{i}" for i in range(1, 6)]
    return table.reindex(columns=list(dict.fromkeys([*table, *run_table.COLUMNS])))


def test_what_the_table_says():
    table = rows()
    seeds = run_table.seeds(table)
    assert seeds.fell.tolist() == [True, True, True, False]  # the fifth cannot tell
    groups = run_table.power_by(table).set_index("rate_K_per_ps")
    assert groups.loc[20.0, ["fell", "not_fallen", "cannot_tell"]].tolist() == [3, 1, 0]
    assert groups.loc[100.0, ["fell", "not_fallen", "cannot_tell"]].tolist() == [0, 0, 1]
    order = run_table.order_of_events(table).set_index("event").loc["first_break"]
    assert order.tolist() == [3, 2, 0, 1]
    assert run_table.order_of_events(table.assign(frame_K=300.0)).iloc[0].tolist()[1:] == [
        3, 1, 0, 2,
    ]  # fmt: skip
    page = run_table.shown(table)
    assert page["pressure (GPa)"].eq("0.14").all()
    assert page["Tf (K)"].tolist() == [
        "1067 ± 20", "1283 ± 73", "1200 ± 20", "> 1500", "cannot tell",
    ]  # fmt: skip
    assert page["first break (K)"][2] == "> 2100"


def test_a_run_that_was_not_in_equilibrium_is_left_out():
    table = rows()
    table.loc[1, "unsettled"] = "density: it drifts"
    assert run_table.settled(table)["seed"].tolist() == [1, 3, 4, 5]
    assert run_table.shown(table)["in equilibrium before"].tolist()[:2] == ["yes", "no"]


def test_limits_of_the_power_are_those_of_as_many_trials():
    """18 of 20 in each of four runs are 72 of 80: 0.81 to 0.96 by Clopper and Pearson."""
    group = run_table.power_by(rows()).set_index("rate_K_per_ps").loc[20.0]
    assert group["seen_10"] == pytest.approx(0.9)
    assert (group["seen_10_low"], group["seen_10_high"]) == pytest.approx((0.812, 0.956), abs=1e-3)
    assert np.isnan(group["seen_5"]) and np.isnan(group["seen_5_low"])


def test_sizes_are_compared_over_the_range_that_they_share():
    table = rows().assign(low_K=300.0, high_K=2100.0)
    large = table.iloc[[3, 3]].assign(n_atoms=2176, seed=[1, 2], high_K=1260.0)
    found = run_table.side_by_side(pd.concat([table, large], ignore_index=True))
    assert found["n_atoms"].tolist() == [272, 2176] and found["rate_K_per_ps"].eq(20).all()
    small, big = found.iloc[0], found.iloc[1]
    assert (small["runs"], small["fell"]) == (4, 2)  # the fall at 1283 K is beyond
    assert (big["runs"], big["fell"], big["seen_up_to_K"]) == (2, 0, 1500)
    assert small["Tf_K"] == pytest.approx((1067 + 1200) / 2)
    assert small["width_K"] == pytest.approx((26 + 50) / 2)
    assert small["width_error_K"] == pytest.approx(12)  # half the difference of two
    assert np.isnan(big["Tf_error_K"])
