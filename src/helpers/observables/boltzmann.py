r"""Do runs sample the ensemble that they claim? Kinetic energies, pairs of settings.

The kinetic energy of f degrees of freedom at temperature T follows a gamma distribution of mean
:math:`f k_B T / 2` and variance :math:`f (k_B T)^2 / 2`. Two runs at one pressure and two
temperatures, and two at one temperature and two pressures, obey

.. math:: \ln \frac{P_2(H)}{P_1(H)} = c - (\beta_2 - \beta_1) H, \qquad
    \ln \frac{P_2(V)}{P_1(V)} = c - \beta (p_2 - p_1) V

with the enthalpy :math:`H = U + pV`, whatever the potential is (Shirts, J. Chem. Theory Comput. 9,
909 (2013); the package physical_validation asks the same, Merz and Shirts, PLoS ONE 13, e0202764
(2018)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from helpers import statistics, units
from helpers.errors import Unfit

SURE = 3.0  # standard errors
FEWEST = 10  # samples
OVERLAP = 0.01  # of two distributions: below, no ratio of them is known


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
    if K.shape != T.shape or K.ndim != 1 or len(K) < FEWEST:
        raise Unfit(
            f"{len(K)} kinetic energies and {len(T)} temperatures; {FEWEST} of each are needed to "
            "judge a distribution: hold the temperature longer"
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
        Slope of ln P2/P1 against the enthalpy, 1/eV, or the volume, 1/A^3.
    error : float
        Its standard error.
    expected : float
        Its value by Boltzmann's distribution.
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


def pair_of_temperatures(enthalpies_eV, temperatures_K) -> Pair:
    """Whether two runs at one pressure and two temperatures have Boltzmann's ratio.

    Parameters
    ----------
    enthalpies_eV : ((M1,) array, (M2,) array)
        Enthalpies of the whole cell in both runs, in order of time, eV (at constant volume:
        energies, the kinetic one included).
    temperatures_K : (float, float)
        Temperatures of the runs, K.

    Returns
    -------
    Pair
        The slope against the enthalpy and its expected value, 1/eV.

    Raises
    ------
    Unfit
        The distributions hardly overlap, or one has too few samples.
    """
    first, second = (1 / units.K_to_eV(T) for T in temperatures_K)
    return _pair(enthalpies_eV, float(first - second))


def pair_of_pressures(volumes_A3, pressures_bar, temperature_K: float) -> Pair:
    """Whether two runs at one temperature and two pressures have Boltzmann's ratio.

    Parameters
    ----------
    volumes_A3 : ((M1,) array, (M2,) array)
        Volumes of the whole cell in both runs, in order of time, A^3.
    pressures_bar : (float, float)
        Pressures of the runs, bar.
    temperature_K : float
        Temperature of both, K.

    Returns
    -------
    Pair
        The slope against the volume and its expected value, 1/A^3.

    Raises
    ------
    Unfit
        The distributions hardly overlap, or one has too few samples.
    """
    first, second = (p / units.EV_PER_A3_IN_BAR for p in pressures_bar)
    return _pair(volumes_A3, float((first - second) / units.K_to_eV(temperature_K)))


def _pair(samples, expected: float) -> Pair:
    """The slope by a logistic regression of the run of a sample on its value, which needs no bins.

    Its error follows from Fisher's information, times the root of the larger statistical
    inefficiency.
    """
    first, second = (np.asarray(x, float) for x in samples)
    if min(len(first), len(second)) < FEWEST:
        raise Unfit(
            f"{min(len(first), len(second))} samples are too few for a pair; {FEWEST} are needed"
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
    if overlap < OVERLAP:
        raise Unfit(
            f"the two runs overlap by {100 * overlap:.1f} %; take temperatures or pressures that "
            "are nearer to each other, or a smaller cell"
        )
    g = max(statistics.statistical_inefficiency(part - part.mean()) for part in (first, second))
    error = float(np.sqrt(np.linalg.inv(information)[1, 1] * g) / scale)
    return Pair(float(at[1] / scale), error, expected, overlap)
