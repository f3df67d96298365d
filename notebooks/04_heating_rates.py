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
# A calorimeter heats ZIF-4 at 10–20 K per *minute*. A simulation of nanoseconds has to heat at
# kelvins per *picosecond*. A crystal that is heated too fast has no time to change and is
# overheated: the transition is seen at too high a temperature. The paper therefore heats the same
# crystal at ever slower rates, and finds that the slower the heating, the lower the temperature
# $T_\mathrm{f}$ at which the density begins to fall.
#
# **You will learn** how a crystal is heated in a computer; how to tell a fall of the density from
# noise, and no fall from noise that hides one; what {term}`seeds <seed>`, cell sizes and pressures
# say about that; what may be extrapolated to a calorimeter; and how far to trust the potential.
#
# **It needs** a potential ([chapter 2](02_training.ipynb)). The runs are found if they were made
# before, and made now where they are missing, which takes minutes at 400 K/ps and hours at 4 K/ps.
# Figures are the counterparts of the paper's Figs. 4a, 4b and 6b, and of its Table 3.

# %% tags=["parameters"]
# fmt: off
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] any | cell: name in data/structures, or a file of yours
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
pressure: float = 0.0  # [bar] -100000..1000000 | of the barostat; 10 000 bar are 1 GPa
relaxed: str = ""  # [-] any | start relaxed by the potential: iso, aniso, tri, atoms; empty: not
timestep: float = 0.5  # [fs] 0.05..2 | time step of the dynamics
hydrogen_mass: float = 1.008  # [u] 1..3 | of H; 2.014 is deuterium, for steps of 1 fs
frame_every: float = 0.1  # [ps] 0.001..1000 | time between frames of the trajectory
deviation_limit: float = 0.5  # [eV/A] 0..100 | the ensemble agrees within this on what it knows
deviation_frames: int = 60  # [-] 2..100000 | frames of each run, and test set, to compare on
labelled_frames: str = ""  # [-] any | set of labelled frames of a run of this page; empty: none
peer_run: str = ""  # [-] any | run of data/runs.yaml to set beside ours; empty: none
larger_runs: list[str] = []  # [-] any | finished ones, or groups, of larger supercells beside ours
pressure_runs: list[str] = []  # [-] any | finished ones, or groups, under other pressures
earlier_runs: list[str] = []  # [-] any | finished ones, or groups, of another potential
uncorrected_at: float = -0.14  # [GPa] -2..2 | here this potential does what one without stress does
ranks: int = 1  # [-] 1..512 | MPI ranks of LAMMPS
make_missing: bool = True  # [-] any | make the runs that are not there; false: say which are missing
# fmt: on

# %% tags=["remove-cell"]
from helpers.book import parameters

# what papermill injects as text becomes a list, a number, a truth value
given = parameters.accepted("04_heating_rates", globals())
globals().update(given)

# %% tags=["imports"]
from dataclasses import replace

import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import units
from helpers.md import hundred_kelvins, lammps_input, protocol
from helpers.observables import enthalpy
from helpers.recipes import catalogue, outcomes
from helpers.recipes import runs as by_name
from helpers.report import claims, claims_on_rates, plots_of_potentials
from helpers.report import plots_of_runs, rate_laws, tables, tables_of_runs
from helpers.validation import accuracy
from helpers.validation import ensemble as disagreement

# %% [markdown]
# ## The runs
#
# One run for each rate and {term}`seed`: molecular dynamics at constant pressure ({term}`NPT`) by LAMMPS. A
# Nose–Hoover {term}`thermostat` has a target that rises linearly,
#
# $$ T(t) = T_\mathrm{start} + \dot T\,(t - t_\mathrm{eq}), \qquad t \ge t_\mathrm{eq}, $$
#
# after an equilibration of length $t_\mathrm{eq}$, and a {term}`barostat` (at zero pressure) scales
# the three cell lengths by one factor.

# %%
Markdown(by_name.whose(potential))

# %%
alike = {"structure": structure, "supercell": tuple(supercell)}
alike |= {"potential": potential, "coupling": coupling}
# by the parameters of this page; below, each run gets a rate of its own
common = protocol.asked(given, heating_rate_K_per_ps=heating_rate or 1.0)

