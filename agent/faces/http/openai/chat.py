"""`/v1/chat/completions`: the agent as a model, for any chat client; and the models of finished studies.

The protocol has no conversations: each request repeats what was said. A request goes on with the stored conversation
whose words it repeats, so that a "yes" can only mean a plan that was shown right before it.
"""

import hashlib
import json
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from agent.desk.cards import PlanCard
from agent.desk.chat.conversation import Conversation
from agent.desk.chat.happenings import ApprovalAsked, Happening, Retracted, Said, TurnOver
from agent.desk.desk import Desk
from agent.errors import InputError
from agent.faces.http.conversations import conversation_of
from agent.faces.http.openai.chat_shapes import ChatRequest, Choice, Completion, Reply, Usage
from agent.faces.http.openai.models import AGENT_MODEL
from agent.faces.http.problems import ErrorDetail, response_of
from agent.faces.http.service import Service
from agent.faces.http.streams import Event, EventStream
from agent.faces.http.turns import Listener, Turns
from agent.request.markup import table

TUNED = re.compile(r"ft:.{1,500}:tunewright:[A-Za-z0-9._-]{0,64}:(\d{1,18})")
CORRECTED = "\n\n_(What was said so far in this reply does not hold. Corrected:)_\n\n"
MAX_BOUND = 10_000
MAX_SEARCHED = 200
FACE = "openai"

Transcript = list[tuple[str, str]]
"""(user or assistant, words), in order."""


def chat_routes(service: Service, turns: Turns) -> APIRouter:
    """The route over one desk."""
    routes = APIRouter(prefix="/v1/chat", tags=["OpenAI: models and chat"])
    transcripts = Transcripts(service.desk)

    @routes.post("/completions", summary="Talk to the agent, or to a tuned model", response_model=Completion)
    async def complete(form: ChatRequest) -> Any:
        """model "tunewright" is the agent: plans are approved by answering yes. "ft:..." is the model of a study."""
        if tuned := TUNED.fullmatch(form.model):
            return await run_in_threadpool(_by_tuned, service, form, tuned[1])
        if form.model != AGENT_MODEL:
            rule = f"no model {form.model[:100]!r} answers here."
            raise InputError("model", rule, "See GET /v1/models.", "not_found")
        listener, answer = await run_in_threadpool(begin, form)
        return EventStream(service, answer.chunks(listener)) if form.stream else await answer.whole(listener)

    def begin(form: ChatRequest) -> tuple[Listener, Answer]:
        words, before = _last(form)
        conversation = transcripts.conversation((form.metadata or {}).get("conversation_id"), before)
        listener = turns.start(conversation, lambda one: one.say(words))
        return listener, Answer(form, [*before, ("user", words)], conversation.conversation_id, transcripts)

    return routes


def _last(form: ChatRequest) -> tuple[str, Transcript]:
    """The person's words, and what was said before them. Instructions of the client are not the person's: left out."""
    transcript = [(str(m.role), m.words) for m in form.messages if m.role in ("user", "assistant")]
    if not transcript or transcript[-1][0] != "user":
        raise InputError("messages", "the last message must be the user's.", "Add what the user says.")
    return transcript[-1][1], transcript[:-1]


class Answer:
    """A turn of the agent's as a completion, whole or in chunks. `said` ends with the person's words."""

    def __init__(self, form: ChatRequest, said: Transcript, conversation_id: str, transcripts: "Transcripts") -> None:
        self._form, self._said, self._transcripts = form, said, transcripts
        self._conversation_id = conversation_id
        self._id, self._created = _new_id(), int(time.time())
        self._text: list[str] = []

    async def whole(self, listener: Listener) -> Response:
        """The answer when it is complete."""
        async for happening in listener.pieces():
            if isinstance(happening, Retracted):
                self._text.clear()
            elif words := _words(happening):
                self._text.append(words)
            elif (why := self._unanswered(happening)) is not None:
                return response_of(why, 502 if why.retryable else 500)
        await run_in_threadpool(self._remember)
        metadata = {"conversation_id": self._conversation_id}
        answer = _completion(self._form, self._said, "".join(self._text), metadata)
        return JSONResponse(answer.model_dump(mode="json"))

    async def chunks(self, listener: Listener) -> AsyncIterator[Event]:
        """The answer as it comes about."""
        yield self._chunk({"role": "assistant", "content": ""})
        async for happening in listener.pieces():
            if (why := self._unanswered(happening)) is not None:
                yield json.dumps({"error": why.model_dump()})
                return
            if words := CORRECTED if isinstance(happening, Retracted) else _words(happening):
                self._text.append(words)
                yield self._chunk({"content": words})
        await run_in_threadpool(self._remember)
        yield self._chunk({}, "stop")
        if self._form.stream_options is not None and self._form.stream_options.include_usage:
            yield self._event([], usage(self._said, "".join(self._text)).model_dump())
        yield "[DONE]"

    def _unanswered(self, happening: Happening) -> ErrorDetail | None:
        """Why the turn ended without a word, if it did."""
        if not isinstance(happening, TurnOver) or happening.problem is None or self._text:
            return None
        return ErrorDetail(**happening.problem.model_dump(), type="server_error")

    def _remember(self) -> None:
        self._transcripts.bind([*self._said, ("assistant", "".join(self._text))], self._conversation_id)

    def _chunk(self, delta: dict[str, str], reason: str | None = None) -> str:
        return self._event([{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}], None)

    def _event(self, choices: list[dict[str, Any]], tokens: dict[str, int] | None) -> str:
        chunk = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._form.model,
            "choices": choices,
            "usage": tokens,
            "metadata": {"conversation_id": self._conversation_id},
        }
        return json.dumps(chunk, ensure_ascii=False)


