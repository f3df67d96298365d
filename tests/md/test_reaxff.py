"""ReaxFF in a heating run: found without its file, in metal units with it, by the real LAMMPS."""

import os
import subprocess
from dataclasses import replace

import ase.io
import numpy as np
import pytest
from ase import units
from ase.build import bulk

from helpers import cli, paths, provenance, settings, structures
from helpers.md import (
    force_field,
    heating,
    lammps,
    lammps_input,
    parallel,
    progress,
    protocol,
    reaxff,
    thermo,
    trajectory,
)
from helpers.recipes import catalogue, runs

needs_it = pytest.mark.skipif(
    not settings.current().reaxff,
    reason="no ReaxFF parameters: $ZIF4_REAXFF names their folder",
)
RUN = protocol.HeatingRun(
    "Znim2-ABW",
    reaxff.NAME,
    300,
    400,
    1000,
    equilibration_ps=0.02,
    timestep_fs=0.25,
    thermo_every_ps=0.005,
    frame_every_ps=0.01,
)


def test_the_unit():
    assert pytest.approx(units.kcal / units.mol, rel=1e-6) == reaxff.KCAL_PER_MOL_IN_EV


def test_the_input_is_that_of_every_other_run_but_for_the_potential():
    def but_for(run):
        lines = lammps_input.script(run).splitlines()
        return [x for x in lines if not x.startswith(("atom_style", "pair_", "fix charges"))]

    assert but_for(RUN) == but_for(replace(RUN, potential="atp"))
    own = set(lammps_input.script(RUN, first=100).splitlines())
    assert own >= {"units metal", "atom_style charge", *reaxff.lines("ffield.reaxff")}


def test_found_without_the_force_field(set_to):
    """The key of a run and of its potential need no file; the shipped run is read without it."""
    set_to(reaxff=None)
    assert RUN.recipe()["potential"] == reaxff.SHA256
    shipped = runs.find("reaxff-400Kps").directory
    assert shipped == paths.shipped("runs", "reaxff-400Kps")
    assert len(thermo.read(shipped)) == catalogue.run_recipe("reaxff-400Kps").total_steps // 400
    assert provenance.read(shipped)["potential"] == reaxff.NAME
    assert not list(shipped.glob("ffield*"))  # it is not ours


