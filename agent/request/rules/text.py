"""A request as text to be searched: cleaned, translated word by word, and masked as its parts are understood.

Every position of the cleaned text knows the characters of the request that it came from, so that whatever is read
can be quoted letter by letter.
"""

import re
from collections.abc import Iterator
from functools import cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from agent.request.rules.vocabulary import (
    FOREIGN_ARTICLES,
    KNOWN_TYPOS,
    PROTECTED_WORDS,
    SHORT_TYPO_TARGETS,
    TRANSLATIONS,
    TYPO_TARGETS,
)

USED = "\x00"
"""Stands for a character that a reader has consumed; no pattern matches across it."""

_CHARACTERS = str.maketrans(
    {
        "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-", "→": ">", "⇒": ">", "’": "'", "‘": "'", "“": '"',
        "”": '"', "„": '"', "«": '"', "»": '"', "\u00a0": " ", "\u202f": " ", "\u2009": " ", "，": ",", "。": ".",
        "：": ":", "、": ",", "；": ";", "（": "(", "）": ")", "～": "~", "％": "%", "≥": "≥", "≤": "≤", "×": "x",
        "\x00": " ", "\u200b": " ", "`": "`", "／": "/", "．": ".", "＼": "\\", "\u2024": ".", "\u2044": "/",
        "\u2215": "/", "\u29f8": "/", "\uff1d": "=",
    }
    | {chr(ord("０") + digit): str(digit) for digit in range(10)}
)  # fmt: skip

_CHUNK = re.compile(r"\S+")
_FLAG = re.compile(r"(?<!\S)--(?=[a-z])")
_JSON_KEY = re.compile(r"(?<=[{,])\s*\"([a-z_.]+)\"\s*(?=:)")
_WORD = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")
_QUOTED = re.compile(r"\"[^\"\n]{1,200}\"|`[^`\n]{1,200}`|(?<!\w)'[^'\n]{1,200}'(?!\w)")
_LITERAL = re.compile(r"[\\/_@]|\w\.\w|://")
_FOREIGN_TO = re.compile(r"(?<=\d )(?:bis|à|a|tot|до|do|hasta|até|fino a)(?= \d)|(?<=\d)\s*(?:到|至|から)\s*(?=\d)")
_FOREIGN_AND = re.compile(r"(?<=\d )(?:y|e|en|i|et|und|и)(?= \d)")
_BEFORE_NUMBER = re.compile(r"(?<![\w./-])([a-z]{3,6})(?=\s*[:=]?\s*\d)")
_NUMBERED = ("rank", "seed", "beta", "alpha")
_COUNTED_FOREIGN = re.compile(r"(?<=\d )(?:prove|testes|rodadas|rondas|corse|keer|razy|раз|passes d'essai)(?!\w)")
"""Words for "trials" that mean something else where no number precedes them."""
_CONTEXTUAL = {_FOREIGN_TO: " to ", _FOREIGN_AND: "and", _COUNTED_FOREIGN: "trials"}
CJK = "\u3040-\u30ff\u3400-\u9fff"


class Text:
    """The request in three forms: `original`; `cased` (cleaned); `left` (lower case, what no reader consumed yet)."""

    def __init__(self, original: str) -> None:
        self.original = original
        cleaned = original.translate(_CHARACTERS)
        pieces: list[tuple[str, int, int]] = []  # (text, start and end in the request)
        at = 0
        for start, end, replacement in _replacements(cleaned):
            pieces += [(c, at + i, at + i + 1) for i, c in enumerate(cleaned[at:start])]
            pieces += [(c, start, end) for c in replacement]
            at = end
        pieces += [(c, at + i, at + i + 1) for i, c in enumerate(cleaned[at:])]
        self.cased = "".join(piece[0] for piece in pieces)
        self._starts = [piece[1] for piece in pieces]
        self._ends = [piece[2] for piece in pieces]
        self.clean = _lower(self.cased)
        self.left = self.clean

    def quote(self, start: int, end: int) -> str:
        """The words of the request behind `clean[start:end]`."""
        while start < end and self.clean[start].isspace():
            start += 1
        while end > start and self.clean[end - 1].isspace():
            end -= 1
        if start >= end:
            return ""
        return self.original[self._starts[start] : self._ends[end - 1]]

    def consume(self, start: int, end: int) -> None:
        """Keep `clean[start:end]` from being read again."""
        self.left = self.left[:start] + USED * (end - start) + self.left[end:]


def _lower(text: str) -> str:
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)


