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

from trainers.encode import encode_chat, encode_pair, encode_text, escaped, special_strings
from trainers.errors import AttemptFailed
from trainers.spec import FailureReason, Task

IGNORED = -100
"""Label of a token that is not trained."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Tokens:
    """A tokenised file. Rows hold plain lists of ints."""

    rows: tuple[Row, ...]
    n_rows_read: int
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
        self._kept: OrderedDict[tuple[object, ...], Tokens] = OrderedDict()

    def get(self, file: Path, task: Task, tokenizer: Any, max_length: int) -> Tokens:
        """The tokens of `file`, at most `max_length` per sequence.

        Raises AttemptFailed(DATA) if no row is left, or a row is not of the task's canonical form.
        """
        content = file.read_bytes()
        key = (hashlib.sha256(content).hexdigest(), task, tokenizer.name_or_path, len(tokenizer), max_length)
        if key not in self._kept:
            self._kept[key] = tokenise(_rows(content, file), task, tokenizer, max_length)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def clear(self) -> None:
        """Forget everything: the tokenizer is about to change."""
        self._kept.clear()


def tokenise(rows: list[Row], task: Task, tokenizer: Any, max_length: int) -> Tokens:
    """Token ids of canonical rows.

    classification: input_ids, labels (one int); sft: input_ids, labels (-100 where not trained); preference:
    prompt_ids, chosen_ids, rejected_ids. All: length, tokens that go through the model. Too long rows keep their start.
    """
    encode: dict[Task, Callable[[Row, Any], Row]] = {
        Task.CLASSIFICATION: _classification,
        Task.SFT: _sft,
        Task.PREFERENCE: _preference,
    }
    cut = {Task.CLASSIFICATION: _cut_classification, Task.SFT: _cut_sft, Task.PREFERENCE: _cut_preference}[task]
    specials = special_strings(tokenizer)
    kept, truncated, dropped, touched = [], 0, 0, 0
    for number, row in enumerate(rows, start=1):
        clean = {name: _escaped_value(value, specials) for name, value in row.items()}
        touched += clean != row
        try:
            whole = encode[task](clean, tokenizer)
        except (KeyError, TypeError) as error:
            raise AttemptFailed(FailureReason.DATA, f"row {number} is not a {task} row: {error!r}") from error
        short, was_cut = cut(whole, max_length, tokenizer)
        truncated += was_cut
        if short is None:
            dropped += 1
        else:
            kept.append(short)
    if not kept:
        raise AttemptFailed(
            FailureReason.DATA,
            f"none of {len(rows)} rows has a token to train on within max_seq_length={max_length}; "
            f"{truncated} were longer. Raise constraints.max_seq_length or shorten the prompts.",
        )
    return Tokens(tuple(kept), len(rows), truncated, dropped, touched)


def _rows(content: bytes, file: Path) -> list[Row]:
    rows = []
    for number, line in enumerate(content.decode("utf-8").split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise AttemptFailed(FailureReason.DATA, f"{file.name}, line {number} is not JSON: {error}") from error
    return rows


def _escaped_value(value: Any, specials: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return escaped(value, specials)
    if isinstance(value, list):
        return [_escaped_value(item, specials) for item in value]
    if isinstance(value, dict):
        return {key: _escaped_value(item, specials) for key, item in value.items()}
    return value


def _classification(row: Row, tokenizer: Any) -> Row:
    return {"input_ids": list(tokenizer(row["text"])["input_ids"]), "labels": int(row["label"]), "text": row["text"]}


def _cut_classification(row: Row, limit: int, tokenizer: Any) -> tuple[Row | None, bool]:
    text, long = row.pop("text"), len(row["input_ids"]) > limit
    if long:  # again by the tokenizer, which keeps its closing [SEP]
        row["input_ids"] = list(tokenizer(text, truncation=True, max_length=limit)["input_ids"])
    return {**row, "length": len(row["input_ids"])}, long


def _sft(row: Row, tokenizer: Any) -> Row:
    if "messages" in row:
        ids, mask = encode_chat(tokenizer, row["messages"])
        labels = [i if bit else IGNORED for i, bit in zip(ids, mask, strict=True)]
    elif "completion" in row:
        prompt, completion = encode_pair(tokenizer, row["prompt"], row["completion"])
        ids, labels = prompt + completion, [IGNORED] * len(prompt) + completion
    else:
        ids = encode_text(tokenizer, row["text"])
        labels = list(ids)
    return {"input_ids": ids, "labels": labels}


def _cut_sft(row: Row, limit: int, tokenizer: Any) -> tuple[Row | None, bool]:
    ids, labels = row["input_ids"][:limit], row["labels"][:limit]
    trained = any(label != IGNORED for label in labels[1:])  # nothing predicts the first token
    return ({"input_ids": ids, "labels": labels, "length": len(ids)} if trained else None), len(
        row["input_ids"]
    ) > limit


def _preference(row: Row, tokenizer: Any) -> Row:
    prompt, chosen = encode_pair(tokenizer, row["prompt"], row["chosen"])
    _, rejected = encode_pair(tokenizer, row["prompt"], row["rejected"])
    return {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}


def _cut_preference(row: Row, limit: int, tokenizer: Any) -> tuple[Row | None, bool]:
    room = limit - len(row["prompt_ids"])
    long = max(len(row["chosen_ids"]), len(row["rejected_ids"])) > room
    if room < 1:
        return None, True
    chosen, rejected = row["chosen_ids"][:room], row["rejected_ids"][:room]
    length = 2 * len(row["prompt_ids"]) + len(chosen) + len(rejected)
    return {"prompt_ids": row["prompt_ids"], "chosen_ids": chosen, "rejected_ids": rejected, "length": length}, long
