"""Checkpoints of a training: continuation after an interruption, and the choice of the best one."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from helpers import provenance, waiting
from helpers.frames import correction, dataset
from helpers.potentials import deepmd, evaluation, store

CHECKPOINT = "model.ckpt"
SNAPSHOT_FOLDER = "snapshots"
EVALUATED, JUDGED = 50, 3  # validation frames of a set: of a finished training, of a snapshot
SNAPSHOTS, SHORT = 8, 2000  # kept of a training; of one with fewer steps than SHORT none


def last_checkpoint(directory: Path) -> tuple[str, int] | None:
    """The newest complete checkpoint.

    TensorFlow's own ``checkpoint`` file names a checkpoint before its ``.meta`` is written, and may
    therefore refer to an incomplete one.

    Parameters
    ----------
    directory : Path
        Directory of the training.

    Returns
    -------
    (str, int) or None
        Prefix and step; None if there is none.
    """
    whole = [
        int(meta.stem.rsplit("-", 1)[1])
        for meta in directory.glob(f"{CHECKPOINT}-*.meta")
        if meta.with_suffix(".index").is_file()
        and meta.with_suffix(".data-00000-of-00001").is_file()
    ]
    return (f"{CHECKPOINT}-{max(whole)}", max(whole)) if whole else None


# ---------------------------------------------------------------- snapshots


def keep_snapshot(directory: Path, steps: int) -> None:
    """Keep the newest checkpoint if it is the first one after another eighth of the training.

    It is kept as hard links, because ``dp train`` deletes all but its last two.

    Parameters
    ----------
    directory : Path
        Directory of the training.
    steps : int
        Steps of the whole training.
    """
    newest = last_checkpoint(directory)
    if steps < SHORT or newest is None:
        return
    prefix, step = newest
    folder = directory / SNAPSHOT_FOLDER
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
    directory: Path,
    trained: Sequence[str],
    watch: Sequence[str],
    threads: int | None = None,
    laws: dict[str, correction.Law] | None = None,
) -> int:
    """Freeze and evaluate the snapshots of a training.

    Errors over ``JUDGED`` validation frames of each set of ``trained``, evenly chosen, and over
    three times as many of each set of ``watch`` are written to ``learning.json`` one snapshot after
    the other, so that the same call continues after an interruption. The best snapshot has the
    smallest product of the root-mean-square errors of energy, force and virial on the validation
    frames.

    Parameters
    ----------
    directory : Path
        Directory of the training.
    trained : sequence of str
        Sets that were trained on.
    watch : sequence of str
        Other sets to evaluate; they do not affect the choice.
    threads : int, optional
        Threads of TensorFlow.
    laws : dict of str to correction.Law, optional
        Laws by which the labels are corrected (`helpers.frames.correction`).

    Returns
    -------
    int
        Step of the best snapshot.
    """
    folder, file = directory / SNAPSHOT_FOLDER, directory / store.LEARNING
    rows = json.loads(file.read_text()) if file.is_file() else []
    judged = {
        "validation": [
            dataset.thinned(correction.load(s, "validation", laws), JUDGED) for s in trained
        ],
        "watched": [dataset.thinned(correction.load(s, None, laws), 3 * JUDGED) for s in watch],
    }
    steps = sorted(int(p.name) for p in folder.glob("[0-9]*"))
    for step in waiting.bar(steps, desc=f"judge {directory.name}", unit="snapshot"):
        snapshot = folder / str(step)
        if not (snapshot / store.FROZEN).is_file():
            deepmd.run(directory, threads, "freeze", "-c", str(snapshot.relative_to(directory)),
                "-o", f"{SNAPSHOT_FOLDER}/part.pb")  # fmt: skip
            (folder / "part.pb").rename(snapshot / store.FROZEN)
        if any(row["step"] == step for row in rows):
            continue
        row = {"step": step}
        for role, systems in judged.items():
            errors = [evaluation.evaluate(snapshot / store.FROZEN, system) for system in systems]
            row[role] = evaluation.over_all(errors)
        rows.append(row)
        provenance.write_text(file, json.dumps(rows, indent=1) + "\n")
    return min(rows, key=lambda row: math.prod(row["validation"].values()))["step"]
