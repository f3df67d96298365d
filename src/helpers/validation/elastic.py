"""Response of the crystal to strain: elastic constants, and stress against the energy derivative.

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
from helpers.frames import correction
from helpers.frames.correction import Law
from helpers.validation import calculators, relaxation

VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")
SIDES = "one-sided"  # what a matrix of constants keeps beside its central differences
_GPA = units.EV_PER_A3_IN_GPA


def shear_and_stretch(step: float) -> list[np.ndarray]:
    """No strain, then +step and -step of each Voigt component (shear: engineering strain).

    Parameters
    ----------
    step : float
        Strain, dimensionless.

    Returns
    -------
    list of (3, 3) array
        Thirteen symmetric strains.
    """
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
    hessian: np.ndarray | None = None, laws: dict[str, Law] | None = None,
) -> pd.DataFrame:  # fmt: skip
    r"""Elastic constants at the structure's own cell, with relaxed atoms; kept.

    .. math:: C_{ij} = \partial \sigma_i / \partial \epsilon_j

    by central differences. For a cell under stress these are stress-strain coefficients; the same
    cell is used for every model. The softest modes of a framework move far under very small forces:
    with ``fmax`` = ``step`` = 0.005, ZIF-4 appeared twice as stiff along c, and C_ij differed from
    C_ji by 3 GPa.

    Parameters
    ----------
    model : str
        The model.
    structure : str
        Name of the structure.
    step : float
        Strain of the differences.
    fmax : float
        Largest force after relaxation, eV/A.
    steps : int
        Largest number of relaxation steps.
    hessian : (3N, 3N) array, optional
        See `relaxation.relax_cells`, eV/A^2.
    laws : dict of str to Law, optional
        Laws that correct the stress (`helpers.frames.correction`); the relaxations stay as they
        are, because the forces do.

    Returns
    -------
    (6, 6) DataFrame
        C_ij, GPa; its ``attrs`` hold the result of `one_sided` as `SIDES`.
    """
    strains = shear_and_stretch(step)
    file = relaxation.relaxations("elastic", model, structure, strains, fmax, steps, hessian)
    frames = list(ase.io.iread(file, index=":"))
    if laws:
        frames = correction.corrected_images(frames, laws, f"the strained cells of {structure}")
    matrix = elastic_matrix(frames, step)
    matrix.attrs[SIDES] = one_sided(frames, step)
    return matrix


def one_sided(frames: Sequence[Atoms], step: float) -> pd.DataFrame:
    """C11, C22 and C33 by tension and by compression alone.

    Where the two differ, the step is too large: the response is not linear over it, or the atoms
    relax into another minimum on one side, and the central difference is no elastic constant.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        As of `elastic_matrix`.
    step : float
        Strain.

    Returns
    -------
    (3, 2) DataFrame
        Columns ``stretched`` and ``compressed``, GPa.
    """
    stress = np.array([frame.get_stress() for frame in frames]) * _GPA
    sides = {"stretched": stress[1::2] - stress[0], "compressed": stress[0] - stress[2::2]}
    normal = ("C11", "C22", "C33")
    return pd.DataFrame({k: np.diag(s)[:3] / step for k, s in sides.items()}, index=list(normal))


def elastic_matrix(frames: Sequence[Atoms], step: float) -> pd.DataFrame:
    """Elastic constants from strained frames with stresses.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Frames in the order of `shear_and_stretch`.
    step : float
        Strain.

    Returns
    -------
    (6, 6) DataFrame
        C_ij, GPa.
    """
    stress = np.array([frame.get_stress() for frame in frames]) * _GPA
    columns = (stress[1::2] - stress[2::2]) / (2 * step)
    return pd.DataFrame(columns.T, index=list(VOIGT), columns=list(VOIGT))


def elastic_summary(constants: pd.DataFrame) -> dict:
    """The nine constants of an orthorhombic crystal and their averages.

    C12, C13 and C23 are means of C_ij and C_ji, whose largest difference is ``asymmetry``. In
    theory it is zero in a cell without stress, and of the size of the stress in one with some; what
    exceeds it is the error of differences and relaxations. ``bulk_voigt`` is the bulk modulus for
    equal strains, as in E(V); ``bulk_reuss`` that for equal stresses, as in NPT. ``softest`` is the
    smallest eigenvalue, which is positive in a stable crystal (Born), as far as the constants are
    derivatives on both sides. Where the sides were kept they follow as ``C11_stretched`` to
    ``C33_compressed``.

    Parameters
    ----------
    constants : (6, 6) DataFrame
        C_ij, GPa.

    Returns
    -------
    dict of str to float
        These numbers, GPa.
    """
    raw, sides = constants.to_numpy(), constants.attrs.get(SIDES, pd.DataFrame())
    c = (raw + raw.T) / 2
    named = {f"C{i + 1}{j + 1}": float(c[i, j])
             for i, j in [(k, k) for k in range(6)] + [(0, 1), (0, 2), (1, 2)]}  # fmt: skip
    return named | {
        "bulk_voigt": float(c[:3, :3].mean()),
        "bulk_reuss": float(1 / np.linalg.inv(c)[:3, :3].sum()),
        "softest": float(np.linalg.eigvalsh(c).min()),
        "asymmetry": float(np.abs(raw - raw.T).max()),
        **{f"{name}_{side}": float(value) for side in sides for name, value in sides[side].items()},
    }


def beside_reference(model: str, structure: str, **options) -> pd.DataFrame:
    """`elastic_summary` of a model and, if it is available, of the reference.

    Parameters
    ----------
    model : str
        The model.
    structure : str
        Name of the structure.
    **options
        Passed to `elastic_constants`.

    Returns
    -------
    DataFrame
        A row for each constant, GPa; a column for each model, see `calculators.beside_reference`.
    """
    found = calculators.beside_reference(elastic_constants, model, structure, **options)
    return pd.DataFrame({name: elastic_summary(constants) for name, constants in found.items()})


def stress_by_differences(
    atoms: Atoms, model: str | Calculator, step: float = 1e-3
) -> pd.DataFrame:
    """The stress and the derivative of the energy, sigma_j = (1/V) dE/d epsilon_j.

    Atoms follow the cell (fixed fractional positions). A wrong sign, unit or factor of the virial
    shows as a difference.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    model : str or Calculator
        The model, or a calculator with stress.
    step : float
        Strain of the central differences.

    Returns
    -------
    DataFrame
        A row for each Voigt component: stress_GPa, differences_GPa, error_GPa.
    """
    calculator = calculators.calculator(model) if isinstance(model, str) else model
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
