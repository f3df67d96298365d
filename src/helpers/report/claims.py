"""Conclusions of the chapters on each claim of the paper, made from the numbers of a page.

A difference counts if it is larger than two standard errors; if an error is missing or larger, the
verdict is that the run cannot tell. The paper's numbers come from `helpers.report.paper`. A finding
is three sentences: the verdict, what the paper says, and what is found here. Its other numbers go
into a table below it (`numbers`). The claims of chapter 3 are in `claims_on_bonds`,
those on heating rates, from many runs, in `claims_on_rates`, those on the glass in
`claims_on_glass`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import units
from helpers.observables import event_rates
from helpers.observables.density_stages import Onset, Stage
from helpers.observables.ligand_exchange import Bonds
from helpers.observables.molecules import Census
from helpers.report import paper, tables

_SURE = 2.0  # standard errors
# what says something of how uneven the density is: atoms, and the frames of a window
FEWEST_ATOMS, FEWEST_FRAMES, SHORTEST_PS = 2176, 20, 5.0


@dataclass(frozen=True)
class Number:
    """One number behind a finding.

    Attributes
    ----------
    quantity : str
        The quantity in words.
    unit : str
        In ASCII; "-" for a pure number.
    here : object
        Value of this book, number or text.
    paper : object
        The paper's value; empty if it gives none.
    """

    quantity: str
    unit: str
    here: object
    paper: object = ""


@dataclass(frozen=True)
class Finding:
    """The conclusion of a chapter on one claim.

    Attributes
    ----------
    claim : str
        The claim.
    verdict : str
        The verdict in a few words.
    paper : str
        What the paper says, a sentence; empty where it says nothing.
    here : str
        What is found here, a sentence.
    numbers : tuple of Number
        The numbers on which the verdict is based.
    """

    claim: str
    verdict: str
    paper: str
    here: str
    numbers: tuple[Number, ...] = ()

    def __str__(self) -> str:
        paper = f"Paper: {self.paper} " if self.paper else ""
        return f"**{self.claim}: {self.verdict}.** {paper}Here: {self.here}"


def markdown(findings: Sequence[Finding]) -> str:
    """Findings as a Markdown list, in which names that users gave are no HTML.

    Parameters
    ----------
    findings : sequence of Finding
        The findings.

    Returns
    -------
    str
        The list.
    """
    text = "\n".join(f"- {one}" for one in findings)
    return re.sub("<(?=[A-Za-z/!?])", "&lt;", text)


def numbers(findings: Sequence[Finding]) -> tables.Table:
    """The numbers behind findings as a table, each claim next to the first of its numbers.

    Parameters
    ----------
    findings : sequence of Finding
        The findings.

    Returns
    -------
    Table
        A row for each number.
    """
    rows = []
    for one in findings:
        for k, number in enumerate(one.numbers):
            row = {"claim": "" if k else one.claim, "quantity": number.quantity}
            said = {"unit": units.pretty(number.unit), "paper": number.paper}
            rows.append(row | said | {"this book": number.here})
    columns = ["claim", "quantity", "unit", "paper", "this book"]
    table = pd.DataFrame(rows, columns=columns)
    silent = [name for name in ("unit", "paper") if rows and (table[name] == "").all()]
    return tables.headed(table.drop(columns=silent))


_ACCURATE = 20  # % of the RMS force


def accuracy(tests: pd.DataFrame) -> Finding:
    """Claim (1): the potential is accurate over a wide range of temperature.

    The paper gives no criterion; here a force error below a fifth of the RMS force of a set counts
    as accurate.

    Parameters
    ----------
    tests : DataFrame
        Rows of ``metrics.json`` for the test sets, indexed by set.

    Returns
    -------
    Finding
        The conclusion.
    """
    theirs = [paper.value(f"table1.ZIF-4_{T}K.force_rmse_eV_per_A") for T in (300, 2500)]
    says = (
        f"force errors of {theirs[0].number:g} eV/Å at 300 K and {theirs[1].said} at 2500 K are "
        "called accurate; it does not say how large the forces are."
    )
    if tests.empty:
        return Finding(
            "Claim (1), accurate over a wide range of temperature",
            "cannot tell, since there are no test sets",
            says,
            "nothing was judged.",
        )
    error = tests["force_rmse_eV_per_A"]
    share = 100 * error / tests["force_rms_eV_per_A"]
    poor = share[share >= _ACCURATE]
    energy = tests["energy_rmse_meV_per_atom"]
    return Finding(
        "Claim (1), accurate over a wide range of temperature",
        "agrees, for this potential and on labelled frames"
        if poor.empty
        else f"does not agree on {', '.join(f'{name} ({x:.0f} %)' for name, x in poor.items())}",
        says,
        f"on {len(tests)} test sets the force error is {error.min():.2f} to {error.max():.2f} "
        f"eV/Å, {share.min():.0f} to {share.max():.0f} % of the RMS force (below "
        f"{_ACCURATE} % counts as accurate), that of the energy {energy.min():.1f} to "
        f"{energy.max():.1f} meV/atom.",
        tuple(
            Number(f"{which} {what}, {at}", unit, f"{value:.2g}")
            for what, unit, values in (
                ("force error over the RMS force", "%", share),
                ("energy error", "meV/atom", energy),
            )
            for which, value, at in (
                ("lowest", values.min(), values.idxmin()),
                ("highest", values.max(), values.idxmax()),
            )
        ),
    )


def further_goals(goals: pd.DataFrame) -> Finding:
    """Which goals beside errors on single sets a potential reaches.

    Parameters
    ----------
    goals : DataFrame
        Result of ``tables_of_potentials.goals``.

    Returns
    -------
    Finding
        The conclusion.
    """
    by = goals.groupby("reached")["goal"].agg(list)
    counted = {one: by.get(one, []) for one in ("yes", "no", "cannot tell")}
    missed = list(dict.fromkeys(name.split(",")[0] for name in counted["no"]))
    return Finding(
        "Goals beside errors on single sets",
        f"{len(counted['yes'])} of {len(goals)} are reached, "
        f"{len(counted['cannot tell'])} cannot be told",
        "it sets none.",
        f"missed are {'; '.join(missed)}." if missed else "none is missed.",
    )


def sign(value: float, error: float) -> int | None:
    """Sign of a value that differs from zero by more than two standard errors.

    Parameters
    ----------
    value : float
        The value.
    error : float
        Its standard error, in the same unit.

    Returns
    -------
    int or None
        1 or -1; 0 if the difference from zero is not significant, None if value or error is
        unknown.
    """
    if not (np.isfinite(value) and np.isfinite(error)):
        return None
    return int(np.sign(value)) if abs(value) > _SURE * error else 0


def melting(melt_K: float | None, zinc_A, half_A: float) -> str:
    """Whether Zn left their sites, as on melting, in a sentence.

    Parameters
    ----------
    melt_K : float or None
        Temperature above which Zn stays farther from its site than ``half_A``
        (``density_stages.stays_above``), K.
    zinc_A : (F,) array
        Root-mean-square displacement of Zn, A.
    half_A : float
        Half the distance to the next Zn, A.

    Returns
    -------
    str
        The sentence.
    """
    rule = f"farther than half the way to the next Zn, {half_A:.2f} Å, until the end"
    if melt_K is not None:
        return f"Zn left their sites ({rule}) at {melt_K:.0f} K."
    hottest = np.asarray(zinc_A)[-max(1, len(zinc_A) // 5) :]
    return (
        f"Zn did not leave their sites ({rule}): {hottest.mean():.2f} Å in the last fifth of the "
        f"run, at most {np.max(zinc_A):.2f} Å."
    )


def one_piece(found: Sequence[Stage], fall) -> str:
    """Whether the stages of a run and the fall of its density say the same, in a sentence.

    Parameters
    ----------
    found : sequence of Stage
        The stages, of a fit that chooses their number.
    fall : Transition
        The fall, of a fit that looks for one only.

    Returns
    -------
    str
        The sentence; empty if there are several stages.
    """
    if len(found) != 1:
        return ""
    if not fall.found:
        return "The fit has one piece, and no fall is found: by density this run stays a crystal."
    return (
        "The two fits disagree. The one that looks for a fall finds it; the one that chooses the "
        "number of pieces leaves the whole run in one, as if noise alone made the curve."
    )


def densities(found: Sequence[Stage], crystal: float | None = None) -> str:
    """Comparison of the density of the paper's crystal with the stages found here.

    Parameters
    ----------
    found : sequence of Stage
        The stages, densities in g/cm3.
    crystal : float, optional
        Density before the fall, g/cm3, where all of the run is one stage.

    Returns
    -------
    str
        Sentences.
    """
    theirs = paper.value("stages.density_crystal_g_per_cm3")
    if crystal is not None:
        return (
            f"What the paper calls crystal has about {theirs.said}. Before its fall this run has "
            f"{crystal:.3f} g/cm³ on average; the paper's number is "
            f"{100 * abs(theirs.number / crystal - 1):.0f} % "
            f"{'lower' if theirs.number < crystal else 'higher'}."
        )
    against = ", ".join(
        f"{s.name} {s.density:.3f} g/cm³ ({_percent(theirs.number / s.density)})" for s in found
    )
    return (
        f"What the paper calls crystal has about {theirs.said}. In brackets, how much that is "
        f"against the stages of this run: {against}.{_nearest(found, theirs.number)}"
    )


def exchange_at_paper_rate(rate: pd.DataFrame, n_bonds_of_zn: float) -> Finding:
    """Whether ligands can be exchanged in the paper's low-density stage at its heating rate.

    The rate above the start of that stage, with its 95 % upper limit, is an upper bound of the rate
    in the stage, because it grows with temperature.

    Parameters
    ----------
    rate : DataFrame
        Result of ``ligand_exchange.Bonds.rates``.
    n_bonds_of_zn : float
        Bonds of one Zn.

    Returns
    -------
    Finding
        The conclusion.
    """
    low, high = (paper.value(f"stages.low_density_{end}_K").number for end in ("start", "end"))
    slow = paper.value("table3.DPMD-1K.heating_rate_K_per_ps").number
    says = f"exchange from {low} to {high} K, at {slow:g} K/ps."
    hot = rate[rate["temperature_K"] >= low]
    watched = hot["exposure_ns"].sum()
    if not watched > 0:
        return Finding(
            "Exchange in the paper's stage",
            "cannot tell, since this run ends below it",
            says,
            f"no window of temperature above {low} K.",
        )
    n = int(hot["exchanged"].sum())
    most = float(
        n_bonds_of_zn * event_rates.poisson_limits(n)[1] / watched * (high - low) / slow / 1000
    )
    return Finding(
        "Exchange in the paper's stage",
        "hardly any"
        if most < 0.1
        else f"cannot tell, since this run allows up to {_short(most)} exchanges for each Zn",
        says,
        f"{_count(n, 'exchange', 'exchanges')} in {_short(watched)} ns of bond time above "
        f"{low} K; at 95 % and {slow:g} K/ps that is at most {_short(most)} for each Zn between "
        f"{low} and {high} K.",
    )


def undercoordination(
    rule: pd.DataFrame,
    share: pd.DataFrame,
    bonds: Bonds,
    cutoff_A: float,
    by_release: Mapping[float, pd.DataFrame],
) -> Finding:
    """Whether undercoordinated Zn shows that ligands have come off.

    A share that is constant in a bin is taken as known to within one Zn.

    Parameters
    ----------
    rule : DataFrame
        Percentage of Zn with fewer than four N within the cutoff, binned
        (``statistics.bin_by_temperature``).
    share : DataFrame
        The same by the bonds followed in time.
    bonds : Bonds
        Bonds along the trajectory.
    cutoff_A : float
        Cutoff, A.
    by_release : mapping of float to DataFrame
        Distance at which a bond counts as lost (A) -> as ``share``, for several of them.

    Returns
    -------
    Finding
        The conclusion.
    """
    says = f"Zn with fewer than four N within {cutoff_A:g} Å grow in number as ligands come off."
    if rule.empty or share.empty:
        return Finding(
            "Undercoordination",
            "cannot tell, since there are too few frames",
            says,
            "no window of temperature with an error.",
        )
    (by_rule, e_rule), (by_bonds, e_bonds) = (
        (one["mean"].iloc[-1], one["error"].iloc[-1]) for one in (rule, share)
    )
    last = int(rule["n"].iloc[-1])
    n_broken = int((bonds.episodes["outcome"] != "end").sum())
    one_zn = 100 / len(bonds.metal)
    sure = [
        error if error > 0 or value == 0 else one_zn
        for value, error in ((by_rule, e_rule), (by_bonds, e_bonds))
    ]
    grown = [
        sign(one["mean"].iloc[-1] - one["mean"].iloc[0], np.hypot(e, one["error"].iloc[0]))
        for e, one in zip(sure, (rule, share), strict=True)
    ]
    more = sign(by_rule - by_bonds, np.hypot(sure[0], sure[1]))
    if len(rule) < 2 or len(share) < 2 or None in (*grown, more):
        verdict = "cannot tell, since there are too few frames"
    elif grown[1] == 1:
        verdict = "agrees, bonds do open"
        if more == 1:
            verdict += f", but in the one run that was followed {_stretched(by_rule, by_release)}"
    elif grown[0] == 1 and not n_broken:
        verdict = "does not agree: the rule counts stretched bonds, no bond opens"
    elif grown[0] == 1:
        verdict = (
            f"cannot tell, since {_count(n_broken, 'bond', 'bonds')} opened, too few for "
            "the share to grow beyond its error"
        )
    else:
        verdict = "not seen"
    return Finding(
        "Undercoordination",
        verdict,
        says,
        f"at {rule['temperature_K'].iloc[-1]:.0f} K, {_with_error(by_rule, e_rule)} % of the Zn "
        f"are undercoordinated by that rule and {_with_error(by_bonds, e_bonds)} % by the bonds; "
        f"at {rule['temperature_K'].iloc[0]:.0f} K, {rule['mean'].iloc[0]:.2g} % and "
        f"{share['mean'].iloc[0]:.2g} %; the last window has {_count(last, 'frame', 'frames')}.",
    )


def _listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _stretched(by_rule: float, by_release: Mapping[float, pd.DataFrame]) -> str:
    """How many of the Zn that the rule counts have all their bonds, by where a bond is lost."""
    lost = sorted(by_release)
    parts = [f"{100 * (1 - by_release[at]['mean'].iloc[-1] / by_rule):.0f}" for at in lost]
    distances = [f"{at:.1f}" for at in lost]
    return (
        f"{_listed(parts)} % of the Zn with fewer than four N have stretched bonds only, if a "
        f"bond is lost at {_listed(distances)} Å"
    )


def motion(
    onsets: Mapping[str, Onset | None],
    moved: Mapping[str, np.ndarray],
    temperature_K,
    metal: str = "Zn",
) -> Finding:
    """Whether the elements of the ligands begin to move before the metal.

    Parameters
    ----------
    onsets : mapping of str to Onset or None
        Element -> temperature at which its root-mean-square displacement departs from vibration
        (``density_stages.onset``).
    moved : mapping of str to (F,) array
        Element -> root-mean-square displacement, A.
    temperature_K : (F,) array
        Temperature of each frame, K.
    metal : str
        Element of the metal.

    Returns
    -------
    Finding
        The conclusion.
    """
    T, mine = np.asarray(temperature_K), onsets.get(metal)
    ligands = {e: o for e, o in onsets.items() if e != metal}
    says = f"{', '.join(ligands) or 'ligands'} set out before {metal}."
    seen = {e: o for e, o in onsets.items() if o is not None}
    where = "; ".join(f"{e} at {o.temperature_K:.0f} ± {o.error_K:.0f} K" for e, o in seen.items())
    below = T < min((o.temperature_K for o in seen.values()), default=np.inf)
    below = below if below.any() else np.ones(len(T), bool)
    widest = sorted(moved, key=lambda e: -moved[e][below].mean())
    here = f"{where or 'no element leaves its sites'}."
    swing = "below the first onset" if seen else "over the run"
    amplitudes = tuple(
        Number(f"displacement of {e} {swing}", "A", f"{moved[e][below].mean():.2f}") for e in widest
    )
    if not seen or not ligands or metal not in onsets:
        verdict = "cannot tell, since nothing sets out in this run"
    elif mine is None:
        verdict = (
            f"agrees, {', '.join(seen)} set out and {metal} does not"
            if len(seen) == len(ligands)
            else f"cannot tell, since only {', '.join(seen)} set out"
        )
    else:
        gaps = {
            e: (mine.temperature_K - o.temperature_K, np.hypot(mine.error_K, o.error_K))
            for e, o in ligands.items()
            if o is not None
        }
        signs = {e: sign(*gap) for e, gap in gaps.items()}
        early, late = ([e for e, one in signs.items() if one == way] for way in (1, -1))
        if late:
            verdict = f"does not agree, {metal} sets out before {', '.join(late)}"
        elif len(gaps) < len(ligands):
            unseen = [e for e in ligands if e not in gaps]
            verdict = f"cannot tell, since no onset is seen of {', '.join(unseen)}"
        elif len(early) == len(ligands):
            verdict = "agrees"
        else:
            resolved = max(_SURE * error for _, error in gaps.values())
            verdict = (
                "cannot tell, "
                + (
                    f"only {', '.join(early)} is earlier for sure"
                    if early
                    else "all set out together"
                )
                + f" and differences below {resolved:.0f} K are not resolved"
            )
    return Finding("Motion", verdict, says, here, amplitudes)


def peaks_alike(growth: pd.DataFrame, up_to_K: float) -> Finding:
    """Whether both peaks widen equally in the crystal.

    Parameters
    ----------
    growth : DataFrame
        Result of ``peaks.growth`` below ``up_to_K``.
    up_to_K : float
        Upper end of the range, K.

    Returns
    -------
    Finding
        The conclusion.
    """
    return _compared(
        growth,
        f"Peaks up to {up_to_K:g} K",
        "Zn–N and Zn–Zn widen alike.",
        {
            0: "agrees, no difference beyond the errors"
            if _sharp(growth)
            else "cannot tell, one could widen twice as fast within the errors",
            1: "does not agree, Zn–N widens faster",
            -1: "does not agree, Zn–Zn widens faster",
        },
    )


def peaks_faster(growth: pd.DataFrame, from_K: float, to_K: float) -> Finding:
    """Whether the peak of Zn–N widens faster than that of Zn–Zn at higher temperature.

    Parameters
    ----------
    growth : DataFrame
        Result of ``peaks.growth`` in this range.
    from_K : float
        Lower end of the range, K.
    to_K : float
        Upper end of the range, K.

    Returns
    -------
    Finding
        The conclusion.
    """
    return _compared(
        growth,
        f"Peaks from {from_K:g} to {to_K:g} K",
        "Zn–N widens faster than Zn–Zn.",
        {
            0: "cannot tell, no difference beyond the errors",
            1: "agrees",
            -1: "does not agree, Zn–Zn widens faster",
        },
    )


def peaks_plateau(growth: pd.DataFrame, from_K: float, to_K: float) -> Finding:
    """Whether the width of Zn–N stays constant while that of Zn–Zn falls.

    Parameters
    ----------
    growth : DataFrame
        Result of ``peaks.growth`` in this range.
    from_K : float
        Lower end of the range, K.
    to_K : float
        Upper end of the range, K.

    Returns
    -------
    Finding
        The conclusion.
    """
    claim, says = f"Peaks from {from_K:g} to {to_K:g} K", "Zn–N stays, Zn–Zn gets narrower."
    signs = {
        pair: sign(row["change_A"], row["error_A"])
        for pair, row in growth.set_index("pair").iterrows()
    }
    bond, net = signs.get("Zn–N"), signs.get("Zn–Zn")
    if bond is None or net is None:
        return Finding(
            claim, "cannot tell, since too few widths can be read there", says, _changes(growth)
        )
    verdict = {
        -1: "agrees" if bond == 0 else "agrees for Zn–Zn, but Zn–N does not stay",
        0: "cannot tell, Zn–Zn does not change beyond its error",
        1: "does not agree, Zn–Zn widens",
    }[net]
    if net != -1 and bond != 0:
        verdict += (
            f"; Zn–N {'widens' if bond == 1 else 'narrows'}, too"
            if net == bond
            else f"; Zn–N {'widens' if bond == 1 else 'narrows'}"
        )
    return Finding(claim, verdict, says, _changes(growth), _percents(growth))


def decomposition(
    broken: pd.DataFrame, clusters: pd.DataFrame, census: Census, temperature_K
) -> Finding:
    """Whether ligands decompose and hydrogen forms clusters.

    Parameters
    ----------
    broken : DataFrame
        ``molecules.spells`` of ``census.ligand_broken``.
    clusters : DataFrame
        ``molecules.spells`` of ``census.clusters``.
    census : Census
        Molecules in every frame.
    temperature_K : (F,) array
        Temperature of each frame, K.

    Returns
    -------
    Finding
        The conclusion.
    """
    T, melting_K = np.asarray(temperature_K), paper.value("stages.melting_K").number
    says = f"broken ligands and clusters of H above {melting_K} K."
    n_ligands = census.ligand_broken.shape[1]
    lasting = {
        ("lasting broken ligand", "lasting broken ligands"): broken[broken["lasting"]],
        ("lasting cluster of H", "lasting clusters of H"): clusters[clusters["lasting"]],
    }
    short = broken[~broken["lasting"]]
    frames = (
        len(
            set(
                np.concatenate(
                    [np.arange(a, b) for a, b in zip(short["start"], short["end"], strict=True)]
                ).tolist()
            )
        )
        if len(short)
        else 0
    )
    odd = int((census.clusters > 0).sum())
    here = (
        f"{_count(n_ligands, 'imidazolate', 'imidazolates')} in "
        f"{_count(len(T), 'frame', 'frames')} up to {T.max():.0f} K; "
        + "; ".join(_first(np.sort(T[one["start"]]), *names) for names, one in lasting.items())
        + "."
    )
    moments = (
        Number("frames with a ligand that is broken for a moment", "-", frames),
        Number("of them in a row, at most", "-", int(short["frames"].max()) if len(short) else 0),
        Number("frames with a cluster of H", "-", odd),
        Number(
            "broken in the last frame, too late to see whether it stays",
            "-",
            "yes" if short["open"].any() else "no",
        ),
    )
    if not n_ligands:
        verdict = "cannot tell, since there is no imidazolate in this cell"
    elif any(len(one) for one in lasting.values()):
        starts = np.concatenate([T[one["start"]] for one in lasting.values()])
        verdict = f"seen here, too, from {starts.min():.0f} K on"
    elif T.max() < melting_K:
        verdict = f"cannot tell, since this run ends at {T.max():.0f} K"
    else:
        alone = "isolated " if frames and short["frames"].max() == 1 else ""
        verdict = "not seen"
        if frames:
            counted = _count(frames, f"{alone}frame", f"{alone}frames")
            verdict = f"none that lasts; in {counted} a ligand is broken for a moment"
    return Finding("Decomposition", verdict, says, here, moments)


def heterogeneity(
    uneven: pd.DataFrame, n_atoms: int, times_ps: Mapping[str, np.ndarray]
) -> Finding:
    """Whether regions of different density appear.

    Parameters
    ----------
    uneven : DataFrame
        ``local_density.heterogeneity`` of the windows, in order of temperature, without the random
        atoms.
    n_atoms : int
        Number of atoms in the cell; the boxes of a small one are too few to tell.
    times_ps : mapping of str to (F,) array
        Window -> times of its frames, ps.

    Returns
    -------
    Finding
        The conclusion.
    """
    says = "regions of different density appear."
    known = uneven.dropna(subset="unevenness")
    if len(known) < 2:
        return Finding(
            "Heterogeneity",
            "cannot tell, since there is one window only",
            says,
            "unevenness "
            + (", ".join(f"{row.unevenness:.2f}" for row in tables.each_row(known)) or "unknown")
            + ".",
        )
    first, most = known.iloc[0], known.loc[known["unevenness"].idxmax()]
    grown = sign(
        most["unevenness"] - first["unevenness"],
        np.hypot(most["unevenness_error"], first["unevenness_error"]),
    )
    here = (
        "the variance between boxes, over that of random atoms, is "
        f"{_with_error(first['unevenness'], first['unevenness_error'])} in the first window (pores "
        f"of the crystal) and at most {_with_error(most['unevenness'], most['unevenness_error'])} "
        f"({most['stage']})."
    )
    if n_atoms < FEWEST_ATOMS:
        few = f"cannot tell from {n_atoms} atoms, {FEWEST_ATOMS} are needed"
        return Finding("Heterogeneity", few, says, here)
    for window in (first["stage"], most["stage"]):
        frames, span = len(times_ps[window]), np.ptp(times_ps[window])
        if frames < FEWEST_FRAMES or span < SHORTEST_PS:
            few = (
                f"cannot tell from {frames} frames that span {span:.1f} ps ({window}); "
                f"{FEWEST_FRAMES} that span {SHORTEST_PS:g} ps are needed"
            )
            return Finding("Heterogeneity", few, says, here)
    return Finding(
        "Heterogeneity",
        {
            None: "cannot tell, since a window is too short for an error",
            0: "not seen, it does not grow beyond its error",
            1: "agrees",
        }[grown],
        says,
        here,
    )


def _sharp(growth) -> bool:
    """Whether widening twice as fast would stand out."""
    return all(
        _SURE * np.sqrt((growth[f"error_{unit}"] ** 2).sum()) < growth[f"change_{unit}"].min()
        for unit in ("A", "percent")
    )


def _compared(growth, claim, says, verdicts) -> Finding:
    rows = growth.set_index("pair")
    if not {"Zn–N", "Zn–Zn"} <= set(rows.index):
        return Finding(
            claim, "cannot tell, since too few widths can be read there", says, _changes(growth)
        )
    in_A, in_percent = (
        sign(
            rows.loc["Zn–N", f"change_{unit}"] - rows.loc["Zn–Zn", f"change_{unit}"],
            np.hypot(rows.loc["Zn–N", f"error_{unit}"], rows.loc["Zn–Zn", f"error_{unit}"]),
        )
        for unit in ("A", "percent")
    )
    if in_A is None or in_percent is None:
        verdict = "cannot tell, since too few widths can be read there"
    elif in_A == in_percent:
        verdict = verdicts[in_A]
    else:
        words = {
            0: "no difference beyond the errors",
            1: "Zn–N widens faster",
            -1: "Zn–Zn widens faster",
        }
        verdict = (
            f"depends on the measure: in Å {words[in_A]}, in percent of the width "
            f"{words[in_percent]}"
        )
    return Finding(claim, verdict, says, _changes(growth), _percents(growth))


def _changes(growth) -> str:
    known = growth.dropna(subset="change_A")
    said = [f"{x.pair} by {x.change_A:+.3f} ± {x.error_A:.3f} Å" for x in tables.each_row(known)]
    return f"the widths change, {', '.join(said)}." if said else "no line through the widths."


def _percents(growth) -> tuple[Number, ...]:
    return tuple(
        Number(
            f"change of the width of {x.pair}, line through {x.points} points",
            "%",
            f"{x.change_percent:+.0f} ± {x.error_percent:.0f}",
        )
        for x in tables.each_row(growth.dropna(subset="change_percent"))
    )


def _first(temperatures, one: str, many: str) -> str:
    if not len(temperatures):
        return f"no {one}"
    return f"{_count(len(temperatures), one, many)}, the first at {temperatures[0]:.0f} K"


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _nearest(found: Sequence[Stage], density: float) -> str:
    if len(found) == 1:
        return ""
    name = min(found, key=lambda s: abs(s.density / density - 1)).name
    return " Nearest to the paper's crystal is " + (
        "the crystal here."
        if name == "crystal"
        else f"what is called {name} here, not the crystal."
    )


def _short(value: float) -> str:
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.0f} %"


def _with_error(value: float, error: float) -> str:
    return tables.number(value, error) if np.isfinite(error) else f"{value:.2g}"
