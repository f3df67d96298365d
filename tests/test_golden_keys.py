"""The keys of all recipes and of all shipped results are those that they were made under.

A key is a hash of the recipe as JSON, where 200 and 200.0 differ: to coerce a field, rename one or
move a default into a recipe changes it, and a shipped result of hours is no longer found. These
keys change only by an edit of ``data/`` that means to: then run this module as a program, which
writes tests/golden_keys.json anew, and read the difference before it is committed.
"""

import contextlib
import json
from pathlib import Path

import pytest
import yaml

from helpers import paths, provenance
from helpers.frames import dataset
from helpers.potentials import store
from helpers.recipes import catalogue

GOLDEN = Path(__file__).with_name("golden_keys.json")


def recipe_keys() -> dict[str, str]:
    """Key of every entry of data/{sets,potentials,runs}.yaml, where it can be told from here.

    A set has no key of its own before it is packed: that of its entry stands for it. So it is for a
    potential whose start, and for a run whose potential, is not shipped: content that is not here
    cannot enter a key.
    """
    entries = yaml.safe_load(paths.POTENTIALS.read_text())["potentials"]
    found = {
        f"sets/{name}": provenance.key(vars(plan)) for name, plan in catalogue.set_recipes().items()
    }
    for name, entry in entries.items():
        found[f"potentials/{name} (entry)"] = provenance.key(entry)
        with contextlib.suppress(store.BadPotential, FileNotFoundError, dataset.BadFrames):
            found[f"potentials/{name}"] = provenance.key(catalogue.potential_recipe(name).as_dict())
    for name in catalogue.run_names():
        plan = catalogue.run_recipe(name)
        found[f"runs/{name} (entry)"] = provenance.key(vars(plan))
        with contextlib.suppress(store.BadPotential):
            found[f"runs/{name}"] = provenance.key(plan.recipe())
    return found


def shipped_keys() -> dict[str, str]:
    """Key of every shipped result, computed from the recipe in its provenance."""
    return {
        f"{kind}/{file.parent.name}": provenance.key(provenance.read(file.parent)["recipe"])
        for kind in paths.KINDS
        for file in sorted(paths.shipped(kind).glob(f"*/{provenance.FILE}"))
    }


@pytest.mark.parametrize("what, keys", [("recipes", recipe_keys), ("shipped", shipped_keys)])
def test_keys_are_what_they_were(what, keys):
    golden = json.loads(GOLDEN.read_text())[what]
    found = keys()
    # a round that was trained here again has a key beyond the golden ones: its entry is enough
    known = golden.keys() | {name for name in found if "(entry)" in name or what == "shipped"}
    changed = {
        name: (golden.get(name), found.get(name))
        for name in known
        if golden.get(name) != found.get(name)
    }
    assert not changed, f"(then, now): {changed}"


def test_an_integer_in_a_float_field_is_another_key():
    """What the first test is for: no reader of recipes may coerce numbers."""
    assert provenance.key({"pref": [10, 200]}) != provenance.key({"pref": [10.0, 200.0]})


if __name__ == "__main__":
    GOLDEN.write_text(
        json.dumps({"recipes": recipe_keys(), "shipped": shipped_keys()}, indent=1) + "\n"
    )
