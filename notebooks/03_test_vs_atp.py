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
#       - data/frames
#       - data/structures/{structure}.extxyz
#       - data/potentials/{potential}
#       - data/potentials/{test_potential}
#       - data/runs
#       - data/runs.yaml
# ---

# %% [markdown]
# # 3 DPMD-Test against ATP: what does a potential know of heat?
#
# A potential learns from the frames it is shown. The paper trains two: {term}`DPMD-Test` on frames
# of the crystal at 300 K alone, and {term}`ATP`, the all-temperature potential, on frames up to
# 2500 K. It finds that both describe the bonds. This chapter asks which of them also describes what
# lies beyond the bonds when the crystal gets hot: the angles, the rings, and the breaking of the
# Zn–N bond, which is the first step of melting.
#
# **You will learn** how structures are compared by the {term}`radial distribution function <g(r)>`;
# how the free energy of breaking a bond is read from it, and what can be said where no bond broke;
# and how to tell a melt from a hot crystal.
#
# **It needs** the potentials of [chapter 2](02_training.ipynb) and one heating run of each. The
# figures are the counterparts of the paper's Figs. S1, S2 and 3, and of its Table 2.

# %% tags=["parameters"]
# fmt: off
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] any | cell: name in data/structures, or a file of yours
supercell: list[int] = [1, 1, 1]  # [-] 1..6 | repetitions along a, b, c
potential: str = "atp"  # [-] any | all-temperature potential: name in data/potentials, or a folder
test_potential: str = ""  # [-] any | the same, trained on 300 K frames alone; empty: none yet
temperature_start: float = 300.0  # [K] 1..5000 | temperature of the equilibration
temperature_end: float = 2100.0  # [K] 1..5000 | temperature at the end of the ramp
heating_rate: float = 20.0  # [K/ps] 0.01..5000 | rate of the ramp
equilibration: float = 5.0  # [ps] 0..1000 | time at the first temperature
segment: float = 0.0  # [K] 0..2000 | heat by so much, hold, sample, in turn; 0: one ramp
hold: float = 0.0  # [ps] 0..1000 | time after each segment that is not sampled
sample: float = 0.0  # [ps] 0..1000 | time after that which is
pressure: float = 0.0  # [bar] -100000..1000000 | of the barostat; 10 000 bar are 1 GPa
relaxed: str = ""  # [-] any | start relaxed by the potential: iso, aniso, tri, atoms; empty: not
timestep: float = 0.5  # [fs] 0.05..2 | time step of the dynamics
hydrogen_mass: float = 1.008  # [u] 1..3 | of H; 2.014 is deuterium, for steps of 1 fs
frame_every: float = 0.1  # [ps] 0.001..1000 | time between frames of the trajectory
seed: int = 1  # [-] 1..900000000 | seed of the first velocities
ranks: int = 1  # [-] 1..512 | MPI ranks of LAMMPS
make_missing: bool = True  # [-] any | make the runs that are not there; false: say which are missing
reference_sets: list[str] = []  # [-] any | sets to compare with; empty: all of this structure
held_run: str = ""  # [-] any | run of ATP at constant volume (data/runs.yaml) to compare, too
test_held_runs: list[str] = []  # [-] any | the same of DPMD-Test, at the volume of its frames
plateau_runs: list[str] = []  # [-] any | runs held at one temperature, or groups (data/runs.yaml)
comparison_temperature: float = 1200.0  # [K] 1..5000 | where g(r) is compared (paper: 1200 K)
snapshots_averaged: int = 50  # [-] 1..100000 | snapshots in an averaged g(r) (paper: 50)
temperature_step: float = 200.0  # [K] 1..2000 | distance of the temperatures looked at
window: float = 50.0  # [K] 0.1..1000 | snapshots within this of a temperature count for it
r_max: float = 10.0  # [A] 6..30 | g(r) up to here (paper: 10 A)
bin_width: float = 0.05  # [A] 0.005..0.5 | bins of g(r)
# fmt: on

# %% tags=["remove-cell"]
from helpers.book import parameters

# what papermill injects as text becomes a list, a number, a truth value
given = parameters.accepted("03_test_vs_atp", globals())
globals().update(given)

