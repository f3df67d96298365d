"""Potential of mean force, activation free energy of breaking a bond, and its line in T.

Two conventions are in use for the free energy along a distance. They differ by the entropy of the
growing shell, ``-2 k_B T ln r``:

- ``"g"``, the potential of mean force proper, ``F(r) = -k_B T ln g(r)``: flat for an ideal gas.
  We take the paper to mean it (Figs. 3c, d: "PMF by the PRDF"; it gives no formula).
- ``"distance"``, the free energy of the coordinate r, ``F(r) = -k_B T ln [4 pi r^2 g(r)]``, of
  umbrella sampling and metadynamics: its barrier is lower by ``2 k_B T ln(r_b / r_1)``, which
  adds the *same* amount to dS at every temperature and leaves dU alone.

``"g"`` is the default everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.signal import find_peaks
from scipy.stats import chi2

from helpers import units
from helpers.errors import Unfit
from helpers.observables import peaks
from helpers.observables.rdf import RDF

#: A, where lower bounds of the Zn-N barrier count pairs: from the foot of the first peak of the
#: crystal (2.0 A) to that of the second (4.2 A). Fixed: a window drawn around bins that turned out
#: empty would bound the barrier too high.
VALLEY_A = (2.8, 3.5)


class BarrierNotSampled(ValueError):
    """The frames hold too few pairs near the barrier to determine its height.

    Attributes
    ----------
    lower_bound : float
        Least height of the barrier, kJ/mol, 95 % confidence (``PMF.lower_bound``).
    """

    lower_bound = np.nan


class NoBarrier(ValueError):
    """g(r) does not show two peaks with a valley between them."""


class LineNotDetermined(ValueError):
    """The barrier is known at too few temperatures to determine a line."""


@dataclass(frozen=True)
class Barrier:
    """Activation free energy of breaking a bond at one temperature.

    Attributes
    ----------
    dF : float
        Activation free energy, kJ/mol.
    error : float
        Its standard error, kJ/mol; NaN if the counts are unknown.
    r_bound : float
        Position of the first peak of g(r), A.
    r_barrier : float
        Position of the valley behind it, A.
    counts : int or None
        Pairs found in the valley.
    lower_bound : float
        Least height, kJ/mol, 95 % confidence (``PMF.lower_bound``).
    """

    dF: float
    error: float
    r_bound: float
    r_barrier: float
    counts: int | None
    lower_bound: float = np.nan


@dataclass(frozen=True)
class PMF:
    """Potential of mean force at one temperature.

    Attributes
    ----------
    r : (B,) array
        Distance, A.
    w : (B,) array
        Potential of mean force, kJ/mol; NaN where g = 0 (distance not sampled, not an infinite
        energy).
    g : (B,) array
        Radial distribution function.
    temperature_K : float
        Temperature, K.
    ideal : (B,) array or None
        Pairs expected in an ideal gas, for each bin.
    error : (B,) array or None
        Standard error of w, ``k_B T`` times the relative error of g, kJ/mol.
    block_counts : (K, B) array or None
        The pairs in K blocks of consecutive frames.
    block_share : (K,) array or None
        Share of each block in ``ideal``.
    """

    r: np.ndarray
    w: np.ndarray
    g: np.ndarray
    temperature_K: float
    ideal: np.ndarray | None = None
    error: np.ndarray | None = None
    block_counts: np.ndarray | None = None
    block_share: np.ndarray | None = None

    def activation_free_energy(
        self,
        window: float = 0.2,
        min_counts: int = 5,
        r_second_max: float = 6.0,
        convention: str = "g",
        valley: tuple[float, float] = VALLEY_A,
    ) -> Barrier:
        r"""Height of w(r) between the first and the second peak of g(r), above the first peak.

        .. math:: \Delta F = w(r_b) - w(r_1) = k_B T \ln[g(r_1) / g(r_b)]

        g(r_b) is the lowest g between the peaks, averaged over ``window`` so that it does not
        depend on a single empty bin. The error is that of Poisson counts, ``k_B T / sqrt(counts)``,
        for independent pairs; it is too small if frames are closer in time than a crossing takes.
        The lowest of several noisy windows lies below the true minimum, so that dF is too high:
        with ten pairs in a wide, flat valley by more than its error. ``bootstrap`` corrects both,
        and ``lower_bound`` is not affected.

        Parameters
        ----------
        window : float
            Width of the average, A.
        min_counts : int
            Least number of pairs in the lowest window.
        r_second_max : float
            Upper end of the range in which the second peak is searched, A.
        convention : str
            ``"g"`` or ``"distance"``, see the module.
        valley : (float, float)
            Range of distances used for the lower bound, A.

        Returns
        -------
        Barrier
            Height, error and positions.

        Raises
        ------
        Unfit
            The convention is unknown.
        BarrierNotSampled
            There are fewer than ``min_counts`` pairs in the lowest window; the error carries the
            lower bound.
        NoBarrier
            There is no first or no second peak.
        """
        if convention not in ("g", "distance"):
            raise Unfit(f"convention {convention!r} is unknown; use 'g' or 'distance'")
        kT = units.GAS_CONSTANT_KJ_PER_MOL_K * self.temperature_K
        smooth, pooled = self._smooth(window)
        r_bound, highest, second = found = self._peaks(smooth, window, r_second_max)
        bound = self._bound(found, valley, 0.95, convention)
        between = np.flatnonzero((self.r > r_bound) & (self.r < second))
        lowest = between[np.argmin(smooth[between])]
        counts = None
        if self.ideal is not None:
            counts = round(smooth[lowest] * pooled[lowest])
        if smooth[lowest] == 0 or (counts is not None and counts < min_counts):
            raise self._not_sampled(bound, valley)
        shell = 2 * kT * np.log(self.r[lowest] / r_bound) if convention == "distance" else 0.0
        return Barrier(
            dF=float(kT * np.log(highest / smooth[lowest]) - shell),
            error=float(kT / np.sqrt(counts)) if counts else np.nan,
            r_bound=r_bound,
            r_barrier=float(self.r[lowest]),
            counts=counts,
            lower_bound=bound,
        )

    def lower_bound(
        self,
        valley: tuple[float, float] = VALLEY_A,
        level: float = 0.95,
        convention: str = "g",
        window: float = 0.2,
        r_second_max: float = 6.0,
    ) -> float:
        r"""Lower confidence limit of the height of the barrier, whether or not it was sampled.

        The lowest g between the peaks is at most the mean g of any window V between them, and that
        mean has an upper confidence limit if the window is fixed *before* its pairs are counted:

        .. math:: \Delta F \ge k_B T \ln \frac{g(r_1) \sum_V n_{ideal}}{\lambda}, \quad
            \lambda = \tfrac{\varphi}{2} \chi^2_{level}\left(2 (n / \varphi + 1)\right)

        n pairs are found in V, where :math:`\sum_V n_{ideal}` are expected in an ideal gas. For
        :math:`\varphi = 1`, :math:`\lambda` is the exact one-sided limit of a Poisson mean
        (Garwood, Biometrika 28, 437 (1936)), 3.0 at 95 % if no pair is found. Pairs that occur in
        clusters count less: :math:`\varphi` is the index of dispersion of the blocks of frames
        (quasi-Poisson, McCullagh & Nelder, Generalized Linear Models, 2nd ed., 1989, sec. 6.2.3), 1
        at least. If no pair is found, :math:`\varphi` is unknown and taken as 1: the frames must
        then be further apart in time than a pair takes to cross the valley (``snapshots.spaced``).

        Parameters
        ----------
        valley : (float, float)
            The window V, A; bins with their centre inside are used.
        level : float
            Confidence level between 0 and 1.
        convention : str
            ``"g"`` or ``"distance"``; the latter subtracts :math:`2 k_B T \ln(r_V / r_1)` with the
            outer end of V, its largest value there.
        window : float
            As in ``activation_free_energy``, A.
        r_second_max : float
            As in ``activation_free_energy``, A.

        Returns
        -------
        float
            The least height, kJ/mol, zero at least; NaN without ``ideal`` or if V does not lie
            between the peaks.

        Raises
        ------
        NoBarrier
            There is no first or no second peak.
        """
        found = self._peaks(self._smooth(window)[0], window, r_second_max)
        return self._bound(found, valley, level, convention)

    def _bound(self, found, valley, level, convention) -> float:
        r_bound, highest, second = found
        inside = (self.r > valley[0]) & (self.r < valley[1])
        if self.ideal is None or not (r_bound < valley[0] < valley[1] < second) or not inside.any():
            return np.nan
        n = round(float((self.g * self.ideal)[inside].sum()))
        clumps = self._dispersion(inside)
        most = clumps * chi2.ppf(level, 2 * (n / clumps + 1)) / 2
        work = np.log(highest * self.ideal[inside].sum() / most)
        if convention == "distance":
            work -= 2 * np.log(valley[1] / r_bound)
        return max(0.0, float(units.GAS_CONSTANT_KJ_PER_MOL_K * self.temperature_K * work))

    def _dispersion(self, inside: np.ndarray) -> float:
        """Variance of the pairs in a block over what independent pairs would have, 1 at least."""
        if self.block_counts is None or self.block_share is None or len(self.block_share) < 2:
            return 1.0
        found, share = self.block_counts[:, inside].sum(axis=1), self.block_share
        expected = found.sum() * (1 - (share**2).sum())
        if expected <= 0:
            return 1.0
        return max(1.0, float(((found - share * found.sum()) ** 2).sum() / expected))

    def _smooth(self, window: float) -> tuple[np.ndarray, np.ndarray]:
        """g averaged over ``window`` (A) around each bin, and the ideal gas's pairs in it."""
        weight = self.r**2 if self.ideal is None else self.ideal
        kernel = np.ones(max(1, round(window / (self.r[1] - self.r[0]))))
        pooled = np.convolve(weight, kernel, "same")
        return np.convolve(self.g * weight, kernel, "same") / pooled, pooled

    def _peaks(self, smooth, window: float, r_second_max: float) -> tuple[float, float, float]:
        """Position (A) and height of the first peak of g(r), position of the second."""
        try:
            _, r_bound, highest = peaks.first_maximum(self.r, self.g)
        except peaks.PeakNotResolved as error:
            raise NoBarrier(f"no barrier at {self.temperature_K:.0f} K: {error}") from error
        found, shape = find_peaks(smooth, prominence=0.2)
        near = (self.r[found] > r_bound + window) & (self.r[found] < r_second_max)
        found, prominence = found[near], shape["prominences"][near]
        if len(found):  # a few pairs that meet in the valley are no peak
            found = found[prominence > prominence.max() / 2]
        else:
            raise NoBarrier(
                f"no barrier at {self.temperature_K:.0f} K: g(r) has no second peak between "
                f"{r_bound:.2f} and {r_second_max:.1f} A"
            )
        return r_bound, highest, float(self.r[found[0]])

    def _not_sampled(self, bound: float, valley: tuple[float, float]) -> BarrierNotSampled:
        seen = "too few pairs"
        if self.ideal is not None:
            inside = (self.r > valley[0]) & (self.r < valley[1])
            seen = f"{(self.g * self.ideal)[inside].sum():.0f} pairs"
        error = BarrierNotSampled(
            f"barrier not sampled at {self.temperature_K:.0f} K: {seen} between {valley[0]:g} and "
            f"{valley[1]:g} A, "
            + (f"so dF > {bound:.0f} kJ/mol (95 %)" if np.isfinite(bound) else "no bound known")
            + "; more frames or a higher temperature would show it"
        )
        error.lower_bound = float(bound)
        return error


