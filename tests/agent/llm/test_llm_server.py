"""The planner against a server process that speaks the OpenAI protocol over a socket, well and badly."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.errors import PlannerFailed
from agent.llm.calls import LlmCall, LlmCapReached, LlmCaps, LlmEvent
from agent.llm.open import open_planner
from agent.llm.planner import Planner
from agent.llm.reply_json import without_limits
from prompts import Rendered
from tests.fakes.openai_server import Served, serve
from trainers.spec import Closed

SYSTEM = Rendered("role", "aa", "You answer.")
USER = Rendered("question", "bb", "How many?")
KEY = "canary-3f9a77c1d2"


class Answer(Closed):
    """What the tests ask for."""

    why: str
    n: int | None


GOOD = json.dumps({"why": "counted", "n": 3})


class Session:
    """A planner on a server, with everything it reports."""

    def __init__(self, served: Served, **options: Any) -> None:
        self.calls: list[LlmCall] = []
        self.events: list[LlmEvent] = []
        settings: dict[str, Any] = {
            "timeout_seconds": 10.0,
            "backoff_seconds": 0.01,
            "environ": {"TUNEWRIGHT_API_KEY": KEY},
        }
        planner = open_planner(
            f"{served.base_url}#m", on_call=self._store, on_event=self.events.append, **settings | options
        )
        assert planner is not None
        self.planner: Planner = planner

    def _store(self, call: LlmCall) -> int:
        self.calls.append(call)
        return len(self.calls)

    def ask(self) -> Answer:
        return self.planner.ask(SYSTEM, USER, Answer)

    @property
    def everything(self) -> str:
        return "\n".join([*(c.model_dump_json() for c in self.calls), *(e.model_dump_json() for e in self.events)])


def test_a_good_reply_is_typed_and_recorded(tmp_path: Path) -> None:
    """The answer is an instance of the schema, and the call's tokens, cost and text are recorded."""
    with serve(tmp_path, {"text": GOOD}) as served:
        session = Session(served)
        assert session.ask() == Answer(why="counted", n=3)
        (call,) = session.calls
        assert (call.prompt_name, call.prompt_tokens, call.completion_tokens, call.cost_usd) == (
            "role+question",
            100,
            20,
            0.0,
        )
        assert "How many?" in call.text
        assert call.reply == GOOD
        assert session.planner.last_call_id == 1


def test_the_schema_constrains_the_decoder(tmp_path: Path) -> None:
    """The server gets a strict JSON schema without references, and a limit on the reply."""
    with serve(tmp_path, {"text": GOOD}) as served:
        Session(served).ask()
        body = served.requests[0]["body"]
        form = body["response_format"]
        assert form["type"] == "json_schema"
        assert form["json_schema"]["strict"] is True
        assert form["json_schema"]["schema"]["required"] == ["why", "n"]
        assert form["json_schema"]["schema"]["additionalProperties"] is False
        assert "$ref" not in json.dumps(form)
        assert 0 < body["max_completion_tokens"] <= 8192


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"```json\n{GOOD}\n```", id="markdown fence"),
        pytest.param(f"Sure! Here it is: {GOOD} Anything else?", id="prose around it"),
        pytest.param(f'<think>{{"why": 1}} maybe</think>{GOOD}', id="thinking before it"),
    ],
)
def test_json_is_found_in_wrapped_replies(tmp_path: Path, text: str) -> None:
    """Fences, prose and thinking around the object cost no repair turn."""
    with serve(tmp_path, {"text": text}) as served:
        session = Session(served)
        assert session.ask().n == 3
        assert len(session.calls) == 1


def test_a_wrong_reply_is_shown_its_error_and_repaired(tmp_path: Path) -> None:
    """The repair turn holds the validation error, and both calls are charged."""
    with serve(tmp_path, {"text": '{"why": "x", "n": "many"}'}, {"text": GOOD}) as served:
        session = Session(served)
        assert session.ask().n == 3
        repair = served.requests[1]["body"]["messages"]
        assert [m["role"] for m in repair] == ["system", "user", "assistant", "user"]
        assert "n: Input should be a valid integer" in repair[-1]["content"]
        assert session.calls[0].error is not None
        assert session.planner.ledger.tokens_used == 240


def test_an_always_broken_model_fails_after_two_repairs(tmp_path: Path) -> None:
    """Three tries, then an error with the last problem and the next step."""
    with serve(tmp_path, {"text": "I cannot do that."}) as served:
        session = Session(served)
        with pytest.raises(PlannerFailed, match=r"no usable reply .* 3 tries.*no JSON object.*--llm embedded"):
            session.ask()
        assert len(served.requests) == 3
        assert session.planner.ledger.tokens_used == 360


