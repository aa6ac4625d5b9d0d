"""Conversations on the page: what was said as bubbles, and a reply that grows while it is made."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.desk.cards import Problem, StudyCard
from agent.desk.chat.conversation import Conversation
from agent.desk.chat.happenings import Happening, Retracted, Said, StudyStarted, ToolDone, ToolStarted, TurnOver
from agent.desk.desk import Desk
from agent.faces.http.page.render import render
from agent.faces.http.streams import Event
from agent.faces.http.turns import Listener, Turns
from agent.study.desk_rows import Turn

REDRAW_SECONDS = 0.1
"""Text that comes in many small pieces is drawn this often."""
NOTHING_SAID: dict[str, Any] = {
    "conversation": "",
    "title": "",
    "bubbles": (),
    "answering": False,
    "live": False,
    "pending": None,
    "problem": None,
}
"""What the template of a conversation needs before there is one."""
Answer = Callable[[Conversation], Iterator[Happening]]


@dataclass
class Tool:
    """A tool call; `result` is None while it is under way."""

    call_id: str
    name: str
    arguments: dict[str, Any]
    ok: bool = True
    summary: str = ""
    result: dict[str, Any] | None = None
    seconds: float = 0.0


@dataclass
class Bubble:
    """What the person said, or one reply: texts (Markdown), tool calls, and a study that was started."""

    role: Literal["user", "reply"]
    parts: list[str | Tool | StudyCard] = field(default_factory=list)


@dataclass(frozen=True)
class _Running:
    """A turn under way that was begun on the page."""

    words: str
    earlier: int
    """Turns before it."""
    listener: Listener


class Talk:
    """The replies under way. Usable from several threads."""

    def __init__(self, desk: Desk, turns: Turns) -> None:
        self._desk, self._turns = desk, turns
        self._running: dict[str, _Running] = {}
        self._problems: dict[str, Problem] = {}

    def begin(self, conversation: Conversation, words: str, turn: Answer) -> None:
        """Begin a turn of which the page says `words`. Raises as `Turns.start` does."""
        name, earlier = conversation.conversation_id, len(conversation.turns())
        listener = self._turns.start(conversation, turn)
        self._problems.pop(name, None)
        self._running[name] = _Running(words, earlier, listener)

    def context(self, conversation: Conversation) -> dict[str, Any]:
        """What the template of a conversation needs."""
        name, turns = conversation.conversation_id, conversation.turns()
        answering = self._turns.running(name)
        running = self._running.get(name) if answering else None
        if running is not None:
            turns = turns[: running.earlier]
        bubbles = list(_bubbles(self._desk, turns))
        if running is not None:
            bubbles.append(Bubble("user", [running.words]))
        return {
            "conversation": name,
            "title": next(row.title for row in self._desk.store.conversations() if row.conversation_id == name),
            "bubbles": bubbles,
            "answering": answering,
            "live": running is not None,
            "pending": None if answering else conversation.pending,
            "problem": self._problems.get(name),
        }

    async def reply(self, conversation_id: str) -> AsyncIterator[Event]:
        """The reply under way from its beginning, drawn anew as it grows; then the event `done`."""
        running = self._running.get(conversation_id)
        bubble, drawn = Bubble("reply"), 0.0
        if running is not None:
            async for happening in running.listener.pieces():
                take(bubble, happening)
                if isinstance(happening, TurnOver):
                    if happening.problem is not None:
                        self._problems[conversation_id] = happening.problem
                elif not isinstance(happening, Said) or time.monotonic() - drawn > REDRAW_SECONDS:
                    drawn = time.monotonic()
                    yield render("reply.html", bubble=bubble, growing=True)
            if self._running.get(conversation_id) is running:
                del self._running[conversation_id]
        yield {"event": "done", "data": "{}"}


def take(bubble: Bubble, happening: Happening) -> None:
    """What a happening adds to a reply."""
    parts = bubble.parts
    match happening:
        case Said(text=text) if parts and isinstance(parts[-1], str):
            parts[-1] += text
        case Said(text=text):
            parts.append(text)
        case Retracted():
            parts[:] = [part for part in parts if not isinstance(part, str)]
        case ToolStarted(call_id=call_id, name=name, arguments=arguments):
            parts.append(Tool(call_id, name, arguments))
        case ToolDone():
            _finish(parts, happening.model_dump())
        case StudyStarted(study=study):
            parts.append(study)


def _finish(parts: list[str | Tool | StudyCard], answer: dict[str, Any]) -> None:
    """Fill in what a tool answered, or add the call where only its answer is known."""
    calls = (part for part in parts if isinstance(part, Tool))
    tool = next((call for call in calls if call.call_id == answer["call_id"] and call.result is None), None)
    if tool is None:
        parts.append(tool := Tool(answer["call_id"], answer["name"], answer.get("arguments") or {}))
    tool.ok, tool.summary, tool.seconds = answer["ok"], answer["summary"], answer["seconds"]
    tool.result = answer["result"] or {}


def _bubbles(desk: Desk, turns: Sequence[Turn]) -> Iterable[Bubble]:
    """The stored turns; a reply's tool calls are turns before its text."""
    reply, started = Bubble("reply"), None
    for turn in turns:
        if turn.role == "user":
            yield Bubble("user", [turn.text])
            reply = Bubble("reply")
        elif turn.role == "tool":
            lacking = {"call_id": str(turn.turn_id), "name": "", "ok": True, "result": {}, "seconds": 0.0}
            _finish(reply.parts, lacking | turn.data | {"summary": turn.text})
        else:
            study = turn.data.get("memory", {}).get("started")
            if study and study != started:
                reply.parts.append(desk.status(study))
                started = study
            reply.parts += [turn.text] if turn.text else []
            yield reply
            reply = Bubble("reply")
    if reply.parts:
        yield reply
