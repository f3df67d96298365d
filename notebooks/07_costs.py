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
#       - data/bench
#       - data/paper.yaml
#       - data/potentials
#       - data/potentials.yaml
#       - data/runs
#       - data/runs.yaml
#       - data/sets.yaml
# ---

# %% [markdown]
# # 7 Costs: what it takes on a home computer
#
# The paper says that a modest home computer can train such a potential, and that molecular dynamics
# with it is more than a thousand times as fast as from first principles. This chapter has what was
# measured here: a step of training, a step of molecular dynamics by several engines, what speed
# costs in accuracy, and how far more training would bring the potential.
#
# **You will learn** what to spend on training and on running, and which setting costs what.
#
# **It needs** the benchmarks shipped in `data/bench`; `make bench-train` and `make bench-md` measure
# them again. Numbers are those of the machine that is named with them.

# %% tags=["parameters"]
# fmt: off
profile: str = "small"  # [-] any | profile this page is made for
potential: str = "atp"  # [-] any | all-temperature potential: name in data/potentials, or a folder
judged_runs: list[str] = ["claims-1Kps-seed1", "claims-20Kps-seed1", "size-20Kps-2x2x2-seed1", "plateau-1400K", "melt-1800K-seed1", "crystal-300K", "crystal-100K"]  # [-] any | runs whose kinetic energies are judged
paired_runs: list[str] = ["plateau-1400K", "plateau-1600K", "melt-1800K-seed1", "plateau-2000K", "crystal-300K", "crystal-20MPa", "crystal-100MPa", "crystal-200MPa"]  # [-] any | held runs, judged two by two
# fmt: on

# %% tags=["remove-cell"]
from helpers.book import parameters

# what papermill injects as text becomes a list, a number, a truth value
globals().update(parameters.accepted("07_costs", globals()))

# %% tags=["imports"]
import pandas as pd
from IPython.display import Markdown

from helpers.benchmarks import record
from helpers.potentials import store
from helpers.recipes import catalogue, runs
from helpers.report import claims, claims_on_costs, paper, plots_of_costs
from helpers.report import tables, tables_of_runs
from helpers.validation import generations

# %% [markdown]
# ## Molecular dynamics (Fig. 2)
#
# The paper's Fig. 2 sets first-principles dynamics beside the potential's. Here the engines of one
# benchmark are side by side: the same cell, the same machine, the same day.
#
# - *Uncompressed* is the frozen potential, *compressed* the one with tables for its embedding nets
#   ({term}`compression`); *native* is the compressed one with three inner loops compiled for this
#   very processor (`helpers.md.kernels`). *Fused* does descriptor, nets and forces in one piece of
#   compiled code, without TensorFlow (`helpers.md.fused`); it is held against TensorFlow once for
#   each potential and machine, and the runs of this book use it where a compiler is at hand.
# - *JAX* and *PyTorch* are the same weights in DeePMD-kit's other {term}`back-ends <back-end>`,
#   converted by itself (`helpers.potentials.conversion`, whose test compares the forces where the
#   back-end is installed). They need libraries that the book's environment leaves out.
# - *NequIP* is the reference of this book, *CP2K* is density-functional theory: one self-consistent
#   calculation from scratch. A step of dynamics would start from the density of the last one, so
#   that CP2K stands too slow here. One core alone takes less time for a frame than two share
#   ([](../book/reference_data.md)).

# %%
bench = record.read("md")
speeds = record.md_table(bench)
said = [f"Measured on {tables.machine(bench)}."]
said += [f"{engine}: {why}." for engine, why in bench["absent"].items()]
if "fused" not in set(speeds["engine"]):
    said.append("Fused was not yet there; it has a table of its own below.")
Markdown(" ".join(said))

# %% tags=["figure", "key-figure"]
#| label: fig-speed
#| caption: Simulated time in a day, by engine, number of atoms, and processes ×
#|   threads, on a logarithmic axis: a longer bar is faster, one grid line tenfold.
#|   Vertical lines: the paper's first-principles dynamics and its deep potential.
#| alt: Horizontal bars for each engine on a logarithmic axis, and two vertical
#|   lines.
ax = plots_of_costs.speeds(speeds)

# %%
#| label: tbl-engines
#| caption: The same in numbers. The core time of a step per atom is what to compare
#|   between systems of different size; load is that of the machine before.
often = ["s_per_step", "cpu_us_per_atom_step"]  # the other columns say it, too
tables.headed(speeds.drop(columns=often))

# %%
#| label: tbl-fused
#| caption: The potential of this book in one process, with TensorFlow (native) and
#|   without (fused), one after the other (`zif4 bench-md --fused`).
fused = record.read("fused")
measured = record.md_table(fused)
tables.headed(measured.drop(columns=[*often, "speed_up"]))

