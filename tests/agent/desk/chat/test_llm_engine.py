"""An LLM behind a real server talks: tools, streaming, figures, what goes wrong with it, what it costs."""

import json
import time

import pytest

from agent.desk.chat.conversation import Conversation
from agent.desk.chat.llm_engine import LlmEngine
from agent.llm.vllm.server import close_servers
from tests.agent.desk.chat.conftest import READ_REQUEST, REQUEST, Talk, claims
from tests.fakes.vllm_environment import make_environment

PLAN = {"calls": [{"name": "plan_study", "arguments": {"request": REQUEST}}]}
START = {"calls": [{"name": "start_study", "arguments": {"plan_hash": "$plan_hash"}}]}
STATUS = {"calls": [{"name": "study_status", "arguments": {}}]}


def test_a_reply_comes_sentence_by_sentence(scripted):
    """Its pieces are sentences, whatever pieces the server sends."""
    talk = scripted({"text": "Hello there. I plan studies. What have you got?"})
    assert talk.say("hi") == "Hello there. I plan studies. What have you got?"
    assert [h.text for h in talk.happened if h.kind == "text"] == [
        "Hello there. ",
        "I plan studies. ",
        "What have you got?",
    ]
    [request] = talk.served.requests
    assert request["body"]["stream"] is True
    assert {t["function"]["name"] for t in request["body"]["tools"]} >= {"plan_study", "start_study", "study_status"}
    assert (
        request["body"]["max_tokens"] if "max_tokens" in request["body"] else request["body"]["max_completion_tokens"]
    )


def test_it_plans_and_asks_and_the_person_starts(scripted, desk):
    """The turn ends with the plan that waits; the yes is the person's and needs no LLM."""
    talk = scripted({"text": "I plan that.", **PLAN}, START, {"text": "never reached"}, reader=[READ_REQUEST])
    reply = talk.say(REQUEST)
    assert talk.tools == [("plan_study", True), ("start_study", True)]
    assert talk.kinds[-3:] == ["approval", "text", "done"]
    assert "Shall I start it?" in reply
    assert "never reached" not in reply
    assert desk.studies() == []
    calls = len(talk.served.requests)
    talk.say("yes")
    assert len(talk.served.requests) == calls
    assert [card.request for card in desk.studies()] == [REQUEST]


def test_values_the_person_did_not_say_are_marked_as_the_llms(scripted):
    """An LLM words the request it passes on; its own ideas are not quotes of the person."""
    worded = f"{REQUEST}, rank 64"
    reader = claims(
        ("intent", "classify", "train"),
        ("task", "classify", "classification"),
        ("data.train", "tickets.csv", "tickets.csv"),
        ("budget.trials", "3 trials", "3"),
        ("search.lora_rank", "rank 64", "64"),
    )
    talk = scripted(
        {"calls": [{"name": "plan_study", "arguments": {"request": worded}}]}, {"text": "Planned."}, reader=[reader]
    )
    talk.say(REQUEST)
    draft = talk.conversation.memory.draft
    assert {q.field for q in draft.quotes} >= {"budget.trials", "data.train"}
    assert "search.lora_rank" not in {q.field for q in draft.quotes}
    assert "put forward in the chat by the LLM" in draft.inferred["search.lora_rank"]


def test_figures_of_a_result_pass(scripted, finished):
    """Rounded or not."""
    talk = scripted(STATUS, {"text": "Study $study is done: 4 of 4 trials, best $score."})
    assert "study 1 is done: 4 of 4" in talk.say("how is it?").lower()
    assert "retracted" not in talk.kinds


def test_a_figure_from_nowhere_withdraws_the_reply_once(scripted, finished):
    """The LLM is told which, and answers again, with what the tools told before."""
    talk = scripted(STATUS, {"text": "It is done. It scored 0.99 on 777 rows."}, {"text": "Study $study is done."})
    assert talk.say("how is it?") == "Study 1 is done."
    assert talk.kinds.count("retracted") == 1
    said = talk.served.requests[-1]["body"]["messages"]
    assert "0.99" in said[-1]["content"]
    assert said[-2]["role"] == "assistant"
    assert [m["role"] for m in said].count("tool") == 1
    assert talk.conversation.turns()[-1].text == "Study 1 is done."


def test_a_second_figure_from_nowhere_brings_the_table(scripted, finished):
    """Of the tools that were called; nothing of what the LLM said is left."""
    talk = scripted(STATUS, {"text": "It scored 0.99."}, {"text": "Sorry, 0.98."})
    reply = talk.say("how is it?")
    assert talk.kinds.count("retracted") == 2
    assert "**Study 1** is done" in reply
    assert "0.99" not in reply
    assert "0.98" not in reply


