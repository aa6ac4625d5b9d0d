"""The server: tools, resources and prompts over one desk, and errors that programs can read."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp_types import CallToolResult, InputRequiredResult, Resource, TextContent, Tool
from pydantic import ValidationError

from agent.desk.cards import Problem
from agent.desk.desk import Desk
from agent.desk.tools import VERBS, Verb
from agent.errors import InputError, TunewrightError
from agent.faces.mcp.prompting import add_prompts, instructions
from agent.faces.mcp.resources import add_resources, listed
from agent.faces.mcp.served import Served
from agent.faces.mcp.tools import HINTS, as_function
from agent.faces.mcp.work import Work
from agent.request.markup import short

logger = logging.getLogger(__name__)
ERROR_CHARACTERS = 800


class DeskServer(MCPServer[Served]):
    """The SDK's server with a tool for each verb; unknown arguments are refused, and errors have our shape."""

    def __init__(self, desk: Desk, work: Work, verbs: Sequence[Verb] = VERBS) -> None:
        self.desk = desk

        @asynccontextmanager
        async def lifespan(server: MCPServer[Served]) -> AsyncIterator[Served]:
            yield Served(desk, work)

        super().__init__(
            "tunewright",
            title="tunewright",
            description="Fine-tuning jobs in plain language: a checked plan, an honest search, the best adapter",
            instructions=instructions(desk.settings),
            version=version("tunewright"),
            lifespan=lifespan,
            log_level="WARNING",
            subscriptions=False,
        )
        for verb in verbs:
            self.add_tool(as_function(verb), title=verb.title, description=verb.doc, annotations=HINTS[verb.effect])
        add_resources(self)
        add_prompts(self)

    async def list_tools(self) -> list[Tool]:
        """See the SDK."""
        return [
            tool.model_copy(
                update={
                    "input_schema": _slim(tool.input_schema) | {"additionalProperties": False},
                    "output_schema": _slim(tool.output_schema),
                }
            )
            for tool in await super().list_tools()
        ]

    async def list_resources(self) -> list[Resource]:
        """See the SDK."""
        return [*await super().list_resources(), *await anyio.to_thread.run_sync(listed, self.desk)]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Served, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """See the SDK; errors are results with `is_error`."""
        try:
            await self._check_names(name, arguments)
            return await super().call_tool(name, arguments, context)
        except TunewrightError as error:
            return error_result(Problem.of(error))
        except ToolError as error:
            return error_result(problem_of(error))

    async def _check_names(self, name: str, arguments: dict[str, Any]) -> None:
        takes = {tool.name: list(tool.input_schema["properties"]) for tool in await super().list_tools()}
        if name not in takes:
            raise InputError("name", f"there is no tool {name!r}.", f"There are: {', '.join(takes)}.", "not_found")
        for argument in arguments:
            if argument not in takes[name]:
                raise InputError(argument, f"{name} takes no such argument.", f"It takes: {', '.join(takes[name])}.")


def error_result(problem: Problem) -> CallToolResult:
    """An error as a result: JSON text {code, message, param, hint, retryable}.

    It is no structured content: that has the shape of the tool's output schema, which some clients hold errors to.
    """
    small = problem.model_copy(update={"message": short(problem.message, ERROR_CHARACTERS)})
    return CallToolResult(content=[TextContent(text=small.model_dump_json())], is_error=True)


def problem_of(error: ToolError) -> Problem:
    """Why a call failed. What nobody expected is logged, and nothing of it leaves the process."""
    cause = error.__cause__
    if isinstance(cause, TunewrightError):
        return Problem.of(cause)
    if isinstance(error, UnexpectedToolError):
        logger.error("a tool failed", exc_info=cause)
        return Problem(code="internal_error", message="Something went wrong inside the server; its log says what.")
    if isinstance(cause, ValidationError):
        first = cause.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return Problem(code="bad_input", param=where, message=first["msg"], hint="See the tool's input schema.")
    return Problem(code="bad_input", message=str(error))


def _slim(schema: Any) -> Any:
    """A schema without the titles that pydantic makes of names: a third of its length, and no help."""
    if isinstance(schema, dict):
        return {k: _slim(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    return [_slim(part) for part in schema] if isinstance(schema, list) else schema
