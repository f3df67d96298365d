"""Errors for the user: Python's own as well, and a hint only where a name is close."""

import doctest
import importlib
import pkgutil

import pytest

import helpers
from helpers import errors


@pytest.mark.parametrize("name, hint", [
    ("ZIF4", "; did you mean 'ZIF-4'?"), ("zif-4", "; did you mean 'ZIF-4'?"), ("quartz", ""),
])  # fmt: skip
def test_only_a_close_name_is_a_hint(name, hint):
    assert errors.nearest(name, ["ZIF-4", "Znim2-ABW"]) == hint


def test_who_catches_pythons_own_errors_catches_ours():
    assert issubclass(errors.NotThere, OSError) and issubclass(errors.Unfit, ValueError)
    assert str(errors.AlreadyThere("one line")) == "one line"
    assert doctest.testmod(errors).failed == 0


#: they run on another machine, which has torch
ELSEWHERE = ("helpers.frames.reference_in_bulk", "helpers.potentials.graphics_card")


def test_every_error_of_a_maker_is_one_of_the_users():
    """Those of observables concern arrays: a chapter that meets one says where."""
    ours = [
        kind
        for module in pkgutil.walk_packages(helpers.__path__, "helpers.")
        if ".observables" not in module.name and module.name not in ELSEWHERE
        for kind in vars(importlib.import_module(module.name)).values()
        if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == module.name
    ]
    assert len(ours) > 20
    assert [kind for kind in ours if not issubclass(kind, errors.UserError)] == []
    for kind in set(ours) - {errors.UserError}:  # and one of Python's own for who catches those
        assert kind.__mro__.index(errors.UserError) < len(kind.__mro__) - 4
        assert str(kind("one line")) == "one line"
