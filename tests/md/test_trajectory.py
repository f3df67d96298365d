"""Trajectories against ASE and MDAnalysis, orthogonal and triclinic; cut-off files."""

import bz2
import gzip
import lzma
import re
import warnings

import ase.io
import MDAnalysis
import numpy as np
import pytest
from ase import Atoms
from ase.geometry import cellpar_to_cell
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import structures
from helpers.errors import UserError
from helpers.md import thermo, trajectory

ORTHOGONAL, TRICLINIC = (9.0, 10.0, 11.0, 90, 90, 90), (9.0, 10.0, 11.0, 65, 80, 118)
SYMBOLS = ["Zn", "N", "C", "H", "H"]


def dump(file, cellpar, steps=(40, 80, 120), origin=0.0):
    """Write a dump as LAMMPS does; its atoms, unwrapped, lie up to two cells outside."""
    rng = np.random.default_rng(1)
    frames, text = [], ""
    for i, step in enumerate(steps):
        cell = cellpar_to_cell(cellpar) * (1 + 0.01 * i)
        xyz = rng.uniform(-1, 2, (5, 3)) @ cell
        frames.append(Atoms(SYMBOLS, xyz, cell=cell, pbc=True))
        (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell
        tilted = cellpar is TRICLINIC
        low = [min(0, xy, xz, xy + xz), min(0, yz), 0]
        high = [lx + max(0, xy, xz, xy + xz), ly + max(0, yz), lz]
        text += f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n5\n"
        text += f"ITEM: BOX BOUNDS {'xy xz yz ' if tilted else ''}pp pp pp\n"
        for a, b, tilt in zip(low, high, (xy, xz, yz), strict=True):
            text += f"{a + origin:.16e} {b + origin:.16e}" + (f" {tilt:.16e}\n" if tilted else "\n")
        text += "ITEM: ATOMS id type element xu yu zu\n"
        for n, (symbol, p) in enumerate(zip(SYMBOLS, xyz + origin, strict=True)):
            text += f"{n + 1} {'CHNZn'.index(symbol) + 1} {symbol} "
            text += " ".join(f"{x:.6f}" for x in p) + "\n"
    file.write_text(text)
    return frames


@pytest.mark.parametrize("cellpar", [ORTHOGONAL, TRICLINIC])
@pytest.mark.parametrize("origin", [0.0, -3.5])
def test_reads_what_was_written(tmp_path, cellpar, origin):
    frames = dump(tmp_path / trajectory.FILE, cellpar, origin=origin)
    read = trajectory.read(tmp_path)
    assert read.symbols.tolist() == SYMBOLS and read.steps.tolist() == [40, 80, 120]
    np.testing.assert_allclose(read.cells, [a.cell.array for a in frames], atol=1e-6)
    np.testing.assert_allclose(read.positions, [a.positions for a in frames], atol=1e-6)
    assert np.isnan(read.times_ps).all()  # no thermo.csv beside it


@pytest.mark.parametrize("cellpar", [ORTHOGONAL, TRICLINIC])
def test_ase_and_mdanalysis_read_the_same(tmp_path, cellpar):
    file = tmp_path / trajectory.FILE
    dump(file, cellpar)
    read = trajectory.read(file)
    by_ase = ase.io.read(file, ":", format="lammps-dump-text")
    np.testing.assert_allclose([a.positions for a in by_ase], read.positions, atol=1e-5)
    np.testing.assert_allclose([a.cell.array for a in by_ase], read.cells, atol=1e-5)
    assert by_ase[0].get_chemical_symbols() == read.symbols.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        universe = MDAnalysis.Universe(
            str(file),
            format="LAMMPSDUMP",
            topology_format="LAMMPSDUMP",
            lammps_coordinate_convention="unwrapped",
        )
    for step, positions, cell in zip(universe.trajectory, read.positions, read.cells, strict=True):
        np.testing.assert_allclose(step.positions, positions, atol=1e-4)
        np.testing.assert_allclose(step.triclinic_dimensions, cell, atol=1e-4)


def test_gzip_and_every(tmp_path):
    dump(tmp_path / "plain", TRICLINIC, steps=range(0, 100, 10))
    with gzip.open(tmp_path / f"{trajectory.FILE}.gz", "wb") as file:
        file.write((tmp_path / "plain").read_bytes())
    whole, some = trajectory.read(tmp_path), trajectory.read(tmp_path, every=3)
    assert some.steps.tolist() == [0, 30, 60, 90]
    np.testing.assert_array_equal(some.positions, whole.positions[::3])


def test_a_cut_off_frame_is_left_out(tmp_path):
    file = tmp_path / trajectory.FILE
    dump(file, ORTHOGONAL)
    whole = file.read_bytes()
    third = whole.rindex(b"ITEM: TIMESTEP")
    for cut in range(third, len(whole), 7):
        file.write_bytes(whole[:cut])
        assert trajectory.read(file).steps.tolist() == [40, 80], cut
    file.write_bytes(whole[:30])
    with pytest.raises(ValueError, match="no whole frame"):
        trajectory.read(file)


@pytest.mark.parametrize("step, left", [(39, 0), (40, 1), (100, 2), (120, 3), (500, 3)])
def test_truncate(tmp_path, step, left):
    file = tmp_path / trajectory.FILE
    dump(file, ORTHOGONAL)
    whole = file.read_text()
    trajectory.truncate(file, step)
    assert file.read_text().count("ITEM: TIMESTEP") == left and whole.startswith(file.read_text())
    assert trajectory.steps(file) == [40, 80, 120][:left]


def test_steps_end_at_damage(tmp_path):
    """A cut-off line, or two glued together as by a disk that was full for a while."""
    file = tmp_path / trajectory.FILE
    dump(file, ORTHOGONAL)
    whole = file.read_text()
    second, third = (i.start() for i in list(re.finditer("ITEM: TIMESTEP", whole))[1:])
    for cut in range(second, third, 11):
        file.write_text(whole[:cut] + whole[cut + 5 :])
        assert trajectory.steps(file)[:1] == [40]
        assert trajectory.steps(file) in ([40], [40, 80, 120]), cut


@pytest.mark.parametrize("every, kept", [(1, 6), (2, 3), (4, 2), (9, 1)])
def test_thin(tmp_path, every, kept):
    plain, source, target = (tmp_path / name for name in ("plain", "a.gz", "b.gz"))
    dump(plain, TRICLINIC, steps=range(10, 70, 10))
    source.write_bytes(gzip.compress(plain.read_bytes()))
    assert trajectory.thin(source, target, every) == kept
    whole, thinned = trajectory.read(source), trajectory.read(target)
    assert thinned.steps.tolist() == sorted({*range(10 * every, 70, 10 * every), 60})
    np.testing.assert_array_equal(
        thinned.positions, whole[np.isin(whole.steps, thinned.steps)].positions
    )


def test_slices_and_temperatures():
    steps = np.arange(10)
    frames = trajectory.Trajectory(
        np.array(["H"]),
        steps,
        steps * 0.1,
        300.0 + 10 * steps,
        np.tile(np.eye(3), (10, 1, 1)),
        np.zeros((10, 1, 3)),
    )
    assert frames.between(320, 350).steps.tolist() == [2, 3, 4]
    assert frames.last(2).steps.tolist() == [8, 9] and len(frames.last(99)) == 10
    assert frames[::4].steps.tolist() == [0, 4, 8] and frames[3].steps.tolist() == [3]
    assert frames.atoms(0).get_chemical_symbols() == ["H"]


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="heating.run"):
        trajectory.read(tmp_path)
    file = tmp_path / trajectory.FILE
    dump(file, ORTHOGONAL)
    file.write_text(file.read_text().replace("xu yu zu", "x y z"))
    with pytest.raises(ValueError, match="wrapped positions .* no ix iy iz .* dump with xu yu zu"):
        trajectory.read(file)
    dump(file, ORTHOGONAL)
    (tmp_path / thermo.FILE).write_text(",".join(thermo.COLUMNS) + "\n")
    with pytest.raises(ValueError, match="thermo.csv has no row"):
        trajectory.read(file)


