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
# A potential learns from the frames it is shown. The paper trains two: **DPMD-Test** on frames of
# the crystal at 300 K alone, and **ATP**, the all-temperature potential, on frames up to 2500 K.
# It finds that both describe the bonds. The question of this chapter is which of them also
# describes what lies between the bonds and the long-range order when the crystal gets hot: the
# angles, the rings, and the breaking of the Zn–N bond, which is the first step of melting.
#
# The judge is the radial distribution function
#
# $$ g_{\alpha\beta}(r) = \frac{\langle h_{\alpha\beta}(r) \rangle}
#    {N_\alpha\, \rho_\beta\, 4\pi r^2\, \mathrm{d}r}, $$
#
# the number of pairs of elements $\alpha$ and $\beta$ at distance $r$, over the number in a gas
# without order. It is computed the same way from the reference (frames of molecular dynamics
# driven by the reference itself) and from heating runs with the potentials. From the Zn–N
# $g(r)$ follow the potential of mean force, the free energy of breaking a bond, and Table 2. The
# figures are the counterparts of the paper's Figs. S1, S2 and 3.

# %% tags=["parameters"]
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] ZIF-4, ZIF-4-experimental, Znim2-ABW | cell in data/structures
supercell: list[int] = [1, 1, 1]  # [-] 1..6 | repetitions along a, b, c
potential: str = "atp"  # [-] any | all-temperature potential: name in data/potentials, or a folder
test_potential: str = (
    ""  # [-] any | the same, trained on 300 K frames alone; empty: none yet
)
temperature_start: float = (
    300.0  # [K] 1..5000 | temperature of the equilibration
)
temperature_end: float = (
    2100.0  # [K] 1..5000 | temperature at the end of the ramp
)
heating_rate: float = 20.0  # [K/ps] 0.01..5000 | rate of the ramp
equilibration: float = 5.0  # [ps] 0..1000 | time at the first temperature
segment: float = (
    0.0  # [K] 0..2000 | heat by so much, hold, sample, in turn; 0: one ramp
)
hold: float = 0.0  # [ps] 0..1000 | time after each segment that is not sampled
sample: float = 0.0  # [ps] 0..1000 | time after that which is
timestep: float = 0.5  # [fs] 0.05..2 | time step of the dynamics
frame_every: float = (
    0.1  # [ps] 0.001..1000 | time between frames of the trajectory
)
seed: int = 1  # [-] 1..900000000 | seed of the first velocities
ranks: int = 1  # [-] 1..512 | MPI ranks of LAMMPS
reference_sets: list[
    str
] = []  # [-] any | sets to compare with; empty: all of this structure
held_run: str = ""  # [-] any | run of ATP at constant volume (data/runs.yaml) to compare, too
comparison_temperature: float = (
    1200.0  # [K] 1..5000 | where g(r) is compared (paper: 1200 K)
)
snapshots_averaged: int = (
    50  # [-] 1..100000 | snapshots in an averaged g(r) (paper: 50)
)
temperature_step: float = (
    200.0  # [K] 1..2000 | distance of the temperatures looked at
)
window: float = (
    50.0  # [K] 0.1..1000 | snapshots within this of a temperature count for it
)
r_max: float = 10.0  # [A] 6..30 | g(r) up to here (paper: 10 A)
bin_width: float = 0.05  # [A] 0.005..0.5 | bins of g(r)

# %%
import numpy as np
import pandas as pd
from IPython.display import display

from helpers import provenance, structures
from helpers.md import heating, protocol, snapshots, thermo, trajectory
from helpers.observables import displacement, neighbors, pmf, rdf
from helpers.recipes import runs
from helpers.report import paper, plots, style, tables
from helpers.validation import accuracy


def all_g(frames):
    return rdf.rdfs(
        zip(frames.positions, frames.cells, strict=True),
        frames.symbols,
        r_max,
        bin_width,
        images=True,
    )


verdict = []

