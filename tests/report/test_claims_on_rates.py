"""The verdicts that are made from the table of all runs, for tables whose truth is known."""

import re

import numpy as np
import pandas as pd
import pytest

from helpers.observables import run_table
from helpers.observables.cell_shape import Departure
from helpers.recipes import outcomes
from helpers.report import claims_on_rates

COLUMNS = [*outcomes.ABOUT, *run_table.COLUMNS]


def run(rate, Tf=None, *, seen=0.95, drop=0.13, seed=1, **more):
    """A row: the density falls within 40 K from Tf on, or not, with this power for all falls."""
    row = {
        "name": f"{rate:g}-{seed}", "n_atoms": 272, "coupling": "iso",
        "rate_K_per_ps": rate, "seed": seed,
        "unsettled": "", "pressure_bar": 0.0, "low_K": 300.0, "high_K": 2100.0, "frame_K": 2.0,
        "seen_5": seen / 2, "seen_10": seen, "seen_13": seen, "false_alarms": 0.0, "returns": 0.0,
        "melt_above_K": 2100.0, "first_break_above_K": 2100.0, "first_exchange_above_K": 2100.0,
        "lowest_density": 0.95,
    }  # fmt: skip
    if Tf is not None:
        row |= {"Tf_K": Tf, "Tf_error_K": 20.0, "fallen_K": Tf + 40, "drop": drop,
                "moved_at_fall": 0.0, "moved_at_end": 0.1}  # fmt: skip
    elif seen >= 0.8:
        row["Tf_above_K"] = 1800.0
    return row | more


def table(*rows):
    return pd.DataFrame(list(rows), columns=COLUMNS)


def seeds(rate, *Tf, **more):
    return [run(rate, T, seed=k, **more) for k, T in enumerate(Tf, 1)]


def larger(*rows):
    """The same again in a cell of another size, as what is said of the crystal needs it."""
    return table(*[row | {"n_atoms": 2176} for row in rows])


SLOW = [*seeds(20.0, 1140, 1160, 1150, 1170), *seeds(4.0, 1060, 1080, 1070, 1050)]
TWO_CELLS = [*SLOW[:6], *[row | {"n_atoms": 2176} for row in SLOW[6:]]]


@pytest.mark.parametrize(
    "rows, verdict",
    [
        ([], "cannot tell, since no run counts"),
        (seeds(400.0, None, None, seen=0.1), "cannot tell, since a fall of 10 % would have been"),
        (seeds(20.0, None, None), "no fall at any rate, though one of 10 % would have been found"),
        (seeds(20.0, 1150, 1160), "cannot tell, since one rate counts"),
        (
            SLOW,
            "does not agree, heating as fast as the paper's first-principles MD (20 K/ps) or "
            "faster shows a fall, too: 4 of 4 runs at 20 K/ps",
        ),
        # one seed of the fastest rate is no rate, and 10 K/ps is not fast
        ([*SLOW, *seeds(100.0, 1230, None)], "cannot tell, since the fastest rate of this page"),
        ([*SLOW[4:], *seeds(10.0, 1100, 1110)], "cannot tell, since the fastest rate of this page"),
        # the shipped runs of old: what fast runs do not show they could not have shown
        ([*SLOW, *seeds(400.0, None, None, seen=0.2)], "cannot tell, since faster runs are too"),
        ([*SLOW, *seeds(400.0, None, None)], "agrees in kind, 20 K/ps and slower show a fall, 400"),
        ([run(20.0, 1150), run(400.0)], "cannot tell, since so few runs may differ by chance"),
    ],
)
def test_slow_heating_only_needs_power_at_fast_heating(rows, verdict):
    found = claims_on_rates.slow_heating(table(*rows), larger(*rows))
    assert found.verdict.startswith(verdict)


def test_the_power_is_that_for_a_fall_of_the_size_that_is_seen():
    fast = seeds(400.0, None, None, seen_13=0.2)
    large = claims_on_rates.slow_heating(table(*SLOW, *fast))
    assert "400 K/ps a fall of 13 % would be found in 20 % of the cases" in large.here
    small = [row | {"drop": 0.11} for row in SLOW]
    found = claims_on_rates.slow_heating(table(*small, *fast), larger(*small))
    assert found.verdict.startswith("agrees")


