r"""Training of a deep potential (se_e2_a) on a graphics card, in minutes instead of hours.

``dp --pt train`` starts some thousand small kernels a step, one after the other, and spends its
time on that. Here neighbours are searched once for all frames, a whole step (energies, forces,
virials, their gradient by the weights, Adam) is recorded as one CUDA graph, and several frames of
one composition make a step. Model and loss are those of `helpers.potentials.training`; what comes
out is put back into DeePMD-kit's own file, so that everything after it is as ever.

With s(r) the smooth 1/r, the row of a neighbour is s (1, x/r, y/r, z/r); with G the embedding of s
(one net an element of the neighbour), N_s the sum of ``sel`` and G' the first columns of G,

.. math:: D_i = (G^T R / N_s) (R^T G' / N_s), \qquad E = \sum_i \mathrm{net}_{Z_i}(D_i)

(Zhang et al., NeurIPS 2018, "DeepPot-SE").

This module needs PyTorch and NumPy and nothing else, no card and no DeePMD-kit either: it travels
to a machine that has both. `helpers.recipes.graphics_card` packs what it reads and takes back what
it writes.

Units: A, eV, eV/A; virial in eV, W = -V sigma.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

#: the sets' errors are written down so many times on the way
LOOKS = 8


class Nets(nn.Module):
    """The nets of one se_e2_a potential, as arrays named after their place.

    Parameters
    ----------
    arrays : dict of str to ndarray
        ``embedding.<element>.<layer>.<w|b>``, ``fitting.<element>.<layer>.<w|b|idt>``, and
        ``davg``, ``dstd`` (elements x neighbours x 4), ``bias`` (elements; eV).
    shape : dict
        ``sel``, ``rcut`` (A), ``rcut_smth`` (A), ``axis_neuron``.
    """

    def __init__(self, arrays: dict[str, np.ndarray], shape: dict):
        super().__init__()
        self.sel, self.axis = list(shape["sel"]), int(shape["axis_neuron"])
        self.rcut, self.smooth = float(shape["rcut"]), float(shape["rcut_smth"])
        self.weights = nn.ParameterDict()
        for name, array in arrays.items():
            value = torch.as_tensor(np.array(array, dtype=np.float32))
            if name in ("davg", "dstd"):
                self.register_buffer(name, value)
            elif name == "bias":
                self.register_buffer(name, torch.as_tensor(np.array(array, dtype=np.float64)))
            else:
                self.weights[name.replace(".", "_")] = nn.Parameter(value)
        self.depth = {
            kind: 1 + max(int(n.split("_")[2]) for n in self.weights if n.startswith(kind))
            for kind in ("embedding", "fitting")
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The trained weights under the names that they came by.

        Returns
        -------
        dict of str to ndarray
            float32.
        """
        return {n.replace("_", "."): w.detach().cpu().numpy() for n, w in self.weights.items()}

    def _layer(self, kind: str, element: int, layer: int, x: Tensor) -> Tensor:
        name = f"{kind}_{element}_{layer}_"
        weight = self.weights[name + "w"]
        out = torch.addmm(self.weights[name + "b"], x, weight)
        if kind == "fitting" and layer == self.depth[kind] - 1:
            return out  # the energy, as it is
        out = torch.tanh(out)
        if name + "idt" in self.weights:
            out = out * self.weights[name + "idt"]
        if weight.shape[0] == weight.shape[1]:
            return out + x
        if weight.shape[1] == 2 * weight.shape[0]:
            return out + torch.cat([x, x], dim=1)
        return out

    def _net(self, kind: str, element: int, x: Tensor) -> Tensor:
        for layer in range(self.depth[kind]):
            x = self._layer(kind, element, layer, x)
        return x

    def energies(self, vectors: Tensor, types: Tensor, places: list[Tensor]) -> Tensor:
        """Energy of every atom.

        Parameters
        ----------
        vectors : Tensor
            Vectors to the neighbours, atoms x neighbours x 3 (A), in the order of ``sel``; an empty
            place holds a vector longer than the cutoff.
        types : Tensor
            Element of every atom.
        places : list of Tensor
            For every element, the indices of its atoms.

        Returns
        -------
        Tensor
            Atoms (eV), without the energies of the free elements.
        """
        r = vectors.norm(dim=2, keepdim=True)
        u = ((r - self.smooth) / (self.rcut - self.smooth)).clamp(0.0, 1.0)
        s = (u * u * u * (u * (15.0 - 6.0 * u) - 10.0) + 1.0) / r
        rows = torch.cat([s, s * vectors / r], dim=2)
        rows = (rows - self.davg[types]) / self.dstd[types]
        embedded, begin = 0.0, 0
        for element, n in enumerate(self.sel):
            some = rows[:, begin : begin + n]
            net = self._net("embedding", element, some[:, :, :1].reshape(-1, 1))
            embedded = embedded + torch.bmm(some.transpose(1, 2), net.reshape(len(rows), n, -1))
            begin += n
        embedded = embedded / sum(self.sel)
        descriptor = torch.bmm(embedded.transpose(1, 2), embedded[:, :, : self.axis])
        descriptor = descriptor.reshape(len(rows), -1)
        energy = torch.zeros(len(rows), device=vectors.device)
        for element, where in enumerate(places):
            if len(where):
                net = self._net("fitting", element, descriptor[where])
                energy = energy.index_copy(0, where, net[:, 0])
        return energy


