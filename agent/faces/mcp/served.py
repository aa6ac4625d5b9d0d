"""What every tool reaches through its context, and the kinds of arguments and hints that tools share."""

from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import ToolAnnotations
from pydantic import BeforeValidator, Field

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


def work_of(ctx: Ctx) -> Work:
    """The calls that go on when a client has given up."""
    return ctx.request_context.lifespan_context.work


def teller(ctx: Ctx) -> Tell:
    """Reports progress to a client that asked for it."""

    async def tell(progress: float, words: str) -> None:
        await ctx.report_progress(progress, None, words)

    return tell


def _text(value: Any) -> Any:
    """Ids are digits, and models write them as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


StudyId = Annotated[str, BeforeValidator(_text), Field(max_length=40, description="a study's id, such as 3")]
Study = Annotated[
    Annotated[str, BeforeValidator(_text), Field(max_length=40)] | None,
    Field(description="a study's id, such as 3; without one the latest study"),
]
PlanHash = Annotated[
    str, Field(max_length=80, description="plan_hash of a plan that was made here, or its first 8 characters or more")
]

LOOKS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
LOOKS_OUTSIDE = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
"""Data sets and models may come from the hub, words may go to a hosted planner."""
SPENDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
HALTS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
STOPS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
