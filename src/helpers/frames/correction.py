"""What DFT adds to the reference: an energy of the volume, and the pressure that belongs to it.

The reference was fitted without stress: against CP2K its error in energy is, within a framework,
a smooth function of the volume, and its error in pressure is the slope of that. So

    E_DFT - E_ref = N D(v),   v = V / N,   D(v) = c0 + c1 (v - v0) + c2 (v - v0)^2 / 2 + ...
    sigma_DFT - sigma_ref = D'(v) 1,   p_DFT - p_ref = -D'(v),   W_DFT - W_ref = -V D'(v) 1,

forces unchanged: with energy and virial corrected by one function, stress stays the derivative of
the energy.

The estimator, decided on 2026-11-26, before any frame of ``data/dft.yaml`` was labelled:

- One law a framework (ZIF-4 with its melts and glasses, 272 atoms; Znim2-ABW, 68; Znim2-SOD, 102).
  Energies and pressures of all its CP2K frames are fitted together by least squares, with weights
  1 / (0.3 meV/atom) and 1 / (0.01 GPa), the scatter that the frames of ``data/dft`` had before.
- Degree 1, 2 or 3: each frame is left out once and predicted by the fit to the others; the lowest
  degree counts whose error (root mean square, energy over 0.5 meV/atom and pressure over 0.02 GPa,
  the goal) is at most 5 % above that of the best.
- The residuals of the frames left out are what is said of the law's error; they are shown against
  temperature, coordination and phase. It is a law of the volume alone if no phase's mean residual
  is beyond 0.5 meV/atom or 0.02 GPa.
- Frames that are labelled after a law was fitted do not enter it: the potentials keep the law that
  they were trained on, and the new frames judge it (`residuals`), which leaving out cannot do: they
  were seen by nobody when the form of the law was chosen. ``zif4 correction --refit`` fits a law to
  all frames; potentials trained on it are others.
- A pair law for all frameworks at once (`helpers.frames.pair_law`) takes its place if, on ZIF-4's
  frames left out in the same way, it is at least a tenth better in energy and no worse in
  pressure, and if it also predicts whole phases and frameworks that were left out of its fit.

Units: A^3/atom, meV/atom, GPa in the tables; eV, eV/A^3 in the frames.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import dpdata
import numpy as np
import pandas as pd
import yaml
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import ArrayLike

from helpers import paths, provenance, structures, units, yaml_file
from helpers.errors import NotThere, Unfit
from helpers.frames import cp2k, dataset, dft_list, reference
from helpers.observables import coordination

#: framework -> number of atoms of its cells; same elements in the same numbers, other energies
FRAMEWORKS = {"ZIF-4": 272, "Znim2-ABW": 68, "Znim2-SOD": 102}
ENERGY_SCATTER, PRESSURE_SCATTER = 0.3, 0.01  # meV/atom, GPa: weights of the fit
ENERGY_GOAL, PRESSURE_GOAL = 0.5, 0.02  # meV/atom, GPa: what frames left out are judged by
DEGREES = (1, 2, 3)
# A^3/atom beyond the range of the fit: said; farther: refused. 1.4 below it, CP2K's frame of the
# closed crystal (zif4_closed) has 0.75 meV/atom and 0.018 GPa less than the law of ZIF-4.
MARGIN = 1.75

_GPA_PER_MEV_A3 = 1e-3 * units.EV_PER_A3_IN_GPA


@dataclass(frozen=True)
class Law:
    r"""What DFT adds to the reference in one framework.

    .. math:: D(v) = \sum_k c_k (v - v_0)^k / k!

    Attributes
    ----------
    n_atoms : int
        Number of atoms of the framework's cells.
    centre : float
        v_0, A^3/atom.
    coefficients : tuple of float
        c_k, meV/atom per (A^3/atom)^k.
    volumes : (float, float)
        Smallest and largest volume of the fit, A^3/atom.
    """

    n_atoms: int
    centre: float
    coefficients: tuple[float, ...]
    volumes: tuple[float, float]

    def energy(self, volume: ArrayLike) -> np.ndarray:
        """Energy of DFT minus that of the reference, D(v).

        Parameters
        ----------
        volume : float or (F,) array
            Volumes, A^3/atom.

        Returns
        -------
        (F,) array
            D, meV/atom.
        """
        return _rows(volume, self.centre, len(self.coefficients) - 1) @ self.coefficients

    def slope(self, volume: ArrayLike) -> np.ndarray:
        """Derivative of `energy` with respect to the volume, D'(v).

        Parameters
        ----------
        volume : float or (F,) array
            Volumes, A^3/atom.

        Returns
        -------
        (F,) array
            D', meV/A^3.
        """
        return _slopes(volume, self.centre, len(self.coefficients) - 1) @ self.coefficients

    def pressure(self, volume: ArrayLike) -> np.ndarray:
        """Pressure of DFT minus that of the reference, -D'(v).

        Parameters
        ----------
        volume : float or (F,) array
            Volumes, A^3/atom.

        Returns
        -------
        (F,) array
            Pressure, GPa.
        """
        return -_GPA_PER_MEV_A3 * self.slope(volume)


def _rows(volume, centre: float, degree: int) -> np.ndarray:
    """(F, degree + 1): (v - centre)^k / k!."""
    x = np.atleast_1d(volume) - centre
    return np.stack([x**k / math.factorial(k) for k in range(degree + 1)], axis=1)


def _slopes(volume, centre: float, degree: int) -> np.ndarray:
    """(F, degree + 1): the derivatives of `_rows` by the volume."""
    rows = _rows(volume, centre, degree)
    return np.concatenate([np.zeros((len(rows), 1)), rows[:, :-1]], axis=1)


# ---------------------------------------------------------------- the fit


def differences(framework: str, images: Sequence[Atoms] | None = None) -> pd.DataFrame:
    """CP2K minus reference on the CP2K frames of a framework.

    Parameters
    ----------
    framework : str
        Name of the framework.
    images : sequence of ase.Atoms, optional
        Frames as `cp2k.read` gives them; by default all of the framework.

    Returns
    -------
    DataFrame
        A row for each frame. Columns: name, phase, temperature_K (NaN where unknown),
        volume_A3_per_atom, coordination (mean number of N within 2.5 A of a Zn),
        energy_meV_per_atom, pressure_GPa = -tr(sigma)/3, deviatoric_GPa (root mean square of the
        components of the stress without its pressure), force_eV_per_A (root mean square of the
        components).

    Raises
    ------
    NotThere
        As `cp2k.read`.
    """
    known = dft_list.listed().get(framework, {})
    rows = []
    for atoms in images or cp2k.read(framework):
        stress = voigt_6_to_full_3x3_stress(atoms.get_stress() - atoms.info["reference_stress"])
        stress *= units.EV_PER_A3_IN_GPA
        pressure = -np.trace(stress) / 3
        energy = atoms.get_potential_energy() - atoms.info["reference_energy"]
        listed = known.get(atoms.info["name"])
        rows.append({
            "name": atoms.info["name"],
            "phase": atoms.info.get("phase", listed.phase if listed else "crystal"),
            "temperature_K": atoms.info.get(
                "temperature_K", listed.temperature_K if listed else None),
            "volume_A3_per_atom": atoms.get_volume() / len(atoms),
            "coordination": coordination.coordination_number(
                [atoms.positions], [atoms.cell.array], atoms.symbols).mean(),
            "energy_meV_per_atom": 1e3 * energy / len(atoms),
            "pressure_GPa": pressure,
            "deviatoric_GPa": np.sqrt(np.mean((stress + pressure * np.eye(3)) ** 2)),
            "force_eV_per_A": np.sqrt(
                np.mean((atoms.get_forces() - atoms.arrays["reference_forces"]) ** 2)),
        })  # fmt: skip
    return pd.DataFrame(rows).astype({"temperature_K": float})


def fit(table: pd.DataFrame, degree: int, n_atoms: int) -> Law:
    """Fit a law to differences, energies and pressures together, by weighted least squares.

    Parameters
    ----------
    table : DataFrame
        Result of `differences`.
    degree : int
        Degree of the polynomial.
    n_atoms : int
        Number of atoms of the framework's cells, kept in the law.

    Returns
    -------
    Law
        The law.

    Raises
    ------
    Unfit
        There are fewer frames than the degree needs.
    """
    volume = table["volume_A3_per_atom"].to_numpy()
    if len(table) <= degree:
        raise Unfit(f"{len(table)} frames cannot fit a law of degree {degree}; label more of them")
    centre = round(float(volume.mean()), 1)
    rows = np.concatenate([
        _rows(volume, centre, degree) / ENERGY_SCATTER,
        -_GPA_PER_MEV_A3 * _slopes(volume, centre, degree) / PRESSURE_SCATTER,
    ])  # fmt: skip
    wanted = np.concatenate([
        table["energy_meV_per_atom"] / ENERGY_SCATTER, table["pressure_GPa"] / PRESSURE_SCATTER
    ])  # fmt: skip
    coefficients = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    ends = math.floor(100 * volume.min()) / 100, math.ceil(100 * volume.max()) / 100
    return Law(n_atoms, centre, tuple(map(float, coefficients)), ends)


def left_out(table: pd.DataFrame, degree: int) -> pd.DataFrame:
    """Distance of each frame from a law fitted to the others.

    Parameters
    ----------
    table : DataFrame
        Result of `differences`.
    degree : int
        Degree of the law.

    Returns
    -------
    DataFrame
        The table with further columns energy_off_meV_per_atom, pressure_off_GPa: frame minus law.

    Raises
    ------
    Unfit
        As `fit`.
    """
    off = []
    for i in range(len(table)):
        law = fit(table.drop(index=table.index[i]), degree, n_atoms=0)
        volume = table["volume_A3_per_atom"].iloc[i]
        off.append((table["energy_meV_per_atom"].iloc[i] - law.energy(volume)[0],
                    table["pressure_GPa"].iloc[i] - law.pressure(volume)[0]))  # fmt: skip
    return table.assign(
        **dict(zip(("energy_off_meV_per_atom", "pressure_off_GPa"), np.transpose(off), strict=True))
    )


def score(off: pd.DataFrame) -> dict[str, float]:
    """Root-mean-square errors of frames left out.

    Parameters
    ----------
    off : DataFrame
        Result of `left_out`.

    Returns
    -------
    dict of str to float
        ``energy_meV_per_atom``, ``pressure_GPa``, and ``over_goals``: both in units of their goals,
        added in quadrature.
    """
    energy = float(np.sqrt(np.mean(off["energy_off_meV_per_atom"] ** 2)))
    pressure = float(np.sqrt(np.mean(off["pressure_off_GPa"] ** 2)))
    return {
        "energy_meV_per_atom": energy,
        "pressure_GPa": pressure,
        "over_goals": math.hypot(energy / ENERGY_GOAL, pressure / PRESSURE_GOAL),
    }


def choose(table: pd.DataFrame) -> tuple[int, dict[int, dict]]:
    """The degree that the rule at the top of this module takes.

    Parameters
    ----------
    table : DataFrame
        Result of `differences`.

    Returns
    -------
    degree : int
        The degree.
    scores : dict of int to dict
        `score` of each degree that the number of frames allows.
    """
    scores = {d: score(left_out(table, d)) for d in DEGREES if d < len(table) - 1}
    best = min(s["over_goals"] for s in scores.values())
    return min(d for d, s in scores.items() if s["over_goals"] <= 1.05 * best), scores


def by_phase(off: pd.DataFrame) -> pd.DataFrame:
    """Means of the errors of `left_out` over the frames of each phase.

    Parameters
    ----------
    off : DataFrame
        Result of `left_out`.

    Returns
    -------
    DataFrame
        A row for each phase; ``beyond`` says whether a mean exceeds a goal.
    """
    table = off.groupby("phase").agg(
        frames=("name", "size"), energy_off_meV_per_atom=("energy_off_meV_per_atom", "mean"),
        pressure_off_GPa=("pressure_off_GPa", "mean"),
    )  # fmt: skip
    beyond = (table["energy_off_meV_per_atom"].abs() > ENERGY_GOAL) | (
        table["pressure_off_GPa"].abs() > PRESSURE_GOAL
    )
    return table.assign(beyond=beyond).reset_index()


def residuals(framework: str, file: Path | None = None) -> pd.DataFrame:
    """What each CP2K frame of a framework lies off the law, which did not know the frame.

    A frame of the fit is left out of it once; one that was labelled since judges the law itself.

    Parameters
    ----------
    framework : str
        Name of the framework.
    file : Path, optional
        Where the law is; by default ``data/correction.yaml``.

    Returns
    -------
    DataFrame
        Columns of `differences`, and energy_off_meV_per_atom, pressure_off_GPa: frame minus law;
        ``since``: whether the frame was labelled after the law was fitted.
    """
    file = file or paths.CORRECTION
    law, table = laws(file)[framework], differences(framework)
    fitted = table["name"].isin(_entries(file)[framework]["frames"])
    off = left_out(table[fitted], len(law.coefficients) - 1).assign(since=False)
    later = table[~fitted]
    volume = later["volume_A3_per_atom"].to_numpy()
    later = later.assign(
        energy_off_meV_per_atom=later["energy_meV_per_atom"] - law.energy(volume),
        pressure_off_GPa=later["pressure_GPa"] - law.pressure(volume),
        since=True,
    )
    return pd.concat([off, later], ignore_index=True) if len(later) else off


def make(file: Path | None = None, *, refit: bool = False) -> Path:
    """Fit the law of every framework that has CP2K frames, and write ``data/correction.yaml``.

    Parameters
    ----------
    file : Path, optional
        Where the laws are, or will be; by default ``data/correction.yaml``.
    refit : bool
        Fit to all frames. By default a law that is there is fitted to the frames that it names, so
        that it stays as it is.

    Returns
    -------
    Path
        The file.
    """
    file = file or paths.CORRECTION
    known = {} if refit or not file.is_file() else _entries(file)
    entries = {}
    for framework, n_atoms in FRAMEWORKS.items():
        if framework not in cp2k.systems():
            continue
        table = differences(framework)
        if framework in known:
            table = table[table["name"].isin(known[framework]["frames"])].reset_index(drop=True)
        degree, scores = choose(table)
        off = left_out(table, degree)
        entries[framework] = _plain(asdict(fit(table, degree, n_atoms))) | {
            "frames": sorted(table["name"]),
            "left_out": _plain({
                "degrees": scores,
                "phases": by_phase(off).set_index("phase").to_dict(orient="index"),
            }),
        }  # fmt: skip
    return provenance.write_text(
        file,
        "# What CP2K adds to the reference in each framework, a law of the volume; written by\n"
        "# `zif4 correction` from the frames of data/dft that it names (helpers.frames.correction\n"
        "# says how, and how it is judged). Units: A^3/atom, meV/atom, GPa.\n"
        + yaml.safe_dump(entries, sort_keys=False, default_flow_style=None, width=100),
    )


def _entries(file: Path) -> dict:
    return yaml_file.read(file, numbered=True).content


def _plain(value):
    """Numbers of plain Python, to six digits: the law that is written is the one that is used."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return float(f"{value:.6g}") if isinstance(value, float) else int(value)


