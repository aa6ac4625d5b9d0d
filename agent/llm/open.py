"""The front door to LLMs: `open_planner(spelling)` gives a `Planner` to ask, or None for `embedded`; `open_langchain` a
LangChain chat model for an agent with tools.

With the chat agent the only module that imports LangChain, and only when a model is opened (about a second).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.llm.background import Background
from agent.llm.calls import LlmCall, LlmCaps, LlmEvent, Price, price_of, secrets_of
from agent.llm.hf import TransformersChat
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
from agent.llm.name import SPELLINGS, LlmName, parse_llm
from agent.llm.planner import Planner, Reserve
from agent.llm.vllm.chat import VllmChat
from agent.llm.vllm.server import ServerFailed, server_for
from agent.llm.vllm.setup import SERVED_NAME
from agent.settings import load_settings
from trainers.errors import InputError

KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "http": "TUNEWRIGHT_API_KEY"}


@dataclass(frozen=True)
class LangChainModel:
    """A LangChain chat model, and what its calls must be accounted and told with."""

    model: Any
    name: LlmName
    price: Price | None
    secrets: tuple[str, ...]
    max_reply_tokens: int = 4096

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


def open_planner(
    llm: str | LlmName,
    *,
    on_call: Callable[[LlmCall], int | None] | None = None,
    on_event: Callable[[LlmEvent], None] | None = None,
    on_reserve: Reserve | None = None,
    caps: LlmCaps | None = None,
    environ: Mapping[str, str] = os.environ,
    timeout_seconds: float = 120.0,
    backoff_seconds: float = 1.0,
) -> Planner | None:
    """The planner that `llm` names; None for `embedded`, which needs no planner.

    Reads keys and $TUNEWRIGHT_LLM_PRICE from `environ`. Asks nothing yet. Raises InputError for a bad spelling, a
    missing key or package, and for a cap in dollars on a model whose price is unknown.
    """
    name = parse_llm(llm) if isinstance(llm, str) else llm
    if name.kind == "embedded":
        return None
    chat, secrets = _chat(name, environ, timeout_seconds)
    return Planner(
        chat,
        name.spelling,
        on_call=on_call,
        on_event=on_event,
        on_reserve=on_reserve,
        caps=caps,
        price=price_of(name.local, environ),
        secrets=secrets,
        timeout_seconds=timeout_seconds,
        backoff_seconds=backoff_seconds,
    )


def open_langchain(
    llm: str | LlmName, *, environ: Mapping[str, str] = os.environ, timeout_seconds: float = 120.0
) -> LangChainModel:
    """The chat model that `llm` names, for an agent. A vLLM server of ours is started first (minutes).

    Raises InputError as `open_planner` does, and for what has no tool calls (`embedded`, `hf:`).
    """
    name = parse_llm(llm) if isinstance(llm, str) else llm
    if name.kind in ("embedded", "hf"):
        hint = "Talk with --llm embedded, or name another model."
        raise InputError("llm", f"{name.spelling} cannot call tools.", hint)
    if name.kind != "vllm":
        return _langchain(name, environ, timeout_seconds)
    server = server_for(name.model, load_settings().home, environ, tools=True)
    try:
        address = server.start()
    except ServerFailed as error:
        raise InputError("llm", f"the model's server cannot be used: {error}", "See its log.") from error
    return _langchain(name, environ, timeout_seconds, address, server.key)


def _chat(name: LlmName, environ: Mapping[str, str], timeout_seconds: float) -> tuple[ChatModel, tuple[str, ...]]:
    """What the planner asks, and what must never be written anywhere. No server is started yet."""
    if name.kind == "hf":
        return TransformersChat(name.model), secrets_of(environ)
    if name.kind != "vllm":
        opened = _langchain(name, environ, timeout_seconds)
        return LangChainChat(opened), opened.secrets
    server = server_for(name.model, load_settings().home, environ)

    def open_chat(address: str, key: str) -> ChatModel:
        return LangChainChat(_langchain(name, environ, timeout_seconds, address, key))

    return VllmChat(server, open_chat), (server.key, *secrets_of(environ))


def _langchain(
    name: LlmName, environ: Mapping[str, str], timeout_seconds: float, address: str | None = None, key: str = ""
) -> LangChainModel:
    """The model behind LangChain. A vLLM server of ours listens at `address` and has the `key`."""
    secrets, price = secrets_of(environ), price_of(name.local, environ)
    if name.kind == "vllm":
        import httpx

        own = httpx.Client(trust_env=False, timeout=timeout_seconds)  # a proxy would see prompts and key
        model = _openai_model(SERVED_NAME, key, timeout_seconds, address, http_client=own)
        # prompt and reply share a short context
        return LangChainModel(model, name, price, (key, *secrets), max_reply_tokens=1024)
    model = _model(name, environ, timeout_seconds)
    if "stream_usage" in type(model).model_fields:
        model = model.model_copy(update={"stream_usage": True})
    return LangChainModel(model, name, price, secrets)


def _model(name: LlmName, environ: Mapping[str, str], timeout_seconds: float) -> Any:
    if name.kind == "langchain":
        return _any_provider(name)
    variable = KEY_VARIABLES[name.kind]
    key = environ.get(variable, "")
    if name.kind == "http":
        return _openai_model(name.model, key, timeout_seconds, name.base_url)
    if not key:
        raise InputError("llm", f"{name.spelling} needs {variable}, which is not set.", f"export {variable}=...")
    if name.kind == "openai":
        return _openai_model(name.model, key, timeout_seconds)
    from langchain_anthropic import ChatAnthropic

    return ChatAnthropic(model=name.model, api_key=key, max_retries=0, timeout=timeout_seconds)


def _openai_model(model: str, key: str, timeout_seconds: float, address: str | None = None, **more: Any) -> Any:
    """OpenAI's, or that of a server at `address`, which must not be sent the user's own OpenAI key or organisation (the
    SDK's defaults)."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=model,
        api_key=key or "none",
        max_retries=0,
        timeout=timeout_seconds,
        use_responses_api=False,
        **({} if address is None else {"base_url": address, "organization": "none"}),
        **more,
    )


