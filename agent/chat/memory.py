"""What a conversation remembers from turn to turn; stored with every turn of the assistant's."""

from contextlib import suppress

from pydantic import Field, ValidationError

from agent.desk.cards import PlanCard
from agent.desk.rows import Turn
from agent.request.draft import Draft
from trainers.spec import Closed


class Memory(Closed):
    """The state of a conversation. Everything else that is said in it comes from the store."""

    llm: str = "embedded"
    request: str = Field("", description="what was said towards the draft, edits included")
    draft: Draft | None = None
    plan: PlanCard | None = Field(None, description="the draft's plan as it was last shown")
    waiting: str | None = Field(None, description="hash of the plan that waits for yes, no or an edit")
    asks: int = Field(0, description="how often plans were put up for approval: one yes starts one study")
    study: str | None = Field(None, description="the study that `it` means")
    started: str | None = Field(None, description="the study that the draft has become; an edit of it is a new study")
    introduced: bool = Field(False, description="whether it was said that the answers come by rules")
    tokens_used: int = Field(0, description="of this conversation's own LLM calls")
    usd_used: float = 0.0


def remembered(turns: list[Turn], llm: str) -> Memory:
    """The memory after `turns`; a fresh one where none holds any, or only one that another version wrote."""
    for turn in reversed(turns):
        if "memory" in turn.data:
            with suppress(ValidationError):
                return Memory.model_validate(turn.data["memory"])
            break
    return Memory(llm=llm)
