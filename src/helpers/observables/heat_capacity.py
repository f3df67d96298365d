"""Heat capacity as the slope of the enthalpy along a heating run. Units: eV, K, J/mol/K."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers import statistics, units

_J_MOL = 1000 * units.EV_IN_KJ_PER_MOL  # of 1 eV a particle


def heat_capacity(
    temperature_K, enthalpy_eV, n_atoms: int, mass_u: float | None = None, window_K: float = 100.0
) -> pd.DataFrame:
    """Heat capacity at constant pressure, ``C_p = dH/dT``, along a heating run.

    In each window a straight line is fitted to H(T); its error is widened by the correlation of the
    samples (``statistical_inefficiency``). Nuclei are classical: an atom in a harmonic solid
    contributes 3 k_B, also in stiff bonds whose vibrations are frozen out quantum mechanically at
    these temperatures.

    Parameters
    ----------
    temperature_K : (M,) array
        Temperatures, K.
    enthalpy_eV : (M,) array
        Enthalpy of the cell including the kinetic energy (``etotal + P V``), eV. If it lacks the
        kinetic energy, add 3/2 k_B for each atom to the result.
    n_atoms : int
        Number of atoms in the cell.
    mass_u : float, optional
        Mass of the cell, u.
    window_K : float
        Width of a window, K; windows start at multiples of it.

    Returns
    -------
    DataFrame
        A row for each window with three samples or more: ``temperature_K``, ``cp_kB`` and
        ``error_kB`` (k_B per atom), ``cp_J_mol_K`` (per mole of atoms) and, if ``mass_u`` is given,
        ``cp_J_g_K``.
    """
    T, H = np.asarray(temperature_K, float), np.asarray(enthalpy_eV, float)
    window = statistics.bins(T, window_K)
    rows = []
    for one in np.unique(window[np.isfinite(window)]):
        inside = window == one
        t = T[inside] - T[inside].mean()
        if inside.sum() < 3 or (t**2).sum() == 0:
            continue
        slope, offset = np.polyfit(t, H[inside], 1)
        rest = H[inside] - slope * t - offset
        error = np.sqrt(
            (rest**2).sum()
            / (inside.sum() - 2)
            / (t**2).sum()
            * statistics.statistical_inefficiency(rest)
        )
        kB = n_atoms * units.BOLTZMANN_EV_PER_K
        row = {
            "temperature_K": T[inside].mean(),
            "cp_kB": slope / kB,
            "error_kB": error / kB,
            "cp_J_mol_K": slope * _J_MOL / n_atoms,
        }
        if mass_u is not None:
            row["cp_J_g_K"] = slope * _J_MOL / mass_u
        rows.append(row)
    columns = ["temperature_K", "cp_kB", "error_kB", "cp_J_mol_K"]
    return pd.DataFrame(rows, columns=columns + ["cp_J_g_K"] * (mass_u is not None))
