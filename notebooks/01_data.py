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
#       - data/dft
#       - data/dft.yaml
#       - data/correction.yaml
#       - data/frames
#       - data/paper.yaml
#       - data/sets.yaml
#       - data/structures/{structure}.extxyz
# ---

# %% [markdown]
# # 1 Data: what a potential is taught
#
# A deep potential knows no quantum mechanics. It is a flexible function from the positions of atoms
# to their energy, and it is adjusted until it agrees with {term}`labelled frames <labelled frame>`:
# snapshots of atoms for which a method that does know quantum mechanics gave the energy, the forces
# and the pressure. What is not in the frames is not learnt, so this chapter asks before any
# training: what is in them?
#
# **You will learn** what a labelled frame holds and how large its numbers are; which temperatures
# and densities the frames of this book cover; how they are split so that a test is a test; and how
# far their labels are from density-functional theory.
#
# **It needs** nothing but the sets shipped in `data/frames`. If only the results interest you, go on
# to [chapter 2](02_training.ipynb).

# %% tags=["parameters"]
# fmt: off
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] ZIF-4, ZIF-4-experimental, Znim2-ABW | cell in data/structures
supercell: list[int] = [2, 2, 2]  # [-] 1..6 | repetitions along a, b, c that are shown
sets: list[str] = []  # [-] any | sets of frames to look at; empty: all but imported ones
force_bound: float = 30.0  # [eV/A] 1..1000 | a larger force component is refused
own_file: str = ""  # [-] any | your OUTCAR, vasprun.xml, CP2K output or extxyz; empty: our own
own_format: str = ""  # [-] any | its format as dpdata names it; empty: by the name of the file
# fmt: on

# %% tags=["remove-cell"]
from helpers.book import parameters

# what papermill injects as text becomes a list, a number, a truth value
globals().update(parameters.accepted("01_data", globals()))

# %% tags=["imports"]
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown

from helpers import provenance, structures, units
from helpers.frames import checks, correction, cp2k, dataset, formats
from helpers.frames import pair_law, summary
from helpers.observables import molecules
from helpers.recipes import catalogue
from helpers.recipes import sets as packing
from helpers.report import paper, plots_of_data, tables, tables_of_data
from helpers.report.structure_view import view
from helpers.validation import accuracy

# %% [markdown]
# ## Every frame at a glance
#
# One row of `frames` is one snapshot: where it comes from, its temperature and density, its energy,
# the size of its forces. `sampler` is what drove the atoms when the snapshot was taken: the
# {term}`reference` itself, a relaxation, a finished heating run, or an earlier potential of this book
# ({term}`round-0 <round-N>`, `round-1` and so on).

# %%
chosen = sets or dataset.names(imported=False)
records = {name: provenance.read(dataset.locate(name)) for name in chosen}
how = {name: r.get("sampling", {}) for name, r in records.items()}
samplers = {name: how[name].get("sampler", "own") for name in chosen}

frames = dataset.per_frame(chosen)
in_tests = frames["set"].isin(catalogue.test_sets())
frames["sampler"] = frames["set"].map(samplers)
frames["use"] = frames["part"].mask(in_tests, "test")

# %% tags=["figure", "key-figure"]
#| label: fig-energies
#| caption: Energy and temperature of every labelled frame. The frames cover the
#|   crystal at 300 K, the melt at 2500 K and what lies between. Frames in the grey band
#|   are as warm as their thermostat: equipartition (dashed) with two standard deviations
#|   of its fluctuation. Points below the band are colder, points above it are strained,
#|   disordered or broken.
#| alt: Scatter plot of energy per atom against temperature, coloured by what
#|   sampled the frame, and a straight dashed line.
ax = plots_of_data.energies(frames)
# %% [markdown]
# The temperature of a frame is that of the {term}`thermostat` when the frame was taken. Equipartition
# tests whether the atoms had followed: a classical harmonic solid at temperature $T$ has a mean
# potential energy of $\tfrac32 k_B T$ per atom above its minimum, and each snapshot of its $N$ atoms
# swings about it by $\sigma = k_B T \sqrt{3/(2N)}$: half of them lie below the line in equilibrium,
# one in forty below the band of $\pm 2\sigma$. Where more do, the run heated faster than the atoms could
# follow. Strain, broken bonds and disorder lift points above it.
#
# ## The material
#
# {term}`ZIF-4` is a framework of zinc and {term}`imidazolate` (C₃H₃N₂⁻). Each Zn holds four N, each
# imidazolate bridges two Zn. The framework is open: between the ligands there is room for a gas.

