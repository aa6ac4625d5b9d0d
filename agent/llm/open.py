"""The front door to the planner LLM: `open_planner(spelling)` gives a `Planner` to ask, or None for `embedded`.

The only module that imports LangChain, and only when a model is opened (about a second).
"""

import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.llm.calls import LlmCall, LlmCapReached, LlmCaps, LlmEvent, Price, price_of, secrets_of
from agent.llm.hf import TransformersChat
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
from agent.llm.name import SPELLINGS, LlmName, parse_llm
from agent.llm.planner import Planner, Reserve
from agent.llm.vllm.chat import VllmChat
from agent.llm.vllm.server import ServerFailed, server_for
from agent.llm.vllm.setup import SERVED_NAME
from agent.settings import load_settings
from trainers.errors import InputError

if TYPE_CHECKING:
    from agent.llm.vllm.server import VllmServer

__all__ = [
    "SPELLINGS",
    "LlmCall",
    "LlmCapReached",
    "LlmCaps",
    "LlmEvent",
    "LlmName",
    "Planner",
    "Price",
    "ToolModel",
    "open_planner",
    "open_tool_model",
    "parse_llm",
]

KEY_VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "http": "TUNEWRIGHT_API_KEY"}


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
    secrets = secrets_of(environ)
    if name.kind == "vllm":
        chat, key = _open_vllm(name, environ, timeout_seconds)
        secrets = (key, *secrets)
    else:
        chat = _open_chat(name, environ, timeout_seconds)
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


def _open_chat(name: LlmName, environ: Mapping[str, str], timeout_seconds: float) -> ChatModel:
    if name.kind == "hf":
        return TransformersChat(name.model)
    chat, variable = _model(name, environ, timeout_seconds)
    weaker: tuple[Decoding, ...] = ("json_schema", "plain")
    return LangChainChat(
        chat,
        name,
        variable,
        weaker if name.kind in ("anthropic", "langchain") else ("json_schema", "json_mode", "plain"),
    )


def _model(name: LlmName, environ: Mapping[str, str], timeout_seconds: float) -> tuple[Any, str | None]:
    """The LangChain model, and the variable that holds its key if there is one."""
    variable = KEY_VARIABLES.get(name.kind)
    key = environ.get(variable, "") if variable else ""
    if not key and name.kind in ("openai", "anthropic"):
        raise InputError("llm", f"{name.spelling} needs {variable}, which is not set.", f"export {variable}=...")
    if name.kind == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=name.model, api_key=key, max_retries=0, timeout=timeout_seconds), variable
    if name.kind == "langchain":
        return _any_provider(name), None
    from langchain_openai import ChatOpenAI

    # an endpoint without a key must not be sent the user's OpenAI key or organisation, which are the SDK's defaults
    own = {"base_url": name.base_url, "organization": "none"} if name.kind == "http" else {}
    chat = ChatOpenAI(
        model=name.model,
        api_key=key or "none",
        max_retries=0,
        timeout=timeout_seconds,
        use_responses_api=False,
        **own,
    )
    return chat, variable


@dataclass(frozen=True)
class ToolModel:
    """A LangChain chat model for an agent with tools, and what its calls must be accounted and told with."""

    model: Any
    name: LlmName
    price: Price | None
    secrets: tuple[str, ...]
    mapped: Callable[[Exception], Exception]
    """What went wrong in a call, as one of the errors of `agent.llm.messages`."""
    max_reply_tokens: int = 4096
    """A vLLM server of ours has a short context, which prompt and reply share."""


def open_tool_model(
    llm: str | LlmName, *, environ: Mapping[str, str] = os.environ, timeout_seconds: float = 120.0
) -> ToolModel:
    """The chat model that `llm` names, for an agent. A vLLM server of ours is started first (minutes).

    Raises InputError as `open_planner` does, and for what has no tool calls (`embedded`, `hf:`).
    """
    name = parse_llm(llm) if isinstance(llm, str) else llm
    if name.kind in ("embedded", "hf"):
        raise InputError(
            "llm", f"{name.spelling} cannot call tools.", "Talk with --llm embedded, or name another model."
        )
    secrets = secrets_of(environ)
    if name.kind == "vllm":
        server, open_model = _vllm(name, environ, timeout_seconds, tools=True)
        chat, variable = open_model(_started(server), server.key), None
        secrets = (server.key, *secrets)
    else:
        chat, variable = _model(name, environ, timeout_seconds)
    if "stream_usage" in type(chat).model_fields:
        chat = chat.model_copy(update={"stream_usage": True})
    price, reply = price_of(name.local, environ), 1024 if name.kind == "vllm" else ToolModel.max_reply_tokens
    return ToolModel(chat, name, price, secrets, lambda error: mapped(error, name, variable), reply)


