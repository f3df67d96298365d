"""The units that files of labelled frames name, in this book's: eV, A, eV/A, eV/A^3.

What is unknown here is refused by name; nothing is guessed from the size of a number.
"""

from __future__ import annotations

import re

from ase import units as ase_units

from helpers import units
from helpers.frames.dataset import BadFrames

_ENERGY = {
    "ev": 1.0, "mev": 1e-3, "kev": 1e3,
    **dict.fromkeys(("mhartree", "mha"), 1e-3 * ase_units.Hartree), "mry": 1e-3 * ase_units.Rydberg,
    **dict.fromkeys(("hartree", "ha", "eh", "a.u.", "au"), ase_units.Hartree),
    **dict.fromkeys(("rydberg", "ry"), ase_units.Rydberg),
    "kcal/mol": 4.184 / units.EV_IN_KJ_PER_MOL, "kj/mol": 1 / units.EV_IN_KJ_PER_MOL,
}  # fmt: skip
_LENGTH = {
    **dict.fromkeys(("a", "ang", "angstrom", "angstroms"), 1.0),
    **dict.fromkeys(("bohr", "a0", "a.u.", "au"), ase_units.Bohr),
    "nm": 10.0, "pm": 0.01,
}  # fmt: skip
_PRESSURE_GPA = {
    "gpa": 1.0, "mpa": 1e-3, "kpa": 1e-6, "pa": 1e-9,
    "kbar": 0.1, "kb": 0.1, "bar": 1e-4, "atm": 1.01325e-4,
}  # fmt: skip
#: quantities of a header and what a unit of theirs is made of
QUANTITIES = ("energy", "force", "stress", "virial", "length", "position", "cell")
_NAMES = {
    "energy": ("energy", "energies", "ener", "e", "etot"),
    "force": ("force", "forces", "frc", "f"), "stress": ("stress", "stresses", "sigma"),
    "virial": ("virial", "virials"),
    "length": ("length", "distance", "dist", "len"), "cell": ("cell", "lattice", "box"),
    "position": ("position", "positions", "pos", "coord", "coords", "coordinate", "coordinates"),
}  # fmt: skip
#: what else has units, and is read nowhere
NO_LABELS = frozenset(
    "angle band charge charges dipole dipoles field frequency gap hessian magmom magmoms mass "
    "masses moment moments polarizability polarization q quadrupole spin spins temp temperature "
    "time timestep vel velocities velocity".split()
)


def quantity(word: str) -> str | None:
    """The quantity that a word of a header names.

    Parameters
    ----------
    word : str
        The word, in capital or small letters.

    Returns
    -------
    str or None
        A member of :data:`QUANTITIES`; None if it is no label.
    """
    return next((q for q, names in _NAMES.items() if word.lower() in names), None)


def factor(of: str, unit: str, where: str) -> float:
    """Factor that converts numbers into this book's unit: eV, A, eV/A or eV/A^3.

    Parameters
    ----------
    of : str
        A member of :data:`QUANTITIES`; a virial is an energy.
    unit : str
        Unit of the numbers.
    where : str
        Place of the unit, for the message.

    Returns
    -------
    float
        The factor.

    Raises
    ------
    BadFrames
        The unit is not known for this quantity.
    """
    found = _factor(of, _plain(unit))
    if found is None:
        raise BadFrames(
            f"{where}: {unit!r} is no unit of {of} that is known here; write "
            + (
                "A (or nm, bohr)"
                if of in ("length", "position", "cell")
                else f"eV, eV/A, eV/A^3 (or "
                f"{'GPa, kbar' if of == 'stress' else 'hartree, hartree/bohr, kcal/mol'})"
            )
        )
    return found


def suffix(key: str, of: str) -> tuple[str, float] | None:
    """Unit that the end of a key names, as in ``stress_GPa`` or ``energy[Ha]``.

    Parameters
    ----------
    key : str
        The key.
    of : str
        The quantity, a member of :data:`QUANTITIES`.

    Returns
    -------
    (str, float) or None
        The unit and its `factor`; None if the key names none.

    Raises
    ------
    BadFrames
        The key names a unit of another quantity.
    """
    other = ""
    for separator in re.finditer(r"[_\-([]+", key):
        unit = key[separator.end() :].rstrip(")]")
        if not separator.start() or len(unit) < 2:
            continue
        plain = _plain(unit.replace("_", "/"))
        if found := _factor(of, plain):
            return unit, found
        if any(_factor(one, plain) for one in QUANTITIES):
            other = other or unit
    if other:
        raise BadFrames(
            f"{key} names {other!r}, which is no unit of {of}; write it under the name of what it "
            f"is, or without a unit if it is in eV, eV/A or eV/A^3"
        )
    return None


def _plain(unit: str) -> str:
    text = str(unit).strip().lower().replace("ångström", "angstrom").replace("å", "a")
    text = re.sub(r"\s+|\*\*(?=3)|\^", "", text).replace("·", "*")
    return re.sub(r"ang(strom)?s?(?=3|$)", "a", text.replace("³", "3"))


def _factor(of: str, unit: str) -> float | None:
    if of in ("energy", "virial"):
        return _ENERGY.get(unit)
    if of in ("length", "position", "cell"):
        return _LENGTH.get(unit)
    energy, _, length = unit.rpartition("/")
    if of == "force":
        if unit in ("a.u.", "au"):
            return ase_units.Hartree / ase_units.Bohr
        if energy in _ENERGY and length in _LENGTH:
            return _ENERGY[energy] / _LENGTH[length]
        return None
    if unit in _PRESSURE_GPA:
        return _PRESSURE_GPA[unit] / units.EV_PER_A3_IN_GPA
    if unit in ("a.u.", "au"):
        return ase_units.Hartree / ase_units.Bohr**3
    if energy in _ENERGY and length.endswith("3") and length[:-1] in _LENGTH:
        return _ENERGY[energy] / _LENGTH[length[:-1]] ** 3
    return None
