"""Checks of a potential: a nearest-neighbour crystal, whose answers are known in closed form.

Atoms of an fcc crystal that see their 12 nearest neighbours through phi(r) alone, at the minimum
r0 of phi: with k = phi''(r0), a = sqrt(2) r0 and a^3/4 an atom,

    C11 = 2 k / a,   C12 = C44 = k / a,   B = 4 k / (3 a),   V0 = a^3 / 4
"""

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones

from helpers import frames, paths, provenance, reference, structures, validation

SIGMA, EPSILON = 2.0, 1.0
R0 = 2 ** (1 / 6) * SIGMA
A = np.sqrt(2) * R0
K_GPA = 72 * EPSILON / (2 ** (1 / 3) * SIGMA**2) / A * validation._GPA  # k / a


class Springs(LennardJones):
    """Lennard-Jones that ends between the first and the second shell."""

    def __init__(self, **changes):
        super().__init__(sigma=SIGMA, epsilon=EPSILON, rc=1.25 * R0, **changes)


def crystal(rattle=0.0):
    atoms = bulk("Ar", "fcc", a=A, cubic=True)
    atoms.rattle(rattle, seed=3)
    return atoms


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    strains = validation.volume_strains((-6, -4, -2, 0, 2, 4, 6))
    file = tmp_path_factory.mktemp("volumes") / "relaxed.extxyz"
    return validation.relax_cells(crystal(0.05), Springs(), strains, file, fmax=1e-4, steps=200)


def test_volume_curve_of_springs(volumes):
    """A rattled start relaxes to the crystal, 6 phi(r) an atom at every volume."""
    table = validation.volume_curve(volumes)
    r = (table["volume_A3"] ** (1 / 3) / np.sqrt(2)).to_numpy()
    phi = 4 * EPSILON * ((SIGMA / r) ** 12 - (SIGMA / r) ** 6)
    expected = 6e3 * (phi - phi[3])
    assert table["energy_meV_per_atom"].to_numpy() == pytest.approx(expected, abs=0.01)
    assert table["volume_percent"].round(6).tolist() == [-6, -4, -2, 0, 2, 4, 6]
    assert (table["force_max_eV_per_A"] < 1e-4).all()


def test_pressure_is_minus_the_slope_of_the_energy(volumes):
    table = validation.volume_curve(volumes)
    slope = np.gradient(table["energy_eV"], table["volume_A3"], edge_order=2)
    assert table["pressure_GPa"].iloc[0] > 0 > table["pressure_GPa"].iloc[-1]
    inner = slice(1, -1)
    assert table["pressure_GPa"][inner].to_numpy() == pytest.approx(
        -slope[inner] * validation._GPA, abs=0.05 * table["pressure_GPa"].max()
    )


def test_equation_of_state_of_springs(volumes):
    table = validation.volume_curve(volumes)
    fit = validation.equation_of_state(table["volume_A3"], table["energy_eV"])
    assert fit["volume_A3"] == pytest.approx(A**3, rel=1e-4)
    assert fit["bulk_modulus_GPa"] == pytest.approx(4 / 3 * K_GPA, rel=0.01)
    beside = validation.equations_of_state({"all": table, "one side": table[:5]}, 6)
    assert beside.loc["B (GPa)", "all"] == fit["bulk_modulus_GPa"]
    assert abs(beside.loc["V0 (% from the cell)", "all"]) < 0.01


@pytest.mark.parametrize(
    "volume, message", [((1, 2, 3), "3 volumes"), (range(10, 16), "no minimum among 10")]
)
def test_equation_of_state_that_cannot_be_fitted(volume, message):
    volume = np.array(volume, float)
    with pytest.raises(ValueError, match=message):
        validation.equation_of_state(volume, (volume - 30) ** 2)


