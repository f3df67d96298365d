"""The folder ``binder/``: what repo2docker (Binder, NeuroLibre) and Colab get; no network is used.

What can be run here is run: each command of ``postBuild`` as it stands, with a stand-in for the one
that needs a network (``uv sync``); its lock file is checked by `uv` itself.
"""

import ast
import json
import os
import re
import shlex
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from helpers import paths
from helpers.book import chapters

BINDER = paths.ROOT / "binder"
POST_BUILD = BINDER / "postBuild"
PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())


def steps() -> list[list[str]]:
    """The commands of postBuild in words, without settings of the shell."""
    lines = [line for line in POST_BUILD.read_text().splitlines() if line.strip()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [one for one in words if one and one[0] not in ("set", "export")]


def test_post_build_can_be_executed_and_is_a_script_of_bash():
    assert POST_BUILD.stat().st_mode & stat.S_IXUSR
    assert POST_BUILD.read_text().startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", POST_BUILD], check=True)
    assert "set -euo pipefail" in POST_BUILD.read_text()


@pytest.fixture
def environment(tmp_path):
    """A Python environment as repo2docker has it: ours, with a `uv` that only writes its words."""
    prefix = tmp_path / "srv" / "conda"
    (prefix / "bin").mkdir(parents=True)
    for name in ("python", "jupytext-config"):
        real = Path(sys.executable).parent / name
        (prefix / "bin" / name).write_text(f'#!/bin/sh\nexec "{real}" "$@"\n')
        (prefix / "bin" / name).chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").write_text('#!/bin/sh\necho "$UV_PROJECT_ENVIRONMENT uv $*" > "$UV_SAID"\n')
    (tools / "uv").chmod(0o755)
    return {
        "PATH": f"{tools}:/usr/bin:/bin", "HOME": str(tmp_path), "UV_SAID": str(tmp_path / "said"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"), "PYTHONPATH": str(paths.ROOT / "src"),
        "NB_PYTHON_PREFIX": str(prefix),
    }  # fmt: skip


def test_post_build_fills_the_environment_that_jupyter_runs_in(environment, tmp_path):
    done = subprocess.run(
        [POST_BUILD], cwd=paths.ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "said").read_text()
    assert said.startswith(f"{environment['NB_PYTHON_PREFIX']} uv sync --frozen --inexact")
    assert done.stdout.split()[-len(chapters.names()) :] == chapters.names()
    # the chapters, which are text, open as notebooks
    settings = json.loads(
        (tmp_path / "jupyter/labconfig/default_setting_overrides.json").read_text()
    )
    assert settings["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"]["python"]


def test_post_build_ends_where_a_step_fails(environment, tmp_path):
    (tmp_path / "tools/uv").write_text("#!/bin/sh\nexit 3\n")
    done = subprocess.run([POST_BUILD], cwd=paths.ROOT, env=environment, capture_output=True)
    assert done.returncode == 3 and not done.stdout


def test_uv_takes_the_options_that_post_build_gives_it():
    uv = paths.ROOT / "build/tools/bin/uv"
    if not uv.exists():
        pytest.skip("no uv in build/tools: make env")
    (sync,) = (one for one in steps() if one[0] == "uv")
    known = subprocess.run([uv, "sync", "--help"], capture_output=True, text=True, check=True)
    for option in sync[2:]:
        assert option in known.stdout, option
    locked = subprocess.run(
        [uv, "lock", "--check", "--offline"], cwd=paths.ROOT, capture_output=True
    )
    assert locked.returncode == 0 or b"offline" in locked.stderr.lower(), locked.stderr


def test_the_python_and_uv_of_binder_are_those_of_the_project():
    wanted = yaml.safe_load((BINDER / "environment.yml").read_text())["dependencies"]
    python = next(one for one in wanted if isinstance(one, str) and one.startswith("python="))
    assert python.split("=")[1] in SpecifierSet(PROJECT["project"]["requires-python"])
    (uv,) = (Requirement(one) for one in next(d for d in wanted if isinstance(d, dict))["pip"])
    makefile = (paths.ROOT / "Makefile").read_text()
    installed = re.search(r"'uv([^a-z']+)'", makefile)
    assert uv.name == "uv" and SpecifierSet(installed[1]) == uv.specifier


def test_the_kernel_of_the_chapters_is_among_what_post_build_installs():
    """``--no-default-groups`` leaves out what tests need; a kernel and jupytext must remain."""
    names = {Requirement(one).name for one in PROJECT["project"]["dependencies"]}
    assert {"jupytext", "ipykernel"} <= names
    for chapter in chapters.names():
        kernel = jupytext.read(chapters.notebook(chapter)).metadata["kernelspec"]
        assert kernel["name"] == "python3", chapter  # what ipykernel brings


def test_the_limits_of_neurolibre_are_named_and_kept():
    """8 hours, 2 cores, 7.5 GB: the small profile trains a few hundred steps and heats nothing."""
    text = POST_BUILD.read_text()
    assert re.search(r"NeuroLibre.*\n?.*8 h.*2 cores.*7\.5 GB", text)
    small = yaml.safe_load((paths.PROFILES / "small.yaml").read_text())
    assert not small.get("live", False)
    live = chapters.values("02_training", "small", {})
    assert live["live_steps"] <= 1000 and not any("train" in " ".join(one) for one in steps())


def test_the_notebook_of_colab_calls_targets_that_exist():
    notebook = json.loads((BINDER / "colab.ipynb").read_text())
    code = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    makefile = (paths.ROOT / "Makefile").read_text()
    for target in re.findall(r"^!make (\w+)", "\n".join(code), re.M):
        assert re.search(rf"^{target}\s*:", makefile, re.M), target
    given = {}
    exec(code[0], given)
    assert given["CHAPTER"] in chapters.names()
    for source in code:
        ast.parse(
            "\n".join(x for x in source.splitlines() if not x.startswith(("!", "%"))) or "pass"
        )
    assert (
        os.fspath(paths.BUILD.relative_to(paths.ROOT)) == "build" and "build/small/own" in code[-1]
    )