@pytest.mark.parametrize(
    "rows, verdict",
    [
        ([*SLOW, *seeds(100.0, 1230, 1240, 1250)], "agrees"),
        ([*seeds(20.0, 1070, 1060), *seeds(4.0, 1150, 1140), *seeds(1.0, 1230, 1240)],
         "does not agree, it rises"),
        ([*seeds(20.0, 1070, 1270), *seeds(4.0, 1050, 1290), *seeds(1.0, 1170, 1190)],
         "cannot tell, the change may be chance"),
        (SLOW, "cannot tell, since four falls at three rates are needed"),
        ([], "cannot tell"),
        # censored seeds are no low ones: all that fall at 100 K/ps lies above 1800 K
        ([*SLOW, run(100.0, 1750), *seeds(100.0, None, None, None)], "agrees"),
    ],
)  # fmt: skip
def test_the_trend_with_the_rate(rows, verdict):
    found = claims_on_rates.rate_dependence(table(*rows), larger(*rows))
    assert found.verdict.startswith(verdict)


def test_the_density_of_all_runs_stands_beside_the_trend_of_those_that_fall():
    rows = [*seeds(100.0, 1230, None), *seeds(20.0, None, 1150), *seeds(4.0, None, None, 1050)]
    rows = [row | {"middle_density": 1 + 0.03 * np.log10(row["rate_K_per_ps"])} for row in rows]
    number = claims_on_rates.rate_dependence(table(*rows)).numbers[-1]
    assert "all 7 runs" in number.quantity and number.here.startswith("+0.030 ± 0.000")
    two = claims_on_rates.rate_dependence(table(*rows[:4]))
    assert not any("mean density from" in number.quantity for number in two.numbers)


OPEN = "cannot tell for the crystal, since "
ONE_CELL = f"{OPEN}only one cell (272 atoms, isotropic) has two runs that can tell"


@pytest.mark.parametrize(
    "others, verdict",
    [
        ([], ONE_CELL),
        ([run(20.0, 1150, n_atoms=2176)], ONE_CELL),
        # a seed that could not have shown a fall, or was not in equilibrium before, tells nothing
        ([run(20.0, 1150, n_atoms=2176), run(20.0, n_atoms=2176, seen=0.1)], ONE_CELL),
        (seeds(20.0, 1150, 1160, n_atoms=2176, unsettled="it swings"), ONE_CELL),
        (seeds(20.0, None, None, n_atoms=2176), f"{OPEN}the density falls in 8 of 8 runs of 272 "
         "atoms, isotropic and in 0 of 2 runs of 2176 atoms, isotropic"),
        (seeds(20.0, 1150, 1160, n_atoms=2176), "a low density"),
        (seeds(20.0, 1150, 1160, coupling="aniso"), "a low density"),
    ],
)  # fmt: skip
def test_what_is_said_of_the_crystal_needs_two_seeds_of_two_cells(others, verdict):
    found = claims_on_rates.low_density(table(*SLOW, *others))
    assert found.verdict.startswith(verdict)
    assert "a low density appears in" in (found.here if verdict.startswith(OPEN) else found.verdict)
    of_rates = [
        claims_on_rates.slow_heating(table(*SLOW, *seeds(400.0, None, None)), table(*others)),
        claims_on_rates.rate_dependence(table(*SLOW, *seeds(100.0, 1230, 1240)), table(*others)),
        claims_on_rates.exchange(table(*SLOW, *others)),
    ]
    opened = verdict.startswith(OPEN)
    assert [one.verdict.startswith(OPEN) for one in of_rates] == [opened] * 3


def large(rate, *Tf, **more):
    return seeds(rate, *Tf, n_atoms=2176, **more)


