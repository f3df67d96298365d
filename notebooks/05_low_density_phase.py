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
# looks at one heating run with four instruments:
#
# 1. the **local density**, atoms counted in boxes of 5 Å: is the loss of density everywhere, or in
#    voids?
# 2. the **coordination** of Zn, and the **exchange** of ligands: who is bound to whom?
# 3. the **root-mean-square displacement** of each element: who moves first?
# 4. the **width of the first peaks** of the Zn–N and Zn–Zn $g(r)$, a Lindemann ratio: which of the
#    two, bond or network, loses its order first?

# %% tags=["parameters"]
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] ZIF-4, ZIF-4-experimental, Znim2-ABW | cell in data/structures
supercell: list[int] = [1, 1, 1]  # [-] 1..6 | repetitions along a, b, c
potential: str = "atp"  # [-] any | all-temperature potential: name in data/potentials, or a folder
temperature_start: float = 300.0  # [K] 1..5000 | temperature of the equilibration
temperature_end: float = 2100.0  # [K] 1..5000 | temperature at the end of the ramp
heating_rate: float = 20.0  # [K/ps] 0.01..5000 | rate of the ramp
equilibration: float = 5.0  # [ps] 0..1000 | time at the first temperature
timestep: float = 0.5  # [fs] 0.05..2 | time step of the dynamics
frame_every: float = 0.1  # [ps] 0.001..1000 | time between frames of the trajectory
seed: int = 1  # [-] 1..900000000 | seed of the first velocities
ranks: int = 1  # [-] 1..512 | MPI ranks of LAMMPS
stage_edges: list[float] = [300.0, 1300.0, 1400.0, 1550.0]  # [K] 0..5000 | stages (paper, Fig. 5)
box_edge: float = 5.0  # [A] 1..20 | edge of the boxes of the local density (paper: 5 A)
cutoff: float = 2.5  # [A] 1.5..4 | Zn-N pairs nearer than this are bonds (paper: 2.5 A)
temperature_step: float = 100.0  # [K] 1..1000 | distance of temperatures for peak widths
bin_width: float = 0.02  # [A] 0.005..0.2 | bins of g(r) for peak widths
smoothing: float = 0.03  # [A] 0..0.2 | smearing of the Zn-N g(r) before its width is read; 0: none

# %%
import numpy as np
import pandas as pd

from helpers import (
    coordination,
    displacement,
    heating,
    local_density,
    paper,
    peaks,
    plots,
    provenance,
    rdf,
    snapshots,
    tables,
    thermo,
    trajectory,
    transition,
)

# %% [markdown]
# ## The run

