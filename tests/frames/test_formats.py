"""Outputs of other programs: labels keep their meaning on every way in, the unfit are refused."""

import gzip
import re
import tempfile
from pathlib import Path

import ase.io
import dpdata
import numpy as np
import pytest
import vasp_writer
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import structures
from helpers.errors import UserError
from helpers.frames import checks, dataset, formats, importing, laws

HARTREE, BOHR = 27.211386, 0.529177


def test_labels_are_those_of_dpdata_on_its_own_way(images, system):
    """dpdata's converter from ASE objects is the independent road to the same numbers."""
    for i in (0, 17):
        other = dpdata.LabeledSystem(images[i], fmt="ase/structure")
        other.apply_type_map(list(structures.TYPE_MAP))
        other.sort_atom_types()
        assert (other["atom_types"] == system["atom_types"]).all()
        assert np.isclose(other["energies"][0], system["energies"][i], rtol=0, atol=1e-7)
        assert np.allclose(other["forces"][0], system["forces"][i], atol=1e-6)
        assert np.allclose(other["virials"][0], system["virials"][i], atol=1e-5)


def test_virial_is_minus_the_strain_derivative_of_the_energy(images, system, calculator):
    derivative = laws.strain_derivative(images[3], calculator, strain=1e-4)
    assert np.allclose(system["virials"][3], derivative, atol=1e-3 * np.abs(derivative).max())
    checks.check(system, calculator=calculator)
    system.data["virials"] *= -1
    with pytest.raises(dataset.BadFrames, match="is -1.00 times minus the strain derivative"):
        checks.check(system, calculator=calculator)


def test_atoms_keep_their_element_position_and_force(images, system):
    order = np.argsort([structures.TYPE_MAP.index(s) for s in images[0].symbols], kind="stable")
    assert list(np.array(structures.TYPE_MAP)[system["atom_types"]]) == list(
        images[0].symbols[order]
    )
    assert np.allclose(system["coords"][5], images[5].positions[order], atol=1e-7)
    assert np.allclose(system["forces"][5], images[5].get_forces()[order], atol=1e-7)


def test_every_nth_frame(extxyz):
    thinned = formats.from_extxyz(extxyz, keep_every=7, start=2)
    assert thinned["step"].ravel().tolist() == [2, 9, 16, 23]


def test_a_cut_off_trajectory_is_refused(extxyz):
    extxyz.write_text(extxyz.read_text()[:-900])
    with pytest.raises(dataset.BadFrames, match="trajectory.extxyz cannot be read to its end"):
        formats.from_extxyz(extxyz)


def test_a_frame_without_stress_is_refused(images, tmp_path):
    atoms = images[0].copy()
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((68, 3)))
    ase.io.write(tmp_path / "x.extxyz", atoms)
    with pytest.raises(
        dataset.BadFrames, match="frame 0 has no stress; label it, or .*--no-virial"
    ):
        formats.from_extxyz(tmp_path / "x.extxyz")


def test_a_molecule_without_a_cell_is_refused(images, tmp_path):
    atoms = images[0].copy()
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((68, 3)))
    atoms.cell, atoms.pbc = None, False
    ase.io.write(tmp_path / "x.extxyz", atoms)
    with pytest.raises(dataset.BadFrames, match="frame 0 has no periodic cell; write it"):
        formats.from_extxyz(tmp_path / "x.extxyz", virial=False)


