"""Model deviations: LAMMPS' table read whole; those of saved frames against DeePMD-kit's own.

That LAMMPS' numbers are those of the potentials is tested in test_heating.
"""

import json
import math
import shutil
from dataclasses import replace

import ase.io
import numpy as np
import pandas as pd
import pytest
from lammps_dump import dump

from helpers import paths, provenance, structures
from helpers.frames import dataset
from helpers.md import heating, model_deviation, protocol, thermo, trajectory
from helpers.potentials import evaluation, store
from helpers.recipes import sets
from helpers.validation import ensemble

ENSEMBLE = ["split-block", "split-random"]  # the smallest nets that are shipped


@pytest.fixture
def run(tmp_path):
    """A run of two segments as LAMMPS leaves it: step 200 ends one and begins the other."""
    steps = np.arange(0, 500, 100)
    pd.DataFrame({c: np.zeros(5) for c in thermo.COLUMNS}).assign(
        step=steps, target_temperature_K=300.0 + steps
    ).to_csv(tmp_path / thermo.FILE, index=False)
    rows = [f"{s:12d} 1.0 0.0 0.5 {0.1 + s / 1000:18.6e} 0.0 {0.01:18.6e}" for s in steps]
    (tmp_path / model_deviation.FILE).write_text(
        "\n".join(["#       step  max_devi_v ...", *rows[:3], rows[2], *rows[3:]]) + "\n"
    )
    return tmp_path


def test_every_step_once(run):
    table = model_deviation.read(run)
    assert table["step"].tolist() == [0, 100, 200, 300, 400]
    assert table["target_temperature_K"].tolist() == [300, 400, 500, 600, 700]
    np.testing.assert_allclose(table["max_eV_per_A"], 0.1 + table["step"] / 1000)


def test_cut_off_and_truncated(run):
    file = run / model_deviation.FILE
    file.write_text(file.read_text()[:-9])  # half a row
    assert model_deviation.read(run)["step"].tolist() == [0, 100, 200, 300]
    model_deviation.truncate(file, 250)
    assert [x.split()[0] for x in model_deviation.whole_rows(file)] == ["0", "100", "200"]
    assert model_deviation.read(run)["step"].tolist() == [0, 100, 200]


def test_no_ensemble_and_damage(run, tmp_path):
    file = run / model_deviation.FILE
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines, lines[1]]).replace("         100", "         900", 1))
    with pytest.raises(ValueError, match="steps do not increase"):
        model_deviation.read(run)
    file.write_text("no table\n")
    with pytest.raises(ValueError, match="no table of 7 columns"):
        model_deviation.read(run)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="no ensemble"):
        model_deviation.read(run)


def rising(start=0.1, end=1.0):
    """Deviations that rise from ``start`` to ``end`` over 300-2100 K, with noise of 10 %."""
    T = np.linspace(300, 2100, 2000)
    noise = 1 + 0.1 * np.random.default_rng(1).standard_normal(2000)
    return pd.DataFrame(
        {"target_temperature_K": T, "max_eV_per_A": np.interp(T, [300, 2100], [start, end]) * noise}
    )


def test_where_the_run_leaves_what_is_known():
    found = ensemble.trust(rising(), 0.55)  # the line passes 0.55 at 1200 K
    assert abs(found.temperature_K - 1200) <= 50 and "above" in str(found)
    assert math.isnan((never := ensemble.trust(rising(), 5)).temperature_K)
    assert "up to the end (2100 K)" in str(never)
    assert "from the start" in str(ensemble.trust(rising(), 0.01))


def test_runs_are_judged_one_by_one_and_their_worst_atom_is_given_its_error():
    row = ensemble.of_runs({"a": rising()}, 0.55).iloc[0]
    assert row["above_limit_from_K"] == ensemble.trust(rising(), 0.55).temperature_K
    worst = rising().nlargest(1, "max_eV_per_A").iloc[0]
    assert row["worst_at_K"] == worst["target_temperature_K"] and row["to_K"] == 2100
    assert "worst_error_eV_per_A" not in row
    said = ensemble.Worth(0.9, 0.9, 0.5, 3.0, 5.0)
    row = ensemble.of_runs({"a": rising()}, 0.55, said).iloc[0]
    assert row["worst_error_eV_per_A"] == pytest.approx(3 * worst["max_eV_per_A"])
    assert "worst_error_eV_per_A" not in ensemble.of_runs(
        {"a": rising()}, 0.55, replace(said, r_max=0.5))  # fmt: skip


