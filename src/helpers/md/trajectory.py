"""The trajectory of a heating run, read from LAMMPS' text dump; any text dump of a whole cell.

``trajectory.lammpstrj[.gz]`` has the columns ``id type element xu yu zu``; OVITO, ASE
(``format="lammps-dump-text"``) and MDAnalysis (``format="LAMMPSDUMP"``) open it too. Dumps of
others differ: atoms in any order, further ITEMs, boxes of any kind, other columns. What is missing
for unwrapped positions of known elements is refused by name.
"""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from helpers import paths, provenance
from helpers.errors import NotThere, Unfit
from helpers.frames import files
from helpers.md import samples, thermo
from helpers.observables import neighbors
from helpers.structures import elements

FILE = "trajectory.lammpstrj"


@dataclass(frozen=True)
class Trajectory:
    """Frames of one run.

    Attributes
    ----------
    symbols : (N,) array of str
        Chemical symbols.
    steps : (F,) array of int
        Steps of the run.
    times_ps : (F,) array
        Times, ps; NaN if unknown.
    temperatures_K : (F,) array
        *Target* temperatures of the thermostat, K; NaN if unknown.
    cells : (F, 3, 3) array
        Cell vectors as rows, A.
    positions : (F, N, 3) array
        Unwrapped positions, A: an atom that leaves the cell goes on.
    """

    symbols: np.ndarray
    steps: np.ndarray
    times_ps: np.ndarray
    temperatures_K: np.ndarray
    cells: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def widest_radius_A(self) -> float:
        """Half the narrowest cell, A: the largest radius at which a pair is in one image only."""
        return neighbors.widest_radius(self.cells)

    def __getitem__(self, which) -> Trajectory:
        """Some of the frames.

        Parameters
        ----------
        which : int, slice, mask or list of int
            Frames; an int gives a trajectory of one frame.

        Returns
        -------
        Trajectory
            The frames.
        """
        if isinstance(which, (int, np.integer)):
            which = [which]
        return Trajectory(
            self.symbols,
            self.steps[which],
            self.times_ps[which],
            self.temperatures_K[which],
            self.cells[which],
            self.positions[which],
        )

    def between(self, t_lo_K: float, t_hi_K: float) -> Trajectory:
        """Frames in a range of target temperature.

        Parameters
        ----------
        t_lo_K : float
            Lower end, K, included.
        t_hi_K : float
            Upper end, K, not included.

        Returns
        -------
        Trajectory
            The frames.
        """
        t = self.temperatures_K
        return self[(t >= t_lo_K) & (t < t_hi_K)]

    def last(self, n: int) -> Trajectory:
        """The last frames.

        Parameters
        ----------
        n : int
            Number of frames; all if there are fewer.

        Returns
        -------
        Trajectory
            The frames.
        """
        return self[max(len(self) - n, 0) :]

    def atoms(self, frame: int = -1) -> Atoms:
        """One frame as ASE atoms, periodic and unwrapped.

        Parameters
        ----------
        frame : int
            Index of the frame.

        Returns
        -------
        ase.Atoms
            The frame.
        """
        return Atoms(self.symbols, self.positions[frame], cell=self.cells[frame], pbc=True)


