r"""Do runs sample the ensemble that they claim? Kinetic energies, and pairs of temperatures.

The kinetic energy of f degrees of freedom at temperature T follows a gamma distribution of mean
:math:`f k_B T / 2` and variance :math:`f (k_B T)^2 / 2`. Two runs at one pressure obey

.. math:: \ln \frac{P_2(H)}{P_1(H)} = c - (\beta_2 - \beta_1) H, \qquad H = U + PV

whatever the potential is (Shirts, J. Chem. Theory Comput. 9, 909 (2013); the package
physical_validation asks the same, Merz and Shirts, PLoS ONE 13, e0202764 (2018)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from helpers import statistics, units
from helpers.errors import Unfit

SURE = 3.0  # standard errors


@dataclass(frozen=True)
class Kinetic:
    """Kinetic energies against Boltzmann's distribution.

    mean, width: mean and standard deviation of the kinetic energy over those of its
    distribution, with standard errors. samples: independent ones. ok: both are 1 within ``SURE``
    errors.
    """

    mean: float
    mean_error: float
    width: float
    width_error: float
    samples: float

    @property
    def ok(self) -> bool:
        return (
            abs(self.mean - 1) <= SURE * self.mean_error
            and abs(self.width - 1) <= SURE * self.width_error
        )


def kinetic(kinetic_energy_eV, target_temperature_K, n_atoms: int) -> Kinetic:
    r"""The kinetic energy against its distribution at the target temperature, which may move.

    With :math:`z = (K / \langle K \rangle - 1) \sqrt{f/2}`, f = 3N - 3 (the centre of mass rests),
    z has mean 0 and variance 1 at any temperature, so that ramps are judged as well; while one
    heats, the kinetic energy may lag behind its target, which shows in the mean.

    kinetic_energy_eV, target_temperature_K: (M,) in order of time.

    Raises
    ------
    Unfit
        fewer than ten samples, or arrays that do not fit.
    """
    K, T = np.asarray(kinetic_energy_eV, float), np.asarray(target_temperature_K, float)
    if K.shape != T.shape or K.ndim != 1 or len(K) < 10:
        raise Unfit(
            f"{len(K)} kinetic energies and {len(T)} temperatures; ten of each are needed to judge "
            "a distribution: hold the temperature longer"
        )
    freedom = 3 * n_atoms - 3
    ratio = K / (freedom / 2 * units.K_to_eV(T))
    z = (ratio - 1) * np.sqrt(freedom / 2)
    samples = len(z) / statistics.statistical_inefficiency(z - z.mean())
    width = float(z.std(ddof=1))
    return Kinetic(
        float(ratio.mean()),
        width / np.sqrt(freedom / 2) / np.sqrt(samples),
        width,
        width / np.sqrt(2 * max(samples - 1, 1)),
        samples,
    )


@dataclass(frozen=True)
class Pair:
    """Two runs against Boltzmann's ratio.

    slope, error: of ln P2/P1 against the enthalpy, 1/eV. expected: -(beta2 - beta1). overlap:
    share of the samples that could be of either run.
    """

    slope: float
    error: float
    expected: float
    overlap: float

    @property
    def ok(self) -> bool:
        return abs(self.slope - self.expected) <= SURE * self.error


def pair(enthalpies_eV, temperatures_K) -> Pair:
    """Whether two runs at one pressure and two temperatures have Boltzmann's ratio.

    The most likely slope of a logistic regression of which run a sample is of on its enthalpy
    (at constant volume: energy, kinetic one included), which bins nothing; its error from Fisher's
    information, widened by the root of the larger statistical inefficiency.

    enthalpies_eV: two arrays, (M1,) and (M2,), in order of time. temperatures_K: two.

    Raises
    ------
    Unfit
        the distributions hardly overlap (below 1 %), or one has fewer than ten samples.
    """
    first, second = (np.asarray(x, float) for x in enthalpies_eV)
    T1, T2 = temperatures_K
    if min(len(first), len(second)) < 10:
        raise Unfit(
            f"{min(len(first), len(second))} samples are too few for a pair; ten are needed"
        )
    centre, scale = np.mean([first.mean(), second.mean()]), np.std([*first, *second])
    x = (np.concatenate([first, second]) - centre) / scale
    y = np.repeat([0.0, 1.0], [len(first), len(second)])
    design = np.stack([np.ones_like(x), x], axis=1)
    at = np.zeros(2)
    for _ in range(100):
        p = expit(design @ at)
        information = design.T @ (design * (p * (1 - p))[:, None]) + 1e-12 * np.eye(2)
        step = np.linalg.solve(information, design.T @ (y - p))
        at += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    overlap = float(np.mean(4 * p * (1 - p)))
    if overlap < 0.01:
        raise Unfit(
            f"the enthalpies at {T1:g} and {T2:g} K overlap by {100 * overlap:.1f} %; take "
            "temperatures that are nearer to each other, or a smaller cell"
        )
    g = max(statistics.statistical_inefficiency(part - part.mean()) for part in (first, second))
    error = float(np.sqrt(np.linalg.inv(information)[1, 1] * g) / scale)
    expected = -(1 / units.K_to_eV(T2) - 1 / units.K_to_eV(T1))
    return Pair(float(at[1] / scale), error, float(expected), overlap)


def spacing_K(temperature_K: float, heat_capacity_eV_per_K: float) -> float:
    r"""Distance of two temperatures whose enthalpies overlap best for `pair`.

    About two standard deviations of the enthalpy apart: :math:`2 \sqrt{k_B T^2 / C_p}` (Shirts
    2013). heat_capacity_eV_per_K: of the whole cell.
    """
    return float(2 * temperature_K * np.sqrt(units.BOLTZMANN_EV_PER_K / heat_capacity_eV_per_K))