# %%
large = measured.query("engine == 'fused' and atoms == 2176")
cost = large["core_us_per_atom_step"].iloc[0]
Markdown(
    f"Measured on {tables.machine(fused)}. The goal was 20 core-µs an atom "
    f"and step at 2176 atoms; here it is {cost:.1f}."
)

# %% [markdown]
# ## What is fast must still be the potential that was trained
#
# The table shows how much forces (largest and RMS change of a component) and energies change
# against the same weights in double precision without tables. Varied are the precision, the step of
# the tables (of the switched inverse distance in units of its standard deviation; runs use 0.01),
# and the loops in LAMMPS: those of DeePMD-kit's wheel or the native ones. The tables are in single
# precision, too: how their error goes with the step shows whether the polynomials or the digits
# limit them.

# %%
exact = record.read("fidelity")
Markdown(f"Potential: `{exact['potential']}`. Frames: {exact['frames']}.")

# %%
#| label: tbl-fidelity
#| caption: Changes of forces and energies by what makes the potential fast, on the
#|   frames named above.
tables.headed(record.fidelity_table(exact))

# %% [markdown]
# ## How long may a step be?
#
# The paper takes 0.5 fs, a twentieth of the period of the fastest vibration, that of C–H. The
# trajectories behind this book's reference have hydrogen with the mass of deuterium, which slows it
# by $\sqrt 2$ and changes no mean structure: in classical statistics positions know no masses. Half
# of the steps are saved if 1 fs is short enough then. At constant energy a step that is too long
# shows itself twice: the total energy drifts, and the elements no longer share the heat evenly. The
# limits were written down before ([how the runs will be judged](../book/estimators.md)), and what came
# of it stands there: the shares and the density are as they should be; the drift of single runs
# scatters by more than its limit, so that it is not shown to be small enough. A page's parameters
# (`timestep`, `hydrogen_mass`) say which its runs have.

# %%
trial = record.read("timestep")
Markdown(
    f"Potential: `{trial['potential']}`; {trial['ps']:.0f} ps from "
    f"{trial['temperature_K']:.0f} K, then at constant energy."
)

# %%
#| label: tbl-timestep
#| caption: Drift of the total energy, its swing about the drift, and by how many per mille
#|   the temperature of each element differs from that of all atoms (0 if they share the
#|   heat evenly), by step and mass of hydrogen.
tables.headed(record.timestep_table(trial))

# %%
Markdown(record.timestep_means(trial))

# %% [markdown]
# ## Do the runs sample what they should?
#
# A thermostat and a barostat may hold their means and still make wrong fluctuations, and so may a step
# that is too long. The kinetic energy of $f$ degrees of freedom must have the mean $f k_\mathrm{B}T/2$ and
# the variance $f (k_\mathrm{B}T)^2/2$, on a ramp at its target of the moment. Two runs that differ in
# temperature, or in pressure $p$, must have enthalpies $H$, or volumes $V$, of the ratio
#
# $$ \ln\frac{P_2(H)}{P_1(H)} = c - \Bigl(\frac{1}{k_\mathrm{B}T_2} - \frac{1}{k_\mathrm{B}T_1}\Bigr) H,
#    \qquad \ln\frac{P_2(V)}{P_1(V)} = c - \frac{p_2 - p_1}{k_\mathrm{B}T} V, $$
#
# whatever the potential is {cite:p}`shirts2013,merz2018`. Three standard errors are allowed. The heat of
# each element needs velocities, which trajectories do not hold: {numref}`tbl-timestep` has it.

# %%
#| label: tbl-kinetic
#| caption: Kinetic energy of runs of this book over what it must be: its mean and its standard
#|   deviation (width) should be 1 within their errors.
judged = runs.finished(judged_runs).values()
tables_of_runs.kinetic_energies(judged) if judged else None

# %%
#| label: tbl-ensembles
#| caption: Slope of the logarithm of the ratio of two runs, found and by Boltzmann's
#|   distribution. Runs that hardly overlap say little; so do wide errors.
pairs = list(runs.finished(paired_runs).values())
whole_pairs = len(pairs) == len(paired_runs)
tables_of_runs.ensembles(pairs) if whole_pairs and pairs else None

# %% [markdown]
# ## An analysis beside other codes
#
# Processor time of one core for one frame of 7344 atoms: all ten partial structure factors at 400
# values of Q, once from g(r) and once from vectors. All contenders take the same frame in turn, and
# each result is compared with ours; `make bench-analysis` measures this and more. A factor above 1
# is how often ours is done meanwhile, below 1 the other code is faster.

# %%
raced = record.read("analysis")
Markdown(f"Measured on {tables.machine(raced)}.")

# %%
#| label: tbl-analysis
#| caption: What an analysis costs here, and by the fastest other code.
tables.headed(record.fastest_others(raced, 7344), decimals=3)

