"""Forces between the two nearest atoms: sign, images, and the wall."""

import numpy as np
import pytest

from helpers.errors import Unfit
from helpers.frames import correction, dataset
from helpers.potentials import evaluation, store
from helpers.validation import close_pairs

SET = "zinc_pairs_nearer"  # round-8 is not trained on it


@pytest.fixture(scope="module")
def table():
    return close_pairs.forces_along("round-8", [SET])


def test_the_pair_is_that_of_ase(table):
    """Distance and force along the pair, frame by frame, from ASE's own minimum images."""
    system = dataset.load(dataset.locate(SET))
    expected = []
    for k, atoms in enumerate(system.to("ase/structure")):
        zinc = np.flatnonzero(atoms.symbols == "Zn")
        apart = atoms[zinc].get_all_distances(mic=True)
        apart[np.diag_indices(len(zinc))] = np.inf
        i, j = zinc[list(np.unravel_index(apart.argmin(), apart.shape))]
        n = atoms.get_distance(j, i, mic=True, vector=True) / apart.min()
        force = system["forces"][k]
        expected.append((apart.min(), (force[i] - force[j]) @ n / 2))
    expected.sort()
    np.testing.assert_allclose(table[["distance_A", "reference"]], expected, atol=1e-6)


def test_energies_are_compared_with_what_the_potential_was_trained_on(table):
    """The labels at DFT's volume: not those of the reference itself, which are off by D(v)."""
    system = dataset.load(dataset.locate(SET))
    found = evaluation.predict("round-8", correction.corrected(system, correction.laws()))
    np.testing.assert_allclose(
        np.sort(table["energy_error_eV"]), np.sort(found.energy - found.energy_reference), atol=1e-6
    )
    raw = evaluation.predict("round-8", system)
    assert np.abs(raw.energy_reference - found.energy_reference).min() > 0.01


def test_what_the_wall_adds(table):
    added = table["with_wall"] - table["potential"]
    assert (added[table["distance_A"] < 3.5] > 0).all()
    distances = table["distance_A"].to_numpy()
    again = close_pairs.wall(store.load("round-8").zinc_wall_A, distances)
    np.testing.assert_allclose(added, again)
    order = np.argsort(distances)
    assert (np.diff(again[order]) < 0).all()  # the nearer, the stronger
    assert (close_pairs.wall((), distances) == 0).all()
    assert close_pairs.wall((3.0, 4.0), [4.2])[0] == 0
    with pytest.raises(Unfit, match="no two Zn of no set"):
        close_pairs.forces_along("round-8", [])


def test_a_potential_without_a_wall(table):
    bare = close_pairs.forces_along("round-7", [SET])
    np.testing.assert_allclose(bare["with_wall"], bare["potential"])
    np.testing.assert_allclose(bare["potential"], table["potential"])  # the same weights
    errors = bare["potential"] - bare["reference"]
    found = evaluation.predict("round-7", dataset.load(dataset.locate(SET)))
    assert np.abs(errors).max() <= np.abs(found.force - found.force_reference).max() * np.sqrt(3)


def test_frames_of_one_part_and_the_mean_error_of_near_ones(table):
    unseen = close_pairs.forces_along("round-8", [SET], part="validation")
    assert len(unseen) == len(dataset.load(SET, "validation"))
    mean, error, n = close_pairs.error_below(table, 2.5)
    near = table["energy_error_eV"][table["distance_A"] < 2.5]
    assert (mean, n) == (pytest.approx(near.mean()), len(near))
    assert error == pytest.approx(near.std(ddof=1) / np.sqrt(n))
    assert close_pairs.error_below(table, 0.1)[2] == 0
