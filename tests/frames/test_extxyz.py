"""Extended XYZ in anyone's keys, units, order and handedness: the right numbers, or a refusal."""

import gzip
import lzma
import re

import ase.io
import numpy as np
import pytest
from ase import units
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import structures
from helpers.errors import UserError
from helpers.frames import dataset, extxyz, formats, label_units

N_FRAMES = 3
# The same numbers in other units: by ASE's constants, ours come from CODATA through scipy.
ENERGY = {
    "eV": 1.0,
    "Hartree": 1 / units.Hartree,
    "kcal/mol": units.mol / units.kcal,
    "Ry": 1 / units.Rydberg,
}
FORCE = {"eV/A": 1.0, "Hartree/Bohr": units.Bohr / units.Hartree, "meV/Ang": 1e3}
STRESS = {"eV/A^3": 1.0, "GPa": 1 / units.GPa, "kbar": 10 / units.GPa, "bar": 1e4 / units.GPa}


@pytest.fixture(scope="module")
def some(lennard_jones):
    return lennard_jones(N_FRAMES)


@pytest.fixture(scope="module")
def right(some, tmp_path_factory):
    """What each label has to be after all, by ASE's own reader."""
    file = tmp_path_factory.mktemp("xyz") / "right.extxyz"
    ase.io.write(file, some)
    return formats.from_extxyz(file)


def written(images, *, keys=None, info="", scale=(1, 1, 1), order=None, left=False, lower=False,
            tensor="stress", symbols=None):  # fmt: skip
    """A file as another program would write it. tensor: stress, voigt or virial."""
    keys = {"energy": "energy", "forces": "forces"} | (keys or {})
    lines = []
    for f, atoms in enumerate(images):
        permutation = np.arange(len(atoms)) if order is None else order[f]
        cell, volume = atoms.cell.array, atoms.get_volume()
        cell = cell[[1, 0, 2]] if left else cell
        stress = atoms.get_stress(voigt=False)
        numbers = {
            "stress": (scale[2] * stress).ravel(),
            "voigt": scale[2] * stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
            "virial": (-volume * stress * scale[0]).ravel(),
        }[tensor]
        name = keys.get("tensor", "virial" if tensor == "virial" else "stress")
        words = ("lattice", "properties") if lower else ("Lattice", "Properties")
        lines.append(str(len(atoms)))
        lines.append(
            f'{words[0]}="{" ".join(map(repr, cell.ravel().tolist()))}" '
            f"{words[1]}=species:S:1:pos:R:3:{keys['forces']}:R:3 "
            f"{keys['energy']}={float(atoms.get_potential_energy() * scale[0])!r} "
            f'{name}="{" ".join(map(repr, numbers.tolist()))}" pbc="T T T" {info}'
        )
        forces = atoms.get_forces() * scale[1]
        for i in permutation:
            row = [*atoms.positions[i], *forces[i]]
            symbol = (symbols or {}).get(atoms.symbols[i], atoms.symbols[i])
            lines.append(f"{symbol} " + " ".join(f"{x:.10f}" for x in row))
    return "\n".join(lines) + "\n"


def assert_same(system, right, atol=1e-6):
    """Energies, forces of each atom, what a choice of cell vectors leaves alone of the rest."""
    np.testing.assert_allclose(system["energies"], right["energies"], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.det(system["cells"]), np.linalg.det(right["cells"]))
    np.testing.assert_allclose(system["virials"], right["virials"], rtol=1e-5, atol=1e-5)
    for mine, wanted in ((system["coords"], right["coords"]), (system["forces"], right["forces"])):
        for a, b in zip(mine, wanted, strict=True):  # atoms of one element in any order
            for t in range(4):
                kind = right["atom_types"] == t
                key = lambda x: np.lexsort(np.round(x, 4).T)  # noqa: E731
                x, y = a[kind], b[kind]
                np.testing.assert_allclose(
                    x[key(x)], y[key(y)], atol=atol * max(1, np.abs(y).max())
                )


