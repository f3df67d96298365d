"""Points of P(V, T) from finished runs: a shipped one, and tables of known pressures."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from helpers import paths, provenance, units
from helpers.frames import correction
from helpers.md import thermo
from helpers.recipes import catalogue, volumes

BAR = units.EV_PER_A3_IN_BAR


@pytest.fixture
def no_runs(tmp_path, set_to):
    """This project without a finished run."""
    data = tmp_path / "data"
    (data / "runs").mkdir(parents=True)
    for shared in paths.DATA.iterdir():
        if shared.name != "runs":
            (data / shared.name).symlink_to(shared)
    set_to(data=data, build=tmp_path / "build")


def finish(name, pressure_bar, scatter_bar=400.0, drift_bar=0.0):
    """A finished run whose pressures scatter independently about a mean."""
    plan = catalogue.run_recipe(name)
    folder = provenance.directory("runs", plan.name, plan.recipe())
    folder.mkdir(parents=True, exist_ok=True)
    last, every = plan.total_steps, plan.steps(plan.thermo_every_ps)
    step = np.arange(every, last + 1, every)
    rng = np.random.default_rng(int(plan.volume_A3_per_atom * 10 + plan.temperature_start_K))
    n = 272 * int(np.prod(plan.supercell))
    time = step * plan.timestep_fs / 1000
    table = pd.DataFrame(0.0, index=range(len(step)), columns=list(thermo.COLUMNS)).assign(
        step=step, time_ps=time, segment=(time > plan.equilibration_ps + 1e-6).astype(int),
        target_temperature_K=plan.temperature_start_K, volume_A3=n * plan.volume_A3_per_atom,
        density_g_cm3=19.4894 / plan.volume_A3_per_atom,
        pressure_bar=pressure_bar + rng.normal(0, scatter_bar, len(step)) + drift_bar * time,
    )  # fmt: skip
    table.to_csv(folder / thermo.FILE, index=False)
    provenance.write(
        folder, kind="runs", recipe=plan.recipe(), description=name, structure=plan.structure,
        potential=plan.potential, steps=last, exploded="", atoms=n, seconds=1.0,
    )  # fmt: skip


def test_a_group_stands_for_its_runs_and_what_is_not_there_is_said(no_runs):
    assert len(catalogue.spelt_out(["volumes"])) == 68
    assert catalogue.spelt_out(["", "nvt-1200K", "nvt-1200K"]) == ["nvt-1200K"]
    table, missing = volumes.points(["volumes"], "ZIF-4", "round-5")
    assert table.empty and missing == "68 are of another structure or potential and left out"
    none, missing = volumes.points([], "ZIF-4", "atp")
    assert none.empty and not missing and volumes.curves(none) == {}
    with pytest.raises(catalogue.BadRecipe, match="volume-14.5-301K"):
        volumes.points(["volume-14.5-301K"], "ZIF-4", "atp")


def test_the_pressure_of_a_shipped_run(build):
    table, missing = volumes.points(["nvt-1200K"], "ZIF-4", "atp")
    assert not missing
    row = table.iloc[0]
    assert (row["n_atoms"], row["temperature_K"]) == (272, 1200.0)
    assert row["volume_A3"] == pytest.approx(16.0784, abs=1e-3)
    assert row["pressure_bar"] == pytest.approx(670, abs=1) and 300 < row["error_bar"] < 1600
    assert row["moved"] == 0 and row["refused"] == ""


def test_isotherms_of_known_pressures_with_and_without_correction(no_runs):
    """P = 0.03 eV/A^3 (16 + T / 1000 - V), at two temperatures; a run that drifts is not used."""
    for T in (300, 900):
        for V in ("14.5", "15.3", "16.1", "16.9", "17.7", "18.5"):
            true = 0.03 * (16 + T / 1000 - float(V)) * BAR / 100
            finish(f"volume-{V}-{T}K", true, drift_bar=300.0 * ((V, T) == ("18.5", 900)))
    table, missing = volumes.points(["volumes"], "ZIF-4", "atp")
    assert missing.startswith("56 of 68 runs are not computed yet (volume-19.5-300K")
    refused = table[table["refused"] != ""]
    assert list(refused["name"]) == ["volume-18.5-900K"]
    off = table["pressure_bar"] - 0.03 * (16 + table["temperature_K"] / 1000
                                          - table["volume_A3"]) * BAR / 100  # fmt: skip
    pulls = (off / table["error_bar"])[table["refused"] == ""]
    assert pulls.abs().max() < 5 and 0.4 < pulls.std() < 2
    assert table["error_bar"].median() == pytest.approx(400 / 200**0.5, rel=0.4)
    assert table["moved"].isna().all()  # nothing was saved of the atoms
    found = volumes.curves(table)
    assert list(found) == [272] and [len(c.volumes_A3) for c in found[272]] == [6, 5]
    both = volumes.variants(found[272], "ZIF-4", "atp")
    assert list(both) == ["corrected", "uncorrected"]  # atp's labels were corrected
    law = correction.laws()["ZIF-4"]
    less = both["uncorrected"][0].pressures_bar - both["corrected"][0].pressures_bar
    np.testing.assert_allclose(less, -1e4 * law.pressure(found[272][0].volumes_A3))
    assert less.mean() == pytest.approx(1400, abs=150)  # DFT presses less, by 0.14 GPa
    law_of_frames = np.column_stack([np.full(6, 100.0), np.full((6, 2), [150.0, 50.0])])
    moved = SimpleNamespace(pressure_bar=lambda V, T: law_of_frames[: len(V)])
    three = volumes.variants(found[272], "ZIF-4", "atp", moved)
    assert list(three) == [volumes.BY_REFERENCE, "corrected", "uncorrected"]
    own, best = three["corrected"][0], three[volumes.BY_REFERENCE][0]
    np.testing.assert_allclose(best.pressures_bar - own.pressures_bar, 100)
    np.testing.assert_allclose(best.shared_bar, [[50, -50]] * 6)
    # and the work of that pressure is the energy of the law
    work = both["uncorrected"][0].free_energy_eV(18.5) - both["corrected"][0].free_energy_eV(18.5)
    of_law = (law.energy(18.5) - law.energy(14.5))[0] / 1000
    assert work == pytest.approx(-of_law, rel=1e-3)
    assert list(volumes.variants(found[272], "ZIF-4", "round-5")) == ["uncorrected", "corrected"]
    assert list(volumes.variants(found[272], "glass01", "atp")) == ["as it is"]
