"""Text for people in Markdown: one line of it, foreign text marked as such, tables, and times in words.

What comes out of files and models (labels, column names, generated text, error messages of libraries) may have been
written by anybody. It goes into a text cut short, without control characters, between “ and ”, which it cannot close,
and no mark of Markdown or HTML in it has any effect.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

TEXT_CHARACTERS = 300
QUOTED_CHARACTERS = 60

_UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_INNER_QUOTES = str.maketrans("“”„‟", '""""')
_MARKS = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_LINE_START = re.compile(r"^(\d*)(?=[-+>=#.)])(?=.(?:[\s>=#-]|$)|>)")

_UNITS = ((100, 1, "s"), (100 * 60, 60, "min"), (48 * 3600, 3600, "h"))
"""Seconds below which a unit is used, its seconds, its name; then days."""


def plain(text: str) -> str:
    """`text` on one line, without control and direction characters: those could steer a terminal."""
    return " ".join("".join(" " if unicodedata.category(c) in _UNPRINTABLE else c for c in text).split())


def short(text: str, limit: int = TEXT_CHARACTERS) -> str:
    """`plain` text, cut to `limit` characters."""
    line = plain(text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def quoted(text: str, limit: int = QUOTED_CHARACTERS) -> str:
    """Foreign text “like this”, on one line, at most `limit` characters of it."""
    return f"“{short(text.translate(_INNER_QUOTES), limit)}”"


def escaped(text: object, limit: int | None = None) -> str:
    """`text` as one line of literal Markdown, cut to `limit` characters: no mark or HTML in it has any effect."""
    line = plain(str(text)) if limit is None else short(str(text), limit)
    return _LINE_START.sub(r"\1\\", _MARKS.sub(r"\\\g<0>", line)).replace("<", "&lt;")


def code(text: str) -> str:
    """`text` as a code span that it cannot end."""
    line = plain(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def table(header: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[int] = ()) -> str:
    """A Markdown table; every cell of `rows` is escaped. `right`: the columns to align at their right end."""
    rules = ["---:" if place in right else "---" for place in range(len(header))]
    lines = [header, rules, *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def duration(seconds: float) -> str:
    """Seconds in words, to two digits or so: 4.2 s, 45 s, 12 min, 3.5 h, 2.1 days."""
    if 0 < seconds < 1:
        return "under a second"
    size, unit = next(((size, unit) for end, size, unit in _UNITS if seconds < end), (86400, "days"))
    value = seconds / size
    number = f"{value:.{1 if value < 9.95 else 0}f}"
    return f"{number.removesuffix('.0')} {unit}"


def scalar(value: object) -> str:
    """The value of a hyperparameter: floats without zeros at the end, "not set" for None."""
    if value is None:
        return "not set"
    return f"{value:g}" if isinstance(value, float) else str(value)
