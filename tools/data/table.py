"""A table of rows as it was read, before anything is known of its meaning."""

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from tools.data.data_profile import SourceProfile
from trainers.errors import InputError

Row = dict[str, object]

SAMPLE_ROWS = 2000
"""Rows that are looked at to tell what a column is."""
MAX_CELL_CHARS = 1_000_000
MAX_ROWS = 1_000_000
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Parsed:
    """What a parser read from a file. Row 1 is the first after the header. Cells are str (csv) or JSON values.

    `rows` are those of the train split where the source names splits (a hub data set, or a JSON object of lists);
    the other splits, by the names "validation" and "test", are in `splits`.
    """

    columns: tuple[str, ...]
    rows: list[Row]
    splits: dict[str, list[Row]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table(Parsed):
    """Rows with their source; a cell that is None is missing."""

    source: SourceProfile

    def without(self, *others: str | None) -> tuple[str, ...]:
        """The other columns."""
        return tuple(column for column in self.columns if column not in others)

    def cells(self, column: str, n_rows: int = SAMPLE_ROWS) -> list[object]:
        """Values of a column in the first rows, missing and empty ones left out."""
        return [value for row in self.rows[:n_rows] if (value := row.get(column)) is not None and value != ""]

    def mean_words(self, column: str) -> float:
        """Mean number of words of a column's texts."""
        texts = [value for value in self.cells(column) if isinstance(value, str)]
        return sum(len(text.split()) for text in texts) / max(1, len(texts))


def table_of(
    name: str, path: str, form: str, parsed: Parsed, *, sha256: str | None = None, revision: str | None = None
) -> Table:
    """The table of what was read. Without `sha256`, of a file's bytes, the source's is that of the canonical rows."""
    source = SourceProfile(
        name=name,
        path=path,
        revision=revision,
        format=form,
        sha256=sha256 or hashlib.sha256(canonical_jsonl(parsed.rows)).hexdigest(),
        n_rows=len(parsed.rows),
        columns=parsed.columns,
    )
    return Table(**vars(parsed), source=source)


def columns_of(rows: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    """Names in order of first appearance."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
"""What `str.splitlines` takes for a line's end and JSON leaves as it is; written as JSON's escapes."""


def canonical_jsonl(rows: Iterable[Mapping[str, object]]) -> bytes:
    """The one byte form of rows that fingerprints and split files share: JSON lines, keys sorted, UTF-8.

    Unicode's line ends inside texts are escaped, so that readers of any kind find the same lines.
    """
    return b"".join(
        json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
        .translate(_LINE_ENDS)
        .encode()
        + b"\n"
        for row in rows
    )


def checked(parsed: Parsed, param: str) -> Parsed:
    """What was parsed, with every cell inside its limit and encodable as UTF-8, and a note on replacements in `rows`.

    Raises InputError for more than MAX_ROWS rows or a cell of more than MAX_CELL_CHARS characters.
    """
    n_replaced = _check_cells(parsed.rows, param)
    for rows in parsed.splits.values():
        _check_cells(rows, param)
    note = (f"{n_replaced} cells held half a surrogate pair, replaced by U+FFFD",) if n_replaced else ()
    return replace(parsed, notes=(*parsed.notes, *note))


def _check_cells(rows: list[Row], param: str) -> int:
    """Replaces what is not encodable, in place; the number of cells concerned."""
    if len(rows) > MAX_ROWS:
        raise InputError(param, f"at most {MAX_ROWS:,} rows, got {len(rows):,}.", "Take a sample of the rows.")
    n_replaced = 0
    for number, row in enumerate(rows, 1):
        for column, value in row.items():
            if (size := _chars(value)) > MAX_CELL_CHARS:
                rule = f"a cell has at most {MAX_CELL_CHARS:,} characters; row {number}, column {column!r} has {size:,}"
                hint = "Cut that text, or check for a missing closing quote."
                raise InputError(param, rule + ".", hint, code="cell_too_large")
            clean = _encodable(value)
            if clean is not value and clean != value:
                row[column] = clean
                n_replaced += 1
    return n_replaced


def _chars(value: object) -> int:
    """Characters of a cell, those of lists and objects in it together."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return sum(map(_chars, value))
    return len(value) if isinstance(value, str | bytes) else 0


def _encodable(value: object) -> object:
    """`value` with lone surrogates (legal in JSON, not in UTF-8) replaced."""
    if isinstance(value, str):
        return value if value.isascii() else _LONE_SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value


def as_list(cell: object) -> list[Any] | None:
    """A list, or what a text that holds one says (csv cannot hold lists); None for anything else."""
    if isinstance(cell, list):
        return cell
    if not isinstance(cell, str) or cell.lstrip()[:1] != "[":
        return None
    for parse in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            value = parse(cell)
            return value if isinstance(value, list) else None
    return None
