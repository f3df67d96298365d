"""Sets by recipe: the shipped recipes make sense, and one is followed from start to packed set."""

import functools
import shutil

import ase.io
import numpy as np
import pytest
import yaml
from ase import geometry
from conftest import with_tables

from helpers import paths, provenance, structures
from helpers.frames import dataset, sampling
from helpers.potentials import store
from helpers.recipes import catalogue, labelling, sets


def test_every_shipped_set_has_a_recipe_that_can_be_followed():
    known = catalogue.set_recipes()
    assert set(dataset.names()) <= set(known) | {n for n in dataset.names() if _made_here(n)}
    for name, plan in known.items():
        assert plan.runs and plan.what, name
        for options in plan.runs.values():
            start = options.get("start", "")
            if "@" in start:
                source, _, run = start.partition("@")[0].partition("/")
                assert run in known[source].runs, (name, start)
            elif start:
                assert start in labelling.EXTERNAL or start in structures.names(), (name, start)
            if plan.sampler not in ("relaxation", "runs"):
                assert labelling._ramp(
                    {
                        k: v
                        for k, v in (plan.common | options).items()
                        if k not in ("start", "strain_voigt")
                    }
                )


def _made_here(name):
    return not (paths.shipped("frames", name) / provenance.FILE).is_file()


def test_an_unknown_set_or_field_is_named(own_data):
    with pytest.raises(catalogue.BadRecipe, match="did you mean 'crystal_0300'"):
        catalogue.set_recipe("cristal_0300")
    own_data("sets.yaml", {"x": {"what": "x", "sampler": "reference", "rums": {}}})
    with pytest.raises(catalogue.BadRecipe, match="rums"):
        catalogue.set_recipes()


def test_a_published_start_that_is_not_here_says_where_it_is(set_to, tmp_path):
    set_to(structures=tmp_path)
    with pytest.raises(catalogue.BadRecipe, match="citable-data"):
        labelling.external("glass01")


def test_the_guard_names_what_is_wrong():
    atoms = structures.load("Znim2-ABW")
    atoms.calc = _potential()
    assert labelling.unphysical(atoms) is None
    hot = atoms.copy()
    hot.calc = atoms.calc
    hot.set_momenta(np.full((len(hot), 3), 30.0))
    assert "K" in labelling.unphysical(hot)
    hydrogen = [a.index for a in atoms if a.symbol == "H"][:2]
    atoms.positions[hydrogen[1]] = atoms.positions[hydrogen[0]] + [0.7, 0, 0]
    assert "two atoms at 0.70 A" in labelling.unphysical(atoms)


@pytest.fixture
def house(own_data, set_to, tmp_path):
    """Recipes of three sets: driven by the label, explored by a potential, and relaxed."""
    set_to(build=with_tables(tmp_path / "build"))
    run = {"start": "Znim2-ABW", "steps": 12, "temperature_K": [300, 600], "seed": 1}
    own_data("sets.yaml", {
        "driven": {"what": "driven", "sampler": "reference", "runs": {"a": run},
                   "n_blocks": 4, "keep_every": 2},
        "explored": {"what": "explored", "sampler": "atp", "n_blocks": 3, "test": True,
                     "common": {"keep_every": 3},
                     "runs": {"b": run | {"start": "driven/a@-1"}, "c": run | {"seed": 2}}},
        "relaxed": {"what": "relaxed", "sampler": "relaxation", "n_blocks": 2,
                    "validation_share": 0.5,
                    "runs": {"+2": {"start": "Znim2-ABW", "strain": 0.02, "fmax": 0.01,
                                    "steps": 3}}},
    })  # fmt: skip


@functools.cache
def _potential():
    from deepmd.calculator import DP

    return DP(model=str(store.load("atp").file))


