"""Sets of labelled frames by their recipes in ``data/sets.yaml``.

A set is sampled (by the reference itself, by a relaxation, by an earlier potential, or by a heating
run), labelled by the reference, and packed. Sampling and labels are in ``build/sampling/<set>`` and
can be resumed; the finished set is ``build/frames/<set>`` unless it is shipped.

Concurrent learning in the manner of DP-GEN (Zhang et al., Comput. Phys. Commun. 253, 107206 (2020))
is expressed by such recipes: the potential of one round samples what the next one is trained on.
dpgen itself needs a queue, a scratch machine and labels as from VASP or CP2K; on two cores a round
is three commands.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import ase.io
import pandas as pd
from ase.calculators.calculator import Calculator

from helpers import paths, provenance
from helpers.frames import checks, dataset, formats, reference
from helpers.recipes import catalogue, labelling

LEVEL = "NequIP potential fitted to CP2K PBE-D3 molecular dynamics; not DFT itself"


def make(name: str, *, again: bool = False, calculator: Calculator | None = None) -> Path:
    """A set by its name: found (shipped or made here), resumed, or made.

    Parameters
    ----------
    name : str
        Name of the set.
    again : bool
        Whether to make it here even if it is shipped.
    calculator : Calculator, optional
        Calculator of the labels (and, if the sampler is the reference, of the sampling) in place of
        the reference, such as ASE's of VASP or CP2K.

    Returns
    -------
    Path
        Directory of the set.

    Raises
    ------
    BadRecipe
        There is no such set or start, or a set or labels are present that were made from another
        recipe.
    ReferenceUnavailable
        The reference is not installed.
    BadFrames
        The result does not pass the checks.
    """
    plan = catalogue.set_recipe(name)
    target = paths.made("frames", name)
    for found in [target] if again else [paths.shipped("frames", name), target]:
        if (found / provenance.FILE).is_file():
            if changed := _changed(found, plan):
                raise catalogue.BadRecipe(
                    f"{paths.relative(found)} was made by another recipe than {name!r} of "
                    f"{paths.relative(paths.SETS)} is now ({', '.join(changed)}); give the new "
                    f"recipe a new name, or remove the set to make it again"
                )
            provenance.announce("reused", found, "made before")
            return found
    for run, own in plan.runs.items():  # what is missing is told before hours of sampling
        start = (plan.common | own).get("start", "")
        if plan.sampler == "runs":
            catalogue.run_recipe(run)
        elif "@" not in start:
            labelling.start_of(start)
    files = {run: labelling.labels(name, run, calculator) for run in plan.runs}
    origins = {
        run: json.loads((file.parent / labelling.ORIGIN).read_text()) for run, file in files.items()
    }
    files = {run: file for run, file in files.items() if file.stat().st_size}
    level, source = LEVEL, reference.SOURCE
    if calculator is not None:
        level = source = f"ASE calculator {type(calculator).__name__}"
    return pack(
        list(files.values()), name, directory=target, description=plan.what,
        sampling=described(plan, origins) | _judged(files), level_of_theory=level, source=source,
        keep_every=plan.keep_every, n_blocks=plan.n_blocks,
        validation_share=plan.validation_share,
    )  # fmt: skip


def rounds(names: Sequence[str]) -> pd.DataFrame:
    """Difference between the sampler of each set and the labels, the progress of active learning.

    Parameters
    ----------
    names : sequence of str
        Names of sets; those that a potential sampled are used.

    Returns
    -------
    DataFrame
        A row for each frame: sampler (the potential), set, run, force_rmse_eV_per_A (over atoms and
        components of the frame).
    """
    rows = []
    for name in names:
        said = provenance.read(dataset.locate(name)).get("sampling", {})
        for run, errors in said.get("sampler_force_rmse_eV_per_A", {}).items():
            rows += [(said["sampler"], name, run, error) for error in errors]
    columns = ["sampler", "set", "run", "force_rmse_eV_per_A"]
    return pd.DataFrame(rows, columns=columns).sort_values("sampler", ignore_index=True)


def _changed(directory: Path, plan: catalogue.SetRecipe) -> list[str]:
    """Fields in which a finished set differs from its recipe of today."""
    made = provenance.read(directory)
    said = made["sampling"] | made["recipe"]
    fields = ["keep_every", "n_blocks", "validation_share"]
    if "common" in said:  # sets of the first days told their runs in another form
        fields += ["sampler", "runs", "common"]
    wanted = json.loads(json.dumps({field: getattr(plan, field) for field in fields}))
    return [field for field in fields if said.get(field) != wanted[field]]


def described(plan: catalogue.SetRecipe, origins: dict[str, dict]) -> dict:
    """The sampling of a set as recorded in its provenance.

    Parameters
    ----------
    plan : SetRecipe
        The recipe.
    origins : dict of str to dict
        Run -> ``origin.json`` from `labels`.

    Returns
    -------
    dict
        Plain data.
    """
    method = {
        "reference": "molecular dynamics driven by the reference itself, every step labelled",
        "relaxation": "BFGS relaxation by the reference, every step labelled",
        "runs": "frames of heating runs, labelled by the reference",
    }.get(plan.sampler, "molecular dynamics by a potential until a guard objected, then labelled")
    said = {"method": method, "sampler": plan.sampler, "runs": plan.runs, "common": plan.common}
    if elsewhere := {o["labelled_on"] for o in origins.values() if "labelled_on" in o}:
        said["labelled_on"] = ", ".join(sorted(elsewhere))
    if plan.sampler == "runs":
        said["run_keys"] = {run: origin["run_key"] for run, origin in origins.items()}
    elif plan.sampler not in ("reference", "relaxation"):
        (said["sampler_sha256"],) = {origin["sampler_sha256"] for origin in origins.values()}
    return said


def taken_from(name: str) -> dict[str, str]:
    """Heating runs from which the frames of a set were taken.

    The key shows whether a run that has this name today (after a new training of its potential,
    say) is still the one that was labelled.

    Parameters
    ----------
    name : str
        Name of the set.

    Returns
    -------
    dict of str to str
        Run -> key of its recipe; empty for a set that was sampled otherwise.
    """
    return provenance.read(dataset.locate(name)).get("sampling", {}).get("run_keys", {})


def _judged(files: dict[str, Path]) -> dict:
    """How far the sampler was from the label, frame by frame: the progress of the rounds."""
    errors = {}
    for run, file in files.items():
        images = ase.io.read(file, index=":")
        if all("dp_force_rmse" in a.info for a in images):
            errors[run] = [round(float(a.info["dp_force_rmse"]), 3) for a in images]
    return {"sampler_force_rmse_eV_per_A": errors} if errors else {}


def pack(
    trajectory: Path | Sequence[Path],
    name: str,
    *,
    description: str,
    sampling: dict,
    level_of_theory: str,
    source: str,
    keep_every: int = 1,
    start: int = 0,
    stop: int | None = None,
    n_blocks: int = 10,
    validation_share: float = 0.2,
    directory: Path | None = None,
    overwrite: bool = False,
    **limits,
) -> Path:
    """Make a checked set of frames from trajectories of labelled steps.

    Several trajectories of the same atoms are joined in the given order.

    Parameters
    ----------
    trajectory : Path or sequence of Path
        Trajectories (extxyz).
    name : str
        Name of the set.
    description : str
        What it holds, for a reader.
    sampling : dict
        How it was sampled, as plain data.
    level_of_theory : str
        Level of theory of the labels.
    source : str
        Where the labels come from.
    keep_every : int
        Interval in frames, for each trajectory.
    start : int
        First frame, for each trajectory.
    stop : int, optional
        End of the range of frames, for each trajectory.
    n_blocks : int
        Blocks of the split.
    validation_share : float
        Share of the validation frames.
    directory : Path, optional
        Where to write; by default ``data/frames/<name>``.
    overwrite : bool
        Whether an existing set may be replaced.
    **limits
        Passed to `checks.check`.

    Returns
    -------
    Path
        Directory of the set.

    Raises
    ------
    BadFrames
        As `checks.check`.
    AlreadyThere
        The set exists and ``overwrite`` is not given.
    """
    files = (
        [Path(trajectory)] if isinstance(trajectory, str | Path) else list(map(Path, trajectory))
    )
    system = dataset.joined([formats.from_extxyz(file, keep_every, start, stop) for file in files])
    checks.check(system, **limits)
    inputs = {file.parent.name + "/" + file.name: provenance.sha256(file) for file in files}
    recipe = {
        "trajectories": list(inputs.values()), "keep_every": keep_every, "start": start,
        "stop": stop, "n_blocks": n_blocks, "validation_share": validation_share,
    }  # fmt: skip
    target = dataset.save(
        system, directory or paths.shipped("frames", name),
        dataset.split_blocks(len(system), min(n_blocks, len(system)), validation_share),
        description=description, recipe=recipe, inputs=inputs, sampling=sampling,
        level_of_theory=level_of_theory, source=source, overwrite=overwrite,
    )  # fmt: skip
    provenance.announce("made", target, f"{len(system)} frames of {system.get_natoms()} atoms")
    return target
