import pytest

from helpers import paths
from helpers.book import parameters
from helpers.book.parameters import ParameterError
from helpers.errors import UserError

CELL = """
# %% tags=["parameters"]
heating_rate: float = 200  # [K/ps] 0.01..2000 | rate of the ramp
structure: str = "ZIF-4"  # [-] ZIF-4, Znim2-ABW | name of a cell
supercell: list[int] = [1, 1, 1]  # [-] 1..6 | repetitions along a, b, c
seed: int = 1  # [-] 0.. | seed of the velocities
live: bool = False  # [-] any | train here and now
sets: list[str] = ["crystal"]  # [-] any | frames, with a # and a | in the text
"""


def resolve(notebook, profile=None, **overrides):
    settings = parameters.settings(notebook(CELL), profile, overrides)
    return {s.parameter.name: s.value for s in settings}


def test_entries_are_read_without_running_the_notebook(notebook):
    file = notebook("# %%\nraise SystemExit", CELL)
    rate, structure, supercell, seed, live, sets = parameters.read(file)
    assert (rate.name, rate.type, rate.default, rate.unit) == ("heating_rate", "float", 200, "K/ps")
    assert isinstance(rate.default, float) and (rate.low, rate.high) == (0.01, 2000)
    assert structure.choices == ("ZIF-4", "Znim2-ABW")
    assert supercell.is_list and supercell.default == [1, 1, 1]
    assert (seed.low, seed.high) == (0, None)
    assert live.choices is None and live.default is False
    assert sets.description == "frames, with a # and a | in the text"


def test_command_line_wins_over_profile_wins_over_default(notebook):
    found = parameters.settings(
        notebook(CELL), {"heating_rate": 20, "seed": 7}, {"seed": "8", "supercell": "2,1,1"}
    )
    assert {s.parameter.name: (s.value, s.source) for s in found} == {
        "heating_rate": (20.0, "profile"),
        "structure": ("ZIF-4", "default"),
        "supercell": ([2, 1, 1], "command line"),
        "seed": (8, "command line"),
        "live": (False, "default"),
        "sets": (["crystal"], "default"),
    }


@pytest.mark.parametrize(
    "value, parsed",
    [
        ("[2, 2, 3]", [2, 2, 3]),
        ("1,1,1", [1, 1, 1]),
        ([1, 2, 3], [1, 2, 3]),
        ("4", [4]),
    ],
)
def test_lists_from_text_and_yaml(notebook, value, parsed):
    assert resolve(notebook, supercell=value)["supercell"] == parsed


@pytest.mark.parametrize(
    "name, value, parsed",
    [
        ("live", "true", True),
        ("live", True, True),
        ("live", "False", False),
        ("heating_rate", "1e2", 100.0),
        ("heating_rate", 50, 50.0),
        ("seed", "12", 12),
        ("sets", '["crystal", "strained"]', ["crystal", "strained"]),
        ("sets", "[]", []),
        ("structure", "Znim2-ABW", "Znim2-ABW"),
    ],
)
def test_values_are_parsed_by_the_declared_type(notebook, name, value, parsed):
    result = resolve(notebook, **{name: value})[name]
    assert result == parsed and type(result) is type(parsed)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("heatin_rate", 3, "unknown parameter 'heatin_rate' .*did you mean 'heating_rate'"),
        ("qqqq", 3, "unknown parameter 'qqqq' .*known: heating_rate, structure"),
        ("seed", 1.5, "1.5 is not an int"),
        ("seed", "1.5", "'1.5' is not an int"),
        ("seed", True, "True is not an int"),
        ("seed", -1, "-1 is outside 0.."),
        ("heating_rate", "fast", "'fast' is not a float"),
        ("heating_rate", "nan", "is not a float"),
        ("heating_rate", True, "is not a float"),
        ("heating_rate", 2001, r"2001.0 is outside 0.01..2000 \[K/ps\]"),
        ("structure", "ZIF4", "'ZIF4' is not one of .*did you mean 'ZIF-4'"),
        ("structure", 4, "4 is not a str"),
        ("live", 1, "1 is not a bool"),
        ("live", "yes", "'yes' is not a bool"),
        ("supercell", [1, 1.5, 1], "1.5 is not an int"),
        ("supercell", [1, 7, 1], "7 is outside 1..6"),
        ("supercell", 3, r"3 is not a list\[int\]"),
        ("sets", ["crystal", "strained", "crystal"], "'crystal' is there twice; name it once"),
    ],
)
@pytest.mark.parametrize("source", ["profile", "command line"])
def test_bad_values_are_refused_with_chapter_and_source(notebook, name, value, message, source):
    given = {name: value}
    with pytest.raises(ParameterError, match=message) as caught:
        resolve(notebook, given) if source == "profile" else resolve(notebook, None, **given)
    text = str(caught.value)
    assert text.startswith("01_tiny: ") and source in text and "\n" not in text


