"""The verdicts of the chapters: each must follow from the numbers, whatever they are."""

import re

import numpy as np
import pandas as pd
import pytest

from helpers.observables import density_stages, ligand_exchange, molecules, peaks
from helpers.report import claims

T = np.arange(300.0, 2100.0, 10.0)


def stage(name, low, high, density, melt=None):
    return density_stages.Stage(name, low, high, np.nan, density, 0.0, 0.0)


CRYSTAL = [stage("crystal", 300, 2100, 1.15)]
FALLEN = [stage("crystal", 300, 1080, 1.15), stage("low density", 1080, 2100, 0.97)]


def bonds(broken=(), exchanged=(), temperatures=T):
    """Four N on two Zn; the first N leaves and comes back, the others go over, at these T."""
    zn = np.tile([0, 0, 1, 1], (len(temperatures), 1))
    for at in broken:
        zn[np.searchsorted(temperatures, at), 0] = -1
    for n, at in enumerate(exchanged, start=1):
        zn[np.searchsorted(temperatures, at) :, n] = 1 - zn[0, n]
    return ligand_exchange.Bonds(
        zn,
        np.zeros((*zn.shape, 3), int),
        np.arange(len(zn)) * 0.5,
        np.asarray(temperatures, float),
        np.arange(2, 6),
        np.array([0, 0, 1, 1]),
        np.array([0, 1]),
    )


def test_a_difference_counts_from_two_errors_on():
    assert [claims.sign(v, 1.0) for v in (3.0, 1.9, -1.9, -3.0)] == [1, 0, 0, -1]
    assert claims.sign(0.0, 0.0) == 0 and claims.sign(1.0, np.nan) is None


def test_density_of_the_papers_crystal_is_set_beside_the_stages():
    said = claims.densities(FALLEN)
    assert "crystal 1.150 g/cm³ (-17 %)" in said and "low density 0.970 g/cm³ (-2 %)" in said
    assert "called low density here, not the crystal" in said
    assert "Nearest" not in claims.densities(CRYSTAL)
    light = [stage("crystal", 300, 900, 0.96), stage("dense", 900, 2100, 1.2)]
    assert "is the crystal here" in claims.densities(light)


def test_exchange_at_the_papers_rate_is_bounded_by_poisson():
    edges = np.arange(300, 2200, 100)
    hot = bonds([], [1900])
    rate = hot.rates(edges)
    watched = rate.loc[rate["temperature_K"] >= 1400, "exposure_ns"].sum()
    most = 2 * 5.572 / watched * 0.15  # of one event, 150 K at 1 K/ps, two bonds a Zn
    assert f"up to {most:.2g} exchanges" in claims.exchange_at_paper_rate(rate, 2).verdict
    rare = rate.assign(exposure_ns=1e6, exchanged=0)
    assert claims.exchange_at_paper_rate(rare, 2).verdict == "hardly any"
    for cold in (rate[rate["temperature_K"] < 1400], rate.iloc[:0]):
        assert "run ends below" in claims.exchange_at_paper_rate(cold, 2).verdict


def binned(*means, error=1.0):
    return pd.DataFrame(
        {
            "temperature_K": np.linspace(350, 2050, len(means)),
            "mean": np.array(means, float),
            "error": error,
            "n": 27,
        }
    )


@pytest.mark.parametrize(
    "rule, share, broken, verdict",
    [
        (
            binned(0, 33),
            binned(0, 7),
            [1500],
            "agrees, bonds do open, but in the one run that was followed 79 %",
        ),
        (binned(0, 33), binned(0, 33), [1500], "agrees, bonds do open"),
        (binned(0, 33), binned(0, 0, error=0), [], "no bond opens"),
        (binned(0, 33), binned(0, 1), [1500], "cannot tell, since 1 bond opened, too few"),
        (
            binned(0, 33),
            binned(0, 20, error=0),
            [1500],
            "cannot tell, since 1 bond opened, too few",
        ),
        (binned(0, 0, error=0), binned(0, 0, error=0), [], "not seen"),
        (binned(0, 33, error=np.nan), binned(0, 7), [1500], "cannot tell"),
        (binned(3), binned(0), [], "cannot tell, since there are too few frames"),
        (binned(), binned(), [], "cannot tell, since there are too few frames"),
    ],
)
def test_undercoordination_compares_zn_with_zn(rule, share, broken, verdict):
    found = claims.undercoordination(rule, share, bonds(broken), 2.5, {3.5: share})
    assert verdict in found.verdict


