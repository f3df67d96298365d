"""Free energy of breaking a bond in both conventions, from g(r) at several temperatures.

Potentials of mean force are -k_B T ln g(r), and we take the paper's to be that; free energies
along a distance, as from umbrella sampling, are -k_B T ln[4 pi r^2 g(r)]. The paper gives no
formula. See `helpers.observables.pmf`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.observables import pmf
from helpers.observables.pmf import FreeEnergyLine
from helpers.observables.rdf import RDF

#: name for a reader -> convention of `pmf`
CONVENTIONS = {"this book, g(r)": "g", "this book, 4πr²g(r)": "distance"}


@dataclass(frozen=True)
class Activation:
    """Barriers at several temperatures and the line through them.

    Attributes
    ----------
    barriers : DataFrame
        A row for each temperature (``pmf.activation_free_energies``).
    line : FreeEnergyLine or None
        The line; None if too few barriers were sampled.
    apart : str
        Why not all of the barriers may lie on one line; empty if they may.
    """

    barriers: pd.DataFrame
    line: FreeEnergyLine | None
    apart: str = ""

    def at(self, temperature_K: float) -> pd.Series:
        """The barrier at one temperature.

        Parameters
        ----------
        temperature_K : float
            Temperature, K.

        Returns
        -------
        Series
            dF_kJ_mol, error_kJ_mol, lower_bound_kJ_mol; NaN if there is none.
        """
        table = self.barriers.set_index("temperature_K")
        return table.reindex([temperature_K]).iloc[0]

    @property
    def why_no_line(self) -> str:
        """Reason why there is no line."""
        n = int(self.barriers["dF_kJ_mol"].notna().sum())
        at = f"{n} temperature" if n == 1 else f"{n} temperatures"
        if self.apart:
            return self.apart
        return (
            f"barriers were sampled at {at}; a line takes three, and "
            "most draws of the frames must have them"
        )


def by_convention(
    rdfs: Mapping[float, RDF], together: Collection[float] | None = None, apart: str = ""
) -> dict[str, Activation]:
    """Barriers and their line in each of `CONVENTIONS`.

    Parameters
    ----------
    rdfs : mapping of float to RDF
        g(r) of a bond at each temperature (K).
    together : collection of float, optional
        Temperatures (K) that one line may join; by default all.
    apart : str
        Why not all of them, see `Activation`.

    Returns
    -------
    dict of str to Activation
        Convention -> barriers and line.
    """
    alike = {T: one for T, one in rdfs.items() if together is None or T in together}
    found = {}
    for name, convention in CONVENTIONS.items():
        barriers, line = pmf.resampled_barriers(rdfs, convention=convention), None
        with suppress(pmf.LineNotDetermined):
            line = pmf.bootstrap(alike, convention=convention)[1]
        if line is not None and line.samples is None:
            line = None
        found[name] = Activation(barriers, line, apart)
    return found


def pairs_in_valley(rdfs: Mapping[float, RDF]) -> dict[float, int]:
    """Number of pairs between the first and the second peak (``pmf.VALLEY_A``).

    Parameters
    ----------
    rdfs : mapping of float to RDF
        g(r) of a bond at each temperature (K).

    Returns
    -------
    dict of float to int
        Temperature (K) -> pairs.
    """
    low, high = pmf.VALLEY_A
    return {T: int(one.counts[(one.r > low) & (one.r < high)].sum()) for T, one in rdfs.items()}


def above_line(barriers: pd.DataFrame, dU_kJ_mol: float, dS_J_mol_K: float) -> np.ndarray:
    """Temperatures at which the lower bound lies above the line dU - T dS of another work.

    Parameters
    ----------
    barriers : DataFrame
        As `Activation.barriers`.
    dU_kJ_mol : float
        kJ/mol.
    dS_J_mol_K : float
        J/mol/K.

    Returns
    -------
    array
        Temperatures, K.
    """
    bounds = barriers.dropna(subset="lower_bound_kJ_mol")
    T = bounds["temperature_K"].to_numpy()
    return T[bounds["lower_bound_kJ_mol"].to_numpy() > dU_kJ_mol - T * dS_J_mol_K / 1000]