# %% tags=["figure"]
#| label: fig-unit-cell
#| caption: The unit cell. Each Zn stands in a tetrahedron of four N; rings of
#|   C, N and H join the tetrahedra. A ring that a face of the cell cuts is shown whole;
#|   Zn at a face lack those of their N that belong to the next cell.
#| alt: Ball-and-stick picture of the unit cell, zinc joined by flat five-rings.
atoms = structures.load(structure)
view(molecules.unbroken(atoms), title=f"{structure}, unit cell")

# %% tags=["figure"]
#| label: fig-supercell
#| caption: A supercell, several unit cells side by side. In a larger cell a
#|   heated framework has more ways to move.
#| alt: Ball-and-stick picture of the supercell with its wide empty channels.
larger = structures.supercell(atoms, tuple(supercell))
repeated = " × ".join(map(str, supercell))
view(molecules.unbroken(larger), title=f"{structure}, {repeated}")

# %%
#| label: tbl-cells
#| caption: The cells of this page beside the paper's. The paper heats a 3 × 3 × 3
#|   supercell.
sizes = {
    "systems.zif4_atoms": ("atoms in the unit cell", len(atoms)),
    "systems.supercell_atoms": ("atoms in the supercell", len(larger)),
    "systems.supercell_density_g_per_cm3": (
        "density",
        structures.density(atoms),
    ),
}
tables.side_by_side(tables.rows(sizes, run=structure))

# %% [markdown]
# ## A labelled frame
#
# Each frame holds the positions of its atoms and three labels:
#
# - the **energy** $E$ of the cell (eV),
# - the **force** on each atom, $\mathbf F_i = -\partial E/\partial \mathbf r_i$ (eV/Å), and
# - the **virial** $W_{\alpha\beta} = -\partial E/\partial\varepsilon_{\alpha\beta}$ (eV), how the
#   energy responds to a strain $\varepsilon$ of the cell; $W = -V\sigma$ with the stress $\sigma$.
#
# A frame has one energy, nine components of the virial, but $3N$ components of force: most of what
# is learnt comes from forces.
#
# The paper's VASP data were not published. The labels here come from a reference potential that was
# itself fitted to molecular dynamics with {term}`PBE-D3`; each set says so in its
# `provenance.json`.

# %%
theories = {r.get("level_of_theory", "not said") for r in records.values()}
sources = {r.get("source", "not said") for r in records.values()}
Markdown(
    f"Level of theory: {'; '.join(sorted(theories))}. "
    f"Source: {'; '.join(sorted(sources))}."
)

# %% [markdown]
# ## The sets
#
# Frames that were sampled together make up a set. The recipe of every set is in `data/sets.yaml`,
# and `make frames SET=name` repeats it: sample, label, check, pack. *Test* sets are whole
# trajectories on which no potential of this book is trained.

# %%
#| label: tbl-sets
#| caption: All sets of this page. Temperature and density go from the lowest to
#|   the highest frame of a set.
of_set = frames.groupby("set")
table = of_set.agg(frames=("set", "size"))
measured = ["temperature_K", "density_g_cm3"]
table = table.join(of_set[measured].agg(tables.span))
table["sampled by"] = pd.Series(samplers)
table["use"] = np.where(table.index.isin(catalogue.test_sets()), "test", "")
table["what"] = pd.Series({k: r["description"] for k, r in records.items()})
tables.headed(table, index="set")

# %%
#| label: tbl-amounts
#| caption: How much there is, beside the paper. The paper has far more frames, but
#|   consecutive steps of its molecular dynamics, half a femtosecond apart, are
#|   nearly the same frame many times over.
n_of = frames["use"].value_counts().reindex([*dataset.PARTS, "test"])
n_of = n_of.fillna(0).astype(int)
tables_of_data.amounts(n_of, n_sets=len(chosen))