# %% tags=["imports"]
from dataclasses import replace

import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import structures, units
from helpers.benchmarks import architectures
from helpers.md import sampled_rdf, snapshots
from helpers.observables import activation, flow, pmf
from helpers.observables import rdf, rdf_distance
from helpers.recipes import catalogue, plateaus, runs
from helpers.report import claims, plots_of_bonds, plots_of_phase
from helpers.report import tables, tables_of_bonds
from helpers.report import claims_on_bonds as said
from helpers.validation import accuracy, generations

# %% [markdown]
# ## The runs
#
# The heating run of ATP is found if it was made before (also by another chapter), and else made now.
# LAMMPS heats the crystal at zero pressure: the thermostat's target rises on one straight ramp or, as
# in the paper, in segments, after each of which it stays for a while (parameters `segment`, `hold`,
# `sample`). A frame counts for a temperature only if the atoms have it, too: within four standard
# deviations $\sigma_T = T \sqrt{2 / (3N - 3)}$ of the target, as in equilibrium.

# %%
run = runs.of_page(given)  # by the parameters of this page
Markdown(runs.whose(potential))

# %%
heated = run.trajectory
steady = snapshots.at_temperature(heated, run.thermo)
used = steady if len(steady) else heated

# %% [markdown]
# The run of DPMD-Test differs in the potential alone. If it explodes on the way (too hot, or two
# atoms on top of each other), it stops, and what it computed up to there is kept.

# %%
test = None
if test_potential:
    test = runs.if_made(given, potential=test_potential)
Markdown(said.fate(test, test_potential))

# %% [markdown]
# The best reference frames come from molecular dynamics that the reference potential drives itself:
# each is labelled, and physical at the reference's own level of theory. They are the
# "{term}`FPMD`" of this book: short, as every step costs a label, and at constant volume. The
# heating runs are at constant pressure. Where ATP was also run at constant volume, in the cell of the
# reference (parameter `held_run`), that is the fairer comparison.

# %%
atoms = structures.load(structure)
reference = snapshots.of_sets(reference_sets, len(atoms))
held = runs.find(held_run) if held_run else None
lacking = f"`{held_run}` is not made yet: `make run RUN={held_run}`."
Markdown(lacking if held_run and not held else "")

# %% [markdown]
# ## ATP beside the reference (Fig. 3a)
#
# The radial distribution function
#
# $$ g_{\alpha\beta}(r) = \frac{\langle h_{\alpha\beta}(r) \rangle}
#    {N_\alpha\, \rho_\beta\, 4\pi r^2\, \mathrm{d}r}, $$
#
# is the number of pairs of elements $\alpha$ and $\beta$ at distance $r$, over the number in a gas
# without order. It is computed the same way from all runs. The paper's Fig. 3a shows it for ATP,
# heated to 1200 K at 20 K/ps, nearly identical with that of first principles.

# %%
how = sampled_rdf.Sampling(
    temperature_K=comparison_temperature,
    width_K=window,
    n_frames=snapshots_averaged,
    r_max_A=r_max,
    bin_width_A=bin_width,
)
atp = sampled_rdf.compare("ATP", heated, used, reference, how)
Markdown(f"Compared at {atp}." if atp else str(atp))

# %%
constant = sampled_rdf.Comparison("ATP, constant volume", why_not="not run")
if held:
    calm = snapshots.at_temperature(held.trajectory, held.thermo)
    constant = sampled_rdf.at_constant_volume(constant.name, calm, atp, how)
beside = {**(atp.curves or {}), **(constant.curves or {})}
half = np.floor(used.widest_radius_A * 10) / 10
Markdown(f"Half of the narrowest cell is {half:.1f} Å.")

# %% tags=["figure"]
#| label: fig-rdf
#| caption: Total g(r) of ATP's heating run, of ATP at constant volume and of the
#|   reference (dashed) near the temperature of the comparison. Bands are one
#|   standard error, from the scatter between blocks of successive frames. Beyond
#|   half the cell (grey, in a cell that small) periodic images distort g(r).
#| alt: Curves with sharp peaks below 3 Å, the bonds, and broad ones beyond.
if atp:
    title = f"all atoms, {atp.temperature_K:.0f} K"
    ax = plots_of_bonds.total_rdf(beside, title, half)

