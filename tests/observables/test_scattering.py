"""S(Q) against what is known of gases, spheres and crystals, and against codes of others."""

import freud
import numpy as np
import pytest
from ase.build import bulk

from helpers import paths, structures
from helpers.md import trajectory
from helpers.observables import pair_distribution, rdf, scattering

TRICLINIC = np.array([[24.0, 0, 0], [-5.0, 22.0, 0], [3.0, -4.0, 25.0]])
Q = np.arange(1.0, 15, 0.1)


def gas(n_frames=3, n_atoms=1000, cell=TRICLINIC, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.random((n_atoms, 3)) @ cell, cell) for _ in range(n_frames)]


def of(atoms):
    return [(atoms.positions, atoms.cell.array)], np.array(atoms.get_chemical_symbols())


@pytest.fixture(scope="module")
def melt():
    """The last four shipped frames of 2176 atoms at 2100 K: disordered, with real molecules."""
    frames = trajectory.read(paths.shipped("runs", "atp-400Kps-2x2x2")).last(4)
    return list(zip(frames.positions, frames.cells, strict=True)), frames.symbols


@pytest.mark.parametrize(
    "route",
    [
        lambda frames, symbols: scattering.by_distances(frames, symbols, Q, window="step"),
        lambda frames, symbols: scattering.by_vectors(frames, symbols, Q, most=60),
    ],
)
def test_an_ideal_gas_scatters_as_its_atoms(route):
    found = route(gas(), ["Zn"] * 300 + ["N"] * 700)
    assert found.elements == ("Zn", "N")
    np.testing.assert_allclose(found.fractions, [0.3, 0.7])
    assert found.density == pytest.approx(1000 / np.linalg.det(TRICLINIC))
    for pair in found.pairs:
        assert found[pair].mean() == pytest.approx(1, abs=0.03)
        assert found[pair].std() < 0.4
    np.testing.assert_array_equal(found["Zn", "N"], found["N", "Zn"])


def test_overlapping_spheres_have_the_known_transform():
    """g = 0 inside a distance, 1 outside: S - 1 = -4 pi rho (sin x - x cos x) / Q^3."""
    r, density, distance = np.arange(0.005, 6, 0.01), 0.02, 2.0
    x = Q * distance
    known = 1 - 4 * np.pi * density * (np.sin(x) - x * np.cos(x)) / Q**3
    g = (r > distance).astype(float)
    np.testing.assert_allclose(scattering.from_g(r, g, density, Q), known, atol=1e-5)
    both = scattering.from_g(r, np.stack([g, 1 + 0 * g]), density, Q)
    np.testing.assert_allclose(both[1], 1)


def test_bins_are_pairs_spread_evenly():
    """Wide bins give the S(Q) of what is in them, not of atoms at their centres."""
    fine = np.arange(0.0005, 5, 0.001)
    g = 1 + 30 * ((fine > 2.0) & (fine < 2.1))
    coarse = np.arange(0.05, 5, 0.1)
    wide = 1 + 30 * ((coarse > 2.0) & (coarse < 2.1))
    np.testing.assert_allclose(
        scattering.from_g(coarse, wide, 0.05, Q), scattering.from_g(fine, g, 0.05, Q), atol=0.01
    )


def test_both_routes_agree_where_both_hold(melt):
    """In a melt whose g(r) is 1 at half the cell, within the spread of a mean over n vectors."""
    frames, symbols = melt
    high = np.arange(2.5, 18, 0.25)
    one = scattering.by_distances(frames, symbols, high, window="step")
    two = scattering.by_vectors(frames, symbols, high, most=400)
    for a, b in one.pairs:
        c = dict(zip(one.elements, one.fractions, strict=True))
        # a vector's S of unlike elements scatters by sqrt(S_aa S_bb) in units of 1/sqrt(c_a c_b)
        error = 1 / np.sqrt(c[a] * c[b] * two.vectors / (1 if a == b else 0.5))
        pull = (one[a, b] - two[a, b]) / np.maximum(error, 0.02)
        assert np.abs(pull).max() < 5
        assert np.sqrt((pull**2).mean()) < 1.7


