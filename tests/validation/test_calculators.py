"""A potential beside a reference that cannot run here."""

import pytest

from helpers.frames import reference
from helpers.validation import calculators, equation_of_state


def test_without_nequip_the_reference_says_so(kept_elsewhere, monkeypatch, capsys):
    monkeypatch.setattr(calculators.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(reference.ReferenceUnavailable, match="nequip is not installed"):
        equation_of_state.relaxed_volumes("reference", "Znim2-ABW", percent=(0, 1))

    def measure(model, structure, laws=None):
        assert laws is None or model == "reference"
        return calculators.calculator(model) if model == "reference" else structure

    assert calculators.beside_reference(measure, "atp", "Znim2-ABW") == {"atp": "Znim2-ABW"}
    assert "nequip is not installed" in capsys.readouterr().out
