"""What happens while a conversation answers, in order; the same for terminal, web page and HTTP."""

from typing import Annotated, Any, Literal

from pydantic import Field

from agent.desk.cards import PlanCard, Problem, StudyCard
from trainers.spec import Closed


class Said(Closed):
    """A piece of the reply (Markdown), to be appended. Its figures have been checked."""

    kind: Literal["text"] = "text"
    text: str


class Retracted(Closed):
    """What was said so far in this turn does not hold; forget it. What comes next takes its place."""

    kind: Literal["retracted"] = "retracted"
    why: str


class ToolStarted(Closed):
    """A tool was called."""

    kind: Literal["tool_started"] = "tool_started"
    call_id: str
    name: str
    arguments: dict[str, Any]


class ToolDone(Closed):
    """A tool has answered."""

    kind: Literal["tool_done"] = "tool_done"
    call_id: str
    name: str
    ok: bool
    summary: str = Field(description="the result in a line")
    result: dict[str, Any] = Field(description="the card as JSON, or {code, message, hint} where it failed")
    seconds: float


class ApprovalAsked(Closed):
    """A plan waits for yes, no or an edit. Nothing starts before `plan_hash` is approved."""

    kind: Literal["approval"] = "approval"
    plan_hash: str
    plan: PlanCard


class StudyStarted(Closed):
    """A plan was approved and its study queued."""

    kind: Literal["study_started"] = "study_started"
    study: StudyCard


class TurnOver(Closed):
    """The reply is complete."""

    kind: Literal["done"] = "done"
    conversation_id: str
    problem: Problem | None = Field(None, description="why there is no proper reply, such as an LLM out of reach")


Happening = Annotated[
    Said | Retracted | ToolStarted | ToolDone | ApprovalAsked | StudyStarted | TurnOver, Field(discriminator="kind")
]