# %% [markdown]
# All ten pairs of elements come from one pass over the neighbours. The paper's figures go to 10 Å,
# and so do these; the numbers below stop at half the cell, where that is less.

# %% tags=["figure"]
#| label: fig-rdf-pairs
#| caption: g(r) of each pair of elements, by the same runs as above. Where
#|   the dashed line of the reference is covered, the potential has the same
#|   structure; a gap beyond 3 Å is one of angles and rings, not of bonds.
#| alt: Ten panels of g(r), one for each pair of C, H, N and Zn.
pairs = rdf.element_pairs(used.symbols)
if atp:
    figure = plots_of_bonds.pair_rdfs(beside, pairs, half)

# %% [markdown]
# "Nearly identical" as a number: the distance of two $g(r)$ is
#
# $$ R = 100\,\% \sqrt{\textstyle\sum_r r^2 [g(r) - g_\mathrm{ref}(r)]^2 \big/
#                    \sum_r r^2 g_\mathrm{ref}(r)^2}, $$
#
# once for the bonds, up to 3 Å, and once for what lies beyond. It is never zero for finite samples;
# *noise* is the $R$ that the standard errors of both curves alone would give (too small, where
# reference frames follow each other so closely that they share their history). A difference that is
# smaller than the noise of a pair cannot be seen here.

# %%
limit = min(half, r_max)
distances = {}
for one in [atp, constant]:
    distances[one.name] = None
    if one:
        curves = one.curves[one.name], one.curves[sampled_rdf.REFERENCE]
        table = rdf_distance.table(*curves, [None, *pairs], limit)
        distances[one.name] = table

# %%
#| label: tbl-atp-distances
#| caption: R and its noise (%) of ATP's heating run from the reference.
tables.headed_if_any(distances[atp.name], decimals=1)

# %%
#| label: tbl-constant-distances
#| caption: R and its noise (%) of ATP at constant volume from the reference.
tables.headed_if_any(distances[constant.name], decimals=1)

# %% [markdown]
# How much of the difference is density? The reference keeps the volume it was given, and $g(r)$ is
# relative to the mean density.

# %%
if atp:
    near = [
        snapshots.near(x, atp.temperature_K, window) for x in (reference, used)
    ]
    given, found = (sampled_rdf.volume_per_atom(frames) for frames in near)
    expanded = 100 * (found / given - 1)
    volumes = (
        f"The volume per atom is {given:.2f} Å³ in the reference and "
        f"{found:.2f} Å³ in ATP's run."
    )
Markdown(volumes if atp else "")

# %% [markdown]
# ## DPMD-Test: bonds right, the rest not? (Figs. S1, S2)
#
# The paper compares total $g(r)$ and all pairs from DPMD-Test and from first principles, and finds
# the bonds right and the medium range wrong. First, does the run hold its temperature?

# %% tags=["figure"]
#| label: fig-held-temperature
#| caption: Temperature of both runs. A run in equilibrium stays in the grey band,
#|   four standard deviations around the target of the thermostat. One that is about
#|   to explode leaves it again and again, or at once, and ends early.
#| alt: Temperature of two runs in time, and a narrow grey band.
if test:
    until = max(equilibration, test.trajectory.times_ps.max())
    both = {"ATP": run.thermo, "DPMD-Test": test.thermo}
    n_atoms = len(used.symbols)
    sigma = snapshots.fluctuation(1.0, n_atoms)  # in units of the target
    ax = plots_of_bonds.temperature_held(both, sigma, until)

# %% [markdown]
# Frames are compared at that temperature of the reference which the run has reached and which is
# nearest to the one asked for. Where less than half of its frames there have this temperature, the
# run is not in equilibrium, and the figures show what it went through, named by the temperatures it
# had. A run that explodes later, with half of its frames in the band, is compared as it is.

# %%
by_test = went = sampled_rdf.Comparison("DPMD-Test", why_not="it was not run")
if test:
    path = test.trajectory
    calm = snapshots.at_temperature(path, test.thermo)
    by_test = sampled_rdf.compare("DPMD-Test", path, calm, reference, how)
    went = by_test or sampled_rdf.as_it_went(
        "DPMD-Test", path, test.thermo, reference, how
    )
