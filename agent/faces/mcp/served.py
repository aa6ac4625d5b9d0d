"""What every tool, resource and prompt of the server reaches through its context."""

from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import Context

from agent.desk.desk import Desk
from agent.faces.mcp.work import Tell, Work


@dataclass(frozen=True)
class Served:
    """The desk, and the calls that outlive their request."""

    desk: Desk
    work: Work


Ctx = Context[Served, Any]


def desk_of(ctx: Ctx) -> Desk:
    """The desk behind the tools."""
    return ctx.request_context.lifespan_context.desk


def teller(ctx: Ctx) -> Tell:
    """Reports progress to a client that asked for it."""
    return lambda progress, words: ctx.report_progress(progress, None, words)