def _any_provider(name: LlmName) -> Any:
    from langchain.chat_models import init_chat_model

    try:
        return init_chat_model(name.model, model_provider=name.provider)
    except ImportError as error:
        raise InputError("llm", f"{name.spelling} needs a package: {error}.", "Install it and try again.") from error
    except Exception as error:  # a provider's own validation: missing key, unknown provider
        raise InputError("llm", f"{name.spelling} cannot be opened: {error}.", f"Known: {SPELLINGS}.") from error


class LangChainChat:
    """A LangChain chat model behind the planner's protocol."""

    def __init__(self, opened: LangChainModel) -> None:
        self._opened = opened
        self.decodings = _DECODINGS.get(opened.name.kind, ("json_schema", "json_mode", "plain"))

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        """See `ChatModel.complete`. The time limit holds for the whole reply, also one that drips in: HTTP clients
        limit the wait for each chunk only. The thread of a call that is late is left behind."""
        turns = [(m.role, m.text) for m in messages]
        own_server = self._opened.name.kind in ("http", "vllm")
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
        chat = self._opened.limited(max_tokens)
        if decoding == "plain":
            return chat
        if self._opened.name.kind in ("openai", "http", "vllm"):
            # with_structured_output would do, but for its lenient JSON parser: minutes on a hostile reply of 3 MB
            return chat.bind(response_format=_response_format(schema, decoding))
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
            raise self._opened.mapped(error) from error
        usage = completion.usage
        text = completion.choices[0].message.content or ""
        return Reply(text, usage and usage.prompt_tokens, usage and usage.completion_tokens)


_DECODINGS: dict[str, tuple[Decoding, ...]] = {
    "anthropic": ("json_schema", "plain"),
    "langchain": ("json_schema", "plain"),
    "vllm": ("json_schema",),
}
"""What is tried, strictest first; elsewhere all three."""


def _response_format(schema: JsonSchema, decoding: Decoding) -> dict[str, Any]:
    if decoding == "json_mode":
        return {"type": "json_object"}
    shape = {key: value for key, value in schema.items() if key != "title"}
    return {"type": "json_schema", "json_schema": {"name": schema["title"], "strict": True, "schema": shape}}


LIMITS = ("maxLength", "maxItems", "minimum", "maximum")


def without_limits(schema: Any) -> Any:
    """`schema` without the limits on lengths and numbers that hosted strict decoders refuse; local grammars need them,
    since a small model may write without end where it is free to."""
    if isinstance(schema, Mapping):
        return {k: without_limits(v) for k, v in schema.items() if k not in LIMITS}
    return [without_limits(v) for v in schema] if isinstance(schema, list) else schema


def _retry_after(error: Exception) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return float(headers.get("retry-after", ""))
    except ValueError:
        return None
