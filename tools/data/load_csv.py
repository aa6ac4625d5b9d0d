"""csv and tsv text to rows: delimiter, header and quoting worked out from the text and checked on every line."""

import csv
import io
import re
from collections.abc import Iterator

from tools.data.column_names import is_known_name
from tools.data.table import Parsed, Row
from trainers.errors import InputError

DELIMITERS = ",\t;|"
_NO_DELIMITER = "\x1f"
_FIELD_LIMIT = 2**31 - 1


def parse_csv(text: str, name: str, param: str, *, tabs: bool = False) -> Parsed:
    """Rows of str cells, "" kept as "". InputError names the line of a ragged row, a broken quote, or a missing header.

    The delimiter is the one of `,` tab `;` `|` that cuts the header into most names (for a .tsv file the tab). Tab-
    separated text whose quotes do not pair up is read with quotes as plain characters, and a note says so. Excel's
    first line `sep=;` is obeyed, lines that begin with # before the header are passed over, rows without any text too.
    """
    text, told, comments = _preamble(text)
    delimiter = "\t" if tabs else told or _delimiter(text)
    notes: tuple[str, ...] = (f"{comments} comment lines before the header are left out",) if comments else ()
    if not tabs and delimiter not in (",", _NO_DELIMITER):
        notes = (*notes, f"columns are separated by {delimiter!r}")
    try:
        lines = list(_records(text, delimiter, csv.QUOTE_MINIMAL, name, param))
    except InputError:
        if delimiter != "\t":
            raise
        lines = list(_records(text, delimiter, csv.QUOTE_NONE, name, param))
        notes = (*notes, "quotes are read as plain characters")
    if lines and not lines[0][1][-1].strip() and all(not cells[-1].strip() for _, cells in lines):
        lines = [(number, cells[:-1]) for number, cells in lines]  # every line ends in a separator
    header = _header(lines, name, param)
    rows: list[Row] = []
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            rule = f"every row of {name} must have {len(header)} columns; line {number} has {len(cells)}."
            hint = "Quote cells that hold the separator, or mend that line."
            raise InputError(param, rule, hint, code="ragged")
        rows.append(dict(zip(header, cells, strict=True)))
    return Parsed(header, rows, notes=notes)


def _preamble(text: str) -> tuple[str, str | None, int]:
    """(the text with blank lines in place of comments before its header, the delimiter that Excel names, comments)."""
    told = re.match(r"sep=([,;|\t])[^\S\n]*(?=\n|\r)", text, re.IGNORECASE)
    if told:
        text = text[told.end() :]
    comments = re.match(r"(?:#[^\n]*\n)*", text)
    n_comments = comments.group().count("\n") if comments else 0
    return "\n" * n_comments + text[comments.end() if comments else 0 :], told and told[1], n_comments


def _delimiter(text: str) -> str:
    head = text[:20_000]
    counts = {}
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        try:
            counts[delimiter] = len(next(filter(None, reader), []))
        except csv.Error:
            counts[delimiter] = 1
    best = max(DELIMITERS, key=lambda d: counts[d])
    return best if counts[best] > 1 else _NO_DELIMITER


def _records(text: str, delimiter: str, quoting: int, name: str, param: str) -> Iterator[tuple[int, list[str]]]:
    """(line where the record starts, its cells), blank lines left out."""
    before = csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(  # spaces before a quote are no part of the cell
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=quoting,  # type: ignore[arg-type]
        strict=True,
        skipinitialspace=delimiter != "\t",
    )
    try:
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                reason = str(error).replace(f"'{_NO_DELIMITER}' expected", "a line break expected")
                rule = f"{name} must be valid csv; the row that starts on line {start} is not: {reason}."
                raise InputError(param, rule, 'Write quotes inside a quoted cell as "".', code="broken_csv") from error
            if any(cell.strip() for cell in cells):
                yield start, cells
    finally:
        csv.field_size_limit(before)


def _header(lines: list[tuple[int, list[str]]], name: str, param: str) -> tuple[str, ...]:
    header = [cell.strip() for cell in lines[0][1]]
    if not header[0]:  # pandas writes its index under an empty name
        header[0] = "column_1"
    if reason := _not_a_header(header, [cells for _, cells in lines[1:1001]]):
        rule = f"the first line of {name} must hold column names; {reason} (got: {', '.join(header)[:120]})."
        raise InputError(param, rule, "Add a first line such as: text,label", code="no_header")
    doubled = next((column for column in header if header.count(column) > 1), None)
    if doubled is not None:
        rule = f"column names must differ; {name} has {doubled!r} twice."
        raise InputError(param, rule, "Rename one of them.", code="no_header")
    return tuple(header)


def _not_a_header(header: list[str], rows: list[list[str]]) -> str | None:
    """Why the first line looks like data. A cell that comes again below is no name, even if it is a usual one; apart
    from that, one usual name is enough."""
    columns = [[row[i].strip() for row in rows if i < len(row)] for i in range(len(header))]
    again = next((i for i, cell in enumerate(header) if columns[i].count(cell) >= max(2, len(rows) // 50)), None)
    if again is not None:
        return f"the first value of column {again + 1} comes again below"
    if any(is_known_name(cell) for cell in header):
        return None
    for i, (cell, values) in enumerate(zip(header, columns, strict=True)):
        if not cell:
            return f"column {i + 1} has no name"
        if len(cell) > 60 or len(cell.split()) > 6:
            return f"column {i + 1} starts with a sentence"
        if re.fullmatch(r"[-+]?\d+(\.\d+)?", cell):
            return f"column {i + 1} starts with a number"
        if cell in values and len(rows) < 50:
            return f"the first value of column {i + 1} comes again below"
    return None
