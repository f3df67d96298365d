"""Errors of successive potentials against training steps and frames, and extrapolation to goals.

Errors of deep potentials fall with training roughly as a power of the number of steps, e = a n^-b
(Hestness et al., arXiv:1712.00409, for networks in general). Two or three potentials allow only a
first guess of b, and the number of frames grows with the steps; the result is labelled accordingly.

Units: energies and virials meV/atom, forces eV/A.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import paths, provenance
from helpers.errors import Unfit
from helpers.potentials import evaluation, store
from helpers.recipes import catalogue
from helpers.validation import accuracy

#: what this book set out to reach on test trajectories: group -> (sets, energy, force, virial);
#: NaN where nothing was asked for. The force on new glasses is asked for in chapter 2: hot frames
#: of the glass of `glasses_test` are in the training
GOALS = {
    "300 K": (("test_0300",), (0.4, 0.045, 3.0)),
    "300 K, reference's MD": (("reference_0300",), (0.4, 0.045, 3.0)),
    "600–1500 K": (("test_0600_1500",), (np.nan, 0.09, np.nan)),
    "2500 K": (("test_2500",), (2.0, 0.18, 8.0)),
    "low density": (("test_low_density",), (2.0, 0.30, 10.0)),
    "melt": (("test_melt",), (2.0, 0.30, 10.0)),
    "ab-initio glass": (("glasses_test",), (np.nan, np.nan, np.nan)),
}
#: groups whose goals are older and wider; those of the others took their place
EARLIER = ("low density", "melt")

FALLS = 0.05  # a smaller exponent is no fall: a tenth of the error would take 10^20 times the steps


def kept() -> Path:
    """Where the errors of potentials are kept whose weights are not shipped.

    Returns
    -------
    Path
        The file.
    """
    return paths.DATA / "bench" / "generations.json"


def generations(names: Sequence[str] = ()) -> pd.DataFrame:
    """Errors of the kept generations, and of further potentials, on the sets of `GOALS`.

    Parameters
    ----------
    names : sequence of str
        Further potentials. One that is present is taken as it is now; one that is not, as it was
        kept (`keep`).

    Returns
    -------
    DataFrame
        A row for each potential and group, ordered by steps: potential, group, steps (including
        trainings whose weights it started from), training_frames, and the errors of
        `evaluation.ERRORS` over all frames of the sets in the group.

    Raises
    ------
    BadRecipe
        A potential was not evaluated.
    """
    file = kept()
    rows = json.loads(file.read_text()) if file.is_file() else []
    rows = [row for row in rows if row["potential"] not in names]
    for name in names:
        made = store.load(name).provenance
        steps = made["recipe"]["steps"] + sum(catalogue.lineage(name).values())
        errors = accuracy.metrics(name)
        for group, (sets, _) in GOALS.items():
            known = [errors[s] for s in sets if s in errors]
            if known:
                rows.append({"potential": name, "group": group, "steps": steps,
                             "training_frames": made["training_frames"]}
                            | evaluation.over_all(known))  # fmt: skip
    return pd.DataFrame(rows).sort_values("steps", kind="stable", ignore_index=True)


def with_weights(potential: str) -> list[str]:
    """A potential after those generations before it whose weights are here.

    Parameters
    ----------
    potential : str
        The potential.

    Returns
    -------
    list of str
        Names, the earliest first.
    """
    here = set(store.names())
    return [name for name in catalogue.lineage(potential) if name in here] + [potential]


def keep(names: Sequence[str]) -> Path:
    """Add potentials to the kept generations, because their weights (8 MB each) are not shipped.

    ``make potential`` trains them again from their recipes.

    Parameters
    ----------
    names : sequence of str
        The potentials.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    BadRecipe
        A potential was not evaluated.
    """
    return provenance.write_text(
        kept(), f"{generations(names).to_json(orient='records', indent=1)}\n"
    )


def power_law(steps: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """Fit of e = a n^-b: a straight line through log e against log n.

    Parameters
    ----------
    steps : sequence of float
        Numbers of steps n.
    errors : sequence of float
        Errors e, any unit.

    Returns
    -------
    a : float
        In the unit of the errors.
    b : float
        The exponent.

    Raises
    ------
    Unfit
        There are fewer than two different numbers of steps, or an error is not positive.
    """
    n, e = np.asarray(steps, float), np.asarray(errors, float)
    if len(set(n)) < 2 or (e <= 0).any() or (n <= 0).any():
        raise Unfit(
            f"no power law through errors {e} at steps {n}; give two different numbers of "
            f"steps at least, and errors above 0"
        )
    slope, intercept = np.polyfit(np.log(n), np.log(e), 1)
    return float(np.exp(intercept)), float(-slope)


def outlook(table: pd.DataFrame) -> pd.DataFrame:
    r"""Distance to each goal, by the exponent of a power law through all generations.

    .. math:: n_\mathrm{goal} = n\,(e / e_\mathrm{goal})^{1/b}

    from the error e of the last generation after n steps: where it lies above the law, the law
    itself would promise the goal too early. Where an earlier generation has a smaller error, more
    steps of the same are no way to the goal, and none are given.

    Parameters
    ----------
    table : DataFrame
        Result of `generations`.

    Returns
    -------
    DataFrame
        group, error (its name), now (of the last generation), goal, reached, exponent b (NaN for a
        single generation), steps_for_goal (extrapolated total; NaN if it is reached or the error
        did not fall, in all or at last), earlier (whether the goal is one of `EARLIER`), best (the
        generation with the smallest error).
    """
    rows = []
    for group, (_, goals) in GOALS.items():
        known = table[table["group"] == group].sort_values("steps")
        for key, goal in zip(evaluation.ERRORS, goals, strict=True):
            if known.empty or np.isnan(goal):
                continue
            now, exponent, needed = float(known[key].iloc[-1]), np.nan, np.nan
            if known["steps"].nunique() > 1:
                exponent = power_law(known["steps"], known[key])[1]
                best = now <= known[key].min()
                if now > goal and exponent > FALLS and best:
                    needed = known["steps"].iloc[-1] * (now / goal) ** (1 / exponent)
            rows.append({"group": group, "error": key, "now": now, "goal": goal,
                         "reached": bool(now <= goal), "exponent": exponent,
                         "steps_for_goal": needed, "earlier": group in EARLIER,
                         "best": known.loc[known[key].idxmin(), "potential"]})  # fmt: skip
    return pd.DataFrame(rows)