# %% [markdown]
# ## The runs
#
# The heating run of ATP is found if it was made before (also by another chapter), and else made
# now. LAMMPS heats the crystal at zero pressure on one straight ramp of the thermostat's target.
# A frame counts for a temperature only if the atoms have it, too: within four standard deviations
# $\sigma_T = T \sqrt{2 / (3N - 3)}$ of the target, as in equilibrium. A run that blows up does not.

# %%
recipe = protocol.HeatingRun(
    structure=structure,
    supercell=tuple(supercell),
    potential=potential,
    temperature_start_K=temperature_start,
    temperature_end_K=temperature_end,
    heating_rate_K_per_ps=heating_rate,
    equilibration_ps=equilibration,
    segment_K=segment,
    hold_ps=hold,
    sample_ps=sample,
    timestep_fs=timestep,
    frame_every_ps=frame_every,
    seed=seed,
)
run = heating.run(recipe, ranks=ranks, keep_exploded=True)
heated = trajectory.read(run)
atp = snapshots.at_temperature(heated, thermo.read(run))
if not len(atp):
    atp = heated
    verdict.append(
        "No frame of ATP's run has the temperature of its thermostat: all are used, and "
        "each temperature of ATP below is the thermostat's alone."
    )
made = provenance.read(run)
tables.facts(
    {
        "profile": profile,
        "run": run.name,
        "description": made["description"],
        "frames": len(heated),
        "of them used": len(atp),
        "made": made["made"],
        "computing time (s)": made["seconds"],
        "hardware": f"{made['hardware']['processor']}, {made['hardware']['cores']} cores",
    },
    "The heating run of ATP",
)

# %% [markdown]
# The run of DPMD-Test differs in the potential alone. If it leaves physics on the way, it stops;
# what it computed up to there is kept.

# %%
test, test_note = (
    None,
    "There is no DPMD-Test potential yet (`test_potential` is empty).",
)
if test_potential:
    test_recipe = protocol.HeatingRun(
        **(vars(recipe) | {"potential": test_potential})
    )
    test_run = heating.run(test_recipe, ranks=ranks, keep_exploded=True)
    exploded = provenance.read(test_run)["exploded"].split(";")[0]
    test_note = (
        f"DPMD-Test did not survive: {exploded}."
        if exploded
        else f"DPMD-Test reached {temperature_end:.0f} K ({test_run.name})."
    )
    test, test_table = trajectory.read(test_run), thermo.read(test_run)
print(test_note)

# %% [markdown]
# The reference is at constant volume, the heating runs are not. Where ATP was also run at constant
# volume, in the cell of the reference (`held_run`), that run is a third, fairer comparison.

# %%
held = runs.find(held_run) if held_run else None
if held_run:
    print(
        f"{held_run}: found"
        if held
        else f"{held_run} was not made yet; `make run RUN={held_run}` makes it."
    )

# %% [markdown]
# ## The reference
#
# The best reference frames come from molecular dynamics that the reference potential drives itself,
# so each of them is labelled, and physical at the reference's own level of theory. They are the
# "FPMD" of this book: short, as every step costs a label, and at constant volume. Short-range order
# is at its temperature, the slow rearrangement of the network is not. Frames that another potential
# sampled, or that began as another structure, have its structures, whoever labelled them; the
# table says which are used here. Only frames with as many atoms as the structure are.

# %%
unit_cell = structures.load(structure)
reference = snapshots.of_sets(reference_sets, len(unit_cell))
tables.headed(
    snapshots.origins(snapshots.fitting(reference_sets, len(unit_cell)))
)

# %%
pd.DataFrame(
    {
        "reference frames": {
            t: len(s) for t, s in snapshots.stages(reference, 300).items()
        },
        "ATP frames": {
            t: len(s) for t, s in snapshots.stages(atp, 300).items()
        },
    }
).rename_axis("temperature (K, ±150)").astype("Int64").reset_index()

# %% [markdown]
# All $g(r)$ of a set of frames, total and of the ten pairs, come from one pass over the neighbours.
# Bands are one standard error, from the scatter between blocks of successive frames. Beyond half
# the cell (grey), periodic images distort $g(r)$. The paper's figures go to 10 Å all the same, and
# so do these; the numbers below stop at half the cell.

