"""Tables of a potential: what it is made of, what it was trained on, beside what the paper says."""

from __future__ import annotations

from collections.abc import Mapping

from helpers import structures
from helpers.report import paper, tables
from helpers.report.tables import Row, Table


def architecture(recipe, start: str = "", run: str = "live") -> Table:
    """Descriptor, nets and steps of a recipe beside the paper's.

    recipe: `training.Recipe`. start: potential whose weights it goes on from; empty: random ones.
    run: the name of the potential, for the last column.
    """
    sel = zip(structures.TYPE_MAP, recipe.sel, strict=True)
    entries = {
        "architecture.descriptor": ("descriptor", "se_e2_a"),
        **{f"architecture.sel_{element}": (f"sel, {element}", n) for element, n in sel},
        "architecture.rcut_A": ("cutoff", recipe.rcut),
        "architecture.rcut_smth_A": ("smooth from", recipe.rcut_smth),
        "architecture.embedding_net": ("embedding net", recipe.neuron),
        "architecture.fitting_net": ("fitting net", recipe.fitting),
        "training.steps": ("steps", recipe.steps),
    }
    weights = Row("weights at the start", "-", None, start or "random", run=run)
    return tables.side_by_side([*tables.rows(entries, run), weights])


def training(record: Mapping, lineage: Mapping[str, int]) -> Table:
    """How a potential was trained, prefactors of the loss with the paper's in brackets.

    record: its ``provenance.json``. lineage: potential -> steps of the trainings whose weights it
    went on from, the first one first.
    """
    recipe = record["recipe"]
    before = ", ".join(f"{name} ({steps:,} steps)" for name, steps in lineage.items())
    return tables.facts(
        {
            "what": record["description"],
            "sets": ", ".join(record["sets"]),
            "steps": recipe["steps"],
            "went on from": before or "random weights",
            "embedding net": recipe["neuron"],
            "fitting net": recipe["fitting"],
            "sel (C, H, N, Zn)": recipe["sel"],
            "axis_neuron": recipe["axis_neuron"],
            "type_one_side": str(recipe["type_one_side"]),
            "learning rate": recipe["learning_rate"],
            "prefactor of energy, start to limit": _prefactor(recipe, "energy"),
            "prefactor of force": _prefactor(recipe, "force"),
            "prefactor of virial": recipe["prefactor_virial"],
            "made": record["made"],
            "training time (s)": record["seconds"],
            "threads": record["threads"],
            "hardware": tables.machine(record),
            "DeePMD-kit": record["versions"]["deepmd-kit"],
        }
    )


def _prefactor(recipe: Mapping, what: str) -> str:
    """Prefactor of energy or force in the loss, start to limit, and the paper's."""
    ours = " - ".join(f"{p:g}" for p in recipe[f"prefactor_{what}"])
    theirs = [
        paper.value(f"architecture.{end}_pref_{what[0]}").number for end in ("start", "limit")
    ]
    return f"{ours} (paper: {' - '.join(f'{p:g}' for p in theirs)})"
