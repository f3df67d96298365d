"""Two force fields, one interface: what LAMMPS is told, and what a recipe is made of."""

import numpy as np
import pytest
from ase import Atoms

from helpers import provenance
from helpers.errors import Unfit
from helpers.md import force_field, lammps, lammps_input, model_deviation, protocol, reaxff
from helpers.potentials import store, training
from helpers.structures import TYPE_MAP


def test_a_word_means_one_force_field(tmp_path):
    assert isinstance(force_field.of("reaxff"), force_field.ReaxFF)
    atp = force_field.of("atp")
    assert (atp.name, atp.sha256) == ("atp", store.load("atp").sha256)
    by_file = force_field.of(str(store.load("atp").file))
    assert (by_file.name, by_file.sha256) == (atp.name, atp.sha256)


@pytest.mark.parametrize("name", ["atp", "reaxff"])
def test_both_fill_the_interface(name, tmp_path):
    forces = force_field.of(name)
    assert forces.name == name and len(forces.sha256) == 64
    lines = forces.lines(forces.link)
    assert any(line.startswith("pair_style") for line in lines)
    assert any(line.endswith(" ".join(TYPE_MAP)) for line in lines)
    assert all(str(tmp_path) in " ".join(forces.lines(tmp_path / "model")) for _ in lines)


def test_an_ensemble_is_written_at_its_stride():
    run = protocol.HeatingRun(
        "ZIF-4", "atp", 300, 400, 100, ensemble=["test"], deviation_every_ps=0.05
    )
    assert lammps_input.links(run) == ["potential.pb", "ensemble1.pb"]
    assert (
        f"deepmd potential.pb ensemble1.pb out_freq 100 out_file {model_deviation.FILE}"
        in lammps_input.script(run)
    )
    with pytest.raises(ValueError, match="an ensemble is one of deep potentials; reaxff has none"):
        protocol.HeatingRun("ZIF-4", "atp", 300, 400, 100, ensemble=[reaxff.NAME])


def test_a_model_is_given_for_elements_that_it_knows():
    with pytest.raises(store.BadPotential, match="also has Cu"):
        force_field.of("atp").model(["Zn", "Cu"], tabulated=False)
    file = force_field.of("atp").model(["Zn", "N"], tabulated=False)
    assert provenance.sha256(file) == force_field.of("atp").sha256


WALL_A = (3.0, 4.0)


def screened_nuclei(distance_A):
    """Energy of two bare Zn by Ziegler, Biersack and Littmark (1985), eV, from their constants."""
    charge, bohr_A, coulomb_eV_A = 30, 0.529177, 14.399645
    x = distance_A / (0.8854 * bohr_A / (2 * charge**0.23))
    phi = (
        0.1818 * np.exp(-3.2 * x)
        + 0.5099 * np.exp(-0.9423 * x)
        + 0.2802 * np.exp(-0.4029 * x)
        + 0.02817 * np.exp(-0.2016 * x)
    )
    return coulomb_eV_A * charge**2 / distance_A * phi


def test_the_wall_between_zinc_is_that_of_screened_nuclei():
    """What the wall adds to the potential in LAMMPS, by two Zn alone at several distances."""
    model = store.load("atp").file

    def added(distance_A):
        pair = Atoms("Zn2", [[0, 0, 0], [distance_A, 0, 0]], cell=[20] * 3, pbc=True)
        both = [
            lammps.single_point(pair, force_field.deepmd_lines(model, zinc_wall_A=wall))
            for wall in (WALL_A, ())
        ]
        return both[0][0] - both[1][0], (both[0][1] - both[1][1])[1, 0]

    near, nearer = added(2.8), added(2.4)
    assert nearer[0] - near[0] == pytest.approx(
        screened_nuclei(2.4) - screened_nuclei(2.8), rel=0.01
    )
    slope = (screened_nuclei(2.4 + 1e-4) - screened_nuclei(2.4 - 1e-4)) / 2e-4
    assert nearer[1] == pytest.approx(-slope, rel=0.01) and nearer[1] > 0
    assert 0 < added(3.6)[0] < 0.1
    assert np.abs(added(4.01)).max() == 0


def test_a_wall_is_of_the_potential_and_its_runs_are_others():
    atp, bare = force_field.of("round-8"), force_field.of("round-7")
    assert atp.sha256 == bare.sha256 and (atp.zinc_wall_A, bare.zinc_wall_A) == (WALL_A, ())
    assert "zbl" in " ".join(atp.lines("x")) and "zbl" not in " ".join(bare.lines("x"))
    keys = {
        provenance.key(protocol.HeatingRun("ZIF-4", name, 300, 400, 100).recipe())
        for name in ("round-8", "round-7", str(store.load("round-8").file))
    }
    assert len(keys) == 2  # a model file alone has no wall, as round-7
    for wrong in ([3.0], [4.0, 3.0], [0.0, 3.0]):
        with pytest.raises(Unfit, match="two rising distances"):
            training.Recipe(sets=("crystal_0300",), steps=1, zinc_wall_A=wrong)
