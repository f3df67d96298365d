"""Views of structures: a still image on every page, and an nglview widget in a live notebook.

A static page has no kernel and may be read offline, so that the image is always included.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Mapping

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import natural_cutoffs, neighbor_list
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from helpers.errors import Unfit
from helpers.report import style

MIME = "application/vnd.zif4.structure+json"
#: atoms above which a page turns a cell without its hydrogen: a third fewer, and a tangle less
LARGE = 3000
_FARTHEST_A = 327.0  # positions are 16-bit numbers of 0.01 A
_SLABS = 24  # back to front; finer slabs change nothing that can be seen
_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])


def view(
    atoms: Atoms,
    *,
    repeat: tuple[int, int, int] = (1, 1, 1),
    title: str = "",
    interactive: bool | None = None,
) -> StructureView:
    """Show a structure as the result of a notebook cell.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    repeat : (int, int, int)
        Number of repetitions along a, b and c.
    title : str
        Title of the image.
    interactive : bool, optional
        Whether to show the nglview widget next to the image; by default if a notebook front-end is
        present.

    Returns
    -------
    StructureView
        Displayed by Jupyter.

    Raises
    ------
    Unfit
        There are no atoms, or a repetition is below 1.
    """
    return StructureView(atoms, repeat, title, front_end() if interactive is None else interactive)


class StructureView:
    """A structure to be displayed by Jupyter, from ``view``.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    repeat : (int, int, int)
        Number of repetitions along a, b and c.
    title : str
        Title of the image.
    interactive : bool
        Whether to show the widget next to the image.

    Raises
    ------
    Unfit
        There are no atoms, or a repetition is below 1.
    """

    def __init__(self, atoms: Atoms, repeat=(1, 1, 1), title: str = "", interactive: bool = False):
        if len(atoms) == 0:
            raise Unfit("there is no atom to show; load a structure first")
        if len(repeat) != 3 or min(repeat) < 1:
            raise Unfit(f"repeat is {tuple(repeat)}; give three whole numbers >= 1")
        self.atoms = atoms.repeat(tuple(int(n) for n in repeat))
        self.unit_cell = np.array(atoms.cell)
        self.title = title
        self.interactive = interactive

    def png(self, width: int = 900) -> bytes:
        """The still image.

        Parameters
        ----------
        width : int
            Width, pixels.

        Returns
        -------
        bytes
            PNG.
        """
        return still(self.atoms, unit_cell=self.unit_cell, title=self.title, width=width)

    def widget(self):
        """The nglview widget, with the edges of the cell.

        Returns
        -------
        nglview.NGLWidget
            The widget.
        """
        import nglview  # takes a second and needs ipywidgets: only where it is shown

        return _as_balls(nglview.show_ase(self.atoms))

    def data(self) -> dict:
        """What the page's script draws from.

        Returns
        -------
        dict
            ``kind``, ``title``, ``symbols`` in one text, ``colours`` of the elements,
            ``unit_cell`` (A), and ``frames``, each with its name, cell (A) and positions: three
            16-bit numbers for each atom, in 0.01 A, as base64. More than `LARGE` atoms are given
            without hydrogen.

        Raises
        ------
        Unfit
            An atom is farther from the origin than these numbers go.
        """
        shown = _drawn(self.atoms)
        return {
            "kind": "atoms",
            "title": self.title,
            "symbols": " ".join(shown.get_chemical_symbols()),
            "colours": style.ELEMENT_COLOURS,
            "unit_cell": self.unit_cell.round(3).tolist(),
            "frames": [_frame(self.title, shown)],
        }

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if self.interactive:
            display(self.widget())
        display(
            {
                "image/png": base64.b64encode(self.png()).decode(),
                MIME: self.data(),
                "text/plain": repr(self),
            },
            metadata={"image/png": {"width": 560}},
            raw=True,
        )

    def __repr__(self) -> str:
        return f"StructureView({self.atoms.get_chemical_formula()}, {len(self.atoms)} atoms)"


def movie(
    frames: Mapping[str, Atoms], *, title: str = "", interactive: bool | None = None
) -> MovieView:
    """Show frames of a run as the result of a notebook cell.

    Parameters
    ----------
    frames : sequence of ase.Atoms
        The frames.
    title : str
        Title of the image.
    interactive : bool, optional
        As for ``view``.

    Returns
    -------
    MovieView
        Displayed by Jupyter.
    """
    return MovieView(frames, title, front_end() if interactive is None else interactive)


class MovieView(StructureView):
    """Frames of a run to be displayed by Jupyter, from ``movie``.

    The still image has its first, middle and last frame.

    Parameters
    ----------
    frames : mapping of str to ase.Atoms
        Name -> frame, in order of time; all of the same atoms.
    title : str
        Title of the image.
    interactive : bool
        Whether to show the widget next to the image.

    Raises
    ------
    Unfit
        There is no frame, or the frames differ in their atoms.
    """

    def __init__(self, frames: Mapping[str, Atoms], title: str = "", interactive: bool = False):
        if not frames:
            raise Unfit("a movie has no frame; give at least one as name -> atoms")
        (name, first), *others = frames.items()
        for other, atoms in others:
            if not np.array_equal(atoms.numbers, first.numbers):
                raise Unfit(
                    f"the atoms of frame {other!r} are not those of {name!r}; "
                    "a movie shows the same atoms in the same order"
                )
        super().__init__(first, (1, 1, 1), title, interactive)
        self.frames = dict(frames)

    def png(self, width: int = 900) -> bytes:
        names = list(self.frames)
        chosen = dict.fromkeys([names[0], names[len(names) // 2], names[-1]])
        each = [
            Image.open(
                io.BytesIO(still(self.frames[n], title=n, width=width // len(chosen), legend=False))
            )
            for n in chosen
        ]
        strip = Image.new("RGB", (sum(e.width for e in each), max(e.height for e in each)), "white")
        left = 0
        for one in each:
            strip.paste(one, (left, strip.height - one.height))
            left += one.width
        target = io.BytesIO()
        strip.save(target, format="png")
        return target.getvalue()

    def data(self) -> dict:
        whole = super().data()
        frames = [_frame(name, _drawn(atoms)) for name, atoms in self.frames.items()]
        return whole | {"frames": frames, "unit_cell": None}

    def widget(self):
        import nglview

        return _as_balls(nglview.NGLWidget(nglview.ASETrajectory(list(self.frames.values()))))


def _as_balls(widget):
    """An nglview widget with balls, sticks and the edges of the cell, without perspective."""
    widget.clear_representations()
    widget.add_ball_and_stick()
    widget.add_unitcell()
    widget.camera = "orthographic"
    return widget


def boxes(density, cell, *, title: str = "", interactive: bool | None = None) -> BoxView:
    """Show a local density as spheres at the centres of its boxes.

    Parameters
    ----------
    density : (nx, ny, nz) array
        Number density, atoms/A^3 (``LocalDensity.map``).
    cell : (3, 3) array
        A.
    title : str
        Title of the image.
    interactive : bool, optional
        As for ``view``.

    Returns
    -------
    BoxView
        Displayed by Jupyter.
    """
    return BoxView(density, cell, title, front_end() if interactive is None else interactive)


class BoxView(StructureView):
    """A local density to be displayed by Jupyter, from ``boxes``: a coloured sphere in each box.

    Parameters
    ----------
    density : (nx, ny, nz) array
        Number density, atoms/A^3.
    cell : (3, 3) array
        A.
    title : str
        Title of the image.
    interactive : bool
        Whether to show the widget next to the image.
    """

    def __init__(self, density, cell, title: str = "", interactive: bool = False):
        self.density = np.asarray(density, float)
        at = np.stack(
            np.meshgrid(*[(np.arange(n) + 0.5) / n for n in self.density.shape], indexing="ij"),
            axis=-1,
        ).reshape(-1, 3)
        atoms = Atoms(f"He{len(at)}", scaled_positions=at, cell=cell, pbc=True)
        atoms.set_array("bfactor", 1000 * self.density.ravel())  # PDB keeps two decimals
        super().__init__(atoms, (1, 1, 1), title, interactive)

    def png(self, width: int = 900) -> bytes:
        """The still image with a colour bar.

        Parameters
        ----------
        width : int
            Width, pixels.

        Returns
        -------
        bytes
            PNG.
        """
        turn = _rotation(-75.0, 20.0)
        place = self.atoms.positions @ turn.T
        edges = _edges(np.array(self.atoms.cell)) @ turn.T
        order = np.argsort(place[:, 2])  # far ones first
        figure = Figure(figsize=(width / 100, width / 120), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        ax = figure.add_subplot()
        ax.set_aspect("equal")
        ax.axis("off")
        ax.set_title(self.title, loc="left", fontsize=15)
        ax.add_collection(LineCollection(list(edges[..., :2]), colors="black", linewidths=0.8))
        near = place[order, 2] - place[:, 2].min()
        size = 0.35 * (self.atoms.get_volume() / len(place)) ** (1 / 3)
        balls = EllipseCollection(
            *[np.full(len(place), 2 * size) * (0.75 + 0.25 * near / max(near.max(), 1.0))] * 2,
            np.zeros(len(place)),
            units="xy",
            offsets=place[order, :2],
            offset_transform=ax.transData,
            cmap="cividis",
            edgecolors="white",
            linewidths=0.5,
        )
        balls.set_array(self.density.ravel()[order])
        ax.add_collection(balls)
        ax.autoscale_view()
        figure.colorbar(balls, ax=ax, shrink=0.6, label=style.label("local density", "1/Å³"))
        target = io.BytesIO()
        figure.savefig(target, format="png")
        return target.getvalue()

    def data(self) -> dict:
        values = self.density.ravel()
        frame = _frame(self.title, self.atoms) | {"values": values.round(5).tolist()}
        radius = 0.35 * (self.atoms.get_volume() / len(self.atoms)) ** (1 / 3)
        return super().data() | {"kind": "boxes", "radius": round(radius, 2), "frames": [frame]}

    def widget(self):
        """The nglview widget, with the edges of the cell.

        Returns
        -------
        nglview.NGLWidget
            The widget.
        """
        import nglview

        widget = nglview.show_ase(self.atoms)
        widget.clear_representations()
        values = self.atoms.get_array("bfactor")
        widget.add_spacefill(
            color_scheme="bfactor",
            color_scale=["#00204d", "#7c7b78", "#ffea46"],
            color_domain=[float(values.min()), float(values.max())],
            radius=1.6,
        )
        widget.add_unitcell()
        widget.camera = "orthographic"
        return widget


def still(
    atoms: Atoms,
    *,
    unit_cell: np.ndarray | None = None,
    title: str = "",
    width: int = 900,
    tilt_deg: tuple[float, float] = (-75.0, 20.0),
    legend: bool = True,
) -> bytes:
    """Image of a structure: atoms, bonds and cell edges in orthographic projection.

    Distant parts are paler. Bonds join pairs within 1.2 times the sum of their covalent radii;
    bonds through a face of the cell are not drawn.

    Parameters
    ----------
    atoms : ase.Atoms
        The structure.
    unit_cell : (3, 3) array, optional
        Cell to draw in bold inside that of ``atoms``, A.
    title : str
        Title of the image.
    width : int
        Width, pixels.
    tilt_deg : (float, float)
        Rotation about the x and then the y axis of the page, degrees; (0, 0) looks down c.
    legend : bool
        Whether to name the colours of the elements.

    Returns
    -------
    bytes
        PNG.
    """
    turn = _rotation(*tilt_deg)
    edges = [_edges(np.array(atoms.cell)) @ turn.T]
    if unit_cell is not None and not np.allclose(unit_cell, atoms.cell):
        edges.append(_edges(np.asarray(unit_cell)) @ turn.T)
    place = atoms.get_positions() @ turn.T
    bonds = _bonds(atoms)

    everything = np.concatenate([place, *(e.reshape(-1, 3) for e in edges)])
    low, high = everything.min(axis=0) - 1.0, everything.max(axis=0) + 1.0
    inches, header = width / 100, 0.55  # the header holds title and legend
    picture = inches * float(np.clip((high - low)[1] / (high - low)[0], 0.4, 1.6))
    figure = Figure(figsize=(inches, picture + header), dpi=100)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0.01, 0.01, 0.98, picture / (picture + header) - 0.01))
    ax.set_aspect("equal")
    ax.axis("off")
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    for lines, weight in zip(edges, (0.8, 2.0), strict=False):
        ax.add_collection(
            LineCollection(
                list(lines[..., :2]),
                colors="black",
                linewidths=weight,
                zorder=0 if weight < 1 else _SLABS + 3,
            )
        )

    colours = np.array(
        [to_rgb(style.ELEMENT_COLOURS.get(s, "#cc79a7")) for s in atoms.get_chemical_symbols()]
    )
    depth = place[:, 2].max() - place[:, 2]
    near = 1 - depth / max(depth.max(), 1.0)
    colours = 1 - (1 - colours) * (0.35 + 0.65 * near)[:, None]
    diameter = 0.8 * covalent_radii[atoms.numbers]
    scale = (high - low)[0] * 72 * inches * 0.98  # points per width of the axes
    bond_width = 0.22 * scale / (high - low)[0] ** 2
    slab = np.minimum((near * _SLABS).astype(int), _SLABS - 1)
    middles = place[bonds].mean(axis=1) if len(bonds) else np.empty((0, 3))
    for layer in range(_SLABS):
        for end in (0, 1):  # each half of a bond in the colour of its atom, drawn with it
            mine = slab[bonds[:, end]] == layer
            segments = np.stack([place[bonds[mine, end]], middles[mine]], axis=1)[..., :2]
            ax.add_collection(
                LineCollection(
                    segments,
                    colors=colours[bonds[mine, end]],
                    linewidths=bond_width,
                    capstyle="round",
                    zorder=layer + 1,
                )
            )
        mine = slab == layer
        ax.add_collection(
            EllipseCollection(
                diameter[mine],
                diameter[mine],
                np.zeros(mine.sum()),
                units="xy",
                offsets=place[mine, :2],
                offset_transform=ax.transData,
                facecolors=colours[mine],
                edgecolors="white",
                linewidths=0.3,
                zorder=layer + 1.5,
            )
        )
    if legend:
        _legend(ax, atoms, title)
    else:
        ax.set_title(title, loc="left", fontsize=15)
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    # balls in a few colours and their shades: a palette is a third of the file
    Image.open(drawn).convert("RGB").quantize(256).save(small, format="png", optimize=True)
    return small.getvalue()


def front_end() -> bool:
    """Whether a notebook with widgets (Jupyter, VS Code, Colab) is connected to this kernel.

    Kernels started by papermill and nbclient have none.

    Returns
    -------
    bool
        True if there is one.
    """
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    vscode = shell is not None and "__vsc_ipynb_file__" in shell.user_ns
    # set by jupyter_server for the kernels it starts
    return vscode or "google.colab" in sys.modules or bool(os.environ.get("JPY_SESSION_NAME"))


def _drawn(atoms: Atoms) -> Atoms:
    """What the page's script is given of a structure."""
    return atoms if len(atoms) <= LARGE else atoms[atoms.numbers != 1]