@pytest.mark.parametrize(
    "rows, verdict",
    [
        (SLOW, "cannot tell, since no larger cell"),
        ([*SLOW, *large(20.0, None)], "cannot tell, since there is one run of 2176 atoms"),
        ([*SLOW, *large(20.0, None, None)], "the fall of the smaller cell is not there in the"),
        ([*SLOW, *large(20.0, 1200, 1210)], "the fall survives in the larger cell"),
        ([*seeds(20.0, None, None, seen=0.3), *large(20.0, 1200, 1210)],
         "cannot tell, since in cells of 272 atoms noise hides a fall of 10 % in 70 % of"),
        ([*seeds(20.0, None, None), *large(20.0, 1200, 1210)], "the larger cell falls"),
        ([*seeds(20.0, None, None), *large(20.0, None, None)], "no fall at either size"),
    ],
)  # fmt: skip
def test_sizes_are_compared_where_both_could_have_told(rows, verdict):
    assert claims_on_rates.size(table(*rows)).verdict.startswith(verdict)


def test_what_a_larger_cell_would_have_shown_is_said():
    said = claims_on_rates.size(table(*SLOW, *large(20.0, None)))
    assert "4 of 4 runs of 272 atoms and in 0 of 1 runs of 2176 atoms (a fall of" in said.here
    both = claims_on_rates.size(table(*SLOW, *large(20.0, 1200, 1210)))
    change = next(n for n in both.numbers if n.quantity.startswith("change of Tf"))
    # means 1155 and 1205; errors 20/2 and 6.45 (scatter of 12.9), 20/sqrt(2) and 5
    assert change.here == f"50 ± {np.sqrt(100 + 41.7 + 200 + 25):.0f}"


def under(bar, *Tf, **more):
    return seeds(20.0, *Tf, pressure_bar=bar, **more)


@pytest.mark.parametrize(
    "rows, verdict",
    [
        ([*under(-1000, 1100, 1110), *under(0, None, None)], "the low-density phase is an error"),
        ([*under(-1000, 1100, 1110), *under(0, 1400, None)], "not an error of pressure alone"),
        ([*under(-1000, 1100, 1110), *under(0, None, None, seen=0.5)], "cannot tell, since runs w"),
        ([*under(-1000, 1100, None), *under(0, None, None)], "cannot tell, since 1 of 2 runs"),
        ([*under(-1000, None, None), *under(0, None, None)], "cannot tell, since no fall is found"),
        ([*under(-1000, 1100), *under(0, None)], "cannot tell, since two runs at 0 and near"),
        (under(0, None, None), "cannot tell, since runs at 0 and near -0.14 GPa are needed"),
        ([], "cannot tell"),
    ],
)
def test_an_error_of_pressure_needs_a_fall_with_it_and_none_without(rows, verdict):
    assert claims_on_rates.pressure(table(*rows), -0.14).verdict.startswith(verdict)


def test_one_run_of_a_third_size_does_not_hide_what_two_sizes_tell():
    both = [*SLOW, *large(20.0, 1200, 1210)]
    third = run(20.0, 1190, n_atoms=7344, low_K=900.0)
    said = claims_on_rates.size(table(*both, third))
    assert said.verdict == claims_on_rates.size(table(*both)).verdict
    assert any("7344 atoms that fall at 20 K/ps" in number.quantity for number in said.numbers)
    assert "one run of 7344" in claims_on_rates.size(table(*SLOW, third)).verdict


def dense(bar, *densities, **more):
    rows = under(bar, *[None] * len(densities), **more)
    return [row | {"start_density": rho, "start_error": 0.004}
            for row, rho in zip(rows, densities, strict=True)]  # fmt: skip


