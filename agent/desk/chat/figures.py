"""The figure check: every number that a reply shows must be in a tool result of its turn.

A figure may be rounded to the digits it shows, have thousands separators, be the percentage of a rate, or be in another
unit of time or size than the result. Not looked at are figures inside names (f1_macro, Qwen3-0.6B, tickets2.csv), list
markers, and code that a result holds word for word. Numbers in words ("two") are not figures.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_SIGN = r"[+\-−–]"
_PLAIN = r"(?:\d{1,3}(?:[,\u202f\u2009\u00a0']\d{3})+(?![\d])|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>{_SIGN})?[$€£]?(?P<digits>{_PLAIN})(?:[eE](?P<exponent>[+\-−]?\d{{1,3}}))?(?P<unit>[^\W\d_]+|%)?"
)
_CHUNK = re.compile(r"[\w.,:/@#+\-−–%$€£'\u202f\u2009\u00a0]*\d[\w.,:/@#+\-−–%$€£'\u202f\u2009\u00a0]*")
_MARKER = re.compile(r"^[ \t]*(?:[-*+>][ \t]+)*(?:#{1,6}[ \t]*)?\d{1,3}[.)](?=[ \t])", re.MULTILINE)
_CODE = re.compile(r"(`{1,3})(?P<code>[^`]+)\1")
_NEXT_WORD = re.compile(r"[ \u00a0\u202f\u2009]?(?P<unit>[^\W\d_]+|%)")
_JOINT = re.compile(r"(?:\s*,)?\s*(?:and\s+)?")

_TIME = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_TIME_WORDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "m"), "min"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), "ms"),
}
_SIZES = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
_SIZE_FAMILIES = ((1e3, 1e6, 1e9, 1e12), (2.0**10, 2.0**20, 2.0**30, 2.0**40))
_MANY = {"k": 1e3, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_ATTACHED = {"m": 1e6, "b": 1e9, "M": 1e6, "B": 1e9}
_ORDINALS = ("st", "nd", "rd", "th")
_PERCENT = ("%", "percent", "pct")


@dataclass(frozen=True)
class Number:
    """A number as it is written: its size, the step of its last digit, and what it counts (s, bytes, % or nothing)."""

    value: float
    step: float
    unit: str = ""
    signed: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure in a text. `readings` are what it may mean; each may be several numbers, such as the ends of a range."""

    text: str
    readings: tuple[tuple[Number, ...], ...]


def figures_in(text: str) -> list[Figure]:
    """The figures of `text`, in order."""
    found: list[Figure] = []
    blank = _MARKER.sub(lambda m: " " * len(m[0]), text)
    at = 0
    while (match := _CHUNK.search(blank, at)) is not None:
        chunk = match[0].rstrip(".,:-–−'/+#@\u00a0\u202f\u2009").lstrip(".,:/@#'\u00a0\u202f\u2009") or match[0]
        start = blank.index(chunk, match.start())
        figure, at = _figure(chunk, start, blank)
        at = max(at, match.start() + 1, start + len(chunk))
        if figure is not None:
            found.append(figure)
    return found


def _figure(chunk: str, start: int, text: str) -> tuple[Figure | None, int]:
    """The figure that begins at `start`, None for a name; and where the text goes on."""
    end = start + len(chunk)
    duration = _compound(start, text)
    if duration is not None:
        return duration
    if (whole := _NUMBER.fullmatch(chunk)) is not None:
        return _single(whole, chunk, end, text)
    if _is_moment(chunk):
        return Figure(chunk, ()), end
    parts = [part for part in re.split(rf"[/:,]|(?<=[\d%]){_SIGN}(?=[\d.$€£])", chunk) if part]
    numbers = [_NUMBER.fullmatch(part) for part in parts]
    if len(parts) > 1 and all(number is not None for number in numbers):
        read = [_number(number, "") for number in numbers if number is not None]
        if all(number is not None for number in read):
            return Figure(chunk, (tuple(n for n in read if n is not None), *_decimal_comma(chunk))), end
    return None, end


