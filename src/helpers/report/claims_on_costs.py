"""Conclusions of the chapter on costs."""

from __future__ import annotations

import pandas as pd

from helpers.report import paper, tables
from helpers.report.claims import Finding, Number


def home_computer(steps: pd.DataFrame, trained_on: str) -> Finding:
    """Whether a home computer can train such a potential.

    The time for the paper's million steps on this machine is given, with the shipped setting (the
    first row) and with the paper's.

    Parameters
    ----------
    steps : DataFrame
        Result of ``record.training_table``.
    trained_on : str
        What the shipped potential was trained on (``tables.machine``).

    Returns
    -------
    Finding
        The conclusion.
    """
    days = "days for 10⁶ steps"
    ours = steps.iloc[0]
    like_paper = steps[steps["setting"].str.startswith("sel of the paper, float64")]
    slowest = (like_paper if len(like_paper) else steps)[days].max()
    n_steps = paper.value("training.steps").number
    return Finding(
        "Training at home",
        f"agrees, a million steps take {ours[days]:.1f} to {slowest:.1f} days"
        if slowest < 30
        else "a million steps take more than a month",
        f"a modest home computer trains the potential in more than {tables.whole(n_steps)} steps.",
        f"by the time of one, they would take {ours[days]:.1f} days in the setting of this book, "
        f"{slowest:.1f} in the dearest of the paper's; the shipped potential was trained on: "
        f"{trained_on}.",
    )


def speed_up(speeds: pd.DataFrame) -> Finding:
    """How much faster the potential is than first principles, at most.

    The core time per step and atom is compared, the least of each engine at the size of CP2K's.
    CP2K's is one self-consistent calculation from scratch; a step of dynamics starts from the last
    density and takes fewer iterations.

    Parameters
    ----------
    speeds : DataFrame
        Result of ``record.md_table``.

    Returns
    -------
    Finding
        The conclusion.
    """
    same = speeds["atoms"].isin(speeds.loc[speeds["engine"] == "CP2K", "atoms"])
    core = speeds[same].groupby("engine")["core_us_per_atom_step"].min()
    gains = [paper.value(f"speed.gain_{where}") for where in ("figure", "text")]
    says = "; ".join(f"{one.number} times, {one.place}" for one in gains) + "."
    ours = "fused" if "fused" in core.index else "native"
    if not {"CP2K", ours} <= set(core.index):
        return Finding("Speed", "not measured here", says, "CP2K was not timed on this machine.")
    gain = core["CP2K"] / core[ours]
    times = tables.whole(float(f"{gain:.2g}"))
    dft = speeds[speeds["engine"] == "CP2K"].sort_values("core_us_per_atom_step").iloc[0]
    cores = dft["ranks"] * dft["threads"]
    return Finding(
        "Speed",
        f"at most {times} times as fast as density-functional theory, at the same size",
        says,
        f"a step costs {core[ours]:.0f} µs of a core for each atom with the potential, "
        f"{core['CP2K'] / 1e6:.1f} s by CP2K on {cores} cores from scratch; in dynamics CP2K would "
        "start from the last step and take less.",
        (
            Number("core time of a step per atom, potential", "µs", f"{core[ours]:.3g}"),
            Number("core time of a step per atom, CP2K", "µs", f"{core['CP2K']:.3g}"),
        ),
    )


def goals(outlook: pd.DataFrame) -> Finding:
    """Which of the goals of this book are reached.

    Parameters
    ----------
    outlook : DataFrame
        Result of ``generations.outlook``.

    Returns
    -------
    Finding
        The conclusion.
    """
    now, earlier = (outlook[outlook["earlier"] == old] for old in (False, True))
    counted = f"{now['reached'].sum()} of {len(now)} are reached"
    if len(earlier):
        counted += f", of older and wider ones {earlier['reached'].sum()} of {len(earlier)}"
    missed = outlook[~outlook["reached"]]
    named = [f"{row.error.split('_')[0]} ({row.group})" for row in tables.each_row(missed)]
    return Finding(
        "Goals of this book",
        counted,
        "it sets none.",
        f"missed are {', '.join(named)}." if named else "none is missed.",
    )
