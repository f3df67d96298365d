"""What several test modules need: one thread, no display, tiny runs, a project of two chapters."""

import contextlib
import fcntl
import os
import shutil
import signal
import textwrap
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's job in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest
import yaml

from helpers import (
    paths,
    provenance,
    settings,
)

pytest.register_assert_rewrite("lj_runs")
REPOSITORY = Path(__file__).resolve().parents[1]

#: Modules that take minutes, the longest first: begun last, one of them would run alone at the end.
LONG = (
    "book/test_chapters.py", "test_slurm.py", "md/test_resume.py", "book/test_render.py",
    "potentials/test_training.py", "recipes/test_sets.py", "recipes/test_potentials.py",
    "md/test_heating.py", "md/test_reaxff.py", "validation/test_ensemble.py", "test_shipped.py",
    "benchmarks/test_md.py", "benchmarks/test_training.py", "recipes/test_runs.py",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """The long modules first; pytest-xdist hands out modules in this order (see the Makefile)."""
    rank = {REPOSITORY / "tests" / name: k for k, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path, len(LONG)))


def percent(*cells: str) -> str:
    """A py:percent notebook of these cells, under the header every chapter has."""
    header = textwrap.dedent("""\
        # ---
        # jupyter:
        #   jupytext:
        #     text_representation:
        #       extension: .py
        #       format_name: percent
        #   kernelspec:
        #     display_name: Python 3
        #     language: python
        #     name: python3
        # ---
        """)
    return header + "\n" + "\n\n".join(textwrap.dedent(cell).strip() for cell in cells) + "\n"


@pytest.fixture(scope="session")
def lennard_jones():
    """make(n, ...) -> n rattled and strained cells of 68 atoms with Lennard-Jones labels.

    Between all atoms alike: not chemistry, but energy, forces and stress that belong together. With
    the defaults a C-H bond has its length and its stiffness (57 epsilon / sigma^2 = 31 eV/A^2).
    """
    from ase.calculators.lj import LennardJones
    from ase.calculators.singlepoint import SinglePointCalculator

    from helpers import structures

    start = structures.load("Znim2-ABW")

    def make(n, *, seed=7, strain=0.02, rattle=0.02, sigma=0.96, epsilon=0.5):
        rng = np.random.default_rng(seed)
        images = []
        for _ in range(n):
            atoms = start.copy()
            deformation = np.eye(3) + strain * rng.normal(size=(3, 3))
            atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
            atoms.rattle(rattle, rng=rng)
            calculator = LennardJones(sigma=sigma, epsilon=epsilon, rc=5.0, smooth=True)
            atoms.calc = calculator
            labels = {k: calculator.get_property(k, atoms) for k in ("energy", "forces", "stress")}
            atoms.calc = SinglePointCalculator(atoms, **labels)
            images.append(atoms)
        return images

    return make


@pytest.fixture(scope="session")
def images(lennard_jones):
    """30 cells with Lennard-Jones labels, each warmer than the last."""
    images = lennard_jones(30)
    for i, atoms in enumerate(images):
        atoms.info = {"temperature_K": 300.0 + 10 * i, "step": i, "strain": 0.0}
    return images


@pytest.fixture(scope="session")
def calculator():
    """The Lennard-Jones calculator that labelled the 30 cells."""
    from ase.calculators.lj import LennardJones

    return LennardJones(sigma=0.96, epsilon=0.5, rc=5.0, smooth=True)


@pytest.fixture
def extxyz(images, tmp_path):
    """An extended XYZ file of these 30 cells."""
    import ase.io

    path = tmp_path / "trajectory.extxyz"
    ase.io.write(path, images)
    return path


@pytest.fixture
def system(extxyz):
    """These 30 cells as a system of dpdata."""
    from helpers.frames import formats

    return formats.from_extxyz(extxyz)


