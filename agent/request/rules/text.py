"""A request as text to be searched: cleaned, translated word by word, and masked as its parts are understood.

Every position of the cleaned text knows the characters of the request that it came from, so that whatever is read
can be quoted letter by letter.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from agent.request.rules.vocabulary import PHRASES, WORDS

USED = "\x00"
"""Stands for a character that a reader has consumed; no pattern matches across it."""

CJK = "\u3040-\u30ff\u3400-\u9fff"
_CHARACTERS = str.maketrans(
    "‐‑‒–—−→⇒’‘“”„«»\u00a0\u202f\u2009，。：、；（）～％×\x00\u200b／．＼\u2024\u2044\u2215\u29f8\uff1d０１２３４５６７８９",
    '------>>\'\'"""""   ,.:,;()~%x  /.\\.///=0123456789',
)
_PHRASES = PHRASES["text"]


@cache
def regex(pattern: str) -> re.Pattern[str]:
    """`pattern` compiled once, when it is first needed: a long one takes milliseconds."""
    return re.compile(pattern)


class Text:
    """The request in three forms: `original`; `cased` (cleaned); `left` (lower case, what no reader consumed yet)."""

    def __init__(self, original: str) -> None:
        self.original = original
        cleaned = original.translate(_CHARACTERS)
        pieces: list[tuple[str, int, int]] = []  # (text, start and end in the request)
        at = 0
        for start, end, replacement in [*_replacements(cleaned), (len(cleaned), len(cleaned), "")]:
            pieces += [(c, at + i, at + i + 1) for i, c in enumerate(cleaned[at:start])]
            pieces += [(c, start, end) for c in replacement]
            at = end
        self.cased = "".join(piece[0] for piece in pieces)
        self._starts = [piece[1] for piece in pieces]
        self._ends = [piece[2] for piece in pieces]
        self.clean = _lower(self.cased)
        self.left = self.clean

    def quote(self, start: int, end: int) -> str:
        """The words of the request behind `clean[start:end]`."""
        words = self.clean[start:end]
        start, end = start + len(words) - len(words.lstrip()), end - len(words) + len(words.rstrip())
        return self.original[self._starts[start] : self._ends[end - 1]] if start < end else ""

    def name(self, match: re.Match[str], group: int | str = 0) -> str:
        """What a match in `left` names, as it was typed but for quotation marks around it."""
        return self.cased[match.start(group) : match.end(group)].strip("\"'`")

    def consume(self, start: int, end: int) -> None:
        """Keep `clean[start:end]` from being read again."""
        self.left = self.left[:start] + USED * (end - start) + self.left[end:]


def _lower(text: str) -> str:
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)


def _replacements(text: str) -> list[tuple[int, int, str]]:
    """Translations and corrected typos as (start, end, replacement), in order, never inside paths, ids or quotes."""
    low, mask = _lower(text), bytearray(len(text))
    replaced: list[tuple[int, int, str]] = []

    def replace(rewritten: Iterable[tuple[re.Match[str], str]]) -> None:
        for match, word in rewritten:
            if not any(mask[match.start() : match.end()]):
                replaced.append((*match.span(), word))
                mask[match.start() : match.end()] = b"\1" * len(match.group())

    replace((key, f" {key[1]}") for key in regex(_PHRASES["json_key"]).finditer(text))
    replace((flag, "; ") for flag in regex(_PHRASES["flag"]).finditer(text))
    signs = len(replaced)
    for match in _literals(text):
        mask[match.start() : match.end()] = b"\1" * len(match.group())
    replace(_translated(low))
    if len(replaced) > signs:
        articles = rf"(?<![\w'-])(?:{'|'.join(WORDS.foreign_articles)})(?![\w'-])(?=\s)"
        replace((article, "the") for article in regex(articles).finditer(low))
    replace(_respelt(low))
    return sorted(replaced)


