# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   zif4:
#     data:
#       - data/paper.yaml
#       - data/structures/{structure}.extxyz
#       - data/potentials/{potential}
#       - data/potentials/{ensemble}
#       - data/frames
#       - data/sets.yaml
#       - data/validation
#       - data/runs
#       - data/runs.yaml
#       - data/bench
# ---

# %% [markdown]
# # 4 Heating rates: how fast is slow enough?
#
# A calorimeter heats ZIF-4 at 10–20 K per *minute*. A simulation that lives for nanoseconds has to
# heat at kelvins per *picosecond*. What is heated too fast has no time to leave its structure and
# is overheated: the transition is seen late, at too high a temperature. The paper therefore heats
# the same crystal at ever slower rates and finds that the temperature $T_\mathrm{f}$ at which the
# density falls gets lower as the rate falls. This chapter makes such runs, one for each rate that
# is asked for, and reads density, enthalpy, heat capacity and $T_\mathrm{f}$ from them.
#
# The runs are molecular dynamics in the NPT ensemble by LAMMPS: a Nose–Hoover thermostat whose
# target rises linearly,
#
# $$ T(t) = T_\mathrm{start} + \dot T\,(t - t_\mathrm{eq}), \qquad t \ge t_\mathrm{eq}, $$
#
# after an equilibration of length $t_\mathrm{eq}$, and a barostat at zero pressure that scales the
# three cell lengths by one factor. The forces come from the deep potential.

# %% tags=["parameters"]
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] ZIF-4, ZIF-4-experimental, Znim2-ABW | cell in data/structures
supercell: list[int] = [1, 1, 1]  # [-] 1..6 | repetitions along a, b, c
potential: str = "atp"  # [-] any | all-temperature potential: name in data/potentials, or a folder
ensemble: list[str] = []  # [-] any | potentials to compare with on saved frames of the runs
temperature_start: float = 300.0  # [K] 1..5000 | temperature of the equilibration
temperature_end: float = 2100.0  # [K] 1..5000 | temperature at the end of the ramp
heating_rates: list[float] = [20.0]  # [K/ps] 0.01..5000 | rates of the ramps, one run each
heating_rate: float = 0.0  # [K/ps] 0..5000 | this rate alone; 0: all of heating_rates
seeds: list[int] = [1]  # [-] 1..900000000 | seeds of the first velocities: a run for each of them
seeded_rates: list[float] = []  # [K/ps] 0..5000 | those run with every seed; empty: all
named_runs: list[str] = []  # [-] any | runs of data/runs.yaml besides; not with heating_rate
equilibration: float = 5.0  # [ps] 0..1000 | time at the first temperature
segment: float = 0.0  # [K] 0..2000 | heat by so much, hold, sample, in turn; 0: one ramp
hold: float = 0.0  # [ps] 0..1000 | time after each segment that is not sampled
sample: float = 0.0  # [ps] 0..1000 | time after that which is
coupling: str = "iso"  # [-] iso, aniso, tri | one factor for the cell, three, or angles too
timestep: float = 0.5  # [fs] 0.05..2 | time step of the dynamics
frame_every: float = 0.1  # [ps] 0.001..1000 | time between frames of the trajectory
deviation_limit: float = 0.5  # [eV/A] 0..100 | the ensemble agrees within this on what it knows
deviation_frames: int = 60  # [-] 2..100000 | frames of each run, and test set, to compare on
labelled_frames: str = ""  # [-] any | set of labelled frames of a run of this page; empty: none
peer_run: str = ""  # [-] any | run of data/runs.yaml to set beside ours; empty: none
larger_runs: list[str] = []  # [-] any | those with larger supercells to set beside ours
ranks: int = 1  # [-] 1..512 | MPI ranks of LAMMPS

# %% tags=["remove-cell"]
from helpers.book import parameters

# what papermill injects as text becomes a list, a number, a truth value
globals().update(parameters.accepted("04_heating_rates", globals()))

# %%
from itertools import cycle

import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import provenance, statistics, structures, units
from helpers.benchmarks import record
from helpers.frames import dataset
from helpers.md import (
    heating,
    lammps_input,
    model_deviation,
    protocol,
    thermo,
    trajectory,
)
from helpers.observables import (
    coordination,
    density_stages,
    heat_capacity,
    kissinger,
    transition_of_seeds,
)
from helpers.recipes import catalogue, sets
from helpers.recipes import runs as named_run
from helpers.report import claims, paper, plots_of_potentials, style, tables
from helpers.validation import accuracy
from helpers.validation import ensemble as disagreement

own_rates = [heating_rate] if heating_rate else heating_rates
wanted = [
    (rate, seed)
    for rate in own_rates
    for seed in (seeds if rate in (seeded_rates or own_rates) else seeds[:1])
]
named = {
    (recipe.heating_rate_K_per_ps, recipe.seed): recipe
    for recipe in catalogue.runs_alike(
        [] if heating_rate else named_runs,
        structure=structure,
        supercell=tuple(supercell),
        potential=potential,
        coupling=coupling,
    )
}
rates = sorted({rate for rate, _ in (*wanted, *named)}, reverse=True)
first_seed = {rate: min(seed for q, seed in (*wanted, *named) if q == rate) for rate in rates}
colours = dict(zip(rates, cycle(style.SERIES_COLOURS), strict=False))
print(
    f"This page is made for {', '.join(f'{rate:g}' for rate in rates)} K/ps, "
    f"{len({*wanted, *named})} runs. "
    f"The fastest rate is {units.K_per_ps_to_K_per_min(rates[0]):.1e} K/min."
)