def _started(server: "VllmServer") -> str:

    try:
        return server.start()
    except ServerFailed as error:
        raise InputError("llm", f"the model's server cannot be used: {error}", "See its log.") from error


def _open_vllm(name: LlmName, environ: Mapping[str, str], timeout_seconds: float) -> tuple[ChatModel, str]:
    """The chat model and the key of its server, which must never be written anywhere. Starts nothing yet."""

    server, open_model = _vllm(name, environ, timeout_seconds)

    def open_chat(base_url: str, key: str) -> ChatModel:
        return LangChainChat(open_model(base_url, key), name, None, ("json_schema",))

    return VllmChat(server, open_chat), server.key


def _vllm(
    name: LlmName, environ: Mapping[str, str], timeout_seconds: float, tools: bool = False
) -> "tuple[VllmServer, Callable[[str, str], Any]]":
    """The server of a model, not started yet, and what opens a LangChain model on its address and key."""

    def open_model(base_url: str, key: str) -> Any:
        import httpx
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(
            model=SERVED_NAME,
            api_key=key,
            base_url=base_url,
            organization="none",
            max_retries=0,
            timeout=timeout_seconds,
            use_responses_api=False,
            http_client=httpx.Client(trust_env=False, timeout=timeout_seconds),  # a proxy would see prompts and key
        )

    return server_for(name.model, load_settings().home, environ, tools=tools), open_model


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

    def __init__(self, chat: Any, name: LlmName, key_variable: str | None, decodings: tuple[Decoding, ...]) -> None:
        self._chat, self._name, self._key_variable = chat, name, key_variable
        self.decodings = decodings

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        """See `ChatModel.complete`. The time limit holds for the whole reply, also one that drips in."""
        turns = [(m.role, m.text) for m in messages]
        own_server = self._name.kind in ("http", "vllm")
        runnable = self._runnable(schema if own_server else without_limits(schema), decoding, max_tokens)
        try:
            answer = within(seconds, lambda: runnable.invoke(turns))
        except TimeoutError as error:
            raise TransportError(f"no reply within {seconds:g} s.", timed_out=True) from error
        except Exception as error:
            return self._cut_off(error)
        return _reply(answer["raw"] if isinstance(answer, dict) else answer)

    def _runnable(self, schema: JsonSchema, decoding: Decoding, max_tokens: int) -> Any:
        chat = self._chat
        if "max_tokens" in type(chat).model_fields:
            chat = chat.model_copy(update={"max_tokens": max_tokens})
        if decoding == "plain":
            return chat
        if self._name.kind in ("openai", "http", "vllm"):
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
            raise mapped(error, self._name, self._key_variable) from error
        usage = completion.usage
        text = completion.choices[0].message.content or ""
        return Reply(text, usage and usage.prompt_tokens, usage and usage.completion_tokens)


def mapped(error: Exception, name: LlmName, key_variable: str | None) -> Exception:
    """An error of a client library as one of `agent.llm.messages`."""
    status = getattr(error, "status_code", None)
    detail = " ".join(str(error).split())[:500]
    if status in (401, 403):
        variable = f" Check {key_variable}." if key_variable else ""
        return AccessError(f"{name.spelling} refuses access (HTTP {status}): {detail}{variable}")
    if status == 404:
        return AccessError(f"{name.spelling} is not there (HTTP 404): {detail} Check the model's name.")
    if status == 429:
        return TransportError(f"rate limit or quota reached (HTTP 429): {detail}", _retry_after(error))
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409):
        words = ("response_format", "json_schema", "json_object", "schema", "structured", "guided", "grammar")
        refused = any(word in detail.lower() for word in words)
        return SchemaRefused(detail) if refused else RequestError(f"HTTP {status}: {detail}")
    kind = f"HTTP {status}" if status else type(error).__name__
    late = "Timeout" in kind and "Connect" not in kind
    return TransportError(f"{kind}: {detail}", _retry_after(error), timed_out=late)


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


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """The result of `call`, or TimeoutError after `seconds`.

    HTTP clients limit the wait for each chunk, not for the whole reply. The call runs in a daemon thread, which is
    left behind when it is late.
    """
    results: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue()

    def run() -> None:
        try:
            results.put((call(), None))
        except BaseException as error:  # handed to the waiting thread, which raises it
            results.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result


def _reply(message: Any) -> Reply:
    usage = message.usage_metadata or {}
    return Reply(message.text, usage.get("input_tokens"), usage.get("output_tokens"))


def _retry_after(error: Exception) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return float(headers.get("retry-after", ""))
    except ValueError:
        return None
