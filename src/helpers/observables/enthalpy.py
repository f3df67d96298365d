"""Enthalpy of a heated cell above its start, per atom."""

from __future__ import annotations

import numpy as np

from helpers import units


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
