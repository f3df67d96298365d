"""YAML as users write it: a slip is one line that names file, line, field and what is allowed."""

import doctest
import re

import pytest
import yaml

from helpers import cli, paths, yaml_file
from helpers.errors import Unfit, UserError
from helpers.recipes import catalogue


def test_the_examples():
    assert doctest.testmod(yaml_file).failed == 0


class _Part(yaml_file.Model):
    steps: int = 0
    rates: list[yaml_file.Number] = []


class _File(yaml_file.Model):
    part: _Part = _Part()
    named: dict[yaml_file.Name, _Part] = {}


BAD = {
    "a: 1\n\tb: 2\n": "line 2: a tab, where YAML wants spaces",
    "part: {steps: 1}\npart: {steps: 2}\n": r"line 2: part is there twice \(first in line 1\)",
    "part:\n  steps: 1\n  steps: 2\n": r"line 3: part.steps is there twice \(first in line 2\)",
    "part: &a [*a]\n": "line 1, part.0 holds itself",
    "part: [1\n": "line 2: .*mend it there",
    "[" * 3000: "is nested too deep; write it flat",
    "1: {}\n": "line 1: the key '1' is no text; put it between quotes",
    "yes: {}\n": "line 1: the key 'yes' is no text",
    "- a\n- b\n": r"\['a', 'b'\] is not a map, name: value",
    "just text\n": "'just text' is not a map",
    "part: [1]\n": r"line 1, part: \[1\] is not a map, name: value",
    "part:\n  stebs: 1\n": r"line 2, part.stebs: unknown field 'stebs'; did you mean 'steps'\?",
    "part: {steps: 1.5}\n": "line 1, part.steps: 1.5",
    "part: {rates: [1, 1e-3]}\n": r"part.rates.1: '1e-3' is not a number; .*write 0.001 or 1.0e-3",
    "part: {rates: [.nan]}\n": "part.rates.0: nan is not a finite number",
    "part: {rates: [true]}\n": "part.rates.0: True is not a number",
    "part: {steps: 0100}\n": "part.steps: YAML reads 0100 as 64, to the base of eight; write",
    "part: {steps: 1:40}\n": "part.steps: YAML reads 1:40 as 100, by sixties; write the number",
    "part: {rates: [1:30.5]}\n": "part.rates.0: YAML reads 1:30.5 as 90.5, by sixties",
    "part: {rates: 3}\n": r"part.rates: 3 is not a list, \[a, b, ...\]",
    "named: {'a b': {}}\n": r"named.a b: 'a b' is not a name of letters, digits and \. _ \+ -",
    "named: {'../x': {}}\n": r"named.../x: '../x' is not a name",
}  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_a_slip_is_one_line_with_its_place(text, tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(Unfit, match=BAD[text]) as said:
        document = yaml_file.read(file)
        document.fit(_File, document.content)
    assert "\n" not in str(said.value) and str(said.value).startswith(str(file))


def test_nothing_is_converted(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text("part: {steps: 2, rates: [200, 200.0]}\n")
    document = yaml_file.read(file)
    document.fit(_File, document.content)
    assert list(map(type, document.content["part"]["rates"])) == [int, float]


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(Unfit, match="none.yaml is missing"):
        yaml_file.read(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"what: Z\xfcrich\n")
    with pytest.raises(Unfit, match="no text in UTF-8"):
        yaml_file.read(tmp_path / "latin.yaml")
    bomb = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1]"]
    bomb += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 12)]
    (tmp_path / "bomb.yaml").write_text("\n".join(bomb))
    with pytest.raises(Unfit, match="use fewer aliases"):
        yaml_file.read(tmp_path / "bomb.yaml")


def test_a_file_that_was_written_again_is_read_again(tmp_path):
    file = tmp_path / "own.yaml"
    for text in ("a: 1\n", "a: 12\n"):
        file.write_text(text)
        assert yaml_file.read(file).content == yaml.safe_load(text)


# ---------------------------------------------------------------- the recipes of the book