# %% [markdown]
# ## Concurrent learning
#
# Molecular dynamics driven by the reference costs one label a step. A potential, even a poor one, is
# far faster, and where it goes wrong is where labels are missing. So the data grew in rounds, in the
# manner of DP-GEN ({term}`concurrent learning`): the potential trained so far (`round-0`, `round-1`,
# ...) ran over temperatures and volumes until a guard found something unphysical, the reference
# labelled frames of that run, and the next potential was trained on all there was.
#
# Each label also shows how wrong the potential was that sampled the frame. Each round had
# temperatures and volumes of its own (those of `round-1` were hotter than those of `round-0`), so
# the figure compares rounds of sampling, not potentials on one test; chapter 2 does that.

# %% tags=["figure"]
#| label: fig-rounds
#| caption: Share of the frames on which the force error of the potential that
#|   sampled them is larger than a value. The further to the left a curve lies,
#|   the nearer was that potential to the labels of what it ran into.
#| alt: Falling curves, one for each round, of the share of frames above an error.
rounds = packing.rounds(chosen)
ax = plots_of_data.errors_of_samplers(rounds)
# %%
#| label: tbl-rounds
#| caption: The same in numbers. Force errors are those of the sampling potential.
error = rounds.groupby("sampler")["force_rmse_eV_per_A"]
above = rounds.assign(above_03=rounds["force_rmse_eV_per_A"] > 0.3)
above["above_05"] = rounds["force_rmse_eV_per_A"] > 0.5
share = 100 * above.groupby("sampler")[["above_03", "above_05"]].mean()
share.columns = ["above 0.3 eV/Å (%)", "above 0.5 eV/Å (%)"]
errors = pd.DataFrame(
    {"frames": error.size(), "median (eV/Å)": error.median()}
)
share = share.round().astype(int)
tables.headed(errors.join(share), index="sampler", decimals=2)

# %% [markdown]
# ## Training and validation
#
# A potential is judged by frames that it has not seen. The paper draws them at random out of its
# molecular dynamics; then each validation frame has a neighbour in time among the training frames,
# and the test measures memory. Here whole blocks of consecutive frames are set aside
# (`dataset.split_blocks`).

# %% tags=["figure"]
#| label: fig-split
#| caption: Every frame at its step of the sampling run, for the sets that know
#|   their order. Validation frames come in blocks, test sets are whole.
#| alt: One row of tick marks for each set, coloured by training, validation, test.
ax = plots_of_data.split(frames, uses=[*dataset.PARTS, "test"])
# %% [markdown]
# ## Forces
#
# The root mean square (RMS) force says how large an error may be before it matters. The paper
# reports force errors of 1.1 to 1.3 eV/Å for ZIF-4 (its Table 1). What are the forces themselves?

# %%
#| label: tbl-forces
#| caption: RMS force of all atoms and of each element, the largest of any set
#|   (eV/Å), and the largest single component.
summaries = {name: summary.summary(dataset.load(name)) for name in chosen}
rms = {name: s["force_rms_eV_per_A"] for name, s in summaries.items()}
rms = pd.DataFrame(rms).T
rms["largest component"] = [
    s["force_max_eV_per_A"] for s in summaries.values()
]
rms = rms.groupby(samplers).max()
tables.headed(rms, index="sampled by", decimals=2)

# %% tags=["figure"]
#| label: fig-forces
#| caption: The same RMS forces beside the force error that the paper reports at
#|   300 K (dashed). Where a dot lies left of the line, the error is larger than
#|   the forces themselves.
#| alt: Dots of the RMS force of C, H, N and Zn for each sampler, and a dashed
#|   vertical line at the paper's force error.
ax = plots_of_data.forces(
    rms, paper.value("table1.ZIF-4_300K.force_rmse_eV_per_A")
)
# %% [markdown]
# In molecular dynamics carbon and nitrogen, stiffly bonded in the rings, feel the largest forces.
# Zinc, on which melting depends, feels the smallest, except where two Zn were drawn together on
# purpose (the sets `zinc_pairs`, sampled from runs). Sixteen of the 272 atoms are Zn, and a loss
# that counts all components alike hardly sees them: one reason to look at errors element by element
# in the next chapter.
#
# ## Virials and densities
#
# A run at constant pressure needs the right virial at *every* density it may come to, and frames of
# a single cell teach only one. The pressure of a label is $P = \operatorname{tr} W/3V$, without the
# kinetic part.

