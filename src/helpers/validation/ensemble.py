r"""Model deviation: the disagreement of an ensemble of potentials, and its relation to the error.

The potentials of an ensemble differ in the seed of their training or in their size. They agree
where there were training data and extrapolate differently elsewhere. For the force on atom i (Zhang
et al., Phys. Rev. Materials 3, 023804 (2019))

.. math:: \epsilon_i = \sqrt{\langle |F_i - \langle F_i \rangle|^2 \rangle},

where the mean is taken over the potentials; the largest and the average :math:`\epsilon_i` of a
frame are kept. LAMMPS' ``pair_style deepmd`` writes them along a run (`read`); `of_frames`
evaluates them afterwards for the saved frames of any run. An error that all potentials of an
ensemble share does not appear as disagreement; `calibrate` therefore compares it with the true
error on labelled frames.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import paths, provenance, statistics
from helpers.errors import NotFinite, Unfit
from helpers.frames import dataset
from helpers.md import thermo, trajectory
from helpers.potentials import store
from helpers.structures import TYPE_MAP
from helpers.validation import row_by_row

#: correlation over frames of the largest deviation with the largest error from which it is used
#: (``book/estimators.md``)
USABLE_FROM = 0.7

_MEASURED = ("max_eV_per_A", "avg_eV_per_A", "element")
_ERRORS = ("max_error_eV_per_A", "avg_error_eV_per_A", "correlation")


# ---------------------------------------------------------------- afterwards, on saved frames


def spread(forces: np.ndarray) -> np.ndarray:
    r"""Deviation of the forces of an ensemble, for each atom.

    .. math:: \epsilon_i = \sqrt{\langle |F_i - \langle F_i \rangle|^2 \rangle}

    Parameters
    ----------
    forces : (P, ..., N, 3) array
        Forces of P potentials, eV/A.

    Returns
    -------
    (..., N) array
        Deviation of each atom, eV/A.
    """
    return np.sqrt(((forces - forces.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0))


def of_frames(run: Path | str, potentials: Sequence[str | Path], n_frames: int) -> pd.DataFrame:
    """Model deviation on evenly chosen saved frames of a finished run.

    It is kept in ``build/validation`` (shipped: ``data/validation``) by the content of run and
    potentials: found if finished, continued after its last frame if interrupted.

    Parameters
    ----------
    run : Path or str
        Directory of the run.
    potentials : sequence of str or Path
        The ensemble.
    n_frames : int
        Largest number of frames; the first and the last are among them.

    Returns
    -------
    DataFrame
        Columns as of `read`, and ``element``, that of the atom with the largest deviation.

    Raises
    ------
    Unfit
        There are fewer than two potentials, one of them is given twice, or fewer than two frames
        are asked for.
    BadPotential
        As `store.check_potential`.
    NoProvenance
        The run is unfinished.
    NotThere
        The run has no table or no trajectory.
    NotFinite
        A force is NaN or infinite.
    """
    run, members = Path(run), _ensemble(potentials)
    if n_frames < 2:
        raise Unfit(f"n_frames = {n_frames}; a run is compared on 2 frames at least")
    provenance.read(run)
    thermo.read(run)
    # A shipped run has fewer frames, but the table is that of the run it was thinned from.
    recipe = {
        "check": "deviation",
        "run": hashlib.sha256(thermo.content(run)).hexdigest(),
        "models": sorted(members.values()),
        "frames": n_frames,
    }

    def plan():
        every = trajectory.read(run)
        some = every[np.unique(np.linspace(0, len(every) - 1, n_frames).round().astype(int))]
        evaluate = _forces(potentials, some.symbols)
        labels = [
            {"step": int(s), "target_temperature_K": f"{t:.7g}"}
            for s, t in zip(some.steps, some.temperatures_K, strict=True)
        ]

        def measure(i):
            return _of_atoms(spread(evaluate(some.positions[i], some.cells[i])), some.symbols)

        return labels, measure

    return row_by_row.kept(
        f"deviation-{run.name}",
        recipe,
        plan,
        _MEASURED,
        f"model deviation of {_names(potentials)} on frames of {run.name}",
        {"run": recipe["run"]} | members,
    )


def calibrate(
    potentials: Sequence[str | Path], sets: Sequence[str], n_frames: int
) -> pd.DataFrame:  # fmt: skip
    """Model deviation and true error of the first potential, on frames of labelled sets.

    The potentials may not have been trained on the sets. Kept like `of_frames`.

    Parameters
    ----------
    potentials : sequence of str or Path
        The ensemble.
    sets : sequence of str
        The sets.
    n_frames : int
        Largest number of frames of each set, evenly chosen.

    Returns
    -------
    DataFrame
        A row for each frame: set, frame, max_eV_per_A, avg_eV_per_A (deviation), element,
        max_error_eV_per_A, avg_error_eV_per_A (largest and mean force error), correlation
        (Pearson's r of deviation and error over the atoms of the frame).

    Raises
    ------
    Unfit
        As `of_frames`, or there are no sets.
    BadPotential
        As `store.check_potential`.
    NotFinite
        A force is NaN or infinite.
    BadFrames
        As `dataset.load`.
    """
    members = _ensemble(potentials)
    if not sets:
        raise Unfit("no sets of labelled frames; a calibration needs one at least")
    inputs = {name: provenance.sha256(dataset.locate(name)) for name in sets}
    first, *others = members.values()
    recipe = {
        "check": "calibration",
        "model": first,
        "models": sorted(others),
        "sets": inputs,
        "frames": n_frames,
    }

    def plan():
        systems = {name: dataset.thinned(dataset.load(name), n_frames) for name in sets}
        symbols = {n: np.array(s["atom_names"])[s["atom_types"]] for n, s in systems.items()}
        evaluate = {n: _forces(potentials, symbols[n]) for n in sets}
        labels = [{"set": n, "frame": i} for n in sets for i in range(len(systems[n]))]

        def measure(row):
            name, i = labels[row].values()
            system = systems[name]
            forces = evaluate[name](system["coords"][i], system["cells"][i])
            deviation = spread(forces)
            error = np.linalg.norm(forces[0] - system["forces"][i], axis=-1)
            return _of_atoms(deviation, symbols[name]) | {
                "max_error_eV_per_A": error.max(),
                "avg_error_eV_per_A": error.mean(),
                "correlation": np.corrcoef(deviation, error)[0, 1],
            }

        return labels, measure

    return row_by_row.kept(
        f"calibration-{Path(potentials[0]).stem}",
        recipe,
        plan,
        _MEASURED + _ERRORS,
        f"model deviation of {_names(potentials)} beside the error of the first",
        inputs | members,
    )


def by_temperature(table: pd.DataFrame, width_K: float = 300.0) -> pd.DataFrame:
    """Summary of `read` or `of_frames` in ranges of temperature.

    Parameters
    ----------
    table : DataFrame
        Model deviation along a run.
    width_K : float
        Width of a range, K.

    Returns
    -------
    DataFrame
        A row for each range: from_K, to_K, frames, the means of max_eV_per_A and avg_eV_per_A, and,
        if known, the percentage of frames whose largest deviation is on an atom of each element.
    """
    T = table["target_temperature_K"]
    low = pd.Series(statistics.bins(T, width_K, close_end=True), T.index, name="from_K")
    grouped = table.groupby(low)
    rows = grouped[["max_eV_per_A", "avg_eV_per_A"]].mean()
    rows.insert(0, "frames", grouped.size())
    rows.insert(0, "to_K", rows.index + width_K)
    if "element" in table:
        share = 100 * pd.crosstab(low, table["element"], normalize="index")
        for element in TYPE_MAP:
            rows[f"{element}_percent"] = share.get(element, 0.0)
    return rows.reset_index()


def by_set(calibration: pd.DataFrame) -> pd.DataFrame:
    """Means over the frames of each set.

    Parameters
    ----------
    calibration : DataFrame
        Result of `calibrate`.

    Returns
    -------
    DataFrame
        A row for each set, with the ratio of error to deviation.
    """
    grouped = calibration.groupby("set", sort=False)
    rows = grouped[["avg_eV_per_A", "avg_error_eV_per_A", "max_eV_per_A", "max_error_eV_per_A",
                    "correlation"]].mean()  # fmt: skip
    rows.insert(0, "frames", grouped.size())
    rows.insert(3, "ratio", rows["avg_error_eV_per_A"] / rows["avg_eV_per_A"])
    return rows.reset_index()


@dataclass(frozen=True)
class Worth:
    """Relation of the model deviation to the error.

    Attributes
    ----------
    r_max : float
        Pearson's r of the logarithms of largest deviation and largest error, over frames.
    r_avg : float
        The same for the averages.
    r_atoms : float
        Mean over frames of Pearson's r over the atoms of a frame.
    error_per_max : float
        Median of largest error / largest deviation.
    error_per_max_95 : float
        95th percentile of that ratio.
    """

    r_max: float
    r_avg: float
    r_atoms: float
    error_per_max: float
    error_per_max_95: float

    def of(self, deviation_eV_per_A: float) -> str:
        """What error a deviation stands for, in words, if it stands for one (`USABLE_FROM`).

        Parameters
        ----------
        deviation_eV_per_A : float
            Largest deviation of a frame, eV/A.

        Returns
        -------
        str
            A sentence.
        """
        if not self.r_max > USABLE_FROM:
            return (
                f"With a correlation of {USABLE_FROM:g} or less between largest deviation and "
                f"largest error, the deviation says nothing of the error."
            )
        return (
            f"A deviation of {deviation_eV_per_A:g} eV/Å stands for an error of about "
            f"{deviation_eV_per_A * self.error_per_max:.1f} eV/Å, in one frame of twenty for more "
            f"than {deviation_eV_per_A * self.error_per_max_95:.1f} eV/Å."
        )

    def __str__(self) -> str:
        return (
            f"Over frames the correlation of deviation and error is {self.r_max:.2f} (largest)"
            f" and {self.r_avg:.2f} (average), over the atoms of one frame {self.r_atoms:.2f}. "
            f"The largest error of a frame is {self.error_per_max:.1f} times its largest "
            f"deviation (median); in 5 % of the frames more than {self.error_per_max_95:.1f} "
            f"times."
        )


def worth(calibration: pd.DataFrame) -> Worth:
    """Relation of the model deviation to the error; logarithms, because both span decades.

    Parameters
    ----------
    calibration : DataFrame
        Result of `calibrate`.

    Returns
    -------
    Worth
        The numbers.
    """
    log = np.log(calibration[[c for c in calibration if c.endswith("eV_per_A")]])
    ratio = calibration["max_error_eV_per_A"] / calibration["max_eV_per_A"]
    return Worth(
        r_max=float(log["max_eV_per_A"].corr(log["max_error_eV_per_A"])),
        r_avg=float(log["avg_eV_per_A"].corr(log["avg_error_eV_per_A"])),
        r_atoms=float(calibration["correlation"].mean()),
        error_per_max=float(ratio.median()), error_per_max_95=float(ratio.quantile(0.95)),
    )  # fmt: skip


def of_runs(
    tables: Mapping[str, pd.DataFrame], limit_eV_per_A: float, calibration: Worth | None = None
) -> pd.DataFrame:
    """Where each of several runs leaves the training data of its potential.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Name of the run -> result of `read` or `of_frames`.
    limit_eV_per_A : float
        Limit of the deviation, as of `trust`, eV/A.
    calibration : Worth, optional
        What the deviation is worth; without it no error is said.

    Returns
    -------
    DataFrame
        A row for each run: run, frames, to_K (end of the run), above_limit_from_K (NaN: never),
        worst_deviation_eV_per_A (of one atom in one frame), worst_at_K and, with a calibration that
        is usable, worst_error_eV_per_A, what that stands for.
    """
    rows = []
    for name, table in tables.items():
        worst = table.loc[table["max_eV_per_A"].idxmax()]
        row = {
            "run": name,
            "frames": len(table),
            "to_K": float(table["target_temperature_K"].max()),
            "above_limit_from_K": trust(table, limit_eV_per_A).temperature_K,
            "worst_deviation_eV_per_A": float(worst["max_eV_per_A"]),
            "worst_at_K": float(worst["target_temperature_K"]),
        }
        if calibration is not None and calibration.r_max > USABLE_FROM:
            error = calibration.error_per_max * row["worst_deviation_eV_per_A"]
            row["worst_error_eV_per_A"] = error
        rows.append(row)
    return pd.DataFrame(rows)


def _names(potentials: Sequence[str | Path]) -> str:
    return ", ".join(Path(p).stem for p in potentials)


def _ensemble(potentials: Sequence[str | Path]) -> dict[str, str]:
    """Name -> sha256 of the model files, in the order given."""
    if isinstance(potentials, (str, Path)) or len(potentials) < 2:
        raise Unfit(f"potentials is {potentials!r}; an ensemble has two at least")
    members = {
        paths.relative(p) if os.sep in str(p) else str(p): store.load(p).sha256 for p in potentials
    }
    if len(set(members.values())) < len(potentials):
        raise Unfit(
            f"{_names(potentials)} name one potential twice; potentials that are the "
            f"same cannot disagree"
        )
    return members


def _forces(potentials: Sequence[str | Path], symbols: np.ndarray) -> Callable:
    """Function of positions (N, 3) and cell (3, 3), A: forces (P, N, 3) of all potentials, eV/A."""
    opened = [store.check_potential(p, symbols) for p in potentials]
    types = [TYPE_MAP.index(s) for s in symbols]

    def evaluate(positions, cell):
        forces = np.array([m.eval(positions.reshape(1, -1), cell.reshape(1, 9), types)[1][0]
                           for m in opened])  # fmt: skip
        if wrong := [
            str(p) for p, f in zip(potentials, forces, strict=True) if not np.isfinite(f).all()
        ]:
            raise NotFinite(
                f"a force of {', '.join(wrong)} is NaN or infinite; leave it out of the ensemble"
            )
        return forces

    return evaluate


def _of_atoms(deviation: np.ndarray, symbols: np.ndarray) -> dict:
    return {
        "max_eV_per_A": deviation.max(),
        "avg_eV_per_A": deviation.mean(),
        "element": symbols[deviation.argmax()],
    }


# ---------------------------------------------------------------- where a run leaves what is known


@dataclass(frozen=True)
class Trust:
    """Temperature above which a run leaves the training data of its potential.

    Attributes
    ----------
    temperature_K : float
        Temperature, K; NaN if it does not.
    limit_eV_per_A : float
        Limit of the deviation, eV/A.
    reason : str
        What was found, in a sentence.
    """

    temperature_K: float
    limit_eV_per_A: float
    reason: str

    def __str__(self) -> str:
        return self.reason


def trust(table: pd.DataFrame, limit_eV_per_A: float, width_K: float = 50.0) -> Trust:
    """Temperature above which the largest force deviation stays above a limit.

    The mean of the largest deviations is taken in bins of temperature, so that a single atom in a
    single frame does not decide. The result is the lower edge of the first bin after the last one
    below the limit; earlier bins may lie above it as well.

    Parameters
    ----------
    table : DataFrame
        Result of `read` or `of_frames`.
    limit_eV_per_A : float
        Limit of the deviation, eV/A.
    width_K : float
        Width of a bin, K, or the smallest multiple of it that holds five frames.

    Returns
    -------
    Trust
        The temperature.
    """
    spacing = np.ptp(table["target_temperature_K"]) / max(len(table) - 1, 1)
    width_K *= max(1, np.ceil(5 * spacing / width_K))
    single = (
        f" (means of {width_K:.0f} K; {table['max_eV_per_A'].max():.2g} eV/Å in the worst frame)"
    )
    low = statistics.bins(table["target_temperature_K"], width_K, close_end=True)
    mean = table["max_eV_per_A"].groupby(low).mean()
    below = np.flatnonzero(mean <= limit_eV_per_A)
    first, last = table["target_temperature_K"].min(), table["target_temperature_K"].max()
    if not len(below):
        return Trust(
            float(first),
            limit_eV_per_A,
            f"the potentials disagree by more than "
            f"{limit_eV_per_A:g} eV/Å from the start ({first:.0f} K){single}",
        )
    if below[-1] == len(mean) - 1:
        return Trust(
            float("nan"),
            limit_eV_per_A,
            f"the potentials agree within "
            f"{limit_eV_per_A:g} eV/Å up to the end ({last:.0f} K){single}",
        )
    edge = mean.index[below[-1] + 1]
    return Trust(
        float(edge),
        limit_eV_per_A,
        f"above {edge:.0f} K the potentials disagree by more "
        f"than {limit_eV_per_A:g} eV/Å{single}: there the run is outside of what they "
        f"were trained on",
    )
