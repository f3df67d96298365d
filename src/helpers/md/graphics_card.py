"""Heating runs whose forces a graphics card gives, many at once, on the machine that has it.

Each run is one LAMMPS with the same input as here (thermostat, barostat, ramp, samples); in place
of DeePMD-kit's plugin, ``fix external`` asks `card_potential`, which evaluates all runs of a group
together (``native/card_*``). A run that is not finished in time goes on here from its last restart
file. `helpers.recipes.card_runs` packs the runs and takes them back.

This module needs NumPy and the files beside it, and nothing of this book: it travels. Without a
card, ``card_potential`` can be compiled by a plain C++ compiler, which is slow: so it is tested.

Units: LAMMPS' metal units (eV, A, ps).
"""

from __future__ import annotations

import json
import lzma
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

_GROUPS, _TYPES = 8, 8  # as in native/card.h
_GROUP, _HEADER, _PLACE = 88, 16, 64  # bytes
_SOURCES = ("card.h", "card_potential.cu", "card_lammps.cc")
_DIGITS = 4  # of a coordinate in LAMMPS' trajectory
_PART_BYTES, _PARTS = 15 * 2**20, 4  # of one file that comes back, and at a time


def shared(file: Path, groups: list[dict]) -> None:
    """Write the file in memory that LAMMPS and the card share (``native/card.h``).

    Parameters
    ----------
    file : Path
        The file.
    groups : list of dict
        ``places`` (runs at a time), ``atoms`` (of each), ``of_type`` (atoms of each element).
    """
    end = _HEADER + _GROUPS * _GROUP
    heads = []
    for group in groups:
        places, atoms = group["places"], group["atoms"]
        offsets = []
        for size in (_PLACE, 24 * atoms, 72, 12 * atoms, 64):
            end = -(-end // 256) * 256
            offsets.append(end)
            end += places * size
        of_type = [*group["of_type"], *[0] * (_TYPES - len(group["of_type"]))]
        heads.append(struct.pack("=2i8iii5q", places, atoms, *of_type, 0, 0, *offsets))
    with open(file, "wb") as out:
        out.write(struct.pack("=4i", len(groups), 0, 0, 0) + b"".join(heads))
        out.truncate(end)


def compiled(folder: Path, compiler: str) -> tuple[Path, Path]:
    """The two programs, compiled if they are not there.

    Parameters
    ----------
    folder : Path
        Folder of the sources; the programs are put there.
    compiler : str
        ``nvcc``, or a C++ compiler, which makes the one without a card.

    Returns
    -------
    (Path, Path)
        The potential, and LAMMPS' other half.

    Raises
    ------
    subprocess.CalledProcessError
        A compiler failed; what it said is on the screen.
    """
    potential, other = folder / "card_potential", folder / "card_lammps"
    sources = max((folder / name).stat().st_mtime for name in _SOURCES)
    if not potential.exists() or potential.stat().st_mtime < sources:
        how = ["-arch=native", "-lcublas"] if "nvcc" in compiler else ["-xc++", "-march=native"]
        source = str(folder / "card_potential.cu")
        command = [compiler, "-O3", "-std=c++17", *how[:1], source, *how[1:], "-o", str(potential)]
        subprocess.run(command, check=True)
    if not other.exists() or other.stat().st_mtime < sources:
        source = str(folder / "card_lammps.cc")
        command = ["g++", "-O2", "-std=c++17", source, "-o", str(other), "-ldl"]
        subprocess.run(command, check=True)
    return potential, other


def run(
    work: Path,
    programs: tuple[Path, Path],
    lammps: Path,
    seconds: float,
    target: Path | None = None,
    save_every_s: float = 90.0,
) -> dict:
    """Make the runs of a folder, as far as the time allows.

    Parameters
    ----------
    work : Path
        The folder: ``jobs.json``, ``weights.bin``, and a folder for every run.
    programs : (Path, Path)
        See `compiled`.
    lammps : Path
        LAMMPS' library.
    seconds : float
        When all are stopped, s.
    target : Path, optional
        Folder to which all is saved again and again, should the machine be taken away.
    save_every_s : float
        Time between two such savings, s.

    Returns
    -------
    dict
        ``device``, ``seconds``, and ``said``: what the programs wrote.

    Raises
    ------
    RuntimeError
        The potential does not start.
    """
    work = work.resolve()
    groups = json.loads((work / "jobs.json").read_text())["groups"]
    memory = Path("/dev/shm") / f"zif4-card-{os.getpid()}"
    shared(memory, groups)
    began = time.monotonic()
    commands: dict[tuple[int, int], list] = {}
    processes: dict[tuple[int, int], subprocess.Popen] = {}
    said = open(work / "said", "w+")  # noqa: SIM115, all children write there
    server = subprocess.Popen(
        [programs[0].resolve(), work / "weights.bin", memory], stdout=said, stderr=said
    )
    try:
        with open(memory, "r+b") as handle, mmap.mmap(handle.fileno(), 0) as view:
            while not struct.unpack_from("=i", view, 4)[0]:
                if server.poll() is not None:
                    raise RuntimeError(
                        f"the potential does not start: {(work / 'said').read_text()}"
                    )
                time.sleep(0.05)
            print(f"ready after {time.monotonic() - began:.1f} s", flush=True)
            for number, group in enumerate(groups):
                jobs = work / f"jobs{number}"
                jobs.write_text("\n".join(group["jobs"]) + "\n")
                for place in range(group["places"]):
                    command = [programs[1].resolve(), lammps, memory, number, place, jobs]
                    commands[number, place] = command
                    processes[number, place] = _started(command, said)
            told = saved = began
            saving = None
            while any(process.poll() is None for process in processes.values()):
                time.sleep(0.1)
                now = time.monotonic()
                if now - began > seconds or server.poll() is not None:
                    struct.pack_into("=i", view, 8, 1)
                else:
                    for (number, place), process in processes.items():
                        if process.poll():  # it died: nobody waits for it, the next one goes on
                            (states,) = struct.unpack_from(
                                "=q", view, _HEADER + number * _GROUP + 48
                            )
                            struct.pack_into("=i", view, states + place * _PLACE, 0)
                            processes[number, place] = _started(commands[number, place], said)
                if now - told > 20:
                    told = now
                    print(f"{now - began:.0f} s: {_state(work, groups)}", flush=True)
                if (
                    target
                    and now - saved > save_every_s
                    and (not saving or saving.poll() is not None)
                ):
                    saved = now
                    command = [sys.executable, __file__, "save", work, target, f"{now - began:.1f}"]
                    saving = subprocess.Popen(["nice", *map(str, command)])
            if saving:
                saving.wait()  # what it writes would come after the end
            struct.pack_into("=i", view, 8, 1)
            server.wait(30)
    finally:
        for process in [*processes.values(), server]:
            process.kill()
        memory.unlink(missing_ok=True)
    said.seek(0)
    return {"device": device(), "seconds": time.monotonic() - began, "said": said.read()}


def device() -> str:
    """Name of the card of this machine.

    Returns
    -------
    str
        Its name, or "no card".
    """
    if not shutil.which("nvidia-smi"):
        return "no card"
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def _started(command: list, said) -> subprocess.Popen:
    return subprocess.Popen(
        [str(word) for word in command],
        cwd=Path(said.name).parent,
        stdout=said,
        stderr=said,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def _names(groups: list[dict]) -> list[str]:
    """Folders of all runs; in a line of jobs, B<A is one that goes on from A."""
    return [word.split("<")[0] for group in groups for word in " ".join(group["jobs"]).split()]


def _state(work: Path, groups: list[dict]) -> str:
    """The last step of every run that has begun."""
    words = []
    for group in groups:
        for name in _names([group]):
            table = work / name / "thermo.csv"
            if table.is_file() and table.stat().st_size:
                last = table.read_bytes()[-400:].split(b"\n")[-2].split(b",")
                words.append(f"{Path(name).name} {last[0].decode()}")
    return ", ".join(words)


# --- coming back ----------------------------------------------------------------------------


def packed(folder: Path) -> dict[str, bytes]:
    """What is to be known of a run, made small.

    Parameters
    ----------
    folder : Path
        Folder of the run.

    Returns
    -------
    dict of str to bytes
        Name -> compressed content: the tables, the newest restart file, the end, the trajectory.
    """
    found = {}
    restarts = sorted(folder.glob("restart.*"), key=lambda file: int(file.suffix[1:]))
    for file in (
        folder / "thermo.csv", folder / "end.data", folder / "lammps.out", folder / "card.seconds",
        folder / "card.error", *restarts[-2:],
    ):  # fmt: skip
        if file.is_file():
            found[f"{file.name}.xz"] = lzma.compress(file.read_bytes(), preset=1)
    dump = folder / "trajectory.lammpstrj"
    if dump.is_file():
        found["trajectory.xz"] = packed_trajectory(dump.read_bytes())
    return found


def packed_trajectory(text: bytes) -> bytes:
    """A LAMMPS trajectory of sorted atoms as differences from frame to frame.

    Parameters
    ----------
    text : bytes
        The file: ``id type element xu yu zu``, four digits; a frame that is cut off is left out.

    Returns
    -------
    bytes
        To be given to `trajectory_text`.
    """
    frames = [b"ITEM: TIMESTEP" + part for part in text.split(b"ITEM: TIMESTEP")[1:]]
    heads, rows, atoms, end = [], [], b"", ""
    for frame in frames:
        lines = frame.split(b"\n", 9)
        if len(lines) < 10 or lines[9].count(b"\n") != int(lines[3]):
            break
        head, body = b"\n".join([*lines[:9], b""]), lines[9]
        numbers = np.fromstring(body.translate(None, b"CHNZn").decode(), sep=" ").reshape(-1, 5)
        if not heads:
            atoms = b"\n".join(b" ".join(line.split()[:3]) for line in body.splitlines())
            end = " " if body.endswith(b" \n") else ""
        heads.append(head)
        rows.append(np.rint(numbers[:, 2:] * 10**_DIGITS).astype("<i8"))
    if not rows:
        return lzma.compress(b"{}", preset=1)
    change = np.diff(np.array(rows), axis=0, prepend=0).astype("<i4")
    planes = np.ascontiguousarray(change.reshape(-1, 1).view(np.uint8).T).tobytes()
    about = {
        "heads": [h.decode() for h in heads],
        "atoms": atoms.decode(),
        "shape": change.shape,
        "end": end,
    }
    start = json.dumps(about).encode()
    return lzma.compress(struct.pack("<q", len(start)) + start + planes, preset=2)


def trajectory_text(data: bytes) -> bytes:
    """The trajectory as LAMMPS wrote it, from `packed_trajectory`.

    Parameters
    ----------
    data : bytes
        What that made.

    Returns
    -------
    bytes
        The file.
    """
    raw = lzma.decompress(data)
    if raw == b"{}":
        return b""
    (length,) = struct.unpack_from("<q", raw)
    about = json.loads(raw[8 : 8 + length])
    planes = np.frombuffer(raw, np.uint8, offset=8 + length).reshape(4, -1)
    change = np.ascontiguousarray(planes.T).view("<i4").reshape(about["shape"])
    positions = np.cumsum(change, axis=0, dtype=np.int64) / 10**_DIGITS
    form = "\n".join(
        f"{line} %.{_DIGITS}f %.{_DIGITS}f %.{_DIGITS}f{about['end']}"
        for line in about["atoms"].splitlines()
    )
    return "".join(
        head + form % tuple(frame.ravel()) + "\n"
        for head, frame in zip(about["heads"], positions, strict=True)
    ).encode()


def bring(work: Path, facts: dict, back: Path, at_most: int = 0) -> None:
    """Write what is to come back: ``facts.json`` and some files of runs, none above the limit.

    Parameters
    ----------
    work : Path
        Folder of the runs.
    facts : dict
        What `run` returned.
    back : Path
        Folder for the files.
    at_most : int
        Bytes of all files; the largest runs are left out. 0: all of them.
    """
    about = json.loads((work / "jobs.json").read_text())
    names = _names(about["groups"])
    signs = ("thermo.csv", "card.error")  # that it was begun
    names = [name for name in names if any((work / name / sign).is_file() for sign in signs)]
    with ProcessPoolExecutor() as pool:
        contents = list(pool.map(packed, [work / name for name in names]))
    parts: list[dict] = [{}]
    room = _PART_BYTES
    sizes = {name: sum(map(len, c.values())) for name, c in zip(names, contents, strict=True)}
    total = 0
    for name, content in sorted(zip(names, contents, strict=True), key=lambda pair: sizes[pair[0]]):
        total += sizes[name]
        if at_most and total > at_most:
            break
        for file, data in content.items():
            number = 0
            while data:  # a long trajectory travels in pieces
                if not room:
                    parts.append({})
                    room = _PART_BYTES
                piece, data = data[:room], data[room:]
                parts[-1][f"{Path(name).name}/{file}/{number}"] = piece
                room -= len(piece)
                number += 1
    for number, part in enumerate(parts):
        arrays = {name: np.frombuffer(data, np.uint8) for name, data in part.items()}
        np.savez(back / f"runs-{work.name}-{number}.npz", **arrays)
    file = back / "facts.json"  # files of an earlier job may still wait here: their keys stay
    earlier: dict = {"keys": {}, "begun": {}, "files": 0}
    if file.is_file():
        earlier = json.loads(file.read_text())
    facts = facts | {
        "keys": earlier["keys"] | about["keys"],
        "begun": earlier["begun"] | about["begun"],
        "files": earlier["files"] + len(parts),
    }
    file.write_text(json.dumps(facts, indent=1) + "\n")


def save(work: Path, target: Path, seconds: float) -> None:
    """Write what there is of runs under way where it comes back if the machine is taken away.

    What is more than may travel in one go is left out, the largest runs first.

    Parameters
    ----------
    work : Path
        Folder of the runs.
    target : Path
        Folder from which it travels.
    seconds : float
        Time since the runs were begun, s.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        facts = {"device": device(), "seconds": seconds, "said": "taken away"}
        bring(work, facts, Path(folder), at_most=_PARTS * _PART_BYTES)
        for file in target.glob("runs*.npz"):
            file.unlink()
        for file in Path(folder).iterdir():
            shutil.move(file, target / file.name)


def deliver(back: Path, target: Path) -> None:
    """Move as many files as may travel in one go.

    Parameters
    ----------
    back : Path
        Folder of `bring`.
    target : Path
        Folder from which they travel.
    """
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(back / "facts.json", target)
    files = sorted(back.glob("runs*.npz"))
    for file in files[:_PARTS]:
        shutil.move(file, target)
    print(
        f"{min(len(files), _PARTS)} of {len(files)} files; the others: call with `more`", flush=True
    )


def main(
    job: Path,
    lammps: Path,
    target: Path,
    seconds: float,
    compiler: str = "nvcc",
    folder: Path = Path("/tmp/zif4-card"),
    save_every_s: float = 90.0,
) -> None:
    """All that is done on the other machine.

    Parameters
    ----------
    job : Path
        The file that was packed, ``.tar.xz``.
    lammps : Path
        LAMMPS' library.
    target : Path
        Folder for what comes back.
    seconds : float
        Time for the runs, s; packing comes on top.
    compiler : str
        See `compiled`.
    folder : Path
        Folder for the programs, which are compiled once for all jobs.
    save_every_s : float
        See `run`.
    """
    work = Path(tempfile.mkdtemp(prefix="zif4-card-"))
    with tarfile.open(job) as archive:
        archive.extractall(work, filter="data")
    folder.mkdir(exist_ok=True)
    for name in _SOURCES:
        if (
            not (folder / name).is_file()
            or (folder / name).read_bytes() != (work / name).read_bytes()
        ):
            shutil.copy(work / name, folder)
    facts = run(work, compiled(folder, compiler), lammps, seconds, target, save_every_s)
    print(facts["said"], flush=True)
    for file in target.glob("runs*.npz"):  # what was saved on the way
        file.unlink()
    back = folder / "back"
    back.mkdir(exist_ok=True)
    bring(work, facts, back)
    deliver(back, target)
    shutil.rmtree(work)


if __name__ == "__main__":
    if sys.argv[1] == "more":
        deliver(Path("/tmp/zif4-card/back"), Path(sys.argv[2]))
    elif sys.argv[1] == "save":
        save(Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
    else:
        job, lammps, target, seconds = sys.argv[1:]
        main(Path(job), Path(lammps).resolve(), Path(target), float(seconds))
