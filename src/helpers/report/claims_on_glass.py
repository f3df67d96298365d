"""Conclusions of the chapter on the glass, which the paper does not have.

A difference between two means counts if Welch's t-test (a paired one for quenches of the same
melts) gives it less than 5 % by chance, so that two seeds must differ far more than their scatter
and many only a little. One seed tells nothing of
how far seeds differ: the verdict is then that it cannot be told.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp, ttest_ind_from_stats

from helpers.report import tables
from helpers.report.claims import Finding, Number

SIGNIFICANT = 0.05  # probability of chance
_NONE = "cannot tell, since no quench of a melt is computed"
_ONE_SEED = "cannot tell, since one seed does not say how far seeds differ"


def bends(found: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Whether quenched cells show a glass transition in their density.

    Parameters
    ----------
    found : DataFrame
        Result of ``peers.bends``.

    Returns
    -------
    table : DataFrame
        A row for each quench: its name, seeds, in how many of them a bend is found, and the thermal
        expansion (10^-6/K) of the cold and the hot part with the standard errors of seeds.
    said : str
        The conclusion, in Markdown.
    """
    rows, differ = [], []
    for name, many in found.groupby("quench", sort=False):
        row = {"quench": name, "seeds": str(len(many)), "with a bend": str(many["bend_K"].count())}
        for column, words in (("cold_per_K", "cold, 10⁻⁶/K"), ("hot_per_K", "hot, 10⁻⁶/K")):
            error = float(1e6 * many[column].sem()) if len(many) > 1 else None
            row[words] = tables.number(float(1e6 * many[column].mean()), error)
        apart = many["hot_per_K"] - many["cold_per_K"]
        if len(many) > 1 and ttest_1samp(apart, 0).pvalue < SIGNIFICANT:
            differ.append(name)
        rows.append(row)
    bent, n = found["bend_K"].count(), len(found)
    said = f"The density bends in {bent} of {n} quenches by the detector of chapter 4. "
    if differ:
        said += f"Hot and cold parts expand differently in {', '.join(map(_for_reader, differ))}."
    else:
        said += (
            "Hot and cold parts expand alike within the scatter of seeds at every rate (paired "
            "t-test): where the melt becomes a glass cannot be told from the density of such cells."
        )
    return pd.DataFrame(rows), said


def nearest(fits: pd.DataFrame) -> Finding:
    """Which model of a page comes nearest to the measured D(r).

    Parameters
    ----------
    fits : DataFrame
        Result of ``as_measured.errors``.

    Returns
    -------
    Finding
        The conclusion.
    """
    asis, stretched = (fits.loc[fits[which].idxmin()] for which in ("Rw", "Rw stretched"))
    names = [_with_ties(fits, which) for which in ("Rw", "Rw stretched")]
    verdict = _or(names[0])
    if set(names[0]) != set(names[1]):
        verdict = f"{_or(names[0])} as it is; {_or(names[1])} once distances are stretched"
    return Finding(
        "Nearest to the measured glass",
        verdict,
        "",
        f"Rw over 1–10 Å is {asis['Rw']:.2f} for {_for_reader(asis['model'])} as it is, and "
        f"{stretched['Rw stretched']:.2f} for {_for_reader(stretched['model'])} with all "
        "distances times one factor.",
        tuple(
            Number(f"Rw of {row['model']}, as it is; stretched", "-", _both(row))
            for _, row in fits.iterrows()
        ),
    )


def _or(names: list[str]) -> str:
    """``A``, or ``A, B or C (cannot tell which)``."""
    *most, last = map(_for_reader, names)
    return f"{', '.join(most)} or {last} (cannot tell which)" if most else last


def _for_reader(model: str) -> str:
    """``quench-1800K-100Kps`` as ``our glass of 100 K/ps``; names of other models are words."""
    if re.fullmatch(r"reaxff-quench-.*Kps, 300 K", model):
        return "glass of ReaxFF"
    quench = re.fullmatch(r"quench-\d+K-([\d.]+)Kps(?:-(\dx\dx\d))?", model)
    if not quench:
        return model
    cells = f", {quench[2].replace('x', ' × ')} cells" if quench[2] else ""
    return f"our glass of {quench[1]} K/ps{cells}"


def _with_ties(fits: pd.DataFrame, which: str) -> list[str]:
    """The model with the lowest R_w, and those that chance may have put behind it."""
    best = fits.loc[fits[which].idxmin()]
    several = fits[(fits["samples"] > 1) & (fits["model"] != best["model"])]
    ties = [
        row["model"]
        for _, row in several.iterrows()
        if best["samples"] > 1 and not _differs(*_of(row, which), *_of(best, which))
    ]
    return [best["model"], *ties]


