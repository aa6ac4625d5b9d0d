"""The routes of openapi.json as the page of the API shows them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Schema = Mapping[str, Any]
QUIET = ("default", "422")
"""Answers that every route has."""


class ApiRoute(NamedTuple):
    """One route: its parameters, body and answers as (title, rows of name, type, meaning)."""

    verb: str
    path: str
    summary: str
    about: str
    parts: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]


def api_routes(api: Schema) -> dict[str, list[ApiRoute]]:
    """Tag: its routes."""
    groups: dict[str, list[ApiRoute]] = {}
    schemas = api["components"]["schemas"]
    for path, verbs in api["paths"].items():
        for verb, operation in verbs.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_route(verb.upper(), path, operation, schemas))
    return groups


def _route(verb: str, path: str, operation: Schema, schemas: Schema) -> ApiRoute:
    parameters = tuple(
        (p["name"], f"{p['in']}, {type_of(p['schema'])}", p.get("description") or p["schema"].get("description", ""))
        for p in operation.get("parameters", ())
    )
    parts = [("Parameters", parameters)] if parameters else []
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        parts.append((f"Body, {kind}: {type_of(body.get('schema', {}))}", rows(body.get("schema", {}), schemas)))
    for status, answer in operation.get("responses", {}).items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        if status not in QUIET:
            parts.append((f"{status} {answer.get('description', '')}: {type_of(schema)}", rows(schema, schemas)))
    return ApiRoute(verb, path, operation.get("summary", ""), operation.get("description", ""), tuple(parts))


def rows(schema: Schema, schemas: Schema, above: tuple[str, ...] = ()) -> tuple[tuple[str, str, str], ...]:
    """(field, type, meaning) of a model; the fields of models within it stand below theirs, with dots."""
    model = schemas.get(_name(schema), schema)
    listed: list[tuple[str, str, str]] = []
    for field, about in model.get("properties", {}).items():
        required = ", required" if field in model.get("required", ()) else ""
        listed.append((field, f"{type_of(about)}{required}", about.get("description", "")))
        inner = next((name for name in _names(about) if name in schemas and name not in above), None)
        if inner is not None and len(above) < 2:
            inside = rows(schemas[inner], schemas, (*above, inner))
            listed += [(f"{field}.{name}", kind, meaning) for name, kind, meaning in inside]
    return tuple(listed)


def type_of(schema: Schema) -> str:
    """A JSON schema in a word or two."""
    if name := _name(schema):
        return name
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(map(type_of, options))
    if "enum" in schema or "const" in schema:
        return " | ".join(f'"{value}"' for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"{type_of(schema.get('items', {}))}[]"
    return str(schema.get("type", "any"))


def _name(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _names(schema: Schema) -> list[str]:
    """The models that a field names, in order."""
    inner = [*filter(None, [schema.get("items")]), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return [_name(schema)] * bool(_name(schema)) + [name for one in inner for name in _names(one)]
