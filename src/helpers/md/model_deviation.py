"""The table in which LAMMPS records the disagreement of an ensemble of potentials along a run.

Units: eV/A (forces), eV (virials).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from helpers import paths, provenance
from helpers.errors import NotThere, Unfit
from helpers.md import samples, thermo

FILE = "model_deviation.out"

#: as LAMMPS writes them; `read` keeps the step and the forces
COLUMNS = ("step", "max_devi_v", "min_devi_v", "avg_devi_v", "max_devi_f", "min_devi_f",
           "avg_devi_f")  # fmt: skip


def read(run: Path | str) -> pd.DataFrame:
    """Model deviation along a run, each step once.

    Parameters
    ----------
    run : Path or str
        Directory of the run.

    Returns
    -------
    DataFrame
        step, target_temperature_K, max_eV_per_A, avg_eV_per_A.

    Raises
    ------
    NotThere
        The run has no ensemble, or has written nothing yet.
    Unfit
        The file is not such a table, its steps do not increase, or rows of a finished run are
        missing.
    NoProvenance
        The provenance of the run is broken.
    """
    file = Path(run) / FILE
    if not file.is_file():
        raise NotThere(
            f"no {paths.relative(file)}: the run has no ensemble of potentials to be compared with"
        )
    rows = [line.split() for line in whole_rows(file)]
    if not rows or any(len(row) < len(COLUMNS) for row in rows):
        raise Unfit(
            f"{paths.relative(file)} holds no table of {len(COLUMNS)} columns; restore it, or run "
            f"with an ensemble again"
        )
    data = np.array([row[: len(COLUMNS)] for row in rows], dtype=float)
    table = pd.DataFrame(data, columns=list(COLUMNS))
    # LAMMPS evaluates the first step of every segment twice: as the last one of the segment before
    table = table.drop_duplicates("step", keep="first").reset_index(drop=True)
    if not (table["step"].diff().dropna() > 0).all():
        raise Unfit(
            f"{paths.relative(file)} is damaged: its steps do not increase; restore it, or remove "
            f"the run's directory and run it again"
        )
    samples.refuse_lost(file, "deviation_every_ps", table["step"].astype(int).tolist(), first=0)
    targets = thermo.read(run)
    return pd.DataFrame(
        {
            "step": table["step"].astype(int),
            "target_temperature_K": np.interp(
                table["step"], targets["step"], targets["target_temperature_K"]
            ),
            "max_eV_per_A": table["max_devi_f"],
            "avg_eV_per_A": table["avg_devi_f"],
        }
    )


def whole_rows(file: Path) -> list[str]:
    """The complete rows of LAMMPS' table; a kill may leave part of a row.

    Parameters
    ----------
    file : Path
        The file, which need not exist.

    Returns
    -------
    list of str
        Rows that end with a newline.
    """
    if not file.exists():
        return []
    lines = file.read_text().splitlines(keepends=True)
    return [x for x in lines if x.endswith("\n") and x.split()[:1] and x.split()[0].isdigit()]


def truncate(file: Path, step: int) -> None:
    """Keep the rows up to a step, each once.

    Parameters
    ----------
    file : Path
        The file.
    step : int
        Last step to keep.
    """
    kept = {}
    for line in whole_rows(file):
        if int(line.split()[0]) <= step:
            kept.setdefault(int(line.split()[0]), line)
    header = f"#{' '.join(COLUMNS)}\n"
    provenance.write_text(file, header + "".join(kept[s] for s in sorted(kept)))
