"""The user's own calculations, or a published record of them, as a set to train on.

OUTCAR, vasprun.xml, CP2K output and extended XYZ are read through dpdata
(:mod:`helpers.frames.formats`),
checked, freed of copies, split by blocks and written in DeePMD-kit's layout.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml

from helpers import paths, provenance, waiting
from helpers.errors import AlreadyThere, NotThere, Unfit, Unreachable, UserError
from helpers.frames import checks, dataset, files, formats, laws, vasp

#: CP2K trajectories of ZIF-4 behind the reference: crystal, liquid and glass, 60-80 ps each.
PUBLIC_TRAJECTORIES = "10.5281/zenodo.10015593"

_WANTED = {
    "C-H force constant (eV/A^2)": "about 30",
    "energy against work of the forces": "1",
    "energy against work of the virial": "1",
    "virial against forces inside of molecules": "about 1",
}


def labelled_files(
    source: Path, fmt: str | None = None, passed_over: list[dict] | None = None
) -> list[tuple[Path, str]]:
    """The files to import below a folder with their formats, in natural order, or the file itself.

    Of an OUTCAR and a vasprun.xml of one name, as many steps and one energy the latter is taken: it
    has more digits. A folder of a molecular dynamics run of CP2K, or one in DeePMD-kit's layout, is
    taken as one. Files of no known format are passed over. If the format has folders of its own
    (``cp2k/md``), the folder is handed on as it is.

    Parameters
    ----------
    source : Path
        The file or folder.
    fmt : str, optional
        Format of the files to import; by default all known formats.
    passed_over : list of dict, optional
        Takes ``file`` and ``why`` of each file that was passed over.

    Returns
    -------
    list of (Path, str)
        Files, or folders of CP2K, and their formats.

    Raises
    ------
    NotThere
        There is no such file or folder.
    BadFrames
        Nothing to import is in the folder, or the file is of no known format.
    Unreadable
        The user may not read a file or a folder; as `files.head`.
    """
    try:
        return _labelled_files(Path(source), fmt, [] if passed_over is None else passed_over)
    except PermissionError as error:
        raise files.Unreadable(
            f"{error.filename or source} may not be read by you; get leave to (chmod -R u+rX), "
            f"or name the files and folders that you may read"
        ) from error
    except UserError:
        raise
    except OSError as error:
        raise files.Unreadable(
            f"{error.filename or source} cannot be read ({error.strerror}); name a file of frames, "
            f"or a copy on another disk"
        ) from error


def _labelled_files(source: Path, fmt: str | None, passed_over: list[dict]) -> list:
    if not source.exists():
        raise NotThere(f"{source} does not exist; name files or folders to import")
    if not (source.is_file() or source.is_dir()):
        raise files.Unreadable(
            f"{source} is neither a file nor a folder (a device or a pipe); write it into a file"
        )
    if fmt is None and (source / "type.raw").is_file():
        fmt = "deepmd/npy" if any(source.glob("set.*")) else "deepmd/raw"
    if source.is_file() or fmt not in (None, *formats.FORMATS):
        return [(source, fmt or formats.guess_format(source))]
    found, runs = {}, _cp2k_runs(source) if fmt is None else []
    for file in sorted(_below(source), key=_natural):
        if not file.is_file() or any(run in file.parents for run in runs):
            if file in runs:
                found[file] = formats.CP2K_MD[0]
            continue
        try:
            found[file] = formats.guess_format(file)
        except (Unfit, dataset.BadFrames):
            passed_over.append({"file": str(file.relative_to(source)), "why": "no known format"})
    if source in runs:
        found = {source: formats.CP2K_MD[0]}
    result = []
    for file, form in found.items():
        if fmt not in (None, form):
            why = f"is {form}"
        elif fmt is None and (twin := _more_precise(file, form, found)):
            why = f"{twin.name} beside it is of the same run and has more digits"
        else:
            result.append((file, form))
            continue
        passed_over.append({"file": str(file.relative_to(source)), "why": why})
    if not result:
        raise dataset.BadFrames(
            f"{source} holds no OUTCAR, vasprun.xml, CP2K output or extended XYZ; name files, and "
            f"their format if it is another one of dpdata"
        )
    return result


def _below(source: Path) -> list[Path]:
    """Files and folders below a folder that are not hidden, behind links too, each once.

    A folder that may not be read is an error: what is in it would be missing without a word.
    """

    def refused(error: OSError) -> None:
        raise error

    found, seen = [], set()
    for folder, folders, names in os.walk(source, onerror=refused, followlinks=True):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        true = os.path.realpath(folder)
        if true in seen:
            folders.clear()
            continue
        seen.add(true)
        found += [Path(folder) / name for name in (*folders, *names) if not name.startswith(".")]
    return found


def reader_options(texts: Sequence[str]) -> dict:
    """Options of a reader as the command line gives them.

    >>> reader_options(["begin=10", "restart=true"])
    {'begin': 10, 'restart': True}

    Parameters
    ----------
    texts : sequence of str
        Texts ``NAME=VALUE``, values as in YAML.

    Returns
    -------
    dict of str to object
        Name -> value.

    Raises
    ------
    Unfit
        A text is not ``NAME=VALUE``, or its value is no YAML.
    """
    result = {}
    for text in texts:
        name, given, value = text.partition("=")
        if not given or not name.isidentifier():
            raise Unfit(f"{text!r} is no option of a reader; write NAME=VALUE (begin=10)")
        try:
            result[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise Unfit(f"{text!r}: the value is not readable as YAML") from error
    return result


def _cp2k_runs(source: Path) -> list[Path]:
    """Folders with the files of a molecular dynamics run of CP2K."""
    folders = [source, *(folder for folder in _below(source) if folder.is_dir())]
    return [f for f in folders if any(f.glob("*-pos-*.xyz*")) and any(f.glob("*-frc-*.xyz*"))]


def _more_precise(file: Path, form: str, found: dict[Path, str]) -> Path | None:
    """The vasprun.xml beside an OUTCAR that is of the same run."""
    if form != "vasp/outcar":
        return None
    for other, its in found.items():
        beside = its == "vasp/xml" and other.parent == file.parent
        if beside and _run_of(other) == _run_of(file) and vasp.same_run(file, form, other, its):
            return other
    return None


def _run_of(file: Path) -> str:
    """What tells runs in one folder apart: OUTCAR_300K and vasprun_300K.xml are of one run."""
    name = files.plain_name(file).lower()
    return re.sub(r"[^a-z0-9]", "", re.sub(r"outcar|vasprun|\.xml$|\.out$", "", name))


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
    keys: Mapping[str, str] | None = None,
    options: Mapping | None = None,
    **limits,
) -> Path:
    """Import the user's files as the checked set ``build/frames/<name>``.

    Frames are joined in the order of the files; copies of earlier frames are left out; validation
    gets whole blocks of what remains (:func:`dataset.split_blocks`). What was left out, passed over
    or read otherwise than it is written, and why, is printed and kept in the provenance.

    Parameters
    ----------
    sources : sequence of Path or str
        Files, folders, or ``doi:<DOI>`` of a data record.
    name : str
        Name of the set: letters, digits and ``- _ + .``.
    fmt : str, optional
        Format of the files, see `formats.import_labelled`; by default guessed.
    virial : bool
        Whether virials are required; if not, they are left out.
    drop : bool
        Whether to leave out unconverged and refused frames instead of refusing all.
    near_copy : float
        Displacement below which a frame is a copy of an earlier one (`checks.copies`), A.
    n_blocks : int
        Number of blocks of the split.
    validation_share : float
        Share of the blocks that are for validation.
    level_of_theory : str
        Level of theory of the labels, for the provenance.
    overwrite : bool
        Whether to replace a set of this name that was made here.
    calculator : Calculator, optional
        See `checks.check`.
    keys : mapping of str to str, optional
        Keys of the labels of extended XYZ, see `extxyz.from_extxyz`.
    options : mapping of str to object, optional
        Options for the reader of the files.
    **limits
        Limits for `checks.check`, which here also tests the laws that bind the labels.

    Returns
    -------
    Path
        Directory of the set.

    Raises
    ------
    AlreadyThere
        The set is a shipped one, or one of other files or options and ``overwrite`` is not given.
    Unfit
        The name is no name of a set, or the share of validation frames is not between 0 and 1.
    NotThere
        A file or folder does not exist.
    Unreachable
        As `fetch`.
    BadFrames
        As `formats.import_labelled`, `checks.refuse_other_lengths` and `checks.check`; or the files
        differ in composition, or fewer than two frames are left.
    """
    if re.fullmatch(r"\w[\w.+-]*", name) is None:
        raise Unfit(
            f"{name!r} is no name of a set; use letters, digits, '_', and behind the first one "
            f"'-', '+', '.'"
        )
    if paths.shipped("frames", name).exists():
        raise AlreadyThere(f"{name!r} is a shipped set; give yours another name")
    if not all(str(s).strip() for s in sources):  # which would be the folder one stands in
        raise NotThere("one of the sources has an empty name; name files or folders (. is this)")
    places = [fetch(str(s)[4:]) if str(s).startswith("doi:") else Path(s) for s in sources]
    passed_over: list[dict] = []
    chosen = [found for place in places for found in labelled_files(place, fmt, passed_over)]
    chosen = list({file.resolve(): (file, form) for file, form in chosen}.values())
    labels = _labels([file for file, _ in chosen])
    hashes = [provenance.sha256(file) for file, _ in chosen]
    keys = {label: key for label, key in (keys or {}).items() if key}
    recipe = {
        "files": [[digest, form] for digest, (_, form) in zip(hashes, chosen, strict=True)],
        "virial": virial, "drop": drop, "near_copy_A": near_copy, "n_blocks": n_blocks,
        "validation_share": validation_share, "limits": limits,
        **({"keys": keys} if keys else {}), **({"options": dict(options)} if options else {}),
    }  # fmt: skip
    target = paths.made("frames", name)
    if target.exists() and not overwrite:
        finished = (target / provenance.FILE).is_file()
        if finished and provenance.read(target)["key"] == provenance.key(recipe):
            provenance.announce("reused", target, "the same files were imported before")
            return target
        raise AlreadyThere(
            f"{paths.relative(target)} exists and is of other files or options; give another name "
            f"or say overwrite=True (zif4 import --overwrite)"
        )
    if passed_over:
        told = "; ".join(f"{entry['file']}: {entry['why']}" for entry in passed_over[:3])
        provenance.announce("passed over", target, f"{len(passed_over)} files ({told}"
                            f"{' ...' if len(passed_over) > 3 else ''})")  # fmt: skip
    notes: list[dict] = []
    system, origin, dropped = _read_all(
        chosen, labels, virial, drop, notes, keys, dict(options or {})
    )
    for note in notes:
        provenance.announce("read", target, f"{note['file']}: {note['note']}")

    def leave_out(bad: np.ndarray, why: str) -> None:
        nonlocal system, origin
        dropped.extend({"file": origin[i][0], "frame": origin[i][1], "why": why}
                       for i in np.flatnonzero(bad))  # fmt: skip
        provenance.announce("left out", target, f"{bad.sum()} of {len(bad)} frames: {why}")
        system = system.sub_system(np.flatnonzero(~bad))
        origin = [o for o, out in zip(origin, bad, strict=True) if not out]

    checks.refuse_other_lengths(system)
    if dropped:
        provenance.announce("left out", target, f"{len(dropped)} frames: not converged")
    near = False
    for within, what in ((checks.SAME, "copies"), (near_copy, "near-copies")):
        of = checks.copies(system, within)
        if within == checks.SAME:
            _refuse_other_labels(system, of, origin)
        if (bad := of >= 0).any():
            near = within > checks.SAME
            leave_out(bad, f"{what} of earlier frames (closer than {within:g} A)")
    while drop and len(system):
        judged = checks.objections(system, virial=virial, laws=True, sources=_files(origin),
                                   **limits)  # fmt: skip
        if not (frames_of := [(text, bad) for text, bad in judged if bad is not None]):
            break
        leave_out(frames_of[0][1], frames_of[0][0])
    if len(system) < 2:
        raise dataset.BadFrames(
            f"{len(origin)} frame is left of {len(origin) + len(dropped)}, a set needs two; import "
            f"more files" + (f" or lower near_copy ({near_copy:g} A)" if near else "")
        )
    checks.check(system, virial=virial, laws=True, calculator=calculator,
                 sources=_files(origin), **limits)  # fmt: skip
    lacks = [] if "virials" in system.data else ["virial"]
    if lacks:
        provenance.announce("without virial", target, "what is trained on this set alone knows no "
                            "pressure; do not use it in NPT")  # fmt: skip
    inside = laws.molecular_virial(system)
    measured = _measured(system, inside)
    if measured["energy against work of the forces"] is None:
        energy = np.median(system["energies"])
        provenance.announce(
            "not judged", target, f"these frames lie too far apart to hold energies to forces: see "
            f"to it that {energy:.6g} eV is the energy of all {system.get_natoms()} atoms (not of "
            f"one, nor in another unit), or import some successive frames of the run with them"
        )  # fmt: skip
    if not lacks and not inside.judged:
        provenance.announce(
            "not judged", target, "these frames are too few or too cold to hold the stress to the "
            "forces: see to it that its sign (W = -V sigma) and the order of its six numbers are "
            "those of its format"
        )  # fmt: skip
    dataset.save(
        system, target,
        dataset.split_blocks(len(system), min(n_blocks, len(system)), validation_share),
        description=f"{len(system)} frames imported from {len(chosen)} files", recipe=recipe,
        inputs=dict(zip(labels, hashes, strict=True)),
        formats={label: form for label, (_, form) in zip(labels, chosen, strict=True)},
        level_of_theory=level_of_theory, imported=True, passed_over=passed_over, notes=notes,
        dropped=dropped, lacks=lacks, laws=measured, overwrite=overwrite,
    )  # fmt: skip
    provenance.announce("made", target, f"{len(system)} frames of {system.get_natoms()} atoms")
    for law, value in measured.items():
        shown = "these frames cannot tell" if value is None else f"{value:g}"
        print(f"  {law}: {shown} (wanted: {_WANTED[law]})", flush=True)
    return target


def _refuse_other_labels(system, of: np.ndarray, origin: Sequence[tuple[str, int]]) -> None:
    """Refuse a structure that is there twice with different labels: one of them would be lost."""
    for i in np.flatnonzero(of >= 0):
        energy = (system["energies"][i] - system["energies"][of[i]]) / system.get_natoms()
        force = np.abs(system["forces"][i] - system["forces"][of[i]]).max()
        if abs(energy) > 1e-3 or force > 0.1:
            (file, frame), (other, earlier) = origin[i], origin[of[i]]
            raise dataset.BadFrames(
                f"frame {frame} of {file} is the structure of frame {earlier} of {other} with "
                f"other labels (energies {1e3 * energy:.3g} meV/atom apart, forces up to "
                f"{force:.2g} eV/A): they are of two calculations; import one of them, or both "
                f"under two names"
            )


def _labels(found: Sequence[Path]) -> list[str]:
    """A short name for each file, folder and name, with as many folders as tell all apart."""
    parts = [file.resolve().parts for file in found]
    for depth in range(2, max(map(len, parts), default=2) + 1):
        labels = ["/".join(part[-depth:]) for part in parts]
        if len(set(labels)) == len(labels):
            break
    return labels


def _files(origin: Sequence[tuple[str, int]]) -> list[str]:
    return [file for file, _ in origin]


def _measured(system, inside: laws.MolecularVirial) -> dict[str, float | None]:
    """The laws in numbers; None where the frames cannot tell."""
    balance = laws.work_balance(system)
    known = balance["slope"].where(balance["error"] < 0.3)
    values = [laws.ch_stiffness(system), *known,
              inside.slope if abs(inside.correlation) > 0.7 else np.nan]  # fmt: skip
    return {
        law: None if np.isnan(value) else round(float(value), 3)
        for law, value in zip(_WANTED, values, strict=True)
    }


def _read_all(chosen, labels, virial: bool, drop: bool, notes: list[dict], keys, options: dict):
    """All frames, for each of them (file, index in the file), and what did not converge."""
    systems, origin, dropped = [], [], []
    shown = waiting.bar(chosen, desc="read", unit="file", disable=len(chosen) < 2)
    for (file, form), label in zip(shown, labels, strict=True):
        unconverged = [] if drop else None
        said: list[str] = []
        try:
            system = formats.import_labelled(
                file, form, virial=virial, unconverged=unconverged, notes=said,
                keys=keys if form == "extxyz" else None, **options,
            )  # fmt: skip
        except formats.Unconverged:
            if not drop:
                raise
            dropped.append({"file": label, "frame": None, "why": "not converged"})
            continue
        notes += [{"file": label, "note": note} for note in said]
        if systems and system["atom_numbs"] != systems[0]["atom_numbs"]:
            raise dataset.BadFrames(
                f"{file} holds {system.formula}, the files before it {systems[0].formula}; one set "
                f"holds one composition: import them under two names, chapter 2 trains on both"
            )
        dropped += [{"file": label, "frame": i, "why": "not converged"}
                    for i in unconverged or ()]  # fmt: skip
        whole = range(len(system) + len(unconverged or ()))
        origin += [(label, i) for i in whole if i not in (unconverged or ())]
        systems.append(system)
    if not systems:
        raise dataset.BadFrames("none of the files holds a converged frame")
    return dataset.joined(systems), origin, dropped


def fetch(doi: str = PUBLIC_TRAJECTORIES) -> Path:
    """Folder with all files of a data record (Zenodo ...), each held to the record's checksum.

    Downloaded by pooch into ``build/downloads``; files that are there and whole stay.

    Parameters
    ----------
    doi : str
        DOI of the record.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    Unreachable
        The record or one of its files cannot be had, or its content is not what it should be.
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
            provenance.write_text(registry, "".join(lines))
        shelf.load_registry(registry)
        for file in shelf.registry:
            shelf.fetch(file, progressbar=True)
    except (OSError, ValueError) as error:
        raise Unreachable(
            f"doi:{doi} cannot be fetched ({type(error).__name__}: {error}); where there is no "
            f"network, download https://doi.org/{doi} elsewhere and import the folder"
        ) from error
    return folder