def test_elastic_constants_of_springs(tmp_path):
    step = 0.002
    relaxed = validation.relax_cells(
        crystal(0.02), Springs(), validation.shear_and_stretch(step), tmp_path / "r.extxyz",
        fmax=1e-5, steps=300,
    )  # fmt: skip
    matrix = validation.elastic_matrix(relaxed, step)
    c = validation.elastic_summary(matrix)
    for name, expected in {"C11": 2, "C22": 2, "C33": 2, "C12": 1, "C13": 1, "C23": 1,
                           "C44": 1, "C55": 1, "C66": 1, "bulk_voigt": 4 / 3,
                           "bulk_reuss": 4 / 3, "softest": 1}.items():  # fmt: skip
        assert c[name] == pytest.approx(expected * K_GPA, rel=0.01), name
    assert c["asymmetry"] < 0.005 * K_GPA


def test_a_hessian_of_springs_and_the_steps_it_saves(kept_elsewhere, monkeypatch, tmp_path):
    """The cubic cell of fcc has Gamma and three X: 8 k lengthwise, 4 k across (cos q R = -1)."""
    monkeypatch.setattr(validation, "calculator", lambda *of: Springs())
    monkeypatch.setattr(structures, "load", lambda name: crystal(0.05))
    hessian = np.load(validation.curvature("atp", "Znim2-ABW", fmax=1e-6))
    k = K_GPA * A / validation._GPA
    assert np.linalg.eigvalsh(hessian) == pytest.approx(
        sorted([4 * k] * 6 + [8 * k] * 3 + [100] * 3),
        rel=0.01)
    found = {}
    for name, guess in (("without", None), ("with", hessian)):
        found[name] = validation.relax_cells(
            crystal(0.05), Springs(), [np.zeros((3, 3))], tmp_path / f"{name}.extxyz", fmax=1e-5,
            steps=100, hessian=guess)[0]
    assert found["with"].get_potential_energy() == pytest.approx(
        found["without"].get_potential_energy(), abs=1e-6)
    assert found["with"].info["relaxation_steps"] < found["without"].info["relaxation_steps"]


def test_relaxations_broken_off_go_on(tmp_path):
    """A file that a kill cut off in its second frame: the first is kept, none is doubled."""
    strains = validation.volume_strains((0, 2, -2))
    whole = validation.relax_cells(
        crystal(0.05), Springs(), strains, tmp_path / "whole.extxyz", fmax=1e-3, steps=100)
    text = (tmp_path / "whole.extxyz").read_text().splitlines(keepends=True)
    cut = tmp_path / "cut.extxyz"
    cut.write_text("".join(text[:9]) + text[9][:20])

    class Counting(Springs):
        cells = set()

        def calculate(self, atoms=None, *arguments):
            self.cells.add(round(atoms.get_volume(), 3))
            super().calculate(atoms, *arguments)

    again = validation.relax_cells(crystal(0.05), Counting(), strains, cut, fmax=1e-3, steps=100)
    assert len(again) == 3 and len(Counting.cells) == 2
    for a, b in zip(whole, again, strict=True):
        assert a.get_potential_energy() == pytest.approx(b.get_potential_energy(), abs=1e-6)
    assert len(validation.sampling.whole_frames(cut)) == 3


def test_a_potential_that_says_nan_is_refused(tmp_path):
    class Broken(Springs):
        def calculate(self, *arguments):
            super().calculate(*arguments)
            self.results["stress"] = np.full(6, np.nan)

    with pytest.raises(FloatingPointError, match="not finite"):
        validation.relax_cells(crystal(), Broken(), validation.volume_strains((0,)),
                               tmp_path / "r.extxyz", fmax=1e-3, steps=3)


def sheared():
    atoms = crystal(0.1)
    strain = [[0.01, 0.02, 0.01], [0, -0.01, 0.01], [0, 0, 0]]
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return atoms


def test_stress_is_the_derivative_of_the_energy():
    smooth = LennardJones(sigma=SIGMA, epsilon=EPSILON, rc=5.0, smooth=True)
    table = validation.stress_by_differences(sheared(), smooth)
    size = table["stress_GPa"].abs().max()
    assert size > 1 and table["error_GPa"].abs().max() < 1e-3 * size


