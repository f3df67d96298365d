"""Distance between two sets of g(r), in the range of the bonds and beyond."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from helpers.observables import rdf
from helpers.observables.rdf import RDFs

#: end of the bonds, A: C-H, C-N, C-C and Zn-N are shorter, all other distances longer
BONDS_END_A = 3.0


def table(one: RDFs, reference: RDFs, pairs: Sequence, limit_A: float) -> pd.DataFrame:
    """Distances of the g(r) of several pairs of elements, a row for each pair.

    Parameters
    ----------
    one : RDFs
        Result of ``rdf.rdfs``.
    reference : RDFs
        Another, with the same bins.
    pairs : sequence of (str, str) or None
        Pairs of elements; None stands for all atoms.
    limit_A : float
        End of the range, A: half of the narrowest cell, beyond which there are periodic images.

    Returns
    -------
    DataFrame
        pair; and, for the ranges "bonds" (up to `BONDS_END_A`), "beyond" and "all", the distance
        ``R`` (``rdf.deviation_percent``, %) and its ``noise`` (``rdf.noise_percent``, %), named "R,
        bonds" and so on. NaN where the reference is zero.
    """
    ranges = {"bonds": (0, BONDS_END_A), "beyond": (BONDS_END_A, limit_A), "all": (0, limit_A)}
    rows = []
    for pair in pairs:
        row = {"pair": one[pair].label}
        for word, ends in ranges.items():
            row[f"R, {word}"] = rdf.deviation_percent(one[pair], reference[pair], *ends)
            row[f"noise, {word}"] = rdf.noise_percent(one[pair], reference[pair], *ends)
        rows.append(row)
    return pd.DataFrame(rows)


def differing(distances: pd.DataFrame) -> pd.DataFrame:
    """Those pairs of elements whose R exceeds twice its noise over the whole range.

    Parameters
    ----------
    distances : DataFrame
        Result of `table`; the row of all atoms, "total", is no pair.

    Returns
    -------
    DataFrame
        The rows that remain.
    """
    pairs = distances[distances["pair"] != "total"]
    return pairs[pairs["R, all"] > 2 * pairs["noise, all"]]