def test_a_set_is_sampled_labelled_packed_and_then_reused(house, capfd):
    label = _potential()
    driven = sets.make("driven", calculator=label)
    system = dataset.load(driven)
    assert sorted(system["step"].ravel()) == [0, 2, 4, 6, 8, 10]
    explored = dataset.load(sets.make("explored", calculator=label))
    assert sorted(explored["step"].ravel()) == [3, 3, 6, 6, 9, 9]  # starts are no news
    record = provenance.read(paths.made("frames", "explored"))["sampling"]
    assert record["sampler"] == "atp" and record["sampler_sha256"]
    # sampler and label are one potential here, compressed and not
    errors = np.concatenate(list(record["sampler_force_rmse_eV_per_A"].values()))
    assert len(errors) == 6 and errors.max() < 2e-3
    assert catalogue.test_sets() == ["explored"]
    capfd.readouterr()
    assert sets.make("driven", calculator=label) == driven
    assert "[reused]" in capfd.readouterr().out


def test_a_set_is_not_reused_under_a_changed_recipe(house, own_data):
    label = _potential()
    made = sets.make("driven", calculator=label)
    table = yaml.safe_load(paths.SETS.read_text())
    table["driven"]["runs"]["a"]["seed"] = 3
    own_data("sets.yaml", table)
    with pytest.raises(catalogue.BadRecipe, match=r"frames/driven was made by another .*\(runs\)"):
        sets.make("driven", calculator=label)
    shutil.rmtree(made)
    with pytest.raises(
        catalogue.BadRecipe, match=r"driven/a: .* another recipe \(options\); remove"
    ):
        sets.make("driven", calculator=label)
    shutil.rmtree(paths.BUILD / "sampling/driven/a")
    assert (
        provenance.read(sets.make("driven", calculator=label))["sampling"]["runs"]["a"]["seed"] == 3
    )


def test_labels_are_refused_when_their_sampler_or_run_has_changed(house, monkeypatch, capsys):
    label = _potential()
    whole = labelling.labels("explored", "c", label)
    assert (
        labelling.labels("explored", "c", label) == whole and "[reused]" in capsys.readouterr().out
    )
    other = store.load("split-block")
    with monkeypatch.context() as trained_again:
        trained_again.setattr(store, "load", lambda name: other)
        with pytest.raises(catalogue.BadRecipe, match=r"\(sampler_sha256\)"):
            labelling.labels("explored", "c", label)
    (whole.parent / "origin.json").unlink()
    with pytest.raises(catalogue.BadRecipe, match="do not say of what; remove"):
        labelling.labels("explored", "c", label)


def test_every_shipped_set_is_of_its_recipe():
    shipped = {name: plan for name, plan in catalogue.set_recipes().items() if not _made_here(name)}
    assert shipped
    for name, plan in shipped.items():
        assert sets._changed(paths.shipped("frames", name), plan) == [], name