def test_how_many_bonds_are_only_stretched_depends_on_where_a_bond_is_lost():
    by_release = {at: binned(0, held) for at, held in ((3.0, 15), (3.5, 10), (4.0, 6))}
    found = claims.undercoordination(binned(0, 30), by_release[3.5], bonds([1500]), 2.5, by_release)
    assert "50, 67 and 80 % of the Zn" in found.verdict
    assert "in the one run" in found.verdict and "lost at 3.0, 3.5 and 4.0 Å" in found.verdict
    assert "the last window has 27 frames" in found.here


def onset(at, error=20.0):
    return density_stages.Onset(at, error, 0.5, 1.5)


@pytest.mark.parametrize(
    "onsets, verdict",
    [
        ({"C": onset(800), "H": onset(850), "N": onset(900), "Zn": onset(1080)}, "agrees"),
        (
            {"C": onset(1080), "H": onset(1100), "N": onset(1080), "Zn": onset(1080)},
            "cannot tell, all set out together and differences below 57 K",
        ),
        (
            {"C": onset(1080), "H": onset(800), "N": onset(1080), "Zn": onset(1080)},
            "cannot tell, only H is earlier",
        ),
        (
            {"C": onset(800), "H": onset(800), "N": onset(1300), "Zn": onset(1080)},
            "does not agree, Zn sets out before N",
        ),
        ({"C": onset(800), "H": None, "N": onset(800), "Zn": onset(1080)}, "no onset is seen of H"),
        ({"C": onset(800), "H": onset(800), "N": onset(900), "Zn": None}, "agrees"),
        ({"C": onset(800), "H": None, "N": None, "Zn": None}, "cannot tell, since only C"),
        (dict.fromkeys(("C", "H", "N", "Zn")), "cannot tell, since nothing"),
    ],
)
def test_who_sets_out_first_is_told_by_onsets_not_by_amplitudes(onsets, verdict):
    moved = {e: np.full(len(T), a) for e, a in zip(onsets, (3.8, 4.7, 2.9, 2.6), strict=True)}
    found = claims.motion(onsets, moved, T)
    assert found.verdict.startswith(verdict) or verdict in found.verdict
    swings = [(n.quantity.split()[2], n.unit, n.here) for n in found.numbers]
    assert swings == [
        ("H", "A", "4.70"),
        ("C", "A", "3.80"),
        ("N", "A", "2.90"),
        ("Zn", "A", "2.60"),
    ]


def grown(bond, net, error=0.01, width=0.5):
    """Growth of both peaks in A; Zn–N is half as wide as Zn–Zn."""
    return pd.DataFrame(
        {
            "pair": ["Zn–N", "Zn–Zn"],
            "points": 5,
            "change_A": [bond, net],
            "error_A": error,
            "change_percent": [200 * bond / width, 100 * net / width],
            "error_percent": [200 * error / width, 100 * error / width],
        }
    )


EMPTY = peaks.growth(
    pd.DataFrame({"pair": [], "temperature_K": [], "fwhm_A": [], "fwhm_error_A": []}), 300, 700
)


def test_peaks_are_judged_with_errors_in_their_range():
    alike, faster = (
        lambda g: claims.peaks_alike(g, 700).verdict,
        lambda g: claims.peaks_faster(g, 700, 1200).verdict,
    )
    assert faster(grown(0.3, 0.1)) == "agrees"
    assert faster(grown(0.04, 0.16)) == "does not agree, Zn–Zn widens faster"
    assert faster(grown(0.10, 0.16, error=0.05)).startswith("cannot tell, no difference")
    assert "depends on the measure: in Å Zn–Zn widens faster, in percent" in faster(
        grown(0.1, 0.16)
    )
    assert alike(grown(0.1, 0.1)).startswith("depends on the measure: in Å no difference")
    assert alike(grown(0.3, 0.1)) == "does not agree, Zn–N widens faster"
    assert "cannot tell, one could widen twice as fast" in alike(grown(0.1, 0.1, error=0.1))
    same = grown(0.1, 0.1).assign(change_percent=40.0, error_percent=2.0)
    assert alike(same).startswith("agrees")
    for unreadable in (
        EMPTY,
        grown(np.nan, 0.1),
        grown(0.1, 0.1, error=np.nan),
        grown(0.1, 0.1).iloc[:1],
    ):
        for judge in (alike, faster, lambda g: claims.peaks_plateau(g, 1200, 1400).verdict):
            assert judge(unreadable).startswith("cannot tell, since too few widths")


