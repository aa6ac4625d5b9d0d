"""Things in a request that look like paths, URLs or hub ids, and which of them are unsafe to touch."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from agent.request.rules.claims import Reading
from agent.request.rules.text import USED, regex
from agent.request.rules.vocabulary import PHRASES, WORDS

_PHRASES = PHRASES["paths"]


@dataclass(frozen=True)
class Location:
    """A path or id as typed, with its position in `Text.clean`."""

    value: str
    start: int
    kind: str

    @property
    def span(self) -> tuple[int, int]:
        """Where it begins and ends."""
        return self.start, self.start + len(self.value)


def is_file(name: str) -> bool:
    """Whether a name ends as data files do."""
    return regex(rf"(?i)\.(?:{_PHRASES['extension']})$").search(name) is not None


def is_unsafe(value: str) -> bool:
    """Whether a path, however it is spelled, leaves the working directory or names keys, secrets or system files.

    Percent escapes (also of percent signs), Unicode look-alikes of dots and slashes, backslashes, repeated slashes and
    "./" steps are undone first.
    """
    plain = value
    for _ in range(3):
        plain = unquote(plain)
    plain = unicodedata.normalize("NFKC", plain).replace("\u2044", "/").replace("\u2215", "/")
    slashed = re.sub(r"(?<!:)(?<!^)/{2,}", "/", re.sub(r"(?<=[\\/])(?:\.[\\/])+", "", plain.replace("\\", "/")))
    return any(regex(_PHRASES["unsafe"]).search(form) for form in (value, plain, slashed))


def find_locations(reading: Reading) -> list[Location]:
    """Everything left to read that looks like a path, URL, hub id or file, in order."""
    characters = zip(reading.text.cased, reading.text.left, strict=True)
    visible = "".join(USED if left == USED else cased for cased, left in characters)
    matches = regex(_PHRASES["location"]).finditer(visible)
    return [location for match in matches if (location := _location(visible, match)) is not None]


def _location(visible: str, match: re.Match[str]) -> Location | None:
    kind, start, value = str(match.lastgroup), match.start(), match.group()
    if kind == "quoted":
        value, start = value[1:-1], start + 1
        inner = regex(_PHRASES["location"]).match(value.strip())
        kind = "file" if inner is None or is_file(value) else str(inner.lastgroup)
        if not is_file(value) and (inner is None or not regex(r"[/\\]|\.\w{2,7}$|^stdlib:|^\.env").search(value)):
            return None
    elif kind != "builtin":
        value = value.rstrip(".,:!?*").removesuffix("'s")
    if kind == "id" and _is_prose(value):
        return None
    root = value == "/" and kind == "path"
    if root and not regex(r"(?:on|from|in|to|into|under|with|use|path|dir|of)\W$").search(visible[:start]):
        return None
    return Location(value, start, kind) if value.strip("/~") or value in ("~", "/", "~/") else None


def _is_prose(value: str) -> bool:
    """Whether a slash joins words or numbers: "and/or", "train/test", "0.1/0.5"."""
    parts = [part.lower() for part in value.split("/") if part]
    words = all(part in WORDS.no_hub_id or part.isalpha() for part in parts)
    numbers = all(regex(r"[\d.]+%?|[\d.]*e-?\d+|\d+[a-z]+").fullmatch(part) for part in parts)
    return numbers or (words and parts[0] in WORDS.no_hub_id)
