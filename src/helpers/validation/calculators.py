"""The calculator of a potential or of the reference, and its results for a structure.

A *model* is the name, directory or ``.pb`` of a potential, or ``"reference"``. A result that takes
longer than a minute is kept in ``build/validation`` (shipped: ``data/validation``) by the content
of model and structure: it is found if finished, and continued if interrupted.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import Calculator

from helpers import provenance, structures
from helpers.frames import correction, reference

REFERENCE = "reference"


def calculator(model: str, symbols: Iterable[str] | None = None) -> Calculator:
    """ASE calculator of a model.

    Parameters
    ----------
    model : str
        The model; of a potential, DeePMD-kit's own calculator with the compressed form.
    symbols : iterable of str, optional
        Elements that the model must know.

    Returns
    -------
    ase.calculators.calculator.Calculator
        The calculator.

    Raises
    ------
    BadPotential
        As `store.check_potential`.
    ReferenceUnavailable
        The reference is asked for, but nequip is not installed.
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

    Parameters
    ----------
    what : str
        Name of the check.
    model : str
        The model.
    structure : str
        Name of the structure.
    parameters : dict
        Parameters of the check, as plain data.
    make : callable
        ``make(start, calculator, directory)`` writes the result and returns its wall time in s.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    DirectoryBusy
        Another process makes it.
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
    """A measurement for a model and for the reference.

    A potential that was trained on corrected labels is compared with the reference as corrected by
    the same laws (`helpers.frames.correction`). If the reference has no kept result and cannot run,
    this is reported and its entry is left out.

    Parameters
    ----------
    measure : callable
        ``measure(name, structure, **options)``; for the reference also with ``laws``, if there are.
    model : str
        The model.
    structure : str
        Name of the structure.
    **options
        Passed to ``measure``.

    Returns
    -------
    dict
        Name -> result.
    """
    from helpers.potentials import store

    laws = correction.of(store.load(model).directory)
    corrected = {"laws": laws} if laws else {}
    results = {model: measure(model, structure, **options)}
    try:
        results[REFERENCE] = measure(REFERENCE, structure, **options, **corrected)
    except reference.ReferenceUnavailable as error:
        print(f"{structure}: {error}", flush=True)
    return results
