"""A finished heating run as one thing, and several of them as a collection.

A run knows what was asked for (its recipe), who made it (its provenance) and what came out (table,
trajectory, deviation; each is read when it is first wanted, once). It is made in one place,
`Run.read`; `helpers.md.heating.run` and `helpers.recipes.runs.find` hand it on.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import pandas as pd

from helpers import provenance
from helpers.errors import Unfit
from helpers.md import model_deviation, thermo, trajectory
from helpers.md.protocol import HeatingRun
from helpers.md.trajectory import Trajectory


@dataclass(frozen=True)
class Run:
    """A finished heating run; two are the same when their directories are.

    Attributes
    ----------
    directory : Path
        where its files are. A run can be given wherever the path of its directory can.
    recipe : HeatingRun
        all that determines it: as it was asked for, or, for one read by its directory, as its
        provenance tells it.
    provenance : dict
        who made it, from what, with what outcome (``provenance.json``).

    Examples
    --------
    >>> from helpers import paths
    >>> from helpers.md.run import Run
    >>> run = Run.read(paths.shipped("runs", "atp-20Kps-seed2"))
    >>> run.name, run.label, run.rate, run.seed, run.potential, run.atoms
    ('atp-20Kps-seed2', '20 K/ps, seed 2', 20.0, 2, 'round-5', 272)
    >>> len(run.thermo), len(run.ramp)
    (910, 900)
    """

    directory: Path
    recipe: HeatingRun = field(compare=False, repr=False)
    provenance: dict = field(compare=False, repr=False)

    @classmethod
    def read(cls, directory: Path | str, recipe: HeatingRun | None = None) -> Run:
        """The run in a directory.

        Parameters
        ----------
        directory : Path or str
            Directory of a finished run.
        recipe : HeatingRun, optional
            The run that was asked for; by default that of the provenance.

        Returns
        -------
        Run
            The run.

        Raises
        ------
        NoProvenance
            The directory is missing or unfinished, or its provenance is broken.
        Unfit
            It holds another kind of result.
        """
        directory = Path(directory)
        record = provenance.read(directory)
        if record.get("kind") != "runs":
            raise Unfit(
                f"{directory} holds a result of the kind {record.get('kind')!r}, no heating run; "
                f"give the directory of one, in data/runs or build/runs"
            )
        return cls(directory, recipe or _recipe_of(record), record)

    def __fspath__(self) -> str:
        return os.fspath(self.directory)

    # what it is called

    @property
    def name(self) -> str:
        """Name of its directory: ``atp-20Kps``, or ``ZIF-4-20Kps-<key>`` where it was made."""
        return self.directory.name

    @property
    def label(self) -> str:
        """For a reader: ``20 K/ps, seed 2``, with the size of a supercell behind it."""
        what = f"{self.rate:g} K/ps" if self.rate else f"{self.recipe.temperature_end_K:g} K"
        cells = " × ".join(map(str, self.supercell))
        return f"{what}, seed {self.seed}" + (f", {cells} cells" if max(self.supercell) > 1 else "")

    # what was asked for

    @property
    def rate(self) -> float:
        """Heating rate in K/ps; 0 of a run at one temperature."""
        return self.recipe.heating_rate_K_per_ps

    @property
    def seed(self) -> int:
        """Seed of the first velocities."""
        return self.recipe.seed

    @property
    def supercell(self) -> tuple[int, int, int]:
        """Repetitions of the cell along a, b and c."""
        return tuple(self.recipe.supercell)

    @property
    def structure(self) -> str:
        """Name of the cell it started from."""
        return self.recipe.structure

    @property
    def potential(self) -> str:
        """Name of the potential that gave the forces."""
        return self.recipe.potential

    # who made it, and what came out

    @property
    def key(self) -> str:
        """Key of its recipe, by which it is found again."""
        return self.provenance["key"]

    @property
    def atoms(self) -> int:
        """Number of atoms in the cell."""
        return self.provenance["atoms"]

    @property
    def steps(self) -> int:
        """Number of time steps up to its end, whole or exploded."""
        return self.provenance["steps"]

    @property
    def exploded(self) -> str:
        """What ended it before its time, in words; empty of a run that is whole."""
        return self.provenance.get("exploded", "")

    @property
    def ensemble(self) -> tuple[str, ...]:
        """Names of the potentials that LAMMPS compared with its own along the run."""
        return tuple(self.provenance.get("ensemble", ()))

    @cached_property
    def thermo(self) -> pd.DataFrame:
        """Its thermodynamic table with the equilibration: see `helpers.md.thermo.read`."""
        return thermo.read(self.directory)

    @cached_property
    def ramp(self) -> pd.DataFrame:
        """The table without the equilibration; empty of a run that ended before its ramp."""
        return thermo.read(self.directory, equilibration=False)

    @cached_property
    def sampled(self) -> pd.DataFrame:
        """The rows that count: the sampled segments of a run that has some, else the ramp."""
        if not (self.recipe.segment_K and self.recipe.sample_ps):
            return self.ramp
        return self.ramp[self.ramp["segment"].isin(self.recipe.sampled_segments())]

    @cached_property
    def trajectory(self) -> Trajectory:
        """Its frames: see `helpers.md.trajectory.read`."""
        return trajectory.read(self.directory)

    @cached_property
    def deviation(self) -> pd.DataFrame:
        """How far its ensemble disagreed: see `helpers.md.model_deviation.read`.

        Raises
        ------
        FileNotFoundError
            it was made without an ensemble.
        """
        return model_deviation.read(self.directory)


class Runs(Sequence[Run]):
    """Heating runs, each once, in a fixed order: fastest first, then by size, seed and name.

    Parameters
    ----------
    runs : iterable of Run
        in any order.

    Examples
    --------
    >>> from helpers import paths
    >>> from helpers.md.run import Run, Runs
    >>> names = "atp-20Kps", "atp-4Kps", "atp-4Kps-seed2", "atp-400Kps-2x2x2"
    >>> runs = Runs(Run.read(paths.shipped("runs", name)) for name in names)
    >>> runs.rates, runs.sizes
    ((400.0, 20.0, 4.0), (272, 2176))
    >>> [run.label for run in runs.where(rate=4)]
    ['4 K/ps, seed 1', '4 K/ps, seed 2']
    >>> runs.slowest.name
    'atp-4Kps'
    """

    def __init__(self, runs: Iterable[Run] = ()):
        self._runs = tuple(
            sorted(dict.fromkeys(runs), key=lambda run: (-run.rate, run.atoms, run.seed, run.name))
        )

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, which):
        """A run by its number, or the runs of a slice.

        Parameters
        ----------
        which : int or slice
            Number or slice.

        Returns
        -------
        Run or Runs
            The run or runs.
        """
        return Runs(self._runs[which]) if isinstance(which, slice) else self._runs[which]

    def __add__(self, other: Iterable[Run]) -> Runs:
        return Runs([*self, *other])

    def __repr__(self) -> str:
        return f"Runs({', '.join(run.name for run in self)})"

    def where(
        self,
        *,
        rate: float | None = None,
        seed: int | None = None,
        atoms: int | None = None,
        supercell: Sequence[int] | None = None,
        potential: str | None = None,
        structure: str | None = None,
    ) -> Runs:
        """Those runs that have all of the given properties; there may be none.

        Parameters
        ----------
        rate : float, optional
            Heating rate, K/ps; 0 for runs at one temperature.
        seed : int, optional
            Seed of the initial velocities.
        atoms : int, optional
            Number of atoms.
        supercell : (int, int, int), optional
            Repetitions along a, b and c.
        potential : str, optional
            Name of the potential.
        structure : str, optional
            Name of the structure.

        Returns
        -------
        Runs
            The runs.
        """
        wanted = {
            "rate": rate,
            "seed": seed,
            "atoms": atoms,
            "supercell": None if supercell is None else tuple(supercell),
            "potential": potential,
            "structure": structure,
        }
        return Runs(
            run
            for run in self
            if all(getattr(run, k) == v for k, v in wanted.items() if v is not None)
        )

    @property
    def rates(self) -> tuple[float, ...]:
        """Their heating rates in K/ps, the highest first; runs at one temperature have none."""
        return tuple(dict.fromkeys(run.rate for run in self if run.rate))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Their seeds, rising."""
        return tuple(sorted({run.seed for run in self}))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Their numbers of atoms, rising."""
        return tuple(sorted({run.atoms for run in self}))

    @property
    def first(self) -> Run | None:
        """The first of them, or None where there is none."""
        return self._runs[0] if self._runs else None

    @property
    def slowest(self) -> Run:
        """The run of the lowest heating rate, its first seed.

        Raises
        ------
        Unfit
            none of them heats.
        """
        if not self.rates:
            raise Unfit(
                "none of these runs heats, so that none is the slowest; give a heating rate"
            )
        return self.where(rate=self.rates[-1])[0]

    def nearest(self, rate: float) -> Run | None:
        """The first run of that heating rate, else of the one whose ratio to it is nearest to 1.

        Parameters
        ----------
        rate : float
            Heating rate, K/ps.

        Returns
        -------
        Run or None
            The run; None if none heats.
        """
        if not self.rates:
            return None
        return self.where(rate=min(self.rates, key=lambda other: abs(math.log(other / rate))))[0]

    def heated(self) -> Runs:
        """Those runs that reached their ramp; for the others a line is printed.

        A run may explode during its equilibration, or in its first row.

        Returns
        -------
        Runs
            The runs.

        Raises
        ------
        Unfit
            None of them did.
        """
        reached = Runs(run for run in self if len(run.ramp))
        for run in self:
            if run not in reached:
                print(f"left out: {run.name} ended before its ramp began")
        if not reached:
            raise Unfit(
                "none of these runs reached its ramp; look at what each says of its end, and "
                "lower temperature_start, or take another potential"
            )
        return reached


def _recipe_of(record: dict) -> HeatingRun:
    """The recipe that a provenance tells, its inputs by the names they had then.

    The run that it started from is known by its key alone: it is in the recipe if it is here.
    """
    known = {f.name for f in fields(HeatingRun)}
    values = {name: value for name, value in record["recipe"].items() if name in known}
    values |= {
        name: record[name] for name in ("structure", "potential", "ensemble") if name in record
    }
    if before := values.pop("after", None):
        found = (one for _, one in provenance.finished("runs") if one["key"] == before)
        values["after"] = next(map(_recipe_of, found), None)
    return HeatingRun(**values)
