"""A study's history as text for a planner: one CSV row a finished trial, in order, never rewritten while it grows.

Takes plain values, so that it can serve any folder; running trials are a table of their own. Rows do not mention the
best score so far or anything else that changes later: with more trials the text only gets longer, and a provider's
prefix cache keeps hitting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Value = bool | int | float | str

MAX_ROWS = 60
"""Longer histories are cut to the best ten, the last ten, ten failures, and a digest per hyperparameter."""

KEPT_BEST, KEPT_LAST, KEPT_FAILED = 10, 10, 10


@dataclass(frozen=True)
class Row:
    """One trial: `status` is OK, RUN or a failure code; `score` is None unless OK."""

    number: int
    config: Mapping[str, Value]
    score: float | None
    status: str
    by: str


def history_text(names: Sequence[str], rows: Sequence[Row], maximize: bool) -> str:
    """CSV of `rows` with the hyperparameters `names` as columns, header once; "(none)" where there are no rows."""
    if not rows:
        return "(none)"
    kept = rows if len(rows) <= MAX_ROWS else _kept(rows, maximize)
    lines = [",".join(["n", *names, "score", "status", "by"]), *(_line(names, row) for row in kept)]
    if len(kept) < len(rows):
        lines += [f"({len(rows) - len(kept)} more rows left out)", *_digest(names, rows, maximize)]
    return "\n".join(lines)


def number_text(value: Value) -> str:
    """A value as prompts write it: three significant digits, 3.2e-4 rather than 0.00032."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.3g}"
    if value != 0 and (abs(value) < 0.01 or "e" in text):
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return text


def _line(names: Sequence[str], row: Row) -> str:
    values = [number_text(row.config[name]) if name in row.config else "-" for name in names]
    score = "-" if row.score is None else f"{row.score:.5g}"
    return ",".join([str(row.number), *values, score, row.status, row.by])


def _kept(rows: Sequence[Row], maximize: bool) -> list[Row]:
    best = _ranked(rows, maximize)[:KEPT_BEST]
    failed = [row for row in rows if row.score is None and row.status != "RUN"][-KEPT_FAILED:]
    chosen = {row.number for row in (*best, *failed, *rows[-KEPT_LAST:])}
    return [row for row in rows if row.number in chosen]


def _ranked(rows: Sequence[Row], maximize: bool) -> list[Row]:
    scored = [row for row in rows if row.score is not None]
    return sorted(scored, key=lambda row: row.score or 0.0, reverse=maximize)


def _digest(names: Sequence[str], rows: Sequence[Row], maximize: bool) -> list[str]:
    """Per hyperparameter the values of the better quarter against all: range for numbers, counts for words."""
    ranked = _ranked(rows, maximize)
    good = ranked[: max(1, len(ranked) // 4)]
    return [f"{name}: best quarter {_span(name, good)}; all {_span(name, ranked)}" for name in names]


def _span(name: str, rows: Sequence[Row]) -> str:
    values = [row.config[name] for row in rows if name in row.config]
    numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if numbers and len(numbers) == len(values):
        return f"{number_text(min(numbers))} to {number_text(max(numbers))}"
    words = sorted({number_text(v) for v in values})
    return " ".join(f"{word} x{sum(number_text(v) == word for v in values)}" for word in words) or "-"