@pytest.mark.parametrize(
    "line, message",
    [
        ("rate = 1.0  # [K/ps] any | no annotation", "line 1: write `name: type = default"),
        ("rate: float  # [K/ps] any | no default", "line 1: write"),
        ("import os  # [K/ps] any | not an entry", "line 1: write"),
        ("rate: float = 1.0", "rate: the comment must read"),
        ("rate: float = 1.0  # K/ps, any", "rate: the comment must read"),
        ("rate: float = 1.0  # [K/ps] | nothing allowed", "rate: say what is allowed"),
        ("rate: float = 1.0  # [K/ps] 5..3 | empty", "range 5..3 is empty"),
        ("rate: float = 1.0  # [K/ps] a..b | no numbers", "'a' is not a float"),
        ("rate: float = 9.0  # [K/ps] 1..5 | outside", "9.0 is outside 1..5"),
        ("n: int = 2  # [-] 1, 3 | not in the list", "2 is not one of 1, 3"),
        ("n: int = 2.5  # [-] any | wrong type", "2.5 is not an int"),
        ("n: int = '2'  # [-] any | text", "default '2' is not a int"),
        ("n: int = 1 + f()  # [-] any | computed", "must be a literal"),
        ("n: complex = 2  # [-] any | type", "type 'complex' is none of"),
        ("n: int = 1  # [-] any | one\nn: int = 2  # [-] any | two", "n is there twice"),
    ],
)
def test_ill_written_cells_are_refused(notebook, line, message):
    with pytest.raises(ParameterError, match=message):
        parameters.read(notebook(f'# %% tags=["parameters"]\n{line}'))


@pytest.mark.parametrize("count", [0, 2])
def test_exactly_one_parameters_cell(notebook, count):
    with pytest.raises(ParameterError, match=f"{count} code cells are tagged 'parameters'"):
        parameters.read(notebook("# %%\n1 + 1", *[CELL] * count))


def test_what_papermill_hands_over_as_text_is_what_it_means():
    own = {p.name: p.default for p in parameters.read(paths.NOTEBOOKS / "01_data.py")}
    accepted = parameters.accepted("01_data", own | {"supercell": "[2, 1, 1]", "sets": "['abw']"})
    assert accepted["supercell"] == [2, 1, 1] and accepted["sets"] == ["abw"]
    with pytest.raises(
        parameters.ParameterError, match="01_data: supercell: 'x' is not an int.*-y"
    ):
        parameters.accepted("01_data", own | {"supercell": "x"})


def test_a_name_that_papermill_hands_over_is_looked_up_before_anything_runs():
    own = {p.name: p.default for p in parameters.read(paths.NOTEBOOKS / "04_heating_rates.py")}
    for name, value, said in (
        ("potential", "atpp", "no potential 'atpp'; did you mean 'atp'"),
        ("pressure_runs", ["pressur"], "no run 'pressur'"),
    ):
        with pytest.raises(UserError, match=said):
            parameters.accepted("04_heating_rates", own | {name: value})