def test_extxyz_round_trip(system, tmp_path):
    back = formats.import_labelled(formats.to_extxyz(system, tmp_path / "back.extxyz"))
    for label in ("energies", "forces", "virials", "coords", "cells", "temperature_K"):
        assert np.allclose(back[label], system[label], rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------- VASP


@pytest.fixture(scope="module")
def by_species(images):
    """As VASP has them: atoms of one species together."""
    result = []
    for atoms in images[:6]:
        order = np.argsort(atoms.symbols, kind="stable")
        labels = dict(atoms.calc.results)
        labels["forces"] = labels["forces"][order]
        atoms = atoms[order]
        atoms.calc = SinglePointCalculator(atoms, **labels)
        result.append(atoms)
    return result


@pytest.mark.parametrize("write, name, ase_format", [
    (vasp_writer.outcar, "OUTCAR", "vasp-out"), (vasp_writer.vasprun, "vasprun.xml", "vasp-xml"),
])  # fmt: skip
def test_vasp_is_read_as_ase_reads_it(by_species, calculator, tmp_path, write, name, ase_format):
    """dpdata and ASE parse on their own: units, order of atoms, sign of the stress."""
    write(by_species, tmp_path / name)
    system = formats.import_labelled(tmp_path / name)
    other = ase.io.read(tmp_path / name, index=":", format=ase_format)
    assert len(system) == len(other) == len(by_species)
    order = np.argsort([structures.TYPE_MAP.index(s) for s in other[0].symbols], kind="stable")
    images = system.to("ase/structure")
    for i, (mine, theirs, put_in) in enumerate(zip(images, other, by_species, strict=True)):
        assert (mine.symbols == theirs.symbols[order]).all()
        assert system["energies"][i] == pytest.approx(
            theirs.get_potential_energy(force_consistent=True), abs=1e-6
        )
        assert system["energies"][i] == pytest.approx(put_in.get_potential_energy(), abs=1e-6)
        # dpdata turns cells to lower triangles: compare what a rotation leaves as it is
        assert np.allclose(
            mine.get_all_distances(mic=True), theirs[order].get_all_distances(mic=True), atol=2e-4
        )
        assert np.allclose(
            np.linalg.norm(system["forces"][i], axis=1),
            np.linalg.norm(theirs.get_forces()[order], axis=1),
            atol=1e-4,
        )
        assert np.allclose(
            np.linalg.eigvalsh(system["virials"][i]),
            np.linalg.eigvalsh(-theirs.get_volume() * theirs.get_stress(voigt=False)), rtol=1e-3,
            atol=1e-2,
        )  # fmt: skip
        strain = laws.strain_derivative(mine, calculator)
        assert np.allclose(system["virials"][i], strain, atol=5e-3 * np.abs(strain).max())


@pytest.mark.parametrize("write, name", [
    (vasp_writer.outcar, "OUTCAR"), (vasp_writer.vasprun, "vasprun.xml")])  # fmt: skip
def test_unconverged_frames_are_refused_or_left_out(by_species, tmp_path, write, name):
    write(by_species, tmp_path / name, unconverged=(1, 4))
    with pytest.raises(formats.Unconverged, match=r"2 of 6 frames \(index 1, 4\).*--drop"):
        formats.import_labelled(tmp_path / name)
    left_out = []
    system = formats.import_labelled(tmp_path / name, unconverged=left_out)
    assert len(system) == 4 and left_out == [1, 4]


@pytest.mark.parametrize("write, name", [
    (vasp_writer.outcar, "OUTCAR"), (vasp_writer.vasprun, "vasprun.xml")])  # fmt: skip
def test_a_run_that_was_cut_off_is_refused(by_species, tmp_path, write, name):
    write(by_species, tmp_path / name)
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text[: int(0.9 * len(text))])
    with pytest.raises(dataset.BadFrames, match="truncated|interrupted|incomplete"):
        formats.import_labelled(tmp_path / name)


@pytest.mark.parametrize("write, name", [
    (vasp_writer.outcar, "OUTCAR"), (vasp_writer.vasprun, "vasprun.xml")])  # fmt: skip
def test_a_missing_virial_is_refused_unless_allowed(by_species, tmp_path, write, name):
    write(by_species, tmp_path / name, stress=False)
    with pytest.raises(dataset.BadFrames, match="holds no virial; .* ISIF = 2.*--no-virial"):
        formats.import_labelled(tmp_path / name)
    assert "virials" not in formats.import_labelled(tmp_path / name, virial=False).data


def test_enthalpies_are_refused(by_species, tmp_path):
    vasp_writer.vasprun(by_species, tmp_path / "vasprun.xml", pressure_kB=10.0)
    with pytest.raises(dataset.BadFrames, match="PSTRESS = 10 kB and holds enthalpies"):
        formats.import_labelled(tmp_path / "vasprun.xml")


