"""Models to compare with a measurement: shipped structures, and the ends of finished runs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import statistics, structures
from helpers.errors import Unfit
from helpers.md.run import Run
from helpers.observables import compression, melt, transition
from helpers.recipes import catalogue, runs

_BLOCKS = 5
_AXES = ("cell_a_A", "cell_b_A", "cell_c_A")


@dataclass(frozen=True)
class Model:
    """Snapshots of one system.

    Attributes
    ----------
    frames : list of ((N,3) array, (3,3) array)
        positions and cell of each snapshot, A.
    symbols : (N,) array of str
        chemical symbols, the same in all.
    """

    frames: list[tuple[np.ndarray, np.ndarray]]
    symbols: np.ndarray


def of_structures(names: Sequence[str]) -> Model:
    """Several shipped structures of the same atoms as snapshots of one system.

    Parameters
    ----------
    names : sequence of str
        As for `structures.load`.

    Returns
    -------
    Model
        The snapshots.

    Raises
    ------
    UnknownStructure
        There is no such structure.
    Unfit
        No name is given, or the structures have different atoms or orders of atoms.
    """
    if not names:
        raise Unfit("no structure is named: give the name of one in data/structures at least")
    cells = [structures.load(name) for name in names]
    symbols = np.array(cells[0].get_chemical_symbols())
    for name, atoms in zip(names, cells, strict=True):
        if not np.array_equal(atoms.get_chemical_symbols(), symbols):
            raise Unfit(
                f"{name} does not have the atoms of {names[0]} in their order, so that the two "
                "are no snapshots of one system; look at them one by one"
            )
    return Model([(atoms.positions, atoms.cell.array) for atoms in cells], symbols)


def end_of(run: Run, last: int = 10) -> Model:
    """The last snapshots of a run.

    Parameters
    ----------
    run : Run
        A finished run.
    last : int
        Number of snapshots; all if there are fewer.

    Returns
    -------
    Model
        The snapshots.
    """
    frames = run.trajectory.last(last)
    return Model(list(zip(frames.positions, frames.cells, strict=True)), frames.symbols)


def by_temperature(seeds_of_one: Iterable[Run], edges_K: Sequence[float]) -> dict[float, list]:
    """Snapshots of heated runs in windows of temperature, all seeds together.

    Parameters
    ----------
    seeds_of_one : iterable of Run
        Runs of the same atoms along the same ramp.
    edges_K : sequence of float
        Edges of the windows, K.

    Returns
    -------
    dict of float to list
        Middle of the window, C -> positions (A) and cell (A) of each of its snapshots; a window
        without any is left out.
    """
    trajectories = [run.trajectory for run in seeds_of_one]
    found = {}
    for low, high in itertools.pairwise(edges_K):
        frames: list = []
        for trajectory in trajectories:
            some = trajectory.between(low, high)
            frames += zip(some.positions, some.cells, strict=True)
        if frames:
            found[(low + high) / 2 - 273.15] = frames
    return found


def seeds(names: Iterable[str]) -> dict[str, list[Run]]:
    """The finished seeds of runs; of what is not there one line says so.

    Parameters
    ----------
    names : iterable of str
        Names of data/runs.yaml without their seed: "quench-400Kps" stands for itself and for
        "quench-1800K-400Kps-seed1" and so on. Empty names are passed over.

    Returns
    -------
    dict
        name -> its finished runs, one at least, in the order of data/runs.yaml.
    """
    known, found, missing = catalogue.run_names(), {}, []
    for name in filter(None, names):
        alike = [one for one in known if re.fullmatch(re.escape(name) + r"(-seed\d+)?", one)]
        made = [run for run in map(runs.find, alike) if run is not None]
        if made:
            found[name] = made
        if not made:
            missing.append(name)
        elif len(made) < len(alike):
            missing.append(f"{len(alike) - len(made)} of {len(alike)} seeds of {name}")
    if missing:
        print(f"not computed yet: {', '.join(missing)}")
    return found


def melts(names: Iterable[str]) -> dict[str, tuple[Run, melt.Melt]]:
    """The finished seeds of melts, each judged.

    Parameters
    ----------
    names : iterable of str
        See `seeds`.

    Returns
    -------
    dict
        name of the run -> the run, and what became of its crystal; behind the equilibration for
        what `melt.judge` asks of nearness. A run that exploded is left out, and a line says so.
    """
    found = {}
    for run in itertools.chain.from_iterable(seeds(names).values()):
        if run.exploded:
            print(f"{run.name} is no melt to quench: {run.exploded}")
            continue
        path = run.trajectory
        first = int(np.searchsorted(path.times_ps, run.recipe.equilibration_ps))
        found[run.name] = (run, melt.judge(path.positions, path.cells, path.symbols, first))
    return found


def of_melts(
    quenched: Mapping[str, Sequence[Run]], judged: Mapping[str, tuple[Run, melt.Melt]]
) -> dict[str, list[Run]]:
    """The quenches that go on from a melt that is one.

    Parameters
    ----------
    quenched : mapping of str to sequence of Run
        Result of `seeds`.
    judged : mapping of str to (Run, Melt)
        Result of `melts`.

    Returns
    -------
    dict
        As `seeds`, without the runs that go on from another melt; of these one line says so.
    """
    trusted = [run.recipe for run, found in judged.values() if found.trusted]
    kept, left = {}, []
    for name, many in quenched.items():
        kept[name] = [run for run in many if run.recipe.after in trusted]
        left += [run.name for run in many if run not in kept[name]]
    if left:
        print(f"shown, but in no verdict, since the melt before is none: {', '.join(left)}")
    return {name: many for name, many in kept.items() if many}


def at_rest(rested: Mapping[str, Run]) -> pd.DataFrame:
    """Volume of runs at one temperature and pressure.

    Parameters
    ----------
    rested : mapping of str to Run
        Result of `runs.finished`.

    Returns
    -------
    DataFrame
        A row for each run: run, temperature_K, pressure_MPa, density_g_cm3, volume_A3 with
        error_A3 (of five block means), last_A3 (mean of the last of these blocks), modulus_GPa with
        modulus_error_GPa (bulk modulus from the fluctuations of the volume), and the lengths of the
        cell cell_a_A, cell_b_A, cell_c_A.
    """
    rows = []
    for name, run in rested.items():
        sampled = run.sampled
        volume, T = sampled["volume_A3"].to_numpy(), run.recipe.temperature_end_K
        blocks = statistics.block_means(volume, _BLOCKS)
        modulus, its_error = compression.modulus_of_fluctuations(volume, T, _BLOCKS)
        rows.append({
            "run": name,
            "temperature_K": T,
            "pressure_MPa": run.recipe.pressure_bar / 10,
            "density_g_cm3": float(sampled["density_g_cm3"].mean()),
            "volume_A3": float(sampled["volume_A3"].mean()),
            "error_A3": float(blocks.std(ddof=1) / _BLOCKS**0.5),
            "last_A3": float(blocks[-1]),
            "modulus_GPa": modulus,
            "modulus_error_GPa": its_error,
            **{axis: float(sampled[axis].mean()) for axis in _AXES},
        })  # fmt: skip
    return pd.DataFrame(rows)


def together(samples: Sequence[Model]) -> Model:
    """Samples of the same atoms as snapshots of one system.

    Parameters
    ----------
    samples : sequence of Model
        The samples, one at least.

    Returns
    -------
    Model
        All their snapshots.
    """
    return Model([frame for one in samples for frame in one.frames], samples[0].symbols)


def ends(quenched: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """What each run was when it had come to its last temperature.

    Parameters
    ----------
    quenched : mapping of str to sequence of Run
        Result of `seeds`.

    Returns
    -------
    DataFrame
        quench, rate_K_per_ps, atoms, seed, melt (the recipe of the run that it goes on from;
        None if none), and density_g_cm3, the mean over the time in which the thermostat was at the
        last temperature.
    """
    rows = []
    for name, many in quenched.items():
        for run in many:
            off = (run.ramp["target_temperature_K"] - run.recipe.temperature_end_K).abs()
            at_end = run.ramp["density_g_cm3"][off <= off.min() + 1e-6]
            who = (name, run.rate, run.atoms, run.seed, run.recipe.after)
            rows.append((*who, float(at_end.mean())))
    columns = ["quench", "rate_K_per_ps", "atoms", "seed", "melt", "density_g_cm3"]
    return pd.DataFrame(rows, columns=columns)


def bends(quenched: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Whether the density of cooled runs bends, as that of a liquid does that becomes a glass.

    By the detector of heated crystals (`transition.by_methods`), and by the expansion in the lower
    and the upper two fifths of the temperatures.

    Parameters
    ----------
    quenched : mapping of str to sequence of Run
        Result of `seeds`.

    Returns
    -------
    DataFrame
        A row for each run: quench, seed, bend_K (NaN if none is found), and d ln V / dT of the cold
        and the hot part, cold_per_K and hot_per_K.
    """
    rows = []
    for name, many in quenched.items():
        for run in many:
            ramp = run.ramp.sort_values("target_temperature_K", kind="stable")
            T, V = ramp["target_temperature_K"].to_numpy(), ramp["volume_A3"].to_numpy()
            found = transition.by_methods(T, ramp["density_g_cm3"].to_numpy())
            low, high = np.quantile([T[0], T[-1]], [0.4, 0.6])
            slopes = [
                float(np.polyfit(T[part], np.log(V[part]), 1)[0]) for part in (T <= low, T >= high)
            ]
            rows.append((name, run.seed, found.Tf, *slopes))
    return pd.DataFrame(rows, columns=["quench", "seed", "bend_K", "cold_per_K", "hot_per_K"])
