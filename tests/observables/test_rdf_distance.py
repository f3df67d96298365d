"""The distance of two g(r): zero of a curve from itself, known of a scaled one, by ranges."""

import numpy as np
import pytest

from helpers.observables import rdf, rdf_distance


def frames(rng, n=40, edge=12.0, n_frames=6):
    symbols = np.array(["Zn", "N"] * (n // 2))
    cells = [np.eye(3) * edge] * n_frames
    return [(rng.uniform(0, edge, (n, 3)), cell) for cell in cells], symbols


@pytest.fixture(scope="module")
def gases():
    rng = np.random.default_rng(0)
    return [rdf.rdfs(*frames(rng), 6.0, 0.1) for _ in range(2)]


def test_a_curve_is_at_no_distance_from_itself(gases):
    one, _ = gases
    table = rdf_distance.table(one, one, [None, ("Zn", "N")], 6.0)
    assert table["pair"].tolist() == ["total", "Zn–N"]
    assert (table.filter(like="R, ") == 0).all(axis=None)
    assert rdf_distance.differing(table).empty


def test_r_is_the_weighted_norm_in_its_range(gases):
    one, other = gases
    table = rdf_distance.table(one, other, [None], 5.0).iloc[0]
    mine, theirs = one[None], other[None]
    for word, low, high in (("bonds", 0, 3), ("beyond", 3, 5), ("all", 0, 5)):
        inside = (mine.r > low) & (mine.r < high)
        weight = mine.r[inside] ** 2
        off = np.sum(weight * (mine.g - theirs.g)[inside] ** 2)
        R = 100 * np.sqrt(off / np.sum(weight * theirs.g[inside] ** 2))
        assert table[f"R, {word}"] == pytest.approx(R)


def test_two_samples_of_one_gas_differ_by_their_noise(gases):
    table = rdf_distance.table(*gases, [None, *gases[0].pairs][:4], 6.0)
    assert (table["R, all"] < 2 * table["noise, all"]).all()
    assert rdf_distance.differing(table).empty
    far = table.assign(**{"R, all": 3 * table["noise, all"]})
    assert "total" not in rdf_distance.differing(far)["pair"].tolist()
    assert len(rdf_distance.differing(far)) == len(far) - 1
