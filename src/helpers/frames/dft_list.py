"""Which frames CP2K labels beside the reference, as ``data/dft.yaml`` lists them. Units: A, K."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Annotated

from pydantic import Field

from helpers import paths, yaml_file
from helpers.errors import Unfit

PHASES = ("crystal", "opening", "open", "melt", "glass")


@dataclass(frozen=True)
class Frame:
    """An entry of ``data/dft.yaml``.

    A frame comes from one of ``structure``, ``set``, ``run``, and ``structure`` with ``bim``. An
    entry with ``frames`` is that many of them, and such entries take turns. A frame of ``data/dft``
    that is older than the list has none of these.

    Attributes
    ----------
    phase : str
        One of :data:`PHASES`, as whoever chose the frame sees it.
    structure : str
        Name of a structure that `labelling.start_of` knows.
    strain : float
        Strain of all lengths of the structure.
    set : str
        Name of a set of frames.
    frame : int
        Index of a frame of the set, counted through the training part first, then the validation
        part; with ``bim``, of frames of molecular dynamics by GFN1-xTB, 40 steps of 1 fs apart.
    run : str
        Name of a heating run, of which the frame nearest to ``temperature_K`` is taken.
    bim : int or None
        Number of imidazolates of the structure that are exchanged for benzimidazolates, before
        molecular dynamics by GFN1-xTB; 0 leaves it as it is (ZIF-8), None is no such dynamics.
    seed : int
        Seed of the molecular dynamics.
    temperature_K : float or None
        Temperature of the thermostat, K; if None, that of the set or run, if it is known (it is not
        for the published glasses).

    Raises
    ------
    Unfit
        The phase is none of :data:`PHASES`.
    """

    phase: str
    structure: str = ""
    strain: float = 0.0
    set: str = ""
    frame: int = 0
    run: str = ""
    bim: int | None = None
    seed: int = 1
    temperature_K: float | None = None

    def __post_init__(self):
        if self.phase not in PHASES:
            raise Unfit(f"phase is {self.phase!r}, wanted: one of {', '.join(PHASES)}")


_Number = Annotated[int, Field(strict=True, ge=1)]
_ENTRY = yaml_file.model_of(Frame, frames=(_Number, 1))


class _List(yaml_file.Model):
    systems: dict[str, dict[str, dict]]


def listed() -> dict[str, dict[str, Frame]]:
    """All entries of ``data/dft.yaml``.

    Returns
    -------
    dict of str to (dict of str to Frame)
        System -> name -> frame, in the order of labelling.

    Raises
    ------
    Unfit
        The file is missing or no YAML, or an entry makes no sense; the message names it.
    """
    document, found = yaml_file.read(paths.DFT_FRAMES), {}
    document.fit(_List, {"systems": document.content})
    for system, entries in document.content.items():
        several = []
        found[system] = {}
        for name, entry in entries.items():
            document.fit(_ENTRY, entry, (system, name))
            fields = {field: value for field, value in entry.items() if field != "frames"}
            number = entry.get("frames", 0)
            try:
                one = Frame(**fields)
            except Unfit as error:
                raise document.blame(error, (system, name), fields) from None
            made = [replace(one, frame=k) for k in range(number)] or [one]
            if number:
                several.append([(f"{name}_{k:02d}", frame) for k, frame in enumerate(made)])
            else:
                found[system][name] = made[0]
        for turn in zip_longest(*several):
            found[system] |= dict(filter(None, turn))
    return found
