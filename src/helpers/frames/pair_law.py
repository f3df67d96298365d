"""One correction for all frameworks: pairs of atoms, beside the laws of the volume.

    E_DFT - E_ref = N c + sum_{i<j} phi_ab(r_ij)

with either phi_ab(r) = sum_k c_abk B_k(r), cubic B-splines for each pair of elements that end
smoothly at 12 A, or phi_ab(r) = -s C6_ab r^-6 t(r), the dispersion beyond what the reference sees
(its cutoff is 6 A): t switches on between 5 and 6 A and off between 14 and 16 A, C6 is that of
Grimme, J. Comput. Chem. 27, 1787 (2006), Table 1, and the one factor s is fitted. Both are linear
in what is fitted, so energies, forces and virials of the CP2K frames go into one ridge regression;
the derivative of the sum is analytic.

It competes with :mod:`helpers.frames.correction` by the rule that stands there. ``zif4 correction
--compare`` fits and leaves out, and writes ``data/bench/corrections.json``.

Units: A, eV in the rows; meV/atom and GPa in the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.neighborlist import neighbor_list
from ase.stress import voigt_6_to_full_3x3_stress
from scipy.interpolate import BSpline

from helpers import paths, provenance, units
from helpers.frames import correction, cp2k
from helpers.structures import TYPE_MAP

CUTOFF = 12.0  # A, of the splines
TAIL_ON, TAIL_OFF = (5.0, 6.0), (14.0, 16.0)  # A
SPLINES = 12  # of each pair of elements
RIDGES = (1e-4, 1e-2, 1.0, 1e2)  # of which the one is taken that leaves frames out best
FORCE_SCATTER = 0.01  # eV/A: RMS difference of reference and CP2K in minima; weight of the fit
_C6 = dict(zip(TYPE_MAP, (1.75, 0.14, 1.23, 10.80), strict=True))  # J nm^6/mol
_J_NM6_IN_EV_A6 = 1e6 / (1e3 * units.EV_IN_KJ_PER_MOL)
_PAIRS = {
    pair: i
    for i, pair in enumerate((a, b) for a in range(len(TYPE_MAP)) for b in range(a, len(TYPE_MAP)))
}

#: (elements i, elements j as indices of TYPE_MAP, distances) -> (value, derivative), each (P, K)
Basis = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def splines(i: np.ndarray, j: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cubic B-splines of each pair of elements, a `Basis`.

    Their value and first two derivatives are 0 at `CUTOFF`.

    Parameters
    ----------
    i : (P,) array of int
        Element of the first atom of each pair, as index of TYPE_MAP.
    j : (P,) array of int
        Element of the second atom.
    r : (P,) array
        Distances, A.

    Returns
    -------
    value : (P, K) array
        Values; `SPLINES` columns for each pair of elements, zero in those of other pairs.
    derivative : (P, K) array
        Derivatives with respect to r, 1/A.
    """
    step = CUTOFF / (SPLINES + 3)
    knots = step * np.arange(-3, SPLINES + 7)  # three more at both ends: full support in between
    basis = BSpline(knots, np.eye(SPLINES + 6)[:, 3:-3], 3)
    values, slopes = basis(r), basis.derivative()(r)
    k = values.shape[1]
    column = np.array([_PAIRS[min(a, b), max(a, b)] for a in range(4) for b in range(4)])[4 * i + j]
    wide = np.zeros((2, len(r), len(_PAIRS) * k))
    where = column[:, None] * k + np.arange(k)
    for target, source in zip(wide, (values, slopes), strict=True):
        np.put_along_axis(target, where, source, axis=1)
    return wide[0], wide[1]