# %% [markdown]
# ## The runs
#
# A run that was made before, on this machine or shipped in `data/runs`, is found by its recipe
# (structure, potential and all numbers that determine it) and used again; a run that was stopped
# goes on from its last restart file; what is missing is made now. The line that each run prints
# says which. A run that left physics on its way up is used as far as it got, and its diagnosis is
# printed. `data/runs.yaml` has the runs of this book and the paper's by name. Very slow runs
# (parameter `named_runs`) may cover a part of the temperatures only, as the paper's own do.

# %%
recipes = {
    (rate, seed): protocol.HeatingRun(
        structure=structure,
        supercell=tuple(supercell),
        potential=potential,
        temperature_start_K=temperature_start,
        temperature_end_K=temperature_end,
        heating_rate_K_per_ps=rate,
        equilibration_ps=equilibration,
        segment_K=segment,
        hold_ps=hold,
        sample_ps=sample,
        coupling=coupling,
        timestep_fs=timestep,
        frame_every_ps=frame_every,
        seed=seed,
    )
    for rate, seed in wanted
} | named
recipes = dict(sorted(recipes.items(), key=lambda item: (-item[0][0], item[0][1])))
runs = {
    key: heating.run(recipe, ranks=ranks, keep_exploded=True) for key, recipe in recipes.items()
}

# %%
made = {key: provenance.read(run) for key, run in runs.items()}
pd.DataFrame(
    {
        "profile": profile,
        "run": [run.name for run in runs.values()],
        "seed": [seed for _, seed in runs],
        "potential": [recipe.potential for recipe in recipes.values()],
        "atoms": [m["atoms"] for m in made.values()],
        "steps": [m["steps"] for m in made.values()],
        "ended": ["exploded" if m["exploded"] else "whole" for m in made.values()],
        "made": [m["made"] for m in made.values()],
        "time (min)": [round(m["seconds"] / 60, 1) for m in made.values()],
        "hardware": [
            f"{m['ranks']} x {m['threads']} threads, {m['hardware']['processor']}"
            for m in made.values()
        ],
    }
).style.hide(axis="index").format(precision=1)

# %% [markdown]
# What is below is about the runs that reached their ramp.

# %%
heated = thermo.ramps(runs)
runs, made, recipes = ({key: of[key] for key in heated} for of in (runs, made, recipes))
rates = sorted({rate for rate, _ in runs}, reverse=True)
first_seed = {rate: min(seed for q, seed in runs if q == rate) for rate in rates}

# %% [markdown]
# This is what LAMMPS was told. Note `run ... upto ... start ... stop`: the target temperature
# depends on the step alone, so a run that is continued from a restart file stays on its ramp.

# %%
slowest = (rates[-1], first_seed[rates[-1]])
print("\n".join(lammps_input.script(recipes[slowest]).splitlines()[:60]))

# %% [markdown]
# Every 0.1 ps one row of the thermodynamic table was written; the equilibration is left out here.
# Does the thermostat keep up with its target? The temperature of a finite system fluctuates by
# $T\sqrt{2/3N}$ around its mean, but the mean must follow.

# %%
pd.DataFrame(
    {
        "heating rate (K/ps)": [rate for rate, _ in heated],
        "seed": [seed for _, seed in heated],
        "rows": [len(table) for table in heated.values()],
        "mean T - target (K)": [
            (table["temperature_K"] - table["target_temperature_K"]).mean()
            for table in heated.values()
        ],
        "expected fluctuation at the end (K)": [
            round(recipes[key].temperature_end_K * (2 / 3 / m["atoms"]) ** 0.5, 1)
            for key, m in made.items()
        ],
    }
).style.hide(axis="index").format(precision=1)

# %% [markdown]
# A segmented run counts where it is sampled, a ramp everywhere.

# %%
used = {
    key: table[table["stage"].isin(made[key]["sample_stages"])]
    if recipes[key].segment_K and recipes[key].sample_ps
    else table
    for key, table in heated.items()
}