def read(run: Path | str, *, every: int = 1) -> Trajectory:
    """Trajectory of a run directory (finished or not) or of a dump file.

    Times and target temperatures come from ``thermo.csv`` next to the file; without it times are
    those of the dump (``ITEM: TIME``) or NaN, and temperatures NaN. An incomplete last frame is
    left out, except of a finished run, which is refused. Of steps that are there twice, because a
    run was started again, the last ones count. Atoms are in the order of their ids, if the dump has
    ids.

    Parameters
    ----------
    run : Path or str
        Directory of the run, or the dump file, plain or compressed (gzip, bzip2, xz).
    every : int
        Keep one frame in this many.

    Returns
    -------
    Trajectory
        The frames.

    Raises
    ------
    NotThere
        There is no trajectory.
    Unfit
        The file is not a dump; it has no elements, or no unwrapped positions and nothing to unwrap
        by; it is not periodic, or in units without a length; it holds no complete frame, NaN, a
        damaged line, or two runs; it is of a finished run and cut off or without some frames;
        atoms appear, disappear, change element or, without ids, their order; ``thermo.csv`` has no
        row.
    NoProvenance
        The provenance of the run is broken.
    """
    file = _file(run)
    frames = _each_step_once(file, _frames(file))
    if file.name in (FILE, f"{FILE}.gz"):
        samples.refuse_lost(file, "frame_every_ps", [frame.step for frame in frames])
    else:
        _tell_gaps(file, [frame.step for frame in frames])
    frames = frames[::every]
    if not frames:
        raise Unfit(
            f"{paths.relative(file)} holds no whole frame: it was just begun, or is no text dump "
            f"of LAMMPS (ITEM: TIMESTEP ...)"
        )
    first, order = frames[0], neighbors.SameOrder(frames[0].symbols)
    for frame in frames:
        if len(frame.symbols) != len(first.symbols):
            raise Unfit(
                f"{paths.relative(file)} changes its number of atoms, {len(first.symbols)} to "
                f"{len(frame.symbols)} at step {frame.step}; cut it there"
            )
        if (frame.ids != first.ids).any() or (frame.symbols != first.symbols).any():
            raise Unfit(
                f"{paths.relative(file)}: other atoms at step {frame.step} than before (ids or "
                f"elements differ); dump one group, with id and element"
            )
        if not first.has_ids:
            try:
                order.check(frame.positions, frame.cell)
            except ValueError as error:
                raise Unfit(
                    f"{paths.relative(file)} has no column id, and at step {frame.step} its atoms "
                    f"are in another order ({error}); dump with id"
                ) from error
    steps = np.array([frame.step for frame in frames])
    times, targets = _times(file, frames, steps), np.full(len(steps), np.nan)
    try:
        table = thermo.read(file.parent)
        if table.empty:
            raise Unfit(
                f"{paths.relative(file.parent)}/{thermo.FILE} has no row, so that the frames have "
                f"no time and no temperature; call heating.run again, it goes on or starts anew"
            )
        # frames before the first row have a time, too
        times = steps * (table["time_ps"].iloc[-1] / table["step"].iloc[-1])
        targets = np.interp(steps, table["step"], table["target_temperature_K"])
    except FileNotFoundError:
        pass
    return Trajectory(
        first.symbols, steps, times, targets,
        np.array([f.cell for f in frames]), np.array([f.positions for f in frames]),
    )  # fmt: skip


def _each_step_once(file: Path, frames: Iterable[_Frame]) -> list[_Frame]:
    kept: list[_Frame] = []
    again = 0
    for frame in frames:
        if kept and frame.step <= kept[0].step:
            raise Unfit(
                f"{paths.relative(file)} goes back to its first step, {frame.step}: it holds two "
                f"runs; split it"
            )
        while kept and frame.step <= kept[-1].step:
            again += 1
            kept.pop()
        kept.append(frame)
    if again:
        print(
            f"[read] {paths.relative(file)}: {again} steps are there twice, of a run that was "
            f"started again; the last ones count",
            flush=True,
        )
    return kept


def _tell_gaps(file: Path, steps: list[int]) -> None:
    apart = np.diff(steps)
    if len(apart) and (uneven := apart != np.median(apart)).any():
        print(
            f"[read] {paths.relative(file)}: frames are {np.median(apart):g} steps apart, but not "
            f"{uneven.sum()} of them (first behind step {steps[int(uneven.argmax())]}): some are "
            f"missing, or were not written evenly; a lag in frames is not one time then",
            flush=True,
        )


def _times(file: Path, frames: list[_Frame], steps: np.ndarray) -> np.ndarray:
    times = np.array([frame.time_ps for frame in frames])
    if len(times) > 1 and not any(frame.has_unit for frame in frames):
        step = (times[-1] - times[0]) / (steps[-1] - steps[0])
        if step > _LONGEST_STEP_PS:
            print(
                f"[read] {paths.relative(file)}: times grow by {step:g} a step and are in no named "
                f"unit, fs rather than ps: they are left out (dump_modify units yes names it)",
                flush=True,
            )
            return np.full(len(times), np.nan)
    return times


