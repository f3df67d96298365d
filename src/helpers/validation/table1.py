"""The paper's Table 1 for a potential of this book: errors by framework and temperature."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import dpdata

from helpers.frames import correction, dataset
from helpers.potentials import evaluation, store
from helpers.recipes import catalogue
from helpers.report import tables
from helpers.validation import accuracy

#: the paper's rows: framework and temperature (K)
SYSTEMS = (("ZIF-4", 300), ("ZIF-4", 2500), ("ZIF-62", 300), ("ZIF-62", 2500), ("ZIF-8", 300))
#: frames count for a temperature (K) within this width (K)
_WIDTHS = {300: 150, 2500: 300}
#: rows that CP2K judges, with the systems of data/dft that do: the first that is there
_BY_CP2K = {
    ("ZIF-62", 300): ("ZIF-62-300K", "ZIF-62"),
    ("ZIF-62", 2500): ("ZIF-62-2500K",),
    ("ZIF-8", 300): ("ZIF-8-300K", "ZIF-8"),
}
_QUANTITIES = {
    "energy_rmse_meV_per_atom": "energy RMSE",
    "energy_relative_percent": "energy error, relative",
    "force_rmse_eV_per_A": "force RMSE",
    "virial_rmse_meV_per_atom": "virial RMSE",
}


def frames_near(n_atoms: int) -> dict[int, dpdata.LabeledSystem | None]:
    """Labelled frames near the temperatures of the ZIF-4 rows of Table 1.

    Parameters
    ----------
    n_atoms : int
        Number of atoms of the frames.

    Returns
    -------
    dict of int to dpdata.LabeledSystem or None
        Temperature (K) -> frames of test sets; if there are none, validation frames of other sets;
        None if there are none either.
    """
    judges, found = catalogue.test_sets_here(), {}
    for temperature, width in _WIDTHS.items():
        tests = dataset.near_temperature(judges, None, temperature, width, n_atoms)
        found[temperature] = tests or dataset.near_temperature(
            dataset.names(imported=False), "validation", temperature, width, n_atoms
        )
    return found


def errors(
    potential: str | Path, near: Mapping[int, dpdata.LabeledSystem | None], n_frames: int
) -> dict[tuple[str, int], dict]:
    """Errors of a potential in the rows of Table 1.

    ZIF-4 is evaluated on labelled frames, ZIF-62 and ZIF-8 on those of CP2K, because the reference
    does not know them. A row without frames is left out.

    Parameters
    ----------
    potential : str or Path
        The potential.
    near : mapping of int to dpdata.LabeledSystem or None
        Result of `frames_near`.
    n_frames : int
        Largest number of frames at each temperature.

    Returns
    -------
    dict of (str, int) to dict
        (framework, K) -> errors.
    """
    laws, found = correction.of(store.load(potential).directory), {}
    for temperature, system in near.items():
        if system is None:
            continue
        some = dataset.thinned(system, n_frames)
        if laws:  # labels as those that it was trained on
            some = correction.corrected(some, laws, f"the frames near {temperature} K")
        found["ZIF-4", temperature] = evaluation.evaluate(potential, some)
    beside_dft = accuracy.compare(potential).set_index("system")
    for row, systems in _BY_CP2K.items():
        here = [name for name in systems if name in beside_dft.index]
        if here:
            found[row] = accuracy.as_errors(beside_dft.loc[here[0]]) | {"system": here[0]}
    return found


def side_by_side(
    found: Mapping[tuple[str, int], Mapping], potential: str, structure: str
) -> tables.Table:
    """Table 1 of the paper next to ours, with the RMS of the forces to which each error belongs.

    Parameters
    ----------
    found : mapping of (str, int) to mapping
        Result of `errors`.
    potential : str
        Name for the column that says what was evaluated.
    structure : str
        Name of the structure, for the same column.

    Returns
    -------
    Table
        The table.
    """
    rows = []
    for framework, temperature in SYSTEMS:
        ours = found.get((framework, temperature), {})
        judged = structure if framework == "ZIF-4" else f"{ours.get('system', '')} by CP2K"
        run = f"{potential}, {ours['n_frames']} frames of {judged}" if ours else ""
        where = f"{framework} {temperature} K"
        for quantity, words in _QUANTITIES.items():
            key = f"table1.{framework}_{temperature}K.{quantity}"
            value = ours.get(quantity, tables.NOT_COMPUTED)
            rows.append(tables.row(key, value, run=run, quantity=f"{where}, {words}"))
        if ours:
            whose = "reference" if framework == "ZIF-4" else "CP2K"
            rms, words = ours["force_rms_eV_per_A"], f"{where}, RMS of the forces by {whose}"
            rows.append(tables.Row(words, "eV/A", None, rms, run=run))
    return tables.side_by_side(rows)
