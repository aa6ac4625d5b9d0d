"""HTTP routes from the server's OpenAPI schema, MCP tools from the MCP server."""

import inspect
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reference_tables import HEADER, field_table, table, words

from agent.desk import cards
from agent.desk.desk import Desk
from agent.desk.tools import VERBS
from agent.settings import Settings

OF_CARDS = {name for name, model in vars(cards).items() if getattr(model, "__module__", "") == cards.__name__}
"""The models that the page of results describes."""


def pages() -> dict[str, list[str]]:
    """File name to lines."""
    return {
        "reference_http.md": ["# HTTP routes", *HEADER, *http()],
        "reference_mcp.md": ["# MCP tools", *HEADER, *mcp()],
        "reference_python.md": ["# Python", *HEADER, *python()],
    }


def http() -> list[str]:
    """Routes by tag, then the forms that are sent."""
    schema = _openapi()
    named = schema["components"]["schemas"]
    tags: dict[str, list[str]] = {}
    sent: dict[str, None] = {}
    for route, operation in _operations(schema):
        form = _form(operation)
        if form in named:
            sent.setdefault(form)
        takes = f" with [{form}](#{form.lower()})" if form in named else f" with `{form}`" if form else ""
        gives = f", gives {found}" if (found := _answer(operation, named)) else ""
        tags.setdefault(operation["tags"][0], []).append(f"* `{route}`{takes}{gives}<br>{_summary(operation)}")
    lines = [
        "The server shows the same with all forms at `/docs`, and as OpenAPI at `/openapi.json`. Answers are described "
        "in [results and events](reference_results.md#answers), errors in [errors](reference_errors.md).",
        "",
    ]
    for tag, routes in tags.items():
        lines += [f"## {tag[0].upper()}{tag[1:]}", "", *routes, ""]
    lines += ["## Bodies", ""]
    for name in sent:
        lines += [f"### {name}", "", named[name].get("description", ""), "", *field_table(named[name], named)]
    return lines


def python() -> list[str]:
    """The public members of the three classes that Python users meet."""
    from agent.faces.python.plan import PlanHandle
    from agent.faces.python.study import StudyHandle
    from agent.faces.python.tunewright import Tunewright

    lines = ["`from agent import Tunewright`; plans and studies come from it. Cards and reports are described in "]
    lines[0] += "[results and events](reference_results.md#answers), errors in [errors](reference_errors.md)."
    for owner in (Tunewright, PlanHandle, StudyHandle):
        lines += ["", f"## {owner.__name__}", "", _prose(owner), ""]
        if owner is Tunewright:
            lines += [f"* `{owner.__name__}{_signature(owner.__init__)}`<br>{_prose(owner.__init__)}"]
        for name, member in vars(owner).items():
            if name.startswith("_"):
                continue
            shown = name if isinstance(member, property) else f"{name}{_signature(member)}"
            lines.append(f"* `{shown}`<br>{_prose(member)}")
    return lines


def _signature(function: Any) -> str:
    """Names and defaults; types are told by the words."""
    found = inspect.signature(function)
    parameters = [p.replace(annotation=inspect.Parameter.empty) for n, p in found.parameters.items() if n != "self"]
    whole = str(found.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    return whole.replace(repr(VERBS), "VERBS")


def _prose(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split())


def _openapi() -> dict[str, Any]:
    from agent.faces.http.access import Access
    from agent.faces.http.app import build_api
    from agent.faces.http.service import Service
    from agent.faces.http.status import Statuses

    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), roots=(Path(home),))
        with Desk(settings) as desk:
            statuses = Statuses(settings.database)
            service = Service(desk, Access("0" * 64), statuses, "http://127.0.0.1", cookie_name="none")
            try:
                return build_api(service).openapi()
            finally:
                statuses.close()


def mcp() -> list[str]:
    """Tools in a table and one by one, prompts and resources."""
    import anyio

    from agent.faces.mcp.server import DeskServer
    from agent.faces.mcp.work import Work

    with tempfile.TemporaryDirectory() as home, Desk(Settings(home=Path(home), roots=(Path(home),))) as desk:
        server = DeskServer(desk, Work())
        tools, prompts = anyio.run(server.list_tools), anyio.run(server.list_prompts)
        resources = anyio.run(server.list_resource_templates)
    lines = [
        "Errors are tool errors whose text is the JSON of [an error](reference_errors.md). Results are those of "
        "[results and events](reference_results.md#answers), kept short.",
        "",
        "## Tools",
        "",
        *table(("tool", "what it does", "is"), [(f"[`{t.name}`](#{t.name})", t.title, _nature(t)) for t in tools]),
    ]
    for tool in tools:
        arguments = tool.input_schema
        lines += [f"### {tool.name}", "", " ".join((tool.description or "").split()), ""]
        lines += field_table(arguments, arguments.get("$defs", {})) if arguments.get("properties") else []
    told = [(f"`{p.name}`", p.description, ", ".join(f"`{a.name}`" for a in p.arguments or ())) for p in prompts]
    lines += ["## Prompts", "", *table(("prompt", "what for", "arguments"), told)]
    found = [(f"`{r.uri_template}`", r.description, r.mime_type) for r in resources]
    return [*lines, "## Resources", "", *table(("resource", "what it is", "type"), found)]


def _nature(tool: Any) -> str:
    hints = tool.annotations
    if hints.read_only_hint:
        return "read-only"
    words = ["stops work" if hints.destructive_hint else "changes state"]
    return ", ".join([*words, *(["idempotent"] if hints.idempotent_hint else [])])


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
                told = words(content["application/json"]["schema"], named)
                return f"[{told}](reference_results.md#{told.lower()})" if told in OF_CARDS else told
            return ", ".join(content)
    return ""
