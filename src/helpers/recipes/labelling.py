"""The labelled trajectories from which a set is packed: sampled, labelled, resumed.

A trajectory is sampled by the reference itself, by a relaxation, by a potential until a guard
objects, or taken from a heating run. It is kept in ``build/sampling/<set>/<run>``, with its origin
in ``origin.json``.

Units: A, eV/A, K.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_strain

from helpers import paths, provenance, settings, structures, waiting
from helpers.frames import checks, reference, sampling
from helpers.potentials import conversion, store
from helpers.recipes import catalogue, runs

EXTERNAL = {
    **{f"glass{i:02d}": f"aZIF-4_AIMD-glass{i:02d}_Gaillac2020.extxyz" for i in range(1, 6)},
    "Znim2-SOD": "SOD-Znim2_SALEM-2_PBE-D3opt_Durholt2019.extxyz",
    "ZIF-8": "ZIF-8_CH3_PBE-D3opt_Durholt2019.extxyz",
    "ZIF-62": "ZIF-62_im1.75bim0.25_ordered_DFTopt_Widmer2019.extxyz",
}

# A potential on trial leaves what it knows sooner or later. Its frames are worth a label until
# then: farther than these distances (A), no force above, no hotter than.
GUARD_DISTANCES = {
    ("H", "H"): 1.2, ("C", "H"): 0.85, ("C", "C"): 1.1, ("C", "N"): 1.05, ("N", "N"): 1.7,
    ("H", "N"): 1.5, ("N", "Zn"): 1.55, ("Zn", "Zn"): 2.4, ("C", "Zn"): 1.9, ("H", "Zn"): 1.7,
}  # fmt: skip
GUARD_FORCE, GUARD_TEMPERATURE = 18.0, 4500.0  # eV/A, K
# Frames of heating runs are hot, and trusted farther: what the checks of a set allow, and two Zn no
# closer than the reference knows them.
RUN_DISTANCES = checks.MINIMUM_DISTANCES | {("Zn", "Zn"): 2.2}
# What the label says of such a frame: these forces (eV/A), and this error of the sampler's.
WORTH_FORCE, WORTH_ERROR = 25.0, 2.7


ORIGIN = "origin.json"
_WHERE = "labelled_on"  # of an origin: a machine other than this one


def _origin(plan: catalogue.SetRecipe, run: str, calculator: Calculator | None) -> dict:
    """All that determines the labelled frames of a run, sampler and heating run by content."""
    origin = {
        "sampler": plan.sampler, "options": plan.common | plan.runs[run],
        "labels": reference.SHA256 if calculator is None else type(calculator).__name__,
    }  # fmt: skip
    if plan.sampler == "runs":
        origin["run_key"] = provenance.key(catalogue.run_recipe(run).recipe())
    elif plan.sampler not in ("reference", "relaxation"):
        origin["sampler_sha256"] = store.load(plan.sampler).sha256
    return json.loads(json.dumps(origin))


def _claim(folder: Path, origin: dict) -> None:
    """Write down what the frames of a folder are of, or refuse those that are of something else."""
    file = folder / ORIGIN
    if not any(f for f in folder.glob("[!.]*") if f != file):
        provenance.write_text(file, json.dumps(origin, indent=1) + "\n")
        return
    known = json.loads(file.read_text()) if file.is_file() else {}
    known.pop(_WHERE, None)
    if changed := sorted(k for k in known | origin if known.get(k) != origin.get(k)):
        what = f"are of another recipe ({', '.join(changed)})" if known else "do not say of what"
        raise catalogue.BadRecipe(
            f"{paths.relative(folder)}: the frames there {what}; remove the folder to "
            f"make them again, or give the set a new name"
        )


def labels(name: str, run: str, calculator: Calculator | None = None) -> Path:
    """The labelled trajectory of one sampling run of a set: found, resumed, or made.

    It is empty if the guard or the labels refused every frame. ``origin.json`` next to it says how
    it was made.

    Parameters
    ----------
    name : str
        Name of the set.
    run : str
        Name of the run.
    calculator : Calculator, optional
        Calculator of the labels; by default the reference.

    Returns
    -------
    Path
        The trajectory (extxyz).

    Raises
    ------
    BadRecipe
        There is no such set or run, or frames are present that were made from another recipe,
        potential or heating run.
    """
    plan = catalogue.set_recipe(name)
    if run not in plan.runs:
        raise catalogue.BadRecipe(
            f"set {name!r} has no run {run!r}; it has: {', '.join(plan.runs)}"
        )
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
            source = _sampled(plan, run, folder, calculator)
            worth = options.get("worth_force_eV_per_A", WORTH_FORCE)
            _label(source, part, calculator or reference.Reference(), worth)
        part.rename(final)
    return final


def sampled(name: str, run: str) -> Path:
    """The structures of one sampling run of a set before their labels: found, resumed, or made.

    Parameters
    ----------
    name : str
        Name of the set; its sampler is a potential, or runs.
    run : str
        Name of the run.

    Returns
    -------
    Path
        The structures (extxyz).

    Raises
    ------
    BadRecipe
        As `labels`; or the reference samples this set itself, and every step is labelled.
    """
    plan = catalogue.set_recipe(name)
    if plan.sampler in ("reference", "relaxation"):
        raise catalogue.BadRecipe(
            f"the reference itself samples set {name!r}: nothing is left to label afterwards; "
            f"make it by `zif4 frames {name}`"
        )
    folder = paths.BUILD / "sampling" / name / run
    with provenance.lock(folder):
        _claim(folder, _origin(plan, run, None))
        return _sampled(plan, run, folder, None)


def _sampled(
    plan: catalogue.SetRecipe, run: str, folder: Path, calculator: Calculator | None
) -> Path:
    source, done = folder / "sampled.extxyz", folder / "sampled"
    if done.is_file():
        return source
    options = plan.common | plan.runs[run]
    options.pop("worth_force_eV_per_A", None)
    if plan.sampler == "runs":
        _take(run, source, **options)
    else:
        start = _begin(options, calculator)
        _explore(plan.sampler, start, _ramp(options), source)
    done.touch()
    return source


def take(name: str, run: str, found: dict[str, np.ndarray], where: str) -> Path:
    """Put labels that were made on another machine where `labels` finds them.

    Parameters
    ----------
    name : str
        Name of the set.
    run : str
        Name of its run.
    found : dict of str to ndarray
        ``energies`` (frames; eV), ``forces`` (frames x atoms x 3; eV/A) and ``stresses`` (frames x
        3 x 3; eV/A^3) of the frames of `sampled` with a step above 0, in their order.
    where : str
        The machine, for ``origin.json``.

    Returns
    -------
    Path
        The labelled trajectory (extxyz).

    Raises
    ------
    BadRecipe
        As `sampled`; or there are more or fewer labels than frames.
    """
    plan = catalogue.set_recipe(name)
    folder = paths.BUILD / "sampling" / name / run
    frames = [f for f in sampling.whole_frames(sampled(name, run)) if f.info["step"] > 0]
    if len(frames) != len(found["energies"]):
        raise catalogue.BadRecipe(
            f"{paths.relative(folder)} has {len(frames)} frames and {len(found['energies'])} "
            f"labels came for them; label what is there now"
        )
    made = _Made(found)
    part = folder / "trajectory.extxyz"
    with provenance.lock(folder):
        part.unlink(missing_ok=True)
        worth = plan.common | plan.runs[run]
        _label(
            folder / "sampled.extxyz", part, made, worth.get("worth_force_eV_per_A", WORTH_FORCE)
        )
        origin = _origin(plan, run, None) | {_WHERE: where}
        provenance.write_text(folder / ORIGIN, json.dumps(origin, indent=1) + "\n")
        part.rename(folder / "labelled.extxyz")
    return folder / "labelled.extxyz"


class _Made(Calculator):
    """Labels that are there already, one frame after the other."""

    def __init__(self, found: dict[str, np.ndarray]):
        super().__init__()
        self.found, self.frame = found, 0

    def calculate(self, atoms=None, properties=None, system_changes=()):
        stress = self.found["stresses"][self.frame]
        self.results = {
            "energy": float(self.found["energies"][self.frame]),
            "forces": self.found["forces"][self.frame].astype(float),
            "stress": full_3x3_to_voigt_6_stress(stress.astype(float)),
        }
        self.frame += 1


def _ramp(options: dict) -> sampling.Ramp:
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    try:
        return sampling.Ramp(**given)
    except TypeError as error:
        raise catalogue.BadRecipe(f"{paths.relative(paths.SETS)}: {error}") from error


def _begin(options: dict, calculator: Calculator | None) -> Atoms:
    """The start of a run, strained as it is wanted; takes both fields out of the options."""
    atoms = start_of(options.pop("start"), calculator)
    # ASE's "strain" is the whole deformation, 1 + e
    deformation = voigt_6_to_full_3x3_strain(options.pop("strain_voigt", np.zeros(6)))
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    return atoms


def start_of(text: str, calculator: Calculator | None = None) -> Atoms:
    """The initial structure of a sampling run.

    Parameters
    ----------
    text : str
        ``ZIF-4`` (shipped), ``glass01`` (external), or ``set/run@frame`` of another set.
    calculator : Calculator, optional
        As for `labels`.

    Returns
    -------
    ase.Atoms
        The structure.

    Raises
    ------
    BadRecipe
        As `labels` and `external`.
    """
    if "@" in text:
        where, _, index = text.partition("@")
        return _bare(next(ase.io.iread(labels(*where.split("/"), calculator), index=int(index))))
    if text in EXTERNAL:
        return _bare(next(ase.io.iread(external(text), index=-1)))
    return structures.load(text)


def _bare(atoms: Atoms) -> Atoms:
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)


def external(name: str) -> Path:
    """A published structure that is not shipped, in the directory named by ``$ZIF4_STRUCTURES``.

    Parameters
    ----------
    name : str
        Name of the structure.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    BadRecipe
        There is no such file; the message says where it was published.
    """
    file = (settings.current().structures or Path()) / EXTERNAL[name]
    if not file.is_file():
        raise catalogue.BadRecipe(
            f"{name} starts from {EXTERNAL[name]}: put it (extended XYZ, from "
            f"github.com/fxcoudert/citable-data, folders 013, 107, 109, 113, 129, CC BY 4.0) into "
            f"a folder and name that in ${settings.variable('structures')}"
        )
    return file


def unphysical(atoms: Atoms) -> str | None:
    """Whether a frame with its forces shows that a potential has left physics.

    Parameters
    ----------
    atoms : ase.Atoms
        The frame.

    Returns
    -------
    str or None
        What shows it, in words; None if nothing does.
    """
    if said := _too_close(atoms, GUARD_DISTANCES):
        return said
    force = np.abs(atoms.get_forces()).max()
    if force > GUARD_FORCE:
        return f"a force of {force:.0f} eV/A"
    if atoms.get_temperature() > GUARD_TEMPERATURE:
        return f"{atoms.get_temperature():.0f} K"
    return None


def _explore(potential: str, start: Atoms, ramp: sampling.Ramp, path: Path) -> None:
    from deepmd.calculator import DP

    calculator = DP(model=str(conversion.compress(potential)))
    try:
        sampling.run(start, ramp, calculator, path, guard=unphysical)
    except sampling.Unphysical as end:
        print(f"{end}: the frames before are kept", flush=True)


def _too_close(atoms: Atoms, limits: dict[tuple[str, str], float]) -> str | None:
    """What is wrong with the distances of a frame (limits in A); None if nothing is."""
    from ase.neighborlist import neighbor_list

    closest = neighbor_list("d", atoms, limits)
    return f"two atoms at {closest.min():.2f} A" if len(closest) else None


def _take(
    run: str,
    path: Path,
    *,
    frames: int,
    from_K: float = 0.0,
    from_step: int = 0,
    zn_zn_A: Sequence[float] = (),
) -> None:
    """Evenly chosen frames of a heating run, the first left out, as extxyz.

    A run whose potential left physics counts up to where two atoms came too close.

    frames: how many, the first one counted; from_K: none before the run is this hot; from_step:
    those before are left out (runs of one seed share their equilibration); zn_zn_A: distances to
    which the two nearest Zn are drawn, one for each frame, in turn.
    """
    whole = runs.run(run).trajectory
    if not (hot := np.flatnonzero(whole.temperatures_K >= from_K)).size:
        raise catalogue.BadRecipe(f"the run {run} has no frame at {from_K:g} K; see from_K")
    volume = structures.load("ZIF-4").get_volume()
    frames_ = []
    for i in np.linspace(hot[0], len(whole) - 1, frames).round().astype(int)[1:]:
        if whole.steps[i] < from_step:
            continue
        frame = whole.atoms(i)
        if said := _too_close(frame, RUN_DISTANCES):
            print(f"{run}, step {whole.steps[i]}: {said}: the frames before are kept", flush=True)
            break
        if zn_zn_A:
            _draw_together(frame, zn_zn_A[len(frames_) % len(zn_zn_A)])
            if _too_close(frame, RUN_DISTANCES):
                continue  # something lies between the two
        frame.wrap()
        frame.info = {
            "step": int(whole.steps[i]), "temperature_K": float(whole.temperatures_K[i]),
            "strain": float((frame.get_volume() / volume) ** (1 / 3) - 1),
        }  # fmt: skip
        frames_.append(frame)
    ase.io.write(path, frames_, format="extxyz")


def _draw_together(atoms: Atoms, distance_A: float) -> None:
    """Move the two nearest Zn along their line until they are this far apart; not if they are."""
    zinc = np.flatnonzero(atoms.symbols == "Zn")
    apart = atoms.get_all_distances(mic=True)[np.ix_(zinc, zinc)]
    np.fill_diagonal(apart, np.inf)
    i, j = zinc[list(np.unravel_index(apart.argmin(), apart.shape))]
    line = atoms.get_distance(i, j, mic=True, vector=True)
    length = np.linalg.norm(line)
    step = line / length * max(length - distance_A, 0.0) / 2
    atoms.positions[i] += step
    atoms.positions[j] -= step


def _label(
    source: Path, target: Path, calculator: Calculator, worth_force: float = WORTH_FORCE
) -> None:
    """Frames of ``source`` with the reference's labels appended to ``target``, from where it ends.

    The first frame of a sampling run is its start, which is no news; frames whose label shows
    that the sampler was lost (a force above ``worth_force``, eV/A) are left out, and the first
    whose error is beyond all use ends it.
    """
    done = sampling.whole_frames(target)
    target.touch()
    wanted = [f for f in sampling.whole_frames(source) if f.info["step"] > 0]
    have = {f.info["step"] for f in done}
    for frame in waiting.bar(wanted, desc=f"label {source.parent.name}", unit="frame"):
        if frame.info["step"] in have:
            continue
        labelled = reference.label(_bare(frame), calculator)
        labelled.info = dict(frame.info)
        if frame.calc is not None:
            error = frame.get_forces() - labelled.get_forces()
            labelled.info["dp_force_rmse"] = float(np.sqrt(np.mean(error**2)))
        if labelled.info.get("dp_force_rmse", 0) > WORTH_ERROR:
            break
        if np.abs(labelled.get_forces()).max() < worth_force:
            ase.io.write(target, labelled, format="extxyz", append=True)
