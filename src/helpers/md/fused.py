"""A deep potential evaluated in one piece instead of by TensorFlow, where it is of the common kind.

``native/fused_deep_potential.cc`` takes over the one function of DeePMD-kit's C interface that its
LAMMPS plugin calls. It reads the weights from a file that is written here: the fitting nets as they
are, the embedding nets as a table of fifth-order polynomials that agree with value, slope and
curvature at their nodes. Models of another kind than se_e2_a with ``type_one_side``, and ensembles,
run by TensorFlow as before. ``ZIF4_KERNELS=off`` leaves all of it out.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from ase import Atoms

from helpers import paths, provenance, settings
from helpers.errors import UserError
from helpers.md import force_field, kernels, lammps
from helpers.potentials import store
from helpers.potentials.store import Potential

SOURCE = Path(__file__).with_name("native") / "fused_deep_potential.cc"
WEIGHTS = "weights.bin"
FORCE_ERROR = 5e-5  # eV/A, for forces of 1 eV/A and less; float32 alone makes 1e-5
ENERGY_ERROR = 1e-5  # eV an atom
STEP = 0.05  # between nodes, of the normalised s: errors of float32 are larger
CLOSEST_A = 0.5  # the table covers distances from here on; beyond, straight lines
_MAGIC, _VERSION = 0x5A494634, 1


class NotFused(UserError, ValueError):
    """A model of a kind that the fused evaluation does not know."""


def proven(potential: str | Path | store.Potential, atoms: Atoms) -> tuple[Path, Path] | None:
    """The fused library and its weights, shown to be right for this potential.

    Once for a potential and machine: the library is compiled, and its energy and forces on
    ``atoms``, randomly displaced by 0.05 A, are compared with those of TensorFlow. Where it cannot
    be used a line says why, and TensorFlow is.

    Parameters
    ----------
    potential : str, Path or Potential
        Name, directory or model file of the potential.
    atoms : ase.Atoms
        Structure to compare on.

    Returns
    -------
    (Path, Path) or None
        Library and weights, for `lammps.environment`; None if the kernels are switched off, there
        is no compiler, or the library cannot be used.

    Raises
    ------
    store.BadPotential
        As `store.load`.
    """
    if settings.current().kernels == "off":
        return None
    frozen = store.load(potential)
    name = paths.relative(frozen.file)
    try:
        library = kernels.compiled(SOURCE)
        compared = provenance.kept(
            "fused",
            {"frozen": frozen.sha256, "step": STEP, "version": _VERSION}
            | {"library": provenance.read(library.parent)["recipe"]},
            lambda _: _compared(library, frozen, atoms),
            description=f"the fused evaluation of {name} beside TensorFlow's",
            inputs={store.FROZEN: frozen.sha256},
            wait=True,
        )
    except (kernels.NotCompiled, lammps.LammpsDied) as reason:  # not kept: it may be a full disk
        print(f"TensorFlow evaluates {name}: {reason}", flush=True)
        return None
    if reason := provenance.read(compared).get("refused"):
        print(f"TensorFlow evaluates {name}: {reason}", flush=True)
        return None
    return library, weights(frozen)


def _compared(library: Path, frozen: Potential, atoms: Atoms) -> dict:
    """Differences to TensorFlow, or why the library is not used, for the provenance."""
    moved = atoms.copy()
    moved.rattle(0.05, seed=1)
    force = force_field.deepmd_lines(frozen.file)
    try:
        ours = lammps.single_point(moved, force, fused=(library, weights(frozen)))
    except NotFused as reason:
        return {"refused": str(reason)}
    theirs = lammps.single_point(moved, force, native=False)
    energy = float(abs(theirs[0] - ours[0]) / len(atoms))
    error = float(np.abs(theirs[1] - ours[1]).max())
    found = {"force_eV_per_A": error, "energy_eV_per_atom": energy}
    if error < FORCE_ERROR * max(1.0, np.abs(theirs[1]).max()) and energy < ENERGY_ERROR:
        return found
    return found | {
        "refused": f"forces differ by {error:.1e} eV/A, energies by {energy:.1e} eV an atom from "
        f"TensorFlow's"
    }


def weights(potential: str | Path | Potential) -> Path:
    """The file of weights of a frozen potential, made once and reused in ``build/fused/<key>``.

    Parameters
    ----------
    potential : str, Path or Potential
        The potential, or its name, directory or model file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    NotFused
        The model has another kind of descriptor or fitting net; the message says what is different.
    store.BadPotential
        As `store.load`.
    """
    frozen = store.load(potential)
    recipe = {
        "frozen": frozen.sha256, "step": STEP, "version": _VERSION,
        "deepmd-kit": provenance.versions().get("deepmd-kit"),
    }  # fmt: skip

    def make(target: Path) -> None:
        with store.quiet():
            from deepmd.backend.backend import Backend

            plain = Backend.get_backend("tensorflow")().serialize_hook(str(frozen.file))["model"]
        with provenance.replacing(target / WEIGHTS) as part:
            part.write_bytes(packed(plain))

    made = provenance.kept(
        "fused",
        recipe,
        make,
        description=f"weights of {paths.relative(frozen.file)} for the fused evaluation",
        inputs={store.FROZEN: frozen.sha256},
        wait=True,
    )
    return made / WEIGHTS


def packed(model: dict) -> bytes:
    """The weights as the library reads them.

    Parameters
    ----------
    model : dict
        The model in DeePMD-kit's own serialised form.

    Returns
    -------
    bytes
        Content of the file of weights.

    Raises
    ------
    NotFused
        As `weights`.
    """
    descriptor, fitting = model["descriptor"], model["fitting"]
    _check(model)
    kinds = len(model["type_map"])
    mean, deviation = (
        np.asarray(descriptor["@variables"][name], float)[:, 0] for name in ("davg", "dstd")
    )
    low, high = _range(descriptor, mean, deviation)
    rows = int(np.ceil((high - low) / STEP))
    tables = [
        table(net, low, rows) for net in descriptor["embeddings"]["networks"]
    ]  # of the neighbour's kind
    channels, axis = descriptor["neuron"][-1], descriptor["axis_neuron"]
    hidden = fitting["neuron"][0]
    out = [
        struct.pack(
            "8i", _MAGIC, _VERSION, kinds, channels, axis, hidden, rows, sum(descriptor["sel"])
        ),
        struct.pack("4f", descriptor["rcut"], descriptor["rcut_smth"], low, STEP),
        np.asarray(descriptor["sel"], np.int32).tobytes(),
        *(x.astype(np.float32).tobytes() for x in (mean[:, 0], deviation[:, 0], deviation[:, 1])),
        *(x.astype(np.float32).tobytes() for x in tables),
    ]
    atoms = np.asarray(fitting["@variables"]["bias_atom_e"], float).ravel()
    shift = np.asarray(model["@variables"]["out_bias"], float).ravel()
    for kind, net in enumerate(fitting["nets"]["networks"]):
        first, second, third, last = (layer["@variables"] for layer in net["layers"])
        ones = np.ones(hidden)
        for array in (
            first["w"], first["b"],
            second["w"], second["b"], ones if second["idt"] is None else second["idt"],
            third["w"], third["b"], ones if third["idt"] is None else third["idt"],
            last["w"],
        ):  # fmt: skip
            out.append(np.ascontiguousarray(array, np.float32).tobytes())
        out.append(struct.pack("d", float(last["b"][0]) + atoms[kind] + shift[kind]))
    return b"".join(out)


def table(net: dict, low: float, rows: int) -> np.ndarray:
    """Coefficients of an embedding net, tabulated as polynomials of fifth order.

    In powers of the distance from the lower end of an interval of width `STEP`. Value, slope and
    curvature are those of the net at both of its ends, so that forces are smooth.

    Parameters
    ----------
    net : dict
        The embedding net in DeePMD-kit's own serialised form.
    low : float
        Lower end of the first interval of the normalised s.
    rows : int
        Number of intervals.

    Returns
    -------
    (rows, 6, channels) array
        Coefficients in ascending powers, for each interval and channel.
    """
    at = low + STEP * np.arange(rows + 1)
    f, f1, f2 = _embedding(net, at)
    h = STEP
    left, right = slice(None, -1), slice(1, None)
    d = f[right] - f[left]
    c0, c1, c2 = f[left], f1[left], f2[left] / 2
    c3 = (10 * d - (6 * f1[left] + 4 * f1[right]) * h - (1.5 * f2[left] - 0.5 * f2[right]) * h**2) / h**3  # fmt: skip  # noqa: E501
    c4 = (-15 * d + (8 * f1[left] + 7 * f1[right]) * h + (1.5 * f2[left] - f2[right]) * h**2) / h**4
    c5 = (6 * d - 3 * (f1[left] + f1[right]) * h - (0.5 * f2[left] - 0.5 * f2[right]) * h**2) / h**5
    return np.stack([c0, c1, c2, c3, c4, c5], axis=1)


def _embedding(net: dict, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, first and second derivative of a net of one input, (M, channels) each."""
    y = x[:, None].astype(float)
    y1, y2 = np.ones_like(y), np.zeros_like(y)
    for layer in net["layers"]:
        w = np.asarray(layer["@variables"]["w"], float)
        z, z1, z2 = y @ w + np.asarray(layer["@variables"]["b"], float), y1 @ w, y2 @ w
        t = np.tanh(z)
        slope = 1 - t**2
        out = [t, slope * z1, slope * z2 - 2 * t * slope * z1**2]
        repeats = w.shape[1] / w.shape[0]
        if repeats in (1, 2):  # the net adds its input, once or side by side with itself
            kept = [np.tile(v, (1, int(repeats))) for v in (y, y1, y2)]
            out = [a + b for a, b in zip(out, kept, strict=True)]
        y, y1, y2 = out
    return y, y1, y2


