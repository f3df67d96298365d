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
# # 5 The low-density phase: what happens before melting?
#
# On slow heating the paper sees the density fall well before the framework melts, and calls what
# it finds there a low-density phase. Its explanation is ligand exchange: imidazolates let go of
# one zinc and take another, the nodes become undercoordinated, the network opens. This chapter
# takes one heating run, finds its stages in its own data, and measures what the explanation needs:
#
# 1. the **structure** at the stages: $g(r)$, and pictures to turn;
# 2. the **local density**: is density lost everywhere, or in voids, or is the difference noise?
# 3. the **coordination** of Zn, the **bonds** and their lifetimes, the **exchange** of ligands, and
#    an upper limit where a short run saw none;
# 4. the **molecules**: which imidazolates are whole, which are broken, is there loose hydrogen? And
#    the rings of the **network** that they build with Zn;
# 5. the **displacement** of each element: who sets out first? And the **width of the first peaks**
#    of the Zn–N and Zn–Zn $g(r)$: which widens faster, the bond or the network?
#
# The last section judges each claim of the paper by these numbers.

# %% tags=["parameters"]
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] ZIF-4, ZIF-4-experimental, Znim2-ABW | cell in data/structures
supercell: list[int] = [1, 1, 1]  # [-] 1..6 | repetitions along a, b, c
potential: str = "atp"  # [-] any | all-temperature potential: name in data/potentials, or a folder
temperature_start: float = (
    300.0  # [K] 1..5000 | temperature of the equilibration
)
temperature_end: float = (
    2100.0  # [K] 1..5000 | temperature at the end of the ramp
)
heating_rate: float = 20.0  # [K/ps] 0.01..5000 | rate of the ramp
equilibration: float = 5.0  # [ps] 0..1000 | time at the first temperature
timestep: float = 0.5  # [fs] 0.05..2 | time step of the dynamics
frame_every: float = (
    0.1  # [ps] 0.001..1000 | time between frames of the trajectory
)
seed: int = 1  # [-] 1..900000000 | seed of the first velocities
ranks: int = 1  # [-] 1..512 | MPI ranks of LAMMPS
stage_edges: list[float] = [
    300,
    1300,
    1400,
    1550,
    1700,
    2100,
]  # [K] 0..5000 | the paper's stages
box_edge: float = (
    5.0  # [A] 1..20 | edge of the boxes of the local density (paper: 5 A)
)
cutoff: float = (
    2.5  # [A] 1.5..4 | Zn-N pairs nearer than this are bonds (paper: 2.5 A)
)
release: float = (
    3.5  # [A] 1.5..6 | a bond is lost when its N is farther away than this
)
temperature_step: float = (
    100.0  # [K] 1..1000 | windows of temperature for rates, shares, widths
)
bin_width: float = 0.02  # [A] 0.005..0.2 | bins of g(r) for peak widths
smoothing: float = 0.03  # [A] 0..0.2 | smearing of the Zn-N g(r) before its width is read; 0: none

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from helpers import provenance, statistics
from helpers.md import heating, protocol, snapshots, thermo, trajectory
from helpers.observables import (
    coordination,
    density_stages,
    displacement,
    event_rates,
    ligand_exchange,
    local_density,
    molecules,
    neighbors,
    network,
    peaks,
    rdf,
    transition_of_seeds,
    void_fraction,
)
from helpers.report import claims, paper, plots, structure_view, style, tables

# %% [markdown]
# ## The run

# %%
recipe = protocol.HeatingRun(
    structure=structure,
    supercell=tuple(supercell),
    potential=potential,
    temperature_start_K=temperature_start,
    temperature_end_K=temperature_end,
    heating_rate_K_per_ps=heating_rate,
    equilibration_ps=equilibration,
    timestep_fs=timestep,
    frame_every_ps=frame_every,
    seed=seed,
)
run = heating.run(recipe, ranks=ranks, keep_exploded=True)
frames, table = trajectory.read(run), thermo.read(run, equilibration=False)
table = (
    table if len(table) else thermo.read(run)
)  # a run that exploded before its ramp
made = provenance.read(run)
T = frames.temperatures_K
tables.facts(
    {
        "profile": profile,
        "run": run.name,
        "description": made["description"],
        "atoms": len(frames.symbols),
        "frames": len(frames),
        "made": made["made"],
        "computing time (s)": made["seconds"],
        "hardware": f"{made['hardware']['processor']}, {made['hardware']['cores']} cores",
    },
    "The heating run",
)

