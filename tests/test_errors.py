"""Errors for the user: Python's own as well, and a hint only where a name is close."""

import pytest

from helpers import errors


@pytest.mark.parametrize("name, hint", [
    ("ZIF4", "; did you mean 'ZIF-4'?"), ("zif-4", "; did you mean 'ZIF-4'?"), ("quartz", ""),
])  # fmt: skip
def test_only_a_close_name_is_a_hint(name, hint):
    assert errors.nearest(name, ["ZIF-4", "Znim2-ABW"]) == hint


def test_who_catches_pythons_own_errors_catches_ours():
    assert issubclass(errors.NotThere, OSError) and issubclass(errors.Unfit, ValueError)
    assert str(errors.AlreadyThere("one line")) == "one line"
