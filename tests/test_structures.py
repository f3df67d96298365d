"""ZIF-4's cell against what is known of it, and supercells."""

import tracemalloc

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.geometry import get_distances
from ase.neighborlist import neighbor_list
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import paths, structures
from helpers.errors import UserError
from helpers.frames import dataset


def test_zif4_is_the_published_cell():
    atoms = structures.load("ZIF-4")
    assert len(atoms) == 272
    assert atoms.symbols.formula.count() == {
        element: 16 * n for element, n in structures.FORMULA_UNIT.items()
    }
    np.testing.assert_allclose(atoms.cell.cellpar(), [15.379, 15.449, 18.407, 90, 90, 90])
    assert structures.density(atoms) == pytest.approx(1.21, abs=0.01)  # g/cm3


def test_a_path_is_read_where_a_name_is_allowed(tmp_path):
    ase.io.write(tmp_path / "mine.cif", structures.load("Znim2-ABW"))
    mine = structures.load(str(tmp_path / "mine.cif"))
    assert len(mine) == 68 and mine.pbc.all()
    assert sorted(mine.numbers) == sorted(structures.load("Znim2-ABW").numbers)


def test_only_hydrogen_moved_from_the_published_structure():
    atoms = structures.load("ZIF-4-experimental")
    published = ase.io.read(paths.STRUCTURES / "ZIF-4_VEJYUF01.cif")
    assert len(published) == len(atoms)
    heavy = atoms[atoms.numbers > 1], published[published.numbers > 1]
    distance = get_distances(heavy[0].positions, heavy[1].positions, cell=atoms.cell, pbc=True)[1]
    partner = distance.argmin(axis=1)
    assert distance.min(axis=1).max() < 1e-4
    assert (heavy[0].numbers == heavy[1].numbers[partner]).all()
    assert neighbor_list("d", published, {("C", "H"): 1.3}).max() < 0.96
    assert neighbor_list("d", atoms, {("C", "H"): 1.3}).min() > 1.05  # a real C-H bond


def test_relaxation_keeps_the_framework():
    relaxed, experimental = structures.load("ZIF-4"), structures.load("ZIF-4-experimental")
    for pair, cutoff in ((("Zn", "N"), 2.4), (("C", "N"), 1.6), (("C", "C"), 1.6)):
        lengths = [neighbor_list("d", atoms, {pair: cutoff}) for atoms in (relaxed, experimental)]
        assert len(lengths[0]) == len(lengths[1])  # no bond is made or broken
        assert lengths[0].mean() == pytest.approx(lengths[1].mean(), abs=0.05)  # A
        assert lengths[0].std() < lengths[1].std()  # bonds of one kind become alike


CRYSTALS = [name for name in structures.names() if not name.startswith("glass")]
GLASSES = [name for name in structures.names() if name.startswith("glass")]


@pytest.mark.parametrize("name", CRYSTALS)
def test_every_zinc_has_four_nitrogens(name):
    atoms = structures.load(name)
    center = neighbor_list("i", atoms, {("Zn", "N"): 2.5})
    zinc = np.flatnonzero(atoms.symbols == "Zn")
    assert [np.count_nonzero(center == i) for i in zinc] == [4] * len(zinc)


@pytest.mark.parametrize("name", GLASSES)
def test_glasses_are_as_published(name):
    """ZIF-4 at 1.21 g/cm3, nearly every Zn with four N, every imidazolate whole."""
    atoms = structures.load(name)
    assert atoms.symbols.formula.count() == structures.load("ZIF-4").symbols.formula.count()
    assert structures.density(atoms) == pytest.approx(1.210, abs=0.001)
    bonds = {
        pair: len(neighbor_list("i", atoms, {pair: cutoff})) / 2  # both ways are listed
        for pair, cutoff in ((("Zn", "N"), 2.5), (("C", "H"), 1.3), (("C", "N"), 1.6))
    }
    assert 60 <= bonds["Zn", "N"] <= 64
    assert bonds["C", "H"] == 96 and bonds["C", "N"] == 128


def test_there_are_five_glasses():
    assert len(GLASSES) == 5


def test_supercell_keeps_density_and_multiplies_atoms():
    atoms = structures.load("Znim2-ABW")
    big = structures.supercell(atoms, (2, 1, 3))
    assert len(big) == 6 * len(atoms)
    assert structures.density(big) == pytest.approx(structures.density(atoms))
    np.testing.assert_allclose(big.cell.lengths(), atoms.cell.lengths() * [2, 1, 3])


