"""Diffusion or only an upper limit of it: a random walk, and atoms that rattle."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers.observables import flow


class Window(SimpleNamespace):
    """Frames that can be cut, as a trajectory."""

    def __getitem__(self, which):
        parts = {name: getattr(self, name)[which] for name in ("positions", "cells", "times_ps")}
        return Window(**parts, symbols=self.symbols)


def window(step_A, n=400, n_atoms=200, rattle=False, dt=0.1):
    rng = np.random.default_rng(1)
    steps = rng.normal(0, step_A, (n, n_atoms, 3))
    where = steps if rattle else np.cumsum(steps, axis=0)
    return Window(
        positions=where,
        symbols=np.array(["Zn", "N"] * (n_atoms // 2)),
        cells=np.array([np.eye(3) * 50] * n),
        times_ps=5 + dt * np.arange(n),
    )


def test_a_random_walk_has_its_diffusion_coefficient():
    """D = <step^2> / 6 dt = 3 sigma^2 / 6 dt."""
    table = flow.table(flow.displacements({1500.0: window(0.3)}), ["Zn", "N"])
    assert not table["limited"].any()
    np.testing.assert_allclose(table["D"], 3 * 0.3**2 / (6 * 0.1), rtol=0.15)
    np.testing.assert_allclose(table["exponent"], 1, atol=0.1)


def test_atoms_that_rattle_have_a_limit_only():
    table = flow.table(flow.displacements({300.0: window(0.2, rattle=True)}), ["Zn"])
    row = table.iloc[0]
    assert row["limited"] and np.isnan(row["error"])
    assert row["D"] == pytest.approx(row["msd_A2"] / (6 * row["until_ps"]))


def test_what_grows_too_slowly_is_no_diffusion():
    """An MSD of 1.5 to 1.9 A^2 with the power 0.1 has a slope that is no diffusion coefficient."""
    lag = np.linspace(0, 10, 100)
    row = flow.table({1800.0: (lag, {"N": 1.6 * np.maximum(lag, 1e-9) ** 0.1})}, ["N"]).iloc[0]
    assert row["limited"] and row["exponent"] == pytest.approx(0.1)
    assert row["D"] == pytest.approx(row["msd_A2"] / (6 * row["until_ps"]))


def test_a_last_frame_out_of_step_is_left_out():
    """A thinned trajectory keeps its last frame."""
    whole, thinned = window(0.3), window(0.3)
    thinned.times_ps = np.append(thinned.times_ps[:-1], thinned.times_ps[-2] + 0.04)
    found = flow.displacements({1500.0: thinned, 1600.0: whole})
    assert len(found[1500.0][0]) == 399 and len(found[1600.0][0]) == 400


def test_short_or_uneven_windows_say_nothing():
    uneven = window(0.3)
    uneven.times_ps = uneven.times_ps + np.where(np.arange(400) > 200, 1.0, 0.0)
    assert flow.displacements({1.0: window(0.3, n=10), 2.0: uneven}) == {}
    assert flow.table({}, ["Zn"]).empty


def test_the_energy_of_a_diffusion_that_follows_arrhenius():
    """D = 50 exp(-80 kJ/mol / RT), known to 5 %, with one temperature that is a limit."""
    rng, T = np.random.default_rng(2), np.array([1400.0, 1600.0, 1800.0, 2000.0])
    true = 50 * np.exp(-80 / (8.314462618e-3 * T))
    found = pd.DataFrame({
        "temperature_K": T, "element": "Zn", "D": true * (1 + 0.05 * rng.normal(size=4)),
        "error": 0.05 * true, "limited": [True, False, False, False],
    })  # fmt: skip
    E, error = flow.arrhenius(found, "Zn")
    assert abs(E - 80) < 3 * error and 2 < error < 15
    assert np.isnan(flow.arrhenius(found.iloc[:3], "Zn")[0])  # two temperatures
    unknown = found.assign(error=found["error"].where(found["temperature_K"] < 1900))
    assert np.isnan(flow.arrhenius(unknown, "Zn")[0])  # one of the three has no error
    assert np.isnan(flow.arrhenius(found, "N")[0])
