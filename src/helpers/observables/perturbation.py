r"""Free energy of a reference from runs of a potential at constant volume: perturbation theory.

With :math:`\Delta` the energy of an atom by the reference less that by the potential, in a cell of
N atoms that the potential moves (Zwanzig, J. Chem. Phys. 22, 1420 (1954))

.. math:: \frac{F_\mathrm{ref} - F}{N} = -\frac{k_B T}{N} \ln \langle e^{-N\Delta/k_B T} \rangle
    = \langle\Delta\rangle - \frac{N s^2}{2 k_B T} + \frac{N^2 \gamma s^3}{6 (k_B T)^2} - \dots

with the variance :math:`s^2` and the skewness :math:`\gamma` of :math:`\Delta`. Its slope in the
volume is what the reference adds to the pressure. How both terms are found is written in
``book/estimators.md``:

.. math:: \langle\Delta\rangle = a_T + (b_1 + b_2 \tau) x + (c_1 + c_2 \tau) x^2, \qquad
    s^2 = \exp(a + b \ln\tau' + c x),

:math:`x = v - v_0`, :math:`\tau = (T - T_0)/T_0` and :math:`\tau' = T/T_0`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import units
from helpers.errors import Unfit

V0_A3, T0_K = 17.5, 1000.0
_EV = 1e-3  # of a meV
_ITERATIONS = 50  # of the variances; ten change the sixth digit


@dataclass(frozen=True)
class Shift:
    """Free energy of the reference less that of the potential, as a law of v and T.

    Attributes
    ----------
    n_atoms : int
        Number of atoms of the cell.
    mean : (4, 1 + D) array
        b1, b2 (meV/A^3) and c1, c2 (meV/A^6): what was found, then D draws.
    spread : (3, 1 + D) array
        a (ln meV^2), b and c (1/A^3) of the variance, likewise.
    skewness : float
        Skewness of all residuals.
    skewness_error : float
        Its standard error, from their number alone.
    chi2 : float
        Sum over the runs of the squared distances of their means from the law, in squared errors.
    freedom : int
        Runs less the coefficients of the law.
    frames : int
        Number of frames.
    """

    n_atoms: int
    mean: np.ndarray
    spread: np.ndarray
    skewness: float
    skewness_error: float
    chi2: float
    freedom: int
    frames: int

    @property
    def factor(self) -> float:
        """Birge's ratio, 1 at least: how much wider the draws of `mean` are than the frames say."""
        return max(1.0, (self.chi2 / self.freedom) ** 0.5) if self.freedom else 1.0

    @property
    def skewnesses(self) -> tuple[float, ...]:
        """Skewnesses that judge the third order: two standard errors, or that found if larger."""
        least = 2 * self.skewness_error
        return (self.skewness,) if abs(self.skewness) >= least else (-least, least)

    def pressure_bar(
        self, volumes_A3, temperature_K: float, order: int = 2, skewness: float = 0.0
    ) -> np.ndarray:
        """Pressure that the reference adds.

        Parameters
        ----------
        volumes_A3 : (M,) array
            Volumes of an atom, A^3.
        temperature_K : float
            Temperature, K.
        order : int
            1 or 2.
        skewness : float
            Skewness of the third order, which is added where it is not zero.

        Returns
        -------
        (M, 1 + D) array
            Pressures, bar: what was found, then the draws.
        """
        x = np.asarray(volumes_A3, float)[:, None] - V0_A3
        tau = (temperature_K - T0_K) / T0_K
        b1, b2, c1, c2 = self.mean
        slope = b1 + b2 * tau + 2 * x * (c1 + c2 * tau)  # meV/A^3
        beta = self.n_atoms * _EV / (units.BOLTZMANN_EV_PER_K * temperature_K)  # N/kT, 1/meV
        variance, c = self.variance(volumes_A3, temperature_K), self.spread[2]
        if order >= 2:
            slope = slope - beta * c * variance / 2
        slope = slope + beta**2 * skewness * 1.5 * c * variance**1.5 / 6
        return -slope * _EV * units.EV_PER_A3_IN_BAR

    def first_order_meV(self, volumes_A3, temperature_K: float) -> np.ndarray:
        """Mean difference of the energies of an atom, but for a constant at each temperature.

        Parameters
        ----------
        volumes_A3 : (M,) array
            Volumes of an atom, A^3.
        temperature_K : float
            Temperature, K.

        Returns
        -------
        (M,) array
            Reference less potential, meV/atom; zero at `V0_A3`.
        """
        x, tau = np.asarray(volumes_A3, float) - V0_A3, (temperature_K - T0_K) / T0_K
        b1, b2, c1, c2 = self.mean[:, 0]
        return (b1 + b2 * tau) * x + (c1 + c2 * tau) * x**2

    def variance(self, volumes_A3, temperature_K: float) -> np.ndarray:
        """Variance of the difference of energies, of an atom.

        Parameters
        ----------
        volumes_A3 : (M,) array
            Volumes of an atom, A^3.
        temperature_K : float
            Temperature, K.

        Returns
        -------
        (M, 1 + D) array
            Variances, meV^2: what was found, then the draws.
        """
        return _variances(self.spread, temperature_K, np.asarray(volumes_A3, float)[:, None])


