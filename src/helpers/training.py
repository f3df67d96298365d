"""Deep potentials: from labelled frames to a frozen model, by DeePMD-kit's own programs.

The model is se_e2_a (Zhang et al., NeurIPS 2018, "DeepPot-SE"): a smooth descriptor of each atom's
neighbours within ``rcut`` from an embedding net, and a fitting net for the atom's energy. The loss
is p_e <dE^2>/N + p_f <|dF|^2>/(3N) + p_v <|dW|^2>/N with prefactors that move from start to limit
as the learning rate decays.

A *potential* is a directory with ``frozen_model.pb``, ``input.json``, ``lcurve.out``,
``metrics.json`` and ``provenance.json``. Later chapters name it and call :func:`load_potential`:
a directory of ``data/potentials`` (shipped), or the one that :func:`train` last made or reused
under this name here, which ``build/potentials/<name>`` points to.

Units: eV, A, eV/A; energies and virials per atom in meV.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import dpdata
import numpy as np
import pandas as pd
from tqdm import tqdm

from helpers import frames, paths, processes, provenance
from helpers.errors import NotThere, Unfit, nearest
from helpers.frames import TYPE_MAP

FROZEN = "frozen_model.pb"
COMPRESSED = "compressed_model.pb"
_CHECKPOINT = "model.ckpt"
_LOG = "train.log"
LEARNING = "learning.json"
_SNAPSHOTS = "snapshots"
EVALUATED, JUDGED = 50, 3  # validation frames of a set: of a finished training, of a snapshot
SNAPSHOTS, SHORT = 8, 2000  # kept of a training; of one with fewer steps than SHORT none


class TrainingFailed(RuntimeError):
    """``dp`` died or the loss became NaN."""


class BadPotential(ValueError):
    """A potential that is missing, truncated, not readable or made for other elements."""


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
    (``dp train --init-frz-model``), "" for random ones. The defaults of the descriptor, the nets
    and the energy and force prefactors are the paper's, but for ``sel``: there the numbers of
    atoms in the cell were given.
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
            frozen = load_potential(self.initial_potential) / FROZEN
            plain["initial_potential"] = provenance.sha256(frozen)
        return json.loads(json.dumps(plain))

    def input(self, directory: Path, display_every: int, save_every: int) -> dict:
        """The ``input.json`` of ``dp train``, judged by DeePMD-kit's own checker.

        Paths of the sets are relative to ``directory``, so no name of a machine gets in.
        """
        from deepmd.utils.argcheck import normalize

        systems = {
            part: [os.path.relpath(frames.locate(s) / part, directory) for s in self.sets]
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
    made = provenance.read(load_potential(potential))["recipe"]
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
    TrainingFailed
        the loss became NaN, or ``dp`` died; its last lines are in the message.
    provenance.DirectoryBusy
        another process trains in this directory.
    """
    plain = recipe.as_dict()
    done = provenance.find("potentials", plain)
    if done:
        done = done.resolve()
        provenance.announce("reused", done, f"potential {name!r} was trained before")
        _point(name, done)
        return done
    if (paths.shipped("potentials", name) / provenance.FILE).is_file():
        raise Unfit(
            f"{name!r} is a shipped potential of another recipe; give this one another name"
        )
    target = provenance.directory("potentials", name, plain).absolute()
    display_every, save_every = _intervals(recipe.steps, display_every, save_every)
    with provenance.lock(target):
        began = time.monotonic()
        text = recipe.input(target, display_every, save_every)
        (target / "input.json").write_text(json.dumps(text, indent=1) + "\n")
        frozen = target / FROZEN
        earlier = _seconds(target)
        if not frozen.is_file():
            _run_training(target, recipe, threads)
            if recipe.steps < SHORT:
                _dp(target, threads, "freeze", "-o", "frozen.part.pb")
                (target / "frozen.part.pb").rename(frozen)
            else:
                best = judge_snapshots(target, recipe.sets, watch, threads)
                (target / _SNAPSHOTS / str(best) / FROZEN).rename(frozen)
        metrics = {
            s: evaluate(frozen, frames.thinned(frames.load(s, "validation"), EVALUATED))
            for s in recipe.sets
        }
        write_metrics(target, metrics)
        last = read_lcurve(target).iloc[-1]
        provenance.write(
            target, kind="potentials", recipe=plain,
            description=f"se_e2_a potential of {', '.join(recipe.sets)}, {recipe.steps} steps",
            inputs={s: provenance.sha256(frames.locate(s)) for s in recipe.sets},
            seconds=earlier + time.monotonic() - began,
            threads=_threads(threads), sets=list(recipe.sets),
            frozen_sha256=provenance.sha256(frozen),
            training_frames=sum(len(frames.load(s, "training")) for s in recipe.sets),
            results={"last_line_of_lcurve": last.to_dict(), "validation": metrics},
        )  # fmt: skip
        for left in (*target.glob(f"{_CHECKPOINT}*"), *target.glob("checkpoint*"),
                     target / "out.json", target / "input_v2_compat.json",
                     target / "seconds.json"):  # fmt: skip
            left.unlink(missing_ok=True)
        shutil.rmtree(target / _SNAPSHOTS, ignore_errors=True)
    provenance.announce("made", target, f"potential {name!r}, {recipe.steps} steps")
    _point(name, target)
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
        frozen = load_potential(recipe.initial_potential) / FROZEN
        command += ["--init-frz-model", os.path.relpath(frozen, directory)]
    if started >= recipe.steps:
        _keep_snapshot(directory, recipe.steps)  # the kill may have come before it was kept
        return
    clock, earlier = time.monotonic(), _seconds(directory)
    with open(directory / _LOG, "a") as log:
        process = subprocess.Popen(
            [*program(), *command], cwd=directory, env=environment(threads),
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
        nan = re.search(r"NaN detected at batch\s+(\d+)", (directory / _LOG).read_text()[-4000:])
        raise _nan(directory, int(nan[1])) if nan else _death(directory, "train", code)
    _refuse_nan(directory, read_lcurve(directory))


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
    directory: Path, trained: Sequence[str], watch: Sequence[str], threads: int | None = None
) -> int:
    """Freeze and judge the snapshots of a training; the step of the best one.

    Errors over ``JUDGED`` validation frames of each set of ``trained``, evenly chosen, and over
    three times as many of each set of ``watch``, go to ``learning.json``, one snapshot after
    the other: the same call after a kill goes on. The best has the smallest product of the
    root mean square errors of energy, force and virial on the validation frames.
    """
    folder, file = directory / _SNAPSHOTS, directory / LEARNING
    rows = json.loads(file.read_text()) if file.is_file() else []
    judged = {
        "validation": [frames.thinned(frames.load(s, "validation"), JUDGED) for s in trained],
        "watched": [frames.thinned(frames.load(s), 3 * JUDGED) for s in watch],
    }
    steps = sorted(int(p.name) for p in folder.glob("[0-9]*"))
    for step in tqdm(steps, desc=f"judge {directory.name}", unit="snapshot"):
        snapshot = folder / str(step)
        if not (snapshot / FROZEN).is_file():
            _dp(directory, threads, "freeze", "-c", str(snapshot.relative_to(directory)),
                "-o", f"{_SNAPSHOTS}/part.pb")  # fmt: skip
            (folder / "part.pb").rename(snapshot / FROZEN)
        if any(row["step"] == step for row in rows):
            continue
        row = {"step": step}
        for role, systems in judged.items():
            errors = [evaluate(snapshot / FROZEN, system) for system in systems]
            row[role] = over_all(errors)
        rows.append(row)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(rows, indent=1) + "\n")
        part.replace(file)
    return min(rows, key=lambda row: math.prod(row["validation"].values()))["step"]


