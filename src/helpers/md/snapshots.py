"""Snapshots near a temperature, from a heating run or from labelled reference frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from helpers import provenance
from helpers.errors import UserError
from helpers.frames import dataset
from helpers.md.trajectory import Trajectory


class NoSnapshots(UserError, ValueError):
    """There is no frame of this kind, or none near this temperature."""


def fitting(names: Iterable[str], n_atoms: int) -> list[str]:
    """Those sets that have a given number of atoms and know temperatures.

    Parameters
    ----------
    names : iterable of str
        See `of_sets`.
    n_atoms : int
        Number of atoms.

    Returns
    -------
    list of str
        Names of the sets.

    Raises
    ------
    NoSnapshots
        There is none; the message says what the sets hold.
    """
    found, seen = [], []
    for name in list(names) or dataset.names(imported=False):
        system = dataset.load(name)
        seen.append(f"{name} ({system.get_natoms()} atoms)")
        if system.get_natoms() == n_atoms and "temperature_K" in system.data:
            found.append(name)
    if not found:
        raise NoSnapshots(
            f"no labelled frames of {n_atoms} atoms with a temperature in "
            f"{', '.join(seen) or 'no set'}; choose other sets or another structure"
        )
    return found


def origins(names: Iterable[str]) -> pd.DataFrame:
    """How each of some sets was sampled, according to its provenance.

    Parameters
    ----------
    names : iterable of str
        The sets.

    Returns
    -------
    DataFrame
        A row for each set.
    """
    rows = []
    for name in names:
        record = provenance.read(dataset.locate(name))
        how = record.get("sampling", {})
        rows.append(
            {
                "set": name,
                "frames": sum(record["frames"].values()),
                "sampled by": how.get("sampler", "-"),
                "method": how.get("method", record["description"]),
            }
        )
    return pd.DataFrame(rows)


def of_sets(names: Iterable[str], n_atoms: int) -> Trajectory:
    """The frames of labelled sets as one trajectory.

    Frames have the target temperature of their sampling. They are no sequence in time (times are
    NaN, positions may be wrapped), so that they are suitable for averages and not for motion.
    Frames without a temperature (relaxations, strained crystals) are left out.

    Parameters
    ----------
    names : iterable of str
        Sets in ``data/frames`` or ``build/frames``; if empty, every set with this number of atoms.
    n_atoms : int
        Number of atoms.

    Returns
    -------
    Trajectory
        The frames.

    Raises
    ------
    NoSnapshots
        There are no such frames; the message says what the sets hold.
    """
    chosen = fitting(names, n_atoms)
    parts = [dataset.load(name) for name in chosen]
    symbols = [np.array(p["atom_names"])[p["atom_types"]] for p in parts]
    if any((s != symbols[0]).any() for s in symbols):
        raise NoSnapshots(f"the sets {', '.join(chosen)} hold different atoms: choose among them")
    temperature = np.concatenate([p["temperature_K"].ravel() for p in parts])
    warm = temperature > 0
    return Trajectory(
        symbols=symbols[0],
        steps=np.arange(len(temperature))[warm],
        times_ps=np.full(warm.sum(), np.nan),
        temperatures_K=temperature[warm],
        cells=np.concatenate([p["cells"] for p in parts])[warm],
        positions=np.concatenate([p["coords"] for p in parts])[warm],
    )


def near(
    trajectory: Trajectory, temperature_K: float, width_K: float = 50.0, n: int | None = None
) -> Trajectory:
    """Frames near a temperature.

    Parameters
    ----------
    trajectory : Trajectory
        The frames.
    temperature_K : float
        Temperature, K.
    width_K : float
        Largest difference, K.
    n : int, optional
        Largest number of frames, evenly chosen.

    Returns
    -------
    Trajectory
        The frames that remain.

    Raises
    ------
    NoSnapshots
        There are none; the message says which temperatures there are.
    """
    close = np.flatnonzero(np.abs(trajectory.temperatures_K - temperature_K) <= width_K)
    if not len(trajectory):
        raise NoSnapshots(f"no frame within {width_K:g} K of {temperature_K:g} K: there is none")
    if not len(close):
        low, high = trajectory.temperatures_K.min(), trajectory.temperatures_K.max()
        raise NoSnapshots(
            f"no frame within {width_K:g} K of {temperature_K:g} K: "
            f"they span {low:.0f}-{high:.0f} K"
        )
    if n is not None and len(close) > n:
        close = close[np.linspace(0, len(close) - 1, n).round().astype(int)]
    return trajectory[close]


def actual_temperatures(trajectory: Trajectory, table: pd.DataFrame) -> np.ndarray:
    """Instantaneous temperature of each frame, interpolated in the table of the run.

    The temperature of a trajectory is the target of the thermostat, which a run that explodes does
    not follow.

    Parameters
    ----------
    trajectory : Trajectory
        The frames.
    table : DataFrame
        Result of ``thermo.read``.

    Returns
    -------
    (F,) array
        Temperatures, K; NaN before the first and after the last row of the table.
    """
    if not len(table):
        return np.full(len(trajectory), np.nan)
    return np.interp(
        trajectory.times_ps, table["time_ps"], table["temperature_K"], left=np.nan, right=np.nan
    )


def fluctuation(temperature_K, n_atoms: int):
    r"""Standard deviation of the instantaneous temperature in equilibrium.

    .. math:: \sigma_T = T \sqrt{2 / (3 N - 3)}

    in a canonical ensemble without motion of the centre of mass (Frenkel & Smit, Understanding
    Molecular Simulation, 2nd ed., 2002, sec. 6.1).

    Parameters
    ----------
    temperature_K : float or array
        Temperature, K.
    n_atoms : int
        Number of atoms.

    Returns
    -------
    float or array
        K.
    """
    return temperature_K * np.sqrt(2 / (3 * n_atoms - 3))


def at_temperature(trajectory: Trajectory, table: pd.DataFrame, sigmas: float = 4.0) -> Trajectory:
    """Frames whose actual temperature agrees with their target; there may be none.

    Frames whose actual temperature is unknown are left out.

    Parameters
    ----------
    trajectory : Trajectory
        The frames.
    table : DataFrame
        Result of ``thermo.read``.
    sigmas : float
        Largest difference in standard deviations (`fluctuation`).

    Returns
    -------
    Trajectory
        The frames that remain.
    """
    off = np.abs(actual_temperatures(trajectory, table) - trajectory.temperatures_K)
    limit = sigmas * fluctuation(trajectory.temperatures_K, len(trajectory.symbols))
    return trajectory[off <= limit]


def spaced(trajectory: Trajectory, at_least_ps: float) -> Trajectory:
    """Frames separated by a minimum time, the first among them.

    Closer frames see the same event twice. Frames without a time are all kept.

    Parameters
    ----------
    trajectory : Trajectory
        The frames.
    at_least_ps : float
        Minimum time, ps.

    Returns
    -------
    Trajectory
        The frames that remain.
    """
    kept, last = [], -np.inf
    for index, time in enumerate(trajectory.times_ps):
        if not time - last < at_least_ps - 1e-9:
            kept.append(index)
            last = time
    return trajectory[kept]


def common(
    run: Trajectory,
    reference: Trajectory,
    temperature_K: float,
    width_K: float = 50.0,
    n: int | None = None,
) -> tuple[float, Trajectory, Trajectory]:
    """Frames of a run and of the reference at a common temperature.

    The reference's temperature nearest to ``temperature_K`` that lies between the lowest and the
    highest temperature of the run, or outside by at most a fifth of the width.

    Parameters
    ----------
    run : Trajectory
        Frames of the run.
    reference : Trajectory
        Frames of the reference.
    temperature_K : float
        Requested temperature, K.
    width_K : float
        See `near`, K.
    n : int, optional
        See `near`.

    Returns
    -------
    temperature_K : float
        The common temperature, K.
    run : Trajectory
        Frames of the run near it.
    reference : Trajectory
        Frames of the reference near it.

    Raises
    ------
    NoSnapshots
        There is none; the message says which temperatures both have.
    """
    if not len(run):
        raise NoSnapshots("the run has no frames to compare")
    have = np.unique(reference.temperatures_K)
    low, high = run.temperatures_K.min() - width_K / 5, run.temperatures_K.max() + width_K / 5
    for temperature in have[np.argsort(np.abs(have - temperature_K), kind="stable")]:
        if low <= temperature <= high:
            return (
                float(temperature),
                near(run, temperature, width_K, n),
                near(reference, temperature, width_K),
            )
    raise NoSnapshots(
        f"no temperature in common: the run spans {run.temperatures_K.min():.0f}-"
        f"{run.temperatures_K.max():.0f} K, the reference has "
        f"{', '.join(f'{t:.0f}' for t in have)} K"
    )


def by_temperature(
    trajectory: Trajectory, step_K: float, width_K: float | None = None, n: int | None = None
) -> dict[float, Trajectory]:
    """Snapshots at every multiple of a temperature step that the trajectory passes.

    Parameters
    ----------
    trajectory : Trajectory
        The frames.
    step_K : float
        Step, K.
    width_K : float, optional
        Half width of the window of a temperature, K; by default half a step.
    n : int, optional
        Largest number of frames of a temperature.

    Returns
    -------
    dict of float to Trajectory
        Temperature (K) -> frames; temperatures without frames are left out.
    """
    if not len(trajectory):
        return {}
    width_K = step_K / 2 if width_K is None else width_K
    low, high = trajectory.temperatures_K.min(), trajectory.temperatures_K.max()
    first, last = round(low / step_K), round(high / step_K)
    found = {}
    for temperature in step_K * np.arange(first, last + 1):
        try:
            found[float(temperature)] = near(trajectory, temperature, width_K, n)
        except NoSnapshots:
            continue
    return found


def by_stage(
    trajectory: Trajectory, stages: Sequence, edges_K: Sequence[float]
) -> dict[str, Trajectory]:
    """Frames in each stage of a run; a run of a single stage is divided at given temperatures.

    Parameters
    ----------
    trajectory : Trajectory
        Frames of the run.
    stages : sequence of Stage
        Result of ``density_stages.find``.
    edges_K : sequence of float
        Increasing temperatures, K, at which a run of a single stage is divided.

    Returns
    -------
    dict of str to Trajectory
        Name -> frames of each window that has any; the whole run if none has.
    """
    limits = [(f"{s.name}, {s.low_K:.0f}–{s.high_K:.0f} K", s.low_K, s.high_K) for s in stages]
    if len(stages) == 1:
        limits = [(f"{low:.0f}–{high:.0f} K", low, high) for low, high in pairwise(edges_K)]
    found = {name: trajectory.between(low, high) for name, low, high in limits}
    return {name: part for name, part in found.items() if len(part)} or {"whole run": trajectory}
