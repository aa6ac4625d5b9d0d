"""HTTP routes from the server's OpenAPI schema, MCP tools from the MCP server."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reference_tables import HEADER, field_table, table, words

from agent.desk.desk import Desk
from agent.settings import Settings


def pages() -> dict[str, list[str]]:
    """File name to lines."""
    return {"reference_http.md": ["# HTTP routes", *HEADER, *http()]}


def http() -> list[str]:
    """Routes by tag, then the forms that are sent."""
    schema = _openapi()
    named = schema["components"]["schemas"]
    tags: dict[str, list[tuple[str, str, str, str]]] = {}
    sent: dict[str, None] = {}
    for route, operation in _operations(schema):
        form = _form(operation)
        if form in named:
            sent.setdefault(form)
        row = (f"`{route}`", _summary(operation), form, _answer(operation, named))
        tags.setdefault(operation["tags"][0], []).append(row)
    lines = [
        "The server shows the same with all forms at `/docs`, and as OpenAPI at `/openapi.json`. Answers are described "
        "in [results and events](reference_results.md#answers), errors in [errors](reference_errors.md).",
        "",
    ]
    for tag, rows in tags.items():
        title = tag.removeprefix("openai ")
        lines += [f"## {title.capitalize() if title == tag else f'In OpenAI’s shape: {title}'}", ""]
        lines += table(("route", "what it does", "body", "answer"), rows)
    lines += ["## Bodies", ""]
    for name in sent:
        lines += [f"### {name}", "", named[name].get("description", ""), "", *field_table(named[name], named)]
    return lines


def _openapi() -> dict[str, Any]:
    from agent.server.access import Access
    from agent.server.app import build_api
    from agent.server.service import Service
    from agent.server.status import Statuses

    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), roots=(Path(home),))
        with Desk(settings) as desk:
            statuses = Statuses(settings.database)
            service = Service(desk, Access("0" * 64), statuses, "http://127.0.0.1", cookie_name="none")
            try:
                return build_api(service).openapi()
            finally:
                statuses.close()


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, verbs in schema["paths"].items():
        for verb, operation in verbs.items():
            yield f"{verb.upper()} {path}", operation


def _summary(operation: dict[str, Any]) -> str:
    said = operation.get("description", "").split("\n\n")[0].strip()
    query = [f"`{p['name']}`" for p in operation.get("parameters", ()) if p["in"] in ("query", "header")]
    taken = f" Takes {', '.join(query)}." if query else ""
    return f"{operation['summary']}. {said}{taken}"


def _form(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        return str(content["application/json"]["schema"].get("$ref", "object")).rsplit("/", 1)[-1]
    return ", ".join(content)


def _answer(operation: dict[str, Any], named: dict[str, Any]) -> str:
    for status, response in sorted(operation["responses"].items()):
        content = response.get("content", {})
        if status.startswith("2") and status not in ("202",):
            if "application/json" in content:
                return words(content["application/json"]["schema"], named)
            return ", ".join(content)
    return ""