def neighbours(
    positions: Tensor, cell: Tensor, types: Tensor, sel: list[int], rcut: float
) -> tuple[Tensor, Tensor]:
    """The nearest neighbours of every atom within the cutoff, by element.

    Parameters
    ----------
    positions : Tensor
        Atoms x 3 (A), float64.
    cell : Tensor
        3 x 3 (A), float64; its heights are longer than the cutoff.
    types : Tensor
        Element of every atom.
    sel : list of int
        Places for neighbours of each element.
    rcut : float
        Cutoff, A.

    Returns
    -------
    vectors : Tensor
        Atoms x places x 3 (A), float32; (2 rcut, 0, 0) in an empty place.
    index : Tensor
        Atoms x places: the neighbour; 0 in an empty place.

    Raises
    ------
    ValueError
        The cell is thinner than the cutoff, or an atom has more neighbours than places.
    """
    heights = 1.0 / torch.linalg.inv(cell).norm(dim=0)
    if heights.min() < rcut:
        raise ValueError(f"the cell is {heights.min():.2f} A thin, the cutoff is {rcut} A")
    fraction = positions @ torch.linalg.inv(cell)
    inside = (fraction - fraction.floor()) @ cell
    steps = torch.tensor([-1.0, 0.0, 1.0], dtype=cell.dtype, device=cell.device)
    images = torch.cartesian_prod(steps, steps, steps) @ cell
    n, found_vectors, found_index = len(positions), [], []
    for element, places in enumerate(sel):
        of = torch.nonzero(types == element)[:, 0]
        there = (inside[of][None] + images[:, None]).reshape(-1, 3)
        vectors = there[None] - inside[:, None]
        distance = vectors.norm(dim=2)
        distance[distance < 1e-6] = torch.inf  # the atom itself
        if int((distance < rcut).sum(dim=1).max()) > places:
            raise ValueError(f"an atom has more than {places} neighbours of element {element}")
        nearest, where = distance.topk(min(places, distance.shape[1]), largest=False)
        chosen = torch.take_along_dim(vectors, where[:, :, None].expand(-1, -1, 3), dim=1)
        index = of[where % len(of)] if len(of) else torch.zeros_like(where)
        empty = nearest >= rcut
        chosen[empty] = torch.tensor([2 * rcut, 0.0, 0.0], dtype=cell.dtype, device=cell.device)
        index[empty] = 0
        padded = torch.zeros(n, places, 3, dtype=cell.dtype, device=cell.device)
        padded[:, :, 0] = 2 * rcut
        padded[:, : chosen.shape[1]] = chosen
        filled = torch.zeros(n, places, dtype=torch.long, device=cell.device)
        filled[:, : index.shape[1]] = index
        found_vectors.append(padded)
        found_index.append(filled)
    return torch.cat(found_vectors, dim=1).float(), torch.cat(found_index, dim=1)


