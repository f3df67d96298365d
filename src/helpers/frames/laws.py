"""Laws that relate the labels of one calculation to each other, for any functional.

The work of the forces is a difference of energies, and the virial a strain derivative; the
stiffness of a C-H bond is known; vibrations inside a molecule make the pressure fluctuate; at one
temperature all frames have nearly the same energy. A wrong unit, sign or zero violates them.

Units: A, eV, eV/A; virial in eV in DeePMD-kit's sign, W = -V sigma.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dpdata
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from helpers.frames import force_model
from helpers.observables import molecules, neighbors
from helpers.structures import TYPE_MAP


def fractional(system: dpdata.LabeledSystem) -> np.ndarray:
    """Fractional coordinates.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    (F, N, 3) array
        Coordinates in units of the cell vectors.
    """
    return system["coords"] @ np.linalg.inv(system["cells"])


_FEWEST_STRAINED = 5  # pairs of frames
_LOUD_EV_A, _FEWEST_LOUD = 0.5, 3  # root of the mean square of force components; at 300 K 0.8
_OWN_EV_A, _LEFT = 0.25, 0.6  # of one element; of its squares shipped sets leave 0.15


def work_balance(system: dpdata.LabeledSystem, reach: float = 0.3) -> pd.DataFrame:
    r"""Consistency of energies, forces and virials of consecutive frames.

    Between two frames a small step apart the energy changes by the work of both labels,

    .. math:: \Delta E = -a \sum_i \overline{F_i \cdot \Delta r_i} - b\, \overline{W : \varepsilon},

    with means over the two frames, :math:`\Delta r` the displacement of the atoms relative to the
    cell and :math:`\varepsilon` the strain of the cell; this is exact for a quadratic energy. ``a``
    = ``b`` = 1 if the labels have the same units and the virial its sign. A virial of the opposite
    sign gives ``b`` near -1, energies in hartree ``a`` = 1/27.2. ``b`` is fitted only if five pairs
    or more differ in their cells by over 1e-4 and the virial does a fifth of the work at least;
    otherwise the energy of heating would hide it.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    reach : float
        Largest root-mean-square displacement between two frames that are used, A.

    Returns
    -------
    DataFrame
        Rows ``force`` and ``virial``; columns ``slope``, ``error`` (standard error), ``n_pairs``.
    """
    cells, energy = system["cells"], system["energies"]
    step = np.diff(fractional(system), axis=0)
    step -= np.round(step)
    growth = np.diff(cells, axis=0)
    ends = (slice(None, -1), slice(1, None))
    moved = [step @ cells[end] for end in ends]
    strain = [np.linalg.solve(cells[end], growth) for end in ends]
    near = np.sqrt((moved[0] ** 2).sum(axis=2).mean(axis=1)) < reach
    strained = near & (np.abs(strain[0]).max(axis=(1, 2)) > 1e-4)
    if strained.sum() < _FEWEST_STRAINED:  # nothing tells what the strain did to their energies
        near &= ~strained

    def mean_work(label, change):
        at_ends = zip(ends, change, strict=True)
        return -sum((system[label][end] * c).sum(axis=(1, 2)) for end, c in at_ends) / 2

    work = {"force": mean_work("forces", moved)}
    if "virials" in system.data and strained.sum() >= _FEWEST_STRAINED:
        of_virial = mean_work("virials", strain)
        if of_virial[near].std() > 0.2 * np.diff(energy)[near].std():
            work["virial"] = of_virial
    rows = pd.DataFrame(
        {"slope": np.nan, "error": np.nan, "n_pairs": [int(near.sum()), int(strained.sum())]},
        index=["force", "virial"],
    )
    matrix = np.stack([w[near] for w in work.values()], axis=1)
    if near.sum() >= max(5, 2 * matrix.shape[1]) and np.linalg.matrix_rank(matrix) == len(work):
        change = np.diff(energy)[near]
        slopes = np.linalg.lstsq(matrix, change, rcond=None)[0]
        variance = ((change - matrix @ slopes) ** 2).sum() / (len(change) - len(slopes))
        errors = np.sqrt(variance * np.diag(np.linalg.inv(matrix.T @ matrix)))
        rows.loc[list(work), "slope"], rows.loc[list(work), "error"] = slopes, errors
    return rows


def ch_stiffness(system: dpdata.LabeledSystem) -> float:
    """Force constant of C-H bonds.

    Minus the slope of the force on H along its bond against the length of the bond, over all H
    within 1.3 A of a C. A C-H oscillator of 3100 1/cm has 4 pi^2 c^2 nu^2 mu = 33 eV/A^2, which no
    composition or temperature changes by more than a factor of two; forces in another unit do.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    float
        eV/A^2; NaN if the frames do not show it.
    """
    bonds = list(_ch_bonds(system))
    return _stiffness(*(np.concatenate(one) for one in zip(*bonds, strict=True)))[0]


def ch_stiffness_by_frame(system: dpdata.LabeledSystem) -> tuple[np.ndarray, np.ndarray]:
    """`ch_stiffness` of each frame, and its standard error.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    stiffness : (F,) array
        eV/A^2; NaN where the lengths in a frame differ too little (at 300 K by 0.03 A).
    error : (F,) array
        eV/A^2.
    """
    found = np.array([_stiffness(*bonds, least_spread=0.01) for bonds in _ch_bonds(system)])
    return found[:, 0], found[:, 1]


_CH_BOND_A = 1.3


def _ch_bonds(system: dpdata.LabeledSystem) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Of each frame the lengths of its C-H bonds (A) and the forces on H along them (eV/A)."""
    symbols = _symbols(system)
    carbon, hydrogen = np.flatnonzero(symbols == "C"), np.flatnonzero(symbols == "H")
    for cell, coords, forces in zip(
        system["cells"], system["coords"], system["forces"], strict=True
    ):
        found = neighbors.pairs(coords, cell, hydrogen, carbon, _CH_BOND_A, shifts=True)
        by_length = np.argsort(found.distance)
        _, nearest = np.unique(found.i[by_length], return_index=True)
        mine = found.chosen(by_length[nearest])
        away = coords[mine.i] - coords[mine.j] - mine.shift @ cell
        yield mine.distance, (forces[mine.i] * away).sum(axis=1) / mine.distance


