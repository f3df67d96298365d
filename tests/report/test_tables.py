"""What a table shows and what it refuses to show."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from helpers.observables import pmf
from helpers.report import paper, tables

FORCE = "table1.ZIF-4_300K.force_rmse_eV_per_A"


def test_a_place_that_several_rows_share_is_named_once():
    rows = [tables.row(FORCE, 0.1, run="atp"), tables.row(FORCE, 0.2, run="atp-272")]
    rows += [tables.Row("speed", "-", None, 1.0, run="atp"), tables.row(FORCE, 0.3, run="atp")]
    shown = tables.side_by_side(rows).frame["place"].tolist()
    assert shown == ["Table 1", "as above", "", "Table 1"]


def test_paper_and_ours_stand_in_one_row():
    table = tables.side_by_side(
        [tables.row(FORCE, 0.1234, error=0.0099, run="atp-272", quantity="force RMSE")], "Errors"
    )
    assert table.frame.iloc[0].to_dict() == {
        "quantity": "force RMSE",
        "unit": "eV/Å",
        "paper": "1.14",
        "place": "Table 1",
        "this book": "0.1234 ± 0.0099",
        "made by": "atp-272",
    }


def test_html_and_text_hold_the_same_cells():
    table = tables.side_by_side(
        [
            tables.row(FORCE, 0.12, run="a <b> & c", quantity="force RMSE"),
            tables.row("transition.DPMD-1K_Tf_K", tables.NOT_COMPUTED, quantity="Tf"),
        ],
        "Caption",
    )
    soup = BeautifulSoup(table._repr_html_(), "html.parser")
    assert soup.caption.text == "Caption"
    cells = [[cell.text for cell in line.find_all("td")] for line in soup.tbody.find_all("tr")]
    assert cells == table.frame.values.tolist()
    text = repr(table).splitlines()
    assert text[0] == "Caption" and len(text) == 5
    assert all(cell in text[3] for cell in cells[0])
    assert tables.NOT_COMPUTED in text[4]


def test_the_same_table_gives_the_same_html():
    def build():
        return tables.of_paper("table3")._repr_html_()

    assert build() == build()


def test_a_quantity_that_the_paper_does_not_give():
    table = tables.side_by_side([tables.Row("RMS force", "eV/A", None, 1.5, run="reference")])
    assert table.frame["paper"][0] == tables.NOT_GIVEN


@pytest.mark.parametrize(
    ("ours", "more", "message"),
    [
        (None, {"run": "x"}, "NOT_COMPUTED"),
        (math.nan, {"run": "x"}, "finite"),
        (1.0, {}, "run="),
        (1.0, {"run": "x", "error": -0.1}, "error"),
        (1.0, {"run": "x", "error": math.inf}, "error"),
    ],
)
def test_rows_that_are_refused(ours, more, message):
    with pytest.raises(ValueError, match=message):
        tables.side_by_side([tables.row(FORCE, ours, **more)])


def test_no_rows_is_an_error():
    with pytest.raises(ValueError, match="no rows"):
        tables.side_by_side([])


def test_another_unit_than_the_paper_is_refused():
    with pytest.raises(ValueError, match="meV/A.*convert"):
        tables.row(FORCE, 120.0, unit="meV/A", run="x")


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (1432.4, 98.0, "1432 ± 98"),
        (1432.4, 123.0, "1430 ± 120"),
        (0.12345, 0.0099, "0.1235 ± 0.0099"),
        (0.5, 0.0996, "0.50 ± 0.10"),
        (163.1, 2.04, "163.1 ± 2.0"),
        (0.123456, None, "0.1235"),
        (3640000, None, "3\u00a0640\u00a0000"),
        (2100, None, "2100"),
        ((25, 50, 100), None, "25, 50, 100"),
        ("PBE-D3", None, "PBE-D3"),
    ],
)
def test_numbers_are_rounded_by_their_error(value, error, shown):
    assert tables.number(value, error) == shown


def test_a_table_of_the_paper_has_units_in_its_header():
    table = tables.of_paper("table2")
    assert list(table.frame.columns)[1:3] == ["dU (kJ/mol)", "dS (J/(mol K))"]
    assert table.frame.iloc[2, 1] == str(paper.value("table2.DPMD-20K.dU_kJ_per_mol").number)
    assert "Table 2" in table.caption
    with pytest.raises(paper.UnknownKey, match="table"):
        tables.of_paper("table9")


def test_facts_are_a_two_column_table():
    frame = tables.facts({"profile": "smoke", "wall time (s)": 12.3456}).frame
    pd.testing.assert_series_equal(frame["value"], pd.Series(["smoke", "12.35"], name="value"))


def test_activation_puts_our_line_beside_all_of_table_2():
    T = np.array([1000.0, 1400, 1800])
    line = pmf.free_energy_line(T, 163.1 - 0.0607 * T, [2.0, 2, 2])
    frame = tables.activation({"this book": line, "other": None}).frame
    assert list(frame.columns[1:]) == [
        "Gaillac (Table 2)",
        "Shi (Table 2)",
        "DPMD-20K (Table 2)",
        "this book",
        "other",
    ]
    assert frame["DPMD-20K (Table 2)"].tolist() == ["163.1", "60.7", "112.1", "53.8"]
    assert frame["this book"][0].startswith("163.1 ± ")
    assert set(frame["other"]) == {tables.NOT_COMPUTED}
    frame = tables.activation({"a": None, "b": None}, at_1800K={"a": "87 ± 8"}).frame
    assert frame["a"].tolist() == [tables.NOT_DETERMINED] * 3 + ["87 ± 8"]
    assert set(frame["b"]) == {tables.NOT_COMPUTED}
    samples = np.random.default_rng(0).normal([160, 0.06], [5, 0.003], (500, 2))
    shown = tables.activation({"x": dataclasses.replace(line, samples=samples)}).frame["x"]
    low, high = map(float, shown[0].split("[")[1].strip("]").split(",\u00a0"))
    assert (low, high) == pytest.approx((160 - 1.96 * 5, 160 + 1.96 * 5), abs=2)


def test_names_of_columns_become_words():
    frame = pd.DataFrame(
        {
            "force_rmse_eV_per_A": [0.12345, np.nan],
            "from_K": [300.0, 600.0],
            "core_us_per_atom_step": [45.0, 5.5],
            "frames": [3, 4],
            "set": ["a", "b"],
        }
    )
    shown = tables.headed(frame).frame
    assert list(shown) == ["force RMSE (eV/Å)", "from (K)", "core (µs/atom/step)", "frames", "set"]
    assert shown.values.tolist() == [
        ["0.1235", "300", "45", "3", "a"],
        ["–", "600", "5.5", "4", "b"],
    ]


@pytest.mark.parametrize(
    "column, shown",
    [
        ("force_rmse_eV_per_A", "force RMSE (eV/Å)"),
        ("n_frames", "number of frames"),
        ("drift_meV_per_atom_per_ps", "drift (meV/atom/ps)"),
        ("temperature_K", "temperature (K)"),
        ("T (K)", "T (K)"),
        ("closest_A", "closest (Å)"),
        (300.0, "300.0"),
    ],
)
def test_names_of_fields_become_headers(column, shown):
    assert tables.header(column) == shown


def test_a_computed_table_shows_what_is_chosen():
    frame = pd.DataFrame({"a_K": [1.23456, math.nan], "b": ["x", None]}, index=["one", "two"])
    table = tables.headed(frame, index="run", decimals=2).frame
    assert table.columns.tolist() == ["run", "a (K)", "b"]
    assert table.values.tolist() == [["one", "1.23", "x"], ["two", "–", "–"]]
    assert tables.headed(frame, columns={"b": "B"}).frame.columns.tolist() == ["B"]


def test_what_all_rows_share_is_said_once():
    frame = pd.DataFrame({"run": ["a", "a"], "atoms": [272, 272], "seed": [1, 2]})
    differing, same = tables.in_common(frame, keep=["run"])
    assert differing.columns.tolist() == ["run", "seed"] and same == "atoms = 272"
    _, same = tables.in_common(pd.DataFrame({"pressure (GPa)": [0, 0], "seen (%)": ["9", "9"]}))
    assert same == "pressure = 0 GPa; seen (%) = 9"
    alone, nothing = tables.in_common(frame[:1])
    assert alone.shape == (1, 3) and nothing == ""


def test_a_span_is_a_number_where_it_has_no_width():
    spans = [tables.span(pd.Series(v)) for v in ([1.0, 2.5], [3.0, 3.0], [1.0, math.nan])]
    assert spans == ["1 to 2.5", "3", "–"]


def test_rows_of_one_run_and_what_a_page_says_of_it():
    entries = {"training.sets": ("sets", 42), "training.steps": ("steps", 7)}
    rows = tables.rows(entries, run="atp")
    assert [(r.quantity, r.ours, r.run) for r in rows] == [("sets", 42, "atp"), ("steps", 7, "atp")]
    record = {"description": "a run", "made": "2026", "seconds": 3.0,
              "hardware": {"processor": "P", "cores": 2}}  # fmt: skip
    said = tables.of_run("r-1", record, {"profile": "small"}).frame
    assert said.values.tolist() == [
        ["name", "r-1"], ["what", "a run"], ["profile", "small"], ["made", "2026"],
        ["computing time (s)", "3"], ["hardware", "P, 2 cores"],
    ]  # fmt: skip


def test_words_of_users_are_no_html():
    """Cells, headers and captions; and a plain Styler of pandas, which chapters use as well."""
    bad = "<script>alert(1)</script>"
    frame = pd.DataFrame({bad: [bad], "b": [1.5]})
    plain = frame[["b"]].assign(c=bad).style
    for page in (tables.Table(frame, bad)._repr_html_(), plain.to_html()):
        assert "<script" not in page and "&lt;script&gt;" in page


def test_where_there_is_nothing_to_show_no_table_is():
    some = pd.DataFrame({"force_rmse_eV_per_A": [0.2]})
    assert tables.headed_if_any(None) is tables.headed_if_any(some[:0]) is None
    shown = tables.headed_if_any(some, decimals=1).frame
    assert shown.to_dict("list") == {"force RMSE (eV/Å)": ["0.2"]}
