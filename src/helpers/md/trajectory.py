"""The trajectory of a heating run, read from LAMMPS' text dump.

``trajectory.lammpstrj[.gz]`` has the columns ``id type element xu yu zu``; OVITO, ASE
(``format="lammps-dump-text"``) and MDAnalysis (``format="LAMMPSDUMP"``) open it too.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from helpers import paths
from helpers.errors import NotThere, Unfit
from helpers.md import thermo

FILE = "trajectory.lammpstrj"


@dataclass(frozen=True)
class Trajectory:
    """Frames of one run.

    symbols: (N,) chemical symbols. steps, times_ps: (F,). temperatures_K: (F,) *target*
    temperatures of the thermostat. cells: (F, 3, 3) lattice vectors as rows, A.
    positions: (F, N, 3) A, unwrapped (an atom that leaves the cell goes on).
    """

    symbols: np.ndarray
    steps: np.ndarray
    times_ps: np.ndarray
    temperatures_K: np.ndarray
    cells: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, which) -> Trajectory:
        """Frames by slice, mask or list of indices; an int gives a trajectory of one frame."""
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
        """Frames whose target temperature is in [t_lo_K, t_hi_K)."""
        t = self.temperatures_K
        return self[(t >= t_lo_K) & (t < t_hi_K)]

    def last(self, n: int) -> Trajectory:
        """The last ``n`` frames (all, when there are fewer)."""
        return self[max(len(self) - n, 0) :]

    def atoms(self, frame: int = -1) -> Atoms:
        """One frame as periodic ASE atoms, unwrapped."""
        return Atoms(self.symbols, self.positions[frame], cell=self.cells[frame], pbc=True)


def read(run: Path | str, *, every: int = 1) -> Trajectory:
    """Trajectory of a run directory (finished or not) or of a dump file.

    Times and target temperatures come from ``thermo.csv`` beside the file; without one they are
    NaN. A last frame that a kill cut off is left out.

    Parameters
    ----------
    run: run directory or the dump file, plain or gzipped.
    every: keep every so-manieth frame.

    Raises
    ------
    FileNotFoundError
        no trajectory there.
    ValueError
        the file is not a dump with the columns ``element xu yu zu``, holds no whole frame, or
        changes its number of atoms; ``thermo.csv`` has no row.
    """
    file = _file(run)
    frames = [frame for i, frame in enumerate(_frames(file)) if i % every == 0]
    if not frames:
        raise Unfit(f"{paths.relative(file)} holds no whole frame yet")
    steps, cells, symbols, positions = zip(*frames, strict=True)
    steps = np.array(steps)
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
        times = targets = np.full(len(steps), np.nan)
    if len({len(s) for s in symbols}) > 1:
        raise Unfit(f"{paths.relative(file)} changes its number of atoms")
    return Trajectory(symbols[0], steps, times, targets, np.array(cells), np.array(positions))


def steps(file: Path) -> list[int]:
    """Steps of the whole frames of a plain dump, up to the first one that is damaged or cut off."""
    return [step for step, _ in _index(file)]


def truncate(file: Path, step: int) -> None:
    """Cut a plain dump after its last whole frame at or before ``step`` (for a restart)."""
    end = 0
    for found, frame_end in _index(file):
        if found > step:
            break
        end = frame_end
    with open(file, "r+b") as handle:
        handle.truncate(end)


def thin(source: Path, target: Path, every: int) -> int:
    """Write every so-manieth frame of a dump, and the last one, gzipped; how many those are.

    Frame number ``every`` is the first: of frames 0.02 ps apart every fifth are those at 0.1 ps,
    0.2 ps ...
    """
    kept, n, chunk = 0, 0, []
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


def _frames(file: Path) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """step, cell (3, 3), symbols (N,), positions (N, 3) of every whole frame."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else open(file) as handle:
        while handle.readline().startswith("ITEM: TIMESTEP"):
            head = [handle.readline() for _ in range(8)]
            if not head[-1].endswith("\n"):
                return
            n = int(head[2])
            columns = head[7].split()[2:]
            if missing := {"element", "xu", "yu", "zu"} - set(columns):
                raise Unfit(
                    f"{paths.relative(file)} has no column {', '.join(sorted(missing))}; "
                    f"dump with: id type element xu yu zu"
                )
            lines = [handle.readline() for _ in range(n)]
            if not lines[-1].endswith("\n"):
                return
            rows = np.array(" ".join(lines).split()).reshape(n, len(columns))
            xyz = rows[:, [columns.index(c) for c in ("xu", "yu", "zu")]].astype(float)
            origin, cell = _box(np.array([line.split() for line in head[4:7]], dtype=float))
            yield int(head[0]), cell, rows[:, columns.index("element")], xyz - origin


def _box(bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Origin (3,) and cell (3, 3) from a dump's box lines, ``lo hi`` or ``lo_b hi_b tilt``.

    The bounds of a triclinic box are those of its bounding box; see LAMMPS' manual,
    Howto_triclinic: xlo = xlo_bound - min(0, xy, xz, xy + xz), and so on.
    """
    lo, hi = bounds[:, 0].copy(), bounds[:, 1].copy()
    xy, xz, yz = bounds[:, 2] if bounds.shape[1] == 3 else np.zeros(3)
    lo[0] -= min(0, xy, xz, xy + xz)
    hi[0] -= max(0, xy, xz, xy + xz)
    lo[1] -= min(0, yz)
    hi[1] -= max(0, yz)
    lx, ly, lz = hi - lo
    return lo, np.array([[lx, 0, 0], [xy, ly, 0], [xz, yz, lz]])