# %% tags=["figure"]
#| label: fig-pressures
#| caption: Pressure of the labels against the density of the frame. The sets reach
#|   from strongly expanded cells (left) to compressed ones (right).
#| alt: Scatter plot of pressure against density, coloured by the sampler.
ax = plots_of_data.pressures(frames)
# %% [markdown]
# ## Closest distances
#
# Two atoms on top of each other are unphysical, and a single such frame also bloats the table of a
# compressed potential, whose range follows the closest pair. Each pair of elements has a smallest
# distance that `checks.check` accepts: about 70 % of its shortest bond.

# %%
#| label: tbl-closest
#| caption: Closest distance of each pair of elements in any frame (Å). The last row
#|   is the limit below which a frame is refused.
closest = {name: s["closest_A"] for name, s in summaries.items()}
closest = pd.DataFrame(closest).T.groupby(samplers).min()
limits = {"-".join(pair): d for pair, d in checks.MINIMUM_DISTANCES.items()}
closest.loc["refused below"] = pd.Series(limits)[closest.columns]
tables.headed(closest, index="sampled by", decimals=2)

# %% [markdown]
# ## How far the reference is from DFT
#
# Some frames were computed by DFT itself: CP2K, {term}`PBE-D3`, with the settings of the molecular
# dynamics to which the reference was fitted (`helpers.frames.cp2k`; `make dft` computes them again).
# Of energies the mean difference of each system is subtracted here; what it hides comes next.
# ZIF-8 and ZIF-62 hold methyl and benzimidazolate groups that the reference never saw; there it is
# no reference, and only chapter 2 uses these frames.

# %%
#| label: tbl-dft
#| caption: The reference beside CP2K on the same frames, energies without their mean
#|   difference, with the size of the forces. Times are those of a busy machine.
beside_dft = accuracy.compare()
seconds = beside_dft["system"].map(cp2k.median_seconds())
beside_dft["seconds"] = seconds.round().astype("Int64")
names = tables_of_data.BESIDE_CP2K
tables.headed(beside_dft, columns=names, decimals=3)

# %%
n_by_dft = beside_dft["frames"].sum()
Markdown(f"These are {n_by_dft} frames; the settings: {cp2k.LEVEL}.")

# %% [markdown]
# The mean differences that the table leaves out depend on the density. The reference
# was fitted to energies and forces at few volumes, without stress, so little told it how the energy
# changes as the whole cell is stretched. Within a framework, what it lacks is a smooth function of
# the volume per atom, $v$:
#
# $$ E_\mathrm{DFT} - E_\mathrm{ref} = N D(v), \qquad p_\mathrm{DFT} - p_\mathrm{ref} = -D'(v). $$
#
# A polynomial $D$ is fitted to the energies and pressures of each framework together
# (`helpers.frames.correction`, where the rule was written down before the frames were computed).
# Forces stay as they are, so all labels can be corrected without labelling anything again.

# %% tags=["figure"]
#| label: fig-correction
#| caption: CP2K minus the reference on each frame, and the laws of the volume (top);
#|   what the laws leave (bottom). A frame of the fit (full) is left out of it
#|   once; an open symbol is a frame that was labelled after the law was fitted.
#| alt: Four panels against the volume; points on smooth lines above, around zero below.
laws = correction.laws()
residuals = {name: correction.residuals(name) for name in laws}
figure = plots_of_data.correction(residuals, laws)

# %%
#| label: tbl-correction
#| caption: What the laws leave, by framework and phase; means with sign. Goals were
#|   0.5 meV/atom and 0.02 GPa. Labelled since: after the law was fitted.
tables.headed(tables_of_data.correction(residuals), decimals=3)

# %% [markdown]
# A law of the volume alone must leave nothing that goes with the temperature, or with how many N a Zn
# still holds. Rank correlations of what is left with the two:

# %% tags=["figure"]
#| label: fig-correction-left
#| caption: What the law of ZIF-4 leaves against temperature and coordination, symbols as
#|   above. Points that rise or fall would ask for more than the volume. The
#|   published glasses have no temperature.
#| alt: Four panels of points around zero.
figure = plots_of_data.residuals(residuals["ZIF-4"])

# %%
Markdown(tables_of_data.depends(residuals["ZIF-4"]))

# %%
of_ZIF4 = residuals["ZIF-4"]
since = of_ZIF4[of_ZIF4["since"]]
left = [f"- ZIF-4, all frames: {tables_of_data.left(of_ZIF4)}"]
left += [f"- ZIF-4, labelled since: {tables_of_data.left(since)}"]
Markdown("\n".join(left))