def over_all(errors: list[dict]) -> dict[str, float]:
    """Root mean square errors over all frames of several sets; virials where there are any."""
    result = {}
    for key in ERRORS:
        known = [(e["n_frames"], e[key]) for e in errors if e[key] is not None]
        if known:
            frames_ = sum(n for n, _ in known)
            result[key] = math.sqrt(sum(n * x**2 for n, x in known) / frames_)
    return result


def read_learning(potential: str | Path) -> pd.DataFrame:
    """Errors of the snapshots of a training against its steps.

    Columns: step, role (``validation``, ``watched``), energy_rmse_meV_per_atom,
    force_rmse_eV_per_A, virial_rmse_meV_per_atom.

    Raises
    ------
    FileNotFoundError
        the training kept none (too short, or made before snapshots were kept).
    """
    file = load_potential(potential) / LEARNING
    if not file.is_file():
        raise NotThere(f"{paths.relative(file)} is missing: no snapshots were kept")
    return pd.DataFrame([
        {"step": row["step"], "role": role} | row[role]
        for row in json.loads(file.read_text()) for role in ("validation", "watched") if row[role]
    ])  # fmt: skip


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


def _nan(directory: Path, step: int) -> TrainingFailed:
    return TrainingFailed(
        f"{paths.relative(directory)}: the loss is NaN at step {step}; look at the frames "
        f"(frames.check), lower the learning rate, then remove the directory and train again"
    )


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