Markdown(f"Compared at {by_test}." if by_test else str(by_test))

# %% tags=["figure"]
#| label: fig-test-total
#| caption: Total g(r) of DPMD-Test beside the reference (dashed). Compare the
#|   two sharp peaks of the bonds, below 3 Å, with what lies beyond.
#| alt: Two curves of g(r) with sharp peaks below 3 Å and broad ones beyond.
if went:
    title = f"all atoms; reference at {went.temperature_K:.0f} K"
    ax = plots_of_bonds.total_rdf(went.curves, title, half)

# %% tags=["figure"]
#| label: fig-test-pairs
#| caption: g(r) of each pair of elements from DPMD-Test beside the reference
#|   (dashed). Few snapshots make a ragged curve; peaks that are shifted or lost
#|   are an error.
#| alt: Ten panels of g(r), one for each pair of C, H, N and Zn.
if went:
    figure = plots_of_bonds.pair_rdfs(went.curves, pairs, half)

# %%
#| label: tbl-test-distances
#| caption: R (%) of DPMD-Test from the reference, where it held its temperature,
#|   and its noise, where there is more than one snapshot.
of_test = known = None
if by_test:
    curves = by_test.curves.values()
    of_test = rdf_distance.table(*curves, [None, *pairs], limit)
    known = of_test.dropna(axis="columns", how="all")
tables.headed_if_any(known, decimals=1)

# %% [markdown]
# Does DPMD-Test fail only when it is hot, or also where it was trained? Its force
# errors on the frames of the reference, which neither potential was trained on:

# %%
#| label: tbl-test-errors
#| caption: Force RMSE (eV/Å) of both potentials on the frames of the reference.
both = accuracy.evaluated(
    [test_potential, potential] if test_potential else []
)
errors = {name: pd.DataFrame(accuracy.metrics(name)).T for name in both}
errors = {k: of["force_rmse_eV_per_A"] for k, of in errors.items()}
errors = pd.DataFrame(errors, dtype=float).reindex(reference_sets).dropna()
named = {test_potential: "DPMD-Test", potential: "ATP"}
tables.headed_if_any(errors.rename(columns=named), index="set", decimals=3)

# %%
n_trained = 0
if len(errors):
    judged = accuracy.table([test_potential], ["test"])
    n_trained = judged["training_frames"].iloc[0]
trained = f"DPMD-Test was trained on {n_trained} frames of 300 K."
Markdown(trained if n_trained else "")

# %% [markdown]
# Is it the freedom of the volume that DPMD-Test does not survive? At constant volume, in the cell of the frames
# that it was trained on (parameter `test_held_runs`), it would hold, then.

# %%
calm = [runs.find(name) for name in test_held_runs]
Markdown(said.at_constant_volume([one for one in calm if one]))

# %% [markdown]
# Or is it the steps? The paper's took more than a million. What frames of 300 K alone teach about 300 K
# says a pair of short trainings of [chapter 2](02_training.ipynb), which differ in their frames alone.

# %%
nets = architectures.table(architectures.read())
pair = "paper", architectures.COLD
Markdown(said.frames_or_steps(nets, *pair, "crystal 300 K"))

# %%
#| label: tbl-test-training
#| caption: Steps of all trainings of DPMD-Test and of potentials of frames of all temperatures,
#|   and their force errors on test frames of 300 K.
known = [test_potential, potential] if test_potential else []
grown = generations.generations(known)
columns = ["potential", "steps", "training_frames", "force_rmse_eV_per_A"]
grown = grown.loc[grown["group"] == "300 K", columns]
tables.headed_if_any(grown if test_potential else None, decimals=3)

# %%
Markdown(
    said.beside_generation(grown, test_potential) if test_potential else ""
)

# %% [markdown]
# ## What the reference is
#
# Its runs are short: the order at short range is in equilibrium, the slow rearrangement of the
# network is not. Frames that another potential sampled, or that started from another structure, bear
# the mark of that potential or that start, whoever labelled them. The table says which sets are used
# here; only frames with as many atoms as the structure of this page count.

