"""The whole path on a tiny book: snakemake, papermill, jupyter-book and the check of the HTML."""

import shutil
import subprocess
import sys
import time

import nbformat
import pytest
from PIL import Image

from helpers import book, chapters, paths
from helpers.book import BookError


def zif4(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "helpers.cli", *arguments],
        cwd=paths.ROOT, capture_output=True, text=True,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A tiny project whose book has been built once; tests copy it."""
    from conftest import tiny_project

    root = tiny_project(tmp_path_factory.mktemp("built"))
    with pytest.MonkeyPatch.context() as patch:
        at(root, patch)
        done = zif4("book")
        assert done.returncode == 0, done.stderr
    return root


def at(root, monkeypatch):
    monkeypatch.setenv("ZIF4_ROOT", str(root))
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))


