"""Finished potentials: by which name they are found, opened, compressed and shipped.

A *potential* is a directory with ``frozen_model.pb``, ``input.json``, ``lcurve.out``,
``metrics.json`` and ``provenance.json``. Chapters name it and call :func:`load_potential`: a
directory of ``data/potentials`` (shipped), or the one that `training.train` last made or reused
under this name here, which ``build/potentials/<name>`` points to.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from helpers import dp, paths, provenance
from helpers.errors import Unfit, nearest
from helpers.frames import TYPE_MAP

FROZEN = "frozen_model.pb"
COMPRESSED = "compressed_model.pb"
LEARNING = "learning.json"


class BadPotential(ValueError):
    """A potential that is missing, truncated, not readable or made for other elements."""


# ---------------------------------------------------------------- finding


def point(name: str, target: Path) -> None:
    """Let ``build/potentials/<name>`` point to ``target``: it is what ``name`` means here now."""
    link = paths.made("potentials", name)
    if paths.shipped("potentials", name).resolve() == target or link == target:
        return
    if link.is_dir() and not link.is_symlink():
        raise Unfit(f"{paths.relative(link)} is a directory, not a pointer; choose a new name")
    link.parent.mkdir(parents=True, exist_ok=True)
    part = link.with_name(f".{name}.{os.getpid()}")
    part.symlink_to(os.path.relpath(target, link.parent), target_is_directory=True)
    part.replace(link)


def names() -> list[str]:
    """Names that :func:`load_potential` knows: shipped ones, and those trained here."""
    found = {file.parent.name for file in paths.shipped("potentials").glob(f"*/{provenance.FILE}")}
    found |= {file.parent.name for file in paths.made("potentials").glob(f"*/{provenance.FILE}")}
    return sorted(found)


def load_potential(name_or_directory: str | Path) -> Path:
    """Directory of a finished potential.

    A bare name is ``data/potentials/<name>`` (shipped) or ``build/potentials/<name>``: the
    potential that `training.train` last made or reused under this name on this machine, however
    many of other recipes lie beside it. So a chapter that trains live and the chapters after it
    agree by the name alone.

    Raises
    ------
    BadPotential
        no such potential (with the nearest name and how to get one), two of this name, not
        finished, or a frozen model that is not the one its provenance speaks of.
    """
    text = str(name_or_directory)
    if os.sep in text or Path(text).is_absolute():
        candidates = [Path(text), paths.ROOT / text]
    else:
        candidates = [paths.shipped("potentials", text), paths.made("potentials", text)]
    found = list({c.resolve(): c for c in candidates if (c / FROZEN).is_file()})
    if not found:
        raise BadPotential(
            f"no potential {text!r}{nearest(text, names())} (there are: "
            f"{', '.join(names()) or 'none'}); chapter 02_training makes one"
        )
    if len(found) > 1:
        raise BadPotential(
            f"two potentials are called {text!r}: "
            f"{', '.join(paths.relative(f) for f in found)}; give the path of one"
        )
    directory = found[0]
    recorded = provenance.read(directory).get("frozen_sha256")
    if recorded and recorded != provenance.sha256(directory / FROZEN):
        raise BadPotential(
            f"{paths.relative(directory)}/{FROZEN} is truncated or changed (its sha256 is not the "
            f"one in {provenance.FILE}); restore it from git or train it again"
        )
    return directory


def model_file(potential: str | Path) -> Path:
    """The model file of a potential: a ``.pb`` itself, or the frozen one of a directory or name."""
    path = Path(potential)
    if path.suffix == ".pb":
        if not path.is_file():
            raise BadPotential(f"{paths.relative(path)} does not exist; train or restore it")
        return path
    return load_potential(potential) / FROZEN


def ship(potential: str | Path, name: str) -> Path:
    """Copy a potential trained here to ``data/potentials/<name>``: what a reader needs of it.

    An older one of this name stays until all is copied.
    """
    source, target = load_potential(potential), paths.shipped("potentials", name)
    part = target.with_name(f".{name}.{os.getpid()}")
    part.mkdir(parents=True)
    for file in (FROZEN, "lcurve.out", "metrics.json"):
        shutil.copy(source / file, part / file)
    for file in (LEARNING, paths.CORRECTION.name):  # not every potential has them
        if (source / file).is_file():
            shutil.copy(source / file, part / file)
    text = json.loads((source / "input.json").read_text())
    sets = provenance.read(source)["sets"]
    for section in ("training", "validation"):
        text["training"][f"{section}_data"]["systems"] = [
            f"../../frames/{Path(s).name}/{section}" for s in sets
        ]
    (part / "input.json").write_text(json.dumps(text, indent=1) + "\n")
    shutil.copy(source / provenance.FILE, part / provenance.FILE)
    provenance.replace(target, part)
    return target


# ---------------------------------------------------------------- opening


def check_potential(potential: str | Path, symbols: Sequence[str] | None = None):
    """Open a potential as ``deepmd.infer.DeepPot``, or say on one line why not.

    potential: name, directory or ``.pb``. symbols: elements it must know, e.g.
    ``atoms.get_chemical_symbols()``.

    Raises
    ------
    BadPotential
        truncated or unreadable file; elements it does not know; not the type map of this book.
    """
    file = model_file(potential)
    where = paths.relative(file)
    try:
        model = _opened(str(file), file.stat().st_mtime_ns)
        type_map = tuple(model.get_type_map())
    except Exception as error:  # protobuf, TensorFlow and DeePMD-kit each have their own
        reason = (str(error).strip() or "no reason given").splitlines()[-1]
        raise BadPotential(
            f"{where} is truncated or no deep potential ({type(error).__name__}: {reason}); "
            f"restore it from git or train it again"
        ) from error
    unknown = sorted(set(() if symbols is None else symbols) - set(type_map))
    if unknown:
        raise BadPotential(
            f"{where} knows {', '.join(type_map)}, the structure also has {', '.join(unknown)}; "
            f"use a structure of these elements or another potential"
        )
    if type_map != TYPE_MAP:
        raise BadPotential(
            f"{where} has the type map {type_map}, this book's structures and LAMMPS inputs have "
            f"{TYPE_MAP}; train it with this one"
        )
    return model


@lru_cache(maxsize=2)
def _opened(file: str, changed: int):  # `changed`: a file that was written again is another one
    with quiet():
        from deepmd.infer import DeepPot

        return DeepPot(file)


@contextmanager
def quiet():
    """No hints of DeePMD-kit, no stderr of compiled code: pages about a CUDA that is not there."""
    logging.getLogger("deepmd").setLevel(logging.ERROR)
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


# ---------------------------------------------------------------- compressing


def compress(potential: str | Path, step: float = 0.01) -> Path:
    """The tabulated model for fast molecular dynamics, made once and reused.

    The embedding net becomes a table of fifth-order polynomials (Lu et al., J. Chem. Theory
    Comput. 18, 5559 (2022)), ``step`` apart within the range of the training data and ten times
    that up to five times the range. Kept in ``build/compressed/<key>/`` for the content
    of the frozen file. Waits while another process makes the same one. Returns the ``.pb`` file.

    Raises
    ------
    BadPotential
        see :func:`load_potential`.
    DPFailed
        ``dp compress`` died (a model trained with ``--skip-neighbor-stat`` cannot be compressed).
    """
    frozen = model_file(potential)
    recipe = {
        "frozen": provenance.sha256(frozen), "step": step, "extrapolate": 5,
        "deepmd-kit": provenance.versions().get("deepmd-kit"),
    }  # fmt: skip
    target = paths.BUILD / "compressed" / provenance.key(recipe)
    finished = target / provenance.FILE
    while not finished.is_file():
        try:
            with provenance.lock(target):
                if not finished.is_file():
                    _compress(frozen, target, recipe)
                    provenance.announce("made", target / COMPRESSED, _size(target / COMPRESSED))
                    return target / COMPRESSED
        except provenance.DirectoryBusy as busy:
            print(f"waiting: {busy}", flush=True)
            time.sleep(5)
    provenance.announce("reused", target / COMPRESSED, _size(target / COMPRESSED))
    return target / COMPRESSED


def _compress(frozen: Path, target: Path, recipe: dict) -> None:
    work = target / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    began = time.monotonic()
    dp.run(
        work, None, "compress", "-i", str(frozen.resolve()), "-o", COMPRESSED,
        "-s", str(recipe["step"]), "-e", str(recipe["extrapolate"]),
    )  # fmt: skip
    (work / COMPRESSED).replace(target / COMPRESSED)
    provenance.write(
        target, kind="compressed", recipe=recipe,
        description=f"{paths.relative(frozen)} with a tabulated embedding net",
        inputs={FROZEN: recipe["frozen"]}, seconds=time.monotonic() - began,
    )  # fmt: skip
    shutil.rmtree(work)


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 2**20:.0f} MiB"