@pytest.mark.parametrize(
    "bond, net, verdict",
    [
        (0.00, -0.05, "agrees"),
        (0.05, -0.05, "agrees for Zn–Zn, but Zn–N does not stay"),
        (0.01, 0.015, "cannot tell, Zn–Zn does not change beyond its error"),
        (0.05, 0.015, "cannot tell, Zn–Zn does not change beyond its error; Zn–N widens"),
        (0.01, 0.06, "does not agree, Zn–Zn widens"),
        (0.05, 0.06, "does not agree, Zn–Zn widens; Zn–N widens, too"),
        (-0.05, 0.06, "does not agree, Zn–Zn widens; Zn–N narrows"),
    ],
)
def test_the_plateau_is_judged_by_both_peaks(bond, net, verdict):
    assert claims.peaks_plateau(grown(bond, net), 1200, 1400).verdict == verdict


def census(n_ligands=4, broken=(), clusters=()):
    """broken: (ligand, from frame, to frame); clusters: (from, to)."""
    state, count = np.zeros((len(T), n_ligands), bool), np.zeros(len(T), int)
    for ligand, start, end in broken:
        state[start:end, ligand] = True
    for start, end in clusters:
        count[start:end] = 1
    return molecules.Census(
        n_ligands - state.sum(axis=1), n_ligands, 2 * count, count, 2 * count, [], state
    )


def decomposed(one, temperatures=T):
    times = 0.12 * np.arange(len(one.clusters))
    return claims.decomposition(
        molecules.spells(one.ligand_broken, times),
        molecules.spells(one.clusters > 0, times),
        one,
        temperatures,
    )


def test_isolated_frames_are_no_decomposition():
    assert decomposed(census()).verdict == "not seen"
    isolated = decomposed(
        census(broken=[(0, 100, 101), (1, 100, 101), (2, 150, 151), (0, len(T) - 1, len(T))])
    )
    assert isolated.verdict == (
        "none that lasts; in 3 isolated frames a ligand is broken for a moment"
    )
    assert [n.here for n in isolated.numbers] == [3, 1, 0, "yes"]
    assert "none that lasts; in 3 frames" in decomposed(census(broken=[(0, 100, 103)])).verdict


def test_a_ligand_that_stays_broken_or_a_cluster_that_stays_is_decomposition():
    said = decomposed(census(broken=[(3, 150, 160)]))
    assert said.verdict == f"seen here, too, from {T[150]:.0f} K on"
    assert "1 lasting broken ligand, the first" in said.here
    assert "no lasting cluster of H" in said.here
    said = decomposed(census(clusters=[(160, 180)]))
    assert said.verdict == f"seen here, too, from {T[160]:.0f} K on"


def test_decomposition_of_a_cold_run_or_without_ligands_is_unknown():
    assert "run ends at 1195 K" in decomposed(census(), T / 2 + 150).verdict
    assert "no imidazolate" in decomposed(census(n_ligands=0)).verdict


def uneven(*values, error=0.05):
    return pd.DataFrame(
        {
            "stage": [f"window {k}" for k in range(len(values))],
            "unevenness": np.array(values, float),
            "unevenness_error": error,
        }
    )


@pytest.mark.parametrize(
    "table, verdict",
    [
        (uneven(1.09, 1.96, 1.49), "agrees"),
        (uneven(1.09, 1.15), "not seen"),
        (uneven(2.0, 1.0), "not seen"),
        (uneven(1.09, 1.96, error=np.nan), "cannot tell"),
        (uneven(1.09), "cannot tell"),
        (uneven(np.nan, np.nan), "cannot tell"),
    ],
)
def test_heterogeneity(table, verdict):
    long = dict.fromkeys(table["stage"], np.linspace(0, 5, 20))
    assert claims.heterogeneity(table, 2176, long).verdict.startswith(verdict)
    assert claims.heterogeneity(table, 272, long).verdict.startswith("cannot tell")