def pmf(r, g, temperature_K: float, ideal=None) -> PMF:
    """Potential of mean force, ``w(r) = -k_B T ln g(r)``.

    Parameters
    ----------
    r : (B,) array
        Distance, A.
    g : (B,) array
        Radial distribution function.
    temperature_K : float
        Temperature, K.
    ideal : (B,) array, optional
        Pairs expected in an ideal gas (``RDF.ideal``), needed for errors and lower bounds of
        barriers.

    Returns
    -------
    PMF
        w in kJ/mol, NaN where g = 0.

    Raises
    ------
    Unfit
        g is negative somewhere, or the temperature is not positive.
    """
    r, g = np.asarray(r, float), np.asarray(g, float)
    if temperature_K <= 0 or (g < 0).any():
        raise Unfit("a potential of mean force needs T > 0 and g(r) >= 0")
    w = np.full(len(g), np.nan)
    w[g > 0] = -units.GAS_CONSTANT_KJ_PER_MOL_K * temperature_K * np.log(g[g > 0])
    return PMF(r, w, g, float(temperature_K), None if ideal is None else np.asarray(ideal, float))


def from_rdf(rdf: RDF, temperature_K: float) -> PMF:
    """Potential of mean force of an RDF, with its counting statistics and its blocks.

    Parameters
    ----------
    rdf : RDF
        The radial distribution function.
    temperature_K : float
        Temperature, K.

    Returns
    -------
    PMF
        w and its standard error in kJ/mol.

    Raises
    ------
    Unfit
        The temperature is not positive.
    """
    found = pmf(rdf.r, rdf.g, temperature_K, rdf.ideal)
    kT = units.GAS_CONSTANT_KJ_PER_MOL_K * temperature_K
    relative = np.divide(rdf.error, rdf.g, out=np.full(len(rdf.g), np.nan), where=rdf.g > 0)
    return replace(
        found, error=kT * relative, block_counts=rdf.block_counts, block_share=rdf.block_share
    )


