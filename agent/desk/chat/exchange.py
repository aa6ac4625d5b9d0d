"""One turn under way: what the engine that answers it may see, use and change."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

from pydantic import Field, ValidationError

from agent.desk.cards import PlanCard, Problem
from agent.desk.chat.happenings import ApprovalAsked
from agent.desk.chat.results import ToolResult
from agent.desk.desk import Desk
from agent.desk.tools import Verb
from agent.request.draft import Draft
from agent.study.desk_rows import Turn
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


Permit = Callable[[str, str | None], bool]
"""Whether the person wants the action (a tool's name) on the study with this id."""


class Exchange:
    """The desk and its verbs, the memory, what was said so far, and what the tools tell in this turn."""

    def __init__(
        self,
        desk: Desk,
        verbs: Sequence[Verb],
        memory: Memory,
        text: str,
        earlier: Sequence[Turn] = (),
        turn_id: int = 0,
    ) -> None:
        """`text`: what the person says now; `earlier`: the turns before."""
        self.desk, self.verbs, self.memory, self.text, self._turn_id = desk, tuple(verbs), memory, text, turn_id
        self.earlier = tuple(earlier)
        self.said = (*(turn.text for turn in earlier if turn.role == "user"), text)
        self.results: list[ToolResult] = []
        self.asked: ApprovalAsked | None = None
        self.problem: Problem | None = None
        self.permits: Permit = lambda action, study: False
        self.follows = True
        self._calls, self.one_at_a_time, self._remembering = count(1), threading.Lock(), threading.Lock()

    def remember(self, **changes: Any) -> None:
        """Change the memory."""
        with self._remembering:
            self.memory = self.memory.model_copy(update=changes)

    def study(self, study: str | None) -> str:
        """The id of the study named, of the one the conversation is about, or of the latest. Where tools are called on
        the person's words only (`follows`), the conversation is about it from now on. Raises InputError for none."""
        study_id = self.desk.study(study or self.memory.study).study_id
        if self.follows:
            self.remember(study=study_id)
        return study_id

    def new_call_id(self) -> str:
        """An id for a tool call, of its own in the conversation."""
        return f"call-{self._turn_id}-{next(self._calls)}"