# %%
own_rates = [heating_rate] if heating_rate else heating_rates
names = [] if heating_rate else named_runs
named = catalogue.runs_alike(names, **alike)
plans = by_name.of_rates(common, own_rates, seeds, seeded_rates, named)
asked = by_name.made(plans, ranks, make_missing)
runs = asked.heated()
Markdown(by_name.not_made(plans))

# %% [markdown]
# A run that was made before, on this machine or shipped in `data/runs`, is found by its recipe
# (structure, potential and all numbers that determine it) and used again; a run that was stopped goes
# on from its last restart file. A run that explodes on its way up is used as far as it got.
# `data/runs.yaml` has the runs of this book and the paper's by name. Very slow runs (parameter
# `named_runs`) may cover a part of the temperatures only, as the paper's own do.

# %%
start = min(run.recipe.temperature_start_K for run in runs)
end = max(run.recipe.temperature_end_K for run in runs)
heat = {}
for run in runs:
    T, H = run.sampled["target_temperature_K"], run.sampled["enthalpy_eV"]
    heat[run] = enthalpy.above_start(T, H, run.atoms, start)
curves = plots_of_runs.curves(runs, heat)

# %% tags=["figure", "key-figure"]
#| label: fig-density
#| caption: Density against temperature (running means), one colour for each
#|   heating rate. Where several runs share a rate, the line is their mean; a button
#|   brings in the runs, thin, which differ in random first velocities only. A crystal
#|   that expands loses density slowly and steadily; a framework that opens loses it
#|   steeply. Does a slower rate fall earlier, and by more than runs of one rate differ?
#|   Slow ramps take longest to compute, so they may cover only the range around the
#|   fall. Dashed: the paper's crystal, a fifth lighter than the measured one; grey band:
#|   where the paper, heating at 1 K/ps, sees its low-density phase. A click in the legend
#|   switches a rate off and on.
#| alt: Density against temperature, a strong curve for each heating rate, a
#|   dashed horizontal line and a grey band for the paper.
plots_of_runs.densities(curves)

# %% [markdown]
# A crystal expands as it is heated, a little and steadily. A framework that comes apart does one of
# two things: it opens, and the density falls, or it collapses into its own pores, and the density
# rises. The paper reports 0.95 g/cm³ from 300 to 1300 K, then a fall, a low-density phase at
# 1400–1550 K, and a denser one above. (Its own supercell has 1.22 g/cm³.)

# %%
slowest = runs.slowest
per_minute = units.K_per_ps_to_K_per_min(slowest.rate)
rates = ", ".join(f"{rate:g}" for rate in runs.rates)
made, same = tables_of_runs.made(asked)
same = f"The same for all runs: {same}." if same else ""
Markdown(
    f"Runs on this page: {len(runs)}, at {rates} K/ps. Even the slowest heats "
    f"by {per_minute:.1e} K per minute. {tables_of_runs.held(runs)}{same}"
)

# %%
#| label: tbl-runs
#| caption: How the runs of this page were made; "ended whole": it did not explode.
tables.headed(made)

# %% [markdown]
# This is what LAMMPS was told. Note `run ... upto ... start ... stop`: the target temperature depends
# on the step alone, so a run that is continued from a restart file stays on its ramp.
# The relaxation times, which the paper does not give, are 0.1 ps (thermostat) and 1 ps (barostat).

# %% tags=["hide-output"]
script = lammps_input.script(slowest.recipe)
print("\n".join(script.splitlines()[:60]))

# %% [markdown]
# Every 0.1 ps one row of the thermodynamic table was written; the equilibration is left out here.
# Does the thermostat keep up with its target?

# %%
#| label: tbl-thermostat
#| caption: The mean difference of the temperature from its target, and the
#|   fluctuation that a system of this size has around its mean. A mean within two
#|   of its errors of 0 keeps up.
tables_of_runs.thermostat(runs)

# %% [markdown]
# ## Enthalpy (Fig. 4a)
#
# At constant pressure $P$ the heat that goes into the cell is its enthalpy
# $H = E_\mathrm{kin} + E_\mathrm{pot} + PV$ (here $P = 0$, the pressure of the barostat). It is shown
# per atom and counted from the first row, which is put on the straight line
# $3 k_\mathrm{B}(T - T_\mathrm{start})$ of a classical harmonic crystal. Heat that is taken up
# without a rise of temperature is a step.

