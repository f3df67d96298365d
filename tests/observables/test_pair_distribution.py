"""The sine transform with its windows, and the measure of agreement."""

import numpy as np
import pytest

from helpers.errors import Unfit
from helpers.observables import pair_distribution
from helpers.observables.pair_distribution import Transform

Q = np.arange(0.01, 30.005, 0.01)
r = np.arange(0.5, 6, 0.005)


def of_one_distance(at=2.0):
    """F(Q) of neighbours at one distance: sin(Q d) / Q, whose D is a spike at d."""
    return np.sin(Q * at) / Q


@pytest.mark.parametrize("window", pair_distribution.WINDOWS)
def test_a_spike_keeps_its_place_and_its_area(window):
    transform = Transform(25.0, window, 0.2)
    D = transform(Q, of_one_distance(), r)
    assert r[np.argmax(D)] == pytest.approx(2, abs=0.01)
    assert D.sum() * 0.005 == pytest.approx(1, abs=0.02)


def test_ripples_of_a_step_have_the_known_depth_and_a_lorch_window_has_few():
    step = Transform(25.0)(Q, of_one_distance(), r)
    # sin(Qmax x) / x: the first ripple is 21.7 % of the peak below zero
    assert step.min() / step.max() == pytest.approx(-0.217, abs=0.01)
    assert step.max() == pytest.approx(25 / np.pi, rel=0.02)
    lorch = Transform(25.0, "lorch")(Q, of_one_distance(), r)
    assert abs(lorch.min()) / lorch.max() < 0.05
    assert lorch.max() < step.max()


def test_windows_are_what_their_papers_say():
    q = np.array([0.0, 5.0, 10.0])
    np.testing.assert_allclose(Transform(20.0).modification(q), 1)
    np.testing.assert_allclose(
        Transform(20.0, "lorch").modification(q), [1, np.sin(np.pi / 4) / (np.pi / 4), 2 / np.pi]
    )
    # a sphere of radius 0.3 A, integrated here by shells
    s = np.linspace(0, 0.3, 20001)[1:]
    sphere = [(s**2 * np.sinc(k * s / np.pi)).sum() / (s**2).sum() for k in q]
    np.testing.assert_allclose(Transform(20.0, "top hat", 0.3).modification(q), sphere, atol=1e-4)


def test_many_curves_at_once_and_a_fraction_of_the_last_bin():
    F = np.stack([of_one_distance(), of_one_distance(3)])
    both = Transform(25.0)(Q, F, r)
    np.testing.assert_allclose(both[1], Transform(25.0)(Q, F[1], r))
    # half a bin more or less: between the two neighbours
    near = [Transform(q)(Q, F[0], r) for q in (24.995, 25.0, 25.005)]
    np.testing.assert_allclose(near[1], (near[0] + near[2]) / 2, atol=1e-9)


def test_below_the_first_Q_the_curve_goes_on_level():
    cut = Q > 0.5
    level = np.where(Q < 0.5, of_one_distance()[cut][0], of_one_distance())
    np.testing.assert_allclose(
        Transform(25.0)(Q[cut], of_one_distance()[cut], r), Transform(25.0)(Q, level, r), atol=2e-3
    )


def test_agreement_is_blind_to_scale_alone():
    measured = np.sin(3 * r) / r
    found = pair_distribution.agreement(r, 2.5 * measured, measured, 1, 4)
    assert found.scale == pytest.approx(0.4) and found.Rw == pytest.approx(0, abs=1e-12)
    # orthogonal over whole periods: nothing is explained
    x = np.arange(0, 2 * np.pi, 0.001)
    worst = pair_distribution.agreement(x, np.sin(x), np.cos(x), 0, 7)
    assert worst.Rw == pytest.approx(1, abs=1e-3)
    # the square is that of the part beside the model
    mixed = np.sin(x) + 0.5 * np.cos(x)
    assert pair_distribution.agreement(x, np.sin(x), mixed, 0, 7).Rw == pytest.approx(
        0.5 / np.sqrt(1.25), rel=1e-3
    )


def test_a_stretch_is_found():
    def curve(x):
        return np.exp(-(((x - 2) / 0.1) ** 2)) + 0.5 * np.exp(-(((x - 4) / 0.15) ** 2))

    factor, found = pair_distribution.stretched(r, curve(r), 0.7 * curve(r / 0.98), 1, 5)
    assert factor == pytest.approx(0.98, abs=2e-4)
    assert found.Rw < 0.02 and found.scale == pytest.approx(0.7, abs=0.01)
    same, _ = pair_distribution.stretched(r, curve(r), curve(r), 1, 5)
    assert same == pytest.approx(1, abs=1e-4)


def test_what_cannot_be_is_refused():
    F = of_one_distance()
    with pytest.raises(Unfit, match="no window 'hann'"):
        Transform(20.0, "hann")
    with pytest.raises(Unfit, match="must be positive"):
        Transform(0.0)
    with pytest.raises(Unfit, match="below Q_max 40"):
        Transform(40.0)(Q, F, r)
    with pytest.raises(Unfit, match="do not fit"):
        Transform(20.0)(Q, F[:-1], r)
    with pytest.raises(Unfit, match="do not fit"):
        Transform(20.0)(Q, np.where(Q > 3, np.nan, F), r)
    with pytest.raises(Unfit, match="no point between 7 and 9"):
        pair_distribution.agreement(r, r, r, 7, 9)
    with pytest.raises(Unfit, match="do not fit"):
        pair_distribution.agreement(r, r[:-1], r, 1, 3)
