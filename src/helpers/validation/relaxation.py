"""The crystal in deformed cells, its atoms relaxed in each; and its Hessian, to start from.

Units: eV, A; stress in eV/A^3, positive stress = tension (ASE's sign).
"""

from __future__ import annotations

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
from tqdm import tqdm

from helpers.errors import NotFinite
from helpers.frames import sampling
from helpers.validation import calculators

FRAMES, _HESSIAN = "relaxed.extxyz", "hessian.npy"


def relax_cells(
    start: Atoms, calculator: Calculator, strains: Sequence[np.ndarray], file: Path, *,
    fmax: float, steps: int, hessian: np.ndarray | None = None,
) -> list[Atoms]:  # fmt: skip
    """The crystal in deformed cells, positions relaxed in each (L-BFGS, cell fixed).

    strains: symmetric (3, 3); the cell is ``cell0 (1 + strain)``. Each relaxation starts from the
    fractional positions of the nearest strain that is done. It ends when the largest force is
    below ``fmax`` (eV/A) or after ``steps``. Frames carry energy, forces and stress, in the order
    of ``strains``, and are appended to ``file``: the same call after a kill goes on.

    hessian: (3N, 3N) in eV/A^2, a guess to start from (`curvature` of a similar model); BFGS then
    takes a tenth of the steps where soft modes are many, and they are in an open framework.

    Raises
    ------
    FloatingPointError
        energy, forces or stress became NaN or infinite.
    """
    done = sampling.whole_frames(file)
    with tqdm(total=len(strains), initial=len(done), desc=file.parent.name, unit="cell") as bar:
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
        optimiser = LBFGS(atoms, logfile=None, maxstep=0.1)
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
    r"""File with the Hessian of a model at its own minimum in the cell of the structure; kept.

    .. math:: H_{ij} = \partial^2 E / \partial x_i \partial x_j

    by central differences of forces (`ase.vibrations`), (3N, 3N) in eV/A^2, symmetric. Moving all
    atoms at once costs 100 eV/A^2, in place of nothing, so that it can be inverted.
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
    """File of `relax_cells` of a structure by a model; kept as a check called ``what``."""

    def make(start, calculator, directory):
        frames = relax_cells(start, calculator, strains, directory / FRAMES, fmax=fmax,
                             steps=steps, hessian=hessian)  # fmt: skip
        return sum(frame.info["seconds"] for frame in frames)

    parameters = {"strains": np.asarray(strains).tolist(), "fmax_eV_per_A": fmax, "steps": steps}
    return calculators.kept(what, model, structure, parameters, make) / FRAMES
