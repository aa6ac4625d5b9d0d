"""Texts that come from outside."""

from typing import Annotated

from pydantic import AfterValidator, Field

from agent.errors import readable

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
