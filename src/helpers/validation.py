"""Is a potential physically sound in use? What a specialist tries before trusting it.

Errors on frames (`evaluation.evaluate`) say how well a potential repeats labels. Here it is *used*:
the crystal is stretched and sheared with its atoms relaxed, set into motion at constant energy,
and its stress is held against the energy's own derivative. The same procedures run with the
reference, so that the answers stand side by side.

A *model* is the name, directory or ``.pb`` of a potential, or ``"reference"``. What takes longer
than a minute is kept in ``build/validation`` (shipped: ``data/validation``) under the content of
model and structure: found and finished it is reused, broken off it goes on.

Units: eV, A, ps, K; stress, pressure and elastic constants in GPa, positive stress = tension
(ASE's sign), positive pressure = compression.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import ase.io
import ase.units
import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.eos import EquationOfState
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS, LBFGS
from ase.vibrations import Vibrations
from scipy.stats import linregress
from tqdm import tqdm

from helpers import provenance, reference, sampling, structures, units
from helpers.sampling import Unphysical

REFERENCE = "reference"
VOLUME_PERCENT = (-8, -6, -4, -2, 0, 2, 4, 6, 8, 10, 15, 20, 25)
VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")
_FRAMES, _STATE, _ENERGY, _HESSIAN = "relaxed.extxyz", "state.npz", "energy.csv", "hessian.npy"
_GPA = units.EV_PER_A3_IN_GPA


# ---------------------------------------------------------------- models


def calculator(model: str, symbols: Iterable[str] | None = None) -> Calculator:
    """ASE calculator of a model: DeePMD-kit's own with the compressed potential, or the reference.

    Raises
    ------
    models.BadPotential
        see `models.check_potential`; symbols are the elements it must know.
    reference.ReferenceUnavailable
        the reference is asked for where nequip is not installed.
    """
    if model == REFERENCE:
        if importlib.util.find_spec("nequip") is None:
            raise reference.ReferenceUnavailable(
                "no kept result of the reference, and nequip is not installed to make one: "
                "pip install 'zif4-melting[reference]'"
            )
        return reference.Reference()
    from helpers import models  # needs dpdata, which lacks where the reference runs

    compressed = models.compress(model)
    models.check_potential(compressed, symbols)
    from deepmd.calculator import DP

    return DP(model=compressed)


def _content(model: str) -> str:
    if model == REFERENCE:
        return reference.SHA256
    from helpers import models

    return provenance.sha256(models.model_file(model))


def _kept(
    what: str, model: str, structure: str, parameters: dict,
    make: Callable[[Atoms, Calculator, Path], float],
) -> Path:  # fmt: skip
    """Directory of a result: found, resumed or made. ``make`` returns its wall time in seconds."""
    recipe = parameters | {
        "check": what, "model": _content(model),
        "structure": provenance.sha256(structures.file(structure)),
    }  # fmt: skip
    if found := provenance.find("validation", recipe):
        provenance.announce("reused", found)
        return found
    start = structures.load(structure)
    run = calculator(model, set(start.symbols))
    name = f"{what}-{Path(model).stem}-{structure}"
    with provenance.lock(provenance.directory("validation", name, recipe)) as directory:
        provenance.announce("resumed" if any(directory.glob("[!.]*")) else "made", directory)
        seconds = make(start, run, directory)
        provenance.write(
            directory, kind="validation", recipe=recipe, seconds=seconds,
            description=f"{what} of {structure} by {Path(model).name}",
            inputs={"model": recipe["model"], "structure": recipe["structure"]},
        )  # fmt: skip
    return directory


def beside_reference(measure: Callable, model: str, structure: str, **options) -> dict:
    """``measure(name, structure)`` of a model and of the reference: name -> result.

    Where the reference has no kept result and cannot run, that is said and its entry left out.
    """
    results = {model: measure(model, structure, **options)}
    try:
        results[REFERENCE] = measure(REFERENCE, structure, **options)
    except reference.ReferenceUnavailable as error:
        print(f"{structure}: {error}", flush=True)
    return results


# ---------------------------------------------------------------- relaxed, deformed crystals


def relax_cells(
    start: Atoms, calculator: Calculator, strains: Sequence[np.ndarray], file: Path, *,
    fmax: float, steps: int, hessian: np.ndarray | None = None,
) -> list[Atoms]:  # fmt: skip
    """The crystal in deformed cells, positions relaxed in each (L-BFGS, cell fixed).

    strains: symmetric (3, 3); the cell is ``cell0 (1 + strain)``. Each relaxation starts from the
    fractional positions of the nearest strain that is done. It ends when the largest force is
    below ``fmax`` (eV/A) or after ``steps``. Frames carry energy, forces and stress, in the order
    of ``strains``, and are appended to ``file``: the same call after a kill goes on.

    hessian: (3N, 3N) in eV/A^2, a guess to start from (`curvature` of a similar model); BFGS then
    takes a tenth of the steps where soft modes are many, and they are in an open framework.

    Raises
    ------
    FloatingPointError
        energy, forces or stress became NaN or infinite.
    """
    done = sampling.whole_frames(file)
    with tqdm(total=len(strains), initial=len(done), desc=file.parent.name, unit="cell") as bar:
        for n, strain in enumerate(strains[len(done):], len(done)):  # fmt: skip
            atoms = start.copy()
            if done:
                near = min(range(n), key=lambda i: np.linalg.norm(strain - strains[i]))
                atoms.set_scaled_positions(done[near].get_scaled_positions(wrap=False))
            atoms.set_cell(start.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            done.append(_relaxed(atoms, calculator, fmax, steps, hessian))
            ase.io.write(file, done[-1], format="extxyz", append=True)
            bar.update()
    return done


def _relaxed(
    atoms: Atoms, calculator: Calculator, fmax: float, steps: int, hessian: np.ndarray | None = None
) -> Atoms:
    atoms.calc = calculator
    began = time.monotonic()
    if hessian is None:
        optimiser = LBFGS(atoms, logfile=None, maxstep=0.1)
    else:
        optimiser = BFGS(atoms, logfile=None, maxstep=0.1)
        optimiser.H0 = hessian
    optimiser.run(fmax=fmax, steps=steps)
    frame = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    labels = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(),
              "stress": atoms.get_stress()}  # fmt: skip
    if not all(np.isfinite(value).all() for value in labels.values()):
        raise FloatingPointError(
            f"energy, forces or stress of the cell of {atoms.get_volume():.0f} A^3 are not finite "
            f"after {optimiser.nsteps} steps; the potential does not know this structure"
        )
    frame.info = {"relaxation_steps": optimiser.nsteps, "seconds": time.monotonic() - began}
    frame.calc = SinglePointCalculator(frame, **labels)
    return frame


def curvature(model: str, structure: str, *, fmax: float = 0.0002, steps: int = 3000) -> Path:
    r"""File with the Hessian of a model at its own minimum in the cell of the structure; kept.

    .. math:: H_{ij} = \partial^2 E / \partial x_i \partial x_j

    by central differences of forces (`ase.vibrations`), (3N, 3N) in eV/A^2, symmetric. Moving all
    atoms at once costs 100 eV/A^2, in place of nothing, so that it can be inverted.
    """
    def make(start, calculator, directory):
        began = time.monotonic()
        still = relax_cells(start, calculator, [np.zeros((3, 3))], directory / _FRAMES, fmax=fmax,
                            steps=steps)[0]  # fmt: skip
        still.calc = calculator
        moves = Vibrations(still, name=str(directory / "displaced"))
        moves.run()
        hessian = moves.get_vibrations().get_hessian_2d()
        for axis in np.eye(3):
            together = np.tile(axis, len(still)) / np.sqrt(len(still))
            hessian = hessian + 100 * np.outer(together, together)
        np.save(directory / _HESSIAN, hessian)
        moves.clean()
        return time.monotonic() - began

    return _kept("curvature", model, structure, {"fmax_eV_per_A": fmax, "steps": steps},
                 make) / _HESSIAN


def _relaxations(what, model, structure, strains, fmax, steps, hessian=None) -> Path:
    def make(start, calculator, directory):
        frames = relax_cells(start, calculator, strains, directory / _FRAMES, fmax=fmax,
                             steps=steps, hessian=hessian)  # fmt: skip
        return sum(frame.info["seconds"] for frame in frames)

    parameters = {"strains": np.asarray(strains).tolist(), "fmax_eV_per_A": fmax, "steps": steps}
    return _kept(what, model, structure, parameters, make) / _FRAMES


def volume_strains(percent: Sequence[float]) -> list[np.ndarray]:
    """Isotropic strains (3, 3) of volume changes in percent, the smallest first."""
    return [np.eye(3) * ((1 + p / 100) ** (1 / 3) - 1) for p in sorted(percent, key=abs)]


def relaxed_volumes(
    model: str, structure: str, *, percent: Sequence[float] = VOLUME_PERCENT,
    fmax: float = 0.005, steps: int = 1000, labelled: bool = False,
) -> list[Atoms]:  # fmt: skip
    """The crystal at ``percent`` of volume change, relaxed by a model; kept. The first is 0 %.

    labelled: the same frames with the reference's labels instead of the model's; kept too. The
    reference's own minima lie lower by a second-order amount only, and its relaxations would take
    an hour where the labels take one minute.

    Raises
    ------
    ValueError
        0 % is missing: energies are counted from there.
    """
    if 0 not in percent:
        raise ValueError(f"percent = {tuple(percent)} lacks 0, from which energies are counted")
    file = _relaxations("volume", model, structure, volume_strains(percent), fmax, steps)
    return ase.io.read(_labelled(file, structure) if labelled else file, index=":")


def _labelled(source: Path, structure: str) -> Path:
    def make(start, calculator, directory):
        file, began = directory / _FRAMES, time.monotonic()
        done = sampling.whole_frames(file)
        frames = ase.io.read(source, index=":")[len(done):]  # fmt: skip
        for frame in tqdm(frames, desc="label", unit="frame"):
            ase.io.write(file, reference.label(frame, calculator), format="extxyz", append=True)
        return time.monotonic() - began

    of = {"frames": provenance.sha256(source)}
    return _kept("labels", REFERENCE, structure, of, make) / _FRAMES


def volume_curve(frames: Sequence[Atoms]) -> pd.DataFrame:
    """E(V) and p(V) of frames with labels, ordered by volume.

    Columns: volume_A3, volume_percent (change from the first frame), energy_eV,
    energy_meV_per_atom (from the first frame), pressure_GPa = -tr(sigma) / 3, force_max_eV_per_A
    (the largest that the relaxation left).
    """
    volume = np.array([frame.get_volume() for frame in frames])
    energy = np.array([frame.get_potential_energy() for frame in frames])
    return pd.DataFrame({
        "volume_A3": volume,
        "volume_percent": 100 * (volume / volume[0] - 1),
        "energy_eV": energy,
        "energy_meV_per_atom": 1e3 * (energy - energy[0]) / len(frames[0]),
        "pressure_GPa": [-frame.get_stress()[:3].mean() * _GPA for frame in frames],
        "force_max_eV_per_A": [np.linalg.norm(f.get_forces(), axis=1).max() for f in frames],
    }).sort_values("volume_A3", ignore_index=True)  # fmt: skip


def volume_curves(model: str, structure: str, **options) -> dict[str, pd.DataFrame]:
    """`volume_curve` of a model and, on the same frames, of the reference (`beside_reference`)."""

    def measure(of, cell):
        return volume_curve(relaxed_volumes(model, cell, labelled=of == REFERENCE, **options))

    return beside_reference(measure, model, structure)


def equation_of_state(volume_A3, energy_eV) -> dict:
    """Birch-Murnaghan fit (Phys. Rev. 71, 809 (1947)) of E(V), by ``ase.eos``.

    Returns volume_A3 and energy_eV of the minimum, bulk_modulus_GPa, its derivative with pressure
    and rms_eV, what the fit leaves over. Over a wide range one such line does not describe an
    open framework; give it the points around the minimum.

    Raises
    ------
    ValueError
        fewer than five volumes, no fit, or the minimum does not lie among them.
    """
    volume, energy = np.asarray(volume_A3, float), np.asarray(energy_eV, float)
    if len(volume) < 5:
        raise ValueError(f"{len(volume)} volumes; a fit of four parameters needs five or more")
    eos = EquationOfState(volume, energy, eos="birchmurnaghan")
    try:
        v0, e0, bulk = eos.fit(warn=False)
    except RuntimeError as error:  # scipy's, when it finds no parameters
        raise ValueError(f"no Birch-Murnaghan curve fits these energies ({error})") from error
    if not volume.min() < v0 < volume.max():
        raise ValueError(
            f"the energy has no minimum among {volume.min():.0f} ... {volume.max():.0f} A^3 "
            f"(the fit says {v0:.0f}); widen the range"
        )
    return {
        "volume_A3": float(v0), "energy_eV": float(e0), "bulk_modulus_GPa": float(bulk * _GPA),
        "bulk_modulus_derivative": float(eos.eos_parameters[2]),
        "rms_eV": float(np.sqrt(np.mean((eos.func(volume, *eos.eos_parameters) - energy) ** 2))),
    }  # fmt: skip


def equations_of_state(
    curves: dict[str, pd.DataFrame], within_percent: float = 6.0
) -> pd.DataFrame:
    """`equation_of_state` of each `volume_curve` within ``within_percent`` of 0 %, as columns.

    A curve without a minimum there is said and its column is NaN.
    """
    columns = {}
    for name, curve in curves.items():
        near = curve[curve["volume_percent"].abs() <= within_percent + 1e-6]
        zero = curve["volume_A3"][curve["volume_percent"].abs().idxmin()]
        try:
            fit = equation_of_state(near["volume_A3"], near["energy_eV"])
        except ValueError as error:
            print(f"{name}: {error}")
            fit = dict.fromkeys(("volume_A3", "bulk_modulus_GPa", "bulk_modulus_derivative",
                                 "rms_eV"), np.nan)  # fmt: skip
        columns[name] = {
            "V0 (A^3)": fit["volume_A3"],
            "V0 (% from the cell)": 100 * (fit["volume_A3"] / zero - 1),
            "B (GPa)": fit["bulk_modulus_GPa"], "dB/dp": fit["bulk_modulus_derivative"],
            "left by the fit (eV a cell)": fit["rms_eV"],
        }  # fmt: skip
    return pd.DataFrame(columns)


# ---------------------------------------------------------------- elastic response


def shear_and_stretch(step: float) -> list[np.ndarray]:
    """No strain, then +step and -step of each Voigt component (shear: engineering strain)."""
    return [np.zeros((3, 3)), *(s * step * e for e in _voigt_strains() for s in (1, -1))]


def _voigt_strains() -> list[np.ndarray]:
    full = []
    for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        strain = np.zeros((3, 3))
        strain[i, j] += 0.5
        strain[j, i] += 0.5
        full.append(strain)
    return full


def elastic_constants(
    model: str, structure: str, *, step: float = 0.01, fmax: float = 0.0002, steps: int = 1000,
    hessian: np.ndarray | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Elastic constants C_ij (6, 6) in GPa at the structure's own cell, atoms relaxed; kept.

    C_ij = d sigma_i / d epsilon_j by central differences of ``step``. At a cell under stress these
    are stress-strain coefficients; the same cell is used for every model. The softest modes of a
    framework move far under forces that hardly show: with ``fmax`` = ``step`` = 0.005 ZIF-4 came
    out twice as stiff along c, and C_ij off C_ji by 3 GPa. hessian: see `relax_cells`.
    """
    strains = shear_and_stretch(step)
    file = _relaxations("elastic", model, structure, strains, fmax, steps, hessian)
    return elastic_matrix(ase.io.read(file, index=":"), step)


