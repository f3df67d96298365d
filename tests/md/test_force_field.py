"""Two force fields, one interface: what LAMMPS is told, and what a recipe is made of."""

import pytest

from helpers import provenance
from helpers.md import force_field, lammps_input, model_deviation, protocol, reaxff
from helpers.potentials import store
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
        f"pair_style deepmd potential.pb ensemble1.pb out_freq 100 out_file {model_deviation.FILE}"
        in lammps_input.script(run)
    )
    with pytest.raises(ValueError, match="an ensemble is one of deep potentials; reaxff has none"):
        protocol.HeatingRun("ZIF-4", "atp", 300, 400, 100, ensemble=[reaxff.NAME])


def test_a_model_is_given_for_elements_that_it_knows():
    with pytest.raises(store.BadPotential, match="also has Cu"):
        force_field.of("atp").model(["Zn", "Cu"], tabulated=False)
    file = force_field.of("atp").model(["Zn", "N"], tabulated=False)
    assert provenance.sha256(file) == force_field.of("atp").sha256
