"""A poll that repeats itself: the answer is the one that the usual way gives, and nothing else is taken for one."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn

from agent.faces.http.guard import Hosts
from agent.faces.http.polling.repeats import CROWD_SECONDS, PAUSE_SECONDS, Crowd, Heads
from agent.faces.http.serve import _config
from agent.faces.http.status import FRESH_SECONDS
from agent.settings import load_settings
from agent.study.nouns import StudyState
from agent.study.store import Store
from tests.agent.faces.http.conftest import TOKEN


@pytest.fixture
def study(running, lab):
    """A study that is planned."""
    with Store.open(load_settings(home=running.home).database) as store:
        return store.create_study(lab.plan(trials=3)).study_id


class Wire:
    """One connection, by the byte."""

    def __init__(self, sock, running):
        self.sock, self.reader = sock, sock.makefile("rb")
        self.host, self.token = running.url.removeprefix("http://"), running.token

    def request(self, path, *more, token=None):
        """The bytes of a GET."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.host}", f"Authorization: Bearer {token or self.token}", *more]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def answer(self):
        """The next response: status, headers, body."""
        status = int(self.reader.readline().split()[1])
        headers = {}
        while (line := self.reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, self.reader.read(int(headers.get("content-length", 0)))

    def ask(self, data):
        """The response to these bytes."""
        self.sock.sendall(data)
        return self.answer()


@pytest.fixture
def wire(running):
    """`with wire() as connection`."""

    @contextmanager
    def opened():
        host, _, port = running.url.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as sock:
            yield Wire(sock, running)

    return opened


def test_the_same_bytes_get_the_same_answer(wire, study):
    """Status, body and headers, but for the date; as often as they come."""
    with wire() as connection:
        poll = connection.request(f"/v1/studies/{study}")
        first, *others = [connection.ask(poll) for _ in range(6)]
    assert first[0] == 200
    for status, headers, body in others:
        assert (status, body) == (200, first[2])
        assert {**headers, "date": ""} == {**first[1], "date": ""}


def test_repeats_are_counted(wire, study, running):
    """/metrics knows of each."""

    def count():
        text = httpx.get(f"{running.url}/metrics", headers={"Authorization": f"Bearer {running.token}"}).text
        line = next(x for x in text.splitlines() if 'route="/v1/studies/{study}",status="200"' in x)
        return int(line.rpartition(" ")[2])

    with wire() as connection:
        poll = connection.request(f"/v1/studies/{study}")
        connection.ask(poll)
        before = count()
        for _ in range(5):
            connection.ask(poll)
        assert count() - before == 5


def test_a_change_is_seen_by_who_repeats_himself(wire, study, running):
    """Within the time that an answer may be old."""
    with wire() as connection, Store.open(load_settings(home=running.home).database) as store:
        poll = connection.request(f"/v1/studies/{study}")
        connection.ask(poll)
        store.set_state(study, StudyState.FAILED, "it broke")
        end = time.monotonic() + 2 * FRESH_SECONDS + 1.0
        while b"it broke" not in connection.ask(poll)[2]:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_other_bytes_on_the_same_connection_are_judged_by_themselves(wire, study):
    """A wrong token, another route, a tag that is known, and the poll again."""
    with wire() as connection:
        poll = connection.request(f"/v1/studies/{study}")
        _, headers, body = connection.ask(poll)
        assert connection.ask(connection.request(f"/v1/studies/{study}", token="x" * 43))[0] == 401
        assert connection.ask(connection.request("/v1/studies/999999"))[0] == 404
        known = connection.request(f"/v1/studies/{study}", f"If-None-Match: {headers['etag']}")
        assert [connection.ask(known)[0] for _ in range(3)] == [304] * 3
        assert connection.ask(poll)[::2] == (200, body)


def test_a_refused_request_is_refused_as_often_as_it_comes(wire, study):
    """Repeating it does not help."""
    with wire() as connection:
        wrong = connection.request(f"/v1/studies/{study}", token="x" * 43)
        assert [connection.ask(wrong)[0] for _ in range(4)] == [401] * 4
        foreign = connection.request(f"/v1/studies/{study}", "Origin: http://evil.example")
        assert [connection.ask(foreign)[0] for _ in range(4)] == [403] * 4


def test_polls_in_the_body_of_another_request_are_a_body(wire, study):
    """Also where they come in packets of their own, twice."""
    with wire() as connection:
        poll = connection.request(f"/v1/studies/{study}")
        connection.ask(poll)
        head = f"POST /v1/studies HTTP/1.1\r\nHost: {connection.host}\r\nAuthorization: Bearer "
        head += f"{connection.token}\r\nContent-Type: application/json\r\nContent-Length: {3 * len(poll)}\r\n\r\n"
        for packet in (head.encode(), poll, poll, poll):
            connection.sock.sendall(packet)
            time.sleep(0.1)
        assert connection.answer()[0] == 400  # no JSON


def test_many_at_once_are_all_answered_in_order(wire, study):
    """Pipelined in one packet, or one packet each without waiting."""
    with wire() as connection:
        poll = connection.request(f"/v1/studies/{study}")
        connection.ask(poll)
        connection.sock.sendall(poll * 5)
        for _ in range(5):
            connection.sock.sendall(poll)
            time.sleep(0.005)
        assert [connection.answer()[0] for _ in range(10)] == [200] * 10


def test_the_end_of_another_request_is_no_poll(wire, study):
    """Bytes that were the last header of a request, or the end of a body, are judged anew when they come alone."""
    bare = f"GET /v1/studies/{study} HTTP/1.1\r\n\r\n".encode()
    with wire() as connection:
        connection.sock.sendall(connection.request(f"/v1/studies/{study}", "X-Other: ")[:-4])
        time.sleep(0.1)
        assert [connection.ask(bare)[0] for _ in range(3)] == [200, 403, 403]
    with wire() as connection:
        head = f"POST /v1/plans HTTP/1.1\r\nHost: {connection.host}\r\nAuthorization: Bearer {connection.token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(bare)}\r\n\r\n"
        connection.sock.sendall(head.encode())
        time.sleep(0.1)
        assert [connection.ask(bare)[0] for _ in range(3)] == [400, 403, 403]


def test_who_asks_for_too_much_at_once_is_let_go(wire, study):
    """Without reading an answer: memory is for others."""
    with wire() as connection:
        wrong = connection.request(f"/v1/studies/{study}", token="x" * 43) * 100_000
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            connection.sock.sendall(wrong)


def test_a_half_of_a_poll_is_waited_for(wire, study):
    """As if it had come in one piece."""
    with wire() as connection:
        poll = connection.request(f"/v1/studies/{study}")
        connection.ask(poll)
        connection.sock.sendall(poll[:40])
        time.sleep(0.1)
        assert connection.ask(poll[40:])[0] == 200
        assert connection.ask(poll)[0] == 200


def test_repeats_do_not_reach_the_application(service, lab):
    """What the whole is for: one of ten polls is read, also with the header that most clients send."""
    study = service.desk.store.create_study(lab.plan()).study_id
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        config = _config(service, Hosts.of(port))
        reached, application = [], config.app

        async def counted(scope, receive, send):
            reached.append(scope["type"])
            await application(scope, receive, send)

        config.app = counted
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        with httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
            bodies = {client.get(f"http://127.0.0.1:{port}/v1/studies/{study}").text for _ in range(10)}
        server.should_exit = True
        thread.join(20)
    assert len(bodies) == 1
    assert reached.count("http") == 1


def test_a_crowd_does_not_slow_others(wire, study, running):
    """While fifty polls a second and more come, another route answers as fast as ever."""
    stop = threading.Event()

    def polls():
        with wire() as connection:
            poll = connection.request(f"/v1/studies/{study}")
            while not stop.is_set():
                connection.ask(poll)

    crowd = [threading.Thread(target=polls) for _ in range(4)]
    for thread in crowd:
        thread.start()
    seconds = []
    with httpx.Client(headers={"Authorization": f"Bearer {running.token}"}) as client:
        for _ in range(15):
            time.sleep(0.05)
            began = time.monotonic()
            assert client.get(f"{running.url}/v1/studies").status_code == 200
            seconds.append(time.monotonic() - began)
    stop.set()
    for thread in crowd:
        thread.join()
    assert sorted(seconds)[7] < 6 * PAUSE_SECONDS


@pytest.mark.parametrize(("apart", "waits"), [(CROWD_SECONDS / 10, 1), (CROWD_SECONDS * 2, 0)])
def test_only_a_crowd_is_left_waiting(apart, waits):
    """Once for all that came together; who polls now and then is answered without a pause."""

    async def polls():
        crowd, began = Crowd(), time.monotonic()
        crowd.other(began - 1.0)
        for number in range(5):
            crowd.came(began + number * apart)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return time.monotonic() - began

    assert waits * PAUSE_SECONDS <= asyncio.run(polls()) < (waits + 1) * PAUSE_SECONDS


def test_the_head_is_made_again_when_the_date_changes():
    """Another list is another second."""
    heads = Heads()
    first = [(b"date", b"now")]
    assert heads.of(first) == heads.of(first) == b"HTTP/1.1 200 OK\r\ndate: now\r\n"
    assert heads.of([(b"date", b"then")]) == b"HTTP/1.1 200 OK\r\ndate: then\r\n"