# %% [markdown]
# Other laws were tried beside that of the volume, each one for all frameworks: an energy of pairs
# of atoms within 12 Å (`splines`), and a dispersion beyond what the reference sees (`tail`). One takes
# its place if it leaves at most nine tenths of the energy, and no more of the pressure, on frames of
# ZIF-4 that were left out of the fit; left-out phases and frameworks stand beside
# (`zif4 correction --compare`).

# %%
#| label: tbl-laws-tried
#| caption: What each law leaves on what was left out of its fit (root mean squares).
tried = pair_law.kept()
tables_of_data.laws_tried(tried) if len(tried) else None

# %%
few = "They were not compared in this copy yet."
Markdown(tables_of_data.laws_judged(tried, "ZIF-4") if len(tried) else few)

# %% [markdown]
# Against CP2K, the reference alone makes wide cells too low in energy and pushes the cell apart. A
# potential trained on such labels opens too easily. The recipes with `corrected: true` in
# `data/potentials.yaml` are trained on corrected labels. What the law adds to an open framework:

# %%
law, v = laws["ZIF-4"], 20.0  # Å³/atom
meV, GPa = law.energy(v)[0], law.pressure(v)[0]
eV = 1e-3 * law.n_atoms * meV
Markdown(
    f"At {v:g} Å³/atom it adds {meV:+.1f} meV/atom, which is {eV:+.1f} eV for "
    f"the {law.n_atoms} atoms of the cell, and {GPa:+.3f} GPa."
)

# %% [markdown]
# ## The check
#
# `checks.check` refuses values that are no numbers, a wrong number of atoms, an element outside the
# {term}`type map`, forces over a bound, atoms too close, copies of frames, and energies far outside
# the others. Here it looks through every set:

# %%
checked = {
    name: checks.check_set(name, force_bound=force_bound) for name in chosen
}
n_frames = sum(len(system) for system in checked.values())
Markdown(f"All {n_frames} frames of the {len(checked)} sets are sound.")

# %% [markdown]
# What a refusal looks like, with one force made too large on purpose:

# %%
spoilt = dataset.load(chosen[0])
spoilt.data["forces"][0, 0, 0] = 2 * force_bound
try:
    checks.check(spoilt, force_bound=force_bound)
except dataset.BadFrames as error:
    print(error)

# %% [markdown]
# ## Your own data
#
# Results of VASP or CP2K are read by dpdata; `formats.import_labelled` brings them into the order of
# the type map C, H, N, Zn:
#
# | you have | call |
# |---|---|
# | `OUTCAR` | `formats.import_labelled("OUTCAR")` |
# | `vasprun.xml` | `formats.import_labelled("vasprun.xml")` |
# | output of a CP2K single point | `formats.import_labelled("cp2k.out", fmt="cp2k/output")` |
# | folder of a CP2K MD run | `formats.import_labelled("run/", fmt="cp2k/aimd_output")` |
# | extended XYZ of ASE | `formats.import_labelled("frames.extxyz")` |
#
# Then come `checks.check(system)` and `dataset.save(system, directory,
# dataset.split_blocks(len(system)), description=..., recipe=...)`; the page
# [Your own data](../book/own_data.md) does it step by step. Name your file in the parameter
# `own_file` and the next cell shows it. Without one, frames of ours are written as extended XYZ and
# read again.

# %%
with tempfile.TemporaryDirectory() as folder:
    theirs = dataset.load(chosen[0], "validation")
    ours = formats.to_extxyz(theirs, Path(folder, "own.extxyz"))
    own = formats.import_labelled(Path(own_file or ours), own_format or None)

# %%
#| label: tbl-own
#| caption: What the imported file holds (your own, or ours there and back).
atoms_of = zip(own["atom_names"], own["atom_numbs"], strict=True)
checks.check(own, stoichiometry=dict(atoms_of))
held = pd.Series(summary.summary(own)).dropna()
one_by_one = ["force_rms_eV_per_A", "closest_A"]  # tables of their own above
tables.facts(held.drop(one_by_one).rename(tables.header).to_dict())

# %% [markdown]
# ## What this chapter found

# %%
warm = frames.dropna(subset="temperature_K")
known = beside_dft.dropna(subset="reference-CP2K force_eV_per_A")
n_known = known["frames"].sum()
coldest, hottest = warm["temperature_K"].agg(["min", "max"])
off = known["reference-CP2K force_eV_per_A"]
share = 100 * off / known["force_rms_eV_per_A"]