def test_vectors_are_those_of_a_plain_sum():
    """Every vector of a small triclinic cell by numpy, one at a time."""
    cell, rng = np.array([[5.0, 0, 0], [-1.0, 6.0, 0], [1.5, -2.0, 5.5]]), np.random.default_rng(1)
    positions, symbols = rng.random((30, 3)) @ cell, np.array(["Zn"] * 10 + ["H"] * 20)
    edges = np.arange(1.0, 6.01, 0.5)
    found = scattering.by_vectors([(positions, cell)], symbols, (edges[1:] + edges[:-1]) / 2)
    index = np.stack(np.meshgrid(*3 * [np.arange(-8, 9)], indexing="ij"), -1).reshape(-1, 3)
    k = 2 * np.pi * index @ np.linalg.inv(cell).T
    wave = np.exp(1j * k @ positions.T)
    zinc, hydrogen = wave[:, :10].sum(axis=1), wave[:, 10:].sum(axis=1)
    which = np.digitize(np.linalg.norm(k, axis=1), edges) - 1
    for n in range(len(edges) - 1):
        inside = which == n
        assert 2 * found.vectors[n] == inside.sum()
        assert found["Zn", "Zn"][n] == pytest.approx(
            1 + ((np.abs(zinc[inside]) ** 2).mean() / 10 - 1) * 30 / 10
        )
        assert found["Zn", "H"][n] == pytest.approx(
            1 + (zinc * hydrogen.conj())[inside].real.mean() * 30 / 10 / 20
        )


def test_routes_agree_on_a_cell_with_its_images():
    """Every vector of a small cell, smeared in Q, is g(r) far beyond the cell with a window."""
    atoms = structures.load("ZIF-4")
    atoms.rattle(0.1, seed=1)
    frames, symbols = of(atoms)
    fine = np.arange(0.3, 12, 0.01)
    exact = scattering.by_vectors(frames, symbols, fine)
    damped = scattering.by_distances(frames, symbols, fine, r_max=60, window="lorch", images=True)
    # compared in wide bins of Q, weighted by the number of vectors and by Q^2 dQ
    for pair in (("Zn", "Zn"), ("Zn", "N"), ("C", "N")):
        for low, high in ((1.5, 4), (4, 7), (7, 11)):
            inside = (fine > low) & (fine < high)
            n = exact.vectors[inside]
            mean = np.nansum(np.where(n > 0, (exact[pair][inside] - 1) * n, 0)) / n.sum()
            smooth = np.average(damped[pair][inside] - 1, weights=fine[inside] ** 2)
            assert mean == pytest.approx(smooth, abs=0.04)


def test_a_crystal_has_its_bragg_peaks_and_nothing_between():
    """fcc copper: 111, 200, 220 at 2 pi sqrt(h^2 + k^2 + l^2) / a, each as high as N."""
    copper = bulk("Cu", cubic=True, a=3.6).repeat(4)
    fine = np.arange(2.0, 5.2, 0.02)
    found = scattering.by_vectors(*of(copper), fine)
    S = found["Cu", "Cu"]
    expected = 2 * np.pi / 3.6 * np.sqrt([3, 4, 8])
    filled = np.flatnonzero(found.vectors)
    bragg = filled[S[filled] > 1e-6]
    np.testing.assert_allclose(fine[bragg], expected, atol=0.011)
    # all vectors of a bin of 111 belong to the same length: 8 Bragg vectors, each S = N
    k = np.argmin(np.abs(fine - expected[0]))
    assert S[k] * found.vectors[k] == pytest.approx(4 * len(copper))  # half of 8
    # by distances the same peaks, as wide as the range allows
    smooth = scattering.by_distances(*of(copper), fine, r_max=40, images=True)["Cu", "Cu"]
    tops = (
        np.flatnonzero(
            (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] > smooth[2:]) & (smooth[1:-1] > 3)
        )
        + 1
    )
    np.testing.assert_allclose(fine[tops], expected, atol=0.02)


