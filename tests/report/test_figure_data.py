"""The numbers that come with a figure are those that are drawn."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from helpers.report import figure_data, style


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_lines_points_and_bars_with_the_labels_of_their_axes():
    figure, (left, right) = style.axes(("T", "K"), ("density", "g/cm3"), ncols=2)
    left.plot([1, 2, 3], [4.0, 5.0, 6.0], label="20 K/ps")
    left.axhline(0.95)  # a guide, no data
    left.scatter([1], [7.0], label="a point")
    right.bar(["a", "b"], [2.0, 3.0])
    right.set_title("bars")
    table = figure_data.table(figure)
    assert set(table["x_is"]) == {"T (K)"} and set(table["y_is"]) == {"density (g/cm³)"}
    line = table[table["series"] == "20 K/ps"]
    assert line["y"].tolist() == [4, 5, 6] and set(line["panel"]) == {"1"}
    assert table[table["series"] == "a point"]["y"].tolist() == [7]
    assert table[table["panel"] == "bars"]["y"].tolist() == [2, 3]
    assert 0.95 not in table["y"].tolist()


def test_stacked_areas_bring_their_numbers():
    _, ax = style.axes(("T", "K"), ("share", "-"))
    shares = pd.DataFrame({"3 N": [0.1, 0.4], "4 N": [0.9, 0.6]}, index=[300.0, 900.0])
    ax.stackplot(shares.index, shares.to_numpy().T)
    figure_data.bring(ax, shares)
    read = pd.read_csv(io.StringIO(figure_data.csv(ax.figure)))
    assert read["series"].tolist() == ["3 N", "3 N", "4 N", "4 N"]
    assert read["x"].tolist() == [300, 900] * 2 and read["y"].tolist() == [0.1, 0.4, 0.9, 0.6]
    assert read["x_is"].dropna().tolist() == ["T (K)"]


@pytest.mark.parametrize("origin", ["lower", "upper"])
def test_an_image_has_each_value_where_it_is_drawn(origin):
    figure, ax = style.axes(("a", "A"), ("b", "A"))
    values = np.arange(6.0).reshape(2, 3)
    extent = (0, 3, 0, 2) if origin == "lower" else (0, 3, 2, 0)
    ax.imshow(values, origin=origin, extent=extent)
    table = figure_data.table(figure).set_index(["x", "y"])
    assert table.loc[(2.5, 0.5), "value"] == 2 and table.loc[(0.5, 1.5), "value"] == 3


def test_a_cloud_is_thinned_and_nothing_is_no_file():
    figure, ax = style.axes(("x", "-"), ("y", "-"))
    assert figure_data.csv(figure) is None
    ax.plot(np.arange(50_000), np.arange(50_000))
    assert len(figure_data.table(figure)) <= figure_data.MOST_ROWS


def test_axes_are_named_in_the_first_row_of_each_panel():
    figure, panels = style.axes(("T", "K"), ("density", "g/cm3"), ncols=2)
    for panel in panels:
        panel.plot([1, 2, 3], [4.0, 5.0, 6.0])
    read = pd.read_csv(io.StringIO(figure_data.csv(figure)))
    assert read["x_is"].notna().tolist() == [True, False, False] * 2
    assert set(read["y_is"].dropna()) == {"density (g/cm³)"} and read["y"].tolist() == [4, 5, 6] * 2


def test_a_notebook_gets_it_with_the_picture():
    shell = InteractiveShell.instance()
    figure, ax = style.axes(("x", "-"), ("y", "-"))
    ax.plot([1, 2, 3], [1.5, 2.5, 3.5], label="a")
    data, _ = shell.display_formatter.format(figure)
    read = pd.read_csv(io.StringIO(data[figure_data.MIME]))
    assert read["y"].tolist() == [1.5, 2.5, 3.5]