# --- afterwards, on saved frames ------------------------------------------------------------


@pytest.fixture
def saved(run, tmp_path, set_to):
    """That run, finished, with five frames of 68 atoms, some of which left the cell."""
    set_to(build=tmp_path / "build")
    (run / model_deviation.FILE).unlink()
    start, rng = structures.load("Znim2-ABW"), np.random.default_rng(2)
    cell = np.diag(start.cell.lengths())
    xyz = np.array(
        [
            start.get_scaled_positions() @ cell + rng.normal(0, 0.03 * i, (68, 3))
            for i in range(1, 6)
        ]
    )
    xyz[:, :9] += cell[1] - 2 * cell[2]
    (run / trajectory.FILE).write_text(
        dump([cell] * 5, xyz, start.get_chemical_symbols(), range(0, 500, 100))
    )
    provenance.write(run, kind="runs", recipe={"of": "a test"}, description="five frames")
    return run


def test_as_deepmd_kit_itself_has_it(saved, capsys):
    """deepmd.infer.calc_model_devi: norm over x, y, z of np.std, the mean subtracted, too."""
    from deepmd.infer import calc_model_devi

    table = ensemble.of_frames(saved, ENSEMBLE, 3)
    assert table["step"].tolist() == [0, 200, 400]
    assert table["target_temperature_K"].tolist() == [300, 500, 700]
    some = trajectory.read(saved)[[0, 2, 4]]
    wrapped = []
    for i in range(3):
        (atoms := some.atoms(i)).wrap()
        wrapped.append(atoms.positions)
    theirs = calc_model_devi(
        np.array(wrapped).reshape(3, -1),
        some.cells.reshape(3, 9),
        np.array([structures.TYPE_MAP.index(s) for s in some.symbols]),
        [store.check_potential(p) for p in ENSEMBLE],
    )
    np.testing.assert_allclose(table["max_eV_per_A"], theirs[:, 4], atol=1e-5)
    np.testing.assert_allclose(table["avg_eV_per_A"], theirs[:, 6], atol=1e-5)
    assert "[made]" in capsys.readouterr().out
    # the order of the potentials does not matter; nothing is evaluated again
    (saved / trajectory.FILE).unlink()
    pd.testing.assert_frame_equal(ensemble.of_frames(saved, ENSEMBLE[::-1], 3), table)
    assert "[reused]" in capsys.readouterr().out


def test_broken_off_and_continued(saved, monkeypatch, capsys):
    """What was evaluated is not evaluated again; a half row is."""
    whole = ensemble.of_frames(saved, ENSEMBLE, 5)
    kept = next(paths.made("validation").glob("deviation-*"))
    (kept / provenance.FILE).unlink()
    rows = (kept / "rows.csv").read_text().splitlines(keepends=True)
    (kept / "rows.csv").write_text("".join(rows[:3]) + rows[3][:-4])
    calls, spread = [], ensemble.spread
    monkeypatch.setattr(ensemble, "spread", lambda forces: calls.append(1) or spread(forces))
    pd.testing.assert_frame_equal(ensemble.of_frames(saved, ENSEMBLE, 5), whole)
    assert len(calls) == 3 and "[resumed]" in capsys.readouterr().out


def test_the_same_potential_twice(saved, tmp_path):
    """It agrees with itself, which is no ensemble."""
    frame = trajectory.read(saved)
    evaluate = ensemble._forces([ENSEMBLE[0], ENSEMBLE[0]], frame.symbols)
    assert (ensemble.spread(evaluate(frame.positions[0], frame.cells[0])) == 0).all()
    shutil.copy(store.load(ENSEMBLE[0]).file, tmp_path / "copy.pb")
    with pytest.raises(ValueError, match="name one potential twice"):
        ensemble.of_frames(saved, [ENSEMBLE[0], tmp_path / "copy.pb"], 3)
    with pytest.raises(ValueError, match="two at least"):
        ensemble.of_frames(saved, ENSEMBLE[:1], 3)


