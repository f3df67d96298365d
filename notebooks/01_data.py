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
#       - data/frames
#       - data/paper.yaml
#       - data/sets.yaml
#       - data/structures/{structure}.extxyz
# ---

# %% [markdown]
# # 1 Data: what a potential is taught
#
# A deep potential knows nothing of quantum mechanics. It is a flexible function from positions to
# energy that is bent until it agrees with *labelled frames*: snapshots of atoms for which a method
# that does know (here: of PBE-D3 quality) gave
#
# - the **energy** $E$ of the cell (eV),
# - the **force** on each atom, $\mathbf F_i = -\partial E/\partial \mathbf r_i$ (eV/Å), and
# - the **virial** $W_{\alpha\beta} = -\partial E/\partial\varepsilon_{\alpha\beta}$ (eV), the
#   answer of the energy to a strain $\varepsilon$ of the cell; $W = -V\sigma$ with the stress
#   $\sigma$.
#
# A frame has one energy, nine virial components, but $3N$ forces: most of what is learnt comes from
# forces. What is not in the frames is not learnt. So before any training: what is in them?

# %% tags=["parameters"]
profile: str = "small"  # [-] any | profile this page is made for
structure: str = "ZIF-4"  # [-] ZIF-4, ZIF-4-experimental, Znim2-ABW | cell in data/structures
supercell: list[int] = [2, 2, 2]  # [-] 1..6 | repetitions along a, b, c that are shown
sets: list[str] = []  # [-] any | sets of frames to look at; empty: all but imported ones
force_bound: float = 30.0  # [eV/A] 1..1000 | a larger force component is refused
own_file: str = ""  # [-] any | your OUTCAR, vasprun.xml, CP2K output or extxyz; empty: our own
own_format: str = ""  # [-] any | its format as dpdata names it; empty: by the name of the file

# %% tags=["remove-cell"]
from helpers.book import parameters

globals().update(parameters.accepted("01_data", globals()))  # text becomes lists

# %%
import tempfile
from pathlib import Path

import pandas as pd

from helpers import provenance, structures, units
from helpers.frames import checks, cp2k, dataset, formats, summary
from helpers.recipes import catalogue
from helpers.recipes import sets as packing
from helpers.report import paper, style, tables
from helpers.report.structure_view import view
from helpers.validation import accuracy

chosen = sets or dataset.names(imported=False)
records = {name: provenance.read(dataset.locate(name)) for name in chosen}

# %% [markdown]
# ## The material
#
# ZIF-4 is a framework of zinc and imidazolate (C₃H₃N₂⁻): each Zn holds four N, each imidazolate
# bridges two Zn. The unit cell, and the supercell that an MD run may use:

# %%
atoms = structures.load(structure)
view(atoms, title=f"{structure}, unit cell")

# %%
larger = structures.supercell(atoms, tuple(supercell))
view(larger, title=f"{structure}, {' x '.join(map(str, supercell))}")

# %%
tables.side_by_side(
    [
        tables.row(
            "systems.zif4_atoms", len(atoms), quantity="atoms in the unit cell", run=structure
        ),
        tables.row(
            "systems.supercell_atoms",
            len(larger),
            quantity="atoms in the supercell",
            run=f"{structure} {supercell}",
        ),
        tables.Row("density", "g/cm3", None, structures.density(atoms), run=structure),
    ],
    "The cells",
)

# %% [markdown]
# ## The sets
#
# The paper's VASP data were not published. The labels here come from a reference potential that
# was itself fitted to PBE-D3 molecular dynamics of ZIF-4; each set says so in `provenance.json`,
# together with how its frames were sampled. The recipe of every set is in `data/sets.yaml`, and
# `make frames SET=name` follows it again: sample, label, check, pack.

# %%
pd.DataFrame(
    {
        name: {
            "what": r["description"],
            "sampled by": r.get("sampling", {}).get("sampler", ""),
            "use": "test" if name in catalogue.test_sets() else "training",
        }
        for name, r in records.items()
    }
).T.rename_axis("set").reset_index().style.hide(axis="index").set_properties(
    **{"vertical-align": "top", "white-space": "normal"}
)

# %%
for what in ("level_of_theory", "source"):
    for text in sorted({r.get(what, "not said") for r in records.values()}):
        print(f"{what.replace('_', ' ')}: {text}")

