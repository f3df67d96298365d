"""The still image has the structure in it, and a notebook shows it without a front-end."""

import base64
import io

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from helpers.errors import Unfit
from helpers.report import structure_view, style

RGB = {s: tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for s, c in style.ELEMENT_COLOURS.items()}


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def places(frame: dict) -> np.ndarray:
    """Positions of a frame as the page's script reads them, 0.01 A."""
    return np.frombuffer(base64.b64decode(frame["positions"]), "<i2").reshape(-1, 3)


def blob(image: np.ndarray, symbol: str) -> np.ndarray:
    """(row, column) of the pixels in an element's full colour, below the legend."""
    near = np.abs(image - RGB[symbol]).max(axis=2) < 8
    near[: image.shape[0] // 10] = False
    return np.argwhere(near)


@pytest.fixture
def ring() -> Atoms:
    """Zn and N four Angstrom apart along x, in a cubic box, in one plane of view."""
    return Atoms("ZnN", positions=[[3, 5, 5], [7, 5, 5]], cell=[10, 10, 10], pbc=True)


def test_atoms_are_where_they_are(ring):
    image = pixels(structure_view.still(ring, tilt_deg=(0, 0)))
    zn, n = (blob(image, symbol).mean(axis=0) for symbol in ("Zn", "N"))
    drawn_cell = np.argwhere((image[image.shape[0] // 5 :] < 60).all(axis=2))  # no legend
    angstrom = np.ptp(drawn_cell[:, 1]) / 10
    assert zn[0] == pytest.approx(n[0], abs=3)
    assert (n[1] - zn[1]) / angstrom == pytest.approx(4.0, abs=0.1)


def test_up_is_up(ring):
    ring.positions = [[5, 2, 5], [5, 8, 5]]
    image = pixels(structure_view.still(ring, tilt_deg=(0, 0)))
    assert blob(image, "Zn")[:, 0].mean() > blob(image, "N")[:, 0].mean()


def test_what_is_near_hides_what_is_far(ring):
    ring.positions = [[5, 5, 2], [5, 5, 8]]  # N in front of the larger Zn
    image = pixels(structure_view.still(ring, tilt_deg=(0, 0)))
    n = blob(image, "N")
    assert len(n) > 50
    ring.positions = ring.positions[::-1].copy()
    assert len(blob(pixels(structure_view.still(ring, tilt_deg=(0, 0))), "N")) == 0


def test_bonds_of_a_molecule():
    """Imidazole's stand-in with known bonds: pyridine, 5 C-C/C-N ring bonds + N-C + 5 C-H."""
    pyridine = molecule("C5H5N", vacuum=4.0)
    assert len(structure_view._bonds(pyridine)) == 11


def test_no_bond_is_drawn_across_the_cell():
    pair = Atoms("ZnN", positions=[[0.5, 5, 5], [8.5, 5, 5]], cell=[10, 10, 10], pbc=True)
    assert len(structure_view._bonds(pair)) == 0
    pair.positions[1, 0] = 2.5
    assert len(structure_view._bonds(pair)) == 1


def test_a_supercell_holds_all_its_atoms_and_the_unit_cell(ring):
    shown = structure_view.view(ring, repeat=(3, 2, 1))
    assert len(shown.atoms) == 12
    assert "12 atoms" in repr(shown)
    one, many = pixels(structure_view.view(ring).png()), pixels(shown.png())
    assert one.std() > 5 and many.std() > 5
    assert one.shape[1] == many.shape[1] == 900


@pytest.mark.parametrize("repeat", [(1, 1), (0, 1, 1)])
def test_a_wrong_repeat_is_refused(ring, repeat):
    with pytest.raises(ValueError, match="repeat"):
        structure_view.view(ring, repeat=repeat)


def test_nothing_to_show_is_refused():
    with pytest.raises(ValueError, match="no atom"):
        structure_view.view(Atoms(cell=[1, 1, 1]))


def test_the_widget_is_sent_the_structure_and_its_cell(ring):
    """The file that goes to the browser is read back by ASE."""
    messages = structure_view.view(ring, repeat=(2, 1, 1)).widget()._ngl_msg_archive
    (file,) = [m["args"][0] for m in messages if m["methodName"] == "loadFile"]
    sent = ase.io.read(io.StringIO(file["data"]), format="proteindatabank")
    assert sent.get_chemical_formula() == "N2Zn2"
    np.testing.assert_allclose(sent.cell.lengths(), [20, 10, 10])
    np.testing.assert_allclose(sorted(sent.positions[:, 0]), [3, 7, 13, 17])
    shown = [m["args"][0] for m in messages if m["methodName"] == "addRepresentation"]
    assert shown == ["ball+stick", "unitcell"]


def test_without_front_end_a_page_gets_the_still_image(ring):
    """What Jupyter calls on the last line of a cell: one output, a PNG with content."""
    InteractiveShell.instance()
    assert not structure_view.front_end()
    with capture_output() as captured:
        structure_view.view(ring)._ipython_display_()
    (output,) = captured.outputs
    image = pixels(base64.b64decode(output.data["image/png"]))
    assert len(blob(image, "Zn")) > 100


def test_asked_for_the_widget_comes_before_the_image(ring):
    InteractiveShell.instance()
    with capture_output() as captured:
        structure_view.view(ring, interactive=True)._ipython_display_()
    widget, image = captured.outputs
    assert "application/vnd.jupyter.widget-view+json" in widget.data
    assert "image/png" in image.data


def test_a_density_map_is_a_ball_in_each_box_that_carries_its_density():
    density = np.linspace(0.05, 0.1, 12).reshape(2, 2, 3)
    shown = structure_view.boxes(density, np.diag([10.0, 10, 15]), title="map")
    assert len(shown.atoms) == 12 and shown.atoms.positions[0].tolist() == [2.5, 2.5, 2.5]
    image = pixels(shown.png())
    assert image.shape[1] == 900 and image.std() > 5
    messages = shown.widget()._ngl_msg_archive
    (file,) = [m["args"][0] for m in messages if m["methodName"] == "loadFile"]
    sent = [float(line[60:66]) for line in file["data"].splitlines() if line.startswith("ATOM")]
    np.testing.assert_allclose(sent, 1000 * density.ravel(), atol=0.01)
    (ball,) = [
        m["kwargs"]
        for m in messages
        if m["methodName"] == "addRepresentation" and m["args"][0] == "spacefill"
    ]
    assert ball["colorScheme"] == "bfactor" and ball["colorDomain"] == [50, 100]


def test_a_page_gets_the_atoms_as_numbers_beside_the_image(ring):
    InteractiveShell.instance()
    with capture_output() as captured:
        structure_view.view(ring, repeat=(2, 1, 1))._ipython_display_()
    (output,) = captured.outputs
    data = output.data[structure_view.MIME]
    (frame,) = data["frames"]
    assert data["symbols"] == "Zn N Zn N"
    assert places(frame)[:2].tolist() == [[300, 500, 500], [700, 500, 500]]
    assert frame["cell"][0] == [20, 0, 0] and data["unit_cell"][0] == [10, 0, 0]


def test_a_large_cell_turns_without_its_hydrogen():
    water = molecule("H2O", vacuum=1.0)
    for repeat, symbols in (((10, 10, 10), {"O", "H"}), ((11, 10, 10), {"O"})):
        large = water.repeat(repeat)
        for shown in (structure_view.view(large), structure_view.movie({"300 K": large})):
            data = shown.data()
            assert set(data["symbols"].split()) == symbols
            assert len(places(data["frames"][0])) == len(data["symbols"].split())


def test_a_page_refuses_a_cell_that_its_numbers_do_not_reach():
    far = Atoms("HH", positions=[[0, 0, 0], [0, 0, -400]], cell=[500, 500, 500])
    with pytest.raises(Unfit, match="400 A from the origin"):
        structure_view.view(far).data()


def test_a_movie_has_a_frame_for_each_stage_and_a_strip_of_three():
    stages = {f"{T} K": molecule("H2O", vacuum=2.0) for T in (300, 600, 900, 1200)}
    stages["1200 K"].positions += 0.5
    shown = structure_view.movie(stages, title="heated")
    frames = shown.data()["frames"]
    assert [f["name"] for f in frames] == list(stages)
    np.testing.assert_allclose(places(frames[3]) - places(frames[0]), 50, atol=1)
    assert pixels(shown.png()).shape[1] == 900
    assert len(shown.widget()._trajlist) == 1


@pytest.mark.parametrize(
    "frames, message",
    [
        ({}, "no frame"),
        ({"a": Atoms("HO"), "b": Atoms("OH")}, "the atoms of frame 'b' are not those of 'a'"),
    ],
)
def test_a_movie_of_nothing_or_of_other_atoms_is_refused(frames, message):
    with pytest.raises(ValueError, match=message):
        structure_view.movie(frames)
