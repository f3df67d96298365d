"""Keys, hashes, finding results again, and one process at a time."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from helpers import paths, provenance, settings


@pytest.fixture
def build(set_to, tmp_path):
    set_to(build=tmp_path / "build", data=tmp_path / "data")
    return tmp_path


def make(recipe, name="thing"):
    directory = provenance.directory("runs", name, recipe)
    directory.mkdir(parents=True)
    provenance.write(directory, kind="runs", recipe=recipe, description="a thing", seconds=1.23)
    return directory


def test_key_depends_on_content_not_on_order_or_type():
    key = provenance.key({"a": 1, "b": [1.0, 2.0]})
    assert key == provenance.key({"b": np.array([1.0, 2.0]), "a": np.int64(1)})
    assert key != provenance.key({"a": 1, "b": [1.0, 2.1]})
    assert len(key) == 12


def test_a_file_is_hashed_once_until_it_is_written_again_under_whatever_date(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "_YOUNG_NS", 0)
    file = tmp_path / "model.pb"
    file.write_bytes(b"123")
    date = file.stat().st_mtime_ns
    first = provenance.sha256(file)
    seen = provenance._digest_once.cache_info()
    assert provenance.sha256(file) == first
    assert provenance._digest_once.cache_info().hits == seen.hits + 1
    time.sleep(0.05)  # longer than a tick of the file system's clock
    file.write_bytes(b"124")
    os.utime(file, ns=(date, date))
    assert provenance.sha256(file) != first


def test_a_file_written_just_now_is_hashed_each_time(tmp_path):
    """Two contents of one length within a tick: no time tells them apart."""
    file = tmp_path / "model.pb"
    found = set()
    for number in range(20):
        file.write_bytes(b"%02d" % number)
        found.add(provenance.sha256(file))
    assert len(found) == 20


def test_hash_of_a_directory_is_of_names_and_contents(tmp_path):
    for name in "ab":
        (tmp_path / name / "set").mkdir(parents=True)
        (tmp_path / name / "set" / "x.npy").write_bytes(b"123")
    first = provenance.sha256(tmp_path / "a")
    assert first == provenance.sha256(tmp_path / "b")
    (tmp_path / "b" / provenance.FILE).write_text("{}")
    (tmp_path / "b" / ".lock").write_text("77")
    assert first == provenance.sha256(tmp_path / "b")
    (tmp_path / "b" / "set" / "x.npy").rename(tmp_path / "b" / "set" / "y.npy")
    assert first != provenance.sha256(tmp_path / "b")
    with pytest.raises(FileNotFoundError, match="nothing"):
        provenance.sha256(tmp_path / "nothing")


def test_found_by_recipe_made_or_shipped(build):
    recipe = {"rate": 20.0}
    assert provenance.find("runs", recipe) is None
    made = make(recipe)
    assert provenance.find("runs", recipe) == made
    shipped = paths.shipped("runs", "named")
    shipped.parent.mkdir(parents=True)
    made.rename(shipped)
    assert provenance.find("runs", recipe) == shipped
    assert provenance.find("runs", {"rate": 21.0}) is None


def test_a_finished_directory_replaces_an_older_one(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    provenance.replace(tmp_path / "old", tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old" / "file").read_text() == "new"


def test_record_says_what_when_on_what(build):
    record = provenance.read(make({"rate": 20.0}))
    assert record["recipe"] == {"rate": 20.0} and record["seconds"] == 1.2
    assert record["hardware"]["cores"] >= 1 and record["versions"]["deepmd-kit"]


def test_unfinished_and_broken_directories_are_named(build):
    with pytest.raises(provenance.NoProvenance, match="missing or unfinished"):
        provenance.read(build / "empty")
    directory = make({"rate": 1.0})
    text = (directory / provenance.FILE).read_text()
    (directory / provenance.FILE).write_text(text[: len(text) // 2])
    with pytest.raises(provenance.NoProvenance, match="broken"):
        provenance.read(directory)


def test_what_is_not_plain_data_is_refused(build):
    directory = build / "x"
    directory.mkdir()
    with pytest.raises(TypeError, match="object"):
        provenance.write(directory, kind="runs", recipe={"a": object()}, description="")
    assert not (directory / provenance.FILE).exists()


def test_second_process_is_refused_and_a_killed_one_leaves_no_lock(build):
    directory = build / "run"
    code = (
        f"import time; from helpers import provenance\n"
        f"with provenance.lock({str(directory)!r}):\n    print(1, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline()
        refused = pytest.raises(provenance.DirectoryBusy, match=str(process.pid))
        with refused, provenance.lock(directory):
            pass
    finally:
        process.kill()
        process.wait()
    time.sleep(0.1)
    with provenance.lock(directory) as held:
        assert (held / ".lock").read_text() == str(os.getpid())


def test_canonical_json_is_readable_again(build):
    recipe = {"sets": ["a", "b"], "x": np.float64(0.5), "path": paths.DATA}
    stored = json.loads((make(recipe) / provenance.FILE).read_text())["recipe"]
    assert stored["sets"] == ["a", "b"] and stored["x"] == 0.5


def test_a_provenance_is_json_whatever_was_measured(build):
    directory = build / "x"
    directory.mkdir()
    results = {"rmse": [np.nan, 1.0], "best": np.float64("inf")}
    provenance.write(directory, kind="runs", recipe={}, description="", results=results)

    def refuse(name):
        raise AssertionError(name)

    record = json.loads((directory / provenance.FILE).read_text(), parse_constant=refuse)
    assert record["results"] == {"rmse": [None, 1.0], "best": None}


def test_a_broken_provenance_of_another_result_is_said_and_left_out(build, capsys):
    other, wanted = make({"rate": 1}, "a"), make({"rate": 2}, "b")
    (other / provenance.FILE).write_text('{"key": ')
    assert provenance.find("runs", {"rate": 2}) == wanted
    assert str(other) in capsys.readouterr().out


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="frames, potentials, runs"):
        paths.made("run")


# ---------------------------------------------------------------- made once, kept


def test_kept_makes_once_and_goes_on_where_it_was_left(build, capsys):
    made = []

    def make(directory):
        made.append(sorted(file.name for file in directory.glob("[!.]*")))
        (directory / "half").touch()
        if len(made) == 1:
            raise KeyboardInterrupt
        return {"atoms": 3, "seconds": 7.0}

    def call():
        return provenance.kept(
            "runs",
            {"rate": 2},
            make,
            name="thing",
            description="a thing",
            tidy=lambda directory: (directory / "half").unlink(),
        )

    with pytest.raises(KeyboardInterrupt):
        call()
    directory = call()
    assert call() == directory == provenance.directory("runs", "thing", {"rate": 2})
    assert made == [[], ["half"]] and not (directory / "half").exists()
    record = provenance.read(directory)
    assert (record["atoms"], record["seconds"], record["description"]) == (3, 7.0, "a thing")
    said = [line.split("]")[0] for line in capsys.readouterr().out.splitlines()]
    assert said == ["[made", "[resumed", "[reused"]


def test_kept_is_found_in_another_way_where_it_may_be(build):
    other = make({"rate": 3})
    found = provenance.kept("runs", {"rate": 2}, None, look=lambda: other)
    assert found == other


HOLD = """
import time
from helpers import provenance
def make(directory):
    print("at it", flush=True)
    time.sleep(1)
