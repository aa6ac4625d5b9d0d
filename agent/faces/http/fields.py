"""Texts that come from outside, and lists that go out."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, Field

from agent.errors import InputError, readable
from trainers.spec import Closed

MAX_WORDS = 20_000
T = TypeVar("T")


class Listing(Closed, Generic[T]):
    """All there are, or the latest."""

    data: tuple[T, ...]

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Such as TrialCardList, in the description of the API."""
        return f"{params[0].__name__}List"


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
