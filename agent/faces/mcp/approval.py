"""The person's yes to a study, by a form where their client can show one; otherwise the plan's hash is the approval."""

from typing import Annotated

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Elicit, Resolve
from pydantic import BaseModel, Field

from agent.desk.planning import plan_card
from agent.desk.tools import started_before
from agent.desk.words import plan_text
from agent.errors import NeedsAnswer
from agent.faces.mcp.served import Ctx, desk_of
from agent.request.markup import duration


class Confirmation(BaseModel):
    """What the form asks the person."""

    start: bool = Field(True, title="Start this study", description="It uses this machine until it is done or stopped.")


def confirmed(plan_hash: str, idempotency_key: str | None, ctx: Ctx) -> Confirmation | Elicit[Confirmation]:
    """Asks the person, if their client can, and only once. Raises InputError for an unknown hash."""
    desk = desk_of(ctx)
    if started_before(desk, plan_hash, idempotency_key) or not _shows_forms(ctx):
        return Confirmation(start=True)
    card = plan_card(desk.store.kept_plan(plan_hash).plan)
    takes = f" It takes about {duration(card.seconds_p50)}." if card.seconds_p50 is not None else ""
    return Elicit(f"Start this study?{takes}\n\n{plan_text(card)}", Confirmation)


Approval = Annotated[ElicitationResult[Confirmation], Resolve(confirmed)]


def require_yes(approval: ElicitationResult[Confirmation]) -> None:
    """Raises NeedsAnswer where the person did not agree."""
    if not isinstance(approval, AcceptedElicitation) or not approval.data.start:
        raise NeedsAnswer("the person did not agree to start it; nothing was started. Ask what should be different.")


def _shows_forms(ctx: Ctx) -> bool:
    declared = ctx.client_capabilities.elicitation if ctx.client_capabilities is not None else None
    if declared is None or (declared.form is None and declared.url is not None):
        return False
    return ctx.session.can_send_request or (ctx.protocol_version or "") >= "2026"  # asked for in the reply since then