def elastic_matrix(frames: Sequence[Atoms], step: float) -> pd.DataFrame:
    """C_ij (6, 6) in GPa from frames in the order of `shear_and_stretch`."""
    stress = np.array([frame.get_stress() for frame in frames]) * _GPA
    columns = (stress[1::2] - stress[2::2]) / (2 * step)
    return pd.DataFrame(columns.T, index=list(VOIGT), columns=list(VOIGT))


def elastic_summary(constants: pd.DataFrame) -> dict:
    """What C_ij says, in GPa: the nine constants of an orthorhombic crystal and their averages.

    C12, C13 and C23 are means of C_ij and C_ji, whose largest difference is ``asymmetry``: zero in
    theory, so it measures the error of differences and relaxations. ``bulk_voigt`` is that of equal
    strains, as in E(V); ``bulk_reuss`` that of equal stresses, as in NPT. ``softest`` is the
    smallest eigenvalue: a stable crystal has a positive one (Born).
    """
    raw = constants.to_numpy()
    c = (raw + raw.T) / 2
    named = {f"C{i + 1}{j + 1}": float(c[i, j])
             for i, j in [(k, k) for k in range(6)] + [(0, 1), (0, 2), (1, 2)]}  # fmt: skip
    return named | {
        "bulk_voigt": float(c[:3, :3].mean()),
        "bulk_reuss": float(1 / np.linalg.inv(c)[:3, :3].sum()),
        "softest": float(np.linalg.eigvalsh(c).min()),
        "asymmetry": float(np.abs(raw - raw.T).max()),
    }


