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


@pytest.mark.parametrize(
    "found, verdict, words",
    [
        (barriers(86.8, 7.6, 75.0), "4.3 standard errors apart, more than", "86.8 ± 7.6"),
        (barriers(60.0, 7.6, 50.0), "0.8 standard errors apart, not more than", "60.0 ± 7.6"),
        (barriers(bound=75.0), "our bound is above it", "> 75 (95 %)"),
        (barriers(bound=40.0), "our bound does not exclude it", "> 40 (95 %)"),
        (barriers(80.0, 5.0, 70.0, T=1500.0), "not tested", "not determined"),
    ],
)
def test_the_barrier_at_1800_K(found, verdict, words):
    said = claims.barrier(found)
    assert said.verdict.startswith(verdict) and said.here == f"{words} kJ/mol."


def test_bounds_beside_the_line_of_the_paper():
    """Its line is 163.1 - 1.8 * 60.7 = 53.8 kJ/mol at 1800 K."""
    assert claims.barriers_beside_line(barriers(bound=60.0)).verdict == "the barrier is higher here"
    low = claims.barriers_beside_line(barriers(bound=50.0))
    assert low.verdict == "our bounds are nowhere above the paper's line"
    assert "cannot tell" in claims.barriers_beside_line(barriers()).verdict


def test_activation_line():
    assert claims.activation_line(barriers(80.0, 5.0, 70.0)).verdict == "not determined"
    rng = np.random.default_rng(0)
    samples = np.stack([rng.normal(163.1, 5, 500), rng.normal(60.7, 3, 500)], axis=1)
    line = SimpleNamespace(
        dU=163.1, dU_error=5.0, dS=60.7, dS_error=3.0, n_points=4,
        interval=lambda T=None: [[150, 176], [55, 66]] if T is None else [[100, 120], [0, 10]],
        samples=samples,
    )  # fmt: skip
    found = claims.activation_line(barriers(80.0, 5.0, 70.0, line=line))
    assert found.verdict == "3 of the paper's four numbers lie in our 95 % intervals"
    assert "dF_1800K_kJ_per_mol" not in found.numbers[0].here
    assert FreeEnergyLine.interval  # what stands in for it has its names


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
        claims.barrier(barriers(86.8, 7.6, 75.0)),
        claims.barriers_beside_line(barriers(bound=60.0)),
        claims.activation_line(barriers()),
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


def test_held_at_one_temperature_the_energies_stand_beside_table_2():
    samples = np.random.default_rng(1).normal([160.0, 0.06], [5.0, 0.003], (400, 2))
    line = FreeEnergyLine(160.0, 60.0, 5.0, 3.0, np.diag([25.0, 9e-6]), 3, samples)
    found = barriers(60.0, 7.6, 50.0, line=line)
    laws = {"break": law(112.0, 10.0), "exchange": law(150.0, 20.0)}
    first, second = claims.held(found, laws, {}, (80.0, 5.0), [1600.0, 1800.0])
    assert first.claim.endswith("held at one temperature") and "4 of the" in first.verdict
    assert second.verdict.startswith("3 of 3 are determined; the energy of breaking and ΔU‡")
    assert second.verdict.endswith("apart by more than chance")  # 48 of 11 kJ/mol
    assert "112 ± 10 kJ/mol (95 %: 92 to 132)" in second.here and "1600, 1800 K" in second.here
    same = claims.held(found, laws | {"break": law(150.0, 10.0)}, {}, (np.nan, np.nan), [])[1]
    assert same.verdict == (
        "2 of 3 are determined; the energy of breaking and ΔU‡ of the barriers are the same "
        "within errors"
    )
    few = claims.held(barriers(bound=40.0), {}, {"break": "3 events"}, (np.nan, np.nan), [1400.0])
    assert few[0].verdict == "not determined" and "break not determined, 3 events" in few[1].here
    (none,) = claims.held(None, {}, {}, (np.nan, np.nan), [])
    assert none.verdict == "not computed, since no run is held"
    for one in (first, second, none):
        text = str(one).replace("**", "")
        assert len(re.findall(r"[.?!](?= [A-Z]|$)", text)) == 3, text
