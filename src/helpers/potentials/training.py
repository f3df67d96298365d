"""Deep potentials: from labelled frames to a frozen model, by DeePMD-kit's own programs.

The model is se_e2_a (Zhang et al., NeurIPS 2018, "DeepPot-SE"): a smooth descriptor of each atom's
neighbours within ``rcut`` from an embedding net, and a fitting net for the atom's energy. The loss
is p_e <dE^2>/N + p_f <|dF|^2>/(3N) + p_v <|dW|^2>/(9N) with prefactors that move from start to
limit as the learning rate decays.

What comes of it, a *potential*, is a directory that `helpers.potentials.store` finds and opens and
`helpers.potentials.evaluation` judges.

Units: eV, A, eV/A; energies and virials per atom in meV.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from helpers import paths, processes, provenance
from helpers.errors import Unfit
from helpers.frames import correction, dataset
from helpers.potentials import checkpoints, deepmd, evaluation, learning_curves, store
from helpers.potentials.store import Potential
from helpers.structures import TYPE_MAP

_CORRECTED = "corrected"  # copies of the sets, as they are trained on


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
    reference as `helpers.frames.correction` corrects them; the laws count by their numbers. The
    defaults
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
        plain["sets"] = sorted(provenance.sha256(dataset.locate(name)) for name in self.sets)
        if self.initial_potential:
            plain["initial_potential"] = store.load(self.initial_potential).sha256
        if plain.pop("corrected"):  # left out where it is not wanted: older keys stay
            plain["correction"] = correction.key(correction.laws())
        return json.loads(json.dumps(plain))

    def input(self, directory: Path, display_every: int, save_every: int) -> dict:
        """The ``input.json`` of ``dp train``, judged by DeePMD-kit's own checker.

        Paths of the sets are relative to ``directory``, so no name of a machine gets in.
        """
        from deepmd.utils.argcheck import normalize

        folders = {s: dataset.locate(s) for s in self.sets}
        if self.corrected:
            folders = {s: Path(directory) / _CORRECTED / s for s in self.sets}
        systems = {
            part: [os.path.relpath(folder / part, directory) for folder in folders.values()]
            for part in dataset.PARTS
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
                "save_ckpt": checkpoints.CHECKPOINT,
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
    made = store.load(potential).recipe
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
) -> Potential:
    """The potential of this recipe: found finished, resumed from its checkpoint, or made.

    Of a training of 2000 steps or more, 8 checkpoints along the way are kept and judged at its end
    by the validation frames; the best one is frozen, and ``learning.json`` has the errors of all
    (:func:`read_learning`). A shorter training freezes its last checkpoint.

    name: what later chapters call it. threads: of TensorFlow (default: ``$OMP_NUM_THREADS`` or all
    usable cores). display_every, save_every: steps between lines of ``lcurve.out`` and between
    checkpoints. watch: sets whose errors are written into ``learning.json``, too; they choose
    nothing. Its directory is ``build/potentials/<name>-<key>`` where it is made.

    Raises
    ------
    ValueError
        a recipe that DeePMD-kit refuses, or a name that a shipped potential of another recipe has.
    deepmd.DPFailed
        the loss became NaN, or ``dp`` died; its last lines are in the message.
    provenance.DirectoryBusy
        another process trains in this directory.
    """
    plain = recipe.as_dict()
    shipped = (paths.shipped("potentials", name) / provenance.FILE).is_file()
    if shipped and not provenance.find("potentials", plain):
        raise Unfit(
            f"{name!r} is a shipped potential of another recipe; give this one another name"
        )
    threads = deepmd.threads_of(threads)

    def make(directory: Path) -> dict:
        return _trained(directory, recipe, watch, threads, display_every, save_every)

    made = provenance.kept(
        "potentials",
        plain,
        make,
        name=name,
        description=f"se_e2_a potential of {', '.join(recipe.sets)}, {recipe.steps} steps",
        inputs={s: provenance.sha256(dataset.locate(s)) for s in recipe.sets},
        tidy=_tidy,
    ).resolve()
    store.point(name, made)
    return replace(store.load(made), name=name)


def _trained(
    directory: Path,
    recipe: Recipe,
    watch: Sequence[str],
    threads: int,
    display_every: int | None,
    save_every: int | None,
) -> dict:
    """Train, freeze and judge in ``directory``, from where it was left; what is to be known."""
    began, earlier = time.monotonic(), _seconds(directory)
    laws = correction.laws() if recipe.corrected else None
    if laws:
        correction.keep(laws, directory)
        for name in recipe.sets:
            correction.write(name, laws, directory / _CORRECTED / name)
    text = recipe.input(directory, *_intervals(recipe.steps, display_every, save_every))
    provenance.write_text(directory / "input.json", json.dumps(text, indent=1) + "\n")
    frozen = directory / store.FROZEN
    if not frozen.is_file():
        _run_training(directory, recipe, threads)
        if recipe.steps < checkpoints.SHORT:
            deepmd.run(directory, threads, "freeze", "-o", "frozen.part.pb")
            (directory / "frozen.part.pb").rename(frozen)
        else:
            best = checkpoints.judge_snapshots(directory, recipe.sets, watch, threads, laws)
            (directory / checkpoints.SNAPSHOT_FOLDER / str(best) / store.FROZEN).rename(frozen)
    metrics = {
        s: evaluation.evaluate(
            frozen, dataset.thinned(correction.load(s, "validation", laws), checkpoints.EVALUATED)
        )
        for s in recipe.sets
    }
    evaluation.write_metrics(directory / store.METRICS, metrics)
    last = learning_curves.read_lcurve(directory).iloc[-1]
    return {
        "seconds": earlier + time.monotonic() - began,
        "threads": threads,
        "sets": list(recipe.sets),
        "frozen_sha256": provenance.sha256(frozen),
        "training_frames": sum(len(dataset.load(s, "training")) for s in recipe.sets),
        "results": {"last_line_of_lcurve": last.to_dict(), "validation": metrics},
    }


def _tidy(directory: Path) -> None:
    """Remove what only a training that is not finished needs."""
    for file in (
        *directory.glob(f"{checkpoints.CHECKPOINT}*"),
        *directory.glob("checkpoint*"),
        directory / "out.json",
        directory / "input_v2_compat.json",
        directory / "seconds.json",
    ):
        file.unlink(missing_ok=True)
    for folder in (checkpoints.SNAPSHOT_FOLDER, _CORRECTED):
        shutil.rmtree(directory / folder, ignore_errors=True)


def _intervals(
    steps: int, display_every: int | None = None, save_every: int | None = None
) -> tuple[int, int]:
    """Steps between lines of ``lcurve.out``, and between checkpoints: a multiple of the first.

    ``dp train`` saves only at steps at which it also displays; 240 and 1000 would mean 6000.
    """
    display = display_every or max(1, min(steps // 100, 500))
    save = save_every or max(1, min(steps // 5, 1000))
    return display, display * max(1, save // display)


def _run_training(directory: Path, recipe: Recipe, threads: int | None) -> None:
    """``dp train`` in ``directory`` from its last checkpoint, watched line by line."""
    command = ["train", "input.json", "-o", "out.json"]
    started = 0
    if checkpoint := checkpoints.last_checkpoint(directory):
        prefix, started = checkpoint
        _refuse_nan(directory, learning_curves.read_lcurve(directory))
        command += ["--restart", prefix]
        print(f"from step {started} of {recipe.steps}", flush=True)
    elif recipe.initial_potential:
        frozen = store.load(recipe.initial_potential).file
        command += ["--init-frz-model", os.path.relpath(frozen, directory)]
    if started >= recipe.steps:
        checkpoints.keep_snapshot(
            directory, recipe.steps
        )  # the kill may have come before it was kept
        return
    clock, earlier = time.monotonic(), _seconds(directory)
    with open(directory / deepmd.LOG, "a") as log:
        process = subprocess.Popen(
            [*deepmd.program(), *command], cwd=directory, env=deepmd.environment(threads),
            stdout=log, stderr=subprocess.STDOUT, preexec_fn=processes.die_with_parent,
        )  # fmt: skip
        try:
            with tqdm(total=recipe.steps, initial=started, desc=f"train {directory.name}",
                      unit="step", mininterval=1.0) as bar:  # fmt: skip
                while True:
                    code = process.poll()
                    _advance(bar, directory, started)
                    checkpoints.keep_snapshot(directory, recipe.steps)
                    if code is not None:
                        break
                    time.sleep(0.2)
                    so_far = json.dumps(earlier + time.monotonic() - clock)
                    provenance.write_text(directory / "seconds.json", so_far)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code:
        nan = re.search(
            r"NaN detected at batch\s+(\d+)", (directory / deepmd.LOG).read_text()[-4000:]
        )
        raise _nan(directory, int(nan[1])) if nan else deepmd.died(directory, "train", code)
    _refuse_nan(directory, learning_curves.read_lcurve(directory))


def _advance(bar: tqdm, directory: Path, started: int) -> None:
    curve = directory / "lcurve.out"
    if not curve.is_file() or curve.stat().st_size == 0:
        return
    table = learning_curves.read_lcurve(directory)
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


def _nan(directory: Path, step: int) -> deepmd.DPFailed:
    return deepmd.DPFailed(
        f"{paths.relative(directory)}: the loss is NaN at step {step}; look at the frames "
        f"(checks.check), lower the learning rate, then remove the directory and train again"
    )


def _seconds(directory: Path) -> float:
    """Wall time that earlier, broken runs in this directory took."""
    file = directory / "seconds.json"
    try:
        return float(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return 0.0
