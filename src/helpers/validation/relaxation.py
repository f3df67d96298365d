"""Relaxation of the crystal in deformed cells, and the Hessian from which it can start.

Units: eV, A; stress in eV/A^3, positive stress = tension (ASE's sign).
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.optimize import BFGS, LBFGS
from ase.vibrations import Vibrations

from helpers import waiting
from helpers.errors import NotFinite
from helpers.frames import sampling
from helpers.validation import calculators

FRAMES, _HESSIAN = "relaxed.extxyz", "hessian.npy"


def relax_cells(
    start: Atoms, calculator: Calculator, strains: Sequence[np.ndarray], file: Path, *,
    fmax: float, steps: int, hessian: np.ndarray | None = None,
) -> list[Atoms]:  # fmt: skip
    """Relax the positions of the crystal in deformed cells (L-BFGS, fixed cell).

    Each relaxation starts from the fractional positions of the nearest strain that is finished.
    Frames are appended to ``file``, so that the same call after a kill continues.

    Parameters
    ----------
    start : ase.Atoms
        The crystal.
    calculator : Calculator
        Calculator with stress.
    strains : sequence of (3, 3) array
        Symmetric strains; the cell is ``cell0 (1 + strain)``.
    file : Path
        Trajectory of finished frames.
    fmax : float
        Largest force at which a relaxation ends, eV/A.
    steps : int
        Largest number of steps.
    hessian : (3N, 3N) array, optional
        Initial guess, eV/A^2 (`curvature` of a similar model). BFGS then takes a tenth of the steps
        if there are many soft modes, as in an open framework.

    Returns
    -------
    list of ase.Atoms
        Frames with energy, forces and stress, in the order of ``strains``.

    Raises
    ------
    NotFinite
        Energy, forces or stress became NaN or infinite.
    """
    done = sampling.whole_frames(file)
    with waiting.bar(
        total=len(strains), initial=len(done), desc=file.parent.name, unit="cell"
    ) as bar:
        for n, strain in enumerate(strains[len(done):], len(done)):  # fmt: skip
            atoms = start.copy()
            if done:
                near = min(range(n), key=lambda i: np.linalg.norm(strain - strains[i]))
                atoms.set_scaled_positions(done[near].get_scaled_positions(wrap=False))
            atoms.set_cell(start.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            done.append(_relaxed(atoms, calculator, fmax, steps, hessian))
            ase.io.write(file, done[-1], format="extxyz", append=True)
            bar.update()
    return done


def _relaxed(
    atoms: Atoms, calculator: Calculator, fmax: float, steps: int, hessian: np.ndarray | None = None
) -> Atoms:
    atoms.calc = calculator
    began = time.monotonic()
    if hessian is None:
        optimiser = LBFGS(atoms, logfile=os.devnull, maxstep=0.1)
    else:
        optimiser = BFGS(atoms, logfile=None, maxstep=0.1)
        optimiser.H0 = hessian
    optimiser.run(fmax=fmax, steps=steps)
    frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(),
              "stress": atoms.get_stress()}  # fmt: skip
    if not all(np.isfinite(value).all() for value in labels.values()):
        raise NotFinite(
            f"energy, forces or stress of the cell of {atoms.get_volume():.0f} A^3 are not finite "
            f"after {optimiser.nsteps} steps; the potential does not know this structure"
        )
    frame.info = {"relaxation_steps": optimiser.nsteps, "seconds": time.monotonic() - began}
    frame.calc = SinglePointCalculator(frame, **labels)
    return frame


def curvature(model: str, structure: str, *, fmax: float = 0.0002, steps: int = 3000) -> Path:
    r"""The Hessian of a model at its own minimum in the cell of the structure; kept.

    .. math:: H_{ij} = \partial^2 E / \partial x_i \partial x_j

    by central differences of forces (`ase.vibrations`). A uniform translation, which costs no
    energy, is given 100 eV/A^2, so that the matrix can be inverted.

    Parameters
    ----------
    model : str
        The model.
    structure : str
        Name of the structure.
    fmax : float
        Largest force after relaxation, eV/A.
    steps : int
        Largest number of relaxation steps.

    Returns
    -------
    Path
        File with a symmetric (3N, 3N) array, eV/A^2.
    """

    def make(start, calculator, directory):
        began = time.monotonic()
        still = relax_cells(start, calculator, [np.zeros((3, 3))], directory / FRAMES, fmax=fmax,
                            steps=steps)[0]  # fmt: skip
        still.calc = calculator
        moves = Vibrations(still, name=str(directory / "displaced"))
        moves.run()
        hessian = moves.get_vibrations().get_hessian_2d()
        for axis in np.eye(3):
            together = np.tile(axis, len(still)) / np.sqrt(len(still))
            hessian = hessian + 100 * np.outer(together, together)
        np.save(directory / _HESSIAN, hessian)
        moves.clean()
        return time.monotonic() - began

    parameters = {"fmax_eV_per_A": fmax, "steps": steps}
    return calculators.kept("curvature", model, structure, parameters, make) / _HESSIAN


def relaxations(
    what: str, model: str, structure: str, strains: Sequence[np.ndarray], fmax: float, steps: int,
    hessian: np.ndarray | None = None,
) -> Path:  # fmt: skip
    """`relax_cells` of a structure by a model; kept.

    Parameters
    ----------
    what : str
        Name of the check.
    model : str
        The model.
    structure : str
        Name of the structure.
    strains : sequence of (3, 3) array
        Symmetric strains.
    fmax : float
        Largest force after relaxation, eV/A.
    steps : int
        Largest number of relaxation steps.
    hessian : (3N, 3N) array, optional
        Initial guess, eV/A^2.

    Returns
    -------
    Path
        File with the frames.

    Raises
    ------
    NotFinite
        As `relax_cells`.
    """

    def make(start, calculator, directory):
        frames = relax_cells(start, calculator, strains, directory / FRAMES, fmax=fmax,
                             steps=steps, hessian=hessian)  # fmt: skip
        return sum(frame.info["seconds"] for frame in frames)

    parameters = {"strains": np.asarray(strains).tolist(), "fmax_eV_per_A": fmax, "steps": steps}
    return calculators.kept(what, model, structure, parameters, make) / FRAMES
