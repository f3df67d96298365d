"""``zif4``: run a chapter, build the book, check it; make the data and potentials it stands on."""

from __future__ import annotations

import argparse
import io
import math
import os
import re
import shutil
import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from helpers import interrupts

if __name__ == "__main__":  # as snakemake calls it; `zif4` begins in `helpers.__main__`
    interrupts.leave_at_once()

# all else is imported by the command that needs it: `zif4 --help` is to be there at once
from helpers import errors, paths, processes, provenance, settings
from helpers.book import chapters
from helpers.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """The command line ``zif4``.

    An error that is not the user's is a bug and keeps its traceback.

    Parameters
    ----------
    arguments : list of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        Exit code: 0 when done, 1 with one line for each problem, 130 when interrupted.
    """
    with interrupts.noticed() as stopped:
        try:
            code = _done(arguments)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:  # whoever read has seen enough: `zif4 settings | head -1`
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what Python writes at its end
            return 1
        except Exception:
            if not stopped:
                raise
    with suppress(OSError):
        print(interrupts.SAID, file=sys.stderr, flush=True)
    return interrupts.CODE


def _done(arguments: list[str] | None) -> int:
    processes.end_with_leader()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal of ASCII shows ? for what it lacks
            stream.reconfigure(errors="replace")
    options = _parser().parse_args(arguments)
    for line in settings.misspelt():
        print(line, file=sys.stderr)
    try:
        processes.at_home(paths.BUILD / "home")
        if "profile" in options:
            chapters.known_profile(options.profile)
        return options.do(options)
    except UserError as error:
        return _refused(error)
    except OSError as error:
        if refusal := errors.of_disk(error):
            return _refused(refusal)
        raise


