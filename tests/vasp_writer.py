"""The lines of OUTCAR and vasprun.xml that parsers look for, around labels of our own.

Layout and units by the VASP wiki and by what dpdata and ASE parse: energies eV, forces eV/A, stress
in kB with the sign of a pressure (positive: the cell wants to grow), ordered xx yy zz xy yz zx.
Atoms of one species stand together.
"""

from itertools import groupby

import numpy as np
from ase.units import GPa

NELM = 4  # an ionic step that took as many electronic ones has not converged


def _kilobar(atoms):
    return -10 / GPa * atoms.get_stress(voigt=False)


def _rows(array, digits):
    return "\n".join(" ".join(f"{x:{digits + 8}.{digits}f}" for x in row) for row in array)


def outcar(images, path, unconverged=(), stress=True):
    species = [(s, len(list(group))) for s, group in groupby(images[0].symbols)]
    lines = [" vasp.6"]
    lines += [f" POTCAR:    PAW_PBE {s} 08Apr2002" for s, _ in species] * 2
    lines += [f"   TITEL  = PAW_PBE {s} 08Apr2002" for s, _ in species]
    lines += [
        f"   NELM   = {NELM};   NELMIN=  2; NELMDL= -5     # of ELM steps",
        "   ISPIN  =      1    spin polarized calculation?",
        "   k-points           NKPTS =      1   k-points in BZ     NBANDS=      1",
        " k-points in reciprocal lattice and weights: Gamma",
        "   0.00000000  0.00000000  0.00000000       1.000",
        "   ions per type = " + " ".join(str(n) for _, n in species),
    ]
    for i, atoms in enumerate(images):
        for j in range(NELM if i in unconverged else 2):
            lines.append(f"----------- Iteration {i + 1:6d}({j + 1:4d})  -----------")
        if stress:
            kilobar = _kilobar(atoms)
            lines.append("  FORCE on cell =-STRESS in cart. coord.  units (eV/cell):")
            lines += ["  contribution   0.0   0.0   0.0   0.0   0.0   0.0"] * 13
            order = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))
            lines.append("  in kB  " + " ".join(f"{kilobar[ab]:14.5f}" for ab in order))
        lines += [
            " VOLUME and BASIS-vectors are now :",
            " " + "-" * 40,
            "  energy-cutoff  :      500.00",
            f"  volume of cell : {atoms.get_volume():12.2f}",
            "      direct lattice vectors                 reciprocal lattice vectors",
            _rows(np.hstack([atoms.cell.array, atoms.cell.reciprocal()]), 9),
            " POSITION                                       TOTAL-FORCE (eV/Angst)",
            " " + "-" * 80,
            _rows(np.hstack([atoms.positions, atoms.get_forces()]), 6),
            " " + "-" * 80,
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            "  ---------------------------------------------------",
            f"  free  energy   TOTEN  = {atoms.get_potential_energy():18.8f} eV",
            "",
            f"  energy  without entropy= {atoms.get_potential_energy():18.8f}  "
            f"energy(sigma->0) = {atoms.get_potential_energy():18.8f}",
        ]
    path.write_text("\n".join(lines) + "\n")


def _varray(name, array):
    rows = "".join("<v>" + " ".join(f"{x:.8f}" for x in row) + "</v>\n" for row in array)
    return f'<varray name="{name}">\n{rows}</varray>\n'


def _structure(atoms, attributes=""):
    return (
        f"<structure{attributes}><crystal>{_varray('basis', atoms.cell.array)}"
        f'<i name="volume"> {atoms.get_volume():.8f} </i></crystal>'
        f"{_varray('positions', atoms.get_scaled_positions(wrap=False))}</structure>\n"
    )


def vasprun(images, path, unconverged=(), stress=True, pressure_kB=0.0):
    symbols = list(images[0].symbols)
    kinds = list(dict.fromkeys(symbols))
    atoms = "".join(f"<rc><c>{s}</c><c>{kinds.index(s) + 1}</c></rc>" for s in symbols)
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n'
        f"<kpoints>{_varray('kpointlist', [[0, 0, 0]])}{_varray('weights', [[1]])}</kpoints>\n"
        f'<parameters><i type="int" name="NELM">{NELM}</i>'
        f'<i name="PSTRESS">{pressure_kB:12.6f}</i></parameters>\n'
        f'<atominfo><array name="atoms"><set>{atoms}</set></array></atominfo>\n'
        + _structure(images[0], ' name="initialpos"')
    )
    for i, atoms in enumerate(images):
        energy = "".join(
            f'<i name="{name}">{atoms.get_potential_energy():.8f}</i>'
            for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy")
        )
        text += "<calculation>\n"
        text += f"<scstep><energy>{energy}</energy></scstep>\n" * (NELM if i in unconverged else 2)
        text += _structure(atoms) + _varray("forces", atoms.get_forces())
        if stress:
            text += _varray("stress", _kilobar(atoms))
        text += f"<energy>{energy}</energy>\n</calculation>\n"
    path.write_text(text + "</modeling>\n")