# ---------------------------------------------------------------- dumps of others


def other_dump(rng, *, cell, kind, columns, shuffled, items, damage=False):
    """Two frames of 30 atoms as someone else's LAMMPS writes them; (text, symbols, positions)."""
    n, text = 30, ""
    symbols = np.array(["C", "H", "N", "Zn"])[np.arange(n) % 4]
    at = rng.random((n, 3))
    frames = [at, at + rng.normal(0, 0.01, (n, 3)) + rng.integers(-1, 2, (n, 3))]
    for f, fractional in enumerate(frames):
        inside = fractional % 1.0
        values = {
            "xu": fractional @ cell, "xsu": fractional, "x": inside @ cell, "xs": inside,
            "ix": np.floor(fractional).astype(int),
        }  # fmt: skip
        text += "ITEM: UNITS\nreal\n" if items and f == 0 else ""
        text += f"ITEM: TIME\n{500.0 * f}\n" if items else ""
        text += f"ITEM: TIMESTEP\n{f}\nITEM: NUMBER OF ATOMS\n{n}\n"
        if kind == "general":
            rows = np.column_stack([cell, np.zeros(3)])
            text += "ITEM: BOX BOUNDS abc origin pp pp pp\n"
        else:
            (lx, _, _), (xy, ly, _), (xz, yz, lz) = cell
            x, y = (0, xy, xz, xy + xz), (0, yz)
            rows = [[min(x), lx + max(x), xy], [min(y), ly + max(y), xz], [0, lz, yz]]
            text += "ITEM: BOX BOUNDS xy xz yz pp pp pp\n"
        text += "".join(" ".join(map(repr, map(float, row))) + "\n" for row in rows)
        names = {"xu": "xu yu zu", "xsu": "xsu ysu zsu",
                 "x": "x y z ix iy iz", "xs": "xs ys zs ix iy iz"}  # fmt: skip
        text += f"ITEM: ATOMS element id {names[columns]}\n"
        for i in rng.permutation(n) if shuffled else range(n):
            numbers = [*values[columns][i], *(values["ix"][i] if columns in ("x", "xs") else ())]
            text += f"{symbols[i]} {i + 1} " + " ".join(repr(v.item()) for v in numbers) + "\n"
    return text, symbols, np.array(frames) @ cell