provenance.kept("compressed", {"step": 1}, make)
"""


def test_kept_waits_for_the_same_result_of_another_process(build, capsys):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | settings.environment(),
    )
    assert "[made]" in other.stdout.readline() and other.stdout.readline() == "at it\n"
    with pytest.raises(provenance.DirectoryBusy, match=str(other.pid)):
        provenance.kept("compressed", {"step": 1}, None)
    directory = provenance.kept("compressed", {"step": 1}, None, wait=True)
    assert directory.name == provenance.key({"step": 1}) and other.wait() == 0
    out = capsys.readouterr().out
    assert f"process {other.pid}" in out and "[reused]" in out


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    file = tmp_path / "new" / "file.txt"
    assert provenance.write_text(file, "old") == file
    with pytest.raises(ZeroDivisionError), provenance.replacing(file) as part:
        part.write_text("half of the ne")
        raise ZeroDivisionError
    assert file.read_text() == "old" and list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("text", ["{", "[]", "null", "", '{"a":' * 5000, "\x00"])
def test_a_broken_record_is_left_out_by_name_and_once(build, capsys, text):
    folder = paths.made("runs", "broken")
    folder.mkdir(parents=True)
    (folder / provenance.FILE).write_text(text)
    assert not [*provenance.finished("runs"), *provenance.finished("runs")]
    said = capsys.readouterr().out
    assert said.count("left out:") == 1 and "broken/provenance.json is broken" in said


@pytest.mark.parametrize("recipe", ["", '"recipe": "x", '])
def test_a_record_without_a_recipe_is_broken(tmp_path, recipe):
    (tmp_path / provenance.FILE).write_text(f'{{{recipe}"kind": "runs"}}')
    with pytest.raises(provenance.NoProvenance, match="it has no recipe"):
        provenance.read(tmp_path)
