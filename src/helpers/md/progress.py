"""Progress of a heating run: its table followed row by row, displayed, timed and checked."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from helpers import paths, provenance, waiting
from helpers.errors import UserError
from helpers.md import model_deviation, resume, thermo
from helpers.md.lammps_input import CLOSEST_A
from helpers.md.protocol import HeatingRun
from helpers.md.resume import DamagedRun

_SAY_S = 60.0  # between two lines of progress where there is no terminal, at least
_SAY_SHARE = 0.05  # of the run, or ...
_SAY_LATEST_S = 600.0
_SPARE_BYTES = 2**20  # on the disk, beside four restart files


class ExplodedRun(UserError, RuntimeError):
    """The dynamics became unphysical: too hot, expanded, atoms overlapping, lost or NaN."""


class Progress:
    """Follows ``thermo.csv``: progress bar, checks, wall time; state in ``progress.json``.

    Parameters
    ----------
    directory : Path
        Directory of the run.
    heating : HeatingRun
        The run.
    """

    def __init__(self, directory: Path, heating: HeatingRun):
        self.directory, self.heating = directory, heating
        self.file = directory / "progress.json"
        try:
            state = json.loads(self.file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):  # the first session, or a full disk
            state = {}
        self.seconds = state.get("seconds", 0.0)  # wall time of LAMMPS, start-up included
        self.md_seconds = state.get("md_seconds", 0.0)  # between the first and last row seen
        # times the ranks, which may change from session to session; unknown in an older state
        self.core_seconds = state.get("core_seconds", math.nan if state else 0.0)
        self.md_steps = state.get("md_steps", 0)
        self.sessions = state.get("sessions", 0)
        self.every = heating.steps(heating.thermo_every_ps)
        self.step, self.volume0 = 0, None
        self.row: dict[str, float] = {}  # the last one seen

    @contextmanager
    def bar(self, first: int, cores: int):
        """One session of LAMMPS with its progress bar.

        Parameters
        ----------
        first : int
            Step at which the session starts.
        cores : int
            Number of cores.

        Yields
        ------
        Progress
            This object.
        """
        self.sessions, self.cores = self.sessions + 1, cores
        self.began = self.tick = time.monotonic()
        self.before = self.seconds
        self.step = self.said = first
        self.mark = None  # (step, time) of the first row of this session
        rows = thermo.whole_rows(self.directory / thermo.FILE)
        self.offset = (self.directory / thermo.FILE).stat().st_size
        volume = thermo.COLUMNS.index("volume_A3")
        self.volume0 = float(rows[0].split(",")[volume]) if rows else None
        self.expected = first // self.every * self.every + self.every
        total = self.heating.total_steps
        with waiting.bar(
            total=total,
            initial=first,
            desc=self.heating.name,
            unit="step",
            disable=not sys.stderr.isatty(),
        ) as self.tqdm:
            yield self

    def update(self) -> None:
        """Read the rows that were written since the last call.

        Raises
        ------
        ExplodedRun
            The dynamics became unphysical.
        DamagedRun
            A row is lost, or the disk is full.
        """
        with open(self.directory / thermo.FILE, "rb") as file:
            file.seek(self.offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        if not whole:
            return
        self.offset += len(whole)
        now, previous = time.monotonic(), self.step
        for line in whole.decode().splitlines():
            if line.startswith("#"):
                continue
            values = line.split(",")
            if len(values) != len(thermo.COLUMNS) or values[0] != str(self.expected):
                raise DamagedRun(
                    f"{paths.relative(self.directory)}/{thermo.FILE} has {line[:40]!r} where step "
                    f"{self.expected} should be; is the disk full? Call again, the run goes on "
                    f"from its last whole restart file"
                )
            self.expected += self.every
            self.row = dict(zip(thermo.COLUMNS, map(float, values), strict=True))
            self._guard()
        if not self.row:
            return
        if self.heating.stop_at_deviation_eV_per_A:
            self._stop_where_unknown()
        if self.mark is not None:
            self.md_steps += self.step - self.mark[0]
            self.md_seconds += now - self.mark[1]
            self.core_seconds += self.cores * (now - self.mark[1])
        self.mark = (self.step, now)
        self.seconds = self.before + now - self.began
        provenance.write_text(
            self.file,
            json.dumps(
                {
                    "step": self.step,
                    "seconds": self.seconds,
                    "md_seconds": self.md_seconds,
                    "core_seconds": self.core_seconds,
                    "md_steps": self.md_steps,
                    "sessions": self.sessions,
                }
            ),
        )
        restarts = resume.restarts(self.directory)
        for _, old in restarts[:-2]:
            old.unlink(missing_ok=True)
        need = _SPARE_BYTES + sum(4 * file.stat().st_size for _, file in restarts[-1:])
        if shutil.disk_usage(self.directory).free < need:
            raise resume.full_disk(self.directory)
        status = (
            f"T {self.row['temperature_K']:.0f} K, "
            f"{self.row['density_g_cm3']:.3f} g/cm3, {self.speed_ns_per_day:.3f} ns/day"
        )
        self.tqdm.set_postfix_str(status, refresh=False)
        self.tqdm.update(self.step - previous)
        if self.tqdm.disable and self.md_steps and self._time_to_speak(now):
            self.tick, self.said = now, self.step
            left = (self.heating.total_steps - self.step) * self.md_seconds / self.md_steps
            print(
                f"  {self.heating.name}: step {self.step} of {self.heating.total_steps}, "
                f"{status}, {_duration(left)} left",
                flush=True,
            )

    def _time_to_speak(self, now: float) -> bool:
        """Lines for a page or a log file: a score of them in an hour's run, six an hour later."""
        share = (self.step - self.said) / self.heating.total_steps
        return now - self.tick >= _SAY_S and (
            share >= _SAY_SHARE or now - self.tick >= _SAY_LATEST_S
        )

    @property
    def speed_ns_per_day(self) -> float:
        """Speed of all sessions so far, ns of simulated time per day; NaN before the first step."""
        if not self.md_seconds:
            return math.nan
        return self.md_steps * self.heating.timestep_fs * 1e-6 / (self.md_seconds / 86400)

    def _guard(self) -> None:
        """Raise when the row at hand is not physics any more."""
        row = self.row
        self.step = int(row["step"])
        self.volume0 = self.volume0 or row["volume_A3"]
        hot = 2 * row["target_temperature_K"] + 1000
        what = None
        if not all(map(math.isfinite, row.values())):
            what = "a value that is not a number"
        elif row["temperature_K"] > hot:
            what = f"temperature above {hot:.0f} K"
        elif not 0.5 < row["volume_A3"] / self.volume0 < 3:
            what = f"volume {row['volume_A3'] / self.volume0:.2f} times that at the start"
        elif row["close_atoms"]:
            what = f"{row['close_atoms']:.0f} atoms closer than {CLOSEST_A} A to another one"
        if what:
            raise ExplodedRun(self.diagnosis(what))

    def _stop_where_unknown(self) -> None:
        """Raise at the first step where the ensemble disagrees by more than the run allows."""
        limit = self.heating.stop_at_deviation_eV_per_A
        largest = model_deviation.COLUMNS.index("max_devi_f")
        for row in model_deviation.whole_rows(self.directory / model_deviation.FILE):
            values = row.split()
            if len(values) > largest and float(values[largest]) > limit:
                self.step = int(values[0])  # kept is what lies before, however late it is seen
                raise ExplodedRun(
                    f"the run was stopped at step {values[0]}: the ensemble disagrees by "
                    f"{float(values[largest]):.2f} eV/A on a force, more than "
                    f"stop_at_deviation_eV_per_A = {limit:g}: the potential no longer knows; what "
                    f"came before is kept; train the potential on frames like the last ones"
                )

    def diagnosis(self, what: str) -> str:
        """What is reported of an exploded run, and the remedies.

        Parameters
        ----------
        what : str
            What was noticed.

        Returns
        -------
        str
            The text.
        """
        row = self.row
        return (
            f"the run exploded after step {self.step}: {what} "
            f"(T = {row.get('temperature_K', math.nan):.0f} K, target "
            f"{row.get('target_temperature_K', math.nan):.0f} K, density "
            f"{row.get('density_g_cm3', math.nan):.3f} g/cm3); what it computed is kept; lower "
            f"temperature_end, or train the potential on frames of this temperature"
        )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