# %% tags=["figure"]
#| label: fig-enthalpy
#| caption: Enthalpy of all runs against temperature (running means), beside that of a
#|   classical harmonic crystal, a straight line; a second button shows the distance
#|   from that line. A curve that bends away takes up more heat than vibrations do; a
#|   step would be latent heat.
#| alt: Curves that rise along a straight line, and their distance from it.
plots_of_runs.enthalpies(curves, start, end)

# %% [markdown]
# ## The slowest run: density, enthalpy and heat capacity (Fig. 4b)
#
# $C_P = \mathrm{d}H/\mathrm{d}T$ is the slope of the enthalpy, fitted here in windows of temperature.
# Classical nuclei give about $3 k_\mathrm{B}$ per atom; in the real crystal the stiff C–H and C–N
# vibrations are frozen, so this number is no prediction for a calorimeter. A transition with latent
# heat makes a peak of that area; a peak within two or three error bars is noise.

# %% tags=["figure"]
#| label: fig-slowest
#| caption: The slowest run (the first, if there are several): density, enthalpy, and
#|   heat capacity with its standard error. A transition with latent heat would
#|   be a step in the middle and a peak above the dashed line of the harmonic crystal at the
#|   bottom, at the same temperature as a fall at the top.
#| alt: Three panels above each other over the same temperatures.
width = min(100.0, max((end - start) / 5, 1.0))
# a run that heats in segments is sampled at their ends alone
width = max(width, 2.1 * max(run.recipe.segment_K for run in runs))
capacity = {}
for run in runs:
    T, H = run.sampled["target_temperature_K"], run.sampled["enthalpy_eV"]
    capacity[run] = enthalpy.heat_capacity(T, H, run.atoms, window_K=width)
figure = plots_of_runs.one_run(runs, slowest, heat, capacity[slowest])

# %%
#| label: tbl-heat-capacity
#| caption: Mean heat capacity of each run; 3 would be a classical harmonic crystal.
tables_of_runs.heat_capacities(capacity)

# %% [markdown]
# ## One table of all runs
#
# $T_\mathrm{f}$ is where the density begins to fall significantly. The paper reads it off the curve.
# Here three straight pieces are fitted to the density, up to where it is lowest: the crystal that
# expands, a steeper fall that begins at $T_\mathrm{f}$, and again a piece parallel to the first. Its
# error comes from a {term}`bootstrap` and from three widths of bins. Each run is
# one row, and all verdicts are made from the rows. The [rules](../book/estimators.md) are dated; those
# that were changed with the runs at hand stand there beside the old answer.

# %%
any_size = {k: v for k, v in alike.items() if k != "supercell"}
larger = by_name.alike(larger_runs, **any_size)
pressed = by_name.alike(pressure_runs, **alike)
other = {k: v for k, v in alike.items() if k != "potential"}
earlier = by_name.alike(earlier_runs, **other)
own = outcomes.of_runs(runs)
sized = outcomes.of_runs(runs + larger)
other_cells = outcomes.alike(runs.slowest, any_cell=True)
other_cells = other_cells[~other_cells["key"].isin(own["key"])]
table = outcomes.of_runs(runs + larger + pressed)
shown, same = tables_of_runs.outcomes(table)

# %%
#| label: tbl-outcomes
#| caption: What each run showed. Where nothing was seen, "> T" is the temperature
#|   up to which it would have been; "cannot tell": noise would have hidden it, or the
#|   density leaves the crystal's line too slowly for a fall. The last column: how
#|   often a planted fall of 10 % is seen in this run's noise.
tables.headed(shown)

# %%
Markdown(f"The same for all runs: {same}." if same else "")

# %% [markdown]
# The cell is released at the start of the equilibration and oscillates, in phase in
# all runs; a ramp that begins before the oscillation has died away shows it as falls and rises. A
# run that was not in equilibrium before its ramp stays in the table and enters no verdict. The
# reasons:

# %%
#| label: tbl-unsettled
#| caption: Why a run was not in equilibrium before its ramp.
out = table.loc[table["unsettled"] != "", ["name", "unsettled"]]
out = out.rename(columns={"name": "run", "unsettled": "reason"})
tables.headed(out) if len(out) else Markdown("All were in equilibrium.")

