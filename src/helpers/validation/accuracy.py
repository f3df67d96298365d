"""Errors of a potential on every set of frames, and comparison with density-functional theory.

Units: energies and virials in meV/atom, forces in eV/A.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase.stress import voigt_6_to_full_3x3_stress

from helpers import paths, statistics, units
from helpers.errors import Unfit
from helpers.frames import correction, cp2k, dataset, dft_list, formats
from helpers.potentials import evaluation, store
from helpers.potentials.store import Potential
from helpers.recipes import catalogue, sets


def compare(
    potential: str | Path | Potential | None = None, chosen: Sequence[str] | None = None
) -> pd.DataFrame:
    """CP2K, the reference and a potential on the same frames, by system.

    Beside a potential the reference is corrected as the labels of that potential were
    (`helpers.frames.correction`); alone it is as published.

    Parameters
    ----------
    potential : str, Path or Potential, optional
        The potential; by default only CP2K and the reference are compared.
    chosen : sequence of str, optional
        Systems to compare; by default all.

    Returns
    -------
    DataFrame
        A row for each system: system, frames, atoms; force_rms_eV_per_A and energy_eV_per_atom
        (mean) of CP2K; and, for the pairs reference-CP2K, potential-CP2K and potential-reference,
        the root-mean-square difference of energies (meV/atom, without the mean difference of the
        system: other ligands have another zero), forces (eV/A) and virials (meV/atom). NaN where
        the reference does not know the system, and for the energy of a single frame.
    """
    rows = []
    laws = None if potential is None else correction.of(store.load(potential).directory)
    for name in chosen or cp2k.systems():
        images = cp2k.read(name)
        own = {label: label for label in ("energy", "forces", "stress")}  # the reference's beside
        system = formats.from_extxyz(paths.DFT / f"{name}.extxyz", keys=own)
        by_dft = (system["energies"], system["forces"], system["virials"])
        predicted = reference = None
        if potential is not None:
            said = evaluation.predict(potential, system)
            predicted = (said.energy, said.force, said.virial)
        if all("reference_energy" in a.info for a in images):
            beside = system.copy()
            beside.data["energies"] = np.array([a.info["reference_energy"] for a in images])
            beside.data["forces"] = np.array([a.arrays["reference_forces"] for a in images])
            beside.data["virials"] = np.array(
                [-a.get_volume() * voigt_6_to_full_3x3_stress(a.info["reference_stress"])
                 for a in images])  # fmt: skip
            if laws:
                beside = correction.corrected(beside, laws, f"the CP2K frames of {name}")
            reference = (beside["energies"], beside["forces"], beside["virials"])
        row = {
            "system": name, "frames": len(images), "atoms": len(images[0]),
            "force_rms_eV_per_A": float(np.sqrt(np.mean(system["forces"] ** 2))),
            "energy_eV_per_atom": float(system["energies"].mean() / len(images[0])),
        }  # fmt: skip
        pairs: dict[str, tuple] = {"reference-CP2K": (reference, by_dft)}
        if predicted is not None:
            pairs |= {
                "potential-CP2K": (predicted, by_dft),
                "potential-reference": (predicted, reference),
            }
        for pair, (a, b) in pairs.items():
            row |= {f"{pair} {k}": v for k, v in _difference(a, b).items()}
        rows.append(row)
    return pd.DataFrame(rows)


def _difference(a: tuple | None, b: tuple | None) -> dict[str, float]:
    """Root mean square differences of two (energies, forces, virials) of the same frames."""
    keys = ("energy_meV_per_atom", "force_eV_per_A", "virial_meV_per_atom")
    if a is None or b is None:
        return dict.fromkeys(keys, np.nan)
    energy, force, virial = (x - y for x, y in zip(a, b, strict=True))
    n_atoms = force.shape[1]
    spread = energy.std() if len(energy) > 1 else np.nan
    values = (
        1e3 * spread / n_atoms,
        np.sqrt(np.mean(force**2)),
        1e3 * np.sqrt(np.mean(virial**2)) / n_atoms,
    )
    return dict(zip(keys, map(float, values), strict=True))


def evaluate(name: str | Path | Potential, evaluated_frames: int = 100) -> dict:
    """Errors of a potential on every set, written to its ``metrics.json``.

    Of a set that it was trained on, the validation frames are used; of any other, all. A set is
    left out if the potential was trained on a copy of it that was split at random, because it has
    seen nearly all of its frames.

    Parameters
    ----------
    name : str, Path or Potential
        The potential.
    evaluated_frames : int
        Largest number of frames of a set, evenly chosen.

    Returns
    -------
    dict
        Set -> errors as from `evaluation.Prediction.metrics`, and ``role``: ``validation``,
        ``test``, or ``unseen`` for a set that is no test by declaration but in no training of this
        potential.
    """
    potential, declared = store.load(name), catalogue.test_sets()
    trained = potential.sets
    seen = {s.removesuffix(dataset.RANDOM) for s in trained if s.endswith(dataset.RANDOM)}
    laws, result = correction.of(potential.directory), {}
    for set_name in dict.fromkeys(
        [*(n for n in dataset.names(imported=False) if n not in seen), *trained]
    ):
        known = set_name in trained
        system = correction.load(set_name, "validation" if known else None, laws)
        errors = evaluation.evaluate(potential, dataset.thinned(system, evaluated_frames))
        role = "validation" if known else "test" if set_name in declared else "unseen"
        result[set_name] = {"role": role, **errors}
    evaluation.write_metrics(potential.inside(store.METRICS), result)
    return result


#: phase -> test sets of ZIF-4 in it; trajectories that no potential is trained on
TEST_SETS = {
    "crystal 300 K": ("test_0300", "reference_0300"),
    "crystal 600–1500 K": ("test_0600_1500", "reference_1200"),
    "crystal 2000–2500 K": ("test_2000", "test_2500"),
    "open": ("opening_test", "test_low_density"),
    "melt": ("test_melt", "melts_test"),
    "glass": ("glasses_test",),
    "glass, as published": ("glasses_published",),
}


def by_phase(metrics: dict[str, dict]) -> pd.DataFrame:
    """Errors of a potential on test sets, by phase.

    Parameters
    ----------
    metrics : dict of str to dict
        Set -> errors, from `metrics`.

    Returns
    -------
    DataFrame
        A row for each phase of `TEST_SETS` that was judged: phase, and `evaluation.of_phase`.
    """
    rows = []
    for phase, names in TEST_SETS.items():
        judged = [metrics[s] for s in names if metrics.get(s, {}).get("role") == "test"]
        if judged:
            rows.append({"phase": phase} | evaluation.of_phase(judged))
    return pd.DataFrame(rows)


#: quenches from melts of which no frame is in any training. Not so `glasses_test`, of whose glass
#: hot frames are in `glasses`, nor `quenched_round_9_test`, of whose melt another quench is
NEW_GLASSES = ("quenched_round_10_test",)
_GLASS_K = 450.0  # a frame of a quench to 300 K is one of the glass below this


def on_new_glasses(potential: str | Path | Potential) -> dict:
    """Errors of a potential on glasses at 300 K whose melts are in no training.

    Parameters
    ----------
    potential : str, Path or Potential
        The potential.

    Returns
    -------
    dict
        As `evaluation.of_phase`; empty if none of `NEW_GLASSES` is here.
    """
    laws, judged = correction.of(store.load(potential).directory), []
    for name in catalogue.test_sets_here():
        if name in NEW_GLASSES:
            system = correction.load(name, None, laws)
            cold = np.flatnonzero(np.ravel(system["temperature_K"]) < _GLASS_K)
            judged.append(evaluation.evaluate(potential, system.sub_system(cold)))
    return evaluation.of_phase(judged) if judged else {}


def beside_cp2k(potential: str | Path | Potential, framework: str = "ZIF-4") -> pd.DataFrame:
    """A potential minus CP2K on the CP2K frames of a framework, with signs.

    Energies are compared as they are: reference and CP2K have the same zero in a framework, but for
    what the law of the volume says (`helpers.frames.correction`).

    Parameters
    ----------
    potential : str, Path or Potential
        The potential.
    framework : str
        Name of the framework.

    Returns
    -------
    DataFrame
        A row for each frame: name, phase, volume_A3_per_atom, energy_off_meV_per_atom,
        pressure_off_GPa, force_rmse_eV_per_A; ``trained``: whether it is a frame of a set that the
        potential was trained on.
    """
    images = cp2k.read(framework)
    sets_of, listed = store.load(potential).sets, dft_list.listed().get(framework, {})
    known = {name for name, entry in listed.items() if entry.set in sets_of}
    own = {label: label for label in ("energy", "forces", "stress")}
    system = formats.from_extxyz(paths.DFT / f"{framework}.extxyz", keys=own)
    said = evaluation.predict(potential, system)
    table = correction.differences(framework, images)[["name", "phase", "volume_A3_per_atom"]]
    volume = np.array([atoms.get_volume() for atoms in images])
    energy = (said.energy - system["energies"]) / len(images[0])
    pressure = np.trace(said.virial - system["virials"], axis1=1, axis2=2) / (3 * volume)
    force = np.sqrt(np.mean((said.force - system["forces"]) ** 2, axis=(1, 2)))
    return table.assign(
        energy_off_meV_per_atom=1e3 * energy,
        pressure_off_GPa=pressure * units.EV_PER_A3_IN_GPA,
        force_rmse_eV_per_A=force,
        trained=table["name"].isin(known),
    )


def by_temperature(
    name: str | Path | Potential, set_name: str, width_K: float = 300.0
) -> pd.DataFrame:
    """Errors of a potential on the frames of a set, in ranges of temperature.

    Intended for frames of a heating run of the potential itself that were labelled afterwards: an
    error there shows that the run visited these structures for the wrong reason.

    Parameters
    ----------
    name : str, Path or Potential
        The potential.
    set_name : str
        The set.
    width_K : float
        Width of a range, K.

    Returns
    -------
    DataFrame
        A row for each range: from_K, to_K, frames, energy_bias_meV_per_atom = <E - E_ref> / N,
        pressure_bias_GPa = <p - p_ref> (NaN without virials), and the errors of
        `evaluation.ERRORS`.

    Raises
    ------
    Unfit
        The frames carry no temperature.
    """
    system = correction.load(set_name, None, correction.of(store.load(name).directory))
    if "temperature_K" not in system.data:
        raise Unfit(
            f"the frames of {set_name} carry no temperature; choose a set of molecular dynamics"
        )
    low = statistics.bins(np.ravel(system["temperature_K"]), width_K, close_end=True)
    rows = []
    for start in np.unique(low):
        some = system.sub_system(np.flatnonzero(low == start))
        found = evaluation.predict(name, some)
        errors = found.metrics()
        bias = 1e3 * (found.energy - found.energy_reference).mean() / len(found.elements)
        rows.append(
            {
                "from_K": start,
                "to_K": start + width_K,
                "frames": errors["n_frames"],
                "energy_bias_meV_per_atom": float(bias),
                "pressure_bias_GPa": _pressure_bias(found, some["cells"]),
                **{key: errors[key] for key in evaluation.ERRORS},
            }
        )
    return pd.DataFrame(rows)


def _pressure_bias(found: evaluation.Prediction, cells: np.ndarray) -> float:
    """Mean of potential minus label, GPa; NaN if the labels have no virial."""
    if found.virial_reference is None:
        return float("nan")
    trace = np.trace(found.virial - found.virial_reference, axis1=1, axis2=2)
    volume = np.abs(np.linalg.det(cells))
    return float(np.mean(trace / (3 * volume)) * units.EV_PER_A3_IN_GPA)


def bias_between(judged: pd.DataFrame, below_K: float, above_K: float) -> float:
    """Rise of the energy bias between low and high temperatures.

    The potential shifts the balance of two phases by this energy.

    Parameters
    ----------
    judged : DataFrame
        Result of `by_temperature`.
    below_K : float
        Ranges that end at or below this temperature (K) are low.
    above_K : float
        Ranges that start at or above this temperature (K) are high.

    Returns
    -------
    float
        Difference of the means over frames, meV/atom; NaN if a side has no frame.
    """
    sides = [judged[judged["to_K"] <= below_K], judged[judged["from_K"] >= above_K]]
    if not all(side["frames"].sum() for side in sides):
        return float("nan")
    low, high = (
        np.average(side["energy_bias_meV_per_atom"], weights=side["frames"]) for side in sides
    )
    return float(high - low)


def over_falls(judged: pd.DataFrame, set_name: str, runs: pd.DataFrame) -> str:
    """How the bias of the energy changes where runs fall whose frames were labelled, in words.

    Parameters
    ----------
    judged : DataFrame
        Result of `by_temperature` for the set.
    set_name : str
        Set of frames of heating runs.
    runs : DataFrame
        Rows of ``outcomes.of_runs``. A run that bears the name of a labelled one, but was made
        anew since, does not count.

    Returns
    -------
    str
        Sentences.
    """
    origin = sets.taken_from(set_name)
    said = [f"Frames of `{set_name}`, from {', '.join(origin)}."]
    for row in runs[runs["key"].isin(list(origin.values()))].dropna(subset="Tf_K").itertuples():
        shift = bias_between(judged, float(row.Tf_K), float(row.fallen_K))
        if np.isfinite(shift):  # else no frame lies below, or none beyond
            said.append(
                f"In {row.name} the bias changes by {shift:+.1f} meV/atom from below the "
                "transition temperature to beyond the fall."
            )
    if len(said) == 1:
        said.append("None of them is from a run of this page that falls.")
    return " ".join(said)


#: phases of `TEST_SETS` on both sides of the fall
_SIDES = ("crystal 600–1500 K", "open")


def crystal_to_open(name: str | Path | Potential, runs: pd.DataFrame) -> dict[str, float]:
    """Change of the energy bias from the crystal to the low density, by all that was labelled.

    The potential shifts the balance of the two by this energy. Who sampled the frames matters, so
    that the ways need not agree.

    Parameters
    ----------
    name : str, Path or Potential
        The potential.
    runs : DataFrame
        Rows of ``outcomes.of_runs``; test sets taken from those that fall are looked at.

    Returns
    -------
    dict of str to float
        What was looked at -> open less crystal, meV/atom; empty if nothing can be.
    """
    found = {}
    phases = {row["phase"]: row for row in by_phase(store.load(name).metrics).to_dict("records")}
    if set(_SIDES) <= set(phases):
        crystal, low = (phases[side]["energy_bias_meV_per_atom"] for side in _SIDES)
        found["the test sets"] = low - crystal
    for set_name in catalogue.test_sets_here():
        origin = list(sets.taken_from(set_name).values())
        for row in runs[runs["key"].isin(origin)].dropna(subset="Tf_K").itertuples():
            judged = by_temperature(name, set_name)
            shift = bias_between(judged, float(row.Tf_K), float(row.fallen_K))
            if np.isfinite(shift):
                found[f"frames of {row.name}"] = shift
    return found


def table(names: Sequence[str], roles: Sequence[str] = ("validation", "test")) -> pd.DataFrame:
    """Errors of several potentials from their ``metrics.json``, averaged over sets by frames.

    Parameters
    ----------
    names : sequence of str
        The potentials.
    roles : sequence of str
        Roles of the sets to be used.

    Returns
    -------
    DataFrame
        A row for each potential and role: potential, role, training_frames (all it was trained on),
        steps, the number of sets and frames, and root-mean-square errors of energy (meV/atom),
        force (eV/A) and virial (meV/atom) over all frames that have the label.
    """
    rows = []
    for name in names:
        made = store.load(name).provenance
        errors = metrics(name).values()
        for role in roles:
            chosen = [e for e in errors if e["role"] == role]
            rows.append(
                {
                    "potential": name,
                    "role": role,
                    "steps": made["recipe"]["steps"],
                    "training_frames": made["training_frames"],
                    "sets": len(chosen),
                    "frames": sum(e["n_frames"] for e in chosen),
                }
                | dict.fromkeys(evaluation.ERRORS, np.nan)
                | evaluation.over_all(chosen)
            )
    return pd.DataFrame(rows)


def as_errors(row: pd.Series) -> dict:
    """A system of `compare` with the names used in ``metrics.json``.

    Parameters
    ----------
    row : Series
        A row of `compare`.

    Returns
    -------
    dict
        Errors and the number of frames.
    """
    keys = {
        "energy": "energy_rmse_meV_per_atom",
        "force": "force_rmse_eV_per_A",
        "virial": "virial_rmse_meV_per_atom",
    }
    units = {"energy": "meV_per_atom", "force": "eV_per_A", "virial": "meV_per_atom"}
    errors = {keys[q]: float(row[f"potential-CP2K {q}_{units[q]}"]) for q in keys}
    share = 1e-3 * errors["energy_rmse_meV_per_atom"] / abs(row["energy_eV_per_atom"])
    errors["energy_relative_percent"] = 100 * share
    return {k: v for k, v in errors.items() if np.isfinite(v)} | {
        "n_frames": int(row["frames"]), "force_rms_eV_per_A": float(row["force_rms_eV_per_A"]),
    }  # fmt: skip


def metrics(name: str | Path | Potential) -> dict:
    """``metrics.json`` of a potential.

    Of one whose weights are no longer shipped its errors may still be: ``errors-<name>`` in
    ``data/validation``.

    Parameters
    ----------
    name : str, Path or Potential
        The potential.

    Returns
    -------
    dict
        Set -> errors.

    Raises
    ------
    BadRecipe
        It was not evaluated on all sets (a training itself writes those of its own validation).
    """
    try:
        potential = store.load(name)
    except store.BadPotential:
        kept = paths.shipped("validation") / f"errors-{name}" / store.METRICS
        if isinstance(name, str) and kept.is_file():
            return json.loads(kept.read_text())
        raise
    potential.inside(store.METRICS)
    result = potential.metrics
    if not result or not all("role" in errors for errors in result.values()):
        raise catalogue.BadRecipe(
            f"{paths.relative(potential)} was not evaluated: make evaluate POTENTIAL={name}"
        )
    return result


def evaluated(names: Sequence[str]) -> list[str]:
    """Those potentials that are present and have been evaluated, each once.

    Parameters
    ----------
    names : sequence of str
        Names of potentials.

    Returns
    -------
    list of str
        The names that remain.
    """
    found = []
    for name in dict.fromkeys(names):
        try:
            metrics(name)
        except (catalogue.BadRecipe, store.BadPotential) as missing:
            print(f"left out: {missing}")
        else:
            found.append(name)
    return found
