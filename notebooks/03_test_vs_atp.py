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
# ---

# %% [markdown]
# # 3 DPMD-Test against ATP: what does a potential know of heat?
#
# A potential learns from the frames it is shown. The paper trains two: **DPMD-Test** on frames of
# the crystal at 300 K alone, and **ATP**, the all-temperature potential, on frames up to 2500 K.
# Both describe the bonds. The question of this chapter is which of them also describes what lies
# between the bonds and the long-range order when the crystal gets hot: the angles, the rings, and
# the breaking of the Zn–N bond, which is the first step of melting.
#
# The judge is the radial distribution function
#
# $$ g_{\alpha\beta}(r) = \frac{\langle h_{\alpha\beta}(r) \rangle}
#    {N_\alpha\, \rho_\beta\, 4\pi r^2\, \mathrm{d}r}, $$
#
# the number of pairs of elements $\alpha$ and $\beta$ at distance $r$, over the number in a gas
# without order. It is computed the same way from the reference (frames of molecular dynamics
# driven by the reference itself) and from heating runs with the potentials. From the Zn–N
# $g(r)$ follow the potential of mean force, the free energy of breaking a bond, and Table 2.

# %% tags=["parameters"]
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] ZIF-4, ZIF-4-experimental, Znim2-ABW | cell in data/structures
supercell: list[int] = [1, 1, 1]  # [-] 1..6 | repetitions along a, b, c
potential: str = "atp"  # [-] any | all-temperature potential: name in data/potentials, or a folder
test_potential: str = ""  # [-] any | the same, trained on 300 K frames alone; empty: none yet
temperature_start: float = 300.0  # [K] 1..5000 | temperature of the equilibration
temperature_end: float = 2100.0  # [K] 1..5000 | temperature at the end of the ramp
heating_rate: float = 20.0  # [K/ps] 0.01..5000 | rate of the ramp
equilibration: float = 5.0  # [ps] 0..1000 | time at the first temperature
timestep: float = 0.5  # [fs] 0.05..2 | time step of the dynamics
frame_every: float = 0.1  # [ps] 0.001..1000 | time between frames of the trajectory
seed: int = 1  # [-] 1..900000000 | seed of the first velocities
ranks: int = 1  # [-] 1..512 | MPI ranks of LAMMPS
reference_sets: list[str] = []  # [-] any | sets to compare with; empty: all of this structure
comparison_temperature: float = 1200.0  # [K] 1..5000 | where g(r) is compared (paper: 1200 K)
snapshots_averaged: int = 50  # [-] 1..100000 | snapshots in an averaged g(r) (paper: 50)
temperature_step: float = 200.0  # [K] 1..2000 | distance of the temperatures looked at
window: float = 50.0  # [K] 0.1..1000 | snapshots within this of a temperature count for it
r_max: float = 10.0  # [A] 6..30 | g(r) up to here (paper: 10 A)
bin_width: float = 0.05  # [A] 0.005..0.5 | bins of g(r)

# %%
import pandas as pd

from helpers import (
    heating,
    paper,
    plots,
    pmf,
    provenance,
    rdf,
    snapshots,
    structures,
    tables,
    trajectory,
)


def g(frames, pair=None):
    return rdf.rdf(frames.positions, frames.cells, frames.symbols, pair, r_max, bin_width)


# %% [markdown]
# ## The runs
#
# The heating run of ATP is found if it was made before (also by another chapter), and else made
# now. LAMMPS heats the crystal at zero pressure on one straight ramp of the thermostat's target.

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
atp = trajectory.read(run)
made = provenance.read(run)
tables.facts({
    "profile": profile,
    "run": run.name,
    "description": made["description"],
    "frames": len(atp),
    "made": made["made"],
    "computing time (s)": made["seconds"],
    "hardware": f"{made['hardware']['processor']}, {made['hardware']['cores']} cores",
}, "The heating run of ATP")

