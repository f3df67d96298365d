"""A finished run has every sample that its provenance tells of, or is refused."""

import gzip
import json
import shutil

import numpy as np
import pytest

from helpers import paths, provenance
from helpers.errors import Unfit
from helpers.md import model_deviation, samples, thermo, trajectory

PLAIN, THINNED = "atp-300K-3x3x3", "atp-400Kps-2x2x2"  # 1 row and 5 frames; one frame in twelve


@pytest.fixture
def run(tmp_path):
    """A run of 55 rows of which a copy may be damaged."""
    shutil.copytree(paths.shipped("runs", THINNED), tmp_path / "run")
    return tmp_path / "run"


def test_every_shipped_table_is_whole():
    for directory in sorted((paths.DATA / "runs").iterdir()):
        if (directory / provenance.FILE).is_file():
            thermo.read(directory)  # exploded ones, too


@pytest.mark.parametrize("row", [0, 20, 54])
def test_a_lost_row_is_said_with_its_step(run, row):
    lines = thermo.content(run).decode().splitlines(keepends=True)
    rows = [i for i, line in enumerate(lines) if line[0].isdigit()]
    step = lines.pop(rows[row]).split(",")[0]
    (run / thermo.FILE).write_text("".join(lines))
    with pytest.raises(Unfit, match=f"lacks 1 of 55 samples, the first of step {step};"):
        thermo.read(run)
    (run / provenance.FILE).unlink()  # a run that is not finished may lack its end
    assert len(thermo.read(run)) == 54


@pytest.mark.parametrize("lost", [0, 10, 22])
def test_a_lost_frame_is_said_with_its_step(run, lost):
    packed = run / f"{trajectory.FILE}.gz"
    head = "ITEM: TIMESTEP\n"
    frames = gzip.decompress(packed.read_bytes()).decode().split(head)[1:]
    steps = [int(frame.split("\n")[0]) for frame in frames]
    samples.refuse_lost(packed, "frame_every_ps", steps)
    with pytest.raises(Unfit, match=f"lacks 1 of 23 samples, the first of step {steps[lost]};"):
        samples.refuse_lost(packed, "frame_every_ps", np.delete(steps, lost).tolist())
    with pytest.raises(Unfit, match="holds a sample of step 7, which its run did not take"):
        samples.refuse_lost(packed, "frame_every_ps", [*steps, 7])


def test_a_trajectory_cut_where_a_frame_ends_is_refused(tmp_path):
    whole = paths.shipped("runs", PLAIN)
    shutil.copytree(whole, tmp_path / "run")
    packed = tmp_path / "run" / f"{trajectory.FILE}.gz"
    text = gzip.decompress(packed.read_bytes())
    packed.write_bytes(gzip.compress(text[: text.rfind(b"ITEM: TIMESTEP")]))
    with pytest.raises(Unfit, match="lacks 1 of 5 samples, the first of step 200;"):
        trajectory.read(tmp_path / "run")


def test_a_lost_row_of_the_deviation_is_said(run):
    record = provenance.read(run)
    record["recipe"]["deviation_every_ps"] = 2.5
    (run / provenance.FILE).write_text(json.dumps(record))
    rows = [f"{step} 1 0 .5 2 0 1\n" for step in (0, 5000, 5000, 10000)]
    header = f"#{' '.join(model_deviation.COLUMNS)}\n"
    (run / model_deviation.FILE).write_text(header + "".join(rows))
    assert model_deviation.read(run)["step"].tolist() == [0, 5000, 10000]
    (run / model_deviation.FILE).write_text(header + "".join(rows[:-1]))
    with pytest.raises(Unfit, match="lacks 1 of 3 samples, the first of step 10000;"):
        model_deviation.read(run)