# %% [markdown]
# ### What could have been seen?
#
# The faster the heating, the more kelvins a fluctuation lasts, and the more it looks like a fall, or
# hides one. So falls of 5, 10 and 13 % are put into each run's own noise, and the same fit has to
# find them. Where one of 10 % would be found in four of five cases, a run without a fall says that
# $T_\mathrm{f}$ is higher; elsewhere it says nothing, and neither does a run whose density leaves the
# crystal's line more slowly than a planted fall.

# %%
#| label: tbl-power
#| caption: How often a fall that was put into the noise of the runs is found (with
#|   95 % limits), and how often one that was not. A run that does not fall is evidence
#|   (last column) only where one of 10 % is found in four of five cases and every run
#|   could tell.
tables_of_runs.power(sized)

# %% [markdown]
# A run that does not fall has no $T_\mathrm{f}$, but it says that $T_\mathrm{f}$ lies above the
# temperature up to which a fall would have been seen: such a run is *censored*. The mean of a rate
# is the most likely one, given the runs that fell and the bounds of those that did not, with one
# scatter between runs for all rates.

# %%
#| label: tbl-means
#| caption: Mean transition temperature of each rate, its 95 % interval, and, where there
#|   are four runs, their median (of Kaplan and Meier, which counts censored runs, too).
#|   The last column, if there is one, also counts runs that enter no verdict.
tables_of_runs.means(own)

# %% [markdown]
# ### Against the heating rate (Fig. 6b)
#
# If the transition waits for one activated step of energy $E$, slow heating gives it time, and
# ({term}`Kissinger's law`)
#
# $$ \ln\frac{q}{T_\mathrm{f}^2} = C - \frac{E}{R\,T_\mathrm{f}}. $$
#
# The law is fitted to the paper's points and, by the same likelihood as the means, to our
# runs. A law that the points do not determine is not drawn, nor is one for cells that open and
# close again, which wait for no single step. The paper's slowest run is called DPMD-0.1K and listed
# and plotted at 0.2 K/ps; its number of steps over its span of temperature gives 0.1 K/ps. Both are
# fitted.

# %%
laws = rate_laws.fit(own)
said = [f"{name}: {law}" for name, law in laws.items()]
said += rate_laws.extrapolated(laws)
Markdown("\n".join(f"- {one}" for one in said))

# %% tags=["figure"]
#| label: fig-rates
#| caption: Transition temperature against the heating rate: the paper's reading
#|   (open squares; the arrow leads to the rate that fits its steps), our runs and
#|   their means where something fell, and Kissinger's law where one can be drawn. A bar
#|   through the whole panel is a mean of too few runs for limits. Below, the same down to
#|   the rate of a calorimeter. The grey bands hold 95 % of the curves that the points allow if the law is
#|   true over thirteen powers of ten; nothing here tests that.
#| alt: Two panels, one above the other, with points, lines and wide bands.
figure = rate_laws.plot(laws, own)

# %% [markdown]
# Where our temperature is lower than the paper's although we heat faster, the rate cannot be the
# reason: the potentials, or the sizes of the cells, differ.

# %%
Markdown(rate_laws.surely_lower(own))

# %% [markdown]
# ## A larger cell
#
# The paper heats 7344 atoms; most runs of this page have fewer. A periodic cell allows only those
# motions that repeat with it. In equilibrium its density fluctuates as $1/\sqrt{N}$, which hides
# small changes in a small cell. Here larger supercells stand beside the runs of this page at their
# rate.
# Their rows are in {numref}`tbl-outcomes`; whether they would have shown a fall as large as that of
# the small cells is in {numref}`tbl-power`.

# %%
groups = {rate: (runs + larger).where(rate=rate) for rate in larger.rates}

# %% tags=["figure"]
#| label: fig-cells
#| caption: Density of cells of different size at the same rate (running means of each
#|   run). Does the larger cell fall, too, and as suddenly? It can open part by part.
#| alt: One panel for each rate with curves in a colour for each size.
if groups:
    figure = plots_of_runs.sizes(groups)

