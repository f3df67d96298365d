"""The same potential in DeePMD-kit's other backends, to see what each costs.

The book runs TensorFlow's (``.pb``). The others need their own libraries, which the locked
environment leaves out; `missing` says which. They are converted by DeePMD-kit itself by way of its
neutral ``.dp``: weights and cutoffs stay, so forces do, too, but for rounding.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from helpers import paths, provenance
from helpers.potentials import deepmd, store

_PYTORCH = ("torch", "nvidia.cuda_runtime")  # DeePMD-kit's wheel looks for CUDA's runtime, always


@dataclass(frozen=True)
class Backend:
    """suffix: of the model. modules: what has to be there. tabulated: ``dp compress`` on top.
    double: in float64 (DeePMD-kit 3.2 compiles nothing else ahead of time)."""

    suffix: str
    modules: tuple[str, ...]
    tabulated: bool = False
    double: bool = False


BACKENDS = {
    "JAX": Backend("savedmodel", ("jax",)),
    "PyTorch": Backend("pth", _PYTORCH),
    "PyTorch, compressed": Backend("pth", _PYTORCH, tabulated=True),
    "PyTorch, ahead of time, float64": Backend("pt2", _PYTORCH, double=True),
}


def missing(name: str) -> str:
    """What has to be installed for this backend, in words, or ""."""
    lacking = [module for module in BACKENDS[name].modules if not _there(module)]
    return (
        f"no {' and no '.join(lacking)} in this environment (of its own: "
        '"deepmd-kit[cpu,lmp,jax]==3.2.0" torch==2.11.0 "vesin[torch]" '
        "nvidia-cuda-runtime-cu12)"
        if lacking
        else ""
    )


def convert(potential: str | Path, name: str) -> Path:
    """The frozen potential as a model of the backend ``name`` (of `BACKENDS`).

    Kept in ``build/backends/<key>`` for the content of the frozen file.

    Raises
    ------
    store.BadPotential
        see `store.load_potential`.
    deepmd.DPFailed
        DeePMD-kit does not convert it.
    """
    backend = BACKENDS[name]
    frozen = double_precision(potential) if backend.double else store.load(potential).file
    recipe = {
        "frozen": provenance.sha256(frozen),
        "suffix": backend.suffix,
        "tabulated": backend.tabulated,
        "versions": provenance.versions(),
    }
    target = paths.BUILD / "backends" / provenance.key(recipe)
    model = target / f"model.{backend.suffix}"
    if (target / provenance.FILE).is_file():
        provenance.announce("reused", model)
        return model
    with provenance.lock(target):
        began = time.monotonic()
        work = target / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        deepmd.run(work, None, "convert-backend", str(frozen.resolve()), "model.dp")
        deepmd.run(work, None, "convert-backend", "model.dp", model.name)
        if backend.tabulated:
            deepmd.run(
                work,
                None,
                "compress",
                "-i",
                model.name,
                "-o",
                f"tabulated.{backend.suffix}",
                backend="pt",
            )
            (work / f"tabulated.{backend.suffix}").replace(work / model.name)
        if model.is_dir():
            shutil.rmtree(model)  # of a broken-off conversion: `replace` wants an empty one
        (work / model.name).replace(model)
        provenance.write(
            target,
            kind="backend",
            recipe=recipe,
            inputs={"frozen": recipe["frozen"]},
            description=f"{paths.relative(frozen)} for {name}",
            seconds=time.monotonic() - began,
        )
        shutil.rmtree(work)
    provenance.announce("made", model)
    return model


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False


COMPRESSED = "compressed_model.pb"


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
    frozen = store.load(potential).file
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
    deepmd.run(
        work, None, "compress", "-i", str(frozen.resolve()), "-o", COMPRESSED,
        "-s", str(recipe["step"]), "-e", str(recipe["extrapolate"]),
    )  # fmt: skip
    (work / COMPRESSED).replace(target / COMPRESSED)
    provenance.write(
        target, kind="compressed", recipe=recipe,
        description=f"{paths.relative(frozen)} with a tabulated embedding net",
        inputs={store.FROZEN: recipe["frozen"]}, seconds=time.monotonic() - began,
    )  # fmt: skip
    shutil.rmtree(work)


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 2**20:.0f} MiB"


DOUBLE = "double_model.pb"


def double_precision(potential: str | Path) -> Path:
    """The frozen model with its weights widened to float64, and computing in it, by DeePMD-kit's
    own converter. Kept in ``build/double/<key>`` for the content of the frozen file.

    Raises
    ------
    store.BadPotential
        see `store.load_potential`.
    """
    frozen = store.load(potential).file
    recipe = {
        "frozen": provenance.sha256(frozen),
        "precision": "float64",
        "deepmd-kit": provenance.versions().get("deepmd-kit"),
    }
    target = paths.BUILD / "double" / provenance.key(recipe)
    if not (target / provenance.FILE).is_file():
        with provenance.lock(target), store.quiet():
            from deepmd.backend.backend import Backend

            began, tensorflow = time.monotonic(), Backend.get_backend("tensorflow")()
            plain = tensorflow.serialize_hook(str(frozen))
            tensorflow.deserialize_hook(str(target / DOUBLE), _widened(plain))
            provenance.write(
                target,
                kind="double",
                recipe=recipe,
                inputs={"frozen": recipe["frozen"]},
                description=f"{paths.relative(frozen)} in float64",
                seconds=time.monotonic() - began,
            )
    return target / DOUBLE


def _widened(node):
    if isinstance(node, dict):
        return {k: "float64" if k == "precision" else _widened(v) for k, v in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(map(_widened, node))
    narrow = isinstance(node, np.ndarray) and node.dtype == np.float32
    return node.astype(np.float64) if narrow else node