# %% [markdown]
# ## The stages
#
# Two measurements cut the run into stages. The **density**: a piecewise-linear fit; BIC chooses the
# number of pieces (`density_stages.find`). The first piece is the crystal. The others are named by
# what
# they do against its line, extended: *pre-melt* falls away from the crystal, *low density* lies
# below, *return* comes back from there, *dense* lies above. And the **motion**: all is *melt* from
# where Zn stays farther from its site than half the way to the next Zn. $T_\mathrm{f}$, where the
# density begins to fall, is fitted on its own (Chapter 4).

# %%
moved = displacement.rmsd(frames.positions, frames.symbols, cells=frames.cells)
zinc = neighbors.select(frames.symbols, "Zn")
apart = neighbors.pairs(
    frames.positions[0], frames.cells[0], zinc, zinc, 10.0
).distance.min()
melt = density_stages.stays_above(T, moved["Zn"], apart / 2)
found = density_stages.find(
    table["target_temperature_K"], table["density_g_cm3"], melt
)
bend = transition_of_seeds.transition_by_methods(
    table["target_temperature_K"], table["density_g_cm3"]
)
print(bend, claims.melting(melt, moved["Zn"], apart / 2), sep="\n")
display(density_stages.table(found).style.hide(axis="index"))
ax = style.against_temperature(
    table["target_temperature_K"],
    table["density_g_cm3"],
    "density",
    "g/cm3",
    window=max(1, len(table) // 50),
)
plots.stage_bands(ax, found)
if bend.found:
    ax.axvline(
        bend.Tf,
        color="#d55e00",
        label=f"Tf = {bend.Tf:.0f} ± {bend.error:.0f} K",
    )
style.paper_line(ax, paper.value("stages.density_crystal_g_per_cm3"))
# %% [markdown]
# The dashed line is the density that the paper gives for its *crystal*. It is lower than that of
# the paper's own supercell (see the page on its contradictions). Which stage here is as dense?

# %%
print(claims.densities(found))

# %% [markdown]
# What follows compares these stages. A run that stays a crystal has only one; it is then cut at the
# temperatures of the paper's stages, which here are windows of temperature, not phases.

# %%
limits = [
    (f"{s.name}, {s.low_K:.0f}–{s.high_K:.0f} K", s.low_K, s.high_K)
    for s in found
]
if len(found) == 1:
    limits = [
        (f"{low:.0f}–{high:.0f} K", low, high)
        for low, high in zip(stage_edges[:-1], stage_edges[1:], strict=True)
    ]
windows = {
    name: part
    for name, low, high in limits
    if len(part := frames.between(low, high))
}
windows = windows or {"whole run": frames}
pd.DataFrame(
    {
        "window": list(windows),
        "snapshots": [len(part) for part in windows.values()],
        "highest temperature (K)": [
            round(part.temperatures_K.max()) for part in windows.values()
        ],
    }
).style.hide(axis="index")

# %% [markdown]
# ## Structure at the stages
#
# The counterpart of the paper's Figs. 4c and 4d: total $g(r)$, and that of the pairs that carry the
# network, with a band of one standard error. Where the first and the second Zn–N peak run into
# each other, bonds stretch or break. Where the peaks of Zn–Zn behind the first are gone, the order
# of the framework is gone.

# %%
curves = {
    name: rdf.rdfs(
        zip(part.positions, part.cells, strict=True), part.symbols, images=True
    )
    for name, part in windows.items()
}
plots.rdf_stages(curves, [None, ("Zn", "N"), ("Zn", "Zn"), ("Zn", "C")])
print(
    f"Beyond {neighbors.widest_radius(frames.cells):.1f} A, half of this cell, g(r) meets the "
    "periodic images of what it has seen before."
)

# %% [markdown]
# The last snapshot of each window (paper, Fig. S4; in a notebook they can be turned).

# %%
for name, part in windows.items():
    display(structure_view.view(molecules.unbroken(part.atoms()), title=name))

# %% [markdown]
# ## Local density
#
# The paper counts atoms in boxes of 5 Å (Fig. 5). Here each cell vector is cut into whole boxes as
# near to that edge as possible; they swell and shrink with the cell. First the map in space of the
# window with the lowest density, a mean over time (paper, Fig. 5a). Then all windows side by side,
# averaged along the third cell vector as well (Figs. 5b–d).

# %%
local = {
    name: local_density.local_density(
        part.positions, part.cells, box_edge, part.symbols
    )
    for name, part in windows.items()
}
first = next(iter(local.values()))
lowest = min(local, key=lambda name: local[name].density.mean())
print(
    f"{first.counts[0].size} boxes, {' x '.join(map(str, first.counts.shape[1:]))}, "
    f"true edges {' x '.join(f'{edge:.2f}' for edge in first.edges)} A"
)
structure_view.boxes(local[lowest].map(), local[lowest].cell, title=lowest)

# %%
plots.density_maps(
    {name: one.slice(axis=2) for name, one in local.items()}, first.edges
)
# %% [markdown]
# The maps are means over time: a crystal shows its structure in them, a melt would be flat. The
# distribution counts every box of every snapshot. A low-density phase moves it to the left, voids
# give it a second hump near zero. Is it more than noise? The dashed line is for as many atoms
# thrown into the same cell at random.
#
# *Unevenness* is the variance between boxes over that of the random atoms: 1 for a gas, 0 for boxes
# that all hold the same number, more than 1 where clumps or pores are as large as a box. The
# crystal's own pores count, so only a change of it says something. *Lasting* is the fraction of the
# variance that survives time averaging.

# %%
random = local_density.thrown_at_random(
    len(frames.symbols), frames.cells, box_edge
)
figure, ax = style.axes(
    ("number density in a box", "1/Å³"), ("share of boxes", "-")
)
for name, one in local.items():
    ax.plot(*one.distribution(), ".-", label=name)
ax.plot(*random.distribution(), "k--", lw=1, label="thrown at random")
ax.legend(fontsize=8)
uneven = local_density.heterogeneity(local | {"thrown at random": random})
local_density.table(uneven).style.hide(axis="index")

# %% [markdown]
# How much of the cell is empty? The share of its volume that the centre of a small ball (helium,
# `void_fraction.void_fraction`) can reach, in the last snapshot of each window.

# %%
voids = {
    name: void_fraction.void_fraction(
        part.positions[-1], part.cells[-1], part.symbols
    )
    for name, part in windows.items()
}
pd.DataFrame(
    {
        "window": list(voids),
        "void (% of the volume)": [100 * v for v in voids.values()],
    }
).style.hide(axis="index").format(precision=1)

# %% [markdown]
# ## Coordination of Zn
#
# In the crystal each Zn has four N. A Zn with fewer ($\mathrm{ZnN}_x$, $x < 4$) has lost a bond, by
# the paper's rule: no N within 2.5 Å counts. A bond that is only stretched counts as lost, too.

# %%
numbers = coordination.coordination_number(
    frames.positions, frames.cells, frames.symbols, "Zn", "N", cutoff
)
shares = pd.DataFrame(
    coordination.histogram(numbers, maximum=6),
    columns=["0", "1", "2", "3", "4", "5", "6 or more"],
)
smooth = shares.rolling(
    max(1, len(shares) // 50), center=True, min_periods=1
).mean()
plots.coordination_shares(T, smooth)
# %% [markdown]
# Does that rule measure broken bonds? Then its share of undercoordinated Zn would not change while
# the cutoff moves through the valley between the first and the second shell.

# %%
figure, ax = style.axes(("cutoff", "A"), ("undercoordinated Zn", "%"))
for name in dict.fromkeys([next(iter(windows)), list(windows)[-1]]):
    part = windows[name]
    by = coordination.cutoff_sensitivity(
        part.positions,
        part.cells,
        part.symbols,
        np.linspace(cutoff - 0.3, cutoff + 1.0, 14),
    )
    ax.plot(
        by["cutoff_A"], 100 * by["undercoordinated"], "o-", ms=3, label=name
    )
ax.axvline(cutoff, color="black", ls="--", lw=1, label=f"cutoff {cutoff:g} Å")
ax.set(yscale="symlog", ylim=(0, None))
ax.yaxis.set_major_formatter("{x:g}")
ax.legend(fontsize=8)
# %% [markdown]
# ## Bonds and ligand exchange
#
# A count of neighbours does not say *which* N is bound to which Zn. So each N is followed on its
# own (`ligand_exchange.bonds`). It keeps its Zn while that is nearer than the cutoff. Beyond, it
# goes over
# to another Zn that is nearer than the cutoff, or keeps its own up to a second, longer distance,
# `release`, behind the barrier; farther away it is free. A bond that ends has *returned* when the
# same two meet again, was *exchanged* when the N takes another Zn, and is *open* when the N is
# still free at the end.

# %%
bonds = ligand_exchange.bonds(
    frames.positions,
    frames.cells,
    frames.symbols,
    frames.times_ps,
    T,
    cutoff=cutoff,
    release=release,
)
outcomes = (
    bonds.episodes["outcome"]
    .value_counts()
    .reindex(["end", "returned", "exchanged", "open"], fill_value=0)
)
print(
    f"{len(bonds.episodes)} bonds of {len(bonds.nitrogen)} N: {outcomes['end']} hold to the "
    f"end, {outcomes['returned']} opened and returned, {outcomes['exchanged']} were exchanged, "
    f"{outcomes['open']} stayed open.\n"
    f"Imidazolates that settled anew, both N bound: {len(bonds.moves)} times, "
    f"{bonds.moves['flipped'].sum()} of them on the same Zn, turned round; "
    f"{bonds.moves['ligand'].nunique()} of {bonds.n_ligands} imidazolates took part."
)
figure, ax = style.axes(("temperature", "K"), ("events so far", "-"))
ended = bonds.episodes[bonds.episodes["outcome"] != "end"]
for name, events in {
    "bond broken": ended["end"],
    "bond exchanged": bonds.exchanges["bound_again"],
    "imidazolate moved": bonds.moves["frame"],
}.items():
    ax.step(T, bonds.cumulative(events), where="post", label=name)
if bend.found:
    ax.axvspan(
        bend.Tf,
        bend.fallen_K,
        color="#d55e00",
        alpha=0.3,
        label="the density falls",
    )
ax.legend()
# %% [markdown]
# The same question as above, now by the bonds: how many Zn hold fewer than four N? What the rule of
# the cutoff counts beyond that are stretched bonds.

# %%
under = {
    f"by the cutoff of {cutoff:g} Å": coordination.undercoordinated(numbers),
    f"by the bonds, lost at {release:g} Å": coordination.undercoordinated(
        bonds.held
    ),
}
under = {
    name: statistics.bin_by_temperature(
        T, 100 * share, temperature_step
    ).dropna()
    for name, share in under.items()
}
figure, ax = style.axes(("temperature", "K"), ("undercoordinated Zn", "%"))
for name, mean in under.items():
    style.banded(
        ax, mean["temperature_K"], mean["mean"], mean["error"], name=name
    )
ax.legend()
# %% [markdown]
# The rates of one bond in windows of temperature, with the limits of a Poisson process at 95 %.
# Where no event was seen there is only an upper limit (open triangles). The inverse of the rate is
# the mean lifetime of a bond. An Arrhenius law is fitted to the counts where there are enough.
# Windows far below the first broken bond are left out: all say "none".

# %%
rate = bonds.rates(
    np.arange(T.min(), T.max() + 1.01 * temperature_step, temperature_step)
)
laws = {}
for name, events in (("break", "broken"), ("exchange", "exchanged")):
    try:
        laws[name] = event_rates.arrhenius(
            rate["temperature_K"], rate[events], rate["exposure_ns"]
        )
        print(
            f"{name}: E_a = {tables.number(laws[name].E_a, laws[name].error)} kJ/mol, "
            f"{laws[name].n_events} events"
        )
    except event_rates.ActivationNotDetermined as reason:
        print(f"{name}: no activation energy, {reason}")
seen = rate.iloc[
    max(0, int(np.argmax(rate["broken"] > 0)) - 2 if len(rate) else 0) :
]
if len(seen):
    plots.event_rates(seen, laws)
ligand_exchange.table(seen).style.hide(axis="index")

# %% [markdown]
# ## Molecules
#
# Above its melting temperature the paper sees decomposition and clusters of hydrogen, which it
# calls unphysical. An imidazolate is intact when its bonds make the ring N–C–N–C–C with one H on
# each C. Everything else is counted by its formula: C3H3N2 there is a ring that has opened, C6H6N4
# two ligands that touch. In a hot crystal a bond is now and then too long for a moment. A break is
# *lasting* only when the same ligand stays broken for many vibrations of its ring
# (`molecules.spells`).

# %%
census = molecules.census(frames.positions, frames.cells, frames.symbols)
broken = molecules.spells(census.ligand_broken, frames.times_ps)
clusters = molecules.spells(census.clusters > 0, frames.times_ps)
print(
    f"{census.possible} imidazolates. Broken in a row for {molecules.LASTING_PS:g} ps and "
    f"{molecules.LASTING_FRAMES} frames or longer: {broken['lasting'].sum()} times; shorter: "
    f"{(~broken['lasting']).sum()} times. Frames with a cluster of H: "
    f"{(census.clusters > 0).sum()} of {len(frames)}, the largest of "
    f"{census.largest_cluster.max()} atoms."
)
census.formulas().head(8).rename(
    columns={
        "a frame": "mean number in a frame",
        "frames": "frames that have it",
    }
).style.hide(axis="index").format(precision=4)

# %%
figure, ax = style.axes(("temperature", "K"), ("share", "%"))
for name, share in {
    "imidazolates broken at the moment": census.broken
    / max(census.possible, 1),
    "imidazolates in a lasting break": molecules.still_broken(
        broken, len(frames)
    )
    / max(census.possible, 1),
    "H off C and N": census.hydrogen / max((frames.symbols == "H").sum(), 1),
}.items():
    mean = statistics.bin_by_temperature(
        T, 100 * share, temperature_step
    ).dropna()
    style.banded(
        ax, mean["temperature_K"], mean["mean"], mean["error"], name=name
    )
style.paper_line(ax, paper.value("stages.melting_K"), "x").legend(
    fontsize=8, loc="upper left"
)
# %% [markdown]
# ## The network
#
# Zn are the nodes, imidazolates that bind two of them the edges. A ring counts when no way through
# the network is shorter than along it. In ZIF-4 (net cag) one of the six angles at each Zn closes a
# ring of four, the other five close rings of six. The bars show rings *for each Zn*: the rings of
# the cell over its Zn. Shown is the last snapshot of each window; the first snapshot of the run is
# printed.

# %%
nets = {
    name: network.of_frame(
        bonds, int(np.searchsorted(frames.steps, part.steps[-1]))
    )
    for name, part in windows.items()
}
rings = {name: network.rings(net) for name, net in nets.items()}
start = network.rings(network.of_frame(bonds, 0)) / len(bonds.metal)
print(
    "First snapshot, rings for each Zn:",
    ", ".join(f"{n:g} of {size}" for size, n in enumerate(start) if n)
    or "none",
)
plots.ring_sizes(rings, len(bonds.metal))
pd.DataFrame(
    {
        "window": list(nets),
        "imidazolates on two Zn": [net.bridging for net in nets.values()],
        "on one": [net.dangling for net in nets.values()],
        "free": [net.free for net in nets.values()],
        "pieces of the network": [net.pieces for net in nets.values()],
        "bridges from a Zn (mean)": [
            net.degree.mean() for net in nets.values()
        ],
    }
).style.hide(axis="index").format(precision=2)

# %% [markdown]
# ## Who moves first?
#
# The root-mean-square displacement from the first snapshot, per element (paper, Fig. S5), with the
# drift of the centre of mass and the even swelling of the cell taken off. The paper finds that N, C
# and H of the ligands set out earlier than Zn. The height of a curve does not tell: H at the rim of
# a ligand swings farther than Zn in any crystal. What tells is its *onset*, where it leaves the
# course of a vibration (`density_stages.onset`; dotted lines).

# %%
figure, ax = style.axes(
    ("temperature", "K"), ("root-mean-square displacement", "A")
)
for element, distance in moved.items():
    mean = statistics.bin_by_temperature(T, distance, temperature_step / 2)
    style.banded(
        ax,
        mean["temperature_K"],
        mean["mean"],
        mean["error"],
        name=element,
        colour=style.element_colour(element),
    )
onsets = {
    element: density_stages.onset(T, distance)
    for element, distance in moved.items()
}
for element, onset in onsets.items():
    if onset:
        ax.axvline(
            onset.temperature_K,
            color=style.element_colour(element),
            ls=":",
            lw=1,
        )
ax.axhline(
    apart / 2, color="black", ls="--", lw=1, label="half way to the next Zn"
)
ax.legend(fontsize=8, loc="upper left")
print(
    "Onset:",
    ", ".join(
        f"{element} at {onset.temperature_K:.0f} ± {onset.error_K:.0f} K"
        for element, onset in onsets.items()
        if onset
    )
    or "none in this run",
)

# %% [markdown]
# ## Lindemann ratios
#
# Lindemann's old rule says that a crystal melts when its atoms shake by about a tenth of their
# distance. The paper takes the full width at half maximum (FWHM) of the first peak of $g(r)$ over
# its position (Fig. 6a): for Zn–N this is the bond, for Zn–Zn the network. In the paper both widths
# go alike at first (up to the dotted line); then the bond widens faster; in the grey range Zn–N
# stays and Zn–Zn gets narrower.
#
# A $g(r)$ of few snapshots is ragged. So it is smeared with a narrow Gaussian before its width is
# read, and the Gaussian's width is taken off again (three times as wide for Zn–Zn, which is three
# times as far). Points: width at half height. Crosses: a fitted Gaussian; where the two differ, the
# peak is skewed or merges with the next.

# %%
warm = snapshots.stages(frames, temperature_step)
fine = [
    rdf.rdfs(
        zip(s.positions, s.cells, strict=True),
        s.symbols,
        8.0,
        bin_width,
        images=True,
    )
    for s in warm.values()
]
widths = pd.concat(
    [
        peaks.track(warm, [one["Zn", "N"] for one in fine], smoothing),
        peaks.track(warm, [one["Zn", "Zn"] for one in fine], 3 * smoothing),
    ]
)
plots.peak_widths(
    widths,
    [
        paper.value(f"observables.fwhm_plateau_{end}_K").number
        for end in ("start", "end")
    ],
    paper.value("observables.fwhm_equal_up_to_K").number,
)
for one in widths[widths["note"] != ""].itertuples():
    print(f"{one.pair}, {one.temperature_K:.0f} K: {one.note}")
peaks.table(widths).style.hide(axis="index")

# %% [markdown]
# How much each peak widens in the paper's three ranges, by a straight line through the widths:

# %%
alike_to, *plateau = (
    paper.value(f"observables.fwhm_{name}_K").number
    for name in ("equal_up_to", "plateau_start", "plateau_end")
)
ranges = [
    (min(T.min(), alike_to), alike_to),
    (alike_to, plateau[0]),
    tuple(plateau),
]
growth = {limits: peaks.growth(widths, *limits) for limits in ranges}
pd.concat(
    [
        one.assign(range=f"{low:.0f}–{high:.0f} K")
        for (low, high), one in growth.items()
    ]
)[
    [
        "range",
        "pair",
        "points",
        "change_A",
        "error_A",
        "change_percent",
        "error_percent",
    ]
].rename(
    columns={
        "change_A": "change (Å)",
        "error_A": "error (Å)",
        "change_percent": "change (%)",
        "error_percent": "error (%)",
    }
).style.hide(axis="index").format(precision=3, na_rep="–")

# %% [markdown]
# ## What agrees with the paper, and what does not
#
# Claim (4) of the paper: a low-density state appears before melting and comes from ligand exchange.
# Each verdict below is written by code (`helpers.report.claims`) from the numbers above. A
# difference counts when it is larger than two standard errors.

# %%
display(
    Markdown(
        claims.markdown(
            [
                claims.low_density(found, bend, melt, heating_rate),
                claims.cause(bonds, bend, release),
                claims.exchange_at_paper_rate(
                    rate, len(bonds.nitrogen) / len(bonds.metal)
                ),
                claims.undercoordination(*under.values(), bonds, cutoff),
                claims.motion(onsets, moved, T),
                claims.decomposition(broken, clusters, census, T),
                claims.peaks_alike(growth[ranges[0]], alike_to),
                claims.peaks_faster(growth[ranges[1]], *ranges[1]),
                claims.peaks_plateau(growth[ranges[2]], *plateau),
                claims.heterogeneity(
                    uneven[uneven["stage"] != "thrown at random"]
                ),
            ]
        )
    )
)

# %% [markdown]
# In what this run differs from the paper's:

# %%
why = []
theirs = paper.value("table3.DPMD-1K.heating_rate_K_per_ps").number
if heating_rate > theirs:
    why.append(
        f"Rate: {heating_rate:g} K/ps; the paper saw its low-density phase at {theirs:g} "
        f"K/ps only. All bonds together were watched for {rate['exposure_ns'].sum():.2g} ns"
    )
if len(frames.symbols) != paper.value("systems.supercell_atoms").number:
    why.append(
        f"Size: {len(frames.symbols)} atoms, the paper has "
        f"{paper.value('systems.supercell_atoms').number}; a second phase needs room"
    )
if made.get("exploded"):
    why.append(f"The run ended early: {made['exploded']}")
if widths["fwhm_A"].isna().any():
    why.append(
        f"{widths['fwhm_A'].isna().sum()} of {len(widths)} peak widths cannot be read"
    )
why.append(claims.melting(melt, moved["Zn"], apart / 2).rstrip("."))
display(Markdown("\n".join(f"- {reason}." for reason in why)))
