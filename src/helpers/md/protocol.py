r"""The protocol of a heating run: all that determines it, and its segments.

The target temperature is a function of the step alone; for one continuous ramp

.. math:: T = T_{start} \quad (t \le t_{eq}), \qquad
    T = T_{start} + q\,(t - t_{eq}) \quad \text{up to } T_{end},

so that a run that was killed at any moment continues along the same ramp. If the end lies below the
start, the rate q is subtracted: a run that cools, or a quench. The dynamics are Nose-Hoover chains
for temperature and pressure (Martyna, Tobias and Klein, J. Chem. Phys. 101, 4177 (1994); LAMMPS
``fix npt``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from ase.neighborlist import neighbor_list

from helpers import paths, provenance, structures, units
from helpers.errors import Unfit, refuse_outside
from helpers.md import force_field
from helpers.md.force_field import ForceField

COUPLINGS = ("iso", "aniso", "tri", "none")
_NO_BOND_A = 2.5  # a molecule whose lengths are in bohr still has C-H at 2.1
CLOSEST_A = 0.5  # shorter than any bond: H2 in its strongest vibrations stays above
RELAXED = ("iso", "aniso", "tri", "atoms")
HYDROGEN_U = float(atomic_masses[atomic_numbers["H"]])
_PROTOCOL = 1  # counts up when the same HeatingRun would give another run
# Fields that younger runs have; at its default such a field is in no recipe.
_YOUNGER = (
    "sample_ps", "ensemble", "deviation_every_ps", "relaxed", "hydrogen_mass_u",
    "volume_A3_per_atom", "stop_at_deviation_eV_per_A", "after",
)  # fmt: skip
# Those of them that are no attribute of a run either while they have their default: the entries of
# data/runs.yaml, which are held by their keys, then look as they did before.
_UNSEEN = _YOUNGER[3:]

#: parameter of a chapter -> field of `HeatingRun`, which has its unit in the name
OF_A_CHAPTER = {
    "structure": "structure",
    "supercell": "supercell",
    "potential": "potential",
    "temperature_start": "temperature_start_K",
    "temperature_end": "temperature_end_K",
    "heating_rate": "heating_rate_K_per_ps",
    "equilibration": "equilibration_ps",
    "segment": "segment_K",
    "hold": "hold_ps",
    "sample": "sample_ps",
    "coupling": "coupling",
    "pressure": "pressure_bar",
    "relaxed": "relaxed",
    "timestep": "timestep_fs",
    "hydrogen_mass": "hydrogen_mass_u",
    "frame_every": "frame_every_ps",
    "seed": "seed",
}


@dataclass(frozen=True)
class Segment:
    """Part of a run with a target temperature linear in the step.

    Attributes
    ----------
    first : int
        First step.
    last : int
        Last step.
    start_K : float
        Target temperature at the start, K.
    end_K : float
        Target temperature at the end, K.
    what : str
        equilibration, heating, cooling, hold (not sampled: the structure adapts to the new
        temperature) or sample.
    """

    first: int
    last: int
    start_K: float
    end_K: float
    what: str


@dataclass(frozen=True)
class HeatingRun:
    """All that determines a heating run.

    Attributes
    ----------
    structure : str
        Name in ``data/structures``, or path of a file that ASE reads: a crystal periodic in three
        dimensions, of elements that the potential knows.
    potential : str
        Name, directory or frozen ``.pb`` file (see `store.load`), or ``reaxff`` (see
        `helpers.md.reaxff`).
    temperature_start_K : float
        Start of the ramp, K.
    temperature_end_K : float
        End of the ramp, K, above or below the start.
    heating_rate_K_per_ps : float
        Rate of the ramp, K/ps, positive in either direction; 0 if start and end are equal.
    supercell : (int, int, int)
        Repetitions of the cell along a, b and c.
    equilibration_ps : float
        Time at the start temperature, ps.
    timestep_fs : float
        Time step, fs.
    pressure_bar : float
        Pressure of the barostat, bar.
    seed : int
        Seed of the initial velocities.
    thermo_every_ps : float
        Interval of the thermodynamic table, ps.
    frame_every_ps : float
        Interval of the trajectory, ps.
    thermostat_ps : float
        Relaxation time of the thermostat, ps.
    barostat_ps : float
        Relaxation time of the barostat, ps.
    coupling : str
        Freedom of the cell: ``iso`` (the paper), ``aniso`` (three independent lengths), ``tri``
        (angles too) or ``none`` (NVT, fixed cell).
    segment_K : float
        If positive, the run heats in segments of this many kelvin, and after each holds the
        temperature for ``hold_ps`` and samples it for ``sample_ps`` (the paper's 20 K/ps runs). 0
        is one continuous ramp, held and sampled at its end.
    hold_ps : float
        Time of holding, ps.
    sample_ps : float
        Time of sampling, ps.
    ensemble : tuple of str
        Further potentials, from trainings with other seeds, whose disagreement is recorded
        (`helpers.validation.ensemble`); the forces are those of ``potential`` alone.
    deviation_every_ps : float
        Interval of that record, ps.
    relaxed : str
        If not empty, the structure is first relaxed with the potential at ``pressure_bar``, with a
        cell that is free as for ``iso``, ``aniso`` or ``tri``, or with fixed cell (``atoms``).
    hydrogen_mass_u : float
        Mass of H, u; 2.014 is deuterium, whose fastest vibrations allow a step of 1 fs. Densities
        are those of ordinary hydrogen all the same.
    volume_A3_per_atom : float
        If positive, the cell is first scaled to this volume, A^3 per atom; with ``coupling`` none
        it keeps it.
    stop_at_deviation_eV_per_A : float
        If positive, the run ends when the largest deviation of the ensemble exceeds this, eV/A.
    after : HeatingRun or None
        Run from whose last positions, velocities and cell this one starts, such as the melt before
        a quench.
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
    relaxed: str = ""
    hydrogen_mass_u: float = HYDROGEN_U
    volume_A3_per_atom: float = 0.0
    stop_at_deviation_eV_per_A: float = 0.0
    after: HeatingRun | None = None

    def __post_init__(self):
        if isinstance(self.after, dict):  # from JSON
            object.__setattr__(self, "after", HeatingRun(**self.after))
        for name in _UNSEEN:
            if getattr(self, name) == self._default(name):
                object.__delattr__(self, name)  # the class has the default
        for name in ("supercell", "ensemble"):  # a notebook's parameters are lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for one in fields(self):  # they get into LAMMPS' input
            value = getattr(self, one.name)
            if one.type == "int" and type(value) is not int:
                raise Unfit(f"{one.name} = {value!r} must be a whole number")
            if one.type == "float" and (
                type(value) not in (int, float) or not math.isfinite(value)
            ):
                raise Unfit(f"{one.name} = {value!r} must be a number")
        if len(self.supercell) != 3 or not all(type(n) is int and n > 0 for n in self.supercell):
            raise Unfit(f"supercell = {list(self.supercell)} is not three whole numbers from 1 up")
        for name in (
            "temperature_start_K",
            "timestep_fs",
            "thermo_every_ps",
            "frame_every_ps",
            "thermostat_ps",
            "barostat_ps",
            "deviation_every_ps",
            "hydrogen_mass_u",
        ):
            if not getattr(self, name) > 0:
                raise Unfit(f"{name} = {getattr(self, name)} must be positive")
        for name in (
            "equilibration_ps",
            "segment_K",
            "hold_ps",
            "sample_ps",
            "volume_A3_per_atom",
            "stop_at_deviation_eV_per_A",
        ):
            if not getattr(self, name) >= 0:
                raise Unfit(f"{name} = {getattr(self, name)} must not be negative")
        refuse_outside(
            self, supercell=(1, 50), temperature_start_K=(0, 1e5), temperature_end_K=(0, 1e5),
            timestep_fs=(0, 5), pressure_bar=(-1e6, 1e6), hydrogen_mass_u=(0.9, 20),
        )  # fmt: skip
        for name in ("thermostat_ps", "barostat_ps"):
            if getattr(self, name) < 10 * self.timestep_fs / 1000:
                raise Unfit(
                    f"{name} = {getattr(self, name)} is less than ten time steps of "
                    f"{self.timestep_fs} fs, too short for it to work"
                )
        if self.volume_A3_per_atom and not 3 <= self.volume_A3_per_atom <= 1000:
            raise Unfit(
                f"volume_A3_per_atom = {self.volume_A3_per_atom} is not from 3 to 1000 A^3, as "
                f"matter has; of the crystal it is 16"
            )
        if not 1 <= self.seed < 2**31:
            raise Unfit(f"seed = {self.seed} is not from 1 to 2147483647, which LAMMPS takes")
        if not self.temperature_end_K > 0:
            raise Unfit(f"temperature_end_K = {self.temperature_end_K} must be positive")
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
        if self.relaxed and self.relaxed not in RELAXED:
            raise Unfit(f"relaxed {self.relaxed!r} is unknown; use {', '.join(RELAXED)} or nothing")
        if self.volume_A3_per_atom and self.relaxed not in ("", "atoms"):
            raise Unfit(
                f"volume_A3_per_atom = {self.volume_A3_per_atom} and relaxed {self.relaxed!r} "
                "exclude each other: relaxing the cell would change its volume; use relaxed atoms"
            )
        if self.stop_at_deviation_eV_per_A and not self.ensemble:
            raise Unfit(
                f"stop_at_deviation_eV_per_A = {self.stop_at_deviation_eV_per_A} needs an ensemble "
                "of potentials that can deviate; name its members, or leave it 0"
            )
        if self.after:
            self._check_after(self.after)
        for name in (self.potential, *self.ensemble) if self.ensemble else ():
            if not force_field.of(name).can_compare:
                raise Unfit(f"an ensemble is one of deep potentials; {name} has none")
        if not self.segments():
            raise Unfit(
                "the run has no steps: give it a ramp, equilibration_ps, hold_ps or sample_ps"
            )

    @classmethod
    def _default(cls, name: str):
        return cls.__dataclass_fields__[name].default

    def _check_after(self, after: HeatingRun) -> None:
        """A run goes on from atoms, velocities and cell of another: they must be its own."""
        for name in ("structure", "supercell", "hydrogen_mass_u"):
            if (own := getattr(self, name)) != (other := getattr(after, name)):
                raise Unfit(
                    f"the run goes on from one with {name} {other!r}, not {own!r}; "
                    "give both the same"
                )
        if self.relaxed or self.volume_A3_per_atom:
            raise Unfit(
                "a run that goes on from another one starts as that ended; "
                "leave out relaxed and volume_A3_per_atom"
            )
        if self.force_field.atom_style != after.force_field.atom_style:
            raise Unfit(
                f"the atoms of {after.potential} ({after.force_field.atom_style}) are no "
                f"start for {self.potential} ({self.force_field.atom_style})"
            )
        if self.coupling == "tri" != after.coupling:
            raise Unfit("a run with coupling tri goes on from another one with coupling tri only")

    def steps(self, ps: float) -> int:
        """Number of time steps in a time.

        Parameters
        ----------
        ps : float
            Time, ps.

        Returns
        -------
        int
            Number of steps.
        """
        return units.steps(ps, self.timestep_fs)

    @property
    def force_field(self) -> ForceField:
        """The force field of ``potential``."""
        return force_field.of(self.potential)

    @property
    def name(self) -> str:
        """Name made of the structure, its size, and the rate or the temperature."""
        cell = Path(self.structure).stem + "".join(
            f"x{n}" for n in self.supercell if tuple(self.supercell) != (1, 1, 1)
        )
        if not self.heating_rate_K_per_ps:
            return f"{cell}-{self.temperature_end_K:g}K"
        cooled = "-cooled" if self.temperature_end_K < self.temperature_start_K else ""
        return f"{cell}-{self.heating_rate_K_per_ps:g}Kps{cooled}"

    def segments(self) -> list[Segment]:
        """The segments: equilibration, then heating, holding and sampling, once or repeatedly.

        Returns
        -------
        list of Segment
            The segments in order.
        """
        segments, step, start = [], 0, self.temperature_start_K

        def add(ps: float, to: float, what: str):
            nonlocal step, start
            if n := self.steps(ps):
                segments.append(Segment(step, step + n, start, to, what))
                step, start = step + n, to

        add(self.equilibration_ps, start, "equilibration")
        way = 1 if self.temperature_end_K >= self.temperature_start_K else -1
        what = "heating" if way > 0 else "cooling"
        while True:
            left = abs(self.temperature_end_K - start)
            part = min(left, self.segment_K or math.inf)
            end = start + way * part if part < left else self.temperature_end_K
            if part:
                add(part / self.heating_rate_K_per_ps, end, what)
            start = end
            add(self.hold_ps, end, "hold")
            add(self.sample_ps, end, "sample")
            if end == self.temperature_end_K:
                return segments

    @property
    def total_steps(self) -> int:
        """Number of steps of the whole run."""
        return self.segments()[-1].last

    def sampled_segments(self) -> list[int]:
        """Numbers of the segments that are sampled, as in the column ``segment`` of the table.

        Returns
        -------
        list of int
            The numbers.
        """
        first = int(not self.steps(self.equilibration_ps))  # number 0 belongs to equilibration
        return [i for i, s in enumerate(self.segments(), start=first) if s.what == "sample"]

    def recipe(self) -> dict:
        """All that determines the run, with inputs by their content; the key is its hash.

        A field that was introduced later is left out at its default, so that older keys do not
        change.

        Returns
        -------
        dict
            Plain data.

        Raises
        ------
        Unfit
            The ensemble names a potential twice.
        """
        plain = {
            k: float(v) if isinstance(v, (int, float)) and k != "seed" else v
            for k, v in asdict(self).items()
        }
        for name in _YOUNGER:
            if plain[name] == self._default(name) or (
                name == "deviation_every_ps" and not self.ensemble
            ):
                del plain[name]
        if self.after:
            plain["after"] = provenance.key(self.after.recipe())
        recipe = plain | {
            "protocol": _PROTOCOL,
            "supercell": [int(n) for n in self.supercell],
            "structure": provenance.sha256(_structure_file(self.structure)),
            "potential": self.force_field.sha256,
        }
        if wall := self.force_field.zinc_wall_A:
            recipe["zinc_wall_A"] = list(wall)
        if self.ensemble:
            members = [force_field.of(potential).sha256 for potential in self.ensemble]
            if len({recipe["potential"], *members}) <= len(members):
                raise Unfit(
                    f"the ensemble {', '.join(self.ensemble)} beside {self.potential} names one "
                    f"potential twice; potentials that are the same cannot disagree"
                )
            recipe["ensemble"] = sorted(members)
        return recipe


def asked(given: Mapping[str, Any], **other: Any) -> HeatingRun:
    """The heating run that the parameters of a chapter ask for.

    Parameters
    ----------
    given : mapping of str to object
        Parameter -> value; parameters that are not in `OF_A_CHAPTER` are no part of a run.
    **other
        Fields of `HeatingRun` that the chapter sets otherwise.

    Returns
    -------
    HeatingRun
        The run; what the chapter has no parameter for has its default.

    Raises
    ------
    Unfit
        A value cannot be used.
    """
    fields_ = {OF_A_CHAPTER[name]: given[name] for name in OF_A_CHAPTER if name in given}
    return HeatingRun(**fields_ | other)


def structure(heating: HeatingRun) -> Atoms:
    """The initial structure of a run: as supercell, at its volume.

    Parameters
    ----------
    heating : HeatingRun
        The run.

    Returns
    -------
    ase.Atoms
        The structure.

    Raises
    ------
    UnknownStructure
        There is neither a shipped cell nor a file of this name.
    Unfit
        The file holds no crystal, see `structures.read`.
    """
    file = _structure_file(heating.structure)
    unit = structures.read(file)
    if file == Path(heating.structure):  # the user's own
        _refuse_wrong_cell(unit, file)
    atoms = structures.supercell(unit, tuple(heating.supercell))
    if heating.volume_A3_per_atom:
        factor = heating.volume_A3_per_atom * len(atoms) / atoms.get_volume()
        atoms.set_cell(atoms.cell.array * factor ** (1 / 3), scale_atoms=True)
    return atoms


def _refuse_wrong_cell(atoms: Atoms, file: Path) -> None:
    """A cell that is not that of the atoms cuts molecules, or the bonds between them."""
    import dpdata

    from helpers.frames import laws

    counts = Counter(atoms.symbols)
    if counts != Counter({e: counts["Zn"] * n for e, n in structures.FORMULA_UNIT.items()}):
        structures.note(
            f"[structure] {paths.relative(file)}: {atoms.symbols} is no whole number of "
            f"Zn(C3H3N2)2; are atoms missing?"
        )
    if not len(neighbor_list("i", atoms, _NO_BOND_A)):
        structures.note(
            f"[structure] {paths.relative(file)}: no two atoms within {_NO_BOND_A:g} A, so "
            f"there is no molecule in it; is the cell in A?"
        )
        return
    system = dpdata.System(atoms, fmt="ase/structure")
    loose = laws.loose_atoms(system)
    turned = laws.loose_atoms(system, transpose=True)
    better = laws.better_cell(system)
    if loose > 0.2 or (loose > 0.02 and turned < loose / 2) or better:
        what = (
            f"Zn has {better[2]:.1f} N around it, {better[1]:.1f} in {better[0]}"
            if better
            else f"{loose:.1%} of C and H miss a bond, {turned:.1%} in the transposed cell"
        )
        raise Unfit(
            f"{paths.relative(file)}: {what}; the cell is not that of the atoms, or not in A: "
            f"write its vectors one after the other, in A"
        )


def _structure_file(name: str) -> Path:
    if Path(name).is_file():
        return Path(name)
    if Path(name).suffix or "/" in name:  # no cell's name: the user meant a file
        raise structures.UnknownStructure(
            f"there is no file {name!r}; give a path from {Path.cwd()} or an absolute one, or the "
            f"name of a shipped cell: {', '.join(structures.names())}"
        )
    return structures.file(name)
