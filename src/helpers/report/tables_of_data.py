"""Tables of labelled frames. Units: meV/atom, GPa."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.stats

from helpers.report import tables
from helpers.report.tables import Table

_BETTER = 0.9  # of the energy that the law of the volume leaves
#: columns of ``accuracy.compare`` with the time of a frame, as a reader finds them
BESIDE_CP2K = {
    "system": "system",
    "frames": "frames",
    "atoms": "atoms",
    "force_rms_eV_per_A": "RMS force (eV/Å)",
    "reference-CP2K force_eV_per_A": "force RMSE (eV/Å)",
    "reference-CP2K energy_meV_per_atom": "energy RMSE (meV/atom)",
    "reference-CP2K virial_meV_per_atom": "virial RMSE (meV/atom)",
    "seconds": "median time of a frame (s)",
}


def amounts(n_of: pd.Series, n_sets: int) -> Table:
    """How many frames there are for what, beside the paper's.

    Parameters
    ----------
    n_of : Series
        Numbers of frames for ``training``, ``validation`` and ``test``.
    n_sets : int
        Number of sets.

    Returns
    -------
    Table
        The table.
    """
    share = n_of / max(n_of["training"] + n_of["validation"], 1)
    entries = {
        "training.configurations": ("labelled frames", int(n_of.sum())),
        "training.sets": ("sets", n_sets),
        "training.training_fraction": ("training share", share["training"]),
        "training.validation_fraction": ("validation share", share["validation"]),
    }
    held_out = tables.Row("frames of tests", "-", None, n_of["test"], run="tests")
    return tables.side_by_side([*tables.rows(entries, run="all sets"), held_out])


def correction(residuals: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """What the laws of the volume leave, by framework and phase.

    Parameters
    ----------
    residuals : dict of str to DataFrame
        Framework -> result of `correction.residuals`.

    Returns
    -------
    DataFrame
        A row for each phase of each framework: number of frames, and of those labelled since the
        law was fitted; mean and root-mean-square residual of energy (meV/atom) and pressure (GPa).
    """
    rows = []
    for framework, table in residuals.items():
        for phase, frames in table.groupby("phase", sort=False):
            energy, pressure = frames["energy_off_meV_per_atom"], frames["pressure_off_GPa"]
            rows.append({
                "framework": framework,
                "phase": phase,
                "frames": len(frames),
                "labelled since": int(frames["since"].sum()),
                "energy, mean (meV/atom)": energy.mean(),
                "energy, RMS (meV/atom)": np.sqrt(np.mean(energy**2)),
                "pressure, mean (GPa)": pressure.mean(),
                "pressure, RMS (GPa)": np.sqrt(np.mean(pressure**2)),
            })  # fmt: skip
    return pd.DataFrame(rows)


def left(residuals: pd.DataFrame) -> str:
    """Size of the residuals in words.

    Parameters
    ----------
    residuals : DataFrame
        Result of `correction.residuals`, or some of its rows.

    Returns
    -------
    str
        Number of frames, root-mean-square residuals, and what of the energies depends on the
        volume.
    """
    if len(residuals) == 0:
        return "no frame"
    energy, pressure = residuals["energy_off_meV_per_atom"], residuals["pressure_off_GPa"]
    said = (
        f"{len(residuals)} frames, {np.sqrt(np.mean(energy**2)):.2f} meV/atom and "
        f"{np.sqrt(np.mean(pressure**2)):.4f} GPa (root mean square)"
    )
    volume = residuals["volume_A3_per_atom"]
    if len(residuals) > 2 and np.ptp(volume) > 0:
        slope, before = (
            np.polyfit(volume, residuals[column], 1)[0]
            for column in ("energy_off_meV_per_atom", "energy_meV_per_atom")
        )
        said += (
            f"; the slope of the energy differences against the volume falls from {before:+.2f} "
            f"to {slope:+.2f} meV/Å³ by the law"
        )
    return said


def depends(residuals: pd.DataFrame) -> str:
    """Whether what a law of the volume leaves goes with temperature or coordination, in words.

    Parameters
    ----------
    residuals : DataFrame
        Result of `correction.residuals` for one framework.

    Returns
    -------
    str
        A line for each of the two: rank correlations (Spearman) of energy and pressure with it,
        and the probability that chance alone makes one as large.
    """
    said = []
    for column, name in (("temperature_K", "temperature"), ("coordination", "coordination")):
        known = residuals.dropna(subset=column)
        told = []
        for off in ("energy_off_meV_per_atom", "pressure_off_GPa"):
            found = scipy.stats.spearmanr(known[column], known[off])
            what = off.split("_")[0]
            told.append(f"{what} {found.statistic:+.2f} (p = {found.pvalue:.2f})")
        said.append(f"- with {name}, {len(known)} frames: {', '.join(told)}")
    return "\n".join(said)


def laws_tried(tried: pd.DataFrame) -> Table:
    """What each law of the correction leaves on frames that its fit left out.

    Parameters
    ----------
    tried : DataFrame
        Result of ``pair_law.compare``.

    Returns
    -------
    Table
        A row for each law and what was left out, energy (meV/atom) and pressure (GPa) for each
        framework.
    """
    rows = {}
    for one in tables.each_row(tried):
        row = rows.setdefault((one.law, one.left_out), {})
        error = f"{one.energy_meV_per_atom:.2f}, {one.pressure_GPa:.3f}"
        row[f"{one.judged_on} (meV/atom, GPa)"] = error
    described = [{"law": law, "left out": out} | row for (law, out), row in rows.items()]
    return tables.headed(pd.DataFrame(described).fillna("–"))


def laws_judged(tried: pd.DataFrame, framework: str) -> str:
    """Whether a law of pairs takes the place of the law of the volume, by the written rule.

    Parameters
    ----------
    tried : DataFrame
        Result of ``pair_law.compare``.
    framework : str
        The framework whose single frames decide.

    Returns
    -------
    str
        A sentence for each law of pairs.
    """
    single = tried[(tried["left_out"] == "frame") & (tried["judged_on"] == framework)]
    of = single.set_index("law")[["energy_meV_per_atom", "pressure_GPa"]]
    said = []
    for name in of.index.drop("volume"):
        energy, pressure = of.loc[name] / of.loc["volume"]
        taken = energy <= _BETTER and pressure <= 1
        said.append(
            f"On single frames of {framework} the law of `{name}` leaves {energy:.2f} times the "
            f"energy and {pressure:.2f} times the pressure that the law of the volume leaves"
            + (": better." if taken else ": it does not take its place.")
        )
    return " ".join(said)
