"""What VASP's files say of their run decides, not their name; the refusal names the reason."""

import bz2
import gzip
import lzma
import re

import numpy as np
import pytest
import vasp_writer
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.errors import UserError
from helpers.frames import dataset, files, formats, importing, laws

WRITERS = [(vasp_writer.outcar, "OUTCAR"), (vasp_writer.vasprun, "vasprun.xml")]
both = pytest.mark.parametrize("write, name", WRITERS)


@pytest.fixture(scope="module")
def images(lennard_jones):
    return by_species(lennard_jones(6))


def by_species(images, swap=False):
    """As VASP has them: atoms of one species together. swap: in a left-handed cell."""
    result = []
    for atoms in images:
        order = np.argsort(atoms.symbols, kind="stable")
        labels = atoms.calc.results | {"forces": atoms.get_forces()[order]}
        atoms = atoms[order]
        if swap:
            atoms.set_cell(atoms.cell.array[[1, 0, 2]])
        atoms.calc = SinglePointCalculator(atoms, **labels)
        result.append(atoms)
    return result


def tagged(path, outcar_line, xml_line):
    """The same file with one more tag of INCAR in it."""
    text = path.read_text()
    if path.suffix == ".xml":
        path.write_text(text.replace("<parameters>", f"<parameters>{xml_line}"))
    else:
        path.write_text(text.replace("   ISPIN", f"{outcar_line}\n   ISPIN"))


@both
@pytest.mark.parametrize("isif, reason", [(1, "only the trace"), (0, "no stress is computed")])
def test_a_stress_that_is_none_is_refused(images, tmp_path, write, name, isif, reason):
    write(images, tmp_path / name)
    tagged(tmp_path / name, f"   ISIF   =      {isif}    stress and relaxation",
           f'<i type="int" name="ISIF">     {isif}</i>')  # fmt: skip
    with pytest.raises(dataset.BadFrames, match=f"ISIF = {isif}, {reason}.*--no-virial"):
        formats.import_labelled(tmp_path / name)
    assert "virials" not in formats.import_labelled(tmp_path / name, virial=False).data


@both
def test_left_handed_cells_are_turned_and_keep_their_virial(
    images, calculator, tmp_path, write, name
):
    write(by_species(images, swap=True), tmp_path / name)
    notes = []
    system = formats.import_labelled(tmp_path / name, notes=notes)
    assert np.linalg.det(system["cells"]).min() > 0 and "left-handed cells of 6" in notes[0]
    turned = system.to("ase/structure")[2]
    derivative = laws.strain_derivative(turned, calculator)
    np.testing.assert_allclose(
        system["virials"][2], derivative, atol=5e-3 * np.abs(derivative).max()
    )
    turned.calc = calculator
    np.testing.assert_allclose(turned.get_forces(), system["forces"][2], atol=2e-4)