@pytest.mark.parametrize("wrong", [-1.0, 2.0, [1, 1, 1, 2, 2, 2]])
def test_a_wrong_virial_is_seen(wrong):
    """Sign, a factor, or shear counted twice."""

    class Wrong(LennardJones):
        def calculate(self, *arguments):
            super().calculate(*arguments)
            self.results["stress"] = self.results["stress"] * np.array(wrong)

    smooth = Wrong(sigma=SIGMA, epsilon=EPSILON, rc=5.0, smooth=True)
    table = validation.stress_by_differences(sheared(), smooth)
    assert table["error_GPa"].abs().max() > 0.02 * table["stress_GPa"].abs().max()


# ---------------------------------------------------------------- constant energy

DYNAMICS = {"temperature_K": 300, "equilibration_ps": 0.1, "duration_ps": 0.4, "timestep_fs": 2.0,
            "seed": 4, "save_every": 30}  # fmt: skip


def soft():
    return LennardJones(sigma=3.4, epsilon=0.05, rc=5.5, smooth=True)


def argon():
    return bulk("Ar", "fcc", a=5.25, cubic=True)


def test_verlet_conserves_the_energy_of_argon(tmp_path):
    table = validation.constant_energy(argon(), soft(), tmp_path, **DYNAMICS)
    drift = validation.energy_drift(table, 4)
    assert len(table) == 200 and table["time_ps"].iloc[-1] == pytest.approx(0.4)
    assert drift["fluctuation_meV_per_atom"] < 0.2
    slope, error = drift["drift_meV_per_atom_per_ps"], drift["error_meV_per_atom_per_ps"]
    assert abs(slope) < max(0.1, 4 * error)
    kinetic = table["total_energy_eV"] - table["potential_energy_eV"]
    assert kinetic.std() > 20 * table["total_energy_eV"].std(), "nothing moved"


def test_forces_that_are_no_gradient_make_the_energy_drift(tmp_path):
    class Swirl(LennardJones):
        def calculate(self, atoms=None, *arguments):
            super().calculate(atoms, *arguments)
            if atoms.get_momenta().any():  # along the momenta: the force feeds the motion
                self.results["forces"] = self.results["forces"] + 0.01 * atoms.get_velocities()

    wrong = Swirl(sigma=3.4, epsilon=0.05, rc=5.5, smooth=True)
    drift = validation.energy_drift(
        validation.constant_energy(argon(), wrong, tmp_path, **DYNAMICS), 4)
    slope, error = drift["drift_meV_per_atom_per_ps"], drift["error_meV_per_atom_per_ps"]
    assert slope > 0.5 and slope > 5 * error


def test_dynamics_broken_off_go_on_along_the_same_trajectory(tmp_path):
    class Killed(LennardJones):
        calls = 0

        def calculate(self, *arguments):
            Killed.calls += 1
            if Killed.calls == 110:
                raise KeyboardInterrupt
            super().calculate(*arguments)

    (tmp_path / "whole").mkdir(), (tmp_path / "broken").mkdir()
    whole = validation.constant_energy(argon(), soft(), tmp_path / "whole", **DYNAMICS)
    killed = Killed(sigma=3.4, epsilon=0.05, rc=5.5, smooth=True)
    with pytest.raises(KeyboardInterrupt):
        validation.constant_energy(argon(), killed, tmp_path / "broken", **DYNAMICS)
    again = validation.constant_energy(argon(), soft(), tmp_path / "broken", **DYNAMICS)
    pd.testing.assert_frame_equal(whole, again, atol=1e-9, rtol=1e-9)


def test_a_structure_that_flies_apart_is_said(tmp_path):
    squeezed = bulk("Ar", "fcc", a=3.9, cubic=True)
    squeezed.rattle(0.3, seed=1)
    with pytest.raises(validation.Unphysical, match="K at step .* of a run meant for 300 K"):
        validation.constant_energy(squeezed, soft(), tmp_path, **DYNAMICS)


