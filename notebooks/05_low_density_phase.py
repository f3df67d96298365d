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
#       - data/correction.yaml
#       - data/structures/{structure}.extxyz
#       - data/potentials/{potential}
#       - data/runs
#       - data/runs.yaml
#       - data/frames
#       - data/sets.yaml
#       - data/validation/outcomes.json
# ---

# %% [markdown]
# # 5 The low-density phase: what happens before melting?
#
# On slow heating the paper sees the density fall well before the framework melts, and calls what it
# finds there a low-density phase. Its explanation is {term}`ligand exchange`: imidazolates let go of
# one zinc and take another, the nodes become {term}`undercoordinated`, the network opens. This
# chapter takes one heating run, finds its stages in its own data, and measures what the explanation
# needs.
#
# **You will learn** how a run is cut into stages; whether density is lost everywhere or in voids;
# how to follow single bonds and ligands, and to give an upper limit where a short run saw none
# break; which molecules are whole, how the network is connected, and which atoms move first; and
# where the transition would be without any heating, from the pressure at constant volume and shape.
#
# **It needs** one heating run, found or made as in [chapter 4](04_heating_rates.ipynb). Figures are
# the counterparts of the paper's Figs. 4b–d, 5, 6a, S4 and S5.

# %% tags=["parameters"]
# fmt: off
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] any | cell: name in data/structures, or a file of yours
supercell: list[int] = [1, 1, 1]  # [-] 1..6 | repetitions along a, b, c
potential: str = "atp"  # [-] any | all-temperature potential: name in data/potentials, or a folder
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
stage_edges: list[float] = [300, 1300, 1400, 1550, 1700, 2100]  # [K] 0..5000 | the paper's stages
box_edge: float = 5.0  # [A] 1..20 | edge of the boxes of the local density (paper: 5 A)
cutoff: float = 2.5  # [A] 1.5..4 | Zn-N pairs nearer than this are bonds (paper: 2.5 A)
release: float = 3.5  # [A] 1.5..6 | a bond is lost when its N is farther away than this
temperature_step: float = 100.0  # [K] 1..1000 | windows of temperature for rates, shares, widths
bin_width: float = 0.02  # [A] 0.005..0.2 | bins of g(r) for peak widths
cooled_runs: list[str] = []  # [-] any | runs that cool back from a ramp (data/runs.yaml)
volume_runs: list[str] = []  # [-] any | runs at constant volume, or groups of them (data/runs.yaml)
smoothing: float = 0.03  # [A] 0..0.2 | smearing of the Zn-N g(r) before its width is read; 0: none
# fmt: on

# %% tags=["remove-cell"]
from helpers.book import parameters

# what papermill injects as text becomes a list, a number, a truth value
given = parameters.accepted("05_low_density_phase", globals())
globals().update(given)

# %% tags=["imports"]
import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import statistics
from helpers.md import snapshots
from helpers.observables import coordination, density_stages, displacement
from helpers.observables import free_energy, ligand_exchange, local_density
from helpers.observables import molecules, network, peaks, perturbation
from helpers.observables import rdf, transition
from helpers.recipes import outcomes, runs, volumes
from helpers.report import claims, claims_on_rates, constant_volume
from helpers.report import plots_of_phase, plots_of_scattering, tables
from helpers.report import structure_view, tables_of_phase, tables_of_runs
from helpers.validation import accuracy, energy_differences

# %% [markdown]
# ## The run and its stages

# %%
run = runs.of_page(given)  # by the parameters of this page
Markdown(runs.whose(potential))

# %%
heated = run.trajectory
table = run.ramp if len(run.ramp) else run.thermo  # it may have exploded early
T = heated.temperatures_K
ramped = table["target_temperature_K"], table["density_g_cm3"]

# %% [markdown]
# Two measurements cut the run into stages. The **density**: a piecewise-linear fit, in which the
# {term}`BIC` chooses the number of pieces (`density_stages.find`). The first piece is the crystal.
# The others are named by what they do against its line, extended: *pre-melt* falls away from the
# crystal, *low density* lies below, *return* comes back from there, *dense* lies above. And the
# **motion**: all is called *melt* from where Zn stays farther from its site than half the way to the
# next Zn, which is less than a {term}`melt` of chapter 6. $T_\mathrm{f}$, where the density begins to
# fall, is fitted on its own (chapter 4).

# %%
everything = heated.positions, heated.cells, heated.symbols
moved = displacement.rmsd(heated.positions, heated.symbols, cells=heated.cells)
half_way = displacement.half_way(*everything)
melt = density_stages.stays_above(T, moved["Zn"], half_way)
found = density_stages.find(*ramped, melt)
fall = transition.by_methods(*ramped)
melted = claims.melting(melt, moved["Zn"], half_way)
Markdown(f"- {fall}.\n- {melted}")

