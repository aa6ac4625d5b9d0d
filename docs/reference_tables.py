"""Models as Markdown tables: field, type in words, default, meaning."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

HEADER = ("", "Made by `make docs`; do not edit.", "")
MOST_CHOICES = 12


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table and an empty line."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in rows:
        cells = (" ".join(str(cell).split()).replace("|", r"\|") for cell in row)
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def model_tables(models: Iterable[type[BaseModel]]) -> list[str]:
    """A section for each model."""
    lines: list[str] = []
    for model in models:
        schema = model.model_json_schema()
        said = " ".join((model.__doc__ or "").split())
        lines += [f"### {model.__name__}", "", said, "", *field_table(schema, schema.get("$defs", {}))]
    return lines


def field_table(schema: dict[str, Any], named: dict[str, Any]) -> list[str]:
    """The properties of an object's schema; `named` are the schemas that it refers to."""
    required = schema.get("required", [])
    rows = [
        (f"`{name}`", words(field, named), _default(field, name in required), field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]
    return table(("field", "type", "default", "meaning"), rows)


def words(schema: dict[str, Any], named: dict[str, Any]) -> str:
    """A JSON schema in words: "number > 0", "Range or Choices", "one of `a`, `b`"."""
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(words(option, named) for option in options if option.get("type") != "null")
    if isinstance(reference := schema.get("$ref"), str):
        name = reference.rsplit("/", 1)[-1]
        choices = named.get(name, {}).get("enum", ())
        return _choices(choices) if 0 < len(choices) <= MOST_CHOICES else name
    if choices := schema.get("enum"):
        return _choices(choices)
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        inner = schema.get("items") or next(iter(schema.get("prefixItems", ())), {})
        return f"list of {words(inner, named)}" if inner else "list"
    bounds = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    limits = [f"{sign} {schema[key]}" for key, sign in bounds.items() if key in schema]
    return " ".join([str(schema.get("type", "any")), *limits])


def _choices(choices: Iterable[object]) -> str:
    return "one of " + ", ".join(f"`{choice}`" for choice in choices)


def _default(field: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    default = field.get("default")
    return "" if default is None or default == "" or isinstance(default, dict | list) else f"`{default}`"
