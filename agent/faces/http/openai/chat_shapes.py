"""The forms of chats in OpenAI's shape. Fields of a request that have no name here are ignored: clients send many."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from agent.errors import InputError
from agent.faces.http.fields import Text
from agent.faces.http.openai.models import AGENT_MODEL
from trainers.spec import Closed


class Part(BaseModel):
    """A piece of a message."""

    type: str
    text: Text = ""


class ChatMessage(BaseModel):
    """One message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None

    @property
    def words(self) -> str:
        """Its text. Raises InputError where it holds anything else."""
        if isinstance(self.content, list):
            if other := next((part.type for part in self.content if part.type != "text"), None):
                raise InputError("messages", f"only text is understood, got {other[:40]!r}.", "Send text.")
            return "".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """Options of a stream."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A chat in OpenAI's shape. Fields that steer a model's sampling are taken and have no effect."""

    model: str = Field(AGENT_MODEL, max_length=600)
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=2000)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    max_tokens: int | None = Field(None, ge=1, le=32_768)
    max_completion_tokens: int | None = Field(None, ge=1, le=32_768)
    metadata: dict[str, str] | None = Field(None, max_length=16, description="conversation_id names a conversation")


class Usage(Closed):
    """Tokens, estimated from the length of the text: four characters each."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Reply(Closed):
    """What was answered."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(Closed):
    """The one answer."""

    index: int = 0
    message: Reply
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class Completion(Closed):
    """An answered chat."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: Usage
    metadata: dict[str, str] = {}