# %%
half = float(np.floor(neighbors.widest_radius(atp.cells) * 10) / 10)
limit = min(half, r_max)
pairs = rdf.element_pairs(atp.symbols)
print(f"Half of the narrowest cell: {half:.1f} A.")

# %% [markdown]
# ## DPMD-Test: bonds right, the rest not?
#
# The paper's Figs. S1 and S2: total $g(r)$ and all pairs from DPMD-Test and from first principles.
# There it finds the bonds right and the medium range wrong. First, whether the run holds its
# temperature: the band is $\pm 4\sigma_T$ around the thermostat's target.

# %%
if test is not None:
    end = max(equilibration, test.times_ps.max())
    beside = thermo.read(run).query("time_ps <= @end")
    target = beside["target_temperature_K"]
    width = 4 * snapshots.fluctuation(target, len(test.symbols))
    _, ax = style.axes(("time", "ps"), ("temperature", "K"))
    ax.fill_between(
        beside["time_ps"],
        target - width,
        target + width,
        color="#d9d9d9",
        label="target ± 4σ",
    )
    for name, table, marker in (
        ("ATP", beside, "o-"),
        ("DPMD-Test", test_table, "s--"),
    ):
        ax.plot(
            table["time_ps"],
            table["temperature_K"],
            marker,
            markersize=3,
            label=name,
        )
    ax.set(xlim=(0, None), ylim=(0, None))
    ax.legend()

# %% [markdown]
# Compared are frames that have their temperature, at the reference's temperature nearest to the one
# asked for that the run has reached. Where less than half of its frames there have it, the run is
# not in equilibrium: then the figures show what it went through, named by the temperatures it had.


# %%
def compared(frames, used, name, wanted=comparison_temperature):
    """The temperature both have, and their g(r), reference last; ``used`` are frames at theirs."""
    T, ours, theirs = snapshots.common(
        used, reference, wanted, window, snapshots_averaged
    )
    there, steady = (
        len(snapshots.near(part, T, window)) for part in (frames, used)
    )
    if steady < there / 2:
        raise snapshots.NoSnapshots(
            f"{steady} of the {there} frames of {name} with a target of about {T:.0f} K "
            "have that temperature"
        )
    print(
        f"{T:.0f} K: {len(ours)} snapshots of {name}, {len(theirs)} of the reference"
    )
    return T, {name: all_g(ours), "reference": all_g(theirs)}


def distances(found, name, pairs):
    """R and its noise (%) of each pair, in the range of the bonds and behind it."""
    rows = []
    for pair in pairs:
        one, theirs = found[name][pair], found["reference"][pair]
        rows.append(
            {
                "pair": one.label,
                **{
                    f"{what}, {word}": function(one, theirs, *ends)
                    for word, ends in (
                        ("bonds", (0, 3)),
                        ("beyond", (3, limit)),
                        ("all", (0, limit)),
                    )
                    for what, function in (
                        ("R", rdf.deviation_percent),
                        ("noise", rdf.noise_percent),
                    )
                },
            }
        )
    return pd.DataFrame(rows)


by_test, not_steady = {}, ""
if test is not None:
    try:
        T_test, by_test = compared(
            test, snapshots.at_temperature(test, test_table), "DPMD-Test"
        )
    except snapshots.NoSnapshots as error:
        not_steady = str(error)
        print(f"No comparison: {not_steady}.")

# %%
shown, title = by_test, f"all atoms, {T_test:.0f} K" if by_test else ""
if test is not None and not by_test:
    had = snapshots.actual_temperatures(test, test_table)
    T_cold = min(
        set(reference.temperatures_K),
        key=lambda T: abs(T - test.temperatures_K[0]),
    )
    if np.isfinite(had).any():
        shown = {
            f"DPMD-Test, {np.nanmin(had):.0f} to {np.nanmax(had):.0f} K": all_g(
                test[np.isfinite(had)]
            ),
            "reference": all_g(snapshots.near(reference, T_cold, window)),
        }
        title = f"all atoms; reference at {T_cold:.0f} K"
