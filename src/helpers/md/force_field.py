r"""What gives the forces of a run, as LAMMPS needs it: a deep potential, or ReaxFF.

A heating run names it by one word (`HeatingRun.potential`); `of` makes a `ForceField` of that word,
and nothing behind it asks which of the two it is.

A deep potential knows nothing of atoms nearer than in its frames, and may attract where the real
ones repel. One whose recipe has ``zinc_wall_A`` = (a, b) runs in LAMMPS with the repulsion of two
screened nuclei between Zn and Zn (Ziegler, Biersack and Littmark; LAMMPS ``pair_style zbl``),

.. math:: E(r) = \frac{Z^2 e^2}{4\pi\epsilon_0 r}\,\phi(r/d) + S(r), \qquad r < b,

with the universal screening function phi, and S, constant below a, such that energy, force and
curvature are zero at b. Where no two Zn come nearer than b it changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from ase.data import atomic_numbers

from helpers import processes
from helpers.md import model_deviation, reaxff
from helpers.potentials import conversion, store
from helpers.structures import TYPE_MAP


class ForceField(ABC):
    """A law of force for LAMMPS.

    Attributes
    ----------
    atom_style : str
        LAMMPS' name for what an atom has.
    link : str
        name of the model file beside LAMMPS' input, which so names no path of this machine.
    can_compare : bool
        whether further force fields of its kind can be evaluated along a run.
    """

    atom_style: str
    link: str
    can_compare: bool

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called on pages and in the provenance of its runs."""

    @property
    @abstractmethod
    def sha256(self) -> str:
        """Of its model file: the part of a run's recipe that stands for it."""

    @property
    def zinc_wall_A(self) -> tuple[float, ...]:
        """Where two Zn repel each other besides, A: two distances, or none; see this module."""
        return ()

    @abstractmethod
    def model(self, symbols: Iterable[str], *, tabulated: bool = True) -> Path:
        """The model file for LAMMPS, after a check that it fits these elements.

        Parameters
        ----------
        symbols : iterable of str
            Chemical symbols of the structure.
        tabulated : bool
            Whether to use its fast form, if there is one (`conversion.compress`).

        Returns
        -------
        Path
            The file.
        """

    @abstractmethod
    def lines(self, model: Path | str, *others: Path | str, every: int = 0) -> list[str]:
        """LAMMPS' input lines, in metal units.

        Parameters
        ----------
        model : Path or str
            The file that gives the forces: a path is written in full, a name as it is.
        *others : Path or str
            Further files, whose disagreement with it is written to `model_deviation.FILE`.
        every : int
            Steps between two rows of that file.

        Returns
        -------
        list of str
            The lines.
        """


class DeepPotential(ForceField):
    """A potential of DeePMD-kit.

    Parameters
    ----------
    potential : str or Path
        see `store.load`.
    """

    atom_style, link, can_compare = "atomic", "potential.pb", True

    def __init__(self, potential: str | Path):
        self.potential = potential

    @property
    def name(self) -> str:
        path = Path(self.potential)
        return path.parent.name if path.suffix == ".pb" else path.name

    @property
    def sha256(self) -> str:
        return store.load(self.potential).sha256

    @property
    def zinc_wall_A(self) -> tuple[float, ...]:
        return store.load(self.potential).zinc_wall_A

    def model(self, symbols: Iterable[str], *, tabulated: bool = True) -> Path:
        store.check_potential(self.potential, sorted(set(symbols)))
        return conversion.compress(self.potential) if tabulated else store.load(self.potential).file

    def lines(self, model: Path | str, *others: Path | str, every: int = 0) -> list[str]:
        return deepmd_lines(model, *others, every=every, zinc_wall_A=self.zinc_wall_A)


class ReaxFF(ForceField):
    """The reactive force field of `helpers.md.reaxff`; its runs are found without its file."""

    atom_style, link, can_compare = reaxff.ATOM_STYLE, "ffield.reaxff", False
    name, sha256 = reaxff.NAME, reaxff.SHA256

    def model(self, symbols: Iterable[str] = (), *, tabulated: bool = True) -> Path:
        return reaxff.force_field(symbols)

    def lines(self, model: Path | str, *others: Path | str, every: int = 0) -> list[str]:
        return reaxff.lines(_written(model))


def of(name: str | Path) -> ForceField:
    """The force field of a name.

    Parameters
    ----------
    name : str or Path
        ``reaxff``, or any potential of `store.load`.

    Returns
    -------
    ForceField
        The force field.
    """
    return ReaxFF() if str(name) == reaxff.NAME else DeepPotential(name)


def _written(model: Path | str) -> str:
    return str(processes.plain_path(model.resolve())) if isinstance(model, Path) else model


def deepmd_lines(
    model: Path | str, *others: Path | str, every: int = 0, zinc_wall_A: tuple[float, ...] = ()
) -> list[str]:
    """Input lines of a deep potential, for any model file that DeePMD-kit's plugin reads.

    Parameters
    ----------
    model : Path or str
        See `ForceField.lines`.
    *others : Path or str
        See `ForceField.lines`.
    every : int
        See `ForceField.lines`.
    zinc_wall_A : (float, float) or ()
        Distances a and b of this module's equation, A; () is no wall.

    Returns
    -------
    list of str
        The lines.
    """
    compared = ["out_freq", str(every), "out_file", model_deviation.FILE] if others else []
    deep = " ".join(["deepmd", *map(_written, (model, *others)), *compared])
    elements = " ".join(TYPE_MAP)
    if not zinc_wall_A:
        return [f"pair_style {deep}", f"pair_coeff * * {elements}"]
    style, nuclei = zinc_wall(zinc_wall_A)
    zinc = TYPE_MAP.index("Zn") + 1
    return [
        f"pair_style hybrid/overlay {deep} {style}",
        f"pair_coeff * * deepmd {elements}",
        f"pair_coeff {zinc} {zinc} zbl {nuclei}",
    ]


def zinc_wall(distances_A: tuple[float, ...]) -> tuple[str, str]:
    """The wall between Zn in LAMMPS' words.

    Parameters
    ----------
    distances_A : (float, float)
        Distances a and b of this module's equation, A.

    Returns
    -------
    style : str
        The pair style with its distances.
    nuclei : str
        The charges of both nuclei, e, as its coefficients.
    """
    inner, outer = distances_A
    charge = atomic_numbers["Zn"]
    return f"zbl {inner:g} {outer:g}", f"{charge} {charge}"