@pytest.mark.parametrize("pack, suffix", [
    (gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz")])  # fmt: skip
@both
def test_compressed_files_are_read(images, tmp_path, write, name, pack, suffix):
    write(images, tmp_path / name)
    plain = formats.import_labelled(tmp_path / name)
    (tmp_path / (name + suffix)).write_bytes(pack((tmp_path / name).read_bytes()))
    packed = formats.import_labelled(tmp_path / (name + suffix))
    np.testing.assert_array_equal(packed["forces"], plain["forces"])
    (tmp_path / (name + suffix)).write_bytes(pack((tmp_path / name).read_bytes())[:-40])
    with pytest.raises(ValueError, match="is compressed and damaged"):
        formats.import_labelled(tmp_path / (name + suffix))


@pytest.mark.parametrize("start, message", [
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first"),
    (b"PK\x03\x04", r"an archive \(zip\); unpack it first"),
])  # fmt: skip
def test_what_cannot_be_unpacked_says_so(tmp_path, start, message):
    (tmp_path / "OUTCAR.zst").write_bytes(start + bytes(50))
    with pytest.raises(files.Unreadable, match=message):
        formats.import_labelled(tmp_path / "OUTCAR.zst")


def test_a_byte_of_latin_1_and_a_title_do_no_harm(images, tmp_path):
    vasp_writer.outcar(images, tmp_path / "OUTCAR")
    plain = formats.import_labelled(tmp_path / "OUTCAR")
    text = (tmp_path / "OUTCAR").read_text()
    head, rest = text.split("\n", 1)
    title = f"{head}\n executed on höst\n POSCAR =  Zn1 N4 C6 H6\n"
    (tmp_path / "OUTCAR").write_bytes((title + rest).encode("latin-1"))
    read = formats.import_labelled(tmp_path / "OUTCAR")
    np.testing.assert_array_equal(read["energies"], plain["energies"])


def test_few_forces_are_refused_with_their_reason(images, tmp_path):
    vasp_writer.outcar(images, tmp_path / "OUTCAR")
    tagged(tmp_path / "OUTCAR", "   NWRITE =      0    write-flag & timer", "")
    text = (tmp_path / "OUTCAR").read_text().replace("TOTAL-FORCE (eV/Angst)", "", 3)
    (tmp_path / "OUTCAR").write_text(text)
    with pytest.raises(dataset.BadFrames, match="NWRITE = 0, .* 3 of 6 steps only; .*vasprun.xml"):
        formats.import_labelled(tmp_path / "OUTCAR")


def test_joined_runs_of_atoms_in_another_order_are_refused(images, tmp_path):
    """dpdata reads all steps with the elements of the first run."""
    other = []
    for atoms in images[3:]:
        order = np.argsort(-atoms.numbers, kind="stable")
        labels = atoms.calc.results | {"forces": atoms.get_forces()[order]}
        other.append(atoms[order])
        other[-1].calc = SinglePointCalculator(other[-1], **labels)
    vasp_writer.outcar(images[:3], tmp_path / "first")
    vasp_writer.outcar(images[3:], tmp_path / "same")
    vasp_writer.outcar(other, tmp_path / "other")
    first = (tmp_path / "first").read_text()
    (tmp_path / "OUTCAR").write_text(first + (tmp_path / "same").read_text())
    assert len(formats.import_labelled(tmp_path / "OUTCAR")) == len(images)
    (tmp_path / "OUTCAR").write_text(first + (tmp_path / "other").read_text())
    with pytest.raises(dataset.BadFrames, match="in another order, one behind the other.*split it"):
        formats.import_labelled(tmp_path / "OUTCAR")


@both
def test_a_cell_that_has_not_the_volume_beside_it_is_refused(images, tmp_path, write, name):
    write(images, tmp_path / name)
    text = (tmp_path / name).read_text()
    length = f"{images[2].cell.array[0, 0]:.9f}"[:-5]
    assert length in text
    (tmp_path / name).write_text(text.replace(length, f"{float(length) * 1.01:.4f}"))
    with pytest.raises(dataset.BadFrames, match=r"cell in it has a volume of .* beside it"):
        formats.import_labelled(tmp_path / name)


def test_steps_of_a_learned_force_field_in_a_vasprun_are_refused(images, tmp_path):
    vasp_writer.vasprun(images, tmp_path / "vasprun.xml")
    first, *steps = (tmp_path / "vasprun.xml").read_text().split("<calculation>")
    steps[2:5] = [re.sub("<scstep>.*</scstep>", "", step, flags=re.S) for step in steps[2:5]]
    (tmp_path / "vasprun.xml").write_text("<calculation>".join([first, *steps]))
    with pytest.raises(dataset.BadFrames, match="3 of 6 steps have no electrons; import its OUT"):
        formats.import_labelled(tmp_path / "vasprun.xml")


def test_runs_in_one_folder_are_all_found_and_scripts_passed_over(images, tmp_path):
    vasp_writer.outcar(images[:3], tmp_path / "OUTCAR_300K")
    vasp_writer.vasprun(images[3:], tmp_path / "vasprun_600K.xml")
    vasp_writer.outcar(images[3:], tmp_path / "OUTCAR_600K")
    (tmp_path / "outcar2xyz.sh").write_text("#!/bin/sh\n")
    (tmp_path / "OUTCAR.md5").write_text("0 OUTCAR\n")
    (tmp_path / "slurm-1.out").write_text(" vasp.6.4.2 20Jul23 complex\n running on 4 cores\n")
    passed_over = []
    found = importing.labelled_files(tmp_path, None, passed_over)
    assert [(file.name, fmt) for file, fmt in found] == [
        ("OUTCAR_300K", "vasp/outcar"), ("vasprun_600K.xml", "vasp/xml")]  # fmt: skip
    assert {entry["file"]: entry["why"] for entry in passed_over} == {
        "OUTCAR.md5": "no known format", "outcar2xyz.sh": "no known format",
        "slurm-1.out": "no known format",
        "OUTCAR_600K": "vasprun_600K.xml beside it is of the same run and has more digits",
    }  # fmt: skip


def of_each_atom(system):
    """Labels with the atoms of each frame in one order, whatever the cell was turned to."""
    found = [system["energies"], np.linalg.det(system["cells"])]
    for label in ("coords", "forces"):
        lengths = np.linalg.norm(system[label] - system[label].mean(axis=1, keepdims=True), axis=2)
        found += [np.sort(lengths[:, system["atom_types"] == t], axis=1) for t in range(4)]
    return [*found, np.sort(np.linalg.eigvalsh(system["virials"]))]


@pytest.fixture(scope="module")
def right(images, tmp_path_factory):
    """What is read of the frames as they are, by the name of the file."""
    folder = tmp_path_factory.mktemp("right")
    for write, name in WRITERS:
        write(images, folder / name)
    return {name: formats.import_labelled(folder / name) for _, name in WRITERS}


@both
@settings(max_examples=30, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(at=st.floats(0, 1), left=st.booleans(), seed=st.integers(0, 99),
       what=st.sampled_from(["", "", "cut", "line", "word", "stars"]))  # fmt: skip
def test_order_and_hand_change_nothing_and_damage_is_refused_or_harmless(
    images, right, tmp_path, write, name, at, left, seed, what
):
    """A step may be lost with a file's end; no number of one that is read is another."""
    right = right[name]
    elements = np.random.default_rng(seed).permutation(["C", "H", "N", "Zn"]).tolist()
    order = np.argsort([elements.index(s) for s in images[0].symbols], kind="stable")
    shuffled = []
    for atoms in images:
        labels = atoms.calc.results | {"forces": atoms.get_forces()[order]}
        atoms = atoms[order]
        if left:
            atoms.set_cell(atoms.cell.array[[1, 0, 2]])
        atoms.calc = SinglePointCalculator(atoms, **labels)
        shuffled.append(atoms)
    file = written_by(write, shuffled, tmp_path / name)
    lines = file.read_text().split("\n")
    k = min(int(at * len(lines)), len(lines) - 2)
    words = lines[k].split(" ")
    j = int(at * 7919) % len(words)
    if what == "cut":
        lines = lines[:k] + [lines[k][: len(lines[k]) // 2]]
    elif what == "line":
        del lines[k]
    elif what:
        words[j] = {"word": "", "stars": "********"}[what] if words[j] else words[j]
        lines[k] = " ".join(words)
    file.write_text("\n".join(lines))
    try:
        system = formats.import_labelled(file)
    except UserError as error:
        assert what and str(error)
        return
    assert what or len(system) == len(right)
    mine, wanted = of_each_atom(system), of_each_atom(right)
    kept = [int(np.abs(right["energies"] - energy).argmin()) for energy in system["energies"]]
    for a, b in zip(mine, wanted, strict=True):
        np.testing.assert_allclose(a, b[kept], rtol=1e-4, atol=1e-4)


def written_by(write, images, path):
    write(images, path)
    return path