# %% [markdown]
# ## How much error in the pressure makes a low-density phase?
#
# A potential that is trained on energies and forces alone has seen no stress, and may be wrong in its
# pressure by a tenth of a GPa without any other sign. A barostat at another pressure does to a good
# potential what such an error does to a bad one. Here the runs of this page stand beside those under
# other pressures (parameter `pressure_runs`) and by other potentials (`earlier_runs`): the labels that
# `round-5` learnt were not corrected ([chapter 1](01_data.ipynb)), those of `atp` were.
# Runs at other rates than those under pressure are left out.

# %% tags=["figure"]
#| label: fig-pressure
#| caption: Density against temperature, a colour for each pressure and potential.
#|   Compare the cold crystals on the left, then where the curves fall.
#| alt: Bundles of curves, one colour for each pressure and potential.
pressed += [run for run in runs if run.rate in pressed.rates]
beside = pressed or runs
alike_in_rate = [run for run in earlier if run.rate in beside.rates]
beside = beside + alike_in_rate if pressed or earlier else pressed
plots_of_runs.under_pressure(beside) if beside else None

# %%
#| label: tbl-pressure
#| caption: Density before the ramp, transition temperature and lowest density of
#|   each run under each pressure.
scanned = outcomes.of_runs(pressed)
shown = outcomes.of_runs(beside)
tables_of_runs.pressures(shown) if beside else None

# %% [markdown]
# ## A peer: ReaxFF
#
# Before there were deep potentials, ZIFs too large for first principles were melted with
# {term}`ReaxFF` (Yang et al., J. Phys. Chem. C 122, 9616 (2018)): bonds form and break by a fitted
# law of bond orders, and the charges follow. Castel and Coudert (J. Phys. Chem. C 126, 19532 (2022))
# find its glasses markedly different from those of first principles, with an unphysical surrounding
# of Zn. Here it heats the crystal of this page. Making that run needs the file of the force field,
# which has no licence and is not shipped (`$ZIF4_REAXFF` names its folder); reading it does not.

# %%
wanted = [peer_run] if peer_run else []
plans = catalogue.runs_alike(wanted, structure=structure)
peers = [by_name.run(peer_run, ranks=ranks) for _ in plans]
for peer in peers:
    peers = [runs.nearest(peer.rate), peer]
both = " and ".join(f"{x.potential} at {x.label}" for x in peers)
apart = " No run here has the rate of ReaxFF; the nearest is shown."
apart = apart * (len({peer.rate for peer in peers}) > 1)
Markdown(f"Shown: {both}.{apart}" if both else "")

# %% tags=["figure"]
#| label: fig-peer
#| caption: Density (left) and enthalpy (right) of the crystal heated by ReaxFF and
#|   by the deep potential, in the run of this page whose rate is nearest. Does
#|   the crystal expand a little before it falls, or swell and shrink from the start?
#| alt: Two panels with one curve for each potential.
if peers:
    figure = plots_of_runs.peers(peers)

# %% [markdown]
# Does the crystal keep its density, and each Zn its four N (within the paper's 2.5 Å)? The structure
# at the start was relaxed by the reference. Another potential sees it as strained; the strain energy
# turns into heat in the equilibration and sets the cell swinging.

# %%
#| label: tbl-peer
#| caption: The first and the last 100 K of the ramp.
ends = [temperature_start, temperature_end - hundred_kelvins.WIDTH_K]
rows = []
for peer in peers:
    rows += [hundred_kelvins.around_zinc(peer, low) for low in ends]
tables.headed_if_any(pd.DataFrame(rows), decimals=2)

# %%
said = []
for peer in peers:
    before = hundred_kelvins.before_ramp(peer)
    if before:
        said.append(
            f"- {peer.potential} starts at {before['density_g_cm3']:.2f} g/cm³"
            f" and reaches {before['hottest_K']:.0f} K in its equilibration "
            f"at {ends[0]:.0f} K."
        )
Markdown("\n".join(said))

# %% [markdown]
# ## Judged by the reference
#
# How wrong is the potential along a heating run? Frames of heating runs were labelled afterwards, and
# no potential was trained on them. A bias of the energy that differs between two phases shifts the
# temperature at which one gives way to the other. Where the bias rises from the crystal to the
# low-density side, the potential puts that side too high in energy, and the reference would open
# earlier; where it falls, later.