# %%
#| label: tbl-reference
#| caption: The sets that make up the reference of this chapter.
fitting = snapshots.fitting(reference_sets, len(atoms))
tables.headed(snapshots.origins(fitting))

# %%
#| label: tbl-frames
#| caption: Frames within 150 K of a temperature.
counts = {"reference frames": reference, "ATP frames": used}
counts = {name: snapshots.by_temperature(x, 300) for name, x in counts.items()}
tables_of_bonds.frames_by_temperature(counts)

# %% [markdown]
# ## The Zn–N bond in the heat (Fig. 3b)
#
# Zn and N form the nodes of the network. While all bonds hold, nothing is found between the first
# peak (the bond, 2.0 Å) and the second (the far N of the same ring, about 4.2 Å). Where the valley
# fills, bonds break and form: the paper sees the two peaks run into each other above 1100 K and
# calls it partial melting. Frames nearer in time than 0.1 ps see the same pair in the valley twice;
# of those, one is taken.

# %%
half_width = min(window, temperature_step / 2)
apart = snapshots.spaced(used, 0.1)
warm = snapshots.by_temperature(apart, temperature_step, half_width)
warm = warm or {float(used.temperatures_K.mean()): used}
rdfs = {T: how.rdfs(frames) for T, frames in warm.items()}
zn_n = {T: found["Zn", "N"] for T, found in rdfs.items()}

# %% tags=["figure"]
#| label: fig-zn-n
#| caption: Zn–N g(r), a line for each temperature (left), and the valley
#|   between its two peaks enlarged (right). Bonds break where the valley
#|   fills.
#| alt: Left, two peaks at 2.0 and 4.2 Å, coloured by temperature; right, the
#|   valley between them.
ax = plots_of_bonds.valley(zn_n)

# %% [markdown]
# What else changes on heating? The slider moves through the temperatures.

# %% tags=["figure"]
#| label: fig-rdf-temperatures
#| caption: g(r) of the pairs that carry the network, one temperature at a
#|   time. Peaks get wider on heating; they vanish only where the order is
#|   lost.
#| alt: Curves of three pairs of elements at one temperature, with a slider.
plots_of_bonds.network_by_temperature(rdfs)

# %% [markdown]
# The running coordination number $n(r)$ counts the N within $r$ of a Zn. A plateau at four is the
# intact node; where it begins to slope, the first and the second shell are no longer apart.

# %% tags=["figure"]
#| label: fig-coordination
#| caption: Number of N within r of a Zn. The plateau at four is the intact
#|   node; it slopes where the first and the second shell run into each other.
#| alt: Curves that rise to a plateau of four at 2.3 Å and rise again beyond 3.5 Å.
ax = plots_of_bonds.running_coordination(zn_n, "Zn–N")

# %% [markdown]
# ## Potential of mean force (Fig. 3c)
#
# The reversible work to bring a Zn–N pair from far apart to the distance $r$ is the {term}`PMF`
#
# $$ F(r) = -k_\mathrm{B} T \ln g(r). $$
#
# The curves end where $g(r) = 0$: there the run has never been, and the work is *not known* there,
# not infinite.

# %% tags=["figure"]
#| label: fig-pmf
#| caption: Potential of mean force of a Zn–N pair. The barrier behind the bond is
#|   seen only where the run has been: a curve with a gap does not know it.
#| alt: Curves with a deep minimum at 2 Å, a gap at the barrier for low
#|   temperatures, and a second minimum near 4.2 Å.
works = {T: pmf.from_rdf(one, T) for T, one in zn_n.items()}
ax = plots_of_bonds.mean_force(works, "Zn–N")