def of_images(
    images: Iterable[Atoms], times_ps: Sequence[float] | None = None, *, unwrap: bool = False
) -> Trajectory:
    """Frames of ASE as a trajectory, after a check of each.

    Parameters
    ----------
    images : iterable of ase.Atoms
        Frames in order of time, such as ``ase.io.read("mine.extxyz", index=":")``.
    times_ps : (F,) sequence of float, optional
        Times, ps; NaN if not given.
    unwrap : bool
        Whether positions are wrapped. Atoms are then followed by their nearest image from frame to
        frame, so that no atom may move by half a cell between frames.

    Returns
    -------
    Trajectory
        The frames.

    Raises
    ------
    Unfit
        There is no frame; a frame has no periodic cell, other atoms, or atoms in another order; a
        value is NaN; the times do not fit.
    """
    images = list(images)
    if not images:
        raise Unfit("no frames: the file or the chosen range is empty")
    symbols = elements(images[0].get_chemical_symbols())
    order = neighbors.SameOrder(symbols)
    positions, cells, before = [], [], None
    for f, atoms in enumerate(images):
        if (mine := elements(atoms.get_chemical_symbols())).tolist() != symbols.tolist():
            same = sorted(mine) == sorted(symbols)
            raise Unfit(
                f"frame {f} has "
                + (
                    "its atoms in another order than"
                    if same
                    else f"other atoms ({atoms.symbols}) than"
                )
                + " the first; sort them alike in all frames, by their ids"
            )
        if atoms.cell.rank < 3 or not atoms.pbc.all():
            raise Unfit(f"frame {f} has no cell that is periodic in all directions; write one")
        if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
            raise Unfit(f"frame {f} holds NaN or infinity; look at the run")
        _refuse_dense(len(atoms), atoms.cell.array, f"frame {f}")
        fractional = atoms.positions @ np.linalg.inv(atoms.cell.array)
        if unwrap and before is not None:
            fractional = fractional - np.round(fractional - before)
        before = fractional
        positions.append(fractional @ atoms.cell.array if unwrap else atoms.positions)
        cells.append(atoms.cell.array)
        order.check(positions[-1], cells[-1])
    unknown = np.full(len(images), np.nan)
    times = unknown if times_ps is None else np.asarray(times_ps, float)
    if times.shape != unknown.shape:
        raise Unfit(f"{len(images)} frames and times of shape {times.shape} do not fit")
    return Trajectory(
        symbols, np.arange(len(images)), times, unknown, np.array(cells), np.array(positions)
    )


def steps(file: Path) -> list[int]:
    """Steps of the complete frames of a plain dump, up to the first damaged or incomplete one.

    Parameters
    ----------
    file : Path
        The dump.

    Returns
    -------
    list of int
        Steps.
    """
    return [step for step, _ in _index(file)]


def truncate(file: Path, step: int) -> None:
    """Cut a plain dump after its last complete frame at or before a step, for a restart.

    Parameters
    ----------
    file : Path
        The dump.
    step : int
        Last step to keep.
    """
    end = 0
    for found, frame_end in _index(file):
        if found > step:
            break
        end = frame_end
    with open(file, "r+b") as handle:
        handle.truncate(end)


def thin(source: Path, target: Path, every: int) -> int:
    """Write one frame in ``every`` of a dump, and the last one, gzipped.

    Frame number ``every`` is the first: of frames 0.02 ps apart, ``every`` = 5 keeps those at 0.1
    ps, 0.2 ps ...

    Parameters
    ----------
    source : Path
        The dump.
    target : Path
        The file to write.
    every : int
        Interval in frames.

    Returns
    -------
    int
        Number of frames written.
    """
    kept, n = 0, 0
    chunk: list[str] = []
    with (
        gzip.open(source, "rt") as lines,
        open(target, "wb") as file,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as out,
    ):
        for line in itertools.chain(lines, [None]):
            if line is None or (line.startswith("ITEM: TIMESTEP") and chunk):
                n += 1
                if n % every == 0 or line is None:
                    out.write("".join(chunk).encode())
                    kept += 1
                chunk = []
            if line:
                chunk.append(line)
    return kept