def _words(happening: Happening) -> str:
    """What a happening is in a chat that knows text only."""
    if isinstance(happening, Said):
        return happening.text
    return plan_words(happening.plan) if isinstance(happening, ApprovalAsked) else ""


def usage(said: Transcript, answer: str) -> Usage:
    """The estimate; see `Usage`."""
    prompt, completion = -(-sum(len(words) for _, words in said) // 4), -(-len(answer) // 4)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _by_tuned(service: Service, form: ChatRequest, study: str) -> Completion:
    """The answer of a finished study's model to one message."""
    words, before = _last(form)
    if before or form.stream:
        rule = "a tuned model answers one message at a time, not streamed."
        raise InputError("messages" if before else "stream", rule, "Send one user message, without stream.")
    limit = form.max_completion_tokens or form.max_tokens or 128
    with service.loading:
        answer = service.desk.generate(study, words, limit)
    return _completion(form, [("user", words)], answer.text, {})


def _completion(form: ChatRequest, said: Transcript, text: str, metadata: dict[str, str]) -> Completion:
    return Completion(
        id=_new_id(),
        created=int(time.time()),
        model=form.model,
        choices=(Choice(message=Reply(content=text)),),
        usage=usage(said, text),
        metadata=metadata,
    )


def _new_id() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"


class Transcripts:
    """Knows the conversations by what was said in them. Usable from several threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._bound: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._lock = threading.Lock()

    def conversation(self, name: str | None, before: Transcript) -> Conversation:
        """The conversation of that name, or the one that stands where `before` ends; else a new one.

        A client may go back and edit what was said: then the conversation has moved on, and a new one begins, in which
        no plan waits for a yes. Raises InputError for a name that there is not.
        """
        if name is None and before:
            name = self._standing(before)
        if name is not None:
            return conversation_of(self._desk, name, FACE)
        conversation = Conversation(self._desk, face=FACE)
        for role, words in before:
            self._desk.store.add_turn(conversation.conversation_id, "user" if role == "user" else "assistant", words)
        return conversation

    def bind(self, transcript: Transcript, conversation_id: str) -> None:
        """Note that the conversation stands where `transcript` ends."""
        turns = self._desk.store.turns(conversation_id)
        with self._lock:
            self._bound[_key(transcript)] = (conversation_id, turns[-1].turn_id if turns else 0)
            while len(self._bound) > MAX_BOUND:
                self._bound.popitem(last=False)

    def _standing(self, before: Transcript) -> str | None:
        with self._lock:
            bound = self._bound.get(_key(before))
        if bound is not None:
            turns = self._desk.store.turns(bound[0])
            return bound[0] if turns and turns[-1].turn_id == bound[1] else None
        for row in self._desk.store.conversations()[:MAX_SEARCHED]:  # known before a restart
            turns = self._desk.store.turns(row.conversation_id)
            words = [(str(turn.role), turn.text) for turn in turns if turn.role in ("user", "assistant")]
            if _key(words) == _key(before):
                return row.conversation_id
        return None


def _key(transcript: Transcript) -> str:
    """The same for the same words, however a client spaces them or shows plans between them."""
    texts = [(role, _without_tables(words) if role == "assistant" else words) for role, words in transcript]
    plain = [(role, " ".join(words.split())) for role, words in texts]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


def plan_words(card: PlanCard) -> str:
    """A plan as a table, for clients that show text only."""
    rows = [(line.name, line.value) for line in (*card.understood, *card.data)]
    rows += [("searched: " + line.name, f"{line.value}, {line.origin}") for line in card.searched]
    rows += [("note", note) for note in card.notes]
    return f"\n\n{table(('plan', ''), rows)}\n\n"


def _without_tables(words: str) -> str:
    """Words without tables such as `plan_words` puts between them; the store keeps the words alone."""
    return "\n".join(line for line in words.splitlines() if not line.startswith("|"))
