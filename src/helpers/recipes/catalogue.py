"""The recipes of this book by name, as ``data/{sets,potentials,runs}.yaml`` have them.

Here they are read and judged; `sets`, `potentials` and `runs` beside this module follow them. No
value is converted: a key is a hash of the recipe, in which 200 and 200.0 differ.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field, RootModel, create_model

from helpers import paths, yaml_file
from helpers.errors import Unfit, UserError, nearest, refuse_outside
from helpers.frames import dataset, sampling
from helpers.md import protocol
from helpers.potentials import training
from helpers.yaml_file import Document


class BadRecipe(UserError, ValueError):
    """A name that a file of recipes does not know, or an entry that makes no sense."""


@dataclass(frozen=True)
class SetRecipe:
    """An entry of ``data/sets.yaml``.

    Attributes
    ----------
    what : str
        Description.
    sampler : str
        ``reference`` (molecular dynamics, every step a label), ``relaxation`` (BFGS by the
        reference, every step a label), ``runs`` (frames of heating runs), or the name of a
        potential (molecular dynamics until the guard objects, then labels).
    runs : dict
        Name -> fields of `helpers.frames.sampling.Ramp` and ``start``; for a relaxation ``start``,
        ``strain`` (of all lengths), ``fmax`` (eV/A) and ``steps``; for both ``strain_voigt``, six
        strains of the cell of the start (xx, yy, zz, yz, xz, xy; shear as 2 e_ij, as in
        `helpers.validation.elastic`); for heating runs ``frames``, their number, evenly chosen from
        the first one at ``from_K`` on, without those before ``from_step`` (runs of one seed share
        their equilibration), and ``zn_zn_A``, distances to which the two nearest Zn of each frame
        are drawn, in turn; frames with a force above ``worth_force_eV_per_A`` are left
        out (25 by default).
    common : dict
        Fields that all runs share.
    keep_every : int
        Interval in labelled steps.
    n_blocks : int
        Blocks of the split.
    validation_share : float
        Share of the validation frames.
    test : bool
        Whether no potential may be trained on it.
    """

    what: str
    sampler: str
    runs: dict
    common: dict = field(default_factory=dict)
    keep_every: int = 1
    n_blocks: int = 10
    validation_share: float = 0.2
    test: bool = False

    def __post_init__(self):
        refuse_outside(self, keep_every=(1, 1e8), n_blocks=(2, 1e6), validation_share=(0.01, 0.99))
        if not self.runs:
            raise Unfit("runs is empty; name one, of which the frames are")


@dataclass
class _Relaxation:
    """What a run of a relaxation says."""

    start: str
    strain: float = 0.0
    strain_voigt: tuple[float, float, float, float, float, float] = (0, 0, 0, 0, 0, 0)
    fmax: float = 0.03
    steps: int = 0

    def __post_init__(self):
        refuse_outside(
            self, strain=(-0.5, 0.5), strain_voigt=(-0.5, 0.5), fmax=(0, 10), steps=(0, 1e6)
        )


@dataclass
class _FromRun:
    """What is taken from a heating run."""

    frames: int
    from_K: float = 0.0
    from_step: int = 0
    zn_zn_A: tuple[float, ...] = ()
    worth_force_eV_per_A: float = 25.0

    def __post_init__(self):
        refuse_outside(
            self, frames=(1, 1e6), from_K=(0, 1e4), from_step=(0, 1e9), zn_zn_A=(0.5, 20),
            worth_force_eV_per_A=(0.1, 1e4),
        )  # fmt: skip


def set_recipes() -> dict[str, SetRecipe]:
    """All entries of ``data/sets.yaml``.

    Returns
    -------
    dict of str to SetRecipe
        Name -> recipe.

    Raises
    ------
    BadRecipe
        An entry has an unknown field, a value that makes no sense, or a start that is none.
    """
    document = yaml_file.read(paths.SETS, BadRecipe)
    document.fit(_SETS, document.content)
    for name, entry in document.content.items():
        _judge(SetRecipe, entry, document, (name,))
        _refuse_unknown_sampler(entry["sampler"], document, (name, "sampler"))
        kind, common, run_of = _SET_RUNS.get(entry["sampler"], _DYNAMICS)
        if "common" in entry:
            document.fit(common, entry["common"], (name, "common"))
        for run, own in entry["runs"].items():
            place, whole = (name, "runs", run), entry.get("common", {}) | own
            document.fit(run_of, whole, place)
            _judge(kind, whole, document, place)
            _refuse_unknown_start(whole.get("start", ""), document, (*place, "start"))
    _refuse_circles(
        "starts",
        {
            f"{name}/{run}": (
                own.get("start") or entry.get("common", {}).get("start") or ""
            ).partition("@")[0]
            for name, entry in document.content.items()
            for run, own in entry["runs"].items()
        },
        document,
    )
    return {name: SetRecipe(**entry) for name, entry in document.content.items()}


def _judge(kind: type[Any], given: Mapping, document: Document, place: tuple) -> None:
    """Refuse what the dataclass of a part refuses, with its place in the file."""
    known = {one.name for one in fields(kind)}
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if k in known}
    try:
        kind(**given)
    except Unfit as error:
        raise document.blame(error, place, given) from error


def _refuse_unknown_sampler(sampler: str, document: Document, place: tuple) -> None:
    """Refuse a slip in a kind of sampler: other names are potentials, of the user's own, too."""
    kinds = ("reference", *_SET_RUNS)
    near = difflib.get_close_matches(sampler, kinds, n=1, cutoff=0.8)
    if near and sampler not in kinds:
        raise BadRecipe(
            f"{document.where(place)}: no sampler {sampler!r}; did you mean {near[0]!r}? (there "
            f"are: {', '.join(kinds)}, or the name of a potential)"
        )