# %%
#| label: tbl-judged
#| caption: Errors of the potential on labelled frames of a heating run, by
#|   temperature; a bias is a mean with its sign, an RMSE a root mean square.
judged = None
if labelled_frames:
    judged = accuracy.by_temperature(potential, labelled_frames)
    judged = judged.astype({"from_K": int, "to_K": int})
tables.headed_if_any(judged, decimals=3)

# %%
said = ""
if labelled_frames:
    said = accuracy.over_falls(judged, labelled_frames, own)
Markdown(said)

# %% [markdown]
# ## Where does the potential leave what it knows?
#
# A potential gives a force for every arrangement of atoms, also for those it never saw. Potentials
# that differ in seed or size agree where there was data, and disagree where each had to extrapolate.
# The measure is the standard deviation of an atom's force over the potential of this page and its
# {term}`ensemble`, the largest of all atoms (Zhang et al. 2019), here on saved frames of each run.
# Members that ship with the book are the potentials before this one: the same nets, each trained on
# from the weights of the one before. Four random starts would be more independent.
# The paper finds clusters of hydrogen above 1700 K, which it calls unphysical: such frames would
# show up here.

# %%
members = [potential, *ensemble]
compared = {}
for run in runs:
    if ensemble:
        many = deviation_frames
        compared[run] = disagreement.of_frames(run, members, many)
    elif run.ensemble:  # LAMMPS wrote it along the run
        compared[run] = run.deviation

# %% tags=["figure"]
#| label: fig-deviation
#| caption: Largest force deviation of the ensemble against temperature. Above the
#|   dashed limit the potentials disagree on what they should know.
#| alt: Rising curves and a dashed horizontal limit.
if compared:
    ax = plots_of_runs.deviations(runs, compared, deviation_limit)

# %% [markdown]
# Where there is an ensemble, the slowest run is also listed by temperature: means over the frames of
# a range, and how often the atom on which the potentials disagree most is of each element. By chance
# alone it would be H in 35 %, C in 35 %, N in 24 % and Zn in 6 % of the frames, as Zn(im)₂ has them.

# %%
#| label: tbl-deviation
#| caption: Deviation of the ensemble in the slowest run, by temperature.
by_range = None
if slowest in compared:
    by_range = disagreement.by_temperature(compared[slowest])
tables.headed_if_any(by_range)

# %%
#| label: tbl-members
#| caption: The members of the ensemble by themselves, on all test frames. Where the
#|   others are much worse than the potential of this page, the deviation measures
#|   them, and is no more than an upper guess.
here = accuracy.evaluated(members if ensemble else [])
alone_good = accuracy.table(here, ["test"])
tables.headed(alone_good.drop(columns="role")) if here else None

# %% [markdown]
# ### What the deviation is worth
#
# An error that all potentials share causes no disagreement. On frames that none of them was trained
# on, and that have labels, the deviation stands beside the true error of the page's potential,
# $|\mathbf{F}_i - \mathbf{F}_i^\mathrm{label}|$: mean and largest over the atoms of a frame, then
# the mean over frames.

# %%
tests = catalogue.test_sets_here()
calibration = worth = None
if ensemble and tests:
    calibration = disagreement.calibrate(members, tests, deviation_frames)
    worth = disagreement.worth(calibration)
said = f"{worth} {worth.of(deviation_limit)}" if worth else ""
Markdown(said)

# %% tags=["figure"]
#| label: fig-calibration
#| caption: True force error against the deviation of the ensemble on test frames.
#|   On the line, deviation equals error.
#| alt: Two scatter plots on logarithmic axes with the diagonal.
if calibration is not None:
    phases = accuracy.TEST_SETS
    figure = plots_of_potentials.calibration(calibration, phases)

# %%
#| label: tbl-calibration
#| caption: Deviation and true error by set.
known = calibration is not None
tables.headed(disagreement.by_set(calibration)) if known else None

# %% [markdown]
# With that, every run: from which temperature on the largest deviation stays above the limit (means over a
# few frames, so that no single atom decides), the worst atom of all frames, and what error it stands for.

# %%
#| label: tbl-trust
#| caption: Where runs leave what their potential knows: worst deviation of one atom, and the
#|   error that it stands for (median of the test frames).
labelled = {run.label: table for run, table in compared.items()}
where = disagreement.of_runs(labelled, deviation_limit, worth)
tables.headed_if_any(where)

