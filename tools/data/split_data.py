"""Cutting train, validation and test: stratified by class, seeded, duplicates on one side.

Which rows go where depends on the rows' text and the seed, not on their order in the file.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tools.data.table import Row, canonical_jsonl

EVALUATION_SHARE = 0.15
"""Of the rows, for validation and for test each; the rest is train."""
MAX_EVALUATION_ROWS = 2000
"""Of validation and of test each: more rows cost time in every trial and narrow the interval of a score (about
1 / sqrt(rows)) only a little."""
MIN_CLASS_ROWS = 5
"""A class with at least this many rows is in every split."""


@dataclass(frozen=True)
class Cut:
    """Indices of the rows of each split, disjoint, together all rows."""

    train: list[int]
    validation: list[int]
    test: list[int]


def cut(
    rows: Sequence[Row], strata: Sequence[str], groups: Sequence[int], seed: int, *, validation: bool, test: bool
) -> Cut:
    """Cut validation and/or test off. Rows of one group stay on one side; each stratum keeps rows in train.

    `strata` has the class of each row (one value where there are no classes), `groups` a number that duplicates
    share. Each wanted split gets EVALUATION_SHARE of every stratum, at most MAX_EVALUATION_ROWS in all.
    """
    share = min(EVALUATION_SHARE, MAX_EVALUATION_ROWS / max(1, len(rows)))
    ranks = [_rank(row, seed) for row in rows]
    members: dict[int, list[int]] = defaultdict(list)
    for i in sorted(range(len(rows)), key=lambda i: (ranks[i], i)):
        members[groups[i]].append(i)
    by_stratum: dict[str, list[list[int]]] = defaultdict(list)
    for group in members.values():
        by_stratum[Counter(strata[i] for i in group).most_common(1)[0][0]].append(group)
    indices_of: dict[str, list[int]] = {"test": [], "validation": []}
    wanted = [name for name, is_wanted in (("test", test), ("validation", validation)) if is_wanted]
    carry = dict.fromkeys(wanted, 0.0)
    for stratum in sorted(by_stratum):
        left = by_stratum[stratum]
        n_rows = sum(map(len, left))
        for name in wanted:
            exact = n_rows * share + carry[name]
            quota = max(round(exact), 1 if n_rows >= MIN_CLASS_ROWS else 0)
            taken, left = _take(left, quota)
            indices_of[name] += [i for group in taken for i in group]
            carry[name] = max(-0.5, min(0.5, exact - sum(map(len, taken))))
    apart = {i for indices in indices_of.values() for i in indices}
    order = {name: sorted(indices, key=lambda i: (ranks[i], i)) for name, indices in indices_of.items()}
    train = sorted((i for i in range(len(rows)) if i not in apart), key=lambda i: (ranks[i], i))
    return Cut(train=train, validation=order["validation"], test=order["test"])


def shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """The rows in an order that depends on their content and the seed only, so that the first n are a fair sample."""
    ranks = [_rank(row, seed) for row in rows]
    return [rows[i] for i in sorted(range(len(rows)), key=lambda i: (ranks[i], i))]


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
    """(taken, left): groups in order while they fit the quota; the last group of a stratum is never taken."""
    taken: list[list[int]] = []
    left: list[list[int]] = []
    n_taken = 0
    for position, group in enumerate(groups):
        is_last = not left and position == len(groups) - 1
        if n_taken + len(group) <= quota and not is_last:
            taken.append(group)
            n_taken += len(group)
        else:
            left.append(group)
    return taken, left


def _rank(row: Row, seed: int) -> bytes:
    return hashlib.blake2b(canonical_jsonl([row]), digest_size=8, key=str(seed).encode()).digest()
