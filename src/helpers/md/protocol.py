"""The protocol of a heating run: what determines it, its stages, and LAMMPS' input for them.

The target temperature is a function of the step alone; for one continuous ramp

    T(step) = T_start                                  during the equilibration,
    T(step) = T_start + rate * (t - t_equilibration)   up to T_end

so that a run that was killed at any moment goes on along the same ramp.
The dynamics are Nose-Hoover chains for temperature and pressure (Martyna, Tobias and Klein,
J. Chem. Phys. 101, 4177 (1994); LAMMPS ``fix npt``).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import ase.io
from ase import Atoms

from helpers import provenance, structures, units
from helpers.errors import Unfit
from helpers.md import force_field
from helpers.md.force_field import ForceField

COUPLINGS = ("iso", "aniso", "tri", "none")
_PROTOCOL = 1  # counts up when the same HeatingRun would give another run


@dataclass(frozen=True)
class Stage:
    """Steps first ... last with a target temperature linear in the step (K).

    what: equilibration, heating, hold (not sampled: the structure follows the new temperature) or
    sample.
    """

    first: int
    last: int
    start_K: float
    end_K: float
    what: str


@dataclass(frozen=True)
class HeatingRun:
    """All that determines a heating run.

    structure: name in data/structures or an ASE-readable file. potential: name, directory or
    frozen ``.pb`` file (see `store.load`), or ``reaxff`` (see `helpers.md.reaxff`).
    coupling of the barostat: ``iso`` (the paper), ``aniso`` (three lengths on their own), ``tri``
    (angles too) or ``none`` (NVT, the cell stays). segment_K > 0 heats in segments of that many
    kelvin, and after each holds its last temperature for ``hold_ps`` and then samples it for
    ``sample_ps`` (the paper's 20 K/ps runs); 0 is one continuous ramp, held and sampled at its end.
    Where start and end are the same temperature there is no ramp and the rate is 0. thermostat_ps,
    barostat_ps: relaxation times. ensemble: further potentials, of other training seeds; every
    ``deviation_every_ps`` their disagreement is written (`helpers.validation.ensemble`), the
    forces are those of ``potential`` alone.
    """

    structure: str
    potential: str
    temperature_start_K: float
    temperature_end_K: float
    heating_rate_K_per_ps: float
    supercell: tuple[int, int, int] = (1, 1, 1)
    equilibration_ps: float = 5.0
    timestep_fs: float = 0.5
    pressure_bar: float = 0.0
    seed: int = 1
    thermo_every_ps: float = 0.1
    frame_every_ps: float = 0.1
    thermostat_ps: float = 0.1
    barostat_ps: float = 1.0
    coupling: str = "iso"
    segment_K: float = 0.0
    hold_ps: float = 0.0
    sample_ps: float = 0.0
    ensemble: tuple[str, ...] = ()
    deviation_every_ps: float = 0.1

    def __post_init__(self):
        for name in ("supercell", "ensemble"):  # a notebook's parameters are lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in (
            "temperature_start_K",
            "timestep_fs",
            "thermo_every_ps",
            "frame_every_ps",
            "thermostat_ps",
            "barostat_ps",
            "deviation_every_ps",
        ):
            if not getattr(self, name) > 0:
                raise Unfit(f"{name} = {getattr(self, name)} must be positive")
        for name in ("equilibration_ps", "segment_K", "hold_ps", "sample_ps"):
            if not getattr(self, name) >= 0:
                raise Unfit(f"{name} = {getattr(self, name)} must not be negative")
        if self.temperature_end_K < self.temperature_start_K:
            raise Unfit(
                f"temperature_end_K = {self.temperature_end_K} lies below "
                f"temperature_start_K = {self.temperature_start_K}; this module heats"
            )
        constant = self.temperature_end_K == self.temperature_start_K
        if constant and self.heating_rate_K_per_ps != 0:
            raise Unfit(
                f"heating_rate_K_per_ps = {self.heating_rate_K_per_ps} from and to "
                f"{self.temperature_end_K} K; give 0 for a run at one temperature"
            )
        if not constant and not self.heating_rate_K_per_ps > 0:
            raise Unfit(f"heating_rate_K_per_ps = {self.heating_rate_K_per_ps} must be positive")
        if self.coupling not in COUPLINGS:
            raise Unfit(
                f"coupling {self.coupling!r} is unknown; use {', '.join(COUPLINGS[:-1])} or "
                f"{COUPLINGS[-1]}"
            )
        if (
            min(
                map(
                    self.steps, (self.thermo_every_ps, self.frame_every_ps, self.deviation_every_ps)
                )
            )
            < 1
        ):
            raise Unfit(
                "thermo_every_ps, frame_every_ps and deviation_every_ps must be at "
                "least one timestep"
            )
        for name in (self.potential, *self.ensemble) if self.ensemble else ():
            if not force_field.of(name).can_compare:
                raise Unfit(f"an ensemble is one of deep potentials; {name} has none")
        if not self.stages():
            raise Unfit(
                "the run has no steps: give it a ramp, equilibration_ps, hold_ps or sample_ps"
            )

    def steps(self, ps: float) -> int:
        """Number of time steps in ``ps`` picoseconds."""
        return units.steps(ps, self.timestep_fs)

    @property
    def force_field(self) -> ForceField:
        """What gives the forces."""
        return force_field.of(self.potential)

    @property
    def name(self) -> str:
        cell = Path(self.structure).stem + "".join(
            f"x{n}" for n in self.supercell if tuple(self.supercell) != (1, 1, 1)
        )
        if not self.heating_rate_K_per_ps:
            return f"{cell}-{self.temperature_end_K:g}K"
        return f"{cell}-{self.heating_rate_K_per_ps:g}Kps"

    def stages(self) -> list[Stage]:
        """The protocol: equilibration (stage 0), then heat, hold and sample, once or in turn."""
        stages, step, start = [], 0, self.temperature_start_K

        def add(ps: float, to: float, what: str):
            nonlocal step, start
            if n := self.steps(ps):
                stages.append(Stage(step, step + n, start, to, what))
                step, start = step + n, to

        add(self.equilibration_ps, start, "equilibration")
        while True:
            end = min(start + (self.segment_K or math.inf), self.temperature_end_K)
            if end > start:
                add((end - start) / self.heating_rate_K_per_ps, end, "heating")
            start = end
            add(self.hold_ps, end, "hold")
            add(self.sample_ps, end, "sample")
            if end >= self.temperature_end_K:
                return stages

    @property
    def total_steps(self) -> int:
        return self.stages()[-1].last

    def sample_stages(self) -> list[int]:
        """Numbers of the stages that are sampled, as in the table's column ``stage``."""
        first = int(not self.steps(self.equilibration_ps))  # number 0 belongs to equilibration
        return [i for i, s in enumerate(self.stages(), start=first) if s.what == "sample"]

    def recipe(self) -> dict:
        """What the provenance key is made of: every parameter, inputs by content.

        A field that younger runs have is left out at its default: older keys stay what they are.
        """
        plain = {
            k: float(v) if isinstance(v, (int, float)) and k != "seed" else v
            for k, v in asdict(self).items()
        }
        for name in ("sample_ps", "ensemble", "deviation_every_ps"):
            if plain[name] == type(self).__dataclass_fields__[name].default or (
                name == "deviation_every_ps" and not self.ensemble
            ):
                del plain[name]
        recipe = plain | {
            "protocol": _PROTOCOL,
            "supercell": [int(n) for n in self.supercell],
            "structure": provenance.sha256(_structure_file(self.structure)),
            "potential": self.force_field.sha256,
        }
        if self.ensemble:
            members = [force_field.of(potential).sha256 for potential in self.ensemble]
            if len({recipe["potential"], *members}) <= len(members):
                raise Unfit(
                    f"the ensemble {', '.join(self.ensemble)} beside {self.potential} names one "
                    f"potential twice; potentials that are the same cannot disagree"
                )
            recipe["ensemble"] = sorted(members)
        return recipe


def structure(heating: HeatingRun) -> Atoms:
    """The start structure of a run, as supercell."""
    return structures.supercell(
        ase.io.read(_structure_file(heating.structure)), tuple(heating.supercell)
    )


def _structure_file(name: str) -> Path:
    return Path(name) if Path(name).is_file() else structures.file(name)
