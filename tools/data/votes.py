"""Preference rows given as two responses and the votes of annotators (as PandaLM's test set has them)."""

import re
from collections import Counter
from dataclasses import dataclass

from tools.data.column_names import folded
from tools.data.table import SAMPLE_ROWS, Row, Table
from trainers.errors import InputError

_SIDES = {
    **dict.fromkeys(("1", "a", "first", "left", "response1", "responsea", "modela", "answer1", "output1"), 1),
    **dict.fromkeys(("2", "b", "second", "right", "response2", "responseb", "modelb", "answer2", "output2"), 2),
    **dict.fromkeys(("0", "tie", "equal", "both", "none", "same", "tiebothbad", ""), 0),
}
_PAIR = re.compile(r"(response|answer|output|completion|conversation|generation|model)(1|a)")
_VOTE = re.compile(r"(annotator|vote|rater|judge|human)\d*|preference|preferred|winner|choice|better|label")


@dataclass(frozen=True)
class Votes:
    """Two response columns and the columns that say which is better: 1 or a, 2 or b, 0 or tie."""

    first: str
    second: str
    voters: tuple[str, ...]

    @property
    def why(self) -> str:
        """The evidence, in words."""
        return f"{self.first} or {self.second} by the majority of {', '.join(self.voters)}; ties are dropped"

    def winner(self, row: Row) -> int:
        """1 or 2 where more than half of the votes name that response, else 0 (a tie)."""
        counts = Counter(_side(row.get(voter)) for voter in self.voters)
        side, n_votes = max(counts.items(), key=lambda item: item[1])
        return side if side and 2 * n_votes > len(self.voters) else 0


def find_votes(table: Table) -> Votes | None:
    """The vote columns, if the table has a pair of responses and votes with both sides in them."""
    by_name = {folded(column): column for column in table.columns}
    for name in by_name:
        if match := _PAIR.fullmatch(name):
            other = match[1] + {"1": "2", "a": "b"}[match[2]]
            voters = tuple(c for n, c in by_name.items() if _VOTE.fullmatch(n) and _has_both_sides(table, c))
            if other in by_name and voters:
                return Votes(by_name[name], by_name[other], voters)
    return None


def _has_both_sides(table: Table, column: str) -> bool:
    sides = {_SIDES.get(_key(row.get(column))) for row in table.rows[:SAMPLE_ROWS]}
    return None not in sides and sides >= {1, 2}


def _side(value: object) -> int:
    if (side := _SIDES.get(_key(value))) is None:
        rule = f"a vote must be 1, 2 or 0 (or a, b, tie), got {value!r}."
        raise InputError("data.train", rule, "Correct that row.", code="bad_vote")
    return side


def _key(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else folded(str(value))
