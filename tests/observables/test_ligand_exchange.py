import numpy as np
import pandas as pd
import pytest
from MDAnalysis.lib.distances import distance_array
from MDAnalysis.lib.mdamath import triclinic_box

from helpers import structures
from helpers.frames import dataset
from helpers.observables import ligand_exchange

# One imidazolate-like ligand (N-C-N in a row) that walks along a row of Zn.
LIGAND = np.array([[0.0, 0, 0], [1.15, 0.7, 0], [2.3, 0, 0]])
SYMBOLS = ["Zn", "Zn", "Zn", "N", "C", "N"]
ZN = np.array([[0.0, 0, 0], [6.0, 0, 0], [12.0, 0, 0]])  # Zn-N 1.85 at both ends of the ligand


def walk(offsets, length=18.0):
    """Frames with the ligand's first N at x = 1.85 + offset."""
    positions = np.array([np.vstack([ZN, LIGAND + [1.85 + x, 0, 0]]) for x in offsets])
    return positions, np.broadcast_to(np.diag([length, 20.0, 20.0]), (len(offsets), 3, 3))


def lift(heights):
    """Frames with the ligand lifted off its two Zn: Zn-N is sqrt(1.85^2 + height^2)."""
    positions, cells = walk([0] * len(heights))
    positions[:, 3:, 1] += np.array(heights)[:, None]
    return positions, cells


def follow(frames, temperatures=None, **options):
    return ligand_exchange.bonds(
        *frames, SYMBOLS, np.arange(len(frames[0])) * 0.5, temperatures, **options
    )


def test_a_ligand_that_moves_on_by_one_site():
    found = follow(walk([0, 2, 4, 6]))
    events = found.exchanges
    assert sorted(zip(events["nitrogen"], events["zn"], events["zn_to"], strict=True)) == [
        (3, 0, 1),
        (5, 1, 2),
    ]
    assert found.moves[["frame", "replaced", "flipped"]].values.tolist() == [
        [1, 1, False],
        [3, 1, False],
    ]
    assert found.cumulative(events["bound_again"])[-1] == 2 and found.n_ligands == 1


def test_planted_sequence_of_episodes():
    """Bound, stretched to 2.7 A, free at 4.4 A, back again, free for good."""
    found = follow(lift([0, 2.0, 4.0, 0, 4.0, 4.0])).episodes
    mine = found[found["nitrogen"] == 3]
    assert mine["outcome"].tolist() == ["returned", "open"]
    assert mine[["start", "end", "bound_again"]].values.tolist() == [[0, 2, 3], [3, 4, -1]]


def test_a_stretched_bond_is_not_broken_before_release():
    assert follow(lift([0, 2.0, 0])).episodes["outcome"].tolist() == ["end", "end"]
    strict = follow(lift([0, 2.0, 0]), release=2.5).episodes
    assert strict["outcome"].tolist() == ["returned", "end", "returned", "end"]


def test_held_counts_the_nitrogen_of_each_zinc():
    """Bound to the first two of three Zn; then stretched, free, and free again."""
    found = follow(lift([0, 2.0, 4.0, 4.0]))
    assert found.held.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]]
    crystal = structures.load("ZIF-4")
    whole = ligand_exchange.bonds([crystal.positions], [crystal.cell.array], list(crystal.symbols))
    assert (whole.held == 4).all() and whole.held.shape == (1, 16)


def test_table_of_rates_says_below_where_nothing_was_seen():
    rate = follow(walk([0.0, 0, 0, 2, 4, 6]), np.repeat([400.0, 600.0], 3)).rates([300, 500, 700])
    shown = ligand_exchange.table(rate)
    assert shown["exchanged"].tolist() == rate["exchanged"].tolist()
    cells = shown["exchanges of a bond (1/ns)"]
    assert [cell.startswith("below") for cell in cells] == (rate["exchanged"] == 0).tolist()
    assert any("to" in cell for cell in cells)
    assert ligand_exchange.table(rate.iloc[:0]).empty


def test_two_zinc_below_the_cutoff_do_not_flicker():
    """As long as the old one is near, a nearer new one does not take over."""
    positions, cells = walk([0] * 4)
    positions[:, 1] = positions[:, 3] + [[0, d, 0] for d in (5, 1.9, 1.7, 1.9)]
    found = ligand_exchange.bonds(positions, cells, SYMBOLS)
    assert found.zn[:, 0].tolist() == [0, 0, 0, 0]


def test_flip_exchanges_nitrogens_but_not_the_zinc_of_the_ligand():
    positions, cells = walk([0, 0, 0])
    positions[1:, [3, 5]] = positions[1:, [5, 3]]
    found = ligand_exchange.bonds(positions, cells, SYMBOLS)
    assert len(found.exchanges) == 2
    assert found.moves[["frame", "replaced", "flipped"]].values.tolist() == [[1, 0, True]]


def test_the_next_image_of_the_same_zinc_is_another_zinc():
    positions, cells = walk([0, 2, 4, 6], length=6.0)
    keep = [0, 3, 4, 5]
    found = ligand_exchange.bonds(positions[:, keep], cells, ["Zn", "N", "C", "N"])
    assert len(found.exchanges) == 2
    assert (found.exchanges["zn"] == found.exchanges["zn_to"]).all()


def test_a_swelling_cell_and_a_drift_are_no_exchange():
    atoms = structures.load("ZIF-4")
    scale = np.linspace(1, 1.04, 5)[:, None, None]
    positions = atoms.positions * scale + np.linspace(0, 9, 5)[:, None, None]
    found = ligand_exchange.bonds(positions, atoms.cell.array * scale, list(atoms.symbols))
    assert (found.episodes["outcome"] == "end").all() and len(found.episodes) == 64
    assert found.n_ligands == 32 and len(found.metal) == 16 and found.moves.empty


