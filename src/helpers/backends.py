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

from helpers import dp, fidelity, models, paths, provenance

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
    return (f"no {' and no '.join(lacking)} in this environment (of its own: "
            '"deepmd-kit[cpu,lmp,jax]==3.2.0" torch==2.11.0 "vesin[torch]" '
            "nvidia-cuda-runtime-cu12)" if lacking else "")


def convert(potential: str | Path, name: str) -> Path:
    """The frozen potential as a model of the backend ``name`` (of `BACKENDS`).

    Kept in ``build/backends/<key>`` for the content of the frozen file.

    Raises
    ------
    models.BadPotential
        see `models.load_potential`.
    dp.DPFailed
        DeePMD-kit does not convert it.
    """
    backend = BACKENDS[name]
    frozen = (fidelity.double_precision if backend.double else models.model_file)(potential)
    recipe = {"frozen": provenance.sha256(frozen), "suffix": backend.suffix,
              "tabulated": backend.tabulated, "versions": provenance.versions()}
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
        dp.run(work, None, "convert-backend", str(frozen.resolve()), "model.dp")
        dp.run(work, None, "convert-backend", "model.dp", model.name)
        if backend.tabulated:
            dp.run(work, None, "compress", "-i", model.name, "-o", f"tabulated.{backend.suffix}",
                   backend="pt")
            (work / f"tabulated.{backend.suffix}").replace(work / model.name)
        if model.is_dir():
            shutil.rmtree(model)  # of a broken-off conversion: `replace` wants an empty one
        (work / model.name).replace(model)
        provenance.write(
            target, kind="backend", recipe=recipe, inputs={"frozen": recipe["frozen"]},
            description=f"{paths.relative(frozen)} for {name}", seconds=time.monotonic() - began)
        shutil.rmtree(work)
    provenance.announce("made", model)
    return model


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False