# %% [markdown]
# ## A step of training
#
# These are trainings by `dp train` on frames of 272 atoms, with one thing changed at a time against
# the recipe of this book. The days are those that the paper's million steps would take. The
# *spread* is that between intervals of one training, the *load* that of the machine before it.

# %%
training = record.read("training")
Markdown(f"Measured on {tables.machine(training)}.")

# %%
#| label: tbl-training-speed
#| caption: Time of a step of training, by setting.
steps = record.training_table(training)
tables.headed(steps, decimals=3)

# %% [markdown]
# ## Goals
#
# The generations of the shipped potential, each trained on more frames and from the weights of the
# last (its {term}`lineage`), beside what this book set out to reach on the test trajectories.

# %%
#| label: tbl-generations
#| caption: Errors of each generation on the test sets of a group. Of the ab-initio glass,
#|   hotter frames are in the training: it is no glass that they never saw.
name = potential if catalogue.lineage(potential) else "atp"
grown = generations.generations(generations.with_weights(name))
tables.headed(grown)

# %% [markdown]
# The exponent $b$ is that of $e = a\,n^{-b}$ through all generations, $n$ counting all steps of the
# lineage; where a goal is missed, the last column goes on from the newest generation with it,
# $n\,(e/e_\mathrm{goal})^{1/b}$. That is a guess: frames and schedules changed as well. Where a goal is
# missed and no steps are given, the error has not fallen with the steps, or the *best* generation is an
# earlier one and it has risen since: then it takes other frames, or other weights of energy and force.
# Goals that are no errors of a single set are in {numref}`tbl-further-goals`. Those of *low density* and
# *melt* are older and wider, and counted by themselves; their errors are those of one set each.

# %%
#| label: tbl-goals
#| caption: Errors now, the goals, and the steps that a missed goal would take; energies
#|   and virials in meV/atom, forces in eV/Å.
outlook = generations.outlook(grown)
shown = outlook.assign(error=outlook["error"].str.split("_").str[0])
shown = shown.drop(columns="earlier")
shown["steps_for_goal"] = shown["steps_for_goal"].round(-3)
shown["reached"] = shown["reached"].map({True: "yes", False: "no"})
tables.headed(shown)

# %% [markdown]
# ## Runs that are still to be made
#
# This book asks for more runs than its computing has paid so far. What is not made stands
# on no page; here is what it would take, by the fastest loops of {numref}`tbl-engines` on one core
# of that computer. A run is made, or goes on from where it was left, by `make run RUN=name`.

# %%
ours = speeds[speeds["engine"].isin(["fused", "native"])]
groups = ["claims", "size", "shape", "volumes", "glass", "paper"]
fastest = ours["core_us_per_atom_step"].min()
lacking = runs.outstanding(groups, fastest)
hours = lacking["core_hours"].sum()
Markdown(f"{len(lacking)} runs, {hours:.0f} core-hours in all.")

# %%
#| label: tbl-outstanding
#| caption: Runs that are not made yet, by what they would take.
tables.headed(lacking, decimals=1)

# %% [markdown]
# ## What this chapter found

# %% tags=["verdict"]
trained_on = tables.machine(store.load(potential).provenance)
findings = [
    claims_on_costs.home_computer(steps, trained_on),
    claims_on_costs.speed_up(speeds),
    claims_on_costs.goals(outlook),
]
Markdown(claims.markdown(findings))

# %%
#| label: tbl-found-costs
#| caption: The numbers behind this.
claims.numbers(findings)

# %% [markdown]
# ## To try
#
# **Exercise 1.** How many core-hours does 1 ns of the paper's 7344 atoms take by the fastest loops of
# the table?

# %% tags=["solution", "hide-cell"]
n_atoms = paper.value("systems.supercell_atoms").number
n_steps = 1000 / 0.0005  # of 0.5 fs in 1 ns
print(f"{fastest * n_atoms * n_steps / 1e6 / 3600:.0f} core-hours")

# %% [markdown]
# **Exercise 2.** Which of the settings of a training changes its cost most?

# %% tags=["solution", "hide-cell"]
one = steps[steps["threads"] == 1].set_index("setting")["s/step"]
(one / one.iloc[0]).sort_values().round(2)

# %% [markdown]
# **Exercise 3.** By which factor is a step of each engine dearer than one of the native loops, at 272
# atoms on one core?

# %% tags=["solution", "hide-cell"]
alike = speeds[(speeds["atoms"] == 272) & (speeds["threads"] == 1)]
core = alike.groupby("engine")["core_us_per_atom_step"].min()
pd.Series(core / core["native"]).sort_values().round(1)

# %% [markdown]
# ## What is still missing
#
# No measurement on a GPU stands on this page, and no other computer than the one above.

# %%
#| label: tbl-page-costs
#| caption: How this page was made.
done = {"profile": profile, "potential": potential}
done["benchmarks of"] = tables.machine(bench)
tables.facts(done)
