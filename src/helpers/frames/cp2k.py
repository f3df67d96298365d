"""Density-functional theory by CP2K: the check of the labels that the reference gives.

PBE-D3 with the settings of the molecular dynamics that the reference was fitted to (Quickstep,
DZVP-GTH-PBE on C, H, N and DZVP-MOLOPT-SR-GTH on Zn, GTH-PBE pseudopotentials, 600 Ry; the input
of that work is in folder 095 of fxcoudert/citable-data). Where those settings say nothing, ours:
diagonalisation with Broyden mixing, whose number of steps each frame records (``scf_steps``). An
insulator screens little, so that long waves of the density need hardly any Kerker damping: with
BETA 0.1 / bohr (CP2K: 0.5) 13 steps do what took 19, to 1e-8 hartree. A longer history (NBUFFER)
saves one more and costs 0.5 GB a step of it: 272 atoms take 9 GB as it is. Where a hot frame has a
bond half broken, two levels change places from step to step and mixing never converges: then the
orbitals are transformed instead (OT), which minimises the energy and has no occupations to change;
``scf`` of the frame says by which of the two it was found.

Needs the program ``cp2k.psmp`` and a fast BLAS (Debian: ``apt-get install cp2k
libopenblas0-serial``); everything else works without.

Energies are those of the pseudo-atoms: only differences within one composition mean something,
also against the reference. Units: eV, A, eV/A, eV/A^3 (stress in ASE's sign: positive = tension).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from helpers import paths, processes, provenance, waiting
from helpers.errors import NotThere, Unfit, UserError
from helpers.frames import cp2k_output, dataset

PROGRAM = "cp2k.psmp"
LEVEL = "CP2K PBE-D3, 600 Ry, DZVP-GTH-PBE (Zn: DZVP-MOLOPT-SR-GTH), GTH-PBE"
_BASIS = {"Zn": "DZVP-MOLOPT-SR-GTH"}
_ELECTRONS = {"H": 1, "C": 4, "N": 5, "Zn": 12}
_INPUT, _OUTPUT = "cp2k.inp", "cp2k.out"
_MIXING, _TRANSFORMATION = "mixing", "orbital transformation"
_CONVERGED = r"SCF run converged in\s+(\d+) steps"
#: how the ground state is looked for, in this order; the second is slower
_SCF = {
    _MIXING: """      EPS_SCF 1.0E-5
      MAX_SCF 60
      &DIAGONALIZATION
        ALGORITHM STANDARD
      &END DIAGONALIZATION
      &MIXING
        METHOD BROYDEN_MIXING
        ALPHA 0.4
        BETA 0.1
        NBUFFER 4
      &END MIXING
""",
    _TRANSFORMATION: """      EPS_SCF 3.0E-6
      MAX_SCF 60
      &OT
        MINIMIZER CG
        PRECONDITIONER FULL_ALL
        ENERGY_GAP 0.002
      &END OT
      &OUTER_SCF
        EPS_SCF 3.0E-6
        MAX_SCF 5
      &END OUTER_SCF
""",
}
_INSTALL = "Debian and Ubuntu: apt-get install cp2k libopenblas0-serial"
# Debian's CP2K is built with OpenMPI, which takes as variables what another mpirun would reject.
# Huge pages: a new grid of 100 MB a time, cleared by the kernel in pages of 4 kB, is an eighth of
# all time.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}  # fmt: skip


class DFTFailed(UserError, RuntimeError):
    """CP2K is not installed, died, or did not converge."""


def cp2k_input(atoms: Atoms, cutoff: float = 600.0, scf: str = _MIXING) -> str:
    """The input of one calculation of energy, forces and stress.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure, periodic.
    cutoff : float
        Cutoff of the plane waves, Ry.
    scf : str
        How the ground state is looked for: ``mixing`` or ``orbital transformation``.

    Returns
    -------
    str
        Content of the input file.

    Raises
    ------
    Unfit
        There is an element other than C, H, N and Zn.
    """
    elements = sorted(set(atoms.symbols))
    if unknown := [e for e in elements if e not in _ELECTRONS]:
        raise Unfit(
            f"no basis set is chosen for {', '.join(unknown)}; add it to helpers.frames.cp2k"
        )
    cell = "\n".join(
        f"      {axis} " + " ".join(f"{x:.10f}" for x in vector)
        for axis, vector in zip("ABC", atoms.cell.array, strict=True)
    )
    coordinates = "\n".join(
        f"      {symbol} " + " ".join(f"{x:.10f}" for x in position)
        for symbol, position in zip(atoms.symbols, atoms.positions, strict=True)
    )
    kinds = "\n".join(
        f"    &KIND {e}\n      BASIS_SET {_BASIS.get(e, 'DZVP-GTH-PBE')}\n"
        f"      POTENTIAL GTH-PBE-q{_ELECTRONS[e]}\n    &END KIND"
        for e in elements
    )
    return f"""&GLOBAL
  PROJECT frame
  RUN_TYPE ENERGY_FORCE
  PRINT_LEVEL MEDIUM
