"""The comparison of nets: its settings are trainings, its table adds up."""

import math

import pytest

from helpers.benchmarks import architectures
from helpers.errors import Unfit
from helpers.frames import dataset, summary
from helpers.recipes import catalogue
from helpers.validation import accuracy


@pytest.mark.parametrize("name", architectures.SETTINGS)
def test_a_setting_is_a_training_that_deepmd_takes(name, tmp_path, monkeypatch):
    monkeypatch.setattr(architectures.catalogue, "group", lambda _: ["abw"])
    recipe = architectures.recipe(name)
    descriptor = recipe.input(tmp_path, 100, 1000)["model"]["descriptor"]
    assert descriptor["axis_neuron"] <= descriptor["neuron"][-1]
    grown = (recipe.rcut / 6.0) ** 3  # neighbours grow with the volume that is seen
    assert all(n >= 0.8 * grown * small for n, small in zip(recipe.sel, (27, 27, 21, 6),
                                                            strict=True))  # fmt: skip


def test_the_sets_that_judge_are_tests():
    judged = {name for group in accuracy.TEST_SETS.values() for name in group}
    assert judged <= set(catalogue.test_sets())
    assert not judged & set(architectures.catalogue.group("compared"))
    assert summary.largest_neighbour_numbers(
        dataset.load("high_density").sub_system([0]), 6.0)["C"] <= 27  # fmt: skip


def test_an_unknown_setting_is_named():
    with pytest.raises(Unfit, match="no setting 'narow'.*narrow"):
        architectures.recipe("narow")
    with pytest.raises(FileNotFoundError, match="make bench-nets"):
        architectures.read("nowhere.json")


def test_the_table_adds_up():
    errors = [
        {"group": "a", "frames": 1, "energy_bias_meV_per_atom": -1.0,
         "energy_rmse_meV_per_atom": 3.0, "force_rmse_eV_per_A": 0.1,
         "virial_rmse_meV_per_atom": 2.0},
        {"group": "b", "frames": 3, "energy_bias_meV_per_atom": 0.5,
         "energy_rmse_meV_per_atom": 1.0, "force_rmse_eV_per_A": 0.3,
         "virial_rmse_meV_per_atom": 2.0},
    ]  # fmt: skip
    cost = [
        {"atoms": n, "cpu_us_per_atom_step": 10.0 * n * factor, "fused": True}
        for n in (272, 2176)
        for factor in (0.9, 1.1)
    ]
    measured = {"rows": [{"name": "x", "steps": 5, "errors": errors}], "costs": {"x": cost}}
    row = architectures.table(measured).iloc[0]
    assert row["energy_between_phases_meV_per_atom"] == 1.5
    assert row["force_rmse_eV_per_A"] == pytest.approx(math.sqrt((0.01 + 3 * 0.09) / 4))
    assert row["core_us_2176"] == 21760 and row["b"] == 0.3


def of_force(name, error, steps=5):
    row = {"group": "a", "frames": 1, "energy_bias_meV_per_atom": 0.0,
           "energy_rmse_meV_per_atom": 1.0, "force_rmse_eV_per_A": error,
           "virial_rmse_meV_per_atom": 1.0}  # fmt: skip
    return {"name": name, "steps": steps, "errors": [row]}


def of_cost(us):
    return [{"atoms": 2176, "cpu_us_per_atom_step": us, "fused": True}]


def test_the_cheapest_of_those_that_chance_does_not_tell_from_the_best_is_taken():
    rows = [of_force("wide", 0.300), of_force("narrow", 0.310), of_force("tiny", 0.420),
            of_force("narrow, seed 2", 0.330)]  # fmt: skip
    costs = {"wide": of_cost(40.0), "narrow": of_cost(20.0), "tiny": of_cost(5.0)}
    found = architectures.choice({"rows": rows, "costs": costs})
    assert found.best == "wide" and found.chance_eV_per_A == pytest.approx(0.02 / math.sqrt(2))
    assert found.alike == ("wide", "narrow") and found.cheapest == "narrow"
    # without a second seed chance is not known, and nothing is like the best
    found = architectures.choice({"rows": rows[:3], "costs": costs})
    assert math.isnan(found.chance_eV_per_A) and found.cheapest == found.best == "wide"
    assert architectures.missing({"rows": [of_force("paper", 0.3)]})[0] == "narrow"
    with pytest.raises(Unfit, match="different numbers of steps"):
        architectures.choice({"rows": [*rows, of_force("x", 0.1, steps=6)], "costs": costs})
