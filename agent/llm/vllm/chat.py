"""A model served by vLLM as planner LLM: the server starts with the first question, every reply is held to the schema.

A server that dies is started again once; after that its death counts as any transport error does, so that the
planner's circuit breaker opens with an event.
"""

from collections.abc import Callable, Sequence
from typing import Any

from agent.llm.messages import AccessError, ChatModel, Decoding, JsonSchema, Message, Reply, TransportError
from agent.llm.vllm.server import ServerFailed, VllmServer
from trainers.errors import InputError

MAX_ITEMS, MAX_CHARACTERS = 12, 300
"""Bounds on lists and free text that a schema leaves open: small models do not find the end by themselves."""

RESTARTS = 1


class VllmChat:
    """Implements `agent.llm.messages.ChatModel` on a `VllmServer`."""

    decodings: tuple[Decoding, ...] = ("json_schema",)

    def __init__(self, server: VllmServer, open_chat: Callable[[str, str], ChatModel]) -> None:
        """`open_chat` gives the client for an address and a key."""
        self._server, self._open_chat = server, open_chat
        self._chat: tuple[str, ChatModel] | None = None
        self._restarts_left = RESTARTS

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        """See `ChatModel.complete`. `seconds` do not count the server's start."""
        chat = self._ready()
        room = min(max_tokens, self._server.context)  # more is refused; what the prompt takes is vLLM's to subtract
        try:
            return chat.complete(messages, bounded(schema), decoding, room, seconds)
        except TransportError as error:
            if self._server.died(within_seconds=2.0):
                raise TransportError(self._server.last_words()) from error
            raise

    def _ready(self) -> ChatModel:
        if self._server.died():
            if not self._restarts_left:
                raise TransportError(f"it died again; {self._server.last_words()}")
            self._restarts_left -= 1
        try:
            base_url = self._server.start()
        except (ServerFailed, InputError) as error:
            raise AccessError(f"the model's server cannot be used: {error}") from error
        if self._chat is None or self._chat[0] != base_url:
            self._chat = base_url, self._open_chat(base_url, self._server.key)
        return self._chat[1]


def bounded(schema: JsonSchema) -> dict[str, Any]:
    """`schema` with `MAX_ITEMS` on lists and `MAX_CHARACTERS` on strings where it sets no limit of its own."""
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    limits: dict[str, Any] = {"maxItems": MAX_ITEMS} if "array" in kinds else {}
    if "string" in kinds and not {"enum", "const", "pattern", "format"} & set(schema):
        limits["maxLength"] = MAX_CHARACTERS
    return {**limits, **{key: _bounded(value) for key, value in schema.items()}}


def _bounded(node: Any) -> Any:
    if isinstance(node, list):
        return [_bounded(item) for item in node]
    return bounded(node) if isinstance(node, dict) else node