@dataclass
class Frames:
    """All frames of one composition, with their neighbours.

    Attributes
    ----------
    types : Tensor
        Element of every atom of a frame.
    vectors, index : Tensor
        Frames x atoms x places (x 3), see `neighbours`.
    energies : Tensor
        Frames; eV, without the energies of the free elements.
    forces : Tensor
        Frames x atoms x 3 (eV/A).
    virials : Tensor
        Frames x 3 x 3 (eV).
    names : ndarray of str
        Set of every frame.
    training : ndarray of bool
        Whether a frame is trained on.
    """

    types: Tensor
    vectors: Tensor
    index: Tensor
    energies: Tensor
    forces: Tensor
    virials: Tensor
    names: np.ndarray
    training: np.ndarray

    @property
    def n_atoms(self) -> int:
        """Atoms of a frame."""
        return len(self.types)


def frames_of(job: dict, group: str, nets: Nets, device: str) -> Frames:
    """The frames of one composition as a job holds them.

    Parameters
    ----------
    job : dict of str to ndarray
        ``<group>.types``, ``.positions``, ``.cells``, ``.energies``, ``.forces``, ``.virials``,
        ``.names``, ``.training``.
    group : str
        Name of the composition.
    nets : Nets
        The nets, for places, cutoff and the energies of the free elements.
    device : str
        ``cuda`` or ``cpu``.

    Returns
    -------
    Frames
        The frames, on that device.

    Raises
    ------
    ValueError
        As `neighbours`.
    """

    def of(name: str, dtype) -> Tensor:
        return torch.as_tensor(job[f"{group}.{name}"], device=device).to(dtype)

    types = of("types", torch.long)
    positions, cells = of("positions", torch.float64), of("cells", torch.float64)
    places, n = sum(nets.sel), len(positions)
    vectors = torch.empty(n, len(types), places, 3, device=device)
    index = torch.empty(n, len(types), places, dtype=torch.long, device=device)
    for i in range(n):
        vectors[i], index[i] = neighbours(positions[i], cells[i], types, nets.sel, nets.rcut)
    free = nets.bias.to(device)[types].sum()
    return Frames(
        types, vectors, index, (of("energies", torch.float64) - free).float(),
        of("forces", torch.float32), of("virials", torch.float32),
        np.asarray(job[f"{group}.names"]), np.asarray(job[f"{group}.training"], dtype=bool),
    )  # fmt: skip


