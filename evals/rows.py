"""Canonical rows to token ids, by the same functions that training uses (`trainers/encode.py`)."""

import json
from typing import Any, NamedTuple

from evals.spec import EvalSpec
from trainers.encode import encode_chat_prompt, encode_prompt, escaped, special_strings
from trainers.errors import InputError

Row = dict[str, Any]


class Target(NamedTuple):
    """One sequence and which of its tokens the model is judged on (1) or only reads (0); of equal length."""

    ids: list[int]
    mask: list[int]


def read_rows(spec: EvalSpec) -> list[Row]:
    """The rows of `spec.file`, at most `spec.max_rows`. Raises InputError if there are none."""
    with spec.file.open(encoding="utf-8") as lines:
        rows: list[Row] = [json.loads(line) for line in lines if line.strip()]
    if not rows:
        raise InputError("data", f"the file to score on must have rows, {spec.file} has none.", "Give it rows.")
    return rows[: spec.max_rows]


def prompts(tokenizer: Any, rows: list[Row], max_seq_length: int) -> list[list[int]]:
    """Token ids that the model is to continue; of a longer prompt the last `max_seq_length`.

    Raises InputError for rows that are one text, which have no prompt.
    """
    specials = special_strings(tokenizer)
    return [_prompt(tokenizer, row, specials)[-max_seq_length:] for row in rows]


def reference_text(row: Row) -> str:
    """What a good answer to the row's prompt is: the completion, or the assistant's last turn."""
    return str(_split_chat(row)[1] if "messages" in row else row["completion"]).strip()


def _prompt(tokenizer: Any, row: Row, specials: tuple[str, ...]) -> list[int]:
    if "messages" in row:
        safe = [{**message, "content": escaped(message["content"], specials)} for message in _split_chat(row)[0]]
        return encode_chat_prompt(tokenizer, safe)
    if "prompt" in row:
        return encode_prompt(tokenizer, escaped(row["prompt"], specials))
    rule = "metrics of generated text need rows with a prompt, and these rows are whole texts."
    raise InputError("objective.metric", rule, "Use eval_loss or perplexity, or give prompt and completion columns.")


def _split_chat(row: Row) -> tuple[list[dict[str, Any]], str]:
    """The conversation before the assistant's last turn, and that turn."""
    messages = row["messages"]
    turns = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    if not turns:
        raise InputError("data", "every conversation must have an assistant's turn.", "Remove those without one.")
    return messages[: turns[-1]], messages[turns[-1]]["content"]
