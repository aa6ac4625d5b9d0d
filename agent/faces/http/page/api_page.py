"""The routes and models of openapi.json as the page of the API shows them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Schema = Mapping[str, Any]
Row = tuple[str, str, str]
"""Name, type, meaning."""
QUIET = ("default", "422")
"""Answers that every route has."""


class ApiRoute(NamedTuple):
    """One route; what it takes as rows, what it answers as (status, type, meaning)."""

    verb: str
    path: str
    summary: str
    about: str
    parts: tuple[tuple[str, list[Row]], ...]


def api_page(api: Schema) -> dict[str, Any]:
    """What the template needs."""
    schemas = api["components"]["schemas"]
    models = {name: fields(model, schemas) for name, model in schemas.items()}
    return {"about": api["info"]["description"], "routes": api_routes(api), "models": models}


def api_routes(api: Schema) -> dict[str, list[ApiRoute]]:
    """Tag: its routes."""
    groups: dict[str, list[ApiRoute]] = {}
    for path, verbs in api["paths"].items():
        for verb, operation in verbs.items():
            route = _route(verb.upper(), path, operation, api["components"]["schemas"])
            groups.setdefault((operation.get("tags") or ["other"])[0], []).append(route)
    return groups


def _route(verb: str, path: str, operation: Schema, schemas: Schema) -> ApiRoute:
    takes = [
        (p["name"], f"{type_of(p['schema'])}, {p['in']}", p.get("description", ""))
        for p in operation.get("parameters", ())
    ]
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        takes += [(name, f"{type_}, {kind}", meaning) for name, type_, meaning in fields(body["schema"], schemas)]
    answers = [
        (status, ", ".join(type_of(body.get("schema", {})) for body in content.values()), answer["description"])
        for status, answer in operation["responses"].items()
        if status not in QUIET and (content := answer.get("content", {"": {}})) is not None
    ]
    parts = (("Takes", takes), ("Answers", answers))
    return ApiRoute(verb, path, operation.get("summary", ""), operation.get("description", ""), parts)


def fields(schema: Schema, schemas: Schema) -> list[Row]:
    """The fields of a model."""
    model = schemas.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
    required = model.get("required", ())
    return [
        (name, f"{type_of(field)}{', required' if name in required else ''}", field.get("description", ""))
        for name, field in model.get("properties", {}).items()
    ]


def type_of(schema: Schema) -> str:
    """A JSON schema in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(map(type_of, options))
    if "enum" in schema or "const" in schema:
        return " | ".join(f'"{value}"' for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"{type_of(schema.get('items', {}))}[]"
    return str(schema.get("type", "any"))