if shown:
    ax = plots.rdf_stages(
        shown, [None], ncols=1, half_cell=half, on_top="reference"
    ).axes[0]
    ax.set_title(title)

# %%
if shown:
    plots.rdf_stages(shown, pairs, ncols=3, half_cell=half, on_top="reference")

# %% [markdown]
# "Right" and "wrong" as numbers: the distance of two $g(r)$ is
#
# $$ R = 100\,\% \sqrt{\textstyle\sum_r r^2 [g(r) - g_\mathrm{ref}(r)]^2 \big/
#                    \sum_r r^2 g_\mathrm{ref}(r)^2}, $$
#
# once for the bonds, up to 3 Å, and once for what lies beyond. It is never zero for finite samples;
# *noise* is the $R$ that the standard errors of both curves alone would give (too small, where
# reference frames follow each other so closely that they share their history).

# %%
if by_test:
    table = distances(by_test, "DPMD-Test", [None, *pairs])
    whole = table.iloc[0]
    right = whole["R, bonds"] < 2 * whole["noise, bonds"]
    wrong = whole["R, beyond"] > 2 * whole["noise, beyond"]
    verdict.append(
        f"DPMD-Test, {T_test:.0f} K (Figs. S1, S2): the total g(r) of its frames is "
        f"{whole['R, bonds']:.0f} % off the reference in the bonds (noise "
        f"{whole['noise, bonds']:.0f} %) and {whole['R, beyond']:.0f} % beyond 3 Å (noise "
        f"{whole['noise, beyond']:.0f} %). The paper's 'bonds right, medium range wrong' "
        + (
            "holds."
            if wrong
            and (right or whole["R, beyond"] > 1.5 * whole["R, bonds"])
            else "is not what is seen here."
        )
        + f" {test_note}"
    )
    display(table.style.hide(axis="index").format(precision=1, na_rep="–"))
elif test is None:
    verdict.append(f"Figs. S1, S2 are not tested. {test_note}")
else:
    before = (
        ""
        if test.temperatures_K.max() > temperature_start
        else (
            f"It is unstable already at {temperature_start:.0f} K, before any heating. "
        )
    )
    verdict.append(
        f"Figs. S1, S2 cannot be tested as the paper shows them: {not_steady}. {before}{test_note}"
    )

# %% [markdown]
# Is it the heat that DPMD-Test lacks, or does it fall short where it was trained, too? Its force
# errors on the frames of the reference, which neither potential was trained on:

# %%
errors = pd.DataFrame()
if test is not None and (
    judged := accuracy.evaluated([test_potential, potential])
):
    frames_of = accuracy.table(judged, ["test"]).set_index("potential")[
        "training_frames"
    ]
    errors = (
        pd.DataFrame(
            {
                name: pd.DataFrame(accuracy.metrics(name)).T[
                    "force_rmse_eV_per_A"
                ]
                for name in judged
            }
        )
        .reindex(reference_sets)
        .dropna()
        .astype(float)
    )
if len(errors) and test_potential in errors:
    trained = paper.value("training.test_configurations").number
    verdict.append(
        f"DPMD-Test was trained on {frames_of[test_potential]} frames, the paper's on {trained}. "
        "Its force error is "
        + ", ".join(
            f"{row[test_potential]:.2f} eV/Å on {name}"
            + (f" (ATP: {row[potential]:.2f})" if potential in row else "")
            for name, row in errors.iterrows()
        )
        + "."
    )
    display(errors.rename_axis("force RMSE (eV/Å)").style.format(precision=3))

# %% [markdown]
# ## ATP at 1200 K
#
# The paper's Fig. 3a: ATP's total $g(r)$ after heating at 20 K/ps, nearly identical with that of
# first principles. Total first, then all pairs.

# %%
by_atp = {}
try:
    T_atp, by_atp = compared(heated, atp, "ATP")
