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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.integrate import trapezoid
from scipy.interpolate import CubicSpline

from helpers import units
from helpers.errors import Unfit

_GRID = 400
THROUGH_A3 = 18.0  # of an atom: half way between the dense crystal and the open one
_SURE = 0.95  # share of the draws
_LEFT_kT = 3.0  # G at an end of the range that leaves a twentieth of the weight there


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
    shared_bar : (M, D) array, optional
        D draws of an error that the pressures have in common, bar, such as that of a law that was
        added to them: draw k of one isotherm belongs to draw k of another.
    """

    temperature_K: float
    volumes_A3: np.ndarray
    pressures_bar: np.ndarray
    errors_bar: np.ndarray
    shared_bar: np.ndarray | None = None

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

    def shifted(self, added: Callable[[np.ndarray], np.ndarray]) -> Isotherm:
        """A copy with a pressure added that is a function of the volume, such as a correction.

        At constant volume an energy that depends on the volume alone changes the weight of no
        configuration, so that nothing has to be simulated again.

        Parameters
        ----------
        added : callable
            Volumes, A^3 -> pressures, bar.

        Returns
        -------
        Isotherm
            The copy, with the same errors.
        """
        return replace(self, pressures_bar=self.pressures_bar + added(self.volumes_A3))

    def with_law(self, added_bar: np.ndarray) -> Isotherm:
        """A copy with the pressures of a law added, whose errors all pressures share.

        Parameters
        ----------
        added_bar : (M, 1 + D) array
            Pressures of the law, bar, and draws of them.

        Returns
        -------
        Isotherm
            The copy.
        """
        return replace(self, pressures_bar=self.pressures_bar + added_bar[:, 0],
                       shared_bar=added_bar[:, 1:] - added_bar[:, :1])  # fmt: skip

    def widened(self, factor: float) -> Isotherm:
        """A copy with all errors times a factor.

        Parameters
        ----------
        factor : float
            The factor, above 0.

        Returns
        -------
        Isotherm
            The copy.
        """
        return replace(self, errors_bar=self.errors_bar * factor)

    def draws_bar(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Pressures drawn from their errors.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of random numbers for the errors of single pressures.
        n : int
            Number of draws; those of `shared_bar` are taken in turn.

        Returns
        -------
        (M, n) array
            Pressures, bar.
        """
        noise = rng.normal(0, self.errors_bar[:, None], (len(self.errors_bar), n))
        if self.shared_bar is not None:
            noise += self.shared_bar[:, np.arange(n) % self.shared_bar.shape[1]]
        return self.pressures_bar[:, None] + noise

    def drawn(self, rng: np.random.Generator, n: int) -> list[Isotherm]:
        """Copies whose pressures are drawn from their errors.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of random numbers.
        n : int
            Number of copies.

        Returns
        -------
        list of Isotherm
            The copies.
        """
        each = self.draws_bar(rng, n).T
        return [replace(self, pressures_bar=pressures) for pressures in each]

    def _spline(self) -> CubicSpline:
        return CubicSpline(self.volumes_A3, self.pressures_bar)


@dataclass(frozen=True)
class Smoothness:
    """How far pressures scatter about smooth curves of the volume, beside their errors.

    Attributes
    ----------
    chi2 : float
        Sum of the squared distances from the curves, in squared errors.
    freedom : int
        Points less coefficients of the curves.
    """

    chi2: float
    freedom: int

    @property
    def factor(self) -> float:
        """sqrt(chi2 / freedom), 1 at least; 1 where no freedom is left (Birge's ratio)."""
        return max(1.0, (self.chi2 / self.freedom) ** 0.5) if self.freedom else 1.0