# %% [markdown]
# The run of DPMD-Test differs in the potential alone. Its potential has never seen a hot frame; if
# it leaves physics on the way, the run stops, and what it computed up to there is used.

# %%
test, test_note = None, "There is no DPMD-Test potential yet (`test_potential` is empty)."
if test_potential:
    test_recipe = heating.HeatingRun(**(vars(recipe) | {"potential": test_potential}))
    test_run = heating.run(test_recipe, ranks=ranks, keep_exploded=True)
    exploded = provenance.read(test_run)["exploded"]
    test_note = (f"DPMD-Test did not survive the heating: {exploded}" if exploded
                 else f"DPMD-Test reached {temperature_end:.0f} K: {test_run.name}")
    test = trajectory.read(test_run)
print(test_note)

# %% [markdown]
# ## The reference
#
# The reference frames come from molecular dynamics that the reference potential drives itself, so
# each of them is labelled, and physical at the reference's own level of theory. The trajectories
# are a fraction of a picosecond long and at fixed volume: short-range order is at its temperature,
# the slow rearrangement of the network is not. Only frames with as many atoms as the structure are
# used.

# %%
unit_cell = structures.load(structure)
reference = snapshots.of_sets(reference_sets, len(unit_cell))
pd.DataFrame(
    {
        "reference frames": {t: len(s) for t, s in snapshots.stages(reference, 300).items()},
        "ATP frames": {t: len(s) for t, s in snapshots.stages(atp, 300).items()},
    }
).rename_axis("temperature (K, ±150)").astype("Int64").reset_index()

# %% [markdown]
# ## g(r) against the reference
#
# Both sides must have been at the temperature of the comparison. Where one of them was not, the
# nearest temperature that both have reached is taken, and said below.

# %%
shared = min(comparison_temperature, atp.temperatures_K.max(), reference.temperatures_K.max())
shared = max(shared, atp.temperatures_K.min(), reference.temperatures_K.min())
if shared != comparison_temperature:
    print(f"{comparison_temperature:.0f} K was not reached by both: compared at {shared:.0f} K.")
at_reference = snapshots.near(reference, shared, window)
hot = {"reference": at_reference, "ATP": snapshots.near(atp, shared, window, snapshots_averaged)}
if test is not None and test.temperatures_K.max() >= shared - window:
    hot["DPMD-Test"] = snapshots.near(test, shared, window, snapshots_averaged)
elif test is not None:
    print(f"DPMD-Test ended at {test.temperatures_K.max():.0f} K: it is not in this comparison.")
print(f"T = {shared:.0f} ± {window:.0f} K;",
      ", ".join(f"{name}: {len(frames)} snapshots" for name, frames in hot.items()))

# %%
total = {name: g(frames) for name, frames in hot.items()}
plots.rdf_panel(total, title=f"all atoms, {shared:.0f} K");

# %% [markdown]
# The first peaks are the stiff bonds inside the imidazolate (C–H, then C–C and C–N together) and
# Zn–N near 2 Å; what comes behind 4 Å is the order of the network. The pairs show it one by one.

# %%
pairs = rdf.element_pairs(atp.symbols)
partial = {
    "–".join(pair): {name: g(frames, pair) for name, frames in hot.items()} for pair in pairs
}
plots.rdf_grid(partial, ncols=3);

# %% [markdown]
# The figure says "nearly identical" or "not" to the eye. As a number, the distance of two $g(r)$
# is
#
# $$ R = 100\,\% \sqrt{\textstyle\sum_r r^2 [g(r) - g_\mathrm{ref}(r)]^2 \big/
#                    \sum_r r^2 g_\mathrm{ref}(r)^2}. $$
#
# It is never zero for finite samples. How far two samples of one and the same system would be
# apart is estimated from the reference: its first half against its second, times the square root of
# the ratio of the numbers of snapshots. A potential that comes as close as this *noise* cannot be
# told from the reference by this test.