def stress_by_differences(
    atoms: Atoms, calculator: Calculator, step: float = 1e-3
) -> pd.DataFrame:
    """The stress beside the derivative of the energy, sigma_j = (1/V) dE/d epsilon_j.

    Atoms follow the cell (fractional positions fixed), central differences of ``step``. A wrong
    sign, unit or factor of the virial shows at once. Rows: Voigt components; columns stress_GPa,
    differences_GPa, error_GPa.
    """
    energies = []
    for strain in shear_and_stretch(step)[1:]:
        deformed = atoms.copy()
        deformed.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        deformed.calc = calculator
        energies.append(deformed.get_potential_energy())
    plus, minus = np.array(energies).reshape(6, 2).T
    at_rest = atoms.copy()
    at_rest.calc = calculator
    table = pd.DataFrame({
        "stress_GPa": at_rest.get_stress() * _GPA,
        "differences_GPa": (plus - minus) / (2 * step * atoms.get_volume()) * _GPA,
    }, index=list(VOIGT))  # fmt: skip
    table["error_GPa"] = table["stress_GPa"] - table["differences_GPa"]
    return table


# ---------------------------------------------------------------- constant energy


def constant_energy(
    start: Atoms, calculator: Calculator, directory: Path, *, temperature_K: float,
    equilibration_ps: float, duration_ps: float, timestep_fs: float, seed: int,
    save_every: int = 100,
) -> pd.DataFrame:  # fmt: skip
    """Velocity-Verlet dynamics at constant energy after an equilibration by a Langevin thermostat.

    The start gets twice the thermal momenta's energy, half of which goes into the potential energy.
    Rows: every step of the constant-energy part; columns time_ps, temperature_K,
    potential_energy_eV, total_energy_eV. The state is saved in ``directory`` every ``save_every``
    steps; the same call after a kill goes on from there, along the same trajectory.

    Raises
    ------
    Unphysical
        a temperature above five times ``temperature_K`` plus 1000 K, or NaN.
    """
    before, total = (units.steps(ps, timestep_fs) for ps in
                     (equilibration_ps, equilibration_ps + duration_ps))  # fmt: skip
    atoms, step, rows, seconds = start.copy(), 0, [], 0.0
    state = directory / _STATE
    if state.exists():
        with np.load(state) as saved:
            atoms.positions = saved["positions"]
            atoms.set_momenta(saved["momenta"])
            step, rows = int(saved["step"]), saved["rows"].tolist()
            seconds = float(saved["seconds"])
    else:
        thermalize_momenta(atoms, temperature_K=2 * temperature_K,
                           rng=np.random.default_rng([seed, 2**31]))  # fmt: skip
        Stationary(atoms)
    atoms.calc = calculator
    langevin = Langevin(atoms, timestep_fs * ase.units.fs, temperature_K=temperature_K,
                        friction=0.02 / ase.units.fs, fixcm=False)  # fmt: skip
    verlet = VelocityVerlet(atoms, timestep_fs * ase.units.fs)
    began = time.monotonic() - seconds
    with tqdm(total=total, initial=step, desc=directory.name, unit="step") as bar:
        while step < total:
            # Its random numbers depend on (seed, step) alone: a killed run repeats them.
            langevin.rng = np.random.default_rng([seed, step])
            (langevin if step < before else verlet).run(1)
            step += 1
            temperature = atoms.get_temperature()
            if not temperature < 5 * temperature_K + 1000:
                raise Unphysical(
                    f"{directory.name}: {temperature:.0f} K at step {step} of a run meant for "
                    f"{temperature_K:g} K; the potential does not hold the structure together"
                )
            if step > before:
                rows.append(((step - before) * timestep_fs / 1e3, temperature,
                             atoms.get_potential_energy(), atoms.get_total_energy()))  # fmt: skip
            bar.update()
            if step % save_every == 0 or step == total:
                part = state.with_suffix(".part")
                with open(part, "wb") as file:
                    np.savez(file, positions=atoms.positions, momenta=atoms.get_momenta(),
                             step=step, rows=np.reshape(rows, (-1, 4)),
                             seconds=time.monotonic() - began)  # fmt: skip
                part.replace(state)
    columns = ["time_ps", "temperature_K", "potential_energy_eV", "total_energy_eV"]
    return pd.DataFrame(rows, columns=columns)


