r"""Free energy as a function of volume from integrated pressures: a transition without heating.

At one temperature

.. math:: F(V) - F(V_0) = -\int_{V_0}^{V} P(V')\, \mathrm{d}V', \qquad G(V) = F(V) + pV,

from mean pressures of runs at constant volume. Phases that are stable at the pressure p of the
barostat are minima of G(V), where P(V) = p and P falls with V (Frenkel and Smit, Understanding
Molecular Simulation, ch. 7). Two minima of equal depth coexist: Maxwell's equal areas. In a cell of
a few hundred atoms the volumes between them are passed without an interface, so that P(V) has a
loop and G a barrier, both of which depend on the size of the cell; the depths of the minima hardly
do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline

from helpers import units
from helpers.errors import Unfit

_GRID = 400


@dataclass(frozen=True)
class Isotherm:
    """P(V) at one temperature, a cubic spline through its points.

    Volumes may be those of a cell or of an atom; energies then refer to the same.

    Attributes
    ----------
    temperature_K : float
        Temperature, K.
    volumes_A3 : (M,) array
        Volumes, A^3, increasing, four or more.
    pressures_bar : (M,) array
        Mean pressures, bar.
    errors_bar : (M,) array
        Their standard errors, bar.
    """

    temperature_K: float
    volumes_A3: np.ndarray
    pressures_bar: np.ndarray
    errors_bar: np.ndarray

    def pressure_bar(self, volumes_A3) -> np.ndarray:
        """Interpolated pressure.

        Parameters
        ----------
        volumes_A3 : float or array
            Volume, A^3.

        Returns
        -------
        array
            Pressure, bar.
        """
        return self._spline()(np.asarray(volumes_A3, float))

    def free_energy_eV(self, volumes_A3) -> np.ndarray:
        """Helmholtz free energy relative to the smallest volume.

        Parameters
        ----------
        volumes_A3 : float or array
            Volume, A^3.

        Returns
        -------
        array
            F(V) - F(smallest volume), eV.
        """
        work = self._spline().antiderivative()
        return -(work(np.asarray(volumes_A3, float)) - work(self.volumes_A3[0])) / (
            units.EV_PER_A3_IN_BAR
        )

    def gibbs_eV(self, volumes_A3, pressure_bar: float = 0.0) -> np.ndarray:
        """G(V) = F + pV relative to the smallest volume.

        Parameters
        ----------
        volumes_A3 : float or array
            Volume, A^3.
        pressure_bar : float
            Pressure p, bar.

        Returns
        -------
        array
            G(V) - G(smallest volume), eV.
        """
        V = np.asarray(volumes_A3, float)
        return self.free_energy_eV(V) + pressure_bar * (V - self.volumes_A3[0]) / (
            units.EV_PER_A3_IN_BAR
        )

    def minima_A3(self, pressure_bar: float = 0.0) -> np.ndarray:
        """Volumes of the minima of G within the range of the points.

        Parameters
        ----------
        pressure_bar : float
            Pressure p, bar.

        Returns
        -------
        array
            Volumes, A^3, increasing.
        """
        spline = self._spline()
        roots = np.unique(np.round(spline.solve(pressure_bar, extrapolate=False), 9))
        return roots[spline(roots, 1) < 0]

    def difference_eV(self, pressure_bar: float = 0.0) -> float:
        """G of the minimum of largest volume minus that of the minimum of smallest volume.

        Parameters
        ----------
        pressure_bar : float
            Pressure p, bar.

        Returns
        -------
        float
            Difference, eV; NaN if there are fewer than two minima.
        """
        minima = self.minima_A3(pressure_bar)
        if len(minima) < 2:
            return np.nan
        dense, open_ = self.gibbs_eV(minima[[0, -1]], pressure_bar)
        return float(open_ - dense)

    def barrier_eV(self, pressure_bar: float = 0.0) -> float:
        """Barrier between the outer minima: highest G minus that of the higher minimum.

        Parameters
        ----------
        pressure_bar : float
            Pressure p, bar.

        Returns
        -------
        float
            Barrier, eV; NaN if there are fewer than two minima.
        """
        minima = self.minima_A3(pressure_bar)
        if len(minima) < 2:
            return np.nan
        V = np.linspace(minima[0], minima[-1], _GRID)
        ends = self.gibbs_eV(minima[[0, -1]], pressure_bar)
        return float(self.gibbs_eV(V, pressure_bar).max() - ends.max())

    def drawn(self, rng: np.random.Generator) -> Isotherm:
        """A copy whose pressures are drawn from their errors.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of random numbers.

        Returns
        -------
        Isotherm
            The copy.
        """
        return Isotherm(
            self.temperature_K, self.volumes_A3,
            rng.normal(self.pressures_bar, self.errors_bar), self.errors_bar,
        )  # fmt: skip

    def _spline(self) -> CubicSpline:
        return CubicSpline(self.volumes_A3, self.pressures_bar)


def isotherms(table: pd.DataFrame) -> list[Isotherm]:
    """Isotherms from a table of runs.

    Two rows of the same temperature and volume (started from either phase) are replaced by their
    weighted mean; if they differ by more than their errors, half the difference is the error,
    because the volume was not equilibrated from both sides.

    Parameters
    ----------
    table : DataFrame
        Columns ``temperature_K``, ``volume_A3``, ``pressure_bar`` and ``error_bar``.

    Returns
    -------
    list of Isotherm
        One for each temperature.

    Raises
    ------
    Unfit
        A column or a value is missing, an error is not positive, or a temperature has fewer than
        four volumes.
    """
    needed = ["temperature_K", "volume_A3", "pressure_bar", "error_bar"]
    if missing := [name for name in needed if name not in table]:
        raise Unfit(f"the table of pressures has no column {', '.join(missing)}")
    if not (np.isfinite(table[needed]).all().all() and (table["error_bar"] > 0).all()):
        raise Unfit("every pressure needs a positive error, and no value may be missing")
    found = []
    for temperature, rows in table.groupby("temperature_K"):
        joined = pd.DataFrame([_joined(v, same) for v, same in rows.groupby("volume_A3")])
        if len(joined) < 4:
            raise Unfit(
                f"{len(joined)} volumes at {temperature:g} K; a curve that may have a loop needs "
                "four at least"
            )
        T = float(rows["temperature_K"].iloc[0])
        found.append(Isotherm(T, *(joined[c].to_numpy() for c in needed[1:])))
    return found


def _joined(volume, rows) -> dict:
    weight = 1 / rows["error_bar"] ** 2
    mean = float((rows["pressure_bar"] * weight).sum() / weight.sum())
    apart = float(rows["pressure_bar"].max() - rows["pressure_bar"].min()) / 2
    error = max(float(weight.sum() ** -0.5), apart if len(rows) > 1 else 0.0)
    return {"volume_A3": float(volume), "pressure_bar": mean, "error_bar": error}


@dataclass(frozen=True)
class Coexistence:
    """The temperature at which two phases coexist.

    Attributes
    ----------
    temperature_K : float
        Temperature at which both phases have the same G, K; NaN if there is none.
    error_K : float
        Its standard error, K.
    pressure_bar : float
        Pressure, bar.
    phases : DataFrame
        A row for each temperature: ``temperature_K``, ``dense_A3``, ``open_A3``, ``difference_eV``
        (G of the open minus that of the dense phase) and ``barrier_eV`` with their errors, and
        ``two_minima``, the share of the bootstrap samples with two minima.
    reason : str
        What was found, in a sentence.
    """

    temperature_K: float
    error_K: float
    pressure_bar: float
    phases: pd.DataFrame
    reason: str

    def __str__(self) -> str:
        return self.reason


def coexistence(
    curves: list[Isotherm], pressure_bar: float = 0.0, n_bootstrap: int = 500, seed: int = 0
) -> Coexistence:
    """Temperature at which the dense and the open phase have the same G.

    The difference of G at the temperatures that have two minima is fitted by a straight line in T;
    its zero is the transition if it lies between these temperatures or at most half their spacing
    outside. The errors are from samples in which all pressures are drawn from their errors.

    Parameters
    ----------
    curves : list of Isotherm
        Isotherms of several temperatures.
    pressure_bar : float
        Pressure p, bar.
    n_bootstrap : int
        Number of samples.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    Coexistence
        The transition, or why there is none.
    """
    rng = np.random.default_rng(seed)
    plain = _phases(curves, pressure_bar)
    draws = [_phases([c.drawn(rng) for c in curves], pressure_bar) for _ in range(n_bootstrap)]
    both = np.array([np.isfinite(d["difference_eV"]) for d in draws])
    rows = plain.assign(two_minima=both.mean(axis=0))
    for name in ("difference_eV", "barrier_eV"):
        values = np.array([d[name] for d in draws])
        rows[f"{name[:-3]}_error_eV"] = [
            np.nanstd(v[np.isfinite(v)], ddof=1) if np.isfinite(v).sum() > 1 else np.nan
            for v in values.T
        ]
    at, tried = _zero(plain), np.array([_zero(d) for d in draws])
    found = np.isfinite(tried)
    if not (plain["difference_eV"].notna()).any():
        return Coexistence(
            np.nan, np.nan, pressure_bar, rows,
            f"one minimum of G at every temperature from {rows['temperature_K'].min():g} to "
            f"{rows['temperature_K'].max():g} K and {pressure_bar:g} bar: no transition of first "
            "order between the volumes looked at",
        )  # fmt: skip
    if not np.isfinite(at) or found.mean() < 0.5:
        which = rows[rows["difference_eV"].notna()]
        return Coexistence(
            np.nan, np.nan, pressure_bar, rows,
            "two minima at "
            + ", ".join(f"{T:g} K" for T in which["temperature_K"])
            + ", but nowhere equally deep within these temperatures (G of the open less the "
            "dense one: "
            + ", ".join(f"{1e3 * d:+.0f} meV" for d in which["difference_eV"])
            + ")",
        )  # fmt: skip
    error = float(np.std(tried[found], ddof=1))
    return Coexistence(
        float(at), error, pressure_bar, rows,
        f"both phases are equally deep at {at:.0f} ± {error:.0f} K and {pressure_bar:g} bar "
        f"({100 * found.mean():.0f} % of the draws have such a temperature)",
    )  # fmt: skip


def _phases(curves: list[Isotherm], pressure_bar: float) -> pd.DataFrame:
    rows = []
    for curve in curves:
        minima = curve.minima_A3(pressure_bar)
        rows.append(
            {
                "temperature_K": curve.temperature_K,
                "dense_A3": minima[0] if len(minima) else np.nan,
                "open_A3": minima[-1] if len(minima) > 1 else np.nan,
                "difference_eV": curve.difference_eV(pressure_bar),
                "barrier_eV": curve.barrier_eV(pressure_bar),
            }
        )
    return pd.DataFrame(rows)


def _zero(phases: pd.DataFrame) -> float:
    """Temperature where the line through the differences of G is zero, NaN if far outside."""
    rows = phases.dropna(subset="difference_eV")
    if len(rows) < 2:
        return np.nan
    T, d = rows["temperature_K"].to_numpy(), rows["difference_eV"].to_numpy()
    slope, at = np.polyfit(T, d, 1)
    if slope == 0:
        return np.nan
    zero = -at / slope
    spare = np.diff(np.sort(phases["temperature_K"])).max() / 2
    return float(zero) if T.min() - spare <= zero <= T.max() + spare else np.nan