def test_labelling_goes_on_after_a_kill(house):
    label = _potential()
    whole = labelling.labels("explored", "c", label)
    text = whole.read_text()
    part = whole.with_name("trajectory.extxyz")
    whole.rename(part)
    part.write_text(text[: len(text) // 2])  # cut off within a frame
    again = ase.io.read(labelling.labels("explored", "c", label), index=":")
    assert [a.info["step"] for a in again] == [3, 6, 9]
    for a, b in zip(again, ase.io.read(whole, index=":"), strict=True):
        np.testing.assert_allclose(a.positions, b.positions)


def test_a_relaxation_starts_at_its_strain_and_comes_to_rest(house):
    images = ase.io.read(labelling.labels("relaxed", "+2", _potential()), index=":")
    volume = structures.load("Znim2-ABW").get_volume()
    assert images[0].get_volume() == pytest.approx(1.02**3 * volume)
    assert images[-1].get_potential_energy() < images[0].get_potential_energy()


def test_frames_of_a_heating_run_are_taken_from_a_temperature_on(tmp_path):
    labelling._take("atp-400Kps", tmp_path / "hot.extxyz", frames=5, from_K=1500)
    labelling._take("atp-400Kps", tmp_path / "all.extxyz", frames=5)
    hot, whole = (ase.io.read(tmp_path / f"{name}.extxyz", ":") for name in ("hot", "all"))
    assert len(hot) == len(whole) == 4
    assert hot[-1].info == whole[-1].info  # both end with the last frame of the run
    assert hot[0].info["step"] > whole[0].info["step"]
    crystal = structures.load("ZIF-4").get_volume()
    for frame in hot:
        assert frame.get_volume() == pytest.approx(crystal * (1 + frame.info["strain"]) ** 3)
    with pytest.raises(catalogue.BadRecipe, match="no frame at 9000 K"):
        labelling._take("atp-400Kps", tmp_path / "none.extxyz", frames=5, from_K=9000)


def test_frames_of_a_run_end_where_two_atoms_come_too_close(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(labelling, "RUN_DISTANCES", {("Zn", "N"): 1.0})
    labelling._take("atp-400Kps", tmp_path / "whole.extxyz", frames=5)
    assert len(ase.io.read(tmp_path / "whole.extxyz", ":")) == 4
    assert "before are kept" not in capsys.readouterr().out
    monkeypatch.setattr(labelling, "RUN_DISTANCES", {("Zn", "N"): 1.9})  # a hot bond is shorter
    labelling._take("atp-400Kps", tmp_path / "cut.extxyz", frames=5)
    assert "the frames before are kept" in capsys.readouterr().out
    assert len(sampling.whole_frames(tmp_path / "cut.extxyz")) < 4


def test_the_nearest_zn_are_drawn_together_and_nothing_else_moves(tmp_path):
    """The two stay on their line, about their middle; the other atoms are where they were."""
    labelling._take("atp-400Kps", tmp_path / "free.extxyz", frames=9, from_K=1500)
    labelling._take(
        "atp-400Kps", tmp_path / "drawn.extxyz", frames=9, from_K=1500, zn_zn_A=[5.0, 4.0]
    )
    free = {f.info["step"]: f for f in ase.io.read(tmp_path / "free.extxyz", ":")}
    drawn = ase.io.read(tmp_path / "drawn.extxyz", ":")
    assert drawn
    for frame, wanted in zip(drawn, [5.0, 4.0] * len(drawn), strict=False):
        before = free[frame.info["step"]]
        zinc = np.flatnonzero(frame.symbols == "Zn")
        apart = [f.get_all_distances(mic=True)[np.ix_(zinc, zinc)] for f in (before, frame)]
        nearest = [d[np.triu_indices(len(zinc), 1)].min() for d in apart]
        assert nearest[1] == pytest.approx(min(wanted, nearest[0]), abs=1e-6)
        moved = np.linalg.norm(
            geometry.find_mic(frame.positions - before.positions, frame.cell)[0], axis=1
        )
        assert set(np.flatnonzero(moved > 1e-6)) <= set(zinc) and (moved > 1e-6).sum() in (0, 2)


def test_labelled_frames_of_uncorrected_runs_are_of_the_run_that_is_shipped():
    for run, key in sets.taken_from("heated_atp").items():
        assert key == provenance.read(paths.shipped("runs", run))["key"], run
    assert sets.taken_from("heated_atp") and not sets.taken_from("nvt_0300")


def test_pack_thins_splits_and_says_so(extxyz, tmp_path):
    packed = sets.pack(extxyz, "lj", directory=tmp_path / "lj", description="LJ", source="test",
                         sampling={"rattle_A": 0.02}, level_of_theory="LJ", keep_every=2,
                         n_blocks=5)  # fmt: skip
    record = provenance.read(packed)
    assert record["sampling"] == {"rattle_A": 0.02}
    assert record["frames"] == {"training": 12, "validation": 3}
    assert len(record["recipe"]["trajectories"]) == 1


def test_a_start_is_strained_as_elastic_constants_count_it():
    plain = structures.load("ZIF-4")
    np.testing.assert_allclose(labelling._begin({"start": "ZIF-4"}, None).cell, plain.cell)
    options = {"start": "ZIF-4", "strain_voigt": [0.03, 0, -0.01, 0, 0, 0.02], "steps": 3}
    strained = labelling._begin(options, None)
    assert options == {"steps": 3}
    strain = np.array([[0.03, 0.01, 0], [0.01, 0, 0], [0, 0, -0.01]])
    np.testing.assert_allclose(strained.cell, plain.cell.array @ (np.eye(3) + strain))
    np.testing.assert_allclose(strained.get_scaled_positions(), plain.get_scaled_positions(),
                               atol=1e-9)  # fmt: skip