def activation_free_energies(pmfs: Iterable[PMF], convention: str = "g") -> pd.DataFrame:
    """Table of activation free energies.

    Parameters
    ----------
    pmfs : iterable of PMF
        One for each temperature.
    convention : str
        ``"g"`` or ``"distance"``, see the module.

    Returns
    -------
    DataFrame
        A row for each temperature: ``temperature_K``, ``dF_kJ_mol``, ``error_kJ_mol``,
        ``lower_bound_kJ_mol`` (95 % confidence, given for sampled barriers as well) and ``note``.
        If the barrier was not sampled, dF is NaN and ``note`` gives the reason.
    """
    rows = []
    for one in pmfs:
        row = {
            "temperature_K": one.temperature_K,
            "dF_kJ_mol": np.nan,
            "error_kJ_mol": np.nan,
            "lower_bound_kJ_mol": np.nan,
            "note": "",
        }
        try:
            barrier = one.activation_free_energy(convention=convention)
            row |= {
                "dF_kJ_mol": barrier.dF,
                "error_kJ_mol": barrier.error,
                "lower_bound_kJ_mol": barrier.lower_bound,
            }
        except BarrierNotSampled as error:
            row |= {"lower_bound_kJ_mol": error.lower_bound, "note": str(error)}
        except NoBarrier as error:
            row |= {"note": str(error)}
        rows.append(row)
    columns = ["temperature_K", "dF_kJ_mol", "error_kJ_mol", "lower_bound_kJ_mol", "note"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class FreeEnergyLine:
    """Activation free energy as a function of temperature, ``dF(T) = dU - T dS``.

    Attributes
    ----------
    dU : float
        Activation energy, kJ/mol.
    dS : float
        Activation entropy, J/mol/K.
    dU_error : float
        Standard error of dU, kJ/mol.
    dS_error : float
        Standard error of dS, J/mol/K.
    covariance : (2, 2) array
        Covariance of dU (kJ/mol) and dS (kJ/mol/K).
    n_points : int
        Number of temperatures fitted.
    samples : (M, 2) array or None
        dU (kJ/mol) and dS (kJ/mol/K) of lines fitted to resampled frames (``bootstrap``).
    """

    dU: float
    dS: float
    dU_error: float
    dS_error: float
    covariance: np.ndarray
    n_points: int
    samples: np.ndarray | None = None

    def interval(self, temperature_K=None, level: float = 0.95) -> np.ndarray:
        """Confidence limits from the lines fitted to resampled frames.

        Parameters
        ----------
        temperature_K : (T,) array, optional
            Temperatures, K.
        level : float
            Confidence level between 0 and 1.

        Returns
        -------
        array
            Lower and upper limit: of dU (kJ/mol) and dS (J/mol/K), (2, 2); or, if temperatures are
            given, of dF (kJ/mol), (T, 2).

        Raises
        ------
        Unfit
            The line was not made by ``bootstrap``.
        """
        if self.samples is None:
            raise Unfit("no resampled lines: make this line with pmf.bootstrap")
        values = self.samples * [1, 1000]
        if temperature_K is not None:
            T = np.atleast_1d(np.asarray(temperature_K, float))
            values = self.samples[:, :1] - T * self.samples[:, 1:]
        ends = [(1 - level) / 2, (1 + level) / 2]
        return np.quantile(values, ends, axis=0).T

    def probability(self, dU_kJ_mol: float, dS_J_mol_K: float) -> float:
        r"""Probability of resampled lines as far off as another one, if the errors are normal.

        Energy and entropy of a line err together, so that they are judged together:

        .. math:: d^2 = \Delta^\mathrm{T} C^{-1} \Delta \sim \chi^2_2

        with the differences :math:`\Delta` of both and the covariance C of the resampled lines.

        Parameters
        ----------
        dU_kJ_mol : float
            Activation energy of the other line, kJ/mol.
        dS_J_mol_K : float
            Its activation entropy, J/mol/K.

        Returns
        -------
        float
            The probability, 0 to 1.

        Raises
        ------
        Unfit
            The line was not made by ``bootstrap``.
        """
        if self.samples is None:
            raise Unfit("no resampled lines: make this line with pmf.bootstrap")
        off = np.array([self.dU - dU_kJ_mol, (self.dS - dS_J_mol_K) / 1000])
        return float(chi2.sf(off @ np.linalg.solve(np.cov(self.samples.T), off), 2))

    def at(self, temperature_K):
        """Activation free energy at a temperature.

        Parameters
        ----------
        temperature_K : float or array
            Temperature, K.

        Returns
        -------
        dF : float or array
            kJ/mol.
        error : float or array
            Standard error, kJ/mol.
        """
        T = np.asarray(temperature_K, float)
        row = np.stack([np.ones_like(T), -T], axis=-1)
        variance = np.einsum("...i,ij,...j->...", row, self.covariance, row)
        return self.dU - T * self.dS / 1000, np.sqrt(variance)


def free_energy_line(temperatures_K, dF, errors=None) -> FreeEnergyLine:
    """Weighted least-squares line ``dF = dU - T dS`` through activation free energies.

    With errors, points are weighted by ``1/error^2``; the standard errors follow from the weights
    and are widened by ``sqrt(chi^2/(M-2))`` if the points scatter by more than their errors.
    Without errors, all points have the same weight and their scatter gives the standard errors (M
    >= 3, else NaN).

    Parameters
    ----------
    temperatures_K : (M,) array
        Temperatures, K.
    dF : (M,) array
        Activation free energies, kJ/mol; points with NaN are left out.
    errors : (M,) array, optional
        Their standard errors, kJ/mol.

    Returns
    -------
    FreeEnergyLine
        The fitted line.

    Raises
    ------
    LineNotDetermined
        The barrier is known at fewer than two different temperatures.
    """
    T, F = np.asarray(temperatures_K, float), np.asarray(dF, float)
    sigma = np.ones_like(F) if errors is None else np.asarray(errors, float)
    good = np.isfinite(T) & np.isfinite(F) & np.isfinite(sigma) & (sigma > 0)
    T, F, sigma = T[good], F[good], sigma[good]
    if len(np.unique(T)) < 2:
        raise LineNotDetermined(
            "a free-energy line needs barriers at two temperatures or more, got "
            f"{len(np.unique(T))}: heat further or sample longer"
        )
    matrix = np.stack([np.ones_like(T), -T], axis=1) / sigma[:, None]
    (U, S), *_ = np.linalg.lstsq(matrix, F / sigma, rcond=None)
    covariance = np.linalg.inv(matrix.T @ matrix)
    chi2_reduced = np.nan
    if len(T) > 2:
        chi2_reduced = np.sum((F / sigma - matrix @ [U, S]) ** 2) / (len(T) - 2)
    if errors is None or chi2_reduced > 1:
        covariance = covariance * chi2_reduced
    dU_error, dS_error = np.sqrt(np.diag(covariance))
    return FreeEnergyLine(
        float(U), float(1000 * S), float(dU_error), float(1000 * dS_error), covariance, len(T)
    )


def bootstrap(
    rdfs: Mapping[float, RDF], n: int = 300, seed: int = 0, convention: str = "g"
) -> tuple[pd.DataFrame, FreeEnergyLine]:
    """Barriers and their line, with errors that account for the correlation of the frames.

    Each sample draws the blocks of frames anew at every temperature, reads off the barriers and
    fits the line. The table differs from that of ``activation_free_energies`` in two ways. The mean
    of the resampled barriers minus the barrier of the original frames estimates the bias of the
    latter (the lowest of several noisy windows is too low), which is subtracted (Efron &
    Tibshirani, An Introduction to the Bootstrap, 1993, ch. 10). And ``error_kJ_mol`` is the
    standard deviation of the resampled barriers if that is larger than the counting error. A
    temperature is used if its barrier is sampled in the original frames; a resampled line uses the
    temperatures whose barrier is sampled in that sample.

    Parameters
    ----------
    rdfs : mapping of float to RDF
        g(r) with blocks of frames for each temperature (K).
    n : int
        Number of bootstrap samples.
    seed : int
        Seed of the random numbers.
    convention : str
        ``"g"`` or ``"distance"``, see the module.

    Returns
    -------
    table : DataFrame
        As ``activation_free_energies``.
    line : FreeEnergyLine
        The line, with ``samples`` for its ``interval``.

    Raises
    ------
    LineNotDetermined
        The barrier is sampled at fewer than two temperatures.
    """
    table, drawn = _resampled(rdfs, n, seed, convention)
    good = table.index[table["dF_kJ_mol"].notna()]
    errors = table.loc[good, "error_kJ_mol"].to_numpy()
    line = free_energy_line(good, table.loc[good, "dF_kJ_mol"], errors)
    lines = []
    for row in drawn:
        try:
            one = free_energy_line(good, row, errors)
        except LineNotDetermined:
            continue
        lines.append((one.dU, one.dS / 1000))
    samples = np.array(lines) if len(lines) > n / 2 and line.n_points > 2 else None
    return table.reset_index(), replace(line, samples=samples)


def resampled_barriers(
    rdfs: Mapping[float, RDF], n: int = 300, seed: int = 0, convention: str = "g"
) -> pd.DataFrame:
    """The barriers of `bootstrap`, also where they are too few for a line.

    Parameters
    ----------
    rdfs : mapping of float to RDF
        g(r) with blocks of frames for each temperature (K).
    n : int
        Number of bootstrap samples.
    seed : int
        Seed of the random numbers.
    convention : str
        ``"g"`` or ``"distance"``, see the module.

    Returns
    -------
    DataFrame
        As ``activation_free_energies``.
    """
    return _resampled(rdfs, n, seed, convention)[0].reset_index()


def _resampled(rdfs, n: int, seed: int, convention: str) -> tuple[pd.DataFrame, np.ndarray]:
    """The barriers by temperature, and (n, temperatures) draws of those that were sampled."""
    table = activation_free_energies(
        [from_rdf(one, T) for T, one in rdfs.items()], convention
    ).set_index("temperature_K")
    good = table.index[table["dF_kJ_mol"].notna()]
    drawn = np.full((n, len(good)), np.nan)
    for column, T in enumerate(good):
        if rdfs[T].blocks is None:
            continue
        for row, sample in enumerate(rdfs[T].resampled(seed + column, n)):
            try:
                drawn[row, column] = (
                    from_rdf(sample, T)
                    .activation_free_energy(min_counts=1, convention=convention)
                    .dF
                )
            except (BarrierNotSampled, NoBarrier):
                continue
    for column, T in enumerate(good):
        sampled = drawn[np.isfinite(drawn[:, column]), column]
        if len(sampled) > n / 2:
            bias = sampled.mean() - table.loc[T, "dF_kJ_mol"]
            table.loc[T, "dF_kJ_mol"] -= bias
            drawn[:, column] -= 2 * bias  # they were drawn around the biased value
            table.loc[T, "error_kJ_mol"] = max(table.loc[T, "error_kJ_mol"], sampled.std(ddof=1))
    return table, drawn