def test_the_drift_of_a_known_line_lies_within_its_error():
    """50 lines of slope 0.3 meV/atom/ps in correlated noise: the error is that of the slopes."""
    rng = np.random.default_rng(5)
    time = np.arange(1, 1601) * 5e-4
    found = []
    for _ in range(50):
        noise = np.convolve(rng.normal(size=1620), np.ones(21) / 21, mode="valid")
        energy = -6e4 + 272e-3 * (0.3 * time + 0.1 * noise)
        table = pd.DataFrame(
            {"time_ps": time, "temperature_K": 1200.0, "total_energy_eV": energy}
        )
        found.append(validation.energy_drift(table, 272))
    slopes = np.array([f["drift_meV_per_atom_per_ps"] for f in found])
    errors = np.array([f["error_meV_per_atom_per_ps"] for f in found])
    assert slopes.mean() == pytest.approx(0.3, abs=4 * slopes.std() / 7)
    assert errors.mean() == pytest.approx(slopes.std(), rel=0.35)
    with pytest.raises(ValueError, match="20 rows are too few for 16 blocks"):
        validation.energy_drift(table[:20], 272)


# ---------------------------------------------------------------- density


def test_density_and_its_error():
    rng = np.random.default_rng(6)
    held = pd.DataFrame({"time_ps": np.arange(500) * 0.1, "target_temperature_K": 300.0,
                         "density_g_cm3": 1.2 + 0.01 * rng.normal(size=500)})  # fmt: skip
    held.loc[:99, "density_g_cm3"] = 1.5  # before it settled
    hot = held.assign(time_ps=held["time_ps"] + 50, target_temperature_K=600.0, density_g_cm3=0.9)
    found = validation.density(pd.concat([held, hot]), 300, skip_ps=10, blocks=20)
    assert found["n"] == 400 and found["duration_ps"] == pytest.approx(39.9)
    assert found["density_g_cm3"] == pytest.approx(1.2, abs=4 * found["error_g_cm3"])
    assert found["error_g_cm3"] == pytest.approx(0.01 / np.sqrt(400), rel=0.5)
    with pytest.raises(ValueError, match="0 rows at 900 K"):
        validation.density(held, 900)


# ---------------------------------------------------------------- kept results of real models


@pytest.fixture
def kept_elsewhere(tmp_path, monkeypatch):
    """What is kept goes to a fresh build/, where the tables of dp compress are those at hand."""
    (paths.BUILD / "compressed").mkdir(parents=True, exist_ok=True)
    (tmp_path / "compressed").symlink_to(paths.BUILD / "compressed")
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    monkeypatch.setattr(provenance, "find", lambda kind, recipe, find=provenance.find: next(
        (d for d in [find(kind, recipe)] if d and d.is_relative_to(tmp_path)), None))


def test_a_real_potential_kept_and_reused(kept_elsewhere, capsys):
    options = {"percent": (0, 3), "fmax": 0.3, "steps": 5}
    first = validation.volume_curve(validation.relaxed_volumes("atp", "Znim2-ABW", **options))
    assert "[made]" in capsys.readouterr().out
    again = validation.volume_curve(validation.relaxed_volumes("atp", "Znim2-ABW", **options))
    assert "[reused]" in capsys.readouterr().out
    pd.testing.assert_frame_equal(first, again)
    table = validation.stress_by_differences(
        frames.load("abw_0300_1500", "validation").to_ase_structure()[-1],
        validation.calculator("atp"), step=2e-3)
    assert table["error_GPa"].abs().max() < 0.02 * table["stress_GPa"].abs().max() + 0.02


def test_zero_percent_is_needed():
    with pytest.raises(ValueError, match="lacks 0"):
        validation.relaxed_volumes("atp", "ZIF-4", percent=(-2, 2))


def test_without_nequip_the_reference_says_so(kept_elsewhere, monkeypatch, capsys):
    monkeypatch.setattr(validation.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(reference.ReferenceUnavailable, match="nequip is not installed"):
        validation.relaxed_volumes("reference", "Znim2-ABW", percent=(0, 1))

    def measure(model, structure):
        return validation.calculator(model) if model == "reference" else structure

    assert validation.beside_reference(measure, "atp", "Znim2-ABW") == {"atp": "Znim2-ABW"}
    assert "nequip is not installed" in capsys.readouterr().out


def test_atoms_are_left_as_they_were(tmp_path):
    start = crystal(0.05)
    before = start.copy()
    validation.relax_cells(start, Springs(), validation.volume_strains((0, 1)),
                           tmp_path / "r.extxyz", fmax=1e-3, steps=20)
    assert isinstance(start, Atoms) and np.array_equal(start.positions, before.positions)
