"""Spellings, prices, caps and the planner's own rules, without a server."""

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import PlannerFailed
from agent.llm.calls import LlmCall, LlmCaps, LlmEvent, Price, price_of, redacted, secrets_of
from agent.llm.messages import AccessError, TransportError
from agent.llm.name import parse_llm
from agent.llm.open import open_planner
from agent.llm.planner import Planner
from agent.llm.reply_json import extract_json, inlined_schema
from agent.request.llm_reader import Reading
from prompts import Rendered
from tests.fakes.scripted_chat import ScriptedChat
from trainers.errors import InputError
from trainers.spec import Closed


class Number(Closed):
    """What the tests ask for."""

    n: int


ONE = Rendered("one", "1", "one")


@pytest.mark.parametrize(
    ("spelling", "kind", "model", "base_url"),
    [
        ("embedded", "embedded", "", None),
        ("openai:gpt-5.5", "openai", "gpt-5.5", None),
        ("anthropic:claude-x", "anthropic", "claude-x", None),
        ("hf:Qwen/Qwen3-0.6B", "hf", "Qwen/Qwen3-0.6B", None),
        ("hf:/models/a b".replace(" ", "_"), "hf", "/models/a_b", None),
        ("http://localhost:8000/v1#Qwen/Qwen3:8b", "http", "Qwen/Qwen3:8b", "http://localhost:8000/v1"),
        ("https://llm.example/v1/#m", "http", "m", "https://llm.example/v1"),
        ("vllm:Qwen/Qwen3-8B", "vllm", "Qwen/Qwen3-8B", None),
        ("ollama:llama3:8b", "langchain", "llama3:8b", None),
    ],
)
def test_every_spelling_is_understood(spelling: str, kind: str, model: str, base_url: str | None) -> None:
    """Kind, model and address are read from one string."""
    name = parse_llm(spelling)
    assert (name.kind, name.model, name.base_url) == (kind, model, base_url)


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ("gpt-5", "must be one of embedded, openai:MODEL"),
        ("", "must be one of"),
        ("openai:", "must be one of"),
        ("openai:a b", "must be one of"),
        ("http://localhost:8000/v1", "http://HOST:PORT/v1#MODEL"),
        ("http://#m", "http://HOST:PORT/v1#MODEL"),
        ("http://h:99999/v1#m", "must be valid"),
        ("http://user:secret@h/v1#m", "must not hold a user name"),
        ("http://h/v1?key=secret#m", "must not hold"),
    ],
)
def test_a_bad_spelling_is_refused_with_the_list(spelling: str, message: str) -> None:
    """The error says what is allowed, and never repeats a password."""
    with pytest.raises(InputError, match=message) as caught:
        parse_llm(spelling)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("spelling", "variable"), [("openai:m", "OPENAI_API_KEY"), ("anthropic:m", "ANTHROPIC_API_KEY")]
)
def test_a_missing_key_is_named(spelling: str, variable: str) -> None:
    """Opening says which environment variable to set."""
    with pytest.raises(InputError, match=variable):
        open_planner(spelling, environ={})


def test_embedded_needs_no_planner() -> None:
    """The rules serve; there is nothing to open."""
    assert open_planner("embedded", environ={}) is None


def test_a_dollar_cap_needs_a_price() -> None:
    """A cap that could not be kept is refused before anything is spent; a server of one's own is free."""
    caps = LlmCaps(usd=1.0)
    with pytest.raises(InputError, match="TUNEWRIGHT_LLM_PRICE"):
        open_planner("openai:m", caps=caps, environ={"OPENAI_API_KEY": "k" * 20})
    assert open_planner("http://127.0.0.1:1/v1#m", caps=caps, environ={}) is not None
    assert open_planner(
        "anthropic:m", caps=caps, environ={"ANTHROPIC_API_KEY": "k" * 20, "TUNEWRIGHT_LLM_PRICE": "3/15"}
    )


def test_an_unknown_provider_is_an_input_error() -> None:
    """LangChain's own refusal comes back as ours."""
    with pytest.raises(InputError, match="nobody:m cannot be opened"):
        open_planner("nobody:m", environ={})


@pytest.mark.parametrize("text", ["3", "a/b", "1/2/3", "-1/2"])
def test_a_bad_price_is_refused(text: str) -> None:
    """The price must be two numbers."""
    with pytest.raises(InputError, match="PROMPT/COMPLETION"):
        price_of(False, {"TUNEWRIGHT_LLM_PRICE": text})


def test_secrets_are_found_by_name_and_shape() -> None:
    """Every variable that looks like a secret is blotted out, and so are things that look like keys."""
    secrets = secrets_of(
        {"MY_API_KEY": "abcdefgh", "GITHUB_TOKEN": "abcdefghij", "HOME": "/home/user", "X_KEY": "short"}
    )
    assert secrets == ("abcdefghij", "abcdefgh")
    assert redacted("a abcdefghij b abcdefgh sk-proj_12345678 /home/user", secrets) == (
        "a [redacted] b [redacted] [redacted] /home/user"
    )


