"""Ctrl-C: one line at every moment, and no traceback."""

import signal
import subprocess
import sys

import pytest

from helpers import cli, interrupts
from helpers.validation import accuracy


def test_ctrl_c_during_the_imports_is_one_line():
    """As the command is started by `zif4`, and by snakemake; Python says what it imports."""
    for module in ("helpers", "helpers.cli"):
        with subprocess.Popen(
            [sys.executable, "-v", "-m", module, "settings"], stderr=subprocess.PIPE, text=True
        ) as command:
            for line in command.stderr:
                if line.startswith("import 'pydantic"):
                    break
            command.send_signal(signal.SIGINT)
            _, said = command.communicate(timeout=60)
        assert command.returncode == interrupts.CODE
        assert interrupts.SAID in said and "Traceback" not in said


@pytest.mark.parametrize("error", [KeyboardInterrupt, ImportError("by a module in C"), None])
def test_what_ctrl_c_makes_of_it_is_no_error_of_the_command(error, monkeypatch, capsys):
    def stop(name):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if error:
                raise error from None
        return {}

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(accuracy, "evaluate", stop)
    assert cli.main(["evaluate", "atp"]) == (interrupts.CODE if error else 0)
    assert capsys.readouterr().err == (f"{interrupts.SAID}\n" if error else "")
    assert signal.getsignal(signal.SIGINT) is before


def test_where_ctrl_c_is_ignored_it_stays_so():
    """A job in the background, or under nohup."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from helpers import interrupts; interrupts.leave_at_once()\n"
        "with interrupts.noticed() as came: signal.raise_signal(signal.SIGINT)\n"
        "print(came)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n"