def _stiffness(
    lengths: np.ndarray, pulls: np.ndarray, least_spread: float = 0.005
) -> tuple[float, float]:
    """Minus the slope of the pulls against the lengths, and its standard error."""
    if len(lengths) < 10 or lengths.std() < least_spread:
        return np.nan, np.nan
    (slope, _), spread = np.polyfit(lengths, pulls, 1, cov=True)
    return -float(slope), float(np.sqrt(spread[0, 0]))


def strain_derivative(atoms, calculator, strain: float = 1e-3) -> np.ndarray:
    r"""Virial by finite strain, without any stress from the calculator.

    .. math:: W_{ab} = -\partial E / \partial \varepsilon_{ab}

    by central differences of the energy under homogeneous strain of the cell with its atoms,
    symmetrised.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    calculator : Calculator
        Calculator with energies.
    strain : float
        Strain of the differences.

    Returns
    -------
    (3, 3) array
        Virial, eV.
    """
    virial = np.zeros((3, 3))
    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
        energy = []
        for sign in (1, -1):
            deformation = np.eye(3)
            deformation[a, b] += sign * strain / 2
            deformation[b, a] += sign * strain / 2
            strained = atoms.copy()
            strained.calc = calculator
            strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
            energy.append(strained.get_potential_energy())
        virial[a, b] = virial[b, a] = -(energy[0] - energy[1]) / (2 * strain)
    return virial


# ---------------------------------------------------------------- what swings inside of molecules

_MOST_FRAMES = 60
_VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")
_AT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])  # where Voigt's six stand in a tensor
#: orders of the six in other programs: VASP, LAMMPS, a triangle by rows and by columns
_OTHER_ORDERS = (
    "xx yy zz xy yz xz", "xx yy zz xy xz yz", "xx xy xz yy yz zz", "xx xy yy xz yz zz",
)  # fmt: skip
# Of 2700 random choices of 2 to 6 shipped frames none was likelier in another reading by as much.
_ODDS = 4.0  # logarithm
_ORDER_ODDS = 7.0  # without another sign: shear is small, and alike in successive frames
_MANY_FRAMES = 8
_SEEN_EV = 0.1  # what forces inside of molecules have of a component at least, an atom^(1/2)
_EXPLAINED = 0.6  # of the squares of the forces' part, what a reading leaves at most


