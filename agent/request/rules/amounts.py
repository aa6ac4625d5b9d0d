"""Numbers as people type them: 2e-4, 10^-4, .5, 1,5, a dozen, 10k, ranges and lists of them."""

import re

from agent.request.rules.text import Lazy
from agent.request.rules.vocabulary import NUMBER_WORDS
from trainers.spec import Choices, Range, Scalar, SearchValue

_WORDS = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
NUMBER = (
    rf"(?<![\w.])(?:(?:(?<=[\s=:(\[])-(?=\d))?(?:10\^-?\d+|0,\d+|\d+(?:,\d{{3}})+(?!\d)|"
    rf"\d+(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?(?:\s?x\s?10\^-?\d+)?|(?:{_WORDS})(?![\w-]))"
)
"""A number without a unit; digits may be grouped by commas."""
TIGHT = NUMBER.replace(r"(?<![\w.])", "", 1)
COUNTED = (
    r"(?:trials?|runs?|configs?|configurations?|experiments?|attempts?|tries|epochs?|passes|hours?|h|minutes?|min|m|"
    r"seconds?|s|days?|gb|gib|mb|mib|g|usd|dollars?|at a time|in parallel|tokens?|rank|seed|warm-?up|batch|workers?|"
    r"steps?|candidates?|combinations?|settings?|samples|parallel|concurrent(?:ly)?|gpus?)\b(?!\s*[\"']?[=:])"
)
"""Nouns that claim the number before them: such a number never continues a list of another hyperparameter's values."""
_ITEM = rf"{TIGHT}\s*%?(?![\w.]*\w)(?![^\S\n]*-?[^\S\n]*{COUNTED})"
_LAST_ITEM = rf"{TIGHT}\s*%?(?!\w)(?!\.\d)(?![^\S\n]*-?[^\S\n]*{COUNTED})"
_BETWEEN = rf"between\s+{TIGHT}\s*%?\s*(?:and|to|-)\s*{TIGHT}(?:\s*%)?"
_FROM_TO = rf"(?:from\s+)?{TIGHT}\s*%?\s*(?:-+>?|~|\bto\b|\buntil\b|\bthrough\b|\bup to\b|\.\.+)\s*{TIGHT}(?:\s*%)?"
_BRACKETED = rf"[\[(]\s*{TIGHT}\s*%?\s*[,;]\s*{TIGHT}\s*%?\s*[\])]"
_LISTED = (
    rf"[\[({{]?\s*{TIGHT}\s*%?(?:\s*(?:,\s*(?:and\b|or\b)?|/|\||;|\bor\b|\band\b|\bvs\.?)\s*{_LAST_ITEM})+\s*[\])}}]?"
)
OWN_LIST = rf"{TIGHT}(?:\s*[,/]\s*{TIGHT})*(?:\s*,?\s*\bor\s+|/){TIGHT}"
"""A list before its noun: "2 or 4 epochs"."""
VALUE = rf"(?:{_BETWEEN}|{_BRACKETED}|{_FROM_TO}|{_LISTED}|{TIGHT}(?:\s*%)?)"
"""A range, a list or one number."""

UNIT_SECONDS: dict[str, float] = {
    r"(?:s|secs?|seconds?)": 1,
    r"(?:m|mins?|minutes?)": 60,
    r"(?:h|hrs?|hours?)": 3600,
    r"(?:d|days?)": 86400,
    r"weeks?": 604800,
}
"""Seconds in a unit of time, by the pattern of its names."""
_FIND = Lazy(NUMBER)


def seconds_in(unit: str) -> float | None:
    """The seconds of one unit of time, by its name in lower case; None for anything else."""
    return next((seconds for pattern, seconds in UNIT_SECONDS.items() if re.fullmatch(pattern, unit)), None)


def number(text: str) -> float:
    """The value of one `NUMBER`. Raises ValueError for anything else."""
    text = text.strip().rstrip("%").strip()
    if text in NUMBER_WORDS:
        return NUMBER_WORDS[text]
    text = text.replace(",", ".") if re.match(r"0,\d", text) else text
    if text.startswith("10^"):
        return 10.0 ** int(text[3:])
    mantissa, _, power = re.sub(r"\s", "", text).partition("x10^")
    return float(mantissa.replace(",", "")) * (10.0 ** int(power) if power else 1.0)


def whole(value: float) -> int | float:
    """`value` as an int where it is one."""
    return int(value) if float(value).is_integer() else value


def search_value(text: str, *, brackets_are_range: bool = False, percent: bool = False) -> SearchValue:
    """What a `VALUE` means: a number, a `Range`, or `Choices`. `percent`: numbers above 1 are percentages too."""
    scale = 0.01 if percent and "%" in text else 1.0
    numbers = [_scaled(number(m.group()), scale) for m in _FIND.finditer(f" {_spaced(text)}")]
    if len(numbers) == 1:
        return numbers[0]
    bracketed = re.fullmatch(_BRACKETED, text) is not None
    is_range = re.fullmatch(f"{_BETWEEN}|{_FROM_TO}", text) is not None or (bracketed and brackets_are_range)
    if len(numbers) == 2 and is_range:
        return Range(low=float(min(numbers)), high=float(max(numbers)))
    unique: tuple[Scalar, ...] = tuple(dict.fromkeys(numbers))
    return Choices(choices=unique) if len(unique) > 1 else unique[0]


def _spaced(text: str) -> str:
    """Keep the hyphen of a range from being read as part of the number after it."""
    return re.sub(r"(?<=\d)\s*(?:-+>?|~|\.\.+)\s*(?=[\d.])", " ", text)


def _scaled(value: float, scale: float) -> int | float:
    return whole(round(value * scale, 12))