def _literals(text: str) -> Iterator[re.Match[str]]:
    """Quotations, but for the keys of JSON, and paths, ids and addresses."""
    yield from regex(_PHRASES["quoted"]).finditer(
        regex(_PHRASES["json_key"]).sub(lambda key: " " * len(key.group()), text)
    )
    for chunk in regex(r"\S+").finditer(text):
        if regex(_PHRASES["literal"]).search(chunk.group().strip(".,;:!?()[]")) and not _is_cjk(chunk.group()):
            yield chunk


def _translated(low: str) -> Iterator[tuple[re.Match[str], str]]:
    pattern, english = _translations()
    words = [(match, english[match.group()]) for match in pattern.finditer(low)]
    between = PHRASES["between_numbers"].items()
    words += [(match, word) for word, pattern in between for match in regex(pattern).finditer(low)]
    return ((match, f" {word} " if _is_cjk(match.group()) else word) for match, word in words)


def _respelt(low: str) -> Iterator[tuple[re.Match[str], str]]:
    for match in regex(_PHRASES["before_number"]).finditer(low):
        if name := next((name for name in ("rank", "seed", "beta", "alpha") if _slips(match[1], name)), None):
            yield match, name
    for match in regex(_PHRASES["word"]).finditer(low):
        if word := _corrected(match.group()):
            yield match, word


def _is_cjk(text: str) -> bool:
    return regex(f"[{CJK}]").search(text) is not None


@cache
def _translations() -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern of the words of other languages, the longest first, and what each means."""
    english = {word: meaning for meaning, words in WORDS.translations.items() for word in words}
    by_length = sorted(english, key=len, reverse=True)
    spaced = "|".join(re.escape(w) for w in by_length if not _is_cjk(w))
    joined = "|".join(re.escape(w) for w in by_length if _is_cjk(w))
    return re.compile(rf"(?<![\w-])(?:{spaced})(?![\w-])|{joined}"), english


@cache
def _corrected(word: str) -> str | None:
    """The vocabulary word that `word` is a misspelling of, or None."""
    if word in WORDS.typos:
        return WORDS.typos[word]
    targets, swapped = WORDS.typo_targets, WORDS.swapped_typo_targets
    correct = word in WORDS.correct or word in targets or word in swapped
    if correct or not 4 <= len(word) <= 16 or not word.isascii():
        return None
    short = next((target for target in swapped if _swapped(word, target)), None)
    if short or len(word) < 5:
        return short
    near = process.extract(word, targets, scorer=OSA.distance, score_cutoff=2 if len(word) > 5 else 1, limit=8)
    return next((str(target) for target, distance, _ in near if _misspells(word, target, int(distance))), None)


def _swapped(word: str, target: str) -> bool:
    """Whether two neighbouring letters changed places."""
    return len(word) == len(target) and sorted(word) == sorted(target) and OSA.distance(word, target) == 1


def _misspells(word: str, target: str, distance: int) -> bool:
    """One slip for short words; two for long ones, or where no letter is missing: swapped or doubled letters only."""
    if word[0] != target[0] and not _swapped(word[:2], target[:2]):
        return False
    inflected = _inflected(word, target)
    if _undoubled(word) == _undoubled(target) and (len(word) > len(target) or not inflected):
        return not inflected or word.endswith("ss")
    return not inflected and (distance <= 1 or len(word) >= 8 or sorted(word) == sorted(target))


def _slips(word: str, target: str) -> bool:
    """Whether one letter of a short name before a number is wrong, missing or doubled."""
    near = word[0] == target[0] and OSA.distance(word, target) == 1
    return near and word not in WORDS.correct and not _inflected(word, target)


def _undoubled(word: str) -> str:
    return regex(r"(.)\1+").sub(r"\1", word)


def _inflected(word: str, target: str) -> bool:
    """Whether the two differ by a regular ending only ("adapter", "adapters"): then `word` is correct English."""
    endings = ("s", "d", "r", "ed", "es", "rs", "er", "ing", "ly")
    return any(word == target + e or target == word + e for e in endings) or (
        word[:-1] == target[:-1] and word[-1] in "drs" and target[-1] in "drs"
    )
