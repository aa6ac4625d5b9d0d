"""The figure check: every number that a reply shows must be in a tool result of its turn.

Compared are values: a figure may be rounded to the digits it shows, have thousands separators, be a percentage of a
rate, or be in another unit of time or size. Not looked at are figures inside names (f1_macro, Qwen3-0.6B, tickets2.csv,
1h05m), list markers, and code that a result holds word for word. Numbers in words ("two") are not figures.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_SIGN, _THIN = r"[+\-−–]", "\u202f\u2009\u00a0"
_DIGITS = rf"(?:\d{{1,3}}(?:[,{_THIN}']\d{{3}})+(?![\d])|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>{_SIGN})?[$€£]?(?P<digits>{_DIGITS})(?:[eE](?P<exponent>[+\-−]?\d{{1,3}}))?(?P<unit>[^\W\d_]+|%)?"
)
_CHUNK = re.compile(rf"[\w.,:/@#+\-−–%$€£'{_THIN}]*\d[\w.,:/@#+\-−–%$€£'{_THIN}]*")
_MARKER = re.compile(r"^[ \t]*(?:[-*+>][ \t]+)*(?:#{1,6}[ \t]*)?\d{1,3}[.)](?=[ \t])", re.MULTILINE)
_CODE = re.compile(r"(`{1,3})(?P<code>[^`]+)\1")
_NEXT_WORD = re.compile(rf"[ {_THIN}]?(?P<unit>[^\W\d_]+|%)")
_JOINT = re.compile(r"(?:\s*,)?\s*(?:and\s+)?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d\S*|\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?|\d+(?:\.\d+){2,}")
"""Dates, times of the day, versions: looked for as they are written."""

_TIMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), (1.0,)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), (60.0,)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), (3600.0,)),
    **dict.fromkeys(("day", "days", "d"), (86400.0,)),
}
_SCALES: dict[str, tuple[float, ...]] = {
    **_TIMES,
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), (1e-3,)),
    **dict.fromkeys(("%", "percent", "pct"), (1e-2,)),
    **dict.fromkeys(("k", "thousand"), (1e3,)),
    "million": (1e6,),
    "billion": (1e9,),
    "m": (60.0, 1e6, 1.0),
    "b": (1e9, 1.0),
    "kb": (1e3, 2.0**10),
    "mb": (1e6, 2.0**20),
    "gb": (1e9, 2.0**30),
    "tb": (1e12, 2.0**40),
    "kib": (1e3, 2.0**10),
    "mib": (1e6, 2.0**20),
    "gib": (1e9, 2.0**30),
    **dict.fromkeys(("", "x", "pp", "st", "nd", "rd", "th"), (1.0,)),
}
"""What a unit may multiply its number by."""
_ONLY_ATTACHED = {"m", "d", "b", "x", "pp", "st", "nd", "rd", "th"}


@dataclass(frozen=True)
class Number:
    """A number as it is written, the step of its last digit, its unit, whether it has a sign."""

    value: float
    step: float
    unit: str = ""
    signed: bool = False

    @property
    def values(self) -> tuple[float, ...]:
        """What it may stand for."""
        return tuple(self.value * scale for scale in _SCALES[self.unit])

    def shows(self, target: float) -> bool:
        """Whether it is `target`, rounded to the digits it shows. A value between 0 and 1 is no whole number, nor 0."""
        if self.signed and target != 0 and (self.value < 0) != (target < 0):
            return False
        return any(_close(abs(self.value) * scale, self.step * scale, abs(target)) for scale in _SCALES[self.unit])


@dataclass(frozen=True)
class Figure:
    """A figure in a text. `readings` are what it may mean; each may be several numbers, such as the ends of a range."""

    text: str
    readings: tuple[tuple[Number, ...], ...]


def figures_in(text: str) -> list[Figure]:
    """The figures of `text`, in order."""
    figures: list[Figure] = []
    blank = _MARKER.sub(lambda m: " " * len(m[0]), text)
    at = before = 0
    while (match := _CHUNK.search(blank, at)) is not None:
        chunk = match[0].rstrip(f".,:-–−'/+#@{_THIN}").lstrip(f".,:/@#'{_THIN}") or match[0]
        start = blank.index(chunk, match.start())
        figure, at = _figure(chunk, start, blank)
        joint = blank[before:start]
        at = max(at, match.start() + 1, start + len(chunk))
        if figure is not None:
            if figures and _JOINT.fullmatch(joint) and (whole := _duration(figures[-1], joint, figure)):
                figures[-1] = whole
            else:
                figures.append(figure)
            before = at
    return figures


def _figure(chunk: str, start: int, text: str) -> tuple[Figure | None, int]:
    """The figure that begins at `start`, None for a name; and where the text goes on."""
    end = start + len(chunk)
    if (match := _NUMBER.fullmatch(chunk)) is not None:
        unit, after = "", None if match["unit"] else _NEXT_WORD.match(text, end)
        if after is not None and after["unit"].lower() in {*_SCALES} - _ONLY_ATTACHED:
            unit, end = after["unit"], after.end()
        number = _number(match, unit)
        if number is None:
            return None, end  # 3D, 2FA, 12abc: a name
        return Figure(text[start:end], ((number,), *_decimal_comma(chunk))), end
    if _MOMENT.fullmatch(chunk):
        return Figure(chunk, ()), end
    parts = [part for part in re.split(rf"[/:,]|(?<=[\d%]){_SIGN}(?=[\d.$€£])", chunk) if part]
    numbers = [number for part in parts if (match := _NUMBER.fullmatch(part)) and (number := _number(match))]
    if len(parts) == 1 or len(numbers) < len(parts):
        return None, end
    return Figure(chunk, (tuple(numbers), *_decimal_comma(chunk))), end


def _number(match: re.Match[str], unit: str = "") -> Number | None:
    """The number with the unit behind it, else `unit`; None where the letters behind it make it a name."""
    unit = (match["unit"] or unit).lower()
    digits = re.sub(rf"[,'{_THIN}]", "", match["digits"])
    exponent = int((match["exponent"] or "0").replace("−", "-"))
    value = float(f"{digits}e{exponent}")
    if unit not in _SCALES or not math.isfinite(value):
        return None
    signed, negative = match["sign"] is not None, match["sign"] not in (None, "+")
    decimals = len(digits.partition(".")[2])
    return Number(-value if negative else value, float(f"1e{exponent - decimals}"), unit, signed)


def _decimal_comma(chunk: str) -> tuple[tuple[Number, ...], ...]:
    """ "0,83" as much of the world writes it."""
    match = re.fullmatch(r"(\d+),(\d+)", chunk)
    return ((Number(float(f"{match[1]}.{match[2]}"), 10.0 ** -len(match[2])),),) if match else ()


def _duration(first: Figure, joint: str, second: Figure) -> Figure | None:
    """ "1 min 30 s": two parts of one duration as one figure."""
    long, short = first.readings[0] if first.readings else (), second.readings[0] if second.readings else ()
    if len(long) != 1 or len(short) != 1 or not {long[0].unit, short[0].unit} <= set(_TIMES):
        return None
    scale = _TIMES[short[0].unit][0]
    if long[0].step * _TIMES[long[0].unit][0] <= scale:
        return None
    value = long[0].values[0] / scale + short[0].value
    return Figure(f"{first.text}{joint}{second.text}", ((Number(value, short[0].step, short[0].unit),),))


@dataclass
class Known:
    """The numbers and texts of some results."""

    numbers: list[float] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, results: Iterable[Any]) -> "Known":
        """What `results` (JSON) hold; digits in keys (ci95) are known, and keys in `_mb` count megabytes."""
        facts = cls()
        for result in results:
            facts._take(result, "")
        return facts

    def unknown(self, text: str) -> list[str]:
        """The figures of `text` that are in no result, as they are written."""
        return [figure.text for figure in figures_in(self._without_quoted_code(text)) if not self._holds(figure)]

    def _take(self, value: Any, key: str) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                self._take_text(str(name), *(f"{digits}%" for digits in re.findall(r"(?<=[a-z])\d{1,3}\b", str(name))))
                self._take(inner, str(name))
        elif isinstance(value, (list, tuple)):
            for inner in value:
                self._take(inner, key)
        elif isinstance(value, str):
            self._take_text(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            in_mb = key.endswith("_mb") or key == "megabytes"
            self.numbers += [float(value), *(float(value) * scale for scale in (_SCALES["mb"] if in_mb else ()))]

    def _take_text(self, *texts: str) -> None:
        for text in texts:
            self.texts.append(text)
            for figure in figures_in(text):
                for number in (number for reading in figure.readings for number in reading):
                    self.numbers += [number.value, *number.values]

    def _without_quoted_code(self, text: str) -> str:
        def blank(match: re.Match[str]) -> str:
            code = match["code"].strip()
            return " " * len(match[0]) if any(code in text for text in self.texts) else match[0].replace("`", " ")

        return _CODE.sub(blank, text)

    def _holds(self, figure: Figure) -> bool:
        if not figure.readings:
            return any(figure.text in text for text in self.texts)
        if any(all(any(map(n.shows, self.numbers)) for n in reading) for reading in figure.readings):
            return True
        if not re.search(r"[^\W\d_]", figure.text):
            return False
        alone = re.compile(rf"(?<![\d.]){re.escape(figure.text)}(?![\w.])")  # 0.6B, also inside a name
        return any(alone.search(text) for text in self.texts)


def _close(size: float, step: float, target: float) -> bool:
    if size == 0 or (target < 1 and step >= 1):
        return math.isclose(size, target, abs_tol=1e-12)
    return abs(size - target) <= step / 2 * (1 + 1e-9) + 1e-9 * target