def _index(file: Path) -> Iterator[tuple[int, int]]:
    """(step, position of the end) of every whole frame of a plain dump."""
    with open(file, "rb") as handle:
        while handle.readline() == b"ITEM: TIMESTEP\n":
            head = [handle.readline() for _ in range(8)]
            if (
                head[1] != b"ITEM: NUMBER OF ATOMS\n"
                or not head[0].strip().isdigit()
                or (not head[2].strip().isdigit())
            ):
                return
            width = len(head[-1].split()) - 2
            for _ in range(int(head[2])):
                line = handle.readline()
                if len(line.split()) != width or not line.endswith(b"\n"):
                    return
            yield int(head[0]), handle.tell()


def _file(run: Path | str) -> Path:
    path = Path(run)
    if path.is_file():
        return path
    for name in (FILE + ".gz", FILE):
        if (path / name).is_file():
            return path / name
    raise NotThere(f"no {FILE} or {FILE}.gz in {paths.relative(path)}: run it with heating.run")


@dataclass(frozen=True)
class _Frame:
    """One frame of a dump: A, ps."""

    step: int
    time_ps: float
    cell: np.ndarray
    ids: np.ndarray
    symbols: np.ndarray
    positions: np.ndarray
    has_ids: bool
    has_unit: bool


_DENSEST = 2.0  # atoms in an A^3; diamond has 0.18
_LONGEST_STEP_PS = 0.02  # no run with atoms takes a step of 20 fs


_TILTS = ("xy", "xz", "yz")
# LAMMPS' units (its manual, command units): length in A, time in ps; lj has neither.
_UNITS = {
    "metal": (1.0, 1.0), "real": (1.0, 1e-3), "electron": (0.529177210903, 1e-3),
    "nano": (10.0, 1e3), "micro": (1e4, 1e6), "si": (1e10, 1e12), "cgs": (1e8, 1e12),
}  # fmt: skip
_UNWRAPPED = (("xu", "yu", "zu"), ("xsu", "ysu", "zsu"))
_WRAPPED = (("x", "y", "z"), ("xs", "ys", "zs"))
_IMAGES = ("ix", "iy", "iz")


def _frames(file: Path) -> Iterator[_Frame]:
    """Every whole frame of a dump, atoms by their ids."""
    name = paths.relative(file)
    unit, step = "", None
    with files.opened(file) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig") as handle:
        try:
            head = _head(handle)
            while head:
                if "UNITS" in head:  # once, before the first frame
                    unit = head["UNITS"][1][0].strip()
                    if unit not in _UNITS:
                        raise Unfit(
                            f"{name} is in units {unit!r}, which have no length in A; write metal "
                            f"or real"
                        )
                    if (length := _UNITS[unit][0]) != 1:
                        print(f"[read] {name}: lengths are in units {unit!r}, of {length:g} A; "
                              f"they are converted", flush=True)  # fmt: skip
                n = _whole(head, "NUMBER OF ATOMS", name)
                rows = list(itertools.islice(handle, n))
                if len(rows) < n and any(row.startswith("ITEM:") for row in rows):
                    raise _damaged(name, step)
                if len(rows) < n or not rows or not rows[-1].endswith("\n"):
                    _ends_early(file, step)
                    return
                step = _whole(head, "TIMESTEP", name)
                yield _frame(head, rows, name, unit)
                head = _head(handle)
            if any(line.startswith("ITEM: TIMESTEP") for line in handle):
                raise _damaged(name, step)
            if head is None:
                _ends_early(file, step)
        except UnicodeDecodeError as error:
            raise Unfit(f"{name} is no text; give a text dump of LAMMPS ({error})") from error
        except files.DAMAGE:
            _ends_early(file, step)  # a kill cut the compressed file off


def _damaged(name: str, step: int | None) -> Unfit:
    after = "its first frame" if step is None else f"the frame of step {step}"
    return Unfit(
        f"{name} has lines that are no frame at or after {after}, and whole frames behind them; "
        f"it was damaged: cut them out"
    )


