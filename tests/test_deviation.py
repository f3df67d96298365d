"""The table of model deviations: read whole, each step once; where a run leaves what is known.

That LAMMPS' numbers are those of the potentials is tested in test_heating.
"""

import math

import numpy as np
import pandas as pd
import pytest

from helpers import deviation, thermo


@pytest.fixture
def run(tmp_path):
    """A run of two stages as LAMMPS leaves it: step 200 ends one and begins the other."""
    steps = np.arange(0, 500, 100)
    pd.DataFrame({c: np.zeros(5) for c in thermo.COLUMNS}).assign(
        step=steps, target_temperature_K=300.0 + steps).to_csv(tmp_path / thermo.FILE, index=False)
    rows = [f"{s:12d} 1.0 0.0 0.5 {0.1 + s / 1000:18.6e} 0.0 {0.01:18.6e}" for s in steps]
    (tmp_path / deviation.FILE).write_text(
        "\n".join(["#       step  max_devi_v ...", *rows[:3], rows[2], *rows[3:]]) + "\n")
    return tmp_path


def test_every_step_once(run):
    table = deviation.read(run)
    assert table["step"].tolist() == [0, 100, 200, 300, 400]
    assert table["target_temperature_K"].tolist() == [300, 400, 500, 600, 700]
    np.testing.assert_allclose(table["max_eV_per_A"], 0.1 + table["step"] / 1000)


def test_cut_off_and_truncated(run):
    file = run / deviation.FILE
    file.write_text(file.read_text()[:-9])  # half a row
    assert deviation.read(run)["step"].tolist() == [0, 100, 200, 300]
    deviation.truncate(file, 250)
    assert [x.split()[0] for x in deviation.whole_rows(file)] == ["0", "100", "200"]
    assert deviation.read(run)["step"].tolist() == [0, 100, 200]


def test_no_ensemble_and_damage(run, tmp_path):
    file = run / deviation.FILE
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines, lines[1]]).replace("         100", "         900", 1))
    with pytest.raises(ValueError, match="steps do not increase"):
        deviation.read(run)
    file.write_text("no table\n")
    with pytest.raises(ValueError, match="no table of 7 columns"):
        deviation.read(run)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="no ensemble"):
        deviation.read(run)


def rising(start=0.1, end=1.0):
    """Deviations that rise from ``start`` to ``end`` over 300-2100 K, with noise of 10 %."""
    T = np.linspace(300, 2100, 2000)
    noise = 1 + 0.1 * np.random.default_rng(1).standard_normal(2000)
    return pd.DataFrame({"target_temperature_K": T,
                         "max_eV_per_A": np.interp(T, [300, 2100], [start, end]) * noise})


def test_where_the_run_leaves_what_is_known():
    found = deviation.trust(rising(), 0.55)  # the line passes 0.55 at 1200 K
    assert abs(found.temperature_K - 1200) <= 50 and "above" in str(found)
    assert math.isnan((never := deviation.trust(rising(), 5)).temperature_K)
    assert "up to the end (2100 K)" in str(never)
    assert "from the start" in str(deviation.trust(rising(), 0.01))
