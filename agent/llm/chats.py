"""The chat models that a planner can ask: transformers in this process, LangChain's, and vLLM's server as our child."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agent.llm.background import Background
from agent.llm.calls import Price
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
from agent.llm.name import LlmName
from agent.llm.reply_json import bounded, response_format, without_limits
from agent.llm.vllm.server import ServerFailed, VllmServer
from trainers.errors import InputError

KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "http": "TUNEWRIGHT_API_KEY"}

RESTARTS = 1


_DECODINGS: dict[str, tuple[Decoding, ...]] = {
    "anthropic": ("json_schema", "plain"),
    "langchain": ("json_schema", "plain"),
    "vllm": ("json_schema",),
}
"""What is tried, strictest first; elsewhere all three."""


@dataclass(frozen=True)
class LangChainModel:
    """A LangChain chat model for planner and chat agent, and what its calls must be accounted and told with."""

    model: Any
    name: LlmName
    price: Price | None
    secrets: tuple[str, ...]
    max_reply_tokens: int = 4096

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """See `ChatModel.decodings`."""
        return _DECODINGS.get(self.name.kind, ("json_schema", "json_mode", "plain"))

    def limited(self, max_tokens: int) -> Any:
        """The model with a limit on its reply, where it knows one."""
        if "max_tokens" not in type(self.model).model_fields:
            return self.model
        return self.model.model_copy(update={"max_tokens": max_tokens})

    def mapped(self, error: Exception) -> LlmError:
        """An error of a client library as one of ours."""
        status = getattr(error, "status_code", None)
        detail = " ".join(str(error).split())[:500]
        if status in (401, 403):
            variable = KEY_VARIABLES.get(self.name.kind)
            check = f" Check {variable}." if variable else ""
            return AccessError(f"{self.name.spelling} refuses access (HTTP {status}): {detail}{check}")
        if status == 404:
            return AccessError(f"{self.name.spelling} is not there (HTTP 404): {detail} Check the model's name.")
        if status == 429:
            return TransportError(f"rate limit or quota reached (HTTP 429): {detail}", _retry_after(error))
        if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409):
            words = ("response_format", "json_schema", "json_object", "schema", "structured", "guided", "grammar")
            refused = any(word in detail.lower() for word in words)
            return SchemaRefused(detail) if refused else RequestError(f"HTTP {status}: {detail}")
        kind = f"HTTP {status}" if status else type(error).__name__
        late = "Timeout" in kind and "Connect" not in kind
        return TransportError(f"{kind}: {detail}", _retry_after(error), timed_out=late)

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        """See `ChatModel.complete`. The time limit holds for the whole reply, also one that drips in: HTTP clients
        limit the wait for each chunk only. The thread of a call that is late is left behind."""
        turns = [(m.role, m.text) for m in messages]
        own_server = self.name.kind in ("http", "vllm")
        runnable = self._runnable(schema if own_server else without_limits(schema), decoding, max_tokens)
        call: Background[Any] = Background(lambda thread: thread.put(runnable.invoke(turns)))
        try:
            answer = next(call.products(lambda: seconds))
        except TimeoutError as error:
            raise TransportError(f"no reply within {seconds:g} s.", timed_out=True) from error
        except Exception as error:
            return self._cut_off(error)
        message = answer["raw"] if isinstance(answer, dict) else answer
        usage = message.usage_metadata or {}
        return Reply(message.text, usage.get("input_tokens"), usage.get("output_tokens"))

    def _runnable(self, schema: JsonSchema, decoding: Decoding, max_tokens: int) -> Any:
        chat = self.limited(max_tokens)
        if decoding == "plain":
            return chat
        if self.name.kind in ("openai", "http", "vllm"):
            # with_structured_output would do, but for its lenient JSON parser: minutes on a hostile reply of 3 MB
            return chat.bind(response_format=response_format(schema, decoding))
        try:
            return chat.with_structured_output(
                {"description": "The reply.", **schema}, method=decoding, include_raw=True
            )
        except (NotImplementedError, TypeError, ValueError) as error:
            raise SchemaRefused(str(error)) from error

    def _cut_off(self, error: Exception) -> Reply:
        """The partial reply of a model stopped at its token limit (it was paid for); any other error is raised."""
        completion = getattr(error, "completion", None)
        if completion is None:
            raise self.mapped(error) from error
        usage = completion.usage
        text = completion.choices[0].message.content or ""
        return Reply(text, usage and usage.prompt_tokens, usage and usage.completion_tokens)


def _retry_after(error: Exception) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return float(headers.get("retry-after", ""))
    except ValueError:
        return None


class TransformersChat:
    """A transformers causal model in this process: greedy decoding of its chat template.

    Loads the model with the first question (safetensors only, no code from the hub). Costs its memory and seconds to
    minutes a call on a CPU; nothing leaves the machine.
    """

    decodings: tuple[Decoding, ...] = ("plain",)

    def __init__(self, model: str) -> None:
        self._name = model

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        """See `ChatModel.complete`; generation ends after `seconds` with what there is."""
        import torch

        tokenizer, model = self._loaded
        turns = [{"role": m.role, "content": m.text} for m in messages]
        try:
            text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # jinja2 and template errors have no common base
            raise RequestError(f"the chat template of {self._name} failed: {error}") from error
        inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False).to(model.device)
        n_prompt = inputs["input_ids"].shape[1]  # (1, time)
        room = getattr(model.config, "max_position_embeddings", n_prompt + max_tokens) - n_prompt
        if room < 1:
            raise RequestError(f"the prompt has {n_prompt} tokens, more than {self._name} can read.")
        with torch.inference_mode():
            tokens = model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=min(max_tokens, room),
                max_time=seconds,
                pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
            )
        reply = tokenizer.decode(tokens[0, n_prompt:], skip_special_tokens=True)
        return Reply(reply, n_prompt, int(tokens.shape[1]) - n_prompt)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and model."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            tokenizer = AutoTokenizer.from_pretrained(self._name)
            model = AutoModelForCausalLM.from_pretrained(self._name, dtype="auto", use_safetensors=True)
        except (OSError, ValueError) as error:
            raise AccessError(f"hf:{self._name} cannot be opened: {str(error).splitlines()[0]}") from error
        if tokenizer.chat_template is None:
            raise AccessError(f"hf:{self._name} has no chat template; use a chat or instruct model.")
        return tokenizer, model.to(device).eval()


class VllmChat:
    """A model served by vLLM: the server starts with the first question, every reply is held to the schema.

    A server that dies is started again once; after that its death counts as any transport error does, so that the
    planner's circuit breaker opens with an event.
    """

    decodings: tuple[Decoding, ...] = ("json_schema",)

    def __init__(self, server: VllmServer, open_chat: Callable[[], ChatModel]) -> None:
        """`open_chat` gives the client of the server, once that runs."""
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
            self._chat = base_url, self._open_chat()
        return self._chat[1]
