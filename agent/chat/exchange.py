"""One turn under way: what the engine that answers it may see, use and change."""

import time
from collections.abc import Generator, Sequence
from itertools import count
from typing import Any

from agent.chat.happenings import ApprovalAsked, Happening, ToolDone, ToolStarted
from agent.chat.memory import Memory
from agent.desk.desk import Desk


class Exchange:
    """The desk, the memory, what the person has said so far (this turn's words last), and the results of this turn."""

    def __init__(self, desk: Desk, memory: Memory, said: Sequence[str], turn_id: int = 0) -> None:
        self.desk, self.memory, self.said, self._turn_id = desk, memory, tuple(said), turn_id
        self.results: list[ToolDone] = []
        self.asked: ApprovalAsked | None = None
        self._calls = count(1)

    @property
    def text(self) -> str:
        """What the person says now."""
        return self.said[-1] if self.said else ""

    def remember(self, **changes: Any) -> None:
        """Change the memory."""
        self.memory = self.memory.model_copy(update=changes)

    def use(self, name: str, **arguments: Any) -> Generator[Happening, None, ToolDone]:
        """Call a tool, with what happens; the outcome is also this generator's value."""
        call_id = f"call-{self._turn_id}-{next(self._calls)}"
        yield ToolStarted(call_id=call_id, name=name, arguments=arguments)
        done = self.carry_out(call_id, name, arguments)
        yield done
        if self.asked is not None and done.ok and name == "start_study":
            yield self.asked
        return done

    def carry_out(self, call_id: str, name: str, arguments: dict[str, Any]) -> ToolDone:
        """Call a tool. A failure is a result as well, {code, message, hint}."""
        from agent.chat.toolbox import call_tool

        began = time.monotonic()
        ok, summary, result = call_tool(self, name, arguments)
        seconds = round(time.monotonic() - began, 3)
        done = ToolDone(call_id=call_id, name=name, ok=ok, summary=summary, result=result, seconds=seconds)
        self.results.append(done)
        return done
