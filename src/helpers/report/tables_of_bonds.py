"""Tables of chapter 3: barriers of bond breaking, and what flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import Any

import numpy as np
import pandas as pd

from helpers.observables.activation import Activation
from helpers.observables.rdf import RDFs
from helpers.report import paper, tables
from helpers.report.tables import Table


def barriers(found: Activation, pairs: Mapping[float, int]) -> Table:
    """Barriers by temperature with their errors and lower bounds, and the number of pairs counted.

    Parameters
    ----------
    found : Activation
        Barriers and their line.
    pairs : mapping of float to int
        Temperature (K) -> pairs between the peaks.

    Returns
    -------
    Table
        A row for each temperature.
    """
    table = found.barriers.drop(columns="note").assign(pairs=list(pairs.values()))
    table["temperature_K"] = table["temperature_K"].astype(float).round().astype(int)
    names = {
        "temperature_K": "T (K)",
        "dF_kJ_mol": "ΔF‡ (kJ/mol)",
        "error_kJ_mol": "error (kJ/mol)",
        "lower_bound_kJ_mol": "at least (kJ/mol, 95 %)",
        "pairs": "pairs in the valley",
    }
    return tables.headed(table, columns=names, decimals=1)


def flow(table: pd.DataFrame) -> Table | None:
    """Diffusion coefficients or their upper limits.

    Parameters
    ----------
    table : DataFrame
        Result of ``flow.table``.

    Returns
    -------
    Table or None
        A row for each temperature and element; None where there are none.
    """
    said = [
        f"< {row.D:.2f}" if row.limited else tables.number(row.D, row.error)
        for row in tables.each_row(table)
    ]
    names = {
        "temperature_K": "T (K)",
        "element": "element",
        "said": "D (10⁻⁴ cm²/s)",
        "exponent": "exponent",
        "until_ps": "until (ps)",
        "msd_A2": "MSD then (Å²)",
    }
    table = table.assign(
        said=said, temperature_K=table["temperature_K"].astype(float).round().astype(int)
    )
    return tables.headed_if_any(table, columns=names, decimals=2)


def curves(rdfs: Mapping[float, RDFs], pairs) -> pd.DataFrame:
    """g(r) of several pairs at several temperatures, a row for each point, for a slider.

    Parameters
    ----------
    rdfs : mapping of float to RDFs
        Functions at each temperature (K).
    pairs : sequence of (str, str) or None
        Pairs of elements; None for all atoms.

    Returns
    -------
    DataFrame
        temperature_K, pair, r_A, g.
    """
    rows = [
        pd.DataFrame(
            {"temperature_K": T, "pair": of[pair].label, "r_A": of[pair].r, "g": of[pair].g}
        )
        for T, of in rdfs.items()
        for pair in pairs
    ]
    return pd.concat(rows, ignore_index=True)


def frames_by_temperature(counts: Mapping[str, Mapping[float, Sized]]) -> Table:
    """Number of frames that each trajectory has near each temperature.

    Parameters
    ----------
    counts : mapping of str to mapping of float to sequence
        Name -> temperature (K) -> frames.

    Returns
    -------
    Table
        A row for each trajectory.
    """
    table = pd.DataFrame({name: {T: len(f) for T, f in of.items()} for name, of in counts.items()})
    whole = table.sort_index().fillna(0).astype(int)
    return tables.headed(whole.rename(index=lambda T: f"{T:.0f}"), index="temperature (K)")


def differences(structure: str, n_atoms: int, rate_K_per_ps: float, segments: bool) -> list[str]:
    """Differences between the heating run and the paper's DPMD-20K.

    Parameters
    ----------
    structure : str
        Name of the structure.
    n_atoms : int
        Number of atoms.
    rate_K_per_ps : float
        Heating rate, K/ps.
    segments : bool
        Whether the temperature is held while frames are taken.

    Returns
    -------
    list of str
        In words.
    """
    rate = paper.value("table3.DPMD-20K.heating_rate_K_per_ps").number
    atoms = paper.value("systems.supercell_atoms").number
    possible = {
        f"{rate_K_per_ps:g} K/ps instead of {rate:g}": not np.isclose(rate_K_per_ps, rate),
        f"{structure} instead of ZIF-4": not structure.startswith("ZIF-4"),
        f"{n_atoms} atoms instead of {atoms}": n_atoms != atoms,
        "frames taken while it is heated, where the paper waits at each temperature": not segments,
        "another reference (a NequIP potential of PBE-D3 quality, not first principles)": True,
    }
    return [words for words, differs in possible.items() if differs]


def plateaus(
    found: Sequence[Any], flows: pd.DataFrame, energies: Mapping[str, Activation]
) -> Table:
    """Runs held at one temperature: barrier, exchange, diffusion.

    Parameters
    ----------
    found : sequence of Plateau
        Result of ``recipes.plateaus.of_runs``.
    flows : DataFrame
        Result of ``recipes.plateaus.diffusion``.
    energies : mapping of str to Activation
        Name of a run -> its barriers.

    Returns
    -------
    Table
        A row for each run.
    """
    rows, most = [], max(len(one.frames) for one in found)
    for one in found:
        T = one.temperature_K
        row = {"run": one.run.name, "T (K)": f"{T:.0f}"}
        row["density (g/cm³)"] = f"{one.run.sampled['density_g_cm3'].mean():.3f}"
        barrier = energies.get(one.run.name)
        row["ΔF‡ (kJ/mol)"] = "–" if barrier is None else _barrier(barrier.at(T))
        if one.bonds is not None:
            row["N off their Zn (%)"] = f"{100 * one.moved_on:.0f}"
            outcome = one.bonds.episodes["outcome"].value_counts()
            broken = str(outcome.drop("end", errors="ignore").sum())
            few = f" (in {len(one.frames)} frames)" if len(one.frames) < most else ""
            row["bonds broken"] = broken + few
            row["exchanged"] = int(outcome.get("exchanged", 0))
        for element in ("Zn", "N"):
            rest = flows[(flows["run"] == one.run.name) & (flows["element"] == element)]
            said = "–" if one.refused or rest.empty else _diffusion(next(tables.each_row(rest)))
            row[f"D of {element} (10⁻⁴ cm²/s)"] = said
        rows.append(row | {"not used, since": one.refused or "used"})
    table = pd.DataFrame(rows).fillna("–")
    if not any(one.refused for one in found):
        table = table.drop(columns="not used, since")
    return tables.headed(table)


def _barrier(row: pd.Series) -> str:
    if np.isfinite(row["dF_kJ_mol"]):
        return tables.number(row["dF_kJ_mol"], row["error_kJ_mol"])
    bound = row["lower_bound_kJ_mol"]
    return f"> {bound:.0f} (95 %)" if np.isfinite(bound) else "–"


def _diffusion(row) -> str:
    if row.limited:
        return f"< {row.D:.2g}"
    known = np.isfinite(row.error)
    return tables.number(row.D, row.error) if known else f"{row.D:.2g} (one run)"
