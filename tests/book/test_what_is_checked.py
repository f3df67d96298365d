"""The page of checks says what the checks say, and every check says something that helps."""

from helpers.book import what_is_checked


def test_the_page_is_what_the_checks_say_today():
    page = what_is_checked.page()
    said = what_is_checked.file().read_text()
    assert said == page, "write it again: zif4 what-is-checked --page"
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows) > 30 and not [row for row in rows if row.endswith("| nothing |")]
