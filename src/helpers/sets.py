"""From a recipe in ``data/sets.yaml`` to a set of labelled frames, by one call.

A set is sampled (by the reference itself, by a relaxation, by an earlier potential, or by a heating
run), labelled by the reference, and packed. Sampling and labels lie in ``build/sampling/<set>`` and
are resumable; the finished set is ``build/frames/<set>`` unless it is shipped.

Concurrent learning in the manner of DP-GEN (Zhang et al., Comput. Phys. Commun. 253, 107206 (2020))
is written as such recipes: the potential of a round samples what the next one is trained on. dpgen
itself wants a queue, a scratch machine and VASP- or CP2K-like labels; on two cores a round is three
commands.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import yaml
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.stress import voigt_6_to_full_3x3_strain
from tqdm import tqdm

from helpers import (
    frame_checks,
    frames,
    ladder,
    models,
    outputs,
    paths,
    provenance,
    reference,
    sampling,
    structures,
    trajectory,
)
from helpers.errors import nearest

STRUCTURES_VARIABLE = "ZIF4_STRUCTURES"
EXTERNAL = {
    **{f"glass{i:02d}": f"aZIF-4_AIMD-glass{i:02d}_Gaillac2020.extxyz" for i in range(1, 6)},
    "Znim2-SOD": "SOD-Znim2_SALEM-2_PBE-D3opt_Durholt2019.extxyz",
    "ZIF-8": "ZIF-8_CH3_PBE-D3opt_Durholt2019.extxyz",
    "ZIF-62": "ZIF-62_im1.75bim0.25_ordered_DFTopt_Widmer2019.extxyz",
}
LEVEL = "NequIP potential fitted to CP2K PBE-D3 molecular dynamics; not DFT itself"

# A potential on trial leaves what it knows sooner or later. Its frames are worth a label until
# then: farther than these distances (A), no force above, no hotter than.
GUARD_DISTANCES = {
    ("H", "H"): 1.2, ("C", "H"): 0.85, ("C", "C"): 1.1, ("C", "N"): 1.05, ("N", "N"): 1.7,
    ("H", "N"): 1.5, ("N", "Zn"): 1.55, ("Zn", "Zn"): 2.4, ("C", "Zn"): 1.9, ("H", "Zn"): 1.7,
}  # fmt: skip
GUARD_FORCE, GUARD_TEMPERATURE = 18.0, 4500.0  # eV/A, K
# What the label says of such a frame: these forces (eV/A), and this error of the sampler's.
WORTH_FORCE, WORTH_ERROR = 25.0, 2.7


_ORIGIN = "origin.json"


class BadRecipe(ValueError):
    """A set that ``data/sets.yaml`` does not know, or an entry of it that makes no sense."""


@dataclass(frozen=True)
class Recipe:
    """An entry of ``data/sets.yaml``.

    what: description. sampler: ``reference`` (molecular dynamics, every step a label),
    ``relaxation`` (BFGS by the reference, every step a label), ``runs`` (frames of heating runs),
    or the name of a potential (molecular dynamics until the guard objects; then labels). runs: name
    -> fields of :class:`helpers.sampling.Ramp` and ``start``; of a relaxation ``start``, ``strain``
    (of all lengths), ``fmax`` (eV/A), ``steps``; of both ``strain_voigt``, six strains (xx, yy, zz,
    yz, xz, xy; shear as 2 e_ij, as in `helpers.elastic`) of the start's cell; of heating runs
    ``frames``, how many, evenly
    chosen, from the first one at ``from_K`` on. common: fields that all runs share. keep_every:
    stride in labelled steps. n_blocks, validation_share: of the split. test: no potential may be
    trained on it.
    """

    what: str
    sampler: str
    runs: dict
    common: dict = field(default_factory=dict)
    keep_every: int = 1
    n_blocks: int = 10
    validation_share: float = 0.2
    test: bool = False


def recipes() -> dict[str, Recipe]:
    """All entries of ``data/sets.yaml`` by name."""
    try:
        table = yaml.safe_load(paths.SETS.read_text())
        return {name: Recipe(**entry) for name, entry in table.items()}
    except (yaml.YAMLError, TypeError) as error:
        raise BadRecipe(f"{paths.relative(paths.SETS)}: {error}") from error


def recipe(name: str) -> Recipe:
    """The recipe of a set.

    Raises
    ------
    BadRecipe
        no such set; the message names the nearest one.
    """
    known = recipes()
    if name not in known:
        raise BadRecipe(
            f"{paths.relative(paths.SETS)} has no set {name!r}{nearest(name, known)} "
            f"(there are: {', '.join(known)})"
        )
    return known[name]


def tests() -> list[str]:
    """Names of the sets that no potential is trained on."""
    return [name for name, r in recipes().items() if r.test]


def make(name: str, *, again: bool = False, calculator: Calculator | None = None) -> Path:
    """The set ``name``: found (shipped or made here), resumed, or made. Returns its directory.

    again: make it here even though it is shipped. calculator: what labels (and, where the sampler
    is the reference, what samples) instead of the reference, e.g. ASE's of VASP or CP2K.

    Raises
    ------
    BadRecipe
        see :func:`recipe`; a start that does not exist; a set or labels that are there, but were
        made by another recipe.
    reference.ReferenceUnavailable
        the labeller is not installed.
    frames.BadFrames
        the result does not pass the checks.
    """
    plan = recipe(name)
    target = paths.made("frames", name)
    for found in [target] if again else [paths.shipped("frames", name), target]:
        if (found / provenance.FILE).is_file():
            if changed := _changed(found, plan):
                raise BadRecipe(
                    f"{paths.relative(found)} was made by another recipe than {name!r} of "
                    f"{paths.relative(paths.SETS)} is now ({', '.join(changed)}); give the new "
                    f"recipe a new name, or remove the set to make it again"
                )
            provenance.announce("reused", found, "made before")
            return found
    files = {run: labels(name, run, calculator) for run in plan.runs}
    origins = {run: json.loads((file.parent / _ORIGIN).read_text()) for run, file in files.items()}
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
    """How far the sampler of each set was from the label: the progress of concurrent learning.

    One row a frame of those sets that a potential sampled: sampler (which potential), set, run,
    force_rmse_eV_per_A (sampler against label, over atoms and components of the frame).
    """
    rows = []
    for name in names:
        said = provenance.read(frames.locate(name)).get("sampling", {})
        for run, errors in said.get("sampler_force_rmse_eV_per_A", {}).items():
            rows += [(said["sampler"], name, run, error) for error in errors]
    columns = ["sampler", "set", "run", "force_rmse_eV_per_A"]
    return pd.DataFrame(rows, columns=columns).sort_values("sampler", ignore_index=True)


def _changed(directory: Path, plan: Recipe) -> list[str]:
    """Fields in which a finished set differs from its recipe of today."""
    made = provenance.read(directory)
    said = made["sampling"] | made["recipe"]
    fields = ["keep_every", "n_blocks", "validation_share"]
    if "common" in said:  # sets of the first days told their runs in another form
        fields += ["sampler", "runs", "common"]
    wanted = json.loads(json.dumps({field: getattr(plan, field) for field in fields}))
    return [field for field in fields if said.get(field) != wanted[field]]


def described(plan: Recipe, origins: dict[str, dict]) -> dict:
    """The sampling of a set as its provenance tells it; origins: what `labels` wrote, by run."""
    method = {
        "reference": "molecular dynamics driven by the reference itself, every step labelled",
        "relaxation": "BFGS relaxation by the reference, every step labelled",
        "runs": "frames of heating runs, labelled by the reference",
    }.get(plan.sampler, "molecular dynamics by a potential until a guard objected, then labelled")
    said = {"method": method, "sampler": plan.sampler, "runs": plan.runs,
            "common": plan.common}
    if plan.sampler == "runs":
        said["run_keys"] = {run: origin["run_key"] for run, origin in origins.items()}
    elif plan.sampler not in ("reference", "relaxation"):
        (said["sampler_sha256"],) = {origin["sampler_sha256"] for origin in origins.values()}
    return said


def _origin(plan: Recipe, run: str, calculator: Calculator | None) -> dict:
    """All that determines the labelled frames of a run, sampler and heating run by content."""
    origin = {
        "sampler": plan.sampler, "options": plan.common | plan.runs[run],
        "labels": reference.SHA256 if calculator is None else type(calculator).__name__,
    }  # fmt: skip
    if plan.sampler == "runs":
        origin["run_key"] = provenance.key(ladder.recipe(run).recipe())
    elif plan.sampler not in ("reference", "relaxation"):
        frozen = models.load_potential(plan.sampler) / models.FROZEN
        origin["sampler_sha256"] = provenance.sha256(frozen)
    return json.loads(json.dumps(origin))


def _claim(folder: Path, origin: dict) -> None:
    """Write down what the frames of a folder are of, or refuse those that are of something else."""
    file = folder / _ORIGIN
    if not any(f for f in folder.glob("[!.]*") if f != file):
        file.write_text(json.dumps(origin, indent=1) + "\n")
        return
    known = json.loads(file.read_text()) if file.is_file() else {}
    if changed := sorted(k for k in known | origin if known.get(k) != origin.get(k)):
        what = f"are of another recipe ({', '.join(changed)})" if known else "do not say of what"
        raise BadRecipe(f"{paths.relative(folder)}: the frames there {what}; remove the folder to "
                        f"make them again, or give the set a new name")


def taken_from(name: str) -> dict[str, str]:
    """Heating runs that the frames of a set were taken from: name -> key of its recipe.

    Empty for a set that was sampled otherwise. The key tells whether a run that has this name today
    (after its potential was trained anew, say) is still the one that was labelled.
    """
    return provenance.read(frames.locate(name)).get("sampling", {}).get("run_keys", {})


def _judged(files: dict[str, Path]) -> dict:
    """How far the sampler was from the label, frame by frame: the progress of the rounds."""
    errors = {}
    for run, file in files.items():
        images = ase.io.read(file, index=":")
        if all("dp_force_rmse" in a.info for a in images):
            errors[run] = [round(float(a.info["dp_force_rmse"]), 3) for a in images]
    return {"sampler_force_rmse_eV_per_A": errors} if errors else {}


def labels(name: str, run: str, calculator: Calculator | None = None) -> Path:
    """The labelled trajectory (extxyz) of one sampling run of a set: found, resumed, or made.

    It is empty where the guard, or the label, refused every frame. ``origin.json`` beside it says
    what it was made with.

    Raises
    ------
    BadRecipe
        see :func:`recipe`; frames are there, but of another recipe, potential or heating run.
    """
    plan = recipe(name)
    if run not in plan.runs:
        raise BadRecipe(f"set {name!r} has no run {run!r}; it has: {', '.join(plan.runs)}")
    folder = paths.BUILD / "sampling" / name / run
    final, origin = folder / "labelled.extxyz", _origin(plan, run, calculator)
    if final.is_file():
        _claim(folder, origin)
        provenance.announce("reused", final, "labelled before")
        return final
    with provenance.lock(folder):
        _claim(folder, origin)
        part = folder / "trajectory.extxyz"
        options = plan.common | plan.runs[run]
        if plan.sampler == "relaxation":
            atoms = _begin(options, calculator)
            strain = options.pop("strain", 0.0)
            atoms.set_cell(atoms.cell.array * (1 + strain), scale_atoms=True)
            sampling.relax(atoms, calculator or reference.Reference(), part, **options)
        elif plan.sampler == "reference":
            atoms = _begin(options, calculator)
            sampling.run(atoms, _ramp(options), calculator or reference.Reference(), part)
        else:
            source = folder / "sampled.extxyz"
            if plan.sampler == "runs":
                _take(run, source, **options)
            elif not (folder / "sampled").is_file():
                start = _begin(options, calculator)
                _explore(plan.sampler, start, _ramp(options), source)
                (folder / "sampled").touch()
            _label(source, part, calculator or reference.Reference())
        part.rename(final)
    return final


def _ramp(options: dict) -> sampling.Ramp:
    try:
        return sampling.Ramp(**{k: tuple(v) if isinstance(v, list) else v
                                for k, v in options.items()})
    except TypeError as error:
        raise BadRecipe(f"{paths.relative(paths.SETS)}: {error}") from error


def _begin(options: dict, calculator: Calculator | None) -> Atoms:
    """The start of a run, strained as it is wanted; takes both fields out of the options."""
    atoms = start_of(options.pop("start"), calculator)
    # ASE's "strain" is the whole deformation, 1 + e
    deformation = voigt_6_to_full_3x3_strain(options.pop("strain_voigt", np.zeros(6)))
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    return atoms


def start_of(text: str, calculator: Calculator | None = None) -> Atoms:
    """``ZIF-4`` (shipped), ``glass01`` (external), or ``set/run@frame`` of another set."""
    if "@" in text:
        where, _, index = text.partition("@")
        return _bare(ase.io.read(labels(*where.split("/"), calculator), index=int(index)))
    if text in EXTERNAL:
        return _bare(ase.io.read(external(text)))
    return structures.load(text)


def _bare(atoms: Atoms) -> Atoms:
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)


def external(name: str) -> Path:
    """A published structure that is not shipped, in the folder that ``$ZIF4_STRUCTURES`` names.

    Raises
    ------
    BadRecipe
        no such file there; the message says where it was published.
    """
    file = Path(os.environ.get(STRUCTURES_VARIABLE, ""), EXTERNAL[name])
    if not file.is_file():
        raise BadRecipe(
            f"{name} starts from {EXTERNAL[name]}: put it (extended XYZ, from "
            f"github.com/fxcoudert/citable-data, folders 013, 107, 109, 113, 129, CC BY 4.0) into "
            f"a folder and name that in ${STRUCTURES_VARIABLE}"
        )
    return file


def unphysical(atoms: Atoms) -> str | None:
    """What says that a potential has left physics, in a frame with its forces; None if nothing."""
    from ase.neighborlist import neighbor_list

    closest = neighbor_list("d", atoms, GUARD_DISTANCES)
    if len(closest):
        return f"two atoms at {closest.min():.2f} A"
    force = np.abs(atoms.get_forces()).max()
    if force > GUARD_FORCE:
        return f"a force of {force:.0f} eV/A"
    if atoms.get_temperature() > GUARD_TEMPERATURE:
        return f"{atoms.get_temperature():.0f} K"
    return None


def _explore(potential: str, start: Atoms, ramp: sampling.Ramp, path: Path) -> None:
    from deepmd.calculator import DP

    calculator = DP(model=str(models.compress(potential)))
    try:
        sampling.run(start, ramp, calculator, path, guard=unphysical)
    except sampling.Unphysical as end:
        print(f"{end}: the frames before are kept", flush=True)


def _take(run: str, path: Path, *, frames: int, from_K: float = 0.0) -> None:
    """Evenly chosen frames of a heating run, the first left out, as extxyz.

    frames: how many, the first one counted; from_K: none before the run is this hot.
    """
    whole = trajectory.read(ladder.run(run))
    if not (hot := np.flatnonzero(whole.temperatures_K >= from_K)).size:
        raise BadRecipe(f"the run {run} has no frame at {from_K:g} K; see from_K")
    volume = structures.load("ZIF-4").get_volume()
    frames_ = []
    for i in np.linspace(hot[0], len(whole) - 1, frames).round().astype(int)[1:]:
        frame = whole.atoms(i)
        frame.wrap()
        frame.info = {
            "step": int(whole.steps[i]), "temperature_K": float(whole.temperatures_K[i]),
            "strain": float((frame.get_volume() / volume) ** (1 / 3) - 1),
        }  # fmt: skip
        frames_.append(frame)
    ase.io.write(path, frames_, format="extxyz")


def _label(source: Path, target: Path, calculator: Calculator) -> None:
    """Frames of ``source`` with the reference's labels appended to ``target``, from where it ends.

    The first frame of a sampling run is its start, which is no news; frames whose label shows
    that the sampler was lost are left out, and the first whose error is beyond all use ends it.
    """
    done = sampling.whole_frames(target)
    target.touch()
    wanted = [f for f in sampling.whole_frames(source) if f.info["step"] > 0]
    have = {f.info["step"] for f in done}
    for frame in tqdm(wanted, desc=f"label {source.parent.name}", unit="frame"):
        if frame.info["step"] in have:
            continue
        labelled = reference.label(_bare(frame), calculator)
        labelled.info = dict(frame.info)
        if frame.calc is not None:
            error = frame.get_forces() - labelled.get_forces()
            labelled.info["dp_force_rmse"] = float(np.sqrt(np.mean(error**2)))
        if labelled.info.get("dp_force_rmse", 0) > WORTH_ERROR:
            break
        if np.abs(labelled.get_forces()).max() < WORTH_FORCE:
            ase.io.write(target, labelled, format="extxyz", append=True)


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
    """Trajectories of labelled steps (extxyz) -> the checked set ``data/frames/<name>``.

    Several trajectories of the same atoms are joined in the given order; ``start``, ``stop`` and
    ``keep_every`` hold for each. limits: passed on to `frame_checks.check`. Returns the
    set's directory.
    """
    files = (
        [Path(trajectory)] if isinstance(trajectory, str | Path) else list(map(Path, trajectory))
    )
    system = frames.joined([outputs.from_extxyz(file, keep_every, start, stop) for file in files])
    frame_checks.check(system, **limits)
    inputs = {file.parent.name + "/" + file.name: provenance.sha256(file) for file in files}
    recipe = {
        "trajectories": list(inputs.values()), "keep_every": keep_every, "start": start,
        "stop": stop, "n_blocks": n_blocks, "validation_share": validation_share,
    }  # fmt: skip
    target = frames.save(
        system, directory or paths.shipped("frames", name),
        frames.split_blocks(len(system), min(n_blocks, len(system)), validation_share),
        description=description, recipe=recipe, inputs=inputs, sampling=sampling,
        level_of_theory=level_of_theory, source=source, overwrite=overwrite,
    )  # fmt: skip
    provenance.announce("made", target, f"{len(system)} frames of {system.get_natoms()} atoms")
    return target
