"""Own data: files of VASP, CP2K and extended XYZ become a set, or are refused with the remedy."""

import codecs
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import ase.io
import numpy as np
import pytest
import vasp_writer
from ase.calculators.singlepoint import SinglePointCalculator

from helpers import cli, paths, provenance, structures
from helpers.errors import UserError
from helpers.frames import checks, dataset, files, formats, importing

CP2K = Path(__file__).parents[1] / "data" / "cp2k"


@pytest.fixture(scope="module")
def images(lennard_jones):
    """25 frames, atoms of one species together as VASP has them."""
    result = []
    for atoms in lennard_jones(25, strain=0.003, rattle=0.015):
        order = np.argsort(atoms.symbols, kind="stable")
        labels = dict(atoms.calc.results)
        labels["forces"] = labels["forces"][order]
        atoms = atoms[order]
        atoms.calc = SinglePointCalculator(atoms, **labels)
        result.append(atoms)
    return result


@pytest.fixture
def here(tmp_path, set_to):
    """An empty project; what is shipped is not in it."""
    set_to(root=tmp_path)
    return tmp_path


@pytest.fixture
def run(here, images):
    """run/1: OUTCAR and vasprun.xml of the same run; run/2, run/10: what came after."""
    for folder in ("1", "2", "10"):
        (here / "run" / folder).mkdir(parents=True)
    vasp_writer.outcar(images[:10], here / "run" / "1" / "OUTCAR")
    vasp_writer.vasprun(images[:10], here / "run" / "1" / "vasprun.xml")
    vasp_writer.outcar(images[9:18], here / "run" / "2" / "OUTCAR")  # repeats one frame
    ase.io.write(here / "run" / "10" / "rest.extxyz", images[18:])
    (here / "run" / "POSCAR").write_text("no labels in here\n")
    return here / "run"


def test_a_folder_becomes_a_set(run, images, capsys):
    target = importing.import_set([run], "mine")
    assert dataset.locate("mine") == target == paths.made("frames", "mine")
    # the frame that two files share is left out once: digits of an OUTCAR apart
    system = dataset.load("mine")
    assert len(system) == 25
    energies = sorted(atoms.get_potential_energy() for atoms in images)
    assert np.allclose(sorted(system["energies"]), energies, atol=1e-6)
    # whole blocks of consecutive frames
    energies = [atoms.get_potential_energy() for atoms in images]
    mine = dataset.load("mine", "validation")["energies"]
    chosen = np.array([np.abs(mine - e).min() < 1e-6 for e in energies])
    assert (chosen == dataset.split_blocks(25, 10, 0.2)).all()
    record = provenance.read(target)
    assert list(record["formats"].items()) == [
        ("1/vasprun.xml", "vasp/xml"), ("2/OUTCAR", "vasp/outcar"), ("10/rest.extxyz", "extxyz")
    ]  # fmt: skip
    assert record["inputs"]["2/OUTCAR"] == provenance.sha256(run / "2" / "OUTCAR")
    [dropped] = record["dropped"]
    assert (dropped["file"], dropped["frame"]) == ("2/OUTCAR", 0) and "cop" in dropped["why"]
    assert record["laws"]["energy against work of the forces"] == pytest.approx(1, abs=0.15)
    said = capsys.readouterr().out
    assert "1 of 26 frames" in said and "[made] build/frames/mine: 25 frames of 68 atoms" in said

    importing.import_set([run], "mine")
    assert "[reused] build/frames/mine" in capsys.readouterr().out
    with pytest.raises(FileExistsError, match="--overwrite"):
        importing.import_set([run], "mine", n_blocks=5)
    importing.import_set([run], "mine", n_blocks=5, overwrite=True)
    assert provenance.read(target)["recipe"]["n_blocks"] == 5


def test_near_copies_are_left_out(here, images):
    close = images[3].copy()
    close.positions += np.random.default_rng(0).normal(size=(68, 3)) * 0.005
    close.calc = SinglePointCalculator(close, **images[3].calc.results)
    ase.io.write(here / "x.extxyz", [*images[:10], close])
    record = provenance.read(importing.import_set([here / "x.extxyz"], "mine"))
    [dropped] = record["dropped"]
    assert dropped["frame"] == 10 and dropped["why"].startswith("near-copies")
    record = provenance.read(importing.import_set([here / "x.extxyz"], "all", near_copy=0.001))
    assert record["dropped"] == []


