r"""How long a step of molecular dynamics may be: what is kept constant, and who holds the heat.

At constant energy a step that is too long shows itself twice: the total energy drifts, and the
kinetic energy is no longer shared evenly, because the fastest vibrations, those of H, get less of
it. Before that, 2 ps with a thermostat bring the crystal to its temperature. With deuterium
(2.014 u) the fastest vibrations are slower by :math:`\sqrt 2`.

The temperature of an element is that of its degrees of freedom. Three of all are the motion of the
whole, which is taken out; each element lacks as much of them as it has of the mass, so that an
element of n atoms and mass m has :math:`3 (n - m / M)`: 16 Zn of ZIF-4 have 47, not 48.
Units: ps, K, eV; drift in meV per atom and ns; mass in u.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from helpers import processes, provenance, statistics, structures, waiting
from helpers.benchmarks import record
from helpers.md import force_field, lammps, protocol
from helpers.potentials import store
from helpers.structures import TYPE_MAP

#: step (fs) and mass of hydrogen (u): the paper's, twice the step, and that with deuterium
SETTINGS = ((0.5, protocol.HYDROGEN_U), (1.0, protocol.HYDROGEN_U), (1.0, 2.014))
TEMPERATURE_K = 1500.0
BLOCKS = 5


def compare(
    potential: str,
    atoms: Atoms,
    *,
    ps: float = 10.0,
    temperature_K: float = TEMPERATURE_K,
    settings: Sequence[tuple[float, float]] = SETTINGS,
    seeds: Sequence[int] = (1,),
) -> list[dict]:
    """Runs at constant energy with several steps.

    Vibrations of H pass their heat on slowly, so that blocks of one run see too little of the
    scatter: several seeds say how large it is.

    Parameters
    ----------
    potential : str
        The potential.
    atoms : ase.Atoms
        The structure.
    ps : float
        Time at constant energy, ps; a fifth of it with a thermostat comes before.
    temperature_K : float
        Temperature, K.
    settings : sequence of (float, float)
        Step (fs) and mass of H (u) of each run.
    seeds : sequence of int
        Of the first velocities; a run for each of them with every setting.

    Returns
    -------
    list of dict
        A row a run: ``timestep_fs``, ``hydrogen_mass_u``, ``seed``, ``drift_meV_per_atom_ns`` and
        its standard error, ``swing_meV_per_atom`` (standard deviation of the total energy about its
        drift), and ``temperature_<element>``, that of an element divided by that of all atoms, with
        its standard error.

    Raises
    ------
    LammpsDied
        LAMMPS ended with an error.
    BadPotential
        As `force_field.DeepPotential.model`.
    """
    plans = [(*setting, seed) for setting in settings for seed in seeds]
    rows = []
    for timestep_fs, mass, seed in waiting.bar(plans, desc="bench-timestep", unit="run"):
        table = _run(potential, atoms, ps, temperature_K, timestep_fs, mass, seed)
        of = {"timestep_fs": timestep_fs, "hydrogen_mass_u": mass, "seed": seed}
        rows.append(of | judged(table, atoms, mass))
    return rows


def judged(
    table: np.ndarray, atoms: Atoms, hydrogen_mass_u: float = protocol.HYDROGEN_U
) -> dict[str, float]:
    """Drift, swing and shares of the heat of one run at constant energy.

    Parameters
    ----------
    table : (rows, 2 + elements) ndarray
        Time (ps), total energy (eV), kinetic energy (eV) of each element of `TYPE_MAP`.
    atoms : ase.Atoms
        The structure.
    hydrogen_mass_u : float
        Mass of H, u.

    Returns
    -------
    dict of str to float
        As of `compare`.
    """
    time_ps, energy_eV, kinetic_eV = table[:, 0], table[:, 1], table[:, 2:]
    (slope, level), spread = np.polyfit(time_ps, energy_eV, 1, cov=True)
    left = energy_eV - (slope * time_ps + level)
    correlated = statistics.statistical_inefficiency(left)
    found = {
        "drift_meV_per_atom_ns": 1e6 * slope / len(atoms),
        "drift_error": 1e6 * np.sqrt(spread[0, 0] * correlated) / len(atoms),
        "swing_meV_per_atom": 1e3 * left.std() / len(atoms),
    }
    counts = np.array([atoms.symbols.count(element) for element in TYPE_MAP])
    masses = np.array([atomic_masses[atomic_numbers[element]] for element in TYPE_MAP])
    masses[TYPE_MAP.index("H")] = hydrogen_mass_u
    free = counts - counts * masses / (counts @ masses)  # degrees of freedom, thirds of them
    share = kinetic_eV / kinetic_eV.sum(axis=1, keepdims=True) / (free / free.sum())
    for element, values in zip(TYPE_MAP, share.T, strict=True):
        means = statistics.block_means(values, BLOCKS)
        found[f"temperature_{element}"] = float(values.mean())
        found[f"temperature_{element}_error"] = float(means.std(ddof=1) / np.sqrt(BLOCKS))
    return found


def _run(potential, atoms, ps, temperature_K, timestep_fs, mass, seed) -> np.ndarray:
    force = force_field.DeepPotential(potential)
    model = force.model(atoms.symbols)
    step, every = timestep_fs / 1000, max(1, round(10 / timestep_fs))
    kinetic = [f"group e{i} type {i}\ncompute k{i} e{i} ke" for i in range(1, 5)]
    text = "\n".join([
        "units metal", "atom_style atomic", "boundary p p p", "box tilt large",
        "read_data start.data", *force.lines(model), "neighbor 1.0 bin",
        "neigh_modify every 5 delay 0 check yes", f"timestep {step!r}", *kinetic,
        f"velocity all create {2 * temperature_K!r} {seed} mom yes rot no dist gaussian",
        f"fix warm all nvt temp {temperature_K!r} {temperature_K!r} 0.1",
        f"run {round(ps / 5 / step)}", "unfix warm", "reset_timestep 0",
        "velocity all zero linear", "fix move all nve",
        "variable time equal step*dt",
        f'fix table all print {every} "${{time}} $(etotal:%.8f) '
        + " ".join(f"$(c_k{i}:%.8f)" for i in range(1, 5)) + '" file table.txt screen no',
        f"run {round(ps / step)}"]) + "\n"  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="zif4-timestep-") as work:
        lammps.write_data(Path(work) / "start.data", atoms, hydrogen_mass_u=mass)
        (Path(work) / "in.timestep").write_text(text)
        done = subprocess.run(
            [*lammps.command(), "-in", "in.timestep", "-log", "none"], cwd=work, text=True,
            env=lammps.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, preexec_fn=processes.die_with_parent,
        )  # fmt: skip
        if done.returncode:
            raise lammps.LammpsDied(
                f"LAMMPS ended with code {done.returncode}; {processes.last_lines(done.stdout)}"
            )
        return np.loadtxt(Path(work) / "table.txt", comments="#", ndmin=2)


def measure(
    potential: str = "atp", file: Path | None = None, *, ps: float = 10.0,
    settings: Sequence[tuple[float, float]] = SETTINGS, seeds: Sequence[int] = (1,),
) -> Path:  # fmt: skip
    """Run `compare` on the crystal of ZIF-4 and write the record; rows that it has are kept.

    Parameters
    ----------
    potential : str
        Name of the potential.
    file : Path, optional
        JSON file; by default in ``build/bench``.
    ps : float
        Time at constant energy, ps.
    settings : sequence of (float, float)
        As of `compare`.
    seeds : sequence of int
        As of `compare`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    LammpsDied
        As `compare`.
    BadPotential
        As `compare`.
    """
    file = Path(file or record.made("timestep"))
    same = {
        "potential": potential, "potential_sha256": store.load(potential).sha256,
        "structure": "ZIF-4", "temperature_K": TEMPERATURE_K, "ps": ps,
        "hardware": provenance.hardware(), "versions": provenance.versions(),
    }  # fmt: skip
    before = json.loads(file.read_text()) if file.is_file() else {}
    rows = before["rows"] if {key: before.get(key) for key in same} == same else []
    atoms = structures.load("ZIF-4")
    for setting in settings:
        for seed in seeds:
            of = (*setting, seed)
            if of in [(r["timestep_fs"], r["hydrogen_mass_u"], r["seed"]) for r in rows]:
                continue
            rows += compare(potential, atoms, ps=ps, settings=[setting], seeds=[seed])
            record.write(file, same | {"rows": rows})
    return file
