"""Learning curves: a power law with known exponent, and the shipped generations."""

import numpy as np
import pandas as pd
import pytest

from helpers.potentials import evaluation
from helpers.recipes import catalogue
from helpers.validation import accuracy, generations


def test_a_power_law_is_found_again():
    steps = np.array([1e4, 3e4, 1e5])
    assert generations.power_law(steps, 7 * steps**-0.5) == pytest.approx((7, 0.5))
    with pytest.raises(ValueError, match="no power law"):
        generations.power_law([100, 100], [1, 2])


def generation(steps, energy, force, virial):
    return {"potential": f"p{steps}", "group": "melt", "steps": steps, "training_frames": 10,
            **dict(zip(evaluation.ERRORS, (energy, force, virial), strict=True))}  # fmt: skip


def test_goals_are_reached_out_of_reach_or_so_many_steps_away():
    table = pd.DataFrame([generation(1000, 4, 0.4, 20), generation(4000, 4, 0.2, 20 / 2**0.5)])
    rows = generations.outlook(table).set_index("error")
    energy, force, virial = (rows.loc[key] for key in evaluation.ERRORS)
    assert not energy["reached"] and np.isnan(energy["steps_for_goal"])  # it does not fall
    assert force["reached"] and np.isnan(force["steps_for_goal"])
    assert force["exponent"] == pytest.approx(0.5) and rows["earlier"].all()
    assert force["best"] == "p4000"
    assert not virial["reached"]  # 20 -> 14.1 by four times the steps: 10 by sixteen times
    assert virial["steps_for_goal"] == pytest.approx(16_000)


def test_what_has_no_goal_is_not_asked_for():
    warm = generation(1000, 4, 0.2, 20) | {"group": "600–1500 K"}
    (row,) = generations.outlook(pd.DataFrame([warm])).to_dict("records")
    assert row["error"] == "force_rmse_eV_per_A" and not row["reached"]


def test_one_generation_has_no_exponent():
    rows = generations.outlook(pd.DataFrame([generation(1000, 4, 0.4, 20)]))
    assert rows["exponent"].isna().all() and len(rows) == 3


def test_shipped_generations_stand_in_order_and_are_kept(monkeypatch, tmp_path):
    assert generations.with_weights("atp") == ["round-5", "round-8", "atp"]
    table = generations.generations(["atp"])
    assert set(table["group"]) == set(generations.GOALS) and table["steps"].is_monotonic_increasing
    ended = [name for name in catalogue.lineage("atp") if not name.endswith("-start")]
    assert list(table["potential"].unique()) == [*ended, "atp"] and len(ended) >= 3
    sets, _ = generations.GOALS["melt"]
    melt = table[(table["group"] == "melt") & (table["potential"] == "atp")].iloc[0]
    assert melt["force_rmse_eV_per_A"] == pytest.approx(
        accuracy.metrics("atp")[sets[0]]["force_rmse_eV_per_A"]
    )
    monkeypatch.setattr(generations, "kept", lambda: tmp_path / "bench" / "generations.json")
    generations.keep(["atp"])
    kept = generations.generations()
    pd.testing.assert_frame_equal(
        kept, table[table["potential"] == "atp"].reset_index(drop=True), check_dtype=False
    )


def test_a_generation_above_the_law_is_what_a_goal_is_reached_from():
    """18 where the law through 40, 20 and 18 has 16: the law alone would promise 10 too early."""
    table = pd.DataFrame([generation(n, 1, 0.1, e) for n, e in ((1e3, 40), (4e3, 20), (16e3, 18))])
    row = generations.outlook(table).set_index("error").loc["virial_rmse_meV_per_atom"]
    a, b = generations.power_law(table["steps"], table["virial_rmse_meV_per_atom"])
    assert a * 16e3**-b < 17 and row["exponent"] == pytest.approx(b)
    assert row["steps_for_goal"] == pytest.approx(16e3 * 1.8 ** (1 / b))
    assert row["steps_for_goal"] > (a / 10) ** (1 / b)


def test_no_steps_are_given_where_an_earlier_generation_was_better():
    table = pd.DataFrame([generation(n, 1, 0.1, e) for n, e in ((1e3, 40), (4e3, 20), (16e3, 18),
                                                                (20e3, 19))])  # fmt: skip
    row = generations.outlook(table).set_index("error").loc["virial_rmse_meV_per_atom"]
    assert np.isnan(row["steps_for_goal"]) and row["best"] == "p16000.0"
