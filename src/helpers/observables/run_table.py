"""One table of all runs: what each showed and what it could have shown; all verdicts come from it.

A row for each run; each seed is a run. A temperature that was not reached is NaN, and next to it is
the temperature up to which the run would have shown it (``..._above_K``): for a run without a fall,
from the power of the detector for its own noise; for one without a broken bond, its highest
temperature.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from helpers.observables import censored, density_stages, detection, transition
from helpers.observables.ligand_exchange import Bonds

WINDOW_K = 100.0  # of the lowest mean density, or ...
WINDOW_PS = 5.0  # whichever is longer: the barostat swings with some 2 ps
MIDDLE_K = (1000.0, 1600.0)  # where the density of heated crystals moves
COLUMNS = (
    "Tf_K", "Tf_error_K", "fallen_K", "drop", "Tf_above_K", "returns", "first_break_K",
    "first_break_above_K", "first_exchange_K", "first_exchange_above_K", "moved_at_fall",
    "moved_at_end", "melt_K", "melt_above_K",
    "lowest_density", "lowest_density_K", "first_density", "end_K", "low_K", "high_K", "rows",
    "false_alarms", "seen_5", "seen_10", "seen_13",
)  # fmt: skip
_POWERS = COLUMNS[-4:]


@dataclass(frozen=True)
class Motion:
    """What the trajectory of a run shows.

    Attributes
    ----------
    bonds : Bonds or None
        Result of `ligand_exchange.bonds`; None without a trajectory.
    melt_K : float
        Result of `density_stages.stays_above`, K.
    end_K : float
        Highest temperature of the frames, K.
    """

    bonds: Bonds | None = None
    melt_K: float | None = None
    end_K: float = np.nan


def row(
    temperature_K, density, time_ps, motion: Motion | None = None, trials: int = 12
) -> dict[str, float]:
    """What one ramp shows.

    A ramp that cools is reversed, so that its rise of density is a fall as well.

    Parameters
    ----------
    temperature_K : (M,) array
        Target temperatures of the ramp in order of time, K.
    density : (M,) array
        Density, any unit.
    time_ps : (M,) array
        Times, ps.
    motion : Motion, optional
        What its trajectory shows.
    trials : int
        As for `detection.power`; 0 leaves out the power.

    Returns
    -------
    dict of str to float
        The fields of ``COLUMNS`` (K; density in its own unit; moved_at_fall and moved_at_end are
        the shares of N that their first Zn holds no longer, in the first frame above the end of the
        fall and in the last one).

    Raises
    ------
    Unfit
        The arrays do not fit together or hold no finite number.
    """
    T, rho, t = (np.asarray(a, float) for a in (temperature_K, density, time_ps))
    if len(T) and T[-1] < T[0]:
        T, rho = T[::-1], rho[::-1]
    motion = motion or Motion()
    bend = transition.by_methods(T, rho)
    stages = density_stages.find(T, rho)
    low, at = _lowest(T, rho, t)
    found = dict.fromkeys(COLUMNS, np.nan) | {
        "Tf_K": bend.Tf,
        "Tf_error_K": bend.error,
        "fallen_K": bend.fallen_K,
        "drop": bend.drop if bend.found else np.nan,
        "returns": float(_returns(stages)),
        "lowest_density": low,
        "lowest_density_K": at,
        "first_density": float(rho[T <= T.min() + WINDOW_K].mean()),
        "end_K": motion.end_K,
        "low_K": float(T.min()),
        "high_K": float(T.max()),
        "rows": float(len(T)),
        "melt_K": np.nan if motion.melt_K is None else motion.melt_K,
    }
    if motion.melt_K is None:
        found["melt_above_K"] = motion.end_K
    if motion.bonds is not None:
        found |= _events(motion.bonds)
        found |= _moved(motion.bonds, bend.fallen_K)
    if trials:
        seen = detection.power(T, rho, t, trials=trials)
        rates = detection.rates(seen).set_index("drop")["rate"]
        found |= {
            "false_alarms": rates[0.0],
            **{f"seen_{100 * drop:.0f}": rates[drop] for drop in detection.DROPS},
        }
        if not bend.found:
            found["Tf_above_K"] = without_a_fall_K(detection.seen_up_to_K(seen), stages)
    return found


def without_a_fall_K(seen_up_to_K: float, stages) -> float:
    """Up to which temperature a run without a transition had none.

    Planted falls are sudden. A density that leaves the crystal's line slowly is none of them, and
    no absence of a fall either.

    Parameters
    ----------
    seen_up_to_K : float
        Up to where a planted fall is found, K.
    stages : list of Stage
        Result of `density_stages.find`.

    Returns
    -------
    float
        The same; NaN (cannot tell) if a stage of lower density begins below it.
    """
    left = [stage.low_K for stage in stages if stage.name in ("pre-melt", "low density")]
    return np.nan if any(low < seen_up_to_K for low in left) else seen_up_to_K


def seeds(table: pd.DataFrame) -> censored.Seeds:
    """The fall of each run for the statistics of `censored`.

    Parameters
    ----------
    table : DataFrame
        Rows of `row` with the column ``rate_K_per_ps``.

    Returns
    -------
    censored.Seeds
        The runs; those that cannot tell are left out.
    """
    return censored.seeds(
        table["rate_K_per_ps"], table["Tf_K"], table["Tf_error_K"], table["Tf_above_K"]
    )


def settled(table: pd.DataFrame) -> pd.DataFrame:
    """The runs that were in equilibrium before their ramp: the others enter no verdict.

    Parameters
    ----------
    table : DataFrame
        The table of runs, with the column ``unsettled``: the reason why a run was not in
        equilibrium, empty if it was.

    Returns
    -------
    DataFrame
        These rows.
    """
    return table[table["unsettled"] == ""]


def power_by(
    table: pd.DataFrame, by=("n_atoms", "rate_K_per_ps"), trials: int = 20
) -> pd.DataFrame:
    """Mean rates of detection by size and rate, and the numbers of runs that fell and did not.

    Parameters
    ----------
    table : DataFrame
        Rows of `row` with the columns of ``by``.
    by : sequence of str
        Columns by which to group.
    trials : int
        Number of planted falls of one size in each run, for the limits.

    Returns
    -------
    DataFrame
        A row for each group: runs, fell, not_fallen (a fall of 10 % would have been seen),
        cannot_tell, false_alarms, seen_5, seen_10, seen_13, and the 95 % limits of the last four
        (Clopper and Pearson; ``..._low``, ``..._high``).
    """
    rows = []
    for _, group in table.groupby(list(by)):
        fell = group["Tf_K"].notna()
        rows.append(
            {column: group[column].iloc[0] for column in by}
            | {
                "runs": len(group),
                "fell": int(fell.sum()),
                "not_fallen": int((~fell & group["Tf_above_K"].notna()).sum()),
                "cannot_tell": int((~fell & group["Tf_above_K"].isna()).sum()),
            }
        )
        for column in _POWERS:
            known = group[column].dropna()
            n = trials * len(known)
            found = round(known.sum() * trials)
            limits = binomtest(found, n).proportion_ci() if n else (np.nan, np.nan)
            names = (column, f"{column}_low", f"{column}_high")
            rows[-1] |= dict(zip(names, (known.mean(), *limits), strict=True))
    limits = [f"{column}_{end}" for column in _POWERS for end in ("low", "high")]
    return pd.DataFrame(
        rows, columns=[*by, "runs", "fell", "not_fallen", "cannot_tell", *_POWERS, *limits]
    )


def side_by_side(table: pd.DataFrame, by: str = "n_atoms") -> pd.DataFrame:
    """Seeds that differ in one respect, such as their size, at the rates that all of them have.

    They are compared over the range of temperature that all runs of a rate cover: a fall outside of
    it counts as none.

    Parameters
    ----------
    table : DataFrame
        The table of runs.
    by : str
        Column in which they differ.

    Returns
    -------
    DataFrame
        A row for each rate and value: rate_K_per_ps, the value, runs, fell, seen_10 (mean rate of
        detection), seen_up_to_K (the lowest temperature up to which a seed without a fall would
        have shown one; NaN if there is none), lowest_density (of all seeds), Tf_K and width_K (from
        Tf to the end of the fall) with their standard errors Tf_error_K and width_error_K, from the
        errors of the single runs
        and the scatter of the seeds. Empty if no rate has two values.
    """
    columns = ["rate_K_per_ps", by, "runs", "fell", "seen_10", "seen_up_to_K", "lowest_density",
               "Tf_K", "Tf_error_K", "width_K", "width_error_K"]  # fmt: skip
    rows = []
    for rate, group in table.groupby("rate_K_per_ps"):
        if group[by].nunique() < 2:
            continue
        low, high = group["low_K"].max(), group["high_K"].min()
        for value, seeds_ in group.groupby(by):
            fell = seeds_[seeds_["Tf_K"].between(low, high)]
            width = fell["fallen_K"] - fell["Tf_K"]
            single = np.sqrt((fell["Tf_error_K"] ** 2).sum()) / max(len(fell), 1)
            rows.append(
                {
                    "rate_K_per_ps": rate,
                    by: value,
                    "runs": len(seeds_),
                    "fell": len(fell),
                    "seen_10": seeds_["seen_10"].mean(),
                    "seen_up_to_K": seeds_["Tf_above_K"].min(),
                    "lowest_density": seeds_["lowest_density"].min(),
                    "Tf_K": fell["Tf_K"].mean(),
                    "Tf_error_K": np.hypot(single, fell["Tf_K"].sem() if len(fell) > 1 else 0)
                    if len(fell)
                    else np.nan,
                    "width_K": width.mean(),
                    "width_error_K": width.sem(),
                }
            )
    return pd.DataFrame(rows, columns=columns)


def order_of_events(table: pd.DataFrame) -> pd.DataFrame:
    """Whether the fall ends before the first event of the bonds, in the runs that fall.

    Parameters
    ----------
    table : DataFrame
        The table of runs, with the column ``frame_K``: change of temperature between two frames,
        K.

    Returns
    -------
    DataFrame
        A row for breaks and one for exchanges: event, runs (that fall and have a trajectory), after
        (the event lies above the end of the fall by two errors of Tf and a frame, or never
        occurs in a run that goes on so far), before (below the beginning by as much), unclear.
    """
    fell = table[table["Tf_K"].notna()]
    rows = []
    for name in ("first_break", "first_exchange"):
        at, above = fell[f"{name}_K"], fell[f"{name}_above_K"]
        watched = at.notna() | above.notna()
        margin = 2 * fell["Tf_error_K"] + fell["frame_K"]
        known = at.where(at.notna(), above)
        after = watched & (known > fell["fallen_K"] + margin)
        before = at.notna() & (at < fell["Tf_K"] - margin)
        rows.append(
            {
                "event": name,
                "runs": int(watched.sum()),
                "after": int(after.sum()),
                "before": int(before.sum()),
                "unclear": int((watched & ~after & ~before).sum()),
            }
        )
    return pd.DataFrame(rows)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table for a page.

    Temperatures have errors, "> T" where an event was not reached, and "cannot tell" where it would
    not have been seen, or where the density leaves the line of the crystal slowly.

    Parameters
    ----------
    table : DataFrame
        The table of runs.

    Returns
    -------
    DataFrame
        The table as text.
    """

    def temperature(at, above, error=np.nan):
        if np.isfinite(at):
            return f"{at:.0f}" + (f" ± {error:.0f}" if np.isfinite(error) else "")
        return f"> {above:.0f}" if np.isfinite(above) else "cannot tell"

    columns = {
        "run": table["name"],
        "potential": table["potential"],
        "atoms": table["n_atoms"].astype(int),
        "pressure (GPa)": (table["pressure_bar"] / 1e4).map("{:g}".format),
        "in equilibrium before": np.where(table["unsettled"] == "", "yes", "no"),
        "rate (K/ps)": table["rate_K_per_ps"].map("{:g}".format),
        "seed": table["seed"].astype(int),
        "Tf (K)": [
            temperature(*values)
            for values in table[["Tf_K", "Tf_above_K", "Tf_error_K"]].to_numpy()
        ],
        "end of the fall (K)": [f"{x:.0f}" if np.isfinite(x) else "–" for x in table["fallen_K"]],
        "returns": table["returns"].astype(int),
    }
    for name, title in (
        ("first_break", "first break (K)"),
        ("first_exchange", "first exchange (K)"),
        ("melt", "Zn leave their sites (K)"),
    ):
        columns[title] = [
            temperature(*values) for values in table[[f"{name}_K", f"{name}_above_K"]].to_numpy()
        ]
    columns["N off their Zn: fallen, at the end (%)"] = [
        ", ".join(f"{100 * x:.0f}" if np.isfinite(x) else "–" for x in both)
        for both in table[["moved_at_fall", "moved_at_end"]].to_numpy(float)
    ]
    columns["lowest density (g/cm³)"] = [
        f"{x:.3f}" if np.isfinite(x) else "cannot tell" for x in table["lowest_density"]
    ]
    columns["10 % seen (%)"] = [
        f"{100 * x:.0f}" if np.isfinite(x) else "–" for x in table["seen_10"]
    ]
    return pd.DataFrame(columns)


