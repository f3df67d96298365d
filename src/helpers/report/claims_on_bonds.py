"""Conclusions of chapter 3: DPMD-Test and ATP, the Zn-N bond at high temperature, Table 2, flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from helpers.observables import activation, flow, ligand_exchange, rdf_distance
from helpers.observables.activation import Activation
from helpers.observables.event_rates import Arrhenius
from helpers.observables.pmf import FreeEnergyLine
from helpers.report import paper, tables
from helpers.report.claims import Finding, Number

NORMAL_95 = 1.96  # standard errors
LEVEL = 0.95
_TOTAL = "total"  # the row of all atoms in a table of distances


def fate(run, potential: str = "") -> str:
    """How far the run of DPMD-Test came, in a sentence.

    Parameters
    ----------
    run : Run or None
        The finished run.
    potential : str
        Name of its potential; empty if there is none.

    Returns
    -------
    str
        The sentence.
    """
    if run is None and potential:
        return f"The run of DPMD-Test (`{potential}`) by these parameters is not made yet."
    if run is None:
        return "There is no DPMD-Test potential yet (`test_potential` is empty)."
    if run.exploded:
        return f"DPMD-Test did not survive: {run.exploded.split(';')[0]}."
    return f"DPMD-Test reached {run.recipe.temperature_end_K:.0f} K ({run.name})."


def at_constant_volume(runs: Sequence) -> str:
    """Whether DPMD-Test holds where it was trained: at one temperature, in the cell of its frames.

    Parameters
    ----------
    runs : sequence of Run
        Its runs at constant volume.

    Returns
    -------
    str
        A sentence or two; empty without runs.
    """
    if not runs:
        return ""
    dead = [run for run in runs if run.exploded]
    where = f"At constant volume and {runs[0].recipe.temperature_start_K:.0f} K"
    lived = max(run.recipe.total_steps * run.recipe.timestep_fs / 1000 for run in runs)
    if not dead:
        return (
            f"{where} {len(runs)} of {len(runs)} runs hold for {lived:g} ps: what it does not "
            f"survive is the freedom of the volume."
        )
    when = [run.steps * run.recipe.timestep_fs / 1000 for run in dead]
    after = " and ".join(dict.fromkeys(f"{t:.1f}" for t in (min(when), max(when))))
    what = dead[0].exploded.split(": ", 1)[-1].split(",")[0]
    said = f"{where} {len(dead)} of {len(runs)} runs leave physics after {after} ps ({what})"
    if len(dead) < len(runs):
        return f"{said}; the others hold for {lived:g} ps."
    if len(runs) == 1:
        return f"{said}; one run does not say how often."
    return f"{said}: it is not the freedom of the volume that it does not survive."


def beside_generation(generations: pd.DataFrame, test: str) -> str:
    """Force error of DPMD-Test at 300 K beside that of a potential of as many steps.

    Parameters
    ----------
    generations : DataFrame
        potential, steps and force_rmse_eV_per_A on test frames of 300 K, DPMD-Test among them.
    test : str
        Its name.

    Returns
    -------
    str
        A sentence; empty where no other potential has as many steps or fewer.
    """
    rows = generations.set_index("potential")
    mine = rows.loc[test]
    others = rows[(rows["steps"] <= mine["steps"]) & (rows.index != test)]
    if others.empty:
        return ""
    other = others.loc[others["steps"].idxmax()]
    error, theirs = mine["force_rmse_eV_per_A"], other["force_rmse_eV_per_A"]
    return (
        f"After {tables.whole(int(mine['steps']))} steps DPMD-Test is off by {error:.3f} eV/Å at "
        f"300 K, {error / theirs:.1f} times as far as `{other.name}`, a potential of all "
        f"temperatures, after {tables.whole(int(other['steps']))}."
    )


def frames_or_steps(nets: pd.DataFrame, all_frames: str, cold: str, group: str) -> str:
    """Force error at 300 K of one net trained on all frames and on those of 300 K alone.

    Parameters
    ----------
    nets : DataFrame
        Result of ``architectures.table``.
    all_frames, cold : str
        Names of the two trainings.
    group : str
        Column of the test sets at 300 K.

    Returns
    -------
    str
        A sentence; empty where one of the two is not there.
    """
    rows = nets.set_index("name")
    if not {all_frames, cold} <= set(rows.index):
        return ""
    at_all, at_cold = (float(rows.loc[name, group]) for name in (all_frames, cold))
    steps = tables.whole(int(rows.loc[cold, "steps"]))
    word = "lower" if at_cold < at_all else "no lower"
    return (
        f"From the same random weights and after the same {steps} steps, the force error on test "
        f"frames of the crystal at 300 K is {at_cold:.3f} eV/Å after frames of 300 K alone and "
        f"{at_all:.3f} eV/Å after frames of all temperatures: {word} where only such frames were "
        f"shown (one training each)."
    )


def bonds_right_rest_wrong(run, compared, distances: pd.DataFrame | None) -> Finding:
    """Figs. S1 and S2: DPMD-Test describes the bonds correctly and the medium range not.

    Parameters
    ----------
    run : Run or None
        The run of DPMD-Test.
    compared : sampled_rdf.Comparison
        Its comparison with the reference.
    distances : DataFrame or None
        Result of ``rdf_distance.table``; None without a comparison.

    Returns
    -------
    Finding
        The conclusion.
    """
    claim = "DPMD-Test beside first principles (Figs. S1, S2)"
    says = "its bonds are right, its medium range is wrong."
    if run is None:
        return Finding(claim, "not tested, since DPMD-Test was not run", says, "nothing.")
    end = (Number("the run", "-", fate(run).rstrip(".")),)
    if not compared or distances is None:
        heated = run.trajectory.temperatures_K.max() > run.recipe.temperature_start_K
        at_once = f"; it is unstable already at {run.recipe.temperature_start_K:.0f} K"
        return Finding(
            claim,
            "cannot be tested as the paper shows it, since the run does not hold its temperature",
            says,
            f"{compared.why_not}{'' if heated else f'{at_once}, before any heating'}.",
            end,
        )
    whole = distances[distances["pair"] == _TOTAL].iloc[0]
    right = whole["R, bonds"] < 2 * whole["noise, bonds"]
    wrong = whole["R, beyond"] > 2 * whole["noise, beyond"]
    holds = wrong and (right or whole["R, beyond"] > 1.5 * whole["R, bonds"])
    verdict = "agrees"
    if not holds:
        off = "its bonds are wrong, too" if wrong else "its medium range is within the noise"
        verdict = f"not confirmed, since {off}"
    noise = [f"{whole[f'noise, {where}']:.0f} %" for where in ("bonds", "beyond")]
    if np.isnan(whole[["noise, bonds", "noise, beyond"]].astype(float)).any():
        verdict = "cannot tell, since one snapshot has no noise to compare the difference with"
        noise = ["unknown", "unknown"]
    until = "until its run exploded, " if run.exploded else ""
    theirs_K = paper.value("observables.rdf_temperature_K").number
    if run.exploded and compared.temperature_K < theirs_K - 1:
        verdict = f"cannot be compared, since its run exploded before the {theirs_K} K of the paper"
    return Finding(
        claim,
        verdict,
        says,
        f"{until}at {compared.temperature_K:.0f} K, the total g(r) is {whole['R, bonds']:.0f} % "
        f"off the "
        f"reference in the bonds (noise {noise[0]}) and "
        f"{whole['R, beyond']:.0f} % beyond 3 Å (noise {noise[1]}).",
        end,
    )


def where_it_was_trained(errors: pd.DataFrame, n_frames: int, test: str, atp: str) -> Finding:
    """Whether DPMD-Test falls short at the temperature of its training data as well.

    Parameters
    ----------
    errors : DataFrame
        Force RMSE (eV/A), a row for each set of the reference, coldest first, a column for each
        potential.
    n_frames : int
        Number of frames that DPMD-Test was trained on.
    test : str
        Name of DPMD-Test.
    atp : str
        Name of ATP.

    Returns
    -------
    Finding
        The conclusion.
    """
    theirs = paper.value("training.test_configurations").number
    claim, says = "Training of DPMD-Test", f"it was trained on {theirs} frames of 300 K."
    if errors.empty or test not in errors:
        return Finding(claim, "not judged, since it was not evaluated", says, "nothing.")
    cold = errors.iloc[0]
    verdict = f"its force error is {cold[test]:.2f} eV/Å on {errors.index[0]}"
    if atp in errors:
        verdict += f", {cold[test] / cold[atp]:.1f} times ATP's"
    said = tuple(
        Number(f"force error of {name} on {at}", "eV/A", f"{row[name]:.2f}")
        for at, row in errors.iterrows()
        for name in errors
    )
    return Finding(claim, verdict, says, f"it was trained on {n_frames} frames.", said)


def nearly_identical(compared, distances: pd.DataFrame | None) -> Finding:
    """Fig. 3a: the g(r) of ATP and of first principles are nearly identical.

    Parameters
    ----------
    compared : sampled_rdf.Comparison
        Comparison of ATP with the reference.
    distances : DataFrame or None
        Result of ``rdf_distance.table``; None without a comparison.

    Returns
    -------
    Finding
        The conclusion.
    """
    says = "the two curves are nearly identical."
    if not compared or distances is None:
        claim = f"{compared.name} beside the reference (Fig. 3a)"
        return Finding(claim, "not tested", says, f"{compared.why_not}.")
    claim = f"{compared.name} at {compared.temperature_K:.0f} K (Fig. 3a)"
    whole = distances[distances["pair"] == _TOTAL].iloc[0]
    parts = distances[distances["pair"] != _TOTAL].dropna(subset="R, all")
    worst = parts.loc[parts["R, all"].idxmax()]
    off = rdf_distance.differing(distances)["pair"]
    if len(off):
        verdict = f"{len(off)} of {len(parts)} pairs differ by more than twice their noise"
    elif parts["noise, all"].notna().all():
        verdict = "no difference seen, no pair differs by more than twice its noise"
    else:
        verdict = "cannot tell, since one snapshot has no noise to compare the difference with"
    return Finding(
        claim,
        verdict,
        says,
        f"the total g(r) is {whole['R, all']:.0f} % off the reference (noise "
        f"{whole['noise, all']:.0f} %), {worst['pair']} most ({worst['R, all']:.0f} %, noise "
        f"{worst['noise, all']:.0f} %).",
        (Number("pairs that differ", "-", ", ".join(off) or "none"),),
    )


def partial_melting(between: Mapping[float, int], n_frames: Mapping[float, int]) -> Finding:
    """Fig. 3b: the first two Zn-N peaks merge.

    Parameters
    ----------
    between : mapping of float to int
        Temperature (K) -> pairs between the peaks (``activation.pairs_in_valley``).
    n_frames : mapping of float to int
        Temperature (K) -> number of snapshots.

    Returns
    -------
    Finding
        The conclusion.
    """
    theirs = paper.value("observables.partial_melting_K").number
    filled = [T for T, pairs in between.items() if pairs]
    if filled:
        verdict = f"pairs between the peaks from {min(filled):.0f} K on"
        pairs = between[min(filled)]
        here = f"{pairs} pair{'s' * (pairs > 1)} in {n_frames[min(filled)]} snapshots there"
        hottest = max(between)
        if hottest > min(filled):
            here += f", {between[hottest]} in {n_frames[hottest]} at {hottest:.0f} K"
        here += "."
    else:
        verdict = f"no pair between the peaks up to {max(between):.0f} K"
        here = f"none in {sum(n_frames.values())} snapshots."
    said = tuple(Number(f"pairs between the peaks, {T:.0f} K", "-", n) for T, n in between.items())
    return Finding(
        "Partial melting (Fig. 3b)", verdict, f"the peaks meet above {theirs} K.", here, said
    )


def barrier_in_words(found: Activation, temperature_K: float = 1800.0) -> str:
    """The barrier at a temperature, its lower bound, or that it is not determined.

    Parameters
    ----------
    found : Activation
        Barriers and their line.
    temperature_K : float
        Temperature, K.

    Returns
    -------
    str
        In words, kJ/mol.
    """
    row = found.at(temperature_K)
    if np.isfinite(row["dF_kJ_mol"]):
        return tables.number(row["dF_kJ_mol"], row["error_kJ_mol"])
    bound = row["lower_bound_kJ_mol"]
    return f"> {bound:.0f} (95 %)" if np.isfinite(bound) else tables.NOT_DETERMINED


def _both(here: Mapping[str, object]) -> str:
    """What each convention says, one after the other."""
    return ", ".join(f"{words} by {_short(name)}" for name, words in here.items())


def _short(convention: str) -> str:
    return convention.removeprefix("this book, ").removesuffix(", held")


_UNKNOWN = "and the paper does not say which it takes"


def barrier(found: Mapping[str, Activation], temperature_K: float = 1800.0) -> Finding:
    """Table 2: the activation free energy compared with that of the paper's DPMD-20K.

    Parameters
    ----------
    found : mapping of str to Activation
        Convention -> barriers and their line (``activation.by_convention``). A verdict is what all
        of them say.
    temperature_K : float
        Temperature, K.

    Returns
    -------
    Finding
        The conclusion.
    """
    theirs = paper.rows("table2")["DPMD-20K"][f"dF_{temperature_K:.0f}K_kJ_per_mol"].number
    ours = pd.DataFrame({name: one.at(temperature_K) for name, one in found.items()}).T
    off = (ours["dF_kJ_mol"] - theirs).abs() / ours["error_kJ_mol"]
    above = ours["lower_bound_kJ_mol"] > theirs
    if off.notna().all():
        apart = _both({name: f"{x:.1f}" for name, x in off.items()}) + " standard errors apart"
        verdict = f"{apart}, {'more' if (off > 2).all() else 'not more'} than chance explains"
        if (off > 2).any() != (off > 2).all():
            verdict = f"cannot tell: {apart}, {_UNKNOWN}"
    elif ours["lower_bound_kJ_mol"].notna().all():
        verdict = "our bounds are above it" if above.all() else "our bounds do not exclude it"
        if above.any() != above.all():
            one = _short(above.idxmax())
            verdict = f"cannot tell: our bound is above it by {one} only, {_UNKNOWN}"
    else:
        verdict = "not tested, the run has no frames there or no barrier"
    said = {name: barrier_in_words(one, temperature_K) for name, one in found.items()}
    return Finding(
        f"ΔF‡({temperature_K:.0f} K) (Table 2)",
        verdict,
        f"{theirs} kJ/mol (DPMD-20K).",
        f"{_both(said)} (kJ/mol).",
        tuple(
            Number(f"ΔF‡({temperature_K:.0f} K), {_short(name)}", "kJ/mol", words, theirs)
            for name, words in said.items()
        ),
    )


def barriers_beside_line(found: Mapping[str, Activation]) -> Finding:
    """Fig. 3d: our lower bounds compared with the line of the paper's DPMD-20K.

    Parameters
    ----------
    found : mapping of str to Activation
        As of `barrier`.

    Returns
    -------
    Finding
        The conclusion.
    """
    claim, own = "Barriers against temperature (Fig. 3d)", paper.rows("table2")["DPMD-20K"]
    dU, dS = own["dU_kJ_per_mol"].number, own["dS_J_per_mol_K"].number
    says = f"they fall on the line {dU} kJ/mol − T · {dS} J/(mol K)."
    bounds = {k: one.barriers.dropna(subset="lower_bound_kJ_mol") for k, one in found.items()}
    if any(one.empty for one in bounds.values()):
        return Finding(claim, "cannot tell, since there is no lower bound", says, "nothing.")
    higher = {k: set(activation.above_line(one.barriers, dU, dS)) for k, one in found.items()}
    if common := set.intersection(*higher.values()):
        listed = ", ".join(f"{T:.0f}" for T in sorted(common))
        verdict = f"our bounds lie above the paper's line at {listed} K"
    elif any(higher.values()):
        verdict = f"cannot tell, since the two conventions do not agree {_UNKNOWN}"
    else:
        verdict = "our bounds are nowhere above the paper's line"
    where = {k: ", ".join(f"{T:.0f}" for T in sorted(at)) for k, at in higher.items()}
    return Finding(
        claim,
        verdict,
        says,
        "our lower bounds (95 % each) lie above that line at "
        + _both({k: f"{at} K" if at else "no temperature" for k, at in where.items()}) + ".",
        tuple(
            Number(f"lower bound at {row.temperature_K:.0f} K, {_short(name)}", "kJ/mol",
                   f"{row.lower_bound_kJ_mol:.0f}", f"{dU - row.temperature_K * dS / 1000:.0f}")
            for name, one in bounds.items() for row in tables.each_row(one)
        ),
    )  # fmt: skip


def activation_line(found: Mapping[str, Activation]) -> Finding:
    """Table 2: energy and entropy of activation, from a line through the barriers.

    The paper's four numbers are two, its barriers at 840 and 1800 K being those of its line. Both
    are judged together (``FreeEnergyLine.probability``).

    Parameters
    ----------
    found : mapping of str to Activation
        As of `barrier`.

    Returns
    -------
    Finding
        The conclusion.
    """
    own = paper.rows("table2")["DPMD-20K"]
    theirs = own["dU_kJ_per_mol"].number, own["dS_J_per_mol_K"].number
    claim = "ΔU‡ and ΔS‡ (Table 2)"
    says = f"{theirs[0]} kJ/mol and {theirs[1]} J/(mol K)."
    lines = {name: one.line for name, one in found.items() if one.line is not None}
    if len(lines) < len(found):
        why = next(one.why_no_line for one in found.values() if one.line is None)
        return Finding(claim, "not determined", says, f"{why}.")
    chance = {name: line.probability(*theirs) for name, line in lines.items()}
    outside = {p < 1 - LEVEL for p in chance.values()}
    where = "outside" if True in outside else "inside"
    verdict = f"the paper's line lies {where} of our 95 % region"
    if len(outside) > 1:
        verdict = f"cannot tell, since the two conventions do not agree {_UNKNOWN}"
    said = {
        name: f"{tables.number(line.dU, line.dU_error)} kJ/mol and "
        f"{tables.number(line.dS, line.dS_error)} J/(mol K)"
        for name, line in lines.items()
    }
    n = max(line.n_points for line in lines.values())
    return Finding(
        claim,
        verdict,
        says,
        f"{_both(said)}, from {n} temperatures.",
        tuple(
            Number(f"chance of a line as far off as the paper's, {_short(name)}", "-", f"{p:.2g}")
            for name, p in chance.items()
        ),
    )


def flows(table: pd.DataFrame, width_K: float) -> Finding:
    """Whether Zn diffuses at the highest temperature.

    Parameters
    ----------
    table : DataFrame
        Result of ``flow.table`` with Zn.
    width_K : float
        Width of a window of temperature, K.

    Returns
    -------
    Finding
        The conclusion.
    """
    claim, says = "Flow", "it reports no diffusion coefficient."
    of_zn = table[table["element"] == "Zn"]
    if of_zn.empty:
        return Finding(
            claim,
            "not tested",
            says,
            f"no window of {width_K:.0f} K holds 16 snapshots.",
        )
    hottest = of_zn.iloc[-1]
    diffuses = hottest["exponent"] >= flow.GROWS and hottest["msd_A2"] >= flow.RATTLES_A2
    return Finding(
        claim,
        "Zn diffuses" if diffuses else "no diffusion within the time of a window",
        says,
        f"at {hottest['temperature_K']:.0f} K the MSD of Zn is {hottest['msd_A2']:.1f} Å² after "
        f"{hottest['until_ps']:.1f} ps and grows with time to the "
        f"power of {hottest['exponent']:.2f} (1 in diffusion).",
    )


def held(
    found: Mapping[str, Activation],
    laws: Mapping[str, Arrhenius],
    why_not: Mapping[str, str],
    diffusion: tuple[float, float],
    per_time: pd.DataFrame,
) -> list[Finding]:
    """Table 2 and the rates of the bonds from runs held at one temperature.

    Parameters
    ----------
    found : mapping of str to Activation
        As of `barrier`; empty without a run.
    laws : mapping of str to Arrhenius
        "break" and "exchange" -> the law, as ``ligand_exchange.activation``.
    why_not : mapping of str to str
        Those without a law -> the reason.
    diffusion : (float, float)
        Activation energy of the diffusion of Zn and its error, kJ/mol; NaN if not known.
    per_time : DataFrame
        The events of the runs that are used, a row for each (``plateaus.events``).

    Returns
    -------
    list of Finding
        The line of the barriers, and the energies of breaking, exchange and diffusion.
    """
    claim = "Held at one temperature: energies of breaking, exchange and diffusion"
    says = "it gives no rates; its ΔU‡ of breaking is "
    says += f"{paper.rows('table2')['DPMD-20K']['dU_kJ_per_mol'].number} kJ/mol."
    if not found:
        return [Finding(claim, "not computed, since no run is held", says, "nothing.")]
    line = activation_line(found)
    line = replace(line, claim=f"{line.claim}, held at one temperature")
    said, reasons = {}, dict(why_not)
    for name in ("break", "exchange"):
        if name in laws:
            said[name] = _with_interval(laws[name].E_a, laws[name].error)
        else:
            reasons.setdefault(name, "no run counts")
    E, error = diffusion
    if np.isfinite(E):
        said["diffusion of Zn"] = _with_interval(E, error)
    else:
        few = "D and its error are known at too few temperatures"
        reasons["diffusion of Zn"] = few
    verdict = f"{len(said)} of 3 are determined"
    lines = [one.line for one in found.values() if one.line is not None]
    if "break" in laws and len(lines) == len(found):
        beyond = {_apart(laws["break"], one) for one in lines}
        how = "apart by more than chance" if beyond == {True} else "not distinguished"
        verdict += f"; the energy of breaking and ΔU‡ of the barriers are {how}"
    here = [f"{name} {words}" for name, words in said.items()]
    for why in dict.fromkeys(reasons.values()):
        these = " and ".join(name for name, reason in reasons.items() if reason == why)
        here.append(f"{these} not determined, {why}")
    return [
        line,
        Finding(
            claim,
            verdict,
            says,
            f"{'; '.join(here)}.",
            tuple(Number(f"activation energy, {name}", "kJ/mol", x) for name, x in said.items())
            + _of_the_rates(per_time),
        ),
    ]


def _apart(law: Arrhenius, line: FreeEnergyLine) -> bool:
    return abs(law.E_a - line.dU) > 2 * float(np.hypot(law.error, line.dU_error))


def _of_the_rates(per_time: pd.DataFrame) -> tuple[Number, ...]:
    """Whether one law gives all counts, and the energies between neighbouring temperatures."""
    if per_time.empty:
        return ()
    laws, refused = ligand_exchange.activation(per_time)
    words = refused | {name: f"one law, p = {law.p:.2g}" for name, law in laws.items()}
    every = "one law for all temperatures"
    one = [Number(f"{every}, {name}", "-", words[name]) for name in sorted(words)]
    steps = [
        Number(f"{row.rate}, {row.low_K:.0f} to {row.high_K:.0f} K alone, untested", "kJ/mol",
               tables.number(row.E_kJ_mol, row.error_kJ_mol))
        for row in tables.each_row(ligand_exchange.between(per_time))
    ]  # fmt: skip
    return (*one, *steps)


def _with_interval(value: float, error: float) -> str:
    low, high = value - NORMAL_95 * error, value + NORMAL_95 * error
    return f"{tables.number(value, error)} kJ/mol (95 %: {low:.0f} to {high:.0f})"