# %%
half = len(at_reference) // 2
halves = (at_reference[:half], at_reference[half:]) if half else None


def distances(curves, pair):
    one = {
        f"{name} (%)": rdf.deviation_percent(curve, curves["reference"])
        for name, curve in curves.items() if name != "reference"
    }
    if halves:
        n, m = len(at_reference), len(hot["ATP"])
        scale = ((1 / n + 1 / m) / (1 / half + 1 / (n - half))) ** 0.5
        one["noise (%)"] = scale * rdf.deviation_percent(*(g(h, pair) for h in halves))
    return one


rows = {"total": distances(total, None)}
rows |= {"–".join(pair): distances(partial["–".join(pair)], pair) for pair in pairs}
pd.DataFrame(rows).T.rename_axis("pair").reset_index().round(1)

# %% [markdown]
# ## The Zn–N bond in the heat
#
# Zn and N form the nodes of the network. While all bonds hold, nothing is found between the first
# peak (the bond, 2.0 Å) and the second (the far N of the same ring, about 4.2 Å). Where the valley
# fills, bonds break and form: the paper sees the two peaks run into each other above 1100 K and
# calls it partial melting.

# %%
stages = snapshots.stages(atp, temperature_step, min(window, temperature_step / 2))
zn_n = {temperature: g(frames, ("Zn", "N")) for temperature, frames in stages.items()}
_, panels = plots.axes(("r", "A"), ("g(r)", "-"), ncols=2)
for panel in panels:
    plots.rdf_panel(
        {f"{t:.0f} K": curve for t, curve in zn_n.items()},
        ax=panel,
        colours={f"{t:.0f} K": plots.temperature_colour(t) for t in zn_n},
    )
panels[0].set(xlim=(1.5, 7), title="Zn–N")
panels[1].set(xlim=(2.2, 4.5), ylim=(0, 2), title="Zn–N, the valley");

# %% [markdown]
# ## Potential of mean force
#
# The reversible work to bring a Zn–N pair from far apart to the distance $r$ is
#
# $$ w(r) = -k_\mathrm{B} T \ln g(r). $$
#
# The curves end where $g(r) = 0$: there the run has never been, and the work is *not known* there,
# not infinite.

# %%
works = {temperature: pmf.from_rdf(curve, temperature) for temperature, curve in zn_n.items()}
figure, ax = plots.axes(("r", "A"), ("w(r)", "kJ/mol"))
for temperature, work in works.items():
    ax.plot(work.r, work.w, color=plots.temperature_colour(temperature),
            label=f"{temperature:.0f} K")
ax.set(xlim=(1.5, 7), title="Zn–N")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1));

# %% [markdown]
# ## The free energy of breaking a bond
#
# The activation free energy $\Delta F^\ddagger(T)$ is the height of $w$ in the valley behind the
# first peak of $g(r)$, above the bound state. Its statistical error is that of counting pairs in
# the valley. At low temperature no pair is ever found there; then the run gives only a lower bound
# (95 % confidence), and says so.

# %%
barriers = pmf.activation_free_energies(works.values())
barriers.drop(columns="note").set_axis(
    ["T (K)", "dF (kJ/mol)", "error (kJ/mol)", "or above (kJ/mol)"], axis="columns"
).style.format(precision=1, na_rep="–").hide(axis="index")

# %% [markdown]
# Over a range in which energy and entropy of activation hardly change,
#
# $$ \Delta F^\ddagger(T) = \Delta U^\ddagger - T \Delta S^\ddagger, $$
#
# and a weighted straight line through the sampled barriers gives both. Values far below the lowest
# sampled temperature (840 K in Table 2) are extrapolated, as they are in the paper: a barrier of
# 100 kJ/mol at 840 K would be visited by one pair in a million.

