"""A crystal that shakes is no melt; one whose ligands walked on is; near pairs are counted."""

import numpy as np
import pytest

from helpers import structures
from helpers.observables import melt

CELL = structures.load("ZIF-4")


def frames(*moved):
    """The crystal, and frames of it with given displacements (N, 3), A."""
    start = CELL.positions
    positions = np.array([start, *(start + d for d in moved)])
    return positions, np.array([CELL.cell.array] * len(positions)), CELL.get_chemical_symbols()


def test_a_crystal_that_shakes_is_no_melt():
    noise = np.random.default_rng(1).normal(scale=0.05, size=(3, len(CELL), 3))
    found = melt.judge(*frames(*noise))
    assert found.exchanged == 0 and not found.molten and found.close_share == 0
    assert found.zn_rmsd_A == pytest.approx(0.05 * 3**0.5, rel=0.3)
    assert 5.5 < found.zn_apart_A < 6.5


def test_zinc_that_walks_a_whole_cell_leaves_its_ligands():
    """Half of the Zn, in small steps, one cell along a: each N of theirs has another image."""
    zinc = np.flatnonzero(CELL.symbols == "Zn")
    walkers = zinc[: len(zinc) // 2]
    steps = np.zeros((60, len(CELL), 3))
    steps[:, walkers] = np.linspace(0, 1, 60)[:, None, None] * CELL.cell.array[0]
    found = melt.judge(*frames(*steps))
    assert found.exchanged == pytest.approx(0.5)  # each N has one Zn: half of them lost theirs
    moved = CELL.get_masses()[walkers].sum() / CELL.get_masses().sum()  # of the centre of mass
    expected = CELL.cell.lengths()[0] * (((1 - moved) ** 2 + moved**2) / 2) ** 0.5
    assert found.zn_rmsd_A == pytest.approx(expected, rel=1e-3)
    assert found.molten


@pytest.mark.parametrize("close, trusted", [(1, True), (2, False)])
def test_frames_with_zinc_too_near_make_a_melt_untrusted(close, trusted):
    near = np.full(30, 5.0)
    near[:close] = 3.9
    assert melt.Melt(0.6, 4.0, 6.0, float((near < melt.CLOSE_A).mean())).trusted is trusted
    assert not melt.Melt(0.4, 4.0, 6.0, 0.0).trusted


def test_nearness_is_counted_behind_the_equilibration():
    zinc = np.flatnonzero(CELL.symbols == "Zn")
    apart = CELL.get_all_distances(mic=True)[zinc[0], zinc]
    other = zinc[apart.argsort()[1]]
    way = CELL.get_distance(zinc[0], other, mic=True, vector=True)
    steps = np.zeros((3, len(CELL), 3))
    steps[0, zinc[0]] = way * (1 - 3.8 / np.linalg.norm(way))
    assert melt.judge(*frames(*steps)).close_share == pytest.approx(1 / 4)
    assert melt.judge(*frames(*steps), first=2).close_share == 0