def test_without_a_tool_call_the_status_takes_the_place(scripted, finished):
    """Figures from memory are none."""
    talk = scripted({"text": "The score is 0.9!"})
    assert "**Study 1** is done" in talk.say("and the score?")
    assert talk.tools == [("study_status", True)]


def test_it_does_not_go_round_in_circles(scripted, finished):
    """After eight rounds of tools their results are shown."""
    talk = scripted(STATUS)
    assert "round in circles" in talk.say("how is it?")
    assert len(talk.tools) == 8


def test_parallel_tool_calls_are_carried_out_one_after_another(scripted, finished):
    """All of them."""
    calls = [
        {"name": name, "arguments": {}} for name in ("study_status", "study_budget", "study_events", "compare_trials")
    ]
    talk = scripted({"calls": calls}, {"text": "Done."})
    assert talk.say("tell me everything") == "Done."
    assert [name for name, _ in talk.tools] == ["study_status", "study_budget", "study_events", "compare_trials"]


@pytest.mark.parametrize("broken", ["{not json", '{"study": 3', "[1]", ""])
def test_arguments_that_are_no_object_are_a_failed_call(scripted, finished, broken):
    """Which the LLM is told of; the turn goes on."""
    talk = scripted({"calls": [{"name": "study_status", "arguments": broken}]}, {"text": "Never mind."})
    assert talk.say("how is it?").endswith("Never mind.")
    assert talk.conversation.pending is None


TROUBLES = [
    ({"status": 500, "body": "boom"}, "did not answer", "llm_unreachable"),
    ({"status": 429, "body": "slow down"}, "rate limit", "llm_unreachable"),
    ({"status": 401, "body": "who are you"}, "refuses access", "llm_refuses"),
    ({"status": 404, "body": "no model"}, "is not there", "llm_refuses"),
    ({"hang_up": True}, "did not answer", "llm_unreachable"),
    ({"raw": "hello"}, "did not answer", "llm_unreachable"),
    ({"refuse_tools": True}, "does not call tools", "llm_without_tools"),
]


@pytest.mark.parametrize(("step", "told", "code"), TROUBLES)
def test_trouble_with_the_llm_is_said_and_the_conversation_goes_on(scripted, step, told, code):
    """With the rules offered; the next turn is a new chance."""
    talk = scripted(step, {"text": "I am back."})
    reply = talk.say("hi")
    assert told in reply
    assert "embedded" in reply
    assert talk.happened[-1].problem.code == code
    assert talk.say("hi again") == "I am back."
    talk.conversation.switch("embedded")
    assert "I plan, run and explain" in talk.say("help")


def test_a_stream_that_breaks_off_is_marked(scripted):
    """What came stays."""
    talk = scripted({"text": "The first is whole. The second is not", "broken": True})
    reply = talk.say("hi")
    assert reply.startswith("The first is whole. ")
    assert reply.endswith("(The reply broke off here.)")


def test_an_empty_reply_is_told(scripted, finished):
    """With what there is."""
    talk = scripted({"text": ""})
    assert "no reply" in talk.say("how is it?")


class Impatient(Conversation):
    """Gives a model half a second."""

    def _engine(self, llm):
        return LlmEngine(stall_seconds=0.5)


class Thrifty(Conversation):
    """Gives a model five hundred tokens."""

    def _engine(self, llm):
        return LlmEngine(max_tokens=500)


def test_a_server_that_stalls_is_given_up(scripted):
    """The person gets the line back."""
    talk = scripted({"sleep": 30, "text": "late"}, kind=Impatient)
    began = time.monotonic()
    assert "has not answered" in talk.say("hi")
    assert time.monotonic() - began < 10


def test_a_reply_can_be_stopped(scripted):
    """At once, while the server still sends; the next turn starts afresh."""
    talk = scripted({"text": "One. Two. Three. Four. Five. Six. " * 20, "pause": 0.2}, {"text": "Fresh."})
    happenings = talk.conversation.say("count")
    began = time.monotonic()
    assert next(happenings).kind == "text"
    happenings.close()
    assert time.monotonic() - began < 10
    assert talk.say("and now?") == "Fresh."