def draw(ax, key, values, quantity, unit):
    """One run, its samples pale and the running mean on top; the first seed is named."""
    table = used[key]
    style.against_temperature(
        table["target_temperature_K"],
        values,
        quantity,
        unit,
        window=max(1, len(table) // 20),
        name=f"{key[0]:g} K/ps" if key[1] == first_seed[key[0]] else "",
        colour=colours[key[0]],
        ax=ax,
    )


# %% [markdown]
# ## Enthalpy (Fig. 4a)
#
# At constant pressure $P$ the heat that goes into the cell is its enthalpy
# $H = E_\mathrm{kin} + E_\mathrm{pot} + PV$ (here $P = 0$, the pressure of the barostat). It is
# shown per atom and counted from the first row, which is put on the dashed line: the straight
# $3 k_\mathrm{B}(T - T_\mathrm{start})$ of a classical harmonic crystal. Heat that is taken up
# without a rise of temperature is a step.

# %%
_, ax = style.axes(("temperature", "K"), ("enthalpy", "eV/atom"), width=7)
line = np.array(
    [
        min(recipe.temperature_start_K for recipe in recipes.values()),
        max(recipe.temperature_end_K for recipe in recipes.values()),
    ]
)
enthalpy = {}
for key, table in used.items():
    per_atom = table["enthalpy_eV"] / made[key]["atoms"]
    enthalpy[key] = (
        per_atom
        - per_atom.iloc[:1].mean()
        + 3 * units.K_to_eV(table["target_temperature_K"].iloc[:1].mean() - line[0])
    )
    draw(ax, key, enthalpy[key], "enthalpy", "eV/atom")
ax.plot(line, 3 * units.K_to_eV(line - line[0]), "k--", lw=1, label="$3 k_B T$")
ax.legend()
# %% [markdown]
# ## Density
#
# A crystal expands as it is heated, a little and steadily. A framework that comes apart does one
# of two things: it opens, and the density falls, or it collapses into its own pores, and the
# density rises. The paper reports 0.95 g/cm³ from 300 to 1300 K, then a fall, a low-density phase
# at 1400–1550 K, and a denser one above. (Its own supercell has 1.22 g/cm³.) Each sample is shown
# pale, the running mean on top; the dashed line is the paper's density.
#
# One thing is no property of the crystal: the cell is let go at the start of the equilibration and
# swings, in phase in all runs. The faster the heating, the more kelvins one swing lasts, and the
# more of what a fast curve shows is its start.

# %%
_, ax = style.axes(("temperature", "K"), ("density", "g/cm3"), width=7)
for key, table in used.items():
    draw(ax, key, table["density_g_cm3"], "density", "g/cm3")
style.paper_line(ax, paper.value("stages.density_crystal_g_per_cm3"))
# %% [markdown]
# In numbers: the swing, the first 100 K of each run, and the 100 K whose mean is lowest. Whether
# that is a transition is asked below; here it is a minimum, which any noisy curve has.

# %%
hundreds = {
    key: statistics.bin_by_temperature(
        table["target_temperature_K"], table["density_g_cm3"], 100
    ).query("n > n.median() / 2")
    for key, table in used.items()
}  # no bin of one last sample
first = thermo.read(runs[slowest]).query("time_ps <= 5")
swing = thermo.swing(first["time_ps"], first["density_g_cm3"])
print(
    f"The cell swings once in {swing:.1f} ps (first {first['time_ps'].max():.0f} ps of the "
    "slowest run)."
)
pd.DataFrame(
    [
        {
            "rate (K/ps)": f"{rate:g}",
            "seed": seed,
            "one swing (K)": f"{rate * swing:.0f}",
            "from (K)": f"{means['temperature_K'].iloc[0]:.0f}",
            "density there (g/cm³)": means["mean"].iloc[0],
            "lowest (g/cm³)": means["mean"].min(),
            "around (K)": f"{means['temperature_K'].loc[means['mean'].idxmin()]:.0f}",
        }
        for (rate, seed), means in hundreds.items()
    ]
).style.hide(axis="index").format(precision=3)

# %% [markdown]
# ## The slowest run: density, enthalpy and heat capacity (Fig. 4b)
#
# $C_P = \mathrm{d}H/\mathrm{d}T$ is the slope of the enthalpy, fitted here in windows of
# temperature. Classical nuclei give about $3 k_\mathrm{B}$ per atom; in the real crystal the stiff
# C–H and C–N vibrations are frozen, so this number is no prediction for a calorimeter. A transition
# with latent heat makes a peak of that area; a peak within two or three error bars is noise.

# %%
window = min(100.0, max((line[1] - line[0]) / 5, 1.0))
capacity = {
    key: heat_capacity.heat_capacity(
        table["target_temperature_K"], table["enthalpy_eV"], made[key]["atoms"], window_K=window
    )
    for key, table in used.items()
}
_, (above, middle, below) = style.axes(
    ("temperature", "K"), ("", "-"), nrows=3, width=7, height=2.3, sharex=True
)
draw(above, slowest, used[slowest]["density_g_cm3"], "density", "g/cm3")
draw(middle, slowest, enthalpy[slowest], "enthalpy", "eV/atom")
below.axhline(3, color="black", ls="--", lw=1, label="classical harmonic crystal")
slow_cp = capacity[slowest]
below.errorbar(
    slow_cp["temperature_K"],
    slow_cp["cp_kB"],
    slow_cp["error_kB"],
    fmt="o-",
    ms=3,
    color=colours[slowest[0]],
    label=f"{slowest[0]:g} K/ps",
)
below.legend()
for panel, name in zip(
    (above, middle, below),
    (("density", "g/cm3"), ("enthalpy", "eV/atom"), ("heat capacity", "kB/atom")),
    strict=True,
):
    panel.set_ylabel(style.label(*name))

# %% [markdown]
# Its stages, by the piecewise-linear fit that chapter 5 explains, density alone:

# %%
density_stages.table(
    density_stages.find(used[slowest]["target_temperature_K"], used[slowest]["density_g_cm3"], None)
).style.hide(axis="index")

# %%
for (rate, seed), table in capacity.items():
    print(
        f"{rate:g} K/ps, seed {seed}:",
        f"C_P = {table['cp_kB'].mean():.2f} kB/atom on average"
        if len(table)
        else "too short a run for a heat capacity",
    )

# %% [markdown]
# ## The transition temperature
#
# $T_\mathrm{f}$ is where the density begins to fall significantly. The paper reads it off the
# curve; here a line with a fall is fitted to the density up to where that is lowest (the crystal
# that expands, the fall that begins at $T_\mathrm{f}$, and what goes on below). The error combines
# the spread over widths of bins (10, 20 and 40 K; each has to find a fall) with a bootstrap of 200
# draws. Without a significant fall no $T_\mathrm{f}$ is given. The faster the heating, the more
# kelvins a fluctuation of the cell lasts, and the more it looks like a fall. A run that falls,
# comes back and falls again is judged up to where it comes back:

# %%
bends = {
    key: transition_of_seeds.transition_by_methods(
        table["target_temperature_K"], table["density_g_cm3"]
    )
    for key, table in used.items()
}
for (rate, seed), bend in bends.items():
    print(f"{rate:g} K/ps, seed {seed}: {bend}")

# %% [markdown]
# Small cells fluctuate slowly, and runs that differ in their seed alone fall at different
# temperatures. Where each seed of a rate shows a fall, the mean of their $T_\mathrm{f}$ is used
# below, else $T_\mathrm{f}$ of their mean curve. Two or three seeds hardly tell how far seeds are
# apart, and one says nothing of it: the scatter of seeds, pooled over all rates at which two or
# more show a fall, joins every error.

# %%
by_rate = transition_of_seeds.of_rates(
    {key: (table["target_temperature_K"], table["density_g_cm3"]) for key, table in used.items()},
    bends,
)
for rate, bend in by_rate.items():
    n_seeds = sum(key[0] == rate for key in used)
    print(f"{rate:g} K/ps, {n_seeds} seed{'s' * (n_seeds > 1)}: {bend}")
found = {rate: bend for rate, bend in by_rate.items() if bend.found}
lacking = [rate for rate in rates if rate not in found]
print(
    f"No transition at {', '.join(f'{rate:g}' for rate in lacking)} K/ps."
    if lacking
    else "A transition at every rate."
)

# %% [markdown]
# How much hangs on that rule? Where some seeds fall and others do not, the mean curve falls slowly,
# and from the earliest of them on, so its $T_\mathrm{f}$ may lie below that of each seed. Another
# rule leaves out the seeds that do not fall, whatever they hide. Everything below, and the verdict
# at the end, uses the first rule; what the second one would say of claim (3) stands here.

# %%
otherwise = transition_of_seeds.of_found(bends)
for rate, bend in otherwise.items():
    print(f"{rate:g} K/ps: {bend}")
judged = claims.rate_dependence(otherwise)
print(f"Claim (3) by this rule: {judged.verdict}. {judged.here}")

# %% [markdown]
# ### Against the heating rate (Fig. 6b)
#
# If the transition waits for one activated step of energy $E$, slow heating gives it time, and
# (Kissinger 1957)
#
# $$ \ln\frac{q}{T_\mathrm{f}^2} = C - \frac{E}{R\,T_\mathrm{f}}. $$
#
# The law is fitted to the paper's three points and, where there are three rates, to ours. The
# paper's slowest run is called DPMD-0.1K and listed and plotted at 0.2 K/ps; its number of steps
# over its span of temperature gives 0.1 K/ps. The open square is the paper's reading, the arrowed
# one the rate that fits its steps; both are fitted.


# %%
def law_of(points, errors=None):
    """The law, or in words why there is none."""
    try:
        return kissinger.fit([q for q, _ in points], [Tf for _, Tf in points], errors)
    except kissinger.TooFewPoints as problem:
        return str(problem)


names = ("DPMD-1K", "DPMD-0.5K", "DPMD-0.1K")
theirs = [
    (
        paper.value(f"table3.{name}.heating_rate_K_per_ps").number,
        paper.value(f"transition.{name}_Tf_K").number,
    )
    for name in names
]
by_steps = [*theirs[:2], (0.1, theirs[2][1])]
ours = [(rate, bend.Tf) for rate, bend in found.items()]
laws = {
    "paper": law_of(theirs),
    "paper, slowest at 0.1 K/ps": law_of(by_steps),
    "this book": law_of(ours, [bend.error for bend in found.values()]),
}
for name, law in laws.items():
    print(f"{name}: {law}")

# %%
calorimeter = units.K_per_min_to_K_per_ps(
    np.array(
        [
            paper.value("heating.experiment_rate_low_K_per_min").number,
            paper.value("heating.experiment_rate_high_K_per_min").number,
        ]
    )
)
_, (near, far) = style.axes(("heating rate", "K/ps"), ("$T_f$", "K"), ncols=2, width=5)
for ax, low in ((near, 0.05), (far, calorimeter[0] / 2)):
    grid = np.geomspace(low, max([1.5, *(2 * q for q, _ in ours)]), 100)
    for (name, law), colour in zip(
        laws.items(), ("black", "grey", style.SERIES_COLOURS[1]), strict=True
    ):
        if not isinstance(law, str):
            ax.plot(grid, law.temperature(grid), color=colour, lw=1, label=f"law, {name}")
            ax.fill_between(grid, *law.interval(grid), color=colour, alpha=0.12, lw=0)
    ax.plot(*zip(*theirs, strict=True), "ks", mfc="none", label="paper, Fig. 6b")
    ax.annotate("", by_steps[2], theirs[2], arrowprops={"arrowstyle": "->"})
    if ours:
        ax.errorbar(
            *zip(*ours, strict=True),
            [bend.error for bend in found.values()],
            fmt="o",
            color=style.SERIES_COLOURS[1],
            label="this book",
        )
    ax.set_xscale("log")
    ax.set_ylim(0, 2500)
near.set_ylim(min(Tf for _, Tf in theirs + ours) - 150, max(Tf for _, Tf in theirs + ours) + 150)
far.axvspan(*calorimeter, color=style.SERIES_COLOURS[2], alpha=0.5, label="calorimeter")
far.legend(loc="upper left", bbox_to_anchor=(1, 1))
# %%
for rate, Tf in ours:
    paper_rate, paper_Tf = theirs[0]
    print(
        f"At {rate:g} K/ps {Tf:.0f} K here; at {paper_rate:g} K/ps {paper_Tf:.0f} K in the paper.",
        "Lower, although heated faster: no rate explains that, so the potentials, or cells of "
        f"{made[slowest]['atoms']} and 7344 atoms, differ."
        if rate > paper_rate and paper_Tf - Tf > 2 * found[rate].error
        else "",
    )

# %% [markdown]
# The bands hold 95 % of the curves that the points allow *if the law is true* over thirteen powers
# of ten, with one step and one activation energy: nothing here tests that.

# %%
for name, law in laws.items():
    if isinstance(law, str):
        print(f"{name}: no extrapolation, since {law}")
        continue
    (low, _), (high, _) = law.interval(calorimeter)
    print(
        f"{name}: {law.temperature(calorimeter)[0]:.0f} K at 10 K/min, between {low:.0f} and "
        f"{high:.0f} K (95 %). The paper puts the low-density phase of experiments near "
        f"{paper.value('stages.experiment_low_density_K').number} K."
    )

# %% [markdown]
# ## A larger cell
#
# The paper heats 7344 atoms; most runs of this page have fewer. A periodic cell allows only those
# motions that repeat with it, and its density fluctuates as $1/\sqrt{N}$ where it is in
# equilibrium, which hides small changes. Here larger supercells beside the runs of this page at
# their rate; the table is about the temperatures that all of them have. The last column is the
# fluctuation of the first run of that rate, scaled by $1/\sqrt{N}$; the swing from the start does
# not get smaller with the cell, so a fast run stays above it.
#
# A cell that opens as a whole does it suddenly. A larger one can open part by part, and its density
# then falls slowly where that of one cell drops: the estimator, which asks for a bend, may find
# none although the larger cell ends at the same low density.

# %%
larger = {
    plan: heating.run(plan, keep_exploded=True, ranks=ranks)
    for plan in catalogue.runs_alike(
        larger_runs, structure=structure, potential=potential, coupling=coupling
    )
}
ramps = {(rate, made[rate, seed]["atoms"], seed): table for (rate, seed), table in heated.items()}
ramps |= {
    (plan.heating_rate_K_per_ps, len(protocol.structure(plan)), plan.seed): table
    for plan, table in (thermo.ramps(larger) if larger else {}).items()
}
ramps = {
    key: table[["target_temperature_K", "density_g_cm3"]].to_numpy().T
    for key, table in ramps.items()
}
groups = {
    rate: [key for key in ramps if key[0] == rate]
    for rate in sorted({plan.heating_rate_K_per_ps for plan in larger}, reverse=True)
}
if groups:
    _, panels = style.axes(
        ("temperature", "K"),
        ("density", "g/cm3"),
        nrows=len(groups),
        width=7,
        height=2.6,
        sharex=True,
        squeeze=False,
    )
    for ax, (rate, group) in zip(panels.flat, groups.items(), strict=True):
        ax.set_title(f"{rate:g} K/ps")
        for _, atoms, seed in group:
            T, density = ramps[rate, atoms, seed]
            style.against_temperature(
                T,
                density,
                "density",
                "g/cm3",
                window=max(1, len(T) // 20),
                name=f"{atoms} atoms, seed {seed}",
                ax=ax,
            )

# %%
sizes = [
    transition_of_seeds.by_size(
        [ramps[key] for key in group], [atoms for _, atoms, _ in group]
    ).assign(rate=rate, seed=[seed for *_, seed in group])
    for rate, group in groups.items()
    if group
]
print(
    "A shared range of temperatures at each rate."
    if sizes
    else "No larger cell is shown (parameter `larger_runs`)."
)
pd.DataFrame(
    [
        {
            "rate (K/ps)": f"{row.rate:g}",
            "atoms": row.n_atoms,
            "seed": row.seed,
            "range (K)": f"{row.low_K:.0f}–{row.high_K:.0f}",
            "Tf (K)": (
                tables.number(row.transition.Tf, row.transition.error)
                if row.transition.found
                else "none found"
            ),
            "fluctuation (g/cm3)": row.fluctuation,
            "expected (g/cm3)": row.expected,
        }
        for row in pd.concat(sizes).itertuples()
    ]
).style.hide(axis="index").format(precision=4) if sizes else None

# %% [markdown]
# ## A peer: ReaxFF
#
# Before there were deep potentials, ZIFs too large for first principles were melted with ReaxFF
# (Yang et al., J. Phys. Chem. C 122, 9616 (2018)): bonds form and break by a fitted law of bond
# orders, and the charges follow.
# Castel and Coudert (J. Phys. Chem. C 126, 19532 (2022)) find its glasses markedly different from
# those of first principles, with an unphysical surrounding of Zn. Here it heats the crystal of this
# page at the rate of one of its runs. To make that run takes the force field's file, which has no
# licence and is not shipped (`$ZIF4_REAXFF` names its folder); to read it does not.

# %%
peers = {}  # potential -> run
for peer in catalogue.runs_alike([peer_run] if peer_run else [], structure=structure):
    peers = {peer.potential: named_run.run(peer_run, ranks=ranks)}
    if ours := runs.get((peer.heating_rate_K_per_ps, peer.seed)):
        peers = {potential: ours} | peers
    _, panels = style.axes(("temperature", "K"), ("", "-"), ncols=2, width=5)
    for name, run in peers.items():
        table = thermo.read(run, equilibration=False)
        per_atom = table["enthalpy_eV"] / provenance.read(run)["atoms"]
        for ax, values, quantity in zip(
            panels,
            (table["density_g_cm3"], per_atom - per_atom.iloc[:1].mean()),
            (("density", "g/cm3"), ("enthalpy", "eV/atom")),
            strict=True,
        ):
            style.against_temperature(
                table["target_temperature_K"], values, *quantity, window=3, name=name, ax=ax
            )
            ax.set_ylabel(style.label(*quantity))
print(
    "No peer is shown (parameter `peer_run`)."
    if not peers
    else "Only the peer is shown: no run of this page has its rate and seed."
    if len(peers) < 2
    else f"Both at {peer.heating_rate_K_per_ps:g} K/ps."
)

# %% [markdown]
# The first and the last 100 K of the ramp in numbers. Does the crystal keep its density, and each
# Zn its four N (within the paper's 2.5 Å)? The structure at the start was relaxed by the reference.
# Another potential sees it as strained; the strain energy turns into heat in the equilibration and
# sets the cell swinging.

# %%
if peers:
    crystal = structures.density(protocol.structure(peer))
    print(f"The crystal at the start: {crystal:.2f} g/cm3.")
for name, run in peers.items():
    if len(rest := thermo.read(run).query("stage == 0")):
        print(
            f"{name}: up to {rest['temperature_K'].max():.0f} K in the equilibration at "
            f"{temperature_start:.0f} K."
        )


def glance(name, run, low):
    """100 K of a run's ramp: density, and what is around its Zn."""
    rows = thermo.read(run, equilibration=False).query("@low <= target_temperature_K <= @low + 100")
    taken = trajectory.read(run).between(low, low + 100)
    around = (
        coordination.coordination_number(taken.positions, taken.cells, taken.symbols)
        if len(taken)
        else np.full(1, np.nan)
    )  # it ended, or exploded, before
    return {
        "potential": name,
        "from (K)": low,
        "to (K)": low + 100,
        "density (g/cm3)": rows["density_g_cm3"].mean(),
        "N of a Zn": around.mean(),
        "Zn with fewer than 4 (%)": 100 * coordination.undercoordinated(around).mean()
        if len(taken)
        else np.nan,
    }


pd.DataFrame(
    [
        glance(*item, low)
        for item in peers.items()
        for low in (temperature_start, temperature_end - 100)
    ]
).style.hide(axis="index").format(precision=2)

# %% [markdown]
# ## Where does the potential leave what it knows?
#
# A potential gives a force for every arrangement of atoms, also for those it never saw. Potentials
# that differ in seed or size agree where there was data, and disagree where each had to invent. The
# measure is the standard deviation of an atom's force over the potential of this page and its
# `ensemble`, the largest of all atoms (Zhang et al. 2019), here on saved frames of each run. The
# paper finds clusters of hydrogen above 1700 K, which it calls unphysical: such frames would show
# up here.

# %%
if ensemble:
    compared = {
        key: disagreement.of_frames(run, [potential, *ensemble], deviation_frames)
        for key, run in runs.items()
    }
else:  # LAMMPS wrote it along a run that was made with an ensemble (helpers.md.protocol.HeatingRun)
    compared = {
        key: model_deviation.read(run) for key, run in runs.items() if made[key].get("ensemble")
    }
if compared:
    _, ax = style.axes(("temperature", "K"), ("largest force deviation", "eV/A"), width=7)
    ax.axhline(deviation_limit, color="black", ls="--", lw=1, label="limit")
    ax.axvline(
        paper.value("stages.melting_K").number,
        color="black",
        ls=":",
        lw=1,
        label="paper: H clusters above",
    )
for (rate, seed), table in compared.items():
    style.against_temperature(
        table["target_temperature_K"],
        table["max_eV_per_A"],
        "largest force deviation",
        "eV/A",
        window=max(1, len(table) // 20),
        name=f"{rate:g} K/ps" if seed == first_seed[rate] else "",
        colour=colours[rate],
        ax=ax,
    )
    print(f"{rate:g} K/ps, seed {seed}: {disagreement.trust(table, deviation_limit)}")
if not compared:
    print(
        "Not known: this page has no ensemble. Give potentials that were trained from other "
        "seeds (make potential) as the parameter `ensemble`: they are compared on the saved "
        "frames, and no run has to be made again."
    )

# %% [markdown]
# The slowest run by temperature: means over the frames of a range, and how often the atom on which
# the potentials disagree most is of each element. By chance alone it would be H in 35 %, C in 35 %,
# N in 24 % and Zn in 6 % of the frames, as Zn(im)₂ has them.

# %%
tables.headed(disagreement.by_temperature(compared[slowest])) if slowest in compared else None

# %% [markdown]
# How good the members are by themselves, on all test frames: where the others are much worse than
# the potential of this page, the deviation measures them, and is no more than an upper guess.

# %%
members = accuracy.table(accuracy.evaluated([potential, *ensemble] if ensemble else []))
tables.headed(members.query("role == 'test'").drop(columns="role")) if len(members) else None

# %% [markdown]
# ### What the deviation is worth
#
# What all potentials get wrong alike, no disagreement shows. On frames that none of them was
# trained on, and that have labels, the deviation stands beside the true error of the page's
# potential, $|\mathbf{F}_i - \mathbf{F}_i^\mathrm{label}|$: mean and largest over the atoms of a
# frame, then the mean over frames. On the line, deviation equals error.

# %%
held_out = [name for name in catalogue.test_sets() if name in dataset.names()] if ensemble else []
if held_out:
    calibration = disagreement.calibrate([potential, *ensemble], held_out, deviation_frames)
    worth = disagreement.worth(calibration)
    print(
        worth,
        f"So a deviation of {deviation_limit:g} eV/A, the limit above, stands for an "
        f"error of about {deviation_limit * worth.error_per_max:.1f} eV/A, and in one "
        f"frame of twenty for more than {deviation_limit * worth.error_per_max_95:.1f}.",
    )
    _, panels = style.axes(("force deviation", "eV/A"), ("true force error", "eV/A"), ncols=2)
    for ax, what in zip(panels, ("avg", "max"), strict=True):
        plots_of_potentials.calibration(calibration, what, ax=ax)
else:
    print("Not known without a parameter `ensemble` and test sets with labels.")

# %%
tables.headed(disagreement.by_set(calibration)) if held_out else None

# %% [markdown]
# ### Judged by the reference
#
# The surest answer is the reference's own: frames of a run of this page, labelled afterwards. They
# are in no training. A bias of the energy that differs between two phases shifts the temperature
# at which one gives way to the other.

# %%
judged = None
if labelled_frames:
    labelled, here = sets.taken_from(labelled_frames), [m["key"] for m in made.values()]
    print(
        f"Frames of the set {labelled_frames}, from",
        ", ".join(
            f"{name} ({'a run' if key in here else 'NOT a run'} of this page)"
            for name, key in labelled.items()
        )
        or "no heating run.",
    )
    judged = accuracy.by_temperature(potential, labelled_frames)
else:
    print("No frames of these runs are labelled (parameter `labelled_frames`).")
tables.headed(judged) if labelled_frames else None

# %%
for key, bend in bends.items():
    if labelled_frames and bend.found and made[key]["key"] in labelled.values():
        shift = accuracy.bias_between(judged, bend.Tf, bend.fallen_K)
        print(
            f"{runs[key].name}: from below Tf to beyond the fall the potential's energy rises by "
            f"{shift:+.1f} meV/atom against the reference's: it makes the low-density side too "
            f"{'dear, so the reference would open earlier' if shift > 0 else 'cheap'}."
        )

# %% [markdown]
# ## Table 3: the procedures
#
# The paper's table, and the runs of this page beside those of the same rate.

# %%
tables.of_paper("table3")


# %%
def same_rate(name):
    """The run of the first seed at the rate of the paper's run, if there is one."""
    rate = paper.value(f"table3.{name}.heating_rate_K_per_ps").number
    return (rate, first_seed[rate]) if rate in rates else None


def compare(name, column, ours, quantity):
    key = same_rate(name)
    value = tables.NOT_COMPUTED if key is None else ours(key)
    return tables.row(
        f"table3.{name}.{column}",
        value,
        quantity=f"{name}: {quantity}",
        run="" if key is None else runs[key].name,
    )


heated_names = [name for name in paper.rows("table3") if name != "DPMD-Test"]  # chapter 3 has it
tables.side_by_side(
    [
        row
        for name in heated_names
        for row in (
            compare(name, "start_K", lambda key: recipes[key].temperature_start_K, "from"),
            compare(name, "end_K", lambda key: recipes[key].temperature_end_K, "to"),
            compare(name, "steps", lambda key: made[key]["steps"], "steps"),
        )[0 if same_rate(name) else 2 :]
    ],
    "Table 3",
)

# %% [markdown]
# Our own runs in the same columns:

# %%
pd.DataFrame(
    {
        "run": [run.name for run in runs.values()],
        "atoms": [m["atoms"] for m in made.values()],
        "from (K)": [recipe.temperature_start_K for recipe in recipes.values()],
        "to (K)": [recipe.temperature_end_K for recipe in recipes.values()],
        "rate (K/ps)": [rate for rate, _ in runs],
        "seed": [seed for _, seed in runs],
        "steps": [m["steps"] for m in made.values()],
        "Tf (K)": [
            tables.number(b.Tf, b.error) if b.found else "none found" for b in bends.values()
        ],
    }
).style.hide(axis="index").format(precision=1)

# %%
tables.side_by_side(
    [
        tables.row(
            f"transition.{name}_Tf_K",
            by_rate[key[0]].Tf
            if (key := same_rate(name)) and by_rate[key[0]].found
            else "no transition found"
            if key
            else tables.NOT_COMPUTED,
            error=by_rate[key[0]].error if key and by_rate[key[0]].found else None,
            quantity=f"{name}: Tf",
            run=runs[key].name if key else "",
        )
        for name in names
    ],
    "The transition temperature",
)

# %% [markdown]
# ## Speed (Fig. 2)
#
# Slow heating is a matter of computing time: half the rate, twice the steps. The paper gives two
# speeds that do not agree; ours are from the runs' provenance, start-up left out. The last row says
# how many core-microseconds one step costs per atom, which is what to compare between systems of
# different size.

# %%
cost = pd.DataFrame(
    [[m["atoms"], m["ns_per_day"], m["core_us_per_atom_step"]] for m in made.values()],
    columns=["atoms", "ns", "us"],
).dropna()
their_atoms, of = paper.value("speed.dpmd_atoms").number, f"median of {len(cost)} runs"
tables.side_by_side(
    [
        tables.Row(
            f"speed, {cost['atoms'].iloc[0]} atoms", "ns/day", None, cost["ns"].median(), run=of
        ),
        tables.row(
            "speed.dpmd_ns_per_day",
            (cost["ns"] * cost["atoms"]).median() / their_atoms,
            quantity=f"at the same cost an atom, {their_atoms} atoms",
            run=of,
        ),
        tables.Row("cost of a step", "us core/atom", None, cost["us"].median(), run=of),
    ],
    "Speed",
) if len(cost) else "No run of this page was timed."

# %% [markdown]
# The paper's Fig. 2 sets first-principles dynamics beside the potential's. Here the engines of
# one benchmark (`make bench-md`) are side by side: the same cell, the same machine, the same day.
# *Uncompressed* is the frozen potential, *compressed* the one with tables for its embedding nets
# (`dp compress`); *native* is the compressed one with three inner loops compiled for this very
# processor (`helpers.md.kernels`), which the runs of this book use where a compiler is at hand.
# *JAX* and *PyTorch* are the same weights in DeePMD-kit's other backends, converted by itself
# (`helpers.potentials.conversion`, whose test compares the forces where the backend is installed).
# They need libraries that the book's environment leaves out.

# %%
try:
    bench = record.read("md")
    speeds = record.md_table(bench)
    print(
        f"Measured on {bench['hardware']['processor']}, {bench['hardware']['cores']} cores.",
        *(f"{engine} is absent: {reason}." for engine, reason in bench["absent"].items()),
    )
except FileNotFoundError as absent:
    bench = None
    print(f"No benchmark is shipped: {absent}")
tables.headed(speeds) if bench else None

# %%
if bench:
    _, ax = style.axes(("speed", "ns/day"), ("", "-"), width=7, height=0.3 * len(speeds) + 1)
    labels = [
        f"{row.engine}, {row.atoms} atoms, {row.ranks} x {row.threads}"
        for row in speeds.itertuples()
    ]
    ax.barh(labels, speeds["ns_per_day"], color=style.SERIES_COLOURS[0])
    for key, style, label in (
        ("speed.fpmd_ns_per_day", ":", "paper, FPMD, 300 atoms"),
        ("speed.dpmd_ns_per_day", "--", "paper, DPMD, 8000 atoms"),
    ):
        ax.axvline(paper.value(key).number, ls=style, lw=1, color="black", label=label)
    ax.set_xscale("log")
    ax.invert_yaxis()
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)

# %% [markdown]
# What is fast must still be the potential that was trained. Here are the largest and the RMS change
# of a force component, and the largest change of an energy, against the same weights in double
# precision without tables: single precision, tables of different steps (of the switched inverse
# distance in units of its standard deviation; runs use 0.01), and LAMMPS with the loops of
# DeePMD-kit's wheel and with the native ones. The tables are of single precision, too: how their
# error goes with the step shows whether the polynomials limit them, or the digits.

# %%
try:
    exact = record.read("fidelity")
    print(f"Potential {exact['potential']}; {exact['frames']}.")
except FileNotFoundError as absent:
    exact = None
    print(f"Not measured: {absent}")
tables.headed(record.fidelity_table(exact)) if exact else None

# %% [markdown]
# ## What this chapter found

# %%
Markdown(claims.markdown([claims.slow_heating(by_rate), claims.rate_dependence(by_rate)]))

# %% [markdown]
# ## What is missing

# %%
slow = sorted((q for q, _ in theirs), reverse=True)
absent = [f"{rate:g}" for rate in slow if rate not in rates]
print(
    f"Tf found at {len(found)} of {len(rates)} rates.",
    f"Of the paper's slow rates, {', '.join(absent) or 'none'} K/ps "
    f"{'is' if len(absent) == 1 else 'are'} not computed yet."
    if absent
    else "",
    "This cell is smaller than the paper's (7344 atoms): fluctuations are larger."
    if min(m["atoms"] for m in made.values()) < 7344
    else "",
)