@settings(max_examples=25, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    energy=st.sampled_from(sorted(ENERGY)), force=st.sampled_from(sorted(FORCE)),
    stress=st.sampled_from(sorted(STRESS)), tensor=st.sampled_from(["stress", "voigt", "virial"]),
    left=st.booleans(), lower=st.booleans(), shuffled=st.booleans(), style=st.integers(0, 2),
    kinds=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_unit_order_and_handedness_gives_the_right_numbers(
    some, right, tmp_path, energy, force, stress, tensor, left, lower, shuffled, style, kinds, seed
):
    said = [("energy", energy), ("force", force),
            ("virial", energy) if tensor == "virial" else ("stress", stress)]  # fmt: skip
    spelt = ("{}-unit={}", "{}_units={}", "unit_{}={}")[style]
    rng = np.random.default_rng(seed)
    order = [rng.permutation(68) for _ in range(N_FRAMES)] if shuffled else None
    file = tmp_path / "x.extxyz"
    file.write_text(written(
        some, info=" ".join(spelt.format(*pair) for pair in said), tensor=tensor, left=left,
        scale=(ENERGY[energy], FORCE[force], STRESS[stress]), order=order, lower=lower,
        symbols={"H": "D", "N": "N2"} if kinds else None,
    ))  # fmt: skip
    notes = []
    system = formats.import_labelled(file, notes=notes)
    assert_same(system, right, atol=1e-5)
    assert np.linalg.det(system["cells"]).min() > 0
    assert any("left-handed" in note for note in notes) == left
    assert any("D are read as H" in note for note in notes) == kinds


@pytest.mark.parametrize("info, message", [
    ("stress-unit=psi", "'psi' is no unit of stress"),
    ("energy_units=eV/atom", "'eV/atom' is no unit of energy"),
    ("units=metal", "units=metal and not of what"),
    ("dft_energy=-3.5", "energy under more than one key: energy, dft_energy.*--energy-key"),
    ('REF_stress="1 2 3 4 5 6"', "stress under more than one key: stress, REF_stress"),
    ('virial="1 0 0 0 1 0 0 0 1"', "stress and virial of frame 0 do not belong together"),
    ('REF_virial="1 0 0 0 1 0 0 0 1"', "stress and REF_virial of frame 0 are not of one calc"),
    ("s_unit=GPa", "s_unit=GPa and not of what"),
])  # fmt: skip
def test_what_may_mean_two_things_is_refused_with_the_option(some, tmp_path, info, message):
    (tmp_path / "x.extxyz").write_text(written(some, info=info))
    with pytest.raises(dataset.BadFrames, match=message):
        formats.import_labelled(tmp_path / "x.extxyz")


def test_keys_of_the_user_decide(some, right, tmp_path):
    own = {"energy": "REF_energy", "forces": "REF_forces", "tensor": "REF_stress"}
    (tmp_path / "x.extxyz").write_text(written(some, keys=own, info="energy=1.0"))
    with pytest.raises(dataset.BadFrames, match="under more than one key: energy, REF_energy"):
        formats.import_labelled(tmp_path / "x.extxyz")
    (tmp_path / "x.extxyz").write_text(written(some, keys=own))
    with pytest.raises(
        dataset.BadFrames,
        match="no energy, forces, stress; if that is it, say so: --energy-key REF_energy "
        "--forces-key REF_forces --stress-key REF_stress",
    ):
        formats.import_labelled(tmp_path / "x.extxyz")
    keys = {"energy": "REF_energy", "forces": "REF_forces", "stress": "REF_stress"}
    assert_same(formats.import_labelled(tmp_path / "x.extxyz", keys=keys), right)
    with pytest.raises(dataset.BadFrames, match="no energy under the key 'E'.*there are: REF_en"):
        formats.import_labelled(tmp_path / "x.extxyz", keys=keys | {"energy": "E"})


def test_a_unit_at_the_end_of_a_key_counts(some, right, tmp_path):
    text = written(some, keys={"tensor": "stress_GPa"}, scale=(1, 1, STRESS["GPa"]))
    (tmp_path / "x.extxyz").write_text(text)
    system = formats.import_labelled(tmp_path / "x.extxyz", keys={"stress": "stress_GPa"})
    np.testing.assert_allclose(system["virials"], right["virials"], rtol=1e-6, atol=1e-7)


def test_the_free_energy_is_read_where_it_is_there(some, right, tmp_path):
    lines = written(some).split("\n")
    for i, line in enumerate(lines):
        if line.startswith("Lattice"):
            energy = float(re.search(r" energy=(\S+)", line)[1])
            lines[i] = line.replace(" energy=", f" free_energy={energy!r} energy=") .replace(
                f"energy={energy!r} s", f"energy={energy + 3.4!r} s")  # fmt: skip
    (tmp_path / "x.extxyz").write_text("\n".join(lines))
    notes = []
    system = formats.import_labelled(tmp_path / "x.extxyz", notes=notes)
    np.testing.assert_allclose(system["energies"], right["energies"])
    assert notes[0] == "free_energy is read, not energy: forces are its derivatives"
    assert notes[1:] == ["not read: energy"]


@settings(max_examples=40, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(at=st.floats(0, 1), what=st.sampled_from(["cut", "line", "word", "nan", "byte", "double"]))
def test_damage_is_refused_or_harmless_and_never_another_number(some, right, tmp_path, at, what):
    lines = written(some).rstrip("\n").split("\n")
    k = min(int(at * len(lines)), len(lines) - 1)
    if what == "cut":
        lines = lines[:k] + [lines[k][: len(lines[k]) // 2]]
    elif what == "line":
        del lines[k]
    elif what == "double":
        lines.insert(k, lines[k])
    else:
        words = lines[k].split(" ")
        j = min(int(at * 7919) % len(words), len(words) - 1)
        words[j] = {"word": "", "nan": "nan", "byte": words[j][:-1] + "\x00"}[what]
        lines[k] = " ".join(words)
    (tmp_path / "x.extxyz").write_text("\n".join(lines) + "\n")
    try:
        system = formats.import_labelled(tmp_path / "x.extxyz")
    except UserError as error:
        assert "\n" not in str(error) and len(str(error)) < 700
        return
    for label in ("energies", "forces", "coords", "virials"):
        good = np.isclose(system[label], right[label][: len(system)], rtol=1e-6, atol=1e-6)
        assert (good | np.isnan(system[label])).all(), (label, what, k)


def test_elements_of_labels():
    assert structures.elements(["D", "Zn1", "ZN", "C_ring", "2H", "N"]).tolist() == [
        "H", "Zn", "Zn", "C", "H", "N"]  # fmt: skip
    for bad in ("", "X", "Q1", "Foo"):
        with pytest.raises(ValueError, match="no element|has no element"):
            structures.element(bad)


@pytest.mark.parametrize("of, unit, value", [
    ("stress", "kB", 0.1 * units.GPa), ("stress", "eV/Å³", 1.0),
    ("stress", "Ha/bohr^3", units.Hartree / units.Bohr**3), ("length", "nm", 10.0),
    ("force", "kcal/mol/Angstrom", units.kcal / units.mol),
    ("energy", "kJ/mol", units.kJ / units.mol),
])  # fmt: skip
def test_units_have_the_size_that_ase_gives_them(of, unit, value):
    assert label_units.factor(of, unit, "x") == pytest.approx(value, rel=1e-6)


def test_frames_are_counted_as_slices_are(some, tmp_path):
    (tmp_path / "x.extxyz").write_text(written(some))
    assert len(list(extxyz.read_frames(tmp_path / "x.extxyz"))) == N_FRAMES
    assert len(formats.from_extxyz(tmp_path / "x.extxyz", keep_every=2)) == 2


@pytest.mark.parametrize("key", ["dft_stress_unit", "stress_tensor_units", "unit-stress"])
def test_units_under_longer_names_count(some, right, tmp_path, key):
    text = written(some, scale=(1, 1, STRESS["GPa"]), info=f"{key}=GPa")
    (tmp_path / "x.extxyz").write_text(text)
    system = formats.import_labelled(tmp_path / "x.extxyz")
    np.testing.assert_allclose(system["virials"], right["virials"], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("info", ["E_ref=-3.5", "E=-3.5", "dft=-3.5", "energy_pred=-3.5"])
def test_a_second_energy_is_seen_under_any_usual_name(some, tmp_path, info):
    (tmp_path / "x.extxyz").write_text(written(some, info=info))
    with pytest.raises(dataset.BadFrames, match="energy under more than one key: energy, "):
        formats.import_labelled(tmp_path / "x.extxyz")


def nearly(values):
    return " ".join(f"{x * (1.1 + 0.1 * (i % 2)):.9f}" for i, x in enumerate(np.ravel(values)))


@pytest.mark.parametrize("what", ["energy", "forces", "stress"])
def test_a_second_label_is_seen_under_any_name_by_its_values(what, some, tmp_path):
    lines = written(some, scale=(1e3, 1, 1)).split("\n")
    at = 0
    for atoms in some:
        header = lines[at + 1]
        if what == "energy":
            header += f" whatever={float(atoms.get_potential_energy() * 1.01e3)!r}"
        elif what == "stress":
            header += f' whatever="{nearly(atoms.get_stress(voigt=False))}"'
        else:
            header = header.replace("forces:R:3", "forces:R:3:whatever:R:3")
            for k, force in enumerate(atoms.get_forces()):
                lines[at + 2 + k] += " " + nearly(force)
        lines[at + 1] = header
        at += 2 + len(atoms)
    file = tmp_path / "x.extxyz"
    file.write_text("\n".join(lines))
    with pytest.raises(dataset.BadFrames, match=f"{what} under more than one key: .*, whatever"):
        formats.import_labelled(file)
    formats.import_labelled(file, keys={what: what})


@pytest.mark.parametrize("info", ["volume=1663.1", "temperature=300.0", "time=0.5", "w=1.0"])
def test_other_numbers_are_no_labels(some, right, tmp_path, info):
    file = tmp_path / "x.extxyz"
    file.write_text(written(some, info=info))
    assert_same(formats.import_labelled(file), right)


def test_a_virial_that_not_all_frames_have_is_held_to_the_stress(some, tmp_path):
    file = tmp_path / "x.extxyz"
    head, *rest = written(some).split('pbc="T T T"')
    virial = " ".join(map(str, (some[0].get_volume() * some[0].get_stress(voigt=False)).ravel()))
    file.write_text(head + f'virial="{virial}" pbc="T T T"' + 'pbc="T T T"'.join(rest))
    with pytest.raises(dataset.BadFrames, match="stress and virial of frame 0 are not of one calc"):
        formats.import_labelled(file)
    file.write_text(written(some[:1]) + written(some[1:], tensor="virial"))
    with pytest.raises(dataset.BadFrames, match="frame 0 has stress, frame 1 virial; write one of"):
        formats.import_labelled(file)


def test_what_a_file_is_called_and_how_it_is_packed_does_not_matter(some, right, tmp_path):
    text = written(some).replace("\n68\n", "\n\n68\n")  # blank lines between frames
    for name, content in {
        "x.lzma": lzma.compress(text.encode(), format=lzma.FORMAT_ALONE),
        "x.dat": text.encode("utf-16"), "x.txt": text.replace("\n", "\r").encode(),
        "x.xz": lzma.compress(text.encode()), "x.xyz": text.replace("\n", "\r\n").encode(),
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
        assert_same(formats.import_labelled(tmp_path / name), right)
    (tmp_path / "x.gz").write_bytes(gzip.compress(gzip.compress(text.encode())))
    with pytest.raises(UserError, match="compressed twice"):
        formats.import_labelled(tmp_path / "x.gz", "extxyz")


def test_a_cell_and_an_energy_under_other_names_are_told(some, tmp_path):
    (tmp_path / "x.extxyz").write_text(written(some).replace("Lattice=", "cell="))
    with pytest.raises(dataset.BadFrames, match="the cell is called cell; .* Lattice"):
        formats.import_labelled(tmp_path / "x.extxyz")
    (tmp_path / "x.extxyz").write_text(written(some, keys={"energy": "energy_per_atom"}))
    with pytest.raises(dataset.BadFrames, match="energy_per_atom is an energy an atom"):
        formats.import_labelled(tmp_path / "x.extxyz", keys={"energy": "energy_per_atom"})


@pytest.mark.parametrize("pbc, periodic", [
    ('"1 1 1"', True), ("T", True), ('"True True True"', True), ("[T, T, T]", True),
    ('"0 0 0"', False), ('"1 1 0"', False), ('"T T 0"', False), ('"yes yes no"', False),
    ("none", False), ("0", False),
])  # fmt: skip
def test_boundaries_are_read_however_they_are_spelt(some, tmp_path, pbc, periodic):
    text = written(some).replace('pbc="T T T"', f"pbc={pbc}")
    (tmp_path / "x.extxyz").write_text(text)
    if periodic:
        assert len(formats.import_labelled(tmp_path / "x.extxyz")) == N_FRAMES
        return
    with pytest.raises(dataset.BadFrames, match="frame 0 has no periodic cell"):
        formats.import_labelled(tmp_path / "x.extxyz")


@pytest.mark.parametrize("old, new, message", [
    ("pos:R:3:forces:R:3", "pos:R:3:forces:R:2", "has 7 columns, Properties tells of 6; which"),
    ("pos:R:3:forces:R:3", "pos:R:3:pos:R:3", "Properties tells of pos twice"),
    ("Properties=", 'lattice="1 0 0 0 1 0 0 0 1" Properties=', "Lattice is there twice"),
])  # fmt: skip
def test_columns_that_are_not_told_are_refused(some, tmp_path, old, new, message):
    (tmp_path / "x.extxyz").write_text(written(some).replace(old, new))
    with pytest.raises(dataset.BadFrames, match=message):
        formats.import_labelled(tmp_path / "x.extxyz")


@pytest.mark.parametrize("form", ['"_JSON [[{}, {}, {}], [{}, {}, {}], [{}, {}, {}]]"',
                                  "[[{}, {}, {}], [{}, {}, {}], [{}, {}, {}]]"])  # fmt: skip
def test_nested_numbers_are_read(some, right, tmp_path, form):
    nested = re.sub('stress="([^"]*)"', lambda m: "stress=" + form.format(*m[1].split()),
                    written(some))  # fmt: skip
    (tmp_path / "x.extxyz").write_text(nested)
    assert_same(formats.import_labelled(tmp_path / "x.extxyz"), right)


def test_short_names_of_units_and_exponents_of_fortran_are_read(some, right, tmp_path):
    text = written(some, info="E_unit=Ry f_units=meV/Ang formula_units=4 charge_unit=e",
                   scale=(ENERGY["Ry"], FORCE["meV/Ang"], 1))  # fmt: skip
    exponents = re.sub(r"(\d\.\d{10})(?= |$)", r"\1D+00", text, flags=re.M)
    assert exponents.count("D+00") == N_FRAMES * 68 * 6
    (tmp_path / "x.extxyz").write_text(exponents)
    assert_same(formats.import_labelled(tmp_path / "x.extxyz"), right, atol=1e-5)


def test_a_key_with_the_unit_of_something_else_is_refused():
    assert label_units.suffix("energy_mHa", "energy")[1] == pytest.approx(1e-3 * units.Hartree)
    assert label_units.suffix("dft_energy", "energy") is None
    for key, of in (("virial_GPa", "virial"), ("energy_pa", "energy"), ("stress_ev", "stress")):
        with pytest.raises(dataset.BadFrames, match=f"is no unit of {of}"):
            label_units.suffix(key, of)


@pytest.mark.parametrize("key", ["converged", "scf_converged", "SCF-Converged"])
def test_frames_that_say_they_did_not_converge_are_refused_or_left_out(some, right, tmp_path, key):
    lines = written(some).rstrip("\n").split("\n")
    headers = range(1, len(lines), 70)
    for n, k in enumerate(headers):
        lines[k] += f" {key}={'F' if n == 1 else 'T'}"
    (tmp_path / "x.extxyz").write_text("\n".join(lines) + "\n")
    with pytest.raises(formats.Unconverged, match=f"1 of {len(some)} frames .*--drop"):
        formats.import_labelled(tmp_path / "x.extxyz")
    bad = []
    system = formats.import_labelled(tmp_path / "x.extxyz", unconverged=bad)
    assert bad == [1]
    np.testing.assert_allclose(system["energies"], np.delete(right["energies"], 1))
