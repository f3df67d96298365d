"""From a recipe in ``data/potentials.yaml`` to a potential, and its errors on every set.

Units: eV, A; see :mod:`helpers.training`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from helpers import (
    correction,
    evaluation,
    frames,
    models,
    paths,
    provenance,
    sets,
    training,
    transition,
)
from helpers.errors import nearest


class BadRecipe(ValueError):
    """A potential that ``data/potentials.yaml`` does not know, or an entry that makes no sense."""


def _table() -> dict:
    try:
        return yaml.safe_load(paths.POTENTIALS.read_text())
    except yaml.YAMLError as error:
        raise BadRecipe(f"{paths.relative(paths.POTENTIALS)}: {error}") from error


def names() -> list[str]:
    """Names of the potentials that have a recipe."""
    return list(_table()["potentials"])


def recipe(name: str) -> training.Recipe:
    """The recipe of a potential, its groups of sets spelt out.

    Raises
    ------
    BadRecipe
        no such potential (with the nearest name), an unknown field, or a test set among its sets.
    """
    table = _table()
    if name not in table["potentials"]:
        known = table["potentials"]
        raise BadRecipe(
            f"{paths.relative(paths.POTENTIALS)} has no potential {name!r}{nearest(name, known)} "
            f"(there are: {', '.join(known)})"
        )
    start, entry = _entry(name, table)
    try:
        return training.continued(start, **entry) if start else training.Recipe(**entry)
    except TypeError as error:
        raise BadRecipe(f"{paths.relative(paths.POTENTIALS)}, {name}: {error}") from error


def _entry(name: str, table: dict) -> tuple[str | None, dict]:
    """Name of the potential it starts from, and the fields of `training.Recipe` that are given."""
    entry = dict(table["potentials"][name])
    entry.pop("what", None)
    start = entry.pop("from", None)
    wanted = _spelt_out(entry["sets"], table["groups"])
    if entry.pop("split", "block") == "random":
        wanted = [f"{name}{frames.RANDOM}" for name in wanted]
    entry["sets"] = tuple(wanted)
    # by the set that was split: one split at random holds the same frames
    if tested := sorted({s.removesuffix(frames.RANDOM) for s in wanted} & set(sets.tests())):
        raise BadRecipe(f"potential {name!r} would be trained on its test: {', '.join(tested)}")
    return start, entry


def shipped_as_written(name: str) -> bool:
    """Whether the shipped potential is what its entry in ``data/potentials.yaml`` says.

    Where the potential it went on from is not here, its weights are not compared; all else is.
    """
    folder = paths.shipped("potentials", name)
    if not (folder / provenance.FILE).is_file():
        return False
    made = provenance.read(folder)["recipe"]
    start, entry = _entry(name, _table())
    if not start or start in models.names():
        return recipe(name).as_dict() == made
    nets = {field: made[field] for field in training.NETS}
    plain = training.Recipe(**(nets | entry)).as_dict()
    return plain | {"initial_potential": made["initial_potential"]} == made


def group(name: str) -> list[str]:
    """The sets of a group of ``data/potentials.yaml``.

    Raises
    ------
    BadRecipe
        no such group.
    """
    groups = _table()["groups"]
    if name not in groups:
        raise BadRecipe(f"{paths.relative(paths.POTENTIALS)} has no group {name!r}"
                        f"{nearest(name, groups)} (there are: {', '.join(groups)})")
    return _spelt_out([name], groups)


def _spelt_out(names: list[str], groups: dict[str, list[str]]) -> list[str]:
    found = []
    for name in names:
        found += _spelt_out(groups[name], groups) if name in groups else [name]
    return list(dict.fromkeys(found))


def lineage(name: str) -> dict[str, int]:
    """Steps of the trainings whose weights the potential went on from, the first one first.

    Empty for one that started from random weights, or that has no recipe (trained in a chapter).
    """
    known, found = _table()["potentials"], {}
    while start := known.get(name, {}).get("from"):
        found[start] = known[start]["steps"]
        name = start
    return dict(reversed(found.items()))


def make(name: str, *, threads: int | None = None) -> Path:
    """The potential ``name``: found (shipped or made here), resumed, or trained; its directory.

    A set that is neither shipped nor made is made first (:func:`helpers.sets.make`), and so is a
    potential that this one starts from. A shipped one counts as found only while its recipe is the
    one that is asked for: edit the recipe, give it a new name, and it is trained.

    Raises
    ------
    BadRecipe, dp.DPFailed
    """
    start = _table()["potentials"].get(name, {}).get("from")
    if start and start not in models.names():
        if shipped_as_written(name):
            found = paths.shipped("potentials", name)
            provenance.announce("reused", found, f"shipped; {start}, its start, is not here")
            return found
        make(start, threads=threads)
    plan = recipe(name)
    for set_name in plan.sets:
        if set_name not in frames.names():
            make_set = _drawn_at_random if set_name.endswith(frames.RANDOM) else sets.make
            make_set(set_name)
    watched = [s for s in sets.tests() if s in frames.names()]
    return training.train(plan, name, threads=threads, watch=watched)


def _drawn_at_random(name: str) -> Path:
    """The frames of a set split as the paper splits: ``build/frames/<set>-random``."""
    if (paths.made("frames", name) / provenance.FILE).is_file():
        return paths.made("frames", name)
    source = frames.locate(name.removesuffix(frames.RANDOM))
    system = frames.load(source)
    return frames.save(
        system, paths.made("frames", name), frames.split_random(len(system)),
        description="as its namesake, but validation frames drawn at random",
        recipe={"set": provenance.sha256(source), "split": "random"},
        **{k: provenance.read(source)[k] for k in ("level_of_theory", "source", "sampling")},
    )  # fmt: skip


def evaluate(name: str | Path, evaluated_frames: int = 100) -> dict:
    """Errors of a potential on every set, written to its ``metrics.json``; the same as plain data.

    Of a set that it was trained on, the validation frames count; of any other, all. A set whose
    copy, split at random, it was trained on is left out: nearly all of its frames were seen. At
    most ``evaluated_frames`` frames of each set, evenly chosen. Keys: set -> errors as
    `evaluation.Prediction.metrics` gives them, and ``role``: ``validation`` or ``test``
    (``unseen`` for a set that is no test by declaration but in no training of this potential).
    Labels count as they do in its training: corrected where that one was.
    """
    directory = models.load_potential(name)
    trained, declared = provenance.read(directory).get("sets", []), sets.tests()
    seen = {s.removesuffix(frames.RANDOM) for s in trained if s.endswith(frames.RANDOM)}
    laws, result = correction.of(directory), {}
    for set_name in dict.fromkeys([*(n for n in frames.names() if n not in seen), *trained]):
        known = set_name in trained
        system = correction.load(set_name, "validation" if known else None, laws)
        errors = evaluation.evaluate(directory, frames.thinned(system, evaluated_frames))
        role = "validation" if known else "test" if set_name in declared else "unseen"
        result[set_name] = {"role": role, **errors}
    evaluation.write_metrics(directory, result)
    return result


def by_temperature(name: str | Path, set_name: str, width_K: float = 300.0) -> pd.DataFrame:
    """Errors of a potential on the frames of a set, in ranges of temperature of ``width_K``.

    Meant for frames of a heating run of the potential itself, labelled afterwards: where a
    potential is wrong about what it made, it made it for the wrong reason. One row a range:
    from_K, to_K, frames, energy_bias_meV_per_atom = <E - E_ref> / N, and the errors of
    `evaluation.ERRORS`.

    Raises
    ------
    ValueError
        the frames carry no temperature.
    """
    system = correction.load(set_name, None, correction.of(models.load_potential(name)))
    if "temperature_K" not in system.data:
        raise ValueError(f"the frames of {set_name} carry no temperature")
    low = transition.bins(system.data["temperature_K"].ravel(), width_K, close_end=True)
    rows = []
    for start in np.unique(low):
        found = evaluation.predict(name, system.sub_system(np.flatnonzero(low == start)))
        errors = found.metrics()
        bias = 1e3 * (found.energy - found.energy_reference).mean() / len(found.elements)
        rows.append({"from_K": start, "to_K": start + width_K, "frames": errors["n_frames"],
                     "energy_bias_meV_per_atom": float(bias),
                     **{key: errors[key] for key in evaluation.ERRORS}})
    return pd.DataFrame(rows)


def bias_between(judged: pd.DataFrame, below_K: float, above_K: float) -> float:
    """By how much the energy bias of `by_temperature` rises from below one temperature to above
    another, in meV/atom: means over the frames of the ranges that lie wholly on either side.

    NaN where a side has no frame. A potential shifts the balance of two phases by this.
    """
    sides = [judged[judged["to_K"] <= below_K], judged[judged["from_K"] >= above_K]]
    if not all(side["frames"].sum() for side in sides):
        return float("nan")
    low, high = (np.average(side["energy_bias_meV_per_atom"], weights=side["frames"])
                 for side in sides)
    return float(high - low)


def table(names: Sequence[str], roles: Sequence[str] = ("validation", "test")) -> pd.DataFrame:
    """Errors of several potentials from their ``metrics.json``, averaged over sets by frames.

    One row a potential and role: potential, role, training_frames (all it was trained on), steps,
    sets and frames it is judged on, and root mean squares of energy (meV/atom), force (eV/A) and
    virial (meV/atom) errors over all of those frames that have the label.
    """
    rows = []
    for name in names:
        made = provenance.read(models.load_potential(name))
        errors = metrics(name).values()
        for role in roles:
            chosen = [e for e in errors if e["role"] == role]
            rows.append({"potential": name, "role": role, "steps": made["recipe"]["steps"],
                         "training_frames": made["training_frames"], "sets": len(chosen),
                         "frames": sum(e["n_frames"] for e in chosen)}
                        | dict.fromkeys(evaluation.ERRORS, np.nan) | evaluation.over_all(chosen))
    return pd.DataFrame(rows)


def as_errors(row: pd.Series) -> dict:
    """A system of :func:`helpers.dft.compare` under the names of ``metrics.json``."""
    keys = {"energy": "energy_rmse_meV_per_atom", "force": "force_rmse_eV_per_A",
            "virial": "virial_rmse_meV_per_atom"}
    units = {"energy": "meV_per_atom", "force": "eV_per_A", "virial": "meV_per_atom"}
    errors = {keys[q]: float(row[f"potential-CP2K {q}_{units[q]}"]) for q in keys}
    return {k: v for k, v in errors.items() if np.isfinite(v)} | {
        "n_frames": int(row["frames"]), "force_rms_eV_per_A": float(row["force_rms_eV_per_A"]),
    }  # fmt: skip


def metrics(name: str | Path) -> dict:
    """``metrics.json`` of a potential.

    Raises
    ------
    BadRecipe
        it was not evaluated on all sets (training itself writes those of its own validation).
    """
    directory = models.load_potential(name)
    file = directory / "metrics.json"
    result = json.loads(file.read_text()) if file.is_file() else {"": {}}
    if not all("role" in errors for errors in result.values()):
        raise BadRecipe(
            f"{paths.relative(directory)} was not evaluated: make evaluate POTENTIAL={name}"
        )
    return result


def evaluated(names: Sequence[str]) -> list[str]:
    """Those of ``names`` that are here and have been evaluated, each once."""
    found = []
    for name in dict.fromkeys(names):
        try:
            metrics(name)
        except (BadRecipe, models.BadPotential) as missing:
            print(f"left out: {missing}")
        else:
            found.append(name)
    return found


def ship(name: str) -> Path:
    """Put a potential trained here into ``data/potentials``, in place of an older one."""
    source = paths.made("potentials", name).resolve()
    target = paths.shipped("potentials", name)
    if not (source / provenance.FILE).is_file():
        raise BadRecipe(f"no finished potential {name!r} in {paths.relative(source.parent)}")
    models.ship(source, name)
    paths.made("potentials", name).unlink(missing_ok=True)
    return target
