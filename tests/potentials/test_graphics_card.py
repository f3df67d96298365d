"""The nets as PyTorch has them, held against DeePMD-kit's; needs the extra ``reference``."""

import json

import numpy as np
import pytest

from helpers.frames import dataset
from helpers.potentials import evaluation, store
from helpers.recipes import graphics_card as travel
from helpers.structures import TYPE_MAP

torch = pytest.importorskip("torch", reason="the 'reference' extra is not installed")
from helpers.potentials import graphics_card  # noqa: E402

START, SET = "split-block", "abw_explored"


@pytest.fixture(scope="module")
def nets():
    return graphics_card.Nets(*travel.arrays_of(travel.neutral(store.load(START))))


@pytest.fixture(scope="module")
def frames(nets):
    system = dataset.load(SET)
    n = len(system)
    group = {
        "types": [TYPE_MAP.index(system["atom_names"][t]) for t in system["atom_types"]],
        "positions": system["coords"], "cells": system["cells"], "energies": system["energies"],
        "forces": system["forces"], "virials": system["virials"],
        "names": np.repeat(SET, n), "training": np.arange(n) % 4 > 0,
    }  # fmt: skip
    job = {f"abw.{key}": np.asarray(value) for key, value in group.items()}
    return graphics_card.frames_of(job, "abw", nets, "cpu")


def test_energies_forces_and_virials_are_those_of_deepmd_kit(nets, frames):
    energies, forces, virials = graphics_card.predict(nets, frames, torch.arange(len(frames.names)))
    theirs = evaluation.predict(START, dataset.load(SET))
    free = float(nets.bias[frames.types].sum())
    np.testing.assert_allclose(energies.detach().double() + free, theirs.energy, atol=1e-3)
    np.testing.assert_allclose(forces.detach(), theirs.force, atol=1e-4)
    np.testing.assert_allclose(virials.detach(), theirs.virial, atol=2e-3)


def test_errors_are_those_of_the_frames_left_out(nets, frames):
    found = graphics_card.errors(nets, [frames], most=1000)[SET]
    off = evaluation.predict(START, dataset.load(SET))
    unseen = ~frames.training
    force = (off.force - off.force_reference)[unseen]
    assert found["frames"] == unseen.sum()
    assert found["force"] == pytest.approx(np.sqrt(np.mean(force**2)), rel=1e-3)


def test_a_training_makes_the_loss_smaller_and_can_be_repeated(nets, frames):
    plan = graphics_card.Plan(steps=40, atoms=68, learning_rate=(1e-4, 1e-5))
    arrays = {k: v for k, v in nets.state_dict().items() if k.startswith("weights")}
    ends = []
    for _ in range(2):
        copy = graphics_card.Nets(*travel.arrays_of(travel.neutral(store.load(START))))
        copy.load_state_dict(arrays, strict=False)
        lines = list(graphics_card.train(copy, [frames], plan))
        ends.append(lines[-1])
    first, last = lines[0], lines[-1]
    assert [line["step"] for line in lines][-1] == 40 == last["of"]
    assert last["force"] < 1.5 * first["force"]
    assert ends[0]["energy"] == pytest.approx(ends[1]["energy"], rel=1e-3)
    after = graphics_card.errors(copy, [frames], most=1000)[SET]
    assert after["energy"] < graphics_card.errors(nets, [frames], most=1000)[SET]["energy"]


def test_too_many_neighbours_and_too_thin_a_cell_are_refused(frames):
    system = dataset.load(SET)
    positions, cell = (torch.as_tensor(system[k][0]) for k in ("coords", "cells"))
    with pytest.raises(ValueError, match="more than 3 neighbours"):
        graphics_card.neighbours(positions, cell, frames.types, [3, 3, 3, 3], 6.0)
    with pytest.raises(ValueError, match="thin"):
        graphics_card.neighbours(positions, cell, frames.types, [99] * 4, 99.0)


def test_a_job_is_done_as_it_is_packed(tmp_path, nets, frames):
    arrays, shape = travel.arrays_of(travel.neutral(store.load(START)))
    system = dataset.load(SET)
    job = {f"net.{k}": v for k, v in arrays.items()}
    job |= {
        "abw.types": frames.types.numpy(), "abw.positions": system["coords"],
        "abw.cells": system["cells"], "abw.energies": system["energies"],
        "abw.forces": system["forces"], "abw.virials": system["virials"],
        "abw.names": frames.names, "abw.training": frames.training,
    }  # fmt: skip
    texts = {"shape": shape, "plan": {"steps": 16, "atoms": 68}, "origin": {"sets": ["x"]}}
    np.savez(tmp_path / "job.npz", **job, **{k: json.dumps(v) for k, v in texts.items()})
    graphics_card.run(tmp_path / "job.npz", tmp_path / "out", "cpu")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["steps"] == 16 and result["origin"] == {"sets": ["x"]}
    assert len(result["looks"]) == graphics_card.LOOKS
    with np.load(tmp_path / "out" / "weights.npz") as weights:
        assert set(weights.files) == {n for n in arrays if n not in ("davg", "dstd", "bias")}
