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

    phase: one of :data:`PHASES`, as whoever chose the frame sees it. Where it comes from is one of
    ``structure`` (a name that `labelling.start_of` knows, with ``strain`` of all lengths), ``set``
    (of
    which ``frame`` counts the training part first, then the validation part), ``run`` (a heating
    run; the frame nearest to ``temperature_K``) and ``bim``: so many imidazolates of ``structure``
    exchanged for benzimidazolates, all lengths strained, and ``frame`` of molecular dynamics at
    ``temperature_K`` by GFN1-xTB, 40 steps of 1 fs apart. An entry with ``frames`` is that
    many of them, and such entries take turns. A frame of ``data/dft`` that is older than the
    list has none of them. temperature_K: of the thermostat; taken from the set or run, and left out
    where nobody says (the published glasses).
    """

    phase: str
    structure: str = ""
    strain: float = 0.0
    set: str = ""
    frame: int = 0
    run: str = ""
    bim: int = 0
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
    """All entries of ``data/dft.yaml``: system -> name -> frame.

    Raises
    ------
    Unfit
        an entry that makes no sense; the message names it.
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