def predict(
    nets: Nets, frames: Frames, which: Tensor, keep: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Energies, forces and virials of some frames.

    Parameters
    ----------
    nets : Nets
        The nets.
    frames : Frames
        All frames of a composition.
    which : Tensor
        Indices of those wanted.
    keep : bool
        Whether the result can be differentiated by the weights.

    Returns
    -------
    energies : Tensor
        Frames (eV), without the energies of the free elements.
    forces : Tensor
        Frames x atoms x 3 (eV/A).
    virials : Tensor
        Frames x 3 x 3 (eV).
    """
    n, n_atoms = len(which), frames.n_atoms
    vectors = frames.vectors[which].reshape(n * n_atoms, -1, 3).detach().requires_grad_()
    types = frames.types.repeat(n)
    first = torch.arange(n, device=vectors.device) * n_atoms
    places = [
        (first[:, None] + torch.nonzero(frames.types == element)[:, 0]).reshape(-1)
        for element in range(len(nets.sel))
    ]
    return _differentiated(nets, frames, which, vectors, types, places, first, keep)


def _differentiated(nets, frames, which, vectors, types, places, first, keep):
    n, n_atoms = len(which), frames.n_atoms
    energy = nets.energies(vectors, types, places)
    (slope,) = torch.autograd.grad(energy.sum(), vectors, create_graph=keep)
    index = (frames.index[which] + first[:, None, None]).reshape(-1)
    forces = slope.sum(dim=1).index_add(0, index, -slope.reshape(-1, 3))
    virials = -torch.einsum("nai,naj->nij", vectors.reshape(n, -1, 3), slope.reshape(n, -1, 3))
    total = energy.reshape(n, n_atoms).double().sum(dim=1).float()
    return total, forces.reshape(n, n_atoms, 3), virials


@dataclass
class Plan:
    """What a training is done with; the words are those of `helpers.potentials.training.Recipe`.

    Attributes
    ----------
    learning_rate : (float, float)
        At the start and at the end.
    prefactor_energy, prefactor_force, prefactor_virial : (float, float)
        Of the loss, at the start and at the end.
    relative_force : float
        Shift of the relative error of the force, eV/A; 0 is the plain error.
    weights : dict of str to float
        Sets whose frames are drawn so many times as often as others.
    atoms : int
        A step takes so many frames of one composition that they have about this many atoms.
    steps : int
        Steps; 0 is as many as ``seconds`` allow.
    seconds : float
        Time to fill, s.
    seed : int
        Of the order of frames.
    """

    learning_rate: tuple[float, float] = (1e-3, 1e-6)
    prefactor_energy: tuple[float, float] = (20.0, 1000.0)
    prefactor_force: tuple[float, float] = (1000.0, 300.0)
    prefactor_virial: tuple[float, float] = (20.0, 150.0)
    relative_force: float = 0.5
    weights: dict[str, float] = field(default_factory=dict)
    atoms: int = 1088
    steps: int = 0
    seconds: float = 60.0
    seed: int = 1


class Step:
    """One step of training for frames of one composition, recorded if there is a card.

    Parameters
    ----------
    nets : Nets
        The nets.
    frames : Frames
        The frames.
    optimizer : torch.optim.Optimizer
        Adam of the nets' weights.
    factors : Tensor
        Prefactors of energy, force and virial.
    relative_force : float
        As in `Plan`.
    batch : int
        Frames of a step.
    """

    def __init__(self, nets, frames: Frames, optimizer, factors: Tensor, relative_force: float,
                 batch: int):  # fmt: skip
        self.nets, self.frames, self.optimizer = nets, frames, optimizer
        self.factors, self.relative = factors, relative_force
        device = frames.vectors.device
        self.which = torch.zeros(batch, dtype=torch.long, device=device)
        #: sums of squared errors per atom (eV^2), per force component, per virial component
        self.squares = torch.zeros(3, device=device)
        self.first = torch.arange(batch, device=device) * frames.n_atoms
        self.types = frames.types.repeat(batch)
        self.places = [
            (self.first[:, None] + torch.nonzero(frames.types == element)[:, 0]).reshape(-1)
            for element in range(len(nets.sel))
        ]
        self.graph = None
        if device.type == "cuda":
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self._once()
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self._once()
        self.squares.zero_()

    def __call__(self, which: Tensor) -> None:
        """Do one step.

        Parameters
        ----------
        which : Tensor
            Indices of the frames.
        """
        self.which.copy_(which)
        self.graph.replay() if self.graph else self._once()

    def _once(self) -> None:
        frames = self.frames
        self.optimizer.zero_grad(set_to_none=False)
        vectors = frames.vectors[self.which].reshape(len(self.types), -1, 3).requires_grad_()
        energies, forces, virials = _differentiated(
            self.nets, frames, self.which, vectors, self.types, self.places, self.first, keep=True
        )
        wanted = frames.forces[self.which]
        off_energy = energies - frames.energies[self.which]
        off_force, off_virial = forces - wanted, virials - frames.virials[self.which]
        relative = off_force
        if self.relative:
            relative = off_force / (wanted.norm(dim=2, keepdim=True) + self.relative)
        loss = (
            self.factors[0] * off_energy.square().mean() / frames.n_atoms
            + self.factors[1] * relative.square().mean()
            + self.factors[2] * off_virial.square().mean() / frames.n_atoms
        )
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            self.squares += torch.stack([
                (off_energy / frames.n_atoms).square().mean(), off_force.square().mean(),
                (off_virial / frames.n_atoms).square().mean(),
            ])  # fmt: skip


def errors(nets: Nets, groups: list[Frames], most: int = 40) -> dict[str, dict[str, float]]:
    """Errors on the frames that are not trained on, set by set.

    Parameters
    ----------
    nets : Nets
        The nets.
    groups : list of Frames
        The frames.
    most : int
        Evenly chosen frames of a set.

    Returns
    -------
    dict of str to dict
        Set -> ``force`` (RMSE, eV/A), ``energy`` (RMSE, meV/atom), ``bias`` (mean, meV/atom),
        ``virial`` (RMSE, meV/atom), ``frames``.
    """
    table = {}
    for frames in groups:
        for name in np.unique(frames.names[~frames.training]):
            where = np.flatnonzero((frames.names == name) & ~frames.training)
            where = where[np.linspace(0, len(where) - 1, min(most, len(where))).astype(int)]
            parts = [np.zeros(0), np.zeros((0, 3)), np.zeros((0, 3, 3))]
            for some in np.array_split(where, -(-len(where) // 8)):
                which = torch.as_tensor(some, device=frames.vectors.device)
                e, f, w = predict(nets, frames, which)
                off = (e - frames.energies[which], f - frames.forces[which],
                       w - frames.virials[which])  # fmt: skip
                flat = (off[0], off[1].reshape(-1, 3), off[2])
                parts = [
                    np.concatenate([old, new.detach().cpu().numpy()])
                    for old, new in zip(parts, flat, strict=True)
                ]
            per_atom = 1e3 * parts[0] / frames.n_atoms
            table[str(name)] = {
                "force": float(np.sqrt(np.mean(parts[1] ** 2))),
                "energy": float(np.sqrt(np.mean(per_atom**2))),
                "bias": float(per_atom.mean()),
                "virial": float(1e3 * np.sqrt(np.mean(parts[2] ** 2)) / frames.n_atoms),
                "frames": len(where),
            }
    return table


def overall(table: dict[str, dict[str, float]], names: Collection[str]) -> dict[str, float]:
    """Errors over all frames of several sets, in the words of ``learning.json``.

    Parameters
    ----------
    table : dict of str to dict
        As of `errors`.
    names : collection of str
        The sets.

    Returns
    -------
    dict of str to float
        ``energy_rmse_meV_per_atom``, ``force_rmse_eV_per_A``, ``virial_rmse_meV_per_atom``.
    """
    rows = [table[name] for name in table if name in names]
    weights = [row["frames"] for row in rows]
    found = {}
    for name, unit in (("energy", "meV_per_atom"), ("force", "eV_per_A"),
                       ("virial", "meV_per_atom")):  # fmt: skip
        mean = np.average([row[name] ** 2 for row in rows], weights=weights)
        found[f"{name}_rmse_{unit}"] = float(np.sqrt(mean))
    return found


def train(nets: Nets, groups: list[Frames], plan: Plan) -> Iterator[dict]:
    """Train the nets, in place.

    Parameters
    ----------
    nets : Nets
        The nets, on the device of the frames.
    groups : list of Frames
        The frames; those not for training are left alone.
    plan : Plan
        What to do.

    Yields
    ------
    dict
        Every hundredth of the way: ``step``, ``of``, ``seconds``, ``learning_rate``, and the root
        mean squares since the last one of ``energy`` (meV/atom), ``force`` (eV/A), ``virial``
        (meV/atom); ``validation``, the same three on four frames that are not trained on.
    """
    groups = [g for g in groups if g.training.any()]
    device = groups[0].vectors.device
    torch.manual_seed(plan.seed)
    rate = torch.zeros((), device=device)  # while steps are recorded, nothing is learnt
    optimizer = torch.optim.Adam(nets.parameters(), lr=rate, capturable=device.type == "cuda")
    for parameter in nets.parameters():
        parameter.grad = torch.zeros_like(parameter)
    factors = torch.zeros(3, device=device)
    steps = [
        Step(nets, g, optimizer, factors, plan.relative_force, max(1, plan.atoms // g.n_atoms))
        for g in groups
    ]
    chances = [_chances(g, plan.weights) for g in groups]
    share = torch.tensor([float(c.sum()) * g.n_atoms for c, g in zip(chances, groups, strict=True)])
    total, began = plan.steps, time.monotonic()
    if not total:  # as many as there is time for, by the time that some take
        for i in range(60):
            if i == 20:
                _wait(device)
                began = time.monotonic()
            steps[int(share.argmax())](torch.zeros_like(steps[int(share.argmax())].which))
        _wait(device)
        total = max(100, int(plan.seconds / ((time.monotonic() - began) / 40)))
        began = time.monotonic()
    turns = torch.multinomial(share, total, replacement=True).tolist()
    drawn = [
        torch.multinomial(c, turns.count(i) * len(s.which) or 1, replacement=True).to(device)
        for i, (c, s) in enumerate(zip(chances, steps, strict=True))
    ]
    used = [0] * len(steps)
    first, last = plan.learning_rate
    since, counted = max(total // 100, 1), 0
    for step, turn in enumerate(turns):
        now = first * (last / first) ** (step / total) * min(1.0, (step + 1) / 300)
        part = now / first
        rate.fill_(now)
        for i, (start, end) in enumerate(
            (plan.prefactor_energy, plan.prefactor_force, plan.prefactor_virial)
        ):
            factors[i] = end * (1 - part) + start * part
        n = len(steps[turn].which)
        steps[turn](drawn[turn][used[turn] * n : (used[turn] + 1) * n])
        used[turn] += 1
        counted += 1
        if (step + 1) % since == 0 or step + 1 == total:
            squares = sum(s.squares for s in steps) / counted
            roots = squares.sqrt().tolist()
            for s in steps:
                s.squares.zero_()
            counted = 0
            yield {
                "step": step + 1, "of": total, "seconds": time.monotonic() - began,
                "learning_rate": now, "energy": 1e3 * roots[0], "force": roots[1],
                "virial": 1e3 * roots[2], "validation": _glance(nets, groups[int(share.argmax())]),
            }  # fmt: skip


def _glance(nets: Nets, frames: Frames) -> dict[str, float]:
    """Errors on four frames that are not trained on, drawn at random; units as of `errors`."""
    unseen = np.flatnonzero(~frames.training)
    if not len(unseen):
        return {}
    which = torch.as_tensor(unseen)[torch.randint(len(unseen), (4,))].to(frames.vectors.device)
    energies, forces, virials = predict(nets, frames, which)
    off = (
        (energies - frames.energies[which]) / frames.n_atoms, forces - frames.forces[which],
        (virials - frames.virials[which]) / frames.n_atoms,
    )  # fmt: skip
    roots = [float(o.detach().square().mean().sqrt()) for o in off]
    return {"energy": 1e3 * roots[0], "force": roots[1], "virial": 1e3 * roots[2]}


def _chances(frames: Frames, weights: dict[str, float]) -> Tensor:
    """How often every frame is drawn: not at all if it is not for training."""
    chance = np.array([weights.get(str(name), 1.0) for name in frames.names])
    return torch.as_tensor(np.where(frames.training, chance, 0.0), dtype=torch.float32)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def run(job_file: Path, target: Path, device: str = "") -> None:
    """Train by a job file: the whole of what is done on the other machine.

    Parameters
    ----------
    job_file : Path
        ``.npz`` of `helpers.recipes.graphics_card.job`: nets under ``net.<name>``, frames, and
        ``plan``, ``shape`` and ``origin`` as JSON.
    target : Path
        Folder for ``weights.npz``, ``progress.jsonl`` and ``result.json``.
    device : str
        ``cuda`` or ``cpu``; by default whatever there is.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    target.mkdir(parents=True, exist_ok=True)
    job = dict(np.load(job_file, allow_pickle=False))
    shape, plan = json.loads(str(job["shape"])), Plan(**json.loads(str(job["plan"])))
    arrays = {n.removeprefix("net."): a for n, a in job.items() if n.startswith("net.")}
    nets = Nets(arrays, shape).to(device)
    names = sorted({name.split(".")[0] for name in job if name.endswith(".positions")})
    groups = [frames_of(job, name, nets, device) for name in names]
    print({n: len(g.names) for n, g in zip(names, groups, strict=True)}, flush=True)
    trained = {str(n) for g in groups for n in g.names[g.training]}
    tables, looks = [errors(nets, groups)], []
    with open(target / "progress.jsonl", "w") as log:
        for line in train(nets, groups, plan):
            log.write(json.dumps(line) + "\n")
            log.flush()
            if line["step"] * LOOKS // line["of"] > len(looks):
                tables.append(errors(nets, groups))
                watched = set(tables[-1]) - trained
                looks.append({
                    "step": line["step"], "validation": overall(tables[-1], trained),
                    "watched": overall(tables[-1], watched) if watched else {},
                })  # fmt: skip
                print(json.dumps(line), json.dumps(looks[-1]), flush=True)
                np.savez(target / "weights.npz", **nets.arrays())
    result = {
        "before": tables[0], "after": tables[-1], "looks": looks, "steps": line["of"],
        "seconds": line["seconds"], "origin": json.loads(str(job["origin"])),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
    }  # fmt: skip
    (target / "result.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    import sys

    run(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
