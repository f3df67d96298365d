"""Tables of a potential: its architecture and training, next to what the paper gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from helpers import paths, structures, units
from helpers.errors import NotThere
from helpers.observables import imidazolate, melt, neighbors
from helpers.report import experiment, paper, tables
from helpers.report.tables import Row, Table

#: columns of ``metrics.json`` as a table of sets, as a reader finds them; meV/atom and eV/A
BY_SET = {
    "set": "set",
    "role": "role",
    "n_frames": "frames",
    "energy_rmse_meV_per_atom": "energy RMSE",
    "energy_bias_meV_per_atom": "of it bias",
    "energy_spread_meV_per_atom": "energy spread",
    "force_rmse_eV_per_A": "force RMSE",
    "force_rms_eV_per_A": "RMS force",
    "virial_rmse_meV_per_atom": "virial RMSE",
}
#: columns of ``accuracy.by_phase``
BY_PHASE = {
    "phase": "phase",
    "frames": "frames",
    "energy_bias_meV_per_atom": "energy bias (meV/atom)",
    "energy_rmse_meV_per_atom": "energy RMSE (meV/atom)",
    "force_rmse_eV_per_A": "force RMSE (eV/Å)",
    "virial_rmse_meV_per_atom": "virial RMSE (meV/atom)",
}
#: columns of ``accuracy.compare`` for a potential
BESIDE_CP2K = {
    "system": "system",
    "frames": "frames",
    "force_rms_eV_per_A": "RMS force (eV/Å)",
    "reference-CP2K force_eV_per_A": "force: reference − CP2K",
    "potential-CP2K force_eV_per_A": "force: potential − CP2K",
    "potential-reference force_eV_per_A": "force: potential − reference",
    "reference-CP2K energy_meV_per_atom": "energy: reference − CP2K",
    "potential-CP2K energy_meV_per_atom": "energy: potential − CP2K",
    "potential-reference energy_meV_per_atom": "energy: potential − reference",
}
#: columns of ``universal.summary``, as a reader finds them
UNTRAINED = {
    "frames": "frames",
    "force_rmse_eV_per_A": "force error (eV/Å)",
    "force_slope": "slope of the forces",
    "energy_slope_meV_per_A3": "slope of the energy (meV/Å³)",
    "energy_scatter_meV_per_atom": "scatter (meV/atom)",
    "pressure_off_GPa": "pressure (GPa)",
    "ms_per_atom": "a step, ms/atom",
}


_DIAGONAL = ("C11", "C22", "C33", "C44", "C55", "C66")
_CONSTANTS = (*_DIAGONAL, "C12", "C13", "C23")
_STIFF = 0.25  # of the reference's elastic constant
_ERRORS = {
    "energy_rmse_meV_per_atom": "energy RMSE (meV/atom)",
    "force_rmse_eV_per_A": "force RMSE (eV/Å)",
}
_ZIF_62 = {300: (2.0, 0.20), 2500: (4.0, 0.35)}  # K -> goals for energy (meV/atom), force (eV/A)


def architecture(recipe, start: str = "", run: str = "live") -> Table:
    """Descriptor, networks and training steps of a recipe next to the paper's.

    Parameters
    ----------
    recipe : training.Recipe
        The recipe.
    start : str
        Potential whose weights the training started from; empty for random weights.
    run : str
        Name of the potential, for the last column.

    Returns
    -------
    Table
        The table.
    """
    sel = zip(structures.TYPE_MAP, recipe.sel, strict=True)
    entries = {
        "architecture.descriptor": ("descriptor", "se_e2_a"),
        **{f"architecture.sel_{element}": (f"sel, {element}", n) for element, n in sel},
        "architecture.rcut_A": ("cutoff", recipe.rcut),
        "architecture.rcut_smth_A": ("smooth from", recipe.rcut_smth),
        "architecture.embedding_net": ("embedding net", recipe.neuron),
        "architecture.fitting_net": ("fitting net", recipe.fitting),
        "training.steps": ("steps", recipe.steps),
    }
    weights = Row("weights at the start", "-", None, start or "random", run=run)
    return tables.side_by_side([*tables.rows(entries, run), weights])


def training(record: Mapping, lineage: Mapping[str, int]) -> Table:
    """How a potential was trained, with the paper's prefactors of the loss in brackets.

    Parameters
    ----------
    record : mapping
        Its ``provenance.json``.
    lineage : mapping of str to int
        Trainings whose weights it started from, the earliest first -> their steps.

    Returns
    -------
    Table
        The table.
    """
    recipe = record["recipe"]
    before = ", ".join(f"{name} ({tables.whole(steps)} steps)" for name, steps in lineage.items())
    return tables.facts(
        {
            "sets": ", ".join(record["sets"]),
            "steps": recipe["steps"],
            "went on from": before or "random weights",
            "embedding net": recipe["neuron"],
            "fitting net": recipe["fitting"],
            "sel (C, H, N, Zn)": recipe["sel"],
            "axis_neuron": recipe["axis_neuron"],
            "type_one_side": str(recipe["type_one_side"]),
            "learning rate": recipe["learning_rate"],
            "prefactor of energy, start to limit": _prefactor(recipe, "energy"),
            "prefactor of force": _prefactor(recipe, "force"),
            "prefactor of virial": recipe["prefactor_virial"],
            "made": record["made"][:10],
            "training time (s)": record["seconds"],
            "threads": record.get("threads", "–"),
            "hardware": tables.machine(record),
            "DeePMD-kit": record["versions"]["deepmd-kit"],
        }
    )


#: columns of ``architectures.table`` that a page shows
NETS = {
    "name": "nets",
    "core_us_272": "core-µs, 272 atoms",
    "core_us_2176": "core-µs, 2176 atoms",
    "force_rmse_eV_per_A": "force (eV/Å)",
    "energy_rmse_meV_per_atom": "energy (meV/atom)",
    "energy_between_phases_meV_per_atom": "between phases (meV/atom)",
    "virial_rmse_meV_per_atom": "virial (meV/atom)",
}


def missing_steps(record: Mapping, lineage: Mapping[str, int]) -> str:
    """Steps of all trainings of a potential beside the paper's, in words.

    Parameters
    ----------
    record : mapping
        Its ``provenance.json``.
    lineage : mapping of str to int
        As for `training`.

    Returns
    -------
    str
        A sentence.
    """
    steps = record["recipe"]["steps"] + sum(lineage.values())
    theirs = paper.value("training.steps").number
    here, there = tables.whole(steps), tables.whole(theirs)
    return f"Longer training: {here} steps here; the paper has more than {there}."


#: the paper's densities, g/cm3: measured in its run, and of its supercell
DENSITY = "stages.density_crystal_g_per_cm3"
CELL_DENSITY = "systems.supercell_density_g_per_cm3"


def bias_by_sampler(bias: pd.Series, driven: Sequence[bool]) -> str:
    """Mean bias of the energy over test sets that the reference sampled, and over the others.

    Parameters
    ----------
    bias : Series
        Bias of each set, meV/atom.
    driven : sequence of bool
        Whether the reference itself sampled the set.

    Returns
    -------
    str
        A sentence; empty if there are no sets of one kind.
    """
    groups = dict(iter(bias.groupby(list(driven))))
    if len(groups) < 2:
        return ""
    return (
        f"Over the {len(groups[True])} test sets that the reference itself sampled, the bias is "
        f"{groups[True].mean():+z.1f} meV/atom on average; over the {len(groups[False])} others, "
        f"{groups[False].mean():+z.1f}."
    )


#: rows of ``elastic.beside_reference`` that are no constants, in words
ELASTIC = {
    "bulk_voigt": "bulk modulus (Voigt)",
    "bulk_reuss": "bulk modulus (Reuss)",
    "softest": "smallest eigenvalue",
    "asymmetry": "asymmetry",
    **{
        f"C{i}{i}_{side}": f"C{i}{i}, {side}"
        for side in ("stretched", "compressed")
        for i in (1, 2, 3)
    },
}


def stiffness(constants: pd.DataFrame, model: str, reference: str = "reference") -> str:
    """How the diagonal elastic constants compare, and which of them are no derivatives.

    That is said where the differences to both sides are farther apart than their mean is large.

    Parameters
    ----------
    constants : DataFrame
        Result of ``elastic.beside_reference``.
    model : str
        The model.
    reference : str
        What it is compared with.

    Returns
    -------
    str
        Sentences; without a reference only those on the two sides.
    """
    said, names = [], list(_DIAGONAL)
    for name in constants:
        for one, (up, down) in _no_derivatives(constants[name]).items():
            said.append(
                f"{one} of `{name}` is {up:.1f} GPa stretched and {down:.1f} GPa compressed: the "
                "response is not linear over this strain, and the mean of both is no elastic "
                "constant."
            )
            names = [other for other in names if other != one]
    if reference in constants:
        ratio = constants.loc[names, model] / constants.loc[names, reference]
        said.append(
            f"The {'other ' if len(names) < 6 else ''}diagonal constants of `{model}` are "
            f"{ratio.min():.1f} to {ratio.max():.1f} times the reference's."
        )
    return " ".join(said)


def _no_derivatives(constants: pd.Series) -> dict[str, tuple[float, float]]:
    """Those whose differences to both sides are farther apart than their mean is large: both."""
    found = {}
    for name in _DIAGONAL[:3]:
        up, down = constants[f"{name}_stretched"], constants[f"{name}_compressed"]
        if abs(up - down) > abs(up + down) / 2:
            found[name] = (float(up), float(down))
    return found


def _voigt(constants: pd.Series) -> tuple[float, float]:
    """Bulk modulus of Voigt with what is no derivative taken from either side, GPa."""
    none = _no_derivatives(constants)
    up, down = (
        sum(both[side] - constants[name] for name, both in none.items()) / 9 for side in (0, 1)
    )
    return constants["bulk_voigt"] + up, constants["bulk_voigt"] + down


def goals(
    phases: pd.DataFrame,
    constants: pd.DataFrame,
    new_glasses: Mapping[str, float],
    density: Mapping[str, float],
    beside_cp2k: pd.DataFrame,
    table1: Mapping[tuple[str, int], Mapping],
    structure: str = "ZIF-4",
) -> pd.DataFrame:
    """What was to be reached beside the errors on single sets, and what was.

    Parameters
    ----------
    phases : DataFrame
        Result of ``accuracy.by_phase``.
    constants : DataFrame
        Result of ``elastic.beside_reference``: the potential, the reference.
    new_glasses : mapping of str to float
        Result of ``accuracy.on_new_glasses``; empty if there is none.
    density : mapping of str to float
        Result of ``thermo.density`` at 300 K.
    beside_cp2k : DataFrame
        Result of ``accuracy.beside_cp2k``.
    table1 : mapping of (str, int) to mapping
        Result of ``table1.errors``.
    structure : str
        Name of the structure that the density is of; the goal for it is one of ZIF-4.

    Returns
    -------
    DataFrame
        A row for each goal: what, here, goal, reached ("cannot tell" within the error, and where
        an elastic constant is no derivative). A goal whose numbers are not there has none.
    """
    rows = []

    def add(what: str, here: str, goal: str, reached: bool | None) -> None:
        told = {True: "yes", False: "no", None: "cannot tell"}[reached]
        rows.append({"goal": what, "here": here, "at most": goal, "reached": told})

    if len(phases) > 1:
        apart = float(np.ptp(phases["energy_bias_meV_per_atom"]))
        add("energies of the phases, largest difference of their mean errors (meV/atom)",
            f"{apart:.1f}", "1.0", apart <= 1)  # fmt: skip
    if constants.shape[1] > 1:
        model, reference = (constants[name] for name in constants.columns[:2])
        none = _no_derivatives(model) | _no_derivatives(reference)
        lacking = f"{', '.join(none)}: no constant"
        sides = [100 * (a / b - 1) for a, b in zip(_voigt(model), _voigt(reference), strict=True)]
        within = {abs(one) <= 15 for one in sides}
        said = f"{min(sides):+.0f} to {max(sides):+.0f}" if none else f"{sides[0]:+.0f}"
        add("bulk modulus (Voigt), off the reference (%)", said, "15",
            within.pop() if len(within) == 1 else None)  # fmt: skip
        off = 100 * (model["bulk_reuss"] / reference["bulk_reuss"] - 1)
        add("bulk modulus (Reuss), off the reference (%)", lacking if none else f"{off:+.0f}",
            "15", None if none else abs(off) <= 15)  # fmt: skip
        names = [name for name in _CONSTANTS if name not in none]
        far = (model[names] / reference[names] - 1).abs() > _STIFF
        said = f"{far.sum()} of {len(names)}"
        if none:
            said += f" ({lacking})"
        add("elastic constants that are off the reference by more than 25 %",
            said, "none", not far.any() and not none)  # fmt: skip
    if new_glasses:
        error = new_glasses["force_rmse_eV_per_A"]
        add("force on glasses at 300 K that no training knows, RMSE (eV/Å)",
            f"{error:.3f} ({new_glasses['frames']} frames)", "0.10", error <= 0.10)  # fmt: skip
    if structure == "ZIF-4":
        measured = experiment.crystal()["density_g_cm3"]["value"]
        value, error = density["density_g_cm3"], density["error_g_cm3"]
        off, error = 100 * (value / measured - 1), 100 * error / measured
        add("density at 300 K, off the measured one (%)", tables.number(off, error), "2",
            _within(off, error, 2))  # fmt: skip
    slope, error = _slope(beside_cp2k)
    if np.isfinite(slope):
        add("slope of the energy error against CP2K over the volume (meV/Å³)",
            tables.number(slope, error), "0.1", _within(slope, error, 0.1))  # fmt: skip
    for temperature, of_both in _ZIF_62.items():
        found = table1.get(("ZIF-62", temperature), {})
        for (key, what), goal in zip(_ERRORS.items(), of_both, strict=True):
            here, reached = tables.NOT_COMPUTED, None
            if key in found:
                here = f"{found[key]:.3g} ({found['n_frames']} frames)"
                reached = bool(found[key] <= goal)
            add(f"ZIF-62 at {temperature} K, {what}", here, f"{goal:g}", reached)
    return pd.DataFrame(rows)


def _within(value: float, error: float, limit: float) -> bool | None:
    """Whether a value is within a limit; None if its error does not tell."""
    if abs(abs(value) - limit) < error:
        return None
    return bool(abs(value) <= limit)


def drift(found: Mapping[str, float]) -> Table:
    """Drift of the total energy of a run at constant energy, with its standard error.

    Parameters
    ----------
    found : mapping of str to float
        Result of ``energy_conservation.energy_drift``.

    Returns
    -------
    Table
        A row for each number.
    """
    shown: dict[str, object] = {tables.header(key): value for key, value in found.items()}
    error = "error_meV_per_atom_per_ps"
    del shown[tables.header(error)]
    key = "drift_meV_per_atom_per_ps"
    shown[tables.header(key)] = tables.number(found[key], found[error])
    return tables.facts(shown)


def bonds(relaxed, structure: str) -> Table:
    """Bonds and angles of an imidazolate, beside those of the structure that the reference relaxed.

    Parameters
    ----------
    relaxed : ase.Atoms
        The crystal at the minimum of a potential.
    structure : str
        Name of the structure.

    Returns
    -------
    Table
        A row for each bond and angle, see `imidazolate.beside`.
    """
    beside = imidazolate.beside(relaxed, structures.load(structure))
    decimals = beside["unit"].map({"A": 3, "deg": 1})
    for column in ("reference", "here", "difference"):
        pairs = zip(beside[column], decimals, strict=True)
        # never -0
        beside[column] = [f"{round(value, d) + 0.0:.{d}f}" for value, d in pairs]
    return tables.headed(beside, index="bond or angle")


def of_page(profile: str, live, shown) -> Table:
    """How the potentials of a page were made.

    Parameters
    ----------
    profile : str
        Profile that the page is made for.
    live : store.Potential
        The potential that the page trains.
    shown : store.Potential
        The potential that it examines.

    Returns
    -------
    Table
        The table.
    """
    return tables.facts(
        {
            "profile": profile,
            "trained live": live.name,
            "in (s)": live.provenance["seconds"],
            "on": tables.machine(live.provenance),
            "examined": paths.relative(shown),
            "trained on": tables.machine(shown.provenance),
        }
    )


def _prefactor(recipe: Mapping, what: str) -> str:
    """Prefactor of energy or force in the loss, start to limit, and the paper's."""
    ours = " - ".join(f"{p:g}" for p in recipe[f"prefactor_{what}"])
    theirs = [
        paper.value(f"architecture.{end}_pref_{what[0]}").number for end in ("start", "limit")
    ]
    return f"{ours} (paper: {' - '.join(f'{p:g}' for p in theirs)})"