def test_unconverged_and_refused_frames_are_left_out_if_asked(here, images, capsys):
    hot = images[5].copy()
    forces = images[5].get_forces()
    forces[:2, 0] += 70.0, -70.0
    hot.calc = SinglePointCalculator(hot, **(images[5].calc.results | {"forces": forces}))
    vasp_writer.outcar([*images[:5], hot, *images[6:20]], here / "OUTCAR", unconverged=(2, 17))
    with pytest.raises(dataset.BadFrames, match=r"index 2, 17.*--drop"):
        importing.import_set([here / "OUTCAR"], "mine")
    record = provenance.read(importing.import_set([here / "OUTCAR"], "mine", drop=True))
    assert [(d["frame"], d["why"][:13]) for d in record["dropped"]] == [
        (2, "not converged"), (17, "not converged"), (5, "a force of 70")
    ]  # fmt: skip
    assert sum(record["frames"].values()) == 17
    said = capsys.readouterr().out
    assert "2 frames: not converged" in said and "1 of 18 frames: a force of 7" in said


def test_frames_without_virial_come_in_only_if_asked_and_can_be_trained_on(here, images, capsys):
    from deepmd.utils.data import DeepmdData

    vasp_writer.outcar(images, here / "OUTCAR", stress=False)
    with pytest.raises(dataset.BadFrames, match="--no-virial"):
        importing.import_set([here / "OUTCAR"], "mine")
    target = importing.import_set([here / "OUTCAR"], "mine", virial=False)
    assert "[without virial]" in capsys.readouterr().out
    assert "virials" not in dataset.load("mine").data
    assert dataset.per_frame(["mine"])["pressure_GPa"].isna().all()
    assert len(checks.check_set("mine")) == len(dataset.load("mine"))  # as it was let in
    with pytest.raises(dataset.BadFrames, match="above the bound of 0.01 eV/A"):
        checks.check_set("mine", force_bound=0.01)
    data = DeepmdData(str(target / "training"), type_map=list(structures.TYPE_MAP))
    data.add("virial", 9, atomic=False, must=False, high_prec=True)
    assert data.get_test()["find_virial"] == 0
    # where virials belong, a missing file is still an error
    record = json.loads((target / provenance.FILE).read_text())
    (target / provenance.FILE).write_text(json.dumps(record | {"lacks": []}))
    with pytest.raises(FileNotFoundError, match="virial.npy is missing"):
        dataset.load("mine")


def test_cp2k_outputs_become_a_set(here, capsys):
    files = [CP2K / f"hcn{which}.out" for which in ("_minus", "", "_plus")]
    target = importing.import_set(files, "hcn", stoichiometry="any")
    assert provenance.read(target)["frames"] == {"training": 2, "validation": 1}
    assert "C-H force constant (eV/A^2): these frames cannot tell" in capsys.readouterr().out
    files.append(CP2K / "hcn_unconverged.out")
    with pytest.raises(formats.Unconverged):
        importing.import_set(files, "all", stoichiometry="any")
    record = provenance.read(importing.import_set(files, "all", stoichiometry="any", drop=True))
    (dropped,) = record["dropped"]
    assert Path(dropped["file"]).name == "hcn_unconverged.out"
    assert dropped["frame"] is None and dropped["why"] == "not converged"


def test_what_cannot_become_a_set_is_refused(here, run, images, lennard_jones):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        importing.import_set([here / "nowhere"], "mine")
    (here / "empty").mkdir()
    with pytest.raises(dataset.BadFrames, match="holds no OUTCAR, vasprun.xml, CP2K output"):
        importing.import_set([here / "empty"], "mine")
    with pytest.raises(dataset.BadFrames, match="no whole number of Zn.*--stoichiometry any"):
        importing.import_set([CP2K / "hcn.out", CP2K / "hcn_plus.out"], "mine")
    with pytest.raises(dataset.BadFrames, match="one set holds one composition"):
        importing.import_set([run, CP2K / "hcn.out"], "mine")
    ase.io.write(here / "one.extxyz", images[:1])
    with pytest.raises(dataset.BadFrames, match="1 frame is left of 1, a set needs two"):
        importing.import_set([here / "one.extxyz"], "mine")
    with pytest.raises(ValueError, match="is no name of a set"):
        importing.import_set([run], "../mine")
    assert not paths.made("frames").exists()
    shutil.copytree(importing.import_set([run], "mine"), paths.shipped("frames", "famous"))
    with pytest.raises(FileExistsError, match="'famous' is a shipped set"):
        importing.import_set([run], "famous", overwrite=True)


def test_the_command_line_does_it_and_says_what_is_wrong(here, run, capsys):
    assert cli.main(["import", "mine", str(run), "--level-of-theory", "LJ", "--n-blocks", "4"]) == 0
    assert provenance.read(dataset.locate("mine"))["level_of_theory"] == "LJ"
    assert cli.main(["import", "other", str(run / "POSCAR")]) == 1
    assert "cannot tell the format of POSCAR" in capsys.readouterr().err.splitlines()[-1]


