"""Conversations over HTTP: streams of happenings, approval bound to the hash, one turn at a time."""

import asyncio
import json
import threading

import pytest

from agent.faces.http.problems import TurnRunning
from agent.faces.http.turns import Turns

SAID = {"text": "classify tickets.csv with MiniLM, 2 trials, 1 epoch"}


@pytest.fixture
def conversation(client):
    """The path of a new conversation."""
    return f"/v1/conversations/{client.post('/v1/conversations', json={}).json()['conversation_id']}"


def happenings(answer):
    """The happenings of a stream."""
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


def test_a_plan_is_talked_about_and_approved(client, conversation):
    """The plan waits until its hash is approved; what was said is kept."""
    said = happenings(client.post(f"{conversation}/messages", json=SAID))
    plan = next(h for h in said if h["kind"] == "approval")["plan_hash"]
    assert (said[-1]["kind"], said[-1]["conversation_id"]) == ("done", conversation.rpartition("/")[2])
    whole = client.get(conversation).json()
    assert whole["pending"]["plan_hash"] == plan
    assert whole["turns"][0]["text"] == SAID["text"]
    started = happenings(client.post(f"{conversation}/approve", json={"plan_hash": plan}))
    assert next(h for h in started if h["kind"] == "study_started")["study"]["plan_hash"] == plan
    assert client.get(conversation).json()["pending"] is None
    assert client.get("/v1/conversations").json()["data"][0]["title"].startswith("classify tickets.csv")


def test_another_plan_cannot_be_approved(client, conversation):
    """Only the one that waits; nothing starts."""
    happenings(client.post(f"{conversation}/messages", json=SAID))
    for given in ("0" * 64, "x"):
        answer = client.post(f"{conversation}/approve", json={"plan_hash": given})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "plan_hash")
    assert client.get("/v1/studies").json()["data"] == []


def test_a_declined_plan_waits_no_more(client, conversation):
    """And nothing was started."""
    said = happenings(client.post(f"{conversation}/messages", json=SAID))
    plan = next(h for h in said if h["kind"] == "approval")["plan_hash"]
    happenings(client.post(f"{conversation}/decline", json={"plan_hash": plan}))
    assert client.get(conversation).json()["pending"] is None
    assert client.post(f"{conversation}/approve", json={"plan_hash": plan}).status_code == 400
    assert client.get("/v1/studies").json()["data"] == []


def test_the_face_is_that_of_who_asks(client, service, stranger):
    """A browser's study is the web page's."""
    stranger.cookies.set(service.cookie_name, service.access.cookie)
    path = f"/v1/conversations/{stranger.post('/v1/conversations', json={}).json()['conversation_id']}"
    said = happenings(stranger.post(f"{path}/messages", json=SAID))
    plan = next(h for h in said if h["kind"] == "approval")["plan_hash"]
    happenings(stranger.post(f"{path}/approve", json={"plan_hash": plan}))
    assert service.desk.store.submission(study_id="1").face == "web"


@pytest.mark.parametrize("which", ["99", "x", "-1", "1 OR 1=1", "9" * 20])
def test_conversations_that_are_not_there(client, which):
    """404, for reading and for speaking."""
    assert client.get(f"/v1/conversations/{which}").status_code == 404
    assert client.post(f"/v1/conversations/{which}/messages", json=SAID).status_code == 404


@pytest.mark.parametrize("body", [{"text": ""}, {"text": "   "}, {"text": "x" * 20_001}, {}, {"text": 1}])
def test_nothing_and_too_much_are_refused(client, conversation, body):
    """Before anything is stored."""
    assert client.post(f"{conversation}/messages", json=body).status_code == 400
    assert client.get(conversation).json()["turns"] == []


class Slow:
    """A conversation whose reply takes until it is told to end."""

    conversation_id = "7"

    def __init__(self):
        self.go_on, self.ended = threading.Event(), threading.Event()

    def reply(self):
        """Two happenings with a wait in between."""
        yield "first"
        self.go_on.wait(10)
        yield "second"
        self.ended.set()


def heard(listener):
    """All that a listener gets."""

    async def pieces():
        return [piece async for piece in listener.pieces()]

    return asyncio.run(pieces())


def test_one_turn_at_a_time(service):
    """A second message is refused until the first is answered; then it may be said."""
    turns, slow = Turns(service), Slow()
    listener = turns.start(slow, Slow.reply)
    with pytest.raises(TurnRunning, match="is answering"):
        turns.start(slow, Slow.reply)
    slow.go_on.set()
    assert heard(listener) == ["first", "second"]
    assert not turns.running("7")
    assert heard(turns.start(slow, Slow.reply)) == ["first", "second"]


def test_nobody_listening_does_not_stop_a_turn(service):
    """A page that is closed in the middle of a reply finds it complete later."""
    turns, slow = Turns(service), Slow()
    turns.start(slow, Slow.reply)  # and the listener is dropped
    slow.go_on.set()
    assert slow.ended.wait(5)


def test_several_may_listen_to_a_turn(service):
    """Two tabs with one conversation: both get all of the reply, from its beginning."""
    turns, slow = Turns(service), Slow()
    listener = turns.start(slow, Slow.reply)

    async def pieces(after):
        await asyncio.sleep(after)
        return [piece async for piece in listener.pieces()]

    async def listen():
        asyncio.get_running_loop().call_later(0.2, slow.go_on.set)
        return await asyncio.gather(pieces(0), pieces(0.1))

    assert asyncio.run(listen()) == [["first", "second"]] * 2


def test_a_turn_that_fails_says_so_and_frees_the_conversation(service):
    """Without what went wrong inside."""
    turns, slow = Turns(service), Slow()

    def broken(conversation):
        yield "first"
        raise RuntimeError("hunter2")

    first, over = heard(turns.start(slow, broken))
    assert (first, over.kind, over.problem.code) == ("first", "done", "internal_error")
    assert "hunter2" not in over.model_dump_json()
    assert not turns.running("7")
