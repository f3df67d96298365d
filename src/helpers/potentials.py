"""From a recipe in ``data/potentials.yaml`` to a potential, and its errors on every set.

Units: eV, A; see :mod:`helpers.training`.
"""

from __future__ import annotations

import difflib
import json
import shutil
from pathlib import Path

import yaml

from helpers import frames, paths, provenance, sets, training


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
        near = difflib.get_close_matches(name, table["potentials"], n=1, cutoff=0)
        raise BadRecipe(
            f"{paths.relative(paths.POTENTIALS)} has no potential {name!r}; did you mean "
            f"{near[0]!r}? (there are: {', '.join(table['potentials'])})"
        )
    entry = dict(table["potentials"][name])
    entry.pop("what", None)
    start = entry.pop("from", None)
    entry["sets"] = tuple(_spelt_out(entry["sets"], table["groups"]))
    if tested := sorted(set(entry["sets"]) & set(sets.tests())):
        raise BadRecipe(f"potential {name!r} would be trained on its test: {', '.join(tested)}")
    try:
        return training.continued(start, **entry) if start else training.Recipe(**entry)
    except TypeError as error:
        raise BadRecipe(f"{paths.relative(paths.POTENTIALS)}, {name}: {error}") from error


def _spelt_out(names: list[str], groups: dict[str, list[str]]) -> list[str]:
    found = []
    for name in names:
        found += _spelt_out(groups[name], groups) if name in groups else [name]
    return list(dict.fromkeys(found))


def make(name: str, *, threads: int | None = None) -> Path:
    """The potential ``name``: found (shipped or made here), resumed, or trained; its directory.

    A set that is neither shipped nor made is made first (:func:`helpers.sets.make`), and so is a
    potential that this one starts from. A shipped one counts as found only while its recipe is the
    one that is asked for: edit the recipe, give it a new name, and it is trained.

    Raises
    ------
    BadRecipe, training.TrainingFailed
    """
    start = _table()["potentials"].get(name, {}).get("from")
    if start and start not in training.names():
        make(start, threads=threads)
    plan = recipe(name)
    for set_name in plan.sets:
        if set_name not in frames.names():
            sets.make(set_name)
    return training.train(plan, name, threads=threads)


def evaluate(name: str | Path, evaluated_frames: int = 100) -> dict:
    """Errors of a potential on every set, written to its ``metrics.json``; the same as plain data.

    Of a set that it was trained on, the validation frames count; of any other, all. At most
    ``evaluated_frames`` frames of each set, evenly chosen. Keys: set -> errors as
    :meth:`helpers.training.Prediction.metrics` gives them, and ``role``: ``validation`` or ``test``
    (``unseen`` for a set that is no test by declaration but in no training of this potential).
    """
    directory = training.load_potential(name)
    trained, declared = provenance.read(directory)["sets"], sets.tests()
    result = {}
    for set_name in frames.names():
        known = set_name in trained
        system = frames.load(set_name, "validation" if known else None)
        errors = training.evaluate(directory, frames.thinned(system, evaluated_frames))
        role = "validation" if known else "test" if set_name in declared else "unseen"
        result[set_name] = {"role": role, **errors}
    training.write_metrics(directory, result)
    return result


def metrics(name: str | Path) -> dict:
    """``metrics.json`` of a potential.

    Raises
    ------
    FileNotFoundError
        nobody has evaluated it.
    """
    file = training.load_potential(name) / "metrics.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"{paths.relative(file)} is missing; write it: make evaluate POTENTIAL={name}"
        )
    return json.loads(file.read_text())


def ship(name: str) -> Path:
    """Put a potential trained here into ``data/potentials``, in place of an older one."""
    source = paths.made("potentials", name).resolve()
    target = paths.shipped("potentials", name)
    if not (source / provenance.FILE).is_file():
        raise BadRecipe(f"no finished potential {name!r} in {paths.relative(source.parent)}")
    if target.exists():
        shutil.rmtree(target)
    training.ship(source, name)
    paths.made("potentials", name).unlink(missing_ok=True)
    return target
