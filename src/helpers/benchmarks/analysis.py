"""Cost of the analysis on this machine, next to that of codes that we did not write.

``make bench-analysis`` measures and writes ``build/bench/analysis.json``. One core, one thread, one
process; the contenders take turns, each with the calls that its user would write for the same
output. Times are processor time, the least of the rounds: on a machine with other work the ratios
remain valid, which wall time does not ensure. The output of every contender is compared with ours
before its time counts.
"""

from __future__ import annotations

import os
import resource
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from helpers import provenance, waiting
from helpers.benchmarks import record, scattering
from helpers.md import snapshots, trajectory
from helpers.observables import coordination, displacement, local_density, molecules, rdf

SET = "crystal_1200"
BINS, CUTOFF_A, BOX_A, FRAMES_MOVED = 1000, 2.5, 5.0, 20


def hot_frames(n: int = FRAMES_MOVED) -> trajectory.Trajectory:
    """The last frames of the reference's molecular dynamics of the crystal at 1200 K.

    Parameters
    ----------
    n : int
        Number of frames.

    Returns
    -------
    Trajectory
        The frames.
    """
    return snapshots.of_sets([SET], 272).last(n)


def repeated(frames: trajectory.Trajectory, times: int) -> list[Atoms]:
    """Supercell of each frame.

    Parameters
    ----------
    frames : Trajectory
        The frames.
    times : int
        Number of repetitions along each cell vector.

    Returns
    -------
    list of ase.Atoms
        Supercells of times^3 cells.
    """
    return [frames.atoms(f).repeat(times) for f in range(len(frames))]