@pytest.mark.parametrize("repetitions", [(1, 1), (0, 1, 1), (1.5, 1, 1)])
def test_bad_supercell_is_refused(repetitions):
    with pytest.raises(ValueError, match="three whole numbers"):
        structures.supercell(structures.load("Znim2-ABW"), repetitions)


def test_unknown_structure_names_the_nearest():
    with pytest.raises(structures.UnknownStructure, match="did you mean 'ZIF-4'"):
        structures.load("ZIF4")


def test_structures_of_users_are_looked_at(tmp_path, capsys):
    """What cannot be heated is refused before anything is computed."""
    sound = structures.load("Znim2-ABW")
    file = tmp_path / "mine.extxyz"
    for change, message in (
        (lambda a: a.set_cell(None), "no periodic cell"),
        (lambda a: a.set_pbc((True, True, False)), "not periodic in all directions"),
        (lambda a: a.extend(sound[:3]), "3 pairs of atoms overlap"),
        (lambda a: a.positions.__setitem__((0, 0), np.nan), "NaN or infinity"),
        (lambda a: a.set_cell(a.cell / 0.529, scale_atoms=True), "24 of 24 H have no atom within"),
        (lambda a: a.set_cell(a.cell.array.T), "of 24 H have no atom within"),
    ):
        atoms = sound.copy()
        change(atoms)
        ase.io.write(file, atoms)
        with pytest.raises(ValueError, match=message):
            structures.read(file)
    file.write_text(file.read_text().replace("\nZn ", "\nQq "))
    with pytest.raises(ValueError, match="'Qq', no element that ASE knows"):
        structures.read(file)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        structures.read(tmp_path / "nowhere.cif")
    heavy = sound.copy()
    heavy.set_masses([2.014 if s == "H" else None for s in heavy.symbols])
    ase.io.write(tmp_path / "heavy.traj", [sound, heavy])
    read = structures.read(tmp_path / "heavy.traj")
    assert read.get_masses()[read.symbols == "H"].max() < 1.01
    said = capsys.readouterr().out
    assert "the last of 2 frames" in said and "24 atoms of another mass" in said


def test_a_note_on_a_file_is_printed_once(tmp_path, capsys):
    atoms = structures.load("Znim2-ABW")
    ase.io.write(tmp_path / "two.extxyz", [atoms, atoms])
    for _ in range(2):
        structures.read(tmp_path / "two.extxyz")
    assert capsys.readouterr().out.count("[taken]") == 1


def test_sites_of_a_pdb_that_are_occupied_in_parts_are_refused(tmp_path):
    sound = structures.load("Znim2-ABW")
    sound.set_array("occupancy", np.where(np.arange(68) == 5, 0.5, 1.0))
    ase.io.write(tmp_path / "mine.pdb", sound)
    with pytest.raises(ValueError, match="5 is occupied in parts .0.5"):
        structures.read(tmp_path / "mine.pdb")


def test_a_framework_atom_t1_is_no_tritium():
    assert structures.element("T") == structures.element("D2") == "H"
    with pytest.raises(ValueError, match="'T1' is no element"):
        structures.element("T1")


def test_a_byte_order_mark_is_named(tmp_path):
    ase.io.write(tmp_path / "mine.cif", structures.load("Znim2-ABW"))
    marked = b"\xef\xbb\xbf" + (tmp_path / "mine.cif").read_bytes()
    (tmp_path / "mine.cif").write_bytes(marked)
    with pytest.raises(ValueError, match="byte-order mark: save it as UTF-8 without one"):
        structures.read(tmp_path / "mine.cif")


def test_a_huge_cell_takes_no_memory(tmp_path):
    few = structures.load("Znim2-ABW")
    few.set_cell(few.cell.array * 50)  # of which one has cut the molecules open
    ase.io.write(tmp_path / "mine.extxyz", few)
    tracemalloc.start()
    with pytest.raises(ValueError, match="H have no atom within"):
        structures.read(tmp_path / "mine.extxyz")
    assert tracemalloc.get_traced_memory()[1] < 1e8
    tracemalloc.stop()


def _cif(atoms, operations=("x,y,z",)):
    """Without the name of a group, as programs write it that know operations alone."""
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_mine"]
    lines += [f"_cell_{name} {x:.6f}" for name, x in zip(names, atoms.cell.cellpar(), strict=True)]
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{one}'" for one in operations)]
    lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol"]
    lines += [f"_atom_site_fract_{x}" for x in "xyz"]
    places = zip(atoms.symbols, atoms.get_scaled_positions(), strict=True)
    lines += [f"{s}{i} {s} {x:.7f} {y:.7f} {z:.7f}" for i, (s, (x, y, z)) in enumerate(places)]
    return "\n".join(lines) + "\n"