def smoothness(curves: Sequence[Isotherm], degree: int = 3) -> Smoothness:
    """Scatter of the pressures about one polynomial of the volume at each temperature.

    Blocks of a run see what changes within the run. They do not see that another run at this volume
    might have stayed in another of several states; the scatter about a smooth curve does. A
    cubic is the simplest curve that can have a loop. What of the true curve is no polynomial counts
    as scatter, too, so that errors times `Smoothness.factor` are rather too large.

    Parameters
    ----------
    curves : sequence of Isotherm
        Isotherms.
    degree : int
        Degree of the polynomials.

    Returns
    -------
    Smoothness
        The scatter, all temperatures together.
    """
    chi2, freedom = 0.0, 0
    for curve in curves:
        left = len(curve.volumes_A3) - degree - 1
        if left > 0:
            V = curve.volumes_A3 - curve.volumes_A3.mean()
            fit = np.polyfit(V, curve.pressures_bar, degree, w=1 / curve.errors_bar)
            off = (curve.pressures_bar - np.polyval(fit, V)) / curve.errors_bar
            chi2, freedom = chi2 + float((off**2).sum()), freedom + left
    return Smoothness(chi2, freedom)


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
        (G of the open minus that of the dense phase) and ``barrier_eV``; where there are two minima
        at one temperature or more, their errors, too, and ``two_minima``, the share of the
        bootstrap samples with two minima.
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
    if not plain["difference_eV"].notna().any():
        return Coexistence(
            np.nan, np.nan, pressure_bar, plain,
            f"one minimum of G at every temperature from {plain['temperature_K'].min():g} to "
            f"{plain['temperature_K'].max():g} K and {pressure_bar:g} bar: no transition of first "
            "order between the volumes looked at",
        )  # fmt: skip
    copies = [curve.drawn(rng, n_bootstrap) for curve in curves]
    draws = [_phases(together, pressure_bar) for together in zip(*copies, strict=True)]
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


def _phases(curves: Sequence[Isotherm], pressure_bar: float) -> pd.DataFrame:
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


@dataclass(frozen=True)
class Equilibrium:
    """What a cell of some size does at one pressure, from its isotherms.

    Attributes
    ----------
    table : DataFrame
        A row for each temperature. temperature_K; volume_A3 and error_A3, the mean volume of an
        atom; ``limit``, "<" or ">" where G at the smallest or the largest volume looked at is less
        than 3 kT of the cell above its minimum, so that the true mean lies beyond, "<>" where both
        are, else empty; minima, the number of minima
        of G; one_minimum and two_minima, the shares of the draws that have one and that have more;
        barrier_kT and barrier_error_kT (of the draws that have one) between the outer minima, NaN
        where there is one; barrier_below_kT, above which it lies in 5 % of the draws (a draw with
        one minimum has none).
    temperature_K : float
        Temperature at which the mean volume passes `through_A3`, K; infinite if it lies beyond the
        highest temperature, minus infinite below the lowest.
    low_K, high_K : float
        Its 95 % limits, K, infinite likewise.
    through_A3 : float
        Volume of an atom that is passed, A^3.
    order : str
        "first-order", "continuous" or "cannot tell".
    coexistence : Coexistence
        Where both phases are equally deep, if there are two.
    """

    table: pd.DataFrame
    temperature_K: float
    low_K: float
    high_K: float
    through_A3: float
    order: str
    coexistence: Coexistence

    def __str__(self) -> str:
        limits = [_kelvins(at, self.table["temperature_K"]) for at in (self.low_K, self.high_K)]
        passes = _kelvins(self.temperature_K, self.table["temperature_K"])
        between = f" (95 %: {limits[0]} to {limits[1]})" if limits[0] != limits[1] else ""
        at = "at " if np.isfinite(self.temperature_K) else ""
        return (
            f"the mean volume passes {self.through_A3:g} Å³ an atom {at}{passes}{self._beyond()}"
            f"{between}"
        )

    def _beyond(self) -> str:
        """Where the true temperature lies if volumes beyond the range would change the mean."""
        T = self.table["temperature_K"].to_numpy()
        if not T.min() < self.temperature_K < T.max():
            return ""
        above = np.searchsorted(T, self.temperature_K)
        ends = "".join(sorted(set("".join(self.table["limit"].iloc[above - 1 : above + 1]))))
        said = {">": " or below", "<": " or above", "<>": ", or below, or above"}
        return said.get(ends, "")


