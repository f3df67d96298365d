"""The thermodynamic table of a heating run: one row every ``thermo_every_ps``.

A run that is shipped has it compressed (``thermo.csv.gz``).
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import paths, provenance, statistics
from helpers.errors import NotThere, Unfit
from helpers.md import samples

FILE = "thermo.csv"
PACKED = f"{FILE}.gz"

COLUMNS = (
    "step",
    "time_ps",
    "segment",  # of the protocol: 0 the equilibration, then 1, 2, ...
    "target_temperature_K",
    "temperature_K",
    "pressure_bar",
    "volume_A3",
    "density_g_cm3",
    "potential_energy_eV",
    "kinetic_energy_eV",
    "enthalpy_eV",
    "cell_a_A",
    "cell_b_A",
    "cell_c_A",
    "cell_alpha_deg",
    "cell_beta_deg",
    "cell_gamma_deg",
    "close_atoms",  # atoms with another one closer than lammps_input.CLOSEST_A
)


def read(run: Path | str, *, equilibration: bool = True) -> pd.DataFrame:
    """Thermodynamic table of a run, finished or not.

    The enthalpy is H = E_kin + E_pot + P0 V with the *external* pressure P0 of the run; the
    fluctuations of the instantaneous pressure would hide it.

    Parameters
    ----------
    run : Path or str
        Directory of the run, or its ``thermo.csv``, compressed or not.
    equilibration : bool
        False leaves out the rows before the heating starts (segment 0).

    Returns
    -------
    DataFrame
        A row for each sample.

    Raises
    ------
    NotThere
        There is no table yet: the run was never started, or stopped within its first 0.1 ps.
    Unfit
        The file is not such a table, a cell holds no number, its steps do not increase, or rows of
        a finished run are missing.
    NoProvenance
        The provenance of the run is broken.
    """
    file = _file(run)
    table = pd.read_csv(io.StringIO(_whole(file)), comment="#")
    table = table.rename(columns={"stage": "segment"})  # its name in older tables
    table = table if len(table) else table.astype(float)  # a run may explode before its first row
    if missing := [c for c in COLUMNS if c not in table.columns]:
        raise Unfit(
            f"{paths.relative(file)} has no column {', '.join(missing)}; "
            f"delete the run's directory and run it again"
        )
    if len(table) and not np.all(np.diff(table["step"]) > 0):
        raise Unfit(
            f"{paths.relative(file)} is damaged: its steps do not increase; restore it, or remove "
            f"the run's directory and run it again"
        )
    samples.refuse_lost(file, "thermo_every_ps", table["step"].tolist())
    return table if equilibration else table[table["segment"] > 0].reset_index(drop=True)


def density(
    table: pd.DataFrame, temperature_K: float, *, skip_ps: float = 0.0, blocks: int = 5
) -> dict:
    """Mean density of an NPT run at one temperature, with an error from means over blocks.

    The error is too small if blocks are shorter than the period of the barostat; ``duration_ps`` is
    therefore returned as well.

    Parameters
    ----------
    table : DataFrame
        Result of `read`.
    temperature_K : float
        Target temperature, K; rows within 1 K are used.
    skip_ps : float
        Time at this temperature that is left out, ps.
    blocks : int
        Number of blocks.

    Returns
    -------
    dict
        density_g_cm3, error_g_cm3 (standard deviation of the block means / sqrt(blocks)),
        duration_ps.

    Raises
    ------
    Unfit
        Fewer than two rows in a block are left.
    """
    rows = table[(table["target_temperature_K"] - temperature_K).abs() <= 1]
    rows = rows[rows["time_ps"] >= rows["time_ps"].min() + skip_ps]
    if len(rows) < 2 * blocks:
        raise Unfit(
            f"{len(rows)} rows at {temperature_K:g} K after the first {skip_ps:g} ps are too few "
            f"for {blocks} blocks; hold the temperature longer"
        )
    means = statistics.block_means(rows["density_g_cm3"].to_numpy(), blocks)
    return {
        "density_g_cm3": float(means.mean()),
        "error_g_cm3": float(means.std(ddof=1) / np.sqrt(blocks)),
        "duration_ps": float(rows["time_ps"].iloc[-1] - rows["time_ps"].iloc[0]),
        "n": len(rows),
    }


def content(run: Path | str) -> bytes:
    """What LAMMPS wrote, whether it was compressed since or not.

    Parameters
    ----------
    run : Path or str
        Directory of the run, or its table.

    Returns
    -------
    bytes
        The text of the table.

    Raises
    ------
    NotThere
        There is no table.
    Unfit
        It is compressed, and damaged.
    """
    file = _file(run)
    data = file.read_bytes()
    if file.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise Unfit(
            f"{paths.relative(file)} is damaged ({error}); restore it, or remove the run's "
            "directory and run it again"
        ) from error


def _whole(file: Path) -> str:
    """The text of a table without the row that LAMMPS is just writing.

    Raises
    ------
    Unfit
        the file is empty, another row is cut off, or the last one of a run that is finished.
    """
    text = content(file).decode(errors="replace")
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("#")]
    growing = not (file.parent / provenance.FILE).is_file()
    if growing and len(lines) > 1 and not lines[-1].endswith("\n"):
        lines.pop()
    if not lines:
        raise Unfit(
            f"{paths.relative(file)} is empty; "
            + ("wait for its first row, or start the run again" if growing else
               "restore it, or remove the run's directory and run it again")
        )  # fmt: skip
    width = lines[0].count(",")
    for number, line in enumerate(lines, start=1):
        whole = line.count(",") == width and line.endswith("\n")
        if not whole or (number > 1 and not _numbers(line)):
            raise Unfit(
                f"{paths.relative(file)} is damaged: row {number} of {len(lines)} is cut off "
                f"({line[:30].strip()!r}); restore it, or remove the run's directory and run it "
                f"again"
            )
    return "".join(lines)


def whole_rows(file: Path) -> list[str]:
    """The complete rows of a table.

    LAMMPS adds a "#" line for each session, a kill may cut off the last row, and a full disk may
    join two rows.

    Parameters
    ----------
    file : Path
        The file.

    Returns
    -------
    list of str
        The rows.
    """
    text = file.read_text(errors="replace") if file.exists() else ""
    return [x for x in text.splitlines(keepends=True) if x.endswith("\n") and _is_row(x)]


def _is_row(line: str) -> bool:
    step, *others = line.split(",")
    return step.isdecimal() and len(others) == len(COLUMNS) - 1 and _numbers(line)


def _numbers(line: str) -> bool:
    """Whether every cell is a number; pandas would read "1.2e" as one, and "" as NaN."""
    try:
        [float(cell) for cell in line.split(",")]
    except ValueError:
        return False
    return True


def truncate(file: Path, step: int) -> None:
    """Keep the header and the complete rows up to a step.

    Parameters
    ----------
    file : Path
        The file.
    step : int
        Last step to keep.
    """
    kept = [row for row in whole_rows(file) if int(row.split(",", 1)[0]) <= step]
    provenance.write_text(file, "".join([",".join(COLUMNS) + "\n", *kept]))


def _file(run: Path | str) -> Path:
    file = Path(run)
    if file.is_dir() or not file.suffix:
        plain = file / FILE
        file = plain if plain.is_file() or not (file / PACKED).is_file() else file / PACKED
    if not file.is_file():
        raise NotThere(
            f"no {paths.relative(file)}: start the run with heating.run, or wait for its first row"
        )
    return file