def test_the_pressure_that_gives_the_density_of_the_paper():
    """1.00 at -0.1 GPa and 0.93 at -0.2: 0.95 at -0.171, with the error of the densities."""
    low = [row | {"Tf_K": 800.0} for row in dense(-2000, 0.92, 0.94)]
    scan = [*dense(0, 1.2, 1.2), *dense(-1000, 1.0, 1.0), *low]
    said = claims_on_rates.offset(table(*scan))
    # between 1.00 and 0.93; error sqrt(0.01^2 + 0.0028^2) / sqrt 2 over 0.7 g/cm3 per GPa
    assert said.verdict.startswith("-0.171 ± 0.010 GPa; at -0.2 GPa the density falls at 800 ± 0 K")
    assert "20 K/ps, not at 1 K/ps" in said.here and len(said.numbers) == 3
    jump = claims_on_rates.offset(table(*dense(0, 1.2), *dense(-1000, 0.85)))
    assert jump.verdict.startswith("between -0.1 and 0 GPa, where the density jumps")
    none = claims_on_rates.offset(table(*dense(0, 1.2), *dense(1000, 1.25)))
    assert none.verdict == "none between 0 and 0.1 GPa, the density is above it at all"
    assert claims_on_rates.offset(table()).verdict.startswith("cannot tell, since two pressures")


AWAY = Departure(1000.0, "b/c", 0.04, 5.0)


@pytest.mark.parametrize(
    "other, verdict",
    [
        (seeds(20.0, 1150, 1160), "anisotropic: the fall is there, too"),
        (seeds(20.0, 1150), "anisotropic: the fall is there, too (one run)"),
        (seeds(20.0, None), "anisotropic: cannot tell, since they differ and there is one run"),
        (seeds(20.0, None, None), "anisotropic: isotropy makes the fall"),
        (seeds(20.0, None, None, seen=0.3), "anisotropic: cannot tell, since noise hides a fall"),
        (seeds(4.0, 1150, 1160), "cannot tell, since no cell of another shape"),
    ],
)
def test_shapes_are_compared_where_both_could_have_told(other, verdict):
    rows = [row | {"coupling": "aniso"} for row in other]
    said = claims_on_rates.shape(table(*SLOW[:4], *rows), {"shape-1": AWAY})
    assert said.verdict == verdict or said.verdict.startswith(verdict)
    assert any(number.here == "b/c by +4.0 % at 1000 K" for number in said.numbers)


def test_isotropy_may_hide_the_fall():
    free = [row | {"coupling": "tri"} for row in seeds(20.0, 1150, 1160)]
    said = claims_on_rates.shape(table(*seeds(20.0, None, None), *free))
    assert said.verdict == "triclinic: isotropy hides the fall"


def cooled(heated, Tf, density, error=20.0):
    below = {"cooled_Tf_K": Tf, "cooled_Tf_error_K": error, "cooled_first_density": density}
    return heated | {"first_density": 1.2} | below


def pairs(*rows):
    columns = [*COLUMNS, *(f"cooled_{name}" for name in run_table.COLUMNS)]
    return pd.DataFrame(list(rows), columns=columns)


@pytest.mark.parametrize(
    "rows, verdict",
    [
        ([], "cannot tell, since no run that counts is cooled back"),
        ([cooled(run(20.0, 1150), 1130, 1.2)] * 2, "reversible in 2 of 2 that fell"),
        ([cooled(run(20.0, 1150), 1130, 1.2)], "cannot tell from a single run; reversible in 1"),
        ([cooled(run(20.0, 1150), 900, 1.2)] * 2, "all 2 that fell close again, at another temper"),
        ([cooled(run(20.0, 1150), np.nan, 0.95)] * 2, "not reversible at this rate, 2 of 2 that"),
        ([cooled(run(20.0), np.nan, 1.2)] * 2, "nothing to reverse, none of 2 heated runs falls"),
        ([cooled(run(20.0, 1150), 1140, 1.2), cooled(run(20.0, 1150), np.nan, 0.9)],
         "1 of 2 that fell comes back"),
        ([cooled(run(20.0, 1150), np.nan, 1.2), cooled(run(20.0), np.nan, 1.2)],
         "cannot tell from a single run that fell; 1 of 1 that fell comes back"),
    ],
)  # fmt: skip
def test_what_opened_closes_or_stays_open(rows, verdict):
    assert claims_on_rates.reversible(pairs(*rows)).verdict.startswith(verdict)


def test_the_hysteresis_has_an_error():
    found = claims_on_rates.reversible(pairs(*[cooled(run(20.0, 1150), 900, 1.2)] * 2))
    assert f"-250 ± {20 * 2**0.5:.0f} K" in found.verdict


