"""The paper's data: complete, placed, and consistent where the paper is consistent."""

import ase.data
import pytest
import yaml

from helpers import paths, units
from helpers.report import paper

UNIT_OF_SUFFIX = {
    "_eV_per_A": "eV/A",
    "_meV_per_atom": "meV/atom",
    "_K_per_ps": "K/ps",
    "_K_per_min": "K/min",
    "_kJ_per_mol": "kJ/mol",
    "_J_per_mol_K": "J/mol/K",
    "_g_per_cm3": "g/cm3",
    "_ns_per_day": "ns/day",
    "_percent": "%",
    "_bar": "bar",
    "_deg": "deg",
    "_ps": "ps",
    "_fs": "fs",
    "_nm": "nm",
    "_eV": "eV",
    "_A": "A",
    "_K": "K",
}


def test_a_value_has_number_unit_and_place():
    value = paper.value("table1.ZIF-4_300K.force_rmse_eV_per_A")
    assert (value.number, value.unit, value.place) == (1.14, "eV/A", "Table 1")
    with pytest.raises(TypeError, match="VASP"):
        _ = paper.value("fpmd.code").number
    assert str(value) == "1.14 eV/A (Table 1)"


def test_a_place_of_its_own_wins_over_that_of_the_group():
    assert paper.value("speed.dpmd_ns_per_day").place == "Fig. 2"
    assert "text" in paper.value("speed.dpmd_ns_per_day_text").place


@pytest.mark.parametrize("key", paper.keys())
def test_every_value_has_a_place_and_the_unit_its_name_says(key):
    value = paper.value(key)
    assert value.place
    suffix = next((s for s in UNIT_OF_SUFFIX if key.endswith(s)), None)
    assert value.unit == UNIT_OF_SUFFIX.get(suffix, value.unit)
    if suffix is None:
        assert value.unit in ("-", "ns/day")


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("table1.ZIF-4_300K.force_rmse", "table1.ZIF-4_300K.force_rmse_eV_per_A"),
        (
            "table1.zif-4_2500k.energy_rmse_mev_per_atom",
            "table1.ZIF-4_2500K.energy_rmse_meV_per_atom",
        ),
        ("transition.DPMD-1K_Tf", "transition.DPMD-1K_Tf_K"),
    ],
)
def test_an_unknown_key_names_the_nearest(wrong, nearest):
    with pytest.raises(paper.UnknownKey, match=f"did you mean {nearest!r}"):
        paper.value(wrong)


def test_a_group_is_not_a_value():
    with pytest.raises(paper.UnknownKey, match="group.*start_K"):
        paper.value("table3.DPMD-1K")


def test_tables_have_their_rows_in_order():
    assert [len(paper.rows(name)) for name in ("table1", "table2", "table3")] == [5, 3, 6]
    assert next(iter(paper.rows("table3"))) == "DPMD-Test"
    assert {len(row) for row in paper.rows("table1").values()} == {4}
    for group in ("speed", "claims", "table4"):
        with pytest.raises(paper.UnknownKey, match="table"):
            paper.rows(group)


@pytest.mark.parametrize("source", ["Gaillac", "Shi", "DPMD-20K"])
@pytest.mark.parametrize("temperature", [840, 1800])
def test_table_2_closes(source, temperature):
    """dF = dU - T dS, to the digits given."""
    row = {name: value.number for name, value in paper.rows("table2")[source].items()}
    line = row["dU_kJ_per_mol"] - temperature * row["dS_J_per_mol_K"] / 1e3
    assert line == pytest.approx(row[f"dF_{temperature}K_kJ_per_mol"], abs=0.06)


@pytest.mark.parametrize("run", ["DPMD-20K", "DPMD-4K", "DPMD-1K", "DPMD-0.5K", "DPMD-0.1K"])
def test_steps_of_table_3_fit_the_rate(run):
    """Ramp plus 10 to 20 ps, for all but the run at "0.2 K/ps", whose steps fit 0.1 K/ps."""
    row = {name: value.number for name, value in paper.rows("table3")[run].items()}
    rate = 0.1 if run == "DPMD-0.1K" else row["heating_rate_K_per_ps"]
    ramp = (row["end_K"] - row["start_K"]) / rate
    total = row["steps"] * paper.value("heating.timestep_fs").number / 1e3
    assert 10 <= total - ramp <= 20


def test_atoms_and_density_of_the_supercell():
    """3 x 3 x 3 of 272 atoms; the book quotes 1.22 g/cm3 for the cell the paper gives."""
    atoms = {e: paper.value(f"systems.zif4_{e.lower()}").number for e in ("Zn", "N", "C", "H")}
    assert sum(atoms.values()) == paper.value("systems.zif4_atoms").number
    assert 27 * sum(atoms.values()) == paper.value("systems.supercell_atoms").number
    masses = ase.data.atomic_masses
    mass = 27 * sum(n * masses[ase.data.atomic_numbers[e]] for e, n in atoms.items())
    a, b, c = (paper.value(f"systems.supercell_{axis}_A").number for axis in "abc")
    assert units.density_g_cm3(mass, a * b * c) == pytest.approx(1.22, abs=0.005)


def contradictions():
    return list(yaml.safe_load(paths.PAPER.read_text())["contradictions"].values())


def test_claims_name_chapters_and_contradictions_say_what_the_book_does():
    assert len(paper.claims()) == 4
    assert all(c.says and c.place and c.chapter[:2].isdigit() for c in paper.claims())
    found = contradictions()
    assert len(found) >= 7
    assert all(set(one) == {"title", "says", "place", "book"} for one in found)


def test_the_page_of_contradictions_says_what_the_data_say():
    """Every entry of data/paper.yaml, in its order and words, below its title."""
    page = (paths.ROOT / "book" / "contradictions.md").read_text()
    sections = {part.split("\n")[0]: " ".join(part.split()) for part in page.split("\n## ")[1:]}
    titles = [entry["title"] for entry in contradictions()]
    assert list(sections) == [*titles, "What is not given"]
    for entry in contradictions():
        section = sections[entry["title"]]
        assert f"**The paper** ({entry['place']}). {entry['says']}" in section
        assert f"**This book.** {entry['book']}" in section


def test_every_claim_has_a_chapter_and_the_introduction_shows_what_came_out():
    page = (paths.ROOT / "book" / "intro.md").read_text()
    assert "% generated: findings" in page
    for claim in paper.claims():
        assert (paths.NOTEBOOKS / f"{claim.chapter}.py").is_file()
        assert f"notebooks/{claim.chapter}.ipynb" in page
