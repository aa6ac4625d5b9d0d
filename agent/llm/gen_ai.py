"""Spans of LLM calls and tool calls, named as OpenTelemetry's conventions for generative AI have it."""

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from agent.errors import InputError
from agent.llm import traces
from agent.llm.name import parse_llm


def llm_span(
    spelling: str, prompt: str, max_tokens: int | None = None, output: str = "json"
) -> AbstractContextManager[traces.Span]:
    """One request to a model, `spelling` as in `--llm`; `prompt` is the name of the prompt, never its text."""
    if not traces.on():
        return traces.OFF
    about = _model(spelling)
    request = {
        "gen_ai.operation.name": "chat",
        "gen_ai.prompt.name": prompt,
        "gen_ai.request.max_tokens": max_tokens,
        "gen_ai.output.type": output,
    }
    return traces.span(f"chat {about['gen_ai.request.model']}", about | request, kind="client")


def replied(span: traces.Span, input_tokens: int | None, output_tokens: int | None) -> None:
    """What the backend says the call took; nothing where it does not."""
    span.set({"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens})


def content(span: traces.Span, sent: list[tuple[str, str]], reply: str) -> None:
    """Messages as (role, text), and the reply; only told where the configuration permits it."""
    span.content(
        {
            "gen_ai.input.messages": [_message(role, text) for role, text in sent],
            "gen_ai.output.messages": [_message("assistant", reply)],
        }
    )


def tool_span(name: str, call_id: str, arguments: Any) -> AbstractContextManager[traces.Span]:
    """One call of a tool by an agent. Its arguments are content."""
    if not traces.on():
        return traces.OFF
    told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.id": call_id}
    return traces.span(f"execute_tool {name}", told, content={"gen_ai.tool.call.arguments": arguments})


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


@lru_cache
def _model(spelling: str) -> dict[str, str | int | None]:

    try:
        name = parse_llm(spelling)
    except InputError:
        return {"gen_ai.provider.name": "unknown", "gen_ai.request.model": spelling}
    address = urlsplit(name.base_url or "")
    return {
        "gen_ai.provider.name": "openai_compatible" if name.kind == "http" else name.provider or name.kind,
        "gen_ai.request.model": name.model,
        "server.address": address.hostname,
        "server.port": address.port,
    }
