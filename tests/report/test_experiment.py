"""The measured glass: what its numbers say about their own conventions."""

import numpy as np
import pandas as pd
import pytest

from helpers import paths, provenance, structures
from helpers.errors import Unfit
from helpers.observables import as_measured, diffraction_peak, pair_distribution, radiation
from helpers.observables.pair_distribution import Transform
from helpers.report import experiment


@pytest.fixture(scope="module")
def glass():
    return experiment.heated_glass()


def test_tables_are_whole_and_accounted_for(glass):
    assert len(glass.temperatures_C) == 16
    assert glass.temperatures_C[[0, -1]].tolist() == [31, 589]
    assert glass.temperatures_K[0] == pytest.approx(304.15)
    assert glass.F.shape == (16, 935) and glass.D.shape == (16, 2000)
    np.testing.assert_allclose(np.diff(glass.Q_per_A), 0.025)
    np.testing.assert_allclose(np.diff(glass.r_A), 0.02)
    folder = paths.EXPERIMENTS / experiment.GLASS
    assert sum(f.stat().st_size for f in folder.iterdir()) < 1e6
    record = provenance.read(folder)
    assert "10.1038/nmat4998" in record["source"] and record["licence"] == "CC BY 4.0"


def test_a_glass_has_no_bragg_peaks(glass):
    """One first peak near 1.1 1/A, nothing as narrow as a Bragg peak, little order beyond 20 A."""
    cold = glass.at(31)
    assert cold.Q_per_A[np.argmax(cold.F)] == pytest.approx(1.125, abs=0.026)
    sharp = cold.F - np.convolve(cold.F, np.ones(9) / 9, mode="same")
    assert np.abs(sharp[10:-10]).max() < 0.15
    assert np.abs(cold.D[cold.r_A > 20]).max() < 0.03


@pytest.mark.parametrize("n", range(16))
def test_pair_distribution_is_the_transform_of_the_structure_factor(glass, n):
    """Range, window, centres of bins and scale of D(r): nothing is free."""
    mine = experiment.TRANSFORM(glass.Q_per_A, glass.F[n], glass.r_A)
    found = pair_distribution.agreement(glass.r_A, mine, glass.D[n], 0, 15)
    assert found.Rw < 0.015
    assert found.scale == pytest.approx(1, abs=0.0025)


@pytest.mark.parametrize(
    "other, least",
    [
        (Transform(23.3625, "step"), 0.1),
        (Transform(23.3625, "lorch"), 0.1),
        (Transform(23.95, "top hat"), 0.02),
        (Transform(23.3625, "top hat", 0.13), 0.02),
    ],
)
def test_other_windows_do_not_give_it(glass, other, least):
    cold = glass.at(31)
    found = pair_distribution.agreement(
        cold.r_A, other(cold.Q_per_A, cold.F, cold.r_A), cold.D, 0, 15
    )
    assert found.Rw > least


def test_published_labels_are_the_lower_borders_of_bins(glass):
    cold = glass.at(31)
    as_published = experiment.TRANSFORM(cold.Q_per_A - 0.0125, cold.F, cold.r_A - 0.01)
    assert pair_distribution.agreement(cold.r_A, as_published, cold.D, 0.5, 15).Rw > 0.1


def test_normalised_by_the_mean_square_form_factor(glass):
    """What F tends to at small Q, and how many N the first peak of Zn holds, by each."""
    cold, zif4 = glass.at(31), structures.load("ZIF-4")
    elements, fractions = ("Zn", "N", "C", "H"), np.array([1, 4, 6, 6]) / 17
    numbers = {}
    for normalisation in radiation.NORMALISATIONS:
        weight = radiation.weights(elements, fractions, cold.Q_per_A, "x-ray", normalisation)
        # a peak at r0 of n neighbours has the area n c_Zn w / (c_Zn c_N) / r0 in D, at Q near 10
        inside = (cold.r_A > 1.7) & (cold.r_A < 2.3)
        base = np.interp(cold.r_A[inside], [1.7, 2.3], np.interp([1.7, 2.3], cold.r_A, cold.D))
        area = ((cold.D[inside] - base) * cold.r_A[inside]).sum() * 0.02
        w = np.interp(6, cold.Q_per_A, weight["Zn", "N"]) / fractions[0] / fractions[1]
        numbers[normalisation] = area / w / fractions[0]
        limit = (
            -1
            if normalisation == "mean square"
            else -(
                1
                / sum(
                    radiation.weights(elements, fractions, [0.01], "x-ray", "mean square").values()
                )[0]
            )
        )
        assert (cold.F[0] > limit / 2) == (normalisation == "square of mean")
    assert numbers["mean square"] == pytest.approx(4, abs=1)
    assert numbers["square of mean"] < 2
    # at small r D tends to -4 pi rho r, times the sum of the weights: the slope of a glass as
    # dense as ZIF-4, within the ripples
    density = len(zif4) / zif4.get_volume()
    weight = radiation.weights(elements, fractions, [0.01], "x-ray", "mean square")
    r, D = cold.r_A[cold.r_A < 1.1], cold.D[cold.r_A < 1.1]
    slope = (r @ D) / (r @ r)
    assert slope == pytest.approx(-4 * np.pi * density * sum(weight.values())[0], rel=0.35)