# %%
try:
    line = pmf.free_energy_line(
        barriers["temperature_K"], barriers["dF_kJ_mol"], barriers["error_kJ_mol"]
    )
    print(f"dU = {tables.number(line.dU, line.dU_error)} kJ/mol, "
          f"dS = {tables.number(line.dS, line.dS_error)} J/mol/K "
          f"from {line.n_points} temperatures")
except pmf.LineNotDetermined as error:
    line = None
    print(f"No line: {error}.")

# %%
figure, ax = plots.axes(("temperature", "K"), ("ΔF‡ of Zn–N", "kJ/mol"))
sampled = barriers.dropna(subset="dF_kJ_mol")
bounded = barriers.dropna(subset="lower_bound_kJ_mol")
ax.errorbar(sampled["temperature_K"], sampled["dF_kJ_mol"], sampled["error_kJ_mol"], fmt="o",
            capsize=3, label=f"this book ({len(sampled)} temperatures)")
ax.plot(bounded["temperature_K"], bounded["lower_bound_kJ_mol"], "^", fillstyle="none",
        color=plots.SERIES_COLOURS[0], label=f"lower bound ({len(bounded)} temperatures)")
T = pd.Series([300.0, 2100.0])
for name, style in (("Gaillac", ":"), ("Shi", "-."), ("DPMD-20K", "--")):
    dU = paper.value(f"table2.{name}.dU_kJ_per_mol").number
    dS = paper.value(f"table2.{name}.dS_J_per_mol_K").number
    ax.plot(T, dU - T * dS / 1000, style, color="#4d4d4d", linewidth=1, label=f"Table 2, {name}")
if line is not None:
    fit, error = line.at(T)
    ax.plot(T, fit, color=plots.SERIES_COLOURS[0], label="this book, line")
ax.legend(fontsize=8);

# %% [markdown]
# ### Table 2
#
# The paper's own line (DPMD-20K) beside ours, then the two earlier works it compares with.

# %%
ours = dict.fromkeys(("dU", "dS", "dF_840K", "dF_1800K"), (tables.NOT_COMPUTED, None))
if line is not None and line.n_points > 2:
    ours = {
        "dU": (line.dU, line.dU_error),
        "dS": (line.dS, line.dS_error),
        "dF_840K": tuple(map(float, line.at(840))),
        "dF_1800K": tuple(map(float, line.at(1800))),
    }
tables.side_by_side(
    [
        tables.row(f"table2.DPMD-20K.{key}", ours[short][0], error=ours[short][1], run=run.name,
                   quantity=quantity)
        for short, key, quantity in (
            ("dU", "dU_kJ_per_mol", "ΔU‡"),
            ("dS", "dS_J_per_mol_K", "ΔS‡"),
            ("dF_840K", "dF_840K_kJ_per_mol", "ΔF‡(840 K)"),
            ("dF_1800K", "dF_1800K_kJ_per_mol", "ΔF‡(1800 K)"),
        )
    ],
    f"Activation of Zn–N bond breaking at {heating_rate:g} K/ps",
)

# %%
tables.of_paper("table2")

# %% [markdown]
# ## What is still missing

# %%
missing = []
if test is None:
    missing.append("the DPMD-Test potential and its run")
if shared < comparison_temperature:
    missing.append(f"snapshots of both sides at {comparison_temperature:.0f} K")
if len(hot["reference"]) < snapshots_averaged:
    missing.append(f"{snapshots_averaged} reference snapshots at {shared:.0f} K "
                   f"(there are {len(hot['reference'])})")
if line is None or line.n_points < 3:
    missing.append(f"sampled barriers at three temperatures or more (there are {len(sampled)})")
if supercell != list(paper.value("systems.supercell").number):
    missing.append(f"the paper's supercell of {paper.value('systems.supercell_atoms').number} "
                   f"atoms (here {len(atp.symbols)})")
print("Missing before this page says what the paper's Figs. 3, S1 and S2 say: "
      + ("; ".join(missing) if missing else "nothing") + ".")
