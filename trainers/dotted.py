"""A spec's values by dotted field, such as "budget.trials" or "search.beta", and back."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel


def flat(spec: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """Every value that is set, by its field; None is not set, and a searched range or list is one value.

    Of a model the values are Python's, of its JSON (`model_dump(mode="json")`) they are JSON's.
    """
    return dict(_leaves(spec, ""))


def _leaves(tree: BaseModel | Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in dict(tree).items():
        if isinstance(value, BaseModel | Mapping) and prefix != "search.":
            yield from _leaves(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted field as the tree that a spec validates: the reverse of `flat`."""
    tree: dict[str, Any] = {}
    for field, value in values.items():
        *parents, name = field.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return tree


def fields(model: type[BaseModel], prefix: str = "") -> tuple[str, ...]:
    """The dotted name of every value that a spec of this form may have, in its order."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        part = field.annotation
        is_part = isinstance(part, type) and issubclass(part, BaseModel)
        names += fields(part, f"{prefix}{name}.") if is_part else [f"{prefix}{name}"]  # type: ignore[arg-type]
    return tuple(names)
