"""What S(Q) costs on this machine, side by side with codes that we did not write.

By distances, all partial S(Q) at 400 values of Q from one frame: each contender finds g(r) of all
pairs of elements to the same distance in the same bins, and all use one transform. Where a code has
a Debye sum of its own, it gets four of the 400 values of Q, of all atoms alike: the whole would
take minutes. By vectors: rho(k) of each element at the same vectors. OVITO and dynasor are no
dependencies of this book; they run where they are installed
(``uv pip install ovito dynasor``).
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable

import numpy as np
from ase import Atoms

from helpers.observables import neighbors, rdf, scattering

N_Q, BIN_A, DEBYE_Q, VECTORS_A_BIN = 400, 0.02, 4, 25


def contenders(frame: Atoms) -> dict[str, dict[str, Callable[[], object]]]:
    """The calls to be compared, for each quantity.

    Parameters
    ----------
    frame : ase.Atoms
        A periodic structure; g(r) extends to half its cell less 5 %.

    Returns
    -------
    dict of str to dict of str to callable
        Quantity -> contender -> call, whose result is comparable to that of ``this book``.
    """
    warnings.filterwarnings("ignore")
    return {
        f"S(Q) of all pairs, {N_Q} Q, by distances": _by_distances(frame),
        f"S(Q) of all pairs, {N_Q} Q, {VECTORS_A_BIN} vectors each": _by_vectors(frame),
    }


def _by_distances(frame: Atoms) -> dict[str, Callable[[], object]]:
    import freud
    import MDAnalysis
    from ase.utils.xrdebye import XrDebye
    from MDAnalysis.analysis.rdf import InterRDF
    from MDAnalysis.lib.mdamath import triclinic_box

    freud.parallel.set_num_threads(1)
    atoms = frame.copy()
    atoms.wrap()
    cell, symbols = atoms.cell.array, np.array(atoms.get_chemical_symbols())
    Q = np.linspace(20 / N_Q, 20, N_Q)
    few = Q[:: N_Q // DEBYE_Q]
    r_max = BIN_A * np.floor(0.95 * neighbors.widest_radius(cell) / BIN_A)
    n_bins = round(r_max / BIN_A)
    edges = np.linspace(0, r_max, n_bins + 1)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    pairs, density = rdf.element_pairs(symbols), len(atoms) / atoms.get_volume()
    number = {e: int((symbols == e).sum()) for e in set(symbols)}
    box, centre = freud.box.Box.from_matrix(cell.T), cell.sum(axis=0) / 2
    everywhere = (atoms.positions - centre).astype(np.float32)
    of = {e: everywhere[symbols == e] for e in number}
    universe = MDAnalysis.Universe.empty(
        len(atoms), n_residues=1, atom_resindex=[0] * len(atoms), trajectory=True
    )
    universe.add_TopologyAttr("elements", symbols)
    universe.load_new(
        atoms.positions[None].astype(np.float32), dimensions=triclinic_box(*cell)[None]
    )
    group = {e: universe.select_atoms(f"element {e}") for e in number}

    def transformed(counts) -> np.ndarray:
        """S of every pair from its directed counts of neighbours."""
        ideal = np.array([number[a] * number[b] for a, b in pairs])[:, None] * shells
        g = np.array(counts) / ideal * atoms.get_volume()
        return scattering.from_g((edges[1:] + edges[:-1]) / 2, g, density, Q, "lorch")

    def ours():
        found = scattering.by_distances([(atoms.positions, cell)], symbols, Q, r_max, BIN_A)
        return np.array([found[pair] for pair in pairs])

    def freud_rdf():
        counts = []
        for a, b in pairs:
            one = freud.density.RDF(n_bins, r_max)
            one.compute((box, of[b]), None if a == b else of[a], reset=True)
            counts.append(one.bin_counts)
        return transformed(counts)

    def freud_query():
        points = freud.locality.AABBQuery(box, everywhere)
        found = points.query(everywhere, {"r_max": r_max, "exclude_ii": True}).toNeighborList()
        kinds = sorted(number)
        kind = np.searchsorted(kinds, symbols)
        both = kind[found.query_point_indices] * len(kinds) + kind[found.point_indices]
        bins = np.minimum((found.distances / BIN_A).astype(np.int64), n_bins - 1)
        counts = np.bincount(both * n_bins + bins, minlength=len(kinds) ** 2 * n_bins)
        counts = counts.reshape(len(kinds), len(kinds), n_bins)
        return transformed([counts[kinds.index(a), kinds.index(b)] for a, b in pairs])

    def mdanalysis():
        return transformed(
            [
                InterRDF(
                    group[a],
                    group[b],
                    nbins=n_bins,
                    range=(0, r_max),
                    norm="none",
                    exclusion_block=(1, 1) if a == b else None,
                )
                .run()
                .results.count
                for a, b in pairs
            ]
        )

    def freud_debye():
        one = freud.diffraction.StaticStructureFactorDebye(DEBYE_Q, few[-1], few[0])
        one.compute((box, everywhere))
        return np.full((len(pairs), N_Q), np.nan)

    def ase_debye():
        one = XrDebye(atoms, wavelength=1.0, method=None)
        for q in few:
            one.get(q / (2 * np.pi))
        return np.full((len(pairs), N_Q), np.nan)

    calls = {
        "this book": ours,
        "freud RDF, 10 pairs": freud_rdf,
        "freud query and NumPy": freud_query,
        "MDAnalysis InterRDF, 10 pairs": mdanalysis,
        f"freud Debye, all atoms alike, {DEBYE_Q} of {N_Q} Q": freud_debye,
        f"ASE XrDebye, all atoms alike, {DEBYE_Q} of {N_Q} Q": ase_debye,
    }
    if importlib.util.find_spec("ovito"):
        os.environ.setdefault("OVITO_THREAD_COUNT", "1")
        from ovito.io.ase import ase_to_ovito
        from ovito.modifiers import CoordinationAnalysisModifier
        from ovito.pipeline import Pipeline, StaticSource

        def ovito():
            pipeline = Pipeline(source=StaticSource(data=ase_to_ovito(atoms)))
            pipeline.modifiers.append(
                CoordinationAnalysisModifier(cutoff=r_max, number_of_bins=n_bins, partial=True)
            )
            table = pipeline.compute().tables["coordination-rdf"]
            names = [set(name.split("-")) for name in table.y.component_names]
            g = np.array([table.y[:, names.index(set(pair))] for pair in pairs])
            return scattering.from_g(table.xy()[:, 0], g, density, Q, "lorch")

        calls["OVITO CoordinationAnalysis, partial"] = ovito
    return calls


def _by_vectors(frame: Atoms) -> dict[str, Callable[[], object]]:
    cell, symbols = frame.cell.array, np.array(frame.get_chemical_symbols())
    Q = np.linspace(20 / N_Q, 20, N_Q)
    edges = np.concatenate([[Q[0] / 2], (Q[1:] + Q[:-1]) / 2, [1.5 * Q[-1] - Q[-2] / 2]])
    pairs = rdf.element_pairs(symbols)
    elements = [a for a, b in pairs if a == b]

    def ours():
        found = scattering.by_vectors([(frame.positions, cell)], symbols, Q, VECTORS_A_BIN)
        return np.array([found[pair] for pair in pairs])

    inverse = np.linalg.inv(cell)
    hkl, bins = scattering._lattice_vectors(inverse, edges, VECTORS_A_BIN)
    k = 2 * np.pi * hkl @ inverse.T
    c = {e: (symbols == e).mean() for e in elements}
    n = np.bincount(bins, minlength=N_Q)

    def averaged(density: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """S of every pair from rho(k) of each element; the vectors are a gift."""
        rho = {e: density(frame.positions[symbols == e]) for e in elements}
        found = []
        for a, b in pairs:
            product = np.bincount(bins, (rho[a] * rho[b].conj()).real, N_Q)
            with np.errstate(invalid="ignore"):
                mean = product / n / len(symbols)
            found.append(1 + (mean - (c[a] if a == b else 0)) / c[a] / c[b])
        return np.array(found)

    def by_numpy(positions):
        parts = [np.exp(1j * part @ positions.T).sum(axis=1) for part in np.array_split(k, 100)]
        return np.concatenate(parts)

    calls: dict[str, Callable[[], object]] = {
        "this book": ours,
        "NumPy, the same vectors": lambda: averaged(by_numpy),
    }
    if importlib.util.find_spec("dynasor"):
        from dynasor.core.reciprocal import calc_rho_q

        calls["dynasor, the same vectors"] = lambda: averaged(lambda x: calc_rho_q(x, k))
    return calls