def test_access_errors_close_the_planner_for_good() -> None:
    """A missing model is tried once."""
    chat = ScriptedChat(AccessError("no such model"))
    planner = Planner(chat, "m")
    for _ in range(3):
        with pytest.raises(PlannerFailed, match="no such model"):
            planner.ask(ONE, ONE, Number)
    assert len(chat.asked) == 1


def test_the_breaker_lets_a_question_through_after_its_pause() -> None:
    """A server that comes back is used again."""
    down = TransportError("down")
    planner = Planner(ScriptedChat(down, down, down, '{"n": 1}'), "m", backoff_seconds=0.0, breaker_seconds=0.0)
    with pytest.raises(PlannerFailed, match="down"):
        planner.ask(ONE, ONE, Number)
    assert planner.ask(ONE, ONE, Number).n == 1


def test_a_cap_of_zero_means_no_call() -> None:
    """Nothing is sent, and the user sees why."""
    chat, events = ScriptedChat('{"n": 1}'), list[LlmEvent]()
    planner = Planner(chat, "m", caps=LlmCaps(usd=0.0), price=Price(prompt=1, completion=1), on_event=events.append)
    with pytest.raises(PlannerFailed, match="cap is reached"):
        planner.ask(ONE, ONE, Number)
    assert not chat.asked
    assert events[0].kind == "cap_reached"


def test_a_call_that_cannot_be_recorded_is_the_last() -> None:
    """The error of whoever keeps the records is raised, and nothing more is asked."""
    chat = ScriptedChat("no", "no", '{"n": 1}')

    def full(call: LlmCall) -> None:
        raise OSError("disk full")

    planner = Planner(chat, "m", on_call=full)
    with pytest.raises(OSError, match="disk full"):
        planner.ask(ONE, ONE, Number)
    n_asked = len(chat.asked)
    time.sleep(0.05)
    assert len(chat.asked) == n_asked <= 3


@given(st.text() | st.text(alphabet='{}[]",:0123456789aeE+-. '))
def test_any_reply_gives_an_object_or_a_value_error(text: str) -> None:
    """Garbage of any kind never raises anything else."""
    with suppress(ValueError):
        assert isinstance(extract_json(text), dict)


@pytest.mark.parametrize("text", ['{"a":' * 100_000 + "1", "{" * 150_000, '{"n": ' + "9" * 10_000 + "}"])
def test_json_bombs_are_value_errors(text: str) -> None:
    """Deep nesting and endless numbers are refused, not crashed on."""
    with pytest.raises(ValueError, match=r".+"):
        extract_json(text[:199_999])


def test_schemas_suit_strict_decoders() -> None:
    """No references or defaults, every key required, unknown keys forbidden, at every level."""
    text = json.dumps(inlined_schema(Reading))
    assert "$ref" not in text
    assert '"default"' not in text

    def check(node: object) -> None:
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node["required"] == list(node["properties"])
                assert node["additionalProperties"] is False
            for part in node.values():
                check(part)
        elif isinstance(node, list):
            for part in node:
                check(part)

    check(json.loads(text))


def test_a_transformers_model_is_asked_in_process(tmp_path: Path) -> None:
    """A tiny random chat model is loaded, asked and repaired; its nonsense ends in a clear error."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.trainers.conftest import byte_tokenizer

    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    tokenizer.save_pretrained(tmp_path)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32768,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    calls = []
    planner = open_planner(
        f"hf:{tmp_path}", on_call=calls.append, environ={}, caps=LlmCaps(tokens=200_000), timeout_seconds=0.3
    )
    assert planner is not None
    with pytest.raises(PlannerFailed, match="no usable reply"):
        planner.ask(ONE, ONE, Number)
    assert len(calls) == 3
    assert all(call.completion_tokens > 0 and call.cost_usd == 0.0 for call in calls)


def test_a_transformers_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    """An empty directory is no model."""
    planner = open_planner(f"hf:{tmp_path}", environ={})
    assert planner is not None
    with pytest.raises(PlannerFailed, match="cannot be opened"):
        planner.ask(ONE, ONE, Number)


@pytest.mark.parametrize(
    ("spelling", "local"),
    [
        ("http://127.0.0.1:8000/v1#m", True),
        ("http://[::1]:8000/v1#m", True),
        ("http://10.1.2.3/v1#m", True),
        ("http://gpu-box:8000/v1#m", True),
        ("https://llm.example/v1#m", False),
        ("https://8.8.8.8/v1#m", False),
        ("openai:m", False),
        ("hf:m", True),
        ("vllm:m", True),
    ],
)
def test_only_servers_of_ones_own_are_free(spelling: str, local: bool) -> None:
    """A hosted endpoint without a known price must not pass for free: a cap in dollars would never be reached."""
    assert parse_llm(spelling).local is local