# %% tags=["figure", "key-figure"]
#| label: fig-stages
#| caption: Density of the run that the title names, its samples pale, a running mean on top.
#|   Bands with a name are its stages; a run that the fit leaves in one piece has a band where
#|   its density falls, from $T_\mathrm{f}$ on. The dashed line is the density that the paper
#|   gives for its crystal, a fifth lower than that of the paper's own supercell: compare how far
#|   the density falls, not where it ends.
#| alt: Density against temperature over bands, and a dashed horizontal line for the
#|   paper.
title = f"{run.rate:g} K/ps, seed {run.seed}, {run.atoms} atoms"
ax = plots_of_phase.density_with_stages(table, found, fall, title)

# %%
#| label: tbl-stages
#| caption: The stages. The last column is the density against the line of the
#|   crystal, extended.
several = len(found) > 1
tables.headed(density_stages.table(found)) if several else None

# %%
Markdown(claims.one_piece(found, fall))

# %% [markdown]
# Which density here is that of the paper's crystal (see the page on its
# [contradictions](../book/contradictions.md))?

# %%
crystal = ramped[1][ramped[0] < fall.Tf].mean() if fall.found else None
Markdown(claims.densities(found, None if several else crystal))

# %% [markdown]
# What follows compares the stages. A run in one piece is cut at the temperatures of the paper's
# stages, which here are windows of temperature, not phases.

# %%
#| label: tbl-stage-windows
#| caption: The windows of temperature that are compared.
windows = snapshots.by_stage(heated, found, stage_edges)
tables_of_phase.windows(windows)

# %% [markdown]
# ## Structure at the stages (Figs. 4c, d)
#
# Total $g(r)$, and that of the pairs that carry the network. Where the first and the second Zn–N
# peak run into each other, bonds stretch or break. Where the peaks of Zn–Zn behind the first are
# gone, the order of the framework is gone. The paper shows its run at 1 K/ps; here it is the slowest
# finished run of this cell, cut into its own stages by its density.

# %%
slow = outcomes.runs_alike(run).slowest
path, ramp = heated, table  # of the run of this page
if slow != run:
    path, ramp = slow.trajectory, slow.ramp
density = ramp["target_temperature_K"], ramp["density_g_cm3"]
stages = density_stages.find(*density, melt if slow == run else None)
curves = {}
for name, part in snapshots.by_stage(path, stages, stage_edges).items():
    pairs = zip(part.positions, part.cells, strict=True)
    curves[name] = rdf.rdfs(pairs, part.symbols, images=True)

# %%
half = path.widest_radius_A
Markdown(
    f"The slowest run here is `{slow.name}` at {slow.rate:g} K/ps; half of "
    f"its cell is {half:.1f} Å."
)

# %% tags=["figure"]
#| label: fig-rdf-stages
#| caption: g(r) of the slowest run at each of its stages, total and of three pairs,
#|   with a band of one standard error. Look between the Zn–N peaks, where broken
#|   bonds are, and at the Zn–Zn peaks behind the first, which are the order of
#|   the framework. Farther than half of the cell (its length is given above),
#|   periodic images distort the curves.
#| alt: Four panels of g(r), one curve for each stage.
figure = plots_of_phase.pair_rdfs(curves)

# %% tags=["figure"]
#| label: fig-snapshots
#| caption: The last snapshot of each window, one after the other (the paper's
#|   Fig. S4). Turn it, or let it play. A cell of more than 3000 atoms turns
#|   without its hydrogen.
#| alt: Ball-and-stick pictures of the cell at rising temperatures.
last = {}
for name, part in windows.items():
    last[name] = molecules.unbroken(part.atoms())
structure_view.movie(last)

# %% [markdown]
# ## Local density (Fig. 5)
#
# The paper counts atoms in boxes of 5 Å. Here each cell vector is cut into whole boxes as near to
# that edge as possible; they swell and shrink with the cell. First the map in space of the window
# with the lowest density, a mean over time (Fig. 5a). Then all windows side by side, averaged along
# the third cell vector as well (Figs. 5b–d).

# %%
local = {}
for name, part in windows.items():
    where = part.positions, part.cells
    local[name] = local_density.local_density(*where, box_edge)
first = next(iter(local.values()))
means = {name: one.density.mean() for name, one in local.items()}
lowest = min(means, key=means.get)
edges = ", ".join(f"{edge:.2f}" for edge in first.edges)
Markdown(f"There are {first.counts[0].size} boxes, with edges of {edges} Å.")

# %% tags=["figure"]
#| label: fig-boxes
#| caption: Mean density in the boxes of the window with the lowest density, a ball
#|   in the middle of each box. Balls of one colour side by side are a region that is
#|   denser or emptier than the rest.
#| alt: Balls on a lattice in the cell, coloured by the density of their boxes.
thinnest = local[lowest]
structure_view.boxes(thinnest.map(), thinnest.cell, title=lowest)

