"""Control tokens of the tokenizer inside the data: `<|im_end|>` in a text would end a turn in the middle of a row."""

from tools.data.table import Row
from trainers.data import escaped_row

TEMPLATE_SHARE = 0.5
"""Where more training rows than this hold control tokens, the user has put a chat template there on purpose."""


def escape_control_tokens(
    splits: dict[str, list[Row]], tokens: tuple[str, ...], notes: list[str]
) -> tuple[dict[str, list[Row]], int]:
    """(splits with a space put after the first character of each control token, number of training rows concerned).

    Labels stay as they are, and so do rows that are templated on purpose (TEMPLATE_SHARE); a note says which of the
    two was done.
    """
    clean = {split: [escaped_row(row, tokens, leave="label") for row in rows] for split, rows in splits.items()}
    n_rows_of = {split: sum(a != b for a, b in zip(rows, clean[split], strict=True)) for split, rows in splits.items()}
    if (n_train := n_rows_of["train"]) > TEMPLATE_SHARE * len(splits["train"]):
        notes.append(f"{n_train} training rows hold control tokens of the tokenizer; taken for a chat template, kept")
        return splits, n_train
    if n_rows := sum(n_rows_of.values()):
        notes.append(f"{n_rows} rows hold control tokens of the tokenizer as text; a space was put into each")
    return clean, n_train
