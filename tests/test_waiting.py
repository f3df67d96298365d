"""Bars: on a terminal as ever, in a log file a line now and then."""

import io
import sys
import time

import pytest
import tqdm.std

from helpers import waiting


class Stream(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def stream(monkeypatch):
    def use(terminal):
        made = Stream(terminal)
        monkeypatch.setattr(sys, "stderr", made)
        monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
        return made

    return use


def test_a_terminal_has_a_bar(stream):
    shown = stream(terminal=True)
    assert list(waiting.bar(range(3), desc="x")) == [0, 1, 2]
    assert "\r" in shown.getvalue() and "100%" in shown.getvalue()


def test_a_log_file_has_lines_and_of_what_is_short_none(stream, monkeypatch):
    shown = stream(terminal=False)
    assert list(waiting.bar(range(1000), desc="x")) == list(range(1000))
    assert shown.getvalue() == ""
    monkeypatch.setattr(waiting, "EVERY_S", 0.05)
    with waiting.bar(total=4, desc="frames", unit="frame") as bar:
        for _ in range(4):
            bar.update()
            bar.start_t -= 0.1
            bar.last_print_t -= 0.1
    lines = shown.getvalue().splitlines()
    assert 1 < len(lines) <= 4 and "\r" not in shown.getvalue()
    assert lines[-1].startswith("frames: 100% 4/4 frame [") and len(set(lines)) == len(lines)


def test_kernels_that_a_command_runs_are_not_watched(stream, monkeypatch):
    stream(terminal=False)
    monkeypatch.setitem(sys.modules, "ipykernel", io)
    assert waiting.watched()
    for name, value in waiting.UNWATCHED.items():
        monkeypatch.setenv(name, value)
    assert not waiting.watched()


def test_a_clock_that_is_set_back_silences_no_bar(stream, monkeypatch):
    shown = stream(terminal=False)
    monkeypatch.setattr(waiting, "EVERY_S", 0.02)
    an_hour_back = iter(range(10_000, 0, -3600))
    monkeypatch.setattr(tqdm.std, "time", lambda: next(an_hour_back, 0.0))
    for _ in waiting.bar(range(4), desc="frames"):
        time.sleep(0.03)
    lines = shown.getvalue().splitlines()
    assert len(lines) >= 3 and lines[-1].startswith("frames: 100% 4/4")
    assert not any("-" in line for line in lines)  # no negative time
