"""Numbers as people type them: 2e-4, 10^-4, .5, 1,5, a dozen, 10k, ranges and lists of them."""

from agent.request.rules.text import regex
from agent.request.rules.vocabulary import PHRASES, WORDS
from trainers.spec import Choices, Range, Scalar, SearchValue

_PHRASES = PHRASES["amounts"]
NUMBER = _PHRASES["number"]
OWN_LIST = _PHRASES["own_list"]
VALUE = _PHRASES["value"]


def seconds_in(unit: str) -> float | None:
    """The seconds of one unit of time, by its name in lower case; None for anything else."""
    return next((seconds for pattern, seconds in WORDS.unit_seconds.items() if regex(pattern).fullmatch(unit)), None)


def number(text: str) -> float:
    """The value of one `NUMBER`. Raises ValueError for anything else."""
    text = text.strip().rstrip("%").strip()
    if text in WORDS.numbers:
        return WORDS.numbers[text]
    text = text.replace(",", ".") if regex(r"0,\d").match(text) else text
    if text.startswith("10^"):
        return 10.0 ** int(text[3:])
    mantissa, _, power = "".join(text.split()).partition("x10^")
    return float(mantissa.replace(",", "")) * (10.0 ** int(power) if power else 1.0)


def whole(value: float) -> int | float:
    """`value` as an int where it is one."""
    return int(value) if float(value).is_integer() else value


def search_value(text: str, *, brackets_are_range: bool = False, percent: bool = False) -> SearchValue:
    """What a `VALUE` means: a number, a `Range`, or `Choices`. `percent`: numbers above 1 are percentages too."""
    scale = 0.01 if percent and "%" in text else 1.0
    # the hyphen of a range is no sign of the number after it
    spaced = regex(r"(?<=\d)\s*(?:-+>?|~|\.\.+)\s*(?=[\d.])").sub(" ", text)
    numbers = [whole(round(number(m.group()) * scale, 12)) for m in regex(NUMBER).finditer(f" {spaced}")]
    if len(numbers) == 1:
        return numbers[0]
    bracketed = regex(_PHRASES["bracketed"]).fullmatch(text) is not None
    is_range = regex(f"{_PHRASES['between']}|{_PHRASES['from_to']}").fullmatch(text) is not None or (
        bracketed and brackets_are_range
    )
    if len(numbers) == 2 and is_range:
        return Range(low=float(min(numbers)), high=float(max(numbers)))
    unique: tuple[Scalar, ...] = tuple(dict.fromkeys(numbers))
    return Choices(choices=unique) if len(unique) > 1 else unique[0]
