"""The verdicts of chapter 3: each follows from its numbers, whatever they are."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.observables.activation import Activation
from helpers.observables.event_rates import Arrhenius
from helpers.observables.pmf import FreeEnergyLine
from helpers.report import claims_on_bonds as claims


def run(exploded="", heated=True):
    return SimpleNamespace(
        name="test-20Kps",
        exploded=exploded,
        recipe=SimpleNamespace(temperature_start_K=300.0, temperature_end_K=2100.0),
        trajectory=SimpleNamespace(temperatures_K=np.array([300.0, 900.0 if heated else 300.0])),
    )


class Compared(SimpleNamespace):
    def __bool__(self):
        return not self.why_not


AT_1200 = Compared(name="ATP", temperature_K=1200.0, why_not="")
NOT = Compared(name="ATP", temperature_K=np.nan, why_not="1 of 14 frames has its temperature")


def distances(bonds=(5.0, 5.0), beyond=(5.0, 5.0), pairs=((5.0, 5.0), (5.0, 5.0))):
    """(R, noise) of the total in both ranges, and of two pairs over the whole range."""
    rows = [{"pair": "total", "R, bonds": bonds[0], "noise, bonds": bonds[1],
             "R, beyond": beyond[0], "noise, beyond": beyond[1],
             "R, all": beyond[0], "noise, all": beyond[1]}]  # fmt: skip
    names = ("Zn–N", "C–C")
    rows += [
        {"pair": n, "R, all": R, "noise, all": e} for n, (R, e) in zip(names, pairs, strict=True)
    ]
    return pd.DataFrame(rows)


def test_fate_of_the_run():
    assert "no DPMD-Test potential" in claims.fate(None)
    assert claims.fate(run()) == "DPMD-Test reached 2100 K (test-20Kps)."
    assert claims.fate(run("too hot; more words")) == "DPMD-Test did not survive: too hot."


def held(exploded="", steps=10_000):
    recipe = SimpleNamespace(temperature_start_K=300.0, total_steps=10_000, timestep_fs=1.0)
    return SimpleNamespace(exploded=exploded, steps=steps, recipe=recipe)


def test_the_freedom_of_the_volume_is_to_blame_where_runs_without_it_hold():
    assert claims.at_constant_volume([]) == ""
    assert "2 of 2 runs hold for 10 ps" in claims.at_constant_volume([held(), held()])
    one = claims.at_constant_volume([held("x: y", 900)])
    assert "1 of 1 runs leave physics after 0.9 ps (y); one run does not say how often" in one
    dead = [held("step 1500: C-C at 0.9 A, nearer than", 1500), held("x: y", 3200)]
    said = claims.at_constant_volume(dead)
    assert "2 of 2 runs leave physics after 1.5 and 3.2 ps (C-C at 0.9 A): it is not" in said
    assert "1 of 2 runs leave physics after 1.5 ps (C-C at 0.9 A); the others hold for 10 ps" in (
        claims.at_constant_volume([held(), dead[0]])
    )


def test_a_potential_of_as_many_steps_is_set_beside():
    table = pd.DataFrame({"potential": ["a", "b", "test", "c"], "steps": [10, 50, 60, 100],
                          "force_rmse_eV_per_A": [0.3, 0.1, 0.2, 0.05]})  # fmt: skip
    said = claims.beside_generation(table, "test")
    assert "off by 0.200 eV/Å at 300 K, 2.0 times as far as `b`" in said and "after 50" in said
    assert claims.beside_generation(table[2:], "test") == ""


def test_frames_of_300_K_alone_beside_frames_of_all_temperatures():
    table = pd.DataFrame({"name": ["all", "cold"], "steps": [3000, 3000], "300 K": [0.35, 0.40]})
    said = claims.frames_or_steps(table, "all", "cold", "300 K")
    assert "0.400 eV/Å after frames of 300 K alone and 0.350" in said and "no lower" in said
    table["300 K"] = [0.35, 0.30]
    assert ": lower where" in claims.frames_or_steps(table, "all", "cold", "300 K")
    assert claims.frames_or_steps(table, "all", "x", "300 K") == ""


@pytest.mark.parametrize(
    "bonds, beyond, verdict",
    [
        ((5.0, 5.0), (30.0, 3.0), "agrees"),  # bonds within noise, the rest not
        ((12.0, 5.0), (30.0, 3.0), "agrees"),  # bonds off, the rest far more
        ((25.0, 5.0), (30.0, 3.0), "not confirmed, since its bonds are wrong, too"),
        ((5.0, 5.0), (5.0, 5.0), "not confirmed, since its medium range is within the noise"),
    ],
)
def test_bonds_right_rest_wrong(bonds, beyond, verdict):
    found = claims.bonds_right_rest_wrong(run(), AT_1200, distances(bonds, beyond))
    assert found.verdict == verdict and found.here.startswith("at 1200 K")
    cold = Compared(name="ATP", temperature_K=300.0, why_not="")
    none = claims.bonds_right_rest_wrong(run("too hot"), cold, distances(bonds, beyond))
    assert none.verdict.startswith("cannot be compared, since its run exploded before the 1200 K")
    early = claims.bonds_right_rest_wrong(run("too hot"), AT_1200, distances(bonds, beyond))
    assert early.verdict == verdict and early.here.startswith("until its run exploded, at 1200 K")


def test_one_snapshot_has_no_noise():
    found = claims.bonds_right_rest_wrong(run(), AT_1200, distances((15.0, np.nan), (8.0, np.nan)))
    assert found.verdict.startswith("cannot tell, since one snapshot")
    assert "nan" not in found.here and "noise unknown" in found.here


def test_a_run_that_lost_its_temperature_is_not_judged():
    found = claims.bonds_right_rest_wrong(run("too hot", heated=False), NOT, None)
    assert found.verdict.startswith("cannot be tested")
    assert "unstable already at 300 K, before any heating" in found.here
    assert "unstable" not in claims.bonds_right_rest_wrong(run("too hot"), NOT, None).here
    assert claims.bonds_right_rest_wrong(None, NOT, None).verdict.startswith("not tested")


def test_errors_where_it_was_trained():
    errors = pd.DataFrame({"test": [0.2, 0.5], "atp": [0.05, 0.1]}, index=["cold", "hot"])
    found = claims.where_it_was_trained(errors, 99, "test", "atp")
    assert found.verdict == "its force error is 0.20 eV/Å on cold, 4.0 times ATP's"
    assert "99 frames" in found.here and len(found.numbers) == 4
    alone = claims.where_it_was_trained(errors[["test"]], 99, "test", "atp")
    assert alone.verdict == "its force error is 0.20 eV/Å on cold"
    assert "not judged" in claims.where_it_was_trained(pd.DataFrame(), 0, "test", "atp").verdict


@pytest.mark.parametrize(
    "pairs, verdict",
    [
        (((5.0, 5.0), (9.0, 5.0)), "no difference seen"),
        (((5.0, 5.0), (11.0, 5.0)), "1 of 2 pairs differ"),
        (((5.0, 5.0), (9.0, np.nan)), "cannot tell"),
    ],
)
def test_nearly_identical(pairs, verdict):
    assert claims.nearly_identical(AT_1200, distances(pairs=pairs)).verdict.startswith(verdict)
    assert claims.nearly_identical(NOT, None).verdict == "not tested"


def test_partial_melting():
    found = claims.partial_melting({1000.0: 0, 1200.0: 2}, {1000.0: 40, 1200.0: 42})
    assert found.verdict == "pairs between the peaks from 1200 K on"
    assert found.here == "2 pairs in 42 snapshots there."
    hotter = claims.partial_melting({1200.0: 1, 2000.0: 36}, {1200.0: 25, 2000.0: 25})
    assert hotter.here == "1 pair in 25 snapshots there, 36 in 25 at 2000 K."
    assert (
        "no pair between the peaks up to 900 K"
        in claims.partial_melting({900.0: 0}, {900.0: 9}).verdict
    )


def barriers(dF=np.nan, error=np.nan, bound=np.nan, line=None, T=1800.0):
    table = {
        "temperature_K": [T],
        "dF_kJ_mol": dF,
        "error_kJ_mol": error,
        "lower_bound_kJ_mol": bound,
    }
    return Activation(pd.DataFrame(table), line)


def both(one, other=None):
    """The same or two barriers in the two conventions."""
    return {"this book, g(r)": one, "this book, 4πr²g(r)": one if other is None else other}


@pytest.mark.parametrize(
    "found, verdict, words",
    [
        (both(barriers(86.8, 7.6, 75.0), barriers(76.8, 7.6, 65.0)),
         "4.3 by g(r), 3.0 by 4πr²g(r) standard errors apart, more than", "86.8 ± 7.6 by g(r)"),
        (both(barriers(86.8, 7.6, 75.0), barriers(60.0, 7.6, 50.0)),
         "cannot tell: 4.3 by g(r), 0.8 by 4πr²g(r) standard errors apart, and the paper",
         "86.8 ± 7.6 by g(r), 60.0 ± 7.6 by"),
        (both(barriers(60.0, 7.6, 50.0)), "0.8 by g(r), 0.8 by 4πr²g(r) standard errors apart, not",
         "60.0 ± 7.6 by g(r)"),
        (both(barriers(bound=75.0)), "our bounds are above it", "> 75 (95 %) by g(r)"),
        (both(barriers(bound=75.0), barriers(bound=50.0)),
         "cannot tell: our bound is above it by g(r) only", "> 75 (95 %) by g(r)"),
        (both(barriers(bound=40.0)), "our bounds do not exclude it", "> 40 (95 %) by g(r)"),
        (both(barriers(80.0, 5.0, 70.0, T=1500.0)), "not tested", "not determined by g(r)"),
    ],
)  # fmt: skip
def test_the_barrier_at_1800_K(found, verdict, words):
    said = claims.barrier(found)
    assert said.verdict.startswith(verdict) and said.here.startswith(words)


def test_bounds_beside_the_line_of_the_paper():
    """Its line is 163.1 - 1.8 * 60.7 = 53.8 kJ/mol at 1800 K."""
    high, low, none = barriers(bound=60.0), barriers(bound=50.0), barriers()
    said = claims.barriers_beside_line(both(high))
    assert said.verdict == "our bounds lie above the paper's line at 1800 K"
    said = claims.barriers_beside_line(both(low))
    assert said.verdict == "our bounds are nowhere above the paper's line"
    mixed = claims.barriers_beside_line(both(high, low))
    assert mixed.verdict.startswith("cannot tell, since the two conventions do not agree")
    assert mixed.here.endswith("at 1800 K by g(r), no temperature by 4πr²g(r).")
    assert "cannot tell" in claims.barriers_beside_line(both(none)).verdict


def line_at(dU, dS, dU_error=5.0, dS_error=3.0, correlation=0.9):
    """A line with resampled ones whose energy and entropy err together."""
    off = np.array([[1, correlation], [correlation, 1]])
    off = np.random.default_rng(1).multivariate_normal([0, 0], off, 2000)
    samples = np.array([dU, dS / 1000]) + off * [dU_error, dS_error / 1000]
    return FreeEnergyLine(dU, dS, dU_error, dS_error, np.cov(samples.T), 3, samples)


def test_activation_line():
    assert claims.activation_line(both(barriers(80.0, 5.0, 70.0))).verdict == "not determined"
    near = barriers(80.0, 5.0, 70.0, line=line_at(160.0, 59.0))
    found = claims.activation_line(both(near))
    assert found.verdict == "the paper's line lies inside of our 95 % region"
    # 1.6 errors of each, but in opposite directions, where they err in the same one
    far = barriers(80.0, 5.0, 70.0, line=line_at(155.0, 65.5))
    found = claims.activation_line(both(far))
    assert found.verdict == "the paper's line lies outside of our 95 % region"
    assert float(found.numbers[0].here) < 1e-3
    mixed = claims.activation_line(both(near, far))
    assert mixed.verdict.startswith("cannot tell, since the two conventions do not agree")
    melted = Activation(far.barriers, None, "few moved on here, most there")
    assert claims.activation_line(both(melted)).here == "few moved on here, most there."


def flow(exponent, msd):
    return pd.DataFrame(
        {"temperature_K": [1800.0, 2000.0], "element": ["Zn", "Zn"], "exponent": [0.1, exponent],
         "msd_A2": [0.5, msd], "until_ps": 2.4}
    )  # fmt: skip


def test_flow_is_told_at_the_highest_temperature():
    assert claims.flows(flow(0.95, 9.0), 100.0).verdict == "Zn diffuses"
    for no in (flow(0.3, 9.0), flow(0.95, 0.5)):
        assert claims.flows(no, 100.0).verdict.startswith("no diffusion")
    assert "no window of 100 K" in claims.flows(flow(1, 1).iloc[:0], 100.0).here


@pytest.mark.parametrize(
    "found",
    [
        claims.bonds_right_rest_wrong(run("too hot", heated=False), NOT, None),
        claims.nearly_identical(AT_1200, distances()),
        claims.partial_melting({1000.0: 0, 1200.0: 2}, {1000.0: 40, 1200.0: 42}),
        claims.barrier(both(barriers(86.8, 7.6, 75.0))),
        claims.barriers_beside_line(both(barriers(bound=60.0))),
        claims.activation_line(both(barriers())),
        claims.flows(flow(0.3, 9.0), 100.0),
    ],
    ids=lambda found: found.claim,
)
def test_a_verdict_is_three_sentences(found):
    text = str(found).replace("**", "").replace("Figs. ", "").replace("Fig. ", "")
    assert len(re.findall(r"[.?!](?= [A-Z]|$)", text)) == 3, text


def law(E, error):
    """An Arrhenius law of which only energy and error are read."""
    return Arrhenius(E, error, 1.0, 40, 0.0, 0.0, np.eye(2))


PER_TIME = pd.DataFrame({
    "temperature_K": [1400.0, 1600.0, 1800.0, 2000.0], "exposure_ns": [6.360, 6.326, 5.933, 5.605],
    "broken": [18, 55, 228, 444], "exchanged": [2, 4, 121, 313],
})  # fmt: skip


def test_held_at_one_temperature_the_energies_stand_beside_table_2():
    found = both(barriers(60.0, 7.6, 50.0, line=line_at(160.0, 60.0)))
    laws = {"break": law(112.0, 10.0), "exchange": law(150.0, 20.0)}
    first, second = claims.held(found, laws, {}, (80.0, 5.0), PER_TIME)
    assert first.claim.endswith("held at one temperature") and "inside" in first.verdict
    assert second.verdict.startswith("3 of 3 are determined; the energy of breaking and ΔU‡")
    assert second.verdict.endswith("apart by more than chance")  # 48 of 11 kJ/mol
    assert "112 ± 10 kJ/mol (95 %: 92 to 132)" in second.here
    numbers = {one.quantity: one.here for one in second.numbers}
    assert "p = 0.019" in numbers["one law for all temperatures, break"]
    assert numbers["break, 1600 to 1800 K alone, untested"] == "178 ± 18"
    unknown = np.nan, np.nan
    same = claims.held(found, laws | {"break": law(150.0, 10.0)}, {}, unknown, PER_TIME)[1]
    assert same.verdict.startswith("2 of 3 are determined; the energy of breaking")
    assert same.verdict.endswith("are not distinguished")
    apart = dict.fromkeys(("break", "exchange"), "few moved on here, most there")
    none_of = claims.held(both(barriers(bound=40.0)), {}, apart, unknown, PER_TIME)
    assert none_of[0].verdict == "not determined" and none_of[1].verdict.startswith("0 of 3")
    assert none_of[1].here.startswith("break and exchange not determined, few moved on here")
    (none,) = claims.held({}, {}, {}, unknown, pd.DataFrame())
    assert none.verdict == "not computed, since no run is held"
    for one in (first, second, none):
        text = str(one).replace("**", "")
        assert len(re.findall(r"[.?!](?= [A-Z]|$)", text)) == 3, text
