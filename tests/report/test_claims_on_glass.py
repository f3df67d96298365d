"""What the chapter on the glass concludes, with no quench, one seed, and several."""

import re

import numpy as np
import pandas as pd
import pytest

from helpers.report import claims
from helpers.report import claims_on_glass as glass

PEER = "ab-initio glasses"


def ends(**densities):
    """Ends of quenches: ``q400=[1.2, 1.3]`` are two seeds at 400 K/ps."""
    rows = [
        (name, float(name[1:].split("_")[0]), 2176 if "_" in name else 272, seed, density)
        for name, of in densities.items()
        for seed, density in enumerate(of, start=1)
    ]
    columns = ["quench", "rate_K_per_ps", "atoms", "seed", "density_g_cm3"]
    return pd.DataFrame(rows, columns=columns).assign(melt=None)


def fits(*ours):
    """R_w of the ab-initio glasses, 0.55 +- 0.02, a crystal, and of (name, samples, R_w, error)."""
    rows = [
        (PEER, 5, 0.55, 0.02, 0.30, 0.02),
        ("crystal", 1, 0.49, np.nan, 0.36, np.nan),
        *((name, n, Rw, error, Rw / 2, error) for name, n, Rw, error in ours),
    ]
    columns = ["model", "samples", "Rw", "Rw error", "Rw stretched", "Rw stretched error"]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(**{"Rw lowest": found["Rw"] - 0.05, "Rw highest": found["Rw"] + 0.05})


def test_nearest_as_it_is_and_stretched():
    assert glass.nearest(fits()).verdict == (
        f"crystal as it is; {PEER} once distances are stretched"
    )
    assert glass.nearest(fits(("q25", 1, 0.2, np.nan))).verdict == "q25"


def test_nearest_names_what_chance_may_have_put_behind():
    far = fits(("q400", 4, 0.40, 0.02), ("q100", 4, 0.39, 0.02))
    assert glass.nearest(far).verdict == "q100 or q400 (cannot tell which)"
    apart = fits(("q400", 4, 0.40, 0.002), ("q100", 4, 0.30, 0.002))
    assert glass.nearest(apart).verdict == "q100"


@pytest.mark.parametrize(
    "ours, made, verdict",
    [
        ((), {}, "cannot tell, since no quench"),
        ((("q400", 1, 0.2, np.nan),), {"q400": [1.2]}, "cannot tell, since one seed"),
        ((("q400", 4, 0.35, 0.02),), {"q400": [1.2] * 4}, "it is nearer"),
        ((("q400", 4, 0.75, 0.02),), {"q400": [1.2] * 4}, "it is farther"),
        ((("q400", 4, 0.53, 0.02),), {"q400": [1.2] * 4}, "cannot tell, they differ"),
        # the slowest with several seeds counts, not the nearest, not the slowest of all
        (
            (("q400", 4, 0.2, 0.01), ("q100", 3, 0.9, 0.01), ("q25", 1, 0.1, np.nan)),
            {"q400": [1.2] * 4, "q100": [1.2] * 3, "q25": [1.2]},
            "it is farther",
        ),
    ],
)
def test_our_glass_beside_the_ab_initio_ones(ours, made, verdict):
    assert glass.our_glass(fits(*ours), ends(**made), PEER).verdict.startswith(verdict)


def test_our_glass_is_nearer_for_its_shorter_distances_alone():
    fit = fits(("q400", 4, 0.35, 0.02))
    fit.loc[2, "Rw stretched"] = 0.30
    said = glass.our_glass(fit, ends(q400=[1.2] * 4), PEER)
    assert said.verdict == (
        "it is nearer to the measurement as it is, but not with all distances times one factor"
    )
    assert said.here.endswith("times one factor, 0.300 ± 0.020 and 0.300 ± 0.020.")


@pytest.mark.parametrize(
    "Rw, verdict",
    [
        (0.2, "each of its seeds is nearer"),
        (0.7, "each of its seeds is farther"),
        (0.52, "cannot tell, some of its seeds"),
    ],
)
def test_a_single_sample_is_compared_with_each_seed_by_itself(Rw, verdict):
    one = fits(("q400", 4, Rw, 0.01))
    one.loc[0, ["samples", "Rw error", "Rw stretched error"]] = 1, np.nan, np.nan
    said = glass.our_glass(one, ends(q400=[1.2] * 4), PEER)
    assert said.verdict.startswith(verdict)