def test_no_event_gives_an_upper_limit():
    T = np.repeat([400.0, 600.0], 11)
    table = follow(walk([0.0] * 22), T).rates([300, 500, 700])
    assert table["exchange_per_ns"].tolist() == [0, 0] and (table["exchange_low"] == 0).all()
    assert table["exposure_ns"].sum() == pytest.approx(2 * 21 * 0.5e-3)
    np.testing.assert_allclose(table["exchange_high"] * table["exposure_ns"], 2.996, atol=1e-3)


def test_lifetime_of_a_planted_exponential_is_found():
    """One N opens and closes at random, the ligand's other N stays; mean bound time 20 frames."""
    rng = np.random.default_rng(4)
    bound = np.concatenate(
        [np.r_[np.ones(rng.geometric(1 / 20), bool), np.zeros(2, bool)] for _ in range(100)]
    )
    positions, cells = walk(np.zeros(len(bound)))
    positions[~bound, 3, 1] += 4.5
    found = ligand_exchange.bonds(
        positions, cells, SYMBOLS, np.arange(len(bound)) * 1.0, np.full(len(bound), 900.0)
    )
    table = found.rates([800, 1000])
    opened = table["broken"].iloc[0]
    assert opened == 100 and table["exchanged"].iloc[0] == 0
    mine = (found.zn[:-1, 0] >= 0).sum() / opened
    assert mine == pytest.approx(20, rel=0.3)
    assert table["exposure_ns"].iloc[0] == pytest.approx((found.zn[:-1] >= 0).sum() / 1000)


def test_zinc_that_no_nitrogen_reaches():
    positions, cells = walk([0, 0])
    positions[:, 3:, 1] += 9
    found = ligand_exchange.bonds(positions, cells, SYMBOLS, [0, 1.0], [300.0, 301.0])
    assert (found.zn == -1).all() and found.episodes.empty and found.moves.empty
    assert found.rates([0, 1000]).empty


def test_refusals():
    positions, cells = walk([0, 0])
    with pytest.raises(ValueError, match="times"):
        ligand_exchange.bonds(positions, cells, SYMBOLS).rates([0, 1000])
    with pytest.raises(ValueError, match="release"):
        follow(walk([0, 0]), release=2.0)
    with pytest.raises(ValueError, match="no frames"):
        ligand_exchange.bonds(positions[:0], cells[:0], SYMBOLS)
    with pytest.raises(ValueError, match="'N'"):
        ligand_exchange.bonds(positions[:, :3], cells, SYMBOLS[:3])
    with pytest.raises(ValueError, match="NaN"):
        ligand_exchange.bonds(np.full_like(positions, np.nan), cells, SYMBOLS)
    positions[1, 3:, 0] += 18
    with pytest.raises(ValueError, match="unwrapped"):
        ligand_exchange.bonds(positions, cells, SYMBOLS)


def test_bonds_of_real_hot_frames_are_those_of_mdanalysis():
    hot = dataset.load("nvt_2500")
    symbols = np.array(hot["atom_names"])[hot["atom_types"]]
    zinc, nitrogen = (np.flatnonzero(symbols == e) for e in ("Zn", "N"))
    for positions, cell in zip(hot["coords"][:8], hot["cells"], strict=False):
        found = ligand_exchange.bonds([positions], [cell], symbols)
        distance = distance_array(positions[nitrogen], positions[zinc], triclinic_box(*cell))
        nearest = np.where(distance.min(axis=1) < 2.5, zinc[distance.argmin(axis=1)], -1)
        assert (found.zn[0] == nearest).all() and len(set(found.zn[0])) > 10


def test_a_rate_has_an_activation_energy_or_a_reason():
    T = np.array([900.0, 1000.0, 1100.0])
    watched = np.array([2.0, 2.0, 2.0])
    broken = watched * 1e6 * np.exp(-100 / (0.008314463 * T))  # E_a of 100 kJ/mol
    rate = pd.DataFrame(
        {"temperature_K": T, "exposure_ns": watched, "broken": broken, "exchanged": [0, 0, 3]}
    )
    laws, why_not = ligand_exchange.activation(rate)
    assert list(laws) == ["break"] and laws["break"].E_a == pytest.approx(100, rel=1e-4)
    assert list(why_not) == ["exchange"] and "there are 3 at 1" in why_not["exchange"]


def test_counts_of_a_crystal_and_of_a_melt_are_no_law():
    """18, 55 | 228, 444 breaks and 2, 4 | 121, 313 exchanges: deviance 8 and 26 on two degrees."""
    rate = pd.DataFrame({
        "temperature_K": [1400.0, 1600.0, 1800.0, 2000.0],
        "exposure_ns": [6.360, 6.326, 5.933, 5.605],
        "broken": [18, 55, 228, 444], "exchanged": [2, 4, 121, 313],
    })  # fmt: skip
    laws, why_not = ligand_exchange.activation(rate)
    assert not laws and "deviance 7.9 on 2 degrees" in why_not["break"]
    assert "deviance 25.9" in why_not["exchange"]
    steps = ligand_exchange.between(rate)
    assert list(steps["rate"]) == ["break"] * 3 + ["exchange"] * 3
    np.testing.assert_allclose(steps["E_kJ_mol"], [105, 178, 108, 65, 416, 151], atol=1)
    np.testing.assert_allclose(steps["error_kJ_mol"], [25, 18, 12, 81, 61, 16], atol=1)
