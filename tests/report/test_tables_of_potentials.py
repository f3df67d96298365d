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
