"""The labelled requests: what people type, and what a careful reader may take from it.

`develop.json` is for writing readers against; `test.json` is looked at by nobody who writes one. `README.md` beside
this file has the labelling rules.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import Field, TypeAdapter, model_validator

from trainers.spec import Closed, SearchValue

PARTS = ("develop", "test")


class LabelledRequest(Closed):
    """One request with its gold reading. Exactly one of `request` and `turns` is set."""

    id: str
    kind: str = Field("other", description="what makes the row hard, such as typo, edit or unsafe_path")
    request: str | None = None
    turns: tuple[str, ...] = Field((), description="a first request and the edits after it, oldest first")
    gold: dict[str, SearchValue] = Field(description="every field the user stated: dotted path of the spec to value")
    ask: tuple[str, ...] = Field((), description="fields that only the user can settle; order has no meaning")
    refusal: str | None = Field(
        None, description="refusal class, or None where the request is carried out or asked about"
    )

    @model_validator(mode="after")
    def _one_form(self) -> "LabelledRequest":
        if (self.request is None) == (not self.turns):
            raise ValueError(f"a row has either request or turns, got request={self.request!r} turns={self.turns!r}")
        return self

    @property
    def texts(self) -> list[str]:
        """What a reader is given: the turns in order, a single request being one turn."""
        return list(self.turns) if self.request is None else [self.request]


def load_part(part: str) -> tuple[LabelledRequest, ...]:
    """The rows of a shipped part (`PARTS`), in the order of their ids. Raises ValueError for another part."""
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
    return load_rows(files("evals.requests").joinpath(f"{part}.json"))


def load_rows(path: Path | Traversable) -> tuple[LabelledRequest, ...]:
    """The rows of a file in the format of the shipped parts; a row without `kind` gets "other".

    Raises OSError if the file cannot be read and ValueError if it is not a JSON list of rows.
    """
    return TypeAdapter(tuple[LabelledRequest, ...]).validate_json(path.read_text(encoding="utf-8"))
