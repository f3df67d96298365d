"""Deep potentials: from labelled frames to a frozen model, by DeePMD-kit's own programs.

The model is se_e2_a (Zhang et al., NeurIPS 2018, "DeepPot-SE"): a smooth descriptor of each atom's
neighbours within ``rcut`` from an embedding net, and a fitting net for the atom's energy. The loss
is p_e <dE^2>/N + p_f <|dF|^2>/(3N) + p_v <|dW|^2>/(9N) with prefactors that move from start to
limit as the learning rate decays.

What comes of it, a *potential*, is a directory that `helpers.models` finds and opens and
`helpers.evaluation` judges.

Units: eV, A, eV/A; energies and virials per atom in meV.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from helpers import correction, dp, evaluation, frames, models, paths, processes, provenance
from helpers.errors import NotThere, Unfit
from helpers.frames import TYPE_MAP

_CHECKPOINT = "model.ckpt"
_SNAPSHOTS = "snapshots"
_CORRECTED = "corrected"  # copies of the sets, as they are trained on
EVALUATED, JUDGED = 50, 3  # validation frames of a set: of a finished training, of a snapshot
SNAPSHOTS, SHORT = 8, 2000  # kept of a training; of one with fewer steps than SHORT none


@dataclass(frozen=True)
class Recipe:
    """All that determines a trained potential; the sets count by their content.

    sets: names of sets of frames. sel: largest number of neighbours of each element of TYPE_MAP
    within rcut (A); DeePMD-kit warns when the frames hold more. rcut_smth (A): where the smooth
    switch to zero begins. neuron, axis_neuron: embedding net. type_one_side: one embedding net
    for each element of the neighbour, not for each pair of elements: a quarter of the nets and
    tables, faster. fitting: fitting net. prefactor_*:
    (start, limit) of the loss terms of energy, force and virial. learning_rate: (start, stop),
    multiplied down every ``decay_steps`` (0: a two-hundredth of the training). batch: frames a
    step, or ``auto``. precision: of the nets; energies are summed in float64 in any case.
    initial_potential: frozen model (path or name) the weights start from
    (``dp train --init-frz-model``), "" for random ones. corrected: train on the labels of the
    reference as `helpers.correction` corrects them; the laws count by their numbers. The defaults
    of the descriptor, the nets and the energy and force prefactors are the paper's, but for
    ``sel``: there the numbers of atoms in the cell were given.
    """

    sets: tuple[str, ...]
    steps: int
    sel: tuple[int, int, int, int] = (36, 36, 24, 8)
    rcut: float = 6.0
    rcut_smth: float = 0.5
    neuron: tuple[int, ...] = (25, 50, 100)
    axis_neuron: int = 16
    type_one_side: bool = True
    fitting: tuple[int, ...] = (240, 240, 240)
    prefactor_energy: tuple[float, float] = (0.02, 1.0)
    prefactor_force: tuple[float, float] = (1000.0, 1.0)
    prefactor_virial: tuple[float, float] = (0.02, 1.0)
    learning_rate: tuple[float, float] = (1e-3, 1e-8)
    decay_steps: int = 0
    batch: int | str = 1
    precision: str = "float32"
    seed: int = 1
    initial_potential: str = ""
    corrected: bool = False

    def __post_init__(self):
        if isinstance(self.sets, str) or not self.sets:
            raise Unfit(f"sets is {self.sets!r}, wanted: a tuple of names of sets of frames")
        if len(self.sel) != len(TYPE_MAP):
            raise Unfit(f"sel is {self.sel}, wanted: one number for each of {TYPE_MAP}")
        if self.precision not in ("float32", "float64"):
            raise Unfit(f"precision is {self.precision!r}, wanted: float32 or float64")
        if not 0 < self.learning_rate[1] <= self.learning_rate[0]:
            raise Unfit(
                f"learning_rate is {self.learning_rate}, wanted: (start, stop), 0 < stop <= start"
            )
        for name, value in vars(self).items():
            if isinstance(value, list):  # a notebook's parameters are lists
                object.__setattr__(self, name, tuple(value))

    def as_dict(self) -> dict:
        """The recipe as plain data, sets and initial potential by sha256: what the key is of."""
        plain = asdict(self)
        plain["sets"] = sorted(provenance.sha256(frames.locate(name)) for name in self.sets)
        if self.initial_potential:
            frozen = models.load_potential(self.initial_potential) / models.FROZEN
            plain["initial_potential"] = provenance.sha256(frozen)
        if plain.pop("corrected"):  # left out where it is not wanted: older keys stay
            plain["correction"] = correction.key(correction.laws())
        return json.loads(json.dumps(plain))

    def input(self, directory: Path, display_every: int, save_every: int) -> dict:
        """The ``input.json`` of ``dp train``, judged by DeePMD-kit's own checker.

        Paths of the sets are relative to ``directory``, so no name of a machine gets in.
        """
        from deepmd.utils.argcheck import normalize

        folders = {s: frames.locate(s) for s in self.sets}
        if self.corrected:
            folders = {s: Path(directory) / _CORRECTED / s for s in self.sets}
        systems = {
            part: [os.path.relpath(folder / part, directory) for folder in folders.values()]
            for part in frames.PARTS
        }
        start_rate, stop_rate = self.learning_rate
        result = {
            "model": {
                "type_map": list(TYPE_MAP),
                "descriptor": {
                    "type": "se_e2_a",
                    "sel": list(self.sel),
                    "rcut": self.rcut,
                    "rcut_smth": self.rcut_smth,
                    "neuron": list(self.neuron),
                    "axis_neuron": self.axis_neuron,
                    "resnet_dt": False,
                    "type_one_side": self.type_one_side,
                    "precision": self.precision,
                    "seed": self.seed,
                },
                "fitting_net": {
                    "neuron": list(self.fitting),
                    "resnet_dt": True,
                    "precision": self.precision,
                    "seed": self.seed,
                },
            },
            "learning_rate": {
                "type": "exp",
                "start_lr": start_rate,
                "stop_lr": stop_rate,
                "decay_steps": self.decay_steps or max(self.steps // 200, 1),
            },
            "loss": {
                "type": "ener",
                "start_pref_e": self.prefactor_energy[0],
                "limit_pref_e": self.prefactor_energy[1],
                "start_pref_f": self.prefactor_force[0],
                "limit_pref_f": self.prefactor_force[1],
                "start_pref_v": self.prefactor_virial[0],
                "limit_pref_v": self.prefactor_virial[1],
            },
            "training": {
                "training_data": {"systems": systems["training"], "batch_size": self.batch},
                "validation_data": {
                    "systems": systems["validation"],
                    "batch_size": self.batch,
                    "numb_btch": 2,
                },
                "numb_steps": self.steps,
                "seed": self.seed,
                "disp_file": "lcurve.out",
                "disp_freq": display_every,
                "save_ckpt": _CHECKPOINT,
                "save_freq": save_every,
                "max_ckpt_keep": 2,
            },
        }
        try:
            normalize(json.loads(json.dumps(result)))
        except Exception as error:  # dargs raises its own family of errors
            raise Unfit(
                f"DeePMD-kit refuses this recipe: {str(error).strip().splitlines()[-1]}"
            ) from error
        return result


#: the fields of `Recipe` that give the nets their shape
NETS = ("sel", "rcut", "rcut_smth", "neuron", "axis_neuron", "type_one_side", "fitting",
        "precision")  # fmt: skip


def continued(potential: str, **changes) -> Recipe:
    """A recipe that goes on from a finished potential: its nets, its weights to start from.

    changes: the other fields of the recipe (``sets``, ``steps``, ``learning_rate`` ...).
    """
    made = provenance.read(models.load_potential(potential))["recipe"]
    return Recipe(**{field: made[field] for field in NETS}, initial_potential=potential, **changes)


# ---------------------------------------------------------------- train


def train(
    recipe: Recipe,
    name: str,
    *,
    threads: int | None = None,
    display_every: int | None = None,
    save_every: int | None = None,
    watch: Sequence[str] = (),
) -> Path:
    """The potential of this recipe: found finished, resumed from its checkpoint, or made.

    Of a training of 2000 steps or more, 8 checkpoints along the way are kept and judged at its end
    by the validation frames; the best one is frozen, and ``learning.json`` has the errors of all
    (:func:`read_learning`). A shorter training freezes its last checkpoint.

    name: what later chapters call it. threads: of TensorFlow (default: ``$OMP_NUM_THREADS`` or all
    usable cores). display_every, save_every: steps between lines of ``lcurve.out`` and between
    checkpoints. watch: sets whose errors are written into ``learning.json``, too; they choose
    nothing. Returns the directory, ``build/potentials/<name>-<key>`` where it is made.

    Raises
    ------
    ValueError
        a recipe that DeePMD-kit refuses, or a name that a shipped potential of another recipe has.
    dp.DPFailed
        the loss became NaN, or ``dp`` died; its last lines are in the message.
    provenance.DirectoryBusy
        another process trains in this directory.
    """
    plain = recipe.as_dict()
    done = provenance.find("potentials", plain)
    if done:
        done = done.resolve()
        provenance.announce("reused", done, f"potential {name!r} was trained before")
        models.point(name, done)
        return done
    if (paths.shipped("potentials", name) / provenance.FILE).is_file():
        raise Unfit(
            f"{name!r} is a shipped potential of another recipe; give this one another name"
        )
    target = provenance.directory("potentials", name, plain).absolute()
    display_every, save_every = _intervals(recipe.steps, display_every, save_every)
    laws = correction.laws() if recipe.corrected else None
    with provenance.lock(target):
        began = time.monotonic()
        if laws:
            correction.keep(laws, target)
            for name_of_set in recipe.sets:
                correction.write(name_of_set, laws, target / _CORRECTED / name_of_set)
        text = recipe.input(target, display_every, save_every)
        (target / "input.json").write_text(json.dumps(text, indent=1) + "\n")
        frozen = target / models.FROZEN
        earlier = _seconds(target)
        if not frozen.is_file():
            _run_training(target, recipe, threads)
            if recipe.steps < SHORT:
                dp.run(target, threads, "freeze", "-o", "frozen.part.pb")
                (target / "frozen.part.pb").rename(frozen)
            else:
                best = judge_snapshots(target, recipe.sets, watch, threads, laws)
                (target / _SNAPSHOTS / str(best) / models.FROZEN).rename(frozen)
        metrics = {
            s: evaluation.evaluate(
                frozen, frames.thinned(correction.load(s, "validation", laws), EVALUATED))
            for s in recipe.sets
        }
        evaluation.write_metrics(target, metrics)
        last = read_lcurve(target).iloc[-1]
        provenance.write(
            target, kind="potentials", recipe=plain,
            description=f"se_e2_a potential of {', '.join(recipe.sets)}, {recipe.steps} steps",
            inputs={s: provenance.sha256(frames.locate(s)) for s in recipe.sets},
            seconds=earlier + time.monotonic() - began,
            threads=dp.threads_of(threads), sets=list(recipe.sets),
            frozen_sha256=provenance.sha256(frozen),
            training_frames=sum(len(frames.load(s, "training")) for s in recipe.sets),
            results={"last_line_of_lcurve": last.to_dict(), "validation": metrics},
        )  # fmt: skip
        for left in (*target.glob(f"{_CHECKPOINT}*"), *target.glob("checkpoint*"),
                     target / "out.json", target / "input_v2_compat.json",
                     target / "seconds.json"):  # fmt: skip
            left.unlink(missing_ok=True)
        for folder in (_SNAPSHOTS, _CORRECTED):
            shutil.rmtree(target / folder, ignore_errors=True)
    provenance.announce("made", target, f"potential {name!r}, {recipe.steps} steps")
    models.point(name, target)
    return target


def _intervals(
    steps: int, display_every: int | None = None, save_every: int | None = None
) -> tuple[int, int]:
    """Steps between lines of ``lcurve.out``, and between checkpoints: a multiple of the first.

    ``dp train`` saves only at steps at which it also displays; 240 and 1000 would mean 6000.
    """
    display = display_every or max(1, min(steps // 100, 500))
    save = save_every or max(1, min(steps // 5, 1000))
    return display, display * max(1, save // display)


def _last_checkpoint(directory: Path) -> tuple[str, int] | None:
    """Prefix and step of the newest whole checkpoint.

    TensorFlow's own ``checkpoint`` file names one before its ``.meta`` is written, so that it may
    speak of one that a kill cut off.
    """
    whole = [
        int(meta.stem.rsplit("-", 1)[1])
        for meta in directory.glob(f"{_CHECKPOINT}-*.meta")
        if meta.with_suffix(".index").is_file()
        and meta.with_suffix(".data-00000-of-00001").is_file()
    ]
    return (f"{_CHECKPOINT}-{max(whole)}", max(whole)) if whole else None


def _run_training(directory: Path, recipe: Recipe, threads: int | None) -> None:
    """``dp train`` in ``directory`` from its last checkpoint, watched line by line."""
    command = ["train", "input.json", "-o", "out.json"]
    started = 0
    if checkpoint := _last_checkpoint(directory):
        prefix, started = checkpoint
        _refuse_nan(directory, read_lcurve(directory))
        command += ["--restart", prefix]
        provenance.announce("resumed", directory, f"from step {started} of {recipe.steps}")
    elif recipe.initial_potential:
        frozen = models.load_potential(recipe.initial_potential) / models.FROZEN
        command += ["--init-frz-model", os.path.relpath(frozen, directory)]
    if started >= recipe.steps:
        _keep_snapshot(directory, recipe.steps)  # the kill may have come before it was kept
        return
    clock, earlier = time.monotonic(), _seconds(directory)
    with open(directory / dp.LOG, "a") as log:
        process = subprocess.Popen(
            [*dp.program(), *command], cwd=directory, env=dp.environment(threads),
            stdout=log, stderr=subprocess.STDOUT, preexec_fn=processes.die_with_parent,
        )  # fmt: skip
        try:
            with tqdm(total=recipe.steps, initial=started, desc=f"train {directory.name}",
                      unit="step", mininterval=1.0) as bar:  # fmt: skip
                while True:
                    code = process.poll()
                    _advance(bar, directory, started)
                    _keep_snapshot(directory, recipe.steps)
                    if code is not None:
                        break
                    time.sleep(0.2)
                    (directory / "seconds.json").write_text(
                        json.dumps(earlier + time.monotonic() - clock)
                    )
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code:
        nan = re.search(r"NaN detected at batch\s+(\d+)", (directory / dp.LOG).read_text()[-4000:])
        raise _nan(directory, int(nan[1])) if nan else dp.died(directory, "train", code)
    _refuse_nan(directory, read_lcurve(directory))


def _advance(bar: tqdm, directory: Path, started: int) -> None:
    curve = directory / "lcurve.out"
    if not curve.is_file() or curve.stat().st_size == 0:
        return
    table = read_lcurve(directory)
    if table.empty:
        return
    _refuse_nan(directory, table)
    last = table.iloc[-1]
    step = int(last["step"])
    if step > max(bar.n, started):
        bar.set_postfix_str(f"force {last['rmse_f_trn']:.3g} eV/A", refresh=False)
        bar.update(step - bar.n)


def _refuse_nan(directory: Path, curve: pd.DataFrame) -> None:
    # Where a set has no virials, DeePMD-kit writes nan as their error.
    curve = curve.filter(regex="^(step|lr|rmse_(val|trn|[ef]_.*))$")
    bad = ~np.isfinite(curve.to_numpy(dtype=float))
    if bad.any():
        step = int(curve["step"].iloc[np.flatnonzero(bad.any(axis=1))[0]])
        raise _nan(directory, step)


def _nan(directory: Path, step: int) -> dp.DPFailed:
    return dp.DPFailed(
        f"{paths.relative(directory)}: the loss is NaN at step {step}; look at the frames "
        f"(frame_checks.check), lower the learning rate, then remove the directory and train again"
    )


def _seconds(directory: Path) -> float:
    """Wall time that earlier, broken runs in this directory took."""
    file = directory / "seconds.json"
    try:
        return float(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return 0.0


# ---------------------------------------------------------------- snapshots


def _keep_snapshot(directory: Path, steps: int) -> None:
    """Set aside the newest checkpoint if it is the first one of an eighth of the training.

    By hard links: ``dp train`` deletes all but its last two, which leaves these alone.
    """
    newest = _last_checkpoint(directory)
    if steps < SHORT or newest is None:
        return
    prefix, step = newest
    folder = directory / _SNAPSHOTS
    kept = [int(p.name) for p in folder.glob("[0-9]*")]
    stretch = steps / SNAPSHOTS
    if step < steps and int(step / stretch) <= max((int(k / stretch) for k in kept), default=0):
        return
    if step in kept:
        return
    part = folder / f".{step}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for file in directory.glob(f"{prefix}.*"):
        os.link(file, part / file.name)
    (part / "checkpoint").write_text(f'model_checkpoint_path: "{prefix}"\n')
    part.rename(folder / str(step))


def judge_snapshots(
    directory: Path, trained: Sequence[str], watch: Sequence[str], threads: int | None = None,
    laws: dict[str, correction.Law] | None = None,
) -> int:
    """Freeze and judge the snapshots of a training; the step of the best one.

    Errors over ``JUDGED`` validation frames of each set of ``trained``, evenly chosen, and over
    three times as many of each set of ``watch``, go to ``learning.json``, one snapshot after
    the other: the same call after a kill goes on. The best has the smallest product of the
    root mean square errors of energy, force and virial on the validation frames.
    """
    folder, file = directory / _SNAPSHOTS, directory / models.LEARNING
    rows = json.loads(file.read_text()) if file.is_file() else []
    judged = {
        "validation": [
            frames.thinned(correction.load(s, "validation", laws), JUDGED) for s in trained],
        "watched": [frames.thinned(correction.load(s, None, laws), 3 * JUDGED) for s in watch],
    }
    steps = sorted(int(p.name) for p in folder.glob("[0-9]*"))
    for step in tqdm(steps, desc=f"judge {directory.name}", unit="snapshot"):
        snapshot = folder / str(step)
        if not (snapshot / models.FROZEN).is_file():
            dp.run(directory, threads, "freeze", "-c", str(snapshot.relative_to(directory)),
                "-o", f"{_SNAPSHOTS}/part.pb")  # fmt: skip
            (folder / "part.pb").rename(snapshot / models.FROZEN)
        if any(row["step"] == step for row in rows):
            continue
        row = {"step": step}
        for role, systems in judged.items():
            errors = [evaluation.evaluate(snapshot / models.FROZEN, system) for system in systems]
            row[role] = evaluation.over_all(errors)
        rows.append(row)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(rows, indent=1) + "\n")
        part.replace(file)
    return min(rows, key=lambda row: math.prod(row["validation"].values()))["step"]


# ---------------------------------------------------------------- learning


def read_learning(potential: str | Path) -> pd.DataFrame:
    """Errors of the snapshots of a training against its steps.

    Columns: step, role (``validation``, ``watched``), energy_rmse_meV_per_atom,
    force_rmse_eV_per_A, virial_rmse_meV_per_atom.

    Raises
    ------
    FileNotFoundError
        the training kept none (too short, or made before snapshots were kept).
    """
    file = models.load_potential(potential) / models.LEARNING
    if not file.is_file():
        raise NotThere(f"{paths.relative(file)} is missing: no snapshots were kept")
    return pd.DataFrame([
        {"step": row["step"], "role": role} | row[role]
        for row in json.loads(file.read_text()) for role in ("validation", "watched") if row[role]
    ])  # fmt: skip


def read_lcurve(path: Path) -> pd.DataFrame:
    """``lcurve.out`` of a training (a file or its directory) as a table.

    Columns as DeePMD-kit names them: ``step``, ``rmse_val``, ``rmse_trn`` (square root of the
    loss), ``rmse_e_*`` (eV/atom), ``rmse_f_*`` (eV/A), ``rmse_v_*`` (eV/atom) on one batch each,
    ``lr``. Steps that were repeated after a restart count once; a line being written is left out.

    Raises
    ------
    FileNotFoundError
        no such file.
    """
    path = Path(path)
    path = path / "lcurve.out" if path.is_dir() else path
    if not path.is_file():
        raise NotThere(f"{paths.relative(path)} is missing; train first")
    columns, rows = [], []
    for line in path.read_text().splitlines(keepends=True):
        if line.startswith("#"):
            if "step" in line:
                columns = line[1:].split()
        elif line.endswith("\n") and len(line.split()) == len(columns):
            rows.append([float(number) for number in line.split()])
    table = pd.DataFrame(rows, columns=columns or ["step"])
    table["step"] = table["step"].astype(int)
    # After a restart the steps behind the checkpoint are written again.
    return table.drop_duplicates("step", keep="last").sort_values("step", ignore_index=True)
