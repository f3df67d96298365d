"""Table 1: which frames judge which row, and what the table says where there is none."""

import numpy as np

from helpers.recipes import catalogue
from helpers.validation import table1


def test_frames_near_a_temperature_come_from_tests():
    near = table1.frames_near(272)
    assert catalogue.test_sets() and set(near) == {300, 2500}
    assert all(system.get_natoms() == 272 for system in near.values())
    assert table1.frames_near(5)[300] is None


def test_rows_without_frames_say_so_and_each_error_has_the_forces_beside_it():
    ours = {"n_frames": 20, "energy_rmse_meV_per_atom": 1.3, "force_rmse_eV_per_A": 0.06,
            "energy_relative_percent": 0.0006, "virial_rmse_meV_per_atom": 3.0,
            "force_rms_eV_per_A": 0.92}  # fmt: skip
    rows = table1.side_by_side({("ZIF-4", 300): ours}, "atp", "ZIF-4").frame
    first = rows[rows["quantity"].str.startswith("ZIF-4 300 K")]
    assert first["this book"].tolist() == ["1.3", "0.0006", "0.06", "3", "0.92"]
    assert first["paper"].tolist() == ["3.61", "0.1", "1.14", "20.5", "not given"]
    others = rows.drop(first.index)
    assert (others["this book"] == "not computed yet").all() and len(others) == 4 * 4
    assert np.unique(first["made by"]).tolist() == ["atp, 20 frames of ZIF-4"]