def test_what_cannot_be_compared(saved, tmp_path):
    from deepmd.tf.env import tf

    graph = tf.GraphDef()
    graph.ParseFromString(store.load(ENSEMBLE[0]).file.read_bytes())
    node = next(n for n in graph.node if n.name.endswith("model_attr/tmap"))
    node.attr["value"].tensor.string_val[0] = b"H C N Zn"
    (other := tmp_path / "other.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(store.BadPotential, match=r"type map \('H', 'C', 'N', 'Zn'\)"):
        ensemble.of_frames(saved, [ENSEMBLE[0], other], 3)
    (saved / trajectory.FILE).unlink()
    with pytest.raises(FileNotFoundError, match="no trajectory.lammpstrj"):
        ensemble.of_frames(saved, ENSEMBLE, 3)
    (saved / provenance.FILE).unlink()
    with pytest.raises(provenance.NoProvenance, match="missing or unfinished"):
        ensemble.of_frames(saved, ENSEMBLE, 3)


def test_beside_the_true_error(tmp_path, build, lennard_jones):
    """Labels that no potential knows: deviation and error are those that DeePMD-kit finds."""
    from deepmd.infer.model_devi import calc_model_devi_f

    images = lennard_jones(8, rattle=0.03)
    ase.io.write(tmp_path / "lj.extxyz", images)
    sets.pack(
        tmp_path / "lj.extxyz",
        "lj",
        directory=paths.made("frames", "lj"),
        description="Lennard-Jones",
        sampling={},
        level_of_theory="LJ",
        source="tests",
        n_blocks=4,
        validation_share=0.25,
        force_bound=1e3,
    )
    table = ensemble.calibrate(ENSEMBLE, ["lj"], 2)
    system = dataset.thinned(dataset.load("lj"), 2)
    forces = np.array([evaluation.predict(p, system).force for p in ENSEMBLE])
    largest, _, average = calc_model_devi_f(forces)
    np.testing.assert_allclose(table["max_eV_per_A"], largest, atol=1e-5)
    np.testing.assert_allclose(table["avg_eV_per_A"], average, atol=1e-5)
    largest, _, average = calc_model_devi_f(forces[:1], system["forces"])
    np.testing.assert_allclose(table["max_error_eV_per_A"], largest, rtol=1e-5)
    np.testing.assert_allclose(table["avg_error_eV_per_A"], average, rtol=1e-5)
    record = json.loads(next(tmp_path.glob(f"validation/*/{provenance.FILE}")).read_text())
    assert record["recipe"]["model"] == store.load(ENSEMBLE[0]).sha256
    assert set(record["inputs"]) == {"lj", *ENSEMBLE}


def test_a_run_with_an_ensemble_is_the_run_without(build):
    """Its forces are the same: who asks for the frames is given them, not a second run."""
    plain = protocol.HeatingRun("Znim2-ABW", ENSEMBLE[0], 300, 400, 100)
    (found := paths.made("runs", "compared")).mkdir(parents=True)
    provenance.write(
        found,
        kind="runs",
        description="compared",
        recipe=replace(plain, ensemble=ENSEMBLE[1:]).recipe(),
    )
    assert heating.run(plain).directory == found
    assert heating.find(replace(plain, seed=2)) is None


def test_summaries():
    table = pd.DataFrame(
        {
            "target_temperature_K": [300, 400, 900],
            "max_eV_per_A": [1.0, 3, 5],
            "avg_eV_per_A": [0.1, 0.3, 0.5],
            "element": ["H", "C", "H"],
        }
    )
    rows = ensemble.by_temperature(table)
    assert rows[["from_K", "to_K", "frames", "max_eV_per_A"]].values.tolist() == [
        [300, 600, 2, 2],
        [600, 900, 1, 5],
    ]
    assert rows["H_percent"].tolist() == [50, 100] and rows["Zn_percent"].tolist() == [0, 0]
    assert "H_percent" not in ensemble.by_temperature(table.drop(columns="element"))
    calibration = pd.DataFrame(
        {
            "set": ["a", "a", "b"],
            "max_eV_per_A": [1.0, 2, 4],
            "max_error_eV_per_A": [3.0, 6, 12],
            "avg_eV_per_A": [0.1, 0.3, 0.4],
            "avg_error_eV_per_A": [0.8, 0.4, 0.3],
            "correlation": [0.5, 0.7, 0.6],
        }
    )
    sets = ensemble.by_set(calibration)
    assert sets["frames"].tolist() == [2, 1] and sets["ratio"].tolist() == pytest.approx([3, 0.75])
    worth = ensemble.worth(calibration)
    assert worth.r_max == pytest.approx(1) and worth.r_avg < -0.9
    assert worth.r_atoms == pytest.approx(0.6) and worth.error_per_max == pytest.approx(3)
    assert "0.5 eV/Å stands for an error of about 1.5 eV/Å" in worth.of(0.5)
    assert "says nothing of the error" in replace(worth, r_max=0.69).of(0.5)
    assert "says nothing of the error" in replace(worth, r_max=float("nan")).of(0.5)