@pytest.mark.parametrize("unit, length_A, time_ps", [  # of LAMMPS' manual, command units
    ("metal", 1, 1), ("real", 1, 1e-3), ("nano", 10, 1e3), ("micro", 1e4, 1e6), ("si", 1e10, 1e12),
    ("cgs", 1e8, 1e12), ("electron", 0.529177, 1e-3),
])  # fmt: skip
def test_a_dump_in_a_named_unit_is_converted_and_says_so(tmp_path, capsys, unit, length_A, time_ps):
    at = {"kind": "restricted", "columns": "xu", "shuffled": False, "items": True}
    cell = np.diag([9.0, 8.0, 10.0])
    text, _, _ = other_dump(np.random.default_rng(1), cell=cell / length_A, **at)
    _, _, positions = other_dump(np.random.default_rng(1), cell=cell, **at)
    file = tmp_path / "any.lammpstrj"
    file.write_text(text.replace("ITEM: UNITS\nreal", f"ITEM: UNITS\n{unit}"))
    run = trajectory.read(file)
    np.testing.assert_allclose(run.cells[0], cell, rtol=1e-6)
    np.testing.assert_allclose(run.positions, positions, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(run.times_ps, [0, 500 * time_ps])
    assert (f"units '{unit}'" in capsys.readouterr().out) == (length_A != 1)


@pytest.mark.parametrize("unit", ["lj", "furlong", "", "Metal"])
def test_a_dump_in_a_unit_without_a_length_is_refused(tmp_path, unit):
    text, _, _ = other_dump(
        np.random.default_rng(1), cell=np.eye(3) * 9, kind="restricted", columns="xu",
        shuffled=False, items=True,
    )  # fmt: skip
    file = tmp_path / "any.lammpstrj"
    file.write_text(text.replace("ITEM: UNITS\nreal", f"ITEM: UNITS\n{unit}"))
    with pytest.raises(ValueError, match="no length in A; write metal or real"):
        trajectory.read(file)


@settings(max_examples=40, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    kind=st.sampled_from(["restricted", "general"]), shuffled=st.booleans(), items=st.booleans(),
    columns=st.sampled_from(["xu", "xsu", "x", "xs"]), seed=st.integers(0, 999),
)  # fmt: skip
def test_any_dump_gives_the_atoms_their_places(tmp_path, kind, shuffled, items, columns, seed):
    rng = np.random.default_rng(seed)
    cell = np.diag([9.0, 8.0, 10.0]) + np.tril(rng.normal(0, 1.5, (3, 3)), -1)
    if kind == "general":
        cell = cell @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    text, symbols, positions = other_dump(
        rng, cell=cell, kind=kind, columns=columns, shuffled=shuffled, items=items
    )
    (tmp_path / "d.lammpstrj").write_text(text)
    read = trajectory.read(tmp_path / "d.lammpstrj")
    assert read.symbols.tolist() == symbols.tolist()
    np.testing.assert_allclose(read.cells[1], cell, atol=1e-9)
    np.testing.assert_allclose(read.positions, positions, atol=1e-9)
    assert (read.times_ps.tolist() == [0.0, 0.5]) if items else np.isnan(read.times_ps).all()


@settings(max_examples=60, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(at=st.floats(0, 1), what=st.sampled_from(["cut", "line", "word", "nan", "atoms"]))
def test_a_damaged_dump_is_refused_or_ends_before(tmp_path, at, what):
    rng = np.random.default_rng(1)
    cell = np.diag([9.0, 8.0, 10.0])
    text, _, positions = other_dump(
        rng, cell=cell, kind="restricted", columns="xu", shuffled=True, items=False
    )
    lines = text.rstrip("\n").split("\n")
    k = min(int(at * len(lines)), len(lines) - 1)
    if what == "cut":
        lines = [*lines[:k], lines[k][: len(lines[k]) // 2]]
    elif what == "line":
        del lines[k]
    elif what == "atoms":
        lines[3] = "100000000000"
    else:
        words = lines[k].split(" ")
        words[int(at * 7919) % len(words)] = {"word": "", "nan": "nan"}[what]
        lines[k] = " ".join(words)
    (tmp_path / "d.lammpstrj").write_text("\n".join(lines) + "\n" * (what != "cut"))
    try:
        read = trajectory.read(tmp_path / "d.lammpstrj")
    except UserError as error:
        assert "\n" not in str(error)
        return
    for mine, wanted in zip(read.positions, positions, strict=False):
        np.testing.assert_allclose(mine, wanted, atol=1e-9)


def test_tilts_are_taken_by_their_names(tmp_path):
    head = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS "
    atom = "ITEM: ATOMS id element xu yu zu\n1 C 1 1 1\n"
    (tmp_path / "as-lammps").write_text(f"{head}xy xz yz pp pp pp\n0 7 2\n0 6 0\n0 7 1\n{atom}")
    (tmp_path / "other").write_text(f"{head}yz xy xz pp pp pp\n0 7 1\n0 6 2\n0 7 0\n{atom}")
    one, other = (trajectory.read(tmp_path / name) for name in ("as-lammps", "other"))
    np.testing.assert_array_equal(one.cells, other.cells)
    assert one.cells[0][1, 0] == 2 and one.cells[0][2, 1] == 1


@pytest.mark.parametrize("bounds, tilts, message", [
    (("5 0", "0 5", "0 5"), "", "ends before it begins"),
    (("0 5", "0 5", "0 5"), "xy xz yz ", "names tilts .* and has none"),
    (("0 5 1", "0 5 0", "0 5 0"), "xy xz ", "names the tilts xy xz, wanted"),
])  # fmt: skip
def test_a_box_that_is_none_is_refused(tmp_path, bounds, tilts, message):
    text = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS " + tilts
    text += "pp pp pp\n" + "\n".join(bounds) + "\nITEM: ATOMS id element xu yu zu\n1 C 0 0 0\n"
    (tmp_path / "a.lammpstrj").write_text(text)
    with pytest.raises(UserError, match=message):
        trajectory.read(tmp_path / "a.lammpstrj")


def test_frames_that_are_missing_are_told(tmp_path, capsys):
    def frame(step):
        return (f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n"
                "0 5\n0 5\n0 5\nITEM: ATOMS id element xu yu zu\n1 C 0 0 0\n")  # fmt: skip

    for steps, told in (((0, 10, 20, 30), ""), ((0, 10, 40, 50), "first behind step 10")):
        (tmp_path / "mine.lammpstrj").write_text("".join(map(frame, steps)))
        assert trajectory.read(tmp_path / "mine.lammpstrj").steps.tolist() == list(steps)
        said = capsys.readouterr().out
        assert told in said if told else not said


def test_frames_of_ase_are_looked_at():
    start = structures.load("Znim2-ABW")
    frames = []
    for shift in (0.0, 0.4, 0.8):  # all of it through a face
        atoms = start.copy()
        atoms.positions += shift * atoms.cell.array[0]
        frames.append(atoms)
    wrapped = [atoms.copy() for atoms in frames]
    for atoms in wrapped:
        atoms.wrap()
    followed = trajectory.of_images(wrapped, unwrap=True)
    moved = followed.positions - followed.positions[0]
    np.testing.assert_allclose(moved[2], np.tile(0.8 * start.cell.array[0], (68, 1)), atol=1e-8)
    with pytest.raises(ValueError, match="frame 1 has its atoms in another order than the first"):
        trajectory.of_images([start, start[::-1]])
    bare = start.copy()
    bare.pbc = False
    with pytest.raises(ValueError, match="frame 0 has no cell that is periodic"):
        trajectory.of_images([bare])


def crystal_dump(file, steps, order=None, columns="id element xu yu zu", before=""):
    """Znim2-ABW, rattled from frame to frame; order: of the atoms in each frame."""
    atoms = structures.load("Znim2-ABW")
    lengths = atoms.cell.lengths()
    places = atoms.get_scaled_positions() * lengths
    rng, text = np.random.default_rng(0), ""
    for k, step in enumerate(steps):
        text += before.format(step=step) + f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n68\n"
        text += "ITEM: BOX BOUNDS pp pp pp\n" + "".join(f"0 {x}\n" for x in lengths)
        text += f"ITEM: ATOMS {columns}\n"
        places = places + rng.normal(size=(68, 3)) * 0.02
        for i in np.arange(68) if order is None else order[k]:
            row = dict(zip(("xu", "yu", "zu"), places[i], strict=True))
            row |= {"id": i + 1, "element": atoms.symbols[i]}
            text += " ".join(str(row[c]) for c in columns.split()) + "\n"
    file.write_text(text)
    return atoms.symbols


def test_a_run_that_was_started_again_has_each_step_once(tmp_path, capsys):
    file = tmp_path / "x.lammpstrj"
    crystal_dump(file, [0, 10, 20, 30, 20, 30, 40])
    read = trajectory.read(file)
    assert read.steps.tolist() == [0, 10, 20, 30, 40]
    assert "2 steps are there twice" in capsys.readouterr().out
    whole = trajectory.read(file).positions
    crystal_dump(file, [0, 10, 15, 16, 20, 30, 40])
    np.testing.assert_array_equal(trajectory.read(file).positions[[0, 1, 4, 5, 6]], whole)
    crystal_dump(file, [0, 10, 20, 0, 10, 20])
    with pytest.raises(UserError, match="goes back to its first step, 0: it holds two runs"):
        trajectory.read(file)


def test_like_atoms_that_change_their_places_are_seen(tmp_path):
    symbols = crystal_dump(tmp_path / "x.lammpstrj", [0])
    order = [np.arange(68), np.arange(68)]
    for element in "CHN":
        these = np.flatnonzero(np.array(symbols) == element)
        order[1][these] = np.roll(these, 5)
    file = tmp_path / "y.lammpstrj"
    crystal_dump(file, [0, 10], order)  # with ids
    moved = np.diff(trajectory.read(file).positions, axis=0)
    assert np.abs(moved).max() < 0.2
    crystal_dump(file, [0, 10], order, columns="element xu yu zu")
    with pytest.raises(UserError, match="no column id, and at step 10 .* another order"):
        trajectory.read(file)
    crystal_dump(file, [0, 10], columns="element xu yu zu")
    np.testing.assert_array_equal(np.diff(trajectory.read(file).positions, axis=0), moved)


def test_compressed_by_anything_and_damaged_within(tmp_path):
    plain = tmp_path / "x.lammpstrj"
    crystal_dump(plain, [0, 10, 20])
    wanted = trajectory.read(plain).positions
    for name, packed in (("x.bz2", bz2.compress), ("x.xz", lzma.compress), ("x", gzip.compress)):
        (tmp_path / name).write_bytes(packed(plain.read_bytes()))
        np.testing.assert_array_equal(trajectory.read(tmp_path / name).positions, wanted)
    text = plain.read_text()
    for broken in (
        text.replace("ITEM: TIMESTEP\n10", "oops\nITEM: TIMESTEP\n10"),
        text.replace("\n68\n", "\n67\n", 1),
        text.replace("\n68\n", "\n69\n", 1),
    ):
        plain.write_text(broken)
        with pytest.raises(UserError, match="damaged"):
            trajectory.read(plain)


def test_times_of_no_unit_that_cannot_be_ps_are_left_out(tmp_path, capsys):
    file = tmp_path / "x.lammpstrj"
    crystal_dump(file, [0, 1000], before="ITEM: TIME\n{step}e-3\n")
    assert trajectory.read(file).times_ps.tolist() == [0.0, 1.0]
    crystal_dump(file, [0, 1000], before="ITEM: TIME\n{step}\n")
    assert np.isnan(trajectory.read(file).times_ps).all()
    assert "fs rather than ps" in capsys.readouterr().out


def test_lengths_in_nm_are_refused_and_a_byte_order_mark_is_not(tmp_path):
    file = tmp_path / trajectory.FILE
    frames = dump(file, ORTHOGONAL)
    text = file.read_text()
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    np.testing.assert_allclose(trajectory.read(file).positions[0], frames[0].positions, atol=1e-6)
    small = re.sub(r"\S+e[+-]\d\d", lambda m: repr(float(m[0]) / 10), text)
    file.write_text(small)
    with pytest.raises(UserError, match="5.05 atoms in an A.3; lengths are not in A"):
        trajectory.read(file)
    frames[0].set_cell(frames[0].cell.array / 10)
    with pytest.raises(UserError, match="frame 0 has 5.05 atoms in an A.3"):
        trajectory.of_images(frames[:1])


def test_a_finished_run_whose_trajectory_is_cut_off_is_refused(tmp_path):
    plain, packed = tmp_path / "plain", tmp_path / f"{trajectory.FILE}.gz"
    dump(plain, ORTHOGONAL)
    whole = gzip.compress(plain.read_bytes())
    plain.unlink()
    packed.write_bytes(whole)
    (tmp_path / "provenance.json").write_text("{}")
    assert trajectory.read(packed).steps.tolist() == [40, 80, 120]
    packed.write_bytes(whole[:-40])
    with pytest.raises(ValueError, match="cut off .*, and its run is finished"):
        trajectory.read(packed)
    (tmp_path / "provenance.json").unlink()
    assert len(trajectory.read(packed)) < 4
