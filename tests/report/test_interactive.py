"""Figures to look into: both forms show the table, and the table comes along."""

import io
import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from PIL import Image

from helpers.errors import Unfit
from helpers.report import interactive

T = np.arange(300.0, 400.0, 10)
TABLE = pd.concat(
    pd.DataFrame(
        {"rate": q, "seed": s, "temperature_K": T, "density_g_cm3": 1 + s / 10, "enthalpy_eV": T}
    )
    for q in ("4 K/ps", "20 K/ps")
    for s in (1, 2)
)


def drawn(shown):
    """plotly itself reads the figure, and the still image is a picture."""
    bundle = shown._repr_mimebundle_()
    assert json.loads(json.dumps(bundle[interactive.MIME])) == bundle[interactive.MIME]
    assert Image.open(io.BytesIO(shown.png())).convert("L").getextrema() == (0, 255)
    return go.Figure(shown.spec)


def test_lines_have_a_colour_for_the_first_and_dashes_for_the_second():
    shown = interactive.lines(TABLE, "temperature_K", "density_g_cm3", by=["rate", "seed"])
    figure = drawn(shown)
    assert [line.name for line in figure.data] == [
        "4 K/ps, seed 1", "4 K/ps, seed 2", "20 K/ps, seed 1", "20 K/ps, seed 2",
    ]  # fmt: skip
    assert figure.data[0].line.color == figure.data[1].line.color != figure.data[2].line.color
    assert figure.data[0].line.dash == figure.data[2].line.dash != figure.data[1].line.dash
    assert figure.layout.yaxis.title.text == "density (g/cm³)"
    np.testing.assert_allclose(figure.data[1].y, 1.2)
    assert len(shown.table) == len(TABLE) and "enthalpy_eV" not in shown.table


def test_of_many_lines_the_legend_names_the_colours_and_a_button_brings_the_pale_ones_in():
    seeds = [TABLE.assign(seed=f"seed {k}") for k in range(9)]
    table = pd.concat([*seeds, TABLE.assign(seed="mean")])
    table = table.groupby(["rate", "seed", "temperature_K"], as_index=False).mean()
    pale = [(rate, f"seed {k}") for rate in table["rate"].unique() for k in range(9)]
    shown = interactive.lines(
        table, "temperature_K", "density_g_cm3", by=["rate", "seed"], behind=pale
    )
    figure = drawn(shown)
    named = [line.name for line in figure.data if line.showlegend]
    assert named == ["20 K/ps", "4 K/ps"] and len(figure.data) == 20
    assert {line.line.dash for line in figure.data} == {"solid"}
    assert "20 K/ps, seed 3" in figure.data[4].hovertemplate
    assert figure.data[4].meta["line"] == "20 K/ps, seed 3"  # of the boxes below the figure
    assert figure.layout.legend.groupclick == "togglegroup"
    first = [line.line.width for line in figure.data if line.visible is True]
    fewer, every = (b.args[0]["visible"] for b in figure.layout.updatemenus[0].buttons)
    kept = [line for line, stays in zip(figure.data, fewer, strict=True) if stays is True]
    assert [line.line.width for line in kept] == first == [3, 3] and every == [True] * 20


def test_a_button_changes_the_quantity_and_hides_the_level_of_the_other():
    figure = drawn(
        interactive.lines(
            TABLE,
            "temperature_K",
            ["density_g_cm3", "enthalpy_eV"],
            by="rate",
            levels={"paper": 0.95},
            bands={"low": (310, 330)},
            labels={"enthalpy_eV": ("enthalpy", "eV")},
        )
    )
    assert [line.visible for line in figure.data[:4]] == [True, True, False, False]
    second = figure.layout.updatemenus[0].buttons[1]
    assert second.label == "enthalpy"
    assert second.args[0]["visible"] == [False, False, True, True, False]
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (310, 330)


def test_a_slider_shows_one_temperature_at_a_time():
    curves = TABLE.rename(columns={"seed": "T"})
    figure = drawn(
        interactive.slider(
            curves, "temperature_K", "density_g_cm3", step="T", by="rate",
            labels={"T": ("temperature", "K")},
        )
    )  # fmt: skip
    steps = figure.layout.sliders[0].steps
    assert [s.label for s in steps] == ["1 K", "2 K"]
    assert steps[1].args[0]["visible"] == [False, False, True, True]
    assert [line.visible for line in figure.data] == [True, True, False, False]


def test_maps_share_a_scale_and_their_axes_are_the_edges():
    maps = {"300 K": np.arange(6.0).reshape(2, 3), "900 K": np.full((2, 3), 9.0)}
    shown = interactive.maps(maps, (5.0, 4.0))
    figure = drawn(shown)
    assert {(m.zmin, m.zmax) for m in figure.data} == {(0, 9)}
    assert list(figure.data[0].x) == [2.5, 7.5] and list(figure.data[0].y) == [2, 6, 10]
    assert np.asarray(figure.data[0].z)[2, 1] == maps["300 K"][1, 2]
    row = shown.table.query("map == '300 K' and a_A == 7.5 and b_A == 10")
    assert row["density_per_A3"].item() == 5


def test_a_long_line_is_thinned_and_a_gap_stays_a_gap():
    x = np.arange(10_000.0)
    y = np.where(x < 100, np.nan, x)
    (line,) = interactive.lines(pd.DataFrame({"x": x, "y": y}), "x", "y").spec["data"]
    assert len(line["x"]) <= 1500 and line["y"][0] is None and line["y"][-1] is not None


@pytest.mark.parametrize(
    "table, options, message",
    [
        (TABLE, {"y": "densty_g_cm3"}, "no column 'densty_g_cm3'; did you mean 'density_g_cm3'"),
        (TABLE.head(0), {"y": "density_g_cm3"}, "no rows"),
        (TABLE, {"y": "density_g_cm3", "by": ["rate", "seed", "rate"]}, "by has 3 columns"),
    ],
)
def test_what_cannot_be_drawn_is_refused(table, options, message):
    with pytest.raises(Unfit, match=message):
        interactive.lines(table, "temperature_K", **options)
    with pytest.raises(Unfit, match="no map"):
        interactive.maps({}, (1, 1))
