"""The table of a heating run: read whole or refused."""

import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import provenance
from helpers.errors import UserError
from helpers.md import thermo


@pytest.fixture
def run(tmp_path):
    """A run directory of three rows, one of equilibration, as LAMMPS leaves it after a restart."""
    rows = pd.DataFrame({c: np.arange(3.0) for c in thermo.COLUMNS}).assign(
        step=[200, 400, 600], segment=[0, 1, 1]
    )
    lines = rows.to_csv(index=False).splitlines()
    (tmp_path / thermo.FILE).write_text("\n".join([*lines[:2], "#", *lines[2:]]) + "\n")
    return tmp_path


def test_reads_directory_and_file(run):
    assert thermo.read(run)["step"].tolist() == [200, 400, 600]
    pd.testing.assert_frame_equal(thermo.read(run), thermo.read(run / thermo.FILE))


def test_a_compressed_table_is_the_same(run):
    plain, packed = run / thermo.FILE, run / thermo.PACKED
    table, text = thermo.read(run), plain.read_bytes()
    packed.write_bytes(gzip.compress(text))
    plain.unlink()
    pd.testing.assert_frame_equal(thermo.read(run), table)
    pd.testing.assert_frame_equal(thermo.read(packed), table)
    assert thermo.content(run) == text
    for damaged in (packed.read_bytes()[:-9], b"no gzip"):
        packed.write_bytes(damaged)
        with pytest.raises(UserError, match="is damaged"):
            thermo.read(run)


def test_heating_part(run):
    heated = thermo.read(run, equilibration=False)
    assert heated["step"].tolist() == [400, 600] and heated.index.tolist() == [0, 1]


def test_older_tables_name_the_segments_otherwise(run):
    new = thermo.read(run)
    new.rename(columns={"segment": "stage"}).to_csv(run / thermo.FILE, index=False)
    pd.testing.assert_frame_equal(thermo.read(run), new)


def test_missing_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="heating.run"):
        thermo.read(tmp_path)


def test_missing_column(run):
    thermo.read(run).drop(columns="density_g_cm3").to_csv(run / thermo.FILE, index=False)
    with pytest.raises(ValueError, match="no column density_g_cm3"):
        thermo.read(run)


def test_damaged_table(run):
    pd.concat([thermo.read(run)] * 2).to_csv(run / thermo.FILE, index=False)
    with pytest.raises(ValueError, match="steps do not increase"):
        thermo.read(run)


def test_density_and_its_error():
    rng = np.random.default_rng(6)
    held = pd.DataFrame({"time_ps": np.arange(500) * 0.1, "target_temperature_K": 300.0,
                         "density_g_cm3": 1.2 + 0.01 * rng.normal(size=500)})  # fmt: skip
    held.loc[:99, "density_g_cm3"] = 1.5  # before it settled
    hot = held.assign(time_ps=held["time_ps"] + 50, target_temperature_K=600.0, density_g_cm3=0.9)
    found = thermo.density(pd.concat([held, hot]), 300, skip_ps=10, blocks=20)
    assert found["n"] == 400 and found["duration_ps"] == pytest.approx(39.9)
    assert found["density_g_cm3"] == pytest.approx(1.2, abs=4 * found["error_g_cm3"])
    assert found["error_g_cm3"] == pytest.approx(0.01 / np.sqrt(400), rel=0.5)
    with pytest.raises(ValueError, match="0 rows at 900 K"):
        thermo.density(held, 900)


@pytest.mark.parametrize("finished", [False, True])
def test_a_row_that_is_cut_off_is_no_data(run, finished):
    """LAMMPS may be writing it, but not in a run that is finished, nor before another row."""
    file = run / thermo.FILE
    whole = file.read_text()
    if finished:
        provenance.write(run, kind="runs", recipe={}, description="")
    for cut in (1, 5, 60):
        file.write_text(whole[:-cut])
        if finished:
            with pytest.raises(ValueError, match="damaged: row 4 of 4 is cut off"):
                thermo.read(run)
        else:
            assert thermo.read(run)["step"].tolist() == [200, 400]
    rows = whole.splitlines(keepends=True)
    rows[-2] = rows[-2][:20] + "\n"
    file.write_text("".join(rows))
    with pytest.raises(ValueError, match="damaged: row 3 of 4 is cut off"):
        thermo.read(run)


@pytest.mark.parametrize("cell", ["1.2e", "", "x"])
def test_a_cell_that_is_no_number_is_no_data(run, cell):
    """pandas reads "1.2e" as a number and an empty cell as NaN."""
    file = run / thermo.FILE
    rows = file.read_text().splitlines(keepends=True)
    cells = rows[-2].split(",")
    rows[-2] = ",".join([*cells[:5], cell, *cells[6:]])
    file.write_text("".join(rows))
    assert len(thermo.whole_rows(file)) == 2
    with pytest.raises(ValueError, match="damaged: row 3 of 4"):
        thermo.read(run)


def test_a_table_without_a_line_is_refused(run):
    (run / thermo.FILE).write_text("")
    with pytest.raises(ValueError, match="is empty"):
        thermo.read(run)


@settings(max_examples=60, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(at=st.floats(0, 1), finished=st.booleans(),
       what=st.sampled_from(["cut", "line", "word", "nan", "double", "swap"]))  # fmt: skip
def test_damage_is_refused_or_ends_the_table_and_never_another_number(run, at, finished, what):
    """Of a finished run every row counts, since its provenance knows how many there are."""
    header = ",".join(thermo.COLUMNS)
    rows = [",".join([str(step), *(f"{step / 7:.5f}" for _ in thermo.COLUMNS[1:])])
            for step in range(200, 2200, 200)]  # fmt: skip
    (run / thermo.FILE).write_text("\n".join([header, *rows]) + "\n")
    (run / provenance.FILE).unlink(missing_ok=True)
    right = thermo.read(run)
    lines = [header, *rows]
    k = min(int(at * len(lines)), len(lines) - 1)
    words = lines[k].split(",")
    j = int(at * 7919) % len(words)
    if what == "cut":
        lines = lines[:k] + [lines[k][: len(lines[k]) // 2]]
    elif what == "line":
        del lines[k]
    elif what == "double":
        lines.insert(k, lines[k])
    elif what == "swap":
        lines[k], lines[k - 1] = lines[k - 1], lines[k]
    else:
        words[j] = {"word": "", "nan": "1.2e"}[what]
        lines[k] = ",".join(words)
    (run / thermo.FILE).write_text("\n".join(lines) + ("" if what == "cut" else "\n"))
    if finished:
        recipe = {"thermo_every_ps": 0.1, "timestep_fs": 0.5}
        provenance.write(run, kind="runs", recipe=recipe, description="", steps=2000)
    try:
        table = thermo.read(run)
    except UserError as error:
        assert thermo.FILE in str(error) and "\n" not in str(error)
        return
    assert not finished and len(table) < len(right)
    whole = right.set_index("step").loc[table["step"]].reset_index()
    pd.testing.assert_frame_equal(table, whole, check_dtype=False)