@dataclass(frozen=True)
class MolecularVirial:
    """Relation of the virial to that of the forces inside molecules, see `molecular_virial`.

    Attributes
    ----------
    slope : float
        Slope, dimensionless.
    correlation : float
        Correlation over frames and components.
    n_frames : int
        Number of frames that were compared.
    n_telling : float
        How many of them tell as much as the loudest do: in a relaxation a frame or two swing by far
        more than all others.
    in_place : float
        Mean correlation of the six components xx yy zz yz xz xy, each with its own.
    reordered : float
        Mean correlation of the six components in the order that is far likelier than that of the
        file; `in_place` if none is.
    order : tuple of str
        That order: which component of the forces each of the six swings with.
    misread : str
        The sign and order of six numbers by which the virial, without its trace, comes far closer
        to that of the forces than as it was read; empty if there is none.
    judged : bool
        Whether it comes far closer as it was read than by any other sign and order.
    swing : float
        How far the forces' part goes up and down: the root of its mean square over frames, summed
        over components, an atom, eV. Of molecules at 300 K 1, of a relaxed crystal 0.1.
    """

    slope: float = np.nan
    correlation: float = np.nan
    n_frames: int = 0
    n_telling: float = 0.0
    in_place: float = np.nan
    reordered: float = np.nan
    order: tuple[str, ...] = _VOIGT
    misread: str = ""
    judged: bool = False
    swing: float = 0.0

    @property
    def error(self) -> float:
        """Standard error of the slope, of five independent components a frame that tells."""
        if not 0 < abs(self.correlation) <= 1:
            return np.inf
        unexplained = 1 / self.correlation**2 - 1
        return float(abs(self.slope) * np.sqrt(unexplained / (5 * self.n_telling)))


def molecular_virial(system: dpdata.LabeledSystem) -> MolecularVirial:
    r"""Slope and correlation of the virial against that of the forces inside molecules.

    .. math:: W^{mol} = \sum_m \sum_{i \in m} (r_i - R_m) \otimes F_i

    over the molecules m with centres R_m (`molecules.find`, without metal). Bonds between C, H and
    N are the stiffest: their vibrations make up most of the fluctuation of the virial, at constant
    volume too. Of two or three frames of several volumes only what is left without the traces is
    compared, since those change with the volume. In all sets shipped here the slope lies between
    0.8 and 1.1 and the correlation above 0.8; VASP's stress in kbar, taken for ASE's in eV/A^3, has
    a slope of -1600.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    MolecularVirial
        NaN if there are fewer than two frames or nothing vibrates.
    """
    if "virials" not in system.data or len(system) < 2:
        return MolecularVirial()
    chosen = np.linspace(0, len(system) - 1, min(len(system), _MOST_FRAMES)).round().astype(int)
    volume = np.abs(np.linalg.det(system["cells"][chosen]))
    inside = np.array([_inside(system, i) for i in chosen])
    if np.isnan(inside).any():
        return MolecularVirial()
    virials = system["virials"][chosen]
    if len(chosen) < 4 and _changes(volume):
        x, y = (_without_trace(t).reshape(len(chosen), 9) for t in (inside, virials))
    else:
        # a cell that changes brings its own pressure: compare as if all had one volume
        x, y = (_without_volume(t.reshape(len(chosen), 9), volume) for t in (inside, virials))
    if not (x**2).sum() > 0 or not (y**2).sum() > 0:
        return MolecularVirial()
    power = (x**2).sum(axis=1)
    return MolecularVirial(
        float((x * y).sum() / power.sum()), _correlation(x, y), len(chosen),
        float(power.sum() ** 2 / (power**2).sum()),
        *_component_order(*(z.reshape(-1, 3, 3)[:, *_AT] for z in (x, y))),
        *_misread(inside, virials),
        float(np.sqrt((x**2).sum() / len(x) / system.get_natoms())),
    )  # fmt: skip