def _ends_early(file: Path, step: int | None) -> None:
    """A frame is cut off: LAMMPS may be writing it, but not in a run that is finished."""
    if (file.parent / provenance.FILE).is_file():
        after = "before its first frame ends" if step is None else f"after step {step}"
        raise Unfit(
            f"{paths.relative(file)} is cut off {after}, and its run is finished; restore it from "
            f"git or a copy, or remove the run's directory and run it again"
        )


def _head(handle) -> dict[str, tuple[str, list[str]]] | None:
    """ITEM -> (what else its line says, its lines) up to ATOMS.

    Empty at the end of the file, None where something else follows.
    """
    items: dict[str, tuple[str, list[str]]] = {}
    lines = {"TIMESTEP": 1, "UNITS": 1, "TIME": 1, "NUMBER OF ATOMS": 1, "BOX BOUNDS": 3}
    for line in handle:
        if not line.startswith("ITEM: ") or not line.endswith("\n"):
            return None
        text = line[6:].strip()
        name = next((item for item in lines if text == item or text.startswith(f"{item} ")), None)
        if text.startswith("ATOMS"):
            items["ATOMS"] = (text[5:], [])
            wanted = {"TIMESTEP", "NUMBER OF ATOMS", "BOX BOUNDS"}
            return items if wanted <= set(items) else None
        if name is None:
            return None
        items[name] = (text[len(name) :], list(itertools.islice(handle, lines[name])))
        if len(items[name][1]) < lines[name]:
            return None
    return None if items else {}


def _whole(head: dict, item: str, name: str) -> int:
    text = head[item][1][0].strip()
    if not text.isdigit():
        raise Unfit(
            f"{name}: ITEM: {item} is followed by {text[:30]!r}, no whole number; the file was "
            f"damaged, cut that frame out"
        )
    return int(text)


def _frame(head: dict, rows: list[str], name: str, unit: str) -> _Frame:
    length, time_unit = _UNITS[unit or "metal"]
    step = _whole(head, "TIMESTEP", name)
    where = f"{name}, step {step}"
    columns = head["ATOMS"][0].split()
    table = [row.split() for row in rows]
    if bad := [row for row in table if len(row) != len(columns)]:
        raise Unfit(
            f"{where}: an atom has {len(bad[0])} columns instead of {len(columns)} "
            f"({' '.join(columns)}); the file was damaged, cut that frame out"
        )
    table = np.array(table)
    origin, cell = _box(*head["BOX BOUNDS"], where, length)
    try:
        numbers = {
            column: table[:, k].astype(float)
            for k, column in enumerate(columns)
            if column in {"id", *_IMAGES, *itertools.chain(*_UNWRAPPED, *_WRAPPED)}
        }
    except ValueError as error:
        said = str(error).replace("np.str_", "")
        raise Unfit(f"{where}: {said}; the file was damaged, cut that frame out") from error
    _refuse_dense(len(table), cell * length, where)
    positions = _unwrapped(numbers, origin, cell, where)
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise Unfit(f"{where} holds NaN or infinity; the run exploded, cut it before")
    ids = numbers.get("id", np.arange(len(table)))
    if len(np.unique(ids)) < len(ids):
        raise Unfit(f"{where} names an atom twice; dump each atom once")
    order = np.argsort(ids, kind="stable")
    if "element" not in columns:
        raise Unfit(
            f"{where} has no column element; dump with: id type element xu yu zu, and dump_modify "
            f"element C H N Zn"
        )
    try:
        symbols = elements(table[:, columns.index("element")])
    except Unfit as error:
        raise Unfit(f"{where}: {error}") from error
    try:
        time = float(head["TIME"][1][0]) * time_unit if "TIME" in head else np.nan
    except ValueError as error:
        raise Unfit(f"{where}: ITEM: TIME is no number; the file was damaged") from error
    return _Frame(
        step, time, cell * length, ids[order], symbols[order], positions[order] * length,
        "id" in columns, bool(unit),
    )  # fmt: skip


