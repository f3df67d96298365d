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

    Attributes
    ----------
    mean : float
        Mean of the kinetic energy divided by that of its distribution.
    mean_error : float
        Standard error of ``mean``.
    width : float
        Standard deviation of the kinetic energy divided by that of its distribution.
    width_error : float
        Standard error of ``width``.
    samples : float
        Number of independent samples.
    """

    mean: float
    mean_error: float
    width: float
    width_error: float
    samples: float

    @property
    def ok(self) -> bool:
        """Whether mean and width are 1 within `SURE` standard errors."""
        return (
            abs(self.mean - 1) <= SURE * self.mean_error
            and abs(self.width - 1) <= SURE * self.width_error
        )


def kinetic(kinetic_energy_eV, target_temperature_K, n_atoms: int) -> Kinetic:
    r"""The kinetic energy against its distribution at the target temperature, which may move.

    With :math:`z = (K / \langle K \rangle - 1) \sqrt{f/2}`, f = 3N - 3 (the centre of mass rests),
    z has mean 0 and variance 1 at any temperature, so that ramps are judged as well; while one
    heats, the kinetic energy may lag behind its target, which shows in the mean.

    Parameters
    ----------
    kinetic_energy_eV : (M,) array
        Kinetic energy in order of time, eV.
    target_temperature_K : (M,) array
        Target temperature at the same times, K.
    n_atoms : int
        Number of atoms N.

    Returns
    -------
    Kinetic
        Mean and width with their errors.

    Raises
    ------
    Unfit
        There are fewer than ten samples, or the arrays differ in length.
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

    Attributes
    ----------
    slope : float
        Slope of ln P2/P1 against the enthalpy, 1/eV.
    error : float
        Its standard error, 1/eV.
    expected : float
        Its value by Boltzmann's distribution, -(beta2 - beta1), 1/eV.
    overlap : float
        Mean of 4 p (1 - p), where p is the probability that a sample is of the second run: 1 for
        equal distributions, 0 for separate ones.
    """

    slope: float
    error: float
    expected: float
    overlap: float

    @property
    def ok(self) -> bool:
        """Whether the slope is the expected one within `SURE` standard errors."""
        return abs(self.slope - self.expected) <= SURE * self.error


def pair(enthalpies_eV, temperatures_K) -> Pair:
    """Whether two runs at one pressure and two temperatures have Boltzmann's ratio.

    The slope is the most likely one of a logistic regression of the run of a sample on its enthalpy
    (at constant volume: energy, kinetic one included), which needs no bins; its error follows from
    Fisher's information, times the root of the larger statistical inefficiency.

    Parameters
    ----------
    enthalpies_eV : ((M1,) array, (M2,) array)
        Enthalpies of the whole cell in both runs, in order of time, eV.
    temperatures_K : (float, float)
        Temperatures of the runs, K.

    Returns
    -------
    Pair
        The slope and its expected value.

    Raises
    ------
    Unfit
        The distributions hardly overlap (below 1 %), or one has fewer than ten samples.
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
