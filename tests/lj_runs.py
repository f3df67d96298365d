"""Runs of a Lennard-Jones solid by a tiny potential of it: made, interrupted, counted."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import ase.io
import dpdata
import numpy as np
import pytest
from ase.build import bulk, make_supercell
from ase.calculators.lj import LennardJones

from helpers import provenance, structures
from helpers.md import heating, lammps, protocol, thermo, trajectory

# a program: heat in the build folder of its first argument, the run of its second
CALL = """
import sys, json
from helpers import settings
from helpers.md import heating, protocol
with settings.use(build=sys.argv[1], kernels="off"):  # each build/ would compile them anew
    run = protocol.HeatingRun(**json.loads(sys.argv[2]))
    heating.run(run, restart_every_ps=0.05, compress=False)
"""


# a program: train and freeze in each of the folders named, importing TensorFlow once
TRAIN = """
import os, sys
from deepmd.main import main
for folder in sys.argv[1:]:
    os.chdir(folder)
    main(["train", "--skip-neighbor-stat", "input.json"])
    main(["freeze", "-o", "frozen_model.pb"])
"""


def lj_crystal(rng=None, displacement=0.0, strain=0.0):
    """32 atoms fcc, the four elements in turn, all the same Lennard-Jones solid (0.2 eV)."""
    atoms = bulk("Zn", "fcc", a=3.85 * (1 + strain), cubic=True)
    atoms.symbols = structures.TYPE_MAP
    atoms = atoms.repeat(2)
    if rng is not None:
        atoms.positions += rng.normal(0, displacement, atoms.positions.shape)
    atoms.calc = LennardJones(sigma=2.5, epsilon=0.2, rc=5.0, smooth=True)
    return atoms


def train(folder):
    """frozen_model.pb, a small net trained for seconds; other.pb, of another seed; structures."""
    rng = np.random.default_rng(1)
    made = [lj_crystal(rng, rng.uniform(0.01, 0.12), rng.uniform(-0.05, 0.07)) for _ in range(80)]
    system = dpdata.LabeledSystem(
        data={
            "atom_names": list(structures.TYPE_MAP),
            "atom_numbs": [8] * 4,
            "atom_types": np.tile(range(4), 8),
            "orig": np.zeros(3),
            "cells": np.array([a.cell.array for a in made]),
            "coords": np.array([a.positions for a in made]),
            "energies": np.array([a.get_potential_energy() for a in made]),
            "forces": np.array([a.get_forces() for a in made]),
            "virials": np.array([-a.get_stress(voigt=False) * a.get_volume() for a in made]),
        }
    )
    system.to("deepmd/npy", str(folder / "data"))

    def recipe(seed, steps):
        return {
            "model": {
                "type_map": list(structures.TYPE_MAP),
                "descriptor": {
                    "type": "se_e2_a",
                    "rcut": 5.0,
                    "rcut_smth": 1.0,
                    "sel": [20] * 4,
                    "neuron": [4, 8],
                    "axis_neuron": 4,
                    "seed": seed,
                    "type_one_side": True,
                },
                "fitting_net": {"neuron": [24, 24], "seed": seed},
            },
            "learning_rate": {"type": "exp", "start_lr": 0.01, "stop_lr": 1e-4, "decay_steps": 20},
            "loss": {
                "start_pref_e": 0.1,
                "limit_pref_e": 1,
                "start_pref_f": 100,
                "limit_pref_f": 1,
                "start_pref_v": 0.1,
                "limit_pref_v": 1,
            },
            "training": {
                "training_data": {"systems": [str(folder / "data")], "batch_size": 4},
                "numb_steps": steps,
                "seed": seed,
                "disp_freq": 100,
                "save_freq": 500,
            },
        }

    environment = os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",
        "DP_INTRA_OP_PARALLELISM_THREADS": "1",
        "DP_INTER_OP_PARALLELISM_THREADS": "1",
    }
    other = folder / "other"  # the same net of another seed: an ensemble of two
    for work, seed, steps in ((folder, 1, 400), (other, 2, 100)):  # the other heats nothing
        work.mkdir(exist_ok=True)
        (work / "input.json").write_text(json.dumps(recipe(seed, steps)))
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(folder), str(other)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    shutil.move(other / "frozen_model.pb", folder / "other.pb")
    # the same crystal in a skewed cell: LAMMPS would flip its tilt if it were allowed to
    unit = bulk("Zn", "fcc", a=3.85, cubic=True)
    unit.symbols = structures.TYPE_MAP
    triclinic = make_supercell(unit, [[2, 0, 0], [-2, 2, 0], [0, 1, 2]])
    for name, atoms in {
        "crystal": lj_crystal(),
        "triclinic": triclinic,
    }.items():
        atoms.calc = None
        ase.io.write(folder / f"{name}.extxyz", atoms)


def heating_run(potential, structure="crystal.extxyz", **changes):
    values = {
        "structure": str(potential.parent / structure),
        "potential": str(potential),
        "temperature_start_K": 100.0,
        "temperature_end_K": 200.0,
        "heating_rate_K_per_ps": 200.0,
        "equilibration_ps": 0.1,
        "thermo_every_ps": 0.01,
        "frame_every_ps": 0.02,
    }
    return protocol.HeatingRun(**(values | changes))


def holds_every_sample_once(heated, directory):
    table, frames_ = thermo.read(directory), trajectory.read(directory)
    every, frame_every = heated.steps(heated.thermo_every_ps), heated.steps(heated.frame_every_ps)
    last = heated.total_steps
    assert table["step"].tolist() == list(range(every, last + 1, every))
    assert frames_.steps.tolist() == list(range(frame_every, last + 1, frame_every))
    np.testing.assert_allclose(table["time_ps"], table["step"] * 0.5e-3, atol=1e-4)
    return table, frames_


def interrupt(heated, rows):
    """Start a run and kill its LAMMPS with -9 after so many rows; its directory."""
    directory = provenance.directory("runs", heated.name, heated.recipe())

    def kill():
        wait_for(
            lambda: (
                (directory / ".lammps").exists()
                and (directory / thermo.FILE).exists()
                and (directory / thermo.FILE).read_text().count("\n") > rows
            )
        )
        os.killpg(int((directory / ".lammps").read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(lammps.LammpsDied, match=r"code -9 at step \d+"):
        heating.run(heated, compress=False, restart_every_ps=0.05)
    killer.join()
    assert not (directory / provenance.FILE).exists()
    return directory


def wait_for(condition, seconds=400):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
