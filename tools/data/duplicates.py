"""Duplicates: the same example twice in train, or in train and in the rows it will be judged on.

Exact means equal after Unicode normalisation (NFKC), case folding and collapsing white space. Near duplicates are
found on 5-word shingles, as in Lee et al. 2021 (arXiv 2107.06499, Jaccard index of 5-grams at least 0.8); across
splits a train row counts that holds at least 0.8 of an evaluation row's shingles, so that a test question quoted in
a long document is found too. Candidates come from a prefix filter over an inverted index (Chaudhuri et al. 2006):
exact, up to MAX_CANDIDATES a row. 10,000 rows of 12 words take about 0.3 s.
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from tools.data.table import Row

SHINGLE_WORDS = 5
THRESHOLD = 0.8
MIN_WORDS = 8
"""Shorter texts have too few shingles to be near duplicates; only equality counts for them."""
MAX_WORDS = 1000
"""Words of a text that are compared; the rest is left out."""
MAX_CANDIDATES = 100
NEAR_BUDGET_WORDS = 5_000_000
"""Above this many words in all (about 15 s) only exact duplicates are looked for, and a note says so."""

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|[-+*/=<>^%$]")


def normalised(text: str) -> str:
    """The form in which two exact duplicates are equal."""
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(folded.casefold().split())


def words(text: str) -> list[str]:
    """Words of a normalised text: runs of letters and digits, single Chinese or Japanese characters, operators."""
    return _WORD.findall(text)[:MAX_WORDS]


def whole_text(row: Row) -> str:
    """All of a canonical row, normalised: equal where the rows are the same example."""
    return "\n".join(normalised(_flat(row[key])) for key in sorted(row))


def _flat(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(f"{turn['role']}: {turn['content']}" for turn in value)
    return str(value)


@dataclass(frozen=True)
class Twins:
    """Index of a twin for every row that has one. Where a row has several, the first."""

    exact: dict[int, int]
    near: dict[int, int]


def exact_twins(texts: Sequence[str]) -> dict[int, int]:
    """For each normalised text that equals an earlier one, the index of the first such text."""
    first: dict[str, int] = {}
    return {i: first[text] for i, text in enumerate(texts) if first.setdefault(text, i) != i}


def near_links(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, in order of j, of near duplicates among the distinct normalised texts."""
    distinct = sorted(set(range(len(texts))) - exact_twins(texts).keys())
    pairs = _near_pairs([_shingles(texts[i]) for i in distinct])
    return [(distinct[i], distinct[j]) for i, j in pairs]


def _near_pairs(shingles: Sequence[frozenset[int]]) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, in order of j, whose shingle sets have a Jaccard index of at least THRESHOLD.

    For a row at most MAX_CANDIDATES earlier ones are compared.
    """
    order = _rarity(shingles)
    index: dict[int, list[int]] = defaultdict(list)
    pairs: list[tuple[int, int]] = []
    for j, own in enumerate(shingles):
        prefix = _prefix(own, order)
        candidates = dict.fromkeys(i for shingle in prefix for i in index[shingle][:MAX_CANDIDATES])
        for i in sorted(candidates)[:MAX_CANDIDATES]:
            shared = len(own & shingles[i])
            if shared >= THRESHOLD * (len(own) + len(shingles[i]) - shared):
                pairs.append((i, j))
        for shingle in prefix:
            index[shingle].append(j)
    return pairs


def twins_across(train: Sequence[str], judged: Sequence[str], *, near: bool = True) -> Twins:
    """For each train text that a judged text equals, or most of whose shingles it holds, that judged text's index."""
    first = {text: i for i, text in reversed(list(enumerate(judged)))}
    exact = {i: first[text] for i, text in enumerate(train) if text in first}
    if not near:
        return Twins(exact, {})
    shingles = {i: s for text, i in first.items() if (s := _shingles(text))}
    order = _rarity(list(shingles.values()))
    index: dict[int, list[int]] = defaultdict(list)
    for i, other in sorted(shingles.items()):
        for shingle in _prefix(other, order):
            index[shingle].append(i)
    contained: dict[int, int] = {}
    for t, text in enumerate(train):
        if t not in exact and (own := _shingles(text)):
            candidates = sorted({i for shingle in own if shingle in index for i in index[shingle]})
            twin = next((i for i in candidates if len(own & shingles[i]) >= THRESHOLD * len(shingles[i])), None)
            if twin is not None:
                contained[t] = twin
    return Twins(exact, contained)


def longest_shared_span(a: str, b: str) -> int:
    """Words of the longest run that two normalised texts share. Cost: product of their lengths at worst."""
    left, right = words(a), words(b)
    if left == right:
        return len(left)
    return SequenceMatcher(None, left, right, autojunk=False).find_longest_match().size


def affordable(texts: Sequence[str]) -> bool:
    """Whether near duplicates of so much text are looked for (NEAR_BUDGET_WORDS)."""
    return sum(min(MAX_WORDS, text.count(" ") + 1) for text in texts) <= NEAR_BUDGET_WORDS


def _shingles(text: str) -> frozenset[int]:
    """Hashes of the runs of SHINGLE_WORDS words; empty for texts of fewer than MIN_WORDS words."""
    own = words(text)
    if len(own) < MIN_WORDS:
        return frozenset()
    return frozenset(map(hash, zip(*(own[i:] for i in range(SHINGLE_WORDS)), strict=False)))


def _rarity(shingles: Sequence[frozenset[int]]) -> Counter[int]:
    return Counter(shingle for own in shingles for shingle in own)


def _prefix(own: frozenset[int], counts: Counter[int]) -> list[int]:
    """The rarest shingles, so many that a set that shares THRESHOLD of `own` must hold one of them."""
    n_prefix = len(own) - math.ceil(THRESHOLD * len(own)) + 1
    return sorted(own, key=lambda s: (counts[s], s))[:n_prefix] if own else []