def _single(match: re.Match[str], chunk: str, end: int, text: str) -> tuple[Figure | None, int]:
    unit = match["unit"] or ""
    if not unit and (after := _NEXT_WORD.match(text, end)) is not None and _is_unit(after["unit"]):
        unit, end = after["unit"], after.end()
        chunk = f"{chunk} {unit}"
    number = _number(match, unit)
    if number is None:
        return None, end  # 3D, 2FA, 12abc: a name
    readings: tuple[tuple[Number, ...], ...] = ((number,),)
    if unit in _ATTACHED and match["unit"]:
        many = _ATTACHED[unit]
        base = _bare(match)
        readings += ((Number(base.value * many, base.step * many, "", base.signed),),)
    if not match["exponent"]:
        readings += _decimal_comma(match["digits"])
    return Figure(chunk, readings), end


def _is_unit(word: str) -> bool:
    low = word.lower()
    return (low in _TIME_WORDS and low not in ("m", "d")) or low in _SIZES or low in _MANY or low in _PERCENT


def _number(match: re.Match[str], unit: str) -> Number | None:
    """The number with its unit; None where the letters behind it make it a name."""
    bare, low = _bare(match), (unit or match["unit"] or "").lower()
    if not math.isfinite(bare.value):
        return None
    if not low or low in _ORDINALS or low in ("x", "pp"):
        return bare
    if low in _PERCENT:
        return Number(bare.value, bare.step, "%", bare.signed)
    if low in _TIME_WORDS:
        scale = _TIME[_TIME_WORDS[low]]
        return Number(bare.value * scale, bare.step * scale, "s", bare.signed)
    if low in _SIZES:
        return Number(bare.value, bare.step, low, bare.signed)
    if low in _MANY:
        return Number(bare.value * _MANY[low], bare.step * _MANY[low], "", bare.signed)
    return bare if low in ("m", "b") else None


def _bare(match: re.Match[str]) -> Number:
    digits = re.sub(r"[,'\u202f\u2009\u00a0]", "", match["digits"])
    exponent = int((match["exponent"] or "0").replace("−", "-"))
    decimals = len(digits.partition(".")[2])
    value = float(f"{digits}e{exponent}")
    negative = match["sign"] not in (None, "+")
    return Number(-value if negative else value, float(f"1e{exponent - decimals}"), "", match["sign"] is not None)


def _decimal_comma(digits: str) -> tuple[tuple[Number, ...], ...]:
    """ "0,83" as much of the world writes it."""
    found = re.fullmatch(r"(\d+),(\d+)", digits)
    if found is None:
        return ()
    return ((Number(float(f"{found[1]}.{found[2]}"), 10.0 ** -len(found[2])),),)


def _is_moment(chunk: str) -> bool:
    """Dates, times of the day, versions: looked for as they are written."""
    return re.fullmatch(r"\d{4}-\d\d-\d\d\S*|\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?|\d+(?:\.\d+){2,}", chunk) is not None


_PART = re.compile(r"(?P<n>\d+(?:\.\d+)?)\s?(?P<unit>[a-z]+)(?![\w])|(?P<n2>\d+)(?P<unit2>h|m|min|s)(?=\d)")


def _compound(start: int, text: str) -> tuple[Figure, int] | None:
    """ "1 min 30 s", "1h05m": parts of one duration."""
    at, seconds, step, parts = start, 0.0, 0.0, 0
    while (part := _PART.match(text, at)) is not None:
        unit = _TIME_WORDS.get(part["unit"] or part["unit2"])
        if unit is None or (parts and _TIME[unit] >= step):
            break
        number = part["n"] or part["n2"]
        scale = _TIME[unit]
        seconds, parts, end = seconds + float(number) * scale, parts + 1, part.end()
        step = scale
        joint = _JOINT.match(text, end)
        at = joint.end() if joint else end
    if parts < 2:
        return None
    decimals = len(number.partition(".")[2])
    return Figure(text[start:end], ((Number(seconds, step * 10.0**-decimals, "s"),),)), end