def test_a_low_density_and_how_many_seeds_melt():
    said = claims_on_rates.low_density(table(*TWO_CELLS))
    assert said.verdict == (
        "a low density appears in 8 of 8 runs; no melting follows up to the end of the runs "
        "(2100 K)"
    )
    assert "begins at 1050 to 1170 K, ends at 1090 to 1210 K" in said.here
    blind = table(*TWO_CELLS, TWO_CELLS[0] | {"Tf_K": np.nan, "Tf_above_K": np.nan})
    assert claims_on_rates.low_density(blind).verdict.startswith(
        "a low density appears in 8 of 9 runs (1 cannot tell); "
    )
    one = table(*TWO_CELLS[1:], TWO_CELLS[0] | {"melt_K": 2086.0, "melt_above_K": np.nan})
    assert claims_on_rates.low_density(one).verdict == (
        "agrees, a low density appears in 8 of 8 runs; Zn leave their sites, as on melting, later "
        "in 1 of them, at 2086 K"
    )
    # more than half of all seeds, and not of those that can tell alone
    half = [run(100.0, seen=0.1, seed=k) for k in range(8)]
    assert not claims_on_rates.low_density(pd.concat([one, table(*half)])).verdict.startswith("ag")
    molten = table(*TWO_CELLS[1:], TWO_CELLS[0] | {"moved_at_end": 0.6})
    said = claims_on_rates.low_density(molten)
    assert [n.here for n in said.numbers if "a melt, as chapter 6" in n.quantity] == [1]
    first = table(*TWO_CELLS[1:], TWO_CELLS[0] | {"melt_K": 900.0, "melt_above_K": np.nan})
    assert "no melting follows up to" in claims_on_rates.low_density(first).verdict
    mixed = claims_on_rates.low_density(table(*SLOW, run(50.0), run(400.0, seen=0.1)))
    assert "8 of 10 runs (1 without one, 1 cannot tell)" in mixed.here
    for rows, verdict in (
        ([], "cannot tell, since no run shows a fall, nor"),
        (SLOW[:1], "cannot tell from a single run"),
        ([*seeds(20.0, None, None), *large(20.0, None, None)], "no low-density state, though"),
    ):  # fmt: skip
        assert claims_on_rates.low_density(table(*rows)).verdict.startswith(verdict)


def test_a_slow_descent_says_how_low_it_came():
    """DPMD-20K: neither a fall nor the absence of one, and 1.0 g/cm3."""
    slow = run(20.0) | {"Tf_K": np.nan, "Tf_above_K": np.nan, "lowest_density": 0.998}
    found = claims_on_rates.low_density(table(slow))
    assert found.verdict == "cannot tell, since no run shows a fall, nor that there is none"
    assert found.here.endswith("no fall by the rule; the lowest density is 0.998 g/cm³.")


def at(breaks, exchanges=None):
    """Changes of a row: temperatures of its first break and exchange."""
    found = {"first_break_K": breaks, "first_break_above_K": np.nan}
    if exchanges:
        found |= {"first_exchange_K": exchanges, "first_exchange_above_K": np.nan}
    return found


def moved(rows, *shares):
    """The rows with these shares of N off their Zn when the fall has ended."""
    return [row | {"moved_at_fall": x} for row, x in zip(rows, shares, strict=True)]


@pytest.mark.parametrize(
    "rows, verdict",
    [
        (TWO_CELLS, "does not agree in 8 of 8 runs, less than 5 % of the N have left their Zn"),
        (moved(TWO_CELLS, 0.2, *[0.0] * 7), "does not agree in 7 of 8 runs, less than 5 %"),
        (moved(TWO_CELLS, *[0.2] * 8), "exchange may be the cause in 8 of 8 runs, 5 % of the N"),
        # most seeds of each cell must say the same
        (moved(TWO_CELLS, *[0.0] * 6, 0.2, 0.2), f"{OPEN}ligands still hold their Zn in 6 of 6 "
         "runs of 272 atoms, isotropic and in 0 of 2 runs of 2176 atoms"),
        (SLOW, ONE_CELL),
        # four seeds of each of two cells are not five of one
        ([*SLOW[:4], *[row | {"n_atoms": 2176} for row in SLOW[4:]]], "cannot tell in general, 5"),
        (SLOW[:1], "cannot tell from a single run"),
        (seeds(20.0, None), "cannot tell, since no run that counts falls"),
    ],
)  # fmt: skip
def test_a_cause_is_there_when_its_effect_is(rows, verdict):
    said = claims_on_rates.exchange(table(*rows))
    assert said.verdict.startswith(verdict)
    assert said.here.startswith("without a fall") == ("no run that counts falls" in verdict)