# %%
per_frame = dataset.per_frame(chosen)
sampler = {name: r.get("sampling", {}).get("sampler", "own") for name, r in records.items()}
per_frame["sampler"] = per_frame["set"].map(sampler)
per_frame["use"] = per_frame["part"].mask(per_frame["set"].isin(catalogue.test_sets()), "test")
of_set = per_frame.groupby("set")


def span(values):
    return "-" if values.isna().any() else f"{values.min():.4g} … {values.max():.4g}"


pd.DataFrame(
    {
        "atoms": of_set["n_atoms"].first(),
        "frames": of_set.size(),
        "temperature (K)": of_set["temperature_K"].agg(span),
        "density (g/cm³)": of_set["density_g_cm3"].agg(span),
        "pressure (GPa)": of_set["pressure_GPa"].agg(span),
        "RMS force (eV/Å)": of_set["force_rms_eV_per_A"].agg(span),
    }
).reset_index().style.hide(axis="index")

# %%
counts = per_frame["use"].value_counts().reindex(["training", "validation", "test"], fill_value=0)
learnt = counts["training"] + counts["validation"]
tables.side_by_side(
    [
        tables.row(
            "training.configurations",
            len(per_frame),
            quantity="labelled frames (more than)",
            run="all sets",
        ),
        tables.row("training.sets", len(chosen), quantity="sets", run="all sets"),
        tables.row(
            "training.training_fraction",
            counts["training"] / learnt,
            quantity="share of training frames",
            run="all sets but the tests",
        ),
        tables.row(
            "training.validation_fraction",
            counts["validation"] / learnt,
            quantity="share of validation frames",
            run="all sets but the tests",
        ),
        tables.Row(
            "frames of test trajectories",
            "-",
            None,
            int(counts.get("test", 0)),
            run="sets in no training",
        ),
    ],
    "How much there is",
)

# %% [markdown]
# The paper has far more frames, but consecutive steps of MD, half a femtosecond apart, are nearly
# the same frame many times over. The frames here were made to differ: temperature and strain move
# on while they are sampled.

# %% [markdown]
# ## Concurrent learning
#
# MD driven by the reference costs one label a step. A potential, even a poor one, is far faster,
# and where it goes wrong is where labels are missing. So the data grew in rounds, in the manner of
# DP-GEN: the potential trained so far (`round-0`, `round-1`, ...) runs MD over temperatures and
# volumes until a guard finds something unphysical, the reference labels frames of it, and the next
# potential is trained on all there is.
#
# Each label also tells how far the sampler was from it. Each round had
# temperatures and volumes of its own (those of `round-1` were hotter than those of `round-0`), so
# the figure compares rounds of sampling, not potentials on one test; chapter 2 does that.

# %%
rounds = packing.rounds(chosen)
_, ax = style.axes(("force RMSE of the sampler", "eV/A"), ("share of frames above", "-"), width=6)
for (name, rows), colour in zip(rounds.groupby("sampler"), style.SERIES_COLOURS, strict=False):
    ax.ecdf(
        rows["force_rmse_eV_per_A"],
        complementary=True,
        color=colour,
        label=f"{name}, {len(rows)} frames",
    )
ax.legend()
# %%
error = rounds.groupby("sampler")["force_rmse_eV_per_A"]
pd.DataFrame(
    {
        "frames": error.size(),
        "median (eV/Å)": error.median(),
        "above 0.3 eV/Å (%)": error.apply(lambda e: 100 * (e > 0.3).mean()),
        "above 0.5 eV/Å (%)": error.apply(lambda e: 100 * (e > 0.5).mean()),
    }
).rename_axis("sampler").reset_index().style.format(precision=2).hide(axis="index")

# %% [markdown]
# ## Training and validation
#
# A potential is judged by frames that it has not seen. The paper draws them at random out of MD
# runs; then each validation frame has a neighbour in time among the training frames, and what is
# measured is memory. Here whole blocks of consecutive frames are set aside
# (`dataset.split_blocks`). The figure shows them, frame by frame, where a set knows its order.

# %%
ordered = per_frame.dropna(subset=["step"])
_, ax = style.axes(("step of the sampling run", "-"), ("", "-"), width=7, height=6)
for part, colour in zip((*dataset.PARTS, "test"), style.SERIES_COLOURS, strict=False):
    rows = ordered[ordered["use"] == part]
    ax.plot(rows["step"], rows["set"], "|", color=colour, markersize=7, label=part)
