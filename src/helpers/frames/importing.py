"""The user's own calculations, or a published record of them, as a set to train on.

OUTCAR, vasprun.xml, CP2K output and extended XYZ are read through dpdata
(:mod:`helpers.frames.formats`),
checked, freed of copies, split by blocks and written in DeePMD-kit's layout.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from helpers import paths, provenance
from helpers.errors import AlreadyThere, NotThere, Unfit, Unreachable
from helpers.frames import checks, dataset, formats

#: CP2K trajectories of ZIF-4 behind the reference: crystal, liquid and glass, 60-80 ps each.
PUBLIC_TRAJECTORIES = "10.5281/zenodo.10015593"

_WANTED = {
    "C-H force constant (eV/A^2)": "about 30",
    "energy against work of the forces": "1",
    "energy against work of the virial": "1",
}


def labelled_files(source: Path, fmt: str | None = None) -> list[tuple[Path, str]]:
    """The files to import below a folder with their formats, in natural order, or the file itself.

    Of an OUTCAR and a vasprun.xml in one folder the latter is taken: it has more digits. Files
    of no known format are passed over. A format that has folders of its own (fmt
    ``cp2k/aimd_output``) gets the folder as it is.

    Raises
    ------
    FileNotFoundError
        there is no such file or folder.
    dataset.BadFrames
        nothing to import is in it.
    """
    source = Path(source)
    if not source.exists():
        raise NotThere(f"{source} does not exist; name files or folders to import")
    if source.is_file() or fmt not in (None, *formats.FORMATS):
        return [(source, fmt or formats.guess_format(source))]
    found = {}
    for file in sorted(source.rglob("[!.]*"), key=_natural):
        try:
            found[file] = formats.guess_format(file) if file.is_file() else ""
        except dataset.BadFrames:
            continue
    precise = {file.parent for file, form in found.items() if form == "vasp/xml"}
    result = [
        (file, form) for file, form in found.items()
        if form and fmt in (None, form)
        and not (fmt is None and form == "vasp/outcar" and file.parent in precise)
    ]  # fmt: skip
    if not result:
        raise dataset.BadFrames(
            f"{source} holds no OUTCAR, vasprun.xml, CP2K output or extended XYZ; name files, and "
            f"their format if it is another one of dpdata"
        )
    return result


def _natural(file: Path) -> list[tuple[int, str]]:
    """Sorts run2 before run10."""
    parts = re.split(r"(\d+)", str(file))
    return [(int(part) if part.isdigit() else -1, part) for part in parts]


def import_set(
    sources: Sequence[Path | str],
    name: str,
    *,
    fmt: str | None = None,
    virial: bool = True,
    drop: bool = False,
    near_copy: float = 0.02,
    n_blocks: int = 10,
    validation_share: float = 0.2,
    level_of_theory: str = "",
    overwrite: bool = False,
    calculator=None,
    **limits,
) -> Path:
    """The user's files -> the checked set ``build/frames/<name>``; returns its directory.

    sources: files, folders, or ``doi:<DOI>`` of a data record. Frames are joined in the order of
    the files; copies of earlier frames (`checks.copies` within ``near_copy``, A) are left
    out; validation gets whole blocks of what remains (:func:`dataset.split_blocks`). virial: False
    lets files without it in. drop: leave unconverged and refused frames out instead of refusing
    all. calculator, limits: passed on to :func:`checks.check`, which here also tests the laws
    that bind the labels. What was left out, and why, is said and kept in the provenance.

    Raises
    ------
    FileExistsError
        another set has this name and ``overwrite`` is not given, or it is a shipped one.
    FileNotFoundError, ConnectionError
        a source is not there.
    dataset.BadFrames
        see :func:`formats.import_labelled` and :func:`checks.check`; files of different
        composition; fewer than two frames are left.
    """
    if re.fullmatch(r"[\w.+-]+", name) is None:
        raise Unfit(f"{name!r} is no name of a set; use letters, digits, '-', '_', '+', '.'")
    places = [fetch(s[4:]) if str(s).startswith("doi:") else Path(s) for s in sources]
    files = [found for place in places for found in labelled_files(place, fmt)]
    hashes = [provenance.sha256(file) for file, _ in files]
    recipe = {
        "files": [[digest, form] for digest, (_, form) in zip(hashes, files, strict=True)],
        "virial": virial, "drop": drop, "near_copy_A": near_copy, "n_blocks": n_blocks,
        "validation_share": validation_share, "limits": limits,
    }  # fmt: skip
    target = paths.made("frames", name)
    if paths.shipped("frames", name).exists():
        raise AlreadyThere(f"{name!r} is a shipped set; give yours another name")
    if target.exists() and not overwrite:
        finished = (target / provenance.FILE).is_file()
        if finished and provenance.read(target)["key"] == provenance.key(recipe):
            provenance.announce("reused", target, "the same files were imported before")
            return target
        raise AlreadyThere(
            f"{paths.relative(target)} exists and is of other files or options; give another name "
            f"or say overwrite=True (zif4 import --overwrite)"
        )
    system, origin, dropped = _read_all(files, virial, drop)

    def leave_out(bad: np.ndarray, why: str) -> None:
        nonlocal system, origin
        dropped.extend({"file": origin[i][0], "frame": origin[i][1], "why": why}
                       for i in np.flatnonzero(bad))  # fmt: skip
        provenance.announce("left out", target, f"{bad.sum()} of {len(bad)} frames: {why}")
        system = system.sub_system(np.flatnonzero(~bad))
        origin = [o for o, out in zip(origin, bad, strict=True) if not out]

    if dropped:
        provenance.announce("left out", target, f"{len(dropped)} frames: not converged")
    for within, what in ((checks.SAME, "copies"), (near_copy, "near-copies")):
        if (bad := checks.copies(system, within) >= 0).any():
            leave_out(bad, f"{what} of earlier frames (closer than {within:g} A)")
    while drop and len(system):
        judged = checks.objections(system, virial=virial, laws=True, **limits)
        if not (frames_of := [(text, bad) for text, bad in judged if bad is not None]):
            break
        leave_out(frames_of[0][1], frames_of[0][0])
    if len(system) < 2:
        raise dataset.BadFrames(
            f"{len(origin)} frame is left of {len(origin) + len(dropped)}, a set needs two; import "
            f"more files" + (f" or lower near_copy ({near_copy:g} A)" if near_copy else "")
        )
    checks.check(system, virial=virial, laws=True, calculator=calculator, **limits)
    lacks = [] if "virials" in system.data else ["virial"]
    if lacks:
        provenance.announce("without virial", target, "what is trained on this set alone knows no "
                            "pressure; do not use it in NPT")  # fmt: skip
    measured = dict(
        zip(
            _WANTED,
            [checks.ch_stiffness(system), *checks.work_balance(system)["slope"]],
            strict=True,
        )
    )
    measured = {k: None if np.isnan(v) else round(float(v), 3) for k, v in measured.items()}
    dataset.save(
        system, target,
        dataset.split_blocks(len(system), min(n_blocks, len(system)), validation_share),
        description=f"{len(system)} frames imported from {len(files)} files", recipe=recipe,
        inputs={_label(file): h for (file, _), h in zip(files, hashes, strict=True)},
        formats={_label(file): form for file, form in files}, level_of_theory=level_of_theory,
        dropped=dropped, lacks=lacks, laws=measured, overwrite=overwrite,
    )  # fmt: skip
    provenance.announce("made", target, f"{len(system)} frames of {system.get_natoms()} atoms")
    for law, value in measured.items():
        shown = "these frames cannot tell" if value is None else f"{value:g}"
        print(f"  {law}: {shown} (wanted: {_WANTED[law]})", flush=True)
    return target


def _label(file: Path) -> str:
    return f"{file.resolve().parent.name}/{file.name}"


def _read_all(files, virial: bool, drop: bool):
    """All frames, for each of them (file, index in the file), and what did not converge."""
    systems, origin, dropped = [], [], []
    for file, form in tqdm(files, desc="read", unit="file", disable=len(files) < 2):
        unconverged = [] if drop else None
        try:
            system = formats.import_labelled(file, form, virial=virial, unconverged=unconverged)
        except formats.Unconverged:
            if not drop:
                raise
            dropped.append({"file": _label(file), "frame": None, "why": "not converged"})
            continue
        if systems and system["atom_numbs"] != systems[0]["atom_numbs"]:
            raise dataset.BadFrames(
                f"{file} holds {system.formula}, the files before it {systems[0].formula}; one set "
                f"holds one composition: import them under two names, chapter 2 trains on both"
            )
        dropped += [{"file": _label(file), "frame": i, "why": "not converged"}
                    for i in unconverged or ()]  # fmt: skip
        whole = range(len(system) + len(unconverged or ()))
        origin += [(_label(file), i) for i in whole if i not in (unconverged or ())]
        systems.append(system)
    if not systems:
        raise dataset.BadFrames("none of the files holds a converged frame")
    return dataset.joined(systems), origin, dropped


def fetch(doi: str = PUBLIC_TRAJECTORIES) -> Path:
    """Folder with all files of a data record (Zenodo ...), each held to the record's checksum.

    Downloaded by pooch into ``build/downloads``; files that are there and whole stay.

    Raises
    ------
    ConnectionError
        the record or one of its files cannot be had, or its content is not what it should be.
    """
    import pooch

    folder = paths.downloads(doi)
    registry = folder / "registry.txt"
    shelf = pooch.create(path=folder, base_url=f"doi:{doi}/")
    try:
        if not registry.is_file():
            shelf.load_registry_from_doi()
            lines = [f"{shlex.quote(file)} {known}\n" for file, known in shelf.registry.items()]
            folder.mkdir(parents=True, exist_ok=True)
            registry.write_text("".join(lines))
        shelf.load_registry(registry)
        for file in shelf.registry:
            shelf.fetch(file, progressbar=True)
    except (OSError, ValueError) as error:
        raise Unreachable(
            f"doi:{doi} cannot be fetched ({type(error).__name__}: {error}); where there is no "
            f"network, download https://doi.org/{doi} elsewhere and import the folder"
        ) from error
    return folder