def our_glass(fits: pd.DataFrame, ends: pd.DataFrame, peer: str) -> Finding:
    """Whether our glass is as near to the measured one as another model.

    The slowest quench with two seeds or more is taken (of equal rates the largest cell), before
    any R_w is looked at. A model of one sample is compared with each seed by itself, since R_w of
    one sample counts its own noise.

    Parameters
    ----------
    fits : DataFrame
        Result of ``as_measured.errors``; quenches by their names.
    ends : DataFrame
        Result of ``peers.ends``.
    peer : str
        The other model.

    Returns
    -------
    Finding
        The conclusion.
    """
    shown = _for_reader(peer)
    claim = f"Our glass beside the {shown}"
    if ends.empty:
        return Finding(claim, _NONE, "", "nothing of ours stands beside.")
    theirs = fits.set_index("model").loc[peer]
    found = fits.merge(_by_quench(ends), left_on="model", right_on="quench")
    found = found.sort_values(["rate_K_per_ps", "atoms"], ascending=[True, False])
    several = found[found["seeds"] > 1]
    ours = (several if len(several) else found).iloc[0]
    known = len(several) and theirs["samples"] > 1
    verdict, stretched = _ONE_SEED, ""
    if known:
        asis, after = (
            _differs(*_of(ours, which), *_of(theirs, which)) for which in ("Rw", "Rw stretched")
        )
        verdict = {
            -1: "it is nearer to the measurement",
            0: "cannot tell, they differ by no more than their samples do",
            1: "it is farther from the measurement",
        }[asis]
        if asis and asis != after:
            verdict += " as it is, but not with all distances times one factor"
        both = [tables.number(*_of(row, "Rw stretched")[:2]) for row in (ours, theirs)]
        stretched = f"; with all distances times one factor, {both[0]} and {both[1]}"
    elif len(several):
        verdict = _beside_one_sample(ours, theirs["Rw"])
    return Finding(
        claim,
        verdict,
        "",
        f"Rw over 1–10 Å is {tables.number(*_of(ours, 'Rw')[:2])} for {ours['model']} "
        f"({_seeds(ours['seeds'])}) and {tables.number(*_of(theirs, 'Rw')[:2])} for the {shown}"
        f"{stretched}.",
        tuple(
            Number(f"Rw of {row['model']} ({_seeds(row['seeds'])}), as it is; stretched", "-",
                   _both(row))
            for _, row in found.iterrows()
        ),
    )  # fmt: skip


def _beside_one_sample(ours: pd.Series, theirs: float) -> str:
    """What seeds of a glass say of a model that is one sample of Rw `theirs`."""
    if ours["Rw highest"] < theirs:
        return "each of its seeds is nearer to the measurement than that one sample"
    if ours["Rw lowest"] > theirs:
        return "each of its seeds is farther from the measurement than that one sample"
    return "cannot tell, some of its seeds are nearer than that one sample and some are not"


def density_by_rate(ends: pd.DataFrame) -> Finding:
    """Whether a slower quench ends as a denser glass.

    Cells of one size are compared, those of the size that has most rates with two seeds or more.
    Where two melts or more were quenched at both the slowest and the fastest of these rates, the
    differences from the same melt decide (paired t-test), since how dense a glass becomes depends
    on its melt, too.

    Parameters
    ----------
    ends : DataFrame
        Result of ``peers.ends``.

    Returns
    -------
    Finding
        The conclusion.
    """
    claim = "A slower quench makes a denser glass"
    if ends.empty:
        return Finding(claim, _NONE, "", "no density of a glass of ours is known.")
    rates = _by_quench(ends)
    of_size = dict(iter(rates.groupby("atoms")))
    rows = max(of_size.values(), key=lambda r: ((r["seeds"] > 1).sum(), len(r), r["seeds"].sum()))
    rows = rows.sort_values("rate_K_per_ps", ascending=False)
    several = rows[rows["seeds"] > 1]
    paired, more = "", []
    if len(rows) < 2:
        verdict = "cannot tell, since one rate is computed"
    elif len(several) < 2:
        verdict = "cannot tell, since one seed at a rate does not say how far seeds differ"
    else:
        fast, slow = several.iloc[0], several.iloc[-1]
        apart = _from_the_same_melt(ends, slow["quench"], fast["quench"])
        sign = _differs(*_of(slow, "density"), *_of(fast, "density"))
        rates_of_both = f"{slow['rate_K_per_ps']:g} less {fast['rate_K_per_ps']:g} K/ps"
        if len(apart) > 1:
            mean, error = apart.mean(), apart.sem()
            chance = ttest_1samp(apart, 0).pvalue if error else 0.0
            sign = int(np.sign(mean)) if chance < SIGNIFICANT else 0
            paired = f"; from the same melt, {rates_of_both} is {tables.number(mean, error)} g/cm³"
            paired += f" (paired t-test, p = {chance:.2g})"
        verdict = {
            1: "agrees",
            0: "cannot tell, rates differ by no more than seeds do",
            -1: "does not agree, the slower one is less dense",
        }[sign]
        of_slow = ends.loc[ends["quench"] == slow["quench"], "density_g_cm3"]
        paired += (
            f"; the seeds at {slow['rate_K_per_ps']:g} K/ps lie between {of_slow.min():.3f} and "
            f"{of_slow.max():.3f} g/cm³"
        )
        more = [
            Number(f"density from the melt of seed {seed}, {rates_of_both}", "g/cm3", f"{by:+.3f}")
            for seed, by in apart.items()
        ]
    shown = several if len(several) > 1 else rows
    said = [
        f"{tables.number(*_of(row, 'density')[:2])} g/cm³ at {row['rate_K_per_ps']:g} K/ps "
        f"({_seeds(row['seeds'])})"
        for _, row in shown.iterrows()
    ]
    return Finding(
        claim,
        verdict,
        "",
        f"the density at the end is {', '.join(said)}, in cells of {rows['atoms'].iloc[0]} atoms"
        f"{paired}.",
        tuple(
            Number(f"density of {row['quench']} ({_seeds(row['seeds'])})", "g/cm3",
                   tables.number(*_of(row, "density")[:2]))
            for _, row in rates.iterrows()
        ) + tuple(more),
    )  # fmt: skip


