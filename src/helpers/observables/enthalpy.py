"""Enthalpy of a heated cell above its start, per atom, and its slope, the heat capacity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers import statistics, units


def above_start(temperature_K, enthalpy_eV, n_atoms: int, start_K: float) -> np.ndarray:
    r"""Enthalpy per atom with its first row on the line of a classical harmonic crystal.

    .. math:: h(T) = [H(T) - H(T_1)] / N + 3 k_\mathrm{B} (T_1 - T_\mathrm{start})

    Parameters
    ----------
    temperature_K : array
        (M,) targets of the thermostat, T_1 the first of them.
    enthalpy_eV : array
        (M,) of the cell, eV.
    n_atoms : int
        N.
    start_K : float
        where the line is zero.

    Returns
    -------
    ndarray
        (M,) eV per atom.
    """
    T, H = np.asarray(temperature_K, float), np.asarray(enthalpy_eV, float) / n_atoms
    return H - H[:1].mean() + 3 * units.K_to_eV(T[:1].mean() - start_K) if len(H) else H


def harmonic(temperature_K, start_K: float) -> np.ndarray:
    """Enthalpy per atom of a classical harmonic crystal, 3 k_B for each kelvin.

    Parameters
    ----------
    temperature_K : float or array
        K.
    start_K : float
        where it is zero.

    Returns
    -------
    ndarray
        eV per atom.
    """
    return 3 * units.K_to_eV(np.asarray(temperature_K, float) - start_K)


def heat_capacity(
    temperature_K, enthalpy_eV, n_atoms: int, window_K: float = 100.0
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
    window_K : float
        Width of a window, K; windows start at multiples of it.

    Returns
    -------
    DataFrame
        A row for each window with three samples or more: temperature_K, and cp_kB and error_kB
        in k_B per atom.
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
        row = {"temperature_K": T[inside].mean(), "cp_kB": slope / kB, "error_kB": error / kB}
        rows.append(row)
    return pd.DataFrame(rows, columns=["temperature_K", "cp_kB", "error_kB"])