except snapshots.NoSnapshots as error:
    verdict.append(f"Fig. 3a is not tested: {error}.")
if held and by_atp:
    constant = snapshots.at_temperature(
        trajectory.read(held), thermo.read(held)
    )
    constant = constant[np.abs(constant.temperatures_K - T_atp) <= window]
    if len(constant):
        by_atp["ATP, constant volume"] = all_g(
            snapshots.near(constant, T_atp, window, snapshots_averaged)
        )
if by_atp:
    ax = plots.rdf_stages(
        by_atp, [None], ncols=1, half_cell=half, on_top="reference"
    ).axes[0]
    ax.set_title(f"all atoms, {T_atp:.0f} K")

# %%
if by_atp:
    plots.rdf_stages(
        by_atp, pairs, ncols=3, half_cell=half, on_top="reference"
    )

# %%
for name in (name for name in by_atp if name != "reference"):
    table = distances(by_atp, name, [None, *pairs])
    whole, parts = table.iloc[0], table.iloc[1:].dropna(subset="R, all")
    worst = parts.loc[parts["R, all"].idxmax()]
    beyond_noise = parts[parts["R, all"] > 2 * parts["noise, all"]]["pair"]
    verdict.append(
        f"{name}, {T_atp:.0f} K (Fig. 3a): the total g(r) is {whole['R, all']:.0f} % off the "
        f"reference (noise {whole['noise, all']:.0f} %), {worst['pair']} most "
        f"({worst['R, all']:.0f} %). The paper calls its two curves nearly identical; "
        + (
            f"here {len(beyond_noise)} of {len(parts)} pairs ({', '.join(beyond_noise)}) differ by "
            "more than twice their noise."
            if len(beyond_noise)
            else "here, too, no pair differs by more than twice its noise."
            if parts["noise, all"].notna().all()
            else "one snapshot has no noise to compare the difference with."
        )
    )
    display(
        table.style.hide(axis="index")
        .format(precision=1, na_rep="–")
        .set_caption(name)
    )

# %% [markdown]
# How much of the difference is density? The reference keeps the volume it was given.

# %%
if by_atp:
    volumes = pd.DataFrame(
        {
            "frames": ["reference", "ATP"],
            "volume per atom (Å³)": [
                np.abs(np.linalg.det(part.cells)).mean() / len(part.symbols)
                for part in (
                    snapshots.near(reference, T_atp, window),
                    snapshots.near(atp, T_atp, window),
                )
            ],
        }
    )
    expanded = 100 * (volumes.iloc[1, 1] / volumes.iloc[0, 1] - 1)
    verdict.append(
        f"The volume of ATP's run at {T_atp:.0f} K is {expanded:+.1f} % from that of "
        "the reference, which is held constant; g(r) is relative to the mean density."
    )
    display(volumes.style.hide(axis="index").format(precision=2))

# %% [markdown]
# ## The Zn–N bond in the heat
#
# Zn and N form the nodes of the network. While all bonds hold, nothing is found between the first
# peak (the bond, 2.0 Å) and the second (the far N of the same ring, about 4.2 Å). Where the valley
# fills, bonds break and form: the paper sees the two peaks run into each other above 1100 K and
# calls it partial melting (Fig. 3b). Frames nearer in time than 0.1 ps see the same pair in the
# valley twice; of those, one is taken.

# %%
half_width = min(window, temperature_step / 2)
stages = snapshots.stages(
    snapshots.spaced(atp, 0.1), temperature_step, half_width
)
stages = stages or {float(atp.temperatures_K.mean()): atp}
zn_n = {T: all_g(frames)["Zn", "N"] for T, frames in stages.items()}
merging = paper.value("observables.partial_melting_K")
figure = plots.rdf_temperatures(zn_n)
figure.axes[1].set_title(
    f"the valley (paper: filled above {merging.number} K)"
)
# %% [markdown]
# The running coordination number $n(r)$ counts the N within $r$ of a Zn. A plateau at four is the
# intact node; where it begins to slope, the first and the second shell are no longer apart.

