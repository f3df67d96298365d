"""The protocol of a run: its stages, what is refused, what its key is made of."""

import shutil
from dataclasses import replace
from itertools import pairwise

import pytest
from lj_runs import heating_run

from helpers import paths, provenance
from helpers.md import protocol


def test_stages_follow_each_other():
    run = protocol.HeatingRun("ZIF-4", "atp", 300, 1000, 20, segment_K=200, hold_ps=2)
    stages = run.stages()
    assert stages[0] == protocol.Stage(0, 10000, 300, 300, "equilibration")
    assert all(a.last == b.first and a.end_K == b.start_K for a, b in pairwise(stages))
    ramps = [s for s in stages if s.end_K > s.start_K]
    assert [s.end_K for s in ramps] == [500, 700, 900, 1000]
    for s in ramps:
        assert (s.end_K - s.start_K) / ((s.last - s.first) * 0.5e-3) == pytest.approx(20)


def test_heat_hold_sample():
    run = protocol.HeatingRun("ZIF-4", "atp", 300, 700, 20, segment_K=200, hold_ps=1, sample_ps=2)
    assert [(s.what, s.end_K, (s.last - s.first) // 2000) for s in run.stages()] == [
        ("equilibration", 300, 5),
        ("heating", 500, 10),
        ("hold", 500, 1),
        ("sample", 500, 2),
        ("heating", 700, 10),
        ("hold", 700, 1),
        ("sample", 700, 2),
    ]
    assert run.sample_stages() == [3, 6]
    ramp = replace(run, segment_K=0)  # held and sampled at its end alone
    assert [s.what for s in ramp.stages()] == ["equilibration", "heating", "hold", "sample"]
    constant = protocol.HeatingRun("ZIF-4", "atp", 300, 300, 0, equilibration_ps=0, sample_ps=2)
    assert constant.stages() == [protocol.Stage(0, 4000, 300, 300, "sample")]
    assert constant.sample_stages() == [1] and constant.name == "ZIF-4-300K"


@pytest.mark.parametrize(
    "change, word",
    [
        ({"temperature_end_K": 50.0}, "below"),
        ({"heating_rate_K_per_ps": 0.0}, "positive"),
        ({"timestep_fs": float("nan")}, "positive"),
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
    ]
    assert len({key(), *others}) == 8
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
        if k in protocol.HeatingRun.__dataclass_fields__ and k != "ensemble"
    }
    plain |= {"structure": record["structure"], "potential": record["potential"]}
    recipe = protocol.HeatingRun(**plain).recipe()
    if record["recipe"]["potential"] != recipe["potential"] or record["recipe"].get("ensemble"):
        pytest.skip("made with a potential that is not shipped any more, or with an ensemble")
    assert provenance.key(recipe) == record["key"]