def test_a_reply_cut_off_at_the_token_limit_is_charged_and_repaired(tmp_path: Path) -> None:
    """A truncated reply is a wrong reply, not a transport error."""
    with serve(tmp_path, {"text": GOOD[:9], "length": True}, {"text": GOOD}) as served:
        session = Session(served)
        assert session.ask().n == 3
        assert session.planner.ledger.tokens_used == 240


def test_a_huge_reply_is_refused_quickly(tmp_path: Path) -> None:
    """Three million characters are neither parsed nor stored whole."""
    with serve(tmp_path, {"repeat": "x{", "times": 1_500_000}) as served:
        session = Session(served)
        with pytest.raises(PlannerFailed, match="at most 200000 characters"):
            session.ask()
        assert max(len(call.reply) for call in session.calls) <= 200_000


@pytest.mark.parametrize(
    "step",
    [
        pytest.param({"status": 500}, id="500"),
        pytest.param({"status": 503}, id="503"),
        pytest.param({"status": 429}, id="429"),
        pytest.param({"hang_up": True}, id="connection closed"),
        pytest.param({"raw": "<html>proxy</html>"}, id="not the protocol"),
    ],
)
def test_a_passing_transport_error_is_retried_and_shown(tmp_path: Path, step: dict[str, Any]) -> None:
    """One failure costs one retry, recorded as a call with an error and as an event."""
    with serve(tmp_path, step, {"text": GOOD}) as served:
        session = Session(served)
        assert session.ask().n == 3
        assert [bool(call.error) for call in session.calls] == [True, False]
        assert [event.kind for event in session.events] == ["retry"]


def test_a_lasting_transport_error_opens_the_breaker(tmp_path: Path) -> None:
    """After three attempts the planner refuses at once, saying since when and why, without asking again."""
    with serve(tmp_path, {"status": 500, "body": "on fire"}) as served:
        session = Session(served)
        with pytest.raises(PlannerFailed, match=r"3 attempts.*on fire"):
            session.ask()
        with pytest.raises(PlannerFailed, match=r"not asked.*since \d\d:\d\d:\d\d.*on fire"):
            session.ask()
        assert len(served.requests) == 3
        assert [event.kind for event in session.events] == ["retry", "retry", "breaker_opened"]


@pytest.mark.parametrize(
    "step",
    [pytest.param({"sleep": 30, "text": GOOD}, id="late"), pytest.param({"drip": 30, "text": GOOD}, id="dripping")],
)
def test_the_time_limit_holds_for_the_whole_reply(tmp_path: Path, step: dict[str, Any]) -> None:
    """A reply that starts late or drips in is given up after the time limit."""
    with serve(tmp_path, step) as served:
        session = Session(served, timeout_seconds=0.4)
        with pytest.raises(PlannerFailed, match=r"3 attempts.*(no reply within 0\.4 s|[Tt]ime)"):
            session.ask()
        assert all(call.seconds < 3 for call in session.calls)


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "refuses access.*TUNEWRIGHT_API_KEY"), (403, "refuses access"), (404, "Check the model's name")],
)
def test_refused_access_is_not_retried(tmp_path: Path, status: int, message: str) -> None:
    """A wrong key or model is said clearly, once; later questions are refused without asking."""
    with serve(tmp_path, {"status": status, "body": "denied"}) as served:
        session = Session(served)
        with pytest.raises(PlannerFailed, match=message):
            session.ask()
        with pytest.raises(PlannerFailed, match="not asked"):
            session.ask()
        assert len(served.requests) == 1


def test_a_bad_request_fails_this_question_only(tmp_path: Path) -> None:
    """HTTP 400 (too long, say) is not retried and does not close the planner for the next question."""
    with serve(tmp_path, {"status": 400, "body": "context length exceeded"}, {"text": GOOD}) as served:
        session = Session(served)
        with pytest.raises(PlannerFailed, match="context length exceeded"):
            session.ask()
        assert session.ask().n == 3


def test_a_server_without_schemas_is_asked_in_words(tmp_path: Path) -> None:
    """Where response_format is refused, the schema goes into the prompt, and an event says so."""
    with serve(tmp_path, {"refuse_schema": True}, {"refuse_schema": True}, {"text": GOOD}) as served:
        session = Session(served)
        assert session.ask().n == 3
        session.ask()
        assert [event.kind for event in session.events] == ["decoding_unconstrained"] * 2
        last = served.requests[-1]["body"]
        assert "response_format" not in last
        assert '"required":["why","n"]' in last["messages"][0]["content"]
        assert len(served.requests) == 4


