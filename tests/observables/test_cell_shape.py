"""Ramps of a cell of known shape: uniform expansion, one axis that runs away, a shear."""

import numpy as np
import pytest

from helpers.observables import cell_shape

T = np.linspace(300, 1300, 501)
TIME = np.linspace(0, 50, 501)


def cell(rng, scatter=0.01):
    lengths = np.array([15.4, 15.4, 18.4]) * (1 + 2e-5 * (T[:, None] - 300))
    return (lengths * (1 + scatter * rng.normal(size=(501, 3))),
            np.full((501, 3), 90.0) + rng.normal(size=(501, 3)))  # fmt: skip


def test_a_cell_that_only_swells_keeps_its_shape():
    lengths, angles = cell(np.random.default_rng(1))
    found = cell_shape.departs(T, TIME, lengths, angles)
    assert not found and found.what == "" and found.largest < 1
    even = 15.4 * (1 + 1e-4 * T[:, None]) * np.array([1, 1, 1.2])
    assert not cell_shape.departs(T, TIME, even, np.full((501, 3), 90.0))  # iso: no scatter at all


def test_the_axis_that_runs_away_is_named_where_it_does():
    lengths, angles = cell(np.random.default_rng(2))
    lengths[T > 900, 1] *= 1.10
    found = cell_shape.departs(T, TIME, lengths, angles)
    assert found.what == "b/c" and found.temperature_K == pytest.approx(950, abs=2)
    assert found.change == pytest.approx(0.10, abs=0.01)
    assert not cell_shape.departs(T, TIME, lengths, angles, before_K=900)  # the density fell first


def test_a_shear_is_an_angle():
    lengths, angles = cell(np.random.default_rng(3))
    angles[T > 700, 2] += 6
    found = cell_shape.departs(T, TIME, lengths, angles)
    assert (found.what, found.change) == ("γ", pytest.approx(6, abs=0.5))


def test_a_fast_ramp_has_windows_of_five_picoseconds():
    lengths, angles = cell(np.random.default_rng(4))
    lengths[T > 1200, 0] *= 1.10
    found = cell_shape.departs(T, TIME / 10, lengths, angles)  # 200 K/ps: no window fits
    assert not found and found.largest == 0


def test_what_is_no_ramp_is_refused():
    lengths, angles = cell(np.random.default_rng(5))
    with pytest.raises(ValueError, match="same number of rows"):
        cell_shape.departs(T[1:], TIME, lengths, angles)
    with pytest.raises(ValueError, match="1 rows in the first 100 K"):
        cell_shape.departs(T[::100], TIME[::100], lengths[::100], angles[::100])