@pytest.mark.parametrize("times", [np.linspace(0, 15, 7), np.linspace(0, 4.9, 50)])
def test_few_frames_or_a_short_window_tell_no_heterogeneity(times):
    table = uneven(1.09, 1.96)
    when = {table["stage"][0]: np.linspace(0, 9, 90), table["stage"][1]: times}
    said = claims.heterogeneity(table, 2176, when).verdict
    assert said.startswith(f"cannot tell from {len(times)} frames that span")


def test_melting_gives_its_numbers():
    zinc = np.linspace(0.5, 2.5, 101)
    assert claims.melting(1500.0, zinc, 2.85).endswith("at 1500 K.")
    said = claims.melting(None, zinc, 2.85)
    assert "did not leave their sites" in said and "2.85 Å" in said
    assert said.endswith("2.31 Å in the last fifth of the run, at most 2.50 Å.")
    assert "at most 0.00 Å" in claims.melting(None, np.zeros(1), 2.85)


def test_a_page_gets_one_line_a_finding():
    text = claims.markdown(
        [claims.Finding("A", "agrees", "x.", "y."), claims.Finding("B", "not seen", "x.", "y.")]
    )
    assert text == ("- **A: agrees.** Paper: x. Here: y.\n- **B: not seen.** Paper: x. Here: y.")


def test_accuracy_is_a_share_of_the_forces():
    tests = pd.DataFrame(
        {
            "force_rmse_eV_per_A": [0.06, 0.2],
            "force_rms_eV_per_A": [0.9, 2.4],
            "energy_rmse_meV_per_atom": [0.4, 3.2],
        },
        index=["cold", "hot"],
    )
    said = claims.accuracy(tests)
    assert said.verdict.startswith("agrees") and "0.06 to 0.20 eV/Å, 7 to 8 %" in said.here
    poor = claims.accuracy(tests.assign(force_rmse_eV_per_A=[0.06, 1.2]))
    assert poor.verdict == "does not agree on hot (50 %)"
    assert "cannot tell" in claims.accuracy(tests.iloc[:0]).verdict


def test_numbers_of_findings_stand_in_one_table_below():
    one = claims.Number("force error", "eV/A", "0.12", 1.14)
    two = claims.Number("energy error", "meV/atom", "0.4")
    found = claims.Finding("A", "agrees", "x.", "y.", (one, two))
    table = claims.numbers([found, claims.Finding("B", "not seen", "x.", "y.")]).frame
    assert table.values.tolist() == [
        ["A", "force error", "eV/Å", "1.14", "0.12"],
        ["", "energy error", "meV/atom", "", "0.4"],
    ]
    assert claims.numbers([]).frame.empty


@pytest.mark.parametrize(
    "found",
    [
        claims.motion({"C": onset(800), "Zn": onset(900)}, {"C": T / 999, "Zn": T / 1999}, T),
        claims.peaks_alike(grown(0.3, 0.1), 700),
        claims.peaks_plateau(grown(0.3, 0.1), 1200, 1400),
        claims.heterogeneity(
            uneven(1.09, 1.96), 2176, dict.fromkeys(uneven(1, 2)["stage"], np.arange(20))
        ),
    ],
    ids=lambda found: found.claim,
)
def test_a_verdict_is_three_sentences_with_its_numbers_below(found):
    text = str(found).replace("**", "")
    assert len(re.findall(r"[.?!](?= [A-Z]|$)", text)) == 3, text
    assert found.numbers or found.claim == "Heterogeneity"


def test_names_of_users_in_a_finding_are_no_html():
    """A structure of the user's own is called as its file is."""
    one = claims.Finding(
        "claim", "no <img src=x onerror=alert(1)>", "", "<script>x</script>, 1 < 2"
    )
    text = claims.markdown([one])
    assert not re.search("<[a-z/]", text) and "&lt;script>" in text and "1 < 2" in text


def test_goals_beside_errors_on_single_sets_are_counted():
    rows = [("ZIF, energy", "no"), ("ZIF, force", "no"), ("slope", "cannot tell"), ("other", "yes")]
    table = pd.DataFrame(rows, columns=["goal", "reached"])
    found = claims.further_goals(table)
    assert found.verdict == "1 of 4 are reached, 1 cannot be told"
    assert found.here == "missed are ZIF."
    assert claims.further_goals(table[3:]).here == "none is missed."
