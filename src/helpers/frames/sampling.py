"""Molecular dynamics driven by a calculator, every step of it a labelled frame.

Sampling with the reference itself costs one label a step and wastes none: no frame of it is
unphysical at the reference's own level of theory. Temperature and strain may ramp linearly, so
that a few hundred steps sweep a wide range. Hydrogen is made heavy (positions and labels do not
know masses) to allow a 1 fs step.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.md.langevin import Langevin
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.optimize import BFGS

from helpers import waiting
from helpers.errors import Unfit, UserError, refuse_outside


class Unphysical(UserError, RuntimeError):
    """A sampler left the structures that are worth a label."""


@dataclass(frozen=True)
class Ramp:
    """One sampling run of Langevin dynamics.

    Attributes
    ----------
    steps : int
        Number of steps.
    temperature_K : (float, float)
        Temperature at the start and the end of a linear ramp, K.
    strain : (float, float)
        Strain of all three lengths of the start structure at the start and the end of a linear
        ramp.
    seed : int
        Seed of the random numbers.
    timestep_fs : float
        Time step, fs.
    hydrogen_mass_u : float
        Mass of hydrogen, u.
    friction_per_fs : float
        Friction, 1/fs.
    initial_temperature_K : float or None
        Temperature of the velocities at the first step, K; by default twice the first temperature,
        as half of it goes into the potential energy of a relaxed start.
    keep_every : int
        Steps between frames kept; 1 where every step is a label of the reference.
    thermostat : str
        ``langevin``, or ``baoab`` at constant strain only (Leimkuhler and Matthews, Appl. Math.
        Res. Express 2013, 34: positions of harmonic bonds are distributed correctly at any stable
        step, so that 2 fs suffice for a g(r)).

    Raises
    ------
    Unfit
        The thermostat is unknown, or ``baoab`` with a ramp of the strain; a number makes no sense.
    """

    steps: int
    temperature_K: tuple[float, float]
    strain: tuple[float, float] = (0.0, 0.0)
    seed: int = 1
    timestep_fs: float = 1.0
    hydrogen_mass_u: float = 3.0
    friction_per_fs: float = 0.01
    initial_temperature_K: float | None = None
    keep_every: int = 1
    thermostat: str = "langevin"

    def __post_init__(self):
        refuse_outside(
            self, steps=(1, 1e8), temperature_K=(0, 1e4), strain=(-0.5, 0.5), seed=(0, 2**32 - 1),
            timestep_fs=(1e-3, 10), hydrogen_mass_u=(0.9, 20), friction_per_fs=(0, 1),
            initial_temperature_K=(0, 2e4), keep_every=(1, 1e8),
        )  # fmt: skip
        if self.thermostat not in ("langevin", "baoab"):
            raise Unfit(f"thermostat is {self.thermostat!r}, wanted: langevin or baoab")
        if self.thermostat == "baoab" and self.strain[0] != self.strain[1]:
            raise Unfit(
                "thermostat baoab keeps the forces of the last step: constant strain "
                f"only, not {self.strain}; use langevin for a ramp of the cell"
            )

    def at(self, step: int) -> tuple[float, float]:
        """Conditions of a step.

        Parameters
        ----------
        step : int
            0 to ``steps``.

        Returns
        -------
        temperature : float
            Temperature, K.
        strain : float
            Strain of all lengths.
        """
        x = step / max(self.steps, 1)
        (t0, t1), (s0, s1) = self.temperature_K, self.strain
        return t0 + x * (t1 - t0), s0 + x * (s1 - s0)


def run(
    start: Atoms,
    ramp: Ramp,
    calculator: Calculator,
    path: Path,
    guard: Callable[[Atoms], str | None] | None = None,
) -> Path:
    """Run a ramp; frames with the calculator's labels are appended to a file.

    A killed run goes on from its last whole frame by the same call: the thermostat's random numbers
    depend on (seed, step) alone.

    Parameters
    ----------
    start : ase.Atoms
        Structure of zero strain.
    ramp : Ramp
        The ramp.
    calculator : Calculator
        Calculator of the dynamics and of the labels.
    path : Path
        Extended-XYZ file of the frames.
    guard : callable, optional
        Takes every frame before it is kept and returns what is wrong with it, or None; needed where
        the calculator is itself a potential on trial.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    Unphysical
        The guard objected; frames kept until then stay.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    atoms, first, next_frame = _resume(path, ramp, start)
    cell0 = start.cell.array
    atoms.calc = calculator
    if ramp.thermostat == "baoab":
        atoms.set_cell(cell0 * (1 + ramp.strain[0]), scale_atoms=True)  # before its first forces
        dynamics = LangevinBAOAB(
            atoms,
            ramp.timestep_fs * units.fs,
            temperature_K=ramp.at(first)[0],
            T_tau=units.fs / ramp.friction_per_fs,
            rng=ramp.seed,
        )
    else:
        dynamics = Langevin(
            atoms,
            ramp.timestep_fs * units.fs,
            temperature_K=ramp.at(first)[0],
            friction=ramp.friction_per_fs / units.fs,
            fixcm=False,  # the drift of a periodic cell changes no label
        )
    with waiting.bar(total=ramp.steps, initial=first, desc=path.parent.name, unit="step") as bar:
        for step in range(first, ramp.steps):
            temperature, strain = ramp.at(step)
            atoms.set_cell(cell0 * (1 + strain), scale_atoms=True)
            if step >= next_frame and step % ramp.keep_every == 0:
                if guard and (objection := guard(atoms)):
                    raise Unphysical(f"{path}, step {step}: {objection}")
                _append(path, atoms, step, temperature, strain)
            dynamics.set_temperature(temperature_K=temperature)
            dynamics.rng = np.random.default_rng([ramp.seed, step])
            dynamics.run(1)
            bar.update()
            bar.set_postfix_str(f"{atoms.get_temperature():.0f} K")
    return path