@pytest.mark.parametrize(
    "made, verdict",
    [
        ({}, "cannot tell, since no quench"),
        ({"q400": [1.20, 1.21, 1.22]}, "cannot tell, since one rate"),
        ({"q400": [1.2], "q100": [1.4]}, "cannot tell, since one seed"),
        ({"q400": [1.2, 1.21], "q100": [1.4]}, "cannot tell, since one seed"),
        ({"q400": [1.20, 1.21, 1.22], "q100": [1.40, 1.41, 1.42]}, "agrees"),
        ({"q400": [1.40, 1.41, 1.42], "q100": [1.20, 1.21, 1.22]}, "does not agree"),
        ({"q400": [1.20, 1.30], "q100": [1.25, 1.38]}, "cannot tell, rates differ"),
        # sizes are not mixed: two rates of 272 atoms count, one of 2176 does not
        ({"q400": [1.20, 1.21, 1.22], "q100": [1.40, 1.41, 1.42], "q25_2": [1, 1.01]}, "agrees"),
    ],
)
def test_density_by_rate(made, verdict):
    assert glass.density_by_rate(ends(**made)).verdict.startswith(verdict)


def test_quenches_from_the_same_melt_are_compared_in_pairs():
    """Each melt becomes denser by 0.05 when it is quenched slowly; the melts differ by more."""
    made = ends(q400=[1.10, 1.20, 1.30, 1.40], q100=[1.15, 1.251, 1.35, 1.449])
    assert glass.density_by_rate(made).verdict.startswith("cannot tell")
    from_melts = made.assign(melt=made["seed"])
    said = glass.density_by_rate(from_melts)
    assert said.verdict == "agrees"
    assert "from the same melt, 100 less 400 K/ps is 0.05000 ± 0.00041" in said.here
    assert "the seeds at 100 K/ps lie between 1.150 and 1.449 g/cm³" in said.here
    each = {n.quantity: n.here for n in said.numbers}
    assert each["density from the melt of seed 2, 100 less 400 K/ps"] == "+0.051"
    crossed = ends(q400=[1.20, 1.21, 1.22], q100=[1.40, 1.41, 1.42])
    crossed["melt"] = [1, 2, 3, 7, 8, 9]
    assert glass.density_by_rate(crossed).verdict == "agrees"  # no melt in common: by Welch's test


def test_first_peak_on_heating():
    peaks = pd.DataFrame(
        {
            "temperature_C": [31.0, 535.0, 589.0],
            "position_per_A": [1.12, 1.2, 1.34],
            "fwhm_per_A": [0.37, 0.4, 0.52],
            "ratio": [1.0, 0.45, 0.3],
        }
    )
    assert "at 535 °C" in glass.on_heating(peaks).verdict
    assert glass.on_heating(peaks.iloc[:1]).verdict == "holds up to 31 °C"


def test_at_most_three_sentences_and_a_table_without_the_silent_paper():
    made = ends(q400=[1.20, 1.21, 1.22], q100=[1.40, 1.41, 1.42])
    fit = fits(("q400", 3, 0.4, 0.02), ("q100", 3, 0.4, 0.02))
    found = [glass.nearest(fit), glass.our_glass(fit, made, PEER), glass.density_by_rate(made)]
    for one in found:
        text = str(one).replace("**", "")
        assert "Paper:" not in text
        assert len(re.findall(r"[.?!](?= [A-Z]|$)", text)) <= 3, text
    assert "paper" not in claims.numbers(found).frame


@pytest.mark.parametrize("name, said", [
    ("quench-1800K-100Kps", "our glass of 100 K/ps"),
    ("quench-1800K-25Kps-2x2x2", "our glass of 25 K/ps, 2 × 2 × 2 cells"),
    ("ab-initio glasses", "ab-initio glasses"),
    ("reaxff-quench-1800K-400Kps, 300 K", "glass of ReaxFF"),
])  # fmt: skip
def test_a_reader_finds_no_names_of_recipes(name, said):
    assert glass._or([name]) == said


def test_a_bend_is_a_difference_of_expansions_beyond_seeds():
    found = pd.DataFrame(
        {
            "quench": ["quench-1800K-25Kps"] * 3,
            "seed": [1, 2, 3],
            "bend_K": [900.0, np.nan, 1000.0],
            "cold_per_K": [5e-5, 6e-5, 7e-5],
            "hot_per_K": [2.0e-4, 2.1e-4, 2.3e-4],
        }
    )
    table, said = glass.bends(found)
    assert table.iloc[0].tolist()[:3] == ["quench-1800K-25Kps", "3", "2"]
    assert table["cold, 10⁻⁶/K"][0] == "60.0 ± 5.8"
    assert said.startswith("The density bends in 2 of 3 quenches")
    assert said.endswith("expand differently in our glass of 25 K/ps.")
    alike = found.assign(hot_per_K=found["cold_per_K"][::-1].to_numpy())
    assert "cannot be told" in glass.bends(alike)[1]
    alone, said = glass.bends(found[:1])
    assert alone["hot, 10⁻⁶/K"][0] == "200" and "cannot be told" in said