def test_the_key_is_sent_but_never_recorded(tmp_path: Path) -> None:
    """A server that echoes the key in replies and errors cannot get it into calls, events, errors or repr."""
    echoed = json.dumps({"why": f"your key is {KEY}", "n": 1})
    with serve(tmp_path, {"status": 500, "body": f"key {KEY}"}, {"text": f"{KEY}?"}, {"text": echoed}) as served:
        session = Session(served)
        session.ask()
        assert served.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"
        assert KEY not in session.everything
        assert KEY not in repr(session.planner)
        assert "[redacted]" in session.everything
    with serve(tmp_path, {"status": 401, "body": f"wrong key {KEY}"}) as served:
        with pytest.raises(PlannerFailed) as caught:
            Session(served).ask()
        assert KEY not in str(caught.value)


def test_the_openai_key_is_not_sent_to_other_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An http:// endpoint gets neither the key nor the organisation that the OpenAI SDK takes from the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "openai-canary-key")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-canary")
    with serve(tmp_path, {"text": GOOD}) as served:
        Session(served, environ={}).ask()
        assert "canary" not in json.dumps(served.requests[0]["headers"])


def test_the_token_cap_stops_before_the_call(tmp_path: Path) -> None:
    """The reply is limited to what the cap leaves; with too little left nothing is sent."""
    with serve(tmp_path, {"text": GOOD}) as served:
        session = Session(served, caps=LlmCaps(tokens=500))
        session.ask()
        assert served.requests[0]["body"]["max_completion_tokens"] <= 500
        session.ask()
        with pytest.raises(LlmCapReached, match="240 of 500 tokens"):
            session.ask()
        assert len(served.requests) == 2
        assert session.events[-1].kind == "cap_reached"


def test_the_dollar_cap_counts_wrong_replies_and_earlier_use(tmp_path: Path) -> None:
    """Replies that cannot be parsed cost too, and so does what was spent before a restart."""
    with serve(tmp_path, {"text": "no"}) as served:
        environ = {"TUNEWRIGHT_LLM_PRICE": "100/1000"}
        session = Session(served, environ=environ, caps=LlmCaps(usd=1.0, usd_used=0.68))
        with pytest.raises(LlmCapReached, match=r"of \$1 are used"):
            session.ask()
        assert session.planner.ledger.usd_used == pytest.approx(0.68 + 2 * 0.03)
        assert [call.cost_usd for call in session.calls] == [pytest.approx(0.03)] * 2


def test_a_call_that_times_out_is_charged_its_prompt(tmp_path: Path) -> None:
    """The server has read the prompt and may bill it, so it counts and is shown; a refused connection does not."""
    with serve(tmp_path, {"sleep": 3, "text": GOOD}) as served:
        session = Session(served, timeout_seconds=0.3)
        with pytest.raises(PlannerFailed, match="could not be reached"):
            session.ask()
        assert [call.completion_tokens for call in session.calls] == [0, 0, 0]
        assert all(call.prompt_tokens > 0 and "is counted as about" in str(call.error) for call in session.calls)
        assert session.planner.ledger.tokens_used == sum(call.prompt_tokens for call in session.calls)
    gone = Session(served, timeout_seconds=0.3)
    with pytest.raises(PlannerFailed):
        gone.ask()
    assert gone.planner.ledger.tokens_used == 0


def test_a_question_in_the_background_is_collected_later(tmp_path: Path) -> None:
    """Asking returns at once; calls are recorded on collection, by the thread that collects."""
    with serve(tmp_path, {"sleep": 0.5, "text": "no"}, {"text": GOOD}) as served:
        session = Session(served)
        asking = session.planner.start(SYSTEM, USER, Answer)
        assert not asking.done
        assert not session.calls
        assert asking.result().n == 3
        assert [bool(call.error) for call in session.calls] == [True, False]
        assert session.planner.last_call_id == 2


def test_limits_on_lengths_reach_servers_of_ones_own(tmp_path: Path) -> None:
    """A small model's grammar keeps them; hosted strict decoders would refuse them."""
    schema = {"title": "A", "type": "object", "properties": {"why": {"type": "string", "maxLength": 9}}}
    with serve(tmp_path, {"text": GOOD}) as served:
        Session(served).planner.ask(SYSTEM, USER, Answer, schema)
        sent = served.requests[0]["body"]["response_format"]["json_schema"]["schema"]
    assert sent["properties"]["why"]["maxLength"] == 9
    assert without_limits(schema)["properties"]["why"] == {"type": "string"}
