"""Cost of a training step on this machine: ``dp train`` of a few hundred steps for each setting.

``make bench-train`` measures and writes ``build/bench/training.json``; a shipped measurement is in
``data/bench``. Settings that the file already holds for this machine, these versions and this
length are not measured again, so that an interrupted measurement is continued. Any other work on
the machine falsifies the numbers; the load is recorded with each.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from helpers import paths, processes, provenance, waiting
from helpers.benchmarks import record
from helpers.errors import Unfit
from helpers.frames import dataset
from helpers.potentials import deepmd, training

SET = "crystal_0300_0900"  # cost depends on atoms and sel, not on which frames of 272 atoms
STEPS, DISPLAY_EVERY = 400, 100
# glibc hands freed arrays back to the kernel, which zeroes their pages again at every step.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**33), "MALLOC_TRIM_THRESHOLD_": str(2**34),
               "MALLOC_TOP_PAD_": str(2**28)}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One row: the difference from the defaults of `training.Recipe`, and how it is run.

    Attributes
    ----------
    name : str
        Name of the row.
    recipe : dict
        Fields of the recipe that differ.
    threads : int
        Threads of TensorFlow.
    keep_memory : bool
        Whether freed memory stays with the process (``KEEP_MEMORY``); this does not change the
        numbers.
    """

    name: str
    recipe: dict = field(default_factory=dict)
    threads: int = 1
    keep_memory: bool = False


def settings(threads: Sequence[int] = (1, 2)) -> list[Setting]:
    """Settings with one change at a time, then with all changes to the paper's and the defaults.

    Parameters
    ----------
    threads : sequence of int
        Numbers of threads to measure.

    Returns
    -------
    list of Setting
        The settings.
    """
    sel, double, pairs = ({"sel": (96, 96, 64, 16)}, {"precision": "float64"},
                          {"type_one_side": False})  # fmt: skip
    return [
        Setting(name, recipe, n, keep)
        for n in threads
        for name, recipe, keep in (
            ("as shipped", {}, False),
            ("as shipped, freed memory kept", {}, True),
            ("sel 96/96/64/16 (the paper)", sel, False),
            ("float64 (DeePMD-kit's default)", double, False),
            ("a net for each pair of elements", pairs, False),
            ("two frames a step", {"batch": 2}, False),
            ("sel of the paper, float64, nets of pairs", sel | double | pairs, False),
        )
    ]


def measure(
    file: Path | None = None, *, chosen: Sequence[Setting] | None = None, set_name: str = SET,
    steps: int = STEPS, display_every: int = DISPLAY_EVERY,
) -> Path:  # fmt: skip
    """Train with each setting and write the time for a step.

    Parameters
    ----------
    file : Path, optional
        JSON file; by default in ``build/bench``.
    chosen : sequence of Setting, optional
        Settings to measure; by default those of `settings`.
    set_name : str
        Set of frames to train on.
    steps : int
        Training steps for each setting.
    display_every : int
        Steps of a display interval.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    Unfit
        There are fewer than three display intervals: the first is discarded, and two are needed for
        a standard deviation.
    DPFailed
        ``dp train`` failed; its last lines are in the message.
    """
    if steps < 3 * display_every:
        raise Unfit(
            f"{steps} steps hold fewer than three intervals of {display_every}; give --steps "
            f"{3 * display_every} or more, or a smaller --every"
        )
    file = Path(file or record.made("training"))
    same = {
        "hardware": provenance.hardware(), "versions": provenance.versions(), "set": set_name,
        "atoms": dataset.load(set_name, "training").get_natoms(), "steps": steps,
        "display_every": display_every,
    }  # fmt: skip
    rows = _rows_of(file, same)
    file.parent.mkdir(parents=True, exist_ok=True)
    with provenance.lock(file.with_suffix("")) as work:
        for setting in waiting.bar(chosen or settings(), desc="bench-train", unit="setting"):
            plain = json.loads(json.dumps(asdict(setting)))
            if any(row["setting"] == plain for row in rows):
                print(f"[reused] {paths.relative(file)}: {setting.name}, {setting.threads} "
                      f"threads", flush=True)  # fmt: skip
                continue
            load = os.getloadavg()[0]
            log = _train(setting, set_name, steps, display_every, work / "run")
            rows.append({"setting": plain, "load": load} | seconds_per_step(log, display_every))
            record.write(file, same | {"rows": rows})
    shutil.rmtree(file.with_suffix(""))
    return file


def _rows_of(file: Path, same: dict) -> list[dict]:
    if not file.is_file():
        return []
    before = json.loads(file.read_text())
    rows = before.pop("rows")
    if before == same:
        return rows
    aside = file.with_name(f"{file.stem}-{time.strftime('%Y%m%dT%H%M%S')}.json")
    file.rename(aside)
    print(f"{paths.relative(file)} is of another machine, version or length: kept as {aside.name}")
    return []


def _train(setting: Setting, set_name: str, steps: int, display_every: int, work: Path) -> str:
    """The log of a real ``dp train``; what it trains is thrown away."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    recipe = training.Recipe(sets=(set_name,), steps=steps, **setting.recipe)
    text = recipe.input(work, display_every, save_every=10 * steps)
    (work / "input.json").write_text(json.dumps(text))
    environment = deepmd.environment(setting.threads)
    environment = {k: v for k, v in environment.items() if k not in KEEP_MEMORY}
    environment |= KEEP_MEMORY if setting.keep_memory else {}
    done = subprocess.run(
        [*deepmd.program(), "train", "input.json", "--skip-neighbor-stat"], cwd=work,
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        preexec_fn=processes.die_with_parent,
    )  # fmt: skip
    if done.returncode:
        raise deepmd.DPFailed(
            f"dp train died at {setting.name!r}; {processes.last_lines(done.stdout)}"
        )
    return done.stdout


def seconds_per_step(log: str, display_every: int) -> dict:
    """Mean and standard deviation over display intervals of DeePMD-kit's own log.

    The first interval is left out, because TensorFlow compiles and warms up in it.

    Parameters
    ----------
    log : str
        Output of ``dp train``.
    display_every : int
        Steps of a display interval.

    Returns
    -------
    dict
        seconds_per_step, spread (s) and the number of intervals.

    Raises
    ------
    Unfit
        There are fewer than three intervals in the log.
    """
    found = re.findall(r"Batch\s+(\d+): total wall time = ([\d.]+) s", log)
    times = np.array([float(t) for step, t in found if int(step)]) / display_every
    if len(times) < 3:
        raise Unfit(
            f"the log of dp train shows {len(times)} intervals, three are needed; train longer"
        )
    return {"seconds_per_step": float(times[1:].mean()), "spread": float(times[1:].std(ddof=1)),
            "intervals": len(times) - 1}  # fmt: skip