def _refuse_unknown_start(start: str, document: Document, place: tuple) -> None:
    """Refuse ``set/run@frame`` where there is no such set, run or number of a frame."""
    where, at, frame = start.partition("@")
    name, _, run = where.partition("/")
    if not at and not run:
        return  # the name of a structure, or none
    runs = document.content[name]["runs"] if name in document.content else {}
    if run not in runs or not re.fullmatch(r"-?\d+", frame):
        raise BadRecipe(
            f"{document.where(place)}: start is {start!r}, wanted: the name of a structure, or "
            f"set/run@frame of this file{nearest(run, runs) or nearest(name, document.content)}"
        )


def _refuse_circles(verb: str, follows: Mapping[str, str], document: Document) -> None:
    """Refuse entries that, followed from one to the next, come back to themselves."""
    for first in follows:
        seen, here = [first], follows[first]
        while here in follows and here not in seen:
            seen.append(here)
            here = follows[here]
        if here == first:
            raise BadRecipe(
                f"{document.name}: {f' {verb} from '.join([*seen, first])}, a circle; let one of "
                f"them start otherwise"
            )


def set_recipe(name: str) -> SetRecipe:
    """The recipe of a set.

    Parameters
    ----------
    name : str
        Name of the set.

    Returns
    -------
    SetRecipe
        The recipe.

    Raises
    ------
    BadRecipe
        There is no such set; the message names the nearest one.
    """
    known = set_recipes()
    if name not in known:
        raise BadRecipe(
            f"{paths.relative(paths.SETS)} has no set {name!r}{nearest(name, known)} "
            f"(there are: {', '.join(known)})"
        )
    return known[name]


def test_sets() -> list[str]:
    """Names of the sets that no potential is trained on.

    Returns
    -------
    list of str
        The names.
    """
    return [name for name, r in set_recipes().items() if r.test]


def test_sets_here() -> list[str]:
    """Names of those `test_sets` that were made or came with the repository.

    Returns
    -------
    list of str
        The names.
    """
    here = set(dataset.names())
    return [name for name in test_sets() if name in here]


def potential_table() -> dict:
    """``data/potentials.yaml`` as it is.

    Returns
    -------
    dict
        ``groups`` of sets, and ``potentials`` by name.

    Raises
    ------
    BadRecipe
        The file cannot be read.
    """
    document = yaml_file.read(paths.POTENTIALS, BadRecipe)
    document.fit(_POTENTIALS, document.content)
    table = document.content
    starts = {name: entry.get("from") or "" for name, entry in table["potentials"].items()}
    _refuse_circles("goes on", starts, document)
    for group in table["groups"]:
        _spelt_out([group], table["groups"])
    return table


def potential_names() -> list[str]:
    """Names of the potentials that have a recipe.

    Returns
    -------
    list of str
        The names.
    """
    return list(potential_table()["potentials"])