def test_every_call_is_in_the_log_with_its_cost(scripted, desk, monkeypatch):
    """Prompt, text, reply, tokens, dollars; and the conversation counts them."""
    monkeypatch.setenv("TUNEWRIGHT_LLM_PRICE", "10/100")
    talk = scripted({"text": "Hello."})
    talk.say("hi")
    [call] = desk.store.llm_calls()
    assert (call["prompt_name"], call["prompt_tokens"], call["completion_tokens"]) == ("chat_system", 100, 20)
    assert call["cost_usd"] == pytest.approx(0.003)
    assert "Hello." in call["reply"]
    assert "[human]\nhi" in call["text"]
    assert talk.conversation.memory.tokens_used == 120
    assert "120 LLM tokens" in talk.do("study_budget")


def test_a_reply_that_was_withdrawn_is_paid_for(scripted, desk, finished):
    """What came of it counts, beside the reply that took its place."""
    talk = scripted({"text": "It scored 0.99."}, {"text": "I do not know."})
    talk.say("how is it?")
    tokens = [call["prompt_tokens"] + call["completion_tokens"] for call in desk.store.llm_calls()]
    assert len(tokens) == 2
    assert talk.conversation.memory.tokens_used == sum(tokens) > 0


def test_the_cap_on_tokens_ends_the_llm_not_the_conversation(scripted):
    """Nothing is sent any more; the rules go on."""
    talk = scripted({"text": "Hello."}, kind=Thrifty)
    assert "0 of 500 LLM tokens" in talk.say("hi")
    assert talk.served.requests == []
    assert talk.happened[-1].problem.code == "llm_cap_reached"


def test_keys_are_in_no_log_and_no_turn(scripted, desk, monkeypatch, tmp_path):
    """Also when the person pastes one, or the server echoes it."""
    secret = "canary-0123456789abcdef"
    monkeypatch.setenv("TUNEWRIGHT_API_KEY", secret)
    talk = scripted({"status": 400, "body": f"bad key {secret}"}, {"text": f"Your key is {secret}."})
    talk.say("hi")
    talk.say(f"my key is {secret}")
    headers = {name.lower(): value for name, value in talk.served.requests[0]["headers"].items()}
    assert headers["authorization"] == f"Bearer {secret}"
    assert secret not in str([h.model_dump() for h in talk.happened])
    kept = [*(str(dict(call)) for call in desk.store.llm_calls()), *(str(turn) for turn in talk.conversation.turns())]
    assert [text for text in kept if secret in text] == []
    assert "[redacted]" in kept[-2]


def test_old_results_are_not_sent_again(scripted, finished):
    """What was said is; what tools told may be out of date."""
    talk = scripted(STATUS, {"text": "It is done."}, {"text": "Good."})
    talk.say("how is it?")
    talk.say("fine")
    messages = talk.served.requests[-1]["body"]["messages"]
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user"]
    assert "- study it is about: none yet" in messages[0]["content"]


def test_a_vllm_server_of_ours_reads_tool_calls(desk, tmp_path, monkeypatch):
    """It is started with the parser of the model's family; the key is its own."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"model_type": "qwen3", "max_position_embeddings": 4096}))
    (model / "model.safetensors").touch()
    environment = make_environment(tmp_path / "vllm", STATUS, {"text": "Nothing yet."})
    monkeypatch.setenv("TUNEWRIGHT_VLLM_PYTHON", str(environment.python))
    try:
        talk = Talk(Conversation(desk, llm=f"vllm:{model}"))
        assert talk.say("how is it?") == "Nothing yet."
    finally:
        close_servers()
    [start] = environment.starts
    assert start["argv"][start["argv"].index("--tool-call-parser") + 1] == "hermes"
    assert "--enable-auto-tool-choice" in start["argv"]
    assert talk.tools == [("study_status", False)]
    assert start["environ"]["VLLM_API_KEY"] not in str([dict(call) for call in desk.store.llm_calls()])


def test_the_llm_of_a_conversation_is_remembered(scripted, desk):
    """Opened again without a name, the same one answers."""
    talk = scripted({"text": "Hello."})
    talk.say("hi")
    again = Talk(Conversation(desk, talk.conversation.conversation_id))
    assert again.conversation.llm == talk.conversation.llm
    assert again.say("hi") == "Hello."


@pytest.mark.parametrize("llm", ["hf:some/model", "openai:gpt-x", "anthropic:claude-x"])
def test_what_cannot_be_opened_is_told_with_the_next_step(desk, llm):
    """No tool calls, or no key."""
    talk = Talk(Conversation(desk, llm=llm))
    assert "embedded" in talk.say("hi")
    assert talk.happened[-1].problem is not None
