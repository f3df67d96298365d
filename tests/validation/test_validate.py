"""The command finds what is shipped."""

import pytest

from helpers import cli
from helpers.validation import calculators


@pytest.mark.parametrize(
    "check, model, made",
    [("volume", "atp", "volume-atp"), ("labels", "atp", "labels-reference-of-atp"),
     ("elastic", "atp", "elastic-atp"), ("elastic", "reference", "elastic-reference"),
     ("elastic", "round-5", "elastic-round-5"), ("energy", "atp", "energy-atp")],
)  # fmt: skip
def test_shipped_results_are_reused(check, model, made, monkeypatch, build, capsys):
    monkeypatch.delattr(calculators, "calculator")  # to make one would take minutes to hours
    assert cli.main(["validate", check, model, "ZIF-4"]) == 0
    assert f"[reused] data/validation/{made}-ZIF-4" in capsys.readouterr().out
