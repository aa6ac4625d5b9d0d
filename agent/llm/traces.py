"""OpenTelemetry traces, where they are configured; the only module that imports opentelemetry.

`span` costs a function call while traces are off. Spans carry names, counts and times; prompts, replies and arguments
only with `content = true`. LLM and tool calls follow OpenTelemetry's conventions for generative AI (`gen_ai.*`).
"""

import atexit
import importlib.util
import json
import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Literal, Self

from agent.errors import InputError
from agent.settings import Telemetry

SEND_SECONDS = 5.0
"""For one batch, retries included, and for what waits when the process ends."""

Kind = Literal["internal", "client"]
Value = str | bool | int | float | Sequence[str]


class Span:
    """What a block of work may say about itself; this one says nothing, since traces are off."""

    with_content = False
    """Whether prompts, replies and arguments may be told."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def set(self, attributes: Mapping[str, Value | None]) -> None:
        """Add attributes; None is left out."""

    def content(self, attributes: Mapping[str, Any]) -> None:
        """Add prompts, replies or arguments, as JSON; only where the configuration permits it."""

    def failed(self, error_type: str) -> None:
        """Mark it as failed; only the kind of error is told, since messages may quote data."""


OFF = Span()


class _Tracing:
    """The one exporter of this process."""

    def __init__(self, telemetry: Telemetry, exporter: Any) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.telemetry = telemetry
        self.troubles: deque[str] = deque(maxlen=20)
        self.study_context: Any = None
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "tunewright"}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(_told_failures(exporter, self.troubles)))
        self.tracer = self._provider.get_tracer("tunewright")

    def flush(self, seconds: float) -> bool:
        """Send what waits; whether that was done in time. The SDK's own flush has no time limit that holds."""
        sending = threading.Thread(target=self._provider.force_flush, name="traces", daemon=True)
        sending.start()
        sending.join(seconds)
        return not sending.is_alive()


_tracing: _Tracing | None = None


def use(telemetry: Telemetry) -> None:
    """Send the traces of this process where `telemetry` says; again with the same changes nothing.

    Raises InputError where OpenTelemetry is not installed.
    """
    global _tracing
    if telemetry.otlp is None or (_tracing is not None and _tracing.telemetry == telemetry):
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
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise InputError(
                "telemetry.otlp",
                f"the package {module.replace('.', '-')} is not installed here.",
                "pip install 'tunewright[otel]', or take [telemetry] out of config.toml.",
            )


def start(telemetry: Telemetry, exporter: Any) -> None:
    """Send spans to `exporter`, a `SpanExporter` of the SDK, from now on."""
    global _tracing
    if _tracing is None:
        atexit.register(flush)
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # told as troubles; it would spoil a live display
    _tracing = _Tracing(telemetry, exporter)


def stop() -> None:
    """Send what waits, then nothing more."""
    global _tracing
    flush()
    _tracing = None


def flush(seconds: float = SEND_SECONDS) -> bool:
    """Send what waits, for at most so long; whether that was done."""
    return _tracing is None or _tracing.flush(seconds)


def troubles() -> list[str]:
    """What could not be sent since the last call."""
    found = _tracing.troubles if _tracing is not None else deque[str]()
    return [found.popleft() for _ in range(len(found))]


def on() -> bool:
    """Whether spans go anywhere."""
    return _tracing is not None


def span(
    name: str,
    attributes: Mapping[str, Value | None],
    *,
    kind: Kind = "internal",
    content: Mapping[str, Any] | None = None,
) -> AbstractContextManager[Span]:
    """A block of work as a span: within the one this thread is in, else within the study that runs.

    An exception that leaves it marks it as failed. `content` is only told where the configuration permits it.
    """
    return OFF if _tracing is None else _live_span(_tracing, name, kind, attributes, content or {})


def study_span(study: str, attributes: Mapping[str, Value | None]) -> AbstractContextManager[Span]:
    """The span of a study's run; what other threads do meanwhile belongs to it as well."""
    return OFF if _tracing is None else _live_study(_tracing, study, attributes)


def past_span(
    name: str, attributes: Mapping[str, Value | None], began: float, ended: float, error_type: str | None = None
) -> None:
    """A span of the running study whose times (seconds since 1970) are known already."""
    if _tracing is None:
        return
    at = round(began * 1e9)
    made = _tracing.tracer.start_span(name, context=_tracing.study_context, start_time=at, attributes=_told(attributes))
    if error_type:
        _mark_failed(made, error_type)
    made.end(round(ended * 1e9))


@contextmanager
def _live_span(
    tracing: _Tracing,
    name: str,
    kind: Kind,
    attributes: Mapping[str, Value | None],
    content: Mapping[str, Any],
) -> Iterator[Span]:
    from opentelemetry import trace

    inside = trace.get_current_span().get_span_context().is_valid
    context = None if inside else tracing.study_context
    kinds = {"internal": trace.SpanKind.INTERNAL, "client": trace.SpanKind.CLIENT}
    with tracing.tracer.start_as_current_span(
        name,
        context=context,
        kind=kinds[kind],
        attributes=_told(attributes),
        record_exception=False,  # its message may quote data
        set_status_on_exception=False,
    ) as made:
        live = _LiveSpan(made, tracing.telemetry.content)
        live.content(content)
        try:
            yield live
        except BaseException as error:
            live.failed(type(error).__name__)
            raise


@contextmanager
def _live_study(tracing: _Tracing, study: str, attributes: Mapping[str, Value | None]) -> Iterator[Span]:
    from opentelemetry import context

    told = {"tunewright.study": study, **attributes}
    with _live_span(tracing, f"study {study}", "internal", told, {}) as made:
        tracing.study_context = context.get_current()
        try:
            yield made
        finally:
            tracing.study_context = None


class _LiveSpan(Span):
    def __init__(self, made: Any, with_content: bool) -> None:
        self._made, self.with_content = made, with_content

    def set(self, attributes: Mapping[str, Value | None]) -> None:
        self._made.set_attributes(_told(attributes))

    def content(self, attributes: Mapping[str, Any]) -> None:
        if self.with_content:
            self._made.set_attributes({name: json.dumps(value, default=str) for name, value in attributes.items()})

    def failed(self, error_type: str) -> None:
        _mark_failed(self._made, error_type)


def _mark_failed(made: Any, error_type: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    made.set_attribute("error.type", error_type)
    made.set_status(Status(StatusCode.ERROR))


def _told(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in attributes.items() if value is not None}


def _exporter(place: str) -> Any:
    if place == "console":
        import sys

        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(out=sys.stderr)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    whole = place if place.rstrip("/").endswith("/v1/traces") else f"{place.rstrip('/')}/v1/traces"
    return OTLPSpanExporter(endpoint=whole, timeout=SEND_SECONDS)


def _told_failures(exporter: Any, troubles: deque[str]) -> Any:
    """`exporter`, whose failures are put down; the first of a row."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Told(SpanExporter):
        failing = False

        def export(self, spans: Any) -> Any:
            result = exporter.export(spans)
            failed = result is not SpanExportResult.SUCCESS
            if failed and not self.failing:
                troubles.append(f"{len(spans)} spans could not be sent; is the collector there?")
            self.failing = failed
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Told()
