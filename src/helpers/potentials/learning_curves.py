"""Errors during a training: DeePMD-kit's own table, and that of the snapshots."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pandas as pd

from helpers import paths, provenance
from helpers.errors import NotThere, Unfit
from helpers.potentials import store
from helpers.potentials.store import Potential

# ---------------------------------------------------------------- learning


def read_learning(potential: str | Path | Potential) -> pd.DataFrame:
    """Errors of the snapshots of a training as a function of its steps.

    Parameters
    ----------
    potential : str, Path or Potential
        See `store.load`.

    Returns
    -------
    DataFrame
        Columns step, role (``validation``, ``watched``), energy_rmse_meV_per_atom,
        force_rmse_eV_per_A, virial_rmse_meV_per_atom.

    Raises
    ------
    NotThere
        The training kept no snapshots: it was too short, or made before they were introduced.
    """
    file = store.load(potential).inside(store.LEARNING)
    if not file.is_file():
        raise NotThere(f"{paths.relative(file)} is missing: no snapshots were kept")
    return pd.DataFrame([
        {"step": row["step"], "role": role} | row[role]
        for row in json.loads(file.read_text()) for role in ("validation", "watched") if row[role]
    ])  # fmt: skip


def read_lcurve(path: Path | Potential) -> pd.DataFrame:
    """``lcurve.out`` of a training as a table.

    Steps that were repeated after a restart are given once; a line that a kill cut off is left
    out.

    Parameters
    ----------
    path : Path or Potential
        The file, its directory, or the potential.

    Returns
    -------
    DataFrame
        Columns as named by DeePMD-kit: ``step``, ``rmse_val``, ``rmse_trn`` (square root of the
        loss), ``rmse_e_*`` (eV/atom), ``rmse_f_*`` (eV/A), ``rmse_v_*`` (eV/atom), each for one
        batch, and ``lr``.

    Raises
    ------
    NotThere
        There is no such file.
    Unfit
        The file has no row, and its potential is finished.
    """
    path = Path(path)
    path = path / "lcurve.out" if path.is_dir() else path
    if not path.is_file():
        raise NotThere(f"{paths.relative(path)} is missing; train first")
    columns, rows = [], []
    for line in path.read_text(errors="replace").splitlines(keepends=True):
        if line.startswith("#"):
            if "step" in line:
                columns = line[1:].split()
        elif line.endswith("\n") and len(line.split()) == len(columns):
            with suppress(ValueError):
                rows.append([float(number) for number in line.split()])
    if not rows and (path.parent / provenance.FILE).is_file():
        raise Unfit(
            f"{paths.relative(path)} is damaged: it has no row, and its training is finished; "
            f"restore it, or remove the directory and train again"
        )
    table = pd.DataFrame(rows, columns=columns or ["step"])
    table["step"] = table["step"].astype(int)
    # After a restart the steps behind the checkpoint are written again.
    return table.drop_duplicates("step", keep="last").sort_values("step", ignore_index=True)
