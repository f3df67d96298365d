"""Models of everything beside CP2K: signs, slopes and zeros where the error is known."""

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from helpers.errors import NotThere
from helpers.frames import cp2k
from helpers.validation import universal


def _frames(volumes, scale=1.0, added_eV_per_A3=0.0, zero_eV=0.0):
    """Rattled copper with labels of EMT; a model that gives EMT has then a known error."""
    frames = []
    for i, strain in enumerate(volumes):
        atoms = bulk("Cu", cubic=True).repeat(2)
        atoms.set_cell(atoms.cell * strain, scale_atoms=True)
        atoms.rattle(0.05, seed=i)
        atoms.calc = EMT()
        volume = atoms.get_volume()
        energy = atoms.get_potential_energy() + zero_eV + added_eV_per_A3 * volume
        stress = atoms.get_stress() + added_eV_per_A3 * np.array([1, 1, 1, 0, 0, 0])
        label = SinglePointCalculator(
            atoms, energy=energy, forces=atoms.get_forces() / scale, stress=stress
        )
        atoms = atoms.copy()
        atoms.calc = label
        atoms.info["name"] = f"frame{i}"
        frames.append(atoms)
    return frames


def test_a_soft_model_has_a_slope_below_one_and_no_zero_of_its_own_counts():
    frames = _frames([0.98, 1.0, 1.02], scale=0.8, zero_eV=-1000.0)
    found = universal.summary(pd.DataFrame([universal.against(f, EMT()) for f in frames]))
    assert found["force_slope"] == pytest.approx(0.8)
    assert found["energy_slope_meV_per_A3"] == pytest.approx(0, abs=1e-6)
    assert found["energy_scatter_meV_per_atom"] == pytest.approx(0, abs=1e-6)
    assert found["pressure_off_GPa"] == pytest.approx(0, abs=1e-9)
    wanted = np.sqrt(np.mean([np.mean(f.get_forces() ** 2) for f in frames])) * 0.2
    assert found["force_rmse_eV_per_A"] == pytest.approx(wanted)


def test_the_slope_of_the_energy_is_the_pressure_that_is_added():
    """Labels are EMT plus a V: the model lacks it, with a slope of -a and a pressure of +a."""
    a = 0.01  # eV/A^3
    frames = _frames([0.97, 1.0, 1.03, 1.05], added_eV_per_A3=a)
    found = universal.summary(pd.DataFrame([universal.against(f, EMT()) for f in frames]))
    assert found["energy_slope_meV_per_A3"] == pytest.approx(-1e3 * a)
    assert found["pressure_off_GPa"] == pytest.approx(a * 160.2177, rel=1e-5)


def test_what_is_not_installed_is_said_with_its_remedy(monkeypatch):
    monkeypatch.setattr(universal.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotThere, match=r"needs sevenn, .*pip install 'zif4-melting\[universal\]'"):
        universal.calculator("SevenNet-l3i5 + D3")


def test_shipped_results_are_of_the_shipped_frames():
    shipped = universal.kept("ZIF-4")
    assert set(shipped) == set(universal.MODELS)
    cells = {a.info["name"]: a.get_volume() / len(a) for a in cp2k.read("ZIF-4")}
    for rows in shipped.values():
        assert rows["name"].is_unique and len(rows) >= 15
        known = rows["name"].map(cells)
        np.testing.assert_allclose(rows["volume_A3_per_atom"], known, rtol=1e-6)
        assert (rows["seconds"] > 0).all()


def test_a_frame_that_was_done_is_not_done_again(tmp_path):
    frames = _frames([1.0, 1.01])
    file = tmp_path / universal.FILE
    universal._each_frame(frames[:1], EMT(), file)
    first = file.read_text()
    universal._each_frame(frames, EMT(), file)
    assert file.read_text().startswith(first)
    assert list(universal.read(tmp_path)["name"]) == ["frame0", "frame1"]


def test_models_and_a_potential_are_compared_on_the_frames_that_all_have():
    table = universal.side_by_side("round-8")
    assert list(table.index) == [*universal.MODELS, "round-8"]
    assert table["frames"].nunique() == 1 and table["frames"].iloc[0] >= 15
    assert table.loc["round-8", "force_slope"] == pytest.approx(1, abs=0.05)
