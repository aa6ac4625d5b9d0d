"""Cutting train, validation and test: stratified by class, seeded, duplicates on one side.

Which rows go where depends on the rows' text and the seed, not on their order in the file.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from tools.data.table import Row, canonical_jsonl

EVALUATION_SHARE = 0.15
"""Of the rows, for validation and for test each; the rest is train."""
MAX_EVALUATION_ROWS = 2000
"""Of validation and of test each: more rows cost time in every trial and narrow the interval of a score (about
1 / sqrt(rows)) only a little."""
MIN_CLASS_ROWS = 5
"""A class with at least this many rows is in every split."""


def cut(
    rows: Sequence[Row], strata: Sequence[str], groups: Sequence[int], seed: int, splits: Collection[str]
) -> dict[str, list[int]]:
    """Indices of the rows of "train" and of each of `splits`: disjoint, together all rows.

    `strata` has the class of each row (one value where there are no classes), `groups` a number that duplicates
    share. Rows of one group stay on one side; each stratum keeps rows in train. Each of `splits` ("validation",
    "test") gets EVALUATION_SHARE of every stratum, at most MAX_EVALUATION_ROWS in all.
    """
    share = min(EVALUATION_SHARE, MAX_EVALUATION_ROWS / max(1, len(rows)))
    order = _order(rows, seed)
    members: dict[int, list[int]] = defaultdict(list)
    for i in order:
        members[groups[i]].append(i)
    by_stratum: dict[str, list[list[int]]] = defaultdict(list)
    for group in members.values():
        by_stratum[Counter(strata[i] for i in group).most_common(1)[0][0]].append(group)
    side: dict[int, str] = {}
    carry = dict.fromkeys(sorted(splits), 0.0)
    for stratum in sorted(by_stratum):
        left = by_stratum[stratum]
        n_rows = sum(map(len, left))
        for split in carry:
            exact = n_rows * share + carry[split]
            quota = max(round(exact), 1 if n_rows >= MIN_CLASS_ROWS else 0)
            part, left = _take(left, quota)
            side |= {i: split for group in part for i in group}
            carry[split] = max(-0.5, min(0.5, exact - sum(map(len, part))))
    return {split: [i for i in order if side.get(i, "train") == split] for split in ("train", *splits)}


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """The rows in an order that depends on their content and the seed only, so that the first n are a fair sample."""
    return [rows[i] for i in _order(rows, seed)]


def grouped(n_rows: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """A group number for each row, such that linked rows share it (connected components)."""
    parent = list(range(n_rows))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in links:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return [root(i) for i in range(n_rows)]


def _take(groups: list[list[int]], quota: int) -> tuple[list[list[int]], list[list[int]]]:
    """(part, left): groups in order while they fit the quota; the last group of a stratum is never in the part."""
    part: list[list[int]] = []
    left: list[list[int]] = []
    n_rows = 0
    for position, group in enumerate(groups):
        is_last = not left and position == len(groups) - 1
        if n_rows + len(group) <= quota and not is_last:
            part.append(group)
            n_rows += len(group)
        else:
            left.append(group)
    return part, left


def _order(rows: Sequence[Row], seed: int) -> list[int]:
    """Indices of the rows by a hash of their content, so that the order of the file does not matter."""
    key = str(seed).encode()
    ranks = [hashlib.blake2b(canonical_jsonl([row]), digest_size=8, key=key).digest() for row in rows]
    return sorted(range(len(rows)), key=lambda i: (ranks[i], i))