def _frame(name: str, atoms: Atoms) -> dict:
    """One frame as the page's script reads it."""
    if (farthest := float(np.abs(atoms.positions).max())) > _FARTHEST_A:
        raise Unfit(
            f"an atom of {name or 'the structure'} is {farthest:.0f} A from the origin; "
            f"a page turns what lies within {_FARTHEST_A:.0f} A: show a smaller cell"
        )
    steps = np.rint(100 * atoms.positions).astype("<i2")
    return {
        "name": name,
        "cell": np.array(atoms.cell).round(3).tolist(),
        "positions": base64.b64encode(steps.tobytes()).decode(),
    }


def _bonds(atoms: Atoms) -> np.ndarray:
    """Pairs (bonds, 2) of bonded atoms inside the cell as it is drawn."""
    first, second, shift = neighbor_list("ijS", atoms, natural_cutoffs(atoms, mult=1.2))
    inside = (first < second) & ~shift.any(axis=1)
    return np.stack([first[inside], second[inside]], axis=1)


def _edges(cell: np.ndarray) -> np.ndarray:
    """The twelve edges (12, 2, 3) of a cell."""
    pairs = [(a, b) for a in _CORNERS for b in _CORNERS if (b - a).sum() == 1 and (b >= a).all()]
    return np.array(pairs) @ cell


def _rotation(about_x_deg: float, about_y_deg: float) -> np.ndarray:
    x, y = np.radians([about_x_deg, about_y_deg])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    return about_y @ about_x


def _legend(ax, atoms: Atoms, title: str) -> None:
    symbols = list(dict.fromkeys(sorted(atoms.get_chemical_symbols())))
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            markersize=8,
            label=s,
            color=style.ELEMENT_COLOURS.get(s, "#cc79a7"),
        )
        for s in symbols
    ]
    ax.set_title(title, loc="left", fontsize=15)
    ax.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        frameon=False,
        fontsize=14,
        ncols=len(symbols),
    )
