"""A request as text to be searched: cleaned, translated word by word, and masked as its parts are understood.

Every position of the cleaned text knows the characters of the request that it came from, so that whatever is read
can be quoted letter by letter.
"""

import re
from functools import cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from agent.request.vocabulary import KNOWN_TYPOS, PROTECTED_WORDS, TRANSLATIONS, TYPO_TARGETS

USED = "\x00"
"""Stands for a character that a reader has consumed; no pattern matches across it."""

_CHARACTERS = str.maketrans(
    {
        "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-", "→": ">", "⇒": ">", "’": "'", "‘": "'", "“": '"',
        "”": '"', "„": '"', "«": '"', "»": '"', "\u00a0": " ", "\u202f": " ", "\u2009": " ", "，": ",", "。": ".",
        "：": ":", "、": ",", "；": ";", "（": "(", "）": ")", "～": "~", "％": "%", "≥": "≥", "≤": "≤", "×": "x",
        "\x00": " ", "\u200b": " ", "`": "`",
    }
    | {chr(ord("０") + digit): str(digit) for digit in range(10)}
)  # fmt: skip

_CHUNK = re.compile(r"\S+")
_WORD = re.compile(r"[^\W\d_]+(?:[-'][^\W\d_]+)*")
_QUOTED = re.compile(r"\"[^\"\n]{1,200}\"|`[^`\n]{1,200}`|(?<!\w)'[^'\n]{1,200}'(?!\w)")
_LITERAL = re.compile(r"[\\/_@]|\w\.\w|://")
_FOREIGN_TO = re.compile(r"(?<=\d )(?:bis|à|a|tot|до|do|hasta|até|fino a)(?= \d)")
_FOREIGN_AND = re.compile(r"(?<=\d )(?:y|e|en|i)(?= \d)")
_COUNTED_FOREIGN = re.compile(r"(?<=\d )(?:prove|testes|rodadas|rondas|corse|keer|razy|раз|passes d'essai)(?!\w)")
"""Words for "trials" that mean something else where no number precedes them."""
_CONTEXTUAL = {_FOREIGN_TO: "to", _FOREIGN_AND: "and", _COUNTED_FOREIGN: "trials"}
_CJK = "\u3040-\u30ff\u3400-\u9fff"


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
    fixed = [match.span() for match in _QUOTED.finditer(text)]
    fixed += [m.span() for m in _CHUNK.finditer(text) if _LITERAL.search(m.group().strip(".,;:!?()[]")) and not _cjk(m)]
    low = _lower(text)
    taken = bytearray(len(text))
    for start, end in fixed:
        taken[start:end] = b"\1" * (end - start)
    found: list[tuple[int, int, str]] = []
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
    free = (m for m in _WORD.finditer(low) if not any(taken[m.start() : m.end()]))
    return sorted(found + [(*m.span(), corrected) for m in free if (corrected := _corrected(m.group()))])


def _cjk(match: re.Match[str]) -> bool:
    return re.search(f"[{_CJK}]", match.group()) is not None


@cache
def _translations() -> tuple[re.Pattern[str], dict[str, str]]:
    meaning = {word: english for english, words in TRANSLATIONS.items() for word in words}
    by_length = sorted(meaning, key=len, reverse=True)
    spaced = "|".join(re.escape(w) for w in by_length if not re.search(f"[{_CJK}]", w))
    joined = "|".join(re.escape(w) for w in by_length if re.search(f"[{_CJK}]", w))
    return re.compile(rf"(?<![\w-])(?:{spaced})(?![\w-])|{joined}"), meaning


@cache
def _corrected(word: str) -> str | None:
    """The vocabulary word that `word` is a misspelling of, or None."""
    if word in KNOWN_TYPOS:
        return KNOWN_TYPOS[word]
    if len(word) < 5 or len(word) > 16 or word in PROTECTED_WORDS or word in TYPO_TARGETS or not word.isascii():
        return None
    allowed = 1 if len(word) < 9 else 2
    near = process.extract(word, TYPO_TARGETS, scorer=OSA.distance, score_cutoff=allowed, limit=4)
    return next((str(n[0]) for n in near if n[0][0] == word[0] and not _inflected(word, n[0])), None)


def _inflected(word: str, target: str) -> bool:
    """Whether the two differ by a regular ending only ("adapter", "adapters"): then `word` is correct English."""
    endings = ("s", "d", "r", "ed", "es", "rs", "er", "ing", "ly")
    return any(word == target + e or target == word + e for e in endings) or (
        word[:-1] == target[:-1] and word[-1] in "drs" and target[-1] in "drs"
    )
