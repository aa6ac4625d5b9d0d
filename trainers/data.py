"""Canonical rows (formats: `trainers.spec.TrainSpec`) to token ids, with everything that was cut, dropped or escaped
counted. Libraries truncate and drop without a word (docs/traps.md); here nothing is silent.

Tokenised files stay in memory, keyed by content, so that later attempts of a study do not repeat the work.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from trainers.encode import escaped, special_strings
from trainers.errors import AttemptFailed
from trainers.spec import FailureReason, Task

IGNORED = -100
"""Label of a token that is not trained."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Coding:
    """How rows of one task become token ids."""

    task: Task
    encode: Callable[[Row, Any], Row]
    """Token ids of a canonical row, however long. Raises KeyError or TypeError for a row of another task."""
    cut: Callable[[Row, int, Any], tuple[Row | None, bool]]
    """(an encoded row with its `length`, at most so many tokens a sequence, or None where nothing of its target is
    left; whether it was longer)."""


@dataclass(frozen=True)
class Tokens:
    """A tokenised file. Rows hold plain lists of ints."""

    rows: tuple[Row, ...]
    n_truncated: int
    """Rows longer than the limit and cut to it, those dropped afterwards included."""
    n_dropped: int
    """Rows left out because cutting left nothing of their target."""
    n_escaped: int
    """Rows whose text held the tokenizer's control tokens; these were escaped."""

    @property
    def n_tokens(self) -> int:
        """Tokens that go through the model in one pass over the rows."""
        return sum(row["length"] for row in self.rows)

    @cached_property
    def dataset(self) -> Any:
        """The rows as a `datasets.Dataset`, which TRL insists on; converted once."""
        from datasets import Dataset

        return Dataset.from_list(list(self.rows))


class TokenCache:
    """The last few tokenised files of a process, by content."""

    def __init__(self, size: int = 8) -> None:
        self._size = size
        self._files: OrderedDict[tuple[object, ...], Tokens] = OrderedDict()

    def get(self, file: Path, coding: Coding, tokenizer: Any, max_length: int) -> Tokens:
        """The tokens of `file`, at most `max_length` per sequence.

        Raises AttemptFailed(DATA) if no row is left, or a row is not of the task's canonical form.
        """
        content = file.read_bytes()
        key = (hashlib.sha256(content).hexdigest(), coding.task, tokenizer.name_or_path, len(tokenizer), max_length)
        if key not in self._files:
            self._files[key] = tokenise(_rows(content, file), coding, tokenizer, max_length)
            while len(self._files) > self._size:
                self._files.popitem(last=False)
        self._files.move_to_end(key)
        return self._files[key]

    def clear(self) -> None:
        """Forget everything: the tokenizer is about to change."""
        self._files.clear()


def tokenise(rows: list[Row], coding: Coding, tokenizer: Any, max_length: int) -> Tokens:
    """Token ids of canonical rows, with `length`, the tokens that go through the model. Too long rows keep their start.

    Raises AttemptFailed(DATA) for a row of another task and where no row is left.
    """
    specials = special_strings(tokenizer)
    encoded, truncated, dropped, touched = [], 0, 0, 0
    for number, row in enumerate(rows, start=1):
        clean = escaped_row(row, specials)
        touched += clean != row
        try:
            whole = coding.encode(clean, tokenizer)
        except (KeyError, TypeError) as error:
            raise AttemptFailed(FailureReason.DATA, f"row {number} is not a {coding.task} row: {error!r}") from error
        short, was_cut = coding.cut(whole, max_length, tokenizer)
        truncated += was_cut
        if short is None:
            dropped += 1
        else:
            encoded.append(short)
    if not encoded:
        message = f"none of {len(rows)} rows has a token to train on within max_seq_length={max_length}; "
        message += f"{truncated} were longer. Raise constraints.max_seq_length or shorten the prompts."
        raise AttemptFailed(FailureReason.DATA, message)
    return Tokens(tuple(encoded), truncated, dropped, touched)


def _rows(content: bytes, file: Path) -> list[Row]:
    rows = []
    for number, line in enumerate(content.decode("utf-8").split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise AttemptFailed(FailureReason.DATA, f"{file.name}, line {number} is not JSON: {error}") from error
    return rows


def escaped_row(row: Row, specials: tuple[str, ...], leave: str | None = None) -> Row:
    """`row` with control tokens (`specials`, longest first) written so that they stay text, but for the key `leave`."""
    return {name: value if name == leave else _escaped_value(value, specials) for name, value in row.items()}


def _escaped_value(value: Any, specials: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return escaped(value, specials)
    if isinstance(value, list):
        return [_escaped_value(item, specials) for item in value]
    if isinstance(value, dict):
        return {key: _escaped_value(item, specials) for key, item in value.items()}
    return value