def collapses(runs: Iterable, nearer_A: float = 2.2) -> Table:
    """When two Zn come nearer than in any structure of sense.

    Parameters
    ----------
    runs : iterable
        Hot runs, with the attributes of `helpers.md.run.Run`.
    nearer_A : float
        The distance, A.

    Returns
    -------
    Table
        A row for each run: potential, temperature (K), seed, the time until the two are as near
        (ps; "> t" if they never are), the shortest distance before (Å), and how many frames before
        have two Zn nearer than 4 Å (%), where the wall of `atp` begins (`helpers.md.force_field`).
    """
    rows = []
    for run in runs:
        frames = run.trajectory
        distances = neighbors.closest(frames.positions, frames.cells, frames.symbols, "Zn", 9.0)
        time = frames.steps * run.recipe.timestep_fs / units.FS_PER_PS
        near = np.flatnonzero(distances < nearer_A)
        before = distances[: near[0]] if len(near) else distances
        close = 100 * (before < melt.CLOSE_A).mean() if len(before) else np.nan
        rows.append({
            "potential": run.potential,
            "temperature (K)": f"{run.recipe.temperature_end_K:g}",
            "seed": run.seed,
            "collapse after (ps)": f"{time[near[0]]:.1f}" if len(near) else f"> {time[-1]:.1f}",
            "shortest Zn–Zn before (Å)": f"{before.min():.2f}" if len(before) else "none",
            "frames below 4 Å (%)": f"{close:.1f}" if len(before) else "",
        })  # fmt: skip
    return tables.headed(pd.DataFrame(rows))


