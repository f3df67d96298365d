"""A table that is made row by row, kept, and continued after its last whole row."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from helpers import provenance, waiting

_ROWS = "rows.csv"


def kept(
    name: str,
    recipe: dict,
    plan: Callable[[], tuple[Sequence[dict], Callable[[int], dict]]],
    columns: Sequence[str],
    description: str,
    inputs: dict[str, str],
) -> pd.DataFrame:
    """The table of a recipe: found, continued after its last whole row, or made.

    It is kept in ``build/validation`` (shipped: ``data/validation``).

    Parameters
    ----------
    name : str
        Name of its directory, before the key.
    recipe : dict
        All that determines it, as plain data.
    plan : callable
        Called only where rows are missing. Returns what is to be measured, a dict of labels a row,
        and a function from the number of a row to a dict of its ``columns``.
    columns : sequence of str
        Measured columns; the labels stand before them.
    description : str
        What it holds, for a reader.
    inputs : dict
        Name -> sha256 of each input.

    Returns
    -------
    DataFrame
        The table, numbers with seven digits.

    Raises
    ------
    DirectoryBusy
        Another process makes it.
    """

    def make(directory: Path) -> dict:
        labels, measure = plan()
        file = directory / _ROWS
        starts = [",".join(map(str, label.values())) + "," for label in labels]
        lines = file.read_text().splitlines(keepends=True)[1:] if file.exists() else []
        whole = [line for line, _ in itertools.takewhile(
            lambda pair: pair[0].startswith(pair[1]) and pair[0].endswith("\n"),
            zip(lines, starts, strict=False))]  # fmt: skip
        provenance.announce(
            "resumed" if whole else "made", directory, f"row {len(whole)} of {len(labels)}"
        )
        provenance.write_text(file, ",".join([*labels[0], *columns]) + "\n" + "".join(whole))
        with (
            open(file, "a") as out,
            waiting.bar(total=len(labels), initial=len(whole), desc=name, unit="frame") as bar,
        ):
            for i in range(len(whole), len(labels)):
                values = measure(i)
                out.write(starts[i] + ",".join(
                    v if isinstance(v, str) else f"{v:.7g}" for v in map(values.get, columns))
                    + "\n")  # fmt: skip
                out.flush()
                bar.update()
        return {"seconds": None} if whole else {}

    found = provenance.kept("validation", recipe, make, name=name, description=description,
                            inputs=inputs, speaks=True)  # fmt: skip
    return pd.read_csv(found / _ROWS)
