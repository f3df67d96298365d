"""The protocol of a run: its segments, what is refused, what its key is made of."""

import json
import shutil
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from lj_runs import heating_run

from helpers import paths, provenance, structures
from helpers.book import chapters
from helpers.errors import UserError
from helpers.md import protocol
from helpers.md.run import Run
from helpers.observables import molecules


@pytest.mark.parametrize("chapter", ["03_test_vs_atp", "04_heating_rates", "05_low_density_phase"])
def test_a_parameter_of_a_chapter_is_the_field_of_its_unit(chapter):
    used = chapters.settings(chapter, "small")
    for parameter in (s.parameter for s in used if s.parameter.name in protocol.OF_A_CHAPTER):
        unit = "" if parameter.unit == "-" else "_" + parameter.unit.replace("/", "_per_")
        assert protocol.OF_A_CHAPTER[parameter.name] == parameter.name + unit


def test_a_chapter_asks_for_a_run():
    given = {
        "structure": "ZIF-4", "potential": "atp", "temperature_start": 300.0, "ranks": 4,
        "temperature_end": 900.0, "heating_rate": 0.0, "supercell": [2, 1, 1], "pressure": 1400.0,
    }  # fmt: skip
    asked = protocol.asked(given, heating_rate_K_per_ps=20.0)
    assert asked == protocol.HeatingRun(
        "ZIF-4", "atp", 300.0, 900.0, 20.0, supercell=(2, 1, 1), pressure_bar=1400.0
    )


def test_segments_follow_each_other():
    run = protocol.HeatingRun("ZIF-4", "atp", 300, 1000, 20, segment_K=200, hold_ps=2)
    segments = run.segments()
    assert segments[0] == protocol.Segment(0, 10000, 300, 300, "equilibration")
    assert all(a.last == b.first and a.end_K == b.start_K for a, b in pairwise(segments))
    ramps = [s for s in segments if s.end_K > s.start_K]
    assert [s.end_K for s in ramps] == [500, 700, 900, 1000]
    for s in ramps:
        assert (s.end_K - s.start_K) / ((s.last - s.first) * 0.5e-3) == pytest.approx(20)