# %% tags=["verdict"]
Markdown(
    f"- **Frames: {len(frames)} with labels, {coldest:.0f} to {hottest:.0f} "
    f"K.** No potential is trained on {n_of['test']} of them.\n"
    f"- **Labels: their forces differ from PBE-D3 by {share.min():.1f} to "
    f"{share.max():.1f} % of the RMS force.** That is {off.min():.3f} to "
    f"{off.max():.3f} eV/Å on {n_known} frames by CP2K; a potential trained "
    "to smaller errors would learn those of the reference.\n"
    "- **Energies and pressures are corrected by a law of the volume.** Left "
    f"on frames of ZIF-4 that it did not know: {tables_of_data.left(since)}."
)

# %% [markdown]
# ## To try
#
# The solutions use what the cells above have made; each runs in a second.
#
# **Exercise 1.** Which samplers made frames that are colder than their nominal temperature, below
# the band of the first figure? Give the share of their frames; one in forty is expected by chance.

# %% tags=["solution", "hide-cell"]
lowest = frames["energy_eV_per_atom"].min()
kT = units.K_to_eV(warm["temperature_K"])
edge = 1.5 * kT - 2 * kT * np.sqrt(1.5 / warm["n_atoms"])
too_cold = warm["energy_eV_per_atom"] - lowest < edge
too_cold.groupby(warm["sampler"]).mean().rename("share too cold").round(2)

# %% [markdown]
# **Exercise 2.** The bound on force components is a parameter of this page. Which sets would be
# refused with a bound of 15 eV/Å? (`make chapter CHAPTER=01_data ARGS="-p force_bound 15"` asks the
# check itself.)

# %% tags=["solution", "hide-cell"]
largest = {name: s["force_max_eV_per_A"] for name, s in summaries.items()}
largest = pd.Series(largest, name="largest component (eV/Å)")
largest[largest > 15].sort_values()

# %% [markdown]
# **Exercise 3.** By how much do the atoms differ between a validation frame and the training frame
# that is most like it? Take a set that the reference itself sampled, and compare the blocks of this
# book with a split at random, as in the paper.

# %% tags=["solution", "hide-cell"]
#| label: tbl-nearest
#| caption: Displacement of the atoms (Å) from a validation frame to the most
#|   similar training frame; a small one means that the frame is hardly new.
tested = catalogue.test_sets()
driven = [n for n in chosen if samplers[n] == "reference" and n not in tested]
nearest = {}
for name in driven[:1]:
    whole = dataset.load(name)  # training frames first
    held = np.arange(len(whole)) >= len(dataset.load(name, "training"))
    mixed = dataset.split_random(len(held), held.mean())
    for split, validation in {"blocks": held, "random": mixed}.items():
        nearest[split] = checks.nearest_training(whole, validation)
quarters = {k: np.quantile(d, [0.25, 0.5, 0.75]) for k, d in nearest.items()}
pd.DataFrame(quarters, index=["25%", "50%", "75%"]).round(2)

# %% [markdown]
# ## What is still missing

# %%
theirs_K = np.array(paper.value("fpmd.temperatures_K").content)
ours_K = [*warm["temperature_K"], np.inf]  # an own set may know none
gaps = np.abs(theirs_K[:, None] - ours_K).min(axis=1)
without = ", ".join(f"{T} K" for T in theirs_K[gaps >= 50]) or "none"
mixed = beside_dft["system"].str.startswith(("ZIF-8", "ZIF-62"))
n_mixed = beside_dft.loc[mixed, "frames"].sum()
Markdown(
    "- Temperatures of the paper without a frame within 50 K: "
    f"{without}.\n"
    "- ZIF-62 and ZIF-8 are in no set, since the reference was fitted to "
    f"ZIF-4 only; of them there are {n_mixed} frames by CP2K."
)

# %%
#| label: tbl-page-data
#| caption: How the data of this page were made.
days = {r["made"][:10] for r in records.values()}
processors = {r["hardware"]["processor"] for r in records.values()}
made = {"profile": profile, "sets": len(chosen)}
made["labels made"] = ", ".join(sorted(days))
made["on"] = ", ".join(sorted(processors))
tables.facts(made)