def shift(table: pd.DataFrame, n_atoms: int, n_bootstrap: int = 500, seed: int = 0) -> Shift:
    """What the frames of runs at constant volume say of the reference's free energy.

    Parameters
    ----------
    table : DataFrame
        A row for each frame: name (of the run), temperature_K, volume_A3 (of an atom) and
        difference_meV_per_atom, reference less potential.
    n_atoms : int
        Number of atoms of the cell.
    n_bootstrap : int
        Number of draws.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    Shift
        The law.

    Raises
    ------
    Unfit
        There are fewer runs than coefficients, fewer than two temperatures, fewer than three
        volumes, or a run has fewer than two frames.
    """
    runs = table.groupby("name", sort=False)
    each = [rows["difference_meV_per_atom"].to_numpy() for _, rows in runs]
    first = runs[["temperature_K", "volume_A3"]].first()
    T, v = first["temperature_K"].to_numpy(), first["volume_A3"].to_numpy()
    n_coefficients = len(np.unique(T)) + 4
    if len(np.unique(T)) < 2 or len(np.unique(v)) < 3 or len(each) < n_coefficients:
        raise Unfit(
            f"{len(each)} runs at {len(np.unique(T))} temperatures and {len(np.unique(v))} volumes "
            f"are too few for a law of {n_coefficients} coefficients"
        )
    if min(map(len, each)) < 2:
        raise Unfit("a run with one frame tells no scatter; two are needed at least")
    n = np.array([len(values) for values in each])
    means = np.array([values.mean() for values in each])
    rng = np.random.default_rng(seed)
    drawn_means, drawn_variances = [means], [np.array([x.var(ddof=1) for x in each])]
    for _ in range(n_bootstrap):
        again = [_again(values, rng) for values in each]
        drawn_means.append(np.array([values.mean() for values in again]))
        drawn_variances.append(np.array([values.var(ddof=1) for values in again]))
    spread = _spread(np.transpose(drawn_variances), n, T, v)
    laws = []
    for k, values in enumerate(drawn_means):
        weight = n / _variances(spread[:, k], T, v)
        laws.append(_mean(values, weight, T, v))
    fitted = np.array([law for law, _ in laws]).T
    s2 = _variances(spread[:, 0], T, v)
    chi2 = float((n * (means - laws[0][1]) ** 2 / s2).sum())
    freedom = len(each) - n_coefficients
    centred = np.concatenate([
        (values - values.mean()) * (len(values) / (len(values) - 1)) ** 0.5 / variance**0.5
        for values, variance in zip(each, s2, strict=True)
    ])  # fmt: skip
    law = Shift(n_atoms, fitted, spread, float((centred**3).mean()), (6 / n.sum()) ** 0.5,
                chi2, freedom, int(n.sum()))  # fmt: skip
    wider = fitted[:, :1] + law.factor * (fitted - fitted[:, :1])
    return Shift(n_atoms, wider, spread, law.skewness, law.skewness_error, chi2, freedom,
                 law.frames)  # fmt: skip


def _again(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values drawn again; their distances from the mean widened, since it is the values' own."""
    n = len(values)
    return values.mean() + (n / (n - 1)) ** 0.5 * rng.choice(values - values.mean(), n)


def _spread(variances: np.ndarray, n: np.ndarray, T: np.ndarray, v: np.ndarray) -> np.ndarray:
    """a, b, c (3, D) of the variances (M, D): a gamma law with a logarithmic link.

    Iterated least squares (McCullagh and Nelder, Generalized Linear Models, ch. 8), whose weights
    do not change with this link, so that all draws are fitted at once.
    """
    basis = np.column_stack([np.ones(len(T)), np.log(T / T0_K), v - V0_A3])
    root = np.sqrt(n - 1.0)[:, None]
    solve = np.linalg.pinv(basis * root) * root.T
    values = np.maximum(variances, 1e-6 * variances.mean(axis=0))  # of equal values there is none
    fitted = np.log((values + values.mean(axis=0)) / 2)
    for _ in range(_ITERATIONS):
        found = solve @ (fitted + values / np.exp(fitted) - 1)
        fitted = basis @ found
    return found


def _variances(spread: np.ndarray, T: np.ndarray | float, v: np.ndarray) -> np.ndarray:
    return np.exp(spread[0] + spread[1] * np.log(T / T0_K) + spread[2] * (v - V0_A3))


def _mean(means, weight, T, v) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients b1, b2, c1, c2 and the fitted means."""
    x, tau = v - V0_A3, (T - T0_K) / T0_K
    at = (T[:, None] == np.unique(T)).astype(float)
    basis = np.column_stack([x, x * tau, x**2, x**2 * tau, at])
    root = np.sqrt(weight)
    found = np.linalg.lstsq(basis * root[:, None], means * root, rcond=None)[0]
    return found[:4], basis @ found
