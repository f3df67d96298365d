"""What is around Zn in 100 K of a shipped run."""

import numpy as np
import pytest

from helpers import paths
from helpers.md import hundred_kelvins
from helpers.md.run import Run


@pytest.fixture(scope="module")
def run():
    return Run.read(paths.shipped("runs", "atp-400Kps"))


def test_a_cold_crystal_has_four_n_and_a_range_without_frames_is_unknown(run):
    cold = hundred_kelvins.around_zinc(run, 300.0)
    assert cold["N of a Zn"] == pytest.approx(4) and cold["Zn with fewer than 4 (%)"] == 0
    beyond = hundred_kelvins.around_zinc(run, 5000.0)
    assert np.isnan(beyond["N of a Zn"]) and np.isnan(beyond["density_g_cm3"])


def test_what_was_before_the_ramp(run):
    before = hundred_kelvins.before_ramp(run)
    assert before["density_g_cm3"] == pytest.approx(1.23, abs=0.05)
    assert 300 < before["hottest_K"] < 900
