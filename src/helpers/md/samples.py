"""Which samples a finished heating run has to have, by its provenance.

A file that lost a line, or was cut where a line ends, is whole to every parser; the record of the
run knows how many steps it took and how far apart its samples are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from helpers import paths, provenance, units
from helpers.errors import Unfit


def refuse_lost(file: Path, interval: str, steps: Sequence[int], *, first: int = 1) -> None:
    """Refuse a file of a finished run in which samples are missing.

    Parameters
    ----------
    file : Path
        The file, in the directory of the run. Without a provenance that tells of a run and of this
        interval, nothing is refused.
    interval : str
        Field of the recipe with the interval of the samples, ps, such as ``thermo_every_ps``.
    steps : sequence of int
        Steps of the samples that the file holds.
    first : int
        Number of the first sample: 1 after one interval, 0 at step 0.

    Raises
    ------
    Unfit
        A sample is missing, or there is one that the run did not take.
    NoProvenance
        The provenance is broken.
    """
    if not (file.parent / provenance.FILE).is_file():
        return
    record = provenance.read(file.parent)
    recipe = record.get("recipe", {})
    told = {interval, "timestep_fs"} <= set(recipe) and isinstance(record.get("steps"), int)
    if record.get("kind") != "runs" or not told:
        return
    every = units.steps(recipe[interval], recipe["timestep_fs"])
    last = record["steps"] - bool(record.get("exploded"))  # the sample that exploded is not kept
    wanted = list(range(first * every, last + 1, every))
    if interval == "frame_every_ps" and (n := record.get("thinned")):
        wanted = sorted({*wanted[n - 1 :: n], *wanted[-1:]})
    lost = sorted(set(wanted) - set(steps))
    other = sorted(set(steps) - set(wanted))
    if lost:
        said = f"lacks {len(lost)} of {len(wanted)} samples, the first of step {lost[0]}"
    elif other:
        said = f"holds a sample of step {other[0]}, which its run did not take"
    else:
        return
    raise Unfit(
        f"{paths.relative(file)} is damaged: it {said}; restore it from git or a copy, or remove "
        f"the run's directory and run it again"
    )
