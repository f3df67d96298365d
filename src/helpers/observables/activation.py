"""The free energy of breaking a bond in both conventions, from g(r) at several temperatures.

The paper reads the barrier off -k_B T ln g(r); free energies along a distance, as umbrella sampling
gives them, are -k_B T ln[4 pi r^2 g(r)]. See `helpers.observables.pmf`.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """Barriers of one kind of bond, and the line through them.

    Attributes
    ----------
    barriers : DataFrame
        a row for each temperature (``pmf.activation_free_energies``), kJ/mol.
    line : FreeEnergyLine or None
        through the sampled barriers; None where too few were sampled.
    """

    barriers: pd.DataFrame
    line: FreeEnergyLine | None

    def at(self, temperature_K: float) -> pd.Series:
        """The row of a temperature.

        Parameters
        ----------
        temperature_K : float
            K.

        Returns
        -------
        Series
            dF_kJ_mol, error_kJ_mol, lower_bound_kJ_mol, ...; NaN where there is no such
            temperature.
        """
        table = self.barriers.set_index("temperature_K")
        return table.reindex([temperature_K]).iloc[0]

    @property
    def why_no_line(self) -> str:
        """Why there is no line, in words."""
        n = int(self.barriers["dF_kJ_mol"].notna().sum())
        return (
            f"barriers were sampled at {n} temperatures; a line takes three, and most draws of "
            "the frames must have them"
        )


def by_convention(rdfs: Mapping[float, RDF]) -> dict[str, Activation]:
    """Barriers and their line in each of `CONVENTIONS`.

    Parameters
    ----------
    rdfs : mapping of float to RDF
        temperature (K) -> g(r) of the bond.

    Returns
    -------
    dict of str to Activation
        name of the convention -> what was found.
    """
    works = [pmf.from_rdf(one, T) for T, one in rdfs.items()]
    found = {}
    for name, convention in CONVENTIONS.items():
        barriers, line = pmf.activation_free_energies(works, convention), None
        try:
            barriers, line = pmf.bootstrap(rdfs, convention=convention)
            line = line if line.samples is not None else None
        except pmf.LineNotDetermined:
            pass
        found[name] = Activation(barriers, line)
    return found


def pairs_in_valley(rdfs: Mapping[float, RDF]) -> dict[float, int]:
    """Pairs between the first and the second peak (``pmf.VALLEY_A``).

    Parameters
    ----------
    rdfs : mapping of float to RDF
        temperature (K) -> g(r) of the bond.

    Returns
    -------
    dict of float to int
        temperature (K) -> pairs in all its frames.
    """
    low, high = pmf.VALLEY_A
    return {T: int(one.counts[(one.r > low) & (one.r < high)].sum()) for T, one in rdfs.items()}


def above_line(barriers: pd.DataFrame, dU_kJ_mol: float, dS_J_mol_K: float) -> np.ndarray:
    r"""Temperatures at which the lower bound lies above the line of another work.

    .. math:: \Delta F(T) = \Delta U - T \Delta S

    Parameters
    ----------
    barriers : DataFrame
        of `Activation`.
    dU_kJ_mol, dS_J_mol_K : float
        of that line.

    Returns
    -------
    ndarray
        (K,) temperatures, K.
    """
    bounds = barriers.dropna(subset="lower_bound_kJ_mol")
    T = bounds["temperature_K"].to_numpy()
    return T[bounds["lower_bound_kJ_mol"].to_numpy() > dU_kJ_mol - T * dS_J_mol_K / 1000]
