"""A potential or the reference: its calculator, and what it says of a structure, kept.

A *model* is the name, directory or ``.pb`` of a potential, or ``"reference"``. What takes longer
than a minute is kept in ``build/validation`` (shipped: ``data/validation``) under the content of
model and structure: found and finished it is reused, broken off it goes on.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import Calculator

from helpers import provenance, structures
from helpers.frames import reference

REFERENCE = "reference"


def calculator(model: str, symbols: Iterable[str] | None = None) -> Calculator:
    """ASE calculator of a model: DeePMD-kit's own with the compressed potential, or the reference.

    Raises
    ------
    store.BadPotential
        see `store.check_potential`; symbols are the elements it must know.
    reference.ReferenceUnavailable
        the reference is asked for where nequip is not installed.
    """
    if model == REFERENCE:
        if importlib.util.find_spec("nequip") is None:
            raise reference.ReferenceUnavailable(
                "no kept result of the reference, and nequip is not installed to make one: "
                "pip install 'zif4-melting[reference]'"
            )
        return reference.Reference()
    from helpers.potentials import (
        conversion,
        store,  # needs dpdata, which lacks where the reference runs
    )

    compressed = conversion.compress(model)
    store.check_potential(compressed, symbols)
    from deepmd.calculator import DP

    return DP(model=compressed)


def _content(model: str) -> str:
    if model == REFERENCE:
        return reference.SHA256
    from helpers.potentials import store

    return store.load(model).sha256


def kept(
    what: str, model: str, structure: str, parameters: dict,
    make: Callable[[Atoms, Calculator, Path], float],
) -> Path:  # fmt: skip
    """Directory of a result: found, resumed or made.

    ``make(start, calculator, directory)`` writes it and returns its wall time in seconds.
    """
    recipe = parameters | {
        "check": what, "model": _content(model),
        "structure": provenance.sha256(structures.file(structure)),
    }  # fmt: skip

    def make_it(directory: Path) -> dict:
        start = structures.load(structure)
        return {"seconds": make(start, calculator(model, set(start.symbols)), directory)}

    return provenance.kept(
        "validation",
        recipe,
        make_it,
        name=f"{what}-{Path(model).stem}-{structure}",
        description=f"{what} of {structure} by {Path(model).name}",
        inputs={"model": recipe["model"], "structure": recipe["structure"]},
    )


def beside_reference(measure: Callable, model: str, structure: str, **options) -> dict:
    """``measure(name, structure)`` of a model and of the reference: name -> result.

    Where the reference has no kept result and cannot run, that is said and its entry left out.
    """
    results = {model: measure(model, structure, **options)}
    try:
        results[REFERENCE] = measure(REFERENCE, structure, **options)
    except reference.ReferenceUnavailable as error:
        print(f"{structure}: {error}", flush=True)
    return results
