"""What chapter 5 says of isotherms whose truth is known."""

import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from helpers import units
from helpers.observables import free_energy, perturbation
from helpers.recipes import volumes
from helpers.report import constant_volume

mpl.use("Agg")
BAR = units.EV_PER_A3_IN_BAR
V = np.linspace(14.5, 20.5, 8)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def swells(T, V0=15.5):
    """One minimum, at V0 + T / 600: 18 A^3 at 1500 K."""
    return free_energy.Isotherm(T, V, 2e-3 * (V0 + T / 600 - V) * BAR, np.full(8, 10.0))


def jumps(T):
    """Minima at 15.5 and 19.5, equally deep at 900 K."""
    x = (V - 17.5) / 2
    return free_energy.Isotherm(
        T, V, -3e-3 * (4 * x * (x**2 - 1) - 1e-3 * (T - 900)) * BAR, np.full(8, 10.0)
    )


def points(curves, **more):
    rows = [
        {"name": f"{c.temperature_K:g}-{v:g}", "n_atoms": 272, "temperature_K": c.temperature_K,
         "volume_A3": v, "density_g_cm3": 19.489 / v, "pressure_bar": p, "error_bar": e,
         "moved": 0.0, "refused": ""} | more
        for c in curves for v, p, e in zip(c.volumes_A3, c.pressures_bar, c.errors_bar, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def judged(curves, missing="", **more):
    found = {"corrected": free_energy.equilibrium(curves, 272, n_bootstrap=40)}
    return constant_volume.transition(found, points(curves, **more), missing)


def test_the_verdict_says_what_the_isotherms_are():
    T = (600, 900, 1200, 1500, 1800)
    smooth = judged([swells(t) for t in T])
    assert smooth.verdict.startswith("no jump, one minimum of G at every temperature")
    assert "passes 18 Å³ an atom at 1500 K" in smooth.verdict
    first = judged([jumps(t) for t in T])
    assert re.match(
        r"of first order, with a barrier of [\d.]+ ± [\d.]+ kT in a cell of 272 atoms; both phases "
        r"are equally deep at (89\d|90\d) ± ",
        first.verdict,
    )
    cold = judged([swells(t) for t in T[:3]])
    assert cold.verdict.startswith("not seen up to 1200 K")
    density = cold.numbers[-1]  # 19.489 / 16.5, the mean of a soft cell being a little larger
    assert density.quantity == "density at 600 K, corrected" and density.here.startswith("1.1")
    near = [swells(t).widened(30) for t in (600, 900, 1200, 1480)]
    assert re.match(r"not below 1\d\d\d K; at higher temperatures it cannot", judged(near).verdict)
    assert judged([swells(600)]).verdict == "cannot tell from 1 temperature"
    noisy = [free_energy.Isotherm(t, V, swells(t).pressures_bar, np.full(8, 3000.0)) for t in T]
    assert judged(noisy).verdict.startswith("cannot tell whether it is a jump, the pressures allow")
    none = constant_volume.transition({}, points([]), "5 of 5 runs are not computed yet")
    assert none.verdict.startswith("cannot tell") and "5 of 5 runs" in none.here
    for found in (smooth, first, cold, none):
        text = str(found).replace("**", "")
        assert len(re.findall(r"[.?!](?= [A-Z]|$)", text)) == 3, text


def test_what_the_errors_of_blocks_alone_would_say_stands_beside():
    rng, T = np.random.default_rng(8), (600, 900, 1200, 1500, 1800)
    curves = [
        free_energy.Isotherm(t, V, swells(t).pressures_bar + rng.normal(0, 50, 8), np.full(8, 10.0))
        for t in T
    ]
    before = free_energy.equilibrium(curves, 272, n_bootstrap=40)
    said = constant_volume.scatter(curves, before)
    factor = free_energy.smoothness(curves).factor
    assert 3 < factor < 7 and f", {factor:.1f} (curves of fourth degree" in said
    assert "for 20 degrees of freedom" in said and said.endswith(f"of blocks alone, {before}.")
    exact = [swells(t) for t in T]
    assert constant_volume.scatter(exact, before).endswith("errors of blocks explain the scatter.")
    wide = {"corrected": free_energy.equilibrium([c.widened(factor) for c in curves], 272)}
    found = constant_volume.transition(wide, points(curves), "", "a bias of 2", before)
    assert "a bias of 2" in found.here and "fixed shape" in found.claim
    assert found.numbers[-1].here.startswith(str(before))


def test_a_bias_is_told_in_kT_and_with_its_sign_only_where_it_is_known():
    """272 atoms, 2 meV each: 0.544 eV, 6.3 kT at 1000 K."""
    both = constant_volume.bias({"the test sets": -2.0, "frames of a": 2.0}, 272, 1000.0)
    assert "-2.0 meV/atom by the test sets (-6.3 kT" in both and both.endswith("the sign is known")
    alike = constant_volume.bias({"the test sets": 1.0, "frames of a": 2.0}, 272, 1000.0)
    assert alike.endswith("which is in no error here")
    assert constant_volume.bias({}, 272, 1000.0) == ""


def lies_denser(slope):
    """Frames of a reference whose energy rises with the volume by a slope, meV/A^3."""
    rng = np.random.default_rng(1)
    rows = [
        (f"{v}-{T}", T, v, slope * v + rng.normal(0, 0.1))
        for T in (300.0, 900.0, 1500.0) for v in V for _ in range(5)
    ]  # fmt: skip
    columns = ["name", "temperature_K", "volume_A3", "difference_meV_per_atom"]
    return pd.DataFrame(rows, columns=columns)


def test_the_step_to_the_reference_is_drawn_and_said():
    frames = lies_denser(0.5)
    shift = perturbation.shift(frames, 272, 50)
    curves = [swells(T) for T in (300, 900, 1500)]
    orders = volumes.by_order(curves, shift, 272, 0.0)
    enough = volumes.second_is_enough(orders)
    said = constant_volume.perturbed(shift, orders, enough)
    assert said.startswith("120 frames.") and "In the second order, the mean volume" in said
    assert enough and "is not used" not in said
    assert "is not used" in constant_volume.perturbed(shift, orders, False)
    ax = constant_volume.differences(frames, shift)
    line = ax.get_lines()[-1]
    slope = np.polyfit(line.get_xdata(), line.get_ydata(), 1)[0]
    assert slope == pytest.approx(0.5, abs=0.05)


def test_a_third_order_that_moves_the_transition_is_not_borne():
    still = free_energy.equilibrium([swells(T) for T in (900, 1500, 1800)], 272, n_bootstrap=40)
    other = free_energy.equilibrium([swells(T, 16.5) for T in (900, 1500)], 272, n_bootstrap=40)
    orders = {"first order": other, "second order": still, "third order, skewness +0.30": still}
    assert volumes.second_is_enough(orders)
    assert not volumes.second_is_enough(orders | {"third order, skewness -0.30": other})


def test_a_melt_is_not_taken_for_the_crystal():
    said = judged([swells(t) for t in (600, 900, 1200)], moved=0.2)
    assert "at 600, 900, 1200 K more than 5 % of the N have left their Zn" in said.verdict


def test_the_pressure_of_the_papers_density():
    """0.95 g/cm3 are 20.5 A^3: 2e-3 (15.5 + 0.5 - 20.5) eV/A^3 = -1.44 GPa."""
    curves = [swells(300), swells(600)]
    said = constant_volume.offset({"corrected": curves, "uncorrected": curves}, points(curves))
    assert said.verdict.startswith("-1.44") and said.verdict.endswith("GPa")
    assert len(said.numbers) == 2 and "20.5 Å³" in said.here
    warm = constant_volume.offset({"corrected": curves[1:]}, points(curves))
    assert warm.verdict == "cannot tell, since there is no isotherm of 300 K"


def test_tables_of_points_and_of_what_is_not_used():
    table = points([swells(300)])
    table.loc[0, "refused"], table.loc[1, "moved"] = "it drifts", 0.12
    shown = constant_volume.points(table).frame
    assert list(shown) == ["V (Å³)", "300 K"] and shown["V (Å³)"][0] == "14.5"
    assert shown["300 K"][0] == "not used" and shown["300 K"][1].endswith("(12\xa0%)")
    assert list(constant_volume.refused(table)["reason"]) == ["it drifts"]
    rows = constant_volume.equilibria(
        {"corrected": free_energy.equilibrium([swells(300, 13)], 272, n_bootstrap=9)}
    ).frame
    assert rows.iloc[0, 2].startswith("< 14.5")


def test_two_sizes_in_words():
    both = pd.DataFrame({"difference_bar": [100.0, -50.0], "error_bar": [100.0, 100.0]})
    assert constant_volume.sizes(both).endswith("no difference beyond the errors.")
    assert constant_volume.sizes(both * [10, 1]).endswith("the sizes differ.")
    assert "two sizes" in constant_volume.sizes(both.iloc[:0])


def test_figures_show_what_was_measured():
    curves = [swells(300), swells(900)]
    left, right = constant_volume.isotherms(curves, curves[:1]).axes
    assert [t.get_text() for t in left.get_legend().get_texts()][-1] == "300 K, larger cell"
    np.testing.assert_allclose(right.get_lines()[0].get_ydata()[0], 0)
    panels = constant_volume.wells({"corrected": curves, "uncorrected": curves}, 272).axes
    assert [ax.get_title() for ax in panels] == ["corrected", "uncorrected"]
    assert min(panels[0].get_lines()[0].get_ydata()) == 0
    found = {"corrected": free_energy.equilibrium([swells(300, 13), *curves], 272, n_bootstrap=9)}
    heated = pd.DataFrame({"target_temperature_K": [300, 900], "volume_A3": [16.0, 17.0]})
    ax = constant_volume.expansion(found, heated)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["corrected", "heated"]