# %% [markdown]
# ## The paper's procedures (its Table 3)
#
# The paper's heating runs, and the runs of this page at the same rates.

# %%
#| label: tbl-procedures
#| caption: The heating runs of the paper.
theirs = tables.of_paper("table3")
tables.headed(theirs.frame.rename(columns={"": "run"}))

# %%
#| label: tbl-table3
#| caption: The paper's procedures beside our runs of the same rate.
tables_of_runs.table3(runs)

# %%
#| label: tbl-transitions
#| caption: The paper's transition temperatures beside ours at the same rate.
tables_of_runs.transitions(runs, own)

# %% [markdown]
# ## Speed (Fig. 2)
#
# Slow heating is a matter of computing time: half the rate, twice the steps. The paper gives two
# speeds that do not agree; ours are from the runs' provenance, start-up left out. The last row says
# how many core-microseconds one step costs per atom, which is what to compare between systems of
# different size. [Chapter 7](07_costs.ipynb) compares engines.

# %%
#| label: tbl-speed
#| caption: How fast the runs of this page were.
tables_of_runs.speed(runs)

# %% [markdown]
# ## What this chapter found
#
# Whether anything melts is asked in [chapter 5](05_low_density_phase.ipynb).

# %% tags=["verdict"]
findings = [
    claims_on_rates.slow_heating(own, other_cells),
    claims_on_rates.rate_dependence(own, other_cells),
    claims_on_rates.size(sized),
]
if pressed:
    findings += [claims_on_rates.pressure(scanned, uncorrected_at)]
    findings += [claims_on_rates.offset(scanned)]
Markdown(claims.markdown(findings))

# %%
#| label: tbl-found-rates
#| caption: The numbers behind this.
claims.numbers(findings)

# %% [markdown]
# ## To try
#
# **Exercise 1.** How many hours would the slowest run of this page take at 1 K/ps, and how many years
# at the 10 K/min of a calorimeter?

# %% tags=["solution", "hide-cell"]
hours = slowest.provenance["seconds"] / 3600
for rate in [1.0, units.K_per_min_to_K_per_ps(10.0)]:
    longer = hours * slowest.rate / rate
    print(f"{rate:.2g} K/ps: {longer:.3g} h = {longer / 24 / 365:.2g} years")

# %% [markdown]
# **Exercise 2.** Heat one cell much faster than any run of this page, at 4000 K/ps. How far behind
# its target is the temperature? (For another rate: `make chapter CHAPTER=04_heating_rates
# ARGS="-p heating_rate 1000"`.)

# %% tags=["solution", "hide-cell"]
plan = replace(common, supercell=(1, 1, 1), equilibration_ps=0.1)
plan = replace(plan, heating_rate_K_per_ps=4000.0, segment_K=0.0)
(quick,) = by_name.made([plan], ranks)
off = quick.ramp["temperature_K"] - quick.ramp["target_temperature_K"]
print(f"{off.mean():.0f} K on average, {off.iloc[-1]:.0f} K at the end")

# %% [markdown]
# **Exercise 3.** The paper finds $T_\mathrm{f}$ = 1432 K at 1 K/ps. Where would it be at 0.2 K/ps, if
# the transition waited for one step of 150 kJ/mol? The paper finds 1352 K: is the energy larger or
# smaller than that?

# %% tags=["solution", "hide-cell"]
paper_rate, paper_Tf = rate_laws.of_paper()[0]
E_over_R = 150.0 / units.GAS_CONSTANT_KJ_PER_MOL_K
constant = np.log(paper_rate / paper_Tf**2) + E_over_R / paper_Tf
grid = np.linspace(1000.0, 1500.0, 5001)
rate = grid**2 * np.exp(constant - E_over_R / grid)
print(f"{np.interp(0.2, rate, grid):.0f} K at 0.2 K/ps")

# %% [markdown]
# ## What is still missing

# %%
missing = tables_of_runs.missing(runs, own)
asked = {"larger_runs": groups, "pressure_runs": pressed, "ensemble": compared}
empty = ", ".join(f"`{name}`" for name, there in asked.items() if not there)
if empty:
    missing.append(f"Parameters that this copy leaves empty: {empty}.")
Markdown("\n".join(f"- {one}" for one in missing))
