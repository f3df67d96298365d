import numpy as np
import pandas as pd
import pytest

from helpers.observables import peaks, rdf

FWHM = 2 * np.sqrt(2 * np.log(2))


def binned(function, bin_width, r_max=10.0, fine=50):
    """Bin averages, as a histogram has them, of a function of r."""
    r = (np.arange(round(r_max / bin_width * fine)) + 0.5) * bin_width / fine
    return r.reshape(-1, fine).mean(axis=1), function(r).reshape(-1, fine).mean(axis=1)


def gaussian(center, sigma, height):
    return lambda r: height * np.exp(-((r - center) ** 2) / (2 * sigma**2))


@pytest.mark.parametrize("sigma", [0.06, 0.12, 0.3])
@pytest.mark.parametrize("center", [2.013, 2.037])
def test_gaussian_of_known_width_finer_than_the_bins(sigma, center):
    r, g = binned(gaussian(center, sigma, 20.0), 0.05)
    peak = peaks.first_peak(r, g)
    assert peak.position == pytest.approx(center, abs=0.002)
    assert peak.fwhm == pytest.approx(FWHM * sigma, rel=0.02)
    assert peaks.lindemann_ratio(peak) == pytest.approx(FWHM * sigma / center, rel=0.02)
    assert peak.height == pytest.approx(20, rel=0.02)


def test_smoothing_tames_noise_without_widening():
    r, g = binned(gaussian(2.0, 0.08, 40.0), 0.02)
    ideal = 0.8 * r**2  # about 160 pairs in the peak, as in ten snapshots of the smallest cell
    rng = np.random.default_rng(8)
    widths = [
        peaks.first_peak(r, rng.poisson(g * ideal) / ideal, smoothing=0.04).fwhm for _ in range(40)
    ]
    assert np.mean(widths) == pytest.approx(FWHM * 0.08, rel=0.05)
    assert np.std(widths) < 0.2 * FWHM * 0.08
    smooth = peaks.first_peak(r, g, smoothing=0.04)
    assert smooth.fwhm == pytest.approx(FWHM * 0.08, rel=0.01)
    assert smooth.height == pytest.approx(40, rel=0.02)
    with pytest.raises(peaks.PeakNotResolved, match="narrower than the smoothing"):
        peaks.first_peak(*binned(gaussian(2.0, 0.01, 40.0), 0.005), smoothing=0.1)


@pytest.mark.parametrize("sigma", [0.06, 0.12, 0.3])
def test_fitted_gaussian_of_known_width(sigma):
    r, g = binned(gaussian(2.013, sigma, 20.0), 0.05)
    peak = peaks.fitted_peak(r, g)
    assert peak.position == pytest.approx(2.013, abs=0.002)
    assert peak.fwhm == pytest.approx(FWHM * sigma, rel=0.02)
    assert peak.height == pytest.approx(20, rel=0.02)


def test_fit_tells_two_peaks_apart_that_the_half_height_does_not():
    r, g = binned(lambda r: gaussian(2.0, 0.2, 3)(r) + gaussian(2.72, 0.25, 4)(r), 0.02)
    with pytest.raises(peaks.PeakNotResolved, match="half"):
        peaks.first_peak(r, g)
    found = peaks.fitted_peak(r, g)
    assert found.position == pytest.approx(2.0, abs=0.01)
    assert found.fwhm == pytest.approx(FWHM * 0.2, rel=0.05)


def test_the_two_widths_agree_on_a_gaussian_and_not_on_a_skewed_peak():
    r, g = binned(gaussian(2.0, 0.1, 20.0), 0.02)
    assert peaks.fitted_peak(r, g).fwhm == pytest.approx(peaks.first_peak(r, g).fwhm, rel=0.01)
    skewed = binned(lambda r: gaussian(2.0, 0.05, 20)(r) + gaussian(2.12, 0.12, 7)(r), 0.02)
    assert peaks.fitted_peak(*skewed).fwhm > 1.05 * peaks.first_peak(*skewed).fwhm


def test_a_spike_of_noise_does_not_pass_for_the_peak():
    """One bin far above a broad peak of few pairs, as in the Zn-Zn g(r) of a hot small cell."""
    r, g = binned(gaussian(6.05, 0.28, 4.0), 0.02)
    rng = np.random.default_rng(3)
    ragged = rng.poisson(g * 3) / 3
    ragged[np.searchsorted(r, 5.6)] = 5.0
    found = peaks.fitted_peak(r, ragged, smoothing=0.09)
    assert found.position == pytest.approx(6.05, abs=0.05)
    assert found.fwhm == pytest.approx(FWHM * 0.28, rel=0.15)
    smooth = peaks.fitted_peak(r, g, smoothing=0.09)
    assert smooth.fwhm == pytest.approx(FWHM * 0.28, rel=0.01)
    assert smooth.height == pytest.approx(4, rel=0.02)


def planted(slopes, n=9, error=0.01, seed=0):
    """Widths that grow from 0.2 A by ``slopes`` (A per 1000 K), read with ``error``."""
    rng = np.random.default_rng(seed)
    T = np.linspace(300, 1100, n)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "temperature_K": T,
                    "pair": pair,
                    "fwhm_error_A": error,
                    "fwhm_A": 0.2 + slope * (T - 300) / 1000 + rng.normal(0, error, n),
                }
            )
            for pair, slope in slopes.items()
        ]
    )


