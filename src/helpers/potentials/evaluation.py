"""Predictions of a potential for labelled frames, compared with the labels.

Units: eV, A, eV/A; energies and virials per atom in meV.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import dpdata
import numpy as np

from helpers import paths, provenance
from helpers.potentials import deepmd, store
from helpers.potentials.store import Potential
from helpers.structures import TYPE_MAP

ERRORS = ("energy_rmse_meV_per_atom", "force_rmse_eV_per_A", "virial_rmse_meV_per_atom")
PARITY = (("energy", "eV/atom"), ("force", "eV/A"), ("virial", "eV/atom"))


@dataclass(frozen=True)
class Prediction:
    """Predictions of a potential for F frames of N atoms, with the labels.

    Attributes
    ----------
    energy : (F,) array
        Predicted energies, eV.
    force : (F, N, 3) array
        Predicted forces, eV/A.
    virial : (F, 3, 3) array
        Predicted virials, eV.
    energy_reference : (F,) array
        Energies of the labels, eV.
    force_reference : (F, N, 3) array
        Forces of the labels, eV/A.
    virial_reference : (F, 3, 3) array or None
        Virials of the labels, eV; None if the frames have none.
    elements : (N,) array of str
        Chemical symbols.
    """

    energy: np.ndarray
    force: np.ndarray
    virial: np.ndarray
    energy_reference: np.ndarray
    force_reference: np.ndarray
    virial_reference: np.ndarray | None
    elements: np.ndarray

    def metrics(self) -> dict:
        """Root-mean-square errors over frames, atoms and components.

        energy_rmse_meV_per_atom = sqrt(<(E - E_ref)^2>) / N, force_rmse_eV_per_A = sqrt(<(F -
        F_ref)^2>) and virial_rmse_meV_per_atom = sqrt(<(W - W_ref)^2>) / N, as defined by ``dp
        test``. energy_bias_meV_per_atom = <E - E_ref> / N is the part of the first that all frames
        share. force_rms_eV_per_A is the root mean square of the reference forces, and
        energy_spread_meV_per_atom the standard deviation of the reference energies, with which the
        errors are to be compared. energy_relative_percent is the error divided by the mean absolute
        energy, as in the paper's Table 1.

        Returns
        -------
        dict
            These numbers and the number of frames.
        """
        n_atoms = len(self.elements)
        error = self.force - self.force_reference
        virial = None
        if self.virial_reference is not None:
            virial = 1e3 * _rms(self.virial - self.virial_reference) / n_atoms
        energy = _rms(self.energy - self.energy_reference)
        present = [e for e in TYPE_MAP if (self.elements == e).any()]
        return {
            "n_frames": len(self.energy),
            "energy_rmse_meV_per_atom": 1e3 * energy / n_atoms,
            "energy_bias_meV_per_atom": float(
                1e3 * (self.energy - self.energy_reference).mean() / n_atoms
            ),
            "energy_relative_percent": float(100 * energy / np.abs(self.energy_reference).mean()),
            "energy_spread_meV_per_atom": float(1e3 * self.energy_reference.std() / n_atoms),
            "force_rmse_eV_per_A": _rms(error),
            "force_rms_eV_per_A": _rms(self.force_reference),
            "force_rmse_by_element_eV_per_A": {
                e: _rms(error[:, self.elements == e]) for e in present
            },
            "virial_rmse_meV_per_atom": virial,
        }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def predict(potential: str | Path | Potential, system: dpdata.LabeledSystem) -> Prediction:
    """Energies, forces and virials of a potential for labelled frames.

    Parameters
    ----------
    potential : str, Path or Potential
        See `store.load`.
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    Prediction
        Predictions and labels.

    Raises
    ------
    BadPotential
        As `store.check_potential`.
    """
    elements = np.array(system["atom_names"])[system["atom_types"]]
    model = store.check_potential(potential, elements)
    types = [model.get_type_map().index(e) for e in elements]
    n = len(system)
    with store.quiet():
        energy, force, virial = model.eval(
            system["coords"].reshape(n, -1), system["cells"].reshape(n, -1), types
        )
    reference = system.data.get("virials")
    return Prediction(
        energy=energy.reshape(n),
        force=force.reshape(n, -1, 3),
        virial=virial.reshape(n, 3, 3),
        energy_reference=np.asarray(system["energies"]).reshape(n),
        force_reference=np.asarray(system["forces"]),
        virial_reference=None if reference is None else np.asarray(reference),
        elements=elements,
    )


def evaluate(potential: str | Path | Potential, system: dpdata.LabeledSystem) -> dict:
    """Errors of a potential on labelled frames.

    Parameters
    ----------
    potential : str, Path or Potential
        See `store.load`.
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    dict
        As `Prediction.metrics`.

    Raises
    ------
    BadPotential
        As `store.check_potential`.
    """
    return predict(potential, system).metrics()


def over_all(errors: list[dict]) -> dict[str, float]:
    """Root-mean-square errors over all frames of several sets.

    Parameters
    ----------
    errors : list of dict
        `Prediction.metrics` of each set.

    Returns
    -------
    dict of str to float
        RMSE of energy and force, and of the virial if there is any.
    """
    result = {}
    for key in ERRORS:
        known = [(e["n_frames"], e[key]) for e in errors if e[key] is not None]
        if known:
            frames_ = sum(n for n, _ in known)
            result[key] = math.sqrt(sum(n * x**2 for n, x in known) / frames_)
    return result


def of_phase(errors: list[dict]) -> dict[str, float]:
    """Errors over all frames of several sets of one phase.

    Where two phases differ in their mean error of the energy, the balance between them is wrong by
    that.

    Parameters
    ----------
    errors : list of dict
        `Prediction.metrics` of each set.

    Returns
    -------
    dict of str to float
        frames, energy_bias_meV_per_atom (mean of potential minus label), and those of `over_all`.
    """
    weights = [e["n_frames"] for e in errors]
    bias = np.average([e["energy_bias_meV_per_atom"] for e in errors], weights=weights)
    every = {"frames": sum(weights), "energy_bias_meV_per_atom": float(bias)}
    return every | over_all(errors)


def parity(predictions: dict[str, Prediction]) -> dict[str, tuple]:
    """Points of parity plots.

    Energies per atom relative to the mean of all reference energies, grouped by set; components of
    forces, grouped by element; components of virials per atom, grouped by set.

    Parameters
    ----------
    predictions : dict of str to Prediction
        Set -> predictions.

    Returns
    -------
    dict of str to tuple
        Quantity of `PARITY` -> (reference, predicted, groups).
    """
    energy, force, virial = [], [], []
    for name, p in predictions.items():
        n = len(p.elements)
        energy.append((p.energy_reference / n, p.energy / n, [name] * len(p.energy)))
        elements = np.broadcast_to(p.elements[None, :, None], p.force.shape)
        force.append((p.force_reference.ravel(), p.force.ravel(), elements.ravel()))
        if p.virial_reference is not None:
            groups = [name] * p.virial.size
            virial.append((p.virial_reference.ravel() / n, p.virial.ravel() / n, groups))
    joined = [tuple(map(np.concatenate, zip(*q, strict=True))) for q in (energy, force, virial)]
    zero = joined[0][0].mean()
    joined[0] = (joined[0][0] - zero, joined[0][1] - zero, joined[0][2])
    return {quantity: points for (quantity, _), points in zip(PARITY, joined, strict=True)}


def write_metrics(file: Path, metrics: dict) -> Path:
    """Write the errors of a potential in one step, so that no incomplete file is left.

    Parameters
    ----------
    file : Path
        ``metrics.json``.
    metrics : dict
        Set -> errors.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DPFailed
        An error is NaN, because the potential predicts NaN.
    """
    if not all(math.isfinite(m["force_rmse_eV_per_A"]) for m in metrics.values()):
        raise deepmd.DPFailed(f"{paths.relative(file.parent)}: the trained potential predicts NaN")
    return provenance.write_text(file, json.dumps(metrics, indent=1) + "\n")


def dp_test(potential: str | Path | Potential, part_directory: Path) -> dict:
    """Errors as printed by ``dp test``, an independent check of `evaluate`.

    Parameters
    ----------
    potential : str, Path or Potential
        See `store.load`.
    part_directory : Path
        A part of a set, such as ``dataset.locate("abw") / "validation"``.

    Returns
    -------
    dict
        As `evaluate`.

    Raises
    ------
    DPFailed
        ``dp test`` failed.
    """
    file = store.load(potential).file.resolve()
    with tempfile.TemporaryDirectory() as work:
        text = deepmd.run(
            Path(work), None, "test", "-m", str(file), "-s", str(Path(part_directory).resolve()),
            "-n", "0",  # all frames
        )  # fmt: skip

    def value(label: str, scale: float) -> float | None:
        found = re.findall(rf"{label}\s*:\s*([-+.\deE]+)", text)
        return float(found[-1]) * scale if found else None

    return {
        "energy_rmse_meV_per_atom": value("Energy RMSE/Natoms", 1e3),
        "force_rmse_eV_per_A": value("Force  RMSE", 1.0),
        "virial_rmse_meV_per_atom": value("Virial RMSE/Natoms", 1e3),
    }
