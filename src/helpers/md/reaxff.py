"""ReaxFF, a reactive force field, for comparison with the deep potential; its file is the user's.

The parameters are those of Yang, Shin, Li, Bennett, van Duin and Mauro, J. Phys. Chem. B 122, 9616
(2018), as published with Castel and Coudert, J. Phys. Chem. C 126, 19532 (2022); they carry no
licence and are therefore not shipped. A run with them is found by the sha256 of the one known file
and can be read without it. The charges of the atoms are equilibrated at every step (QEq).

LAMMPS' ``pair_style reaxff`` gives kcal/mol whatever the units of the input are. It is therefore
scaled to metal units as the only member of a ``hybrid/scaled`` (energy, forces and virial alike),
so that thermostat, pressure, times and tables are those of all other runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scipy import constants

from helpers import paths, provenance, settings, units
from helpers.errors import UserError
from helpers.structures import TYPE_MAP

NAME = "reaxff"  # as the potential of a run
FILE = "ffield_ZnN_2016"
SHA256 = "353617bbcff6a655aa6455932b250541f600201f2ad4aa267b05f52099bb47c8"
ATOM_STYLE = "charge"
KCAL_PER_MOL_IN_EV = constants.calorie / units.EV_IN_KJ_PER_MOL
_HOME = "github.com/fxcoudert/citable-data, 152-Castel_JPhysChemC_2022"


class ReaxFFUnavailable(UserError, RuntimeError):
    """The force field is not on this machine, is a different one, or lacks an element."""


def force_field(symbols: Iterable[str] = ()) -> Path:
    """The force-field file in the directory named by ``$ZIF4_REAXFF``.

    Parameters
    ----------
    symbols : iterable of str
        Elements that it must know.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ReaxFFUnavailable
        There is no such directory or file, its content is not the known one, or an element is
        unknown.
    """
    folder, variable = settings.current().reaxff, settings.variable("reaxff")
    file = (folder or Path()) / FILE
    if not folder or not file.is_file():
        raise ReaxFFUnavailable(
            f"no ReaxFF force field: ${variable} ({folder or 'not set'}) names no folder with "
            f"{FILE}; get that file ({_HOME}) and set ${variable} to its folder"
        )
    if provenance.sha256(file) != SHA256:
        raise ReaxFFUnavailable(
            f"{paths.relative(file)} is truncated or another force field (its sha256 is not "
            f"{SHA256[:12]}...); get the published one ({_HOME})"
        )
    if unknown := sorted(set(symbols) - set(TYPE_MAP)):
        raise ReaxFFUnavailable(
            f"ReaxFF is used here for {', '.join(TYPE_MAP)}, the structure also has "
            f"{', '.join(unknown)}; use a structure of these elements"
        )
    return file


def lines(file: Path | str) -> list[str]:
    """Input lines for a force-field file, in metal units and with ``atom_style charge``.

    QEq with the taper of the force field (0 to 10 A), to 1e-6. ``NULL``: LAMMPS' own cutoffs, which
    give the energies of the published control file for this crystal.

    Parameters
    ----------
    file : Path or str
        The file.

    Returns
    -------
    list of str
        The lines.
    """
    return [
        f"pair_style hybrid/scaled {KCAL_PER_MOL_IN_EV!r} reaxff NULL",
        f"pair_coeff * * reaxff {file} {' '.join(TYPE_MAP)}",
        "fix charges all qeq/reaxff 1 0.0 10.0 1e-6 reaxff",
    ]