def test_what_comes_first_is_said_beside():
    rows = [TWO_CELLS[0] | at(1140.0, 1145.0), *moved(TWO_CELLS[1:], *[0.0] * 6, 0.031)]
    said = claims_on_rates.exchange(table(*rows))
    assert said.here == (
        "when the fall has ended 0.0 to 3.1 % of the N have left their Zn; of 8 runs that fall the "
        "first ligand changes its Zn before the fall in 0, during it or within the errors in 1, "
        "after its end in 7; the first bond, which may close again, breaks before it in 0, during "
        "it or within the errors in 1, after its end in 7."
    )
    assert said.numbers[7].here.endswith("; 3.1")


def test_a_cell_that_tears_apart_is_no_low_density():
    torn = [row | {"lowest_density": 0.4} for row in under(-3000, 1980, 1990)]
    said = claims_on_rates.pressure(table(*under(-1000, 1100, 1110), *torn), -0.14)
    assert "0 of 2 at -0.3 GPa (2 more tear apart)" in said.here
    scan = [row | {"start_density": 1.0, "start_error": 0.01} for row in torn]
    found = claims_on_rates.offset(table(*scan, *dense(0, 1.2, 1.2)))
    assert any("no temperature that is seen" in number.here for number in found.numbers)


def test_a_run_that_was_not_in_equilibrium_enters_no_verdict():
    fast = seeds(400.0, None, None, unsettled="density: it swings")
    said = claims_on_rates.slow_heating(table(*SLOW, *fast), larger(*SLOW))
    assert said.verdict.startswith("does not agree, heating as fast")
    assert "Of 10 runs 2 were not in equilibrium before their ramp" in said.here
    assert said.numbers[-1].here.startswith("agrees in kind")  # what it would be with them


@pytest.mark.parametrize(
    "found",
    [
        claims_on_rates.slow_heating(table(*SLOW, *seeds(400.0, None, None))),
        claims_on_rates.rate_dependence(table(*SLOW, *seeds(100.0, 1230, 1240))),
        claims_on_rates.size(table(*SLOW, *large(20.0, 1200, 1210))),
        claims_on_rates.pressure(table(*under(-1000, 1100, 1110), *under(0, None, None)), -0.14),
        claims_on_rates.offset(table(*dense(0, 1.2, 1.2), *dense(-2000, 0.9, 0.9))),
        claims_on_rates.shape(table(*SLOW, *[row | {"coupling": "tri"} for row in SLOW])),
        claims_on_rates.reversible(pairs(*[cooled(run(20.0, 1150), 900, 1.2)] * 2)),
        claims_on_rates.low_density(table(*SLOW)),
        claims_on_rates.exchange(table(*SLOW)),
    ],
    ids=lambda found: found.claim,
)
def test_a_verdict_is_three_sentences_with_its_numbers_below(found):
    text = str(found).replace("**", "")
    assert len(re.findall(r"[.?!](?= [A-Z]|$)", text)) == 3, text
    assert found.numbers


def test_a_mean_or_its_lower_limit():
    rows = pd.DataFrame(
        {"mean_K": [1118.4, np.nan, 1118.4], "low_K": [1042.0, 1300.2, 1100.0],
         "high_K": [1195, np.inf, 1130.0], "scatter_K": [40.0, 40.0, np.nan]}
    )  # fmt: skip
    said = [claims_on_rates.mean_with_limits(one) for one in rows.itertuples()]
    assert said == ["1118 (1042 to 1195)", "> 1300", "1118 (scatter of runs unknown)"]