# %% tags=["figure"]
#| label: fig-density-maps
#| caption: Maps of the local density of each window in one scale of colours. The
#|   structure of a crystal shows in them; a melt would be flat.
#| alt: A map of coloured squares with a slider over the windows.
plots_of_phase.density_maps(local)

# %% [markdown]
# The maps are means over time. The distribution counts every box of every snapshot: a low-density
# phase moves it to the left, voids give it a second hump near zero. Is it more than noise? The
# dashed line is for as many atoms thrown into the same cell at random.

# %% tags=["figure"]
#| label: fig-local-density
#| caption: How many boxes have which density, in each window. A hump that
#|   moves left has opened everywhere; a second hump near zero is a void; the
#|   dashed line is chance.
#| alt: Humped curves, one for each window, and a dashed one for random atoms.
n_atoms = len(heated.symbols)
random = local_density.thrown_at_random(n_atoms, heated.cells, box_edge)
ax = plots_of_phase.local_densities(local, random)

# %% [markdown]
# {term}`Unevenness <unevenness>` is the variance between boxes over that of the random
# atoms: 1 for a gas, 0 for boxes that all hold the same number, more than 1 where clumps or pores
# are as large as a box. The crystal's own pores count, so only a change in it means anything.
# *Lasting* is the fraction of the variance that survives time averaging.

# %%
#| label: tbl-unevenness
#| caption: How uneven the density is in each window.
known = local | {"thrown at random": random}
uneven = local_density.heterogeneity(known)
tables.headed(local_density.table(uneven))

# %%
#| label: tbl-voids
#| caption: How much of the cell is empty: the share of its volume that the centre of
#|   a small ball (helium) can reach. Means over twenty snapshots of each window, or all,
#|   with standard errors.
tables_of_phase.voids(windows)

# %% [markdown]
# ## Coordination of Zn
#
# In the crystal each Zn has four N. A Zn with fewer ($\mathrm{ZnN}_x$, $x < 4$) has lost a bond, by
# the paper's rule: only N within 2.5 Å count. A bond that is only stretched counts as lost, too.