def test_growth_of_a_planted_width_is_found_within_its_error():
    pulls = []
    for seed in range(200):
        found = peaks.growth(planted({"Zn–N": 0.1, "Zn–Zn": 0.4}, seed=seed), 300, 1100)
        assert found["pair"].tolist() == ["Zn–N", "Zn–Zn"] and (found["points"] == 9).all()
        pulls.append((found["change_A"] - [0.08, 0.32]) / found["error_A"])
    pulls = np.array(pulls)
    assert abs(pulls.mean()) < 0.15 and 0.8 < pulls.std() < 1.15
    exact = peaks.growth(planted({"Zn–N": 0.1}, error=1e-9), 300, 1100).iloc[0]
    assert exact["change_A"] == pytest.approx(0.08, abs=1e-7)
    assert exact["change_percent"] == pytest.approx(100 * 0.08 / 0.24, abs=1e-4)


def test_growth_without_points_or_errors_is_unknown_and_scatter_widens_its_error():
    widths = planted({"Zn–N": 0.1})
    assert peaks.growth(widths, 2000, 2100)["change_A"].isna().all()
    assert peaks.growth(widths.assign(fwhm_error_A=np.nan), 300, 1100)["error_A"].isna().all()
    assert peaks.growth(widths, 300, 300)["change_A"].isna().all()
    assert peaks.growth(widths.iloc[:0], 300, 1100).empty
    quiet = peaks.growth(widths, 300, 1100)["error_A"].iloc[0]
    loud = peaks.growth(
        widths.assign(fwhm_A=widths["fwhm_A"] + 0.05 * (-1) ** np.arange(9)), 300, 1100
    )["error_A"].iloc[0]
    assert loud > 4 * quiet


def test_table_has_a_row_for_each_temperature():
    one, other = harmonic(100, 1), harmonic(100, 2)
    shown = peaks.table(pd.concat([peaks.track([300, 400], [one, other], 0.02)]))
    assert shown["temperature (K)"].tolist() == ["300", "400"]
    assert shown["Zn–N: FWHM (Å)"].str.contains("±").all()
    flat = rdf.RDF(("Zn", "N"), one.r, 0 * one.g, one.g, 1, one.r, one.g, one.g)
    assert peaks.table(peaks.track([300], [flat]))["Zn–N: FWHM (Å)"].tolist() == ["–"]


def test_no_fit_says_why():
    r, g = binned(gaussian(2.0, 0.02, 20), 0.1)
    with pytest.raises(peaks.PeakNotResolved, match="few bins|wide|no Gaussian"):
        peaks.fitted_peak(r, g)
    with pytest.raises(peaks.PeakNotResolved, match="no peak"):
        peaks.fitted_peak(r, 0 * r)


def test_takes_the_first_of_two_peaks_even_if_lower():
    r, g = binned(lambda r: gaussian(2.0, 0.1, 10)(r) + gaussian(4.2, 0.3, 15)(r), 0.02)
    assert peaks.first_peak(r, g).position == pytest.approx(2.0, abs=0.002)


def harmonic(n_frames, seed, sigma=0.05):
    rng = np.random.default_rng(seed)
    positions = np.zeros((n_frames, 2, 3))
    positions[:, 1, 0] = rng.normal(2.0, sigma, n_frames)
    cells = np.broadcast_to(np.eye(3) * 12.0, (n_frames, 3, 3))
    return rdf.rdfs(zip(positions, cells, strict=True), ["Zn", "N"], 4.0, 0.02)["Zn", "N"]


def test_harmonic_bond_gives_the_width_that_theory_gives():
    found = harmonic(2000, 4)
    assert peaks.first_peak(found.r, found.g).fwhm == pytest.approx(FWHM * 0.05, rel=0.05)
    assert peaks.fitted_peak(found.r, found.g).fwhm == pytest.approx(FWHM * 0.05, rel=0.05)


def test_error_of_the_width_is_the_scatter_of_repetitions():
    runs = [harmonic(600, seed) for seed in range(10)]
    table = peaks.track(range(300, 400, 10), runs, smoothing=0.02)
    scatter = table["fwhm_A"].std()
    assert table["fwhm_error_A"].mean() == pytest.approx(scatter, rel=0.6)
    np.testing.assert_allclose(
        table["lindemann_error"] * table["position_A"], table["fwhm_error_A"]
    )


def test_says_what_is_wrong_with_a_peak():
    r, g = binned(gaussian(2.0, 0.01, 20), 0.05)
    with pytest.raises(peaks.PeakNotResolved, match="smaller bin_width"):
        peaks.first_peak(r, g)
    r, g = binned(lambda r: gaussian(2.0, 0.2, 3)(r) + gaussian(2.72, 0.25, 4)(r), 0.02)
    with pytest.raises(peaks.PeakNotResolved, match="half"):
        peaks.first_peak(r, g)
    with pytest.raises(peaks.PeakNotResolved, match="no peak"):
        peaks.first_peak(r, np.zeros_like(r))


def test_track_keeps_unresolved_temperatures_with_their_reason():
    r, g = binned(gaussian(2.0, 0.1, 20), 0.05)
    good = rdf.RDF(("Zn", "N"), r, g, g, 1, r, g, g)
    bad = rdf.RDF(("Zn", "N"), r, 0 * g, g, 1, r, g, g)
    table = peaks.track([300, 600], [good, bad])
    assert table["fwhm_A"].notna().tolist() == [True, False]
    assert table["note"][0] == "" and "no peak" in table["note"][1]
    assert table["fwhm_error_A"].isna().all()  # no blocks, no error