# ---------------------------------------------------------------- the law in use


def laws(file: Path | None = None) -> dict[str, Law]:
    """The fitted laws.

    Parameters
    ----------
    file : Path, optional
        File of the laws; by default ``data/correction.yaml``.

    Returns
    -------
    dict of str to Law
        Framework -> law.

    Raises
    ------
    NotThere
        There is no such file; the message says how it is made.
    Unfit
        The file is no YAML, or an entry is no law.
    """
    file = Path(file or paths.CORRECTION)
    if not file.is_file():
        raise NotThere(
            f"{paths.relative(file)} does not exist; zif4 correction makes it from the "
            f"frames of data/dft"
        )
    found = {}
    for framework, entry in (yaml_file.read(file, numbered=True).content or {}).items():
        try:
            found[framework] = Law(
                entry["n_atoms"], entry["centre"], tuple(entry["coefficients"]),
                tuple(entry["volumes"]),
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise Unfit(
                f"{paths.relative(file)}, {framework}: {error}; make it again by zif4 correction"
            ) from error
    return found


def key(chosen: dict[str, Law]) -> str:
    """Name of laws in a recipe.

    Parameters
    ----------
    chosen : dict of str to Law
        Framework -> law.

    Returns
    -------
    str
        Hash of their numbers, as of every recipe.
    """
    return provenance.key({name: asdict(law) for name, law in chosen.items()})


def corrected(
    system: dpdata.LabeledSystem, chosen: dict[str, Law], source: str = "these frames"
) -> dpdata.LabeledSystem:
    """Labelled frames with the energies and virials of DFT: E + N D(v) and W - V D'(v) 1.

    Parameters
    ----------
    system : dpdata.LabeledSystem
        The frames with the labels of the reference; they are not changed.
    chosen : dict of str to Law
        Framework -> law; the one with the frames' number of atoms is taken.
    source : str
        Origin of the frames, for messages.

    Returns
    -------
    dpdata.LabeledSystem
        A copy; forces as they were.

    Raises
    ------
    BadFrames
        The frames have another composition than Zn(C3H3N2)2, no framework has their number of
        atoms, or volumes are farther than :data:`MARGIN` from those of the fit. Nearer ones are
        extrapolated, with a warning.
    """
    elements = np.array(system["atom_names"])[system["atom_types"]]
    law = _law_of(_counts(elements), chosen, source)
    n_atoms = system.get_natoms()
    volume = np.abs(np.linalg.det(system["cells"])) / n_atoms
    _look_at_volumes(volume, law, source)
    result = system.copy()
    result.data["energies"] = system["energies"] + 1e-3 * n_atoms * law.energy(volume)
    if "virials" in system.data:
        added = -1e-3 * n_atoms * volume * law.slope(volume)
        result.data["virials"] = system["virials"] + added[:, None, None] * np.eye(3)
    return result


def _look_at_volumes(volume: np.ndarray, law: Law, source: str) -> None:
    """Say that volumes lie beyond those of the fit, or refuse them."""
    low, high = law.volumes
    outside = (volume < low) | (volume > high)
    if not outside.any():
        return
    said = (
        f"{source}: {outside.sum()} of {len(volume)} frames have volumes of "
        f"{volume.min():.2f} to {volume.max():.2f} A^3/atom, the correction was fitted "
        f"from {low:.2f} to {high:.2f}"
    )
    if max(low - volume.min(), volume.max() - high) > MARGIN:
        raise dataset.BadFrames(
            f"{said}: too far; label frames there by CP2K (data/dft.yaml) "
            f"and fit it again, or leave these out"
        )
    warnings.warn(f"{said}: it is extrapolated", stacklevel=3)


def corrected_images(
    images: Sequence[Atoms], chosen: dict[str, Law], source: str = "these frames"
) -> list[Atoms]:
    """`corrected` for labelled ASE structures.

    What was relaxed, strained or kept with the reference's labels (elastic constants, E(V)) needs
    no label anew.

    Parameters
    ----------
    images : sequence of ase.Atoms
        Structures with energy, forces and stress of the reference; they are not changed.
    chosen : dict of str to Law
        As for `corrected`.
    source : str
        As for `corrected`.

    Returns
    -------
    list of ase.Atoms
        Copies with corrected energy (eV) and stress (eV/A^3), forces as they were.

    Raises
    ------
    BadFrames
        As `corrected`.
    """
    found = []
    for atoms in images:
        law = _law_of(_counts(atoms.symbols), chosen, source)
        volume = np.array([atoms.get_volume() / len(atoms)])
        _look_at_volumes(volume, law, source)
        stress = atoms.get_stress()
        stress[:3] += 1e-3 * law.slope(volume)[0]
        energy = atoms.get_potential_energy() + 1e-3 * len(atoms) * law.energy(volume)[0]
        better = atoms.copy()
        better.calc = SinglePointCalculator(
            better, energy=energy, forces=atoms.get_forces(), stress=stress
        )
        found.append(better)
    return found


def _counts(symbols: Sequence[str]) -> dict[str, int]:
    return {element: int(n) for element, n in zip(*np.unique(symbols, return_counts=True),
                                                  strict=True)}  # fmt: skip


def _law_of(counts: dict[str, int], chosen: dict[str, Law], source: str) -> Law:
    n_atoms = sum(counts.values())
    zn = counts.get("Zn", 0)
    unit = structures.FORMULA_UNIT
    if not zn or counts != {k: zn * n for k, n in unit.items()}:
        raise dataset.BadFrames(
            f"{source} are not Zn(C3H3N2)2, for which alone the reference was "
            f"corrected; leave them out, or label them by DFT itself"
        )
    for law in chosen.values():
        if law.n_atoms == n_atoms:
            return law
    raise dataset.BadFrames(
        f"{source} have {n_atoms} atoms a cell, and no correction is of such cells (there are: "
        + ", ".join(f"{name} {law.n_atoms}" for name, law in chosen.items())
        + "); label some of them by CP2K (data/dft.yaml) and fit one"
    )


def load(
    name: str, part: str | None = None, chosen: dict[str, Law] | None = None
) -> dpdata.LabeledSystem:
    """A set as `dataset.load` gives it, corrected if its labels are those of the reference.

    Parameters
    ----------
    name : str
        Name of the set.
    part : str, optional
        ``training`` or ``validation``; by default both, in this order.
    chosen : dict of str to Law, optional
        Framework -> law; by default nothing is corrected.

    Returns
    -------
    dpdata.LabeledSystem
        The frames.

    Raises
    ------
    NotThere
        As `dataset.load`.
    BadFrames
        As `dataset.load` and `corrected`.
    """
    system = dataset.load(name, part)
    if not chosen or provenance.read(dataset.locate(name)).get("source") != reference.SOURCE:
        return system
    return corrected(system, chosen, f"the frames of {name}")


def write(name: str, chosen: dict[str, Law], directory: Path) -> None:
    """Write a corrected copy of a set for ``dp train``: both parts, no provenance of its own.

    Parameters
    ----------
    name : str
        Name of the set.
    chosen : dict of str to Law
        Framework -> law.
    directory : Path
        Directory of the copy.

    Raises
    ------
    NotThere
        As `load`.
    BadFrames
        As `load`.
    """
    for part in dataset.PARTS:
        load(name, part, chosen).to("deepmd/npy", str(directory / part), prec=np.float64,
                                    set_size=10**6)  # fmt: skip


def keep(chosen: dict[str, Law], directory: Path) -> None:
    """Write laws beside the potential that is trained with them, for :func:`of`.

    Parameters
    ----------
    chosen : dict of str to Law
        Framework -> law.
    directory : Path
        Directory of the potential.
    """
    plain = {name: _plain(asdict(law)) for name, law in chosen.items()}
    provenance.write_text(directory / paths.CORRECTION.name, yaml.safe_dump(plain))


def of(potential: Path | None) -> dict[str, Law] | None:
    """The laws that the labels of a potential were corrected by.

    The errors of the potential are those against labels that are corrected in the same way.

    Parameters
    ----------
    potential : Path or None
        Directory of the potential; None for a model file alone, which tells nothing of its labels.

    Returns
    -------
    dict of str to Law, or None
        Framework -> law; None if the labels were not corrected.

    Raises
    ------
    Unfit
        As `laws`.
    """
    if potential is None:  # a model file alone tells nothing of its labels
        return None
    file = Path(potential) / paths.CORRECTION.name
    return laws(file) if file.is_file() else None
