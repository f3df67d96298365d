"""Density and neighbours of Zn in 100 K of a ramp, and what was before it."""

from __future__ import annotations

import numpy as np

from helpers import structures
from helpers.md import protocol
from helpers.md.run import Run
from helpers.observables import coordination

WIDTH_K = 100.0


def around_zinc(run: Run, low_K: float) -> dict:
    """Density and coordination of Zn in 100 K of the ramp.

    Bonds are N within the paper's 2.5 A.

    Parameters
    ----------
    run : Run
        The run.
    low_K : float
        Lower end of the range, K.

    Returns
    -------
    dict
        Density, N of a Zn, percentage of Zn with fewer than four; NaN if the run has no frame
        there.
    """
    high_K = low_K + WIDTH_K
    rows = run.ramp.query("@low_K <= target_temperature_K <= @high_K")
    taken = run.trajectory.between(low_K, high_K)
    found = {
        "potential": run.potential,
        "from_K": f"{low_K:.0f}",
        "to_K": f"{high_K:.0f}",
        "density_g_cm3": rows["density_g_cm3"].mean(),
        "N of a Zn": np.nan,
        "Zn with fewer than 4 (%)": np.nan,
    }
    if len(taken):
        around = coordination.coordination_number(taken.positions, taken.cells, taken.symbols)
        found["N of a Zn"] = around.mean()
        found["Zn with fewer than 4 (%)"] = 100 * coordination.undercoordinated(around).mean()
    return found


def before_ramp(run: Run) -> dict[str, float]:
    """Where a run starts, and how hot it gets in its equilibration.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    dict of str to float
        density_g_cm3 of the structure it starts from, hottest_K of the equilibration; empty for a
        run without one.
    """
    temperatures = run.thermo.loc[run.thermo["segment"] == 0, "temperature_K"]
    if temperatures.empty:
        return {}
    density = structures.density(protocol.structure(run.recipe))
    return {"density_g_cm3": density, "hottest_K": float(temperatures.max())}
