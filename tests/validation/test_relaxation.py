"""Relaxed cells of a nearest-neighbour crystal: resumed, refused, quickened by its Hessian."""

from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from springs import K_GPA, A, Springs, crystal

from helpers import structures, units
from helpers.frames import sampling
from helpers.validation import calculators, equation_of_state, relaxation


def test_a_hessian_of_springs_and_the_steps_it_saves(kept_elsewhere, monkeypatch, tmp_path):
    """The cubic cell of fcc has Gamma and three X: 8 k lengthwise, 4 k across (cos q R = -1)."""
    monkeypatch.setattr(calculators, "calculator", lambda *of: Springs())
    monkeypatch.setattr(structures, "load", lambda name: crystal(0.05))
    hessian = np.load(relaxation.curvature("atp", "Znim2-ABW", fmax=1e-6))
    k = K_GPA * A / units.EV_PER_A3_IN_GPA
    assert np.linalg.eigvalsh(hessian) == pytest.approx(
        sorted([4 * k] * 6 + [8 * k] * 3 + [100] * 3), rel=0.01
    )
    found = {}
    for name, guess in (("without", None), ("with", hessian)):
        found[name] = relaxation.relax_cells(
            crystal(0.05),
            Springs(),
            [np.zeros((3, 3))],
            tmp_path / f"{name}.extxyz",
            fmax=1e-5,
            steps=100,
            hessian=guess,
        )[0]
    assert found["with"].get_potential_energy() == pytest.approx(
        found["without"].get_potential_energy(), abs=1e-6
    )
    assert found["with"].info["relaxation_steps"] < found["without"].info["relaxation_steps"]


def test_relaxations_broken_off_go_on(tmp_path):
    """A file that a kill cut off in its second frame: the first is kept, none is doubled."""
    strains = equation_of_state.volume_strains((0, 2, -2))
    whole = relaxation.relax_cells(
        crystal(0.05), Springs(), strains, tmp_path / "whole.extxyz", fmax=1e-3, steps=100
    )
    text = (tmp_path / "whole.extxyz").read_text().splitlines(keepends=True)
    cut = tmp_path / "cut.extxyz"
    cut.write_text("".join(text[:9]) + text[9][:20])

    class Counting(Springs):
        cells: ClassVar = set()

        def calculate(self, atoms=None, *arguments):
            self.cells.add(round(atoms.get_volume(), 3))
            super().calculate(atoms, *arguments)

    again = relaxation.relax_cells(crystal(0.05), Counting(), strains, cut, fmax=1e-3, steps=100)
    assert len(again) == 3 and len(Counting.cells) == 2
    for a, b in zip(whole, again, strict=True):
        assert a.get_potential_energy() == pytest.approx(b.get_potential_energy(), abs=1e-6)
    assert len(sampling.whole_frames(cut)) == 3


def test_a_potential_that_says_nan_is_refused(tmp_path):
    class Broken(Springs):
        def calculate(self, *arguments):
            super().calculate(*arguments)
            self.results["stress"] = np.full(6, np.nan)

    with pytest.raises(FloatingPointError, match="not finite"):
        relaxation.relax_cells(
            crystal(),
            Broken(),
            equation_of_state.volume_strains((0,)),
            tmp_path / "r.extxyz",
            fmax=1e-3,
            steps=3,
        )


def test_atoms_are_left_as_they_were(tmp_path):
    start = crystal(0.05)
    before = start.copy()
    relaxation.relax_cells(
        start,
        Springs(),
        equation_of_state.volume_strains((0, 1)),
        tmp_path / "r.extxyz",
        fmax=1e-3,
        steps=20,
    )
    assert isinstance(start, Atoms) and np.array_equal(start.positions, before.positions)