ax.set_xscale("symlog", linthresh=100)
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
# %% [markdown]
# ## Energies and temperatures
#
# The temperature of a frame is that of the thermostat when it was sampled. Equipartition tests
# whether the atoms followed: a classical harmonic solid at temperature $T$ has a mean potential
# energy of $\tfrac32 k_B T$ per atom above its minimum. Points below that line are frames whose
# run heated faster than the atoms could follow: they are colder than they are called. Strain,
# broken bonds and disorder lift points above it.

# %%
warm = per_frame.dropna(subset=["temperature_K"])
lowest = per_frame["energy_eV_per_atom"].min()
_, ax = style.axes(("temperature", "K"), ("energy above the lowest frame", "eV/atom"), width=6)
for (name, rows), colour in zip(warm.groupby("sampler"), style.SERIES_COLOURS, strict=False):
    ax.plot(
        rows["temperature_K"],
        rows["energy_eV_per_atom"] - lowest,
        ".",
        ms=3,
        color=colour,
        label=f"sampled by {name}",
    )
line = pd.Series([0.0, warm["temperature_K"].max()])
ax.plot(line, 1.5 * units.K_to_eV(line), "k--", lw=1, label="3/2 $k_B T$")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
# %% [markdown]
# ## Forces
#
# The root mean square force says how large an error may be before it matters. The paper reports
# force errors of 1.1–1.3 eV/Å (Table 1); put beside it what the forces themselves are:

# %%
summaries = {name: summary.summary(dataset.load(name)) for name in chosen}
rms = pd.DataFrame({n: s["force_rms_eV_per_A"] for n, s in summaries.items()}).T
rms["largest component"] = [s["force_max_eV_per_A"] for s in summaries.values()]
rms = rms.groupby(sampler).max().rename_axis("largest of any set (eV/Å), sampled by")
rms.reset_index().style.format(precision=2).hide(axis="index")

# %%
_, ax = style.axes(("RMS force", "eV/A"), ("", "-"), width=6, height=6)
for element in structures.TYPE_MAP:
    if element in rms:
        ax.plot(rms[element], rms.index, "o", color=style.element_colour(element), label=element)
style.paper_line(ax, paper.value("table1.ZIF-4_300K.force_rmse_eV_per_A"), axis="x")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
# %% [markdown]
# Carbon and nitrogen, stiffly bonded in the rings, feel the largest forces; zinc, which decides
# over melting, the smallest. A loss that counts all components alike hardly sees zinc: one reason
# to look at errors element by element in the next chapter.
#
# ## Virials and densities
#
# A run at constant pressure needs the right virial at *every* density it may come to. Frames of a
# single cell teach only one. Here is the pressure the labels give, $P = \operatorname{tr} W/3V$
# (without the kinetic part), against the density of the frames.

# %%
_, ax = style.axes(("density", "g/cm3"), ("pressure of the labels", "GPa"), width=6)
for (name, rows), colour in zip(per_frame.groupby("sampler"), style.SERIES_COLOURS, strict=False):
    ax.plot(
        rows["density_g_cm3"],
        rows["pressure_GPa"],
        ".",
        ms=3,
        color=colour,
        label=f"sampled by {name}",
    )
ax.axhline(0, color="black", lw=0.8)
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
# %% [markdown]
# ## Closest distances
#
# Two atoms on top of each other are no physics, and a single such frame also bloats the table of a
# compressed potential, whose range follows the closest pair. Each pair of elements has a smallest
# distance that `checks.check` accepts: about 70 % of its shortest bond.

# %%
closest = pd.DataFrame({name: s["closest_A"] for name, s in summaries.items()}).T
limits = {"-".join(pair): limit for pair, limit in checks.MINIMUM_DISTANCES.items()}
closest = closest.groupby(sampler).min()
closest.loc["refused below"] = {pair: limits[pair] for pair in closest}
closest = closest.rename_axis("closest (Å), sampled by").reset_index()
closest.style.format(precision=2).hide(axis="index")

# %% [markdown]
# ## How far the reference is from DFT
#
# The labels come from a potential that was itself fitted to DFT. Some frames were computed by DFT
# for real: CP2K, PBE-D3, with the settings of the MD that the reference was fitted to
# (`helpers.frames.cp2k`; `make dft` does them again). Energies of the two have different zeros, so
# the mean
# difference of each system is taken away. ZIF-8 and ZIF-62 hold methyl and benzimidazolate groups
# that the reference never saw; there it is no reference, and only chapter 2 uses these frames.

