"""Cards made small enough for a chat and a model's context, with foreign text marked as such.

What comes out of files and models (labels, column names, generated text, error messages of libraries) may have been
written by anybody. It goes into a result cut short, without control characters, between “ and ”, which it cannot close.
"""

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

TEXT_CHARACTERS = 300
QUOTED_CHARACTERS = 60
LIST_ITEMS = 20
MAP_ITEMS = 24
DIGITS = 6


def quoted(text: str, limit: int = QUOTED_CHARACTERS) -> str:
    """Foreign text as a result shows it: “like this”, on one line, at most `limit` characters of it."""
    return f"“{short(text.translate(_INNER), limit)}”"


def short(text: str, limit: int = TEXT_CHARACTERS) -> str:
    """`text` on one line without control and direction characters, cut to `limit` characters."""
    flat = " ".join("".join(" " if unicodedata.category(c) in _UNPRINTABLE else c for c in text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


_INNER = str.maketrans("“”„‟", '""""')
_UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def compact(result: Mapping[str, Any], text_characters: int = TEXT_CHARACTERS) -> dict[str, Any]:
    """A result made small: no empty values, six digits, short texts, the first entries of long lists and maps.

    A map that was cut says under "more" how many entries it lacks.
    """
    kept = {k: _small(v, text_characters) for k, v in result.items() if v is not None and v not in ("", [], {})}
    first = {short(k, QUOTED_CHARACTERS + 2): v for k, v in list(kept.items())[:MAP_ITEMS]}
    return first if len(kept) <= MAP_ITEMS else first | {"more": len(kept) - MAP_ITEMS}


def _small(value: Any, text_characters: int) -> Any:
    if isinstance(value, Mapping):
        return compact(value, text_characters)
    if isinstance(value, (list, tuple)):
        return [_small(item, text_characters) for item in value[:LIST_ITEMS]]
    if isinstance(value, str):
        return short(value, text_characters)
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else str(value)
    return value


def rounded(value: float) -> float:
    """`value` to six significant digits."""
    return float(f"{value:.{DIGITS}g}")
