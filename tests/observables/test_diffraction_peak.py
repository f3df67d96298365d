import numpy as np
import pytest

from helpers.errors import Unfit
from helpers.observables import diffraction_peak


def test_first_peak_of_a_known_shape():
    Q = np.arange(0.6, 2, 0.025)
    F = 0.8 * np.exp(-4 * np.log(2) * ((Q - 1.13) / 0.3) ** 2) - 0.5
    found = diffraction_peak.first_peak(Q, F)
    assert found.position == pytest.approx(1.13, abs=0.002)
    assert found.height == pytest.approx(0.8, rel=0.01)
    assert found.fwhm == pytest.approx(0.3, abs=0.005)
    sloped = diffraction_peak.first_peak(Q, F + 0.1 * (Q - 1))
    assert sloped.height == pytest.approx(0.8, rel=0.05)
    with pytest.raises(Unfit, match="no peak between"):
        diffraction_peak.first_peak(Q, -Q)
    with pytest.raises(Unfit, match="a peak needs 5"):
        diffraction_peak.first_peak(Q, F, 0.6, 0.65)
