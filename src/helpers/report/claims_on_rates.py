"""Conclusions from the one table of all runs: what heating does, and what comes first.

The rules are those of ``book/estimators.md``. A run that was not in equilibrium before its ramp
enters no verdict; what the verdict would be with it stands among the numbers. What is said of the
crystal needs two seeds that can tell in each of two cells that differ in size or shape, and the
same answer in both; until then it is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact, linregress

from helpers.errors import Unfit
from helpers.observables import censored, detection, melt, run_table
from helpers.observables.cell_shape import Departure
from helpers.report import paper, tables
from helpers.report.claims import Finding, Number

ENOUGH_SEEDS = 5  # of one size that fall, for a sentence on what comes first
FEWEST_SEEDS = 2  # that can tell, of each cell
FEWEST_CELLS = 2  # of different size or shape, for a sentence on the crystal
SIGNIFICANT = 0.05  # probability of chance
BAR_PER_GPA = 1e4
BACK = 0.02  # of the density: the cooled crystal is again what it was
JUMP_G_CM3 = 0.05  # two densities farther from one between them than this are a jump
NEAR_GPA = 0.06  # a pressure within this of another one stands for it
RUPTURED_G_CM3 = 0.6  # a cell that is less dense has torn
_SHAPES = {"iso": "isotropic", "aniso": "anisotropic", "tri": "triclinic"}
_ALL = "the verdict if the runs counted that were not in equilibrium before"


def slow_heating(table: pd.DataFrame, others: pd.DataFrame | None = None) -> Finding:
    """Claim (2): slow heating reveals a transition before melting.

    "Slow heating only" needs a power of 80 % at faster rates for a fall of the size that is seen at
    the slow ones, no fall there, and a Fisher test of found against not found. Two seeds that fall
    at the fastest rate speak against it, if that is one at which the paper's first-principles MD
    sees nothing, or faster.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs`` for cells of one size and shape.
    others : DataFrame, optional
        Rows for cells of other sizes and shapes; without them the claim stays open.

    Returns
    -------
    Finding
        The conclusion.
    """
    return _of_settled(table, lambda rows: _of_crystal(_slow_heating(rows), rows, others))


def rate_dependence(table: pd.DataFrame, others: pd.DataFrame | None = None) -> Finding:
    """Claim (3): the transition temperature falls as heating becomes slower.

    Parameters
    ----------
    table, others : DataFrame
        As for `slow_heating`.

    Returns
    -------
    Finding
        The conclusion, from `censored.trend`.
    """
    return _of_settled(table, lambda rows: _of_crystal(_rate_dependence(rows), rows, others))


def size(table: pd.DataFrame) -> Finding:
    """Whether the fall survives in a larger cell.

    This needs two seeds or more of both sizes at one rate, a power of 80 % in both, and falls in
    both.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs`` for cells of several sizes.

    Returns
    -------
    Finding
        The conclusion.
    """
    return _of_settled(table, _size)


def pressure(table: pd.DataFrame, uncorrected_GPa: float) -> Finding:
    """Whether the low density is an error of the pressure.

    It is if the fall is found in the runs under the pressure that stands for an uncorrected
    potential, and in none of the runs without pressure, where it would have been seen, with two
    seeds each. This is said of the cell of these runs, not of the crystal.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs`` of one cell under several pressures.
    uncorrected_GPa : float
        Pressure under which this potential behaves as an uncorrected one under none, GPa.

    Returns
    -------
    Finding
        The conclusion.
    """
    return _of_settled(table, lambda rows: _pressure(rows, uncorrected_GPa))


def offset(table: pd.DataFrame) -> Finding:
    """Which error of the pressure gives the crystal the paper's density, and what Tf it has then.

    The density of a pressure is that before the ramp, a mean over seeds; between two pressures it
    is a straight line. Where the crystal jumps from one density to another, only the two pressures
    are known.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs`` of one cell under several pressures.

    Returns
    -------
    Finding
        The conclusion.
    """
    return _of_settled(table, _offset)


def shape(table: pd.DataFrame, departures: Mapping[str, Departure] | None = None) -> Finding:
    """Whether a cell that may only swell alike hides the fall, or makes it.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs`` for cells of any size and shape; those of the smallest size
        are compared.
    departures : mapping of str to Departure, optional
        Name of a run -> whether its cell changes its shape before the fall.

    Returns
    -------
    Finding
        The conclusion.
    """
    return _of_settled(table, lambda rows: _shape(rows, departures or {}))


def reversible(pairs: pd.DataFrame) -> Finding:
    """Whether a cell that has opened closes again on cooling.

    Parameters
    ----------
    pairs : DataFrame
        Result of ``outcomes.cooled_back``.

    Returns
    -------
    Finding
        The conclusion.
    """
    return _of_settled(pairs, _reversible)


def low_density(table: pd.DataFrame) -> Finding:
    """Claim (4), first part: a state of low density appears before melting.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs`` for cells of any size and shape.

    Returns
    -------
    Finding
        The conclusion.
    """
    return _of_settled(table, lambda rows: _of_crystal(_low_density(rows), rows))


def exchange(table: pd.DataFrame) -> Finding:
    """Claim (4), second part: the low density is caused by ligand exchange.

    A cause is there when its effect is: a seed speaks against it where less than a twentieth of the
    N have left their Zn when the density has fallen. Five falling seeds of one cell are needed, and
    two of another one of which most say the same.

    Parameters
    ----------
    table : DataFrame
        Rows of ``outcomes.of_runs`` for cells of any size and shape.

    Returns
    -------
    Finding
        The conclusion; beside it what comes first, from `run_table.order_of_events`.
    """
    return _of_settled(table, lambda rows: _in_each_cell(_exchange(rows), rows))


def _of_settled(table: pd.DataFrame, conclude: Callable[[pd.DataFrame], Finding]) -> Finding:
    settled = run_table.settled(table)
    found, out = conclude(settled), len(table) - len(settled)
    if not out:
        return found
    every = conclude(table)
    left_out = "was not in equilibrium before its ramp and does not count"
    if out > 1:
        left_out = "were not in equilibrium before their ramp and do not count"
    return replace(
        found,
        here=f"{found.here} Of {len(table)} runs {out} {left_out}.",
        numbers=(*found.numbers, Number(_ALL, "-", f"{every.verdict}; {every.here}")),
    )


def _of_crystal(found: Finding, table: pd.DataFrame, others: pd.DataFrame | None = None) -> Finding:
    """A conclusion on the crystal; open where the cells that were heated do not carry it."""
    if found.verdict.startswith("cannot tell"):
        return found
    beside = [] if others is None else [run_table.settled(others)]
    rows = pd.concat([table, *beside]) if beside and len(beside[0]) else table
    tell = rows[rows["Tf_K"].notna() | rows["Tf_above_K"].notna()]
    of_cells = tell.groupby(["n_atoms", "coupling"], as_index=False)["Tf_K"]
    cells = of_cells.agg(tell="size", fell="count")
    enough = cells[cells["tell"] >= FEWEST_SEEDS]
    lacking = _too_few(enough)
    if not lacking and (enough["fell"] > 0).nunique() > 1:
        counted = [
            f"{row.fell} of {row.tell} runs of {_cell(row)}" for row in tables.each_row(enough)
        ]
        lacking = f"the density falls in {' and in '.join(counted)}"
    return _open_for_crystal(found, lacking, cells) if lacking else found


def _in_each_cell(found: Finding, table: pd.DataFrame) -> Finding:
    """A conclusion on exchange; open where most seeds of the cells do not say the same."""
    if found.verdict.startswith("cannot tell"):
        return found
    told = table[table["moved_at_fall"].notna()]
    told = told.assign(still=told["moved_at_fall"] < melt.STILL)
    of_cells = told.groupby(["n_atoms", "coupling"], as_index=False)["still"]
    cells = of_cells.agg(tell="size", still="sum")
    enough = cells[cells["tell"] >= FEWEST_SEEDS]
    lacking = _too_few(enough)
    if not lacking and (2 * enough["still"] > enough["tell"]).nunique() > 1:
        counted = [
            f"{row.still} of {row.tell} runs of {_cell(row)}" for row in tables.each_row(enough)
        ]
        lacking = f"ligands still hold their Zn in {' and in '.join(counted)}"
    return _open_for_crystal(found, lacking, cells) if lacking else found


def _too_few(enough: pd.DataFrame) -> str:
    """What cells with two seeds that can tell lack for a sentence on the crystal; or nothing."""
    if len(enough) >= FEWEST_CELLS:
        return ""
    one = "".join(f"only one cell ({_cell(row)}) has" for row in tables.each_row(enough))
    return f"{one or 'no cell has'} two runs that can tell, and it takes two cells"


def _open_for_crystal(found: Finding, lacking: str, cells: pd.DataFrame) -> Finding:
    counted = [Number(f"runs that can tell, {_cell(row)}", "-", row.tell)
               for row in tables.each_row(cells)]  # fmt: skip
    return replace(
        found,
        verdict=f"cannot tell for the crystal, since {lacking}",
        here=f"{found.verdict}; {found.here}",
        numbers=(*found.numbers, *counted),
    )


def _cell(row) -> str:
    return f"{row.n_atoms:g} atoms, {_SHAPES.get(row.coupling, row.coupling)}"


def _slow_heating(table: pd.DataFrame) -> Finding:
    slow = paper.value("table3.DPMD-1K.heating_rate_K_per_ps").number
    not_seen = paper.value("heating.fpmd_rate_high_K_per_ps").number
    groups = run_table.power_by(table, by=("rate_K_per_ps",))
    fell = groups[groups["fell"] > 0]
    column, words = _size_seen(table)
    numbers = tuple(
        Number(
            f"runs that fall at {row.rate_K_per_ps:g} K/ps; how often one of {words} is found",
            "-",
            f"{row.fell} of {row.runs}; {100 * getattr(row, column):.0f} %",
        )
        for row in tables.each_row(groups)
    )
    counted = [
        f"{r.fell} of {r.runs} {'run' if r.runs == 1 else 'runs'} at {r.rate_K_per_ps:g} K/ps"
        for r in tables.each_row(groups)
    ]
    here = f"the density falls in {', '.join(counted) if len(fell) else 'no run'}"
    last = fell["rate_K_per_ps"].max()
    faster = groups[groups["rate_K_per_ps"] > last]
    seen = faster[faster[column] >= detection.ENOUGH]
    upto = fell["fell"].sum(), groups[groups["rate_K_per_ps"] <= last]["not_fallen"].sum()
    chance = fisher_exact([upto, (0, seen["runs"].sum())]).pvalue if len(seen) else np.nan
    silent = fell.empty or len(faster)
    weak = (groups if fell.empty else faster).query(f"not {column} >= {detection.ENOUGH}")
    if len(weak):
        here += f"; at {_rates(weak)} a fall of {words} would be found in {_percents(weak, column)}"
    if groups.empty:
        verdict = "cannot tell, since no run counts"
    elif fell.empty:
        verdict = f"no fall at any rate, though one of {words} would have been found"
        if len(weak):
            verdict = f"cannot tell, since a fall of {words} would have been missed"
        elif groups["cannot_tell"].sum():
            verdict = (
                "cannot tell, since the density leaves the crystal's line, but too slowly for what "
                "the rule calls a fall"
            )
    elif not silent and len(groups) < 2:
        verdict = "cannot tell, since one rate counts"
    elif not silent and last >= not_seen and fell["fell"].iloc[-1] >= FEWEST_SEEDS:
        fast = int((groups["rate_K_per_ps"] >= not_seen).sum())
        verdict = (
            f"does not agree, heating as fast as the paper's first-principles MD ({not_seen:g} "
            f"K/ps) or faster shows a fall, too: {', '.join(counted[-fast:])}"
        )
    elif not silent:
        verdict = "cannot tell, since the fastest rate of this page shows a fall, too"
    elif seen.empty:
        verdict = "cannot tell, since faster runs are too noisy to show a fall"
    elif not chance < SIGNIFICANT:
        verdict = f"cannot tell, since so few runs may differ by chance (p = {chance:.2g})"
    else:
        verdict = f"agrees in kind, {last:g} K/ps and slower show a fall, {_rates(seen)} do not"
        here += f"; none at {_rates(seen)} (p = {chance:.2g})"
    return Finding(
        "Claim (2), slow heating reveals a transition before melting",
        verdict,
        f"seen at {slow:g} K/ps and slower only.",
        f"{here}.",
        numbers,
    )


def _rate_dependence(table: pd.DataFrame) -> Finding:
    claim = "Claim (3), the slower the heating, the lower the transition temperature"
    says = (
        ", ".join(
            f"{paper.value(f'transition.{name}_Tf_K')} at "
            f"{paper.value(f'table3.{name}.heating_rate_K_per_ps').number:g} K/ps"
            for name in ("DPMD-1K", "DPMD-0.5K", "DPMD-0.1K")
        )
        + "."
    )
    seeds = run_table.seeds(table)
    numbers = tuple(
        Number(f"mean Tf at {row.rate_K_per_ps:g} K/ps, 95 %", "K", mean_with_limits(row))
        for row in tables.each_row(censored.by_rate(seeds))
    ) + _density_by_rate(table)
    try:
        trend = censored.trend(seeds)
    except Unfit:
        n_rates = len(np.unique(seeds.rate_K_per_ps[seeds.fell]))
        return Finding(
            claim,
            "cannot tell, since four falls at three rates are needed",
            says,
            f"the density falls in {seeds.fell.sum()} of {len(table)} runs, at {n_rates} of "
            f"{table['rate_K_per_ps'].nunique()} rates.",
            numbers,
        )
    if trend.probability >= SIGNIFICANT:
        verdict = "cannot tell, the change may be chance"
    else:
        verdict = "agrees" if trend.slope_K > 0 else "does not agree, it rises"
    return Finding(claim, verdict, says, f"the temperature changes by {trend}.", numbers)


def _density_by_rate(table: pd.DataFrame) -> tuple[Number, ...]:
    """Mean density in the middle of the ramp against the rate: of all runs, also without a fall."""
    known = table[table["middle_density"].notna()]
    if known["rate_K_per_ps"].nunique() < 3:
        return ()
    fit = linregress(np.log10(known["rate_K_per_ps"]), known["middle_density"])
    low, high = run_table.MIDDLE_K
    what = (
        f"mean density from {low:g} to {high:g} K, change for a rate ten times as fast, all "
        f"{len(known)} runs (a measure chosen after the runs; in no verdict)"
    )
    said = f"{fit.slope:+.3f} ± {fit.stderr:.3f} (p = {fit.pvalue:.2g})"
    return (Number(what, "g/cm3", said),)


def _size(table: pd.DataFrame) -> Finding:
    claim = "Claims (2) and (3), the size of the cell"
    atoms = paper.value("systems.supercell_atoms").number
    says = f"one size, {atoms:g} atoms."
    every = run_table.side_by_side(table)
    # one seed of a third size must not hide what two sizes with several seeds tell
    seeds = table.groupby(["rate_K_per_ps", "n_atoms"])["seed"].transform("size")
    several = run_table.side_by_side(table[seeds >= FEWEST_SEEDS])
    compared = several if len(several) else every
    pairs = [rows for _, rows in compared.groupby("rate_K_per_ps")]
    if not pairs:
        return Finding(
            claim,
            "cannot tell, since no larger cell is heated at a rate of smaller ones",
            says,
            "one size at each rate.",
        )
    told = [rows for rows in pairs if (rows["runs"] > 1).all() and _seen(rows).all()]
    rows = told[0] if told else max(pairs, key=lambda rows: rows["seen_10"].min())
    small, large = rows.iloc[0], rows.iloc[-1]
    verdict = f"cannot tell, since {_lacking(rows)}"
    if told:
        verdict = {
            (True, True): "the fall survives in the larger cell",
            (True, False): "the fall of the smaller cell is not there in the larger one",
            (False, True): "the larger cell falls, the smaller one does not",
            (False, False): "no fall at either size",
        }[bool(small["fell"]), bool(large["fell"])]
    here = f"at {small['rate_K_per_ps']:g} K/ps the density falls in " + " and in ".join(
        f"{row.fell} of {row.runs} runs of {row.n_atoms} atoms{_without(row)}"
        for row in tables.each_row(rows)
    )
    numbers = [
        Number(f"runs of {row.n_atoms} atoms that fall at {row.rate_K_per_ps:g} K/ps; how often "
               "one of 10 % is found", "-", f"{row.fell} of {row.runs}; {100 * row.seen_10:.0f} %")
        for row in tables.each_row(every)
    ]  # fmt: skip
    if small["fell"] and large["fell"]:
        for name, words in (("Tf", "Tf"), ("width", "width of the fall")):
            change = large[f"{name}_K"] - small[f"{name}_K"]
            error = float(np.hypot(small[f"{name}_error_K"], large[f"{name}_error_K"]))
            said = tables.number(change, error) if np.isfinite(error) else f"{change:.0f}"
            numbers.append(Number(f"change of {words} from the smaller to the larger", "K", said))
    return Finding(claim, verdict, says, f"{here}.", tuple(numbers))


def _without(row) -> str:
    """What is known of a size of which no run falls, in brackets."""
    if row.fell:
        return ""
    if np.isfinite(row.seen_up_to_K):
        return f" (a fall of 10 % would have been seen up to {row.seen_up_to_K:.0f} K)"
    return f" (which cannot tell: the density comes to {row.lowest_density:.3f} g/cm³, but slowly)"


def _pressure(table: pd.DataFrame, uncorrected_GPa: float) -> Finding:
    GPa = table["pressure_bar"] / BAR_PER_GPA
    at = {
        "uncorrected": table[(GPa - uncorrected_GPa).abs() <= NEAR_GPA],
        "none": table[GPa.abs() < 1e-6],
    }
    fell = {name: int(_fell(rows).sum()) for name, rows in at.items()}
    blind = {
        name: int((rows["Tf_K"].isna() & rows["Tf_above_K"].isna()).sum())
        for name, rows in at.items()
    }
    if any(rows.empty for rows in at.values()):
        verdict = f"cannot tell, since runs at 0 and near {uncorrected_GPa:g} GPa are needed"
    elif min(map(len, at.values())) < FEWEST_SEEDS:
        verdict = f"cannot tell, since two runs at 0 and near {uncorrected_GPa:g} GPa are needed"
    elif fell["none"]:
        verdict = "not an error of pressure alone, the fall is found without pressure"
    elif blind["none"]:
        verdict = "cannot tell, since runs without pressure could have hidden a fall"
    elif fell["uncorrected"] == len(at["uncorrected"]):
        verdict = "the low-density phase is an error of pressure"
    elif fell["uncorrected"]:
        verdict = (
            f"cannot tell, since {fell['uncorrected']} of {len(at['uncorrected'])} runs fall "
            f"near {uncorrected_GPa:g} GPa"
        )
    else:
        verdict = f"cannot tell, since no fall is found near {uncorrected_GPa:g} GPa either"
    counted = []
    for p, rows in table.groupby(GPa):
        torn = int((rows["Tf_K"].notna() & ~_fell(rows)).sum())
        tears = f" ({torn} more tear{'s' * (torn == 1)} apart)" if torn else ""
        counted.append(f"{int(_fell(rows).sum())} of {len(rows)} at {p:g} GPa{tears}")
    return Finding(
        "The low density as an error of pressure",
        verdict,
        "not considered; its crystal has about "
        f"{paper.value('stages.density_crystal_g_per_cm3').said}.",
        f"the density falls in {', '.join(counted) or 'no run'}.",
        tuple(
            Number(f"runs that fall at {p:g} GPa; how often one of 10 % is found", "-",
                   f"{int(_fell(rows).sum())} of {len(rows)}; "
                   f"{100 * rows['seen_10'].mean():.0f} %")
            for p, rows in table.groupby(GPa)
        ),
    )  # fmt: skip


def _fell(rows: pd.DataFrame) -> pd.Series:
    """Whether the density of each run falls, and not because its cell tears apart."""
    return rows["Tf_K"].notna() & ~(rows["lowest_density"] < RUPTURED_G_CM3)


def _offset(table: pd.DataFrame) -> Finding:
    theirs = paper.value("stages.density_crystal_g_per_cm3")
    wanted, their_fall = theirs.number, paper.value("transition.DPMD-1K_Tf_K")
    says = f"about {theirs.said} without pressure, which falls at {their_fall.said} at 1 K/ps."
    at = _by_pressure(table)
    numbers = tuple(
        Number(f"density before the ramp at {p:g} GPa; Tf", "g/cm3",
               f"{tables.number(row['density'], row['error'])}; {_said_Tf(row)}")
        for p, row in at.iterrows()
    )  # fmt: skip
    claim = f"The pressure that gives the crystal {wanted:g} g/cm³"
    if len(at) < 2:
        return Finding(claim, "cannot tell, since two pressures are needed", says,
                       f"{len(at)} pressure." if len(at) else "no run.", numbers)  # fmt: skip
    p, rho = at.index.to_numpy(float), at["density"].to_numpy()
    here = "densities before the ramp: " + ", ".join(
        f"{one:.3f} at {q:g} GPa" for q, one in zip(p, rho, strict=True)
    )
    side = np.sign(rho - wanted)
    between = np.flatnonzero(side[1:] != side[:-1])
    if not len(between):
        where = "above" if side[0] > 0 else "below"
        verdict = f"none between {p[0]:g} and {p[-1]:g} GPa, the density is {where} it at all"
        return Finding(claim, verdict, says, f"{here}.", numbers)
    k = int(between[0])
    if np.abs(rho[[k, k + 1]] - wanted).min() > JUMP_G_CM3:
        verdict = f"between {p[k]:g} and {p[k + 1]:g} GPa, where the density jumps"
    else:
        slope = (rho[k + 1] - rho[k]) / (p[k + 1] - p[k])
        value = p[k] + (wanted - rho[k]) / slope
        error = np.hypot(*at["error"].to_numpy()[[k, k + 1]]) / 2**0.5 / abs(slope)
        verdict = f"{tables.number(float(value), float(error))} GPa"
    near = at.iloc[k + int(np.argmin(np.abs(rho[[k, k + 1]] - wanted)))]
    verdict += f"; at {near.name:g} GPa the density falls at {_said_Tf(near)}"
    rates = ", ".join(f"{q:g}" for q in sorted(table["rate_K_per_ps"].unique()))
    here += f"; these ramps are at {rates} K/ps, not at 1 K/ps"
    return Finding(claim, verdict, says, f"{here}.", numbers)


def _by_pressure(table: pd.DataFrame) -> pd.DataFrame:
    """Pressure (GPa) -> density before the ramp, its error, seeds, and Tf of those that fall."""
    known, rows = table[table["start_density"].notna()], {}
    for _, seeds in known.groupby("pressure_bar"):
        scatter = seeds["start_density"].sem() if len(seeds) > 1 else 0.0
        single = np.sqrt((seeds["start_error"] ** 2).sum()) / len(seeds)
        Tf = seeds.loc[_fell(seeds), "Tf_K"]
        rows[float(seeds["pressure_bar"].iloc[0]) / BAR_PER_GPA] = {
            "density": seeds["start_density"].mean(), "error": max(scatter, single),
            "seeds": len(seeds), "fell": len(Tf), "Tf": Tf.mean(), "Tf_scatter": Tf.sem(),
        }  # fmt: skip
    columns = ["density", "error", "seeds", "fell", "Tf", "Tf_scatter"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).sort_index()


def _said_Tf(row: pd.Series) -> str:
    if not row["fell"]:
        return "no temperature that is seen"
    scatter = f" ± {row['Tf_scatter']:.0f}" if np.isfinite(row["Tf_scatter"]) else ""
    return f"{row['Tf']:.0f}{scatter} K ({row['fell']:.0f} of {row['seeds']:.0f} runs)"


def _shape(table: pd.DataFrame, departures: Mapping[str, Departure]) -> Finding:
    claim, says = "The shape of the cell", "isotropic; the barostat's relaxation time is not given."
    small = table[table["n_atoms"] == table["n_atoms"].min()]
    both = run_table.side_by_side(small, by="coupling")
    pairs = []
    for _, rows in both.groupby("rate_K_per_ps"):
        of = rows.set_index("coupling")
        pairs += [
            (of.loc["iso"], of.loc[one]) for one in of.index if "iso" in of.index and one != "iso"
        ]
    numbers = [
        Number(f"runs of {_SHAPES[row.coupling]} cells that fall at {row.rate_K_per_ps:g} K/ps; "
               "how often one of 10 % is found", "-",
               f"{row.fell} of {row.runs}; {100 * row.seen_10:.0f} %")
        for row in tables.each_row(both)
    ]  # fmt: skip
    for name, one in departures.items():
        unit = "%" if "/" in one.what else "degrees"
        size = 100 * one.change if "/" in one.what else one.change
        numbers.append(Number(
            f"change of shape before the fall, {name}", "-",
            f"{one.what} by {size:+.1f} {unit} at {one.temperature_K:.0f} K" if one
            else f"none; at most {one.largest:.1f} scatters",
        ))  # fmt: skip
    if not pairs:
        why = "cannot tell, since no cell of another shape is heated at a rate of isotropic ones"
        return Finding(claim, why, says, "one shape at each rate.", tuple(numbers))
    said, here = [], []
    for iso, other in pairs:
        name = _SHAPES[str(other.name)]
        said.append(f"{name}: {_shapes_apart(iso, other)}")
        here.append(
            f"at {iso['rate_K_per_ps']:g} K/ps {iso['fell']:.0f} of {iso['runs']:.0f} isotropic "
            f"and {other['fell']:.0f} of {other['runs']:.0f} {name} runs fall"
        )
    changed = sum(map(bool, departures.values()))
    if departures:
        here.append(f"the shape changes before the fall in {changed} of {len(departures)} of them")
    return Finding(claim, "; ".join(said), says, f"{'; '.join(here)}.", tuple(numbers))


def _shapes_apart(iso: pd.Series, other: pd.Series) -> str:
    """What cells of two shapes say: few seeds may agree, but a difference needs two of each."""
    blind = [row for row in (iso, other) if not row["seen_10"] >= detection.ENOUGH]
    few = min(iso["runs"], other["runs"])
    if blind or max(iso["runs"], other["runs"]) < FEWEST_SEEDS:
        return "cannot tell, since " + ("noise hides a fall" if blind else "there is one run each")
    one_seed = " (one run)" if few < FEWEST_SEEDS else ""
    if bool(iso["fell"]) == bool(other["fell"]):
        return f"the fall is {'there, too' if iso['fell'] else 'in neither'}{one_seed}"
    if few < FEWEST_SEEDS:
        return "cannot tell, since they differ and there is one run"
    return "isotropy makes the fall" if iso["fell"] else "isotropy hides the fall"


def _reversible(pairs: pd.DataFrame) -> Finding:
    claim, says = "Closing on cooling", "it does not cool."
    if pairs.empty:
        why = "cannot tell, since no run that counts is cooled back"
        return Finding(claim, why, says, "nothing.")
    apart = pairs["cooled_Tf_K"] - pairs["Tf_K"]
    error = np.hypot(pairs["cooled_Tf_error_K"], pairs["Tf_error_K"])
    ratio = pairs["cooled_first_density"] / pairs["first_density"] - 1
    back, fell = ratio.abs() <= BACK, pairs["Tf_K"].notna()
    closed = fell & back & apart.notna()
    n, falls = len(pairs), int(fell.sum())
    if not falls:
        verdict = (
            f"nothing to reverse, none of {n} heated runs falls; {back.sum()} of {n} come back"
        )
        verdict += f" to the density of the crystal within {100 * BACK:.0f} %"
    elif not (fell & back).any():
        verdict = f"not reversible at this rate, {falls} of {falls} that fell stay open"
    elif (closed == fell).all() and (apart[fell].abs() <= 2 * error[fell]).all():
        verdict = f"reversible in {falls} of {falls} that fell"
    elif (closed == fell).all():
        verdict = (
            f"all {falls} that fell close again, at another temperature (hysteresis "
            + ", ".join(f"{tables.number(x, e)} K" for x, e in zip(apart[fell], error[fell],
                                                                   strict=True))
            + ")"
        )  # fmt: skip
    else:
        came = int((fell & back).sum())
        verdict = f"{came} of {falls} that fell come{'s' * (came == 1)} back"
    if n < FEWEST_SEEDS:
        verdict = f"cannot tell from a single run; {verdict}"
    elif 0 < falls < FEWEST_SEEDS:
        verdict = f"cannot tell from a single run that fell; {verdict}"
    here = "cooled to the start the density is " + ", ".join(
        f"{row.cooled_first_density:.3f} (before {row.first_density:.3f})"
        for row in tables.each_row(pairs)
    )
    numbers = tuple(
        Number(f"{row.name}: Tf heated, cooled", "K",
               f"{_or_above(row.Tf_K, row.Tf_above_K)}, "
               f"{_or_above(row.cooled_Tf_K, row.cooled_Tf_above_K)}")
        for row in tables.each_row(pairs)
    )  # fmt: skip
    return Finding(claim, verdict, says, f"{here} g/cm³.", numbers)


def _low_density(table: pd.DataFrame) -> Finding:
    fell = table[table["Tf_K"].notna()]
    other = table[table["Tf_K"].isna()]
    tells = len(fell) + int(other["Tf_above_K"].notna().sum())
    left = fell[fell["melt_K"] > fell["Tf_K"]]  # a fall of the melt is no phase before it
    theirs, their_fall = (
        paper.value("stages.density_crystal_g_per_cm3"), paper.value("transition.DPMD-1K_Tf_K"),
    )  # fmt: skip
    watched = fell["melt_above_K"].dropna()
    if not tells:
        verdict = "cannot tell, since no run shows a fall, nor that there is none"
    elif tells < 2:
        verdict = "cannot tell from a single run"
    elif fell.empty:
        verdict = "no low-density state, though a fall of 10 % would have been found"
    else:
        counts = {"without one": tells - len(fell), "cannot tell": len(table) - tells}
        rest = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
        rest = f" ({rest})" if rest else ""
        agrees = "agrees, " if len(left) and 2 * len(fell) > len(table) else ""
        verdict = f"{agrees}a low density appears in {len(fell)} of {len(table)} runs{rest}; " + (
            f"Zn leave their sites, as on melting, later in {len(left)} of them, at "
            f"{_span(left['melt_K'])} K"
            if len(left)
            else f"no melting follows up to the end of the runs ({_span(watched)} K)"
        )
    ranges = [
        f"{what} {_span(rows, digits)} {unit}"
        for what, rows, digits, unit in (
            ("begins at", fell["Tf_K"], 0, "K"),
            ("ends at", fell["fallen_K"], 0, "K"),
            ("the lowest density is", fell["lowest_density"].dropna(), 3, "g/cm³"),
        )
        if len(rows)
    ]
    lost = 100 * (1 - fell["lowest_density"] / fell["start_density"]).dropna()
    if len(lost):
        ranges.append(f"{_span(lost)} % below that before the ramp")
    if len(others := other["lowest_density"].dropna()) and ranges:
        ranges[-1] += f"; in the runs without a fall by the rule it is {_span(others, 3)} g/cm³"
    molten = fell[fell["moved_at_end"] >= melt.HALF]
    return Finding(
        "Claim (4), a low density before melting",
        verdict,
        f"about {theirs.said} falls at {their_fall.said} at 1 K/ps.",
        f"the fall {', '.join(ranges)}." if ranges else _without_a_fall(table),
        (
            Number("runs that fall, and that can tell", "-", f"{len(fell)} of {tells}"),
            Number("of them, runs that come back", "-", int((fell["returns"] > 0).sum())),
            Number("of them, runs whose Zn leave their sites", "-", len(left)),
            Number("of them, runs with half of the N off their Zn when the run ends (a melt, as "
                   "chapter 6 asks for it)", "-", len(molten)),
            Number("density that the paper gives its crystal", "g/cm3", "", theirs.number),
        ),
    )  # fmt: skip


def _without_a_fall(table: pd.DataFrame) -> str:
    lowest = table["lowest_density"].dropna()
    said = f"; the lowest density is {_span(lowest, 3)} g/cm³" if len(lowest) else ""
    return f"no fall by the rule{said}."


def _exchange(table: pd.DataFrame) -> Finding:
    order = run_table.order_of_events(table).set_index("event")
    breaks, exchanges = order.loc["first_break"], order.loc["first_exchange"]
    fell = table[table["Tf_K"].notna() & table["moved_at_fall"].notna()]
    n, still = len(fell), int((fell["moved_at_fall"] < melt.STILL).sum())
    percent = f"{100 * melt.STILL:g} %"
    if not n:
        verdict = "cannot tell, since no run that counts falls"
    elif n < 2:
        verdict = "cannot tell from a single run"
    elif 2 * still > n:
        verdict = (
            f"does not agree in {still} of {n} runs, less than {percent} of the N have left their "
            "Zn there when the fall has ended"
        )
    else:
        verdict = (
            f"exchange may be the cause in {n - still} of {n} runs, {percent} of the N or more "
            "have left their Zn there when the fall has ended; that it is the cause is not shown"
        )
    if n > 1 and fell.groupby(["n_atoms", "coupling"]).size().max() < ENOUGH_SEEDS:
        verdict = (
            f"cannot tell in general, {ENOUGH_SEEDS} falling runs of one cell are needed; {verdict}"
        )
    claim = "Claim (4), ligand exchange as its cause"
    says = "ligand exchange makes the low-density state; exchanges are not counted."
    if not n:
        return Finding(claim, verdict, says, "without a fall nothing comes before or after it.")
    m = int(breaks["runs"])
    return Finding(
        claim,
        verdict,
        says,
        f"when the fall has ended {_span(100 * fell['moved_at_fall'], 1)} % of the N have left "
        f"their Zn; of {m} {'run that falls' if m == 1 else 'runs that fall'} the first ligand "
        f"changes its Zn before the fall in {exchanges['before']}, during it or within the errors "
        f"in {exchanges['unclear']}, after its end in {exchanges['after']}; the first bond, which "
        f"may close again, breaks before it in {breaks['before']}, during it or within the errors "
        f"in {breaks['unclear']}, after its end in {breaks['after']}.",
        tuple(
            Number(f"{row.name}: end of the fall, first break, first exchange; N that have left "
                   "their Zn by its end", "K; %",
                   f"{row.fallen_K:.0f}, {_or_above(row.first_break_K, row.first_break_above_K)}, "
                   f"{_or_above(row.first_exchange_K, row.first_exchange_above_K)}; "
                   f"{100 * row.moved_at_fall:.1f}")
            for row in tables.each_row(table[table["Tf_K"].notna()])
        ),
    )  # fmt: skip


def mean_with_limits(row) -> str:
    """Mean of one rate with its 95 % limits, or the lower limit alone.

    Where no rate has two seeds that fall, their scatter is unknown, and so are the limits.

    Parameters
    ----------
    row : namedtuple
        A row of `censored.by_rate`.

    Returns
    -------
    str
        Such as "1118 (1042 to 1195)" or "> 1300".
    """
    if not np.isfinite(row.mean_K):
        return f"> {row.low_K:.0f}"
    if not np.isfinite(row.scatter_K):
        return f"{row.mean_K:.0f} (scatter of runs unknown)"
    if row.high_K - row.low_K > row.mean_K:  # an interval that says nothing
        return f"{row.mean_K:.0f} (too few runs for limits)"
    return f"{row.mean_K:.0f} ({row.low_K:.0f} to {row.high_K:.0f})"


def _size_seen(table: pd.DataFrame) -> tuple[str, str]:
    """Column and words of the planted fall that is nearest below the falls that are seen."""
    mean = table["drop"].mean()
    drop = max((d for d in detection.DROPS if d <= mean + 0.005), default=detection.DROPS[0])
    drop = drop if np.isfinite(mean) else 0.10
    return f"seen_{100 * drop:.0f}", f"{100 * drop:.0f} %"


def _seen(rows: pd.DataFrame) -> pd.Series:
    return rows["seen_10"] >= detection.ENOUGH


def _lacking(rows: pd.DataFrame) -> str:
    """What two sizes lack to be compared."""
    few, blind = rows[rows["runs"] < 2], rows[~_seen(rows)]
    said = []
    if len(few):
        sizes = " and ".join(str(n) for n in few["n_atoms"])
        said.append(f"there is one run {'each ' if len(few) > 1 else ''}of {sizes} atoms")
    for row in tables.each_row(blind):
        said.append(
            f"in cells of {row.n_atoms} atoms noise hides a fall of 10 % in "
            f"{100 * (1 - row.seen_10):.0f} % of the cases"
        )
    return "; ".join(said)


def _span(values: pd.Series, digits: int = 0) -> str:
    low, high = f"{values.min():.{digits}f}", f"{values.max():.{digits}f}"
    return low if low == high else f"{low} to {high}"


def _rates(groups: pd.DataFrame) -> str:
    return ", ".join(f"{q:g}" for q in groups["rate_K_per_ps"]) + " K/ps"


def _percents(groups: pd.DataFrame, column: str) -> str:
    return f"{_span(100 * groups[column])} % of the cases"


def _or_above(at: float, above: float) -> str:
    if np.isfinite(at):
        return f"{at:.0f}"
    return f"> {above:.0f}" if np.isfinite(above) else "–"
