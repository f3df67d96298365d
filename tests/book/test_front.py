"""What the pages around the chapters say is what the executed chapters hold."""

import base64
import json
import re

import pytest

from helpers.benchmarks import record
from helpers.book import chapters, front
from helpers.book.chapters import BookError
from helpers.report import claims, interactive

PNG = base64.b64encode(b"a picture").decode()


def code(source, *outputs):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": list(outputs)}


def shown(data):
    return {"output_type": "display_data", "data": data, "metadata": {}}


def printed(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


def plain(text):
    return text.replace("\xa0", " ")


def of(tmp_path, *cells, **metadata):
    notebook = {"cells": list(cells), "metadata": metadata}
    return front.Front("small", {"04_heating_rates": notebook}, tmp_path)


def test_claims_are_a_table_of_paper_here_verdict_and_how_sure(tmp_path):
    found = [
        claims.Finding("Claim (3), falls with the rate", "cannot tell", "1432 K.", "1122 +- 52 K."),
        claims.Finding("Claim (1), accurate", "holds", "1.14 eV/A.", "4 to 9 % of 1.2 eV/A."),
        claims.Finding("Motion", "none", "x.", "y."),  # none of the paper's numbered claims
    ]
    made = of(tmp_path, code("", shown({"text/markdown": claims.markdown(found)})))
    table = front.findings(made)
    assert "4 to 9\xa0% of 1.2\xa0eV/Å" in table  # a number keeps its unit at the end of a line
    rows = [line.split("|") for line in plain(table).splitlines() if line.startswith("| ")]
    assert [row[1].strip() for row in rows[1:]] == ["1", "3"]
    assert "accurate over a wide temperature range" in rows[1][2]
    assert (
        "*accurate:* 4 to 9 % of 1.2 eV/Å. ([chapter 4](/notebooks/04_heating_rates.ipynb))"
        in rows[1][3]
    )
    assert rows[1][4:6] == [" **holds** ", " decided "]
    assert "1122 ± 52 K" in rows[2][3] and rows[2][5] == " open "
    short = plain(front.in_short(made)).splitlines()
    assert short[1:3] == [
        "  - accurate (claim 1): **holds**; 4 to 9 % of 1.2 eV/Å",
        "  - falls with the rate (claim 3): **cannot tell**; 1122 ± 52 K",
    ]  # fmt: skip
    counted = claims.Finding("Claim (2), slow", "does not agree, 2 of 4; more", "x.", "y.")
    said = of(tmp_path, code("", shown({"text/markdown": claims.markdown([counted])})))
    assert "(claim 2): **does not agree**, 2 of 4\n" in plain(front.in_short(said))
    assert short[3].startswith("- **How sure.** 1 of 2 verdicts is decided. The other is open")
    open_ = claims.Finding("Claim (4), low", "cannot tell (3 runs, one cell); none", "x.", "y.")
    other = of(tmp_path, code("", shown({"text/markdown": claims.markdown([open_])})))
    assert "| **cannot tell** (3 runs, one cell); none | open |" in front.findings(other)
    said = "**Motion: none.** Paper: x. Here: y. ([chapter 4](/notebooks/04_heating_rates.ipynb))"
    assert front.finding(made, "Motion") == said
    assert front.finding(made, "Decomposition") == ""


def test_parts_of_a_claim_have_numbers_of_their_own_and_left_out_runs_are_said_once(tmp_path):
    left_out = "Of 25 runs 3 were not in equilibrium before their ramp and do not count."
    both = [
        claims.Finding("Claim (4), low", "agrees, so it is", "x.", f"it falls. {left_out}"),
        claims.Finding("Claim (4), cause", "does not agree, no", "x.", f"none. {left_out}"),
    ]
    made = of(tmp_path, code("", shown({"text/markdown": claims.markdown(both)})))
    text = front.findings(made)
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ")]
    assert [row[1].strip() for row in rows[1:]] == ["4a", "4b"]
    assert rows[1][3].startswith(" *low:* it falls. ([chapter 4]") and left_out not in text
    assert "not counted: 3 of 25 runs (claims 4a and 4b)." in text
    assert front.in_short(made).splitlines()[1:3] == [
        "  - low (claim 4a): **agrees**, so it is; it falls",
        "  - cause (claim 4b): **does not agree**, no; none",
    ]


def test_a_line_to_cite_names_the_book_and_what_its_labels_rest_on(tmp_path):
    line = front.cite_line(of(tmp_path))
    assert line.startswith("- **Cite it.** the zif4-melting contributors, *Melting of ZIF-4")
    assert "[Castel et al. (2024)](https://doi.org/10.1039/" in line and "(cite.md)" in line


def test_a_book_without_findings_is_refused(tmp_path):
    with pytest.raises(BookError, match="no chapter states a finding"):
        front.findings(of(tmp_path, code("")))


def test_a_figure_is_shown_once_more_with_its_data(tmp_path):
    source = "#| label: fig-density\n#| caption: It falls.\n#| alt: A line.\ndraw()"
    data = {"image/png": PNG, interactive.MIME: {"data": [], "layout": {"title": "</script>"}}}
    text = front.figure(of(tmp_path, code(source, shown(data))), "fig-density")
    assert (tmp_path / "generated/front-fig-density.png").read_bytes() == b"a picture"
    assert ":alt: A line." in text and "It falls. ([chapter 4]" in text
    assert text.count("</script>") == 1  # that of the element itself
    content = text.split('<script type="application/json">')[1].split("</script>")[0]
    assert json.loads(content) == data[interactive.MIME]


def test_a_figure_that_no_chapter_has_is_said_to_be_missing(tmp_path):
    text = front.figure(of(tmp_path, code("")), "fig-density")
    assert text == "*No chapter of this copy of the book has the figure `fig-density`.*"


def test_the_status_counts_what_was_reused_and_made(tmp_path):
    made = of(
        tmp_path,
        code("run()", printed("[reused] a\n[made] b\n[reused] c\nUserWarning: x\n")),
        zif4={
            "begun": "2026-11-26T14:38:00",
            "seconds": 90.0,
            "hardware": {"processor": "AMD", "cores": 2, "memory_GiB": 24.0},
        },
    )
    row = front.status(made).splitlines()[4]
    assert "26 November 2026, 14:38" in row and "| 90 s |" in row and "AMD, 2 cores" in row
    assert "1 cells, no errors, 1 warning" in row and "2 reused, 1 made" in row


def test_the_form_has_every_parameter_as_it_is_checked(tmp_path):
    text = front.form(of(tmp_path))
    content = text.split('<script type="application/json">')[1].split("</script>")[0]
    entries = json.loads(content)["chapters"]["04_heating_rates"]
    known = chapters.settings("04_heating_rates", "small")
    assert [e["name"] for e in entries] == [s.parameter.name for s in known]
    rate = next(e for e in entries if e["name"] == "heating_rate")
    assert rate["unit"] == "K/ps" and rate["low"] == 0 and rate["type"] == "float"


def test_the_citation_has_code_data_and_their_source(tmp_path, monkeypatch):
    monkeypatch.setenv("ZIF4_REPOSITORY", "https://github.com/owner/name")
    text = front.citation(of(tmp_path))
    assert "@software{zif4-melting," in text and "url = {https://github.com/owner/name}" in text
    assert "@misc{zif4-melting-data," in text and "CC-BY-4.0" in text
    assert "@article{castel2024," in text and "10.1039/D3DD00236E" in text


def test_what_is_needed_has_the_address_where_one_is_known(tmp_path, monkeypatch):
    monkeypatch.delenv("ZIF4_REPOSITORY", raising=False)
    assert "the repository that this book was made from" in front.needed(of(tmp_path))
    monkeypatch.setenv("ZIF4_REPOSITORY", "https://github.com/owner/name")
    assert "(https://github.com/owner/name)" in front.needed(of(tmp_path))
    assert "to execute" not in front.needed(of(tmp_path))  # the chapter does not say how long
    made = {"seconds": 90.0, "hardware": {"processor": "AMD EPYC", "cores": 2}}
    timed = front.needed(of(tmp_path, zif4=made))
    assert "The 1 chapters of this copy took 90 s to execute (AMD EPYC, 2 cores)" in timed


def test_the_workflow_is_counted_from_the_recipes(tmp_path):
    text = front.workflow(of(tmp_path))
    assert "1 chapters, executed" in text and "sets to train on" in text
    assert (tmp_path / "generated/fig-workflow.png").stat().st_size > 5000


def test_the_two_cells_of_fig_2_have_the_speeds_of_paper_and_book(tmp_path):
    text = front.two_cells(of(tmp_path))
    first, deep = re.findall(r"^.*: (\d+) atoms\. Paper \(Fig\. 2\): ([\d.]+) ns a day", text, re.M)
    assert first == ("272", "0.027") and deep == ("7344", "0.123")
    ours = [float(x) for x in re.findall(r"Here: ([\d.e-]+) ns a day", text)]
    speeds = record.md_table(record.read("md")).set_index("engine")["ns_per_day"]
    assert ours[0] == pytest.approx(speeds["CP2K"], rel=0.1) and 1 < ours[1] <= speeds.max()
    assert text.count("{grid-item}") == 2 and "{grid} 1 1 2 2" in text
    turned = [json.loads(one) for one in re.findall(r'json">(.*?)</script>', text)]
    assert [len(one["symbols"].split()) for one in turned] == [272, 7344 - 27 * 96]
    assert text.count("Without its hydrogen where it turns.") == 1
    for name in ("first-principles", "deep-potential"):
        assert (tmp_path / f"generated/fig-cell-{name}.png").stat().st_size > 5000


def test_a_counterpart_that_is_not_there_is_said_to_be_missing(tmp_path):
    """Nor is one whose cell ran in this profile without showing anything."""
    (tmp_path / "counterparts.yaml").write_text(
        "- {paper: Fig. 6b, shows: Tf, here: [fig-rates]}\n- {paper: Fig. 7, shows: x, here: []}\n"
        "- {paper: Fig. S1, shows: g, here: [fig-test]}\n"
    )
    drawn = code("#| label: fig-rates\ndraw()", shown({"image/png": "iVBORw0KGgo="}))
    text = front.counterparts(of(tmp_path, drawn, code("#| label: fig-test\nNone")))
    assert "| Fig. 6b | Tf | {numref}`fig-rates` |" in text
    assert "| Fig. 7 | x | not here yet |" in text
    assert "| Fig. S1 | g | not here yet |" in text
