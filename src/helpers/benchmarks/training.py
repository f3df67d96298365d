"""What a training step costs on this machine: real ``dp train`` of a few hundred steps a setting.

``make bench-train`` measures and writes ``build/bench/training.json``; a measured file that is
shipped lies in ``data/bench``. Settings already in the file of the same machine, versions and
length are not measured again, so a broken-off measurement goes on. Anything else that runs on the
machine falsifies the numbers: the load is written down beside each.
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
from tqdm import tqdm

from helpers import paths, processes, provenance
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
    """One row: what differs from the defaults of `training.Recipe`, and how it is run.

    recipe: changes of the recipe. threads: of TensorFlow. keep_memory: freed memory stays with the
    process (``KEEP_MEMORY``); the numbers do not change by it.
    """

    name: str
    recipe: dict = field(default_factory=dict)
    threads: int = 1
    keep_memory: bool = False


def settings(threads: Sequence[int] = (1, 2)) -> list[Setting]:
    """One thing changed at a time, then all that the paper (and DeePMD-kit's defaults) have."""
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
    """Train ``steps`` steps with each setting and write what a step took; returns the JSON file.

    Raises
    ------
    ValueError
        not three display intervals: the first is discarded, two are needed for a spread.
    deepmd.DPFailed
        ``dp train`` died; its last lines are in the message.
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
        for setting in tqdm(chosen or settings(), desc="bench-train", unit="setting"):
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

    The first interval is left out: TensorFlow compiles and warms up in it.

    Raises
    ------
    ValueError
        fewer than three intervals in the log.
    """
    found = re.findall(r"Batch\s+(\d+): total wall time = ([\d.]+) s", log)
    times = np.array([float(t) for step, t in found if int(step)]) / display_every
    if len(times) < 3:
        raise Unfit(
            f"the log of dp train shows {len(times)} intervals, three are needed; train longer"
        )
    return {"seconds_per_step": float(times[1:].mean()), "spread": float(times[1:].std(ddof=1)),
            "intervals": len(times) - 1}  # fmt: skip