# %%
figure, ax = style.axes(("r", "A"), ("N within r of Zn", "-"))
for T, one in zn_n.items():
    style.banded(
        ax,
        one.edges[1:],
        one.n,
        one.n_error,
        name=f"{T:.0f} K",
        colour=style.temperature_colour(T),
        marker="",
    )
ax.set(xlim=(1.5, 5), ylim=(0, 8), title="Zn–N")
ax.legend(fontsize=8)
low, high = pmf.VALLEY_A
between = {
    T: int(one.counts[(one.r > low) & (one.r < high)].sum())
    for T, one in zn_n.items()
}
filled = [T for T, pairs_there in between.items() if pairs_there]
verdict.append(
    f"Zn–N (Fig. 3b): pairs between the peaks, at {low}–{high} Å, are found "
    + (
        f"from {min(filled):.0f} K on ({between[min(filled)]} in "
        f"{zn_n[min(filled)].n_frames} snapshots)"
        if filled
        else f"at no temperature up to {max(zn_n):.0f} K"
    )
    + f"; the paper's peaks meet above {merging.number} K."
)

# %% [markdown]
# ## Potential of mean force
#
# The reversible work to bring a Zn–N pair from far apart to the distance $r$ is
#
# $$ F(r) = -k_\mathrm{B} T \ln g(r) $$
#
# (Fig. 3c). The curves end where $g(r) = 0$: there the run has never been, and the work is *not
# known* there, not infinite.

# %%
plots.mean_force({T: pmf.from_rdf(one, T) for T, one in zn_n.items()}, "Zn–N")
# %% [markdown]
# ## The free energy of breaking a bond
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
# and a weighted straight line through three sampled barriers or more gives both. Frames that follow
# each other resemble each other, and counting them as independent would make the errors too small;
# so the blocks of frames of each temperature are drawn anew with replacement, barriers and line are
# found again, and the spread of these lines is the error and the 95 % interval. The same draws tell
# by how much the lowest of several noisy windows lies too low; that is taken off. Values far below
# the lowest sampled temperature (840 K in Table 2) are extrapolated, as they are in the paper: a
# barrier of 100 kJ/mol at 840 K would be visited by one pair in a million.
#
# There are two conventions. The paper and Gaillac et al. read the barrier off
# $-k_\mathrm{B}T \ln g(r)$; free energies along a distance, as umbrella sampling gives them, are
# $-k_\mathrm{B}T \ln[4\pi r^2 g(r)]$. The second is lower by
# $2 k_\mathrm{B}T \ln(r_\mathrm{barrier}/r_\mathrm{bound})$: it moves the same amount from the
# barrier into $\Delta S^\ddagger$ at every temperature and leaves $\Delta U^\ddagger$ alone.

# %%
conventions = {"this book, g(r)": "g", "this book, 4πr²g(r)": "distance"}
works, barriers = [pmf.from_rdf(one, T) for T, one in zn_n.items()], {}
lines = dict.fromkeys(conventions)
for name, convention in conventions.items():
    barriers[name] = pmf.activation_free_energies(works, convention)
    try:
        barriers[name], line = pmf.bootstrap(zn_n, convention=convention)
        lines[name] = line if line.samples is not None else None
    except pmf.LineNotDetermined:
        pass
found, line = barriers["this book, g(r)"], lines["this book, g(r)"]
why_none = (
    f"barriers were sampled at {found['dF_kJ_mol'].notna().sum()} temperatures; a line "
    "takes three, and most draws of the frames must have them"
)
if line is None:
    print(f"No line: {why_none}.")
pd.concat(
    [found.drop(columns="note"), pd.Series(between.values(), dtype=int)],
    axis=1,
).set_axis(
    [
        "T (K)",
        "dF (kJ/mol)",
        "error (kJ/mol)",
        "at least (kJ/mol, 95 %)",
        f"pairs at {low}–{high} Å",
    ],
    axis="columns",
).style.format(precision=1, na_rep="–").hide(axis="index")

