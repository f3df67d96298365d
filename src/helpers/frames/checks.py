"""Whether labelled frames can be believed: broken, unphysical, copied, or of the wrong units.

Labels of one calculation are bound to each other by laws (the work of the forces is a difference
of energies, the virial a strain derivative, a C-H bond is as stiff as it is), which a wrong unit
or sign breaks. A frame that is a near-copy of another says nothing new: in training it costs time,
in validation it flatters.

Units: A, eV, eV/A; virial in eV in DeePMD-kit's sign, W = -V sigma.
"""

from __future__ import annotations

from collections.abc import Iterator

import dpdata
import numpy as np
import pandas as pd

from helpers import provenance, structures
from helpers.frames import dataset
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
    virial: bool = True,
    laws: bool = False,
    calculator=None,
) -> dpdata.LabeledSystem:
    """Refuse frames that are broken or not physical; returns the system if it is sound.

    stoichiometry: wanted atoms per element, or ``any``; default: whole formula units of
    Zn(C3H3N2)2. force_bound: largest allowed force component in eV/A. net_force_bound: largest
    allowed |sum of forces| / sqrt(N) in eV/A (zero without an outer field, but for the grid of a
    plane-wave code, whose errors add up like random numbers). minimum_distances: A per pair,
    added to :data:`MINIMUM_DISTANCES`. energy_outlier: largest |E - median| in units of 1.4826
    times the median absolute deviation (a standard deviation for Gaussian energies), where it also
    exceeds 0.3 eV/atom. virial: whether virials must be there. laws: test units and the virial's
    sign by what binds the labels to each other (:func:`work_balance`, :func:`ch_stiffness`).
    calculator: an ASE calculator, the one of the labels or a potential like it; the virial is held
    to its :func:`strain_derivative`.

    Raises
    ------
    BadFrames
        with the frames' indices and every objection, one a line.
    """
    found = [
        text if bad is None else _object(bad, text)
        for text, bad in objections(
            system, stoichiometry, force_bound, net_force_bound, minimum_distances,
            energy_outlier, virial, laws, calculator,
        )
    ]  # fmt: skip
    if found:
        raise BadFrames(
            f"{system.short_name}, {len(system)} frames, refused; remove or repair:\n  "
            + "\n  ".join(found)
        )
    return system


def check_set(name: str, **limits) -> dpdata.LabeledSystem:
    """`check` of a set by the limits that its own import had (`importing.import_set`), else these.

    Raises
    ------
    BadFrames
        see `check`.
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
    virial=True,
    laws=False,
    calculator=None,
) -> Iterator[tuple[str, np.ndarray | None]]:
    """What speaks against a system, and the mask of the frames concerned (None: the whole set).

    Arguments: those of :func:`check`.
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
        yield from _broken_laws(system, closest)
    if calculator is not None and "virials" in system.data:
        yield from _against(system, calculator)


def _wrong_stoichiometry(system: dpdata.LabeledSystem, wanted) -> str:
    counts = {e: n for e, n in zip(system["atom_names"], system["atom_numbs"], strict=True) if n}
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


# ---------------------------------------------------------------- laws that bind the labels


def work_balance(system: dpdata.LabeledSystem, reach: float = 0.3) -> pd.DataFrame:
    r"""How well energies, forces and virials of consecutive frames belong together.

    Between two frames that are a small step apart the energy changes by the work of both labels,

    .. math:: \Delta E = -a \sum_i \overline{F_i \cdot \Delta r_i} - b\, \overline{W : \varepsilon},

    with means over the two frames, Delta r what atoms move against the cell and epsilon the cell's
    strain. Exact for a quadratic energy. ``a`` = ``b`` = 1 if the
    labels share their units and the virial its sign; a virial of the other sign gives ``b`` near
    -1, energies in hartree ``a`` = 1/27.2.

    Pairs of consecutive frames less than ``reach`` (A, root mean square over atoms) apart enter;
    ``b`` only where five of them or more differ in their cells by over 1e-4 and the virial does a
    fifth of the work at least: what heating adds to the energy would drown less. Rows ``force`` and
    ``virial``, columns ``slope``, ``error`` (standard error), ``n_pairs``.
    """
    cells, energy = system["cells"], system["energies"]
    step = np.diff(_fractional(system), axis=0)
    step -= np.round(step)
    growth = np.diff(cells, axis=0)
    ends = (slice(None, -1), slice(1, None))
    moved = [step @ cells[end] for end in ends]
    strain = [np.linalg.solve(cells[end], growth) for end in ends]
    near = np.sqrt((moved[0] ** 2).sum(axis=2).mean(axis=1)) < reach
    strained = near & (np.abs(strain[0]).max(axis=(1, 2)) > 1e-4)

    def mean_work(label, change):
        at_ends = zip(ends, change, strict=True)
        return -sum((system[label][end] * c).sum(axis=(1, 2)) for end, c in at_ends) / 2

    work = {"force": mean_work("forces", moved)}
    if "virials" in system.data and strained.sum() >= 5:
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
    """Force constant (eV/A^2) of C-H bonds as the frames show it; NaN where they show none.

    Minus the slope of the force on H along its bond against the bond's length, over all H within
    1.3 A of a C. A C-H oscillator of 3100 1/cm has 4 pi^2 c^2 nu^2 mu = 33 eV/A^2, which no
    composition or temperature changes by more than a factor of two; forces in another unit do.
    """
    from ase.geometry import find_mic

    carbon, hydrogen = (np.flatnonzero(system["atom_types"] == TYPE_MAP.index(e)) for e in "CH")
    if not len(carbon) or not len(hydrogen):
        return float("nan")
    lengths, pulls = [], []
    for cell, coords, forces in zip(
        system["cells"], system["coords"], system["forces"], strict=True
    ):
        pairs = (coords[hydrogen][:, None] - coords[carbon][None]).reshape(-1, 3)
        vectors, d = find_mic(pairs, cell)
        d = d.reshape(len(hydrogen), len(carbon))
        mine = d.argmin(axis=1)
        rows = np.arange(len(hydrogen))
        bonded = d[rows, mine] < 1.3
        unit = vectors.reshape(*d.shape, 3)[rows, mine] / d[rows, mine][:, None]
        lengths.append(d[rows, mine][bonded])
        pulls.append((forces[hydrogen] * unit).sum(axis=1)[bonded])
    lengths, pulls = np.concatenate(lengths), np.concatenate(pulls)
    if len(lengths) < 10 or lengths.std() < 0.005:
        return float("nan")
    return float(-np.polyfit(lengths, pulls, 1)[0])