RUNS = """\
defaults: {structure: ZIF-4, potential: atp, temperature_start_K: 300, temperature_end_K: 400}
groups:
  own:
    fields: {}
    runs:
      one: {heating_rate_K_per_ps: 20}
"""
SLIPS = {
    "runs.yaml": [
        ("one: {heating_rate_K_per_ps: 20}", "one: {seed: 2}",
         "line 6, groups.own.runs.one.heating_rate_K_per_ps: is missing"),
        ("20}", "20, seed: 1.5}", "line 6, groups.own.runs.one.seed: 1.5"),
        ("20}", "20, seed: '1\\nshell echo'}", "runs.one.seed: .* is not a whole number"),
        ("20}", "20, supercell: [1, 1]}", r"supercell: \[1, 1\]: list should have at least 3"),
        ("20}", "20, pressure_bar: .nan}", "runs.one.pressure_bar: nan is not a finite number"),
        ("20}", "-20}", "line 6, groups.own.runs.one.heating_rate_K_per_ps: .* must be positive"),
        ("20}", "20, coupling: izo}", "line 6, .*runs.one.coupling: coupling 'izo' is unknown"),
        ("20}", "20, after: one}", "one goes on from one, a circle"),
        ("20}", "20, after: two}", "no run 'two'"),
        ("20}", "20, after: {seed: 1}}", r"runs.one.after: {'seed': 1} is not text"),
        ("      one", "      'a; rm -rf': {}\n      one", "is not a name of letters"),
        ("fields: {}", "felds: {}", "unknown field 'felds'; did you mean 'fields'"),
        ("    fields: {}\n", "", "groups.own.fields: is missing"),
        ("20}", "20, timestep_fs: 50}", "runs.one.timestep_fs: .* from 0 to 5"),
        ("20}", "20, temperature_end_K: 1000000}", "temperature_end_K is .* to 100000"),
        ("20}", "20, pressure_bar: 1.0e+9}", "runs.one.pressure_bar: .* to 1e.06"),
        ("20}", "20, hydrogen_mass_u: 0.01}", "hydrogen_mass_u is 0.01, wanted: from 0.9"),
        ("20}", "20, thermostat_ps: 0.000001}", "thermostat_ps = 1e-06 is less than ten time"),
        ("20}", "20, volume_A3_per_atom: 0.1}", "= 0.1 is not from 3 to 1000"),
        ("20}", "20, supercell: [100, 1, 1]}", "supercell is .* from 1 to 50"),
        ("groups:", "groops:", "groops: unknown field 'groops'; did you mean 'groups'"),
    ],
    "potentials.yaml": [
        ("one:", "two: {from: one, sets: [g], steps: 2}\n  one:\n    from: two",
         "two goes on from one goes on from two, a circle"),
        ("g: [abw]", "g: [h]\n  h: [abw, g]", r"groups: g holds itself \(g > h > g\)"),
        ("steps: 20", "steps: 2e1", "'2e1' is not a whole number; YAML takes it for text"),
        ("steps: 20", "steps: 20\n    split: blocks",
         "split: 'blocks': input should be 'block' or 'random'"),
        ("steps: 20", "steps: 20\n    batch: [1]", r"batch: \[1\] is not a whole number or text"),
        ("steps: 20", "steps: 20\n    precision: half",
         "line 7, potentials.one.precision: precision is 'half'"),
        *(("steps: 20", f"steps: 20\n    {field}", f"line 7, .*one.{said}") for field, said in {
            "sel: [-1, 36, 24, 8]": "sel: .* from 0", "sel: [0, 0, 0, 0]": "sel: .* one element",
            "neuron: []": "neuron: .* one layer", "neuron: [0, 10]": "neuron: .* from 1",
            "fitting: [-2]": "fitting: ",
            "axis_neuron: 200": "axis_neuron: .* no more than the last layer", "rcut: -6": "rcut: ",
            "rcut_smth: 7.0": "rcut_smth: .* less than rcut, 6.0", "rcut: 60": "rcut: .* to 20",
            "prefactor_force: [-1000, 1]": "prefactor_force: ", "batch: 0": "batch: .* from 1",
            "batch: autoo": "batch: .* wanted: a number of frames, auto", "seed: -1": "seed: ",
            "decay_steps: 50": "decay_steps: .* from 0 to 20", "learning_rate: [10, 1]": "learning",
        }.items()),
        ("steps: 20", "steps: 0", "line 6, potentials.one.steps: .* from 1"),
        ("sets: [g]", "from: atp\n    sets: [g]\n    neuron: [10, 20]", "neuron is that of atp"),
        ("sets: [g]", "sets: g", r"potentials.one.sets: 'g' is not a list"),
        ("sets: [g]\n", "\n", "potentials.one.sets: is missing"),
    ],
    "sets.yaml": [
        ("steps: 5", "stepps: 5", "mine.runs.a.stepps: unknown field 'stepps'"),
        ("steps: 5", "steps: five", "line 5, mine.runs.a.steps: 'five' is not a whole number"),
        ("temperature_K: [300, 300], ", "", "mine.runs.a.temperature_K: is missing"),
        ("start: ZIF-4", "start: mine/a@3", "mine/a starts from mine/a, a circle"),
        ("sampler: reference", "sampler: runs", "unknown field .*there are: frames, from_K"),
        ("start: ZIF-4", "start: mine/a", "runs.a.start: start is 'mine/a', wanted: .*run@frame"),
        ("start: ZIF-4", "start: other/a@3", "runs.a.start: start is 'other/a@3', wanted"),
        ("sampler: reference", "sampler: refrence", "'refrence'; did you mean 'reference'"),
        *(("what: x", f"what: x\n  {field}", f"line 3, mine.{said}") for field, said in {
            "keep_every: 0": "keep_every: .* from 1", "keep_every: -2": "keep_every: .* from 1",
            "n_blocks: 1": "n_blocks: .* from 2", "validation_share: 1.5": "validation_share: ",
        }.items()),
        *(("steps: 5", f"steps: 5, {field}", f"line 5, mine.runs.a.{said}") for field, said in {
            "timestep_fs: -1": "timestep_fs: .* from 0.001 to 10", "seed: -3": "seed: ",
            "hydrogen_mass_u: 0": "hydrogen_mass_u: ", "friction_per_fs: -1": "friction_per_fs: ",
            "strain: [0, 5]": "strain: .* from -0.5 to 0.5", "keep_every: 0": "keep_every: ",
            "initial_temperature_K: -5": "initial_temperature_K: ", "thermostat: nose": "thermo",
        }.items()),
        ("[300, 300]", "[-300, 300]", "runs.a.temperature_K: .* from 0 to 10000"),
        ("steps: 5", "steps: 0", "runs.a.steps: steps is 0, wanted: from 1"),
        ("runs:\n    a: {start: ZIF-4, temperature_K: [300, 300], steps: 5}", "runs: {}",
         "mine.runs: runs is empty"),
        ("sampler: reference\n  runs:\n    a: {start: ZIF-4, temperature_K: [300, 300], steps: 5}",
         "sampler: runs\n  runs:\n    a: {frames: 0}", "runs.a.frames: .* from 1"),
        ("sampler: reference\n  runs:\n    a: {start: ZIF-4, temperature_K: [300, 300], steps: 5}",
         "sampler: relaxation\n  runs:\n    a: {start: ZIF-4, strain: -1.0}", "a.strain: .* -0.5"),
        ("what: x", "what: 3", "mine.what: 3 is not text"),
        ("runs:\n    a:", "runs:\n    a/b:", "is not a name|should match"),
    ],
}  # fmt: skip
WHOLE = {
    "runs.yaml": RUNS,
    "potentials.yaml": """\
groups:
  g: [abw]
potentials:
  one:
    sets: [g]
    steps: 20
""",
    "sets.yaml": """\
mine:
  what: x
  sampler: reference
  runs:
    a: {start: ZIF-4, temperature_K: [300, 300], steps: 5}
""",
}
READ = {
    "runs.yaml": lambda: catalogue.run_recipe("one"),
    "potentials.yaml": lambda: catalogue.potential_recipe("one"),
    "sets.yaml": catalogue.set_recipes,
}