# %%
theirs = {
    f"Table 2, {name}": (
        row["dU_kJ_per_mol"].number,
        row["dS_J_per_mol_K"].number,
    )
    for name, row in paper.rows("table2").items()
}
plots.activation(found, line, theirs)

# %% [markdown]
# ### Table 2
#
# Gaillac et al. (the paper's ref. 12) and Shi et al. (ref. 17) are first-principles works, DPMD-20K
# is the paper. Ours with standard error and, in brackets, the 95 % interval. Without a line, energy
# and entropy are not determined, and the barrier at 1800 K is the one found there.


# %%
def known(table, T=1800.0):
    """The row of a temperature, and its barrier or bound in words."""
    row = table.set_index("temperature_K").reindex([T]).iloc[0]
    if np.isfinite(row["dF_kJ_mol"]):
        return row, tables.number(row["dF_kJ_mol"], row["error_kJ_mol"])
    bound = row["lower_bound_kJ_mol"]
    return row, f"> {bound:.0f} (95 %)" if np.isfinite(
        bound
    ) else tables.NOT_DETERMINED


tables.activation(
    lines,
    f"Activation of Zn–N bond breaking at {heating_rate:g} K/ps ({run.name})",
    {name: known(table)[1] for name, table in barriers.items()},
)

# %% [markdown]
# What is not the same as in the paper, here and in all of this chapter:

# %%
theirs_rate = paper.value("table3.DPMD-20K.heating_rate_K_per_ps").number
atoms = paper.value("systems.supercell_atoms").number
differs = [
    words
    for words, other in (
        (
            f"{heating_rate:g} K/ps instead of {theirs_rate:g}",
            heating_rate != theirs_rate,
        ),
        (f"{structure} instead of ZIF-4", not structure.startswith("ZIF-4")),
        (
            f"{len(atp.symbols)} atoms instead of {atoms}",
            len(atp.symbols) != atoms,
        ),
        (
            "frames taken while it is heated, where the paper waits at each temperature",
            True,
        ),
        (
            "another reference (a NequIP potential of PBE-D3 quality, not first principles)",
            True,
        ),
    )
    if other
]
print(f"{'; '.join(differs)}.")

# %%
own = paper.rows("table2")["DPMD-20K"]
paper_1800, (ours, words) = own["dF_1800K_kJ_per_mol"].number, known(found)
if np.isfinite(ours["dF_kJ_mol"]):
    off = (ours["dF_kJ_mol"] - paper_1800) / ours["error_kJ_mol"]
    judged = (
        f"{abs(off):.1f} standard errors apart, "
        + ("more" if abs(off) > 2 else "not more")
        + " than chance explains"
    )
elif np.isfinite(ours["lower_bound_kJ_mol"]):
    judged = (
        "our bound is above it"
        if ours["lower_bound_kJ_mol"] > paper_1800
        else "our bound does not exclude it"
    )
else:
    judged = "not tested, the run has no frames there or no barrier"
verdict.append(
    f"ΔF‡(1800 K) in kJ/mol (Table 2): {words} here, {paper_1800} in the paper's "
    f"DPMD-20K: {judged}."
)

# %%
bounds = found.dropna(subset="lower_bound_kJ_mol")
on_line = (
    own["dU_kJ_per_mol"].number
    - bounds["temperature_K"] * own["dS_J_per_mol_K"].number / 1000
)
higher = bounds[bounds["lower_bound_kJ_mol"] > on_line]
if len(bounds):
    verdict.append(
        "Fig. 3d: our lower bounds (95 % each) are "
        + (
            f"above the line of the paper's DPMD-20K at "
            f"{', '.join(f'{T:.0f}' for T in higher['temperature_K'])} K: the barrier is higher "
            "here."
            if len(higher)
            else "nowhere above the line of the paper's DPMD-20K."
        )
    )
if line is None:
    verdict.append(f"ΔU‡ and ΔS‡ (Table 2) are not determined: {why_none}.")
