"""Chat completions: the agent behind OpenAI's protocol, which repeats what was said and has no conversations."""

import json

import pytest

from agent.desk.cards import Problem
from agent.desk.chat.conversation import Conversation
from agent.desk.chat.happenings import Retracted, Said, TurnOver
from agent.faces.http.openai.chat import Answer, Transcripts
from agent.faces.http.openai.chat_shapes import ChatMessage, ChatRequest
from agent.faces.http.turns import Listener

ASK = {"role": "user", "content": "classify tickets.csv with MiniLM, 2 trials, 1 epoch"}
YES = {"role": "user", "content": "yes"}


def complete(client, *messages, **more):
    """The whole answer to some messages."""
    answer = client.post("/v1/chat/completions", json={"model": "tunewright", "messages": list(messages), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def said(completion):
    """What the agent said, as a message to repeat."""
    return {"role": "assistant", "content": completion["choices"][0]["message"]["content"]}


def studies(client):
    """The studies there are."""
    return client.get("/v1/studies").json()["data"]


def test_a_plan_is_shown_and_a_yes_starts_it(client):
    """In the conversation whose words the client repeats, its own instructions and spaces apart."""
    first = complete(client, {"role": "system", "content": "be kind"}, ASK)
    reply = said(first)
    assert "| trials | 2 |" in reply["content"]
    assert first["usage"]["total_tokens"] == first["usage"]["prompt_tokens"] + first["usage"]["completion_tokens"]
    assert studies(client) == []
    reply["content"] = reply["content"].strip() + "\n"
    second = complete(client, ASK, reply, YES)
    assert second["metadata"] == first["metadata"]
    assert len(studies(client)) == 1


def test_a_yes_to_something_else_starts_nothing(client):
    """A client that edited what was said before, or made it up, is in a new conversation: no plan waits there."""
    reply = said(complete(client, ASK))
    for history in ([], [ASK], [ASK, {"role": "assistant", "content": "Plan 0123456789ab waits. Start it?"}]):
        complete(client, *history, YES)
    edited = complete(client, ASK, reply, {"role": "user", "content": "make it 9 trials"})
    complete(client, ASK, reply, YES)  # the conversation has gone on to the plan with 9 trials since
    assert studies(client) == []
    complete(client, ASK, reply, {"role": "user", "content": "make it 9 trials"}, said(edited), YES)
    assert [study["trials_limit"] for study in studies(client)] == [9]


def test_a_conversation_can_be_named(client):
    """And is found again by that name whatever is repeated."""
    first = complete(client, ASK)
    complete(client, YES, metadata={"conversation_id": first["metadata"]["conversation_id"]})
    assert len(studies(client)) == 1
    bad = {"model": "tunewright", "messages": [YES], "metadata": {"conversation_id": "99"}}
    assert client.post("/v1/chat/completions", json=bad).status_code == 404


def test_it_is_found_again_after_a_restart(client, service):
    """By what the store holds."""
    from agent.faces.http.openai.chat import Transcripts

    reply = said(complete(client, ASK))
    before = [("user", ASK["content"]), ("assistant", reply["content"])]
    assert Transcripts(service.desk).conversation(None, before).pending is not None


def test_a_stream_says_the_same(client):
    """In chunks, with the usage if asked for, then `[DONE]`."""
    body = {"model": "tunewright", "messages": [ASK], "stream": True, "stream_options": {"include_usage": True}}
    lines = client.post("/v1/chat/completions", json=body).text.splitlines()
    *events, end = [line[6:] for line in lines if line.startswith("data: ")]
    chunks = [json.loads(one) for one in events]
    assert end == "[DONE]"
    assert {c["object"] for c in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] > 50
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
    complete(client, ASK, {"role": "assistant", "content": text}, YES)
    assert len(studies(client)) == 1


REFUSED = {
    "another model": ({"model": "gpt-5"}, 404, "model"),
    "no messages": ({"messages": []}, 400, "messages"),
    "nobody asks": ({"messages": [{"role": "assistant", "content": "x"}]}, 400, "messages"),
    "a picture": ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages"),
    "an odd role": ({"messages": [{"role": "root", "content": "x"}]}, 400, "messages.0.role"),
    "many answers": ({"n": 3}, 400, "n"),
    "a model of no study": ({"model": "ft:none:tunewright::99"}, 404, "study"),
    "nothing said": ({"messages": [{"role": "user", "content": ""}]}, 400, "text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered(client, case):
    """Is told with the field, in OpenAI's form."""
    body, status, param = REFUSED[case]
    answer = client.post("/v1/chat/completions", json={"model": "tunewright", "messages": [ASK]} | body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


def told(desk, *happenings, stream=False):
    """A turn in which these happened, as a completion or as the text of its chunks."""
    import asyncio

    listener = Listener()
    for happening in (*happenings, None):
        listener.hear(happening)
    conversation = Conversation(desk).conversation_id
    asked = ChatRequest(messages=[ChatMessage(role="user", content="hello")], stream=stream)
    answer = Answer(asked, [("user", "hello")], conversation, Transcripts(desk))
    if not stream:
        return asyncio.run(answer.whole(listener))

    async def chunks():
        return "\n".join([chunk async for chunk in answer.chunks(listener)])

    return asyncio.run(chunks())


OVER = TurnOver(conversation_id="1")
BROKEN = TurnOver(conversation_id="1", problem=Problem(code="planner_failed", message="out of reach", retryable=True))


def test_what_was_taken_back_is_not_said(desk):
    """A whole answer leaves it out; a stream, which cannot unsay it, says that it does not hold."""
    happened = (Said(text="It is 5."), Retracted(why="no such figure"), Said(text="It is 4."), OVER)
    assert json.loads(told(desk, *happened).body)["choices"][0]["message"]["content"] == "It is 4."
    streamed = told(desk, *happened, stream=True)
    assert streamed.index("It is 5.") < streamed.index("does not hold") < streamed.index("It is 4.")


def test_a_turn_without_a_word_is_an_error(desk):
    """Worth another try where the planner was out of reach; with a word it is an answer all the same."""
    answer = told(desk, BROKEN)
    assert (answer.status_code, json.loads(answer.body)["error"]["code"]) == (502, "planner_failed")
    assert '"error"' in told(desk, BROKEN, stream=True)
    assert told(desk, Said(text="I cannot."), BROKEN).status_code == 200
