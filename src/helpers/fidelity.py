"""What makes a potential fast, and what that does to its forces.

Between the nets that were trained and the forces of a run stand single precision, the tables that
``dp compress`` makes of the embedding nets, and the inner loops of `helpers.kernels`. The tables
hold fifth-order polynomials, one for each ``step`` of the switched inverse distance in units of its
standard deviation (Lu et al., J. Chem. Theory Comput. 18, 5559 (2022)). The yardstick is the same
weights in double precision, without tables.

Units: eV/A; energies in meV per atom; step without unit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import dpdata
import numpy as np
import pandas as pd

from helpers import frames, kernels, lammps, layout, models, paths, provenance, sets
from helpers.errors import NotThere

STEPS = (0.01, 0.02, 0.05, 0.1)
DOUBLE = "double_model.pb"


def double_precision(potential: str | Path) -> Path:
    """The frozen model with its weights widened to float64, and computing in it, by DeePMD-kit's
    own converter. Kept in ``build/double/<key>`` for the content of the frozen file.

    Raises
    ------
    models.BadPotential
        see `models.load_potential`.
    """
    frozen = models.model_file(potential)
    recipe = {"frozen": provenance.sha256(frozen), "precision": "float64",
              "deepmd-kit": provenance.versions().get("deepmd-kit")}
    target = paths.BUILD / "double" / provenance.key(recipe)
    if not (target / provenance.FILE).is_file():
        with provenance.lock(target), models.quiet():
            from deepmd.backend.backend import Backend

            began, tensorflow = time.monotonic(), Backend.get_backend("tensorflow")()
            plain = tensorflow.serialize_hook(str(frozen))
            tensorflow.deserialize_hook(str(target / DOUBLE), _widened(plain))
            provenance.write(
                target, kind="double", recipe=recipe, inputs={"frozen": recipe["frozen"]},
                description=f"{paths.relative(frozen)} in float64",
                seconds=time.monotonic() - began,
            )
    return target / DOUBLE


def _widened(node):
    if isinstance(node, dict):
        return {k: "float64" if k == "precision" else _widened(v) for k, v in node.items()}
    if isinstance(node, list | tuple):
        return type(node)(map(_widened, node))
    narrow = isinstance(node, np.ndarray) and node.dtype == np.float32
    return node.astype(np.float64) if narrow else node


def compare(potential: str | Path, systems: Mapping[str, dpdata.LabeledSystem] | None = None,
            steps: Sequence[float] = STEPS) -> list[dict]:
    """Forces and energies of the fast versions of a potential against its double precision.

    systems: name -> frames; default: the last frame of every test set. Rows: the frozen model as
    it is; its table of each of ``steps``; the first of them in LAMMPS, with the loops of
    DeePMD-kit's wheel and with those compiled here. Keys: model, step, size_MiB, n_frames,
    force_max_eV_per_A (largest difference of a component), force_rms_eV_per_A,
    energy_max_meV_per_atom.

    Raises
    ------
    models.BadPotential, dp.DPFailed, lammps.LammpsDied
        a version cannot be made or does not run.
    """
    if systems is None:
        systems = {name: frames.load(name).sub_system([-1]) for name in _test_sets()}
    exact = [_predicted(double_precision(potential), system) for system in systems.values()]
    frozen, tables = models.model_file(potential), {s: models.compress(potential, s) for s in steps}
    versions = [("frozen, float32", None, frozen, None)]
    versions += [("table", step, file, None) for step, file in tables.items()]
    versions.append(("table, LAMMPS", steps[0], tables[steps[0]], False))
    if kernels.library() is not None:
        versions.append(("table, LAMMPS, native", steps[0], tables[steps[0]], True))
    rows = []
    for name, step, file, native in versions:
        said = [_predicted(file, system) if native is None else _in_lammps(file, system, native)
                for system in systems.values()]
        force = np.concatenate([(mine[1] - true[1]).ravel()
                                for mine, true in zip(said, exact, strict=True)])
        energy = [np.abs(mine[0] - true[0]).max() / true[1].shape[1]
                  for mine, true in zip(said, exact, strict=True)]
        rows.append({
            "model": name, "step": step, "size_MiB": file.stat().st_size / 2**20,
            "n_frames": sum(len(mine[0]) for mine in said),
            "force_max_eV_per_A": float(np.abs(force).max()),
            "force_rms_eV_per_A": float(np.sqrt(np.mean(force**2))),
            "energy_max_meV_per_atom": float(1e3 * max(energy)),
        })
    return rows


def _predicted(file: Path, system: dpdata.LabeledSystem) -> tuple[np.ndarray, np.ndarray]:
    """Energies (F,) and forces (F, N, 3)."""
    with models.quiet():
        energy, force, _ = models.check_potential(file).eval(
            system["coords"].reshape(len(system), -1), system["cells"].reshape(len(system), -1),
            system["atom_types"])
    return energy.ravel(), force.reshape(len(system), -1, 3)


def _in_lammps(file: Path, system: dpdata.LabeledSystem,
               native: bool) -> tuple[np.ndarray, np.ndarray]:
    said = [lammps.single_point(atoms, layout.deepmd(file), native=native)
            for atoms in system.to_ase_structure()]
    return np.array([energy for energy, _ in said]), np.array([force for _, force in said])


def _test_sets() -> list[str]:
    return [name for name in sets.tests() if name in frames.names()]


def measure(potential: str = "atp", file: Path | None = None) -> Path:
    """`compare` on the last frame of every test set, kept as JSON in ``build/bench``.

    Raises
    ------
    models.BadPotential, dp.DPFailed, lammps.LammpsDied
        see `compare`.
    """
    file = Path(file or paths.BUILD / "bench" / "fidelity.json")
    record = {
        "potential": potential, "potential_sha256": provenance.sha256(models.model_file(potential)),
        "frames": f"the last frame of {', '.join(_test_sets())}",
        "hardware": provenance.hardware(), "versions": provenance.versions(),
        "rows": compare(potential),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1) + "\n")
    part.replace(file)
    return file


def read(file: Path | None = None) -> dict:
    """What `measure` wrote: the given file, or ``data/bench``'s.

    Raises
    ------
    FileNotFoundError
        nothing was measured.
    """
    file = Path(file or paths.DATA / "bench" / "fidelity.json")
    if not file.is_file():
        raise NotThere(f"{paths.relative(file)} is missing: measure with `make bench-md` and copy "
                       f"build/bench/fidelity.json there")
    return json.loads(file.read_text())


def table(record: dict) -> pd.DataFrame:
    """The rows of `read` for a page."""
    return pd.DataFrame(record["rows"]).rename(columns={"n_frames": "frames"})
