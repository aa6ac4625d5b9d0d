"""Traces: nothing while they are off; conventional names, no content unless asked for, one tree a study when on."""

import json
import subprocess
import sys

import pytest
from pydantic import BaseModel

from agent.llm import traces
from agent.llm.messages import TransportError
from agent.llm.planner import Planner
from agent.settings import Telemetry
from prompts import render
from tests.fakes.receiver import Receiver
from tests.fakes.scripted_chat import ScriptedChat

trace_sdk = pytest.importorskip("opentelemetry.sdk.trace.export", reason="pip install 'tunewright[otel]'")


class Answer(BaseModel):
    """What the scripted model is asked for."""

    n: int


@pytest.fixture
def exported():
    """`exported(content=...)` switches traces on, into memory; called again it gives the spans so far, by name (or
    all of them in order)."""
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory, started = InMemorySpanExporter(), []

    def spans(everything=False, **telemetry):
        if not started:
            started.append(telemetry)
            traces.start(Telemetry(otlp="http://127.0.0.1:1", **telemetry), memory)
            return {}
        traces.flush()
        found = memory.get_finished_spans()
        return found if everything else {span.name: span for span in found}

    yield spans
    traces.stop()


def ask(*replies, model="openai:gpt-9"):
    """Ask a scripted model for an `Answer`."""
    planner = Planner(ScriptedChat(*replies), model, secrets=("canary-31",), backoff_seconds=0.0)
    system, user = render("repair", problem="canary-31 is a secret", schema=""), render("json_only", schema="{}")
    return planner.ask(system, user, Answer)


def test_while_they_are_off_spans_record_nothing():
    """OpenTelemetry's own that do nothing; its SDK is not even imported."""
    code = (
        "import sys\n"
        "from agent.llm import traces\n"
        "import agent.llm.planner, agent.report.watching\n"
        "with traces.span('x', {}) as a, traces.llm_span('m', 'p') as b, traces.tool_span('t', '1', {}) as c,"
        " traces.study_span('1', {}) as d:\n"
        "    assert not any(s.is_recording() for s in (a, b, c, d))\n"
        "    traces.replied(b, 1, None); traces.content(b, [('user', 'x')], 'y'); traces.failed(c, 'E')\n"
        "traces.past_span('x', {}, 0.0, 1.0)\n"
        "assert traces.flush() and traces.trouble() is None\n"
        "print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_llm_call_has_the_conventional_names(exported):
    """Model, provider, tokens and the prompt's name; no text."""
    exported()
    assert ask('{"n": 1}').n == 1
    span = exported()["chat gpt-9"]
    assert span.kind.name == "CLIENT"
    told = dict(span.attributes)
    assert told.pop("gen_ai.usage.input_tokens") > 0
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-9",
        "gen_ai.request.max_tokens": 8192,
        "gen_ai.prompt.name": "repair+json_only",
        "gen_ai.output.type": "json",
        "gen_ai.usage.output_tokens": 2,
    }


def test_content_is_told_only_where_asked_for_and_without_secrets(exported):
    """With `content = true` prompt and reply are there as messages."""
    exported(content=True)
    ask('{"n": 1}')
    told = exported()["chat gpt-9"].attributes
    sent = json.loads(told["gen_ai.input.messages"])
    assert [message["role"] for message in sent] == ["system", "user"]
    assert "[redacted] is a secret" in sent[0]["parts"][0]["content"]
    assert json.loads(told["gen_ai.output.messages"])[0]["parts"][0]["content"] == '{"n": 1}'
    assert "canary-31" not in json.dumps(dict(told))


def test_every_attempt_at_a_reply_is_a_span_and_a_failed_one_says_how(exported):
    """Only the kind of error is told: its message may quote anything."""
    from opentelemetry.trace import StatusCode

    exported()
    assert ask(TransportError("canary-31 and more"), '{"n": 1}', model="http://box:8000/v1#tiny").n == 1
    failed, found = exported(everything=True)
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "TransportError"
    assert "canary-31" not in failed.to_json()
    assert found.attributes["server.address"] == "box"
    assert found.attributes["server.port"] == 8000
    assert found.attributes["gen_ai.provider.name"] == "openai_compatible"
    assert found.status.status_code is StatusCode.UNSET


def test_an_exception_marks_the_span_with_its_kind_alone(exported):
    """Neither message nor traceback."""
    from opentelemetry.trace import StatusCode

    exported()
    with pytest.raises(ValueError, match="row 12"), traces.span("work", {}):
        raise ValueError("row 12 of the data")
    span = exported()["work"]
    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes) == {"error.type": "ValueError"}
    assert span.events == ()


def test_a_tool_call_has_the_conventional_names(exported):
    """Its arguments are content."""
    exported()
    with traces.tool_span("plan_study", "call-1", {"request": "my words"}):
        pass
    told = dict(exported()["execute_tool plan_study"].attributes)
    assert told == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "plan_study",
        "gen_ai.tool.call.id": "call-1",
    }


def test_arguments_of_tools_are_told_where_asked_for(exported):
    """With `content = true`."""
    exported(content=True)
    with traces.tool_span("plan_study", "call-1", {"request": "my words"}):
        pass
    told = exported()["execute_tool plan_study"].attributes["gen_ai.tool.call.arguments"]
    assert json.loads(told) == {"request": "my words"}


def test_telemetry_without_its_package_is_refused_with_what_to_install():
    """Before there is a study."""
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from agent.llm import traces\n"
        "from agent.settings import Telemetry\n"
        "traces.require(Telemetry(otlp='console'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'tunewright[otel]'" in done.stderr


def test_a_collector_gets_the_spans_over_http():
    """As OTLP, at the path of the protocol."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    with Receiver().serving() as there:
        try:
            traces.use(Telemetry(otlp=there.url))
            with traces.span("work", {"tunewright.trial": 3}):
                pass
            assert traces.flush()
        finally:
            traces.stop()
    ((path, headers, body),) = there.got
    assert (path, headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    assert {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"] == "tunewright"
    (span,) = resource.scope_spans[0].spans
    assert (span.name, span.attributes[0].key, span.attributes[0].value.int_value) == ("work", "tunewright.trial", 3)


def test_use_refuses_nothing_when_traces_are_off():
    """The default configuration."""
    traces.use(Telemetry())
    with traces.span("work", {}) as span:
        assert not span.is_recording()