def _inside(system: dpdata.LabeledSystem, i: int) -> np.ndarray:
    """Symmetric virial (3, 3) of forces inside molecules, eV; NaN if no atom is in one."""
    forces = system["forces"][i]
    inside = force_model.inside_molecules(
        system["coords"][i], system["cells"][i], _symbols(system), forces
    )
    if not inside.any() and forces.any():
        return np.full((3, 3), np.nan)
    return (inside + inside.T) / 2


_TELLING_EV = 0.5  # of the virial that forces give, an atom^(1/2); crystals near rest have less
_TELLING = 0.5  # correlation of the two in one frame
_CLOSE = 0.35  # of the squares, what the other sign leaves at most; strained crystals at rest 0.47
_SURELY_TURNED = 6.0  # usual squares of what the forces leave, by which the other sign is nearer


def virial_slopes(system: dpdata.LabeledSystem) -> np.ndarray:
    r"""Of each frame the slope of its virial against that which its forces give.

    .. math:: s = \frac{W : W^F}{W^F : W^F}

    without the traces, with W^F of `force_model.predict`: about 1, and negative for a virial of the
    other sign, whatever the other frames have. Of 2690 shipped frames, each turned by itself, 92 %
    were found so (of crystals near rest few), of the same frames as they are none; limits were set
    with these frames at hand.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    (F,) array
        Slopes; NaN for frames that do not tell.
    """
    slopes = np.full(len(system), np.nan)
    if "virials" not in system.data:
        return slopes
    wanted, virials = force_model.predict(system).virials, _without_trace(system["virials"])

    def squares(tensors: np.ndarray) -> np.ndarray:
        return (tensors**2).sum(axis=(1, 2))

    as_is, turned = squares(virials - wanted), squares(virials + wanted)
    usual = np.median(np.minimum(as_is, turned))
    product, power = (virials * wanted).sum(axis=(1, 2)), squares(wanted)
    loud = power > _TELLING_EV**2 * system.get_natoms()
    tell = loud & (np.abs(product) > _TELLING * np.sqrt(power * squares(virials)))
    tell &= (product > 0) | (as_is - turned > _SURELY_TURNED * usual) & (turned < _CLOSE * power)
    return np.divide(product, power, out=slopes, where=tell)


def foreign_forces(system: dpdata.LabeledSystem) -> dict[str, float]:
    """Elements whose forces do not go with the places of their atoms.

    Forces of other frames, or of the atoms in another order, are left by any model of pairs.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    dict of str to float
        Element -> share of the squares of its forces that `force_model` leaves, where it is too
        much.
    """
    loud = (system["forces"] ** 2).mean(axis=(1, 2)) > _LOUD_EV_A**2
    if loud.sum() < _FEWEST_LOUD:
        return {}
    system = system.sub_system(np.flatnonzero(loud))
    left, symbols = force_model.predict(system).left, _symbols(system)
    return {
        element: share for element, share in left.items()
        if share > _LEFT and (system["forces"][:, symbols == element] ** 2).mean() > _OWN_EV_A**2
    }  # fmt: skip


def lost_components(system: dpdata.LabeledSystem) -> dict[str, np.ndarray]:
    """Frames whose virial lacks components that the forces inside of molecules have.

    By symmetry a crystal has none of them either; a file that has only a pressure, or only the
    diagonal of the stress, has zeros there whatever the atoms do.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    dict of str to (F,) array of bool
        ``all but the trace`` and ``shear`` -> the frames.
    """
    virials = system["virials"]
    bare = np.abs(_without_trace(virials)).max(axis=(1, 2))
    shear = np.abs(virials[:, *_AT][:, 3:]).max(axis=1)
    size = 1e-9 * np.abs(virials).max(axis=(1, 2))
    lost = {"all but the trace": bare <= size, "shear": (shear <= size) & (bare > size)}
    for what, frames in lost.items():
        for i in np.flatnonzero(frames):
            of_forces = _inside(system, i)[*_AT][0 if what.startswith("all") else 3 :]
            there = np.ptp(of_forces) if len(of_forces) == 6 else np.abs(of_forces).max()
            frames[i] = there > _SEEN_EV * np.sqrt(system.get_natoms())
    return lost


