"""Dynamics at constant energy, and the drift of the total energy.

Units: eV, A, ps, K.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import ase.units
import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet
from scipy.stats import linregress

from helpers import provenance, statistics, units, waiting
from helpers.errors import Unfit
from helpers.frames.sampling import Unphysical
from helpers.validation import calculators

_STATE, _ENERGY = "state.npz", "energy.csv"


def constant_energy(
    start: Atoms, calculator: Calculator, directory: Path, *, temperature_K: float,
    equilibration_ps: float, duration_ps: float, timestep_fs: float, seed: int,
    save_every: int = 100,
) -> pd.DataFrame:  # fmt: skip
    """Velocity-Verlet dynamics at constant energy after equilibration by a Langevin thermostat.

    The initial velocities have twice the thermal kinetic energy, half of which becomes potential
    energy. The state is saved at intervals; the same call after a kill continues along the same
    trajectory.

    Parameters
    ----------
    start : ase.Atoms
        The structure.
    calculator : Calculator
        Calculator with forces.
    directory : Path
        Where the state is saved.
    temperature_K : float
        Temperature, K.
    equilibration_ps : float
        Time of equilibration, ps.
    duration_ps : float
        Time at constant energy, ps.
    timestep_fs : float
        Time step, fs.
    seed : int
        Seed of the velocities and the thermostat.
    save_every : int
        Steps between saved states.

    Returns
    -------
    DataFrame
        A row for each step at constant energy: time_ps, temperature_K, potential_energy_eV,
        total_energy_eV.

    Raises
    ------
    Unphysical
        The temperature is above five times ``temperature_K`` plus 1000 K, or NaN.
    """
    before, total = (units.steps(ps, timestep_fs) for ps in
                     (equilibration_ps, equilibration_ps + duration_ps))  # fmt: skip
    atoms, step, rows, seconds = start.copy(), 0, [], 0.0
    state = directory / _STATE
    if state.exists():
        with np.load(state) as saved:
            atoms.positions = saved["positions"]
            atoms.set_momenta(saved["momenta"])
            step, rows = int(saved["step"]), saved["rows"].tolist()
            seconds = float(saved["seconds"])
    else:
        thermalize_momenta(atoms, temperature_K=2 * temperature_K,
                           rng=np.random.default_rng([seed, 2**31]))  # fmt: skip
        Stationary(atoms)
    atoms.calc = calculator
    langevin = Langevin(atoms, timestep_fs * ase.units.fs, temperature_K=temperature_K,
                        friction=0.02 / ase.units.fs, fixcm=False)  # fmt: skip
    verlet = VelocityVerlet(atoms, timestep_fs * ase.units.fs)
    began = time.monotonic() - seconds
    with waiting.bar(total=total, initial=step, desc=directory.name, unit="step") as bar:
        while step < total:
            # Its random numbers depend on (seed, step) alone: a killed run repeats them.
            langevin.rng = np.random.default_rng([seed, step])
            (langevin if step < before else verlet).run(1)
            step += 1
            temperature = atoms.get_temperature()
            if not temperature < 5 * temperature_K + 1000:
                raise Unphysical(
                    f"{directory.name}: {temperature:.0f} K at step {step} of a run meant for "
                    f"{temperature_K:g} K; the potential does not hold the structure together"
                )
            if step > before:
                rows.append(((step - before) * timestep_fs / 1e3, temperature,
                             atoms.get_potential_energy(), atoms.get_total_energy()))  # fmt: skip
            bar.update()
            if step % save_every == 0 or step == total:
                with provenance.replacing(state) as part, open(part, "wb") as file:
                    np.savez(file, positions=atoms.positions, momenta=atoms.get_momenta(),
                             step=step, rows=np.reshape(rows, (-1, 4)),
                             seconds=time.monotonic() - began)  # fmt: skip
    columns = ["time_ps", "temperature_K", "potential_energy_eV", "total_energy_eV"]
    return pd.DataFrame(rows, columns=columns)


def energy_in_time(
    model: str, structure: str, *, temperature_K: float = 1200.0, equilibration_ps: float = 0.2,
    duration_ps: float = 0.8, timestep_fs: float = 0.5, seed: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """`constant_energy` of a model; kept. The defaults take 80 s for 272 atoms on one idle core.

    Parameters
    ----------
    model : str
        The model.
    structure : str
        Name of the structure.
    temperature_K : float
        Temperature, K.
    equilibration_ps : float
        Time of equilibration, ps.
    duration_ps : float
        Time at constant energy, ps.
    timestep_fs : float
        Time step, fs.
    seed : int
        Seed of the velocities and the thermostat.

    Returns
    -------
    DataFrame
        As `constant_energy`.

    Raises
    ------
    Unphysical
        As `constant_energy`.
    """
    parameters: dict[str, Any] = {
        "temperature_K": temperature_K, "equilibration_ps": equilibration_ps,
        "duration_ps": duration_ps, "timestep_fs": timestep_fs, "seed": seed,
    }  # fmt: skip

    def make(start, calculator, directory):
        table = constant_energy(start, calculator, directory, **parameters)
        table.to_csv(directory / _ENERGY, index=False, float_format="%.10g")
        with np.load(directory / _STATE) as saved:
            seconds = float(saved["seconds"])
        (directory / _STATE).unlink()
        return seconds

    return pd.read_csv(calculators.kept("energy", model, structure, parameters, make) / _ENERGY)


def energy_drift(table: pd.DataFrame, n_atoms: int, blocks: int = 16) -> dict:
    """Drift of the total energy: slope of a line through means over blocks of time.

    Blocks are used because neighbouring steps are not independent. Velocity Verlet conserves a
    shadow energy; E itself fluctuates by (omega dt)^2 without drift (Hairer et al., Acta Numerica
    12, 399 (2003)).

    Parameters
    ----------
    table : DataFrame
        Result of `constant_energy`.
    n_atoms : int
        Number of atoms.
    blocks : int
        Number of blocks.

    Returns
    -------
    dict
        drift_meV_per_atom_per_ps and its standard error, fluctuation_meV_per_atom (rms of single
        steps about the line), mean_temperature_K, duration_ps.

    Raises
    ------
    Unfit
        There are fewer than two rows in a block.
    """
    if len(table) < 2 * blocks:
        raise Unfit(f"{len(table)} rows are too few for {blocks} blocks; run longer")
    t = table["time_ps"].to_numpy()
    energy = table["total_energy_eV"].to_numpy()
    energy = 1e3 * (energy - energy[0]) / n_atoms
    line = linregress(statistics.block_means(t, blocks), statistics.block_means(energy, blocks))
    rest = energy - line.slope * t - line.intercept
    return {
        "drift_meV_per_atom_per_ps": float(line.slope),
        "error_meV_per_atom_per_ps": float(line.stderr),
        "fluctuation_meV_per_atom": float(np.sqrt(np.mean(rest**2))),
        "mean_temperature_K": float(table["temperature_K"].mean()),
        "duration_ps": float(t[-1] - t[0]),
    }