def _refused(error: UserError) -> int:
    print(error, file=sys.stderr, flush=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zif4", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name, do, text, *, chapter=False, profile=True):
        sub = commands.add_parser(name, help=text, description=text)
        if chapter:
            sub.add_argument("chapter", help="name of a notebook, e.g. 04_heating_rates")
        if profile:
            sub.add_argument("--profile", default="small", help="a file of data/profiles")
        sub.set_defaults(do=do)
        return sub

    sub = command("book", _book, "bring the book of a profile up to date and check it")
    sub.add_argument(
        "--jobs", type=_whole, default=1, help="chapters at a time; each may use all cores"
    )
    sub.add_argument("-n", "--dry-run", action="store_true", help="only say what is stale")
    sub = command("chapter", _chapter, "execute one chapter, with own parameters", chapter=True)
    sub.add_argument(
        "-p",
        dest="overrides",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a parameter; may be repeated",
    )
    command("parameters", _parameters, "list the parameters of a chapter", chapter=True)
    sub = command("frames", _frames, "make a set of labelled frames by its recipe", profile=False)
    sub.add_argument("name", help="an entry of data/sets.yaml")
    sub.add_argument("--again", action="store_true", help="make it even though it is shipped")
    for name, do, text in (
        ("potential", _potential, "train a potential by its recipe"),
        ("evaluate", _evaluate, "write the errors of a potential on every set: metrics.json"),
        ("ship", _ship, "put a potential that was trained here into data/potentials"),
    ):
        sub = command(name, do, text, profile=False)
        sub.add_argument("name", help="an entry of data/potentials.yaml")
    sub = command(
        "card",
        _card,
        "labels, trainings, runs on another machine with a graphics card: pack, take back",
        profile=False,
    )
    sub.add_argument(
        "what",
        choices=["structures", "labels", "job", "potential", "runs", "made"],
        help="structures: FILE for the sampled frames of the sets; labels: FILE of their labels; "
        "job: FILE for the training of a potential; potential: FILE is the folder of its result; "
        "runs: FILE for heating runs; made: FILE is the folder of what became of them",
    )
    sub.add_argument("file", type=Path, help="what is written, or what came back")
    sub.add_argument("names", nargs="*", help="sets, one potential, or runs; none for made")
    sub.add_argument("--seconds", type=_positive, help="job: time to fill instead of steps")
    for name, do, text in (
        ("run", _run, "make, resume or reuse a heating run by its name"),
        ("ship-run", _ship_run, "put a finished heating run into data/runs, thinned"),
    ):
        sub = command(name, do, text, profile=False)
        sub.add_argument("name", help="an entry of data/runs.yaml")
        if do is _run:
            sub.add_argument("--ranks", type=_whole, help="MPI ranks; without: found by a trial")
            sub.add_argument("--threads", type=_whole, help="threads of a rank")
        else:
            sub.add_argument("--megabytes", type=_positive, help="of its trajectory, at most")
    sub = command("runs", _runs, "make the heating runs of a profile, here or by Slurm")
    sub.add_argument("names", nargs="*", help="some of them; without: all")
    sub.add_argument(
        "--executor",
        choices=["local", "slurm"],
        default="local",
        help="local: one after the other; slurm: a job each, again until finished",
    )
    sub.add_argument("-n", "--dry-run", action="store_true", help="only say what each asks for")
    sub.add_argument(
        "--list",
        action="store_true",
        help="only list all runs of data/runs.yaml and which of them are finished",
    )
    sub = command("bench-train", _bench_train, "what a training step costs here", profile=False)
    sub.add_argument("--steps", type=_whole, default=400, help="of each training (400)")
    sub.add_argument("--every", type=_whole, default=100, help="steps an interval (100)")
    sub = command(
        "bench-md",
        _bench_md,
        "what a step of molecular dynamics costs here, by engine",
        profile=False,
    )
    sub.add_argument("--potential", default="atp", help="name of a potential (atp)")
    sub.add_argument("--seconds", type=_positive, default=240, help="of measuring, start-up apart")
    sub.add_argument("--cp2k", action="store_true", help="one PBE-D3 step, too (minutes)")
    sub.add_argument(
        "--fused", action="store_true", help="native and fused alone, at 272 and 2176 atoms"
    )
    sub.add_argument(
        "--engines",
        nargs="+",
        metavar="ENGINE",
        help="these alone, beside what is measured (from an environment that has them)",
    )
    sub = command(
        "bench-timestep",
        _bench_timestep,
        "how long a step of molecular dynamics may be: what is kept, and who holds the heat",
        profile=False,
    )
    sub.add_argument("--potential", default="atp", help="name of a potential (atp)")
    sub.add_argument("--ps", type=_positive, default=10, help="at constant energy, of each (10)")
    sub.add_argument("--seeds", type=_whole, default=1, help="of every setting (1)")
    sub = command(
        "bench-analysis",
        _bench_analysis,
        "what an analysis costs, beside other codes",
        profile=False,
    )
    sub.add_argument("--frames", type=_whole, default=1000, help="of the full analysis (1000)")
    sub.add_argument("--rounds", type=_whole, default=5, help="calls of each contender (5)")
    sub = command(
        "bench-nets",
        _bench_nets,
        "nets of several shapes: errors by phase against the cost of a step",
        profile=False,
    )
    sub.add_argument("names", nargs="*", help="of settings; without: all, in their order")
    sub.add_argument("--steps", type=_whole, default=3000, help="of each training (3000)")
    sub.add_argument("--cost", action="store_true", help="time a step of dynamics of each instead")
    sub = command(
        "validate", _validate, "one check of a potential in use: made, or found", profile=False
    )
    sub.add_argument("check", choices=["volume", "labels", "elastic", "energy", "curvature"])
    sub.add_argument("model", help="a potential, or: reference")
    sub.add_argument("structure", help="name of a cell in data/structures")
    sub.add_argument("--hessian", help="for elastic: what `curvature` wrote, of a similar model")
    sub = command(
        "universal",
        _universal,
        "models of everything, untrained, on the CP2K frames of a framework",
        profile=False,
    )
    sub.add_argument("framework", nargs="?", default="ZIF-4", help="ZIF-4, Znim2-ABW ... (ZIF-4)")
    sub = command(
        "keep-generations",
        _keep_generations,
        "keep the errors of potentials whose weights are not shipped",
        profile=False,
    )
    sub.add_argument("names", nargs="+", help="names of potentials")
    sub = command("dft", _dft, "label the frames of data/dft again, by CP2K", profile=False)
    sub.add_argument(
        "--new",
        metavar="SYSTEM",
        help="instead label those frames of data/dft.yaml that are not in data/dft yet, and put "
        "them there, e.g. ZIF-4",
    )
    sub = command(
        "correction",
        _correction,
        "fit what CP2K adds to the reference: data/correction.yaml",
        profile=False,
    )
    sub.add_argument(
        "--compare",
        action="store_true",
        help="instead hold the laws against pair corrections: data/bench/corrections.json",
    )
    sub.add_argument(
        "--refit",
        action="store_true",
        help="fit to all frames of data/dft, not to those that the law names; trainings on "
        "corrected labels are others then",
    )
    sub = command(
        "import",
        _import,
        "own labelled frames -> build/frames/NAME, checked and split",
        profile=False,
    )
    sub.add_argument("name", help="what the set is called")
    sub.add_argument(
        "source",
        nargs="+",
        help="OUTCAR, vasprun.xml, CP2K output, extended XYZ, "
        "a folder of them, or doi:... of a record (Zenodo)",
    )
    sub.add_argument("--format", dest="fmt", help="of dpdata, where the file does not tell")
    sub.add_argument("--stoichiometry", choices=["any"], help="other than Zn(C3H3N2)2")
    sub.add_argument(
        "--no-virial", dest="virial", action="store_false", help="take files without stress"
    )
    sub.add_argument(
        "--drop",
        action="store_true",
        help="leave unconverged and refused frames out instead of refusing all",
    )
    sub.add_argument(
        "--near-copy",
        type=_share_of(None),
        default=0.02,
        metavar="A",
        help="displacement per atom below which frames are copies (0.02)",
    )
    sub.add_argument("--force-bound", type=_positive, default=30.0, metavar="eV/A")
    sub.add_argument("--pressure-bound", type=_positive, default=30.0, metavar="GPa")
    sub.add_argument(
        "--loose-atoms",
        type=_share_of(1.0),
        default=0.02,
        metavar="SHARE",
        help="of C and H that may miss a bond in every frame (0.02)",
    )
    for label in ("energy", "forces", "stress", "virial"):
        sub.add_argument(
            f"--{label}-key", metavar="KEY", help=f"of the {label} in extended XYZ files"
        )
    sub.add_argument(
        "--option",
        dest="options",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for the reader of another format of dpdata; may be repeated",
    )
    sub.add_argument("--n-blocks", type=_whole, default=10, help="blocks to split into (10)")
    sub.add_argument(
        "--validation-share", type=_share_of(1.0), default=0.2, help="of the blocks (0.2)"
    )
    sub.add_argument("--level-of-theory", default="", help="kept in the provenance")
    sub.add_argument(
        "--against",
        metavar="POTENTIAL",
        help="hold the virial to the strain derivative of this potential, e.g. atp",
    )
    sub.add_argument("--overwrite", action="store_true", help="replace a set of this name")
    sub = command(
        "settings", _settings, "what can be set from outside, and what is set", profile=False
    )
    sub.add_argument("--page", action="store_true", help="write the book's page of them")
    sub = command(
        "what-is-checked",
        _what_is_checked,
        "break sound frames, files, structures and trajectories, and tell what is said",
        profile=False,
    )
    sub.add_argument("--page", action="store_true", help="write the book's page of it")
    command("html", _html, "render the executed chapters of a profile")
    command("check", _check, "check the rendered book of a profile")
    command("pdf", _pdf, "print the rendered book of a profile into one PDF")
    return parser


_LARGEST = 2**31 - 1


def _whole(text: str) -> int:
    """A whole number from 1 up, of the command line, that fits where programs put it."""
    if not text.isdecimal() or not 1 <= int(text[:20]) <= _LARGEST:
        upto = f" to {_LARGEST}" if text.isdecimal() and text.strip("0") else " up"
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1{upto}")
    return int(text)


def _share_of(high: float | None):
    """A parser of numbers of the command line from 0 to ``high`` (None: open)."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (0 <= value < math.inf and (high is None or value <= high)):
            wanted = "a number from 0 up" if high is None else f"a number from 0 to {high:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return value

    return parse


def _positive(text: str) -> float:
    """A positive number of the command line."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return number


def _book(options) -> int:
    for chapter in chapters.names():  # refuse a bad profile before anything runs
        chapters.settings(chapter, options.profile)
    command = [
        "--snakefile",
        str(paths.ROOT / "Snakefile"),
        "--directory",
        str(paths.ROOT),
        "--config",
        f"profile={options.profile}",
        "--cores",
        str(options.jobs),
        "--nolock",
        "--rerun-incomplete",
        "--keep-going",
        "--rerun-triggers",
        "mtime",
        "params",
        "input",
        "code",
        "--max-checksum-file-size",
        "1000000000",  # content decides, not the date of a checkout
    ]
    if options.dry_run:
        return _snakemake(*command, "--dry-run", "--quiet", "host")
    # Held by this process and freed with it: snakemake's own lock outlives a `kill -9`. Chapters of
    # another profile that stand beside its own are that book's, too.
    made = {options.profile, *(other for other, _ in chapters.beside(options.profile))}
    with ExitStack() as held:
        for profile in sorted(made):
            held.enter_context(provenance.lock(paths.BUILD / profile))
        held.enter_context(_led())
        problems = paths.BUILD / options.profile / "problems.txt"
        problems.unlink(missing_ok=True)
        code = _snakemake(*command, "--quiet", "host", "reason", "progress", "rules")
        if code and problems.exists():
            print(problems.read_text(), end="", file=sys.stderr)
    if code:
        print(f"the book of profile {options.profile} was not built", file=sys.stderr)
        return 1
    from helpers.book import render

    print(f"the book: {paths.relative(render.html(options.profile) / 'index.html')}")
    return 0


@contextmanager
def _led():
    """Commands that are started meanwhile end with this process, killed or not."""
    before = dict(os.environ)
    os.environ |= processes.led_by_this()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def _snakemake(*arguments: str) -> int:
    """snakemake in this process (its imports and ours are half of an unchanged build).

    It keeps its records in the project, whatever `settings` say of results.

    It takes Ctrl-C for a failure like any other, so that is noticed here and handed on.
    """
    if not os.access(paths.ROOT, os.W_OK):
        raise errors.NoRoom(
            f"{paths.ROOT}: not yours to write to, and snakemake keeps its records there; clone "
            f"the project into a folder of your own"
        )
    from snakemake.cli import main as snakemake

    code = 0
    with interrupts.noticed() as stopped:
        try:
            snakemake(list(arguments))
        except SystemExit as end:
            code = int(end.code or 0)
        except FileNotFoundError as error:
            if os.sep in str(error.filename):
                raise
            raise errors.NotThere(
                f"there is no command {error.filename!r}, which snakemake calls; install it, or "
                f"put its folder into PATH"
            ) from error
    if stopped:
        raise KeyboardInterrupt
    return code


def _chapter(options) -> int:
    from helpers.book import execution

    try:
        own = dict(options.overrides)
        for s in chapters.settings(options.chapter, options.profile, own) if own else ():
            text = own.get(s.parameter.name, "[")
            if s.parameter.is_list and not text.strip().startswith("["):
                print(f"{s.parameter.name}: {text!r} is taken as the list {s.value!r}")
        file = execution.execute(options.chapter, options.profile, own)
    except chapters.ChapterError as error:
        _note(options.profile, error)
        raise
    print(paths.relative(file if not options.overrides else _standalone(file)))
    return 0


def _standalone(notebook: Path) -> Path:
    """A page to look at beside an executed notebook that is not part of the book."""
    import nbconvert
    import nbformat

    from helpers.book import page

    shown = nbformat.read(notebook, as_version=4)
    for cell in shown.cells:
        if cell.cell_type == "markdown":
            cell.source = page.without_roles(cell.source)
    named = {"metadata": {"name": notebook.stem}}
    text, _ = nbconvert.HTMLExporter().from_notebook_node(shown, named)
    notebook.with_suffix(".html").write_text(text)
    return notebook.with_suffix(".html")


def _parameters(options) -> int:
    for s in chapters.settings(options.chapter, options.profile):
        p = s.parameter
        print(
            f"{p.name}: {p.type} = {s.value!r} ({s.source})  [{p.unit}] {p.allowed} | "
            f"{p.description}"
        )
    return 0


def _frames(options) -> int:
    from helpers.recipes import sets

    print(paths.relative(sets.make(options.name, again=options.again)))
    return 0


def _potential(options) -> int:
    from helpers.recipes import potentials

    print(paths.relative(potentials.make(options.name)))
    return 0


def _card(options) -> int:
    from helpers.recipes import card_runs, graphics_card

    file, names = options.file, options.names
    if bool(names) == (options.what == "made"):
        raise errors.Unfit(
            "made takes no names, it has what came back"
            if names
            else f"{options.what} needs names: of sets, of a potential, or of runs"
        )
    if options.what == "runs":
        for group in card_runs.pack(names, file):
            lines, places = len(group["jobs"]), group["places"]
            print(f"{group['atoms']} atoms: {lines} lines of runs, {places} at a time")
    elif options.what == "made":
        card_runs.take(file)
    elif options.what == "structures":
        print(f"{paths.relative(file)}: {graphics_card.structures(names, file)} structures")
    elif options.what == "labels":
        for written in graphics_card.take_labels(names, file):
            print(paths.relative(written))
    elif len(names) > 1:
        raise errors.Unfit(f"one potential at a time, not {', '.join(names)}")
    elif options.what == "job":
        print(paths.relative(graphics_card.job(names[0], file, seconds=options.seconds or 0.0)))
    else:
        print(paths.relative(graphics_card.finish(names[0], file)))
    return 0


def _evaluate(options) -> int:
    from helpers.validation import accuracy

    for name, found in accuracy.evaluate(options.name).items():
        virial = found["virial_rmse_meV_per_atom"]  # None of a set without virials
        print(
            f"{name:20} {found['role']:10} {found['n_frames']:4} frames  "
            f"{found['energy_rmse_meV_per_atom']:7.2f} meV/atom  "
            f"{found['force_rmse_eV_per_A']:6.3f} eV/A  "
            f"{'-' if virial is None else format(virial, '.1f'):>6} meV/atom"
        )
    return 0


def _ship(options) -> int:
    from helpers.recipes import potentials

    print(paths.relative(potentials.ship(options.name)))
    return 0


def _run(options) -> int:
    from helpers.recipes import runs

    made = runs.run(options.name, ranks=options.ranks, threads=options.threads)
    print(paths.relative(made.directory))
    return 0


def _ship_run(options) -> int:
    from helpers.recipes import runs

    size = options.megabytes or runs.SHIPPED_MB
    print(paths.relative(runs.ship(options.name, megabytes=size).directory))
    return 0


def _runs(options) -> int:
    from helpers.book import jobs
    from helpers.recipes import catalogue, runs

    if options.list:
        for name in catalogue.run_names():
            print(_state_of_run(name))
        return 0
    names = list(jobs.of(options.profile, options.names))  # refuses before anything is made
    waiting = []
    for name in names:
        if found := runs.find(name):
            provenance.announce("reused", found.directory)
        else:
            waiting.append(name)
    if not waiting:
        return 0
    command = [
        "--snakefile",
        str(paths.ROOT / "runs.smk"),
        "--directory",
        str(paths.ROOT),
        "--executor",
        options.executor,
        "--config",
        f"profile={options.profile}",
        f"executor={options.executor}",
        f"names={' '.join(names)}",
        "--nolock",
        "--keep-going",
        *(["--jobs", str(len(waiting))] if options.executor == "slurm" else ["--cores", "all"]),
    ]
    if options.dry_run:
        return _snakemake(*command, "--dry-run", "--quiet", "host", "reason", "--", *waiting)
    if options.executor == "slurm" and re.search(r"\s", sys.executable):
        raise jobs.BadJob(
            f"{sys.executable} has a space in its path, at which the command of a job of Slurm "
            f"ends; move this folder to a path without one"
        )
    if options.executor == "slurm" and not shutil.which("sbatch"):
        raise jobs.BadJob(
            "no sbatch here: give this command on the login node of a cluster with "
            "Slurm, or leave --executor slurm out to compute on this machine"
        )
    local = options.executor == "local"  # a job of Slurm outlives whoever submitted it
    # locked, or one run would be submitted twice
    with provenance.lock(paths.made("runs")), _led() if local else nullcontext():
        code = _snakemake(*command, "--quiet", "host", "reason", "--", *waiting)
    for name in names:
        print(_state_of_run(name))
    return int(code or any(not runs.find(name) for name in names))


def _state_of_run(name: str) -> str:
    from helpers.potentials import store
    from helpers.recipes import catalogue, runs

    steps = catalogue.run_recipe(name).total_steps
    try:
        found = runs.find(name)
        state = paths.relative(found.directory) if found else "not finished here"
    except store.BadPotential as error:  # that of an earlier round, whose weights are not shipped
        state = f"not finished here: {str(error).partition(' (')[0].partition(';')[0]}"
    return f"{name:20s} {steps:8d} steps  {state}"


def _dft(options) -> int:
    from helpers.frames import cp2k
    from helpers.recipes import dft_frames

    if options.new:
        print(paths.relative(dft_frames.make(options.new)))
        return 0
    for system in cp2k.systems():
        print(paths.relative(cp2k.make(system)))
    return 0


def _bench_train(options) -> int:
    from helpers.benchmarks import record, training

    file = training.measure(steps=options.steps, display_every=options.every)
    table = record.training_table(record.read("training", file))
    print(table.round(3).to_string(index=False))
    print(paths.relative(file))
    return 0


def _bench_md(options) -> int:
    from helpers.benchmarks import fidelity, md, record

    if options.fused:
        chosen, file = md.WITHOUT_TENSORFLOW, record.made("fused")
        md.measure(file, potential=options.potential, seconds=options.seconds, chosen=chosen)
        table = record.md_table(record.read("fused", file))
        print(table.to_string(index=False, float_format="{:.4g}".format))
        print(paths.relative(file))
        return 0
    file = md.measure(
        potential=options.potential,
        seconds=options.seconds,
        cp2k=options.cp2k,
        chosen=options.engines and [md.Setting(name) for name in options.engines],
    )
    measured = record.read("md", file)
    print(record.md_table(measured).to_string(index=False, float_format="{:.4g}".format))
    for engine, reason in measured.get("absent", {}).items():
        print(f"{engine}: {reason}")
    print(paths.relative(file))
    if not options.engines:
        file = fidelity.measure(options.potential)
        exact = record.fidelity_table(record.read("fidelity", file))
        print(exact.to_string(index=False))
        print(paths.relative(file))
    return 0


def _bench_timestep(options) -> int:
    from helpers.benchmarks import record, timestep

    seeds = range(1, options.seeds + 1)
    file = timestep.measure(options.potential, ps=options.ps, seeds=seeds)
    print(record.timestep_table(record.read("timestep", file)).to_string(index=False))
    print(paths.relative(file))
    return 0


def _bench_analysis(options) -> int:
    os.environ["OMP_NUM_THREADS"] = "1"  # one core for every contender
    from helpers.benchmarks import analysis, record

    measured = analysis.measure(options.frames, options.rounds)
    print(analysis.report(measured))
    print(paths.relative(record.made("analysis")))
    return 0


def _bench_nets(options) -> int:
    from helpers.benchmarks import architectures

    names = options.names or tuple(architectures.SETTINGS)
    measure = architectures.measure_cost if options.cost else architectures.measure
    file = measure(names, options.steps)
    table = architectures.table(architectures.read(file))
    print(table.to_string(index=False, float_format="{:.3g}".format))
    print(paths.relative(file))
    return 0


def _validate(options) -> int:
    import numpy as np

    from helpers.validation import elastic, energy_conservation, equation_of_state, relaxation

    of = options.model, options.structure
    if options.check == "elastic":
        guess = None
        if options.hessian:
            try:
                guess = np.load(options.hessian)
            except (OSError, ValueError, EOFError) as error:
                raise errors.Unfit(
                    f"{options.hessian} is no array of numpy ({error}); give the file that "
                    f"`zif4 validate curvature` names"
                ) from error
        made = elastic.elastic_constants(*of, hessian=guess)
    elif options.check == "energy":
        made = energy_conservation.energy_in_time(*of)
    elif options.check == "curvature":
        made = relaxation.curvature(*of)
    else:
        labelled = options.check == "labels"
        made = equation_of_state.volume_curve(
            equation_of_state.relaxed_volumes(*of, labelled=labelled)
        )
    print(made if isinstance(made, Path) else made.round(3).to_string())
    return 0


def _universal(options) -> int:
    from helpers.validation import universal

    for name in universal.MODELS:
        folder = universal.beside_cp2k(name, options.framework)
        print(paths.relative(folder), universal.summary(universal.read(folder)))
    return 0


def _keep_generations(options) -> int:
    from helpers.validation import generations

    print(paths.relative(generations.keep(options.names)))
    return 0


def _correction(options) -> int:
    from helpers.frames import correction, pair_law

    if options.compare:
        print(paths.relative(pair_law.keep()))
        return 0
    print(paths.relative(correction.make(refit=options.refit)))
    for framework, law in correction.laws().items():
        print(
            f"{framework:12} {law.volumes[0]:.2f} to {law.volumes[1]:.2f} A^3/atom: "
            f"{law.energy(law.volumes)[0]:+.2f} to {law.energy(law.volumes)[1]:+.2f} meV/atom, "
            f"{law.pressure(law.volumes)[0]:+.3f} to {law.pressure(law.volumes)[1]:+.3f} GPa"
        )
        off = correction.residuals(framework)
        if off["since"].any():
            since = correction.score(off[off["since"]])
            print(
                f"  {off['since'].sum()} frames labelled since lie off it by "
                f"{since['energy_meV_per_atom']:.2f} meV/atom, {since['pressure_GPa']:.4f} GPa "
                "(root mean square)"
            )
    return 0


def _import(options) -> int:
    from helpers.frames import importing

    values = {k: v for k, v in vars(options).items() if k not in ("do", "source", "against")}
    values["keys"] = {
        label: values.pop(f"{label}_key") for label in ("energy", "forces", "stress", "virial")
    }
    values["options"] = importing.reader_options(values["options"])
    calculator = None
    if options.against:
        from deepmd.calculator import DP

        from helpers.potentials import store

        calculator = DP(store.load(options.against).file)
    importing.import_set(options.source, calculator=calculator, **values)
    return 0


def _settings(options) -> int:
    if options.page:
        page = paths.ROOT / "book" / "settings.md"
        print(paths.relative(provenance.write_text(page, settings.as_page())))
        return 0
    for name, value in settings.current():
        told = settings.variable(name) in os.environ
        print(f"{settings.variable(name)} = {value or 'not set'} ({'set' if told else 'default'})")
    return 0


def _what_is_checked(options) -> int:
    from helpers.book import what_is_checked

    text = what_is_checked.page()
    if options.page:
        print(paths.relative(provenance.write_text(what_is_checked.file(), text)))
    else:
        print(text, end="")
    return 0


def _html(options) -> int:
    from helpers.book import render

    try:
        render.build(options.profile)
    except chapters.BookError as error:
        _note(options.profile, error)
        raise
    return 0


def _pdf(options) -> int:
    from helpers.book import pdf

    print(paths.relative(pdf.write(options.profile)))
    return 0


def _check(options) -> int:
    from helpers.book import page_check, render

    folder = render.html(options.profile)
    try:
        figures = page_check.check(folder)
    except chapters.BookError as error:
        _note(options.profile, error)
        raise
    pages = len(render.pages_of(folder))
    print(f"{paths.relative(folder)}: {pages} pages, {figures} figures, all well")
    return 0


def _note(profile: str, error: Exception) -> None:
    """Keep a problem, for the last lines of `zif4 book`: snakemake's report is long."""
    folder = paths.BUILD / profile
    if folder.is_dir():  # else nothing of a book is here yet
        with open(folder / "problems.txt", "a") as file:
            file.write(f"{error}\n")


if __name__ == "__main__":
    sys.exit(main())
