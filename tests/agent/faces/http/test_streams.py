"""Streams of events: in order, resumed where they were cut, ended when the study is."""

import asyncio
import json
import threading
import time

import pytest
from sse_starlette import ServerSentEvent

from agent.faces.http.streams import HEARTBEAT, EventStream
from agent.study.nouns import EventKind, StudyState


@pytest.fixture
def done(service, lab):
    """A finished study's number."""
    study = service.desk.store.create_study(lab.plan(trials=2)).study_id
    lab.run(service.desk.store, study)
    return study


def parsed(text):
    """The events of a stream: (id, name, data)."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            events.append((fields.get("id"), fields.get("event"), json.loads(fields["data"])))
    return events


def test_a_page_has_a_cursor(client, done):
    """`after` gives what comes next."""
    first = client.get(f"/v1/studies/{done}/events?limit=3").json()
    second = client.get(f"/v1/studies/{done}/events?limit=500&after={first['after']}").json()
    numbers = [e["seq"] for e in first["events"] + second["events"]]
    assert (first["more"], second["more"], second["over"]) == (True, False, True)
    assert numbers == sorted(set(numbers))


def test_a_stream_tells_all_and_ends(client, done):
    """The same events as the pages, numbered, then the end."""
    everything = client.get(f"/v1/studies/{done}/events?limit=500").json()["events"]
    answer = client.get(f"/v1/studies/{done}/events?stream=1")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, end = parsed(answer.text)
    assert [data for _, _, data in events] == everything
    assert [int(number) for number, _, _ in events] == [e["seq"] for e in everything]
    assert end[1:] == ("end", {"over": True})


def test_a_stream_goes_on_where_it_was_cut(client, done):
    """By the header that browsers send, at every cut."""
    everything = client.get(f"/v1/studies/{done}/events?limit=500").json()["events"]
    for cut in (0, 1, len(everything) - 1):
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(everything[cut]["seq"])}
        answer = client.get(f"/v1/studies/{done}/events", headers=headers)
        got = [data for _, name, data in parsed(answer.text) if name is None] if answer.status_code == 200 else []
        assert got == everything[cut + 1 :]


def test_a_browser_that_comes_back_for_nothing_is_told_to_stop(client, done):
    """204 ends its reconnecting."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "999999"}
    assert client.get(f"/v1/studies/{done}/events", headers=headers).status_code == 204


@pytest.mark.parametrize("bad", ["x", "-1", "1e3", "9" * 19, "1; DROP TABLE events"])
def test_an_odd_last_event_is_no_cursor(client, done, bad):
    """The stream begins at the beginning, or it is refused; it never fails."""
    answer = client.get(f"/v1/studies/{done}/events", headers={"Accept": "text/event-stream", "Last-Event-ID": bad})
    assert answer.status_code in (200, 204, 400)


def test_a_stream_of_what_is_not_there_is_404(client):
    """Before any stream begins."""
    assert client.get("/v1/studies/77/events?stream=1").status_code == 404


def test_events_come_while_the_study_runs(client, service, lab):
    """What is stored while the stream is open is told within a second, and its end too."""
    store = service.desk.store
    study = store.create_study(lab.plan()).study_id
    store.enqueue(study)

    def later():
        for n in range(3):
            time.sleep(0.2)
            store.log_event(study, EventKind.DEVIATION, None, {"sentence": str(n)})
        store.dequeue(study)
        store.set_state(study, StudyState.FAILED, "enough")

    writer = threading.Thread(target=later)
    writer.start()
    events = parsed(client.get(f"/v1/studies/{study}/events?stream=1").text)
    writer.join()
    assert [data.get("data", {}).get("sentence") for _, _, data in events] == ["0", "1", "2", None]


def test_a_jobs_events_stream_in_openais_form(client, done):
    """Oldest first, and `[DONE]`."""
    text = client.get(f"/v1/fine_tuning/jobs/ftjob-{done}/events?stream=true").text
    *events, end = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert end == "[DONE]"
    told = [json.loads(one) for one in events]
    assert {one["object"] for one in told} == {"fine_tuning.job.event"}
    listed = client.get(f"/v1/fine_tuning/jobs/ftjob-{done}/events?limit=500").json()["data"]
    assert [one["id"] for one in listed] == [one["id"] for one in told][::-1]


def test_streams_are_limited(client, service, done):
    """One too many is refused, and one that ended is free again."""
    for _ in range(199):
        service.streams.take()
    assert client.get(f"/v1/studies/{done}/events?stream=1").status_code == 200
    service.streams.take()
    assert client.get(f"/v1/studies/{done}/events?stream=1").status_code == 429


def test_a_quiet_stream_is_kept_alive_and_gives_its_place_back(service):
    """Comments every now and then, until the client goes."""

    async def silence():
        await asyncio.sleep(60)
        yield "never"

    sent = []

    async def listen():
        stream, gone = EventStream(service, silence()), asyncio.Event()
        stream.ping_interval = 0.05

        async def send(message):
            sent.append(message.get("body"))
            if sent.count(HEARTBEAT) == 3:
                gone.set()

        async def receive():
            await gone.wait()
            return {"type": "http.disconnect"}

        await stream({"type": "http", "method": "GET"}, receive, send)

    for _ in range(199):
        service.streams.take()
    for _ in range(2):
        asyncio.run(listen())
    assert set(sent) == {None, HEARTBEAT}


def test_comments_are_no_events_to_openais_client():
    """A long silence between two events leaves just these two."""
    from openai._streaming import SSEDecoder

    events = [ServerSentEvent(f'{{"n": {n}}}', id=str(n), sep="\n").encode() for n in (1, 2)]
    text = events[0] + HEARTBEAT + HEARTBEAT + events[1] + b"data: [DONE]\n\n"
    assert [sse.data for sse in SSEDecoder().iter_bytes(iter([text]))] == ['{"n": 1}', '{"n": 2}', "[DONE]"]
