"""OpenTelemetry traces, where they are configured; the only module that imports opentelemetry.

While traces are off every span is OpenTelemetry's own that records nothing. Spans carry names, counts and times;
prompts, replies and arguments only with `content = true`. LLM and tool calls follow OpenTelemetry's conventions for
generative AI (`gen_ai.*`).
"""

import atexit
import importlib.util
import json
import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from agent.errors import InputError
from agent.llm.name import parse_llm
from agent.settings import Telemetry

SEND_SECONDS = 5.0
"""For one batch, retries included, and for what waits when the process ends."""

Attributes = Mapping[str, str | bool | int | float | None]
"""Of a span; None is left out."""


class _Sender(logging.Handler):
    """The one exporter of this process; as a log handler it hears what OpenTelemetry would print over a display."""

    def __init__(self, telemetry: Telemetry, exporter: Any) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        super().__init__(logging.ERROR)
        self.telemetry, self.failed = telemetry, False
        self.study_context: context.Context | None = None
        resource = Resource.create({"service.name": "tunewright"})
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self.provider.get_tracer("tunewright")

    def emit(self, record: logging.LogRecord) -> None:
        """A batch was lost."""
        self.failed = True


_LOGGER = logging.getLogger("opentelemetry")
_sender: _Sender | None = None


def use(telemetry: Telemetry) -> None:
    """Send the traces of this process where `telemetry` says; again with the same changes nothing.

    Raises InputError where OpenTelemetry's SDK is not installed.
    """
    if telemetry.otlp is None or (_sender is not None and _sender.telemetry == telemetry):
        return
    require(telemetry)
    start(telemetry, _exporter(telemetry.otlp))


def require(telemetry: Telemetry) -> None:
    """Raises InputError where what `telemetry` needs is not installed. Imports nothing heavy."""
    modules = ["opentelemetry.sdk.trace"]
    if telemetry.otlp not in (None, "console"):
        modules.append("opentelemetry.exporter.otlp.proto.http")
    for module in modules if telemetry.otlp is not None else ():
        try:
            spec = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            spec = None
        if spec is None:
            rule = f"the package {module.replace('.', '-')} is not installed here."
            hint = "pip install 'tunewright[otel]', or take [telemetry] out of config.toml."
            raise InputError("telemetry.otlp", rule, hint)


def start(telemetry: Telemetry, exporter: Any) -> None:
    """Send spans to `exporter`, a `SpanExporter` of the SDK, from now on."""
    global _sender
    stop()
    atexit.register(flush)
    _sender = _Sender(telemetry, exporter)
    _LOGGER.addHandler(_sender)
    _LOGGER.propagate = False


def stop() -> None:
    """Send what waits, then nothing more."""
    global _sender
    flush()
    if _sender is not None:
        _LOGGER.removeHandler(_sender)
        atexit.unregister(flush)
    _sender = None


def flush(seconds: float = SEND_SECONDS) -> bool:
    """Send what waits, for at most so long; whether that was done. The SDK's own flush has no time limit that holds."""
    if _sender is None:
        return True
    sending = threading.Thread(target=_sender.provider.force_flush, name="traces", daemon=True)
    sending.start()
    sending.join(seconds)
    return not sending.is_alive()


def trouble() -> str | None:
    """That spans could not be sent since the last call."""
    if _sender is None or not _sender.failed:
        return None
    _sender.failed = False
    return "spans could not be sent; is the collector there?"


def with_content() -> bool:
    """Whether prompts, replies and arguments may be sent."""
    return _sender is not None and _sender.telemetry.content


@contextmanager
def span(name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
    """A block of work as a span: within the one this thread is in, else within the study that runs.

    An exception that leaves it marks it as failed, with its kind alone: its message may quote data.
    """
    inside = trace.get_current_span().get_span_context().is_valid
    with _tracer().start_as_current_span(
        name,
        context=None if inside else _study_context(),
        kind=kind,
        attributes=_present(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            failed(current, type(error).__name__)
            raise


@contextmanager
def study_span(study: str, attributes: Attributes) -> Iterator[Span]:
    """The span of a study's run; what other threads do meanwhile belongs to it as well."""
    with span(f"study {study}", {"tunewright.study": study, **attributes}) as current:
        if _sender is not None:
            _sender.study_context = context.get_current()
        try:
            yield current
        finally:
            if _sender is not None:
                _sender.study_context = None


def past_span(name: str, attributes: Attributes, began: float, ended: float, error_type: str | None = None) -> None:
    """A span of the running study whose times (seconds since 1970) are known already."""
    current = _tracer().start_span(
        name, context=_study_context(), start_time=round(began * 1e9), attributes=_present(attributes)
    )
    if error_type:
        failed(current, error_type)
    current.end(round(ended * 1e9))


def failed(current: Span, error_type: str) -> None:
    """Mark a span as failed; only the kind of error, since messages may quote data."""
    current.set_attribute("error.type", error_type)
    current.set_status(StatusCode.ERROR)


def llm_span(
    spelling: str, prompt: str, max_tokens: int | None = None, output: str = "json"
) -> AbstractContextManager[Span]:
    """One request to a model, `spelling` as in `--llm`; `prompt` is the name of the prompt, never its text."""
    about = _model(spelling)
    request = {
        "gen_ai.operation.name": "chat",
        "gen_ai.prompt.name": prompt,
        "gen_ai.request.max_tokens": max_tokens,
        "gen_ai.output.type": output,
    }
    return span(f"chat {about['gen_ai.request.model']}", {**about, **request}, SpanKind.CLIENT)


def replied(current: Span, input_tokens: int | None, output_tokens: int | None) -> None:
    """What the backend says the call took; nothing where it does not."""
    usage = {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}
    current.set_attributes(_present(usage))


def content(current: Span, sent: list[tuple[str, str]], reply: str) -> None:
    """Messages as (role, text), and the reply; only where the configuration permits it."""
    if with_content():
        current.set_attribute("gen_ai.input.messages", json.dumps([_message(role, text) for role, text in sent]))
        current.set_attribute("gen_ai.output.messages", json.dumps([_message("assistant", reply)]))


def tool_span(name: str, call_id: str, arguments: Any) -> AbstractContextManager[Span]:
    """One call of a tool by an agent. Its arguments are content."""
    about = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.id": call_id}
    if with_content():
        about["gen_ai.tool.call.arguments"] = json.dumps(arguments, default=str)
    return span(f"execute_tool {name}", about)


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


@lru_cache
def _model(spelling: str) -> Attributes:
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


def _tracer() -> trace.Tracer:
    return trace.NoOpTracer() if _sender is None else _sender.tracer


def _study_context() -> context.Context | None:
    return None if _sender is None else _sender.study_context


def _present(attributes: Attributes) -> dict[str, str | bool | int | float]:
    return {name: value for name, value in attributes.items() if value is not None}


def _exporter(place: str) -> Any:
    if place == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    whole = place if place.rstrip("/").endswith("/v1/traces") else f"{place.rstrip('/')}/v1/traces"
    return OTLPSpanExporter(endpoint=whole, timeout=SEND_SECONDS)