def on_sets(errors: Mapping[str, Mapping[str, dict]], sets: Sequence[str]) -> Table:
    """Errors of several potentials on the same sets.

    Parameters
    ----------
    errors : mapping of str to mapping
        Potential -> set -> errors, as in its ``metrics.json`` (meV/atom, eV/A).
    sets : sequence of str
        Sets of frames.

    Returns
    -------
    Table
        A row for each set and each potential that was judged on it (not one whose weights were
        gone before the set was made): frames, the mean error of the energy with its sign and its
        root mean square (meV/atom), that of the force (eV/Å), and whether the potential was trained
        on other frames of the set.

    Raises
    ------
    NotThere
        No potential was judged on a set.
    """
    rows = []
    for name in sets:
        judged = {potential: of[name] for potential, of in errors.items() if name in of}
        if not judged:
            raise NotThere(f"no potential of {', '.join(errors)} was judged on {name}")
        for potential, found in judged.items():
            rows.append({
                "set": name,
                "potential": potential,
                "frames": found["n_frames"],
                "energy, mean (meV/atom)": f"{found['energy_bias_meV_per_atom']:+z.1f}",
                "energy, RMS (meV/atom)": f"{found['energy_rmse_meV_per_atom']:.1f}",
                "force, RMS (eV/Å)": f"{found['force_rmse_eV_per_A']:.3f}",
                "trained on it": "yes" if found["role"] == "validation" else "no",
            })  # fmt: skip
    return tables.headed(pd.DataFrame(rows))


