"""A small project with one chapter that has one cell for everything a page can show."""

import shutil

from conftest import REPOSITORY, percent

CHAPTER = "01_gallery"


def project(root):
    """A project of this chapter and of the pages around the real ones, in ``root``."""
    for name in ("notebooks", "data/profiles"):
        (root / name).mkdir(parents=True)
    shutil.copytree(REPOSITORY / "book", root / "book")
    for name in ("structures", "bench"):
        shutil.copytree(REPOSITORY / "data" / name, root / "data" / name)
    recipes = [f"data/{name}.yaml" for name in ("paper", "sets", "potentials", "runs")]
    for name in ("Snakefile", "_config.yml", "CITATION.cff", *recipes):
        shutil.copy(REPOSITORY / name, root / name)
    for page in (root / "book").glob("*.md"):
        if page.stem not in ("form", "status", "cite", "changelog", "figures", "references"):
            page.unlink()
    (root / "book/index.md").write_text(INDEX)
    pages = "form status cite changelog figures references"
    (root / "_toc.yml").write_text(
        f"format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/{CHAPTER}\n"
        + "".join(f"- file: book/{page}\n" for page in pages.split())
    )
    (root / "data/profiles/small.yaml").write_text(f"{CHAPTER}: {{count: 3}}\n")
    (root / f"notebooks/{CHAPTER}.py").write_text(percent(*CELLS))
    return root


INDEX = """\
# A gallery

Everything a page can show, in [one chapter](../notebooks/01_gallery.ipynb).

% generated: structure Znim2-ABW

% generated: findings

% generated: figure fig-density

See {numref}`fig-density` and {numref}`tbl-rates`.
"""

CELLS = (
    "# %% [markdown]\n# # 1 Gallery\n# A framework of imidazolate melts.",
    '# %% tags=["parameters"]\n'
    "count: int = 2  # [-] 1..9 | how many seeds\n"
    'names: list[str] = ["a"]  # [-] any | words\n'
    'structure: str = "Znim2-ABW"  # [-] ZIF-4, Znim2-ABW | a cell\n'
    "shown: bool = True  # [-] True, False | whether",
    '# %% tags=["imports"]\n'
    "import numpy as np\nimport pandas as pd\nfrom IPython.display import Markdown\n\n"
    "from helpers import structures\n"
    "from helpers.report import claims, interactive, structure_view, style, tables",
    "# %% [markdown]\n# ## What turns",
    '# %%\n"""\nA cell without output, folded."""\natoms = structures.load(structure)\n'
    'print("[reused] build/runs/some-run")\nprint("a line that stays")',
    "# %%\n#| label: fig-cell\n#| caption: The cell.\n#| alt: A cell of zinc and imidazolate.\n"
    "structure_view.view(atoms, repeat=(2, 1, 1), title=structure)",
    "# %%\n#| label: fig-movie\n#| caption: Three stages of a run.\n"
    "#| alt: The cell at three temperatures.\n"
    "rng = np.random.default_rng(1)\nframes = {}\n"
    "for T in (300, 600, 900):\n    moved = atoms.copy()\n"
    "    moved.positions += rng.normal(scale=T / 6000, size=moved.positions.shape)\n"
    '    frames[f"{T} K"] = moved\n'
    'structure_view.movie(frames, title="heated")',
    "# %%\n#| label: fig-boxes\n#| caption: Local density in boxes.\n#| alt: Balls in a grid.\n"
    "structure_view.boxes(rng.uniform(0.05, 0.1, (3, 3, 3)), np.diag([10.0, 10, 10]))",
    "# %% [markdown]\n# ## What is looked into",
    "# %%\n#| label: fig-density\n"
    "#| caption: Density against temperature, a line for each seed. The dashed line\n"
    "#|   is the paper: the crystal.\n"
    "#| alt: Two falling lines for each of two rates.\n"
    "T = np.arange(300, 2100, 20.0)\n"
    "table = pd.concat(\n"
    '    pd.DataFrame({"rate": f"{q} K/ps", "seed": s, "temperature_K": T,\n'
    '        "density_g_cm3": 1.2 - 0.2 / (1 + np.exp((1400 - T) / 50)) + 0.01 * s + q / 5000,\n'
    '        "enthalpy_eV_per_atom": 3 * 8.617e-5 * T})\n'
    "    for q in (20, 100) for s in range(1, count))\n"
    "interactive.lines(\n"
    '    table, "temperature_K", ["density_g_cm3", "enthalpy_eV_per_atom"],\n'
    '    by=["rate", "seed"], levels={"paper": 0.95}, bands={"low density": (1400, 1550)})',
    "# %%\n#| label: fig-means\n#| caption: Seven runs of each rate behind their mean.\n"
    "#| alt: Two falling lines.\n"
    "one = table[table['seed'] == 1]\n"
    "seeds = pd.concat(one.assign(seed=s) for s in ('mean', *map(str, range(7))))\n"
    'behind = [(rate, str(s)) for rate in one["rate"].unique() for s in range(7)]\n'
    'y = "density_g_cm3"\n'
    'interactive.lines(seeds, "temperature_K", y, by=["rate", "seed"], behind=behind)',
    "# %%\n#| label: fig-rdf\n#| caption: g(r) at three temperatures.\n#| alt: Peaks.\n"
    "r = np.linspace(0, 8, 200)\n"
    "curves = pd.concat(\n"
    '    pd.DataFrame({"T": t, "r": r, "g": np.exp(-((r - 2) ** 2) * 800 / t)})\n'
    "    for t in (300, 600, 900))\n"
    'interactive.slider(curves, "r", "g", step="T",\n'
    '    labels={"r": ("r", "A"), "g": ("g(r)", "-"), "T": ("temperature", "K")})',
    "# %%\n#| label: fig-maps\n#| caption: Maps of a density.\n#| alt: Squares.\n"
    'interactive.maps({f"{t} K": rng.uniform(size=(4, 5)) for t in (300, 900)}, (5.0, 5.0))',
    "# %% [markdown]\n# ## Plain figures and tables\n#\n"
    "# $$ a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q $$\n#\n"
    "# ### `helpers.observables.coordination_number`",
    "# %%\n_, ax = style.axes(('temperature', 'K'), ('density', 'g/cm3'))\n"
    "ax.plot(T, 1.2 - T / 1e4, label='a line')\nax.legend()",
    "# %%\n#| label: fig-panels\n#| caption: Three panels.\n#| alt: Lines.\n"
    "_, panels = style.axes(('T', 'K'), ('density', 'g/cm3'), ncols=3)\n"
    "for ax in panels:\n    ax.plot(T, 1.2 - T / 1e4)",
    "# %%\n#| label: tbl-rates\n#| caption: Rates.\n"
    'pd.DataFrame({"rate (K/ps)": [1.0, 2.0], "density (g/cm3)": ["1.2 +- 0.1", "1.1"]})',
    '# %%\ntables.facts({f"a rather long name of entry {k}": k for k in range(30)})',
    '# %%\nfor k in range(40):\n    print("line", k)',
    "# %% [markdown]\n# ## What this chapter found",
    "# %%\n"
    'Markdown(claims.markdown([claims.Finding("Claim (1), accurate", "cannot tell yet",\n'
    '    "it is called accurate.", "nothing was judged.")]))',
)