def energy_in_time(
    model: str, structure: str, *, temperature_K: float = 1200.0, equilibration_ps: float = 0.2,
    duration_ps: float = 0.8, timestep_fs: float = 0.5, seed: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """`constant_energy` of a model, kept. The defaults take 80 s for 272 atoms on one quiet core.

    Raises
    ------
    Unphysical
        see `constant_energy`.
    """
    parameters = {"temperature_K": temperature_K, "equilibration_ps": equilibration_ps,
                  "duration_ps": duration_ps, "timestep_fs": timestep_fs, "seed": seed}  # fmt: skip

    def make(start, calculator, directory):
        table = constant_energy(start, calculator, directory, **parameters)
        table.to_csv(directory / _ENERGY, index=False, float_format="%.10g")
        with np.load(directory / _STATE) as saved:
            seconds = float(saved["seconds"])
        (directory / _STATE).unlink()
        return seconds

    return pd.read_csv(_kept("energy", model, structure, parameters, make) / _ENERGY)


def energy_drift(table: pd.DataFrame, n_atoms: int, blocks: int = 16) -> dict:
    """Drift of the total energy: slope of a line through means over ``blocks`` blocks of time.

    Block means, as neighbouring steps are not independent. Returns drift_meV_per_atom_per_ps, its
    standard error, fluctuation_meV_per_atom (rms of single steps about the line),
    mean_temperature_K and duration_ps. (Velocity Verlet conserves a shadow energy: E itself
    fluctuates by (omega dt)^2 without drifting; Hairer et al., Acta Numerica 12, 399 (2003).)

    Raises
    ------
    ValueError
        fewer than two rows a block.
    """
    if len(table) < 2 * blocks:
        raise ValueError(f"{len(table)} rows are too few for {blocks} blocks; run longer")
    t = table["time_ps"].to_numpy()
    energy = table["total_energy_eV"].to_numpy()
    energy = 1e3 * (energy - energy[0]) / n_atoms
    line = linregress(_block_means(t, blocks), _block_means(energy, blocks))
    rest = energy - line.slope * t - line.intercept
    return {
        "drift_meV_per_atom_per_ps": float(line.slope),
        "error_meV_per_atom_per_ps": float(line.stderr),
        "fluctuation_meV_per_atom": float(np.sqrt(np.mean(rest**2))),
        "mean_temperature_K": float(table["temperature_K"].mean()),
        "duration_ps": float(t[-1] - t[0]),
    }


def _block_means(values: np.ndarray, blocks: int) -> np.ndarray:
    size = len(values) // blocks
    return np.asarray(values)[len(values) - size * blocks:].reshape(blocks, size).mean(axis=1)


# ---------------------------------------------------------------- constant pressure


def density(
    table: pd.DataFrame, temperature_K: float, *, skip_ps: float = 0.0, blocks: int = 5
) -> dict:
    """Mean density at one temperature of an NPT run, with an error from means over blocks.

    table: ``thermo.read`` of a run. Rows whose target is within 1 K count, without the first
    ``skip_ps`` of them. error_g_cm3 = standard deviation of the block means / sqrt(blocks); blocks
    shorter than the barostat's period make it too small, so duration_ps is returned beside it.

    Raises
    ------
    ValueError
        fewer than two rows a block are left.
    """
    rows = table[(table["target_temperature_K"] - temperature_K).abs() <= 1]
    rows = rows[rows["time_ps"] >= rows["time_ps"].min() + skip_ps]
    if len(rows) < 2 * blocks:
        raise ValueError(
            f"{len(rows)} rows at {temperature_K:g} K after the first {skip_ps:g} ps are too few "
            f"for {blocks} blocks; hold the temperature longer"
        )
    means = _block_means(rows["density_g_cm3"].to_numpy(), blocks)
    return {
        "density_g_cm3": float(means.mean()),
        "error_g_cm3": float(means.std(ddof=1) / np.sqrt(blocks)),
        "duration_ps": float(rows["time_ps"].iloc[-1] - rows["time_ps"].iloc[0]),
        "n": len(rows),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m helpers.validation volume reference ZIF-4``: make and keep one result."""
    makers = {
        "volume": lambda *of: volume_curve(relaxed_volumes(*of)),
        "labels": lambda *of: volume_curve(relaxed_volumes(*of, labelled=True)),
        "elastic": lambda *of: elastic_constants(*of, hessian=guess),
        "energy": energy_in_time,
        "curvature": curvature,
    }
    parser = argparse.ArgumentParser(prog="helpers.validation", description=__doc__)
    parser.add_argument("check", choices=makers)
    parser.add_argument("model", help="a potential, or: reference")
    parser.add_argument("structure", help="name of a cell in data/structures")
    parser.add_argument("--hessian", help="for elastic: what `curvature` wrote, of a similar model")
    options = parser.parse_args(argv)
    guess = np.load(options.hessian) if options.hessian else None
    made = makers[options.check](options.model, options.structure)
    print(made if isinstance(made, Path) else made.round(3).to_string())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