def equilibrium(
    curves: Sequence[Isotherm],
    n_atoms: int,
    pressure_bar: float = 0.0,
    through_A3: float = THROUGH_A3,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> Equilibrium:
    r"""Equilibrium volumes, the number of minima of G, and the temperature at which a cell opens.

    A cell of N atoms has the volume V with the probability :math:`\propto \exp(-N g(V) / k_B T)`, g
    being G of an atom. Its mean passes ``through_A3`` in a straight line between two temperatures,
    above which it stays above. All pressures are drawn from their errors. Two minima are shown
    where 95 % of the draws have them and the barrier is larger than its error; one where 95 % have
    one.

    Parameters
    ----------
    curves : sequence of Isotherm
        Isotherms with volumes of an atom, of one temperature or more.
    n_atoms : int
        Number of atoms N of the cell.
    pressure_bar : float
        Pressure of the barostat, bar.
    through_A3 : float
        Volume of an atom that is passed when the cell opens, A^3.
    n_bootstrap : int
        Number of draws.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    Equilibrium
        The volumes and the temperature.

    Raises
    ------
    Unfit
        There is no isotherm.
    """
    if not len(curves):
        raise Unfit("an equilibrium needs the pressures of one temperature at least")
    curves = sorted(curves, key=lambda curve: curve.temperature_K)
    rng = np.random.default_rng(seed)
    rows, volumes = [], []
    for curve in curves:
        drawn = curve.draws_bar(rng, n_bootstrap)
        drawn[:, 0] = curve.pressures_bar  # the first is what was measured
        mean, row = _weighed(curve, drawn - pressure_bar, n_atoms)
        volumes.append(mean)
        rows.append({"temperature_K": curve.temperature_K} | row)
    T = np.array([curve.temperature_K for curve in curves])
    passes = np.array([_passes(T, one, through_A3) for one in np.transpose(volumes)])
    low, high = np.quantile(passes, [0.025, 0.975], method="nearest")
    table = pd.DataFrame(rows)
    both = coexistence(list(curves), pressure_bar, n_bootstrap, seed)
    two = (table["two_minima"] >= _SURE) & (table["barrier_kT"] > table["barrier_error_kT"])
    order = "cannot tell"
    if two.any() and np.isfinite(both.temperature_K):
        order = "first-order"
    elif (table["one_minimum"] >= _SURE).all():
        order = "continuous"
    return Equilibrium(
        table, float(passes[0]), float(low), float(high), through_A3, order, both
    )  # fmt: skip


def _weighed(curve: Isotherm, pressures_bar: np.ndarray, n_atoms: int) -> tuple[np.ndarray, dict]:
    """Mean volumes (D,) and the row of a temperature.

    The pressures (M, D) are drawn, and those of the barostat are taken off.
    """
    V = np.linspace(curve.volumes_A3[0], curve.volumes_A3[-1], _GRID)
    spline = CubicSpline(curve.volumes_A3, pressures_bar)
    G = -spline.antiderivative()(V) / units.EV_PER_A3_IN_BAR
    kT = units.BOLTZMANN_EV_PER_K * curve.temperature_K
    G = (G - G.min(axis=0)) * n_atoms / kT
    weight = np.exp(-G)
    mean = trapezoid(V[:, None] * weight, V, axis=0) / trapezoid(weight, V, axis=0)
    below = np.vstack([G[1:] > G[:-1], np.ones_like(G[:1], bool)])  # than the next volume
    above = np.vstack([np.ones_like(G[:1], bool), G[:-1] >= G[1:]])  # not above the one before
    minimum = below & above
    many = minimum.sum(axis=0)
    barrier = np.zeros(many.shape)
    for draw in np.flatnonzero(many > 1):
        ends = np.flatnonzero(minimum[:, draw])[[0, -1]]
        barrier[draw] = G[ends[0] : ends[1] + 1, draw].max() - G[ends, draw].max()
    with_one = barrier[many > 1]
    return mean, {
        "volume_A3": float(mean[0]),
        "error_A3": float(mean[1:].std(ddof=1)),
        "limit": "<" * bool(G[0, 0] < _LEFT_kT) + ">" * bool(G[-1, 0] < _LEFT_kT),
        "minima": int(many[0]),
        "one_minimum": float((many == 1).mean()),
        "two_minima": float((many > 1).mean()),
        "barrier_kT": float(barrier[0]) if many[0] > 1 else np.nan,
        "barrier_error_kT": float(with_one.std(ddof=1)) if len(with_one) > 1 else np.nan,
        "barrier_below_kT": float(np.quantile(barrier, _SURE)),
    }


def _passes(T: np.ndarray, volumes: np.ndarray, through: float) -> float:
    """Temperature above which the volumes stay above a value, infinite where it lies outside."""
    below = np.flatnonzero(volumes < through)
    if not len(below):
        return -np.inf
    k = below[-1]
    if k == len(T) - 1:
        return np.inf
    share = (through - volumes[k]) / (volumes[k + 1] - volumes[k])
    return float(T[k] + share * (T[k + 1] - T[k]))


def _kelvins(at: float, temperatures: pd.Series) -> str:
    if np.isfinite(at):
        return f"{at:.0f} K"
    return f"above {temperatures.max():.0f} K" if at > 0 else f"below {temperatures.min():.0f} K"


def pressure_of(curve: Isotherm, volume_A3: float, n_bootstrap: int = 500, seed: int = 0):
    """Pressure at which a volume is that of equilibrium, if it can be.

    Parameters
    ----------
    curve : Isotherm
        The isotherm.
    volume_A3 : float
        The volume, A^3, at most half a spacing of the points outside of their range, where the
        pressure at the end of the range is given.
    n_bootstrap : int
        Number of draws.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    pressure_bar : float
        Pressure, bar; NaN farther outside.
    error_bar : float
        Its standard error, bar.
    stable : bool
        Whether the pressure falls with the volume there: elsewhere a cell at this pressure does
        not stay at this volume.
    """
    V = curve.volumes_A3
    spare = np.diff(V).max() / 2
    if not V[0] - spare <= volume_A3 <= V[-1] + spare:
        return np.nan, np.nan, False
    at = float(np.clip(volume_A3, V[0], V[-1]))
    rng = np.random.default_rng(seed)
    drawn = [float(copy.pressure_bar(at)) for copy in curve.drawn(rng, n_bootstrap)]
    slope = float(CubicSpline(V, curve.pressures_bar)(at, 1))
    return float(curve.pressure_bar(at)), float(np.std(drawn, ddof=1)), slope < 0


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """Pressures of cells of two sizes at the same volumes and temperatures.

    Parameters
    ----------
    table : DataFrame
        Columns ``n_atoms``, ``temperature_K``, ``volume_A3``, ``pressure_bar`` and ``error_bar``.

    Returns
    -------
    DataFrame
        A row for each temperature and volume (A^3) that the smallest cell and a larger one have:
        n_atoms of the larger, temperature_K, volume_A3, difference_bar (larger less smallest) and
        error_bar.
    """
    columns = ["n_atoms", "temperature_K", "volume_A3", "difference_bar", "error_bar"]
    small = table[table["n_atoms"] == table["n_atoms"].min()]
    large = table[table["n_atoms"] > table["n_atoms"].min()]
    both = large.merge(small, on=["temperature_K", "volume_A3"], suffixes=("", "_small"))
    both["difference_bar"] = both["pressure_bar"] - both["pressure_bar_small"]
    both["error_bar"] = np.hypot(both["error_bar"], both["error_bar_small"])
    return both[columns].sort_values(columns[:3]).reset_index(drop=True)
