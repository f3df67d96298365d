"""data/runs.yaml: the paper's table, names, and what shipping keeps."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from helpers import cli, paths, provenance
from helpers.book import chapters
from helpers.errors import NotThere
from helpers.md import protocol, thermo, trajectory
from helpers.recipes import catalogue, runs
from helpers.report import paper


@pytest.mark.parametrize("name", catalogue.run_names("paper"))
def test_table_3(name):
    """Range, rate, steps and size of every run of the paper; its slowest by its steps."""
    row, run = paper.rows("table3")[name], catalogue.run_recipe(name)
    assert run.total_steps == row["steps"].number
    assert (run.temperature_start_K, run.temperature_end_K) == (
        row["start_K"].number,
        row["end_K"].number,
    )
    listed = row["heating_rate_K_per_ps"].number
    assert run.heating_rate_K_per_ps == (0.1 if name == "DPMD-0.1K" else listed)
    assert len(protocol.structure(run)) == paper.value("systems.supercell_atoms").number
    assert (run.coupling, run.pressure_bar, run.thermo_every_ps) == ("iso", 0, 0.1)


def test_table_3_is_whole():
    assert catalogue.run_names("paper") == list(paper.rows("table3"))


@pytest.mark.parametrize("name", catalogue.run_names())
def test_every_run_is_possible(name):
    run = catalogue.run_recipe(name)
    assert run.total_steps > 0 and set(protocol.structure(run).symbols) <= {"C", "H", "N", "Zn"}


def test_the_small_book_shows_the_claims():
    """What chapter 4 asks for under ``small`` are runs of the claims, seed by seed.

    They are those of an earlier potential as long as atp's are not made.
    """
    values = chapters.values("04_heating_rates", "small")
    names = (*catalogue.run_names("claims"), *catalogue.run_names("sampled-again"))
    known = {
        (r.heating_rate_K_per_ps, r.seed)
        for r in map(catalogue.run_recipe, names)
        if (r.potential, r.equilibration_ps, r.frame_every_ps, r.supercell, r.relaxed)
        == (
            values["potential"],
            values["equilibration"],
            values["frame_every"],
            tuple(values["supercell"]),
            values["relaxed"],
        )
    }
    rates, seeds = values["heating_rates"], values["seeds"]
    assert known >= {
        (rate, seed)
        for rate in rates
        for seed in (seeds if rate in values["seeded_rates"] else seeds[:1])
    }
    assert set(values["named_runs"]) <= set(names)


def test_the_full_book_shows_the_runs_of_the_paper():
    """What ``make runs PROFILE=full`` makes is what the chapters ask for."""
    assert set(chapters.values("04_heating_rates", "full")["named_runs"]) | {"DPMD-Test"} == set(
        catalogue.run_names("paper")
    )
    for chapter, name, potential in (
        ("03_test_vs_atp", "DPMD-20K", "potential"),
        ("03_test_vs_atp", "DPMD-Test", "test_potential"),
        ("05_low_density_phase", "DPMD-20K", "potential"),
    ):
        values = chapters.values(chapter, "full")
        assert catalogue.run_recipe(name) == protocol.HeatingRun(
            structure=values["structure"],
            supercell=tuple(values["supercell"]),
            potential=values[potential],
            temperature_start_K=values["temperature_start"],
            temperature_end_K=values["temperature_end"],
            heating_rate_K_per_ps=values["heating_rate"],
            equilibration_ps=values["equilibration"],
            segment_K=values.get("segment", 0),
            hold_ps=values.get("hold", 0),
            sample_ps=values.get("sample", 0),
            timestep_fs=values["timestep"],
            frame_every_ps=values["frame_every"],
            seed=values["seed"],
        )


def test_runs_of_another_kind_are_left_out_and_said(capsys):
    alike = catalogue.runs_alike(
        ["atp-50Kps", "test-20Kps", "DPMD-4K"], potential="round-5", supercell=(1, 1, 1)
    )
    assert alike == [catalogue.run_recipe("atp-50Kps")]
    said = capsys.readouterr().out
    assert "test-20Kps has potential test, not round-5" in said
    assert "DPMD-4K has potential atp" in said and "supercell (3, 3, 3), not (1, 1, 1)" in said


def test_unknown_names(capsys):
    with pytest.raises(catalogue.BadRecipe, match="no run 'atp-100'; did you mean 'atp-100Kps'"):
        catalogue.run_recipe("atp-100")
    assert cli.main(["run", "atp-100"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def own(tmp_path, set_to):
    """A data/ and build/ of our own, with one run of 68 atoms in runs.yaml."""
    set_to(data=tmp_path / "data", build=tmp_path / "build")
    (tmp_path / "data").mkdir()
    for shared in ("potentials", "structures", "profiles"):
        (tmp_path / "data" / shared).symlink_to(paths.ROOT / "data" / shared)

    def write(**fields):
        paths.RUNS.write_text(
            yaml.safe_dump(
                {
                    "defaults": {
                        "structure": "Znim2-ABW",
                        "potential": "atp",
                        "equilibration_ps": 0.0,
                        "temperature_start_K": 300,
                        "temperature_end_K": 310,
                        "heating_rate_K_per_ps": 1000,
                        "thermo_every_ps": 0.001,
                        "frame_every_ps": 0.001,
                    },
                    "groups": {"own": {"fields": {}, "runs": {"short": fields}}},
                }
            )
        )

    write()
    return write


def test_bad_entries(own):
    own(heating_rat=3)
    with pytest.raises(
        catalogue.BadRecipe, match="'heating_rat'; did you mean 'heating_rate_K_per"
    ):
        catalogue.run_recipe("short")
    own(heating_rate_K_per_ps=-3)
    with pytest.raises(catalogue.BadRecipe, match="heating_rate_K_per_ps = -3 must be positive"):
        catalogue.run_recipe("short")


def test_run_and_ship(own, capfd):
    with pytest.raises(provenance.NoProvenance, match="make run RUN=short"):
        runs.ship("short")
    made = runs.run("short", compress=False).directory
    frames = trajectory.read(made)
    assert len(frames) == 10 and runs.find("short").directory == made
    size = (made / f"{trajectory.FILE}.gz").stat().st_size
    shipped = runs.ship("short", megabytes=size / 2.5 / 1e6).directory  # every third frame
    assert shipped == paths.shipped("runs", "short") and runs.find("short").directory == shipped
    thinned = trajectory.read(shipped)
    assert thinned.steps.tolist() == [6, 12, 18, 20]  # and the last one
    np.testing.assert_array_equal(thinned.positions[0], frames.positions[2])
    assert len(thermo.read(shipped)) == 10 and not made.exists()
    assert gzip.decompress((shipped / "lammps.log.gz").read_bytes()).startswith(b"LAMMPS")
    assert not (shipped / "start.data").exists()
    record = provenance.read(shipped)
    assert record["thinned"] == 3 and record["key"] == provenance.key(record["recipe"])
    assert len(trajectory.read(paths.BUILD / "unthinned" / "short")) == 10
    assert runs.run("short").directory == shipped == runs.ship("short").directory
    assert "[reused]" in capfd.readouterr().out
    other = json.loads((shipped / provenance.FILE).read_text()) | {"key": "000000000000"}
    (shipped / provenance.FILE).write_text(json.dumps(other))
    runs.run("short", compress=False)
    with pytest.raises(FileExistsError, match="another run of this name"):
        runs.ship("short")
    assert cli.main(["ship-run", "short"]) == 1


def test_a_run_that_is_shipped_with_an_ensemble_is_found_and_stays_where_it_is(own, capsys):
    compared = paths.shipped("runs", "compared")
    compared.mkdir(parents=True)
    run = replace(catalogue.run_recipe("short"), ensemble=("split-block",))
    provenance.write(compared, kind="runs", description="with an ensemble", recipe=run.recipe())
    assert runs.find("short").directory == compared == runs.ship("short").directory
    assert "[reused]" in capsys.readouterr().out and (compared / provenance.FILE).is_file()
    assert cli.main(["runs", "--list"]) == 0 and "compared" in capsys.readouterr().out


def test_shipped_trajectories_are_small():
    """60 MB for all runs together; no file is cut off."""
    files = list(paths.shipped("runs").rglob("*"))
    assert sum(f.stat().st_size for f in files if f.is_file()) <= 60e6
    for file in (f for f in files if f.suffix == ".gz"):
        known = {
            "end.data.gz": b"LAMMPS data file",
            "lammps.log.gz": b"LAMMPS (",
            thermo.PACKED: b"step,time_ps,",
        }
        begins = known.get(file.name, b"ITEM: TIMESTEP\n")
        with gzip.open(file) as content:
            assert content.readline().startswith(begins)


def test_a_run_goes_on_from_itself_never(tmp_path, set_to):
    file = tmp_path / "runs.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "defaults": {"structure": "ZIF-4", "potential": "atp", "temperature_start_K": 300,
                             "temperature_end_K": 400, "heating_rate_K_per_ps": 1},
                "groups": {"all": {"fields": {}, "runs": {"a": {"after": "b"}, "b": {"after": "a"},
                                                          "c": {"after": "d"}}}},
            }
        )
    )  # fmt: skip
    set_to(data=tmp_path)
    with pytest.raises(catalogue.BadRecipe, match="a goes on from b goes on from a, a circle"):
        catalogue.run_recipe("a")
    file.write_text(file.read_text().replace("after: a", "after: d"))
    with pytest.raises(catalogue.BadRecipe, match="'d'"):
        catalogue.run_recipe("c")


def test_runs_that_differ_are_left_out(capsys):
    found = runs.alike(["atp-400Kps", "atp-400Kps-2x2x2"], supercell=(1, 1, 1))
    assert [run.name for run in found] == ["atp-400Kps"] and not runs.alike([])
    assert "left out: the run atp-400Kps-2x2x2" in capsys.readouterr().out


def test_a_run_that_is_not_finished_is_said_and_not_made(capsys):
    assert not runs.alike(["paper"], potential="atp", heating_rate_K_per_ps=0.1)
    assert "not computed yet (make run RUN=...): DPMD-0.1K" in capsys.readouterr().out
    group = runs.alike(["uncorrected"], heating_rate_K_per_ps=20.0, potential="round-5")
    assert [run.name for run in group] == ["atp-20Kps", "atp-20Kps-seed2", "atp-20Kps-seed3"]


# a run for each rate and seed

COMMON = catalogue.run_recipe("atp-20Kps")


def pairs(plans):
    return [(plan.heating_rate_K_per_ps, plan.seed) for plan in plans]


def test_what_is_still_to_be_made_and_what_it_takes():
    table = runs.outstanding(["paper"], 36.0).set_index("run")
    assert "DPMD-4K" in table.index and table["core_hours"].is_monotonic_increasing
    whole = runs.outstanding(["rest"], 36.0)
    assert whole["run"].tolist() == [n for n in catalogue.run_names("rest") if not runs.find(n)]
    slow = table.loc["DPMD-4K"]
    assert slow["atoms"] == 7344 and slow["steps"] == catalogue.run_recipe("DPMD-4K").total_steps
    assert slow["core_hours"] == pytest.approx(36e-6 * 7344 * slow["steps"] / 3600)


def test_every_rate_with_every_seed():
    assert pairs(runs.of_rates(COMMON, [400.0, 20.0], [1, 2])) == [
        (400.0, 1), (400.0, 2), (20.0, 1), (20.0, 2),
    ]  # fmt: skip


def test_rates_that_are_not_seeded_take_the_first_seed():
    found = runs.of_rates(COMMON, [400.0, 20.0], [1, 2], seeded_K_per_ps=[20.0])
    assert pairs(found) == [(400.0, 1), (20.0, 1), (20.0, 2)]


def test_all_else_is_shared_and_a_named_run_stands_in():
    other = replace(COMMON, temperature_end_K=1600.0)
    found = runs.of_rates(COMMON, [400.0, 20.0], [1], named=[other])
    assert found[1] is other and pairs(found) == [(400.0, 1), (20.0, 1)]
    assert replace(found[0], heating_rate_K_per_ps=20.0) == COMMON


def test_the_run_that_a_page_asks_for_is_the_shipped_one():
    values = chapters.values("05_low_density_phase", "small")
    values |= {"heating_rate": 20.0, "seed": 1}
    found = runs.of_page(values)
    assert found.name == "claims-20Kps-seed1"
    assert runs.of_page(values, seed=2).name == "claims-20Kps-seed2"
    assert [run.name for run in runs.made([found.recipe])] == [found.name]


def test_what_is_not_made_is_said_where_a_page_must_not_make_it():
    values = chapters.values("05_low_density_phase", "full") | {"heating_rate": 1.0, "segment": 0.0}
    values |= {"equilibration": 20.0, "hold": 0.0, "sample": 0.0}
    assert runs.if_made(values) is None
    with pytest.raises(NotThere, match=r"missing here: DPMD-1K \(`make run RUN=DPMD-1K`\)\. Or"):
        runs.of_page(values)
    shipped, slow = map(catalogue.run_recipe, ("claims-20Kps-seed1", "DPMD-1K"))
    found = runs.made([shipped, slow], make_missing=False)
    assert [run.name for run in found] == ["claims-20Kps-seed1"]
    assert runs.not_made([shipped]) == ""
    own = replace(slow, heating_rate_K_per_ps=3.0)
    assert runs.not_made([own]) == f"Not made yet, and missing here: {own.name}."


def test_a_run_by_its_name_with_another_field():
    assert runs.run("atp-20Kps", {"seed": 2}).name == "atp-20Kps-seed2"