# %% [markdown]
# ## The free energy of breaking a bond (Fig. 3d)
#
# The activation free energy $\Delta F^\ddagger(T)$ is the height of $F$ in the valley behind the
# first peak of $g(r)$, above the bound state. It is read where at least five pairs are found in the
# lowest 0.2 Å of the valley. Sampled or not, there is a lower bound: the lowest $g$ is at most its
# mean over a window $V$ that was fixed before any pair was counted, so that with 95 % confidence
#
# $$ \Delta F^\ddagger \ge k_\mathrm{B} T \ln\frac{g(r_1)\, n_\mathrm{ideal}}{\lambda}, \qquad
#    \lambda = \tfrac12 \chi^2_{0.95}(2n + 2), $$
#
# $\lambda$ being Poisson's upper limit for the $n$ pairs found in $V$, where an ideal gas shows
# $n_\mathrm{ideal}$ (`helpers.observables.pmf`; pairs that come in clumps count as fewer). Over a
# range in which energy and entropy of activation hardly change,
#
# $$ \Delta F^\ddagger(T) = \Delta U^\ddagger - T \Delta S^\ddagger, $$
#
# and a weighted straight line through three sampled barriers or more gives both.
#
# Frames that follow each other resemble each other, and counting them as independent would make the
# errors too small. So blocks of frames of each temperature are drawn anew with replacement, barriers
# and line are found again, and the spread of these lines is the error and the 95 % interval. The same
# draws tell by how much the lowest of several noisy windows lies too low; that is taken off. Values
# far below the lowest sampled temperature (840 K in Table 2) are extrapolated, as they are in the
# paper: a barrier of 100 kJ/mol at 840 K would be visited by one pair in a million.
#
# There are two conventions. Potentials of mean force are $-k_\mathrm{B}T \ln g(r)$, and we take the
# paper's barriers to be read off that; it gives no formula. Free energies along a distance, as
# umbrella sampling gives them, are $-k_\mathrm{B}T \ln[4\pi r^2 g(r)]$, lower by
# $2 k_\mathrm{B}T \ln(r_\mathrm{barrier}/r_\mathrm{bound})$: where the two distances do not change
# with temperature, that is a part of $\Delta S^\ddagger$ and leaves $\Delta U^\ddagger$ alone. A verdict
# is given where both conventions lead to it.

# %%
#| label: tbl-barriers
#| caption: Activation free energies of the Zn–N bond by the first convention, g(r)
#|   (a dash: too few pairs at the top), and the pairs found in the valley, 2.8–3.5 Å.
pairs_between = activation.pairs_in_valley(zn_n)
activations = activation.by_convention(zn_n)
found = activations["this book, g(r)"]
tables_of_bonds.barriers(found, pairs_between)

# %%
none = f"No line is drawn: {found.why_no_line}."
Markdown(none if found.line is None else "")

# %% tags=["figure", "key-figure"]
#| label: fig-activation
#| caption: Free energy of breaking a Zn–N bond against temperature: barriers (dots,
#|   with standard errors) and lower bounds at 95 % (triangles) beside the lines of
#|   the paper's Table 2. A line that passes below a triangle is excluded there, if it
#|   is one of the first convention, g(r).
#| alt: Points of this book against temperature, and falling lines of the works in
#|   Table 2.
ax = plots_of_bonds.activation(found)

# %% [markdown]
# Gaillac et al. (the paper's ref. 12) and Shi et al. (ref. 17) are first-principles works, DPMD-20K
# is the paper. Ours are given with their standard error and, in brackets, the 95 % interval. Without
# a line, energy and entropy are not determined, and the barrier at 1800 K is the one found there.

# %%
#| label: tbl-table2
#| caption: The paper's Table 2, activation of Zn–N bond breaking, with ours in both
#|   conventions. The paper gives no errors.
lines = {name: one.line for name, one in activations.items()}
at_1800K = {k: said.barrier_in_words(x) for k, x in activations.items()}
tables.activation(lines, at_1800K=at_1800K)

# %% [markdown]
# What is not the same as in the paper, here and in all of this chapter:

# %%
differs = tables_of_bonds.differences(
    structure, len(used.symbols), heating_rate, bool(segment and sample)
)
Markdown("\n".join(f"- {one}" for one in differs))

# %% [markdown]
# ## Does anything flow?
#
# A broken bond is not yet a melt: a liquid diffuses. The mean squared displacement ({term}`MSD`)
# over all time origins, of the frames in a window of temperature, with drift and the breathing of
# the cell taken off, grows linearly with time in a liquid (exponent 1) and stays flat in a solid
# (exponent near 0). Windows of a fast ramp are short. Atoms that have moved by less than 1 Å, half a
# Zn–N bond, may only rattle in their places. For these, where the exponent is below 0.5, and where $D$
# is below twice its error, the table has an upper limit, $D \le \mathrm{MSD}/(6t)$: what $D$ would be
# if all of the motion were diffusion.