def test_an_element_of_the_user_outside_the_type_map_is_refused(by_species, tmp_path):
    vasp_writer.vasprun(by_species, tmp_path / "vasprun.xml")
    text = (tmp_path / "vasprun.xml").read_text()
    (tmp_path / "vasprun.xml").write_text(text.replace("<c>Zn</c>", "<c>Si</c>"))
    with pytest.raises(dataset.BadFrames, match="Si is outside the type map"):
        formats.import_labelled(tmp_path / "vasprun.xml")


def test_an_unreadable_outcar_is_refused(tmp_path):
    (tmp_path / "OUTCAR").write_text("nothing of VASP\n")
    with pytest.raises(dataset.BadFrames, match="OUTCAR is no OUTCAR .* no version of VASP"):
        formats.import_labelled(tmp_path / "OUTCAR")


def test_an_unguessable_file_asks_for_its_format(tmp_path):
    (tmp_path / "output.log").write_text("")
    with pytest.raises(dataset.BadFrames, match="fmt=.*'vasp/outcar'"):
        formats.import_labelled(tmp_path / "output.log")


# ---------------------------------------------------------------- CP2K


# HCN in a box of 6 A, stretched by -1, 0 and +1 % along x: outputs of CP2K 2023.1 (GTH-PBE, DZVP,
# 400 Ry, PRINT_LEVEL MEDIUM, FORCES and STRESS_TENSOR ON), of which lines that no parser wants
# were cut out. hcn_unconverged: the same with MAX_SCF 3.
CP2K = Path(__file__).parents[1] / "data" / "cp2k"


def test_cp2k_is_read_with_its_units(tmp_path):
    system = formats.import_labelled(CP2K / "hcn.out")
    assert [structures.TYPE_MAP[t] for t in system["atom_types"]] == ["C", "H", "N"]
    assert np.allclose(system["coords"][0, 2], [0.6, 0.72, 0.66])
    assert system["energies"][0] == pytest.approx(-16.167596777947093 * HARTREE, abs=1e-4)
    assert system["forces"][0, 1, 0] == pytest.approx(-0.00872333 * HARTREE / BOHR, rel=1e-5)
    assert np.isnan(laws.ch_stiffness(system))  # one bond shows no slope
    checks.check(system, stoichiometry="any")


def test_the_virial_of_cp2k_is_minus_the_strain_derivative_of_its_energy():
    minus, zero, plus = (
        formats.import_labelled(CP2K / f"hcn{name}.out") for name in ("_minus", "", "_plus")
    )
    derivative = (plus["energies"][0] - minus["energies"][0]) / 0.02
    assert zero["virials"][0, 0, 0] == pytest.approx(-derivative, rel=0.02)


@pytest.mark.parametrize("unit, per_GPa", [("bar", 1e4), ("kbar", 10), ("MPa", 1e3), ("Pa", 1e9)])
def test_the_stress_of_cp2k_is_read_in_the_unit_that_it_names(tmp_path, unit, per_GPa):
    """Newer versions print bar, older ones GPa."""
    text = (CP2K / "hcn.out").read_text().replace("tensor [GPa]", f"tensor [{unit}]")
    (tmp_path / "cp2k.out").write_text(re.sub(
        r"(?m)^( STRESS\| +[xyz]) +(\S+) +(\S+) +(\S+)$",
        lambda row: " ".join([row[1], *(f"{float(x) * per_GPa:.11E}" for x in row.groups()[1:])]),
        text,
    ))  # fmt: skip
    here, there = (formats.import_labelled(f) for f in (tmp_path / "cp2k.out", CP2K / "hcn.out"))
    np.testing.assert_allclose(here["virials"], there["virials"], rtol=1e-9)