def _range(descriptor: dict, mean: np.ndarray, deviation: np.ndarray) -> tuple[float, float]:
    """Normalised s of no neighbour (s = 0) and of one as near as CLOSEST_A, over all kinds."""
    width = descriptor["rcut"] - descriptor["rcut_smth"]
    u = max((CLOSEST_A - descriptor["rcut_smth"]) / width, 0.0)
    largest = (u**3 * (-6 * u**2 + 15 * u - 10) + 1) / CLOSEST_A
    return (
        float(np.min(-mean[:, 0] / deviation[:, 0])) - STEP,
        float(np.max((largest - mean[:, 0]) / deviation[:, 0])),
    )


def _check(model: dict) -> None:
    descriptor, fitting = model["descriptor"], model["fitting"]
    layers = [net["layers"] for net in fitting.get("nets", {}).get("networks", [])]
    wrong = {
        "a model of another type": model.get("type") != "standard",
        "another descriptor than se_e2_a": descriptor.get("type") != "se_e2_a",
        "two-sided embedding": not descriptor.get("type_one_side"),
        "excluded types": bool(
            descriptor.get("exclude_types") or model.get("atom_exclude_types")
            or model.get("pair_exclude_types") or fitting.get("exclude_types")
        ),
        "time steps in its embedding net": descriptor.get("resnet_dt"),
        "another activation than tanh": {
            descriptor.get("activation_function"), fitting.get("activation_function")
        } != {"tanh"},
        "another switching function": bool(
            descriptor.get("env_mat", {}).get("use_exp_switch")
            or descriptor.get("env_protection")
        ),
        "frame or atom parameters": bool(
            fitting.get("numb_fparam") or fitting.get("numb_aparam")
            or fitting.get("dim_case_embd")
        ),
        "a scaled output": not np.allclose(model.get("@variables", {}).get("out_std", 1), 1),
        "one fitting net for all kinds": fitting.get("mixed_types") or not layers,
        "other layers than three alike of a multiple of 48": len(set(fitting["neuron"])) != 1
        or len(fitting["neuron"]) != 3 or fitting["neuron"][0] % 48 != 0,
        "float64": "float64" in (descriptor.get("precision"), fitting.get("precision")),
    }  # fmt: skip
    if reasons := [what for what, is_so in wrong.items() if is_so]:
        raise NotFused(f"it runs by TensorFlow, since it has {', '.join(reasons)}")
