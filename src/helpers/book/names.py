"""Names in the parameters of a chapter: of sets, potentials, runs and files that have to be there.

Looked at before anything of the chapter runs: a name that is used after the training would else be
refused after the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from helpers import paths, provenance, structures
from helpers.errors import NotThere

SETS = ("sets", "live_sets", "reference_sets")
POTENTIALS = ("potential", "test_potential", "live_start", "ensemble")
RUNS = ("named_runs", "held_run", "cooled_runs", "test_held_runs")
GROUPS = (  # of runs, or runs
    "larger_runs", "pressure_runs", "earlier_runs", "plateau_runs", "volume_runs",
)  # fmt: skip
FILES = ("own_file",)
STRUCTURES = ("structure",)


def refuse_unknown(values: Mapping) -> None:
    """Refuse names of what is not there.

    Parameters
    ----------
    values : mapping of str to object
        Parameters that were given, without those that have their default.

    Raises
    ------
    NotThere
        There is no such set, potential, run or file; the message names the nearest one.
    UnknownStructure
        There is no such cell or file.
    Unfit
        The file of a structure holds none that can be heated.
    """
    from helpers.frames import dataset
    from helpers.potentials import store
    from helpers.recipes import catalogue

    made_here = {values.get("live_name", "live"), ""}
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            if name in SETS:
                provenance.read(dataset.locate(one))  # a folder of another kind is no set
            elif name in POTENTIALS and one not in made_here:
                store.load(one)
            elif name in RUNS and one:
                catalogue.run_recipe(one)
            elif name in GROUPS and one:
                list(map(catalogue.run_recipe, catalogue.spelt_out([one])))
            elif name in STRUCTURES:
                structures.load(str(paths.ROOT / one) if (paths.ROOT / one).is_file() else one)
            elif name in FILES and one and not (paths.ROOT / Path(one)).exists():
                raise NotThere(f"{name}: there is no file {one!r}; name it from {paths.ROOT}")
