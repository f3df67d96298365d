"""A potential in another form: tabulated, in double precision, or for another backend.

The book runs TensorFlow's form (``.pb``). The other backends need libraries of their own, which the
locked environment does not contain; `missing` names them. DeePMD-kit itself converts by way of its
neutral ``.dp``: weights and cutoffs are unchanged, and so are the forces except for rounding.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from helpers import paths, provenance
from helpers.potentials import deepmd, store
from helpers.potentials.store import Potential

_PYTORCH = ("torch", "nvidia.cuda_runtime")  # DeePMD-kit's wheel looks for CUDA's runtime, always


@dataclass(frozen=True)
class Backend:
    """A backend of DeePMD-kit.

    Attributes
    ----------
    suffix : str
        Suffix of its models.
    modules : tuple of str
        Python modules that it needs.
    tabulated : bool
        Whether ``dp compress`` is applied as well.
    double : bool
        Whether it computes in float64 (DeePMD-kit 3.2 compiles nothing else ahead of time).
    """

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
    """What has to be installed for a backend.

    Parameters
    ----------
    name : str
        One of `BACKENDS`.

    Returns
    -------
    str
        In words; empty if nothing is missing.
    """
    lacking = [module for module in BACKENDS[name].modules if not _there(module)]
    return (
        f"no {' and no '.join(lacking)} in this environment (of its own: "
        '"deepmd-kit[cpu,lmp,jax]==3.2.0" torch==2.11.0 "vesin[torch]" '
        "nvidia-cuda-runtime-cu12)"
        if lacking
        else ""
    )


def convert(potential: str | Path | Potential, name: str) -> Path:
    """The frozen potential as a model of another backend.

    It is kept in ``build/backends/<key>``, by the content of the frozen file.

    Parameters
    ----------
    potential : str, Path or Potential
        See `store.load`.
    name : str
        One of `BACKENDS`.

    Returns
    -------
    Path
        The model.

    Raises
    ------
    BadPotential
        As `store.load`.
    DPFailed
        DeePMD-kit does not convert it.
    """
    backend = BACKENDS[name]
    frozen = store.load(double_precision(potential) if backend.double else potential)
    recipe = {
        "frozen": frozen.sha256,
        "suffix": backend.suffix,
        "tabulated": backend.tabulated,
        "versions": provenance.versions(),
    }
    model = f"model.{backend.suffix}"

    def make(target: Path) -> None:
        with _workplace(target) as work:
            deepmd.run(work, None, "convert-backend", str(frozen.file.resolve()), "model.dp")
            deepmd.run(work, None, "convert-backend", "model.dp", model)
            if backend.tabulated:
                tabulated = f"tabulated.{backend.suffix}"
                deepmd.run(work, None, "compress", "-i", model, "-o", tabulated, backend="pt")
                (work / tabulated).replace(work / model)
            if (target / model).is_dir():
                shutil.rmtree(target / model)  # of a broken-off conversion: only an empty one goes
            (work / model).replace(target / model)

    made = provenance.kept(
        "backends",
        recipe,
        make,
        description=f"{paths.relative(frozen.file)} for {name}",
        inputs={"frozen": frozen.sha256},
    )
    return made / model


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    """An empty folder in ``target`` that goes when all went well: else its logs are of use."""
    work = target / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    yield work
    shutil.rmtree(work)


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False


# ---------------------------------------------------------------- compressed

COMPRESSED = "compressed_model.pb"


def compress(potential: str | Path | Potential, step: float = 0.01) -> Path:
    """The tabulated model for fast molecular dynamics, made once and reused.

    The embedding network is replaced by a table of fifth-order polynomials (Lu et al., J. Chem.
    Theory Comput. 18, 5559 (2022)), at intervals of ``step`` within the range of the training data
    and of ten times that up to five times the range. It is kept in ``build/compressed/<key>``, by
    the content of the frozen file. If another process is making the same table, this call waits for
    it.

    Parameters
    ----------
    potential : str, Path or Potential
        See `store.load`.
    step : float
        Interval of the table, in standard deviations of the switched inverse distance.

    Returns
    -------
    Path
        The ``.pb`` file.

    Raises
    ------
    BadPotential
        As `store.load`.
    DPFailed
        ``dp compress`` failed (a model trained with ``--skip-neighbor-stat`` cannot be compressed).
    """
    frozen = store.load(potential)
    recipe = {
        "frozen": frozen.sha256, "step": step, "extrapolate": 5,
        "deepmd-kit": provenance.versions().get("deepmd-kit"),
    }  # fmt: skip

    def make(target: Path) -> None:
        with _workplace(target) as work:
            deepmd.run(
                work, None, "compress", "-i", str(frozen.file.resolve()), "-o", COMPRESSED,
                "-s", str(recipe["step"]), "-e", str(recipe["extrapolate"]),
            )  # fmt: skip
            (work / COMPRESSED).replace(target / COMPRESSED)

    made = provenance.kept(
        "compressed",
        recipe,
        make,
        description=f"{paths.relative(frozen.file)} with a tabulated embedding net",
        inputs={store.FROZEN: frozen.sha256},
        wait=True,
    )
    return made / COMPRESSED


def trainable(potential: str | Path | Potential, copy: Path) -> Path:
    """The frozen model as ``dp train --init-frz-model`` takes it.

    What ``dp convert-backend`` writes (a potential from a graphics card) has all weights and lacks
    the node that says what kind of model it is.

    Parameters
    ----------
    potential : str, Path or Potential
        See `store.load`.
    copy : Path
        Where a completed copy is written, if there has to be one.

    Returns
    -------
    Path
        The frozen model itself, or the copy.

    Raises
    ------
    BadPotential
        As `store.load`.
    """
    import tensorflow as tf

    file = store.load(potential).file
    graph = tf.compat.v1.GraphDef.FromString(file.read_bytes())
    if any(node.name == "model_type" for node in graph.node):
        return file
    kind = graph.node.add(name="model_type", op="Const")
    kind.attr["dtype"].type = tf.string.as_datatype_enum
    kind.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("original_model"))
    copy.write_bytes(graph.SerializeToString(deterministic=True))
    return copy


# ---------------------------------------------------------------- in double precision

DOUBLE = "double_model.pb"


def double_precision(potential: str | Path | Potential) -> Path:
    """The frozen model with its weights widened to float64 and computing in float64.

    DeePMD-kit's own converter makes it. It is kept in ``build/double/<key>``, by the content of the
    frozen file.

    Parameters
    ----------
    potential : str, Path or Potential
        See `store.load`.

    Returns
    -------
    Path
        The ``.pb`` file.

    Raises
    ------
    BadPotential
        As `store.load`.
    """
    frozen = store.load(potential)
    recipe = {
        "frozen": frozen.sha256,
        "precision": "float64",
        "deepmd-kit": provenance.versions().get("deepmd-kit"),
    }

    def make(target: Path) -> None:
        with store.quiet():
            from deepmd.backend.backend import Backend

            tensorflow = Backend.get_backend("tensorflow")()
            plain = tensorflow.serialize_hook(str(frozen.file))
            tensorflow.deserialize_hook(str(target / DOUBLE), _widened(plain))

    made = provenance.kept(
        "double",
        recipe,
        make,
        description=f"{paths.relative(frozen.file)} in float64",
        inputs={"frozen": frozen.sha256},
    )
    return made / DOUBLE


def _widened(node):
    if isinstance(node, dict):
        return {k: "float64" if k == "precision" else _widened(v) for k, v in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(map(_widened, node))
    narrow = isinstance(node, np.ndarray) and node.dtype == np.float32
    return node.astype(np.float64) if narrow else node
