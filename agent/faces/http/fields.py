"""Texts that come from outside."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from agent.errors import InputError, readable

MAX_WORDS = 20_000


def _checked(text: str) -> str:
    if not readable(text):
        raise ValueError("must be text: no NUL, no broken characters")
    return text


Text = Annotated[str, AfterValidator(_checked)]
Words = Annotated[Text, Field(min_length=1, max_length=MAX_WORDS)]
Name = Annotated[Text, Field(min_length=1, max_length=500)]
PathName = Annotated[Text, Field(min_length=1, max_length=4096)]
Answers = Annotated[
    dict[Annotated[Text, Field(max_length=200)], Annotated[Text, Field(max_length=2000)]], Field(max_length=20)
]


def check_texts(value: Any, name: str = "") -> None:
    """Raises InputError, naming the field, where a text inside `value` (a dumped model) is none."""
    if isinstance(value, str) and not readable(value):
        raise InputError(name, "must be text: no NUL, no broken characters.", "Send UTF-8.")
    if isinstance(value, dict):
        for key, inner in value.items():
            check_texts(key, name)
            check_texts(inner, f"{name}.{key}".strip("."))
    elif isinstance(value, list | tuple):
        for inner in value:
            check_texts(inner, name)
