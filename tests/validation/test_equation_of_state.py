"""E(V) of a nearest-neighbour crystal against its closed form; that of a real potential is kept."""

import numpy as np
import pandas as pd
import pytest
from springs import EPSILON, K_GPA, SIGMA, A, Springs, crystal

from helpers import units
from helpers.validation import equation_of_state, relaxation


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    strains = equation_of_state.volume_strains((-6, -4, -2, 0, 2, 4, 6))
    file = tmp_path_factory.mktemp("volumes") / "relaxed.extxyz"
    return relaxation.relax_cells(crystal(0.05), Springs(), strains, file, fmax=1e-4, steps=200)


def test_volume_curve_of_springs(volumes):
    """A rattled start relaxes to the crystal, 6 phi(r) an atom at every volume."""
    table = equation_of_state.volume_curve(volumes)
    r = (table["volume_A3"] ** (1 / 3) / np.sqrt(2)).to_numpy()
    phi = 4 * EPSILON * ((SIGMA / r) ** 12 - (SIGMA / r) ** 6)
    expected = 6e3 * (phi - phi[3])
    assert table["energy_meV_per_atom"].to_numpy() == pytest.approx(expected, abs=0.01)
    assert table["volume_percent"].round(6).tolist() == [-6, -4, -2, 0, 2, 4, 6]
    assert (table["force_max_eV_per_A"] < 1e-4).all()


def test_pressure_is_minus_the_slope_of_the_energy(volumes):
    table = equation_of_state.volume_curve(volumes)
    slope = np.gradient(table["energy_eV"], table["volume_A3"], edge_order=2)
    assert table["pressure_GPa"].iloc[0] > 0 > table["pressure_GPa"].iloc[-1]
    inner = slice(1, -1)
    assert table["pressure_GPa"][inner].to_numpy() == pytest.approx(
        -slope[inner] * units.EV_PER_A3_IN_GPA, abs=0.05 * table["pressure_GPa"].max()
    )


def test_equation_of_state_of_springs(volumes):
    table = equation_of_state.volume_curve(volumes)
    fit = equation_of_state.equation_of_state(table["volume_A3"], table["energy_eV"])
    assert fit["volume_A3"] == pytest.approx(A**3, rel=1e-4)
    assert fit["bulk_modulus_GPa"] == pytest.approx(4 / 3 * K_GPA, rel=0.01)
    beside = equation_of_state.equations_of_state({"all": table, "one side": table[:5]}, 6)
    assert beside.loc["B (GPa)", "all"] == fit["bulk_modulus_GPa"]
    assert abs(beside.loc["V₀ (% from the cell)", "all"]) < 0.01


@pytest.mark.parametrize(
    "volume, message", [((1, 2, 3), "3 volumes"), (range(10, 16), "no minimum among 10")]
)
def test_equation_of_state_that_cannot_be_fitted(volume, message):
    volume = np.array(volume, float)
    with pytest.raises(ValueError, match=message):
        equation_of_state.equation_of_state(volume, (volume - 30) ** 2)


def test_a_real_potential_kept_and_reused(kept_elsewhere, capsys):
    options = {"percent": (0, 3), "fmax": 0.3, "steps": 5}
    first = equation_of_state.relaxed_volumes("atp", "Znim2-ABW", **options)
    assert "[made]" in capsys.readouterr().out
    again = equation_of_state.relaxed_volumes("atp", "Znim2-ABW", **options)
    assert "[reused]" in capsys.readouterr().out
    pd.testing.assert_frame_equal(*map(equation_of_state.volume_curve, (first, again)))


def test_zero_percent_is_needed():
    with pytest.raises(ValueError, match="lacks 0"):
        equation_of_state.relaxed_volumes("atp", "ZIF-4", percent=(-2, 2))
