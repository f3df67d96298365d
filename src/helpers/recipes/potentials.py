"""Potentials by their recipes in ``data/potentials.yaml``, and their errors on every set.

Units: eV, A; see `helpers.potentials.training`.
"""

from __future__ import annotations

from pathlib import Path

from helpers import paths, provenance
from helpers.frames import dataset
from helpers.potentials import store, training
from helpers.potentials.store import Potential
from helpers.recipes import catalogue, sets


def shipped_as_written(name: str) -> bool:
    """Whether a shipped potential corresponds to its entry in ``data/potentials.yaml``.

    If the potential that it started from is not present, its weights are not compared; all else is.

    Parameters
    ----------
    name : str
        Name of the potential.

    Returns
    -------
    bool
        True if it does.
    """
    folder = paths.shipped("potentials", name)
    if not (folder / provenance.FILE).is_file():
        return False
    made = provenance.read(folder)["recipe"]
    start, entry = catalogue.potential_entry(name, catalogue.potential_table())
    if not start or start in store.names():
        return catalogue.potential_recipe(name).as_dict() == made
    nets = {field: made[field] for field in training.NETS}
    plain = training.Recipe(**(nets | entry)).as_dict()
    return plain | {"initial_potential": made["initial_potential"]} == made


def make(name: str, *, threads: int | None = None) -> Potential:
    """A potential by its name: found (shipped or made here), resumed, or trained.

    A set that is neither shipped nor made is made first (`helpers.recipes.sets.make`), and so is a
    potential from which this one starts. A shipped one is found only if its recipe is the requested
    one: after an edit of the recipe, give it a new name to train it.

    Parameters
    ----------
    name : str
        Name of the potential.
    threads : int, optional
        Threads of TensorFlow.

    Returns
    -------
    Potential
        The potential.

    Raises
    ------
    BadRecipe
        As `catalogue.potential_recipe`.
    DPFailed
        ``dp`` failed.
    """
    start = catalogue.potential_table()["potentials"].get(name, {}).get("from")
    if start and start not in store.names():
        if shipped_as_written(name):
            found = paths.shipped("potentials", name)
            provenance.announce("reused", found, f"shipped; {start}, its start, is not here")
            return store.load(found)
        make(start, threads=threads)
    plan = catalogue.potential_recipe(name)
    for set_name in plan.sets:
        if set_name not in dataset.names():
            make_set = _drawn_at_random if set_name.endswith(dataset.RANDOM) else sets.make
            make_set(set_name)
    watched = catalogue.test_sets_here()
    return training.train(plan, name, threads=threads, watch=watched)


def _drawn_at_random(name: str) -> Path:
    """The frames of a set split as the paper splits: ``build/frames/<set>-random``."""
    if (paths.made("frames", name) / provenance.FILE).is_file():
        return paths.made("frames", name)
    source = dataset.locate(name.removesuffix(dataset.RANDOM))
    system = dataset.load(source)
    return dataset.save(
        system, paths.made("frames", name), dataset.split_random(len(system)),
        description="as its namesake, but validation frames drawn at random",
        recipe={"set": provenance.sha256(source), "split": "random"},
        **{k: provenance.read(source)[k] for k in ("level_of_theory", "source", "sampling")},
    )  # fmt: skip


def ship(name: str) -> Potential:
    """Put a potential trained here into ``data/potentials``, in the place of an older one.

    Parameters
    ----------
    name : str
        Name of the potential.

    Returns
    -------
    Potential
        The shipped potential.

    Raises
    ------
    BadRecipe
        There is no such finished potential.
    """
    source = paths.made("potentials", name).resolve()
    if not (source / provenance.FILE).is_file():
        raise catalogue.BadRecipe(
            f"no finished potential {name!r} in {paths.relative(source.parent)}"
        )
    shipped = store.ship(source, name)
    paths.made("potentials", name).unlink(missing_ok=True)
    return shipped