# %%
recipe = heating.HeatingRun(
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
made = provenance.read(run)
tables.facts({
    "profile": profile,
    "run": run.name,
    "description": made["description"],
    "atoms": len(frames.symbols),
    "frames": len(frames),
    "made": made["made"],
    "computing time (s)": made["seconds"],
    "hardware": f"{made['hardware']['processor']}, {made['hardware']['cores']} cores",
}, "The heating run")

# %% [markdown]
# Where does the density fall? Two straight lines that meet are fitted to the density, up to where
# it has fallen most of its way; they meet at $T_\mathrm{f}$ (Chapter 4 says more about it).

# %%
bend = transition.transition_temperature(table["target_temperature_K"], table["density_g_cm3"])
print(bend)
ax = plots.against_temperature(
    table["target_temperature_K"], table["density_g_cm3"], "density", "g/cm3",
    window=max(1, len(table) // 100),
)
if bend.found:
    ax.axvline(bend.Tf, color="#d55e00", label=f"Tf = {bend.Tf:.0f} ± {bend.error:.0f} K")
    ax.legend()

# %% [markdown]
# The stages of the run that are compared below: the paper's, from its 1 K/ps run, as far as this
# run reaches them. A faster run or another potential has its transition elsewhere; then these
# stages are windows of temperature and no phases.

# %%
windows = {
    f"{low:.0f}–{high:.0f} K": frames.between(low, high)
    for low, high in zip(stage_edges[:-1], stage_edges[1:], strict=True)
}
missing = [f"the stage {name}" for name, part in windows.items() if not len(part)]
windows = {name: part for name, part in windows.items() if len(part)} or {"whole run": frames}
pd.DataFrame({
    "stage": list(windows),
    "snapshots": [len(part) for part in windows.values()],
    "highest temperature (K)": [round(part.temperatures_K.max()) for part in windows.values()],
})

# %% [markdown]
# ## Local density
#
# The cell is cut into the whole number of boxes that comes nearest to the edge asked for, along
# each cell vector; boxes breathe with the cell. The maps show the number density averaged over the
# snapshots of a stage and along the third cell vector.

# %%
local = {
    name: local_density.local_density(part.positions, part.cells, box_edge)
    for name, part in windows.items()
}
first = next(iter(local.values()))
print(f"{first.counts[0].size} boxes, {' x '.join(map(str, first.counts.shape[1:]))}, "
      f"true edges {' x '.join(f'{edge:.2f}' for edge in first.edges)} A")
maps = {name: one.slice(axis=2) for name, one in local.items()}
low, high = min(m.min() for m in maps.values()), max(m.max() for m in maps.values())
figure, panels = plots.axes(("box along a", "-"), ("box along b", "-"), ncols=len(maps), width=3.2,
                            height=3.2, squeeze=False)
for panel, (name, map_) in zip(panels.flat, maps.items(), strict=True):
    image = panel.imshow(map_.T, origin="lower", vmin=low, vmax=high, cmap="viridis")
    panel.set(title=name, xticks=range(map_.shape[0]), yticks=range(map_.shape[1]))
    panel.grid(False)
figure.colorbar(image, ax=panels, label=plots.label("number density", "1/Å³"));

# %% [markdown]
# The maps are means over time: in a crystal they repeat the structure, in a melt they would be
# flat. The distribution below counts every box of every snapshot; a low-density phase would move
# it to the left, voids would give it a second hump near zero.

# %%
figure, ax = plots.axes(("number density in a box", "1/Å³"), ("share of boxes", "-"))
for name, one in local.items():
    ax.plot(*one.distribution(), ".-", label=name)
ax.legend()
pd.DataFrame({
    "stage": list(local),
    "mean (1/Å³)": [one.density.mean() for one in local.values()],
    "standard deviation (1/Å³)": [one.density.std() for one in local.values()],
    "empty boxes (%)": [100 * (one.counts == 0).mean() for one in local.values()],
}).round(4)

# %% [markdown]
# ## Coordination of Zn
#
# In the crystal each Zn has four N. A Zn with fewer ($\mathrm{ZnN}_x$, $x < 4$) has lost a bond.

# %%
numbers = coordination.coordination_number(
    frames.positions, frames.cells, frames.symbols, "Zn", "N", cutoff
)
shares = pd.DataFrame(coordination.histogram(numbers, maximum=6),
                      columns=["0", "1", "2", "3", "4", "5", "6 or more"])
smooth = shares.rolling(max(1, len(shares) // 50), center=True, min_periods=1).mean()
figure, ax = plots.axes(("temperature", "K"), ("share of Zn with x N", "-"))
ax.stackplot(frames.temperatures_K, smooth.T, labels=[f"x = {x}" for x in shares],
             colors=plots.SERIES_COLOURS)
ax.set(ylim=(0, 1), xlim=(frames.temperatures_K.min(), frames.temperatures_K.max()))
ax.legend(loc="lower left", ncols=2, frameon=True);

# %%
under = pd.Series(coordination.undercoordinated(numbers)).groupby(
    np.floor(frames.temperatures_K / temperature_step) * temperature_step)
pd.DataFrame({
    "from (K)": under.mean().index,
    "snapshots": under.size().to_numpy(),
    "undercoordinated Zn (%)": (100 * under.mean()).round(2).to_numpy(),
})

# %% [markdown]
# ## Ligand exchange
#
# A bond that opens and closes again changes nothing. An *exchange* is an N that binds to another
# Zn than the one it held last. It comes in two kinds: the whole imidazolate moves to another Zn,
# or it only flips and its two N swap their places.

# %%
events = coordination.exchanges(frames.positions, frames.cells, frames.symbols, cutoff=cutoff)
figure, ax = plots.axes(("temperature", "K"), ("events so far", "-"))
ax.step(frames.temperatures_K, events.cumulative(), label="N binds to another Zn")
ax.step(frames.temperatures_K, events.cumulative(moved=True), label="of these, imidazolate moves")
ax.legend()
if len(events):
    print(f"{len(events)} exchanges, {events.moved.sum()} of them move the imidazolate; first at "
          f"{frames.temperatures_K[events.frame[0]]:.0f} K; {len(set(events.ligand))} of "
          f"{events.n_ligands} imidazolates took part.")
else:
    print(f"No exchange: every one of {events.n_nitrogen} N held on to its Zn, or came back to it.")
    missing.append("ligand exchange")

# %% [markdown]
# ## Who moves first?
#
# The root-mean-square displacement from the first snapshot, per element, with the drift of the
# centre of mass and the even swelling of the cell taken off. The paper finds that N, C and H of
# the ligands set out earlier than Zn.

# %%
moved = displacement.rmsd(frames.positions, frames.symbols, cells=frames.cells)
figure, ax = plots.axes(("temperature", "K"), ("root-mean-square displacement", "A"))
for element, distance in moved.items():
    ax.plot(frames.temperatures_K, distance, color=plots.element_colour(element), label=element,
            linewidth=1)
ax.legend();

# %% [markdown]
# ## Lindemann ratios
#
# Lindemann's old rule says that a crystal melts when its atoms shake by about a tenth of their
# distance. The paper takes the full width at half maximum (FWHM) of the first peak of $g(r)$ over
# its position: for Zn–N this is the bond, for Zn–Zn the network. The two are alike in shape up to
# 700 K in the paper; then the bond widens faster, and between 1200 and 1400 K Zn–N stays and Zn–Zn
# falls. A $g(r)$ of few snapshots is ragged, so it is smeared with a narrow Gaussian first, whose
# width is taken off again (three times as wide for Zn–Zn, which is three times as far). A peak
# without a clear width is left out, with the reason.

# %%
def track(pair, r_max, smearing):
    stages = snapshots.stages(frames, temperature_step)
    curves = [rdf.rdf(s.positions, s.cells, s.symbols, pair, r_max, bin_width, images=True)
              for s in stages.values()]
    return peaks.track(stages, curves, smearing)


widths = pd.concat([track(("Zn", "N"), 4.0, smoothing), track(("Zn", "Zn"), 8.0, 3 * smoothing)])
figure, panels = plots.axes(("temperature", "K"), ("FWHM of the first peak", "A"), ncols=2)
panels[1].set_ylabel("Lindemann ratio, FWHM / position")
for pair, one in widths.groupby("pair", sort=False):
    for panel, column in zip(panels, ("fwhm_A", "lindemann"), strict=True):
        panel.plot(one["temperature_K"], one[column], "o-", label=pair)
panels[0].legend()
widths.style.format(precision=3, na_rep="–").hide(axis="index")

# %% [markdown]
# ## What is still missing

# %%
if not bend.found:
    missing.append("a fall of the density: " + bend.reason)
if heating_rate > paper.value("table3.DPMD-1K.heating_rate_K_per_ps").number:
    missing.append(f"slow heating (here {heating_rate:g} K/ps, the paper's low-density phase "
                   f"was seen at 1 K/ps)")
if supercell != list(paper.value("systems.supercell").number):
    missing.append(f"the paper's supercell of {paper.value('systems.supercell_atoms').number} "
                   f"atoms (here {len(frames.symbols)})")
if widths["fwhm_A"].isna().any():
    missing.append(f"{widths['fwhm_A'].isna().sum()} of {len(widths)} peak widths")
print("Missing before this page says what the paper's Figs. 5, 6a and S5 say: "
      + ("; ".join(missing) if missing else "nothing") + ".")