@pytest.mark.parametrize("change, message", [
    (lambda text: text[:3000], "CP2K did not come to its end"),
    (lambda text: text.replace("[GPa]", "[psi]"), "stress is in psi, known are GPa, .*STRESS_UNIT"),
    (lambda text: text.replace("[GPa]", ""), "stress is in no named unit"),
    (lambda text: text + text, "2 starts of CP2K, .*give each run a file"),
    (lambda text: text.replace("STRESS|", ""), "holds no virial; .*STRESS_TENSOR ANALYTICAL"),
    (lambda text: text.replace("ATOMIC COORDINATES", ""), "no coordinates; .*PRINT_LEVEL MEDIUM"),
    (lambda text: text.replace("  XYZ\n", "   XY\n"), "periodic along XY only.*PERIODIC XYZ"),
    (lambda text: text.replace("-5.85115539384E-02", "5.0", 1), "a stress is not symmetric"),
    (lambda text: text.replace("FORCES in [a.u.]", "FORCES in [N]"), "'N' is no unit of force"),
    (lambda text: text.replace(" 0.720000 ", " ******** "), "a line that is not as CP2K writes it"),
])  # fmt: skip
def test_an_unfit_output_of_cp2k_is_refused_with_the_remedy(tmp_path, change, message):
    (tmp_path / "cp2k.out").write_text(change((CP2K / "hcn.out").read_text()))
    with pytest.raises(dataset.BadFrames, match=message):
        formats.import_labelled(tmp_path / "cp2k.out")


def test_an_unconverged_cp2k_run_is_refused():
    with pytest.raises(formats.Unconverged, match="did not converge; raise MAX_SCF"):
        formats.import_labelled(CP2K / "hcn_unconverged.out")


def test_exponents_of_fortran_in_an_output_of_cp2k(tmp_path):
    text = (CP2K / "hcn.out").read_text()
    (tmp_path / "d.out").write_text(text.replace("-16.167596777947093", "-1.6167596777947093D+01"))
    here, there = (formats.import_labelled(f) for f in (tmp_path / "d.out", CP2K / "hcn.out"))
    np.testing.assert_allclose(here["energies"], there["energies"], rtol=1e-12)


def test_binary_files_and_what_dpdata_does_not_look_for(images, extxyz, tmp_path):
    ase.io.write(tmp_path / "x.traj", images)
    packed = tmp_path / "x.traj.gz"
    packed.write_bytes(gzip.compress((tmp_path / "x.traj").read_bytes()))
    for file in (tmp_path / "x.traj", packed):
        system = formats.import_labelled(file, "ase/traj")
        np.testing.assert_allclose(system["energies"], formats.from_extxyz(extxyz)["energies"])
    (tmp_path / "pw.out").write_text("     convergence NOT achieved after 100 iterations\n")
    with pytest.raises(formats.Unconverged, match="'convergence NOT achieved'.*--drop"):
        formats.import_labelled(tmp_path / "pw.out", "qe/pw/scf")
    with pytest.raises(dataset.BadFrames, match="did you mean 'deepmd/npy'"):
        formats.import_labelled(tmp_path / "x.traj", "deepmd/nyp")
    with pytest.raises(dataset.BadFrames, match="several systems from 'deepmd/npy/mixed'"):
        formats.import_labelled(tmp_path / "x.traj", "deepmd/npy/mixed")


def test_frames_without_periodicity_or_elements_in_deepmd_npy_are_refused(images, extxyz, tmp_path):
    system = formats.import_labelled(extxyz)
    system.to("deepmd/npy", tmp_path / "mine")
    assert len(formats.import_labelled(tmp_path / "mine", "deepmd/npy")) == len(system)
    system.to("deepmd/raw", tmp_path / "raw")
    for name, fmt in (("mine", "deepmd/npy"), ("raw", "deepmd/raw")):
        assert importing.labelled_files(tmp_path / name) == [(tmp_path / name, fmt)]
    (tmp_path / "mine" / "nopbc").write_text("")
    with pytest.raises(dataset.BadFrames, match="says that it is not periodic"):
        formats.import_labelled(tmp_path / "mine", "deepmd/npy")
    (tmp_path / "mine" / "nopbc").unlink()
    (tmp_path / "mine" / "type_map.raw").unlink()
    with pytest.raises(dataset.BadFrames, match="names no elements; write them into type_map.raw"):
        formats.import_labelled(tmp_path / "mine", "deepmd/npy")


@pytest.mark.parametrize("fmt", ["mace/xyz", "gpumd/xyz", "nequip/xyz", "quip/gap/xyz"])
def test_all_frames_are_read_under_the_names_that_dpdata_has_for_extended_xyz(extxyz, images, fmt):
    """By dpdata, with these names, the first one alone."""
    assert len(formats.import_labelled(extxyz, fmt)) == len(images)