def potential_recipe(name: str) -> training.Recipe:
    """The recipe of a potential, with its groups of sets replaced by their members.

    Parameters
    ----------
    name : str
        Name of the potential.

    Returns
    -------
    training.Recipe
        The recipe.

    Raises
    ------
    BadRecipe
        There is no such potential (the message has the nearest name), a field is unknown, or a test
        set is among its sets.
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
    except Unfit as error:
        document = yaml_file.read(paths.POTENTIALS, BadRecipe)
        raise document.blame(error, ("potentials", name), entry) from error


def potential_entry(name: str, table: dict) -> tuple[str | None, dict]:
    """The entry of a potential.

    Parameters
    ----------
    name : str
        Name of the potential.
    table : dict
        Result of `potential_table`.

    Returns
    -------
    start : str or None
        Name of the potential from whose weights it starts.
    entry : dict
        The fields of `training.Recipe` that are given.

    Raises
    ------
    BadRecipe
        A test set is among its sets.
    """
    entry = dict(table["potentials"][name])
    entry.pop("what", None)
    start = entry.pop("from", None)
    wanted = _spelt_out(entry["sets"], table["groups"])
    if entry.pop("split", "block") == "random":
        wanted = [f"{name}{dataset.RANDOM}" for name in wanted]
    entry["sets"] = tuple(wanted)
    if favoured := entry.get("favoured"):
        entry["favoured"] = tuple(_spelt_out(favoured, table["groups"]))
    # by the set that was split: one split at random holds the same frames
    if tested := sorted({s.removesuffix(dataset.RANDOM) for s in wanted} & set(test_sets())):
        raise BadRecipe(f"potential {name!r} would be trained on its test: {', '.join(tested)}")
    return start, entry


def group(name: str) -> list[str]:
    """The sets of a group of ``data/potentials.yaml``.

    Parameters
    ----------
    name : str
        Name of the group.

    Returns
    -------
    list of str
        Names of the sets.

    Raises
    ------
    BadRecipe
        There is no such group.
    """
    groups = potential_table()["groups"]
    if name not in groups:
        raise BadRecipe(
            f"{paths.relative(paths.POTENTIALS)} has no group {name!r}{nearest(name, groups)} "
            f"(there are: {', '.join(groups)})"
        )
    return _spelt_out([name], groups)


def _spelt_out(
    names: Sequence[str], groups: Mapping[str, Sequence[str]], within: tuple[str, ...] = ()
) -> list[str]:
    """The sets that names of sets and of groups stand for, each once."""
    found = []
    for name in names:
        if name in within:
            raise BadRecipe(
                f"{paths.relative(paths.POTENTIALS)}, groups: {name} holds itself "
                f"({' > '.join([*within, name])}); name its sets one by one"
            )
        found += _spelt_out(groups[name], groups, (*within, name)) if name in groups else [name]
    return list(dict.fromkeys(found))


def lineage(name: str) -> dict[str, int]:
    """Trainings whose weights a potential started from.

    Parameters
    ----------
    name : str
        Name of the potential.

    Returns
    -------
    dict of str to int
        Potential -> steps, the earliest first; empty if it started from random weights or has no
        recipe (trained in a chapter).
    """
    known, found = potential_table()["potentials"], {}
    while start := known.get(name, {}).get("from"):
        found[start] = known[start]["steps"]
        name = start
    return dict(reversed(found.items()))


def _run_table() -> dict[str, tuple[str, dict]]:
    """name -> its group, and all fields of the run."""
    return _runs_of(yaml_file.read(paths.RUNS, BadRecipe))


@lru_cache(maxsize=4)  # a list of runs asks for the table of hundreds once for each of them
def _runs_of(document: Document) -> dict[str, tuple[str, dict]]:
    document.fit(_RUNS, document.content)
    content, table = document.content, {}
    for group, entry in content["groups"].items():
        for name, own in entry["runs"].items():
            if name in table:
                raise BadRecipe(
                    f"{document.where(('groups', group, 'runs', name))}: there is a run of this "
                    f"name in the group {table[name][0]}; give one of them another"
                )
            table[name] = group, content["defaults"] | entry["fields"] | own
    before = {name: values.get("after") or "" for name, (_, values) in table.items()}
    _refuse_circles("goes on", before, document)
    return table


def run_groups() -> list[str]:
    """Names of the groups of runs.

    Returns
    -------
    list of str
        The names.
    """
    return list(dict.fromkeys(group for group, _ in _run_table().values()))


def run_names(group: str = "") -> list[str]:
    """Names of runs.

    Parameters
    ----------
    group : str
        Group (``paper``, ``claims``, ``hold`` ...); empty for all runs.

    Returns
    -------
    list of str
        The names.

    Raises
    ------
    BadRecipe
        There is no such group.
    """
    found = {name: of for name, (of, _) in _run_table().items()}
    if group and group not in run_groups():
        raise BadRecipe(
            f"{paths.relative(paths.RUNS)} has no group {group!r}{nearest(group, run_groups())} "
            f"(there are: {', '.join(run_groups())})"
        )
    return [name for name, of in found.items() if group in ("", of)]


def spelt_out(names: Iterable[str]) -> list[str]:
    """Names of runs, those of groups spelt out.

    Parameters
    ----------
    names : iterable of str
        Names of runs or of groups of runs; empty ones are passed over.

    Returns
    -------
    list of str
        Names, each once. What is no group stays as it is.
    """
    groups, found = run_groups(), []
    for name in filter(None, names):
        found += run_names(name) if name in groups else [name]
    return list(dict.fromkeys(found))


def with_other_seeds(names: Iterable[str]) -> list[str]:
    """Names of runs and, behind each, of those that differ from it in their seed alone.

    Parameters
    ----------
    names : iterable of str
        Names of runs or of groups of runs.

    Returns
    -------
    list of str
        Names, each recipe once: a run that two groups have is named as the first has it.

    Raises
    ------
    BadRecipe
        As `run_recipe`.
    """
    asked, every = spelt_out(names), {}
    if asked:
        every = {name: run_recipe(name) for name in [*asked, *run_names()]}
    found: dict[protocol.HeatingRun, str] = {}
    for name in asked:
        for other, plan in every.items():
            if replace(plan, seed=every[name].seed) == every[name]:
                found.setdefault(plan, other)
    return list(found.values())


def run_recipe(name: str) -> protocol.HeatingRun:
    """A run by its name.

    Parameters
    ----------
    name : str
        Name of the run.

    Returns
    -------
    HeatingRun
        The run.

    Raises
    ------
    BadRecipe
        There is no such run (the message has the nearest name), a field is unknown, or a value is
        not allowed.
    """
    table, where = _run_table(), paths.relative(paths.RUNS)
    if name not in table:
        raise BadRecipe(
            f"{where} has no run {name!r}{nearest(name, table)} (there are: {', '.join(table)})"
        )
    group, values = table[name]
    document, place = yaml_file.read(paths.RUNS, BadRecipe), ("groups", group, "runs", name)
    document.fit(_RUN, values, place)
    values = dict(values)
    if before := values.pop("after", None):
        values["after"] = run_recipe(before)
    try:
        return protocol.HeatingRun(**values)
    except Unfit as error:
        raise document.blame(error, place, values) from error


def runs_alike(names: Iterable[str], **wanted) -> list[protocol.HeatingRun]:
    """Those runs that have the given fields; the others are reported with the reason.

    Parameters
    ----------
    names : iterable of str
        Names of runs.
    **wanted
        Fields of `HeatingRun` and their values.

    Returns
    -------
    list of HeatingRun
        The runs that remain.

    Raises
    ------
    BadRecipe
        As `run_recipe`.
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