def test_heat_hold_sample():
    run = protocol.HeatingRun("ZIF-4", "atp", 300, 700, 20, segment_K=200, hold_ps=1, sample_ps=2)
    assert [(s.what, s.end_K, (s.last - s.first) // 2000) for s in run.segments()] == [
        ("equilibration", 300, 5),
        ("heating", 500, 10),
        ("hold", 500, 1),
        ("sample", 500, 2),
        ("heating", 700, 10),
        ("hold", 700, 1),
        ("sample", 700, 2),
    ]
    assert run.sampled_segments() == [3, 6]
    ramp = replace(run, segment_K=0)  # held and sampled at its end alone
    assert [s.what for s in ramp.segments()] == ["equilibration", "heating", "hold", "sample"]
    constant = protocol.HeatingRun("ZIF-4", "atp", 300, 300, 0, equilibration_ps=0, sample_ps=2)
    assert constant.segments() == [protocol.Segment(0, 4000, 300, 300, "sample")]
    assert constant.sampled_segments() == [1] and constant.name == "ZIF-4-300K"


@pytest.mark.parametrize(
    "change, word",
    [
        ({"temperature_end_K": 0.0}, "temperature_end_K = 0.0 must be positive"),
        ({"seed": 0}, "seed = 0 is not from 1"),
        ({"seed": 2**31}, "seed = 2147483648 is not from 1"),
        ({"pressure_bar": float("nan")}, "pressure_bar = nan must be a number"),
        ({"hydrogen_mass_u": 0.0}, "positive"),
        ({"relaxed": "cell"}, "iso, aniso, tri, atoms or nothing"),
        ({"relaxed": "iso", "volume_A3_per_atom": 16.0}, "would change its volume"),
        ({"stop_at_deviation_eV_per_A": 1.0}, "needs an ensemble"),
        ({"heating_rate_K_per_ps": 0.0}, "positive"),
        ({"timestep_fs": float("nan")}, "timestep_fs = nan must be a number"),
        ({"seed": "1\nshell echo"}, "must be a whole number"),
        ({"seed": 1.0}, "seed = 1.0 must be a whole number"),
        ({"heating_rate_K_per_ps": "20"}, "heating_rate_K_per_ps = '20' must be a number"),
        ({"temperature_end_K": float("inf")}, "temperature_end_K = inf must be a number"),
        ({"supercell": [1, 1]}, "is not three whole numbers"),
        ({"supercell": [1, 1, 0]}, "is not three whole numbers"),
        ({"coupling": "cubic"}, "iso, aniso, tri or none"),
        ({"thermo_every_ps": 1e-5}, "at least one timestep"),
        ({"temperature_end_K": 300.0}, "give 0 for a run at one temperature"),
        (
            {"temperature_end_K": 300.0, "heating_rate_K_per_ps": 0.0, "equilibration_ps": 0.0},
            "no steps",
        ),
        ({"hold_ps": -1.0}, "hold_ps = -1.0 must not be negative"),
    ],
)
def test_impossible_runs_are_refused(change, word):
    values = {
        "structure": "ZIF-4",
        "potential": "atp",
        "temperature_start_K": 300.0,
        "temperature_end_K": 400.0,
        "heating_rate_K_per_ps": 1.0,
    }
    with pytest.raises(ValueError, match=word):
        protocol.HeatingRun(**(values | change))


def test_a_ramp_goes_down_as_well():
    up = protocol.HeatingRun("ZIF-4", "atp", 300, 2000, 100, segment_K=500, hold_ps=1)
    down = replace(up, temperature_start_K=2000, temperature_end_K=300)
    assert [s.end_K for s in down.segments() if s.what == "cooling"] == [1500, 1000, 500, 300]
    assert all(a.end_K == b.start_K and a.last == b.first for a, b in pairwise(down.segments()))
    assert down.total_steps == up.total_steps and down.name == "ZIF-4-100Kps-cooled"


def test_younger_fields_are_seen_only_where_they_are_used():
    """The entries of data/runs.yaml are held by their keys: no new field shows in an old one."""
    plain = protocol.HeatingRun("ZIF-4", "atp", 300, 400, 1)
    assert "relaxed" not in vars(plain) and plain.relaxed == ""
    heavy = replace(plain, hydrogen_mass_u=2.014)
    assert vars(heavy)["hydrogen_mass_u"] == heavy.hydrogen_mass_u == 2.014
    assert replace(heavy, hydrogen_mass_u=protocol.HYDROGEN_U) == plain
    assert protocol.HeatingRun(**json.loads(json.dumps(asdict(heavy)))) == heavy


def test_a_run_goes_on_from_one_of_the_same_atoms():
    melt = protocol.HeatingRun("ZIF-4", "atp", 2000, 2000, 0, equilibration_ps=100)
    quench = replace(melt, after=melt, temperature_end_K=300, heating_rate_K_per_ps=100)
    assert quench.recipe()["after"] == provenance.key(melt.recipe())
    again = protocol.HeatingRun(**json.loads(json.dumps(asdict(quench))))
    assert again == quench and again.after == melt
    for change in ({"supercell": (2, 1, 1)}, {"relaxed": "iso"}, {"coupling": "tri"}):
        with pytest.raises(ValueError, match="goes on from"):
            replace(quench, **change)


def cell_of(file, text):
    file.write_text(text)
    return str(file)


def test_a_structure_of_the_user(tmp_path):
    """A file where a name is allowed; what is no crystal is refused before anything runs."""

    def run(path):
        return protocol.HeatingRun(path, "atp", 300, 400, 1)

    head = 'Lattice="{}" Properties=species:S:1:pos:R:3 pbc="{}"'
    atoms = "\nZn 0 0 0\nN 2 0 0\n"
    right = cell_of(
        tmp_path / "right.extxyz", "2\n" + head.format("9 0 0 0 9 0 0 0 9", "T T T") + atoms
    )
    left = cell_of(
        tmp_path / "left.extxyz", "2\n" + head.format("0 9 0 9 0 0 0 0 9", "T T T") + atoms
    )
    for path in (right, left):
        made = protocol.structure(run(path))
        assert np.linalg.det(made.cell) > 0 and made.pbc.all()
        np.testing.assert_allclose(made.get_distance(0, 1, mic=True), 2)
    whole, flat, thin = "9 0 0 0 9 0 0 0 9", "T T F", "2 0 0 0 9 0 0 0 9"
    for text, word in [
        ("2\nno cell" + atoms, "no periodic cell"),
        ("2\n" + head.format(whole, flat) + atoms, "not periodic in all directions"),
        ("2\n" + head.format(thin, "T T T") + atoms, "overlap, Zn 0 and N 1 at 0.00 A"),
        ("3\n" + head.format(whole, "T T T") + atoms, "is no structure that ASE reads"),
    ]:
        with pytest.raises(ValueError, match=word):
            protocol.structure(run(cell_of(tmp_path / "wrong.extxyz", text)))
    with pytest.raises(structures.UnknownStructure, match="there is no file 'mine.cif'"):
        run("mine.cif").recipe()


def test_a_given_volume():
    run = protocol.HeatingRun(
        "Znim2-ABW", "atp", 300, 300, 0, coupling="none", volume_A3_per_atom=20
    )
    atoms = protocol.structure(run)
    np.testing.assert_allclose(atoms.get_volume() / len(atoms), 20)
    np.testing.assert_allclose(
        atoms.get_scaled_positions(), structures.load("Znim2-ABW").get_scaled_positions(), atol=1e-9
    )


def test_key_is_made_of_contents(potential, tmp_path):
    def key(**changes):
        return provenance.key(heating_run(potential, **changes).recipe())

    renamed = shutil.copy(potential.parent / "crystal.extxyz", tmp_path / "other.extxyz")
    assert key() == key(structure=str(renamed)) == key(temperature_start_K=100, supercell=[1, 1, 1])
    others = [
        key(seed=2),
        key(heating_rate_K_per_ps=201),
        key(supercell=[1, 1, 2]),
        key(structure="triclinic.extxyz"),
        key(sample_ps=1),
        key(coupling="none"),
        key(ensemble=[str(potential.parent / "other.pb")]),
        key(relaxed="iso"),
        key(hydrogen_mass_u=2.014),
        key(volume_A3_per_atom=16),
        key(after=heating_run(potential)),
        key(after=heating_run(potential, seed=2)),
    ]
    assert len({key(), *others}) == 13
    assert key(deviation_every_ps=0.2) == key()  # nothing is compared with
    with pytest.raises(ValueError, match="names one potential twice"):
        key(ensemble=[str(potential)])


@pytest.mark.parametrize(
    "folder", sorted(paths.shipped("runs").glob("*/")), ids=lambda folder: folder.name
)
def test_shipped_runs_keep_their_keys(folder):
    """Fields that younger runs have do not change what older ones are found by."""
    record = provenance.read(folder)
    plain = {
        k: v
        for k, v in record["recipe"].items()
        if k in protocol.HeatingRun.__dataclass_fields__ and k not in ("ensemble", "after")
    }
    plain |= {"structure": record["structure"], "potential": record["potential"]}
    if "after" in record["recipe"]:  # a recipe holds the key of the run before
        plain["after"] = Run.read(folder).recipe.after
    recipe = protocol.HeatingRun(**plain).recipe()
    if record["recipe"]["potential"] != recipe["potential"] or record["recipe"].get("ensemble"):
        pytest.skip("made with a potential that is not shipped any more, or with an ensemble")
    assert provenance.key(recipe) == record["key"]


@pytest.mark.parametrize("wrong", ["transposed", "whole and transposed", "bohr", "no hydrogen"])
def test_a_structure_in_a_cell_of_another_is_refused(tmp_path, wrong):
    atoms = structures.load("Znim2-ABW")
    if wrong == "whole and transposed":
        found = molecules.find(atoms.positions, atoms.cell.array, atoms.get_chemical_symbols())
        atoms.positions += found.whole @ atoms.cell.array
    if wrong == "no hydrogen":
        atoms = atoms[np.array(atoms.symbols) != "H"]
    elif wrong == "bohr":
        atoms.set_cell(atoms.cell.array * 1.8897)
    else:
        atoms.set_cell(atoms.cell.array.T.copy())
    atoms.write(tmp_path / "mine.extxyz")
    heating = protocol.HeatingRun(str(tmp_path / "mine.extxyz"), "atp", 300, 400, 1)
    with pytest.raises(UserError, match="cell is not that of the atoms|carbon and no hydrogen"):
        protocol.structure(heating)


def test_a_structure_that_lacks_an_atom_is_said_to(tmp_path, capsys):
    structures.load("Znim2-ABW")[1:].write(tmp_path / "mine.extxyz")
    protocol.structure(protocol.HeatingRun(str(tmp_path / "mine.extxyz"), "atp", 300, 400, 1))
    assert "is no whole number of Zn(C3H3N2)2" in capsys.readouterr().out