def _misread(inside: np.ndarray, virials: np.ndarray) -> tuple[str, bool]:
    """How virials (n, 3, 3) would be far likelier than as they are; whether they are far likelier.

    The first is a sign and an order, the second whether no other one can be meant.
    """
    wanted = _without_trace(inside)

    def distance(numbers: np.ndarray) -> float:
        xx, yy, zz, yz, xz, xy = numbers.T
        tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]).transpose(2, 0, 1)
        return float(((_without_trace(tensor) - wanted) ** 2).sum())

    numbers = virials[:, *_AT]
    found = {}
    for order in (" ".join(_VOIGT), *_OTHER_ORDERS):
        places = [order.split().index(component) for component in _VOIGT]
        for sign, said in ((1, ""), (-1, "minus ")):
            found[said + order] = distance(sign * numbers[:, places])
    best, as_read = min(found, key=found.__getitem__), " ".join(_VOIGT)
    others = min(value for order, value in found.items() if order != as_read)
    if not others > 0 or not found[as_read] > 0:
        return "", False
    # five numbers a frame, of an error that the better reading tells
    odds = 2.5 * len(virials) * np.log(found[as_read] / others)
    explains = found[best] < _EXPLAINED * (wanted**2).sum()
    enough = _ODDS if best.startswith("minus") else _ORDER_ODDS
    return (best if odds > enough and explains else ""), bool(odds < -_ODDS and explains)


def _without_trace(tensors: np.ndarray) -> np.ndarray:
    return tensors - np.trace(tensors, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3


def _component_order(x: np.ndarray, y: np.ndarray) -> tuple[float, float, tuple[str, ...]]:
    """How well six components (n, 6) of y go with those of x in place, and in the best order.

    The order is that of the smallest squares of differences; where it is not far likelier than that
    of the file, considering how many orders there are, it is that of the file.
    """
    power = np.sqrt(np.outer((y**2).sum(axis=0), (x**2).sum(axis=0)))
    correlation = np.divide(y.T @ x, power, out=np.zeros((6, 6)), where=power > 0)
    rows, columns = linear_sum_assignment(-y.T @ x)
    left, best = ((y - x) ** 2).sum(), ((y - x[:, columns]) ** 2).sum()
    odds = 3 * (len(x) - 1) * np.log(left / best) if best > 0 else np.inf  # of six numbers a frame
    enough = _ODDS + np.log(math.factorial(6))
    if len(x) < _MANY_FRAMES:  # that follow each other: what the framework adds is alike in them
        enough *= 2
    if odds < enough or best > _EXPLAINED * (x**2).sum():
        columns = rows
    return (
        float(np.diag(correlation).mean()),
        float(correlation[rows, columns].mean()),
        tuple(_VOIGT[c] for c in columns),
    )


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    power = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / power) if power > 0 else np.nan


def _changes(volume: np.ndarray) -> bool:
    return np.ptp(volume) >= 1e-3 * volume.mean()


def _without_volume(values: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """What a straight line in the volume does not tell of values (n, m)."""
    if not _changes(volume):
        return values - values.mean(axis=0)
    basis = np.stack([np.ones_like(volume), volume / volume.mean() - 1], axis=1)
    return values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]


# ---------------------------------------------------------------- zeros of energy

# Of a classical harmonic solid the potential energy is 3/2 kT an atom and the mean square of a
# force component kT times the mean force constant, some 31 eV/A^2 in Zn(im)2 (crystal and melt, 300
# to 2500 K, all sets shipped here): per (eV/A)^2 of it, eV an atom.
THERMAL = 1.5 / 31
ZERO_GAP_EV = 0.15  # an atom; what two frames of one calculation differ by beyond heat: < 0.06 here
TORN_EV = 1.0  # an atom, by which the gap may be wider for each power of e in the volume
FILE_GAP_EV = 0.06  # an atom; enough if every frame of one file lies above every one of another