def _unwrapped(
    numbers: dict[str, np.ndarray], origin: np.ndarray, cell: np.ndarray, where: str
) -> np.ndarray:
    """(N, 3) positions against the origin of the box, out of whichever columns tell them."""
    for scaled, names in enumerate(_UNWRAPPED):
        if set(names) <= set(numbers):
            xyz = np.stack([numbers[c] for c in names], axis=1)
            return xyz @ cell if scaled else xyz - origin
    for scaled, names in enumerate(_WRAPPED):
        if set(names) <= set(numbers):
            if not set(_IMAGES) <= set(numbers):
                raise Unfit(
                    f"{where} has wrapped positions ({' '.join(names)}) and no ix iy iz to unwrap "
                    f"them by; dump with xu yu zu"
                )
            xyz = np.stack([numbers[c] for c in names], axis=1)
            images = np.stack([numbers[c] for c in _IMAGES], axis=1) @ cell
            return (xyz @ cell if scaled else xyz - origin) + images
    raise Unfit(f"{where} has no column xu, yu, zu; dump with: id type element xu yu zu")


def _box(kind: str, lines: list[str], where: str, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Origin (3,) and cell (3, 3) of a dump's box: ``lo hi``, ``lo_b hi_b tilt`` or ``abc origin``.

    The bounds of a restricted triclinic box are those of its bounding box; see LAMMPS' manual,
    Howto_triclinic: xlo = xlo_bound - min(0, xy, xz, xy + xz), and so on. A general one has the
    components of a vector and one of the origin in each line.
    """
    borders = [word for word in kind.split() if len(word) == 2 and set(word) <= set("pfsm")]
    if any(border != "pp" for border in borders):
        raise Unfit(
            f"{where} is not periodic in all directions ({' '.join(borders)}); what is measured "
            f"here is of periodic cells"
        )
    try:
        bounds = np.array([line.split() for line in lines], dtype=float)
    except ValueError as error:
        raise Unfit(f"{where}: the box is not three lines of numbers ({error})") from error
    general = kind.split()[:2] == ["abc", "origin"]
    if bounds.shape != (3, 4) if general else bounds.shape not in ((3, 2), (3, 3)):
        raise Unfit(f"{where}: a box of {bounds.shape[-1]} columns after {kind.strip()!r}")
    if "xy" in kind.split() and bounds.shape == (3, 2):
        raise Unfit(f"{where}: the box names tilts (xy xz yz) and has none; write three columns")
    if not general and (bounds[:, 1] <= bounds[:, 0]).any():
        raise Unfit(
            f"{where}: the box ends before it begins ({' '.join(lines[0].split()[:2])} ...); the "
            f"columns (lo hi) are in another order, or the file was damaged"
        )
    if general:
        origin, cell = bounds[:, 3], bounds[:, :3]
    else:
        lo, hi = bounds[:, 0].copy(), bounds[:, 1].copy()
        named = [word for word in kind.split() if word in _TILTS] or list(_TILTS)
        if sorted(named) != list(_TILTS):
            raise Unfit(f"{where}: the box names the tilts {' '.join(named)}, wanted: xy xz yz")
        tilts = bounds[:, 2] if bounds.shape[1] == 3 else np.zeros(3)
        of = dict(zip(named, tilts, strict=True))  # a program other than LAMMPS may order them
        xy, xz, yz = (of[name] for name in _TILTS)
        lo[0] -= min(0, xy, xz, xy + xz)
        hi[0] -= max(0, xy, xz, xy + xz)
        lo[1] -= min(0, yz)
        hi[1] -= max(0, yz)
        lx, ly, lz = hi - lo
        origin, cell = lo, np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
    if not abs(np.linalg.det(cell * length)) > 1e-9:
        raise Unfit(f"{where}: the box has no volume")
    return origin, cell


def _refuse_dense(n: int, cell: np.ndarray, where: str) -> None:
    """Refuse lengths in nm: no matter has so many atoms in a box (A)."""
    if n > _DENSEST * (volume := abs(float(np.linalg.det(cell)))):
        raise Unfit(
            f"{where} has {n / volume:.3g} atoms in an A^3; lengths are not in A: name their unit "
            f"(dump_modify units yes), or convert them"
        )