# %% tags=["figure"]
#| label: fig-flow
#| caption: Mean squared displacements in windows of temperature, of Zn
#|   (lines) and N (dots), on logarithmic axes. Atoms that rattle give a level
#|   line, atoms that flow one that rises with slope 1.
#| alt: One curve for each window, coloured by temperature.
windows = snapshots.by_temperature(heated, temperature_step, half_width)
moved = flow.displacements(windows)
flows = flow.table(moved, ["Zn", "N"])
if len(flows):
    ax = plots_of_bonds.mean_squared_displacements(moved, ("Zn", "N"))

# %%
#| label: tbl-flow
#| caption: Diffusion coefficients, or their upper limits.
tables_of_bonds.flow(flows)

# %%
why_not = said.flows(flows, 2 * window).here
Markdown("" if len(flows) else f"Not tested: {why_not}")

# %% [markdown]
# ## Held at one temperature
#
# A ramp passes a temperature in picoseconds. Runs that stay at one for 100 ps (parameter
# `plateau_runs`) see rarer pairs in the valley, count the bonds that break and those that are
# exchanged, and give atoms the time to diffuse. Runs that differ in their seed alone stand beside
# each other. Barriers and their line are found as above, but no line joins runs in which half of the N
# or more have left their Zn with those in which fewer have: they are a melt and a crystal. The rates
# follow an {term}`Arrhenius law` if
#
# $$ k = A\, \mathrm e^{-E_\mathrm a/RT} . $$
#
# $E_\mathrm a$ of breaking and $\Delta U^\ddagger$ need not be equal: a crossing of the barrier that
# returns at once is in the second, and frames that are tenths of a picosecond apart may miss it in the
# first. How these runs are read is [written down](../book/estimators.md), with what was changed since.

# %%
same_cell = {"structure": structure, "supercell": tuple(supercell)}
names = catalogue.with_other_seeds(plateau_runs)
steady_runs = runs.alike(names, **same_cell, potential=potential)
held_at = plateaus.of_runs(steady_runs)
counted = plateaus.used(held_at)
together, apart = plateaus.comparable(counted)
none = "This copy has no run held at one temperature (`plateau_runs`)."
Markdown(f"In what is held here, {apart}." if apart else "")

# %%
of_bond = {T: how.rdfs(one.frames)["Zn", "N"] for T, one in counted.items()}
at_rest = {}
if of_bond:
    at_rest = activation.by_convention(of_bond, together, apart)
barriers = at_rest.get("this book, g(r)")
barrier_of = {one.run.name: barriers for one in counted.values()}
for one in held_at:
    if not one.refused and one.run.name not in barrier_of:
        alone = {one.temperature_K: how.rdfs(one.frames)["Zn", "N"]}
        alone = activation.by_convention(alone)
        barrier_of[one.run.name] = alone["this book, g(r)"]
Markdown("" if held_at else none)

# %%
spread = plateaus.diffusion(held_at, ["Zn", "N"])
per_time = plateaus.events(counted.values())
laws, why_not = plateaus.laws(per_time, together, apart)

# %%
#| label: tbl-plateaus
#| caption: Runs held at one temperature: barrier, share of the N that have left the Zn
#|   of the crystal, bonds that broke or were exchanged, diffusion ("<": an upper limit).
#|   The error of D is the scatter between runs of one temperature; one run does not tell it.
#|   Fewer frames see fewer breaks; of each temperature, lines use the first run.
tables_of_bonds.plateaus(held_at, spread, barrier_of) if held_at else None

# %% tags=["figure"]
#| label: fig-held-barriers
#| caption: Activation free energies at constant temperature (dots) and lower bounds
#|   (triangles) beside the lines of Table 2. The line through the dots, with its 95 %
#|   band, is drawn where they determine one: compare its slope with theirs.
#| alt: Points of this book against temperature, and falling lines of Table 2.
if barriers:
    ax = plots_of_bonds.activation(barriers)