def test_operations_of_symmetry_without_the_name_of_a_group_are_read(tmp_path):
    sound = structures.load("Znim2-ABW")
    (tmp_path / "all.cif").write_text(_cif(sound))
    read = structures.read(tmp_path / "all.cif")
    assert read.get_chemical_formula() == sound.get_chemical_formula()
    half = sound[:34]
    half.positions += 0.3
    (tmp_path / "half.cif").write_text(_cif(half, ("x,y,z", "-x,-y,-z")))
    read = structures._frames(tmp_path / "half.cif")[0]
    assert len(read) == 68
    np.testing.assert_allclose(read.get_scaled_positions().sum(axis=0) % 1, 0, atol=1e-5)


def test_names_of_atoms_in_gromacs_are_their_elements(tmp_path):
    """ASE takes ZN1 for nitrogen."""
    sound = structures.load("Znim2-ABW")
    ase.io.write(tmp_path / "mine.gro", sound)
    head, *rows = (tmp_path / "mine.gro").read_text().splitlines()
    rows[1:-1] = [row[:10] + f"{row[10:15].strip().upper()}{i % 9}".rjust(5) + row[15:]
                  for i, row in enumerate(rows[1:-1])]  # fmt: skip
    (tmp_path / "mine.gro").write_text("\n".join([head, *rows]) + "\n")
    read = structures.read(tmp_path / "mine.gro")
    assert read.get_chemical_formula() == sound.get_chemical_formula()


def test_parts_of_a_crystal_are_refused_and_hot_frames_are_not(tmp_path):
    sound = structures.load("Znim2-ABW")
    first = int(np.flatnonzero(sound.symbols == "H")[0])
    for atoms, message in (
        (sound[np.arange(68) != first], "two neighbours at an angle and no H, 1 H are missing"),
        (Atoms("CNHZn", [[0, 0, 0], [1.16, 0, 0], [-1.07, 0, 0], [5, 5, 5]], cell=[9, 9, 9],
               pbc=True), "Zn has 0.0 N around it instead of 4: .*asymmetric unit"),
    ):  # fmt: skip
        ase.io.write(tmp_path / "mine.extxyz", atoms)
        with pytest.raises(ValueError, match=message):
            structures.read(tmp_path / "mine.extxyz")
    for name in ("melts_test", "nvt_2500"):
        for atoms in structures.images(dataset.load(name).sub_system(np.arange(0, 12, 4))):
            structures._refuse_parts(atoms, name)


@settings(max_examples=30, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(suffix=st.sampled_from(["extxyz", "cif", "POSCAR", "traj"]), left=st.booleans(),
       seed=st.integers(0, 99),
       harm=st.sampled_from(["", "", "bohr", "cut", "twice", "element"]))  # fmt: skip
def test_any_file_gives_its_crystal_or_is_refused_by_name(tmp_path, suffix, left, seed, harm):
    """Atoms in any order and place, cells of either hand; damage is refused and names the file."""
    sound, rng = structures.load("Znim2-ABW"), np.random.default_rng(seed)
    atoms = sound[rng.permutation(len(sound))]
    atoms.positions += rng.normal(size=3)
    if left:
        atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    if harm == "bohr":
        atoms.set_cell(atoms.cell.array / 0.529177, scale_atoms=True)
    elif harm == "twice":
        atoms += atoms[:1]
    elif harm == "element":
        atoms.numbers[0] = 0
    file = tmp_path / f"mine.{suffix}"
    ase.io.write(file, atoms, format="vasp" if suffix == "POSCAR" else None)
    if harm == "cut":
        file.write_bytes(file.read_bytes()[: int(rng.uniform(0.02, 0.9) * file.stat().st_size)])
    try:
        read = structures.read(file)
    except UserError as error:
        assert harm and f"mine.{suffix}" in str(error)
        return
    assert not harm
    assert read.get_chemical_formula() == sound.get_chemical_formula()
    assert read.get_volume() == pytest.approx(sound.get_volume()) and np.linalg.det(read.cell) > 0
    for a, b in (("C", "H"), ("Zn", "N")):
        pairs = []
        for one in (sound, read):
            distances = one.get_all_distances(mic=True)
            pairs.append(np.sort(distances[one.symbols == a][:, one.symbols == b].ravel()))
        np.testing.assert_allclose(*pairs, atol=1e-3)
