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


def goals(slope=0.0, c33_compressed=4.4, bulk=1.1):
    """A potential 1.1 times as stiff as its reference but for C22 and C12, which are twice so."""
    names = [*(f"C{i}{i}" for i in range(1, 7)), "C12", "C13", "C23"]
    reference = pd.Series(4.0, index=[*names, "bulk_voigt", "bulk_reuss"])
    for side in ("stretched", "compressed"):
        for name in names[:3]:
            reference[f"{name}_{side}"] = 4.0
    model = 1.1 * reference
    model[["C22", "C12"]] *= 2
    model["bulk_voigt"] = 4.0 * bulk
    model["C33_compressed"] = c33_compressed
    model["C33"] = (4.4 + c33_compressed) / 2
    volume = [16.0, 17.0, 18.0, 19.0, 20.0]
    noise = [0.01, -0.01, 0.0, -0.01, 0.01]
    beside = pd.DataFrame({"volume_A3_per_atom": volume})
    beside["energy_off_meV_per_atom"] = beside["volume_A3_per_atom"] * slope + noise
    table = tables_of_potentials.goals(
        pd.DataFrame({"energy_bias_meV_per_atom": [1.0, -0.5]}),
        pd.DataFrame({"atp": model, "reference": reference}),
        {"frames": 14, "force_rmse_eV_per_A": 0.115},
        {"density_g_cm3": 1.1960, "error_g_cm3": 0.0016},
        beside,
        {("ZIF-62", 300): {"energy_rmse_meV_per_atom": 1.5, "force_rmse_eV_per_A": 0.6,
                           "n_frames": 2}},
    )  # fmt: skip
    return table.set_index("goal")


def test_goals_are_reached_missed_or_not_told():
    rows = goals()
    reached = rows["reached"].tolist()
    assert reached == ["no", "yes", "yes", "no", "no", "cannot tell", "yes", "yes", "no",
                       "cannot tell", "cannot tell"]  # fmt: skip
    assert rows["here"].tolist()[:6] == [
        "1.5", "+10", "+10", "2 of 9", "0.115 (14 frames)", "-1.97 ± 0.13"
    ]  # fmt: skip
    assert rows["here"].iloc[-3:].tolist() == ["0.6 (2 frames)", *["not computed yet"] * 2]
    assert goals(slope=0.3)["reached"].iloc[6] == "no"


def test_what_is_no_derivative_reaches_no_goal():
    """4.4 stretched, -3 compressed: a modulus within the goal on one side only cannot be told."""
    rows = goals(c33_compressed=-3.0)
    none = "C33: no constant"
    assert rows["here"].iloc[1:4].tolist() == ["-0 to +20", none, f"2 of 8 ({none})"]
    assert rows["reached"].iloc[1:4].tolist() == ["cannot tell", "cannot tell", "no"]
    far = goals(c33_compressed=-3.0, bulk=2.0)  # +110 % stretched, +90 % compressed
    assert far["reached"].iloc[1:3].tolist() == ["no", "cannot tell"]


def test_errors_against_cp2k_are_told_by_phase_and_without_what_is_trained_on():
    volume = [15.0, 16.0, 17.0, 18.0, 19.0, 20.0]
    table = pd.DataFrame({
        "volume_A3_per_atom": volume, "energy_off_meV_per_atom": [50.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        "pressure_off_GPa": 0.1, "trained": [True] + [False] * 5,
        "phase": ["glass"] + ["crystal"] * 5,
    })  # fmt: skip
    said = tables_of_potentials.slopes(table)
    assert "(+1.00 ± 0.00 on the 5 of no set that is trained on)" in said
    assert said.endswith("glass +50.0 (+50.0 to +50.0), crystal +3.0 (+1.0 to +5.0)")
