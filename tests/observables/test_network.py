import numpy as np
import pytest
from ase.build import bulk, graphene
from ase.neighborlist import neighbor_list
from matscipy.rings import ring_statistics

from helpers import structures
from helpers.observables import ligand_exchange, network


def net(atoms, cutoff):
    i, j, shift = neighbor_list("ijS", atoms, cutoff)
    once = [(a, *s) < (b, *-s) for a, b, s in zip(i, j, shift, strict=True)]
    return network.Network(len(atoms), i[once], j[once], shift[once], sum(once), 0, 0)


@pytest.mark.parametrize("cubic", [False, True])
def test_diamond_has_two_six_rings_an_atom(cubic):
    diamond = net(bulk("C", "diamond", a=3.567, cubic=cubic), 1.7)
    assert (diamond.degree == 4).all() and diamond.pieces == 1
    assert network.rings(diamond, 7).tolist() == [0] * 6 + [2 * diamond.n_nodes, 0]


def test_simple_cubic_has_its_squares_and_the_petrie_hexagons_of_its_cubes():
    cubic = net(bulk("Po", "sc", a=3.0), 3.1)
    assert cubic.n_nodes == 1 and len(cubic.i) == 3
    assert network.rings(cubic, 7).tolist() == [0, 0, 0, 0, 3, 0, 4, 0]


def test_close_packed_plane_and_honeycomb():
    honeycomb = graphene(vacuum=8)
    honeycomb.pbc = True
    assert network.rings(net(honeycomb, 1.6), 9)[6] == 1
    plane = bulk("Cu", "hcp", a=2.5, c=12)[:1]
    assert network.rings(net(plane, 2.6), 4)[3] == 2


@pytest.fixture(scope="module")
def crystal():
    atoms = structures.load("ZIF-4")
    return ligand_exchange.bonds([atoms.positions], [atoms.cell.array], list(atoms.symbols))


def test_zif4_is_cag(crystal):
    """Every Zn has six angles, one in a ring of four, five in rings of six: {4.6^5}, RCSR cag."""
    found = network.of_frame(crystal, 0)
    assert (found.bridging, found.dangling, found.free, found.pieces) == (32, 0, 0, 1)
    assert found.n_nodes == 16 and (found.degree == 4).all()
    sizes = network.rings(found)
    assert sizes.tolist() == [0, 0, 0, 0, 4, 0, 16, 0, 32, 0, 0, 0, 0]


def test_a_supercell_has_as_many_rings_as_it_has_cells_and_its_matrix_says_so(crystal):
    """Squares by the trace of the adjacency matrix, tr A^4 = 2m + 4 sum d(d-1)/2 + 8 squares."""
    atoms = structures.supercell(structures.load("ZIF-4"), (2, 2, 2))
    large = ligand_exchange.bonds([atoms.positions], [atoms.cell.array], list(atoms.symbols))
    net_of_eight = network.of_frame(large, 0)
    one, eight = (network.rings(n, 8) for n in (network.of_frame(crystal, 0), net_of_eight))
    assert (eight == 8 * one).all()
    A = np.zeros((128, 128), int)
    A[net_of_eight.i, net_of_eight.j] = A[net_of_eight.j, net_of_eight.i] = 1
    d = A.sum(axis=0)
    closed = np.trace(np.linalg.matrix_power(A, 4))
    assert (closed - d.sum() - 2 * (d * (d - 1)).sum()) / 8 == eight[4] == 32


def test_matscipy_counts_the_same_rings_in_zif4():
    """Of the Zn alone, which the ligands of the crystal keep 5.8 to 6.1 A apart."""
    atoms = structures.supercell(structures.load("ZIF-4"), (2, 2, 2))
    zinc = atoms[atoms.symbols == "Zn"]
    theirs = ring_statistics(zinc, 6.5, maxlength=9)  # it fails where a ring of just this size is
    mine = network.rings(net(zinc, 6.5), 9)
    assert mine[: len(theirs)].tolist() == theirs.tolist() and mine.sum() == theirs.sum() > 0


@pytest.mark.parametrize("seed", range(3))
def test_matscipy_counts_the_same_rings_in_a_net_with_defects(seed):
    """Diamond with a fifth of its atoms taken out has rings of many sizes, odd ones by disorder."""
    rng = np.random.default_rng(seed)
    atoms = bulk("C", "diamond", a=3.567, cubic=True).repeat(4)
    del atoms[rng.choice(len(atoms), len(atoms) // 5, replace=False)]
    atoms.rattle(0.35, rng=rng)
    theirs = ring_statistics(atoms, 2.0)[:10]
    assert network.rings(net(atoms, 2.0), 9).tolist() == theirs.tolist()
    assert (theirs[[5, 6, 7]] > 0).all()


def test_a_ligand_that_lets_go_is_dangling(crystal):
    atoms = structures.load("ZIF-4")
    symbols = np.array(atoms.symbols)
    positions = np.stack([atoms.positions, atoms.positions])
    nitrogen = crystal.nitrogen[0]
    zinc = crystal.zn[0, 0]
    away = atoms.get_distance(zinc, nitrogen, mic=True, vector=True)
    positions[1, nitrogen] += 1.6 * away / np.linalg.norm(away)
    found = network.of_frame(
        ligand_exchange.bonds(positions, [atoms.cell.array] * 2, list(symbols)), 1
    )
    assert (found.bridging, found.dangling, found.free) == (31, 1, 0)
    assert found.degree.sum() == 62


def test_no_ligand_no_ring():
    empty = network.Network(3, np.empty(0, int), np.empty(0, int), np.empty((0, 3), int), 0, 0, 2)
    assert network.rings(empty).sum() == 0 and empty.pieces == 3
    double = network.Network(2, np.array([0, 0]), np.array([1, 1]), np.zeros((2, 3), int), 2, 0, 0)
    assert network.rings(double).tolist() == [0, 0, 1] + [0] * 10
