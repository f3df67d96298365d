"""Laws of the labels: real frames keep them, every wrong unit, sign, zero and cell breaks one."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import paths
from helpers.frames import checks, dataset, laws
from helpers.observables import molecules


@pytest.fixture(scope="module")
def real():
    """Sixteen frames at 300 to 1500 K, one cell: nothing but the virial's swings can tell."""
    system = dataset.load("abw_0300_1500")
    return system.sub_system(np.arange(0, len(system), max(1, len(system) // 16))[:16])


def objections(system, **options):
    return "; ".join(text for text, _ in checks.objections(system, laws=True, **options))


def test_real_frames_obey(real):
    assert objections(real) == ""
    found = laws.molecular_virial(real)
    assert (
        0.7 < found.slope < 1.3
        and found.correlation > 0.8
        and found.in_place == found.reordered > 0.8
    )
    assert laws.loose_atoms(real) == 0 and not laws.zeros_of_energy(real).any()


@settings(max_examples=20, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(what=st.sampled_from(["virials", "forces", "energies", "cells"]), data=st.data())
def test_a_wrong_unit_sign_zero_or_cell_is_seen(real, what, data):
    system = real.copy()
    if (
        what == "virials"
    ):  # other sign, GPa for kbar, GPa or kbar for eV/A^3, the other sign of VASP
        system.data["virials"] *= data.draw(st.sampled_from([-1, 10, 0.1, 160, -1602, 27.2]))
        wanted = "virial swings|a stress of"
    elif what == "forces":  # hartree/bohr, meV/A, the gradient
        system.data["forces"] *= data.draw(st.sampled_from([1 / 51.4, 1e3, -1]))
        wanted = "C-H bonds of|above the bound"
    elif what == "energies":  # two zeros, in any proportion and order
        share = data.draw(st.integers(1, len(system) - 1))
        chosen = np.random.default_rng(share).permutation(len(system))[:share]
        gap = data.draw(st.sampled_from([-200.0, -3.0, -0.5, 0.5, 3.0, 200.0]))
        system.data["energies"][chosen] += gap * system.get_natoms()
        wanted = "energies with 2 zeros"
    else:
        system.data["cells"] = np.ascontiguousarray(system["cells"].transpose(0, 2, 1))
        wanted = "miss a bond in every frame.*vectors as columns"
    assert re.search(wanted, objections(system, sources=["x"] * len(system)))


def test_the_kinds_of_placeholders_are_named(real):
    for change, message in (
        (lambda d: d["virials"].__imul__(0), "virials that are exactly zero"),
        (lambda d: d["energies"].__imul__(0), "the same energy in all frames"),
        (lambda d: d.update(forces=np.repeat(d["forces"][:1], len(d["forces"]), axis=0)),
         "the same forces in all frames"),
        (lambda d: d.update(virials=np.trace(d["virials"], axis1=1, axis2=2)[:, None, None]
                            * np.eye(3) / 3), "nothing but their trace"),
    ):  # fmt: skip
        system = real.copy()
        change(system.data)
        assert message in objections(system)


def test_shear_in_another_order_is_seen(real):
    """VASP has xx yy zz xy yz zx, Voigt xx yy zz yz xz xy."""
    system = real.copy()
    w = real["virials"]
    for (a, b), (c, d) in {(1, 2): (0, 1), (0, 2): (1, 2), (0, 1): (0, 2)}.items():
        system.data["virials"][:, a, b] = system.data["virials"][:, b, a] = w[:, c, d]
    assert "in another order than xx yy zz yz xz xy" in objections(system)


def test_a_left_handed_or_flat_cell_and_nan_are_refused_on_disk_too(real, tmp_path):
    good = real.copy()
    mask = np.arange(len(good)) < 3
    target = dataset.save(good, tmp_path / "mine", mask, description="", recipe={})
    assert len(dataset.load(target)) == len(good)
    file = target / "training" / "set.000" / "box.npy"
    boxes = np.load(file)
    for broken, message in (
        (boxes.reshape(-1, 3, 3)[:, [1, 0, 2]].reshape(-1, 9), "left-handed cells in 13 frames"),
        (boxes * 0, "cells without volume"),
        (np.where(np.arange(9) == 4, np.nan, boxes), "NaN or infinity in 13 frames"),
        (boxes + 1j, "complex128 .* real numbers are wanted"),
    ):
        np.save(file, broken)
        with pytest.raises(dataset.BadFrames, match=message):
            dataset.load(target)


def test_sets_of_users_are_no_part_of_what_nobody_named(real, tmp_path, set_to):
    before = dataset.smallest()
    set_to(build=tmp_path)
    few = real.copy()
    dataset.save(few, paths.made("frames", "mine"), np.arange(len(few)) < 3, description="",
                 recipe={}, formats={"a": "extxyz"})  # fmt: skip
    assert "mine" in dataset.names() and "mine" not in dataset.names(imported=False)
    assert dataset.smallest() == before


@pytest.mark.parametrize("order", ["xx yy zz xy xz yz", "xx yy zz yz xy xz", "xx xy xz yy yz zz"])
def test_any_other_order_of_six_numbers_is_seen(real, order):
    voigt = ["xx", "yy", "zz", "yz", "xz", "xy"]
    system = real.copy()
    w = real["virials"].copy()
    for name, other in zip(voigt, order.split(), strict=True):
        (a, b), (c, d) = ("xyz".index(x) for x in name), ("xyz".index(x) for x in other)
        system.data["virials"][:, a, b] = system.data["virials"][:, b, a] = w[:, c, d]
    assert f"as {order}): six numbers in another order" in objections(system)
    if order == "xx xy xz yy yz zz":  # of four frames, a few components alone tell too little
        few = objections(system.sub_system(np.arange(0, 8, 2)))
        assert f"read as {order}: they are in another order than xx yy zz yz xz xy" in few


@pytest.mark.parametrize("label, factor, message", [
    ("virials", 2, "the virial swings by"), ("virials", 0.5, "the virial swings by"),
    ("forces", 2, "C-H bonds of"), ("forces", 0.5, "C-H bonds of"),
])  # fmt: skip
def test_rydberg_for_hartree_is_seen(real, label, factor, message):
    system = real.copy()
    system.data[label] *= factor
    if label == "forces":
        system.data["energies"] *= factor
        system.data["virials"] *= factor
    assert message in objections(system)


_LAST = np.arange(16) >= 12


@pytest.mark.parametrize("chosen", [_LAST, np.arange(16) >= 8, np.arange(16) % 2 > 0])
@pytest.mark.parametrize("sources", [None, ["one.xyz"] * 12 + ["two.xyz"] * 4])
def test_a_sign_that_not_all_frames_have_is_seen(real, chosen, sources):
    system = real.copy()
    system.data["virials"][chosen] *= -1
    found = list(checks.objections(system, laws=True, sources=sources))
    said = "; ".join(text for text, _ in found)
    if chosen is _LAST:
        assert ("virials of two.xyz" in said) == bool(sources) and "of one.xyz" not in said
    turned = next(mask for text, mask in found if "of the other sign than the forces" in text)
    assert not turned[~chosen].any() and turned.sum() >= 0.8 * chosen.sum()


@pytest.mark.parametrize("label, message", [
    ("forces", "C-H bonds of -.* of x instead of about 30"),
    ("virials", "virials of x of the other sign than the forces in the frame give"),
])  # fmt: skip
def test_one_frame_of_twelve_with_the_other_sign_is_found(real, label, message):
    told = 0
    for i in range(12):
        system = real.sub_system(np.arange(12))
        system.data[label][i] *= -1
        found = list(checks.objections(system, laws=True, sources=["x"] * 12))
        for text, frames in found:
            if re.search(message, text):
                assert frames.tolist() == [k == i for k in range(12)]
                told += 1
    assert told >= 11  # the first, at rest, does not tell its virial's


@pytest.mark.parametrize("name", ["abw_0300_1500", "nvt_2500", "nvt_0300", "crystal_strained"])
@pytest.mark.parametrize("n", [1, 3, 10])
def test_frames_tell_the_sign_of_their_virial_whatever_the_others_have(name, n):
    """Alone, few, or half of them turned; sound ones are never called so, cold and strained too."""
    system = dataset.load(name)
    system = system.sub_system(np.linspace(3, len(system) - 1, n).round().astype(int))
    assert not (laws.virial_slopes(system) < 0).any()
    chosen = np.arange(n) % 2 == 0
    system.data["virials"][chosen] *= -1
    turned = laws.virial_slopes(system) < 0
    assert not turned[~chosen].any()
    assert name == "crystal_strained" or turned.sum() >= 0.8 * chosen.sum()


def test_a_strained_crystal_at_rest_tells_nothing():
    """Its stress is not that of the forces, which are small."""
    assert not (laws.virial_slopes(dataset.load("crystal_strained")) < 0).any()


@pytest.mark.parametrize("factor", [160.2, 0.1, 1 / 183.6])
def test_one_frame_in_another_unit_is_found(real, factor):
    system = real.sub_system(np.arange(2, 14))
    system.data["virials"][4] *= factor
    assert re.search("times those that the forces|a stress of", objections(system))


@pytest.mark.parametrize("element", ["Zn", "N", "C"])
def test_forces_of_the_atoms_in_another_order_are_seen(real, element):
    assert laws.foreign_forces(real) == {}
    system = real.copy()
    mine = np.flatnonzero(np.array(real["atom_names"])[real["atom_types"]] == element)
    system.data["forces"][:, mine] = real["forces"][:, np.roll(mine, 1)]
    assert element in laws.foreign_forces(system)
    if element == "Zn":  # whose stress and C-H bonds are as they were
        assert "forces on Zn that do not go with the places" in objections(system)


@pytest.mark.parametrize("label, change, message", [
    ("virials", lambda w: w / 183.6, "virials that are 0.0058. times those"),
    ("virials", lambda w: w[:, [1, 2, 0]][:, :, [1, 2, 0]], "frames 12 to 15 .*order"),
    ("forces", lambda f: f / 51.4, "C-H bonds of 0.6"),
])  # fmt: skip
def test_a_unit_or_order_of_a_few_frames_is_not_lost_among_the_others(real, label, change, message):
    system = real.copy()
    system.data[label][12:] = change(system[label][12:])
    assert re.search(message, objections(system))


def test_a_stress_of_other_frames_or_without_some_components_is_seen(real):
    for change, message in (
        (lambda w: np.roll(w, 1, axis=0), "does not go with the forces inside of molecules"),
        (lambda w: w * np.eye(3), "virials without shear"),
        (lambda w: np.concatenate([np.trace(w[:3], axis1=1, axis2=2)[:, None, None] * np.eye(3),
                                   w[3:]]), "with nothing but their trace"),
    ):  # fmt: skip
        system = real.copy()
        system.data["virials"] = change(system["virials"])
        assert re.search(message, objections(system))


def test_a_crystal_at_rest_may_lack_shear():
    """By symmetry, in its forces as in its stress: nothing was lost."""
    system = dataset.load("crystal_relaxation").sub_system(np.arange(30, 36))
    system.data["virials"] = system["virials"] * np.eye(3)
    assert not any(lost.any() for lost in laws.lost_components(system).values())


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_frames_of_one_volume_tell_sign_and_unit_of_the_virial(real, n):
    one = dataset.load("nvt_0300").sub_system(np.arange(0, 20, 20 // n)[:n])
    assert objections(one) == ""
    for factor in (-1.0, 160.2):
        system = one.copy()
        system.data["virials"] *= factor
        assert "the virial swings by" in objections(system)


def test_whole_molecules_do_not_hide_a_wrong_cell(real):
    system = real.copy()
    symbols = np.array(system["atom_names"])[system["atom_types"]]
    for i in range(len(system)):
        found = molecules.find(system["coords"][i], system["cells"][i], symbols)
        system.data["coords"][i] += found.whole @ system["cells"][i]
    assert objections(system) == "" and laws.better_cell(system) is None
    assert laws.better_cell(dataset.load("nvt_2500")) is None
    turned, bohr = system.copy(), system.copy()
    turned.data["cells"] = np.ascontiguousarray(system["cells"].transpose(0, 2, 1))
    bohr.data["cells"] = system["cells"] * 1.8897
    bohr.data["virials"] = system["virials"]
    assert "4.0 in the transposed cell" in objections(turned)
    assert "4.0 in a cell that is 0.529 times as large" in objections(bohr)


def test_a_small_gap_between_two_files_is_one_of_zeros(real):
    system = real.copy()
    half = np.arange(len(system)) < len(system) // 2
    system.data["energies"][half] += 0.1 * system.get_natoms()
    assert not laws.zeros_of_energy(system, ["x"] * len(system)).any()
    said = objections(system, sources=np.where(half, "a", "b").tolist())
    assert "energies with 2 zeros" in said
    assert not laws.zeros_of_energy(real, np.where(half, "a", "b").tolist()).any()


VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("name", ["npt", "heated_atp", "abw"])
def test_few_frames_of_several_volumes_tell_sign_and_order_of_the_virial(name, n):
    """By what is left without the trace, which the volume does not change."""
    few = dataset.load(name)
    few = few.sub_system(np.linspace(2, len(few) - 3, n).round().astype(int))
    assert np.ptp(np.linalg.det(few["cells"])) > 1e-3 * np.linalg.det(few["cells"][0])
    assert "virial" not in objections(few)
    minus, vasp = few.copy(), few.copy()
    minus.data["virials"] = -few["virials"]
    assert "the virial swings by -" in objections(minus) or "minus xx yy zz" in objections(minus)
    xx, yy, zz, yz, xz, xy = (few["virials"][:, a, b] for a, b in VOIGT)
    vasp.data["virials"] = np.array([[xx, xz, yz], [xz, yy, xy], [yz, xy, zz]]).transpose(2, 0, 1)
    told = "another order than xx yy zz yz xz xy" in objections(vasp)
    assert told or not laws.molecular_virial(vasp).judged  # then the import says so
    assert told or n == 2 or name == "npt"  # whose shear is small


@pytest.mark.parametrize("pair", [("C", "H"), ("C", "N"), ("H", "N")])
def test_exchanged_elements_are_named(real, pair):
    """As where POTCAR and POSCAR, or two type maps, have another order."""
    system = real.copy()
    names = np.array(real["atom_names"])
    one, other = (real["atom_names"].index(name) for name in pair)
    names[[one, other]] = names[[other, one]]
    system.data["atom_types"] = np.array([real["atom_names"].index(n) for n in names])[
        real["atom_types"]
    ]
    system.data["atom_numbs"] = np.bincount(system["atom_types"], minlength=4).tolist()
    said = objections(system, stoichiometry="any")
    assert f"{' and '.join(pair)} are exchanged" in said and "repair the cell" not in said
    assert laws.exchanged_elements(real) is None


@pytest.mark.parametrize("change, message", [
    (lambda d: d.update(coords=d["coords"] / 10, cells=d["cells"] / 10), "not in A .nm"),
    (lambda d: d.update(coords=d["coords"] @ np.linalg.inv(d["cells"])), "fractional"),
    (lambda d: d.update(cells=d["cells"] * 0), "16 of 16 frames .* have a cell without volume"),
])  # fmt: skip
def test_lengths_that_are_none_are_refused_before_copies_are_looked_for(real, change, message):
    """In nm the frames of a run are near-copies of each other."""
    checks.refuse_other_lengths(real)
    system = real.copy()
    change(system.data)
    with pytest.raises(dataset.BadFrames, match=message):
        checks.refuse_other_lengths(system)


@pytest.mark.parametrize("name, frames", [
    ("crystal_relaxation", [1, 4, 11, 12, 15, 18, 20, 24, 27, 30, 38]),  # one frame tells
    ("crystal_relaxation", [7, 8, 9]),
    ("crystal_strained", [4, 5, 6, 7]),
    ("crystal_strained", range(14, 25)),  # whose cells change twice
    ("test_expanded", [15, 21]),
    ("explored_2", range(91, 102)),  # torn, and of another volume
    ("npt", range(57, 65)), ("opening", range(8, 18)), ("quenched_round_9", [10, 36, 57, 69]),
    ("quenched_round_10_test", [0, 1, 3, 4, 6, 7, 9, 10, 12, 14, 15]), ("volumes", range(32, 44)),
])  # fmt: skip
def test_a_few_good_frames_are_not_refused(name, frames):
    """Choices at random that were, when fewer frames were taken to tell more than they do."""
    assert objections(dataset.load(name).sub_system(np.array(frames))) == ""