# ---------------------------------------------------------------- programs


def program() -> list[str]:
    """DeePMD-kit's ``dp`` of this environment."""
    return [sys.executable, "-m", "deepmd", "--tf"]


def _threads(threads: int | None) -> int:
    return int(threads or os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def environment(threads: int | None) -> dict[str, str]:
    """The environment of ``dp`` with so many threads (None: ``$OMP_NUM_THREADS`` or all cores)."""
    n = str(_threads(threads))
    return os.environ | {
        "OMP_NUM_THREADS": n,
        "DP_INTRA_OP_PARALLELISM_THREADS": n,
        "DP_INTER_OP_PARALLELISM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONUNBUFFERED": "1",
    }


def _dp(directory: Path, threads: int | None, *command: str) -> str:
    """Run ``dp --tf <command>`` in ``directory``; its output, also kept in the log there."""
    done = subprocess.run(
        [*program(), *command], cwd=directory, env=environment(threads), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=processes.die_with_parent,
    )  # fmt: skip
    with open(directory / _LOG, "a") as log:
        log.write(done.stdout)
    if done.returncode:
        raise _death(directory, command[0], done.returncode)
    return done.stdout


def _death(directory: Path, command: str, code: int) -> TrainingFailed:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    end = processes.last_lines((directory / _LOG).read_text(errors="replace"))
    return TrainingFailed(
        f"dp {command} died ({how}) in {paths.relative(directory)}; "
        f"repair the cause and call again to go on. {_LOG}, {end}"
    )


def _seconds(directory: Path) -> float:
    """Wall time that earlier, broken runs in this directory took."""
    file = directory / "seconds.json"
    try:
        return float(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return 0.0


# ---------------------------------------------------------------- finding


def _point(name: str, target: Path) -> None:
    """Let ``build/potentials/<name>`` point to ``target``: it is what ``name`` means here now."""
    link = paths.made("potentials", name)
    if paths.shipped("potentials", name).resolve() == target or link == target:
        return
    if link.is_dir() and not link.is_symlink():
        raise Unfit(f"{paths.relative(link)} is a directory, not a pointer; choose a new name")
    link.parent.mkdir(parents=True, exist_ok=True)
    part = link.with_name(f".{name}.{os.getpid()}")
    part.symlink_to(os.path.relpath(target, link.parent), target_is_directory=True)
    part.replace(link)


def names() -> list[str]:
    """Names that :func:`load_potential` knows: shipped ones, and those trained here."""
    found = {file.parent.name for file in paths.shipped("potentials").glob(f"*/{provenance.FILE}")}
    found |= {file.parent.name for file in paths.made("potentials").glob(f"*/{provenance.FILE}")}
    return sorted(found)


def load_potential(name_or_directory: str | Path) -> Path:
    """Directory of a finished potential.

    A bare name is ``data/potentials/<name>`` (shipped) or ``build/potentials/<name>``: the
    potential that :func:`train` last made or reused under this name on this machine, however many
    of other recipes lie beside it. So a chapter that trains live and the chapters after it agree
    by the name alone.

    Raises
    ------
    BadPotential
        no such potential (with the nearest name and how to get one), two of this name, not
        finished, or a frozen model that is not the one its provenance speaks of.
    """
    text = str(name_or_directory)
    if os.sep in text or Path(text).is_absolute():
        candidates = [Path(text), paths.ROOT / text]
    else:
        candidates = [paths.shipped("potentials", text), paths.made("potentials", text)]
    found = list({c.resolve(): c for c in candidates if (c / FROZEN).is_file()})
    if not found:
        raise BadPotential(
            f"no potential {text!r}{nearest(text, names())} (there are: "
            f"{', '.join(names()) or 'none'}); chapter 02_training makes one"
        )
    if len(found) > 1:
        raise BadPotential(
            f"two potentials are called {text!r}: "
            f"{', '.join(paths.relative(f) for f in found)}; give the path of one"
        )
    directory = found[0]
    recorded = provenance.read(directory).get("frozen_sha256")
    if recorded and recorded != provenance.sha256(directory / FROZEN):
        raise BadPotential(
            f"{paths.relative(directory)}/{FROZEN} is truncated or changed (its sha256 is not the "
            f"one in {provenance.FILE}); restore it from git or train it again"
        )
    return directory


def ship(potential: str | Path, name: str) -> Path:
    """Copy a potential trained here to ``data/potentials/<name>``: what a reader needs of it.

    An older one of this name stays until all is copied.
    """
    source, target = load_potential(potential), paths.shipped("potentials", name)
    part = target.with_name(f".{name}.{os.getpid()}")
    part.mkdir(parents=True)
    for file in (FROZEN, "lcurve.out", "metrics.json"):
        shutil.copy(source / file, part / file)
    if (source / LEARNING).is_file():
        shutil.copy(source / LEARNING, part / LEARNING)
    text = json.loads((source / "input.json").read_text())
    sets = provenance.read(source)["sets"]
    for section in ("training", "validation"):
        text["training"][f"{section}_data"]["systems"] = [
            f"../../frames/{Path(s).name}/{section}" for s in sets
        ]
    (part / "input.json").write_text(json.dumps(text, indent=1) + "\n")
    shutil.copy(source / provenance.FILE, part / provenance.FILE)
    provenance.replace(target, part)
    return target


def model_file(potential: str | Path) -> Path:
    """The model file of a potential: a ``.pb`` itself, or the frozen one of a directory or name."""
    path = Path(potential)
    if path.suffix == ".pb":
        if not path.is_file():
            raise BadPotential(f"{paths.relative(path)} does not exist; train or restore it")
        return path
    return load_potential(potential) / FROZEN


def check_potential(potential: str | Path, symbols: Sequence[str] | None = None):
    """Open a potential as ``deepmd.infer.DeepPot``, or say on one line why not.

    potential: name, directory or ``.pb``. symbols: elements it must know, e.g.
    ``atoms.get_chemical_symbols()``.

    Raises
    ------
    BadPotential
        truncated or unreadable file; elements it does not know; not the type map of this book.
    """
    file = model_file(potential)
    where = paths.relative(file)
    try:
        model = _opened(str(file), file.stat().st_mtime_ns)
        type_map = tuple(model.get_type_map())
    except Exception as error:  # protobuf, TensorFlow and DeePMD-kit each have their own
        reason = (str(error).strip() or "no reason given").splitlines()[-1]
        raise BadPotential(
            f"{where} is truncated or no deep potential ({type(error).__name__}: {reason}); "
            f"restore it from git or train it again"
        ) from error
    unknown = sorted(set(() if symbols is None else symbols) - set(type_map))
    if unknown:
        raise BadPotential(
            f"{where} knows {', '.join(type_map)}, the structure also has {', '.join(unknown)}; "
            f"use a structure of these elements or another potential"
        )
    if type_map != TYPE_MAP:
        raise BadPotential(
            f"{where} has the type map {type_map}, this book's structures and LAMMPS inputs have "
            f"{TYPE_MAP}; train it with this one"
        )
    return model


@lru_cache(maxsize=2)
def _opened(file: str, changed: int):  # `changed`: a file that was written again is another one
    with _quiet():
        from deepmd.infer import DeepPot

        return DeepPot(file)


@contextmanager
def _quiet():
    """No hints of DeePMD-kit, no stderr of compiled code: pages about a CUDA that is not there."""
    logging.getLogger("deepmd").setLevel(logging.ERROR)
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# ---------------------------------------------------------------- compress


def compress(potential: str | Path, step: float = 0.01) -> Path:
    """The tabulated model for fast molecular dynamics, made once and reused.

    The embedding net becomes a table of fifth-order polynomials (Lu et al., J. Chem. Theory
    Comput. 18, 5559 (2022)), ``step`` apart within the range of the training data and ten times
    that up to five times the range. Kept in ``build/compressed/<key>/`` for the content
    of the frozen file. Waits while another process makes the same one. Returns the ``.pb`` file.

    Raises
    ------
    BadPotential
        see :func:`load_potential`.
    TrainingFailed
        ``dp compress`` died (a model trained with ``--skip-neighbor-stat`` cannot be compressed).
    """
    frozen = model_file(potential)
    recipe = {
        "frozen": provenance.sha256(frozen), "step": step, "extrapolate": 5,
        "deepmd-kit": provenance.versions().get("deepmd-kit"),
    }  # fmt: skip
    target = paths.BUILD / "compressed" / provenance.key(recipe)
    finished = target / provenance.FILE
    while not finished.is_file():
        try:
            with provenance.lock(target):
                if not finished.is_file():
                    _compress(frozen, target, recipe)
                    provenance.announce("made", target / COMPRESSED, _size(target / COMPRESSED))
                    return target / COMPRESSED
        except provenance.DirectoryBusy as busy:
            print(f"waiting: {busy}", flush=True)
            time.sleep(5)
    provenance.announce("reused", target / COMPRESSED, _size(target / COMPRESSED))
    return target / COMPRESSED


def _compress(frozen: Path, target: Path, recipe: dict) -> None:
    work = target / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    began = time.monotonic()
    _dp(
        work, None, "compress", "-i", str(frozen.resolve()), "-o", COMPRESSED,
        "-s", str(recipe["step"]), "-e", str(recipe["extrapolate"]),
    )  # fmt: skip
    (work / COMPRESSED).replace(target / COMPRESSED)
    provenance.write(
        target, kind="compressed", recipe=recipe,
        description=f"{paths.relative(frozen)} with a tabulated embedding net",
        inputs={FROZEN: recipe["frozen"]}, seconds=time.monotonic() - began,
    )  # fmt: skip
    shutil.rmtree(work)


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 2**20:.0f} MiB"


# ---------------------------------------------------------------- judge


@dataclass(frozen=True)
class Prediction:
    """What a potential says of labelled frames, beside the labels.

    energy: (F,) eV; force: (F, N, 3) eV/A; virial: (F, 3, 3) eV; ``*_reference``: the labels.
    elements: (N,) symbols. virial_reference is None where the frames carry none.
    """

    energy: np.ndarray
    force: np.ndarray
    virial: np.ndarray
    energy_reference: np.ndarray
    force_reference: np.ndarray
    virial_reference: np.ndarray | None
    elements: np.ndarray

    def metrics(self) -> dict:
        """Errors as root mean squares over frames, atoms and components.

        energy_rmse_meV_per_atom = sqrt(<(E - E_ref)^2>) / N, force_rmse_eV_per_A =
        sqrt(<(F - F_ref)^2>), virial_rmse_meV_per_atom = sqrt(<(W - W_ref)^2>) / N: the
        definitions of ``dp test``. energy_bias_meV_per_atom = <E - E_ref> / N is the part of the
        first that all frames share. force_rms_eV_per_A is the size of the reference forces
        themselves, beside which an error means something; energy_spread_meV_per_atom likewise.
        energy_relative_percent is the error over the mean |E|, as the paper's Table 1 gives it.
        """
        n_atoms = len(self.elements)
        error = self.force - self.force_reference
        virial = None
        if self.virial_reference is not None:
            virial = 1e3 * _rms(self.virial - self.virial_reference) / n_atoms
        energy = _rms(self.energy - self.energy_reference)
        present = [e for e in TYPE_MAP if (self.elements == e).any()]
        return {
            "n_frames": len(self.energy),
            "energy_rmse_meV_per_atom": 1e3 * energy / n_atoms,
            "energy_bias_meV_per_atom": float(
                1e3 * (self.energy - self.energy_reference).mean() / n_atoms),
            "energy_relative_percent": float(100 * energy / np.abs(self.energy_reference).mean()),
            "energy_spread_meV_per_atom": float(1e3 * self.energy_reference.std() / n_atoms),
            "force_rmse_eV_per_A": _rms(error),
            "force_rms_eV_per_A": _rms(self.force_reference),
            "force_rmse_by_element_eV_per_A": {
                e: _rms(error[:, self.elements == e]) for e in present
            },
            "virial_rmse_meV_per_atom": virial,
        }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def predict(potential: str | Path, system: dpdata.LabeledSystem) -> Prediction:
    """Energies, forces and virials of a potential for labelled frames.

    Raises
    ------
    BadPotential
        see :func:`check_potential`.
    """
    elements = np.array(system["atom_names"])[system["atom_types"]]
    model = check_potential(potential, elements)
    types = [model.get_type_map().index(e) for e in elements]
    n = len(system)
    with _quiet():
        energy, force, virial = model.eval(
            system["coords"].reshape(n, -1), system["cells"].reshape(n, -1), types
        )
    reference = system.data.get("virials")
    return Prediction(
        energy=energy.reshape(n),
        force=force.reshape(n, -1, 3),
        virial=virial.reshape(n, 3, 3),
        energy_reference=np.asarray(system["energies"]).reshape(n),
        force_reference=np.asarray(system["forces"]),
        virial_reference=None if reference is None else np.asarray(reference),
        elements=elements,
    )


def evaluate(potential: str | Path, system: dpdata.LabeledSystem) -> dict:
    """Errors of a potential on labelled frames: :meth:`Prediction.metrics`."""
    return predict(potential, system).metrics()


ERRORS = ("energy_rmse_meV_per_atom", "force_rmse_eV_per_A", "virial_rmse_meV_per_atom")
PARITY = (("energy", "eV/atom"), ("force", "eV/A"), ("virial", "eV/atom"))


def parity(predictions: dict[str, Prediction]) -> dict[str, tuple]:
    """Points of parity plots: quantity of :data:`PARITY` -> (reference, predicted, groups).

    Energies per atom, from the mean of all reference energies, grouped by set; force components
    grouped by element; virial components per atom, grouped by set.
    """
    energy, force, virial = [], [], []
    for name, p in predictions.items():
        n = len(p.elements)
        energy.append((p.energy_reference / n, p.energy / n, [name] * len(p.energy)))
        elements = np.broadcast_to(p.elements[None, :, None], p.force.shape)
        force.append((p.force_reference.ravel(), p.force.ravel(), elements.ravel()))
        if p.virial_reference is not None:
            groups = [name] * p.virial.size
            virial.append((p.virial_reference.ravel() / n, p.virial.ravel() / n, groups))
    joined = [tuple(map(np.concatenate, zip(*q, strict=True))) for q in (energy, force, virial)]
    zero = joined[0][0].mean()
    joined[0] = (joined[0][0] - zero, joined[0][1] - zero, joined[0][2])
    return {quantity: points for (quantity, _), points in zip(PARITY, joined, strict=True)}


def write_metrics(directory: Path, metrics: dict) -> Path:
    """Write ``metrics.json`` (set -> errors) beside a potential, at once or not at all."""
    target = Path(directory) / "metrics.json"
    if not all(math.isfinite(m["force_rmse_eV_per_A"]) for m in metrics.values()):
        raise TrainingFailed(f"{paths.relative(directory)}: the trained potential predicts NaN")
    part = target.with_suffix(".part")
    part.write_text(json.dumps(metrics, indent=1) + "\n")
    part.replace(target)
    return target


def dp_test(potential: str | Path, part_directory: Path) -> dict:
    """Errors as ``dp test`` prints them: the independent check of :func:`evaluate`.

    part_directory: a part of a set, e.g. ``frames.locate("abw") / "validation"``. Keys as in
    :func:`evaluate`.
    """
    import tempfile

    file = model_file(potential).resolve()
    with tempfile.TemporaryDirectory() as work:
        text = _dp(
            Path(work), None, "test", "-m", str(file), "-s", str(Path(part_directory).resolve()),
            "-n", "0",  # all frames
        )  # fmt: skip

    def value(label: str, scale: float) -> float | None:
        found = re.findall(rf"{label}\s*:\s*([-+.\deE]+)", text)
        return float(found[-1]) * scale if found else None

    return {
        "energy_rmse_meV_per_atom": value("Energy RMSE/Natoms", 1e3),
        "force_rmse_eV_per_A": value("Force  RMSE", 1.0),
        "virial_rmse_meV_per_atom": value("Virial RMSE/Natoms", 1e3),
    }