def _append(path: Path, atoms: Atoms, step: int, temperature: float, strain: float):
    frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    frame.set_masses(atoms.get_masses())
    frame.set_momenta(atoms.get_momenta())
    frame.info = {"step": step, "temperature_K": temperature, "strain": strain}
    frame.calc = SinglePointCalculator(
        frame,
        energy=atoms.get_potential_energy(),
        forces=atoms.get_forces(),
        stress=atoms.get_stress(),
    )
    # One write per frame: a kill leaves at most one truncated frame, which _resume cuts off.
    ase.io.write(path, frame, format="extxyz", append=True)


def _resume(path: Path, ramp: Ramp, start: Atoms) -> tuple[Atoms, int, int]:
    """Atoms to go on with, their step, and the first step whose frame is not in the file."""
    if frames := whole_frames(path):
        return frames[-1], frames[-1].info["step"], frames[-1].info["step"] + 1
    atoms = start.copy()
    atoms.calc = None
    masses = atoms.get_masses()
    masses[atoms.numbers == 1] = ramp.hydrogen_mass_u
    atoms.set_masses(masses)
    t0 = ramp.initial_temperature_K or 2 * ramp.temperature_K[0]
    rng = np.random.default_rng([ramp.seed, 2**31])
    thermalize_momenta(atoms, temperature_K=t0, rng=rng)
    Stationary(atoms)
    return atoms, 0, 0


def whole_frames(path: Path) -> list[Atoms]:
    """All frames of an extended-XYZ file that a run appends to, all of the same atoms.

    A last frame that a kill cut off is cut off the file, too; the others stay as they were written.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    list of ase.Atoms
        The frames; none if there is no file.
    """
    if not Path(path).exists():
        return []
    lines = Path(path).read_bytes().splitlines(keepends=True)
    size = int(lines[0]) + 2 if lines else 1
    whole = len(lines) // size * size
    if whole and not lines[whole - 1].endswith(b"\n"):
        whole -= size
    if whole < len(lines):
        os.truncate(path, sum(map(len, lines[:whole])))
    text = io.StringIO(b"".join(lines[:whole]).decode())
    return list(ase.io.iread(text, index=":", format="extxyz")) if whole else []


def relax(
    start: Atoms,
    calculator: Calculator,
    path: Path,
    *,
    fmax: float,
    steps: int,
    only: str | None = None,
) -> Atoms:
    """Relax positions at fixed cell by BFGS; the labelled frame of every step is written to a file.

    Parameters
    ----------
    start : ase.Atoms
        The structure; it is not changed.
    calculator : Calculator
        Calculator of the labels.
    path : Path
        Extended-XYZ file of the frames; replaced if it exists.
    fmax : float
        Largest force left on a moving atom, eV/A.
    steps : int
        Largest number of steps.
    only : str, optional
        Symbol of the one element that may move (for ``"H"``: X-ray C-H distances are short).

    Returns
    -------
    ase.Atoms
        The last frame with its labels, whether converged or not.
    """
    atoms = start.copy()
    if only:
        atoms.set_constraint(FixAtoms(mask=np.asarray(atoms.symbols) != only))
    atoms.calc = calculator

    def keep():
        frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
        frame.info = {"step": optimiser.nsteps, "temperature_K": 0.0, "strain": 0.0}
        frame.calc = SinglePointCalculator(
            frame,
            energy=atoms.get_potential_energy(),
            forces=atoms.get_forces(apply_constraint=False),
            stress=atoms.get_stress(apply_constraint=False),
        )
        ase.io.write(path, frame, format="extxyz", append=True)

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)  # an optimisation takes a minute: from the start again
    optimiser = BFGS(atoms, logfile=None, maxstep=0.1)
    optimiser.attach(keep)
    optimiser.run(fmax=fmax, steps=steps)
    return next(ase.io.iread(path, index=-1))
