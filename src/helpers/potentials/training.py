r"""Deep potentials: from labelled frames to a frozen model, by DeePMD-kit's own programs.

The model is se_e2_a (Zhang et al., NeurIPS 2018, "DeepPot-SE"): a smooth descriptor of each atom's
neighbours within ``rcut`` from an embedding network, and a fitting network for the energy of the
atom. The loss is

.. math:: L = p_e \frac{\langle \Delta E^2 \rangle}{N} + p_f \frac{\langle |\Delta F|^2 \rangle}{3N}
    + p_v \frac{\langle |\Delta W|^2 \rangle}{9N}

with prefactors that change from start to limit as the learning rate decays.

The result, a *potential*, is a directory that `helpers.potentials.store` opens and
`helpers.potentials.evaluation` evaluates.

Units: eV, A, eV/A; energies and virials per atom in meV.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import paths, processes, provenance, waiting
from helpers.errors import Unfit, refuse_outside
from helpers.frames import correction, dataset
from helpers.potentials import (
    checkpoints,
    conversion,
    deepmd,
    evaluation,
    learning_curves,
    store,
)
from helpers.potentials.store import Potential
from helpers.structures import TYPE_MAP

#: a frame of a favoured set is drawn so many times as often as another
FAVOUR = 3.0
CARD = "graphics card"
TRAINERS = ("dp train", CARD)
_INITIAL = "initial_model.pb"
_CORRECTED = "corrected"  # copies of the sets, as they are trained on


@dataclass(frozen=True)
class Recipe:
    """All that determines a trained potential; sets of frames enter by their content.

    The defaults of the descriptor, the networks and the prefactors of energy and force are the
    paper's, except for ``sel``, for which the paper gives the numbers of atoms in the cell.

    Attributes
    ----------
    sets : tuple of str
        Sets of frames to train on.
    steps : int
        Training steps.
    sel : (int, int, int, int)
        Largest number of neighbours within ``rcut``, for each element of TYPE_MAP; DeePMD-kit warns
        if the frames have more.
    rcut : float
        Cutoff, A.
    rcut_smth : float
        Distance at which the smooth switch to zero begins, A.
    neuron : tuple of int
        Layers of the embedding network.
    axis_neuron : int
        Columns of the embedding that form the second factor of the descriptor.
    type_one_side : bool
        One embedding network for each element of the neighbour instead of each pair of elements,
        which needs a quarter of the networks and tables and is faster.
    fitting : tuple of int
        Layers of the fitting network.
    prefactor_energy : (float, float)
        Start and limit of p_e.
    prefactor_force : (float, float)
        Start and limit of p_f.
    prefactor_virial : (float, float)
        Start and limit of p_v.
    learning_rate : (float, float)
        At the start and at the end.
    decay_steps : int
        Steps between reductions of the learning rate; 0 is a two-hundredth of the training.
    batch : int or str
        Frames in a step, or ``auto``.
    precision : str
        Precision of the networks; energies are summed in float64 in any case.
    seed : int
        Seed of the weights and of the order of frames.
    initial_potential : str
        Frozen model (path or name) whose weights the training starts from (``dp train
        --init-frz-model``); empty for random weights.
    corrected : bool
        Train on the labels of the reference as corrected by `helpers.frames.correction`; the laws
        enter by their numbers.
    relative_force : float
        Shift c of the relative error of the force, eV/A: each atom's error counts as
        ``|dF| / (|F| + c)``, so that the small forces of soft modes are not drowned by those of
        hot frames (DeePMD-kit's ``relative_f``); 0 is the plain error.
    favoured : tuple of str
        Those of ``sets`` whose frames are drawn FAVOUR times as often as the others.
    zinc_wall_A : (float, float) or ()
        Not of the training but of LAMMPS' runs with it: two Zn nearer than the second distance (A)
        repel each other besides, see `helpers.md.force_field`; () is no such wall.
    trainer : str
        ``dp train``, or ``graphics card`` for `helpers.potentials.graphics_card`, whose ``batch``
        is ``auto:N``: so many frames of one composition that they have about N atoms.
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
    relative_force: float = 0.0
    favoured: tuple[str, ...] = ()
    zinc_wall_A: tuple[float, ...] = ()
    trainer: str = "dp train"

    def __post_init__(self):
        if isinstance(self.sets, str) or not self.sets:
            raise Unfit(f"sets is {self.sets!r}, wanted: a tuple of names of sets of frames")
        if len(self.sel) != len(TYPE_MAP):
            raise Unfit(f"sel is {self.sel}, wanted: one number for each of {TYPE_MAP}")
        if self.precision not in ("float32", "float64"):
            raise Unfit(f"precision is {self.precision!r}, wanted: float32 or float64")
        refuse_outside(
            self, steps=(1, 1e9), sel=(0, 1e4), rcut=(0.5, 20), rcut_smth=(0, 20), neuron=(1, 1e4),
            axis_neuron=(1, 1e4), fitting=(1, 1e5), prefactor_energy=(0, 1e9),
            prefactor_force=(0, 1e9), prefactor_virial=(0, 1e9), learning_rate=(0, 0.1),
            decay_steps=(0, self.steps), batch=(1, 1e6), seed=(0, 2**31 - 1),
        )  # fmt: skip
        for name in ("rcut", "rcut_smth", "neuron", "axis_neuron", "fitting"):
            given = getattr(self, name)
            for number in given if isinstance(given, (list, tuple)) else [given]:
                if not isinstance(number, (int, float)):
                    raise Unfit(f"{name} is {given!r}, wanted: numbers")
        if not any(self.sel):
            raise Unfit(f"sel is {self.sel}, wanted: neighbours of one element at least")
        for name in ("neuron", "fitting"):
            if not getattr(self, name):
                raise Unfit(f"{name} is {getattr(self, name)}, wanted: one layer at least")
        if self.axis_neuron > self.neuron[-1]:
            raise Unfit(
                f"axis_neuron is {self.axis_neuron}, wanted: no more than the last layer of neuron "
                f"has, {self.neuron[-1]}"
            )
        if not self.rcut_smth < self.rcut:
            raise Unfit(f"rcut_smth is {self.rcut_smth}, wanted: less than rcut, {self.rcut}")
        if not any((*self.prefactor_energy, *self.prefactor_force)):
            raise Unfit("prefactor_force is 0 and that of the energy, too: nothing would be learnt")
        if not re.fullmatch(r"\d+|(auto|mixed)(:[1-9]\d*)?", str(self.batch)):
            raise Unfit(f"batch is {self.batch!r}, wanted: a number of frames, auto or auto:N")
        if not 0 < self.learning_rate[1] <= self.learning_rate[0]:
            raise Unfit(
                f"learning_rate is {self.learning_rate}, wanted: (start, stop), 0 < stop <= start"
            )
        if self.trainer not in TRAINERS:
            raise Unfit(f"trainer is {self.trainer!r}, wanted: one of {', '.join(TRAINERS)}")
        if self.trainer == CARD and not re.fullmatch(r"auto:[1-9]\d*", str(self.batch)):
            raise Unfit(f"batch is {self.batch!r}, wanted with a {CARD}: auto:N, N atoms a step")
        if not 0 <= self.relative_force < np.inf:
            raise Unfit(f"relative_force is {self.relative_force}, wanted: 0 or more, in eV/A")
        for name, value in vars(self).items():
            if isinstance(value, list):  # a notebook's parameters are lists
                object.__setattr__(self, name, tuple(value))
        if strangers := sorted(set(self.favoured) - set(self.sets)):
            raise Unfit(f"favoured has {', '.join(strangers)}, wanted: some of the sets")
        if self.zinc_wall_A and not (
            len(self.zinc_wall_A) == 2 and 0 < self.zinc_wall_A[0] < self.zinc_wall_A[1]
        ):
            raise Unfit(f"zinc_wall_A is {self.zinc_wall_A}, wanted: two rising distances in A")

    def as_dict(self) -> dict:
        """The recipe as plain data, with sets and initial potential by their sha256.

        The key of a potential is the hash of these data.

        Returns
        -------
        dict
            Plain data.

        Raises
        ------
        BadPotential
            There is no such initial potential.
        """
        plain = asdict(self)
        plain["sets"] = sorted(provenance.sha256(dataset.locate(name)) for name in self.sets)
        if self.initial_potential:
            plain["initial_potential"] = store.load(self.initial_potential).sha256
        if plain.pop("corrected"):  # left out where it is not wanted: older keys stay
            plain["correction"] = correction.key(correction.laws())
        if not plain["relative_force"]:
            del plain["relative_force"]  # likewise
        plain["favoured"] = sorted(provenance.sha256(dataset.locate(s)) for s in self.favoured)
        if not self.favoured:
            del plain["favoured"]
        if not self.zinc_wall_A:
            del plain["zinc_wall_A"]
        if self.trainer == TRAINERS[0]:
            del plain["trainer"]
        return json.loads(json.dumps(plain))

    def input(self, directory: Path, display_every: int, save_every: int) -> dict:
        """The ``input.json`` of ``dp train``, checked by DeePMD-kit itself.

        Parameters
        ----------
        directory : Path
            Directory of the training; the paths of the sets are relative to it, so that the file
            does not depend on the machine.
        display_every : int
            Steps between lines of ``lcurve.out``.
        save_every : int
            Steps between checkpoints.

        Returns
        -------
        dict
            The input.

        Raises
        ------
        Unfit
            DeePMD-kit refuses it.
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
                "training_data": {
                    "systems": systems["training"],
                    "batch_size": self.batch,
                    **self._shares(folders),
                },
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
        if self.relative_force:
            result["loss"]["relative_f"] = self.relative_force
        try:
            normalize(json.loads(json.dumps(result)))
        except Exception as error:  # dargs raises its own family of errors
            raise Unfit(
                f"DeePMD-kit refuses this recipe: {str(error).strip().splitlines()[-1]}"
            ) from error
        return result

    def _shares(self, names: Collection[str]) -> dict[str, list[float]]:
        """How often the frames of each set are drawn, if that is not by their number alone."""
        if not self.favoured:
            return {}
        weight = [FAVOUR if name in self.favoured else 1.0 for name in names]
        drawn = [w * len(dataset.load(s, "training")) for w, s in zip(weight, names, strict=True)]
        return {"sys_probs": [n / sum(drawn) for n in drawn]}


#: the fields of `Recipe` that give the nets their shape
NETS = ("sel", "rcut", "rcut_smth", "neuron", "axis_neuron", "type_one_side", "fitting",
        "precision")  # fmt: skip


def continued(potential: str, **changes) -> Recipe:
    """A recipe that starts from the weights of a finished potential and has its networks.

    Parameters
    ----------
    potential : str
        Name or directory of the potential.
    **changes
        Other fields of the recipe (``sets``, ``steps``, ``learning_rate`` ...).

    Returns
    -------
    Recipe
        The recipe.

    Raises
    ------
    BadPotential
        As `store.load`.
    Unfit
        The changes give the networks another shape; as `Recipe`.
    """
    made = store.load(potential).recipe
    if given := [field for field in NETS if field in changes]:
        raise Unfit(
            f"{given[0]} is that of {potential}, whose weights this training goes on from; leave "
            f"it out"
        )
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
    """The potential of a recipe: found, resumed from its checkpoint, or made.

    A training of 2000 steps or more keeps 8 checkpoints, which are evaluated at its end on the
    validation frames; the best one is frozen, and ``learning.json`` has the errors of all
    (`learning_curves.read_learning`). A shorter training freezes its last checkpoint. The directory
    of a potential made here is ``build/potentials/<name>-<key>``.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    name : str
        Name by which later chapters refer to it.
    threads : int, optional
        Threads of TensorFlow; by default ``$OMP_NUM_THREADS`` or all usable cores.
    display_every : int, optional
        Steps between lines of ``lcurve.out``.
    save_every : int, optional
        Steps between checkpoints.
    watch : sequence of str
        Sets whose errors are written to ``learning.json`` without affecting the choice.

    Returns
    -------
    Potential
        The finished potential.

    Raises
    ------
    Unfit
        DeePMD-kit refuses the recipe, or a shipped potential of another recipe has this name.
    DPFailed
        The loss became NaN, or ``dp`` failed; its last lines are in the message.
    DirectoryBusy
        Another process trains in this directory.
    """
    plain = recipe.as_dict()
    shipped = (paths.shipped("potentials", name) / provenance.FILE).is_file()
    if shipped and not provenance.find("potentials", plain):
        raise Unfit(
            f"{name!r} is a shipped potential of another recipe; give this one another name"
        )
    if recipe.trainer == CARD and not provenance.find("potentials", plain):
        raise Unfit(
            f"{name!r} is trained on a {CARD}: `zif4 card job {name}.npz {name}` packs what is "
            "done there"
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


def told(potential: Potential, section: str) -> str:
    """What DeePMD-kit was told: a section of the input of a training.

    Parameters
    ----------
    potential : Potential
        The potential.
    section : str
        "model", "learning_rate", "loss" or "training".

    Returns
    -------
    str
        The section, as JSON.
    """
    return json.dumps(json.loads(potential.inside("input.json").read_text())[section], indent=1)


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
    return judged(directory, recipe, laws, earlier + time.monotonic() - began) | {
        "threads": threads
    }


def judged(
    directory: Path, recipe: Recipe, laws: dict[str, correction.Law] | None, seconds: float
) -> dict:
    """Write the errors of a frozen model on its validation frames; what is to be known of it.

    Parameters
    ----------
    directory : Path
        Directory of the potential, with the frozen model and ``lcurve.out``.
    recipe : Recipe
        Its recipe.
    laws : dict of str to Law or None
        Correction of its labels.
    seconds : float
        What the training took, s.

    Returns
    -------
    dict
        For its provenance.
    """
    frozen = directory / store.FROZEN
    metrics = {
        s: evaluation.evaluate(
            frozen, dataset.thinned(correction.load(s, "validation", laws), checkpoints.EVALUATED)
        )
        for s in recipe.sets
    }
    evaluation.write_metrics(directory / store.METRICS, metrics)
    last = learning_curves.read_lcurve(directory).iloc[-1]
    return {
        "seconds": seconds,
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
        directory / _INITIAL,
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
        frozen = conversion.trainable(recipe.initial_potential, directory / _INITIAL)
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
            with waiting.bar(total=recipe.steps, initial=started, desc=f"train {directory.name}",
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


def _advance(bar: waiting.tqdm, directory: Path, started: int) -> None:
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
