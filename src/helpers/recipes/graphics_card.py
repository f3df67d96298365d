"""Labels and trainings on a machine with a graphics card: packed here, done there, taken back.

What is done there is `helpers.frames.reference_in_bulk` and `helpers.potentials.graphics_card`;
both need PyTorch and nothing of this book, so one file each way is all that travels.

Units: A, eV, eV/A; see `helpers.potentials.graphics_card`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms

from helpers import provenance
from helpers.errors import NotThere, Unfit
from helpers.frames import correction, dataset, reference, sampling
from helpers.potentials import deepmd, store, training
from helpers.potentials.store import Potential
from helpers.recipes import catalogue, labelling
from helpers.structures import TYPE_MAP


def structures(names: Sequence[str], target: Path) -> int:
    """Write the file that `helpers.frames.reference_in_bulk.run` labels: sampled frames of sets.

    Parameters
    ----------
    names : sequence of str
        The sets, all of one composition.
    target : Path
        The file, ``.npz``.

    Returns
    -------
    int
        How many structures it has.

    Raises
    ------
    BadRecipe
        As `labelling.sampled`.
    Unfit
        The sets have different atoms.
    """
    positions, cells, symbols = [], [], []
    for name in names:
        for run in catalogue.set_recipe(name).runs:
            for atoms in _wanted(name, run):
                symbols = symbols or list(atoms.symbols)
                if symbols != list(atoms.symbols):
                    raise Unfit(f"{name} has other atoms than {names[0]}; pack them one by one")
                positions.append(atoms.positions)
                cells.append(atoms.cell.array)
    np.savez_compressed(target, positions=positions, cells=cells, symbols=symbols)
    return len(positions)


def take_labels(names: Sequence[str], file: Path) -> list[Path]:
    """Put the labels of `structures` where the sets find them.

    Parameters
    ----------
    names : sequence of str
        The sets, as they were packed.
    file : Path
        What `helpers.frames.reference_in_bulk.run` wrote.

    Returns
    -------
    list of Path
        The labelled trajectories.

    Raises
    ------
    BadRecipe
        As `labelling.take`; or the labels are of other structures than these sets have now.
    NotThere
        There is no such file.
    Unfit
        Another reference made the labels.
    """
    if not file.is_file():
        raise NotThere(f"{file} does not exist; it comes back from the machine that labelled")
    with np.load(file) as came:
        found = dict(came)
    if str(found["weights"]) != reference.WEIGHTS_SHA256:
        raise Unfit(f"{file} was labelled by other weights than the reference's; label again")
    runs = [(name, run) for name in names for run in catalogue.set_recipe(name).runs]
    firsts = [atoms.positions[0] for place in runs for atoms in _wanted(*place)]
    there = np.reshape(firsts, (-1, 3))
    if there.shape != found["first_atoms"].shape or not np.allclose(there, found["first_atoms"]):
        raise catalogue.BadRecipe(
            f"{file} has labels of other structures than {', '.join(names)} have now; name the "
            f"sets in the order in which they were packed, or pack and label them again"
        )
    begin, written = 0, []
    labels = {name: found[name] for name in ("energies", "forces", "stresses")}
    for name, run in runs:
        end = begin + len(_wanted(name, run))
        some = {key: values[begin:end] for key, values in labels.items()}
        written.append(labelling.take(name, run, some, str(found["device"])))
        begin = end
    return written


def _wanted(name: str, run: str) -> list[Atoms]:
    return [f for f in sampling.whole_frames(labelling.sampled(name, run)) if f.info["step"] > 0]


def arrays_of(model: dict) -> tuple[dict[str, np.ndarray], dict]:
    """Weights and shape of a potential in DeePMD-kit's neutral form.

    Parameters
    ----------
    model : dict
        As of a ``.dp`` file.

    Returns
    -------
    arrays : dict of str to ndarray
        As `helpers.potentials.graphics_card.Nets` wants them.
    shape : dict
        Likewise.
    """
    descriptor, fitting = model["model"]["descriptor"], model["model"]["fitting"]
    arrays = {}
    for kind, nets in (("embedding", descriptor["embeddings"]), ("fitting", fitting["nets"])):
        for element, net in enumerate(nets["networks"]):
            for layer, of in enumerate(net["layers"]):
                for name, array in of["@variables"].items():
                    if array is not None:
                        arrays[f"{kind}.{element}.{layer}.{name}"] = array
    arrays["davg"] = descriptor["@variables"]["davg"]
    arrays["dstd"] = descriptor["@variables"]["dstd"]
    bias = fitting["@variables"]["bias_atom_e"][:, 0]
    arrays["bias"] = bias + model["model"]["@variables"]["out_bias"][0, :, 0]
    shape = {name: descriptor[name] for name in ("sel", "rcut", "rcut_smth", "axis_neuron")}
    return arrays, shape


def put(model: dict, arrays: dict[str, np.ndarray]) -> None:
    """Write trained weights into a potential in DeePMD-kit's neutral form.

    Parameters
    ----------
    model : dict
        As of a ``.dp`` file; its weights are replaced.
    arrays : dict of str to ndarray
        As `arrays_of` returns them; davg, dstd and bias stay as they are.
    """
    descriptor, fitting = model["model"]["descriptor"], model["model"]["fitting"]
    nets = {"embedding": descriptor["embeddings"], "fitting": fitting["nets"]}
    for name, array in arrays.items():
        kind, element, layer, variable = name.split(".")
        of = nets[kind]["networks"][int(element)]["layers"][int(layer)]["@variables"]
        of[variable] = array.reshape(of[variable].shape).astype(of[variable].dtype)


def job(name: str, target: Path, *, seconds: float = 0.0) -> Path:
    """Write the file that `helpers.potentials.graphics_card.run` trains a potential by.

    Parameters
    ----------
    name : str
        Name of the potential; its recipe names another one to start from and a graphics card.
    target : Path
        The file, ``.npz``.
    seconds : float
        Time to fill instead of the recipe's number of steps, s; the number that this gave goes into
        the recipe before `finish`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    BadRecipe
        As `catalogue.potential_recipe`.
    Unfit
        The recipe is not one for a graphics card.
    """
    recipe = _recipe(name)
    laws = correction.laws() if recipe.corrected else None
    tests = [s for s in catalogue.test_sets_here() if s not in recipe.sets]
    groups: dict[tuple, dict[str, list]] = {}
    for set_name in (*recipe.sets, *tests):
        for part in dataset.PARTS:
            system = correction.load(set_name, part, laws)
            types = tuple(TYPE_MAP.index(system["atom_names"][t]) for t in system["atom_types"])
            group = groups.setdefault(types, {})
            for key, value in {
                "positions": system["coords"],
                "cells": system["cells"],
                "energies": system["energies"],
                "forces": system["forces"].astype(np.float32),
                "virials": system["virials"],
                "names": np.repeat(set_name, len(system)),
                "training": np.repeat(part == "training" and set_name in recipe.sets, len(system)),
            }.items():
                group.setdefault(key, []).append(value)
    arrays, shape = arrays_of(neutral(store.load(recipe.initial_potential)))
    packed: dict = {f"net.{key}": array for key, array in arrays.items()}
    for number, (types, group) in enumerate(groups.items()):
        packed[f"composition{number}.types"] = np.array(types)
        for key, values in group.items():
            packed[f"composition{number}.{key}"] = np.concatenate(values)
    plan = plan_of(recipe) | ({"steps": 0, "seconds": seconds} if seconds else {})
    texts = {"shape": shape, "plan": plan, "origin": _origin(recipe)}
    np.savez_compressed(target, **packed, **{key: json.dumps(v) for key, v in texts.items()})
    return target


def finish(name: str, folder: Path) -> Potential:
    """The potential that was trained on a graphics card, as if it had been trained here.

    Parameters
    ----------
    name : str
        Name of the potential.
    folder : Path
        What `helpers.potentials.graphics_card.run` wrote.

    Returns
    -------
    Potential
        The potential, in ``build/potentials``.

    Raises
    ------
    NotThere
        There is no such folder, or the training there did not end.
    Unfit
        What is there was trained by another recipe, from other weights or other sets.
    """
    recipe = _recipe(name)
    if not (folder / "result.json").is_file():
        raise NotThere(f"{folder} holds no result.json; name the folder that came back")
    result = json.loads((folder / "result.json").read_text())
    expected = {"steps": recipe.steps, **_origin(recipe)}
    came = {"steps": result["steps"], **result["origin"]}
    if changed := [key for key in expected if expected[key] != came.get(key)]:
        raise Unfit(
            f"{folder} is of another training than {name!r} is by its recipe now "
            f"({', '.join(changed)}; {came['steps']} steps); mend the recipe, or pack it again"
        )

    def make(directory: Path) -> dict:
        laws = correction.laws() if recipe.corrected else None
        if laws:
            correction.keep(laws, directory)
        script = recipe.input(directory, 1, 1)
        provenance.write_text(directory / "input.json", json.dumps(script, indent=1) + "\n")
        model = neutral(store.load(recipe.initial_potential))
        with np.load(folder / "weights.npz") as weights:
            put(model, dict(weights))
        frozen(model, script, directory / store.FROZEN)
        lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
        provenance.write_text(directory / "lcurve.out", _lcurve(lines))
        provenance.write_text(
            directory / store.LEARNING, json.dumps(result["looks"], indent=1) + "\n"
        )
        where = {key: result[key] for key in ("device", "torch")}
        return training.judged(directory, recipe, laws, result["seconds"]) | {"trained_on": where}

    made = provenance.kept(
        "potentials", recipe.as_dict(), make, name=name,
        description=f"se_e2_a potential of {', '.join(recipe.sets)}, {recipe.steps} steps",
        inputs={s: provenance.sha256(dataset.locate(s)) for s in recipe.sets},
    )  # fmt: skip
    store.point(name, made.resolve())
    return replace(store.load(made), name=name)


def _recipe(name: str) -> training.Recipe:
    recipe = catalogue.potential_recipe(name)
    if recipe.trainer != training.CARD or not recipe.initial_potential:
        raise Unfit(
            f"{name!r} is not trained on a {training.CARD}: its recipe needs `trainer: "
            f"{training.CARD}` and `from`, a potential whose nets and weights it goes on from"
        )
    return recipe


def _origin(recipe: training.Recipe) -> dict:
    plain = recipe.as_dict()
    return {key: plain.get(key, "") for key in ("sets", "initial_potential", "correction")}


def _lcurve(lines: list[dict]) -> str:
    """The progress as DeePMD-kit writes it, energies and virials in eV/atom."""
    columns = "step rmse_e_val rmse_e_trn rmse_f_val rmse_f_trn rmse_v_val rmse_v_trn lr"
    rows = ["# " + columns]
    for line in lines:
        unseen = line["validation"]
        values = [
            1e-3 * unseen["energy"], 1e-3 * line["energy"], unseen["force"], line["force"],
            1e-3 * unseen["virial"], 1e-3 * line["virial"], line["learning_rate"],
        ]  # fmt: skip
        rows.append(f"{line['step']} " + " ".join(f"{value:.3e}" for value in values))
    return "\n".join(rows) + "\n"


def neutral(potential: Potential) -> dict:
    """A potential in DeePMD-kit's neutral form.

    Parameters
    ----------
    potential : Potential
        The potential.

    Returns
    -------
    dict
        As of a ``.dp`` file.
    """
    from deepmd.dpmodel.utils.serialization import load_dp_model

    with tempfile.TemporaryDirectory() as work:
        deepmd.run(Path(work), None, "convert-backend", str(potential.file.resolve()), "model.dp")
        return load_dp_model(str(Path(work) / "model.dp"))


def frozen(model: dict, script: dict, target: Path) -> None:
    """Write a potential in DeePMD-kit's neutral form as a frozen model of TensorFlow.

    Parameters
    ----------
    model : dict
        As of a ``.dp`` file.
    script : dict
        ``input.json`` of its training; ``dp compress`` reads it from the model, and what
        ``dp convert-backend`` writes holds its nets alone.
    target : Path
        The file, ``.pb``.
    """
    from deepmd.dpmodel.utils.serialization import save_dp_model

    with tempfile.TemporaryDirectory() as work:
        save_dp_model(str(Path(work) / "model.dp"), model)
        deepmd.run(Path(work), None, "convert-backend", "model.dp", "frozen.pb")
        whole = script | {"model": model["model_def_script"]}  # all defaults written out
        target.write_bytes(_with_script((Path(work) / "frozen.pb").read_bytes(), whole))


def _with_script(graph: bytes, script: dict) -> bytes:
    import tensorflow as tf

    found = tf.compat.v1.GraphDef.FromString(graph)
    (node,) = [n for n in found.node if n.name == "train_attr/training_script"]
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(json.dumps(script)))
    return found.SerializeToString(deterministic=True)


def plan_of(recipe: training.Recipe) -> dict:
    """What `helpers.potentials.graphics_card.Plan` is of a recipe.

    Parameters
    ----------
    recipe : Recipe
        The recipe.

    Returns
    -------
    dict
        The fields.
    """
    return {
        "learning_rate": recipe.learning_rate,
        "prefactor_energy": recipe.prefactor_energy,
        "prefactor_force": recipe.prefactor_force,
        "prefactor_virial": recipe.prefactor_virial,
        "relative_force": recipe.relative_force,
        "weights": dict.fromkeys(recipe.favoured, training.FAVOUR),
        "atoms": int(str(recipe.batch).split(":")[1]),
        "steps": recipe.steps,
        "seed": recipe.seed,
    }