&END GLOBAL
&FORCE_EVAL
  METHOD QUICKSTEP
  STRESS_TENSOR ANALYTICAL
  &PRINT
    &FORCES ON
    &END FORCES
    &STRESS_TENSOR ON
    &END STRESS_TENSOR
  &END PRINT
  &DFT
    BASIS_SET_FILE_NAME BASIS_SET
    BASIS_SET_FILE_NAME BASIS_MOLOPT
    POTENTIAL_FILE_NAME POTENTIAL
    &MGRID
      CUTOFF {cutoff:g}
      REL_CUTOFF 40
    &END MGRID
    &SCF
      SCF_GUESS ATOMIC
{_SCF[scf]}      &PRINT
        &RESTART OFF
        &END RESTART
      &END PRINT
    &END SCF
    &XC
      &XC_FUNCTIONAL PBE
      &END XC_FUNCTIONAL
      &VDW_POTENTIAL
        POTENTIAL_TYPE PAIR_POTENTIAL
        &PAIR_POTENTIAL
          TYPE DFTD3
          PARAMETER_FILE_NAME dftd3.dat
          REFERENCE_FUNCTIONAL PBE
          R_CUTOFF 16
        &END PAIR_POTENTIAL
      &END VDW_POTENTIAL
    &END XC
  &END DFT
  &SUBSYS
    &CELL
{cell}
    &END CELL
    &COORD
{coordinates}
    &END COORD
{kinds}
  &END SUBSYS
&END FORCE_EVAL
"""


def label(
    structures: Sequence[Atoms], directory: Path, *, ranks: int = 1, cutoff: float = 600.0
) -> list[Atoms]:
    """Structures with CP2K's energy, forces and stress attached.

    Every frame is a directory ``<key>`` of its input below ``directory``, written last of all
    ``provenance.json``: killed, the same call goes on with the first unfinished frame.

    Parameters
    ----------
    structures : sequence of ase.Atoms
        The structures.
    directory : Path
        Folder for the calculations.
    ranks : int
        Number of MPI ranks.
    cutoff : float
        Cutoff of the plane waves, Ry.

    Returns
    -------
    list of ase.Atoms
        The structures in the same order, with energy (eV), forces (eV/A) and stress (eV/A^3); their
        info gains ``dft_seconds`` and ``scf_steps``.

    Raises
    ------
    DFTFailed
        CP2K is not installed, died, or did not converge; the message has the last lines of its
        output.
    Unfit
        As `cp2k_input`.
    DirectoryBusy
        Another process computes the same frame.
    """
    labelled = []
    for atoms in waiting.bar(structures, desc="CP2K", unit="frame"):
        ways = {scf: cp2k_input(atoms, cutoff, scf) for scf in _SCF}
        recipe = {"input": ways[_MIXING], "program": PROGRAM}
        target = Path(directory) / provenance.key(recipe)
        if not (target / provenance.FILE).is_file():
            with provenance.lock(target):
                _run(target, ways, recipe, ranks)
        labelled.append(_read(target, atoms))
    return labelled


def launcher(program: str, ranks: int) -> list[str]:
    """The beginning of the command that starts CP2K.

    With more than one rank this is the mpirun of its own MPI; the first mpirun on the PATH of our
    environment is LAMMPS's, of another MPI.

    Parameters
    ----------
    program : str
        Path of CP2K.
    ranks : int
        MPI ranks.

    Returns
    -------
    list of str
        The beginning of the command; empty for one rank.

    Raises
    ------
    DFTFailed
        There is no mpirun next to the program.
    """
    if ranks == 1:
        return []
    own = Path(program).with_name("mpirun")
    if not own.exists():
        raise DFTFailed(
            f"no mpirun lies beside {program}, and another MPI's would start {ranks} "
            f"processes that do not know each other: take one rank"
        )
    return [str(own), "-np", str(ranks)]


def has_slow_blas(program: str) -> bool:
    """Whether a program is linked to a BLAS that is none of the fast ones (as ``ldd`` tells).

    Parameters
    ----------
    program : str
        Path of the program.

    Returns
    -------
    bool
        True if it is linked to ``libblas`` and to none of OpenBLAS, MKL, BLIS and ATLAS.
    """
    said = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return "libblas" in said and not re.search("openblas|mkl|blis|atlas", said)


def _run(target: Path, ways: dict[str, str], recipe: dict, ranks: int) -> None:
    program = shutil.which(PROGRAM)
    if not program:
        raise DFTFailed(f"{PROGRAM} is not installed; {_INSTALL}")
    if has_slow_blas(program):
        warnings.warn(
            f"{program} runs on the reference BLAS, which makes it several times slower "
            f"for the same numbers; {_INSTALL}",
            stacklevel=2,
        )
    began = time.monotonic()
    for scf, text in ways.items():
        if (target / f"{scf}.out").is_file():  # it failed already, before a kill
            continue
        output, problem = _ground_state(target, text, [*launcher(program, ranks), program])
        if not (problem and "NOT converged" in output):
            break
        print(f"{paths.relative(target)}: no ground state by {scf}", flush=True)
        if scf != list(ways)[-1]:
            (target / _OUTPUT).rename(target / f"{scf}.out")
    if problem:
        raise DFTFailed(f"{paths.relative(target)}: {problem}")
    provenance.write(
        target, kind="dft", recipe=recipe, description=LEVEL,
        seconds=time.monotonic() - began,
        scf_steps=sum(map(int, re.findall(_CONVERGED, output))), scf=scf, ranks=ranks,
        version=re.findall(r"CP2K version ([\d.]+)", output)[0],
    )  # fmt: skip


def _ground_state(target: Path, text: str, command: list[str]) -> tuple[str, str]:
    """Run CP2K once: its output, and what went wrong (empty: nothing)."""
    (target / _INPUT).write_text(text)
    (target / _OUTPUT).unlink(missing_ok=True)  # CP2K appends
    done = subprocess.run(
        [*command, "-i", _INPUT, "-o", _OUTPUT],
        cwd=target,
        env=os.environ | _ENVIRONMENT,
        capture_output=True,
        text=True,
        preexec_fn=processes.die_with_parent,
    )
    output = (target / _OUTPUT).read_text() if (target / _OUTPUT).exists() else done.stdout
    if not done.returncode and re.search(_CONVERGED, output) and "PROGRAM ENDED" in output:
        return output, ""
    last = processes.last_lines(output + done.stderr)
    return output, f"CP2K ended with {done.returncode}; {last}"


def _read(target: Path, atoms: Atoms) -> Atoms:
    """Energy, forces and stress of CP2K's output."""
    output = target / _OUTPUT
    system = cp2k_output.read_point(output)
    made = json.loads((target / provenance.FILE).read_text())
    if [system["atom_names"][t] for t in system["atom_types"]] != list(atoms.symbols):
        raise DFTFailed(f"{paths.relative(output)} holds other atoms; remove the folder")
    labelled = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    labelled.info = dict(atoms.info) | {
        "dft_seconds": made["seconds"], "scf_steps": made["scf_steps"],
        "scf": made.get("scf", _MIXING),
    }  # fmt: skip
    labelled.calc = SinglePointCalculator(
        labelled, energy=float(system["energies"][0]), forces=system["forces"][0],
        stress=full_3x3_to_voigt_6_stress(_stress(output)),
    )  # fmt: skip
    return labelled


