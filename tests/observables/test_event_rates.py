import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import poisson

from helpers import units
from helpers.observables import event_rates


def test_limits_are_garwoods():
    low, high = event_rates.poisson_limits([0, 1, 10])
    np.testing.assert_allclose(low, [0, 0.0253, 4.795], atol=5e-4)
    np.testing.assert_allclose(high, [2.996, 5.572, 18.39], atol=5e-3)
    assert poisson.cdf(0, high[0]) == pytest.approx(0.05)
    assert poisson.sf(9, low[2]) == pytest.approx(0.025)
    assert poisson.cdf(10, high[2]) == pytest.approx(0.025)
    with pytest.raises(ValueError, match="-1"):
        event_rates.poisson_limits([-1])


T = np.arange(800.0, 2000.0, 50.0)
EXPOSURE = np.full(len(T), 0.5)


def law(E_a, per_ns_at_1500):
    R = units.GAS_CONSTANT_KJ_PER_MOL_K
    return per_ns_at_1500 * np.exp(-E_a / R * (1 / T - 1 / 1500))


def test_planted_activation_energy_is_found_within_its_error():
    rng = np.random.default_rng(0)
    fits = [
        event_rates.arrhenius(T, rng.poisson(EXPOSURE * law(120, 10)), EXPOSURE) for _ in range(200)
    ]
    pull = np.array([(fit.E_a - 120) / fit.error for fit in fits])
    assert abs(pull.mean()) < 0.25 and 0.85 < pull.std() < 1.2
    logs = np.array([(np.log(fit.rate(1500)[0] / 10) / fit.rate(1500)[1]) for fit in fits])
    assert abs(logs.mean()) < 0.25 and 0.85 < logs.std() < 1.2


def test_exact_rates_give_the_exact_law():
    fit = event_rates.arrhenius(T, 1e6 * EXPOSURE * law(90, 3), 1e6 * EXPOSURE)
    assert fit.E_a == pytest.approx(90, rel=1e-6)
    R = units.GAS_CONSTANT_KJ_PER_MOL_K
    assert fit.prefactor == pytest.approx(3 * np.exp(90 / R / 1500), rel=1e-5)
    np.testing.assert_allclose(fit.rate(T)[0], law(90, 3), rtol=1e-6)


@pytest.mark.parametrize("events", [np.zeros(len(T)), np.eye(len(T))[5] * 40])
def test_no_events_or_one_temperature_is_no_law(events):
    with pytest.raises(event_rates.ActivationNotDetermined, match="temperatures"):
        event_rates.arrhenius(T, events, EXPOSURE)


@pytest.mark.parametrize("seed", range(3))
def test_fit_is_the_poisson_regression_of_statsmodels(seed):
    """ln(n_i) = ln(t_i) + ln(A) - E_a / RT_i, the generalized linear model with its offset."""
    events = np.random.default_rng(seed).poisson(EXPOSURE * law(100, 8))
    assert (events == 0).any()
    inverse = 1 / (units.GAS_CONSTANT_KJ_PER_MOL_K * T)
    middle = inverse.mean()  # else the two columns are nearly collinear
    design = np.column_stack([np.ones_like(T), inverse - middle])
    model = sm.GLM(events, design, family=sm.families.Poisson(), offset=np.log(EXPOSURE))
    theirs = model.fit(tol=1e-12)
    mine = event_rates.arrhenius(T, events, EXPOSURE)
    assert mine.E_a == pytest.approx(-theirs.params[1], rel=1e-6)
    wider = np.sqrt(max(1.0, theirs.deviance / theirs.df_resid))
    assert (mine.deviance, mine.dof) == (pytest.approx(theirs.deviance), theirs.df_resid)
    assert mine.error == pytest.approx(wider * theirs.bse[1], rel=1e-5)
    prefactor = np.exp(theirs.params[0] - theirs.params[1] * middle)
    assert mine.prefactor == pytest.approx(prefactor, rel=1e-5)
    prediction = theirs.get_prediction(design, offset=np.zeros_like(T))
    rate, error = mine.rate(T)
    np.testing.assert_allclose(rate, prediction.predicted_mean, rtol=1e-6)
    relative = prediction.se_mean / prediction.predicted_mean
    np.testing.assert_allclose(error, wider * relative, rtol=1e-5)


def test_events_in_clumps_widen_the_error_and_two_temperatures_are_not_tested():
    """Each event counted four times: the counts scatter four times as much as Poisson's."""
    rng, T4, t = np.random.default_rng(5), np.linspace(1400, 2000, 13), np.full(13, 5.0)
    mean = t * 40 * np.exp(-100 / units.GAS_CONSTANT_KJ_PER_MOL_K * (1 / T4 - 1 / 1700))
    fits = [event_rates.arrhenius(T4, 4 * rng.poisson(mean / 4), t) for _ in range(200)]
    pull = np.array([(fit.E_a - 100) / fit.error for fit in fits])
    assert 0.85 < pull.std() < 1.2
    assert np.mean([fit.p < event_rates.REFUSED for fit in fits]) > 0.9
    plain = [event_rates.arrhenius(T4, rng.poisson(mean), t).p for _ in range(200)]
    assert np.mean(np.array(plain) < event_rates.REFUSED) < 0.1
    two = event_rates.arrhenius([1400, 1600], [18, 55], [6.36, 6.33])
    assert two.dof == 0 and np.isnan(two.p) and two.error == pytest.approx(25.4, abs=0.5)
