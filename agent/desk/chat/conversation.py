"""A conversation about studies: stored, resumable by its id in any process, answered by rules or with an LLM.

The faces (terminal, web page, HTTP) give it words and show what happens. A yes binds to the hash of the plan that was
shown, and it is this code that starts the study, whoever answers.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from agent.desk.cards import PlanCard, Problem
from agent.desk.chat.exchange import Exchange, Memory, remembered
from agent.desk.chat.happenings import (
    ApprovalAsked,
    Happening,
    Retracted,
    Said,
    StudyStarted,
    ToolDone,
    ToolStarted,
    TurnOver,
)
from agent.desk.chat.llm_engine import LlmEngine
from agent.desk.chat.results import compact, reply_to
from agent.desk.chat.rules import answer_by_rules
from agent.desk.chat.toolbox import use
from agent.desk.chat.wishes import is_no, is_yes, names_the_start
from agent.desk.desk import Desk
from agent.desk.planning import is_hash_of
from agent.desk.tools import VERBS, Verb
from agent.errors import InputError, TunewrightError, require_readable
from agent.llm.calls import redacted, secrets_of
from agent.llm.name import parse_llm
from agent.study.desk_rows import Turn

TITLE_CHARACTERS = 80
MAX_UTTERANCE_CHARACTERS = 20_000


Engine = Callable[[Exchange], Iterator[Happening]]
"""Answers what the person says: what happens on the way to the reply, in order, the end of the turn excepted."""


class Conversation:
    """One conversation over a desk. Every method that talks yields happenings and ends with `TurnOver`.

    Closing such an iterator early stops the reply; what was said and done until then is kept. One turn at a time.
    """

    def __init__(
        self,
        desk: Desk,
        conversation_id: str | None = None,
        llm: str | None = None,
        face: str = "chat",
        verbs: Sequence[Verb] = VERBS,
    ) -> None:
        """A new conversation, or the one with this id. `llm` (any `--llm` spelling) is that of the desk's settings, or
        what the conversation had before. Raises InputError for an unknown id or a bad spelling."""
        self.desk, self.face = desk, face
        if llm is not None:
            parse_llm(llm)
        if conversation_id is None:
            conversation_id = desk.store.start_conversation("", llm or desk.settings.llm)
        llms = {row.conversation_id: row.llm for row in desk.store.conversations()}
        if conversation_id not in llms:
            rule = f"there is no conversation {conversation_id!r}."
            raise InputError("conversation", rule, "List them, or start a new one.")
        self.conversation_id, self._first_llm = conversation_id, llms[conversation_id]
        self._llm, self._verbs = llm, tuple(verbs)
        self._engines: dict[str, Engine] = {"embedded": answer_by_rules}
        self._arguments: dict[str, dict[str, Any]] = {}

    @property
    def memory(self) -> Memory:
        """What the conversation remembers now."""
        memory = remembered(self.turns(), self._first_llm)
        return memory if self._llm is None else memory.model_copy(update={"llm": self._llm})

    @property
    def llm(self) -> str:
        """Who answers: `embedded` (by rules), or the spelling of an LLM."""
        return self.memory.llm

    @property
    def pending(self) -> PlanCard | None:
        """The plan that waits for a yes; its `plan_hash` is what `approve` takes."""
        memory = self.memory
        return memory.plan if memory.waiting is not None else None

    def waiting_plan(self) -> PlanCard:
        """`pending`. Raises InputError where no plan waits."""
        plan = self.pending
        if plan is None:
            raise InputError("plan", "none waits for approval.", "Say start it to put the plan up.")
        return plan

    def turns(self) -> list[Turn]:
        """What was said and done, in order."""
        return self.desk.store.turns(self.conversation_id)

    def say(self, text: str) -> Iterator[Happening]:
        """Answer the person's words. "yes" and "no" to a plan that waits are `approve` and `decline` of it.

        Keys in them are blotted out. Raises InputError at once for nothing, or too much.
        """
        words = text.strip()
        if not words or len(words) > MAX_UTTERANCE_CHARACTERS:
            rule = f"must have 1 to {MAX_UTTERANCE_CHARACTERS:,} characters, got {len(words):,}."
            raise InputError("text", rule, "Put data into a file and name the file.")
        require_readable("text", words)
        return self._turn(words, self._answered)

    def approve(self, plan_hash: str) -> Iterator[Happening]:
        """Start the plan that waits. Raises InputError at once where this is not its hash."""
        waiting = self._waiting(plan_hash)
        return self._turn(f"Yes, start plan {waiting[:12]}.", lambda exchange: self._approved(exchange, waiting))

    def decline(self, plan_hash: str) -> Iterator[Happening]:
        """Do not start the plan that waits; it can be edited or put up again. Raises as `approve` does."""
        waiting = self._waiting(plan_hash)
        return self._turn(f"No, not plan {waiting[:12]}.", self._declined)

    def do(self, tool: str, /, **arguments: Any) -> Iterator[Happening]:
        """Call a tool on the person's own command (a slash command, a button); the reply is made by code."""
        words = " ".join(f"{name}={value}" for name, value in arguments.items() if value is not None)
        return self._turn(f"/{tool} {words}".strip(), lambda exchange: self._done(exchange, tool, arguments))

    def switch(self, llm: str) -> None:
        """Have another LLM answer, or rules (`embedded`). Raises InputError for a bad spelling."""
        parse_llm(llm)
        self._llm = llm

    def _done(self, exchange: Exchange, tool: str, arguments: dict[str, Any]) -> Iterator[Happening]:
        exchange.permits = lambda action, study: True
        result = yield from use(exchange, tool, **arguments)
        yield Said(text=reply_to(result.card))

    def _waiting(self, plan_hash: str) -> str:
        waiting = self.memory.waiting
        if waiting is None or not is_hash_of(waiting, plan_hash):
            state = f"plan {waiting[:12]} waits" if waiting else "no plan waits"
            raise InputError("plan_hash", f"{state} for approval, not {plan_hash!r}.", "Look at the plan again.")
        return waiting

    def _turn(self, words: str, answer: Callable[[Exchange], Iterator[Happening]]) -> Iterator[Happening]:
        store, memory, earlier = self.desk.store, self.memory, self.turns()
        words = redacted(words, secrets_of(os.environ))
        if not earlier:
            store.name_conversation(self.conversation_id, " ".join(words.split())[:TITLE_CHARACTERS])
        turn = store.add_turn(self.conversation_id, "user", words)
        exchange = Exchange(self.desk, self._verbs, memory, words, earlier, turn.turn_id)
        reply: list[str] = []
        try:
            for happening in answer(exchange):
                self._note(happening, reply)
                yield happening
        finally:
            approval = exchange.asked.plan_hash if exchange.asked else None
            data = {"memory": exchange.memory.model_dump(mode="json"), "approval": approval}
            store.add_turn(self.conversation_id, "assistant", "".join(reply), data)
        yield TurnOver(conversation_id=self.conversation_id, problem=exchange.problem)

    def _note(self, happening: Happening, reply: list[str]) -> None:
        """Keep what happens: text for the assistant's turn, each tool call as a turn of its own."""
        if isinstance(happening, Said):
            reply.append(happening.text)
        elif isinstance(happening, Retracted):
            reply.clear()
        elif isinstance(happening, ToolStarted):
            self._arguments[happening.call_id] = compact(happening.arguments)
        elif isinstance(happening, ToolDone):
            data = happening.model_dump(mode="json", exclude={"kind"})
            data["arguments"] = self._arguments.pop(happening.call_id, {})
            self.desk.store.add_turn(self.conversation_id, "tool", happening.summary, data)

    def _answered(self, exchange: Exchange) -> Iterator[Happening]:
        memory, text = exchange.memory, exchange.text
        if memory.waiting is None or not (is_yes(text) or is_no(text)):
            yield from self._engine(memory.llm)(exchange)
        elif is_no(text):
            yield from self._declined(exchange)
        elif names_the_start(text) or self._just_asked(exchange.earlier, memory.waiting):
            yield from self._approved(exchange, memory.waiting)
        else:
            yield from self._asked_again(exchange)

    def _approved(self, exchange: Exchange, plan_hash: str) -> Iterator[Happening]:
        memory = exchange.memory
        key = f"conversation-{self.conversation_id}-{memory.asks}"
        try:
            study = self.desk.start(plan_hash, face=self.face, key=key)
        except TunewrightError as error:
            exchange.problem = Problem.of(error)
            exchange.remember(waiting=None)
            yield Said(text=f"Plan `{plan_hash[:12]}` was not started: {error}")
            return
        exchange.remember(waiting=None, study=study.study, started=study.study)
        yield StudyStarted(study=study)
        yield Said(
            text=f"Study {study.study} is approved ({study.state_words}). It goes on by itself; ask how it is going at "
            "any time, or say stop."
        )

    def _declined(self, exchange: Exchange) -> Iterator[Happening]:
        exchange.remember(waiting=None)
        study = exchange.memory.study
        goes_on = study is not None and not self.desk.status(study).over
        also = f' Study {study} goes on; to stop it say "cancel study {study}".' if goes_on else ""
        yield Said(text=f"Not started. Say what to change, or say start it when it is right.{also}")

    def _just_asked(self, turns: Sequence[Turn], waiting: str) -> bool:
        """Whether the reply before put this plan up: a bare yes to anything later may mean something else."""
        latest = next((turn for turn in reversed(turns) if turn.role == "assistant"), None)
        return latest is not None and latest.data.get("approval") == waiting

    def _asked_again(self, exchange: Exchange) -> Iterator[Happening]:
        plan = exchange.memory.plan
        if plan is not None and plan.plan_hash is not None:
            exchange.asked = ApprovalAsked(plan_hash=plan.plan_hash, plan=plan)
            yield exchange.asked
            yield Said(text=f"Do you mean that plan `{plan.plan_hash[:12]}` starts? Say **yes** or **no**.")

    def _engine(self, llm: str) -> Engine:
        """Who answers: rules for `embedded`, else a LangChain agent, which is opened once."""
        return self._engines.setdefault(llm, LlmEngine())