def contenders(frames: list[Atoms]) -> dict[str, dict[str, Callable[[], object]]]:
    """The calls to be compared, for each quantity.

    A quantity of many frames is computed for all ``frames``, the others for the last one. g(r)
    extends to 10 A, or to half of a smaller cell.

    Parameters
    ----------
    frames : list of ase.Atoms
        Frames of the same atoms.

    Returns
    -------
    dict of str to dict of str to callable
        Quantity -> contender -> call, whose result is comparable to that of ``this book``.
    """
    import freud
    import MDAnalysis
    from ase.geometry.rdf import get_rdf
    from ase.neighborlist import build_neighbor_list, get_connectivity_matrix, neighbor_list
    from MDAnalysis.analysis import density, rms
    from MDAnalysis.analysis import rdf as mda_rdf
    from MDAnalysis.lib.distances import capped_distance
    from MDAnalysis.lib.mdamath import triclinic_box
    from scipy.sparse.csgraph import connected_components

    warnings.filterwarnings("ignore")
    freud.parallel.set_num_threads(1)
    atoms = frames[-1].copy()
    atoms.wrap()
    cell, symbols = atoms.cell.array, np.array(atoms.get_chemical_symbols())
    cells = np.array([frame.cell.array for frame in frames])
    positions = np.array([frame.positions for frame in frames])
    r_max = min(10.0, np.floor(rdf.neighbors.widest_radius(cell) * 10) / 10)
    pairs = rdf.element_pairs(symbols)
    box, centre = freud.box.Box.from_matrix(cell.T), cell.sum(axis=0) / 2
    of = {e: (atoms.positions[symbols == e] - centre).astype(np.float32) for e in set(symbols)}
    everywhere = (atoms.positions - centre).astype(np.float32)
    universe = MDAnalysis.Universe.empty(
        len(atoms), n_residues=1, atom_resindex=[0] * len(atoms), trajectory=True
    )
    universe.add_TopologyAttr("elements", symbols)
    universe.add_TopologyAttr("types", symbols)
    universe.add_TopologyAttr("masses", atoms.get_masses())
    # Without drift, which MDAnalysis' RMSD has no switch for; and the last frame, wrapped.
    drift = np.average(positions, axis=1, weights=atoms.get_masses())[:, None]
    wrapped = universe.copy()
    universe.load_new((positions - drift).astype(np.float32))
    wrapped.load_new(
        atoms.positions[None].astype(np.float32), dimensions=triclinic_box(*cell)[None]
    )
    group = {e: wrapped.select_atoms(f"element {e}") for e in set(symbols)}
    last = slice(len(frames) - 1, len(frames))

    def ours_g():
        found = rdf.rdfs([(atoms.positions, cell)], symbols, r_max, r_max / BINS)
        return np.array([found[None].counts.sum(), *(found[p].counts.sum() for p in pairs)])

    def mdanalysis_g():
        found = [
            mda_rdf.InterRDF(
                group[a],
                group[b],
                nbins=BINS,
                range=(0, r_max),
                norm="none",
                exclusion_block=(1, 1) if a == b else None,
            )
            .run()
            .results.count.sum()
            for a, b in pairs
        ]
        return np.array(
            [sum(c * (1 if a == b else 2) for c, (a, b) in zip(found, pairs, strict=True)), *found]
        )

    def freud_g():
        found = []
        for a, b in pairs:
            one = freud.density.RDF(BINS, r_max)
            one.compute((box, of[b]), None if a == b else of[a], reset=True)
            found.append(one.bin_counts.sum())
        total = freud.density.RDF(BINS, r_max).compute((box, everywhere), reset=True)
        return np.array([total.bin_counts.sum(), *found])

    def freud_list_g():
        points = freud.locality.AABBQuery(box, everywhere)
        found = points.query(everywhere, {"r_max": r_max, "exclude_ii": True}).toNeighborList()
        kinds = sorted(set(symbols))
        kind = np.searchsorted(kinds, symbols)
        both = kind[found.query_point_indices] * len(kinds) + kind[found.point_indices]
        counts = np.histogram2d(
            both, found.distances, [np.arange(len(kinds) ** 2 + 1), np.linspace(0, r_max, BINS + 1)]
        )[0].sum(axis=1)
        each = [counts[kinds.index(a) * len(kinds) + kinds.index(b)] for a, b in pairs]
        return np.array([counts.sum(), *each])

    def ase_g():  # one of eleven curves: the calls for all take minutes
        a, b = pairs[1]
        g = get_rdf(atoms, r_max, BINS, elements=(a, b), no_dists=True)
        shells = 4 / 3 * np.pi * np.diff(np.linspace(0, r_max, BINS + 1) ** 3)
        found = np.full(11, np.nan)
        found[2] = (g * shells).sum() * len(of[a]) * len(of[b]) / atoms.get_volume()
        return found

    def freud_coordination():
        found = (
            freud.locality.AABBQuery(box, of["N"])
            .query(of["Zn"], {"r_max": CUTOFF_A})
            .toNeighborList()
        )
        return found.neighbor_counts

    def mdanalysis_coordination():
        found = capped_distance(
            group["Zn"].positions,
            group["N"].positions,
            CUTOFF_A,
            box=wrapped.dimensions,
            return_distances=False,
        )
        return np.bincount(found[:, 0], minlength=len(group["Zn"]))

    def ase_coordination():
        i = neighbor_list("i", atoms, {("Zn", "N"): CUTOFF_A})
        return np.bincount(i, minlength=len(atoms))[symbols == "Zn"]

    def mdanalysis_rmsd():  # its class RMSD rotates groups onto the start, whatever it is told
        walkers = [universe.select_atoms(f"element {e}") for e in sorted(of)]
        universe.trajectory[0]
        start = [group.positions for group in walkers]
        return np.array(
            [
                [
                    rms.rmsd(group.positions, first)
                    for group, first in zip(walkers, start, strict=True)
                ]
                for _ in universe.trajectory
            ]
        )[-1]

    def ase_rings():
        bonds = build_neighbor_list(atoms[symbols != "Zn"], self_interaction=False)
        return connected_components(get_connectivity_matrix(bonds.nl))[0]

    def mdanalysis_rings():
        organic = wrapped.select_atoms("not element Zn")
        organic.guess_bonds(vdwradii={"C": 1.7, "H": 1.1, "N": 1.55})
        return len(organic.fragments)

    return {
        f"g(r), 10 pairs and total, {r_max:g} A": {
            "this book": ours_g,
            "MDAnalysis InterRDF, 10 pairs": mdanalysis_g,
            "freud RDF, 11 selections": freud_g,
            "freud query and NumPy": freud_list_g,
            "ASE get_rdf, one curve of 11": ase_g,
        },
        "coordination of Zn by N": {
            "this book": lambda: coordination.coordination_number(
                positions[last], cells[last], symbols
            )[0],
            "MDAnalysis capped_distance": mdanalysis_coordination,
            "freud AABBQuery": freud_coordination,
            "ASE neighbor_list": ase_coordination,
        },
        f"local density, boxes of {BOX_A:g} A": {
            "this book": lambda: local_density.local_density(  # noqa: PLW0108
                positions[last], cells[last], BOX_A
            ).counts.sum(),
            "MDAnalysis DensityAnalysis": lambda: (
                density.DensityAnalysis(wrapped.atoms, delta=BOX_A, padding=2)
                .run()
                .results.density.grid.sum()
                * BOX_A**3
            ),
        },
        f"RMSD of 4 elements, {len(frames)} frames": {
            "this book": lambda: np.array(
                [values[-1] for values in displacement.rmsd(positions, symbols).values()]
            ),
            "MDAnalysis rms.rmsd": mdanalysis_rmsd,
        },
        "molecules (rings of imidazolate)": {
            "this book": lambda: molecules.find(atoms.positions, cell, symbols).label.max() + 1,
            "MDAnalysis guess_bonds": mdanalysis_rings,
            "ASE build_neighbor_list": ase_rings,
        },
    } | scattering.contenders(frames[-1])