# ---------------------------------------------------------------- what the files may hold

_STRAIN = (tuple[float, float, float, float, float, float], (0, 0, 0, 0, 0, 0))
_DYNAMICS = (
    sampling.Ramp,
    yaml_file.model_of(sampling.Ramp, partial=True, start=(str, ""), strain_voigt=_STRAIN),
    yaml_file.model_of(sampling.Ramp, start=(str, ...), strain_voigt=_STRAIN),
)
#: sampler -> a run, what its `common` and what its runs may say; other samplers are potentials
_SET_RUNS = {
    of: (kind, yaml_file.model_of(kind, partial=True), yaml_file.model_of(kind))
    for of, kind in {"relaxation": _Relaxation, "runs": _FromRun}.items()
}
_SET = yaml_file.model_of(
    SetRecipe, without=["runs"], runs=(yaml_file.named(dict, yaml_file.RunName), ...)
)
_SETS = create_model("Sets", __base__=RootModel, root=(yaml_file.named(_SET), ...))
_POTENTIAL = yaml_file.model_of(
    training.Recipe,
    without=["initial_potential"],
    what=(str, ""),
    start=(str, Field("", alias="from")),
    split=(Literal["block", "random"], "block"),
)
_POTENTIALS = create_model(
    "Potentials",
    __base__=yaml_file.Model,
    groups=(yaml_file.named(list[str]), ...),
    potentials=(yaml_file.named(_POTENTIAL), ...),
)
# `after` is the name of another run
_RUN = yaml_file.model_of(protocol.HeatingRun, without=["after"], after=(str, ""))
_PART_OF_RUN = yaml_file.model_of(
    protocol.HeatingRun, without=["after"], partial=True, after=(str, "")
)
_GROUP = create_model(
    "Group",
    __base__=yaml_file.Model,
    fields=(_PART_OF_RUN, ...),
    runs=(yaml_file.named(_PART_OF_RUN), ...),
)
_RUNS = create_model(
    "Runs",
    __base__=yaml_file.Model,
    defaults=(_PART_OF_RUN, ...),
    groups=(yaml_file.named(_GROUP), ...),
)
