"""Texts that come from outside."""

from typing import Annotated

from pydantic import AfterValidator, Field

MAX_WORDS = 20_000


def readable(text: str) -> str:
    """`text`, unless it holds what no text has: NUL, or halves of characters that cannot be written as UTF-8."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must be text: no NUL, no broken characters")
    return text


Text = Annotated[str, AfterValidator(readable)]
Words = Annotated[Text, Field(min_length=1, max_length=MAX_WORDS)]
Name = Annotated[Text, Field(min_length=1, max_length=500)]
PathName = Annotated[Text, Field(min_length=1, max_length=4096)]
Answers = Annotated[
    dict[Annotated[Text, Field(max_length=200)], Annotated[Text, Field(max_length=2000)]], Field(max_length=20)
]