def tail(i: np.ndarray, j: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Dispersion beyond the cutoff of the reference, a `Basis` of one column.

    .. math:: -\sqrt{C_6^i C_6^j} \, r^{-6} t(r)

    with t and the C6 (Grimme, J. Comput. Chem. 27, 1787 (2006)) at the top of this module.

    Parameters
    ----------
    i : (P,) array of int
        Element of the first atom of each pair, as index of TYPE_MAP.
    j : (P,) array of int
        Element of the second atom.
    r : (P,) array
        Distances, A.

    Returns
    -------
    value : (P, 1) array
        Energies, eV.
    derivative : (P, 1) array
        Derivatives with respect to r, eV/A.
    """
    c6 = np.array([_C6[e] for e in TYPE_MAP]) * _J_NM6_IN_EV_A6
    on, rise = _step(r, *TAIL_ON)
    off_, fall = _step(r, *TAIL_OFF)
    switch, change = on * (1 - off_), rise * (1 - off_) - on * fall
    strength = -np.sqrt(c6[i] * c6[j])
    value = strength * switch / r**6
    slope = strength * (change / r**6 - 6 * switch / r**7)
    return value[:, None], slope[:, None]


def _step(r: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """0 below ``low``, 1 above ``high``, smooth to the second derivative; and its derivative."""
    x = np.clip((r - low) / (high - low), 0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2), 30 * x**2 * (1 - x) ** 2 / (high - low)


_REACH: dict[Basis, float] = {splines: CUTOFF, tail: TAIL_OFF[1]}


@dataclass(frozen=True)
class Rows:
    """The rows of one frame for the K coefficients and, in the last column, the constant c.

    Attributes
    ----------
    energy : (1, K + 1) array
        Energy / N, eV.
    force : (3N, K + 1) array
        Forces, eV/A.
    stress : (6, K + 1) array
        Stress, eV/A^3.
    """

    energy: np.ndarray
    force: np.ndarray
    stress: np.ndarray


def rows(atoms: Atoms, basis: Basis) -> Rows:
    """The rows of a frame: sums over pairs, forces and stress as their exact derivatives.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure, periodic.
    basis : Basis
        `splines` or `tail`.

    Returns
    -------
    Rows
        The rows.
    """
    i, j, r, vector = neighbor_list("ijdD", atoms, _REACH[basis])
    element = np.array([TYPE_MAP.index(s) for s in atoms.symbols])
    value, slope = basis(element[i], element[j], r)
    n, k = len(atoms), value.shape[1]
    unit = vector / r[:, None]
    force = np.zeros((n, 3, k + 1))
    for axis in range(3):  # every pair is listed from both of its ends
        np.add.at(force[:, axis, :k], i, slope * unit[:, axis, None])
    stress = np.zeros((6, k + 1))
    for v, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        stress[v, :k] = ((unit[:, a] * vector[:, b]) @ slope) / (2 * atoms.get_volume())
    energy = np.append(value.sum(axis=0) / (2 * n), 1.0)[None]
    return Rows(energy, force.reshape(3 * n, k + 1), stress)


@dataclass(frozen=True)
class Frame:
    """A CP2K frame with its rows and normal equations.

    Attributes
    ----------
    framework : str
        Name of the framework.
    phase : str
        Phase of the frame, see `dft_list.PHASES`.
    name : str
        Name of the frame.
    rows : Rows
        Rows of the fit.
    energy : float
        Energy of CP2K minus that of the reference, eV/atom.
    pressure : float
        Pressure of CP2K minus that of the reference, eV/A^3.
    matrix : (K + 1, K + 1) array
        Matrix of the normal equations of the weighted energy, forces and stress.
    right : (K + 1,) array
        Their right side.
    """

    framework: str
    phase: str
    name: str
    rows: Rows
    energy: float  # CP2K minus reference, eV/atom
    pressure: float  # eV/A^3
    matrix: np.ndarray
    right: np.ndarray


def prepare(basis: Basis, frameworks: Sequence[str] = tuple(correction.FRAMEWORKS)) -> list[Frame]:
    """All CP2K frames of some frameworks that have reference labels, as weighted equations.

    Parameters
    ----------
    basis : Basis
        `splines` or `tail`.
    frameworks : sequence of str
        Names of the frameworks; by default all of `correction.FRAMEWORKS`.

    Returns
    -------
    list of Frame
        The frames.

    Raises
    ------
    NotThere
        A framework has no CP2K frames.
    """
    found = []
    for framework in frameworks:
        images = cp2k.read(framework)
        table = correction.differences(framework, images)
        for atoms, phase in zip(images, table["phase"], strict=True):
            stress = atoms.get_stress() - atoms.info["reference_stress"]
            energy = (atoms.get_potential_energy() - atoms.info["reference_energy"]) / len(atoms)
            force = (atoms.get_forces() - atoms.arrays["reference_forces"]).ravel()
            x = rows(atoms, basis)
            scatter = (1e-3 * correction.ENERGY_SCATTER, FORCE_SCATTER,
                       correction.PRESSURE_SCATTER / units.EV_PER_A3_IN_GPA)  # fmt: skip
            a = np.concatenate(
                [m / s for m, s in zip((x.energy, x.force, x.stress), scatter, strict=True)]
            )
            b = np.concatenate(
                [np.ravel(v) / s for v, s in zip((energy, force, stress), scatter, strict=True)]
            )
            found.append(Frame(
                framework, phase, atoms.info["name"], x, energy,
                -np.trace(voigt_6_to_full_3x3_stress(stress)) / 3, a.T @ a, a.T @ b,
            ))  # fmt: skip
    return found


def solve(frames: Sequence[Frame], ridge: float) -> np.ndarray:
    """Ridge regression of all frames; columns are scaled by their size, and the constant is free.

    Parameters
    ----------
    frames : sequence of Frame
        The frames.
    ridge : float
        Strength of the penalty on the scaled coefficients, divided by the number of frames.

    Returns
    -------
    (K + 1,) array
        Coefficients, eV, the constant last; for `tail` the first is the factor s.
    """
    matrix, right = sum(f.matrix for f in frames), sum(f.right for f in frames)
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-30))
    scaled = matrix / np.outer(scale, scale)
    penalty = np.full(len(scale), ridge / len(frames))
    penalty[-1] = 0.0
    # columns of pairs that never meet hold nothing but zeros
    return np.linalg.lstsq(scaled + np.diag(penalty), right / scale, rcond=1e-12)[0] / scale


def off(frame: Frame, coefficients: np.ndarray) -> tuple[float, float]:
    """Distance of a frame from a fit, frame minus law.

    Parameters
    ----------
    frame : Frame
        The frame.
    coefficients : (K + 1,) array
        Result of `solve`.

    Returns
    -------
    energy : float
        meV/atom.
    pressure : float
        GPa.
    """
    energy = frame.energy - (frame.rows.energy @ coefficients)[0]
    pressure = frame.pressure + (frame.rows.stress[:3] @ coefficients).mean()
    return 1e3 * energy, units.EV_PER_A3_IN_GPA * pressure


def left_out(frames: Sequence[Frame], ridge: float, by: Callable[[Frame], str]) -> pd.DataFrame:
    """Each group of frames predicted by the fit to all others.

    Parameters
    ----------
    frames : sequence of Frame
        The frames.
    ridge : float
        As for `solve`.
    by : callable
        Takes a Frame and returns the name of its group.

    Returns
    -------
    DataFrame
        A row for each frame. Columns: framework, phase, name, energy_off_meV_per_atom,
        pressure_off_GPa (frame minus law).
    """
    found = []
    for group in dict.fromkeys(by(f) for f in frames):
        others = [f for f in frames if by(f) != group]
        coefficients = solve(others, ridge)
        for frame in (f for f in frames if by(f) == group):
            energy, pressure = off(frame, coefficients)
            found.append(
                {
                    "framework": frame.framework,
                    "phase": frame.phase,
                    "name": frame.name,
                    "energy_off_meV_per_atom": energy,
                    "pressure_off_GPa": pressure,
                }
            )
    return pd.DataFrame(found)


def compare() -> pd.DataFrame:
    """All laws on frames, phases and frameworks that were left out of their fits.

    The law of the volume is one of each framework: left out as a whole, a framework has none.

    Returns
    -------
    DataFrame
        Columns: law (``volume``, ``splines``, ``tail``), left_out (``frame``, ``phase``,
        ``framework``), judged_on (framework), ridge (NaN for the volume), frames,
        energy_meV_per_atom, pressure_GPa (root mean squares).
    """
    result = []
    for framework in correction.FRAMEWORKS:
        table = correction.differences(framework)
        degree, _ = correction.choose(table)
        result.append(_row("volume", "frame", framework, np.nan,
                           correction.left_out(table, degree)))  # fmt: skip
        parts = []
        for phase in table["phase"].unique():
            if (table["phase"] != phase).sum() > degree:  # or there is nothing to fit
                law = correction.fit(table[table["phase"] != phase], degree, 0)
                part = table[table["phase"] == phase]
                v = part["volume_A3_per_atom"].to_numpy()
                parts.append(
                    part.assign(
                        energy_off_meV_per_atom=part["energy_meV_per_atom"] - law.energy(v),
                        pressure_off_GPa=part["pressure_GPa"] - law.pressure(v),
                    )
                )
        if parts:
            result.append(_row("volume", "phase", framework, np.nan, pd.concat(parts)))
    kinds = {
        "frame": lambda f: f.name,
        "phase": lambda f: f.framework + f.phase,
        "framework": lambda f: f.framework,
    }
    for name, basis in (("splines", splines), ("tail", tail)):
        frames = prepare(basis)
        ridges = RIDGES if basis is splines else (0.0,)
        best = min(
            ridges,
            key=lambda ridge, frames=frames: correction.score(
                left_out(frames, ridge, kinds["frame"])
            )["over_goals"],
        )
        for kind, by in kinds.items():
            table = left_out(frames, best, by)
            for framework, part in table.groupby("framework", sort=False):
                result.append(_row(name, kind, str(framework), best, part))
    return pd.DataFrame(result)


def _row(law: str, kind: str, framework: str, ridge: float, table: pd.DataFrame) -> dict:
    found = correction.score(table)
    return {"law": law, "left_out": kind, "judged_on": framework, "ridge": ridge,
            "frames": len(table), "energy_meV_per_atom": found["energy_meV_per_atom"],
            "pressure_GPa": found["pressure_GPa"]}  # fmt: skip


def kept() -> pd.DataFrame:
    """The shipped result of `compare`.

    Returns
    -------
    DataFrame
        As `compare`; empty if it is not shipped.
    """
    file = _file()
    return pd.read_json(file) if file.is_file() else pd.DataFrame()


def keep() -> Path:
    """Write `compare` to ``data/bench/corrections.json``, for the chapter.

    Returns
    -------
    Path
        The file.
    """
    return provenance.write_text(_file(), f"{compare().to_json(orient='records', indent=1)}\n")


def _file() -> Path:
    return paths.DATA / "bench" / "corrections.json"
