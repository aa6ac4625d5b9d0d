"""The front door to LLMs: `open_planner(spelling)` gives a `Planner` to ask, or None for `embedded`; `open_langchain` a
LangChain chat model for an agent with tools.

With the chat agent the only module that imports LangChain, and only when a model is opened (about a second).
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from agent.llm.calls import LlmCall, LlmCaps, LlmEvent, price_of, secrets_of
from agent.llm.chats import KEY_VARIABLES, LangChainModel, TransformersChat, VllmChat
from agent.llm.messages import ChatModel
from agent.llm.name import SPELLINGS, LlmName, parse_llm
from agent.llm.planner import Planner, Reserve
from agent.llm.vllm.server import ServerFailed, VllmServer, server_for
from agent.llm.vllm.setup import SERVED_NAME
from agent.settings import load_settings
from trainers.errors import InputError


def open_planner(
    llm: str,
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
    name = parse_llm(llm)
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
    llm: str, *, environ: Mapping[str, str] = os.environ, timeout_seconds: float = 120.0
) -> LangChainModel:
    """The chat model that `llm` names, for an agent. A vLLM server of ours is started first (minutes).

    Raises InputError as `open_planner` does, and for what has no tool calls (`embedded`, `hf:`).
    """
    name = parse_llm(llm)
    if name.kind in ("embedded", "hf"):
        hint = "Talk with --llm embedded, or name another model."
        raise InputError("llm", f"{name.spelling} cannot call tools.", hint)
    if name.kind != "vllm":
        return _langchain(name, environ, timeout_seconds)
    server = server_for(name.model, load_settings().home, environ, tools=True)
    try:
        server.start()
    except ServerFailed as error:
        raise InputError("llm", f"the model's server cannot be used: {error}", "See its log.") from error
    return _langchain(name, environ, timeout_seconds, server)


def _chat(name: LlmName, environ: Mapping[str, str], timeout_seconds: float) -> tuple[ChatModel, tuple[str, ...]]:
    """What the planner asks, and what must never be written anywhere. No server is started yet."""
    if name.kind == "hf":
        return TransformersChat(name.model), secrets_of(environ)
    if name.kind != "vllm":
        opened = _langchain(name, environ, timeout_seconds)
        return opened, opened.secrets
    server = server_for(name.model, load_settings().home, environ)
    chat = VllmChat(server, lambda: _langchain(name, environ, timeout_seconds, server))
    return chat, (server.key, *secrets_of(environ))


def _langchain(
    name: LlmName, environ: Mapping[str, str], timeout_seconds: float, server: VllmServer | None = None
) -> LangChainModel:
    """The model behind LangChain; that of a vLLM server of ours, which runs already, or somebody else's."""
    secrets, price = secrets_of(environ), price_of(name.local, environ)
    if server is not None:
        import httpx

        own = httpx.Client(trust_env=False, timeout=timeout_seconds)  # a proxy would see prompts and key
        model = _openai_model(SERVED_NAME, server.key, timeout_seconds, server.base_url, http_client=own)
        # prompt and reply share a short context
        return LangChainModel(model, name, price, (server.key, *secrets), max_reply_tokens=1024)
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