else:
    limits = [*line.interval(), *line.interval([840, 1800])]
    inside = [
        key
        for key, (least, most) in zip(own, limits, strict=True)
        if least <= own[key].number <= most
    ]
    sampled = found.dropna(subset="dF_kJ_mol")["temperature_K"]
    verdict.append(
        f"Table 2: ΔU‡ = {tables.number(line.dU, line.dU_error)} kJ/mol, "
        f"ΔS‡ = {tables.number(line.dS, line.dS_error)} J/(mol K) from {line.n_points} "
        f"temperatures, {sampled.min():.0f}–{sampled.max():.0f} K; of the paper's four numbers of "
        f"DPMD-20K {len(inside)} lie in our 95 % intervals"
        + (f" ({', '.join(inside)})" if inside else "")
        + "."
    )

# %% [markdown]
# ## Does anything flow?
#
# A broken bond is not yet a melt: a liquid diffuses. The mean squared displacement over all time
# origins, of the frames in a window of temperature, with drift and the breathing of the cell taken
# off, grows linearly with time in a liquid (exponent 1) and stays flat in a solid (exponent near
# 0). Windows of a fast ramp are short. Atoms that have moved by less than 1 Å, half a Zn–N bond,
# may only rattle in their places. For these, and where $D$ is below twice its error, the table has
# an upper limit, $D \le \mathrm{MSD}/(6t)$: what $D$ would be if all of the motion were diffusion.

# %%
rows, moved = [], {}
for T, frames in snapshots.stages(
    heated, temperature_step, half_width
).items():
    lag = frames.times_ps - frames.times_ps[0]
    if len(lag) < 16 or not np.allclose(np.diff(lag), lag[1], rtol=0.01):
        continue
    moved[T] = (
        lag,
        displacement.msd(frames.positions, frames.symbols, frames.cells),
    )
    for element in ("Zn", "N"):
        squared = moved[T][1][element]
        D = displacement.diffusion_coefficient(lag, squared)
        then = np.interp(D.to_ps, lag, squared)
        limited = then < 1 or D.D < 2 * D.error
        rows.append(
            {
                "T (K)": T,
                "element": element,
                "D (10⁻⁴ cm²/s)": f"< {then / (6 * D.to_ps):.2f}"
                if limited
                else tables.number(D.D, D.error),
                "exponent": D.exponent,
                "until (ps)": D.to_ps,
                "MSD then (Å²)": then,
            }
        )
flows = pd.DataFrame(rows)
if len(flows):
    plots.mean_squared_displacements(moved, ("Zn", "N"))
    hottest = flows.iloc[-2]
    verdict.append(
        f"Flow: at {hottest['T (K)']:.0f} K Zn has gone {hottest['MSD then (Å²)'] ** 0.5:.1f} Å in "
        f"{hottest['until (ps)']:.1f} ps, as t^{hottest['exponent'] / 2:.2f}: "
        + (
            "it diffuses."
            if hottest["exponent"] > 0.8 and hottest["MSD then (Å²)"] > 1
            else "no diffusion within that time."
        )
    )
else:
    verdict.append(
        f"Flow is not tested: no window of {2 * window:.0f} K holds 16 snapshots."
    )
flows.style.hide(axis="index").format(precision=2, na_rep="–", escape="html")

# %% [markdown]
# ## What agrees with the paper, and what does not

# %%
if (
    by_atp
    and (n := len(snapshots.near(reference, T_atp, window)))
    < snapshots_averaged
):
    verdict.append(
        f"The reference has {n} snapshots at {T_atp:.0f} K, the paper averages "
        f"{snapshots_averaged}."
    )
if by_atp and abs(T_atp - comparison_temperature) > window:
    verdict.append(
        f"{comparison_temperature:.0f} K was not reached by both sides: compared at {T_atp:.0f} K."
    )
same = f" (the heating rate, {heating_rate:g} K/ps, is the paper's)"
verdict.append(
    f"Where we differ from the paper{same if heating_rate == theirs_rate else ''}, this "
    f"may be why: {'; '.join(differs)}."
)
for sentence in verdict:
    print(f"- {sentence}")
