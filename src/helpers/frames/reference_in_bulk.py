"""Labels of the reference for thousands of structures, on a graphics card.

`helpers.frames.reference` labels one structure at a time, from ASE's list of neighbours. Here
several structures of one composition go through the net at once, and neighbours are found on the
card; the labels are the same to float32. Needs PyTorch, nequip and the reference's weights, and
nothing else of this book: it runs on another machine (`helpers.recipes.graphics_card`).

Units: A, eV, eV/A; stress in eV/A^3 (positive = tension).
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np
import torch

RCUT = 6.0  # A
TYPES = {"H": 0, "C": 1, "N": 2, "Zn": 3}  # the order of the reference's net
#: structures that go through the net at once
BATCH = 8


def load(folder: Path, device: str):
    """The reference's net.

    Parameters
    ----------
    folder : Path
        Folder with its weights (``.npz``) and architecture (``.yaml``).
    device : str
        ``cuda`` or ``cpu``.

    Returns
    -------
    torch.nn.Module
        The net, on that device.
    """
    from nequip.model import model_from_config
    from nequip.utils import Config

    (weights,), (config,) = folder.glob("*_weights.npz"), folder.glob("*.yaml")
    settings = Config.from_file(str(config))
    settings["per_species_rescale_scales"] = [1.0] * len(TYPES)  # placeholders: weights bring them
    settings["per_species_rescale_shifts"] = [0.0] * len(TYPES)
    net = model_from_config(settings, initialize=False)
    arrays = np.load(weights)
    net.load_state_dict({f"model.{n}": torch.as_tensor(arrays[n]) for n in arrays.files})
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    return net.eval().to(device)


def edges(positions: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """All pairs of atoms nearer than the cutoff, each counted from both of its ends.

    Parameters
    ----------
    positions : Tensor
        Atoms x 3 (A), float64; anywhere.
    cell : Tensor
        3 x 3 (A), float64; its heights are longer than the cutoff.

    Returns
    -------
    pairs : Tensor
        2 x pairs: the atom at the centre and its neighbour.
    shifts : Tensor
        Pairs x 3: lattice vectors to add to the neighbour.

    Raises
    ------
    ValueError
        The cell is thinner than the cutoff.
    """
    inverse = torch.linalg.inv(cell)
    if float((1.0 / inverse.norm(dim=0)).min()) < RCUT:
        raise ValueError(f"the cell is thinner than the cutoff of {RCUT} A")
    home = (positions @ inverse).floor()
    inside = positions - home @ cell
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=cell.dtype, device=cell.device)
    images = torch.cartesian_prod(steps, steps, steps)
    there = inside[None] + (images @ cell)[:, None]
    distance = (there[:, None] - inside[None, :, None]).norm(dim=3)  # images x centre x neighbour
    image, centre, neighbour = torch.nonzero((distance < RCUT) & (distance > 1e-6), as_tuple=True)
    shifts = images[image] + home[centre] - home[neighbour]
    return torch.stack([centre, neighbour]), shifts


def label(net, positions: np.ndarray, cells: np.ndarray, symbols: list[str], device: str) -> dict:
    """Energies, forces and stresses of structures of one composition.

    Parameters
    ----------
    net : torch.nn.Module
        As of `load`.
    positions : ndarray
        Structures x atoms x 3 (A).
    cells : ndarray
        Structures x 3 x 3 (A).
    symbols : list of str
        Element of every atom.
    device : str
        Where the net is.

    Returns
    -------
    dict of str to ndarray
        ``energies`` (structures; eV), ``forces`` (structures x atoms x 3; eV/A), ``stresses``
        (structures x 3 x 3; eV/A^3).

    Raises
    ------
    ValueError
        As `edges`.
    """
    n = len(symbols)
    types = torch.tensor([TYPES[s] for s in symbols], device=device)
    found = {"energies": [], "forces": [], "stresses": []}
    began, told = time.monotonic(), time.monotonic()
    for begin in range(0, len(positions), BATCH):
        some = [
            torch.as_tensor(np.asarray(a[begin : begin + BATCH], float), device=device)
            for a in (positions, cells)
        ]
        several = len(some[0])
        found_edges = [edges(p, c) for p, c in zip(*some, strict=True)]
        data = {
            "pos": some[0].reshape(-1, 3).float(),
            "cell": some[1].float(),
            "pbc": torch.ones(several, 3, dtype=torch.bool, device=device),
            "atom_types": types.repeat(several)[:, None],
            "edge_index": torch.cat([pairs + i * n for i, (pairs, _) in enumerate(found_edges)], 1),
            "edge_cell_shift": torch.cat([shifts for _, shifts in found_edges]).float(),
            "batch": torch.arange(several, device=device).repeat_interleave(n),
            "ptr": torch.arange(several + 1, device=device) * n,
        }
        out = net(data)
        energy = out["atomic_energy"].detach().double().reshape(several, n).sum(dim=1)
        found["energies"].append(energy.cpu().numpy())
        found["forces"].append(out["forces"].detach().reshape(several, n, 3).cpu().numpy())
        found["stresses"].append(out["stress"].detach().cpu().numpy())
        if time.monotonic() - told > 5:
            told = time.monotonic()
            done = begin + several
            print(f"{done} of {len(positions)} labels, {done / (told - began):.1f}/s", flush=True)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def run(structures: Path, reference: Path, target: Path, device: str = "") -> None:
    """Label a file of structures: the whole of what is done on the other machine.

    Parameters
    ----------
    structures : Path
        ``.npz`` with ``positions``, ``cells`` and ``symbols``, see `label`.
    reference : Path
        Folder of the reference, see `load`.
    target : Path
        ``.npz`` for the labels; beside them the position of every structure's first atom and the
        sha256 of the weights, by which `helpers.recipes.graphics_card` knows what was labelled.
    device : str
        ``cuda`` or ``cpu``; by default whatever there is.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    given = np.load(structures, allow_pickle=False)
    began = time.monotonic()
    labels = label(load(reference, device), given["positions"], given["cells"],
                   [str(s) for s in given["symbols"]], device)  # fmt: skip
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    (weights,) = reference.glob("*_weights.npz")
    np.savez_compressed(
        target, **labels, first_atoms=given["positions"][:, 0], device=name,
        weights=hashlib.sha256(weights.read_bytes()).hexdigest(),
        seconds=time.monotonic() - began,
    )  # fmt: skip


if __name__ == "__main__":
    import sys

    run(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
