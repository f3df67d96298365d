"""What the figures of scattering show is what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers.observables.pair_distribution import Transform
from helpers.recipes import peers
from helpers.report import experiment, plots_of_scattering


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def cold():
    return experiment.heated_glass().at(31)


@pytest.fixture(scope="module")
def seen():
    found = {}
    for name in ("glass01", "Znim2-ABW"):
        model = peers.of_structures([name])
        found[name] = experiment.model(model.frames, model.symbols)
    return found


def test_published_and_recomputed_curves_lie_on_each_other(cold):
    choices = {"right": experiment.TRANSFORM, "step": Transform(23.3625)}
    top, bottom = plots_of_scattering.transforms(cold, choices).axes
    np.testing.assert_array_equal(top.lines[0].get_ydata(), cold.F)
    measured, right, shifted, step = (line.get_ydata() for line in bottom.lines)
    assert np.abs(measured - right).max() < 0.02 < np.abs(shifted - step).max()


def test_every_temperature_is_drawn():
    glass = experiment.heated_glass()
    assert len(plots_of_scattering.on_heating(glass).lines) == 16
    table = experiment.first_peaks(glass)
    assert table["ratio"].iloc[0] == 1
    # what makes all of F and D smaller leaves the ratio as it is
    import dataclasses

    weaker = np.linspace(1, 0.3, 16)[:, None]
    less = dataclasses.replace(glass, F=glass.F * weaker, D=glass.D * weaker)
    np.testing.assert_allclose(experiment.first_peaks(less)["ratio"], table["ratio"])
    panels = plots_of_scattering.first_peaks(table).axes
    assert [panel.get_ylabel()[:5] for panel in panels] == ["posit", "heigh", "width"]
    np.testing.assert_array_equal(panels[1].lines[0].get_ydata(), table["ratio"])


def test_models_are_dotted_beyond_half_their_cell(cold, seen):
    ax = plots_of_scattering.pair_distributions(cold, seen)
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert len(dotted) == 2
    ends = sorted(line.get_xdata()[0] for line in dotted)
    halves = sorted(one.half_cell_A for one in seen.values())
    np.testing.assert_allclose(ends, halves, atol=0.021)
    assert sum("R_w" in text.get_text() for text in ax.texts) == 2
    assert len(plots_of_scattering.structure_factors(cold, seen).lines) == 4


def test_parts_are_named_and_the_largest_first(cold, seen):
    figure = plots_of_scattering.parts(seen["glass01"], cold, largest=3)
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert labels[0] == "Zn–N" and len(labels) == 3


def test_routes_and_densities():
    Q = np.arange(1.0, 3, 0.1)
    ax = plots_of_scattering.routes(Q, {"vectors": Q, "distances": Q}, "F(Q)")
    assert [line.get_linestyle() for line in ax.lines] == ["None", "-"]
    assert plots_of_scattering.down_and_up({}).texts[0].get_text() == "not computed yet"
    table = pd.DataFrame({"target_temperature_K": Q, "density_g_cm3": Q})
    assert len(plots_of_scattering.down_and_up({"quench": table}).lines) >= 1
    assert plt.get_backend().lower() == "agg"


def test_all_routes_agree_at_large_Q():
    model = peers.of_structures(["glass01"])
    Q = np.arange(4.0, 9, 0.5)
    found = experiment.routes(model.frames, model.symbols, Q, ends=(15,))
    assert list(found) == [
        "vectors",
        "distances to half the cell",
        "distances to 15 Å, with images",
    ]
    np.testing.assert_allclose(found["vectors"], found["distances to 15 Å, with images"], atol=0.06)