# %%
beside_dft = accuracy.compare()
beside_dft["seconds"] = beside_dft["system"].map(cp2k.median_seconds())
names = {
    "system": "system",
    "frames": "frames",
    "atoms": "atoms",
    "force_rms_eV_per_A": "RMS force (eV/Å)",
    "reference-CP2K force_eV_per_A": "force RMSE (eV/Å)",
    "reference-CP2K energy_meV_per_atom": "energy RMSE (meV/atom)",
    "reference-CP2K virial_meV_per_atom": "virial RMSE (meV/atom)",
    "seconds": "median time of a frame (s)",
}
beside_dft[list(names)].rename(columns=names).style.format(precision=3, na_rep="-").hide(
    axis="index"
)

# %%
print(f"{beside_dft['frames'].sum()} frames by {cp2k.LEVEL}; times are those of a busy machine")

# %% [markdown]
# ## The check
#
# `checks.check` refuses NaN, a wrong number of atoms, an element outside the type map, forces
# over a bound, atoms too close, copies of frames, and energies far outside the others. It runs
# here, on this page, on every set:

# %%
for name in chosen:
    system = checks.check_set(name, force_bound=force_bound)
    print(f"{name}: {len(system)} frames of {system.get_natoms()} atoms are sound")

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
# Results of VASP or CP2K go in through dpdata; `formats.import_labelled` brings them into the order
# of the type map C, H, N, Zn:
#
# | you have | call |
# |---|---|
# | `OUTCAR` | `formats.import_labelled("OUTCAR")` |
# | `vasprun.xml` | `formats.import_labelled("vasprun.xml")` |
# | output of a CP2K single point | `formats.import_labelled("cp2k.out", fmt="cp2k/output")` |
# | folder of a CP2K MD run | `formats.import_labelled("run/", fmt="cp2k/aimd_output")` |
# | extended XYZ of ASE | `formats.import_labelled("frames.extxyz")` |
#
# then `checks.check(system)` and `dataset.save(system, directory,
# dataset.split_blocks(len(system)), description=..., recipe=...)`. Name your file in the parameter
# `own_file` and this cell shows it; else it takes the detour with frames of ours, written as
# extended XYZ and read again.

# %%
if own_file:
    own = formats.import_labelled(Path(own_file), own_format or None)
else:
    with tempfile.TemporaryDirectory() as folder:
        file = formats.to_extxyz(dataset.load(chosen[0], "validation"), Path(folder, "own.extxyz"))
        own = formats.import_labelled(file)
checks.check(own, stoichiometry=dict(zip(own["atom_names"], own["atom_numbs"], strict=True)))
tables.facts(
    {k: v for k, v in summary.summary(own).items() if v is not None and not isinstance(v, dict)},
    own_file or f"{chosen[0]}, validation, there and back",
)

# %% [markdown]
# ## What this chapter found

# %%
print(
    f"{len(per_frame)} labelled frames, {counts.get('test', 0)} of them in no training, "
    f"{warm['temperature_K'].min():.0f} to {warm['temperature_K'].max():.0f} K."
)
known = beside_dft.dropna(subset="reference-CP2K force_eV_per_A")
if len(known):
    off = known["reference-CP2K force_eV_per_A"]
    share = 100 * off / known["force_rms_eV_per_A"]
    print(
        f"Their forces are {off.min():.3f} to {off.max():.3f} eV/Å off PBE-D3, "
        f"{share.min():.1f} to {share.max():.1f} % of the RMS force: to train below that would "
        "be to learn the reference's own errors."
    )

# %% [markdown]
# ## What is still missing

# %%
paper_K = paper.value("fpmd.temperatures_K").number
missing = [T for T in paper_K if not (abs(warm["temperature_K"] - T) < 50).any()]
print(
    f"{len(per_frame)} frames; the paper's temperatures without a frame within 50 K:",
    ", ".join(f"{T} K" for T in missing) or "none",
)
print(
    "ZIF-62 and ZIF-8: in no set, the reference was fitted to ZIF-4 only; DFT frames:",
    int(beside_dft.loc[beside_dft["system"].isin(["ZIF-8", "ZIF-62"]), "frames"].sum()),
)

# %%
tables.facts(
    {
        "profile": profile,
        "sets": ", ".join(chosen),
        "labels made": ", ".join(sorted({r["made"][:10] for r in records.values()})),
        "on": ", ".join(sorted({r["hardware"]["processor"] for r in records.values()})),
    },
    "This page",
)
