"""The benchmark of molecular dynamics: real steps of every engine that is at hand."""

import json
import os
import shutil
from importlib.util import find_spec

import pytest

from helpers import provenance, settings
from helpers.benchmarks import md as md_cost
from helpers.benchmarks import record
from helpers.md import kernels
from helpers.potentials import conversion


@pytest.fixture
def build(tmp_path, set_to, monkeypatch):
    set_to(build=tmp_path)
    monkeypatch.setattr(md_cost, "STRUCTURE", "Znim2-ABW")
    return tmp_path


def test_measures_once_and_goes_on(build, capfd):
    rows = [md_cost.Setting("uncompressed"), md_cost.Setting("uncompressed", supercell=(1, 1, 2))]
    file = md_cost.measure(seconds=2, chosen=rows[:1])
    before = json.loads(file.read_text())["rows"]
    assert md_cost.measure(seconds=4, chosen=rows) == file
    assert "[reused]" in capfd.readouterr().out
    measured = record.read("md", file)
    assert measured["rows"][:1] == before and measured["hardware"]["processor"]
    assert not file.with_suffix("").exists()
    table = record.md_table(measured)
    assert table["atoms"].tolist() == [68, 136]
    assert (table["s_per_step"] > 0).all() and table["speed_up"].tolist() == [1, 1]
    row = table.iloc[0]  # 0.5 fs a step
    assert row["ns_per_day"] == pytest.approx(0.5e-6 * 86400 / row["s_per_step"])


def test_rows_of_other_versions_are_measured_again_and_others_stay(build, monkeypatch, capfd):
    monkeypatch.setattr(md_cost, "_time", lambda *of: {"s_per_step": next(times)})
    times = iter([1.0, 2.0, 3.0])
    deep, nequip = md_cost.Setting("uncompressed"), md_cost.Setting("NequIP")
    file = md_cost.measure(chosen=[deep, nequip])
    monkeypatch.setattr(provenance, "versions", lambda: {"python": "another"})
    for _ in range(2):
        md_cost.measure(chosen=[deep])
    rows = record.read("md", file)["rows"]
    assert [row["s_per_step"] for row in rows] == [3.0, 2.0]
    assert [row["versions"] == {"python": "another"} for row in rows] == [True, False]
    assert capfd.readouterr().out.count("[reused]") == 1


def test_what_is_absent_says_why(set_to, monkeypatch):
    set_to(reaxff=None)
    rows, absent = md_cost.settings(cores=2)
    assert "ZIF4_REAXFF" in absent["ReaxFF"] and "--cp2k" in absent["CP2K"]
    for name in conversion.BACKENDS:
        assert (name in absent) != (name in {row.engine for row in rows})
    assert not {"ReaxFF", "CP2K"} & {row.engine for row in rows}
    fast = "native" if kernels.library() else "compressed"
    assert [(r.ranks, r.threads) for r in rows if r.engine == fast] == [
        (1, 1),
        (1, 2),
        (2, 1),
        (1, 1),
        (2, 1),
        *[(1, 1)] * (fast == "native"),  # eight cells
    ]
    assert ("fused" in absent) != ("fused" in {row.engine for row in rows})
    assert md_cost.Setting(fast, 2, 1, (1, 1, 2)) in rows  # weak scaling
    monkeypatch.setattr(kernels, "library", lambda: None)
    rows, absent = md_cost.settings(cores=1)
    assert "native" in absent and [row.engine for row in rows][:2] == ["compressed", "uncompressed"]


@pytest.mark.skipif(
    not settings.current().reaxff,
    reason="no ReaxFF parameters: $ZIF4_REAXFF names their folder",
)
def test_reaxff(build):
    row = md_cost._time(md_cost.Setting("ReaxFF"), "atp", 2)
    assert row["atoms"] == 68 and row["s_per_step"] > 0


@pytest.mark.skipif(
    not (find_spec("nequip") and os.environ.get("ZIF4_REFERENCE")),
    reason="nequip or $ZIF4_REFERENCE is missing",
)
def test_nequip(build):
    assert md_cost._time(md_cost.Setting("NequIP"), "atp", 1)["s_per_step"] > 0


@pytest.mark.skipif(
    not (shutil.which(md_cost.first_principles.PROGRAM) and os.environ.get("ZIF4_SLOW")),
    reason="CP2K takes minutes: ZIF4_SLOW=1 asks for it",
)
def test_cp2k(build):
    assert md_cost._time(md_cost.Setting("CP2K"), "atp", 1)["steps"] == 1


def test_nothing_measured(build):
    with pytest.raises(FileNotFoundError, match="make bench-md"):
        record.read("md", build / "none.json")
