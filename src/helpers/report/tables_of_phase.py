"""Tables and sentences of chapter 5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from helpers.observables import melt, void_fraction
from helpers.observables.event_rates import Arrhenius
from helpers.observables.network import Network
from helpers.report import paper, tables
from helpers.report.tables import Table

_FORCE_FIELD = "reaxff"
_OUTCOMES = {
    "end": "hold to the end",
    "returned": "opened and returned",
    "exchanged": "were exchanged",
    "open": "stayed open",
}


def formulas(found: pd.DataFrame) -> Table:
    """Molecules other than imidazolate, the eight most frequent.

    Parameters
    ----------
    found : DataFrame
        Result of ``Census.formulas``.

    Returns
    -------
    Table
        A row for each formula, written with indices.
    """
    low = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
    shown = found.head(8).rename(
        columns={"a frame": "mean number in a frame", "frames": "frames that have it"}
    )
    written = shown["formula"].astype(str).str.translate(low)  # an empty column is of no type
    return tables.headed(shown.assign(formula=written), decimals=4)


def windows(found: Mapping[str, Any]) -> Table:
    """Windows of a run: name, number of snapshots, highest temperature.

    Parameters
    ----------
    found : mapping of str to Trajectory
        Name -> frames.

    Returns
    -------
    Table
        A row for each window.
    """
    rows = [
        {
            "window": name,
            "snapshots": len(part),
            "highest_K": f"{part.temperatures_K.max():.0f}",
        }
        for name, part in found.items()
    ]
    return tables.headed(pd.DataFrame(rows))


def voids(found: Mapping[str, Any], n_snapshots: int = 20) -> Table:
    """Share of the volume that a helium atom can reach, in some snapshots of each window.

    Parameters
    ----------
    found : mapping of str to Trajectory
        Name -> frames.
    n_snapshots : int
        Snapshots of a window, evenly spread, or all if it has fewer.

    Returns
    -------
    Table
        A row for each window: the mean with its standard error, which has the change of the share
        over the window in it; none of a single snapshot.
    """
    shares = {}
    for name, part in found.items():
        last = len(part.positions) - 1
        picked = np.unique(np.linspace(0, last, n_snapshots).round().astype(int))
        each = [
            100 * void_fraction.void_fraction(part.positions[k], part.cells[k], part.symbols)
            for k in picked
        ]
        error = float(np.std(each, ddof=1) / len(each) ** 0.5) if len(each) > 1 else None
        shares[name] = tables.number(float(np.mean(each)), error)
    table = pd.DataFrame({"void (% of the volume)": shares})
    return tables.headed(table, index="window")


def bonds(found) -> Table:
    """The outcome of the Zn-N bonds and of the ligands.

    Parameters
    ----------
    found : ligand_exchange.Bonds
        The bonds.

    Returns
    -------
    Table
        The table.
    """
    outcome = found.episodes["outcome"].value_counts()
    counted = {f"bonds that {words}": int(outcome.get(key, 0)) for key, words in _OUTCOMES.items()}
    return tables.facts(
        {"N that are followed": len(found.nitrogen), "bonds": len(found.episodes)}
        | counted
        | {
            "imidazolates that settled anew, both N bound": len(found.moves),
            "of these on the same Zn, turned round": int(found.moves["flipped"].sum()),
            "imidazolates that settled anew once or more": f"{found.moves['ligand'].nunique()} of "
            f"{found.n_ligands}",
        }
    )


def molecules(census, spells: pd.DataFrame) -> Table:
    """How many imidazolates were broken, for how long, and whether hydrogen formed clusters.

    Parameters
    ----------
    census : molecules.Census
        Molecules in every frame.
    spells : DataFrame
        ``molecules.spells`` of its ligands.

    Returns
    -------
    Table
        The table.
    """
    return tables.facts(
        {
            "imidazolates": census.possible,
            "lasting breaks": int(spells["lasting"].sum()),
            "shorter breaks": int((~spells["lasting"]).sum()),
            "frames": len(census.clusters),
            "frames with a cluster of H": int((census.clusters > 0).sum()),
            "atoms of the largest cluster": int(census.largest_cluster.max()),
        }
    )


def networks(nets: Mapping[str, Network]) -> Table:
    """The network in each window.

    Parameters
    ----------
    nets : mapping of str to network.Network
        Name -> network.

    Returns
    -------
    Table
        A row for each window.
    """
    rows = [
        {
            "window": name,
            "imidazolates on two Zn": net.bridging,
            "on one": net.dangling,
            "free": net.free,
            "pieces of the network": net.pieces,
            "bridges from a Zn (mean)": float(net.degree.mean()),
        }
        for name, net in nets.items()
    ]
    return tables.headed(pd.DataFrame(rows), decimals=2)


def melts(judged: Mapping[str, tuple]) -> Table:
    """What became of the crystal in each melt.

    Parameters
    ----------
    judged : mapping of str to (Run, Melt)
        Result of ``peers.melts``.

    Returns
    -------
    Table
        A row for each run.
    """
    rows = []
    for name, (run, found) in judged.items():
        known = "yes" if found.close_share <= melt.CLOSE_SHARE else "no"
        if run.potential == _FORCE_FIELD:
            known = "–"  # a force field was trained on no frames
        rows.append({
            "run": name,
            "potential": run.potential,
            "temperature (K)": f"{run.recipe.temperature_end_K:.0f}",
            "time (ps)": f"{run.thermo['time_ps'].iloc[-1]:.0f}",
            "density (g/cm³)": f"{run.ramp['density_g_cm3'].mean():.3f}",
            "N off their Zn (%)": f"{100 * found.exchanged:.0f}",
            "Zn moved (Å)": f"{found.zn_rmsd_A:.1f}",
            "frames with Zn nearer than 4 Å (%)": f"{100 * found.close_share:.1f}",
            "a melt": "yes" if found.molten else "no",
            "known to the potential": known,
        })  # fmt: skip
    return tables.headed(pd.DataFrame(rows))


def growth(found: Mapping[tuple[float, float], pd.DataFrame]) -> Table:
    """How much each peak widens.

    Parameters
    ----------
    found : mapping of (float, float) to DataFrame
        Range (K) -> result of ``peaks.growth``.

    Returns
    -------
    Table
        A row for each range and pair.
    """
    rows = [
        {"range": f"{low:.0f}–{high:.0f} K", "pair": row.pair, "points": row.points}
        | {"change (Å)": f"{row.change_A:+.3f} ± {row.error_A:.3f}"}
        | {"change (%)": f"{row.change_percent:+.0f} ± {row.error_percent:.0f}"}
        for (low, high), one in found.items()
        for row in tables.each_row(one)
    ]
    return tables.headed(pd.DataFrame(rows))


def activation_energies(laws: Mapping[str, Arrhenius], why_not: Mapping[str, str]) -> str:
    """Activation energies of breaking and exchange as a Markdown list.

    Parameters
    ----------
    laws : mapping of str to Arrhenius
        Event -> its law.
    why_not : mapping of str to str
        Event without a law -> the reason.

    Returns
    -------
    str
        The list.
    """
    said = [
        f"- {name}: {tables.number(law.E_a, law.error)} kJ/mol, from {law.n_events} events."
        for name, law in laws.items()
    ]
    said += [f"- {name}: {reason}." for name, reason in why_not.items()]
    return "\n".join(said)


def differences(rate_K_per_ps: float, n_atoms: int, watched_ns: float) -> list[str]:
    """Differences between the run and the paper's DPMD-1K.

    Parameters
    ----------
    rate_K_per_ps : float
        Heating rate, K/ps.
    n_atoms : int
        Number of atoms.
    watched_ns : float
        Observation time summed over all bonds, ns.

    Returns
    -------
    list of str
        In words.
    """
    theirs = paper.value("table3.DPMD-1K.heating_rate_K_per_ps").number
    atoms = paper.value("systems.supercell_atoms").number
    found = []
    if rate_K_per_ps > theirs:
        digits = 0 if watched_ns >= 10 else 1
        found.append(
            f"Rate: {rate_K_per_ps:g} K/ps; the paper saw its low-density phase at {theirs:g} "
            f"K/ps and slower only. All bonds together were watched for {watched_ns:.{digits}f} ns."
        )
    if n_atoms != atoms:
        found.append(f"Size: {n_atoms} atoms, the paper has {atoms}; a second phase needs room.")
    return found
