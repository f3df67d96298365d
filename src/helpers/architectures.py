"""Which nets: error on test trajectories, phase by phase, against the cost of a step of MD.

Every setting differs in few things from the first one and is trained on the same frames for the
same number of steps, from its own first weights; the paper's nets are among them. ``python -m
helpers.architectures`` trains (or reuses) one after the other as potentials ``arch-<name>``, times
their MD on one core, and writes ``build/bench/architectures.json``; broken off, it goes on. What a
step costs does not depend on the weights: ``--cost`` times nets that were trained for two steps,
which takes minutes. A table that is shipped lies in ``data/bench``.

Units: A, eV/A, meV/atom; core-us per atom and step.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import (
    correction,
    evaluation,
    frames,
    layout,
    models,
    paths,
    potentials,
    provenance,
    structures,
    training,
)
from helpers.errors import NotThere, Unfit, nearest

#: where an error is asked for: group -> test sets
GROUPS = {
    "crystal 300 K": ("test_0300", "reference_0300"),
    "crystal 600-1500 K": ("test_0600_1500", "reference_1200"),
    "crystal 2000-2500 K": ("test_2000", "test_2500"),
    "open": ("heated_atp", "opening_test", "test_low_density"),
    "melt": ("test_melt",),
    "glass": ("glasses_test",),
}
JUDGED = 8  # frames of each test set
COST_SET = "crystal_0300"
STEPS = 8000
#: the paper's embedding and fitting nets are the defaults of `training.Recipe`; it does not say
#: axis_neuron. Neighbours in the densest frames: 27/27/21/6 within 6 A, 42/42/31/8 within 7 A,
#: 62/60/41/13 within 8 A.
PAPER = {"axis_neuron": 16}
NARROW = {"neuron": (16, 32, 64), "axis_neuron": 8, "fitting": (128, 128, 128)}
SETTINGS = {
    "paper": PAPER,
    "narrow": NARROW,
    "axis 8": {"axis_neuron": 8},
    "axis 4": {"axis_neuron": 4},
    "narrow, 7 A": NARROW | {"rcut": 7.0, "sel": (48, 48, 36, 10)},
    "narrow, 8 A": NARROW | {"rcut": 8.0, "sel": (70, 70, 48, 15)},
    "narrow, axis 4": NARROW | {"axis_neuron": 4},
    "narrow, axis 16": NARROW | {"axis_neuron": 16},
    "narrower": NARROW | {"neuron": (8, 16, 32), "fitting": (96, 96, 96)},
    "narrow, two layers": NARROW | {"fitting": (128, 128)},
    "paper, 7 A": PAPER | {"rcut": 7.0, "sel": (48, 48, 36, 10)},
}


def recipe(name: str, steps: int = STEPS) -> training.Recipe:
    """The training of a setting: on corrected labels of the sets of the group ``compared``.

    Raises
    ------
    Unfit
        no such setting.
    """
    if name not in SETTINGS:
        raise Unfit(f"no setting {name!r}{nearest(name, SETTINGS)} (there are: "
                    f"{', '.join(SETTINGS)})")
    return training.Recipe(
        sets=tuple(potentials.group("compared")), steps=steps, corrected=True, seed=31,
        learning_rate=(2e-3, 1e-5), prefactor_energy=(0.1, 50), prefactor_force=(1000, 20),
        prefactor_virial=(0.02, 4), **SETTINGS[name],
    )  # fmt: skip


def errors(potential: str | Path) -> list[dict]:
    """Errors by group, against corrected labels; energies as they are and by their mean error."""
    laws, found = correction.of(models.load_potential(potential)), []
    for group, sets in GROUPS.items():
        said = [evaluation.evaluate(potential, frames.thinned(
            correction.load(s, None, laws), JUDGED)) for s in sets if s in frames.names()]
        if not said:
            continue
        weights = [e["n_frames"] for e in said]
        bias = np.average([e["energy_bias_meV_per_atom"] for e in said], weights=weights)
        found.append({"group": group, "frames": sum(weights),
                      "energy_bias_meV_per_atom": float(bias)} | evaluation.over_all(said))
    return found


def cost(potential: str | Path, seconds: int = 20) -> list[dict]:
    """Rows of `layout.time_lammps` on one core, compressed: 272 and 2176 atoms."""
    force = layout.deepmd(models.compress(potential))
    return [layout.time_lammps(structures.supercell(structures.load("ZIF-4"), (n, n, n)),
                               force, 1, 1, seconds) for n in (1, 2)]


def measure(names: Sequence[str] = tuple(SETTINGS), steps: int = STEPS,
            file: Path | None = None, cost_only: bool = False) -> Path:
    """Train, judge and time the settings that ``file`` has not got yet; the file.

    cost_only: two steps on one set, and no errors.

    Raises
    ------
    Unfit, dp.DPFailed, lammps.LammpsDied
    """
    file = Path(file or paths.BUILD / "bench" / "architectures.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        plan = recipe(name, steps)
        if cost_only:
            plan = replace(plan, steps=2, sets=(COST_SET,), corrected=False)
        rows = json.loads(file.read_text())["rows"] if file.is_file() else []
        key = provenance.key(plan.as_dict())
        if any(row["key"] == key for row in rows):
            print(f"[reused] {paths.relative(file)}: {name}", flush=True)
            continue
        made = training.train(plan, "arch-" + name.replace(", ", "-").replace(" ", ""), threads=1)
        rows = [row for row in rows if (row["name"], row["steps"]) != (name, plan.steps)]
        rows.append({"name": name, "key": key, "steps": plan.steps, "changes": SETTINGS[name],
                     "training_seconds": provenance.read(made)["seconds"],
                     "errors": [] if cost_only else errors(made), "cost": cost(made)})
        part = file.with_suffix(".part")
        part.write_text(json.dumps(
            {"hardware": provenance.hardware(), "versions": provenance.versions(), "rows": rows},
            indent=1) + "\n")  # fmt: skip
        part.replace(file)
    return file


def read(file: Path | None = None) -> dict:
    """What was measured: the given file, or ``data/bench``'s.

    Raises
    ------
    FileNotFoundError
        nothing was measured.
    """
    file = Path(file or paths.DATA / "bench" / "architectures.json")
    if not file.is_file():
        raise NotThere(f"{paths.relative(file)} is missing: python -m helpers.architectures "
                       f"measures, --ship puts it there")
    return json.loads(file.read_text())


def table(record: dict) -> pd.DataFrame:
    """A row a setting: name, steps, core_us_272, core_us_2176 (processor time of LAMMPS), and over
    all groups the errors of `evaluation.ERRORS`; energy_between_phases_meV_per_atom is the largest
    difference of two groups' mean energy errors; force errors of each group in columns of its name.
    """
    result = []
    for row in record["rows"]:
        said = row["errors"]
        bias = [e["energy_bias_meV_per_atom"] for e in said]
        result.append({
            "name": row["name"], "steps": row["steps"],
            **{f"core_us_{c['atoms']}": c["cpu_us_per_atom_step"] for c in row["cost"]},
            **evaluation.over_all([e | {"n_frames": e["frames"]} for e in said]),
            "energy_between_phases_meV_per_atom": np.ptp(bias) if bias else np.nan,
            **{e["group"]: e["force_rmse_eV_per_A"] for e in said},
        })  # fmt: skip
    return pd.DataFrame(result)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table; 0 when done."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", help="of settings; without: all, in their order")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--cost", action="store_true", help="only what a step of MD costs")
    parser.add_argument("--ship", action="store_true", help="copy what is measured to data/bench")
    options = parser.parse_args(argv)
    file = paths.BUILD / "bench" / "architectures.json"
    if options.ship:
        file = Path(shutil.copy(file, paths.DATA / "bench"))
    else:
        measure(options.names or tuple(SETTINGS), options.steps, file, options.cost)
    print(table(read(file)).to_string(index=False, float_format="{:.3g}".format))
    print(paths.relative(file))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
