"""Ranks and threads by measurement: the real LAMMPS on the tiny cell."""

import json
import os

import pytest

from helpers import structures
from helpers.md import force_field, lammps, parallel
from helpers.potentials import store

ATP = force_field.DeepPotential("atp")


def test_layouts():
    assert parallel.layouts(1, 272) == [(1, 1)]
    assert parallel.layouts(2, 272) == [(1, 1), (1, 2), (2, 1)]
    assert parallel.layouts(12, 272) == [(1, 1), (1, 12), (2, 6), (3, 4), (4, 3), (6, 2)]
    assert parallel.layouts(16, 7344)[-1] == (16, 1)


def test_cost_of_a_step():
    """100 steps of 0.5 fs in 10 s on 2 cores, 1000 atoms: 200 us, 0.432 ns/day."""
    row = lammps.row(atoms=1000, steps=100, seconds=10.0, cores=2, load=0.0)
    assert row["core_us_per_atom_step"] == pytest.approx(200)
    assert row["ns_per_day"] == pytest.approx(0.5e-6 * 864000)


def test_a_trial_is_made_once_and_announced(build, monkeypatch, capfd):
    monkeypatch.setattr(parallel, "_TRIAL_S", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    atoms, forces = structures.load("Znim2-ABW"), (ATP, store.load("atp").file)
    assert parallel.choose(atoms, *forces, 10**4) == (1, 1)  # minutes: not worth a trial
    assert parallel.choose(atoms, *forces, 10**7, ranks=3) == (3, 1)  # as given
    assert not list(build.rglob("*.json"))
    chosen = parallel.choose(atoms, *forces, 10**7)
    (file,) = build.rglob("*.json")
    tried = json.loads(file.read_text())["tried"]
    assert set(tried) == {"1 x 1", "1 x 2", "2 x 1"}
    fastest = min(tried, key=lambda name: tried[name]["s_per_step"])
    assert "{} x {}".format(*chosen) == fastest
    assert all(row["steps"] > 1 and row["atoms"] == 68 for row in tried.values())
    alone = tried["1 x 1"]  # a machine at work gives less than a whole core, never more
    assert 0 < alone["cpu_us_per_atom_step"] < 1.1 * alone["core_us_per_atom_step"]
    assert "[made]" in capfd.readouterr().out
    monkeypatch.setattr(lammps, "time_lammps", None)
    assert parallel.choose(atoms, *forces, 10**7) == chosen
    assert "[reused]" in capfd.readouterr().out


def test_a_layout_that_fails_is_left_out(build, monkeypatch):
    def time_lammps(atoms, force, ranks, threads, seconds, atom_style, fused=None):
        if ranks > 1:
            raise lammps.LammpsDied("no slots")
        return lammps.row(len(atoms), 10, 1.0 / threads, ranks * threads, 0.0)

    monkeypatch.setattr(lammps, "time_lammps", time_lammps)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    atoms, forces = structures.load("Znim2-ABW"), (ATP, store.load("atp").file)
    assert parallel.choose(atoms, *forces, 10**7) == (1, 2)
