"""Energy and pressure of the crystal as functions of volume, and the Birch-Murnaghan fit of E(V).

Units: eV, A; pressure and bulk modulus in GPa, positive pressure = compression.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms
from ase.eos import EquationOfState

from helpers import provenance, units, waiting
from helpers.errors import Unfit
from helpers.frames import correction, reference, sampling
from helpers.validation import calculators, relaxation

VOLUME_PERCENT = (-8, -6, -4, -2, 0, 2, 4, 6, 8, 10, 15, 20, 25)
_GPA = units.EV_PER_A3_IN_GPA


def volume_strains(percent: Sequence[float]) -> list[np.ndarray]:
    """Isotropic strains for changes of the volume.

    Parameters
    ----------
    percent : sequence of float
        Changes of the volume, percent.

    Returns
    -------
    list of (3, 3) array
        Strains, the smallest change first.
    """
    return [np.eye(3) * ((1 + p / 100) ** (1 / 3) - 1) for p in sorted(percent, key=abs)]


def relaxed_volumes(
    model: str, structure: str, *, percent: Sequence[float] = VOLUME_PERCENT,
    fmax: float = 0.005, steps: int = 1000, labelled: bool = False,
) -> list[Atoms]:  # fmt: skip
    """The crystal at several volumes, relaxed by a model; kept.

    Parameters
    ----------
    model : str
        The model.
    structure : str
        Name of the structure.
    percent : sequence of float
        Changes of the volume, percent, with 0.
    fmax : float
        Largest force after relaxation, eV/A.
    steps : int
        Largest number of relaxation steps.
    labelled : bool
        Whether the frames carry the labels of the reference instead of the model's; kept too. The
        reference's own minima are lower by a second-order amount only, and its relaxations would
        take an hour instead of a minute.

    Returns
    -------
    list of ase.Atoms
        Frames; the first is at 0 %.

    Raises
    ------
    Unfit
        0 % is missing, from which energies are counted.
    """
    if 0 not in percent:
        raise Unfit(f"percent = {tuple(percent)} lacks 0, from which energies are counted; add it")
    file = relaxation.relaxations("volume", model, structure, volume_strains(percent), fmax, steps)
    return list(ase.io.iread(_labelled(file, structure) if labelled else file, index=":"))


def _labelled(source: Path, structure: str) -> Path:
    def make(start, calculator, directory):
        file, began = directory / relaxation.FRAMES, time.monotonic()
        done = sampling.whole_frames(file)
        frames = ase.io.read(source, index=":")[len(done):]  # fmt: skip
        for frame in waiting.bar(frames, desc="label", unit="frame"):
            ase.io.write(file, reference.label(frame, calculator), format="extxyz", append=True)
        return time.monotonic() - began

    of = {"frames": provenance.sha256(source)}
    made = calculators.kept("labels", calculators.REFERENCE, structure, of, make)
    return made / relaxation.FRAMES


def volume_curve(frames: Sequence[Atoms]) -> pd.DataFrame:
    """E(V) and p(V) of labelled frames.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Frames with energy, forces and stress.

    Returns
    -------
    DataFrame
        Ordered by volume: volume_A3, volume_percent (change from the first frame), energy_eV,
        energy_meV_per_atom (relative to the first frame), pressure_GPa = -tr(sigma) / 3,
        force_max_eV_per_A (the largest after relaxation).
    """
    volume = np.array([frame.get_volume() for frame in frames])
    energy = np.array([frame.get_potential_energy() for frame in frames])
    return pd.DataFrame({
        "volume_A3": volume,
        "volume_percent": 100 * (volume / volume[0] - 1),
        "energy_eV": energy,
        "energy_meV_per_atom": 1e3 * (energy - energy[0]) / len(frames[0]),
        "pressure_GPa": [-frame.get_stress()[:3].mean() * _GPA for frame in frames],
        "force_max_eV_per_A": [np.linalg.norm(f.get_forces(), axis=1).max() for f in frames],
    }).sort_values("volume_A3", ignore_index=True)  # fmt: skip


def volume_curves(model: str, structure: str, **options) -> dict[str, pd.DataFrame]:
    """`volume_curve` of a model and, on the same frames, of the reference.

    The reference is corrected as the labels of the model were. If it is not available, see
    `calculators.beside_reference`.

    Parameters
    ----------
    model : str
        The model.
    structure : str
        Name of the structure.
    **options
        Passed to `relaxed_volumes`.

    Returns
    -------
    dict of str to DataFrame
        Model -> curve.
    """

    def measure(of, cell, laws=None):
        labelled = of == calculators.REFERENCE
        frames = relaxed_volumes(model, cell, labelled=labelled, **options)
        if laws:
            frames = correction.corrected_images(frames, laws, f"the volumes of {cell}")
        return volume_curve(frames)

    return calculators.beside_reference(measure, model, structure)


def equation_of_state(volume_A3, energy_eV) -> dict:
    """Birch-Murnaghan fit (Phys. Rev. 71, 809 (1947)) of E(V), by ``ase.eos``.

    A single such curve does not describe an open framework over a wide range; use the points around
    the minimum.

    Parameters
    ----------
    volume_A3 : (M,) array
        Volumes, A^3.
    energy_eV : (M,) array
        Energies, eV.

    Returns
    -------
    dict
        volume_A3 and energy_eV of the minimum, bulk_modulus_GPa, its derivative with pressure, and
        rms_eV, the residual.

    Raises
    ------
    Unfit
        There are fewer than five volumes, the fit fails, or the minimum does not lie between them.
    """
    volume, energy = np.asarray(volume_A3, float), np.asarray(energy_eV, float)
    if len(volume) < 5:
        raise Unfit(f"{len(volume)} volumes; a fit of four parameters needs five or more: add some")
    eos = EquationOfState(volume, energy, eos="birchmurnaghan")
    try:
        v0, e0, bulk = eos.fit(warn=False)
    except RuntimeError as error:  # scipy's, when it finds no parameters
        raise Unfit(
            f"no Birch-Murnaghan curve fits these energies ({error}); look at them, or take "
            f"volumes nearer to the minimum"
        ) from error
    if not volume.min() < v0 < volume.max():
        raise Unfit(
            f"the energy has no minimum among {volume.min():.0f} ... {volume.max():.0f} A^3 "
            f"(the fit says {v0:.0f}); widen the range"
        )
    return {
        "volume_A3": float(v0), "energy_eV": float(e0), "bulk_modulus_GPa": float(bulk * _GPA),
        "bulk_modulus_derivative": float(eos.eos_parameters[2]),
        "rms_eV": float(np.sqrt(np.mean((eos.func(volume, *eos.eos_parameters) - energy) ** 2))),
    }  # fmt: skip


def equations_of_state(
    curves: dict[str, pd.DataFrame], within_percent: float = 6.0
) -> pd.DataFrame:
    """`equation_of_state` of several curves, as columns.

    A curve without a minimum in the range is reported, and its column is NaN.

    Parameters
    ----------
    curves : dict of str to DataFrame
        Results of `volume_curve`.
    within_percent : float
        Range around 0 % that is fitted, percent.

    Returns
    -------
    DataFrame
        A column for each curve.
    """
    columns = {}
    for name, curve in curves.items():
        near = curve[curve["volume_percent"].abs() <= within_percent + 1e-6]
        zero = curve["volume_A3"][curve["volume_percent"].abs().idxmin()]
        try:
            fit = equation_of_state(near["volume_A3"], near["energy_eV"])
        except ValueError as error:
            print(f"{name}: {error}")
            fit = dict.fromkeys(("volume_A3", "bulk_modulus_GPa", "bulk_modulus_derivative",
                                 "rms_eV"), np.nan)  # fmt: skip
        columns[name] = {
            "V₀ (A^3)": fit["volume_A3"],
            "V₀ (% from the cell)": 100 * (fit["volume_A3"] / zero - 1),
            "B (GPa)": fit["bulk_modulus_GPa"], "dB/dp": fit["bulk_modulus_derivative"],
            "left by the fit (eV a cell)": fit["rms_eV"],
        }  # fmt: skip
    return pd.DataFrame(columns)
