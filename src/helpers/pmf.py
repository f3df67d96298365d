"""Potential of mean force, activation free energy of breaking a bond, and its line in T.

Two conventions are in use for the free energy along a distance. They differ by the entropy of the
growing shell, ``-2 k_B T ln r``:

- ``"g"``, the potential of mean force proper, ``F(r) = -k_B T ln g(r)``: flat for an ideal gas.
  The paper (Figs. 3c, d: "PMF by the PRDF"), and Gaillac et al., Nat. Mater. 16, 1149 (2017).
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

from helpers import peaks, units
from helpers.rdf import RDF


class BarrierNotSampled(ValueError):
    """The frames hold too few pairs on the barrier to read its height.

    lower_bound: kJ/mol, 95 % confidence, the least the barrier can be; NaN when unknown.
    """

    lower_bound = np.nan


class NoBarrier(ValueError):
    """g(r) does not show two peaks with a valley between them."""


class LineNotDetermined(ValueError):
    """Too few temperatures for a free-energy line."""


@dataclass(frozen=True)
class Barrier:
    """Activation free energy dF and its standard error (kJ/mol, NaN when counts are unknown).

    r_bound, r_barrier: A, the first peak of g(r) and the valley behind it. counts: pairs found
    there.
    """

    dF: float
    error: float
    r_bound: float
    r_barrier: float
    counts: int | None


@dataclass(frozen=True)
class PMF:
    """r: (B,) A. w: (B,) kJ/mol, NaN where g = 0 (never visited, *not* infinitely high).

    g: (B,). ideal: (B,) pairs an ideal gas would show in each bin, or None. error: (B,) standard
    error of w, ``k_B T`` times the relative error of g, or None.
    """

    r: np.ndarray
    w: np.ndarray
    g: np.ndarray
    temperature_K: float
    ideal: np.ndarray | None = None
    error: np.ndarray | None = None

    def activation_free_energy(
        self, window: float = 0.2, min_counts: int = 5, r_second_max: float = 6.0,
        convention: str = "g",
    ) -> Barrier:
        r"""Height of w(r) between the first and the second peak of g(r), above the first peak.

        .. math:: \Delta F = w(r_b) - w(r_1) = k_B T \ln[g(r_1) / g(r_b)]

        g(r_b) is the lowest g between the peaks, averaged over ``window`` (A) so that no single
        empty bin decides. Error: Poisson, ``k_B T / sqrt(counts)``, pairs taken as independent
        (frames nearer in time than a crossing make it too small; ``bootstrap`` does not). The
        second peak is looked for up to ``r_second_max`` (A). convention: ``"g"`` or
        ``"distance"``, see the module.

        Raises
        ------
        ValueError
            unknown convention.
        BarrierNotSampled
            fewer than ``min_counts`` pairs in the lowest window; carries ``lower_bound``.
        NoBarrier
            no first or no second peak.
        """
        if convention not in ("g", "distance"):
            raise ValueError(f"convention {convention!r} is unknown; use 'g' or 'distance'")
        kT = units.GAS_CONSTANT_KJ_PER_MOL_K * self.temperature_K
        weight = self.r**2 if self.ideal is None else self.ideal
        width = max(1, round(window / (self.r[1] - self.r[0])))
        kernel = np.ones(width)
        pooled = np.convolve(weight, kernel, "same")
        smooth = np.convolve(self.g * weight, kernel, "same") / pooled
        try:
            _, r_bound, highest = peaks.first_maximum(self.r, self.g)
        except peaks.PeakNotResolved as error:
            raise NoBarrier(f"no barrier at {self.temperature_K:.0f} K: {error}") from error

        found = find_peaks(smooth, prominence=0.2)[0]
        found = found[(self.r[found] > r_bound + window) & (self.r[found] < r_second_max)]
        if not len(found):
            raise NoBarrier(
                f"no barrier at {self.temperature_K:.0f} K: g(r) has no second peak between "
                f"{r_bound:.2f} and {r_second_max:.1f} A"
            )
        between = np.flatnonzero((self.r > r_bound) & (self.r < self.r[found[0]]))
        lowest = between[np.argmin(smooth[between])]
        counts = None
        if self.ideal is not None:
            counts = int(round(smooth[lowest] * pooled[lowest]))
        if smooth[lowest] == 0 or (counts is not None and counts < min_counts):
            raise self._not_sampled(highest, between, lowest, pooled, counts, kT)
        shell = 2 * kT * np.log(self.r[lowest] / r_bound) if convention == "distance" else 0.0
        return Barrier(
            dF=float(kT * np.log(highest / smooth[lowest]) - shell),
            error=float(kT / np.sqrt(counts)) if counts else np.nan,
            r_bound=r_bound,
            r_barrier=float(self.r[lowest]),
            counts=counts,
        )

    def _not_sampled(self, highest, between, lowest, pooled, counts, kT) -> BarrierNotSampled:
        bound, empty = np.nan, between[self.g[between] == 0]
        if self.ideal is not None:
            # The lowest g is at most the mean g over all empty bins, and over the window.
            most = min(
                chi2.ppf(0.95, 2) / 2 / self.ideal[empty].sum() if len(empty) else np.inf,
                chi2.ppf(0.95, 2 * (counts + 1)) / 2 / pooled[lowest],
            )
            bound = max(0.0, kT * np.log(highest / most))
        seen = (f"no pair between {self.r[empty[0]]:.1f} and {self.r[empty[-1]]:.1f} A"
                if not counts else f"{counts} pairs near {self.r[lowest]:.1f} A")
        error = BarrierNotSampled(
            f"barrier not sampled at {self.temperature_K:.0f} K: {seen}, "
            + (f"so dF > {bound:.0f} kJ/mol (95 %)" if np.isfinite(bound) else "no bound known")
            + "; more frames or a higher temperature would show it"
        )
        error.lower_bound = float(bound)
        return error


def pmf(r, g, temperature_K: float, ideal=None) -> PMF:
    """Potential of mean force ``w(r) = -k_B T ln g(r)`` in kJ/mol, NaN where g = 0.

    r: (B,) A. g: (B,). ideal: (B,) pairs an ideal gas would show (``RDF.ideal``), which gives
    errors and lower bounds of barriers. Raises ValueError for g < 0 or T <= 0.
    """
    r, g = np.asarray(r, float), np.asarray(g, float)
    if temperature_K <= 0 or (g < 0).any():
        raise ValueError("a potential of mean force needs T > 0 and g(r) >= 0")
    w = np.full(len(g), np.nan)
    w[g > 0] = -units.GAS_CONSTANT_KJ_PER_MOL_K * temperature_K * np.log(g[g > 0])
    return PMF(r, w, g, float(temperature_K), None if ideal is None else np.asarray(ideal, float))


def from_rdf(rdf: RDF, temperature_K: float) -> PMF:
    """``pmf`` of an RDF, with its counting statistics."""
    found = pmf(rdf.r, rdf.g, temperature_K, rdf.ideal)
    kT = units.GAS_CONSTANT_KJ_PER_MOL_K * temperature_K
    relative = np.divide(rdf.error, rdf.g, out=np.full(len(rdf.g), np.nan), where=rdf.g > 0)
    return replace(found, error=kT * relative)


def activation_free_energies(pmfs: Iterable[PMF], convention: str = "g") -> pd.DataFrame:
    """One row a temperature: temperature_K, dF_kJ_mol, error_kJ_mol, lower_bound_kJ_mol, note.

    Where no barrier was sampled dF is NaN, ``lower_bound_kJ_mol`` may hold a number and ``note``
    says why.
    """
    rows = []
    for one in pmfs:
        row = {"temperature_K": one.temperature_K, "dF_kJ_mol": np.nan, "error_kJ_mol": np.nan,
               "lower_bound_kJ_mol": np.nan, "note": ""}
        try:
            barrier = one.activation_free_energy(convention=convention)
            row |= {"dF_kJ_mol": barrier.dF, "error_kJ_mol": barrier.error}
        except BarrierNotSampled as error:
            row |= {"lower_bound_kJ_mol": error.lower_bound, "note": str(error)}
        except NoBarrier as error:
            row |= {"note": str(error)}
        rows.append(row)
    columns = ["temperature_K", "dF_kJ_mol", "error_kJ_mol", "lower_bound_kJ_mol", "note"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class FreeEnergyLine:
    """``dF(T) = dU - T dS``: dU kJ/mol, dS J/mol/K, with standard errors.

    covariance: (2,2) of (dU in kJ/mol, dS in kJ/mol/K). n_points: temperatures fitted.
    samples: (M,2) of the same two, lines through resampled frames (``bootstrap``), or None.
    """

    dU: float
    dS: float
    dU_error: float
    dS_error: float
    covariance: np.ndarray
    n_points: int
    samples: np.ndarray | None = None

    def interval(self, temperature_K=None, level: float = 0.95) -> np.ndarray:
        """Confidence limits from the resampled lines: (2,2) of dU (kJ/mol) and dS (J/mol/K), or,
        with temperatures (T,), (T,2) of dF (kJ/mol).

        Raises ValueError when the line was not bootstrapped.
        """
        if self.samples is None:
            raise ValueError("no resampled lines: make this line with pmf.bootstrap")
        values = self.samples * [1, 1000]
        if temperature_K is not None:
            T = np.atleast_1d(np.asarray(temperature_K, float))
            values = self.samples[:, :1] - T * self.samples[:, 1:]
        ends = [(1 - level) / 2, (1 + level) / 2]
        return np.quantile(values, ends, axis=0).T

    def at(self, temperature_K):
        """(dF, standard error) in kJ/mol at ``temperature_K``, scalar or array."""
        T = np.asarray(temperature_K, float)
        row = np.stack([np.ones_like(T), -T], axis=-1)
        variance = np.einsum("...i,ij,...j->...", row, self.covariance, row)
        return self.dU - T * self.dS / 1000, np.sqrt(variance)


def free_energy_line(temperatures_K, dF, errors=None) -> FreeEnergyLine:
    """Weighted least-squares line ``dF = dU - T dS`` through activation free energies.

    temperatures_K, dF (kJ/mol), errors (kJ/mol, optional): (M,); points with NaN are left out.
    With errors, weights are ``1/error^2`` and the standard errors follow from them, widened by
    ``sqrt(chi^2/(M-2))`` where the points scatter more than their errors say. Without, all points
    weigh the same and their scatter gives the errors (M >= 3, else NaN).

    Raises
    ------
    LineNotDetermined
        fewer than two different temperatures with a sampled barrier.
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
    if errors is None:
        covariance = covariance * chi2_reduced
    elif chi2_reduced > 1:
        covariance = covariance * chi2_reduced
    dU_error, dS_error = np.sqrt(np.diag(covariance))
    return FreeEnergyLine(float(U), float(1000 * S), float(dU_error), float(1000 * dS_error),
                          covariance, len(T))