# ---------------------------------------------------------------- published records


def test_a_record_without_network_is_one_clear_error(here, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match="zenodo.10015593 cannot be fetched .*import the fol"):
        importing.fetch()


def test_a_record_that_is_here_is_imported_without_network(here, images):
    folder = paths.downloads("10.1234/abc")
    folder.mkdir(parents=True)
    ase.io.write(folder / "run 1.extxyz", images)
    known = hashlib.md5((folder / "run 1.extxyz").read_bytes()).hexdigest()
    (folder / "registry.txt").write_text(f"'run 1.extxyz' md5:{known}\n")
    target = importing.import_set(["doi:10.1234/abc"], "public")
    assert provenance.read(target)["frames"] == {"training": 20, "validation": 5}


def test_runs_behind_links_and_runs_of_as_many_steps_are_all_read(here, images):
    """A vasprun.xml hides an OUTCAR only of the same run, and a linked folder is a folder."""
    (here / "elsewhere").mkdir()
    vasp_writer.outcar(images[:8], here / "elsewhere" / "OUTCAR")
    vasp_writer.vasprun(images[8:16], here / "elsewhere" / "vasprun.xml")
    (here / "runs").mkdir()
    (here / "runs" / "link").symlink_to(here / "elsewhere")
    (here / "runs" / "again").symlink_to(here / "runs")
    found = importing.labelled_files(here / "runs")
    assert [(f.name, form) for f, form in found] == [
        ("OUTCAR", "vasp/outcar"), ("vasprun.xml", "vasp/xml")
    ]  # fmt: skip
    vasp_writer.vasprun(images[:8], here / "elsewhere" / "vasprun.xml")
    assert [f.name for f, _ in importing.labelled_files(here / "runs")] == ["vasprun.xml"]


def test_one_structure_with_two_labels_is_refused(here, images):
    """One of them would be left out as a copy, whichever is right."""
    other = []
    for atoms in images[:8]:
        again = atoms.copy()
        labels = atoms.calc.results
        again.calc = SinglePointCalculator(again, **(labels | {"energy": labels["energy"] + 0.5}))
        other.append(again)
    ase.io.write(here / "pbe.extxyz", images[:8])
    ase.io.write(here / "scan.extxyz", other)
    with pytest.raises(dataset.BadFrames, match="frame 0 of .*scan.* frame 0 of .*pbe.*two calc"):
        importing.import_set([here / "pbe.extxyz", here / "scan.extxyz"], "mine")


@pytest.mark.parametrize("name", [".", "..", ".hidden", "-x", "a/b", "a b", ""])
def test_names_of_sets(here, name):
    with pytest.raises(ValueError, match="is no name of a set"):
        importing.import_set([here / "x.extxyz"], name)


@pytest.fixture
def unprivileged():
    """A folder that a user without rights may enter, and this process as that user."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        root = os.geteuid() == 0
        codecs.lookup("utf-8-sig")  # Python's own library may lie where that user may not read
        if root:
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            if root:
                os.seteuid(0)


def test_what_may_not_be_read_is_said_and_not_left_out(unprivileged, images):
    """A folder among others would be missing in the set without a word."""
    for name in ("1", "2"):
        (unprivileged / name).mkdir()
        ase.io.write(unprivileged / name / "frames.extxyz", images[:3])
    closed = unprivileged / "2"
    assert len(importing.labelled_files(unprivileged)) == 2
    for mode, source in [(0o000, unprivileged), (0o000, closed), (0o000, closed / "frames.extxyz"),
                         (0o444, unprivileged)]:  # fmt: skip
        closed.chmod(mode)
        with pytest.raises(files.Unreadable, match=r"/2.* may not be read by you; .*chmod"):
            importing.labelled_files(source)
        closed.chmod(0o755)
    (closed / "frames.extxyz").chmod(0o000)
    with pytest.raises(files.Unreadable, match="frames.extxyz may not be read"):
        importing.labelled_files(unprivileged)


@pytest.mark.parametrize("source, message", [
    ("/dev/zero", "neither a file nor a folder"),
    ("/proc/self/mem", "cannot be read"),
])  # fmt: skip
def test_what_is_no_file_on_a_disk_is_named(source, message):
    with pytest.raises(UserError, match=message):
        importing.labelled_files(Path(source))


def test_an_empty_name_is_not_the_whole_folder():
    with pytest.raises(UserError, match="empty name"):
        importing.import_set([""], "mine")
