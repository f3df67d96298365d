"""Where things are. Every path of the project is built here."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("ZIF4_ROOT") or Path(__file__).resolve().parents[2])
DATA = ROOT / "data"
BUILD = Path(os.environ.get("ZIF4_BUILD") or ROOT / "build")
NOTEBOOKS = ROOT / "notebooks"
PROFILES = DATA / "profiles"
STRUCTURES = DATA / "structures"
PAPER = DATA / "paper.yaml"
SETS = DATA / "sets.yaml"
DFT = DATA / "dft"
POTENTIALS = DATA / "potentials.yaml"
RUNS = DATA / "runs.yaml"

KINDS = ("frames", "potentials", "runs", "validation")
#: forms of a potential that are made of it in a minute, and never shipped
FORMS = ("compressed", "double", "backends")


def shipped(kind: str, name: str = "") -> Path:
    """``data/<kind>/<name>``: results that come with the repository."""
    return DATA / _known(kind) / name


def made(kind: str, name: str = "") -> Path:
    """``build/<kind>/<name>``: results made on this machine."""
    return BUILD / _known(kind) / name


def downloads(name: str) -> Path:
    """``build/downloads/<name>``: data records of others, as they were published."""
    return BUILD / "downloads" / name


def executed(profile: str, chapter: str = "") -> Path:
    """``build/<profile>/notebooks/<chapter>``: executed copies of the notebooks."""
    return BUILD / profile / "notebooks" / chapter


def relative(path: Path) -> str:
    """``path`` as seen from the project's root, for messages and provenance."""
    try:
        return str(Path(path).resolve().relative_to(ROOT))
    except ValueError:
        return str(path)


def _known(kind: str) -> str:
    if kind not in (*KINDS, *FORMS):
        raise ValueError(f"unknown kind of result {kind!r}; known: {', '.join((*KINDS, *FORMS))}")
    return kind