def strain_derivative(atoms, calculator, strain: float = 1e-3) -> np.ndarray:
    r"""Virial (3, 3) in eV by finite strain, without any stress of the calculator.

    :math:`W_{ab} = -\partial E / \partial \varepsilon_{ab}` by central differences of the energy
    under homogeneous strain of the cell with its atoms, symmetrised.
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


def _broken_laws(system, closest: pd.DataFrame) -> Iterator[tuple[str, None]]:
    if "C-H" in closest and (d := closest["C-H"].median()) > 1.6:
        yield f"no C-H bond, the closest are {d:.2f} A apart: coordinates are not in A", None
    stiffness = ch_stiffness(system)
    if not np.isnan(stiffness) and not 8 < stiffness < 80:
        yield (f"C-H bonds of {stiffness:.3g} eV/A^2 instead of about 30: forces are not in eV/A",
               None)  # fmt: skip
    meaning = {
        "force": "energies are not in eV, or they and the forces are of different calculations",
        "virial": "the virial has the other sign (W = -V sigma) or is not in eV",
    }
    bounds = {"force": (0.67, 1.5), "virial": (0.2, 5.0)}
    for label, row in work_balance(system).iterrows():
        low, high = bounds[label]
        if row.slope + 3 * row.error < low or row.slope - 3 * row.error > high:
            yield (
                f"the energy changes by {row.slope:.3g} +- {row.error:.1g} times the work of the "
                f"{label}s between {row.n_pairs:.0f} pairs of frames: {meaning[label]}",
                None,
            )


def _against(system, calculator) -> Iterator[tuple[str, None]]:
    loudest = int(np.abs(system["virials"]).max(axis=(1, 2)).argmax())
    wanted = strain_derivative(system[loudest].to("ase/structure")[0], calculator)
    slope = float((system["virials"][loudest] * wanted).sum() / (wanted**2).sum())
    if not 0.5 < slope < 2:
        yield (
            f"the virial of frame {loudest} is {slope:.2f} times minus the strain derivative of "
            f"the energy: it has the other sign (W = -V sigma) or is not in eV",
            None,
        )


# ---------------------------------------------------------------- likeness of frames


def _fractional(system: dpdata.LabeledSystem) -> np.ndarray:
    return system["coords"] @ np.linalg.inv(system["cells"])


def displacement(
    system: dpdata.LabeledSystem,
    i: int,
    others: np.ndarray,
    *,
    atoms: np.ndarray | slice = slice(None),
    fractional: np.ndarray | None = None,
) -> np.ndarray:
    """Root mean square displacement (A) per atom between frame ``i`` and each of ``others``.

    sqrt(sum_k |d_k - <d>|^2 / N), d_k the minimum-image difference of fractional coordinates of
    atom k times the mean of both cells: a common shift, and a strain that atoms follow, do not
    count. Like atoms that changed places do. atoms: sums over these only, still over N, which
    bounds the whole from below.
    """
    fractional = _fractional(system) if fractional is None else fractional
    step = fractional[others][:, atoms] - fractional[i][atoms]
    step -= step[:, :1]
    step -= np.round(step)
    step = step @ ((system["cells"][others] + system["cells"][i]) / 2)
    step -= step.mean(axis=1, keepdims=True)
    return np.sqrt((step**2).sum(axis=(1, 2)) / system.get_natoms())


def copies(system: dpdata.LabeledSystem, within: float = SAME) -> np.ndarray:
    """For each frame the index of the earlier frame that it is a copy of, or -1, shape (n_frames,).

    A copy: :func:`displacement` below ``within`` (A) and no component of a cell vector further
    off than that. Frames that are copies themselves are not compared with.
    """
    fractional, cells = _fractional(system), system["cells"]
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
    """Distance (A) of each validation frame to the training frame that is most like it.

    The measure is that of :func:`displacement`. A validation frame that is nearer than atoms move
    between two frames of the run was as good as trained on.
    """
    training = np.flatnonzero(~validation)
    fractional = _fractional(system)
    return np.array([
        displacement(system, i, training, fractional=fractional).min()
        for i in np.flatnonzero(validation)
    ])  # fmt: skip