def _events(bonds: Bonds) -> dict[str, float]:
    T = bonds.temperatures_K
    ended = bonds.episodes[bonds.episodes["outcome"] != "end"]
    found = {}
    for name, at in (
        ("first_break", T[ended["end"]]),
        ("first_exchange", T[bonds.exchanges["bound_again"]]),
    ):
        found |= {
            f"{name}_K": float(at.min()) if len(at) else np.nan,
            f"{name}_above_K": np.nan if len(at) else float(T.max()),
        }
    return found


def _moved(bonds: Bonds, fallen_K: float) -> dict[str, float]:
    """Shares of N off their first Zn; at the end of the fall only where a run heats."""
    T, share = bonds.temperatures_K, bonds.moved_on
    found = {"moved_at_end": float(share[-1])}
    if np.isfinite(fallen_K) and T[-1] > T[0]:
        found["moved_at_fall"] = float(share[min(np.searchsorted(T, fallen_K), len(T) - 1)])
    return found


def _returns(stages) -> int:
    """How often the density comes back from low."""
    names = [stage.name for stage in stages]
    return sum(
        a in ("low density", "pre-melt") and b in ("return", "crystal", "dense")
        for a, b in pairwise(names)
    )


def _lowest(T, rho, t) -> tuple[float, float]:
    """Lowest mean over the window, and the temperature of its middle; NaN for too short a run."""
    span = abs(t[-1] - t[0])
    window = max(WINDOW_PS, WINDOW_K * span / max(np.ptp(T), 1e-9))
    every = span / max(len(t) - 1, 1)
    n = round(window / every)
    if n < 1 or 2 * n > len(rho):
        return np.nan, np.nan
    means = np.convolve(rho, np.ones(n) / n, mode="valid")
    at = int(np.argmin(means))
    return float(means[at]), float(T[at : at + n].mean())