def _from_the_same_melt(ends: pd.DataFrame, slow: str, fast: str) -> pd.Series:
    """Density of the slow quench less that of the fast one, by the seed of their common melt."""
    density = {name: ends[(ends["quench"] == name) & ends["melt"].notna()] for name in (slow, fast)}
    both = density[slow].merge(density[fast], on="melt")
    return (both["density_g_cm3_x"] - both["density_g_cm3_y"]).set_axis(both["seed_x"])


def on_heating(peaks: pd.DataFrame) -> Finding:
    """What becomes of the first peak of the measured F(Q) on heating.

    Parameters
    ----------
    peaks : DataFrame
        Result of ``experiment.first_peaks``.

    Returns
    -------
    Finding
        The conclusion.
    """
    cold, hot = peaks.iloc[0], peaks.iloc[-1]
    low = peaks.loc[peaks["ratio"] < 0.5, "temperature_C"]
    first = low.min()
    held = f"holds up to {hot['temperature_C']:g} °C"
    return Finding(
        "Order from one Zn to the next, on heating",
        held if low.empty else f"less than half of it is left at {first:g} °C",
        "",
        f"from {cold['temperature_C']:g} to {hot['temperature_C']:g} °C the first peak of the "
        f"measured F(Q) moves from {cold['position_per_A']:.2f} to {hot['position_per_A']:.2f} "
        f"1/Å and its width goes from {cold['fwhm_per_A']:.2f} to {hot['fwhm_per_A']:.2f} 1/Å.",
        (
            Number("height of the first peak over that of the ligand, hottest against coldest",
                   "-", f"{hot['ratio']:.2f}"),
        ),
    )  # fmt: skip


def _by_quench(ends: pd.DataFrame) -> pd.DataFrame:
    """One row for each quench: seeds, mean density and its standard error (none of one seed)."""
    of_quench = ends.groupby(["quench", "rate_K_per_ps", "atoms"], sort=False)["density_g_cm3"]
    rows = of_quench.agg(seeds="size", density="mean", spread="std").reset_index()
    return rows.assign(**{"density error": rows["spread"] / np.sqrt(rows["seeds"])})


def _of(row: pd.Series, name: str) -> tuple[float, float | None, int]:
    """A mean, its standard error (None if unknown), and the number of samples."""
    error = row[f"{name} error"]
    n = row["seeds"] if "seeds" in row else row["samples"]
    return row[name], float(error) if np.isfinite(error) else None, int(n)


def _differs(
    a: float, a_error: float | None, n_a: int, b: float, b_error: float | None, n_b: int
) -> int:
    """Sign of a - b by Welch's t-test; 0 where chance may have made the difference."""
    if a_error is None or b_error is None:
        return 0
    if not (a_error or b_error):
        return int(np.sign(a - b))
    spread = [error * np.sqrt(n) for error, n in ((a_error, n_a), (b_error, n_b))]
    chance = ttest_ind_from_stats(a, spread[0], n_a, b, spread[1], n_b, equal_var=False).pvalue
    return int(np.sign(a - b)) if chance < SIGNIFICANT else 0


def _seeds(n: int) -> str:
    return "one seed" if n == 1 else f"{n} seeds"


def _both(row: pd.Series) -> str:
    samples = int(row["samples"])
    errors = [row[f"{name} error"] if samples > 1 else None for name in ("Rw", "Rw stretched")]
    said = [
        tables.number(row[name], error) if error is not None else f"{row[name]:.2f}"
        for name, error in zip(("Rw", "Rw stretched"), errors, strict=True)
    ]
    return "; ".join(said)
