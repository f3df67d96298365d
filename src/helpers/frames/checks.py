"""Checks of labelled frames: whether they are broken, unphysical, copied, or in wrong units.

The labels of one calculation are related by laws (`helpers.frames.laws`), which a wrong unit, sign
or zero violates. A frame that nearly copies another adds no information: in training it costs time,
and in validation it makes the error too small.

Units: A, eV, eV/A; virial in eV in DeePMD-kit's sign, W = -V sigma.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import dpdata
import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from helpers import provenance, structures, units
from helpers.frames import dataset
from helpers.frames import laws as binding
from helpers.frames.dataset import BadFrames, indices
from helpers.frames.summary import closest_distances
from helpers.structures import TYPE_MAP

#: displacement (A) below which two structures are the same but for the digits of a file
SAME = 1e-4

# A pair of atoms closer than this (A) is no frame of ZIF-4, hot or strained: about 70 % of the
# shortest equilibrium distance of the pair (C-H 1.08, N-H 1.01, H-H 0.74, C-C 1.36, C-N 1.33,
# N-N 1.25 A, Zn-N 1.98, Zn-H 1.55, Zn-C 1.95, Zn-Zn 2.5 A; CRC Handbook, bonds of molecules).
MINIMUM_DISTANCES = {
    ("C", "C"): 0.95, ("C", "H"): 0.75, ("C", "N"): 0.93, ("C", "Zn"): 1.35,
    ("H", "H"): 0.50, ("H", "N"): 0.70, ("H", "Zn"): 1.05,
    ("N", "N"): 0.87, ("N", "Zn"): 1.40, ("Zn", "Zn"): 1.75,
}  # fmt: skip


def check(
    system: dpdata.LabeledSystem,
    *,
    stoichiometry: dict[str, int] | str | None = None,
    force_bound: float = 30.0,
    net_force_bound: float = 0.05,
    minimum_distances: dict[tuple[str, str], float] | None = None,
    energy_outlier: float = 8.0,
    pressure_bound: float = 30.0,
    loose_atoms: float = 0.02,
    virial: bool = True,
    laws: bool = False,
    calculator=None,
    sources: Sequence[str] | None = None,
) -> dpdata.LabeledSystem:
    """Refuse frames that are broken or unphysical.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    stoichiometry : dict of str to int, or str, optional
        Number of atoms of each element, or ``any``; by default whole formula units of Zn(C3H3N2)2.
    force_bound : float
        Largest force component, eV/A.
    net_force_bound : float
        Largest magnitude of the sum of forces divided by sqrt(N), eV/A. The sum is zero without an
        external field, except for the grid of a plane-wave code, whose errors add like random
        numbers.
    minimum_distances : dict of (str, str) to float, optional
        Shortest distance of pairs of elements, A, in addition to `MINIMUM_DISTANCES`.
    energy_outlier : float
        Largest distance of an energy from the median, in units of 1.4826 times the median absolute
        deviation (a standard deviation for Gaussian energies), if it also exceeds 0.3 eV/atom.
    pressure_bound : float
        Largest magnitude of a principal stress, GPa; a crystal strained by a tenth has 19.
    loose_atoms : float
        Largest share of C and H that miss a bond in every frame (`laws.loose_atoms`); 1 allows all.
    virial : bool
        Whether virials are required.
    laws : bool
        Whether to test units, signs and zeros by the laws of `helpers.frames.laws`.
    calculator : Calculator, optional
        Calculator of the labels, or a potential similar to it; the virial is compared with its
        `laws.strain_derivative`.
    sources : sequence of str, optional
        Origin of each frame, for messages.

    Returns
    -------
    dpdata.LabeledSystem
        The frames, unchanged.

    Raises
    ------
    BadFrames
        Something is wrong; the message has the indices of the frames and each objection on a line.
    """
    found = [
        text if bad is None else _object(bad, text)
        for text, bad in objections(
            system, stoichiometry, force_bound, net_force_bound, minimum_distances,
            energy_outlier, pressure_bound, loose_atoms, virial, laws, calculator, sources,
        )
    ]  # fmt: skip
    if found:
        raise BadFrames(
            f"{system.short_name}, {len(system)} frames, refused; remove or repair:\n  "
            + "\n  ".join(found)
        )
    return system


def check_set(name: str, **limits) -> dpdata.LabeledSystem:
    """`check` of a set by the limits of its own import (`importing.import_set`), if it has any.

    Parameters
    ----------
    name : str
        Name of the set.
    **limits
        Limits for `check` otherwise.

    Returns
    -------
    dpdata.LabeledSystem
        The frames.

    Raises
    ------
    BadFrames
        As `check`.
    """
    record = provenance.read(dataset.locate(name))
    own = record["recipe"].get("limits", {})
    return check(
        dataset.load(name), virial="virial" not in record.get("lacks", []), **(limits | own)
    )


def objections(
    system,
    stoichiometry=None,
    force_bound=30.0,
    net_force_bound=0.05,
    minimum_distances=None,
    energy_outlier=8.0,
    pressure_bound=30.0,
    loose_atoms=0.02,
    virial=True,
    laws=False,
    calculator=None,
    sources=None,
) -> Iterator[tuple[str, np.ndarray | None]]:
    """Objections to some frames.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    stoichiometry : dict of str to int, or str, optional
        See `check`.
    force_bound : float
        See `check`.
    net_force_bound : float
        See `check`.
    minimum_distances : dict of (str, str) to float, optional
        See `check`.
    energy_outlier : float
        See `check`.
    pressure_bound : float
        See `check`.
    loose_atoms : float
        See `check`.
    virial : bool
        See `check`.
    laws : bool
        See `check`.
    calculator : Calculator, optional
        See `check`.
    sources : sequence of str, optional
        See `check`.

    Yields
    ------
    text : str
        The objection.
    mask : (F,) array of bool, or None
        The frames concerned; None for all of them.

    Raises
    ------
    BadFrames
        An element is outside the type map.
    """
    present = {system["atom_names"][i] for i in np.unique(system["atom_types"])}
    if unknown := sorted(present - set(TYPE_MAP)):
        raise BadFrames(f"element {', '.join(unknown)} is outside the type map {TYPE_MAP}")
    if wrong := _wrong_stoichiometry(system, stoichiometry):
        yield wrong, None
    labels = ("cells", "coords", "energies", "forces", *(("virials",) if virial else ()))
    finite = np.ones(len(system), dtype=bool)
    for label in labels:
        if label not in system.data:
            yield f"no {label}: label the frames with them, or check(virial=False)", None
            continue
        good = np.isfinite(system[label].reshape(len(system), -1)).all(axis=1)
        finite &= good
        yield from _found(~good, f"NaN or infinite {label}")
    if not finite.all():
        return
    volume = np.linalg.det(system["cells"])
    if (np.abs(volume) < 1e-3 * system.get_natoms()).any():
        yield from _found(np.abs(volume) < 1e-3 * system.get_natoms(), "a cell without volume")
        return
    yield from _found(
        volume < 0,
        "a left-handed cell, of which DeePMD-kit computes wrong energies and forces (swap two "
        "vectors of the cell)",
    )
    yield from _placeholders(system)
    yield from _rounded(system)
    largest = np.abs(system["forces"]).max(axis=(1, 2))
    yield from _found(
        largest > force_bound,
        f"a force of {largest.max():.1f} eV/A, above the bound of {force_bound:g} eV/A",
    )
    net = np.linalg.norm(system["forces"].sum(axis=1), axis=1)
    yield from _found(
        net > net_force_bound * np.sqrt(system.get_natoms()),
        f"forces that do not sum to zero but to {net.max():.2f} eV/A (an outer field, frozen or "
        f"missing atoms)",
    )
    if "virials" in system.data:
        tension = np.linalg.eigvalsh(system["virials"] / np.abs(volume)[:, None, None])
        pressure = np.abs(tension).max(axis=1) * units.EV_PER_A3_IN_GPA
        yield from _found(
            pressure > pressure_bound,
            f"a stress of {pressure.max():.0f} GPa, above the bound of {pressure_bound:g} GPa: the "
            f"stress is not in the unit that it was taken for (eV/A^3), or the cell is wrong",
        )
    closest = closest_distances(system)
    for pair, limit in (MINIMUM_DISTANCES | (minimum_distances or {})).items():
        column = "-".join(sorted(pair, key=TYPE_MAP.index))
        if column in closest:
            d = closest[column].to_numpy()
            yield from _found(d < limit, f"{column} at {d.min():.2f} A, closer than {limit:g} A")
    yield from _found(copies(system) >= 0, "the same coordinates as an earlier frame")
    energy = system["energies"] / system.get_natoms()
    distance = np.abs(energy - np.median(energy))
    spread = 1.4826 * np.median(distance)
    yield from _found(
        (distance > energy_outlier * spread) & (distance > 0.3),
        f"an energy {distance.max():.2f} eV/atom from the median",
    )
    if laws:
        yield from _broken_laws(system, closest, loose_atoms, sources)
    if calculator is not None and "virials" in system.data:
        yield from _against(system, calculator)


def _wrong_stoichiometry(system: dpdata.LabeledSystem, wanted) -> str:
    numbers = map(int, system["atom_numbs"])
    counts = {e: n for e, n in zip(system["atom_names"], numbers, strict=True) if n}
    remedy = "check the file, or say stoichiometry='any' (zif4 import --stoichiometry any)"
    if wanted == "any":
        return ""
    if wanted is None:
        zinc = counts.get("Zn", 0)
        wanted = {e: zinc * structures.FORMULA_UNIT[e] for e in TYPE_MAP}
        remedy = f"that is no whole number of Zn(C3H3N2)2; {remedy}"
    if counts and counts == {e: n for e, n in wanted.items() if n}:
        return ""
    return f"wrong number of atoms: {counts}, wanted {wanted}; {remedy}"


def _found(bad: np.ndarray, what: str) -> list[tuple[str, np.ndarray]]:
    return [(what, bad)] if bad.any() else []


def _object(bad: np.ndarray, what: str) -> str:
    return f"{what}: {bad.sum()} of {len(bad)} frames ({indices(np.flatnonzero(bad))})"


def _placeholders(system) -> Iterator[tuple[str, np.ndarray | None]]:
    """Numbers that stand where a label should: zeros, the same for all frames, the trace alone."""
    several = len(system) > 1 and system.get_natoms() > 1
    for label in ("forces", "virials"):
        if label not in system.data:
            continue
        values = system[label].reshape(len(system), -1)
        zero = (values == 0).all(axis=1)
        yield from _found(zero, f"{label} that are exactly zero: they were not computed")
        if several and not zero.any() and (values == values[0]).all():
            yield f"the same {label} in all frames: they were not computed for each", None
    yield from _found(
        _flat_forces(system),
        "forces that have no component along one axis, while the atoms lie at many places along "
        "it: a column was left out",
    )
    energies = system["energies"]
    if len(system) > 2 and (energies == energies[0]).all():
        yield "the same energy in all frames: it was not computed for each", None
    if several and "virials" in system.data:
        virials = system["virials"]
        trace = np.trace(virials, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3
        if (np.abs(virials).max() > 0) and (np.abs(virials - trace) <= 1e-9 * np.abs(trace)).all():
            yield _ONLY_TRACE, None


# what a number is a whole multiple of in every frame if a program cut its digits off
_ROUNDED = {
    "energies": (0.1, "eV", "labels to the nearest 0.001 eV and better are needed"),
    "coords": (0.01, "A", "a bond that is 0.005 A too long pulls by 0.15 eV/A"),
    "forces": (0.1, "eV/A", "0.01 eV/A is what a potential is to learn"),
}


def _rounded(system) -> Iterator[tuple[str, None]]:
    if len(system) < 4 or system.get_natoms() < 10:  # a few numbers may be round by chance
        return
    for label, (step, unit, why) in _ROUNDED.items():
        steps = system[label] / step
        if np.abs(steps).max() > 1 and np.abs(steps - np.round(steps)).max() < 1e-6:
            yield (
                f"{label} that are multiples of {step:g} {unit} in all frames: digits were cut "
                f"off ({why}); write all digits",
                None,
            )


_FEWEST_PLACES = 4  # along an axis; by symmetry a molecule or a layer has one to three


def _flat_forces(system) -> np.ndarray:
    """Frames in which one component of the forces is exactly zero for all atoms."""
    zero = (system["forces"] == 0).all(axis=1)
    flat = np.zeros(len(system), dtype=bool)
    for frame, axis in np.argwhere(zero & ~zero.all(axis=1, keepdims=True)):
        places = np.unique(np.round(system["coords"][frame, :, axis], 1))
        flat[frame] |= len(places) >= _FEWEST_PLACES
    return flat


_ONLY_TRACE = (
    "virials with nothing but their trace: only the pressure was computed (VASP: ISIF = 1); "
    "compute the tensor (ISIF = 2), or import without stress (--no-virial)"
)


def _lost_components(system) -> Iterator[tuple[str, np.ndarray]]:
    """Zeros in single components, where the forces say that there are none."""
    if "virials" not in system.data or not np.isfinite(system["virials"]).all():
        return
    lost = binding.lost_components(system)
    if not lost["all but the trace"].all():  # which is said already
        yield from _found(lost["all but the trace"], _ONLY_TRACE)
    yield from _found(
        lost["shear"],
        "virials without shear, while the forces inside of molecules have some: only the diagonal "
        "of the stress was written; write all six components",
    )


# ---------------------------------------------------------------- laws that bind the labels


_CH_EV_PER_A2 = (20, 55)  # sets shipped here: 29 to 39; a factor of two is out of it
_SLOPE = (0.7, 1.4)  # of the virial, by three errors; sets shipped here: 0.8 to 1.1
_SWING_EV = 0.7  # from which on the virial has to go with the forces; molecules at 300 K have 1
_MOST_SWING_EV = 5.0  # of a virial of cooler ones, mostly the framework's; molecules at 2500 K: 4
_SLOPE_OF_ONE = (0.15, 6.0)  # of a single frame, likewise: 0.3 to 2.4
_SHORTEST_C_H_A = 1.2  # of all in a frame; the shortest C-N is longer


def _broken_laws(
    system, closest: pd.DataFrame, loose_allowed: float, sources: Sequence[str] | None
) -> Iterator[tuple[str, np.ndarray | None]]:
    ch = closest["C-H"].median() if "C-H" in closest else 0.0
    loose = binding.loose_atoms(system)
    if (ch > _SHORTEST_C_H_A or loose > loose_allowed) and (
        pair := binding.exchanged_elements(system)
    ):
        yield (
            f"{' and '.join(pair)} are exchanged, by the bonds of their atoms: the elements are in "
            f"another order than the atoms (POTCAR and POSCAR, type_map.raw and type.raw); name "
            f"them in the order of the atoms",
            None,
        )
        return  # under wrong names nothing else can be told
    if ch > 1.6:
        yield f"no C-H bond, the closest are {ch:.2f} A apart: coordinates are not in A", None
    yield from _cut_molecules(system, loose, loose_allowed)
    forces, virial = [*_other_forces(system, sources)], [*_other_virial(system)]
    mixed = bool(virial) and all(_MIXED in text for text, _ in virial)
    if not forces and (mixed or not virial):
        virial += _turned(system, sources) or [
            (f"{where}: {text}", None)
            for part, where in _parts(system, sources)
            for text, _ in _other_virial(part, _SWING_EV)
            if not mixed or "swings by" in text
        ]
    yield from forces
    if not forces:
        yield from _foreign(system)
    if not forces:  # zeros are told apart by the heat that the forces tell
        yield from _several_zeros(system, sources)
    yield from _unbalanced(system)
    yield from virial
    yield from _lost_components(system)


def _foreign(system) -> Iterator[tuple[str, None]]:
    for element, share in binding.foreign_forces(system).items():
        yield (
            f"forces on {element} that do not go with the places of the atoms ({share:.0%} of "
            f"their squares are left by pairs of atoms, of sound frames below 20 %): they are "
            f"those of other atoms or frames",
            None,
        )


_MIXED = "not all frames have one unit and sign"


def _other_forces(system, sources: Sequence[str] | None) -> Iterator[tuple[str, np.ndarray | None]]:
    """Of single frames where they tell, else of all: a few may have another unit or sign."""
    low, high = _CH_EV_PER_A2
    each, error = binding.ch_stiffness_by_frame(system)
    # a frame alone may be far from harmonic; another unit or sign is a factor of 20, or below zero
    off = (each + 3 * error < low / 2) | (each - 3 * error > 2 * high)
    stiffness = np.median(each[off]) if off.any() else binding.ch_stiffness(system)
    if off.any() or stiffness <= low or stiffness >= high:  # NaN: they do not show it
        some = off.any() and not off.all()
        yield (
            f"C-H bonds of {stiffness:.3g} eV/A^2{_of(sources, off) if some else ''} instead of "
            f"about 30: forces are not in eV/A, or have the other sign",
            off if some else None,
        )


def _turned(system, sources: Sequence[str] | None) -> list[tuple[str, np.ndarray]]:
    slopes = binding.virial_slopes(system)
    low, high = _SLOPE_OF_ONE
    turned, scaled = slopes < 0, (slopes > high) | ((slopes > 0) & (slopes < low))
    usual = np.median(slopes[scaled]) if scaled.any() else 1.0
    return _found(
        turned,
        f"virials{_of(sources, turned)} of the other sign than the forces in the frame give "
        f"(W = -V sigma)",
    ) + _found(
        scaled,
        f"virials{_of(sources, scaled)} that are {usual:.3g} times those that the forces in the "
        f"frame give: in another unit than eV",
    )


_MOST_PARTS, _MOST_FRAMES, _FEWEST = 24, 12, 4


def _parts(
    system: dpdata.LabeledSystem, sources: Sequence[str] | None
) -> Iterator[tuple[dpdata.LabeledSystem, str]]:
    """Frames of one file, or successive ones of it: several calculations may have been joined.

    A convention that not all frames share may be lost in the mean over all of them.
    """
    of = np.array(sources if sources is not None else [""] * len(system))
    ends = [0, *(np.flatnonzero(of[1:] != of[:-1]) + 1).tolist(), len(system)]
    found = []
    for start, end in itertools.pairwise(ends):
        pieces = max(1, min(4, (end - start) // _FEWEST))
        found += [p for p in np.array_split(np.arange(start, end), pieces) if len(p) >= _FEWEST]
    if not found or len(found[0]) == len(system):
        return
    for k in np.unique(np.linspace(0, len(found) - 1, _MOST_PARTS).round().astype(int)):
        frames = found[k]
        name = str(of[frames[0]]) or system.short_name
        where = f"{name}, frames {frames[0]} to {frames[-1]} of the import"
        few = np.unique(np.linspace(0, len(frames) - 1, _MOST_FRAMES).round().astype(int))
        yield system.sub_system(frames[few]), where


def _cut_molecules(system, loose: float, allowed: float) -> Iterator[tuple[str, None]]:
    if loose <= allowed:
        if allowed < 1 and (found := binding.better_cell(system)):
            name, there, here = found
            yield (
                f"Zn has {here:.1f} N around it, {there:.1f} in {name}: the cell of the file is "
                f"not that of the atoms (its vectors as columns, another unit); repair the cell, "
                f"or allow it (--loose-atoms 1)",
                None,
            )
        return
    turned = binding.loose_atoms(system, transpose=True)
    reason = (
        "the transposed cell cuts none: the file has its vectors as columns"
        if turned < loose / 2
        else "the cell is not that of the atoms (another unit, transposed, of another frame)"
    )
    yield (
        f"{loose:.1%} of C and H or more miss a bond in every frame, their molecules are cut by "
        f"the faces of the cell: {reason}; repair the cell, or allow it (--loose-atoms)",
        None,
    )


def _several_zeros(
    system, sources: Sequence[str] | None
) -> Iterator[tuple[str, np.ndarray | None]]:
    group = binding.zeros_of_energy(system, sources)
    if not group.any():
        return
    energy = system["energies"] / system.get_natoms()
    told = []
    for g in range(min(group.max() + 1, 4)):
        mine = group == g
        told.append(f"{mine.sum()} frames{_of(sources, mine)} at {np.median(energy[mine]):.2f}")
    text = (
        f"energies with {group.max() + 1} zeros ({', '.join(told)} eV/atom): frames of different "
        f"codes, functionals, pseudopotentials or units do not belong in one set"
    )
    few = group > 0
    yield (text, few if few.mean() < 0.2 else None)


def _of(sources: Sequence[str] | None, mask: np.ndarray) -> str:
    """The files of some frames, three at the most, where they are known."""
    found = Counter(itertools.compress(sources or (), mask))
    return f" of {', '.join(source for source, _ in found.most_common(3))}" if found else ""


def _unbalanced(system) -> Iterator[tuple[str, None]]:
    meaning = {
        "force": "energies are not in eV, or they and the forces are of different calculations",
        "virial": "the virial has the other sign (W = -V sigma) or is not in eV",
    }
    bounds = {"force": (0.67, 1.5), "virial": (0.2, 5.0)}
    jumps = binding.energy_jumps(system)
    if len(jumps):
        change = np.abs(np.diff(system["energies"]))[jumps].max()
        yield (
            f"between {len(jumps)} pairs of frames that lie close ({indices(jumps)}) the energy "
            f"changes by up to {change:.3g} eV against the work of forces and virial: "
            f"{meaning['force']}",
            None,
        )
    balance = binding.work_balance(system)
    for label, (low, high) in bounds.items():
        if label not in balance.index:
            continue
        row = balance.loc[label]
        if row.slope + 3 * row.error < low or row.slope - 3 * row.error > high:
            yield (
                f"the energy changes by {row.slope:.3g} +- {row.error:.1g} times the work of the "
                f"{label}s between {row.n_pairs:.0f} pairs of frames: {meaning[label]}",
                None,
            )


def _other_virial(system, least_swing: float = 0.0) -> Iterator[tuple[str, None]]:
    """By the forces inside of molecules; fewer frames or a weak correlation tell nothing."""
    found = binding.molecular_virial(system)
    if found.swing < least_swing:
        return
    sure = 0.7 if found.n_frames >= 5 else 0.75
    hot = found.swing > _SWING_EV
    many = found.n_telling >= 6 and hot
    low, high = _SLOPE
    off = found.slope + 3 * found.error < low or found.slope - 3 * found.error > high
    far = not 0.4 < found.slope < 2.5 and (hot or abs(found.slope) * found.swing > _MOST_SWING_EV)
    if abs(found.correlation) > sure and (far or (off and many)):
        yield (
            f"the virial swings by {found.slope:.3g} times that of the forces inside of molecules "
            f"(correlation {found.correlation:.2f}) instead of about 1: it has the other sign "
            f"(W = -V sigma) or is not in eV",
            None,
        )
    elif found.n_frames >= 4 and found.reordered > max(0.7, found.in_place + 0.15):
        yield (
            f"the components of the virial swing with the forces inside of molecules in another "
            f"order (correlation {found.in_place:.2f} in place, {found.reordered:.2f} as "
            f"{' '.join(found.order)}): six numbers in another order than xx yy zz yz xz xy",
            None,
        )
    elif found.misread:
        yield (
            f"the virial goes with the forces inside of molecules only if its six numbers are read "
            f"as {found.misread}: they are in another order than xx yy zz yz xz xy, or the virial "
            f"has the other sign (W = -V sigma)",
            None,
        )
    elif many and found.correlation < 0.4:
        yield (
            f"the virial does not go with the forces inside of molecules (correlation "
            f"{found.correlation:.2f} over {found.n_frames} frames, wanted: about 0.9): it is that "
            f"of other frames, or {_MIXED}",
            None,
        )


def _against(system, calculator) -> Iterator[tuple[str, None]]:
    loudest = int(np.abs(system["virials"]).max(axis=(1, 2)).argmax())
    wanted = binding.strain_derivative(system[loudest].to("ase/structure")[0], calculator)
    slope = float((system["virials"][loudest] * wanted).sum() / (wanted**2).sum())
    if not 0.5 < slope < 2:
        yield (
            f"the virial of frame {loudest} is {slope:.2f} times minus the strain derivative of "
            f"the energy: it has the other sign (W = -V sigma) or is not in eV",
            None,
        )


# ---------------------------------------------------------------- likeness of frames

_NEAREST_A = 0.5  # of two atoms; in H2 it is 0.74


def refuse_other_lengths(system: dpdata.LabeledSystem) -> None:
    """Refuse frames in which likeness has no meaning: no volume, or lengths that are not in A.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.

    Raises
    ------
    BadFrames
        A cell has no volume, or half of the atoms have a neighbour nearer than in any matter.
    """
    flat = np.flatnonzero(np.abs(np.linalg.det(system["cells"])) <= 1e-9)
    if len(flat):
        raise BadFrames(
            f"{system.short_name}: {len(flat)} of {len(system)} frames ({indices(flat)}) have a "
            f"cell without volume; write the periodic cell into the file"
        )
    first = system["coords"][0]
    if len(first) < 2 or not np.isfinite(first).all():
        return
    nearest = float(np.median(KDTree(first).query(first, k=2)[0][:, 1]))
    if nearest < _NEAREST_A:
        raise BadFrames(
            f"{system.short_name}: half of the atoms of frame 0 have another one within "
            f"{nearest:.2g} A: positions are not in A (nm? fractional?); convert them, and the "
            f"cell if it is in the same unit"
        )


def displacement(
    system: dpdata.LabeledSystem,
    i: int,
    others: np.ndarray,
    *,
    atoms: np.ndarray | slice = slice(None),
    fractional: np.ndarray | None = None,
) -> np.ndarray:
    r"""Root-mean-square displacement per atom between one frame and others.

    .. math:: d = \sqrt{\sum_k |d_k - \langle d \rangle|^2 / N}

    where d_k is the minimum-image difference of the fractional coordinates of atom k, times the
    mean of both cells: a common shift, and a strain that the atoms follow, do not count. Like atoms
    that exchanged their places do.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    i : int
        The frame.
    others : array of int
        The other frames.
    atoms : slice or array of int
        Atoms to sum over, still divided by N, which gives a lower bound.
    fractional : (F, N, 3) array, optional
        Fractional coordinates, if known.

    Returns
    -------
    array
        Displacements, A.
    """
    fractional = binding.fractional(system) if fractional is None else fractional
    step = fractional[others][:, atoms] - fractional[i][atoms]
    step -= step[:, :1]
    step -= np.round(step)
    step = step @ ((system["cells"][others] + system["cells"][i]) / 2)
    step -= step.mean(axis=1, keepdims=True)
    return np.sqrt((step**2).sum(axis=(1, 2)) / system.get_natoms())


def copies(system: dpdata.LabeledSystem, within: float = SAME) -> np.ndarray:
    """For each frame the earlier frame of which it is a copy.

    A copy has a `displacement` below ``within`` and no component of a cell vector that differs by
    more. Frames that are copies themselves are not compared with.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    within : float
        Largest displacement of a copy, A.

    Returns
    -------
    (F,) array of int
        Index of that frame; -1 if there is none.
    """
    fractional, cells = binding.fractional(system), system["cells"]
    few = np.linspace(0, system.get_natoms() - 1, min(16, system.get_natoms())).astype(int)
    result = np.full(len(system), -1)
    kept = np.empty(len(system), dtype=int)
    n = 0
    for i in range(len(system)):
        near = kept[:n][np.abs(cells[kept[:n]] - cells[i]).max(axis=(1, 2)) < within]
        for atoms in (few, slice(None)):  # a few atoms rule out nearly all frames
            if len(near):
                d = displacement(system, i, near, atoms=atoms, fractional=fractional)
                near = near[d < within]
        if len(near):
            result[i] = near[0]
        else:
            kept[n] = i
            n += 1
    return result


def nearest_training(system: dpdata.LabeledSystem, validation: np.ndarray) -> np.ndarray:
    """Distance of each validation frame to the most similar training frame.

    A validation frame closer than atoms move between two frames of the run was practically part of
    the training data.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames.
    validation : (F,) array of bool
        Mask of the validation frames.

    Returns
    -------
    array
        `displacement`, A.
    """
    training = np.flatnonzero(~validation)
    fractional = binding.fractional(system)
    return np.array([
        displacement(system, i, training, fractional=fractional).min()
        for i in np.flatnonzero(validation)
    ])  # fmt: skip
