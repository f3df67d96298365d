"""What X-rays and neutrons see: the weights of the partial structure factors in a measured one.

X-rays scatter from electrons: form factors f(Q) of free atoms or ions, fits of Waasmaier and
Kirfel (Acta Cryst. A 51, 416 (1995)), good to Q = 75 1/A. The corrections of anomalous dispersion
are left out: far above the K edge of zinc (9.7 keV), where total scattering is measured, they are
below 1 % of f. Neutrons scatter from nuclei: bound coherent lengths of the natural mixture of
isotopes. Both from the ``periodictable`` package, which names the sources of its tables.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import periodictable
from periodictable import cromermann

from helpers.errors import Unfit, nearest
from helpers.observables.scattering import Partials

RADIATIONS = ("x-ray", "neutron")
NORMALISATIONS = ("mean square", "square of mean")
#: Formal charges in Zn(im)2 that have a table: zinc as an ion. The bonds of ZIF-4 are partly
#: covalent, so that neutral atoms, the default everywhere, are as good a picture.
IONS = {"Zn": 2}


def amplitudes(
    elements, Q, radiation: str = "x-ray", charges: Mapping[str, int] | None = None
) -> dict[str, np.ndarray]:
    """How strongly one atom of each element scatters.

    Parameters
    ----------
    elements : iterable of str
        chemical symbols.
    Q : (K,) array
        1/A.
    radiation : str
        "x-ray" (electrons) or "neutron" (fm, the same at all Q).
    charges : dict, optional
        element -> charge, for the form factor of an ion; others are neutral.

    Returns
    -------
    dict
        element -> (K,) array.

    Raises
    ------
    Unfit
        another radiation, or an element or ion without a table.
    """
    if radiation not in RADIATIONS:
        raise Unfit(
            f"no radiation {radiation!r}{nearest(radiation, RADIATIONS)}; there are: "
            f"{', '.join(RADIATIONS)}"
        )
    Q = np.asarray(Q, float)
    found = {}
    for element in elements:
        charge = (charges or {}).get(element)
        try:
            if radiation == "x-ray":
                found[element] = np.asarray(cromermann.fxrayatq(element, Q, charge=charge), float)
            else:
                length = periodictable.elements.symbol(element).neutron.b_c
                found[element] = np.full(len(Q), float(length))
        except (KeyError, ValueError, TypeError):
            ion = f" with charge {charge:+d}" if charge else ""
            raise Unfit(
                f"periodictable has no {radiation} amplitude of {element!r}{ion}; leave "
                "the charge out or use another radiation"
            ) from None
    return found


def weights(
    elements,
    fractions,
    Q,
    radiation: str = "x-ray",
    normalisation: str = "mean square",
    charges: Mapping[str, int] | None = None,
) -> dict[tuple[str, str], np.ndarray]:
    r"""Weight of each partial S(Q) in the total.

    .. math:: w_{ab} = \frac{(2 - \delta_{ab}) \, c_a c_b f_a f_b}{n}, \quad
        n = \sum_a c_a f_a^2 \ \text{or} \ \Big(\sum_a c_a f_a\Big)^2

    Parameters
    ----------
    elements : sequence of str
        chemical symbols.
    fractions : (E,) array
        their shares of the atoms.
    Q : (K,) array
        1/A.
    radiation, charges
        see `amplitudes`.
    normalisation : str
        n. "mean square": the scattering of the atoms one by one, so that F tends to -1 (nearly) at
        small Q and its weights add up to less than 1. "square of mean": they add up to 1. A
        measurement must say which it has (`helpers.report.experiment`).

    Returns
    -------
    dict
        pair of elements -> (K,) array, both orders of a pair together.

    Raises
    ------
    Unfit
        see `amplitudes`; another normalisation.
    """
    if normalisation not in NORMALISATIONS:
        raise Unfit(
            f"no normalisation {normalisation!r}{nearest(normalisation, NORMALISATIONS)}; "
            f"there are: {', '.join(NORMALISATIONS)}"
        )
    f = amplitudes(elements, Q, radiation, charges)
    c = dict(zip(elements, fractions, strict=True))
    if normalisation == "mean square":
        by = sum(c[e] * f[e] ** 2 for e in elements)
    else:
        by = sum(c[e] * f[e] for e in elements) ** 2
    return {
        (a, b): (1 if a == b else 2) * c[a] * c[b] * f[a] * f[b] / by
        for i, a in enumerate(elements)
        for b in elements[i:]
    }


def contributions(
    partials: Partials,
    radiation: str = "x-ray",
    normalisation: str = "mean square",
    charges: Mapping[str, int] | None = None,
) -> dict[tuple[str, str], np.ndarray]:
    """Contribution of each pair of elements to F(Q), ``w_ab (S_ab - 1)``.

    Parameters
    ----------
    partials : scattering.Partials
        Partial structure factors.
    radiation : str
        "x-ray" or "neutron".
    normalisation : str
        As for `weights`.
    charges : dict of str to int, optional
        As for `amplitudes`.

    Returns
    -------
    dict of (str, str) to (K,) array
        Contributions, both orders of a pair together.

    Raises
    ------
    Unfit
        As `weights`.
    """
    found = weights(
        partials.elements, partials.fractions, partials.Q, radiation, normalisation, charges
    )
    return {pair: weight * (partials[pair] - 1) for pair, weight in found.items()}


def total(
    partials: Partials,
    radiation: str = "x-ray",
    normalisation: str = "mean square",
    charges: Mapping[str, int] | None = None,
) -> np.ndarray:
    """Total F(Q), the sum of all `contributions`.

    Parameters
    ----------
    partials : scattering.Partials
        Partial structure factors.
    radiation : str
        "x-ray" or "neutron".
    normalisation : str
        As for `weights`.
    charges : dict of str to int, optional
        As for `amplitudes`.

    Returns
    -------
    (K,) array
        F(Q).

    Raises
    ------
    Unfit
        As `weights`.
    """
    return np.sum(list(contributions(partials, radiation, normalisation, charges).values()), axis=0)
