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
#       - data/runs
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
temperature_start: float = 300.0  # [K] 1..5000 | temperature of the equilibration
temperature_end: float = 2100.0  # [K] 1..5000 | temperature at the end of the ramp
heating_rates: list[float] = [20.0]  # [K/ps] 0.01..5000 | rates of the ramps, one run each
heating_rate: float = 0.0  # [K/ps] 0..5000 | this rate alone; 0: all of heating_rates
equilibration: float = 5.0  # [ps] 0..1000 | time at the first temperature
timestep: float = 0.5  # [fs] 0.05..2 | time step of the dynamics
frame_every: float = 0.1  # [ps] 0.001..1000 | time between frames of the trajectory
seed: int = 1  # [-] 1..900000000 | seed of the first velocities
ranks: int = 1  # [-] 1..512 | MPI ranks of LAMMPS

# %%
from itertools import cycle

import pandas as pd

from helpers import heating, paper, plots, provenance, tables, thermo, transition, units

rates = sorted([heating_rate] if heating_rate else heating_rates, reverse=True)
colours = dict(zip(rates, cycle(plots.SERIES_COLOURS), strict=False))
print(f"This page is made for {', '.join(f'{rate:g}' for rate in rates)} K/ps. The fastest of "
      f"them is {units.K_per_ps_to_K_per_min(rates[0]):.1e} K/min.")

# %% [markdown]
# ## The runs
#
# A run that was made before, on this machine or shipped in `data/runs`, is found by its recipe
# (structure, potential and all numbers that determine it) and used again; a run that was stopped
# goes on from its last restart file; what is missing is made now. A run that left physics on its
# way up is used as far as it got, and its diagnosis is printed.

# %%
recipes = {
    rate: heating.HeatingRun(
        structure=structure,
        supercell=tuple(supercell),
        potential=potential,
        temperature_start_K=temperature_start,
        temperature_end_K=temperature_end,
        heating_rate_K_per_ps=rate,
        equilibration_ps=equilibration,
        timestep_fs=timestep,
        frame_every_ps=frame_every,
        seed=seed,
    )
    for rate in rates
}
runs = {
    rate: heating.run(recipe, ranks=ranks, keep_exploded=True) for rate, recipe in recipes.items()
}

# %%
made = {rate: provenance.read(run) for rate, run in runs.items()}
pd.DataFrame({
    "profile": profile,
    "run": [run.name for run in runs.values()],
    "atoms": [m["atoms"] for m in made.values()],
    "steps": [m["steps"] for m in made.values()],
    "ended": ["exploded" if m["exploded"] else "whole" for m in made.values()],
    "made": [m["made"] for m in made.values()],
    "time (min)": [round(m["seconds"] / 60, 1) for m in made.values()],
    "hardware": [f"{m['ranks']} x {m['threads']} threads, {m['hardware']['processor']}"
                 for m in made.values()],
}).style.hide(axis="index").format(precision=1)

# %% [markdown]
# This is what LAMMPS was told. Note `run ... upto ... start ... stop`: the target temperature
# depends on the step alone, so a run that is continued from a restart file stays on its ramp.

# %%
print(heating.script(recipes[rates[-1]]))

# %% [markdown]
# Every 0.1 ps one row of the thermodynamic table was written; the equilibration is left out here.
# Does the thermostat keep up with its target? The temperature of a finite system fluctuates by
# $T\sqrt{2/3N}$ around its mean, but the mean must follow.

# %%
heated = {rate: thermo.read(run, equilibration=False) for rate, run in runs.items()}
pd.DataFrame({
    "heating rate (K/ps)": rates,
    "rows": [len(heated[rate]) for rate in rates],
    "mean T - target (K)": [
        (heated[rate]["temperature_K"] - heated[rate]["target_temperature_K"]).mean()
        for rate in rates],
    "expected fluctuation at the end (K)": [
        round(temperature_end * (2 / 3 / made[rate]["atoms"]) ** 0.5, 1) for rate in rates],
}).style.hide(axis="index").format(precision=1)

