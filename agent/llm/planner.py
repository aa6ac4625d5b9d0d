"""Asking the planner LLM for data: constrained decoding, repair turns, caps, back-off, circuit breaker.

Everything a call costs is charged and recorded before its reply is looked at; nothing fails silently.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from agent.errors import PlannerFailed
from agent.llm import traces
from agent.llm.background import Asking, Outbox, Stopped
from agent.llm.calls import Ledger, LlmCall, LlmCapReached, LlmCaps, LlmEvent, Price, redacted
from agent.llm.messages import (
    AccessError,
    ChatModel,
    Decoding,
    JsonSchema,
    Message,
    Reply,
    RequestError,
    SchemaRefused,
    TransportError,
)
from agent.llm.reply_json import MAX_REPLY_CHARACTERS, extract_json, inlined_schema, readable
from prompts import Rendered, render

T = TypeVar("T", bound=BaseModel)

MAX_REPAIRS = 2
MAX_ATTEMPTS = 3
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
    def name(self) -> str:
        return f"{self.system.name}+{self.user.name}"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"{self.system.sha256}{self.user.sha256}".encode()).hexdigest()

    @property
    def messages(self) -> list[Message]:
        return [Message("system", self.system.text), Message("user", self.user.text)]


class Planner:
    """One planner LLM in use: what it is asked, what it may cost, and whether it can be reached.

    `on_call` gets every call and may return the number it was stored under (see `last_call_id`); `on_event` gets
    what a user should see; `on_reserve` is told what a call may cost before it is made. All three are called from the
    thread that asks or collects, never from one of the planner's own. Use from one thread.
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
        max_reply_tokens: int = 8192,
        backoff_seconds: float = 1.0,
        breaker_seconds: float = 300.0,
    ) -> None:
        self.model = model
        self.last_call_id: int | None = None
        self._chat, self._secrets = chat, tuple(secrets)
        self._on_call, self._on_event, self._on_reserve = on_call, on_event, on_reserve
        self._ledger = Ledger(caps or LlmCaps(), price)
        self._timeout_seconds, self._max_reply_tokens = timeout_seconds, max_reply_tokens
        self._backoff_seconds = backoff_seconds
        self._breaker = _Breaker(breaker_seconds)
        self._decodings = list(chat.decodings)
        self._one_at_a_time = threading.Lock()

    @property
    def tokens_used(self) -> int:
        """Prompt and completion tokens so far, those of before a restart included."""
        return self._ledger.tokens_used

    @property
    def tokens_left(self) -> int | None:
        """Tokens until the cap, 0 when it has passed; None without one."""
        return self._ledger.tokens_left

    @property
    def usd_used(self) -> float:
        """Dollars so far; 0 where the price is unknown."""
        return self._ledger.usd_used

    def limit_tokens(self, tokens: int) -> None:
        """Cap what may still be used, unless a cap was given already."""
        self._ledger.limit_tokens(tokens)

    def note(self, event: LlmEvent) -> None:
        """Put an event about the planner into the log."""
        if self._on_event is not None:
            self._on_event(event.model_copy(update={"message": redacted(event.message, self._secrets)}))

    def record(self, call: LlmCall) -> None:
        """Hand a call over for keeping."""
        if self._on_call is not None:
            self.last_call_id = self._on_call(call)

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
        question = self._question(system, user, schema, json_schema, max_tokens)
        release = self._reserved(question)
        try:
            return self._answer(question, Outbox(self.record, self.note, self._lose))
        finally:
            release()

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
        question = self._question(system, user, schema, json_schema, max_tokens)
        release = self._reserved(question)
        return Asking(
            lambda outbox: self._answer(question, outbox), Outbox(self.record, self.note, self._lose), release
        )

    def _question(
        self, system: Rendered, user: Rendered, schema: type[T], shape: JsonSchema | None, max_tokens: int | None
    ) -> _Question[T]:
        limit = min(max_tokens or self._max_reply_tokens, self._max_reply_tokens)
        return _Question(system, user, schema, shape or inlined_schema(schema), limit)

    def _reserved(self, question: _Question[Any]) -> Callable[[], None]:
        """Set the first request of `question` aside; repairs are charged as they come."""
        sent = self._to_send(question.messages, question.shape)
        try:
            room = self._ledger.room(_length(sent), question.max_tokens)
        except LlmCapReached as error:
            self.note(LlmEvent(kind="cap_reached", message=str(error)))
            raise
        if self._on_reserve is None:
            return lambda: None
        prompt = self._ledger.estimate(_length(sent))
        return self._on_reserve(prompt + room, self._ledger.usd(prompt, room) or 0.0)

    def _answer(self, question: _Question[T], outbox: Outbox) -> T:
        with self._one_at_a_time:
            messages, problem = question.messages, ""
            for _ in range(1 + MAX_REPAIRS):
                call, reply = self._reach(messages, question, outbox)
                try:
                    answer = question.schema.model_validate_json(json.dumps(extract_json(reply.text)))
                except ValueError as error:
                    cut = " It was cut off at its token limit: be shorter." if reply.cut_off else ""
                    problem = self._clean(readable(error)) + cut
                    outbox.call(call.model_copy(update={"error": problem}))
                    messages = self._repair(question, problem, reply)
                    continue
                outbox.call(call)
                return answer
            raise PlannerFailed(
                f"{self.model} gave no usable reply to {question.name} in {1 + MAX_REPAIRS} tries; the last error: "
                f"{problem} Use a larger model, or --llm embedded."
            )

    def _repair(self, question: _Question[Any], problem: str, reply: Reply) -> list[Message]:
        """The turns that ask for a repair; the schema is repeated only where the first turn did not hold it."""
        schema = _compact(question.shape) if self._decoding == "json_schema" else ""
        text = render("repair", problem=problem, schema=schema).text
        return [*question.messages, Message("assistant", reply.text[:MAX_SHOWN_REPLY]), Message("user", text)]

    def _reach(self, messages: Sequence[Message], question: _Question[Any], outbox: Outbox) -> tuple[LlmCall, Reply]:
        """One reply, charged but not yet recorded."""
        while True:
            sent = self._to_send(messages, question.shape)
            text = self._clean("\n\n".join(f"[{m.role}]\n{m.text}" for m in sent))
            blank = LlmCall(prompt_name=question.name, prompt_sha256=question.sha256, text=text, model=self.model)
            try:
                return self._attempts(sent, question, blank, outbox)
            except SchemaRefused as error:
                self._weaken(error, outbox)

    def _to_send(self, messages: Sequence[Message], shape: JsonSchema) -> list[Message]:
        if self._decoding == "json_schema":
            return list(messages)
        note = render("json_only", schema=_compact(shape)).text
        return [Message("system", f"{messages[0].text}\n\n{note}"), *messages[1:]]

    @property
    def _decoding(self) -> Decoding:
        return self._decodings[0]

    def _weaken(self, error: SchemaRefused, outbox: Outbox) -> None:
        if len(self._decodings) == 1:
            raise PlannerFailed(self._clean(f"{self.model} refuses the request: {error}")) from error
        refused = self._decodings.pop(0)
        message = f"{self.model} refuses {refused} decoding ({error}); going on with {self._decoding}."
        outbox.event(LlmEvent(kind="decoding_unconstrained", message=message[:1000]))

    def _attempts(
        self, sent: list[Message], question: _Question[Any], blank: LlmCall, outbox: Outbox
    ) -> tuple[LlmCall, Reply]:
        self._breaker.check(self.model)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            max_tokens = self._room(sent, question.max_tokens, outbox)
            started = time.monotonic()
            lost = self._lost(blank, sent, "stopped before the reply came.")
            try:
                with outbox.under_way(lost):
                    reply = self._complete(sent, question, max_tokens)
            except TransportError as error:
                self._failed(blank, sent, error, started, outbox)
                self._wait(attempt, error, outbox)
            except AccessError as error:
                self._failed(blank, sent, error, started, outbox)
                self._breaker.open(self._clean(str(error)), forever=True)
                raise PlannerFailed(self._clean(str(error))) from error
            except (RequestError, SchemaRefused) as error:
                self._failed(blank, sent, error, started, outbox)
                if isinstance(error, SchemaRefused):
                    raise
                raise PlannerFailed(self._clean(f"{self.model} refuses the request: {error}")) from error
            else:
                self._breaker.close()
                call = self._charged(blank, sent, reply, time.monotonic() - started)
                return call, Reply(reply.text, cut_off=call.completion_tokens >= max_tokens)
        raise AssertionError("unreachable: the last attempt raises")

    def _complete(self, sent: Sequence[Message], question: _Question[Any], max_tokens: int) -> Reply:
        with traces.llm_span(self.model, question.name, max_tokens) as span:
            reply = self._chat.complete(sent, question.shape, self._decoding, max_tokens, self._timeout_seconds)
            traces.replied(span, reply.prompt_tokens, reply.completion_tokens)
            if traces.with_content():
                traces.content(span, [(m.role, self._clean(m.text)) for m in sent], self._clean(reply.text))
        return reply

    def _room(self, sent: Sequence[Message], wanted: int, outbox: Outbox) -> int:
        try:
            return self._ledger.room(_length(sent), wanted)
        except LlmCapReached as error:
            outbox.event(LlmEvent(kind="cap_reached", message=str(error)))
            raise

    def _wait(self, attempt: int, error: TransportError, outbox: Outbox) -> None:
        reason = self._clean(str(error)).removesuffix(".") + "."
        if attempt == MAX_ATTEMPTS:
            self._breaker.open(reason)
            outbox.event(LlmEvent(kind="breaker_opened", message=f"{self.model} is out of reach: {reason}"))
            raise PlannerFailed(
                f"{self.model} could not be reached in {MAX_ATTEMPTS} attempts; the last error: {reason} "
                "Check the server and the network, or use --llm embedded."
            ) from error
        pause = self._backoff_seconds * 4 ** (attempt - 1)
        if error.retry_after_seconds is not None:
            pause = min(max(pause, error.retry_after_seconds), MAX_RETRY_AFTER_SECONDS)
        outbox.event(LlmEvent(kind="retry", message=f"{self.model}: {reason} Asking again in {pause:.3g} s."))
        try:
            outbox.pause(pause)
        except Stopped:
            raise PlannerFailed(f"{self.model} was not asked again: the study stops.") from error

    def _charged(self, blank: LlmCall, sent: Sequence[Message], reply: Reply, seconds: float) -> LlmCall:
        """What the backend says the call used; estimated from the characters where it says nothing (or nonsense)."""
        prompt, completion = reply.prompt_tokens, reply.completion_tokens
        if prompt is not None and prompt >= 0:
            self._ledger.learn(_length(sent), prompt)
        else:
            prompt = self._ledger.estimate(_length(sent))
        if completion is None or completion < 0:
            completion = self._ledger.estimate(len(reply.text))
        return blank.model_copy(
            update={
                "reply": self._clean(reply.text[:MAX_REPLY_CHARACTERS]),
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "cost_usd": self._ledger.charge(prompt, completion),
                "seconds": seconds,
            }
        )

    def _lost(self, blank: LlmCall, sent: Sequence[Message], why: str) -> LlmCall:
        """`blank` as a call whose reply never came: the server has read the prompt, so that counts."""
        prompt = self._ledger.estimate(_length(sent))
        error = self._clean(f"{why} Its prompt is counted as about {prompt} tokens.")
        cost = self._ledger.usd(prompt, 0)
        return blank.model_copy(update={"prompt_tokens": prompt, "cost_usd": cost, "error": error})

    def _lose(self, call: LlmCall) -> None:
        self._ledger.charge(call.prompt_tokens, 0)
        self.record(call)

    def _failed(
        self, blank: LlmCall, sent: Sequence[Message], error: Exception, started: float, outbox: Outbox
    ) -> None:
        call = blank.model_copy(update={"error": self._clean(str(error))})
        if isinstance(error, TransportError) and error.timed_out:
            call = self._lost(blank, sent, str(error))
            self._ledger.charge(call.prompt_tokens, 0)
        outbox.call(call.model_copy(update={"seconds": time.monotonic() - started}))

    def _clean(self, text: str) -> str:
        return redacted(text, self._secrets)

    def __repr__(self) -> str:
        return f"Planner({self.model!r})"


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


def _length(messages: Sequence[Message]) -> int:
    return sum(len(m.text) for m in messages)


def _compact(shape: JsonSchema) -> str:
    return json.dumps(shape, separators=(",", ":"))
