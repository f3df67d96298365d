r"""What a user could take instead of training: models of everything, on the CP2K frames.

Two graph neural networks whose weights come with their packages, SevenNet (Park et al., JCTC 2024,
10.1021/acs.jctc.4c00190; here the weights l3i5) and CHGNet (Deng et al., Nat. Mach. Intell. 2023,
10.1038/s42256-023-00716-3), both trained on PBE without dispersion, to which D3 with zero damping
is added, as in the CP2K frames (Grimme et al., J. Chem. Phys. 2010, 10.1063/1.3382344); and the
tight binding GFN1-xTB (Grimme et al., JCTC 2017, 10.1021/acs.jctc.7b00118), which has its own.

Of each frame: the root mean square error of the forces; their slope

.. math:: s = \sum F \cdot F_\mathrm{DFT} / \sum F_\mathrm{DFT} \cdot F_\mathrm{DFT}

(below 1 the model is too soft); energy and pressure; and the processor time that it took. The
programs are the optional extra ``universal``, of which the book shows kept results.

Units: eV, A, GPa, s.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator

from helpers import paths, provenance, units, waiting
from helpers.errors import NotThere
from helpers.frames import cp2k
from helpers.validation import calculators

FILE = "frames.csv"
_DISPERSION = "dftd3"


@dataclass(frozen=True)
class Model:
    """One of the models.

    Attributes
    ----------
    package : str
        Package that has it, weights included.
    begin : callable
        Makes its calculator.
    dispersion : bool
        Whether D3 must be added to it.
    """

    package: str
    begin: Callable[[], Calculator]
    dispersion: bool


def _sevennet() -> Calculator:
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator("7net-l3i5", device="cpu")


def _chgnet() -> Calculator:
    from chgnet.model import CHGNetCalculator

    return CHGNetCalculator(use_device="cpu")


def _xtb() -> Calculator:
    from tblite.ase import TBLite

    return TBLite(method="GFN1-xTB", verbosity=0)


MODELS = {
    "SevenNet-l3i5 + D3": Model("sevenn", _sevennet, dispersion=True),
    "CHGNet + D3": Model("chgnet", _chgnet, dispersion=True),
    "GFN1-xTB": Model("tblite", _xtb, dispersion=False),
}


def calculator(name: str) -> BaseCalculator:
    """The ASE calculator of a model, with dispersion.

    Parameters
    ----------
    name : str
        One of MODELS.

    Returns
    -------
    ase.calculators.calculator.BaseCalculator
        The calculator.

    Raises
    ------
    NotThere
        Its package is not installed; the message says how to install it.
    """
    from ase.calculators.mixing import SumCalculator

    model = MODELS[name]
    for package in [model.package] + [_DISPERSION] * model.dispersion:
        if importlib.util.find_spec(package) is None:
            raise NotThere(
                f"{name} needs {package}, which is not installed: "
                f"pip install 'zif4-melting[universal]'"
            )
    if not model.dispersion:
        return model.begin()
    from dftd3.ase import DFTD3

    parts: list[Calculator] = [model.begin(), DFTD3(method="PBE", damping="d3zero")]
    return SumCalculator(parts)


def beside_cp2k(name: str, framework: str = "ZIF-4") -> Path:
    """Directory of a model's results on the CP2K frames of a framework: found, resumed or made.

    Parameters
    ----------
    name : str
        One of MODELS.
    framework : str
        Name of the framework.

    Returns
    -------
    Path
        The directory; FILE has a row for each frame: name, volume_A3_per_atom, energy_eV and
        energy_cp2k_eV (each with its own zero), pressure_off_GPa, force_rmse_eV_per_A,
        force_rms_eV_per_A of CP2K, force_slope, seconds of one core.

    Raises
    ------
    NotThere
        As `calculator`, or there are no CP2K frames of this framework.
    """
    images = cp2k.read(framework)
    model = MODELS[name]
    packages = [model.package] + [_DISPERSION] * model.dispersion
    calculator(name)  # what is not installed has no version either
    recipe = {
        "check": "universal",
        "model": name,
        "versions": {package: metadata.version(package) for package in packages},
        "frames": provenance.sha256(paths.DFT / f"{framework}.extxyz"),
    }

    def make(directory: Path) -> dict:
        _each_frame(images, calculator(name), directory / FILE)
        return {"seconds": float(read(directory)["seconds"].sum())}

    return provenance.kept(
        "validation",
        recipe,
        make,
        name=f"universal-{_short(name)}-{framework}",
        description=f"{name} on the CP2K frames of {framework}",
        inputs={f"{framework}.extxyz": recipe["frames"]},
    )


def by_potential(model: str, framework: str = "ZIF-4") -> pd.DataFrame:
    """The same rows for a potential of this book, by the same calls.

    Parameters
    ----------
    model : str
        The potential, see `calculators.calculator`.
    framework : str
        Name of the framework.

    Returns
    -------
    DataFrame
        As `beside_cp2k` keeps it.
    """
    images = cp2k.read(framework)
    own = calculators.calculator(model, set(images[0].symbols))
    against(images[0], own)  # the first call compiles
    return pd.DataFrame([against(image, own) for image in images])


def read(directory: Path) -> pd.DataFrame:
    """The rows of a kept result.

    Parameters
    ----------
    directory : Path
        As `beside_cp2k` returns it.

    Returns
    -------
    DataFrame
        The rows.
    """
    return pd.read_csv(directory / FILE)


def _short(name: str) -> str:
    return name.split(" ")[0]


def _each_frame(images: Sequence[Atoms], own: BaseCalculator, file: Path) -> None:
    """Add a row for each frame that the file does not have yet."""
    done = set(read(file.parent)["name"]) if file.is_file() else set()
    for image in waiting.bar(images, desc="frames", unit="frame"):
        if image.info["name"] in done:
            continue
        row = pd.DataFrame([against(image, own)])
        row.to_csv(file, mode="a", header=not file.is_file(), index=False)


def against(image: Atoms, own: BaseCalculator) -> dict:
    """One frame by a calculator, beside the labels that it carries.

    Parameters
    ----------
    image : ase.Atoms
        The frame, with energy, forces and stress.
    own : ase.calculators.calculator.BaseCalculator
        The calculator.

    Returns
    -------
    dict
        A row as `beside_cp2k` keeps it.
    """
    frame = image.copy()
    frame.calc = own
    began = time.process_time()  # of this process: the machine may be busy
    force, energy = frame.get_forces(), frame.get_potential_energy()
    stress = frame.get_stress()
    seconds = time.process_time() - began
    wanted = image.get_forces()
    off = -(stress - image.get_stress())[:3].mean() * units.EV_PER_A3_IN_GPA
    return {
        "name": image.info["name"],
        "volume_A3_per_atom": image.get_volume() / len(image),
        "n_atoms": len(image),
        "energy_eV": energy,
        "energy_cp2k_eV": image.get_potential_energy(),
        "pressure_off_GPa": off,
        "force_rmse_eV_per_A": np.sqrt(np.mean((force - wanted) ** 2)),
        "force_rms_eV_per_A": np.sqrt(np.mean(wanted**2)),
        "force_slope": np.sum(force * wanted) / np.sum(wanted**2),
        "seconds": seconds,
    }


def summary(rows: pd.DataFrame) -> dict[str, float]:
    """What a user asks of a model, from its rows.

    The energies of two programs have zeros of their own: what counts is how their difference
    changes. Its slope against the volume is a pressure that the model adds to every cell.

    Parameters
    ----------
    rows : DataFrame
        As `beside_cp2k` keeps them, of one framework.

    Returns
    -------
    dict of str to float
        frames; force_rmse_eV_per_A; force_slope of all forces together;
        energy_slope_meV_per_A3 of the energy error against the volume;
        energy_scatter_meV_per_atom about that line; pressure_off_GPa; core_us_per_atom_step.
    """
    volume = rows["volume_A3_per_atom"].to_numpy()
    off = 1e3 * ((rows["energy_eV"] - rows["energy_cp2k_eV"]) / rows["n_atoms"]).to_numpy()
    slope, start = np.polyfit(volume, off, 1)
    scatter = off - (slope * volume + start)
    weight = rows["force_rms_eV_per_A"] ** 2 * rows["n_atoms"]
    return {
        "frames": len(rows),
        "force_rmse_eV_per_A": float(np.sqrt(np.mean(rows["force_rmse_eV_per_A"] ** 2))),
        "force_slope": float(np.average(rows["force_slope"], weights=weight)),
        "energy_slope_meV_per_A3": float(slope),
        "energy_scatter_meV_per_atom": float(np.sqrt(np.sum(scatter**2) / (len(rows) - 2))),
        "pressure_off_GPa": float(rows["pressure_off_GPa"].mean()),
        "core_us_per_atom_step": float(1e6 * (rows["seconds"] / rows["n_atoms"]).median()),
    }


def side_by_side(potential: str) -> pd.DataFrame:
    """The kept models and a potential of this book on the CP2K frames that all of them have.

    Parameters
    ----------
    potential : str
        The potential.

    Returns
    -------
    DataFrame
        A row of `summary` for each model, the potential last.
    """
    rows = kept() | {potential: by_potential(potential)}
    common = set.intersection(*[set(found["name"]) for found in rows.values()])
    return pd.DataFrame.from_dict(
        {name: summary(found[found["name"].isin(common)]) for name, found in rows.items()},
        orient="index",
    )


def kept(framework: str = "ZIF-4") -> dict[str, pd.DataFrame]:
    """Rows of the models whose results are kept: shipped, or made here since.

    Parameters
    ----------
    framework : str
        Name of the framework.

    Returns
    -------
    dict of str to DataFrame
        Name -> rows.
    """
    found = {}
    for folder in (paths.shipped("validation"), paths.made("validation")):
        for file in sorted(folder.glob(f"universal-*-{framework}*/{provenance.FILE}")):
            model = provenance.read(file.parent)["recipe"]["model"]
            found[model] = read(file.parent)
    return {name: found[name] for name in MODELS if name in found}
