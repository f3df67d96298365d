"""Tables of what potentials err by, from errors written down by hand and from shipped ones."""

import pandas as pd
import pytest

from helpers.errors import NotThere
from helpers.report import tables_of_potentials
from helpers.validation import accuracy


def test_a_mean_error_keeps_its_sign_and_a_set_in_training_says_so():
    errors = {
        "a": {"hot": {"n_frames": 7, "role": "test", "energy_bias_meV_per_atom": -6.37,
                      "energy_rmse_meV_per_atom": 6.9, "force_rmse_eV_per_A": 0.2085}},
        "b": {"hot": {"n_frames": 2, "role": "validation", "energy_bias_meV_per_atom": 0.4,
                      "energy_rmse_meV_per_atom": 1.46, "force_rmse_eV_per_A": 0.1511}},
    }  # fmt: skip
    rows = tables_of_potentials.on_sets(errors, ["hot"]).frame.to_numpy().tolist()
    assert [row[:3] for row in rows] == [["hot", "a", "7"], ["hot", "b", "2"]]
    assert [row[3:] for row in rows] == [
        ["-6.4", "6.9", "0.208", "no"], ["+0.4", "1.5", "0.151", "yes"]
    ]  # fmt: skip


def test_a_set_that_was_not_evaluated_is_an_error():
    with pytest.raises(NotThere, match="no_such_set"):
        tables_of_potentials.on_sets({"atp": accuracy.metrics("atp")}, ["no_such_set"])


def test_errors_of_a_potential_that_is_no_longer_shipped_are_found():
    found = accuracy.metrics("round-9")
    assert found["quenched_round_9"]["energy_bias_meV_per_atom"] < -3
    assert found["quenched_round_9"]["role"] == "unseen"


def test_the_bias_of_sets_by_who_sampled_them():
    bias = pd.Series([2.0, 4.0, -1.0], index=["a", "b", "c"])
    said = tables_of_potentials.bias_by_sampler(bias, [True, True, False])
    assert said == (
        "Over the 2 test sets that the reference itself sampled, the bias is +3.0 meV/atom on "
        "average; over the 1 others, -1.0."
    )
    assert tables_of_potentials.bias_by_sampler(bias, [True] * 3) == ""


def test_the_drift_has_its_error_beside_it():
    found = {"drift_meV_per_atom_per_ps": -0.00683, "error_meV_per_atom_per_ps": 0.0034,
             "duration_ps": 0.8}  # fmt: skip
    table = tables_of_potentials.drift(found).frame
    assert table["value"].tolist() == ["-0.0068 ± 0.0034", "0.8"]


def goals(slope=0.0, c33_compressed=4.0):
    """A potential that is 1.1 times as stiff as its reference but for C22, twice as stiff."""
    names = [f"C{i}{i}" for i in range(1, 7)]
    reference = pd.Series(4.0, index=[*names, "bulk_reuss"])
    for side in ("stretched", "compressed"):
        for name in names[:3]:
            reference[f"{name}_{side}"] = 4.0
    model = 1.1 * reference
    model["C22"] *= 2
    model["C33_compressed"] = c33_compressed
    volume = [16.0, 17.0, 18.0, 19.0, 20.0]
    noise = [0.01, -0.01, 0.0, -0.01, 0.01]
    beside = pd.DataFrame({"volume_A3_per_atom": volume})
    beside["energy_off_meV_per_atom"] = beside["volume_A3_per_atom"] * slope + noise
    table = tables_of_potentials.goals(
        pd.DataFrame({"energy_bias_meV_per_atom": [1.0, -0.5]}),
        pd.DataFrame({"atp": [2.4], "reference": [2.0]}, index=["B (GPa)"]),
        pd.DataFrame({"atp": model, "reference": reference}),
        {"density_g_cm3": 1.1960, "error_g_cm3": 0.0016},
        beside,
        {("ZIF-62", 300): {"energy_rmse_meV_per_atom": 1.5, "force_rmse_eV_per_A": 0.6,
                           "n_frames": 2}},
    )  # fmt: skip
    return table.frame.set_index("goal")


def test_goals_are_reached_missed_or_not_told():
    rows = goals()
    reached = rows["reached"].tolist()
    assert reached == ["no", "no", "yes", "no", "cannot tell", "yes", "yes", "no",
                       "cannot tell", "cannot tell"]  # fmt: skip
    assert rows["here"].tolist()[:5] == ["1.5", "+20", "+10", "1 of 6", "-1.97 ± 0.13"]
    assert rows["here"].iloc[-3:].tolist() == ["0.6 (2 frames)", *["not computed yet"] * 2]
    assert goals(slope=0.3)["reached"].iloc[5] == "no"


def test_what_is_no_derivative_reaches_no_goal():
    rows = goals(c33_compressed=-3.0)
    assert rows["here"].iloc[3] == "1 of 5 (C33: no constant)"
    assert rows["reached"].iloc[2:4].tolist() == ["cannot tell", "no"]