def zeros_of_energy(
    system: dpdata.LabeledSystem, sources: Sequence[str] | None = None
) -> np.ndarray:
    """Groups of frames with different zeros of energy.

    Groups are separated by gaps of more than `ZERO_GAP_EV` in the sorted energies per atom, less
    the thermal energy that follows from the forces (`THERMAL`). The zeros of codes,
    pseudopotentials and functionals differ by tenths to hundreds of eV per atom, while frames of
    one calculation are close together: for any proportion of the two there is a gap. Between frames
    of other volumes it has to be wider (`TORN_EV`). A gap of
    `FILE_GAP_EV` is enough if it separates files of three frames and more.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    sources : sequence of str, optional
        File of each frame.

    Returns
    -------
    (F,) array of int
        Group of each frame: 0 for the group with most frames, then 1, 2 ...
    """
    squares = np.minimum(system["forces"] ** 2, 100.0)  # heat has no component of 10 eV/A
    heat = THERMAL * squares.mean(axis=(1, 2))
    energy = system["energies"] / system.get_natoms() - heat
    order = np.argsort(energy)
    group = np.zeros(len(energy), dtype=int)
    gaps, volume = np.diff(energy[order]), np.abs(np.linalg.det(system["cells"]))[order]
    wide = gaps > ZERO_GAP_EV
    for k in np.flatnonzero(wide):  # a framework that is torn apart has another energy, too
        grown = np.median(volume[k + 1 :]) / np.median(volume[: k + 1])
        wide[k] = gaps[k] > ZERO_GAP_EV + TORN_EV * abs(np.log(grown))
    if sources is not None:
        _, file, count = np.unique(sources, return_inverse=True, return_counts=True)
        for k in np.flatnonzero(gaps > FILE_GAP_EV):
            below, above = file[order[: k + 1]], file[order[k + 1 :]]
            apart = not set(below.tolist()) & set(above.tolist())
            wide[k] |= apart and min(count[below].max(), count[above].max()) > 2
    group[order[1:]] = np.cumsum(wide)
    by_size = np.argsort(-np.bincount(group), kind="stable")
    return np.argsort(by_size)[group]


def energy_jumps(system: dpdata.LabeledSystem, reach: float = 0.3) -> np.ndarray:
    """Consecutive frames between which the energy jumps, whatever forces and virial do.

    A jump is a change of the energy that exceeds the work of both labels by as much again, by the
    size of the correction of the trapezoidal rule (the sum of (F2 - F1) dr), and by 10 meV per
    atom.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    reach : float
        Largest root-mean-square displacement between two frames that are used, A.

    Returns
    -------
    array of int
        Indices i of the pairs (i, i + 1).
    """
    cells = system["cells"]
    step = np.diff(fractional(system), axis=0)
    step -= np.round(step)
    moved = step @ cells[:-1]
    near = np.sqrt((moved**2).sum(axis=2).mean(axis=1)) < reach
    first, second = (-(system["forces"][k] * moved).sum(axis=(1, 2))
                     for k in (slice(None, -1), slice(1, None)))  # fmt: skip
    work, bend = (first + second) / 2, np.abs(second - first)
    if "virials" in system.data:
        strain = np.linalg.solve(cells[:-1], np.diff(cells, axis=0))
        mean = (system["virials"][:-1] + system["virials"][1:]) / 2
        of_virial = -(mean * strain).sum(axis=(1, 2))
        work, bend = work + of_virial, bend + np.abs(of_virial)
    else:
        near &= np.abs(np.diff(cells, axis=0)).max(axis=(1, 2)) < 1e-4
    change = np.diff(system["energies"])
    allowed = np.abs(work) + bend + 0.01 * system.get_natoms()
    return np.flatnonzero(near & (np.abs(change - work) > allowed))


# ---------------------------------------------------------------- molecules and the cell


_ZN_N_A = 2.6  # of bonds, hot ones too
_C_H_A = 1.25  # of nine bonds in ten, hot ones too; C-N is longer
#: what a cell may be instead of the true one -> its cell vectors from those of the file
OTHER_CELLS = {
    "the transposed cell": lambda cell: np.ascontiguousarray(cell.T),
    "a cell that is 0.529 times as large": lambda cell: cell * 0.529177210903,  # bohr for A
    "a cell that is 1.89 times as large": lambda cell: cell / 0.529177210903,
}