@dataclass
class Known:
    """The numbers and texts of some results."""

    numbers: list[Number] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, results: Iterable[Any]) -> "Known":
        """What `results` (JSON) hold. A key tells the unit: `seconds...`, `..._mb`; digits in keys (ci95) are known."""
        known = cls()
        for result in results:
            known._take(result, "")
        return known

    def unknown(self, text: str) -> list[str]:
        """The figures of `text` that are in no result, as they are written."""
        return [figure.text for figure in figures_in(self._without_quoted_code(text)) if not self._holds(figure)]

    def _take(self, value: Any, key: str) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                self._take_key(str(name))
                self._take(inner, str(name))
        elif isinstance(value, (list, tuple)):
            for inner in value:
                self._take(inner, key)
        elif isinstance(value, str):
            self._take_text(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            self.numbers.append(Number(float(value), 0.0, _unit_of(key), signed=True))

    def _take_key(self, key: str) -> None:
        self.numbers += [Number(float(digits), 0.0, "%") for digits in re.findall(r"(?<=[a-z])\d{1,3}\b", key)]
        if not key.isidentifier():
            self._take_text(key)

    def _take_text(self, text: str) -> None:
        self.texts.append(text)
        for figure in figures_in(text):
            for reading in figure.readings:
                self.numbers += reading

    def _without_quoted_code(self, text: str) -> str:
        def blank(match: re.Match[str]) -> str:
            code = match["code"].strip()
            return " " * len(match[0]) if any(code in known for known in self.texts) else match[0].replace("`", " ")

        return _CODE.sub(blank, text)

    def _holds(self, figure: Figure) -> bool:
        if not figure.readings:
            return any(figure.text in text for text in self.texts)
        if any(all(self._has(number) for number in reading) for reading in figure.readings):
            return True
        return not figure.text.replace(".", "").isdigit() and any(_stands_in(figure.text, text) for text in self.texts)

    def _has(self, number: Number) -> bool:
        return any(shows(number, known) for known in self.numbers)


def _unit_of(key: str) -> str:
    if "seconds" in key:
        return "s"
    if key.endswith("_mb") or key == "megabytes":
        return "mb"
    return "bytes" if key.endswith("bytes") else ""


def _stands_in(figure: str, text: str) -> bool:
    """Whether a figure with letters (0.6B) is written so in a text, also inside a name."""
    if not re.search(r"[^\W\d_]", figure):
        return False
    return re.search(rf"(?<![\d.]){re.escape(figure)}(?![\w.])", text) is not None


def shows(shown: Number, known: Number) -> bool:
    """Whether `shown` is `known`, rounded to the digits it shows, in its own unit."""
    if shown.unit == "%":
        return (
            _close(shown, known.value) if known.unit == "%" else known.unit == "" and _close(shown, 100 * known.value)
        )
    if shown.unit == "s":
        return known.unit == "s" and _close(shown, known.value)
    if shown.unit:
        return any(_close(shown, value) for value in _in_size(known, shown.unit))
    if known.unit == "%" and _close(shown, known.value / 100):
        return True
    return _close(shown, known.value)


def _in_size(known: Number, unit: str) -> list[float]:
    """A known size in `unit`, counting thousands or 1024s, whichever the writer meant."""
    power = {"k": 0, "m": 1, "g": 2, "t": 3}
    if known.unit == "bytes":
        return [known.value / family[power[unit[0]]] for family in _SIZE_FAMILIES]
    if known.unit not in _SIZES:
        return []
    return [known.value * family[power[known.unit[0]]] / family[power[unit[0]]] for family in _SIZE_FAMILIES]


def _close(shown: Number, known: float) -> bool:
    """Equal after rounding `known` to the digits shown. A value between 0 and 1 is no whole number, nor is it 0."""
    if shown.signed and known != 0 and (shown.value < 0) != (known < 0):
        return False
    size, target = abs(shown.value), abs(known)
    if size == 0 or (target < 1 and shown.step >= 1):
        return math.isclose(size, target, abs_tol=1e-12)
    return abs(size - target) <= shown.step / 2 * (1 + 1e-9) + 1e-9 * target