def by_distance(pairs: pd.DataFrame, columns: Mapping[str, str], edges_A: Sequence[float]) -> Table:
    """Means over frames in ranges of the shortest distance between two atoms.

    Parameters
    ----------
    pairs : DataFrame
        A row for each frame, with its distance_A and ``columns``.
    columns : mapping of str to str
        Columns to be averaged, in any unit, and their headers.
    edges_A : sequence of float
        Limits between the ranges, ascending, A.

    Returns
    -------
    Table
        A row for each range that has frames.
    """
    inner = [f"{low:g}–{high:g}" for low, high in pairwise(edges_A)]
    names = [f"below {edges_A[0]:g}", *inner, f"from {edges_A[-1]:g} on"]
    limits = [-np.inf, *edges_A, np.inf]
    ranges = pd.cut(pairs["distance_A"], limits, right=False, labels=names)
    grouped = pairs.groupby(ranges, observed=True)
    means = grouped[list(columns)].mean().rename(columns=dict(columns))
    means.insert(0, "frames", grouped.size())
    return tables.headed(means, index="distance (Å)", decimals=1)


def slopes(beside_cp2k: pd.DataFrame) -> str:
    """Errors against CP2K in words: with their sign, and how they change with the volume.

    Parameters
    ----------
    beside_cp2k : DataFrame
        Result of ``accuracy.beside_cp2k``.

    Returns
    -------
    str
        Mean errors of energy and pressure, the slope of the energy with its standard error, also
        without frames of sets that are trained on, and the mean energy of each phase.
    """
    energy = beside_cp2k["energy_off_meV_per_atom"]
    said = (
        f"{len(energy)} frames, energy {energy.mean():+.2f} meV/atom, pressure "
        f"{beside_cp2k['pressure_off_GPa'].mean():+.3f} GPa (means)"
    )
    slope, error = _slope(beside_cp2k)
    if np.isfinite(slope):
        said += f"; slope of the energy {slope:+.2f} ± {error:.2f} meV/Å³"
    unseen = beside_cp2k[~beside_cp2k["trained"]]
    slope, error = _slope(unseen)
    if np.isfinite(slope) and len(unseen) < len(beside_cp2k):
        said += f" ({slope:+.2f} ± {error:.2f} on the {len(unseen)} of no set that is trained on)"
    phases = [
        f"{phase} {rows.mean():+.1f} ({rows.min():+.1f} to {rows.max():+.1f})"
        for phase, rows in energy.groupby(beside_cp2k["phase"], sort=False)
    ]
    return f"{said}. By phase, in meV/atom (lowest to highest): {', '.join(phases)}"


def _slope(beside_cp2k: pd.DataFrame) -> tuple[float, float]:
    """Slope of the energy error against the volume and its error, meV/A^3; NaN of few frames."""
    volume, energy = (
        beside_cp2k[c].to_numpy() for c in ("volume_A3_per_atom", "energy_off_meV_per_atom")
    )
    if len(volume) < 4 or np.ptp(volume) == 0:
        return np.nan, np.nan
    (slope, _), covariance = np.polyfit(volume, energy, 1, cov=True)
    return float(slope), float(covariance[0, 0] ** 0.5)
