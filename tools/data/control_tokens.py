"""Control tokens of the tokenizer inside the data: `<|im_end|>` in a text would end a turn in the middle of a row."""

import re

from tools.data.table import Row

TEMPLATE_SHARE = 0.5
"""Where more training rows than this hold control tokens, the user has put a chat template there on purpose."""


def escape_control_tokens(
    splits: dict[str, list[Row]], tokens: tuple[str, ...], notes: list[str]
) -> tuple[dict[str, list[Row]], int]:
    """(splits with a space put after the first character of each control token, number of training rows concerned).

    Rows that are templated on purpose (TEMPLATE_SHARE) stay as they are; a note says which of the two was done.
    """
    if not tokens:
        return splits, 0
    pattern = re.compile("|".join(map(re.escape, tokens)))
    held = [row for row in splits["train"] if _holds(row, pattern)]
    if len(held) > TEMPLATE_SHARE * len(splits["train"]):
        notes.append(f"{len(held)} training rows hold control tokens of the tokenizer; taken for a chat template, kept")
        return splits, len(held)
    n_rows = sum(_holds(row, pattern) for rows in splits.values() for row in rows)
    if not n_rows:
        return splits, 0
    notes.append(f"{n_rows} rows hold control tokens of the tokenizer as text; a space was put into each")
    return {split: [_escaped(row, pattern) for row in rows] for split, rows in splits.items()}, len(held)


def _holds(value: object, pattern: re.Pattern[str]) -> bool:
    if isinstance(value, str):
        return pattern.search(value) is not None
    if isinstance(value, dict):
        return any(_holds(v, pattern) for key, v in value.items() if key != "label")
    return isinstance(value, list) and any(_holds(v, pattern) for v in value)


def _escaped(row: Row, pattern: re.Pattern[str]) -> Row:
    return {key: value if key == "label" else _escape(value, pattern) for key, value in row.items()}


def _escape(value: object, pattern: re.Pattern[str]) -> object:
    if isinstance(value, str):
        return pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", value)
    if isinstance(value, list):
        return [_escape(v, pattern) for v in value]
    return {key: _escape(v, pattern) for key, v in value.items()} if isinstance(value, dict) else value