# %% tags=["figure"]
#| label: fig-coordination-shares
#| caption: Shares of Zn that have x N within the cutoff, a running mean. The grey
#|   band, Zn with four, narrows where nodes lose a neighbour.
#| alt: Stacked areas of the shares of Zn with none to six N.
numbers = coordination.coordination_number(*everything, "Zn", "N", cutoff)
names = ["0", "1", "2", "3", "4", "5", "6 or more"]
shares = coordination.histogram(numbers, maximum=6)
shares = pd.DataFrame(shares, columns=names)
smooth = max(1, len(shares) // 50)
smooth = shares.rolling(smooth, center=True, min_periods=1).mean()
ax = plots_of_phase.coordination_shares(T, smooth)

# %% [markdown]
# Does that rule measure broken bonds? Then its share of undercoordinated Zn would not change while
# the cutoff moves through the valley between the first and the second shell.

# %% tags=["figure"]
#| label: fig-cutoff
#| caption: Undercoordinated Zn against the cutoff, in the first and the last
#|   window. A rule that counts broken bonds would be flat beside the dashed line.
#| alt: Falling curves of the share of undercoordinated Zn, and a dashed line.
radii = np.linspace(cutoff - 0.3, cutoff + 1.0, 14)
sensitive = {}
for name in dict.fromkeys([next(iter(windows)), list(windows)[-1]]):
    part = windows[name]
    where = part.positions, part.cells, part.symbols
    sensitive[name] = coordination.cutoff_sensitivity(*where, radii)
ax = plots_of_phase.cutoffs(sensitive, cutoff)

# %% [markdown]
# ## Bonds and ligand exchange
#
# A count of neighbours does not say *which* N is bound to which Zn. So each N is followed on its own
# (`ligand_exchange.bonds`). It keeps its Zn while that is nearer than the cutoff. Beyond, it goes
# over to another Zn that is nearer than the cutoff, or keeps its own up to a second, longer
# distance, `release`, behind the barrier; farther away it is free. A bond that ends has *returned*
# when the same two meet again, was *exchanged* when the N takes another Zn, and is *open* when the N
# is still free at the end.

# %%
#| label: tbl-bonds
#| caption: What became of the Zn–N bonds.
limits = {"cutoff": cutoff, "release": release}
bonds = ligand_exchange.bonds(*everything, heated.times_ps, T, **limits)
tables_of_phase.bonds(bonds)

# %% tags=["figure"]
#| label: fig-events
#| caption: Bonds that broke, bonds that were exchanged and imidazolates that
#|   moved to another Zn, counted from the start. A band, where a fall was found,
#|   is where the density falls: a cause of the fall would have to come before it.
#| alt: Three staircases that rise with temperature, the first before the others.
ax = plots_of_phase.events(bonds, fall)

# %% [markdown]
# The same question as above, now by the bonds that are followed: how many Zn hold fewer than four N?
# The Zn that only the rule of the cutoff counts have {term}`stretched bonds <stretched bond>`.

# %% tags=["figure"]
#| label: fig-undercoordinated
#| caption: Undercoordinated Zn by the paper's rule and by bonds that are
#|   followed. The gap between the two lines is Zn whose bonds are only
#|   stretched.
#| alt: Two curves of the share of undercoordinated Zn against temperature.
under = {
    f"by the cutoff of {cutoff:g} Å": numbers,
    f"by the bonds, lost at {release:g} Å": bonds.held,
}
binned = {}
for name, held in under.items():
    share = 100 * coordination.undercoordinated(held)
    mean = statistics.bin_by_temperature(T, share, temperature_step)
    binned[name] = mean.dropna()
ax = plots_of_phase.shares(binned, "undercoordinated Zn")

# %% [markdown]
# How far a bond may stretch before it counts as lost is a choice, so that share is found for other
# choices of `release`, too; the findings give the range.

# %%
by_release = {}
for lost_at in [max(cutoff, release - 0.5), release, release + 0.5]:
    limits = {"cutoff": cutoff, "release": lost_at}
    other = ligand_exchange.bonds(*everything, heated.times_ps, T, **limits)
    share = 100 * coordination.undercoordinated(other.held)
    mean = statistics.bin_by_temperature(T, share, temperature_step)
    by_release[lost_at] = mean.dropna()

# %% [markdown]
# The rates of one bond in windows of temperature come with the limits of a Poisson process at 95 %.
# Where no event was seen there is only an upper limit (open triangles). The inverse of the rate is
# the mean lifetime of a bond. An {term}`Arrhenius law` is fitted to the counts of this one ramp where
# there are enough ([chapter 3](03_test_vs_atp.ipynb) has runs that are held). Windows far below the
# first broken bond are left out: nothing was seen there.

# %%
edges = np.arange(T.min(), T.max() + 1.01 * temperature_step, temperature_step)
rate = bonds.rates(edges)
laws, why_not = ligand_exchange.activation(rate)
Markdown(tables_of_phase.activation_energies(laws, why_not))

# %% tags=["figure"]
#| label: fig-rates-of-bonds
#| caption: Rates at which one bond breaks and is exchanged, with 95 % limits;
#|   open triangles are upper limits where nothing was seen. Points on a
#|   straight line follow Arrhenius' law.
#| alt: Points with error bars against 1000/T, and triangles where no event was
#|   seen.
begun = np.argmax(rate["broken"] > 0) if len(rate) else 0
seen = rate.iloc[max(0, begun - 2) :]
if len(seen):
    ax = plots_of_phase.event_rates(seen, laws)

# %%
#| label: tbl-rates-of-bonds
#| caption: The same rates in numbers, with their 95 % limits.
tables.headed(ligand_exchange.table(seen))

# %% [markdown]
# ## Molecules
#
# Above its melting temperature the paper sees decomposition and clusters of hydrogen, which it calls
# unphysical. An imidazolate is intact when its bonds make the ring N–C–N–C–C with one H on each C.
# Everything else is counted by its formula: C₃H₃N₂ there is a ring that has opened, C₆H₆N₄ two
# ligands that touch. In a hot crystal a bond is now and then too long for a moment. A break is
# *lasting* only when the same ligand stays broken for many vibrations of its ring
# (`molecules.spells`).

# %%
#| label: tbl-molecules
#| caption: Whole and broken imidazolates.
census = molecules.census(*everything)
broken = molecules.spells(census.ligand_broken, heated.times_ps)
clusters = molecules.spells(census.clusters > 0, heated.times_ps)
tables_of_phase.molecules(census, broken)

# %%
#| label: tbl-formulas
#| caption: What else was found than imidazolates and Zn.
tables_of_phase.formulas(census.formulas())

# %% tags=["figure"]
#| label: fig-molecules
#| caption: Shares of broken imidazolates and of loose hydrogen against
#|   temperature. The paper sees both above 1700 K; lines at zero say that all
#|   ligands are whole.
#| alt: Three lines of shares against temperature.
n_ligands = max(census.possible, 1)
lasting = molecules.still_broken(broken, len(heated))
parts = {
    "imidazolates broken at the moment": census.broken / n_ligands,
    "imidazolates in a lasting break": lasting / n_ligands,
    "H off C and N": census.hydrogen / max((heated.symbols == "H").sum(), 1),
}
mean = {}
for name, share in parts.items():
    means = statistics.bin_by_temperature(T, 100 * share, temperature_step)
    mean[name] = means.dropna()
ax = plots_of_phase.shares(mean, "share")

# %% [markdown]
# ## The network
#
# Zn are the nodes, imidazolates that bind two of them the edges. A ring counts when no way through
# the network is shorter than along it. In ZIF-4 (net {term}`cag`) the smallest ring at one of the six
# angles of each Zn has four Zn, at the other five it has six; rings of eight Zn that no shorter way
# crosses come on top. The bars show rings *for each Zn*: the rings of the cell over its Zn.

# %% tags=["figure"]
#| label: fig-rings
#| caption: Rings of the network for each Zn, in the last snapshot of each
#|   window. Where a later window has fewer rings than the first, the network
#|   has been cut; where it has others, it has been joined anew.
#| alt: Groups of bars by the number of Zn in a ring.
nets = {}
for name, part in windows.items():
    last = np.searchsorted(heated.steps, part.steps[-1])
    nets[name] = network.of_frame(bonds, int(last))
rings = {name: network.rings(net) for name, net in nets.items()}
ax = plots_of_phase.ring_sizes(rings, len(bonds.metal))

# %%
#| label: tbl-network
#| caption: The network in the last snapshot of each window.
tables_of_phase.networks(nets)

# %%
start = network.rings(network.of_frame(bonds, 0)) / len(bonds.metal)
sizes = [f"{start[size]:g} with {size} Zn" for size in np.flatnonzero(start)]
Markdown(f"The first snapshot has rings, for each Zn: {', '.join(sizes)}.")

# %% [markdown]
# ## Who moves first? (Fig. S5)
#
# The root-mean-square displacement from the first snapshot, per element, with the drift of the
# centre of mass and the even swelling of the cell taken off. The paper finds that N, C and H of the
# ligands set out earlier than Zn. The height of a curve does not tell: H at the rim of a ligand
# swings farther than Zn in any crystal. What tells is its *onset*, where it leaves the course of a
# vibration (`density_stages.onset`).

# %% tags=["figure"]
#| label: fig-displacement
#| caption: Root-mean-square displacement of each element. The dotted lines
#|   mark the onsets, where an element leaves the course of its vibration:
#|   which is the leftmost?
#| alt: One curve for each element, dotted lines at the onsets.
onsets = {e: density_stages.onset(T, path) for e, path in moved.items()}
step = temperature_step / 2
paths = {}
for element, path in moved.items():
    paths[element] = statistics.bin_by_temperature(T, path, step)
ax = plots_of_phase.displacements(paths, onsets, half_way)

# %%
said = []
for element, onset in onsets.items():
    at = onset and f"{onset.temperature_K:.0f} ± {onset.error_K:.0f} K"
    said.append(
        f"{element} sets out at {at}" if at else f"{element} shows no onset"
    )
Markdown("; ".join(said) + ".")

# %% [markdown]
# ## Lindemann ratios (Fig. 6a)
#
# Lindemann's old rule says that a crystal melts when the amplitude of its atoms (root mean square) is
# about a tenth of their spacing. The paper takes the full width at half maximum ({term}`FWHM`) of the
# first peak of $g(r)$ over its position. That is another ratio: the FWHM of a Gaussian is
# $2\sqrt{2 \ln 2} = 2.35$ times its amplitude, and a peak shows how two atoms move against each other, so
# that the tenth says nothing of this ratio: look at how it changes. For Zn–N it is that of the bond,
# for Zn–Zn that of the network. In the paper both widths go
# alike at first (up to the dotted line); then the bond widens faster; in the grey range Zn–N stays
# and Zn–Zn gets narrower.
#
# A $g(r)$ of few snapshots is noisy. So it is smoothed with a narrow Gaussian before its width is
# read (three times as wide for Zn–Zn, which is three times as far), and the square of the Gaussian's
# width is subtracted again from that of the peak. Points: width at half height. Crosses: a fitted Gaussian; where the two differ, the
# peak is skewed or merges with the next.

# %%
warm = snapshots.by_temperature(heated, temperature_step)
bond, net = [], []
for part in warm.values():
    pairs = zip(part.positions, part.cells, strict=True)
    fine = rdf.rdfs(pairs, part.symbols, 8.0, bin_width, images=True)
    bond.append(fine["Zn", "N"])
    net.append(fine["Zn", "Zn"])
widths = [peaks.track(warm, bond, smoothing)]
widths = pd.concat([*widths, peaks.track(warm, net, 3 * smoothing)])

# %% tags=["figure"]
#| label: fig-peak-widths
#| caption: Width of the first Zn–N and Zn–Zn peaks (left), and the same over
#|   their position (right). Within each of the paper's ranges (dotted line,
#|   grey), which of the two rises faster?
#| alt: Widths of both peaks against temperature, left in Å, right as a ratio.
figure = plots_of_phase.peak_widths(widths)

# %%
#| label: tbl-peak-widths
#| caption: The same in numbers, widths at half height with their standard errors.
for row in widths[widths["note"] != ""].itertuples():
    print(f"{row.pair}, {row.temperature_K:.0f} K: {row.note}")
numbers = peaks.table(widths)
fitted = [column for column in numbers if "Gaussian" in str(column)]
tables.headed(numbers.drop(columns=fitted))

# %%
#| label: tbl-growth
#| caption: How much each peak widens in the paper's three ranges, by a straight
#|   line through the widths.
ranges = plots_of_phase.range_edges(T.min())
growth = {limits: peaks.growth(widths, *limits) for limits in ranges}
tables_of_phase.growth(growth)

# %% [markdown]
# ## Other shapes of the cell, and the way back
#
# One factor for all three lengths (`iso`) allows a cell nothing but to swell. Does that hide a fall,
# or make one? Beside it stand runs whose three lengths are free (`aniso`), or the angles, too
# (`tri`). And a cell that opens in equilibrium closes where it opened when it is cooled; if it closes
# later, or stays open, it had to be driven. Both are read as
# [written down before](../book/estimators.md).

# %%
any_cell = outcomes.runs_alike(run, any_cell=True)
seeds = outcomes.of_runs(any_cell)
departures = outcomes.departures(any_cell, seeds)
free = [one for one in any_cell if one.name in departures]
none = "No run of another shape is finished for this potential and pressure."
Markdown("" if free else none)

# %% tags=["figure"]
#| label: fig-shapes
#| caption: Ratios of the lengths a and b of a cell to its length c (full and dotted),
#|   over those at the start, a colour for each run (running means); free are the three
#|   lengths, or the angles, too. A cell that swells alike in all directions stays at 1;
#|   one that leaves it before the density falls does what an isotropic barostat forbids.
#| alt: Two lines for each run, near one where the cell keeps its shape.
if free:
    ax = plots_of_phase.shapes(free)

# %%
finished = runs.finished(cooled_runs).values()
cooled = [one for one in finished if one.potential == potential]
back = outcomes.cooled_back(cooled)
none = "No run that cools is finished for this potential (`cooled_runs`)."
Markdown("" if len(back) else none)

# %% tags=["figure"]
#| label: fig-cooled
#| caption: Density on the way up (the run of this page) and down (running means).
#|   Where the two part is hysteresis; where the lower one ends is what the cell
#|   has become.
#| alt: Curves of density against temperature, one up and one for each way down.
ways = {f"heated, seed {run.seed}": table}
ways |= {f"cooled, seed {one.seed}": one.ramp for one in cooled}
if len(back):
    ax = plots_of_scattering.down_and_up(ways)

# %% [markdown]
# ## The transition without heating: constant volume, fixed shape
#
# A ramp shows when a cell changes, not when it should. What it should do, as long as it keeps its
# shape, follows from its free energy. In runs at constant volume $V$ and temperature $T$, all with
# the ratios of lengths that the relaxed crystal has, the mean pressure $P$ is measured, and
#
# $$ F(V, T) - F(V_0, T) = -\int_{V_0}^{V} P(V', T)\, \mathrm{d}V', \qquad G = F + pV. $$
#
# At the pressure $p$ of the barostat a cell of $N$ atoms has the volume $V$ with a probability
# $\propto \mathrm e^{-G/k_\mathrm BT}$. Two minima of $G$ are two phases; where they are equally deep, the
# transition is, whatever the rate of heating. One minimum that moves is no transition. All
# pressures are drawn again from their errors, and everything is found anew from each draw. How this is
# judged was [written down](../book/estimators.md) before there was a run; what has changed since is
# there, too.
#
# A cell whose lengths are free has other states. The crystal that closes under pressure
# ([chapter 6](06_glass.ipynb)) has another shape, and so have heated cells before they open
# (above, where such runs are there). Neither is among the states that are looked at here.
#
# The mass of hydrogen plays no part here. At a given volume and temperature, the mean pressure of
# classical atoms depends on where they are, not on how heavy they are.
#
# The reference of this potential lacks a pressure that DFT adds ([chapter 1](01_data.ipynb)), and that is
# a function of the volume alone. At constant volume such an energy favours no configuration over
# another, so the same runs give both: $P(V)$ *corrected*, and *uncorrected* as a potential
# would have it that was never shown a stress.
#
# The potential has errors of its own, too. On saved frames of these runs, with $\Delta$ the energy of
# an atom by the corrected reference less that by the potential, perturbation theory gives the
# free energy of the reference itself,
#
# $$ (F_\mathrm{ref} - F)/N = \langle\Delta\rangle - N\,\mathrm{var}(\Delta)/2k_\mathrm BT + \dots, $$
#
# whose slope is a pressure. What follows is called *reference, corrected*.

# %%
points, lacking = volumes.points(volume_runs, structure, potential)
by_size = volumes.curves(points)
few_atoms = min(by_size, default=0)
cell, *bigger = by_size.values() or [[]]
wider = free_energy.smoothness(cell).factor
wide = [curve.widened(wider) for curve in cell]

# %%
frames, absent = energy_differences.of_runs(points, structure, potential)
shift, orders, enough = None, {}, False
if cell and len(frames):
    shift = perturbation.shift(frames, few_atoms)
    orders = volumes.by_order(wide, shift, few_atoms, pressure)
    enough = volumes.second_is_enough(orders)

# %%
best = shift if enough else None
variants = volumes.variants(wide, structure, potential, best) if cell else {}
equilibrium = {}
for name, each in variants.items():
    equilibrium[name] = free_energy.equilibrium(each, few_atoms, pressure)

# %%
few = "This copy has too few runs at constant volume (`volume_runs`). "
said = f"Not here: {lacking}. " if lacking else ""
if cell and absent:
    said += f"No energies of the reference: {absent}."
Markdown(f"{'' if cell else few}{said}")

# %%
#| label: tbl-points
#| caption: Mean pressure (GPa) at each volume of an atom (rows) and temperature
#|   (columns), with errors from blocks. In brackets: N that have left their Zn
#|   by the end; such a point is not of the crystal.
constant_volume.points(points) if len(points) else None

# %%
#| label: tbl-points-refused
#| caption: Points that are not used, and why.
refused = constant_volume.refused(points)
tables.headed_if_any(refused)

# %%
before = None
if cell:  # with the errors of blocks alone
    before = free_energy.equilibrium(cell, few_atoms, pressure)
Markdown(constant_volume.scatter(cell, before) if cell else "")

# %% tags=["figure"]
#| label: fig-isotherms
#| caption: Pressure (left; squares, if any, are a larger cell) and free energy (right)
#|   against volume, at fixed shape. A loop in the pressure, up again on the way to larger
#|   volumes, is what two phases look like; a curve that only falls has one.
#| alt: Falling curves of pressure with error bars and curved lines of free energy, one
#|   for each temperature.
if cell:
    figure = constant_volume.isotherms(wide, *bigger[:1])

# %% tags=["figure"]
#| label: fig-perturbation
#| caption: Energy of the corrected reference less that of the potential on frames of these
#|   runs, means with their errors, and the law of all of them. Where it rises with the
#|   volume, the reference holds the crystal denser than the potential does.
#| alt: Points with error bars and a curve for each temperature.
if shift:
    ax = constant_volume.differences(frames, shift)

# %%
Markdown(constant_volume.perturbed(shift, orders, enough) if shift else "")

# %% tags=["figure"]
#| label: fig-wells
#| caption: Free enthalpy G of the whole cell above its lowest value, in units of kT, with and
#|   without the correction. Two minima would be two phases. A volume three units up is a
#|   twentieth as likely as the likeliest.
#| alt: Curves with one or two minima for each temperature, in one or two panels.
if cell:
    figure = constant_volume.wells(variants, few_atoms)

# %% tags=["figure"]
#| label: fig-expansion
#| caption: Volume of an atom in equilibrium against temperature, with and without the
#|   correction, at fixed shape, and the run of this page (the line without colour).
#|   Open triangles are limits: G at an end of the range of volumes is less than 3 kT above
#|   its minimum, and the true volume lies beyond. Where the run is left behind by the
#|   points, the heated cell is overheated.
#| alt: Lines with error bars that rise with temperature, and a black line.
volume = table["volume_A3"] / len(heated.symbols)
at_rate = table.assign(volume_A3=volume)
if cell:
    ax = constant_volume.expansion(equilibrium, at_rate)

# %%
#| label: tbl-equilibria
#| caption: Mean volumes in equilibrium at fixed shape, the number of minima of G, and the
#|   barrier between them. > and < are limits: the range of volumes ends where G of the cell
#|   is less than 3 kT above its minimum.
constant_volume.equilibria(equilibrium) if cell else None

# %%
used_points = points[points["refused"] == ""]
used_points = used_points.assign(error_bar=wider * used_points["error_bar"])
both = free_energy.compared(used_points) if cell else None
Markdown(constant_volume.sizes(both) if cell else "")

# %%
biased = ""
if cell and not enough:
    shifts = accuracy.crystal_to_open(potential, seeds)
    opens = next(iter(equilibrium.values())).temperature_K
    at = opens if np.isfinite(opens) else cell[-1].temperature_K
    biased = constant_volume.bias(shifts, few_atoms, at)
Markdown(f"Of the potential itself: {biased}." if biased else "")

# %% [markdown]
# ## What this chapter found
#
# Claim (4) of the paper: a low-density state appears before melting and comes from ligand exchange.
# Neither one run nor one cell decides that: here are all finished runs of this crystal, whatever
# their rate, {term}`seed`, size and shape ([chapter 4](04_heating_rates.ipynb) says how they are read). What is
# said of bonds, peaks, motion and voids is of the run of this page alone; a difference counts from two
# standard errors on.

# %%
#| label: tbl-seeds
#| caption: In which runs does the density fall, does a bond break before it has
#|   fallen, and do Zn leave their sites? Where nothing was seen, "> T" is the
#|   temperature up to which it would have been; the last column is how often a
#|   planted fall of 10 % is seen in this run's noise.
shown, same = tables_of_runs.outcomes(seeds)
tables.headed(shown)

# %%
Markdown(f"The same for all runs: {same}." if same else "")

# %%
on_way = [
    claims_on_rates.shape(seeds, departures),
    claims_on_rates.reversible(back),
    constant_volume.transition(equilibrium, points, lacking, biased, before),
]
if cell:
    on_way += [constant_volume.offset(variants, points)]

# %%
per_zinc = len(bonds.nitrogen) / len(bonds.metal)
on_phase = [
    claims_on_rates.low_density(seeds),
    claims_on_rates.exchange(seeds),
    *on_way,
    claims.exchange_at_paper_rate(rate, per_zinc),
    claims.undercoordination(*binned.values(), bonds, cutoff, by_release),
]

# %%
alike, faster, plateau = growth.items()
of_windows = uneven.query("stage != 'thrown at random'")
when = {name: part.times_ps for name, part in windows.items()}
on_motion = [
    claims.motion(onsets, moved, T),
    claims.decomposition(broken, clusters, census, T),
    claims.peaks_alike(alike[1], alike[0][1]),
    claims.peaks_faster(faster[1], *faster[0]),
    claims.peaks_plateau(plateau[1], *plateau[0]),
    claims.heterogeneity(of_windows, n_atoms, when),
]

# %% tags=["verdict"]
findings = on_phase + on_motion
Markdown(claims.markdown(findings))

# %%
#| label: tbl-found-phase
#| caption: The numbers behind this.
claims.numbers(findings)

# %% [markdown]
# ## To try
#
# **Exercise 1.** By how much do the broken bonds change when a bond counts as lost at 3.0 Å instead
# of 3.5 Å?

# %% tags=["solution", "hide-cell"]
for lost_at in [3.0, 3.5, 4.0]:
    limits = {"cutoff": cutoff, "release": lost_at}
    other = ligand_exchange.bonds(*everything, heated.times_ps, T, **limits)
    ends = other.episodes["outcome"].value_counts()
    print(f"lost at {lost_at} Å: {ends.drop('end').sum()} bonds broken")

# %% [markdown]
# **Exercise 2.** The boxes of the local density have edges of about 5 Å. Is the density still more
# uneven in the low-density window with boxes of 3 Å and of 8 Å?

# %% tags=["solution", "hide-cell"]
for edge in [3.0, 5.0, 8.0]:
    boxes = {}
    for name, part in windows.items():
        where = part.positions, part.cells, edge
        boxes[name] = local_density.local_density(*where)
    ratios = local_density.heterogeneity(boxes)["unevenness"]
    print(f"{edge} Å:", ratios.round(2).tolist())

# %% [markdown]
# **Exercise 3.** The Lindemann ratio of a harmonic bond grows as the square root of the temperature.
# Fit the power of the Zn–N width below the fall: is it a half?

# %% tags=["solution", "hide-cell"]
of_bond = widths[widths["pair"] == "Zn–N"].dropna(subset="fwhm_A")
end = fall.Tf if fall.found else T.max()
cold = of_bond[of_bond["temperature_K"] < end]
if len(cold) > 1:
    x, y = np.log(cold["temperature_K"]), np.log(cold["fwhm_A"])
    print(f"power {np.polyfit(x, y, 1)[0]:.2f}")

# %% [markdown]
# ## What is still missing
#
# In what this run differs from the paper's:

# %%
watched = rate["exposure_ns"].sum()
why = tables_of_phase.differences(heating_rate, n_atoms, watched)
if run.exploded:
    why.append(f"The run ended early: {run.exploded}.")
unread = widths["fwhm_A"].isna().sum()
if unread:
    why.append(f"{unread} of {len(widths)} peak widths cannot be read.")
why.append(melted)
Markdown("\n".join(f"- {one}" for one in why))

# %%
#| label: tbl-page-phase
#| caption: How the run of this page was made.
more = {"profile": profile, "atoms": n_atoms, "frames": len(heated)}
tables.of_run(run.name, run.provenance, more)
