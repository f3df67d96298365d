"""The list of frames that CP2K labels: what it says, and where its frames come from."""

import numpy as np
import pytest

from helpers import structures
from helpers.errors import Unfit
from helpers.frames import cp2k, dataset, dft_list
from helpers.recipes import dft_frames


def test_the_list_is_understood_and_holds_what_is_shipped():
    listed = dft_list.listed()
    for system in listed:
        if system in cp2k.systems():
            assert {a.info["name"] for a in cp2k.read(system)} <= set(listed[system])
            assert not set(dft_frames.waiting(system)) & {
                a.info["name"] for a in cp2k.read(system)}  # fmt: skip


def test_entries_with_many_frames_take_turns(tmp_path, set_to):
    file = tmp_path / "dft.yaml"
    file.write_text(
        "X:\n  a: {phase: melt, bim: 1, frames: 3}\n  b: {phase: melt, bim: 2, frames: 1}"
    )
    set_to(data=tmp_path)
    assert list(dft_list.listed()["X"]) == ["a_00", "b_00", "a_01", "a_02"]
    assert [f.frame for f in dft_list.listed()["X"].values()] == [0, 0, 1, 2]
    file.write_text("X:\n  a: {phase: mellt}")
    for text, said in (
        ("X:\n  a: {phase: mellt}", "dft.yaml, line 2, X.a.phase: phase is 'mellt'"),
        ("X:\n  a: {phase: melt, frame: one}", "dft.yaml, line 2, X.a.frame: 'one' is not"),
        ("X:\n  a: {phase: melt}\n  a: {phase: glass}", "line 3: X.a is there twice"),
        ("X:\n  a: {phase: melt, frames: -1}", "X.a.frames"),
        ("X: [a, b]", "X"),
        ("", "dft.yaml"),
    ):
        file.write_text(text)
        with pytest.raises(Unfit, match=said):
            dft_list.listed()


def test_a_frame_of_a_set_is_that_frame():
    atoms = dft_frames.atoms_of(dft_list.Frame("melt", set="test_melt", frame=13))
    system = dataset.load("test_melt")
    np.testing.assert_allclose(atoms.cell.array, system["cells"][13])
    apart = atoms.positions - system["coords"][13]
    fractions = np.linalg.solve(atoms.cell.array.T, apart.T)
    np.testing.assert_allclose(fractions, np.round(fractions), atol=1e-6)
    assert atoms.info["temperature_K"] == 2020 and "frame 13" in atoms.info["origin"]


def test_a_strained_structure_has_its_volume_and_the_order_of_the_type_map():
    plain = dft_frames.atoms_of(dft_list.Frame("crystal", structure="ZIF-4"))
    wide = dft_frames.atoms_of(dft_list.Frame("crystal", structure="ZIF-4", strain=0.02))
    assert wide.get_volume() / plain.get_volume() == pytest.approx(1.02**3)
    order = [structures.TYPE_MAP.index(s) for s in wide.symbols]
    assert order == sorted(order) and wide.info["origin"] == "ZIF-4, all lengths +2 %"
    with pytest.raises(Unfit, match="says not where"):
        dft_frames.atoms_of(dft_list.Frame("melt"))


def test_thermal_frames_start_from_the_structure_with_ligands_exchanged_or_as_it_is():
    """``bim: 0`` is dynamics of the structure itself, no ``bim`` is none."""
    for system, n_frames, n_exchanged in (("ZIF-62-300K", 10, 2), ("ZIF-8-300K", 6, 0)):
        frames = list(dft_list.listed()[system].values())
        assert [frame.frame for frame in frames] == list(range(n_frames))
        assert {frame.bim for frame in frames} == {n_exchanged}
    assert dft_list.listed()["ZIF-4"]["zif4_+3"].bim is None
