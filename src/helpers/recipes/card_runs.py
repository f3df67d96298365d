"""Heating runs made on a machine with a graphics card: packed here, made there, taken back.

What is done there is `helpers.md.graphics_card`: the same LAMMPS, the forces by the card. A run
that was begun here goes on there from its last restart file. One that comes back finished is
checked and closed as if it had been made here; one that is not goes on by ``zif4 run NAME``, or is
packed again.
"""

from __future__ import annotations

import io
import json
import lzma
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from helpers import paths, processes, provenance
from helpers.errors import NotThere, Unfit
from helpers.md import (
    force_field,
    fused,
    graphics_card,
    heating,
    lammps,
    lammps_input,
    protocol,
    resume,
    thermo,
    trajectory,
)
from helpers.recipes import catalogue
from helpers.structures import TYPE_MAP

NEW_GROUP = "+"
MOST_ATOMS = 32 * 272  # of all runs of a group that are under way together
_SKIN_A = 3.0  # LAMMPS' own lists serve the wall between two Zn alone
_REACH_A = 2.0
_NO_FORCES = [f"pair_style zero {_REACH_A}", "pair_coeff * *"]
_PROGRESS = "progress.json"
_NOTHING = {"seconds": 0.0, "md_seconds": 0.0, "md_steps": 0, "sessions": 0}


def forces(heating_run: protocol.HeatingRun) -> list[str]:
    """LAMMPS' input lines of a potential whose forces come from the card.

    Parameters
    ----------
    heating_run : HeatingRun
        The run.

    Returns
    -------
    list of str
        The lines, in metal units.
    """
    wall = heating_run.force_field.zinc_wall_A
    lines = list(_NO_FORCES)
    if wall:
        style, nuclei = force_field.zinc_wall(wall)
        zinc = TYPE_MAP.index("Zn") + 1
        lines = [
            f"pair_style hybrid/overlay zero {_REACH_A} {style}",
            "pair_coeff * * zero",
            f"pair_coeff {zinc} {zinc} zbl {nuclei}",
        ]
    return [
        *lines,
        "fix card all external pf/callback 1 1",
        "fix_modify card energy yes virial yes",
    ]