@pytest.mark.parametrize(
    "name, right, wrong, said", [(name, *slip) for name, slips in SLIPS.items() for slip in slips]
)
def test_a_slip_in_a_recipe_is_named(name, right, wrong, said, own_data):
    own_data(name, WHOLE[name])
    READ[name]()
    assert right in WHOLE[name]
    own_data(name, WHOLE[name].replace(right, wrong, 1))
    with pytest.raises(catalogue.BadRecipe, match=said) as error:
        READ[name]()
    assert "\n" not in str(error.value) and name in str(error.value)


@pytest.mark.parametrize("text, said", [
    ("live: perhaps\n", "line 1, live: 'perhaps' is not true or false"),
    ("shared: [1]\n", r"line 1, shared: \[1\] is not a map"),
    ("04_heating_rates: 3\n", "04_heating_rates: 3 is not a map"),
    ("live: true\nlive: false\n", "live is there twice"),
    ("\tlive: true\n", "a tab"),
    ("live: true\n04_heating_rates:\n  ranks: -1\n",
     "line 3, 04_heating_rates.ranks: .*outside 1..512"),
    ("shared:\n  timestep: fast\n", "line 2, shared.timestep: .*'fast' is not a float"),
    ("shared:\n  timestap: 1\n", "line 2, shared.timestap: .*did you mean 'timestep'"),
])  # fmt: skip
def test_a_slip_in_a_profile_is_named(text, said, own_data, build, capsys):
    own_data("profiles/own.yaml", text)
    assert cli.main(["parameters", "--profile", "own", "04_heating_rates"]) == 1
    line = capsys.readouterr().err
    assert re.search(said, line) and line.count("\n") == 1 and "own.yaml, line" in line


def test_the_files_of_the_book_are_fit():
    for name in ("sets", "potentials", "runs"):
        assert yaml_file.read(getattr(paths, name.upper()), UserError).content