def test_vectors_do_not_depend_on_the_choice_of_the_cell():
    atoms = structures.load("Znim2-ABW")
    atoms.rattle(0.1, seed=2)
    frames, symbols = of(atoms)
    sheared = atoms.cell.array.copy()
    sheared[1] += sheared[0]
    sheared[2] -= 2 * sheared[1]
    fine = np.arange(0.5, 6, 0.1)
    one = scattering.by_vectors(frames, symbols, fine)
    two = scattering.by_vectors([(atoms.positions + 7.7, sheared)], symbols, fine)
    np.testing.assert_array_equal(one.vectors, two.vectors)
    np.testing.assert_allclose(one.S, two.S, atol=1e-8)


def test_a_choice_of_vectors_is_even():
    """With a limit, a bin keeps that many, and their mean is that of all within its error."""
    frames, symbols = gas(1, 400), ["Zn"] * 400
    fine = np.arange(2.0, 8, 0.25)
    every = scattering.by_vectors(frames, symbols, fine)
    some = scattering.by_vectors(frames, symbols, fine, most=100)
    assert (some.vectors == np.minimum(every.vectors, 100)).all()
    pull = (some["Zn", "Zn"] - every["Zn", "Zn"]) / np.sqrt(1 / 100)
    assert np.abs(pull).max() < 4


def test_sum_rule():
    """int Q^2 (S - 1) dQ = 2 pi^2 rho (g(0) - 1): atoms of a solid do not sit on each other."""
    atoms = bulk("Cu", cubic=True, a=3.6).repeat(5)
    frames, density = [], 4 / 3.6**3
    for seed in range(5):
        atoms_now = atoms.copy()
        atoms_now.rattle(0.15, seed=seed)
        frames.append((atoms_now.positions, atoms_now.cell.array))
    fine = np.arange(0.05, 30, 0.05)
    S = scattering.by_distances(frames, ["Cu"] * len(atoms), fine, window="step")["Cu", "Cu"]
    # the integral comes to rest with a smooth end
    end = np.exp(-(fine**2) / (2 * 9**2))
    assert (fine**2 * (S - 1) * end).sum() * 0.05 == pytest.approx(
        -2 * np.pi**2 * density, rel=0.05
    )


def test_round_trip_from_g_to_S_and_back():
    r, density = np.arange(0.01, 12, 0.02), 0.06
    g = (
        1
        - np.exp(-((r / 1.2) ** 6)) * 1.0
        + 1.5 * np.exp(-(((r - 2) / 0.2) ** 2))
        - 0.3 * (np.exp(-(((r - 3.2) / 0.5) ** 2)))
    )
    fine = np.arange(0.02, 40.02, 0.02)
    F = scattering.from_g(r, g, density, fine) - 1
    D = pair_distribution.Transform(40)(fine, F, r)
    np.testing.assert_allclose(D / (4 * np.pi * density * r) + 1, g, atol=0.03)


def test_freud_finds_the_same(melt):
    """freud's Direct, which draws its vectors by chance, so many of them, of all atoms alike."""
    positions, cell = melt[0][0]
    system = (
        freud.box.Box.from_matrix(cell.T),
        (positions - cell.sum(axis=0) / 2).astype(np.float32),
    )
    direct = freud.diffraction.StaticStructureFactorDirect(
        bins=20,
        k_max=6.0,
        k_min=1.0,
        num_sampled_k_points=40000,  # drawn by chance: 4,000 once gave 0.967
    )
    direct.compute(system)
    momenta = direct.bin_centers.astype(float)
    ours = scattering.by_vectors([(positions, cell)], ["C"] * len(positions), momenta)["C", "C"]
    assert np.corrcoef(ours, direct.S_k)[0, 1] > 0.97
    assert np.abs(ours / direct.S_k - 1)[momenta > 2].max() < 0.25
    assert np.mean(ours / direct.S_k) == pytest.approx(1, abs=0.05)