def race(calls: dict[str, Callable[[], object]], rounds: int, most_s: float = 20.0) -> dict:
    """Measure the processor time of several calls.

    One call each to warm up (caches, compiled kernels), then rounds in turn; a contender that took
    longer than ``most_s`` in the first round is not called again.

    Parameters
    ----------
    calls : dict of str to callable
        Contender -> call.
    rounds : int
        Number of rounds.
    most_s : float
        Longest time of a call that is repeated, s.

    Returns
    -------
    dict
        Contender -> {"seconds": least processor time, "wall_s": wall time of the same call,
        "result"}.
    """
    found: dict[str, dict[str, Any]] = {}
    for n in range(rounds + 1):
        for who, call in calls.items():
            if n and found[who]["first_s"] > most_s:
                continue
            cpu, wall = time.process_time(), time.perf_counter()
            result = call()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if not n:
                found[who] = {"first_s": cpu, "seconds": cpu, "wall_s": wall, "result": result}
            elif n == 1 or cpu < found[who]["seconds"]:
                found[who] |= {"seconds": cpu, "wall_s": wall}
    return found


def full_analysis(frames: Sequence[Atoms], n_frames: int, symbols) -> dict:
    """Compute all observables over a stream of frames, one at a time.

    Nothing that grows with the number of frames is kept, except one number for each.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        Frames, used in turn.
    n_frames : int
        Length of the stream.
    symbols : (N,) sequence of str
        Chemical symbols.

    Returns
    -------
    dict
        seconds (processor time), wall_s, frames, atoms.
    """
    start, cpu, wall = frames[0].positions, time.process_time(), time.perf_counter()
    curves = rdf.Accumulator(
        symbols,
        min(10.0, np.floor(rdf.neighbors.widest_radius([f.cell.array for f in frames]) * 10) / 10),
        0.01,
    )
    for f in range(n_frames):
        atoms = frames[f % len(frames)]
        positions, cells = atoms.positions[None], atoms.cell.array[None]
        curves.add(positions[0], cells[0])
        coordination.coordination_number(positions, cells, symbols)
        local_density.local_density(positions, cells, BOX_A, symbols).unevenness()
        displacement.rmsd(
            np.stack([start, positions[0]]),
            symbols,
            cells=np.stack([frames[0].cell.array, cells[0]]),
        )
        molecules.find(positions[0], cells[0], symbols)
    found = curves.results()
    assert found[None].n_frames == n_frames
    return {
        "frames": n_frames,
        "atoms": len(symbols),
        "seconds": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
    }


