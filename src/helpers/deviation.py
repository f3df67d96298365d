"""The model deviation along a run: how far an ensemble of potentials disagrees.

The potentials of an ensemble differ in the seed of their training alone. Where there was data they
agree, elsewhere each has made up something of its own. LAMMPS' ``pair_style deepmd`` evaluates all
of them every so many steps and writes, for the force on atom i (Zhang et al., Phys. Rev. Materials
3, 023804 (2019)),

    eps_i = sqrt(<|F_i - <F_i>|^2>),

the mean taken over the potentials; the largest, smallest and average eps_i of a step are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import paths, thermo, transition

FILE = "model_deviation.out"

#: as LAMMPS writes them; `read` keeps the step and the forces
COLUMNS = ("step", "max_devi_v", "min_devi_v", "avg_devi_v", "max_devi_f", "min_devi_f",
           "avg_devi_f")  # fmt: skip


def read(run: Path | str) -> pd.DataFrame:
    """step, target_temperature_K, max_eV_per_A, avg_eV_per_A of a run directory, each step once.

    Raises
    ------
    FileNotFoundError
        the run has no ensemble, or wrote nothing yet.
    ValueError
        the file is not such a table, or its steps do not increase.
    """
    file = Path(run) / FILE
    if not file.is_file():
        raise FileNotFoundError(
            f"no {paths.relative(file)}: the run has no ensemble of potentials to be compared with"
        )
    rows = [line.split() for line in whole_rows(file)]
    if not rows or any(len(row) < len(COLUMNS) for row in rows):
        raise ValueError(f"{paths.relative(file)} holds no table of {len(COLUMNS)} columns")
    data = np.array([row[: len(COLUMNS)] for row in rows], dtype=float)
    table = pd.DataFrame(data, columns=list(COLUMNS))
    # LAMMPS evaluates the first step of every stage twice: as the last one of the stage before
    table = table.drop_duplicates("step", keep="first").reset_index(drop=True)
    if not (table["step"].diff().dropna() > 0).all():
        raise ValueError(f"{paths.relative(file)}: steps do not increase; the table is damaged")
    targets = thermo.read(run)
    return pd.DataFrame({
        "step": table["step"].astype(int),
        "target_temperature_K": np.interp(
            table["step"], targets["step"], targets["target_temperature_K"]),
        "max_eV_per_A": table["max_devi_f"],
        "avg_eV_per_A": table["avg_devi_f"],
    })


def whole_rows(file: Path) -> list[str]:
    """The rows of LAMMPS' table that end with a newline; a kill may leave half a row."""
    if not file.exists():
        return []
    lines = file.read_text().splitlines(keepends=True)
    return [x for x in lines if x.endswith("\n") and x.split()[:1] and x.split()[0].isdigit()]


def truncate(file: Path, step: int) -> None:
    """Keep the rows up to ``step``, each once."""
    kept = {}
    for line in whole_rows(file):
        if int(line.split()[0]) <= step:
            kept.setdefault(int(line.split()[0]), line)
    header = f"#{' '.join(COLUMNS)}\n"
    part = file.with_suffix(".part")
    part.write_text(header + "".join(kept[s] for s in sorted(kept)))
    part.replace(file)


@dataclass(frozen=True)
class Trust:
    """Where a run leaves what its potential knows. temperature_K: NaN when it does not."""

    temperature_K: float
    limit_eV_per_A: float
    reason: str

    def __str__(self) -> str:
        return self.reason


def trust(table: pd.DataFrame, limit_eV_per_A: float, width_K: float = 50.0) -> Trust:
    """The temperature above which the largest force deviation stays above ``limit_eV_per_A``.

    table: of `read`. The mean of the largest deviations is taken in bins of ``width_K``, so that
    one atom of one step decides nothing; the answer is the lower edge of the first bin after the
    last one that lies below the limit. The mean of a bin before that may lie above it, too.
    """
    binned = transition.bin_by_temperature(
        table["target_temperature_K"], table["max_eV_per_A"], width_K)
    below = np.flatnonzero(binned["mean"].to_numpy() <= limit_eV_per_A)
    first, last = binned["temperature_K"].iloc[0], binned["temperature_K"].iloc[-1]
    if not len(below):
        return Trust(float(first), limit_eV_per_A, f"the potentials disagree by more than "
                     f"{limit_eV_per_A:g} eV/A from the start ({first:.0f} K)")
    if below[-1] == len(binned) - 1:
        return Trust(float("nan"), limit_eV_per_A, f"the potentials agree within "
                     f"{limit_eV_per_A:g} eV/A up to the end ({last:.0f} K)")
    edge = np.floor(binned["temperature_K"].iloc[below[-1] + 1] / width_K) * width_K
    return Trust(float(edge), limit_eV_per_A, f"above {edge:.0f} K the potentials disagree by more "
                 f"than {limit_eV_per_A:g} eV/A: there the run is outside of what they were "
                 f"trained on")