def test_first_peak_falls_on_heating(glass):
    found = [diffraction_peak.first_peak(glass.Q_per_A, F) for F in glass.F]
    assert found[0].position == pytest.approx(1.125, abs=0.01)
    assert np.argmax([one.height for one in found]) < 3
    assert found[-1].height < found[0].height / 5 and found[-1].fwhm > 1.3 * found[0].fwhm


def test_a_temperature_that_was_not_measured_is_refused(glass):
    with pytest.raises(Unfit, match="nothing was measured at 30 C; there are: 31, 103"):
        glass.at(30)


def test_a_damaged_table_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="structure_factor.csv is missing"):
        experiment._heated_glass(tmp_path)
    (tmp_path / "structure_factor.csv").write_text("Q_per_A,31\n1.0,0.1\n0.9,0.2\n")
    with pytest.raises(Unfit, match="damaged"):
        experiment._heated_glass(tmp_path)
    (tmp_path / "structure_factor.csv").write_text("Q_per_A,31\n1.0,0.1\n1.1,0.2\n")
    (tmp_path / "pair_distribution.csv").write_text("r_A,41\n1.0,0.1\n1.1,0.2\n")
    with pytest.raises(Unfit, match="different temperatures"):
        experiment._heated_glass(tmp_path)


def test_a_crystal_that_closes_under_pressure_and_one_that_does_not():
    def states(volumes):
        return pd.DataFrame({
            "run": list("abcd"), "temperature_K": [300, 300, 300, 100],
            "pressure_MPa": [0, 50, 200, 0], "density_g_cm3": 1.2, "volume_A3": volumes,
            "error_A3": 1.0, "last_A3": volumes, "modulus_GPa": [3.0, 3.4, 9.0, 9.0],
            "modulus_error_GPa": [0.3, 0.4, 0.1, 0.1],
        })  # fmt: skip

    soft = [4400, 4400 * np.exp(-0.05 / 2), 4400 * np.exp(-0.2 / 2), 4350]
    found = experiment.beside_crystal(states(soft)).set_index("quantity")["here"]
    assert found["bulk modulus (GPa)"].startswith("2.00")
    assert found["closing pressure (MPa)"] == "above 200"
    assert found["closing temperature (K)"] == "below 100"
    closed = [4400, 4400 * np.exp(-0.05 / 2), 3400, 3400]
    found = experiment.beside_crystal(states(closed)).set_index("quantity")["here"]
    assert found["bulk modulus (GPa)"].startswith("2.00")
    assert found["closing pressure (MPa)"] == "50 to 200"
    assert found["closing temperature (K)"] == "100 to 300"
    assert found["bulk modulus from fluctuations (GPa)"] == "3.20 ± 0.25"
    assert found["change of volume on cooling (%)"] == "-22.7"
    moving = states(soft)
    moving.loc[1, ["volume_A3", "error_A3", "last_A3"]] = 3900.0, 60.0, 3600.0
    found = experiment.beside_crystal(moving).set_index("quantity")["here"]
    assert found["bulk modulus (GPa)"].startswith("2.00")  # without the state between
    assert found["closing pressure (MPa)"] == "0 to 50"  # it has closed by the end of its run
    assert experiment.crystal_in_words(moving).startswith("At 0 MPa the cell is still open")
    four = states(soft).assign(temperature_K=300, pressure_MPa=[0, 50, 200, 100])
    four.loc[3, ["volume_A3", "last_A3"]] = 4400 * np.exp(-0.1 / 2) + 3
    said = experiment.crystal_in_words(four)
    assert "through the 4 open states leaves χ² = " in said and "2.00" in said
    assert "closed" not in said
    assert "expands" not in said  # all at 300 K
    said = experiment.crystal_in_words(states(soft))  # 4350 at 100 K, 4400 at 300 K
    assert said.endswith("From 100 to 300 K its volume expands by 57.1 ± 1.6 10⁻⁶/K.")
    shown = experiment.crystal_states(four)
    assert shown["B from fluctuations (GPa)"][1] == "3.40 ± 0.40" and "error_A3" not in shown
    alone = experiment.beside_crystal(states(soft)[:1]).set_index("quantity")["here"]
    assert " ± " in alone["density (g/cm³)"]
    assert alone["bulk modulus from fluctuations (GPa)"] == "3.00 ± 0.30"
    assert (alone == "cannot tell").sum() == 4


def test_a_heated_model_is_compared_where_something_was_measured_near():
    atoms = structures.load("glass01")
    frames = [(atoms.positions, atoms.cell.array)]
    symbols = np.array(atoms.get_chemical_symbols())
    found = experiment.beside_temperatures({20.0: frames, 200.0: frames, 530.0: frames}, symbols)
    assert found["measured at (°C)"].tolist() == [31, 529]
    seen = {"": experiment.model(frames, symbols)}
    cold = as_measured.agreements(seen, experiment.heated_glass().at(31).D)
    assert found["Rw"][0] == cold["Rw 1-10 A"][0] < found["Rw"][1]
