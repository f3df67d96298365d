"""Chapter 5 on runs at constant volume: figures, tables and the equilibrium transition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import chi2

from helpers import units
from helpers.observables import free_energy, melt
from helpers.observables.free_energy import Equilibrium, Isotherm
from helpers.observables.perturbation import Shift
from helpers.report import paper, style, tables
from helpers.report.claims import Finding, Number
from helpers.report.tables import Table

SIGNIFICANT = 0.05
ROOM_K = 300.0
_BAR_PER_GPA = 1e4
_HIGHEST_KT = 25.0


def points(table: pd.DataFrame) -> Table:
    """Mean pressure at each volume and temperature.

    Parameters
    ----------
    table : DataFrame
        Result of ``recipes.volumes.points``.

    Returns
    -------
    Table
        A row for each volume of an atom (and each size, where there are several), a column for
        each temperature. In brackets the share of the N that have left their Zn in the end; "not
        used" instead of a pressure that was refused.
    """
    rows = []
    for _, group in table.groupby(["n_atoms", "volume_A3"]):
        first = group.iloc[0]
        row = {"atoms": f"{first['n_atoms']:.0f}", "V (Å³)": f"{first['volume_A3']:.1f}"}
        for one in tables.each_row(group.sort_values("temperature_K")):
            said = "not used"
            if not one.refused:
                GPa = one.pressure_bar / _BAR_PER_GPA, one.error_bar / _BAR_PER_GPA
                said = "{:.3f} ± {:.3f}".format(*GPa)
                said = said.replace(" ", "\N{NO-BREAK SPACE}")  # a number is not torn at its ±
            if one.moved > 0:
                said += f" ({100 * one.moved:.0f}\N{NO-BREAK SPACE}%)"
            row[f"{one.temperature_K:.0f} K"] = said
        rows.append(row)
    shown = pd.DataFrame(rows).fillna("–")
    left = ["atoms", "V (Å³)"]
    if shown["atoms"].nunique() == 1:
        left.remove("atoms")
        shown = shown.drop(columns="atoms")
    temperatures = sorted((c for c in shown if c not in left), key=lambda c: float(c.split()[0]))
    return tables.headed(shown[[*left, *temperatures]])


def refused(table: pd.DataFrame) -> pd.DataFrame:
    """The points that are not used, with the reason.

    Parameters
    ----------
    table : DataFrame
        Result of ``recipes.volumes.points``.

    Returns
    -------
    DataFrame
        run, reason.
    """
    out = table.loc[table["refused"] != "", ["name", "refused"]]
    return out.rename(columns={"name": "run", "refused": "reason"})


def isotherms(curves: Sequence[Isotherm], beside: Sequence[Isotherm] = ()) -> Figure:
    """Pressure and free energy against the volume, a colour for each temperature.

    Parameters
    ----------
    curves : sequence of Isotherm
        Isotherms of the cell, volumes of an atom.
    beside : sequence of Isotherm
        Those of a larger cell, drawn as open squares.

    Returns
    -------
    Figure
        P(V) and F(V) - F(smallest V).
    """
    figure, (left, right) = style.axes(
        ("volume of an atom", "A^3"), ("pressure", "GPa"), ncols=2, width=5.4
    )
    right.set_ylabel(style.label("F - F(smallest V)", "meV/atom"))
    for curve in curves:
        V, colour = _grid(curve), style.temperature_colour(curve.temperature_K)
        name = f"{curve.temperature_K:.0f} K"
        left.errorbar(
            curve.volumes_A3, curve.pressures_bar / _BAR_PER_GPA, curve.errors_bar / _BAR_PER_GPA,
            fmt="o", ms=3, capsize=2, color=colour,
        )  # fmt: skip
        left.plot(V, curve.pressure_bar(V) / _BAR_PER_GPA, color=colour, label=name)
        right.plot(V, 1e3 * curve.free_energy_eV(V), color=colour, label=name)
    for curve in beside:
        colour = style.temperature_colour(curve.temperature_K)
        left.errorbar(
            curve.volumes_A3, curve.pressures_bar / _BAR_PER_GPA, curve.errors_bar / _BAR_PER_GPA,
            fmt="s", ms=6, mfc="none", capsize=2, color=colour,
            label=f"{curve.temperature_K:.0f} K, larger cell",
        )  # fmt: skip
    left.axhline(0, color="black", lw=0.8)
    left.legend(fontsize=8)
    return figure


def wells(variants: Mapping[str, Sequence[Isotherm]], n_atoms: int) -> Figure:
    """G of the cell at zero pressure above its lowest value, in units of kT.

    Parameters
    ----------
    variants : mapping of str to sequence of Isotherm
        Name -> isotherms, volumes of an atom, a panel for each.
    n_atoms : int
        Number of atoms of the cell.

    Returns
    -------
    Figure
        The panels.
    """
    figure, panels = style.axes(
        ("volume of an atom", "A^3"), ("G above its lowest", "kT"),
        ncols=len(variants), width=5.0, sharey=True,
    )  # fmt: skip
    for ax, (name, curves) in zip(np.atleast_1d(panels), variants.items(), strict=True):
        for curve in curves:
            V = _grid(curve)
            G = n_atoms * curve.gibbs_eV(V) / (units.BOLTZMANN_EV_PER_K * curve.temperature_K)
            colour = style.temperature_colour(curve.temperature_K)
            ax.plot(V, G - G.min(), color=colour, label=f"{curve.temperature_K:.0f} K")
        ax.set(title=name, ylim=(0, _HIGHEST_KT))
    figure.legend(*ax.get_legend_handles_labels(), fontsize=8, ncols=6, loc="outside lower center")
    return figure


def expansion(found: Mapping[str, Equilibrium], beside: pd.DataFrame | None = None) -> Axes:
    """Equilibrium volume against temperature, and that of a heating run.

    Parameters
    ----------
    found : mapping of str to Equilibrium
        Name -> equilibrium.
    beside : DataFrame, optional
        target_temperature_K and volume_A3 (of an atom) of a heating run.

    Returns
    -------
    Axes
        The panel. Triangles are limits of the true volumes (`Equilibrium`).
    """
    _, ax = style.axes(("temperature", "K"), ("volume of an atom", "A^3"))
    for colour, (name, one) in zip(style.SERIES_COLOURS, found.items(), strict=False):
        at, inside = one.table, one.table["limit"] == ""
        ax.plot(at["temperature_K"], at["volume_A3"], color=colour, label=name)
        known = at["temperature_K"], at["volume_A3"], at["error_A3"]
        ax.errorbar(*known, fmt="none", capsize=2, color=colour)
        ax.plot(at["temperature_K"][inside], at["volume_A3"][inside], "o", ms=4, color=colour)
        for limit, marker in (("<", "v"), (">", "^"), ("<>", "D")):
            rows = at[at["limit"] == limit]
            ax.plot(rows["temperature_K"], rows["volume_A3"], marker, mfc="none", color=colour)
    if beside is not None and len(beside):
        volume = style.running_mean(beside["volume_A3"], max(1, len(beside) // 50))
        ax.plot(beside["target_temperature_K"], volume, "k", lw=0.8, label="heated")
    ax.legend(fontsize=8)
    return ax


def equilibria(found: Mapping[str, Equilibrium]) -> Table:
    """Equilibrium volumes and the barriers that the pressures allow.

    Parameters
    ----------
    found : mapping of str to Equilibrium
        Name -> equilibrium.

    Returns
    -------
    Table
        A row for each temperature and name.
    """
    rows = []
    for name, one in found.items():
        for row in tables.each_row(one.table):
            barrier = "–"
            if np.isfinite(row.barrier_kT):
                barrier = tables.number(row.barrier_kT, row.barrier_error_kT)
            rows.append({
                "P(V)": name,
                "T (K)": f"{row.temperature_K:.0f}",
                "volume of an atom (Å³)": f"{row.limit} " * bool(row.limit)
                + tables.number(row.volume_A3, row.error_A3),
                "minima of G": row.minima,
                "draws with one (%)": f"{100 * row.one_minimum:.0f}",
                "barrier (kT)": barrier,
                "barrier at most (kT, 95 %)": f"{row.barrier_below_kT:.1f}",
            })  # fmt: skip
    return tables.headed(pd.DataFrame(rows))


def scatter(curves: Sequence[Isotherm], before: Equilibrium) -> str:
    """By how much the errors of blocks are too small, and what follows from them alone.

    Parameters
    ----------
    curves : sequence of Isotherm
        Isotherms with the errors of blocks.
    before : Equilibrium
        What follows from these.

    Returns
    -------
    str
        Sentences in Markdown.
    """
    fit = free_energy.smoothness(curves)
    if not fit.freedom:
        return "The volumes are too few to tell whether the pressures lie on smooth curves."
    said = (
        "A cubic of the volume at each temperature, the simplest curve that can have a loop, "
        f"leaves χ² = {fit.chi2:.0f} for {fit.freedom} degrees of freedom"
    )
    if fit.factor == 1:
        return f"{said}: the errors of blocks explain the scatter."
    each = {curve.temperature_K: free_energy.smoothness([curve]).chi2 for curve in curves}
    worst = max(each, key=lambda T: each[T])
    quartic = free_energy.smoothness(curves, 4).factor
    return (
        f"{said}, {each[worst]:.0f} of it at {worst:.0f} K: neighbouring runs differ by more than "
        "the blocks of one run say, or the curve there is no cubic, and then the errors become "
        "too large. From here on all of them are those of blocks times the root of χ² over its "
        f"degrees of freedom, {fit.factor:.1f} (curves of fourth degree would make it "
        f"{quartic:.1f}). With the errors of blocks alone, {before}."
    )


def differences(frames: pd.DataFrame, shift: Shift) -> Axes:
    """Energy of the reference less that of the potential against the volume.

    Parameters
    ----------
    frames : DataFrame
        Result of ``energy_differences.of_runs``.
    shift : Shift
        The law of these frames, of which the slope is known.

    Returns
    -------
    Axes
        Means of the runs with their errors, and the law, a colour for each temperature.
    """
    _, ax = style.axes(("volume of an atom", "A^3"), ("reference - potential", "meV/atom"))
    for at, rows in frames.groupby("temperature_K"):
        T = float(str(at))
        colour = style.temperature_colour(T)
        each = rows.groupby("volume_A3")["difference_meV_per_atom"]
        mean, error = each.mean(), each.std(ddof=1) / each.size() ** 0.5
        ax.errorbar(mean.index, mean, error, fmt="o", ms=3, capsize=2, color=colour)
        V = np.linspace(mean.index.min(), mean.index.max(), 100)
        law = shift.first_order_meV(V, T)
        offset = (mean - shift.first_order_meV(mean.index, T)).mean()
        ax.plot(V, law + offset, color=colour, label=f"{T:.0f} K")
    ax.legend(fontsize=8)
    return ax


def perturbed(shift: Shift, orders: Mapping[str, Equilibrium], enough: bool) -> str:
    """What the frames say of the step from the potential to its reference.

    Parameters
    ----------
    shift : Shift
        Its law.
    orders : mapping of str to Equilibrium
        Result of ``recipes.volumes.by_order``.
    enough : bool
        Whether the second order is enough.

    Returns
    -------
    str
        Sentences in Markdown.
    """
    said = (
        f"{shift.frames} frames. Their means lie about the law with χ² = {shift.chi2:.0f} for "
        f"{shift.freedom} degrees of freedom (errors times {shift.factor:.1f}); the skewness of "
        f"the residuals is {tables.number(shift.skewness, shift.skewness_error)}. "
    )
    said += " ".join(f"In the {name}, {one}." for name, one in orders.items())
    if not enough:
        said += " The third order leaves the limits of the second, which is not used."
    return said


def bias(shifts: Mapping[str, float], n_atoms: int, temperature_K: float) -> str:
    """What the bias of the potential adds between the crystal and the low density, in words.

    Parameters
    ----------
    shifts : mapping of str to float
        Result of ``accuracy.crystal_to_open``.
    n_atoms : int
        Number of atoms of the cell.
    temperature_K : float
        Temperature at which the energy is compared with kT, K.

    Returns
    -------
    str
        Part of a sentence; empty if nothing is known.
    """
    if not shifts:
        return ""
    kT = 1e3 * units.BOLTZMANN_EV_PER_K * temperature_K
    each = [
        f"{meV:+.1f} meV/atom by {name} ({n_atoms * meV / kT:+.1f} kT of the cell at "
        f"{temperature_K:.0f} K)"
        for name, meV in shifts.items()
    ]
    known = len({np.sign(meV) for meV in shifts.values()}) == 1
    return (
        "from crystal to low density the energy of the potential less that of its reference "
        f"changes by {' and '.join(each)}, which is in no error here"
        + ("" if known else ", and of which not even the sign is known")
    )


def sizes(both: pd.DataFrame) -> str:
    """Whether a larger cell has the same pressures.

    Parameters
    ----------
    both : DataFrame
        Result of ``free_energy.compared``.

    Returns
    -------
    str
        In words.
    """
    if both.empty:
        return "No volume has been looked at in two sizes."
    pulls = both["difference_bar"] / both["error_bar"]
    square, n = float((pulls**2).sum()), len(both)
    chance = float(chi2.sf(square, n))
    mean = both["difference_bar"].mean() / _BAR_PER_GPA
    return (
        f"At {n} points the pressure of the larger cell differs by {mean:+.3f} GPa on the mean; "
        f"χ² = {square:.0f} for {n} points (p = {chance:.2g}): "
        + ("the sizes differ." if chance < SIGNIFICANT else "no difference beyond the errors.")
    )


def transition(
    found: Mapping[str, Equilibrium],
    table: pd.DataFrame,
    missing: str = "",
    biased: str = "",
    before: Equilibrium | None = None,
) -> Finding:
    """The transition that needs no heating rate.

    Parameters
    ----------
    found : mapping of str to Equilibrium
        Name of ``recipes.volumes.variants`` -> equilibrium of the smallest cell, the one that the
        verdict is of first; empty if there are too few runs.
    table : DataFrame
        Result of ``recipes.volumes.points``.
    missing : str
        What is not computed yet.
    biased : str
        Result of `bias`.
    before : Equilibrium, optional
        What follows for the potential's own from the errors of blocks alone.

    Returns
    -------
    Finding
        The conclusion.
    """
    claim = "The equilibrium transition at fixed shape, from runs at constant volume"
    rates = ("DPMD-1K", "DPMD-0.1K")
    theirs = [paper.value(f"transition.{name}_Tf_K").said for name in rates]
    says = f"by heating only, {theirs[0]} at 1 K/ps and {theirs[1]} at the slowest rate."
    if not found:
        why = missing or "no run at constant volume is asked for"
        return Finding(claim, "cannot tell, since there are too few runs", says, f"{why}.")
    (_, own), *_ = found.items()
    T, n_atoms = own.table["temperature_K"], table["n_atoms"].min()
    if own.order == "first-order":
        verdict = f"of first order, with a barrier of {_largest_barrier(own)} in a cell of "
        verdict += f"{n_atoms:.0f} atoms; {own.coexistence}"
    elif own.order == "continuous":
        verdict = f"no jump, one minimum of G at every temperature; {own}"
    else:
        most = own.table["barrier_below_kT"].max()
        verdict = "cannot tell whether it is a jump, the pressures allow a barrier of up to "
        verdict += f"{most:.1f} kT; {own}"
    if len(T) < 2:
        verdict = f"cannot tell from {len(T)} temperature"
    elif own.temperature_K == np.inf and own.order != "first-order":
        verdict = f"not seen up to {T.max():.0f} K; {own}"
        if np.isfinite(own.low_K):
            verdict = (
                f"not below {own.low_K:.0f} K; at higher temperatures it cannot be told; {own}"
            )
    moved = table[(table["n_atoms"] == n_atoms) & (table["moved"] > melt.STILL)]
    if len(moved):
        where = ", ".join(f"{at:.0f}" for at in sorted(moved["temperature_K"].unique()))
        verdict += (
            f"; at {where} K more than {100 * melt.STILL:.0f} % of the N have left their Zn at "
            "some volume, so that this is not the crystal alone"
        )
    here = "; ".join(f"{name}: {one}" for name, one in found.items())
    here += "; every run starts from the crystal"
    for more in filter(None, (biased, missing)):
        here += f"; {more}"
    grams = float((table["density_g_cm3"] * table["volume_A3"]).mean())  # times A^3, of an atom
    numbers = [
        Number(f"volume of an atom at {row.temperature_K:.0f} K, {name}", "A^3",
               f"{row.limit} " * bool(row.limit) + tables.number(row.volume_A3, row.error_A3))
        for name, one in found.items()
        for row in tables.each_row(one.table)
    ]  # fmt: skip
    for name, one in found.items():
        cold = one.table.iloc[0]
        low, high = (grams / (cold["volume_A3"] + sign * cold["error_A3"]) for sign in (1, -1))
        density = tables.number((low + high) / 2, (high - low) / 2)
        what = f"density at {cold['temperature_K']:.0f} K, {name}"
        numbers.append(Number(what, "g/cm3", density))
    if before is not None:
        most = before.table["barrier_below_kT"].max()
        said = f"{before}; a barrier of up to {most:.1f} kT"
        numbers.append(
            Number("by the potential itself, with the errors of blocks alone", "-", said)
        )
    return Finding(claim, verdict, says, f"{here}.", tuple(numbers))


def offset(variants: Mapping[str, Sequence[Isotherm]], table: pd.DataFrame) -> Finding:
    """The error of the pressure that would give the crystal the paper's density.

    Parameters
    ----------
    variants : mapping of str to sequence of Isotherm
        Name -> isotherms, volumes of an atom, the one that the verdict is of first.
    table : DataFrame
        Result of ``recipes.volumes.points``.

    Returns
    -------
    Finding
        The conclusion.
    """
    theirs = paper.value("stages.density_crystal_g_per_cm3")
    claim = f"The pressure at which {theirs.number:g} g/cm³ is in equilibrium at {ROOM_K:.0f} K"
    claim += " and fixed shape"
    says = f"its crystal has about {theirs.said}, without pressure."
    cold = {
        name: [c for c in curves if abs(c.temperature_K - ROOM_K) < 1]
        for name, curves in variants.items()
    }
    cold = {name: curves[0] for name, curves in cold.items() if curves}
    if not cold:
        return Finding(claim, f"cannot tell, since there is no isotherm of {ROOM_K:.0f} K", says,
                       "nothing.")  # fmt: skip
    volume = float((table["density_g_cm3"] * table["volume_A3"]).mean() / theirs.number)
    said = {}
    for name, curve in cold.items():
        bar, error, stable = free_energy.pressure_of(curve, volume)
        words = "outside of the volumes looked at"
        if np.isfinite(bar):
            words = f"{tables.number(bar / _BAR_PER_GPA, error / _BAR_PER_GPA)} GPa"
            words += "" if stable else ", where it is not stable"
        said[name] = words
    own = next(iter(said))
    listed = "; ".join(f"{name}: {words}" for name, words in said.items())
    return Finding(
        claim, said[own], says, f"a volume of {volume:.1f} Å³ an atom; {listed}.",
        tuple(Number(f"that pressure, {name}", "-", words) for name, words in said.items()),
    )  # fmt: skip


def _largest_barrier(found: Equilibrium) -> str:
    row = found.table.loc[found.table["barrier_kT"].idxmax()]
    return f"{tables.number(row['barrier_kT'], row['barrier_error_kT'])} kT"


def _grid(curve: Isotherm) -> np.ndarray:
    return np.linspace(curve.volumes_A3[0], curve.volumes_A3[-1], 300)
