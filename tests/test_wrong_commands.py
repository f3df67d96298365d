"""The command line and what people mistype: an exit code, one last line that helps, no traceback.

All in one child process, as a user would start it: imports take longer than sixty refusals.
"""

import json
import subprocess
import sys

import ase.io
import pytest

from helpers import paths

DRIVER = """
import contextlib, io, json, sys
from helpers import cli
for arguments in json.load(sys.stdin):
    said, code = io.StringIO(), None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            said.write(f"Traceback {type(error).__name__}: {error}")
    print(json.dumps([arguments, code, said.getvalue()]))
"""

# {file}: sound frames; {other}: a file of another kind. None of these may begin to compute.
WRONG = """
|nonsense|book --profile smal|book --profile ../x|book --profile|book --jobs -1|book --jobs two
|book --jobs 0|chapter|chapter 09_none|chapter ../01_data|chapter 01_data -p sets
|chapter 01_data -p set x|chapter 01_data -p supercell abc|chapter 01_data -p supercell [9,9,9]
|chapter 01_data -p structure zif|chapter 01_data -p force_bound nan|chapter 01_data --profile none
|parameters|parameters 1_data|parameters 01_data --profile x/y|frames nosuch|frames ../abw
|potential nosuch|evaluate nosuch|ship nosuch|run nosuch|run atp-100Kps --ranks -1
|run atp-100Kps --ranks 0|run atp-100Kps --ranks x|run atp-100Kps --threads -2|ship-run nosuch
|ship-run atp-100Kps --megabytes -1|runs --profile nosuch|runs nosuch|runs --executor pbs
|bench-train --steps -5|bench-md --seconds -1|bench-analysis --frames 0
|validate volume nosuch ZIF-4|validate shape atp ZIF-4|validate elastic atp ZIF-5
|keep-generations|keep-generations nosuch|import a|import a /nowhere|import ../a {file}
|import a {other}|import abw {file}|import a --format nosuch {other}|import a --near-copy x {file}
|import a --near-copy -1 {file}|import a --n-blocks 0 {file}|import a --n-blocks 1 {file}
|import a --validation-share 2 {file}|import a --validation-share 0 {file}
|import a --force-bound -3 {file}|import a --pressure-bound 0 {file}|import a --loose-atoms 2 {file}
|import a --option x {file}|import a --option n=[ {file}|import a --option n=1 {file}
|import a --energy-key E {file}|import a --forces-key energy {file}
|import a --stoichiometry none {file}|import a --against nosuch {file}
|bench-train --steps 99999999999999999999|validate elastic atp ZIF-4 --hessian {other}
|validate elastic atp ZIF-4 --hessian /nowhere.npy|chapter 01_data -p sets data/structures
|html --profile ../x|html --profile nosuch|check --profile nosuch|check --profile ../../etc
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory, lennard_jones):
    folder = tmp_path_factory.mktemp("wrong")
    ase.io.write(folder / "mine.extxyz", lennard_jones(4))
    (folder / "notes.txt").write_text("no labels in here\n")
    text = WRONG.replace("\n", "").lstrip("|")
    text = text.replace("{file}", f"{folder}/mine.extxyz").replace("{other}", f"{folder}/notes.txt")
    commands = [command.split() for command in text.split("|")]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], input=json.dumps(commands), text=True, cwd=paths.ROOT,
        capture_output=True, timeout=600,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("[[")]
    assert len(lines) == len(commands) >= 60, done.stderr[-2000:]
    return [json.loads(line) for line in lines]


def test_wrong_commands_end_with_a_code_and_one_line(said):
    wrong = []
    for arguments, code, text in said:
        last = (text.strip().splitlines() or [""])[-1]
        if not (code and isinstance(code, int)) or "Traceback" in text or len(last) < 15:
            wrong.append((arguments, code, text[-200:]))
        elif code == 1 and len(text.strip().splitlines()) > 1:  # 2: with the usage of argparse
            wrong.append((arguments, code, text[-300:]))
    assert not wrong