@pytest.fixture
def set_to():
    """set_to(build=..., root=...): other settings until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda **values: stack.enter_context(settings.use(**values))


@pytest.fixture
def own_data(tmp_path, set_to):
    """write("sets.yaml", table): a data/ like the shipped one, with this file in place of its own.

    The text of a file may be given in place of a table.
    """
    folder = tmp_path / "own-data"

    def like(place, original):
        place.mkdir()
        for entry in original.iterdir():
            (place / entry.name).symlink_to(entry)

    def write(name, content):
        if not folder.exists():
            like(folder, paths.DATA)
            set_to(data=folder)
        file = folder / name
        if file.parent.is_symlink():
            original = file.parent.resolve()
            file.parent.unlink()
            like(file.parent, original)
        file.unlink(missing_ok=True)
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        file.write_text(text)
        return file

    return write


def with_tables(build, made=REPOSITORY / "build"):
    """A build/ with the forms of potentials and the compiled loops at hand: a minute each time."""
    build.mkdir(parents=True, exist_ok=True)
    for kind in ("compressed", "fused", "kernels"):
        (made / kind).mkdir(parents=True, exist_ok=True)
        (build / kind).symlink_to(made / kind)
    return build


@pytest.fixture
def kept_elsewhere(tmp_path, monkeypatch, set_to):
    """What is kept goes to a fresh build/, where the tables of dp compress are those at hand."""
    set_to(build=with_tables(tmp_path, paths.BUILD))
    monkeypatch.setattr(
        provenance,
        "find",
        lambda kind, recipe, find=provenance.find: next(
            (d for d in [find(kind, recipe)] if d and d.is_relative_to(tmp_path)), None
        ),
    )


@pytest.fixture
def build(tmp_path, set_to):
    """An empty build/."""
    set_to(build=tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """made_once(name, make) -> a folder that make(folder) has filled, in one process of them all.

    The processes of pytest-xdist have folders of their own in one; what is dear is made there by
    who asks first, and the others wait for it. It is to be read, not changed.
    """
    common = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = common.parent

    def made(name, make):
        folder, finished = common / name, common / f"{name}.made"
        with open(common / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not finished.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
                folder.mkdir()
                make(folder)
                finished.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def potential(made_once):
    """The file of a tiny potential of a Lennard-Jones solid, structures to heat beside it."""
    import lj_runs

    return made_once("lj", lj_runs.train) / "frozen_model.pb"


@pytest.fixture(scope="session")
def whole(potential, made_once):
    """(run, directory) of a triclinic run by it."""
    import lj_runs

    from helpers.md import heating

    heated = lj_runs.heating_run(
        potential, "triclinic.extxyz", heating_rate_K_per_ps=100.0, equilibration_ps=0.2
    )

    def make(folder):
        with settings.use(build=folder):
            heating.run(heated, compress=False)

    with settings.use(build=made_once("whole", make)):
        return heated, heating.find(heated).directory


@pytest.fixture
def notebook(tmp_path):
    """write(*cells, name="01_tiny") -> path of a notebook made of these cells."""

    def write(*cells, name="01_tiny"):
        file = tmp_path / f"{name}.py"
        file.write_text(percent(*cells))
        return file

    return write


def tiny_project(root):
    """A project of two chapters, two helpers, one data file and one profile, in ``root``.

    ``01_first`` imports ``helpers.addition`` and reads data/numbers/<numbers>.txt, ``02_second``
    imports ``helpers.power``, which imports ``helpers.addition`` inside a function.
    """
    for name in ("notebooks", "book", "data/profiles", "data/numbers"):
        (root / name).mkdir(parents=True)
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(REPOSITORY / name, root / name)
    shutil.copytree(REPOSITORY / "book/_static", root / "book/_static")
    shutil.copy(REPOSITORY / "book/references.bib", root / "book")  # _config.yml names it
    shutil.copytree(
        REPOSITORY / "src/helpers",
        root / "src/helpers",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    write = {
        "_toc.yml": "format: jb-book\nroot: book/index\nchapters:\n"
        "- file: notebooks/01_first\n- file: notebooks/02_second\n",
        "book/index.md": "# A tiny book\n\nTwo chapters: {doc}`/notebooks/01_first` and "
        "[the other](../notebooks/02_second.ipynb).\n",
        "data/numbers/few.txt": "1 2 3\n",
        "data/profiles/small.yaml": "01_first: {count: 3}\n02_second: {exponent: 2.0}\n",
        "src/helpers/addition.py": "def add(a, b):\n    return a + b\n",
        "src/helpers/deep/__init__.py": "",
        "src/helpers/deep/down/__init__.py": "",
        "src/helpers/deep/down/factor.py": "ONE = 1\n",
        "src/helpers/power.py": "from helpers.deep.down import factor\n\n\n"
        "def square(x):\n    from . import addition\n"
        "    return addition.add(0, factor.ONE * x * x)\n",
        "notebooks/01_first.py": percent(
            "# %% [markdown]\n# # First\n# It adds.",
            '# %% tags=["parameters"]\n'
            "count: int = 2  # [-] 1..9 | how many numbers\n"
            'numbers: str = "few"  # [-] few | file of data/numbers',
            "# %%\nfrom helpers import addition, paths\n"
            "text = (paths.DATA / 'numbers' / f'{numbers}.txt').read_text()\n"
            "total = sum(map(int, text.split()[:count]))\nprint(addition.add(total, 0))",
            "# %%\nimport matplotlib.pyplot as plt\nplt.plot([1, 2, 3]);",
        ).replace(
            "#   kernelspec:",
            "#   zif4:\n#     data: ['data/numbers/{numbers}.txt']\n#   kernelspec:",
        ),
        "notebooks/02_second.py": percent(
            "# %% [markdown]\n# # Second\n# It multiplies.",
            '# %% tags=["parameters"]\nexponent: float = 1  # [-] 0..4 | the power',
            "# %%\nimport helpers.power\nprint(helpers.power.square(3) ** exponent)",
        ),
    }
    for name, text in write.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def use(root, monkeypatch):
    """Let ``helpers.paths``, here and in child processes, point to this project."""
    for variable in settings.VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("ZIF4_ROOT", str(root))
    monkeypatch.setenv("PYTHONPATH", str(root / "src"))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A fresh tiny project, in use."""
    root = tiny_project(tmp_path / "project")
    use(root, monkeypatch)
    return root


@pytest.fixture(scope="module")
def lj_project(tmp_path_factory, lennard_jones):
    """An empty data/ and build/, with one set of 24 frames called ``lj``."""
    import ase.io

    from helpers.recipes import sets

    root = tmp_path_factory.mktemp("project")
    images = lennard_jones(24, seed=3, strain=0.01, rattle=0.03, sigma=1.2, epsilon=0.05)
    ase.io.write(root / "lj.extxyz", images)
    with settings.use(root=root):
        sets.pack(
            root / "lj.extxyz",
            "lj",
            description="Lennard-Jones",
            sampling={"rattle_A": 0.03},
            level_of_theory="LJ",
            source="tests",
            n_blocks=4,
            validation_share=0.25,
            force_bound=1e3,
        )
        yield root


@pytest.fixture(scope="module")
def lj_recipe():
    """A network that trains in seconds."""
    from helpers.potentials import training

    return training.Recipe(
        sets=("lj",), steps=120, sel=(24, 24, 20, 8), neuron=(4, 8), axis_neuron=4,
        fitting=(16, 16), learning_rate=(5e-3, 1e-4),
    )  # fmt: skip