def _written_by_hand(system, folder, order, names, sets, left_handed):
    """A folder as DeePMD-kit wants it, without dpdata: arrays of numpy and two lists."""
    kinds = [names.index(system["atom_names"][k]) for k in system["atom_types"][order]]
    folder.mkdir()
    (folder / "type.raw").write_text("\n".join(map(str, kinds)) + "\n")
    (folder / "type_map.raw").write_text("\n".join(names) + "\n")
    cells = system["cells"][:, [1, 0, 2]] if left_handed else system["cells"]
    for k, frames in enumerate(np.array_split(np.arange(len(system)), sets)):
        part = folder / f"set.{k:03d}"
        part.mkdir()
        n = len(frames)
        np.save(part / "coord.npy", system["coords"][frames][:, order].reshape(n, -1))
        np.save(part / "force.npy", system["forces"][frames][:, order].reshape(n, -1))
        np.save(part / "box.npy", cells[frames].reshape(n, 9))
        np.save(part / "energy.npy", system["energies"][frames])
        np.save(part / "virial.npy", system["virials"][frames].reshape(n, 9))


def _rows(system, frame):
    """Element, position and force of each atom of a frame, in an order of their own."""
    elements = [system["atom_names"][k] for k in system["atom_types"]]
    atoms = zip(elements, system["coords"][frame].tolist(), system["forces"][frame].tolist(),
                strict=True)  # fmt: skip
    return sorted(atoms)


_ANY = settings(max_examples=15, deadline=None, derandomize=True,
                suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
_NAMES = st.permutations(["C", "H", "N", "Zn"])


@_ANY
@given(names=_NAMES, seed=st.integers(0, 99), sets=st.integers(1, 3), left=st.booleans())
def test_any_type_map_order_and_handedness_of_deepmd_npy_gives_the_right_numbers(
    system, names, seed, sets, left
):
    few = system.sub_system(np.arange(6))
    order = np.random.default_rng(seed).permutation(few.get_natoms())
    with tempfile.TemporaryDirectory() as place:
        _written_by_hand(few, Path(place) / "läuf 1", order, names, sets, left)
        read = formats.import_labelled(Path(place) / "läuf 1", "deepmd/npy")
    for i in range(len(few)):
        for (one, *numbers), (other, *wanted) in zip(_rows(read, i), _rows(few, i), strict=True):
            assert one == other
            np.testing.assert_allclose(numbers, wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(read["energies"], few["energies"], rtol=1e-14)
    np.testing.assert_allclose(read["virials"], few["virials"], rtol=1e-14)
    np.testing.assert_allclose(np.linalg.det(read["cells"]), np.linalg.det(few["cells"]))


_LABEL = st.sampled_from(["coord", "force", "box", "energy", "virial"])


@_ANY
@given(
    label=_LABEL,
    at=st.integers(0, 1),
    how=st.sampled_from(["cut", "gone", "frame", "column", "kinds", "map", "words", "complex"]),
)
def test_damage_of_deepmd_npy_is_refused(system, label, at, how):
    few = system.sub_system(np.arange(6))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        _written_by_hand(few, folder, np.arange(few.get_natoms()), list("CHN") + ["Zn"], 2, False)
        file, kinds = folder / f"set.{at:03d}" / f"{label}.npy", folder / "type.raw"
        if how == "cut":
            file.write_bytes(file.read_bytes()[:-40])
        elif how == "gone":
            file.unlink()
        elif how == "frame":
            np.save(file, np.load(file)[:-1])
        elif how == "column":
            np.save(file, np.load(file).reshape(3, -1)[:, :-1])
        elif how == "kinds":
            kinds.write_text(kinds.read_text()[2:])
        elif how == "map":
            (folder / "type_map.raw").write_text("C\nH\nN\n")
        else:
            np.save(file, np.load(file).astype({"words": "U9", "complex": complex}[how]))
        with pytest.raises(UserError) as refused:
            formats.import_labelled(folder, "deepmd/npy")
        assert "run" in str(refused.value)
