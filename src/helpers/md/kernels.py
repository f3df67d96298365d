"""Inner loops of DeePMD-kit compiled for this machine's processor, used by LAMMPS if they agree.

``native/deepmd_kernels.cc`` contains three functions of the wheel's ``libdeepmd.so`` under their
own names; preloaded, they are used instead. They are compiled once (``g++``, a second), compared
with the wheel's on random input, and kept in ``build/kernels``. Without a compiler, or if the
comparison fails, the wheel's are used and a line reports it. ``ZIF4_KERNELS=off`` disables them.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from helpers import provenance, settings
from helpers.errors import UserError

SOURCE = Path(__file__).with_name("native") / "deepmd_kernels.cc"
TOLERANCE = 2e-5  # relative to the largest value, of float32 sums of a hundred terms
# not -ffast-math: linked into a library, that would flush denormals in the whole of LAMMPS
FLAGS = ("-std=c++17", "-O3", "-march=native", "-mprefer-vector-width=512", "-ffp-contract=fast",
          "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")  # fmt: skip
_FORWARD = "_ZN6deepmd24tabulate_fusion_se_a_cpuIfEEvPT_PKS1_S4_S4_S4_S4_iiibi"
_GRADIENT = "_ZN6deepmd29tabulate_fusion_se_a_grad_cpuIfEEvPT_S2_S2_PKS1_S4_S4_S4_S4_S4_iiibi"
_VIRIAL = "_ZN6deepmd17prod_virial_a_cpuIdEEvPT_S2_PKS1_S4_S4_PKiiii"


class KernelsDiffer(UserError, RuntimeError):
    """The compiled functions are not those of the installed DeePMD-kit, or give other results."""


class NotCompiled(UserError, RuntimeError):
    """A library does not compile here and now."""


@functools.cache
def library() -> Path | None:
    """The shared library to preload, compiled if necessary.

    Returns
    -------
    Path or None
        The library; None to do without, as a line says.
    """
    if settings.current().kernels == "off":
        return None
    try:
        made = compiled(SOURCE, judge=_judge)
    except NotCompiled as reason:
        print(f"DeePMD-kit's own kernels are used: {reason}", flush=True)
        return None
    if reason := provenance.read(made.parent).get("refused"):
        print(f"DeePMD-kit's own kernels are used: {reason}", flush=True)
        return None
    return made


def _judge(file: Path) -> dict:
    """What the provenance of a library says of it: how far it differs, or why it is not used."""
    try:
        return {"difference": compare(file)}
    except (KernelsDiffer, OSError) as reason:
        return {"refused": str(reason)}


def compiled(source: Path, judge: Callable[[Path], dict] | None = None) -> Path:
    """A library for this machine, compiled once and reused in ``build/kernels/<key>``.

    A failure is not kept: a full disk or no memory may be the reason.

    Parameters
    ----------
    source : Path
        The source (C++).
    judge : callable, optional
        Given the library, returns facts about it for its provenance.

    Returns
    -------
    Path
        The library.

    Raises
    ------
    NotCompiled
        There is no compiler (``g++``, or what ``CXX`` names), or it fails.
    """
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if not compiler:
        raise NotCompiled("no g++ to compile faster ones")
    name = f"lib{source.stem}.so"

    def make(target: Path) -> dict:
        with provenance.replacing(target / name) as part:
            done = subprocess.run(
                [compiler, *FLAGS, "-o", str(part), str(source), "-ldl"],
                capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode:
                raise NotCompiled(_first_error(compiler, done.stderr))
        provenance.announce("made", target / name)
        return judge(target / name) if judge else {}

    folder = provenance.kept(
        "kernels", recipe(compiler, source), make,
        description=f"{source.name}, for this machine", wait=True, speaks=True,
    )  # fmt: skip
    return folder / name


def _first_error(compiler: str, said: str) -> str:
    """Why a library was not compiled, in a line."""
    lines = said.strip().splitlines() or ["it ended without a word"]
    first = next((line for line in lines if "error" in line.lower()), lines[-1])
    return f"{compiler} compiles no faster ones ({first.strip()[:300]})"


def recipe(compiler: str, source: Path) -> dict:
    """All that determines a library that is compiled for this machine's DeePMD-kit.

    Parameters
    ----------
    compiler : str
        Path of the compiler.
    source : Path
        The source.

    Returns
    -------
    dict
        Plain data.
    """
    said = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
    return {
        "source": provenance.sha256(source),
        "flags": FLAGS,
        "processor": processor(),
        "compiler": said.split("\n", 1)[0],
        "deepmd-kit": provenance.versions().get("deepmd-kit"),
    }


def processor() -> str:
    """What ``-march=native`` looks at: a cluster's nodes may share ``build/`` and differ.

    Returns
    -------
    str
        Model and features of the processor.
    """
    text = Path("/proc/cpuinfo").read_text()
    return "; ".join(
        sorted({line for line in text.splitlines() if line.startswith(("model name", "flags"))})
    )


def compare(file: Path) -> float:
    """Largest relative difference between the functions in a library and the wheel's.

    Random input: distances inside both parts of a table and beyond both ends, sorted padding, and a
    list of neighbours with gaps.

    Parameters
    ----------
    file : Path
        The library.

    Returns
    -------
    float
        The difference.

    Raises
    ------
    KernelsDiffer
        A function is missing on either side, or they differ by more than ``TOLERANCE``.
    """
    deepmd = importlib.util.find_spec("deepmd")
    if not (deepmd and deepmd.origin):
        raise KernelsDiffer("deepmd-kit is not installed")
    folder = Path(deepmd.origin).parent / "lib"
    try:
        theirs, ours = (ctypes.CDLL(str(f)) for f in (folder / "libdeepmd.so", file))
        results = [_outputs(lib) for lib in (theirs, ours)]
    except (AttributeError, OSError) as error:
        raise KernelsDiffer(f"not the functions of this DeePMD-kit: {error}") from error
    differences = [np.abs(a - b).max() / np.abs(a).max() for a, b in zip(*results, strict=True)]
    if not max(differences) < TOLERANCE:
        raise KernelsDiffer(f"results differ by {max(differences):.1e} (allowed: {TOLERANCE:.0e})")
    return float(max(differences))


def _outputs(lib: ctypes.CDLL) -> list[np.ndarray]:
    """What the three functions of a library make of the same random input."""
    rng = np.random.default_rng(1)
    n, neighbours, channels = 7, 30, 100
    info = np.array([-0.5, 1.5, 6.0, 0.01, 0.1, 0.0], np.float32)
    table = rng.normal(size=(200 + 45, channels, 6)).astype(np.float32)
    x = rng.uniform(-0.6, 6.2, (n, neighbours)).astype(np.float32)
    em = rng.normal(size=(n, neighbours, 4)).astype(np.float32)
    for i in range(1, n):  # the last i neighbours are empty
        x[i, -i:], em[i, -i:] = -0.25, (0.3, 0, 0, 0)
    em[..., 0] = np.where(em[..., 1] == 0, np.float32(0.3), x)
    dy = rng.normal(size=(n, 4, channels)).astype(np.float32)
    out, d_x, d_em = np.zeros_like(dy), np.zeros_like(x), np.zeros_like(em)
    sizes = (n, neighbours, channels)
    _call(lib, _FORWARD, out, table, info, x, em, None, *sizes, True, 4)
    _call(lib, _GRADIENT, d_x, d_em, None, table, info, x, em, None, dy, *sizes, True, 4)
    virial, atom_virial = np.zeros(9), np.zeros((2 * n, 9))
    net, env = rng.normal(size=(n, neighbours, 4)), rng.normal(size=(n, neighbours, 4, 3))
    rij = rng.normal(size=(n, neighbours, 3))
    nlist = rng.integers(-1, 2 * n, (n, neighbours)).astype(np.int32)
    _call(lib, _VIRIAL, virial, atom_virial, net, env, rij, nlist, n, 2 * n, neighbours)
    return [out, d_x, d_em, virial, atom_virial]


def _call(lib: ctypes.CDLL, name: str, *arguments) -> None:
    plain = []
    for value in arguments:
        if isinstance(value, np.ndarray):
            plain.append(value.ctypes.data_as(ctypes.c_void_p))
        elif value is None:
            plain.append(ctypes.c_void_p())
        else:
            plain.append(ctypes.c_bool(value) if value is True else ctypes.c_int(value))
    function = getattr(lib, name)
    function.restype = None
    function(*plain)
