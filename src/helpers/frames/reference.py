"""The reference: a NequIP potential of PBE-D3 quality that labels ZIF-4 structures.

The paper's VASP data were never published. This book's labels come from
``nequip_l2r6stress0`` (Castel et al., Digital Discovery 2024, 10.1039/D3DD00236E, CC BY 4.0),
which was fitted to CP2K PBE-D3 molecular dynamics of crystalline, liquid and glassy ZIF-4.

Needs the optional extra ``reference`` (``nequip``, CPU ``torch``); everything else in this book
works without it.

Units: eV, Angstrom, eV/A, eV/A^3 (stress in ASE's sign: positive = tension).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.singlepoint import SinglePointCalculator

from helpers import provenance, settings
from helpers.errors import Unfit, UserError

TYPE_ORDER = ("H", "C", "N", "Zn")
_VARIABLE = settings.variable("reference")
SOURCE = "nequip_l2r6stress0, Castel et al., Digital Discovery 2024, 10.1039/D3DD00236E (CC BY 4.0)"
COMMIT = "86fa8c27"
_URL = (
    f"https://github.com/fxcoudert/citable-data/raw/{COMMIT}"  # this form takes a short commit
    "/162-Castel_DigitalDiscovery_2024/nequip_l2r6stress0.pth"
)
SHA256 = "adfec32fbca65e276dae58912a658d3d108372946fd6c60c0ec571bf62e8a1f0"
_WEIGHTS, _CONFIG, _DEPLOYED = (
    "nequip_l2r6stress0_weights.npz",
    "nequip_l2r6stress0.yaml",
    "nequip_l2r6stress0.pth",
)
#: of the three files; results are kept under that of the published one, whichever form made them
_SHA256 = {
    _DEPLOYED: SHA256,
    _WEIGHTS: "d60780d2adc2abd4c7c68ad70d03a5c1c2b59edf01835b508a2a8dd0d5fe9598",
    _CONFIG: "72732ec2dbe7e1b7f8e2b4deb14e261adf0ce6cb4d7244bfe17655829fe9b51e",
}
#: of the weights as plain arrays
WEIGHTS_SHA256 = _SHA256[_WEIGHTS]


class ReferenceUnavailable(UserError, RuntimeError):
    """The reference potential, or what it needs to run, is not on this machine."""


def locate() -> Path:
    """The file of the reference potential.

    ``$ZIF4_REFERENCE`` names a folder that holds the deployed model, or weights (``.npz``) and
    architecture (``.yaml``). Without it the published file is fetched once by pooch, pinned by
    commit and sha256.

    Returns
    -------
    Path
        A deployed model ``.pth`` or weights ``.npz``.

    Raises
    ------
    ReferenceUnavailable
        The folder lacks the files or holds others of these names, or the download failed.
    """
    folder = settings.current().reference
    if folder:
        for name in (_DEPLOYED, _WEIGHTS):
            if (folder / name).is_file():
                for needed in (name, _CONFIG) if name == _WEIGHTS else (name,):
                    _check(folder / needed)
                return folder / name
        raise ReferenceUnavailable(
            f"${_VARIABLE}={folder} holds neither {_DEPLOYED} nor {_WEIGHTS}; "
            f"unset it to fetch the published file, or point it at a folder that has one."
        )
    import pooch

    try:
        return Path(pooch.retrieve(_URL, known_hash=f"sha256:{SHA256}", progressbar=False))
    except Exception as error:  # pooch passes on whatever its transport raises
        raise ReferenceUnavailable(
            f"could not fetch {_URL} ({error}); offline, set ${_VARIABLE} to a folder that "
            f"holds {_DEPLOYED} or {_WEIGHTS} with {_CONFIG}."
        ) from error


def _check(file: Path) -> None:
    found = provenance.sha256(file) if file.is_file() else "missing"
    if found != _SHA256[file.name]:
        raise ReferenceUnavailable(
            f"{file} is not the reference that the labels of this book are made with: its sha256 "
            f"is {found}, expected {_SHA256[file.name]}; put the published file there, or unset "
            f"${_VARIABLE} to fetch it"
        )


def _load(path: Path):
    """The torch module behind ``path``; both forms give the same forces to 2e-6 eV/A."""
    try:
        import torch
        from nequip.model import model_from_config
        from nequip.utils import Config
    except ImportError as error:
        raise ReferenceUnavailable(
            f"{error}; the labeller needs the extra: pip install 'zif4-melting[reference]'"
        ) from error
    if path.suffix == ".pth":
        return torch.jit.load(path, map_location="cpu").eval()
    config = Config.from_file(str(path.with_name(_CONFIG)))
    # Placeholders of the right shape: the weights bring the fitted per-species values.
    config["per_species_rescale_scales"] = [1.0] * len(TYPE_ORDER)
    config["per_species_rescale_shifts"] = [0.0] * len(TYPE_ORDER)
    model = model_from_config(config, initialize=False)
    weights = np.load(path)
    # The file was saved one module further in than model_from_config returns.
    state = {f"model.{name}": torch.as_tensor(weights[name]) for name in weights.files}
    model.load_state_dict(state, strict=True)
    return model.eval()


class Reference(Calculator):
    """ASE calculator of the reference potential.

    The energy is the sum of ``atomic_energy`` in float64: a 272-atom cell is near -60,000 eV, which
    float32 would round by milli-eV.

    Parameters
    ----------
    path : Path, optional
        The deployed model ``.pth`` or weights ``.npz``; by default that of `locate`.
    threads : int, optional
        Threads of torch, for the whole process; by default as they are.
    **kwargs
        Arguments of `ase.calculators.calculator.Calculator`.

    Raises
    ------
    ReferenceUnavailable
        As `locate`; or nequip or torch is not installed.
    """

    def __init__(self, path: Path | None = None, threads: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.implemented_properties = ["energy", "forces", "stress"]
        self.path = Path(path) if path else locate()
        self.model = _load(self.path)
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        if threads:
            import torch

            torch.set_num_threads(threads)
        from nequip.data.transforms import TypeMapper

        self._types = TypeMapper(
            chemical_symbol_to_type={symbol: i for i, symbol in enumerate(TYPE_ORDER)}
        )

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        """Energy (eV), forces (eV/A) and stress (eV/A^3) of a structure, put into ``results``.

        Parameters
        ----------
        atoms : ase.Atoms, optional
            The structure; by default that of the last call.
        properties : list of str, optional
            Not used: all properties are computed at once.
        system_changes : list of str
            What changed since the last call, for ASE's base class.

        Raises
        ------
        Unfit
            There is an element that the reference was not fitted to.
        FloatingPointError
            Energy, forces or stress are not finite.
        """
        super().calculate(atoms, properties, system_changes)  # copies the structure to self.atoms
        from nequip.data import AtomicData

        assert self.atoms is not None
        unknown = sorted(set(self.atoms.symbols) - set(TYPE_ORDER))
        if unknown:
            raise Unfit(f"the reference knows {TYPE_ORDER}, the structure also has {unknown}")
        data = self._types(AtomicData.from_ase(self.atoms, r_max=6.0))
        out = self.model(AtomicData.to_AtomicDataDict(data))
        self.results = {
            "energy": float(out["atomic_energy"].detach().double().sum()),
            "forces": out["forces"].detach().double().numpy(),
            "stress": _voigt(out["stress"][0].detach().double().numpy()),
        }
        if not all(np.isfinite(value).all() for value in self.results.values()):
            raise FloatingPointError("the reference returned a non-finite energy, force or stress")


def _voigt(stress: np.ndarray) -> np.ndarray:
    return stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]


def label(structure: Atoms, calculator: Calculator | None = None) -> Atoms:
    """Label a structure with energy, forces and stress.

    Parameters
    ----------
    structure : ase.Atoms
        The structure; it is not changed.
    calculator : Calculator, optional
        Calculator of the labels; by default the reference.

    Returns
    -------
    ase.Atoms
        A copy with energy (eV), forces (eV/A) and stress (eV/A^3) attached.

    Raises
    ------
    ReferenceUnavailable
        As `Reference`, by default.
    Unfit
        As `Reference.calculate`, by default.
    """
    atoms = structure.copy()
    calculator = calculator or Reference()
    wanted = ["energy", "forces", "stress"]
    calculator.calculate(atoms, wanted, all_changes)
    results = {name: calculator.results[name] for name in wanted}
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms
