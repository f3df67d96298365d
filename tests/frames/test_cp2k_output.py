"""CP2K: kinds and units of single points, and the files of a molecular dynamics run."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import units
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from helpers.errors import UserError
from helpers.frames import dataset, formats

CP2K = Path(__file__).parents[1] / "data" / "cp2k"
# md: HCN in a box of 6 A, three steps of 0.5 fs at constant energy from 600 K: CP2K 2023.1,
# GTH-PBE, SZV, 200 Ry; of its output the lines of cell, energy and stress.


@pytest.fixture
def md(tmp_path):
    return Path(shutil.copytree(CP2K / "md", tmp_path / "md"))


@pytest.mark.parametrize("fmt", ["cp2k/md", "cp2kdata/md"])
def test_a_run_is_read_with_its_units_and_the_stress_of_its_forces(md, fmt):
    system = formats.import_labelled(md, fmt)
    assert len(system) == 4 and system.formula == "C1H1N1Zn0"
    assert system["energies"][0] == pytest.approx(-16.0908011618 * units.Hartree, abs=1e-6)
    force = -0.0844625968 * units.Hartree / units.Bohr
    assert system["forces"][0, 2, 0] == pytest.approx(force, rel=1e-6)
    assert system["virials"][0, 0, 0] == pytest.approx(2.12642931788 * units.GPa * 216, rel=1e-5)


def test_the_output_of_a_run_stands_for_its_folder(md):
    """Who names the output and no format has named the run; a restart may follow another job."""
    assert formats.guess_format(md / "md.out") == "cp2k/md"
    assert formats.guess_format(CP2K / "hcn.out") == "cp2k/output"
    by_output, by_folder = (
        formats.import_labelled(md / "md.out"),
        formats.import_labelled(md, "cp2k/md"),
    )
    np.testing.assert_array_equal(by_output["forces"], by_folder["forces"])
    for file in md.glob("*-frc-*"):
        file.unlink()
    with pytest.raises(dataset.BadFrames, match=r"holds no \*-frc-\*.xyz.*print it"):
        formats.import_labelled(md / "md.out")


def test_the_kinetic_part_of_the_stress_file_is_taken_away(md):
    """The output has the stress without it: two ways to one number."""
    printed = formats.import_labelled(md, "cp2k/md")["virials"]
    (md / "md.out").write_text((md / "md.out").read_text().replace("STRESS|", ""))
    notes = []
    written = formats.import_labelled(md, "cp2k/md", notes=notes)["virials"]
    np.testing.assert_allclose(written, printed, atol=2e-5)
    assert np.abs(printed).max() > 1 and "kinetic part" in notes[0]
    heavy = (md / "HCN-1.ener").read_text().replace("0.005700268", "0.007000000")
    (md / "HCN-1.ener").write_text(heavy)
    with pytest.raises(dataset.BadFrames, match="other masses .deuterium.*--no-virial"):
        formats.import_labelled(md, "cp2k/md")
    (md / "HCN-vel-1.xyz").unlink()
    with pytest.raises(dataset.BadFrames, match="holds the kinetic part .*STRESS_TENSOR ON"):
        formats.import_labelled(md, "cp2k/md")
    (md / "HCN-1.stress").unlink()
    with pytest.raises(
        dataset.BadFrames, match=r"holds no virial, neither .* nor \*.stress; .*--no-virial"
    ):
        formats.import_labelled(md, "cp2k/md")
    assert len(formats.import_labelled(md, "cp2k/md", virial=False)) == 4


def test_what_is_missing_in_a_run_is_named(md):
    pos = md / "HCN-pos-1.xyz"
    shutil.copy(pos, md / "HCN-pos-2.xyz")
    with pytest.raises(dataset.BadFrames, match="holds 2 files .*give each run a folder"):
        formats.import_labelled(md, "cp2k/md")
    (md / "HCN-pos-2.xyz").unlink()
    pos.write_text(pos.read_text()[:-30])
    with pytest.raises(dataset.BadFrames, match="no whole step of CP2K|no three numbers"):
        formats.import_labelled(md, "cp2k/md")
    pos.unlink()
    with pytest.raises(dataset.BadFrames, match="holds no .*-pos-.*TRAJECTORY"):
        formats.import_labelled(md, "cp2k/md")


def test_a_run_at_constant_pressure_needs_its_cells(md):
    (md / "HCN-1.cell").unlink()
    text = (md / "md.out").read_text() + " MD| Ensemble Type                 NPT_F\n"
    (md / "md.out").write_text(text)
    with pytest.raises(dataset.BadFrames, match="constant pressure .NPT_F. without .*.cell"):
        formats.import_labelled(md, "cp2k/md")


def test_kinds_are_read_as_their_elements_and_a_cell_in_its_unit(tmp_path):
    text = (CP2K / "hcn.out").read_text()
    kinds = text.replace("1    1 N     7", "1    1 N_a   7").replace("kind: N ", "kind: N_a")
    (tmp_path / "kinds.out").write_text(kinds)
    plain, system = (formats.import_labelled(f) for f in (CP2K / "hcn.out", tmp_path / "kinds.out"))
    np.testing.assert_array_equal(system["atom_types"], plain["atom_types"])
    bohr = text
    for axis in "abc":
        bohr = bohr.replace(f"Vector {axis} [angstrom]", f"Vector {axis} [bohr]")
    (tmp_path / "bohr.out").write_text(bohr)
    ratio = formats.import_labelled(tmp_path / "bohr.out")["cells"] / plain["cells"]
    np.testing.assert_allclose(ratio[0].diagonal(), units.Bohr, rtol=1e-6)


def test_units_that_the_output_names_are_read(tmp_path):
    """CP2K since 2023 prints energies and forces in chosen units, and names them."""
    text = (CP2K / "hcn.out").read_text()
    plain = formats.import_labelled(CP2K / "hcn.out")
    head, block = text.split(" ATOMIC FORCES in [a.u.]", 1)
    block, tail = block.split(" SUM OF ATOMIC FORCES", 1)
    rows = [line.split() for line in block.splitlines() if len(line.split()) == 6]
    newer = " FORCES| Atomic forces [eV/angstrom]\n FORCES| Atom x y z |f|\n"
    for row in (row for row in rows if row[0].isdigit()):
        force = [float(x) * units.Hartree / units.Bohr for x in row[3:]]
        newer += f" FORCES| {row[0]} {force[0]:.12f} {force[1]:.12f} {force[2]:.12f} 0.1\n"
    other = re.sub(
        r"energy \[a\.u\.\]:(\s+)(\S+)",
        lambda m: f"energy [eV]:{m[1]}{float(m[2]) * units.Hartree:.12f}",
        head + newer + tail,
    )
    (tmp_path / "other.out").write_text(other)
    system = formats.import_labelled(tmp_path / "other.out")
    np.testing.assert_allclose(system["energies"], plain["energies"], rtol=1e-8)
    np.testing.assert_allclose(system["forces"], plain["forces"], atol=1e-8)
    (tmp_path / "other.out").write_text(text.replace("energy [a.u.]", "energy [furlong]"))
    with pytest.raises(dataset.BadFrames, match="'furlong' is no unit of energy"):
        formats.import_labelled(tmp_path / "other.out")


_TEXT = (CP2K / "hcn.out").read_text()
_CUT_IN_SCF = _TEXT.split("  *** SCF run converged")[0]


@pytest.mark.parametrize("text", [
    _CUT_IN_SCF + _TEXT, (CP2K / "hcn_unconverged.out").read_text() + _TEXT,
    _TEXT.replace("[a.u.]", "(a.u.)"), _TEXT.replace("\n", "\r\n"),
    _TEXT.replace("  *** SCF run converged in    17 steps ***\n", ""),
], ids=["cut, then whole", "unconverged, then converged", "in brackets", "crlf", "quiet"],
)  # fmt: skip
def test_the_last_start_counts_however_it_is_printed(right, tmp_path, text):
    (tmp_path / "point.out").write_bytes(text.encode())
    system = formats.import_labelled(tmp_path / "point.out")
    for label in ("energies", "cells", "coords", "forces", "virials"):
        np.testing.assert_allclose(system[label], right[label], rtol=1e-9)


@pytest.mark.parametrize("text, message", [
    (_TEXT + _CUT_IN_SCF, "2 starts of CP2K, and not only the last came to its end"),
    (_CUT_IN_SCF + _CUT_IN_SCF, "did not come to its end"),
    (_TEXT.replace(" ENERGY|", " ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:  -16.0\n ENERGY|"),
     "holds 2 steps, .*--format cp2k/md"),
    (_TEXT.replace("*** SCF run converged", "outer SCF loop FAILED to converge"), "not converge"),
    (_TEXT.replace("1.0000   1.0079", "0.0000   1.0079"), "a ghost. at number 3"),
    (_TEXT.replace(" IN ANGSTROM", " IN SCALED UNITS"), "'SCALED' is no unit of position .* A .or"),
    (_TEXT.replace("ATOMIC FORCES in [a.u.]", "ATOMIC FORCES in [newton]"), "'newton' is no unit"),
    (_TEXT.replace(" ENERGY| Total FORCE_EVAL ( QS )", " ENERGY| Total FORCE_EVAL ( MIXED ) energy "
                   "[a.u.]:   -17.0\n ENERGY| Total FORCE_EVAL ( QS )"), "evaluations .MIXED, QS."),
])  # fmt: skip
def test_a_point_that_is_none_is_refused_for_its_reason(tmp_path, text, message):
    assert text != _TEXT
    (tmp_path / "point.out").write_text(text)
    with pytest.raises(UserError, match=message):
        formats.import_labelled(tmp_path / "point.out")


@pytest.mark.parametrize("unit, factor", [
    ("eV*angstrom^-1", units.Hartree / units.Bohr), ("mhartree/bohr", 1e3),
    ("kcalmol*angstrom^-1", units.Hartree / units.Bohr * units.mol / units.kcal),
])  # fmt: skip
def test_forces_in_units_as_cp2k_writes_them(right, tmp_path, unit, factor):
    text = in_units(_TEXT, r"^ *ATOMIC FORCES in.*$", "a.u.", unit, 1)
    text = in_units(text, r"^ +\d +\d +[NCH] {5,}.*$", "\0", "", factor)
    (tmp_path / "point.out").write_text(text)
    forces = formats.import_labelled(tmp_path / "point.out")["forces"]
    np.testing.assert_allclose(forces, right["forces"], rtol=1e-6)


def test_files_of_two_runs_in_one_folder_are_refused(md):
    output = (md / "md.out").read_text()
    (md / "md.out").write_text(output.replace("-16.09", "-17.19"))
    with pytest.raises(dataset.BadFrames, match="md.out .* none of the energies .* another run"):
        formats.import_labelled(md, "cp2k/md")
    (md / "md.out").write_text(output)
    whole = (md / "HCN-pos-1.xyz").read_text()
    (md / "HCN-pos-1.xyz").write_text(whole + whole)
    with pytest.raises(dataset.BadFrames, match="back to its first step, 0: it holds two runs"):
        formats.import_labelled(md, "cp2k/md")
    (md / "HCN-pos-1.xyz").write_text(re.sub(" i = .*", 'Lattice="6 0 0 0 6 0 0 0 6"', whole))
    with pytest.raises(dataset.BadFrames, match="HCN-pos-1.xyz has no i = .*FORMAT XYZ"):
        formats.import_labelled(md, "cp2k/md")


_LENGTHS = {"angstrom": 1.0, "bohr": 1 / units.Bohr}
_ENERGIES = {"a.u.": 1.0, "eV": units.Hartree, "Ry": 2.0}
_PRESSURES = {"GPa": 1.0, "kbar": 10.0, "bar": 1e4, "MPa": 1e3}
_NUMBERS = r"(-?\d+\.\d+(?:E[-+]\d+)?)"


def in_units(text, line, old, unit, factor):
    """Lines that match in another unit: its name, and each number times a factor."""

    def converted(found):
        head, tail = found[0].split(old, 1) if old in found[0] else ("", found[0])
        tail = re.sub(_NUMBERS, lambda m: f"{float(m[0]) * factor:.13E}", tail)
        return head + (unit if old in found[0] else "") + tail

    return re.sub(line, converted, text, flags=re.M)


@pytest.fixture(scope="module")
def right():
    return formats.import_labelled(CP2K / "hcn.out")


@settings(max_examples=40, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(length=st.sampled_from(sorted(_LENGTHS)), energy=st.sampled_from(sorted(_ENERGIES)),
       pressure=st.sampled_from(sorted(_PRESSURES)), at=st.floats(0, 1),
       what=st.sampled_from(["", "", "cut", "line", "word", "stars"]))  # fmt: skip
@example("angstrom", "Ry", "GPa", 0.31, "line")  # the first atom was lost, and its forces taken
@example("angstrom", "Ry", "GPa", 0.34, "line")  # the last
@example("angstrom", "Ry", "GPa", 0.3125, "word")  # a coordinate
def test_any_named_unit_gives_the_right_numbers_and_damage_none(
    right, tmp_path, length, energy, pressure, at, what
):
    text = (CP2K / "hcn.out").read_text()
    text = in_units(text, r"^ *CELL\|.*\[angstrom\].*$", "angstrom", length, _LENGTHS[length])
    text = in_units(text, r"^ *ENERGY\| Total.*$", "a.u.", energy, _ENERGIES[energy])
    text = in_units(text, r"^ *STRESS\| Analytical.*tensor.*$", "GPa", pressure, 1)
    text = in_units(text, r"^ *STRESS\| +[xyz] .*$", "\0", "", _PRESSURES[pressure])
    lines = text.split("\n")
    k = min(int(at * len(lines)), len(lines) - 2)
    words = lines[k].split(" ")
    j = int(at * 7919) % len(words)
    if what == "cut":
        lines = lines[:k] + [lines[k][: len(lines[k]) // 2]]
    elif what == "line":
        del lines[k]
    elif what and words[j]:
        words[j] = {"word": "", "stars": "********"}[what]
        lines[k] = " ".join(words)
    file = tmp_path / "cp2k.out"
    file.write_text("\n".join(lines))
    try:
        system = formats.import_labelled(file)
    except UserError as error:
        assert what and "cp2k.out" in str(error)
        return
    for label in ("energies", "cells", "coords", "forces", "virials"):
        np.testing.assert_allclose(system[label], right[label], rtol=1e-5, atol=1e-6)