def debye_sums(positions, symbols, Q):
    """Debye's sum over a free cluster, the atoms with themselves left out, by pair of elements."""
    found = {}
    for a, b in rdf.element_pairs(symbols):
        apart = np.linalg.norm(
            positions[symbols == a][:, None] - positions[symbols == b][None], axis=-1
        )
        apart = apart[~np.eye(len(apart), dtype=bool)] if a == b else apart.ravel()
        found[a, b] = (1 if a == b else 2) * np.array(
            [np.sinc(q * apart / np.pi).sum() for q in np.asarray(Q, float)]
        )
    return found


def test_debye_sum_of_a_cluster_is_that_of_ase():
    """XrDebye of ASE, without its thermal factor, where an atom scatters by its number."""
    from ase.utils.xrdebye import XrDebye

    molecule = structures.load("ZIF-4")[::7]
    molecule.pbc, molecule.cell = False, None
    symbols = np.array(molecule.get_chemical_symbols())
    momenta = np.arange(0.5, 12, 0.5)
    pairs = debye_sums(molecule.positions, symbols, momenta)
    f = dict(zip(symbols, molecule.numbers.astype(float), strict=True))
    ours = (molecule.numbers**2).sum() + sum(f[a] * f[b] * P for (a, b), P in pairs.items())
    theirs = XrDebye(molecule, wavelength=1.0, damping=0.0, method=None)
    expected = [theirs.get(q / (2 * np.pi)) for q in momenta]
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_a_cluster_in_a_large_cell_is_the_same_by_distances():
    atoms = structures.load("ZIF-4")[:40]
    atoms.pbc, atoms.cell = True, np.eye(3) * 120.0
    frames, symbols = of(atoms)
    momenta = np.arange(3.0, 12, 0.5)
    found = scattering.by_distances(
        frames, symbols, momenta, r_max=40, bin_width=0.005, window="step"
    )
    apart = debye_sums(atoms.positions, symbols, momenta)
    r = np.arange(0.01, 40, 0.02)
    empty = scattering.from_g(r, 0 * r, found.density, momenta)  # what the even density takes off
    for (a, b), sums in apart.items():
        share = (1 if a == b else 2) * len(symbols)
        c = dict(zip(found.elements, found.fractions, strict=True))
        np.testing.assert_allclose(share * c[a] * c[b] * (found[a, b] - empty), sums, atol=0.05)


def test_what_makes_no_sense_is_refused():
    frames, symbols = gas(1, 100), ["Zn"] * 100
    with pytest.raises(ValueError, match="beyond half the cell"):
        scattering.by_distances(frames, symbols, Q, r_max=20)
    with pytest.raises(ValueError, match="no frames"):
        scattering.by_distances([], symbols, Q)
    with pytest.raises(ValueError, match="no frames"):
        scattering.by_vectors([], symbols, Q)
    with pytest.raises(ValueError, match="no window 'hann'"):
        scattering.by_distances(frames, symbols, Q, window="hann")
    with pytest.raises(ValueError, match="Q must be positive"):
        scattering.by_distances(frames, symbols, np.arange(5.0))
    with pytest.raises(ValueError, match="ascending"):
        scattering.by_vectors(frames, symbols, Q[::-1])
    with pytest.raises(ValueError, match="do not fit"):
        scattering.by_vectors(frames, symbols[:-1], Q)
    with pytest.raises(ValueError, match="equidistant"):
        scattering.from_g(np.array([1.0, 2, 3]), np.ones(3), 0.1, Q)
    with pytest.raises(ValueError, match="no atom of element 'C'"):
        scattering.by_distances(frames, symbols, Q)["Zn", "C"]


def test_default_cutoff_is_half_the_narrowest_cell():
    smaller = TRICLINIC * 0.97
    frames = [gas(1)[0], gas(1, cell=smaller)[0]]
    curves = rdf.rdfs(frames, ["Zn"] * 1000, 9.0, 0.02)
    found = scattering.by_distances(frames, ["Zn"] * 1000, Q)
    density = np.mean([1000 / np.linalg.det(TRICLINIC), 1000 / np.linalg.det(smaller)])
    assert found.density == pytest.approx(density)
    assert curves.density == pytest.approx(density)
    shorter = scattering.of_curves(curves, Q)["Zn", "Zn"]
    assert 0 < np.abs(found["Zn", "Zn"] - shorter).max() < 0.2
