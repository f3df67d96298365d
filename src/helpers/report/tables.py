"""Tables of the paper's values next to those of this book: HTML in a page, text in a terminal."""

from __future__ import annotations

import hashlib
import html
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from helpers import units
from helpers.errors import Unfit
from helpers.observables.pmf import FreeEnergyLine
from helpers.report import paper

# Descriptions of sets and names of files are the users' own words: no table of a page, Styler or
# not, may take them for HTML.
pd.set_option("styler.format.escape", "html")

NOT_COMPUTED = "not computed yet"
NOT_GIVEN = "not given"
NOT_DETERMINED = "not determined"
_UNBROKEN = {"", "unit", "paper", "this book"}  # columns whose cells stay on one line ...
_LONGEST_UNBROKEN = 24  # ... if none of them has more letters


def each_row(table: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, with their columns as attributes.

    Parameters
    ----------
    table : DataFrame
        The table.

    Returns
    -------
    iterator of namedtuple
        The rows.
    """
    return iter(table.itertuples(index=False))


@dataclass(frozen=True)
class Row:
    """One quantity: the paper's value and that of this book.

    Attributes
    ----------
    quantity : str
        Its name.
    unit : str
        In ASCII; "-" for a pure number.
    paper : paper.Value or None
        The paper's value; None if it gives none.
    ours : float, int, str or tuple
        Number, tuple of numbers or word of this book, or ``NOT_COMPUTED``.
    error : float or None
        Standard error of ``ours``, in ``unit``.
    run : str
        Run, set or potential from which ``ours`` was computed.
    """

    quantity: str
    unit: str
    paper: paper.Value | None
    ours: float | int | str | tuple
    error: float | None = None
    run: str = ""


class Table:
    """A table that a notebook renders as HTML and a terminal as aligned text.

    Parameters
    ----------
    frame : DataFrame
        Cells as text.
    caption : str
        Text above the table; none if empty.
    """

    def __init__(self, frame: pd.DataFrame, caption: str = ""):
        self.frame = frame
        self.caption = caption

    def styler(self) -> Styler:
        """The table as a pandas Styler, without index and escaped.

        The HTML depends on the content alone, so that executing a chapter again does not change it.

        Returns
        -------
        Styler
            The table.
        """
        content = self.caption + self.frame.to_csv()
        styler = self.frame.style.hide(axis="index")
        styler.format(escape="html")
        styler.format_index(escape="html", axis="columns")
        styler.set_uuid(hashlib.sha256(content.encode()).hexdigest()[:8])
        styler.set_table_attributes('class="table paper-table"')
        css = {
            "caption": "caption-side: top; text-align: left;",
            "th": "text-align: left;",
            "td": "text-align: left; vertical-align: top;",
        }
        for i, column in enumerate(self.frame.columns):
            longest = self.frame.iloc[:, i].astype(str).str.len().max()
            if column in _UNBROKEN and longest <= _LONGEST_UNBROKEN:
                css[f"td.col{i}"] = "white-space: nowrap;"
        styler.set_table_styles([{"selector": where, "props": look} for where, look in css.items()])
        return styler.set_caption(html.escape(self.caption)) if self.caption else styler

    def _repr_html_(self) -> str:
        return self.styler().to_html()

    def __repr__(self) -> str:
        cells = [list(self.frame.columns), *self.frame.astype(str).values.tolist()]
        widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
        lines = [
            "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        lines.insert(1, "  ".join("-" * w for w in widths))
        return "\n".join([self.caption, *lines] if self.caption else lines)


def row(
    key: str,
    ours,
    *,
    error: float | None = None,
    run: str = "",
    quantity: str = "",
    unit: str | None = None,
) -> Row:
    """A row for one of the paper's values.

    Parameters
    ----------
    key : str
        Name of the paper's value, as for ``paper.value``.
    ours : float, int, str or tuple
        Value of this book, in the paper's unit, or ``NOT_COMPUTED``.
    error : float, optional
        Standard error of ``ours``.
    run : str
        Run, set or potential from which ``ours`` was computed.
    quantity : str
        The quantity in words; by default ``key``.
    unit : str, optional
        Unit of ``ours``, compared with the paper's.

    Returns
    -------
    Row
        The row.

    Raises
    ------
    Unfit
        ``unit`` is not the paper's.
    UnknownKey
        The paper's data have no such entry.
    """
    theirs = paper.value(key)
    if unit is not None and unit != theirs.unit:
        raise Unfit(
            f"{key}: the paper's value is in {theirs.unit!r}, yours in {unit!r}; convert it first"
        )
    return Row(quantity or key, theirs.unit, theirs, ours, error, run)


def rows(entries: Mapping[str, tuple[str, object]], run: str) -> list[Row]:
    """Rows for several of the paper's values, all computed from one run, set or potential.

    Parameters
    ----------
    entries : mapping of str to (str, object)
        Name of the paper's value -> (the quantity in words, value of this book); see ``row``.
    run : str
        Run, set or potential.

    Returns
    -------
    list of Row
        The rows.

    Raises
    ------
    UnknownKey
        The paper's data lack an entry.
    """
    return [row(key, ours, quantity=words, run=run) for key, (words, ours) in entries.items()]


def side_by_side(rows: Sequence[Row], caption: str = "") -> Table:
    """Table of the paper's values and those of this book.

    A missing value is an error unless it is given as ``NOT_COMPUTED``.

    Parameters
    ----------
    rows : sequence of Row
        The rows, one at least.
    caption : str
        Text above the table.

    Returns
    -------
    Table
        Columns: quantity, unit, the paper's value, that of this book with its error, the place of
        the first in the paper ("as above" where it is that of the row before), and what the second
        was computed from.

    Raises
    ------
    Unfit
        There are no rows, a value is None or not finite, an error is negative or not finite, or a
        number does not name the run it was computed from.
    """
    if not rows:
        raise Unfit("side_by_side got no rows; pass at least one tables.row(...)")
    for entry in rows:
        _check(entry)
    return Table(
        pd.DataFrame(
            {
                "quantity": [r.quantity for r in rows],
                "unit": [units.pretty(r.unit) for r in rows],
                "paper": [NOT_GIVEN if r.paper is None else _plain(r.paper.content) for r in rows],
                "this book": [number(r.ours, r.error) for r in rows],
                "place": _without_repeats(["" if r.paper is None else r.paper.place for r in rows]),
                "made by": [r.run for r in rows],
            }
        ),
        caption,
    )


def of_paper(group: str) -> Table:
    """A table of the paper alone, with units in the header and its place as caption.

    Parameters
    ----------
    group : str
        Name of the table, such as "table3".

    Returns
    -------
    Table
        The table.

    Raises
    ------
    UnknownKey
        ``group`` is not a table of the paper.
    """
    rows = paper.rows(group)
    first = next(iter(rows.values()))
    columns = {"": [name.replace("_", " ") for name in rows]}
    for name, value in first.items():
        columns[_header(name, value.unit)] = [_plain(r[name].content) for r in rows.values()]
    place = next(iter(first.values())).place
    return Table(pd.DataFrame(columns), f"The paper, {place}")


def activation(
    lines: Mapping[str, FreeEnergyLine | None],
    caption: str = "",
    at_1800K: Mapping[str, str] | None = None,
) -> Table:
    """The paper's Table 2 with the free-energy lines of this book in further columns.

    Parameters
    ----------
    lines : mapping of str to pmf.FreeEnergyLine or None
        Column -> line, shown with standard errors and, if it was bootstrapped, 95 % intervals; None
        if not computed.
    caption : str
        Text above the table.
    at_1800K : mapping of str to str, optional
        Column -> what is known at 1800 K of a line that is not determined.

    Returns
    -------
    Table
        A row for each quantity of Table 2.
    """
    quantities = {
        "dU_kJ_per_mol": "ΔU‡ (kJ/mol)",
        "dS_J_per_mol_K": "ΔS‡ (J/(mol K))",
        "dF_840K_kJ_per_mol": "ΔF‡(840 K) (kJ/mol)",
        "dF_1800K_kJ_per_mol": "ΔF‡(1800 K) (kJ/mol)",
    }
    columns = {"": list(quantities.values())}
    for name, values in paper.rows("table2").items():
        columns[f"{name} (Table 2)"] = [_plain(values[key].number) for key in quantities]
    for name, line in lines.items():
        columns[name] = [NOT_COMPUTED] * 4
        if line is None:
            if at_1800K and name in at_1800K:
                columns[name] = [NOT_DETERMINED] * 3 + [at_1800K[name]]
            continue
        means, errors = zip(
            (line.dU, line.dU_error),
            (line.dS, line.dS_error),
            line.at(840),
            line.at(1800),
            strict=True,
        )
        cells = [
            number(float(m), float(e) if math.isfinite(e) else None)
            for m, e in zip(means, errors, strict=True)
        ]
        if line.samples is not None:
            limits = [*line.interval(), *line.interval([840, 1800])]
            cells = [
                f"{c} [{low:.0f},\u00a0{high:.0f}]"
                for c, (low, high) in zip(cells, limits, strict=True)
            ]
        columns[name] = cells
    return Table(pd.DataFrame(columns), caption)


def facts(entries: Mapping[str, object]) -> Table:
    """Table of two columns, name and value, such as the parameters of a run.

    Parameters
    ----------
    entries : mapping of str to object
        Name -> value.

    Returns
    -------
    Table
        The table.
    """
    return Table(pd.DataFrame({"": list(entries), "value": [_plain(v) for v in entries.values()]}))


_ENDINGS = {  # of column names -> unit, the longest first
    "meV_per_atom_per_ps": "meV/atom/ps", "us_per_atom_step": "µs/atom/step",
    "meV_per_atom": "meV/atom", "eV_per_atom": "eV/atom",
    "ns_per_day": "ns/day", "s_per_step": "s/step", "kB_per_atom": "kB/atom", "eV_per_A": "eV/A",
    "kJ_mol": "kJ/mol", "K_per_ps": "K/ps", "percent": "%", "g_cm3": "g/cm3", "per_ns": "1/ns",
    "A2": "A^2", "A3": "A^3", "MiB": "MiB", "GPa": "GPa", "MPa": "MPa", "ps": "ps", "ns": "ns",
    "K": "K", "A": "A",
}  # fmt: skip
_WORDS = {"rmse": "RMSE", "rms": "RMS", "n": "number of", "dF": "ΔF‡"}  # in names of columns


def headed(
    frame: pd.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    index: str = "",
    decimals: int | None = None,
) -> Table:
    """A computed table with column names in words and units in brackets.

    ``force_rmse_eV_per_A`` becomes "force RMSE (eV/Å)".

    Parameters
    ----------
    frame : DataFrame
        The computed table.
    columns : mapping of str to str, optional
        Columns to show, in this order, and their headers; by default all. An index with a header
        stays the first column.
    index : str
        Header of the index, which becomes the first column; by default it is not shown.
    decimals : int, optional
        Digits after the decimal point; by default four significant digits.

    Returns
    -------
    Table
        The table.
    """
    if index:
        frame = frame.rename_axis(index).reset_index()
    if columns is not None:
        first = [index] if index and index not in columns else []
        frame = frame[[*first, *columns]].rename(columns=columns)
    if "unit" in frame:
        frame = frame.assign(unit=frame["unit"].map(units.pretty))
    cells = {column: [_cell(v, decimals) for v in frame[column].astype(object)] for column in frame}
    return Table(pd.DataFrame(cells).rename(columns=header))


def headed_if_any(frame: pd.DataFrame | None, **how) -> Table | None:
    """`headed`, where there is something to show.

    Parameters
    ----------
    frame : DataFrame or None
        The computed table; None, or without rows, where there is nothing to show.
    **how
        Further arguments of `headed`.

    Returns
    -------
    Table or None
        The table; None where a page shows nothing.
    """
    return None if frame is None or frame.empty else headed(frame, **how)


def in_common(frame: pd.DataFrame, keep: Sequence[str] = ()) -> tuple[pd.DataFrame, str]:
    """A table without the columns that are the same in all rows, and these in words.

    Parameters
    ----------
    frame : DataFrame
        The table, with headers as a reader finds them.
    keep : sequence of str
        Columns that stay in any case.

    Returns
    -------
    differing : DataFrame
        The table without these columns; all of it if it has fewer than two rows.
    same : str
        "column = value" of each, with semicolons between; empty if there is none.
    """
    if len(frame) < 2:
        return frame, ""
    same = [c for c in frame if c not in keep and frame[c].astype(str).nunique() == 1]
    words = [_said(column, _cell(frame[column].iloc[0], None)) for column in same]
    return frame.drop(columns=same), "; ".join(words)


def _said(column: str, value: str) -> str:
    """``pressure (GPa)`` and 0 as "pressure = 0 GPa"; a percentage keeps its column's name."""
    name, bracket, unit = column.removesuffix(")").rpartition(" (")
    if not bracket or not column.endswith(")") or unit == "%":
        return f"{column} = {value}"
    return f"{name} = {value} {unit}"


def header(column) -> str:
    """The name of a column in words with its unit in brackets: "lowest_K" becomes "lowest (K)".

    Parameters
    ----------
    column : str
        Name of the column.

    Returns
    -------
    str
        The header.
    """
    name = str(column)
    ending = next((e for e in _ENDINGS if name.endswith(f"_{e}")), None)
    words = name.removesuffix(f"_{ending}").replace("_", " ").split(" ")
    name = " ".join(_WORDS.get(word, word) for word in words)
    return f"{name} ({units.pretty(_ENDINGS[ending])})" if ending else name


def whole(value: float) -> str:
    """A whole number, its digits in threes from five digits on.

    Parameters
    ----------
    value : float
        The number.

    Returns
    -------
    str
        The number; the spaces in it do not break a line.
    """
    return f"{int(value):,}".replace(",", "\u00a0") if abs(value) >= 1e4 else f"{int(value)}"


def span(values: pd.Series) -> str:
    """Range of some numbers, from the lowest to the highest.

    Parameters
    ----------
    values : Series
        The numbers.

    Returns
    -------
    str
        The range; a dash if a number is missing.
    """
    if values.isna().any():
        return "–"
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def machine(record: Mapping) -> str:
    """Processor and number of cores, or graphics card, on which a result was computed.

    Parameters
    ----------
    record : mapping
        A ``provenance.json`` or the record of a benchmark.

    Returns
    -------
    str
        Processor and cores, or card.
    """
    if "trained_on" in record:
        return record["trained_on"]["device"]
    if "forces_by" in record:  # LAMMPS ran beside it
        return f"forces: {record['forces_by']['device']}"
    hardware = record["hardware"]
    return f"{hardware['processor']}, {hardware['cores']} cores"


def of_run(name: str, record: Mapping, more: Mapping[str, object] | None = None) -> Table:
    """How a run, potential or set was made: description, date, computing time, hardware.

    Parameters
    ----------
    name : str
        Name for a reader.
    record : mapping
        Its ``provenance.json``.
    more : mapping of str to object, optional
        Rows to insert after the description.

    Returns
    -------
    Table
        The table.
    """
    return facts(
        {"name": name, "what": record["description"]}
        | dict(more or {})
        | {
            "made": record["made"][:10],
            "computing time (s)": record["seconds"],
            "hardware": machine(record),
        }
    )


def number(value, error: float | None = None) -> str:
    """A number with its error, as text.

    The error has two significant digits and the value the same number of decimals. Without an error
    the value has four significant digits (from 10 000 on in full, 11 380 instead of 1.138e+04);
    integers and words are unchanged.

    Parameters
    ----------
    value : float, int, str or tuple
        The value.
    error : float, optional
        Its standard error.

    Returns
    -------
    str
        ``value ± error``.
    """
    if isinstance(value, str) or error is None:
        return _plain(value)
    if error == 0:
        return f"{value:g} ± 0"
    decimals = 1 - math.floor(math.log10(error))
    if round(error, decimals) >= 10 ** (2 - decimals):  # 0.0996 -> 0.10, not 0.100
        decimals -= 1
    shown = max(decimals, 0)
    return f"{round(value, decimals):.{shown}f} ± {round(error, decimals):.{shown}f}"


def _check(entry: Row) -> None:
    name = f"row {entry.quantity!r}"
    if entry.ours is None:
        raise Unfit(f"{name} has no value of ours; compute it, or say so with tables.NOT_COMPUTED")
    if isinstance(entry.ours, str):
        return
    values = entry.ours if isinstance(entry.ours, (tuple, list)) else (entry.ours,)
    if not all(isinstance(v, str) or math.isfinite(v) for v in values):
        raise Unfit(f"{name}: ours is {entry.ours}; a table shows finite numbers only")
    if entry.error is not None and not (math.isfinite(entry.error) and entry.error >= 0):
        raise Unfit(f"{name}: error is {entry.error}; give a finite one >= 0, or None")
    if not entry.run:
        raise Unfit(f"{name} does not say what made {entry.ours}; give run=...")


def _without_repeats(places: Sequence[str]) -> list[str]:
    """Places in the paper, the same one in successive rows once."""
    before = ["", *places]
    return ["as above" if p and p == b else p for p, b in zip(places, before, strict=False)]


#: the letter between two numbers, as in the name of a run's cells: 3 x 3 x 3
_TIMES = re.compile(r"(?<=\d )x(?= \d)")


def _plain(value) -> str:
    if isinstance(value, (tuple, list)):
        a_range = len(value) == 2 and all(isinstance(v, float) for v in value)
        return (" to " if a_range else ", ").join(_plain(v) for v in value)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return _TIMES.sub("×", str(value))
    if float(value).is_integer() and abs(value) < 1e15:
        return whole(value)
    if 1e4 <= abs(value) < 1e15:
        return _plain(float(f"{value:.4g}"))
    return f"{value:.4g}"


def _cell(value, decimals: int | None) -> str:
    """One value of a table: words as they are, a missing one as a dash."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if decimals is not None and isinstance(value, float):
        return f"{round(value, decimals) + 0.0:.{decimals}f}"  # never -0
    return _plain(value)


def _header(name: str, unit: str) -> str:
    suffix = "_" + unit.replace("/", "_per_", 1).replace("/", "_").replace("%", "percent")
    words = name.removesuffix(suffix).replace("_", " ").replace("rmse", "RMSE")
    return f"{words} ({units.pretty(unit)})" if unit != "-" else words