def measure(n_frames: int = 1000, rounds: int = 5) -> dict:
    """Measure all of this.

    Parameters
    ----------
    n_frames : int
        Length of the stream of frames.
    rounds : int
        Number of rounds of each race.

    Returns
    -------
    dict
        The record, as written to ``build/bench/analysis.json``.
    """
    hot = hot_frames()
    rows = []
    for times in (1, 3):
        frames = repeated(hot, times)
        for quantity, calls in contenders(frames).items():
            print(f"{len(frames[0])} atoms, {quantity}", flush=True)
            found = race(calls, rounds)
            ours = found["this book"]
            for who, one in found.items():
                rows.append(
                    {
                        "atoms": len(frames[0]),
                        "quantity": quantity,
                        "who": who,
                        "seconds": one["seconds"],
                        "wall_s": one["wall_s"],
                        "ratio": one["seconds"] / ours["seconds"],
                        "agrees": _agrees(ours["result"], one["result"]),
                    }
                )
    scaling = []
    for times, count in [(1, 64), (2, 32), (3, 16), (4, 8)] + [(3, n) for n in (8, 32, 64)]:
        frames = repeated(hot[:4], times)
        scaling.append(full_analysis(frames, count, np.array(frames[0].get_chemical_symbols())))
    memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    frames = repeated(hot[:4], 3)
    symbols, whole = np.array(frames[0].get_chemical_symbols()), []
    for _ in waiting.bar(range(10), desc=f"full analysis, {n_frames} frames", unit="tenth"):
        whole.append(full_analysis(frames, max(1, n_frames // 10), symbols))
    total = {key: sum(part[key] for part in whole) for key in ("frames", "seconds", "wall_s")}
    measured = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "load": os.getloadavg(),
        "rounds": rounds,
        "rows": rows,
        "scaling": scaling,
        "full": total
        | {
            "atoms": len(symbols),
            "memory_GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "memory_before_GiB": memory_before,
        },
    }
    record.write(record.made("analysis"), measured)
    return measured


def exponents(scaling: list[dict]) -> dict[str, float]:
    """Exponents a of ``time ~ size^a``.

    Parameters
    ----------
    scaling : list of dict
        Results of ``full_analysis`` for several sizes.

    Returns
    -------
    dict of str to float
        ``atoms`` from the time for a frame, and ``frames`` at 7344 atoms.
    """
    rows = pd.DataFrame(scaling)
    by_atoms = rows.groupby("atoms").apply(
        lambda part: (part["seconds"] / part["frames"]).min(), include_groups=False
    )
    frames = rows[rows["atoms"] == rows["atoms"].mode()[0]]
    return {
        "atoms": float(np.polyfit(np.log(by_atoms.index), np.log(by_atoms), 1)[0]),
        "frames": float(np.polyfit(np.log(frames["frames"]), np.log(frames["seconds"]), 1)[0]),
    }


def _agrees(ours, theirs) -> bool:
    """Whether all that they found is ours (NaN: not asked for), float32 allowed for."""
    ours, theirs = np.atleast_1d(ours), np.atleast_1d(theirs)
    asked = np.isfinite(theirs)
    return bool(np.allclose(ours[asked], theirs[asked], rtol=1e-3, atol=1e-3))


def report(measured: dict) -> str:
    """The record as text for a terminal.

    Parameters
    ----------
    measured : dict
        Result of ``measure``.

    Returns
    -------
    str
        Tables.
    """
    full = measured["full"]
    grows = " and as ".join(f"{k}^{v:.2f}" for k, v in exponents(measured["scaling"]).items())
    return "\n".join(
        [
            record.analysis_table(measured).to_string(index=False, float_format="{:.3g}".format),
            pd.DataFrame(measured["scaling"]).round(3).to_string(index=False),
            f"time of the full analysis grows as {grows}",
            f"{full['frames']} frames of {full['atoms']} atoms: {full['seconds']:.0f} s of one "
            f"core ({full['wall_s']:.0f} s by the clock, load {measured['load'][0]:.1f}), "
            f"{full['memory_GiB']:.2f} GiB at most, {full['memory_before_GiB']:.2f} of them "
            "before, taken by the contenders",
        ]
    )
