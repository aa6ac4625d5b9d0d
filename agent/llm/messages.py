"""The small protocol between the planner and whatever generates text, with the ways in which that fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

JsonSchema = Mapping[str, Any]
Decoding = Literal["json_schema", "json_mode", "plain"]
"""How the reply is kept to JSON: a grammar from the schema, any JSON object, or only by asking for it."""


@dataclass(frozen=True)
class Message:
    """One turn of the conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True)
class Reply:
    """What came back. Token counts are None where the server does not tell."""

    text: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cut_off: bool = False


class ChatModel(Protocol):
    """Anything that continues a conversation."""

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """What the backend can do, strictest first; never empty."""
        ...

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        """One reply of at most `max_tokens` within `seconds`. Raises one of the errors below."""
        ...


class LlmError(Exception):
    """A call gave no reply; one of the errors below says whether asking again can help."""


class TransportError(LlmError):
    """The reply did not arrive; asking again may help (time-out, connection, HTTP 429 and 5xx).

    After a time-out (`timed_out`) the server has the prompt and may be paid for it.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None, timed_out: bool = False) -> None:
        self.retry_after_seconds, self.timed_out = retry_after_seconds, timed_out
        super().__init__(message)


class AccessError(LlmError):
    """The server refuses this client for good (HTTP 401, 403, 404); asking again cannot help."""


class RequestError(LlmError):
    """The server refuses this one request (HTTP 400), for instance because it is too long."""


class SchemaRefused(LlmError):
    """The server or model cannot decode with this kind of constraint; a weaker one may work."""
