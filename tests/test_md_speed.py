"""The benchmark of molecular dynamics: real steps of every engine that is at hand."""

import json
import os
import shutil
from importlib.util import find_spec

import pytest

from helpers import backends, kernels, md_speed, paths, provenance, reaxff


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    monkeypatch.setattr(md_speed, "STRUCTURE", "Znim2-ABW")
    return tmp_path


def test_measures_once_and_goes_on(build, capfd):
    rows = [md_speed.Setting("uncompressed"), md_speed.Setting("uncompressed", supercell=(1, 1, 2))]
    file = md_speed.measure(seconds=2, chosen=rows[:1])
    before = json.loads(file.read_text())["rows"]
    assert md_speed.measure(seconds=4, chosen=rows) == file
    assert "[reused]" in capfd.readouterr().out
    record = md_speed.read(file)
    assert record["rows"][:1] == before and record["hardware"]["processor"]
    assert not file.with_suffix("").exists()
    table = md_speed.table(record)
    assert table["atoms"].tolist() == [68, 136]
    assert (table["s_per_step"] > 0).all() and table["speed_up"].tolist() == [1, 1]
    row = table.iloc[0]  # 0.5 fs a step
    assert row["ns_per_day"] == pytest.approx(0.5e-6 * 86400 / row["s_per_step"])


def test_rows_of_other_versions_are_measured_again_and_others_stay(build, monkeypatch, capfd):
    monkeypatch.setattr(md_speed, "_time", lambda *of: {"s_per_step": next(times)})
    times = iter([1.0, 2.0, 3.0])
    deep, nequip = md_speed.Setting("uncompressed"), md_speed.Setting("NequIP")
    file = md_speed.measure(chosen=[deep, nequip])
    monkeypatch.setattr(provenance, "versions", lambda: {"python": "another"})
    for _ in range(2):
        md_speed.measure(chosen=[deep])
    rows = md_speed.read(file)["rows"]
    assert [row["s_per_step"] for row in rows] == [3.0, 2.0]
    assert [row["versions"] == {"python": "another"} for row in rows] == [True, False]
    assert capfd.readouterr().out.count("[reused]") == 1


def test_what_is_absent_says_why(monkeypatch):
    monkeypatch.delenv(reaxff.VARIABLE, raising=False)
    rows, absent = md_speed.settings(cores=2)
    assert "ZIF4_REAXFF" in absent["ReaxFF"] and "--cp2k" in absent["CP2K"]
    for name in backends.BACKENDS:
        assert (name in absent) != (name in {row.engine for row in rows})
    assert not {"ReaxFF", "CP2K"} & {row.engine for row in rows}
    fast = "native" if kernels.library() else "compressed"
    assert [(r.ranks, r.threads) for r in rows if r.engine == fast] == [
        (1, 1), (1, 2), (2, 1), (1, 1), (2, 1)]
    assert md_speed.Setting(fast, 2, 1, (1, 1, 2)) in rows  # weak scaling
    monkeypatch.setattr(kernels, "library", lambda: None)
    rows, absent = md_speed.settings(cores=1)
    assert "native" in absent and [row.engine for row in rows][:2] == ["compressed", "uncompressed"]


@pytest.mark.skipif(not os.environ.get(reaxff.VARIABLE),
                    reason="no ReaxFF parameters: $ZIF4_REAXFF names their folder")
def test_reaxff(build):
    row = md_speed._time(md_speed.Setting("ReaxFF"), "atp", 2)
    assert row["atoms"] == 68 and row["s_per_step"] > 0


@pytest.mark.skipif(not (find_spec("nequip") and os.environ.get("ZIF4_REFERENCE")),
                    reason="nequip or $ZIF4_REFERENCE is missing")
def test_nequip(build):
    assert md_speed._time(md_speed.Setting("NequIP"), "atp", 1)["s_per_step"] > 0


@pytest.mark.skipif(not (shutil.which(md_speed.dft.PROGRAM) and os.environ.get("ZIF4_SLOW")),
                    reason="CP2K takes minutes: ZIF4_SLOW=1 asks for it")
def test_cp2k(build):
    assert md_speed._time(md_speed.Setting("CP2K"), "atp", 1)["steps"] == 1


def test_nothing_measured(build):
    with pytest.raises(FileNotFoundError, match="make bench-md"):
        md_speed.read(build / "none.json")
