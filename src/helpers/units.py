"""Conversions out of metal units (eV, A, ps, K, bar), from CODATA as shipped with scipy.

Elementary charge, Boltzmann's and Avogadro's constant are exact in the SI of 2019; only the atomic
mass constant is measured. LAMMPS and ASE carry older CODATA sets: they differ below 1e-6.
"""

from __future__ import annotations

from scipy import constants

_PRETTY = {
    "A": "Å",
    "A^2": "Å²",
    "1/A": "1/Å",
    "1/A^2": "1/Å²",
    "A^3": "Å³",
    "A^3/atom": "Å³/atom",
    "eV/A": "eV/Å",
    "eV/A^3": "eV/Å³",
    "g/cm3": "g/cm³",
    "J/mol/K": "J/(mol K)",
    "core-us/atom": "core-µs/atom",
    "deg": "°",
    "-": "",
}

#: Boltzmann's constant, eV/K
BOLTZMANN_EV_PER_K = constants.k / constants.e
#: molar gas constant, kJ/(mol K)
GAS_CONSTANT_KJ_PER_MOL_K = constants.R / 1e3
#: 1 eV per particle in kJ/mol: e N_A / 1000
EV_IN_KJ_PER_MOL = constants.e * constants.N_A / 1e3
#: 1 eV/A^3 in GPa and in bar (pressure, virial per volume)
EV_PER_A3_IN_GPA = constants.e * 1e21
EV_PER_A3_IN_BAR = EV_PER_A3_IN_GPA * 1e4
#: 1 u/A^3 in g/cm3
U_PER_A3_IN_G_PER_CM3 = constants.atomic_mass * 1e3 / 1e-24
#: picoseconds in a minute (heating rates of experiments are in K/min)
PS_PER_MINUTE = constants.minute / constants.pico
#: femtoseconds in a picosecond
FS_PER_PS = 1e3


def K_to_eV(temperature_K):
    """Thermal energy :math:`k_B T`.

    Parameters
    ----------
    temperature_K : float or array
        Temperature, K.

    Returns
    -------
    float or array
        Energy, eV.
    """
    return temperature_K * BOLTZMANN_EV_PER_K


def density_g_cm3(mass_u, volume_A3):
    """Mass density.

    Parameters
    ----------
    mass_u : float or array
        Mass, u.
    volume_A3 : float or array
        Volume, A^3.

    Returns
    -------
    float or array
        Density, g/cm3.
    """
    return mass_u / volume_A3 * U_PER_A3_IN_G_PER_CM3


def K_per_ps_to_K_per_min(rate_K_per_ps):
    """Heating rate of a simulation in the unit of a calorimeter.

    Parameters
    ----------
    rate_K_per_ps : float or array
        Heating rate, K/ps.

    Returns
    -------
    float or array
        Heating rate, K/min.
    """
    return rate_K_per_ps * PS_PER_MINUTE


def K_per_min_to_K_per_ps(rate_K_per_min):
    """Heating rate of a calorimeter in the unit of a simulation.

    Parameters
    ----------
    rate_K_per_min : float or array
        Heating rate, K/min.

    Returns
    -------
    float or array
        Heating rate, K/ps.
    """
    return rate_K_per_min / PS_PER_MINUTE


def steps(duration_ps: float, timestep_fs: float) -> int:
    """Number of MD steps in a time, rounded to the nearest integer.

    Parameters
    ----------
    duration_ps : float
        Time, ps.
    timestep_fs : float
        Time step, fs.

    Returns
    -------
    int
        Number of steps.
    """
    return round(duration_ps * FS_PER_PS / timestep_fs)


def pretty(unit: str) -> str:
    """Typographic form of a unit: ``eV/A`` becomes ``eV/Å``, and ``-`` an empty string.

    Parameters
    ----------
    unit : str
        Unit in ASCII.

    Returns
    -------
    str
        The unit as printed; units without a typographic form are returned unchanged.
    """
    return _PRETTY.get(unit, unit)