def test_absent_or_another_force_field(build, set_to, monkeypatch, capsys):
    set_to(reaxff=None)
    with pytest.raises(reaxff.ReaxFFUnavailable, match=r"\$ZIF4_REAXFF \(not set\).*ffield_ZnN"):
        heating.run(RUN)
    monkeypatch.setattr(provenance, "finished", lambda kind: iter(()))
    assert cli.main(["run", "reaxff-400Kps"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    set_to(reaxff=build)
    with pytest.raises(reaxff.ReaxFFUnavailable, match=str(build)):
        reaxff.force_field()
    (build / reaxff.FILE).write_text("Reactive MD-force field: cut off")
    with pytest.raises(reaxff.ReaxFFUnavailable, match="truncated or another force field"):
        heating.run(RUN)
    assert not list(build.rglob("in.heating"))


def test_an_ensemble_has_no_reaxff():
    with pytest.raises(ValueError, match="ensemble is one of deep potentials"):
        replace(RUN, ensemble=("atp",))


# --- with the force field -------------------------------------------------------------------


@needs_it
def test_an_unknown_element(build):
    ase.io.write(build / "copper.extxyz", bulk("Cu", cubic=True))
    with pytest.raises(reaxff.ReaxFFUnavailable, match="also has Cu"):
        heating.run(replace(RUN, structure=str(build / "copper.extxyz")))


def single_point(folder, atoms, unit_style, force):
    """Energy, pressure, charges (N,) and forces (N, 3) by LAMMPS, in the units of its input."""
    folder.mkdir()
    lammps.write_data(folder / "start.data", atoms, "charge")
    (folder / "in.point").write_text(
        "\n".join(
            [
                f"units {unit_style}",
                "atom_style charge",
                "read_data start.data",
                *force,
                'fix say all print 1 "$(pe:%.12g) $(press:%.12g)" file point.txt title ""',
                "dump all all custom 1 forces.txt id q fx fy fz",
                "dump_modify all sort id format float %.12g",
                "run 1",
            ]
        )
        + "\n"
    )
    subprocess.run(
        [*lammps.command(), "-in", "in.point", "-log", "none"],
        cwd=folder,
        check=True,
        env=lammps.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    energy, pressure = map(float, (folder / "point.txt").read_text().split()[:2])
    table = np.loadtxt(folder / "forces.txt", skiprows=9, max_rows=len(atoms))
    return energy, pressure, table[:, 1], table[:, 2:]


@needs_it
def test_metal_units_are_real_units_by_hand(tmp_path):
    """What a run computes is pair_style reaxff in its own units (kcal/mol, atm), converted by ASE's
    constants; LAMMPS' constants are older (1e-6)."""
    atoms = structures.load("Znim2-ABW")
    atoms.rattle(0.05, seed=1)
    file = reaxff.force_field().resolve()
    by_hand = [
        "pair_style reaxff NULL",
        f"pair_coeff * * {file} C H N Zn",
        "fix qeq all qeq/reaxff 1 0.0 10.0 1e-6 reaxff",
    ]
    energy, pressure, charges, forces = single_point(tmp_path / "real", atoms, "real", by_hand)
    ours = single_point(tmp_path / "metal", atoms, "metal", reaxff.lines(file))
    kcal = units.kcal / units.mol
    assert ours[0] == pytest.approx(energy * kcal, rel=1e-6)
    assert ours[1] == pytest.approx(pressure * 1.01325, rel=1e-5)
    np.testing.assert_allclose(ours[2], charges, atol=1e-8)
    np.testing.assert_allclose(ours[3], forces * kcal, rtol=1e-6, atol=1e-6)
    assert abs(charges.sum()) < 1e-6 and charges[atoms.symbols == "Zn"].min() > 0.5


@needs_it
def test_heated_stopped_and_gone_on_with(build, monkeypatch, capfd):
    """Table and trajectory hold every sample once, before and after a restart, in metal units."""
    directory = provenance.directory("runs", RUN.name, RUN.recipe())

    def stop(progress):
        if progress.row["step"] >= 300:
            raise KeyboardInterrupt

    guard = progress.Progress._guard
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(progress.Progress, "_guard", lambda self: (guard(self), stop(self)))
        heating.run(RUN, ranks=1, restart_every_ps=0.02)
    assert heating.run(RUN).directory == directory
    assert "[resumed]" in capfd.readouterr().out
    table, frames = thermo.read(directory), trajectory.read(directory)
    assert table["step"].tolist() == list(range(20, 481, 20))
    assert frames.steps.tolist() == list(range(40, 481, 40))
    np.testing.assert_allclose(table["time_ps"], table["step"] * 0.25e-3, atol=1e-4)
    kinetic = 1.5 * (68 - 1) * units.kB * table["temperature_K"]
    np.testing.assert_allclose(table["kinetic_energy_eV"], kinetic, rtol=1e-4)
    start = structures.load("Znim2-ABW")
    assert table["density_g_cm3"].iloc[0] == pytest.approx(structures.density(start), rel=0.02)
    energy, *_ = single_point(
        build / "point", frames.atoms(-1), "metal", reaxff.lines(reaxff.force_field().resolve())
    )
    last = table.iloc[-1]  # positions in the dump are rounded to 1e-4 A
    assert energy == pytest.approx(last["potential_energy_eV"], abs=0.02)
    assert provenance.read(directory)["inputs"]["potential"] == reaxff.SHA256
    assert not (directory / "ffield.reaxff").exists()


@needs_it
def test_a_layout_is_tried_with_reaxff(build, monkeypatch):
    monkeypatch.setattr(parallel, "_TRIAL_S", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    atoms, peer = structures.load("Znim2-ABW"), force_field.ReaxFF()
    ranks, threads = parallel.choose(atoms, peer, peer.model(), 10**7)
    assert 1 <= ranks * threads <= 2