def pack(names: Sequence[str], target: Path) -> list[dict]:
    """Write the file of some runs that `helpers.md.graphics_card.main` makes.

    A run that goes on from another of them is made behind it; one that goes on from a run that is
    finished here starts from its end. One that was begun here goes on from its last restart file.

    Parameters
    ----------
    names : sequence of str
        Names of runs in ``data/runs.yaml``, all by one potential, those first that are to be begun
        first. Runs of the same atoms are evaluated together, each step as fast as the slowest;
        a ``+`` between names begins a new group, for runs that are long.
    target : Path
        The file, ``.tar.xz``.

    Returns
    -------
    list of dict
        The groups, as `helpers.md.graphics_card.shared` wants them, with their ``jobs``.

    Raises
    ------
    BadRecipe
        There is no such run.
    NotThere
        A run goes on from one that is neither among them nor here.
    Unfit
        The runs are of several potentials, or of one that the card cannot evaluate.
    """
    plans = {name: catalogue.run_recipe(name) for name in names if name != NEW_GROUP}
    potentials = {plan.potential for plan in plans.values()}
    if len(potentials) != 1:
        raise Unfit(
            f"the runs are by {', '.join(sorted(potentials))}; pack one potential at a time"
        )
    weights = fused.weights(potentials.pop())
    groups: dict[tuple, dict] = {}
    begun: dict[str, int] = {}
    part = 0
    with tempfile.TemporaryDirectory() as work, tarfile.open(target, "w:xz", preset=0) as archive:
        for name in names:
            if name == NEW_GROUP:
                part += 1
                continue
            plan = plans[name]
            if plan.ensemble or plan.force_field.atom_style != "atomic":
                raise Unfit(f"{name} has an ensemble or no deep potential: make it here")
            atoms = protocol.structure(plan)
            count = Counter(atoms.get_chemical_symbols())
            of_type = [count[symbol] for symbol in TYPE_MAP]
            group = groups.setdefault(
                (part, *of_type), {"atoms": len(atoms), "of_type": of_type, "jobs": []}
            )
            begun[name], restart = _begun(plan)
            start = Path(work) / f"{name}.data"
            if begun[name]:
                group["jobs"].append(f"runs/{name}")
                _add(archive, f"runs/{name}/restart.{begun[name]}", restart)
            else:
                _place(name, plan, plans, group["jobs"], start)
                if not plan.after:
                    lammps.write_data(start, atoms, "atomic", plan.hydrogen_mass_u)
                if start.exists():
                    archive.add(start, f"runs/{name}/start.data")
            script = lammps_input.script(plan, begun[name], forces=forces(plan), skin_A=_SKIN_A)
            _add(archive, f"runs/{name}/in.card", script.encode())
        for group in groups.values():
            group["places"] = max(1, min(len(group["jobs"]), MOST_ATOMS // group["atoms"]))
        about = {
            "groups": list(groups.values()),
            "keys": {name: provenance.key(plan.recipe()) for name, plan in plans.items()},
            "begun": begun,
        }
        _add(archive, "jobs.json", json.dumps(about, indent=1).encode())
        archive.add(weights, "weights.bin")
        for file in Path(graphics_card.__file__).with_name("native").glob("card*"):
            archive.add(file, file.name)
    return list(groups.values())


def _begun(plan: protocol.HeatingRun) -> tuple[int, bytes]:
    """Step and content of the restart file from which a run goes on that was begun here; or 0."""
    directory = provenance.directory("runs", plan.name, plan.recipe())
    if not directory.is_dir():
        return 0, b""
    with provenance.lock(directory), resume.no_orphan(directory):
        step = resume.rewind(directory, plan)
        return step, _restart(plan, directory / f"restart.{step}", step) if step else b""


def _restart(plan: protocol.HeatingRun, file: Path, step: int) -> bytes:
    """A restart file that LAMMPS reads without DeePMD-kit, which that of a run made here names."""
    content = file.read_bytes()
    if b"deepmd" not in content:
        return content
    lines = lammps_input.script(plan, step, forces=_NO_FORCES).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("run "))
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / file.name).write_bytes(content)
        (Path(work) / "in").write_text("\n".join([*lines[:start], "write_restart written\n"]))
        done = subprocess.run(
            [*lammps.command(1), "-in", "in"],
            cwd=work,
            env=lammps.environment(1),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Unfit(f"{file} cannot be read by LAMMPS; {processes.last_lines(done.stdout)}")
        return (Path(work) / "written").read_bytes()


def _place(name: str, plan, plans: dict, jobs: list[str], start: Path) -> None:
    """Put a run into a line of jobs: one of its own, or that of the run from which it goes on."""
    if plan.after:
        before = next((n for n, other in plans.items() if other == plan.after), None)
        for number, line in enumerate(jobs):
            if before and f"runs/{before}" in [word.split("<")[0] for word in line.split()]:
                jobs[number] = f"{line} runs/{name}<runs/{before}"
                return
        found = heating.find(plan.after)
        if not found:
            raise NotThere(
                f"{name} goes on from a run that is not here; pack that too, named before it"
            )
        heating.go_on(found.directory, start)
    jobs.append(f"runs/{name}")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def take(folder: Path) -> dict[str, str]:
    """Put the runs that came back where they are found, and close the finished ones.

    Parameters
    ----------
    folder : Path
        Folder of ``facts.json`` and ``runs*.npz``.

    Returns
    -------
    dict of str to str
        Name -> what became of it.

    Raises
    ------
    NotThere
        The folder has no facts.
    Unfit
        A run was packed by another recipe, potential or structure than it has now; or not all
        files came back.
    """
    if not (folder / "facts.json").is_file():
        raise NotThere(f"{folder} holds no facts.json; name the folder that came back")
    facts = json.loads((folder / "facts.json").read_text())
    files = sorted(folder.glob("runs*.npz"))
    if len(files) != facts["files"]:
        raise Unfit(
            f"{folder} holds {len(files)} of {facts['files']} files of runs; fetch the others"
        )
    outcome, whole = {}, []
    for name, content in _contents(files).items():
        outcome[name] = _put(name, content, facts)
        if not outcome[name]:
            whole.append(name)
        else:
            print(f"{name}: {outcome[name]}", flush=True)
    for name in sorted(whole, key=_depth):  # a run is closed after the one that it goes on from
        made = heating.run(catalogue.run_recipe(name), ranks=1, threads=1, keep_exploded=True)
        outcome[name] = f"finished, {paths.relative(made.directory)}"
        print(f"{name}: {outcome[name]}", flush=True)
    return outcome


def _contents(files: list[Path]) -> dict[str, dict[str, bytes]]:
    """Run -> file -> what it holds, put together from the pieces in which it travelled."""
    pieces: dict[tuple[str, str], dict[int, bytes]] = {}
    for file in files:
        with np.load(file) as came:
            for key in came.files:
                name, packed, number = key.split("/")
                pieces.setdefault((name, packed), {})[int(number)] = came[key].tobytes()
    found: dict[str, dict[str, bytes]] = {}
    for (name, packed), parts in sorted(pieces.items()):
        found.setdefault(name, {})[packed] = b"".join(parts[n] for n in sorted(parts))
    return found


def _depth(name: str) -> int:
    plan, depth = catalogue.run_recipe(name), 0
    while plan.after:
        plan, depth = plan.after, depth + 1
    return depth


def _put(name: str, content: dict[str, bytes], facts: dict) -> str:
    """Put one run where it is found; what is to be said of it, nothing if it is whole."""
    plan = catalogue.run_recipe(name)
    recipe = plan.recipe()
    if facts["keys"].get(name) != provenance.key(recipe):
        raise Unfit(f"{name} was packed by another recipe than it has now; pack and make it again")
    if found := heating.find(plan):
        return f"is here already, {paths.relative(found.directory)}"
    directory = provenance.directory("runs", plan.name, recipe)
    first = facts["begun"].get(name, 0)
    with provenance.lock(directory), resume.no_orphan(directory):
        steps = [step for step, _ in resume.restarts(directory)]
        if first and first not in steps:
            return f"went on from step {first}, whose restart file is not here any more: left out"
        if max(steps, default=0) > first:
            return f"came farther here: remove {paths.relative(directory)} to take this one"
        before = json.loads((directory / _PROGRESS).read_text()) if first else _NOTHING
        card = _steps_by_the_card(directory)
        resume.cut(directory, plan, first)
        for packed, data in content.items():
            if packed == "trajectory.xz":
                _append(directory / trajectory.FILE, graphics_card.trajectory_text(data))
            elif packed == "lammps.out.xz":
                _append(directory / "lammps.log", lzma.decompress(data))
            elif packed == "thermo.csv.xz":
                _append(directory / thermo.FILE, lzma.decompress(data))
            elif packed.startswith(("restart.", "end.")):
                (directory / packed.removesuffix(".xz")).write_bytes(lzma.decompress(data))
        written = resume.written(directory)
        whole = [
            step
            for step, _ in resume.restarts(directory)
            if not resume.lacking(plan, step, *written)
        ]
        step = max(whole, default=0)
        seconds = facts["seconds"]  # of all, where a run was killed before it could say
        if "card.seconds.xz" in content:
            seconds = float(lzma.decompress(content["card.seconds.xz"]))
        state = {
            "step": step,
            "seconds": before["seconds"] + seconds,
            "md_seconds": before["md_seconds"] + seconds,
            "md_steps": before["md_steps"] + step - first,
            "sessions": before["sessions"] + 1,
        }
        provenance.write_text(directory / _PROGRESS, json.dumps(state))
        by = {"device": facts["device"], "steps": card + step - first}
        provenance.write_text(directory / heating.CARD, json.dumps(by))
    if step < plan.total_steps:
        why = lzma.decompress(content.get("card.error.xz", lzma.compress(b""))).decode().strip()
        ended = f" ({why})" if why else ""
        return f"came to step {step} of {plan.total_steps}{ended}; zif4 run {name} goes on"
    return ""


def _steps_by_the_card(directory: Path) -> int:
    """How many steps of a run that was begun a card has made already."""
    file = directory / heating.CARD
    return json.loads(file.read_text())["steps"] if file.is_file() else 0


def _append(file: Path, data: bytes) -> None:
    with open(file, "ab") as target:
        target.write(data)