# %% [markdown]
# ## Density
#
# A crystal expands as it is heated, a little and steadily. A framework that comes apart does one
# of two things: it opens, and the density falls, or it collapses into its own pores, and the
# density rises. The paper reports 0.95 g/cm³ from 300 to 1300 K, then a fall, a low-density phase
# at 1400–1550 K, and a denser one above. (Its own supercell has 1.22 g/cm³.) Each sample is shown
# pale, the running mean on top; the dashed line is the paper's density.

# %%
_, ax = plots.axes(("temperature", "K"), ("density", "g/cm3"), width=7)
for rate, table in heated.items():
    plots.against_temperature(
        table["target_temperature_K"], table["density_g_cm3"], "density", "g/cm3",
        window=max(1, len(table) // 20), name=f"{rate:g} K/ps", colour=colours[rate],
        ax=ax)
plots.paper_line(ax, paper.value("stages.density_crystal_g_per_cm3"));

# %% [markdown]
# ## Enthalpy
#
# At constant pressure $P$ the heat that goes into the cell is its enthalpy
# $H = E_\mathrm{kin} + E_\mathrm{pot} + PV$ (here $P = 0$, the pressure of the barostat). It is
# shown per atom and counted from the first row. Without any transition it would be the straight
# line $3 k_\mathrm{B}(T - T_\mathrm{start})$ of a classical harmonic crystal (dashed); heat that
# is taken up without a rise of temperature is a step.

# %%
_, ax = plots.axes(("temperature", "K"), ("enthalpy", "eV/atom"), width=7)
for rate, table in heated.items():
    enthalpy = table["enthalpy_eV"] / made[rate]["atoms"]
    plots.against_temperature(
        table["target_temperature_K"], enthalpy - enthalpy.iloc[0], "enthalpy", "eV/atom",
        window=max(1, len(table) // 20), name=f"{rate:g} K/ps", colour=colours[rate],
        ax=ax)
line = pd.Series([temperature_start, temperature_end])
ax.plot(line, 3 * units.K_to_eV(line - temperature_start), "k--", lw=1, label="$3 k_B T$")
ax.legend();

# %% [markdown]
# ## Heat capacity
#
# $C_P = \mathrm{d}H/\mathrm{d}T$ is the slope of the enthalpy, fitted here in windows of
# temperature. Classical nuclei give about $3 k_\mathrm{B}$ per atom; in the real crystal the stiff
# C–H and C–N vibrations are frozen, so this number is no prediction for a calorimeter. A peak is a
# transition, and its area the latent heat.

# %%
span = temperature_end - temperature_start
capacity = {
    rate: transition.heat_capacity(
        table["target_temperature_K"], table["enthalpy_eV"], made[rate]["atoms"],
        window_K=min(100.0, max(span / 5, 1.0)))
    for rate, table in heated.items()
}
measured = {rate: table for rate, table in capacity.items() if len(table)}
if measured:
    _, ax = plots.axes(("temperature", "K"), ("heat capacity", "kB/atom"), width=7)
    ax.axhline(3, color="black", ls="--", lw=1, label="classical harmonic crystal")
for rate, table in measured.items():
    ax.errorbar(table["temperature_K"], table["cp_kB"], table["error_kB"], fmt="o-", ms=3,
                color=colours[rate], label=f"{rate:g} K/ps")
    ax.legend()
for rate in rates:
    print(f"{rate:g} K/ps: C_P = {measured[rate]['cp_kB'].mean():.2f} kB/atom on average"
          if rate in measured else f"{rate:g} K/ps: too short a run for a heat capacity")

# %% [markdown]
# ## The transition temperature
#
# $T_\mathrm{f}$ is where the density begins to fall significantly. The paper reads it off the
# curve; here two joined straight lines are fitted to the density (the crystal that expands, and
# the fall), and $T_\mathrm{f}$ is where they meet. Its error comes from fitting resampled noise
# again (`transition.transition_temperature`). No fall, no number:

# %%
bends = {
    rate: transition.transition_temperature(table["target_temperature_K"], table["density_g_cm3"])
    for rate, table in heated.items()
}
for rate, bend in bends.items():
    print(f"{rate:g} K/ps: {bend}")

# %%
theirs = {
    paper.value(f"table3.{name}.heating_rate_K_per_ps").number:
        paper.value(f"transition.{name}_Tf_K").number
    for name in ("DPMD-1K", "DPMD-0.5K", "DPMD-0.1K")
}
ours = {rate: bend for rate, bend in bends.items() if bend.found}
_, ax = plots.axes(("heating rate", "K/ps"), ("$T_f$", "K"), width=6)
ax.plot(list(theirs), list(theirs.values()), "ks--", mfc="none", label="paper, Fig. 6b")
if ours:
    ax.errorbar(list(ours), [b.Tf for b in ours.values()], [b.error for b in ours.values()],
                fmt="o", color=plots.SERIES_COLOURS[1], label="this book")
ax.set_xscale("log")
ax.legend();

# %% [markdown]
# The paper's slowest run is called DPMD-0.1K and is listed and plotted at 0.2 K/ps; its number of
# steps over its span of temperature gives 0.1 K/ps. The figure shows the rate as the paper lists
# it.
#
# ## Table 3: the procedures
#
# The paper's table, and the runs of this page beside those of the same rate.

# %%
tables.of_paper("table3")


# %%
def same_rate(name):
    return next((r for r in rates
                 if r == paper.value(f"table3.{name}.heating_rate_K_per_ps").number), None)


def compare(name, column, ours, quantity):
    rate = same_rate(name)
    value = tables.NOT_COMPUTED if rate is None else ours(rate)
    return tables.row(f"table3.{name}.{column}", value, quantity=f"{name}: {quantity}",
                      run="" if rate is None else runs[rate].name)


names = [name for name in paper.rows("table3") if name != "DPMD-Test"]  # chapter 3 has that one
tables.side_by_side([
    row for name in names for row in (
        compare(name, "start_K", lambda rate: temperature_start, "from"),
        compare(name, "end_K", lambda rate: temperature_end, "to"),
        compare(name, "steps", lambda rate: made[rate]["steps"], "steps"),
    )[0 if same_rate(name) else 2:]
], "Table 3")

# %%
tables.side_by_side([
    *(tables.row(f"transition.{name}_Tf_K",
                 bends[rate].Tf if (rate := same_rate(name)) and bends[rate].found
                 else "no transition found" if rate else tables.NOT_COMPUTED,
                 error=bends[rate].error if rate and bends[rate].found else None,
                 quantity=f"{name}: Tf", run=runs[rate].name if rate else "")
      for name in ("DPMD-1K", "DPMD-0.5K", "DPMD-0.1K")),
    *(tables.Row(f"Tf at {rate:g} K/ps", "K", None,
                 bend.Tf if bend.found else "no transition found",
                 bend.error if bend.found else None, runs[rate].name)
      for rate, bend in bends.items() if rate not in theirs),
], "The transition temperature")

# %% [markdown]
# ## Speed
#
# Slow heating is a matter of computing time: half the rate, twice the steps. The paper gives two
# speeds that do not agree; ours is from each run's provenance, start-up left out. The last rows
# say how many core-microseconds one step costs per atom, which is what to compare between systems
# of different size.

# %%
tables.side_by_side([
    row for rate in rates for row in (
        tables.row("speed.dpmd_ns_per_day", made[rate]["ns_per_day"] or tables.NOT_COMPUTED,
                   quantity=f"speed at {rate:g} K/ps, {made[rate]['atoms']} atoms (paper: 8000)",
                   run=runs[rate].name),
        tables.Row("cost of a step", "us core/atom", None,
                   made[rate]["core_us_per_atom_step"] or tables.NOT_COMPUTED,
                   run=runs[rate].name),
    )
], "Speed")

# %% [markdown]
# ## What is missing
#
# Claim (3) of the paper, that $T_\mathrm{f}$ falls with the heating rate, needs $T_\mathrm{f}$ at
# three rates at least, and error bars smaller than their differences.

# %%
wanted = sorted(theirs, reverse=True)
absent = [f"{rate:g}" for rate in wanted if rate not in rates]
print(f"Tf found at {len(ours)} of {len(rates)} rates.",
      f"Of the paper's slow rates, {', '.join(absent) or 'none'} K/ps "
      f"{'is' if len(absent) == 1 else 'are'} not computed yet." if absent else "",
      "This cell is smaller than the paper's (7344 atoms): fluctuations are larger."
      if min(m["atoms"] for m in made.values()) < 7344 else "")