def _stress(output: Path) -> np.ndarray:
    """Stress (3, 3) in eV/A^3, ASE's sign."""
    try:
        stress = cp2k_output.cp2k_stress(output)
    except dataset.BadFrames as error:
        raise DFTFailed(str(error)) from error
    if stress is None:
        raise DFTFailed(f"{paths.relative(output)} holds no stress tensor; remove the folder")
    return -stress


# ---------------------------------------------------------------- the shipped frames


def systems() -> list[str]:
    """Names of the systems with CP2K frames in ``data/dft``.

    Returns
    -------
    list of str
        Sorted names.
    """
    return sorted(file.stem for file in paths.DFT.glob("*.extxyz"))


def read(system: str) -> list[Atoms]:
    """The CP2K frames of a system.

    Atoms are in the order of the type map.

    Parameters
    ----------
    system : str
        Name of the system.

    Returns
    -------
    list of ase.Atoms
        The frames with energy (eV), forces (eV/A) and stress (eV/A^3); the info says where each
        comes from (``origin``). Where the reference knows the composition, its labels stand beside:
        ``reference_energy`` and ``reference_stress`` in the info, ``reference_forces`` in the
        arrays.

    Raises
    ------
    NotThere
        There is no such system; the message lists those there are.
    """
    file = paths.DFT / f"{system}.extxyz"
    if not file.is_file():
        raise NotThere(
            f"{paths.relative(file)} does not exist; there are: {', '.join(systems()) or 'none'}"
        )
    return list(ase.io.iread(file, index=":", format="extxyz"))


def median_seconds() -> dict[str, float]:
    """Wall time of a CP2K frame on the machine that made it.

    Returns
    -------
    dict of str to float
        System -> median over its frames, s.
    """
    return {name: float(np.median([a.info["dft_seconds"] for a in read(name)]))
            for name in systems()}  # fmt: skip


def make(system: str) -> Path:
    """Label the shipped frames of a system again by CP2K.

    Parameters
    ----------
    system : str
        Name of the system.

    Returns
    -------
    Path
        ``build/dft/<system>.extxyz``.

    Raises
    ------
    NotThere
        As `read`.
    DFTFailed
        As `label`.
    DirectoryBusy
        As `label`.
    """
    target = paths.BUILD / "dft" / f"{system}.extxyz"
    labelled = label(read(system), paths.BUILD / "dft")
    ase.io.write(target, labelled, format="extxyz")
    return target
