"""Asking the planner LLM for data: constrained decoding, repair turns, caps, back-off, circuit breaker.

Everything a call costs is charged and recorded before its reply is looked at; nothing fails silently.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pydantic import BaseModel

from agent.errors import PlannerFailed
from agent.llm import traces
from agent.llm.background import Asking, Background, Step
from agent.llm.calls import Ledger, LlmCall, LlmCapReached, LlmCaps, LlmEvent, Price, Ticket
from agent.llm.messages import (
    AccessError,
    ChatModel,
    Decoding,
    JsonSchema,
    LlmError,
    Message,
    Reply,
    RequestError,
    SchemaRefused,
    TransportError,
)
from agent.llm.reply_json import extract_json, inlined_schema, readable
from prompts import Rendered, render

T = TypeVar("T", bound=BaseModel)

Thread = Background[Step]

MAX_REPAIRS = 2
MAX_ATTEMPTS = 3
MAX_REPLY_TOKENS = 8192
MAX_RETRY_AFTER_SECONDS = 60.0
MAX_SHOWN_REPLY = 4000
"""Characters of an unusable reply that its repair turn repeats."""

Reserve = Callable[[int, float], Callable[[], None]]
"""Sets tokens and dollars aside where a crash cannot lose them; the result lifts that once the call is recorded."""


@dataclass(frozen=True)
class _Question(Generic[T]):
    system: Rendered
    user: Rendered
    schema: type[T]
    shape: JsonSchema
    max_tokens: int

    @property
    def messages(self) -> list[Message]:
        return [Message("system", self.system.text), Message("user", self.user.text)]


class Planner:
    """One planner LLM in use: what it is asked, what it may cost, and whether it can be reached.

    `on_call` gets every call and may return the number it was stored under (see `last_call_id`); `on_event` gets
    what a user should see; `on_reserve` is told what a call may cost before it is made. All three are called from the
    thread that asks or collects, never from one of the planner's own. `ledger` holds what was used, earlier processes
    included. Use from one thread.
    """

    def __init__(
        self,
        chat: ChatModel,
        model: str,
        *,
        on_call: Callable[[LlmCall], int | None] | None = None,
        on_event: Callable[[LlmEvent], None] | None = None,
        on_reserve: Reserve | None = None,
        caps: LlmCaps | None = None,
        price: Price | None = None,
        secrets: Sequence[str] = (),
        timeout_seconds: float = 120.0,
        backoff_seconds: float = 1.0,
        breaker_seconds: float = 300.0,
    ) -> None:
        self.model = model
        self.last_call_id: int | None = None
        self._chat = chat
        self._on_call, self._on_event, self._on_reserve = on_call, on_event, on_reserve
        self.ledger = Ledger(model, caps or LlmCaps(), price, secrets)
        self._clean = self.ledger.clean
        self._timeout_seconds, self._backoff_seconds = timeout_seconds, backoff_seconds
        self._breaker = _Breaker(breaker_seconds)
        self._decodings = list(chat.decodings)
        self._one_at_a_time = threading.Lock()

    def note(self, event: LlmEvent) -> None:
        """Put an event about the planner into the log."""
        if self._on_event is not None:
            self._on_event(event.model_copy(update={"message": self._clean(event.message)}))

    def ask(
        self,
        system: Rendered,
        user: Rendered,
        schema: type[T],
        json_schema: JsonSchema | None = None,
        max_tokens: int | None = None,
    ) -> T:
        """The model's answer as a `schema`. `json_schema` may narrow what the decoder allows (enums of a space),
        `max_tokens` the length of the reply.

        A reply that does not validate is shown its error and repaired, at most twice; a transport error is retried
        with back-off, at most three attempts. Raises PlannerFailed with the last error and the next step, and
        LlmCapReached where the caps leave no room. A call cut off by Ctrl-C is recorded with its prompt's tokens.
        """
        asking = self.start(system, user, schema, json_schema, max_tokens)
        try:
            return asking.result()
        except (KeyboardInterrupt, SystemExit):
            asking.stop(0.0)
            raise

    def start(
        self,
        system: Rendered,
        user: Rendered,
        schema: type[T],
        json_schema: JsonSchema | None = None,
        max_tokens: int | None = None,
    ) -> Asking[T]:
        """Ask as `ask` does, in a thread; what happens is recorded when the result is collected from this one.

        Raises LlmCapReached at once where the caps leave no room; everything else comes with the result.
        """
        limit = min(max_tokens or MAX_REPLY_TOKENS, MAX_REPLY_TOKENS)
        question = _Question(system, user, schema, json_schema or inlined_schema(schema), limit)
        first = self._ticket(self._to_send(question.messages, question), question, self.note)
        release = self._on_reserve(*self.ledger.most(first)) if self._on_reserve else lambda: None
        return Asking(lambda thread: self._answer(question, thread), self._record, self._lose, release)

    def _record(self, step: LlmCall | LlmEvent) -> None:
        if isinstance(step, LlmEvent):
            self.note(step)
        elif self._on_call is not None:
            self.last_call_id = self._on_call(step)

    def _lose(self, ticket: Ticket) -> None:
        self._record(self.ledger.fail(ticket, "stopped before the reply came.", read=True))

    def _answer(self, question: _Question[T], thread: Thread) -> T:
        with self._one_at_a_time:
            messages, problem = question.messages, ""
            for _ in range(1 + MAX_REPAIRS):
                call, reply = self._reach(messages, question, thread)
                try:
                    answer = question.schema.model_validate_json(json.dumps(extract_json(reply.text)))
                except ValueError as error:
                    cut = " It was cut off at its token limit: be shorter." if reply.cut_off else ""
                    problem = self._clean(readable(error)) + cut
                    thread.put(call.model_copy(update={"error": problem}))
                    messages = self._repair(question, problem, reply)
                    continue
                thread.put(call)
                return answer
            raise PlannerFailed(
                f"{self.model} gave no usable reply to {call.prompt_name} in {1 + MAX_REPAIRS} tries; the last "
                f"error: {problem} Use a larger model, or --llm embedded."
            )

    def _repair(self, question: _Question[T], problem: str, reply: Reply) -> list[Message]:
        """The turns that ask for a repair; the schema is repeated only where the first turn did not hold it."""
        schema = _compact(question.shape) if self._decoding == "json_schema" else ""
        text = render("repair", problem=problem, schema=schema).text
        return [*question.messages, Message("assistant", reply.text[:MAX_SHOWN_REPLY]), Message("user", text)]

    def _reach(self, messages: Sequence[Message], question: _Question[T], thread: Thread) -> tuple[LlmCall, Reply]:
        """One reply, charged but not yet recorded."""
        attempt = 0
        while True:
            self._breaker.check(self.model)
            try:
                return self._call(self._to_send(messages, question), question, thread)
            except SchemaRefused as error:
                thread.put(self._weaken(error))
            except TransportError as error:
                attempt += 1
                self._wait(attempt, error, thread)
            except AccessError as error:
                self._breaker.open(self._clean(str(error)), forever=True)
                raise PlannerFailed(self._clean(str(error))) from error
            except RequestError as error:
                raise PlannerFailed(self._clean(f"{self.model} refuses the request: {error}")) from error

    def _call(self, sent: Sequence[Message], question: _Question[T], thread: Thread) -> tuple[LlmCall, Reply]:
        ticket = self._ticket(sent, question, thread.put)
        thread.put(ticket)
        try:
            with traces.llm_span(self.model, ticket.call.prompt_name, ticket.room) as span:
                reply = self._chat.complete(sent, question.shape, self._decoding, ticket.room, self._timeout_seconds)
                traces.replied(span, reply.prompt_tokens, reply.completion_tokens)
                traces.content(span, [(m.role, self._clean(m.text)) for m in sent], self._clean(reply.text))
        except LlmError as error:
            read = isinstance(error, TransportError) and error.timed_out
            thread.put(self.ledger.fail(ticket, str(error), read))
            raise
        self._breaker.close()
        call = self.ledger.settle(ticket, reply.text, reply.prompt_tokens, reply.completion_tokens)
        return call, replace(reply, cut_off=call.completion_tokens >= ticket.room)

    def _ticket(self, sent: Sequence[Message], question: _Question[T], tell: Callable[[LlmEvent], None]) -> Ticket:
        text = "\n\n".join(f"[{message.role}]\n{message.text}" for message in sent)
        try:
            return self.ledger.begin((question.system, question.user), text, question.max_tokens)
        except LlmCapReached as error:
            tell(LlmEvent(kind="cap_reached", message=str(error)))
            raise

    def _to_send(self, messages: Sequence[Message], question: _Question[T]) -> list[Message]:
        if self._decoding == "json_schema":
            return list(messages)
        note = render("json_only", schema=_compact(question.shape)).text
        return [Message("system", f"{messages[0].text}\n\n{note}"), *messages[1:]]

    @property
    def _decoding(self) -> Decoding:
        return self._decodings[0]

    def _weaken(self, error: SchemaRefused) -> LlmEvent:
        if len(self._decodings) == 1:
            raise PlannerFailed(self._clean(f"{self.model} refuses the request: {error}")) from error
        refused = self._decodings.pop(0)
        message = f"{self.model} refuses {refused} decoding ({error}); going on with {self._decoding}."
        return LlmEvent(kind="decoding_unconstrained", message=message[:1000])

    def _wait(self, attempt: int, error: TransportError, thread: Thread) -> None:
        reason = self._clean(str(error)).removesuffix(".") + "."
        if attempt == MAX_ATTEMPTS:
            self._breaker.open(reason)
            thread.put(LlmEvent(kind="breaker_opened", message=f"{self.model} is out of reach: {reason}"))
            raise PlannerFailed(
                f"{self.model} could not be reached in {MAX_ATTEMPTS} attempts; the last error: {reason} "
                "Check the server and the network, or use --llm embedded."
            ) from error
        pause = self._backoff_seconds * 4 ** (attempt - 1)
        if error.retry_after_seconds is not None:
            pause = min(max(pause, error.retry_after_seconds), MAX_RETRY_AFTER_SECONDS)
        thread.put(LlmEvent(kind="retry", message=f"{self.model}: {reason} Asking again in {pause:.3g} s."))
        thread.pause(pause)


class _Breaker:
    """Open after a failure that outlasted every attempt: calls are refused at once, saying since when and why."""

    def __init__(self, cooldown_seconds: float) -> None:
        self._cooldown_seconds = cooldown_seconds
        self._until = 0.0
        self._why = ""

    def check(self, model: str) -> None:
        if time.monotonic() < self._until:
            raise PlannerFailed(
                f"{model} is not asked: it has been out of reach {self._why} "
                "Repair that and start again, or use --llm embedded."
            )

    def open(self, reason: str, forever: bool = False) -> None:
        self._why = f"since {time.strftime('%H:%M:%S')}: {reason}"
        self._until = float("inf") if forever else time.monotonic() + self._cooldown_seconds

    def close(self) -> None:
        self._until = 0.0


def _compact(shape: JsonSchema) -> str:
    return json.dumps(shape, separators=(",", ":"))