def bootstrap(
    rdfs: Mapping[float, RDF], n: int = 300, seed: int = 0, convention: str = "g"
) -> tuple[pd.DataFrame, FreeEnergyLine]:
    """Barriers and their line with errors that know how far apart the frames are in time.

    rdfs: temperature (K) -> g(r) in blocks of frames. Each of ``n`` samples draws the blocks of
    every temperature anew, reads the barriers and fits the line. The table is that of
    ``activation_free_energies`` with ``error_kJ_mol`` the spread of the resampled barriers where
    that is larger than their counting error; the line's ``samples`` give its ``interval``. A
    temperature counts where its barrier is sampled by the frames as they are; a resampled line
    takes those that are sampled in it.

    Raises
    ------
    LineNotDetermined
        fewer than two temperatures with a sampled barrier.
    """
    table = activation_free_energies(
        [from_rdf(one, T) for T, one in rdfs.items()], convention).set_index("temperature_K")
    good = table.index[table["dF_kJ_mol"].notna()]
    drawn = np.full((n, len(good)), np.nan)
    for column, T in enumerate(good):
        if rdfs[T].block_counts is None or len(rdfs[T].block_share) < 2:
            continue
        for row, sample in enumerate(rdfs[T].resampled(seed + column, n)):
            try:
                drawn[row, column] = from_rdf(sample, T).activation_free_energy(
                    min_counts=1, convention=convention).dF
            except (BarrierNotSampled, NoBarrier):
                continue
    for column, T in enumerate(good):
        sampled = drawn[np.isfinite(drawn[:, column]), column]
        if len(sampled) > n / 2:
            table.loc[T, "error_kJ_mol"] = max(table.loc[T, "error_kJ_mol"], sampled.std(ddof=1))
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