def better_cell(system: dpdata.System, n_frames: int = 6) -> tuple[str, float, float] | None:
    """The member of `OTHER_CELLS` in which zinc atoms have more nitrogen atoms bound to them.

    Molecules that are whole in a file are whole in any cell, but not the framework: its bonds cross
    the faces of the cell. None of the other cells is better than the true one.

    Parameters
    ----------
    system : dpdata.System
        The frames.
    n_frames : int
        Number of frames to look at.

    Returns
    -------
    (str, float, float) or None
        Its name and the mean numbers of N around Zn in it and in the cell of the file; None unless
        it has half a bond more in every frame, not more than a Zn can have, and brings few
        other atoms close to each other.
    """
    symbols = np.array(system["atom_names"])[system["atom_types"]]
    zinc, nitrogen = np.flatnonzero(symbols == "Zn"), np.flatnonzero(symbols == "N")
    if not len(zinc) or not len(nitrogen):
        return None
    frames = np.unique(np.linspace(0, len(system) - 1, n_frames).round().astype(int))

    def bound(i: int, cell: np.ndarray) -> float:
        found = neighbors.pairs(system["coords"][i], cell, zinc, nitrogen, _ZN_N_A)
        return len(found.distance) / len(zinc)

    def close(i: int, cell: np.ndarray) -> int:
        every = np.arange(len(symbols))
        return len(neighbors.pairs(system["coords"][i], cell, every, every, 1.45).distance)

    mine = np.array([bound(i, system["cells"][i]) for i in frames])
    for name, change in OTHER_CELLS.items():
        cells = [change(system["cells"][i]) for i in frames]
        other = np.array([bound(i, cell) for i, cell in zip(frames, cells, strict=True)])
        if (other - mine > 0.5).all() and other.mean() < 4.5:
            same = [close(i, cell) <= 1.25 * close(i, system["cells"][i])
                    for i, cell in zip(frames, cells, strict=True)]  # fmt: skip
            if all(same):
                return name, float(other.mean()), float(mine.mean())
    return None


def exchanged_elements(system: dpdata.LabeledSystem) -> tuple[str, str] | None:
    """Two elements whose names have to be exchanged for the molecules to be whole.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Returns
    -------
    (str, str) or None
        The elements with which every H is bound to a C and no bond is missing; None if there are
        none.
    """
    middle = len(system) // 2
    coords, cell = system["coords"][middle], system["cells"][middle]
    for pair in itertools.combinations(TYPE_MAP, 2):
        symbols = _symbols(system, pair)
        carbon, hydrogen = np.flatnonzero(symbols == "C"), np.flatnonzero(symbols == "H")
        if not len(carbon) or not len(hydrogen):
            continue
        bound = np.unique(neighbors.pairs(coords, cell, hydrogen, carbon, _C_H_A).i)
        if len(bound) > 0.9 * len(hydrogen) and loose_atoms(system, 3, exchanged=pair) < 0.02:
            return pair
    return None


def _symbols(system, exchanged: tuple[str, str] | None = None) -> np.ndarray:
    symbols = np.array(system["atom_names"])[system["atom_types"]]
    if not exchanged:
        return symbols
    one, other = exchanged
    return np.select([symbols == one, symbols == other], [other, one], symbols)


def loose_atoms(
    system: dpdata.System,
    n_frames: int = 12,
    transpose: bool = False,
    exchanged: tuple[str, str] | None = None,
) -> float:
    """Share of C and H that miss a bond, in the best of some frames.

    An H needs one bond and a C two (`molecules.bonds`); hot frames have a few that miss one at
    times. A cell that does not belong to the atoms (transposed, in bohr, of another frame) cuts the
    molecules at its faces in every frame.

    Parameters
    ----------
    system : dpdata.System
        The frames.
    n_frames : int
        Number of frames to look at.
    transpose : bool
        Whether to use the transposed cell.
    exchanged : (str, str), optional
        Two elements whose names are exchanged before.

    Returns
    -------
    float
        Smallest share.
    """
    symbols = _symbols(system, exchanged)
    wanted = np.select([symbols == "H", symbols == "C"], [1, 2], 0)
    if not wanted.any():
        return 0.0
    shares = []
    for i in np.unique(np.linspace(0, len(system) - 1, n_frames).round().astype(int)):
        cell = system["cells"][i].T if transpose else system["cells"][i]
        found = molecules.bonds(system["coords"][i], cell, symbols)
        bonds = np.bincount(found.i, minlength=len(symbols))
        shares.append((bonds < wanted).sum() / (wanted > 0).sum())
    return float(min(shares))
