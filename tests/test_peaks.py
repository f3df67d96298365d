import numpy as np
import pytest

from helpers import peaks, rdf

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
    widths = [peaks.first_peak(r, rng.poisson(g * ideal) / ideal, smoothing=0.04).fwhm
              for _ in range(40)]
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
    return rdf.rdf(positions, cells, ["Zn", "N"], ("Zn", "N"), r_max=4.0, bin_width=0.02)


def test_harmonic_bond_gives_the_width_that_theory_gives():
    found = harmonic(2000, 4)
    assert peaks.first_peak(found.r, found.g).fwhm == pytest.approx(FWHM * 0.05, rel=0.05)
    assert peaks.fitted_peak(found.r, found.g).fwhm == pytest.approx(FWHM * 0.05, rel=0.05)


def test_error_of_the_width_is_the_scatter_of_repetitions():
    runs = [harmonic(600, seed) for seed in range(10)]
    table = peaks.track(range(300, 400, 10), runs, smoothing=0.02)
    scatter = table["fwhm_A"].std()
    assert table["fwhm_error_A"].mean() == pytest.approx(scatter, rel=0.6)
    np.testing.assert_allclose(table["lindemann_error"] * table["position_A"],
                               table["fwhm_error_A"])


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
