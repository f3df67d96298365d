"""The recipes of this book by name, as ``data/{sets,potentials,runs}.yaml`` have them.

Here they are read and judged; `sets`, `potentials` and `runs` beside this module follow them. No
value is converted: a key is a hash of the recipe, in which 200 and 200.0 differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

import yaml

from helpers import paths
from helpers.errors import nearest
from helpers.frames import dataset
from helpers.md import protocol
from helpers.potentials import training


class BadRecipe(ValueError):
    """A name that a file of recipes does not know, or an entry that makes no sense."""


@dataclass(frozen=True)
class SetRecipe:
    """An entry of ``data/sets.yaml``.

    what: description. sampler: ``reference`` (molecular dynamics, every step a label),
    ``relaxation`` (BFGS by the reference, every step a label), ``runs`` (frames of heating runs),
    or the name of a potential (molecular dynamics until the guard objects; then labels). runs: name
    -> fields of :class:`helpers.frames.sampling.Ramp` and ``start``; of a relaxation ``start``,
    ``strain``
    (of all lengths), ``fmax`` (eV/A), ``steps``; of heating runs ``frames``, how many, evenly
    chosen, from the first one at ``from_K`` on. common: fields that all runs share. keep_every:
    stride in labelled steps. n_blocks, validation_share: of the split. test: no potential may be
    trained on it.
    """

    what: str
    sampler: str
    runs: dict
    common: dict = field(default_factory=dict)
    keep_every: int = 1
    n_blocks: int = 10
    validation_share: float = 0.2
    test: bool = False


def set_recipes() -> dict[str, SetRecipe]:
    """All entries of ``data/sets.yaml`` by name."""
    try:
        table = yaml.safe_load(paths.SETS.read_text())
        return {name: SetRecipe(**entry) for name, entry in table.items()}
    except (yaml.YAMLError, TypeError) as error:
        raise BadRecipe(f"{paths.relative(paths.SETS)}: {error}") from error


def set_recipe(name: str) -> SetRecipe:
    """The recipe of a set.

    Raises
    ------
    BadRecipe
        no such set; the message names the nearest one.
    """
    known = set_recipes()
    if name not in known:
        raise BadRecipe(
            f"{paths.relative(paths.SETS)} has no set {name!r}{nearest(name, known)} "
            f"(there are: {', '.join(known)})"
        )
    return known[name]


def test_sets() -> list[str]:
    """Names of the sets that no potential is trained on."""
    return [name for name, r in set_recipes().items() if r.test]


def potential_table() -> dict:
    """``data/potentials.yaml`` as it is: ``groups`` of sets, and ``potentials`` by name."""
    try:
        return yaml.safe_load(paths.POTENTIALS.read_text())
    except yaml.YAMLError as error:
        raise BadRecipe(f"{paths.relative(paths.POTENTIALS)}: {error}") from error


def potential_names() -> list[str]:
    """Names of the potentials that have a recipe."""
    return list(potential_table()["potentials"])


def potential_recipe(name: str) -> training.Recipe:
    """The recipe of a potential, its groups of sets spelt out.

    Raises
    ------
    BadRecipe
        no such potential (with the nearest name), an unknown field, or a test set among its sets.
    """
    table = potential_table()
    if name not in table["potentials"]:
        known = table["potentials"]
        raise BadRecipe(
            f"{paths.relative(paths.POTENTIALS)} has no potential {name!r}{nearest(name, known)} "
            f"(there are: {', '.join(known)})"
        )
    start, entry = potential_entry(name, table)
    try:
        return training.continued(start, **entry) if start else training.Recipe(**entry)
    except TypeError as error:
        raise BadRecipe(f"{paths.relative(paths.POTENTIALS)}, {name}: {error}") from error


def potential_entry(name: str, table: dict) -> tuple[str | None, dict]:
    """Name of the potential it starts from, and the fields of `training.Recipe` that are given."""
    entry = dict(table["potentials"][name])
    entry.pop("what", None)
    start = entry.pop("from", None)
    wanted = _spelt_out(entry["sets"], table["groups"])
    if entry.pop("split", "block") == "random":
        wanted = [f"{name}{dataset.RANDOM}" for name in wanted]
    entry["sets"] = tuple(wanted)
    # by the set that was split: one split at random holds the same frames
    if tested := sorted({s.removesuffix(dataset.RANDOM) for s in wanted} & set(test_sets())):
        raise BadRecipe(f"potential {name!r} would be trained on its test: {', '.join(tested)}")
    return start, entry


def _spelt_out(names: list[str], groups: dict[str, list[str]]) -> list[str]:
    found = []
    for name in names:
        found += _spelt_out(groups[name], groups) if name in groups else [name]
    return list(dict.fromkeys(found))


def lineage(name: str) -> dict[str, int]:
    """Steps of the trainings whose weights the potential went on from, the first one first.

    Empty for one that started from random weights, or that has no recipe (trained in a chapter).
    """
    known, found = potential_table()["potentials"], {}
    while start := known.get(name, {}).get("from"):
        found[start] = known[start]["steps"]
        name = start
    return dict(reversed(found.items()))


def _run_table() -> dict[str, dict]:
    """name -> all fields of a run."""
    where = paths.relative(paths.RUNS)
    try:
        content = yaml.safe_load(paths.RUNS.read_text())
    except yaml.YAMLError as error:
        raise BadRecipe(f"{where}: {error}") from error
    table = {}
    for group in content["groups"].values():
        for name, own in group["runs"].items():
            if name in table:
                raise BadRecipe(f"{where} has two runs {name!r}")
            table[name] = content["defaults"] | group["fields"] | own
    return table


def run_names(group: str = "") -> list[str]:
    """Names of all runs, or of those of one group (``paper``, ``ladder``, ``hold``)."""
    if not group:
        return list(_run_table())
    return list(yaml.safe_load(paths.RUNS.read_text())["groups"][group]["runs"])


def run_recipe(name: str) -> protocol.HeatingRun:
    """The run of this name.

    Raises
    ------
    BadRecipe
        no such run (with the nearest name), an unknown field, or a value that makes no sense.
    """
    table, where = _run_table(), paths.relative(paths.RUNS)
    if name not in table:
        raise BadRecipe(
            f"{where} has no run {name!r}{nearest(name, table)} (there are: {', '.join(table)})"
        )
    known = [f.name for f in fields(protocol.HeatingRun)]
    for given in table[name]:
        if given not in known:
            raise BadRecipe(
                f"{where}, {name}: unknown field {given!r}{nearest(given, known)} "
                f"(there are: {', '.join(known)})"
            )
    values = dict(table[name])
    if before := values.pop("after", None):
        values["after"] = _before(before, name, table)
    try:
        return protocol.HeatingRun(**values)
    except (TypeError, ValueError) as error:
        raise BadRecipe(f"{where}, {name}: {error}") from error


def _before(name: str, of: str, table: dict) -> protocol.HeatingRun:
    """The run that another one goes on from; no run goes on from itself, however far back."""
    seen, at = [of], name
    while at in table and at not in seen:
        seen.append(at)
        at = table[at].get("after")
    if at in seen:
        raise BadRecipe(
            f"{paths.relative(paths.RUNS)}, {of}: a run goes on from itself: "
            f"{' after '.join([*seen, at])}"
        )
    return run_recipe(name)


def runs_alike(names: Iterable[str], **wanted) -> list[protocol.HeatingRun]:
    """The runs of these names that have the wanted fields; it is said which are left out, and why.

    Raises
    ------
    BadRecipe
        see `run_recipe`.
    """
    found = []
    for name in names:
        plan = run_recipe(name)
        other = {k: getattr(plan, k) for k, v in wanted.items() if getattr(plan, k) != v}
        if other:
            print(
                f"left out: the run {name} has "
                + ", ".join(f"{k} {v}, not {wanted[k]}" for k, v in other.items())
            )
        else:
            found.append(plan)
    return found
