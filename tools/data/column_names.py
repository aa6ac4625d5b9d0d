"""Usual names of columns, by role. Compared letter by letter after folding case and dropping `_`, `-` and spaces."""

import re
import tomllib
from pathlib import Path

ROLES: dict[str, list[list[str]]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
TEXT, LABEL, PROMPT, COMPLETION = ROLES["text"], ROLES["label"], ROLES["prompt"], ROLES["completion"]
MESSAGES, CHOSEN, REJECTED = ROLES["messages"], ROLES["chosen"], ROLES["rejected"]
LABEL_STRINGS = ("labeltext", "labelname", "classname", "labels", "category", "intent")
CONTEXT = ("input", "context", "passage")
"""Appended to the prompt below an empty line where a row has both, as Alpaca and SQuAD rows do."""

_KNOWN = {name for role in ROLES.values() for tier in role for name in tier} | {*CONTEXT, "id", "idx"}


def folded(name: str) -> str:
    """The name as it is compared: lower case, letters and digits only."""
    return re.sub(r"[\W_]+", "", name.casefold())


def is_known_name(name: str) -> bool:
    """Whether a header cell is a usual column name."""
    return folded(name) in _KNOWN


def by_role(columns: tuple[str, ...], role: list[list[str]]) -> list[str]:
    """The columns with a usual name of `role`, from the first tier that has any, in the tier's order."""
    by_name = {folded(column): column for column in reversed(columns)}
    return next((hits for tier in role if (hits := [by_name[n] for n in tier if n in by_name])), [])
