"""The crystal's answer to strain: elastic constants, and its stress beside the energy's derivative.

Units: eV, A; stress and elastic constants in GPa, positive stress = tension (ASE's sign).
"""

from __future__ import annotations

from collections.abc import Sequence

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator

from helpers import units
from helpers.validation import relaxation

VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")
_GPA = units.EV_PER_A3_IN_GPA


def shear_and_stretch(step: float) -> list[np.ndarray]:
    """No strain, then +step and -step of each Voigt component (shear: engineering strain)."""
    return [np.zeros((3, 3)), *(s * step * e for e in _voigt_strains() for s in (1, -1))]


def _voigt_strains() -> list[np.ndarray]:
    full = []
    for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        strain = np.zeros((3, 3))
        strain[i, j] += 0.5
        strain[j, i] += 0.5
        full.append(strain)
    return full


def elastic_constants(
    model: str, structure: str, *, step: float = 0.01, fmax: float = 0.0002, steps: int = 1000,
    hessian: np.ndarray | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Elastic constants C_ij (6, 6) in GPa at the structure's own cell, atoms relaxed; kept.

    C_ij = d sigma_i / d epsilon_j by central differences of ``step``. At a cell under stress these
    are stress-strain coefficients; the same cell is used for every model. The softest modes of a
    framework move far under forces that hardly show: with ``fmax`` = ``step`` = 0.005 ZIF-4 came
    out twice as stiff along c, and C_ij off C_ji by 3 GPa. hessian: see `relaxation.relax_cells`.
    """
    strains = shear_and_stretch(step)
    file = relaxation.relaxations("elastic", model, structure, strains, fmax, steps, hessian)
    return elastic_matrix(ase.io.read(file, index=":"), step)


def elastic_matrix(frames: Sequence[Atoms], step: float) -> pd.DataFrame:
    """C_ij (6, 6) in GPa from frames in the order of `shear_and_stretch`."""
    stress = np.array([frame.get_stress() for frame in frames]) * _GPA
    columns = (stress[1::2] - stress[2::2]) / (2 * step)
    return pd.DataFrame(columns.T, index=list(VOIGT), columns=list(VOIGT))


def elastic_summary(constants: pd.DataFrame) -> dict:
    """What C_ij says, in GPa: the nine constants of an orthorhombic crystal and their averages.

    C12, C13 and C23 are means of C_ij and C_ji, whose largest difference is ``asymmetry``: zero in
    theory, so it measures the error of differences and relaxations. ``bulk_voigt`` is that of equal
    strains, as in E(V); ``bulk_reuss`` that of equal stresses, as in NPT. ``softest`` is the
    smallest eigenvalue: a stable crystal has a positive one (Born).
    """
    raw = constants.to_numpy()
    c = (raw + raw.T) / 2
    named = {f"C{i + 1}{j + 1}": float(c[i, j])
             for i, j in [(k, k) for k in range(6)] + [(0, 1), (0, 2), (1, 2)]}  # fmt: skip
    return named | {
        "bulk_voigt": float(c[:3, :3].mean()),
        "bulk_reuss": float(1 / np.linalg.inv(c)[:3, :3].sum()),
        "softest": float(np.linalg.eigvalsh(c).min()),
        "asymmetry": float(np.abs(raw - raw.T).max()),
    }


def stress_by_differences(atoms: Atoms, calculator: Calculator, step: float = 1e-3) -> pd.DataFrame:
    """The stress beside the derivative of the energy, sigma_j = (1/V) dE/d epsilon_j.

    Atoms follow the cell (fractional positions fixed), central differences of ``step``. A wrong
    sign, unit or factor of the virial shows at once. Rows: Voigt components; columns stress_GPa,
    differences_GPa, error_GPa.
    """
    energies = []
    for strain in shear_and_stretch(step)[1:]:
        deformed = atoms.copy()
        deformed.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        deformed.calc = calculator
        energies.append(deformed.get_potential_energy())
    plus, minus = np.array(energies).reshape(6, 2).T
    at_rest = atoms.copy()
    at_rest.calc = calculator
    table = pd.DataFrame({
        "stress_GPa": at_rest.get_stress() * _GPA,
        "differences_GPa": (plus - minus) / (2 * step * atoms.get_volume()) * _GPA,
    }, index=list(VOIGT))  # fmt: skip
    table["error_GPa"] = table["stress_GPa"] - table["differences_GPa"]
    return table