def _replacements(text: str) -> list[tuple[int, int, str]]:
    """Translations and corrected typos as (start, end, replacement), in order, never inside paths, ids or quotes."""
    keys = [(*m.span(), f" {m[1]}") for m in _JSON_KEY.finditer(text)]
    keys += [(*m.span(), "; ") for m in _FLAG.finditer(text)]
    bare = _JSON_KEY.sub(lambda m: " " * len(m.group()), text)
    fixed = [(start, end) for start, end, _ in keys] + [match.span() for match in _QUOTED.finditer(bare)]
    fixed += [m.span() for m in _CHUNK.finditer(text) if _LITERAL.search(m.group().strip(".,;:!?()[]")) and not _cjk(m)]
    low = _lower(text)
    taken = bytearray(len(text))
    for start, end in fixed:
        taken[start:end] = b"\1" * (end - start)
    found: list[tuple[int, int, str]] = list(keys)
    pattern, meaning = _translations()
    for match in [
        *pattern.finditer(low),
        *_COUNTED_FOREIGN.finditer(low),
        *_FOREIGN_TO.finditer(low),
        *_FOREIGN_AND.finditer(low),
    ]:
        if not any(taken[match.start() : match.end()]):
            english = _CONTEXTUAL.get(match.re) or meaning[match.group()]
            spaced = f" {english} " if _cjk(match) else english
            found.append((match.start(), match.end(), spaced))
            taken[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    if len(found) > len(keys):
        found += [(*m.span(), "the") for m in _articles().finditer(low) if not any(taken[m.start() : m.end()])]
    for match in _BEFORE_NUMBER.finditer(low):
        name = next((t for t in _NUMBERED if _slips(match[1], t)), None)
        if name and not any(taken[match.start(1) : match.end(1)]):
            found.append((match.start(1), match.end(1), name))
            taken[match.start(1) : match.end(1)] = b"\1" * len(match[1])
    free = (m for m in _WORD.finditer(low) if not any(taken[m.start() : m.end()]))
    return sorted(found + [(*m.span(), corrected) for m in free if (corrected := _corrected(m.group()))])


def _cjk(match: re.Match[str]) -> bool:
    return re.search(f"[{CJK}]", match.group()) is not None


@cache
def _translations() -> tuple[re.Pattern[str], dict[str, str]]:
    meaning = {word: english for english, words in TRANSLATIONS.items() for word in words}
    by_length = sorted(meaning, key=len, reverse=True)
    spaced = "|".join(re.escape(w) for w in by_length if not re.search(f"[{CJK}]", w))
    joined = "|".join(re.escape(w) for w in by_length if re.search(f"[{CJK}]", w))
    return re.compile(rf"(?<![\w-])(?:{spaced})(?![\w-])|{joined}"), meaning


@cache
def _articles() -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'-])(?:{'|'.join(FOREIGN_ARTICLES)})(?![\w'-])(?=\s)")


@cache
def _corrected(word: str) -> str | None:
    """The vocabulary word that `word` is a misspelling of, or None."""
    if word in KNOWN_TYPOS:
        return KNOWN_TYPOS[word]
    if not 4 <= len(word) <= 16 or word in PROTECTED_WORDS or word in _known() or not word.isascii():
        return None
    short = next((t for t in SHORT_TYPO_TARGETS if _swapped(word, t)), None)
    if short or len(word) < 5:
        return short
    near = process.extract(word, TYPO_TARGETS, scorer=OSA.distance, score_cutoff=2 if len(word) > 5 else 1, limit=8)
    return next((str(target) for target, distance, _ in near if _misspells(word, target, int(distance))), None)


@cache
def _known() -> frozenset[str]:
    return frozenset(TYPO_TARGETS) | frozenset(SHORT_TYPO_TARGETS)


def _swapped(word: str, target: str) -> bool:
    """Whether two neighbouring letters changed places."""
    return len(word) == len(target) and sorted(word) == sorted(target) and OSA.distance(word, target) == 1


def _misspells(word: str, target: str, distance: int) -> bool:
    """One slip for short words; two for long ones, or where no letter is missing: swapped or doubled letters only."""
    if word[0] != target[0] and not _swapped(word[:2], target[:2]):
        return False
    if _undoubled(word) == _undoubled(target) and (len(word) > len(target) or not _inflected(word, target)):
        return not (_inflected(word, target) and not word.endswith("ss"))
    if _inflected(word, target):
        return False
    same_letters = sorted(word) == sorted(target)
    return distance <= 1 or len(word) >= 8 or same_letters


def _slips(word: str, target: str) -> bool:
    """Whether one letter of a short name before a number is wrong, missing or doubled."""
    near = word[0] == target[0] and OSA.distance(word, target) == 1
    return near and word not in PROTECTED_WORDS and not _inflected(word, target)


def _undoubled(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)


def _inflected(word: str, target: str) -> bool:
    """Whether the two differ by a regular ending only ("adapter", "adapters"): then `word` is correct English."""
    endings = ("s", "d", "r", "ed", "es", "rs", "er", "ing", "ly")
    return any(word == target + e or target == word + e for e in endings) or (
        word[:-1] == target[:-1] and word[-1] in "drs" and target[-1] in "drs"
    )


class Lazy:
    """A pattern with the methods of `re.Pattern` that the reader uses. Compiling a long one takes milliseconds."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        self.flags = flags
        self._compiled: re.Pattern[str] | None = None

    def compiled(self) -> re.Pattern[str]:
        """The compiled pattern."""
        if self._compiled is None:
            self._compiled = re.compile(self.pattern, self.flags)
        return self._compiled

    def search(self, text: str, start: int = 0, end: int | None = None) -> re.Match[str] | None:
        """As `re.Pattern.search`."""
        return self.compiled().search(text, start, len(text) if end is None else end)

    def match(self, text: str) -> re.Match[str] | None:
        """As `re.Pattern.match`."""
        return self.compiled().match(text)

    def finditer(self, text: str, start: int = 0, end: int | None = None) -> Iterator[re.Match[str]]:
        """As `re.Pattern.finditer`."""
        return self.compiled().finditer(text, start, len(text) if end is None else end)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """As `re.Pattern.fullmatch`."""
        return self.compiled().fullmatch(text)
