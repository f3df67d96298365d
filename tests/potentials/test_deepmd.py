"""The program of DeePMD-kit: when it dies, it is said why."""

import pytest

from helpers.potentials import deepmd


def test_when_dp_dies_its_last_lines_are_in_the_error(tmp_path):
    """A real crash of the real program: there is nothing to freeze."""
    with pytest.raises(deepmd.DPFailed, match=r"dp freeze died \(exit code 1\)") as error:
        deepmd.run(tmp_path, 1, "freeze")
    assert "train.log, its last lines" in str(error.value) and "Error" in str(error.value)