# %%
#| label: tbl-table2-held
#| caption: Table 2 again, with the runs held at one temperature.
held_lines = {f"{name}, held": one.line for name, one in at_rest.items()}
held_1800K = {}
for name, one in at_rest.items():
    held_1800K[f"{name}, held"] = said.barrier_in_words(one)
tables.activation(held_lines, at_1800K=held_1800K) if at_rest else None

# %% tags=["figure"]
#| label: fig-held-rates
#| caption: Rates at which one bond breaks and is exchanged, with 95 % limits; open
#|   triangles, if any, are upper limits where nothing was seen. Points on a straight line
#|   follow Arrhenius' law.
#| alt: Points with error bars against 1000/T, triangles, and straight lines.
if len(per_time):
    ax = plots_of_phase.event_rates(per_time, laws)

# %% [markdown]
# ## What this chapter found

# %%
n_frames = {T: one.n_frames for T, one in zn_n.items()}
findings = [
    said.bonds_right_rest_wrong(test, by_test, of_test),
    said.where_it_was_trained(errors, n_trained, test_potential, potential),
    said.nearly_identical(atp, distances[atp.name]),
    said.nearly_identical(constant, distances[constant.name]),
    said.partial_melting(pairs_between, n_frames),
    said.barrier(activations),
    said.barriers_beside_line(activations),
    said.activation_line(activations),
    said.flows(flows, 2 * window),
]

# %%
energy_of_flow = flow.arrhenius(spread, "Zn")
findings += said.held(at_rest, laws, why_not, energy_of_flow, per_time)

# %% tags=["verdict"]
Markdown(claims.markdown(findings))

# %%
#| label: tbl-found-bonds
#| caption: The numbers behind this.
claims.numbers(findings)

# %% [markdown]
# ## To try
#
# **Exercise 1.** How much of the distance between ATP's total $g(r)$ and the reference is in each
# pair of elements? List the pairs by what they differ beyond their noise.

# %% tags=["solution", "hide-cell"]
if atp:
    table = distances[atp.name].set_index("pair").drop("total")
    excess = table["R, all"] - table["noise, all"]
    print(excess.sort_values(ascending=False).round(1).to_string())

# %% [markdown]
# **Exercise 2.** The bins of $g(r)$ are 0.05 Å wide. What becomes of the first Zn–N peak, its height
# and its place, when they are 0.2 Å wide?

# %% tags=["solution", "hide-cell"]
hottest = max(warm)
wide = replace(how, bin_width_A=0.2).rdfs(warm[hottest])["Zn", "N"]
for one in [zn_n[hottest], wide]:
    peak = one.g[one.r < 3].argmax()
    print(f"g = {one.g[peak]:.1f} at {one.r[peak]:.2f} Å")

# %% [markdown]
# **Exercise 3.** How high is a barrier at 1200 K on which $g$ is a ten-thousandth of that at the
# bond? Compare with the bounds in the table above.

# %% tags=["solution", "hide-cell"]
share = np.array([1e-2, 1e-3, 1e-4, 1e-5])
kT = units.GAS_CONSTANT_KJ_PER_MOL_K * 1200.0
pd.Series(-kT * np.log(share), index=share, name="barrier (kJ/mol)").round(1)

# %% [markdown]
# ## What is still missing
#
# Where this page differs from the paper, this may be why:

# %%
why = []
if not len(steady):
    why.append("no frame of ATP has the temperature of its thermostat")
if atp and atp.n_reference < snapshots_averaged:
    why.append(f"the reference has {atp.n_reference} snapshots only")
if atp and abs(atp.temperature_K - comparison_temperature) > window:
    why.append(f"both sides did not reach {comparison_temperature:.0f} K")
if atp:
    larger = "larger" if expanded > 0 else "smaller"
    said = f"ATP's volume is {abs(expanded):.1f} % {larger}"
    why.append(f"{said} than the reference's")
Markdown("\n".join(f"- {one}" for one in [*why, *differs]))

# %%
#| label: tbl-page-bonds
#| caption: How the run of this page was made.
more = {"profile": profile, "frames": len(heated), "of them used": len(used)}
tables.of_run(run.name, run.provenance, more)
