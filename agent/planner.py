"""Asking the planner LLM for data: constrained decoding, repair turns, caps, back-off, circuit breaker.

Everything a call costs is charged and recorded before its reply is looked at; nothing fails silently.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent.chat_model import (
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
from agent.errors import PlannerFailed
from agent.llm_call import Ledger, LlmCall, LlmCapReached, LlmCaps, LlmEvent, Price, estimated_tokens, redacted
from prompts import Rendered, render

T = TypeVar("T", bound=BaseModel)

MAX_REPAIRS = 2
MAX_ATTEMPTS = 3
MAX_REPLY_CHARACTERS = 200_000
MAX_RETRY_AFTER_SECONDS = 60.0
_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)


class Planner:
    """One planner LLM in use: what it is asked, what it may cost, and whether it can be reached.

    `on_call` gets every call and may return the number it was stored under (see `last_call_id`); `on_event` gets
    what a user should see. Not safe for use by several threads at once.
    """

    def __init__(
        self,
        chat: ChatModel,
        model: str,
        *,
        on_call: Callable[[LlmCall], int | None] | None = None,
        on_event: Callable[[LlmEvent], None] | None = None,
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
        self._on_call, self._on_event = on_call, on_event
        self._ledger = Ledger(caps or LlmCaps(), price)
        self._timeout_seconds, self._max_reply_tokens = timeout_seconds, max_reply_tokens
        self._backoff_seconds = backoff_seconds
        self._breaker = _Breaker(breaker_seconds)
        self._decodings = list(chat.decodings)

    @property
    def tokens_used(self) -> int:
        """Prompt and completion tokens so far, those of before a restart included."""
        return self._ledger.tokens_used

    @property
    def usd_used(self) -> float:
        """Dollars so far; 0 where the price is unknown."""
        return self._ledger.usd_used

    def note(self, event: LlmEvent) -> None:
        """Put an event about the planner into the log."""
        if self._on_event is not None:
            self._on_event(event.model_copy(update={"message": redacted(event.message, self._secrets)}))

    def ask(self, system: Rendered, user: Rendered, schema: type[T], json_schema: JsonSchema | None = None) -> T:
        """The model's answer as a `schema`. `json_schema` may narrow what the decoder allows (enums of a space).

        A reply that does not validate is shown its error and repaired, at most twice; a transport error is retried
        with back-off, at most three attempts. Raises PlannerFailed with the last error and the next step, and
        LlmCapReached where the caps leave no room.
        """
        shape = json_schema or inlined_schema(schema)
        messages = [Message("system", system.text), Message("user", user.text)]
        name, sha256 = _identity(system, user)
        problem = ""
        for _ in range(1 + MAX_REPAIRS):
            call, reply = self._reach(messages, shape, name, sha256)
            try:
                answer = schema.model_validate_json(json.dumps(extract_json(reply.text)))
            except ValueError as error:
                problem = self._clean(_readable(error))
                self._record(call.model_copy(update={"error": problem}))
                repair = render("repair", problem=problem, schema=json.dumps(shape))
                messages = [*messages[:2], Message("assistant", reply.text[:4000]), Message("user", repair.text)]
                continue
            self._record(call)
            return answer
        raise PlannerFailed(
            f"{self.model} gave no usable reply to {name} in {1 + MAX_REPAIRS} tries; the last error: {problem} "
            "Use a larger model, or --llm embedded."
        )

    def _reach(self, messages: Sequence[Message], shape: JsonSchema, name: str, sha256: str) -> tuple[LlmCall, Reply]:
        """One reply, charged but not yet recorded."""
        while True:
            sent = _with_schema(messages, shape) if self._decoding != "json_schema" else list(messages)
            blank = LlmCall(prompt_name=name, prompt_sha256=sha256, text=self._transcript(sent), model=self.model)
            try:
                return self._attempts(sent, shape, blank)
            except SchemaRefused as error:
                self._weaken(error)

    @property
    def _decoding(self) -> Decoding:
        return self._decodings[0]

    def _weaken(self, error: SchemaRefused) -> None:
        if len(self._decodings) == 1:
            raise PlannerFailed(self._clean(f"{self.model} refuses the request: {error}")) from error
        refused = self._decodings.pop(0)
        message = f"{self.model} refuses {refused} decoding ({error}); going on with {self._decoding}."
        self.note(LlmEvent(kind="decoding_unconstrained", message=message[:1000]))

    def _attempts(self, sent: list[Message], shape: JsonSchema, blank: LlmCall) -> tuple[LlmCall, Reply]:
        self._breaker.check(self.model)
        max_tokens = self._room(sent)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            started = time.monotonic()
            try:
                reply = self._chat.complete(sent, shape, self._decoding, max_tokens, self._timeout_seconds)
            except TransportError as error:
                self._failed(blank, error, started)
                self._wait(attempt, error)
            except AccessError as error:
                self._failed(blank, error, started)
                self._breaker.open(self._clean(str(error)), forever=True)
                raise PlannerFailed(self._clean(str(error))) from error
            except (RequestError, SchemaRefused) as error:
                self._failed(blank, error, started)
                if isinstance(error, SchemaRefused):
                    raise
                raise PlannerFailed(self._clean(f"{self.model} refuses the request: {error}")) from error
            else:
                self._breaker.close()
                return self._charged(blank, sent, reply, time.monotonic() - started), reply
        raise AssertionError("unreachable: the last attempt raises")

    def _room(self, sent: Sequence[Message]) -> int:
        try:
            return self._ledger.room(sum(len(m.text) for m in sent), self._max_reply_tokens)
        except LlmCapReached as error:
            self.note(LlmEvent(kind="cap_reached", message=str(error)))
            raise

    def _wait(self, attempt: int, error: TransportError) -> None:
        reason = self._clean(str(error)).removesuffix(".") + "."
        if attempt == MAX_ATTEMPTS:
            self._breaker.open(reason)
            self.note(LlmEvent(kind="breaker_opened", message=f"{self.model} is out of reach: {reason}"))
            raise PlannerFailed(
                f"{self.model} could not be reached in {MAX_ATTEMPTS} attempts; the last error: {reason} "
                "Check the server and the network, or use --llm embedded."
            ) from error
        pause = self._backoff_seconds * 4 ** (attempt - 1)
        if error.retry_after_seconds is not None:
            pause = min(max(pause, error.retry_after_seconds), MAX_RETRY_AFTER_SECONDS)
        self.note(LlmEvent(kind="retry", message=f"{self.model}: {reason} Asking again in {pause:.3g} s."))
        time.sleep(pause)

    def _charged(self, blank: LlmCall, sent: Sequence[Message], reply: Reply, seconds: float) -> LlmCall:
        prompt, completion = reply.prompt_tokens, reply.completion_tokens
        prompt = estimated_tokens(sum(len(m.text) for m in sent)) if prompt is None else prompt
        completion = estimated_tokens(len(reply.text)) if completion is None else completion
        return blank.model_copy(
            update={
                "reply": self._clean(reply.text[:MAX_REPLY_CHARACTERS]),
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "cost_usd": self._ledger.charge(prompt, completion),
                "seconds": seconds,
            }
        )

    def _failed(self, blank: LlmCall, error: Exception, started: float) -> None:
        seconds = time.monotonic() - started
        self._record(blank.model_copy(update={"error": self._clean(str(error)), "seconds": seconds}))

    def _record(self, call: LlmCall) -> None:
        if self._on_call is not None:
            self.last_call_id = self._on_call(call)

    def _transcript(self, messages: Sequence[Message]) -> str:
        return self._clean("\n\n".join(f"[{m.role}]\n{m.text}" for m in messages))

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


def extract_json(text: str) -> Any:
    """The JSON object in a reply that may wrap it in prose, Markdown fences or thinking. Raises ValueError if none."""
    if len(text) > MAX_REPLY_CHARACTERS:
        raise ValueError(f"the reply must have at most {MAX_REPLY_CHARACTERS} characters, got {len(text)}.")
    text = _THINKING.sub("", text).strip()
    decoder = json.JSONDecoder()
    start = text.find("{")
    problem = "the reply holds no JSON object."
    for _ in range(20):
        if start < 0:
            break
        try:
            return decoder.raw_decode(text, start)[0]
        except json.JSONDecodeError as error:
            problem = f"the reply is not valid JSON: {error}."
        except RecursionError:
            problem = "the reply is nested too deeply."
        start = text.find("{", start + 1)
    raise ValueError(problem)


def inlined_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of `model` without references, titles and defaults, as strict decoders want it."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    shape = _inlined(schema, definitions)
    shape["title"] = model.__name__
    return dict(shape)


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = definitions[node["$ref"].rsplit("/", 1)[1]]
    shape = {}
    for key, value in node.items():
        if key == "properties":
            shape[key] = {name: _inlined(part, definitions) for name, part in value.items()}
        elif key not in ("title", "default"):
            shape[key] = _inlined(value, definitions)
    return shape


def _with_schema(messages: Sequence[Message], shape: JsonSchema) -> list[Message]:
    note = render("json_only", schema=json.dumps(shape)).text
    return [Message("system", f"{messages[0].text}\n\n{note}"), *messages[1:]]


def _identity(system: Rendered, user: Rendered) -> tuple[str, str]:
    both = f"{system.sha256}{user.sha256}".encode()
    return f"{system.name}+{user.name}", hashlib.sha256(both).hexdigest()


def _readable(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    lines = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:8]]
    return ("; ".join(lines) + ".")[:1500]
